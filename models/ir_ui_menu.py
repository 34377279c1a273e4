# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models


class IrUiMenu(models.Model):
    _inherit = 'ir.ui.menu'

    def _load_menus_blacklist(self):
        """EXTENDS: Hide the first entry of the menu of Ramp, *Set Up*, once a connection is connected.

        The same entry stays in the configuration. A connection that changes clears the cache of the menus.
        """
        hidden = super()._load_menus_blacklist()
        # sudo: whether there is a connection is no secret, and the menus are those of any user
        if self.env['ramp.connection'].sudo().search_count([('state', '=', 'connected')], limit=1):
            menu = self.env.ref('ramp_connector.ramp_menu_setup_first', raise_if_not_found=False)
            hidden = [*hidden, *(menu.ids if menu else ())]
        return hidden
