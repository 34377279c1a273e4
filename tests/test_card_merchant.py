# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The vendor of each line and of the whole charge, and one vendor for each merchant."""

import uuid
from contextlib import closing
from unittest.mock import patch

import psycopg2

from odoo.exceptions import ValidationError
from odoo.modules.registry import Registry
from odoo.tests import tagged

from .common import RampCase
from .properties import in_turn
from .test_card_books import CardBooksCase
from .test_query_counts import FEW, MANY, QueryCounting


@tagged('post_install', '-at_install', 'ramp')
class TestPayee(CardBooksCase):
    @in_turn
    def test_a_coded_line_is_its_vendors_and_the_rest_the_merchants(self):
        self.vendor.copy({'name': 'Office Depot', 'supplier_rank': 1})
        depot = self.env['res.partner'].search([('name', '=', 'Office Depot'), ('supplier_rank', '>', 0)])
        card = self.connection.merchant_partner_id
        for merchant, rest in (('Office Depot', depot), ('Kiosk', card)):
            ramp_id = self.split(
                (4000, self.account_meals, self.vendor), (6000, self.account_travel), merchant=merchant
            )
            self.sync()
            self.assertConfirmed(ramp_id)
            self.assertEqual(self.partners(ramp_id), [self.vendor, rest, rest])
            self.assertEqual((self.move(ramp_id).partner_id, self.expense(ramp_id).vendor_id), (rest, rest))

    def test_two_vendors(self):
        ramp_id = self.split(
            (4000, self.account_meals, self.vendor), (6000, self.account_travel, self.other_vendor), merchant='Kiosk'
        )
        self.sync()
        card = self.connection.merchant_partner_id
        self.assertEqual(self.partners(ramp_id), [self.vendor, self.other_vendor, card])

    def test_one_vendor_for_all_lines_is_the_payee(self):
        ramp_id = self.split((4000, self.account_meals, self.vendor), (6000, self.account_travel, self.vendor))
        self.sync()
        self.assertEqual(self.partners(ramp_id), [self.vendor] * 3)


@tagged('post_install', '-at_install', 'ramp')
class TestMerchants(RampCase):
    def once(self):
        super().once()
        self.merchant = str(uuid.UUID(int=7))

    def payee(self, ramp_id):
        self.assertConfirmed(ramp_id)
        [partner] = self.move(ramp_id).line_ids.partner_id
        return partner

    def test_one_partner_for_all_is_the_default(self):
        before = self.env['res.partner'].search_count([])
        ramp_id = self.spend(merchant='Kiosk', merchant_id=self.merchant)
        self.sync()
        self.assertEqual(self.payee(ramp_id), self.connection.merchant_partner_id)
        self.assertEqual(self.env['res.partner'].search_count([]), before)
        self.assertFalse(self.env['ramp.merchant'].search([]))

    def test_one_vendor_for_each_merchant_however_it_is_spelled(self):
        self.connection.merchant_policy = 'each'
        before = self.env['res.partner'].search_count([])
        other = str(uuid.UUID(int=8))
        ids = [
            self.spend(merchant=name, merchant_id=merchant)
            for name, merchant in (
                ('Blue Café', self.merchant),
                ('BLUE CAFE 0042', self.merchant),
                ('Rail', other),
                ('Rail', str(uuid.UUID(int=9))),
            )
        ]
        self.sync()
        later = self.spend(merchant='Blue Cafe, Lyon', merchant_id=self.merchant)
        self.sync()
        first, second, rail, same_name = (self.payee(ramp_id) for ramp_id in ids)
        self.assertEqual(same_name, rail, 'two suppliers of one name could not be told apart')
        self.assertIn(first.name, ('Blue Café', 'BLUE CAFE 0042'))
        self.assertEqual((first.supplier_rank > 0, first.is_company, first.company_id.id), (True, True, False))
        self.assertEqual((second, self.payee(later)), (first, first))
        self.assertEqual(rail.name, 'Rail')
        self.assertEqual(self.env['res.partner'].search_count([]), before + 2)
        self.assertEqual(self.expense(later).vendor_id, first)

    def test_a_vendor_who_is_there_is_found_first_and_remembered(self):
        self.connection.merchant_policy = 'each'
        known = self.env['res.partner'].create({'name': 'Acme Air', 'supplier_rank': 1})
        twins = self.env['res.partner'].create(
            [{'name': 'Twin', 'supplier_rank': 1}, {'name': 'Twin', 'supplier_rank': 1}]
        )
        first, twin, nameless = (
            self.spend(merchant='ACME  air', merchant_id=self.merchant),
            self.spend(merchant='Twin', merchant_id=str(uuid.UUID(int=9))),
            self.spend(merchant='Kiosk', merchant_id=None),
        )
        before = self.env['res.partner'].search_count([])
        self.sync()
        renamed = self.spend(merchant='Acme Airlines', merchant_id=self.merchant)
        self.sync()
        self.assertEqual((self.payee(first), self.payee(renamed)), (known, known))
        self.assertEqual((self.payee(twin), self.payee(nameless)), (self.connection.merchant_partner_id,) * 2)
        self.assertEqual(self.env['res.partner'].search_count([]), before)
        known.active = False
        found = self.env['res.partner'].create({'name': 'Acme Airlines', 'supplier_rank': 1})
        again, gone = self.spend(merchant='Acme Airlines', merchant_id=self.merchant), twins[0]
        self.sync()
        self.assertEqual(self.payee(again), found, 'whoever archives one of two says which it is')
        found.active = False
        last = self.spend(merchant='Acme', merchant_id=self.merchant)
        self.sync()
        self.assertEqual(self.payee(last), found, 'none is made anew because somebody archived it')
        self.assertTrue(gone.exists())

    def test_merged_partners(self):
        self.connection.merchant_policy = 'each'
        one = self.spend(merchant='Amzn', merchant_id=self.merchant)
        self.sync()
        amazon = self.env['res.partner'].create({'name': 'Amazon', 'supplier_rank': 1})
        self.env['base.partner.merge.automatic.wizard'].create({})._merge((self.payee(one) + amazon).ids, amazon)
        self.env.invalidate_all()
        two = self.spend(merchant='Amzn', merchant_id=self.merchant)
        self.sync()
        self.assertEqual((self.payee(one), self.payee(two)), (amazon, amazon))

    def test_planning_makes_nothing(self):
        """If posting fails, no vendor is left behind."""
        self.connection.merchant_policy = 'each'
        self.spend(merchant='Never', merchant_id=self.merchant)
        with patch.object(type(self.env['ramp.card.merchant']), '_book_plans', side_effect=ValueError('no')):
            self.sync()
        self.assertFalse(self.env['res.partner'].search([('name', '=', 'Never')]))

    def test_one_by_one(self):
        """If a batch is posted one by one, later charges use the vendor that the first one made."""
        self.connection.merchant_policy = 'each'
        good = [self.spend(merchant='Shop', merchant_id=self.merchant) for _number in range(2)]
        bad = self.spend(666, merchant='Refused', merchant_id=str(uuid.UUID(int=3)))
        post = type(self.env['account.move'])._post

        def refuse(moves, soft=True):
            if 66.6 in moves.mapped('amount_total') or 6.66 in moves.mapped('amount_total'):
                raise ValidationError('Not with me')  # pylint: disable=translation-required
            return post(moves, soft=soft)

        self.patch(type(self.env['account.move']), '_post', refuse)
        self.sync('transaction')
        self.assertEqual(len({self.payee(ramp_id) for ramp_id in good}), 1)
        self.assertEqual(self.record(bad).state, 'error')
        self.assertFalse(self.env['res.partner'].search([('name', '=', 'Refused')]), 'it went with the booking')

    def test_two_workers(self):
        """Two workers make no two vendors of a merchant: PostgreSQL fails the one that could not see the other's
        vendor, and it is repeated.
        """
        company, partner = self.env.ref('base.main_company'), self.env.ref('base.main_partner')
        database = Registry(self.env.cr.dbname)
        with closing(database._db.cursor()) as first, closing(database._db.cursor()) as second:
            one, two = (self.env['ramp.merchant'].with_env(self.env(cr=cursor)) for cursor in (first, second))
            self.assertFalse(
                one._known_partners(company.with_env(one.env), [self.merchant])
            )  # its view of the database begins here
            two._store_partners(company.with_env(two.env), {self.merchant: partner.with_env(two.env)})
            second.commit()
            try:
                with self.assertRaises(psycopg2.errors.SerializationFailure):
                    one._store_partners(company.with_env(one.env), {self.merchant: partner.with_env(one.env)})
                first.rollback()
                self.assertEqual(
                    one._known_partners(company.with_env(one.env), [self.merchant]),
                    {self.merchant: partner.with_env(one.env)},
                )
            finally:
                first.rollback()
                second.execute('DELETE FROM ramp_merchant WHERE ramp_id = %s', [self.merchant])
                second.commit()


@tagged('post_install', '-at_install', 'ramp', 'is_query_count')
class TestMerchantQueries(QueryCounting, RampCase):
    def setUp(self):
        super().setUp()
        self.count_phases('transaction')
        self.connection.merchant_policy = 'each'
        self.number = 0

    def queries(self, count):
        for _number in range(count):
            self.number += 1
            self.spend(
                1000,
                date='2026-03-10T12:00:00+00:00',
                merchant=f'Shop {self.number}',
                merchant_id=str(uuid.UUID(int=self.number)),
            )
        self.counts.clear()
        self.sync('transaction')
        return dict(self.counts)

    def test_merchants_are_looked_up_together(self):
        # Core makes its own queries for each new partner.
        self.assertLessEqual(self.each(FEW, MANY)['_book_batch'], 4)
