"""Payables in Odoo and in Ramp: their state as plain values, and what must hold in every case."""

from collections import Counter
from decimal import Decimal

from books import EXPONENTS, as_text, plain, rows

CARD = 'CARD'  # part of the name of every method that charges a card


def major(minor, currency):
    return Decimal(minor).scaleb(-EXPONENTS.get(currency, 2))


def payables_of(cursor, ramp):
    """Return, in addition to the state of `books`, what Ramp says of each bill and claim, the payments and what they
    pay, and the partners.
    """
    return {
        'claims': {
            row['_label'] or row['id']: {
                'ramp': row['sync_status'],
                'state': row['state'],
                'told': sorted({plain(text) for text in ramp.list_export_errors(row['id'])}),
                'REIMBURSEMENT_SYNC': len(ramp.list_successes('REIMBURSEMENT_SYNC').get(row['id'], ())),
            }
            for row in ramp.state['reimbursements']
        },
        'bills': {
            row['_label'] or row['id']: {
                'ramp': row['sync_status'],
                'status': row['status'],
                'told': sorted({plain(text) for text in ramp.list_export_errors(row['id'])}),
                **{
                    kind: len(ramp.list_successes(kind).get(row['id'], ()))
                    for kind in ('BILL_SYNC', 'BILL_PAYMENT_SYNC')
                },
            }
            for row in ramp.state['bills']
        },
        'payments': payments_of(cursor),
        'reconciled': reconciled_of(cursor),
        'partners': partners_of(cursor),
    }


def payments_of(cursor):
    return sorted(
        (
            {key: plain(value) for key, value in row.items()}
            for row in rows(
                cursor,
                """
        SELECT p.ramp_id, p.state, p.payment_type, p.amount, c.name AS currency, p.date, t.name AS partner, p.memo, j.code AS journal,
               p.is_reconciled, p.is_matched, p.move_id IS NOT NULL AS has_entry, p.name = m.name AS has_its_number
          FROM account_payment p
          JOIN res_currency c ON c.id = p.currency_id
          JOIN account_journal j ON j.id = p.journal_id
          LEFT JOIN account_move m ON m.id = p.move_id
          LEFT JOIN res_partner t ON t.id = p.partner_id""",
            )
        ),
        key=as_text,
    )


def reconciled_of(cursor):
    """Return which document pays which one, and how much. Each side is named by Ramp's id, or by its reference."""
    name = "COALESCE(m.ramp_id, p.ramp_id, m.ref, p.memo, '?')"
    side = f"""(SELECT {name} || ' ' || m.move_type FROM account_move_line l JOIN account_move m ON m.id = l.move_id
                  LEFT JOIN account_payment p ON p.move_id = m.id WHERE l.id = r.%s_move_id)"""
    return sorted(
        (
            {key: plain(value) for key, value in row.items()}
            for row in rows(
                cursor,
                f"""
        SELECT {side % 'debit'} AS debit, {side % 'credit'} AS credit, r.amount, r.debit_amount_currency, r.credit_amount_currency,
               r.full_reconcile_id IS NOT NULL AS is_full
          FROM account_partial_reconcile r""",
            )
        ),
        key=as_text,
    )


def partners_of(cursor):
    """Return the partners of vendors and their contacts.

    It says whether a partner is a supplier, and not how often. Odoo counts that after each commit, and drops the count
    when another process counts too.
    """
    return sorted(
        (
            {key: plain(value) for key, value in row.items()}
            for row in rows(
                cursor,
                """
        SELECT r.flow, r.ramp_id, p.name, p.active, p.is_company, p.supplier_rank > 0 AS is_supplier, p.street, p.city, p.zip,
               s.code AS state, c.code AS country, p.vat, p.email, p.phone, p.comment, o.name AS parent
          FROM ramp_record r
          JOIN res_partner p ON p.id = r.res_id
          LEFT JOIN res_partner o ON o.id = p.parent_id
          LEFT JOIN res_country c ON c.id = p.country_id
          LEFT JOIN res_country_state s ON s.id = p.state_id
         WHERE r.res_model = 'res.partner' AND r.flow LIKE 'vendor%%'""",
            )
        ),
        key=as_text,
    )


# -- what must hold


def assert_payables(cursor, ramp):
    """Assert that the entries and Ramp agree to the cent: bill by bill, vendor by vendor, and on the cards."""
    for name, wrong in (
        ('a bill', wrong_bills(cursor, ramp)),
        ('a claim', wrong_claims(cursor, ramp)),
        ('payables', unequal(owed_in_books(cursor), owed_in_ramp(cursor, ramp))),
        ('card liability', unequal(charged_in_books(cursor), charged_in_ramp(ramp))),
        ('paid twice', paid_twice(cursor)),
        ('numbers', gaps(cursor)),
        ('unbalanced', unbalanced(cursor)),
    ):
        assert not wrong, f'{name}: {wrong}'


def unequal(books, ramp):
    keys = {key for key in {*books, *ramp} if books[key] != ramp[key]}
    return {key: f'books {plain(books[key])}, Ramp {plain(ramp[key])}' for key in keys}


def completed(row):
    """Return what was paid of a bill and not returned, in minor units."""
    return sum(item['amount_minor'] for item in row['_payments'] if item['state'] == 'completed')


def credited(row):
    return sum(item['amount']['amount'] for item in row['applied_vendor_credits'])


def documents(cursor):
    """Return (moves by Ramp id, with their open amounts; rows of the ledger by flow and Ramp id)."""
    moves, states = {}, {}
    for row in rows(
        cursor,
        """
            SELECT m.ramp_id, m.id, m.state, m.move_type, m.name, (
                       SELECT -sum(l.amount_residual_currency) FROM account_move_line l JOIN account_account a ON a.id = l.account_id
                        WHERE l.move_id = m.id AND a.account_type = 'liability_payable') AS open
              FROM account_move m WHERE m.ramp_id IS NOT NULL""",
    ):
        moves.setdefault(row['ramp_id'], []).append(row)
    for row in rows(cursor, 'SELECT flow, ramp_id, state, res_model, res_id FROM ramp_record'):
        states[row['flow'], row['ramp_id']] = row
    return moves, states


def is_its_own(record, move):
    return (record['res_model'], record['res_id'], record['state'], move['state']) == (
        'account.move',
        move['id'],
        'confirmed',
        'posted',
    )


def wrong_bills(cursor, ramp):
    """Return the bills that are not posted as Ramp was told: as one document, with the amount due that Ramp has."""
    moves, states = documents(cursor)
    wrong = {}
    for row in ramp.state['bills']:
        ident, currency = row['id'], row['_money']['currency']
        is_booked = row['sync_status'] != 'NOT_SYNCED' and not row['archived_at']
        found, record = moves.get(ident, []), states.get(('bill', ident))
        if is_booked != bool(found) or len(found) > 1:
            wrong[row['_label'] or ident] = (
                f'Ramp says {row["sync_status"]}, the books have {found}, the ledger {record}'
            )
            continue
        if not is_booked:
            continue
        move, payment = found[0], states.get(('bill_payment', ident))
        is_paid = payment is not None and payment['state'] == 'confirmed'
        due = (
            0
            if is_paid
            else row['_money']['amount_minor'] - credited(row) - (completed(row) if row['status'] == 'OPEN' else 0)
        )
        residual = move['open'] or Decimal(0)
        if not is_its_own(record, move):
            wrong[row['_label'] or ident] = f'the ledger says {record}, the document is {move}'
        elif is_paid != (row['sync_status'] == 'BILL_AND_PAYMENT_SYNCED' and row['status'] == 'PAID'):
            wrong[row['_label'] or ident] = f'Ramp says {row["sync_status"]}, {row["status"]}, the ledger {payment}'
        elif residual != major(due, currency) and (is_paid or row['status'] == 'OPEN'):
            wrong[row['_label'] or ident] = f'due {residual} instead of {major(due, currency)} ({payment})'
    return wrong


def wrong_claims(cursor, ramp):
    """Return the reimbursements and repayments that are not posted as Ramp was told."""
    moves, states = documents(cursor)
    wrong = {}
    for row in ramp.state['reimbursements']:
        ident, amount = row['id'], row['entity_amount']
        is_booked = row['sync_status'] == 'SYNCED' and row['state'] not in ('CANCELED', 'DELETED', 'REJECTED')
        found, record = moves.get(ident, []), states.get(('reimbursement', ident))
        if is_booked != bool(found) or len(found) > 1 or found and not is_its_own(record, found[0]):
            wrong[row['_label'] or ident] = (
                f'Ramp says {row["sync_status"]}, {row["state"]}, the books have {found}, the ledger {record}'
            )
        elif is_booked:
            due = (
                0
                if row['payment_processed_at']
                else amount['value'] * (1 if row['direction'] == 'BUSINESS_TO_USER' else -1)
            )
            if found[0]['open'] != major(due, amount['currency']):
                wrong[row['_label'] or ident] = f'due {found[0]["open"]} instead of {major(due, amount["currency"])}'
    for row in ramp.state['repayments']:
        found, record = moves.get(row['id'], []), states.get(('repayment', row['id']))
        is_booked = row['status'] == 'REPAID' and bool(moves.get(row['original_transaction_id']))
        if is_booked != bool(found) or len(found) > 1 or found and not is_its_own(record, found[0]):
            wrong[row['_label'] or row['id']] = (
                f'Ramp says {row["status"]}, the books have {found}, the ledger {record}'
            )
    return wrong


def owed_in_books(cursor):
    """The balance of the payable accounts by vendor or user of Ramp and currency."""
    return Counter(
        {
            (row['owed'], row['currency']): row['amount']
            for row in rows(
                cursor,
                """
        SELECT COALESCE(r.ramp_id, (SELECT max(e.ramp_user_id) FROM hr_employee e WHERE e.work_contact_id = p.id)) AS owed,
               c.name AS currency, -sum(l.amount_currency) AS amount
          FROM account_move_line l
          JOIN account_move m ON m.id = l.move_id AND m.state = 'posted'
          JOIN account_account a ON a.id = l.account_id AND a.account_type = 'liability_payable'
          JOIN res_currency c ON c.id = l.currency_id
          JOIN res_partner p ON p.id = l.partner_id
          LEFT JOIN ramp_record r ON r.flow = 'vendor' AND r.res_model = 'res.partner' AND r.res_id = p.commercial_partner_id
         WHERE m.move_type <> 'entry' OR m.journal_id IN (SELECT unnest(ARRAY[
                   card_journal_id, payment_journal_id, manual_payment_journal_id]) FROM ramp_connection)
         GROUP BY 1, 2""",
            )
        }
    )


def owed_in_ramp(cursor, ramp):
    """Return the same balances as Ramp has them: open amounts of what is synced, less parts that are paid, remaining
    credits, and what a card was charged beyond the bill.
    """
    found = Counter()
    for total in ramp.read_vendor_totals(booked=True):
        found[total['vendor_id'], total['currency']] += major(
            total['open_minor'] + total['credited_minor'], total['currency']
        )
    for row in ramp.state['bills']:
        if row['sync_status'] == 'BILL_SYNCED' and row['status'] == 'OPEN' and not row['archived_at']:
            found[row['vendor']['id'], row['_money']['currency']] -= major(completed(row), row['_money']['currency'])
    for row, _item, charged, beyond in card_payments(ramp):
        if charged:
            found[row['vendor']['id'], row['_money']['currency']] -= major(beyond, row['_money']['currency'])
    booked = {
        row['ramp_id']
        for row in rows(cursor, "SELECT ramp_id FROM ramp_record WHERE flow = 'vendor_credit' AND res_id IS NOT NULL")
    }
    for row in ramp.state['vendor_credits']:
        if row['id'] in booked:
            found[row['vendor_id'], row['_currency']] -= major(row['_total'], row['_currency'])
    for total in ramp.read_reimbursement_totals(sync_status=['SYNCED']):
        sign = 1 if total['direction'] == 'BUSINESS_TO_USER' else -1
        found[total['user_id'], total['currency']] += sign * major(
            total['amount_minor'] - total['paid_minor'], total['currency']
        )
    return found


def charged_in_books(cursor):
    """The posted card liability by currency."""
    return Counter(
        {
            row['currency']: row['amount']
            for row in rows(
                cursor,
                """
        SELECT c.name AS currency, -sum(l.amount_currency) AS amount
          FROM account_move_line l
          JOIN account_move m ON m.id = l.move_id AND m.state = 'posted'
          JOIN res_currency c ON c.id = l.currency_id
         WHERE l.account_id IN (SELECT j.default_account_id FROM account_journal j JOIN ramp_connection r ON r.card_journal_id = j.id)
         GROUP BY 1""",
            )
        }
    )


def charged_in_ramp(ramp):
    """Return the spend that is synced, and card payments of bills for which Ramp has not named the transaction."""
    found = Counter()
    for total in ramp.read_spend_totals(sync_status=['SYNCED']):
        found[total['currency']] += major(total['amount_minor'], total['currency'])
    for row, item, charged, _beyond in card_payments(ramp):
        if not charged:
            found[row['_money']['currency']] += major(item['amount_minor'], row['_money']['currency'])
    return found


def card_payments(ramp):
    """Yield (bill, payment, whether its transactions are synced, minor units by which they exceed the payment) for the
    synced card payments of bills.
    """
    transactions, entities = ramp.state['transactions'], ramp.state['entities'].rows
    for row in ramp.state['bills']:
        for item in row['_payments'] if row['sync_status'] == 'BILL_AND_PAYMENT_SYNCED' else ():
            if item['state'] == 'completed' and CARD in item['method'].split('_'):
                assert row['_money']['currency'] == entities[row['entity_id']]['currency'], (
                    'foreign bills paid by card are not looked at'
                )
                known = [transactions.rows[ident] for ident in item['transaction_ids'] if ident in transactions]
                charged = bool(known) and all(other['sync_status'] == 'SYNCED' for other in known)
                yield row, item, charged, sum(other['_money']['amount_minor'] for other in known) - item['amount_minor']


def paid_twice(cursor):
    """Return the bills that one payment pays in two pieces."""
    return rows(
        cursor,
        """
        SELECT b.ref, p.ramp_id, count(*) FROM account_partial_reconcile r
          JOIN account_move_line d ON d.id = r.debit_move_id JOIN account_move_line c ON c.id = r.credit_move_id
          JOIN account_move b ON b.id = c.move_id AND b.move_type = 'in_invoice' JOIN account_payment p ON p.move_id = d.move_id
         WHERE p.ramp_id IS NOT NULL GROUP BY b.id, b.ref, p.ramp_id HAVING count(*) > 1""",
    )


def gaps(cursor):
    """Return the series of numbers that do not go from 1 to their end without a gap."""
    return rows(
        cursor,
        """
        SELECT m.sequence_prefix, count(*), max(m.sequence_number), min(m.sequence_number) FROM account_move m
         WHERE m.state = 'posted' AND m.journal_id IN (SELECT unnest(ARRAY[
                   card_journal_id, bill_journal_id, payment_journal_id, manual_payment_journal_id]) FROM ramp_connection)
         GROUP BY m.journal_id, 1
        HAVING count(*) <> max(m.sequence_number) OR min(m.sequence_number) <> 1 OR count(*) <> count(DISTINCT m.sequence_number)""",
    )


def unbalanced(cursor):
    return rows(
        cursor,
        """
        SELECT m.name, sum(l.balance) FROM account_move m JOIN account_move_line l ON l.move_id = m.id
         WHERE m.state = 'posted' GROUP BY m.id, m.name HAVING sum(l.balance) <> 0""",
    )
