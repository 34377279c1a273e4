"""/statements: what was owed on cards at the end of each period, per entity and currency.

A statement is closed for the whole business (:func:`close_statement`). It takes everything that is not on a statement
yet: cleared transactions (by settlement date), cashbacks and movements of transfers. A transfer that is returned after
it was on a statement is on the next one again. There it reduces `payments`, which may become negative. How Ramp shows
this is unknown. Statements themselves are never synced.
"""

from collections import Counter
from datetime import timedelta
from typing import NamedTuple

from .. import files, money
from ..listing import answer_list_page, filter_from_time, parse_utc_time, read_query_parameter
from ..payables import parse_moment, refuse_unknown_names
from ..routes import route
from ..state import Table, format_iso_time, select_wire_fields
from . import cashbacks

TABLES = {'statements': Table}
TABLE_OF = {'CARD_TRANSACTION': 'transactions', 'CASHBACK': 'cashbacks', 'TRANSFER_PAYMENT': 'transfers'}
OWED_AMOUNTS = ('charges_minor', 'refunds_minor', 'cashback_minor', 'payments_minor', 'owed_minor')
SECTION_AMOUNTS = ('opening_balance', 'charges', 'credits', 'payments', 'ending_balance')
FILTERS = {'from_date': filter_from_time('end_date')}


@route('GET', '/statements', scope='statements:read')
def list_statements(call):
    latest = read_query_parameter(call, 'to_date', parse_utc_time, call.state.read_time())
    return answer_list_page(
        call, 'statements', FILTERS, lambda row: row['end_date'] <= latest, render=_make_statement_renderer(call)
    )


@route('GET', '/statements/{statement_id}', scope='statements:read')
def get_statement(call):
    return _make_statement_renderer(call)(call.find_path_row('statements', 'statement_id'))


def _make_statement_renderer(call):
    return lambda row: {**select_wire_fields(row), 'statement_url': files.build_signed_url(call, row, 'statements')}


# -- movements


class Movement(NamedTuple):
    """A change of what is owed. minor: its amount; at: ISO text; statement_id: None while it is on no statement."""

    type: str
    row: dict
    currency: str
    at: str
    minor: int
    statement_id: str

    @property
    def balance_key(self):
        return self.row['entity_id'], self.currency

    @property
    def section_column(self):
        if self.type == 'TRANSFER_PAYMENT':
            return 'payments'
        return 'charges' if self.minor >= 0 else 'credits'

    @property
    def statement_line(self):
        """Return the line of a statement for this movement."""
        line = {'type': self.type, 'id': self.row['id']}
        if self.type == 'CARD_TRANSACTION':
            return {**line, 'created_at': self.row['user_transaction_time'], 'cleared_at': self.at}
        return {**line, 'created_at': self.row['created_at']}


def list_card_movements(store):
    """Return everything that ever changed what is owed on cards, unsorted."""
    for row in store['transactions']:
        if row['state'] == 'CLEARED':
            at = format_iso_time(parse_moment(row.get('settlement_date') or row['user_transaction_time']))
            values = row['_money']
            yield Movement(
                'CARD_TRANSACTION', row, values['currency'], at, values['amount_minor'], row.get('statement_id')
            )
    for row in store['cashbacks']:
        amount = row['amount']
        yield Movement(
            'CASHBACK', row, amount['currency_code'], row['created_at'], -amount['amount'], row['_statement_id']
        )
    for row in store['transfers']:
        for move in row['_moves']:
            yield Movement(
                'TRANSFER_PAYMENT',
                row,
                row['amount']['currency_code'],
                move['at'],
                -move['amount_minor'],
                move['statement_id'],
            )


def owed_on_cards(store, entity=None, currency=None, sync_status=None, until=None):
    """Return what is owed on cards per entity and currency, in minor units, whether on a statement or not.

    :param entity: only this entity (its id); `currency` likewise
    :param sync_status: only objects with one of these; default: everything that moved money, ready to sync or not
    :param until: only movements before this time (ISO text)
    :return: [{"entity_id", "currency", "charges_minor", "refunds_minor", "cashback_minor", "payments_minor",
        "owed_minor" (charges less the others), "months": {"2026-07": the same five amounts of that month (UTC)}}]
    """
    found = {}
    for item in list_card_movements(store):
        if entity not in (None, item.row['entity_id']) or currency not in (None, item.currency):
            continue
        if sync_status and item.row['sync_status'] not in sync_status or until and item.at >= until:
            continue
        total = found.setdefault(
            item.balance_key,
            {
                'entity_id': item.balance_key[0],
                'currency': item.currency,
                **dict.fromkeys(OWED_AMOUNTS, 0),
                'months': {},
            },
        )
        month = total['months'].setdefault(item.at[:7], dict.fromkeys(OWED_AMOUNTS, 0))
        for amounts in (total, month):
            _add_movement_amount(amounts, item)
    for total in found.values():
        total['months'] = dict(sorted(total['months'].items()))
    return [found[key] for key in sorted(found)]


def _add_movement_amount(amounts, item):
    name = {'CASHBACK': 'cashback', 'TRANSFER_PAYMENT': 'payments'}.get(
        item.type, 'charges' if item.minor >= 0 else 'refunds'
    )
    amounts[f'{name}_minor'] += item.minor if name == 'charges' else -item.minor
    amounts['owed_minor'] += item.minor


# -- creation


def close_statement(
    store, end, /, start=None, *, cashback_bps=0, withhold=None, sparse=False, label=None, broken=False, **wire_fields
):
    """Close a statement over everything before `end` that is on no statement yet. Return its row.

    :param end: datetime, date (its first moment, UTC) or ISO text; raises ValueError if it is in the future or not
        after the end of the last statement
    :param start: only shown; older movements are included anyway; default: the end of the last statement, else the
        first movement
    :param cashback_bps: first add the period's cashback, in hundredths of a percent of charges less refunds, per entity
        and currency, rounded down
    :param withhold: "statement": hide the statement, but not its objects, until :func:`release_statement`; "lines":
        hide the objects, but not the statement
    :param sparse: answer like Ramp's example, against its own schema: no conversion rates, lines with type and id only
    :param broken: do not check the row against the contract
    :param wire_fields: any other field of the answer, with the value to give it
    """
    if withhold not in (None, 'lines', 'statement'):
        raise ValueError(f'withhold is neither lines nor statement: {withhold}')
    end, last = format_iso_time(parse_moment(end)), next(reversed(store['statements'].rows.values()), None)
    if end > store.read_time() or last and end <= last['end_date']:
        raise ValueError('A statement ends after the one before it, and not in the future')
    _give_period_cashback(store, _list_open_movements(store, end), end, cashback_bps)
    found = sorted(_list_open_movements(store, end), key=lambda item: (item.at, item.row['id']))
    row = {
        'id': store.make_new_id(),
        'balance_sections': _build_balance_sections(store, found, last),
        'start_date': format_iso_time(parse_moment(start))
        if start
        else last['end_date']
        if last
        else found[0].at
        if found
        else end,
        'end_date': end,
        'statement_lines': _build_statement_lines(found),
        '_kind': 'pdf',
        '_withheld': withhold == 'statement',
        '_label': label,
        '_broken': broken or sparse,
    }
    if last:
        row['preceding_statement_id'] = last['id']
    row.update(_compute_whole_amounts(store, row))
    if sparse:
        row.update(_build_sparse_fields(row))
    refuse_unknown_names('A statement', row, wire_fields)
    row.update(wire_fields)
    store['statements'].add_row(row)
    _put_on_statement(store, row, found, withheld=withhold == 'lines')
    return row


def _list_open_movements(store, end):
    """Return what moved before `end` and is on no statement yet."""
    return [item for item in list_card_movements(store) if item.statement_id is None and item.at < end]


def change_statement(store, ident, section=None, /, *, add_lines=(), remove_lines=(), broken=None, **changes):
    """Change a closed statement without regard to what is on it. Return its row.

    :param section: id of the balance section; default: the only one
    :param add_lines: [{"type", "id", "created_at"}] as in answers, appended; `remove_lines`: ids
    :param broken: whether to skip the check against the contract; None: as before
    :param changes: minor units of the section's opening_balance, charges, credits, payments, ending_balance; or any
        field of the answer, with the value to give it
    """
    row = store['statements'].rows[ident]
    amounts = {name: changes.pop(name) for name in SECTION_AMOUNTS if isinstance(changes.get(name), int)}
    refuse_unknown_names('A statement', row, changes, ('preceding_statement_id',))
    if amounts:
        sections = [item for item in row['balance_sections'] if section in (None, item['id'])]
        if len(sections) != 1:
            raise ValueError('Say which balance section')
        changed = {**sections[0], **{name: {**sections[0][name], 'amount': amount} for name, amount in amounts.items()}}
        changes['balance_sections'] = [changed if item is sections[0] else item for item in row['balance_sections']]
        changes = {**_compute_whole_amounts(store, changes), **changes}
    if add_lines or remove_lines:
        lines = [line for line in row['statement_lines'] if line['id'] not in remove_lines]
        changes['statement_lines'] = [*lines, *add_lines]
    if broken is not None:
        changes['_broken'] = broken
    return store['statements'].update_row(ident, **changes)


def release_statement(store, ident, /):
    """Show what was withheld of a statement. Return its row."""
    for item in list_card_movements(store):
        if item.statement_id == ident and item.row.get('_withheld'):
            store[TABLE_OF[item.type]].update_row(item.row['id'], _withheld=False)
    return store['statements'].update_row(ident, _withheld=False)


def _give_period_cashback(store, found, end, bps):
    spent = Counter()
    for item in found:
        if item.type == 'CARD_TRANSACTION':
            spent[item.balance_key] += item.minor
    for (entity_id, currency), minor in sorted(spent.items()):
        amount = minor * bps // 10000
        if amount > 0:
            date = parse_moment(end) - timedelta(seconds=1)
            cashbacks.make_cashback(store, entity=entity_id, amount_minor=amount, currency=currency, date=date)


def _build_balance_sections(store, found, last):
    columns = {
        (item['entity_id'], item['ending_balance']['currency_code']): Counter(
            opening_balance=item['ending_balance']['amount']
        )
        for item in (last['balance_sections'] if last else ())
    }
    for item in found:
        columns.setdefault(item.balance_key, Counter())[item.section_column] += (
            item.minor if item.section_column == 'charges' else -item.minor
        )
    sections = []
    for (entity_id, currency), column in sorted(columns.items()):
        column['ending_balance'] = (
            column['opening_balance'] + column['charges'] - column['credits'] - column['payments']
        )
        sections.append(
            {
                'id': store.make_new_id(),
                'entity_id': entity_id,
                **{name: money.build_currency_amount(column[name], currency) for name in SECTION_AMOUNTS},
            }
        )
    return sections


def _build_statement_lines(found):
    """Return one line per object. A transfer that was accepted and failed since the last statement has none."""
    moved = Counter()
    for item in found:
        moved[item.row['id']] += item.minor
    lines = {
        item.row['id']: item.statement_line
        for item in found
        if moved[item.row['id']] or item.type != 'TRANSFER_PAYMENT'
    }
    return list(lines.values())


def _compute_whole_amounts(store, row):
    """Return the deprecated totals, which cover the primary entity's currency only, and the text of the file."""
    currency = store['entities'].find_first_row(is_primary=True)['currency']
    mine = [item for item in row['balance_sections'] if item['ending_balance']['currency_code'] == currency]
    text = [
        f'{item["entity_id"]}: {item["ending_balance"]["amount"]} {item["ending_balance"]["currency_code"]}'
        for item in row['balance_sections']
    ]
    return {
        **{
            name: money.build_currency_amount(sum(item[name]['amount'] for item in mine), currency)
            for name in SECTION_AMOUNTS
        },
        '_text': text,
    }


def _build_sparse_fields(row):
    def remove_conversion_rates(item):
        return {
            name: {key: value for key, value in amount.items() if key != 'minor_unit_conversion_rate'}
            for name, amount in item.items()
            if name in SECTION_AMOUNTS
        }

    return {
        **remove_conversion_rates(row),
        'balance_sections': [{**item, **remove_conversion_rates(item)} for item in row['balance_sections']],
        'statement_lines': [{'type': line['type'], 'id': line['id']} for line in row['statement_lines']],
    }


def _put_on_statement(store, row, found, withheld):
    """Put the objects on the statement. `updated_at` of transactions stays, because nobody edited them."""
    ident = row['id']
    for item in found:
        if item.type == 'TRANSFER_PAYMENT':
            changes = {
                '_moves': [
                    {**move, 'statement_id': ident}
                    if move['statement_id'] is None and move['at'] < row['end_date']
                    else move
                    for move in item.row['_moves']
                ]
            }
        else:
            changes = {'statement_id' if item.type == 'CARD_TRANSACTION' else '_statement_id': ident}
        store[TABLE_OF[item.type]].update_row(item.row['id'], **changes, **{'_withheld': True} if withheld else {})
