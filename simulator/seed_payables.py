"""The payables of a seeded business: vendors, bills with their payments, and credits.

`seed_reimbursements.py` adds what the business owes its people.

Each round of about fifty bills has every kind of case, so a few hundred bills have them all. Everything that is ready
to sync can be booked. Only `problems=True` adds what cannot.
"""

import itertools
from datetime import timedelta

from .endpoints import bills, vendor_credits, vendors
from .payables import parse_midnight
from .seed_payable_draws import FOREIGN, MEMOS, PayableDraws
from .seed_reimbursements import ReimbursementFiller

# (name, country, state, city, currency)
VENDORS = [
    ('Northwind Paper Co.', 'US', 'NY', 'New York', 'USD'),
    ('Müller & Söhne GmbH', 'DE', None, 'Köln', 'EUR'),
    ('株式会社 山田商店', 'JP', None, '東京', 'JPY'),
    ('شركة الخليج للتجارة', 'KW', None, 'Kuwait City', 'KWD'),
    ("O'Reilly & O'Brien LLP", 'US', 'CA', 'San José', 'USD'),
    ('Ångström Ävgifter AB', 'SE', None, 'Göteborg', 'EUR'),
    ('Łódź Logistyka Sp. z o.o.', 'PL', None, 'Łódź', 'EUR'),
    ('Northwind Paper Co.', 'US', 'WA', 'Seattle', 'USD'),
    ('Tata Éclair Pvt. Ltd.', 'IN', None, 'मुंबई', 'USD'),
    ('Maple Freight Inc.', 'CA', 'ON', 'Ottawa', 'USD'),
    ("<script>alert('vendor')</script>", 'US', 'TX', '<b>Austin</b>', 'USD'),
    ('Two\nLines Trading', 'GB', None, 'Leeds', 'USD'),
    ('=HYPERLINK("http://example.com","Pay")', 'US', 'FL', 'Miami', 'USD'),
    ("'; DROP TABLE res_partner; --", 'US', 'NV', 'Reno', 'USD'),
    ('\u202eltd gnihtyna\u202c', 'FR', None, 'Orléans', 'EUR'),
    ('🍕 Pizza & Sons 🍕', 'IT', None, 'Napoli', 'EUR'),
    ('A very long vendor name ' * 12, 'US', 'DE', 'Dover', 'USD'),
    ('  spaces  ', 'US', 'OR', 'Portland', 'USD'),
    ('%s %(name)s {0} ${x}', 'AU', 'NSW', 'Sydney', 'USD'),
    ('null', 'US', 'UT', 'Provo', 'USD'),
]
HOSTILE_NUMBERS = ('=1+1', '<b>{0}</b>', 'RE {0}/2026', '№ {0}', '領収書-{0}', '{0}' + '9' * 70, ' {0} ')
TAX_IDS = {
    'DE': 'DE123456789',
    'FR': 'FR12345678901',
    'IT': 'IT12345678901',
    'PL': 'PL1234567890',
    'SE': 'SE123456789001',
    'GB': 'GB123456789',
    'IN': '27ABCDE1234F1Z5',
    'US': '12-3456789',
    'CA': '123456789RT0001',
    'AU': '51 824 753 556',
}
BANK = (
    'ACH',
    'CHECK',
    'DOMESTIC_WIRE',
    'SWIFT',
    'INTERNATIONAL',
    'LOCAL_BANK_TRANSFER',
    'RTP',
    'FED_NOW',
    'CRYPTO_WALLET_TRANSFER',
)
MANUAL_METHODS = (
    'CASH',
    'CHECK',
    'DIRECT_DEBIT',
    'OTHER',
    'PAID_IN_ERP',
    'NON_RAMP_CREDIT_CARD',
    'CROSS_BORDER_PAYMENT',
)
# The number of times a case occurs per round.
BILLS = {
    'open': 8,
    'scheduled': 3,
    'processing': 2,
    'paid': 9,
    'batch': 8,
    'manual': 3,
    'foreign': 2,
    'foreign_settled': 2,
    'failed': 1,
    'again': 1,
    'cancelled': 1,
    'partial': 1,
    'parts': 1,
    'returned': 1,
    'card': 1,
    'card_unknown': 1,
    'card_waiting': 1,
    'one_time_card': 1,
    'pending': 2,
    'rejected': 1,
    'disabled': 1,
    'archived': 2,
    'no_details': 1,
    'held': 1,
}


def fill_payables(filler):
    """Add the payables that the seed asks for to the business of a `seed._Filler`."""
    seed = filler.seed
    if not (seed.vendors or seed.bills or seed.reimbursements):
        return
    draws = PayableDraws(filler)
    payables, claims = BillFiller(draws), ReimbursementFiller(draws)
    payables.add_seed_vendors(seed.vendors or (max(len(VENDORS), seed.bills // 10) if seed.bills else 0))
    payables.add_seed_bills()
    payables.add_vendor_credits()
    claims.add_seed_reimbursements()
    if seed.problems:
        if seed.bills:
            payables.add_bill_problems()
        if seed.reimbursements:
            claims.add_reimbursement_problems()


class BillFiller:
    """Adds vendors, bills and credits to a business. All random choices come from its `PayableDraws`."""

    def __init__(self, draws):
        self.draws, self.filler, self.seed, self.state = draws, draws.filler, draws.filler.seed, draws.filler.state
        self.random, self.end = draws.random, draws.end

    # -- vendors

    def add_seed_vendors(self, count):
        """Add this many vendors, and two that cannot be paid if the count is large enough for every kind."""
        state, chance = self.state, self.random
        codes = [
            ident
            for ident in self.filler.vendors
            if not state['vendors'].find_first_row(accounting_vendor_remote_id=ident)
        ]
        people = list(state['users'])
        for number in range(count):
            name, country, region, city, currency = VENDORS[number % len(VENDORS)]
            if number >= len(VENDORS):
                name = f'{name[:60]} {number // len(VENDORS) + 1}'
            address = {
                'address_line_1': f'{number + 1} Main St',
                'city': city,
                'country': country,
                'postal_code': f'{10000 + number}',
            }
            if region:
                address['state'] = region
            if number % 3 == 0:
                address['address_line_2'] = '2nd floor, c/o <Accounts>'
            tax_id = TAX_IDS.get(country)
            vendors.make_vendor(
                state,
                name,
                country=country,
                state=region,
                address=None if number % 11 == 9 else address,
                addresses=[{**address, 'address_line_1': f'Warehouse {number}'}] if number % 4 == 1 else None,
                tax_address=address if number % 3 == 1 else None,
                currency=currency,
                accounts=number % 3 and 1,
                contacts=[
                    {
                        'email': f'billing{i}@vendor-{number}.example.com',
                        'first_name': 'Ada' if i else None,
                        'last_name': "O'Brien <AP>" if i else None,
                        'phone': '+1 212 555 0100' if i else None,
                    }
                    for i in range((1, 2, 3, 1, 0)[number % 5])
                ],
                custom={'Tax ID': tax_id} if tax_id and number % 2 else None,
                external_vendor_id=f'EXT-{number:05}' if number % 4 == 0 else None,
                accounting_vendor_remote_id=codes[number // 2]
                if number % 2 == 0 and number // 2 < len(codes)
                else None,
                name_legal=f'{name[:80]} (legal)' if number % 5 == 2 else None,
                federal_tax_classification='C_CORPORATION' if country == 'US' else 'INTERNATIONAL',
                vendor_type='INDIVIDUAL' if number % 9 == 4 else 'BUSINESS',
                vendor_owner_id=chance.choice(people)['id'] if people and number % 2 else None,
                description='Paper and pens' if number % 2 else None,
            )
        if count >= len(VENDORS):
            vendors.make_vendor(state, 'Not published yet', draft=True, approval_status='PENDING')
            vendors.make_vendor(state, 'Long gone Ltd.', country='GB', is_active=False)

    # -- bills

    def add_seed_bills(self):
        """Add the bills that the seed asks for, oldest first, and pay them as their cases say."""
        self.batches, self.owing = {}, []
        self.cards = itertools.cycle(('CARD', 'AUTOMATIC_CARD_PAYMENT'))
        self.one_time_cards = itertools.cycle(('ONE_TIME_CARD', 'ONE_TIME_CARD_DELIVERY'))
        cases = self.draws.repeat_shuffled_cases(BILLS)
        for number, issued in enumerate(self.draws.choose_random_moments(self.seed.bills)):
            self._add_seed_bill(number, next(cases), issued)
        for idents in self.batches.values():
            if idents:
                bills.pay_bills(self.state, idents)

    def _add_seed_bill(self, number, case, issued):
        state, chance = self.state, self.random
        entity = chance.choices(self.filler.entities, [4] + [1] * (len(self.filler.entities) - 1))[0]
        own = currency = entity['currency']
        values = {}
        if case.startswith('foreign') and own in FOREIGN:
            currency, values['fx_conversion_rate'] = chance.choice(FOREIGN[own])
        payees = [row for row in state['vendors'] if row['is_active'] and not row['_draft']]
        vendor = chance.choice(payees)
        lines, inventory = self.draws.make_payable_lines(currency)
        method = self._choose_payment_method(case, number)
        if number % 25 == 3:
            values['invoice_number'] = HOSTILE_NUMBERS[number // 25 % len(HOSTILE_NUMBERS)].format(number)[:84]
        elif number % 40 == 11:
            values['invoice_number'] = None
        if case in ('pending', 'rejected'):
            values['approval_status'] = {'pending': chance.choice(('PENDING', 'INITIALIZED')), 'rejected': 'REJECTED'}[
                case
            ]
        row = bills.make_bill(
            state,
            vendor=vendor,
            currency=currency,
            entity=entity,
            lines=lines,
            inventory=inventory,
            date=issued,
            owner=chance.choice(self.filler.holders[entity['id']])[0],
            due=issued + timedelta(days=chance.choice((0, 14, 30, 60))),
            posting_date=issued if chance.random() < 0.2 else None,
            payment_method=method,
            held=case == 'held',
            enable_accounting_sync=case != 'disabled',
            invoices=chance.choice((0, 1, 1, 1, 2)),
            nulls=number % 60 == 31,
            memo=chance.choice(MEMOS) if chance.random() < 0.4 else None,
            vendor_memo='Thank you' if chance.random() < 0.2 else None,
            **values,
        )
        self._pay_seed_bill(case, row, number)

    def _choose_payment_method(self, case, number):
        if case.startswith('card'):
            return next(self.cards)
        if case == 'one_time_card':
            return next(self.one_time_cards)
        return {'manual': 'PAID_MANUALLY', 'no_details': 'UNSPECIFIED'}.get(case, BANK[number % len(BANK)])

    def _pay_seed_bill(self, case, row, number):
        at = min(row['due_at'], parse_midnight(self.end))
        if case == 'open':
            self.owing.append(row)
        elif case == 'archived':
            bills.archive_bill(self.state, row['id'])
        elif case == 'batch':
            self._pay_in_batch(row, at)
        for values in self._list_payment_steps(case, row, number):
            bills.pay_bills(self.state, row['id'], **{'date': at, **values})

    def _pay_in_batch(self, row, at):
        """Pay several bills from one bank account with one method."""
        waiting = self.batches.setdefault(row['entity_id'], [])
        waiting.append(row['id'])
        if len(waiting) == 4:
            bills.pay_bills(self.state, waiting, date=at, method='ACH')
            waiting.clear()

    def _list_payment_steps(self, case, row, number):
        """Return the steps of the payment in this case, as arguments of `bills.pay_bills`."""
        scheduled = {'status': 'scheduled', 'date': parse_midnight(self.end + timedelta(days=3))}
        failing = [{'status': 'processing'}, {'status': 'failed'}]
        part = {'amount_minor': max(1, row['_money']['amount_minor'] // 2)}
        return {
            'scheduled': [scheduled],
            'processing': [{'status': 'processing', 'date': self.end}],
            'paid': [{}],
            'foreign': [{}],
            'foreign_settled': [{'in_payer_currency': True}],
            'manual': [{'manual_method': MANUAL_METHODS[number % len(MANUAL_METHODS)]}],
            'failed': failing,
            'again': [*failing, {}],
            'cancelled': [scheduled, {'status': 'cancelled'}],
            'returned': [{}, {'status': 'failed'}],
            'partial': [part],
            'parts': [part, {}],
            'card': [{'transaction': True}],
            'one_time_card': [{'transaction': True}],
            'card_unknown': [{}],
        }.get(case, [])

    def add_vendor_credits(self):
        """Add credits in US dollars. Open bills use some of them up."""
        state, chance = self.state, self.random
        owing = [row for row in self.owing if row['_money']['currency'] == 'USD']
        payees = list(state['vendors'])
        for number in range(self.seed.bills // 15):
            bill = owing.pop() if owing and number % 4 != 3 else None
            wanted = bill['_money']['amount_minor'] if bill else chance.randint(500, 50000)
            # The credit is larger than the bill, equal or smaller. So some bills are paid by credits alone.
            minor = max(2, (wanted * 3 // 2, wanted, wanted // 2, wanted)[number % 4])
            price = minor // 4 if number % 5 == 1 else 0
            row = vendor_credits.make_vendor_credit(
                state,
                vendor=bill['vendor']['id'] if bill else chance.choice(payees),
                amount_minor=minor,
                lines=[{'amount_minor': minor - 2 * price, **self.draws.choose_random_coding()}],
                inventory=[{'unit_quantity': 2, 'unit_price_minor': price, **self.draws.choose_random_coding()}]
                if price
                else (),
                entity=bill['entity_id'] if bill else None,
                reference_bill_id=bill['id'] if bill and number % 2 else None,
                date=self.end - timedelta(days=number % 40),
            )
            if bill:
                vendor_credits.apply_vendor_credit(state, row['id'], bill['id'])

    def add_bill_problems(self):
        """Add one bill of each kind that cannot be booked as it is."""
        state, code = self.state, self.filler.codes[0]
        primary = self.filler.entities[0]
        currency = primary['currency']
        field_id, option_id = self.draws.choose_archived_option()
        nobody = {'id': state.derive_stable_id('vendor', 'nobody'), 'name': 'Nobody Ltd.', 'contacts': []}
        twin = bills.make_bill(state, amount_minor=10000, account=code, entity=primary, invoice_number='TWICE-1')
        cases = {
            'uncoded': {'account': None},
            'unknown_account': {'account': 'no-such-account'},
            'archived_option': {'analytics': {field_id: option_id}},
            'wrong_currency': {'lines': [{'amount_minor': 10000, 'currency': 'EUR' if currency != 'EUR' else 'USD'}]},
            'sum_mismatch': {'lines': [{'amount_minor': 4000}, {'amount_minor': 5999}]},
            'closed_period': {'date': '2015-01-15'},
            'unknown_vendor': {'vendor': nobody},
            'same_number': {'invoice_number': 'TWICE-1', 'vendor': twin['vendor']['id']},
            'no_lines': {'lines': []},
            'unknown_status': {'status_summary': 'PAYMENT_LOST_AT_SEA', 'broken': True},
            'malformed': {'broken': True},
        }
        for label, values in cases.items():
            row = bills.make_bill(
                state,
                **{
                    'amount_minor': 10000,
                    'currency': currency,
                    'account': code,
                    'entity': primary,
                    'label': label,
                    'memo': label,
                    **values,
                },
            )
            state.problems[f'bill_{label}'] = row['id']
            if label == 'malformed':
                row['amount'] = None
                row['line_items'] = [{**row['line_items'][0], 'amount': None}]
