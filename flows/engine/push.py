# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import logging
from datetime import timedelta

from odoo import models
from odoo.fields import Domain
from odoo.tools import SQL

_logger = logging.getLogger(__name__)

ECHO = timedelta(seconds=5)  # in which Ramp's events tell of what was just sent
NIGHTLY = timedelta(days=2)  # whatever is older than this, the nightly check has seen
LOOKS_PER_RUN = 200  # objects that events named


class RampFlowPush(models.AbstractModel):
    """Odoo -> Ramp: bring what Ramp has in line with what Odoo has, and send nothing else.

        what changed -> rows pending                                  COMMIT
        rows -> what Ramp should have, compared with what it accepted last
        rows that differ: uncertain                                   COMMIT
        POST (500 at once) or PATCH                                   -> what Ramp has now      COMMIT

    The comparison is of states, not of events: a change that is undone sends nothing, and a crash anywhere is repaired
    by the next run. A row that is uncertain (something was sent, its outcome was never written down) is asked for
    before anything is sent again, so that nothing is created twice.
    """

    _name = 'ramp.flow.push'
    _inherit = ['ramp.flow.compare', 'ramp.flow.resolve', 'ramp.flow.send', 'ramp.flow']
    _description = 'Ramp Flow: from Odoo to Ramp'

    _sends = True
    _model = None  # of Odoo
    _kind = None  # in the remote ids: <database>-<kind>-<id>
    _endpoint = None  # path of the list and of uploads; an object's own path is below it
    _remote_keys = ('ramp_id', 'id')  # keys of Ramp's id and of ours in an object of Ramp; None: it has none of ours
    _upload_key = None  # of the list in an upload and in its answer
    _upload_size = 500  # Ramp's limit
    _asked_by_ramp_id = True  # whether Ramp answers the question for one object by its own id
    _fixed = ()  # keys that Ramp does not change of an object: a new one takes its place
    _new_id_when_fixed_changes = True
    _can_be_hidden = False  # whether objects of this kind have a visibility in Ramp
    _by_code = False  # whether an object that was in Ramp before is taken over by its code
    _asked_first = False  # whether Ramp is asked for each object before it is created
    _switch = None  # the connection's field that wants objects of this kind, where not every Ramp business may use them
    _rows_at_once = 2000

    # ------------------------------------------------------------------ what a flow says

    def _get_wanted_domain(self, connection):
        """Domain of the records of `_model` that this connection offers."""
        raise NotImplementedError

    def _get_desired_values(self, connection, records):
        """Map each record's id to the dictionary Ramp should have of it, or to a `Waiting` or `Held`."""
        raise NotImplementedError

    def _read_remote_object(self, payload, query):
        """A `Remote` from an object as Ramp answers it; `query`: of the list it was in."""
        raise NotImplementedError

    def _make_upload_item(self, job):
        """An object as it is uploaded."""
        raise NotImplementedError

    def _update_remote_object(self, client, job, changes):
        """Make Ramp's object have these values (also `offered`: show it again). May raise `Held` or `Waiting`."""
        raise NotImplementedError

    def _make_change_body(self, job, changes, names):
        """The body of a change: new values, and what shows a hidden or deleted object again."""
        body = {name: changes[name] for name in names if name in changes}
        if 'offered' in changes:
            body['visibility'] = 'VISIBLE'
            if not job.known.get('active', True):
                body['reactivate'] = True
        return body

    def _deactivate_remote_object(self, client, job):
        """Take the object from what people can pick: hidden where Ramp can do that, which keeps old codings valid; else
        deleted.
        """
        path = f'{self._endpoint}/{job.ramp_id}'
        if self._can_be_hidden:
            client.patch(path, {'visibility': 'HIDDEN'}, idempotent=True)
        else:
            client.delete(path, {}, idempotent=True)

    def _get_upload_group(self, job):
        """Objects of different groups are not uploaded together."""
        return ''

    def _get_list_queries(self, connection, jobs):
        """The queries of all lists in which these objects may be."""
        return [{}]

    def _get_lookup_query(self, job):
        """The query that finds an object by our id, or None where Ramp has no such filter."""
        return {'remote_id': job.remote_id}

    def _check_before_sending(self, connection, client):
        """Whatever has to be there in Ramp before objects of this kind can be sent."""

    def _get_display_title(self, record):
        """What a person knows the record by."""
        return record.display_name

    def _reason_not_offered(self, record):
        """Why a record that exists is not offered, for a person."""
        if 'active' in record and not record.active:
            return self.env._('Archived in Odoo, so it is not offered in Ramp.')
        return self.env._('The settings of the connection leave it out, so it is not offered in Ramp.')

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
        """Let the scheduler look when this transaction is committed: the job has been triggered."""
        if 'ramp.notify' not in self.env.cr.postcommit.data:
            self.env.cr.postcommit.data['ramp.notify'] = True
            # whoever saves may wake the scheduler; what runs then is the scheduler's to say
            self.env.cr.postcommit.add(self.env['ir.cron'].sudo()._notifydb)

    def _cron_run(self):
        connections = self.env['ramp.connection'].search([('state', '=', 'connected')]).filtered(self._is_enabled_for)
        # nearly always there is nothing: then no run is begun, and nobody has to look at one
        return super()._cron_run() if self._transaction(self._collect_changed_records, connections) else None

    def _collect_changed_records(self, connections):
        """Move what the hooks noted into the ledger, together with whatever is wanted and has no row yet.

        Returns whether a run has anything to do.
        """
        Record = self.env['ramp.record']
        changed = self.env['ramp.change']._take_changes(self._flow)
        for connection in connections:
            # where nothing was sent yet, Ramp may have a chart all the same: of an earlier connection, or of another
            # system
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
        """The rows of objects that events named after they were looked at: somebody changed them in Ramp.

        What is told right after Odoo wrote itself is taken for that.
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
        """See what somebody changed in Ramp. Here: compare it with Odoo, as after a doubt."""
        self._transaction(self.env['ramp.record']._mark_dirty, connection, self._flow, rows.mapped('res_id'), True)

    # ------------------------------------------------------------------ a run

    @contextlib.contextmanager
    def _exclusive_push(self, connection):
        """Only one process sends a connection's objects of a kind; the lock outlives commits and ends with the process."""
        lock = SQL('hashtextextended(%s, 0)', f'ramp_connector {self._flow} {connection.id}')
        self.env.cr.execute(SQL('SELECT pg_try_advisory_lock(%s)', lock))
        alone = self.env.cr.fetchone()[0]
        try:
            yield alone
        finally:
            if alone and not self.env.cr.closed:
                self.env.cr.rollback()  # whatever failed is not to be kept, and a failed transaction takes no command
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
        """Compare, and send what differs, some thousand rows at a time. Returns False when the job's time is up."""
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
                self._transaction(
                    self._store_push_results, run, uncertain
                )  # also what is to be sent: the next run need not ask again
            if not self._send_push_jobs(connection, run, client, jobs, backlog, last=after is None):
                return False
        return True
