# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import logging
from datetime import timedelta

from odoo import models
from odoo.fields import Domain
from odoo.tools import SQL

_logger = logging.getLogger(__name__)

ECHO = timedelta(seconds=5)  # events within this time after sending are caused by what was sent
NIGHTLY = timedelta(days=2)  # the nightly check has covered every older event
LOOKS_PER_RUN = 200  # objects named by events that a run compares


class RampFlowPush(models.AbstractModel):
    """Odoo -> Ramp: bring Ramp's objects in line with Odoo, and send nothing else.

        what changed -> rows pending                                  COMMIT
        rows -> what Ramp should have, compared with what it accepted last
        rows that differ: uncertain                                   COMMIT
        POST (500 at once) or PATCH                                   -> what Ramp has now      COMMIT

    The flow compares states, not events. So a change that is undone sends nothing, and the next run repairs a crash at
    any point. A row is uncertain (in doubt) if something was sent and its outcome was not stored. Ramp is asked for
    such an object before anything is sent again, so nothing is created twice.
    """

    _name = 'ramp.flow.push'
    _inherit = ['ramp.flow.compare', 'ramp.flow.resolve', 'ramp.flow.send', 'ramp.flow']
    _description = 'Ramp Flow: from Odoo to Ramp'

    _sends = True
    _model = None  # model in Odoo
    _kind = None  # kind in the remote ids <database>-<kind>-<id>
    _endpoint = None  # path of the list and of uploads; the path of an object is below it
    # Keys of Ramp's id and of Odoo's id in an object of Ramp. None: the object has no id of Odoo.
    _remote_keys = ('ramp_id', 'id')
    _upload_key = None  # key of the list in an upload and in its answer
    _upload_size = 500  # Ramp's limit (contract 2026-08-01)
    _asked_by_ramp_id = True  # whether Ramp lets Odoo fetch an object by Ramp's id
    _fixed = ()  # keys that Ramp cannot change on an object, so a new object replaces it
    _new_id_when_fixed_changes = True
    _can_be_hidden = False  # whether objects of this kind have a visibility in Ramp
    _by_code = False  # whether an object that was in Ramp before is adopted if it has the same code
    _asked_first = False  # whether Ramp is asked for each object before it is created
    # Field of the connection that enables this kind, where not every Ramp business may use it.
    _switch = None
    _rows_at_once = 2000

    # ------------------------------------------------------------------ hooks of a flow

    def _get_wanted_domain(self, connection):
        """Return the domain of the records of `_model` that this connection offers."""
        raise NotImplementedError

    def _get_desired_values(self, connection, records):
        """Return the values that Ramp should have of each record.

        :return: {record id: dict of values, or a `Waiting` or `Held`}
        """
        raise NotImplementedError

    def _read_remote_object(self, payload, query):
        """Return a `Remote` of an object as Ramp answers it.

        :param query: query parameters of the list that contained the object
        """
        raise NotImplementedError

    def _make_upload_item(self, job):
        """Return an object in the form of an upload."""
        raise NotImplementedError

    def _update_remote_object(self, client, job, changes):
        """Change the object in Ramp to these values. The key `offered` shows it again.

        :raise Held, Waiting: when the object cannot be changed now
        """
        raise NotImplementedError

    def _make_change_body(self, job, changes, names):
        """Return the body of a change: the new values, and what shows a hidden or deleted object again.

        :param names: keys of `changes` that go into the body
        """
        body = {name: changes[name] for name in names if name in changes}
        if 'offered' in changes:
            body['visibility'] = 'VISIBLE'
            if not job.known.get('active', True):
                body['reactivate'] = True
        return body

    def _deactivate_remote_object(self, client, job):
        """Remove the object from what people can pick in Ramp.

        It is hidden where Ramp can do that, which keeps old codings valid. Otherwise it is deleted.
        """
        path = f'{self._endpoint}/{job.ramp_id}'
        if self._can_be_hidden:
            client.patch(path, {'visibility': 'HIDDEN'}, idempotent=True)
        else:
            client.delete(path, {}, idempotent=True)

    def _get_upload_group(self, job):
        """Return the upload group of an object. Objects of different groups are uploaded separately."""
        return ''

    def _get_list_queries(self, connection, jobs):
        """Return the query parameters of all lists that may contain these objects."""
        return [{}]

    def _get_lookup_query(self, job):
        """Return the query parameters that find an object by Odoo's id, or None if Ramp has no such filter."""
        return {'remote_id': job.remote_id}

    def _check_before_sending(self, connection, client):
        """Check or create what has to exist in Ramp before objects of this kind can be sent."""

    def _get_display_title(self, record):
        """Return the name by which a person knows the record."""
        return record.display_name

    def _reason_not_offered(self, record):
        """Return the reason, for a person, why an existing record is not offered."""
        if 'active' in record and not record.active:
            return self.env._('Archived in Odoo, so it is not offered in Ramp.')
        return self.env._('The settings of the connection exclude it, so it is not offered in Ramp.')

    # ------------------------------------------------------------------ marking

    def _get_pushed_domain(self, connections):
        return Domain.OR(self._get_wanted_domain(connection) for connection in connections)

    def _search_wanted_ids(self, connection, ids=None):
        Model = self.env[self._model].with_context(active_test=False)
        return Model._search(
            self._get_wanted_domain(connection) & (Domain.TRUE if ids is None else Domain('id', 'in', ids)), order=None
        )

    def _get_remote_id_prefix(self):
        return f'{self.env["ramp.connection"]._database_identity()}-{self._kind}-'

    def _trigger_push_job(self):
        """Wake the scheduler when this transaction commits, as the job has been triggered."""
        if 'ramp.notify' not in self.env.cr.postcommit.data:
            self.env.cr.postcommit.data['ramp.notify'] = True
            # sudo: every user who saves may wake the scheduler. The scheduler decides what runs.
            self.env.cr.postcommit.add(self.env['ir.cron'].sudo()._notifydb)

    def _cron_run(self):
        connections = self.env['ramp.connection'].search([('state', '=', 'connected')]).filtered(self._is_enabled_for)
        # Usually nothing has changed. Then no run is started, and the list of runs stays short.
        return super()._cron_run() if self._transaction(self._collect_changed_records, connections) else None

    def _collect_changed_records(self, connections):
        """Mark the changed records in the ledger, and make rows for wanted records that have none.

        :return: whether a run has anything to do
        """
        Record = self.env['ramp.record']
        changed = self.env['ramp.change']._take_changes(self._flow)
        for connection in connections:
            # Ramp may have objects although nothing was sent: from an earlier connection, or from another system.
            first = (
                self._by_code
                or self._asked_first
                or not Record.search_count(
                    [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', '!=', False)],
                    limit=1,
                )
            )
            wanted = self._search_wanted_ids(connection)
            Record._create_missing_rows(
                connection, self._flow, wanted, self._model, self._get_remote_id_prefix(), uncertain=first
            )
            Record._mark_dirty_by_query(
                connection, self._flow, wanted, shared=bool(self._find_owning_connection(connection))
            )
        if changed:
            Record._mark_dirty(connections, self._flow, changed)
        return Record._is_dirty(connections, self._flow) or any(
            self._changed_in_ramp(connection) for connection in connections
        )

    def _changed_in_ramp(self, connection):
        """Return the rows of objects that somebody changed in Ramp, according to events since the last look.

        An event right after Odoo sent something is taken for an effect of that.
        """
        if not self._events:
            return self.env['ramp.record']
        rows = self.env.execute_query(
            SQL(
                """
            SELECT DISTINCT r.id
              FROM ramp_event e
              JOIN ramp_record r ON r.connection_id = e.connection_id AND r.flow = %s AND r.ramp_id = LOWER(e.object_id)
             WHERE e.connection_id = %s AND e.received_at > %s AND e.type = ANY(%s) AND e.received_at > r.seen_at + %s
             LIMIT %s
            """,
                self._flow,
                connection.id,
                self.env.cr.now() - NIGHTLY,
                list(self._events),
                ECHO,
                LOOKS_PER_RUN,
            )
        )
        return self.env['ramp.record'].browse(row[0] for row in rows)

    def _compare_named_rows(self, connection, rows):
        """Check what somebody changed in Ramp.

        By default, mark the rows as in doubt, so that they are compared with Odoo.
        """
        self._transaction(self.env['ramp.record']._mark_dirty, connection, self._flow, rows.mapped('res_id'), True)

    # ------------------------------------------------------------------ a run

    @contextlib.contextmanager
    def _exclusive_push(self, connection):
        """Let only one process send a connection's objects of a kind. Yield whether this process may.

        The lock outlives commits, and ends with the process.
        """
        lock = SQL('hashtextextended(%s, 0)', f'ramp_connector {self._flow} {connection.id}')
        self.env.cr.execute(SQL('SELECT pg_try_advisory_lock(%s)', lock))
        alone = self.env.cr.fetchone()[0]
        try:
            yield alone
        finally:
            if alone and not self.env.cr.closed:
                self.env.cr.rollback()  # discards what failed; a failed transaction accepts no command
                self.env.cr.execute(SQL('SELECT pg_advisory_unlock(%s)', lock))

    def _run_connection_work(self, connection, run):
        with self._exclusive_push(connection) as alone:
            if not alone:
                _logger.info('Ramp flow %s: another process is sending for connection %s', self._flow, connection.id)
                return
            told = self._changed_in_ramp(connection)
            if told:
                self._compare_named_rows(connection, told)
            if not self._send_all_differences(connection, run) or len(told) == LOOKS_PER_RUN:
                self._trigger()

    def _send_all_differences(self, connection, run):
        """Compare the rows with Odoo in portions, and send the differences.

        :return: False when the job's time is up
        """
        client, after, backlog = None, 0, {}
        while after is not None:
            jobs, after = self._transaction(self._compare_due_rows, connection, run, after)
            if jobs and not client:
                client = connection._run_client()
                self._check_seat(connection, client)
                self._check_before_sending(connection, client)
            uncertain = [job for job in jobs if job.uncertain]
            if uncertain:
                self._lookup_before_create(connection, client, uncertain)
                jobs = [job for job in jobs if self._differs_from_remote(job)]
                # Jobs that are still to be sent are stored, too. So the next run need not ask Ramp again.
                self._transaction(self._store_push_results, run, uncertain)
            if not self._send_push_jobs(connection, run, client, jobs, backlog, last=after is None):
                return False
        return True
