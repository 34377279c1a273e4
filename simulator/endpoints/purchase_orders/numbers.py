"""Ramp's format of order numbers, and the check of quantities."""

import re

from ...errors import RampError, make_field_error


def read_unit_quantity(value):
    """Return a whole number of units. Raise Ramp's 422 for anything else."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise make_field_error('unit_quantity', 'Not a valid integer.')
    if value < 1:
        raise make_field_error('unit_quantity', 'Must be positive.')
    return value


def normalise_order_number(number):
    """Return (prefix, number or None) as Ramp reads an order number.

    Ramp's numbers are a prefix, a dash and a whole number. The prefix "PO" is left out. This was seen in Ramp's
    sandbox; the guide does not describe it.
    """
    text = re.sub(r'[^0-9A-Z-]', '', number).strip('-')
    found = re.fullmatch(r'(?:(.*)-)?([A-Z]*?)(\d+)', text)
    if not found:
        return text, None
    prefix = '-'.join(filter(None, (found[1], found[2])))
    return ('' if prefix == 'PO' else prefix.removeprefix('PO-')), int(found[3])


def choose_order_number(store, given):
    """Return the number for an order. Raise 400 if another order has it. Numbers of archived orders are free again."""
    taken = {row['purchase_order_number'] for row in store['purchase_orders'] if not row['archived_at']}
    prefix, number = normalise_order_number(given or '')

    def format_order_number(number):
        return f'{prefix}-{number}' if prefix else str(number)

    if number is None:
        number = 1
        while format_order_number(number) in taken:
            number += 1
    elif format_order_number(number) in taken:
        raise RampError(400, 'DEVELOPER_7063', 'The purchase order number exists already')
    return format_order_number(number)
