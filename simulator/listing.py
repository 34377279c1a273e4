"""Lists with filters, orders and keyset paging, for every kind of object."""

import uuid
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from typing import NamedTuple
from urllib.parse import urlencode

from .errors import make_field_error
from .state import format_iso_time, select_wire_fields


class Filter(NamedTuple):
    parse: object
    test: object  # test(row, value) -> bool


def parse_uuid(text):
    return str(uuid.UUID(text))


def parse_utc_time(text):
    if 'T' not in text and ' ' not in text:
        raise ValueError('a date is not a time')
    moment = datetime.fromisoformat(text.replace('Z', '+00:00'))
    return format_iso_time(moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc))


def parse_bool(text):
    return {'true': True, 'false': False, '1': True, '0': False}[text.lower()]


def parse_decimal(text):
    return Decimal(text)


def make_choice_parser(*values):
    def parse_known_choice(text):
        if text not in values:
            raise ValueError(text)
        return text

    return parse_known_choice


def filter_by_value(field, parse=parse_uuid):
    return Filter(parse, lambda row, value: row.get(field) == value)


def filter_from_time(field):
    """Return a filter for times from the value on, inclusive.

    The sandbox shows this for `updated_after`. It is assumed for the other filters.
    """
    return Filter(parse_utc_time, lambda row, value: bool(row.get(field)) and row[field] >= value)


def filter_until_time(field):
    return Filter(parse_utc_time, lambda row, value: bool(row.get(field)) and row[field] <= value)


def filter_without_effect(parse=str):
    """Return a filter that checks its value but has no effect here."""
    return Filter(parse, lambda row, value: True)


def read_query_parameter(call, name, parse, default=None):
    """Return a parsed query parameter, or the default. Raise Ramp's 422 if it cannot be parsed."""
    text = call.query.get(name)
    if text is None:
        return default
    try:
        return parse(text)
    except (ValueError, KeyError, InvalidOperation):
        raise make_field_error(name, f'Not a valid value: {text}') from None


def answer_list_page(
    call, table, filters=None, where=None, order='', reverse=False, bucket=None, render=select_wire_fields, among=None
):
    """Return one page of a table: `{"data": [...], "page": {"next": url or None}}`. Withheld rows are never listed.

    :param filters: {query parameter: Filter}; other parameters are ignored, as Ramp does
    :param where: `where(row)` is the default restriction, independent of the request
    :param among: the candidate rows from an index, in the list's order; default: the whole table
    """
    size = read_query_parameter(call, 'page_size', int, 20)
    if not 2 <= size <= 100:
        raise make_field_error('page_size', 'Value must be between 2 and 100')
    wanted = _read_wanted_filters(call, filters or {})
    rows = call.state[table]
    start = call.query.get('start')
    if start is not None and start not in rows:
        raise make_field_error('start', 'Not the id of an object')
    page, more = [], False
    if among is None or start is not None:
        among = rows.walk_rows(order=order, bucket=bucket, after=start, reverse=reverse)
    for row in among:
        if row.get('_withheld') or where and not where(row) or not all(test(row, value) for test, value in wanted):
            continue
        if len(page) == size:
            more = True
            break
        page.append(row)
    call.rows = page
    following = _build_next_address(call, size, page[-1][rows.key]) if more else None
    return {'data': [render(row) for row in page], 'page': {'next': following}}


def _read_wanted_filters(call, filters):
    """Return [(test, value)] of the filters that have a value in the request."""
    values = [(rule.test, read_query_parameter(call, name, rule.parse)) for name, rule in filters.items()]
    return [(test, value) for test, value in values if value is not None]


def _build_next_address(call, size, last):
    """Return the address of the page after the object with the id `last`."""
    query = [(k, v) for k, v in call.query.items(multi=True) if k not in ('start', 'page_size')]
    query += [('page_size', size), ('start', last)]
    return f'{call.request.base_url}?{urlencode(query)}'
