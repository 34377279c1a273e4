# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models

from ...ramp_api import REIMBURSEMENT_PAID_STATES, read_reimbursement
from ..accounting.booking import clean
from ..accounting.payments import Part
from ..engine.flow import Held, Waiting
from .reimbursement import DEAD

BY_HAND = frozenset({'EXPORT_SUCCESSFUL', 'MANUALLY_REIMBURSED'})  # no money moved through Ramp


class RampFlowReimbursementPayment(models.AbstractModel):
    """How reimbursements are paid: one payment for what an employee got in one transfer, reconciled with the bills.

    Ramp does not want to hear of them. A payment that fails after it was booked is reversed, and so is what was withdrawn in Ramp.
    """

    _name = 'ramp.flow.reimbursement_payment'
    _inherit = 'ramp.flow.payment'
    _description = 'Ramp Flow: payments of reimbursements'

    _flow = 'reimbursement_payment'
    _flow_sequence = 75
    _endpoint = '/reimbursements'
    _parent_flow = 'reimbursement'

    @api.model
    def _flow_label(self):
        return self.env._('Reimbursement payments')

    @api.model
    def _page(self, record):
        return self.env['ramp.flow.reimbursement']._page(record)

    @api.model
    def _enabled(self, connection):
        return connection.pull_reimbursements

    def _read(self, payload):
        return read_reimbursement(payload)

    def _facts(self, value):
        return {
            'state': value.state, 'amount': str(value.amount), 'transfer': self._transfer(value), 'paid': str(value.payment_processed_at)}

    def _row(self, connection, value):
        flow, transfer = self.env['ramp.flow.reimbursement'], self._transfer(value)
        return {
            'name': flow._row(connection, value)['name'], 'date': self._day(connection, value.payment_processed_at),
            'money': flow._signed(value),
            # a batch pays many people; what one of them gets is booked together
            'parent_ramp_id': transfer and f'{transfer} {value.user_id}',
        }

    @api.model
    def _bank_reference(self, value):
        """(None: its payment is the one that was booked, the bank's reference of that) as the detail of a reimbursement has it."""
        return None, value.trace_id

    @staticmethod
    def _transfer(value):
        """What all reimbursements of one transfer share; the shown id is the same for them, too."""
        return value.payment_batch_id or value.payment_id

    def _is_paid_somehow(self, payload, value):
        return value.state in REIMBURSEMENT_PAID_STATES

    # ------------------------------------------------------------------ deciding

    def _look_up(self, connection, values):
        ids = [value.id for value in values]
        return {
            **self._look_up_books(connection, [], {value.amount.currency for value in values if value.amount}),
            'documents': self._look_up_documents(connection, ids), 'noted': self._look_up_noted(connection, ids),
        }

    def _plan(self, connection, value, found):
        move, line = self._check_document(value.id, found)
        in_words = self.env['ramp.flow.reimbursement']._state_in_words(value.state)
        done = found['noted'].get(value.id, {}).get('parts', {})
        is_paid = value.state in REIMBURSEMENT_PAID_STATES
        parts = self._plan_parts(connection, value, move, line, done, found) if is_paid else []
        settlement = self._compare(value, move, line, parts, found, in_words)
        if not is_paid and not settlement.undo:
            raise Waiting(in_words)
        if settlement.parts:
            self._check_open(settlement)
        return settlement, value

    def _plan_parts(self, connection, value, move, line, done, found):
        """The one payment, or none where a person enters it in Odoo."""
        journal = connection.payment_journal_id
        if value.state in BY_HAND:
            if connection.manual_payment_policy == 'person' and not done:
                return self._by_person(move, line, self.env._('It was paid outside of Ramp.'))
            journal = connection.manual_payment_journal_id or journal
        if not journal:
            raise Held(self.env._('The connection %s has no payment journal. Choose one.', connection.name))
        if not value.amount.minor:
            return []
        day = self._day(connection, value.payment_processed_at)
        if not day:
            return self._by_person(move, line, self.env._('Ramp does not say when it was paid.'))
        transfer = self._transfer(value)
        # what was booked while Ramp did not name its transfer is that transfer
        key = next(iter(done)) if done and (not transfer or value.id in done) else transfer or value.id
        return [Part(
            key, transfer, value.amount.minor, None, None, self._plan_entry_date(connection, day, journal, found), journal,
            self._memo(self.env['ramp.flow.reimbursement']._label(value), clean(value.payment_id)))]

    def _by_person(self, move, line, reason):
        if not line.currency_id.is_zero(line.amount_residual_currency):
            raise Held(self.env._(
                '%(reason)s Enter the payment of %(move)s in Odoo; then it settles itself.', reason=reason, move=move.name), move)
        return []

    # ------------------------------------------------------------------ booking

    def _book(self, connection, plans):
        notes = self._settle_documents(connection, [settlement for settlement, _value in plans])
        rows = {row.ramp_id: row for row in self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', '=', self._flow),
             ('ramp_id', 'in', [value.id for _settlement, value in plans])], ['ramp_id', 'payload'])}
        noted, documents = {}, []
        for settlement, value in plans:
            parts = {**settlement.noted['parts'], **{part.key: notes[value.id, part.key] for part in settlement.parts}}
            noted[rows[value.id].id] = {**settlement.noted, 'parts': parts}
            payment = self.env['account.payment'].browse([note['id'] for note in parts.values()][:1])
            documents.append(payment or (settlement.move if value.state in REIMBURSEMENT_PAID_STATES else None))
        self.env['ramp.record']._store_noted(noted)
        self._withdraw_documents(connection, [rows[value.id] for _settlement, value in plans if value.state in DEAD])
        return documents

    def _withdraw_documents(self, connection, rows):
        """What was withdrawn after it was paid is not paid any more, so that it can be undone as well."""
        flow = self.env['ramp.flow.reimbursement']
        told = {row['ramp_id']: row for row in (flow._ledger_row(connection, row.payload) for row in rows)}
        if told:
            flow._withdraw(connection, told, {ramp_id: flow._state_in_words(row['value'].state) for ramp_id, row in told.items()})
