# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.exceptions import AccessError, ValidationError

LEFT_OUT = 'left_out'
# Field of the target, by the kind of record (see `ramp.coding`)
TARGETS = {'account': 'account_id', 'analytic': 'analytic_account_id', 'tax': 'tax_id', 'partner': 'partner_id'}


class RampMapping(models.Model):
    """What an option that people choose in Ramp means in these books, where Odoo did not offer it, or offers it no more.

    Accountants decide it once. All objects with that option are then posted with it. Who deletes the row takes the
    decision back; what is posted stays.
    """

    _name = 'ramp.mapping'
    _description = 'Ramp Mapping'
    _inherit = ['mail.thread']
    _order = 'name, id'

    connection_id = fields.Many2one('ramp.connection', required=True, ondelete='cascade', index=True)
    company_id = fields.Many2one(related='connection_id.company_id', store=True, index=True)
    name = fields.Char(string='Option in Ramp', required=True, readonly=True)
    ramp_type = fields.Char(string='Field in Ramp', required=True, readonly=True)
    ramp_key = fields.Char(
        string='Key in Ramp', required=True, readonly=True, help="Ramp's ID, code or name of the option."
    )
    target = fields.Selection(
        [
            ('account', 'Account'),
            ('analytic', 'Analytic account'),
            ('tax', 'Tax'),
            ('partner', 'Supplier'),
            (LEFT_OUT, 'Nothing: it means nothing here'),
        ],
        string='Means',
        required=True,
        default='account',
        tracking=True,
    )
    account_id = fields.Many2one('account.account', check_company=True, tracking=True, ondelete='restrict')
    analytic_account_id = fields.Many2one(
        'account.analytic.account', check_company=True, tracking=True, ondelete='restrict'
    )
    tax_id = fields.Many2one(
        'account.tax',
        check_company=True,
        domain=[('type_tax_use', '=', 'purchase')],
        tracking=True,
        ondelete='restrict',
    )
    partner_id = fields.Many2one(
        'res.partner', string='Supplier', check_company=True, tracking=True, ondelete='restrict'
    )

    _option_once = models.UniqueIndex(
        '(connection_id, ramp_type, ramp_key)', 'This option has a mapping already. Change that one.'
    )

    @api.constrains('target', *TARGETS.values())
    def _check_target(self):
        for mapping in self:
            chosen = [kind for kind, field in TARGETS.items() if mapping[field]]
            if chosen != ([] if mapping.target == LEFT_OUT else [mapping.target]):
                raise ValidationError(
                    self.env._(
                        'Option "%(name)s": choose one %(target)s.',
                        name=mapping.name,
                        target=dict(self._fields['target']._description_selection(self.env))[mapping.target],
                    )
                    if mapping.target != LEFT_OUT
                    else self.env._('Option "%s" means nothing here, so choose nothing for it.', mapping.name)
                )

    @api.onchange('target')
    def _onchange_target(self):
        for kind, field in TARGETS.items():
            if kind != self.target:
                self[field] = False

    # ------------------------------------------------------------------ what flows ask

    @api.model
    def _find_mapped_options(self, connection, options):
        """Return what people decided about options.

        :param options: {(type of the selection, key)}
        :return: {(type, key): (kind, id of the record, or 0 for `LEFT_OUT`)}
        """
        if not options:
            return {}
        return {
            (mapping.ramp_type, mapping.ramp_key): (
                mapping.target,
                mapping[TARGETS[mapping.target]].id if mapping.target != LEFT_OUT else 0,
            )
            for mapping in self.search_fetch(
                [('connection_id', '=', connection.id), ('ramp_key', 'in', list({key for _type, key in options}))],
                ['ramp_type', 'ramp_key', 'target', *TARGETS.values()],
            )
        }

    # ------------------------------------------------------------------ changes

    @api.model_create_multi
    def create(self, vals_list):
        """EXTENDS: look again at the objects that may have waited for it."""
        mappings = super().create(vals_list)
        mappings._check_may_map()
        mappings._log_on_connections()
        mappings._look_again()
        return mappings

    def write(self, vals):
        """EXTENDS: look again at the objects that may have waited for it."""
        result = super().write(vals)
        self._check_may_map()
        if not {'target', *TARGETS.values()}.isdisjoint(vals):
            self._log_on_connections()
        self._look_again()
        return result

    def unlink(self):
        """EXTENDS: look again at the objects that it was for."""
        connections = self.connection_id
        result = super().unlink()
        connections._look_again_at_questions()
        return result

    def action_confirm(self):
        """Say what the mapping means and for how many records. The form has saved it before.

        :return: action that closes the dialog
        """
        self.ensure_one()
        self._check_may_map()
        count = len(self._find_waiting_records())
        target = self[TARGETS[self.target]].display_name if self.target != LEFT_OUT else self.env._('nothing')
        return self.connection_id._notify_user(
            'success',
            self.env._('Map'),
            ' '.join(
                (
                    self.env._('"%(option)s" means %(target)s from now on.', option=self.name, target=target),
                    self.env._('1 record is tried again.')
                    if count == 1
                    else self.env._('%s records are tried again.', count),
                )
            ),
            closes_dialog=True,
        )

    def _find_waiting_records(self):
        """Return the rows that wait because the option was not mapped."""
        causes = self.env['ramp.cause'].search(
            [('connection_id', '=', self.connection_id.id), ('kind', '=', 'map_option')]
        )
        return causes.filtered(
            lambda cause: (cause.cause['about']['type'], cause.cause['about']['key']) == (self.ramp_type, self.ramp_key)
        )._get_records()

    def _log_on_connections(self):
        """Log on the connection who decided what an option means. The mapping itself has the history."""
        for mapping in self:
            target = mapping[TARGETS[mapping.target]].display_name if mapping.target != LEFT_OUT else False
            mapping.connection_id._message_log(
                body=self.env._('Map: "%(option)s" means %(target)s.', option=mapping.name, target=target)
                if target
                else self.env._('Map: "%s" means nothing here.', mapping.name)
            )

    def _check_may_map(self):
        """Refuse a mapping of a connection that the user may not read."""
        if not self.env.su and not self.env.user.has_group('account.group_account_invoice'):
            raise AccessError(self.env._('Only accountants may decide what an option of Ramp means.'))
        self.connection_id.check_access('read')

    def _look_again(self):
        self.connection_id._look_again_at_questions()
