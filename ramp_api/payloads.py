# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Payloads of Ramp as value objects: checked once, here, so that the flows can trust what they book.

Whatever is malformed, unknown or does not add up raises PayloadError. Unknown *keys* are ignored: Ramp adds
some often.
Schemas: Transaction, ApiTransactionLineItem, ApiTransactionAccountingFieldSelection, ApiEntityResource, Receipt,
AccountingProvider; and `entity_amount`/`merchant_amount` of the transaction, from specifications
after 2026-08.
"""

import contextlib
import dataclasses
import datetime
import re
from decimal import Decimal

from .dates import parse_utc
from .money import Money, MoneyError, allocate, exponent

TRANSACTION_STATES = frozenset(
    {'CLEARED', 'COMPLETION', 'DECLINED', 'ERROR', 'PENDING', 'PENDING_INITIATION'}
)
SYNC_STATUSES = frozenset({'NOT_SYNC_READY', 'SYNCED', 'SYNC_READY'})
PROVIDER_STATUSES = frozenset({'failed_to_auth', 'linked', 'revoked', 'unlinked'})
CONNECTION_TYPES = frozenset({'API', 'CSV', 'DIRECT'})

_UUID = re.compile(r'[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}')


class PayloadError(ValueError):
    """A payload that must not be booked. field: str, where; message: str, what is wrong and what to do."""

    def __init__(self, field, message):
        super().__init__(field, message)
        self.field = field
        self.message = message

    def __str__(self):
        return f"{self.field}: {self.message}"


@dataclasses.dataclass(frozen=True)
class Selection:
    """One coding. type: str, upper case (GL_ACCOUNT, OTHER, ...); external_id: our own id of the option, else
    None; category_external_id: our own id of the field the option belongs to; id: Ramp's id of the option."""

    type: str
    external_id: str | None
    external_code: str | None
    name: str | None
    id: str | None
    category_external_id: str | None


@dataclasses.dataclass(frozen=True)
class TransactionLine:
    """amount: Money in the settlement currency, negative for refunds."""

    amount: Money
    memo: str | None
    selections: tuple[Selection, ...]


@dataclasses.dataclass(frozen=True)
class Transaction:
    """A card transaction. `amount` is the settled amount, negative for refunds, and exactly the sum of
    `lines`.

    original_amount: Money | None, what the merchant charged, in the merchant's currency, with the sign of
    `amount`; sync_status: str | None (None: Ramp did not say, so it is not known to be ready); moments are
    aware, in UTC; all ids are lower-case uuids except original_transaction_id, which Ramp declares as any
    text. card_holder_short_name has the initial of the first name only; category_name is Ramp's own, and
    category_code_description that of the card network; attendees are names.
    """

    id: str
    amount: Money
    original_amount: Money | None
    state: str
    sync_status: str | None
    synced_at: datetime.datetime | None
    user_transaction_time: datetime.datetime | None
    settlement_date: datetime.datetime | None
    accounting_date: datetime.datetime | None
    user_id: str | None
    card_holder_name: str | None
    card_holder_employee_id: str | None
    card_id: str | None
    entity_id: str | None
    statement_id: str | None
    merchant_id: str | None
    merchant_name: str | None
    merchant_descriptor: str | None
    memo: str | None
    original_transaction_id: str | None
    receipts: tuple[str, ...]
    lines: tuple[TransactionLine, ...]
    card_holder_short_name: str | None
    category_name: str | None
    category_code_description: str | None
    trip_name: str | None
    attendees: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class BankAccount:
    """A bank account that an entity pays from; last_four: the last digits of its number."""

    id: str
    name: str | None
    last_four: str | None


@dataclasses.dataclass(frozen=True)
class Entity:
    """subsidiary_external_id: our own id of the subsidiary the entity is mapped to in Ramp."""

    id: str
    name: str | None
    currency: str | None
    is_primary: bool
    subsidiary_external_id: str | None
    payment_accounts: tuple[BankAccount, ...]


@dataclasses.dataclass(frozen=True)
class Receipt:
    """receipt_url: pre-signed, valid about an hour, a secret as long as it works."""

    id: str
    transaction_id: str | None
    reimbursement_id: str | None
    receipt_url: str = dataclasses.field(repr=False)
    created_at: datetime.datetime | None


@dataclasses.dataclass(frozen=True)
class AccountingProvider:
    """status: lower case (the schema's case; examples have the upper one); deprecated by Ramp, so it may be
    None. settings: {name: bool}, empty where Ramp tells none (it has none of connections that are not of the API)."""

    id: str
    remote_provider_name: str | None
    is_active: bool
    status: str | None
    connection_type: str
    settings: dict


@dataclasses.dataclass(frozen=True)
class Business:
    """The business that a token belongs to. name: to be shown only, businesses are told apart by their id."""

    id: str
    name: str


class _Reader:
    """Typed access to one JSON object. Each method returns None for a missing, null or (text) empty value,
    unless `required`; and raises PayloadError naming the full path of the field."""

    def __init__(self, values, path=''):
        if not isinstance(values, dict):
            raise PayloadError(path or 'payload', f"expected an object, Ramp sent {_kind(values)}")
        self.values = values
        self.path = path

    def at(self, key):
        return f"{self.path}.{key}" if self.path else key

    def get(self, key, kind, label, required=False):
        value = self.values.get(key)
        if value is None or (value == '' and kind is str):
            if required:
                raise PayloadError(self.at(key), f"Ramp sent no value; {label} is required")
            return None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise PayloadError(self.at(key), f"expected {label}, Ramp sent {_kind(value)}")
        return value

    def text(self, key, required=False):
        return self.get(key, str, "a text", required)

    def flag(self, key):
        return bool(self.get(key, bool, "true or false"))

    def uuid(self, key, required=False):
        value = self.get(key, str, "an id (uuid)", required)
        return value if value is None else _uuid(value, self.at(key))

    def choice(self, key, allowed, required=False, normalise=str):
        value = self.text(key, required)
        if value is not None and normalise(value) not in allowed:
            raise PayloadError(
                self.at(key),
                f"{value!r} is not known to this version of the connector "
                f"(known: {', '.join(sorted(allowed))}); update it before booking this",
            )
        return value if value is None else normalise(value)

    def moment(self, key, required=False):
        value = self.text(key, required)
        try:
            return value if value is None else parse_utc(value)
        except ValueError as error:
            raise PayloadError(self.at(key), str(error)) from None

    def object(self, key):
        """A _Reader of the object under `key`, of an empty one if there is none."""
        return _Reader(self.get(key, dict, "an object") or {}, self.at(key))

    def items(self, key):
        """The list under `key` as pairs (value, path)."""
        return [
            (value, f"{self.at(key)}[{i}]") for i, value in enumerate(self.get(key, list, "a list") or [])
        ]

    def minor(self, key, amount='amount', currency='currency_code', rate=None):
        """Money from an object of minor units under `key`: CurrencyAmount, or ApiSignedAmount with the other
        names."""
        if self.values.get(key) is None:
            return None
        reader = self.object(key)
        value = reader.get(amount, int, "a whole number of minor units", required=True)
        code = reader.text(currency, required=True)
        own_rate = reader.get('minor_unit_conversion_rate', int, "a whole number")
        with_rate = rate if own_rate is None else own_rate
        return _money(reader.path, Money.from_minor, value, code, with_rate)


def _kind(value):
    # Only the type: a value in an error message would be payload data in a log.
    names = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), "nothing" if value is None else type(value).__name__)


def _money(field, build, *args):
    try:
        return build(*args)
    except MoneyError as error:
        raise PayloadError(field, f"{error}; it is not booked until this is explained") from None


def _uuid(value, path):
    if not isinstance(value, str) or not _UUID.fullmatch(value.lower()):
        raise PayloadError(path, "Ramp sent something that is not an id (uuid)")
    return value.lower()


def read_transaction(payload):
    """Transaction from an object of GET /transactions or /transactions/{id} (dict). Raises PayloadError."""
    reader = _Reader(payload)
    ramp_id = reader.uuid('id', required=True)
    amount = _settled_amount(reader)
    holder = reader.object('card_holder')
    first, last = holder.text('first_name'), holder.text('last_name')
    return Transaction(
        id=ramp_id,
        amount=amount,
        original_amount=_original_amount(reader, amount),
        state=reader.choice('state', TRANSACTION_STATES, required=True),
        sync_status=reader.choice('sync_status', SYNC_STATUSES),
        synced_at=reader.moment('synced_at'),
        user_transaction_time=reader.moment('user_transaction_time'),
        settlement_date=reader.moment('settlement_date'),
        accounting_date=reader.moment('accounting_date'),
        user_id=holder.uuid('user_id'),
        card_holder_name=' '.join(filter(None, (first, last))) or None,
        card_holder_short_name=f'{first[0]}. {last}' if first and last else first or last,
        card_holder_employee_id=holder.text('employee_id'),
        card_id=reader.uuid('card_id'),
        entity_id=reader.uuid('entity_id'),
        statement_id=reader.uuid('statement_id'),
        merchant_id=reader.uuid('merchant_id'),
        merchant_name=reader.text('merchant_name'),
        merchant_descriptor=reader.text('merchant_descriptor'),
        memo=reader.text('memo'),
        original_transaction_id=reader.text('original_transaction_id'),
        category_name=reader.text('sk_category_name'),
        category_code_description=reader.text('merchant_category_code_description'),
        trip_name=reader.text('trip_name'),
        attendees=tuple(
            filter(None, (_Reader(value, path).text('name') for value, path in reader.items('attendees')))
        ),
        receipts=tuple(_uuid(value, path) for value, path in reader.items('receipts')),
        lines=_lines(reader, amount),
    )


def _settled_amount(reader):
    """`amount` is a float in *major* units of `currency_code`; newer specifications replace it by
    `entity_amount`."""
    rate = reader.get('minor_unit_conversion_rate', int, "a whole number")
    new = reader.minor('entity_amount', 'value', 'currency', rate)
    major = reader.get('amount', (int, float, Decimal), "a number")
    if major is None:
        if new is None:
            raise PayloadError(
                'amount', "Ramp sent neither amount nor entity_amount; there is nothing to book"
            )
        return new
    currency = reader.text('currency_code', required=True)
    old = _money('amount', Money.from_major, major, currency)
    if rate is not None and rate != 10 ** exponent(currency):
        raise PayloadError(
            'minor_unit_conversion_rate',
            f"{rate} contradicts {currency}, which has {exponent(currency)} "
            "decimals; it is not booked until this is explained",
        )
    if new is not None and new != old:
        raise PayloadError(
            'entity_amount', f"{new} contradicts amount, which is {old}; ask Ramp which one is right"
        )
    return old


def _original_amount(reader, settled):
    old = reader.minor('original_transaction_amount')
    new = reader.minor('merchant_amount', 'value', 'currency')
    # Ramp documents the sign of the settled amount only: both are brought to that sign before they are
    # compared.
    old, new = (money and (-abs(money) if settled.minor < 0 else abs(money)) for money in (old, new))
    if old is not None and new is not None and old != new:
        raise PayloadError(
            'merchant_amount',
            f"{new} contradicts original_transaction_amount, which is {old}; ask Ramp which one is right",
        )
    return new if old is None else old


def _lines(reader, settled):
    selections = _selections(reader)
    lines = [_Reader(value, path) for value, path in reader.items('line_items')]
    if not lines:
        return (TransactionLine(settled, reader.text('memo'), selections),)
    amounts = _line_amounts(lines, settled, _original_amount(reader, settled))
    total = sum(amounts, Money(0, settled.currency))
    if total != settled:
        raise PayloadError(
            'line_items',
            f"the lines add up to {total}, but the transaction is {settled}; correct the split in Ramp",
        )
    coded = [_selections(line) for line in lines]
    if len(lines) == 1 and not coded[0]:
        coded = [selections]
    return tuple(
        TransactionLine(amount, line.text('memo'), coding)
        for amount, line, coding in zip(amounts, lines, coded)
    )


def _line_amounts(lines, settled, original):
    """`converted_amount` is in the settlement currency; `amount` may be in the merchant's, so its own code
    decides."""
    amounts = [line.minor('converted_amount') or line.minor('amount') for line in lines]
    for line, amount in zip(lines, amounts):
        if amount is None:
            raise PayloadError(
                line.at('converted_amount'), "the line has no amount; correct the split in Ramp"
            )
        if line.values.get('converted_amount') is not None and amount.currency != settled.currency:
            raise PayloadError(
                line.at('converted_amount'),
                f"is in {amount.currency}, but the transaction is settled in {settled.currency}",
            )
    currencies = {amount.currency for amount in amounts}
    if currencies == {settled.currency}:
        return amounts
    if len(currencies) > 1:
        raise PayloadError(
            'line_items', f"the lines mix {' and '.join(sorted(currencies))}; they cannot be added up"
        )
    # All lines in the merchant's currency only: the settled total is spread over them in their proportion.
    total = sum(amounts, Money(0, currencies.pop()))
    if original is not None and abs(total) != abs(original):
        raise PayloadError(
            'line_items',
            f"the lines add up to {total}, but the merchant charged {original}; correct the split in Ramp",
        )
    shares = _money('line_items', allocate, settled.minor, [amount.minor for amount in amounts])
    return [Money(share, settled.currency) for share in shares]


def _selections(reader):
    return tuple(
        _selection(_Reader(value, path)) for value, path in reader.items('accounting_field_selections')
    )


def _selection(reader):
    category = reader.object('category_info')
    kind = reader.text('type') or category.text('type')
    if kind is None:
        raise PayloadError(
            reader.at('type'), "the coding does not say which field it belongs to; code it again in Ramp"
        )
    return Selection(
        type=kind.upper(),  # examples of the specification have 'Subsidiary' for SUBSIDIARY
        external_id=reader.text('external_id'),
        external_code=reader.text('external_code'),
        name=reader.text('name'),
        id=reader.text('id'),
        category_external_id=category.text('external_id'),
    )


def read_entity(payload):
    """Entity from an object of GET /entities (dict). Raises PayloadError."""
    reader = _Reader(payload)
    return Entity(
        id=reader.uuid('id', required=True),
        name=reader.text('entity_name'),
        currency=reader.text('currency'),
        is_primary=reader.flag('is_primary'),
        subsidiary_external_id=reader.object('connected_subsidiary').text('external_id'),
        payment_accounts=tuple(_bank_accounts(reader.items('payment_accounts'))),
    )


def _bank_accounts(items):
    """Those that can be read: the entity itself is worth more than how its bank accounts are called."""
    for value, path in items:
        with contextlib.suppress(PayloadError):
            account = _Reader(value, path)
            yield BankAccount(account.uuid('id', required=True), account.text('account_name'), account.text('account_number_last_four'))


def read_receipt(payload):
    """Receipt from an object of GET /receipts (dict). Raises PayloadError."""
    reader = _Reader(payload)
    return Receipt(
        id=reader.uuid('id', required=True),
        transaction_id=reader.uuid('transaction_id'),
        reimbursement_id=reader.uuid('reimbursement_id'),
        receipt_url=reader.text('receipt_url', required=True),
        created_at=reader.moment('created_at'),
    )


def read_accounting_provider(payload):
    """AccountingProvider from GET /accounting/connection (dict), None for its empty answer. Raises
    PayloadError."""
    if payload is None or payload == {}:
        return None
    reader = _Reader(payload)
    return AccountingProvider(
        id=reader.uuid('id', required=True),
        remote_provider_name=reader.text('remote_provider_name'),
        is_active=reader.flag('is_active'),
        status=reader.choice('status', PROVIDER_STATUSES, normalise=str.lower),
        connection_type=reader.choice(
            'connection_type', CONNECTION_TYPES, required=True, normalise=str.upper
        ),
        settings={name: value for name, value in reader.object('settings').values.items() if isinstance(value, bool)},
    )


def read_business(payload):
    """Business from GET /business (schema Business, 2026-08-01; it does not promise the id). Raises PayloadError."""
    reader = _Reader(payload)
    ident = reader.uuid('id', required=True)
    return Business(
        id=ident, name=reader.text('business_name_legal') or reader.text('business_name_on_card') or ident
    )
