# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import timedelta

from odoo import api, models
from odoo.tools import split_every

from ...models.run_memory import run_memory
from ...ramp_api import RampConnectionError, RampError, RampOutOfTime
from .payloads import is_uuid

LOST_PER_RUN = 200  # rows that a run fetches one by one because Ramp no longer lists them
# Objects that are fetched one by one before the answers are stored. So little is lost when the server ends the job
# because Ramp is slow.
AT_ONCE = 20
# Posted objects named by events that a run fetches one by one. Beyond this, reading the list is faster.
TOLD_PER_RUN = 50


class RampFlowPull(models.AbstractModel):
    """Ramp -> Odoo: read pages into the ledger, post due objects in batches, confirm what is committed.

        for each page: rows -> COMMIT
        take its rows -> documents + rows -> COMMIT -> confirm to Ramp -> COMMIT

    If a run crashes at any point, the next run leads to the same books. Rows are unique, and a document commits with
    its row. A batch is confirmed under a sync key that was committed with its documents, so Ramp notices a repeated
    request.

    This file contains the run and the reading of lists. The other phases are in store.py, withhold.py, book.py and
    confirm.py.
    """

    _name = 'ramp.flow.pull'
    _inherit = ['ramp.flow.store', 'ramp.flow.withhold', 'ramp.flow.book', 'ramp.flow.confirm', 'ramp.flow']
    _description = 'Ramp Flow: from Ramp to Odoo'

    _page_size = 100
    # Within this time after a full re-read of posted objects, only objects named by events are read again.
    _reread_pause = timedelta(minutes=10)
    _vague_events = ()  # those of `_events` that name objects of another flow

    # ------------------------------------------------------------------ hooks of a flow

    def _get_list_params(self, connection):
        """Return the query parameters of the list of what is ready to sync."""
        return {}

    @api.model
    def _get_entity_scope(self, connection):
        """Return the query parameters that leave out objects of other Ramp entities."""
        return {'entity_id': connection.ramp_entity_id} if connection.ramp_entity_id else {}

    def _get_ready_listings(self, connection):
        """Return the query parameters of all lists that together hold what is ready, as one may not be enough."""
        return [self._get_list_params(connection)]

    def _get_changed_listings(self, connection, since):
        """Return the query parameters of the lists that show what Ramp changed on posted objects.

        :param since: datetime in UTC of the last full re-read, or False
        :return: list; empty where posted objects are not read again
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
                self._trigger()  # out of time: the next call continues
                return
        except RampOutOfTime:
            raise
        except RampError as error:
            # What is in the ledger already need not wait for what could not be read.
            self.env.cr.rollback()
            trouble = error
            self._book_all_due(connection, run, client)
        if not trouble or not isinstance(trouble, RampConnectionError):
            self._confirm_earlier_batches(connection, run, client)
        trouble = trouble or run_memory(self.env).forbidden_error
        if trouble:
            raise trouble

    def _finish_sync_run(self, connection, run, message):
        result = super()._finish_sync_run(connection, run, message)
        if run.listed and run.begun_at and self._is_asked_since(connection, run.begun_at):
            self._trigger()
        return result

    def _reopen_on_sync_request(self, connection, run):
        """Reopen the rows for which somebody pressed *Sync* in Ramp and waits for the outcome.

        What failed is tried now, and reasons are reported again. What is ready is posted in every run, requested or
        not. Ramp marks a request as failed if it gets no outcome within five minutes (Ramp's guide to ERP integrations,
        2026-08-01).
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
        """Return whether a user or an event asked for the lists after a moment.

        The request triggered the job, but that call only continued an earlier run.

        :param moment: datetime in UTC
        """
        requested = connection.sync_requested_at
        return bool(requested and requested >= moment or self._find_events_since(connection, moment))

    def _find_events_since(self, connection, moment):
        """Return the events since a moment (datetime in UTC) that trigger the flow's job."""
        return (
            self.env['ramp.event']
            .sudo()
            .search_fetch(  # sudo: no user may read events; the job works for the system
                [('connection_id', '=', connection.id), ('received_at', '>=', moment), ('type', 'in', self._events)],
                ['type', 'object_id'],
            )
        )

    def _rows_of_events_domain(self, connection, events):
        """Return the domain of the rows of the objects that events named."""
        return [
            ('connection_id', '=', connection.id),
            ('flow', '=', self._flow),
            ('ramp_id', 'in', [object_id.lower() for object_id in events.mapped('object_id') if object_id]),
        ]

    def _pull_from_ramp(self, connection, run, client, started):
        """Read, post and confirm page after page, from where the last run stopped.

        :param started: datetime in UTC
        :return: False when the job's time is up
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
        """Return the database's time (UTC), which all workers share. No transaction stays open."""
        self.env.cr.execute("SELECT clock_timestamp() AT TIME ZONE 'UTC'")
        moment = self.env.cr.fetchone()[0]
        self.env.cr.rollback()
        return moment

    def _read_listed_pages(self, connection, run, client, listings, place, known_only=False):
        """Store and settle the pages of lists, starting at `place`.

        :param place: cursor as of `_iterate_pages_from`
        :param known_only: whether the lists show posted objects, so that an object without a row is left out
        :return: False when the job's time is up; the cursor is stored then
        """
        try:
            for page, asked, after in self._iterate_pages_from(client, listings, place):
                ids = (
                    self._transaction(self._store_listed_page, connection, run, page.rows, asked, known_only)
                    if page.rows
                    else []
                )
                place = after
                self._book_and_confirm(connection, run, client, ids)
                if self._is_job_time_up():
                    self._transaction(run._leave_off, {'again': known_only, **after})
                    return False
        except RampOutOfTime:
            self.env.cr.rollback()
            # The next run posts and confirms from the ledger what was stored.
            self._transaction(run._leave_off, {'again': known_only, **place})
            raise
        return True

    def _iterate_pages_from(self, client, listings, place):
        """Yield (page, moment before the request, cursor after the page) of the pages of lists.

        :param place: cursor to start at; {} starts at the first page
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
        """Yield (page, moment before the request) of a list.

        What is confirmed after that moment must not count as listed again.
        """
        pages = client.list_pages(self._endpoint, {'page_size': self._page_size, **params}, start_url)
        while True:
            asked = self._get_database_time()
            page = next(pages, None)
            if page is None:
                return
            yield page, asked

    def _refresh_booked_objects(self, connection, run, client, place):
        """Read again what was posted, to find what changed in Ramp since.

        Ramp lists an object as ready once. It shows later changes only on request.

        :param place: cursor at which the last run stopped the re-read; {} if it did not
        :return: False when the job's time is up
        """
        since = run._last_reread_at(connection, self._flow)
        told = self._changed_by_events(connection, run, since)
        if told is not None:
            self._refresh_named_objects(connection, run, client, told)
            return True
        if not self._read_listed_pages(
            connection, run, client, self._get_changed_listings(connection, since), place, known_only=True
        ):
            return False
        run.reread = True
        return True

    def _changed_by_events(self, connection, run, whole):
        """Return the Ramp ids of the posted objects that events named since the last run, or None for a full re-read.

        A full re-read happens at intervals, and when a user asks for it. Events only make it sooner. Nothing depends on
        them.

        :param whole: datetime in UTC of the last full re-read, or False
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
        """Fetch these few objects one by one, and store and settle what Ramp has of them now."""
        if not ramp_ids:
            return
        asked = self._get_database_time()
        payloads = [payload for _ramp_id, payload in self._fetch_each_object(client, ramp_ids) if payload]
        self._book_and_confirm(
            connection, run, client, self._transaction(self._store_listed_page, connection, run, payloads, asked, True)
        )

    def _refresh_unlisted_rows(self, connection, client, started):
        """Fetch the open rows that Ramp did not list: no longer ready, exported by another system, or gone.

        :param started: datetime in UTC since when the lists were read
        :return: Ramp ids of those that are ready after all, as they became ready while the pages were read
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
        """Yield (moment before the request, {Ramp id: payload or None if Ramp has none}) in parts, until time is up.

        The caller has to store each part before it takes the next one.
        """
        for part in split_every(AT_ONCE, ramp_ids):
            asked = self._get_database_time()
            # An unreadable payload has no real id, so Ramp cannot be asked for it.
            answers = {ramp_id: None for ramp_id in part if not is_uuid(ramp_id)}
            answers.update(self._fetch_each_object(client, [ramp_id for ramp_id in part if ramp_id not in answers]))
            yield asked, answers
            if self._is_job_time_up():
                break

    # ------------------------------------------------------------------ the nightly check

    def _get_nightly_listings(self, connection, since):
        """Return the query parameters of the lists of all objects since a moment, ready or not.

        :param since: moment in the form of Ramp's filters
        :return: list; empty where only objects that Ramp offers matter
        """
        return []

    def _store_snapshot_of_lists(self, connection, client, listings, place=None):
        """Read lists of all objects, ready or not, and store them. Commits.

        Objects that are not posted count, too, in the amount owed according to Ramp.

        :param place: cursor to start at, {} at the first page; None ignores the job's time
        :return: cursor at which it stopped because the time was up, otherwise None
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
        """Fetch the objects that count in the amount owed according to Ramp, but were on none of its lists. Commits.

        What exceeds the limit of a run is left to the next nights.

        :param since: moment since when everything was listed, in the form of Ramp's filters
        :param begun: datetime in UTC when the first of the lists was requested
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
