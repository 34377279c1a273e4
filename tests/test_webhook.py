# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo.tests import HttpCase, tagged

from .common import RampCase


@tagged('post_install', '-at_install', 'ramp')
class WebhookCase(RampCase, HttpCase):
    def setUp(self):
        super().setUp()
        self.sender = self.ramp.webhooks
        self.sender.hold()
        self.base = self.base_url()
        self.env['ir.config_parameter'].set_param('web.base.url', self.base)


class TestSubscription(WebhookCase):
    def test_handshake(self):
        self.connection.use_webhooks = True
        self.sync('webhook')
        print(self.connection.webhook_state, self.connection.webhook_message, self.ramp.state['webhooks'], self.sender.pending)
        with self.allow_requests(all_requests=True):
            print(self.sender.deliver())
        self.sync('webhook', now=False)
        print(self.connection.webhook_state, self.connection.webhook_message)
        self.assertEqual(self.connection.webhook_state, 'active')
