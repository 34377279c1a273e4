# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""What the business owes, as value objects: vendors, bills, vendor credits, reimbursements, repayments.

The rules are those of `payloads`: whatever is malformed, unknown or does not add up raises PayloadError; unknown
*keys* are ignored; what Ramp declares optional may be absent as well as null.
Schemas: Vendor, ApiVendorDetailResource, ApiVendorContactResource, Bill, VendorCreditResource, Reimbursement,
Repayment; and of the reimbursement the keys of specifications before 2026 (`amount`, `currency`,
`original_reimbursement_amount`), which some businesses still get.
"""

import dataclasses
import datetime
import re
from decimal import Decimal
from urllib.parse import urlsplit

from .money import Money, allocate
from .payloads import SYNC_STATUSES, PayloadError, Selection, _money, _Reader, _selections, _uuid

APPROVAL_STATUSES = frozenset({'APPROVED', 'INITIALIZED', 'PENDING', 'REJECTED', 'TERMINATED'})
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
# The money of these moves as card transactions, which are booked as such.
CARD_PAYMENT_METHODS = frozenset({'AUTOMATIC_CARD_PAYMENT', 'CARD', 'ONE_TIME_CARD', 'ONE_TIME_CARD_DELIVERY'})
PAYMENT_METHODS = CARD_PAYMENT_METHODS | {
    'ACH',
    'CHECK',
    'CRYPTO_WALLET_TRANSFER',
    'DOMESTIC_WIRE',
    'FED_NOW',
    'INTERNATIONAL',
    'LOCAL_BANK_TRANSFER',
    'PAID_MANUALLY',
    'RTP',
    'SWIFT',
    'UNSPECIFIED',
    'VENDOR_CREDIT',
}
MANUAL_PAYMENT_METHODS = frozenset(
    {
        'CASH',
        'CHECK',
        'CROSS_BORDER_PAYMENT',
        'CRYPTO_WALLET_TRANSFER',
        'DIRECT_DEBIT',
        'DOMESTIC_WIRE_TRANSFER',
        'NON_RAMP_CREDIT_CARD',
        'OTHER',
        'PAID_IN_ERP',
    }
)
VENDOR_TYPES = frozenset({'BUSINESS', 'INDIVIDUAL'})
VENDOR_APPROVAL_STATUSES = frozenset({'APPROVED', 'PENDING', 'REJECTED'})
TAX_CLASSIFICATIONS = frozenset(
    {
        'C_CORPORATION',
        'INDIVIDUAL_SOLE_PROPRIETOR_SINGLE_MEMBER_LLC',
        'INTERNATIONAL',
        'LLC_C_CORPORATION',
        'LLC_PARTNERSHIP',
        'LLC_S_CORPORATION',
        'OTHER',
        'PARTNERSHIP',
        'S_CORPORATION',
        'TRUST_ESTATE',
    }
)
REIMBURSEMENT_DIRECTIONS = frozenset({'BUSINESS_TO_USER', 'USER_TO_BUSINESS'})
REIMBURSEMENT_TYPES = frozenset({'MILEAGE', 'OUT_OF_POCKET', 'PAYBACK_FULL', 'PAYBACK_PARTIAL', 'PER_DIEM'})
# Nothing of these is booked, so they alone may still be without an amount.
REIMBURSEMENT_IDLE_STATES = frozenset({'CANCELED', 'DELETED', 'DRAFT', 'INIT', 'REJECTED'})
REIMBURSEMENT_PAID_STATES = frozenset(
    {'EXPORT_SUCCESSFUL', 'MANUALLY_REIMBURSED', 'REIMBURSED', 'REIMBURSED_VIA_PUSH'}
)
REIMBURSEMENT_STATES = (
    REIMBURSEMENT_IDLE_STATES
    | REIMBURSEMENT_PAID_STATES
    | {
        'APPROVED',
        'AWAITING_EXPORT',
        'AWAITING_PAYMENT',
        'AWAITING_PUSH_PAYMENT',
        'EXPORTED',
        'EXPORT_FAILED',
        'EXPORT_INITIATED',
        'EXPORT_MARKED_AS_FAILED',
        'FAILED_REIMBURSEMENT',
        'MISSING_ACH',
        'PENDING',
        'PROCESSING',
        'PUSH_PAYMENT_FAILED',
        'PUSH_PAYMENT_INITIATED',
    }
)
REPAYMENT_STATUSES = frozenset(
    {
        'AWAITING_MANUAL_REPAYMENT',
        'AWAITING_PAYMENT',
        'NONE',
        'REPAID',
        'REPAYMENT_FAILED',
        'REQUESTED_BY_REVIEWER',
    }
)

_DAY = re.compile(r'[0-9]{4}-[0-9]{2}-[0-9]{2}')
_DECIMAL = re.compile(r'[+-]?[0-9]{1,30}(\.[0-9]{1,30})?')


@dataclasses.dataclass(frozen=True)
class Address:
    """id and is_default: only of those in `Vendor.addresses`."""

    address_line_1: str | None
    address_line_2: str | None
    city: str | None
    state: str | None
    postal_code: str | None
    country: str | None
    id: str | None
    is_default: bool


@dataclasses.dataclass(frozen=True)
class Vendor:
    """Somebody who is paid by bills; not the vendor one codes with, whose remote id is
    `accounting_vendor_remote_id`.

    contacts: ids; custom_fields: pairs (name, text) of the columns the business added, texts only;
    approval_status and custom_fields are in the detail only, subsidiary where it was asked for.
    """

    id: str
    name: str
    name_legal: str | None
    vendor_type: str | None
    is_active: bool
    approval_status: str | None
    external_vendor_id: str | None
    accounting_vendor_remote_id: str | None
    country: str | None
    state: str | None
    address: Address | None
    addresses: tuple[Address, ...]
    tax_address: Address | None
    federal_tax_classification: str | None
    description: str | None
    contacts: tuple[str, ...]
    custom_fields: tuple[tuple[str, str], ...]
    subsidiary: tuple[str, ...]
    default_entity_id: str | None
    merchant_id: str | None
    parent_vendor_id: str | None
    vendor_owner_id: str | None
    created_at: datetime.datetime | None


@dataclasses.dataclass(frozen=True)
class VendorContact:
    id: str
    email: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    is_default: bool


@dataclasses.dataclass(frozen=True)
class VendorDetail:
    """A vendor with its contacts; contacts: None where they were not asked for or did not arrive."""

    vendor: Vendor
    contacts: tuple[VendorContact, ...] | None

    @property
    def id(self):
        return self.vendor.id


@dataclasses.dataclass(frozen=True)
class Withholding:
    """What is kept back of a line until the work is accepted. gross: Money before, withheld: Money;
    percentage: Decimal | None, as Ramp states it: it does not say whether 0.1 or 10 is a tenth."""

    gross: Money
    withheld: Money
    percentage: Decimal | None


@dataclasses.dataclass(frozen=True)
class BillLine:
    """One line of either list. amount: Money, what counts, after `withholding`; quantity, unit_price: of
    inventory lines, else None; their product may differ from `amount`, the price being rounded."""

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
        return self.quantity is not None or self.unit_price is not None


@dataclasses.dataclass(frozen=True)
class BillVendor:
    """remote_id: our own id of the accounting vendor the vendor is linked to."""

    id: str
    name: str | None
    type: str | None
    remote_id: str | None
    remote_code: str | None
    remote_name: str | None


@dataclasses.dataclass(frozen=True)
class CardPaymentDetails:
    """transaction_ids: the card transactions that paid the bill; none while they are not known."""

    fund_id: str | None
    transaction_ids: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ManualPaymentDetails:
    """manual_payment_method: None until the bill is marked as paid."""

    manual_payment_method: str | None


@dataclasses.dataclass(frozen=True)
class VendorPaymentDetails:
    approval_status: str | None
    is_same_day: bool
    source_bank_account_id: str | None
    vendor_account_id: str | None


@dataclasses.dataclass(frozen=True)
class BillPayment:
    """amount: Money in the invoice's currency or in that of whoever pays; id and
    customer_friendly_payment_id: the same for all bills of a batch; trace_descriptor, trace_id: detail only."""

    amount: Money
    id: str | None
    customer_friendly_payment_id: str | None
    payment_method: str | None
    payment_date: datetime.datetime | None
    effective_date: datetime.datetime | None
    details: CardPaymentDetails | ManualPaymentDetails | VendorPaymentDetails | None
    trace_descriptor: str | None
    trace_id: str | None


@dataclasses.dataclass(frozen=True)
class AppliedCredit:
    """A part of the vendor credit `id`, used for this bill."""

    id: str
    amount: Money


@dataclasses.dataclass(frozen=True)
class Bill:
    """An invoice of a vendor. `amount` is exactly the sum of `lines`: line_items, then inventory_line_items.

    selections: of the bill as a whole; its lines have them too, where they have none of
    the field; payment: the first that is
    not a vendor credit, BillPayment | None; fx_conversion_rate: Decimal, from the currency of the invoice to
    that of whoever pays; enable_accounting_sync: False only if Ramp says so; status_summary, sync_status,
    approval_status: None if Ramp did not say; invoice_urls: pre-signed, secrets as long as they work.
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


@dataclasses.dataclass(frozen=True)
class CreditLine:
    """One line of either list; quantity, unit_price: of inventory lines, else None."""

    amount: Money
    memo: str | None
    selections: tuple[Selection, ...]
    quantity: Decimal | None
    unit_price: Money | None

    @property
    def is_inventory(self):
        return self.quantity is not None or self.unit_price is not None


@dataclasses.dataclass(frozen=True)
class CreditUse:
    """What of a credit went to a bill. is_draft: bool, the bill is a draft's."""

    bill_id: str
    amount: Money
    is_draft: bool


@dataclasses.dataclass(frozen=True)
class VendorCredit:
    """What a vendor owes back. `total` is exactly the sum of `lines` (expense_line_items, then
    inventory_line_items), `applied` that of `uses`, `remaining` their difference."""

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


@dataclasses.dataclass(frozen=True)
class ReimbursementLine:
    """amount: Money in the currency of `Reimbursement.amount`; original_amount: as the person spent it. Both
    may be None, but only while the reimbursement itself has no amount."""

    amount: Money | None
    original_amount: Money | None
    memo: str | None
    selections: tuple[Selection, ...]


@dataclasses.dataclass(frozen=True)
class Reimbursement:
    """What a person spent for the business, or owes it: `direction` says which, amounts are never negative.

    amount: Money | None, what the entity pays (or gets), exactly the sum of `lines`; None only in
    REIMBURSEMENT_IDLE_STATES; original_amount: Money | None, as submitted; payee_amount: Money | None, what
    the person receives; distance: Decimal | None, miles; attendees: pairs (name, id of the user or None);
    payment_id: any text; payment_batch_id: uuid; trace_descriptor, trace_id: detail only.
    """

    id: str
    direction: str
    type: str
    state: str
    sync_status: str | None
    amount: Money | None
    original_amount: Money | None
    payee_amount: Money | None
    lines: tuple[ReimbursementLine, ...]
    selections: tuple[Selection, ...]
    user_id: str
    user_email: str | None
    user_full_name: str | None
    employee_id: str | None
    entity_id: str | None
    memo: str | None
    merchant: str | None
    merchant_id: str | None
    transaction_date: datetime.date | None
    accounting_date: datetime.datetime | None
    created_at: datetime.datetime | None
    submitted_at: datetime.datetime | None
    approved_at: datetime.datetime | None
    synced_at: datetime.datetime | None
    updated_at: datetime.datetime | None
    payment_id: str | None
    payment_batch_id: str | None
    payment_processed_at: datetime.datetime | None
    trace_descriptor: str | None
    trace_id: str | None
    receipts: tuple[str, ...]
    attendees: tuple[tuple[str | None, str | None], ...]
    distance: Decimal | None
    start_location: str | None
    end_location: str | None
    waypoints: tuple[str, ...]
    fund_id: str | None
    trip_id: str | None


@dataclasses.dataclass(frozen=True)
class Repayment:
    """Cash a person pays back on a card transaction. amount: Money | None, never None if REPAID;
    original_transaction_id, user_id: Ramp declares them as any text."""

    id: str
    status: str
    amount: Money | None
    repaid_at: datetime.datetime | None
    funding_method: str | None
    original_transaction_id: str | None
    user_id: str | None
    entity_id: str | None


# What several of them have


def _uuids(reader, key):
    return tuple(_uuid(value, path) for value, path in reader.items(key))


def _texts(reader, key):
    found = tuple(reader.items(key))
    for value, path in found:
        if not isinstance(value, str):
            raise PayloadError(path, "expected a text, Ramp sent something else")
    return tuple(value for value, _path in found)


def _readers(reader, key):
    return [_Reader(value, path) for value, path in reader.items(key)]


def _day(reader, key):
    text = reader.text(key)
    try:
        if text is not None and not _DAY.fullmatch(text):
            raise ValueError("is not a day such as 2026-01-31")
        return text and datetime.date.fromisoformat(text)
    except ValueError:
        raise PayloadError(reader.at(key), "Ramp sent something that is not a day such as 2026-01-31") from None


def _decimal(reader, key):
    """Decimal from a number or a text such as "1.0873"; a float by its shortest notation."""
    value = reader.get(key, (str, int, float, Decimal), "a decimal number")
    if value is None or value == '':
        return None
    if isinstance(value, str):
        known = bool(_DECIMAL.fullmatch(value))
    else:
        known = (not isinstance(value, Decimal) or value.is_finite()) and abs(value) < 10**30
    if not known:
        raise PayloadError(reader.at(key), "Ramp sent something that is not a decimal number")
    return Decimal(str(value))


def _amount(reader, key, currency, what):
    """The required CurrencyAmount under `key` of a part of `what`, which is in `currency`."""
    money = reader.minor(key)
    if money is None:
        raise PayloadError(reader.at(key), f"Ramp sent no amount; without it {what} cannot be booked")
    if currency is not None and money.currency != currency:
        raise PayloadError(reader.at(key), f"is in {money.currency}, but {what} is in {currency}")
    return money


def _unsigned(reader, key, amount='amount', currency='currency_code'):
    money = reader.minor(key, amount, currency)
    if money is not None and money.minor < 0:
        raise PayloadError(
            reader.at(key), f"{money} is negative, which Ramp excludes; it is not booked until this is explained"
        )
    return money


def _add_up(field, amounts, whole, what):
    total = sum(amounts, Money(0, whole.currency))
    if total != whole:
        raise PayloadError(
            field, f"the lines add up to {total}, but {what} is {whole}; correct it in Ramp"
        )


def _stock(reader, currency, what):
    """quantity and unit_price of an inventory line. Bills before 2026 and credits call it unit_quantity."""
    price = reader.minor('unit_price')
    if price is not None:
        price = _amount(reader, 'unit_price', currency, what)
    quantity = _decimal(reader, 'quantity')
    return _decimal(reader, 'unit_quantity') if quantity is None else quantity, price


def _coding(readers, whole):
    """The selections of each line: its own; those of the whole for a single line that has none."""
    coded = [_selections(reader) for reader in readers]
    return [whole] if len(coded) == 1 and not coded[0] else coded


# Vendors


def read_vendor(payload):
    """Vendor from an object of GET /vendors or /vendors/{id} (dict). Raises PayloadError."""
    reader = _Reader(payload)
    return Vendor(
        id=reader.uuid('id', required=True),
        name=reader.text('name', required=True),
        name_legal=reader.text('name_legal'),
        vendor_type=reader.choice('vendor_type', VENDOR_TYPES),
        is_active=reader.get('is_active', bool, "true or false", required=True),
        approval_status=reader.choice('approval_status', VENDOR_APPROVAL_STATUSES),
        external_vendor_id=reader.text('external_vendor_id'),
        accounting_vendor_remote_id=reader.text('accounting_vendor_remote_id'),
        country=reader.text('country'),
        state=reader.text('state'),
        address=_address(reader.object('address')),
        addresses=tuple(_address(item, listed=True) for item in _readers(reader, 'addresses')),
        tax_address=_address(reader.object('tax_address')),
        federal_tax_classification=reader.choice('federal_tax_classification', TAX_CLASSIFICATIONS),
        description=reader.text('description'),
        contacts=_uuids(reader, 'contacts'),
        custom_fields=_custom_fields(reader),
        subsidiary=_texts(reader, 'subsidiary'),
        default_entity_id=reader.uuid('default_entity_id'),
        merchant_id=reader.uuid('merchant_id'),
        parent_vendor_id=reader.uuid('parent_vendor_id'),
        vendor_owner_id=reader.uuid('vendor_owner_id'),
        created_at=reader.moment('created_at'),
    )


def _address(reader, listed=False):
    """Address | None: Ramp leaves out the one there is not, or sends null or an empty object."""
    if not reader.values and not listed:
        return None
    return Address(
        address_line_1=reader.text('address_line_1'),
        address_line_2=reader.text('address_line_2'),
        city=reader.text('city'),
        state=reader.text('state'),
        postal_code=reader.text('postal_code'),
        country=reader.text('country'),
        id=reader.uuid('id', required=listed),
        is_default=reader.flag('is_default'),
    )


def _custom_fields(reader):
    """Only the texts: Ramp has no field for a tax number, so that businesses keep it there."""
    found = []
    for item in _readers(reader, 'custom_record_fields'):
        value = item.object('value')
        if value.text('type') == 'text':
            name, text = item.text('column_display_name'), value.text('value')
            if name is not None and text is not None:
                found.append((name, text))
    return tuple(found)


def read_vendor_contact(payload):
    """VendorContact from an object of GET /vendors/{id}/contacts (dict). Raises PayloadError."""
    return _contact(_Reader(payload))


def _contact(reader):
    return VendorContact(
        id=reader.uuid('id', required=True),
        email=reader.text('email'),
        first_name=reader.text('first_name'),
        last_name=reader.text('last_name'),
        phone=reader.text('phone'),
        is_default=reader.flag('is_default'),
    )


def read_vendor_detail(payload):
    """VendorDetail from an object of GET /vendors/{id} to which the objects of GET /vendors/{id}/contacts were
    added as the list `contacts_detail` (dict). Raises PayloadError."""
    vendor, reader = read_vendor(payload), _Reader(payload)
    told = reader.get('contacts_detail', list, "a list") is not None
    contacts = tuple(_contact(item) for item in _readers(reader, 'contacts_detail'))
    return VendorDetail(vendor, contacts if told else None)


# Bills


def read_bill(payload, with_payment=True):
    """Bill from an object of GET /bills or /bills/{id} (dict). Raises PayloadError.

    with_payment: bool, False leaves `payment` unread (None): a payment that nobody understands says nothing
    against the bill.
    """
    reader = _Reader(payload)
    ramp_id = reader.uuid('id', required=True)
    amount = _amount(reader, 'amount', None, "the bill")
    owner = reader.object('bill_owner')
    selections = _selections(reader)
    return Bill(
        id=ramp_id,
        amount=amount,
        status=reader.choice('status', BILL_STATUSES, required=True),
        status_summary=reader.choice('status_summary', BILL_STATUS_SUMMARIES),
        approval_status=reader.choice('approval_status', APPROVAL_STATUSES),
        sync_status=reader.choice('sync_status', BILL_SYNC_STATUSES),
        enable_accounting_sync=reader.get('enable_accounting_sync', bool, "true or false") is not False,
        vendor=_bill_vendor(reader.object('vendor')),
        vendor_contact_id=reader.uuid('vendor_contact_id'),
        entity_id=reader.uuid('entity_id'),
        invoice_number=reader.text('invoice_number'),
        remote_id=reader.text('remote_id'),
        memo=reader.text('memo'),
        vendor_memo=reader.text('vendor_memo'),
        issued_at=reader.moment('issued_at'),
        due_at=reader.moment('due_at'),
        accounting_date=reader.moment('accounting_date'),
        posting_date=reader.moment('posting_date'),
        paid_at=reader.moment('paid_at'),
        created_at=reader.moment('created_at'),
        archived_at=reader.moment('archived_at'),
        fx_conversion_rate=_rate(reader),
        selections=selections,
        lines=_bill_lines(reader, amount, selections),
        payment=_payment(reader) if with_payment else None,
        applied_vendor_credits=tuple(
            AppliedCredit(item.uuid('id', required=True), _amount(item, 'amount', None, "the credit"))
            for item in _readers(reader, 'applied_vendor_credits')
        ),
        purchase_order_id=reader.uuid('purchase_order_id'),
        item_receipt_ids=_uuids(reader, 'item_receipt_ids'),
        draft_bill_id=reader.uuid('draft_bill_id'),
        draft_bill_created_at=reader.moment('draft_bill_created_at'),
        is_withholding_release=reader.flag('is_withholding_release'),
        bill_owner_id=owner.uuid('id'),
        bill_owner_name=' '.join(filter(None, (owner.text('first_name'), owner.text('last_name')))) or None,
        deep_link_url=reader.text('deep_link_url'),
        invoice_urls=_texts(reader, 'invoice_urls'),
    )


def read_invoice_urls(payload):
    """The pre-signed links (tuple of str) of an object of GET /bills/{id}, whatever else is in it. Raises PayloadError.

    They are secrets as long as they work.
    """
    return _texts(_Reader(payload), 'invoice_urls')


def scrub_bill(payload):
    """A payload of a bill as it may be stored and shown: of each of its links only scheme and host are left.

    payload: of any type, however malformed; it is not changed itself. `read_bill` reads the result as it reads the original.
    """
    if not isinstance(payload, dict) or 'invoice_urls' not in payload:
        return payload
    links = payload['invoice_urls']
    return {**payload, 'invoice_urls': [_host(link) for link in links] if isinstance(links, list) else _host(links)}


def _host(link):
    """A link without what makes it a key; of something else only what it is not: a link."""
    if isinstance(link, (dict, list)):
        return type(link)()
    if not isinstance(link, str):
        return link
    try:
        parts = urlsplit(link)
        return f'{parts.scheme}://{parts.hostname}' if parts.scheme in ('http', 'https') and parts.hostname else '(link)'
    except ValueError:
        return '(link)'


def _bill_vendor(reader):
    return BillVendor(
        id=reader.uuid('id', required=True),
        name=reader.text('name'),
        type=reader.choice('type', VENDOR_TYPES),
        remote_id=reader.text('remote_id'),
        remote_code=reader.text('remote_code'),
        remote_name=reader.text('remote_name'),
    )


def _rate(reader):
    rate = _decimal(reader, 'fx_conversion_rate')
    if rate is not None and rate <= 0:
        raise PayloadError(
            reader.at('fx_conversion_rate'), f"{rate} is not a rate; it is not booked until this is explained"
        )
    return rate


def _bill_coding(readers, whole):
    """The selections of each line: its own, and those of the whole in the fields of which it has none."""
    coded = []
    for own in map(_selections, readers):
        known = {_field(selection) for selection in own}
        coded.append(own + tuple(selection for selection in whole if _field(selection) not in known))
    return coded


def _field(selection):
    """Which field of accounting a selection is of; custom fields share one type."""
    return selection.type, selection.category_external_id if selection.type == 'OTHER' else None


def _bill_lines(reader, whole, selections):
    stock = _readers(reader, 'inventory_line_items')
    readers = _readers(reader, 'line_items') + stock
    amounts = [_amount(item, 'amount', whole.currency, "the bill") for item in readers]
    withheld = [_withholding(item, amount) for item, amount in zip(readers, amounts)]
    _add_up('line_items', amounts, whole, "the bill")
    lines = []
    for item, amount, coding, withholding in zip(readers, amounts, _bill_coding(readers, selections), withheld):
        quantity, price = _stock(item, whole.currency, "the bill") if item in stock else (None, None)
        lines.append(
            BillLine(
                amount=amount,
                memo=item.text('memo'),
                selections=coding,
                quantity=quantity,
                unit_price=price,
                purchase_order_line_item_id=item.uuid('purchase_order_line_item_id'),
                item_receipt_line_item_ids=_uuids(item, 'item_receipt_line_item_ids'),
                withholding=withholding,
            )
        )
    return tuple(lines)


def _withholding(line, amount):
    """Ramp calls `gross_amount` the one before withholding and nowhere says that a line's `amount` is the one
    after it: where the figures do not show that, what the bill is over is a guess, and it is not made."""
    if line.values.get('withholding_line_item') is None:
        return None
    reader = line.object('withholding_line_item')
    gross = _unsigned(reader, 'gross_amount', 'value', 'currency')
    withheld = _unsigned(reader, 'withholding_amount', 'value', 'currency')
    for key, money in (('gross_amount', gross), ('withholding_amount', withheld)):
        if money is None:
            raise PayloadError(reader.at(key), "Ramp sent no amount; the line cannot be checked")
        if money.currency != amount.currency:
            raise PayloadError(reader.at(key), f"is in {money.currency}, but the line is in {amount.currency}")
    if gross - withheld != amount:
        raise PayloadError(
            reader.path,
            f"{gross} less {withheld} withheld is not the line's amount, which is {amount}; "
            "it is not booked until this is explained",
        )
    return Withholding(gross, withheld, _decimal(reader, 'withholding_percentage'))


def _payment(bill):
    if bill.values.get('payment') is None:
        return None
    reader = bill.object('payment')
    trace = reader.object('trace_id')
    payment_method = reader.choice('payment_method', PAYMENT_METHODS)
    return BillPayment(
        amount=_amount(reader, 'amount', None, "the payment"),
        id=reader.text('id'),
        customer_friendly_payment_id=reader.text('customer_friendly_payment_id'),
        payment_method=payment_method,
        payment_date=reader.moment('payment_date'),
        effective_date=reader.moment('effective_date'),
        details=_details(reader.object('details'), payment_method),
        trace_descriptor=trace.text('descriptor'),
        trace_id=trace.text('trace_id'),
    )


def _card_details(reader):
    fund_id = reader.uuid('fund_id') or reader.uuid('spend_limit_id')  # the latter is its former name
    return CardPaymentDetails(fund_id, _uuids(reader, 'transaction_ids'))


def _manual_details(reader):
    return ManualPaymentDetails(reader.choice('manual_payment_method', MANUAL_PAYMENT_METHODS))


def _vendor_details(reader):
    return VendorPaymentDetails(
        approval_status=reader.choice('approval_status', APPROVAL_STATUSES),
        is_same_day=reader.flag('is_same_day'),
        source_bank_account_id=reader.uuid('source_bank_account_id'),
        vendor_account_id=reader.uuid('vendor_account_id'),
    )


_DETAILS = {
    'CardPaymentDetailsSchema': _card_details,
    'ManualPaymentDetailsSchema': _manual_details,
    'VendorPaymentDetailsSchema': _vendor_details,
}


def _details(reader, payment_method):
    """By `schema_type`, else by the payment method; None if there are none (as in examples of the specification)."""
    if not reader.values:
        return None
    told_by_method = None
    if payment_method in CARD_PAYMENT_METHODS:
        told_by_method = 'CardPaymentDetailsSchema'
    elif payment_method:
        told_by_method = 'ManualPaymentDetailsSchema' if payment_method == 'PAID_MANUALLY' else 'VendorPaymentDetailsSchema'
    schema = reader.choice('schema_type', frozenset(_DETAILS), required=not told_by_method) or told_by_method
    return _DETAILS[schema](reader)


# Vendor credits


def read_vendor_credit(payload):
    """VendorCredit from an object of GET /vendors/credits or /vendors/credits/{id} (dict). Raises
    PayloadError."""
    reader = _Reader(payload)
    ramp_id = reader.uuid('id', required=True)
    total = _amount(reader, 'total_amount', None, "the credit")
    applied = _amount(reader, 'total_applied_amount', total.currency, "the credit")
    remaining = _amount(reader, 'remaining_amount', total.currency, "the credit")
    if total - applied != remaining:
        raise PayloadError(
            'remaining_amount',
            f"{remaining} is not {total} less the {applied} applied; it is not booked until this is explained",
        )
    selections = _selections(reader)
    return VendorCredit(
        id=ramp_id,
        vendor_id=reader.uuid('vendor_id', required=True),
        entity_id=reader.uuid('entity_id'),
        reference_number=reader.text('reference_number'),
        reference_bill_id=reader.uuid('reference_bill_id'),
        accounting_date=_day(reader, 'accounting_date'),
        created_at=reader.moment('created_at'),
        total=total,
        applied=applied,
        remaining=remaining,
        selections=selections,
        lines=_credit_lines(reader, total, selections),
        uses=_credit_uses(reader, applied),
    )


def _credit_lines(reader, whole, selections):
    stock = _readers(reader, 'inventory_line_items')
    readers = _readers(reader, 'expense_line_items') + stock
    amounts = [_amount(item, 'amount', whole.currency, "the credit") for item in readers]
    _add_up('expense_line_items', amounts, whole, "the credit")
    lines = []
    for item, amount, coding in zip(readers, amounts, _coding(readers, selections)):
        quantity, price = _stock(item, whole.currency, "the credit") if item in stock else (None, None)
        lines.append(CreditLine(amount, item.text('memo'), coding, quantity, price))
    return tuple(lines)


def _credit_uses(reader, applied):
    uses = tuple(
        CreditUse(
            bill_id=item.uuid('bill_id', required=True),
            amount=_amount(item, 'amount', applied.currency, "the credit"),
            is_draft=key == 'applied_draft_bills',
        )
        for key in ('applied_bills', 'applied_draft_bills')
        for item in _readers(reader, key)
    )
    total = sum((use.amount for use in uses), Money(0, applied.currency))
    if total != applied:
        raise PayloadError(
            'applied_bills',
            f"{total} went to bills, but total_applied_amount is {applied}; "
            "it is not booked until this is explained",
        )
    return uses


# Reimbursements


def read_reimbursement(payload):
    """Reimbursement from an object of GET /reimbursements or /reimbursements/{id} (dict). Raises
    PayloadError."""
    reader = _Reader(payload)
    ramp_id = reader.uuid('id', required=True)
    state = reader.choice('state', REIMBURSEMENT_STATES, required=True)
    amount = _entity_amount(reader, state)
    original = _submitted_amount(reader, amount)
    trace = reader.object('trace_id')
    selections = _selections(reader)
    return Reimbursement(
        id=ramp_id,
        direction=reader.choice('direction', REIMBURSEMENT_DIRECTIONS, required=True),
        type=reader.choice('type', REIMBURSEMENT_TYPES, required=True),
        state=state,
        sync_status=reader.choice('sync_status', SYNC_STATUSES),
        amount=amount,
        original_amount=original,
        payee_amount=_unsigned(reader, 'payee_amount'),
        lines=_reimbursement_lines(reader, amount, original, selections),
        selections=selections,
        user_id=reader.uuid('user_id', required=True),
        user_email=reader.text('user_email'),
        user_full_name=reader.text('user_full_name'),
        employee_id=reader.text('employee_id'),
        entity_id=reader.uuid('entity_id'),
        memo=reader.text('memo'),
        merchant=reader.text('merchant'),
        merchant_id=reader.uuid('merchant_id'),
        transaction_date=_day(reader, 'transaction_date'),
        accounting_date=reader.moment('accounting_date'),
        created_at=reader.moment('created_at'),
        submitted_at=reader.moment('submitted_at'),
        approved_at=reader.moment('approved_at'),
        synced_at=reader.moment('synced_at'),
        updated_at=reader.moment('updated_at'),
        payment_id=reader.text('payment_id'),
        payment_batch_id=reader.uuid('payment_batch_id'),
        payment_processed_at=reader.moment('payment_processed_at'),
        trace_descriptor=trace.text('descriptor'),
        trace_id=trace.text('trace_id'),
        receipts=_uuids(reader, 'receipts'),
        attendees=tuple(
            (item.text('name'), item.uuid('user_id')) for item in _readers(reader, 'attendees')
        ),
        distance=_decimal(reader, 'distance'),
        start_location=reader.text('start_location'),
        end_location=reader.text('end_location'),
        waypoints=_texts(reader, 'waypoints'),
        fund_id=reader.uuid('fund_id') or reader.uuid('spend_limit_id'),  # the latter is its former name
        trip_id=reader.uuid('trip_id'),
    )


def _entity_amount(reader, state):
    """`entity_amount` replaces `amount`, in *major* units of `currency` (which is not called currency_code)."""
    new = _unsigned(reader, 'entity_amount', 'value', 'currency')
    major = reader.get('amount', (int, float, Decimal), "a number")
    if major is None:
        if new is None and state not in REIMBURSEMENT_IDLE_STATES:
            raise PayloadError(
                'entity_amount', "Ramp sent neither entity_amount nor amount; there is nothing to book"
            )
        return new
    old = _money('amount', Money.from_major, major, reader.text('currency', required=True))
    if old.minor < 0:
        raise PayloadError('amount', f"{old} is negative, but the direction tells who owes whom")
    if new is not None and new != old:
        raise PayloadError(
            'entity_amount', f"{new} contradicts amount, which is {old}; ask Ramp which one is right"
        )
    return old


def _submitted_amount(reader, amount):
    old = _unsigned(reader, 'original_reimbursement_amount')
    new = _unsigned(reader, 'merchant_amount', 'value', 'currency')
    if old is not None and new is not None and old != new:
        raise PayloadError(
            'merchant_amount',
            f"{new} contradicts original_reimbursement_amount, which is {old}; ask Ramp which one is right",
        )
    found = old if new is None else new
    if found and amount and found.currency == amount.currency and found != amount:
        raise PayloadError(
            'original_reimbursement_amount' if new is None else 'merchant_amount',
            f"{found} was submitted, but {amount} is paid, and nothing was converted; correct it in Ramp",
        )
    return found


def _reimbursement_lines(reader, amount, original, selections):
    """The lines are in the currency of what was submitted; a missing one stands for the whole."""
    readers = _readers(reader, 'line_items')
    own = [item.minor('amount') for item in readers]
    if amount is None:
        shares = [None] * len(own)
    elif len(own) < 2 and own in ([], [None]):
        own, shares = [original or amount], [amount]
    else:
        shares = _line_shares(readers, own, amount, original)
    if not readers:
        return tuple(
            ReimbursementLine(share, given, reader.text('memo'), selections)
            for share, given in zip(shares, own)
        )
    return tuple(
        ReimbursementLine(share, given, item.text('memo'), coding)
        for share, given, item, coding in zip(shares, own, readers, _coding(readers, selections))
    )


def _line_shares(readers, own, amount, original):
    """What each line is in the currency the entity pays in."""
    for item, money in zip(readers, own):
        if money is None:
            raise PayloadError(item.at('amount'), "the line has no amount; correct the split in Ramp")
        if money.currency != own[0].currency:
            raise PayloadError(
                'line_items',
                f"the lines mix {' and '.join(sorted({own[0].currency, money.currency}))}; "
                "they cannot be added up",
            )
    currency = own[0].currency
    if currency == amount.currency:
        _add_up('line_items', own, amount, "the reimbursement")
        return own
    if original is not None:
        if original.currency != currency:
            raise PayloadError(
                'line_items', f"the lines are in {currency}, but {original} was submitted; correct it in Ramp"
            )
        _add_up('line_items', own, original, "what was submitted")
    shares = _money('line_items', allocate, amount.minor, [money.minor for money in own])
    return [Money(share, amount.currency) for share in shares]


def read_repayment(payload):
    """Repayment from an object of GET /repayments (dict). Raises PayloadError."""
    reader = _Reader(payload)
    ramp_id = reader.uuid('id', required=True)
    status = reader.choice('status', REPAYMENT_STATUSES, required=True)
    amount = reader.minor('repayment_amount')
    if amount is None and status == 'REPAID':
        raise PayloadError('repayment_amount', "Ramp sent no amount, yet it is repaid; there is nothing to book")
    return Repayment(
        id=ramp_id,
        status=status,
        amount=amount,
        repaid_at=reader.moment('repaid_at'),
        funding_method=reader.text('funding_method'),
        original_transaction_id=reader.text('original_transaction_id'),
        user_id=reader.text('user_id'),
        entity_id=reader.uuid('entity_id'),
    )
