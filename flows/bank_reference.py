# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import logging
import re
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ..ramp_api import PayloadError
from .booking import QUIET, clean

_logger = logging.getLogger(__name__)

ASKED_FOR = timedelta(days=30)  # so long after a payment Ramp is asked for its reference: it has none before the bank has taken the payment
ASKED_AT_ONCE = 200  # payments in one run, the newest first
TOLD_IN_PART = 8  # characters of a reference that are enough to tell it, where a bank leaves out zeros before it
NOT_TOLD = re.compile(r'[^0-9A-Z]+')


class RampFlowBankReference(models.AbstractModel):
    """The reference under which a bank shows a payment of Ramp: kept on the payment, and what bank lines are matched by.

    Ramp tells it of one object at a time: `payment.trace_id` of GET /bills/{id}, `trace_id` of GET /reimbursements/{id} (2026-08-01). It
    writes nothing to Ramp, and has no rows: a payment without a reference is asked for again.
    """

    _name = 'ramp.flow.bank_reference'
    _inherit = 'ramp.flow'
    _description = 'Ramp Flow: bank references of payments'

    _flow = 'bank_reference'
    _flow_sequence = 78

    @api.model
    def _flow_label(self):
        return self.env._('Bank references')

    @api.model
    def _enabled(self, connection):
        return connection.pull_bills or connection.pull_reimbursements

    def _work(self, connection, run):
        for flow in ('bill_payment', 'reimbursement_payment'):
            self._ask(connection, run, self.env[f'ramp.flow.{flow}'])
        if connection.match_bank_lines:
            self._transaction(self._match_bank_lines, connection)

    # ------------------------------------------------------------------ what Ramp tells

    def _ask(self, connection, run, flow):
        """Ask Ramp for the references of payments that one of the flows booked."""
        unknown = self._without_reference(connection, flow)
        self.env.cr.rollback()  # nothing is to be held while Ramp is asked
        if not unknown:
            return
        for ramp_id, payload in flow._ask_each(connection._client(), list(unknown)):
            try:
                transfer, reference = flow._bank_reference(flow._read(payload)) if payload else (None, None)
            except PayloadError as error:
                _logger.info('%s', error)  # the object's own row says so
                continue
            reference = clean(reference)
            if reference and transfer in (None, unknown[ramp_id]):
                self._transaction(self._keep_reference, connection, unknown[ramp_id], reference)
                run.seen += 1

    @api.model
    def _without_reference(self, connection, flow):
        """{Ramp id of an object: Ramp id of its payment} of lately booked payments whose reference is not known yet."""
        payments = self.env['account.payment'].search([
            ('company_id', '=', connection.company_id.id), ('ramp_id', '!=', False), ('ramp_bank_reference', '=', False),
            ('state', 'in', ('in_process', 'paid')), ('date', '>=', fields.Date.context_today(self) - ASKED_FOR),
        ], order='date desc, id desc', limit=ASKED_AT_ONCE)
        self.env['ramp.record'].flush_model(['noted'])
        return dict(self.env.execute_query(SQL(
            """
            SELECT DISTINCT ON (k.key) r.ramp_id, k.key
              FROM ramp_record r, jsonb_object_keys(r.noted -> 'parts') AS k(key)
             WHERE r.connection_id = %s AND r.flow = %s AND r.noted -> 'parts' ?| %s AND k.key = ANY(%s)
             ORDER BY k.key, r.id
            """, connection.id, flow._flow, payments.mapped('ramp_id'), payments.mapped('ramp_id')))) if payments else {}

    def _keep_reference(self, connection, transfer, reference):
        """Keep the reference of a transfer on its payments and in the labels of their entries, by which a bank line is matched."""
        payments = self.env['account.payment'].search([
            ('company_id', '=', connection.company_id.id), ('ramp_id', '=', transfer), ('ramp_bank_reference', '=', False)])
        for payment in payments.with_context(**QUIET):
            payment.ramp_bank_reference = reference
            lines = payment.move_id.line_ids.filtered(lambda line, payment=payment: line.account_id == payment.outstanding_account_id)
            if not payment.move_id.inalterable_hash:
                for line in lines:
                    line.name = ' '.join(filter(None, (line.name, reference)))

    # ------------------------------------------------------------------ what the bank shows

    def _match_bank_lines(self, connection):
        """Match bank lines that carry the reference of a payment, to the cent; whatever is unclear is left to a person."""
        payments = self.env['account.payment'].search([
            ('company_id', '=', connection.company_id.id), ('ramp_bank_reference', '!=', False), ('state', '=', 'in_process'),
            ('is_matched', '=', False)])
        lines = self.env['account.bank.statement.line'].search([
            ('company_id', '=', connection.company_id.id), ('journal_id', 'in', payments.journal_id.ids),
            ('is_reconciled', '=', False)]) if payments else ()
        by_reference = payments.grouped(lambda payment: (payment.journal_id, self._told(payment.ramp_bank_reference)))
        for line in lines:
            found = self._shown_by(line, by_reference)
            if found:
                self._match(line, found)

    @api.model
    def _told(self, text):
        """A text without what banks change: case, and whatever is neither letter nor figure."""
        return NOT_TOLD.sub(' ', (text or '').upper()).strip()

    def _shown_by(self, line, by_reference):
        """The payments that a bank line is of: all those with the one reference that it carries, if they come to its amount."""
        details = line.transaction_details
        told = f" {self._told(' '.join(filter(None, (line.payment_ref, line.ref, str(details or '')))))} "
        found = [payments for (journal, reference), payments in by_reference.items()
                 if journal == line.journal_id and any(f' {shape} ' in told for shape in self._shapes(reference))]
        if len(found) != 1:
            return None
        [payments] = found
        payments = payments.filtered(lambda payment: not payment.is_matched)
        currency = line.journal_id.currency_id or line.company_id.currency_id
        paid = sum(-payment.amount if payment.payment_type == 'outbound' else payment.amount for payment in payments)
        fits = payments.currency_id == currency and payments and not currency.compare_amounts(paid, line.amount)
        return payments if fits else None

    @api.model
    def _shapes(self, reference):
        """A reference as Ramp tells it, and without zeros before it, as some banks do."""
        short = reference.lstrip('0')
        return {reference, short} if len(short) >= TOLD_IN_PART else {reference}

    def _match(self, line, payments):
        """Reconcile a bank line with payments, as a person would."""
        open_lines = payments.move_id.line_ids.filtered(
            lambda item: item.account_id in payments.outstanding_account_id and not item.reconciled)
        _liquidity, suspense, other = line._seek_for_lines()
        if len(suspense) != 1 or other or len(open_lines.account_id) != 1:
            return
        try:
            with self.env.cr.savepoint():
                suspense.write({'account_id': open_lines.account_id.id, 'partner_id': payments.partner_id.id if len(
                    payments.partner_id) == 1 else False})
                (suspense + open_lines).reconcile()
                self.env.flush_all()
        except UserError as error:  # a closed period, as a rule: it is left to a person, and stops no other
            _logger.info('Bank line %s was not matched: %s', line.id, error)
