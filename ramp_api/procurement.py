# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Purchase orders and item receipts as value objects.

The rules are those of `reading`. Nothing of these is booked: they are read to be compared with what was sent. So
amounts must be in the order's currency, but need not add up: Ramp rounds prices, and withholds.

Schemas: ApiPurchaseOrderResource, ApiPurchaseOrderDetailResource, ApiPurchaseOrderLineItem, ApiItemReceiptResource,
ApiItemReceiptLineItem (2026-08-01).
"""

import dataclasses
import datetime
from decimal import Decimal

from .coding import Selection, read_coding_selections
from .money import Money
from .reading import (
    PayloadError,
    PayloadReader,
    read_optional_day,
    read_optional_decimal,
    read_required_amount,
    read_uuid_list,
    readers_of_items,
)

RECEIPT_STATUSES = frozenset({'FULLY_RECEIVED', 'NOT_RECEIVED', 'OVER_RECEIVED', 'PARTIALLY_RECEIVED'})
BILLING_STATUSES = frozenset({'CLOSED', 'DELETED', 'FULLY_BILLED', 'OPEN', 'PARTIALLY_BILLED'})
CREATION_SOURCES = frozenset({'ACCOUNTING_PROVIDER', 'DEVELOPER_API', 'EXTERNAL_IMPORT', 'RAMP'})


@dataclasses.dataclass(frozen=True)
class PurchaseOrderLine:
    """A line of a purchase order.

    external_id: str | None, our own, if we gave one; quantity: units; unit_price: rounded to the currency, so that
    its product with quantity may differ from `amount`; withholding_rate: 0.1 is a tenth; start_date, end_date: days.
    """

    id: str
    external_id: str | None
    description: str | None
    quantity: Decimal | None
    unit_price: Money | None
    amount: Money
    withholding_rate: Decimal | None
    start_date: datetime.date | None
    end_date: datetime.date | None
    remote_id: str | None
    selections: tuple[Selection, ...]


@dataclasses.dataclass(frozen=True)
class PurchaseOrder:
    """A purchase order.

    external_id: str | None, our own; number: as Ramp made it of ours, never to be compared with it; creation_source:
    one of CREATION_SOURCES; net_payment_terms: days; promise_date, spend_start_date, spend_end_date: days, of the
    answer's midnight in UTC; receipt_status: one of RECEIPT_STATUSES; billing_status: one of BILLING_STATUSES, or
    None; withholding_default_rate: 0.1 is a tenth; moments are aware, in UTC.
    """

    id: str
    external_id: str | None
    number: str | None
    remote_id: str | None
    creation_source: str
    vendor_id: str | None
    entity_id: str
    owner_id: str | None
    amount: Money
    memo: str | None
    net_payment_terms: int | None
    promise_date: datetime.date | None
    spend_start_date: datetime.date | None
    spend_end_date: datetime.date | None
    three_way_match_enabled: bool
    receipt_status: str
    billing_status: str | None
    withholding_default_rate: Decimal | None
    bill_ids: tuple[str, ...]
    item_receipt_ids: tuple[str, ...]
    selections: tuple[Selection, ...]
    lines: tuple[PurchaseOrderLine, ...]
    created_at: datetime.datetime
    archived_at: datetime.datetime | None
    ramp_url: str | None

    @property
    def currency(self):
        """Return the code (str) of the order's currency."""
        return self.amount.currency


@dataclasses.dataclass(frozen=True)
class ItemReceiptLine:
    """A line of an item receipt. quantity: units; None: of the whole line, whatever that is."""

    id: str
    purchase_order_line_item_id: str
    quantity: Decimal | None
    amount: Money | None
    memo: str | None


@dataclasses.dataclass(frozen=True)
class ItemReceipt:
    """What was received of a purchase order.

    number: ours, if it is ours; received_at: the day, as the answer's midnight in UTC; archived_at: when it was
    deleted, or None.
    """

    id: str
    number: str
    purchase_order_id: str
    received_at: datetime.datetime
    memo: str | None
    remote_id: str | None
    lines: tuple[ItemReceiptLine, ...]
    created_at: datetime.datetime
    archived_at: datetime.datetime | None


def read_purchase_order(payload):
    """Read a purchase order from an object of /purchase-orders, of a list or alone.

    :param payload: dict
    :return: PurchaseOrder
    :raise PayloadError: also where a line is in another currency, or two lines have one id
    """
    reader = PayloadReader(payload)
    amount = read_required_amount(reader, 'amount', None, 'the purchase order')
    return PurchaseOrder(
        id=reader.read_uuid('id', required=True),
        external_id=reader.read_text('external_id'),
        number=reader.read_text('purchase_order_number'),
        remote_id=reader.read_text('remote_id'),
        creation_source=reader.read_choice('creation_source', CREATION_SOURCES, required=True),
        vendor_id=reader.read_uuid('vendor_id'),
        entity_id=reader.read_uuid('entity_id', required=True),
        owner_id=reader.read_uuid('owner_id'),
        amount=amount,
        memo=reader.read_text('memo'),
        net_payment_terms=reader.read_value('net_payment_terms', int, 'a whole number of days'),
        **{name: _read_midnight_day(reader, name) for name in ('promise_date', 'spend_start_date', 'spend_end_date')},
        three_way_match_enabled=reader.read_flag('three_way_match_enabled'),
        receipt_status=reader.read_choice('receipt_status', RECEIPT_STATUSES, required=True),
        billing_status=reader.read_choice('billing_status', BILLING_STATUSES),
        withholding_default_rate=read_optional_decimal(reader, 'withholding_default_rate'),
        bill_ids=read_uuid_list(reader, 'bill_ids'),
        item_receipt_ids=read_uuid_list(reader, 'item_receipt_ids'),
        selections=read_coding_selections(reader),
        lines=_check_unique_line_ids(
            reader,
            'line_items',
            [_read_order_line(item, amount.currency) for item in readers_of_items(reader, 'line_items')],
        ),
        created_at=reader.read_moment('created_at', required=True),
        archived_at=reader.read_moment('archived_at'),
        ramp_url=reader.read_text('ramp_url'),
    )


def _read_order_line(reader, currency):
    price = reader.read_money('unit_price') and read_required_amount(
        reader, 'unit_price', currency, 'the purchase order'
    )
    return PurchaseOrderLine(
        id=reader.read_uuid('id', required=True),
        external_id=reader.read_text('external_id'),
        description=reader.read_text('description'),
        quantity=read_optional_decimal(reader, 'quantity'),
        unit_price=price,
        amount=read_required_amount(reader, 'amount', currency, 'the purchase order'),
        withholding_rate=read_optional_decimal(reader, 'withholding_rate'),
        start_date=read_optional_day(reader, 'start_date'),
        end_date=read_optional_day(reader, 'end_date'),
        remote_id=reader.read_text('remote_id'),
        selections=read_coding_selections(reader),
    )


def read_item_receipt(payload):
    """Read an item receipt from an object of /item-receipts, of a list or alone.

    :param payload: dict
    :return: ItemReceipt
    :raise PayloadError: also where two lines have one id
    """
    reader = PayloadReader(payload)
    return ItemReceipt(
        id=reader.read_uuid('id', required=True),
        number=reader.read_text('item_receipt_number', required=True),
        purchase_order_id=reader.read_uuid('purchase_order_id', required=True),
        received_at=reader.read_moment('received_at', required=True),
        memo=reader.read_text('memo'),
        remote_id=reader.read_text('remote_id'),
        lines=_check_unique_line_ids(
            reader,
            'line_items',
            [
                ItemReceiptLine(
                    id=item.read_uuid('id', required=True),
                    purchase_order_line_item_id=item.read_uuid('purchase_order_line_item_id', required=True),
                    quantity=read_optional_decimal(item, 'quantity'),
                    amount=item.read_money('amount'),
                    memo=item.read_text('memo'),
                )
                for item in readers_of_items(reader, 'line_items')
            ],
        ),
        created_at=reader.read_moment('created_at', required=True),
        archived_at=reader.read_moment('archived_at'),
    )


def _read_midnight_day(reader, key):
    moment = reader.read_moment(key)
    return moment and moment.date()


def _check_unique_line_ids(reader, key, lines):
    """Return the lines as a tuple; they are told apart by their ids."""
    if len({line.id for line in lines}) < len(lines):
        raise PayloadError(reader.path_of_key(key), 'two lines have one id; ask Ramp which one is right')
    return tuple(lines)
