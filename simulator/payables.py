"""Common parts of bills, reimbursements and vendor credits: coded lines, dates and totals."""

from datetime import date as Date
from datetime import datetime, time, timezone
from decimal import Decimal

from . import coding, money
from .listing import Filter, parse_bool
from .state import format_iso_time

NOT_GIVEN = object()  # marks an argument as not given, where None has a meaning


# -- coding


def find_first_account(store):
    row = next(iter(store['accounts']), None)
    return row and row['id']


def fill_line_coding(store, lines, account, analytics):
    """Return the lines with this coding wherever a line has none of its own."""
    account = find_first_account(store) if account is NOT_GIVEN else account
    return [{'account': account, 'analytics': analytics, **line} for line in lines]


def complete_line_amounts(what, amount_minor, lines, inventory, quantity='quantity'):
    """Return (total, lines, inventory) in minor units, with the missing ones computed from the others.

    :param what: "A bill" or the like, for the TypeError that is raised if nothing is given
    :param amount_minor: the total; default: the sum of the lines and the inventory
    :param lines: default: one line over the total less the inventory
    :param inventory: lines with `unit_price_minor` and a quantity, whose key is given by `quantity`
    """
    inventory = [
        {'amount_minor': round(Decimal(str(line[quantity])) * line['unit_price_minor']), **line} for line in inventory
    ]
    stocked = sum_line_amounts(inventory)
    if lines is None:
        if amount_minor is None and not inventory:
            raise TypeError(f'{what} needs amount_minor, lines or inventory')
        rest = stocked if amount_minor is None else amount_minor
        lines = [{'amount_minor': rest - stocked}] if rest != stocked or not inventory else []
    if amount_minor is None:
        amount_minor = stocked + sum_line_amounts(lines)
    return amount_minor, lines, inventory


def sum_line_amounts(lines):
    return sum(line['amount_minor'] for line in lines)


def recode_all_lines(lines, account):
    """Return the lines coded to one account, without their former account."""
    return [{**line, 'account': account, 'selections': None} for line in lines]


def select_payable_coding(store, line):
    """Return the selections of a line: "selections" as they are, else from "account", "tax", "vendor", "item", "analytics"."""
    if line.get('selections') is not None:
        return line['selections']
    found = []
    for name, select in (
        ('account', coding.select_gl_account),
        ('tax', coding.select_tax_code),
        ('vendor', coding.select_accounting_vendor),
        ('item', coding.select_inventory_item),
    ):
        if line.get(name) is not None:
            found.append(select(store, str(line[name])))
    for field_id, option_id in (line.get('analytics') or {}).items():
        found.append(coding.select_field_option(store, field_id, str(option_id)))
    return found


def render_bill_selections(found):
    """Return selections in the form of bills and vendor credits. Only the category tells the kind of field."""
    return [{key: value for key, value in item.items() if key not in ('type', 'source')} for item in found]


def render_reimbursement_selections(found):
    """Return selections in the form of reimbursements, which have every key."""
    return [{'external_code': None, **item} for item in found]


def is_coded_with(row, ident, *lists):
    """Return whether the object, or a line in one of its `lists`, has the selection with this id."""
    places = [row, *(line for name in lists for line in row[name] or ())]
    return any(item['id'] == ident for place in places for item in place['accounting_field_selections'])


def scale_line_amounts(lines, total):
    """Return the lines scaled to another total."""
    parts = money.split_minor_amount(total, [abs(line['amount_minor']) for line in lines])
    return [{**line, 'amount_minor': part} for line, part in zip(lines, parts, strict=True)]


def remove_empty_fields(body, names):
    """Remove empty fields that the contract leaves out instead of answering null."""
    return {key: value for key, value in body.items() if value is not None or key not in names}


# -- arguments


def resolve_row(table, value):
    """Return a row for an id. A row is returned as it is."""
    return table.rows[value] if isinstance(value, str) else value


def resolve_entity(store, value, currency=None):
    """Return the given entity, else the first with the currency, else the primary one."""
    if value:
        return resolve_row(store['entities'], value)
    primary = store['entities'].find_first_row(is_primary=True)
    if currency in (None, primary['currency']):
        return primary
    return store['entities'].find_first_row(currency=currency) or primary


def parse_moment(value):
    """Return an aware datetime for a datetime, a date or ISO text. A date is midnight UTC."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value.replace('Z', '+00:00'))
    elif isinstance(value, Date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)


def parse_midnight(value):
    """Return midnight UTC of the day as ISO text. None stays None."""
    return value and format_iso_time(parse_moment(value).replace(hour=0, minute=0, second=0, microsecond=0))


def refuse_unknown_names(what, row, names, more=()):
    """Raise for unknown names.

    A misspelt argument would become a field of the object, and the test would test nothing.
    """
    unknown = set(names) - {name for name in row if name[0] != '_'} - set(more)
    if unknown:
        raise TypeError(f'{what} has no {", ".join(sorted(unknown))}')


def convert_minor_amount(minor, currency, rate, into):
    """Convert minor units into another currency. `rate`: major units of that currency for one of `currency`."""
    return round(Decimal(minor) / money.minor_per_major(currency) * Decimal(str(rate)) * money.minor_per_major(into))


# US dollars for one unit of each currency: the default rates. No rate between two currencies is exactly 1.0.
DOLLAR_RATES = {'USD': 1, 'CHF': 1.143, 'EUR': 1.0873, 'GBP': 1.2654, 'JPY': 0.00671, 'KWD': 3.2584, 'TWD': 0.03125}


def quote_exchange_rate(currency, into):
    """Return the major units of `into` for one of `currency`, as a decimal string like Ramp's."""
    if currency == into:
        return '1.0'
    missing = {currency, into} - set(DOLLAR_RATES)
    if missing:
        raise ValueError(f'Say fx_conversion_rate: the simulator knows no rate of {", ".join(sorted(missing))}')
    return f'{DOLLAR_RATES[currency] / DOLLAR_RATES[into]:.6g}'


# -- filters


def make_list_parser(parse=str):
    """Return a parser of a comma-separated list."""
    return lambda text: [parse(part) for part in text.split(',')]


def filter_by_values(field, parse=str):
    return Filter(make_list_parser(parse), lambda row, values: row.get(field) in values)


def parse_day(text):
    return Date.fromisoformat(text).isoformat()


def filter_by_flag(test):
    """Return a filter for a flag that restricts the list when true and has no effect when false."""
    return Filter(parse_bool, lambda row, value: not value or test(row))


# -- totals


def compute_vendor_totals(store, booked=False, until=None):
    """Return what is owed per vendor and currency in minor units.

    This counts approved bills that go to the books and are not archived.

    :param booked: only what was reported to Ramp as synced: synced bills, and payments that were synced too
    :param until: only bills issued before this time (ISO text)
    :return: [{"vendor_id", "vendor_name", "currency", "bills", "billed_minor", "credited_minor", "paid_minor",
        "card_minor" (part of what is paid), "open_minor"}]
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
        for name, amount in _sum_bill_amounts(row, paid).items():
            total[name] += amount
        total['open_minor'] = total['billed_minor'] - total['credited_minor'] - total['paid_minor']
    return sorted(found.values(), key=lambda total: (total['vendor_id'], total['currency']))


def _sum_bill_amounts(row, paid):
    """Return what a bill adds to the totals of its vendor. `paid`: its payments that count."""
    return {
        'bills': 1,
        'billed_minor': row['_money']['amount_minor'],
        'credited_minor': sum(item['amount']['amount'] for item in row['applied_vendor_credits']),
        'paid_minor': sum_line_amounts(paid),
        'card_minor': sum_line_amounts(item for item in paid if 'CARD' in item['method'].split('_')),
    }


def compute_reimbursement_totals(store, sync_status=None):
    """Return what reimbursements move per person, direction and the entity's currency, in unsigned minor units.

    Canceled, deleted and rejected ones do not count, nor do drafts and those created with `broken`.

    :return: [{"user_id", "user_email", "direction", "currency", "count", "amount_minor", "paid_minor"}]
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
