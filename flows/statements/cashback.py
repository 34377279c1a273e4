# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses

from odoo import api, models
from odoo.tools import SQL, LazyTranslate

from ...ramp_api import read_cashback
from ..engine.book import Lookup
from ..engine.reasons import Waiting

_lt = LazyTranslate(__name__)


@dataclasses.dataclass
class CashbackLookup(Lookup):
    """What `ramp.flow.cashback` looks up.

    bills: {Ramp id of a cashback: bill of the statement that it is on}
    """

    bills: dict[str, models.Model] = dataclasses.field(default_factory=dict)


class RampFlowCashback(models.AbstractModel):
    """Confirm cashback, which is posted with the statement that it is on.

    Cashback is confirmed as an object of its own (STATEMENT_CREDIT_SYNC). Schema: Cashback of GET /cashbacks. Its
    document is the statement's bill; the cashback is part of the bill's line on the cashback account.
    """

    _name = 'ramp.flow.cashback'
    _inherit = ['ramp.flow.booking', 'ramp.flow.pull']
    _description = 'Ramp Flow: cashback'

    _lookup_class = CashbackLookup
    _flow = 'cashback'
    _flow_sequence = 86
    _endpoint = '/cashbacks'
    _sync_type = 'STATEMENT_CREDIT_SYNC'
    _known_by = ('created_at',)

    @api.model
    def _get_flow_label(self):
        return self.env._('Cashback')

    @api.model
    def _is_enabled_for(self, connection):
        return connection.pull_statements

    def _get_list_params(self, connection):
        return {
            'sync_status': 'SYNC_READY',
            'from_date': connection._start_moment(),
            **self._get_entity_scope(connection),
        }

    def _get_nightly_listings(self, connection, since):
        return [{'from_date': since, **self._get_entity_scope(connection)}]

    def _read_payload(self, payload):
        return read_cashback(payload)

    def _get_booking_facts(self, value):
        return {'amount': str(value.amount), 'entity': value.entity_id}

    def _get_ledger_columns(self, connection, value):
        return {
            'name': self.env._('Cashback: %s', value.amount),
            'date': self._get_booking_day(connection, value.created_at),
            'money': value.amount,
            'ramp_entity_id': value.entity_id,
            'has_moved': True,
        }

    def _look_up_references(self, connection, values):
        ids = [value.id for value in values]
        rows = self.env.execute_query(
            SQL(
                """
            SELECT c.id, r.res_id FROM ramp_record r, jsonb_array_elements_text(r.noted -> 'cashbacks') AS c(id)
             WHERE r.connection_id = %s AND r.flow = 'statement' AND r.res_id IS NOT NULL AND c.id = ANY(%s)
            """,
                connection.id,
                ids,
            )
        )
        moves = {move.id: move for move in self.env['account.move'].browse({move for _id, move in rows}).exists()}
        return self._lookup_class(bills={identity: moves[move] for identity, move in rows if move in moves})

    def _plan_object(self, connection, value, found):
        self._check_ramp_entity(connection, value)
        if value.id not in found.bills:
            raise Waiting(_lt('It is posted with the card statement that it is on.'))
        return found.bills[value.id]

    def _book_plans(self, connection, plans):
        return plans

    @api.model
    def _on_statements_booked(self, connection, moves):
        """Link cashback to the bills of statements that were posted, also if it was linked to another bill before.

        :param moves: {Ramp id of a cashback: bill}
        """
        for record in self.env['ramp.record'].search(
            [
                ('connection_id', '=', connection.id),
                ('flow', '=', self._flow),
                ('ramp_id', 'in', list(moves)),
                ('res_id', '!=', False),
            ]
        ):
            record.res_id = moves[record.ramp_id].id
        self._trigger()
