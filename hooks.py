# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import logging

from .ramp_api import RampError

_logger = logging.getLogger(__name__)


def uninstall_hook(env):
    """Give the accounting seat in Ramp back, so that the next system can take it. The business's documents stay."""
    for connection in env['ramp.connection'].search([('state', '=', 'connected')]):
        try:
            connection._release_seat()
        except RampError as error:
            # an unreachable Ramp must not keep the module installed
            _logger.warning('The accounting seat of %s could not be given back: %s', connection.name, error)
