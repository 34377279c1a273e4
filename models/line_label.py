# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""What the journal items and expenses of card spend are called: a template with placeholders, filled without evaluating
anything.
"""

import re

PLACEHOLDERS = ('merchant', 'memo', 'cardholder', 'original_amount', 'category', 'trip')
PLACEHOLDER = re.compile(r'\{([^{}]*)\}')
# A placeholder, or what stands in brackets with some in it: both go as a whole
PART = re.compile(r'\{(\w*)\}|[(\[][^()\[\]]*\{[^()\[\]]*[)\]]')


def fill(template, values):
    """The template with its values. A part that is empty vanishes, with the text between it and the one before; '' if
    all are.

    :param values: {placeholder: text, or nothing}
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
    """What stands in braces and is no placeholder, in the order in which it does."""
    return [name for name in PLACEHOLDER.findall(template) if name not in PLACEHOLDERS]


def is_well_formed(template):
    """Whether there is a placeholder, and each brace belongs to one."""
    return bool(PLACEHOLDER.search(template)) and not re.search(r'[{}]', PLACEHOLDER.sub('', template))
