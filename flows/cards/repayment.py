# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import datetime

from odoo import api, models

from ...models.ledger_notes import ABSENT, Absent, LedgerNote
from ...ramp_api import Repayment, allocate_amount, read_repayment
from ..accounting.lookup import AccountingLookup, PeopleLookup
from ..engine.pull import LOST_PER_RUN

BANK_METHODS = frozenset({'ach', 'debit_card', 'push'})
OTHER_METHODS = frozenset({'export_for_payment', 'payroll', 'prefunded', 'repay_off_ramp'})
# Types of accounts in an entry that pays a document and is not spend.
UNUSUAL = ('liability_payable', 'asset_receivable')


@dataclasses.dataclass(frozen=True)
class RepaymentPlan:
    """The entry planned for one repayment.

    - shares: what it takes back of each line of the original, as (line, units of the transaction's currency, units of
      the company's currency)
    - balance: sum of the latter
    """

    repayment: Repayment
    original: models.Model
    date: datetime.date
    journal: models.Model
    account: models.Model
    employee: models.Model
    shares: list
    balance: int
    label: str
    spent: models.Model  # expense of the original, if it has one that was not refused


@dataclasses.dataclass
class RepaymentLookup(AccountingLookup):
    """What `ramp.flow.repayment` looks up.

    originals: {transaction id: (its row, its entry or an empty recordset)}
    lines: {entry of a transaction: [line of it]}
    taken: {transaction id: {line id: what repayments took of it}}; see `_look_up_taken`. Planning adds to it
    expenses: {entry of a transaction: its expense}
    people: employees who repaid
    """

    originals: dict[str, tuple[models.Model, models.Model]] = dataclasses.field(default_factory=dict)
    lines: dict[models.Model, list[models.Model]] = dataclasses.field(default_factory=dict)
    taken: dict[str, dict[int, list[int]]] = dataclasses.field(default_factory=dict)
    expenses: dict[models.Model, models.Model] = dataclasses.field(default_factory=dict)
    people: PeopleLookup = dataclasses.field(default_factory=PeopleLookup)


@dataclasses.dataclass(kw_only=True)
class RepaymentNote(LedgerNote):
    """What the ledger notes of a repayment.

    - shares: what it took back of each line of the original, [[id of the line, units of the transaction's currency,
      units of the company's currency]]
    - transaction: Ramp id of the original. Ramp may name another one later, and a person may keep what is posted.
      Empty: a repayment of an earlier version that did not follow its original, and was left to a person
    - moved: id of the entry (`account.move`) that moved the shares to the lines of an original that was posted anew
    """

    shares: list[list[int]] | Absent = ABSENT
    transaction: str | Absent = ABSENT
    moved: int | Absent = ABSENT


class RampFlowRepayment(models.AbstractModel):
    """Post the cash that employees pay back on card transactions.

    One entry takes back the expense in proportion. It reverses each line of the transaction's entry by its share of the
    remaining amount. So repayments that add up to the whole leave nothing, in both currencies.

    Schema: Repayment of GET /repayments. Ramp has no endpoint for a single repayment, and no sync type for repayments
    (contract 2026-08-01).
    """

    _name = 'ramp.flow.repayment'
    _inherit = ['ramp.flow.booking', 'ramp.flow.pull']
    _description = 'Ramp Flow: repayments'

    _lookup_class = RepaymentLookup
    _flow = 'repayment'
    _flow_sequence = 80
    _endpoint = '/repayments'
    _known_by = ('user_signature',)
    # Ramp's filter by day would hide repayments that failed afterwards. Its filter by entity is not supported yet.
    _from_start_date = True

    @api.model
    def _get_flow_label(self):
        return self.env._('Repayments')

    @api.model
    def _get_ramp_page_path(self, record):
        return record.parent_ramp_id and f'/details/transactions/{record.parent_ramp_id}'

    @api.model
    def _is_enabled_for(self, connection):
        return connection.pull_repayments

    # ------------------------------------------------------------------ lists of Ramp

    def _get_nightly_listings(self, connection, since):
        return [{}]

    def _fetch_each_object(self, client, ramp_ids):
        """EXTENDS: Read the whole list, because Ramp has no endpoint for a single repayment.

        A repayment that the list does not show is gone.
        """
        there = {
            payload['id'].lower(): payload
            for payload in client.list_objects(self._endpoint)
            if isinstance(payload, dict) and isinstance(payload.get('id'), str)
        }
        for ramp_id in ramp_ids:
            yield ramp_id, there.get(ramp_id)

    def _refresh_unlisted_rows(self, connection, client, started):
        """Skip the rows that were not listed. Each run lists everything, so those repayments are gone."""
        self._transaction(self._skip_lost_rows, connection, started)
        return []

    def _skip_lost_rows(self, connection, started):
        self._skip_unlisted_rows(self.env['ramp.record']._unlisted_rows(connection, self._flow, started, LOST_PER_RUN))

    def _read_payload(self, payload):
        return read_repayment(payload)

    def _get_booking_facts(self, value):
        """Return the facts that the entry is posted from.

        If the status is not REPAID, it is the only fact.
        """
        if value.status != 'REPAID':
            return {'status': value.status}
        return {
            'amount': str(value.amount),
            'transaction': value.original_transaction_id,
            'user': value.user_id,
            'method': value.funding_method,
            'repaid': str(value.repaid_at),
        }

    def _get_ledger_columns(self, connection, value):
        return {
            'name': self.env._('Repayment: %s', value.amount or '-'),
            'date': self._get_booking_day(connection, value.repaid_at),
            'money': value.amount and -value.amount,
            'parent_ramp_id': self._get_original_id(value),
            'ramp_entity_id': value.entity_id,
            'has_moved': value.status == 'REPAID',
        }

    @staticmethod
    def _get_original_id(value):
        return value.original_transaction_id and value.original_transaction_id.lower()

    def _is_synced_in_ramp(self, payload):
        return False

    def _is_ready_in_ramp(self, payload):
        return True

    def _on_rows_stored(self, connection, rows, asked):
        told = {row['ramp_id']: row for row in rows if 'value' in row}
        self._reverse_withdrawn_objects(
            connection,
            told,
            {
                ramp_id: self._describe_repayment_status(row['value'].status)
                for ramp_id, row in told.items()
                if row['value'].status != 'REPAID'
            },
        )
        return super()._on_rows_stored(connection, rows, asked)

    @api.model
    def _describe_repayment_status(self, status):
        return {
            'AWAITING_MANUAL_REPAYMENT': self.env._('The employee has to repay it outside of Ramp.'),
            'AWAITING_PAYMENT': self.env._('The employee has to repay it. The money has not arrived yet.'),
            'NONE': self.env._('Ramp expects no repayment.'),
            'REPAYMENT_FAILED': self.env._('The repayment failed in Ramp.'),
            'REQUESTED_BY_REVIEWER': self.env._('A reviewer asked the employee to repay it.'),
        }[status]

    # ------------------------------------------------------------------ looking up

    def _fetch_before_booking(self, connection, client, ramp_ids):
        """Link unknown Ramp users to employees by email, because a repayment has only the Ramp user id."""
        self.env.cr.execute(
            """
            SELECT DISTINCT lower(payload ->> 'user_id') FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND ramp_id = ANY(%s) AND res_id IS NULL AND payload ->> 'status' = 'REPAID'
            """,
            (connection.id, self._flow, ramp_ids),
        )
        users = {row[0] for row in self.env.cr.fetchall() if row[0]}
        unknown = users - set(self._find_employees(connection, users))
        self.env.cr.rollback()
        if unknown:
            self._transaction(self.env['hr.employee']._ramp_link, connection, self._fetch_ramp_users(client), unknown)

    def _look_up_references(self, connection, values):
        originals = {identity for identity in map(self._get_original_id, values) if identity}
        booked = self._look_up_booked_rows(
            connection,
            'transaction',
            originals,
            ['name', 'state', 'error_message'],
            ['state', 'name', 'ref', 'journal_id', 'currency_id'],
        )
        moves, lines = self.env['account.move'].union(*(move for _row, move in booked.values())), {}
        for line in self.env['account.move.line'].search_fetch(
            [('move_id', 'in', moves.ids)],
            [
                'move_id',
                'account_id',
                'partner_id',
                'name',
                'currency_id',
                'amount_currency',
                'balance',
                'analytic_distribution',
                'tax_ids',
                'tax_tag_ids',
                'tax_line_id',
                'tax_repartition_line_id',
                'tax_group_id',
                'group_tax_id',
                'tax_base_amount',
                'display_type',
            ],
            order='id',
        ):
            lines.setdefault(line.move_id, []).append(line)
        found = self._look_up_accounting_state(
            connection, [], {value.amount.currency for value in values if value.amount}
        )
        found.originals = booked
        found.lines = lines
        found.taken = self._look_up_taken(connection, originals)
        found.expenses = self._look_up_expenses(moves)
        found.people = self._look_up_people(connection, {value.user_id.lower() for value in values if value.user_id})
        return found

    def _look_up_taken(self, connection, originals):
        """Return what earlier repayments took of each line of the originals.

        :return: {transaction id: {line id: [units of the transaction's currency, units of the company's currency]}}
        """
        taken = {}
        for row in self.env['ramp.record'].search_fetch(
            [
                ('connection_id', '=', connection.id),
                ('flow', '=', self._flow),
                ('parent_ramp_id', 'in', list(originals)),
                ('res_id', '!=', False),
            ],
            ['parent_ramp_id', 'noted'],
        ):
            for line_id, amount, balance in row._read_note(RepaymentNote).shares or ():
                sums = taken.setdefault(row.parent_ramp_id, {}).setdefault(line_id, [0, 0])
                sums[0] += amount
                sums[1] += balance
        return taken

    def _look_up_expenses(self, moves):
        expenses = self.env['hr.expense'].search_fetch(
            [('account_move_id', 'in', moves.ids)], ['account_move_id', 'employee_id', 'vendor_id', 'state']
        )
        return {expense.account_move_id: expense for expense in expenses}


def take(amount, rest, is_company_currency):
    """Return what an amount takes of each line.

    :param amount: int, units of the lines' currency
    :param rest: what is left of each line, [(units of the lines' currency, units of the company's currency)]
    :return: ([units of the lines' currency], [units of the company's currency])
    """
    shares = allocate_amount(amount, [minor for minor, _balance in rest])
    if is_company_currency:
        return shares, shares
    total, whole = sum(minor for minor, _balance in rest), sum(balance for _minor, balance in rest)
    part = allocate_amount(whole, [amount, total - amount])[0]
    return shares, allocate_amount(part, [balance for _minor, balance in rest])
