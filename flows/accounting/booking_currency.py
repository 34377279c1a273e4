# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import datetime
from decimal import Decimal
from fractions import Fraction

from odoo import api, models

from ...ramp_api import Money, allocate
from ...ramp_api.money import exponent
from ..engine.flow import Held


class RampFlowBookingCurrency(models.AbstractModel):
    """Currencies of what is booked: which rate holds, and amounts in the company currency."""

    _inherit = 'ramp.flow.booking'

    def _plan_currency(self, connection, code, found, rate=None, amounts=()):
        """The currency of a code; raises `Held` with the remedy if it cannot be booked in.

        :param rate: what the object itself brings
        :param amounts: in minor units, all that are to be booked: each must be one that Odoo can keep as it is
        """
        currency = found['currencies'][code]
        if not currency:
            raise Held(self.env._('The currency %s does not exist in Odoo. Create it, or ask Ramp.', code))
        if not currency.active:
            raise Held(
                self.env._(
                    'The currency %s is not active in Odoo. Activate it under Accounting > Configuration > Currencies.',
                    code,
                )
            )
        rounding, smallest = Fraction(Decimal(repr(currency.rounding))), Fraction(1, 10 ** exponent(code))
        odd = [minor for minor in amounts if minor * smallest % rounding] if smallest % rounding else []
        if odd:
            raise Held(
                self.env._(
                    'Odoo rounds %(code)s to %(rounding)s, so %(amount)s cannot be booked exactly. Correct the '
                    'rounding factor of the currency '
                    'under Accounting > Configuration > Currencies.',
                    code=code,
                    rounding=f'{currency.rounding:g}',
                    amount=Money(odd[0], code),
                )
            )
        if rate is None and currency != connection.company_id.currency_id and currency not in found['rated']:
            raise Held(
                self.env._(
                    'Odoo has no exchange rate for %s. Enter one under Accounting > Configuration > Currencies.', code
                )
            )
        return currency

    def _get_odoo_rate(self, connection, currency, date, found):
        """Odoo's rate of a day, company currency units for one of `currency`.

        Raises `Held` for a day before the first rate of the currency: Odoo would take the first one.

        :param found: of `_look_up_accounting_state`; in booking, what was planned with it is not asked again: {'rates':
            {}}
        """
        company = connection.company_id
        if currency == company.currency_id:
            return 1.0
        if found.get('rated', {}).get(currency, date) > date:
            raise Held(
                self.env._(
                    'Odoo has no exchange rate for %(code)s on %(date)s: its first one is of %(first)s. Enter one '
                    'under Accounting > '
                    'Configuration > Currencies.',
                    code=currency.name,
                    date=date,
                    first=found['rated'][currency],
                )
            )
        if (currency, date) not in found['rates']:
            found['rates'][currency, date] = self.env['res.currency']._get_conversion_rate(
                currency, company.currency_id, company, date
            )
        return found['rates'][currency, date]

    def _check_quoted_rate(self, connection, currency, rate, date, found):
        """Raise `Held` where a rate that Ramp quotes is far from Odoo's of that day: nobody here knows which of the two
        is wrong.

        :param rate: company currency units for one of `currency`
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
                    self.env._(
                        'Ramp converts %(code)s at %(quote)s %(company)s, and Odoo has no rate of %(date)s to compare '
                        'that with. Enter one '
                        'under Accounting > Configuration > Currencies.',
                        **names,
                    )
                )
            return
        if percent > connection.rate_tolerance:
            own = self._get_odoo_rate(connection, currency, date, found)
            raise Held(
                self.env._(
                    'Ramp converts %(code)s at %(quote)s %(company)s, but Odoo at %(own)s on %(date)s: %(percent)s %% '
                    'off, and the connection '
                    'allows %(allowed)s %%. Correct the rate in Odoo, or the object in Ramp; or allow more on the '
                    'connection.',
                    **names,
                    own=f'{own:.6g}',
                    percent=f'{percent:.3g}',
                    allowed=f'{connection.rate_tolerance:g}',
                )
            )

    def _get_rate_deviation(self, connection, currency, rate, date, found):
        """How far, in percent, a rate is from Odoo's of a day; None for a day that has none.

        :param rate: company currency units for one of `currency`
        """
        if found['rated'].get(currency, datetime.date.max) > date:
            return None
        return round(
            abs(rate / self._get_odoo_rate(connection, currency, date, found) - 1) * 100, 6
        )  # 10 %, as a float, may be a little more

    def _convert_to_company(self, connection, money, rate):
        """An amount in units of the company's currency.

        :param rate: how much of the company's currency for one of the amount's
        """
        return self._amount_to_units(float(money.decimal) * rate, connection.company_id.currency_id)

    def _plan_balances(self, connection, money, currency, date, amounts, found):
        """(total, per line) in units of the company's currency. The total is converted once and then spread,
        so that the lines add up to it whatever the rate."""
        company = connection.company_id
        if currency == company.currency_id:
            return self._minor_to_units(money.minor, currency), [
                self._minor_to_units(amount, currency) for amount in amounts
            ]
        rate = self._get_odoo_rate(connection, currency, date, found)
        if not money.minor:
            # lines that cancel each other out: converted one by one, the last one takes the rest
            shares = [self._convert_to_company(connection, Money(amount, money.currency), rate) for amount in amounts]
            shares[-1] -= sum(shares)
            return 0, shares
        total = self._convert_to_company(connection, money, rate)
        return total, allocate(total, amounts)

    @api.model
    def _minor_to_float(self, minor, currency):
        """An amount of Ramp, in minor units, as Odoo's fields want it."""
        return float(Money(minor, currency.name).decimal)

    @api.model
    def _float_to_minor(self, amount, currency):
        """An amount of a field of Odoo in minor units, as Ramp has it."""
        return round(amount * 10 ** exponent(currency.name))

    @api.model
    def _amount_to_units(self, amount, currency):
        """An amount of a field of Odoo in units: whole numbers of the currency's rounding factor, which may be any
        (0.0001, 0.05, 1).
        """
        return round(currency.round(amount) / currency.rounding)

    @api.model
    def _units_to_amount(self, units, currency):
        """An amount in units as Odoo's fields want it."""
        return currency.round(units * currency.rounding)

    @api.model
    def _minor_to_units(self, minor, currency):
        """An amount of Ramp in units, where the company keeps its books in that currency: no conversion, only the other
        scale.
        """
        return self._amount_to_units(self._minor_to_float(minor, currency), currency)
