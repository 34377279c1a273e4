# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import defaultdict
from typing import NamedTuple

from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools import SQL


class EntryPair(NamedTuple):
    """An entry of an accrual with its reversal, and whether each of the two still counts in the books.

    An entry counts if it is posted, and no other posted entry reverses it.
    """

    accrual_id: int
    move_id: int | None
    reversal_id: int | None
    is_active: bool
    count: int
    amount: float
    spend: float  # the part of the amount that is card spend
    currency_id: int
    entity: str | None
    is_posted: bool
    is_reversed: bool
    # what the two have on the accrued liability, and whether they are on days of their own months
    owed: float
    owed_back: float
    has_own_days: bool
    # objects that are posted in the month, or before it, as well
    twice: int

    @property
    def is_in_force(self):
        return self.is_posted and self.is_reversed

    @property
    def is_void(self):
        return not (self.is_posted or self.is_reversed)


class RampAccrualStanding(models.Model):
    """What became of the entries of an accrual: whether they are in force, undone, or need attention."""

    _inherit = 'ramp.accrual'

    # ------------------------------------------------------------------ what became of the entries

    @api.model
    def _entry_counts(self, move, but_not_by):
        """Return the SQL condition that an entry is posted and not reversed.

        :param move: SQL of the id of the entry
        :param but_not_by: SQL of the id of a reversal that does not count
        """
        return SQL(
            """
            EXISTS (SELECT FROM account_move m WHERE m.id = %(move)s AND m.state = 'posted'
                       AND NOT EXISTS (SELECT FROM account_move x WHERE x.reversed_entry_id = m.id AND x.state = 'posted'
                                          AND x.id IS DISTINCT FROM %(other)s))
            """,
            move=move,
            other=but_not_by,
        )

    @api.model
    def _pairs_query(self, where):
        """Return the SELECT of `EntryPair`s.

        :param where: SQL condition on `a`, the accrual
        """
        return SQL(
            """
            SELECT p.accrual_id, p.move_id, p.reversal_id, p.is_active, p.count, p.amount, p.spend, p.currency_id, p.entity,
                   %(posted)s, %(reversed)s,
                   COALESCE((SELECT -sum(i.amount_currency) FROM account_move_line i
                              WHERE i.move_id = p.move_id AND i.account_id = p.account_id), 0),
                   COALESCE((SELECT -sum(i.amount_currency) FROM account_move_line i
                              WHERE i.move_id = p.reversal_id AND i.account_id = p.account_id), 0),
                   COALESCE((SELECT date_trunc('month', m.date)::date = p.month AND v.date >= p.month + interval '1 month'
                               FROM account_move m, account_move v WHERE m.id = p.move_id AND v.id = p.reversal_id), TRUE),
                   p.twice
              FROM (SELECT l.accrual_id, l.move_id, l.reversal_id, l.is_active, l.currency_id, l.ramp_entity_id AS entity, l.month,
                           a.liability_account_id AS account_id, count(*) AS count, sum(l.amount) AS amount,
                           COALESCE(sum(l.amount) FILTER (WHERE r.flow = 'transaction'), 0) AS spend,
                           count(*) FILTER (WHERE d.id IS NOT NULL) AS twice
                      FROM ramp_accrual a JOIN ramp_accrual_line l ON l.accrual_id = a.id AND l.is_included
                      JOIN ramp_record r ON r.id = l.record_id
                      LEFT JOIN account_move d ON r.res_model = 'account.move' AND d.id = r.res_id AND d.state = 'posted'
                           AND d.date < l.month + interval '1 month'
                     WHERE a.state = 'posted' AND %(where)s
                     GROUP BY l.accrual_id, l.move_id, l.reversal_id, l.is_active, l.currency_id, l.ramp_entity_id, l.month,
                              a.liability_account_id) p
             ORDER BY p.accrual_id, p.move_id
            """,
            posted=self._entry_counts(SQL('p.move_id'), SQL('p.reversal_id')),
            reversed=self._entry_counts(SQL('p.reversal_id'), SQL('NULL')),
            where=where,
        )

    def _flush_entries(self):
        for model in ('ramp.accrual', 'ramp.accrual.line', 'ramp.record', 'account.move', 'account.move.line'):
            self.env[model].flush_model()

    def _list_entry_pairs(self, where=None):
        """Return the pairs of entries, as {accrual id: [`EntryPair`]}.

        :param where: SQL condition on `a`, the accrual; default: those of this recordset
        """
        self._flush_entries()
        found = defaultdict(list)
        for row in self.env.execute_query(self._pairs_query(where or SQL('a.id = ANY(%s)', self.ids))):
            found[row[0]].append(EntryPair(*row))
        return found

    def _describe_pair_fault(self, pair):
        """Return what is wrong with a pair of entries, and the remedy; None if it is in force or undone."""
        move, reversal = (self.env['account.move'].browse(identity) for identity in pair[1:3])
        names = {
            'move': move.name or self.env._('The accrual entry'),
            'reversal': reversal.name or self.env._('its reversal'),
        }
        currency = self.env['res.currency'].browse(pair.currency_id)
        if pair.is_void:
            return None
        if not pair.is_active:
            return self.env._('%(move)s or %(reversal)s was posted again after it was undone. Cancel both.', **names)
        if not pair.is_posted:
            return self.env._(
                '%(move)s no longer counts: it is a draft, cancelled, reversed or deleted. But %(reversal)s does. Post '
                'the entry again, or press Undo on the accrual.',
                **names,
            )
        if not pair.is_reversed:
            return self.env._(
                '%(move)s counts, but %(reversal)s no longer does: it is a draft, cancelled, reversed or deleted. Post '
                'the reversal again, or press Undo on the accrual.',
                **names,
            )
        if pair.twice:
            return self.env._(
                'Objects that %(move)s accrues and that are posted in that month as well: %(count)s. Move their '
                'entries to the day of %(reversal)s, or press Undo on the accrual.',
                count=pair.twice,
                **names,
            )
        if (
            currency.compare_amounts(pair.owed, pair.amount)
            or currency.compare_amounts(pair.owed_back, -pair.amount)
            or not pair.has_own_days
        ):
            return self.env._(
                '%(move)s or %(reversal)s was edited. Correct the amount and the day, or press Undo on the accrual.',
                **names,
            )
        return None

    @api.model
    def _release_undone(self, connection, month):
        """Let objects be accrued again whose accrual was undone by hand.

        :raise UserError: if an accrual of the month is neither in force nor undone; names the entry and the remedy
        """
        accruals = self.search([('connection_id', '=', connection.id), ('month', '=', month), ('state', '=', 'posted')])
        pairs = accruals._list_entry_pairs() if accruals else {}
        for accrual in accruals:
            void = [pair for pair in pairs.get(accrual.id, ()) if pair.is_void and pair.is_active]
            for pair in void:
                accrual._release_pair(pair)
            for pair in pairs.get(accrual.id, ()):
                if pair not in void and (fault := accrual._describe_pair_fault(pair)):
                    raise UserError(self.env._('%(accrual)s: %(reason)s', accrual=accrual.display_name, reason=fault))

    def _release_pair(self, pair):
        """Let the objects of a pair that no longer counts be accrued again. What is a draft is cancelled for good."""
        lines = self.line_ids.filtered(lambda line: (line.move_id.id, line.reversal_id.id) == pair_key(pair))
        (lines.move_id + lines.reversal_id).filtered(lambda move: move.state == 'draft').button_cancel()
        # sudo: people do not write whether an object is accrued. What became of the entries says it.
        lines.sudo().is_active = False


def pair_key(pair):
    return pair.move_id or False, pair.reversal_id or False
