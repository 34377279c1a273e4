"""Payments of bills by bank, by hand or by card, and their status."""

from datetime import timedelta

from ... import money
from ...payables import convert_minor_amount, parse_midnight, parse_moment
from ...state import format_iso_time
from .. import transactions
from .standing import CARD_METHODS, METHODS, compute_bill_standing, compute_open_minor

PAYMENT_STATES = ('scheduled', 'processing', 'completed', 'failed', 'cancelled')


def pay_bills(
    store,
    idents,
    /,
    *,
    status='completed',
    amount_minor=None,
    method=None,
    date=None,
    payment_id=None,
    manual_method='OTHER',
    transaction=None,
    settled_minor=None,
    in_payer_currency=False,
    fx_conversion_rate=None,
    same_day=False,
    source=None,
    vendor_account=None,
    fund=None,
    new=False,
):
    """Move a bill's payment to another status, or add a payment. Return the payment's id. A list of bills is one batch.

    A scheduled or processing payment moves to `status` and keeps its id. "failed" or "cancelled" also undo a completed
    payment. In all other cases, and with `new`, a payment is added, e.g. for the rest or after a failure.

    :param status: scheduled, processing, completed, failed or cancelled
    :param amount_minor: minor units of the bill's currency, for a part; default: the open amount
    :param method: one of METHODS; default: the bill's method
    :param date: when the payment is initiated; default: now
    :param payment_id: an existing payment, which then covers these bills too; or the id for the new payment
    :param transaction: for card methods, the transaction's id or ids; True: create one; False: none is known yet; None:
        an id that is not in /transactions
    :param settled_minor: minor units that left the entity's account, in its currency; `in_payer_currency`: the same,
        computed at the bill's rate. Without both, the payment is in the bill's currency
    :param fx_conversion_rate: the bill's rate from now on
    :param source: the bank account that the payment leaves; default: the entity's default account
    :param vendor_account: the vendor's bank account that the payment reaches; default: the vendor's first one
    :param fund: for card methods, the fund that is charged; default: a made-up one
    """
    if status not in PAYMENT_STATES:
        raise ValueError(f'Unknown status {status}; there are {", ".join(PAYMENT_STATES)}')
    rows = [store['bills'].rows[ident] for ident in ([idents] if isinstance(idents, str) else idents)]
    payment_id = payment_id or (None if new else _find_moving_payment(rows[0], status)) or store.make_new_id()
    for row in rows:
        if fx_conversion_rate is not None:
            row = store['bills'].update_row(row['id'], fx_conversion_rate=str(fx_conversion_rate))
        payments = list(row['_payments'])
        place = next((i for i, item in enumerate(payments) if item['id'] == payment_id and not new), None)
        if place is None:
            minor = compute_open_minor(row) if amount_minor is None else amount_minor
            place = len(payments)
            payments.append(
                _build_new_payment(store, row, payment_id, method or row['_method'], minor, manual_method, same_day)
            )
        chosen = {name: value for name, value in (('account', vendor_account), ('fund_id', fund)) if value}
        payments[place] = {**payments[place], **chosen}
        item = _build_moved_payment(store, row, payments[place], status, parse_midnight(date) if date else None, source)
        if item['method'] in CARD_METHODS and status == 'completed':
            item = _build_charged_payment(store, row, item, transaction)
        if settled_minor is not None or in_payer_currency:
            item['told'] = _compute_settled_amount(store, row, item, settled_minor)
        payments[place] = item
        changes = {'_payments': payments, '_method': item['method'], '_summary': None}
        store['bills'].update_row(row['id'], **changes, **compute_bill_standing({**row, **changes}))
    return payment_id


def cancel_scheduled_payments(store, ident, /):
    """Take back the payments of a bill that were scheduled and not initiated, and return its row."""
    row = store['bills'].rows[ident]
    payments = [{**item, 'state': 'cancelled'} if item['state'] == 'scheduled' else item for item in row['_payments']]
    if payments == row['_payments']:
        return row
    changes = {'_payments': payments, '_summary': None}
    return store['bills'].update_row(ident, **changes, **compute_bill_standing({**row, **changes}))


def resize_scheduled_payment(store, ident, /):
    """Let the last scheduled payment of a bill pay what is open now, and return the bill's row."""
    row = store['bills'].rows[ident]
    places = [place for place, item in enumerate(row['_payments']) if item['state'] == 'scheduled']
    if not places:
        return row
    others = sum(row['_payments'][place]['amount_minor'] for place in places[:-1])
    payments = list(row['_payments'])
    payments[places[-1]] = {**payments[places[-1]], 'amount_minor': compute_open_minor(row) - others}
    return store['bills'].update_row(ident, _payments=payments, **compute_bill_standing({**row, '_payments': payments}))


def _find_moving_payment(row, status):
    """Return the id of the bill's last payment if it can move to `status`, else None."""
    last = row['_payments'][-1] if row['_payments'] else None
    if last is None:
        return None
    is_undone = last['state'] == 'completed' and status in ('failed', 'cancelled')
    return last['id'] if is_undone or last['state'] in ('scheduled', 'processing') else None


def _build_new_payment(store, row, ident, method, minor, manual_method, same_day):
    if method not in METHODS or method in ('UNSPECIFIED', 'VENDOR_CREDIT'):
        raise ValueError(f'A bill cannot be paid by {method}')
    bank = method not in CARD_METHODS and method != 'PAID_MANUALLY'
    account = next(store['vendor_accounts'].walk_rows(bucket=row['vendor']['id']), None)
    trace = {
        'descriptor': 'Check Number' if method == 'CHECK' else f'{method} Trace ID',
        'trace_id': f'{int(ident[-12:], 16):015}'[-15:],
    }
    return {
        'id': ident,
        'method': method,
        'amount_minor': minor,
        'told': None,
        'scheduled': None,
        'effective': None,
        'completed': None,
        'friendly': ident.replace('-', '')[:10].upper() if bank else None,
        'manual_method': manual_method if method == 'PAID_MANUALLY' else None,
        'fund_id': store.derive_stable_id('fund', row['id']) if method in CARD_METHODS else None,
        'transaction_ids': [],
        'same_day': same_day,
        'source': store.derive_stable_id('bank account', row['entity_id']) if bank else None,
        'account': account['id'] if account and bank and method != 'CHECK' else None,
        'trace': trace if bank else None,
    }


def _build_moved_payment(store, row, item, status, at, source):
    """Return the payment with its new status on the day `at`, from the bank account `source`."""
    item = {**item, 'state': status}
    if source:
        entity = store['entities'].rows[row['entity_id']]
        if not item['friendly'] or source not in [account['id'] for account in entity['payment_accounts']]:
            raise ValueError(
                f'Nothing is paid by {item["method"]} from the bank account {source} of {entity["entity_name"]}'
            )
        item['source'] = source
    if at or not item['scheduled']:
        item['scheduled'] = at or parse_midnight(store.clock())
    if status in ('processing', 'completed', 'failed'):
        item['effective'] = item['effective'] or item['scheduled']
    if status == 'completed':
        item['completed'] = format_iso_time(min(store.clock(), parse_moment(item['scheduled']) + timedelta(days=1)))
    return item


def _compute_settled_amount(store, row, item, settled_minor):
    """Return the amount that left the entity's account. With `settled_minor` None it is computed at the bill's rate."""
    currency = store['entities'].rows[row['entity_id']]['currency']
    if settled_minor is None:
        settled_minor = convert_minor_amount(
            item['amount_minor'], row['_money']['currency'], row['fx_conversion_rate'], currency
        )
    return money.build_currency_amount(settled_minor, currency)


def _build_charged_payment(store, row, item, transaction):
    """Return the payment with the card transactions that made it."""
    if transaction is None:
        found = item['transaction_ids'] or [store.derive_stable_id('card transaction of', item['id'])]
    elif transaction is True:
        found = [_charge_payment_card(store, row, item)]
    else:
        found = [transaction] if isinstance(transaction, str) else list(transaction or ())
    charges = store['transactions']
    settled = [charges.rows[ident].get('settlement_date') for ident in found if ident in charges]
    return {**item, 'transaction_ids': found, 'scheduled': max(filter(None, settled), default=item['scheduled'])}


def _charge_payment_card(store, row, item):
    """Add the card transaction of a payment and return its id."""
    entity, foreign = store['entities'].rows[row['entity_id']], row['_money']['currency']
    minor, original = item['amount_minor'], {}
    if foreign != entity['currency']:
        original = {'original_minor': minor, 'original_currency': foreign}
        minor = convert_minor_amount(minor, foreign, row['fx_conversion_rate'], entity['currency'])
    charge = transactions.make_transaction(
        store,
        amount_minor=minor,
        currency=entity['currency'],
        entity=entity,
        merchant=row['vendor']['name'],
        user=store['users'].get_row(row['bill_owner']['id']),
        date=item['scheduled'],
        memo=f'Bill {row["invoice_number"]}',
        **original,
    )
    # One-time cards exist for one bill only. has_no_sync_commits leaves out their transactions.
    store['transactions'].update_row(charge['id'], _bill=row['id'] if item['method'].startswith('ONE_TIME') else None)
    return charge['id']
