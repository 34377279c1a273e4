# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import fields, models
from odoo.exceptions import AccessError, UserError

from ..ramp_api import RampError


class RampConnection(models.Model):
    """The buttons of a connection: what they do, and who may press them."""

    _inherit = 'ramp.connection'

    # ------------------------------------------------------------------ access

    def _check_is_manager(self):
        if not self.env.su and not self.env.user.has_group('account.group_account_manager'):
            raise AccessError(self.env._('Only accounting administrators may change how Odoo is connected to Ramp.'))
        # Not for connections of other companies
        self.check_access('write')

    def _check_may_sync(self):
        self.check_access('read')
        if not self.env.su and not self.env.user.has_group('account.group_account_invoice'):
            raise AccessError(self.env._('Only accountants may synchronize with Ramp.'))
        for connection in self:
            if connection.state != 'connected':
                raise UserError(self.env._('%s is not connected to Ramp yet. Press Connect first.', connection.name))

    # ------------------------------------------------------------------ connect and disconnect

    def action_connect(self):
        """Take the accounting integration in Ramp, complete the set-up and start the synchronization."""
        self.ensure_one()
        self._check_is_manager()
        if self.state == 'connected':
            return self._notify_user('success', self.env._('Already connected'), self.name)
        if not self.active:
            raise UserError(self.env._('Connection %s is archived. Unarchive it before you press Connect.', self.name))
        self._check_may_connect()
        client = self._new_client()
        try:
            business, entities = self._set_up_for_business(client)
            # This comes last, because Ramp keeps the integration even if this transaction fails. The next Connect then
            # finds the integration by its name.
            seat = self._take_seat(client)
        except RampError as error:
            raise UserError(self._explain_error(error)) from error
        self._note_connected(seat, business, entities)
        self._switch_crons()
        self._compare_offers_again(uncertain=True)
        self._request_sync()
        return self._notify_user(
            'success',
            self.env._('Connected'),
            self.env._(
                'Odoo is now the accounting system of this Ramp business. The first synchronization has been started.'
            ),
        )

    def action_set_up(self):
        """Open the set-up assistant for this connection."""
        self.ensure_one()
        self._check_is_manager()
        if self.state == 'connected':
            raise UserError(self.env._('Connection %s is connected already. Press Disconnect first.', self.name))
        action = self.env['ir.actions.act_window']._for_xml_id('ramp_connector.ramp_setup_action')
        return {**action, 'context': {'default_connection_id': self.id}}

    def _check_may_connect(self):
        """Raise `UserError` if something has to be decided or installed before the connection can be connected."""
        self._check_existing_policy()
        self._check_chart_exists()

    def _check_existing_policy(self):
        """Raise `UserError` unless somebody has decided about what is in Ramp already. The assistant asks it, too."""
        if not self.existing_policy and (self.pull_statements or self.pull_bills):
            raise UserError(
                self.env._(
                    'Connection %(name)s: choose what happens to the card statements and vendor credits that are '
                    'already in Ramp ("%(field)s"). Ramp does not say whether another system has posted them.',
                    name=self.name,
                    field=self._fields['existing_policy']._description_string(self.env),
                )
            )

    def _set_up_for_business(self, client):
        """Complete the set-up in Odoo for the Ramp business of the credentials. Ramp is only read.

        :return: (`Business`, what `_read_entities` returns)
        :raise UserError: if the credentials belong to another business
        :raise RampError: if a request fails
        """
        business = self._ask_business(client)
        self._check_same_business(business)
        entities = self._read_entities(client)
        self._complete_set_up()
        return business, entities

    def _note_connected(self, seat, business, entities):
        """Store that the connection is connected.

        :param seat: id of the accounting connection in Ramp; False in a dry run, which takes none
        """
        # sudo: accounting administrators decide on the connection, but nobody enters the fields that hold its state
        self.sudo().write(
            {
                'state': 'connected',
                'connected_at': self.env.cr.now(),
                'accounting_connection_id': seat,
                'last_error': False,
                'database': self._database(),
                **self._business_values(business),
            }
        )
        self.sudo()._note_entities(entities)

    def action_disconnect(self):
        """Give the accounting integration back and stop the synchronization. Documents and history stay."""
        self.ensure_one()
        self._check_is_manager()
        if self.state != 'connected':
            raise UserError(self.env._('%s is not connected.', self.name))
        message = self._leave_ramp()
        if not message:
            # Otherwise, Disconnect has to be pressed again later, and needs the access
            self._sign_out()
        self._compare_offers_again()
        # sudo: see action_connect
        self.sudo().write(
            {'state': 'disconnected', 'accounting_connection_id': False, 'last_error': message, 'database': False}
        )
        self._switch_crons()
        return self._notify_user(
            'warning' if message else 'success',
            self.env._('Disconnected'),
            message
            or self.env._(
                'The accounting integration in Ramp is free again. Your documents and their history are kept.'
            ),
        )

    def action_undo_sync(self):
        """Open a new undo of what was posted since the start date."""
        self.ensure_one()
        self._check_is_manager()
        undo = self.env['ramp.undo'].create(
            {'connection_id': self.id, 'date_from': self.start_date, 'date_to': fields.Date.context_today(self)}
        )
        return undo._get_records_action()

    # ------------------------------------------------------------------ synchronize

    def action_sync_now(self):
        """Queue a synchronization, and return at once. Rows that wait after an error are tried again right away."""
        self._check_may_sync()
        self._request_sync()
        if self.env.context.get('ramp_quiet'):
            return True
        return self._notify_user(
            'success',
            self.env._('Synchronization queued'),
            self.env._('It runs in the background. This page shows its progress, and then what it did.'),
        )

    def action_read_again(self):
        """Queue a synchronization from the page of the tie-out.

        It includes the nightly check, which is one of the flows, so everything in Ramp is read.
        """
        self._check_may_sync()
        self._request_sync()
        return True

    def action_push_all(self):
        """Compare everything that Odoo offers with what Ramp has, and repair the differences."""
        self._check_is_manager()
        for connection in self:
            if connection.state != 'connected':
                raise UserError(self.env._('%s is not connected to Ramp yet. Press Connect first.', connection.name))
        self._compare_offers_again(uncertain=True)
        self._request_sync()
        return self._notify_user(
            'success',
            self.env._('Everything is compared with Ramp'),
            self.env._('It runs in the background. Only what differs is sent.'),
        )

    def action_dry_run(self):
        """Open the dialog of a dry run: what the next synchronization would post."""
        self.ensure_one()
        self.check_access('read')
        self.env['ramp.dry.run']._check_is_accountant()
        return {
            'type': 'ir.actions.act_window',
            'name': self.env._('Dry Run'),
            'res_model': 'ramp.dry.run',
            'views': [(self.env.ref('ramp_connector.ramp_dry_run_view_form_dialog').id, 'form')],
            'target': 'new',
            'context': {'default_connection_id': self.id},
        }

    # ------------------------------------------------------------------ open views

    def action_open_tie_out(self):
        self.ensure_one()
        self.check_access('read')
        action = self.env['ir.actions.client']._for_xml_id('ramp_connector.ramp_tie_out_action')
        action['context'] = {'active_id': self.id}
        return action

    def action_open_records(self):
        self.ensure_one()
        self.check_access('read')
        action = self.env['ir.actions.act_window']._for_xml_id('ramp_connector.ramp_record_action')
        filters = self.env.context.get('ramp_filters') or []
        flow = self.env.context.get('ramp_flow')
        action['context'] = {
            'search_default_connection_id': self.id,
            **{f'search_default_{name}': 1 for name in filters},
            **({'search_default_flow': flow} if flow else {}),
        }
        return action

    def action_open_causes(self):
        """Open what needs attention on this connection, by cause, with the buttons that settle it."""
        self.ensure_one()
        self.check_access('read')
        action = self.env['ir.actions.act_window']._for_xml_id('ramp_connector.ramp_cause_action')
        return {**action, 'context': {'search_default_connection_id': self.id}}

    def action_open_runs(self):
        self.ensure_one()
        self.check_access('read')
        action = self.env['ir.actions.act_window']._for_xml_id('ramp_connector.ramp_run_action')
        action['context'] = {'search_default_connection_id': self.id, 'search_default_worked': 1}
        return action

    def action_open_moves(self):
        """Open the journal entries of card spend."""
        self.ensure_one()
        self.check_access('read')
        action = self.env['ir.actions.act_window']._for_xml_id('account.action_move_journal_line')
        action['domain'] = [('ramp_id', '!=', False), ('journal_id', '=', self.card_journal_id.id)]
        action['context'] = {'default_move_type': 'entry', 'create': False}
        return action

    def action_open_bills(self):
        """Open the bills, refunds and reimbursements that came from Ramp."""
        self.ensure_one()
        self.check_access('read')
        action = self.env['ir.actions.act_window']._for_xml_id('account.action_move_in_invoice_type')
        action['domain'] = [
            ('ramp_id', '!=', False),
            ('move_type', 'in', ('in_invoice', 'in_refund')),
            ('company_id', '=', self.company_id.id),
        ]
        action['context'] = {'default_move_type': 'in_invoice', 'create': False}
        return action

    def action_settle_setting(self):
        """Let the jobs look again at what waited for a setting. The dialog has saved it before.

        :return: action that closes the dialog
        """
        self.ensure_one()
        self._check_is_manager()
        self._look_again_at_questions()
        return self._notify_user(
            'success', self.name, self.env._('What waited for it is tried again.'), closes_dialog=True
        )

    def _notify_user(self, kind, title, message, closes_dialog=False):
        """Return the action that shows a notification.

        :param kind: 'success', 'warning' or 'danger'
        :param closes_dialog: whether the button is in a dialog, which is closed then
        """
        next_action = (
            {'type': 'ir.actions.act_window_close'}
            if closes_dialog
            else {'type': 'ir.actions.client', 'tag': 'soft_reload'}
        )
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {
                'type': kind,
                'title': title,
                'message': message,
                'sticky': kind != 'success',
                'next': next_action,
            },
        }
