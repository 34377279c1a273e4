# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import uuid

from odoo import api, models
from odoo.exceptions import UserError

from .connection_constants import IDENTITY_PARAMETER


class RampConnection(models.Model):
    """Which database this is: told from its copies, which ask Ramp nothing, and named towards Ramp."""

    _inherit = 'ramp.connection'

    # ------------------------------------------------------------------ a copy of the database

    @api.depends('database')
    def _compute_is_copy(self):
        here = self._database()
        for connection in self:
            connection.is_copy = bool(connection.database) and connection.database != here

    @api.model
    def _database(self):
        """What tells this database from its copies: Odoo gives those that it makes another uuid, and others have
        another name.
        """
        # no secret, and asked for on behalf of anybody
        return f'{self.env["ir.config_parameter"].sudo().get_param("database.uuid")} {self.env.cr.dbname}'

    def _check_database(self):
        """Raise `UserError` in a copy of the database that was connected."""
        for connection in self:
            if connection.is_copy:
                raise UserError(
                    self.env._(
                        'Connection %s: this database is a copy of the one that was connected, or got another name, '
                        'so nothing is sent to Ramp '
                        'and nothing is booked from it. If the original is gone, press "Make This the Live Database"; if '
                        'not, press Disconnect here.',
                        connection.name,
                    )
                )

    def action_claim_database(self):
        """This database takes the place of the one that was connected."""
        self._check_is_manager()
        # see action_connect
        self.sudo().database = self._database()
        self._request_sync()
        return True

    # ------------------------------------------------------------------ the name towards Ramp

    @api.model
    def _database_identity(self):
        """Eight characters that name this database towards Ramp, made once and kept for good.

        They are part of the id under which every account and analytic account is known in Ramp: another database that
        later takes the seat must not mistake our account 57 for its own. Not the database's uuid: that one changes
        when a database is restored, and what people picked in Ramp must not.
        """
        # Any user's action may need the identity first, and it is no secret.
        parameters = self.env['ir.config_parameter'].sudo()
        # made in a moment, another transaction has committed it and this one may not see it: it is kept beside, till
        # its end
        identity = self.env.cr.cache.get(IDENTITY_PARAMETER) or parameters.get_param(IDENTITY_PARAMETER)
        if not identity:
            identity = self.env.cr.cache[IDENTITY_PARAMETER] = self._make_database_identity()
        return identity

    @api.model
    def _name_database(self):
        """Make the identity, if there is none, in this transaction: an installation or an upgrade, during which no
        other one may write.
        """
        parameters = self.env['ir.config_parameter'].sudo()  # see _database_identity
        if not parameters.get_param(IDENTITY_PARAMETER):
            parameters.set_param(IDENTITY_PARAMETER, uuid.uuid4().hex[:8])

    @api.model
    def _make_database_identity(self):
        """Make the identity and commit it, whatever becomes of the caller: Ramp knows the name of a seat for good.

        This is for a database in which somebody deleted what `_name_database` made.
        """
        with self.env.registry.cursor() as cr:
            cr.execute(
                "SET LOCAL lock_timeout = '10s'"
            )  # the caller may have deleted it: nobody is to wait for himself
            cr.execute(
                """
                INSERT INTO ir_config_parameter (key, value, create_date, write_date) VALUES (%s, %s, now(), now())
                ON CONFLICT (key) DO UPDATE SET value = COALESCE(NULLIF(ir_config_parameter.value, ''), EXCLUDED.value)
                RETURNING value
                """,
                (IDENTITY_PARAMETER, uuid.uuid4().hex[:8]),
            )
            identity = cr.fetchone()[0]
        self.env.registry.clear_cache('stable')  # in which it is missing
        return identity
