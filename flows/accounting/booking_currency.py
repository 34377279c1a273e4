# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import datetime
from decimal import Decimal
from fractions import Fraction

from odoo import api, models
from odoo.tools import LazyTranslate

from ...ramp_api import Money, allocate_amount
from ...ramp_api.money import find_currency_exponent
from ..engine.reasons import Held, HoldCollector

_lt = LazyTranslate(__name__)


class RampFlowBookingCurrency(models.AbstractModel):
    """Currencies of posted documents: exchange rates, and amounts in the company's currency."""

    _inherit = 'ramp.flow.booking'

    def _plan_currency(self, connection, code, found, rate=None, amounts=()):
        """Return the currency of a code.

        :param rate: exchange rate that the object itself has, or None
        :param amounts: all amounts to be posted, in minor units; Odoo must be able to store each without rounding
        :raise Held: when nothing can be posted in this currency; the reason names the remedy
        """
        currency = found.currencies[code]
        if not currency:
            raise Held(
                _lt('The currency %(code)s does not exist in Odoo. Create it, or ask Ramp.', code=code), by=('code',)
            )
        holds = HoldCollector()
        with holds.collect():
            if not currency.active:
                raise Held(
                    _lt(
                        'The currency %(code)s is not active in Odoo. Activate it under Accounting > Configuration > '
                        'Currencies.',
                        code=code,
                    ),
                    kind='currency',
                    by=('code',),
                    currency=code,
                )
        with holds.collect():
            rounding, smallest = (
                Fraction(Decimal(repr(currency.rounding))),
                Fraction(1, 10 ** find_currency_exponent(code)),
            )
            odd = [minor for minor in amounts if minor * smallest % rounding] if smallest % rounding else []
            if odd:
                raise Held(
                    _lt(
                        'Odoo rounds %(code)s to %(rounding)s, so %(amount)s cannot be posted exactly. Correct the '
                        'rounding factor of the currency under Accounting > Configuration > Currencies.',
                        code=code,
                        rounding=f'{currency.rounding:g}',
                        amount=Money(odd[0], code),
                    ),
                    kind='rate',
                    by=('code', 'rounding'),
                    currency=code,
                )
        with holds.collect():
            if rate is None and currency != connection.company_id.currency_id and currency not in found.first_rate_days:
                raise Held(
                    _lt(
                        'Odoo has no exchange rate for %(code)s. Enter one under Accounting > Configuration > '
                        'Currencies.',
                        code=code,
                    ),
                    kind='rate',
                    by=('code',),
                    currency=code,
                )
        holds.check()
        return currency

    def _get_odoo_rate(self, connection, currency, date, found):
        """Return Odoo's rate of a day: units of the company's currency for one of `currency`.

        :param found: `AccountingLookup`; for posting a new one, as the rate was checked in planning
        :raise Held: when the day is before the first rate of the currency; Odoo would use that first rate
        """
        company = connection.company_id
        if currency == company.currency_id:
            return 1.0
        if found.first_rate_days.get(currency, date) > date:
            raise Held(
                _lt(
                    'Odoo has no exchange rate for %(code)s on %(date)s: the first rate is dated %(first)s. Enter '
                    'one under Accounting > Configuration > Currencies.',
                    code=currency.name,
                    date=date,
                    first=found.first_rate_days[currency],
                ),
                kind='rate',
                by=('code', 'first'),
                currency=currency.name,
            )
        if (currency, date) not in found.odoo_rates:
            found.odoo_rates[currency, date] = self.env['res.currency']._get_conversion_rate(
                currency, company.currency_id, company, date
            )
        return found.odoo_rates[currency, date]

    def _check_quoted_rate(self, connection, currency, rate, date, found):
        """Check that a rate quoted by Ramp is close to Odoo's rate of that day.

        :param rate: units of the company's currency for one of `currency`
        :raise Held: when the rates differ too much, as either of them may be wrong
        """
        names = {
            'code': currency.name,
            'company': connection.company_id.currency_id.name,
            'quote': f'{rate:.6g}',
            'date': date,
        }
        percent = self._get_rate_deviation(connection, currency, rate, date, found)
        if percent is None:
            if rate == 1:
                raise Held(
                    _lt(
                        'Ramp converts %(code)s at %(quote)s %(company)s, but Odoo has no rate for %(date)s to '
                        'compare it with. Enter one under Accounting > Configuration > Currencies.',
                        **names,
                    ),
                    kind='rate',
                    by=('code', 'company', 'quote'),
                    currency=currency.name,
                )
            return
        if percent > connection.rate_tolerance:
            own = self._get_odoo_rate(connection, currency, date, found)
            raise Held(
                _lt(
                    'Ramp converts %(code)s at %(quote)s %(company)s, but Odoo at %(own)s on %(date)s. They differ '
                    'by %(percent)s %%; the connection allows %(allowed)s %%. Correct the rate in Odoo or the object '
                    'in Ramp, or raise "Rates May Differ By" on the connection.',
                    **names,
                    own=f'{own:.6g}',
                    percent=f'{percent:.3g}',
                    allowed=f'{connection.rate_tolerance:g}',
                ),
                kind='rate',
                by=('code', 'company', 'allowed'),
                currency=currency.name,
            )

    def _get_rate_deviation(self, connection, currency, rate, date, found):
        """Return how far a rate is from Odoo's rate of a day, in percent, or None for a day without a rate.

        :param rate: units of the company's currency for one of `currency`
        """
        if found.first_rate_days.get(currency, datetime.date.max) > date:
            return None
        # Rounded, because 10 % as a float may be slightly more than 10.
        return round(abs(rate / self._get_odoo_rate(connection, currency, date, found) - 1) * 100, 6)

    def _convert_to_company(self, connection, money, rate):
        """Return an amount in units of the company's currency.

        :param rate: amount in the company's currency for one of the money's currency
        """
        return self._amount_to_units(float(money.decimal_amount) * rate, connection.company_id.currency_id)

    def _plan_balances(self, connection, money, currency, date, amounts, found):
        """Return the total and the amount of each line, in units of the company's currency.

        The total is converted once and then spread over the lines. So the lines add up to it, whatever the rate is.

        :param amounts: amounts of the lines in minor units
        :return: (total, list of the lines' amounts)
        """
        company = connection.company_id
        if currency == company.currency_id:
            return self._minor_to_units(money.minor, currency), [
                self._minor_to_units(amount, currency) for amount in amounts
            ]
        rate = self._get_odoo_rate(connection, currency, date, found)
        if not money.minor:
            # The lines cancel each other out. They are converted one by one, and the last one takes the rest.
            shares = [self._convert_to_company(connection, Money(amount, money.currency), rate) for amount in amounts]
            shares[-1] -= sum(shares)
            return 0, shares
        total = self._convert_to_company(connection, money, rate)
        return total, allocate_amount(total, amounts)

    @api.model
    def _minor_to_float(self, minor, currency):
        """Return an amount of Ramp (minor units) as the value of a field of Odoo."""
        return float(Money(minor, currency.name).decimal_amount)

    @api.model
    def _float_to_minor(self, amount, currency):
        """Return the value of a field of Odoo in minor units, as Ramp has it."""
        return round(amount * 10 ** find_currency_exponent(currency.name))

    @api.model
    def _amount_to_units(self, amount, currency):
        """Return the value of a field of Odoo in units: multiples of the currency's rounding factor.

        The factor may be any, such as 0.0001, 0.05 or 1.
        """
        return round(currency.round(amount) / currency.rounding)

    @api.model
    def _units_to_amount(self, units, currency):
        """Return an amount in units as the value of a field of Odoo."""
        return currency.round(units * currency.rounding)

    @api.model
    def _minor_to_units(self, minor, currency):
        """Return an amount of Ramp (minor units) in units, where the company's currency is the same.

        Nothing is converted, only the scale changes.
        """
        return self._amount_to_units(self._minor_to_float(minor, currency), currency)
