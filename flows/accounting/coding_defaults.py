# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
from collections import defaultdict

from odoo import api, models
from odoo.tools import LazyTranslate, float_compare

from ..engine.reasons import ALL_ARGUMENTS
from .coding import Uncodable

_lt = LazyTranslate(__name__)


class RampCodingDefaults(models.AbstractModel):
    """Complete codings with Odoo's defaults, if the connection wants them, and check mandatory analytic plans.

    Each result comes from Odoo itself. It is computed once for each account, partner and product of a batch, and stored
    in `found.defaults`.
    """

    _name = 'ramp.coding.defaults'
    _description = 'Ramp Coding: what Odoo adds and demands'

    @api.model
    def _complete_with_defaults(self, connection, coding, partner, product, business_domain, found):
        """Return the `Coding` of a line, completed with Odoo's defaults.

        :param partner: partner of the journal item
        :param product: product of the journal item, may be empty
        :param business_domain: 'bill' or 'expense', as in Odoo's rules of analytic plans
        :param found: `AccountingLookup`
        :raise Uncodable: when a mandatory analytic plan is missing
        """
        if connection.tax_policy == 'default' and not coding.tax:
            coding = dataclasses.replace(
                coding, tax=self._get_default_taxes(connection, coding.account, partner, product, found)
            )
        if connection.analytic_policy == 'models':
            distribution = self._get_model_distribution(
                connection, coding, partner.commercial_partner_id, product, found
            )
            coding = dataclasses.replace(coding, distribution={**(coding.distribution or {}), **distribution} or False)
        self._check_mandatory_plans(connection, coding, product, business_domain, found)
        return coding

    def _get_default_taxes(self, connection, account, partner, product, found):
        """Return the taxes that Odoo would set on a line of a bill of this partner.

        See `account.move.line._get_computed_taxes`.
        """
        known, key = found.defaults.taxes, (account, partner, product)
        if key not in known:
            company = connection.company_id
            taxes = product.supplier_taxes_id.filtered_domain(self.env['account.tax']._check_company_domain(company))
            taxes = taxes or account.tax_ids.filtered(lambda tax: tax.type_tax_use == 'purchase')
            taxes = taxes.filtered('active')._filter_taxes_by_company(company)
            known[key] = (
                self._get_partner_fiscal_position(connection, partner, found).map_tax(taxes) if taxes else taxes
            )
        return known[key]

    def _get_partner_fiscal_position(self, connection, partner, found):
        known = found.defaults.positions
        if partner not in known:
            delivery = partner.browse(partner.address_get(['delivery'])['delivery']) if partner else partner
            known[partner] = (
                self.env['account.fiscal.position']
                .with_company(connection.company_id)
                ._get_fiscal_position(partner, delivery=delivery)
            )
        return known[partner]

    def _get_model_distribution(self, connection, coding, partner, product, found):
        """Return the analytic distribution that distribution models give for the plans without a selection.

        See `account.move.line._compute_analytic_distribution`.
        """
        Model, defaults = self.env['account.analytic.distribution.model'], found.defaults
        if defaults.has_models is None:
            domain = Model._check_company_domain(connection.company_id)
            defaults.has_models = bool(Model.search_count(domain, limit=1))
        if not defaults.has_models:
            return {}
        plans = self._get_analytic_accounts(coding.distribution).root_plan_id
        known, key = defaults.distributions, (coding.account, partner, product, plans)
        if key not in known:
            distribution = Model._get_distribution(
                {
                    'product_id': product.id,
                    'product_categ_id': product.categ_id.id,
                    'partner_id': partner.id,
                    'partner_category_id': partner.category_id.ids,
                    'account_prefix': coding.account.code,
                    'company_id': connection.company_id.id,
                    'related_root_plan_ids': plans,
                }
            )
            there = self._get_analytic_accounts(distribution).exists()  # a model may name an account that was deleted
            known[key] = {
                ids: share for ids, share in distribution.items() if self._get_analytic_accounts([ids]) <= there
            }
        return known[key]

    def _check_mandatory_plans(self, connection, coding, product, business_domain, found):
        known, key = found.defaults.mandatory_plans, (coding.account, product)
        if key not in known:
            known[key] = [
                plan
                for plan in self._get_mandatory_plans(
                    connection, business_domain, account=coding.account.id, product=product.id
                )
                if plan['applicability'] == 'mandatory'
            ]
        if not known[key]:
            return
        shares = defaultdict(float)
        for ids, share in (coding.distribution or {}).items():
            for analytic in self._get_analytic_accounts([ids]):
                shares[analytic.root_plan_id.id] += share
        digits = self.env['decimal.precision'].precision_get('Percentage Analytic')
        for plan in known[key]:
            if float_compare(shares[plan['id']], 100, precision_digits=digits):
                raise Uncodable(
                    _lt(
                        'Odoo requires the analytic plan %(plan)s on the account %(account)s, but nothing is chosen '
                        'for it. Choose an option in Ramp, or make the plan optional in Odoo.',
                        plan=plan['name'],
                        account=self.env['ramp.flow.account']._get_display_title(coding.account),
                    ),
                    by=ALL_ARGUMENTS,
                )

    @api.model
    def _get_mandatory_plans(self, connection, business_domain, **line):
        """Return the plans of a kind of document, as Odoo gives them: dicts with id, name and applicability."""
        company = connection.company_id
        return (
            self.env['account.analytic.plan']
            .with_company(company)
            .get_relevant_plans(company_id=company.id, business_domain=business_domain, **line)
        )

    def _get_analytic_accounts(self, keys):
        """Return the analytic accounts of a distribution, or of some of its keys."""
        return self.env['account.analytic.account'].browse(
            {int(identity) for key in keys or () for identity in key.split(',')}
        )
