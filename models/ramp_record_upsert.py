# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from psycopg2.extras import Json

from odoo import api, models
from odoo.tools import SQL, LazyTranslate

from .ramp_record import PASSING_REASONS
from .reason import Cause

_lt = LazyTranslate(__name__)

# Columns of the ledger that describe an object besides its payload, with their type in the database
COLUMNS = {
    'name': 'varchar',
    'date': 'date',
    'amount': 'numeric',
    'currency_id': 'int4',
    'parent_ramp_id': 'varchar',
    'ramp_entity_id': 'varchar',
    'has_moved': 'bool',
    'open_amount': 'numeric',
}
STANDING = ('ramp_entity_id', 'has_moved', 'open_amount')


class RampRecord(models.Model):
    """Stores pages of objects in the ledger, each in one statement that also decides what becomes of existing rows.

    These methods run in background jobs as superuser. None can be called over RPC (leading underscore).
    """

    _inherit = 'ramp.record'

    @api.model
    def _upsert_page(self, connection, flow, rows, seen_at, updates=False, wait=False):
        """Store a page of objects in the ledger, in one statement (two if only some objects are ready).

        A row that is not posted takes the new payload. If the facts that the object is posted from changed
        (`payload_hash`, of `_get_booking_facts`), the row starts afresh. A posted row keeps the payload it was posted
        with. If Ramp offers a confirmed object again (somebody marked it as not synced), it is confirmed once more. If
        Ramp changed the object since, a person decides, unless Ramp shows it as before again.

        :param rows: list of dict with ramp_id, payload, payload_hash and, where known, the columns of `COLUMNS`; and
            `ready` (default True): whether Ramp offers the object as ready to sync
        :param seen_at: datetime in UTC when the page was requested
        :param updates: whether a posted document follows its object; a changed row is then due again, with its document
        :param wait: wait for a worker that has locked one of the rows, instead of leaving that row as it is
        """
        # A page may repeat an object, but one statement may not touch a row twice
        unique = {row['ramp_id']: row for row in rows}
        for ramp_id in () if wait else self._locked_elsewhere(connection, flow, list(unique)):
            del unique[ramp_id]
        # Always in the same order, so that two workers with the same page wait for each other and do not deadlock
        ordered = [row for _ramp_id, row in sorted(unique.items())]
        for ready in (True, False):
            part = [row for row in ordered if row.get('ready', True) is ready]
            if part:
                self._upsert_rows(connection, flow, part, seen_at, ready, updates)
        self._refresh_standing(connection, flow, ordered)
        self.invalidate_model()

    def _upsert_rows(self, connection, flow, rows, seen_at, ready, updates):
        same = SQL('r.payload_hash = excluded.payload_hash')
        if updates:
            changed = SQL(
                """
                payload = excluded.payload, payload_hash = excluded.payload_hash, state = 'pending', error_message = NULL,
                   reason = NULL, attempts = 0,
                sync_attempt = COALESCE(r.sync_attempt, 0) + (r.state = 'confirmed')::int, hold_reason = NULL, next_attempt = NULL,
                is_told = r.is_told AND NOT %s
                """,
                ready,
            )
            which = SQL(
                "NOT %s AND r.seen_at < excluded.seen_at AND COALESCE(r.hold_reason, '') NOT IN ('person', 'deleted')",
                same,
            )
        else:
            reason = self._make_reason(
                connection,
                Cause.of(
                    _lt(
                        'Ramp changed it after it was posted here. Compare both versions below. Press "Reverse and Post '
                        'Again" to use the new one. Press "Keep What Is Posted" if the books are right, or were corrected '
                        'by hand.'
                    ),
                    title=_lt('Ramp changed it after it was posted. Open it, and decide which version counts.'),
                ),
            )
            changed = SQL(
                """
                payload = CASE WHEN r.res_id IS NULL THEN excluded.payload ELSE r.payload END,
                payload_hash = CASE WHEN r.res_id IS NULL THEN excluded.payload_hash ELSE r.payload_hash END,
                late_payload = CASE WHEN r.res_id IS NOT NULL AND NOT %(same)s THEN excluded.payload END,
                has_changed = r.res_id IS NOT NULL AND NOT %(same)s,
                state = CASE WHEN %(same)s
                             THEN CASE WHEN r.late_payload IS NOT NULL AND NOT %(ready)s THEN 'confirmed'
                                       WHEN r.state = 'confirmed' OR r.late_payload IS NOT NULL THEN 'done'
                                       WHEN r.state = 'ignored' THEN 'pending' ELSE r.state END
                             WHEN r.res_id IS NULL AND r.hold_reason IS DISTINCT FROM 'deleted' THEN 'pending' ELSE 'held' END,
                sync_attempt = COALESCE(r.sync_attempt, 0) + (r.state = 'confirmed')::int,
                error_message = CASE WHEN %(same)s AND r.late_payload IS NULL OR r.hold_reason = 'deleted' THEN r.error_message
                                     WHEN r.res_id IS NULL OR %(same)s THEN NULL ELSE %(changed)s END,
                reason = CASE WHEN %(same)s AND r.late_payload IS NULL OR r.hold_reason = 'deleted' THEN r.reason
                              WHEN r.res_id IS NULL OR %(same)s THEN NULL ELSE %(reason)s::jsonb END,
                hold_reason = CASE WHEN %(same)s
                                   THEN CASE WHEN r.state = 'held' AND r.late_payload IS NULL THEN r.hold_reason END
                                   WHEN r.res_id IS NOT NULL THEN 'changed'
                                   -- somebody deleted the document: what Ramp says now is no reason to post another one
                                   WHEN r.hold_reason = 'deleted' THEN 'deleted' END,
                attempts = CASE WHEN %(same)s THEN r.attempts ELSE 0 END,
                next_attempt = CASE WHEN %(same)s THEN r.next_attempt END
                """,
                same=same,
                ready=ready,
                changed=reason['error_message'],
                reason=Json(reason['reason']),
            )
            which = SQL(
                """
                (r.state IN ('pending', 'error', 'held') AND r.res_id IS NULL AND r.seen_at < excluded.seen_at)
                OR (r.hold_reason = 'rule' AND r.seen_at < excluded.seen_at)
                OR (r.state = 'done' AND NOT %(same)s AND r.seen_at < excluded.seen_at)
                OR (r.state = 'held' AND r.late_payload IS NOT NULL AND r.seen_at < excluded.seen_at)
                -- a list may show for a moment as ready what was just confirmed
                OR (r.state = 'confirmed' AND %(ready)s AND r.confirmed_at < excluded.seen_at - interval '1 minute')
                OR (r.state = 'confirmed' AND NOT %(ready)s AND NOT %(same)s AND r.confirmed_at < excluded.seen_at)
                OR (r.state = 'confirmed' AND r.confirmed_at IS NULL AND NOT %(same)s AND r.seen_at < excluded.seen_at)
                """,
                same=same,
                ready=ready,
            )
        self._insert_rows(connection, flow, rows, seen_at, SQL('is_withheld = FALSE, %s', changed), which)

    @api.model
    def _upsert_withheld(self, connection, flow, rows, seen_at):
        """Store objects that Ramp shows but does not offer: they count in what Ramp says is owed, and wait.

        :param rows: as in `_upsert_page`, with state, hold_reason and reason (why the object is not posted; see
            `_make_reason`)
        """
        busy = set(self._locked_elsewhere(connection, flow, [row['ramp_id'] for row in rows]))
        rows = [
            {**row, **self._make_reason(connection, row['reason']), 'is_withheld': True}
            for row in sorted(rows, key=lambda row: row['ramp_id'])
            if row['ramp_id'] not in busy
        ]
        if not rows:
            return
        self._insert_rows(
            connection,
            flow,
            rows,
            seen_at,
            SQL(
                """
            payload = excluded.payload, payload_hash = excluded.payload_hash, is_withheld = TRUE, state = excluded.state,
            error_message = excluded.error_message, reason = excluded.reason,
            hold_reason = excluded.hold_reason, attempts = 0, next_attempt = NULL,
            reason_move_id = NULL
            """
            ),
            SQL(
                """
            r.res_id IS NULL AND r.seen_at < excluded.seen_at
            AND (r.state IN ('pending', 'error') OR r.hold_reason = ANY(%s))
            -- one whose document was deleted here after Ramp was told of it is to be booked again
            AND NOT (excluded.state <> 'pending' AND COALESCE(r.sync_attempt, 0) > 0)
            """,
                list(PASSING_REASONS),
            ),
        )
        self.invalidate_model()

    def _insert_rows(self, connection, flow, rows, seen_at, changed, which):
        """Insert rows, or update those that exist; see `_upsert_page`.

        :param changed: what else to set on existing rows (`SQL`)
        :param which: condition on the existing rows to update (`SQL`)
        """
        values = SQL(', ').join(
            SQL(
                '(%s)',
                SQL(', ').join(
                    SQL('%s', part)
                    for part in (
                        row['ramp_id'],
                        Json(row['payload']),
                        row['payload_hash'],
                        row.get('is_withheld', False),
                        row.get('state', 'pending'),
                        # an addon may name the state only
                        row.get('hold_reason') or {'held': 'question', 'ignored': 'rule'}.get(row.get('state')),
                        row.get('error_message'),
                        row.get('reason') and Json(row['reason']),
                        *(None if row.get(column) is False else row.get(column) for column in COLUMNS),
                    )
                ),
            )
            for row in rows
        )
        # Not logged on failure, because the statement contains payloads
        self.env.cr.execute(
            SQL(
                """
            INSERT INTO ramp_record AS r (
                connection_id, company_id, flow, seen_at, attempts, sync_attempt, create_uid, write_uid, create_date, write_date,
                ramp_id, payload, payload_hash, is_withheld, state, hold_reason, error_message, reason, %(columns)s)
            SELECT %(connection)s, %(company)s, %(flow)s, %(seen_at)s, 0, 0, %(uid)s, %(uid)s, %(now)s, %(now)s,
                   v.ramp_id, v.payload::jsonb, v.payload_hash, v.is_withheld, v.state, v.hold_reason, v.error_message, v.reason::jsonb,
                   %(casts)s
              FROM (VALUES %(values)s) AS v(ramp_id, payload, payload_hash, is_withheld, state, hold_reason,
                   error_message, reason, %(columns)s)
            ON CONFLICT (connection_id, flow, ramp_id) DO UPDATE SET
                seen_at = excluded.seen_at, write_date = excluded.write_date, %(same)s, %(changed)s
            WHERE %(which)s
            """,
                connection=connection.id,
                company=connection.company_id.id,
                flow=flow,
                seen_at=seen_at,
                uid=self.env.uid,
                now=self.env.cr.now(),
                values=values,
                changed=changed,
                which=which,
                columns=SQL(', ').join(SQL.identifier(column) for column in COLUMNS),
                casts=SQL(', ').join(
                    SQL('v.%s::%s', SQL.identifier(column), SQL.identifier(kind)) for column, kind in COLUMNS.items()
                ),
                same=SQL(', ').join(
                    SQL('%s = %s', SQL.identifier(column), SQL.identifier('excluded', column)) for column in COLUMNS
                ),
            ),
            log_exceptions=False,
        )

    def _refresh_standing(self, connection, flow, rows):
        """Update how objects stand in Ramp, which changes without a change of the books, in one statement."""
        rows = [row for row in rows if row.keys() & STANDING]
        if not rows:
            return
        columns = [SQL.identifier(column) for column in STANDING]
        casts = [SQL('v.%s::%s', SQL.identifier(column), SQL.identifier(COLUMNS[column])) for column in STANDING]
        self.env.cr.execute(
            SQL(
                """
            UPDATE ramp_record r SET (%(columns)s) = ROW(%(casts)s)
              FROM (VALUES %(values)s) AS v(ramp_id, %(columns)s)
             WHERE r.connection_id = %(connection)s AND r.flow = %(flow)s AND r.ramp_id = v.ramp_id
               AND (%(mine)s) IS DISTINCT FROM (%(casts)s)
            """,
                columns=SQL(', ').join(columns),
                casts=SQL(', ').join(casts),
                connection=connection.id,
                flow=flow,
                mine=SQL(', ').join(SQL('r.%s', column) for column in columns),
                values=SQL(', ').join(
                    SQL(
                        '(%s)',
                        SQL(', ').join(
                            SQL('%s', part) for part in (row['ramp_id'], *(row.get(column) for column in STANDING))
                        ),
                    )
                    for row in rows
                ),
            )
        )

    @api.model
    def _locked_elsewhere(self, connection, flow, ramp_ids):
        """Return the Ramp ids of the objects whose rows another worker has locked, to post or confirm them now.

        Waiting for that worker would mean doing its work again.
        """
        if not ramp_ids:
            return []
        mine = SQL('r.connection_id = %s AND r.flow = %s AND r.ramp_id = ANY(%s)', connection.id, flow, ramp_ids)
        self.env.cr.execute(
            SQL(
                """
            WITH free AS (SELECT r.id FROM ramp_record r WHERE %s ORDER BY r.id FOR UPDATE SKIP LOCKED)
            SELECT r.ramp_id FROM ramp_record r WHERE %s AND r.id NOT IN (SELECT id FROM free)
            """,
                mine,
                mine,
            )
        )
        return [row[0] for row in self.env.cr.fetchall()]

    @api.model
    def _mark_seen(self, connection, flow, ramp_ids, seen_at):
        """Store when Ramp showed these objects, on rows that no other worker has locked; nothing else changes."""
        self.env.cr.execute(
            SQL(
                """
            WITH free AS (
                SELECT id FROM ramp_record
                 WHERE connection_id = %s AND flow = %s AND ramp_id = ANY(%s) AND seen_at < %s ORDER BY id FOR UPDATE SKIP LOCKED)
            UPDATE ramp_record r SET seen_at = %s FROM free WHERE r.id = free.id
            """,
                connection.id,
                flow,
                ramp_ids,
                seen_at,
                seen_at,
            )
        )
        self.invalidate_model(['seen_at'])
