# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib

from odoo import Command, api, models
from odoo.tools import LazyTranslate

from ..engine.reasons import HoldCollector
from .coding import Uncodable

_lt = LazyTranslate(__name__)


class RampFlowBookingCoding(models.AbstractModel):
    """What each line of a document is coded to, with Odoo's defaults, and the taxes of a line."""

    _inherit = 'ramp.flow.booking'

    def _plan_line_codings(self, connection, lines, found):
        """Return the `Coding` of each line, as people selected it in Ramp.

        :raise Held: when a line cannot be coded; the reason names the line
        """
        coded, holds = [], HoldCollector()
        for number, line in enumerate(lines, 1):
            with holds.collect(), self._hold_naming_line(lines, number):
                coding = self.env['ramp.coding']._decode_selections(line.selections, found.coding)
                if coding.account == connection.card_account_id:
                    raise Uncodable(
                        _lt(
                            'It is coded to the card liability itself (%(account)s). Choose an expense account in '
                            'Ramp.',
                            account=self.env['ramp.flow.account']._get_display_title(coding.account),
                        ),
                        by=('account',),
                    )
                coded.append(coding)
        holds.check()
        return coded

    def _complete_line_coding(self, connection, lines, coded, partners, found, products=None):
        """Return the codings of the lines, completed with Odoo's defaults.

        :param partners: partners of the journal items, one for each line
        :param products: products of the journal items, one for each line, or None
        :raise Held: when a mandatory analytic plan is missing; the reason names the line
        """
        complete, completed = self.env['ramp.coding.defaults']._complete_with_defaults, []
        holds, products = HoldCollector(), products or [self.env['product.product']] * len(coded)
        for number, (coding, partner, product) in enumerate(zip(coded, partners, products, strict=True), 1):
            with holds.collect(), self._hold_naming_line(lines, number):
                completed.append(complete(connection, coding, partner, product, self._business_domain, found))
        holds.check()
        return completed

    @contextlib.contextmanager
    def _hold_naming_line(self, lines, number):
        """Name the line in a reason why it cannot be coded, if the object has several lines."""
        try:
            yield
        except Uncodable as reason:
            if len(lines) == 1:
                raise
            raise reason.inside(
                lambda text: _lt(
                    'Line %(number)s (%(amount)s): %(reason)s',
                    number=number,
                    amount=lines[number - 1].amount,
                    reason=text,
                )
            ) from reason

    def _set_line_tax(self, connection, coding, partner, values, is_refund):
        """Return the journal items of a line that is coded with a tax. Ramp's amount includes the tax, to the cent.

        Odoo's tax computation determines the tax and its account. The base takes the rest. So the items of the line add
        up to Ramp's amount in both currencies.

        :param values: values of the journal item with its amounts including tax, as in Odoo's fields
        :return: list of values: the base, then the taxes
        """
        AccountTax, company = self.env['account.tax'], connection.company_id
        currency = self.env['res.currency'].browse(values['currency_id'])
        base = self._make_taxed_line(
            company,
            values['amount_currency'],
            tax_ids=coding.tax,
            currency_id=currency,
            is_refund=is_refund,
            partner_id=partner,
            account_id=coding.account,
            analytic_distribution=coding.distribution or None,
            rate=values['amount_currency'] / values['balance'] if values['balance'] else 1.0,
        )
        AccountTax._round_base_lines_tax_details([base], company)
        AccountTax._add_accounting_data_in_base_lines_tax_details([base], company, include_caba_tags=True)
        result = AccountTax._prepare_tax_lines([base], company)
        [(_base, update)] = result['base_lines_to_update']
        taxes = [{**tax, 'is_storno': values.get('is_storno', False)} for tax in result['tax_lines_to_add']]
        left = {
            key: unit.round(values[key] - sum(tax[key] for tax in taxes))
            for key, unit in (('amount_currency', currency), ('balance', company.currency_id))
        }
        return [
            {**values, **left, 'tax_ids': [Command.set(coding.tax.ids)], 'tax_tag_ids': update['tax_tag_ids']},
            *taxes,
        ]

    @api.model
    def _make_taxed_line(self, company, amount, **values):
        """Return a computed base line of Odoo's tax computation whose total including taxes is the given amount.

        Odoo has a mode for this, but it is wrong for some mixtures of taxes, such as a reverse charge beside a
        withholding tax. In these cases two results of Odoo show how the total depends on the amount before taxes, and
        that amount is derived from them.

        :param amount: float, total including taxes, in the currency of the line
        :param values: arguments of `account.tax._prepare_base_line_for_taxes_computation`
        """
        AccountTax = self.env['account.tax']

        def computed(price, mode):
            base = AccountTax._prepare_base_line_for_taxes_computation(
                {}, price_unit=price, quantity=1.0, special_mode=mode, **values
            )
            AccountTax._add_tax_details_in_base_lines([base], company)
            return base

        base = computed(amount, 'total_included')
        again = computed(base['tax_details']['raw_total_excluded_currency'], 'total_excluded')
        if abs(again['tax_details']['raw_total_included_currency'] - amount) < values['currency_id'].rounding / 100:
            return base
        nothing, whole = (
            computed(price, 'total_excluded')['tax_details']['raw_total_included_currency'] for price in (0.0, amount)
        )
        return computed((amount - nothing) * amount / (whole - nothing), 'total_excluded') if whole != nothing else base
