"""A business with months of spend, always the same for the same seed and day.

The data has difficult cases everywhere: names in every script, merchant names with markup or formulas, odd cents over
many lines, currencies with zero and three decimals. Still, everything that is SYNC_READY can be booked. Only
`problems=True` adds what cannot.
"""

import random
from dataclasses import dataclass, field
from datetime import timedelta

from . import coding, money, seed_payables, seed_statements
from .endpoints import accounting_connection, business, cards, departments, entities, locations, transactions, users

ACCOUNTS = [
    ('6100', 'Software subscriptions'),
    ('6110', 'Cloud hosting'),
    ('6120', 'Telephone and internet'),
    ('6200', 'Airfare'),
    ('6210', 'Lodging'),
    ('6220', 'Ground transport'),
    ('6230', 'Travel meals'),
    ('6240', 'Client entertainment'),
    ('6300', 'Office supplies'),
    ('6310', 'Postage and shipping'),
    ('6320', 'Furniture and equipment'),
    ('6400', 'Advertising'),
    ('6410', 'Conferences and events'),
    ('6500', 'Legal fees'),
    ('6510', 'Professional services'),
    ('6600', 'Training'),
    ('6700', 'Insurance'),
    ('6710', 'Bank charges'),
    ('6720', 'Taxes and licences'),
    ('6800', 'Fuel'),
]
ENTITIES = [
    {'name': 'Widget Works Inc.', 'currency': 'USD'},
    {'name': 'Widget Works Europe GmbH', 'currency': 'EUR'},
    {'name': 'ウィジェットワークス株式会社', 'currency': 'JPY'},
    {'name': 'Widget Works Kuwait W.L.L.', 'currency': 'KWD'},
]
PEOPLE = [
    ('Ada', 'Lovelace'),
    ('Liam', "O'Brien"),
    ('Zoë', 'Nuñez-Ångström'),
    ('José', 'Gonza\u0301lez'),
    ('محمد', 'الأحمد'),
    ('שרה', 'כהן'),
    ('さくら', '山田'),
    ('伟', '王'),
    ('지우', '김'),
    ('Анна', 'Кузнецова'),
    ('Ελένη', 'Παπαδοπούλου'),
    ('ปิยะ', 'ศรีสุข'),
    ('अर्जुन', 'शर्मा'),
    ('Nguyễn', 'Thị Hương'),
    ('Robin 🦄', 'Rainbow'),
    ('İpek', 'Şahin'),
    ('Bjørn', 'Sørensen'),
    ('Łukasz', 'Żółć'),
    ('X Æ', 'A-12'),
    ('Anna-Maria Luisa Josephine', 'von und zu ' + 'Hohenzollern-' * 6 + 'Ende'),
    ("D'Angelo", 'de la Cruz'),
    ('Jean\u200bLuc', 'Zero-Width'),
    ('null', 'Null'),
    ("Robert'); DROP TABLE", 'Tables'),
    ('Sinéad', 'Ó Súilleabháin'),
    ('Mary', 'Major'),
    ('John', 'Smith'),
    ('John', 'Smith'),
]
TEAMS = ('Engineering', 'Sales', 'Finance', 'R&D <Lab>', '営業部')
# (name, Ramp's own category)
MERCHANTS = [
    ('Amazon Web Services', (41, 'Cloud computing')),
    ('GitHub', (40, 'SaaS / Software')),
    ('Delta Air Lines', (4, 'Airlines')),
    ('Marriott', (6, 'Lodging')),
    ('Uber', (8, 'Taxi and rideshare')),
    ('Blue Bottle Coffee', (19, 'Restaurants')),
    ('Staples', (12, 'Office supplies and cleaning')),
    ('FedEx', (10, 'Shipping')),
    ('Google Ads', (27, 'Advertising')),
    ('Shell', (18, 'Fuel and gas')),
    ('Barnes & Noble', (16, 'Books and newspapers')),
    ("Trader Joe's", (17, 'Supermarkets')),
    ('Zoom', (40, 'SaaS / Software')),
    ('Verizon', (43, 'Internet and phone')),
    ('Hertz', (5, 'Car rental')),
    ('Café Zürich', (19, 'Restaurants')),
    ('スターバックス', (19, 'Restaurants')),
    ('IKEA', (3, 'Office')),
]
HOSTILE_MERCHANTS = [
    "<script>alert('ramp')</script>",
    '=HYPERLINK("http://example.com","Click")',
    'Two\nLines Ltd',
    'A very long merchant name ' * 12,
    '🍕 Pizza 🍕 Party',
    '\u202eteltuo esrever\u202c',
    "'; DELETE FROM account_move; --",
    '%s %(name)s {0} ${x}',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    '  spaces  ',
    'Ünïcödé & Söhne <b>GmbH</b>',
]
MEMOS = [
    'Team lunch',
    'Client visit',
    'Monthly plan',
    'Replacement for the broken one',
    'See email of Tuesday',
    'Kundenbesuch in Köln',
    '出張',
    '<img src=x onerror=alert(1)>',
    '=1+1',
    'line one\nline two',
    '🎉',
    'x' * 500,
]
FOREIGN = {
    'USD': (('EUR', 0.92), ('GBP', 0.79), ('JPY', 149.0), ('KWD', 0.307)),
    'EUR': (('USD', 1.09), ('CHF', 0.95)),
    'JPY': (('USD', 0.0067),),
    'KWD': (('USD', 3.26), ('AED', 11.97)),
}
# A typical purchase in minor units, by currency.
TYPICAL_AMOUNTS = {'USD': 9000, 'EUR': 8500, 'JPY': 9000, 'KWD': 20000}


@dataclass
class Seed:
    """Options of the simulated business.

    :param transactions: number of transactions, with refunds, pending and declined ones
    :param months: number of months, back from today, over which they are spread
    :param accounts: the client's chart: [{"id", "code", "name", "classification"}]; None: a built-in one
    :param analytics: the client's fields: [{"field_id", "field_name", "options": [{"id", "code", "value"}]}]
    :param users: [{"first_name", "last_name", "email"}] instead of the built-in people
    :param entities: [{"name", "currency"}] instead of the built-in four; the first is the primary one
    :param problems: add one transaction of each kind that cannot be booked; ids in `Simulator.seed_problems`
    :param archived_option: (field id, option id) that the client has archived; used by `problems`
    :param newer_shape: also answer the keys of contracts after 2026-08
    :param bills: number of bills, with payments and vendor credits; `vendors`: number of vendors (0: as needed)
    :param reimbursements: number of reimbursements of both directions, with some repayments of card transactions
    :param statements: close a statement for each month with spend, with cashback and the transfers that pay it
    """

    seed: int = 1
    transactions: int = 600
    months: int = 6
    accounts: list = None
    analytics: list = field(default_factory=list)
    users: list = None
    entities: list = None
    problems: bool = False
    archived_option: tuple = None
    newer_shape: bool = False
    bills: int = 0
    reimbursements: int = 0
    vendors: int = 0
    statements: bool = False

    def fill_state(self, state):
        """Write the business into an empty state."""
        _Filler(self, state).fill_business()

    def let_people_spend(self, state):
        """Let the people of an existing business spend, coded with what its accounting system uploaded."""
        _Filler(self, state).let_people_spend()


class _Filler:
    def __init__(self, seed, state):
        self.seed, self.state = seed, state
        # Separate from the state's source of ids, so that data and ids do not depend on each other.
        self.random = random.Random(f'seed {seed.seed}')

    def fill_business(self):
        seed, state = self.seed, self.state
        business.make_business(state, 'Widget Works Inc.')
        for account in _build_chart_of_accounts(seed):
            coding.add_gl_account(state, **account)
        for item in seed.analytics or ():
            coding.add_accounting_field(state, item['field_id'], item['field_name'], item['options'])
        self.codes = [
            row['id'] for row in state['accounts'] if row['classification'] in ('EXPENSE', 'ANY') or seed.accounts
        ] or [None]
        self.fields = seed.analytics or ()
        self.taxes, self.vendors = [], []
        for number, entity in enumerate(seed.entities or ENTITIES):
            entities.make_entity(state, entity['name'], entity['currency'], is_primary=number == 0)
        self.entities = list(state['entities'])
        self._add_seed_people()
        self._add_card_spend()
        if seed.problems:
            self._add_card_problems()
        seed_payables.fill_payables(self)
        seed_statements.fill_statements(self)

    def let_people_spend(self):
        state = self.state
        mine = coding.in_books_of(accounting_connection.find_active_connection(state))

        def list_offered_rows(table):
            return [row for row in state[table] if mine(row) and row['is_active'] and row.get('visibility') != 'HIDDEN']

        self.codes = [row['id'] for row in list_offered_rows('accounts') if row['classification'] == 'EXPENSE'] or [
            None
        ]
        options = list_offered_rows('options')
        self.fields = [
            {'field_id': field['id'], 'options': [row for row in options if row['_field'] == field['ramp_id']]}
            for field in list_offered_rows('fields')
        ]
        self.taxes = [row['id'] for row in list_offered_rows('tax_options')]
        self.vendors = [row['id'] for row in list_offered_rows('accounting_vendors')]
        self.entities = list(state['entities'])
        people = {user['id']: user for user in state['users']}
        everyone = [(people[card['cardholder_id']], card['id']) for card in state['physical_cards']]
        everyone += [(people[card['user_id']], card['id']) for card in state['virtual_cards']]
        self.holders = {
            entity['id']: [holder for holder in everyone if holder[0]['entity_id'] == entity['id']] or everyone
            for entity in self.entities
        }
        self._add_card_spend()
        seed_payables.fill_payables(self)
        seed_statements.fill_statements(self)

    def _add_seed_people(self):
        state = self.state
        offices = [locations.make_location(state, f'Office {e["currency"]}', e['id']) for e in self.entities]
        teams = [departments.make_department(state, name) for name in TEAMS]
        self.people = {entity['id']: [] for entity in self.entities}
        given = (
            self.seed.users
            if self.seed.users is not None
            else [
                {'first_name': first, 'last_name': last, 'email': f'cardholder_{number}@example.com'}
                for number, (first, last) in enumerate(PEOPLE, 1)
            ]
        )
        abroad = offices[1:] or offices
        for number, person in enumerate(given):
            # Three of four people work for the primary entity. The rest are spread over the other entities.
            office = offices[0] if number % 4 else abroad[number // 4 % len(abroad)]
            user = users.make_user(
                state,
                **{
                    'employee_id': f'E{number:04}',
                    'is_manager': number % 9 == 0,
                    'location': office,
                    'department': teams[number % len(teams)],
                    **person,
                },
            )
            self.people[user['entity_id']].append((user, cards.make_card(state, user)['id']))
            if number % 3 == 0:
                self.people[user['entity_id']].append((user, cards.make_card(state, user, physical=False)['id']))
        if self.seed.users is None:
            for status in ('USER_SUSPENDED', 'USER_INACTIVE', 'INVITE_PENDING'):
                users.make_user(
                    state,
                    'Former',
                    status.title(),
                    f'{status.lower()}@example.com',
                    location=offices[0],
                    department=teams[0],
                    status=status,
                )
        everyone = [holder for holders in self.people.values() for holder in holders]
        self.holders = {entity['id']: self.people[entity['id']] or everyone for entity in self.entities}

    def _add_card_spend(self):
        chance, count = self.random, self.seed.transactions
        end = self.state.clock()
        span = self.seed.months * 30 * 86400
        moments = sorted(chance.randrange(span) for _ in range(count))
        weights = [7] + [1] * (len(self.entities) - 1)
        # Cleared purchases that later refunds can refer to.
        refundable = []
        for number, seconds in enumerate(moments):
            spent = end - timedelta(seconds=span - seconds)
            if refundable and chance.random() < 0.04:
                original = refundable.pop(chance.randrange(len(refundable)))
                self._add_card_refund(original, spent)
                continue
            entity = chance.choices(self.entities, weights)[0]
            row = self._add_card_purchase(number, entity, spent, recent=span - seconds < 4 * 86400)
            if row['state'] == 'CLEARED' and row['_money']['amount_minor'] > 0 and chance.random() < 0.3:
                refundable.append(row)

    def _add_card_purchase(self, number, entity, spent, recent):
        chance = self.random
        user, card_id = chance.choice(self.holders[entity['id']])
        merchant, category = chance.choice(MERCHANTS)
        if number % 20 == 7:
            merchant = HOSTILE_MERCHANTS[number // 20 % len(HOSTILE_MERCHANTS)]
        currency = entity['currency']
        minor = max(1, int(TYPICAL_AMOUNTS.get(currency, 9000) * chance.lognormvariate(0, 1)))
        values = {}
        if currency in FOREIGN and chance.random() < 0.12:
            foreign, price = chance.choice(FOREIGN[currency])
            scale = money.minor_per_major(foreign) / money.minor_per_major(currency)
            values = {'original_currency': foreign, 'original_minor': max(1, round(minor * price * scale))}
        state, status = 'CLEARED', 'SYNC_READY'
        dice = chance.random()
        # Only transactions that are some days old are certainly cleared.
        if recent and dice < 0.4:
            state, status = 'PENDING', 'NOT_SYNC_READY'
        elif dice < 0.02:
            state, status = 'DECLINED', 'NOT_SYNC_READY'
        elif dice < 0.08:
            status = 'NOT_SYNC_READY'
        return transactions.make_transaction(
            self.state,
            amount_minor=minor,
            currency=currency,
            entity=entity,
            user=user,
            card_id=card_id,
            date=spent,
            merchant=merchant,
            category=category,
            state=state,
            sync_status=status,
            memo=chance.choice(MEMOS) if chance.random() < 0.5 else None,
            lines=self._make_purchase_lines(minor, coded=status != 'NOT_SYNC_READY' or chance.random() < 0.5),
            receipts=0 if state != 'CLEARED' or chance.random() < 0.4 else 1 + (chance.random() < 0.1),
            **values,
        )

    def _make_purchase_lines(self, minor, coded=True):
        chance = self.random
        count = 1 if chance.random() < 0.8 else chance.randint(2, 7)
        parts = money.split_minor_amount(minor, [chance.randint(1, 9) for _ in range(count)])
        if count > 1 and chance.random() < 0.15:
            parts.append(0)
        lines = []
        for part in parts:
            line = {'amount_minor': part, 'account': chance.choice(self.codes) if coded else None}
            if coded and self.fields and chance.random() < 0.5:
                line['analytics'] = {
                    item['field_id']: chance.choice(item['options'])['id']
                    for item in self.fields
                    if item['options'] and chance.random() < 0.8
                }
            more = []
            if coded and self.taxes and chance.random() < 0.3:
                more.append(coding.select_tax_code(self.state, chance.choice(self.taxes)))
            if coded and self.vendors and chance.random() < 0.2:
                more.append(coding.select_accounting_vendor(self.state, chance.choice(self.vendors)))
            if more:
                line['selections'] = [*transactions.select_transaction_coding(self.state, line), *more]
            if count > 1 and chance.random() < 0.3:
                line['memo'] = chance.choice(MEMOS)
            lines.append(line)
        return lines

    def _add_card_refund(self, original, spent):
        """Add a refund of the whole or of a part, coded like the original's first line."""
        chance = self.random
        minor = original['_money']['amount_minor']
        part = minor if chance.random() < 0.6 else max(1, minor * chance.randint(1, 9) // 10)
        first = original['_money']['lines'][0]
        transactions.make_transaction(
            self.state,
            amount_minor=-part,
            refund_of=original['id'],
            date=spent,
            memo='Refund',
            currency=original['_money']['currency'],
            category=(original['sk_category_id'], original['sk_category_name']),
            lines=[
                {
                    'amount_minor': -part,
                    'account': first['account'] or self.codes[0],
                    'analytics': first.get('analytics'),
                }
            ],
        )

    def _add_card_problems(self):
        """Add one transaction of each kind that cannot be booked as it is."""
        state, code = self.state, self.codes[0]
        primary = self.entities[0]
        currency = primary['currency']
        other = 'EUR' if currency != 'EUR' else 'USD'
        known = self.seed.analytics[0]['field_id'] if self.seed.analytics else 'project'
        field_id, option_id = self.seed.archived_option or (known, 'no-such-option')
        stranger = {
            'id': state.derive_stable_id('user', 'stranger'),
            'first_name': 'Unknown',
            'last_name': 'Stranger',
            'employee_id': None,
            'department_id': None,
            'location_id': None,
            'entity_id': primary['id'],
        }
        cases = {
            'uncoded': {'account': None},
            'unknown_account': {'account': 'no-such-account'},
            'archived_option': {'analytics': {field_id: option_id}},
            'wrong_currency': {'lines': [{'amount_minor': 10000, 'account': code, 'currency': other}]},
            'sum_mismatch': {
                'lines': [{'amount_minor': 4000, 'account': code}, {'amount_minor': 5999, 'account': code}]
            },
            'closed_period': {'date': '2015-01-15T12:00:00+00:00'},
            'unknown_cardholder': {'user': stranger},
            'malformed': {'broken': True},
            'unknown_state': {'state': 'REVERSED_BY_NETWORK', 'broken': True},
        }
        for label, values in cases.items():
            row = transactions.make_transaction(
                state,
                **{'amount_minor': 10000, 'account': code, 'entity': primary, 'label': label, 'memo': label, **values},
            )
            state.problems[label] = row['id']
            if label == 'malformed':
                del row['amount']
                row['line_items'] = [{**row['line_items'][0], 'amount': None, 'converted_amount': None}]


def _build_chart_of_accounts(seed):
    if seed.accounts is None:
        return [{'id': f'sim-{code}', 'code': code, 'name': name} for code, name in ACCOUNTS]
    names = ('id', 'code', 'name', 'classification')
    return [{key: account[key] for key in names if key in account} for account in seed.accounts]
