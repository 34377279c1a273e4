# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import SUPERUSER_ID, api, models
from odoo.exceptions import AccessError
from odoo.models import MAGIC_COLUMNS


class RampMapped(models.AbstractModel):
    """Records with fields that only the connector writes: the module's fields that are `readonly`.

    `readonly` alone protects a field on a form. It does not protect it from RPC, imports or defaults in the context. So
    these models extend Odoo's own check of who may write a field (Odoo 19.0, `odoo/orm/models.py`). Superuser mode, in
    which the jobs run, is exempt. The check does not look at the context, because any user can send one.
    """

    _name = 'ramp.mapped'
    _description = 'Record with fields that only the connector writes'

    @api.model
    def _is_connector_field(self, field):
        """Return whether users may only read the field: a field of this module that is read-only."""
        return field.readonly and (
            field.name.startswith('ramp_') or self._name.startswith('ramp.') and field.name not in MAGIC_COLUMNS
        )

    @api.model
    def _has_field_access(self, field, operation):
        """EXTENDS: Return False for writing a field that only the connector writes."""
        if operation == 'write' and not self.env.su and self._is_connector_field(field):
            return False
        return super()._has_field_access(field, operation)

    @api.model
    def _check_field_access(self, field, operation):
        """EXTENDS: Raise `AccessError` with the reason and the remedy."""
        if operation == 'write' and not self.env.su and self._is_connector_field(field):
            raise AccessError(
                self.env._(
                    'Only the Ramp connector writes the field %(field)s (%(name)s) of %(model)s. Leave it out. It '
                    'follows what happens in Ramp.',
                    field=field._description_string(self.env),
                    name=field.name,
                    model=self.env['ir.model']._get(self._name).name or self._name,
                )
            )
        return super()._check_field_access(field, operation)

    @api.model
    def _ramp_companies(self):
        """Return the companies that the user has chosen and may access, in superuser mode, too.

        In superuser mode, Odoo takes the companies from the context without a check, and RPC callers set the context.
        """
        companies = self.env.companies
        if self.env.su and self.env.uid != SUPERUSER_ID:
            allowed = set(self.env.user._get_company_ids())
            companies = companies.filtered(lambda company: company.id in allowed)
        return companies
