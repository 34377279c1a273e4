# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import logging

from .flows.flow import is_of_object
from .ramp_api import RampError

_logger = logging.getLogger(__name__)


def uninstall_hook(env):
    """Give the accounting seat in Ramp back, so that the next system can take it. The business's documents stay."""
    # archived ones are not connected any more, unless an earlier version let them
    for connection in env['ramp.connection'].with_context(active_test=False).search([('state', '=', 'connected')]):
        try:
            connection._release_seat()
            connection.state = 'disconnected'  # the last one to leave gives a shared seat back
        except Exception as error:
            # an unreachable Ramp, or one that answers nonsense, must not keep the module installed
            if not isinstance(error, RampError) and not is_of_object(error):
                raise
            _logger.warning('The accounting seat of %s could not be given back: %s', connection.name, error)
    if env['ramp.record'].search_count([('res_id', '!=', False)], limit=1):
        # The books refer to them: they are the business's from now on, and Odoo must not try to delete them.
        env['ir.model.data'].search([
            ('module', '=', 'ramp_connector'), ('model', 'in', ('res.partner', 'product.product', 'product.template'))]).unlink()
