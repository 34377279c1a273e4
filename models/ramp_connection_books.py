# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import Command, fields, models
from odoo.exceptions import RedirectWarning

from .connection_constants import SETTINGS

# Prefix of the codes that core gives to accounts missing from the chart; no account of the chart has a code near it
OUTSIDE = '999'


class RampConnection(models.Model):
    """What a connection needs of the books.

    These are journals and accounts that fit the chart, and what Odoo adds to the coding of spend.
    """

    _inherit = 'ramp.connection'

    analytic_policy = fields.Selection(
        [
            ('ramp', 'Only what is chosen in Ramp'),
            ('models', "What is chosen in Ramp, else Odoo's distribution models"),
        ],
        string='Analytic Distribution',
        required=True,
        default='models',
        tracking=True,
        help='The analytic distribution of a line when no option of a plan is chosen in Ramp. If a plan that is '
        'mandatory in Odoo stays empty, the object is put on hold.',
        prefetch=SETTINGS,
    )
    tax_policy = fields.Selection(
        [
            ('ramp', 'Only what is chosen in Ramp'),
            ('default', 'What is chosen in Ramp, else the default taxes of the account'),
        ],
        string='Taxes of Spend',
        required=True,
        default='ramp',
        tracking=True,
        help='The tax of a line without a tax code. Default taxes are mapped by the fiscal position of the vendor '
        'and included in the amount, so the total stays as in Ramp.',
        prefetch=SETTINGS,
    )

    def _check_chart_exists(self):
        """Raise `RedirectWarning` if the company has no expense accounts to post spend to."""
        self.ensure_one()
        Account = self.env['account.account']
        if not Account.search_count(
            [*Account._check_company_domain(self.company_id), ('account_type', '=like', 'expense%')], limit=1
        ):
            raise RedirectWarning(
                self.env._(
                    'The company %s has no chart of accounts, so nothing could be posted. Install one in the '
                    'settings of Accounting (Fiscal Localization), then press Connect again.',
                    self.company_id.name,
                ),
                self.env.ref('account.action_account_config').id,
                self.env._('Open the Settings'),
            )

    def _complete_set_up(self):
        """Choose the journals and accounts that the user has not chosen.

        The card journal is created with its liability account.
        """
        self.ensure_one()
        Journal = self.env['account.journal'].with_company(self.company_id)
        for name, kind in (('bill_journal_id', 'purchase'), ('payment_journal_id', 'bank')):
            if not self[name]:
                self[name] = Journal.search(
                    [*Journal._check_company_domain(self.company_id), ('type', '=', kind)], limit=1
                )
        if not self.cashback_account_id:
            self.cashback_account_id = self._find_cashback_account()
        if not self.card_journal_id:
            journal, account = self._plan_card_journal()
            account = self.env['account.account'].with_company(self.company_id).create(account)
            self.card_journal_id = Journal.create({**journal, 'default_account_id': account.id})

    def _plan_card_journal(self):
        """Return the values of the card journal and of its account, as they are created.

        The account is for the card liability alone: the tie-out compares it with Ramp, so it must hold nothing else.

        :return: (values of the journal without its account, values of the account)
        """
        Journal = self.env['account.journal'].with_company(self.company_id)
        # An accounting administrator may create journals, so only the code has to be free.
        taken = set(
            Journal.with_context(active_test=False).search([('company_id', '=', self.company_id.id)]).mapped('code')
        )
        code = next(code for code in ('RAMP', *(f'RAMP{number}' for number in range(2, 100))) if code not in taken)
        beside = next(
            filter(
                None,
                (
                    self._accounts_of_type(kind)
                    for kind in ('liability_credit_card', 'liability_payable', 'liability_current')
                ),
            ),
            self.env['account.account'],
        )
        account = self._plan_account_beside(
            self.env._('Ramp Card Liability'),
            'liability_credit_card',
            beside[:1],
            self.company_id.bank_account_code_prefix or '2010',
        )
        return (
            {'name': self.env._('Ramp Cards'), 'code': code, 'type': 'credit', 'company_id': self.company_id.id},
            account,
        )

    def _find_cashback_account(self):
        """Return the chart's only account for other income, or create one for cashback."""
        found, values = self._plan_cashback_account()
        return found or self.env['account.account'].with_company(self.company_id).create(values)

    def _plan_cashback_account(self):
        """Return the chart's only account for other income, or the values of a new one for cashback.

        An existing account is used only if it is the only one of its type that no setting of the company refers to. If
        there are several, none is right without asking the user. The new account gets a code next to the account for
        early-payment discounts, which cashback resembles, if the chart has one.

        :return: (account, values of the account to be created); one of both is empty
        """
        income = self._accounts_of_type('income_other')
        company = self.company_id
        used = self.env['account.account'].union(
            *(company[name] for name, field in company._fields.items() if field.comodel_name == 'account.account')
        )
        others = income - used
        if len(others) == 1:
            return others, {}
        discounts = company.account_journal_early_pay_discount_gain_account_id.with_company(company)
        beside = (discounts + (income or self._accounts_of_type('income'))[::-1]).filtered(
            lambda account: account.code and not account.code.startswith(OUTSIDE)
        )
        return others.browse(), self._plan_account_beside(
            self.env._('Ramp Cashback'), 'income_other', beside[:1], '4500'
        )

    def _accounts_of_type(self, kind):
        """Return the accounts of a type that the company may use, sorted by code.

        A branch may also use the accounts of its parent companies.
        """
        Account = self.env['account.account'].with_company(self.company_id)
        return Account.search(
            [*Account._check_company_domain(self.company_id), ('account_type', '=', kind)], order='code'
        )

    def _plan_account_beside(self, name, kind, beside, start):
        """Return the values of an account with the next free code after that of another account.

        So the code has the same form and place as the codes of the chart.

        :param beside: account whose code comes before, or an empty recordset
        :param start: beginning of the code if `beside` is empty
        """
        Account = self.env['account.account'].with_company(self.company_id)
        if not beside:
            length = len(Account.search(Account._check_company_domain(self.company_id), limit=1).code or '000000')
            start = start.ljust(length, '0')[:length]
        return {
            'name': name,
            'code': Account._search_new_account_code(beside.code or start),
            'account_type': kind,
            'company_ids': [Command.set(self.company_id.ids)],
        }
