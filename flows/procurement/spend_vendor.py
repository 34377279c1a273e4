# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses

from odoo import api, models
from odoo.fields import Domain
from odoo.tools import SQL, LazyTranslate

from ...models.res_partner import WANT_STATE
from ...ramp_api import RampNotFound, read_vendor
from ..engine.push_job import UNSAID, Remote
from ..engine.reasons import Held
from ..engine.resolve import LOOK_UP_ALONE

_lt = LazyTranslate(__name__)

PLACE = ('country', 'state', 'address')
ADDRESS = ('address_line_1', 'address_line_2', 'city', 'postal_code', 'state', 'country')
# Sent only when a vendor is created. Ramp has no way to change these (contract 2026-08-01).
VENDOR_SENT_ONCE = ('name', 'contact')
EVERYTHING = {'include_draft': 'true'}  # drafts are vendors that await approval in Ramp


class RampFlowSpendVendor(models.AbstractModel):
    """Partners as vendors of bill pay, if somebody in Odoo needs them in Ramp (see `res.partner.ramp_spend_vendor`).

    Schema: ApiVendorCreateRequestBody. Ramp takes several vendors of one external id (contract 2026-08-01). So each
    vendor is looked up before it is created: by our id, then by the accounting vendor of the partner. A vendor that
    exists is adopted. The flow `vendor` pulls it back, and knows it by our id. A partner that the pull has linked to
    another vendor is left alone.
    """

    _name = 'ramp.flow.spend_vendor'
    _inherit = 'ramp.flow.push'
    _description = 'Ramp Flow: vendors created from Odoo'

    _flow = 'spend_vendor'
    _flow_sequence = 7
    _model = 'res.partner'
    _kind = 'partner'
    _endpoint = '/vendors'
    _remote_keys = ('id', 'external_vendor_id')
    _upload_size = 1
    _asked_first = True

    @api.model
    def _get_flow_label(self):
        return self.env._('Vendors from Odoo')

    @api.model
    def _is_enabled_for(self, connection):
        return connection.pull_bills

    @api.model
    def _get_ramp_page_path(self, record):
        return f'/bill-pay/vendors/{record.ramp_id}' if record.ramp_id else None

    # ------------------------------------------------------------------ desired state

    def _get_wanted_domain(self, connection):
        if not connection.pull_bills:
            return Domain.FALSE
        seat = connection.accounting_connection_id  # the domain is cached, and must not keep the connection's cursor

        def is_nobody_else(model, alias, query):
            return SQL(
                """NOT EXISTS (
                    SELECT FROM ramp_record v JOIN ramp_connection c ON c.id = v.connection_id
                     WHERE v.flow = 'vendor' AND v.res_model = 'res.partner' AND v.res_id = %s AND c.accounting_connection_id = %s
                       AND NOT EXISTS (
                        SELECT FROM ramp_record s
                         WHERE s.flow = 'spend_vendor' AND s.res_id = v.res_id AND s.ramp_id = v.ramp_id))""",
                SQL.identifier(alias, 'id'),
                seat,
            )

        return (
            Domain('ramp_spend_vendor', '=', True)
            & Domain('active', '=', True)
            & Domain('parent_id', '=', False)
            & Domain('company_id', 'in', [False, *connection.company_id.parent_ids.ids])
            & Domain.custom(to_sql=self.env['res.partner']._ramp_is_vendor)
            & Domain.custom(to_sql=is_nobody_else)
        )

    def _get_desired_values(self, connection, records):
        Record = self.env['ramp.record']
        there = {
            row.res_id: row.payload or {}
            for row in Record.search_fetch(
                [
                    ('connection_id', '=', connection.id),
                    ('flow', '=', self._flow),
                    ('res_id', 'in', records.ids),
                    ('ramp_id', '!=', False),
                ],
                ['res_id', 'payload'],
            )
        }
        business = ('connection_id.accounting_connection_id', '=', connection.accounting_connection_id)
        suppliers = {
            row.res_id: row.remote_id
            for row in Record.search_fetch(
                [
                    ('flow', '=', 'accounting_vendor'),
                    ('state', '=', 'confirmed'),
                    ('res_id', 'in', records.ids),
                    ('remote_id', '!=', False),
                    business,
                ],
                ['res_id', 'remote_id'],
                order='id desc',
            )
        }
        pulled = (
            {
                row.res_id
                for row in Record.search_fetch(
                    [('flow', '=', 'vendor'), ('res_model', '=', self._model), ('res_id', 'in', records.ids), business],
                    ['res_id'],
                )
            }
            if connection.vendor_policy == 'ramp'
            else set()
        )
        desired = {}
        for partner in records:
            known, missing = there.get(partner.id), partner._ramp_vendor_missing()
            if missing and known is None:
                desired[partner.id] = Held(' '.join(missing))
                continue
            values = {'offered': True}
            if known is None:
                values |= {'name': self._get_display_title(partner), 'contact': self._get_vendor_contact(partner)}
            if partner.id in suppliers:
                values['accounting_vendor'] = suppliers[partner.id]
            if not missing and partner.id not in pulled:  # Ramp's own data are not sent back
                # An adopted vendor keeps Ramp's value until the value in Odoo changes.
                kept = (known or {}).get('kept', {})
                values |= {
                    key: value
                    for key, value in self._get_vendor_place(partner).items()
                    if kept.get(key, UNSAID) != value
                }
            desired[partner.id] = values
        return desired

    def _get_display_title(self, record):
        return record.name or record.display_name

    def _get_vendor_place(self, partner):
        """Return the country and state of a partner and, if Ramp would accept it, the address."""
        country = partner.country_id.code
        # A code where Ramp requires one. Elsewhere, codes mean nothing to the reader of an address.
        state = (partner.state_id.code if country in WANT_STATE else partner.state_id.name) or None
        place = {'country': country, 'state': state}
        if partner._ramp_vendor_has_address():
            place['address'] = {
                key: value
                for key, value in (
                    ('address_line_1', partner.street),
                    ('address_line_2', partner.street2),
                    ('city', partner.city),
                    ('postal_code', partner.zip),
                    ('state', state),
                    ('country', country),
                )
                if value
            }
        return place

    def _get_vendor_contact(self, partner):
        person, email = partner._ramp_vendor_contact()
        first, _space, last = ('' if person.is_company else person.name or '').strip().partition(' ')
        return {
            key: value
            for key, value in (
                ('email', email),
                ('first_name', first),
                ('last_name', last.strip()),
                ('phone', person.phone or partner.phone),
            )
            if value
        }

    def _reason_not_offered(self, record):
        if not record.active:
            return self.env._('Archived in Odoo.')
        if not record.ramp_spend_vendor:
            return self.env._('It is no longer requested as a vendor in Ramp.')
        if record.parent_id:
            return self.env._('It now belongs to another partner, and a contact is not a vendor.')
        if reason := record._ramp_no_vendor():
            return reason
        if self.env['ramp.record'].search_count(
            [('flow', '=', 'vendor'), ('res_model', '=', self._model), ('res_id', '=', record.id)]
        ):
            return self.env._('Ramp already has this vendor, so none is created.')
        return self.env._('It does not belong to the company of the connection.')

    def _collect_changed_records(self, connections):
        """EXTENDS: link a supplier to its vendor once Ramp has the supplier."""
        self.env['ramp.record'].flush_model()
        for connection in connections:
            rows = self.env.execute_query(
                SQL(
                    """
                SELECT s.res_id FROM ramp_record s
                 WHERE s.flow = %(flow)s AND s.connection_id = %(connection)s AND s.state = 'confirmed' AND EXISTS (
                    SELECT FROM ramp_record a JOIN ramp_connection c ON c.id = a.connection_id
                     WHERE a.flow = 'accounting_vendor' AND a.state = 'confirmed' AND a.res_id = s.res_id
                       AND c.accounting_connection_id = %(seat)s AND a.remote_id <> COALESCE(s.payload ->> 'accounting_vendor', ''))
                """,
                    flow=self._flow,
                    connection=connection.id,
                    seat=connection.accounting_connection_id,
                )
            )
            if rows:
                self.env['ramp.record']._mark_dirty(connection, self._flow, [row[0] for row in rows])
        return super()._collect_changed_records(connections)

    # ------------------------------------------------------------------ sending

    def _post_push_jobs(self, connection, client, jobs):
        [job] = jobs
        if 'contact' not in job.desired:
            return []  # somebody just deleted it in Ramp: the next run checks whether it is still wanted
        answer = client.post(self._endpoint, self._make_upload_item(job))
        # The answer is about the vendor that was sent, whatever external id it shows.
        return [{**answer, 'external_vendor_id': job.remote_id}] if isinstance(answer, dict) else []

    def _make_upload_item(self, job):
        values = job.desired
        body = {
            'name': values['name'],
            'business_vendor_contacts': values['contact'],
            'external_vendor_id': job.remote_id,
            'accounting_vendor_remote_id': values.get('accounting_vendor'),
            **{key: values.get(key) for key in PLACE},
        }
        return {key: value for key, value in body.items() if value}

    def _update_remote_object(self, client, job, changes):
        body = {key: changes[key] for key in PLACE if key in changes}
        if 'accounting_vendor' in changes:
            body['accounting_vendor_remote_id'] = changes['accounting_vendor']
        if body:
            try:
                client.patch(f'{self._endpoint}/{job.ramp_id}', body, idempotent=True)
            except RampNotFound as error:
                # It was just deleted, and is created again once Ramp does not list it. Or what it refers to is gone.
                raise Held(
                    _lt(
                        'Ramp cannot find the vendor, or something that it refers to: %s. Odoo will check again.', error
                    )
                ) from error

    def _deactivate_remote_object(self, client, job):
        """Send nothing: the vendor stays in Ramp, and the reason says so.

        It may have bills, and people in Ramp who work with it. They decide whether to deactivate it.
        """
        job.reason = self.env._(
            '%s The vendor stays in Ramp unchanged. Deactivate it there if it is no longer needed.', job.reason
        )

    def _store_push_results(self, run, jobs, sent=True):
        for job in jobs:
            if job.known:
                job.known.pop('contact', None)  # owned by Ramp from now on, and read by the flow `vendor`
            if job.state == 'confirmed' and job.known.get('name') not in (None, job.name):
                job.error = self.env._(
                    'Its name in Ramp is "%s". Odoo cannot change it. Change it in Ramp if necessary.',
                    job.known['name'],
                )
        if any(job.state == 'confirmed' for job in jobs):
            self.env['ramp.flow.purchase_order']._trigger()  # orders may wait for their vendor
        return super()._store_push_results(run, jobs, sent)

    # ------------------------------------------------------------------ lookups in Ramp

    def _read_remote_object(self, payload, query):
        vendor = read_vendor(payload)
        address = (
            {key: getattr(vendor.address, key) for key in ADDRESS if getattr(vendor.address, key)}
            if vendor.address
            else None
        )
        return Remote(
            vendor.external_vendor_id,
            vendor.id,
            {
                'name': vendor.name,
                'country': vendor.country,
                'state': vendor.state,
                'offered': True,
                'address': address or None,
                'accounting_vendor': vendor.accounting_vendor_remote_id,
            },
        )

    def _read_remote_objects(self, payloads, query):
        return [
            self._read_remote_safely(payload, query)
            for payload in payloads
            if isinstance(payload, dict) and payload.get('id')
        ]

    def _get_lookup_query(self, job):
        return {'external_vendor_id': job.remote_id, **EVERYTHING}

    def _resolve_uncertain_jobs(self, connection, client, jobs):
        """OVERRIDES: look up each vendor by our id, else by the accounting vendor.

        Many vendors are looked up in the list of all vendors.
        """
        listed = self._fetch_remote_list(client, EVERYTHING) if len(jobs) > LOOK_UP_ALONE else None
        by_ramp_id = {remote.ramp_id: remote for remote in listed or ()}
        by_id = {remote.remote_id: remote for remote in listed or ()}
        for job in jobs:
            if listed is None:
                self._look_up_single_job(connection, client, job)
            else:
                self._apply_remote_state(job, by_ramp_id.get(job.ramp_id) or by_id.get(job.remote_id))
            link = not job.known and not job.blocked and job.desired and job.desired.get('accounting_vendor')
            if link:
                remotes = (
                    self._query_remote_objects(client, {'accounting_vendor_remote_ids': link, **EVERYTHING})
                    if listed is None
                    else listed
                )
                remote = next((remote for remote in remotes if remote.values.get('accounting_vendor') == link), None)
                if remote:
                    self._adopt_remote_vendor(connection, job, remote)

    def _adopt_remote_vendor(self, connection, job, remote):
        """Adopt the vendor that Ramp has for this supplier, unless it is another partner in Odoo."""
        other = self.env['ramp.record'].search(
            self._rows_of_business_domain(connection)
            & Domain('flow', 'in', ('vendor', self._flow))
            & Domain('ramp_id', '=', remote.ramp_id)
            & Domain('res_model', '=', self._model)
            & Domain('res_id', 'not in', (False, job.res_id)),
            limit=1,
        )
        name = other and self.env[self._model].browse(other.res_id).exists().display_name
        self.env.cr.rollback()
        if name:
            job.state, job.blocked, job.uncertain = 'held', True, True
            job.error = self.env._(
                'Ramp has linked this supplier to the vendor %(vendor)s, which is the partner %(partner)s in Odoo. '
                'Remove that link in '
                'Ramp, or merge the two partners.',
                vendor=remote.values['name'],
                partner=name,
            )
            return
        kept = {key: job.desired[key] for key in PLACE if key in job.desired and remote.values[key]}
        self._apply_remote_state(job, remote)
        job.known['kept'] = kept
        job.desired = {key: value for key, value in job.desired.items() if key not in kept}

    def _apply_remote_state(self, job, remote):
        kept = (job.known or {}).get('kept')
        if remote:
            # An adopted vendor has somebody else's external id, or none.
            remote = dataclasses.replace(
                remote, remote_id=job.remote_id, values={**remote.values, **({'kept': kept} if kept else {})}
            )
            job.desired = job.desired and {
                key: value for key, value in job.desired.items() if key not in VENDOR_SENT_ONCE
            }
        return super()._apply_remote_state(job, remote)
