# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from psycopg2.extras import Json

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from .ledger_json import json_digest


class RampRecord(models.Model):
    """Rows of the objects that Odoo sends.

    A row is found by the record in Odoo. The object has an id of ours (`remote_id`) until Ramp has given it its own.
    `payload` is what Ramp accepted last; differences from it have to be sent.
    """

    _inherit = 'ramp.record'

    remote_id = fields.Char(
        string='Odoo ID in Ramp',
        readonly=True,
        index='btree_not_null',
        help='The ID under which Ramp knows the object of Odoo. It stays the same when the object is renamed.',
    )
    is_uncertain = fields.Boolean(
        readonly=True,
        help='Something was sent, or may have been sent, and the outcome is not known. Odoo asks Ramp first.',
    )

    revision = fields.Integer(
        readonly=True,
        help='The revision of the request to compare. A job that is sending does not settle a request made in the '
        'meantime.',
    )

    _once_sent = models.UniqueIndex(
        '(connection_id, flow, res_id) WHERE remote_id IS NOT NULL', 'This object in Odoo already has a record.'
    )
    _once_remote = models.UniqueIndex(
        '(connection_id, flow, remote_id) WHERE remote_id IS NOT NULL',
        'This Ramp object is already linked to another object in Odoo.',
    )

    @api.model
    def _create_missing_rows(self, connection, flow, query, model, prefix, uncertain=False):
        """Create rows for the records of a query that have none, in one statement; return how many there were.

        :param query: Query of the wanted records
        :param prefix: beginning of the remote ids; the id of the record follows
        """
        self.env['ramp.record'].flush_model()
        return len(
            self.env.execute_query(
                SQL(
                    """
            INSERT INTO ramp_record (connection_id, company_id, flow, res_model, res_id, remote_id, state, is_uncertain, attempts,
                                     create_uid, write_uid, create_date, write_date)
            SELECT %(connection)s, %(company)s, %(flow)s, %(model)s, w.id, %(prefix)s || w.id, 'pending', %(uncertain)s, 0,
                   %(uid)s, %(uid)s, %(now)s, %(now)s
              FROM (SELECT id FROM %(table)s WHERE id IN %(wanted)s) w
             WHERE NOT EXISTS (
                SELECT FROM ramp_record r
                 WHERE r.connection_id = %(connection)s AND r.flow = %(flow)s AND r.res_id = w.id AND r.remote_id IS NOT NULL)
             ORDER BY w.id
            RETURNING 1
            """,
                    connection=connection.id,
                    company=connection.company_id.id,
                    flow=flow,
                    model=model,
                    prefix=prefix,
                    uncertain=uncertain,
                    uid=self.env.uid,
                    now=self.env.cr.now(),
                    table=SQL.identifier(self.env[model]._table),
                    wanted=query.subselect(),
                )
            )
        )

    @api.model
    def _mark_dirty_by_query(self, connection, flow, query, shared):
        """Let rows be compared whose record became wanted or unwanted without a hook.

        :param shared: whether another connection may send what this one wants; then only unwanted records count
        """
        unwanted = SQL("state = 'confirmed' AND res_id NOT IN %s", query.subselect())
        wanted = SQL("state = 'ignored' AND res_id IN %s", query.subselect()) if not shared else SQL('FALSE')
        rows = self.env.execute_query(
            SQL(
                'SELECT res_id FROM ramp_record WHERE connection_id = %s AND flow = %s AND remote_id IS NOT NULL AND '
                '(%s OR %s)',
                connection.id,
                flow,
                unwanted,
                wanted,
            )
        )
        if rows:
            self._mark_dirty(connection, flow, [row[0] for row in rows])

    @api.model
    def _mark_dirty(self, connections, flow, ids=None, uncertain=False):
        """Let rows be compared with Odoo in the next run.

        :param ids: ids of the records in Odoo; None: all records of the flow
        """
        self.flush_model()
        self.env.cr.execute(
            SQL(
                """
            UPDATE ramp_record
               SET state = 'pending', error_message = NULL, reason = NULL, attempts = 0, next_attempt = NULL, hold_reason = NULL,
                   is_uncertain = is_uncertain OR %s, revision = COALESCE(revision, 0) + 1, write_date = %s
             WHERE connection_id = ANY(%s) AND flow = %s AND remote_id IS NOT NULL AND %s
            """,
                uncertain,
                self.env.cr.now(),
                connections.ids,
                flow,
                SQL('TRUE') if ids is None else SQL('res_id = ANY(%s)', list(ids)),
            )
        )
        self.invalidate_model()

    @api.model
    def _is_dirty(self, connections, flow):
        """Return whether a row is due, or the last run failed, so that its message has to be cleared."""
        self.flush_model()
        self.env['ramp.run'].flush_model()
        self.env.cr.execute(
            SQL(
                """
            SELECT EXISTS (
                SELECT FROM ramp_record
                 WHERE connection_id = ANY(%(connections)s) AND flow = %(flow)s AND remote_id IS NOT NULL
                   AND %(due)s
            ) OR EXISTS (
                SELECT FROM unnest(%(connections)s::int[]) AS c(id), LATERAL (
                    SELECT state FROM ramp_run WHERE connection_id = c.id AND flow = %(flow)s ORDER BY id DESC LIMIT 1) AS latest
                 WHERE latest.state <> 'done')
            """,
                connections=connections.ids,
                flow=flow,
                due=self._due_sql(),
            )
        )
        return self.env.cr.fetchone()[0]

    @api.model
    def _take_dirty(self, connection, flow, limit, after):
        """Return the rows to compare with Odoo, beyond the id `after`, in the order in which they were created."""
        sent = Domain(
            [('connection_id', '=', connection.id), ('flow', '=', flow), ('remote_id', '!=', False), ('id', '>', after)]
        )
        return self.search(sent & self._due_domain(), order='id', limit=limit)

    @api.model
    def _mark_uncertain(self, ids):
        """Mark rows as in doubt before something is sent, in a transaction of its own.

        If the process crashes, the next one asks Ramp about these rows first.
        """
        self.env.cr.execute(SQL('UPDATE ramp_record SET is_uncertain = TRUE WHERE id = ANY(%s)', list(ids)))
        self.invalidate_model(['is_uncertain'])

    @api.model
    def _store_sent(self, rows):
        """Store what became of rows, in one statement.

        :param rows: list of dict with id, revision, name, remote_id, ramp_id, payload (what Ramp has, or None), state,
            hold_reason, error_message, reason (of `_reason_values`, or None), is_uncertain
        """
        if not rows:
            return
        values = SQL(', ').join(
            SQL(
                '(%s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s, %s, %s::jsonb, %s)',
                row['id'],
                row['revision'],
                row['name'],
                row['remote_id'],
                row['ramp_id'],
                None if row['payload'] is None else Json(row['payload']),
                None if row['payload'] is None else json_digest(row['payload']),
                row['state'],
                row['hold_reason'],
                row['error_message'] or None,
                row['reason'] and Json(row['reason']),
                row['is_uncertain'],
            )
            for row in rows
        )
        self.env.cr.execute(
            SQL(
                """
            UPDATE ramp_record r
               SET name = v.name, remote_id = v.remote_id, ramp_id = v.ramp_id, payload = v.payload, payload_hash = v.payload_hash,
                   state = CASE WHEN COALESCE(r.revision, 0) = v.revision THEN v.state ELSE 'pending' END,
                   hold_reason = CASE WHEN COALESCE(r.revision, 0) = v.revision THEN v.hold_reason END,
                   error_message = CASE WHEN COALESCE(r.revision, 0) = v.revision THEN v.error_message END, reason = v.reason,
                   is_uncertain = v.is_uncertain OR (r.is_uncertain AND COALESCE(r.revision, 0) <> v.revision),
                   attempts = 0, next_attempt = NULL, seen_at = clock_timestamp() AT TIME ZONE 'UTC', write_date = %s,
                   confirmed_at = CASE WHEN v.state = 'confirmed' THEN clock_timestamp() AT TIME ZONE 'UTC' ELSE r.confirmed_at END
              FROM (VALUES %s) AS v(id, revision, name, remote_id, ramp_id, payload, payload_hash, state, hold_reason, error_message,
                                    reason, is_uncertain)
             WHERE r.id = v.id
            """,
                self.env.cr.now(),
                values,
            ),
            log_exceptions=False,
        )
        self.invalidate_model()
