# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import dataclasses
import logging
import math
from datetime import timedelta

from odoo import api, models
from odoo.exceptions import AccessError, MissingError, UserError
from odoo.fields import Domain
from odoo.tools import SQL, split_every

from ..models.ramp_connection import OPTIONAL_SCOPES
from ..ramp_api import PayloadError, RampError, RampNotFound, RampProtocolError, RampServerError, RampValidationError
from .flow import Held, Waiting, is_of_object

_logger = logging.getLogger(__name__)

LOOK_UP_ALONE = 10  # uncertain rows that are asked for one by one; beyond it the list is read, if that takes fewer requests
ROWS_PER_LIST = 100
TROUBLES_PER_RUN = 5  # objects on which Ramp itself fails, before the run gives up
UNSAID = object()
PATIENCE = timedelta(minutes=1)  # before Ramp is asked once more for what it may not have shown yet
ECHO = timedelta(seconds=5)  # in which Ramp's events tell of what was just sent
NIGHTLY = timedelta(days=2)  # whatever is older than this, the nightly check has seen
LOOKS_PER_RUN = 200  # objects that events named


@dataclasses.dataclass
class Job:
    """One row of the ledger on its way to Ramp. `known` and `desired` are dictionaries of the flow's own keys."""

    id: int
    revision: int
    res_id: int
    name: str
    remote_id: str
    ramp_id: str | None
    known: dict | None  # what Ramp has; None: nothing
    desired: dict | None  # what it should have; None: it is not to be offered
    uncertain: bool  # `known` may be out of date
    reason: str | None = None  # why it is not offered
    state: str = 'pending'
    error: str | None = None
    blocked: bool = False  # by something else that has to be settled first: `state` and `error` say what
    key: str | None = None  # of the request that creates it, where Ramp wants one
    troubled: bool = False  # Ramp failed on it in the run before

    @property
    def offered(self):
        return bool(self.known) and self.known.get('offered', True)

    def block(self, reason):
        """Something else has to be settled first: a `Held` or `Waiting` says what."""
        self.state, self.error, self.blocked = 'held' if isinstance(reason, Held) else 'pending', str(reason), True

    @property
    def changes(self):
        return {key: value for key, value in self.desired.items() if (self.known or {}).get(key, UNSAID) != value}


@dataclasses.dataclass
class Remote:
    """What Ramp has of one object: our id, Ramp's id, and its values under the flow's own keys.

    unread: why nothing more is known of it, a sentence: it is there, and must not be taken for missing
    """

    remote_id: str
    ramp_id: str
    values: dict
    unread: str | None = None


class RampFlowPush(models.AbstractModel):
    """Odoo -> Ramp: bring what Ramp has in line with what Odoo has, and send nothing else.

        what changed -> rows pending                                  COMMIT
        rows -> what Ramp should have, compared with what it accepted last
        rows that differ: uncertain                                   COMMIT
        POST (500 at once) or PATCH                                   -> what Ramp has now      COMMIT

    The comparison is of states, not of events: a change that is undone sends nothing, and a crash anywhere is repaired by
    the next run. A row that is uncertain (something was sent, its outcome was never written down) is asked for before
    anything is sent again, so that nothing is created twice.
    """

    _name = 'ramp.flow.push'
    _inherit = 'ramp.flow'
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

    def _wanted_domain(self, connection):
        """Domain of the records of `_model` that this connection offers."""
        raise NotImplementedError

    def _desired(self, connection, records):
        """Map each record's id to the dictionary Ramp should have of it, or to a `Waiting` or `Held`."""
        raise NotImplementedError

    def _read_remote(self, payload, query):
        """A `Remote` from an object as Ramp answers it; `query`: of the list it was in."""
        raise NotImplementedError

    def _upload_item(self, job):
        """An object as it is uploaded."""
        raise NotImplementedError

    def _change(self, client, job, changes):
        """Make Ramp's object have these values (also `offered`: show it again). May raise `Held` or `Waiting`."""
        raise NotImplementedError

    def _body_of(self, job, changes, names):
        """The body of a change: new values, and what shows a hidden or deleted object again."""
        body = {name: changes[name] for name in names if name in changes}
        if 'offered' in changes:
            body['visibility'] = 'VISIBLE'
            if not job.known.get('active', True):
                body['reactivate'] = True
        return body

    def _withdraw(self, client, job):
        """Take the object from what people can pick: hidden where Ramp can do that, which keeps old codings valid; else deleted."""
        path = f'{self._endpoint}/{job.ramp_id}'
        if self._can_be_hidden:
            client.patch(path, {'visibility': 'HIDDEN'}, idempotent=True)
        else:
            client.delete(path, {}, idempotent=True)

    def _group(self, job):
        """Objects of different groups are not uploaded together."""
        return ''

    def _list_queries(self, connection, jobs):
        """The queries of all lists in which these objects may be."""
        return [{}]

    def _look_up_query(self, job):
        """The query that finds an object by our id, or None where Ramp has no such filter."""
        return {'remote_id': job.remote_id}

    def _before_sending(self, connection, client):
        """Whatever has to be there in Ramp before objects of this kind can be sent."""

    def _title(self, record):
        """What a person knows the record by."""
        return record.display_name

    def _not_offered(self, record):
        """Why a record that exists is not offered, for a person."""
        if 'active' in record and not record.active:
            return self.env._('Archived in Odoo, so it is not offered in Ramp.')
        return self.env._('The settings of the connection leave it out, so it is not offered in Ramp.')

    # ------------------------------------------------------------------ marking

    def _pushed_domain(self, connections):
        return Domain.OR(self._wanted_domain(connection) for connection in connections)

    def _wanted(self, connection, ids=None):
        Model = self.env[self._model].with_context(active_test=False)
        return Model._search(self._wanted_domain(connection) & (Domain.TRUE if ids is None else Domain('id', 'in', ids)), order=None)

    def _prefix(self):
        return f"{self.env['ramp.connection']._identity()}-{self._kind}-"

    def _notify_job(self):
        """Let the scheduler look when this transaction is committed: the job has been triggered."""
        if 'ramp.notify' not in self.env.cr.postcommit.data:
            self.env.cr.postcommit.data['ramp.notify'] = True
            # whoever saves may wake the scheduler; what runs then is the scheduler's to say
            self.env.cr.postcommit.add(self.env['ir.cron'].sudo()._notifydb)

    def _cron_run(self):
        connections = self.env['ramp.connection'].search([('state', '=', 'connected')]).filtered(self._enabled)
        # nearly always there is nothing: then no run is begun, and nobody has to look at one
        return super()._cron_run() if self._transaction(self._collect, connections) else None

    def _collect(self, connections):
        """Move what the hooks noted into the ledger, together with whatever is wanted and has no row yet.

        Returns whether a run has anything to do.
        """
        Record = self.env['ramp.record']
        changed = self.env['ramp.change']._collect(self._flow)
        for connection in connections:
            # where nothing was sent yet, Ramp may have a chart all the same: of an earlier connection, or of another system
            first = self._by_code or self._asked_first or not Record.search_count(
                [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', '!=', False)], limit=1)
            wanted = self._wanted(connection)
            Record._expect(connection, self._flow, wanted, self._model, self._prefix(), uncertain=first)
            Record._reconsider(connection, self._flow, wanted, shared=bool(self._elder(connection)))
        if changed:
            Record._mark_dirty(connections, self._flow, changed)
        return Record._is_dirty(connections, self._flow) or any(self._told(connection) for connection in connections)

    def _told(self, connection):
        """The rows of objects that events named after they were looked at: somebody changed them in Ramp.

        What is told right after Odoo wrote itself is taken for that.
        """
        if not self._events:
            return self.env['ramp.record']
        rows = self.env.execute_query(SQL(
            """
            SELECT DISTINCT r.id
              FROM ramp_event e
              JOIN ramp_record r ON r.connection_id = e.connection_id AND r.flow = %s AND r.ramp_id = LOWER(e.object_id)
             WHERE e.connection_id = %s AND e.received_at > %s AND e.type = ANY(%s) AND e.received_at > r.seen_at + %s
             LIMIT %s
            """, self._flow, connection.id, self.env.cr.now() - NIGHTLY, list(self._events), ECHO, LOOKS_PER_RUN))
        return self.env['ramp.record'].browse(row[0] for row in rows)

    def _look_at(self, connection, rows):
        """See what somebody changed in Ramp. Here: compare it with Odoo, as after a doubt."""
        self._transaction(self.env['ramp.record']._mark_dirty, connection, self._flow, rows.mapped('res_id'), True)

    # ------------------------------------------------------------------ a run

    @contextlib.contextmanager
    def _alone(self, connection):
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

    def _work(self, connection, run):
        with self._alone(connection) as alone:
            if not alone:
                _logger.info('Ramp flow %s: another process is sending for connection %s', self._flow, connection.id)
                return
            told = self._told(connection)
            if told:
                self._look_at(connection, told)
            if not self._send_all(connection, run) or len(told) == LOOKS_PER_RUN:
                self._trigger()

    def _send_all(self, connection, run):
        """Compare, and send what differs, some thousand rows at a time. Returns False when the job's time is up."""
        client, after, backlog = None, 0, {}
        while after is not None:
            jobs, after = self._transaction(self._compare, connection, run, after)
            if jobs and not client:
                client = connection._client()
                self._check_seat(connection, client)
                self._before_sending(connection, client)
            uncertain = [job for job in jobs if job.uncertain]
            if uncertain:
                self._ask_first(connection, client, uncertain)
                jobs = [job for job in jobs if self._is_to_be_sent(job)]
                self._transaction(self._store, run, uncertain)  # also what is to be sent: the next run need not ask again
            if not self._send(connection, run, client, jobs, backlog, last=after is None):
                return False
        return True

    def _compare(self, connection, run, after):
        """Compare the next due rows with Odoo: those that are in line are settled, the others are returned as jobs, with the
        place to go on from (None: that was all)."""
        rows = self.env['ramp.record']._take_dirty(connection, self._flow, self._rows_at_once, after)
        jobs, settled = [], []
        for job in self._jobs(connection, rows):
            try:
                is_to_be_sent = self._is_to_be_sent(job)
            except Exception as error:
                job.block(self._undecided(error, self.env[self._model].browse(job.res_id)))
                is_to_be_sent = False
            (jobs if is_to_be_sent else settled).append(job)
        self._store(run, settled, sent=False)
        run.write({'seen': run.seen + len(rows), 'total': run.total + len(jobs)})
        return jobs, rows[-1].id if len(rows) == self._rows_at_once else None

    def _is_to_be_sent(self, job):
        """Whether Ramp has to be asked or told; otherwise the job gets its final state here."""
        if job.blocked:
            return False
        if job.uncertain:
            return True
        if job.desired is None:
            job.state, job.error = ('pending', None) if job.offered else ('ignored', job.reason)
        else:
            job.state, job.error = ('pending' if job.changes else 'confirmed'), None
        return job.state == 'pending'

    def _jobs(self, connection, rows):
        """A job for each row, in a constant number of queries."""
        Model = self.env[self._model].with_context(active_test=False)
        ids = rows.mapped('res_id')
        existing = {record.id: record for record in Model.search([('id', 'in', ids)])}
        wanted = Model.browse(row[0] for row in self.env.execute_query(self._wanted(connection, ids).select()))
        elsewhere = self._offered_elsewhere(connection, rows)
        desired = self._desired_each(connection, wanted.filtered(lambda record: record.id not in elsewhere))
        for row in rows:
            record = existing.get(row.res_id)
            goal = desired.get(row.res_id)
            job = Job(
                id=row.id, revision=row.revision, res_id=row.res_id, name=row.name,
                remote_id=row.remote_id, ramp_id=row.ramp_id or None, known=row.payload or None,
                desired=goal if isinstance(goal, dict) else None, uncertain=row.is_uncertain, troubled=row.state == 'error')
            try:
                job.name = self._title(record) if record else row.name
                if isinstance(goal, (Held, Waiting)):
                    job.block(goal)
                elif goal is None:
                    job.reason = (
                        self.env._('Deleted in Odoo, so it is not offered in Ramp.') if not record
                        else self.env._('Offered by the connection %s, which shares the accounting seat.', elsewhere[row.res_id])
                        if row.res_id in elsewhere else self._not_offered(record))
            except Exception as error:
                job.block(self._undecided(error, record))
            yield job

    def _undecided(self, error, record, undone=False):
        """The `Held` of a record of which Odoo could not decide what to send; raises what is not that record's own fault."""
        if not is_of_object(error, undone):
            raise error
        _logger.error('Ramp flow %s could not decide what to send of %s', self._flow, record, exc_info=error)
        return Held(self.env._(
            'Odoo could not decide what to send (%s). The server log has the details. Correct the record, or ask whoever looks after '
            'Odoo.', type(error).__name__))

    def _desired_each(self, connection, records):
        """See `_desired`: of all together, or, where one stops the others, of each by itself; that one is held with the reason."""
        try:
            with self.env.cr.savepoint():
                return self._desired(connection, records)
        except Exception as error:
            if len(records) == 1 or not is_of_object(error, undone=True):
                return {records[:1].id: self._undecided(error, records, undone=True)}
            _logger.info('Ramp flow %s: %s records are looked at one by one: %s', self._flow, len(records), type(error).__name__)
        return {identity: values for record in records for identity, values in self._desired_each(connection, record).items()}

    def _offered_elsewhere(self, connection, rows):
        """Records that another connection to the same Ramp business offers already: {record id: its name}.

        Companies that share a Ramp business share one list of accounts there; the oldest connection speaks for all.
        """
        found = {}
        for other in self._elder(connection):
            ids = self.env.execute_query(self._wanted(other, rows.mapped('res_id')).select())
            found.update((row[0], other.name) for row in ids)
        return found

    @api.model
    def _shared(self, connection):
        """Domain of the rows of all connections to a Ramp business: what one of them offers, Ramp has for all."""
        return Domain('connection_id.accounting_connection_id', '=', connection.accounting_connection_id)

    def _elder(self, connection):
        return self.env['ramp.connection'].search([
            ('state', '=', 'connected'), ('id', '<', connection.id),
            ('accounting_connection_id', '=', connection.accounting_connection_id)], order='id desc')

    def _store(self, run, jobs, sent=True):
        """Write down what became of jobs."""
        self.env['ramp.record']._store_sent([{
            'id': job.id, 'revision': job.revision, 'name': job.name, 'remote_id': job.remote_id, 'ramp_id': job.ramp_id,
            'payload': job.known, 'state': job.state, 'error_message': job.error, 'is_uncertain': job.uncertain,
            'is_question': job.blocked and job.state == 'held',
        } for job in jobs])
        states = [job.state for job in jobs]
        run.write({
            'processed': run.processed + (len(jobs) if sent else 0), 'confirmed': run.confirmed + states.count('confirmed'),
            'created': run.created + (states.count('confirmed') if sent else 0), 'held': run.held + states.count('held')})

    # ------------------------------------------------------------------ sending

    def _send(self, connection, run, client, jobs, backlog, last):
        """Change and withdraw objects, and upload new ones as soon as a request is full. Returns False when time is up.

        :param backlog: {group: jobs to be uploaded}, carried from one call to the next
        :param last: nothing more will come, so that what is left goes as it is
        """
        one_by_one = []
        for job in jobs:
            if job.desired is not None and not job.known:
                backlog.setdefault(self._group(job), []).append(job)
            else:
                one_by_one.append(job)
        for chunk in split_every(self._upload_size, one_by_one, list):
            self._transaction(self.env['ramp.record']._mark_uncertain, [job.id for job in chunk])
            for job in chunk:
                self._send_one(connection, run, client, job)
                if job.desired is not None and not job.known and job.state == 'pending' and not job.blocked:
                    backlog.setdefault(self._group(job), []).append(job)  # takes the place of one that was withdrawn
                if self.env['ir.cron']._commit_progress() <= 0:
                    return False
        for waiting in backlog.values():
            while len(waiting) >= self._upload_size or last and waiting:
                chunk, waiting[:self._upload_size] = waiting[:self._upload_size], []
                self._transaction(self.env['ramp.record']._mark_uncertain, [job.id for job in chunk])
                self._upload(connection, run, client, chunk)
                if self.env['ir.cron']._commit_progress() <= 0:
                    return False
        return True

    def _send_one(self, connection, run, client, job):
        """Change or withdraw one object of Ramp."""
        try:
            if job.desired is None:
                self._withdraw(client, job)
                job.known = {**job.known, 'offered': False}
                job.state, job.error = 'ignored', job.reason
            elif any(key in self._fixed for key in job.changes):
                if job.offered:
                    self._withdraw(client, job)
                self._replace(connection, client, job)
                if job.known and self._is_to_be_sent(job):
                    self._send_one(connection, run, client, job)
                    return
            else:
                self._change(client, job, job.changes)
                job.known = {**job.known, **job.desired, **({'active': True} if 'active' in job.known else {})}
                job.state, job.error = 'confirmed', None
            job.uncertain = False
        except (Held, Waiting) as reason:
            job.uncertain = True
            job.block(reason)
        except RampNotFound:
            # gone in Ramp, although it was there: made anew, or gone for good
            job.known, job.ramp_id, job.uncertain = None, None, False
            if job.desired is None:
                job.state, job.error = 'ignored', job.reason
        except RampValidationError as error:
            connection._check_seat(client)  # without the seat Ramp refuses everything, and that is no fault of this object
            self._refused(job, error)
        except (RampServerError, RampProtocolError) as error:
            self._trouble(run, job, error)
            return
        except Exception as error:
            self._odd(run, job, error)
            return
        self._transaction(self._store, run, [job])

    def _odd(self, run, job, error):
        """An object fails in a way nobody thought of: the others are sent. What was sent of it, the next run asks Ramp."""
        if not is_of_object(error) or _is_of_run(error):
            raise error
        self.env.cr.rollback()
        _logger.error('Ramp flow %s could not send %s', self._flow, job.remote_id, exc_info=error)
        self._transaction(self._store_trouble, run, job, self.env._(
            'It could not be sent (%s). The server log has the details.',
            f'{type(error).__name__}: {error}' if isinstance(error, PayloadError) else type(error).__name__))

    def _replace(self, connection, client, job):
        """The withdrawn object is forgotten; the one that takes its place may be there from before."""
        if self._new_id_when_fixed_changes:
            own = f'{self._prefix()}{job.res_id}'
            former, _point, generation = job.remote_id.partition('.')
            job.remote_id = f'{own}.{int(generation or 1) + 1}' if former == own else own
        job.ramp_id, job.known, job.state, job.error = None, None, 'pending', None
        self._look_up_alone(connection, client, job)

    def _refuse(self, job, error):
        """Ramp does not want this object as it is: a person reads why; it is sent again when it changes or on Retry."""
        job.uncertain = False
        job.state, job.error = 'held', self.env._('Ramp refused it: %s', _words(error))

    def _trouble(self, run, job, error):
        """Ramp failed on this object: tried again later. Many of them are not the objects' fault."""
        self._transaction(self._store_trouble, run, job, error)
        memory = self.env.context.get('ramp_memory', {})
        memory['troubles'] = memory.get('troubles', 0) + 1
        if memory['troubles'] >= TROUBLES_PER_RUN:
            raise error

    def _store_trouble(self, run, job, error):
        record = self.env['ramp.record'].browse(job.id)
        record.name = job.name
        record._fail(str(error))
        run.failed += 1

    def _upload(self, connection, run, client, jobs, resolved=False):
        """Create objects in Ramp, all at once; where Ramp refuses that, find out which one it is."""
        try:
            answer = self._post(connection, client, jobs)
        except RampError as error:
            if not isinstance(error, (RampValidationError, RampServerError, RampNotFound, RampProtocolError)):
                raise
            if not resolved:
                connection._check_seat(client)
                # some may be there already: an upload is all or nothing
                self._forget_lists()
                self._resolve(connection, client, jobs)
                self._transaction(self._store, run, [job for job in jobs if not self._is_to_be_sent(job)])
                for job in [job for job in jobs if job.known and self._is_to_be_sent(job)]:
                    self._send_one(connection, run, client, job)
                rest = [job for job in jobs if job.desired is not None and not job.known and not job.blocked]
                if rest and len(jobs) > 1:
                    self._upload(connection, run, client, rest, resolved=True)
                elif rest:
                    self._not_created(run, rest[0], error)
            elif len(jobs) > 1:
                half = len(jobs) // 2
                self._upload(connection, run, client, jobs[:half], resolved=True)
                self._upload(connection, run, client, jobs[half:], resolved=True)
            else:
                self._not_created(run, jobs[0], error)
            return
        except Exception as error:
            self._upload_odd(connection, run, client, jobs, error)
            return
        uploaded = {remote.remote_id: remote for remote in self._remotes(answer, {})}
        for job in jobs:
            remote = uploaded.get(job.remote_id)
            if remote and not remote.unread:
                job.ramp_id, job.known, job.uncertain = remote.ramp_id, {**remote.values, **job.desired}, False
                job.state, job.error = 'confirmed', None
        missing = [job for job in jobs if job.uncertain or not job.known]
        for job in missing:
            job.uncertain = True  # Ramp said yes and did not say to what: the next run asks
        self._transaction(self._store, run, jobs)
        if missing:
            self._trigger()

    def _upload_odd(self, connection, run, client, jobs, error):
        """One of these could not even be put into words: the others are sent."""
        if not is_of_object(error) or _is_of_run(error):
            raise error
        odd = {}
        for job in jobs if len(jobs) > 1 else ():
            try:
                self._upload_item(job)
            except Exception as reason:
                odd[job.id] = reason
        if not odd and len(jobs) > 1:
            raise error
        for job in jobs:
            if job.id in odd or len(jobs) == 1:
                self._odd(run, job, odd.get(job.id, error))
        rest = [job for job in jobs if job.id not in odd] if odd else []
        if rest:
            self._upload(connection, run, client, rest)

    def _not_created(self, run, job, error):
        """Ramp did not create this object, as far as it says; what it made all the same it may not show at once: see `_refused`."""
        if isinstance(error, (RampServerError, RampProtocolError)):
            self._trouble(run, job, error)
            return
        self._refused(job, error)
        self._transaction(self._store, run, [job])

    def _refused(self, job, error):
        """Refuse; but after a failure Ramp may have refused what is there already: it is asked once more before a person is."""
        self._refuse(job, error)
        if job.troubled and job.state == 'held':
            job.state, job.uncertain = 'pending', True
            # the job belongs to the system; see `_trigger`
            self._cron().sudo()._trigger(at=self.env.cr.now() + PATIENCE)

    def _post(self, connection, client, jobs):
        """Upload; returns the list of Ramp's objects."""
        answer = client.post(self._endpoint, {
            **self._upload_body(connection, jobs), self._upload_key: [self._upload_item(job) for job in jobs]})
        return (answer or {}).get(self._upload_key) or []

    def _upload_body(self, connection, jobs):
        """What an upload says beside the objects. The seat is named, so that nothing lands in another system's list."""
        return {'accounting_connection_id': connection.accounting_connection_id}

    # ------------------------------------------------------------------ asking Ramp

    def _ask_first(self, connection, client, jobs):
        """Resolve; where Ramp refuses even the question, each object says why, as its reader may not know of the connection."""
        try:
            self._resolve(connection, client, jobs)
        except RampError as error:
            if error.status != 403 or not self._switch:
                raise
            _logger.info('%s', error)
            for job in jobs:
                if job.uncertain:
                    job.block(Held(self.env._(
                        'Ramp does not let Odoo use %(kind)s. They need Ramp Plus, and these permissions of the app in Ramp: %(scopes)s.',
                        kind=self._flow_label(), scopes=', '.join(OPTIONAL_SCOPES[self._switch]))))

    def _resolve(self, connection, client, jobs):
        """Find out what Ramp has of these objects, whatever we believe."""
        if not jobs:
            return
        pages = math.ceil(self.env['ramp.record'].search_count([
            ('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', '!=', False)]) / ROWS_PER_LIST)
        self.env.cr.rollback()
        if self._look_up_query(jobs[0]) is not None and (len(jobs) <= LOOK_UP_ALONE or len(jobs) < pages):
            for job in jobs:
                self._look_up_alone(connection, client, job)
            return
        remotes = [remote for query in self._list_queries(connection, jobs) for remote in self._listed(client, query)]
        by_ramp_id = {remote.ramp_id: remote for remote in remotes}
        by_id = {self._remote_key(remote.remote_id, remote.values): remote for remote in remotes}
        taken = self._taken(connection)
        by_code = {}
        for remote in remotes:
            if self._is_adoptable(remote, taken):
                by_code.setdefault(remote.values['code'], []).append(remote)
        for job in jobs:
            remote = by_ramp_id.get(job.ramp_id) or by_id.get(self._remote_key(job.remote_id, job.desired or job.known or {}))
            if not remote and job.desired and not job.known:
                same = by_code.get(job.desired.get('code'), [])
                remote = same[0] if len(same) == 1 else None
            self._found(job, remote)

    def _look_up_alone(self, connection, client, job):
        """Ask for one object: by Ramp's id, else by ours, else by its code."""
        remote = None
        if job.ramp_id and self._asked_by_ramp_id:
            with contextlib.suppress(RampNotFound):
                remote = next(iter(self._remotes([client.get(f'{self._endpoint}/{job.ramp_id}')], {})), None)
        query = self._look_up_query(job)
        if not remote and query is not None:
            remote = next((found for found in self._ask(client, query) if found.remote_id == job.remote_id), None)
        if not remote and self._by_code and job.desired and job.desired['code'] and not job.known:
            taken = self._taken(connection)
            same = [found for found in self._ask(client, {'code': job.desired['code']})
                    if found.values['code'] == job.desired['code'] and self._is_adoptable(found, taken)]
            remote = same[0] if len(same) == 1 else None
        self._found(job, remote)

    def _listed(self, client, query):
        """Everything in a list, read once in a run: what we sent meanwhile is known to be there."""
        lists = self.env.context.get('ramp_memory', {}).setdefault(f'lists of {self._flow}', {})
        key = tuple(query.items())
        if key not in lists:
            lists[key] = self._ask(client, query)
        return lists[key]

    def _forget_lists(self):
        self.env.context.get('ramp_memory', {}).pop(f'lists of {self._flow}', None)

    def _ask(self, client, query):
        return self._remotes(list(client.list_objects(self._endpoint, query)), query)

    def _inspect(self, connection, client):
        """Look, in the nightly check, at what was sent and what became of it in Ramp. Commits. Here: nothing."""

    def _remotes(self, payloads, query):
        """Objects as Ramp answers them; one without Ramp's id can be neither changed nor found again, and is as good as none."""
        return [self._read_alone(payload, query) for payload in payloads if isinstance(payload, dict) and payload.get('ramp_id')]

    def _read_alone(self, payload, query):
        """See `_read_remote`; one that cannot be read is there all the same."""
        try:
            return self._read_remote(payload, query)
        except Exception as error:
            if not is_of_object(error):
                raise
            ident, own = (str(payload.get(key) or '') for key in self._remote_keys)
            _logger.warning('Ramp flow %s: %s of Ramp cannot be read: %s', self._flow, ident, error if isinstance(
                error, PayloadError) else type(error).__name__)
            return Remote(own or None, ident.lower(), {}, self.env._(
                'Odoo cannot read what Ramp has of it (%(id)s; %(error)s), and sends nothing until it can. Correct it in Ramp, or update '
                'the connector.', id=ident, error=error if isinstance(error, PayloadError) else type(error).__name__))

    def _remote_key(self, remote_id, values):
        """By what an object is known in a list."""
        return remote_id

    def _is_adoptable(self, remote, taken):
        """Whether an object that was in Ramp before may come to stand for one of ours that has the same code."""
        return (self._by_code and not remote.unread and remote.values['code'] and remote.values['offered'] and remote.ramp_id not in taken
                and not (remote.remote_id or '').startswith(self._prefix()))

    def _taken(self, connection):
        """Ramp's objects that stand for something in Odoo already."""
        self.env.cr.execute(SQL(
            'SELECT ramp_id FROM ramp_record WHERE connection_id = %s AND flow = %s AND ramp_id IS NOT NULL', connection.id, self._flow))
        found = {row[0] for row in self.env.cr.fetchall()}
        self.env.cr.rollback()
        return found

    def _found(self, job, remote):
        if remote and remote.unread:
            job.uncertain = True
            job.block(Held(remote.unread))
            return
        job.uncertain = False
        if remote:
            # what an answer does not repeat (the field of an option) is as it was
            job.known = {**{key: value for key, value in (job.known or {}).items() if key in self._fixed}, **remote.values}
            job.remote_id, job.ramp_id = remote.remote_id, remote.ramp_id
        else:
            job.ramp_id, job.known = None, None


def _is_of_run(error):
    """Whether a flow says in a sentence why it cannot go on: without the seat, or a field, nothing is sent at all."""
    return isinstance(error, UserError) and not isinstance(error, (AccessError, MissingError))


def _words(error):
    """Ramp's own words, without what only a developer wants to know: that is in the log."""
    _logger.info('%s', error)
    details = [f'{field}: {" ".join(messages)}' for field, messages in error.details.items()]
    return '; '.join(details) or error.message or str(error)
