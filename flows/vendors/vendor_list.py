# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import logging
import zlib
from datetime import timedelta

from odoo import models
from odoo.tools import SQL, LazyTranslate, split_every

from ...models.ledger_json import json_digest
from ...ramp_api import (
    RampAuthError,
    RampConnectionError,
    RampError,
    RampNotFound,
    RampOutOfTime,
    RampProtocolError,
    RampRateLimited,
    RampScopeError,
    RampServerError,
)
from ..engine.flow import is_of_object
from ..engine.payloads import is_uuid, jsonable
from ..engine.pull import AT_ONCE
from .vendor import _get_payload_id

_lt = LazyTranslate(__name__)

_logger = logging.getLogger(__name__)

MOST_UNREADABLE = 1000  # unlisted rows that are checked after a complete list
# A list reaches this far back before the last one. Clocks differ, and a vendor that is saved while a list is read must
# be in this list or the next.
OVERLAP = timedelta(minutes=15)
LIST_ALL_AFTER = timedelta(days=1)
# Vendors that a complete list fetches although it shows no change. Contacts and custom fields are not in the list.
IN_TURN = 50
SILENCE = 3  # the run stops asking after this many vendors in a row without any answer


class RampFlowVendorList(models.AbstractModel):
    """Read vendors from Ramp: those that changed since the last list, and all of them in turn."""

    _inherit = 'ramp.flow.vendor'

    def _pull_from_ramp(self, connection, run, client, started):
        """List the vendors that changed, or from time to time all, and handle them page by page.

        Each page is fetched, stored and booked before the next one. Then the open rows that were not listed are
        handled.

        :return: False if the job's time is up
        """
        place = self._transaction(self._get_list_beginning, connection, run)
        params = {'include_draft': 'false'}
        if place['since']:
            # Each listed vendor is fetched, so the pages are small. A run has to finish at least one page.
            params.update(from_updated_at=place['since'], page_size=AT_ONCE)
        unlisted, settled = set(place['unlisted']), set()
        had = place.pop('had', ())
        for page, asked, after in self._iterate_pages_from(client, [params], place):
            before = place
            place = {**{key: place[key] for key in ('since', 'turn', 'named', 'stored')}, **after}
            wanted = [
                payload
                for payload in self._select_vendors_to_fetch(connection, page.rows, place)
                if _get_payload_id(payload) not in had
            ]
            as_they_were, ids = len(page.rows) - len(wanted), []
            for part in list(split_every(AT_ONCE, wanted)) or [()]:
                payloads, trouble = self._complete_listed_vendors(client, part)
                stored, all_of_them = self._transaction(
                    self._store_listed_vendors, connection, run, payloads, asked, as_they_were + len(part)
                )
                place['stored'] = place['stored'] and all_of_them
                as_they_were = 0
                ids += stored
                if trouble:
                    break
            settled.update(ids)
            if isinstance(trouble, RampOutOfTime):  # the next run continues this page and books what is stored
                self._transaction(run._leave_off, {**before, 'unlisted': sorted(unlisted), 'had': sorted({*had, *ids})})
                raise trouble
            had = ()
            unlisted.difference_update(map(_get_payload_id, page.rows))
            place['unlisted'] = sorted(unlisted)
            try:
                self._book_and_confirm(connection, run, client, ids)
            except RampOutOfTime:
                self.env.cr.rollback()
                self._transaction(run._leave_off, place)
                raise
            if trouble:
                raise trouble
            if self._is_job_time_up():
                self._transaction(run._leave_off, place)
                return False
        if not self._refresh_settled_vendors(connection, run, client, settled, place):
            return False
        if place['stored'] and not place['since']:
            # A vendor whose id could not be read is now listed under its own id.
            unreadable = (
                self.env['ramp.record']
                ._unlisted_rows(connection, self._flow, run.begun_at or started, MOST_UNREADABLE)
                .filtered(lambda record: record.ramp_id.startswith('malformed-'))
            )
            if unreadable:
                self._transaction(self._skip_unlisted_rows, unreadable)
        run.write({'listed': place['stored'], 'reread': place['stored'] and not place['since']})
        return True

    def _get_list_beginning(self, connection, run):
        """Return the place where a run begins: where the one before stopped, or the first page.

        :return: dictionary with these keys
            since: moment from which changes are listed, as Ramp's filter takes it; None if everything is listed
            named: Ramp ids that events named
            turn: (number of the part, number of parts) of all vendors that is fetched in this run
            unlisted: Ramp ids that are fetched if Ramp does not list them: the named ones and, where everything is
                listed, open rows without a partner
            stored: whether everything that was listed is in the ledger
            had: Ramp ids of the page that were fetched before the time was up
        """
        self._reopen_vendors_for_contacts(connection)
        if run.taken_up:
            return run.taken_up
        now, requested = self.env.cr.now(), connection.sync_requested_at
        whole, last = run._last_reread_at(connection, self._flow), run._last_listed_at(connection, self._flow)
        named = []
        if last:
            named = (
                self.env['ramp.record']
                .search(self._rows_of_events_domain(connection, self._find_events_since(connection, last)))
                .mapped('ramp_id')
            )
        place = {'since': None, 'named': named, 'unlisted': named, 'turn': None, 'stored': True}
        if whole and last and whole > now - LIST_ALL_AFTER and not (requested and requested >= whole):
            return {**place, 'since': (last - OVERLAP).strftime('%Y-%m-%dT%H:%M:%SZ')}
        unlisted = [
            ramp_id
            for ramp_id, _complete, has_partner in self._get_open_vendor_ids(connection, named)
            if not has_partner
        ]
        parts = (
            self.env['ramp.record'].search_count([('connection_id', '=', connection.id), ('flow', '=', self._flow)])
            // IN_TURN
            + 1
        )
        return {**place, 'unlisted': named + unlisted, 'turn': (now.toordinal() % parts, parts)}

    def _reopen_vendors_for_contacts(self, connection):
        """Reopen the vendors of contacts on which somebody pressed Retry.

        A contact is handled with its vendor.
        """
        self.env.cr.execute(
            SQL(
                """
            UPDATE ramp_record v SET state = 'pending'
             WHERE v.connection_id = %(connection)s AND v.flow = %(flow)s AND v.state = 'confirmed'
               AND v.ramp_id IN (SELECT c.parent_ramp_id FROM ramp_record c
                                  WHERE c.connection_id = %(connection)s AND c.flow = 'vendor_contact' AND c.state = 'pending')
            """,
                connection=connection.id,
                flow=self._flow,
            )
        )
        self.env['ramp.record'].invalidate_model()

    def _select_vendors_to_fetch(self, connection, payloads, place):
        """Return the listed vendors whose details are to be fetched.

        These are the new and changed ones, those that an event named, and those whose turn it is. If the list shows
        only changes, all are fetched. Ends the transaction.
        """
        known = {
            record.ramp_id: record.payload
            for record in self.env['ramp.record'].search_fetch(
                [
                    ('connection_id', '=', connection.id),
                    ('flow', '=', self._flow),
                    ('ramp_id', 'in', [_get_payload_id(payload) for payload in payloads]),
                ],
                ['ramp_id', 'payload'],
            )
        }
        self.env.cr.rollback()
        return [
            payload
            for payload in payloads
            if place['since']
            or _get_payload_id(payload) not in known
            or _get_payload_id(payload) in place['named']
            or is_turn(_get_payload_id(payload), *place['turn'])
            or self._has_vendor_changed(known[_get_payload_id(payload)], payload)
        ]

    def _complete_listed_vendors(self, client, payloads):
        """Return listed vendors with their details and contacts.

        Call it outside any transaction. A vendor whose details did not arrive is returned as it was listed. Its row
        waits, and the next run fetches it.

        :return: (payloads, error or None); with an error there is no use in asking for others
        """
        answers, trouble = self._fetch_all_details(
            client, {_get_payload_id(payload): payload for payload in payloads if is_uuid(_get_payload_id(payload))}
        )
        complete = []
        for payload in payloads:
            answer = answers.get(_get_payload_id(payload), payload)
            if not is_uuid(_get_payload_id(payload)) or _get_payload_id(payload) in answers and answer is not None:
                complete.append(payload if isinstance(answer, RampError) else answer)
        return complete, trouble

    def _fetch_all_details(self, client, listed):
        """Fetch vendors with their details.

        :param listed: {Ramp id: payload as it was listed, or an empty one}
        :return: ({Ramp id: payload with details, None if Ramp does not have it, or the error}, error or None); with an
            error there is no use in asking for the others, which are then left out
        """
        answers, silence = {}, 0
        for ramp_id, payload in listed.items():
            try:
                answers[ramp_id] = self._fetch_vendor_detail(client, ramp_id, payload)
                silence = 0
            except RampNotFound:
                answers[ramp_id], silence = None, 0
            except (RampAuthError, RampScopeError, RampRateLimited, RampOutOfTime) as error:
                return answers, error
            except RampError as error:
                _logger.info('Ramp flow vendor: no details of %s: %s', ramp_id, error)
                answers[ramp_id] = error
                silence = silence + 1 if isinstance(error, (RampConnectionError, RampServerError)) else 0
                if silence == SILENCE:
                    return answers, error
        return answers, None

    def _has_vendor_changed(self, before, payload):
        """Return whether the list shows something else than the row's payload.

        A payload that cannot be read counts as changed.
        """
        try:
            before, after = (self._get_listed_facts(self._read_payload(part)) for part in (before, payload))
        except Exception as error:
            if not is_of_object(error):
                raise
            return True
        return json_digest(jsonable(before)) != json_digest(jsonable(after))

    def _fetch_vendor_detail(self, client, ramp_id, listed):
        """Return a vendor's payload with its details and `contacts_detail`.

        :raise RampError: Ramp does not send it, or sends another object
        """
        path = f'{self._endpoint}/{ramp_id}'
        detail = client.get(path)
        if not isinstance(detail, dict) or _get_payload_id(detail) != ramp_id:
            raise RampProtocolError('the answer is not the vendor that was asked for', method='GET', path=path)
        contacts = []
        if detail.get('contacts') != []:
            contacts = list(client.list_objects(f'{path}/contacts'))
        return {**listed, **detail, 'contacts_detail': contacts}

    def _store_listed_vendors(self, connection, run, payloads, asked, count):
        """Store a page of vendors, except those that another transaction has locked.

        :return: (Ramp ids that were stored, whether the whole page is in the ledger now)
        """
        busy = self.env['ramp.record']._locked_elsewhere(
            connection, self._flow, [_get_payload_id(payload) for payload in payloads]
        )
        ids = self._store_listed_page(connection, run, payloads, asked)
        run.seen += count - len(ids)  # the unchanged vendors
        return ids, not busy

    def _refresh_settled_vendors(self, connection, run, client, settled, place):
        """Book the open rows that were not listed.

        These are rows on hold that may have been settled in Odoo, and rows without details. An open row that a complete
        list did not show is fetched.

        :return: False if the job's time is up
        """
        ids = self._transaction(self._get_open_vendor_ids, connection, settled)
        missing, trouble = place.get('missing'), None
        if missing is None:
            incomplete = [ramp_id for ramp_id, complete, _has_partner in ids if not complete]
            missing = [ramp_id for ramp_id in dict.fromkeys(incomplete + place['unlisted']) if is_uuid(ramp_id)]
        due = [ramp_id for ramp_id, _complete, _has_partner in ids]
        while missing and not trouble:
            part, missing = missing[:AT_ONCE], missing[AT_ONCE:]
            asked = self._get_database_time()
            answers, trouble = self._fetch_all_details(client, dict.fromkeys(part, {}))
            answers = {ramp_id: answer for ramp_id, answer in answers.items() if not isinstance(answer, RampError)}
            if answers:
                self._transaction(self._store_vendor_answers, connection, answers, asked)
            due += part
            if isinstance(trouble, RampOutOfTime):
                missing = [ramp_id for ramp_id in part if ramp_id not in answers] + missing
                self._transaction(run._leave_off, {**place, 'missing': missing})
            if missing and not trouble and self._is_job_time_up():
                self._transaction(run._leave_off, {**place, 'missing': missing})
                return False
        self._book_and_confirm(connection, run, client, list(dict.fromkeys(due)))
        if trouble:
            raise trouble
        return True

    def _get_open_vendor_ids(self, connection, settled):
        """Return the rows that are due, except those in `settled`.

        :param settled: Ramp ids
        :return: list of (Ramp id, whether its details are stored, whether it has a partner)
        """
        self.env.cr.execute(
            SQL(
                """
            SELECT ramp_id, COALESCE(payload ? 'contacts_detail', FALSE), res_id IS NOT NULL FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND %s AND NOT (ramp_id = ANY(%s))
             ORDER BY id
            """,
                connection.id,
                self._flow,
                self.env['ramp.record']._due_sql(),
                list(settled),
            )
        )
        return self.env.cr.fetchall()

    def _store_vendor_answers(self, connection, answers, asked):
        Record = self.env['ramp.record']
        Record._upsert_page(
            connection,
            self._flow,
            [self._make_ledger_row(connection, payload) for payload in answers.values() if payload],
            asked,
            updates=True,
        )
        gone = [ramp_id for ramp_id, payload in answers.items() if payload is None]
        for record in Record.search(
            [
                ('connection_id', '=', connection.id),
                ('flow', '=', self._flow),
                ('ramp_id', 'in', gone),
                ('state', '!=', 'confirmed'),
            ]
        ):
            record._ignore_by_rule(_lt('Ramp no longer has it.'))


def is_turn(ramp_id, part, parts):
    """Return whether a vendor belongs to this part of all vendors."""
    return zlib.crc32(ramp_id.encode()) % parts == part
