# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.tools import SQL


class RampFlowTransferReconcile(models.AbstractModel):
    """Apply payments to the open bills of Ramp, the oldest first."""

    _inherit = 'ramp.flow.transfer'

    def _exclusive_booking(self, connection):
        """Return a lock that lets one batch at a time post statements or payments of a connection.

        Two batches that do not see each other would leave a statement and its payment both open.
        """
        return self._exclusive_session_lock(f'{self._flow} {connection.id}')

    @api.model
    def _reconcile_with_ramp(self, connection):
        """Reconcile the open items with Ramp, the oldest first, by entity and currency."""
        plan = [
            lines
            for lines in self._get_open_items(connection).values()
            if {line.amount_residual_currency > 0 for line in lines if line.amount_residual_currency} == {True, False}
        ]
        if plan:
            self.env['ramp.flow.payment']._reconcile_line_pairs(plan)

    @staticmethod
    def _get_item_day(line):
        """Return the due date of an open item. An entry that a person made may have none."""
        return line.date_maturity or line.date

    def _get_open_amounts(self, connection):
        """Return what is open between the company and Ramp by account, the account of the oldest item first.

        The partner's payable account may have changed since. Items of two accounts cannot be reconciled.

        :return: {(Ramp entity id, currency, whether it was paid to Ramp and not owed): {account: amount in that
            currency}}
        """
        open_now = {}
        groups = self._get_open_items(connection)
        for (entity, account, currency), lines in sorted(
            groups.items(), key=lambda group: min(map(self._get_item_day, group[1]))
        ):
            amount = sum(lines.mapped('amount_residual_currency'))
            if not currency.is_zero(amount):
                open_now.setdefault((entity, currency, amount > 0), {})[account] = abs(amount)
        return open_now

    @api.model
    def _take_open_account(self, amounts, amount, currency):
        """Return the account of the oldest items that an amount can be applied to, and take the amount from it.

        :param amounts: {account: amount} of `_get_open_amounts`
        :return: the account; None if nothing is open
        """
        account = next(iter(amounts), None)
        if account:
            amounts[account] -= amount
            if currency.compare_amounts(amounts[account], 0) <= 0:
                del amounts[account]
        return account

    def _get_open_items(self, connection):
        """Return the posted items with the partner "Ramp" that are not reconciled.

        :return: {(Ramp entity id, account, currency): lines}
        """
        partner = connection.ramp_partner_id.commercial_partner_id
        if not partner:
            return {}
        self.env['account.move.line'].flush_model()
        open_lines = self.env['account.move.line'].search_fetch(
            [
                ('partner_id', '=', partner.id),
                ('company_id', '=', connection.company_id.id),
                ('parent_state', '=', 'posted'),
                ('account_id.account_type', '=', 'liability_payable'),
                ('reconciled', '=', False),
            ],
            ['move_id', 'account_id', 'currency_id', 'amount_residual_currency', 'date', 'date_maturity'],
        )
        entities = self._get_entry_entities(connection, open_lines.move_id) if open_lines else {}
        known = set(entities.values())
        groups = {}
        for line in open_lines:
            # A manual item belongs to the only entity. If there are several, its entity is not known.
            entity = entities.get(line.move_id.id, next(iter(known)) if len(known) == 1 else False)
            if entity is not False:
                groups.setdefault((entity, line.account_id, line.currency_id), self.env['account.move.line'])
                groups[entity, line.account_id, line.currency_id] |= line
        return groups

    def _get_entry_entities(self, connection, moves):
        """Return the Ramp entity of each entry that came from Ramp.

        The entries are found by Ramp id, because their rows may not name them yet.

        :return: {move id: Ramp entity id}
        """
        self.env['account.payment'].flush_model(['move_id', 'ramp_id'])
        self.env['account.move'].flush_model(['ramp_id'])
        return dict(
            self.env.execute_query(
                SQL(
                    """
            SELECT m.id, r.ramp_entity_id FROM account_move m
              JOIN ramp_record r ON r.connection_id = %(connection)s AND r.flow = 'statement' AND r.ramp_id = m.ramp_id
             WHERE m.id = ANY(%(moves)s)
            UNION ALL
            SELECT p.move_id, r.ramp_entity_id FROM account_payment p
              JOIN ramp_record r ON r.connection_id = %(connection)s AND r.flow = 'transfer' AND r.ramp_id = p.ramp_id
             WHERE p.move_id = ANY(%(moves)s)
            """,
                    connection=connection.id,
                    moves=moves.ids,
                )
            )
        )
