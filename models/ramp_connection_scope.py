# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
from datetime import datetime, time, timedelta

import pytz

from odoo import api, models

from ..ramp_api import PayloadError, RampError, read_entity, to_company_date


class RampConnection(models.Model):
    """Which of Ramp's objects are this connection's: from which day on, of which entity, and what there was before."""

    _inherit = 'ramp.connection'

    # ------------------------------------------------------------------ days

    def _start_moment(self, before=timedelta(0)):
        """The first moment of the start date, or of a day before it, in the company's time zone, in UTC, as Ramp's
        filters want it.
        """
        return self._start_time(before).strftime('%Y-%m-%dT%H:%M:%SZ')

    def _start_time(self, before=timedelta(0)):
        """The same as a datetime, as Odoo stores it: a domain with a date would mean midnight for whoever searches."""
        self.ensure_one()
        zone = pytz.timezone(self._time_zone())
        return (
            zone.localize(datetime.combine(self.start_date - before, time.min))
            .astimezone(pytz.utc)
            .replace(tzinfo=None)
        )

    def _time_zone(self):
        """Name of the company's time zone: it decides on which day a moment falls in the books."""
        self.ensure_one()
        known = self.env.context.get('ramp_memory', {}).setdefault(
            'timezones', {}
        )  # of a run, which asks after each commit
        if self.id not in known:
            company = self.company_id
            company.fetch(['partner_id', 'resource_calendar_id'])  # each job asks, and most need nothing else of these
            company.partner_id.fetch(['tz', 'lang'])
            if not company.partner_id.tz:
                company.resource_calendar_id.fetch(['tz'])
            known[self.id] = company.partner_id.tz or company.resource_calendar_id.tz or 'UTC'
        return known[self.id]

    def _is_left_alone(self, moment):
        """Whether an object without a sync status that is of this moment, datetime or date, was there before and is to
        be left alone.
        """
        self.ensure_one()
        if self.existing_policy != 'leave' or not (self.connected_at and moment):
            return False
        if isinstance(moment, datetime):
            return moment.astimezone(pytz.utc).replace(tzinfo=None) < self.connected_at
        return moment < to_company_date(pytz.utc.localize(self.connected_at), self._time_zone())

    def _scope_of_lists(self):
        """What decides which objects Ramp's lists show, as JSON: with another one, a place in them is none."""
        return [
            self._api_url(),
            self.accounting_connection_id,
            self._start_moment(),
            self.ramp_entity_id or None,
            self.bill_policy,
        ]

    # ------------------------------------------------------------------ entities

    def _is_other_entity(self, entity_id):
        """Whether an object of this Ramp entity, an id in whichever case or None, is another connection's; without an
        id nobody knows.
        """
        self.ensure_one()
        return bool(self.ramp_entity_id and entity_id) and entity_id.lower() != self.ramp_entity_id.lower()

    @api.model
    def _read_entities(self, client):
        """The Ramp business's entities; none where Ramp does not say."""
        entities = []
        with contextlib.suppress(RampError):  # their ids are shown instead
            for payload in client.list_objects('/entities'):
                with contextlib.suppress(PayloadError):
                    entities.append(read_entity(payload))
        return entities

    def _note_entities(self, entities):
        """Keep what Ramp tells of its entities: their names, which is the primary one, and the bank accounts that they
        pay from.
        """
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
