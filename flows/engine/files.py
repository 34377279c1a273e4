# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import functools
import logging

from odoo import models
from odoo.tools import LazyTranslate

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
from .reasons import Held

_lt = LazyTranslate(__name__)

_logger = logging.getLogger(__name__)

MAX_BYTES = 25 * 2**20  # largest file that is fetched
# Most pixels of an image, the limit of Odoo (odoo.tools.image). A file of 48 KB can hold 400 million pixels.
MAX_PIXELS = 50_000_000
# Bytes of files kept in memory. A row that exceeds the limit is the last one of its batch.
MAX_HELD = 4 * MAX_BYTES
TYPES = ('application/pdf', 'image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/heic')
SILENCE = 3  # requests in a row without any answer, after which no more are sent


@dataclasses.dataclass(frozen=True)
class Fetched:
    """The result of fetching the files of a row.

    version: hash of the row's payload at the time of the request
    files: for each file a `Download` or the error; a single error where the list of files could not be read
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
    """Attach the files of posted objects to their documents.

    Ramp has no list of these rows. The flow that posts an object makes them in the same transaction (`_enqueue_*`). So
    a file that cannot be fetched now delays nothing. It is tried again, and attached once:

        take rows whose documents exist -> COMMIT -> ask Ramp for links, fetch -> attachments + rows -> COMMIT

    Links are pre-signed and short-lived. So they are requested when they are needed, and not stored. A row notes what
    it attached to which document (`noted`). A file that somebody deleted from its document is not attached again.
    """

    _name = 'ramp.flow.file'
    _inherit = ['ramp.flow.attach', 'ramp.flow']
    _description = 'Ramp Flow: files'

    _batch_size = 20  # rows whose files are attached together
    _parent_flows = ()  # flows whose objects have these files
    _types = TYPES

    # ------------------------------------------------------------------ hooks of a flow

    def _fetch_file_links(self, connection, client, ramp_id):
        """Return the links to a row's files, fetched from Ramp.

        :raise RampError, PayloadError: when Ramp does not answer, or its answer cannot be read
        """
        raise NotImplementedError

    def _reason_object_gone(self):
        """Return the reason for a row whose object Ramp no longer has."""
        raise NotImplementedError

    def _reason_no_files(self):
        """Return the reason for a row for which Ramp has no file (any more)."""
        return _lt('Ramp no longer has a file for it.')

    def _reason_unreadable_files(self, error):
        """Return the reason for a row whose list of files cannot be read."""
        raise NotImplementedError

    # ------------------------------------------------------------------ rows

    def _find_parent_rows(self, connection, ids):
        """Return the ledger rows of the objects to which the files belong.

        :return: {Ramp id: row}
        """
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
            # The row of the object is the first. The row of its payment has the same Ramp id.
            parents.setdefault(record.ramp_id, record)
        return parents

    def _find_booked_documents(self, connection, ids):
        """Return the documents of posted objects, in a constant number of queries.

        The ledger decides which documents these are. What a document itself shows about Ramp is only for people to
        read.

        :return: {Ramp id of the object: documents}; the attachment of the first document becomes the row's document
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
        """Return the documents that get the files of the object with this entry."""
        return [move]

    def _enqueue_file_rows(self, connection, rows, updates):
        """Store rows for files in the ledger, in the transaction that posts their objects.

        :param updates: whether a row whose hash changed is due again although its files are attached
        """
        if not rows:
            return
        # `wait`: a posting enqueues its files only once, so it waits for a worker that holds the row.
        # `ready` False: files are never reported to Ramp, so a settled row stays settled.
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
        """Let rows wait whose objects are not posted yet. Ignore rows whose objects get no document."""
        parents = self._find_parent_rows(connection, records.mapped('parent_ramp_id'))
        for record in records:
            parent = parents.get(record.parent_ramp_id)
            if parent and parent.state != 'ignored':
                record._mark_waiting(_lt('It will be attached as soon as the object that it belongs to is posted.'))
            else:
                record._ignore_by_rule(_lt('The object that it belongs to has no document in Odoo.'))

    # ------------------------------------------------------------------ a run

    def _run_connection_work(self, connection, run):
        client = connection._run_client()
        after = 0
        while True:
            # No lock and no transaction is held while files are fetched.
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
                raise answer.files[0]  # Ramp does not answer, so asking for the other rows is useless now
            if not self.env['ir.cron']._commit_progress(len(fetched)):
                self._trigger()
                break

    def _find_due_file_rows(self, connection, after):
        """Return the due rows whose files can be attached.

        :return: (id of the last row that was looked at or False at the end, [(row id, Ramp id, hash)])
        """
        records = self.env['ramp.record']._take_due_rows(
            connection, self._flow, self._batch_size, after=after, updates=True
        )
        targets = self._find_booked_documents(connection, records.mapped('parent_ramp_id'))
        ready = records.filtered(lambda record: record.parent_ramp_id in targets)
        self._skip_rows_without_documents(connection, records - ready)
        return records[-1:].id, [(record.id, record.ramp_id, record.payload_hash) for record in ready]

    def _fetch_row_files(self, connection, client, ramp_id):
        """Return the files of a row, as in `Fetched.files`.

        :raise RampAuthError, RampOutOfTime: when Ramp refuses the credentials, or the run's time is up
        """
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
            # When the file server is silent, the error of the last request stands for the other files.
            files.append(file)
        return files

    def _attach_fetched_files(self, connection, run, fetched):
        """Attach the fetched files to their rows.

        Rows that another worker finished meanwhile are left out, and rows whose hash changed since.
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
            {
                record.id: dataclasses.replace(record._read_note(), files=known)
                for record, (_first, known) in attached.items()
            }
        )
        done = records.browse(
            record.id for record, (first, _known) in attached.items() if first and not fetched[record.id].bad
        )
        done._mark_booked([attached[record][0] for record in done], None, told=False)
        for record in records - lone - done:
            if not fetched[record.id].files:
                self._skip_file_row(connection, record)
            elif fetched[record.id].bad:
                self._explain_file_failure(record, fetched[record.id])
            elif record in attached:
                record._ignore_by_rule(_lt('Its files were deleted in Odoo.'))
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
        """Ignore a row for which Ramp has no file."""
        return record._ignore_by_rule(self._reason_no_files())

    def _explain_file_failure(self, record, fetched):
        """Store on a row which files are missing, and why.

        A file that needs a person puts the row on hold. A failure that passes by itself is retried.
        """
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
                    _lt(
                        'The file cannot be attached: %s Replace it in Ramp, or attach it by hand and ignore this one.',
                        error,
                    ),
                )
            elif error.retryable or isinstance(error, RampProtocolError):
                verdict, reason = 'postpone', str(error)
            else:
                verdict, reason = 'fail', str(error)
            verdicts.add(verdict)
            held, count = Held(reason), len(fetched.files)
            reasons.append(held if count == 1 else held.inside(functools.partial(self._name_file, number, count)))
        reason = Held.for_all(reasons)
        if 'hold' in verdicts:
            record._mark_held(reason)
        elif 'fail' in verdicts:
            record._mark_failed(reason)
        else:
            record._retry_next_run(reason)

    @staticmethod
    def _name_file(number, count, text):
        return _lt('File %(number)s of %(count)s: %(reason)s', number=number, count=count, reason=text)
