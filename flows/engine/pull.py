# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import timedelta

from odoo import api, models
from odoo.tools import split_every

from ...ramp_api import RampConnectionError, RampError, RampOutOfTime
from .payloads import is_uuid

LOST_PER_RUN = 200  # rows looked up one by one because Ramp stopped listing them
# objects asked for one by one before what was answered is stored: kept, should a slow Ramp let the server end the job
AT_ONCE = 20
TOLD_PER_RUN = 50  # booked objects looked up one by one because events named them: more are sooner listed


class RampFlowPull(models.AbstractModel):
    """Ramp -> Odoo: read pages into the ledger, book what is due in batches, confirm what is committed.

        for each page: rows -> COMMIT
        take its rows -> documents + rows -> COMMIT -> confirm to Ramp -> COMMIT

    A crash at any point, then another run, gives the same books: rows are unique, a document commits with its row,
    and a batch is confirmed under a key that was committed with its documents, so that asking twice is noticed.

    This file is the run, and the reading of lists. The other phases have files of their own: store, withhold, book,
    confirm.
    """

    _name = 'ramp.flow.pull'
    _inherit = ['ramp.flow.store', 'ramp.flow.withhold', 'ramp.flow.book', 'ramp.flow.confirm', 'ramp.flow']
    _description = 'Ramp Flow: from Ramp to Odoo'

    _page_size = 100
    # in which what is booked is not looked at as a whole again because of an event
    _reread_pause = timedelta(minutes=10)
    _vague_events = ()  # of `_events`: they name other objects than those of the flow

    # ------------------------------------------------------------------ what a flow says

    def _get_list_params(self, connection):
        """Query of the list: only what is ready to be synced."""
        return {}

    @api.model
    def _get_entity_scope(self, connection):
        """What of a query leaves out the objects of other Ramp entities than the connection's."""
        return {'entity_id': connection.ramp_entity_id} if connection.ramp_entity_id else {}

    def _get_ready_listings(self, connection):
        """Queries of the lists that together hold what is ready: where one does not do."""
        return [self._get_list_params(connection)]

    def _get_changed_listings(self, connection, since):
        """Queries of the lists in which objects that are booked show what Ramp changed since; none: nothing is looked
        at again.

        :param since: datetime of the last such look, or False
        """
        return []

    # ------------------------------------------------------------------ a run

    def _run_connection_work(self, connection, run):
        client = connection._run_client()
        self._reopen_on_sync_request(connection, run)
        started = self._get_database_time()
        trouble = None
        try:
            if not self._pull_from_ramp(connection, run, client, started):
                self._trigger()  # out of time: the job is called again, and goes on
                return
        except RampOutOfTime:
            raise
        except RampError as error:
            # What is in the ledger already does not have to wait for what could not be read.
            self.env.cr.rollback()
            trouble = error
            self._book_all_due(connection, run, client)
        if not trouble or not isinstance(trouble, RampConnectionError):
            self._confirm_earlier_batches(connection, run, client)
        trouble = trouble or self.env.context.get('ramp_memory', {}).get('forbidden')
        if trouble:
            raise trouble

    def _finish_sync_run(self, connection, run, message):
        result = super()._finish_sync_run(connection, run, message)
        if run.listed and run.begun_at and self._is_asked_since(connection, run.begun_at):
            self._trigger()
        return result

    def _reopen_on_sync_request(self, connection, run):
        """Somebody pressed *Sync* in Ramp and waits for the outcome: what failed is tried now, and a reason is told
        again.

        What is ready is booked in every run, asked for or not. Ramp takes a request without an outcome within five
        minutes for failed.
        """
        last = any(kind.endswith('.sync_requested') for kind in self._events) and run._last_listed_at(
            connection, self._flow
        )
        if not last:
            return
        asked = self._find_events_since(connection, last).filtered(lambda event: event.type.endswith('.sync_requested'))
        rows = (
            self.env['ramp.record'].search(
                [*self._rows_of_events_domain(connection, asked), ('state', 'in', ('error', 'held', 'ignored'))]
            )
            if asked
            else self.env['ramp.record']
        )
        if rows:
            self._transaction(rows.write, {'next_attempt': False, 'reported_hash': False})

    def _is_asked_since(self, connection, moment):
        """Whether somebody, or an event, asked for the lists after a moment: what called the job went to a run that
        went on.
        """
        requested = connection.sync_requested_at
        return bool(requested and requested >= moment or self._find_events_since(connection, moment))

    def _find_events_since(self, connection, moment):
        """The events since a moment that wake the flow's job."""
        return (
            self.env['ramp.event']
            .sudo()
            .search_fetch(  # nobody's to read; the job works for the system
                [('connection_id', '=', connection.id), ('received_at', '>=', moment), ('type', 'in', self._events)],
                ['type', 'object_id'],
            )
        )

    def _rows_of_events_domain(self, connection, events):
        """Domain of the rows of the objects that events named."""
        return [
            ('connection_id', '=', connection.id),
            ('flow', '=', self._flow),
            ('ramp_id', 'in', [object_id.lower() for object_id in events.mapped('object_id') if object_id]),
        ]

    def _pull_from_ramp(self, connection, run, client, started):
        """Page after page: into the ledger, into the books, confirmed; from where the run before this one stopped.

        Returns False when the job's time is up.
        """
        place = run.taken_up or {}
        if not place.get('again'):
            if not self._read_listed_pages(connection, run, client, self._get_ready_listings(connection), place):
                return False
            self._book_and_confirm(
                connection, run, client, self._refresh_unlisted_rows(connection, client, run.begun_at or started)
            )
            place = {}
        run.listed = self._refresh_booked_objects(connection, run, client, place)
        return run.listed

    # ------------------------------------------------------------------ reading lists

    def _get_database_time(self):
        """The database's time, which all workers share; leaves no transaction open."""
        self.env.cr.execute("SELECT clock_timestamp() AT TIME ZONE 'UTC'")
        moment = self.env.cr.fetchone()[0]
        self.env.cr.rollback()
        return moment

    def _read_listed_pages(self, connection, run, client, listings, place, again=False):
        """Store and settle the pages of lists, from a place on. Returns False when the job's time is up: the place is
        noted then.

        :param again: whether they show what is booked
        """
        try:
            for page, asked, after in self._iterate_pages_from(client, listings, place):
                ids = (
                    self._transaction(self._store_listed_page, connection, run, page.rows, asked, again)
                    if page.rows
                    else []
                )
                place = after
                self._book_and_confirm(connection, run, client, ids)
                if self._is_job_time_up():
                    self._transaction(run._leave_off, {'again': again, **after})
                    return False
        except RampOutOfTime:
            self.env.cr.rollback()
            self._transaction(
                run._leave_off, {'again': again, **place}
            )  # what was stored is booked and confirmed from the ledger
            raise
        return True

    def _iterate_pages_from(self, client, listings, place):
        """(page, moment before it was asked for, place after it) of the pages of lists, from a place on, {}: from the
        first.
        """
        first, url = place.get('listing', 0), place.get('url')
        for number, params in enumerate(listings[first:], first):
            for page, asked in self._iterate_list_pages(client, params, url):
                yield (
                    page,
                    asked,
                    {'listing': number, 'url': page.next_url} if page.next_url else {'listing': number + 1},
                )
            url = None

    def _iterate_list_pages(self, client, params, start_url=None):
        """Each page of a list, with the moment before it was asked for: what is confirmed meanwhile must not count as
        listed again.
        """
        pages = client.list_pages(self._endpoint, {'page_size': self._page_size, **params}, start_url)
        while True:
            asked = self._get_database_time()
            page = next(pages, None)
            if page is None:
                return
            yield page, asked

    def _refresh_booked_objects(self, connection, run, client, place):
        """Look at what was booked before, for what changed in Ramp since. Returns False when the job's time is up.

        Ramp lists an object as ready once; later it tells of a change only who asks.

        :param place: where the run before stopped doing so, {}: it did not
        """
        since = run._last_reread_at(connection, self._flow)
        told = self._changed_by_events(connection, run, since)
        if told is not None:
            self._refresh_named_objects(connection, run, client, told)
            return True
        if not self._read_listed_pages(
            connection, run, client, self._get_changed_listings(connection, since), place, again=True
        ):
            return False
        run.reread = True
        return True

    def _changed_by_events(self, connection, run, whole):
        """Ramp ids of the booked objects that events named since the last run, if no more need be looked at; None: look
        at everything.

        Everything is looked at by the clock, and when somebody asks for it: events make it sooner, and nothing depends
        on them.

        :param whole: when everything was looked at, datetime or False
        """
        requested = connection.sync_requested_at
        if not whole or whole <= self.env.cr.now() - self._reread_pause or requested and requested >= whole:
            return None
        last = run._last_listed_at(connection, self._flow) or whole
        events = self._find_events_since(connection, last)
        if set(events.mapped('type')) & set(self._vague_events):
            return None
        told = self.env['ramp.record'].search(
            [*self._rows_of_events_domain(connection, events), ('res_id', '!=', False)], limit=TOLD_PER_RUN + 1
        )
        return told.mapped('ramp_id') if len(told) <= TOLD_PER_RUN else None

    def _refresh_named_objects(self, connection, run, client, ramp_ids):
        """Ask for each of these objects, which are in the ledger and few, what Ramp says of it now."""
        if not ramp_ids:
            return
        asked = self._get_database_time()
        payloads = [payload for _ramp_id, payload in self._fetch_each_object(client, ramp_ids) if payload]
        self._book_and_confirm(
            connection, run, client, self._transaction(self._store_listed_page, connection, run, payloads, asked, True)
        )

    def _refresh_unlisted_rows(self, connection, client, started):
        """Ask for open rows that Ramp did not list: no longer ready, exported by somebody else, or gone.

        Returns the Ramp ids of those that are ready all the same (they became so while the pages were read).
        """
        lost = {
            record.ramp_id: record.id
            for record in self.env['ramp.record']._unlisted_rows(connection, self._flow, started, LOST_PER_RUN)
        }
        ready = []
        for asked, answers in self._fetch_in_parts(client, lost):
            ready += self._transaction(
                self._store_unlisted_answers,
                connection,
                {lost[ramp_id]: (asked, payload) for ramp_id, payload in answers.items()},
            )
        return ready

    def _fetch_in_parts(self, client, ramp_ids):
        """(moment before they were asked for, {Ramp id: payload, None where Ramp has none}) of some at once, until the
        job's time is up.

        What is answered is to be stored before the next are asked for.
        """
        for part in split_every(AT_ONCE, ramp_ids):
            asked = self._get_database_time()
            answers = {
                ramp_id: None for ramp_id in part if not is_uuid(ramp_id)
            }  # nobody can ask for what could not even be read
            answers.update(self._fetch_each_object(client, [ramp_id for ramp_id in part if ramp_id not in answers]))
            yield asked, answers
            if self._is_job_time_up():
                break

    def _get_nightly_listings(self, connection, since):
        """Queries of the lists of all objects since a moment, whatever Ramp offers of them; none: nothing but what it
        offers counts.

        :param since: as Ramp's filters want it
        """
        return []

    def _store_snapshot_of_lists(self, connection, client, listings, place=None):
        """Read lists whatever Ramp offers of them: what is not booked counts, too, in what Ramp says is owed. Commits.

        :param place: where to go on, {}: at the start. Without it the job's time does not matter.
        :return: where it stopped, as the time was up; None: nowhere
        """
        reached = place or {}
        try:
            for page, asked, after in self._iterate_pages_from(client, listings, reached):
                self._transaction(self._store_observed_page, connection, page.rows, asked)
                reached = after
                if place is not None and self._is_job_time_up():
                    return after
        except RampOutOfTime as error:
            error.place = reached
            raise
        return None

    def _look_for_vanished_objects(self, connection, client, since, begun):
        """Ask for what counts in what Ramp says is owed, and was on none of its lists. Commits; the rest is another
        night's work.

        :param since: from which moment on everything was listed, as Ramp's filters want it
        :param begun: when the first of the lists was asked for
        """
        unseen = {
            record.ramp_id: record.id
            for record in self.env['ramp.record']._unseen_rows(
                connection, self._flow, max(since[:10], str(connection.start_date)), begun, LOST_PER_RUN
            )
        }
        for asked, answers in self._fetch_in_parts(client, unseen):
            self._transaction(
                self._store_unseen_answers,
                connection,
                {unseen[ramp_id]: payload for ramp_id, payload in answers.items()},
                asked,
            )
