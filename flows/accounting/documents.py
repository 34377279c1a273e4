# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import dataclasses
import datetime
import zlib
from decimal import Decimal

from odoo import models
from odoo.fields import Domain
from odoo.tools import SQL, LazyTranslate

from ...models.dry_run_cursor import is_dry_run
from ...models.ramp_run import LOST_AFTER
from ...ramp_api import Money
from ..engine.names import number_key
from ..engine.reasons import ALL_ARGUMENTS, Behind, Held, hold_missing_setting
from .booking import clean_text
from .coding import Coding
from .lookup import PayableLookup

_lt = LazyTranslate(__name__)

REFUND_OF = {'in_invoice': 'in_refund', 'in_refund': 'in_invoice'}
# Types that share their numbers. A bill may have been entered as a receipt.
NUMBERED_AS = {'in_invoice': 'in_invoice', 'in_receipt': 'in_invoice', 'in_refund': 'in_refund'}


@dataclasses.dataclass(frozen=True)
class DocumentLine:
    """One line of a bill.

    amount: what the line adds to the document's total, tax included, in minor units
    quantity, unit_price: used only if their product is the amount
    order_line: purchase order line that is billed
    order_quantity: billed quantity in the unit of the order line, if Ramp says it
    """

    coding: Coding
    amount: int
    name: str
    quantity: Decimal | None = None
    unit_price: Money | None = None
    order_line: models.Model | None = None
    order_quantity: float | None = None


@dataclasses.dataclass(frozen=True)
class Document:
    """A bill or refund to be created.

    rate: units of the company's currency for one of the document's, or None for Odoo's own rate
    """

    ramp_id: str
    move_type: str  # in_invoice or in_refund
    partner: models.Model
    currency: models.Model
    rate: float | None
    date: datetime.date  # date of the entry; later than Ramp's date where the period was locked
    invoice_date: datetime.date
    due_date: datetime.date | None
    reference: str | bool
    note: str | bool
    lines: list  # list of DocumentLine
    origin: str | bool = False
    same_number: models.Model | None = None  # the vendor's documents with that number from other years
    payable: models.Model | None = None  # payable account; without one, that of the partner

    @property
    def total(self):
        return sum(line.amount for line in self.lines)

    @property
    def identity_key(self):
        """Return what distinguishes the document from others of the vendor: its number, otherwise day and amount.

        None for a document without a number whose total is zero.
        """
        return number_key(self.reference) or self.total and (self.invoice_date, self.currency.id, self.total) or None


class RampFlowPayable(models.AbstractModel):
    """Base of the flows that create vendor bills and refunds.

    They create documents in batches, with exactly Ramp's amount, and never two of a vendor with the same number.
    """

    _name = 'ramp.flow.payable'
    _description = 'Ramp Flow: bills and refunds'

    _lookup_class = PayableLookup
    _payment_flow = None  # flow that pays the documents
    _journal_field = 'bill_journal_id'  # field of the connection; if it is empty, the bill journal is used

    # ------------------------------------------------------------------ a run

    def _run_connection_work(self, connection, run):
        with self._mark_at_work(connection):
            return super()._run_connection_work(connection, run)

    def _store_snapshot_of_lists(self, connection, client, listings, place=None):
        with self._mark_at_work(connection):
            result = super()._store_snapshot_of_lists(connection, client, listings, place)
        self._trigger_payment_flow()
        return result

    def _finish_sync_run(self, connection, run, message):
        result = super()._finish_sync_run(connection, run, message)
        self._trigger_payment_flow()
        return result

    def _trigger_payment_flow(self):
        """Trigger the job of payments. It has work now, or it gave way to this one (see `_mark_at_work`)."""
        if self._payment_flow:
            self.env[f'ramp.flow.{self._payment_flow}']._trigger()

    def _get_work_lock_key(self, connection):
        return zlib.crc32(self._name.encode()) >> 1, connection.id

    @contextlib.contextmanager
    def _mark_at_work(self, connection):
        """Mark for the job of payments that lists are being read.

        A payment may pay several documents. They are only known after all lists were read and posted. The lock belongs
        to the database session. It outlives commits, and ends with the session in any case.
        """
        if not self._payment_flow or is_dry_run(self.env):
            yield
            return
        self.env.cr.execute('SELECT pg_advisory_lock_shared(%s, %s)', self._get_work_lock_key(connection))
        try:
            yield
        except BaseException:
            if not self.env.cr.closed:
                self.env.cr.rollback()
            raise
        finally:
            if not self.env.cr.closed:
                self.env.cr.execute('SELECT pg_advisory_unlock_shared(%s, %s)', self._get_work_lock_key(connection))

    def _is_reading_under_way(self, connection):
        """Return whether a transfer may be known only in part, because objects are being listed and posted.

        This is also so if the last run did not finish its lists and the next one will. Call this first in a
        transaction. Then the transaction sees nothing of a run that starts to list later. A dry run lists everything
        itself before it pays.
        """
        if is_dry_run(self.env):
            return False
        self.env['ramp.run'].flush_model()
        self.env.cr.execute(
            """
            SELECT EXISTS (SELECT FROM pg_locks
                            WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND objsubid = 2 AND pid <> pg_backend_pid()
                              AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
                OR (SELECT state IN ('running', 'lost') AND write_date > %s OR state = 'paused'
                      FROM ramp_run WHERE connection_id = %s AND flow = %s ORDER BY id DESC LIMIT 1)
            """,
            [*self._get_work_lock_key(connection), self.env.cr.now() - LOST_AFTER, connection.id, self._flow],
        )
        return bool(self.env.cr.fetchone()[0])

    # ------------------------------------------------------------------ planning

    def _get_configured_journal(self, connection):
        return connection[self._journal_field] or connection.bill_journal_id

    def _plan_document_journal(self, connection):
        journal = self._get_configured_journal(connection)
        if not journal:
            raise hold_missing_setting(connection, 'bill_journal_id')
        return journal

    def _plan_document_vendor(self, vendor_id, name, found):
        """Return the partner of a vendor in Ramp.

        :param found: `PayableLookup`
        :raise Held: when the vendor's own row is on hold, or Ramp does not have the vendor
        """
        partner, reason = found.partners.get(vendor_id, (None, None))
        if partner:
            return partner
        name = name or vendor_id
        if reason:
            raise Held(
                _lt('Its vendor %(name)s is on hold: %(reason)s', name=name, reason=reason),
                kind='vendor',
                by=('name', 'reason'),
                vendor=vendor_id,
            )
        raise Held(_lt('Ramp sends no details of its vendor %s. Check the vendor in Ramp.', name), by=ALL_ARGUMENTS)

    def _check_document_rate(self, connection, currency, rate, date, found):
        """Check that there is a credible rate: Ramp's quote, otherwise Odoo's rate of the day.

        :raise Held: when there is none
        """
        if rate is not None:
            self._check_quoted_rate(connection, currency, rate, date, found)
        elif currency != connection.company_id.currency_id:
            self._get_odoo_rate(connection, currency, date, found)

    def _turn_negative_document(self, document):
        """Turn a document with a negative total into one of the other direction.

        Odoo refuses to post it otherwise.
        """
        if document.total >= 0:
            return document
        lines = [
            dataclasses.replace(
                line,
                amount=-line.amount,
                unit_price=line.unit_price and -line.unit_price,
                order_quantity=line.order_quantity and -line.order_quantity,
            )
            for line in document.lines
        ]
        return dataclasses.replace(document, move_type=REFUND_OF[document.move_type], lines=lines)

    def _look_up_numbers(self, connection, documents, partners):
        """Return bills, receipts and refunds of vendors by number. Reversed documents do not count.

        :param documents: [(number or False, day)] of what may be posted
        :param partners: of `ramp.flow.vendor._find_vendor_partners`
        :return: {(type, `Document.identity_key`): [(vendor, document, its day)]}
        """
        numbers = {key for number, _day in documents if (key := number_key(number))}
        days = {day for number, day in documents if day and not number_key(number)}
        vendors = (
            self.env['res.partner']
            .union(*(partner for partner, _reason in partners.values() if partner))
            .commercial_partner_id
        )
        if not vendors or not (numbers or days):
            return {}
        Move, columns = (
            self.env['account.move'],
            ('id', 'move_type', 'ref', 'invoice_date', 'currency_id', 'amount_total'),
        )
        Move.flush_model([*columns, 'commercial_partner_id', 'company_id', 'state', 'payment_state'])
        # All numbers of the vendors are read. Python compares them, as the database compares spellings differently.
        query = Move._search(
            Domain('company_id', '=', connection.company_id.id)
            & Domain('move_type', 'in', list(NUMBERED_AS))
            & Domain('commercial_partner_id', 'in', vendors.ids)
            & (Domain('invoice_date', 'in', list(days)) | (Domain('ref', '!=', False) if numbers else Domain.FALSE))
            & Domain('state', '!=', 'cancel')
            # Odoo also calls a bill "reversed" that credits covered. Its number was used.
            & (Domain('payment_state', '!=', 'reversed') | Domain('reversal_move_ids', '=', False))
            # Odoo calls a reversed refund "paid".
            & (Domain('move_type', '!=', 'in_refund') | Domain('reversal_move_ids', '=', False)),
            order='id DESC',
        )
        found = {}
        for identity, kind, reference, day, currency, total in self.env.execute_query(
            query.select(*(SQL.identifier(Move._table, column) for column in columns))
        ):
            key = number_key(reference)
            if not key and day in days:
                key = day, currency, self._float_to_minor(total, self.env['res.currency'].browse(currency))
            if key in numbers or isinstance(key, tuple):
                found.setdefault((NUMBERED_AS[kind], key), []).append((Move.browse(identity), day))
        if found:
            Move.union(*(move for moves in found.values() for move, _day in moves)).fetch(
                ['commercial_partner_id', 'ramp_id', 'name']
            )
        return {key: [(move.commercial_partner_id, move, day) for move, day in moves] for key, moves in found.items()}

    def _check_document_number(self, document, found):
        """Take the number of a document that is posted with this batch.

        :raise Behind: when another document of the same batch has that number
        """
        if not document.identity_key:
            return
        others = found.numbers.setdefault((document.move_type, document.identity_key), [])
        vendor = document.partner.commercial_partner_id
        if any(partner == vendor and not move for partner, move, _day in others):
            raise Behind
        others.append((vendor, None, document.invoice_date))

    def _note_same_numbers(self, document, found):
        """Return the document, with the vendor's documents of the same number from other years.

        As in Odoo, those are different documents. A message on the new document names them. The number is not taken, so
        the document may be on hold for another reason.

        :raise Held: when the vendor has a document with that number already, or, without a number, one with that day
            and amount
        """
        vendor, earlier = document.partner.commercial_partner_id, self.env['account.move']
        for partner, move, day in found.numbers.get((document.move_type, document.identity_key), ()):
            if partner != vendor or not move or move.ramp_id == document.ramp_id:
                continue
            if day and day.year != document.invoice_date.year:
                earlier += move
                continue
            values = {
                'vendor': vendor.display_name,
                'move': move.name or self.env._('a draft'),
                'link': self._get_record_url(move),
            }
            raise Held(
                _lt(
                    '%(vendor)s already has a document with the number %(number)s in Odoo: %(move)s (%(link)s). If '
                    'it is the same bill, ignore this one. If both are real, change the reference of one of them.',
                    number=document.reference,
                    **values,
                )
                if document.reference
                else _lt(
                    '%(vendor)s already has a document without a number in Odoo, dated %(date)s, for %(amount)s: '
                    '%(move)s (%(link)s). This one has no number either. If it is the same bill, ignore this one. If '
                    'both are real, enter a reference on the one in Odoo.',
                    date=document.invoice_date,
                    amount=Money(document.total, document.currency.name),
                    **values,
                ),
                move,
                by=('vendor', 'number', 'date', 'amount', 'move', 'link'),
            )
        return dataclasses.replace(document, same_number=earlier) if earlier else document

    def _get_record_url(self, record):
        """Return the address of a record's page for a user."""
        return f'{record.get_base_url()}/odoo/{record._name}/{record.id}'


def line_name(*texts, fallback):
    """Return the name of a line: the first text that is not empty, on one line."""
    return next(filter(None, map(clean_text, texts)), fallback)
