# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import datetime
from datetime import timedelta

from odoo import api, models
from odoo.tools import SQL

from ...ramp_api import Money, PayloadError, read_statement, scrub_statement, to_company_date
from ..accounting.documents import Document
from ..accounting.lookup import PayableLookup
from ..accounting.payment_notes import PaymentNote
from ..engine.flow import is_of_object
from ..engine.pull import LOST_PER_RUN

# Flow of each type of statement line.
FLOWS = {'CARD_TRANSACTION': 'transaction', 'CASHBACK': 'cashback', 'TRANSFER_PAYMENT': 'transfer'}
# Maximum number of lines that a sentence names one by one.
NAMED = 5


@dataclasses.dataclass(frozen=True)
class Section:
    """What one statement says about one entity and currency. Amounts are Money.

    - lines: (type, Ramp id) of the lines of the whole statement
    """

    id: str
    statement_id: str
    preceding_statement_id: str | None
    start: datetime.datetime
    end: datetime.datetime
    entity_id: str
    opening: Money
    charges: Money
    credits: Money
    payments: Money
    ending: Money
    lines: tuple

    @property
    def currency(self):
        return self.ending.currency


@dataclasses.dataclass(frozen=True)
class StatementPlan:
    """What is to be posted for a section.

    - document: its bill, or None if the section leaves nothing to be owed
    - cashbacks: Ramp ids
    - total: amount at which its spend was posted, in the company's currency
    - date: day of an entry for the part of `total` that the bill cannot move, or None
    """

    section: Section
    currency: models.Model
    document: Document | None
    cashbacks: list
    total: float | None
    date: datetime.date | None


@dataclasses.dataclass
class StatementLookup(PayableLookup):
    """What `ramp.flow.statement` looks up.

    rows: {(flow, Ramp id): row} of the statement lines
    expected: {transaction id: id of the entry that was posted in expectation of it}
    endings: {(statement id, entity id, currency code): (Money at its end, its name)} of the statements before these
    failed: {(entity id, currency code): [minor units]} of the transfers that did not succeed
    charged: {entry id: (amount in the entry's currency, balance in the company's currency)} charged to the card
    """

    rows: dict[tuple[str, str], models.Model] = dataclasses.field(default_factory=dict)
    expected: dict[str, int] = dataclasses.field(default_factory=dict)
    endings: dict[tuple[str, str, str], tuple[Money, str]] = dataclasses.field(default_factory=dict)
    failed: dict[tuple[str, str], list[int]] = dataclasses.field(default_factory=dict)
    charged: dict[int, tuple[float, float]] = dataclasses.field(default_factory=dict)


class RampFlowStatement(models.AbstractModel):
    """Create a vendor bill of "Ramp" for each entity and currency of a closed statement.

    The bill moves the spend from the card liability to the amount owed to Ramp. Cashback is a separate line that lowers
    it. A statement is posted once it adds up, in itself and with the books.

    Schema: Statement of GET /statements. A row is one of its `balance_sections`. Ramp has no sync type for statements,
    so only the cashback on them is confirmed (contract 2026-08-01).
    """

    _name = 'ramp.flow.statement'
    _inherit = ['ramp.flow.payable', 'ramp.flow.booking', 'ramp.flow.pull']
    _description = 'Ramp Flow: card statements'

    _lookup_class = StatementLookup
    _flow = 'statement'
    _journal_field = 'statement_journal_id'
    _flow_sequence = 84
    _endpoint = '/statements'
    _batch_size = 20
    _known_by = ('end_date',)

    @api.model
    def _get_flow_label(self):
        return self.env._('Card statements')

    @api.model
    def _get_ramp_page_path(self, record):
        return '/statements'

    @api.model
    def _is_enabled_for(self, connection):
        return connection.pull_statements

    @api.model
    def _has_open_statements(self, connection):
        """Return whether a statement waits, for its lines or for something else."""
        return bool(
            self.env['ramp.record'].search_count(
                [
                    ('connection_id', '=', connection.id),
                    ('flow', '=', self._flow),
                    ('state', 'in', ('pending', 'held', 'error')),
                    ('res_id', '=', False),
                ],
                limit=1,
            )
        )

    # ------------------------------------------------------------------ lists of Ramp

    def _get_list_params(self, connection):
        # List all statements: a statement does not say when it changed (contract 2026-08-01).
        return {'from_date': connection._start_moment()}

    def _store_listed_page(self, connection, run, payloads, asked, known_only=False):
        sections = [part for payload in payloads for part in self._split_into_sections(connection, payload)]
        return super()._store_listed_page(connection, run, sections, asked, known_only)

    def _split_into_sections(self, connection, payload):
        """Return one payload for each section of a statement that concerns the connection.

        A statement that cannot be read stays whole.
        """
        try:
            read_statement(payload)
        except Exception as error:
            if not is_of_object(error):
                raise
            return [payload]
        payload = scrub_statement(payload)
        return [
            {**payload, 'balance_sections': [section]}
            for section in payload['balance_sections']
            if not connection._is_other_entity(section['entity_id'])
        ]

    def _refresh_unlisted_rows(self, connection, client, started):
        self._transaction(self._skip_lost_rows, connection, started)
        return []

    def _skip_lost_rows(self, connection, started):
        """Skip unlisted rows of statements that could not be read.

        Each run lists all statements, and a closed one stays listed. But a statement that could not be read may be
        readable now, and then has rows under other ids.
        """
        lost = self.env['ramp.record']._unlisted_rows(connection, self._flow, started, LOST_PER_RUN)
        self._skip_unlisted_rows(lost.filtered(lambda record: not record.parent_ramp_id))

    def _scrub_payload(self, payload):
        return scrub_statement(payload)

    def _read_payload(self, payload):
        """Return the one `Section` of a payload; see `_split_into_sections`.

        :raise PayloadError: if the payload does not have exactly one section
        """
        statement = read_statement(payload)
        if len(statement.sections) != 1:
            raise PayloadError('balance_sections', 'were not told apart')
        [section] = statement.sections
        return Section(
            section.id,
            statement.id,
            statement.preceding_statement_id,
            statement.start_date,
            statement.end_date,
            section.entity_id,
            section.opening_balance,
            section.charges,
            section.credits,
            section.payments,
            section.ending_balance,
            tuple((line.type, line.id) for line in statement.lines),
        )

    def _get_booking_facts(self, value):
        return {
            'statement': value.statement_id,
            'entity': value.entity_id,
            'period': [str(value.start), str(value.end)],
            'amounts': [
                str(money) for money in (value.opening, value.charges, value.credits, value.payments, value.ending)
            ],
        }

    def _get_ledger_columns(self, connection, value):
        return {
            'name': self._get_statement_label(connection, value),
            'date': self._get_last_day(connection, value),
            'money': value.charges - value.credits,
            'parent_ramp_id': value.statement_id,
            'ramp_entity_id': value.entity_id,
        }

    def _get_last_day(self, connection, value):
        """Return the last day of the period. The end itself is excluded: midnight belongs to the day before."""
        return to_company_date(value.end - timedelta(seconds=1), connection._time_zone())

    def _get_statement_label(self, connection, value):
        return self.env._(
            'Statement of %(day)s, %(currency)s', day=self._get_last_day(connection, value), currency=value.currency
        )

    def _is_synced_in_ramp(self, payload):
        return False

    def _is_ready_in_ramp(self, payload):
        return True

    # ------------------------------------------------------------------ looking up

    def _fetch_before_booking(self, connection, client, ramp_ids):
        """Read the lines that the ledger does not know.

        A statement names its lines by id only, and Ramp may not offer them yet.
        """
        rows = self.env['ramp.record'].search_fetch(
            [
                ('connection_id', '=', connection.id),
                ('flow', '=', self._flow),
                ('ramp_id', 'in', ramp_ids),
                ('res_id', '=', False),
            ],
            ['payload', 'parent_ramp_id'],
        )
        lines, unknown = {}, set()
        for row in rows:
            try:
                lines[row.parent_ramp_id] = self._read_payload(row.payload).lines
            except Exception as error:
                if not is_of_object(error):
                    raise
                # The row says why it cannot be read.
                continue
        for statement, parts in lines.items():
            known = {(FLOWS[kind], identity) for kind, identity in parts}
            there = {(row.flow, row.ramp_id) for row in self._get_line_rows(connection, known)}
            unknown |= {(statement, flow) for flow, _identity in known - there}
        self.env.cr.rollback()
        for statement, flow in sorted(unknown):
            # Include lines from before the start date. They are not posted, but the statement has to add up.
            lines = self.env[f'ramp.flow.{flow}'].with_context(ramp_of_statement=True)
            lines._store_snapshot_of_lists(
                connection, client, [{'statement_id': statement, **lines._get_entity_scope(connection)}]
            )

    def _get_line_rows(self, connection, lines):
        """Return the ledger rows of statement lines.

        :param lines: set of (flow, Ramp id)
        """
        return self.env['ramp.record'].search_fetch(
            [
                ('connection_id', '=', connection.id),
                ('flow', 'in', list(FLOWS.values())),
                ('ramp_id', 'in', [identity for _flow, identity in lines]),
            ],
            [
                'flow',
                'ramp_id',
                'name',
                'date',
                'amount',
                'currency_id',
                'ramp_entity_id',
                'has_moved',
                'state',
                'hold_reason',
                'is_withheld',
                'error_message',
                'res_model',
                'res_id',
                'parent_ramp_id',
            ],
            order='date, id',
        )

    def _look_up_references(self, connection, values):
        rows = self._get_line_rows(connection, {line for value in values for line in value.lines})
        moves = self.env['account.move'].browse(
            {row.res_id for row in rows if row.res_id and row.flow == 'transaction' and row.res_model == 'account.move'}
        )
        bills = self.env['ramp.card.bill']._find_paid_bills(
            connection, [row.ramp_id for row in rows if row.flow == 'transaction' and not row.res_id]
        )
        expected = {
            ramp_id: note.id
            for ramp_id, row in bills.items()
            if (note := row._read_note(PaymentNote).card) and note.expected
        }
        before = {value.preceding_statement_id for value in values if value.preceding_statement_id}
        endings = {}
        for row in (
            self.env['ramp.record'].search_fetch(
                [
                    ('connection_id', '=', connection.id),
                    ('flow', '=', self._flow),
                    ('parent_ramp_id', 'in', list(before)),
                ],
                ['payload', 'parent_ramp_id', 'name'],
            )
            if before
            else ()
        ):
            section = self._read_payload(row.payload)
            endings[row.parent_ramp_id, section.entity_id, section.currency] = section.ending, row.name
        failed = {}
        for row in self.env['ramp.record'].search_fetch(
            [
                ('connection_id', '=', connection.id),
                ('flow', '=', 'transfer'),
                ('has_moved', '=', False),
                # Nothing is known of a transfer that cannot be read.
                ('currency_id', '!=', False),
            ],
            ['amount', 'ramp_entity_id', 'currency_id'],
        ):
            failed.setdefault((row.ramp_entity_id, row.currency_id.name), []).append(
                self._float_to_minor(row.amount, row.currency_id)
            )
        found = self._look_up_accounting_state(connection, [], {value.currency for value in values})
        found.rows = {(row.flow, row.ramp_id): row for row in rows}
        found.expected = expected
        found.endings = endings
        found.failed = failed
        found.charged = self._look_up_charged(connection, moves + moves.browse(expected.values()))
        return found

    def _look_up_charged(self, connection, moves):
        """Return what posted entries charge to the card.

        :return: {move id: (amount in the entry's currency, balance in the company's currency)}
        """
        if not moves:
            return {}
        self.env['account.move.line'].flush_model()
        return {
            move: (amount, balance)
            for move, amount, balance in self.env.execute_query(
                SQL(
                    """
            SELECT move_id, -sum(amount_currency), -sum(balance) FROM account_move_line
             WHERE move_id = ANY(%s) AND account_id = %s AND parent_state = 'posted' GROUP BY move_id
            """,
                    moves.ids,
                    connection.card_account_id.id,
                )
            )
        }


def is_exact_sum(minor, amounts):
    """Return whether an amount is 0, or a sum of some of a few other amounts, each with either sign.

    :param minor: int, in minor units
    :param amounts: ints, in minor units; only the first 12 count
    """
    sums = {0}
    for amount in list(amounts)[:12]:
        sums |= {total + sign * amount for total in sums for sign in (1, -1)}
    return minor in sums
