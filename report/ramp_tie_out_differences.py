# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.tools import SQL, format_date

# Kinds that nobody has to correct in the books: they wait, or somebody decided so
EXPLAINED_KINDS = ('withheld', 'waiting', 'expected', 'ignored', 'accrued')
# Kinds of differences of objects that Ramp has and the books do not: on hold, waiting, or posted in a later month.
# What is a draft, was deleted or edited has to be corrected in the books instead. What is ignored is in nobody's books.
ACCRUED_KINDS = ('held', 'waiting', 'withheld', 'period')


class RampTieOutDifferences(models.AbstractModel):
    """The explanation of each difference, from the ledger row and the entry of an object whose sides differ."""

    _inherit = 'report.ramp_connector.tie_out'

    # ------------------------------------------------------------------ kinds

    @api.model
    def _named_rows_query(self, rows, month):
        """Return a SELECT of rows with the kind of their difference, and whether that explains it.

        A difference is explained if it waits for somebody in Ramp, or for its turn, or if somebody decided on it. An
        object that is posted in another month is explained if its sides agree over all months. What is accrued for the
        month, with this amount, is explained. Everything else is to be corrected in the books.

        :param rows: SELECT with the columns record_id, move_id, ramp_amount, odoo_amount, and whole: the difference of
            the object over all months
        :param month: first day of the month at whose end the rows are looked at
        """
        return SQL(
            """
            SELECT n.*, COALESCE(n.kind = ANY(%(explained)s) OR n.kind = 'period' AND n.whole = 0
                                 OR n.kind = 'held' AND n.waits_in_ramp, FALSE) AS is_explained
              FROM (
                SELECT k.*, CASE WHEN k.is_accrued AND k.cause = ANY(%(accruable)s) THEN 'accrued'
                                 ELSE k.cause END AS kind
                  FROM (
                SELECT d.*, a.record_id IS NOT NULL AS is_accrued,
                       -- all that holds it is to be done in Ramp
                       r.reason ->> 'of' = md5(r.error_message) AND r.reason @> '{"causes": [{"kind": "in_ramp"}]}'
                       AND NOT EXISTS (SELECT FROM jsonb_array_elements(r.reason -> 'causes') c WHERE c ->> 'kind' <> 'in_ramp')
                       AS waits_in_ramp,
                       CASE
                         WHEN r.id IS NULL THEN CASE WHEN e.ramp_id IS NOT NULL AND EXISTS (
                              SELECT FROM account_move x WHERE x.reversed_entry_id = e.id AND x.state = 'posted')
                              THEN 'reversed' ELSE 'manual' END
                         WHEN r.flow = 'bill_payment' THEN 'expected'
                         -- an object without a document of its own; with an amount, it is a bill's card payment
                         WHEN COALESCE(r.res_id, 0) = 0 THEN CASE
                              WHEN d.odoo_amount <> 0 THEN 'expected'
                              WHEN r.hold_reason = 'deleted' THEN 'deleted'
                              WHEN r.is_withheld AND r.state = 'pending' THEN 'withheld'
                              WHEN r.state = 'ignored' THEN 'ignored'
                              WHEN r.state IN ('error', 'held') THEN 'held'
                              ELSE 'waiting' END
                         WHEN m.id IS NULL THEN 'deleted'
                         WHEN r.finding = 'vanished' OR r.noted ->> 'accepted' = 'vanished' THEN 'vanished'
                         WHEN m.state = 'draft' THEN 'draft'
                         WHEN m.state = 'cancel' THEN 'cancelled'
                         WHEN r.has_changed THEN 'changed'
                         WHEN date_trunc('month', m.date) <> date_trunc('month', COALESCE(r.date, m.date))
                              AND (d.ramp_amount = 0 OR d.odoo_amount = 0) THEN 'period'
                         WHEN r.flow = 'cashback' THEN 'waiting'
                         ELSE 'edited' END AS cause
                  FROM (%(rows)s) d
                  LEFT JOIN ramp_record r ON r.id = d.record_id
                  LEFT JOIN account_payment p ON r.res_model = 'account.payment' AND p.id = r.res_id
                  LEFT JOIN account_move m ON m.id = CASE r.res_model WHEN 'account.move' THEN r.res_id
                                                                       WHEN 'account.payment' THEN p.move_id END
                  LEFT JOIN account_move e ON e.id = d.move_id
                  LEFT JOIN (%(accrued)s) a ON a.record_id = r.id AND d.odoo_amount = 0 AND a.amount = d.ramp_amount
                  ) k
              ) n
            """,
            rows=rows,
            accrued=self._accrued_query(month),
            explained=list(EXPLAINED_KINDS),
            accruable=list(ACCRUED_KINDS),
        )

    # ------------------------------------------------------------------ rows in words

    def _describe_differences(self, odd):
        """Return rows whose sides differ in words, as [difference] in the same order.

        :param odd: `OddRow` of any months
        """
        Record, Move = self.env['ramp.record'], self.env['account.move']
        records = Record.browse({row.record_id for row in odd if row.record_id}).exists()
        records.fetch(
            [
                'name',
                'flow',
                'state',
                'error_message',
                'reason',
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
        alone = Move.browse({row.move_id for row in odd if row.move_id}).exists()
        (alone | Move.union(*moves.values())).fetch(['name', 'state', 'date', 'ref', 'reversed_entry_id'])
        by_record, by_move = records.grouped('id'), alone.grouped('id')
        found = []
        for row in odd:
            record, move = by_record.get(row.record_id, Record), by_move.get(row.move_id, Move)
            text = (
                self._explain_object_difference(row.kind, record, moves[record], row.odoo)
                if record
                else self._explain_entry_difference(move)
            )
            money = self.env['res.currency'].browse(row.currency_id)
            entry = moves[record] if record else move
            found.append(
                {
                    'kind': row.kind,
                    'is_explained': row.is_explained,
                    'text': text,
                    'measure': row.measure,
                    'name': record.name or move.name or move.ref or self.env._('Deleted'),
                    'date': fields.Date.to_string(record.date or move.date) if record or move else False,
                    'record_id': record.id,
                    'move_id': entry.id,
                    'entry': entry.name or False,
                    'ramp_id': record.ramp_id or False,
                    'url': record.ramp_url if record else False,
                    **{
                        key: value
                        for key, value in self._compare_both_sides(money, row.ramp, row.odoo).items()
                        if key != 'odd'
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

    def _explain_object_difference(self, kind, record, move, odoo):
        """Return the sentence for an object whose sides differ.

        :param kind: see `_named_rows_query`
        """
        reason = record.reason_text or record.status
        if kind == 'accrued':
            text = self._explain_object_difference('period' if record.res_id else 'held', record, move, odoo)
            return self.env._('Accrued for this month. %s', text)
        if record.flow == 'bill_payment':
            return self.env._('This is the card payment of a bill. Ramp does not show its transaction.')
        if not record.res_id:
            if odoo:
                return self.env._('Posted as the card payment of a bill. Its transaction: %s', reason)
            return reason
        if kind == 'deleted':
            return self.env._('Its entry was deleted in Odoo.')
        if kind == 'vanished':
            return self.env._('Posted as %s, but Ramp no longer has it.', move.name)
        if kind == 'draft':
            return self.env._('%s is a draft in Odoo. Post it.', move.name or self.env._('Its entry'))
        if kind == 'cancelled':
            return self.env._('%s was cancelled in Odoo.', move.name)
        if kind == 'changed':
            return self.env._(
                'Changed in Ramp after it was posted as %s. Press Reverse and Post Again, or Keep What Is Posted.',
                move.name,
            )
        if kind == 'period':
            return self.env._(
                '%(move)s is posted on %(booked)s, but its date in Ramp is %(day)s.',
                move=move.name,
                booked=format_date(self.env, move.date),
                day=format_date(self.env, record.date),
            )
        if kind == 'waiting':
            return reason
        return self.env._('%s was edited in Odoo and no longer matches Ramp.', move.name)

    def _explain_entry_difference(self, move):
        """Return the sentence for an entry without an object of Ramp."""
        if not move:
            return self.env._('This entry has since been deleted.')
        reversal = move.reversal_move_ids.filtered(lambda item: item.state == 'posted')[:1]
        if move.ramp_id and reversal:
            return self.env._('%(move)s was reversed in Odoo by %(reversal)s.', move=move.name, reversal=reversal.name)
        if reversal:
            return self.env._(
                '%(move)s and its reversal %(reversal)s are in different months, or their amounts differ.',
                move=move.name,
                reversal=reversal.name,
            )
        return self.env._('%s was entered in Odoo. There is no object in Ramp for it.', move.name or move.ref)
