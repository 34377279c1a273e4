# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Card transactions as value objects.

The rules are those of `reading`. Schemas: Transaction, ApiTransactionLineItem (2026-08-01); and `entity_amount` and
`merchant_amount` of the transaction, from specifications after 2026-08.
"""

import dataclasses
import datetime
from decimal import Decimal

from .coding import Selection, read_coding_selections
from .money import Money, allocate_amount, find_currency_exponent
from .reading import SYNC_STATUSES, PayloadError, PayloadReader, build_checked_money, read_uuid_list, readers_of_items

TRANSACTION_STATES = frozenset({'CLEARED', 'COMPLETION', 'DECLINED', 'ERROR', 'PENDING', 'PENDING_INITIATION'})


@dataclasses.dataclass(frozen=True)
class TransactionLine:
    """A line of a transaction's split.

    amount: Money in the settlement currency, negative for refunds; memo: str | None, its own; selections: its coding.
    """

    amount: Money
    memo: str | None
    selections: tuple[Selection, ...]


@dataclasses.dataclass(frozen=True)
class Transaction:
    """A card transaction. `amount` is the settled amount, negative for refunds, and exactly the sum of `lines`.

    original_amount: Money | None, what the merchant charged, in the merchant's currency, with the sign of `amount`;
    state: one of TRANSACTION_STATES; sync_status: one of SYNC_STATUSES, None if Ramp did not say, so that it is not
    known to be ready; moments are aware, in UTC; all ids are lower-case uuids except original_transaction_id, which
    Ramp declares as any text; receipts: ids. card_holder_short_name has the initial of the first name only;
    category_name is Ramp's own, and category_code_description that of the card network; attendees are names.
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


def read_transaction(payload):
    """Read a transaction from an object of GET /transactions or /transactions/{id}.

    :param payload: dict
    :return: Transaction
    :raise PayloadError: also where lines or currencies do not add up, or two statements of one amount contradict each
        other
    """
    reader = PayloadReader(payload)
    ramp_id = reader.read_uuid('id', required=True)
    amount = _read_settled_amount(reader)
    holder = reader.read_object('card_holder')
    first, last = holder.read_text('first_name'), holder.read_text('last_name')
    return Transaction(
        id=ramp_id,
        amount=amount,
        original_amount=_read_original_amount(reader, amount),
        state=reader.read_choice('state', TRANSACTION_STATES, required=True),
        sync_status=reader.read_choice('sync_status', SYNC_STATUSES),
        synced_at=reader.read_moment('synced_at'),
        user_transaction_time=reader.read_moment('user_transaction_time'),
        settlement_date=reader.read_moment('settlement_date'),
        accounting_date=reader.read_moment('accounting_date'),
        user_id=holder.read_uuid('user_id'),
        card_holder_name=' '.join(filter(None, (first, last))) or None,
        card_holder_short_name=f'{first[0]}. {last}' if first and last else first or last,
        card_holder_employee_id=holder.read_text('employee_id'),
        card_id=reader.read_uuid('card_id'),
        entity_id=reader.read_uuid('entity_id'),
        statement_id=reader.read_uuid('statement_id'),
        merchant_id=reader.read_uuid('merchant_id'),
        merchant_name=reader.read_text('merchant_name'),
        merchant_descriptor=reader.read_text('merchant_descriptor'),
        memo=reader.read_text('memo'),
        original_transaction_id=reader.read_text('original_transaction_id'),
        category_name=reader.read_text('sk_category_name'),
        category_code_description=reader.read_text('merchant_category_code_description'),
        trip_name=reader.read_text('trip_name'),
        attendees=_read_attendee_names(reader),
        receipts=read_uuid_list(reader, 'receipts'),
        lines=_read_transaction_lines(reader, amount),
    )


def _read_attendee_names(reader):
    names = (PayloadReader(value, path).read_text('name') for value, path in reader.read_items('attendees'))
    return tuple(filter(None, names))


def _read_settled_amount(reader):
    """Read the settled amount. `amount` is a float in *major* units; newer specifications have `entity_amount`."""
    rate = reader.read_value('minor_unit_conversion_rate', int, 'a whole number')
    new = reader.read_money('entity_amount', 'value', 'currency', rate)
    major = reader.read_value('amount', (int, float, Decimal), 'a number')
    if major is None:
        if new is None:
            raise PayloadError('amount', 'Ramp sent neither amount nor entity_amount; there is nothing to book')
        return new
    currency = reader.read_text('currency_code', required=True)
    old = build_checked_money('amount', Money.from_major_units, major, currency)
    if rate is not None and rate != 10 ** find_currency_exponent(currency):
        raise PayloadError(
            'minor_unit_conversion_rate',
            f'{rate} contradicts {currency}, which has {find_currency_exponent(currency)} '
            'decimals; it is not booked until this is explained',
        )
    if new is not None and new != old:
        raise PayloadError('entity_amount', f'{new} contradicts amount, which is {old}; ask Ramp which one is right')
    return old


def _read_original_amount(reader, settled):
    """Return what the merchant charged: Money | None, with the sign of the settled amount."""
    old = reader.read_money('original_transaction_amount')
    new = reader.read_money('merchant_amount', 'value', 'currency')
    # Ramp documents the sign of the settled amount only. Both are given that sign before they are compared.
    old, new = (money and (-abs(money) if settled.minor < 0 else abs(money)) for money in (old, new))
    if old is not None and new is not None and old != new:
        raise PayloadError(
            'merchant_amount',
            f'{new} contradicts original_transaction_amount, which is {old}; ask Ramp which one is right',
        )
    return new if old is None else old


def _read_transaction_lines(reader, settled):
    """Read the lines. A transaction that is not split has one, with its own memo and coding."""
    selections = read_coding_selections(reader)
    lines = readers_of_items(reader, 'line_items')
    if not lines:
        return (TransactionLine(settled, reader.read_text('memo'), selections),)
    amounts = _read_line_amounts(lines, settled, _read_original_amount(reader, settled))
    total = sum(amounts, Money(0, settled.currency))
    if total != settled:
        raise PayloadError(
            'line_items', f'the lines add up to {total}, but the transaction is {settled}; correct the split in Ramp'
        )
    coded = [read_coding_selections(line) for line in lines]
    if len(lines) == 1 and not coded[0]:
        coded = [selections]
    return tuple(
        TransactionLine(amount, line.read_text('memo'), coding) for amount, line, coding in zip(amounts, lines, coded)
    )


def _read_line_amounts(lines, settled, original):
    """Return the amount of each line in the settlement currency.

    `converted_amount` is in it; `amount` may be in the merchant's, so its own code decides.
    """
    amounts = [line.read_money('converted_amount') or line.read_money('amount') for line in lines]
    for line, amount in zip(lines, amounts):
        if amount is None:
            raise PayloadError(
                line.path_of_key('converted_amount'), 'the line has no amount; correct the split in Ramp'
            )
        if line.values.get('converted_amount') is not None and amount.currency != settled.currency:
            raise PayloadError(
                line.path_of_key('converted_amount'),
                f'is in {amount.currency}, but the transaction is settled in {settled.currency}',
            )
    currencies = {amount.currency for amount in amounts}
    if currencies == {settled.currency}:
        return amounts
    if len(currencies) > 1:
        raise PayloadError('line_items', f'the lines mix {" and ".join(sorted(currencies))}; they cannot be added up')
    # All lines are in the merchant's currency only, so the settled total is allocated to them in proportion.
    total = sum(amounts, Money(0, currencies.pop()))
    if original is not None and abs(total) != abs(original):
        raise PayloadError(
            'line_items', f'the lines add up to {total}, but the merchant charged {original}; correct the split in Ramp'
        )
    shares = build_checked_money('line_items', allocate_amount, settled.minor, [amount.minor for amount in amounts])
    return [Money(share, settled.currency) for share in shares]
