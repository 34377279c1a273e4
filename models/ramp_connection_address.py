# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import re
from urllib.parse import urlsplit

from odoo import api, models
from odoo.exceptions import AccessError, UserError, ValidationError

PLAIN_HOST = re.compile(r'[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]')


class RampConnection(models.Model):
    """The address of Ramp's API.

    The client id and secret are sent to it, so the address is checked. Once the ledger has rows from an address, it
    cannot change.
    """

    _inherit = 'ramp.connection'

    def _check_address_change(self, vals):
        """Raise an error if the user may not change the address, or if the connection may not change it now.

        The client id and secret are sent to this address. So only users who may read them may set it. The integration
        stays at the address where it was taken.

        :raise AccessError: for users other than system administrators
        :raise UserError: if the connection is connected or has ledger rows
        """
        if self.env.su:
            return
        if (vals.get('api_url') or vals.get('environment') == 'custom') and not self.env.user.has_group(
            'base.group_system'
        ):
            raise AccessError(
                self.env._(
                    'Only a system administrator may set the API address of a Ramp connection or the environment '
                    '"Custom address", because the client id and secret are sent there. Choose the environment '
                    '"Production" or "Sandbox", or ask a system administrator.'
                )
            )
        for connection in self:
            moves = any(
                name in vals and (vals[name] or False) != connection[name] for name in ('environment', 'api_url')
            )
            if moves and connection._has_ledger_rows():
                raise UserError(
                    self.env._(
                        'Connection %s has records of its Ramp business that are valid nowhere else, so its '
                        'environment and API address cannot change. Create a new connection for the other address. '
                        'Press Disconnect here and archive this one.',
                        connection.name,
                    )
                )
            if moves and connection.state == 'connected':
                raise UserError(
                    self.env._(
                        'Connection %s is connected. Press Disconnect before you change its environment or API '
                        'address.',
                        connection.name,
                    )
                )
            # The administrator who keeps the secret on the server meant the connection of this company
            if (
                'company_id' in vals
                and vals['company_id'] != connection.company_id.id
                and any(connection.sudo()._server_credentials())
                and not self.env.user.has_group('base.group_system')
            ):
                raise AccessError(
                    self.env._(
                        'The client id and secret of connection %s are kept on the server for its company. Only a '
                        'system administrator may move it to another company. You can create a new connection there '
                        'instead.',
                        connection.name,
                    )
                )

    @api.constrains('environment', 'api_url')
    def _check_api_url(self):
        for connection in self.filtered(lambda connection: connection.environment == 'custom'):
            fault = connection._api_address_fault()
            if fault:
                raise ValidationError(
                    self.env._(
                        'Connection %(name)s, field "API Address": %(fault)s Write it like '
                        'https://ramp-proxy.example.com/developer/v1 (or '
                        'http://).',
                        name=connection.name,
                        fault=fault,
                    )
                )

    def _api_address_fault(self):
        """Return a sentence that says what is wrong with the API address, or False."""
        address = self.api_url or ''
        if not address.startswith(('https://', 'http://')):
            return self.env._('The environment "Custom address" needs an address that starts with https://.')
        if not address.isascii() or not address.isprintable() or ' ' in address or '\\' in address:
            return self.env._(
                'It contains spaces or letters other than a to z. Write a name in another script as xn--...'
            )
        try:
            parts = urlsplit(address)
            host, port = parts.hostname or '', parts.port
        except ValueError:
            return self.env._('Its host or port cannot be read. A port is a number from 1 to 65535.')
        if '@' in parts.netloc:
            return self.env._('It contains a user name or a password. Only the client id and secret are sent to Ramp.')
        # Take the netloc as written, because urlsplit removes the brackets of an IPv6 address
        if (
            not PLAIN_HOST.fullmatch(
                parts.netloc.lower().rpartition(':')[0] if port is not None else parts.netloc.lower()
            )
            or '..' in host
        ):
            return self.env._('Its host cannot be read.')
        if port == 0 or parts.netloc.endswith(':'):
            return self.env._('Its host or port cannot be read. A port is a number from 1 to 65535.')
        if parts.query or parts.fragment or '?' in address or '#' in address:
            return self.env._('It must end with the path, without "?" or "#".')
        return False
