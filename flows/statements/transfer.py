# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import datetime
from datetime import timedelta

from odoo import Command, api, models
from odoo.tools import LazyTranslate

from ...ramp_api import TRANSFER_ACCEPTED_STATUSES, TRANSFER_FAILED_STATUSES, Transfer, read_transfer
from ..accounting.booking import QUIET, clean_text
from ..accounting.lookup import AccountingLookup
from ..engine.reasons import ALL_ARGUMENTS, Held, Skipped, Waiting, hold_missing_setting
from .statement_notes import TransferNote, TransferPaymentNote

_lt = LazyTranslate(__name__)

# Every status of the contract is decided here. Transfers that the bank accepted are posted, and those that failed are
# undone. A transfer with any other status is put on hold.
UNDER_WAY = frozenset({'INITIATED', 'NOT_ACKED', 'UPLOADED'})
NOTHING = frozenset({'UNNECESSARY'})
# A transfer that comes back is noticed up to this long after it was made.
REREAD = timedelta(days=365)


@dataclasses.dataclass(frozen=True)
class TransferPlan:
    """What is to be done about a transfer.

    - undo: note of a payment that is no longer valid
    - book: whether a payment is to be created
    """

    transfer: Transfer
    currency: models.Model
    journal: models.Model
    date: datetime.date
    row: models.Model
    undo: TransferPaymentNote | None
    book: bool
    reason: str


@dataclasses.dataclass
class TransferLookup(AccountingLookup):
    """What `ramp.flow.transfer` looks up.

    banks: {Ramp id of a bank account: its journal}
    rows: {Ramp id of a transfer: its row}
    """

    banks: dict[str, models.Model] = dataclasses.field(default_factory=dict)
    rows: dict[str, models.Model] = dataclasses.field(default_factory=dict)


class RampFlowTransfer(models.AbstractModel):
    """Post one payment to "Ramp" for each transfer, and apply it to the open bills of Ramp, the oldest first.

    Schema: Transfer of GET /transfers. A transfer that comes back after it was posted is reversed, visibly. What it
    paid is open again.
    """

    _name = 'ramp.flow.transfer'
    _inherit = ['ramp.flow.booking', 'ramp.flow.pull']
    _description = 'Ramp Flow: payments of card statements'

    _lookup_class = TransferLookup
    _flow = 'transfer'
    _flow_sequence = 82
    _endpoint = '/transfers'
    _sync_type = 'TRANSFER_SYNC'
    _known_by = ('payment_id',)
    _updates = True

    @api.model
    def _get_flow_label(self):
        return self.env._('Payments of card statements')

    @api.model
    def _is_enabled_for(self, connection):
        return connection.pull_statements

    # ------------------------------------------------------------------ lists of Ramp

    def _get_list_params(self, connection):
        return {
            'sync_status': 'SYNC_READY',
            'from_date': connection._start_moment(),
            **self._get_entity_scope(connection),
        }

    def _get_changed_listings(self, connection, since):
        after = (self.env.cr.now() - REREAD).strftime('%Y-%m-%dT%H:%M:%SZ')
        return [{'from_date': max(after, connection._start_moment()), **self._get_entity_scope(connection)}]

    def _get_nightly_listings(self, connection, since):
        return [{'from_date': since, **self._get_entity_scope(connection)}]

    def _read_payload(self, payload):
        return read_transfer(payload)

    def _get_booking_facts(self, value):
        return {
            'amount': str(value.amount),
            'status': value.status,
            'entity': value.entity_id,
            'created': str(value.created_at),
        }

    def _get_ledger_columns(self, connection, value):
        return {
            'name': self.env._('Payment to Ramp: %s', clean_text(value.payment_id) or value.amount),
            'date': self._get_booking_day(connection, value.created_at),
            'money': value.amount,
            'ramp_entity_id': value.entity_id,
            'has_moved': value.status in TRANSFER_ACCEPTED_STATUSES,
        }

    def _counts_in_balance(self, row):
        # A transfer that came back may still be on a statement.
        return 'value' in row and row['value'].status in TRANSFER_ACCEPTED_STATUSES | TRANSFER_FAILED_STATUSES

    def _check_ramp_state(self, connection, value):
        if value.status in TRANSFER_FAILED_STATUSES:
            raise Skipped(self._describe_transfer_status(value.status))

    # ------------------------------------------------------------------ planning

    def _look_up_references(self, connection, values):
        found = self._look_up_accounting_state(connection, [], {value.amount.currency for value in values})
        found.banks = self.env['ramp.bank.account']._journals_of(
            connection, {value.bank_account_id for value in values}
        )
        found.rows = {
            row.ramp_id: row
            for row in self.env['ramp.record'].search_fetch(
                [
                    ('connection_id', '=', connection.id),
                    ('flow', '=', self._flow),
                    ('ramp_id', 'in', [value.id for value in values]),
                ],
                ['ramp_id', 'noted', 'res_id', 'res_model'],
            )
        }
        return found

    def _plan_object(self, connection, value, found):
        self._check_ramp_entity(connection, value)
        row = found.rows[value.id]
        known = row._read_note(TransferNote)
        note = known.payment or None
        if value.status in TRANSFER_FAILED_STATUSES:
            if not note:
                raise Skipped(self._describe_transfer_status(value.status))
            return TransferPlan(
                value,
                self.env['res.currency'],
                None,
                None,
                row,
                note,
                False,
                self._describe_transfer_status(value.status),
            )
        if value.status in UNDER_WAY and not note:
            raise Waiting(_lt('The money is on its way (%s).', value.status))
        if value.status in NOTHING or not value.amount.minor:
            raise Skipped(_lt('There was nothing to pay.'))
        if value.status not in TRANSFER_ACCEPTED_STATUSES | UNDER_WAY:
            raise Held(
                _lt(
                    'Its status is %s, which this connector does not know. Update the connector, or contact its maintainer.',
                    value.status or '-',
                ),
                by=ALL_ARGUMENTS,
            )
        stands = bool(note) and note.amount == [value.amount.minor, value.amount.currency]
        if note and known.is_linked and not stands:
            self._check_linked_payment(value, note)
            stands = True
        currency = self._plan_currency(connection, value.amount.currency, found, amounts=[value.amount.minor])
        journal = found.banks.get(value.bank_account_id) or connection.payment_journal_id
        if not journal:
            raise hold_missing_setting(connection, 'payment_journal_id')
        if not connection.ramp_partner_id:
            raise hold_missing_setting(connection, 'ramp_partner_id')
        day = self._get_booking_day(connection, value.created_at)
        if not day:
            raise Held(_lt('It has no date, so it cannot be posted. Ask Ramp.'))
        date = self._plan_entry_date(connection, day, journal, found)
        # Posting needs a rate, so check here that there is one.
        self._get_odoo_rate(connection, currency, date, found)
        return TransferPlan(
            value,
            currency,
            journal,
            date,
            row,
            None if stands else note,
            not stands,
            self.env._('Ramp now reports a different amount.'),
        )

    @api.model
    def _describe_transfer_status(self, status):
        return {
            'CANCELED': self.env._('The transfer was cancelled.'),
            'ERROR': self.env._('The transfer failed.'),
            'NOT_ENOUGH_FUNDS': self.env._('The bank account did not have enough funds for the transfer.'),
            'REJECTED_BY_ODFI': self.env._('The bank rejected the transfer.'),
            'RETURNED_BY_RDFI': self.env._('The transfer was returned by the bank.'),
        }[status]

    # ------------------------------------------------------------------ posting

    def _book_plans(self, connection, plans):
        Payment = self.env['ramp.flow.payment']
        for plan in plans:
            if plan.undo and plan.row._read_note().is_linked:
                self._undo_booked_object(connection, plan.row, plan.reason)
            elif plan.undo:
                Payment._undo_booked_payment(connection, plan.undo, plan.reason, has_returned=not plan.book)
        new = [plan for plan in plans if plan.book]
        made = (
            dict(zip((plan.transfer.id for plan in new), self._book_transfer_payments(connection, new), strict=True))
            if new
            else {}
        )
        noted, documents = {}, []
        for plan in plans:
            payment = made.get(plan.transfer.id)
            if payment:
                noted[plan.row.id] = dataclasses.replace(
                    plan.row._read_note(TransferNote),
                    payment=TransferPaymentNote(
                        id=payment.id,
                        line=self._get_payable_line(payment).id,
                        amount=[plan.transfer.amount.minor, plan.transfer.amount.currency],
                    ),
                )
            elif not plan.undo:
                payment = self.env['account.payment'].browse(plan.row._read_note(TransferNote).payment.id)
            documents.append(payment)
        self.env['ramp.record']._store_noted(noted)
        self.env.flush_all()
        self._reconcile_with_ramp(connection)
        return documents

    def _book_transfer_payments(self, connection, plans):
        """Return the posted payments of these plans, in the same order. They are created in one batch."""
        quiet = self.with_context(**QUIET, ramp_one_sequence={})
        open_now = self._get_open_amounts(connection)
        accounts = {}
        # The oldest payment pays what is open for the longest time.
        for plan in sorted(plans, key=lambda plan: plan.date):
            amount = self._minor_to_float(plan.transfer.amount.minor, plan.currency)
            amounts = open_now.get((plan.transfer.entity_id, plan.currency, amount < 0), {})
            accounts[plan.transfer.id] = self._take_open_account(amounts, abs(amount), plan.currency)
        payments = quiet.env['account.payment'].create(
            [self._prepare_transfer_values(connection, plan, accounts[plan.transfer.id]) for plan in plans]
        )
        company = connection.company_id.currency_id
        moves = quiet.env['account.move'].create(
            [
                payment._generate_move_vals(line_ids=self._prepare_transfer_lines(connection, payment, plan, company))
                for payment, plan in zip(payments, plans, strict=True)
            ]
        )
        self.env['ramp.flow.payment']._sync_payments_with_entries(payments, moves)
        payments.write({'state': 'in_process'})  # this posts the entries
        return payments

    def _prepare_transfer_values(self, connection, plan, account):
        inbound = plan.transfer.amount.minor < 0
        direction = 'inbound' if inbound else 'outbound'
        partner = connection.ramp_partner_id
        return {
            'ramp_id': plan.transfer.id,
            'payment_type': direction,
            'partner_type': 'supplier',
            'partner_id': partner.id,
            'company_id': connection.company_id.id,
            'journal_id': plan.journal.id,
            'payment_method_line_id': self.env['ramp.flow.payment']._get_payment_method(plan.journal, direction).id,
            'destination_account_id': (
                account or partner.with_company(connection.company_id).property_account_payable_id
            ).id,
            'amount': abs(self._minor_to_float(plan.transfer.amount.minor, plan.currency)),
            'currency_id': plan.currency.id,
            'date': plan.date,
            'memo': self.env._('Ramp card payment %s', clean_text(plan.transfer.payment_id) or plan.transfer.id[:8]),
            'partner_bank_id': False,
        }

    def _prepare_transfer_lines(self, connection, payment, plan, company):
        """Return the lines of the entry: the amount owed to Ramp, and the bank."""
        rate = self._get_odoo_rate(connection, plan.currency, plan.date, AccountingLookup())
        amount = self._minor_to_float(plan.transfer.amount.minor, plan.currency)
        balance = self._units_to_amount(self._convert_to_company(connection, plan.transfer.amount, rate), company)
        return [
            Command.create(
                {
                    'name': payment.memo,
                    'sequence': number,
                    'date_maturity': payment.date,
                    'partner_id': payment.partner_id.id,
                    'account_id': account.id,
                    'currency_id': plan.currency.id,
                    'amount_currency': sign * amount,
                    'balance': sign * balance,
                    'analytic_distribution': False,
                }
            )
            for number, (account, sign) in enumerate(
                ((payment.destination_account_id, 1), (payment.outstanding_account_id, -1)), 1
            )
        ]

    @staticmethod
    def _get_payable_line(payment):
        return payment.move_id.line_ids.filtered(lambda line: line.account_id == payment.destination_account_id)[:1]
