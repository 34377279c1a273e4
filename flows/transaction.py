# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import datetime
from collections import defaultdict

from odoo import Command, api, models
from odoo.fields import Domain

from ..ramp_api import PayloadError, RampScopeError, Transaction, allocate, read_transaction, read_user, to_company_date
from ..ramp_api.money import exponent
from .coding import Coding, Uncodable
from .flow import Held, Skipped, Waiting

# Mail would be sent, and followers and log lines written, for documents nobody here typed: one line on the
# document says where it comes from.
QUIET = {'mail_create_nosubscribe': True, 'mail_create_nolog': True, 'tracking_disable': True, 'mail_notrack': True}
DIRECTIONS = '\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069'  # they could make a name read as another
NAME_LENGTH = 200  # characters of a merchant's own text that fit into names and references


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a transaction. Amounts with the tax that `coding` names, in minor units; `balance` in company currency."""

    coding: Coding
    amount: int
    balance: int
    name: str


@dataclasses.dataclass(frozen=True)
class Plan:
    """What will be booked for one transaction. Amounts are integers in minor units, spend is positive."""

    transaction: Transaction
    date: datetime.date  # of the expense: the accounting date in the company's time zone
    entry_date: datetime.date  # of the entry: later than `date` where the period was closed
    currency: models.Model
    lines: list  # of Line
    balance: int  # of the whole, in minor units of the company's currency
    employee: models.Model
    partner: models.Model
    label: str


class RampFlowTransaction(models.AbstractModel):
    """Card transactions: one company-paid expense and one journal entry each.

    The entry debits the account of every line of the transaction and credits the card liability with exactly the settled
    amount; a refund is the mirror image. Schema: Transaction of GET /transactions.
    """

    _name = 'ramp.flow.transaction'
    _inherit = 'ramp.flow.pull'
    _description = 'Ramp Flow: card transactions'

    _flow = 'transaction'
    _flow_sequence = 10
    _endpoint = '/transactions'
    _sync_type = 'TRANSACTION_SYNC'

    @api.model
    def _flow_label(self):
        return self.env._('Card transactions')

    @api.model
    def _page(self, record):
        return f'/details/transactions/{record.ramp_id}'

    def _list_params(self, connection):
        params = {'sync_status': 'SYNC_READY', 'from_date': connection._start_moment(), 'order_by_date_asc': 'true'}
        if connection.ramp_entity_id:
            params['entity_id'] = connection.ramp_entity_id
        return params

    def _read(self, payload):
        return read_transaction(payload)

    def _facts(self, value):
        facts = dataclasses.asdict(value)
        for key in ('receipts', 'sync_status', 'synced_at', 'statement_id'):
            del facts[key]
        return facts

    def _row(self, connection, value):
        return {
            'name': _label(value), 'date': self._date(connection, value), 'money': value.amount,
            'parent_ramp_id': value.original_transaction_id,
        }

    def _date(self, connection, value):
        """The day of the books: Ramp's accounting date, else settlement, else purchase, in the company's time zone.

        An accounting date of exactly midnight UTC is a day that a person or Ramp chose, not a moment: it stays that day.
        """
        chosen = value.accounting_date
        if chosen and chosen.time() == datetime.time.min:
            return chosen.date()
        moment = chosen or value.settlement_date or value.user_transaction_time
        return moment and to_company_date(moment, connection._timezone())

    # ------------------------------------------------------------------ cardholders

    def _prepare(self, connection, client, ramp_ids):
        """Link cardholders we have not met to employees, by e-mail: a transaction names only Ramp's user id."""
        self.env.cr.execute(
            """
            SELECT DISTINCT lower(payload #>> '{card_holder,user_id}') FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND ramp_id = ANY(%s) AND res_id IS NULL
            """, (connection.id, self._flow, ramp_ids))
        users = {row[0] for row in self.env.cr.fetchall() if row[0]}
        known = self._employees(connection, users)
        self.env.cr.rollback()
        unknown = users - set(known)
        if unknown:
            self._transaction(self.env['hr.employee']._ramp_link, connection, self._ramp_users(client), unknown)

    def _ramp_users(self, client):
        """All users of the Ramp business, read once in a run."""
        memory = self.env.context.get('ramp_memory', {})
        if 'users' not in memory:
            users = []
            try:
                # suspended users are left out unless asked for, and a suspended cardholder's spend is still to be booked
                for params in ({}, {'status': 'USER_SUSPENDED'}):
                    for page in client.pages('/users', params):
                        users += page.rows
            except RampScopeError:
                users = []  # the sentence on the row names the remedy
            memory['users'] = []
            for user in users:
                try:
                    memory['users'].append(read_user(user))
                except PayloadError:
                    continue  # a user we cannot read stays unknown, and the transaction's row says so
        return memory['users']

    def _employees(self, connection, users):
        """Employees of the company by Ramp user id, archived ones too: people leave, and their spend stays."""
        employees = self.env['hr.employee'].with_context(active_test=False).search_fetch(
            [('ramp_user_id', 'in', list(users)), ('company_id', '=', connection.company_id.id)], ['ramp_user_id'])
        return {employee.ramp_user_id: employee for employee in employees}

    # ------------------------------------------------------------------ looking up, and deciding

    def _look_up(self, connection, values):
        company = connection.company_id
        found = self.env['ramp.coding']._look_up(
            connection, [selection for value in values for line in value.lines for selection in line.selections])
        merchants = {_clean(value.merchant_name) for value in values if value.merchant_name}
        vendors = defaultdict(list)
        partners = self.env['res.partner'].search_fetch(
            Domain('name', 'in', list(merchants)) & Domain('supplier_rank', '>', 0) & Domain('parent_id', '=', False)
            & Domain('company_id', 'in', [False, company.id]), ['name'])
        for partner in partners:
            vendors[partner.name].append(partner)
        currencies = {value.amount.currency: self.env['ramp.coding']._currency(value.amount.currency) for value in values}
        foreign = [currency.id for currency in currencies.values() if currency and currency != company.currency_id]
        rated = {currency for [currency] in self.env['res.currency.rate']._read_group(
            [('currency_id', 'in', foreign), ('company_id', 'in', [False, company.root_id.id])], ['currency_id'])} if foreign else set()
        return {
            **found, 'currencies': currencies, 'rated': rated, 'vendors': vendors, 'locks': {}, 'rates': {},
            'employees': self._employees(connection, {value.user_id for value in values if value.user_id}),
        }

    def _plan(self, connection, value, found):
        self._check_state(connection, value)
        currency = self._plan_currency(connection, value, found)
        date = self._date(connection, value)
        if not date:
            raise Held(self.env._('It has no date. Ask Ramp; it cannot be booked on a day that is not known.'))
        entry_date = self._plan_entry_date(connection, date, found)
        label = _label(value)
        coded = []
        for number, line in enumerate(value.lines, 1):
            try:
                coding = self.env['ramp.coding']._decode(line.selections, found)
            except Uncodable as reason:
                if len(value.lines) == 1:
                    raise Held(str(reason)) from reason
                raise Held(self.env._(
                    'Line %(number)s (%(amount)s): %(reason)s', number=number, amount=line.amount, reason=reason)) from reason
            if coding.account == connection.card_account_id:
                raise Held(self.env._(
                    'It is coded to the card liability itself (%s). Choose an expense account in Ramp.', coding.account.display_name))
            coded.append(coding)
        amounts = [line.amount.minor for line in value.lines]
        balance, balances = self._plan_balances(connection, value, currency, entry_date, amounts, found)
        return Plan(
            transaction=value, date=date, entry_date=entry_date, currency=currency, label=label, balance=balance,
            lines=[Line(coding, line.amount.minor, part, _clean(line.memo) or label)
                   for coding, line, part in zip(coded, value.lines, balances, strict=True)],
            employee=self._plan_employee(connection, value, found),
            partner=self._plan_partner(connection, value, coded, found),
        )

    def _check_state(self, connection, value):
        if value.state in ('DECLINED', 'ERROR'):
            raise Skipped(self.env._('No money moved: Ramp says %s.', value.state))
        if value.state != 'CLEARED':
            raise Waiting(self.env._('It has not settled in Ramp yet (%s).', value.state))
        if connection.ramp_entity_id and value.entity_id and value.entity_id != connection.ramp_entity_id.lower():
            raise Held(self.env._('It belongs to another Ramp entity than this connection.'))
        if not connection.card_journal_id.default_account_id:
            raise Held(self.env._('The connection %s has no card journal with a default account. Choose one.', connection.name))

    def _plan_currency(self, connection, value, found):
        code = value.amount.currency
        currency = found['currencies'][code]
        if not currency:
            raise Held(self.env._('The currency %s does not exist in Odoo. Create it, or ask Ramp.', code))
        if not currency.active:
            raise Held(self.env._(
                'The currency %s is not active in Odoo. Activate it under Accounting > Configuration > Currencies.', code))
        if currency.decimal_places < exponent(code):
            raise Held(self.env._(
                'Odoo rounds %(code)s to %(odoo)s decimals, but it has %(real)s. Correct the rounding factor of the currency.',
                code=code, odoo=currency.decimal_places, real=exponent(code)))
        if currency != connection.company_id.currency_id and currency not in found['rated']:
            raise Held(self.env._(
                'Odoo has no exchange rate for %s. Enter one under Accounting > Configuration > Currencies.', code))
        return currency

    def _plan_entry_date(self, connection, date, found):
        """The day of the entry; a closed period is respected as the connection says."""
        if date not in found['locks']:
            found['locks'][date] = connection.company_id._get_violated_lock_dates(date, False, connection.card_journal_id)
        locks = found['locks'][date]
        if not locks:
            return date
        if connection.lock_date_policy == 'next_open':
            return locks[-1][0] + datetime.timedelta(days=1)
        raise Held(self.env._(
            'The accounting period is closed: %(date)s is on or before the lock date %(lock)s. Reopen the period, or let the '
            'connection book on the first open day.', date=date, lock=locks[-1][0]))

    def _plan_balances(self, connection, value, currency, date, amounts, found):
        """(total, per line) in minor units of the company's currency. The total is converted once and then spread,
        so that the lines add up to it whatever the rate."""
        company = connection.company_id
        if currency == company.currency_id:
            return value.amount.minor, amounts
        if (currency, date) not in found['rates']:
            found['rates'][currency, date] = self.env['res.currency']._get_conversion_rate(currency, company.currency_id, company, date)
        rate = found['rates'][currency, date]
        places = company.currency_id.decimal_places
        total = round(company.currency_id.round(float(value.amount.decimal) * rate) * 10 ** places)
        if not value.amount.minor:
            # lines that cancel each other out: converted one by one, the last one takes the rest
            shares = [round(float(amount) / 10 ** currency.decimal_places * rate * 10 ** places) for amount in amounts]
            shares[-1] -= sum(shares)
            return 0, shares
        return total, allocate(total, amounts)

    def _plan_employee(self, connection, value, found):
        employee = found['employees'].get(value.user_id) or connection.fallback_employee_id
        if not employee:
            raise Held(self.env._(
                'The cardholder %(name)s is not an employee of %(company)s. Give the employee in Odoo the work e-mail that '
                'the person has in Ramp, or choose a fallback employee on the connection.',
                name=value.card_holder_name or value.user_id or self.env._('(unknown)'), company=connection.company_id.name))
        return employee

    def _plan_partner(self, connection, value, coded, found):
        """The payee: the supplier the spend is coded to, else the one that has the merchant's name, else "card merchant"."""
        chosen = self.env['res.partner'].union(*(coding.partner for coding in coded))
        vendors = found['vendors'].get(_clean(value.merchant_name), [])
        if len(chosen) == 1:
            return chosen
        return vendors[0] if len(vendors) == 1 else connection.merchant_partner_id

    # ------------------------------------------------------------------ booking

    def _book(self, connection, plans):
        Expense = self.env['hr.expense'].with_context(**QUIET)
        # One whose entry was deleted in Odoo is there already, and is used again.
        expenses = {expense.ramp_id: expense for expense in Expense.search_fetch(
            [('ramp_id', 'in', [plan.transaction.id for plan in plans])], ['ramp_id'])}
        again = [plan for plan in plans if plan.transaction.id in expenses]
        for plan in again:
            expenses[plan.transaction.id].write(self._expense_values(connection, plan))
        expenses.update((expense.ramp_id, expense) for expense in Expense.create(
            [self._expense_values(connection, plan) for plan in plans if plan.transaction.id not in expenses]))
        moves = self.env['account.move'].with_context(**QUIET, ramp_one_sequence={}).create(
            [self._move_values(connection, plan, expenses[plan.transaction.id]) for plan in plans])
        if connection.card_post == 'post':
            moves._post(soft=False)
        for plan, move in zip(plans, moves, strict=True):
            if plan in again:  # the receipts went with the deleted entry; the expense still has them
                for attachment in expenses[plan.transaction.id].attachment_ids:
                    attachment.copy({'res_model': 'account.move', 'res_id': move.id})
        self.env['ramp.flow.receipt']._expect(connection, {plan.transaction.id: plan.transaction.receipts for plan in plans})
        return moves

    def _expense_values(self, connection, plan):
        coding = plan.lines[0].coding
        taxes = {line.coding.tax for line in plan.lines}
        company = connection.company_id
        return {
            'name': plan.label,
            'ramp_id': plan.transaction.id,
            'employee_id': plan.employee.id,
            'company_id': company.id,
            'product_id': connection.expense_product_id.id,
            'payment_mode': 'company_account',
            # paid from the card journal; left to itself, core would ask for each expense and take any journal of the company
            'payment_method_line_id': connection.card_journal_id.outbound_payment_method_line_ids[:1].id,
            'date': plan.date,
            'currency_id': plan.currency.id,
            'total_amount_currency': float(plan.transaction.amount.decimal),
            'total_amount': plan.balance / 10 ** company.currency_id.decimal_places,
            'tax_ids': [Command.set(coding.tax.ids if len(taxes) == 1 else [])],
            'account_id': coding.account.id,
            'analytic_distribution': coding.distribution if len(plan.lines) == 1 else False,
            'vendor_id': plan.partner.id,
            'description': _clean(plan.transaction.memo),
            'approval_state': 'approved',
            'approval_date': self.env.cr.now().replace(microsecond=0),
        }

    def _move_values(self, connection, plan, expense):
        places, company_places = plan.currency.decimal_places, connection.company_id.currency_id.decimal_places
        scale, company_scale = 10 ** exponent(plan.currency.name), 10 ** company_places

        def line(account, amount, balance, name, partner, distribution=False):
            return {
                'account_id': account.id, 'partner_id': partner.id, 'name': name, 'currency_id': plan.currency.id,
                'amount_currency': round(amount / scale, places), 'balance': round(balance / company_scale, company_places),
                'analytic_distribution': distribution, 'tax_ids': [Command.clear()],
            }

        debits = []
        for part in plan.lines:
            partner = part.coding.partner or plan.partner
            values = line(part.coding.account, part.amount, part.balance, part.name, partner, part.coding.distribution)
            debits += self._with_tax(connection, plan, part, partner, values) if part.coding.tax else [values]
        return {
            'move_type': 'entry',
            'ramp_id': plan.transaction.id,
            'company_id': connection.company_id.id,
            'journal_id': connection.card_journal_id.id,
            'partner_id': plan.partner.id,
            'currency_id': plan.currency.id,
            'date': plan.entry_date,
            'ref': plan.label,
            'expense_ids': [Command.set(expense.ids)],
            'line_ids': [
                *(Command.create(values) for values in debits),
                Command.create(line(
                    connection.card_account_id, -plan.transaction.amount.minor, -plan.balance, plan.label, plan.partner)),
            ],
        }

    def _with_tax(self, connection, plan, part, partner, values):
        """The journal items of a line that is coded with a tax: Ramp's amount includes it, to the cent.

        Odoo's own tax computation says how much of the amount is tax and where it goes; the base takes whatever is left, so that
        the items of the line add up to Ramp's amount in both currencies.
        """
        AccountTax, company = self.env['account.tax'], connection.company_id
        base = AccountTax._prepare_base_line_for_taxes_computation(
            {}, tax_ids=part.coding.tax, price_unit=values['amount_currency'], quantity=1.0, currency_id=plan.currency,
            special_mode='total_included', is_refund=part.amount < 0, partner_id=partner, account_id=part.coding.account,
            analytic_distribution=part.coding.distribution or None,
            rate=values['amount_currency'] / values['balance'] if values['balance'] else 1.0)
        AccountTax._add_tax_details_in_base_lines([base], company)
        AccountTax._round_base_lines_tax_details([base], company)
        AccountTax._add_accounting_data_in_base_lines_tax_details([base], company, include_caba_tags=True)
        result = AccountTax._prepare_tax_lines([base], company)
        [(_base, update)] = result['base_lines_to_update']
        taxes = result['tax_lines_to_add']
        left = {
            key: currency.round(values[key] - sum(tax[key] for tax in taxes))
            for key, currency in (('amount_currency', plan.currency), ('balance', company.currency_id))}
        return [{**values, **left, 'tax_ids': [Command.set(part.coding.tax.ids)], 'tax_tag_ids': update['tax_tag_ids']}, *taxes]


def _clean(text):
    """A text of a merchant or of Ramp for one line of ours: no line breaks, no control or direction characters."""
    if not text:
        return False
    kept = ''.join(' ' if char.isspace() else char for char in text
                   if char.isspace() or (char.isprintable() and char not in DIRECTIONS))
    return ' '.join(kept.split())[:NAME_LENGTH] or False


def _label(value):
    """What a person reads first: the merchant, or what the statement says."""
    return _clean(value.merchant_name) or _clean(value.merchant_descriptor) or _clean(value.memo) or value.id
