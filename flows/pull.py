# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import dataclasses
import hashlib
import logging
import math
import time
import uuid
from datetime import timedelta

import psycopg2

from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools import SQL, split_every

from ..models.ramp_record import OPEN_STATES, canonical, digest, storable
from ..ramp_api import (
    RampAuthError,
    RampConnectionError,
    RampError,
    RampIdempotencyReused,
    RampNotFound,
    RampOutOfTime,
    RampScopeError,
    RampValidationError,
    parse_utc,
)
from .flow import Behind, Held, Skipped, Waiting, is_of_object

_logger = logging.getLogger(__name__)

MAX_ID = 100  # characters of what is said to be an id
BURNT_KEYS = 2  # tries with a new key, at once, after Ramp burnt one without doing the work
REPORTS_PER_RUN = 100  # batches of reasons told to Ramp
LOST_PER_RUN = 200  # rows looked up one by one because Ramp stopped listing them
AT_ONCE = 20  # objects asked for one by one before what was answered is stored: kept, should a slow Ramp let the server end the job
TOLD_PER_RUN = 50  # booked objects looked up one by one because events named them: more are sooner listed


class RampFlowPull(models.AbstractModel):
    """Ramp -> Odoo: read pages into the ledger, book what is due in batches, confirm what is committed.

        for each page: rows -> COMMIT
        take its rows -> documents + rows -> COMMIT -> confirm to Ramp -> COMMIT

    A crash at any point, then another run, gives the same books: rows are unique, a document commits with its row,
    and a batch is confirmed under a key that was committed with its documents, so that asking twice is noticed.
    """

    _name = 'ramp.flow.pull'
    _inherit = 'ramp.flow'
    _description = 'Ramp Flow: from Ramp to Odoo'

    _endpoint = None  # path of the list; an object's own path is below it
    _sync_type = None  # of POST /accounting/syncs; None: Ramp does not want to hear of these
    _page_size = 100
    _batch_size = 100
    _synced_at = 'synced_at'  # key of when an object was exported
    _known_by = ('merchant_name',)  # keys under which a payload that cannot be read says what it is
    _quiet_extras = ()  # keys of `_extras` that are only kept: no page tells of their changes
    _reread_pause = timedelta(minutes=10)  # in which what is booked is not looked at as a whole again because of an event
    _vague_events = ()  # of `_events`: they name other objects than those of the flow
    _from_start_date = False  # whether its lists show objects from before the start date, too: they get no row
    _updates = False  # whether a booked document follows its object: a change is worked in, instead of held for a person

    # ------------------------------------------------------------------ what a flow says

    def _list_params(self, connection):
        """Query of the list: only what is ready to be synced."""
        return {}

    @api.model
    def _scope(self, connection):
        """What of a query leaves out the objects of other Ramp entities than the connection's."""
        return {'entity_id': connection.ramp_entity_id} if connection.ramp_entity_id else {}

    def _listings(self, connection):
        """Queries of the lists that together hold what is ready: where one does not do."""
        return [self._list_params(connection)]

    def _reread_listings(self, connection, since):
        """Queries of the lists in which objects that are booked show what Ramp changed since; none: nothing is looked at again.

        :param since: datetime of the last such look, or False
        """
        return []

    def _read(self, payload):
        """A payload as a value object; raises `PayloadError`."""
        raise NotImplementedError

    def _facts(self, value):
        """What of a value object matters for the books, as JSON: a change of it is a change of the object."""
        return dataclasses.asdict(value)

    def _row(self, connection, value):
        """Columns of the ledger's row for people: name, date, money (Money), parent_ramp_id."""
        raise NotImplementedError

    def _prepare(self, connection, client, ramp_ids):
        """Whatever has to be asked of Ramp before these objects are booked: during it there is no HTTP."""

    def _look_up(self, connection, values):
        """Find in Odoo, in a constant number of queries, all that these objects refer to; passed on to `_plan`."""
        return {}

    def _plan(self, connection, value, found):
        """Decide on one object without touching the database; raises `Held`, `Waiting`, `Skipped` or `Behind`."""
        raise NotImplementedError

    def _book(self, connection, plans):
        """Create the documents of the plans, in batch; returns the main documents, in the same order.

        None stands for an object of which nothing is in the books any more. Raises `Held` or `UserError`; the batch is then split.
        """
        raise NotImplementedError

    def _undo_asked(self, connection, record, reason):
        """`_undo` for a person, who is told at once what is in the way."""
        try:
            self._undo(connection, record, reason)
        except Held as held:
            raise UserError(self.env._('%(object)s cannot be undone. %(reason)s', object=record.display_name, reason=held)) from held

    def _undo(self, connection, record, reason):
        """Undo what was booked of an object, visibly; the row is opened by the caller. Raises `UserError` where that cannot be."""
        raise UserError(self.env._('%s cannot be undone from here: correct its document in Odoo.', record.display_name))

    def _extras(self, value):
        """What of an object may change after it was booked without touching the books (files, memo), as a dict; see `_notice`."""
        return {}

    def _notice(self, connection, record, before, value):
        """Show on a booked document what of `_extras` is new. `before`: the extras that it shows."""

    def _is_confirmable(self, value):
        """Whether Ramp would take the outcome of an object that is booked: some are booked before they are ready there."""
        return True

    def _sync_item(self, record):
        """What Ramp is told of one booked object."""
        return {'id': record.ramp_id, 'reference_id': self._reference(record)}

    def _reference(self, record):
        """Our id of the outcome, as Ramp stores it. Must not change: it is part of a confirmation's identity."""
        return f'{record.res_model},{record.res_id}'

    def _is_synced(self, payload):
        """Whether Ramp says of this object that its outcome was accepted."""
        return payload.get('sync_status') == 'SYNCED'

    def _is_ready(self, payload):
        """Whether Ramp says of this object that it may be booked."""
        return payload.get('sync_status') == 'SYNC_READY'

    # ------------------------------------------------------------------ a run

    def _work(self, connection, run):
        client = connection._client()
        self._hear_requests(connection, run)
        started = self._clock()
        trouble = None
        try:
            if not self._pull(connection, run, client, started):
                self._trigger()  # out of time: the job is called again, and goes on
                return
        except RampOutOfTime:
            raise
        except RampError as error:
            # What is in the ledger already does not have to wait for what could not be read.
            self.env.cr.rollback()
            trouble = error
            self._book_open(connection, run, client)
        if not trouble or not isinstance(trouble, RampConnectionError):
            self._confirm_open(connection, run, client)
        trouble = trouble or self.env.context.get('ramp_memory', {}).get('forbidden')
        if trouble:
            raise trouble

    def _finish(self, connection, run, message):
        result = super()._finish(connection, run, message)
        connection._note_untold(self.env.context.get('ramp_memory', {}).get('untold'))
        if run.listed and run.begun_at and self._is_asked_since(connection, run.begun_at):
            self._trigger()
        return result

    def _hear_requests(self, connection, run):
        """Somebody pressed *Sync* in Ramp and waits for the outcome: what failed is tried now, and a reason is told again.

        What is ready is booked in every run, asked for or not. Ramp takes a request without an outcome within five minutes for failed.
        """
        last = any(kind.endswith('.sync_requested') for kind in self._events) and run._last_listed(connection, self._flow)
        if not last:
            return
        asked = self._events_since(connection, last).filtered(lambda event: event.type.endswith('.sync_requested'))
        rows = self.env['ramp.record'].search([
            *self._named_by(connection, asked), ('state', 'in', ('error', 'held', 'ignored'))]) if asked else self.env['ramp.record']
        if rows:
            self._transaction(rows.write, {'next_attempt': False, 'reported_hash': False})

    def _is_asked_since(self, connection, moment):
        """Whether somebody, or an event, asked for the lists after a moment: what called the job went to a run that went on."""
        requested = connection.sync_requested_at
        return bool(requested and requested >= moment or self._events_since(connection, moment))

    def _events_since(self, connection, moment):
        """The events since a moment that wake the flow's job."""
        return self.env['ramp.event'].sudo().search_fetch(  # nobody's to read; the job works for the system
            [('connection_id', '=', connection.id), ('received_at', '>=', moment), ('type', 'in', self._events)], ['type', 'object_id'])

    def _named_by(self, connection, events):
        """Domain of the rows of the objects that events named."""
        return [('connection_id', '=', connection.id), ('flow', '=', self._flow),
                ('ramp_id', 'in', [object_id.lower() for object_id in events.mapped('object_id') if object_id])]

    def _clock(self):
        """The database's time, which all workers share; leaves no transaction open."""
        self.env.cr.execute("SELECT clock_timestamp() AT TIME ZONE 'UTC'")
        moment = self.env.cr.fetchone()[0]
        self.env.cr.rollback()
        return moment

    def _pull(self, connection, run, client, started):
        """Page after page: into the ledger, into the books, confirmed; from where the run before this one stopped.

        Returns False when the job's time is up.
        """
        place = run.taken_up or {}
        if not place.get('again'):
            if not self._read_lists(connection, run, client, self._listings(connection), place):
                return False
            self._settle(connection, run, client, self._refresh_lost(connection, client, run.begun_at or started))
            place = {}
        run.listed = self._reread(connection, run, client, place)
        return run.listed

    def _read_lists(self, connection, run, client, listings, place, again=False):
        """Store and settle the pages of lists, from a place on. Returns False when the job's time is up: the place is noted then.

        :param again: whether they show what is booked
        """
        try:
            for page, asked, after in self._pages_from(client, listings, place):
                ids = self._transaction(self._store_page, connection, run, page.rows, asked, again) if page.rows else []
                place = after
                self._settle(connection, run, client, ids)
                if self._is_time_up():
                    self._transaction(run._leave_off, {'again': again, **after})
                    return False
        except RampOutOfTime:
            self.env.cr.rollback()
            self._transaction(run._leave_off, {'again': again, **place})  # what was stored is booked and confirmed from the ledger
            raise
        return True

    def _pages_from(self, client, listings, place):
        """(page, moment before it was asked for, place after it) of the pages of lists, from a place on, {}: from the first."""
        first, url = place.get('listing', 0), place.get('url')
        for number, params in enumerate(listings[first:], first):
            for page, asked in self._pages(client, params, url):
                yield page, asked, {'listing': number, 'url': page.next_url} if page.next_url else {'listing': number + 1}
            url = None

    def _pages(self, client, params, start_url=None):
        """Each page of a list, with the moment before it was asked for: what is confirmed meanwhile must not count as listed again."""
        pages = client.list_pages(self._endpoint, {'page_size': self._page_size, **params}, start_url)
        while True:
            asked = self._clock()
            page = next(pages, None)
            if page is None:
                return
            yield page, asked

    def _reread(self, connection, run, client, place):
        """Look at what was booked before, for what changed in Ramp since. Returns False when the job's time is up.

        Ramp lists an object as ready once; later it tells of a change only who asks.

        :param place: where the run before stopped doing so, {}: it did not
        """
        since = run._last_reread(connection, self._flow)
        told = self._told(connection, run, since)
        if told is not None:
            self._look_at(connection, run, client, told)
            return True
        if not self._read_lists(connection, run, client, self._reread_listings(connection, since), place, again=True):
            return False
        run.reread = True
        return True

    def _told(self, connection, run, whole):
        """Ramp ids of the booked objects that events named since the last run, if no more need be looked at; None: look at everything.

        Everything is looked at by the clock, and when somebody asks for it: events make it sooner, and nothing depends on them.

        :param whole: when everything was looked at, datetime or False
        """
        requested = connection.sync_requested_at
        if not whole or whole <= self.env.cr.now() - self._reread_pause or requested and requested >= whole:
            return None
        last = run._last_listed(connection, self._flow) or whole
        events = self._events_since(connection, last)
        if set(events.mapped('type')) & set(self._vague_events):
            return None
        told = self.env['ramp.record'].search([*self._named_by(connection, events), ('res_id', '!=', False)], limit=TOLD_PER_RUN + 1)
        return told.mapped('ramp_id') if len(told) <= TOLD_PER_RUN else None

    def _look_at(self, connection, run, client, ramp_ids):
        """Ask for each of these objects, which are in the ledger and few, what Ramp says of it now."""
        if not ramp_ids:
            return
        asked = self._clock()
        payloads = [payload for _ramp_id, payload in self._ask_each(client, ramp_ids) if payload]
        self._settle(connection, run, client, self._transaction(self._store_page, connection, run, payloads, asked, True))

    def _store_page(self, connection, run, payloads, asked, known_only=False):
        """Put a page into the ledger; returns the Ramp ids of the objects that may be booked. `known_only`: nothing that has no row yet."""
        offered, exported = [], []
        for row, record in self._own_rows(connection, payloads):
            if record or not known_only:
                (exported if self._is_exported_elsewhere(connection, row, record) else offered).append((row, record))
        rows = [row for row, _record in offered]
        self._store_rows(connection, rows, asked)
        self._store_withheld(connection, exported, asked)
        ids = list(dict.fromkeys(row['ramp_id'] for row in rows))
        run.seen += 0 if known_only else len(ids)
        return ids

    def _own_rows(self, connection, payloads):
        """[(row, its record in the ledger, or an empty one)] of the payloads that are the connection's business, or booked here.

        What is not, by whichever list or single read it came, is not stored; what is in the ledger from before is left out of the books.
        """
        rows = [self._ledger_row(connection, payload) for payload in payloads]
        records = {record.ramp_id: record for record in self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', [row['ramp_id'] for row in rows])],
            ['ramp_id', 'res_id', 'state', 'sync_attempt', 'is_told', 'is_withheld'])}
        own = []
        for row in rows:
            record = records.get(row['ramp_id'], self.env['ramp.record'])
            reason = not record.res_id and self._no_business(connection, row)
            if not reason:
                own.append((row, record))
            elif record:
                record._leave_out(reason, counts=self._is_early(connection, row))
        return own

    def _no_business(self, connection, row):
        """Why an object is not the connection's business, as a sentence; None if it is. Such an object gets no row.

        Not every list can be limited to an entity, and no single read is.
        """
        payload = row['payload']
        entity = row.get('ramp_entity_id') or isinstance(payload, dict) and payload.get('entity_id')
        if isinstance(entity, str) and connection._is_other_entity(entity):
            return self._of_another_entity()
        # a statement names what is from before, too, and has to add up
        if self._from_start_date and self._is_early(connection, row) and not self.env.context.get('ramp_of_statement'):
            return self._too_early()
        return None

    def _of_another_entity(self):
        return self.env._('It belongs to another Ramp entity than this connection.')

    def _too_early(self):
        return self.env._('It is from before the start date of the connection.')

    def _is_exported_elsewhere(self, connection, row, record):
        """Whether Ramp says of an object that its outcome was accepted, and it was not this connection that told of one.

        Such an object is in the books of whoever exported it: nothing but a person's decision in Ramp makes it bookable here.

        :param record: its record in the ledger, or an empty one
        """
        return self._was_told_elsewhere(row['payload'], record)

    def _was_told_elsewhere(self, payload, record):
        return isinstance(payload, dict) and self._is_synced(payload) and not (record.res_id or record.sync_attempt or record.is_told)

    def _store_rows(self, connection, rows, asked):
        """Put rows into the ledger, with what else they tell (see `_stored`): together, or, where one stops the others, one by one."""
        if not rows:
            return
        try:
            with self.env.cr.savepoint():
                self.env['ramp.record']._upsert(connection, self._flow, rows, asked, updates=self._updates)
                self._stored(connection, rows, asked)
        except Exception as error:
            if not is_of_object(error, undone=True):
                raise
            if len(rows) > 1:
                _logger.info('Ramp flow %s: a page of %s is split: %s', self._flow, len(rows), type(error).__name__)
                for row in rows:
                    self._store_rows(connection, [row], asked)
                return
            _logger.exception('Ramp flow %s could not store %s', self._flow, rows[0]['ramp_id'])
            self._store_odd(connection, rows[0], asked, error)

    def _store_odd(self, connection, row, asked, error):
        """Keep a row of which something could not be stored: as it is, else as one that cannot be read."""
        for part in (row, self._unreadable_row(row['payload'])):
            try:
                with self.env.cr.savepoint():
                    self.env['ramp.record']._upsert(connection, self._flow, [part], asked, updates=self._updates)
                    record = self.env['ramp.record'].search([
                        ('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', '=', part['ramp_id'])])
                    if record.state in OPEN_STATES:
                        record._fail(self._failed_alone(error))
                return
            except Exception as further:
                if not is_of_object(further, undone=True):
                    raise
                _logger.info('Ramp flow %s: %s is not even kept as it is: %s', self._flow, part['ramp_id'], type(further).__name__)

    def _failed_alone(self, error):
        """The sentence for an object that failed in a way nobody thought of."""
        return self.env._('It could not be booked (%s). The server log has the details.', type(error).__name__)

    def _stored(self, connection, rows, asked):
        """What else a page tells: a constant number of queries. Here: what became new of booked objects (see `_extras`)."""
        values = {row['ramp_id']: row['value'] for row in rows if 'value' in row}
        extras = {ramp_id: _jsonable(self._extras(value)) for ramp_id, value in values.items()}
        if not any(extras.values()):
            return
        noted = {}
        for record in self.env['ramp.record'].search_fetch(
                [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', list(extras)),
                 ('res_id', '!=', False)],
                ['ramp_id', 'res_model', 'res_id', 'noted']):
            before = record.noted or {}
            if before.get('extras') != extras[record.ramp_id]:
                if self._is_news(before.get('extras'), extras[record.ramp_id]) and not self._notice_alone(
                        connection, record, before['extras'], values[record.ramp_id]):
                    continue
                noted[record.id] = {**before, 'extras': extras[record.ramp_id]}
        self.env['ramp.record']._note(noted)

    def _is_news(self, before, now):
        """Whether something of `_extras` that a document's page tells is not as it was; before: None where that is not known."""
        return before is not None and any(
            before.get(key) != now.get(key) for key in {*before, *now} if key not in self._quiet_extras)

    def _notice_alone(self, connection, record, before, value):
        """See `_notice`. Returns whether it could be done; else it is tried with the next run, and what else the page tells is stored."""
        try:
            with self.env.cr.savepoint():
                self._notice(connection, record, before, value)
        except Exception as error:
            if not is_of_object(error, undone=True):
                raise
            _logger.exception('Ramp flow %s could not show what changed of %s', self._flow, record.ramp_id)
            return False
        return True

    def _scrub(self, payload):
        """A payload, however broken, as it may be stored and shown: without links that are secrets."""
        return payload

    def _ledger_row(self, connection, payload):
        """The row of a payload, however broken: what cannot be read is kept, and explained when it is looked at."""
        try:
            payload = storable(self._scrub(payload))
        except Exception as error:
            if not is_of_object(error):
                raise
            payload = _trunk(payload)  # what is left may have links that are secrets
        try:
            value = self._read(payload)
            row = self._row(connection, value)
            money = row.pop('money', None)
            if money is not None:
                currency = self.env['ramp.coding']._currency(money.currency)
                row.update(amount=money.decimal, currency_id=currency.id)
            return {'ramp_id': value.id, 'payload': payload, 'payload_hash': digest(_jsonable(self._facts(value))),
                    'ready': bool(self._sync_type) and self._is_ready(payload), 'value': value, **row}
        except Exception as error:
            if not is_of_object(error):
                raise
            return self._unreadable_row(payload)

    def _unreadable_row(self, payload):
        """The row of a payload that cannot be read, or not even be stored as it is."""
        try:
            found = digest(payload)
        except Exception as error:  # nested too deep, for one
            if not is_of_object(error):
                raise
            payload = _trunk(payload)
            found = digest(payload)
        identity = payload.get('id') if isinstance(payload, dict) else None
        if not _is_uuid(identity):
            identity = f'malformed-{found[:32]}'
        return {'ramp_id': identity.lower(), 'payload': payload, 'payload_hash': found, 'name': self._name_of_unreadable(payload)}

    def _name_of_unreadable(self, payload):
        """What a person may know a payload by that cannot be read as a whole."""
        for key in self._known_by:
            name = payload.get(key) if isinstance(payload, dict) else None
            if name and isinstance(name, str):
                return self.env._('Unreadable: %s', ' '.join(name.split())[:100])
        return self.env._('Unreadable')

    def _refresh_lost(self, connection, client, started):
        """Ask for open rows that Ramp did not list: no longer ready, exported by somebody else, or gone.

        Returns the Ramp ids of those that are ready all the same (they became so while the pages were read).
        """
        lost = {record.ramp_id: record.id for record in self.env['ramp.record']._lost(connection, self._flow, started, LOST_PER_RUN)}
        ready = []
        for asked, answers in self._ask_in_parts(client, lost):
            ready += self._transaction(self._store_lost, connection, {
                lost[ramp_id]: (asked, payload) for ramp_id, payload in answers.items()})
        return ready

    def _ask_in_parts(self, client, ramp_ids):
        """(moment before they were asked for, {Ramp id: payload, None where Ramp has none}) of some at once, until the job's time is up.

        What is answered is to be stored before the next are asked for.
        """
        for part in split_every(AT_ONCE, ramp_ids):
            asked = self._clock()
            answers = {ramp_id: None for ramp_id in part if not _is_uuid(ramp_id)}  # nobody can ask for what could not even be read
            answers.update(self._ask_each(client, [ramp_id for ramp_id in part if ramp_id not in answers]))
            yield asked, answers
            if self._is_time_up():
                break

    def _skip_unlisted(self, records):
        """Leave out what a list of everything does not show, where that says that it is gone."""
        for record in records.try_lock_for_update():
            record._skip(self.env._('Ramp does not list it any more.'))

    def _store_lost(self, connection, answers):
        """Store what was answered; returns the Ramp ids of what may be booked.

        :param answers: {id of the ledger's row: (moment before it was asked for, payload, None: Ramp does not have it)}
        """
        ready = []
        for record in self.env['ramp.record'].browse(answers).try_lock_for_update():
            asked, payload = answers[record.id]
            if payload is None:
                record._skip(self.env._('Ramp no longer has it.'))
                continue
            for row, _record in self._own_rows(connection, [payload]):
                if self._is_exported_elsewhere(connection, row, record):
                    self._store_withheld(connection, [(row, record)], asked)
                elif self._is_synced(payload):
                    ready.append(record.ramp_id)  # its document was deleted here after it was confirmed, and somebody pressed Retry
                elif self._is_ready(payload):
                    record._upsert(connection, self._flow, [row], asked)
                    ready.append(row['ramp_id'])
                else:
                    self._store_withheld(connection, [(row, record)], asked)
        return ready

    def _watch_listings(self, connection, since):
        """Queries of the lists of all objects since a moment, whatever Ramp offers of them; none: nothing but what it offers counts.

        :param since: as Ramp's filters want it
        """
        return []

    def _observe(self, connection, client, listings, place=None):
        """Read lists whatever Ramp offers of them: what is not booked counts, too, in what Ramp says is owed. Commits.

        :param place: where to go on, {}: at the start. Without it the job's time does not matter.
        :return: where it stopped, as the time was up; None: nowhere
        """
        reached = place or {}
        try:
            for page, asked, after in self._pages_from(client, listings, reached):
                self._transaction(self._store_observed, connection, page.rows, asked)
                reached = after
                if place is not None and self._is_time_up():
                    return after
        except RampOutOfTime as error:
            error.place = reached
            raise
        return None

    def _store_observed(self, connection, payloads, asked):
        """Put a page into the ledger of which Ramp offers some, and others not (yet)."""
        offered, withheld = [], []
        for row, record in self._own_rows(connection, payloads):
            is_offered = 'value' in row and self._is_ready(row['payload']) and not self._is_early(connection, row)
            (offered if is_offered else withheld).append((row, record))
        if offered:
            self._store_rows(connection, [row for row, _record in offered], asked)
        self._store_withheld(connection, [
            (row, record) for row, record in withheld
            if record or self._counts(row)
            or self._is_exported_elsewhere(connection, row, record) and not self._is_early(connection, row)], asked)
        self.env['ramp.record']._see(connection, self._flow, [row['ramp_id'] for row, _record in offered + withheld], asked)

    def _look_for_vanished(self, connection, client, since, begun):
        """Ask for what counts in what Ramp says is owed, and was on none of its lists. Commits; the rest is another night's work.

        :param since: from which moment on everything was listed, as Ramp's filters want it
        :param begun: when the first of the lists was asked for
        """
        unseen = {record.ramp_id: record.id for record in self.env['ramp.record']._unseen(
            connection, self._flow, max(since[:10], str(connection.start_date)), begun, LOST_PER_RUN)}
        for asked, answers in self._ask_in_parts(client, unseen):
            self._transaction(self._store_unseen, connection, {unseen[ramp_id]: payload for ramp_id, payload in answers.items()}, asked)

    def _store_unseen(self, connection, answers, asked):
        """:param answers: {id of the ledger's row: payload, None: Ramp does not have it any more}"""
        gone = self.env['ramp.record'].browse(identity for identity, payload in answers.items() if payload is None)
        self._store_observed(connection, [payload for payload in answers.values() if payload is not None], asked)
        gone.try_lock_for_update()._vanish(asked)

    def _counts(self, row):
        """Whether an object that Ramp does not offer is worth a row: it counts in what Ramp says is owed."""
        return row.get('has_moved') or row.get('open_amount')

    def _is_early(self, connection, row):
        """Whether an object is from before the connection's start date: it is left alone."""
        return bool(row.get('date')) and row['date'] < connection.start_date

    def _store_withheld(self, connection, rows, asked):
        """Objects that Ramp shows, but does not offer (any more): what is not booked waits, or was exported by somebody else.

        What is booked is looked at for what changed in Ramp since. Returns nothing.

        :param rows: as of `_own_rows`
        """
        booked = [row for row, record in rows if record.res_id]
        if booked:
            self._store_rows(connection, booked, asked)
        self.env['ramp.record']._upsert_withheld(connection, self._flow, [
            {**row, **self._withheld_alone(connection, row, record)} for row, record in rows if not record.res_id], asked)

    def _withheld_alone(self, connection, row, record):
        """See `_withheld`; of one that is too odd for that, that it is."""
        try:
            return self._withheld(connection, row, record)
        except Exception as error:
            if not is_of_object(error):
                raise
            return {'state': 'held', 'error_message': self.env._(
                'Ramp sent something that cannot be read (%s). Ask Ramp about it, or ignore it.', type(error).__name__)}

    def _withheld(self, connection, row, record):
        """State and reason (`error_message`) of an object that Ramp does not offer. record: its record in the ledger, or an empty one."""
        if self._is_early(connection, row):
            return {'state': 'ignored', 'error_message': self._too_early()}
        reason = self._is_over(connection, row)
        if reason:
            return {'state': 'ignored', 'error_message': reason}
        if isinstance(row['payload'], dict) and self._is_synced(row['payload']):
            if self._was_exported_before(connection, row, record):
                return {'state': 'ignored', 'error_message': self.env._('It was exported from Ramp before this connection was there.')}
            return {'state': 'held', 'error_message': self.env._(
                'It was exported from Ramp without this connection, so it is not booked here. If it is in the books, ignore it; if not, '
                'mark it as not synced in Ramp (its sync history), and it comes.')}
        return {'state': 'pending', 'error_message': self.env._('It is not marked as ready in Ramp; it comes when it is.')}

    def _is_over(self, connection, row):
        """Why nothing will ever be booked of an object, as a sentence (it was declined, canceled, archived); None: something may be."""
        try:
            if 'value' in row:
                self._check_state(connection, row['value'])
        except Skipped as reason:
            return str(reason)
        except (Held, Waiting):
            return None
        return None

    def _check_state(self, connection, value):
        """Raise `Skipped`, `Waiting` or `Held` where the state of an object says already that it is not booked (now)."""

    def _was_exported_before(self, connection, row, record):
        """Whether an object that another system exported was exported before this connection was there.

        Where Ramp does not say when that was: what is exported at the connection's first look at all of the flow was before; so it stays.
        """
        with contextlib.suppress(ValueError):  # it does not say, or says it in no form that is known
            # Ramp tells the second: what was exported in that of the connection's creation is a question
            return parse_utc(row['payload'].get(self._synced_at)).replace(tzinfo=None) < connection.create_date.replace(microsecond=0)
        was_before = record.state == 'ignored' and record.is_withheld and isinstance(record.payload, dict) and (
            self._is_synced(record.payload))
        return was_before or not record and self._flow not in (connection.looked_at or ())

    def _settle(self, connection, run, client, ramp_ids):
        """Book, confirm and report what is due among these objects."""
        if not ramp_ids:
            return
        self._check_seat(connection, client)
        self._prepare(connection, client, ramp_ids)
        for start in range(0, len(ramp_ids), self._batch_size):
            ids, key = self._book_due(connection, run, ramp_ids[start:start + self._batch_size])
            if key:
                self._with_ramp(self._confirm_batch, connection, run, client, key)
            if ids:
                self._report_failures(connection, client, ids)
                self.env['ramp.record']._refresh_statistics()
            self.env['ir.cron']._commit_progress(len(ids))

    def _book_open(self, connection, run, client):
        """Book all that is due, listed by Ramp or not; when the job's time is up it is called again."""
        after = 0
        while True:
            ids, _key = self._book_due(connection, run, None, after)
            if not ids:
                break
            self.env['ramp.record']._refresh_statistics()
            if not self.env['ir.cron']._commit_progress(len(ids)):
                self._trigger()
                break
            after = ids[-1]

    # ------------------------------------------------------------------ booking

    def _book_due(self, connection, run, ramp_ids=None, after=0):
        """`_book_batch` as one transaction."""
        with self._booking_lock(connection):
            return self._transaction(self._book_batch, connection, run, ramp_ids, after)

    def _booking_lock(self, connection):
        """A context manager around each transaction that books: where another flow's booking must not be under way at the same moment."""
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def _one_at_a_time(self, name, shared=False):
        """Let one process at a time do what is in the block; the others wait.

        A lock of the session, taken before the transaction begins: what another process committed meanwhile is then seen.

        :param name: str, the same for all that must not run together
        :param shared: whether those that share it may run together, only not with one that does not
        """
        lock = SQL('(hashtextextended(%s, 0))', f'ramp_connector {name}')
        take, leave = SQL('pg_advisory_lock'), SQL('pg_advisory_unlock')
        if shared:
            take, leave = SQL('pg_advisory_lock_shared'), SQL('pg_advisory_unlock_shared')
        self._lock_session(SQL('SELECT %s%s', take, lock))
        self.env.cr.rollback()
        try:
            yield
        finally:
            if not self.env.cr.closed:
                self.env.cr.rollback()  # whatever failed is not to be kept, and a failed transaction takes no command
                self.env.cr.execute(SQL('SELECT %s%s', leave, lock))
                self.env.cr.rollback()

    def _lock_session(self, query):
        """Take a lock of the session by a query. Raises RampOutOfTime when another process has it until this run's time is up."""
        left = self._deadline() - time.monotonic()
        if left <= 0:
            raise RampOutOfTime()
        try:
            if left < math.inf:
                self.env.cr.execute("SELECT set_config('lock_timeout', %s, true)", [f'{math.ceil(left * 1000)}ms'])
            self.env.cr.execute(query, log_exceptions=False)
        except psycopg2.errors.LockNotAvailable:
            self.env.cr.rollback()
            raise RampOutOfTime() from None

    def _book_batch(self, connection, run, ramp_ids=None, after=0):
        """Take rows that are due and book them: together, or one by one if they do not go together.

        Returns the ids of the rows taken, and the key under which the booked ones are to be confirmed (or None).
        """
        taken, siblings = self._take_due(connection, ramp_ids, after)
        records = taken + siblings
        if not records:
            return [], None
        plans, values, behind = self._plan_batch(connection, records)
        booked = self._book_savepoint(connection, plans)
        if booked is None:
            booked = {}
            for record, plan in plans.items():
                booked.update(self._book_savepoint(connection, {record: plan}, alone=True))
        if behind:
            self._plan_batch(connection, behind)  # now with a reason that names what was booked; if there is none, in the next batch
        for record in [record for record, document in booked.items() if document is None]:
            record._unbook(self.env._('What was booked of it was undone, as Ramp says; nothing of it is in the books now.'))
            del booked[record]
        key = None
        # None: whoever exported it has told of it
        ready_of = {record: None if self._was_told_elsewhere(record.payload, record) else self._is_confirmable(values[record])
                    for record in booked}
        for ready in (True, False, None):
            done = records.browse(record.id for record in booked if ready_of[record] is ready)
            if done:
                if ready and self._sync_type:
                    key = self._new_sync_key(done)
                done._booked([booked[record] for record in done], key if ready else None, bool(self._sync_type) and ready is not None,
                             self._updates and bool(ready))
        extras = {record: _jsonable(self._extras(values[record])) for record in booked}
        self.env['ramp.record']._note({
            record.id: {**(record.noted or {}), 'extras': extra} for record, extra in extras.items() if extra})
        states = records.mapped('state')
        run.write({
            'processed': run.processed + len(records), 'created': run.created + len(booked),
            'held': run.held + states.count('held'), 'failed': run.failed + states.count('error'),
        })
        return taken.ids, key

    def _take_due(self, connection, ramp_ids, after):
        """Rows for the next batch, locked: those that are due, and what has to be booked together with them."""
        Record = self.env['ramp.record']
        return Record._take(connection, self._flow, self._batch_size, ramp_ids, after, updates=self._updates), Record

    def _plan_batch(self, connection, records):
        """Map each bookable record to its plan, and each readable one to its value; the others get their state and reason.

        Returns these two, and the records that have to wait for another one of the batch.
        """
        values, behind = {}, self.env['ramp.record']
        for record in records:
            try:
                values[record] = self._read(record.payload)
                self._row(connection, values[record])
                self._facts(values[record])
            except Exception as error:
                if not is_of_object(error):
                    raise
                values.pop(record, None)
                record._hold(self.env._('Ramp sent something that cannot be booked. %s', error))
        found = self._look_up_each(connection, values)
        plans = {}
        for record in found:
            try:
                plans[record] = self._plan(connection, values[record], found[record])
            except Behind:
                behind += record
            except Held as reason:
                record._hold(str(reason), reason.move)
            except Waiting as reason:
                record._wait(str(reason))
            except Skipped as reason:
                record._skip(str(reason))
            except Exception as error:
                if not is_of_object(error):
                    raise
                _logger.exception('Ramp flow %s could not decide on %s', self._flow, record.ramp_id)
                record._fail(self._failed_alone(error))
        return plans, values, behind

    def _look_up_each(self, connection, values):
        """{record: what its value refers to}: looked up together, or, where one stops the others, each by itself. Without those."""
        try:
            with self.env.cr.savepoint():
                return dict.fromkeys(values, self._look_up(connection, list(values.values())) if values else {})
        except Exception as error:
            if not is_of_object(error, undone=True):
                raise
            _logger.info('Ramp flow %s: a batch of %s is looked up one by one: %s', self._flow, len(values), type(error).__name__)
        found = {}
        for record, value in values.items():
            try:
                with self.env.cr.savepoint():
                    found[record] = self._look_up(connection, [value])
            except Exception as error:
                if not is_of_object(error, undone=True):
                    raise
                _logger.exception('Ramp flow %s could not look up what %s refers to', self._flow, record.ramp_id)
                record._fail(self._failed_alone(error))
        return found

    def _book_savepoint(self, connection, plans, alone=False):
        """Documents by record; None when the batch has to be split; an object that fails alone gets the reason."""
        if not plans:
            return {}
        try:
            with self.env.cr.savepoint():
                documents = self._book(connection, list(plans.values()))
        except Exception as error:
            if not is_of_object(error, undone=True):
                raise
            if not alone:
                _logger.info('Ramp flow %s: a batch of %s is split: %s', self._flow, len(plans), type(error).__name__)
                return None
            (record,) = plans
            if isinstance(error, Held):
                record._hold(str(error), error.move)
            elif isinstance(error, UserError):
                record._fail(self.env._('Odoo refused to book it: %s', error))
            else:
                _logger.exception('Ramp flow %s could not book %s', self._flow, record.ramp_id)
                record._fail(self._failed_alone(error))
            return {}
        return dict(zip(plans, documents, strict=True))

    # ------------------------------------------------------------------ confirming

    def _new_sync_key(self, records):
        """Idempotency key of a confirmation: derived from the objects and the attempt, never from chance or time."""
        content = canonical([self._sync_type, sorted((record.ramp_id, record.sync_attempt) for record in records)])
        return _key_of(content)

    def _confirm_open(self, connection, run, client):
        """Confirm what former runs booked, and tell the reasons that Ramp has not heard."""
        tried = []
        while self._sync_type:
            key = self._transaction(self.env['ramp.record']._next_unconfirmed, connection, self._flow, tried)
            if not key:
                break
            tried.append(key)
            if not self._with_ramp(self._confirm_batch, connection, run, client, key):
                return
        self._report_failures(connection, client)

    def _with_ramp(self, work, *args):
        """A transaction that talks to Ramp. Returns False when Ramp does not take it: the next run goes on from there."""
        try:
            self._transaction(work, *args)
        except RampError as error:
            self.env.cr.rollback()
            _logger.info('Ramp flow %s: not confirmed now (%s)', self._flow, error)
            memory = self.env.context.get('ramp_memory', {})
            if work == self._confirm_batch and not isinstance(error, RampOutOfTime):
                memory['untold'] = str(error)
            if isinstance(error, (RampAuthError, RampScopeError)):
                memory['forbidden'] = error  # a person has to allow it: what can be booked is, and then the run says so
            return False
        return True

    def _confirm_batch(self, connection, run, client, key):
        """Tell Ramp the outcome of a batch that is committed, and note that it was accepted."""
        Record = self.env['ramp.record']
        records = Record._take_batch(connection, self._flow, key)
        if not records:
            return  # another worker has it
        try:
            syncs = [self._sync_item(record) for record in records]
        except Exception as error:
            if not is_of_object(error):
                raise
            if len(records) == 1:
                _logger.exception('Ramp flow %s could not say what Ramp is to be told of %s', self._flow, records.ramp_id)
                records._fail(self.env._(
                    'It is booked, but Odoo could not make the confirmation for Ramp (%s). The server log has the details.',
                    type(error).__name__))
                return
            self._confirm_each(connection, run, client, records)
            return
        try:
            client.post('/accounting/syncs', {
                'idempotency_key': key, 'sync_type': self._sync_type, 'successful_syncs': syncs,
            }, idempotent=True)
        except RampIdempotencyReused:
            # A crash between Ramp's answer and our commit, or a key burnt by a request that failed: ask Ramp which.
            self._confirm_by_asking(run, client, records)
            return
        except (RampValidationError, RampNotFound) as error:
            if isinstance(error, RampNotFound) and not error.code:
                raise  # the page of a proxy, not Ramp's word about these objects
            if len(records) == 1:
                self._confirm_by_asking(run, client, records, error)
                return
            self._confirm_each(connection, run, client, records)
            return
        records._confirm()
        run.confirmed += len(records)

    def _confirm_each(self, connection, run, client, records):
        """One object spoils the batch: each gets a key of its own, so that only that one stays behind."""
        for record in records:
            record.sync_attempt += 1
            record.sync_key = self._new_sync_key(record)
        keys = records.mapped('sync_key')
        self.env['ir.cron']._commit_progress()
        for single in keys:
            self._transaction(self._confirm_batch, connection, run, client, single)

    def _confirm_by_asking(self, run, client, records, refusal=None):
        """Compare with what Ramp says of each object; what it does not have as synced is sent again under a new key."""
        again = records.browse()
        for record in records:
            try:
                payload = client.get(f'{self._endpoint}/{record.ramp_id}')
                synced = isinstance(payload, dict) and self._is_synced(payload)
            except RampNotFound as error:
                synced, refusal = False, refusal or error
            if synced:
                record._confirm()
                run.confirmed += 1
            else:
                again += record
        for record in again:
            record.sync_attempt += 1
        if again:
            again.sync_key = self._new_sync_key(again)
        for record in again:
            if not refusal and record.attempts < BURNT_KEYS:
                record.attempts += 1
                continue
            record._fail(self.env._('It is booked, but Ramp refused the confirmation: %s', refusal) if refusal else self.env._(
                'It is booked, but Ramp neither accepts the confirmation nor shows it as synced.'))
            self.env.context.get('ramp_memory', {})['untold'] = record.error_message

    def _report_failures(self, connection, client, ids=None):
        """Tell Ramp why objects are held, in the words of the error inbox, once for each reason."""
        if not self._sync_type:
            return
        for _batch in range(REPORTS_PER_RUN):
            unreported = self.env['ramp.record']._unreported(connection, self._flow, ids, self._batch_size)
            if any(unreported.mapped('reported_hash')):
                self._transaction(self._doubt_reports, unreported)
            if not unreported or not self._with_ramp(self._report_batch, client, unreported):
                break

    def _doubt_reports(self, records):
        """Another reason than the one that Ramp shows is told. Should nobody hear what came of that, the former one is told again, too."""
        records.reported_hash = False

    def _report_batch(self, client, records):
        """One call for all; where Ramp refuses it, one for each, and what it does not want to hear is only logged."""
        # Another worker that reports the same at this moment sends the same key, and Ramp refuses the second.
        failures = [{'id': record.ramp_id, 'error': {'message': record.error_message}} for record in records]
        content = canonical([self._sync_type, failures, [(record.sync_attempt, record.reports) for record in records]])
        try:
            client.post('/accounting/syncs', {
                'idempotency_key': _key_of(content), 'sync_type': self._sync_type, 'failed_syncs': failures,
            }, idempotent=True)
        except RampIdempotencyReused:
            _logger.debug('Ramp was told these reasons before; the crash came before that could be noted')
        except (RampValidationError, RampNotFound) as error:
            if isinstance(error, RampNotFound) and not error.code:
                raise  # the page of a proxy, not Ramp's word about these objects
            if len(records) > 1:
                for record in records:
                    self._report_batch(client, record)
                return
            _logger.info('Ramp did not take the reason for %s: %s', records.ramp_id, error)
        records._reported()


def _key_of(content):
    """An idempotency key (uuid) of a text: equal contents have equal keys, in whichever process."""
    return str(uuid.UUID(hashlib.sha256(content.encode('utf-8', 'surrogatepass')).hexdigest()[:32]))


def _is_uuid(text):
    try:
        return isinstance(text, str) and len(text) == 36 and bool(uuid.UUID(text))
    except ValueError:
        return False


def _trunk(payload):
    """What is kept of an object that is too odd to be kept: which one it is."""
    identity = payload.get('id') if isinstance(payload, dict) else None
    return {'id': storable(identity)[:MAX_ID]} if isinstance(identity, str) else {}


def _jsonable(value):
    """Value objects' dictionaries hold dates and tuples; their text is enough to notice a change."""
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)
