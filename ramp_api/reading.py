# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""How a payload of Ramp is read: checked once, here, so that the flows can trust what they book.

Whatever is malformed, unknown or does not add up raises PayloadError. Unknown *keys* are ignored: Ramp adds some often.
What Ramp declares optional may be absent as well as null.
"""

import datetime
import re
from decimal import Decimal

from .dates import parse_utc
from .money import Money, MoneyError

SYNC_STATUSES = frozenset({'NOT_SYNC_READY', 'SYNCED', 'SYNC_READY'})
UUID_PATTERN = re.compile(r'[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}')
_DAY = re.compile(r'[0-9]{4}-[0-9]{2}-[0-9]{2}')
_DECIMAL = re.compile(r'[+-]?[0-9]{1,30}(\.[0-9]{1,30})?')


class PayloadError(ValueError):
    """A payload that must not be booked. field: str, where; message: str, what is wrong and what to do."""

    def __init__(self, field, message):
        super().__init__(field, message)
        self.field = field
        self.message = message

    def __str__(self):
        return f"{self.field}: {self.message}"


class PayloadReader:
    """Typed access to one JSON object. Each method returns None for a missing, null or (text) empty value,
    unless `required`; and raises PayloadError naming the full path of the field."""

    def __init__(self, values, path=''):
        if not isinstance(values, dict):
            raise PayloadError(path or 'payload', f"expected an object, Ramp sent {_describe_json_type(values)}")
        self.values = values
        self.path = path

    def at(self, key):
        return f"{self.path}.{key}" if self.path else key

    def get(self, key, kind, label, required=False):
        value = self.values.get(key)
        if value is None or (value == '' and kind is str):
            if required:
                raise PayloadError(self.at(key), f"Ramp sent no value; {label} is required")
            return None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise PayloadError(self.at(key), f"expected {label}, Ramp sent {_describe_json_type(value)}")
        return value

    def text(self, key, required=False):
        return self.get(key, str, "a text", required)

    def flag(self, key):
        return bool(self.get(key, bool, "true or false"))

    def uuid(self, key, required=False):
        value = self.get(key, str, "an id (uuid)", required)
        return value if value is None else checked_uuid(value, self.at(key))

    def choice(self, key, allowed, required=False, normalise=str):
        value = self.text(key, required)
        if value is not None and normalise(value) not in allowed:
            raise PayloadError(
                self.at(key),
                f"{value!r} is not known to this version of the connector "
                f"(known: {', '.join(sorted(allowed))}); update it before booking this",
            )
        return value if value is None else normalise(value)

    def moment(self, key, required=False):
        value = self.text(key, required)
        try:
            return value if value is None else parse_utc(value)
        except ValueError as error:
            raise PayloadError(self.at(key), str(error)) from None

    def object(self, key):
        """A PayloadReader of the object under `key`, of an empty one if there is none."""
        return PayloadReader(self.get(key, dict, "an object") or {}, self.at(key))

    def items(self, key):
        """The list under `key` as pairs (value, path)."""
        return [
            (value, f"{self.at(key)}[{i}]") for i, value in enumerate(self.get(key, list, "a list") or [])
        ]

    def minor(self, key, amount='amount', currency='currency_code', rate=None):
        """Money from an object of minor units under `key`: CurrencyAmount, or ApiSignedAmount with the other
        names."""
        if self.values.get(key) is None:
            return None
        reader = self.object(key)
        value = reader.get(amount, int, "a whole number of minor units", required=True)
        code = reader.text(currency, required=True)
        own_rate = reader.get('minor_unit_conversion_rate', int, "a whole number")
        with_rate = rate if own_rate is None else own_rate
        return checked_money(reader.path, Money.from_minor, value, code, with_rate)


def _describe_json_type(value):
    # Only the type: a value in an error message would be payload data in a log.
    names = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), "nothing" if value is None else type(value).__name__)


def checked_money(field, build, *args):
    try:
        return build(*args)
    except MoneyError as error:
        raise PayloadError(field, f"{error}; it is not booked until this is explained") from None


def checked_uuid(value, path):
    if not isinstance(value, str) or not UUID_PATTERN.fullmatch(value.lower()):
        raise PayloadError(path, "Ramp sent something that is not an id (uuid)")
    return value.lower()


def read_uuid_list(reader, key):
    return tuple(checked_uuid(value, path) for value, path in reader.items(key))


def read_text_list(reader, key):
    found = tuple(reader.items(key))
    for value, path in found:
        if not isinstance(value, str):
            raise PayloadError(path, "expected a text, Ramp sent something else")
    return tuple(value for value, _path in found)


def readers_of_items(reader, key):
    return [PayloadReader(value, path) for value, path in reader.items(key)]


def read_optional_day(reader, key):
    text = reader.text(key)
    try:
        if text is not None and not _DAY.fullmatch(text):
            raise ValueError("is not a day such as 2026-01-31")
        return text and datetime.date.fromisoformat(text)
    except ValueError:
        raise PayloadError(reader.at(key), "Ramp sent something that is not a day such as 2026-01-31") from None


def read_optional_decimal(reader, key):
    """Decimal from a number or a text such as "1.0873"; a float by its shortest notation."""
    value = reader.get(key, (str, int, float, Decimal), "a decimal number")
    if value is None or value == '':
        return None
    if isinstance(value, str):
        known = bool(_DECIMAL.fullmatch(value))
    else:
        known = (not isinstance(value, Decimal) or value.is_finite()) and abs(value) < 10**30
    if not known:
        raise PayloadError(reader.at(key), "Ramp sent something that is not a decimal number")
    return Decimal(str(value))


def read_required_amount(reader, key, currency, what):
    """The required CurrencyAmount under `key` of a part of `what`, which is in `currency`."""
    money = reader.minor(key)
    if money is None:
        raise PayloadError(reader.at(key), f"Ramp sent no amount; without it {what} cannot be booked")
    if currency is not None and money.currency != currency:
        raise PayloadError(reader.at(key), f"is in {money.currency}, but {what} is in {currency}")
    return money


def read_unsigned_amount(reader, key, amount='amount', currency='currency_code'):
    money = reader.minor(key, amount, currency)
    if money is not None and money.minor < 0:
        raise PayloadError(
            reader.at(key), f"{money} is negative, which Ramp excludes; it is not booked until this is explained"
        )
    return money


def check_lines_total(field, amounts, whole, what):
    total = sum(amounts, Money(0, whole.currency))
    if total != whole:
        raise PayloadError(
            field, f"the lines add up to {total}, but {what} is {whole}; correct it in Ramp"
        )


def read_quantity_and_price(reader, currency, what):
    """quantity and unit_price of an inventory line. Bills before 2026 and credits call it unit_quantity."""
    price = reader.minor('unit_price')
    if price is not None:
        price = read_required_amount(reader, 'unit_price', currency, what)
    quantity = read_optional_decimal(reader, 'quantity')
    return read_optional_decimal(reader, 'unit_quantity') if quantity is None else quantity, price
