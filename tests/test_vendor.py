# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import threading
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from odoo import SUPERUSER_ID, api, fields
from odoo.exceptions import ValidationError
from odoo.tests import new_test_user, tagged

from ..flows.engine.flow import RampFlow
from ..flows.engine.pull import RampFlowPull
from ..flows.vendors import vendor_list
from ..models.run_memory import RunMemory
from ..ramp_api import auth
from ..simulator.endpoints import vendors
from .common import RampCase
from .properties import examples, in_turn

ADDRESS = {'address_line_1': '442 Good St', 'city': 'San Diego', 'state': 'CA', 'country': 'US', 'postal_code': '94105'}
TABLES = ('res_partner', 'mail_message')


class VendorCase(RampCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.Partner = cls.env['res.partner'].with_context(active_test=False)

    def pull(self, **values):
        return self.sync('vendor', **values)

    def named(self, *ramp_ids):
        """Store an event of Ramp for each of these vendors."""
        self.env['ramp.event'].create(
            [
                {
                    'connection_id': self.connection.id,
                    'event_id': self.ramp.state.make_new_id(),
                    'type': 'vendors.updated',
                    'object_id': ramp_id,
                    'received_at': fields.Datetime.now(),
                }
                for ramp_id in ramp_ids
            ]
        )

    def row(self, ramp_id):
        return self.record(ramp_id, 'vendor')

    def partner(self, ramp_id):
        """Return the partner of a vendor whose row is confirmed."""
        row = self.row(ramp_id)
        self.assertEqual((row.state, row.error_message), ('confirmed', False))
        self.assertEqual(row.res_model, 'res.partner')
        partner = self.Partner.browse(row.res_id)
        self.assertTrue(partner.exists())
        return partner

    def contact_ids(self, ramp_id):
        return self.ramp.state['vendors'].get_row(ramp_id)['contacts']

    def contact(self, contact_id):
        return self.Partner.browse(self.record(contact_id, 'vendor_contact').res_id)

    def change_contact(self, contact_id, **values):
        vendor_id = self.ramp.state['vendor_contacts'].update_row(contact_id, **values)['_vendor']
        self.ramp.update_vendor(vendor_id)

    def remove_contact(self, contact_id):
        vendor_id = self.ramp.state['vendor_contacts'].get_row(contact_id)['_vendor']
        self.ramp.state['vendor_contacts'].update_row(contact_id, _vendor='nobody')
        self.ramp.update_vendor(
            vendor_id, contacts=[other for other in self.contact_ids(vendor_id) if other != contact_id]
        )

    def return_contact(self, contact_id, vendor_id):
        self.ramp.state['vendor_contacts'].update_row(contact_id, _vendor=vendor_id)
        self.ramp.update_vendor(vendor_id, contacts=[*self.contact_ids(vendor_id), contact_id])

    def asked(self, path=''):
        """Return the paths below /vendors that were requested since the last call, with the time of an incremental
        list.
        """
        requests = [request for request in self.ramp.requests[self.heard :] if '/vendors' in request['path']]
        self.heard = len(self.ramp.requests)
        return [
            request['path'].removeprefix('/developer/v1/vendors') for request in requests if path in request['path']
        ]

    heard = 0

    @contextmanager
    def writing(self, *tables):
        """Collect the statements of this thread that write to these tables."""
        found, thread = [], threading.current_thread()
        before = getattr(thread, 'query_hooks', ())

        def hook(cr, query, params, start, delay):
            text = str(getattr(query, 'code', query)).lstrip().upper()
            if text.startswith(('INSERT', 'UPDATE', 'DELETE')) and any(table.upper() in text[:80] for table in tables):
                found.append(str(query))

        thread.query_hooks = (*before, hook)
        try:
            yield found
        finally:
            thread.query_hooks = before

    def assertHeldVendor(self, ramp_id, pattern):
        row = self.row(ramp_id)
        self.assertEqual((row.state, row.hold_reason), ('held', 'question'), row.error_message)
        self.assertRegex(row.error_message, pattern)
        self.assertFalse(row.res_id)


@tagged('post_install', '-at_install', 'ramp')
class TestVendor(VendorCase):
    """Vendors of bill pay become partners. Existing partners are found, and fields that people edited stay."""

    def test_created_with_everything(self):
        ramp_id = self.ramp.add_vendor(
            'Northwind Paper Co.',
            name_legal='Northwind Paper Company LLC',
            description='Paper & pens\n<b>bold</b>',
            country='US',
            state='CA',
            address={**ADDRESS, 'address_line_2': 'Suite 5'},
            contacts=[
                {
                    'email': 'ada@northwind.example.com',
                    'first_name': 'Ada',
                    'last_name': "O'Brien <AP>",
                    'phone': '+1 212 555 0100',
                },
                {'email': 'second@northwind.example.com'},
            ],
            custom={'Tax ID': '12-3456789', 'Web site': 'https://northwind.example.com/shop', 'Color': 'red'},
        )
        [run] = self.pull()
        self.assertEqual((run.state, run.message, run.created, run.seen), ('done', False, 1, 1))
        partner = self.partner(ramp_id)
        self.assertRecordValues(
            partner,
            [
                {
                    'name': 'Northwind Paper Co.',
                    'is_company': True,
                    'street': '442 Good St',
                    'street2': 'Suite 5',
                    'city': 'San Diego',
                    'zip': '94105',
                    'state_id': self.env.ref('base.state_us_5').id,
                    'country_id': self.env.ref('base.us').id,
                    'vat': '12-3456789',
                    'website': 'https://northwind.example.com/shop',
                    'email': 'ada@northwind.example.com',
                    'phone': '+1 212 555 0100',
                    'supplier_rank': 1,
                    'company_id': False,
                    'active': True,
                    'parent_id': False,
                }
            ],
        )
        self.assertIn('Legal name: Northwind Paper Company LLC', partner.comment)
        self.assertIn('Paper &amp; pens', partner.comment)
        self.assertIn('&lt;b&gt;bold&lt;/b&gt;', partner.comment)
        self.assertRecordValues(
            partner.child_ids.sorted('id'),
            [
                {
                    'name': "Ada O'Brien <AP>",
                    'email': 'ada@northwind.example.com',
                    'phone': '+1 212 555 0100',
                    'type': 'contact',
                },
                {
                    'name': 'second@northwind.example.com',
                    'email': 'second@northwind.example.com',
                    'phone': False,
                    'type': 'contact',
                },
            ],
        )
        for contact in partner.child_ids:
            self.assertEqual(
                (contact.commercial_partner_id, contact.vat, contact.street), (partner, '12-3456789', '442 Good St')
            )
        for contact in self.contact_ids(ramp_id):
            row = self.record(contact, 'vendor_contact')
            self.assertEqual((row.state, row.parent_ramp_id, row.res_model), ('confirmed', ramp_id, 'res.partner'))
            self.assertIn(row.res_id, partner.child_ids.ids)
            self.assertEqual(row.related_record_id, self.row(ramp_id))
        self.ramp.assert_clean()

    def test_seeded_vendors_whatever_their_names(self):
        """Vendors become partners whatever their names are, also two of the same name. Drafts are left alone."""
        rows = [
            vendors.make_vendor(self.ramp.state, name, country='US', state='NY')
            for name in (
                '<script>alert(1)</script>',
                'Two\nLines',
                '\u202eltd gnihtyna\u202c',
                'A very long vendor name ' * 12,
                '  spaces  ',
                '%s %(name)s {0} ${x}',
                'null',
                "'; DROP TABLE res_partner; --",
                '株式会社 山田商店',
                '\u202e',
                '🍕',
                'Twin',
                'Twin',
            )
        ]
        draft = self.ramp.add_vendor('Draft', draft=True)
        self.pull()
        partners = [self.partner(row['id']) for row in rows]
        self.assertEqual(len({partner.id for partner in partners}), len(rows))
        names = [partner.name for partner in partners]
        self.assertEqual(names[:3], ['<script>alert(1)</script>', 'Two Lines', 'ltd gnihtyna'])
        self.assertEqual(len(names[3]), 200)
        self.assertEqual(
            names[4:9], ['spaces', '%s %(name)s {0} ${x}', 'null', "'; DROP TABLE res_partner; --", '株式会社 山田商店']
        )
        self.assertEqual(names[9], rows[9]['id'])
        self.assertEqual(names[10:], ['🍕', 'Twin', 'Twin'])
        self.assertFalse(self.row(draft))

    def test_individual_without_anything(self):
        ramp_id = self.ramp.add_vendor('Jo Doe', vendor_type='INDIVIDUAL', address=None, contacts=0, country='DE')
        self.pull()
        self.assertRecordValues(
            self.partner(ramp_id),
            [
                {
                    'is_company': False,
                    'street': False,
                    'country_id': self.env.ref('base.de').id,
                    'vat': False,
                    'email': False,
                    'comment': False,
                }
            ],
        )

    def test_address_of_last_resort(self):
        listed = self.ramp.add_vendor('Listed', address=None, addresses=[ADDRESS])
        taxed = self.ramp.add_vendor('Taxed', address=None, tax_address={**ADDRESS, 'state': 'Texas'})
        elsewhere = self.ramp.add_vendor(
            'Elsewhere', address={**ADDRESS, 'state': 'Atlantis', 'country': 'XX'}, country='XX'
        )
        self.pull()
        self.assertEqual(self.partner(listed).street, '442 Good St')
        self.assertEqual(self.partner(taxed).state_id.code, 'TX')
        partner = self.partner(elsewhere)
        self.assertFalse(partner.country_id or partner.state_id)
        self.assertIn('Atlantis', partner.comment)
        self.assertIn('XX', partner.comment)

    def test_what_is_no_tax_id_and_no_website(self):
        bad = self.ramp.add_vendor('Bad', custom={'Tax ID': 'n/a', 'Website': 'javascript:alert(1)'})
        masked = self.ramp.add_vendor('Masked', custom={'EIN': '***-**-6789', 'URL': 'see our page'})
        good = self.ramp.add_vendor('Good', custom={'VAT-Number': 'de 123 456 789', 'url': 'shop.example.com'})
        self.pull()
        for ramp_id in (bad, masked):
            self.assertRecordValues(self.partner(ramp_id), [{'vat': False, 'website': False}])
        self.assertRecordValues(self.partner(good), [{'vat': 'DE123456789', 'website': 'http://shop.example.com'}])

    # ------------------------------------------------------------------ finding

    def other(self, name='Acme', **values):
        return self.Partner.create({'name': name, 'is_company': True, **values})

    def test_found_by_the_link_in_ramp(self):
        known = self.other('Offered to Ramp', supplier_rank=1)
        self.sync('accounting_vendor')
        ramp_id = self.ramp.add_vendor('Quite another name', accounting_vendor_remote_id=self.external(known))
        self.pull()
        self.assertEqual(self.partner(ramp_id), known)
        self.assertEqual(known.name, 'Offered to Ramp')
        self.assertIn('linked to it in Ramp', known.message_ids[0].body)

    def test_found_by_a_link_that_ramp_had_before(self):
        """A vendor is found by an accounting vendor that Odoo adopted, although Odoo did not make its id. An id of
        another database is ignored.
        """
        known = self.other('Adopted', supplier_rank=1)
        self.sync('accounting_vendor')
        self.env['ramp.record'].search(
            [('flow', '=', 'accounting_vendor'), ('res_id', '=', known.id)]
        ).remote_id = 'OLD-1'
        ramp_id = self.ramp.add_vendor('One', accounting_vendor_remote_id='OLD-1')
        foreign = self.ramp.add_vendor('Two', accounting_vendor_remote_id=f'00000000-partner-{self.other("Theirs").id}')
        self.pull()
        self.assertEqual(self.partner(ramp_id), known)
        self.assertEqual(self.partner(foreign).name, 'Two')

    def test_found_by_tax_id_before_name(self):
        known = self.other('Acme Germany', vat='DE 123.456.789')
        self.other('Acme', country_id=self.env.ref('base.de').id)
        ramp_id = self.ramp.add_vendor('Acme', country='DE', custom={'VAT ID': 'de123456789'})
        self.pull()
        self.assertEqual(self.partner(ramp_id), known)
        self.assertEqual(known.vat, 'DE 123.456.789')
        self.assertEqual(known.supplier_rank, 1)

    def test_found_by_name_and_country(self):
        us, de = self.env.ref('base.us'), self.env.ref('base.de')
        here, _there = self.other('  ACME,  inc. ', country_id=us.id), self.other('Acme, Inc.', country_id=de.id)
        ramp_id = self.ramp.add_vendor('Acme, Inc', country='US')
        blank = self.other('Blank')
        first = self.ramp.add_vendor('blank')
        only_abroad = self.other('Abroad', country_id=de.id)
        second = self.ramp.add_vendor('Abroad', country='US')
        self.other('Mixed'), self.other('Mixed', country_id=de.id)
        third = self.ramp.add_vendor('Mixed', country='US')
        self.pull()
        self.assertEqual(self.partner(ramp_id), here)
        self.assertEqual(self.partner(first), blank)
        self.assertEqual(blank.country_id, us)
        self.assertNotEqual(self.partner(second), only_abroad)
        self.assertEqual(self.partner(third).supplier_rank, 1)
        self.assertEqual(self.Partner.search_count([('name', '=', 'Mixed')]), 3)

    def test_who_is_not_a_candidate(self):
        strange = self.env['res.company'].create({'name': 'Somebody Else'})
        self.env.user.company_ids += strange
        self.other('Acme', company_id=strange.id)
        self.other('Acme', active=False)
        self.other('Acme', parent_id=self.other('Parent').id)
        ours = self.other('Ours', company_id=self.company.id)
        ids = [self.ramp.add_vendor(name) for name in ('Acme', 'Ours', 'Ramp', 'Card merchant')]
        self.pull()
        partners = [self.partner(ramp_id) for ramp_id in ids]
        self.assertEqual(partners[1], ours)
        self.assertEqual(ours.company_id, self.company)
        for partner in (partners[0], *partners[2:]):
            self.assertGreater(partner.id, ours.id)
            self.assertFalse(partner.company_id)

    def test_two_vendors_of_one_name_are_two_partners(self):
        known = self.other('Twin', country_id=self.env.ref('base.us').id)
        first = self.ramp.add_vendor('Twin')
        self.pull()
        second = self.ramp.add_vendor('Twin')
        self.pull()
        self.assertEqual(self.partner(first), known)
        self.assertNotEqual(self.partner(second), known)
        third, fourth = self.ramp.add_vendor('New twin'), self.ramp.add_vendor('New twin')
        self.pull()
        self.assertNotEqual(self.partner(third), self.partner(fourth))

    def test_a_partner_is_one_vendor(self):
        """A partner that is another vendor of this Ramp business is not found again, neither by tax id nor by link."""
        known = self.other('Known', vat='12-3456789', supplier_rank=1)
        self.sync('accounting_vendor')
        values = {'custom': {'EIN': '12-3456789'}}
        first, second = self.ramp.add_vendor('First', **values), self.ramp.add_vendor('Second', **values)
        self.pull()
        third = self.ramp.add_vendor('Third', accounting_vendor_remote_id=self.external(known))
        self.pull()
        self.assertEqual(self.partner(first), known)
        self.assertEqual([self.partner(ramp_id).name for ramp_id in (second, third)], ['Second', 'Third'])

    def test_none_of_us_is_a_vendor(self):
        """A vendor is not matched with a user, an employee or a company, neither by name nor by tax id. Its data would
        become theirs.
        """
        self.connection.vendor_policy = 'ramp'
        user = new_test_user(self.env, 'una', name='Una Own', email='una@ours.example')
        gone = new_test_user(self.env, 'gone', name='Gone Own', email='gone@ours.example')
        portal = new_test_user(self.env, 'pia', 'base.group_portal', name='Pia Portal', email='pia@ours.example')
        (user + portal).partner_id.vat = '12-3456789'
        gone.active = False
        gone.partner_id.active = True
        sister = self.env['res.company'].create({'name': 'Sister Works', 'email': 'sister@ours.example'})
        employee = self.env['hr.employee'].create(
            {'name': 'Emil Employee', 'work_email': 'emil@ours.example', 'company_id': sister.id}
        )
        employee.active = False
        ours = user.partner_id + gone.partner_id + portal.partner_id + sister.partner_id + employee.work_contact_id
        ours.write({'company_id': False, 'parent_id': False})
        before = ours.read(['name', 'email', 'street', 'supplier_rank'])
        contacts = [{'email': 'evil@elsewhere.example', 'first_name': 'E', 'last_name': 'Vil'}]
        vendors = [
            self.ramp.add_vendor(
                name, contacts=contacts, address=ADDRESS, custom={'EIN': '12-3456789'} if number == 0 else {}
            )
            for number, name in enumerate(ours.mapped('name'))
        ]
        self.pull()
        partners = [self.partner(ramp_id) for ramp_id in vendors]
        self.assertFalse(self.Partner.union(*partners) & ours)
        self.assertEqual(ours.read(['name', 'email', 'street', 'supplier_rank']), before)

    def test_who_becomes_one_of_us_is_written_to_no_more(self):
        """Ramp's changes are not written to a partner or contact who gets a login, also if an earlier version matched
        them.
        """
        self.connection.vendor_policy = 'ramp'
        ramp_id = self.ramp.add_vendor(
            'Acme', contacts=[{'email': 'ann@acme.example', 'first_name': 'Ann', 'last_name': 'Acme'}]
        )
        other = self.ramp.add_vendor('Solo', contacts=[])
        self.pull()
        [contact_id] = self.contact_ids(ramp_id)
        contact, solo = self.contact(contact_id), self.partner(other)
        new_test_user(self.env, 'ann', 'base.group_portal', partner_id=contact.id, name='Ann Acme')
        new_test_user(self.env, 'solo', partner_id=solo.id, name='Solo')
        solo.email = 'solo@ours.example'
        login, street = contact.email, solo.street
        self.change_contact(contact_id, email='evil@elsewhere.example', first_name='Evil', phone='+1 555 0100')
        self.ramp.update_vendor(other, name='Evil', address=ADDRESS)
        self.pull()
        self.assertEqual((contact.email, contact.name, contact.phone), (login, 'Ann Acme', '+1 555 0100'))
        self.assertEqual((solo.email, solo.name, solo.street), ('solo@ours.example', 'Solo', street))

    def test_names_in_another_form_of_unicode(self):
        known = self.other('Cafe\u0301  Zu\u0308rich \uff21\uff27')
        ramp_id = self.ramp.add_vendor('CAF\u00c9 Z\u00dcrich\u200b AG')
        self.pull()
        self.assertEqual(self.partner(ramp_id), known)

    def test_several_candidates_are_a_question(self):
        one, two = self.other('Acme'), self.other('ACME')
        by_vat = self.other('X', vat='12-3456789') + self.other('Y', vat='123456789')
        name, vat = self.ramp.add_vendor('Acme'), self.ramp.add_vendor('Z', custom={'EIN': '12-3456789'})
        good = self.ramp.add_vendor('Good')
        self.pull()
        self.assertHeldVendor(name, rf'same name.*Acme \(id {one.id}\), ACME \(id {two.id}\)')
        self.assertHeldVendor(vat, rf'same tax id.*X \(id {by_vat[0].id}\), Y \(id {by_vat[1].id}\)')
        self.partner(good)
        partners = self.env['ramp.flow.vendor']._find_vendor_partners(self.connection, [name, good, vat, 'nobody'])
        self.assertEqual(partners[good], (self.partner(good), None))
        self.assertEqual(partners[name], (self.Partner, self.row(name).error_message))
        self.assertEqual(partners['nobody'], (self.Partner, None))
        [run] = self.pull(now=False)
        self.assertEqual((run.held, run.failed), (2, 0))
        self.env['base.partner.merge.automatic.wizard']._merge((one + two).ids, one)
        by_vat[0].active = False
        self.pull(now=False)
        self.assertEqual(self.partner(name), one)
        self.assertEqual(self.partner(vat), by_vat[1])

    def test_merged_partner_stays_the_vendors(self):
        ramp_id = self.ramp.add_vendor('Acme')
        self.pull()
        mine, other = self.partner(ramp_id), self.other('Acme Holding')
        self.env['base.partner.merge.automatic.wizard']._merge((mine + other).ids, other)
        self.assertEqual(self.partner(ramp_id), other)
        self.ramp.update_vendor(ramp_id, description='Changed')
        self.pull()
        self.assertEqual(self.partner(ramp_id), other)
        self.assertEqual(other.name, 'Acme Holding')
        self.assertIn('Changed', other.comment)

    def test_deleted_partner_is_a_persons_decision(self):
        ramp_id = self.ramp.add_vendor('Acme')
        self.pull()
        self.partner(ramp_id).child_ids.unlink()
        [contact_id] = self.contact_ids(ramp_id)
        self.assertEqual(self.record(contact_id, 'vendor_contact').state, 'held')
        self.ramp.update_vendor(ramp_id, description='Changed')
        self.pull()
        self.assertFalse(self.partner(ramp_id).child_ids)
        self.record(contact_id, 'vendor_contact').action_retry()
        self.pull()
        self.assertEqual(self.record(contact_id, 'vendor_contact').state, 'confirmed')
        self.assertEqual(self.contact(contact_id).parent_id, self.partner(ramp_id))
        self.partner(ramp_id).unlink()
        self.pull()
        self.assertEqual((self.row(ramp_id).state, self.row(ramp_id).res_id), ('held', 0))
        self.assertIn(
            'deleted in Odoo',
            self.env['ramp.flow.vendor']._find_vendor_partners(self.connection, [ramp_id])[ramp_id][1],
        )
        self.row(ramp_id).action_retry()
        self.pull()
        partner = self.partner(ramp_id)
        self.assertEqual(partner.name, 'Acme')
        self.assertEqual(partner.child_ids, self.contact(contact_id))

    # ------------------------------------------------------------------ following

    def test_policy_first_what_was_edited_here_stays(self):
        ramp_id = self.ramp.add_vendor(
            'Acme', address=ADDRESS, description='Old', custom={'Website': 'old.example.com'}
        )
        self.pull()
        partner = self.partner(ramp_id)
        partner.write({'name': 'Acme (ours)', 'comment': f'<p>Call before noon</p>{partner.comment}<p>Really</p>'})
        self.ramp.update_vendor(
            ramp_id,
            name='Acme Ltd',
            description='New',
            address={**ADDRESS, 'address_line_1': '1 New St'},
            vendor_type='INDIVIDUAL',
        )
        self.pull()
        self.assertRecordValues(
            partner, [{'name': 'Acme (ours)', 'street': '1 New St', 'is_company': False, 'city': 'San Diego'}]
        )
        self.assertRegex(partner.comment, r'(?s)Call before noon.*New.*Really')
        self.assertNotIn('Old', partner.comment)
        partner.street = '2 Our St'
        self.ramp.update_vendor(ramp_id, description=None, address={**ADDRESS, 'city': 'Reno', 'state': 'NV'})
        self.pull()
        self.assertRecordValues(
            partner, [{'street': '2 Our St', 'city': 'San Diego', 'website': 'http://old.example.com'}]
        )
        self.assertIn('New', partner.comment)
        self.ramp.update_vendor(ramp_id, description='Newer')
        partner.comment = partner.comment.replace('New', 'My word')
        self.pull()
        self.assertNotIn('Newer', partner.comment)

    def test_policy_ramp_replaces(self):
        self.connection.vendor_policy = 'ramp'
        matched = self.other(
            'ACME', street='1 Their St', phone='1', country_id=self.env.ref('base.us').id, comment='<p>Mine</p>'
        )
        ramp_id = self.ramp.add_vendor(
            'Acme', address=ADDRESS, contacts=[{'email': 'a@example.com'}], description='Theirs'
        )
        self.pull()
        self.assertEqual(self.partner(ramp_id), matched)
        self.assertRecordValues(
            matched, [{'name': 'Acme', 'street': '442 Good St', 'phone': '1', 'email': 'a@example.com'}]
        )
        self.assertRegex(matched.comment, '(?s)Mine.*Theirs')
        matched.write({'name': 'Edited', 'street': 'Edited'})
        self.ramp.update_vendor(ramp_id, description='More')
        self.pull()
        self.assertRecordValues(matched, [{'name': 'Acme', 'street': '442 Good St'}])

    def test_policy_odoo_fills(self):
        self.connection.vendor_policy = 'odoo'
        ramp_id = self.ramp.add_vendor('Acme', address=ADDRESS)
        self.pull()
        partner = self.partner(ramp_id)
        self.assertEqual(partner.street, '442 Good St')
        self.ramp.update_vendor(
            ramp_id, name='Acme Ltd', address={**ADDRESS, 'address_line_1': 'New'}, description='Now there is one'
        )
        self.pull()
        self.assertRecordValues(partner, [{'name': 'Acme', 'street': '442 Good St'}])
        self.assertIn('Now there is one', partner.comment)

    def test_found_partner_is_filled_only(self):
        known = self.other('Acme', city='Here', is_company=False, email='own@example.com')
        ramp_id = self.ramp.add_vendor(
            'ACME', contacts=[{'email': 'a@example.com', 'phone': '+1 2'}], custom={'EIN': '12-3456789'}
        )
        self.pull()
        self.assertEqual(self.partner(ramp_id), known)
        self.assertRecordValues(
            known,
            [
                {
                    'name': 'Acme',
                    'city': 'Here',
                    'street': False,
                    'is_company': False,
                    'email': 'own@example.com',
                    'phone': '+1 2',
                    'vat': '12-3456789',
                }
            ],
        )
        self.ramp.update_vendor(ramp_id, name='Acme Ltd')
        self.pull()
        self.assertEqual(known.name, 'Acme')

    def test_inactive_in_ramp(self):
        ramp_id = self.ramp.add_vendor('Acme')
        self.pull()
        partner, before = self.partner(ramp_id), len(self.partner(ramp_id).message_ids)
        self.ramp.update_vendor(ramp_id, is_active=False)
        self.pull()
        self.assertTrue(partner.active)
        self.assertIn('No longer active in Ramp', partner.message_ids[0].body)
        self.ramp.update_vendor(ramp_id, description='Other')
        self.pull()
        self.assertEqual(len(partner.message_ids), before + 1)
        self.ramp.update_vendor(ramp_id, is_active=True)
        self.pull()
        self.assertIn('Active again', partner.message_ids[0].body)

    def test_deleted_in_ramp(self):
        ramp_id, held = self.ramp.add_vendor('Acme'), self.ramp.add_vendor('Twin')
        self.other('Twin'), self.other('Twin')
        self.pull()
        for identity in (ramp_id, held):
            self.ramp.update_vendor(identity)
            self.ramp.state['vendors'].update_row(identity, _deleted=True)
        self.env['ramp.run'].search([]).reread = False
        self.pull()
        self.assertTrue(self.partner(ramp_id).active)
        self.assertEqual((self.row(held).state, self.row(held).error_message), ('ignored', 'Ramp no longer has it.'))

    def test_tax_id_that_odoo_refuses(self):
        """If Odoo refuses a tax id, as base_vat does, neither the vendor nor the other vendors wait for it."""
        Partner = type(self.env['res.partner'])
        create, write = Partner.create, Partner.write

        def check(vals):
            if 'WRONG' in (vals.get('vat') or ''):
                raise ValidationError('The VAT number does not seem to be valid')  # pylint: disable=translation-required

        @api.model_create_multi
        def refusing_create(partners, vals_list):
            for vals in vals_list:
                check(vals)
            return create(partners, vals_list)

        def refusing_write(partners, vals):
            check(vals)
            return write(partners, vals)

        self.patch(Partner, 'create', refusing_create)
        self.patch(Partner, 'write', refusing_write)
        bad = self.ramp.add_vendor('Bad', custom={'VAT': 'WRONG 12345'}, contacts=[{'email': 'a@example.com'}])
        known = self.other('Known')
        found = self.ramp.add_vendor('Known', custom={'VAT': 'WRONG 54321'})
        good = self.ramp.add_vendor('Good', custom={'VAT': 'DE123456789'})
        [run] = self.pull()
        self.assertEqual((run.created, run.failed, run.held), (3, 0, 0))
        self.assertEqual(self.partner(good).vat, 'DE123456789')
        self.assertFalse(self.partner(bad).vat)
        self.assertEqual(len(self.partner(bad).child_ids), 1)
        self.assertIn('WRONG12345', self.partner(bad).message_ids[0].body)
        self.assertIn('does not seem to be valid', self.partner(bad).message_ids[0].body)
        self.assertEqual(self.partner(found), known)
        notes = len(self.partner(bad).message_ids)
        self.ramp.update_vendor(bad, description='Changed')
        self.pull()
        self.assertEqual(len(self.partner(bad).message_ids), notes, 'said once')
        self.assertIn('Changed', self.partner(bad).comment)
        self.ramp.update_vendor(
            bad, _detail={'custom_record_fields': [vendors._build_custom_cell('VAT', 'DE987654321')]}
        )
        self.pull()
        self.assertEqual(self.partner(bad).vat, 'DE987654321')

    # ------------------------------------------------------------------ contacts

    def test_contacts_follow(self):
        ramp_id = self.ramp.add_vendor(
            'Acme', contacts=[{'email': 'a@example.com', 'first_name': 'Ada'}, {'email': 'b@example.com'}]
        )
        self.pull()
        partner, (first, second) = self.partner(ramp_id), self.contact_ids(ramp_id)
        with self.ramp.state.lock:
            third = vendors.add_vendor_contact(self.ramp.state, ramp_id, 'c@example.com', first_name='Cleo')['id']
        self.change_contact(first, is_default=False, first_name='Adele')
        self.change_contact(second, is_default=True)
        self.pull()
        self.assertEqual(set(partner.child_ids), {self.contact(contact) for contact in (first, second, third)})
        self.assertEqual(
            [self.contact(contact).name for contact in (first, second, third)], ['Adele', 'b@example.com', 'Cleo']
        )
        self.assertEqual(partner.email, 'b@example.com')
        self.contact(second).phone = '12345'
        kept, gone = self.contact(second), self.contact(third)
        self.remove_contact(second)
        self.remove_contact(third)
        self.pull()
        self.assertTrue(kept.active)
        self.assertFalse(gone.active)
        self.assertEqual(
            [self.record(contact, 'vendor_contact').state for contact in (first, second, third)],
            ['confirmed', 'ignored', 'ignored'],
        )
        self.assertIn('stays here', self.record(second, 'vendor_contact').error_message)
        self.return_contact(third, ramp_id)
        self.pull()
        self.assertTrue(gone.active)
        self.assertEqual(self.record(third, 'vendor_contact').state, 'confirmed')
        self.assertEqual(self.contact(third), gone)

    def test_contacts_come_twice(self):
        """Overlapping pages of contacts make no second contact. A duplicate that an earlier version made is archived."""
        self.ramp.faults.add_fault('duplicate_page', path='/vendors/*/contacts')
        emails = [f'{number}@example.com' for number in range(102)]
        ramp_id = self.ramp.add_vendor('Acme', contacts=[{'email': email, 'first_name': 'Ada'} for email in emails])
        self.pull()
        self.assertTrue([kind for kind in self.ramp.faults.struck if 'duplicate_page' in str(kind)])
        partner, [first, *_others] = self.partner(ramp_id), self.contact_ids(ramp_id)
        self.assertEqual(sorted(partner.child_ids.mapped('email')), sorted(emails))
        copy, by_hand = (
            self.contact(first).with_user(SUPERUSER_ID).copy({'name': 'Ada'}),
            self.contact(first).copy({'name': 'Ada L.'}),
        )
        self.change_contact(first, is_default=False)
        self.pull()
        self.assertFalse(copy.active)
        self.assertTrue(by_hand.active)
        self.assertTrue(self.contact(first).active)

    def test_unreadable_and_then_whole(self):
        """A row that was put on hold for a missing id is ignored once the vendor has its id."""
        ramp_id = self.ramp.add_vendor('Acme')
        self.ramp.faults.add_fault('malformed_object', path='/vendors*', count=1, how='missing_id')
        self.pull()
        held = self.env['ramp.record'].search([('flow', '=', 'vendor'), ('ramp_id', '=like', 'malformed-%')])
        self.assertEqual(held.mapped('state'), ['held'])
        self.patch(vendor_list, 'LIST_ALL_AFTER', timedelta(days=-1))  # also if the transaction of the test lasts long
        self.pull()
        self.assertTrue(self.partner(ramp_id))
        self.assertEqual(held.mapped('state'), ['ignored'])

    def test_contact_without_a_name_and_one_that_is_there(self):
        known = self.other('Acme')
        mine = self.Partner.create({'name': 'Ada of Acme', 'email': 'ADA@example.com', 'parent_id': known.id})
        ramp_id = self.ramp.add_vendor(
            'Acme',
            contacts=[
                {'email': '', 'phone': '1'},
                {'email': 'ada@example.com', 'first_name': 'Ada', 'phone': '+1 212'},
            ],
        )
        self.pull()
        self.assertEqual(self.partner(ramp_id).child_ids, mine)
        self.assertRecordValues(mine, [{'name': 'Ada of Acme', 'phone': '+1 212', 'email': 'ADA@example.com'}])
        nameless, ada = self.contact_ids(ramp_id)
        row = self.record(nameless, 'vendor_contact')
        self.assertEqual((row.state, row.res_id), ('ignored', 0))
        self.assertIn('neither a name nor an email', row.error_message)
        self.remove_contact(ada)
        self.change_contact(nameless, email='now@example.com')
        self.pull()
        self.assertTrue(mine.active, 'not ours to archive')
        self.assertEqual(self.contact(nameless).email, 'now@example.com')

    # ------------------------------------------------------------------ reading

    def test_second_run_writes_nothing(self):
        for number in range(3):
            self.ramp.add_vendor(
                f'Vendor {number}', contacts=2, description='Text', custom={'EIN': f'12-345678{number}'}
            )
        self.pull()
        sent = len(self.ramp.list_write_calls())
        for everything in (False, True):
            self.env['ramp.run'].search([]).reread = not everything
            with self.writing(*TABLES) as found:
                [run] = self.pull()
            self.assertEqual(found, [])
            self.assertEqual((run.seen, run.processed, run.created, run.reread), (3, 0, 0, everything))
        self.assertEqual(len(self.ramp.list_write_calls()), sent)

    def test_all_flows_come_to_rest(self):
        """A partner made from a vendor is offered in Ramp as a supplier. After that, nothing is left to send or to
        write.
        """
        ramp_id = self.ramp.add_vendor('Acme')
        flows = [flow._flow for flow in self.connection._flow_models() if flow._get_cron_job()]
        self.sync(*flows)
        self.sync(*flows)
        self.assertEqual(self.partner(ramp_id).ramp_state, 'In Ramp')
        sent = len(self.ramp.list_write_calls())
        with self.writing(*TABLES) as found:
            self.sync(*flows)
        self.assertEqual((len(self.ramp.list_write_calls()), found), (sent, []))

    def test_only_what_changed_is_asked_for(self):
        ids = [self.ramp.add_vendor(f'Vendor {number}') for number in range(4)]
        for ramp_id in ids:
            self.ramp.state['vendors'].update_row(ramp_id, _updated_at='2020-01-01T00:00:00+00:00')
        self.pull()
        self.assertEqual(len(self.asked()), 1 + 4 * 2)
        self.pull(now=False)
        self.assertEqual(self.asked(), [''])
        self.ramp.update_vendor(ids[2], description='Changed')
        [run] = self.pull(now=False)
        self.assertEqual(self.asked(), ['', f'/{ids[2]}', f'/{ids[2]}/contacts'])
        self.assertEqual((run.seen, run.processed, run.reread, run.listed), (1, 1, False, True))
        # The next day everything is listed. Read are vendors that differ from the ledger and those whose turn it is.
        self.ramp.state['vendors'].update_row(ids[0], name='Changed unseen', _updated_at='2020-01-01T00:00:00+00:00')
        for run in self.env['ramp.run'].search([]):
            run.started_at -= timedelta(days=1, minutes=1)
        self.patch(vendor_list, 'is_turn', lambda ramp_id, part, parts: (parts, ramp_id) == (1, ids[3]))
        [run] = self.pull(now=False)
        self.assertEqual(
            sorted(self.asked()),
            sorted(['', *(f'/{ramp_id}{path}' for ramp_id in (ids[0], ids[3]) for path in ('', '/contacts'))]),
        )
        self.assertEqual((run.seen, run.processed, run.reread), (4, 1, True))
        self.assertEqual(self.partner(ids[0]).name, 'Changed unseen')

    def test_each_vendor_has_its_turn(self):
        ids = [self.ramp.state.make_new_id() for _number in range(300)]
        for part in range(7):
            self.assertIn(sum(vendor_list.is_turn(ramp_id, part, 7) for ramp_id in ids), range(20, 70))
        for ramp_id in ids:
            self.assertEqual(sum(vendor_list.is_turn(ramp_id, part, 7) for part in range(7)), 1)
        self.patch(vendor_list, 'IN_TURN', 2)
        ids = [self.ramp.add_vendor(f'Vendor {number}') for number in range(5)]
        self.pull()
        self.asked()
        self.env['ramp.run'].search([]).reread = False
        self.pull()
        day = self.env.cr.now().toordinal()
        self.assertEqual(
            set(self.asked()) - {''},
            {
                f'/{ramp_id}{path}'
                for ramp_id in ids
                if vendor_list.is_turn(ramp_id, day % 3, 3)
                for path in ('', '/contacts')
            },
        )

    def test_contact_edited_and_the_list_shows_nothing(self):
        """Ramp's list of vendors does not show contacts. A changed contact is read when an event names the vendor, and
        when somebody asks.
        """
        ramp_id, other = (
            self.ramp.add_vendor('Acme', contacts=[{'email': 'a@example.com'}]),
            self.ramp.add_vendor('Other'),
        )
        self.pull()
        for identity in (ramp_id, other):
            self.ramp.state['vendors'].update_row(identity, _updated_at='2020-01-01T00:00:00+00:00')
        [contact_id] = self.contact_ids(ramp_id)
        self.ramp.state['vendor_contacts'].update_row(contact_id, email='b@example.com')
        self.pull(now=False)
        self.assertEqual(self.contact(contact_id).email, 'a@example.com')
        self.asked()
        self.named(ramp_id.upper(), self.ramp.state.make_new_id(), False)
        self.pull(now=False)
        self.assertEqual(self.asked(), ['', f'/{ramp_id}', f'/{ramp_id}/contacts'])
        self.assertEqual(self.contact(contact_id).email, 'b@example.com')
        self.env['ramp.event'].search([]).unlink()
        self.ramp.state['vendor_contacts'].update_row(contact_id, email='c@example.com')
        self.connection.sync_requested_at = self.env['ramp.run'].search([], limit=1).started_at
        self.pull(now=False)
        self.assertEqual(self.contact(contact_id).email, 'c@example.com')
        # Everything is listed, and it is not the vendor's turn.
        self.patch(vendor_list, 'is_turn', lambda ramp_id, part, parts: False)
        self.env['ramp.run'].search([]).reread = False
        self.ramp.state['vendor_contacts'].update_row(contact_id, email='d@example.com')
        self.named(ramp_id)
        self.asked()
        self.pull(now=False)
        self.assertEqual(self.asked(), ['', f'/{ramp_id}', f'/{ramp_id}/contacts'])
        self.assertEqual(self.contact(contact_id).email, 'd@example.com')
        # An event names a vendor that is gone. It keeps its partner.
        self.ramp.state['vendors'].update_row(ramp_id, _deleted=True)
        self.named(ramp_id)
        self.pull(now=False)
        self.partner(ramp_id)

    def test_what_another_transaction_holds_is_listed_again(self):
        ramp_id = self.ramp.add_vendor('Acme')
        self.pull()
        self.ramp.update_vendor(ramp_id, name='Acme Ltd')
        self.patch(
            type(self.env['ramp.record']),
            '_locked_elsewhere',
            lambda records, connection, flow, ramp_ids: list(ramp_ids),
        )
        [run] = self.pull()
        self.assertEqual((run.state, run.listed, self.partner(ramp_id).name), ('done', False, 'Acme'))

    def test_time_is_up_at_each_page(self):
        """If the time is up at each page, each run goes on where the one before it stopped, even if that one found
        nothing to do.
        """
        self.patch(vendor_list, 'AT_ONCE', 2)
        self.patch(RampFlowPull, '_page_size', 3)
        self.patch(RampFlow, '_is_job_time_up', lambda flow: True)
        # On a slow machine the token gets old enough to be suspected after a 404, which is then requested once more.
        self.patch(auth, 'SUSPECT_AGE', 3600)
        self.patch(vendor_list, 'is_turn', lambda ramp_id, part, parts: False)
        self.other('Twin'), self.other('Twin')
        twins = [self.ramp.add_vendor('Twin') for _number in range(4)]
        ids = [self.ramp.add_vendor(f'Vendor {number}') for number in range(5)]
        runs = self.sync_until_listed('vendor')
        self.assertEqual(
            Counter(self.asked()),
            {**{f'/{ramp_id}{path}': 1 for ramp_id in twins + ids for path in ('', '/contacts')}, '': 3},
        )
        self.assertEqual((len(runs), runs[-1].reread, sum(runs.mapped('seen'))), (4, True, 9))
        for ramp_id in ids:
            self.partner(ramp_id)
        # Vendors that were saved in Ramp without a change for Odoo are read once.
        for ramp_id in ids:
            self.ramp.update_vendor(ramp_id)
        for ramp_id in twins:
            self.ramp.state['vendors'].update_row(ramp_id, _updated_at='2020-01-01T00:00:00+00:00')
        runs = self.sync_until_listed('vendor')
        self.assertEqual(
            Counter(self.asked()), {**{f'/{ramp_id}{path}': 1 for ramp_id in ids for path in ('', '/contacts')}, '': 3}
        )
        self.assertEqual((len(runs), sum(runs.mapped('created')), any(runs.mapped('reread'))), (4, 0, False))
        # Open rows that a full list does not show are read, two at a time, and one that fails is read only once.
        for ramp_id in twins[:3]:
            self.ramp.state['vendors'].update_row(ramp_id, _deleted=True)
        self.ramp.faults.add_fault('server_error', f'/vendors/{twins[0]}')
        self.env['ramp.run'].search([]).reread = False
        runs = self.sync_until_listed('vendor')
        asked = Counter(self.asked())
        self.assertEqual(
            asked,
            {
                f'/{twins[0]}': 5,  # the attempts of one run
                f'/{twins[1]}': 1,
                f'/{twins[2]}': 1,
                '': 2,
            },
            sorted(asked.items()),
        )
        self.assertEqual([self.row(ramp_id).state for ramp_id in twins], ['held', 'ignored', 'ignored', 'held'])
        self.assertEqual((len(runs), runs[-1].reread, runs[-1].begun_at), (4, True, runs[0].started_at))

    def test_time_is_up_and_another_transaction_holds_one(self):
        """A vendor that could not be stored because of a lock is not forgotten by the runs that read the next pages."""
        self.patch(RampFlowPull, '_page_size', 2)
        self.patch(RampFlow, '_is_job_time_up', lambda flow: True)
        ids = [self.ramp.add_vendor(f'Vendor {number}') for number in range(4)]
        self.sync_until_listed('vendor')
        self.env['ramp.run'].search([]).reread = False
        for ramp_id in ids:
            self.ramp.update_vendor(ramp_id, description='Changed')
        with patch.object(
            type(self.env['ramp.record']),
            '_locked_elsewhere',
            lambda records, connection, flow, ramp_ids: list(ramp_ids),
        ):
            [run] = self.pull(now=False)
        self.assertEqual(run.state, 'paused')
        runs = self.pull(now=False) + self.pull(now=False)
        self.assertEqual((runs[-1].state, runs[-1].listed, runs[-1].reread), ('done', False, False))
        self.sync_until_listed('vendor')
        self.assertEqual({self.row(ramp_id).payload['description'] for ramp_id in ids}, {'Changed'})

    def test_spend_is_no_change(self):
        ramp_id = self.ramp.add_vendor('Acme')
        self.pull()
        self.ramp.pay_bill(
            self.ramp.add_bill(vendor=ramp_id, amount_minor=5000, account=self.external(self.account_meals))
        )
        self.env['ramp.run'].search([]).reread = False
        self.patch(vendor_list, 'is_turn', lambda ramp_id, part, parts: False)
        self.asked()
        [run] = self.pull()
        self.assertEqual(self.asked(), [''])
        self.assertEqual(run.processed, 0)

    def test_vendor_that_cannot_be_fetched(self):
        bad, good = self.ramp.add_vendor('Bad'), self.ramp.add_vendor('Good')
        self.ramp.faults.add_fault('server_error', f'/vendors/{bad}/contacts')
        [run] = self.pull()
        self.assertEqual(run.state, 'done')
        self.partner(good)
        self.assertEqual((self.row(bad).state, self.row(bad).name), ('pending', 'Bad'))
        self.assertIn('asks again', self.row(bad).error_message)
        for identity in (bad, good):
            self.ramp.state['vendors'].update_row(identity, _updated_at='2020-01-01T00:00:00+00:00')
        self.pull(now=False)
        self.assertEqual(self.row(bad).state, 'pending')
        self.ramp.faults.clear_faults()
        self.asked()
        self.pull(now=False)
        self.assertEqual(self.asked(), ['', f'/{bad}', f'/{bad}/contacts'])
        self.assertEqual(len(self.partner(bad).child_ids), 1)
        self.ramp.faults.add_fault('server_error', f'/vendors/{bad}')
        self.ramp.update_vendor(bad, name='Changed')
        self.pull()
        self.assertEqual((self.row(bad).state, bool(self.row(bad).res_id)), ('pending', True))
        self.ramp.faults.clear_faults()
        self.ramp.state['vendors'].update_row(bad, _updated_at='2020-01-01T00:00:00+00:00')
        self.pull()
        self.assertEqual(self.partner(bad).name, 'Changed')

    def test_ramp_that_does_not_answer(self):
        ids = [self.ramp.add_vendor(f'Vendor {number}') for number in range(6)]
        self.ramp.faults.add_fault('drop_before', '/vendors/*', skip=4)
        [run] = self.pull()
        self.assertEqual(run.state, 'failed')
        self.assertFalse(run.listed)
        for ramp_id in ids[:2]:
            self.partner(ramp_id)
        self.assertLessEqual(len({path[:37] for path in self.asked() if path}), 2 + vendor_list.SILENCE)
        self.ramp.faults.clear_faults()
        [run] = self.pull()
        self.assertEqual((run.state, run.reread), ('done', True))
        for ramp_id in ids:
            self.partner(ramp_id)

    def test_unreadable_vendor(self):
        good = self.ramp.add_vendor('Good')
        bad = self.ramp.add_vendor('Bad', broken=True, is_active='maybe')
        worse = self.ramp.add_vendor('Worse', broken=True, contacts=[])
        self.ramp.state['vendors'].update_row(worse, _detail={'custom_record_fields': 'no list'})
        self.pull()
        self.partner(good)
        for ramp_id in (bad, worse):
            self.assertHeldVendor(ramp_id, 'cannot be posted')
            self.assertIn('Unreadable', self.row(ramp_id).name)
        self.pull()
        self.assertEqual(self.row(bad).state, 'held')
        self.ramp.update_vendor(bad, is_active=True)
        self.ramp.state['vendors'].update_row(worse, _detail={})
        self.ramp.update_vendor(worse)
        self.pull()
        self.partner(bad), self.partner(worse)

    def test_refused_by_odoo_alone(self):
        """If Odoo refuses one vendor, the batch is split, and the other vendors are made with their contacts."""
        Partner = type(self.env['res.partner'])
        write = Partner._message_log_batch

        def refuse(partners, bodies, **options):
            if any(partner.name == 'Refused' for partner in partners):
                raise ValidationError('Not with me')  # pylint: disable=translation-required
            return write(partners, bodies, **options)

        self.patch(Partner, '_message_log_batch', refuse)
        bad = self.ramp.add_vendor('Refused', is_active=False)
        good = self.ramp.add_vendor('Good', contacts=2)
        self.pull()
        self.assertEqual(len(self.partner(good).child_ids), 2)
        self.assertEqual((self.row(bad).state, self.row(bad).res_id), ('error', 0))
        self.assertIn('Not with me', self.row(bad).error_message)
        self.assertFalse(self.Partner.search([('name', '=', 'Refused')]))
        self.patch(Partner, '_message_log_batch', write)
        self.pull()
        self.assertEqual(len(self.partner(bad).child_ids), 1)

    # ------------------------------------------------------------------ for bills

    def ensure(self, *vendor_ids):
        connection = self.connection.with_context(ramp_memory=RunMemory())
        with self.enter_registry_test_mode(), self.registry.cursor() as cr:
            connection = connection.with_env(connection.env(cr=cr))
            self.env['ramp.flow.vendor'].with_env(connection.env)._ensure_vendors_booked(
                connection, connection._run_client(), vendor_ids
            )
        self.env.invalidate_all()

    def test_ensure(self):
        first, second = self.ramp.add_vendor('First'), self.ramp.add_vendor('Second')
        self.other('Twin'), self.other('Twin')
        twin, broken = self.ramp.add_vendor('Twin'), self.ramp.add_vendor('Broken')
        self.ramp.faults.add_fault('server_error', f'/vendors/{broken}')
        nobody = self.ramp.state.make_new_id()
        self.ensure(first, nobody, twin, broken, 'no id', first)
        self.partner(first)
        self.assertFalse(self.row(second) + self.row(nobody) + self.row(broken))
        self.assertHeldVendor(twin, 'Several partners')
        self.asked()
        self.ensure(first, twin)
        self.assertEqual(self.asked(), [])
        self.pull()
        self.assertEqual(self.row(first).state, 'confirmed')
        self.assertEqual(len(self.Partner.search([('name', '=', 'First')])), 1)

    def test_ensure_costs_the_same_for_all(self):
        ids = [self.ramp.add_vendor(f'Vendor {number}') for number in range(3)]
        self.pull()
        with self.assertQueryCount(4):
            found = self.env['ramp.flow.vendor']._find_vendor_partners(self.connection, ids)
        self.assertEqual(len([partner for partner, _reason in found.values() if partner]), 3)

    # ------------------------------------------------------------------ several connections

    @in_turn
    def test_second_company_shares_the_partner(self):
        """Two companies of one Ramp business share a partner, unless it belongs to the other company."""
        shared, owned = self.ramp.add_vendor('Shared'), self.ramp.add_vendor('Owned')
        self.pull()
        mine = self.partner(owned)
        mine.company_id = self.company
        other = self.env['res.company'].create({'name': 'Second Company', 'country_id': self.env.ref('base.us').id})
        self.env.user.company_ids += other
        self.env['account.chart.template'].try_loading('generic_coa', company=other, install_demo=False)
        second = (
            self.env['ramp.connection']
            .with_company(other)
            .create(
                {
                    'name': 'Second',
                    'company_id': other.id,
                    'environment': 'custom',
                    'api_url': self.ramp.api_url,
                    'start_date': '2015-01-01',
                    'existing_policy': 'book',
                    'client_id': self.ramp.client_id,
                    'client_secret': self.ramp.client_secret,
                }
            )
        )
        second.with_context(allowed_company_ids=other.ids).action_connect()
        self.pull()
        rows = {
            row.ramp_id: row.res_id
            for row in self.env['ramp.record'].search([('flow', '=', 'vendor'), ('connection_id', '=', second.id)])
        }
        self.assertEqual(
            rows[shared],
            self.env['ramp.record']
            .search([('ramp_id', '=', shared), ('connection_id', '=', self.connection.id)])
            .res_id,
        )
        self.assertNotEqual(rows[owned], mine.id)
        self.assertEqual(len(self.Partner.browse(rows[shared]).child_ids), 1)
        self.Partner.browse(rows[shared]).company_id = self.company
        self.Partner.browse(rows[shared]).child_ids.company_id = self.company
        partner, reason = self.env['ramp.flow.vendor']._find_vendor_partners(second, [shared])[shared]
        self.assertFalse(partner)
        self.assertIn('belongs to the company Widget Works', reason)

    def test_switched_off(self):
        self.connection.pull_bills = False
        self.ramp.add_vendor('Acme')
        self.assertFalse(self.pull())

    def test_screen(self):
        ramp_id = self.ramp.add_vendor('Acme')
        self.pull()
        partner = self.partner(ramp_id)
        self.assertEqual(
            (partner.ramp_vendor_record_id, partner.ramp_vendor_state, partner.ramp_vendor_url),
            (self.row(ramp_id), 'Vendor in Ramp', False),
        )
        self.assertEqual(partner.child_ids.ramp_vendor_state, 'Contact of a vendor in Ramp')
        self.assertEqual(partner.action_open_ramp_vendor()['res_id'], self.row(ramp_id).id)
        self.connection.environment = 'sandbox'
        self.env.invalidate_all()
        self.assertEqual(partner.ramp_vendor_url, f'https://demo.ramp.com/bill-pay/vendors/{ramp_id}')
        self.assertEqual(partner.action_open_vendor_in_ramp()['url'], partner.ramp_vendor_url)
        self.assertFalse(self.other().ramp_vendor_state)
        self.assertFalse(self.Partner.new({'name': 'New'}).ramp_vendor_record_id)
        form = self.env['res.partner'].get_view(view_type='form')['arch']
        self.assertIn('ramp_vendor_state', form)
        self.assertIn('action_open_ramp_vendor', form)

    # ------------------------------------------------------------------ queries

    def cost(self, count, **values):
        """Return the queries for storing the page of this many new vendors, and for making their partners."""
        ids = [self.ramp.add_vendor(f'Cost {count} {number} {self.heard}', **values) for number in range(count)]
        self.counts.clear()
        [run] = self.pull()
        self.assertEqual(run.created, count)
        for ramp_id in ids:
            self.ramp.state['vendors'].update_row(ramp_id, _updated_at='2020-01-01T00:00:00+00:00')
        self.asked()
        return Counter(self.counts)

    def count(self, name):
        flow, thread = type(self.env['ramp.flow.vendor']), threading.current_thread()
        original = getattr(flow, name)

        def counting(*args, **kwargs):
            before = getattr(thread, 'query_hooks', ())
            thread.query_hooks = (*before, lambda *_args: self.counts.update([name]))
            try:
                return original(*args, **kwargs)
            finally:
                thread.query_hooks = before

        self.patch(flow, name, counting)

    def test_queries_do_not_grow_with_vendors(self):
        self.counts = Counter()
        self.count('_store_listed_page')
        self.count('_book_batch')
        for values in (
            {'contacts': 0, 'custom': {'EIN': '12-3456789'}},
            {'contacts': 2, 'custom': {'EIN': '12-3456789'}},
        ):
            self.cost(2, **values)
            few, many = self.cost(4, **values), self.cost(vendor_list.AT_ONCE, **values)
            self.assertEqual(few['_store_listed_page'], many['_store_listed_page'])
            self.assertLessEqual(many['_book_batch'] - few['_book_batch'], 4)
            pages = self.cost(3 * vendor_list.AT_ONCE, **values)
            self.assertEqual(pages['_store_listed_page'], 3 * many['_store_listed_page'])
            self.assertLessEqual(pages['_book_batch'], 3 * many['_book_batch'] + 4)


FIELDS = {
    'name': ('name', st.sampled_from(['Acme', 'Bcme', 'Ccme'])),
    'email': ('email', st.sampled_from(['a@example.com', 'b@example.com', 'c@example.com'])),
    'phone': ('phone', st.sampled_from(['+1 1', '+1 2', '+1 3'])),
    'street': ('address_line_1', st.sampled_from(['1 St', '2 St', '3 St'])),
}
step = st.one_of(
    *(
        st.tuples(st.just(side), st.just(field), values)
        for field, (_key, values) in FIELDS.items()
        for side in ('ramp', 'odoo', 'run')
    )
)


@tagged('post_install', '-at_install', 'ramp')
class TestVendorProperty(VendorCase):
    @examples(3)
    @given(steps=st.lists(step, max_size=10))
    def test_what_was_edited_stays_and_the_rest_is_ramps(self, steps):
        """A field that a person edited stays, and any other field is as in Ramp, whatever the order of the changes."""
        ramp_id = self.ramp.add_vendor(
            'Acme',
            address={**ADDRESS, 'address_line_1': '1 St'},
            contacts=[{'email': 'a@example.com', 'phone': '+1 1'}],
        )
        self.pull()
        partner, [contact] = self.partner(ramp_id), self.contact_ids(ramp_id)
        written = {field: partner[field] for field in FIELDS}
        remote, self.seen = dict(written), dict(written)
        for side, field, value in steps:
            if side == 'odoo':
                partner[field] = value
            elif side == 'ramp':
                remote[field] = value
                if field == 'name':
                    self.ramp.update_vendor(ramp_id, name=value)
                elif field == 'street':
                    self.ramp.update_vendor(ramp_id, address={**ADDRESS, 'address_line_1': value})
                else:
                    self.change_contact(contact, **{field: value})
            if side == 'run':
                self.follow(partner, written, remote)
        self.follow(partner, written, remote)
        with self.writing(*TABLES) as found:
            self.pull()
        self.assertEqual(found, [])

    def follow(self, partner, written, remote):
        expected = {field: partner[field] for field in FIELDS}
        for field in FIELDS if remote != self.seen else ():  # a vendor that has not changed in Ramp is not read
            if partner[field] == written[field]:
                expected[field] = written[field] = remote[field]
        self.seen = dict(remote)
        self.pull()
        self.assertEqual({field: partner[field] for field in FIELDS}, expected)
