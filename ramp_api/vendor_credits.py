# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Vendor credits as value objects: what a vendor owes back, and the bills that it went to.

The rules are those of `reading`. Schema: VendorCreditResource (2026-08-01).
"""

import dataclasses
import datetime
from decimal import Decimal

from .coding import Selection, read_coding_selections, read_line_selections
from .money import Money
from .reading import (
    PayloadError,
    PayloadReader,
    check_lines_total,
    read_optional_day,
    read_quantity_and_price,
    read_required_amount,
    readers_of_items,
)


@dataclasses.dataclass(frozen=True)
class CreditLine:
    """One line of either list. amount: Money; quantity (units), unit_price: of inventory lines, else None."""

    amount: Money
    memo: str | None
    selections: tuple[Selection, ...]
    quantity: Decimal | None
    unit_price: Money | None

    @property
    def is_inventory(self):
        """Return whether (bool) it has a quantity or a price."""
        return self.quantity is not None or self.unit_price is not None


@dataclasses.dataclass(frozen=True)
class CreditUse:
    """What of a credit went to a bill. amount: Money; is_draft: bool, the bill is a draft's."""

    bill_id: str
    amount: Money
    is_draft: bool


@dataclasses.dataclass(frozen=True)
class VendorCredit:
    """What a vendor owes back.

    total: Money, exactly the sum of `lines` (expense_line_items, then inventory_line_items); applied: Money, that of
    `uses`; remaining: Money, their difference; accounting_date: a day; created_at: aware, in UTC; reference_bill_id:
    str | None, the bill that it comes from.
    """

    id: str
    vendor_id: str
    entity_id: str | None
    reference_number: str | None
    reference_bill_id: str | None
    accounting_date: datetime.date | None
    created_at: datetime.datetime | None
    total: Money
    applied: Money
    remaining: Money
    selections: tuple[Selection, ...]
    lines: tuple[CreditLine, ...]
    uses: tuple[CreditUse, ...]


def read_vendor_credit(payload):
    """Read a vendor credit from an object of GET /vendors/credits or /vendors/credits/{id}.

    :param payload: dict
    :return: VendorCredit
    :raise PayloadError: also where lines, uses or currencies do not add up
    """
    reader = PayloadReader(payload)
    ramp_id = reader.read_uuid('id', required=True)
    total = read_required_amount(reader, 'total_amount', None, 'the credit')
    applied = read_required_amount(reader, 'total_applied_amount', total.currency, 'the credit')
    remaining = read_required_amount(reader, 'remaining_amount', total.currency, 'the credit')
    if total - applied != remaining:
        raise PayloadError(
            'remaining_amount',
            f'{remaining} is not {total} less the {applied} applied; it is not booked until this is explained',
        )
    selections = read_coding_selections(reader)
    return VendorCredit(
        id=ramp_id,
        vendor_id=reader.read_uuid('vendor_id', required=True),
        entity_id=reader.read_uuid('entity_id'),
        reference_number=reader.read_text('reference_number'),
        reference_bill_id=reader.read_uuid('reference_bill_id'),
        accounting_date=read_optional_day(reader, 'accounting_date'),
        created_at=reader.read_moment('created_at'),
        total=total,
        applied=applied,
        remaining=remaining,
        selections=selections,
        lines=_read_credit_lines(reader, total, selections),
        uses=_read_credit_uses(reader, applied),
    )


def _read_credit_lines(reader, whole, selections):
    stock = readers_of_items(reader, 'inventory_line_items')
    readers = readers_of_items(reader, 'expense_line_items') + stock
    amounts = [read_required_amount(item, 'amount', whole.currency, 'the credit') for item in readers]
    check_lines_total('expense_line_items', amounts, whole, 'the credit')
    lines = []
    for item, amount, coding in zip(readers, amounts, read_line_selections(readers, selections)):
        quantity, price = read_quantity_and_price(item, whole.currency, 'the credit') if item in stock else (None, None)
        lines.append(CreditLine(amount, item.read_text('memo'), coding, quantity, price))
    return tuple(lines)


def _read_credit_uses(reader, applied):
    uses = tuple(
        CreditUse(
            bill_id=item.read_uuid('bill_id', required=True),
            amount=read_required_amount(item, 'amount', applied.currency, 'the credit'),
            is_draft=key == 'applied_draft_bills',
        )
        for key in ('applied_bills', 'applied_draft_bills')
        for item in readers_of_items(reader, key)
    )
    total = sum((use.amount for use in uses), Money(0, applied.currency))
    if total != applied:
        raise PayloadError(
            'applied_bills',
            f'{total} went to bills, but total_applied_amount is {applied}; it is not booked until this is explained',
        )
    return uses
