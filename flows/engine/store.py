# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import logging

from odoo import models

from ...models.ledger_json import json_digest, storable_json
from ...models.ramp_record import OPEN_STATES
from .flow import is_of_object
from .payloads import identity_only, is_uuid, jsonable

_logger = logging.getLogger(__name__)


class RampFlowStore(models.AbstractModel):
    """Put what Ramp sends into the ledger, `ramp.record`: one row for each object, whatever its payload is like."""

    _name = 'ramp.flow.store'
    _description = 'Ramp Flow: store objects of Ramp'

    _known_by = ('merchant_name',)  # keys under which a payload that cannot be read says what it is
    _quiet_extras = ()  # keys of `_get_late_details` that are only kept: no page tells of their changes
    _from_start_date = False  # whether its lists show objects from before the start date, too: they get no row
    # whether a booked document follows its object: a change is worked in, instead of held for a person
    _updates = False

    # ------------------------------------------------------------------ what a flow says

    def _read_payload(self, payload):
        """A payload as a value object; raises `PayloadError`."""
        raise NotImplementedError

    def _get_booking_facts(self, value):
        """What of a value object matters for the books, as JSON: a change of it is a change of the object."""
        return dataclasses.asdict(value)

    def _get_ledger_columns(self, connection, value):
        """Columns of the ledger's row for people: name, date, money (Money), parent_ramp_id."""
        raise NotImplementedError

    def _get_late_details(self, value):
        """What of an object may change after it was booked without touching the books (files, memo), as a dict; see
        `_log_late_details`.
        """
        return {}

    def _log_late_details(self, connection, record, before, value):
        """Show on a booked document what of `_get_late_details` is new. `before`: the extras that it shows."""

    def _is_synced_in_ramp(self, payload):
        """Whether Ramp says of this object that its outcome was accepted."""
        return payload.get('sync_status') == 'SYNCED'

    def _is_ready_in_ramp(self, payload):
        """Whether Ramp says of this object that it may be booked."""
        return payload.get('sync_status') == 'SYNC_READY'

    # ------------------------------------------------------------------ a run

    def _store_listed_page(self, connection, run, payloads, asked, known_only=False):
        """Put a page into the ledger; returns the Ramp ids of the objects that may be booked. `known_only`: nothing
        that has no row yet.
        """
        offered, exported = [], []
        for row, record in self._filter_own_rows(connection, payloads):
            if record or not known_only:
                (exported if self._is_exported_elsewhere(connection, row, record) else offered).append((row, record))
        rows = [row for row, _record in offered]
        self._store_ledger_rows(connection, rows, asked)
        self._store_withheld_rows(connection, exported, asked)
        ids = list(dict.fromkeys(row['ramp_id'] for row in rows))
        run.seen += 0 if known_only else len(ids)
        return ids

    def _filter_own_rows(self, connection, payloads):
        """[(row, its record in the ledger, or an empty one)] of the payloads that are the connection's business, or
        booked here.

        What is not, by whichever list or single read it came, is not stored; what is in the ledger from before is left
        out of the books.
        """
        rows = [self._make_ledger_row(connection, payload) for payload in payloads]
        records = {
            record.ramp_id: record
            for record in self.env['ramp.record'].search_fetch(
                [
                    ('connection_id', '=', connection.id),
                    ('flow', '=', self._flow),
                    ('ramp_id', 'in', [row['ramp_id'] for row in rows]),
                ],
                ['ramp_id', 'res_id', 'state', 'sync_attempt', 'is_told', 'is_withheld'],
            )
        }
        own = []
        for row in rows:
            record = records.get(row['ramp_id'], self.env['ramp.record'])
            reason = not record.res_id and self._reason_out_of_scope(connection, row)
            if not reason:
                own.append((row, record))
            elif record:
                record._ignore_out_of_scope(reason, counts=self._is_before_start_date(connection, row))
        return own

    def _reason_out_of_scope(self, connection, row):
        """Why an object is not the connection's business, as a sentence; None if it is. Such an object gets no row.

        Not every list can be limited to an entity, and no single read is.
        """
        payload = row['payload']
        entity = row.get('ramp_entity_id') or isinstance(payload, dict) and payload.get('entity_id')
        if isinstance(entity, str) and connection._is_other_entity(entity):
            return self._of_another_entity()
        # a statement names what is from before, too, and has to add up
        if (
            self._from_start_date
            and self._is_before_start_date(connection, row)
            and not self.env.context.get('ramp_of_statement')
        ):
            return self._reason_too_early()
        return None

    def _of_another_entity(self):
        return self.env._('It belongs to another Ramp entity than this connection.')

    def _reason_too_early(self):
        return self.env._('It is from before the start date of the connection.')

    def _store_ledger_rows(self, connection, rows, asked):
        """Put rows into the ledger, with what else they tell (see `_on_rows_stored`): together, or, where one stops the
        others, one by one.
        """
        if not rows:
            return
        try:
            with self.env.cr.savepoint():
                self.env['ramp.record']._upsert_page(connection, self._flow, rows, asked, updates=self._updates)
                self._on_rows_stored(connection, rows, asked)
        except Exception as error:
            if not is_of_object(error, undone=True):
                raise
            if len(rows) > 1:
                _logger.info('Ramp flow %s: a page of %s is split: %s', self._flow, len(rows), type(error).__name__)
                for row in rows:
                    self._store_ledger_rows(connection, [row], asked)
                return
            _logger.exception('Ramp flow %s could not store %s', self._flow, rows[0]['ramp_id'])
            self._store_odd_row(connection, rows[0], asked, error)

    def _store_odd_row(self, connection, row, asked, error):
        """Keep a row of which something could not be stored: as it is, else as one that cannot be read."""
        for part in (row, self._make_unreadable_row(row['payload'])):
            try:
                with self.env.cr.savepoint():
                    self.env['ramp.record']._upsert_page(connection, self._flow, [part], asked, updates=self._updates)
                    record = self.env['ramp.record'].search(
                        [
                            ('connection_id', '=', connection.id),
                            ('flow', '=', self._flow),
                            ('ramp_id', '=', part['ramp_id']),
                        ]
                    )
                    if record.state in OPEN_STATES:
                        record._mark_failed(self._describe_single_failure(error))
                return
            except Exception as further:
                if not is_of_object(further, undone=True):
                    raise
                _logger.info(
                    'Ramp flow %s: %s is not even kept as it is: %s',
                    self._flow,
                    part['ramp_id'],
                    type(further).__name__,
                )

    def _describe_single_failure(self, error):
        """The sentence for an object that failed in a way nobody thought of."""
        return self.env._('It could not be booked (%s). The server log has the details.', type(error).__name__)

    def _on_rows_stored(self, connection, rows, asked):
        """What else a page tells: a constant number of queries. Here: what became new of booked objects (see
        `_get_late_details`).
        """
        values = {row['ramp_id']: row['value'] for row in rows if 'value' in row}
        extras = {ramp_id: jsonable(self._get_late_details(value)) for ramp_id, value in values.items()}
        if not any(extras.values()):
            return
        noted = {}
        for record in self.env['ramp.record'].search_fetch(
            [
                ('connection_id', '=', connection.id),
                ('flow', '=', self._flow),
                ('ramp_id', 'in', list(extras)),
                ('res_id', '!=', False),
            ],
            ['ramp_id', 'res_model', 'res_id', 'noted'],
        ):
            before = record.noted or {}
            if before.get('extras') != extras[record.ramp_id]:
                if self._is_late_detail_shown(
                    before.get('extras'), extras[record.ramp_id]
                ) and not self._log_late_details_safely(connection, record, before['extras'], values[record.ramp_id]):
                    continue
                noted[record.id] = {**before, 'extras': extras[record.ramp_id]}
        self.env['ramp.record']._store_noted(noted)

    def _is_late_detail_shown(self, before, now):
        """Whether something of `_get_late_details` that a document's page tells is not as it was; before: None where
        that is not known.
        """
        return before is not None and any(
            before.get(key) != now.get(key) for key in {*before, *now} if key not in self._quiet_extras
        )

    def _log_late_details_safely(self, connection, record, before, value):
        """See `_log_late_details`. Returns whether it could be done; else it is tried with the next run, and what else
        the page tells is stored.
        """
        try:
            with self.env.cr.savepoint():
                self._log_late_details(connection, record, before, value)
        except Exception as error:
            if not is_of_object(error, undone=True):
                raise
            _logger.exception('Ramp flow %s could not show what changed of %s', self._flow, record.ramp_id)
            return False
        return True

    def _scrub_payload(self, payload):
        """A payload, however broken, as it may be stored and shown: without links that are secrets."""
        return payload

    def _make_ledger_row(self, connection, payload):
        """The row of a payload, however broken: what cannot be read is kept, and explained when it is looked at."""
        try:
            payload = storable_json(self._scrub_payload(payload))
        except Exception as error:
            if not is_of_object(error):
                raise
            payload = identity_only(payload)  # what is left may have links that are secrets
        try:
            value = self._read_payload(payload)
            row = self._get_ledger_columns(connection, value)
            money = row.pop('money', None)
            if money is not None:
                currency = self.env['ramp.coding']._get_currency(money.currency)
                row.update(amount=money.decimal, currency_id=currency.id)
            return {
                'ramp_id': value.id,
                'payload': payload,
                'payload_hash': json_digest(jsonable(self._get_booking_facts(value))),
                'ready': bool(self._sync_type) and self._is_ready_in_ramp(payload),
                'value': value,
                **row,
            }
        except Exception as error:
            if not is_of_object(error):
                raise
            return self._make_unreadable_row(payload)

    def _make_unreadable_row(self, payload):
        """The row of a payload that cannot be read, or not even be stored as it is."""
        try:
            found = json_digest(payload)
        except Exception as error:  # nested too deep, for one
            if not is_of_object(error):
                raise
            payload = identity_only(payload)
            found = json_digest(payload)
        identity = payload.get('id') if isinstance(payload, dict) else None
        if not is_uuid(identity):
            identity = f'malformed-{found[:32]}'
        return {
            'ramp_id': identity.lower(),
            'payload': payload,
            'payload_hash': found,
            'name': self._name_of_unreadable(payload),
        }

    def _name_of_unreadable(self, payload):
        """What a person may know a payload by that cannot be read as a whole."""
        for key in self._known_by:
            name = payload.get(key) if isinstance(payload, dict) else None
            if name and isinstance(name, str):
                return self.env._('Unreadable: %s', ' '.join(name.split())[:100])
        return self.env._('Unreadable')

    def _is_before_start_date(self, connection, row):
        """Whether an object is from before the connection's start date: it is left alone."""
        return bool(row.get('date')) and row['date'] < connection.start_date
