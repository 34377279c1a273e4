# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from decimal import Decimal

from odoo import api, models

from .ramp_record import OPEN_STATES


class RampRecord(models.Model):
    """A row in words, for a person: its status, and what Ramp has of an object of Odoo."""

    _inherit = 'ramp.record'

    @api.depends('state', 'remote_id', 'hold_reason')
    @api.depends_context('lang')
    def _compute_status(self):
        labels = dict(self._fields['state']._description_selection(self.env))
        sent = {
            'pending': self.env._('Waiting to be sent'),
            'confirmed': self.env._('In Ramp'),
            'ignored': self.env._('Not offered'),
            'refused': self.env._('Refused'),
            'archived': self.env._('Archived in Ramp'),
            'exhausted': self.env._('Failed'),
        }
        for record in self:
            words = sent.get(record.hold_reason) or sent.get(record.state)
            record.status = record.remote_id and words or labels.get(record.state)

    def _status_with_reason(self):
        """Return the status for a person, with its reason."""
        self.ensure_one()
        if not self.error_message or self.state not in (
            *OPEN_STATES,
            *(('ignored', 'confirmed') if self.remote_id else ()),
        ):
            return self.status
        # The reason why Odoo does not offer an object, or why Ramp refuses it, is a whole sentence
        whole = self.remote_id and self.hold_reason in ('rule', 'refused', 'archived')
        return self.error_message if whole else f'{self.status}: {self.error_message}'

    @api.depends('payload', 'remote_id')
    @api.depends_context('lang')
    def _compute_sent_text(self):
        known = [record.payload or {} for record in self if record.remote_id]
        # Objects that this object refers to, by Ramp's id or by ours
        others = {
            identity
            for values in known
            for identity in (
                values.get('field'),
                values.get('account'),
                values.get('accounting_vendor'),
                *values.get('rates', ()),
                values.get('department'),
                values.get('location'),
                values.get('manager'),
            )
        }
        # An object that refers to nothing would otherwise find every row without an id
        others.discard(None)
        names = {}
        for other in (
            self.search_fetch(
                [
                    ('connection_id', 'in', self.connection_id.ids),
                    '|',
                    ('ramp_id', 'in', list(others)),
                    ('remote_id', 'in', list(others)),
                ],
                ['ramp_id', 'remote_id', 'name'],
            )
            if others
            else ()
        ):
            names.update(dict.fromkeys((other.ramp_id, other.remote_id), other.name))
        labels = {
            'name': self.env._('Name'),
            'value': self.env._('Name'),
            'code': self.env._('Code'),
            'classification': self.env._('Kind of account'),
            'field': self.env._('Field'),
            'rate': self.env._('Rate'),
            'account': self.env._('Posted to'),
            'rates': self.env._('Tax rates'),
            'country': self.env._('Country'),
            'state': self.env._('State of the address'),
            'address': self.env._('Address'),
            'accounting_vendor': self.env._('Linked to the supplier'),
            'email': self.env._('Email'),
            'department': self.env._('Department'),
            'location': self.env._('Work location'),
            'manager': self.env._('Manager'),
            'offered': self.env._('Can be picked'),
        }
        for record in self:
            values = record.remote_id and record.payload or {}
            record.sent_text = (
                '\n'.join(
                    self.env._(
                        '%(field)s: %(value)s', field=label, value=record._format_sent_value(key, values[key], names)
                    )
                    for key, label in labels.items()
                    if values.get(key) not in (None, '') and not (key == 'offered' and 'email' in values)
                )
                or False
            )

    def _format_sent_value(self, key, value, names):
        """Return one value of what Ramp has, as text for a person."""
        if key == 'offered':
            return self.env._('yes') if value else self.env._('no, it is hidden or deleted in Ramp')
        if key == 'address':
            # In this order, because the database keeps none
            names = ('address_line_1', 'address_line_2', 'postal_code', 'city', 'state', 'country')
            return ', '.join(value[name] for name in names if name in value)
        if key == 'name' and isinstance(value, list):
            # First and last name
            return ' '.join(value)
        if key == 'rates':
            return ', '.join(names.get(rate) or rate for rate in value)
        if key == 'rate':
            return f'{(Decimal(value) * 100).normalize():f} %'
        if key == 'classification':
            return {
                'ASSET': self.env._('Asset'),
                'LIABILITY': self.env._('Liability'),
                'EQUITY': self.env._('Equity'),
                'REVENUE': self.env._('Income'),
                'EXPENSE': self.env._('Expense'),
                'CREDCARD': self.env._('Credit card'),
                'UNKNOWN': self.env._('Other'),
            }.get(value, value)
        return names.get(value) or value
