# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.exceptions import UserError

# What Odoo sends, as (flow, model): the page counts it
OFFERED = (
    ('account', 'account.account'),
    ('analytic_account', 'account.analytic.account'),
    ('tax_code', 'account.tax'),
    ('accounting_vendor', 'res.partner'),
    ('employee', 'hr.employee'),
    ('user', 'res.users'),
)


class RampSetup(models.TransientModel):
    """Journals, accounts, and what Odoo offers in Ramp."""

    _inherit = 'ramp.setup'

    # ------------------------------------------------------------------ journals and accounts

    def _enter_books(self):
        """Propose the journals and accounts that are there. Nothing is created."""
        self.ensure_one()
        company = self.company_id
        Journal = self.env['account.journal'].with_company(company)
        kinds = {'card_journal_id': 'credit', 'bill_journal_id': 'purchase', 'payment_journal_id': 'bank'}
        for name, kind in kinds.items():
            if self[name].company_id and self[name].company_id not in company.parent_ids:
                self[name] = False  # the company was changed
            if not self[name]:
                found = Journal.search([*Journal._check_company_domain(company), ('type', '=', kind)], limit=20)
                self[name] = self._find_card_journal(found) if kind == 'credit' else found[:1]
        if self.cashback_account_id and not self.cashback_account_id.company_ids & company.parent_ids:
            self.cashback_account_id = False
        if not self.cashback_account_id:
            self.cashback_account_id = self._draft_connection()._plan_cashback_account()[0]

    def _find_card_journal(self, journals):
        """Return the journal that is named after Ramp, has an account, and belongs to no other connection.

        Another one would hold something else, and the tie-out compares its account with Ramp.
        """
        # sudo: connections that the user does not see may have the journal, too
        used = (
            self.env['ramp.connection']
            .sudo()
            .search([('card_journal_id', 'in', journals.ids), ('id', '!=', self.connection_id.id)])
        )
        return journals.filtered(
            lambda journal: (
                'ramp' in journal.name.lower() and journal.default_account_id and journal not in used.card_journal_id
            )
        )[:1]

    @api.depends('card_journal_id', 'cashback_account_id', 'bill_journal_id', 'payment_journal_id', 'state')
    @api.depends_context('lang')
    def _compute_new_books(self):
        for setup in self:
            setup.new_card_journal = setup.new_card_account = setup.new_cashback_account = False
            setup.books_warning = False
            if setup.state not in ('books', 'preview') or not setup.company_id:
                continue
            connection = setup._draft_connection()
            if not setup.card_journal_id:
                journal, account = connection._plan_card_journal()
                setup.new_card_journal = f'{journal["code"]} {journal["name"]}'
                setup.new_card_account = f'{account["code"]} {account["name"]}'
            if not setup.cashback_account_id and setup.pull_statements:
                found, account = connection._plan_cashback_account()
                setup.new_cashback_account = found.display_name or f'{account["code"]} {account["name"]}'
            setup.books_warning = setup._describe_missing_journals()

    def _describe_missing_journals(self):
        """Return a sentence that names the journals without which something is put on hold, or False."""
        needs = self.pull_bills or self.pull_reimbursements or self.pull_statements
        missing = [name for name in ('bill_journal_id', 'payment_journal_id') if needs and not self[name]]
        if not missing:
            return False
        return self.env._(
            'The company %(company)s has no journal for: %(names)s. Without it, objects are put on hold. You can '
            'create one now (Accounting > Configuration > Journals), or later.',
            company=self.company_id.name,
            names=', '.join(self._fields[name]._description_string(self.env) for name in missing),
        )

    def _leave_books(self):
        if self.card_journal_id and not self.card_journal_id.default_account_id:
            raise UserError(
                self.env._(
                    'Journal %s has no default account. Choose one of the type Credit Card on the journal, or leave '
                    'the Card Journal empty.',
                    self.card_journal_id.display_name,
                )
            )

    # ------------------------------------------------------------------ offers

    @api.depends(
        'account_policy', 'account_type_ids', 'analytic_plan_ids', 'offer_taxes', 'offer_vendors', 'push_users', 'state'
    )
    @api.depends_context('lang')
    def _compute_offer_summary(self):
        for setup in self:
            setup.offer_summary = setup.company_id and setup.state == 'offers' and setup._count_offers()

    def _count_offers(self):
        """Return how much Odoo would offer in Ramp, in words."""
        connection, counts = self._draft_connection(), []
        for name, model in OFFERED:
            flow = self.env[f'ramp.flow.{name}']
            # sudo: an accounting administrator decides what is sent, and sees its number only
            count = self.env[model].sudo().search_count(flow.sudo()._get_wanted_domain(connection.sudo()))
            if count:
                counts.append(f'{flow._get_flow_label()}: {count}')
        return '\n'.join(counts) or self.env._('Nothing.')

    def _leave_offers(self):
        if self.account_policy == 'types' and not self.account_type_ids:
            raise UserError(
                self.env._(
                    'Choose at least one of the Account Types. Without an account in Ramp, nobody can code their spend.'
                )
            )
        self._check_features()
