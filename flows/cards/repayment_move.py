# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import Command, models
from odoo.tools import SQL

from ..accounting.booking import create_complete_entries
from .repayment import RepaymentNote


class RampFlowRepaymentMove(models.AbstractModel):
    """The entry that moves what a repayment took back to the coding of its original, and how it is undone."""

    _inherit = 'ramp.flow.repayment'

    def _find_moved_entry(self, record):
        """Return the entry that moved the shares of a repayment, if it counts: nobody cancelled or reversed it."""
        moved = self.env['account.move'].browse(record._read_note(RepaymentNote).moved or []).exists()
        return moved.filtered(lambda move: move.state != 'cancel' and not self._is_reversed(move))

    @staticmethod
    def _is_reversed(move):
        return 'posted' in move.reversal_move_ids.mapped('state')

    def _find_rows_of_moved(self, connection, moves):
        """Return {entry that moved the shares of a repayment: row of the repayment}, of these entries."""
        self.env['ramp.record'].flush_model(['connection_id', 'flow', 'noted'])
        self.env.cr.execute(
            SQL(
                """
            SELECT (noted ->> 'moved')::int, id FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND (noted ->> 'moved')::int = ANY(%s)
            """,
                connection.id,
                self._flow,
                moves.ids,
            )
        )
        return {moves.browse(move): self.env['ramp.record'].browse(row) for move, row in self.env.cr.fetchall()}

    def _list_share_lines(self, entry, amount):
        """Return the lines of a repayment's entry that take back its original.

        :param amount: units of the entry's currency that were taken back
        :return: empty recordset if somebody edited the entry, so that its lines do not come to that
        """
        arrived = entry.line_ids.sorted('id')[:1]
        lines = (entry.line_ids - arrived).filtered('account_id')
        is_whole = self._amount_to_units(sum(lines.mapped('amount_currency')), entry.currency_id) == -amount
        return lines if is_whole and lines.currency_id == entry.currency_id else lines.browse()

    def _move_shares(self, connection, plan, entry, found):
        """Post the entry that moves the shares of a repayment from its own lines to those of the original.

        Nothing is posted where both have the same coding, or where somebody edited the repayment's entry.

        :param entry: entry of the repayment
        :return: the entry, or an empty recordset
        :raise Held: when the day is locked
        """
        currency, company = entry.currency_id, entry.company_currency_id
        lines = self._list_share_lines(entry, sum(minor for _line, minor, _balance in plan.shares))
        if not lines:
            entry._message_log(
                body=self.env._(
                    '%(original)s was posted again. The lines of this entry stay, because it was edited in Odoo.',
                    original=plan.original._get_html_link(),
                )
            )
            return entry.browse()
        before = [self._mirror_entry_line(line, -line.amount_currency, -line.balance) for line in lines]
        items = self._net_entry_lines([*before, *self._prepare_spend_values(plan)], currency, company)
        if not items:
            return entry.browse()
        journal = connection.card_journal_id
        has_tax = any(item['tax_ids'][0][2] or item['tax_repartition_line_id'] for item in items)
        date = self._plan_entry_date(connection, entry.date, journal, found, has_tax)
        reference = self.env._(
            '%(repayment)s: moved to the coding of %(original)s',
            repayment=entry.ref or entry.name,
            original=plan.original.name,
        )
        left = company.round(-sum(item['balance'] for item in items))
        if left:
            items.append(self._prepare_exchange_line(connection, reference, left))
        moved = create_complete_entries(
            self.env,
            {
                'move_type': 'entry',
                'company_id': connection.company_id.id,
                'journal_id': journal.id,
                'partner_id': plan.original.partner_id.id,
                'currency_id': currency.id,
                'date': date,
                'ref': reference,
                'line_ids': [Command.create(item) for item in items],
            },
        )
        moved._post(soft=False)
        self._reconcile_moved_shares(lines, moved)
        link = moved._get_html_link(title=moved.name)
        bodies = {
            move.id: self.env._('%(reference)s: %(entry)s', reference=reference, entry=link)
            for move in (entry, plan.original)
        }
        bodies[moved.id] = self.env._('%(reference)s: %(entry)s', reference=reference, entry=entry._get_html_link())
        (entry + plan.original + moved)._message_log_batch(bodies=bodies)
        return moved

    def _prepare_exchange_line(self, connection, name, balance):
        """Return a line for what is left where the original has another rate than before.

        :raise Held: when the company has no accounts for that
        """
        self.env['ramp.flow.statement']._get_exchange_journal(connection)
        company = connection.company_id
        account = (
            company.expense_currency_exchange_account_id if balance > 0 else company.income_currency_exchange_account_id
        )
        return {
            'account_id': account.id,
            'name': name,
            'currency_id': company.currency_id.id,
            'amount_currency': balance,
            'balance': balance,
            'analytic_distribution': {},
            'tax_ids': [Command.clear()],
        }

    def _net_entry_lines(self, items, currency, company):
        """Return the values of lines, with those of the same coding added up. What comes to nothing is left out."""
        groups = {}
        for item in items:
            key = (
                item['account_id'],
                item['partner_id'],
                tuple(sorted(item['analytic_distribution'].items())),
                *(tuple(sorted(item[name][0][2])) for name in ('tax_ids', 'tax_tag_ids')),
                item['tax_repartition_line_id'],
                item['group_tax_id'],
            )
            groups.setdefault(key, []).append(item)
        netted = []
        for parts in groups.values():
            amount, balance = (
                unit.round(sum(part[name] for part in parts))
                for name, unit in (('amount_currency', currency), ('balance', company))
            )
            base = company.round(sum(part['tax_base_amount'] for part in parts))
            if amount * balance < 0:
                netted += parts  # a line with two signs is none
            elif amount or balance or base:
                like = next((part for part in parts if part['balance'] * balance > 0), parts[-1])
                netted.append({**like, 'amount_currency': amount, 'balance': balance, 'tax_base_amount': base})
        return netted

    @staticmethod
    def _reconcile_moved_shares(lines, moved):
        """Reconcile what leaves an account with what the repayment has there, if the account is reconciled at all."""
        for account in lines.account_id.filtered('reconcile'):
            both = (lines + moved.line_ids).filtered(
                lambda line, account=account: line.account_id == account and not line.reconciled
            )
            if both & lines and both & moved.line_ids:
                both.reconcile()

    # ------------------------------------------------------------------ undoing

    def _undo_moved_entry(self, connection, record, reason):
        """Undo the entry that moved the shares of a repayment, if it counts. The caller changes the note."""
        if moved := self._find_moved_entry(record):
            self._undo_booked_move(connection, moved, reason)

    def _detach_moved_entry(self, record, moved):
        """Unreconcile a repayment from the entry that moved its shares."""
        self._find_moved_partials(record, moved).unlink()

    def _find_moved_partials(self, record, moved):
        entry = self.env['account.move'].browse(record.res_id).exists()
        partials = moved.line_ids.matched_debit_ids | moved.line_ids.matched_credit_ids
        return partials.filtered(
            lambda partial: entry <= (partial.debit_move_id | partial.credit_move_id).move_id <= entry | moved
        )

    def _is_matched_in_odoo(self, record, move):
        """EXTENDS: The entry that moved its shares goes with it, unless somebody reconciled that."""
        moved = self._find_moved_entry(record)
        lines = (move | moved).line_ids
        partials = lines.matched_debit_ids | lines.matched_credit_ids
        return bool(partials - self._find_moved_partials(record, moved))

    def _undo_withdrawn_document(self, connection, record, move, reason):
        """EXTENDS: undo the entry that moved its shares, too."""
        self._undo_moved_entry(connection, record, reason)
        return super()._undo_withdrawn_document(connection, record, move, reason)

    def _undo_booked_object(self, connection, record, reason):
        """EXTENDS: undo the entry that moved its shares, too."""
        self._undo_moved_entry(connection, record, reason)
        return super()._undo_booked_object(connection, record, reason)
