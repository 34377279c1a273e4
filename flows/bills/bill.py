# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import dataclasses

from odoo import api, models
from odoo.tools import LazyTranslate

from ...models.run_memory import run_memory
from ...ramp_api import Money, PayloadError, RampScopeError, RampValidationError, read_bill, read_entity, scrub_bill
from ..accounting.booking import clean_text
from ..accounting.documents import Document, DocumentLine, line_name
from ..engine.reasons import Held, HoldCollector, Skipped, Waiting
from .lookup import BillLookup

_lt = LazyTranslate(__name__)

DEAD = ('REJECTED', 'TERMINATED')


@dataclasses.dataclass(frozen=True)
class Link:
    """A bill that was issued before the start date, with the bill in Odoo that stands for it."""

    ramp_id: str
    move: models.Model


class RampFlowBill(models.AbstractModel):
    """Create one vendor bill for each bill of Ramp, with its lines, taxes, analytics and files.

    The payments of bills are a separate flow (`ramp.flow.bill_payment`).

    Schema: Bill of GET /bills. A bill is confirmed twice: the bill itself (BILL_SYNC) and its payment
    (BILL_PAYMENT_SYNC). Both use the bill's id. A bill does not say when it changed (contract 2026-08-01), so posted
    bills are read again.
    """

    _name = 'ramp.flow.bill'
    _inherit = ['ramp.flow.payable', 'ramp.flow.booking', 'ramp.flow.pull']
    _description = 'Ramp Flow: bills'

    _lookup_class = BillLookup
    _flow = 'bill'
    _payment_flow = 'bill_payment'
    _flow_sequence = 50
    _events = (
        'bills.approved',
        'bills.archived',
        'bills.created',
        'bills.paid',
        'bills.ready_to_sync',
        'bills.rejected',
        'bills.updated',
        'payments.updated',
    )
    _vague_events = ('payments.updated',)
    _endpoint = '/bills'
    _sync_type = 'BILL_SYNC'
    _synced_at = 'accounting_sync_date'
    _known_by = ('invoice_number', 'memo')
    _quiet_extras = ('payment',)

    @api.model
    def _get_flow_label(self):
        return self.env._('Bills')

    @api.model
    def _get_ramp_page_path(self, record):
        return f'/bill-pay/bills/{record.ramp_id}'

    @api.model
    def _is_enabled_for(self, connection):
        return connection.pull_bills

    # ------------------------------------------------------------------ what Ramp says of a bill

    def _scrub_payload(self, payload):
        return scrub_bill(payload)

    def _read_payload(self, payload):
        """Return the bill, without its payment if the payment cannot be read.

        The payment has its own row, which reports the error.
        """
        try:
            return read_bill(payload)
        except PayloadError:
            return read_bill(payload, with_payment=False)

    def _get_booking_facts(self, value):
        """Return the facts that the bill is posted from.

        Names, files and the way it is paid are not part of them.
        """
        return {
            'amount': str(value.amount),
            'vendor': value.vendor.id,
            'entity': value.entity_id,
            'days': [str(moment) for moment in (value.issued_at, value.accounting_date, value.posting_date)],
            'lines': [
                [str(line.amount), str(line.quantity), str(line.unit_price), self._get_chosen_options(line.selections)]
                for line in value.lines
            ],
        }

    def _get_late_details(self, value):
        return {
            'files': len(value.invoice_urls),
            'number': clean_text(value.invoice_number),
            'memo': value.memo,
            'vendor_memo': value.vendor_memo,
            'due': str(value.due_at or ''),
            'memos': [line.memo for line in value.lines],
            'payment': self.env['ramp.flow.bill_payment']._get_announced_payment(value),
        }

    def _get_ledger_columns(self, connection, value):
        return {
            'name': ' '.join(filter(None, (clean_text(value.vendor.name), clean_text(value.invoice_number))))
            or value.id,
            'date': self._get_booking_day(connection, value.issued_at),
            'money': value.amount,
            'parent_ramp_id': value.vendor.id,
            'ramp_entity_id': value.entity_id,
            'open_amount': self._get_open_bill_amount(value),
        }

    @api.model
    def _get_open_bill_amount(self, value, paid=0):
        """Return the amount still to be paid according to Ramp, as a Decimal in the bill's currency.

        :param paid: int, what is paid of a partly paid bill, in minor units
        """
        counts = value.enable_accounting_sync and not value.archived_at and value.approval_status in ('APPROVED', None)
        if value.status == 'PAID' or not counts:
            return Money(0, value.amount.currency).decimal_amount
        return Money(
            owed(value.amount, value.applied_vendor_credits).minor - paid, value.amount.currency
        ).decimal_amount

    # ------------------------------------------------------------------ confirmation

    def _is_outcome_accepted(self, value):
        return value.approval_status in ('APPROVED', None)

    def _get_odoo_reference(self, record):
        return f'account.move,{record.res_id}'

    def _make_sync_item(self, record):
        item = super()._make_sync_item(record)
        if not run_memory(self.env).is_link_refused:
            item['deep_link_url'] = self._get_record_url(self.env['account.move'].browse(record.res_id))
        return item

    def _confirm_booked_batch(self, connection, run, client, key):
        try:
            return super()._confirm_booked_batch(connection, run, client, key)
        except RampValidationError as error:
            memory = run_memory(self.env)
            if 'deep_link' not in str(error) or memory.is_link_refused:
                raise
            # Ramp rejects some links, such as those to an intranet. A link must not keep a bill unconfirmed.
            memory.is_link_refused = True
        return super()._confirm_booked_batch(connection, run, client, key)

    # ------------------------------------------------------------------ changes that do not affect the books

    def _log_late_details(self, connection, record, before, value):
        now = self._get_late_details(value)
        if now['files'] > before.get('files', 0):
            self.env['ramp.flow.bill_file']._enqueue_files(connection, {record.ramp_id: now['files']})
        self._post_late_messages(record, self._describe_detail_changes(before, now))

    # ------------------------------------------------------------------ planning

    def _fetch_before_booking(self, connection, client, ramp_ids):
        self.env.cr.execute(
            """
            SELECT DISTINCT lower(payload #>> '{vendor,id}') FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND ramp_id = ANY(%s) AND res_id IS NULL
            """,
            (connection.id, self._flow, ramp_ids),
        )
        vendors = {row[0] for row in self.env.cr.fetchall() if row[0]}
        self.env.cr.rollback()
        if vendors:
            self.env['ramp.flow.vendor']._ensure_vendors_booked(connection, client, vendors)
        self._fetch_ramp_entities(client)

    def _fetch_ramp_entities(self, client):
        """Read the currency of each Ramp entity, once per run.

        A bill's rate converts into the currency of its entity.
        """
        memory = run_memory(self.env)
        if memory.entity_currencies is None:
            rows = []
            # Without this permission, the payer's currency is taken to be the company's.
            with contextlib.suppress(RampScopeError):
                rows = list(client.list_objects('/entities'))
            memory.entity_currencies = {}
            for row in rows:
                # The same applies to an entity that cannot be read.
                with contextlib.suppress(PayloadError):
                    entity = read_entity(row)
                    memory.entity_currencies[entity.id] = entity.currency

    def _look_up_references(self, connection, values):
        codes = {value.amount.currency for value in values}
        payers = {code for code in (run_memory(self.env).entity_currencies or {}).values() if code}
        partners = self.env['ramp.flow.vendor']._find_vendor_partners(connection, {value.vendor.id for value in values})
        found = self._look_up_accounting_state(
            connection,
            [selection for value in values for line in value.lines for selection in line.selections],
            codes | payers,
        )
        found.partners = partners
        found.numbers = self._look_up_numbers(
            connection,
            {(clean_text(value.invoice_number), self._get_invoice_date(connection, value)) for value in values},
            partners,
        )
        found.ordered = self.env['ramp.flow.purchase_order']._look_up_ordered(
            connection, {value.purchase_order_id for value in values if value.purchase_order_id}
        )
        found.accrued = self._look_up_accruals(connection, [value.id for value in values])
        return found

    def _plan_object(self, connection, value, found):
        self._check_ramp_state(connection, value)
        if self._is_issued_before_start(connection, value):
            return self._plan_existing_link(connection, value, found)
        holds, journal, issued, partner, coded = HoldCollector(), None, None, None, None
        date, rate, currency, document = None, None, None, None
        with holds.collect():
            journal = self._plan_document_journal(connection)
        with holds.collect():
            partner = self._plan_document_vendor(value.vendor.id, clean_text(value.vendor.name), found)
        with holds.collect():
            orders = [self._plan_order_line(line, partner, found) if partner else (None, None) for line in value.lines]
            coded = self._plan_line_codings(connection, value.lines, found)
            if partner:
                products = [
                    order_line.product_id if order_line else self.env['product.product']
                    for order_line, _quantity in orders
                ]
                coded = self._complete_line_coding(
                    connection, value.lines, coded, [partner] * len(value.lines), found, products
                )
        with holds.collect():
            issued = self._get_invoice_date(connection, value)
            date = self._get_booking_day(connection, value.posting_date, value.accounting_date, value.issued_at)
            if not (issued and date):
                raise Held(_lt('It has no date, so it cannot be posted. Ask Ramp.'))
            if journal:
                has_tax = any(coding.tax for coding in coded or ())
                date = self._plan_entry_date(connection, date, journal, found, has_tax, value.id)
        with holds.collect():
            rate = self._plan_bill_rate(connection, value, issued, found) if issued else None
            currency = self._plan_currency(
                connection, value.amount.currency, found, rate, amounts=[line.amount.minor for line in value.lines]
            )
            if issued:
                self._check_document_rate(connection, currency, rate, issued, found)
        if partner and issued and currency:
            # If it is on hold, only its number is looked at: it may have no coding and no date.
            label = clean_text(value.memo) or clean_text(value.invoice_number) or partner.display_name
            document = self._turn_negative_document(
                Document(
                    ramp_id=value.id,
                    move_type='in_invoice',
                    partner=partner,
                    currency=currency,
                    rate=rate,
                    date=date,
                    invoice_date=issued,
                    due_date=self._get_booking_day(connection, value.due_at),
                    reference=clean_text(value.invoice_number),
                    note=clean_text(value.memo),
                    origin=found.ordered.order_names.get(value.purchase_order_id, False),
                    lines=[
                        DocumentLine(
                            coding,
                            line.amount.minor,
                            line_name(line.memo, fallback=label),
                            line.quantity,
                            line.unit_price,
                            *order,
                        )
                        for coding, line, order in zip(
                            coded or [None] * len(value.lines), value.lines, orders, strict=True
                        )
                    ],
                )
            )
            with holds.collect():
                document = self._note_same_numbers(document, found)
        holds.check()
        self._check_document_number(document, found)
        return document, len(value.invoice_urls)

    def _get_invoice_date(self, connection, value):
        return self._get_booking_day(connection, value.issued_at, value.accounting_date, value.created_at)

    def _plan_order_line(self, line, partner, found):
        """Return the purchase order line of a bill line, and the quantity in the unit of that line.

        :return: (purchase order line, float or None if Ramp has no quantity); (None, None) if Odoo has no order line
            for it
        """
        order_line, size = found.ordered.order_lines.get(line.purchase_order_line_item_id, (None, None))
        if not order_line or order_line.partner_id.commercial_partner_id != partner.commercial_partner_id:
            return None, None
        return order_line, float(line.quantity * size) if line.quantity else None

    def _check_ramp_state(self, connection, value):
        if not value.enable_accounting_sync:
            raise Skipped(_lt('It is excluded from accounting in Ramp.'))
        if value.archived_at:
            raise Skipped(_lt('It was archived in Ramp.'))
        if value.approval_status in DEAD:
            raise Skipped(_lt('It was not approved in Ramp (%s).', value.approval_status))
        if connection.bill_policy == 'approved' and value.approval_status not in ('APPROVED', None):
            raise Waiting(_lt('It is not approved in Ramp yet.'))
        self._check_ramp_entity(connection, value)

    def _plan_bill_rate(self, connection, value, issued, found):
        """Return the rate at which Ramp pays the bill; None means Odoo's rate.

        :return: float, units of the company's currency for one unit of the bill's currency
        """
        code = value.amount.currency
        company = connection.company_id.currency_id
        payer = (run_memory(self.env).entity_currencies or {}).get(value.entity_id) or company.name
        if code in (company.name, payer) or value.fx_conversion_rate is None or connection.bill_rate_policy == 'odoo':
            return None
        if payer == company.name:
            return float(value.fx_conversion_rate)
        currency = self._plan_currency(connection, payer, found)
        return float(value.fx_conversion_rate) * self._get_odoo_rate(connection, currency, issued, found)

    # ------------------------------------------------------------------ posting

    def _book_plans(self, connection, plans):
        new = [plan for plan in plans if not isinstance(plan, Link)]
        moves = (
            self._book_documents(connection, [document for document, _files in new], connection.bill_post == 'post')
            if new
            else ()
        )
        booked = {document.ramp_id: move for (document, _files), move in zip(new, moves, strict=True)}
        self.env['ramp.flow.bill_file']._enqueue_files(
            connection, {document.ramp_id: files for document, files in new if files}, booked
        )
        booked.update(self._link_existing_documents(connection, [plan for plan in plans if isinstance(plan, Link)]))
        self.env['ramp.flow.bill_payment']._on_bill_booked(connection, booked)
        return [booked[plan.ramp_id if isinstance(plan, Link) else plan[0].ramp_id] for plan in plans]


def owed(amount, credits):
    """Return the amount of a bill less the vendor credits applied to it, as Money."""
    return sum((-credit.amount for credit in credits), Money(amount.minor, amount.currency))
