# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
from datetime import datetime, time, timedelta

import pytz

from odoo import api, models

from ..ramp_api import PayloadError, RampError, read_entity, to_company_date
from .run_memory import run_memory


class RampConnection(models.Model):
    """Which of Ramp's objects belong to this connection: by start date, by entity, and by what existed before."""

    _inherit = 'ramp.connection'

    # ------------------------------------------------------------------ days

    def _start_moment(self, before=timedelta(0)):
        """Return the first moment of the start date in the company's time zone, as UTC text for Ramp's filters.

        :param before: timedelta to go back from the start date
        """
        return self._start_time(before).strftime('%Y-%m-%dT%H:%M:%SZ')

    def _start_time(self, before=timedelta(0)):
        """Return the same moment as a naive datetime in UTC, as Odoo stores it.

        A domain with a date would mean midnight in the time zone of the user who searches.
        """
        self.ensure_one()
        zone = pytz.timezone(self._time_zone())
        return (
            zone.localize(datetime.combine(self.start_date - before, time.min))
            .astimezone(pytz.utc)
            .replace(tzinfo=None)
        )

    def _time_zone(self):
        """Return the name of the company's time zone, which decides the accounting date of a moment."""
        self.ensure_one()
        # Cached for the run, which needs it after each commit
        known = run_memory(self.env).time_zones
        if self.id not in known:
            company = self.company_id
            # Each job needs these two fields, and most jobs need no other fields of the company
            company.fetch(['partner_id', 'resource_calendar_id'])
            company.partner_id.fetch(['tz', 'lang'])
            if not company.partner_id.tz:
                company.resource_calendar_id.fetch(['tz'])
            known[self.id] = company.partner_id.tz or company.resource_calendar_id.tz or 'UTC'
        return known[self.id]

    def _is_left_alone(self, moment):
        """Return whether an object existed before the connection and is to be left alone.

        This is for objects without a sync status.

        :param moment: date or datetime of the object
        """
        self.ensure_one()
        if self.existing_policy != 'leave' or not (self.connected_at and moment):
            return False
        if isinstance(moment, datetime):
            return moment.astimezone(pytz.utc).replace(tzinfo=None) < self.connected_at
        return moment < to_company_date(pytz.utc.localize(self.connected_at), self._time_zone())

    def _scope_of_lists(self):
        """Return what decides which objects Ramp's lists show, as JSON.

        A saved place in the lists is void if this has changed.
        """
        return [
            self._api_url(),
            self.accounting_connection_id,
            self._start_moment(),
            self.ramp_entity_id or None,
            self.bill_policy,
        ]

    # ------------------------------------------------------------------ entities

    def _is_other_entity(self, entity_id):
        """Return whether an object of this Ramp entity belongs to another connection.

        :param entity_id: id in upper or lower case, or None; without an id nobody knows, so the result is False
        """
        self.ensure_one()
        return bool(self.ramp_entity_id and entity_id) and entity_id.lower() != self.ramp_entity_id.lower()

    @api.model
    def _read_entities(self, client):
        """Return the entities of the Ramp business, or an empty list if Ramp does not say."""
        entities = []
        # Without the names, the ids are shown
        with contextlib.suppress(RampError):
            for payload in client.list_objects('/entities'):
                with contextlib.suppress(PayloadError):
                    entities.append(read_entity(payload))
        return entities

    def _note_entities(self, entities):
        """Store the names of the entities, the primary entity, and the bank accounts that the entities pay from."""
        self.ensure_one()
        if not entities:
            return
        self.write(
            {
                'ramp_entities': {entity.id: entity.name or entity.id for entity in entities},
                'primary_entity_id': next((entity.id for entity in reversed(entities) if entity.is_primary), False),
            }
        )
        self.env['ramp.bank.account']._learn_accounts(
            self,
            {
                account.id: account
                for entity in entities
                if not self._is_other_entity(entity.id)
                for account in entity.payment_accounts
            },
        )
