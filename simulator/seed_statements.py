"""The statements of a seeded business: one per month with spend, with cashback and the transfers that pay it.

The balance sections take turns in how they are paid: at once; in part; again after the bank returned the transfer;
again after a return at the close of the next statement; again after a transfer that never went through.
"""

import itertools
from datetime import timedelta

from .endpoints import statements, transfers
from .payables import parse_moment

CASHBACK_BPS = 150
PAYMENT_CASES = ('full', 'returned', 'partial', 'late', 'failed')


def fill_statements(filler):
    """Close and pay statements for the spend of a `seed._Filler`, if its seed asks for it."""
    if filler.seed.statements:
        _Statements(filler.state).close_and_pay()


class _Statements:
    def __init__(self, state):
        self.state, self.now = state, state.clock()
        self.late = []

    def close_and_pay(self):
        cases = itertools.cycle(PAYMENT_CASES)
        for end in self._list_month_ends():
            row = statements.close_statement(self.state, end, cashback_bps=CASHBACK_BPS)
            for transfer in self.late:
                self._repeat_failed_transfer(transfer, 'RETURNED_BY_RDFI', end + timedelta(days=2))
            self.late = []
            for section in row['balance_sections']:
                due = section['ending_balance']['amount']
                if due > 0 and end + timedelta(days=5) < self.now:
                    self._pay_balance_section(section, due, next(cases), end + timedelta(days=5))

    def _list_month_ends(self):
        """Return the ends of the past months with something that is on no statement."""
        last = max((parse_moment(row['end_date']) for row in self.state['statements']), default=None)
        found = {
            _find_end_of_month(parse_moment(item.at))
            for item in statements.list_card_movements(self.state)
            if item.statement_id is None
        }
        return sorted(end for end in found if end <= self.now and (last is None or last < end))

    def _pay_balance_section(self, section, due, case, at):
        on_way = at + timedelta(days=3) > self.now
        transfer = self._make_seed_transfer(
            section['entity_id'],
            section['ending_balance']['currency_code'],
            due * 6 // 10 if case == 'partial' else due,
            at,
            'INITIATED' if on_way or case == 'failed' else 'COMPLETED',
        )
        if case == 'late':
            self.late.append(transfer)
        elif case in ('returned', 'failed'):
            self._repeat_failed_transfer(
                transfer, 'RETURNED_BY_RDFI' if case == 'returned' else 'NOT_ENOUGH_FUNDS', at + timedelta(days=3)
            )

    def _repeat_failed_transfer(self, transfer, status, at):
        """Let a transfer fail and add another one in its place."""
        if at > self.now:
            return
        transfers.move_transfer(self.state, transfer['id'], status, date=at)
        if at + timedelta(days=3) < self.now:
            amount = transfer['amount']
            self._make_seed_transfer(
                transfer['entity_id'], amount['currency_code'], amount['amount'], at + timedelta(days=3), 'COMPLETED'
            )

    def _make_seed_transfer(self, entity, currency, amount, at, status):
        return transfers.make_transfer(
            self.state, entity=entity, currency=currency, amount_minor=amount, date=at, status=status
        )


def _find_end_of_month(at):
    """Return the first moment after the month."""
    return (at.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)).replace(day=1)
