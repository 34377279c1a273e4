# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import hashlib
import logging
import uuid

from odoo import models
from odoo.tools import LazyTranslate

from ...models.dry_run_cursor import is_dry_run
from ...models.ledger_json import canonical_json
from ...models.run_memory import run_memory
from ...ramp_api import (
    RampAuthError,
    RampError,
    RampIdempotencyReused,
    RampNotFound,
    RampOutOfTime,
    RampScopeError,
    RampValidationError,
)
from .flow import is_of_object

_lt = LazyTranslate(__name__)

_logger = logging.getLogger(__name__)

# Immediate tries with a new key, after a request that failed used up the old one in Ramp.
BURNT_KEYS = 2
REPORTS_PER_RUN = 100  # batches of reasons that a run reports to Ramp


class RampFlowConfirm(models.AbstractModel):
    """Report the outcome of objects to Ramp: posted, or why not.

    A batch is confirmed under a sync key that was committed with its documents. So Ramp notices a confirmation that is
    sent twice.
    """

    _name = 'ramp.flow.confirm'
    _description = 'Ramp Flow: confirm to Ramp'

    # `sync_type` of POST /accounting/syncs. None: Ramp takes no confirmation of these objects.
    _sync_type = None

    # ------------------------------------------------------------------ hooks of a flow

    def _make_sync_item(self, record):
        """Return what is sent to Ramp to confirm one posted object."""
        return {'id': record.ramp_id, 'reference_id': self._get_odoo_reference(record)}

    def _get_odoo_reference(self, record):
        """Return Odoo's id of the outcome, which Ramp stores.

        It must not change, because it is part of the identity of a confirmation.
        """
        return f'{record.res_model},{record.res_id}'

    # ------------------------------------------------------------------ confirming

    def _finish_sync_run(self, connection, run, message):
        result = super()._finish_sync_run(connection, run, message)
        connection._note_untold(run_memory(self.env).untold_reason)
        return result

    def _new_sync_key(self, records):
        """Return the idempotency key of a confirmation.

        The key is derived from the objects and the attempt, never from chance or time.
        """
        content = canonical_json([self._sync_type, sorted((record.ramp_id, record.sync_attempt) for record in records)])
        return _make_idempotency_key(content)

    def _confirm_earlier_batches(self, connection, run, client):
        """Confirm what earlier runs posted, and report the reasons that Ramp does not have yet."""
        tried = []
        while self._sync_type:
            key = self._transaction(self.env['ramp.record']._next_unconfirmed, connection, self._flow, tried)
            if not key:
                break
            tried.append(key)
            if not self._try_with_ramp(self._confirm_booked_batch, connection, run, client, key):
                return
        self._report_hold_reasons(connection, client)

    def _try_with_ramp(self, work, *args):
        """Run a transaction that sends something to Ramp.

        :return: False when Ramp does not accept it; the next run continues from there
        """
        if is_dry_run(self.env):
            return False  # it tells Ramp nothing
        try:
            self._transaction(work, *args)
        except RampError as error:
            self.env.cr.rollback()
            _logger.info('Ramp flow %s: not confirmed now (%s)', self._flow, error)
            memory = run_memory(self.env)
            if work == self._confirm_booked_batch and not isinstance(error, RampOutOfTime):
                memory.untold_reason = str(error)
            if isinstance(error, (RampAuthError, RampScopeError)):
                # A person has to grant the access. The run posts what it can, and shows this error at its end.
                memory.forbidden_error = error
            return False
        return True

    def _confirm_booked_batch(self, connection, run, client, key):
        """Confirm a committed batch to Ramp, and store that Ramp accepted it."""
        Record = self.env['ramp.record']
        records = Record._take_batch(connection, self._flow, key)
        if not records:
            return  # another worker has it
        try:
            syncs = [self._make_sync_item(record) for record in records]
        except Exception as error:
            if not is_of_object(error):
                raise
            if len(records) == 1:
                _logger.exception(
                    'Ramp flow %s could not say what Ramp is to be told of %s', self._flow, records.ramp_id
                )
                records._mark_failed(
                    _lt(
                        'It is posted, but Odoo could not create the confirmation for Ramp (%s). The server log has '
                        'the details.',
                        type(error).__name__,
                    )
                )
                return
            self._confirm_one_by_one(connection, run, client, records)
            return
        try:
            client.post(
                '/accounting/syncs',
                {'idempotency_key': key, 'sync_type': self._sync_type, 'successful_syncs': syncs},
                idempotent=True,
            )
        except RampIdempotencyReused:
            # Either a crash came between Ramp's answer and our commit, or a failed request used up the key. Ask Ramp.
            self._confirm_by_asking_ramp(run, client, records)
            return
        except (RampValidationError, RampNotFound) as error:
            if isinstance(error, RampNotFound) and not error.code:
                raise  # a 404 without a code is a proxy's page; Ramp said nothing about these objects
            if len(records) == 1:
                self._confirm_by_asking_ramp(run, client, records, error)
                return
            self._confirm_one_by_one(connection, run, client, records)
            return
        records._mark_confirmed()
        run.confirmed += len(records)

    def _confirm_one_by_one(self, connection, run, client, records):
        """Give each object of a refused batch a key of its own, so that only the bad one stays unconfirmed."""
        for record in records:
            record.sync_attempt += 1
            record.sync_key = self._new_sync_key(record)
        keys = records.mapped('sync_key')
        self.env['ir.cron']._commit_progress()
        for single in keys:
            self._transaction(self._confirm_booked_batch, connection, run, client, single)

    def _confirm_by_asking_ramp(self, run, client, records, refusal=None):
        """Ask Ramp for the state of each object. Prepare a new key for those that are not synced there.

        :param refusal: the error with which Ramp refused the confirmation, or None
        """
        again = records.browse()
        for record in records:
            try:
                payload = client.get(f'{self._endpoint}/{record.ramp_id}')
                synced = isinstance(payload, dict) and self._is_synced_in_ramp(payload)
            except RampNotFound as error:
                synced, refusal = False, refusal or error
            if synced:
                record._mark_confirmed()
                run.confirmed += 1
            else:
                again += record
        for record in again:
            record.sync_attempt += 1
        if again:
            again.sync_key = self._new_sync_key(again)
        for record in again:
            if not refusal and record.attempts < BURNT_KEYS:
                record.attempts += 1
                continue
            record._mark_failed(
                _lt('It is posted, but Ramp refused the confirmation: %(refusal)s', refusal=refusal)
                if refusal
                else _lt('It is posted, but Ramp neither accepts the confirmation nor shows it as synced.')
            )
            run_memory(self.env).untold_reason = record.error_message

    def _report_hold_reasons(self, connection, client, ids=None):
        """Report to Ramp why objects are on hold, once for each reason, in the words of the error inbox."""
        if not self._sync_type:
            return
        for _batch in range(REPORTS_PER_RUN):
            unreported = self.env['ramp.record']._unreported_rows(connection, self._flow, ids, self._batch_size)
            if any(unreported.mapped('reported_hash')):
                self._transaction(self._forget_reported_reasons, unreported)
            if not unreported or not self._try_with_ramp(self._report_reasons_batch, client, unreported):
                break

    def _forget_reported_reasons(self, records):
        """Forget the reasons that Ramp shows, before other ones are reported.

        If the outcome of that report is unknown, the earlier reason may have to be reported again.
        """
        records.reported_hash = False

    def _report_reasons_batch(self, client, records):
        """Report the reasons in one call. If Ramp refuses it, send one call for each object.

        A reason that Ramp refuses even then is only logged.
        """
        # Another worker that reports the same at this moment sends the same key. Ramp refuses the second request.
        failures = [{'id': record.ramp_id, 'error': {'message': record.error_message}} for record in records]
        content = canonical_json(
            [self._sync_type, failures, [(record.sync_attempt, record.reports) for record in records]]
        )
        try:
            client.post(
                '/accounting/syncs',
                {
                    'idempotency_key': _make_idempotency_key(content),
                    'sync_type': self._sync_type,
                    'failed_syncs': failures,
                },
                idempotent=True,
            )
        except RampIdempotencyReused:
            _logger.debug('Ramp was told these reasons before; the crash came before that could be noted')
        except (RampValidationError, RampNotFound) as error:
            if isinstance(error, RampNotFound) and not error.code:
                raise  # a 404 without a code is a proxy's page; Ramp said nothing about these objects
            if len(records) > 1:
                for record in records:
                    self._report_reasons_batch(client, record)
                return
            _logger.info('Ramp did not take the reason for %s: %s', records.ramp_id, error)
        records._mark_reported()


def _make_idempotency_key(content):
    """Return an idempotency key (uuid) of a text. Equal texts have equal keys in every process."""
    return str(uuid.UUID(hashlib.sha256(content.encode('utf-8', 'surrogatepass')).hexdigest()[:32]))
