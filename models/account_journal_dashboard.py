# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import defaultdict

from odoo import models
from odoo.fields import Domain
from odoo.tools import format_datetime

# What has to be readable for the figures; some may look at a connection without the ledger
READ_MODELS = ('ramp.connection', 'ramp.record', 'ramp.run')
# Journals of a connection whose cards show it
JOURNALS = ('card_journal_id', 'bill_journal_id')


class AccountJournal(models.Model):
    """What the accounting dashboard shows of Ramp on the journals that card spend and bills are posted to."""

    _inherit = 'account.journal'

    def _get_journal_dashboard_data_batched(self):
        """EXTENDS: add `ramp` to the journals of connections: [{'id', 'name', 'last_sync', 'count', 'amounts',
        'has_tie_out'}].

        The tie-out is asked for by the page itself, as it takes longer.
        """
        data = super()._get_journal_dashboard_data_batched()
        for journal_id, connections in self._list_ramp_figures().items():
            data[journal_id]['ramp'] = connections
        return data

    def _list_ramp_figures(self):
        """Return the figures of the user's connections by journal. The queries are as many for all journals as for one."""
        if not all(self.env[model].has_access('read') for model in READ_MODELS):
            return {}
        connections = self.env['ramp.connection'].search(
            Domain('state', '!=', 'draft') & Domain.OR([Domain(name, 'in', self.ids) for name in JOURNALS])
        )
        if not connections:
            return {}
        of_connections = [('connection_id', 'in', connections.ids)]
        last = dict(
            self.env['ramp.run']._read_group(
                [*of_connections, ('finished_at', '!=', False)], ['connection_id'], ['finished_at:max']
            )
        )
        counts, amounts = defaultdict(int), defaultdict(list)
        for connection, currency, count, amount in self.env['ramp.record']._read_group(
            [*of_connections, ('state', 'in', ('held', 'error'))],
            ['connection_id', 'currency_id'],
            ['__count', 'amount:sum'],
        ):
            counts[connection] += count
            if currency and amount:
                amounts[connection].append(currency.format(amount))
        found = defaultdict(list)
        for connection in connections:
            for journal in connection.card_journal_id | connection.bill_journal_id:
                if journal in self:
                    found[journal.id].append(
                        {
                            'id': connection.id,
                            'name': connection.display_name,
                            'last_sync': connection in last and format_datetime(self.env, last[connection]),
                            'count': counts[connection],
                            'amounts': ', '.join(amounts[connection]),
                            'has_tie_out': journal == connection.card_journal_id,
                        }
                    )
        return found
