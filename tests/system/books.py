"""The accounting entries and Ramp's state as plain values, without ids and times. They are read with SQL of its own,
not with the addon's code.
"""

import re
from collections import Counter, defaultdict
from decimal import Decimal

EXPONENTS = {'JPY': 0, 'KWD': 3}
CARD_JOURNAL = 'SELECT card_journal_id FROM ramp_connection'
OF_ANOTHER = (
    'BILL_PAYMENT_SYNC',
    'STATEMENT_CREDIT_SYNC',
    'TRANSFER_SYNC',
)  # their document is a payment, or that of another object
JOURNALS = """
    SELECT unnest(ARRAY[card_journal_id, bill_journal_id, payment_journal_id, manual_payment_journal_id]) FROM ramp_connection"""
# It is not fixed which of two documents gets which number or id. The numbers are compared as a whole, see numbers_of.
NUMBER = re.compile(r'\b[A-Z]+[0-9]*/\d{4}/(?:\d\d/)?\d{4,}|(?<=/odoo/account\.move/)\d+')


def rows(cursor, query, *parameters):
    cursor.execute(query, parameters or None)
    names = [column.name for column in cursor.description]
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


def plain(value):
    """Return numbers without trailing zeros, and everything else as text without document numbers. Enumerations in a
    text, such as the bills of a payment, are sorted, because the order in which workers store bills is not fixed.
    """
    if isinstance(value, Decimal):
        return format(value.normalize() if value else Decimal(0), 'f')
    return (
        value
        if isinstance(value, (int, type(None), bool))
        else ', '.join(sorted(NUMBER.sub('#', str(value)).split(', ')))
    )


def as_text(value):
    """Sort key for lists of dictionaries."""
    return sorted((key, str(item)) for key, item in value.items())


def state_of(cursor, ramp):
    moves, entities = moves_of(cursor), {row['id']: row['entity_id'] for row in ramp.state['transactions']}
    expenses, records = expenses_of(cursor), records_of(cursor)
    transactions = {}
    for row in ramp.state['transactions']:
        ident = row['id']
        transactions[ident] = {
            'label': row['_label'],
            'expenses': expenses.pop(ident, []),
            'entries': moves.pop(ident, []),
            'record': records['transaction'].pop(ident, None),
            'ramp': row['sync_status'],
            'confirmed': len(ramp.list_successes().get(ident, ())),
            'told': sorted(set(ramp.list_export_errors(ident))),
        }
    receipts = {row['id']: records['receipt'].pop(row['id'], None) for row in ramp.state['receipts']}
    return {
        'transactions': transactions,
        'receipts': receipts,
        'without Ramp': {
            'entries': moves,
            'expenses': expenses,
            'records': {flow: found for flow, found in records.items() if found},
        },
        'confirmed as another document': misnamed(cursor, ramp),
        'numbers': numbers_of(cursor),
        'people': {
            row['work_email']: row['ramp_user_id']
            for row in rows(cursor, 'SELECT work_email, ramp_user_id FROM hr_employee WHERE work_email IS NOT NULL')
        },
        'liability': liability_of(cursor, entities),
        'spend': spend_of(ramp),
        'counts': counts_of(cursor),
    }


def moves_of(cursor):
    """Return entries by Ramp id. Entries without one, in the journals of the connection, are under None."""
    found = defaultdict(list)
    lines = defaultdict(list)
    names = {
        str(row['id']): row['name']
        for row in rows(cursor, "SELECT id, name ->> 'en_US' AS name FROM account_analytic_account")
    }
    for row in rows(
        cursor,
        """
            SELECT l.move_id, a.code_store ->> l.company_id::text AS account, l.amount_currency, c.name AS currency, l.balance,
                   l.analytic_distribution AS analytic, l.name, p.name AS partner, l.amount_residual_currency AS residual, l.date_maturity,
                   (SELECT string_agg(t.name ->> 'en_US', ', ' ORDER BY t.id) FROM account_tax t WHERE t.id = l.tax_line_id OR t.id IN (
                       SELECT account_tax_id FROM account_move_line_account_tax_rel WHERE account_move_line_id = l.id)) AS taxes,
                   (SELECT count(*) FROM account_analytic_line n WHERE n.move_line_id = l.id) AS analytic_lines,
                   (SELECT sum(n.amount) FROM account_analytic_line n WHERE n.move_line_id = l.id) AS analytic_amount
              FROM account_move_line l
              JOIN account_account a ON a.id = l.account_id
              JOIN res_currency c ON c.id = l.currency_id
              LEFT JOIN res_partner p ON p.id = l.partner_id""",
    ):
        shares = sorted((row.pop('analytic') or {}).items())
        analytic = ', '.join(f'{names[part]} {share}' for key, share in shares for part in key.split(','))
        move = row.pop('move_id')
        lines[move].append({**{key: plain(value) for key, value in row.items()}, 'analytic': analytic})
    files = files_of(cursor, 'account.move')
    for row in rows(
        cursor,
        f"""
            SELECT m.id, m.ramp_id, m.move_type, m.state, m.date, m.ref, p.name AS partner, c.name AS currency, m.invoice_date,
                   m.invoice_date_due AS due, m.payment_state, m.amount_residual AS residual, m.narration IS NOT NULL AS has_note,
                   m.journal_id IN ({CARD_JOURNAL}) AS card,
                   (SELECT COALESCE(r.ramp_id, r.ref, '?') FROM account_move r WHERE r.id = m.reversed_entry_id) AS reverses,
                   (SELECT count(*) FROM hr_expense e WHERE e.account_move_id = m.id AND e.ramp_id = m.ramp_id) AS its_expenses,
                   m.message_main_attachment_id IS NOT NULL AS main_file
              FROM account_move m
              LEFT JOIN res_partner p ON p.id = m.partner_id
              LEFT JOIN res_currency c ON c.id = m.currency_id
             WHERE m.ramp_id IS NOT NULL OR m.journal_id IN ({JOURNALS})""",
    ):
        ident, ramp_id = row.pop('id'), row.pop('ramp_id')
        found[ramp_id].append(
            {
                **{key: plain(value) for key, value in row.items()},
                'files': files[ident],
                'lines': sorted(lines[ident], key=as_text),
            }
        )
    return {ramp_id: sorted(moves, key=as_text) for ramp_id, moves in found.items()}


def expenses_of(cursor):
    found = defaultdict(list)
    files = files_of(cursor, 'hr.expense')
    for row in rows(
        cursor,
        """
            SELECT x.id, x.ramp_id, x.name, x.date, e.work_email AS employee, x.payment_mode, x.total_amount_currency AS total,
                   c.name AS currency, x.total_amount AS balance, x.state, x.approval_state, p.name AS vendor,
                   a.code_store ->> x.company_id::text AS account, x.analytic_distribution IS NOT NULL AS analytic,
                   x.message_main_attachment_id IS NOT NULL AS main_file
              FROM hr_expense x
              JOIN hr_employee e ON e.id = x.employee_id
              JOIN res_currency c ON c.id = x.currency_id
              LEFT JOIN account_account a ON a.id = x.account_id
              LEFT JOIN res_partner p ON p.id = x.vendor_id""",
    ):
        ident, ramp_id = row.pop('id'), row.pop('ramp_id')
        found[ramp_id].append({**{key: plain(value) for key, value in row.items()}, 'files': files[ident]})
    return dict(found)


def files_of(cursor, model):
    """Return name, kind and content of every attachment, by document."""
    found = defaultdict(list)
    for row in rows(
        cursor,
        'SELECT res_id, name, mimetype, checksum FROM ir_attachment WHERE res_model = %s AND res_field IS NULL',
        model,
    ):
        found[row['res_id']].append(f'{row["name"]} {row["mimetype"]} {row["checksum"]}')
    return defaultdict(list, {ident: sorted(names) for ident, names in found.items()})


def records_of(cursor):
    found = {'transaction': {}, 'receipt': {}}
    for row in rows(
        cursor,
        """
            SELECT r.flow, r.ramp_id, r.parent_ramp_id AS parent, r.name, r.date, r.amount, r.state, r.error_message AS reason, r.res_model,
                   r.late_payload IS NOT NULL AS changed_late, r.next_attempt IS NOT NULL AS waits, r.hold_reason, r.is_told,
                   CASE WHEN r.res_id IS NOT NULL AND r.flow IN ('transaction', 'receipt') THEN md5(r.payload::text)
                        WHEN r.res_id IS NOT NULL AND r.res_model <> 'ir.attachment' THEN r.payload_hash END AS booked_as,
                   r.noted, r.reason_move_id IS NOT NULL AS names_document,
                   CASE r.res_model
                   WHEN 'res.partner' THEN (SELECT count(*) = 1 FROM ramp_record o
                                             WHERE o.flow = r.flow AND o.res_model = r.res_model AND o.res_id = r.res_id)
                   WHEN 'account.payment' THEN (SELECT p.ramp_id = r.parent_ramp_id FROM account_payment p WHERE p.id = r.res_id)
                   WHEN 'account.move' THEN (SELECT m.ramp_id = r.ramp_id FROM account_move m WHERE m.id = r.res_id)
                   WHEN 'ir.attachment' THEN (SELECT count(*) = 1 FROM ir_attachment a JOIN account_move m
                                                  ON a.res_model = 'account.move' AND a.res_id = m.id
                                               WHERE a.id = r.res_id AND m.ramp_id = r.parent_ramp_id)
                   END AS document_is_its_own
              FROM ramp_record r""",
    ):
        flow, ramp_id, noted = row.pop('flow'), row.pop('ramp_id'), row.pop('noted') or {}
        found.setdefault(flow, {})[ramp_id] = {
            **{key: plain(value) for key, value in row.items()},
            'noted': noted_of(noted),
        }
    return found


def noted_of(noted):
    """Return what a row remembers of its document, without ids."""
    card = noted.get('card')
    return {
        'extras': noted.get('extras'),
        'credits': noted.get('credits'),
        'files': {model.partition(',')[0]: sorted(sums) for model, sums in (noted.get('files') or {}).items()},
        'parts': {key: part['amount'] for key, part in (noted.get('parts') or {}).items()},
        'cashbacks': sorted(noted.get('cashbacks') or ()),
        'payment': (noted.get('payment') or {}).get('amount'),
        'card': card and (card.get('expected') or True),
        'written': sorted(noted.get('written') or ()),
    }


def misnamed(cursor, ramp):
    """Return the objects for which Ramp was told another document than their own."""
    moves = rows(cursor, 'SELECT id, ramp_id FROM account_move WHERE ramp_id IS NOT NULL')
    own = {row['ramp_id']: f'account.move,{row["id"]}' for row in moves}
    told = {
        entry['id']: entry['reference_id']
        for entry in ramp.state.journal
        if entry['ok'] and entry['sync_type'] not in OF_ANOTHER
    }
    return sorted(ident for ident, reference in told.items() if reference != own.get(ident))


def numbers_of(cursor):
    """Return the numbers of the entries in the journals of the connection. They have no gap, whoever posted when."""
    return sorted(
        row['name'] or ''
        for row in rows(cursor, f"SELECT name FROM account_move WHERE journal_id IN ({JOURNALS}) AND state = 'posted'")
    )


def liability_of(cursor, entities):
    """Return the posted card liability by Ramp entity and currency. Amounts without an object of Ramp are under None."""
    found = Counter()
    for row in rows(
        cursor,
        f"""
            SELECT m.ramp_id, c.name AS currency, -l.amount_currency AS amount
              FROM account_move_line l
              JOIN account_move m ON m.id = l.move_id AND m.state = 'posted'
              JOIN res_currency c ON c.id = l.currency_id
             WHERE l.account_id IN (SELECT default_account_id FROM account_journal WHERE id IN ({CARD_JOURNAL}))""",
    ):
        found[f'{entities.get(row["ramp_id"])} {row["currency"]}'] += row['amount']
    return {key: plain(amount) for key, amount in found.items()}


def spend_of(ramp):
    """Return the synced spend according to Ramp, by entity and currency."""
    return {
        f'{total["entity_id"]} {total["currency"]}': plain(
            Decimal(total['amount_minor']).scaleb(-EXPONENTS.get(total['currency'], 2))
        )
        for total in ramp.read_spend_totals(sync_status=['SYNCED'])
    }


def counts_of(cursor):
    """Count whole tables, so that no unfinished work hides where no query above looks."""
    return {
        table: rows(cursor, f'SELECT count(*) AS count FROM {table}')[0]['count']
        for table in (
            'account_move',
            'account_move_line',
            'account_analytic_line',
            'account_payment',
            'account_partial_reconcile',
            'account_full_reconcile',
            'hr_expense',
            'ramp_record',
            'res_partner',
            'hr_employee',
        )
    }


def differences(wanted, found, path=''):
    """Return each difference between two states as a line."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [
            line
            for key in sorted({*wanted, *found}, key=str)
            for line in differences(wanted.get(key, '(nothing)'), found.get(key, '(nothing)'), f'{path}/{key}')
        ]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return [line for place, (one, other) in pairs for line in differences(one, other, f'{path}/{place}')]
    return [] if wanted == found else [f'{path}: wanted {wanted!r}, found {found!r}']
