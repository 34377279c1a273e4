# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import defaultdict
from datetime import date, timedelta

from odoo import api, fields, models
from odoo.fields import Domain

from .check_answers import CheckResult
from .ramp_record import OPEN_STATES

# What Odoo offers for coding, and the objects that are coded with it
CHART_FLOWS = ('account', 'analytic_plan', 'analytic_account', 'tax_rate', 'tax_code', 'accounting_vendor')
CODED_FLOWS = ('transaction', 'bill', 'vendor_credit', 'reimbursement')
# Open objects whose coding is looked at, the newest ones
MOST_ROWS = 200
# Currencies of objects of this time count, and a rate counts as old after that time
CURRENCY_TIME, RATE_AGE = timedelta(days=365), timedelta(days=31)
# Journals of a connection with their types in Odoo. The card journal is created, so it has none.
JOURNAL_TYPES = {'bill_journal_id': 'purchase', 'payment_journal_id': 'bank'}
JOURNAL_FIELDS = (
    'card_journal_id',
    'bill_journal_id',
    'payment_journal_id',
    'vendor_credit_journal_id',
    'reimbursement_journal_id',
    'statement_journal_id',
    'manual_payment_journal_id',
)


class RampConnectionCheck(models.Model):
    """Checks of the books: whether what comes from Ramp can be posted, and agrees with what is there."""

    _inherit = 'ramp.connection.check'

    # ------------------------------------------------------------------ coding

    def _judge_chart(self, connection, answers):
        Account = self.env['account.account']
        if not Account.search_count(
            [*Account._check_company_domain(connection.company_id), ('account_type', '=like', 'expense%')], limit=1
        ):
            return CheckResult('error', 'missing', {'company': connection.company_id.name}, 'chart_settings')
        if connection.account_policy == 'types' and not connection.account_type_ids:
            return CheckResult('error', 'untyped', fix_name='connection')
        if connection.state != 'connected':
            return CheckResult('ok', 'draft')
        Record = self.env['ramp.record']
        refused = Record.search_count(self._refused_rows_domain(connection))
        if refused:
            return CheckResult('warning', 'refused', {'count': refused}, 'chart_rows')
        # Connections to one Ramp business share its accounts, and the oldest one sends them
        accounts = Record.search_count(
            self.env['ramp.flow.account']._rows_of_business_domain(connection)
            & Domain('flow', '=', 'account')
            & Domain('state', '=', 'confirmed')
        )
        if not accounts:
            return CheckResult('warning', 'unsent', fix_name='compare_chart')
        return CheckResult('ok', 'sent', {'count': accounts})

    def _refused_rows_domain(self, connection):
        return [('connection_id', '=', connection.id), ('flow', 'in', CHART_FLOWS), ('state', 'in', ('error', 'held'))]

    def _judge_coding(self, connection, answers):
        if connection.state == 'draft':
            return CheckResult('ok', 'draft')
        rows = self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', 'in', CODED_FLOWS), ('state', 'in', OPEN_STATES)],
            ['flow', 'payload'],
            order='id desc',
            limit=MOST_ROWS,
        )
        selections = []
        for row in rows.filtered('payload'):
            try:
                value = self.env[f'ramp.flow.{row.flow}']._read_payload(row.payload)
            except Exception:
                # Whatever is odd about an object, its row says so. Nothing is read from the database here.
                continue
            selections += [selection for line in value.lines for selection in line.selections]
        unknown = self.env['ramp.coding']._find_unknown_options(connection, selections) if selections else []
        if unknown:
            return CheckResult('warning', 'unknown', {'options': unknown, 'count': len(unknown)}, 'compare_chart')
        return CheckResult('ok', 'known')

    # ------------------------------------------------------------------ journals and accounts

    def _journals_that_are_needed(self, connection):
        """Return the names of the fields that have to be filled for what is switched on."""
        needed = ['card_journal_id']
        if connection.pull_bills or connection.pull_reimbursements or connection.pull_statements:
            needed += JOURNAL_TYPES
        if connection.pull_statements:
            needed.append('cashback_account_id')
        return needed

    def _judge_journals(self, connection, answers):
        needed = self._journals_that_are_needed(connection)
        missing = [name for name in needed if not connection[name]]
        Journal = self.env['account.journal']
        there = {
            kind
            for (kind,) in Journal._read_group(
                [*Journal._check_company_domain(connection.company_id), ('type', 'in', list(JOURNAL_TYPES.values()))],
                ['type'],
            )
        }
        absent = [name for name in missing if name in JOURNAL_TYPES and JOURNAL_TYPES[name] not in there]
        if absent:
            level = 'error' if connection.state == 'connected' else 'warning'
            return CheckResult(level, 'absent', {'absent_fields': absent}, 'journals')
        if missing and connection.state != 'connected':
            return CheckResult('ok', 'later', {'missing_fields': missing})
        if missing:
            return CheckResult('error', 'missing', {'missing_fields': missing}, 'complete_set_up')
        archived = connection.card_journal_id.browse(
            {journal.id for name in JOURNAL_FIELDS if (journal := connection[name]) and not journal.active}
        )
        if archived:
            return CheckResult('error', 'archived', {'names': archived.mapped('display_name')}, 'journals')
        account = connection.card_account_id
        if not account.active:
            case = 'archived_account' if account else 'no_account'
            return CheckResult('error', case, {'name': connection.card_journal_id.display_name}, 'journals')
        return CheckResult('ok', 'complete')

    # ------------------------------------------------------------------ currencies, lock dates, opening balance

    def _foreign_currencies(self, connection):
        """Return the currencies of the objects of the last year, without the company's own."""
        found = self.env['ramp.record']._read_group(
            [
                ('connection_id', '=', connection.id),
                ('currency_id', '!=', False),
                ('date', '>=', fields.Date.today() - CURRENCY_TIME),
            ],
            ['currency_id'],
        )
        return self.env['res.currency'].union(*(currency for (currency,) in found)) - connection.company_id.currency_id

    def _judge_currencies(self, connection, answers):
        currencies = self._foreign_currencies(connection)
        if not currencies:
            return CheckResult('ok', 'own', {'currency': connection.company_id.currency_id.name})
        latest = dict(
            self.env['res.currency.rate']._read_group(
                [
                    ('currency_id', 'in', currencies.ids),
                    ('company_id', 'in', [False, connection.company_id.root_id.id]),
                    ('name', '<=', fields.Date.today()),
                ],
                ['currency_id'],
                ['name:max'],
            )
        )
        inactive = currencies.filtered(lambda currency: not currency.active)
        if inactive:
            return CheckResult('error', 'inactive', {'names': inactive.mapped('name')}, 'currencies')
        unrated = currencies.filtered(lambda currency: currency not in latest)
        if unrated:
            return CheckResult('error', 'unrated', {'names': unrated.mapped('name')}, 'currencies')
        old = currencies.filtered(lambda currency: latest[currency] < fields.Date.today() - RATE_AGE)
        if old:
            oldest = min(latest[currency] for currency in old)
            parameters = {'names': old.mapped('name'), 'rate_date': fields.Date.to_string(oldest)}
            return CheckResult('warning', 'old', parameters, 'currencies')
        return CheckResult('ok', 'rated', {'names': currencies.mapped('name')})

    def _locked_until(self, connection):
        """Return the last day on which the jobs cannot post card spend or bills, or None."""
        company = connection.company_id
        last = max(
            company._get_user_fiscal_lock_date(journal)
            for journal in (connection.card_journal_id, connection.bill_journal_id)
        )
        return None if last == date.min else last

    def _locked_rows_domain(self, connection, last):
        return [
            ('connection_id', '=', connection.id),
            ('state', 'in', OPEN_STATES),
            ('is_withheld', '=', False),
            ('date', '>=', connection.start_date),
            ('date', '<=', last),
        ]

    def _judge_lock_dates(self, connection, answers):
        last = self._locked_until(connection)
        if not last or last < connection.start_date:
            return CheckResult('ok', 'open')
        parameters, is_held = {'lock_date': fields.Date.to_string(last)}, connection.lock_date_policy == 'hold'
        if last >= fields.Date.today():
            if is_held:
                return CheckResult('error', 'today', parameters, 'lock_dates')
            return CheckResult('warning', 'today_later', parameters, 'lock_dates')
        if not is_held:
            return CheckResult('ok', 'later', parameters)
        count = self.env['ramp.record'].search_count(self._locked_rows_domain(connection, last))
        if count:
            return CheckResult('warning', 'waiting', {**parameters, 'count': count}, 'locked_rows')
        return CheckResult('ok', 'locked', parameters)

    def _judge_opening_balance(self, connection, answers):
        if not connection.pull_statements:
            return CheckResult('ok', 'off')
        statements = [('connection_id', '=', connection.id), ('flow', '=', 'statement')]
        if not self.env['ramp.record'].search_count(statements, limit=1):
            return CheckResult('ok', 'none')
        report = self.env['report.ramp_connector.tie_out']
        report._flush_read_models()
        totals = defaultdict(lambda: defaultdict(float))
        for (_entity, currency_id), sides in report._balances_before_start(connection, set()).items():
            for side, amount in sides.items():
                totals[currency_id][side] += amount
        amounts = {'ramp': [], 'odoo': []}
        for currency in self.env['res.currency'].browse([currency for currency in totals if currency]):
            sides = totals[currency.id]
            if currency.compare_amounts(sides['ramp'], sides['odoo']):
                for side, shown in amounts.items():
                    shown.append(f'{currency.name} {sides[side]:.{currency.decimal_places}f}')
        if amounts['ramp']:
            start = {'start_date': fields.Date.to_string(connection.start_date)}
            return CheckResult('warning', 'differs', {**amounts, **start}, 'tie_out')
        return CheckResult('ok', 'agrees')

    # ------------------------------------------------------------------ words

    @api.model
    def _get_sentences(self):
        """EXTENDS: Add the sentences of these checks."""
        return {
            **super()._get_sentences(),
            ('chart', 'sent'): self.env._('Ramp has %(count)s accounts of Odoo, and refuses nothing that is offered.'),
            ('chart', 'missing'): self.env._(
                'The company %(company)s has no chart of accounts, so nothing could be posted. Install one in the '
                'settings of Accounting (Fiscal Localization).'
            ),
            ('chart', 'untyped'): self.env._(
                'No type of account is chosen on the page "Coding Options", so nobody in Ramp can code their spend. '
                'Choose at least one type, or offer all accounts.'
            ),
            ('chart', 'refused'): self.env._(
                'Ramp does not have %(count)s of the options that Odoo offers, because they failed or wait for a '
                'decision. Nobody can pick them in Ramp. Each record says the reason.'
            ),
            ('chart', 'unsent'): self.env._(
                'Ramp has no account of Odoo yet, so nobody in Ramp can code their spend. The job sends them within '
                'minutes of Connect. If it did, let Odoo compare everything with Ramp.'
            ),
            ('coding', 'known'): self.env._('Everything that waits is coded with options that Odoo knows.'),
            ('coding', 'unknown'): self.env._(
                'Objects that wait are coded with options that mean nothing in Odoo (%(count)s): %(options)s. They are '
                'not posted. Choose other options in Ramp, or unarchive them in Odoo. If an option is in Odoo, let '
                'Odoo compare everything with Ramp.'
            ),
            ('journals', 'complete'): self.env._('All journals and accounts that are needed are there.'),
            ('journals', 'later'): self.env._('When you press Connect, Odoo chooses or creates: %(missing_fields)s.'),
            ('journals', 'missing'): self.env._(
                'These fields of the connection are empty, so objects are put on hold: %(missing_fields)s. Choose them '
                'on the connection, or let Odoo choose or create them as it does when you press Connect.'
            ),
            ('journals', 'absent'): self.env._(
                'The company has no journal that fits these fields of the connection: %(absent_fields)s. Without them, '
                'objects are put on hold. Create a journal, and choose it on the connection.'
            ),
            ('journals', 'archived'): self.env._(
                'These journals are archived, so nothing can be posted in them: %(names)s. Unarchive them, or choose '
                'others on the connection.'
            ),
            ('journals', 'no_account'): self.env._(
                'The card journal %(name)s has no default account, so card spend is put on hold. Choose an account of '
                'the type Credit Card on the journal.'
            ),
            ('journals', 'archived_account'): self.env._(
                'The default account of the card journal %(name)s is archived, so card spend cannot be posted. '
                'Unarchive it. The tie-out compares this account with Ramp.'
            ),
            ('currencies', 'own'): self.env._('Everything of the last year is in %(currency)s.'),
            ('currencies', 'rated'): self.env._('These currencies occur, and have rates: %(names)s.'),
            ('currencies', 'inactive'): self.env._(
                'These currencies occur in Ramp and are not active in Odoo, so Odoo does not post entries in them: '
                '%(names)s. Activate them.'
            ),
            ('currencies', 'unrated'): self.env._(
                'These currencies occur in Ramp and have no rate in Odoo, so the objects are put on hold: %(names)s. '
                'Enter a rate that is as old as the oldest object.'
            ),
            ('currencies', 'old'): self.env._(
                'The rates of these currencies are old, the oldest of %(rate_date)s: %(names)s. Amounts are converted '
                'at these rates, and rates of Ramp may seem too far from them. Enter current rates.'
            ),
            ('lock_dates', 'open'): self.env._('No lock date is after the start date.'),
            ('lock_dates', 'locked'): self.env._(
                'Entries up to %(lock_date)s are locked. Objects of that time are put on hold. None is waiting.'
            ),
            ('lock_dates', 'later'): self.env._(
                'Entries up to %(lock_date)s are locked. Objects of that time are posted on the first open day.'
            ),
            ('lock_dates', 'waiting'): self.env._(
                'Entries up to %(lock_date)s are locked, and %(count)s objects of that time are waiting. Post them by '
                'opening the period, or choose "Post on the first open day" on the connection, or ignore them.'
            ),
            ('lock_dates', 'today'): self.env._(
                'Entries up to %(lock_date)s are locked. That includes today, so nothing can be posted. Set an '
                'earlier lock date.'
            ),
            ('lock_dates', 'today_later'): self.env._(
                'Entries up to %(lock_date)s are locked. That includes today, so everything is posted on the day after '
                'it. Set an earlier lock date.'
            ),
            ('opening_balance', 'none'): self.env._(
                'There is no card statement yet. The first one says what was owed to Ramp before the start date.'
            ),
            ('opening_balance', 'agrees'): self.env._(
                'What was owed to Ramp before the start date is the same in Ramp and in Odoo.'
            ),
            ('opening_balance', 'differs'): self.env._(
                'Before %(start_date)s, %(ramp)s was owed according to Ramp, and %(odoo)s according to the card '
                'liability and the payable of Ramp in Odoo. The tie-out differs by that in every month. Post an entry '
                'with the difference, dated before the start date. The connector posts nothing before it.'
            ),
        }

    @api.model
    def _get_fix_labels(self):
        """EXTENDS: Add the buttons of these checks."""
        return {
            **super()._get_fix_labels(),
            'chart_settings': self.env._('Open the Settings'),
            'chart_rows': self.env._('Show Them'),
            'compare_chart': self.env._('Compare With Ramp'),
            'complete_set_up': self.env._('Choose or Create Them'),
            'journals': self.env._('Open the Journals'),
            'currencies': self.env._('Open the Currencies'),
            'lock_dates': self.env._('Open the Lock Dates'),
            'locked_rows': self.env._('Show Them'),
            'tie_out': self.env._('Open the Tie-Out'),
        }

    # ------------------------------------------------------------------ buttons

    def _fix_chart_settings(self):
        return self.env['ir.actions.act_window']._for_xml_id('account.action_account_config')

    def _fix_chart_rows(self):
        return self._open_ledger_rows(self._refused_rows_domain(self.connection_id))

    def _fix_compare_chart(self):
        return self.connection_id.action_push_all()

    def _fix_complete_set_up(self):
        self.connection_id._complete_set_up()
        self._judge_again()
        return True

    def _fix_journals(self):
        return self._open_list(
            'account.action_account_journal_form',
            [('company_id', 'parent_of', self.connection_id.company_id.id)],
            {'active_test': False},
        )

    def _fix_currencies(self):
        currencies = self._foreign_currencies(self.connection_id)
        return self._open_list('base.action_currency_form', [('id', 'in', currencies.ids)], {'active_test': False})

    def _fix_lock_dates(self):
        # The screen of lock dates is in Enterprise. Community has the fields only, so other addons show them.
        screen = 'account_accountant.action_view_account_change_lock_date'
        if self.env.ref(screen, raise_if_not_found=False):
            return self.env['ir.actions.act_window']._for_xml_id(screen)
        return self._fix_chart_settings()

    def _fix_locked_rows(self):
        return self._open_ledger_rows(self._locked_rows_domain(self.connection_id, self.parameters['lock_date']))

    def _fix_tie_out(self):
        return self.connection_id.action_open_tie_out()
