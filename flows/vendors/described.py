# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models
from odoo.tools import LazyTranslate

from ..engine.describe import Detail

_lt = LazyTranslate(__name__)


class RampFlowVendorDescribed(models.AbstractModel):
    _inherit = 'ramp.flow.vendor'

    _object_details = (
        ('vendor.name', _lt('Name')),
        ('vendor.name_legal', _lt('Legal Name')),
        ('vendor.vendor_type', _lt('Kind')),
        ('vendor.is_active', _lt('Active')),
        ('vendor.approval_status', _lt('Approval')),
        ('vendor.description', _lt('Note')),
    )

    def _describe_object(self, connection, value):
        addresses = value.vendor.addresses or ((value.vendor.address,) if value.vendor.address else ())
        return [
            *super()._describe_object(connection, value),
            *(
                Detail(
                    f'address.{number}',
                    _lt('Address %(number)s', number=number),
                    (
                        address.address_line_1,
                        address.address_line_2,
                        address.postal_code,
                        address.city,
                        address.state,
                        address.country,
                    ),
                )
                for number, address in enumerate(addresses, 1)
            ),
            *(
                Detail(
                    f'contact.{number}',
                    _lt('Contact %(number)s', number=number),
                    (contact.first_name, contact.last_name, contact.email, contact.phone),
                )
                for number, contact in enumerate(value.contacts or (), 1)
            ),
            *(Detail(f'field.{name}', name, text) for name, text in value.vendor.custom_fields),
        ]
