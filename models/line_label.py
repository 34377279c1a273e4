# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Labels of the journal items and expenses of card spend, made from a template with placeholders.

The template is filled without evaluating anything.
"""

import re

PLACEHOLDERS = ('merchant', 'memo', 'cardholder', 'original_amount', 'category', 'trip')
PLACEHOLDER = re.compile(r'\{([^{}]*)\}')
# A placeholder, or a text in brackets that contains placeholders: both vanish as a whole
PART = re.compile(r'\{(\w*)\}|[(\[][^()\[\]]*\{[^()\[\]]*[)\]]')


def fill(template, values):
    """Return the template filled with the values.

    An empty part vanishes together with the text between it and the part before. The result is '' if all parts are
    empty.

    :param values: {placeholder: text, or a false value}
    """
    label, begin, end = '', None, 0
    for part in PART.finditer(template):
        between, end = template[end : part.start()], part.end()
        if begin is None:
            begin, between = between, ''
        if part[1]:
            text = values[part[1]]
        else:
            inner = fill(part[0][1:-1], values)
            text = inner and f'{part[0][0]}{inner}{part[0][-1]}'
        if text:
            label += f'{between if label else ""}{text}'
    return label and f'{begin}{label}{template[end:]}'


def unknown_placeholders(template):
    """Return the names in braces that are no placeholders, in the order of the template."""
    return [name for name in PLACEHOLDER.findall(template) if name not in PLACEHOLDERS]


def is_well_formed(template):
    """Return whether the template has a placeholder and every brace belongs to one."""
    return bool(PLACEHOLDER.search(template)) and not re.search(r'[{}]', PLACEHOLDER.sub('', template))
