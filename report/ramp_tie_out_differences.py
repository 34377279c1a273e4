# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import defaultdict

from odoo import fields, models
from odoo.tools import format_date


class RampTieOutDifferences(models.AbstractModel):
    """The explanation of each difference, from the ledger row and the entry of an object whose sides differ."""

    _inherit = 'report.ramp_connector.tie_out'

    def _differences_by_month(self, connection, odd):
        """Return {(entity, currency id, month): [difference]}, the largest difference first.

        :param odd: rows of the tie-out whose sides differ
        """
        Record, Move = self.env['ramp.record'], self.env['account.move']
        records = Record.browse({row[4] for row in odd if row[4]}).exists()
        records.fetch(
            [
                'name',
                'flow',
                'state',
                'error_message',
                'res_model',
                'res_id',
                'date',
                'is_withheld',
                'hold_reason',
                'sync_attempt',
                'has_changed',
                'connection_id',
                'ramp_id',
                'finding',
                'noted',
            ]
        )
        moves = self._moves_of_records(records)
        alone = Move.browse({row[5] for row in odd if row[5]}).exists()
        (alone | Move.union(*moves.values())).fetch(['name', 'state', 'date', 'ref', 'reversed_entry_id'])
        by_record, by_move = records.grouped('id'), alone.grouped('id')
        found = defaultdict(list)
        for entity, currency, month, measure, record_id, move_id, ramp, odoo in odd:
            record, move = by_record.get(record_id, Record), by_move.get(move_id, Move)
            kind, text = (
                self._explain_object_difference(record, moves[record], month, ramp, odoo)
                if record
                else self._explain_entry_difference(move)
            )
            money = self.env['res.currency'].browse(currency)
            found[entity, currency, month].append(
                {
                    'kind': kind,
                    'text': text,
                    'measure': measure,
                    'name': record.name or move.name or move.ref or self.env._('Deleted'),
                    'date': fields.Date.to_string(record.date or move.date) if record or move else False,
                    'record_id': record.id,
                    'move_id': (moves[record] if record else move).id,
                    'url': record.ramp_url if record else False,
                    **{
                        key: value for key, value in self._compare_both_sides(money, ramp, odoo).items() if key != 'odd'
                    },
                }
            )
        return found

    def _moves_of_records(self, records):
        """Return {row: its journal entry}; the recordset is empty if the entry was deleted or never existed."""
        Move, Payment = self.env['account.move'], self.env['account.payment']
        moves = Move.browse(
            {record.res_id for record in records if record.res_id and record.res_model == 'account.move'}
        ).exists()
        payments = Payment.browse(
            {record.res_id for record in records if record.res_id and record.res_model == 'account.payment'}
        ).exists()
        by_id, by_payment = moves.grouped('id'), {payment.id: payment.move_id for payment in payments}
        return {
            record: (by_payment if record.res_model == 'account.payment' else by_id).get(record.res_id, Move)
            for record in records
        }

    def _explain_object_difference(self, record, move, month, ramp, odoo):
        """Return (kind, sentence) for an object whose sides differ."""
        reason = record.error_message or record.status
        if record.flow == 'bill_payment':
            return 'expected', self.env._('This is the card payment of a bill. Ramp does not show its transaction.')
        if not record.res_id:
            return self._explain_unbooked_object(record, reason, odoo)
        if not move:
            return 'deleted', self.env._('Its entry was deleted in Odoo.')
        if record.finding == 'vanished' or record._read_note().accepted == 'vanished':
            return 'vanished', self.env._('Posted as %s, but Ramp no longer has it.', move.name)
        if move.state == 'draft':
            return 'draft', self.env._('%s is a draft in Odoo. Post it.', move.name or self.env._('Its entry'))
        if move.state == 'cancel':
            return 'cancelled', self.env._('%s was cancelled in Odoo.', move.name)
        if record.has_changed:
            return 'changed', self.env._(
                'Changed in Ramp after it was posted as %s. Press Reverse and Post Again, or Keep What Is Posted.',
                move.name,
            )
        if move.date.replace(day=1) != (record.date or move.date).replace(day=1) and not (ramp and odoo):
            return 'period', self.env._(
                '%(move)s is posted on %(booked)s, but its date in Ramp is %(day)s.',
                move=move.name,
                booked=format_date(self.env, move.date),
                day=format_date(self.env, record.date),
            )
        if record.flow == 'cashback':
            return 'waiting', reason
        return 'edited', self.env._('%s was edited in Odoo and no longer matches Ramp.', move.name)

    def _explain_unbooked_object(self, record, reason, odoo):
        """Return (kind, sentence) for an object without a document of its own."""
        # A bill paid by card whose transaction has not arrived
        if odoo:
            return 'expected', self.env._('Posted as the card payment of a bill. Its transaction: %s', reason)
        kind = (
            'deleted'
            if record.hold_reason == 'deleted'
            else 'withheld'
            if record.is_withheld and record.state == 'pending'
            else {'pending': 'waiting', 'ignored': 'ignored', 'error': 'held', 'held': 'held'}.get(
                record.state, 'waiting'
            )
        )
        return kind, reason

    def _explain_entry_difference(self, move):
        """Return (kind, sentence) for an entry without an object of Ramp."""
        if not move:
            return 'manual', self.env._('This entry has since been deleted.')
        reversal = move.reversal_move_ids.filtered(lambda item: item.state == 'posted')[:1]
        if move.ramp_id and reversal:
            return 'reversed', self.env._(
                '%(move)s was reversed in Odoo by %(reversal)s.', move=move.name, reversal=reversal.name
            )
        if reversal:
            return 'manual', self.env._(
                '%(move)s and its reversal %(reversal)s are in different months, or their amounts differ.',
                move=move.name,
                reversal=reversal.name,
            )
        return 'manual', self.env._('%s was entered in Odoo. There is no object in Ramp for it.', move.name or move.ref)
