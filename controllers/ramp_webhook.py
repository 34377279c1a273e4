# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import logging
from functools import partial

import psycopg2

from odoo import SUPERUSER_ID
from odoo.exceptions import ConcurrencyError
from odoo.http import Controller, request, route
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY

_logger = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024  # an event of Ramp has a few hundred bytes


class RampWebhook(Controller):
    # There is no session and no user. The signature decides what the caller may do.
    @route(
        '/ramp_connector/webhook/<uuid:token>',
        type='http',
        auth='none',
        methods=['POST'],
        csrf=False,
        save_session=False,
        readonly=False,
        max_content_length=MAX_BYTES,
    )
    def receive(self, token, **_ignored):
        """Receive an event from Ramp.

        Ramp takes 2xx as delivered, drops the event at 3xx and 4xx, and sends it again later at 5xx. So a genuine event
        never gets a 4xx, and a failure of ours is a 503. The jobs do the work.
        """
        # PostgreSQL is down. Only with this module in `server_wide_modules` does Odoo get here. Else it answers 404.
        if not request.db:
            return request.make_response('', status=503)
        cron = request.env(user=SUPERUSER_ID)['ir.cron']
        try:
            # The body is cached, because a retried transaction reads it again.
            body = request.httprequest.get_data(cache=True)
            status, wakes = cron.env['ramp.webhook']._receive_request(str(token), body, request.httprequest.headers)
        except (*PG_CONCURRENCY_EXCEPTIONS_TO_RETRY, ConcurrencyError):
            raise  # Odoo retries the request
        except Exception:
            _logger.exception('An event of Ramp could not be taken; Ramp sends it again')
            request.env.cr.rollback()
            status, wakes = 503, False
        response = request.make_response('', status=status)
        if wakes:
            # This runs after the answer, on a database connection of its own. So Ramp does not wait.
            response.call_on_close(partial(_wake_jobs, cron))
        return response


def _wake_jobs(cron):
    try:
        cron._notifydb()
    except psycopg2.Error as error:
        _logger.warning('The jobs could not be woken (%s); they look for work within a minute', type(error).__name__)
