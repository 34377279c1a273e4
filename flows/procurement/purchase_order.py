# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import datetime
from decimal import Decimal

from odoo import api, models
from odoo.fields import Domain
from odoo.tools import LazyTranslate

from ...ramp_api import EXPONENTS, to_company_date
from ..engine.reasons import ALL_ARGUMENTS, Held, Waiting, hold_missing_setting

_lt = LazyTranslate(__name__)

# Sent only when an order is created. Ramp has no way to change these (contract 2026-08-01).
SENT_AT_CREATION = ('promise', 'terms', 'number', 'owner', 'three_way')
HEADER = {'memo': 'memo', 'start': 'spend_start_date', 'end': 'spend_end_date'}
CATEGORY = 'Category'  # Ramp's built-in field for accounts
DIGITS = 6  # decimal places of a unit price beyond those of the currency
MOST_DIGITS = 3  # most decimal places of a quantity that is counted in smaller units
TEXT_LENGTH = 500


@dataclasses.dataclass
class OrderedLookup:
    """What bills need to know of their purchase orders. See `_look_up_ordered`.

    order_names: {Ramp id of an order: its name in Odoo}
    order_lines: {Ramp id of an order line: (order line in Odoo, how much of it one unit in Ramp is)}
    """

    order_names: dict[str, str] = dataclasses.field(default_factory=dict)
    order_lines: dict[str, tuple[models.Model, Decimal]] = dataclasses.field(default_factory=dict)


class RampFlowPurchaseOrder(models.AbstractModel):
    """Confirmed purchase orders, with which Ramp matches bills and card spend.

    An amendment sends only what differs: the header, and lines that were added, changed or removed. A cancelled order
    is archived. An order that is confirmed again, or whose vendor or currency changed, is a new order in Ramp under a
    new id: `external_id` is unique and stays with the archived order. Schema: ApiPurchaseOrderCreateParamsRequestBody.
    It needs Ramp Plus.

    Sections, notes, down payments and lines without a quantity are not sent. Amounts are without taxes and after
    discounts: the unit price is the line's subtotal divided by its quantity. Ramp counts in whole units (contract
    2026-08-01): 2.5 kg are sent as 25 units of 1/10 kg. If the first receipt of 10 kg is 2.5 kg, the 10 kg are also
    sent in smaller units. A negative line puts the order on hold.
    """

    _name = 'ramp.flow.purchase_order'
    _inherit = 'ramp.flow.push'
    _description = 'Ramp Flow: purchase orders'

    _flow = 'purchase_order'
    _flow_sequence = 8
    _model = 'purchase.order'
    _kind = 'order'
    _endpoint = '/purchase-orders'
    _remote_keys = ('id', 'external_id')
    _upload_size = 1
    _fixed = ('vendor', 'currency', 'entity', 'offered')
    _asked_first = True
    _switch = 'push_orders'
    _events = ('purchase_orders.archived', 'purchase_orders.updated')

    @api.model
    def _get_flow_label(self):
        return self.env._('Purchase orders')

    @api.model
    def _is_enabled_for(self, connection):
        return connection.push_orders

    @api.model
    def _get_ramp_page_path(self, record):
        return f'/s/procurement/purchase-orders/{record.ramp_id}' if record.ramp_id else None

    # ------------------------------------------------------------------ desired state

    def _get_wanted_domain(self, connection):
        if not connection.push_orders:
            return Domain.FALSE
        return (
            Domain('state', '=', 'purchase')
            & Domain('company_id', '=', connection.company_id.id)
            & Domain('date_approve', '>=', connection._start_time())
        )

    def _reason_not_offered(self, record):
        if record.state == 'cancel':
            return self.env._('Cancelled in Odoo, so it is archived in Ramp.')
        if record.state != 'purchase':
            return self.env._('It is not confirmed, so it is archived in Ramp.')
        return self.env._('The settings of the connection exclude it, so it is not offered in Ramp.')

    def _get_desired_values(self, connection, records):
        vendors = self._get_vendor_ids(connection, records.partner_id.commercial_partner_id)
        # The buyer may work for another company of the same Ramp business. An employee of this one has priority.
        owners = {
            employee.user_id.id: employee.ramp_user_id
            for employee in self.env['hr.employee']
            .search(
                [
                    ('user_id', 'in', records.user_id.ids),
                    ('ramp_user_id', '!=', False),
                    ('company_id', 'in', connection._seat_companies().ids),
                ]
            )
            .sorted(lambda employee: employee.company_id == connection.company_id)
        }
        offered = self._get_offered_codings(connection, records)
        counted = self._get_counted_units(
            self.env['ramp.record'].search_fetch(
                [
                    ('connection_id', '=', connection.id),
                    ('flow', 'in', (self._flow, 'item_receipt')),
                    ('res_id', 'in', records.ids),
                    ('remote_id', '!=', False),
                ],
                ['flow', 'payload'],
            )
        )
        desired = {}
        for order in records:
            try:
                desired[order.id] = self._prepare_order_values(
                    connection,
                    order,
                    vendors[order.partner_id.commercial_partner_id.id],
                    owners.get(order.user_id.id),
                    offered,
                    counted,
                )
            except (Held, Waiting) as reason:
                desired[order.id] = reason
        return desired

    def _get_vendor_ids(self, connection, partners):
        """Return Ramp's id of each partner's vendor, and request the vendors that Ramp does not have.

        :return: {partner id: Ramp id of its vendor, or a `Waiting` or `Held`}
        """
        found = {}
        for row in self.env['ramp.record'].search_fetch(
            self._rows_of_business_domain(connection)
            & Domain('flow', 'in', ('vendor', 'spend_vendor'))
            & Domain('res_model', '=', 'res.partner')
            & Domain('res_id', 'in', partners.ids),
            ['res_id', 'ramp_id', 'flow', 'state', 'error_message'],
            order='id desc',
        ):
            if row.ramp_id and row.state not in ('ignored',):
                found[row.res_id] = row.ramp_id
            elif row.flow == 'spend_vendor' and row.state == 'held' and row.res_id not in found:
                found[row.res_id] = Held(_lt('Ramp has no vendor for it yet. %s', row.error_message))
        missing = partners.filtered(lambda partner: not isinstance(found.get(partner.id), str))
        if missing and not connection.pull_bills:
            reason = Held(
                _lt(
                    'Ramp has no vendor for it, and the connection %s does not create vendors. Switch on Bills there.',
                    connection.name,
                ),
                by=ALL_ARGUMENTS,
            )
            return {**found, **dict.fromkeys(missing.ids, reason)}
        for partner in missing:
            if reason := partner._ramp_no_vendor():
                found[partner.id] = Held(_lt('Ramp has no vendor for it. %s', reason))
        missing = missing.filtered(lambda partner: not isinstance(found.get(partner.id), Held))
        # The order requests the vendor it needs, whatever rights its buyer has on partners.
        missing.filtered(lambda partner: not partner.ramp_spend_vendor).ramp_spend_vendor = True
        return {**{partner.id: Waiting(_lt('Its vendor is being created in Ramp.')) for partner in missing}, **found}

    def _get_offered_codings(self, connection, records):
        """Return the accounts and analytic accounts of these orders that Ramp has.

        :return: {(model, record id): (our id of its field, our id of it)}
        """
        lines = records.order_line
        accounts = self.env['account.account'].union(*filter(None, map(self._get_line_account, lines)))
        analytics = {
            int(identity) for line in lines for key in line.analytic_distribution or () for identity in key.split(',')
        }
        confirmed = (
            self._rows_of_business_domain(connection)
            & Domain('state', '=', 'confirmed')
            & Domain('remote_id', '!=', False)
        )
        rows = self.env['ramp.record'].search_fetch(
            confirmed
            & (
                Domain('flow', '=', 'account') & Domain('res_id', 'in', accounts.ids)
                | Domain('flow', '=', 'analytic_account') & Domain('res_id', 'in', list(analytics))
            ),
            ['flow', 'res_model', 'res_id', 'remote_id', 'payload'],
        )
        plans = (
            {
                row.ramp_id: row.remote_id
                for row in self.env['ramp.record'].search_fetch(
                    confirmed & Domain('flow', '=', 'analytic_plan'), ['ramp_id', 'remote_id']
                )
            }
            if analytics
            else {}
        )
        fields = {
            row.id: plans.get((row.payload or {}).get('field')) if row.flow == 'analytic_account' else CATEGORY
            for row in rows
        }
        return {(row.res_model, row.res_id): (fields[row.id], row.remote_id) for row in rows if fields[row.id]}

    def _prepare_order_values(self, connection, order, vendor, owner, offered, counted):
        if isinstance(vendor, (Held, Waiting)):
            raise vendor
        if order.currency_id.name not in EXPONENTS:
            raise Held(
                _lt(
                    'Ramp does not support its currency %s. Use another currency for the order.', order.currency_id.name
                ),
                by=ALL_ARGUMENTS,
            )
        lines = {}
        for line in order.order_line:
            # A line with receipts stays in Ramp, which does not delete such lines.
            is_kept = counted.get(line.id, (None, False))[1] and line.qty_received > 0
            if line.display_type or line.is_downpayment or not (line.product_qty or is_kept):
                continue
            lines[f'{self._get_line_prefix()}{line.id}'] = self._prepare_order_line(
                line, offered, *counted.get(line.id, ())
            )
        if not lines:
            raise Held(_lt('It has no line with a quantity, and Ramp does not accept an order without lines.'))
        entity = connection.ramp_entity_id or connection.primary_entity_id
        if not entity:
            raise hold_missing_setting(connection, 'ramp_entity_id')
        zone = connection._time_zone()
        approved, planned = (
            moment and self._get_local_day(moment, zone) for moment in (order.date_approve, order.date_planned)
        )
        terms = order.payment_term_id.line_ids[:1]
        return {
            'vendor': vendor,
            'currency': order.currency_id.name,
            'entity': entity.lower(),
            'offered': True,
            'memo': self._shorten_text(' '.join(filter(None, (order.name, order.partner_ref, order.origin)))),
            'start': approved,
            'end': max(filter(None, (planned, approved)), default=None),
            'promise': planned,
            'owner': owner,
            # Ramp counts days from the bill's arrival, and has no terms for the end of a month.
            'terms': terms.nb_days
            if len(order.payment_term_id.line_ids) == 1 and terms.delay_type == 'days_after'
            else None,
            # The id follows the name, because Ramp rewrites a number such as P00012 to P-12 (seen in its sandbox).
            'number': f'{order.name}-{order.id}',
            'three_way': any(line.product_id.type == 'consu' for line in order.order_line),
            'lines': lines,
        }

    @api.model
    def _get_local_day(self, moment, zone):
        return str(to_company_date(moment.replace(tzinfo=datetime.timezone.utc), zone))

    @staticmethod
    def _shorten_text(text):
        return ' '.join((text or '').split())[:TEXT_LENGTH]

    # ------------------------------------------------------------------ lookups for bills

    @api.model
    def _look_up_ordered(self, connection, ramp_ids):
        """Return what bills need to know of their orders.

        This takes two queries for any number of orders, and none without orders.

        :param ramp_ids: Ramp's ids of orders
        :return: `OrderedLookup`
        """
        rows = (
            self.env['ramp.record'].search_fetch(
                [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', list(ramp_ids))],
                ['ramp_id', 'name', 'res_id', 'payload'],
            )
            if ramp_ids
            else self.env['ramp.record']
        )
        known = {}  # {id of an order line: (its id in Ramp, size of one unit there, id of the unit of measure)}
        for row in rows:
            values = row.payload or {}
            for identity, ramp_id in values.get('line_ids', {}).items():
                line = values.get('lines', {}).get(identity)
                if line and line.get('unit'):
                    uom, size = line['unit']
                    known[int(identity.rpartition('-')[2])] = ramp_id, Decimal(size), uom
        lines = (
            self.env['purchase.order.line'].search_fetch(
                [('id', 'in', list(known)), ('order_id', 'in', [row.res_id for row in rows])],
                ['product_id', 'product_uom_id', 'product_qty', 'price_unit', 'discount', 'partner_id'],
            )
            if known
            else ()
        )
        scaled = {
            known[line.id][0]: (line, known[line.id][1])
            for line in lines
            if known[line.id][2] == line.product_uom_id.id
        }
        return OrderedLookup(order_names={row.ramp_id: row.name for row in rows}, order_lines=scaled)


def quantity_text(quantity):
    """Return a quantity as JSON: a whole number if it is one."""
    if quantity is None:
        return None
    return int(quantity) if quantity == int(quantity) else float(quantity)


def _count_decimal_digits(number):
    """Return how many decimal places a Decimal has, without trailing zeros."""
    return max(0, -number.normalize().as_tuple().exponent)
