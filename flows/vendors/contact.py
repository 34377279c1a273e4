# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
from collections import defaultdict

from odoo import api, models
from odoo.tools import email_normalize

from ...models.ledger_json import json_digest
from ..accounting.booking import QUIET, clean_text
from ..engine.payloads import jsonable
from .field_merge import OWN, PLAIN
from .vendor_notes import ContactNote

CONTACT_COLUMNS = [
    'ramp_id',
    'parent_ramp_id',
    'connection_id',
    'res_id',
    'noted',
    'state',
    'hold_reason',
    'error_message',
    'payload',
]


class RampFlowVendorContact(models.AbstractModel):
    """Contacts of vendors, which become contacts of their partners.

    This flow has no list and no job. The flow of the vendors makes one row for each contact and handles it with its
    vendor.
    """

    _name = 'ramp.flow.vendor_contact'
    _inherit = ['ramp.flow', 'ramp.vendor.changes']
    _description = 'Ramp Flow: contacts of vendors'

    _flow = 'vendor_contact'
    _flow_sequence = 31

    @api.model
    def _get_flow_label(self):
        return self.env._('Vendor contacts')

    @api.model
    def _get_ramp_page_path(self, record):
        return record.parent_ramp_id and f'/bill-pay/vendors/{record.parent_ramp_id}'

    @api.model
    def _trigger(self):
        self.env['ramp.flow.vendor']._trigger()

    # ------------------------------------------------------------------ together with the vendors

    def _read_contacts(self, value):
        """Return the contacts that have a name or an email address, the default contact first.

        :param value: `VendorDetail`
        :return: list of (VendorContact, values for its partner)
        """
        contacts = []
        for contact in sorted(value.contacts or (), key=lambda contact: not contact.is_default):
            email = clean_text(contact.email)
            name = clean_text(' '.join(filter(None, (contact.first_name, contact.last_name)))) or email
            if name:
                contacts.append((contact, {'name': name, 'email': email, 'phone': clean_text(contact.phone)}))
        return contacts

    def _write_vendor_contacts(self, connection, plans, partners):
        """Create, update and archive the contacts of vendors, and write a row for each.

        :param plans: list of `VendorPlan`
        :param partners: {row of a vendor: its partner}
        """
        Record = self.env['ramp.record']
        contact_rows = self._store_contact_rows(connection, plans)
        children = self._find_contact_children([partners[plan.row] for plan in plans if plan.partner])
        done, noted, todo = {}, {}, []
        ours = self.env['ramp.flow.vendor']._look_up_ours(
            {
                *(row.res_id for rows in contact_rows.values() for row in rows.values() if row.res_id),
                *(
                    plan.found.other_contacts[contact.id]
                    for plan in plans
                    for contact, _values in plan.contacts
                    if contact.id in plan.found.other_contacts
                ),
                *(child.id for same in children.values() for child in same),
            }
        )
        for plan in plans:
            rows, partner = contact_rows[plan.detail.id], partners[plan.row]
            for contact, values in plan.contacts:
                row = rows[contact.id]
                if row._waits_for_person():
                    continue  # a person deleted it or left it out
                existing = plan.found.partners.get(row.res_id)
                before = row._read_note(ContactNote) if existing else ContactNote()
                if not existing:
                    existing = self._find_matching_contact(plan, partner, contact, values, children, rows)
                if not existing:
                    todo.append((row, values, partner))
                    continue
                existing = existing.with_context(**QUIET, active_test=False)
                written = dict(before.written or {})
                is_ours = ours.get(existing.id)
                changes = self._merge_field_changes(
                    connection, values, self._get_current_values(existing, values), written, is_ours
                )
                if before.archived and not existing.active and is_ours != OWN:
                    changes['active'] = True
                if not plan.partner and not existing.parent_id and existing != partner and is_ours != OWN:
                    changes['parent_id'] = partner.id  # its former parent was deleted
                if changes:
                    existing.write(changes)
                current = self._get_current_values(existing, values)
                written.update((key, [value, current[key]]) for key, value in changes.items() if key in values)
                done[row] = existing
                noted[row] = ContactNote(written=written, created=bool(before.created)).to_json()
                if before.created:
                    self._archive_contact_copies(
                        existing, children[partner.id, (existing.email or '').casefold()], rows
                    )
            self._remove_vendor_contacts(plan, rows)
        for (row, values, _partner), contact in zip(
            todo, self._create_vendor_contacts(todo, plans, partners), strict=True
        ):
            current = self._get_current_values(contact, values)
            done[row] = contact
            noted[row] = ContactNote(
                written={key: [value, current[key]] for key, value in values.items() if value}, created=True
            ).to_json()
        changed = [row for row, partner in done.items() if row.state != 'confirmed' or row.res_id != partner.id]
        Record.browse(row.id for row in changed)._mark_booked([done[row] for row in changed], None, told=False)
        Record._store_noted({row.id: values for row, values in noted.items() if values != row.noted})

    def _archive_contact_copies(self, contact, others, rows):
        """Archive the copies that an earlier version made of a contact that Ramp listed twice.

        A copy was created by the system, has the same values, and belongs to no row. It stays if it has a user.
        """
        taken = {row.res_id for row in rows.values() if row.res_id}
        current = self._get_current_values(contact, ('name', 'email', 'phone'))
        copies = others.filtered(
            lambda other: (
                other != contact
                and other.id not in taken
                and other.create_uid._is_superuser()
                and self._get_current_values(other, current) == current
            )
        )
        copies.filtered(lambda other: not other.with_context(active_test=False).user_ids).with_context(
            **QUIET
        ).active = False

    def _store_contact_rows(self, connection, plans):
        """Store the contacts in the ledger and return their rows.

        :return: {Ramp id of a vendor: {Ramp id of a contact: row}}, with the contacts that Ramp no longer has
        """
        # This is a copy, so that `found` keeps no rows that a rollback of the batch removes.
        known = {plan.detail.id: dict(plan.found.contact_rows[plan.detail.id]) for plan in plans}
        Record, rows = self.env['ramp.record'], []
        for plan in plans:
            told = {contact.id: values for contact, values in plan.contacts}
            for contact in plan.detail.contacts:
                facts = jsonable(dataclasses.asdict(contact))
                row = known[plan.detail.id].get(contact.id)
                if row is None or row.payload != facts:
                    rows.append(
                        {
                            'ramp_id': contact.id,
                            'parent_ramp_id': plan.detail.id,
                            'payload': facts,
                            'payload_hash': json_digest(facts),
                            'name': told[contact.id]['name']
                            if contact.id in told
                            else self.env._('Contact of %s', plan.values['name']),
                        }
                    )
        if rows:
            Record._upsert_page(connection, 'vendor_contact', rows, self.env.cr.now(), updates=True)
            for row in Record.search_fetch(
                [
                    ('connection_id', '=', connection.id),
                    ('flow', '=', 'vendor_contact'),
                    ('ramp_id', 'in', [row['ramp_id'] for row in rows]),
                ],
                CONTACT_COLUMNS,
            ):
                if row.parent_ramp_id in known:
                    known[row.parent_ramp_id][row.ramp_id] = row
        return known

    def _create_vendor_contacts(self, todo, plans, partners):
        """Create contacts and return them in the given order.

        Contacts of a new partner get the shared fields at once. Core would sync them one by one.

        :param todo: list of (row, values, partner)
        """
        Partner = self.env['res.partner'].with_context(**QUIET)
        new = {partners[plan.row].id for plan in plans if not plan.partner}
        contacts = [
            (
                partner.id in new,
                {
                    **(self._get_shared_values(partner) if partner.id in new else {}),
                    **{key: value for key, value in values.items() if value},
                    'type': 'contact',
                    'parent_id': partner.id,
                    'company_id': partner.company_id.id,
                },
            )
            for _row, values, partner in todo
        ]
        made = {
            new_ones: iter(
                Partner.with_context(_partners_skip_fields_sync=new_ones).create(
                    [values for is_new, values in contacts if is_new is new_ones]
                )
            )
            for new_ones in (True, False)
        }
        return [next(made[is_new]) for is_new, _values in contacts]

    def _get_shared_values(self, partner):
        """Return the values that a partner shares with its contacts, as `_fields_sync` would write them."""
        return {**partner._get_address_values(), **(partner._get_commercial_values() if partner.is_company else {})}

    def _find_contact_children(self, partners):
        """Return the contacts of existing partners, with one query.

        :return: {(partner id, case-folded email): contacts}
        """
        children = defaultdict(self.env['res.partner'].browse)
        if partners:
            for child in self.env['res.partner'].search_fetch(
                [
                    ('parent_id', 'in', [partner.id for partner in partners]),
                    ('email', '!=', False),
                    ('type', '=', 'contact'),
                ],
                ['parent_id', *PLAIN],
            ):
                children[child.parent_id.id, (email_normalize(child.email) or child.email.strip()).casefold()] += child
        return children

    def _find_matching_contact(self, plan, partner, contact, values, children, rows):
        """Return the contact that Odoo already has for a contact in Ramp, or an empty recordset.

        That is the one that another connection uses. Otherwise it is the only contact of the partner with this email
        that belongs to no row.
        """
        found = plan.found
        other = found.partners.get(found.other_contacts.get(contact.id))
        if other and other.parent_id == partner:
            return other
        taken = {row.res_id for row in rows.values() if row.res_id}
        same = children[partner.id, (values['email'] or '').casefold()].filtered(lambda child: child.id not in taken)
        return same if len(same) == 1 else self.env['res.partner']

    def _remove_vendor_contacts(self, plan, rows):
        """Archive the contacts that Ramp no longer has, unless somebody edited them."""
        listed = {contact.id for contact in plan.detail.contacts}
        told = {contact.id for contact, _values in plan.contacts}
        for ramp_id, row in rows.items():
            if ramp_id in told or row._waits_for_person():
                continue
            partner, note = plan.found.partners.get(row.res_id), row._read_note(ContactNote)
            if ramp_id in listed and not partner:
                reason = self.env._('It has neither a name nor an email address in Ramp.')
            elif row.state == 'ignored':
                continue
            elif partner and self._is_untouched_contact(partner, note):
                partner.with_context(**QUIET).active = False
                self.env['ramp.record']._store_noted({row.id: dataclasses.replace(note, archived=True)})
                reason = self.env._('Ramp no longer has this contact, so it was archived here.')
            else:
                reason = self.env._(
                    'Ramp no longer has this contact. It stays here, because it differs from what Ramp had.'
                )
            if (row.state, row.error_message) != ('ignored', reason):
                row._ignore_by_rule(reason)

    def _is_untouched_contact(self, partner, note):
        """Return whether a contact is still as this flow created it.

        :param note: `ContactNote` of its row
        """
        written = note.written or {}
        current = self._get_current_values(partner, ('name', 'email', 'phone'))
        return (
            note.created
            and partner.active
            and not partner.with_context(active_test=False).user_ids
            and all(current[key] == (written[key][1] if key in written else False) for key in current)
        )
