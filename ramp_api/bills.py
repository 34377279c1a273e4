# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Bills as value objects: what the business owes a vendor.

The rules are those of `reading`. Schema: Bill (2026-08-01).
"""

import dataclasses
import datetime
from decimal import Decimal
from urllib.parse import urlsplit

from .bill_payments import APPROVAL_STATUSES, BillPayment, read_bill_payment
from .coding import Selection, read_coding_selections
from .money import Money
from .reading import (
    PayloadError,
    PayloadReader,
    check_lines_total,
    read_optional_decimal,
    read_quantity_and_price,
    read_required_amount,
    read_text_list,
    read_unsigned_amount,
    read_uuid_list,
    readers_of_items,
)
from .vendors import VENDOR_TYPES

BILL_STATUSES = frozenset({'OPEN', 'PAID'})
BILL_SYNC_STATUSES = frozenset({'BILL_AND_PAYMENT_SYNCED', 'BILL_SYNCED', 'NOT_SYNCED'})
BILL_STATUS_SUMMARIES = frozenset(
    {
        'APPROVAL_PENDING',
        'APPROVAL_REJECTED',
        'ARCHIVED',
        'AWAITING_RELEASE',
        'BLOCKED',
        'HELD_BY_PROVIDER',
        'ON_HOLD',
        'PAYMENT_COMPLETED',
        'PAYMENT_DETAILS_MISSING',
        'PAYMENT_ERROR',
        'PAYMENT_NOT_INSTRUCTED',
        'PAYMENT_PROCESSING',
        'PAYMENT_READY',
        'PAYMENT_SCHEDULED',
        'PENDING_VENDOR_APPROVAL',
        'WAITING_FOR_TRANSACTION_MATCH',
        'WAITING_FOR_VENDOR',
    }
)


@dataclasses.dataclass(frozen=True)
class Withholding:
    """What is kept back of a line until the work is accepted.

    gross: Money before; withheld: Money; percentage: Decimal | None, as Ramp states it: it does not say whether 0.1
    or 10 is a tenth.
    """

    gross: Money
    withheld: Money
    percentage: Decimal | None


@dataclasses.dataclass(frozen=True)
class BillLine:
    """One line of either list.

    amount: Money, what counts, after `withholding`; memo: str | None; selections: its coding and, where it has none
    of a field, that of the bill; quantity (units), unit_price: of inventory lines, else None; their product may
    differ from `amount`, the price being rounded; purchase_order_line_item_id, item_receipt_line_item_ids: uuids of
    what it is matched with.
    """

    amount: Money
    memo: str | None
    selections: tuple[Selection, ...]
    quantity: Decimal | None
    unit_price: Money | None
    purchase_order_line_item_id: str | None
    item_receipt_line_item_ids: tuple[str, ...]
    withholding: Withholding | None

    @property
    def is_inventory(self):
        """Return whether (bool) it has a quantity or a price."""
        return self.quantity is not None or self.unit_price is not None


@dataclasses.dataclass(frozen=True)
class BillVendor:
    """The vendor as a bill names it.

    type: one of VENDOR_TYPES, or None; remote_id: str | None, our own id of the accounting vendor the vendor is
    linked to; remote_code, remote_name: str | None, of that one.
    """

    id: str
    name: str | None
    type: str | None
    remote_id: str | None
    remote_code: str | None
    remote_name: str | None


@dataclasses.dataclass(frozen=True)
class AppliedCredit:
    """A part of the vendor credit `id`, used for this bill. amount: Money in the currency of the credit."""

    id: str
    amount: Money


@dataclasses.dataclass(frozen=True)
class Bill:
    """An invoice of a vendor. `amount` is exactly the sum of `lines`: line_items, then inventory_line_items.

    status: one of BILL_STATUSES; status_summary, sync_status, approval_status: None if Ramp did not say;
    enable_accounting_sync: False only if Ramp says so; moments are aware, in UTC; fx_conversion_rate: Decimal | None,
    from the currency of the invoice to that of whoever pays; selections: of the bill as a whole; its lines have them
    too, where they have none of the field; payment: BillPayment | None, the first that is not a vendor credit;
    invoice_urls: pre-signed, secrets as long as they work.
    """

    id: str
    amount: Money
    status: str
    status_summary: str | None
    approval_status: str | None
    sync_status: str | None
    enable_accounting_sync: bool
    vendor: BillVendor
    vendor_contact_id: str | None
    entity_id: str | None
    invoice_number: str | None
    remote_id: str | None
    memo: str | None
    vendor_memo: str | None
    issued_at: datetime.datetime | None
    due_at: datetime.datetime | None
    accounting_date: datetime.datetime | None
    posting_date: datetime.datetime | None
    paid_at: datetime.datetime | None
    created_at: datetime.datetime | None
    archived_at: datetime.datetime | None
    fx_conversion_rate: Decimal | None
    selections: tuple[Selection, ...]
    lines: tuple[BillLine, ...]
    payment: BillPayment | None
    applied_vendor_credits: tuple[AppliedCredit, ...]
    purchase_order_id: str | None
    item_receipt_ids: tuple[str, ...]
    draft_bill_id: str | None
    draft_bill_created_at: datetime.datetime | None
    is_withholding_release: bool
    bill_owner_id: str | None
    bill_owner_name: str | None
    deep_link_url: str | None
    invoice_urls: tuple[str, ...] = dataclasses.field(repr=False)


def read_bill(payload, with_payment=True):
    """Read a bill from an object of GET /bills or /bills/{id}.

    :param payload: dict
    :param with_payment: bool, False leaves `payment` None, because an unreadable payment does not make the bill wrong
    :return: Bill
    :raise PayloadError: also if lines or currencies do not add up
    """
    reader = PayloadReader(payload)
    ramp_id = reader.read_uuid('id', required=True)
    amount = read_required_amount(reader, 'amount', None, 'the bill')
    owner = reader.read_object('bill_owner')
    selections = read_coding_selections(reader)
    return Bill(
        id=ramp_id,
        amount=amount,
        status=reader.read_choice('status', BILL_STATUSES, required=True),
        status_summary=reader.read_choice('status_summary', BILL_STATUS_SUMMARIES),
        approval_status=reader.read_choice('approval_status', APPROVAL_STATUSES),
        sync_status=reader.read_choice('sync_status', BILL_SYNC_STATUSES),
        enable_accounting_sync=reader.read_value('enable_accounting_sync', bool, 'true or false') is not False,
        vendor=_read_bill_vendor(reader.read_object('vendor')),
        vendor_contact_id=reader.read_uuid('vendor_contact_id'),
        entity_id=reader.read_uuid('entity_id'),
        invoice_number=reader.read_text('invoice_number'),
        remote_id=reader.read_text('remote_id'),
        memo=reader.read_text('memo'),
        vendor_memo=reader.read_text('vendor_memo'),
        issued_at=reader.read_moment('issued_at'),
        due_at=reader.read_moment('due_at'),
        accounting_date=reader.read_moment('accounting_date'),
        posting_date=reader.read_moment('posting_date'),
        paid_at=reader.read_moment('paid_at'),
        created_at=reader.read_moment('created_at'),
        archived_at=reader.read_moment('archived_at'),
        fx_conversion_rate=_read_conversion_rate(reader),
        selections=selections,
        lines=_read_bill_lines(reader, amount, selections),
        payment=read_bill_payment(reader) if with_payment else None,
        applied_vendor_credits=_read_applied_credits(reader),
        purchase_order_id=reader.read_uuid('purchase_order_id'),
        item_receipt_ids=read_uuid_list(reader, 'item_receipt_ids'),
        draft_bill_id=reader.read_uuid('draft_bill_id'),
        draft_bill_created_at=reader.read_moment('draft_bill_created_at'),
        is_withholding_release=reader.read_flag('is_withholding_release'),
        bill_owner_id=owner.read_uuid('id'),
        bill_owner_name=' '.join(filter(None, (owner.read_text('first_name'), owner.read_text('last_name')))) or None,
        deep_link_url=reader.read_text('deep_link_url'),
        invoice_urls=read_text_list(reader, 'invoice_urls'),
    )


def read_invoice_urls(payload):
    """Read the pre-signed links of a bill, whatever else is in it. They are secrets as long as they work.

    :param payload: dict, an object of GET /bills/{id}
    :return: tuple of str
    :raise PayloadError: if they are no texts
    """
    return read_text_list(PayloadReader(payload), 'invoice_urls')


def scrub_bill(payload):
    """Return a bill's payload that may be stored and shown: only scheme and host are left of each link.

    :param payload: of any type, however malformed; it is not changed itself
    :return: of the same type; `read_bill` reads it as it reads the original
    """
    if not isinstance(payload, dict) or 'invoice_urls' not in payload:
        return payload
    links = payload['invoice_urls']
    stripped = [_keep_host_of_link(link) for link in links] if isinstance(links, list) else _keep_host_of_link(links)
    return {**payload, 'invoice_urls': stripped}


def _keep_host_of_link(link):
    """Return scheme and host of a link, and '(link)' for any other text. Lists and objects become empty."""
    if isinstance(link, (dict, list)):
        return type(link)()
    if not isinstance(link, str):
        return link
    try:
        parts = urlsplit(link)
        is_address = parts.scheme in ('http', 'https') and parts.hostname
        return f'{parts.scheme}://{parts.hostname}' if is_address else '(link)'
    except ValueError:
        return '(link)'


def _read_applied_credits(reader):
    return tuple(
        AppliedCredit(item.read_uuid('id', required=True), read_required_amount(item, 'amount', None, 'the credit'))
        for item in readers_of_items(reader, 'applied_vendor_credits')
    )


def _read_bill_vendor(reader):
    return BillVendor(
        id=reader.read_uuid('id', required=True),
        name=reader.read_text('name'),
        type=reader.read_choice('type', VENDOR_TYPES),
        remote_id=reader.read_text('remote_id'),
        remote_code=reader.read_text('remote_code'),
        remote_name=reader.read_text('remote_name'),
    )


def _read_conversion_rate(reader):
    """Read the rate (Decimal | None) from the currency of the invoice to that of whoever pays; positive."""
    rate = read_optional_decimal(reader, 'fx_conversion_rate')
    if rate is not None and rate <= 0:
        raise PayloadError(
            reader.path_of_key('fx_conversion_rate'), f'{rate} is not a rate; it is not booked until this is explained'
        )
    return rate


def _read_bill_lines(reader, whole, selections):
    """Read the lines of both lists, each with its coding. Raises PayloadError unless they add up to the whole."""
    stock = readers_of_items(reader, 'inventory_line_items')
    readers = readers_of_items(reader, 'line_items') + stock
    amounts = [read_required_amount(item, 'amount', whole.currency, 'the bill') for item in readers]
    withheld = [_read_line_withholding(item, amount) for item, amount in zip(readers, amounts)]
    check_lines_total('line_items', amounts, whole, 'the bill')
    lines = []
    coded = _read_bill_line_selections(readers, selections)
    for item, amount, coding, withholding in zip(readers, amounts, coded, withheld):
        quantity, price = read_quantity_and_price(item, whole.currency, 'the bill') if item in stock else (None, None)
        lines.append(
            BillLine(
                amount=amount,
                memo=item.read_text('memo'),
                selections=coding,
                quantity=quantity,
                unit_price=price,
                purchase_order_line_item_id=item.read_uuid('purchase_order_line_item_id'),
                item_receipt_line_item_ids=read_uuid_list(item, 'item_receipt_line_item_ids'),
                withholding=withholding,
            )
        )
    return tuple(lines)


def _read_bill_line_selections(readers, whole):
    """Read the selections of each line: its own, and those of the whole in the fields of which it has none."""
    coded = []
    for own in map(read_coding_selections, readers):
        known = {_find_field_of_selection(selection) for selection in own}
        coded.append(own + tuple(selection for selection in whole if _find_field_of_selection(selection) not in known))
    return coded


def _find_field_of_selection(selection):
    """Return the key of the accounting field of a selection. Custom fields share one type."""
    return selection.type, selection.category_external_id if selection.type == 'OTHER' else None


def _read_line_withholding(line, amount):
    """Return what is withheld of a line: Withholding | None.

    Ramp calls the amount before withholding `gross_amount`. It does not say that a line's `amount` is the one after it.
    If the figures do not show that, the bill's amount would be a guess, so PayloadError is raised.
    """
    if line.values.get('withholding_line_item') is None:
        return None
    reader = line.read_object('withholding_line_item')
    gross = read_unsigned_amount(reader, 'gross_amount', 'value', 'currency')
    withheld = read_unsigned_amount(reader, 'withholding_amount', 'value', 'currency')
    for key, money in (('gross_amount', gross), ('withholding_amount', withheld)):
        if money is None:
            raise PayloadError(reader.path_of_key(key), 'Ramp sent no amount; the line cannot be checked')
        if money.currency != amount.currency:
            raise PayloadError(reader.path_of_key(key), f'is in {money.currency}, but the line is in {amount.currency}')
    if gross - withheld != amount:
        raise PayloadError(
            reader.path,
            f"{gross} less {withheld} withheld is not the line's amount, which is {amount}; "
            'it is not booked until this is explained',
        )
    return Withholding(gross, withheld, read_optional_decimal(reader, 'withholding_percentage'))
