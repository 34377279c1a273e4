# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import logging
import re
from collections import defaultdict
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ...ramp_api import PayloadError, RampError, RampOutOfTime
from ..accounting.booking import QUIET, clean_text
from ..accounting.payments import SHOWN_BEFORE
from ..bills.bill_payment import BANK_METHODS
from ..engine.flow import is_of_object
from .reimbursement_payment import BY_HAND

_logger = logging.getLogger(__name__)

# Ramp is asked for the reference up to this long after a payment. It has none before the bank has taken the payment.
ASKED_FOR = timedelta(days=30)
# Maximum number of payments in one run.
ASKED_AT_ONCE = 300
# A reference of this many characters identifies a payment by itself. A shorter one is a check number.
LEAST_TOLD = 6
# Some banks leave out leading zeros. A reference of this many characters without them still identifies a payment.
TOLD_IN_PART = 8
NOT_TOLD = re.compile(r'[^0-9A-Z]+')
# Words that show that a check number is beside them.
CHECKS = frozenset({'CHECK', 'CHEQUE', 'CHK', 'CK'})
# Names of details of a bank line that hold something other than references.
NO_REFERENCES = re.compile('amount|balance|currency|date')


class RampFlowBankReference(models.AbstractModel):
    """Store the reference under which a bank shows a payment of Ramp, and match bank lines by it.

    Ramp reports it for one object at a time: `payment.trace_id` of GET /bills/{id}, `trace_id` of GET
    /reimbursements/{id} (contract 2026-08-01). This flow writes nothing to Ramp and has no rows. Each run asks again
    for the payments without a reference, in another order. So payments that never get one do not keep the others from
    their turn.
    """

    _name = 'ramp.flow.bank_reference'
    _inherit = 'ramp.flow'
    _description = 'Ramp Flow: bank references of payments'

    _flow = 'bank_reference'
    _flow_sequence = 78

    @api.model
    def _get_flow_label(self):
        return self.env._('Bank references')

    @api.model
    def _is_enabled_for(self, connection):
        return connection.pull_bills or connection.pull_reimbursements

    def _run_connection_work(self, connection, run):
        trouble = None
        for flow in (self.env['ramp.flow.bill_payment'], self.env['ramp.flow.reimbursement_payment']):
            try:
                if flow._is_enabled_for(connection):
                    self._ask_for_references(connection, run, flow)
            except RampOutOfTime:
                raise
            except RampError as error:
                self.env.cr.rollback()
                trouble = error
        # Match what is known, even if Ramp failed for the others.
        if connection.match_bank_lines:
            self._match_bank_lines(connection)
        if trouble:
            raise trouble

    def _run_alone(self, work, *args):
        """Return the result of `work`, run as a transaction of its own; None if it failed for its object alone.

        Such an error is logged and does not stop the other objects.
        """
        try:
            return self._transaction(work, *args)
        except Exception as error:
            self.env.cr.rollback()
            if not is_of_object(error, undone=True):
                raise
            _logger.warning('Bank references: %s%s: %s', args[0]._name, args[0].ids, error)
            return None

    # ------------------------------------------------------------------ references from Ramp

    def _ask_for_references(self, connection, run, flow):
        """Ask Ramp for the references of payments that one of the flows posted."""
        wanted = self._find_unreferenced_payments(connection, run, flow)
        # Hold no locks while Ramp is asked.
        self.env.cr.rollback()
        if not wanted:
            return
        Payment = self.env['account.payment']
        for ramp_id, payload in flow._fetch_each_object(connection._run_client(), list(wanted)):
            try:
                transfer, reference = flow._get_bank_reference(flow._read_payload(payload)) if payload else (None, None)
            except PayloadError as error:
                # The object's own row reports this.
                _logger.info('%s', error)
                continue
            reference = clean_text(reference)
            for key, payment in wanted[ramp_id].items():
                if reference and transfer in (None, key) and self._normalize_bank_text(reference):
                    self._run_alone(self._store_bank_reference, Payment.browse(payment), reference, run)

    @api.model
    def _find_unreferenced_payments(self, connection, run, flow):
        """Return recent payments whose reference is not known yet.

        Each payment is listed once, under one of the objects that it pays.

        :return: {Ramp id of an object: {key of a part: id of its payment}}
        """
        since = fields.Date.context_today(self) - ASKED_FOR
        self.env['ramp.record'].flush_model()
        self.env['account.payment'].flush_model()
        wanted, seen = defaultdict(dict), set()
        for ramp_id, key, payment in self.env.execute_query(
            SQL(
                """
                SELECT r.ramp_id, k.key, p.id
                  FROM ramp_record r, jsonb_each(r.noted -> 'parts') AS k(key, value), account_payment p
                 WHERE r.connection_id = %(connection)s AND r.flow = %(flow)s AND r.date >= %(since)s AND %(by_bank)s
                   AND p.id = (k.value ->> 'id')::int AND p.ramp_bank_reference IS NULL AND p.state IN ('in_process', 'paid')
                   AND p.date >= %(since)s
                 ORDER BY md5(concat(%(run)s, ' ', p.id)), md5(concat(%(run)s, ' ', r.id))
                """,
                connection=connection.id,
                flow=flow._flow,
                since=since,
                run=run.id,
                by_bank=self._get_bank_shown_condition(flow),
            )
        ):
            if payment not in seen and len(seen) < ASKED_AT_ONCE:
                seen.add(payment)
                wanted[ramp_id][key] = payment
        return dict(wanted)

    @api.model
    def _get_bank_shown_condition(self, flow):
        """Return the SQL condition of the rows whose payments a bank shows.

        A payment made by hand has no reference in Ramp.
        """
        if flow._flow == 'bill_payment':
            return SQL("r.payload #>> '{payment,payment_method}' = ANY(%s)", sorted(BANK_METHODS))
        return SQL("r.payload ->> 'state' <> ALL(%s)", sorted(BY_HAND))

    def _store_bank_reference(self, payment, reference, run):
        """Store the reference on a payment, and in the label of its outstanding line for bank matching."""
        payment = payment.with_context(**QUIET).exists()
        if not payment or payment.ramp_bank_reference:
            return
        payment.ramp_bank_reference = reference
        run.seen += 1
        if not payment.move_id.inalterable_hash:
            for line in payment.move_id.line_ids.filtered(
                lambda item: item.account_id == payment.outstanding_account_id
            ):
                line.name = ' '.join(filter(None, (line.name, reference)))

    # ------------------------------------------------------------------ matching of bank lines

    def _match_bank_lines(self, connection):
        """Match bank lines that carry the reference of a payment, to the cent.

        Anything unclear is left to a person.
        """
        payments = self._find_referenced_payments(connection)
        by_shape = defaultdict(set)
        for payment in payments:
            for shape in self._get_reference_variants(self._normalize_bank_text(payment.ramp_bank_reference)):
                by_shape[payment.journal_id.id, shape].add(payment.ramp_bank_reference)
        if not by_shape:
            return
        by_reference = payments.grouped(lambda payment: (payment.journal_id.id, payment.ramp_bank_reference))
        longest = max(shape.count(' ') for _journal, shape in by_shape) + 1
        lines = self.env['account.bank.statement.line'].search(
            [
                ('company_id', '=', connection.company_id.id),
                ('journal_id', 'in', payments.journal_id.ids),
                ('state', '=', 'posted'),
                ('is_reconciled', '=', False),
                ('date', '>=', min(payments.mapped('date')) - SHOWN_BEFORE),
            ],
            order='date, id',
        )
        found = []
        for line in lines:
            words = self._normalize_bank_text(self._get_line_text(line)).split()
            references = {
                reference
                for count in range(1, longest + 1)
                for begin in range(len(words) - count + 1)
                for reference in by_shape.get((line.journal_id.id, ' '.join(words[begin : begin + count])), ())
                if len(reference) >= LEAST_TOLD or CHECKS.intersection(words)
            }
            if len(references) == 1:
                found.append((line, by_reference[line.journal_id.id, references.pop()]))
        for line, candidates in found:
            if self._is_job_time_up():
                self._trigger()
                return
            self._run_alone(self._match_line_payments, line, candidates)

    @api.model
    def _find_referenced_payments(self, connection):
        """Return the payments that have a reference and are not matched with a bank line in Odoo yet."""
        self.env['ramp.record'].flush_model()
        self.env['account.payment'].flush_model()
        return self.env['account.payment'].browse(
            payment
            for [payment] in self.env.execute_query(
                SQL(
                    """
            SELECT DISTINCT p.id
              FROM account_payment p, ramp_record r, jsonb_each(r.noted -> 'parts') AS k(key, value)
             WHERE p.company_id = %s AND p.ramp_bank_reference IS NOT NULL AND p.state = 'in_process' AND p.is_matched IS NOT TRUE
               AND r.connection_id = %s AND r.flow IN ('bill_payment', 'reimbursement_payment') AND (k.value ->> 'id')::int = p.id
             ORDER BY p.id
            """,
                    connection.company_id.id,
                    connection.id,
                )
            )
        )

    @api.model
    def _normalize_bank_text(self, text):
        """Return a text without what banks change: upper case, with only letters and digits."""
        return NOT_TOLD.sub(' ', (text or '').upper()).strip()

    @api.model
    def _get_reference_variants(self, reference):
        """Return a reference as Ramp reports it, and without leading zeros, as some banks show it."""
        short = reference.lstrip('0')
        return {reference, short} if len(short) >= TOLD_IN_PART else {reference}

    @api.model
    def _get_line_text(self, line):
        """Return the texts of a bank line, except amounts and dates."""

        def texts(value):
            if isinstance(value, dict):
                return [
                    text
                    for name, item in value.items()
                    if not NO_REFERENCES.search(str(name).lower())
                    for text in texts(item)
                ]
            if isinstance(value, list):
                return [text for item in value for text in texts(item)]
            return [value] if isinstance(value, str) else []

        return ' / '.join(filter(None, (line.payment_ref, line.ref, *texts(line.transaction_details))))

    def _match_line_payments(self, line, payments):
        """Reconcile a bank line with the open lines of payments, as a person would, if they add up to its amount."""
        payments = payments.filtered(
            lambda payment: not payment.is_matched and payment.date <= line.date + SHOWN_BEFORE
        )
        # A payment may be reversed because the money came back or it was posted wrongly. The payment that replaced it
        # comes first.
        payments = payments.filtered(lambda payment: not payment.move_id.reversal_move_ids) or payments
        open_lines = payments.move_id.line_ids.filtered(
            lambda item: item.account_id in payments.outstanding_account_id and not item.reconciled
        )
        _liquidity, suspense, other = line._seek_for_lines()
        if (
            len(suspense) != 1
            or other
            or len(open_lines.account_id) != 1
            or open_lines.currency_id != suspense.currency_id
        ):
            return
        if suspense.currency_id.compare_amounts(
            sum(open_lines.mapped('amount_residual_currency')), -suspense.amount_currency
        ):
            return
        suspense.write(
            {
                'account_id': open_lines.account_id.id,
                'partner_id': payments.partner_id.id if len(payments.partner_id) == 1 else False,
            }
        )
        (suspense + open_lines).reconcile()
        self.env.flush_all()
        if not all((suspense + open_lines).mapped('reconciled')):
            raise UserError(
                self.env._('The bank line %s does not match the open amount of its payment.', line.display_name)
            )
