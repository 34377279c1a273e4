"""Numbers of orders as Ramp makes them, and quantities as it takes them."""

import re

from ...errors import RampError, invalid_field


def read_quantity(value):
    """A whole number of units, or Ramp's 422."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid_field('unit_quantity', 'Not a valid integer.')
    if value < 1:
        raise invalid_field('unit_quantity', 'Must be positive.')
    return value


def normalise_number(number):
    """(prefix, number or None) that Ramp makes of a number, as seen in its sandbox; its guide says nothing of it.

    Ramp's numbers are a prefix, a dash and a whole number; the prefix "PO" goes without saying.
    """
    text = re.sub(r'[^0-9A-Z-]', '', number).strip('-')
    found = re.fullmatch(r'(?:(.*)-)?([A-Z]*?)(\d+)', text)
    if not found:
        return text, None
    prefix = '-'.join(filter(None, (found[1], found[2])))
    return ('' if prefix == 'PO' else prefix.removeprefix('PO-')), int(found[3])


def new_number(store, given):
    """The number an order gets; 400 if another has it. The numbers of archived orders are free again."""
    taken = {row['purchase_order_number'] for row in store['purchase_orders'] if not row['archived_at']}
    prefix, number = normalise_number(given or '')

    def number_text(number):
        return f'{prefix}-{number}' if prefix else str(number)

    if number is None:
        number = 1
        while number_text(number) in taken:
            number += 1
    elif number_text(number) in taken:
        raise RampError(400, 'DEVELOPER_7063', 'The purchase order number exists already')
    return number_text(number)
