# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL, email_normalize

VENDOR_FLOWS = ('vendor', 'vendor_contact')
# Countries (ISO codes) in whose addresses Ramp wants the state
WANT_STATE = ('US', 'CA', 'AU')
# Fields of a partner whose change matters to its vendor in Ramp
VENDOR_FIELDS = frozenset(
    {
        'ramp_spend_vendor',
        'name',
        'email',
        'street',
        'street2',
        'city',
        'zip',
        'state_id',
        'country_id',
        'active',
        'parent_id',
        'company_id',
    }
)


class ResPartner(models.Model):
    """A supplier that Odoo offers in Ramp (see `ramp.pushed`), a bill-pay vendor from Ramp, or both.

    If it is both, each has its own ledger row.
    """

    _name = 'res.partner'
    _inherit = ['res.partner', 'ramp.pushed']

    _ramp_flows = ('spend_vendor', 'accounting_vendor')
    _ramp_fields = frozenset({'name', 'ref', 'active', 'supplier_rank', 'parent_id', 'company_id'})

    ramp_spend_vendor = fields.Boolean(
        string='Vendor in Ramp Wanted',
        copy=False,
        groups='account.group_account_invoice',
        help='Odoo creates this partner as a bill-pay vendor in Ramp, unless Ramp already has it, and sends a new '
        'address to Ramp.',
    )
    ramp_can_be_vendor = fields.Boolean(
        string='Can Be a Vendor in Ramp',
        compute='_compute_ramp_can_be_vendor',
        compute_sudo=True,
        groups='account.group_account_invoice',
        help='Whether this partner can be requested as a vendor in Ramp.',
    )
    ramp_vendor_record_id = fields.Many2one(
        'ramp.record',
        string='Ramp Vendor',
        compute='_compute_ramp_vendor_record_id',
        compute_sudo=True,
        groups='account.group_account_readonly,account.group_account_invoice',
    )
    ramp_vendor_state = fields.Char(
        string='Vendor in Ramp', compute='_compute_ramp_vendor_state', compute_sudo=True, groups='base.group_user'
    )
    ramp_vendor_url = fields.Char(
        string="Vendor on Ramp's Pages",
        compute='_compute_ramp_vendor_state',
        compute_sudo=True,
        groups='base.group_user',
    )

    @staticmethod
    def _ramp_is_vendor(model, alias, query):
        """Return a condition (`SQL`) that leaves out employees and the partners that a connection uses for Ramp itself.

        Employees are owed reimbursements. The signature is that of `Domain.custom`. The domain is cached, so this
        method must not refer to an environment.
        """
        return SQL(
            """NOT EXISTS (SELECT FROM hr_employee e WHERE e.work_contact_id = %(partner)s)
               AND NOT EXISTS (SELECT FROM ramp_connection c WHERE %(partner)s IN (c.ramp_partner_id, c.merchant_partner_id))""",
            partner=SQL.identifier(alias, 'id'),
        )

    def _ramp_no_vendor(self):
        """Return a sentence that says why the partner is not offered in Ramp as a vendor, or None if it may be."""
        self.ensure_one()
        # sudo: users may have no access to employees or connections; archived ones count, too
        everything = self.sudo().with_context(active_test=False)
        if everything.env['hr.employee'].search_count([('work_contact_id', '=', self.id)], limit=1):
            return self.env._('It is the contact of an employee. Employees who are reimbursed are not vendors in Ramp.')
        if everything.env['ramp.connection'].search_count(
            ['|', ('ramp_partner_id', '=', self.id), ('merchant_partner_id', '=', self.id)], limit=1
        ):
            return self.env._(
                'A connection to Ramp uses it for Ramp itself, or for card merchants, so it is not a vendor in Ramp.'
            )
        return None

    def _ramp_new_records(self):
        # sudo: users who create a partner may not see what accountants asked for
        return self.filtered(lambda partner: partner.supplier_rank or partner.sudo().ramp_spend_vendor)

    def _ramp_flows_concerned(self, vals):
        # Core adds each posted bill and payment to the rank, but a partner is a supplier from rank 1 on
        if vals.get('supplier_rank', 0) > 0 and all(partner.supplier_rank > 0 for partner in self):
            vals = vals.keys() - {'supplier_rank'}
        return tuple(
            flow
            for flow, known in (('spend_vendor', VENDOR_FIELDS), ('accounting_vendor', self._ramp_fields))
            if not known.isdisjoint(vals)
        )

    def _ramp_note_changes(self, flows=None):
        """EXTENDS: Leave out the flow of vendors, unless some partner is wanted as a vendor in Ramp.

        Only few partners are wanted. The job itself finds those that are not wanted any more.
        """
        flows = flows or self._ramp_flows
        if 'spend_vendor' in flows and (
            self.env['ramp.connection']._pushed_domain_of('spend_vendor') is None
            # sudo: see _ramp_new_records
            or not any(partner.ramp_spend_vendor for partner in self.sudo())
        ):
            flows = tuple(flow for flow in flows if flow != 'spend_vendor')
        return super()._ramp_note_changes(flows) if flows else None

    def _ramp_vendor_rows(self):
        """Return {partner id: ledger row} for partners that are a vendor or the contact of a vendor, in one query."""
        rows = {}
        # sudo: only accountants may read the ledger; users who may read the partner may know its status
        for row in (
            self.env['ramp.record']
            .sudo()
            .search_fetch(
                [
                    ('res_model', '=', self._name),
                    ('res_id', 'in', self._origin.ids),
                    ('flow', 'in', VENDOR_FLOWS),
                    ('company_id', 'in', self._ramp_companies().ids),
                ],
                ['res_id', 'ramp_id', 'parent_ramp_id', 'state', 'error_message', 'connection_id', 'flow'],
                order='id desc',
            )
        ):
            weight = row.connection_id.state == 'connected', row.flow == 'vendor'
            if row.res_id not in rows or weight >= rows[row.res_id][0]:
                rows[row.res_id] = weight, row
        return {identity: row for identity, (_weight, row) in rows.items()}

    @api.depends_context('allowed_company_ids', 'uid')
    def _compute_ramp_vendor_record_id(self):
        rows = self._ramp_vendor_rows()
        for partner in self:
            partner.ramp_vendor_record_id = rows.get(partner._origin.id, False)

    @api.depends('ramp_spend_vendor', 'active', 'parent_id', 'company_id')
    @api.depends_context('allowed_company_ids', 'uid')
    def _compute_ramp_can_be_vendor(self):
        companies = (
            self.env['ramp.connection']
            .search(
                [
                    ('state', '=', 'connected'),
                    ('pull_bills', '=', True),
                    ('company_id', 'in', self._ramp_companies().ids),
                ]
            )
            .company_id.parent_ids
        )
        rows = self._ramp_vendor_rows() if companies else {}
        for partner in self:
            partner.ramp_can_be_vendor = bool(
                companies
                and partner._origin
                and partner.active
                and not partner.parent_id
                and not partner.ramp_spend_vendor
                and (not partner.company_id or partner.company_id in companies)
                and partner._origin.id not in rows
                and not partner._origin._ramp_no_vendor()
            )

    @api.depends_context('allowed_company_ids', 'uid', 'lang')
    def _compute_ramp_vendor_state(self):
        rows, sent = self._ramp_vendor_rows(), self._ramp_spend_vendor_rows()
        for partner in self:
            row = rows.get(partner._origin.id) or sent.get(partner._origin.id)
            if row and row.state == 'confirmed' and not row.error_message:
                partner.ramp_vendor_state = (
                    self.env._('Contact of a vendor in Ramp')
                    if row.flow == 'vendor_contact'
                    else self.env._('Vendor in Ramp')
                )
            else:
                partner.ramp_vendor_state = row._status_with_reason() if row else False
            partner.ramp_vendor_url = row.ramp_url if row else False

    def _ramp_spend_vendor_rows(self):
        """Return {partner id: ledger row} for partners that Odoo creates as vendors in Ramp, in one query."""
        return {
            row.res_id: row
            for row in self.env['ramp.record'].search_fetch(
                [
                    ('res_model', '=', self._name),
                    ('res_id', 'in', self._origin.ids),
                    ('flow', '=', 'spend_vendor'),
                    ('remote_id', '!=', False),
                    ('company_id', 'in', self._ramp_companies().ids),
                    # If several connections share a Ramp business, one of them sends
                    '|',
                    ('state', '!=', 'ignored'),
                    ('ramp_id', '!=', False),
                ],
                ['res_id', 'ramp_id', 'remote_id', 'state', 'error_message', 'hold_reason', 'connection_id', 'flow'],
                order='id desc',
            )
        }

    # ------------------------------------------------------------------ vendors in Ramp

    def _ramp_vendor_contact(self):
        """Return (partner, email) of the person to whom Ramp writes, or (False, False).

        This is the first contact with an email, else the partner itself.
        """
        self.ensure_one()
        contacts = self.child_ids.filtered(lambda child: child.type == 'contact')
        return next(
            ((person, email) for person in (*contacts, self) if (email := email_normalize(person.email))),
            (False, False),
        )

    def _ramp_vendor_has_address(self):
        """Return whether the address is complete enough for Ramp."""
        return all((self.street, self.city, self.zip, self.country_id))

    def _ramp_vendor_missing(self):
        """Return a sentence with the remedy for everything that Ramp needs of a vendor and the partner lacks."""
        self.ensure_one()
        missing, country = [], self.country_id.code
        if not self._ramp_vendor_contact()[1]:
            missing.append(
                self.env._('Ramp needs an email address. Enter one for the partner or for one of its contacts.')
            )
        if not country:
            missing.append(self.env._('Ramp needs a country. Choose it in the address.'))
        elif not self.state_id and (country == 'US' or country in WANT_STATE and self._ramp_vendor_has_address()):
            missing.append(
                self.env._('Ramp needs the state of an address in %s. Choose it in the address.', self.country_id.name)
            )
        return missing

    def action_create_in_ramp(self):
        """Ask for this partner as a vendor in Ramp; the job creates it, and waits for missing data."""
        self.ensure_one()
        if not self.env.su and not self.env.user.has_group('account.group_account_invoice'):
            raise AccessError(self.env._('Only accountants may create vendors in Ramp.'))
        self.check_access('read')
        # sudo: accountants decide (checked above), even if they may not edit partners
        partner = self.sudo()
        if not partner.ramp_can_be_vendor and not partner.ramp_spend_vendor:
            raise UserError(
                self.env._(
                    '%s cannot be created in Ramp. It is already a vendor there, archived, a contact of another '
                    'partner, an employee or Ramp itself, or no connection of its company reads bills from Ramp.',
                    self.display_name,
                )
            )
        if not partner.ramp_spend_vendor:
            # A partner who is paid is a supplier, and Ramp links the vendor to the supplier
            partner.write({'ramp_spend_vendor': True, 'supplier_rank': partner.supplier_rank or 1})
        missing = partner._ramp_vendor_missing()
        if missing:
            return self.env['ramp.connection']._notify_user(
                'warning', self.env._('Something is missing before it can be sent to Ramp'), ' '.join(missing)
            )
        title = self.env._('It will be created in Ramp')
        return self.env['ramp.connection']._notify_user(
            'success', title, self.env._('It runs in the background; this page shows the result.')
        )

    def action_open_ramp_vendor(self):
        """Open the ledger row of the vendor (smart button)."""
        self.ensure_one()
        self.check_access('read')
        self.ramp_vendor_record_id.check_access('read')
        return {
            'type': 'ir.actions.act_window',
            'res_model': 'ramp.record',
            'res_id': self.ramp_vendor_record_id.id,
            'views': [(False, 'form')],
        }

    def action_open_vendor_in_ramp(self):
        """Open the vendor on Ramp's own pages (smart button)."""
        self.ensure_one()
        self.check_access('read')
        return {'type': 'ir.actions.act_url', 'url': self.ramp_vendor_url, 'target': 'new'}

    @api.ondelete(at_uninstall=False)
    def _unlink_ramp_documents(self):
        """Reopen the vendor's ledger row with a reason; the push flow withdraws what Odoo sent."""
        # sudo: users who may delete the partner may not edit the ledger
        self.env['ramp.record'].sudo()._hold_deleted_documents(self)
