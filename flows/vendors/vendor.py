# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import logging
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

_logger = logging.getLogger(__name__)

TEXT_LENGTH = 4000  # characters of a description that fit into the notes of a partner
# What of a vendor becomes something here; the rest (spend, owner, bank accounts) changes without meaning anything for a
# partner.
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
# Ramp has no field for these: businesses keep them in columns of their own
TAX_ID_NAMES = frozenset(
    {
        'abn',
        'business tax id',
        'ein',
        'federal tax id',
        'gst number',
        'gstin',
        'tax id',
        'tax id number',
        'tax identification number',
        'tax no',
        'tax number',
        'taxid',
        'tin',
        'vat',
        'vat id',
        'vat no',
        'vat number',
        'vat registration number',
    }
)
WEBSITE_NAMES = frozenset({'homepage', 'url', 'web', 'web site', 'website'})
WEBSITE = re.compile(r'(https?://)?([\w-]+\.)+[^\W\d_]{2,}(:\d{1,5})?([/?#]\S*)?', re.IGNORECASE)


@dataclasses.dataclass
class VendorPlan:
    """What will become of one vendor.

    values: what Ramp has, as `_make_partner_values` says it; partner: who it is, empty: to be created; how: why, of a
    partner just found; refused: what Odoo said of the tax id
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

    A vendor's row follows it: a change in Ramp is worked in, as far as the connection's `vendor_policy` lets it
    (`vendor_changes`). Who a vendor is in Odoo is found in `vendor_matching`; the contacts are the work of
    `vendor_contact`. Schemas: Vendor of GET /vendors, ApiVendorDetailResource, ApiVendorContactResource. Ramp does not
    say when a vendor changed, only lists those that did since a moment; contacts and own columns have to be asked for,
    vendor by vendor.
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
        return False  # what Ramp's own column says is of the accounting vendor

    def _get_booking_facts(self, value):
        return {
            **self._get_listed_facts(value),
            'custom_fields': sorted(value.vendor.custom_fields),
            'contacts_detail': value.contacts and [dataclasses.asdict(contact) for contact in value.contacts],
            'complete': value.contacts is not None,
        }

    def _get_listed_facts(self, value):
        """What of a vendor the list shows, too."""
        facts = dataclasses.asdict(value.vendor)
        return {**{key: facts[key] for key in FACTS}, 'contacts': sorted(value.vendor.contacts)}

    def _get_ledger_columns(self, connection, value):
        return {'name': _get_vendor_name(value.vendor)}

    # ------------------------------------------------------------------ for bills

    def _ensure_vendors_booked(self, connection, client, vendor_ids):
        """Have vendors in the ledger and in Odoo before something of theirs is booked, whatever the order of the jobs.

        Outside any transaction. One that Ramp does not have, or whose details do not arrive, gets no row. Raises
        `RampError` when Ramp cannot be asked at all.
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
        nobody = self.env['ramp.run']  # it is not a run of this flow's own
        trouble = None
        for part in split_every(AT_ONCE, [ramp_id for ramp_id in vendor_ids if ramp_id not in there]):
            asked = self._get_database_time()
            answers, trouble = self._fetch_all_details(client, dict.fromkeys(part, {}))
            payloads = [answer for answer in answers.values() if isinstance(answer, dict)]
            if payloads:
                self._transaction(self._store_listed_page, connection, nobody, payloads, asked)
            if trouble:
                break
        self._book_and_confirm(
            connection, nobody, client, [ramp_id for ramp_id in vendor_ids if not there.get(ramp_id)]
        )
        if trouble:
            raise trouble

    def _find_vendor_partners(self, connection, vendor_ids):
        """{Ramp id of a vendor: (partner, None), or (empty recordset, why there is none; None: nothing is known of
        it)}.
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

    # ------------------------------------------------------------------ booking, one worker at a time

    def _book_and_confirm(self, connection, run, client, ramp_ids):
        if not ramp_ids:
            return None
        # two that did not see each other's partners would make one twice
        with self._exclusive_session_lock(self._flow):
            return super()._book_and_confirm(connection, run, client, ramp_ids)

    def _book_all_due(self, connection, run, client):
        with self._exclusive_session_lock(self._flow):
            return super()._book_all_due(connection, run, client)

    # ------------------------------------------------------------------ looking up

    def _look_up_references(self, connection, values):
        """The rows of these vendors and of their contacts, their partners, and who they might be; a constant number of
        queries.
        """
        found = self._look_up_rows(connection, values)
        found['countries'] = {
            country.code: country.id for country in self.env['res.country'].search_fetch([], ['code'])
        }
        found['states'] = self._look_up_states(values, found)
        found['values'] = {value.id: self._make_partner_values(value, found) for value in values}
        unknown = [value for value in values if not self._find_own_partner(connection, value.id, found)[0]]
        self._look_up_candidates(connection, unknown, found)
        return found

    def _look_up_rows(self, connection, values):
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
        return {
            'rows': rows,
            'others': others,
            'contact_rows': contact_rows,
            'other_contacts': other_contacts,
            'partners': partners,
        }

    def _look_up_states(self, values, found):
        """{(country id, code or name, as names are compared): state id} of the countries that occur."""
        countries = {
            found['countries'].get(_get_text_code(address.country))
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
    """The Ramp id of a payload, however broken it is."""
    identity = payload.get('id') if isinstance(payload, dict) else None
    return identity.lower() if isinstance(identity, str) else ''


def _get_vendor_name(vendor):
    """What a person knows a vendor by; never empty."""
    return clean_text(vendor.name) or clean_text(vendor.name_legal) or vendor.id


def _get_text_code(text):
    return (clean_text(text) or '').upper()


def _make_partner_address(vendor):
    """The address to use; at least its country and state are those of the vendor."""
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
    """A tax id as it is written down, or False for what cannot be one ("n/a", a masked or a made-up number)."""
    text, digits = (clean_text(text) or '').upper(), re.sub(r'\D', '', text or '')
    if len(digits) < 5 or len(set(digits)) == 1 or '*' in text or len(text) > 40:
        return False
    return re.sub(r'[^A-Z0-9]', '', text) if text[:2].isalpha() else text
