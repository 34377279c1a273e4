# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Reimbursements as value objects: what a person spent for the business, or owes it.

The rules are those of `reading`. Schema: Reimbursement (2026-08-01); and the keys of specifications before 2026
(`amount`, `currency`, `original_reimbursement_amount`; 2025-08-10), which some businesses still get.
"""

import dataclasses
import datetime
from decimal import Decimal

from .coding import Selection, read_coding_selections, read_line_selections
from .money import Money, allocate_amount
from .reading import (
    SYNC_STATUSES,
    PayloadError,
    PayloadReader,
    build_checked_money,
    check_lines_total,
    read_optional_day,
    read_optional_decimal,
    read_text_list,
    read_unsigned_amount,
    read_uuid_list,
    readers_of_items,
)

REIMBURSEMENT_DIRECTIONS = frozenset({'BUSINESS_TO_USER', 'USER_TO_BUSINESS'})
REIMBURSEMENT_TYPES = frozenset({'MILEAGE', 'OUT_OF_POCKET', 'PAYBACK_FULL', 'PAYBACK_PARTIAL', 'PER_DIEM'})
# Nothing of these is booked, so they alone may still be without an amount.
REIMBURSEMENT_IDLE_STATES = frozenset({'CANCELED', 'DELETED', 'DRAFT', 'INIT', 'REJECTED'})
REIMBURSEMENT_PAID_STATES = frozenset({'EXPORT_SUCCESSFUL', 'MANUALLY_REIMBURSED', 'REIMBURSED', 'REIMBURSED_VIA_PUSH'})
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


@dataclasses.dataclass(frozen=True)
class ReimbursementLine:
    """A line of a reimbursement.

    amount: Money in the currency of `Reimbursement.amount`; original_amount: Money as the person spent it. Both may
    be None, but only while the reimbursement itself has no amount.
    """

    amount: Money | None
    original_amount: Money | None
    memo: str | None
    selections: tuple[Selection, ...]


@dataclasses.dataclass(frozen=True)
class Reimbursement:
    """What a person spent for the business, or owes it: `direction` says which, amounts are never negative.

    direction: one of REIMBURSEMENT_DIRECTIONS; type: one of REIMBURSEMENT_TYPES; state: one of REIMBURSEMENT_STATES;
    amount: Money | None, what the entity pays (or gets), exactly the sum of `lines`; None only in
    REIMBURSEMENT_IDLE_STATES; original_amount: Money | None, as submitted; payee_amount: Money | None, what the
    person receives; transaction_date: a day; moments are aware, in UTC; distance: Decimal | None, miles; attendees:
    pairs (name, id of the user or None); receipts: ids; payment_id: any text; payment_batch_id: uuid;
    trace_descriptor, trace_id: detail only.
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


def read_reimbursement(payload):
    """Read a reimbursement from an object of GET /reimbursements or /reimbursements/{id}.

    :param payload: dict
    :return: Reimbursement
    :raise PayloadError: also where lines or currencies do not add up, or two statements of one amount contradict each
        other
    """
    reader = PayloadReader(payload)
    ramp_id = reader.read_uuid('id', required=True)
    state = reader.read_choice('state', REIMBURSEMENT_STATES, required=True)
    amount = _read_entity_amount(reader, state)
    original = _read_submitted_amount(reader, amount)
    trace = reader.read_object('trace_id')
    selections = read_coding_selections(reader)
    return Reimbursement(
        id=ramp_id,
        direction=reader.read_choice('direction', REIMBURSEMENT_DIRECTIONS, required=True),
        type=reader.read_choice('type', REIMBURSEMENT_TYPES, required=True),
        state=state,
        sync_status=reader.read_choice('sync_status', SYNC_STATUSES),
        amount=amount,
        original_amount=original,
        payee_amount=read_unsigned_amount(reader, 'payee_amount'),
        lines=_read_reimbursement_lines(reader, amount, original, selections),
        selections=selections,
        user_id=reader.read_uuid('user_id', required=True),
        user_email=reader.read_text('user_email'),
        user_full_name=reader.read_text('user_full_name'),
        employee_id=reader.read_text('employee_id'),
        entity_id=reader.read_uuid('entity_id'),
        memo=reader.read_text('memo'),
        merchant=reader.read_text('merchant'),
        merchant_id=reader.read_uuid('merchant_id'),
        transaction_date=read_optional_day(reader, 'transaction_date'),
        accounting_date=reader.read_moment('accounting_date'),
        created_at=reader.read_moment('created_at'),
        submitted_at=reader.read_moment('submitted_at'),
        approved_at=reader.read_moment('approved_at'),
        synced_at=reader.read_moment('synced_at'),
        updated_at=reader.read_moment('updated_at'),
        payment_id=reader.read_text('payment_id'),
        payment_batch_id=reader.read_uuid('payment_batch_id'),
        payment_processed_at=reader.read_moment('payment_processed_at'),
        trace_descriptor=trace.read_text('descriptor'),
        trace_id=trace.read_text('trace_id'),
        receipts=read_uuid_list(reader, 'receipts'),
        attendees=_read_attendee_pairs(reader),
        distance=read_optional_decimal(reader, 'distance'),
        start_location=reader.read_text('start_location'),
        end_location=reader.read_text('end_location'),
        waypoints=read_text_list(reader, 'waypoints'),
        fund_id=reader.read_uuid('fund_id') or reader.read_uuid('spend_limit_id'),  # the latter is its former name
        trip_id=reader.read_uuid('trip_id'),
    )


def _read_attendee_pairs(reader):
    return tuple((item.read_text('name'), item.read_uuid('user_id')) for item in readers_of_items(reader, 'attendees'))


def _read_entity_amount(reader, state):
    """Read what the entity pays: Money | None.

    `entity_amount` replaces `amount`, which is in *major* units of `currency` (not `currency_code`).
    """
    new = read_unsigned_amount(reader, 'entity_amount', 'value', 'currency')
    major = reader.read_value('amount', (int, float, Decimal), 'a number')
    if major is None:
        if new is None and state not in REIMBURSEMENT_IDLE_STATES:
            raise PayloadError('entity_amount', 'Ramp sent neither entity_amount nor amount; there is nothing to book')
        return new
    old = build_checked_money('amount', Money.from_major_units, major, reader.read_text('currency', required=True))
    if old.minor < 0:
        raise PayloadError('amount', f'{old} is negative, but the direction tells who owes whom')
    if new is not None and new != old:
        raise PayloadError('entity_amount', f'{new} contradicts amount, which is {old}; ask Ramp which one is right')
    return old


def _read_submitted_amount(reader, amount):
    """Return what was submitted: Money | None, in the currency in which it was spent."""
    old = read_unsigned_amount(reader, 'original_reimbursement_amount')
    new = read_unsigned_amount(reader, 'merchant_amount', 'value', 'currency')
    if old is not None and new is not None and old != new:
        raise PayloadError(
            'merchant_amount',
            f'{new} contradicts original_reimbursement_amount, which is {old}; ask Ramp which one is right',
        )
    found = old if new is None else new
    if found and amount and found.currency == amount.currency and found != amount:
        raise PayloadError(
            'original_reimbursement_amount' if new is None else 'merchant_amount',
            f'{found} was submitted, but {amount} is paid, and nothing was converted; correct it in Ramp',
        )
    return found


def _read_reimbursement_lines(reader, amount, original, selections):
    """Read the lines, in the currency of what was submitted. Without lines, return one over the whole."""
    readers = readers_of_items(reader, 'line_items')
    own = [item.read_money('amount') for item in readers]
    if amount is None:
        shares = [None] * len(own)
    elif len(own) < 2 and own in ([], [None]):
        own, shares = [original or amount], [amount]
    else:
        shares = _convert_line_amounts(readers, own, amount, original)
    if not readers:
        return tuple(
            ReimbursementLine(share, given, reader.read_text('memo'), selections) for share, given in zip(shares, own)
        )
    return tuple(
        ReimbursementLine(share, given, item.read_text('memo'), coding)
        for share, given, item, coding in zip(shares, own, readers, read_line_selections(readers, selections))
    )


def _convert_line_amounts(readers, own, amount, original):
    """Return the amount of each line in the currency the entity pays in: list of Money."""
    for item, money in zip(readers, own):
        if money is None:
            raise PayloadError(item.path_of_key('amount'), 'the line has no amount; correct the split in Ramp')
        if money.currency != own[0].currency:
            raise PayloadError(
                'line_items',
                f'the lines mix {" and ".join(sorted({own[0].currency, money.currency}))}; they cannot be added up',
            )
    currency = own[0].currency
    if currency == amount.currency:
        check_lines_total('line_items', own, amount, 'the reimbursement')
        return own
    if original is not None:
        if original.currency != currency:
            raise PayloadError(
                'line_items', f'the lines are in {currency}, but {original} was submitted; correct it in Ramp'
            )
        check_lines_total('line_items', own, original, 'what was submitted')
    shares = build_checked_money('line_items', allocate_amount, amount.minor, [money.minor for money in own])
    return [Money(share, amount.currency) for share in shares]
