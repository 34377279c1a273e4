# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import logging
import re
import zlib
from collections import defaultdict
from datetime import timedelta

from markupsafe import Markup

from odoo import api, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain
from odoo.tools import SQL, split_every

from ..models.ramp_record import digest
from ..ramp_api import (
    Address,
    RampAuthError,
    RampConnectionError,
    RampError,
    RampNotFound,
    RampOutOfTime,
    RampProtocolError,
    RampRateLimited,
    RampScopeError,
    RampServerError,
    VendorDetail,
    read_vendor_detail,
)
from .booking import QUIET, clean
from .flow import Held, Waiting, is_of_object
from .names import name_key
from .pull import AT_ONCE, _is_uuid, _jsonable
from .vendor_changes import OWN, has
from .vendor_contact import CONTACT_COLUMNS

_logger = logging.getLogger(__name__)

MOST_UNREADABLE = 1000  # rows looked at, at the end of a whole list

OVERLAP = timedelta(minutes=15)  # clocks differ, and what is saved while a list is read must be in this one or in the next
LIST_ALL_AFTER = timedelta(days=1)
IN_TURN = 50  # vendors that a list of everything asks for though it shows nothing new: contacts and own columns are not in it
SILENCE = 3  # vendors in a row for which Ramp did not answer at all
TEXT_LENGTH = 4000  # characters of a description that fit into the notes of a partner
# What of a vendor becomes something here; the rest (spend, owner, bank accounts) changes without meaning anything for a partner.
FACTS = (
    'name', 'name_legal', 'vendor_type', 'is_active', 'accounting_vendor_remote_id', 'country', 'state', 'address', 'addresses',
    'tax_address', 'description')
NO_ADDRESS = Address(None, None, None, None, None, None, None, False)
# Ramp has no field for these: businesses keep them in columns of their own
TAX_ID_NAMES = frozenset({
    'abn', 'business tax id', 'ein', 'federal tax id', 'gst number', 'gstin', 'tax id', 'tax id number', 'tax identification number',
    'tax no', 'tax number', 'taxid', 'tin', 'vat', 'vat id', 'vat no', 'vat number', 'vat registration number'})
WEBSITE_NAMES = frozenset({'homepage', 'url', 'web', 'web site', 'website'})
WEBSITE = re.compile(r'(https?://)?([\w-]+\.)+[^\W\d_]{2,}(:\d{1,5})?([/?#]\S*)?', re.IGNORECASE)


@dataclasses.dataclass
class Plan:
    """What will become of one vendor.

    values: what Ramp has, as `_values` says it; partner: who it is, empty: to be created; how: why, of a partner just found;
    refused: what Odoo said of the tax id
    """

    detail: VendorDetail
    row: models.Model
    partner: models.Model
    how: str | bool
    values: dict
    contacts: list  # of (VendorContact, values), the default one first
    found: dict
    refused: str | bool = False


class RampFlowVendor(models.AbstractModel):
    """Bill-pay vendors: one partner each, with their contacts; who is in Odoo already is found, not made again.

    A vendor's row follows it: a change in Ramp is worked in, as far as the connection's `vendor_policy` lets it (`vendor_changes`).
    Who a vendor is in Odoo is found in `vendor_matching`; the contacts are the work of `vendor_contact`.
    Schemas: Vendor of GET /vendors, ApiVendorDetailResource, ApiVendorContactResource. Ramp does not say when a vendor
    changed, only lists those that did since a moment; contacts and own columns have to be asked for, vendor by vendor.
    """

    _name = 'ramp.flow.vendor'
    _inherit = ['ramp.flow.pull', 'ramp.vendor.matching', 'ramp.vendor.changes']
    _description = 'Ramp Flow: vendors'

    _flow = 'vendor'
    _flow_sequence = 30
    _events = ('vendors.activated', 'vendors.approved', 'vendors.updated')
    _endpoint = '/vendors'
    _updates = True
    _known_by = ('name', 'name_legal')

    @api.model
    def _flow_label(self):
        return self.env._('Vendors')

    @api.model
    def _enabled(self, connection):
        return connection.pull_bills

    @api.model
    def _page(self, record):
        return f'/bill-pay/vendors/{record.ramp_id}'

    def _read(self, payload):
        return read_vendor_detail(payload)

    def _is_ready(self, payload):
        return True

    def _is_synced(self, payload):
        return False  # what Ramp's own column says is of the accounting vendor

    def _facts(self, value):
        return {
            **self._listed_facts(value), 'custom_fields': sorted(value.vendor.custom_fields),
            'contacts_detail': value.contacts and [dataclasses.asdict(contact) for contact in value.contacts],
            'complete': value.contacts is not None}

    def _listed_facts(self, value):
        """What of a vendor the list shows, too."""
        facts = dataclasses.asdict(value.vendor)
        return {**{key: facts[key] for key in FACTS}, 'contacts': sorted(value.vendor.contacts)}

    def _row(self, connection, value):
        return {'name': _name(value.vendor)}

    # ------------------------------------------------------------------ reading

    def _pull(self, connection, run, client, started):
        """List what changed, or now and then everything; fetch, store and book page by page; then look at what is open.

        Returns False when the job's time is up.
        """
        place = self._transaction(self._beginning, connection, run)
        params = {'include_draft': 'false'}
        if place['since']:
            # each of these is asked for, so what a run has to do at least is kept small
            params.update(from_updated_at=place['since'], page_size=AT_ONCE)
        unlisted, settled = set(place['unlisted']), set()
        had = place.pop('had', ())
        for page, asked, after in self._pages_from(client, [params], place):
            before = place
            place = {**{key: place[key] for key in ('since', 'turn', 'named', 'stored')}, **after}
            wanted = [payload for payload in self._wanted(connection, page.rows, place) if _id(payload) not in had]
            as_they_were, ids = len(page.rows) - len(wanted), []
            for part in list(split_every(AT_ONCE, wanted)) or [()]:
                payloads, trouble = self._complete(client, part)
                stored, all_of_them = self._transaction(self._store_listed, connection, run, payloads, asked, as_they_were + len(part))
                place['stored'] = place['stored'] and all_of_them
                as_they_were = 0
                ids += stored
                if trouble:
                    break
            settled.update(ids)
            if isinstance(trouble, RampOutOfTime):  # the next run goes on with the page, and books what is stored
                self._transaction(run._leave_off, {**before, 'unlisted': sorted(unlisted), 'had': sorted({*had, *ids})})
                raise trouble
            had = ()
            unlisted.difference_update(map(_id, page.rows))
            place['unlisted'] = sorted(unlisted)
            try:
                self._settle(connection, run, client, ids)
            except RampOutOfTime:
                self.env.cr.rollback()
                self._transaction(run._leave_off, place)
                raise
            if trouble:
                raise trouble
            if self._is_time_up():
                self._transaction(run._leave_off, place)
                return False
        if not self._look_again(connection, run, client, settled, place):
            return False
        if place['stored'] and not place['since']:
            # what had no id is on the list under its own now
            unreadable = self.env['ramp.record']._lost(
                connection, self._flow, run.begun_at or started, MOST_UNREADABLE).filtered(
                    lambda record: record.ramp_id.startswith('malformed-'))
            if unreadable:
                self._transaction(self._skip_unlisted, unreadable)
        run.write({'listed': place['stored'], 'reread': place['stored'] and not place['since']})
        return True

    def _beginning(self, connection, run):
        """Where a run begins: where the one before it stopped, or at the first page.

        since: from which moment on changes are listed, as Ramp's filter wants it, None: everything is listed; named: Ramp ids that
        events named; turn: (number, of how many) of the part of all vendors whose turn it is; unlisted: Ramp ids that are asked for if
        Ramp does not list them: the named ones, and open rows without a partner where everything is listed; stored: whether all that
        was listed is in the ledger; had: Ramp ids of the page that were asked for before the time was up
        """
        self._reopen_for_contacts(connection)
        if run.taken_up:
            return run.taken_up
        now, requested = self.env.cr.now(), connection.sync_requested_at
        whole, last = run._last_reread(connection, self._flow), run._last_listed(connection, self._flow)
        named = []
        if last:
            named = self.env['ramp.record'].search(
                self._named_by(connection, self._events_since(connection, last))).mapped('ramp_id')
        place = {'since': None, 'named': named, 'unlisted': named, 'turn': None, 'stored': True}
        if whole and last and whole > now - LIST_ALL_AFTER and not (requested and requested >= whole):
            return {**place, 'since': (last - OVERLAP).strftime('%Y-%m-%dT%H:%M:%SZ')}
        unlisted = [ramp_id for ramp_id, _complete, has_partner in self._open_ids(connection, named) if not has_partner]
        parts = self.env['ramp.record'].search_count([('connection_id', '=', connection.id), ('flow', '=', self._flow)]) // IN_TURN + 1
        return {**place, 'unlisted': named + unlisted, 'turn': (now.toordinal() % parts, parts)}

    def _reopen_for_contacts(self, connection):
        """Somebody pressed Retry on a contact: it is worked on with its vendor."""
        self.env.cr.execute(SQL(
            """
            UPDATE ramp_record v SET state = 'pending'
             WHERE v.connection_id = %(connection)s AND v.flow = %(flow)s AND v.state = 'confirmed'
               AND v.ramp_id IN (SELECT c.parent_ramp_id FROM ramp_record c
                                  WHERE c.connection_id = %(connection)s AND c.flow = 'vendor_contact' AND c.state = 'pending')
            """, connection=connection.id, flow=self._flow))
        self.env['ramp.record'].invalidate_model()

    def _wanted(self, connection, payloads, place):
        """The listed vendors whose details are asked for: new, changed, named by an event, or those whose turn it is; where the list
        says what changed, all. Ends the transaction."""
        known = {record.ramp_id: record.payload for record in self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', [_id(payload) for payload in payloads])],
            ['ramp_id', 'payload'])}
        self.env.cr.rollback()
        return [
            payload for payload in payloads
            if place['since'] or _id(payload) not in known or _id(payload) in place['named']
            or is_turn(_id(payload), *place['turn'])
            or self._has_changed(known[_id(payload)], payload)]

    def _complete(self, client, payloads):
        """Listed vendors with their details and contacts; outside any transaction.

        Returns them and the error, if one makes it useless to ask for others. A vendor whose details did not arrive is
        among them as it was listed: its row waits, and is asked for in the next run.
        """
        answers, trouble = self._fetch_all(client, {_id(payload): payload for payload in payloads if _is_uuid(_id(payload))})
        complete = []
        for payload in payloads:
            answer = answers.get(_id(payload), payload)
            if not _is_uuid(_id(payload)) or _id(payload) in answers and answer is not None:
                complete.append(payload if isinstance(answer, RampError) else answer)
        return complete, trouble

    def _fetch_all(self, client, listed):
        """{Ramp id: payload with details, None if Ramp does not have it, or the error}, and the error, if one makes it useless
        to ask for the others, which are then left out.

        :param listed: {Ramp id: payload as it was listed, or an empty one}
        """
        answers, silence = {}, 0
        for ramp_id, payload in listed.items():
            try:
                answers[ramp_id] = self._fetch(client, ramp_id, payload)
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

    def _has_changed(self, before, payload):
        """Whether the list shows another vendor than the row's payload. What cannot be read counts as changed."""
        try:
            before, after = (self._listed_facts(self._read(part)) for part in (before, payload))
        except Exception as error:
            if not is_of_object(error):
                raise
            return True
        return digest(_jsonable(before)) != digest(_jsonable(after))

    def _fetch(self, client, ramp_id, listed):
        """A vendor's payload with details and `contacts_detail`. Raises `RampError`."""
        path = f'{self._endpoint}/{ramp_id}'
        detail = client.get(path)
        if not isinstance(detail, dict) or _id(detail) != ramp_id:
            raise RampProtocolError('the answer is not the vendor that was asked for', method='GET', path=path)
        contacts = []
        if detail.get('contacts') != []:
            contacts = list(client.list_objects(f'{path}/contacts'))
        return {**listed, **detail, 'contacts_detail': contacts}

    def _store_listed(self, connection, run, payloads, asked, count):
        """Store a page; returns the Ramp ids and whether each is in the ledger now: what another transaction holds is left out."""
        busy = self.env['ramp.record']._busy(connection, self._flow, [_id(payload) for payload in payloads])
        ids = self._store_page(connection, run, payloads, asked)
        run.seen += count - len(ids)  # those that are as they were
        return ids, not busy

    def _look_again(self, connection, run, client, settled, place):
        """Book what is open and was not listed: held rows that may have been settled in Odoo, and rows without details.

        An open row that a list of everything did not show is asked for. Returns False when the job's time is up.
        """
        ids = self._transaction(self._open_ids, connection, settled)
        missing, trouble = place.get('missing'), None
        if missing is None:
            incomplete = [ramp_id for ramp_id, complete, _has_partner in ids if not complete]
            missing = [ramp_id for ramp_id in dict.fromkeys(incomplete + place['unlisted']) if _is_uuid(ramp_id)]
        due = [ramp_id for ramp_id, _complete, _has_partner in ids]
        while missing and not trouble:
            part, missing = missing[:AT_ONCE], missing[AT_ONCE:]
            asked = self._clock()
            answers, trouble = self._fetch_all(client, dict.fromkeys(part, {}))
            answers = {ramp_id: answer for ramp_id, answer in answers.items() if not isinstance(answer, RampError)}
            if answers:
                self._transaction(self._store_answers, connection, answers, asked)
            due += part
            if isinstance(trouble, RampOutOfTime):
                missing = [ramp_id for ramp_id in part if ramp_id not in answers] + missing
                self._transaction(run._leave_off, {**place, 'missing': missing})
            if missing and not trouble and self._is_time_up():
                self._transaction(run._leave_off, {**place, 'missing': missing})
                return False
        self._settle(connection, run, client, list(dict.fromkeys(due)))
        if trouble:
            raise trouble
        return True

    def _open_ids(self, connection, settled):
        """[(Ramp id, whether its details are there, whether it has a partner)] of the rows that are due, but for those `settled`."""
        self.env.cr.execute(SQL(
            """
            SELECT ramp_id, COALESCE(payload ? 'contacts_detail', FALSE), res_id IS NOT NULL FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND (state IN ('pending', 'error') OR (state = 'held' AND is_question))
               AND (next_attempt IS NULL OR next_attempt <= %s) AND NOT (ramp_id = ANY(%s))
             ORDER BY id
            """, connection.id, self._flow, self.env.cr.now(), list(settled)))
        return self.env.cr.fetchall()

    def _store_answers(self, connection, answers, asked):
        Record = self.env['ramp.record']
        Record._upsert(connection, self._flow, [
            self._ledger_row(connection, payload) for payload in answers.values() if payload], asked, updates=True)
        gone = [ramp_id for ramp_id, payload in answers.items() if payload is None]
        for record in Record.search([
                ('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', gone), ('state', '!=', 'confirmed')]):
            record._skip(self.env._('Ramp no longer has it.'))

    # ------------------------------------------------------------------ for bills

    def _ensure(self, connection, client, vendor_ids):
        """Have vendors in the ledger and in Odoo before something of theirs is booked, whatever the order of the jobs.

        Outside any transaction. One that Ramp does not have, or whose details do not arrive, gets no row. Raises `RampError` when
        Ramp cannot be asked at all.
        """
        vendor_ids = [ramp_id for ramp_id in dict.fromkeys(vendor_ids) if _is_uuid(ramp_id)]
        there = {record.ramp_id: record.res_id for record in self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', vendor_ids)], ['ramp_id', 'res_id'])}
        self.env.cr.rollback()
        nobody = self.env['ramp.run']  # it is not a run of this flow's own
        trouble = None
        for part in split_every(AT_ONCE, [ramp_id for ramp_id in vendor_ids if ramp_id not in there]):
            asked = self._clock()
            answers, trouble = self._fetch_all(client, dict.fromkeys(part, {}))
            payloads = [answer for answer in answers.values() if isinstance(answer, dict)]
            if payloads:
                self._transaction(self._store_page, connection, nobody, payloads, asked)
            if trouble:
                break
        self._settle(connection, nobody, client, [ramp_id for ramp_id in vendor_ids if not there.get(ramp_id)])
        if trouble:
            raise trouble

    def _partners(self, connection, vendor_ids):
        """{Ramp id of a vendor: (partner, None), or (empty recordset, why there is none; None: nothing is known of it)}."""
        Partner = self.env['res.partner']
        rows = {row.ramp_id: row for row in self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', list(vendor_ids))],
            ['ramp_id', 'res_id', 'error_message', 'name'])}
        partners = self._existing(row.res_id for row in rows.values())
        found = {}
        for vendor_id in vendor_ids:
            row = rows.get(vendor_id)
            partner = row and partners.get(row.res_id)
            if not row:
                found[vendor_id] = Partner, None
            elif not partner:
                found[vendor_id] = Partner, row.error_message or None
            elif not self._is_usable(connection, partner):
                found[vendor_id] = Partner, self._of_another_company(partner)
            else:
                found[vendor_id] = partner, None
        return found

    # ------------------------------------------------------------------ booking, one worker at a time

    def _settle(self, connection, run, client, ramp_ids):
        if not ramp_ids:
            return None
        # two that did not see each other's partners would make one twice
        with self._one_at_a_time(self._flow):
            return super()._settle(connection, run, client, ramp_ids)

    def _book_open(self, connection, run, client):
        with self._one_at_a_time(self._flow):
            return super()._book_open(connection, run, client)

    # ------------------------------------------------------------------ looking up

    def _look_up(self, connection, values):
        """The rows of these vendors and of their contacts, their partners, and who they might be; a constant number of queries."""
        found = self._look_up_rows(connection, values)
        found['countries'] = {country.code: country.id for country in self.env['res.country'].search_fetch([], ['code'])}
        found['states'] = self._look_up_states(values, found)
        found['values'] = {value.id: self._values(value, found) for value in values}
        unknown = [value for value in values if not self._own_partner(connection, value.id, found)[0]]
        self._look_up_candidates(connection, unknown, found)
        return found

    def _look_up_rows(self, connection, values):
        Record = self.env['ramp.record']
        rows, others = {}, defaultdict(list)
        ids = [value.id for value in values]
        for row in Record.search_fetch(
                [('flow', '=', self._flow), ('ramp_id', 'in', ids)], ['ramp_id', 'connection_id', 'res_id', 'noted', 'state'], order='id'):
            if row.connection_id == connection:
                rows[row.ramp_id] = row
            else:
                others[row.ramp_id].append(row.res_id)
        contacts = {contact.id for value in values for contact in value.contacts or ()}
        contact_rows, other_contacts = defaultdict(dict), {}
        for row in Record.search_fetch(
                Domain('flow', '=', 'vendor_contact') & (Domain('ramp_id', 'in', list(contacts)) | (
                    Domain('connection_id', '=', connection.id) & Domain('parent_ramp_id', 'in', ids))),
                CONTACT_COLUMNS, order='id'):
            if row.connection_id == connection:
                contact_rows[row.parent_ramp_id][row.ramp_id] = row
            elif row.res_id:
                other_contacts[row.ramp_id] = row.res_id
        partners = self._existing([
            *(row.res_id for row in rows.values()), *(res_id for ids in others.values() for res_id in ids),
            *(row.res_id for of_vendor in contact_rows.values() for row in of_vendor.values()), *other_contacts.values()])
        return {
            'rows': rows, 'others': others, 'contact_rows': contact_rows, 'other_contacts': other_contacts, 'partners': partners}

    def _look_up_states(self, values, found):
        """{(country id, code or name, as names are compared): state id} of the countries that occur."""
        countries = {found['countries'].get(_code(address.country)) for value in values for address in (_address(value.vendor),)}
        states = {}
        for state in self.env['res.country.state'].search_fetch(
                [('country_id', 'in', [country for country in countries if country])], ['code', 'name', 'country_id'], order='id'):
            states.setdefault((state.country_id.id, name_key(state.name)), state.id)
            states[state.country_id.id, f'code {name_key(state.code)}'] = state.id
        return states

    # ------------------------------------------------------------------ deciding

    def _plan(self, connection, value, found):
        if value.contacts is None:
            raise Waiting(self.env._('Ramp did not send its details and contacts. It is asked again in the next run.'))
        partner, elsewhere = self._own_partner(connection, value.id, found)
        how = elsewhere and self.env._('another connection knows it')
        if partner and not self._is_usable(connection, partner):
            raise Held(self._of_another_company(partner))
        if not partner:
            partner, how = self._match(value, found)
        return Plan(
            detail=value, row=found['rows'][value.id], partner=partner, how=how, values=found['values'][value.id],
            contacts=self.env['ramp.flow.vendor_contact']._contacts(value), found=found)

    def _values(self, value, found):
        """What Ramp has of a vendor, as Odoo would have it. address: as ADDRESS; comment: plain text."""
        vendor, lines = value.vendor, []
        name, legal, address = _name(vendor), clean(vendor.name_legal), _address(vendor)
        country = found['countries'].get(_code(address.country), False)
        state = address.state and (
            found['states'].get((country, f'code {name_key(clean(address.state))}'))
            or found['states'].get((country, name_key(clean(address.state)))))
        if legal and legal != name:
            lines.append(self.env._('Legal name: %s', legal))
        lines += [line for line in map(clean, (vendor.description or '')[:TEXT_LENGTH].splitlines()) if line]
        if clean(address.state) and not state:
            lines.append(self.env._('State or region: %s', clean(address.state)))
        if clean(address.country) and not country:
            lines.append(self.env._('Country: %s', clean(address.country)))
        custom = {' '.join(re.split(r'[\s_.-]+', name_key(key))): text for key, text in reversed(vendor.custom_fields)}
        tax_ids = [tax_id for key, text in custom.items() if key.strip() in TAX_ID_NAMES and (tax_id := _tax_id(text))]
        websites = [clean(text) for key, text in custom.items() if key.strip() in WEBSITE_NAMES]
        contact = next((values for _contact, values in self.env['ramp.flow.vendor_contact']._contacts(value)), {})
        return {
            'name': name, 'is_company': vendor.vendor_type != 'INDIVIDUAL',
            'address': [
                clean(address.address_line_1), clean(address.address_line_2), clean(address.city), clean(address.postal_code),
                state or False, country],
            'vat': tax_ids[0] if tax_ids else False,
            'website': next((site for site in websites if site and WEBSITE.fullmatch(site)), False),
            'email': contact.get('email', False), 'phone': contact.get('phone', False),
            'comment': '\n'.join(lines) or False,
        }

    # ------------------------------------------------------------------ what is written

    def _book(self, connection, plans):
        """Create or update the partners of vendors, with their contacts. A tax id that Odoo refuses is left out."""
        if len(plans) > 1:
            return self._save(connection, plans)
        [plan] = plans
        try:
            with self.env.cr.savepoint():
                return self._save(connection, plans)
        except ValidationError as error:
            if not plan.values['vat']:
                raise
            refused = ' '.join(str(error).split())
        return self._save(connection, [dataclasses.replace(plan, refused=refused)])

    def _save(self, connection, plans):
        Partner = self.env['res.partner'].with_context(**QUIET, active_test=False)
        noted, notes, partners = {}, {}, {}
        new = [plan for plan in plans if not plan.partner]
        ours = self._look_up_ours([plan.partner.id for plan in plans if plan.partner])
        # a partner without parent and children has nobody to share fields with
        for plan, partner in zip(new, Partner.with_context(_partners_skip_fields_sync=True).create([
                {**self._to_write({key: value for key, value in self._offered(plan).items() if has(key, value)}),
                 'supplier_rank': 1, 'company_id': False} for plan in new]), strict=True):
            partners[plan.row] = partner.with_context(_partners_skip_fields_sync=False)
        for plan in plans:
            before = (plan.row.noted or {}) if plan.partner and not plan.how else {}
            written, values = dict(before.get('written', {})), self._offered(plan)
            if plan.partner:
                partner = partners[plan.row] = plan.partner.with_context(**QUIET, active_test=False)
                changes = self._changes(connection, values, self._current(partner, values, written), written, ours.get(partner.id))
                to_write = self._to_write(changes, partner.comment)
                if not partner.supplier_rank and ours.get(partner.id) != OWN:
                    to_write['supplier_rank'] = 1
                if to_write:
                    partner.write(to_write)
            else:
                changes = {key: value for key, value in values.items() if has(key, value)}
            current = self._current(partners[plan.row], plan.values)
            written.update((key, [value, current[key]]) for key, value in changes.items())
            if plan.refused:
                written['vat'] = [plan.values['vat'], current['vat']]
            noted[plan.row.id] = {'written': written, 'is_active': plan.detail.vendor.is_active}
            if lines := self._messages(plan, before):
                notes[partners[plan.row].id] = Markup('<br/>').join(lines)
        self.env['ramp.record']._note({
            plan.row.id: noted[plan.row.id] for plan in plans if noted[plan.row.id] != plan.row.noted})
        self.env['ramp.flow.vendor_contact']._save_contacts(connection, plans, partners)
        if notes:
            Partner.browse(notes)._message_log_batch(bodies=notes)
        return [partners[plan.row] for plan in plans]

    def _offered(self, plan):
        return {**plan.values, 'vat': False} if plan.refused else plan.values

    def _messages(self, plan, before):
        """What a person who looks at the partner should know."""
        vendor, lines = plan.detail.vendor, []
        if plan.how:
            lines.append(self.env._('Linked to the vendor %(name)s in Ramp: %(how)s.', name=_name(vendor), how=plan.how))
        if vendor.is_active != before.get('is_active', True):
            lines.append(
                self.env._('Active again in Ramp.') if vendor.is_active
                else self.env._('No longer active in Ramp. It is not archived here, because bills of it may be open.'))
        if plan.refused:
            lines.append(self.env._(
                'The tax id %(tax_id)s from Ramp is left out: %(reason)s', tax_id=plan.values['vat'], reason=plan.refused))
        return lines


def _id(payload):
    """The Ramp id of a payload, however broken it is."""
    identity = payload.get('id') if isinstance(payload, dict) else None
    return identity.lower() if isinstance(identity, str) else ''


def _name(vendor):
    """What a person knows a vendor by; never empty."""
    return clean(vendor.name) or clean(vendor.name_legal) or vendor.id


def _code(text):
    return (clean(text) or '').upper()


def _address(vendor):
    """The address to use; at least its country and state are those of the vendor."""
    candidates = (vendor.address, *sorted(vendor.addresses, key=lambda address: not address.is_default), vendor.tax_address)
    for address in candidates:
        if address and any(map(clean, (address.address_line_1, address.city, address.postal_code))):
            return dataclasses.replace(address, country=address.country or vendor.country)
    return dataclasses.replace(NO_ADDRESS, state=vendor.state, country=vendor.country)


def _tax_id(text):
    """A tax id as it is written down, or False for what cannot be one ("n/a", a masked or a made-up number)."""
    text, digits = (clean(text) or '').upper(), re.sub(r'\D', '', text or '')
    if len(digits) < 5 or len(set(digits)) == 1 or '*' in text or len(text) > 40:
        return False
    return re.sub(r'[^A-Z0-9]', '', text) if text[:2].isalpha() else text


def is_turn(ramp_id, part, parts):
    """Whether a vendor belongs to this of so many parts of all vendors."""
    return zlib.crc32(ramp_id.encode()) % parts == part
