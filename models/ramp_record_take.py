# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.fields import Domain
from odoo.tools import SQL


class RampRecord(models.Model):
    """Which rows are for a job now: taken with a lock that ends with the transaction, or looked at without one.

    These methods run in background jobs as superuser. None can be called over RPC (leading underscore).
    """

    _inherit = 'ramp.record'

    # ------------------------------------------------------------------ what is due
    # Once for all queries, in SQL. A query names its table, or the alias that it gives to it.

    @api.model
    def _ledger_column(self, name, alias='ramp_record'):
        return SQL.identifier(alias, name, to_flush=self._fields[name])

    @api.model
    def _attempt_due_sql(self, alias='ramp_record'):
        """Condition (`SQL`): the row does not wait for its next attempt, or the moment of that has come."""
        moment = self._ledger_column('next_attempt', alias)
        return SQL('(%s IS NULL OR %s <= %s)', moment, moment, self.env.cr.now())

    @api.model
    def _actionable_sql(self, alias='ramp_record'):
        """Condition (`SQL`): a run may settle the row. It waits, failed, or is held for a question that may have an
        answer.
        """
        state, is_question = self._ledger_column('state', alias), self._ledger_column('is_question', alias)
        return SQL("(%s IN ('pending', 'error') OR (%s = 'held' AND %s))", state, state, is_question)

    @api.model
    def _due_sql(self, alias='ramp_record'):
        """Condition (`SQL`): the row is due, so a run tries to settle it."""
        return SQL('(%s AND %s)', self._actionable_sql(alias), self._attempt_due_sql(alias))

    @api.model
    def _due_domain(self):
        """The condition of `_due_sql` as a `Domain`, for `search`."""
        return Domain.custom(to_sql=lambda model, alias, _query: model._due_sql(alias))

    # ------------------------------------------------------------------ to book

    @api.model
    def _take_due_rows(self, connection, flow, limit, ramp_ids=None, after=0, updates=False):
        """Lock rows that are due and that no other worker has, in the order in which they came.

        :param ramp_ids: only these objects; None: whichever are due, beyond the id `after`
        :param updates: also those that have a document, which is to follow its object
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
        """Lock the rows that are due and belong to the same objects as those taken.

        Another worker that has some of them is waited for: to go on without them would make two payments of one
        transfer. Two that wait for each other are a deadlock; one of them begins again.
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
        """Whether a flow whose rows come from elsewhere has anything to book, to confirm or to report."""
        self.flush_model()
        self.env.cr.execute(
            SQL(
                """
            SELECT EXISTS (
                SELECT FROM ramp_record
                 WHERE connection_id = %s AND flow = %s AND is_withheld IS NOT TRUE
                   AND state IN ('pending', 'error', 'held', 'done', 'ignored')
                   AND (state <> 'ignored' OR NOT is_question AND reported_hash IS DISTINCT FROM md5(error_message))
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

    # ------------------------------------------------------------------ to ask Ramp for

    @api.model
    def _unlisted_rows(self, connection, flow, since, limit):
        """Open rows that Ramp has not listed since a moment, without a lock."""
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
        """Rows from a day on that count in what Ramp says is owed, and that Ramp has not shown since a moment; without
        a lock.

        What had vanished, of whichever day, is among them: it may be there again.
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

    # ------------------------------------------------------------------ to tell Ramp

    @api.model
    def _next_unconfirmed(self, connection, flow, tried):
        """The key of a batch whose outcome Ramp has not accepted yet, except those tried; None when there is none."""
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
        """Lock the unconfirmed rows that share a sync key: all of them, or none when another worker is at them."""
        mine = SQL("connection_id = %s AND flow = %s AND state = 'done' AND sync_key = %s", connection.id, flow, key)
        # The first row is the gate: two workers that lock row by row would otherwise each get a part of the batch.
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
        """Rows whose reason Ramp has not been told: held ones, and those that a person ignored."""
        self.env.cr.execute(
            SQL(
                """
            SELECT id FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND res_id IS NULL AND error_message IS NOT NULL
               AND (state = 'held' OR (state = 'ignored' AND NOT is_question))
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
