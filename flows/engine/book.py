# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import dataclasses
import logging
import math
import time

import psycopg2

from odoo import models
from odoo.exceptions import UserError
from odoo.tools import SQL, LazyTranslate

from ...models.dry_run_cursor import is_dry_run
from ...ramp_api import RampOutOfTime
from .flow import is_of_object
from .payloads import jsonable
from .reasons import Behind, Held, Skipped, Waiting

_lt = LazyTranslate(__name__)
_logger = logging.getLogger(__name__)


@dataclasses.dataclass
class Lookup:
    """What a flow looked up in Odoo for the objects of a batch. Planning reads it, and searches for nothing.

    Each flow has a class of its own, with an attribute for each thing that it looks up. Another addon that extends
    `_look_up_references` may set further attributes.
    """


class RampFlowBook(models.AbstractModel):
    """Post the objects of the due ledger rows in batches. A batch that fails is repeated one object at a time.

    A document commits with its ledger row. An error of one object stays with that object: its row gets the reason, and
    the others are posted.
    """

    _name = 'ramp.flow.book'
    _description = 'Ramp Flow: book objects of Ramp'

    _is_posting = True
    _batch_size = 100
    _lookup_class = Lookup  # what `_look_up_references` returns

    # ------------------------------------------------------------------ hooks of a flow

    def _fetch_before_booking(self, connection, client, ramp_ids):
        """Fetch from Ramp all that posting these objects needs, as there is no HTTP during posting."""

    def _look_up_references(self, connection, values):
        """Find in Odoo all that these objects refer to, in a constant number of queries.

        :return: instance of `_lookup_class`, passed to `_plan_object` as `found`
        """
        return self._lookup_class()

    def _plan_object(self, connection, value, found):
        """Plan the posting of one object without writing to the database.

        :raise Held, Waiting, Skipped, Behind: when the object cannot be posted now
        """
        raise NotImplementedError

    def _book_plans(self, connection, plans):
        """Create the documents of the plans in one batch.

        :return: main documents in the order of the plans; None for an object of which nothing is in the books any more
        :raise Held, UserError: when a document cannot be posted; the batch is then split
        """
        raise NotImplementedError

    def _is_outcome_accepted(self, value):
        """Return whether Ramp would accept the outcome of a posted object.

        Some objects are posted before they are ready to sync in Ramp.
        """
        return True

    # ------------------------------------------------------------------ a run

    def _book_and_confirm(self, connection, run, client, ramp_ids):
        """Post the due objects among these, confirm them to Ramp, and report what is on hold."""
        if not ramp_ids:
            return
        self._check_seat(connection, client)
        self._fetch_before_booking(connection, client, ramp_ids)
        for start in range(0, len(ramp_ids), self._batch_size):
            ids, key = self._book_due_batch(connection, run, ramp_ids[start : start + self._batch_size])
            if key:
                self._try_with_ramp(self._confirm_booked_batch, connection, run, client, key)
            if ids:
                self._report_hold_reasons(connection, client, ids)
                self.env['ramp.record']._refresh_statistics()
            self.env['ir.cron']._commit_progress(len(ids))

    def _book_all_due(self, connection, run, client):
        """Post all due objects, whether Ramp listed them or not.

        When the job's time is up, the job is triggered again.
        """
        after = 0
        while True:
            ids, _key = self._book_due_batch(connection, run, None, after)
            if not ids:
                break
            self.env['ramp.record']._refresh_statistics()
            if not self.env['ir.cron']._commit_progress(len(ids)):
                self._trigger()
                break
            after = ids[-1]

    # ------------------------------------------------------------------ posting

    def _book_due_batch(self, connection, run, ramp_ids=None, after=0):
        """Run `_book_batch` in one transaction."""
        with self._exclusive_booking(connection):
            return self._transaction(self._book_batch, connection, run, ramp_ids, after)

    def _book_batch(self, connection, run, ramp_ids=None, after=0):
        """Take due rows and post their objects, together if possible, otherwise one by one.

        :return: (ids of the rows taken, sync key under which the posted ones are to be confirmed or None)
        """
        taken, siblings = self._take_next_rows(connection, ramp_ids, after)
        records = taken + siblings
        if not records:
            return [], None
        plans, values, behind = self._plan_batch_rows(connection, records)
        booked = self._book_in_savepoint(connection, plans)
        if booked is None:
            booked = {}
            for record, plan in plans.items():
                booked.update(self._book_in_savepoint(connection, {record: plan}, alone=True))
        if behind:
            # Now the reason can name what was posted. A row without a reason comes in the next run.
            self._plan_batch_rows(connection, behind)
        for record in [record for record, document in booked.items() if document is None]:
            record._mark_unbooked(
                _lt(
                    'Ramp reported in the meantime that it does not stand any more, so its posting was undone. Nothing of it is in the '
                    'books now.'
                )
            )
            del booked[record]
        key = None
        # None: another system exported the object and reported it to Ramp.
        ready_of = {
            record: None
            if self._was_told_elsewhere(record.payload, record)
            else self._is_outcome_accepted(values[record])
            for record in booked
        }
        for ready in (True, False, None):
            done = records.browse(record.id for record in booked if ready_of[record] is ready)
            if done:
                if ready and self._sync_type:
                    key = self._new_sync_key(done)
                done._mark_booked(
                    [booked[record] for record in done],
                    key if ready else None,
                    bool(self._sync_type) and ready is not None,
                    self._updates and bool(ready),
                )
        extras = {record: jsonable(self._get_late_details(values[record])) for record in booked}
        self.env['ramp.record']._store_noted(
            {
                record.id: dataclasses.replace(record._read_note(), extras=extra)
                for record, extra in extras.items()
                if extra
            }
        )
        states = records.mapped('state')
        run.write(
            {
                'processed': run.processed + len(records),
                'created': run.created + len(booked),
                'held': run.held + states.count('held'),
                'failed': run.failed + states.count('error'),
            }
        )
        return taken.ids, key

    def _take_next_rows(self, connection, ramp_ids, after):
        """Lock and return the rows of the next batch.

        :return: (due rows, rows that have to be posted together with them)
        """
        Record = self.env['ramp.record']
        return Record._take_due_rows(
            connection, self._flow, self._batch_size, ramp_ids, after, updates=self._updates
        ), Record

    def _plan_batch_rows(self, connection, records):
        """Plan the objects of these rows. A row that cannot be posted gets its state and reason.

        :return: ({row: plan} of the rows to post, {row: value object} of the readable rows, rows that have to wait for
            another row of the batch)
        """
        values, behind = {}, self.env['ramp.record']
        for record in records:
            try:
                values[record] = self._read_payload(record.payload)
                self._get_ledger_columns(connection, values[record])
                self._get_booking_facts(values[record])
            except Exception as error:
                if not is_of_object(error):
                    raise
                values.pop(record, None)
                record._mark_held(_lt('Ramp sent data that cannot be posted. %s', error))
        found = self._look_up_batch_references(connection, values)
        plans = {}
        for record in found:
            try:
                plans[record] = self._plan_object(connection, values[record], found[record])
            except Behind:
                behind += record
            except Held as reason:
                record._mark_held(reason, reason.move)
            except Waiting as reason:
                record._mark_waiting(reason)
            except Skipped as reason:
                record._ignore_by_rule(reason)
            except Exception as error:
                if not is_of_object(error):
                    raise
                _logger.exception('Ramp flow %s could not decide on %s', self._flow, record.ramp_id)
                record._mark_failed(self._describe_single_failure(error))
        return plans, values, behind

    def _look_up_batch_references(self, connection, values):
        """Look up the references of a batch together, or one by one where one object stops the others.

        :return: {row: what `_look_up_references` found}, without the rows whose look-up failed
        """
        try:
            with self.env.cr.savepoint():
                return dict.fromkeys(
                    values, self._look_up_references(connection, list(values.values())) if values else None
                )
        except Exception as error:
            if not is_of_object(error, undone=True):
                raise
            _logger.info(
                'Ramp flow %s: a batch of %s is looked up one by one: %s', self._flow, len(values), type(error).__name__
            )
        found = {}
        for record, value in values.items():
            try:
                with self.env.cr.savepoint():
                    found[record] = self._look_up_references(connection, [value])
            except Exception as error:
                if not is_of_object(error, undone=True):
                    raise
                _logger.exception('Ramp flow %s could not look up what %s refers to', self._flow, record.ramp_id)
                record._mark_failed(self._describe_single_failure(error))
        return found

    def _book_in_savepoint(self, connection, plans, alone=False):
        """Post these plans in a savepoint.

        :param alone: True for a single object: if it fails, its row gets the reason
        :return: {row: document}; None when the batch has to be split; {} for a single object that failed
        """
        if not plans:
            return {}
        try:
            with self.env.cr.savepoint():
                documents = self._book_plans(connection, list(plans.values()))
        except Exception as error:
            if not is_of_object(error, undone=True):
                raise
            if not alone:
                _logger.info('Ramp flow %s: a batch of %s is split: %s', self._flow, len(plans), type(error).__name__)
                return None
            (record,) = plans
            if isinstance(error, psycopg2.errors.UniqueViolation):
                error = self._explain_posted_elsewhere(connection, record) or error
            if isinstance(error, Held):
                record._mark_held(error, error.move)
            elif isinstance(error, UserError):
                record._mark_failed(_lt('Odoo refused to post it: %s', error))
            else:
                _logger.exception('Ramp flow %s could not book %s', self._flow, record.ramp_id)
                record._mark_failed(self._describe_single_failure(error))
            return {}
        return dict(zip(plans, documents, strict=True))

    def _explain_posted_elsewhere(self, connection, record):
        """Return the `Held` of an object that another connection of this database has posted; None if none has.

        Two connections of one Ramp business see the same objects, unless each has an entity of its own. A document's
        Ramp id is unique, so only one of them can post an object.
        """
        other = self.env['ramp.record'].search(
            [
                ('connection_id', '!=', connection.id),
                ('flow', '=', self._flow),
                ('ramp_id', '=', record.ramp_id),
                ('res_id', '!=', False),
            ],
            limit=1,
        )
        if not other:
            return None
        document = self.env[other.res_model].browse(other.res_id).exists()
        # What is in the books of another company is named by its connection alone
        is_own = other.company_id == connection.company_id
        move = document.move_id if document._name == 'account.payment' else document
        name = other.connection_id.name
        return Held(
            _lt(
                'The connection %(connection)s has posted it already: %(document)s. Only one connection can post an '
                'object of Ramp. Choose a Ramp entity for each connection, or use only one of them for this Ramp '
                'business.',
                connection=name,
                document=document.display_name if is_own else other.name,
            ),
            move if is_own and move._name == 'account.move' else None,
            kind='posted_elsewhere',
            title=_lt(
                'The connection %s has posted these already. Only one connection can post an object of Ramp. Choose a '
                'Ramp entity for each connection, or use only one of them for this Ramp business.',
                name,
            ),
            connection=other.connection_id.id,
        )

    # ------------------------------------------------------------------ locks

    def _exclusive_booking(self, connection):
        """Return a context manager for each transaction that posts.

        A flow overrides it where another flow must not post at the same moment.
        """
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def _exclusive_session_lock(self, name, shared=False):
        """Let one process at a time run the block. The others wait.

        The lock belongs to the database session and is taken before the transaction begins. So the transaction sees
        what another process committed meanwhile. A dry run takes none: it commits nothing that others could miss, and
        nobody has to wait for it.

        :param name: str, the same for everything that must not run at the same time
        :param shared: True lets the holders of shared locks run together, but not beside a holder of an exclusive lock
        """
        if is_dry_run(self.env):
            yield
            return
        lock = SQL('(hashtextextended(%s, 0))', f'ramp_connector {name}')
        take, leave = SQL('pg_advisory_lock'), SQL('pg_advisory_unlock')
        if shared:
            take, leave = SQL('pg_advisory_lock_shared'), SQL('pg_advisory_unlock_shared')
        self._take_session_lock(SQL('SELECT %s%s', take, lock))
        self.env.cr.rollback()
        try:
            yield
        finally:
            if not self.env.cr.closed:
                self.env.cr.rollback()  # discards what failed; a failed transaction accepts no command
                self.env.cr.execute(SQL('SELECT %s%s', leave, lock))
                self.env.cr.rollback()

    def _take_session_lock(self, query):
        """Take a session lock by a query.

        :raise RampOutOfTime: when another process holds the lock until this run's time is up
        """
        left = self._get_job_deadline() - time.monotonic()
        if left <= 0:
            raise RampOutOfTime()
        try:
            if left < math.inf:
                self.env.cr.execute("SELECT set_config('lock_timeout', %s, true)", [f'{math.ceil(left * 1000)}ms'])
            self.env.cr.execute(query, log_exceptions=False)
        except psycopg2.errors.LockNotAvailable:
            self.env.cr.rollback()
            raise RampOutOfTime() from None

    # ------------------------------------------------------------------ undoing

    def _undo_for_user(self, connection, record, reason):
        """Undo a posted object for a user, and show at once what prevents it.

        :raise UserError: when the object cannot be undone
        """
        try:
            self._undo_booked_object(connection, record, reason)
        except Held as held:
            raise UserError(
                self.env._(
                    '%(object)s cannot be undone. %(reason)s',
                    object=record.display_name,
                    reason=held.in_language(self.env.lang),
                )
            ) from held

    def _undo_booked_object(self, connection, record, reason):
        """Undo the posting of an object in a way that stays visible. The caller reopens the row.

        :raise UserError: when it cannot be undone
        """
        raise UserError(self.env._('%s cannot be undone from here. Correct its document in Odoo.', record.display_name))
