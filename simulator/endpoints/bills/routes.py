"""The routes and filters of /bills, and its two sync types."""

from decimal import Decimal

from werkzeug.wrappers import Response

from ... import files, money
from ...errors import RampError
from ...listing import (
    Filter,
    answer_list_page,
    filter_by_value,
    filter_from_time,
    filter_until_time,
    make_choice_parser,
    parse_bool,
    parse_decimal,
    parse_uuid,
    read_query_parameter,
)
from ...payables import filter_by_flag, is_coded_with, make_list_parser, parse_day, remove_empty_fields
from ...routes import route
from ...state import select_wire_fields
from .. import syncs, vendors
from .filters import SHARED_FILTERS
from .making import archive_bill
from .standing import CARD_METHODS, find_shown_payment

STATUSES = ('BILL_AND_PAYMENT_SYNCED', 'BILL_SYNCED', 'NOT_SYNCED')
APPROVAL_STATUSES = ('APPROVED', 'INITIALIZED', 'PENDING', 'REJECTED', 'TERMINATED')
FILTERED_METHODS = (
    'ACH',
    'CARD',
    'CHECK',
    'CRYPTO_WALLET_TRANSFER',
    'DOMESTIC_WIRE',
    'INTERNATIONAL',
    'LOCAL_BANK_TRANSFER',
    'ONE_TIME_CARD',
    'ONE_TIME_CARD_DELIVERY',
    'PAID_MANUALLY',
    'SWIFT',
)
STATUS_SUMMARIES = (
    'APPROVAL_PENDING',
    'APPROVAL_REJECTED',
    'ARCHIVED',
    'AWAITING_RELEASE',
    'BLOCKED',
    'HELD_BY_PROVIDER',
    'ON_HOLD',
    'PAYMENT_COMPLETED',
    'PAYMENT_DETAILS_MISSING',
    'PAYMENT_ERROR',
    'PAYMENT_NOT_INSTRUCTED',
    'PAYMENT_PROCESSING',
    'PAYMENT_READY',
    'PAYMENT_SCHEDULED',
    'PENDING_VENDOR_APPROVAL',
    'WAITING_FOR_TRANSACTION_MATCH',
    'WAITING_FOR_VENDOR',
)
# Left out where empty: the contract does not allow null here. Its own example has null; see `nulls` of `make_bill`.
OPTIONAL = (
    'deep_link_url',
    'invoice_number',
    'memo',
    'paid_at',
    'posting_date',
    'purchase_order_id',
    'remote_id',
    'vendor_memo',
)


def _read_payment_field(row, name):
    return (row['payment'] or {}).get(name)


def _filter_by_payment_date(compare):
    """Return a filter by payment date. It never matches card payments (contract 2026-08-01)."""

    def compare_payment_date(row, value):
        at = _read_payment_field(row, 'payment_date')
        return bool(at) and row['payment']['payment_method'] not in CARD_METHODS and compare(at[:10], value)

    return Filter(parse_day, compare_payment_date)


def _filter_by_amount(compare):
    """Return a filter by amount in major units. The contract does not name the unit (contract 2026-08-01)."""
    return Filter(
        parse_decimal,
        lambda row, value: compare(
            Decimal(row['_money']['amount_minor']) / money.minor_per_major(row['_money']['currency']), value
        ),
    )


FILTERS = {
    **SHARED_FILTERS,
    'customer_friendly_payment_id': Filter(
        str, lambda row, value: _read_payment_field(row, 'customer_friendly_payment_id') == value
    ),
    'draft_bill_id': filter_by_value('draft_bill_id'),
    'accounting_field_selection_id': Filter(
        parse_uuid, lambda row, value: is_coded_with(row, value, 'line_items', 'inventory_line_items')
    ),
    'status_summaries': Filter(
        make_list_parser(make_choice_parser(*STATUS_SUMMARIES)), lambda row, values: row['status_summary'] in values
    ),
    'payment_id': Filter(parse_uuid, lambda row, value: _read_payment_field(row, 'id') == value),
    'is_accounting_sync_enabled': filter_by_value('enable_accounting_sync', parse_bool),
    'approval_status': filter_by_value('approval_status', make_choice_parser(*APPROVAL_STATUSES)),
    'payment_method': Filter(
        make_choice_parser(*FILTERED_METHODS), lambda row, value: _read_payment_field(row, 'payment_method') == value
    ),
    'payment_status': filter_by_value('status', make_choice_parser('OPEN', 'PAID')),
    'sync_ready': filter_by_flag(
        lambda row: 'ready' in (BILL_TARGET.read_sync_state(row), PAYMENT_TARGET.read_sync_state(row))
    ),
    'payment_details_missing': filter_by_flag(lambda row: row['status_summary'] == 'PAYMENT_DETAILS_MISSING'),
    'from_paid_at': filter_from_time('paid_at'),
    'to_paid_at': filter_until_time('paid_at'),
    'from_payment_date': _filter_by_payment_date(lambda at, value: at >= value),
    'to_payment_date': _filter_by_payment_date(lambda at, value: at <= value),
    'min_amount': _filter_by_amount(lambda amount, value: amount >= value),
    'max_amount': _filter_by_amount(lambda amount, value: amount <= value),
}


# -- syncs


class _BillTarget(syncs.SyncTarget):
    """The bill itself. A synced bill has a link into the books if the client gave one."""

    done_as = ('BILL_SYNCED', 'BILL_AND_PAYMENT_SYNCED')

    def read_sync_state(self, row):
        if row['sync_status'] in self.done_as:
            return 'done'
        if row['archived_at']:
            return 'ARCHIVED'
        if row['approval_status'] != 'APPROVED':
            return row['approval_status'] or 'NOT_APPROVED'
        if not row['enable_accounting_sync']:
            return 'SYNC_DISABLED'
        if row['_lacking']:
            return 'FIELDS_MISSING'
        return self.read_payment_readiness(row)

    def read_payment_readiness(self, row):
        return 'ready'

    def accept_sync_outcome(self, state, row, item):
        values = {'deep_link_url': item['deep_link_url']} if item.get('deep_link_url') else {}
        status = self.done_as[-1] if row['sync_status'] == 'BILL_AND_PAYMENT_SYNCED' else self.done_as[0]
        state['bills'].update_row(row['id'], sync_status=status, _synced_at=state.read_time(), **values)


class _PaymentTarget(_BillTarget):
    """The payment of a bill that is synced and fully paid."""

    done_as = ('BILL_AND_PAYMENT_SYNCED',)

    def read_payment_readiness(self, row):
        return 'ready' if row['sync_status'] == 'BILL_SYNCED' and row['status'] == 'PAID' else row['status']


BILL_TARGET = syncs.TARGETS['BILL_SYNC'] = _BillTarget('bills')
PAYMENT_TARGET = syncs.TARGETS['BILL_PAYMENT_SYNC'] = _PaymentTarget('bills')


# -- routes


@route('GET', '/bills', scope='bills:read')
def list_bills(call):
    archived = read_query_parameter(call, 'is_archived', parse_bool, False)
    status = read_query_parameter(call, 'sync_status', make_choice_parser(*STATUSES))
    vendor = read_query_parameter(call, 'vendor_id', parse_uuid)
    rows = None
    if vendor:
        rows = [row for row in call.state['bills'].list_named_rows(vendor) if status in (None, row['sync_status'])]

    def is_bill_listed(row):
        return bool(row['archived_at']) == archived and vendor in (None, row['vendor']['id'])

    return answer_list_page(
        call, 'bills', FILTERS, is_bill_listed, bucket=status, render=make_bill_renderer(call), among=rows
    )


@route('GET', '/bills/{bill_id}', scope='bills:read')
def get_bill(call):
    return make_bill_renderer(call, with_trace=True)(call.find_path_row('bills', 'bill_id'))


@route('DELETE', '/bills/{bill_id}', scope='bills:write', bill_pay=True)
def delete_bill(call):
    row = call.find_path_row('bills', 'bill_id')
    if row['archived_at']:
        raise RampError(400, 'DEVELOPER_7001', 'The bill is archived already')
    try:
        archive_bill(call.state, row['id'])
    except ValueError as error:
        raise RampError(400, 'DEVELOPER_7001', str(error)) from None
    return None, 204


@route('GET', '/bills/{bill_id}/remittance-receipt', scope='bills:read')
def get_remittance_receipt(call):
    row = call.find_path_row('bills', 'bill_id')
    if row['status'] != 'PAID':
        raise RampError(400, 'DEVELOPER_7001', 'The bill is not paid')
    text = [f'Remittance for {row["invoice_number"] or row["id"]}', f'Payment {_read_payment_field(row, "id")}']
    return Response(
        files.build_file_content({'id': row['id'], '_kind': 'pdf', '_text': text})[1], content_type='application/pdf'
    )


def make_bill_renderer(call, with_trace=False):
    """Return a function that renders a bill's row as Ramp answers it. Only the detail has the trace id."""
    state = call.state

    def render_detailed_bill(row):
        body = select_wire_fields(row) if row['_nulls'] else remove_empty_fields(select_wire_fields(row), OPTIONAL)
        body['vendor'] = vendors.build_bill_vendor(state, row['vendor']['id'], row['vendor'])
        body['invoice_urls'] = [
            files.build_signed_url(call, state['invoices'].rows[ident], 'invoices') for ident in row['_invoices']
        ]
        shown = find_shown_payment(row)
        if with_trace and shown and shown['trace']:
            body['payment'] = {**body['payment'], 'trace_id': shown['trace']}
        return body

    return render_detailed_bill
