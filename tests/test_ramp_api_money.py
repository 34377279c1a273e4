# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from odoo.tests import tagged

from ..ramp_api import EXPONENTS, Money, MoneyError, allocate_amount
from .properties import examples
from .smoke import PlainCase

CURRENCIES = st.sampled_from(sorted(EXPONENTS))
# A busy machine and a read-only home folder are no reasons to fail.
calm = examples(100)
MINOR = st.integers(-(10**15), 10**15)


@tagged('ramp_api')
class TestMoney(PlainCase):
    def test_decimals_come_from_the_currency(self):
        for currency, text in [
            ('JPY', '12345'),
            ('USD', '123.45'),
            ('KWD', '12.345'),
            ('CLF', '1.2345'),
            ('USDC', '0.012345'),
        ]:
            money = Money(12345, currency)
            self.assertEqual(str(money.decimal_amount), text)
            self.assertEqual(str(money), f'{text} {currency}')
            self.assertEqual(Money.from_major_units(text, currency), money)

    def test_every_iso_exception_is_known(self):
        zero = [
            'BIF',
            'CLP',
            'DJF',
            'GNF',
            'ISK',
            'JPY',
            'KMF',
            'KRW',
            'PYG',
            'RWF',
            'UGX',
            'UYI',
            'VND',
            'VUV',
            'XAF',
            'XOF',
            'XPF',
        ]
        three = ['BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND']
        self.assertEqual(sorted(code for code, digits in EXPONENTS.items() if digits == 0), zero)
        self.assertEqual(sorted(code for code, digits in EXPONENTS.items() if digits == 3), three)
        for code in ('EUR', 'GBP', 'MXN', 'HUF', 'TWD', 'MGA', 'MRU'):
            self.assertEqual(EXPONENTS[code], 2)

    def test_unknown_currency_is_refused(self):
        for code in ('', 'usd', 'US', 'ZZZ', 'XAU', 'XXX', None, 840, ['USD']):
            with self.subTest(code=code), self.assertRaises(MoneyError):
                Money(1, code)

    def test_minor_must_be_a_whole_number(self):
        for minor in (1.0, '1', True, None, Decimal(1)):
            with self.subTest(minor=minor), self.assertRaises(MoneyError):
                Money(minor, 'USD')

    def test_from_major_is_exact(self):
        for value, minor in [
            (90.0, 9000),
            (431.68, 43168),
            (-12.5, -1250),
            (0.29, 29),
            (1.1, 110),
            (7, 700),
            ('10.500', 1050),
            ('-0.01', -1),
            (Decimal('2.50'), 250),
            (1e-2, 1),
            (0, 0),
            (-0.0, 0),
        ]:
            with self.subTest(value=value):
                self.assertEqual(Money.from_major_units(value, 'USD'), Money(minor, 'USD'))

    def test_from_major_refuses_what_is_no_amount(self):
        nan, inf = float('nan'), float('inf')
        for value in (
            (10.005, '10.005', 0.1 + 0.2, Decimal('0.001'))
            + (True, None, nan, inf, -inf, Decimal('NaN'), Decimal('Infinity'), Decimal('1E+40'))
            + ('1e5', 'NaN', '', ' 1', '1 ', '1\n', '1,000', '1_000', '.5', '5.', '٣', '0x10', b'1', [1])
            + (1e15,)  # a float this large cannot tell one cent from the next
        ):
            with self.subTest(value=value), self.assertRaises(MoneyError):
                Money.from_major_units(value, 'USD')
        with self.assertRaises(MoneyError):
            Money.from_major_units(0.5, 'JPY')

    def test_from_major_rounds_only_when_told(self):
        for value, minor in [('10.005', 1001), ('-10.005', -1001), ('10.0049', 1000), ('0.004', 0)]:
            self.assertEqual(Money.from_major_units(value, 'USD', strict=False), Money(minor, 'USD'))

    def test_conversion_rate_must_agree_with_the_currency(self):
        self.assertEqual(Money.from_minor_units(5, 'USD', 100), Money(5, 'USD'))
        self.assertEqual(Money.from_minor_units(5, 'JPY', 1), Money(5, 'JPY'))
        self.assertEqual(Money.from_minor_units(5, 'USD'), Money(5, 'USD'))
        with self.assertRaisesRegex(MoneyError, r'rate is 100, but JPY has 0 decimals'):
            Money.from_minor_units(5, 'JPY', 100)
        for currency, rate in [('USD', 1000), ('USD', 0), ('JPY', True), ('KWD', 100), ('USD', '100')]:
            with self.subTest(currency=currency, rate=rate), self.assertRaises(MoneyError):
                Money.from_minor_units(5, currency, rate)

    def test_stablecoin_needs_its_rate(self):
        self.assertEqual(Money.from_minor_units(2_500_000, 'USDC', 10**6).decimal_amount, Decimal('2.5'))
        with self.assertRaisesRegex(MoneyError, 'only read with a minor_unit_conversion_rate'):
            Money.from_minor_units(2_500_000, 'USDC')

    def test_arithmetic(self):
        self.assertEqual(Money(5, 'USD') + Money(-7, 'USD'), Money(-2, 'USD'))
        self.assertEqual(Money(5, 'USD') - Money(7, 'USD'), Money(-2, 'USD'))
        self.assertEqual(-Money(5, 'USD'), Money(-5, 'USD'))
        self.assertEqual(abs(Money(-5, 'USD')), Money(5, 'USD'))
        small, large = Money(1, 'USD'), Money(2, 'USD')
        same = Money(1, 'USD')
        self.assertTrue(small < large and small <= same and large > small and same >= small)
        self.assertFalse(large < small or large <= small or small > large or small >= large)
        self.assertNotEqual(Money(1, 'USD'), Money(1, 'EUR'))

    def test_currencies_do_not_mix(self):
        dollar = Money(1, 'USD')
        for other in (Money(1, 'EUR'), 1, Decimal(1), None):
            for operation in ('__add__', '__sub__', '__lt__', '__le__', '__gt__', '__ge__'):
                with self.subTest(other=other, operation=operation), self.assertRaises(MoneyError):
                    getattr(dollar, operation)(other)

    def test_frozen(self):
        with self.assertRaises(AttributeError):
            Money(1, 'USD').minor = 2

    @calm
    @given(MINOR, CURRENCIES)
    def test_decimal_and_back(self, minor, currency):
        money = Money(minor, currency)
        self.assertEqual(-money.decimal_amount.as_tuple().exponent, EXPONENTS[currency])
        self.assertEqual(Money.from_major_units(money.decimal_amount, currency), money)
        self.assertEqual(Money.from_major_units(f'{money.decimal_amount:f}', currency), money)

    @calm
    @given(st.integers(-(10**11), 10**11))
    def test_floats_of_json_survive(self, minor):
        self.assertEqual(Money.from_major_units(minor / 100, 'USD'), Money(minor, 'USD'))


@tagged('ramp_api')
class TestAllocate(PlainCase):
    def test_largest_remainder(self):
        self.assertEqual(allocate_amount(100, [1, 1, 1]), [34, 33, 33])
        self.assertEqual(allocate_amount(-100, [1, 1, 1]), [-34, -33, -33])
        self.assertEqual(allocate_amount(10, [15, 5, 80]), [2, 0, 8])
        self.assertEqual(allocate_amount(10, [1, 2]), [3, 7])
        self.assertEqual(allocate_amount(4310, [3000, 1000]), [3233, 1077])
        self.assertEqual(allocate_amount(5, [Decimal('0.5'), Fraction(1, 2), 0]), [3, 2, 0])
        self.assertEqual(allocate_amount(90, [100, -10]), [100, -10])
        self.assertEqual(allocate_amount(90, [-100, 10]), [100, -10])
        self.assertEqual(allocate_amount(0, [0, 0]), [0, 0])
        self.assertEqual(allocate_amount(0, []), [])

    def test_refusals(self):
        for total, weights in [
            (1, []),
            (1, [0, 0]),
            (1, [1, -1]),
            (1.0, [1]),
            (True, [1]),
            (1, [0.5]),
            (1, [True]),
            (1, [Decimal('NaN')]),
            (1, [Decimal('Infinity')]),
            (0, ['1']),
        ]:
            with self.subTest(total=total, weights=weights), self.assertRaises(MoneyError):
                allocate_amount(total, weights)

    @calm
    @given(MINOR, st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=40).filter(sum))
    def test_sum_is_exact_and_shares_are_fair(self, total, weights):
        shares = allocate_amount(total, weights)
        self.assertEqual(sum(shares), total)
        self.assertEqual(len(shares), len(weights))
        for share, weight in zip(shares, weights):
            self.assertLess(abs(share - Fraction(total * weight, sum(weights))), 1)
            if not weight:
                self.assertEqual(share, 0)
        self.assertEqual(allocate_amount(-total, weights), [-share for share in shares])
