# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""A token dies in the middle of a run: Ramp answers 401, or 404 as for an object that it does not have."""

from odoo.tests import tagged

from ..simulator import auth
from .common import PayablesCase
from .properties import in_turn, rotated

FLOWS = ('transaction', 'receipt', 'vendor', 'bill', 'bill_payment', 'watch')


@tagged('post_install', '-at_install', 'ramp')
class TestTokenDies(PayablesCase):
    def once(self):
        super().once()
        self.spend(1000)
        self.unready = self.spend(1100, account=None)
        self.paid, self.open = self.owe(2000), self.owe(2100)
        self.gone = self.spend(1200, account=None)
        self.sync(*FLOWS)
        # An object on hold is no longer offered and is read singly, one object is really gone, and there is a new one.
        self.ramp.update_transaction(self.unready, sync_status='NOT_SYNC_READY')
        self.ramp.remove_object('transactions', self.gone)
        self.ramp.pay_bill(self.paid)
        self.spend(1300)
        self.owe(2200)

    def found(self):
        self.env.invalidate_all()
        rows = self.env['ramp.record'].search([], order='flow, ramp_id')
        return [
            (row.flow, row.ramp_id, row.state, row.error_message, row.finding, bool(row.res_id), row.is_withheld)
            for row in rows
        ]

    def run_with(self, kill=None):
        """Return (result, number of requests, whether Ramp made a token) of a run in which the token dies before a
        request.
        """
        with self.isolated():
            asked, seen = len(self.ramp.requests), []

            def hook(method, path, body):
                if '/token' not in path:
                    seen.append(path)
                    if kill and len(seen) == kill[0]:
                        for token in list(self.ramp.state.tokens):
                            auth.kill_access_token(self.ramp.state, token, as_not_found=kill[1])

            self.ramp.add_before_hook(hook)
            runs = self.sync(*FLOWS)
            self.assertEqual(
                {(run.flow, run.state, run.message) for run in runs}, {(flow, 'done', False) for flow in FLOWS}
            )
            self.ramp.assert_clean()
            for kind in ('TRANSACTION_SYNC', 'BILL_SYNC', 'BILL_PAYMENT_SYNC'):
                self.assertLessEqual({len(told) for told in self.ramp.list_successes(kind).values()}, {1}, kind)
            minted = any(entry['path'].endswith('/token') for entry in self.ramp.requests[asked:])
            return self.found(), len(seen), minted

    @in_turn
    def test_at_each_request(self):
        reference, count, minted = self.run_with()
        self.assertFalse(minted)
        states = {row[1]: row[2:4] for row in reference if row[0] == 'transaction'}
        self.assertEqual(
            (states[self.gone], states[self.unready][0]), (('ignored', 'Ramp no longer has it.'), 'pending')
        )
        for number in rotated(range(1, count + 1), of=12):
            for as_not_found in (False, True):
                with self.subTest(number=number, as_not_found=as_not_found):
                    found, _count, minted = self.run_with((number, as_not_found))
                    self.assertTrue(minted)
                    self.assertEqual(found, reference)
