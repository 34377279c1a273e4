# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.fields import Domain
from odoo.tools import SQL

from .ramp_record import PASSING_REASONS


class RampRecord(models.Model):
    """Selects the rows that a job works on now, with a lock until the end of the transaction, or without a lock.

    These methods run in background jobs as superuser. None can be called over RPC (leading underscore).
    """

    _inherit = 'ramp.record'

    # ------------------------------------------------------------------ conditions: which rows are due
    # The conditions are defined once for all queries, in SQL. A query passes the name or alias of its table.

    @api.model
    def _ledger_column(self, name, alias='ramp_record'):
        return SQL.identifier(alias, name, to_flush=self._fields[name])

    @api.model
    def _attempt_due_sql(self, alias='ramp_record'):
        """Return a condition (`SQL`): the row has no next attempt, or the time of that attempt has come."""
        moment = self._ledger_column('next_attempt', alias)
        return SQL('(%s IS NULL OR %s <= %s)', moment, moment, self.env.cr.now())

    @api.model
    def _actionable_sql(self, alias='ramp_record'):
        """Return a condition (`SQL`): a run may settle the row.

        The row waits, has failed, or is on hold for a question that may have an answer by now.
        """
        state, hold_reason = self._ledger_column('state', alias), self._ledger_column('hold_reason', alias)
        return SQL(
            "(%s IN ('pending', 'error') OR (%s = 'held' AND %s = ANY(%s)))",
            state,
            state,
            hold_reason,
            list(PASSING_REASONS),
        )

    @api.model
    def _due_sql(self, alias='ramp_record'):
        """Return a condition (`SQL`): the row is due, so a run tries to settle it."""
        return SQL('(%s AND %s)', self._actionable_sql(alias), self._attempt_due_sql(alias))

    @api.model
    def _due_domain(self):
        """Return the condition of `_due_sql` as a `Domain`, for `search`."""
        return Domain.custom(to_sql=lambda model, alias, _query: model._due_sql(alias))

    def _waits_for_person(self):
        """Return whether the row is on hold or ignored until a person decides."""
        self.ensure_one()
        return bool(self.hold_reason) and self.hold_reason not in PASSING_REASONS

    # ------------------------------------------------------------------ rows to post

    @api.model
    def _take_due_rows(self, connection, flow, limit, ramp_ids=None, after=0, updates=False):
        """Lock and return due rows that no other worker has locked, in the order in which they were created.

        :param ramp_ids: only these objects; None: all that are due, beyond the id `after`
        :param updates: include rows with a document that is to follow its object
        :return: locked recordset; the locks last until the transaction ends
        """
        self.env.cr.execute(
            SQL(
                """
            SELECT id FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND %s AND is_withheld IS NOT TRUE AND %s AND %s
             ORDER BY id LIMIT %s
               FOR UPDATE SKIP LOCKED
            """,
                connection.id,
                flow,
                SQL('id > %s', after) if ramp_ids is None else SQL('ramp_id = ANY(%s)', list(ramp_ids)),
                self._due_sql(),
                SQL('TRUE') if updates else SQL('res_id IS NULL'),
                limit,
            )
        )
        return self.browse(row[0] for row in self.env.cr.fetchall())

    @api.model
    def _take_due_siblings(self, connection, flow, parents, taken):
        """Lock and return the due rows that belong to the same objects as the rows taken.

        If another worker has locked some of them, this waits: going on without them would make two payments of one
        transfer. If two workers wait for each other, PostgreSQL ends the deadlock, and one of them begins again.

        :param parents: Ramp ids of these objects
        :param taken: rows that are locked already
        """
        self.env.cr.execute(
            SQL(
                """
            SELECT id FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND parent_ramp_id = ANY(%s) AND NOT (id = ANY(%s)) AND is_withheld IS NOT TRUE
               AND %s
             ORDER BY id
               FOR UPDATE
            """,
                connection.id,
                flow,
                parents,
                taken.ids,
                self._due_sql(),
            )
        )
        return self.browse(row[0] for row in self.env.cr.fetchall())

    @api.model
    def _has_due_rows(self, connection, flow):
        """Return whether a flow whose rows come from elsewhere has anything to post, to confirm or to report."""
        self.flush_model()
        self.env.cr.execute(
            SQL(
                """
            SELECT EXISTS (
                SELECT FROM ramp_record
                 WHERE connection_id = %s AND flow = %s AND is_withheld IS NOT TRUE
                   AND state IN ('pending', 'error', 'held', 'done', 'ignored')
                   AND (state <> 'ignored' OR hold_reason = 'person' AND reported_hash IS DISTINCT FROM md5(error_message))
                   AND %s)
            """,
                connection.id,
                flow,
                self._attempt_due_sql(),
            )
        )
        return self.env.cr.fetchone()[0]

    def _clear_next_attempt(self, connections):
        """Let rows that wait after an error be tried in the next run."""
        self.search(
            [
                ('connection_id', 'in', connections.ids),
                ('state', 'in', ('error', 'done')),
                ('next_attempt', '!=', False),
            ]
        ).write({'next_attempt': False})

    # ------------------------------------------------------------------ rows to ask Ramp about

    @api.model
    def _unlisted_rows(self, connection, flow, since, limit):
        """Return open rows that Ramp has not listed since a moment, without a lock."""
        self.env.cr.execute(
            SQL(
                """
            SELECT id FROM ramp_record
             WHERE connection_id = %s AND flow = %s
               -- one that Ramp does not offer is looked at when somebody pressed Retry
               AND (is_withheld IS NOT TRUE OR state = 'pending' AND error_message IS NULL)
               AND %s AND res_id IS NULL AND seen_at < %s
             ORDER BY seen_at LIMIT %s
            """,
                connection.id,
                flow,
                self._actionable_sql(),
                since,
                limit,
            )
        )
        return self.browse(row[0] for row in self.env.cr.fetchall())

    @api.model
    def _unseen_rows(self, connection, flow, since, moment, limit):
        """Return rows that count in what Ramp says is owed, but that Ramp has not shown since a moment, without a lock.

        Objects that had vanished, of any day, are included, because they may be back.

        :param since: first day of the rows
        :param moment: datetime in UTC
        """
        self.env.cr.execute(
            SQL(
                """
            SELECT id FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND seen_at < %s
               AND ((has_moved OR open_amount <> 0) AND date >= %s OR finding = 'vanished')
             ORDER BY seen_at LIMIT %s
            """,
                connection.id,
                flow,
                moment,
                since,
                limit,
            )
        )
        return self.browse(row[0] for row in self.env.cr.fetchall())

    # ------------------------------------------------------------------ rows to confirm or report

    @api.model
    def _next_unconfirmed(self, connection, flow, tried):
        """Return the key of a batch whose outcome Ramp has not accepted yet, except those tried, or None."""
        self.env.cr.execute(
            SQL(
                """
            SELECT sync_key FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND state = 'done' AND sync_key IS NOT NULL
               AND %s AND NOT (sync_key = ANY(%s))
             ORDER BY id LIMIT 1
            """,
                connection.id,
                flow,
                self._attempt_due_sql(),
                list(tried),
            )
        )
        return (self.env.cr.fetchone() or [None])[0]

    @api.model
    def _take_batch(self, connection, flow, key):
        """Lock and return the unconfirmed rows with this sync key: all of them, or none if another worker has them."""
        mine = SQL("connection_id = %s AND flow = %s AND state = 'done' AND sync_key = %s", connection.id, flow, key)
        # The first row is the gate. Otherwise, two workers that lock row by row would each get a part of the batch.
        self.env.cr.execute(
            SQL(
                'SELECT id FROM ramp_record WHERE id = (SELECT min(id) FROM ramp_record WHERE %s) FOR UPDATE SKIP '
                'LOCKED',
                mine,
            )
        )
        if not self.env.cr.fetchone():
            return self.browse()
        self.env.cr.execute(SQL('SELECT id FROM ramp_record WHERE %s ORDER BY id FOR UPDATE', mine))
        return self.browse(row[0] for row in self.env.cr.fetchall())

    @api.model
    def _unreported_rows(self, connection, flow, ids, limit):
        """Return rows whose reason Ramp does not know yet: rows on hold, and rows that a person ignored."""
        self.env.cr.execute(
            SQL(
                """
            SELECT id FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND res_id IS NULL AND error_message IS NOT NULL
               AND state IN ('held', 'ignored') AND (state = 'held' OR hold_reason = 'person')
               AND ramp_id NOT LIKE 'malformed-%%' AND is_withheld IS NOT TRUE
               AND reported_hash IS DISTINCT FROM md5(error_message) AND %s
             ORDER BY id LIMIT %s
            """,
                connection.id,
                flow,
                SQL('TRUE') if ids is None else SQL('id = ANY(%s)', list(ids)),
                limit,
            )
        )
        return self.browse(row[0] for row in self.env.cr.fetchall())
