# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.tools import LazyTranslate

from ...ramp_api import read_vendor_credit
from ..accounting.booking import clean_text
from ..accounting.documents import Document, DocumentLine, line_name
from ..engine.reasons import Held, HoldCollector

_lt = LazyTranslate(__name__)


class RampFlowVendorCredit(models.AbstractModel):
    """Create one refund for each vendor credit.

    Each bill says which credits are applied to it; see `ramp.flow.bill_payment`. Schema: VendorCreditResource of GET
    /vendors/credits. Ramp has no sync type for credits, so they are not confirmed (contract 2026-08-01).
    """

    _name = 'ramp.flow.vendor_credit'
    _inherit = ['ramp.flow.payable', 'ramp.flow.booking', 'ramp.flow.pull']
    _description = 'Ramp Flow: vendor credits'

    _flow = 'vendor_credit'
    _journal_field = 'vendor_credit_journal_id'
    _flow_sequence = 40
    _endpoint = '/vendors/credits'
    _known_by = ('reference_number',)

    @api.model
    def _get_flow_label(self):
        return self.env._('Vendor credits')

    @api.model
    def _get_ramp_page_path(self, record):
        return record.parent_ramp_id and f'/bill-pay/vendors/{record.parent_ramp_id}'

    @api.model
    def _is_enabled_for(self, connection):
        return connection.pull_bills

    def _get_list_params(self, connection):
        # Ramp leaves out credits that are used up, unless asked for them.
        return {
            'include_fully_used': 'true',
            'from_accounting_date': str(connection.start_date),
            **self._get_entity_scope(connection),
        }

    def _get_nightly_listings(self, connection, since):
        return [self._get_list_params(connection)]

    def _read_payload(self, payload):
        return read_vendor_credit(payload)

    def _get_booking_facts(self, value):
        """Return the facts that the refund is posted from.

        How much of the credit is used is not part of them: the bills report that.
        """
        return {
            'total': str(value.total),
            'vendor': value.vendor_id,
            'entity': value.entity_id,
            'date': str(value.accounting_date),
            'lines': [
                [str(line.amount), str(line.quantity), str(line.unit_price), self._get_chosen_options(line.selections)]
                for line in value.lines
            ],
        }

    def _get_late_details(self, value):
        return {'number': clean_text(value.reference_number), 'memos': [line.memo for line in value.lines]}

    def _log_late_details(self, connection, record, before, value):
        self._post_late_messages(record, self._describe_detail_changes(before, self._get_late_details(value)))

    def _get_ledger_columns(self, connection, value):
        return {
            'name': clean_text(value.reference_number) or value.id,
            'date': value.accounting_date,
            'money': -value.total,
            'parent_ramp_id': value.vendor_id,
            'ramp_entity_id': value.entity_id,
            'open_amount': (-value.remaining).decimal_amount,
        }

    def _is_synced_in_ramp(self, payload):
        return False

    def _is_ready_in_ramp(self, payload):
        return True

    def _fetch_before_booking(self, connection, client, ramp_ids):
        self.env.cr.execute(
            """
            SELECT DISTINCT lower(payload ->> 'vendor_id') FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND ramp_id = ANY(%s) AND res_id IS NULL
            """,
            (connection.id, self._flow, ramp_ids),
        )
        vendors = {row[0] for row in self.env.cr.fetchall() if row[0]}
        self.env.cr.rollback()
        if vendors:
            self.env['ramp.flow.vendor']._ensure_vendors_booked(connection, client, vendors)

    def _look_up_references(self, connection, values):
        partners = self.env['ramp.flow.vendor']._find_vendor_partners(connection, {value.vendor_id for value in values})
        found = self._look_up_accounting_state(
            connection,
            [selection for value in values for line in value.lines for selection in line.selections],
            {value.total.currency for value in values},
        )
        found.partners = partners
        found.numbers = self._look_up_numbers(
            connection,
            {(clean_text(value.reference_number), self._get_credit_day(connection, value)) for value in values},
            partners,
        )
        found.accrued = self._look_up_accruals(connection, [value.id for value in values])
        return found

    def _plan_object(self, connection, value, found):
        self._check_ramp_entity(connection, value)
        self._skip_booked_elsewhere(connection, value.created_at or value.accounting_date)
        holds, journal, day, partner, coded = HoldCollector(), None, None, None, None
        date, currency, document = None, None, None
        with holds.collect():
            journal = self._plan_document_journal(connection)
        with holds.collect():
            partner = self._plan_document_vendor(value.vendor_id, False, found)
        with holds.collect():
            coded = self._plan_line_codings(connection, value.lines, found)
            if partner:
                coded = self._complete_line_coding(connection, value.lines, coded, [partner] * len(value.lines), found)
        with holds.collect():
            day = self._get_credit_day(connection, value)
            if not day:
                raise Held(_lt('It has no date, so it cannot be posted. Ask Ramp.'))
            if journal:
                has_tax = any(coding.tax for coding in coded or ())
                date = self._plan_entry_date(connection, day, journal, found, has_tax, value.id)
        with holds.collect():
            currency = self._plan_currency(
                connection, value.total.currency, found, amounts=[line.amount.minor for line in value.lines]
            )
            if day:
                self._check_document_rate(connection, currency, None, day, found)
        if partner and day and currency:
            # If it is on hold, only its number is looked at: it may have no coding and no date.
            label = clean_text(value.reference_number) or partner.display_name
            document = self._turn_negative_document(
                Document(
                    ramp_id=value.id,
                    move_type='in_refund',
                    partner=partner,
                    currency=currency,
                    rate=None,
                    date=date,
                    invoice_date=day,
                    due_date=day,
                    reference=clean_text(value.reference_number),
                    note=False,
                    lines=[
                        DocumentLine(
                            coding,
                            line.amount.minor,
                            line_name(line.memo, fallback=label),
                            line.quantity,
                            line.unit_price,
                        )
                        for coding, line in zip(coded or [None] * len(value.lines), value.lines, strict=True)
                    ],
                )
            )
            with holds.collect():
                document = self._note_same_numbers(document, found)
        holds.check()
        self._check_document_number(document, found)
        return document

    def _get_credit_day(self, connection, value):
        return self._get_booking_day(connection, value.accounting_date, value.created_at)

    def _book_plans(self, connection, plans):
        moves = self._book_documents(connection, plans, connection.bill_post == 'post')
        self.env['ramp.flow.bill_payment']._on_credits_booked(connection, [document.ramp_id for document in plans])
        return moves
