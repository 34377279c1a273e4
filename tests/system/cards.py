"""Debts on cards in Odoo and in Ramp: what must hold in every case, read with SQL of its own."""

from collections import Counter

from books import rows
from owed import documents, gaps, is_its_own, major, unbalanced, unequal

FAILED = ('CANCELED', 'ERROR', 'NOT_ENOUGH_FUNDS', 'REJECTED_BY_ODFI', 'RETURNED_BY_RDFI')


def assert_cards(cursor, ramp):
    """Assert that the entries and Ramp agree to the cent on all that is synced or stated, and that nothing is there
    twice.
    """
    for name, wrong in (
        ('an object', wrong_objects(cursor, ramp)),
        ('owed', unequal(owed_in_books(cursor, ramp), owed_in_ramp(cursor, ramp))),
        ('card liability', unequal(on_cards(cursor, ramp), on_cards_in_ramp(cursor, ramp))),
        ('card liability in the currency of the company', left_over(cursor, ramp)),
        ('not applied', not_applied(cursor, ramp)),
        (
            'reversed twice',
            rows(
                cursor,
                """
            SELECT reversed_entry_id, count(*) FROM account_move WHERE reversed_entry_id IS NOT NULL GROUP BY 1 HAVING count(*) > 1""",
            ),
        ),
        ('numbers', gaps(cursor)),
        ('unbalanced', unbalanced(cursor)),
    ):
        assert not wrong, f'{name}: {wrong}'


def booked_in(cursor):
    """Return (flow, Ramp id) of the rows that have a document according to the ledger."""
    return {
        (row['flow'], row['ramp_id'])
        for row in rows(cursor, 'SELECT flow, ramp_id FROM ramp_record WHERE res_id IS NOT NULL')
    }


def sections(ramp):
    for statement in ramp.state['statements']:
        for section in statement['balance_sections']:
            yield statement, section, section['ending_balance']['currency_code']


def moved(ramp):
    """Yield (flow, object, currency, minor units that it adds to the debt, id of its statement or None)."""
    for row in ramp.state['transactions']:
        if row['state'] == 'CLEARED':
            yield 'transaction', row, row['_money']['currency'], row['_money']['amount_minor'], row.get('statement_id')
    for row in ramp.state['cashbacks']:
        yield 'cashback', row, row['amount']['currency_code'], -row['amount']['amount'], row['_statement_id']
    for row in ramp.state['transfers']:
        yield 'transfer', row, row['amount']['currency_code'], -row['amount']['amount'], None


def stated(cursor, ramp):
    """Return (id of the statement, entity, currency) of the sections that are posted."""
    booked = booked_in(cursor)
    return {
        (statement['id'], section['entity_id'], currency)
        for statement, section, currency in sections(ramp)
        if ('statement', section['id']) in booked
    }


def wrong_objects(cursor, ramp):
    """Return the documents that are missing, are there twice, or differ from what Ramp was told."""
    moves, ledger = documents(cursor)
    wrong, live = {}, {}
    for row in rows(
        cursor,
        """
            SELECT p.ramp_id, p.id, EXISTS (SELECT FROM account_move r WHERE r.reversed_entry_id = p.move_id) AS undone, m.state
              FROM account_payment p LEFT JOIN account_move m ON m.id = p.move_id WHERE p.ramp_id IS NOT NULL""",
    ):
        live.setdefault(row['ramp_id'], []).append(row)
    for row in ramp.state['transfers']:
        found, record = (
            [payment for payment in live.get(row['id'], ()) if not payment['undone']],
            ledger.get(('transfer', row['id'])),
        )
        is_booked = row['sync_status'] == 'SYNCED' and row['status'] not in FAILED
        told = ramp.list_successes('TRANSFER_SYNC').get(row['id'], [])
        if (
            is_booked != (len(found) == 1)
            or is_booked
            and (
                (record['res_model'], record['res_id'], record['state'], found[0]['state'])
                != ('account.payment', found[0]['id'], 'confirmed', 'posted')
            )
        ):
            wrong[row['_label'] or row['id']] = (
                f'Ramp says {row["sync_status"]}, {row["status"]}, the books {found}, the ledger {record}'
            )
        elif told and told != [f'account.payment,{live[row["id"]][0]["id"]}']:
            wrong[row['_label'] or row['id']] = f'Ramp was told {told}, the books have {live[row["id"]]}'
    bills = {}
    for statement, section, currency in sections(ramp):
        found, record = moves.get(section['id'], []), ledger.get(('statement', section['id']))
        if (
            bool(record and record['res_id']) != bool(found)
            or len(found) > 1
            or found
            and not is_its_own(record, found[0])
        ):
            wrong[f'{statement["_label"]} {currency}'] = f'the books {found}, the ledger {record}'
        elif found:
            bills[statement['id'], section['entity_id'], currency] = found[0]['id']
    for row in ramp.state['cashbacks']:
        told = ramp.list_successes('STATEMENT_CREDIT_SYNC').get(row['id'], [])
        bill = bills.get((row['_statement_id'], row['entity_id'], row['amount']['currency_code']))
        if (row['sync_status'] == 'SYNCED') != bool(told) or told and told != [f'account.move,{bill}']:
            wrong[row['_label'] or row['id']] = (
                f'Ramp says {row["sync_status"]} and was told {told}, its bill is {bill}'
            )
    for row in ramp.state['transactions']:
        found = moves.get(row['id'], [])
        if (row['sync_status'] == 'SYNCED') != (len(found) == 1):
            wrong[row['_label'] or row['id']] = f'Ramp says {row["sync_status"]}, the books have {found}'
    return wrong


ENTRIES = """
    SELECT COALESCE(m.ramp_id, p.ramp_id, o.ramp_id, q.ramp_id) AS ramp_id, c.name AS currency, l.amount_currency, l.balance,
           l.amount_residual_currency AS residual
      FROM account_move_line l
      JOIN account_move m ON m.id = l.move_id AND m.state = 'posted'
      JOIN res_currency c ON c.id = l.currency_id
      JOIN account_account a ON a.id = l.account_id
      LEFT JOIN account_payment p ON p.move_id = m.id
      LEFT JOIN account_move o ON o.id = m.reversed_entry_id
      LEFT JOIN account_payment q ON q.move_id = o.id
"""
CARD = (
    ENTRIES
    + ' WHERE a.id IN (SELECT j.default_account_id FROM account_journal j JOIN ramp_connection r ON r.card_journal_id = j.id)'
)
PAYABLE = (
    ENTRIES
    + " WHERE a.account_type = 'liability_payable' AND l.partner_id IN (SELECT ramp_partner_id FROM ramp_connection)"
)


def entity_of(ramp):
    found = {row['id']: row['entity_id'] for _flow, row, _currency, _minor, _statement in moved(ramp)}
    return {**found, **{section['id']: section['entity_id'] for _statement, section, _currency in sections(ramp)}}


def on_cards(cursor, ramp):
    """Return the card liability by entity and currency."""
    entities, found = entity_of(ramp), Counter()
    for row in rows(cursor, CARD):
        found[entities.get(row['ramp_id']), row['currency']] -= row['amount_currency']
    return found


def on_cards_in_ramp(cursor, ramp):
    """Return the synced spend that is not on a posted statement."""
    found, bills = Counter(), stated(cursor, ramp)
    for flow, row, currency, minor, statement in moved(ramp):
        if (
            flow == 'transaction'
            and row['sync_status'] == 'SYNCED'
            and (statement, row['entity_id'], currency) not in bills
        ):
            found[row['entity_id'], currency] += major(minor, currency)
    return found


def owed_in_books(cursor, ramp):
    """Return the balance of Ramp's payable account by entity and currency."""
    entities, found = entity_of(ramp), Counter()
    for row in rows(cursor, PAYABLE):
        found[entities.get(row['ramp_id']), row['currency']] -= row['amount_currency']
    return found


def owed_in_ramp(cursor, ramp):
    """Return the posted statements, less the synced transfers that did not come back."""
    found, bills = Counter(), stated(cursor, ramp)
    for flow, row, currency, minor, statement in moved(ramp):
        if (statement, row['entity_id'], currency) in bills or (
            flow == 'transfer' and row['sync_status'] == 'SYNCED' and row['status'] not in FAILED
        ):
            found[row['entity_id'], currency] += major(minor, currency)
    return found


def left_over(cursor, ramp):
    """Return the card liability that is zero in its currency but not in the company's."""
    entities, amounts, balances = entity_of(ramp), Counter(), Counter()
    for row in rows(cursor, CARD):
        key = entities.get(row['ramp_id']), row['currency']
        amounts[key] += row['amount_currency']
        balances[key] += row['balance']
    return {key: balance for key, balance in balances.items() if balance and not amounts[key]}


def not_applied(cursor, ramp):
    """Return the entities and currencies for which both a bill and a payment are open."""
    entities, sides = entity_of(ramp), {}
    for row in rows(cursor, PAYABLE):
        if row['residual']:
            sides.setdefault((entities.get(row['ramp_id']), row['currency']), set()).add(row['residual'] > 0)
    return {key for key, found in sides.items() if len(found) > 1}
