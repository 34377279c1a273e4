# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from markupsafe import Markup

from odoo import Command, models
from odoo.tools import LazyTranslate, plaintext2html

from ...ramp_api import Money
from ..engine.reasons import Held
from .booking import QUIET

_lt = LazyTranslate(__name__)


class RampFlowPayableBook(models.AbstractModel):
    """Create the bills and refunds of documents. Hold those whose total in Odoo differs from Ramp."""

    _inherit = 'ramp.flow.payable'

    def _book_documents(self, connection, documents, post):
        """Create the bills and refunds of these documents in one batch, and return them in the same order.

        :param post: whether to post them; otherwise they stay drafts
        :raise Held: when a total in Odoo differs from Ramp
        """
        rates = {}
        self._prefetch_partners(
            connection, self.env['res.partner'].union(*(document.partner for document in documents))
        )
        known = self._get_analytics_context(line.coding for document in documents for line in document.lines)
        moves = (
            self.env['account.move']
            .with_context(**QUIET, ramp_one_sequence={}, ramp_one_position={}, ramp_known_analytics=known)
            .create(
                [
                    self._prepare_document_values(
                        connection, document, self._get_document_rate(connection, document, rates)
                    )
                    for document in documents
                ]
            )
        )
        payables = {}
        for document, move in zip(documents, moves, strict=True):
            self._settle_tax_rounding(document, move)
            if document.payable:
                payables[document.payable] = payables.get(document.payable, move.browse()) + move
        for payable, owing in payables.items():
            owed = owing.line_ids.filtered(
                lambda line, payable=payable: line.display_type == 'payment_term' and line.account_id != payable
            )
            owed.with_context(skip_invoice_sync=True).account_id = payable  # nothing else in the bill depends on it
        if post:
            moves._post(soft=False)
        for document, move in zip(documents, moves, strict=True):
            if document.same_number:
                move._message_log(
                    body=self.env._(
                        'The document %s, from another year, has the same number. If it is the same bill, reverse '
                        'one of them.',
                        Markup(', ').join(
                            other._get_html_link(title=other.display_name) for other in document.same_number
                        ),
                    )
                )
        return moves

    def _get_document_rate(self, connection, document, rates):
        """Return units of the document's currency for one of the company's, or None if the currencies are the same.

        :param rates: cache of Odoo's rates, as Odoo would look up the rate for each bill again
        """
        company, currency = connection.company_id, document.currency
        if currency == company.currency_id:
            return None
        if document.rate:
            return 1 / document.rate
        key = currency, document.invoice_date
        if key not in rates:
            rates[key] = self.env['res.currency']._get_conversion_rate(
                company.currency_id, currency, company, document.invoice_date
            )
        return rates[key]

    def _prepare_document_values(self, connection, document, rate):
        return {
            'move_type': document.move_type,
            'ramp_id': document.ramp_id,
            'company_id': connection.company_id.id,
            'journal_id': self._get_configured_journal(connection).id,
            'partner_id': document.partner.id,
            'currency_id': document.currency.id,
            **({'invoice_currency_rate': rate} if rate else {}),
            'date': document.date,
            'invoice_date': document.invoice_date,
            # Ramp determines the due date, not the vendor's payment terms in Odoo.
            'invoice_payment_term_id': False,
            'invoice_date_due': document.due_date or document.invoice_date,
            'ref': document.reference,
            'invoice_origin': document.origin,
            'narration': document.note and plaintext2html(document.note),  # outside text is not markup
            'invoice_line_ids': [
                Command.create(
                    {
                        **self._prepare_document_line(connection, document, line),
                        **self._plan_line_amounts(connection, document, line, rate),
                    }
                )
                for line in document.lines
            ],
        }

    def _plan_line_amounts(self, connection, document, line, rate):
        """Return the amounts of a line without tax in both currencies.

        Odoo computes the same amounts. If they are given, it need not write each line again. If Odoo rounds the whole
        document and needs a cent on another line, it still moves it there.
        """
        if line.coding.tax:
            return {}
        amount = self._minor_to_float(
            line.amount if document.move_type == 'in_invoice' else -line.amount, document.currency
        )
        return {
            'amount_currency': amount,
            'balance': connection.company_id.currency_id.round(amount / rate) if rate else amount,
        }

    def _prepare_document_line(self, connection, document, line):
        amount = self._minor_to_float(line.amount, document.currency)
        quantity, price = 1.0, amount
        if line.coding.tax:
            price = self._get_untaxed_price(connection, document, line, amount)
        elif (
            line.quantity
            and line.unit_price
            and not self._is_price_rounded(line)
            and self._is_price_precise(line.quantity, line.unit_price.decimal_amount)
        ):
            quantity, price = float(line.quantity), float(line.unit_price.decimal_amount)
        ordered = self._get_billed_quantity(line, quantity * price)
        if ordered:
            quantity, price = ordered, quantity * price / ordered
        return {
            'name': line.name,
            'account_id': line.coding.account.id,
            **(self._order_line_values(line.order_line) if ordered else {}),
            'quantity': quantity,
            'price_unit': price,
            'tax_ids': [Command.set(line.coding.tax.ids)],
            # Always set, so that Odoo does not search a distribution model for each line.
            'analytic_distribution': line.coding.distribution or {},
        }

    @staticmethod
    def _get_billed_quantity(line, amount):
        """Return how much of its order line is billed, or 0.0 if that is not known.

        If Ramp does not say it, it is the quantity that the amount before tax buys at the order's price. Otherwise the
        order would count a quantity of one.

        :param amount: float, before tax, in the currency of the document
        """
        order_line = line.order_line
        if not order_line or line.order_quantity:
            return line.order_quantity or 0.0
        price = order_line.price_unit_discounted
        return order_line.product_uom_id.round(amount / price) if price else 0.0

    @staticmethod
    def _order_line_values(order_line):
        return {
            'purchase_line_id': order_line.id,
            'product_id': order_line.product_id.id,
            'product_uom_id': order_line.product_uom_id.id,
        }

    @staticmethod
    def _is_price_rounded(line):
        """Return whether quantity times price differs from the amount, because Ramp rounds prices."""
        return line.quantity * line.unit_price.minor != line.amount

    def _is_price_precise(self, quantity, price):
        """Return whether Odoo stores a quantity and a price without rounding. Otherwise the amount would change."""
        precision = self.env['decimal.precision']
        return all(
            value == round(value, precision.precision_get(name))
            for value, name in ((quantity, 'Product Unit'), (price, 'Product Price'))
        )

    def _get_untaxed_price(self, connection, document, line, amount):
        """Return the price at which the line, with its taxes, has Ramp's amount.

        :param amount: float, tax included, in the currency of the document
        """
        taxes = line.coding.tax.flatten_taxes_hierarchy()
        included = taxes.filtered('price_include')
        if included == taxes:
            return amount
        details = self._make_taxed_line(
            connection.company_id,
            amount,
            tax_ids=line.coding.tax,
            currency_id=document.currency,
            is_refund=document.move_type == 'in_refund',
            partner_id=document.partner,
        )['tax_details']
        # In a mixture of taxes, those that are included in the price stay in it.
        return details['raw_total_excluded_currency'] + sum(
            tax['raw_tax_amount_currency'] for tax in details['taxes_data'] if tax['tax'] in included
        )

    def _settle_tax_rounding(self, document, move):
        """Add the cents that tax rounding left to a tax line, so that the bill has Ramp's amount.

        A tax whose lines cancel each other out, such as a reverse charge, gets nothing. Otherwise its lines would no
        longer cancel out.

        :raise Held: when the difference is more than rounding
        """
        currency, total = document.currency, self._minor_to_float(document.total, document.currency)
        missing = currency.round(total - move.amount_total)
        if not missing:
            return
        taxed = [line.coding.tax.flatten_taxes_hierarchy() for line in document.lines if line.coding.tax]
        allowed = currency.rounding * sum(1 + len(taxes) for taxes in taxed)  # each base and each tax was rounded once
        lines = move.line_ids.filtered('tax_repartition_line_id')
        counted = [
            part
            for part in lines.grouped('tax_line_id').values()
            if not currency.is_zero(sum(part.mapped('amount_currency')))
        ]
        if counted and currency.compare_amounts(abs(missing), allowed) <= 0:
            line = max((line for part in counted for line in part), key=lambda line: abs(line.amount_currency))
            sign = 1 if document.move_type == 'in_invoice' else -1
            move.write(
                {
                    'line_ids': [
                        Command.update(
                            line.id, {'amount_currency': currency.round(line.amount_currency + sign * missing)}
                        )
                    ]
                }
            )
        if currency.compare_amounts(total, move.amount_total):
            amounts = {
                'odoo': f'{move.amount_total:.{currency.decimal_places}f} {currency.name}',
                'ramp': Money(document.total, currency.name),
            }
            raise Held(
                _lt(
                    'With the tax codes of its lines, Odoo calculates %(odoo)s, but the bill total is %(ramp)s. '
                    'Check the tax codes in Ramp and the taxes in Odoo. Or remove the tax code and enter the tax as '
                    'a line.',
                    **amounts,
                )
                if taxed
                else _lt(
                    'Its lines add up to %(odoo)s in Odoo, but the bill total is %(ramp)s. Check the decimal places '
                    'of the currency, of quantities and of prices.',
                    **amounts,
                )
            )
