# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import logging

from .flows.engine.flow import is_of_object

_logger = logging.getLogger(__name__)


def post_init_hook(env):
    """Name this database before anybody connects: Ramp keeps the name for good, even if what made it is rolled back."""
    env['ramp.connection']._name_database()


def uninstall_hook(env):
    """Give the accounting integration in Ramp back, so that the next system can take it. The business's documents stay."""
    # archived ones are not connected any more, unless an earlier version let them
    for connection in env['ramp.connection'].with_context(active_test=False).search([('state', '=', 'connected')]):
        try:
            failure = connection._leave_ramp()
        except Exception as error:
            # an unreachable Ramp, or one that answers nonsense, must not keep the module installed
            if not is_of_object(error):
                raise
            failure = f'The accounting integration of {connection.name} could not be given back: {error}'
        connection.state = 'disconnected'  # the last one to leave gives a shared seat back
        if failure:
            _logger.warning('%s', failure)
    if env['ramp.record'].search_count([('res_id', '!=', False)], limit=1):
        # The books refer to them: they are the business's from now on, and Odoo must not try to delete them.
        env['ir.model.data'].search(
            [('module', '=', 'ramp_connector'), ('model', 'in', ('res.partner', 'product.product', 'product.template'))]
        ).unlink()
