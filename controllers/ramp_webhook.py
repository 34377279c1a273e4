# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import logging

from odoo import http
from odoo.http import request

from ..ramp_api import PayloadError, read_event, verify

_logger = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024  # Ramp's events are a few hundred


class RampWebhook(http.Controller):

    @http.route('/ramp_connector/webhook/<string:token>', type='http', auth='public', methods=['POST'], csrf=False, save_session=False)
    def receive(self, token):
        """An event from Ramp: is it Ramp, is it new? The jobs do the rest. Answers as Ramp understands: 2xx taken, 5xx send it again.

        What is not signed with our secret is refused, whoever sent it. A verification alone is not signed: it is taken only while
        one is expected, and does nothing but be told back to Ramp.
        """
        try:
            return request.make_response('', status=self._receive(token))
        except Exception:
            # ours to mend: Ramp sends it again
            request.env.cr.rollback()
            _logger.exception('A webhook of Ramp could not be taken')
            return request.make_response('', status=503)

    def _receive(self, token):
        length = request.httprequest.content_length
        if length is None or length > MAX_BYTES:
            return 413
        body = request.httprequest.get_data(cache=False)
        # whoever asks is nobody: what he may do, the signature says
        connection = request.env['ramp.connection'].sudo()._of_webhook(token)
        if not connection:
            return 404
        is_signed = verify(connection.webhook_secret or '', body, request.httprequest.headers)
        try:
            event = read_event(body)
        except PayloadError:
            # signed and not understood is Ramp's own affair, and is not sent again
            return 202 if is_signed else 401
        if event.is_verification:
            return connection._webhook_challenged(event.challenge)
        if not is_signed:
            return 401
        request.env['ramp.event'].sudo()._receive(connection, event)
        return 204
