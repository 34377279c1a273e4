# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses

from odoo import api, models
from odoo.tools import LazyTranslate

from ...ramp_api import REIMBURSEMENT_PAID_STATES, read_reimbursement
from ..accounting.booking import clean_text
from ..accounting.payments import Part
from ..engine.reasons import Held, Waiting, hold_missing_setting
from .reimbursement import DEAD

_lt = LazyTranslate(__name__)

BY_HAND = frozenset({'EXPORT_SUCCESSFUL', 'MANUALLY_REIMBURSED'})  # no money moved through Ramp


class RampFlowReimbursementPayment(models.AbstractModel):
    """Post the payments of reimbursements: one payment for all that an employee received in one transfer.

    The payment is reconciled with the bills. Ramp expects no confirmation of it. A payment that fails after it
    was posted is reversed. So is the payment of a reimbursement that was withdrawn in Ramp.
    """

    _name = 'ramp.flow.reimbursement_payment'
    _inherit = 'ramp.flow.payment'
    _description = 'Ramp Flow: payments of reimbursements'

    _flow = 'reimbursement_payment'
    _flow_sequence = 75
    _endpoint = '/reimbursements'
    _parent_flow = 'reimbursement'

    @api.model
    def _get_flow_label(self):
        return self.env._('Reimbursement payments')

    @api.model
    def _get_ramp_page_path(self, record):
        return self.env['ramp.flow.reimbursement']._get_ramp_page_path(record)

    @api.model
    def _is_enabled_for(self, connection):
        return connection.pull_reimbursements

    def _read_payload(self, payload):
        return read_reimbursement(payload)

    def _get_booking_facts(self, value):
        return {
            'state': value.state,
            'amount': str(value.amount),
            'transfer': self._get_transfer_key(value),
            'paid': str(value.payment_processed_at),
        }

    def _get_ledger_columns(self, connection, value):
        flow, transfer = self.env['ramp.flow.reimbursement'], self._get_transfer_key(value)
        return {
            'name': flow._get_ledger_columns(connection, value)['name'],
            'date': self._get_booking_day(connection, value.payment_processed_at),
            'money': flow._get_signed_amount(value),
            # A batch pays many people. The amounts that one person gets are posted together.
            'parent_ramp_id': transfer and f'{transfer} {value.user_id}',
        }

    @api.model
    def _get_bank_reference(self, value):
        """Return None and the bank reference from the detail of a reimbursement.

        None stands for the one payment that was posted.
        """
        return None, value.trace_id

    @staticmethod
    def _get_transfer_key(value):
        """Return the key that all reimbursements of one transfer share.

        The id that Ramp shows (`payment_id`) is the same for all of them, too.
        """
        return value.payment_batch_id or value.payment_id

    def _is_partly_paid(self, payload, value):
        return value.state in REIMBURSEMENT_PAID_STATES

    # ------------------------------------------------------------------ planning

    def _look_up_references(self, connection, values):
        ids = [value.id for value in values]
        found = self._look_up_accounting_state(
            connection, [], {value.amount.currency for value in values if value.amount}
        )
        found.documents = self._look_up_documents(connection, ids)
        found.noted = self._look_up_noted(connection, ids)
        return found

    def _plan_object(self, connection, value, found):
        move, lines = self._check_paid_document(value.id, found)
        in_words = self.env['ramp.flow.reimbursement']._describe_ramp_state(value.state)
        done = found.noted[value.id].parts or {}
        is_paid = value.state in REIMBURSEMENT_PAID_STATES
        parts = self._plan_payment_parts(connection, value, move, lines, done, found) if is_paid else []
        settlement = self._plan_settlement(value, move, lines, parts, found, in_words)
        if not is_paid and not settlement.undo:
            raise Waiting(in_words)
        if settlement.parts:
            self._check_open_amount(settlement)
        return settlement, value

    def _plan_payment_parts(self, connection, value, move, lines, done, found):
        """Return the one payment as a list of `Part`; empty if a person enters it in Odoo."""
        journal = connection.payment_journal_id
        if value.state in BY_HAND:
            if connection.manual_payment_policy == 'person' and not done:
                return self._hold_for_manual_payment(move, lines, self.env._('It was paid outside of Ramp.'))
            journal = connection.manual_payment_journal_id or journal
        if not journal:
            raise hold_missing_setting(connection, 'payment_journal_id')
        if not value.amount.minor:
            return []
        day = self._get_booking_day(connection, value.payment_processed_at)
        if not day:
            return self._hold_for_manual_payment(move, lines, self.env._('Ramp does not say when it was paid.'))
        transfer = self._get_transfer_key(value)
        # A payment that was posted before Ramp named its transfer belongs to that transfer.
        key = next(iter(done)) if done and (not transfer or value.id in done) else transfer or value.id
        date = self._plan_entry_date(connection, day, journal, found)
        return [
            Part(
                key,
                transfer,
                value.amount.minor,
                None,
                self._plan_payment_rate(connection, value.amount, None, date, found),
                date,
                journal,
                self._join_memo_texts(
                    self.env['ramp.flow.reimbursement']._make_reimbursement_label(value), clean_text(value.payment_id)
                ),
                value.user_id,
            )
        ]

    def _hold_for_manual_payment(self, move, lines, reason):
        if not lines.currency_id.is_zero(self._sum_residuals(lines)):
            raise Held(
                _lt(
                    '%(reason)s Enter the payment of %(move)s in Odoo. This record then clears itself.',
                    reason=reason,
                    move=move.name,
                ),
                move,
            )
        return []

    # ------------------------------------------------------------------ posting

    def _book_plans(self, connection, plans):
        notes = self._book_settlements(connection, [settlement for settlement, _value in plans])
        rows = {
            row.ramp_id: row
            for row in self.env['ramp.record'].search_fetch(
                [
                    ('connection_id', '=', connection.id),
                    ('flow', '=', self._flow),
                    ('ramp_id', 'in', [value.id for _settlement, value in plans]),
                ],
                ['ramp_id', 'payload'],
            )
        }
        noted, documents = {}, []
        for settlement, value in plans:
            keys = (*settlement.noted.parts, *(part.key for part in settlement.parts))
            parts = {key: notes[value.id, key] for key in keys}
            noted[rows[value.id].id] = dataclasses.replace(settlement.noted, parts=parts)
            payment = self.env['account.payment'].browse([note.id for note in parts.values()][:1])
            documents.append(payment or (settlement.move if value.state in REIMBURSEMENT_PAID_STATES else None))
        self.env['ramp.record']._store_noted(noted)
        self._release_withdrawn_documents(
            connection, [rows[value.id] for _settlement, value in plans if value.state in DEAD]
        )
        return documents

    def _release_withdrawn_documents(self, connection, rows):
        """Undo the bills of reimbursements that were withdrawn after they were paid.

        They are not paid any more, so the bills can be undone as well.
        """
        flow = self.env['ramp.flow.reimbursement']
        told = {row['ramp_id']: row for row in (flow._make_ledger_row(connection, row.payload) for row in rows)}
        if told:
            flow._reverse_withdrawn_objects(
                connection,
                told,
                {ramp_id: flow._describe_ramp_state(row['value'].state) for ramp_id, row in told.items()},
            )
