"""What bills, reimbursements and vendor credits have in common: coded lines, days, and what is owed in the end."""

from datetime import date as Date
from datetime import datetime, time, timezone
from decimal import Decimal

from . import coding, money
from .listing import Filter, parse_bool
from .state import iso_text

DEFAULT = object()  # an argument not given, where None means something


# -- coding


def first_account(store):
    row = next(iter(store['accounts']), None)
    return row and row['id']


def coded_lines(store, lines, account, analytics):
    """Lines with the coding that holds where a line has none of its own."""
    account = first_account(store) if account is DEFAULT else account
    return [{'account': account, 'analytics': analytics, **line} for line in lines]


def complete_lines(what, amount_minor, lines, inventory, quantity='quantity'):
    """(total, lines, inventory) in minor units, where what is not given follows from the rest.

    :param what: "A bill" or the like, for the TypeError if nothing is given
    :param amount_minor: the total; default: what the lines of both kinds come to
    :param lines: default: one over what the inventory leaves of the total
    :param inventory: lines with `unit_price_minor` and, under the name `quantity`, how many
    """
    inventory = [
        {'amount_minor': round(Decimal(str(line[quantity])) * line['unit_price_minor']), **line} for line in inventory
    ]
    stocked = sum_lines(inventory)
    if lines is None:
        if amount_minor is None and not inventory:
            raise TypeError(f'{what} needs amount_minor, lines or inventory')
        rest = stocked if amount_minor is None else amount_minor
        lines = [{'amount_minor': rest - stocked}] if rest != stocked or not inventory else []
    if amount_minor is None:
        amount_minor = stocked + sum_lines(lines)
    return amount_minor, lines, inventory


def sum_lines(lines):
    return sum(line['amount_minor'] for line in lines)


def recoded_lines(lines, account):
    """The same lines coded to an account, whatever they were coded with before."""
    return [{**line, 'account': account, 'selections': None} for line in lines]


def line_selections(store, line):
    """What a line is coded with: "selections" as they are, else by "account", "tax", "vendor" and "analytics"."""
    if line.get('selections') is not None:
        return line['selections']
    found = []
    for name, select in (('account', coding.account), ('tax', coding.tax_code), ('vendor', coding.vendor)):
        if line.get(name) is not None:
            found.append(select(store, str(line[name])))
    for field_id, option_id in (line.get('analytics') or {}).items():
        found.append(coding.option(store, field_id, str(option_id)))
    return found


def bill_selections(found):
    """Selections as bills and vendor credits have them: what kind of field it is, only the category tells."""
    return [{key: value for key, value in item.items() if key not in ('type', 'source')} for item in found]


def reimbursement_selections(found):
    """Selections as reimbursements have them: every key is there."""
    return [{'external_code': None, **item} for item in found]


def is_coded(row, ident, *lists):
    """Is the object, or a line in one of its `lists`, coded with the selection of this id?"""
    places = [row, *(line for name in lists for line in row[name] or ())]
    return any(item['id'] == ident for place in places for item in place['accounting_field_selections'])


def spread_lines(lines, total):
    """The same lines over another total."""
    parts = money.split_minor(total, [abs(line['amount_minor']) for line in lines])
    return [{**line, 'amount_minor': part} for line, part in zip(lines, parts, strict=True)]


def without_empty(body, names):
    """The contract leaves these out instead of answering null."""
    return {key: value for key, value in body.items() if value is not None or key not in names}


# -- arguments


def row_of(table, value):
    """A row by its id; a row is one already."""
    return table.rows[value] if isinstance(value, str) else value


def entity_of(store, value, currency=None):
    """The entity meant, else the first that has the currency, else the primary one."""
    if value:
        return row_of(store['entities'], value)
    primary = store['entities'].find(is_primary=True)
    if currency in (None, primary['currency']):
        return primary
    return store['entities'].find(currency=currency) or primary


def parse_moment(value):
    """An aware datetime of a datetime, a date or ISO text; a day begins at midnight UTC."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value.replace('Z', '+00:00'))
    elif isinstance(value, Date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)


def parse_midnight(value):
    """Midnight UTC of the day, as ISO text; None stays None."""
    return value and iso_text(parse_moment(value).replace(hour=0, minute=0, second=0, microsecond=0))


def refuse_unknown(what, row, names, more=()):
    """A misspelt argument would else become a field of the object, and the test would test nothing."""
    unknown = set(names) - {name for name in row if name[0] != '_'} - set(more)
    if unknown:
        raise TypeError(f'{what} has no {", ".join(sorted(unknown))}')


def convert_minor(minor, currency, rate, into):
    """Minor units of another currency at `rate` major units of it for one."""
    return round(Decimal(minor) / money.minor_per_major(currency) * Decimal(str(rate)) * money.minor_per_major(into))


# Dollars for one of each: what Ramp quotes unless somebody says otherwise. Between two currencies it is never 1.0.
DOLLARS = {'USD': 1, 'CHF': 1.143, 'EUR': 1.0873, 'GBP': 1.2654, 'JPY': 0.00671, 'KWD': 3.2584, 'TWD': 0.03125}


def quote_rate(currency, into):
    """Major units of `into` for one of `currency`, as Ramp's decimal string."""
    if currency == into:
        return '1.0'
    missing = {currency, into} - set(DOLLARS)
    if missing:
        raise ValueError(f'Say fx_conversion_rate: the simulator knows no rate of {", ".join(sorted(missing))}')
    return f'{DOLLARS[currency] / DOLLARS[into]:.6g}'


# -- filters


def parse_list(parse=str):
    """A comma-separated list."""
    return lambda text: [parse(part) for part in text.split(',')]


def field_among(field, parse=str):
    return Filter(parse_list(parse), lambda row, values: row.get(field) in values)


def parse_day(text):
    return Date.fromisoformat(text).isoformat()


def unless_false(test):
    """A flag that asks for something when true, and for nothing when false."""
    return Filter(parse_bool, lambda row, value: not value or test(row))


# -- totals


def vendor_totals(store, booked=False, until=None):
    """What is owed per vendor and currency, in minor units: approved bills that go to the books and are not archived.

    :param booked: only what Ramp was told is in the books: synced bills, and payments that were synced too
    :param until: only bills issued before this moment (ISO text)
    Returns [{"vendor_id", "vendor_name", "currency", "bills", "billed_minor", "credited_minor", "paid_minor",
    "card_minor" (of what is paid), "open_minor"}].
    """
    found = {}
    for row in store['bills']:
        if row['approval_status'] != 'APPROVED' or not row['enable_accounting_sync'] or row['archived_at']:
            continue
        if booked and row['sync_status'] == 'NOT_SYNCED' or until and row['issued_at'] >= until:
            continue
        key = row['vendor']['id'], row['_money']['currency']
        total = found.setdefault(
            key,
            {
                'vendor_id': key[0],
                'vendor_name': row['vendor']['name'],
                'currency': key[1],
                'bills': 0,
                'billed_minor': 0,
                'credited_minor': 0,
                'paid_minor': 0,
                'card_minor': 0,
                'open_minor': 0,
            },
        )
        paid = (
            []
            if booked and row['sync_status'] == 'BILL_SYNCED'
            else [item for item in row['_payments'] if item['state'] == 'completed']
        )
        for name, amount in _bill_amounts(row, paid).items():
            total[name] += amount
        total['open_minor'] = total['billed_minor'] - total['credited_minor'] - total['paid_minor']
    return sorted(found.values(), key=lambda total: (total['vendor_id'], total['currency']))


def _bill_amounts(row, paid):
    """What a bill adds to the totals of its vendor. `paid`: its payments that count."""
    return {
        'bills': 1,
        'billed_minor': row['_money']['amount_minor'],
        'credited_minor': sum(item['amount']['amount'] for item in row['applied_vendor_credits']),
        'paid_minor': sum_lines(paid),
        'card_minor': sum_lines(item for item in paid if 'CARD' in item['method'].split('_')),
    }


def reimbursement_totals(store, sync_status=None):
    """What reimbursements move per person, direction and the entity's currency, in minor units (unsigned, as Ramp's).

    Canceled, deleted and rejected ones and drafts do not count, nor do those that were made broken.
    Returns [{"user_id", "user_email", "direction", "currency", "count", "amount_minor", "paid_minor"}].
    """
    found = {}
    for row in store['reimbursements']:
        if (
            row['state'] in ('CANCELED', 'DELETED', 'DRAFT', 'INIT', 'REJECTED')
            or row['_broken']
            or not row['entity_amount']
        ):
            continue
        if sync_status and row['sync_status'] not in sync_status:
            continue
        key = row['user_id'], row['direction'], row['entity_amount']['currency']
        total = found.setdefault(
            key,
            {
                'user_id': key[0],
                'user_email': row['user_email'],
                'direction': key[1],
                'currency': key[2],
                'count': 0,
                'amount_minor': 0,
                'paid_minor': 0,
            },
        )
        total['count'] += 1
        total['amount_minor'] += row['entity_amount']['value']
        total['paid_minor'] += row['entity_amount']['value'] if row['payment_processed_at'] else 0
    return [found[key] for key in sorted(found)]
