# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import logging

from .flows.engine.flow import is_of_object

_logger = logging.getLogger(__name__)


def post_init_hook(env):
    """Name this database before anybody connects.

    Ramp keeps the name for good, even if the transaction that made it is rolled back.
    """
    env['ramp.connection']._name_database()


def uninstall_hook(env):
    """Give the accounting integration in Ramp back, so that the next system can take it.

    The documents of the business stay.
    """
    # Archived connections are disconnected, except those that an earlier version left connected.
    for connection in env['ramp.connection'].with_context(active_test=False).search([('state', '=', 'connected')]):
        try:
            failure = connection._leave_ramp()
        except Exception as error:
            # The module can be uninstalled even if Ramp cannot be reached or answers nonsense.
            if not is_of_object(error):
                raise
            failure = f'The accounting integration of {connection.name} could not be given back: {error}'
        connection.state = 'disconnected'  # the last connection to leave gives a shared seat back
        if failure:
            _logger.warning('%s', failure)
    if env['ramp.record'].search_count([('res_id', '!=', False)], limit=1):
        # The books refer to these records. They belong to the business now, and Odoo must not try to delete them.
        env['ir.model.data'].search(
            [('module', '=', 'ramp_connector'), ('model', 'in', ('res.partner', 'product.product', 'product.template'))]
        ).unlink()
