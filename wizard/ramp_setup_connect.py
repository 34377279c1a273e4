# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.exceptions import UserError

# The longest time that the preview may take: a person waits
PREVIEW_SECONDS = 60


class RampSetup(models.TransientModel):
    """The last steps: the preview, Connect, and the checklist of what is left."""

    _inherit = 'ramp.setup'

    preview = fields.Json(string='Preview Result', readonly=True, prefetch=False)
    preview_page = fields.Html(compute='_compute_preview_page', sanitize=False)
    preview_summary = fields.Char(compute='_compute_preview_page')
    preview_message = fields.Text(readonly=True)
    preview_failure = fields.Text(readonly=True)
    connect_summary = fields.Html(compute='_compute_connect_summary', sanitize=False)
    check_ids = fields.One2many(related='connection_id.check_ids')
    check_summary = fields.Char(related='connection_id.check_summary')

    # ------------------------------------------------------------------ preview

    def _enter_preview(self):
        self.write({'preview': False, 'preview_message': False, 'preview_failure': False})

    def action_preview(self):
        """Show what the first synchronization would post, by a dry run. Nothing remains, in Odoo or in Ramp."""
        self.ensure_one()
        self._check_may_set_up()
        self._check_is_ready()
        wanted = {
            'connection_id': self.connection_id.id,
            'connection_values': {'name': self.connection_id.name or self.env._('Ramp'), **self._connection_values()},
            'record_id': False,
            'flow': False,
            'date_from': False,
            'date_to': False,
            'lang': self.env.lang,
            'seconds': PREVIEW_SECONDS,
        }
        # sudo: the dry run reads and undoes in superuser mode, for whoever may connect (checked above)
        values, failure = self.env['ramp.dry.run'].sudo()._try_dry(wanted, self._draft_connection())
        self.write(
            {
                'preview': values and values['result'],
                'preview_message': values and values['is_incomplete'] and values['message'],
                'preview_failure': failure,
            }
        )
        return True

    @api.depends('preview')
    @api.depends_context('lang')
    def _compute_preview_page(self):
        Dry = self.env['ramp.dry.run']
        for setup in self:
            setup.preview_page = setup.preview and Dry._render_result(setup.preview, setup.company_id)
            setup.preview_summary = setup.preview and Dry._summarize_result(setup.preview)

    # ------------------------------------------------------------------ connect

    def _check_is_ready(self):
        if self.state != 'preview':
            raise UserError(self.env._('Go through the steps first. Nothing is taken or sent before the last one.'))
        self._check_features()
        self._leave_entity()
        self._leave_books()
        self._leave_offers()
        self._leave_start()

    @api.depends('state', 'holder_state', 'entity_policy', 'entity_id', 'card_journal_id', 'start_date')
    @api.depends_context('lang')
    def _compute_connect_summary(self):
        for setup in self:
            setup.connect_summary = setup.state == 'preview' and self.env['ir.qweb']._render(
                'ramp_connector.setup_connect_summary', {'setup': setup}
            )

    def action_connect(self):
        """Make the connection with everything that was chosen, and press Connect. This is the last step.

        If it fails, nothing of it remains in Odoo.

        :return: action that runs the configuration check, in a transaction of its own
        """
        self.ensure_one()
        self._check_may_set_up()
        self._check_is_ready()
        credentials = {**self._credential_values(), **self._sign_in_values()}
        values = {name: value for name, value in self._connection_values().items() if name not in credentials}
        connection = self.connection_id
        if connection:
            kept = connection._convert_to_write({name: connection[name] for name in values})
            connection.write({name: value for name, value in values.items() if value != kept[name]})
        else:
            connection = connection.create(values)
        # sudo: only system administrators may read these fields, or nobody. Whoever connects has entered them.
        connection.sudo().write(credentials)
        connection.action_connect()
        self.write({'connection_id': connection.id, 'state': 'done', 'preview': False})
        self._forget_secrets()
        # In a request of its own: the check asks Ramp, and Connect has changed rows that others wait for
        return {
            **self.env['ir.actions.actions']._for_xml_id('ramp_connector.ramp_setup_action_check'),
            'context': {'active_model': self._name, 'active_id': self.id, 'active_ids': self.ids},
        }

    # ------------------------------------------------------------------ checklist

    def action_check(self):
        """Check the configuration of the new connection, and show what is left to do."""
        self.ensure_one()
        self._check_may_set_up()
        if self.state != 'done':
            raise UserError(self.env._('Press Connect first.'))
        self.connection_id.action_test_connection()
        return {
            **self.env['ir.actions.act_window']._for_xml_id('ramp_connector.ramp_setup_action'),
            'res_id': self.id,
            'target': 'main',
        }

    def action_open_connection(self):
        """Open the connection that was set up."""
        self.ensure_one()
        self._check_may_set_up()
        return self.connection_id._get_records_action(name=self.env._('Ramp Connections'), target='main')

    def action_open_dashboard(self):
        """Open the dashboard of the connection that was set up."""
        self.ensure_one()
        self._check_may_set_up()
        action = self.env['ir.actions.client']._for_xml_id('ramp_connector.ramp_dashboard_action')
        return {**action, 'context': {'active_id': self.connection_id.id}, 'target': 'main'}
