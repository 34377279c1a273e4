# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import uuid

from odoo import api, models
from odoo.exceptions import UserError

from .connection_constants import IDENTITY_PARAMETER


class RampConnection(models.Model):
    """The identity of this database: how it differs from its copies, which never contact Ramp, and its name in Ramp."""

    _inherit = 'ramp.connection'

    # ------------------------------------------------------------------ copies of the database

    @api.depends('database')
    def _compute_is_copy(self):
        here = self._database()
        for connection in self:
            connection.is_copy = bool(connection.database) and connection.database != here

    @api.model
    def _database(self):
        """Return the uuid and name of this database, which tell it from its copies.

        A copy made by Odoo has another uuid; other copies have another name.
        """
        # sudo: the uuid is no secret, and any user's action may need it
        return f'{self.env["ir.config_parameter"].sudo().get_param("database.uuid")} {self.env.cr.dbname}'

    def _check_database(self):
        """Raise `UserError` in a copy of the database that was connected."""
        for connection in self:
            if connection.is_copy:
                raise UserError(
                    self.env._(
                        'Connection %s: this database is a copy of the one that was connected, or was renamed. So '
                        'nothing is sent to Ramp, and nothing from Ramp is posted. If the original no longer exists, '
                        'press "Make This the Live Database". If it does, press Disconnect here.',
                        connection.name,
                    )
                )

    def action_claim_database(self):
        """Make this database the connected one, in place of the original."""
        self._check_is_manager()
        # sudo: see action_connect
        self.sudo().database = self._database()
        self._request_sync()
        return True

    # ------------------------------------------------------------------ the name in Ramp

    @api.model
    def _database_identity(self):
        """Return the eight characters that name this database in Ramp; they are made once and never change.

        They are part of the id of every account and analytic account in Ramp. So another database that takes the
        integration later cannot mistake our account 57 for its own. The uuid of the database would not do: it changes
        when a database is restored, and the options that people picked in Ramp must not change.
        """
        # sudo: any user's action may be the first to need the identity, and it is no secret.
        parameters = self.env['ir.config_parameter'].sudo()
        # A new identity is committed by another transaction, and this one may not see it. So it is kept in the cache
        # until this transaction ends.
        identity = self.env.cr.cache.get(IDENTITY_PARAMETER) or parameters.get_param(IDENTITY_PARAMETER)
        if not identity:
            identity = self.env.cr.cache[IDENTITY_PARAMETER] = self._make_database_identity()
        return identity

    @api.model
    def _name_database(self):
        """Make the identity in this transaction, if there is none.

        This runs in an installation or an upgrade, when no other transaction may write.
        """
        # sudo: see _database_identity
        parameters = self.env['ir.config_parameter'].sudo()
        if not parameters.get_param(IDENTITY_PARAMETER):
            parameters.set_param(IDENTITY_PARAMETER, uuid.uuid4().hex[:8])

    @api.model
    def _make_database_identity(self):
        """Make the identity and commit it in a transaction of its own, because Ramp keeps the name for good.

        This is for a database in which somebody deleted the identity that `_name_database` made.
        """
        with self.env.registry.cursor() as cr:
            # The caller may have deleted the parameter; without a timeout, this process would wait for itself.
            cr.execute("SET LOCAL lock_timeout = '10s'")
            cr.execute(
                """
                INSERT INTO ir_config_parameter (key, value, create_date, write_date) VALUES (%s, %s, now(), now())
                ON CONFLICT (key) DO UPDATE SET value = COALESCE(NULLIF(ir_config_parameter.value, ''), EXCLUDED.value)
                RETURNING value
                """,
                (IDENTITY_PARAMETER, uuid.uuid4().hex[:8]),
            )
            identity = cr.fetchone()[0]
        # The identity is missing in this cache
        self.env.registry.clear_cache('stable')
        return identity
