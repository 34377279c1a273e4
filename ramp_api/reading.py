# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Reading of Ramp's payloads. They are checked here once, so that the flows can rely on them.

Whatever is malformed, unknown or does not add up raises PayloadError. Unknown *keys* are ignored, because Ramp often
adds some. What Ramp declares optional may be absent as well as null. Schemas and values are those of Ramp's OpenAPI
document of 2026-08-01, unless another source is given.
"""

import datetime
import re
from decimal import Decimal

from .dates import parse_utc_moment
from .money import Money, MoneyError

SYNC_STATUSES = frozenset({'NOT_SYNC_READY', 'SYNCED', 'SYNC_READY'})
UUID_PATTERN = re.compile(r'[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}')
_DAY_PATTERN = re.compile(r'[0-9]{4}-[0-9]{2}-[0-9]{2}')
_DECIMAL_PATTERN = re.compile(r'[+-]?[0-9]{1,30}(\.[0-9]{1,30})?')


class PayloadError(ValueError):
    """A payload that must not be booked.

    field: str, the full path of what is wrong, such as "line_items[0].amount"; message: str, what is wrong and what
    to do. As a text it names the place for an accountant: "Line 1, amount: is in EUR, but the bill is in USD".
    """

    def __init__(self, field, message):
        super().__init__(field, message)
        self.field = field
        self.message = message

    def __str__(self):
        return f'{_describe_path(self.field)}: {self.message}'


def _describe_path(path):
    """Return the path of a value in words, counted from 1: "Line 1, unit price" for "line_items[0].unit_price"."""
    parts = []
    for part in path.split('.'):
        name, _bracket, number = part.rstrip(']').partition('[')
        name = re.sub(r'(?:^|_)line_items$', '_line', name) if number else name
        parts.append(f'{name.strip("_").replace("_", " ")} {int(number) + 1 if number.isdigit() else number}'.strip())
    words = ', '.join(parts)
    return words[:1].upper() + words[1:]


class PayloadReader:
    """Typed access to one JSON object.

    Each method returns None for a missing, null or (text) empty value, unless `required`. It raises PayloadError,
    which names the full path of the field, if the value is missing and required, or of another type.

    values: dict, the object as Ramp sent it; path: str, where it is in the payload, empty for the whole.
    """

    def __init__(self, values, path=''):
        if not isinstance(values, dict):
            raise PayloadError(path or 'payload', f'expected an object, Ramp sent {_describe_json_type(values)}')
        self.values = values
        self.path = path

    def path_of_key(self, key):
        """Return the full path (str) of a field, for an error."""
        return f'{self.path}.{key}' if self.path else key

    def read_value(self, key, kind, label, required=False):
        """Return the value under a key.

        :param key: str
        :param kind: type, or tuple of types; bool does not pass for int
        :param label: str, what was expected, for the error
        :param required: bool
        """
        value = self.values.get(key)
        if value is None or (value == '' and kind is str):
            if required:
                raise PayloadError(self.path_of_key(key), f'Ramp sent no value; {label} is required')
            return None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise PayloadError(self.path_of_key(key), f'expected {label}, Ramp sent {_describe_json_type(value)}')
        return value

    def read_text(self, key, required=False):
        """Return the text under `key`: str | None."""
        return self.read_value(key, str, 'a text', required)

    def read_flag(self, key):
        """Return whether `key` is true (bool); False if it is absent."""
        return bool(self.read_value(key, bool, 'true or false'))

    def read_uuid(self, key, required=False):
        """Return the id under `key`: str | None, a uuid in lower case."""
        value = self.read_value(key, str, 'an id (uuid)', required)
        return value if value is None else read_checked_uuid(value, self.path_of_key(key))

    def read_choice(self, key, allowed, required=False, normalise=str):
        """Return the text under `key`, which must be one of those that are known: str | None.

        :param allowed: set of str
        :param normalise: str -> str, applied before it is compared and returned, such as `str.lower`
        """
        value = self.read_text(key, required)
        if value is not None and normalise(value) not in allowed:
            raise PayloadError(
                self.path_of_key(key),
                f'{value!r} is not known to this version of the connector '
                f'(known: {", ".join(sorted(allowed))}); update it before booking this',
            )
        return value if value is None else normalise(value)

    def read_moment(self, key, required=False):
        """Return the moment under `key`: aware datetime in UTC, or None."""
        value = self.read_text(key, required)
        try:
            return value if value is None else parse_utc_moment(value)
        except ValueError as error:
            raise PayloadError(self.path_of_key(key), str(error)) from None

    def read_object(self, key):
        """Return a PayloadReader of the object under `key`, of an empty one if there is none."""
        return PayloadReader(self.read_value(key, dict, 'an object') or {}, self.path_of_key(key))

    def read_items(self, key):
        """Return the list under `key`, as a list of pairs (value, path); empty if there is none."""
        return [
            (value, f'{self.path_of_key(key)}[{i}]')
            for i, value in enumerate(self.read_value(key, list, 'a list') or [])
        ]

    def read_money(self, key, amount='amount', currency='currency_code', rate=None):
        """Return Money | None from an object of minor units under `key`.

        :param amount: str, the key of the amount in it: 'amount' of a CurrencyAmount, 'value' of an ApiAmount
        :param currency: str, the key of the currency's code in it: 'currency_code', or 'currency' of an ApiAmount
        :param rate: int | None, minor units for one of the currency, stated elsewhere in the payload
        """
        if self.values.get(key) is None:
            return None
        reader = self.read_object(key)
        value = reader.read_value(amount, int, 'a whole number of minor units', required=True)
        code = reader.read_text(currency, required=True)
        own_rate = reader.read_value('minor_unit_conversion_rate', int, 'a whole number')
        with_rate = rate if own_rate is None else own_rate
        return build_checked_money(reader.path, Money.from_minor_units, value, code, with_rate)


def _describe_json_type(value):
    """Return the kind (str) of a value that Ramp sent."""
    # Only the type: a value in an error message would be payload data in a log.
    names = {
        dict: 'an object',
        list: 'a list',
        str: 'a text',
        bool: 'true or false',
        int: 'a number',
        float: 'a number',
    }
    return names.get(type(value), 'nothing' if value is None else type(value).__name__)


def build_checked_money(field, build, *args):
    """Return the result of `build(*args)`. Turn its MoneyError into a PayloadError of `field` (str)."""
    try:
        return build(*args)
    except MoneyError as error:
        raise PayloadError(field, f'{error}; it is not booked until this is explained') from None


def read_checked_uuid(value, path):
    """Return a uuid (str, lower case) from a value of any type at `path` (str). Raises PayloadError."""
    if not isinstance(value, str) or not UUID_PATTERN.fullmatch(value.lower()):
        raise PayloadError(path, 'Ramp sent something that is not an id (uuid)')
    return value.lower()


def read_uuid_list(reader, key):
    """Read the uuids (tuple of str) of the list under `key`. Raises PayloadError."""
    return tuple(read_checked_uuid(value, path) for value, path in reader.read_items(key))


def read_text_list(reader, key):
    """Read the texts (tuple of str) of the list under `key`. Raises PayloadError."""
    found = tuple(reader.read_items(key))
    for value, path in found:
        if not isinstance(value, str):
            raise PayloadError(path, 'expected a text, Ramp sent something else')
    return tuple(value for value, _path in found)


def readers_of_items(reader, key):
    """Return readers (list of PayloadReader) of the objects of the list under `key`. Raises PayloadError."""
    return [PayloadReader(value, path) for value, path in reader.read_items(key)]


def read_optional_day(reader, key):
    """Read the day under `key`: date | None, from a text such as 2026-01-31. Raises PayloadError."""
    text = reader.read_text(key)
    try:
        if text is not None and not _DAY_PATTERN.fullmatch(text):
            raise ValueError('is not a day such as 2026-01-31')
        return text and datetime.date.fromisoformat(text)
    except ValueError:
        raise PayloadError(
            reader.path_of_key(key), 'Ramp sent something that is not a day such as 2026-01-31'
        ) from None


def read_optional_decimal(reader, key):
    """Read the number under `key`: Decimal | None, from a number or a text such as "1.0873".

    A float is read by its shortest notation. Raises PayloadError.
    """
    value = reader.read_value(key, (str, int, float, Decimal), 'a decimal number')
    if value is None or value == '':
        return None
    if isinstance(value, str):
        known = bool(_DECIMAL_PATTERN.fullmatch(value))
    else:
        known = (not isinstance(value, Decimal) or value.is_finite()) and abs(value) < 10**30
    if not known:
        raise PayloadError(reader.path_of_key(key), 'Ramp sent something that is not a decimal number')
    return Decimal(str(value))


def read_required_amount(reader, key, currency, what):
    """Read the CurrencyAmount under `key`, which must be there: Money, in minor units.

    :param reader: PayloadReader of a part of what is read
    :param currency: str | None, the code that the amount must have
    :param what: str, what is read, for the error, such as "the bill"
    :raise PayloadError: if there is no amount, or it is in another currency
    """
    money = reader.read_money(key)
    if money is None:
        raise PayloadError(reader.path_of_key(key), f'Ramp sent no amount; without it {what} cannot be booked')
    if currency is not None and money.currency != currency:
        raise PayloadError(reader.path_of_key(key), f'is in {money.currency}, but {what} is in {currency}')
    return money


def read_unsigned_amount(reader, key, amount='amount', currency='currency_code'):
    """Read the amount under `key`, which must not be negative: Money | None.

    Parameters: as of `PayloadReader.read_money`. Raises PayloadError.
    """
    money = reader.read_money(key, amount, currency)
    if money is not None and money.minor < 0:
        raise PayloadError(
            reader.path_of_key(key),
            f'{money} is negative, which Ramp excludes; it is not booked until this is explained',
        )
    return money


def check_lines_total(field, amounts, whole, what):
    """Raise PayloadError unless the lines are exactly the whole.

    :param field: str, where the lines are
    :param amounts: list of Money, all of one currency
    :param whole: Money
    :param what: str, what the lines are of, for the error
    """
    total = sum(amounts, Money(0, whole.currency))
    if total != whole:
        raise PayloadError(field, f'the lines add up to {total}, but {what} is {whole}; correct it in Ramp')


def read_quantity_and_price(reader, currency, what):
    """Read quantity (Decimal | None, units) and unit price (Money | None, in `currency`) of an inventory line.

    Bills before 2026, and credits, call the quantity unit_quantity. Raise PayloadError if one is malformed.
    """
    price = reader.read_money('unit_price')
    if price is not None:
        price = read_required_amount(reader, 'unit_price', currency, what)
    quantity = read_optional_decimal(reader, 'quantity')
    return read_optional_decimal(reader, 'unit_quantity') if quantity is None else quantity, price
