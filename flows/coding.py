# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import re
from collections import defaultdict

from odoo import api, models

# Kinds of selections that say nothing about our books: the connection decides the company, and Ramp keeps
# fields of its own beside those of the accounting system.
IRRELEVANT = frozenset({'SUBSIDIARY', 'EXPENSE_ENTITY', 'NON_ERP', 'REPORTING_TAG'})
IDENTITY = re.compile(r'^(?P<database>[0-9a-f]{8})-(?P<kind>account|plan|analytic)-(?P<id>\d{1,18})$')


class Uncodable(Exception):
    """A selection that means nothing in these books; the text says what to do."""


class RampCoding(models.AbstractModel):
    """What people pick in Ramp, as accounts and analytic distributions; and the identities under which Ramp knows them.

    An identity is `<database>-<kind>-<id>`: stable when an account is renamed or gets another code, and never that of
    another database's account (see `ramp.connection._identity`).
    """

    _name = 'ramp.coding'
    _description = 'Ramp Coding'

    @api.model
    def _external_id(self, record):
        """The id under which Ramp knows an account, an analytic plan or an analytic account."""
        kind = {'account.account': 'account', 'account.analytic.plan': 'plan', 'account.analytic.account': 'analytic'}[record._name]
        return f"{self.env['ramp.connection']._identity()}-{kind}-{record.id}"

    @api.model
    def _currency(self, code):
        """The currency of a code, active or not; an empty recordset for a code that Odoo does not have."""
        currencies = self.env.cr.cache.get('ramp.currency')
        if currencies is None:
            currencies = self.env.cr.cache['ramp.currency'] = {
                currency.name: currency.id
                for currency in self.env['res.currency'].with_context(active_test=False).search_fetch([], ['name'])}
        return self.env['res.currency'].browse(currencies.get(code))

    @api.model
    def _look_up(self, connection, selections):
        """Find everything that the selections may mean, in a constant number of queries; the answer is for `_decode`."""
        company = connection.company_id
        identity = connection._identity()
        wanted = defaultdict(set)
        codes = set()
        for selection in selections:
            for text in (selection.external_id, selection.category_external_id):
                match = IDENTITY.match(text or '')
                if match and match['database'] == identity:
                    wanted[match['kind']].add(int(match['id']))
            if selection.type == 'GL_ACCOUNT':
                codes.update(code for code in (selection.external_code, selection.external_id) if code)
        Account = self.env['account.account'].with_company(company).with_context(active_test=False)
        accounts = Account.search_fetch(
            ['|', ('id', 'in', list(wanted['account'])), ('code', 'in', list(codes))], ['code', 'name', 'active', 'company_ids']
        ) if wanted['account'] or codes else Account
        analytics = self.env['account.analytic.account'].with_context(active_test=False).search_fetch(
            [('id', 'in', list(wanted['analytic']))], ['name', 'active', 'company_id', 'root_plan_id']
        ) if wanted['analytic'] else self.env['account.analytic.account']
        by_code = defaultdict(Account.browse)
        for account in accounts:
            if company.parent_ids & account.company_ids and account.code:  # branches use their parents' accounts
                by_code[account.code] += account
        return {'identity': identity, 'company': company, 'accounts': {account.id: account for account in accounts},
                'accounts_by_code': by_code, 'analytics': {account.id: account for account in analytics}}

    @api.model
    def _decode(self, selections, found):
        """(account, analytic distribution or False) of one line's selections; raises `Uncodable` rather than guess."""
        account = self.env['account.account']
        analytics = self.env['account.analytic.account']
        for selection in selections:
            if selection.type in IRRELEVANT:
                continue
            if selection.type == 'GL_ACCOUNT':
                account = self._decode_account(selection, found)
            elif selection.type == 'OTHER':
                analytics += self._decode_analytic(selection, found)
            elif selection.type == 'MERCHANT':
                continue  # the payee is the merchant of the transaction; an accounting vendor does not change the books
            else:
                raise Uncodable(self.env._(
                    'It is coded with "%(option)s" in a field of the kind %(kind)s, which this Odoo does not offer. Clear that '
                    'field in Ramp.', option=selection.name or selection.external_id or '?', kind=selection.type))
        if not account:
            raise Uncodable(self.env._('It has no account. Choose the accounting category in Ramp.'))
        if len(analytics.root_plan_id) < len(analytics):
            raise Uncodable(self.env._(
                'Two analytic accounts of one plan are chosen (%s). Keep one of them in Ramp.', ', '.join(analytics.mapped('name'))))
        distribution = {','.join(str(identity) for identity in sorted(analytics.ids)): 100} if analytics else False
        return account, distribution

    def _decode_account(self, selection, found):
        label = selection.name or selection.external_code or selection.external_id or '?'
        match = IDENTITY.match(selection.external_id or '')
        if match:
            if match['database'] != found['identity']:
                raise Uncodable(self.env._(
                    'The account "%s" was offered by another Odoo database. Choose an account of this one in Ramp.', label))
            account = found['accounts'].get(int(match['id'])) if match['kind'] == 'account' else None
        else:
            code = selection.external_code or selection.external_id
            candidates = found['accounts_by_code'].get(code, self.env['account.account'])
            account = candidates[:1]
        if not account:
            raise Uncodable(self.env._(
                'The account "%s" does not exist in Odoo. Choose another one in Ramp, or create it.', label))
        if not found['company'].parent_ids & account.company_ids:
            raise Uncodable(self.env._(
                'The account "%(account)s" does not belong to the company %(company)s. Choose another one in Ramp.',
                account=label, company=found['company'].name))
        if not account.active:
            raise Uncodable(self.env._(
                'The account %(code)s %(name)s is archived in Odoo. Choose another one in Ramp, or un-archive it.',
                code=account.code or '', name=account.name))
        return account

    def _decode_analytic(self, selection, found):
        label = selection.name or selection.external_code or selection.external_id or '?'
        match = IDENTITY.match(selection.external_id or '')
        if not match:
            raise Uncodable(self.env._(
                'It is coded with "%s" in a field that does not come from Odoo. Clear that field in Ramp.', label))
        if match['database'] != found['identity']:
            raise Uncodable(self.env._(
                'The analytic account "%s" was offered by another Odoo database. Choose one of this one in Ramp.', label))
        analytic = found['analytics'].get(int(match['id'])) if match['kind'] == 'analytic' else None
        if not analytic:
            raise Uncodable(self.env._(
                'The analytic account "%s" does not exist in Odoo any more. Choose another one in Ramp.', label))
        if not analytic.active:
            raise Uncodable(self.env._(
                'The analytic account %s is archived in Odoo. Choose another one in Ramp, or un-archive it.', analytic.name))
        if analytic.company_id and analytic.company_id not in found['company'].parent_ids:
            raise Uncodable(self.env._(
                'The analytic account %(analytic)s does not belong to the company %(company)s. Choose another one in Ramp.',
                analytic=analytic.name, company=found['company'].name))
        return analytic
