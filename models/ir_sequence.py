# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models
from odoo.tools import SQL

from .dry_run_cursor import is_dry_run


def _foresee_number(env, name):
    """Return the number that a sequence of PostgreSQL would give, without using it up.

    PostgreSQL does not roll back what a sequence gave. So a dry run counts on by itself.

    :param name: name of the sequence in the database
    """
    [(last, step, is_called)] = env.execute_query(
        SQL(
            """
            SELECT s.last_value, p.increment_by, s.is_called FROM %s s, pg_sequences p
             WHERE p.schemaname = current_schema() AND p.sequencename = %s
            """,
            SQL.identifier(name),
            name,
        )
    )
    given = env.cr.numbers[name]
    env.cr.numbers[name] += 1
    return last + step * (given + bool(is_called))


class IrSequence(models.Model):
    """A dry run uses no number up."""

    _inherit = 'ir.sequence'

    def _next_do(self):
        """EXTENDS: Foresee the number in a dry run."""
        if is_dry_run(self.env) and self.implementation == 'standard':
            return self.get_next_char(_foresee_number(self.env, f'ir_sequence_{self.id:03d}'))
        return super()._next_do()


class IrSequenceDateRange(models.Model):
    """A dry run uses no number up."""

    _inherit = 'ir.sequence.date_range'

    def _next(self):
        """EXTENDS: Foresee the number in a dry run."""
        sequence = self.sequence_id
        if is_dry_run(self.env) and sequence.implementation == 'standard':
            return sequence.get_next_char(_foresee_number(self.env, f'ir_sequence_{sequence.id:03d}_{self.id:03d}'))
        return super()._next()
