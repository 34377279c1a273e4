# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.tools import LazyTranslate

from ...models.ledger_json import json_digest
from ...ramp_api import read_statement, read_statement_url

_lt = LazyTranslate(__name__)


class RampFlowStatementFile(models.AbstractModel):
    """Attach the PDF of a statement to each of its bills and show it beside them.

    Each statement has one row. The link to its file is pre-signed and lives about an hour (`statement_url` of GET
    /statements/{id}).
    """

    _name = 'ramp.flow.statement_file'
    _inherit = 'ramp.flow.file'
    _description = 'Ramp Flow: files of card statements'

    _flow = 'statement_file'
    _flow_sequence = 88
    _types = ('application/pdf',)

    @api.model
    def _get_flow_label(self):
        return self.env._('Files of card statements')

    @api.model
    def _is_enabled_for(self, connection):
        return connection.pull_statements

    @api.model
    def _get_ramp_page_path(self, record):
        return '/statements'

    def _find_section_rows(self, ids):
        """Return the ledger rows of the sections of statements. A statement itself has no row."""
        return (
            self.env['ramp.record'].search_fetch(
                [('flow', '=', 'statement'), ('parent_ramp_id', 'in', list(ids))],
                ['parent_ramp_id', 'flow', 'name', 'date', 'state', 'res_model', 'res_id', 'connection_id'],
                order='id',
            )
            if ids
            else ()
        )

    def _find_parent_rows(self, connection, ids):
        parents = {}
        for record in self._find_section_rows(ids):
            if record.connection_id == connection and (
                record.state != 'ignored' or record.parent_ramp_id not in parents
            ):
                parents[record.parent_ramp_id] = record
        return parents

    def _find_booked_documents(self, connection, ids):
        booked = [
            record
            for record in self._find_section_rows(ids)
            if record.connection_id == connection and record.res_id and record.res_model == 'account.move'
        ]
        moves = {
            move.id: move for move in self.env['account.move'].browse([record.res_id for record in booked]).exists()
        }
        targets = {}
        for record in booked:
            if record.res_id in moves:
                targets.setdefault(record.parent_ramp_id, []).append(moves[record.res_id])
        return targets

    @api.model
    def _enqueue_statement_files(self, connection, statements):
        """Create the file rows of statements whose bills are being posted.

        The rows are written in the caller's transaction, before the rows of the sections name the bills.

        :param statements: Ramp ids
        """
        parents = self._find_parent_rows(connection, statements)
        self._enqueue_file_rows(
            connection,
            [
                {
                    'ramp_id': statement,
                    'parent_ramp_id': statement,
                    'payload': {'id': statement},
                    # A further bill of the statement needs the file, too.
                    'payload_hash': json_digest([statement, self.env.cr.now().isoformat()]),
                    'name': self.env._('File: %s', parents[statement].name),
                    'date': parents[statement].date or None,
                }
                for statement in statements
                if statement in parents
            ],
            updates=True,
        )

    def _fetch_file_links(self, connection, client, ramp_id):
        payload = client.get(f'/statements/{ramp_id}')
        link = read_statement_url(payload)
        return [link] if link and not self._shows_other_entities(connection, payload) else []

    @staticmethod
    def _shows_other_entities(connection, payload):
        """Return whether a statement also covers other Ramp entities. Its PDF would show who spent what there."""
        return bool(connection.ramp_entity_id) and {
            section.entity_id for section in read_statement(payload).sections
        } != {connection.ramp_entity_id.lower()}

    def _skip_file_row(self, connection, record):
        if not connection.ramp_entity_id:
            return super()._skip_file_row(connection, record)
        return record._ignore_by_rule(
            _lt(
                'Ramp has no file for it, or only one that also shows the spend of other Ramp entities, which is not '
                'for this company.'
            )
        )

    def _reason_object_gone(self):
        return _lt('Ramp no longer has this statement.')

    def _reason_unreadable_files(self, error):
        return _lt('Ramp sent a statement that cannot be read. %s', error)
