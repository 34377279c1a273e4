# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import timedelta

from odoo import api, models

from .bill import DEAD

# A returned payment is noticed up to this long after the bill was paid.
REREAD_PAID = timedelta(days=90)


class RampFlowBillLists(models.AbstractModel):
    """Which bills Ramp is asked for, what their sync status means, and what follows once a page of them is stored."""

    _inherit = 'ramp.flow.bill'

    def _get_ready_listings(self, connection):
        ready = [{'sync_ready': 'true'}]
        if connection.bill_policy == 'created':
            ready.append({'sync_status': 'NOT_SYNCED'})
        return [
            *({**params, **self._get_entity_scope(connection)} for params in ready),
            {
                'sync_ready': 'true',
                'from_paid_at': f'{connection.start_date}T00:00:00Z',
                **self._get_entity_scope_before(connection),
            },
        ]

    def _get_changed_listings(self, connection, since):
        # Ramp works with days here, so the time of day does not matter.
        paid = (self.env.cr.now() - REREAD_PAID).strftime('%Y-%m-%dT00:00:00Z')
        return [
            {**params, **self._get_entity_scope(connection)}
            for params in (
                {'sync_status': 'BILL_SYNCED'},
                {'sync_status': 'BILL_AND_PAYMENT_SYNCED', 'from_paid_at': paid},
                {'is_archived': 'true'},
                # A bill whose payment was returned no longer has a paid date.
                {'sync_status': 'BILL_AND_PAYMENT_SYNCED', 'payment_status': 'OPEN'},
            )
        ] + [
            {'sync_status': 'BILL_AND_PAYMENT_SYNCED', **params, **self._get_entity_scope_before(connection)}
            for params in ({'from_paid_at': paid}, {'payment_status': 'OPEN'})
        ]

    def _get_nightly_listings(self, connection, since):
        # Bills that somebody exported without this connection. Those still to be paid (BILL_SYNCED) are listed
        # from the start date on.
        return [
            {'sync_status': 'BILL_SYNCED', **self._get_entity_scope(connection)},
            {
                'sync_status': 'BILL_AND_PAYMENT_SYNCED',
                **self._get_entity_scope(connection),
                'from_issued_date': max(since, self._get_entity_scope(connection)['from_issued_date']),
            },
        ]

    @api.model
    def _get_entity_scope(self, connection):
        """EXTENDS: Return the query parameters with the start date added.

        Ramp dates bills by day, so the first day is the start date in any time zone.
        """
        return {'from_issued_date': f'{connection.start_date}T00:00:00Z', **super()._get_entity_scope(connection)}

    def _is_synced_in_ramp(self, payload):
        return payload.get('sync_status') in ('BILL_SYNCED', 'BILL_AND_PAYMENT_SYNCED')

    def _is_ready_in_ramp(self, payload):
        return (
            payload.get('sync_status') == 'NOT_SYNCED'
            and payload.get('approval_status') in ('APPROVED', None)
            and payload.get('enable_accounting_sync') is not False
            and not payload.get('archived_at')
        )

    # ------------------------------------------------------------------ effects of a stored page

    def _on_rows_stored(self, connection, rows, asked):
        told = {row['ramp_id']: row for row in rows if 'value' in row}
        self.env['ramp.flow.bill_payment']._upsert_payment_rows(connection, told, asked)
        self._reverse_withdrawn_objects(
            connection,
            told,
            {
                ramp_id: self.env._('It was archived in Ramp.')
                if row['value'].archived_at
                else self.env._('It was not approved in Ramp.')
                for ramp_id, row in told.items()
                if row['value'].archived_at or row['value'].approval_status in DEAD
            },
        )
        approved = self.env['ramp.record'].search(
            [
                ('connection_id', '=', connection.id),
                ('flow', '=', self._flow),
                ('state', '=', 'done'),
                ('sync_key', '=', False),
                ('ramp_id', 'in', [row['ramp_id'] for row in rows if row.get('ready')]),
            ]
        )
        # These bills were posted when they were created. Ramp accepts their confirmation only now.
        if approved:
            approved.sync_key = self._new_sync_key(approved)
        return super()._on_rows_stored(connection, rows, asked)
