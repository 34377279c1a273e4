# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import logging
from collections import defaultdict

from odoo import models
from odoo.exceptions import UserError

from ...ramp_api import RampFileError
from .flow import is_of_object

_logger = logging.getLogger(__name__)


class Unattachable(RampFileError):
    """Ramp has the file, but Odoo cannot use it. The message is a whole sentence."""

    def __str__(self):
        return self.message


class Refused(Unattachable):
    """Odoo refused a file for a reason that may pass, because a person can change something in Odoo."""


class RampFlowAttach(models.AbstractModel):
    """Attach fetched files to documents in Odoo. Each file is attached once, however often it is fetched."""

    _name = 'ramp.flow.attach'
    _description = 'Ramp Flow: attach files'

    def _attach_in_savepoint(self, work):
        """Call `_attach_missing_files` in a savepoint.

        :return: the same, or None when the batch failed and has to be split
        """
        try:
            with self.env.cr.savepoint():
                return self._attach_missing_files(work) if work else {}
        except Exception as error:
            if not is_of_object(error, undone=True):
                raise
            _logger.info('Ramp flow %s: a batch of %s is split: %s', self._flow, len(work), type(error).__name__)
            return None

    def _attach_row_files(self, record, files, documents, fetched):
        """Attach the files of one row one by one.

        A file that cannot be attached is left out. The reason replaces it in `fetched.files`.

        :return: {row: (attachment, known)} as of `_attach_missing_files`; empty when no file could be attached
        """
        attached = {}
        for file in files:
            try:
                with self.env.cr.savepoint():
                    [(first, known)] = self._attach_missing_files({record: ([file], documents)}).values()
            except Exception as error:
                if not is_of_object(error, undone=True):
                    raise
                if isinstance(error, UserError):
                    reason = Refused(
                        self.env._('Odoo refused to attach %(file)s: %(error)s', file=file.filename, error=error)
                    )
                else:
                    _logger.exception('Ramp flow %s could not attach a file of %s', self._flow, record.ramp_id)
                    reason = Unattachable(
                        self.env._(
                            '%(file)s: Odoo cannot use this file (%(kind)s; the server log has the details).',
                            file=file.filename,
                            kind=type(error).__name__,
                        )
                    )
                fetched.files[fetched.files.index(file)] = reason
                continue
            # The next file is added to what this one noted.
            self.env['ramp.record']._store_noted({record.id: dataclasses.replace(record._read_note(), files=known)})
            attached[record] = (attached[record][0] if record in attached else None) or first, known
        return attached

    def _attach_missing_files(self, work):
        """Attach the files that each document lacks and was not given before. Equal content is stored once.

        :param work: {row: (files, documents)}
        :return: {row: (attachment that is the row's document, or None, `files` of the row's note)}
        """
        # XML from outside is shown as plain text. Odoo treats incoming emails in the same way.
        Attachment = self.env['ir.attachment'].with_context(attachments_mime_plainxml=True, ramp_files=True)
        sums = {
            record: {Attachment._compute_checksum(file.content): file for file in files}
            for record, (files, _docs) in work.items()
        }
        present = self._find_present_attachments(sums, work)
        noted, values, places = {}, [], []
        for record, (_files, documents) in work.items():
            before = record._read_note().files or {}
            noted[record] = {}
            for document in documents:
                key = f'{document._name},{document.id}'
                known = noted[record][key] = {**before.get(key, {}), **present[key]}
                for checksum, file in sums[record].items():
                    if checksum not in known:
                        values.append(
                            {
                                'name': file.filename,
                                'raw': file.content,
                                'mimetype': file.mimetype,
                                'res_model': document._name,
                                'res_id': document.id,
                            }
                        )
                        places.append((document, known, checksum, file))
        fresh = defaultdict(Attachment.browse)
        for attachment, (document, known, checksum, file) in zip(Attachment.create(values), places, strict=True):
            known[checksum] = attachment.id
            if not file.mimetype.endswith('/xml'):  # Odoo cannot show XML beside the document
                fresh[document] += attachment
        for document, attachments in fresh.items():
            document._message_set_main_attachment_id(attachments, force=False, filter_xml=False)
        first = {
            record: self._rank_known_attachments(record, noted[record], sums[record], documents[0])
            for record, (_files, documents) in work.items()
        }
        there = Attachment.browse({identity for ids in first.values() for identity in ids}).exists().grouped('id')
        return {record: (next(filter(None, map(there.get, first[record])), None), noted[record]) for record in work}

    def _rank_known_attachments(self, record, noted, sums, document):
        """Return ids of attachments that may be the row's document, the best first.

        The attachment that was the row's document comes first if it is still on the document.
        """
        known = noted[f'{document._name},{document.id}']
        ids = [known[checksum] for checksum in sums]
        return [record.res_id, *ids] if record.res_id in known.values() else ids

    def _find_present_attachments(self, sums, work):
        """Return what is attached already, no matter by whom, with one query for each model.

        :return: {'model,id' of the document: {checksum: attachment id}}
        """
        documents = defaultdict(set)
        for _files, targets in work.values():
            for document in targets:
                documents[document._name].add(document.id)
        checksums = list({checksum for contents in sums.values() for checksum in contents})
        present = defaultdict(dict)
        for model, ids in documents.items():
            for attachment in self.env['ir.attachment'].search_fetch(
                [('res_model', '=', model), ('res_id', 'in', list(ids)), ('checksum', 'in', checksums)],
                ['res_model', 'res_id', 'checksum'],
                order='id',
            ):
                present[f'{model},{attachment.res_id}'].setdefault(attachment.checksum, attachment.id)
        return present
