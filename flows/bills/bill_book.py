# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib

from odoo import models

from ...ramp_api import PayloadError, RampScopeError, read_entity
from ..accounting.booking import QUIET, clean
from ..accounting.documents import Document, DocumentLine, line_name
from ..engine.flow import Held, Skipped, Waiting
from ..engine.names import number_key
from .bill import DEAD, Link


class RampFlowBillBook(models.AbstractModel):
    """Decide on bills, and book them."""

    _inherit = 'ramp.flow.bill'

    # ------------------------------------------------------------------ deciding

    def _prepare(self, connection, client, ramp_ids):
        self.env.cr.execute(
            """
            SELECT DISTINCT lower(payload #>> '{vendor,id}') FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND ramp_id = ANY(%s) AND res_id IS NULL
            """, (connection.id, self._flow, ramp_ids))
        vendors = {row[0] for row in self.env.cr.fetchall() if row[0]}
        self.env.cr.rollback()
        if vendors:
            self.env['ramp.flow.vendor']._ensure(connection, client, vendors)
        self._entities(client)

    def _entities(self, client):
        """The currency of each Ramp entity, read once in a run: a bill's rate leads into it."""
        memory = self.env.context.get('ramp_memory', {})
        if 'entities' not in memory:
            rows = []
            with contextlib.suppress(RampScopeError):  # the payer's currency is then taken for the company's
                rows = list(client.objects('/entities'))
            memory['entities'] = {}
            for row in rows:
                with contextlib.suppress(PayloadError):  # so is that of an entity that cannot be read
                    entity = read_entity(row)
                    memory['entities'][entity.id] = entity.currency

    def _look_up(self, connection, values):
        codes = {value.amount.currency for value in values}
        payers = {code for code in self.env.context.get('ramp_memory', {}).get('entities', {}).values() if code}
        partners = self.env['ramp.flow.vendor']._partners(connection, {value.vendor.id for value in values})
        return {
            **self._look_up_books(
                connection, [selection for value in values for line in value.lines for selection in line.selections], codes | payers),
            'partners': partners,
            'numbers': self._look_up_numbers(
                connection, {(clean(value.invoice_number), self._issued_on(connection, value)) for value in values}, partners),
            **self.env['ramp.flow.purchase_order']._look_up_ordered(connection, {
                value.purchase_order_id for value in values if value.purchase_order_id}),
        }

    def _plan(self, connection, value, found):
        self._check_state(connection, value)
        if self._is_before(connection, value):
            return self._plan_link(connection, value, found)
        journal = self._plan_journal(connection)
        code = value.amount.currency
        issued = self._issued_on(connection, value)
        date = self._day(connection, value.posting_date, value.accounting_date, value.issued_at)
        if not (issued and date):
            raise Held(self.env._('It has no date. Ask Ramp; it cannot be booked on a day that is not known.'))
        rate = self._plan_rate(connection, value, issued, found)
        currency = self._plan_currency(connection, code, found, rate, amounts=[line.amount.minor for line in value.lines])
        partner = self._plan_vendor(value.vendor.id, clean(value.vendor.name), found)
        orders = [self._plan_order_line(line, partner, found) for line in value.lines]
        coded = self._complete_coding(
            connection, value.lines, self._plan_coding(connection, value.lines, found), [partner] * len(value.lines), found,
            [order_line.product_id if order_line else self.env['product.product'] for order_line, _quantity in orders])
        self._check_rate(connection, currency, rate, issued, found)
        label = clean(value.memo) or clean(value.invoice_number) or partner.display_name
        document = self._directed(Document(
            ramp_id=value.id, move_type='in_invoice', partner=partner, currency=currency, rate=rate,
            date=self._plan_entry_date(connection, date, journal, found, any(coding.tax for coding in coded)),
            invoice_date=issued, due_date=self._day(connection, value.due_at), reference=clean(value.invoice_number),
            note=clean(value.memo), origin=found['orders'].get(value.purchase_order_id, False),
            lines=[DocumentLine(coding, line.amount.minor, line_name(line.memo, fallback=label), line.quantity, line.unit_price, *order)
                    for coding, line, order in zip(coded, value.lines, orders, strict=True)]))
        return self._check_number(document, found), len(value.invoice_urls)

    def _plan_link(self, connection, value, found):
        """The bill in Odoo that a bill from before the start date is; raises `Held` unless it is there, posted, of the same amount."""
        partner, number = self._plan_vendor(value.vendor.id, clean(value.vendor.name), found), clean(value.invoice_number)
        names = {'vendor': partner.display_name, 'number': number or '-', 'issued': self._day(connection, value.issued_at),
                 'amount': value.amount}
        bills = self.env['account.move'].union(*(
            move for vendor, move, _day in found['numbers'].get(('in_invoice', number_key(number)), ())
            if move and vendor == partner.commercial_partner_id and move.ramp_id in (False, value.id)))
        if len(bills) != 1 or bills.state != 'posted':
            raise Held(self.env._(
                'It was issued on %(issued)s, before the start date of the connection, and paid since. Odoo has no posted bill of '
                '%(vendor)s with the number %(number)s, or several of them. Enter that bill over %(amount)s, so that it can be paid; or '
                'ignore this one.', **names), bills[:1])
        if bills.currency_id.name != value.amount.currency or self._minor(bills.amount_total, bills.currency_id) != value.amount.minor:
            raise Held(self.env._(
                'It was issued on %(issued)s, before the start date of the connection, and is %(bill)s in Odoo. There its total is another '
                'one than %(amount)s. Correct the bill in Odoo, or in Ramp; or ignore this one.', bill=bills.name, **names), bills)
        return Link(value.id, bills)

    def _issued_on(self, connection, value):
        return self._day(connection, value.issued_at, value.accounting_date, value.created_at)

    def _plan_order_line(self, line, partner, found):
        """(line of the purchase order, quantity in its unit if told) of a bill's line; (None, None) where it is of none in Odoo."""
        order_line, size = found['order_lines'].get(line.purchase_order_line_item_id, (None, None))
        if not order_line or order_line.partner_id.commercial_partner_id != partner.commercial_partner_id:
            return None, None
        return order_line, float(line.quantity * size) if line.quantity else None

    def _check_state(self, connection, value):
        if not value.enable_accounting_sync:
            raise Skipped(self.env._('Ramp keeps it out of accounting.'))
        if value.archived_at:
            raise Skipped(self.env._('It was archived in Ramp.'))
        if value.approval_status in DEAD:
            raise Skipped(self.env._('It was not approved in Ramp (%s).', value.approval_status))
        if connection.bill_policy == 'approved' and value.approval_status not in ('APPROVED', None):
            raise Waiting(self.env._('It is not approved in Ramp yet.'))
        self._check_entity(connection, value)

    def _plan_rate(self, connection, value, issued, found):
        """Company currency units for one of the bill's, by the rate that Ramp pays at; None: Odoo's rate."""
        code = value.amount.currency
        company = connection.company_id.currency_id
        payer = self.env.context.get('ramp_memory', {}).get('entities', {}).get(value.entity_id) or company.name
        if code in (company.name, payer) or value.fx_conversion_rate is None or connection.bill_rate_policy == 'odoo':
            return None
        if payer == company.name:
            return float(value.fx_conversion_rate)
        currency = self._plan_currency(connection, payer, found)
        return float(value.fx_conversion_rate) * self._rate(connection, currency, issued, found)

    # ------------------------------------------------------------------ booking

    def _book(self, connection, plans):
        new = [plan for plan in plans if not isinstance(plan, Link)]
        moves = self._book_documents(connection, [document for document, _files in new], connection.bill_post == 'post') if new else ()
        booked = {document.ramp_id: move for (document, _files), move in zip(new, moves, strict=True)}
        self.env['ramp.flow.bill_file']._expect(connection, {document.ramp_id: files for document, files in new if files}, booked)
        booked.update(self._link_documents(connection, [plan for plan in plans if isinstance(plan, Link)]))
        self.env['ramp.flow.bill_payment']._bill_booked(connection, booked)
        return [booked[plan.ramp_id if isinstance(plan, Link) else plan[0].ramp_id] for plan in plans]

    def _link_documents(self, connection, links):
        """Have bills of Odoo stand for bills of Ramp, so that what Ramp pays of these is booked. Returns {Ramp id: bill}."""
        rows = {row.ramp_id: row for row in self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', [link.ramp_id for link in links])],
            ['ramp_id', 'noted'])} if links else {}
        for link in links:
            link.move.with_context(**QUIET).ramp_id = link.ramp_id
            link.move._message_log(body=self.env._('It is a bill in Ramp, too. What Ramp pays of it is booked.'))
        self.env['ramp.record']._note({rows[link.ramp_id].id: {**(rows[link.ramp_id].noted or {}), 'is_linked': True} for link in links})
        return {link.ramp_id: link.move for link in links}
