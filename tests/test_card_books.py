# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""What an auditor reads of card spend: who was paid, what was bought, and an expense that equals its entry."""
import math
import uuid
from contextlib import closing
from unittest.mock import patch

import psycopg2

from odoo import Command
from odoo.exceptions import ValidationError
from odoo.modules.registry import Registry
from odoo.tests import Form, tagged

from ..flows.line_label import fill, is_well_formed, unknown_placeholders
from ..simulator import coding
from .common import PayablesCase, RampCase
from .smoke import PlainCase
from .test_query_counts import FEW, MANY, QueryCounting

TEMPLATE = '{merchant} · {memo} · {cardholder} ({original_amount})'


@tagged('ramp_api')
class TestLineLabel(PlainCase):
    whole = {'merchant': 'Hotel Paris', 'memo': 'Client visit', 'cardholder': 'A. Lovelace', 'original_amount': 'EUR 90.00',
             'category': 'Lodging', 'trip': ''}

    def filled(self, template, **values):
        return fill(template, {**self.whole, **values})

    def test_all_parts(self):
        self.assertEqual(self.filled(TEMPLATE), 'Hotel Paris · Client visit · A. Lovelace (EUR 90.00)')

    def test_empty_parts_vanish_with_their_separator(self):
        for values, label in (
                ({'original_amount': None}, 'Hotel Paris · Client visit · A. Lovelace'),
                ({'memo': ''}, 'Hotel Paris · A. Lovelace (EUR 90.00)'),
                ({'merchant': False}, 'Client visit · A. Lovelace (EUR 90.00)'),
                ({'merchant': '', 'memo': '', 'cardholder': ''}, '(EUR 90.00)'),
                (dict.fromkeys(self.whole), '')):
            with self.subTest(values):
                self.assertEqual(self.filled(TEMPLATE, **values), label)
        self.assertEqual(self.filled('Card: {trip}, {merchant} for {trip} by {cardholder}.'), 'Card: Hotel Paris by A. Lovelace.')
        self.assertEqual(self.filled('{merchant} [{trip} / {category}] (in {trip})'), 'Hotel Paris [Lodging]')

    def test_values_are_only_text(self):
        odd = '{cardholder} ({memo}) %s {0.__class__} \\1'
        self.assertEqual(self.filled('{merchant} · {memo}', memo=odd), f'Hotel Paris · {odd}')

    def test_faults(self):
        self.assertEqual(unknown_placeholders('{merchant} {mreo} {memo.__class__} {}'), ['mreo', 'memo.__class__', ''])
        self.assertEqual([is_well_formed(template) for template in (TEMPLATE, '{merchant', 'merchant}', 'Card', '{{merchant}}', '')],
                         [True, False, False, False, False, False])


class CardBooksCase(RampCase):
    def once(self):
        super().once()
        self.connection.offer_taxes = True
        parts = [Command.create({'repartition_type': 'base'}), Command.create(
            {'repartition_type': 'tax', 'account_id': self.env['account.account'].create({
                'name': 'Input tax', 'code': '150019', 'account_type': 'asset_current', 'company_ids': self.company.ids}).id})]
        self.tax, self.lost_tax = self.env['account.tax'].create([{
            'name': name, 'amount': 19, 'amount_type': 'percent', 'type_tax_use': 'purchase', 'company_id': self.company.id,
            'country_id': self.company.account_fiscal_country_id.id, **values} for name, values in (
                ('VAT 19', {'invoice_repartition_line_ids': parts, 'refund_repartition_line_ids': [*parts]}), ('Not deductible 19', {}))])
        self.vendor, self.other_vendor = self.env['res.partner'].create([
            {'name': name, 'supplier_rank': 1, 'company_id': self.company.id} for name in ('Acme Air', 'Borealis')])
        self.sync('account', 'analytic_plan', 'analytic_account', 'tax_rate', 'tax_code', 'accounting_vendor')

    def pick(self, account, *records):
        """The selections of a line, as people make them in Ramp."""
        picked = [coding.account(self.ramp.state, self.external(account))]
        for record in records:
            kind = {'account.tax': 'tax_code', 'res.partner': 'accounting_vendor'}.get(record._name)
            if not kind:
                picked.append(coding.option(self.ramp.state, self.external(record.root_plan_id), self.external(record)))
                continue
            row = self.env['ramp.record'].search([('flow', '=', kind), ('res_id', '=', record.id)], limit=1)
            picked.append(coding.tax_code(self.ramp.state, row.remote_id) if kind == 'tax_code'
                          else coding.vendor(self.ramp.state, row.remote_id))
        return picked

    def split(self, *parts, **values):
        """A transaction of lines (minor units, account, what else it is coded with)."""
        return self.spend(sum(part[0] for part in parts), lines=[
            {'amount_minor': minor, 'selections': self.pick(account, *records)} for minor, account, *records in parts], **values)

    def partners(self, ramp_id):
        return [line.partner_id for line in self.move(ramp_id).line_ids.sorted('id')]


@tagged('post_install', '-at_install', 'ramp')
class TestPayee(CardBooksCase):

    def test_a_coded_line_is_its_vendors_and_the_rest_the_merchants(self):
        self.vendor.copy({'name': 'Office Depot', 'supplier_rank': 1})
        depot = self.env['res.partner'].search([('name', '=', 'Office Depot'), ('supplier_rank', '>', 0)])
        card = self.connection.merchant_partner_id
        for merchant, rest in (('Office Depot', depot), ('Kiosk', card)):
            ramp_id = self.split((4000, self.account_meals, self.vendor), (6000, self.account_travel), merchant=merchant)
            self.sync()
            self.assertConfirmed(ramp_id)
            self.assertEqual(self.partners(ramp_id), [self.vendor, rest, rest])
            self.assertEqual((self.move(ramp_id).partner_id, self.expense(ramp_id).vendor_id), (rest, rest))

    def test_two_vendors(self):
        ramp_id = self.split((4000, self.account_meals, self.vendor), (6000, self.account_travel, self.other_vendor), merchant='Kiosk')
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
        ids = [self.spend(merchant=name, merchant_id=merchant) for name, merchant in (
            ('Blue Café', self.merchant), ('BLUE CAFE 0042', self.merchant), ('Rail', other), ('Rail', str(uuid.UUID(int=9))))]
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
        twins = self.env['res.partner'].create([{'name': 'Twin', 'supplier_rank': 1}, {'name': 'Twin', 'supplier_rank': 1}])
        first, twin, nameless = (
            self.spend(merchant='ACME  air', merchant_id=self.merchant), self.spend(merchant='Twin', merchant_id=str(uuid.UUID(int=9))),
            self.spend(merchant='Kiosk', merchant_id=None))
        before = self.env['res.partner'].search_count([])
        self.sync()
        renamed = self.spend(merchant='Acme Airlines', merchant_id=self.merchant)
        self.sync()
        self.assertEqual((self.payee(first), self.payee(renamed)), (known, known))
        self.assertEqual((self.payee(twin), self.payee(nameless)), (self.connection.merchant_partner_id, ) * 2)
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
        """Whatever becomes of the booking: what is not booked leaves no vendor."""
        self.connection.merchant_policy = 'each'
        self.spend(merchant='Never', merchant_id=self.merchant)
        with patch.object(type(self.env['ramp.card.merchant']), '_book', side_effect=ValueError('no')):
            self.sync()
        self.assertFalse(self.env['res.partner'].search([('name', '=', 'Never')]))

    def test_one_by_one(self):
        """A batch that does not go together: the vendor that the first one made is the second one's, too."""
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
        """One that could not see the other's is done again: PostgreSQL fails it, and no two vendors stay."""
        company, partner = self.env.ref('base.main_company'), self.env.ref('base.main_partner')
        database = Registry(self.env.cr.dbname)
        with closing(database._db.cursor()) as first, closing(database._db.cursor()) as second:
            one, two = (self.env['ramp.merchant'].with_env(self.env(cr=cursor)) for cursor in (first, second))
            self.assertFalse(one._known(company.with_env(one.env), [self.merchant]))  # its view of the database begins
            two._link(company.with_env(two.env), {self.merchant: partner.with_env(two.env)})
            second.commit()
            try:
                with self.assertRaises(psycopg2.errors.SerializationFailure):
                    one._link(company.with_env(one.env), {self.merchant: partner.with_env(one.env)})
                first.rollback()
                self.assertEqual(one._known(company.with_env(one.env), [self.merchant]), {self.merchant: partner.with_env(one.env)})
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
            self.spend(1000, date='2026-03-10T12:00:00+00:00', merchant=f'Shop {self.number}', merchant_id=str(uuid.UUID(int=self.number)))
        self.counts.clear()
        self.sync('transaction')
        return dict(self.counts)

    def test_merchants_are_looked_up_together(self):
        # what core asks when it makes a partner is core's
        self.assertLessEqual(self.each(FEW, MANY)['_book_batch'], 4)


@tagged('post_install', '-at_install', 'ramp')
class TestLabels(CardBooksCase):
    def once(self):
        super().once()
        holder = next(iter(self.ramp.state['users']))
        self.holder = f"{holder['first_name'][0]}. {holder['last_name']}"

    def names(self, ramp_id):
        return self.move(ramp_id).line_ids.sorted('id').mapped('name')

    def test_lines_and_documents(self):
        ramp_id = self.spend(10000, merchant='Hotel Paris', memo='Client visit', original_currency='EUR', original_minor=9000, lines=[
            {'amount_minor': 6000, 'account': self.external(self.account_travel), 'memo': 'Room'},
            {'amount_minor': 4000, 'account': self.external(self.account_meals)}])
        self.sync()
        self.assertConfirmed(ramp_id)
        whole = f'Hotel Paris · Client visit · {self.holder} (EUR 90.00)'
        self.assertEqual(self.names(ramp_id), [f'Hotel Paris · Room · {self.holder} (EUR 90.00)', whole, whole])
        self.assertEqual((self.expense(ramp_id).name, self.move(ramp_id).ref), (whole, whole))
        plain = self.spend(merchant='Kiosk')
        self.sync()
        self.assertEqual(self.names(plain), [f'Kiosk · {self.holder}'] * 2)

    def test_template_of_before(self):
        self.connection.label_template = '{merchant}'
        ramp_id = self.spend(10000, merchant='Hotel Paris', memo='Client visit', lines=[
            {'amount_minor': 6000, 'account': self.external(self.account_travel), 'memo': 'Room'},
            {'amount_minor': 4000, 'account': self.external(self.account_meals)}])
        self.sync()
        self.assertEqual(self.names(ramp_id), ['Room', 'Hotel Paris', 'Hotel Paris'])
        self.assertIn('Client visit', self.move(ramp_id).narration)

    def test_what_ramp_tells_is_kept(self):
        trip = str(uuid.UUID(int=5))
        ramp_id = self.spend(
            merchant='Hotel Paris', memo='Client <b>visit</b>', trip_id=trip, trip_name='Spring\u202e fair', category=(6, 'Lodging'),
            merchant_category_code_description='Hotels and motels', attendees=[
                {'name': 'Zoë O\'Brien', 'user_id': None}, {'name': 'Ada\nMoss', 'user_id': self.user_id}])
        self.sync()
        self.assertEqual(self.expense(ramp_id).description, "\n".join((
            'Client <b>visit</b>', 'Category: Lodging, Hotels and motels', 'Trip: Spring fair', "Attendees: Zoë O'Brien, Ada Moss")))
        self.assertIn('Client &lt;b&gt;visit&lt;/b&gt;', self.move(ramp_id).narration)
        self.connection.label_template = '{category}: {merchant} [{trip}]'
        again = self.spend(merchant='Hotel Paris', trip_id=trip, trip_name='Fair', category=(6, 'Lodging'))
        self.sync()
        self.assertEqual(self.expense(again).name, 'Lodging: Hotel Paris [Fair]')

    def test_what_is_told_later_is_no_change_of_the_books(self):
        ramp_id = self.spend()
        self.sync()
        self.ramp.update_transaction(ramp_id, trip_name='Fair', attendees=[{'name': 'Ada', 'user_id': None}], sk_category_name='Other')
        self.sync('transaction')
        self.assertFalse(self.record(ramp_id).has_changed)
        self.assertEqual(self.record(ramp_id).state, 'confirmed')

    def test_a_refund_names_its_purchase(self):
        purchase = self.spend(5000, merchant='Depot', date='2026-03-02T12:00:00+00:00')
        together = self.spend(-1000, refund_of=purchase, memo='Broken')
        self.sync()
        later, unknown = self.spend(-2000, refund_of=purchase), self.spend(-300, original_transaction_id='somewhere else')
        self.sync()
        self.assertTrue(self.expense(together).description.startswith('Broken\nRefund of Depot, 2026-03-02.'))
        entry = self.move(purchase).name
        self.assertIn(f'Refund of Depot, 2026-03-02: {entry}.', self.expense(later).description)
        self.assertIn(f'Refund of Depot, 2026-03-02: {entry}.', self.move(later).narration)
        self.assertIn('Refund of the transaction somewhere else.', self.expense(unknown).description)

    def test_long_texts(self):
        ramp_id = self.spend(merchant='m' * 300, memo='n' * 300, original_currency='EUR', original_minor=9000)
        self.sync()
        self.assertEqual(self.expense(ramp_id).name, f"{'m' * 80} · {'n' * 80} · {self.holder} (EUR 90.00)"[:200])

    def test_preview_and_faults(self):
        self.assertEqual(self.connection.label_preview, 'Hotel Paris · Client visit · A. Lovelace (EUR 90.00)')
        with Form(self.connection) as form:
            form.label_template = '{merchant} / {trip}'
            self.assertEqual(form.label_preview, 'Hotel Paris / Paris in June')
            form.label_template = '{merchant} {memmo}'
            self.assertIn('no placeholder {memmo}', form.label_preview)
            form.label_template = '{merchant}'
        for template, words in (('{merchant.env}', r'no placeholder \{merchant\.env\}'), ('Card', 'has no placeholder'),
                                ('{merchant} {', 'a brace that belongs to none')):
            with self.subTest(template), self.assertRaisesRegex(ValidationError, words):
                self.connection.label_template = template


@tagged('post_install', '-at_install', 'ramp')
class TestExpenseEqualsEntry(CardBooksCase):

    def assertEqualsEntry(self, ramp_id):
        """What the expense says of the whole is what the lines of its entry add up to."""
        expense = self.expense(ramp_id)
        lines = expense.account_move_id.line_ids.filtered(lambda line: line.account_id != self.connection.card_account_id)
        taxes = lines.filtered('tax_line_id')
        for names, of in (
                (('tax_amount_currency', 'tax_amount'), taxes), (('untaxed_amount_currency', 'untaxed_amount'), lines - taxes),
                (('total_amount_currency', 'total_amount'), lines)):
            for name, key in zip(names, ('amount_currency', 'balance'), strict=True):
                self.assertAlmostEqual(expense[name], sum(of.mapped(key)), msg=name)
        costs = abs(sum(lines.filtered(lambda line: line.account_id in (lines - taxes).account_id).mapped('balance')))
        for analytic in lines.distribution_analytic_account_ids:
            booked = -sum(self.env['account.analytic.line'].search([
                ('move_line_id', 'in', lines.ids), (analytic.root_plan_id._column_name(), '=', analytic.id)]).mapped('amount'))
            shares = sum(share for key, share in expense.analytic_distribution.items() if str(analytic.id) in key.split(','))
            self.assertAlmostEqual(math.copysign(costs, expense.total_amount) * shares / 100, booked, delta=0.0001 * costs + 0.011)

    def core(self, ramp_id):
        """Core's own expense of the same: made, approved and posted as people do."""
        ours = self.expense(ramp_id)
        expense = self.env['hr.expense'].create({
            'name': ours.name, 'employee_id': ours.employee_id.id, 'company_id': self.company.id, 'product_id': ours.product_id.id,
            'payment_mode': 'company_account', 'payment_method_line_id': ours.payment_method_line_id.id, 'date': ours.date,
            'currency_id': ours.currency_id.id, 'total_amount_currency': ours.total_amount_currency, 'vendor_id': ours.vendor_id.id,
            'tax_ids': [Command.set(ours.tax_ids.ids)], 'account_id': ours.account_id.id,
            'analytic_distribution': ours.account_move_id.line_ids.sorted('id')[0].analytic_distribution})
        expense.action_submit()
        if expense.state == 'submitted':
            expense.action_approve()
        expense.action_post()
        return expense

    def test_as_core_does(self):
        self.connection.card_journal_id.outbound_payment_method_line_ids.payment_account_id = self.connection.card_account_id
        for tax, values in ((self.tax, {}), (self.tax, {'currency': 'EUR'}), (self.lost_tax, {}), (self.lost_tax, {'currency': 'EUR'})):
            with self.subTest(values, tax=tax.name):
                ramp_id = self.split((9999, self.account_meals, tax, self.analytic_fair), **values)
                self.sync('transaction')
                ours, core = self.expense(ramp_id), self.core(ramp_id)
                self.assertEqual(self.record(ramp_id).state, 'confirmed')
                for name in ('untaxed_amount_currency', 'tax_amount_currency', 'total_amount_currency', 'untaxed_amount', 'tax_amount',
                             'total_amount', 'analytic_distribution', 'state', 'account_id', 'tax_ids', 'vendor_id'):
                    self.assertEqual(ours[name], core[name], name)

                def entry(move):
                    return sorted((line.account_id.code, line.balance, line.amount_currency, line.tax_line_id.id or 0, line.partner_id.id)
                                  for line in move.line_ids)

                self.assertEqual(entry(self.move(ramp_id)), entry(core.account_move_id))
                self.assertEqualsEntry(ramp_id)

    def test_split_with_one_tax_on_some_lines(self):
        for tax, values in ((self.tax, {}), (self.tax, {'currency': 'EUR'}), (self.lost_tax, {'currency': 'KWD'})):
            ramp_id = self.split(
                (11900, self.account_meals, tax, self.analytic_fair), (5001, self.account_travel, self.analytic_europe), **values)
            self.sync('transaction')
            expense = self.expense(ramp_id)
            self.assertFalse(expense.tax_ids or expense.account_id)
            self.assertTrue(expense.tax_amount)
            self.assertEqualsEntry(ramp_id)
            self.assertEqual(sum(expense.analytic_distribution.values()), 100)

    def test_same_tax_on_all_lines(self):
        """Core would compute the tax of the whole; the entry has the one of each line."""
        ramp_id = self.split(*[(103, self.account_meals, self.tax)] * 3)
        self.sync()
        expense = self.expense(ramp_id)
        self.assertEqual((expense.tax_ids, expense.account_id), (self.tax, self.account_meals))
        self.assertEqual(expense.tax_amount, 0.48)
        self.assertEqualsEntry(ramp_id)

    def test_mixture_of_analytics(self):
        ramp_id = self.split(
            (3333, self.account_meals, self.analytic_move, self.analytic_europe), (3333, self.account_travel, self.analytic_fair),
            (3333, self.account_travel, self.analytic_europe), (1, self.account_software, self.analytic_fair))
        partly = self.split((7500, self.account_meals, self.analytic_fair), (2500, self.account_travel))
        back = self.split((-7500, self.account_meals, self.analytic_fair), (2500, self.account_travel, self.analytic_europe))
        nothing = self.split((500, self.account_meals, self.analytic_fair), (-500, self.account_travel, self.analytic_europe))
        self.sync()
        both = ','.join(str(identity) for identity in sorted((self.analytic_move + self.analytic_europe).ids))
        fair, europe = str(self.analytic_fair.id), str(self.analytic_europe.id)
        self.assertEqual(self.expense(ramp_id).analytic_distribution, {both: 33.33, fair: 33.34, europe: 33.33})
        self.assertEqual(self.expense(partly).analytic_distribution, {fair: 75})
        self.assertEqual(self.expense(back).analytic_distribution, {fair: 150, europe: -50})
        self.assertFalse(self.expense(nothing).analytic_distribution)
        for one in (ramp_id, partly, back):
            self.assertEqualsEntry(one)

    def test_state_follows_the_entry(self):
        self.connection.card_post = 'draft'
        ramp_id = self.split((11900, self.account_meals, self.tax))
        self.sync()
        expense, move = self.expense(ramp_id), self.move(ramp_id)
        self.assertEqual((move.state, expense.state), ('draft', 'approved'))
        self.assertTrue(expense.is_editable)  # the connector
        self.assertFalse(expense.with_user(self.env.ref('base.user_admin')).is_editable)
        move.action_post()
        self.assertEqual(expense.state, 'paid')
        move.button_draft()
        self.assertEqual(expense.state, 'approved')
        move.unlink()
        self.assertEqual(expense.state, 'refused', 'it is in the books no more')
        self.connection.card_post = 'post'
        self.record(ramp_id).action_retry()
        self.sync()
        self.assertEqual(self.expense(ramp_id), expense)
        self.assertEqual((expense.state, expense.approval_state), ('paid', 'approved'))
        self.assertEqualsEntry(ramp_id)

    def test_booked_again_in_another_currency(self):
        """Core converts the total of one that is there by a rate of its own; the entry's counts."""
        ramp_id = self.split((11900, self.account_meals, self.tax), currency='EUR', date='2026-03-02T12:00:00+00:00')
        self.sync()
        self.move(ramp_id).button_draft()
        self.move(ramp_id).unlink()
        self.company.hard_lock_date = '2026-03-31'
        self.connection.lock_date_policy = 'next_open'
        self.env['res.currency.rate'].search([('currency_id.name', '=', 'EUR'), ('name', '=', '2026-04-01')]).unlink()
        self.env['res.currency.rate'].create({
            'currency_id': self.env.ref('base.EUR').id, 'name': '2026-04-01', 'rate': 0.5, 'company_id': self.company.id})
        self.record(ramp_id).action_retry()
        self.sync()
        self.assertEqual(str(self.move(ramp_id).date), '2026-04-01')
        self.assertEqualsEntry(ramp_id)

    def test_undone_counts_no_more(self):
        ramp_id = self.spend()
        self.sync()
        self.assertFalse(self.expense(ramp_id).message_ids.tracking_value_ids, 'nobody is told what nobody did')
        move = self.move(ramp_id)
        move._reverse_moves([{'date': move.date}], cancel=True)
        self.assertEqual(self.expense(ramp_id).state, 'refused')


@tagged('post_install', '-at_install', 'ramp')
class TestNotCountedTwice(PayablesCase, CardBooksCase):
    flows = ('vendor', 'transaction', 'vendor_credit', 'bill', 'bill_payment', 'repayment')

    def once(self):
        super().once()
        self.connection.payment_journal_id = self.env['account.journal'].search(
            [('company_id', '=', self.company.id), ('type', '=', 'bank')], limit=1)

    def analysis(self):
        """The total of Expenses Analysis: what its search panel shows to begin with."""
        shown = self.env.ref('hr_expense.hr_expense_actions_all').context
        self.assertIn("'searchpanel_default_state'", shown)
        self.assertNotIn('refused', shown)
        expenses = self.env['hr.expense'].search([('company_id', '=', self.company.id), ('state', '!=', 'refused')])
        return round(sum(expenses.mapped('total_amount')), 2), round(sum(expenses.mapped('tax_amount')), 2)

    def test_repaid(self):
        ramp_id = self.split((11900, self.account_meals, self.tax, self.analytic_fair))
        self.sync('transaction')
        self.assertEqual(self.analysis(), (119.0, 19.0))
        back = self.ramp.add_repayment(transaction=ramp_id, amount_minor=5950, date='2026-03-20')
        self.sync('repayment')
        self.assertEqual(self.record(back, 'repayment').state, 'confirmed', self.record(back, 'repayment').error_message)
        self.assertEqual(self.analysis(), (59.5, 9.5))
        expense = self.expense(back)
        self.assertEqual((expense.account_move_id, expense.state), (self.move(back), 'paid'))
        self.assertEqual((expense.employee_id, expense.vendor_id), (self.employee, self.expense(ramp_id).vendor_id))
        self.assertEqual((expense.untaxed_amount, expense.tax_ids), (-50.0, self.tax))
        self.assertEqual(expense.analytic_distribution, {str(self.analytic_fair.id): 100})
        # a repayment that is taken back is spend again
        self.env['ramp.flow.repayment']._undo_move(self.connection, self.move(back), 'It came back.')
        self.assertEqual(self.analysis(), (119.0, 19.0))

    def test_pays_a_bill(self):
        """Known before: no expense. Booked before as spend: its expense counts no more; and again if the bill is paid in another way."""
        spent = self.split((10000, self.account_meals), entity=self.primary)
        self.sync('transaction')
        self.assertEqual(self.analysis(), (100.0, 0))
        bill = self.owe(10000, payment_method='CARD')
        self.ramp.pay_bill(bill, transaction=spent)
        self.sync_payables()
        self.assertSettledByCard(bill, 10000)
        expense = self.expense(spent)
        self.assertEqual((expense.state, self.analysis()), ('refused', (0, 0)))
        self.assertTrue(expense.message_ids.filtered(lambda message: 'which is the spend' in message.body))
        self.assertFalse(expense.message_ids.tracking_value_ids)
        note = self.record(bill, 'bill_payment').noted['card']
        self.env['ramp.card.bill']._undo(self.connection, note)
        self.assertEqual((expense.state, self.analysis()), ('paid', (100.0, 0)))
