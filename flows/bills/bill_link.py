# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
from datetime import timedelta

from odoo import api, models
from odoo.tools import LazyTranslate

from ..accounting.booking import QUIET, clean_text
from ..engine.names import number_key
from ..engine.reasons import Held
from .bill import Link

_lt = LazyTranslate(__name__)


class RampFlowBillLink(models.AbstractModel):
    """Link bills that were issued before the start date and are paid after it.

    These bills are in Odoo already. They are linked, and Ramp's payments of them are posted.
    """

    _inherit = 'ramp.flow.bill'

    # ------------------------------------------------------------------ lists of Ramp

    @api.model
    def _get_entity_scope_before(self, connection):
        """Return the query parameters that select bills issued before the start date.

        Those that are paid after the start date are in Odoo already.
        """
        last = connection.start_date - timedelta(days=1)
        return {**self.env['ramp.flow.pull']._get_entity_scope(connection), 'to_issued_date': f'{last}T23:59:59Z'}

    def _is_issued_before_start(self, connection, value):
        issued = self._get_booking_day(connection, value.issued_at)
        return bool(issued) and issued < connection.start_date

    # ------------------------------------------------------------------ planning

    def _is_exported_elsewhere(self, connection, row, record):
        """EXTENDS: Return False for an exported bill that was issued before the start date.

        It is in the books already, and those are Odoo's. Only its payment is still to come.
        """
        if (
            self._is_before_start_date(connection, row)
            and row['payload'].get('sync_status') == 'BILL_SYNCED'
            and 'value' in row
        ):
            return False
        return super()._is_exported_elsewhere(connection, row, record)

    def _plan_existing_link(self, connection, value, found):
        """Return the `Link` to the bill in Odoo that stands for a bill issued before the start date.

        :raise Held: unless Odoo has exactly one such bill, posted and with the same amount
        """
        partner, number = (
            self._plan_document_vendor(value.vendor.id, clean_text(value.vendor.name), found),
            clean_text(value.invoice_number),
        )
        names = {
            'vendor': partner.display_name,
            'number': number or '-',
            'issued': self._get_booking_day(connection, value.issued_at),
            'amount': value.amount,
        }
        bills = self.env['account.move'].union(
            *(
                move
                for vendor, move, _day in found.numbers.get(('in_invoice', number_key(number)), ())
                if move and vendor == partner.commercial_partner_id and move.ramp_id in (False, value.id)
            )
        )
        if len(bills) != 1 or bills.state != 'posted':
            raise Held(
                _lt(
                    'It was issued on %(issued)s, before the start date of the connection, and paid since. Odoo has '
                    'no posted bill from %(vendor)s with the number %(number)s, or more than one. Enter that bill '
                    'for %(amount)s, so that it can be paid, or ignore this one.',
                    **names,
                ),
                bills[:1],
            )
        if (
            bills.currency_id.name != value.amount.currency
            or self._float_to_minor(bills.amount_total, bills.currency_id) != value.amount.minor
        ):
            raise Held(
                _lt(
                    'It was issued on %(issued)s, before the start date of the connection. In Odoo it is %(bill)s, '
                    'with a total other than %(amount)s. Correct the bill in Odoo or in Ramp, or ignore this one.',
                    bill=bills.name,
                    **names,
                ),
                bills,
            )
        return Link(value.id, bills)

    # ------------------------------------------------------------------ posting

    def _link_existing_documents(self, connection, links):
        """Link bills in Odoo to bills of Ramp, so that Ramp's payments of them are posted.

        :return: {Ramp id: bill}
        """
        rows = (
            {
                row.ramp_id: row
                for row in self.env['ramp.record'].search_fetch(
                    [
                        ('connection_id', '=', connection.id),
                        ('flow', '=', self._flow),
                        ('ramp_id', 'in', [link.ramp_id for link in links]),
                    ],
                    ['ramp_id', 'noted'],
                )
            }
            if links
            else {}
        )
        for link in links:
            link.move.with_context(**QUIET).ramp_id = link.ramp_id
            link.move._message_log(body=self.env._('This is also a bill in Ramp. What Ramp pays of it is posted here.'))
        self.env['ramp.record']._store_noted(
            {
                rows[link.ramp_id].id: dataclasses.replace(rows[link.ramp_id]._read_note(), is_linked=True)
                for link in links
            }
        )
        return {link.ramp_id: link.move for link in links}
