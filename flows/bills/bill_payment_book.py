# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import itertools

from odoo import api, models
from odoo.tools import SQL, LazyTranslate

from ..engine.reasons import Held

_lt = LazyTranslate(__name__)


class RampFlowBillPaymentBook(models.AbstractModel):
    """Post payments of bills, and apply vendor credits to bills."""

    _inherit = 'ramp.flow.bill_payment'

    def _exclusive_booking(self, connection):
        return self.env['ramp.card.bill']._exclusive_card_booking(connection)

    def _book_plans(self, connection, plans):
        for plan in plans:
            if plan.undo_card:
                self.env['ramp.card.bill']._undo_card_settlement(connection, plan.undo_card)
        # Before the payments: a payment may replace a credit.
        self._unapply_removed_credits(plans)
        notes = self._book_settlements(connection, [plan.settlement for plan in plans])
        # After the payments: undoing a payment leaves open what a credit covers now.
        self._apply_vendor_credits(connection, plans)
        cards = self.env['ramp.card.bill']._book_plans(connection, [plan.card for plan in plans if plan.card])
        rows = {
            row.ramp_id: row
            for row in self.env['ramp.record'].search_fetch(
                [
                    ('connection_id', '=', connection.id),
                    ('flow', '=', self._flow),
                    ('ramp_id', 'in', [plan.settlement.ramp_id for plan in plans]),
                ],
                ['ramp_id'],
            )
        }
        noted, documents = {}, []
        for plan in plans:
            settlement = plan.settlement
            keys = (*settlement.noted.parts, *(part.key for part in settlement.parts))
            parts = {key: notes[settlement.ramp_id, key] for key in keys}
            withdrawn = {identity for _line, identity in plan.withdrawn}
            credits = {key: minor for key, minor in (settlement.noted.credits or {}).items() if key not in withdrawn}
            credits.update((identity, minor) for _line, minor, identity in plan.credits)
            noted[rows[settlement.ramp_id].id] = dataclasses.replace(
                settlement.noted, parts=parts, credits=credits, card=cards.get(settlement.ramp_id)
            )
            stands = parts or credits or cards.get(settlement.ramp_id) or plan.is_paid
            documents.append(
                self._get_main_document(settlement, parts, cards.get(settlement.ramp_id), plan) if stands else None
            )
        self.env['ramp.record']._store_noted(noted)
        return documents

    def _get_main_document(self, settlement, parts, card, plan):
        """Return the document that the row links to.

        It is the payment, the entry that settles the bill by card, the refund, or the bill that somebody paid in Odoo.
        """
        for note in parts.values():
            return self.env['account.payment'].browse(note.id)
        if card and card.id:
            return self.env['account.move'].browse(card.id)
        for line, _minor, _identity in plan.credits:
            return line.move_id
        return settlement.move

    @api.model
    def _unapply_removed_credits(self, plans):
        """Unreconcile credits that now pay less of a bill. What they still pay is applied again later."""
        for plan in plans:
            for refund, _identity in plan.withdrawn:
                if refund:
                    self._find_partials_between(refund, plan.settlement.lines).unlink()

    @api.model
    def _find_partials_between(self, refund, bill):
        return self.env['account.partial.reconcile'].search(
            [('debit_move_id', 'in', refund.ids), ('credit_move_id', 'in', bill.ids)]
        )

    def _apply_vendor_credits(self, connection, plans):
        """Apply exactly the amount of each refund that Ramp reports, even if refund and bill could take more."""
        for plan in plans:
            bill = plan.settlement.lines
            for refund, minor, _identity in plan.credits:
                amount = self._minor_to_float(minor, bill.currency_id)
                before = sum(self._find_partials_between(refund, bill).mapped('debit_amount_currency'))
                more = bill.currency_id.round(amount - before)
                if not more:
                    continue
                if bill.currency_id.compare_amounts(more, self._get_common_residual(refund, bill)) > 0:
                    raise Held(
                        _lt(
                            'Ramp applied %(amount)s of the vendor credit %(credit)s to %(bill)s, but less than that '
                            'is open in Odoo. Undo what was reconciled by hand.',
                            amount=amount,
                            credit=refund.move_id.name,
                            bill=bill.move_id.name,
                        ),
                        refund.move_id,
                    )
                for taken, owed in itertools.product(refund, bill):
                    part = min(more, self._get_common_residual(taken, owed))
                    if bill.currency_id.compare_amounts(part, 0) > 0:
                        self._apply_vendor_credit(taken, owed, part)
                        more = bill.currency_id.round(more - part)

    def _get_common_residual(self, refund, bill):
        return min(map(self._sum_residuals, (refund, bill)))

    def _apply_vendor_credit(self, refund, bill, amount):
        if not bill.currency_id.compare_amounts(amount, self._get_common_residual(refund, bill)):
            (refund + bill).reconcile()
            return
        # Core reconciles as much as it can. So it is given the part of each line as all that is open. What the rate has
        # moved between the two is an exchange difference, as in core.
        company = bill.company_currency_id
        there, here = (
            company.round(abs(line.amount_residual * amount / line.amount_residual_currency)) for line in (refund, bill)
        )
        # A cent between the two comes from rounding the rest, not from a rate.
        if company.compare_amounts(abs(there - here), company.rounding) <= 0:
            there = here = min(there, here)
        result = self.env['account.move.line']._prepare_reconciliation_single_partial(
            {'aml': refund, 'amount_residual': there, 'amount_residual_currency': amount},
            {'aml': bill, 'amount_residual': -here, 'amount_residual_currency': -amount},
        )
        partial = self.env['account.partial.reconcile'].create(result['partial_values'])
        if result.get('exchange_values', {}).get('move_values', {}).get('line_ids'):
            partial.exchange_move_id = self.env['account.move.line']._create_exchange_difference_moves(
                [result['exchange_values']]
            )
        if bill.company_id.tax_exigibility:
            # As in core, taxes that are due on payment become due for this part.
            partial._create_tax_cash_basis_moves()

    @api.model
    def _on_credits_booked(self, connection, ramp_ids):
        """Reopen bills paid with earlier documents of these credits, and trigger the job.

        The earlier documents were undone. Other bills may wait for the credits.
        """
        paid = self.env.execute_query(
            SQL(
                'SELECT id FROM ramp_record WHERE connection_id = %s AND flow = %s AND res_id IS NOT NULL AND noted '
                "-> 'credits' ?| %s",
                connection.id,
                self._flow,
                list(ramp_ids),
            )
        )
        self.env['ramp.record'].browse(identity for [identity] in paid)._reopen_payment()
        self._trigger()

    @api.model
    def _on_bill_booked(self, connection, moves):
        self._on_documents_booked(connection, moves)
