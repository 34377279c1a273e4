"""The statements of a seeded business: one for each month with spend, its cashback, and the transfers that pay it.

Sections take turns in how they are paid: at once, in part, again after the bank returned it, again after it was returned
when the next statement was closed, and again after it never went through.
"""

import itertools
from datetime import timedelta

from .endpoints import statements, transfers
from .payables import moment

CASHBACK_BPS = 150
CASES = ("full", "returned", "partial", "late", "failed")


def fill(filler):
    """Close and pay what the spend of a `seed._Filler` leaves open, if its seed asks for it."""
    if filler.seed.statements:
        _Statements(filler.state).run()


class _Statements:
    def __init__(self, state):
        self.state, self.now = state, state.clock()
        self.late = []

    def run(self):
        cases = itertools.cycle(CASES)
        for end in self._ends():
            row = statements.close(self.state, end, cashback_bps=CASHBACK_BPS)
            for transfer in self.late:
                self._again(transfer, "RETURNED_BY_RDFI", end + timedelta(days=2))
            self.late = []
            for section in row["balance_sections"]:
                due = section["ending_balance"]["amount"]
                if due > 0 and end + timedelta(days=5) < self.now:
                    self._pay(section, due, next(cases), end + timedelta(days=5))

    def _ends(self):
        """Of the months with something that is on no statement, as far as they are over."""
        last = max((moment(row["end_date"]) for row in self.state["statements"]), default=None)
        found = {_end(moment(item.at)) for item in statements.movements(self.state) if item.statement_id is None}
        return sorted(end for end in found if end <= self.now and (last is None or last < end))

    def _pay(self, section, due, case, at):
        on_way = at + timedelta(days=3) > self.now
        transfer = self._transfer(
            section["entity_id"], section["ending_balance"]["currency_code"], due * 6 // 10 if case == "partial" else due, at,
            "INITIATED" if on_way or case == "failed" else "COMPLETED")
        if case == "late":
            self.late.append(transfer)
        elif case in ("returned", "failed"):
            self._again(transfer, "RETURNED_BY_RDFI" if case == "returned" else "NOT_ENOUGH_FUNDS", at + timedelta(days=3))

    def _again(self, transfer, status, at):
        """It fails, and another one takes its place."""
        if at > self.now:
            return
        transfers.move(self.state, transfer["id"], status, date=at)
        if at + timedelta(days=3) < self.now:
            amount = transfer["amount"]
            self._transfer(transfer["entity_id"], amount["currency_code"], amount["amount"], at + timedelta(days=3), "COMPLETED")

    def _transfer(self, entity, currency, amount, at, status):
        return transfers.make(self.state, entity=entity, currency=currency, amount_minor=amount, date=at, status=status)


def _end(at):
    """The first moment after the month."""
    return (at.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)).replace(day=1)
