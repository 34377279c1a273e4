# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The labels of journal items and expenses of card spend, and other data of a transaction on them."""

import uuid

from odoo.exceptions import ValidationError
from odoo.tests import Form, tagged

from ..models.line_label import fill, is_well_formed, unknown_placeholders
from .common import RampCase
from .smoke import PlainCase

TEMPLATE = '{merchant} · {memo} · {cardholder} ({original_amount})'


@tagged('ramp_api')
class TestLineLabel(PlainCase):
    whole = {
        'merchant': 'Hotel Paris',
        'memo': 'Client visit',
        'cardholder': 'A. Lovelace',
        'original_amount': 'EUR 90.00',
        'category': 'Lodging',
        'trip': '',
    }

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
            (dict.fromkeys(self.whole), ''),
        ):
            with self.subTest(values):
                self.assertEqual(self.filled(TEMPLATE, **values), label)
        self.assertEqual(
            self.filled('Card: {trip}, {merchant} for {trip} by {cardholder}.'), 'Card: Hotel Paris by A. Lovelace.'
        )
        self.assertEqual(self.filled('{merchant} [{trip} / {category}] (in {trip})'), 'Hotel Paris [Lodging]')

    def test_values_are_only_text(self):
        odd = '{cardholder} ({memo}) %s {0.__class__} \\1'
        self.assertEqual(self.filled('{merchant} · {memo}', memo=odd), f'Hotel Paris · {odd}')

    def test_faults(self):
        self.assertEqual(unknown_placeholders('{merchant} {mreo} {memo.__class__} {}'), ['mreo', 'memo.__class__', ''])
        self.assertEqual(
            [is_well_formed(template) for template in (TEMPLATE, '{merchant', 'merchant}', 'Card', '{{merchant}}', '')],
            [True, False, False, False, False, False],
        )


@tagged('post_install', '-at_install', 'ramp')
class TestLabels(RampCase):
    def once(self):
        super().once()
        holder = next(iter(self.ramp.state['users']))
        self.holder = f'{holder["first_name"][0]}. {holder["last_name"]}'

    def names(self, ramp_id):
        return self.move(ramp_id).line_ids.sorted('id').mapped('name')

    def test_lines_and_documents(self):
        ramp_id = self.spend(
            10000,
            merchant='Hotel Paris',
            memo='Client visit',
            original_currency='EUR',
            original_minor=9000,
            lines=[
                {'amount_minor': 6000, 'account': self.external(self.account_travel), 'memo': 'Room'},
                {'amount_minor': 4000, 'account': self.external(self.account_meals)},
            ],
        )
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
        ramp_id = self.spend(
            10000,
            merchant='Hotel Paris',
            memo='Client visit',
            lines=[
                {'amount_minor': 6000, 'account': self.external(self.account_travel), 'memo': 'Room'},
                {'amount_minor': 4000, 'account': self.external(self.account_meals)},
            ],
        )
        self.sync()
        self.assertEqual(self.names(ramp_id), ['Room', 'Hotel Paris', 'Hotel Paris'])
        self.assertIn('Client visit', self.move(ramp_id).narration)

    def test_what_ramp_tells_is_kept(self):
        trip = str(uuid.UUID(int=5))
        ramp_id = self.spend(
            merchant='Hotel Paris',
            memo='Client <b>visit</b>',
            trip_id=trip,
            trip_name='Spring\u202e fair',
            category=(6, 'Lodging'),
            merchant_category_code_description='Hotels and motels',
            attendees=[{'name': "Zoë O'Brien", 'user_id': None}, {'name': 'Ada\nMoss', 'user_id': self.user_id}],
        )
        self.sync()
        self.assertEqual(
            self.expense(ramp_id).description,
            '\n'.join(
                (
                    'Client <b>visit</b>',
                    'Category: Lodging, Hotels and motels',
                    'Trip: Spring fair',
                    "Attendees: Zoë O'Brien, Ada Moss",
                )
            ),
        )
        self.assertIn('Client &lt;b&gt;visit&lt;/b&gt;', self.move(ramp_id).narration)
        self.connection.label_template = '{category}: {merchant} [{trip}]'
        again = self.spend(merchant='Hotel Paris', trip_id=trip, trip_name='Fair', category=(6, 'Lodging'))
        self.sync()
        self.assertEqual(self.expense(again).name, 'Lodging: Hotel Paris [Fair]')

    def test_what_is_told_later_is_no_change_of_the_books(self):
        ramp_id = self.spend()
        self.sync()
        self.ramp.update_transaction(
            ramp_id, trip_name='Fair', attendees=[{'name': 'Ada', 'user_id': None}], sk_category_name='Other'
        )
        self.sync('transaction')
        self.assertFalse(self.record(ramp_id).has_changed)
        self.assertEqual(self.record(ramp_id).state, 'confirmed')

    def test_a_refund_names_its_purchase(self):
        purchase = self.spend(5000, merchant='Depot', date='2026-03-02T12:00:00+00:00')
        together = self.spend(-1000, refund_of=purchase, memo='Broken')
        self.sync()
        later, unknown = (
            self.spend(-2000, refund_of=purchase),
            self.spend(-300, original_transaction_id='somewhere else'),
        )
        self.sync()
        self.assertTrue(self.expense(together).description.startswith('Broken\nRefund of Depot, 2026-03-02.'))
        entry = self.move(purchase).name
        self.assertIn(f'Refund of Depot, 2026-03-02: {entry}.', self.expense(later).description)
        self.assertIn(f'Refund of Depot, 2026-03-02: {entry}.', self.move(later).narration)
        self.assertIn('Refund of the transaction somewhere else.', self.expense(unknown).description)

    def test_long_texts(self):
        ramp_id = self.spend(merchant='m' * 300, memo='n' * 300, original_currency='EUR', original_minor=9000)
        self.sync()
        self.assertEqual(self.expense(ramp_id).name, f'{"m" * 80} · {"n" * 80} · {self.holder} (EUR 90.00)'[:200])

    def test_preview_and_faults(self):
        self.assertEqual(self.connection.label_preview, 'Hotel Paris · Client visit · A. Lovelace (EUR 90.00)')
        with Form(self.connection) as form:
            form.label_template = '{merchant} / {trip}'
            self.assertEqual(form.label_preview, 'Hotel Paris / Paris in June')
            form.label_template = '{merchant} {memmo}'
            self.assertIn('no placeholder {memmo}', form.label_preview)
            form.label_template = '{merchant}'
        for template, words in (
            ('{merchant.env}', r'no placeholder \{merchant\.env\}'),
            ('Card', 'has no placeholder'),
            ('{merchant} {', 'an unmatched brace'),
        ):
            with self.subTest(template), self.assertRaisesRegex(ValidationError, words):
                self.connection.label_template = template
