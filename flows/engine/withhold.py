# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib

from odoo import models
from odoo.tools import LazyTranslate

from ...ramp_api import parse_utc_moment
from .flow import is_of_object
from .reasons import Held, Skipped, Waiting

_lt = LazyTranslate(__name__)


class RampFlowWithhold(models.AbstractModel):
    """Store objects that Ramp shows but withholds, with the reason why they are not posted.

    Such an object is not ready yet, was exported by another system, or is gone. No run posts it.
    """

    _name = 'ramp.flow.withhold'
    _description = 'Ramp Flow: objects that Ramp does not offer'

    _synced_at = 'synced_at'  # key of the time when an object was exported

    def _is_exported_elsewhere(self, connection, row, record):
        """Return whether an object is synced in Ramp, but not by this connection.

        Such an object is in the books of the system that exported it. Only a person's decision in Ramp lets it be
        posted here.

        :param record: its record in the ledger, or an empty one
        """
        return self._was_told_elsewhere(row['payload'], record)

    def _was_told_elsewhere(self, payload, record):
        return (
            isinstance(payload, dict)
            and self._is_synced_in_ramp(payload)
            and not (record.res_id or record.sync_attempt or record.is_told)
        )

    def _skip_unlisted_rows(self, records):
        """Ignore rows that a complete list no longer contains, where this means that the object is gone."""
        for record in records.try_lock_for_update():
            record._ignore_by_rule(_lt('Ramp no longer lists it.'))

    def _store_unlisted_answers(self, connection, answers):
        """Store what Ramp answered about open rows that it did not list.

        :param answers: {id of the ledger row: (moment before the request, payload or None if Ramp does not have it)}
        :return: Ramp ids of the objects that may be posted
        """
        ready = []
        for record in self.env['ramp.record'].browse(answers).try_lock_for_update():
            asked, payload = answers[record.id]
            if payload is None:
                record._ignore_by_rule(_lt('Ramp no longer has it.'))
                continue
            for row, _record in self._filter_own_rows(connection, [payload]):
                if self._is_exported_elsewhere(connection, row, record):
                    self._store_withheld_rows(connection, [(row, record)], asked)
                elif self._is_synced_in_ramp(payload):
                    # Its document was deleted here after the confirmation, and somebody pressed Retry.
                    ready.append(record.ramp_id)
                elif self._is_ready_in_ramp(payload):
                    record._upsert_page(connection, self._flow, [row], asked)
                    ready.append(row['ramp_id'])
                else:
                    self._store_withheld_rows(connection, [(row, record)], asked)
        return ready

    def _store_observed_page(self, connection, payloads, asked):
        """Store a page of a list that contains ready objects and withheld ones.

        :param asked: datetime in UTC before the page was requested
        """
        offered, withheld = [], []
        for row, record in self._filter_own_rows(connection, payloads):
            is_offered = (
                'value' in row
                and self._is_ready_in_ramp(row['payload'])
                and not self._is_before_start_date(connection, row)
            )
            (offered if is_offered else withheld).append((row, record))
        if offered:
            self._store_ledger_rows(connection, [row for row, _record in offered], asked)
        self._store_withheld_rows(
            connection,
            [
                (row, record)
                for row, record in withheld
                if record
                or self._counts_in_balance(row)
                or self._is_exported_elsewhere(connection, row, record)
                and not self._is_before_start_date(connection, row)
            ],
            asked,
        )
        self.env['ramp.record']._mark_seen(
            connection, self._flow, [row['ramp_id'] for row, _record in offered + withheld], asked
        )

    def _store_unseen_answers(self, connection, answers, asked):
        """Store what Ramp answered about objects that were on none of its lists.

        :param answers: {id of the ledger row: payload or None if Ramp does not have it any more}
        """
        gone = self.env['ramp.record'].browse(identity for identity, payload in answers.items() if payload is None)
        self._store_observed_page(connection, [payload for payload in answers.values() if payload is not None], asked)
        gone.try_lock_for_update()._mark_vanished(asked)

    def _counts_in_balance(self, row):
        """Return whether a withheld object needs a row, because it counts in the amount owed according to Ramp."""
        return row.get('has_moved') or row.get('open_amount')

    def _store_withheld_rows(self, connection, rows, asked):
        """Store objects that Ramp shows but withholds.

        An object that is not posted waits, or was exported by another system. A posted object is checked for changes.

        :param rows: as of `_filter_own_rows`
        """
        booked = [row for row, record in rows if record.res_id]
        if booked:
            self._store_ledger_rows(connection, booked, asked)
        self.env['ramp.record']._upsert_withheld(
            connection,
            self._flow,
            [
                {**row, **self._get_withheld_state_safely(connection, row, record)}
                for row, record in rows
                if not record.res_id
            ],
            asked,
        )

    def _get_withheld_state_safely(self, connection, row, record):
        """Return `_get_withheld_state`, or *held* with the reason for an object that is too odd for it."""
        try:
            return self._get_withheld_state(connection, row, record)
        except Exception as error:
            if not is_of_object(error):
                raise
            return {
                'state': 'held',
                'hold_reason': 'question',
                'reason': _lt(
                    'Ramp sent data that cannot be read (%s). Ask Ramp about it, or ignore it.', type(error).__name__
                ),
            }

    def _get_withheld_state(self, connection, row, record):
        """Return the state of a withheld object, and its reason (`hold_reason`, `reason`).

        :param record: its record in the ledger, or an empty one
        """
        if self._is_before_start_date(connection, row):
            return {'state': 'ignored', 'hold_reason': 'rule', 'reason': self._reason_too_early()}
        reason = self._reason_never_booked(connection, row)
        if reason:
            return {'state': 'ignored', 'hold_reason': 'rule', 'reason': reason}
        if isinstance(row['payload'], dict) and self._is_synced_in_ramp(row['payload']):
            if self._was_exported_before(connection, row, record):
                return {
                    'state': 'ignored',
                    'hold_reason': 'rule',
                    'reason': _lt('It was exported from Ramp before this connection existed.'),
                }
            return {
                'state': 'held',
                'hold_reason': 'elsewhere',
                'reason': _lt(
                    'Another system marked it as synced in Ramp, so it is not posted here. If it is already in your '
                    'books, ignore it. If not, mark it as not synced in Ramp (in its sync history), and it will be '
                    'posted.'
                ),
            }
        return {'state': 'pending', 'reason': _lt('It is not marked as ready in Ramp. It will be posted when it is.')}

    def _reason_never_booked(self, connection, row):
        """Return why an object will never be posted (declined, canceled, archived) as a `Skipped`, or None."""
        try:
            if 'value' in row:
                self._check_ramp_state(connection, row['value'])
        except Skipped as reason:
            return reason
        except (Held, Waiting):
            return None
        return None

    def _check_ramp_state(self, connection, value):
        """Check whether the state of an object in Ramp already rules out its posting (now).

        :raise Skipped, Waiting, Held: if it does
        """

    def _was_exported_before(self, connection, row, record):
        """Return whether another system exported an object before this connection existed.

        Where Ramp does not say when that was, an object counts as exported before if the connection's first look at all
        objects of the flow finds it exported. It keeps that status.
        """
        with contextlib.suppress(ValueError):  # the time is missing, or in an unknown form
            # Ramp's times are whole seconds. An export in the second of the connection's creation is held.
            return parse_utc_moment(row['payload'].get(self._synced_at)).replace(
                tzinfo=None
            ) < connection.create_date.replace(microsecond=0)
        was_before = (
            record.state == 'ignored'
            and record.is_withheld
            and isinstance(record.payload, dict)
            and (self._is_synced_in_ramp(record.payload))
        )
        return was_before or not record and self._flow not in (connection.looked_at or ())
