# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import copy
import datetime
import json
import unittest
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from odoo.tests import tagged

from ..ramp_api import (
    Address,
    CardPaymentDetails,
    CreditUse,
    ManualPaymentDetails,
    Money,
    PayloadError,
    VendorPaymentDetails,
    parse_utc_moment,
    read_bill,
    read_reimbursement,
    read_repayment,
    read_vendor,
    read_vendor_contact,
    read_vendor_credit,
)
from ..simulator import contract
from .properties import examples
from .test_ramp_api_payloads import IDS, MISSING, PayloadCase, cents, coding
from .test_simulator_payables import PayablesCase

FOLDER = contract.find_contract_file() and contract.find_contract_file().parent.parent / 'examples'
# A busy machine and a read-only home folder are no reasons to fail.
calm = examples(100)
MINOR = st.integers(-(10**12), 10**12)
POSITIVE = st.integers(1, 10**12)
ADDRESS = {'address_line_1': '1 Main St', 'city': 'Albany', 'country': 'US', 'postal_code': '12207', 'state': 'NY'}


def made(payload, changes):
    payload.update(changes)
    return {key: value for key, value in payload.items() if value is not MISSING}


def small(kind='GL_ACCOUNT', external_id='6100', **more):
    """Return a selection as bills have it: the category has the type, and the selection has none."""
    selection = {key: value for key, value in coding(kind, external_id).items() if key != 'type'}
    return {**selection, 'category_info': {**selection['category_info'], 'type': kind}, **more}


def unsigned(value, currency='USD'):
    return {'value': value, 'currency': currency}


def line(minor, currency='USD', **more):
    return {'amount': cents(minor, currency), 'accounting_field_selections': [], **more}


def stock(minor, quantity, price, currency='USD', **more):
    return line(minor, currency, quantity=quantity, unit_price=cents(price, currency), **more)


def vendor(**changes):
    return made(
        {
            'id': IDS[0],
            'name': 'Northwind',
            'name_legal': 'Northwind Paper Co.',
            'vendor_type': 'BUSINESS',
            'is_active': True,
            'external_vendor_id': 'EXT-1',
            'accounting_vendor_remote_id': '42',
            'country': 'US',
            'state': 'NY',
            'address': ADDRESS,
            'addresses': [
                {**ADDRESS, 'id': IDS[1], 'is_default': True},
                {**ADDRESS, 'id': IDS[2], 'is_default': False},
            ],
            'tax_address': {**ADDRESS, 'address_line_2': 'Floor 2'},
            'federal_tax_classification': 'C_CORPORATION',
            'description': 'Paper',
            'contacts': [IDS[3], IDS[4].upper()],
            'default_entity_id': IDS[5],
            'merchant_id': None,
            'parent_vendor_id': None,
            'vendor_owner_id': IDS[6],
            'created_at': '2026-01-02T03:04:05+00:00',
            'total_spend_ytd': cents(1),
            'a_key_of_next_year': [],
        },
        changes,
    )


def bill(**changes):
    """A bill of 100.00 USD in two lines and one of inventory, paid by ACH."""
    return made(
        {
            'id': IDS[0],
            'amount': cents(10000),
            'status': 'PAID',
            'status_summary': 'PAYMENT_COMPLETED',
            'approval_status': 'APPROVED',
            'sync_status': 'BILL_SYNCED',
            'enable_accounting_sync': True,
            'vendor': {
                'id': IDS[1],
                'name': 'Northwind',
                'type': 'BUSINESS',
                'remote_id': '42',
                'remote_code': 'NW',
                'remote_name': 'Northwind Co.',
            },
            'vendor_contact_id': IDS[2],
            'entity_id': IDS[3],
            'invoice_number': 'RE 1/2026',
            'remote_id': 'account.move,7',
            'memo': 'Paper',
            'vendor_memo': 'Thanks',
            'issued_at': '2026-03-01T00:00:00+00:00',
            'due_at': '2026-03-31T00:00:00Z',
            'accounting_date': '2026-03-02T00:00:00',
            'posting_date': '2026-03-03T00:00:00Z',
            'paid_at': '2026-03-20T14:02:28.298Z',
            'created_at': '2026-03-01T09:00:00Z',
            'archived_at': None,
            'fx_conversion_rate': '1.0',
            'accounting_field_selections': [small('SUBSIDIARY', 'main')],
            'line_items': [
                line(5000, accounting_field_selections=[small()], memo='A4', purchase_order_line_item_id=IDS[5]),
                line(-1000, item_receipt_line_item_ids=[IDS[6]]),
            ],
            'inventory_line_items': [stock(6000, 2.5, 2400, accounting_field_selections=[small(external_id='6200')])],
            'payment': {
                'amount': cents(9000),
                'id': 'batch 1',
                'customer_friendly_payment_id': 'A6PMDVX628',
                'payment_method': 'ACH',
                'payment_date': '2026-03-19T00:00:00Z',
                'effective_date': '2026-03-20T00:00:00Z',
                'details': {
                    'schema_type': 'VendorPaymentDetailsSchema',
                    'approval_status': 'APPROVED',
                    'is_same_day': True,
                    'source_bank_account_id': IDS[7],
                    'vendor_account_id': None,
                },
                'trace_id': {'descriptor': 'ACH Trace ID', 'trace_id': '0769'},
            },
            'applied_vendor_credits': [{'id': IDS[8], 'amount': cents(1000)}],
            'purchase_order_id': IDS[4],
            'item_receipt_ids': [IDS[5]],
            'draft_bill_id': IDS[6],
            'draft_bill_created_at': '2026-02-28T00:00:00Z',
            'is_withholding_release': False,
            'bill_owner': {'id': IDS[7], 'first_name': 'Ada', 'last_name': 'Moss'},
            'deep_link_url': 'https://books.example.com/7',
            'invoice_urls': ['https://files.example.com/i.pdf?Signature=abc'],
            'a_key_of_next_year': {},
        },
        changes,
    )


def credit(**changes):
    return made(
        {
            'id': IDS[0],
            'vendor_id': IDS[1],
            'entity_id': IDS[2],
            'reference_number': 'C-1',
            'reference_bill_id': IDS[3],
            'accounting_date': '2026-03-04',
            'created_at': '2026-03-04T10:30:00.000000+00:00',
            'total_amount': cents(7500),
            'total_applied_amount': cents(7000),
            'remaining_amount': cents(500),
            'accounting_field_selections': [],
            'expense_line_items': [line(5000, accounting_field_selections=[small()], memo='Back')],
            'inventory_line_items': [{**line(2500), 'unit_quantity': 5, 'unit_price': cents(500)}],
            'applied_bills': [{'bill_id': IDS[4], 'amount': cents(4000)}],
            'applied_draft_bills': [{'bill_id': IDS[5], 'amount': cents(3000)}],
        },
        changes,
    )


def reimbursement(**changes):
    """A reimbursement of 43.10 USD for 40.00 EUR in two lines."""
    return made(
        {
            'id': IDS[0],
            'direction': 'BUSINESS_TO_USER',
            'type': 'MILEAGE',
            'state': 'REIMBURSED',
            'sync_status': 'SYNC_READY',
            'entity_amount': unsigned(4310),
            'merchant_amount': unsigned(4000, 'EUR'),
            'payee_amount': cents(4000, 'EUR'),
            'line_items': [
                line(3000, 'EUR', accounting_field_selections=[coding()], memo='Out'),
                line(1000, 'EUR', memo=None),
            ],
            'accounting_field_selections': [coding('Subsidiary', 'main')],
            'user_id': IDS[1],
            'user_email': 'ada@example.com',
            'user_full_name': 'Ada Moss',
            'employee_id': 'E-7',
            'entity_id': IDS[2],
            'memo': 'Fair',
            'merchant': 'Rail',
            'merchant_id': None,
            'transaction_date': '2026-03-01',
            'accounting_date': '2026-03-01T00:00:00Z',
            'created_at': '2026-03-01T08:00:00Z',
            'submitted_at': '2026-03-02T00:00:00Z',
            'approved_at': '2026-03-03T00:00:00Z',
            'synced_at': None,
            'updated_at': '2026-03-05T00:00:00Z',
            'payment_id': 'NDPHKHCN6G',
            'payment_batch_id': IDS[3],
            'payment_processed_at': '2026-03-05T00:00:00Z',
            'trace_id': {'descriptor': None, 'trace_id': '123'},
            'receipts': [IDS[4]],
            'attendees': [{'name': 'Zoë', 'user_id': None}, {'name': 'Ada Moss', 'user_id': IDS[1]}],
            'distance': 55.3,
            'start_location': 'Here',
            'end_location': 'There',
            'waypoints': ['Between'],
            'fund_id': IDS[5],
            'spend_limit_id': IDS[5],
            'trip_id': IDS[6],
            'expense_group': {'id': 7},
        },
        changes,
    )


def repayment(**changes):
    return made(
        {
            'id': IDS[0],
            'status': 'REPAID',
            'repayment_amount': cents(4846),
            'repaid_at': '2026-03-06T00:00:00+0000',
            'funding_method': 'ach',
            'original_transaction_id': IDS[1],
            'user_id': IDS[2],
            'user_signature': 'Ada Moss',
            'entity_id': IDS[3],
        },
        changes,
    )


def bare(payload, read, needed):
    """Return what is read from only the needed keys, and from null in all other keys."""
    short = {key: payload[key] for key in needed}
    return read(short), read({key: short.get(key) for key in payload})


class ReaderCase(PayloadCase):
    read, make = None, None

    def setUp(self):
        super().setUp()
        self.payload = type(self).make()

    def parse(self, **changes):
        return type(self).read(type(self).make(**changes))

    def refused(self, field, text='', **changes):
        self.assertRefused(field, text, type(self).read, type(self).make(**changes))

    def check_common(self, *uuids):
        before = copy.deepcopy(self.payload)
        hash(type(self).read(self.payload))  # frozen all the way down
        self.assertEqual(self.payload, before)
        for payload in (None, [], 'x', 1):
            self.assertRefused('payload', 'expected an object', type(self).read, payload)
        self.assertEqual(self.parse(id=IDS[0].upper()).id, IDS[0])
        for value in (MISSING, None, '', 7, 'x', '../' + IDS[0], IDS[0] + '\n'):
            with self.subTest(value=value):
                self.refused('id', id=value)
        for key in uuids:
            with self.subTest(key=key):
                self.refused(key, 'not an id', **{key: 'me'})


@tagged('ramp_api')
class TestVendor(ReaderCase):
    read, make = staticmethod(read_vendor), staticmethod(vendor)

    def test_all_fields(self):
        self.check_common('default_entity_id', 'merchant_id', 'parent_vendor_id', 'vendor_owner_id')
        read = self.parse()
        self.assertEqual(
            (read.name, read.name_legal, read.vendor_type), ('Northwind', 'Northwind Paper Co.', 'BUSINESS')
        )
        self.assertEqual(
            (read.is_active, read.external_vendor_id, read.accounting_vendor_remote_id), (True, 'EXT-1', '42')
        )
        self.assertEqual(read.address, Address('1 Main St', None, 'Albany', 'NY', '12207', 'US', None, False))
        self.assertEqual([(item.id, item.is_default) for item in read.addresses], [(IDS[1], True), (IDS[2], False)])
        self.assertEqual((read.tax_address.address_line_2, read.tax_address.city), ('Floor 2', 'Albany'))
        self.assertEqual(read.contacts, (IDS[3], IDS[4]))
        self.assertEqual((read.country, read.state, read.description), ('US', 'NY', 'Paper'))
        self.assertEqual((read.default_entity_id, read.vendor_owner_id, read.merchant_id), (IDS[5], IDS[6], None))
        self.assertEqual(read.federal_tax_classification, 'C_CORPORATION')
        self.assertEqual(read.created_at, parse_utc_moment('2026-01-02T03:04:05Z'))
        self.assertEqual((read.approval_status, read.custom_fields, read.subsidiary), (None, (), ()))

    def test_detail(self):
        cells = [
            {'column_display_name': 'Tax ID', 'column_id': 'a', 'value': {'type': 'text', 'value': 'DE123'}},
            {'column_display_name': 'Count', 'column_id': 'b', 'value': {'type': 'number', 'value': 3}},
            {'column_display_name': 'Empty', 'column_id': 'c', 'value': {'type': 'text', 'value': None}},
        ]
        read = self.parse(approval_status='PENDING', custom_record_fields=cells, subsidiary=['USMF'])
        self.assertEqual((read.approval_status, read.custom_fields), ('PENDING', (('Tax ID', 'DE123'),)))
        self.assertEqual(read.subsidiary, ('USMF',))

    def test_absent_and_null(self):
        for read in bare(self.payload, read_vendor, ('id', 'name', 'is_active')):
            self.assertEqual((read.address, read.tax_address, read.addresses, read.contacts), (None, None, (), ()))
            self.assertEqual((read.name_legal, read.vendor_type, read.accounting_vendor_remote_id), (None, None, None))

    def test_refused(self):
        self.refused('name', 'required', name=None)
        self.refused('is_active', 'required', is_active=None)
        self.refused('is_active', 'true or false', is_active='yes')
        self.refused('vendor_type', 'not known', vendor_type='ROBOT')
        self.refused('approval_status', 'not known', approval_status='MAYBE')
        self.refused('federal_tax_classification', 'not known', federal_tax_classification='CLUB')
        self.refused('contacts[1]', 'not an id', contacts=[IDS[3], 'x'])
        self.refused('addresses[0].id', 'required', addresses=[ADDRESS])
        self.refused('tax_address.city', 'expected a text', tax_address={'city': 1})
        self.refused('subsidiary[0]', 'expected a text', subsidiary=[7])

    def test_contact(self):
        payload = {
            'id': IDS[0],
            'email': 'a@b.example',
            'first_name': 'Ada',
            'last_name': None,
            'phone': '1',
            'is_default': True,
        }
        read = read_vendor_contact(payload)
        self.assertEqual((read.email, read.first_name, read.last_name), ('a@b.example', 'Ada', None))
        self.assertEqual((read.phone, read.is_default), ('1', True))
        self.assertIsNone(read_vendor_contact({'id': IDS[0]}).email)
        self.assertRefused('id', 'not an id', read_vendor_contact, {**payload, 'id': 'x'})


@tagged('ramp_api')
class TestBill(ReaderCase):
    read, make = staticmethod(read_bill), staticmethod(bill)

    def test_all_fields(self):
        self.check_common('vendor_contact_id', 'entity_id', 'purchase_order_id', 'draft_bill_id')
        read = self.parse()
        self.assertEqual(
            (read.amount, read.status, read.status_summary), (Money(10000, 'USD'), 'PAID', 'PAYMENT_COMPLETED')
        )
        self.assertEqual(
            (read.approval_status, read.sync_status, read.enable_accounting_sync), ('APPROVED', 'BILL_SYNCED', True)
        )
        self.assertEqual((read.vendor.id, read.vendor.name, read.vendor.type), (IDS[1], 'Northwind', 'BUSINESS'))
        self.assertEqual(
            (read.vendor.remote_id, read.vendor.remote_code, read.vendor.remote_name), ('42', 'NW', 'Northwind Co.')
        )
        self.assertEqual((read.vendor_contact_id, read.entity_id), (IDS[2], IDS[3]))
        self.assertEqual((read.invoice_number, read.remote_id), ('RE 1/2026', 'account.move,7'))
        self.assertEqual((read.memo, read.vendor_memo), ('Paper', 'Thanks'))
        self.assertEqual(
            [
                moment.day
                for moment in (read.issued_at, read.due_at, read.accounting_date, read.posting_date, read.paid_at)
            ],
            [1, 31, 2, 3, 20],
        )
        self.assertEqual((read.created_at.hour, read.archived_at, read.draft_bill_created_at.day), (9, None, 28))
        self.assertEqual((read.fx_conversion_rate, type(read.fx_conversion_rate)), (Decimal(1), Decimal))
        self.assertEqual([(item.type, item.external_id) for item in read.selections], [('SUBSIDIARY', 'main')])
        self.assertEqual(
            (read.purchase_order_id, read.item_receipt_ids, read.draft_bill_id), (IDS[4], (IDS[5],), IDS[6])
        )
        self.assertEqual((read.bill_owner_id, read.bill_owner_name), (IDS[7], 'Ada Moss'))
        self.assertEqual((read.is_withholding_release, read.deep_link_url), (False, 'https://books.example.com/7'))
        self.assertEqual(
            [(item.id, item.amount) for item in read.applied_vendor_credits], [(IDS[8], Money(1000, 'USD'))]
        )
        self.assertEqual(read.invoice_urls, ('https://files.example.com/i.pdf?Signature=abc',))
        self.assertNotIn('Signature', repr(read))

    def test_lines_of_both_lists_in_order(self):
        lines = self.parse().lines
        self.assertEqual([item.amount.minor for item in lines], [5000, -1000, 6000])
        self.assertEqual([item.is_inventory for item in lines], [False, False, True])
        self.assertEqual([item.memo for item in lines], ['A4', None, None])
        self.assertEqual(
            [[s.external_id for s in item.selections] for item in lines], [['6100', 'main'], ['main'], ['6200', 'main']]
        )
        self.assertEqual((lines[2].quantity, lines[2].unit_price), (Decimal('2.5'), Money(2400, 'USD')))
        self.assertIs(type(lines[2].quantity), Decimal)
        self.assertEqual(lines[0].purchase_order_line_item_id, IDS[5])
        self.assertEqual(lines[1].item_receipt_line_item_ids, (IDS[6],))
        self.assertEqual((lines[0].quantity, lines[0].unit_price, lines[0].withholding), (None, None, None))

    def test_absent_and_null(self):
        needed = ('id', 'amount', 'status', 'vendor', 'line_items')
        self.payload.update(line_items=[{'amount': cents(10000)}], vendor={'id': IDS[1]})
        for read in bare(self.payload, read_bill, needed):
            self.assertEqual((read.payment, read.applied_vendor_credits, read.invoice_urls), (None, (), ()))
            self.assertEqual((read.status_summary, read.approval_status, read.sync_status), (None, None, None))
            self.assertEqual((read.enable_accounting_sync, read.fx_conversion_rate), (True, None))
            self.assertEqual((read.bill_owner_name, read.vendor.remote_id, read.invoice_number), (None, None, None))
            self.assertEqual(len(read.lines), 1)
        self.assertFalse(self.parse(enable_accounting_sync=False).enable_accounting_sync)

    def test_lines_must_add_up(self):
        self.refused('line_items', 'add up to 40.00 USD, but the bill is 100.00 USD', inventory_line_items=[])
        self.refused('line_items', 'add up to 60.00 USD', line_items=None)
        self.refused('line_items', 'add up to 0.00 USD', line_items=[], inventory_line_items=MISSING)
        self.assertEqual(self.parse(amount=cents(6000), line_items=MISSING).lines[0].amount, Money(6000, 'USD'))
        self.refused('line_items[0].amount', 'is in EUR, but the bill is in USD', line_items=[line(4000, 'EUR')])
        self.refused('line_items[0].amount', 'no amount', line_items=[{'amount': None}])
        self.refused(
            'inventory_line_items[0].unit_price',
            'is in EUR',
            inventory_line_items=[{**stock(6000, 1, 1), 'unit_price': cents(6000, 'EUR')}],
        )
        self.refused('amount', 'no amount', amount=None)
        self.refused('amount.amount', 'whole number', amount=cents(100.0))
        self.refused('amount', 'but JPY has 0 decimals', amount=cents(10000, 'JPY'))

    @calm
    @given(st.lists(MINOR, max_size=6), st.lists(MINOR, max_size=6), st.integers(-2, 2))
    def test_any_lines_add_up_or_are_refused(self, plain, stocked, error):
        payload = bill(
            amount=cents(sum(plain) + sum(stocked) + error),
            line_items=[line(minor) for minor in plain],
            inventory_line_items=[stock(minor, 1, minor) for minor in stocked],
        )
        if error:
            return self.assertRefused('line_items', 'add up', read_bill, payload)
        read = read_bill(payload)
        self.assertEqual([item.amount.minor for item in read.lines], plain + stocked)
        return self.assertEqual(sum(item.amount.minor for item in read.lines), read.amount.minor)

    def test_withholding(self):
        held = {
            'gross_amount': unsigned(10000),
            'withholding_amount': unsigned(1000),
            'withholding_percentage': '10.00',
        }
        lines = {'inventory_line_items': [], 'amount': cents(9000)}

        def refused(field, text, **changes):
            self.refused(field, text, **lines, line_items=[line(9000, withholding_line_item={**held, **changes})])

        read = self.parse(**lines, line_items=[line(9000, withholding_line_item=held)]).lines[0]
        self.assertEqual(read.amount, Money(9000, 'USD'))
        self.assertEqual((read.withholding.gross, read.withholding.withheld), (Money(10000, 'USD'), Money(1000, 'USD')))
        self.assertEqual(read.withholding.percentage, Decimal(10))
        place = 'line_items[0].withholding_line_item'
        refused(place, 'less 0.00 USD withheld is not', withholding_amount=unsigned(0))
        refused(f'{place}.gross_amount', 'no amount', gross_amount=None)
        refused(f'{place}.withholding_amount', 'is in EUR', withholding_amount=unsigned(1000, 'EUR'))
        refused(f'{place}.withholding_amount', 'negative', withholding_amount=unsigned(-1000))
        # If the line has the gross amount, it is refused whatever the bill's total is.
        for total in (10000, 9000):
            self.refused(
                'line_items[0].withholding_line_item',
                'is not the line',
                amount=cents(total),
                inventory_line_items=[],
                line_items=[line(10000, withholding_line_item=held)],
            )

    def test_a_line_inherits_the_fields_of_which_it_has_none(self):
        one = self.parse(line_items=[line(10000)], inventory_line_items=[])
        self.assertEqual([item.external_id for item in one.lines[0].selections], ['main'])
        own = {**small('Subsidiary'), 'external_id': 'branch'}
        [line_of_own] = self.parse(
            line_items=[line(10000, accounting_field_selections=[own])], inventory_line_items=[]
        ).lines
        self.assertEqual([item.external_id for item in line_of_own.selections], ['branch'])

    def test_selection_type(self):
        selection = self.parse(accounting_field_selections=[small('Subsidiary')]).selections[0]
        self.assertEqual((selection.type, selection.category_external_id), ('SUBSIDIARY', 'gl'))
        self.refused(
            'accounting_field_selections[0].type',
            'which field',
            accounting_field_selections=[small(category_info=None)],
        )

    def test_rate(self):
        rate = self.parse(fx_conversion_rate='1.08731234567890123').fx_conversion_rate
        self.assertEqual(rate, Decimal('1.08731234567890123'))
        self.assertEqual(self.parse(fx_conversion_rate=1.1).fx_conversion_rate, Decimal('1.1'))
        for value in ('0', '-1', 'one', '1e5', 'NaN', float('nan'), float('inf'), 10**400, True, [1], Decimal('NaN')):
            with self.subTest(value=value):
                self.refused('fx_conversion_rate', fx_conversion_rate=value)

    def test_payment(self):
        payment = self.parse().payment
        self.assertEqual((payment.amount, payment.id, payment.payment_method), (Money(9000, 'USD'), 'batch 1', 'ACH'))
        self.assertEqual(payment.customer_friendly_payment_id, 'A6PMDVX628')
        self.assertEqual((payment.payment_date.day, payment.effective_date.day), (19, 20))
        self.assertEqual(payment.details, VendorPaymentDetails('APPROVED', True, IDS[7], None))
        self.assertEqual((payment.trace_descriptor, payment.trace_id), ('ACH Trace ID', '0769'))

    def test_payment_details(self):
        def told(**details):
            return {**self.payload['payment'], 'details': details or None}

        def details(kind, **values):
            return self.parse(payment=told(schema_type=f'{kind}PaymentDetailsSchema', **values)).payment.details

        self.assertEqual(
            details('Card', transaction_ids=[IDS[1]], spend_limit_id=IDS[2]), CardPaymentDetails(IDS[2], (IDS[1],))
        )
        self.assertEqual(details('Card'), CardPaymentDetails(None, ()))
        self.assertEqual(details('Manual', manual_payment_method='PAID_IN_ERP'), ManualPaymentDetails('PAID_IN_ERP'))
        self.assertEqual(details('Manual', manual_payment_method=None), ManualPaymentDetails(None))
        self.assertIsNone(self.parse(payment=told()).payment.details)
        # Some answers also leave out what the method implies.
        for method, expected in (
            ('CARD', CardPaymentDetails(None, (IDS[1],))),
            ('PAID_MANUALLY', ManualPaymentDetails(None)),
            ('ACH', VendorPaymentDetails(None, False, None, None)),
        ):
            payment = {**told(transaction_ids=[IDS[1]]), 'payment_method': method}
            self.assertEqual(self.parse(payment=payment).payment.details, expected)
        self.refused('payment.details.schema_type', payment={**told(transaction_ids=[IDS[1]]), 'payment_method': None})
        for field, values in [
            ('schema_type', {'schema_type': 'BarterPaymentDetailsSchema'}),
            ('transaction_ids[0]', {'schema_type': 'CardPaymentDetailsSchema', 'transaction_ids': ['x']}),
            ('manual_payment_method', {'schema_type': 'ManualPaymentDetailsSchema', 'manual_payment_method': 'GOLD'}),
            ('vendor_account_id', {'schema_type': 'VendorPaymentDetailsSchema', 'vendor_account_id': 'x'}),
        ]:
            with self.subTest(values=values):
                self.refused(f'payment.details.{field}', payment=told(**values))

    def test_payment_in_another_currency(self):
        payment = {**self.payload['payment'], 'amount': cents(9700, 'EUR'), 'payment_method': None}
        read = self.parse(payment=payment).payment
        self.assertEqual((read.amount, read.payment_method), (Money(9700, 'EUR'), None))
        self.refused('payment.amount', 'no amount', payment={**payment, 'amount': None})
        self.refused('payment.payment_method', 'not known', payment={**payment, 'payment_method': 'BARTER'})

    def test_refused(self):
        for field in ('status', 'status_summary', 'approval_status', 'sync_status'):
            self.refused(field, 'not known', **{field: 'LOST_AT_SEA'})
        self.refused('status', 'required', status=None)
        self.refused('vendor.id', 'required', vendor=None)
        self.refused('vendor.type', 'not known', vendor={'id': IDS[1], 'type': 'ROBOT'})
        self.refused('issued_at', 'not a date', issued_at='2026-03-01')
        self.refused('invoice_urls[0]', 'expected a text', invoice_urls=[None])
        self.refused('item_receipt_ids[0]', 'not an id', item_receipt_ids=['x'])
        self.refused('applied_vendor_credits[0].amount', 'no amount', applied_vendor_credits=[{'id': IDS[8]}])
        self.refused('applied_vendor_credits[0].id', 'required', applied_vendor_credits=[{'amount': cents(1)}])
        self.refused('inventory_line_items[0].quantity', 'decimal number', inventory_line_items=[stock(6000, [], 1)])


@tagged('ramp_api')
class TestVendorCredit(ReaderCase):
    read, make = staticmethod(read_vendor_credit), staticmethod(credit)

    def test_all_fields(self):
        self.check_common('vendor_id', 'entity_id', 'reference_bill_id')
        read = self.parse()
        self.assertEqual((read.vendor_id, read.entity_id, read.reference_bill_id), (IDS[1], IDS[2], IDS[3]))
        self.assertEqual((read.reference_number, read.accounting_date), ('C-1', datetime.date(2026, 3, 4)))
        self.assertEqual(read.created_at, parse_utc_moment('2026-03-04T10:30:00Z'))
        self.assertEqual([money.minor for money in (read.total, read.applied, read.remaining)], [7500, 7000, 500])
        self.assertEqual([item.amount.minor for item in read.lines], [5000, 2500])
        self.assertEqual((read.lines[0].memo, read.lines[0].is_inventory), ('Back', False))
        self.assertEqual((read.lines[1].quantity, read.lines[1].unit_price), (Decimal(5), Money(500, 'USD')))
        self.assertEqual([item.type for item in read.lines[0].selections], ['GL_ACCOUNT'])
        self.assertEqual(
            read.uses, (CreditUse(IDS[4], Money(4000, 'USD'), False), CreditUse(IDS[5], Money(3000, 'USD'), True))
        )

    def test_absent_and_null(self):
        needed = ('id', 'vendor_id', 'total_amount', 'total_applied_amount', 'remaining_amount', 'expense_line_items')
        self.payload.update(
            total_applied_amount=cents(0), remaining_amount=cents(7500), expense_line_items=[{'amount': cents(7500)}]
        )
        for read in bare(self.payload, read_vendor_credit, needed):
            self.assertEqual((read.uses, read.entity_id, read.accounting_date), ((), None, None))

    def test_refused(self):
        self.refused('expense_line_items', 'add up to 25.00 USD', expense_line_items=[])
        self.refused('remaining_amount', 'less the 70.00 USD applied', remaining_amount=cents(501))
        self.refused('applied_bills', '30.00 USD went to bills', applied_bills=[])
        self.refused('total_applied_amount', 'is in EUR', total_applied_amount=cents(7000, 'EUR'))
        self.refused('total_amount', 'no amount', total_amount=None)
        self.refused('applied_bills[0].bill_id', 'not an id', applied_bills=[{'bill_id': 'x', 'amount': cents(4000)}])
        for day in ('2026-02-30', '2026-03-04T00:00:00Z', '4 March', '20260304', '٢٠٢٦-03-04'):
            self.refused('accounting_date', 'not a day', accounting_date=day)


@tagged('ramp_api')
class TestReimbursement(ReaderCase):
    read, make = staticmethod(read_reimbursement), staticmethod(reimbursement)

    def test_all_fields(self):
        self.check_common('user_id', 'entity_id', 'merchant_id', 'payment_batch_id', 'fund_id', 'trip_id')
        read = self.parse()
        self.assertEqual((read.direction, read.type, read.state), ('BUSINESS_TO_USER', 'MILEAGE', 'REIMBURSED'))
        self.assertEqual((read.sync_status, read.amount), ('SYNC_READY', Money(4310, 'USD')))
        self.assertEqual((read.original_amount, read.payee_amount), (Money(4000, 'EUR'), Money(4000, 'EUR')))
        self.assertEqual([(s.type, s.external_id) for s in read.selections], [('SUBSIDIARY', 'main')])
        self.assertEqual((read.user_id, read.user_email), (IDS[1], 'ada@example.com'))
        self.assertEqual((read.user_full_name, read.employee_id, read.entity_id), ('Ada Moss', 'E-7', IDS[2]))
        self.assertEqual((read.memo, read.merchant, read.merchant_id), ('Fair', 'Rail', None))
        self.assertEqual(read.transaction_date, datetime.date(2026, 3, 1))
        self.assertEqual(
            [
                moment.day
                for moment in (
                    read.accounting_date,
                    read.created_at,
                    read.submitted_at,
                    read.approved_at,
                    read.updated_at,
                )
            ],
            [1, 1, 2, 3, 5],
        )
        self.assertEqual((read.synced_at, read.payment_processed_at.day), (None, 5))
        self.assertEqual((read.payment_id, read.payment_batch_id), ('NDPHKHCN6G', IDS[3]))
        self.assertEqual((read.trace_descriptor, read.trace_id), (None, '123'))
        self.assertEqual((read.receipts, read.attendees), ((IDS[4],), (('Zoë', None), ('Ada Moss', IDS[1]))))
        self.assertEqual((read.distance, type(read.distance)), (Decimal('55.3'), Decimal))
        self.assertEqual((read.start_location, read.end_location, read.waypoints), ('Here', 'There', ('Between',)))
        self.assertEqual((read.fund_id, read.trip_id), (IDS[5], IDS[6]))

    def test_absent_and_null(self):
        needed = ('id', 'direction', 'type', 'state', 'entity_amount', 'user_id')
        for read in bare(self.payload, read_reimbursement, needed):
            self.assertEqual((read.original_amount, read.payee_amount, read.sync_status), (None, None, None))
            self.assertEqual((read.receipts, read.waypoints, read.distance), ((), (), None))
            self.assertEqual([item.amount for item in read.lines], [Money(4310, 'USD')])
        self.assertEqual(self.parse(fund_id=MISSING).fund_id, IDS[5])

    def test_foreign_lines_share_what_is_paid(self):
        lines = self.parse().lines
        self.assertEqual([item.amount for item in lines], [Money(3233, 'USD'), Money(1077, 'USD')])
        self.assertEqual([item.original_amount for item in lines], [Money(3000, 'EUR'), Money(1000, 'EUR')])
        self.assertEqual([item.memo for item in lines], ['Out', None])
        self.assertEqual([len(item.selections) for item in lines], [1, 0])
        self.assertEqual(self.parse(merchant_amount=None).lines, lines)

    @calm
    @given(
        POSITIVE, st.lists(st.integers(-(10**6), 10**12), min_size=1, max_size=8).filter(lambda parts: sum(parts) > 0)
    )
    def test_any_foreign_lines_share_exactly(self, paid, parts):
        payload = reimbursement(
            entity_amount=unsigned(paid),
            merchant_amount=unsigned(sum(parts), 'EUR'),
            line_items=[line(minor, 'EUR') for minor in parts],
        )
        read = read_reimbursement(payload)
        self.assertEqual(sum(item.amount.minor for item in read.lines), paid)
        self.assertEqual([item.original_amount.minor for item in read.lines], parts)

    @calm
    @given(st.lists(POSITIVE, min_size=1, max_size=8), st.integers(-1, 1))
    def test_any_own_lines_add_up_or_are_refused(self, parts, error):
        payload = reimbursement(
            entity_amount=unsigned(sum(parts) + error),
            merchant_amount=None,
            line_items=[line(minor) for minor in parts],
        )
        if error:
            return self.assertRefused('line_items', 'add up', read_reimbursement, payload)
        return self.assertEqual([item.amount.minor for item in read_reimbursement(payload).lines], parts)

    def test_no_lines_is_one_line(self):
        for lines in (MISSING, None, []):
            read = self.parse(line_items=lines)
            self.assertEqual([item.amount for item in read.lines], [read.amount])
            self.assertEqual(read.lines[0].original_amount, Money(4000, 'EUR'))
            self.assertEqual((read.lines[0].memo, read.lines[0].selections), ('Fair', read.selections))
        read = self.parse(line_items=[{'amount': None, 'memo': 'Only', 'accounting_field_selections': [coding()]}])
        self.assertEqual((read.lines[0].amount, read.lines[0].memo), (read.amount, 'Only'))
        self.assertEqual([item.type for item in read.lines[0].selections], ['GL_ACCOUNT'])

    def test_lines_must_add_up(self):
        self.refused(
            'line_items', 'add up to 30.00 EUR, but what was submitted is 40.00 EUR', line_items=[line(3000, 'EUR')]
        )
        self.refused('line_items', 'mix EUR and USD', line_items=[line(3000, 'EUR'), line(1000)])
        self.refused('line_items', 'lines are in GBP, but 40.00 EUR was', line_items=[line(4000, 'GBP')])
        self.refused('line_items', 'add up to 40.00 USD, but the reimbursement is 43.10 USD', line_items=[line(4000)])
        self.refused('line_items[1].amount', 'no amount', line_items=[line(4000, 'EUR'), {'amount': None}])
        self.refused(
            'line_items', 'cannot be split', merchant_amount=None, line_items=[line(5, 'EUR'), line(-5, 'EUR')]
        )
        self.refused('merchant_amount', 'nothing was converted', merchant_amount=unsigned(4000))

    def test_legacy_keys(self):
        legacy = {'amount': 43.1, 'currency': 'USD', 'original_reimbursement_amount': cents(4000, 'EUR')}
        for changes in ({}, {'entity_amount': MISSING, 'merchant_amount': MISSING}):
            self.assertEqual(self.parse(**legacy, **changes), self.parse())
        self.refused('entity_amount', 'contradicts amount, which is 43.11 USD', **{**legacy, 'amount': 43.11})
        self.refused('entity_amount', 'contradicts', **{**legacy, 'currency': 'CAD'})
        self.refused('currency', 'required', **{**legacy, 'currency': None})
        self.refused('amount', 'more than the 2 decimals', **{**legacy, 'amount': 43.101})
        self.refused('amount', 'negative', **{**legacy, 'amount': -43.1})
        self.refused('amount', 'expected a number', **{**legacy, 'amount': '43.10'})
        self.refused('merchant_amount', 'contradicts', original_reimbursement_amount=cents(4001, 'EUR'))
        self.refused(
            'original_reimbursement_amount',
            'nothing was converted',
            merchant_amount=None,
            original_reimbursement_amount=cents(4000),
        )

    def test_without_an_amount(self):
        none = {'entity_amount': None, 'merchant_amount': None, 'payee_amount': None}
        self.refused('entity_amount', 'neither', **none)
        for state in ('DRAFT', 'INIT', 'CANCELED', 'DELETED', 'REJECTED'):
            read = self.parse(state=state, line_items=[{'amount': None}, line(1000)], **none)
            self.assertEqual((read.amount, [item.amount for item in read.lines]), (None, [None, None]))
            self.assertEqual([item.original_amount for item in read.lines], [None, Money(1000, 'USD')])
            self.assertEqual(self.parse(state=state, line_items=[], **none).lines, ())

    def test_refused(self):
        self.refused('entity_amount', 'negative', entity_amount=unsigned(-1))
        self.refused('payee_amount', 'negative', payee_amount=cents(-1))
        self.refused('entity_amount.value', 'whole number', entity_amount={'value': 'a lot', 'currency': None})
        for field in ('direction', 'type', 'state', 'sync_status'):
            self.refused(field, 'not known', **{field: 'TELEPATHY'})
        for field in ('direction', 'type', 'state', 'user_id'):
            self.refused(field, 'required', **{field: None})
        self.refused('receipts[0]', 'not an id', receipts=['x'])
        self.refused('waypoints[0]', 'expected a text', waypoints=[None])
        self.refused('attendees[0].user_id', 'not an id', attendees=[{'name': 'X', 'user_id': 'x'}])
        self.refused('distance', 'decimal number', distance=float('nan'))
        self.refused('transaction_date', 'not a day', transaction_date='2026-03-01T00:00:00Z')
        self.refused('created_at', 'not a date', created_at='2026-03-01T:00:00+00:00')

    def test_message_holds_no_payload_data(self):
        for changes in (
            {'user_id': 'ada@example.com'},
            {'transaction_date': 'ada@example.com'},
            {'distance': 'ada@example.com'},
        ):
            with self.assertRaises(PayloadError) as caught:
                self.parse(**changes)
            self.assertNotIn('ada', str(caught.exception))


@tagged('ramp_api')
class TestRepayment(ReaderCase):
    read, make = staticmethod(read_repayment), staticmethod(repayment)

    def test_all_fields(self):
        self.check_common('entity_id')
        read = self.parse()
        self.assertEqual((read.status, read.amount, read.funding_method), ('REPAID', Money(4846, 'USD'), 'ach'))
        self.assertEqual((read.original_transaction_id, read.user_id, read.entity_id), tuple(IDS[1:4]))
        self.assertEqual(read.repaid_at, parse_utc_moment('2026-03-06T00:00:00Z'))

    def test_absent_null_and_refused(self):
        for read in bare({**self.payload, 'status': 'AWAITING_PAYMENT'}, read_repayment, ('id', 'status')):
            self.assertEqual((read.amount, read.repaid_at, read.user_id), (None, None, None))
        self.refused('repayment_amount', 'no amount', repayment_amount=None)
        self.refused('status', 'not known', status='FORGOTTEN')
        self.refused('status', 'required', status=None)
        self.refused('repaid_at', 'not a date', repaid_at='yesterday')


@tagged('ramp_api')
@unittest.skipUnless(FOLDER and FOLDER.is_dir(), 'the examples of the contract are not here')
class TestExamples(PayloadCase):
    """Some of the contract's own examples contradict it, and are refused until they are corrected."""

    def example(self, name, folder='spec-2026-08-01'):
        return json.loads((FOLDER / folder / f'{name}.json').read_text(encoding='utf-8'))

    def test_vendor(self):
        for name in ('Vendor', 'ApiVendorDetailResource'):
            read = read_vendor(self.example(name))
            self.assertEqual((read.name_legal, read.accounting_vendor_remote_id), ("Ali's Art shop LLC", '1234'))
            self.assertEqual((len(read.contacts), read.subsidiary, read.tax_address.state), (2, ('USMF',), 'CA'))
        contact = read_vendor_contact(self.example('ApiVendorContactResource', 'illustrative')['example'])
        self.assertEqual((contact.email, contact.is_default), ('billing@example.com', True))

    def test_bill(self):
        for folder in ('spec-2025-08-10', 'spec-2026-08-01'):
            payload = self.example('Bill', folder)
            self.assertRefused('vendor.id', 'required', read_bill, payload)
            payload['vendor']['id'] = IDS[0]
            self.assertRefused('line_items', 'add up to 1219.93 USD, but the bill is 969.93 USD', read_bill, payload)
            payload['amount']['amount'] += 25000
            read = read_bill(payload)
            self.assertEqual([item.amount.minor for item in read.lines], [1998, 94995, 25000])
            self.assertEqual((read.lines[2].quantity, read.lines[2].unit_price), (Decimal(5), Money(5000, 'USD')))
            self.assertEqual(read.lines[2].selections[0].type, 'SUBSIDIARY')
            self.assertEqual((read.payment.payment_method, read.payment.details), ('ACH', None))
            self.assertEqual((read.vendor.remote_id, read.fx_conversion_rate), ('Amazon', Decimal(1)))

    def test_vendor_credit(self):
        payload = self.example('VendorCreditResource')
        self.assertRefused(
            'expense_line_items', 'add up to 750.00 USD, but the credit is 2000.00', read_vendor_credit, payload
        )
        payload['expense_line_items'][0]['amount']['amount'] += 125000
        self.assertRefused('applied_bills', '70.00 USD went to bills', read_vendor_credit, payload)
        payload['applied_bills'][0]['amount']['amount'] += 93000
        read = read_vendor_credit(payload)
        self.assertEqual((read.remaining, len(read.lines), len(read.uses)), (Money(100000, 'USD'), 2, 2))

    def test_reimbursement(self):
        for folder in ('spec-2025-08-10', 'spec-2026-08-01'):
            text = json.dumps(self.example('Reimbursement', folder))
            if 'T:00:00' in text:
                with self.assertRaisesRegex(PayloadError, '^[A-Z][a-z ]+ at: .*is not a date and time'):
                    read_reimbursement(json.loads(text))
            read = read_reimbursement(json.loads(text.replace('T:00:00', 'T00:00:00')))
            self.assertEqual((read.amount, read.original_amount, read.payee_amount), (Money(48446, 'USD'),) * 3)
            self.assertEqual(sorted(item.amount.minor for item in read.lines), [5000, 43446])
            self.assertEqual({item.selections[0].type for item in read.lines}, {'SUBSIDIARY'})
            self.assertEqual((read.payment_id, read.distance), ('NDPHKHCN6G', Decimal(55)))

    def test_repayment(self):
        read = read_repayment(self.example('Repayment'))
        self.assertEqual((read.amount, read.repaid_at), (Money(48446, 'USD'), parse_utc_moment('2023-08-21T00:00:00Z')))


@tagged('ramp_api')
class TestSimulated(PayablesCase):
    """The simulator's answers can be read, except the objects that it spoils on purpose."""

    seed = {'transactions': 60, 'bills': 60, 'reimbursements': 60, 'problems': True}
    UNREADABLE = {
        'bill_wrong_currency': 'line_items[0].amount',
        'bill_sum_mismatch': 'line_items',
        'bill_no_lines': 'line_items',
        'bill_unknown_status': 'status_summary',
        'bill_malformed': 'amount',
        'reimbursement_sum_mismatch': 'line_items',
        'reimbursement_no_amount': 'entity_amount',
        'reimbursement_unknown_type': 'type',
        'reimbursement_malformed': 'entity_amount.value',
    }

    def rows(self, path, **params):
        self.clock.forward(minutes=1)  # avoids the rate limit
        return self.client.every(path, page_size=100, **params)

    def one(self, path):
        self.clock.forward(seconds=1)
        return self.client.get(path).json()

    def read_all(self, rows, read):
        """Return the rows that can be read, by id. The others are among the known problems."""
        problems = {ident: label for label, ident in self.ramp.state.problems.items()}
        found = {}
        for row in rows:
            label = problems.get(row['id'])
            if label in self.UNREADABLE:
                self.seen.add(label)
                PayloadCase.assertRefused(self, self.UNREADABLE[label], '', read, row)
            else:
                with self.subTest(label=label, row=row['id']):
                    found[row['id']] = read(row)
        return found

    def test_every_object(self):
        self.seen = set()
        vendors = self.read_all(self.rows('/vendors', include_draft='true'), read_vendor)
        self.assertGreaterEqual(len(vendors), 20)
        self.assertTrue(any(row.external_vendor_id for row in vendors.values()))
        details = [read_vendor(self.one(f'/vendors/{ident}')) for ident in vendors]
        self.assertTrue(any(dict(row.custom_fields).get('Tax ID') for row in details))
        self.assertIn('PENDING', [row.approval_status for row in details])
        for ident in list(vendors)[:5]:
            contacts = [read_vendor_contact(row) for row in self.rows(f'/vendors/{ident}/contacts')]
            self.assertEqual(tuple(row.id for row in contacts), vendors[ident].contacts)

        rows = self.rows('/bills') + self.rows('/bills', is_archived='true')
        bills = self.read_all(rows, read_bill)
        self.assertGreaterEqual(len(bills), 60)
        state = self.ramp.state['bills'].rows
        for ident, read in bills.items():
            self.assertEqual(sum(item.amount.minor for item in read.lines), state[ident]['_money']['amount_minor'])
            self.assertEqual(read.amount.currency, state[ident]['_money']['currency'])
        kinds = {type(row.payment.details) for row in bills.values() if row.payment}
        self.assertEqual(kinds, {CardPaymentDetails, ManualPaymentDetails, VendorPaymentDetails})
        self.assertTrue(any(item.is_inventory for row in bills.values() for item in row.lines))
        self.assertTrue(any(row.archived_at for row in bills.values()))
        paid = next(row for row in bills.values() if row.payment and row.payment.customer_friendly_payment_id)
        self.assertTrue(read_bill(self.one(f'/bills/{paid.id}')).payment.trace_id)

        credits = self.read_all(self.rows('/vendors/credits', include_fully_used='true'), read_vendor_credit)
        self.assertTrue(any(row.uses for row in credits.values()))
        applied = {(item.id, ident) for ident, row in bills.items() for item in row.applied_vendor_credits}
        self.assertEqual({(ident, use.bill_id) for ident, row in credits.items() for use in row.uses}, applied)

        rows = self.rows('/reimbursements') + self.rows('/reimbursements', direction='USER_TO_BUSINESS')
        reimbursements = self.read_all(rows, read_reimbursement)
        self.assertGreaterEqual(len(reimbursements), 60)
        for read in reimbursements.values():
            self.assertEqual(sum(item.amount.minor for item in read.lines), read.amount.minor)
        self.assertEqual({row.direction for row in reimbursements.values()}, {'BUSINESS_TO_USER', 'USER_TO_BUSINESS'})
        self.assertTrue(any(row.amount.currency != row.original_amount.currency for row in reimbursements.values()))
        self.assertTrue(any(row.waypoints and row.distance for row in reimbursements.values()))

        self.assertTrue(self.read_all(self.rows('/repayments'), read_repayment))
        self.assertEqual(self.seen, set(self.UNREADABLE))

    def test_withholding(self):
        ident = self.ramp.add_bill(lines=[{'amount_minor': 9000, 'withheld_minor': 1000}])
        withheld = read_bill(self.bill(ident)).lines[0].withholding
        self.assertEqual(
            (withheld.gross.minor, withheld.withheld.minor, withheld.percentage), (10000, 1000, Decimal(10))
        )


class NonsenseCase(PayloadCase):
    """A field with any value is either read or raises PayloadError, and no other error."""

    VALUES = (
        None,
        '',
        'x',
        0,
        -1,
        10**400,
        1.5,
        float('nan'),
        float('inf'),
        True,
        [],
        [None],
        [[]],
        {},
        {'a': 1},
        [{}],
        '\ud800',
    )

    def places(self, value, path=()):
        yield path
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            yield from self.places(value[key], (*path, key))

    def check(self, payload, read):
        for *path, last in filter(None, self.places(payload)):
            for value in self.VALUES:
                spoiled = copy.deepcopy(payload)
                inner = spoiled
                for key in path:
                    inner = inner[key]
                inner[last] = value
                try:
                    hash(read(spoiled))
                except PayloadError as error:
                    self.assertTrue(error.field)


@tagged('ramp_api')
class TestNonsense(NonsenseCase):
    def test_any_field(self):
        for make, read in (
            (vendor, read_vendor),
            (bill, read_bill),
            (credit, read_vendor_credit),
            (reimbursement, read_reimbursement),
            (repayment, read_repayment),
        ):
            self.check(make(), read)
