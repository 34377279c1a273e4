# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import os

from odoo import SUPERUSER_ID, api
from odoo.tools import config


def migrate(cr, version):
    """The name of this database towards Ramp is there before anybody connects; the job of the seat's settings begins.

    Credentials that the server keeps belong to one connection of one database now: whoever has them under the names of
    before is told. A connection learns its Ramp business in its next run.
    """
    env = api.Environment(cr, SUPERUSER_ID, {'active_test': False})
    connections = env['ramp.connection'].search([])
    connections._name_database()
    connections._switch_crons()
    for connection in connections.filtered(lambda item: not item.has_credentials and _kept_before(item.id)):
        client_id, client_secret = connection._server_names()
        connection.message_post(
            body=env._(
                "The client id and secret in the server's environment or configuration file are no longer used under "
                'their current names, because they were sent for every connection, to any address. Rename them to '
                '%(client_id)s and %(client_secret)s (in the configuration file: the same in lower case). A custom '
                'address uses only what is entered on the connection.',
                client_id=client_id,
                client_secret=client_secret,
            )
        )


def _kept_before(connection_id):
    """Whether the server keeps a secret under one of the names that earlier versions took."""
    names = ('ramp_client_secret', f'ramp_client_secret_{connection_id}')
    return any(os.environ.get(name.upper()) or config.get(name) for name in names)
