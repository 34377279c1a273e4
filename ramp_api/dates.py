# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Moments and days.

Ramp gives ISO 8601, UTC where no offset is stated (guide "Monetary values", section on dates, 2026-08-01).
"""

import contextlib
import datetime
import re
import zoneinfo

_ISO_PATTERN = re.compile(
    r'(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d)?)?',
    re.ASCII | re.IGNORECASE,
)


def parse_utc_moment(text):
    """Return the moment of a text from Ramp.

    Accepted are `Z`, `+00:00`, `+0000`, no offset (UTC) and fractions of a second (cut to microseconds). A bare date is
    refused, because its day in another time zone would be a guess. So is a time without its hour (`T:00:00`, as in some
    examples of the specification).

    :param text: str, ISO 8601
    :return: aware datetime in UTC
    :raise ValueError: if it is no such text
    """
    match = _ISO_PATTERN.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError(f'{text!r} is not a date and time such as 2026-01-31T13:45:00Z')
    *parts, fraction, offset = match.groups()
    micro = int((fraction or '').ljust(6, '0')[:6])
    try:
        moment = datetime.datetime(*(int(part or 0) for part in parts), micro, tzinfo=_parse_utc_offset(offset))
        return moment.astimezone(datetime.timezone.utc)
    except (ValueError, OverflowError) as error:
        raise ValueError(f'{text!r} is not a valid date and time: {error}') from None


def _parse_utc_offset(offset):
    if not offset or offset in 'Zz':
        return datetime.timezone.utc
    digits = offset[1:].replace(':', '').ljust(4, '0')
    hours, minutes = int(digits[:2]), int(digits[2:])
    if minutes > 59:
        raise ValueError(f'offset {offset}')
    delta = datetime.timedelta(hours=hours, minutes=minutes)
    return datetime.timezone(-delta if offset[0] == '-' else delta)


def to_company_date(moment, tzname):
    """Return the calendar date in a time zone.

    :param moment: aware datetime
    :param tzname: str such as 'America/New_York'
    :return: date
    :raise ValueError: on a naive `moment` or an unknown zone, because a wrong day can be a wrong period
    """
    if moment.tzinfo is None:
        raise ValueError('A moment without a time zone has no date; make it UTC first')
    return moment.astimezone(_find_time_zone(tzname)).date()


def _find_time_zone(tzname):
    with contextlib.suppress(zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        return zoneinfo.ZoneInfo(tzname)
    try:
        import pytz  # Odoo brings it; it knows names such as US/Pacific that some systems leave out

        return pytz.timezone(tzname)
    except (ImportError, KeyError, AttributeError):  # pytz's UnknownTimeZoneError is a KeyError
        raise ValueError(f'Unknown time zone {tzname!r}') from None
