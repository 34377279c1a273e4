# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import lxml.html
from markupsafe import Markup

from odoo import models
from odoo.tools import plaintext2html

ADDRESS = ('street', 'street2', 'city', 'zip', 'state_id', 'country_id')
PLAIN = ('name', 'is_company', 'vat', 'website', 'email', 'phone')
OURS = 'o_ramp_vendor'  # class of the part of a partner's notes that is ours
GONE = 'gone'
# Partners who are one of us: a company, an employee or an internal user; or have a login of the portal only
OWN, GUEST = 'own', 'guest'
WHO = ('name', 'email')  # by which a person with a login is known, and gets a new password


class RampVendorChanges(models.AbstractModel):
    """What of a vendor or a contact is written to its partner, and what not because a person edited it. A part of their
    flows.

    What was written is noted in the row, field by field, as Ramp said it and as Odoo made it. An address is one field
    in this: half of one with half of another is no address.
    """

    _name = 'ramp.vendor.changes'
    _description = 'Ramp Flow: what of a vendor is written'

    def _merge_field_changes(self, connection, values, current, written, ours=None):
        """Which of Ramp's values are to be written: what Ramp does not have erases nothing.

        :param current: the values in Odoo
        :param written: {field: [Ramp's value, what Odoo made of it]}, when it was written last
        :param ours: `OWN` or `GUEST`, of a partner who became one of us since, or was taken for the vendor by an
            earlier version
        """
        changes = {}
        for key, value in values.items():
            if ours == OWN or ours == GUEST and key in WHO:
                continue
            now, last = current[key], written.get(key)
            if not has(key, value) or now == value or last == [value, now]:
                continue
            is_ours = last is not None and last[1] == now
            if (
                connection.vendor_policy == 'ramp'
                or _is_field_free(key, now, value)
                or connection.vendor_policy == 'first'
                and is_ours
            ):
                changes[key] = value
        return changes

    def _get_current_values(self, partner, keys, written=()):
        """The values of a partner, in the terms of `_make_partner_values`."""
        current = {key: partner[key] for key in PLAIN if key in keys}
        if 'address' in keys:
            current['address'] = [
                value.id if isinstance(value, models.Model) else value for value in (partner[name] for name in ADDRESS)
            ]
        if 'comment' in keys:
            current['comment'] = _get_own_text(partner.comment)
            if current['comment'] is False and 'comment' in written:
                current['comment'] = GONE  # somebody took it out
        return current

    def _select_values_to_write(self, changes, comment=False):
        """The fields of Odoo for values of ours. `comment`: the partner's notes."""
        values = {key: value for key, value in changes.items() if key in PLAIN}
        values.update(zip(ADDRESS, changes.get('address', ())))
        if 'comment' in changes:
            values['comment'] = _with_our_text(comment, changes['comment'])
        return values


def has(key, value):
    """Whether Ramp has a value."""
    return key == 'is_company' or (any(value) if key == 'address' else bool(value))


def _is_field_free(key, now, value):
    """Whether a value in Odoo is empty. A country alone is an empty address, if it is the same."""
    if key == 'address':
        return not any(now[:-1]) and now[-1] in (False, value[-1])
    return key != 'is_company' and not now


def _get_own_part(comment):
    """(the notes as a tree, the element that is ours or None)."""
    tree = lxml.html.fragment_fromstring(str(comment or ''), create_parent='div')
    return tree, next(iter(tree.find_class(OURS)), None)


def _get_own_text(comment):
    """The text of our part of a partner's notes, without spaces; False if there is no such part."""
    part = _get_own_part(comment)[1] if comment else None
    return False if part is None else ''.join(part.text_content().split())


def _with_our_text(comment, text):
    """A partner's notes with our part replaced, or added at the end."""
    tree, part = _get_own_part(comment)
    new = lxml.html.fragment_fromstring(str(Markup('<div class="%s">%s</div>') % (OURS, plaintext2html(text))))
    if part is None:
        tree.append(new)
    else:
        new.tail = part.tail
        part.getparent().replace(part, new)
    whole = lxml.html.tostring(tree, encoding='unicode')
    return Markup(whole[len('<div>') : -len('</div>')])
