# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import logging

from odoo import models
from odoo.tools import LazyTranslate

from ...models.ledger_json import json_digest, storable_json
from ...models.ledger_notes import ABSENT
from ...models.ramp_record import OPEN_STATES
from .flow import is_of_object
from .payloads import identity_only, is_uuid, jsonable

_lt = LazyTranslate(__name__)

_logger = logging.getLogger(__name__)


class RampFlowStore(models.AbstractModel):
    """Store what Ramp sends in the ledger, `ramp.record`: one row for each object, whatever its payload looks like."""

    _name = 'ramp.flow.store'
    _description = 'Ramp Flow: store objects of Ramp'

    _known_by = ('merchant_name',)  # keys that may name the object of an unreadable payload
    _quiet_extras = ()  # keys of `_get_late_details` that are stored only; their changes are not logged on the document
    _from_start_date = False  # whether the lists also contain objects from before the start date, which get no row
    # Whether a posted document follows its object. If so, a change is applied instead of held for a person.
    _updates = False

    # ------------------------------------------------------------------ hooks of a flow

    def _read_payload(self, payload):
        """Return a payload as a value object.

        :raise PayloadError: when it cannot be read
        """
        raise NotImplementedError

    def _get_booking_facts(self, value):
        """Return the facts of a value object that matter for the books, as JSON.

        A change of these facts counts as a change of the object.
        """
        return dataclasses.asdict(value)

    def _get_ledger_columns(self, connection, value):
        """Return the columns of the ledger row that are for people: name, date, money (Money), parent_ramp_id."""
        raise NotImplementedError

    def _get_late_details(self, value):
        """Return the details that may change after posting without a change to the books (files, memo), as a dict.

        See `_log_late_details`.
        """
        return {}

    def _scrub_payload(self, payload):
        """Return a payload, however broken, without secret links, so that it may be stored and shown."""
        return payload

    def _log_late_details(self, connection, record, before, value):
        """Log changes of `_get_late_details` on a posted document.

        :param before: late details that the document shows
        """

    def _is_synced_in_ramp(self, payload):
        """Return whether Ramp shows this object as synced: it has accepted the outcome."""
        return payload.get('sync_status') == 'SYNCED'

    def _is_ready_in_ramp(self, payload):
        """Return whether Ramp shows this object as ready to sync."""
        return payload.get('sync_status') == 'SYNC_READY'

    # ------------------------------------------------------------------ a run

    def _store_listed_page(self, connection, run, payloads, asked, known_only=False):
        """Store a page in the ledger.

        :param asked: datetime in UTC before the page was requested
        :param known_only: whether to leave out objects that have no row yet
        :return: Ramp ids of the objects that may be posted
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
        """Return the rows of the payloads that belong to this connection, or that are posted here.

        Other payloads are not stored, whichever request returned them. Their rows from before are ignored with the
        reason.

        :return: [(row, its record in the ledger or an empty one)]
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

    def _make_ledger_row(self, connection, payload):
        """Return the ledger row of a payload, however broken.

        An unreadable payload is stored, too. The row is explained when it is processed.
        """
        try:
            payload = storable_json(self._scrub_payload(payload))
        except Exception as error:
            if not is_of_object(error):
                raise
            payload = identity_only(payload)  # the rest may contain secret links
        try:
            value = self._read_payload(payload)
            row = self._get_ledger_columns(connection, value)
            money = row.pop('money', None)
            if money is not None:
                currency = self.env['ramp.coding']._get_currency(money.currency)
                row.update(amount=money.decimal_amount, currency_id=currency.id)
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
        """Return the row of a payload that cannot be read, or not even be stored as it is."""
        try:
            found = json_digest(payload)
        except Exception as error:  # for example, nested too deeply
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
        """Return a name by which a person may recognize an unreadable payload."""
        for key in self._known_by:
            name = payload.get(key) if isinstance(payload, dict) else None
            if name and isinstance(name, str):
                return self.env._('Unreadable: %s', ' '.join(name.split())[:100])
        return self.env._('Unreadable')

    def _store_ledger_rows(self, connection, rows, asked):
        """Store rows in the ledger, and process their details (see `_on_rows_stored`).

        They are stored together, or one by one where one row stops the others.
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
        """Store a row that failed: as it is, otherwise as an unreadable one."""
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
        """Return the sentence for an object that failed unexpectedly."""
        return _lt('It could not be posted (%s). The server log has the details.', type(error).__name__)

    # ------------------------------------------------------------------ the scope of a connection

    def _reason_out_of_scope(self, connection, row):
        """Return why an object does not belong to this connection, as a sentence, or None if it does.

        Such an object gets no row. The check is needed because some lists, and all requests for single objects, cannot
        be limited to a Ramp entity.
        """
        payload = row['payload']
        entity = row.get('ramp_entity_id') or isinstance(payload, dict) and payload.get('entity_id')
        if isinstance(entity, str) and connection._is_other_entity(entity):
            return self._of_another_entity()
        # A statement also contains objects from before the start date, and has to add up.
        if (
            self._from_start_date
            and self._is_before_start_date(connection, row)
            and not self.env.context.get('ramp_of_statement')
        ):
            return self._reason_too_early()
        return None

    def _of_another_entity(self):
        return _lt('It belongs to another Ramp entity than this connection.')

    def _reason_too_early(self):
        return _lt('It is from before the start date of the connection.')

    # ------------------------------------------------------------------ late details of posted objects

    def _on_rows_stored(self, connection, rows, asked):
        """Process the other details of a page, in a constant number of queries.

        By default, log the new late details of posted objects (see `_get_late_details`).
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
            note = record._read_note()
            shown = None if note.extras is ABSENT else note.extras
            if shown != extras[record.ramp_id]:
                if self._is_late_detail_shown(shown, extras[record.ramp_id]) and not self._log_late_details_safely(
                    connection, record, shown, values[record.ramp_id]
                ):
                    continue
                noted[record.id] = dataclasses.replace(note, extras=extras[record.ramp_id])
        self.env['ramp.record']._store_noted(noted)

    def _is_late_detail_shown(self, before, now):
        """Return whether a late detail changed that is to be logged on the document.

        :param before: late details that the document shows, None if that is not known
        """
        return before is not None and any(
            before.get(key) != now.get(key) for key in {*before, *now} if key not in self._quiet_extras
        )

    def _log_late_details_safely(self, connection, record, before, value):
        """Call `_log_late_details` in a savepoint.

        :return: False when it failed; then it is tried again in the next run, and the rest of the page is stored
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

    def _is_before_start_date(self, connection, row):
        """Return whether an object is from before the connection's start date, and so is left alone."""
        return bool(row.get('date')) and row['date'] < connection.start_date
