# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import SUPERUSER_ID, api, models
from odoo.exceptions import AccessError
from odoo.models import MAGIC_COLUMNS


class RampMapped(models.AbstractModel):
    """Records with fields that the connector alone writes: whatever of ours is `readonly`.

    `readonly` alone keeps people from a field on a screen, and nobody from it over RPC, in an import or by a default in
    the context. This is Odoo's own question of who may write a field (Odoo 19.0, `odoo/orm/models.py`), so it is asked
    in all of these, and never in superuser mode, in which the jobs run. A value in the context could be sent by
    anybody, so none is asked for.
    """

    _name = 'ramp.mapped'
    _description = 'Record with fields that only the connector writes'

    @api.model
    def _is_connector_field(self, field):
        """Whether people only read the field: one of this module that is not made to be entered."""
        return field.readonly and (
            field.name.startswith('ramp_') or self._name.startswith('ramp.') and field.name not in MAGIC_COLUMNS
        )

    @api.model
    def _has_field_access(self, field, operation):
        """EXTENDS: what the connector alone writes."""
        if operation == 'write' and not self.env.su and self._is_connector_field(field):
            return False
        return super()._has_field_access(field, operation)

    @api.model
    def _check_field_access(self, field, operation):
        """EXTENDS: with the reason and the remedy."""
        if operation == 'write' and not self.env.su and self._is_connector_field(field):
            raise AccessError(
                self.env._(
                    'The field %(field)s (%(name)s) of %(model)s is written by the Ramp connector only. Leave it out; '
                    'it follows what '
                    'happens in Ramp.',
                    field=field._description_string(self.env),
                    name=field.name,
                    model=self.env['ir.model']._get(self._name).name or self._name,
                )
            )
        return super()._check_field_access(field, operation)

    @api.model
    def _ramp_companies(self):
        """The companies that the user has chosen, and may see, also where the question is asked in superuser mode.

        There Odoo takes the companies in the context as they come, and who calls over RPC says what is in the context.
        """
        companies = self.env.companies
        if self.env.su and self.env.uid != SUPERUSER_ID:
            allowed = set(self.env.user._get_company_ids())
            companies = companies.filtered(lambda company: company.id in allowed)
        return companies
