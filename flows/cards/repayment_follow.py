# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import copy
import dataclasses
import logging

from odoo import models
from odoo.exceptions import UserError
from odoo.tools import SQL, LazyTranslate

from ...models.ledger_notes import ABSENT
from ...ramp_api import Money, PayloadError
from ..engine.flow import is_of_object
from ..engine.reasons import Held
from .repayment import RepaymentNote, RepaymentPlan

_lt = LazyTranslate(__name__)
_logger = logging.getLogger(__name__)

BATCH = 100  # repayments that follow in one transaction


class RampFlowTransactionFollowed(models.AbstractModel):
    _inherit = 'ramp.flow.transaction'

    def _pull_from_ramp(self, connection, run, client, started):
        """EXTENDS: let repayments follow what was just posted anew."""
        result = super()._pull_from_ramp(connection, run, client, started)
        if result:
            self.env['ramp.flow.repayment']._follow_originals(connection, run)
        return result


class RampFlowRepaymentFollow(models.AbstractModel):
    """Let posted repayments follow a card transaction that was posted anew, with another coding.

    The entry of the repayment stays, because the bank may be matched with it. A second entry, on the same day, moves
    what it took back from the former accounts, analytic accounts and taxes to those of the transaction's new entry. At
    most one such entry counts for a repayment. If the transaction is posted anew once more, it is reversed first.

    Each run compares the lines that the ledger notes with the lines of the entry that the transaction has now. So it
    does not matter who had the transaction posted anew, and when. Entry and note commit together.
    """

    _inherit = 'ramp.flow.repayment'

    def _pull_from_ramp(self, connection, run, client, started):
        """EXTENDS: let repayments follow their originals before new ones are posted."""
        self._follow_originals(connection, run)
        return super()._pull_from_ramp(connection, run, client, started)

    def _is_question_settled(self, connection, record):
        """EXTENDS: keep a repayment on hold as long as it cannot follow its original."""
        return super()._is_question_settled(connection, record) and not self._find_misplaced_rows(
            connection, SQL('r.id = %s', record.id)
        )

    # ------------------------------------------------------------------ which repayments

    def _find_misplaced_rows(self, connection, where, lock=False):
        """Return the rows whose shares are not on the lines of the entry that their transaction has now.

        Rows are included whose entry does not count any more, while the one that moved its shares does. A draft waits,
        and so does what a person has to decide on.

        :param where: further condition (`SQL`); the row is `r`
        :param lock: lock the rows, and leave out those that another worker has locked
        """
        self.env.flush_all()
        reversed_now = SQL(
            "EXISTS (SELECT FROM account_move x WHERE x.reversed_entry_id = m.id AND x.state = 'posted')"
        )
        self.env.cr.execute(
            SQL(
                """
            SELECT r.id FROM ramp_record r
              LEFT JOIN account_move m ON m.id = r.res_id
              LEFT JOIN ramp_record t ON t.connection_id = r.connection_id AND t.flow = 'transaction' AND t.ramp_id = r.parent_ramp_id
                   AND t.res_model = 'account.move'
              LEFT JOIN account_move o ON o.id = t.res_id AND o.state = 'posted'
             WHERE r.connection_id = %(connection)s AND r.flow = %(flow)s AND %(where)s
               AND (r.noted ->> 'moved' IS NOT NULL AND (m.id IS NULL OR m.state = 'cancel' OR %(reversed_now)s)
                    OR m.state = 'posted' AND o.id IS NOT NULL AND NOT %(reversed_now)s
                       AND (r.state IN ('done', 'confirmed') OR r.hold_reason = 'question')
                       AND COALESCE(r.noted ->> 'transaction', r.parent_ramp_id) = r.parent_ramp_id
                       AND EXISTS (
                           SELECT FROM jsonb_array_elements(
                                  CASE WHEN jsonb_typeof(r.noted -> 'shares') = 'array' THEN r.noted -> 'shares' ELSE '[]' END) AS s(share)
                             LEFT JOIN account_move_line l ON l.id = (s.share ->> 0)::int
                            WHERE l.move_id IS DISTINCT FROM o.id))
             ORDER BY r.id LIMIT %(limit)s %(lock)s
            """,
                connection=connection.id,
                flow=self._flow,
                where=where,
                reversed_now=reversed_now,
                limit=BATCH,
                lock=SQL('FOR UPDATE OF r SKIP LOCKED' if lock else ''),
            )
        )
        return self.env['ramp.record'].browse(row[0] for row in self.env.cr.fetchall())

    # ------------------------------------------------------------------ a run

    def _follow_originals(self, connection, run):
        """Move the shares of all repayments whose originals were posted anew. Commits."""
        if not self._find_misplaced_rows(connection, SQL('TRUE')):
            self.env['ir.cron']._commit_progress()  # no transaction stays open while Ramp is asked
            return
        after = 0
        while ids := self._transaction(self._follow_next_originals, connection, run, after):
            after = ids[-1]

    def _follow_next_originals(self, connection, run, after):
        """Move the shares of the next repayments, in one transaction.

        :return: ids of the rows that were looked at
        """
        records = self._find_misplaced_rows(connection, SQL('r.id > %s', after), lock=True)
        if not records:
            return []
        values = {}
        for record in records:
            try:
                values[record] = self._read_standing_value(record)
            except PayloadError as error:
                record._mark_held(_lt('Ramp sent data that cannot be posted. %s', error))
        readable = [value for value in values.values() if value]
        found = self._look_up_references(connection, readable) if readable else None
        for record, value in values.items():
            self._follow_in_savepoint(connection, record, value, found)
        run.write(
            {
                'processed': run.processed + len(records),
                'held': run.held + records.mapped('hold_reason').count('question'),
            }
        )
        return records.ids

    def _read_standing_value(self, record):
        """Return the repayment of a row; None if its entry does not count any more."""
        entry = self.env['account.move'].browse(record.res_id).exists()
        if entry.state != 'posted' or self._is_reversed(entry):
            return None
        return dataclasses.replace(self._read_payload(record.payload), original_transaction_id=record.parent_ramp_id)

    def _follow_in_savepoint(self, connection, record, value, found):
        """Move the shares of one repayment, or take back the entry that moved them.

        If that cannot be done, the row has the reason.

        :param value: None if the repayment's own entry does not count any more
        """
        taken = found and copy.deepcopy(found.taken)
        try:
            with self.env.cr.savepoint():
                if value:
                    self._follow_original(connection, record, value, found)
                else:
                    self._undo_moved_entry(connection, record, self.env._('Its repayment was undone in Odoo.'))
                    note = dataclasses.replace(record._read_note(RepaymentNote), moved=ABSENT)
                    self.env['ramp.record']._store_noted({record.id: note})
        except Exception as error:
            if not is_of_object(error, undone=True):
                raise
            if found:
                found.taken = taken
            reason = error if isinstance(error, Held) else self._describe_move_failure(record, error)
            # A row without an entry has a reason already, and is tried again in each run.
            if record.res_id:
                record._mark_held(reason, error.move if isinstance(error, Held) else None)
            return
        if record.res_id and record.hold_reason == 'question':
            record._release_posted()

    def _describe_move_failure(self, record, error):
        if isinstance(error, UserError):
            return _lt('Odoo refused to post it: %s', error)
        _logger.exception('Ramp flow %s could not move the shares of %s', self._flow, record.ramp_id)
        return self._describe_single_failure(error)

    # ------------------------------------------------------------------ one repayment

    def _follow_original(self, connection, record, value, found):
        """Move what a repayment took back to the lines of the entry that its transaction has now.

        :raise Held: when the day is locked, or the transaction does not have that much any more
        """
        self._undo_moved_entry(connection, record, self.env._('The card transaction was posted again.'))
        note, identity = record._read_note(RepaymentNote), record.parent_ramp_id
        entry, original = self.env['account.move'].browse(record.res_id), found.originals[record.parent_ramp_id][1]
        amount = sum(minor for _line, minor, _balance in note.shares)
        for line, minor, balance in note.shares:
            sums = found.taken[identity][line]
            found.taken[identity][line] = [sums[0] - minor, sums[1] - balance]
        currency = entry.currency_id
        money = Money(self._float_to_minor(self._units_to_amount(amount, currency), currency), currency.name)
        value = dataclasses.replace(value, amount=money)
        spend = self._list_spend_lines(connection, original, found)
        shares, balance = self._plan_repaid_shares(connection, value, original, spend, found)
        expense = entry.expense_ids[:1]
        plan = RepaymentPlan(
            repayment=value,
            original=original,
            date=entry.date,
            journal=entry.journal_id,
            account=entry.line_ids.account_id.browse(),
            employee=expense.employee_id,
            shares=shares,
            balance=balance,
            label=expense.name or entry.ref,
            spent=found.expenses.get(original, expense.browse()),
        )
        moved = self._move_shares(connection, plan, entry, found)
        note = dataclasses.replace(
            note, **{name: getattr(self._make_share_note(plan), name) for name in ('shares', 'transaction')}
        )
        note.moved = moved.id or ABSENT
        self.env['ramp.record']._store_noted({record.id: note})
        if expense:
            self.env['ramp.card.expense']._write_expenses(
                connection,
                {value.id: (self._prepare_expense_values(connection, plan), self._prepare_spend_values(plan))},
            )
        self._post_repayment_notes([plan], entry)
