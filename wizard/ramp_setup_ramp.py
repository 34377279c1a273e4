# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import Command, api, fields, models
from odoo.exceptions import AccessError, UserError

from ..models.check_answers import RampAnswers
from ..models.connection_constants import OPTIONAL_SCOPES, SCOPES
from ..ramp_api import MemoryTokenStore, PayloadError, RampError

ALWAYS = 'always'
FEATURES = [
    (ALWAYS, 'Cards, receipts and coding'),
    ('pull_bills', 'Bills, vendors, vendor credits'),
    ('pull_reimbursements', 'Reimbursements'),
    ('pull_repayments', 'Repayments of employees'),
    ('pull_statements', 'Card statements, payments to Ramp'),
    ('push_orders', 'Purchase orders (Ramp Plus)'),
    ('push_receipts', 'Receipts of goods (Ramp Plus)'),
    ('push_users', 'People'),
]


class RampSetup(models.TransientModel):
    """What Ramp is asked: whose credentials they are, what they permit, who has the integration, which entities."""

    _inherit = 'ramp.setup'

    ramp_business_name = fields.Char(string='Ramp Business', readonly=True)
    ramp_business_id = fields.Char(string='Ramp Business ID', readonly=True)
    feature_ids = fields.One2many('ramp.setup.feature', 'setup_id', string='Features')
    absent_scopes = fields.Char(string='All Missing Scopes', compute='_compute_missing_scopes')
    missing_scopes = fields.Char(string='Missing Scopes of What Is Used', compute='_compute_missing_scopes')
    holder_state = fields.Selection(
        [('free', 'Nobody'), ('own', 'This database'), ('other', 'Another system'), ('unknown', 'Unknown')],
        string='Held By',
        readonly=True,
    )
    holder_name = fields.Char(string='Name in Ramp', readonly=True)
    entity_ids = fields.One2many('ramp.setup.entity', 'setup_id', string='Entities')
    entity_policy = fields.Selection(
        [('one', 'One entity'), ('every', 'Every entity of the business')],
        string='Post in This Company',
        required=True,
        default='one',
    )
    entity_id = fields.Many2one('ramp.setup.entity', string='Ramp Entity', domain="[('setup_id', '=', id)]")
    entity_warning = fields.Text(compute='_compute_entity_warning')

    # ------------------------------------------------------------------ asking

    def _leave_credentials(self):
        self._check_may_enter_credentials()
        if not self.has_credentials:
            raise UserError(
                self.env._(
                    'Enter the Client ID and the Client Secret of the app in Ramp (Company > Developer > your app).'
                )
            )
        self._ask_ramp()

    def _check_may_enter_credentials(self):
        """Raise `AccessError` if the user may not replace the credentials that the connection has."""
        connection = self.connection_id
        if (
            self._credential_values()
            and connection.has_credentials
            and not self.env.user.has_group('base.group_system')
        ):
            raise AccessError(
                self.env._(
                    'Connection %s has a client id and secret already. Only a system administrator may enter others. '
                    'Leave both fields empty.',
                    connection.name,
                )
            )

    def action_ask_again(self):
        """Ask Ramp again what it permits and who has the integration."""
        self.ensure_one()
        self._check_may_set_up()
        self._ask_ramp()
        return True

    def _ask_ramp(self):
        """Ask Ramp for everything that the next pages show, with a new token. Ramp is only read.

        :raise UserError: if Ramp does not answer, or refuses the credentials
        """
        connection = self._draft_connection(**dict.fromkeys(OPTIONAL_SCOPES, True))
        answers = RampAnswers()
        # A new token, because scopes that were added in Ramp come only with a new one
        client = connection._new_client(token_store=MemoryTokenStore(), read_only=True)
        try:
            answers.ask_question('scopes', lambda: frozenset(client.granted_scopes))
            answers.ask_question('business', lambda: connection._ask_business(client))
            answers.ask_question('providers', lambda: connection._accounting_providers(client))
            answers.ask_question('entities', lambda: connection._read_entities(client))
        finally:
            client.close_connections()
        if answers.trouble:
            raise UserError(connection._explain_error(answers.trouble))
        if self.connection_id and answers.has_answer('business'):
            self.connection_id._check_same_business(answers.read_answer('business'))
        self._note_scopes(answers.read_answer('scopes'))
        self._note_business(answers)
        self._note_holder(connection, answers)
        self._note_entities(answers.read_answer('entities') if answers.has_answer('entities') else [])

    # ------------------------------------------------------------------ what it may do

    def _note_scopes(self, granted):
        is_first = not self.feature_ids
        scopes = {ALWAYS: SCOPES, **OPTIONAL_SCOPES}
        missing = {
            feature: [scope for scope in scopes[feature] if scope not in granted] for feature, _label in FEATURES
        }
        self.feature_ids = [
            Command.clear(),
            *(
                Command.create(
                    {
                        'feature': feature,
                        'level': 'missing' if missing[feature] else 'present',
                        'scopes': ' '.join(scopes[feature]),
                        'missing_scopes': ' '.join(missing[feature]),
                    }
                )
                for feature, _label in FEATURES
            ),
        ]
        if is_first:
            # People are off until somebody chooses them
            known = self.connection_id
            self.write(
                {
                    name: not missing[name] and (not known or known[name]) and name != 'push_users'
                    for name in OPTIONAL_SCOPES
                }
            )

    @api.depends('feature_ids.missing_scopes', *OPTIONAL_SCOPES)
    def _compute_missing_scopes(self):
        for setup in self:
            for name, lines in (
                ('absent_scopes', setup.feature_ids.filtered('missing_scopes')),
                ('missing_scopes', setup._features_in_trouble()),
            ):
                setup[name] = ' '.join(lines.mapped('missing_scopes'))

    def _features_in_trouble(self):
        """Return the features that are used and lack a permission."""
        return self.feature_ids.filtered(
            lambda line: line.missing_scopes and (line.feature == ALWAYS or self[line.feature])
        )

    def _leave_features(self):
        self._check_features()

    def _check_features(self):
        """Raise `UserError` if something is used that the app in Ramp does not permit."""
        for line in self._features_in_trouble():
            label = dict(line._fields['feature']._description_selection(self.env))[line.feature]
            if line.feature == ALWAYS:
                raise UserError(
                    self.env._(
                        '%(feature)s: the app in Ramp lacks the scopes %(scopes)s. Allow them in Ramp (Company > '
                        'Developer > your app), then press Ask Ramp Again.',
                        feature=label,
                        scopes=line.missing_scopes,
                    )
                )
            raise UserError(
                self.env._(
                    '%(feature)s: the app in Ramp lacks the scopes %(scopes)s. Allow them in Ramp (Company > '
                    'Developer > your app) and press Ask Ramp Again, or switch it off.',
                    feature=label,
                    scopes=line.missing_scopes,
                )
            )

    # ------------------------------------------------------------------ whose integration

    def _note_business(self, answers):
        business = answers.read_answer('business') if answers.has_answer('business') else None
        self.write(
            {
                'ramp_business_name': business.name if business else False,
                'ramp_business_id': business.id if business else False,
            }
        )

    def _note_holder(self, connection, answers):
        try:
            active = next((provider for provider in answers.read_answer('providers') if provider.is_active), None)
        except (RampError, PayloadError, UserError):
            # The page of the permissions says what is missing
            self.write({'holder_state': 'unknown', 'holder_name': False})
            return
        name = active and (active.remote_provider_name or active.connection_type)
        is_own = active and name == connection._seat_name() and active.connection_type == 'API'
        self.write({'holder_state': 'own' if is_own else 'other' if active else 'free', 'holder_name': name or False})

    # ------------------------------------------------------------------ entities

    def _note_entities(self, entities):
        chosen = self.entity_id.ramp_id or self.connection_id.ramp_entity_id
        self.entity_ids = [
            Command.clear(),
            *(
                Command.create(
                    {
                        'ramp_id': entity.id,
                        'name': entity.name or entity.id,
                        'currency': entity.currency,
                        'is_primary': entity.is_primary,
                    }
                )
                for entity in entities
            ),
        ]
        found = self.entity_ids.filtered(lambda entity: entity.ramp_id == chosen)
        self.entity_id = found or self._propose_entity()
        if not self.entity_ids:
            self.entity_policy = 'every'

    def _propose_entity(self):
        """Return the entity that fits the company: without another connection, in its currency, the primary one."""
        taken = {(other.ramp_entity_id or '').lower() for other in self._sharing_connections()}
        return self.entity_ids.sorted(
            lambda entity: (
                entity.ramp_id.lower() in taken,
                entity.currency != self.company_id.currency_id.name,
                not entity.is_primary,
            )
        )[:1]

    def _sharing_connections(self):
        """Return the other connections of this database to the same Ramp business."""
        # sudo: those of other companies count, too; only the names of their companies are shown
        return (
            self.env['ramp.connection']
            .sudo()
            .search(
                [
                    ('state', '=', 'connected'),
                    ('ramp_business_id', '=', self.ramp_business_id),
                    ('id', '!=', self.connection_id.id),
                ]
            )
            if self.ramp_business_id
            else self.env['ramp.connection']
        )

    @api.depends('entity_policy', 'entity_id', 'company_id', 'entity_ids.currency', 'ramp_business_id')
    def _compute_entity_warning(self):
        for setup in self:
            setup.entity_warning = '\n'.join(setup._list_entity_warnings()) or False

    def _list_entity_warnings(self):
        own, found = self.company_id.currency_id.name, []
        is_one = self.entity_policy == 'one'
        entities = self.entity_id if is_one else self.entity_ids
        if not is_one and len(entities) > 1:
            found.append(
                self.env._(
                    'The objects of %(count)s entities would be posted in the books of %(company)s: %(names)s. If one '
                    'of them has other books, choose one entity, and set up a connection in each company.',
                    count=len(entities),
                    company=self.company_id.name,
                    names=', '.join(entities.mapped('display_name')),
                )
            )
        foreign = entities.filtered(lambda entity: entity.currency and entity.currency != own)
        if foreign:
            found.append(
                self.env._(
                    '%(names)s: the currency is not that of the books of %(company)s (%(currency)s). Each amount '
                    'would be converted. Check that it is the right entity.',
                    names=', '.join(foreign.mapped('display_name')),
                    company=self.company_id.name,
                    currency=own,
                )
            )
        sharing = self._sharing_connections().filtered(
            lambda other: (
                not is_one
                or not other.ramp_entity_id
                or other.ramp_entity_id.lower() == (self.entity_id.ramp_id or '').lower()
            )
        )
        if sharing:
            found.append(
                self.env._(
                    'Another connection of this database posts the same objects, in %s. They would be posted twice. '
                    'Choose another entity.',
                    ', '.join(sharing.company_id.mapped('name')),
                )
            )
        return found

    def _leave_entity(self):
        if self.entity_policy == 'one' and not self.entity_id:
            raise UserError(
                self.env._(
                    'Choose the Ramp Entity whose spend belongs to %s, or "Every entity of the business".',
                    self.company_id.name,
                )
            )


class RampSetupFeature(models.TransientModel):
    """One feature of the connector, and whether the app in Ramp permits it."""

    _name = 'ramp.setup.feature'
    _description = 'Feature in the Ramp Set-Up'
    _rec_name = 'feature'

    setup_id = fields.Many2one('ramp.setup', required=True, ondelete='cascade')
    feature = fields.Selection(FEATURES, required=True)
    level = fields.Selection([('present', 'Present'), ('missing', 'Missing')], string='Permission', required=True)
    scopes = fields.Char(string='Needed Scopes')
    missing_scopes = fields.Char()


class RampSetupEntity(models.TransientModel):
    """One entity of the Ramp business, to be picked by name and currency."""

    _name = 'ramp.setup.entity'
    _description = 'Entity in the Ramp Set-Up'

    setup_id = fields.Many2one('ramp.setup', required=True, ondelete='cascade')
    name = fields.Char(required=True)
    ramp_id = fields.Char(required=True)
    currency = fields.Char()
    is_primary = fields.Boolean(string='Primary Entity')

    @api.depends('name', 'currency', 'is_primary')
    @api.depends_context('lang')
    def _compute_display_name(self):
        for entity in self:
            details = [entity.currency, entity.is_primary and self.env._('primary')]
            text = ', '.join(filter(None, details))
            entity.display_name = f'{entity.name} ({text})' if text else entity.name
