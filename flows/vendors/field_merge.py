# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import lxml.html
from markupsafe import Markup

from odoo import models
from odoo.tools import plaintext2html

ADDRESS = ('street', 'street2', 'city', 'zip', 'state_id', 'country_id')
PLAIN = ('name', 'is_company', 'vat', 'website', 'email', 'phone')
OURS = 'o_ramp_vendor'  # CSS class of our part of a partner's notes
GONE = 'gone'
# Partners that are more than a vendor. OWN: a company, an employee or an internal user. GUEST: a portal user.
OWN, GUEST = 'own', 'guest'
WHO = ('name', 'email')  # these identify a person with a login; a password reset goes to the email


class RampVendorChanges(models.AbstractModel):
    """The part of the vendor and contact flows that decides which values are written to a partner.

    A value that a person edited may stay (`vendor_policy` of the connection). The row notes each written field, as Ramp
    had it and as Odoo stored it. An address counts as one field, because halves of two addresses do not make one.
    """

    _name = 'ramp.vendor.changes'
    _description = 'Ramp Flow: what of a vendor is written'

    def _merge_field_changes(self, connection, values, current, written, ours=None):
        """Return the values from Ramp that are to be written.

        A value that Ramp does not have erases nothing.

        :param values: the values in Ramp
        :param current: the values in Odoo, under the same keys
        :param written: {field: [Ramp's value, what Odoo stored]}, from the last time it was written
        :param ours: `OWN` or `GUEST`, if the partner became one of these, or an earlier version took one for the vendor
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
        """Return the values of a partner, under the keys of `_make_partner_values`.

        :param written: the keys that were written before; it tells notes that were removed from notes that never were
        """
        current = {key: partner[key] for key in PLAIN if key in keys}
        if 'address' in keys:
            current['address'] = [
                value.id if isinstance(value, models.Model) else value for value in (partner[name] for name in ADDRESS)
            ]
        if 'comment' in keys:
            current['comment'] = _get_own_text(partner.comment)
            if current['comment'] is False and 'comment' in written:
                current['comment'] = GONE  # somebody removed it
        return current

    def _select_values_to_write(self, changes, comment=False):
        """Return Odoo's field values for changed values.

        :param comment: the partner's notes (HTML)
        """
        values = {key: value for key, value in changes.items() if key in PLAIN}
        values.update(zip(ADDRESS, changes.get('address', ())))
        if 'comment' in changes:
            values['comment'] = _with_our_text(comment, changes['comment'])
        return values


def has(key, value):
    """Return whether Ramp has a value for this key."""
    return key == 'is_company' or (any(value) if key == 'address' else bool(value))


def _is_field_free(key, now, value):
    """Return whether a value in Odoo is empty.

    An address with nothing but a country counts as empty, if Ramp has the same country.
    """
    if key == 'address':
        return not any(now[:-1]) and now[-1] in (False, value[-1])
    return key != 'is_company' and not now


def _get_own_part(comment):
    """Return (the notes as a tree, our element in it or None)."""
    tree = lxml.html.fragment_fromstring(str(comment or ''), create_parent='div')
    return tree, next(iter(tree.find_class(OURS)), None)


def _get_own_text(comment):
    """Return the text of our part of a partner's notes without white space, or False if there is none."""
    part = _get_own_part(comment)[1] if comment else None
    return False if part is None else ''.join(part.text_content().split())


def _with_our_text(comment, text):
    """Return a partner's notes with our part replaced, or added at the end."""
    tree, part = _get_own_part(comment)
    new = lxml.html.fragment_fromstring(str(Markup('<div class="%s">%s</div>') % (OURS, plaintext2html(text))))
    if part is None:
        tree.append(new)
    else:
        new.tail = part.tail
        part.getparent().replace(part, new)
    whole = lxml.html.tostring(tree, encoding='unicode')
    return Markup(whole[len('<div>') : -len('</div>')])
