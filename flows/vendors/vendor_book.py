# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import re

from markupsafe import Markup

from odoo import models
from odoo.exceptions import ValidationError
from odoo.tools import LazyTranslate

from ..accounting.booking import QUIET, clean_text
from ..engine.names import name_key
from ..engine.reasons import Held, Waiting
from .field_merge import OWN, has
from .vendor import VendorPlan, _get_tax_id, _get_text_code, _get_vendor_name, _make_partner_address
from .vendor_notes import VendorNote

_lt = LazyTranslate(__name__)

TEXT_LENGTH = 4000  # characters of a vendor's description that go into the partner's notes
# Ramp has no field for tax id and website (contract 2026-08-01). Businesses keep them in custom fields of these names.
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


class RampFlowVendorBook(models.AbstractModel):
    """Decide what becomes of vendors in Odoo, and write it in batches, but only where it differs."""

    _inherit = 'ramp.flow.vendor'

    # ------------------------------------------------------------------ decisions

    def _plan_object(self, connection, value, found):
        if value.contacts is None:
            raise Waiting(_lt('Ramp did not send its details and contacts. The next run asks again.'))
        partner, elsewhere = self._find_own_partner(connection, value.id, found)
        how = elsewhere and self.env._('known from another connection')
        if partner and not self._is_usable_partner(connection, partner):
            raise Held(self._of_another_company(partner))
        if not partner:
            partner, how = self._match_vendor_partner(value, found)
        return VendorPlan(
            detail=value,
            row=found.rows[value.id],
            partner=partner,
            how=how,
            values=found.partner_values[value.id],
            contacts=self.env['ramp.flow.vendor_contact']._read_contacts(value),
            found=found,
        )

    def _make_partner_values(self, value, found):
        """Return what Ramp has of a vendor, as values for its partner.

        `address` is a list in the order of `ADDRESS`. `comment` is plain text.
        """
        vendor, lines = value.vendor, []
        name, legal, address = _get_vendor_name(vendor), clean_text(vendor.name_legal), _make_partner_address(vendor)
        country = found.countries.get(_get_text_code(address.country), False)
        state = address.state and (
            found.states.get((country, f'code {name_key(clean_text(address.state))}'))
            or found.states.get((country, name_key(clean_text(address.state))))
        )
        if legal and legal != name:
            lines.append(self.env._('Legal name: %s', legal))
        lines += [line for line in map(clean_text, (vendor.description or '')[:TEXT_LENGTH].splitlines()) if line]
        if clean_text(address.state) and not state:
            lines.append(self.env._('State or region: %s', clean_text(address.state)))
        if clean_text(address.country) and not country:
            lines.append(self.env._('Country: %s', clean_text(address.country)))
        custom = {' '.join(re.split(r'[\s_.-]+', name_key(key))): text for key, text in reversed(vendor.custom_fields)}
        tax_ids = [
            tax_id for key, text in custom.items() if key.strip() in TAX_ID_NAMES and (tax_id := _get_tax_id(text))
        ]
        websites = [clean_text(text) for key, text in custom.items() if key.strip() in WEBSITE_NAMES]
        contact = next((values for _contact, values in self.env['ramp.flow.vendor_contact']._read_contacts(value)), {})
        return {
            'name': name,
            'is_company': vendor.vendor_type != 'INDIVIDUAL',
            'address': [
                clean_text(address.address_line_1),
                clean_text(address.address_line_2),
                clean_text(address.city),
                clean_text(address.postal_code),
                state or False,
                country,
            ],
            'vat': tax_ids[0] if tax_ids else False,
            'website': next((site for site in websites if site and WEBSITE.fullmatch(site)), False),
            'email': contact.get('email', False),
            'phone': contact.get('phone', False),
            'comment': '\n'.join(lines) or False,
        }

    # ------------------------------------------------------------------ writing

    def _book_plans(self, connection, plans):
        """Create or update the partners of vendors, with their contacts, and return them.

        A tax id that Odoo refuses is left out.
        """
        if len(plans) > 1:
            return self._write_partners(connection, plans)
        [plan] = plans
        try:
            with self.env.cr.savepoint():
                return self._write_partners(connection, plans)
        except ValidationError as error:
            if not plan.values['vat']:
                raise
            refused = ' '.join(str(error).split())
        return self._write_partners(connection, [dataclasses.replace(plan, refused=refused)])

    def _write_partners(self, connection, plans):
        Partner = self.env['res.partner'].with_context(**QUIET, active_test=False)
        noted, notes, partners = {}, {}, {}
        new = [plan for plan in plans if not plan.partner]
        ours = self._look_up_ours([plan.partner.id for plan in plans if plan.partner])
        # A new partner has neither parent nor children, so there are no fields to sync.
        for plan, partner in zip(
            new,
            Partner.with_context(_partners_skip_fields_sync=True).create(
                [
                    {
                        **self._select_values_to_write(
                            {key: value for key, value in self._get_writable_values(plan).items() if has(key, value)}
                        ),
                        'supplier_rank': 1,
                        'company_id': False,
                    }
                    for plan in new
                ]
            ),
            strict=True,
        ):
            partners[plan.row] = partner.with_context(_partners_skip_fields_sync=False)
        for plan in plans:
            before = plan.row._read_note(VendorNote) if plan.partner and not plan.how else VendorNote()
            written, values = dict(before.written or {}), self._get_writable_values(plan)
            if plan.partner:
                partner = partners[plan.row] = plan.partner.with_context(**QUIET, active_test=False)
                changes = self._merge_field_changes(
                    connection,
                    values,
                    self._get_current_values(partner, values, written),
                    written,
                    ours.get(partner.id),
                )
                to_write = self._select_values_to_write(changes, partner.comment)
                if not partner.supplier_rank and ours.get(partner.id) != OWN:
                    to_write['supplier_rank'] = 1
                if to_write:
                    partner.write(to_write)
            else:
                changes = {key: value for key, value in values.items() if has(key, value)}
            current = self._get_current_values(partners[plan.row], plan.values)
            written.update((key, [value, current[key]]) for key, value in changes.items())
            if plan.refused:
                written['vat'] = [plan.values['vat'], current['vat']]
            noted[plan.row.id] = VendorNote(written=written, is_active=plan.detail.vendor.is_active).to_json()
            if lines := self._describe_vendor_changes(plan, before):
                notes[partners[plan.row].id] = Markup('<br/>').join(lines)
        self.env['ramp.record']._store_noted(
            {plan.row.id: noted[plan.row.id] for plan in plans if noted[plan.row.id] != plan.row.noted}
        )
        self.env['ramp.flow.vendor_contact']._write_vendor_contacts(connection, plans, partners)
        if notes:
            Partner.browse(notes)._message_log_batch(bodies=notes)
        return [partners[plan.row] for plan in plans]

    def _get_writable_values(self, plan):
        return {**plan.values, 'vat': False} if plan.refused else plan.values

    def _describe_vendor_changes(self, plan, before):
        """Return the sentences for people who look at the partner.

        :param before: `VendorNote` from before this run
        """
        vendor, lines = plan.detail.vendor, []
        if plan.how:
            lines.append(
                self.env._(
                    'Linked to the vendor %(name)s in Ramp: %(how)s.', name=_get_vendor_name(vendor), how=plan.how
                )
            )
        if vendor.is_active != before.was_active:
            lines.append(
                self.env._('Active again in Ramp.')
                if vendor.is_active
                else self.env._('No longer active in Ramp. It is not archived here, because it may have open bills.')
            )
        if plan.refused:
            lines.append(
                self.env._(
                    'The tax id %(tax_id)s from Ramp is not used: %(reason)s',
                    tax_id=plan.values['vat'],
                    reason=plan.refused,
                )
            )
        return lines
