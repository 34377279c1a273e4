# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import datetime

from markupsafe import Markup

from odoo import Command, api, models

from ..ramp_api import Repayment, allocate, read_repayment
from .booking import QUIET, clean
from .flow import Held, Skipped, Waiting
from .pull import LOST_PER_RUN

BANK_METHODS = frozenset({'ach', 'debit_card', 'push'})
OTHER_METHODS = frozenset({'export_for_payment', 'payroll', 'prefunded', 'repay_off_ramp'})
UNUSUAL = ('liability_payable', 'asset_receivable')  # accounts of an entry that pays a document, and is no spend


@dataclasses.dataclass(frozen=True)
class Plan:
    """The entry of one repayment. shares: what it takes back of each line of the original, (line, minor units of the transaction's
    currency, minor units of the company's), and adds up to `balance` in the latter."""

    repayment: Repayment
    original: models.Model
    date: datetime.date
    journal: models.Model
    account: models.Model
    employee: models.Model
    shares: list
    balance: int
    label: str
    spent: models.Model  # the original's expense, if it has one that counts


class RampFlowRepayment(models.AbstractModel):
    """Cash that employees pay back on card transactions: one entry that takes back the expense in proportion.

    Each line of the transaction's entry is reversed by its share of what is left of it, so that repayments which add up to the whole
    leave nothing, in both currencies. Schema: Repayment of GET /repayments; there is no page of a single one, and no sync type.
    """

    _name = 'ramp.flow.repayment'
    _inherit = 'ramp.flow.booking'
    _description = 'Ramp Flow: repayments'

    _flow = 'repayment'
    _flow_sequence = 80
    _endpoint = '/repayments'
    _known_by = ('user_signature',)
    # Ramp's filter by day would hide those that failed afterwards, and that by entity is not supported yet
    _from_start_date = True

    @api.model
    def _flow_label(self):
        return self.env._('Repayments')

    @api.model
    def _page(self, record):
        return record.parent_ramp_id and f'/details/transactions/{record.parent_ramp_id}'

    @api.model
    def _enabled(self, connection):
        return connection.pull_repayments

    # ------------------------------------------------------------------ what Ramp lists

    def _watch_listings(self, connection, since):
        return [{}]

    def _ask_each(self, client, ramp_ids):
        """EXTENDS: nothing can be asked for; what a list of everything does not show is gone."""
        there = {payload['id'].lower(): payload for payload in client.list_objects(self._endpoint)
                 if isinstance(payload, dict) and isinstance(payload.get('id'), str)}
        for ramp_id in ramp_ids:
            yield ramp_id, there.get(ramp_id)

    def _refresh_lost(self, connection, client, started):
        """Everything is listed in each run, and nothing can be asked for: what is not listed is gone."""
        self._transaction(self._skip_lost, connection, started)
        return []

    def _skip_lost(self, connection, started):
        self._skip_unlisted(self.env['ramp.record']._lost(connection, self._flow, started, LOST_PER_RUN))

    def _read(self, payload):
        return read_repayment(payload)

    def _facts(self, value):
        """What is booked of a repayment; of one that is not repaid any more the status alone says so."""
        if value.status != 'REPAID':
            return {'status': value.status}
        return {
            'amount': str(value.amount), 'transaction': value.original_transaction_id, 'user': value.user_id,
            'method': value.funding_method, 'repaid': str(value.repaid_at)}

    def _row(self, connection, value):
        return {
            'name': self.env._('Repayment: %s', value.amount or '-'), 'date': self._day(connection, value.repaid_at),
            'money': value.amount and -value.amount, 'parent_ramp_id': self._original_id(value),
            'ramp_entity_id': value.entity_id, 'has_moved': value.status == 'REPAID',
        }

    @staticmethod
    def _original_id(value):
        return value.original_transaction_id and value.original_transaction_id.lower()

    def _is_synced(self, payload):
        return False

    def _is_ready(self, payload):
        return True

    def _stored(self, connection, rows, asked):
        told = {row['ramp_id']: row for row in rows if 'value' in row}
        self._withdraw(connection, told, {
            ramp_id: self._status_in_words(row['value'].status) for ramp_id, row in told.items() if row['value'].status != 'REPAID'})
        return super()._stored(connection, rows, asked)

    @api.model
    def _status_in_words(self, status):
        return {
            'AWAITING_MANUAL_REPAYMENT': self.env._('The employee is to repay it outside of Ramp.'),
            'AWAITING_PAYMENT': self.env._('The employee is to repay it; the money has not arrived.'),
            'NONE': self.env._('Ramp expects no repayment.'),
            'REPAYMENT_FAILED': self.env._('The repayment failed in Ramp.'),
            'REQUESTED_BY_REVIEWER': self.env._('A reviewer asked the employee to repay it.'),
        }[status]

    # ------------------------------------------------------------------ looking up

    def _prepare(self, connection, client, ramp_ids):
        """Link people we have not met to employees, by e-mail: a repayment names only Ramp's user id."""
        self.env.cr.execute(
            """
            SELECT DISTINCT lower(payload ->> 'user_id') FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND ramp_id = ANY(%s) AND res_id IS NULL AND payload ->> 'status' = 'REPAID'
            """, (connection.id, self._flow, ramp_ids))
        users = {row[0] for row in self.env.cr.fetchall() if row[0]}
        unknown = users - set(self._employees(connection, users))
        self.env.cr.rollback()
        if unknown:
            self._transaction(self.env['hr.employee']._ramp_link, connection, self._ramp_users(client), unknown)

    def _look_up(self, connection, values):
        originals = {identity for identity in map(self._original_id, values) if identity}
        booked = self._look_up_booked(connection, 'transaction', originals, ['name', 'state', 'error_message'], [
            'state', 'name', 'ref', 'journal_id', 'currency_id'])
        moves, lines = self.env['account.move'].union(*(move for _row, move in booked.values())), {}
        for line in self.env['account.move.line'].search_fetch(
                [('move_id', 'in', moves.ids)],
                ['move_id', 'account_id', 'partner_id', 'name', 'currency_id', 'amount_currency', 'balance', 'analytic_distribution',
                 'tax_ids', 'tax_tag_ids', 'tax_line_id', 'tax_repartition_line_id', 'tax_group_id', 'group_tax_id', 'tax_base_amount',
                 'display_type'], order='id'):
            lines.setdefault(line.move_id, []).append(line)
        return {
            **self._look_up_books(connection, [], {value.amount.currency for value in values if value.amount}),
            'originals': booked, 'lines': lines,
            'taken': self._look_up_taken(connection, originals), 'expenses': self._look_up_expenses(moves),
            **self._look_up_people(connection, {value.user_id.lower() for value in values if value.user_id}),
        }

    def _look_up_taken(self, connection, originals):
        """What former repayments took of each line of the originals: {transaction id: {line id: [minor, minor of the company]}}."""
        taken = {}
        for row in self.env['ramp.record'].search_fetch(
                [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('parent_ramp_id', 'in', list(originals)),
                 ('res_id', '!=', False)], ['parent_ramp_id', 'noted']):
            for line_id, amount, balance in (row.noted or {}).get('shares', []):
                sums = taken.setdefault(row.parent_ramp_id, {}).setdefault(line_id, [0, 0])
                sums[0] += amount
                sums[1] += balance
        return taken

    def _look_up_expenses(self, moves):
        expenses = self.env['hr.expense'].search_fetch(
            [('account_move_id', 'in', moves.ids)], ['account_move_id', 'employee_id', 'vendor_id', 'state'])
        return {expense.account_move_id: expense for expense in expenses}

    # ------------------------------------------------------------------ deciding

    def _plan(self, connection, value, found):
        self._check_state(connection, value)
        row, original = self._plan_original(value, found)
        journal, account = self._plan_account(connection, value)
        self._plan_currency(connection, value.amount.currency, found, rate=1, amounts=[value.amount.minor])  # that of the original
        day = self._day(connection, value.repaid_at)
        if not day:
            raise Held(self.env._('It has no date. Ask Ramp; it cannot be booked on a day that is not known.'))
        spend = [line for line in found['lines'][original] if line.account_id != original.journal_id.default_account_id]
        employee = self._plan_employee(connection, value, original, found)
        date = self._plan_entry_date(connection, day, journal, found, any(line.tax_ids or line.tax_line_id for line in spend))
        shares, balance = self._plan_shares(connection, value, original, spend, found)  # last: it counts as taken from here on
        return Plan(value, original, date, journal, account, employee, shares, balance, self.env._(
            'Repayment of %(original)s %(id)s', original=clean(original.ref) or row.name, id=value.id[:8]),
            found['expenses'].get(original, self.env['hr.expense']).filtered(lambda expense: expense.state != 'refused'))

    def _check_state(self, connection, value):
        if value.status in ('NONE', 'REPAYMENT_FAILED'):
            raise Skipped(self._status_in_words(value.status))
        if value.status != 'REPAID':
            raise Waiting(self._status_in_words(value.status))
        if value.amount.minor <= 0:
            raise Held(self.env._('Its amount is %s. Look at it in Ramp.', value.amount))

    def _plan_original(self, value, found):
        """(row, entry) of the card transaction that is repaid; raises `Waiting` or `Held` where there is none to take back."""
        identity = self._original_id(value)
        if not identity:
            raise Held(self.env._('Ramp does not say which card transaction is repaid. Book it by hand, and ignore this one.'))
        row, original = found['originals'].get(identity, (None, None))
        if not row:
            raise Waiting(self.env._(
                'The card transaction it repays has not come from Ramp: %s. If it was spent before the start date, book the repayment by '
                'hand, and ignore this one.', identity))
        if row.state == 'ignored' and not original:
            raise Held(self.env._(
                'The card transaction it repays, %(name)s, is left out of the books: %(reason)s Book the repayment by hand, and ignore '
                'this one.', name=row.name, reason=row.error_message))
        if not original:
            raise Waiting(self.env._('The card transaction it repays is not booked: %(name)s. %(reason)s', name=row.name,
                                     reason=row.error_message or row.status))
        if original.state == 'draft':
            raise Waiting(self.env._('The card transaction it repays is a draft in Odoo. Post it: %s', row.name))
        if original.state != 'posted':
            raise Held(self.env._('The card transaction it repays is cancelled in Odoo: %s', original.name), original)
        return row, original

    def _plan_account(self, connection, value):
        """(journal, account) of what arrives: the bank, or wherever the connection says that it arrives otherwise."""
        if value.funding_method in BANK_METHODS:
            if not connection.payment_journal_id:
                raise Held(self.env._('The connection %s has no payment journal. Choose one.', connection.name))
            _method, account = self.env['ramp.flow.payment']._bank(connection, connection.payment_journal_id, 'inbound')
            return connection.payment_journal_id, account
        if value.funding_method not in OTHER_METHODS:
            raise Held(self.env._(
                'It was repaid by %s, which this connector does not know. Ask for a new version.', value.funding_method or '-'))
        if not connection.repayment_account_id:
            raise Held(self.env._(
                'It was repaid outside of the bank (%(method)s). Choose the account under "Repayments outside of the Bank" on the '
                'connection %(name)s.', method=value.funding_method, name=connection.name))
        return connection.card_journal_id, connection.repayment_account_id

    def _plan_employee(self, connection, value, original, found):
        """Whoever repaid it: the employee of the Ramp user, else of the original's expense."""
        if value.user_id and value.user_id.lower() in found['questions']:
            raise Held(found['questions'][value.user_id.lower()])
        spent = found['expenses'].get(original, self.env['hr.expense'])
        employee = found['employees'].get(value.user_id.lower()) if value.user_id else spent.employee_id
        if not employee or not value.user_id and employee == connection.fallback_employee_id:
            raise Held(self.env._(
                'Whoever repaid it (%(user)s) is not an employee of %(company)s. Give the employee in Odoo the login, or without '
                'one the work e-mail, that the person has in Ramp.', user=value.user_id or '-', company=connection.company_id.name))
        return employee

    def _plan_shares(self, connection, value, original, spend, found):
        """([(line, units, units of the company's currency)], sum of the latter): what the repayment takes of each line's rest."""
        company = connection.company_id.currency_id
        currency = original.currency_id
        if any(line.account_id.account_type in UNUSUAL for line in spend):
            raise Held(self.env._('The card transaction it repays pays a bill: %s. Book the repayment by hand, and ignore this one.',
                                  original.name), original)
        if value.amount.currency != currency.name or any(line.currency_id != currency for line in spend):
            raise Held(self.env._('It is in %(currency)s, but the card transaction %(original)s is in %(other)s.',
                                  currency=value.amount.currency, original=original.name, other=currency.name), original)
        whole = [(self._units(line.amount_currency, currency), self._units(line.balance, company)) for line in spend]
        amount = self._own_units(value.amount.minor, currency)
        taken = found['taken'].setdefault(self._original_id(value), {})
        total, done = sum(minor for minor, _balance in whole), sum(minor for minor, _balance in taken.values())
        if amount > total - done:
            raise Held(self.env._(
                'It is %(amount)s, but only %(rest)s of the card transaction %(original)s is not repaid yet. Look at its repayments in '
                'Ramp.', amount=value.amount, original=original.name,
                rest=f'{self._amount(total - done, currency):.{currency.decimal_places}f} {currency.name}'), original)
        rest = whole
        if set(taken) <= {line.id for line in spend}:  # else the original was booked anew since: its parts are the best there is
            rest = [(minor - taken.get(line.id, (0, 0))[0], balance - taken.get(line.id, (0, 0))[1])
                    for line, (minor, balance) in zip(spend, whole, strict=True)]
        shares, balances = take(amount, rest, currency == company)
        for line, minor, part in zip(spend, shares, balances, strict=True):
            sums = taken.setdefault(line.id, [0, 0])
            taken[line.id] = [sums[0] + minor, sums[1] + part]
        return list(zip(spend, shares, balances, strict=True)), sum(balances)

    # ------------------------------------------------------------------ booking

    def _book(self, connection, plans):
        self._contacts(self.env['hr.employee'].union(*(plan.employee for plan in plans)))
        spend = {plan.repayment.id: self._spend_values(plan) for plan in plans}
        expenses, _again = self.env['ramp.card.expense']._save(connection, {
            plan.repayment.id: (self._expense_values(connection, plan), spend[plan.repayment.id]) for plan in plans if plan.spent})
        # complete as they are: core would make taxes anew that were rounded to nothing
        moves = self.env['account.move'].with_context(**QUIET, ramp_one_sequence={}, skip_invoice_sync=True).create(
            [self._move_values(connection, plan, spend[plan.repayment.id], expenses.get(plan.repayment.id, plan.spent.browse()))
             for plan in plans])
        moves._post(soft=False)
        rows = {row.ramp_id: row for row in self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', [plan.repayment.id for plan in plans])],
            ['ramp_id'])}
        self.env['ramp.record']._note({
            rows[plan.repayment.id].id: {'shares': [[line.id, minor, balance] for line, minor, balance in plan.shares]} for plan in plans})
        self._tell(plans, moves)
        return moves

    def _spend_values(self, plan):
        """What is taken back of each line of the original."""
        currency, company = plan.original.currency_id, plan.original.company_currency_id
        return [self._mirrored(line, self._amount(-minor, currency), self._amount(-balance, company))
                for line, minor, balance in plan.shares if minor or balance or line.tax_ids or line.tax_line_id]

    def _expense_values(self, connection, plan):
        """An expense that takes back as much of the original's, as that of a refund does: together they are what the company spent."""
        return {
            'name': plan.label, 'employee_id': plan.employee.id, 'date': plan.date, 'currency_id': plan.original.currency_id.id,
            'total_amount_currency': -self._float(plan.repayment.amount.minor, plan.original.currency_id),
            'total_amount': -self._amount(plan.balance, connection.company_id.currency_id), 'vendor_id': plan.spent.vendor_id.id}

    def _move_values(self, connection, plan, spend, expense):
        company, currency = connection.company_id.currency_id, plan.original.currency_id
        contact = plan.employee.work_contact_id
        arrived = {
            'account_id': plan.account.id, 'partner_id': contact.id, 'name': plan.label, 'currency_id': currency.id,
            'amount_currency': self._float(plan.repayment.amount.minor, currency), 'balance': self._amount(plan.balance, company),
            'analytic_distribution': {}, 'tax_ids': [Command.clear()]}
        return {
            'move_type': 'entry', 'ramp_id': plan.repayment.id, 'company_id': connection.company_id.id, 'journal_id': plan.journal.id,
            'partner_id': contact.id, 'currency_id': currency.id, 'date': plan.date, 'ref': plan.label,
            'expense_ids': [Command.set(expense.ids)], 'line_ids': [Command.create(values) for values in (arrived, *spend)]}

    @staticmethod
    def _mirrored(line, amount, balance):
        """A line that takes back a part of another one; of a taxed one also its part of the tax report."""
        return {
            'account_id': line.account_id.id, 'partner_id': line.partner_id.id, 'name': line.name, 'currency_id': line.currency_id.id,
            'amount_currency': amount, 'balance': balance, 'analytic_distribution': line.analytic_distribution or {},
            'tax_ids': [Command.set(line.tax_ids.ids)], 'tax_tag_ids': [Command.set(line.tax_tag_ids.ids)],
            'tax_repartition_line_id': line.tax_repartition_line_id.id, 'group_tax_id': line.group_tax_id.id,
            'tax_base_amount': line.company_currency_id.round(line.tax_base_amount * balance / line.balance) if line.balance else 0.0,
            'is_storno': line.company_id.account_storno and not line.is_storno,  # as core has it in reversals
        }

    def _tell(self, plans, moves):
        """A line on the page of each entry, and of what it takes back."""
        bodies, originals = {}, {}
        for plan, move in zip(plans, moves, strict=True):
            bodies[move.id] = self.env._('Takes back a part of %s.', plan.original._get_html_link())
            originals.setdefault(plan.original, []).append(self.env._(
                '%(amount)s was repaid by the employee: %(entry)s', amount=plan.repayment.amount, entry=move._get_html_link()))
        moves._message_log_batch(bodies=bodies)
        moves.browse(original.id for original in originals)._message_log_batch(
            bodies={original.id: Markup('<br/>').join(texts) for original, texts in originals.items()})


def take(amount, rest, is_company_currency):
    """What an amount takes of each line: (minor units of its currency, of the company's), two lists.

    :param rest: what is left of each line, (minor units of its currency, of the company's)
    """
    shares = allocate(amount, [minor for minor, _balance in rest])
    if is_company_currency:
        return shares, shares
    total, whole = sum(minor for minor, _balance in rest), sum(balance for _minor, balance in rest)
    part = allocate(whole, [amount, total - amount])[0]
    return shares, allocate(part, [balance for _minor, balance in rest])
