# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.tools import LazyTranslate

from ...models.ledger_json import json_digest
from ...ramp_api import read_invoice_urls
from ..engine.files import TYPES

_lt = LazyTranslate(__name__)


class RampFlowBillFile(models.AbstractModel):
    """Attach the invoice files of a bill to it and show them beside it.

    All files of a bill share one row. Ramp names the files by expiring links without ids, in no promised order. So Ramp
    is asked for the bill each time (`invoice_urls` of GET /bills/{id}), and a file is recognized by its content.
    """

    _name = 'ramp.flow.bill_file'
    _inherit = 'ramp.flow.file'
    _description = 'Ramp Flow: files of bills'

    _flow = 'bill_file'
    _flow_sequence = 65
    _parent_flows = ('bill',)
    _types = (*TYPES, 'application/xml', 'text/xml')  # XML: electronic invoices

    @api.model
    def _get_flow_label(self):
        return self.env._('Files of bills')

    @api.model
    def _is_enabled_for(self, connection):
        return connection.pull_bills

    @api.model
    def _get_ramp_page_path(self, record):
        bill = record.related_record_id
        flow = self.env.get(f'ramp.flow.{bill.flow}') if bill and bill.flow != self._flow else None
        return None if flow is None else flow._get_ramp_page_path(bill)

    @api.model
    def _enqueue_files(self, connection, files, booked=None):
        """Create the file rows of bills that are being posted, or for which Ramp now shows other files.

        The rows are written in the caller's transaction.

        :param files: {Ramp id of a bill: number of its files}; bills without files are left out
        :param booked: {Ramp id of a bill: document just created}, because the bill's row does not name it yet; None if
            the rows of the bills name their documents
        """
        bills = {bill: count for bill, count in files.items() if count}
        parents = self._find_parent_rows(connection, bills)
        moves = (
            self._find_booked_documents(connection, bills)
            if booked is None
            else {bill: [booked[bill]] for bill in bills}
        )
        no_row = self.env['ramp.record']
        # A bill that replaces a reversed one needs its files, too.
        self._enqueue_file_rows(
            connection,
            [
                {
                    **self._make_file_row(bill, count, moves.get(bill)),
                    'ramp_id': bill,
                    'parent_ramp_id': bill,
                    'name': self.env._('Invoice: %s', parents.get(bill, no_row).name or '?'),
                    'date': parents.get(bill, no_row).date or None,
                }
                for bill, count in bills.items()
            ],
            updates=True,
        )

    def _make_file_row(self, bill, count, moves):
        """Return the payload and hash of a file row. A changed hash makes the row due again."""
        return {
            'payload': {'id': bill, 'count': count},
            'payload_hash': json_digest([bill, count, moves[0].id if moves else None]),
        }

    def _fetch_file_links(self, connection, client, ramp_id):
        return read_invoice_urls(client.get(f'/bills/{ramp_id}'))

    def _skip_file_row(self, connection, record):
        # Set the number of files to 0, so that the same number counts as a change later.
        record.write(
            self._make_file_row(
                record.ramp_id, 0, self._find_booked_documents(connection, [record.ramp_id]).get(record.ramp_id)
            )
        )
        return super()._skip_file_row(connection, record)

    def _reason_object_gone(self):
        return _lt('Ramp no longer has this bill.')

    def _reason_no_files(self):
        return _lt('Ramp no longer shows a file for this bill.')

    def _reason_unreadable_files(self, error):
        return _lt('Ramp sent a bill whose files cannot be read. %s', error)
