# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Money as integer minor units.

Guide "Monetary values"; schemas CurrencyAmount, ApiAmount, ApiSignedAmount (2026-08-01).
"""

import dataclasses
import math
import re
from decimal import Decimal
from fractions import Fraction

# Ramp says: the number of decimals is the one of ISO 4217. Codes of Ramp's enum that have none there (gold,
# testing, "no currency", units of account such as XDR) are left out on purpose: an amount in them cannot be
# read.
_CODES = {
    0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
    2: (
        'AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD '
        'CAD CDF CHE CHF CHW CNH CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP '
        'GEL GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP '
        'LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD '
        'PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC '
        'SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG '
        'ZWL'
    ),
    3: 'BHD IQD JOD KWD LYD OMR TND',
    4: 'CLF UYW',
    6: 'EURC OPEN_USD USDB USDC USDSUI USDT',
}
EXPONENTS = {code: exponent for exponent, codes in _CODES.items() for code in codes.split()}

# Stablecoins count in millionths where they live, but Ramp documents nowhere in what *it* counts them. A
# whole number of them is therefore only read when Ramp states the rate beside it: cents taken for millionths
# would be wrong by 10,000.
STABLECOINS = frozenset(_CODES[6].split())

_MAJOR_PATTERN = re.compile(r'[+-]?[0-9]{1,30}(\.[0-9]{1,30})?')


class MoneyError(ValueError):
    """An amount or currency that cannot be trusted; the text says why."""


def find_currency_exponent(currency):
    """Return the number of decimals (int) of a currency.

    :param currency: str, ISO 4217 code or one of Ramp's stablecoins
    :raise MoneyError: if it is not known
    """
    try:
        return EXPONENTS[currency]
    except (KeyError, TypeError):
        raise MoneyError(f'Currency {currency!r} is not one whose number of decimals is known') from None


@dataclasses.dataclass(frozen=True)
class Money:
    """An amount of one currency. Only like currencies mix; MoneyError else.

    minor: int, signed, in the smallest unit of `currency`; currency: str, ISO 4217 code or one of Ramp's stablecoins.
    """

    minor: int
    currency: str

    def __post_init__(self):
        find_currency_exponent(self.currency)
        if isinstance(self.minor, bool) or not isinstance(self.minor, int):
            raise MoneyError(f'A minor amount must be a whole number, not {self.minor!r}')

    @classmethod
    def from_minor_units(cls, minor, currency, rate=None):
        """Return Money from an amount of the API in minor units.

        :param minor: int, signed
        :param currency: str, code
        :param rate: int | None, `minor_unit_conversion_rate` of the payload, if it has one
        :return: Money
        :raise MoneyError: if the rate contradicts the currency, because either may be wrong; and for a stablecoin
            without a rate
        """
        money = cls(minor, currency)
        expected = 10 ** find_currency_exponent(currency)
        if rate is None:
            if currency in STABLECOINS:
                raise MoneyError(
                    f'{currency} amounts are only read with a minor_unit_conversion_rate, and there is none'
                )
        elif isinstance(rate, bool) or rate != expected:
            raise MoneyError(
                f'minor_unit_conversion_rate is {rate!r}, but {currency} has {find_currency_exponent(currency)} decimals '
                f'(rate {expected})'
            )
        return money

    @classmethod
    def from_major_units(cls, value, currency, strict=True):
        """Return Money from an amount in major units.

        :param value: str ('-12.50'), int, Decimal, or float by its shortest notation
        :param currency: str, code
        :param strict: bool, True refuses more decimals than the currency has; False rounds half away from zero
        :return: Money
        :raise MoneyError: also for bool, NaN, infinities, exponents ('1e5') and separators in text
        """
        digits = find_currency_exponent(currency)
        exact = _read_exact_fraction(value, digits) * 10**digits
        if exact.denominator != 1:
            if strict:
                raise MoneyError(f'{value} {currency} has more than the {digits} decimals of {currency}')
            half_up = math.floor(abs(exact) + Fraction(1, 2))
            return cls(half_up if exact > 0 else -half_up, currency)
        return cls(int(exact), currency)

    @property
    def decimal_amount(self):
        """Return the amount in major units (Decimal), with exactly the decimals of the currency."""
        return Decimal(f'{self.minor}E-{find_currency_exponent(self.currency)}')  # the constructor is exact at any size

    def __str__(self):
        return f'{self.decimal_amount:f} {self.currency}'

    def __add__(self, other):
        return Money(self.minor + self._read_minor_of_same_currency(other), self.currency)

    def __sub__(self, other):
        return Money(self.minor - self._read_minor_of_same_currency(other), self.currency)

    def __neg__(self):
        return Money(-self.minor, self.currency)

    def __abs__(self):
        return Money(abs(self.minor), self.currency)

    def __lt__(self, other):
        return self.minor < self._read_minor_of_same_currency(other)

    def __le__(self, other):
        return self.minor <= self._read_minor_of_same_currency(other)

    def __gt__(self, other):
        return self.minor > self._read_minor_of_same_currency(other)

    def __ge__(self, other):
        return self.minor >= self._read_minor_of_same_currency(other)

    def _read_minor_of_same_currency(self, other):
        if not isinstance(other, Money) or other.currency != self.currency:
            raise MoneyError(f'{self} and {other} are not of one currency')
        return other.minor


def _read_exact_fraction(value, digits):
    """Return the exact value (Fraction) of an amount in major units. Raises MoneyError."""
    if isinstance(value, float) and math.isfinite(value):
        if math.ulp(value) * 10**digits > 0.1:
            raise MoneyError(f'{value!r} is too large to be an exact amount with {digits} decimals')
        return Fraction(Decimal(repr(value)))
    if isinstance(value, int) and not isinstance(value, bool):
        return Fraction(value)
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) <= 30:
        return Fraction(value)
    if isinstance(value, str) and _MAJOR_PATTERN.fullmatch(value):
        return Fraction(value)
    raise MoneyError(f'{value!r} is not an amount of money')


def allocate_amount(total_minor, weights):
    """Split an amount in proportion to weights, so that the sum is exactly the amount.

    Largest remainder, the earlier line first among equals; a zero weight gets nothing, a negative one gets the
    opposite sign. Each share is less than one unit from its exact value.

    :param total_minor: int, minor units
    :param weights: iterable of int, Decimal or Fraction (no float)
    :return: list of int, minor units
    :raise MoneyError: if there is something to split and the weights add up to zero, or on a weight of another type
    """
    if isinstance(total_minor, bool) or not isinstance(total_minor, int):
        raise MoneyError(f'A minor amount must be a whole number, not {total_minor!r}')
    if any(isinstance(weight, bool) or not isinstance(weight, (int, Decimal, Fraction)) for weight in weights):
        raise MoneyError('Weights must be whole numbers, decimals or fractions')
    try:
        parts = [Fraction(weight) for weight in weights]
    except (ValueError, OverflowError):
        raise MoneyError('Weights must be finite') from None
    whole = sum(parts)
    if not total_minor:
        return [0] * len(parts)
    if not whole:
        raise MoneyError(f'{total_minor} cannot be split over weights that add up to zero')
    # Work on the amount without its sign, so that a refund is split exactly as its purchase was.
    exact = [abs(total_minor) * part / whole for part in parts]
    shares = [math.floor(share) for share in exact]
    missing = abs(total_minor) - sum(shares)
    by_remainder = sorted(range(len(parts)), key=lambda i: (shares[i] - exact[i], i))
    for i in by_remainder[:missing]:
        shares[i] += 1
    return shares if total_minor > 0 else [-share for share in shares]
