# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models
from odoo.exceptions import UserError
from odoo.tools import SQL, LazyTranslate

from ..engine.reasons import Held
from .statement import FLOWS
from .statement_notes import StatementNote, TransferNote, TransferPaymentNote

_lt = LazyTranslate(__name__)


class RampFlowStatementLink(models.AbstractModel):
    """Link card statements to bills of "Ramp" that somebody entered in Odoo."""

    _inherit = 'ramp.flow.statement'

    _link_model = 'account.move'

    def _get_link_hints(self, connection, record):
        return None, connection.ramp_partner_id

    def _take_link_lock(self, connection):
        self.env['ramp.flow.transfer']._take_link_lock(connection)

    def _check_link_details(self, connection, record, document):
        """EXTENDS: Check that the bill takes the spend off the card liability, and is owed to Ramp."""
        self.env['ramp.flow.transfer']._check_link_partner(connection, record, document)
        value = self._read_payload(record.payload)
        spent = sum(
            self._float_to_minor(row.amount, row.currency_id)
            for row in self._list_section_rows(connection, value)
            if row.flow == 'transaction' and row.has_moved
        )
        moved = sum(
            document.line_ids.filtered(lambda line: line.account_id == connection.card_account_id).mapped(
                'amount_currency'
            )
        )
        if self._float_to_minor(moved, record.currency_id) != spent:
            raise UserError(
                self.env._(
                    'Lines: %(document)s moves %(moved)s on the card liability %(account)s, but the card spend of '
                    '%(object)s is %(spent)s. Correct the lines of the document, or choose another one.',
                    document=document.display_name,
                    object=record.display_name,
                    account=connection.card_account_id.display_name or '-',
                    moved=record.currency_id.format(moved),
                    spent=record.currency_id.format(self._minor_to_float(spent, record.currency_id)),
                )
            )

    def _list_section_rows(self, connection, value):
        """Return the rows of the section's lines since the start date."""
        rows = self._get_line_rows(connection, {(FLOWS[kind], identity) for kind, identity in value.lines})
        found = self._lookup_class(rows={(row.flow, row.ramp_id): row for row in rows})
        return [
            row for row in self._plan_statement_lines(value, found) if row.date and row.date >= connection.start_date
        ]

    def _list_cashbacks(self, connection, value):
        return [row.ramp_id for row in self._list_section_rows(connection, value) if row.flow == 'cashback']

    def _make_link_note(self, connection, record, value, document):
        return StatementNote(cashbacks=self._list_cashbacks(connection, value))

    def _on_document_linked(self, connection, value, document):
        self.env['ramp.flow.cashback']._on_statements_booked(
            connection, dict.fromkeys(self._list_cashbacks(connection, value), document)
        )
        self.env['ramp.flow.statement_file']._enqueue_statement_files(connection, {value.statement_id})
        self.env['ramp.flow.transfer']._reconcile_with_ramp(connection)


class RampFlowTransferLink(models.AbstractModel):
    """Link payments to Ramp to payments that somebody entered in Odoo."""

    _inherit = 'ramp.flow.transfer'

    _link_model = 'account.payment'

    def _get_link_amount(self, connection, document):
        return document.amount * (-1 if document.payment_type == 'inbound' else 1), document.currency_id

    def _get_link_domain(self, connection, record):
        return [
            ('company_id', '=', record.company_id.id),
            ('state', 'in', ('in_process', 'paid')),
            ('ramp_id', '=', False),
            ('payment_type', '=', 'inbound' if record.amount < 0 else 'outbound'),
            ('currency_id', '=', record.currency_id.id),
            ('amount', '=', abs(record.amount)),
            ('partner_id', 'child_of', connection.ramp_partner_id.commercial_partner_id.id),
        ]

    def _get_link_hints(self, connection, record):
        return (record.payload or {}).get('payment_id'), connection.ramp_partner_id

    def _take_link_lock(self, connection):
        """Take the lock of `_exclusive_booking` until the end of the transaction.

        :raise UserError: when a job posts statements or payments now
        """
        [[is_free]] = self.env.execute_query(
            SQL(
                'SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))',
                f'ramp_connector {self._flow} {connection.id}',
            )
        )
        if not is_free:
            raise UserError(
                self.env._(
                    'Statements and payments of the connection %s are being posted now. Try again in a moment.',
                    connection.name,
                )
            )

    def _check_link_partner(self, connection, record, document):
        """Check that a document is owed or paid to the partner "Ramp".

        :raise UserError: if it is another partner's
        """
        partner = connection.ramp_partner_id.commercial_partner_id
        if not partner or document.partner_id.commercial_partner_id != partner:
            raise UserError(
                self.env._(
                    'Vendor: %(document)s is of %(other)s, but %(object)s is of %(ramp)s ("Ramp as a Vendor" of the '
                    'connection). Choose a document of %(ramp)s.',
                    document=document.display_name,
                    object=record.display_name,
                    other=document.partner_id.display_name or '-',
                    ramp=partner.display_name or '-',
                )
            )

    def _check_link_details(self, connection, record, document):
        """EXTENDS: Check that the payment lowers what is owed to Ramp."""
        self._check_link_partner(connection, record, document)
        if self._get_payable_line(document).account_id.account_type != 'liability_payable':
            raise UserError(
                self.env._(
                    'Account: %(document)s is posted to %(account)s, which is not a payable account. Choose a payment '
                    'of what is owed to Ramp.',
                    document=document.display_name,
                    account=document.destination_account_id.display_name or '-',
                )
            )

    def _make_link_note(self, connection, record, value, document):
        return TransferNote(
            payment=TransferPaymentNote(
                id=document.id,
                line=self._get_payable_line(document).id,
                amount=[value.amount.minor, value.amount.currency],
            )
        )

    def _on_document_linked(self, connection, value, document):
        self._reconcile_with_ramp(connection)

    def _check_linked_payment(self, value, note):
        """Check that a payment that somebody entered still has the amount that Ramp reports now.

        :raise Held: if it differs; the payment is left alone
        """
        payment = self.env['account.payment'].browse(note.id).exists()
        if payment and payment.currency_id.name == value.amount.currency:
            amount, currency = self._get_link_amount(None, payment)
            if self._float_to_minor(amount, currency) == value.amount.minor:
                return
        raise Held(
            _lt(
                'Ramp now reports %(amount)s. It is linked to the payment %(payment)s, which somebody entered in Odoo, '
                'so nothing was changed. Correct that payment, or press Unlink.',
                amount=value.amount,
                payment=payment.name or '-',
            ),
            payment.move_id,
        )
