# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import defaultdict
from datetime import timedelta

from odoo import Command, api, models
from odoo.exceptions import UserError
from odoo.tools import SQL, format_date

from ...ramp_api import Money, PayloadError, allocate_amount
from ..engine.reasons import Held
from .booking import NAME_LENGTH, QUIET


class RampAccrualPost(models.Model):
    """The entries of an accrual: what is proposed, posted and undone."""

    _inherit = 'ramp.accrual'

    # ------------------------------------------------------------------ the proposal

    def _propose_lines(self):
        """Make a line for each object that Ramp has, the books do not, and no accrual of the month has yet."""
        self.ensure_one()
        connection = self.connection_id.with_company(self.company_id)
        self._release_undone(connection, self.month)
        rows = self.env['report.ramp_connector.tie_out']._list_accruable(connection, self.month)
        parts = self._read_parts(connection, rows)
        # sudo: people write no lines themselves. The rows are those of the tie-out, which the user may read.
        lines = self.sudo()
        lines.line_ids.unlink()
        lines.write(
            {
                'line_ids': [
                    Command.create(
                        {
                            'company_id': self.company_id.id,
                            'month': self.month,
                            'record_id': row.record_id,
                            'date': row.date,
                            'ramp_entity_id': row.entity,
                            'currency_id': row.currency_id,
                            'amount': row.amount,
                            'kind': row.kind,
                            'parts': parts[row.record_id],
                            'account_id': self._get_only_account(parts[row.record_id]),
                        }
                    )
                    for row in rows
                ]
            }
        )
        self.invalidate_recordset()

    @staticmethod
    def _get_only_account(parts):
        accounts = {part['account'] for part in parts}
        return accounts.pop() if len(accounts) == 1 else False

    def _read_parts(self, connection, rows):
        """Return the coding of objects, as far as it is known here: {row id: [{'account', 'distribution', 'minor'}]}.

        :param rows: `AccruableRow` each
        """
        # sudo: codings are looked up as the jobs do, whatever the user may read of analytics. Nothing is written.
        connection = connection.sudo()
        Booking, Coding = connection.env['ramp.flow.booking'], connection.env['ramp.coding']
        records = connection.env['ramp.record'].browse([row.record_id for row in rows]).grouped('id')
        values = {}
        for row in rows:
            record = records[row.record_id]
            try:
                values[row.record_id] = connection.env[f'ramp.flow.{record.flow}']._read_payload(record.payload).lines
            except PayloadError:
                values[row.record_id] = ()
        found = Coding._look_up_selections(
            connection, [selection for lines in values.values() for line in lines for selection in line.selections]
        )
        parts = {}
        for row in rows:
            currency = connection.env['res.currency'].browse(row.currency_id)
            total, lines = Booking._float_to_minor(row.amount, currency), values[row.record_id]
            weights = [line.amount.minor for line in lines]
            # Without lines, or with lines that cancel each other out, the whole has no coding
            minors = allocate_amount(total, weights) if sum(weights) else [total]
            sums = defaultdict(int)
            for line, minor in zip(lines if sum(weights) else [None], minors, strict=True):
                sums[self._decode_line(Coding, connection, line, found)] += minor
            parts[row.record_id] = [
                {'account': account, 'distribution': dict(distribution) or False, 'minor': minor}
                for (account, distribution), minor in sums.items()
                if minor
            ]
        return parts

    @api.model
    def _decode_line(self, coding_model, connection, line, found):
        """Return (account id or False, items of the analytic distribution) of a line of an object."""
        try:
            coding = line and coding_model._decode_selections(line.selections, found)
        except Held:
            coding = None
        # A mapping may say that an option means nothing here
        if not coding or not coding.account or coding.account == connection.card_account_id:
            return False, ()
        return coding.account.id, tuple(sorted((coding.distribution or {}).items()))

    # ------------------------------------------------------------------ posting

    def action_post(self):
        """Post the accrual: an entry for each entity and currency on the last day of the month, and its reversal.

        :raise AccessError: unless the user may post journal entries
        :raise UserError: if it is posted already, an account is missing, the period is locked, or Ramp or the books
            have changed since the review
        """
        self.ensure_one()
        self._check_may_accrue()
        # A second click cannot lock it, or finds that it is posted
        self.lock_for_update()
        self._check_is_draft()
        connection = self.connection_id.with_company(self.company_id)
        lines = self.line_ids.filtered('is_included')
        if not lines:
            raise UserError(self.env._('%s has no row to accrue. Include a row, or press Refresh.', self.display_name))
        self._check_required_accounts(lines)
        self._check_lines_stand(connection, lines)
        date, reversal_date = self._plan_days(connection)
        # sudo: people do not write whether an object is accrued. Who may post was checked above.
        lines.sudo().is_active = True
        self._touch_records(lines)
        found = connection.env['ramp.flow.booking']._look_up_accounting_state(
            connection, [], set(lines.currency_id.mapped('name'))
        )
        for (entity, currency), of_entry in lines.grouped(lambda line: (line.ramp_entity_id, line.currency_id)).items():
            move = self._post_entry(connection, entity, currency, of_entry, date, found)
            reversal = move._reverse_moves(
                [{'date': reversal_date, 'ref': self.env._('Reversal of: %s', move.ref)}], cancel=True
            )
            self._check_reversal(move, reversal, date)
            # sudo: see above
            of_entry.sudo().write({'move_id': move.id, 'reversal_id': reversal.id})
            self._log_on_entries(move, reversal)
        # sudo: see above
        self.sudo().write(
            {
                'state': 'posted',
                'date': date,
                'reversal_date': reversal_date,
                'posted_by_id': self.env.uid,
                'posted_at': self.env.cr.now().replace(microsecond=0),
            }
        )
        return True

    def _check_required_accounts(self, lines):
        for field in ('journal_id', 'liability_account_id'):
            if not self[field]:
                raise UserError(
                    self.env._(
                        '%(accrual)s, field "%(field)s": choose one.',
                        accrual=self.display_name,
                        field=self._fields[field]._description_string(self.env),
                    )
                )
        bare = lines.filtered(
            lambda line: not line.account_id and not all(part['account'] for part in line.parts or [{'account': 0}])
        )
        if bare and not self.expense_account_id:
            raise UserError(
                self.env._(
                    '%(accrual)s, field "%(field)s": choose the account of what has no coding, for example of '
                    '%(object)s. Or choose an account on its row.',
                    accrual=self.display_name,
                    field=self._fields['expense_account_id']._description_string(self.env),
                    object=bare[0].record_id.display_name,
                )
            )

    def _check_lines_stand(self, connection, lines):
        """Raise `UserError` unless each object is still missing in the books, with the amount that was reviewed."""
        self._release_undone(connection, self.month)
        rows = {
            row.record_id: row
            for row in self.env['report.ramp_connector.tie_out']._list_accruable(connection, self.month)
        }
        for line in lines:
            row = rows.get(line.record_id.id)
            if not row or line.currency_id.compare_amounts(row.amount, line.amount):
                raise UserError(
                    self.env._(
                        '%(object)s, %(amount)s, changed since it was proposed: it was posted, accrued or ignored, or '
                        'Ramp changed its amount. Press Refresh, and review the rows again.',
                        object=line.record_id.display_name,
                        amount=line.currency_id.format(line.amount),
                    )
                )

    def _plan_days(self, connection):
        """Return (day of the entries, day of the reversals).

        :raise UserError: when one of them is locked; names the lock date and the remedy
        """
        last_day = self.env['report.ramp_connector.tie_out']._last_day(self.month)
        Booking = connection.env['ramp.flow.booking']
        try:
            date = Booking._get_first_open_day(connection, last_day, self.journal_id)
            reversal_date = Booking._get_first_open_day(connection, last_day + timedelta(days=1), self.journal_id)
        except Held as reason:
            raise self._refused(reason) from reason
        if date != last_day:
            raise UserError(
                self.env._(
                    '%(accrual)s belongs to %(date)s, and that period is locked until %(open)s. Reopen the period, or '
                    'leave the month without an accrual.',
                    accrual=self.display_name,
                    date=format_date(self.env, last_day),
                    open=format_date(self.env, date - timedelta(days=1)),
                )
            )
        return date, reversal_date

    def _refused(self, reason):
        """Return the `UserError` of what the house's rules for days and rates refuse."""
        return UserError(
            self.env._('%(accrual)s: %(reason)s', accrual=self.display_name, reason=reason.in_language(self.env.lang))
        )

    def _touch_records(self, lines):
        """Write the ledger rows, so that a job which posts one of them at this moment begins again.

        Its transaction does not see the accrual, and would post the object in the same month.
        """
        self.env['ramp.record'].flush_model()
        self.env.cr.execute(
            SQL(
                'UPDATE ramp_record SET write_date = %s WHERE id = ANY(%s)',
                self.env.cr.now(),
                sorted(lines.record_id.ids),
            )
        )
        self.env['ramp.record'].invalidate_model(['write_date'])

    def _post_entry(self, connection, entity, currency, lines, date, found):
        """Post the entry of an entity and currency: the expenses of each object, and the sum of them as a liability.

        :param found: `AccountingLookup`
        :return: the posted entry
        :raise UserError: when there is no rate of that day, or the currency is not active
        """
        Booking, company = connection.env['ramp.flow.booking'], self.company_id
        items = [
            (line, part, line.account_id.id or part['account'] or self.expense_account_id.id)
            for line in lines
            for part in line.parts or []
        ]
        minors = [part['minor'] for _line, part, _account in items]
        try:
            Booking._plan_currency(connection, currency.name, found, amounts=minors)
            total, balances = Booking._plan_balances(
                connection, Money(sum(minors), currency.name), currency, date, minors, found
            )
        except Held as reason:
            raise self._refused(reason) from reason
        name = self._make_entry_name(connection, entity, currency)
        values = [
            self._prepare_item(account, line.record_id.name or name, currency, part['minor'], balance)
            | {'analytic_distribution': part['distribution'], 'is_storno': company.account_storno and part['minor'] < 0}
            for (line, part, account), balance in zip(items, balances, strict=True)
        ]
        if sum(minors) or total:
            values.append(self._prepare_item(self.liability_account_id.id, name, currency, -sum(minors), -total))
        move = (
            self.env['account.move']
            .with_company(company)
            .with_context(**QUIET)
            .create(
                {
                    'move_type': 'entry',
                    'company_id': company.id,
                    'journal_id': self.journal_id.id,
                    'currency_id': currency.id,
                    'date': date,
                    'ref': name,
                    'line_ids': [Command.create(item) for item in values],
                }
            )
        )
        # The last day of the month may be today; an entry of today or earlier is posted at once
        move._post(soft=False)
        return move

    def _prepare_item(self, account_id, name, currency, minor, balance):
        Booking = self.env['ramp.flow.booking']
        return {
            'account_id': account_id,
            'name': name[:NAME_LENGTH],
            'currency_id': currency.id,
            'amount_currency': Booking._minor_to_float(minor, currency),
            'balance': Booking._units_to_amount(balance, self.company_id.currency_id),
            'tax_ids': [Command.clear()],
        }

    def _make_entry_name(self, connection, entity, currency):
        return self.env._(
            'Ramp accrual %(month)s: %(entity)s, %(currency)s',
            month=self._month_in_words(),
            entity=(connection.ramp_entities or {}).get(entity) or connection.name,
            currency=currency.name,
        )

    def _check_reversal(self, move, reversal, date):
        """Check that Odoo posted both, and that nothing is left of them in either currency."""
        lines = move.line_ids + reversal.line_ids
        for _account, of_account in lines.grouped('account_id').items():
            left = sum(of_account.mapped('balance'))
            if (
                {move.state, reversal.state} != {'posted'}
                or move.date != date
                or not self.company_id.currency_id.is_zero(left)
            ):
                raise UserError(
                    self.env._(
                        '%s: Odoo did not post the entry and its reversal as they are. Look at the journal, its lock '
                        'dates and its automation.',
                        self.display_name,
                    )
                )

    def _log_on_entries(self, move, reversal):
        for entry in move + reversal:
            entry._message_log(
                body=self.env._(
                    '%(accrual)s. %(move)s is reversed by %(reversal)s.',
                    accrual=self._get_html_link(),
                    move=move._get_html_link(title=move.name),
                    reversal=reversal._get_html_link(title=reversal.name),
                )
            )

    # ------------------------------------------------------------------ undoing

    def action_undo(self):
        """Cancel the entries and their reversals. The objects may then be accrued again.

        :raise AccessError: unless the user may post journal entries
        :raise UserError: if it is not posted, or if Odoo does not let the user cancel the entries
        """
        self.ensure_one()
        self._check_may_accrue()
        self.lock_for_update()
        if self.state != 'posted':
            raise UserError(self.env._('%s is not posted, so there is nothing to undo.', self.display_name))
        active = self.line_ids.filtered('is_active')
        moves = active.move_id + active.reversal_id
        moves.filtered(lambda move: move.state == 'posted').button_draft()
        moves.filtered(lambda move: move.state == 'draft').button_cancel()
        # sudo: see action_post
        active.sudo().is_active = False
        self.invalidate_recordset(['standing', 'standing_text'])
        return True
