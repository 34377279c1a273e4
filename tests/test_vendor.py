# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo.tests import tagged

from .common import RampCase


@tagged('post_install', '-at_install', 'ramp')
class TestVendor(RampCase):
    """Vendors of bill pay become partners, those that are there are found, and what people edited stays."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.Partner = cls.env['res.partner'].with_context(active_test=False)

    def pull(self, now=False):
        return self.sync('vendor', now=now)

    def vendor(self, ramp_id):
        """The partner of a vendor."""
        record = self.record(ramp_id, 'vendor')
        return self.Partner.browse(record.res_id) if record.res_id else self.Partner

    def assertPulled(self, ramp_id):
        record = self.record(ramp_id, 'vendor')
        self.assertEqual((record.state, record.error_message), ('confirmed', False))
        partner = self.vendor(ramp_id)
        self.assertTrue(partner.exists())
        return partner

    def test_created_with_everything(self):
        ramp_id = self.ramp.add_vendor(
            'Northwind Paper Co.', name_legal='Northwind Paper Company LLC', description='Paper & pens\n<b>bold</b>', country='US',
            state='CA', address={
                'address_line_1': '442 Good St', 'address_line_2': 'Suite 5', 'city': 'San Diego', 'state': 'CA', 'country': 'US',
                'postal_code': '94105'},
            contacts=[{'email': 'ada@northwind.example.com', 'first_name': 'Ada', 'last_name': "O'Brien <AP>", 'phone': '+1 212 555 0100'},
                      {'email': 'second@northwind.example.com'}],
            custom={'Tax ID': '12-3456789', 'Web site': 'https://northwind.example.com/shop', 'Color': 'red'})
        [run] = self.pull()
        self.assertEqual((run.state, run.message, run.created), ('done', False, 1))
        partner = self.assertPulled(ramp_id)
        self.assertRecordValues(partner, [{
            'name': 'Northwind Paper Co.', 'is_company': True, 'street': '442 Good St', 'street2': 'Suite 5', 'city': 'San Diego',
            'zip': '94105', 'state_id': self.env.ref('base.state_us_5').id, 'country_id': self.env.ref('base.us').id,
            'vat': '12-3456789', 'website': 'https://northwind.example.com/shop', 'email': 'ada@northwind.example.com',
            'phone': '+1 212 555 0100', 'supplier_rank': 1, 'company_id': False, 'active': True, 'parent_id': False}])
        self.assertIn('Legal name: Northwind Paper Company LLC', partner.comment)
        self.assertIn('Paper &amp; pens', partner.comment)
        self.assertIn('&lt;b&gt;bold&lt;/b&gt;', partner.comment)
        self.assertRecordValues(partner.child_ids.sorted('id'), [
            {'name': "Ada O'Brien <AP>", 'email': 'ada@northwind.example.com', 'phone': '+1 212 555 0100', 'type': 'contact'},
            {'name': 'second@northwind.example.com', 'email': 'second@northwind.example.com', 'phone': False, 'type': 'contact'}])
        for contact in self.ramp.state['vendors'].get(ramp_id)['contacts']:
            row = self.record(contact, 'vendor_contact')
            self.assertEqual((row.state, row.parent_ramp_id, row.res_model), ('confirmed', ramp_id, 'res.partner'))
            self.assertIn(row.res_id, partner.child_ids.ids)
        self.ramp.assert_clean()
