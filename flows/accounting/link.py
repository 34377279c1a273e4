# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses

from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ...models.ledger_notes import LedgerNote
from ...models.ramp_record import OPEN_STATES
from ...ramp_api import PayloadError
from ..engine.names import number_key
from ..engine.payloads import jsonable
from .booking import QUIET

PROPOSALS = 10  # documents that a person chooses from at first
CANDIDATES = 100  # documents of the same amount that are compared with the object


class RampFlowLink(models.AbstractModel):
    """Link an object to a document that somebody entered in Odoo by hand.

    The document stands for the object from then on: the tie-out counts it, and Ramp is told that the object is synced.
    The addon never reverses such a document. It only unlinks it.
    """

    _inherit = 'ramp.flow.booking'

    _link_model = None  # model of the documents that an object may be linked to; None: there are none

    # ------------------------------------------------------------------ hooks of a flow

    def _get_link_amount(self, connection, document):
        """Return what a document stands for, with the sign of the ledger row's amount.

        :return: (float, currency)
        :raise UserError: when it is of a kind that cannot stand for an object
        """
        if document.move_type not in ('in_invoice', 'in_refund'):
            raise UserError(
                self.env._(
                    '%s is neither a vendor bill nor a vendor credit note. Choose one of these.', document.display_name
                )
            )
        return document.amount_total * (-1 if document.move_type == 'in_refund' else 1), document.currency_id

    def _get_link_domain(self, connection, record):
        """Return the domain of the documents that have the object's amount and currency."""
        return [
            ('company_id', '=', record.company_id.id),
            ('state', '=', 'posted'),
            ('ramp_id', '=', False),
            ('move_type', '=', 'in_refund' if record.amount < 0 else 'in_invoice'),
            ('currency_id', '=', record.currency_id.id),
            ('amount_total', '=', abs(record.amount)),
        ]

    def _get_link_hints(self, connection, record):
        """Return (number or None, partner) of the object, by which its document may be recognized."""
        return None, self.env['res.partner']

    def _take_link_lock(self, connection):
        """Prevent a job from posting at the same moment, where that matters. See `_exclusive_booking`."""

    def _check_link_details(self, connection, record, document):
        """Check what else a document of the right amount has to fulfil.

        :raise UserError: if it does not
        """

    def _make_link_note(self, connection, record, value, document):
        """Return the note of a row that is linked to a document."""
        return LedgerNote()

    def _on_document_linked(self, connection, value, document):
        """Do for a linked document what is done for one that was just posted: files, payments, reconciliation."""

    # ------------------------------------------------------------------ checks

    def _check_record_linkable(self, record):
        """Check that a row waits for a document, and may be linked to one.

        :raise UserError: if not
        """
        if record.res_id or record.state not in OPEN_STATES:
            raise UserError(
                self.env._(
                    '%(object)s has the status "%(status)s". Only what waits, has failed or is on hold, and has no '
                    'document, can be linked.',
                    object=record.display_name,
                    status=record.status,
                )
            )
        if record.is_withheld and record.hold_reason != 'elsewhere':
            raise UserError(
                self.env._(
                    'Ramp does not offer %s for posting yet. Link it when Ramp has marked it as ready.',
                    record.display_name,
                )
            )
        if not record.currency_id:
            raise UserError(
                self.env._(
                    'The amount of %s is not known, because Ramp sent data that cannot be read. Ignore it.',
                    record.display_name,
                )
            )

    def _check_link(self, connection, record, document):
        """Check that a document stands for the object of a row.

        :raise UserError: if not, with the field that differs and the remedy
        """
        self._check_record_linkable(record)
        names = {'document': document.display_name, 'object': record.display_name}
        if document.company_id != record.company_id:
            raise UserError(
                self.env._(
                    '%(document)s belongs to the company %(other)s, but %(object)s to %(company)s. Choose a document '
                    'of %(company)s.',
                    other=document.company_id.name,
                    company=record.company_id.name,
                    **names,
                )
            )
        self._check_document_posted(document)
        if not self._filter_unlinked(document):
            raise UserError(
                self.env._(
                    '%(document)s stands for another object of Ramp already. Choose another document, or unlink it '
                    'from that object first.',
                    **names,
                )
            )
        self._check_link_amount(connection, record, document)
        self._check_link_accrual(connection, record, document)
        self._check_link_details(connection, record, document)

    def _check_document_posted(self, document):
        move = document if document._name == 'account.move' else document.move_id
        states = ('posted',) if document._name == 'account.move' else ('in_process', 'paid')
        if document.state not in states or move.state != 'posted':
            raise UserError(
                self.env._(
                    '%(document)s is not posted, or has no journal entry (status: %(state)s). Post it first.',
                    document=document.display_name,
                    state=dict(document._fields['state']._description_selection(self.env)).get(document.state),
                )
            )
        reversal = move.reversal_move_ids.filtered(lambda entry: entry.state == 'posted')[:1]
        if reversal:
            raise UserError(
                self.env._(
                    '%(document)s was reversed by %(reversal)s. Choose a document that stands.',
                    document=document.display_name,
                    reversal=reversal.display_name,
                )
            )

    def _check_link_amount(self, connection, record, document):
        amount, currency = self._get_link_amount(connection, document)
        names = {'document': document.display_name, 'object': record.display_name}
        if currency != record.currency_id:
            raise UserError(
                self.env._(
                    'Currency: %(document)s is in %(other)s, but %(object)s is in %(currency)s. Choose a document in '
                    '%(currency)s.',
                    other=currency.name or '-',
                    currency=record.currency_id.name,
                    **names,
                )
            )
        found, wanted = (self._float_to_minor(part, currency) for part in (amount, record.amount))
        if found == -wanted and wanted:
            raise UserError(
                self.env._(
                    'Direction: %(document)s is the opposite of %(object)s. One is spend, the other one a refund. '
                    'Choose a document of the same direction.',
                    **names,
                )
            )
        if found != wanted:
            raise UserError(
                self.env._(
                    'Amount: %(document)s comes to %(found)s, but %(object)s is %(wanted)s in Ramp. Correct one of '
                    'them, or choose another document.',
                    found=currency.format(amount),
                    wanted=currency.format(record.amount),
                    **names,
                )
            )

    @api.model
    def _filter_unlinked(self, documents):
        """Return the documents that stand for no object of Ramp."""
        # sudo: a document is taken, whoever may read the ledger row that has it
        rows = self.env['ramp.record'].sudo()
        taken = set(
            rows.search([('res_model', '=', documents._name), ('res_id', 'in', documents.ids)]).mapped('res_id')
        )
        if documents._name == 'account.move':
            # Entries that belong to an object beside its document: card settlements and exchange differences
            rows.flush_model(['noted'])
            taken.update(
                row[0]
                for row in self.env.execute_query(
                    SQL(
                        """
                SELECT COALESCE(noted #>> '{card,id}', noted ->> 'exchange')::int FROM ramp_record
                 WHERE flow IN ('bill_payment', 'statement')
                   AND COALESCE(noted #>> '{card,id}', noted ->> 'exchange') = ANY(%s)
                        """,
                        [str(identity) for identity in documents.ids],
                    )
                )
            )
        return documents.filtered(lambda document: not document.sudo().ramp_id and document.id not in taken)

    # ------------------------------------------------------------------ proposals

    def _propose_links(self, connection, record):
        """Return the documents that most likely stand for an object, the likeliest first."""
        documents = self.env[self._link_model].search(self._get_link_domain(connection, record), limit=CANDIDATES)
        number, partner = self._get_link_hints(connection, record)

        def rank(document):
            reference = document.ref if document._name == 'account.move' else document.memo
            day = record.date or document.date
            return (
                not (number and number_key(reference) == number_key(number)),
                not (partner and document.partner_id.commercial_partner_id == partner.commercial_partner_id),
                abs((document.date - day).days),
                document.id,
            )

        return self._filter_unlinked(documents).sorted(rank)[:PROPOSALS]

    # ------------------------------------------------------------------ linking

    def _link_document(self, connection, record, document):
        """Let a document stand for the object of a row. The caller checks who asks, and holds the locks of both.

        :raise UserError: when the document cannot stand for it
        """
        self._take_link_lock(connection)
        try:
            value = self._read_payload(record.payload)
        except PayloadError as error:
            raise UserError(
                self.env._(
                    '%(object)s cannot be linked, because Ramp sent data that cannot be read. %(error)s',
                    object=record.display_name,
                    error=error,
                )
            ) from error
        self._check_link(connection, record, document)
        # None: another system reported the object to Ramp. See `_book_batch`.
        is_ready = None if self._was_told_elsewhere(record.payload, record) else self._is_outcome_accepted(value)
        key = self._new_sync_key(record) if is_ready and self._sync_type else None
        note = self._make_link_note(connection, record, value, document)
        extras = jsonable(self._get_late_details(value))
        record._store_noted(
            {record.id: dataclasses.replace(note, is_linked=True, **({'extras': extras} if extras else {}))}
        )
        document.with_context(**QUIET).ramp_id = record.ramp_id
        document._message_log(
            body=self.env._('Linked to an object of Ramp that it stands for: %s', record._get_html_link())
        )
        record._mark_booked(document, key, bool(self._sync_type) and is_ready is not None, self._updates and bool(key))
        self._on_document_linked(connection, value, document)
        self._on_decided(connection)
