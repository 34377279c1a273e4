# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from decimal import ROUND_HALF_UP, Decimal

from odoo import api, models
from odoo.tools import LazyTranslate, html2plaintext

from ...ramp_api.money import find_currency_exponent
from ..accounting.booking import clean_text
from ..engine.reasons import Held
from .purchase_order import DIGITS, MOST_DIGITS, _count_decimal_digits

_lt = LazyTranslate(__name__)


class RampFlowPurchaseOrderLines(models.AbstractModel):
    """Prepare the lines of an order as Ramp takes them: whole quantities, unit prices, coding."""

    _inherit = 'ramp.flow.purchase_order'

    @api.model
    def _get_line_account(self, line):
        """Return the account that a bill of the line would be posted to."""
        if not line.product_id:
            return None
        product = line.product_id.with_company(line.company_id)
        accounts = product.product_tmpl_id.get_product_accounts(line.order_id.fiscal_position_id)
        if product.is_storable and product.valuation == 'real_time' and accounts['stock_valuation']:
            return accounts['stock_valuation']
        return accounts['expense']

    def _get_line_prefix(self):
        return f'{self.env["ramp.connection"]._database_identity()}-line-'

    def _prepare_order_line(self, line, offered, *counted):
        ordered = self._get_ordered_quantity(line)
        subtotal = Decimal(
            str(
                line.currency_id.round(
                    line.price_subtotal if line.product_qty else line.price_unit_discounted * float(ordered)
                )
            )
        )
        if ordered < 0 or subtotal < 0:
            raise Held(
                _lt(
                    'The line "%s" is negative, and Ramp does not accept negative lines. Enter the discount on the '
                    'lines that it belongs to.',
                    clean_text(line.name),
                )
            )
        quantity, size, unit = self._get_whole_quantity(line, ordered, *counted)
        price = (
            (subtotal / quantity)
            .quantize(Decimal(1).scaleb(-find_currency_exponent(line.currency_id.name) - DIGITS), ROUND_HALF_UP)
            .normalize()
        )
        text = html2plaintext(line.name or '') or line.product_id.display_name or ''
        if unit:
            text = self.env._('%(text)s (counted in %(unit)s)', text=text, unit=unit)
        return {
            'quantity': quantity,
            'price': f'{price:f}',
            'description': self._shorten_text(text),
            'coding': self._get_line_coding(line, offered),
            'unit': self._get_line_unit(line, size),
        }

    @api.model
    def _get_counted_units(self, rows):
        """Return the units in which Ramp counts order lines, and whether it has receipts of them.

        :param rows: rows of orders and of their receipts
        :return: {id of an order line: (its `_get_line_unit` in Ramp, whether Ramp has receipts of it)}
        """
        told = {flow: [row.payload or {} for row in rows if row.flow == flow] for flow in (self._flow, 'item_receipt')}
        received = {
            line
            for values in told['item_receipt']
            for receipt in values.get('receipts', {}).values()
            for line in receipt['lines']
        }
        return {
            int(identity.rpartition('-')[2]): (line['unit'], values.get('line_ids', {}).get(identity) in received)
            for values in told[self._flow]
            for identity, line in values.get('lines', {}).items()
            if line.get('unit')
        }

    @staticmethod
    def _get_line_unit(line, size):
        """Return the unit in which Ramp counts a line, as JSON.

        :return: [id of the unit of measure, how much of it one unit in Ramp is]
        """
        return [line.product_uom_id.id, f'{size:f}']

    @staticmethod
    def _get_ordered_quantity(line):
        """Return the ordered quantity of a line, as a Decimal in its unit of measure.

        If the line was set to zero, it is the received quantity.
        """
        return Decimal(str(line.product_qty or line.qty_received))

    def _get_whole_quantity(self, line, quantity, known=None, has_receipts=False):
        """Return the quantity of a line as a whole number of units.

        The ordered quantity decides the unit until something is received. If the received quantity needs a finer unit,
        the line is counted as finely as Odoo counts. The unit then stays: receipts in Ramp count in it, and one that is
        matched with a bill cannot be created again.

        :param quantity: ordered quantity, Decimal in the line's unit of measure
        :param known: the `_get_line_unit` that Ramp has
        :param has_receipts: whether Ramp has receipts of the line
        :return: (whole number of units, size of one in the line's unit of measure, its name or None if that unit is the
            same)
        """
        digits = _count_decimal_digits(quantity)
        if digits > MOST_DIGITS:
            return 1, quantity.normalize(), f'{quantity.normalize():f} {line.product_uom_id.name}'
        most = min(self.env['decimal.precision'].precision_get('Product Unit'), MOST_DIGITS)
        if not has_receipts and digits < _count_decimal_digits(Decimal(str(round(line.qty_received, most)))):
            digits = most
        if (
            has_receipts
            and known[0] == line.product_uom_id.id
            and digits < _count_decimal_digits(Decimal(known[1])) <= MOST_DIGITS
        ):
            digits = _count_decimal_digits(Decimal(known[1]))
        if not digits:
            return int(quantity), Decimal(1), None
        return int(quantity.scaleb(digits)), Decimal(1).scaleb(-digits), f'1/{10**digits} {line.product_uom_id.name}'

    def _get_line_coding(self, line, offered):
        """Return the coding of a line, as far as Ramp has its account and analytic accounts.

        :return: sorted list of [field, option]
        """
        found = []
        account = self._get_line_account(line)
        if account and ('account.account', account.id) in offered:
            found.append(list(offered['account.account', account.id]))
        fields = {}
        for key in line.analytic_distribution or ():
            for identity in key.split(','):
                option = offered.get(('account.analytic.account', int(identity)))
                if option:
                    fields.setdefault(option[0], []).append(option[1])
        # A field takes one option. If several share the line, none of them is right.
        return sorted(found + [[field, options[0]] for field, options in fields.items() if len(options) == 1])
