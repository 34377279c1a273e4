# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import base64

from odoo import api, models

from ..ramp_api import (
    PayloadError,
    RampAuthError,
    RampConnectionError,
    RampError,
    RampFileError,
    RampNotFound,
    RampProtocolError,
    read_receipt,
)

MAX_BYTES = 25 * 2 ** 20
TYPES = ('application/pdf', 'image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/heic')
DOCUMENTS = ('account.move', 'hr.expense')
SILENCE = 3  # receipts in a row for which Ramp did not answer at all


class RampFlowReceipt(models.AbstractModel):
    """Receipts of card transactions: one file each, attached to the expense and to its entry.

    Its rows are not listed from Ramp: booking a transaction makes one row for each receipt that it names, in the same
    transaction. So a file that cannot be had now delays nothing, is tried again, and is attached once.
    Schema: Receipt of GET /receipts/{id}; its link is pre-signed and lives about an hour.
    """

    _name = 'ramp.flow.receipt'
    _inherit = 'ramp.flow'
    _description = 'Ramp Flow: receipts'

    _flow = 'receipt'
    _flow_sequence = 20
    _batch_size = 20  # files held in memory at a time

    @api.model
    def _flow_label(self):
        return self.env._('Receipts')

    @api.model
    def _page(self, record):
        return record.parent_ramp_id and f'/details/transactions/{record.parent_ramp_id}'

    @api.model
    def _expect(self, connection, receipts):
        """Note the receipts of objects that are being booked; `receipts` maps the object's Ramp id to receipt ids."""
        parents = {record.ramp_id: record for record in self.env['ramp.record'].search_fetch([
            ('connection_id', '=', connection.id), ('ramp_id', 'in', [parent for parent, ids in receipts.items() if ids]),
            ('flow', '!=', self._flow)], ['ramp_id', 'name', 'date'])}
        nobody = self.env['ramp.record']
        rows = [
            {'ramp_id': receipt, 'parent_ramp_id': parent, 'payload': {'id': receipt}, 'payload_hash': receipt,
             'name': self.env._('Receipt: %s', parents.get(parent, nobody).name or '?'), 'date': parents.get(parent, nobody).date}
            for parent, ids in receipts.items() for receipt in ids]
        if rows:
            self.env['ramp.record']._upsert(connection, self._flow, rows, self.env.cr.now())
            self._trigger()

    def _work(self, connection, run):
        client = connection._client()
        after = 0
        while True:
            records = self.env['ramp.record']._take(connection, self._flow, self._batch_size, after=after)
            todo = [(record.id, record.ramp_id) for record in records]
            self.env.cr.rollback()  # no lock and no transaction is held while files are fetched
            if not todo:
                break
            after = todo[-1][0]
            files, silence = {}, 0
            for identity, ramp_id in todo:
                files[identity] = self._fetch(client, ramp_id)
                silence = silence + 1 if isinstance(files[identity], RampConnectionError) else 0
                if silence == SILENCE:
                    break
            self._transaction(self._attach, run, files)
            if silence == SILENCE:
                raise files[identity]  # Ramp is not there: no use in asking for the others now
            if not self.env['ir.cron']._commit_progress(len(todo)):
                self._trigger()
                break

    def _fetch(self, client, ramp_id):
        """The file of a receipt (`Download`), or the error that came instead of it. Raises when the credentials are refused."""
        try:
            receipt = read_receipt(client.get(f'/receipts/{ramp_id}'))
            return client.download(receipt.receipt_url, MAX_BYTES, TYPES)
        except RampAuthError:
            raise
        except (RampError, PayloadError) as error:
            return error

    def _attach(self, run, files):
        """Attach what was fetched, to rows that no other worker has finished meanwhile."""
        Record = self.env['ramp.record']
        records = Record.browse(files).try_lock_for_update().filtered(lambda record: not record.res_id)
        targets = self._targets(records)
        done, attachments = Record, self.env['ir.attachment']
        for record in records:
            file = files[record.id]
            documents = targets.get(record.parent_ramp_id)
            if isinstance(file, RampNotFound):
                record._hold(self.env._('Ramp does not have this receipt.'))
            elif isinstance(file, PayloadError):
                record._hold(self.env._('Ramp sent a receipt that cannot be read. %s', file))
            elif isinstance(file, RampFileError):
                record._hold(self.env._('The file cannot be attached: %s', file))
            elif isinstance(file, RampError) and (file.retryable or isinstance(file, RampProtocolError)):
                record._postpone(str(file))
            elif isinstance(file, RampError):
                record._fail(str(file))
            elif not documents:
                record._skip(self.env._('Its transaction has no document in Odoo.'))
            else:
                attachments += self._attachment(record, file, documents)
                done += record
        done._booked(attachments, None, told=False)
        states = records.mapped('state')
        run.write({
            'seen': run.seen + len(records), 'total': run.total + len(records), 'processed': run.processed + len(records),
            'created': run.created + len(done), 'confirmed': run.confirmed + len(done),
            'held': run.held + states.count('held'), 'failed': run.failed + states.count('error'),
        })

    def _targets(self, records):
        """Documents by the Ramp id of the transaction they were booked for; one query for each model."""
        targets = {}
        for model in DOCUMENTS:
            for document in self.env[model].search_fetch([('ramp_id', 'in', records.mapped('parent_ramp_id'))], ['ramp_id']):
                targets.setdefault(document.ramp_id, []).append(document)
        return targets

    def _attachment(self, record, file, documents):
        """One attachment on each document (the file itself is stored once); returns that of the entry."""
        values = {'name': file.filename, 'datas': base64.b64encode(file.content), 'mimetype': file.mimetype}
        attachments = self.env['ir.attachment'].create([
            {**values, 'res_model': document._name, 'res_id': document.id} for document in documents])
        for document, attachment in zip(documents, attachments, strict=True):
            document._message_set_main_attachment_id(attachment, force=False, filter_xml=False)
        return attachments[:1]
