# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import re
from collections import defaultdict

from odoo import api, models
from odoo.fields import Domain
from odoo.tools import split_every

from ...ramp_api import Address, VendorDetail, read_vendor_detail
from ..accounting.booking import clean_text
from ..engine.names import name_key
from ..engine.payloads import is_uuid
from ..engine.pull import AT_ONCE
from .contact import CONTACT_COLUMNS
from .matching import MatchingLookup

# Fields of a vendor that matter to its partner. Changes of others (spend, owner, bank accounts) have no effect here.
FACTS = (
    'name',
    'name_legal',
    'vendor_type',
    'is_active',
    'accounting_vendor_remote_id',
    'country',
    'state',
    'address',
    'addresses',
    'tax_address',
    'description',
)
NO_ADDRESS = Address(None, None, None, None, None, None, None, False)


@dataclasses.dataclass
class VendorLookup(MatchingLookup):
    """What `ramp.flow.vendor` looks up.

    contact_rows: {Ramp id of a vendor: {Ramp id of a contact: its row}}
    other_contacts: {Ramp id of a contact: partner id} of the rows of other connections
    countries: {code: country id}
    states: {(country id, 'code ' and the code, or the name): state id}; see `_look_up_states`
    """

    contact_rows: dict[str, dict[str, models.Model]] = dataclasses.field(default_factory=lambda: defaultdict(dict))
    other_contacts: dict[str, int] = dataclasses.field(default_factory=dict)
    countries: dict[str, int] = dataclasses.field(default_factory=dict)
    states: dict[tuple[int, str], int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class VendorPlan:
    """The decision about one vendor.

    :param values: what Ramp has, in the form of `_make_partner_values`
    :param partner: the partner of the vendor; empty if it is to be created
    :param how: for a partner just found, how it matches
    :param refused: why Odoo refused the tax id
    """

    detail: VendorDetail
    row: models.Model
    partner: models.Model
    how: str | bool
    values: dict
    contacts: list  # of (VendorContact, values), the default contact first
    found: VendorLookup
    refused: str | bool = False


class RampFlowVendor(models.AbstractModel):
    """Vendors of bill pay: each becomes a partner with contacts, or is linked to the partner that Odoo already has.

    A later change in Ramp is applied as far as the connection's `vendor_policy` allows (`field_merge`). `matching`
    finds the partner of a vendor. `contact` handles the contacts.

    Schemas: Vendor of GET /vendors, ApiVendorDetailResource, ApiVendorContactResource. Ramp does not say when a vendor
    changed. It only lists the vendors that changed since a moment. Contacts and custom fields are fetched vendor by
    vendor (contract 2026-08-01).
    """

    _name = 'ramp.flow.vendor'
    _inherit = ['ramp.flow.pull', 'ramp.vendor.matching', 'ramp.vendor.changes']
    _description = 'Ramp Flow: vendors'

    _lookup_class = VendorLookup
    _flow = 'vendor'
    _flow_sequence = 30
    _events = ('vendors.activated', 'vendors.approved', 'vendors.updated')
    _endpoint = '/vendors'
    _updates = True
    _known_by = ('name', 'name_legal')

    @api.model
    def _get_flow_label(self):
        return self.env._('Vendors')

    @api.model
    def _is_enabled_for(self, connection):
        return connection.pull_bills

    @api.model
    def _get_ramp_page_path(self, record):
        return f'/bill-pay/vendors/{record.ramp_id}'

    def _read_payload(self, payload):
        return read_vendor_detail(payload)

    def _is_ready_in_ramp(self, payload):
        return True

    def _is_synced_in_ramp(self, payload):
        return False  # Ramp's sync column is about the accounting vendor

    def _get_booking_facts(self, value):
        return {
            **self._get_listed_facts(value),
            'custom_fields': sorted(value.vendor.custom_fields),
            'contacts_detail': value.contacts and [dataclasses.asdict(contact) for contact in value.contacts],
            'complete': value.contacts is not None,
        }

    def _get_listed_facts(self, value):
        """Return the facts about a vendor that the list also shows."""
        facts = dataclasses.asdict(value.vendor)
        return {**{key: facts[key] for key in FACTS}, 'contacts': sorted(value.vendor.contacts)}

    def _get_ledger_columns(self, connection, value):
        return {'name': _get_vendor_name(value.vendor)}

    # ------------------------------------------------------------------ vendors of bills

    def _ensure_vendors_booked(self, connection, client, vendor_ids):
        """Store vendors and create their partners before anything that refers to them is posted.

        The order of the jobs does not matter then. Call this outside any transaction. A vendor that Ramp does not have,
        or whose details do not arrive, gets no row.

        :raise RampError: Ramp cannot be asked at all
        """
        vendor_ids = [ramp_id for ramp_id in dict.fromkeys(vendor_ids) if is_uuid(ramp_id)]
        there = {
            record.ramp_id: record.res_id
            for record in self.env['ramp.record'].search_fetch(
                [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', vendor_ids)],
                ['ramp_id', 'res_id'],
            )
        }
        self.env.cr.rollback()
        no_run = self.env['ramp.run']  # this is no run of this flow
        trouble = None
        for part in split_every(AT_ONCE, [ramp_id for ramp_id in vendor_ids if ramp_id not in there]):
            asked = self._get_database_time()
            answers, trouble = self._fetch_all_details(client, dict.fromkeys(part, {}))
            payloads = [answer for answer in answers.values() if isinstance(answer, dict)]
            if payloads:
                self._transaction(self._store_listed_page, connection, no_run, payloads, asked)
            if trouble:
                break
        self._book_and_confirm(
            connection, no_run, client, [ramp_id for ramp_id in vendor_ids if not there.get(ramp_id)]
        )
        if trouble:
            raise trouble

    def _find_vendor_partners(self, connection, vendor_ids):
        """Return the partner of each vendor, or why there is none.

        :return: {Ramp id of a vendor: (partner, None), or (empty recordset, reason)}; without a row the reason is None
        """
        Partner = self.env['res.partner']
        rows = {
            row.ramp_id: row
            for row in self.env['ramp.record'].search_fetch(
                [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', list(vendor_ids))],
                ['ramp_id', 'res_id', 'error_message', 'name'],
            )
        }
        partners = self._find_existing_partners(row.res_id for row in rows.values())
        found = {}
        for vendor_id in vendor_ids:
            row = rows.get(vendor_id)
            partner = row and partners.get(row.res_id)
            if not row:
                found[vendor_id] = Partner, None
            elif not partner:
                found[vendor_id] = Partner, row.error_message or None
            elif not self._is_usable_partner(connection, partner):
                found[vendor_id] = Partner, self._of_another_company(partner)
            else:
                found[vendor_id] = partner, None
        return found

    # ------------------------------------------------------------------ one worker at a time

    def _book_and_confirm(self, connection, run, client, ramp_ids):
        if not ramp_ids:
            return None
        # Two workers do not see each other's new partners, and would create the same one twice.
        with self._exclusive_session_lock(self._flow):
            return super()._book_and_confirm(connection, run, client, ramp_ids)

    def _book_all_due(self, connection, run, client):
        with self._exclusive_session_lock(self._flow):
            return super()._book_all_due(connection, run, client)

    # ------------------------------------------------------------------ lookups

    def _look_up_references(self, connection, values):
        """Return the rows of these vendors and their contacts, their partners, and the candidates.

        The number of queries is constant.
        """
        found = self._look_up_rows(connection, values)
        found.countries = {country.code: country.id for country in self.env['res.country'].search_fetch([], ['code'])}
        found.states = self._look_up_states(values, found)
        found.partner_values = {value.id: self._make_partner_values(value, found) for value in values}
        unknown = [value for value in values if not self._find_own_partner(connection, value.id, found)[0]]
        self._look_up_candidates(connection, unknown, found)
        return found

    def _look_up_rows(self, connection, values):
        """Return a `VendorLookup` with the rows of the vendors and their contacts, and the partners of these."""
        Record = self.env['ramp.record']
        rows, others = {}, defaultdict(list)
        ids = [value.id for value in values]
        for row in Record.search_fetch(
            [('flow', '=', self._flow), ('ramp_id', 'in', ids)],
            ['ramp_id', 'connection_id', 'res_id', 'noted', 'state'],
            order='id',
        ):
            if row.connection_id == connection:
                rows[row.ramp_id] = row
            else:
                others[row.ramp_id].append(row.res_id)
        contacts = {contact.id for value in values for contact in value.contacts or ()}
        contact_rows, other_contacts = defaultdict(dict), {}
        for row in Record.search_fetch(
            Domain('flow', '=', 'vendor_contact')
            & (
                Domain('ramp_id', 'in', list(contacts))
                | (Domain('connection_id', '=', connection.id) & Domain('parent_ramp_id', 'in', ids))
            ),
            CONTACT_COLUMNS,
            order='id',
        ):
            if row.connection_id == connection:
                contact_rows[row.parent_ramp_id][row.ramp_id] = row
            elif row.res_id:
                other_contacts[row.ramp_id] = row.res_id
        partners = self._find_existing_partners(
            [
                *(row.res_id for row in rows.values()),
                *(res_id for ids in others.values() for res_id in ids),
                *(row.res_id for of_vendor in contact_rows.values() for row in of_vendor.values()),
                *other_contacts.values(),
            ]
        )
        return self._lookup_class(
            rows=rows, others=others, contact_rows=contact_rows, other_contacts=other_contacts, partners=partners
        )

    def _look_up_states(self, values, found):
        """Return the states of the countries that occur in the addresses.

        :return: {(country id, 'code ' and the code, or the name): state id}; codes and names in the form of `name_key`
        """
        countries = {
            found.countries.get(_get_text_code(address.country))
            for value in values
            for address in (_make_partner_address(value.vendor),)
        }
        states = {}
        for state in self.env['res.country.state'].search_fetch(
            [('country_id', 'in', [country for country in countries if country])],
            ['code', 'name', 'country_id'],
            order='id',
        ):
            states.setdefault((state.country_id.id, name_key(state.name)), state.id)
            states[state.country_id.id, f'code {name_key(state.code)}'] = state.id
        return states


def _get_payload_id(payload):
    """Return the Ramp id of a payload in lower case, or '' if the payload is broken."""
    identity = payload.get('id') if isinstance(payload, dict) else None
    return identity.lower() if isinstance(identity, str) else ''


def _get_vendor_name(vendor):
    """Return the name that people know a vendor by; it is never empty."""
    return clean_text(vendor.name) or clean_text(vendor.name_legal) or vendor.id


def _get_text_code(text):
    return (clean_text(text) or '').upper()


def _make_partner_address(vendor):
    """Return the address of a vendor that its partner gets.

    If none is usable, it has only the vendor's state and country.
    """
    candidates = (
        vendor.address,
        *sorted(vendor.addresses, key=lambda address: not address.is_default),
        vendor.tax_address,
    )
    for address in candidates:
        if address and any(map(clean_text, (address.address_line_1, address.city, address.postal_code))):
            return dataclasses.replace(address, country=address.country or vendor.country)
    return dataclasses.replace(NO_ADDRESS, state=vendor.state, country=vendor.country)


def _get_tax_id(text):
    """Return a tax id in the form in which it is written, or False.

    It is False for text that cannot be one: "n/a", or a masked or made-up number.
    """
    text, digits = (clean_text(text) or '').upper(), re.sub(r'\D', '', text or '')
    if len(digits) < 5 or len(set(digits)) == 1 or '*' in text or len(text) > 40:
        return False
    return re.sub(r'[^A-Z0-9]', '', text) if text[:2].isalpha() else text
