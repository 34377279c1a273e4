# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import Command, fields, models
from odoo.exceptions import RedirectWarning

from .connection_constants import SETTINGS

# A code that core gives to accounts that a chart does not have; nothing of the chart is beside it
OUTSIDE = '999'


class RampConnection(models.Model):
    """What a connection needs of the books: journals and accounts that fit the chart, and what Odoo adds to the coding
    of spend.
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
        help='What a line gets of an analytic plan of which nothing is chosen in Ramp. A plan that is mandatory in '
        'Odoo holds the line '
        'if there is still nothing of it.',
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
        help='What a line without a tax code gets. Default taxes are mapped by the fiscal position of the vendor, and '
        'are included in the '
        "amount: the total stays Ramp's.",
        prefetch=SETTINGS,
    )

    def _check_chart_exists(self):
        """Raise `RedirectWarning` where the company has no accounts to book spend to."""
        self.ensure_one()
        Account = self.env['account.account']
        if not Account.search_count(
            [*Account._check_company_domain(self.company_id), ('account_type', '=like', 'expense%')], limit=1
        ):
            raise RedirectWarning(
                self.env._(
                    'The company %s has no chart of accounts, so nothing could be booked. Install one in the settings '
                    'of Accounting '
                    '(Fiscal Localization), then press Connect again.',
                    self.company_id.name,
                ),
                self.env.ref('account.action_account_config').id,
                self.env._('Open the Settings'),
            )

    def _complete_set_up(self):
        """Choose what the books need and the user has not chosen; the card journal with its liability account is
        created.
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
            # An accounting administrator may create journals; only the code must be free.
            taken = set(
                Journal.with_context(active_test=False).search([('company_id', '=', self.company_id.id)]).mapped('code')
            )
            code = next(code for code in ('RAMP', *(f'RAMP{number}' for number in range(2, 100))) if code not in taken)
            self.card_journal_id = Journal.create(
                {
                    'name': self.env._('Ramp Cards'),
                    'code': code,
                    'type': 'credit',
                    'company_id': self.company_id.id,
                    'default_account_id': self._new_card_account().id,
                }
            )

    def _new_card_account(self):
        """An account of its own for the card liability: the tie-out compares it with Ramp, so nothing else may be in
        it.
        """
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
        return self._create_account_beside(
            self.env._('Ramp Card Liability'),
            'liability_credit_card',
            beside[:1],
            self.company_id.bank_account_code_prefix or '2010',
        )

    def _find_cashback_account(self):
        """The chart's account for other income, if it has a single one that the company uses for nothing else; else one
        of its own.

        A chart with many of them has none that would be right without asking. The new account is beside the one of
        discounts for paying early, which cashback resembles, if the chart has one.
        """
        income = self._accounts_of_type('income_other')
        company = self.company_id
        used = self.env['account.account'].union(
            *(company[name] for name, field in company._fields.items() if field.comodel_name == 'account.account')
        )
        others = income - used
        if len(others) == 1:
            return others
        discounts = company.account_journal_early_pay_discount_gain_account_id.with_company(company)
        beside = (discounts + (income or self._accounts_of_type('income'))[::-1]).filtered(
            lambda account: account.code and not account.code.startswith(OUTSIDE)
        )
        return self._create_account_beside(self.env._('Ramp Cashback'), 'income_other', beside[:1], '4500')

    def _accounts_of_type(self, kind):
        """The accounts of a type that the company may use, a branch those of its parents; by their codes."""
        Account = self.env['account.account'].with_company(self.company_id)
        return Account.search(
            [*Account._check_company_domain(self.company_id), ('account_type', '=', kind)], order='code'
        )

    def _create_account_beside(self, name, kind, beside, start):
        """A new account, whose code is the next free one after that of another, so that it has the form and place of
        the chart's own.

        :param start: how the code begins where the chart has nothing to put it beside
        """
        Account = self.env['account.account'].with_company(self.company_id)
        if not beside:
            length = len(Account.search(Account._check_company_domain(self.company_id), limit=1).code or '000000')
            start = start.ljust(length, '0')[:length]
        return Account.create(
            {
                'name': name,
                'code': Account._search_new_account_code(beside.code or start),
                'account_type': kind,
                'company_ids': [Command.set(self.company_id.ids)],
            }
        )
