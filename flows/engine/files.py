# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import logging

from odoo import models

from ...models.ramp_record import OPEN_STATES
from ...ramp_api import (
    Download,
    PayloadError,
    RampAuthError,
    RampConnectionError,
    RampError,
    RampFileError,
    RampNotFound,
    RampOutOfTime,
    RampProtocolError,
)
from .attach import Refused
from .flow import is_of_object

_logger = logging.getLogger(__name__)

MAX_BYTES = 25 * 2**20  # of a file
MAX_PIXELS = 50_000_000  # of a picture: as many as Odoo takes of one (odoo.tools.image); 48 KB can be 400 million
MAX_HELD = 4 * MAX_BYTES  # of files in memory; a row that goes beyond it is the last of its batch
TYPES = ('application/pdf', 'image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/heic')
SILENCE = 3  # times in a row that nobody answered at all


@dataclasses.dataclass(frozen=True)
class Fetched:
    """What came of asking for the files of a row.

    version: the row's hash when it was asked for; files: each a `Download`, or the error that came instead of it; one
    error where it is not even known which files there are.
    """

    version: str
    files: list

    @property
    def good(self):
        return [file for file in self.files if isinstance(file, Download)]

    @property
    def bad(self):
        return [(number, file) for number, file in enumerate(self.files, 1) if not isinstance(file, Download)]

    @property
    def silent(self):
        return bool(self.files) and all(isinstance(file, RampConnectionError) for file in self.files)

    @property
    def size(self):
        return sum(len(file.content) for file in self.good)


class RampFlowFile(models.AbstractModel):
    """Files of objects that are booked, attached to their documents.

    Its rows are not listed from Ramp: the flow that books an object makes them, in the same transaction (`_enqueue_*`).
    So a file that cannot be had now delays nothing, is tried again, and is attached once:

        take rows whose documents are there -> COMMIT -> ask Ramp for links, fetch -> attachments + rows -> COMMIT

    Links are pre-signed and short-lived, so they are asked for at that moment and kept nowhere. A row remembers what it
    attached to which document (`noted`): a file that somebody deleted from its document afterwards is not brought back.
    """

    _name = 'ramp.flow.file'
    _inherit = ['ramp.flow.attach', 'ramp.flow']
    _description = 'Ramp Flow: files'

    _batch_size = 20  # rows whose files are attached together
    _parent_flows = ()  # the flows whose objects have such files
    _types = TYPES

    # ------------------------------------------------------------------ what a flow says

    def _fetch_file_links(self, connection, client, ramp_id):
        """Ask Ramp for the links of a row's files. Raises `RampError` or `PayloadError`."""
        raise NotImplementedError

    def _reason_object_gone(self):
        """The sentence for a row that Ramp does not have."""
        raise NotImplementedError

    def _reason_no_files(self):
        """The sentence for a row for which Ramp names no file (any more)."""
        return self.env._('Ramp has no file of it any more.')

    def _reason_unreadable_files(self, error):
        """The sentence for a row that Ramp explains in a way nobody understands."""
        raise NotImplementedError

    # ------------------------------------------------------------------ rows

    def _find_parent_rows(self, connection, ids):
        """The ledger's rows of the objects that files belong to, by Ramp id."""
        parents = {}
        for record in (
            self.env['ramp.record'].search_fetch(
                [('connection_id', '=', connection.id), ('ramp_id', 'in', list(ids)), ('flow', '!=', self._flow)],
                ['ramp_id', 'flow', 'name', 'date', 'state'],
                order='id',
            )
            if ids
            else ()
        ):
            parents.setdefault(record.ramp_id, record)  # the first is the object itself; its payment has the same id
        return parents

    def _find_booked_documents(self, connection, ids):
        """{Ramp id of an object: the documents that the ledger says it was booked as}, in a constant number of queries.

        The attachment of the first one is the row's document. What a document itself says of Ramp is for people to
        read.
        """
        rows = (
            self.env['ramp.record'].search_fetch(
                [
                    ('connection_id', '=', connection.id),
                    ('flow', 'in', self._parent_flows),
                    ('ramp_id', 'in', list(ids)),
                    ('res_model', '=', 'account.move'),
                    ('res_id', '!=', False),
                ],
                ['ramp_id', 'res_id'],
                order='id',
            )
            if ids
            else ()
        )
        moves = {move.id: move for move in self.env['account.move'].browse([row.res_id for row in rows]).exists()}
        targets = {}
        for row in rows:
            if row.res_id in moves:
                targets.setdefault(row.ramp_id, self._list_file_documents(moves[row.res_id]))
        return targets

    def _list_file_documents(self, move):
        """The documents that get the files of what was booked as this entry."""
        return [move]

    def _enqueue_file_rows(self, connection, rows, updates):
        """Put rows into the ledger, in the transaction that books their objects.

        :param updates: whether a row whose hash changed is due again although its files are attached
        """
        if not rows:
            return
        # Whoever books an object says this once: it waits for a worker that has the row, instead of leaving the row as
        # it is.
        # `ready` False: Ramp is never told of files, so a row that is in order stays so.
        self.env['ramp.record']._upsert_page(
            connection,
            self._flow,
            [{**row, 'ready': False} for row in rows],
            self.env.cr.now(),
            updates=updates,
            wait=True,
        )
        self._trigger()

    def _skip_rows_without_documents(self, connection, records):
        """Rows of objects that are not booked: yet, or at all."""
        parents = self._find_parent_rows(connection, records.mapped('parent_ramp_id'))
        for record in records:
            parent = parents.get(record.parent_ramp_id)
            if parent and parent.state != 'ignored':
                record._mark_waiting(self.env._('It is attached as soon as what it belongs to is booked.'))
            else:
                record._ignore_by_rule(self.env._('What it belongs to has no document in Odoo.'))

    # ------------------------------------------------------------------ a run

    def _run_connection_work(self, connection, run):
        client = connection._run_client()
        after = 0
        while True:
            # no lock and no transaction is held while files are fetched
            after, todo = self._transaction(self._find_due_file_rows, connection, after)
            if not after:
                break
            fetched, silence, held, is_over = {}, 0, 0, None
            for identity, ramp_id, version in todo:
                try:
                    answer = fetched[identity] = Fetched(version, self._fetch_row_files(connection, client, ramp_id))
                except RampOutOfTime as error:
                    is_over = error
                    break
                silence = silence + 1 if answer.silent else 0
                held += answer.size
                if silence == SILENCE:
                    break
                if held > MAX_HELD or self._is_job_time_up():
                    after = identity
                    break
            if fetched:
                self._transaction(self._attach_fetched_files, connection, run, fetched)
            if is_over:
                raise is_over
            if silence == SILENCE:
                raise answer.files[0]  # Ramp is not there: no use in asking for the others now
            if not self.env['ir.cron']._commit_progress(len(fetched)):
                self._trigger()
                break

    def _find_due_file_rows(self, connection, after):
        """Rows that are due and can be attached, as (the last id looked at, [(id, Ramp id, hash)]); the last id is
        False at the end.
        """
        records = self.env['ramp.record']._take_due_rows(
            connection, self._flow, self._batch_size, after=after, updates=True
        )
        targets = self._find_booked_documents(connection, records.mapped('parent_ramp_id'))
        ready = records.filtered(lambda record: record.parent_ramp_id in targets)
        self._skip_rows_without_documents(connection, records - ready)
        return records[-1:].id, [(record.id, record.ramp_id, record.payload_hash) for record in ready]

    def _fetch_row_files(self, connection, client, ramp_id):
        """The files of a row, see `Fetched`. Raises when the credentials are refused, or the run's time is up."""
        try:
            links = self._fetch_file_links(connection, client, ramp_id)
        except (RampAuthError, RampOutOfTime):
            raise
        except (RampError, PayloadError) as error:
            return [error]
        except Exception as error:
            if not is_of_object(error):
                raise
            _logger.exception('Ramp flow %s could not read where the files of %s are', self._flow, ramp_id)
            return [PayloadError('payload', type(error).__name__)]
        files, silence = [], 0
        for link in links:
            if silence < SILENCE:
                try:
                    file = client.download_file(link, MAX_BYTES, self._types, MAX_PIXELS)
                except (RampAuthError, RampOutOfTime):
                    raise
                except RampError as error:
                    file = error
                except Exception as error:
                    if not is_of_object(error):
                        raise
                    _logger.exception('Ramp flow %s could not fetch a file of %s', self._flow, ramp_id)
                    file = RampFileError(type(error).__name__)
                silence = silence + 1 if isinstance(file, RampConnectionError) else 0
            files.append(
                file
            )  # where the files are kept nobody answers: the error of the last one stands for the others
        return files

    def _attach_fetched_files(self, connection, run, fetched):
        """Attach what was fetched, to rows that no other worker has finished meanwhile and from which nothing new is
        expected.
        """
        records = (
            self.env['ramp.record']
            .browse(fetched)
            .try_lock_for_update()
            .filtered(lambda record: record.state in OPEN_STATES and record.payload_hash == fetched[record.id].version)
        )
        targets = self._find_booked_documents(connection, records.mapped('parent_ramp_id'))
        lone = records.filtered(lambda record: record.parent_ramp_id not in targets)
        self._skip_rows_without_documents(connection, lone)
        work = {
            record: (fetched[record.id].good, targets[record.parent_ramp_id])
            for record in records - lone
            if fetched[record.id].good
        }
        attached = self._attach_in_savepoint(work)
        if attached is None:
            attached = {}
            for record, (files, documents) in work.items():
                attached.update(self._attach_row_files(record, files, documents, fetched[record.id]))
        self.env['ramp.record']._store_noted(
            {record.id: {**(record.noted or {}), 'files': noted} for record, (_first, noted) in attached.items()}
        )
        done = records.browse(
            record.id for record, (first, _noted) in attached.items() if first and not fetched[record.id].bad
        )
        done._mark_booked([attached[record][0] for record in done], None, told=False)
        for record in records - lone - done:
            if not fetched[record.id].files:
                self._skip_file_row(connection, record)
            elif fetched[record.id].bad:
                self._explain_file_failure(record, fetched[record.id])
            elif record in attached:
                record._ignore_by_rule(self.env._('Its files were deleted in Odoo.'))
        states = records.mapped('state')
        run.write(
            {
                'seen': run.seen + len(records),
                'total': run.total + len(records),
                'processed': run.processed + len(records),
                'created': run.created + len(done),
                'confirmed': run.confirmed + len(done),
                'held': run.held + states.count('held'),
                'failed': run.failed + states.count('error'),
            }
        )

    def _skip_file_row(self, connection, record):
        """Ramp names no file of a row."""
        return record._ignore_by_rule(self._reason_no_files())

    def _explain_file_failure(self, record, fetched):
        """Say which files are missing and why: what a person has to settle holds, what passes by itself is tried again."""
        reasons, verdicts = [], set()
        for number, error in fetched.bad:
            if isinstance(error, RampNotFound):
                verdict, reason = 'hold', self._reason_object_gone()
            elif isinstance(error, PayloadError):
                verdict, reason = 'hold', self._reason_unreadable_files(error)
            elif isinstance(error, Refused):
                verdict, reason = 'fail', str(error)
            elif isinstance(error, RampFileError):
                verdict, reason = (
                    'hold',
                    self.env._(
                        'The file cannot be attached: %s Put another file in its place in Ramp, or attach it by hand '
                        'and ignore this one.',
                        error,
                    ),
                )
            elif error.retryable or isinstance(error, RampProtocolError):
                verdict, reason = 'postpone', str(error)
            else:
                verdict, reason = 'fail', str(error)
            verdicts.add(verdict)
            reasons.append(
                reason
                if len(fetched.files) == 1
                else self.env._(
                    'File %(number)s of %(count)s: %(reason)s', number=number, count=len(fetched.files), reason=reason
                )
            )
        text = '\n'.join(reasons)
        if 'hold' in verdicts:
            record._mark_held(text)
        elif 'fail' in verdicts:
            record._mark_failed(text)
        else:
            record._retry_next_run(text)
