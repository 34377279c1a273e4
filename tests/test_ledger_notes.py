# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The typed notes of ledger rows write the JSON that they were read from."""

import dataclasses

from odoo.tests import tagged

from ..flows.accounting.payment_notes import CardNote, PartNote, PaymentNote
from ..flows.cards.repayment import RepaymentNote
from ..flows.people.person import PersonNote
from ..flows.statements.statement_notes import StatementNote, TransferNote
from ..flows.vendors.vendor_notes import ContactNote, VendorNote
from ..models.ledger_notes import ABSENT, LedgerNote, OrderNote
from .smoke import PlainCase

SHARED = {
    'extras': {'memo': None, 'files': 2, 'payment': ['scheduled', '2026-03-01T00:00:00+00:00']},
    'files': {'account.move,7': {'c0ffee': 12}},
    'is_linked': True,
    'accepted': 'edited',
    'vanished': '2026-03-01T00:00:00',
}
PART = {'id': 3, 'line': 5, 'amount': 9000}
# What the flows write, with each key that may be missing or null
WRITTEN = {
    LedgerNote: [{'extras': {}}, {'files': {}}],
    OrderNote: [{'receipt_status': 'NOT_RECEIVED', 'billing_status': None}],
    PaymentNote: [
        {'parts': {}},
        {'parts': {'a': PART, 'rest': PART}, 'credits': {}, 'card': None},
        {'parts': {'a': PART}, 'card': {'id': 4}},
        {'parts': {}, 'credits': {'b': 100}, 'card': {'id': False}},
        {'parts': {}, 'credits': {}, 'card': {'id': 4, 'expected': [9000, 'EUR'], 'transfers': [8]}},
    ],
    RepaymentNote: [{'shares': []}, {'shares': [[5, 9000, 9000]], 'transaction': 'a', 'moved': 8}],
    StatementNote: [{'cashbacks': []}, {'cashbacks': ['a'], 'exchange': 7}],
    TransferNote: [{'payment': {'id': 3, 'line': 5, 'amount': [9000, 'EUR']}}],
    VendorNote: [{'written': {}, 'is_active': True}, {'written': {'vat': ['', False]}, 'is_active': False}],
    ContactNote: [
        {'written': {}, 'created': False},
        {'written': {'name': ['Ada', 'Ada']}, 'created': True, 'archived': True},
    ],
    PersonNote: [{'key': None, 'emails': ['a@example.com']}, {'key': 'k', 'emails': ['a@example.com']}],
}


@tagged('post_install', '-at_install', 'ramp')
class TestLedgerNotes(PlainCase):
    def test_json_stays_as_it_is(self):
        for note_class, values in WRITTEN.items():
            for value in [{}, *values]:
                for whole in (value, {**SHARED, **value}, {**value, 'of_another_addon': {'id': None}}):
                    with self.subTest(note_class.__name__, whole=whole):
                        self.assertEqual(note_class.from_json(whole).to_json(), whole)
                        self.assertEqual(LedgerNote.from_json(whole).to_json(), whole)

    def test_nothing_noted(self):
        for value in (None, False, {}):
            self.assertEqual(PaymentNote.from_json(value), PaymentNote())
        self.assertEqual(PaymentNote().to_json(), {})
        self.assertFalse(ABSENT)
        self.assertIs(PaymentNote().card, ABSENT)
        self.assertIsNone(PaymentNote.from_json({'card': None}).card)
        self.assertTrue(VendorNote().was_active)
        self.assertFalse(VendorNote(is_active=False).was_active)

    def test_one_key_changes(self):
        note = PaymentNote.from_json({'parts': {'a': PART}, 'card': {'id': 4}, 'files': {}, 'other': 1})
        self.assertEqual((note.parts['a'], note.card), (PartNote(**PART), CardNote(id=4)))
        note = dataclasses.replace(note, credits={'b': 100}, card=None)
        self.assertEqual(
            note.to_json(), {'parts': {'a': PART}, 'credits': {'b': 100}, 'card': None, 'files': {}, 'other': 1}
        )
        self.assertEqual(
            dataclasses.replace(LedgerNote.from_json(note.to_json()), is_linked=True).to_json(),
            {**note.to_json(), 'is_linked': True},
        )
