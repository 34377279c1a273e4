# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import timedelta

from odoo import api, fields, models

# Sign-ins that no connection uses: somebody has not finished the set-up
KEEP_UNUSED = timedelta(days=1)
GC_BATCH = 100


class RampSignIn(models.Model):
    """The refresh token of a person who signed in to Ramp. No user may read it.

    It is in a table of its own, because Ramp may replace it at any time: `SignInKeeper` writes it in a transaction of
    its own, and must not wait for a job that has changed its connection.
    """

    _name = 'ramp.sign.in'
    _description = 'Sign-In to Ramp'

    # Empty: the connection was disconnected, and somebody has to sign in again
    refresh_token = fields.Char(copy=False)

    @api.model
    def _used_sign_ins(self):
        """Return the sign-ins that a connection or an assistant uses."""
        used = self.browse()
        for model in ('ramp.connection', 'ramp.setup'):
            # sudo: this is for the jobs and for whoever deletes an own assistant; nothing is shown
            Model = self.env[model].sudo().with_context(active_test=False)
            used |= Model.search([('sign_in_id', '!=', False)]).sign_in_id
        return used

    @api.autovacuum
    def _gc_sign_ins(self):
        """Delete the sign-ins that nothing uses."""
        old = self.search(
            [('create_date', '<', self.env.cr.now() - KEEP_UNUSED), ('id', 'not in', self._used_sign_ins().ids)],
            limit=GC_BATCH,
        )
        old.unlink()
