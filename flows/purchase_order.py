# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import datetime
from decimal import ROUND_HALF_UP, Decimal

from odoo import api, models
from odoo.fields import Domain
from odoo.tools import html2plaintext

from ..ramp_api import EXPONENTS, Money, read_purchase_order, to_company_date
from ..ramp_api.money import exponent
from .booking import clean
from .flow import Held, Waiting, is_of_object
from .push import Remote

ONCE = ('promise', 'terms', 'number', 'owner', 'three_way')  # said when an order is created; Ramp has no way to change them
HEADER = {'memo': 'memo', 'start': 'spend_start_date', 'end': 'spend_end_date'}
CATEGORY = 'Category'  # Ramp's own field of accounts
DIGITS = 6  # of a unit price beyond those of the currency
MOST_DIGITS = 3  # of a quantity that is counted in smaller units
TEXT_LENGTH = 500


class RampFlowPurchaseOrder(models.AbstractModel):
    """Confirmed purchase orders: Odoo has them, Ramp matches bills and card spend with them.

    An amendment sends only what differs: the header, lines that were added, changed or removed. A cancelled order is archived; one that
    is confirmed again, or whose vendor or currency changed, is a new one in Ramp, under a further id (`external_id` is unique, and stays
    with the one that is archived). Schema: ApiPurchaseOrderCreateParamsRequestBody; needs Ramp Plus.

    Lines: sections, notes and down payments are not sent, nor are lines of no quantity. Amounts are without taxes, after discounts: the
    unit price is the line's subtotal by its quantity. Ramp counts in whole units: 2.5 kg are sent as 25 of 1/10 kg; so are 10 kg when
    2.5 of them are the first to be received. A negative line holds the order.
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
    def _flow_label(self):
        return self.env._('Purchase orders')

    @api.model
    def _enabled(self, connection):
        return connection.push_orders

    @api.model
    def _page(self, record):
        return f'/s/procurement/purchase-orders/{record.ramp_id}' if record.ramp_id else None

    # ------------------------------------------------------------------ what is wanted

    def _wanted_domain(self, connection):
        if not connection.push_orders:
            return Domain.FALSE
        return (Domain('state', '=', 'purchase') & Domain('company_id', '=', connection.company_id.id)
                & Domain('date_approve', '>=', connection._start_time()))

    def _not_offered(self, record):
        if record.state == 'cancel':
            return self.env._('Cancelled in Odoo, so it is archived in Ramp.')
        if record.state != 'purchase':
            return self.env._('It is not confirmed, so it is archived in Ramp.')
        return self.env._('The settings of the connection leave it out, so it is not offered in Ramp.')

    def _desired(self, connection, records):
        vendors = self._vendors(connection, records.partner_id.commercial_partner_id)
        # the buyer may work for another company of the same Ramp business; for this one, too, that counts
        owners = {employee.user_id.id: employee.ramp_user_id for employee in self.env['hr.employee'].search(
            [('user_id', 'in', records.user_id.ids), ('ramp_user_id', '!=', False), ('company_id', 'in', connection._seat_companies().ids)],
        ).sorted(lambda employee: employee.company_id == connection.company_id)}
        offered = self._offered_codings(connection, records)
        counted = self._counted(self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', 'in', (self._flow, 'item_receipt')), ('res_id', 'in', records.ids),
             ('remote_id', '!=', False)], ['flow', 'payload']))
        desired = {}
        for order in records:
            try:
                desired[order.id] = self._order_values(
                    connection, order, vendors[order.partner_id.commercial_partner_id.id], owners.get(order.user_id.id), offered,
                    counted)
            except (Held, Waiting) as reason:
                desired[order.id] = reason
        return desired

    def _vendors(self, connection, partners):
        """{partner id: Ramp's id of its vendor, or a `Waiting` or `Held`}; a vendor that Ramp does not have is asked for."""
        found = {}
        for row in self.env['ramp.record'].search_fetch(
                self._shared(connection) & Domain('flow', 'in', ('vendor', 'spend_vendor')) & Domain('res_model', '=', 'res.partner')
                & Domain('res_id', 'in', partners.ids), ['res_id', 'ramp_id', 'flow', 'state', 'error_message'], order='id desc'):
            if row.ramp_id and row.state not in ('ignored',):
                found[row.res_id] = row.ramp_id
            elif row.flow == 'spend_vendor' and row.state == 'held' and row.res_id not in found:
                found[row.res_id] = Held(self.env._('Ramp has no vendor for it yet. %s', row.error_message))
        missing = partners.filtered(lambda partner: not isinstance(found.get(partner.id), str))
        if missing and not connection.pull_bills:
            reason = Held(self.env._(
                'Ramp has no vendor for it, and the connection %s does not create vendors: switch bills on.', connection.name))
            return {**found, **dict.fromkeys(missing.ids, reason)}
        for partner in missing:
            if reason := partner._ramp_no_vendor():
                found[partner.id] = Held(self.env._('Ramp has no vendor for it. %s', reason))
        missing = missing.filtered(lambda partner: not isinstance(found.get(partner.id), Held))
        # an order needs its vendor: that is what asks for it, whatever rights its buyer has on partners
        missing.filtered(lambda partner: not partner.ramp_spend_vendor).ramp_spend_vendor = True
        return {**{partner.id: Waiting(self.env._('Its vendor is being created in Ramp.')) for partner in missing}, **found}

    def _offered_codings(self, connection, records):
        """{(model, record id): (our id of its field, our id of it)} of the accounts and analytic accounts that Ramp has."""
        lines = records.order_line
        accounts = self.env['account.account'].union(*filter(None, map(self._account, lines)))
        analytics = {int(identity) for line in lines for key in line.analytic_distribution or () for identity in key.split(',')}
        confirmed = self._shared(connection) & Domain('state', '=', 'confirmed') & Domain('remote_id', '!=', False)
        rows = self.env['ramp.record'].search_fetch(
            confirmed & (Domain('flow', '=', 'account') & Domain('res_id', 'in', accounts.ids)
                         | Domain('flow', '=', 'analytic_account') & Domain('res_id', 'in', list(analytics))),
            ['flow', 'res_model', 'res_id', 'remote_id', 'payload'])
        plans = {row.ramp_id: row.remote_id for row in self.env['ramp.record'].search_fetch(
            confirmed & Domain('flow', '=', 'analytic_plan'), ['ramp_id', 'remote_id'])} if analytics else {}
        fields = {row.id: plans.get((row.payload or {}).get('field')) if row.flow == 'analytic_account' else CATEGORY for row in rows}
        return {(row.res_model, row.res_id): (fields[row.id], row.remote_id) for row in rows if fields[row.id]}

    @api.model
    def _account(self, line):
        """The account that a bill of the line would be booked on."""
        if not line.product_id:
            return None
        product = line.product_id.with_company(line.company_id)
        accounts = product.product_tmpl_id.get_product_accounts(line.order_id.fiscal_position_id)
        if product.is_storable and product.valuation == 'real_time' and accounts['stock_valuation']:
            return accounts['stock_valuation']
        return accounts['expense']

    def _order_values(self, connection, order, vendor, owner, offered, counted):
        if isinstance(vendor, (Held, Waiting)):
            raise vendor
        if order.currency_id.name not in EXPONENTS:
            raise Held(self.env._('Its currency %s is none that Ramp knows. Order in another one.', order.currency_id.name))
        lines = {}
        for line in order.order_line:
            # what is received of a line keeps it in Ramp, which deletes no line that receipts are of
            is_kept = counted.get(line.id, (None, False))[1] and line.qty_received > 0
            if line.display_type or line.is_downpayment or not (line.product_qty or is_kept):
                continue
            lines[f'{self._line_prefix()}{line.id}'] = self._line_values(line, offered, *counted.get(line.id, ()))
        if not lines:
            raise Held(self.env._('It has no line with a quantity, and Ramp takes no order without lines.'))
        entity = connection.ramp_entity_id or connection.primary_entity_id
        if not entity:
            raise Held(self.env._('The connection %s does not say which Ramp entity orders belong to. Choose one.', connection.name))
        zone = connection._timezone()
        approved, planned = (moment and self._local_day(moment, zone) for moment in (order.date_approve, order.date_planned))
        terms = order.payment_term_id.line_ids[:1]
        return {
            'vendor': vendor, 'currency': order.currency_id.name, 'entity': entity.lower(), 'offered': True,
            'memo': self._text(' '.join(filter(None, (order.name, order.partner_ref, order.origin)))),
            'start': approved, 'end': max(filter(None, (planned, approved)), default=None),
            # Ramp counts days from the bill's arrival and knows nothing of ends of months
            'promise': planned, 'owner': owner,
            'terms': terms.nb_days if len(order.payment_term_id.line_ids) == 1 and terms.delay_type == 'days_after' else None,
            # content after the digits: else Ramp makes another number of it
            'number': f'{order.name}-{order.id}', 'three_way': any(line.product_id.type == 'consu' for line in order.order_line),
            'lines': lines,
        }

    @api.model
    def _local_day(self, moment, zone):
        return str(to_company_date(moment.replace(tzinfo=datetime.timezone.utc), zone))

    def _line_prefix(self):
        return f"{self.env['ramp.connection']._identity()}-line-"

    def _line_values(self, line, offered, *counted):
        ordered = self._ordered_quantity(line)
        subtotal = Decimal(str(line.currency_id.round(
            line.price_subtotal if line.product_qty else line.price_unit_discounted * float(ordered))))
        if ordered < 0 or subtotal < 0:
            raise Held(self.env._(
                'The line "%s" is negative, and Ramp takes no negative lines. Give the discount on the lines it belongs to.',
                clean(line.name)))
        quantity, size, unit = self._whole(line, ordered, *counted)
        price = (subtotal / quantity).quantize(Decimal(1).scaleb(-exponent(line.currency_id.name) - DIGITS), ROUND_HALF_UP).normalize()
        text = html2plaintext(line.name or '') or line.product_id.display_name or ''
        if unit:
            text = self.env._('%(text)s (counted in %(unit)s)', text=text, unit=unit)
        return {'quantity': quantity, 'price': f'{price:f}', 'description': self._text(text), 'coding': self._coding(line, offered),
                'unit': self._unit(line, size)}

    @api.model
    def _counted(self, rows):
        """{id of an order line: (its `_unit` in Ramp, whether Ramp has receipts of it)}. `rows`: of orders, and of their receipts."""
        told = {flow: [row.payload or {} for row in rows if row.flow == flow] for flow in (self._flow, 'item_receipt')}
        received = {line for values in told['item_receipt'] for receipt in values.get('receipts', {}).values() for line in receipt['lines']}
        return {
            int(identity.rpartition('-')[2]): (line['unit'], values.get('line_ids', {}).get(identity) in received)
            for values in told[self._flow] for identity, line in values.get('lines', {}).items() if line.get('unit')}

    @staticmethod
    def _unit(line, size):
        """What a line is counted in, as JSON: the unit of measure, and how much of it one unit in Ramp is."""
        return [line.product_uom_id.id, f'{size:f}']

    @staticmethod
    def _ordered_quantity(line):
        """How much of a line is ordered, Decimal in its unit; of one that was set to nothing, as much as was received."""
        return Decimal(str(line.product_qty or line.qty_received))

    def _whole(self, line, quantity, known=None, has_receipts=False):
        """(quantity as a whole number, how much one of them is in the line's unit, words for that if it is not one).

        A line is counted as its quantity wants it, until something is received of it: then as finely as Odoo does, if that is no whole
        number. There it stays: receipts in Ramp count in it, and one that is matched with a bill cannot be made again.

        :param quantity: in the line's unit
        :param known: the `_unit` that Ramp has
        """
        digits = _digits(quantity)
        if digits > MOST_DIGITS:
            return 1, quantity.normalize(), f'{quantity.normalize():f} {line.product_uom_id.name}'
        most = min(self.env['decimal.precision'].precision_get('Product Unit'), MOST_DIGITS)
        if not has_receipts and digits < _digits(Decimal(str(round(line.qty_received, most)))):
            digits = most
        if has_receipts and known[0] == line.product_uom_id.id and digits < _digits(Decimal(known[1])) <= MOST_DIGITS:
            digits = _digits(Decimal(known[1]))
        if not digits:
            return int(quantity), Decimal(1), None
        return int(quantity.scaleb(digits)), Decimal(1).scaleb(-digits), f'1/{10 ** digits} {line.product_uom_id.name}'

    def _coding(self, line, offered):
        """Selections [[field, option]]: what of the line's account and analytic accounts Ramp has."""
        found = []
        account = self._account(line)
        if account and ('account.account', account.id) in offered:
            found.append(list(offered['account.account', account.id]))
        fields = {}
        for key in line.analytic_distribution or ():
            for identity in key.split(','):
                option = offered.get(('account.analytic.account', int(identity)))
                if option:
                    fields.setdefault(option[0], []).append(option[1])
        # a field takes one option: where a line is shared by several, none is right
        return sorted(found + [[field, options[0]] for field, options in fields.items() if len(options) == 1])

    @staticmethod
    def _text(text):
        return ' '.join((text or '').split())[:TEXT_LENGTH]

    # ------------------------------------------------------------------ what Ramp says of its lines

    @api.model
    def _look_up_ordered(self, connection, ramp_ids):
        """What bills need of the orders they are of. Two queries, however many; none without orders.

        :param ramp_ids: Ramp's ids of orders
        :return: {'orders': name by Ramp id, 'order_lines': (order line, how much of it one unit in Ramp is) by Ramp's id of the line}
        """
        rows = self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', list(ramp_ids))],
            ['ramp_id', 'name', 'res_id', 'payload']) if ramp_ids else self.env['ramp.record']
        known = {}  # by id of the order line: its id in Ramp, and what one of it is there
        for row in rows:
            values = row.payload or {}
            for identity, ramp_id in values.get('line_ids', {}).items():
                line = values.get('lines', {}).get(identity)
                if line and line.get('unit'):
                    uom, size = line['unit']
                    known[int(identity.rpartition('-')[2])] = ramp_id, Decimal(size), uom
        lines = self.env['purchase.order.line'].search_fetch(
            [('id', 'in', list(known)), ('order_id', 'in', [row.res_id for row in rows])],
            ['product_id', 'product_uom_id', 'product_qty', 'price_unit', 'discount', 'partner_id']) if known else ()
        scaled = {known[line.id][0]: (line, known[line.id][1]) for line in lines if known[line.id][2] == line.product_uom_id.id}
        return {'orders': {row.ramp_id: row.name for row in rows}, 'order_lines': scaled}

    # ------------------------------------------------------------------ sending

    def _post(self, connection, client, jobs):
        [job] = jobs
        answer = client.post(self._endpoint, self._upload_item(job))
        return [answer] if isinstance(answer, dict) else []

    def _upload_item(self, job):
        values = job.desired
        body = {
            'external_id': job.remote_id, 'vendor_id': values['vendor'], 'currency': values['currency'], 'entity_id': values['entity'],
            'three_way_match_enabled': values['three_way'], 'memo': values['memo'], 'promise_date': values['promise'],
            'net_payment_terms': values['terms'], 'owner_id': values['owner'], 'purchase_order_number': self._number(job),
            'spend_start_date': values['start'], 'spend_end_date': values['end'],
            'line_items': [self._line_item(line, identity) for identity, line in values['lines'].items()]}
        return {key: value for key, value in body.items() if value not in (None, '')}

    def _number(self, job):
        """Its number in Ramp: one that takes another's place has a number of its own."""
        generation = job.remote_id.partition('.')[2]
        return '-'.join(filter(None, (job.desired['number'], generation)))

    def _line_item(self, line, identity=None):
        item = {
            'unit_quantity': line['quantity'], 'unit_price': line['price'], 'description': line['description'],
            'accounting_field_selections': [
                {'field_external_id': field, 'field_option_external_id': option} for field, option in line['coding']]}
        return {**item, 'external_id': identity} if identity else item

    def _change(self, client, job, changes):
        path = f'{self._endpoint}/{job.ramp_id}'
        header = {name: changes[key] for key, name in HEADER.items() if key in changes}
        if header:
            client.patch(path, header, idempotent=True)
        if 'lines' not in changes:
            return
        lines, before, ids = changes['lines'], dict(job.known.get('lines', {})), dict(job.known.get('line_ids', {}))
        job.known = {**job.known, 'lines': before, 'line_ids': ids}  # step by step: what Ramp took before it refused something is known
        new = {identity: line for identity, line in lines.items() if identity not in ids}
        if new:  # before others go: an order keeps a line
            answer = client.post(f'{path}/line-items', {'line_items': [
                self._line_item(line, identity) for identity, line in new.items()]})
            ids.update(self._read_remote(answer, {}).values['line_ids'])
            before.update(new)
        for identity, line in lines.items():
            if identity not in new and line != before.get(identity):
                client.patch(f'{path}/line-items/{ids[identity]}', self._line_item(line), idempotent=True)
                before[identity] = line
        for identity in set(ids) - set(lines):
            client.delete(f'{path}/line-items/{ids[identity]}', idempotent=True)
            del ids[identity]
            before.pop(identity, None)

    def _withdraw(self, client, job):
        client.post(f'{self._endpoint}/{job.ramp_id}/archive', {}, idempotent=True)

    def _store(self, run, jobs, sent=True):
        """EXTENDS: receipts name the lines of Ramp's order, and count in its units."""
        result = super()._store(run, jobs, sent)
        receipts = self.env['ramp.flow.item_receipt']
        if sent and jobs and receipts._enabled(run.connection_id):
            self.env['ramp.record']._mark_dirty(run.connection_id, receipts._flow, [job.res_id for job in jobs])
            receipts._trigger()
        return result

    # ------------------------------------------------------------------ what happens to orders in Ramp

    def _inspect(self, connection, client):
        """The nightly check: what people did in Ramp to orders of ours is said on them, and what Ramp received and billed."""
        for three_way in ('true', 'false'):
            for page in client.list_pages(self._endpoint, {
                    'creation_source': 'DEVELOPER_API', 'include_archived': 'true', 'three_way_match_enabled': three_way}):
                self._transaction(self._note_there, connection, {
                    payload['id'].lower(): payload for payload in page.rows
                    if isinstance(payload, dict) and isinstance(payload.get('id'), str)})

    def _look_at(self, connection, rows):
        """OVERRIDES: what people did in Ramp stays, and is said."""
        ramp_ids, client = rows.mapped('ramp_id'), connection._client()
        self.env.cr.rollback()  # nothing is open while Ramp is asked
        for ramp_id, payload in self._ask_each(client, ramp_ids):
            self._transaction(self._note_there, connection, {ramp_id: payload})

    def _note_there(self, connection, there):
        """`there`: what Ramp has of each order, by its id; None: nothing, as it says of an archived one when asked for that alone."""
        Record = self.env['ramp.record']
        ours = [('connection_id', '=', connection.id), ('remote_id', '!=', False)]
        rows = Record.search([*ours, ('flow', '=', self._flow), ('ramp_id', 'in', list(there))]).try_lock_for_update()
        receipts = {row.res_id: set((row.payload or {}).get('ids', {}).values()) for row in Record.search_fetch(
            [*ours, ('flow', '=', 'item_receipt'), ('state', '=', 'confirmed'), ('res_id', 'in', rows.mapped('res_id'))],
            ['res_id', 'payload'])}
        rows.seen_at = self.env.cr.now()
        others = []
        for row in rows:
            try:
                order = there[row.ramp_id] and read_purchase_order(there[row.ramp_id])
                self._note_one(row, order)
            except Exception as error:
                if not is_of_object(error):
                    raise
                self._note_unread(row, there[row.ramp_id])
                continue
            if order and row.state == 'confirmed' and not row.is_uncertain and receipts.get(
                    row.res_id, set(order.item_receipt_ids)) != set(order.item_receipt_ids):
                others.append(row.res_id)
        if others:
            Record._mark_dirty(connection, 'item_receipt', others, uncertain=True)
            self.env['ramp.flow.item_receipt']._trigger()

    def _note_one(self, row, order):
        """What became of an order. `order`: as Ramp has it, or None."""
        noted = {key: getattr(order, key) for key in ('receipt_status', 'billing_status')} if order else row.noted
        if row.noted != noted:
            row.noted = noted
        if row.state != 'confirmed' or row.is_uncertain:
            return
        if not order or order.archived_at:
            self._note_archived(row)
            return
        edited = self._edited(row.payload, order)
        if (row.error_message or '') != edited:
            row.error_message = edited

    def _note_unread(self, row, payload):
        """An order of which nobody understands what Ramp says: held, and asked for again in the next run."""
        if row.state == 'confirmed':
            row.write({'state': 'held', 'is_question': True, 'is_uncertain': True, 'error_message': self._read_alone(
                payload, {}).unread or self.env._('Odoo cannot read what Ramp has of it. The server log has the details.')})

    def _note_archived(self, rows):
        if rows:
            rows.write({'state': 'held', 'is_question': False, 'is_uncertain': True, 'error_message': self.env._(
                'Somebody archived it in Ramp. Press Retry to send it as a new order, or cancel it here.')})

    def _edited(self, sent, order):
        """What of an order is not in Ramp as it was sent, in words; '' if nothing."""
        values = self._as_remote(order).values
        lines = {identity: self._as_sent(line, sent['lines'].get(identity), None, sent['currency'])
                 for identity, line in values['lines'].items()}
        strange = len(order.lines) != len(lines)
        labels = {'memo': self.env._('the memo'), 'start': self.env._('the first day of the spend'),
                  'end': self.env._('the last day of the spend'), 'lines': self.env._('the lines')}
        different = [label for key, label in labels.items()
                     if (lines if key == 'lines' else values[key]) != sent.get(key) or key == 'lines' and strange]
        return self.env._('Somebody edited %s there. The next change of the order in Odoo sends what it changes, Push All Again '
                          'everything.', ', '.join(different)) if different else ''

    # ------------------------------------------------------------------ asking Ramp

    def _remotes(self, payloads, query):
        return [self._read_alone(payload, query) for payload in payloads if isinstance(payload, dict) and payload.get('id')]

    def _read_remote(self, payload, query):
        return self._as_remote(read_purchase_order(payload))

    @staticmethod
    def _as_remote(order):
        lines = [line for line in order.lines if line.external_id]
        days = {key: getattr(order, name) for key, name in HEADER.items() if key != 'memo'}
        return Remote(order.external_id, order.id, {
            'vendor': order.vendor_id, 'currency': order.currency, 'entity': order.entity_id,
            'offered': not order.archived_at, 'memo': order.memo or '', **{key: day and str(day) for key, day in days.items()},
            'three_way': order.three_way_match_enabled,
            'lines': {line.external_id: {
                'quantity': _number(line.quantity), 'price': line.unit_price and f'{line.unit_price.decimal:f}',
                'description': line.description or '',
                'coding': sorted([selection.category_external_id or '', selection.external_id or '']
                                 for selection in line.selections)} for line in lines},
            'line_ids': {line.external_id: line.id for line in lines}})

    def _look_up_query(self, job):
        return {'external_id': job.remote_id, 'include_archived': 'true'}

    def _ask(self, client, query):
        """Both lists: by default one of them hides orders whose receipts are matched."""
        found = {}
        for three_way in ('true', 'false'):
            for page in client.list_pages(self._endpoint, {**query, 'three_way_match_enabled': three_way}):
                found.update((remote.ramp_id, remote) for remote in self._remotes(page.rows, query))
        return list(found.values())

    def _found(self, job, remote):
        told = job.desired or job.known
        if remote and told and not remote.unread:
            # what was said once, Ramp is believed to have; a price that is finer than the currency, it shows rounded
            desired, known = told.get('lines', {}), (job.known or {}).get('lines', {})
            lines = {identity: self._as_sent(line, desired.get(identity), known.get(identity), told['currency'])
                     for identity, line in remote.values['lines'].items()}
            once = {key: (job.known or told).get(key) for key in ONCE}
            remote = dataclasses.replace(remote, values={**once, **remote.values, 'lines': lines})
        return super()._found(job, remote)

    @staticmethod
    def _as_sent(line, desired, known, currency):
        """A line that Ramp shows, with what it does not show: what it is counted in, and the price before it was rounded."""
        described = [sent for sent in (desired, known) if sent and all(sent[key] == line[key] for key in ('quantity', 'description'))]
        line, shown = {**line, 'unit': described[0].get('unit') if described else None}, line['price']
        if not shown or not desired:
            return {**line, 'price': None}
        price = Money.from_major(Decimal(shown), currency)
        is_same = Money.from_major(Decimal(desired['price']), currency, strict=False) == price
        return {**line, 'price': desired['price'] if is_same else f'{price.decimal:f}'}

    def _is_to_be_sent(self, job):
        if job.desired and job.known and job.offered:  # said once
            job.desired = {**job.desired, **{key: job.known[key] for key in ONCE if key in job.known}}
        return super()._is_to_be_sent(job)


def _number(quantity):
    """A quantity as JSON: a whole number where it is one."""
    if quantity is None:
        return None
    return int(quantity) if quantity == int(quantity) else float(quantity)


def _digits(number):
    """How many digits a Decimal has after the point; zeros at its end do not count."""
    return max(0, -number.normalize().as_tuple().exponent)
