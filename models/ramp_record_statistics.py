# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import logging

import psycopg2

from odoo import api, models
from odoo.tools import SQL

from .dry_run_cursor import is_dry_run

_logger = logging.getLogger(__name__)

# Tables that every posted object writes to
FILLED_TABLES = (
    'ramp_record',
    'hr_expense',
    'account_move',
    'account_move_line',
    'account_analytic_line',
    'account_payment',
    'account_partial_reconcile',
)
# Fewer changes than this are not worth an ANALYZE
FEW_CHANGES = 1000


class RampRecord(models.Model):
    """PostgreSQL's statistics of the tables that a first backfill fills."""

    _inherit = 'ramp.record'

    @api.model
    def _refresh_statistics(self):
        """Refresh PostgreSQL's statistics of the tables that a first backfill has filled since the last ANALYZE.

        Autovacuum does so, too, but minutes later. Until then, PostgreSQL plans for tables that were nearly empty. This
        never waits for a lock and never fails: without the right to run ANALYZE, nothing happens. A dry run leaves them
        alone, because part of what ANALYZE stores is not rolled back.
        """
        if is_dry_run(self.env):
            return
        try:
            with self.env.cr.savepoint(flush=False):
                self.env.cr.execute(
                    SQL(
                        """
                    SELECT s.relname FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
                     WHERE s.schemaname = current_schema() AND s.relname = ANY(%s) AND pg_has_role(c.relowner, 'USAGE')
                       AND s.n_mod_since_analyze > %s + 2 * s.n_live_tup
                    """,
                        list(FILLED_TABLES),
                        FEW_CHANGES,
                    ),
                    log_exceptions=False,
                )
                for [table] in self.env.cr.fetchall():
                    self.env.cr.execute(SQL('ANALYZE (SKIP_LOCKED) %s', SQL.identifier(table)), log_exceptions=False)
        except psycopg2.Error as error:
            _logger.info('The planner statistics were not refreshed: %s', type(error).__name__)
