# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import datetime
from datetime import timedelta

from odoo import api, models

from ...ramp_api import Transaction, read_transaction
from ..accounting.booking import clean_text
from ..accounting.coding import Coding
from .card_merchant import merchant_name

# Receipts and memos that are added up to this long after the sync are noticed.
REREAD_SYNCED = timedelta(days=30)
# A transaction that belongs to the first day in the books may have been bought up to this long before it.
IN_TRANSIT = timedelta(days=90)
# Maximum characters of each part of a label, so that a long memo leaves room for the next parts.
PART_LENGTH = 80


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a transaction. Amounts include the tax that `coding` names.

    - amount: minor units of the transaction's currency
    - balance: units of the company's currency
    """

    coding: Coding
    amount: int
    balance: int
    name: str


@dataclasses.dataclass(frozen=True)
class SpendPlan:
    """The expense and the entry planned for one transaction. Amounts are integers, and spend is positive."""

    transaction: Transaction
    date: datetime.date  # of the expense: the accounting date in the company's time zone
    entry_date: datetime.date  # of the entry: later than `date` if the period was locked
    currency: models.Model
    lines: list  # `Line` each
    balance: int  # of the whole, in units of the company's currency
    employee: models.Model
    partner: models.Model  # empty: the merchant's partner, which is created at posting
    is_merchant: bool  # whether Ramp's merchant id is to be stored with the partner
    label: str
    note: str  # text of both the expense and the entry
    details: str  # further text of the expense


@dataclasses.dataclass(frozen=True)
class BillPlan:
    """The entry planned for a transaction that pays a bill. No entry is created if `entry` stands for it already."""

    transaction: Transaction
    row: models.Model  # row of the bill's payment
    entry: models.Model | None
    values: dict | None = None  # values of the entry to be created


class RampFlowTransaction(models.AbstractModel):
    """Create one company-paid expense and one journal entry for each card transaction.

    The entry debits the account of every line of the transaction and credits the card liability with exactly the
    settled amount. A refund is the mirror image. Schema: Transaction of GET /transactions.
    """

    _name = 'ramp.flow.transaction'
    _inherit = ['ramp.flow.booking', 'ramp.flow.pull']
    _description = 'Ramp Flow: card transactions'

    _flow = 'transaction'
    _business_domain = 'expense'
    _flow_sequence = 10
    _events = (
        'transactions.all_requirements_met_and_approved_changed',
        'transactions.body_coding_updated',
        'transactions.cleared',
        'transactions.ready_to_sync',
        'transactions.receipt_added',
        'transactions.sync_requested',
    )
    _endpoint = '/transactions'
    _sync_type = 'TRANSACTION_SYNC'
    # Ramp filters by the moment of the purchase, but the day in the books decides.
    _from_start_date = True

    @api.model
    def _get_flow_label(self):
        return self.env._('Card transactions')

    @api.model
    def _get_ramp_page_path(self, record):
        return f'/details/transactions/{record.ramp_id}'

    def _get_list_params(self, connection):
        return {
            'sync_status': 'SYNC_READY',
            'from_date': connection._start_moment(IN_TRANSIT),
            'order_by_date_asc': 'true',
            **self._get_entity_scope(connection),
        }

    def _read_payload(self, payload):
        return read_transaction(payload)

    def _get_booking_facts(self, value):
        """Return the facts that the entry is posted from.

        Names of the merchant and the cardholder, memos and files are not part of them.
        """
        return {
            'amount': str(value.amount),
            'state': value.state,
            'user': value.user_id,
            'entity': value.entity_id,
            'merchant': value.merchant_id,
            'day': str(value.accounting_date or value.settlement_date or value.user_transaction_time),
            'lines': [[str(line.amount), self._get_chosen_options(line.selections)] for line in value.lines],
        }

    def _get_late_details(self, value):
        return {
            'receipts': sorted(value.receipts),
            'memo': value.memo,
            'memos': [line.memo for line in value.lines],
            'merchant': clean_text(value.merchant_name),
            'cardholder': value.card_holder_name,
            'original': str(value.original_amount or ''),
        }

    def _get_changed_listings(self, connection, since):
        # Ramp's list has no filter by changes, and `updated_at` is approximate (contract 2026-08-01). So recently synced
        # transactions are read again.
        synced = (self.env.cr.now() - REREAD_SYNCED).strftime('%Y-%m-%dT%H:%M:%SZ')
        return [{'sync_status': 'SYNCED', 'synced_after': synced, **self._get_entity_scope(connection)}]

    def _get_nightly_listings(self, connection, since):
        first = connection._start_moment()
        return [
            {
                'from_date': connection._start_moment(IN_TRANSIT) if since == first else since,
                **self._get_entity_scope(connection),
            }
        ]

    def _log_late_details(self, connection, record, before, value):
        new = [receipt for receipt in value.receipts if receipt not in before.get('receipts', [])]
        self.env['ramp.flow.receipt']._enqueue_files(connection, {record.ramp_id: new})
        self._post_late_messages(record, self._describe_detail_changes(before, self._get_late_details(value)))

    def _get_ledger_columns(self, connection, value):
        return {
            'name': _make_transaction_label(value),
            'date': self._get_transaction_date(connection, value),
            'money': value.amount,
            'parent_ramp_id': value.original_transaction_id,
            'ramp_entity_id': value.entity_id,
            'has_moved': value.state == 'CLEARED',
        }

    def _get_transaction_date(self, connection, value):
        """Return the day in the books, in the company's time zone.

        It is Ramp's accounting date, else the day of settlement, else the day of purchase.
        """
        return self._get_booking_day(
            connection, value.accounting_date, value.settlement_date, value.user_transaction_time
        )

    # ------------------------------------------------------------------ cardholders

    def _fetch_before_booking(self, connection, client, ramp_ids):
        """Link unknown cardholders to employees by login or work email.

        A transaction has only the Ramp user id.
        """
        self.env.cr.execute(
            """
            SELECT DISTINCT lower(payload #>> '{card_holder,user_id}') FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND ramp_id = ANY(%s) AND res_id IS NULL
            """,
            (connection.id, self._flow, ramp_ids),
        )
        users = {row[0] for row in self.env.cr.fetchall() if row[0]}
        known = self._find_employees(connection, users)
        self.env.cr.rollback()
        unknown = users - set(known)
        if unknown:
            self._transaction(self.env['hr.employee']._ramp_link, connection, self._fetch_ramp_users(client), unknown)


def _make_transaction_label(value):
    """Return what a person reads first: the merchant, its name on the statement, the memo or the id."""
    return merchant_name(value) or clean_text(value.memo) or value.id
