# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.tools import LazyTranslate

from ...models.ledger_json import json_digest
from ...ramp_api import read_receipt

_lt = LazyTranslate(__name__)


class RampFlowReceipt(models.AbstractModel):
    """Attach the receipts of card transactions and reimbursements.

    Each receipt is one file. It is attached to the expense and its entry, or to the bill. Schema: Receipt of GET
    /receipts/{id}. Its link is pre-signed and lives about an hour.
    """

    _name = 'ramp.flow.receipt'
    _inherit = 'ramp.flow.file'
    _description = 'Ramp Flow: receipts'

    _flow = 'receipt'
    _flow_sequence = 90  # after all flows whose objects have receipts
    _parent_flows = ('transaction', 'reimbursement')

    @api.model
    def _get_flow_label(self):
        return self.env._('Receipts')

    @api.model
    def _get_ramp_page_path(self, record):
        if not record.parent_ramp_id:
            return None
        # The related row is found for all rows of a list at once.
        folder = 'reimbursements' if record.related_record_id.flow == 'reimbursement' else 'transactions'
        return f'/details/{folder}/{record.parent_ramp_id}'

    @api.model
    def _enqueue_files(self, connection, files, booked=None):
        """Create the rows of receipts whose objects are being posted, or for which Ramp shows further receipts.

        :param files: {Ramp id of an object: receipt ids}
        :param booked: {Ramp id of an object: entry just created}, because the object's row does not name it yet; None
            if the rows of the objects name their documents
        """
        receipts = {parent: ids for parent, ids in files.items() if ids}
        parents = self._find_parent_rows(connection, receipts)
        # A document that replaces a reversed one needs its receipts. An entry gets those of its expense (see
        # ramp.flow.transaction).
        targets = (
            self._find_booked_documents(connection, receipts)
            if booked is None
            else {parent: self._list_file_documents(booked[parent]) for parent in receipts}
        )
        nobody = self.env['ramp.record']
        rows = {False: [], True: []}
        for parent, ids in receipts.items():
            record, documents = parents.get(parent, nobody), targets.get(parent, [])
            alone = bool(documents) and all(document._name == 'account.move' for document in documents)
            for receipt in ids:
                rows[alone].append(
                    {
                        'ramp_id': receipt,
                        'parent_ramp_id': parent,
                        'payload': {'id': receipt},
                        'payload_hash': json_digest([receipt, documents[0].id]) if alone else receipt,
                        'name': self.env._('Receipt: %s', record.name or '?'),
                        'date': record.date or None,
                    }
                )
        for updates, part in rows.items():
            self._enqueue_file_rows(connection, part, updates)

    def _list_file_documents(self, move):
        """EXTENDS: Add the expense of card spend."""
        return [move, *move.expense_ids]

    def _fetch_file_links(self, connection, client, ramp_id):
        return [read_receipt(client.get(f'/receipts/{ramp_id}')).receipt_url]

    def _reason_object_gone(self):
        return _lt('Ramp does not have this receipt.')

    def _reason_unreadable_files(self, error):
        return _lt('Ramp sent a receipt that cannot be read. %s', error)
