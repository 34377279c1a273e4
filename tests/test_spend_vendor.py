# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from ..simulator.errors import RampError
from .common import Killed
from .test_push import PushCase

FLOWS = ('accounting_vendor', 'spend_vendor', 'vendor')


@tagged('post_install', '-at_install', 'ramp')
class TestSpendVendor(PushCase):
    """A partner becomes a vendor in Ramp on request: once, as it is in Odoo, and it stays one partner."""

    def setUp(self):
        super().setUp()
        self.ramp.keep_bodies = True
        self.acme = self.env['res.partner'].create(
            {
                'name': 'Acme Tools',
                'is_company': True,
                'street': '442 Good St',
                'street2': 'Suite 5',
                'city': 'San Diego',
                'zip': '94105',
                'state_id': self.env.ref('base.state_us_5').id,
                'country_id': self.env.ref('base.us').id,
                'phone': '+1 212 555 0100',
                'child_ids': [
                    Command.create({'name': 'Silent Sam', 'type': 'contact'}),
                    Command.create(
                        {'name': 'Ada de Lovelace', 'email': 'Ada <Ada@acme.example.com>', 'type': 'contact'}
                    ),
                ],
            }
        )

    def ask(self, partner=None):
        return (partner or self.acme).action_create_in_ramp()

    def work(self, *flows, now=False):
        return self.sync(*(flows or FLOWS), now=now)

    def everything(self):
        return self.sync(*(flow._flow for flow in self.connection._flow_models() if flow._get_cron_job()))

    def sent(self, partner=None):
        row = self.row(partner or self.acme, 'spend_vendor')
        row.ensure_one()
        return row

    def vendors(self):
        return list(self.ramp.state['vendors'])

    def vendor_writes(self):
        return [call for call in self.writes() if call[1].startswith('/vendors')]

    def body(self, method='POST'):
        return [
            call for call in self.ramp.list_write_calls() if call['method'] == method and '/v1/vendors' in call['path']
        ][-1]['body']

    def assertClean(self):
        self.ramp.assert_clean()
        self.assertEqual(self.ramp.request_violations, [])

    def assertHeldFor(self, pattern, partner=None):
        row = self.sent(partner)
        self.assertEqual((row.state, row.hold_reason), ('held', 'question'), row.error_message)
        self.assertRegex(row.error_message, pattern)

    # ------------------------------------------------------------------ created

    def test_created_once_with_contact_address_and_link(self):
        self.assertEqual(self.ask()['params']['type'], 'success')
        self.work()
        [vendor] = self.vendors()
        self.assertEqual(
            self.body(),
            {
                'name': 'Acme Tools',
                'country': 'US',
                'state': 'CA',
                'external_vendor_id': self.external(self.acme),
                'accounting_vendor_remote_id': self.external(self.acme),
                'address': {
                    'address_line_1': '442 Good St',
                    'address_line_2': 'Suite 5',
                    'city': 'San Diego',
                    'postal_code': '94105',
                    'state': 'CA',
                    'country': 'US',
                },
                'business_vendor_contacts': {
                    'email': 'ada@acme.example.com',
                    'first_name': 'Ada',
                    'last_name': 'de Lovelace',
                    'phone': '+1 212 555 0100',
                },
            },
        )
        row = self.sent()
        self.assertEqual((row.state, row.error_message, row.ramp_id), ('confirmed', False, vendor['id']))
        self.assertNotIn('contact', row.payload)
        self.assertIn('442 Good St, Suite 5, 94105, San Diego', row.sent_text)
        self.assertClean()

    def test_nobody_asked(self):
        self.acme.supplier_rank = 1
        self.work()
        self.assertEqual((self.vendors(), len(self.row(self.acme, 'spend_vendor'))), ([], 0))
        self.acme.city = 'Elsewhere'
        self.env.cr.execute("SELECT count(*) FROM ramp_change WHERE flow = 'spend_vendor'")
        self.assertEqual(self.env.cr.fetchone()[0], 0)

    def test_pulled_back_to_the_same_partner(self):
        partners = self.env['res.partner'].with_context(active_test=False)
        before = partners.search([])
        self.ask()
        self.work()
        row = self.record(self.vendors()[0]['id'], 'vendor')
        self.assertEqual((row.state, row.res_id), ('confirmed', self.acme.id), row.error_message)
        self.assertEqual(partners.search([]), before, 'not even a second contact')
        self.work()
        self.assertEqual((self.acme.ramp_state, self.acme.ramp_vendor_state), ('In Ramp', 'Vendor in Ramp'))

    def test_pulled_back_without_a_link_and_under_another_name(self):
        self.connection.offer_vendors = False
        self.ask()
        self.work('spend_vendor')
        [vendor] = self.vendors()
        self.assertIsNone(vendor['accounting_vendor_remote_id'])
        self.acme.name = 'Called otherwise'
        self.work()
        self.assertEqual(self.record(vendor['id'], 'vendor').res_id, self.acme.id)
        self.assertFalse(self.env['res.partner'].search([('name', '=', 'Acme Tools')]))

    def test_second_run_of_everything_is_silent(self):
        self.connection.vendor_policy = 'ramp'
        self.ask()
        self.everything()
        self.told = len(self.ramp.list_write_calls())
        self.everything()
        self.everything()
        self.assertEqual(self.writes(), [])
        self.assertEqual(self.sent().state, 'confirmed')
        self.assertClean()

    def test_draft_is_found_and_pulled_once_approved(self):
        self.ask()
        self.ramp.add_after_hook(
            lambda method, path, body: (
                method == 'POST'
                and path.endswith('/v1/vendors')
                and self.ramp.update_vendor(self.vendors()[0]['id'], draft=True)
            )
        )
        self.work()
        [vendor] = self.vendors()
        self.assertFalse(self.record(vendor['id'], 'vendor'))
        self.connection.action_push_all()
        self.work()
        self.assertEqual((len(self.vendors()), self.sent().state), (1, 'confirmed'))
        self.ramp.update_vendor(vendor['id'], draft=False)
        self.work()
        self.assertEqual(self.record(vendor['id'], 'vendor').res_id, self.acme.id)

    def test_crash_between_ramps_answer_and_our_commit(self):
        self.ask()
        self.work('accounting_vendor')
        Record, killed = self.env.registry['ramp.record'], []
        store = Record._store_sent

        def die(records, rows):
            if self.vendors() and not killed:
                killed.append(True)
                raise Killed
            return store(records, rows)

        self.patch(Record, '_store_sent', die)
        self.work('spend_vendor')
        self.assertEqual(
            (len(self.vendors()), bool(killed), self.sent().is_uncertain, self.sent().ramp_id), (1, True, True, False)
        )
        self.work('vendor')  # the pull comes first
        self.told = len(self.ramp.list_write_calls())
        for _run in range(3):
            self.work()
        self.assertEqual(self.writes(), [])
        self.assertEqual(
            (len(self.vendors()), self.sent().state, self.sent().ramp_id), (1, 'confirmed', self.vendors()[0]['id'])
        )
        self.assertEqual(self.record(self.sent().ramp_id, 'vendor').res_id, self.acme.id)
        self.assertClean()

    def test_answers_that_are_lost(self):
        for number, fault in enumerate(
            ({'kind': 'error_after', 'status': 502}, {'kind': 'drop_after'}, {'kind': 'truncate'}), 1
        ):
            with self.subTest(fault['kind']):
                partner = self.acme.copy({'name': f'Copy {number}', 'email': f'{number}@acme.example.com'})
                self.assertFalse(partner.ramp_spend_vendor)
                self.ask(partner)
                self.ramp.faults.add_fault(path='/vendors', method='POST', count=1, **fault)
                self.work('spend_vendor')
                self.env['ramp.record'].search([]).next_attempt = False
                self.work('spend_vendor')
                self.assertEqual((len(self.vendors()), self.sent(partner).state), (number, 'confirmed'))

    def test_many_at_once(self):
        partners = self.env['res.partner'].create(
            [
                {
                    'name': f'Vendor {number}',
                    'email': f'{number}@vendor.example.com',
                    'country_id': self.env.ref('base.de').id,
                    'ramp_spend_vendor': True,
                }
                for number in range(12)
            ]
        )
        self.work()
        self.work()  # the pull made them suppliers, which are linked
        self.assertEqual(
            {vendor['external_vendor_id'] for vendor in self.vendors()},
            {self.external(partner) for partner in partners},
        )
        self.told = len(self.ramp.list_write_calls())
        self.connection.action_push_all()
        self.work()
        self.assertEqual(self.vendor_writes(), [])
        self.assertEqual({self.sent(partner).state for partner in partners}, {'confirmed'})

    # ------------------------------------------------------------------ on hold

    def test_missing_things_hold_it_until_they_are_there(self):
        partner = self.env['res.partner'].create({'name': 'Bare', 'email': 'not an address'})
        answer = self.ask(partner)['params']
        self.assertEqual(answer['type'], 'warning')
        self.assertRegex(answer['message'], 'email address.*country')
        self.work()
        self.assertHeldFor('email address.*country', partner)
        self.assertIn('email address', partner.ramp_vendor_state)
        for values, pattern in (
            ({'email': 'ap@bare.example.com'}, 'country'),
            ({'country_id': self.env.ref('base.us').id}, 'state of an address in United States'),
            (
                {'country_id': self.env.ref('base.au').id, 'street': '1 St', 'city': 'Perth', 'zip': '6000'},
                'in Australia',
            ),
        ):
            partner.write(values)
            self.work()
            self.assertHeldFor(pattern, partner)
        self.assertEqual(self.vendors(), [])
        partner.state_id = self.env.ref('base.state_au_8')
        self.work()
        [vendor] = self.vendors()
        self.assertEqual((vendor['country'], vendor['address']['state']), ('AU', partner.state_id.code))
        self.assertEqual(
            self.body()['business_vendor_contacts'],
            {'email': 'ap@bare.example.com', 'first_name': 'Bare'}
            if not partner.is_company
            else {'email': 'ap@bare.example.com'},
        )
        self.assertClean()

    def test_refused(self):
        def refuse(method, path, body):
            if method == 'POST' and path.endswith('/vendors'):
                raise RampError(400, 'DEVELOPER_7001', 'No vendors on Sundays')

        self.ramp.add_before_hook(refuse)
        self.ask()
        self.work()
        row = self.sent()
        self.assertEqual((row.state, row.hold_reason), ('held', 'refused'))
        self.assertIn('No vendors on Sundays', row.error_message)
        self.assertIn('No vendors on Sundays', self.acme.ramp_vendor_state)
        self.writes()
        self.work()
        self.assertEqual(self.vendor_writes(), [])
        self.ramp._before.remove(refuse)
        row.action_retry()
        self.work()
        self.assertEqual((len(self.vendors()), self.sent().state), (1, 'confirmed'))

    # ------------------------------------------------------------------ adopted

    def test_adopted_by_the_accounting_vendor(self):
        self.ask()
        self.work('accounting_vendor')
        address = {
            'address_line_1': '9 Ramp Rd',
            'city': 'New York',
            'state': 'NY',
            'country': 'US',
            'postal_code': '10001',
        }
        ramp_id = self.ramp.add_vendor(
            'ACME', accounting_vendor_remote_id=self.external(self.acme), external_vendor_id='EXT-1', address=address
        )
        self.writes()
        self.work('spend_vendor')
        self.assertEqual((self.vendor_writes(), len(self.vendors())), ([], 1))
        row = self.sent()
        self.assertEqual((row.ramp_id, row.remote_id, row.state), (ramp_id, self.external(self.acme), 'confirmed'))
        self.assertIn('Its name in Ramp is "ACME"', row.error_message)
        self.work()
        self.work()
        self.assertEqual(self.vendor_writes(), [])
        self.assertEqual(self.record(ramp_id, 'vendor').res_id, self.acme.id)
        self.acme.street = '1 New St'
        self.work()
        self.assertEqual(self.vendor_writes(), [('PATCH', f'/vendors/{ramp_id}')])
        self.assertEqual(self.vendors()[0]['address']['address_line_1'], '1 New St')

    def test_not_adopted_if_it_is_somebody_else_here(self):
        ramp_id = self.ramp.add_vendor('Somebody', country='DE')
        self.work('vendor')
        self.ask()
        self.work('accounting_vendor')
        self.ramp.update_vendor(ramp_id, accounting_vendor_remote_id=self.external(self.acme))
        self.work()
        self.assertHeldFor('which is the partner Somebody in Odoo')
        self.assertEqual(len(self.vendors()), 1)
        self.ramp.update_vendor(ramp_id, accounting_vendor_remote_id=None)
        self.work()
        self.assertEqual((len(self.vendors()), self.sent().state), (2, 'confirmed'))

    def test_what_the_pull_linked_is_left_alone(self):
        ramp_id = self.ramp.add_vendor('Acme Tools', country='US')
        self.assertTrue(self.acme.ramp_can_be_vendor)
        self.work('vendor')
        self.assertEqual(self.record(ramp_id, 'vendor').res_id, self.acme.id)
        self.assertFalse(self.acme.ramp_can_be_vendor)
        with self.assertRaisesRegex(UserError, 'It is already a vendor there'):
            self.ask()
        self.acme.ramp_spend_vendor = True
        self.work()
        self.assertEqual((len(self.vendors()), len(self.row(self.acme, 'spend_vendor'))), (1, 0))

    # ------------------------------------------------------------------ changed, and left

    def test_changes_are_sent_and_names_are_told(self):
        self.ask()
        self.work()
        [vendor] = self.vendors()
        self.writes()
        self.acme.write({'city': 'Los Angeles', 'zip': '90001'})
        self.work()
        self.assertEqual(self.vendor_writes(), [('PATCH', f'/vendors/{vendor["id"]}')])
        self.assertEqual(set(self.body('PATCH')), {'address'})
        self.assertEqual(self.vendors()[0]['address']['city'], 'Los Angeles')
        self.acme.write({'country_id': self.env.ref('base.de').id, 'state_id': False})
        self.work()
        self.assertEqual((self.vendors()[0]['country'], self.vendors()[0]['state']), ('DE', None))
        self.writes()
        self.acme.name = 'Acme Machines'
        self.acme.child_ids.email = False
        self.acme.country_id = False
        self.work()
        self.work()
        self.assertEqual(self.vendor_writes(), [])
        self.assertEqual(self.sent().state, 'confirmed')
        self.assertRegex(self.sent()._status_with_reason(), 'In Ramp: Its name in Ramp is "Acme Tools"')
        self.assertClean()

    def test_linked_once_the_supplier_is_in_ramp(self):
        self.connection.offer_vendors = False
        self.ask()
        self.work()
        self.connection.offer_vendors = True
        self.writes()
        self.work()
        [vendor] = self.vendors()
        self.assertEqual(self.vendor_writes(), [('PATCH', f'/vendors/{vendor["id"]}')])
        self.assertEqual(vendor['accounting_vendor_remote_id'], self.external(self.acme))
        self.work()
        self.assertEqual(self.vendor_writes(), [])
        self.assertClean()

    def test_never_taken_away(self):
        self.ask()
        self.work()
        self.writes()
        self.acme.active = False
        self.work()
        self.assertEqual(self.vendor_writes(), [])
        self.assertTrue(self.vendors()[0]['is_active'])
        self.assertEqual(self.sent().state, 'ignored')
        self.assertRegex(self.sent().error_message, 'Archived in Odoo. The vendor stays in Ramp')
        self.acme.active = True
        self.work()
        self.assertEqual((self.vendor_writes(), self.sent().state), ([], 'confirmed'))
        self.acme.ramp_spend_vendor = False
        self.work()
        self.assertRegex(self.sent().error_message, 'no longer requested as a vendor .* stays in Ramp')
        self.assertEqual(self.vendor_writes(), [])

    def test_deleted_in_ramp_is_not_made_again(self):
        self.ask()
        self.work()
        self.ramp.state['vendors'].update_row(self.vendors()[0]['id'], accounting_vendor_remote_id=None, _deleted=True)
        self.acme.city = 'Los Angeles'
        self.work()
        self.assertIn('Odoo will check again', self.sent().error_message)
        self.work()
        self.work()
        self.assertEqual((len(self.vendors()), self.sent().state), (1, 'ignored'))

    def test_listed_and_not_found(self):
        """If Ramp lists a vendor but does not find it for a change, the row is put on hold. It is neither created again
        nor requested all the time.
        """
        self.ask()
        self.work()

        def hook(method, path, body):
            if method == 'PATCH' and not mended:
                raise RampError(404, 'DEVELOPER_7002', 'Not found')

        mended = []
        self.ramp.add_before_hook(hook)
        self.acme.city = 'Los Angeles'
        self.env['ir.cron.trigger'].search([]).unlink()
        for _number in range(2):
            self.work()
            self.assertEqual((len(self.vendors()), self.sent().state), (1, 'held'))
            self.assertIn('Odoo will check again', self.sent().error_message)
        self.assertFalse(
            self.env['ir.cron.trigger'].search(
                [('cron_id', '=', self.env['ramp.flow.spend_vendor']._get_cron_job().id)]
            )
        )
        mended.append(True)
        self.work()
        self.assertEqual((self.sent().state, self.vendors()[0]['address']['city']), ('confirmed', 'Los Angeles'))

    def test_bills_are_not_wanted(self):
        self.ask()
        self.work()
        self.connection.pull_bills = False
        self.acme.city = 'Los Angeles'
        self.writes()
        self.work()
        self.assertEqual((self.vendor_writes(), self.acme.ramp_can_be_vendor), ([], False))
        self.connection.pull_bills = True
        self.work()
        self.assertEqual(len(self.vendor_writes()), 1)

    # ------------------------------------------------------------------ rights

    def test_rights_by_role(self):
        def person(role, groups):
            return new_test_user(
                self.env,
                f'ramp_{role}',
                groups,
                company_id=self.company.id,
                company_ids=[Command.set(self.company.ids)],
            )

        for role, groups in (('employee', 'base.group_user'), ('clerk', 'base.group_user,base.group_partner_manager')):
            with self.subTest(role):
                partner = self.acme.with_user(person(role, groups))
                with self.assertRaises(AccessError):
                    partner.action_create_in_ramp()
                with self.assertRaises(AccessError):
                    partner.write({'ramp_spend_vendor': True})
                self.assertFalse(partner.ramp_vendor_state)
                self.assertNotIn('action_create_in_ramp', partner.get_view(view_type='form')['arch'])
        partner.street = '1 Clerk St'  # a clerk still edits partners, requested or not
        accountant = self.acme.with_user(person('accountant', 'base.group_user,account.group_account_invoice'))
        self.assertIn('action_create_in_ramp', accountant.get_view(view_type='form')['arch'])
        self.assertTrue(accountant.ramp_can_be_vendor)
        accountant.action_create_in_ramp()
        self.assertTrue(self.acme.ramp_spend_vendor)
        self.assertEqual(accountant.ramp_state, 'Waiting to be sent')
        partner.street = '2 Clerk St'
        self.work()
        self.assertEqual(self.vendors()[0]['address']['address_line_1'], '2 Clerk St')
        with self.assertRaisesRegex(UserError, 'a contact of another partner'):
            self.ask(self.acme.child_ids[0])
