"""What seeded bills and reimbursements have in common: their moments and cases, amounts, lines and coding."""

import random
from datetime import timedelta

from . import money

MEMOS = (
    'Monthly service',
    'Order 4711, see delivery note',
    'Wartung März',
    '定期購入',
    '<img src=x onerror=alert(1)>',
    '=1+1',
    'line one\nline two',
    '🎉',
    'x' * 500,
)
# (foreign currency, units of the own currency for one unit of it), by own currency
FOREIGN = {
    'USD': (('EUR', '1.0873'), ('GBP', '1.2654'), ('JPY', '0.00671')),
    'EUR': (('USD', '0.9197'), ('CHF', '1.0521')),
    'JPY': (('USD', '149.03'),),
    'KWD': (('USD', '0.3069'), ('EUR', '0.3337')),
}
# A typical document in minor units, by currency.
TYPICAL_AMOUNTS = {'JPY': 30000, 'KWD': 60000}


class PayableDraws:
    """The random choices for all payables of a `seed._Filler`.

    The source is separate from that of the card data, which are the same with and without payables.
    """

    def __init__(self, filler):
        self.filler = filler
        self.random = random.Random(f'payables {filler.seed.seed}')
        self.end = filler.state.clock()

    def repeat_shuffled_cases(self, shares):
        """Yield cases without end. Each round has its own order."""
        while True:
            cases = [case for case, count in shares.items() for _ in range(count)]
            self.random.shuffle(cases)
            yield from cases

    def choose_random_moments(self, count):
        """Return this many moments within the months of the seed, oldest first."""
        span = max(1, self.filler.seed.months) * 30 * 86400
        seconds = sorted((self.random.randrange(span) for _ in range(count)), reverse=True)
        return [self.end - timedelta(seconds=number) for number in seconds]

    def make_payable_lines(self, currency, largest=6):
        """Return (lines, inventory lines) of a document with amounts in minor units, as `make_bill` takes them.

        :param largest: the largest number of lines
        """
        chance = self.random
        minor = max(10, int(TYPICAL_AMOUNTS.get(currency, 25000) * chance.lognormvariate(0, 1)))
        dice = chance.random()
        inventory = []
        if dice < 0.2:
            inventory = [
                {
                    'quantity': chance.choice((1, 3, 12, 2.25, 0.5)),
                    'unit_price_minor': max(4, minor // 7),
                    **self.choose_random_coding(),
                }
                for _ in range(chance.randint(1, 3))
            ]
            if dice < 0.1:
                return [], inventory
        count = 1 if chance.random() < 0.5 else chance.randint(2, largest)
        parts = money.split_minor_amount(minor, [chance.randint(1, 9) for _ in range(count)])
        if count > 1 and chance.random() < 0.1:
            parts.append(-min(parts))  # a discount
        return [{'amount_minor': part, **self.choose_random_coding()} for part in parts if part], inventory

    def choose_random_coding(self):
        """Return an account and an option of several plans each, with taxes and vendors if there are any."""
        chance, filler = self.random, self.filler
        values = {'account': chance.choice(filler.codes)}
        if filler.fields and chance.random() < 0.7:
            values['analytics'] = {
                item['field_id']: chance.choice(item['options'])['id']
                for item in filler.fields
                if item['options'] and chance.random() < 0.9
            }
        if filler.taxes and chance.random() < 0.3:
            values['tax'] = chance.choice(filler.taxes)
        if filler.vendors and chance.random() < 0.2:
            values['vendor'] = chance.choice(filler.vendors)
        if chance.random() < 0.4:
            values['memo'] = chance.choice(MEMOS)
        return values

    def choose_archived_option(self):
        """Return (field id, option id) of an option that the client has archived, or of one that it never had."""
        known = self.filler.seed.analytics[0]['field_id'] if self.filler.seed.analytics else 'project'
        return self.filler.seed.archived_option or (known, 'no-such-option')
