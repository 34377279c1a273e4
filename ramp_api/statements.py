# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Statements, the transfers that pay them, and cashbacks, as value objects.

The rules are those of `reading`. A statement is read as it is. Whoever books it checks whether its sections add up and
match what happened. The amounts of the whole statement are not read: Ramp deprecates them, and they are in one
currency.

Schemas: Statement, StatementBalanceSection, ApiStatementItem, Transfer, Cashback (2026-08-01).
"""

import dataclasses
import datetime
import typing

from .money import Money
from .reading import SYNC_STATUSES, PayloadError, PayloadReader, read_required_amount, readers_of_items

STATEMENT_LINE_TYPES = frozenset({'CARD_TRANSACTION', 'CASHBACK', 'TRANSFER_PAYMENT'})
# The bank accepted it: the money counts as paid unless it fails later. In any other status it has not moved.
TRANSFER_ACCEPTED_STATUSES = frozenset(
    {'ACH_CONFIRMED', 'COMPLETED', 'PROCESSING_BY_ODFI', 'SUBMITTED_TO_FED', 'SUBMITTED_TO_RDFI'}
)
TRANSFER_FAILED_STATUSES = frozenset({'CANCELED', 'ERROR', 'NOT_ENOUGH_FUNDS', 'REJECTED_BY_ODFI', 'RETURNED_BY_RDFI'})


@dataclasses.dataclass(frozen=True)
class StatementSection:
    """What one entity owes in one currency.

    Amounts are Money, signed as Ramp sends them: what is owed is positive, and so are credits and payments, which
    make it less.
    """

    id: str
    entity_id: str
    opening_balance: Money
    charges: Money
    credits: Money
    payments: Money
    ending_balance: Money

    @property
    def currency(self):
        """Return the code (str) of the section's currency."""
        return self.ending_balance.currency


class StatementLine(typing.NamedTuple):
    """What a statement lists. id: of the card transaction, cashback or transfer, as `type` says."""

    type: str
    id: str


@dataclasses.dataclass(frozen=True)
class Statement:
    """A period of the whole business, whatever the entity. start_date, end_date: aware, in UTC."""

    id: str
    start_date: datetime.datetime
    end_date: datetime.datetime
    preceding_statement_id: str | None
    sections: tuple[StatementSection, ...]
    lines: tuple[StatementLine, ...]


@dataclasses.dataclass(frozen=True)
class Transfer:
    """A payment of what is owed on cards.

    status: any text; those that are known to have moved money, and not, are TRANSFER_ACCEPTED_STATUSES and
    TRANSFER_FAILED_STATUSES; sync_status: one of SYNC_STATUSES; payment_id: any text; created_at: aware, in UTC.
    """

    id: str
    amount: Money
    status: str
    sync_status: str
    entity_id: str | None
    bank_account_id: str | None
    payment_id: str | None
    created_at: datetime.datetime


@dataclasses.dataclass(frozen=True)
class Cashback:
    """What Ramp gives back. amount: Money, positive, what is owed less; sync_status: one of SYNC_STATUSES."""

    id: str
    amount: Money
    sync_status: str
    entity_id: str | None
    created_at: datetime.datetime


def read_statement(payload):
    """Read a statement from an object of GET /statements or /statements/{id}, or from `scrub_statement`.

    :param payload: dict
    :return: Statement
    :raise PayloadError: also if a section has amounts in two currencies, or two sections have one id
    """
    reader = PayloadReader(payload)
    ramp_id = reader.read_uuid('id', required=True)
    start, end = reader.read_moment('start_date', required=True), reader.read_moment('end_date', required=True)
    if end < start:
        raise PayloadError('end_date', 'is before start_date; it is not booked until this is explained')
    return Statement(
        id=ramp_id,
        start_date=start,
        end_date=end,
        preceding_statement_id=reader.read_uuid('preceding_statement_id'),
        sections=_read_balance_sections(reader),
        lines=tuple(_read_statement_line(value, path) for value, path in reader.read_items('statement_lines')),
    )


def _read_balance_sections(reader):
    found = {}
    for item in readers_of_items(reader, 'balance_sections'):
        ramp_id = item.read_uuid('id', required=True)
        if ramp_id in found:
            raise PayloadError(
                item.path_of_key('id'), 'two sections have this id; it is not booked until this is explained'
            )
        ending = read_required_amount(item, 'ending_balance', None, 'the statement')
        found[ramp_id] = StatementSection(
            id=ramp_id,
            entity_id=item.read_uuid('entity_id', required=True),
            ending_balance=ending,
            **{
                name: read_required_amount(item, name, ending.currency, 'the section')
                for name in ('opening_balance', 'charges', 'credits', 'payments')
            },
        )
    return tuple(found.values())


def _read_statement_line(value, path):
    if isinstance(value, list) and len(value) == 2:
        value = dict(zip(('type', 'id'), value))
    reader = PayloadReader(value, path)
    return StatementLine(
        reader.read_choice('type', STATEMENT_LINE_TYPES, required=True), reader.read_uuid('id', required=True)
    )


def read_statement_url(payload):
    """Read the pre-signed link to the PDF, whatever else is in the payload. It is a secret as long as it works.

    :param payload: dict, an object of GET /statements/{id}
    :return: str | None
    :raise PayloadError: if it is no text
    """
    return PayloadReader(payload).read_text('statement_url')


def scrub_statement(payload):
    """Return a statement's payload that may be stored and shown: without its link, and with short lines.

    A statement may have thousands of lines. Only [type, id] is left of each.

    :param payload: of any type, however malformed; it is not changed itself
    :return: of the same type; `read_statement` reads it as it reads the original
    """
    if not isinstance(payload, dict):
        return payload
    kept = {key: value for key, value in payload.items() if key != 'statement_url'}
    if isinstance(lines := kept.get('statement_lines'), list):
        kept['statement_lines'] = [
            [line.get('type'), line.get('id')] if isinstance(line, dict) else line for line in lines
        ]
    return kept


def read_transfer(payload):
    """Read a transfer from an object of GET /transfers or /transfers/{id}.

    :param payload: dict
    :return: Transfer
    :raise PayloadError: if it is malformed
    """
    reader = PayloadReader(payload)
    return Transfer(
        id=reader.read_uuid('id', required=True),
        amount=read_required_amount(reader, 'amount', None, 'the transfer'),
        status=reader.read_text('status', required=True),
        sync_status=reader.read_choice('sync_status', SYNC_STATUSES, required=True),
        entity_id=reader.read_uuid('entity_id'),
        bank_account_id=reader.read_uuid('bank_account_id'),
        payment_id=reader.read_text('payment_id'),
        created_at=reader.read_moment('created_at', required=True),
    )


def read_cashback(payload):
    """Read a cashback from an object of GET /cashbacks or /cashbacks/{id}.

    :param payload: dict
    :return: Cashback
    :raise PayloadError: if it is malformed
    """
    reader = PayloadReader(payload)
    return Cashback(
        id=reader.read_uuid('id', required=True),
        amount=read_required_amount(reader, 'amount', None, 'the cashback'),
        sync_status=reader.read_choice('sync_status', SYNC_STATUSES, required=True),
        entity_id=reader.read_uuid('entity_id'),
        created_at=reader.read_moment('created_at', required=True),
    )
