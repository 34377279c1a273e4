"""A small business with debts: one bill or claim for each kind of case, and what Ramp does with them later.

The first function of a pair makes what Ramp has when Odoo reads it for the first time. The second one makes what has
changed when Odoo reads it again. The order matters: cases that belong together (the bills of a batch, the bills that
nobody can post) are spread over the pages.
"""

import datetime

# the time in Ramp, so that the data is the same every day
MOMENT = datetime.datetime(2026, 3, 31, 12, tzinfo=datetime.timezone.utc)


def ago(days):
    return MOMENT - datetime.timedelta(days=days)


def bill(ramp, label):
    """Return the Ramp id of the bill of a case."""
    return ramp.state['bills'].find_first_row(_label=label)['id']


def claim(ramp, label):
    return ramp.state['reimbursements'].find_first_row(_label=label)['id']


def repayment(ramp, label):
    return ramp.state['repayments'].find_first_row(_label=label)['id']


def coding(ramp):
    """Return (accounts, {field: option}) that Odoo offers."""
    accounts = [row['id'] for row in ramp.state['accounts']]
    field = ramp.seed.analytics[0]
    return accounts, {field['field_id']: field['options'][0]['id']}


def bills(ramp, tax):
    """Make the bills. `tax`: the id under which Ramp knows a purchase tax."""
    accounts, analytics = coding(ramp)
    entity = ramp.state['entities'].find_first_row(is_primary=True)['id']
    abroad = ramp.state['entities'].find_first_row(currency='EUR')['id']
    paper = ramp.add_vendor('Paper & Sons', contacts=2, custom={'Tax ID': '12-3456789'})
    cloud = ramp.add_vendor('Cloud 9 <Ltd.>', contacts=0)
    mueller = ramp.add_vendor('Müller GmbH', country='DE', contacts=1)

    def owe(label, minor, vendor=paper, days=20, **values):
        if minor:
            values.setdefault('lines', [{'amount_minor': minor, 'account': accounts[minor % 3]}])
        values = {'currency': 'USD', 'entity': entity, 'invoice_number': f'INV {label}', 'invoices': 0, **values}
        return ramp.add_bill(vendor=vendor, label=label, date=ago(days), **values)

    def spend(label, minor, **values):
        return ramp.add_transaction(
            amount_minor=minor,
            currency='USD',
            entity=entity,
            account=accounts[1],
            label=label,
            date=ago(15),
            merchant='Cloud 9 <Ltd.>',
            **values,
        )

    def lines(*amounts):
        return [
            {
                'amount_minor': amount,
                'account': accounts[number % 3],
                'analytics': analytics if number % 2 else None,
                'memo': f'No. {number}',
            }
            for number, amount in enumerate(amounts)
        ]

    owe('open', None, lines=lines(1001, 2002, 7), days=50, invoices=2)
    batch = [owe('batch 1', 1100), owe('paid', 1200, days=45)][:1]
    owe('uncoded', 1300, lines=[{'amount_minor': 1300, 'account': None}])
    owe('card as spend', 1400, cloud, payment_method='CARD')
    owe('credited', 1500, mueller)
    # The second page.
    batch += [owe('batch 2', 1600, cloud)]
    owe('foreign', None, mueller, currency='EUR', fx_conversion_rate='1.0873', lines=lines(3000, 3333), days=40)
    owe('partial', 1700, invoices=1)
    owe('in parts', 1800, cloud)
    owe('card expected', 1900, cloud, payment_method='CARD')
    owe('credit and bank', 2000, mueller)
    # The third page.
    batch += [owe('batch 3', None, lines=lines(2100, 55))]
    owe(
        'uncoded, by card', 2200, cloud, payment_method='ONE_TIME_CARD', lines=[{'amount_minor': 2200, 'account': None}]
    )
    owe(
        'of the entity abroad',
        2300,
        mueller,
        currency='EUR',
        entity=abroad,
        lines=[{'amount_minor': 2300, 'account': accounts[0]}],
    )
    owe(
        'taxed',
        None,
        lines=[
            {'amount_minor': 2419, 'account': accounts[0], 'tax': tax},
            {'amount_minor': 81, 'account': accounts[1]},
        ],
    )
    owe('paid in Odoo', 2400, payment_method='PAID_MANUALLY')
    owe('card of another amount', 2500, cloud, payment_method='AUTOMATIC_CARD_PAYMENT')
    owe('to be archived', 2600, days=48)
    # The fourth page.
    owe('not approved', 2700, approval_status='PENDING')
    owe('failed', 2800, mueller)
    owe('paid twice over', 2900, cloud)
    owe('card never told', 3100, cloud, payment_method='CARD')
    batch += [owe('batch 4', 3200)]

    ramp.pay_bill(batch, date=ago(5))
    ramp.pay_bill(bill(ramp, 'paid'), date=ago(12))
    ramp.pay_bill(bill(ramp, 'paid twice over'), date=ago(12))
    ramp.pay_bill(bill(ramp, 'foreign'), date=ago(10), settled_minor=6870)
    ramp.pay_bill(bill(ramp, 'of the entity abroad'), date=ago(9))
    ramp.pay_bill(bill(ramp, 'partial'), amount_minor=700, date=ago(9))
    ramp.pay_bill(bill(ramp, 'in parts'), amount_minor=800, date=ago(9))
    ramp.pay_bill(bill(ramp, 'in parts'), date=ago(3))
    ramp.pay_bill(bill(ramp, 'paid in Odoo'), manual_method='PAID_IN_ERP', date=ago(3))
    ramp.pay_bill(bill(ramp, 'failed'), status='processing', date=ago(7))
    ramp.pay_bill(bill(ramp, 'failed'), status='failed', date=ago(7))
    # Ramp offers one of the card transactions at once, two later, and one never.
    ramp.pay_bill(bill(ramp, 'card as spend'), transaction=spend('of card as spend', 1400))
    for label, minor in (('card expected', 1900), ('card of another amount', 2555), ('uncoded, by card', 2200)):
        ramp.pay_bill(
            bill(ramp, label), transaction=spend(f'of {label}', minor, sync_status='NOT_SYNC_READY'), date=ago(11)
        )
    ramp.pay_bill(bill(ramp, 'card never told'), date=ago(11))
    spend('of a bill that comes later', 3300)
    for label, minor, part in (('credited', 1500, 1500), ('credit and bank', 5000, 500)):
        credit = ramp.add_vendor_credit(
            vendor=mueller, amount_minor=minor, account=accounts[2], label=f'of {label}', date=ago(19)
        )
        ramp.apply_vendor_credit(credit, bill(ramp, label), part)
    ramp.pay_bill(bill(ramp, 'credit and bank'), date=ago(6))


def bills_later(ramp):
    accounts, _analytics = coding(ramp)
    entity = ramp.state['entities'].find_first_row(is_primary=True)['id']
    transactions, credits = ramp.state['transactions'], ramp.state['vendor_credits']

    def owe(label, minor, vendor, **values):
        return ramp.add_bill(
            amount_minor=minor,
            vendor=ramp.state['vendors'].find_first_row(name=vendor)['id'],
            currency='USD',
            entity=entity,
            account=accounts[0],
            invoice_number=f'INV {label}',
            label=label,
            date=ago(4),
            invoices=label == 'credited later',
            **values,
        )

    ramp.pay_bill(bill(ramp, 'paid'), status='failed')  # the payment came back
    ramp.pay_bill(bill(ramp, 'paid twice over'), status='failed')
    ramp.pay_bill(bill(ramp, 'paid twice over'), date=ago(1))
    ramp.pay_bill(bill(ramp, 'foreign'), status='failed')
    ramp.archive_bill(bill(ramp, 'to be archived'))
    ramp.update_bill(bill(ramp, 'uncoded, by card'), account=accounts[1])
    ramp.update_bill(bill(ramp, 'not approved'), approval_status='APPROVED')
    for label in ('card expected', 'card of another amount', 'uncoded, by card'):
        ramp.update_transaction(transactions.find_first_row(_label=f'of {label}')['id'], sync_status='SYNC_READY')
    new = owe('paid by what was spend', 3300, 'Cloud 9 <Ltd.>', payment_method='CARD')
    ramp.pay_bill(new, transaction=transactions.find_first_row(_label='of a bill that comes later')['id'])
    ramp.apply_vendor_credit(
        credits.find_first_row(_label='of credit and bank')['id'], owe('credited later', 4000, 'Müller GmbH'), 1000
    )
    ramp.pay_bill([bill(ramp, 'open'), bill(ramp, 'failed'), owe('new in a batch', 4100, 'Paper & Sons')], date=ago(1))
    ramp.pay_bill(bill(ramp, 'partial'), date=ago(1))


def claims(ramp, _tax):
    accounts, analytics = coding(ramp)
    entity = ramp.state['entities'].find_first_row(is_primary=True)['id']
    people = [row['id'] for row in ramp.state['users'] if row['entity_id'] == entity][:2]

    def claim_of(label, minor, user=0, **values):
        values = {'account': accounts[minor % 3], 'state': 'REIMBURSED', **values}
        return ramp.add_reimbursement(
            amount_minor=minor, user=people[user], entity=entity, label=label, date=ago(20), memo=label, **values
        )

    def spend(label, *amounts):
        lines = [
            {'amount_minor': amount, 'account': accounts[number], 'analytics': analytics}
            for number, amount in enumerate(amounts)
        ]
        return ramp.add_transaction(
            amount_minor=sum(amounts),
            currency='USD',
            entity=entity,
            user=people[0],
            lines=lines,
            label=label,
            date=ago(25),
        )

    claim_of('paid', 1100, receipts=1)
    claim_of('uncoded', 1200, account=None)
    batch = [
        claim_of(f'batch {number}', 1300 + number, user=number % 2, state='AWAITING_PAYMENT') for number in range(3)
    ]
    claim_of('driven', 1400, type='MILEAGE')
    claim_of('payback', 1500, user=1, type='PAYBACK_FULL')
    claim_of('by hand', 1600, state='MANUALLY_REIMBURSED')
    claim_of('to be canceled', 1700, user=1)
    claim_of('not paid', 1800, state='AWAITING_PAYMENT')
    claim_of('abroad', 1900, currency='EUR', rate='1.0873', receipts=1)
    ramp.pay_reimbursement(batch, date=ago(10))
    # Two odd parts that leave nothing.
    whole = spend('repaid in parts', 1001, 2002, 7)
    for label, minor in (('a part', 1111), ('the rest', 1899)):
        ramp.add_repayment(transaction=whole, amount_minor=minor, label=label, date=ago(8))
    ramp.add_repayment(transaction=spend('not repaid yet', 3100), status='AWAITING_PAYMENT', label='awaited')
    ramp.add_repayment(transaction=spend('repaid in vain', 3200), amount_minor=3200, label='to fail', date=ago(8))


def claims_later(ramp):
    accounts, _analytics = coding(ramp)
    entity = ramp.state['entities'].find_first_row(is_primary=True)['id']
    ramp.pay_reimbursement(claim(ramp, 'paid'), state='FAILED_REIMBURSEMENT')
    ramp.pay_reimbursement(claim(ramp, 'driven'), state='FAILED_REIMBURSEMENT')
    ramp.pay_reimbursement(claim(ramp, 'driven'), date=ago(1))
    ramp.update_reimbursement(claim(ramp, 'uncoded'), account=accounts[1])
    ramp.update_reimbursement(claim(ramp, 'to be canceled'), state='CANCELED', payment_processed_at=None)
    new = ramp.add_reimbursement(
        amount_minor=4100,
        user=ramp.state['reimbursements'].find_first_row(_label='not paid')['user_id'],
        entity=entity,
        account=accounts[0],
        label='new in a batch',
        date=ago(3),
    )
    ramp.pay_reimbursement([claim(ramp, 'not paid'), new], date=ago(1))
    ramp.state['repayments'].update_row(repayment(ramp, 'awaited'), status='REPAID', repaid_at=ago(1).isoformat())
    ramp.state['repayments'].update_row(repayment(ramp, 'to fail'), status='REPAYMENT_FAILED')


def charge(ramp, label):
    return ramp.state['transactions'].find_first_row(_label=label)['id']


def transfer(ramp, label):
    return ramp.state['transfers'].find_first_row(_label=label)['id']


def cards(ramp, _tax):
    accounts, _analytics = coding(ramp)
    home, abroad = (ramp.state['entities'].find_first_row(currency=currency)['id'] for currency in ('USD', 'EUR'))
    people = {entity: ramp.state['users'].find_first_row(entity_id=entity)['id'] for entity in (home, abroad)}

    def spend(label, minor, month, entity=home, **values):
        date = datetime.datetime(2026, month, 4 + minor % 20, 12, tzinfo=datetime.timezone.utc)
        ident = ramp.add_transaction(
            amount_minor=minor,
            entity=entity,
            user=people[entity],
            currency='USD' if entity == home else 'EUR',
            label=label,
            date=date,
            **{'account': accounts[minor % 3], **values},
        )
        ramp.state['transactions'].update_row(ident, accounting_date=date.isoformat(), settlement_date=date.isoformat())
        return ident

    def pay(label, minor, entity, day, status='COMPLETED'):
        ramp.add_transfer(
            entity=entity,
            currency='USD' if entity == home else 'EUR',
            amount_minor=minor,
            date=f'2026-{day}T09:00:00+00:00',
            status=status,
            label=label,
        )

    whole = spend('a whole', 10007, 1)
    spend('split', 3005, 1, lines=[{'amount_minor': amount, 'account': accounts[0]} for amount in (2000, 1500, -495)])
    spend('refund', -1007, 1, refund_of=whole)
    for number in range(4):
        spend(f'abroad {number}', 2001 + 333 * number, 1, abroad)
    pay('in advance', 500, home, '01-20')
    ramp.close_statement('2026-02-01', cashback_bps=150, label='January')
    spend('in February', 7000, 2)
    spend('late', 1100, 2, sync_status='NOT_SYNC_READY')
    spend('uncoded', 1300, 2, abroad, account=None)
    spend('abroad in February', 4005, 2, abroad)
    ramp.add_cashback(entity=home, amount_minor=77, currency='USD', date='2026-02-20', label='ready later', ready=False)
    pay('whole', 11325, home, '02-05')
    pay('part', 4000, abroad, '02-05')
    pay('other part', 1500, abroad, '02-06', 'SUBMITTED_TO_RDFI')
    pay('on its way', 3000, home, '02-25', 'UPLOADED')
    pay('never arrived', 900, home, '02-07', 'NOT_ENOUGH_FUNDS')
    pay('to be returned', 1001, abroad, '02-09')
    pay('to be returned, too', 2002, home, '02-10')
    ramp.close_statement('2026-03-01', cashback_bps=100, label='February')
    spend('in March', 2500, 3)


def cards_later(ramp):
    accounts, _analytics = coding(ramp)
    ramp.update_transaction(charge(ramp, 'late'), sync_status='SYNC_READY')
    ramp.recode_transaction(charge(ramp, 'uncoded'), accounts[1])
    ramp.state['cashbacks'].update_row(
        ramp.state['cashbacks'].find_first_row(_label='ready later')['id'], sync_status='SYNC_READY'
    )
    ramp.move_transfer(transfer(ramp, 'on its way'), 'COMPLETED')
    for label in ('to be returned', 'to be returned, too'):
        ramp.move_transfer(transfer(ramp, label), 'RETURNED_BY_RDFI', date='2026-03-12T00:00:00+00:00')
    home, abroad = (ramp.state['entities'].find_first_row(currency=currency)['id'] for currency in ('USD', 'EUR'))
    for number, (entity, currency) in enumerate(((home, 'USD'), (abroad, 'EUR'), (home, 'USD'), (abroad, 'EUR'))):
        ramp.add_transfer(
            entity=entity,
            currency=currency,
            amount_minor=1200 + number,
            date=f'2026-03-{15 + number}',
            label=f'later {number}',
        )
    ramp.close_statement('2026-03-31', cashback_bps=100, label='March')


WORLDS = {'bills': (bills, bills_later), 'claims': (claims, claims_later), 'cards': (cards, cards_later)}
