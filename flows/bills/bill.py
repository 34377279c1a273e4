# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
from datetime import timedelta

from odoo import api, models

from ...ramp_api import Money, PayloadError, RampValidationError, read_bill, scrub_bill
from ..accounting.booking import clean

DEAD = ('REJECTED', 'TERMINATED')
REREAD_PAID = timedelta(days=90)  # so long after it was paid, a returned payment is noticed


@dataclasses.dataclass(frozen=True)
class Link:
    """A bill from before the start date, and what it is in Odoo."""

    ramp_id: str
    move: models.Model


class RampFlowBill(models.AbstractModel):
    """Bills of vendors: a vendor bill each, with its lines, taxes, analytics and files. Their payments are a flow of their own.

    Schema: Bill of GET /bills. A bill goes through Ramp's accounting twice, itself (BILL_SYNC) and its payment
    (BILL_PAYMENT_SYNC); both have the bill's id. Nothing in a bill tells when it changed, so what is booked is looked at again.
    """

    _name = 'ramp.flow.bill'
    _inherit = ['ramp.flow.payable', 'ramp.flow.booking', 'ramp.flow.pull']
    _description = 'Ramp Flow: bills'

    _flow = 'bill'
    _payment_flow = 'bill_payment'
    _flow_sequence = 50
    _events = (
        'bills.approved', 'bills.archived', 'bills.created', 'bills.paid', 'bills.ready_to_sync', 'bills.rejected', 'bills.updated',
        'payments.updated')
    _vague_events = ('payments.updated',)
    _endpoint = '/bills'
    _sync_type = 'BILL_SYNC'
    _synced_at = 'accounting_sync_date'
    _known_by = ('invoice_number', 'memo')
    _quiet_extras = ('payment',)

    @api.model
    def _flow_label(self):
        return self.env._('Bills')

    @api.model
    def _page(self, record):
        return f'/bill-pay/bills/{record.ramp_id}'

    @api.model
    def _enabled(self, connection):
        return connection.pull_bills

    # ------------------------------------------------------------------ what Ramp lists

    def _listings(self, connection):
        ready = [{'sync_ready': 'true'}]
        if connection.bill_policy == 'created':
            ready.append({'sync_status': 'NOT_SYNCED'})
        return [*({**params, **self._scope(connection)} for params in ready),
                {'sync_ready': 'true', 'from_paid_at': f'{connection.start_date}T00:00:00Z', **self._scope_before(connection)}]

    def _reread_listings(self, connection, since):
        # days, as Ramp has them: the moment does not matter
        paid = (self.env.cr.now() - REREAD_PAID).strftime('%Y-%m-%dT00:00:00Z')
        return [{**params, **self._scope(connection)} for params in (
            {'sync_status': 'BILL_SYNCED'}, {'sync_status': 'BILL_AND_PAYMENT_SYNCED', 'from_paid_at': paid}, {'is_archived': 'true'},
            # one whose payment was returned has no such moment any more
            {'sync_status': 'BILL_AND_PAYMENT_SYNCED', 'payment_status': 'OPEN'})] + [
            {'sync_status': 'BILL_AND_PAYMENT_SYNCED', **params, **self._scope_before(connection)} for params in (
                {'from_paid_at': paid}, {'payment_status': 'OPEN'})]

    def _watch_listings(self, connection, since):
        # what somebody exported without this connection; all of it that is still to be paid
        return [{'sync_status': 'BILL_SYNCED', **self._scope(connection)},
                {'sync_status': 'BILL_AND_PAYMENT_SYNCED', **self._scope(connection), 'from_issued_date': max(
                    since, self._scope(connection)['from_issued_date'])}]

    @api.model
    def _scope(self, connection):
        """EXTENDS: bills are dated by days: the first day is that of the start date, in whichever time zone."""
        return {'from_issued_date': f'{connection.start_date}T00:00:00Z', **super()._scope(connection)}

    @api.model
    def _scope_before(self, connection):
        """What of a query leaves the bills that were issued before the start date: those that are paid after it are in Odoo already."""
        last = connection.start_date - timedelta(days=1)
        return {**self.env['ramp.flow.pull']._scope(connection), 'to_issued_date': f'{last}T23:59:59Z'}

    def _is_before(self, connection, value):
        issued = self._day(connection, value.issued_at)
        return bool(issued) and issued < connection.start_date

    def _is_exported_elsewhere(self, connection, row, record):
        """EXTENDS: a bill from before the start date is in the books of whoever exported it, which are Odoo's; its payment is to come."""
        if self._is_early(connection, row) and row['payload'].get('sync_status') == 'BILL_SYNCED' and 'value' in row:
            return False
        return super()._is_exported_elsewhere(connection, row, record)

    def _scrub(self, payload):
        return scrub_bill(payload)

    def _read(self, payload):
        """A payment that cannot be read is its own row's matter: the bill has none then."""
        try:
            return read_bill(payload)
        except PayloadError:
            return read_bill(payload, with_payment=False)

    def _facts(self, value):
        """What is booked of a bill; what it is called, its files and how it is paid are no part of it."""
        return {
            'amount': str(value.amount), 'vendor': value.vendor.id, 'entity': value.entity_id,
            'days': [str(moment) for moment in (value.issued_at, value.accounting_date, value.posting_date)],
            'lines': [[str(line.amount), str(line.quantity), str(line.unit_price), self._chosen(line.selections)] for line in value.lines],
        }

    def _extras(self, value):
        return {
            'files': len(value.invoice_urls), 'number': clean(value.invoice_number), 'memo': value.memo, 'vendor_memo': value.vendor_memo,
            'due': str(value.due_at or ''), 'memos': [line.memo for line in value.lines],
            'payment': self.env['ramp.flow.bill_payment']._announced_payment(value)}

    def _row(self, connection, value):
        return {
            'name': ' '.join(filter(None, (clean(value.vendor.name), clean(value.invoice_number)))) or value.id,
            'date': self._day(connection, value.issued_at), 'money': value.amount, 'parent_ramp_id': value.vendor.id,
            'ramp_entity_id': value.entity_id, 'open_amount': self._open_amount(value),
        }

    @api.model
    def _open_amount(self, value, paid=0):
        """What Ramp says is still to be paid of a bill, Decimal in its currency. paid: in minor units, of one that is paid in part."""
        counts = value.enable_accounting_sync and not value.archived_at and value.approval_status in ('APPROVED', None)
        if value.status == 'PAID' or not counts:
            return Money(0, value.amount.currency).decimal
        return Money(owed(value.amount, value.applied_vendor_credits).minor - paid, value.amount.currency).decimal

    def _is_synced(self, payload):
        return payload.get('sync_status') in ('BILL_SYNCED', 'BILL_AND_PAYMENT_SYNCED')

    def _is_ready(self, payload):
        return (payload.get('sync_status') == 'NOT_SYNCED' and payload.get('approval_status') in ('APPROVED', None)
                and payload.get('enable_accounting_sync') is not False and not payload.get('archived_at'))

    def _is_confirmable(self, value):
        return value.approval_status in ('APPROVED', None)

    def _reference(self, record):
        return f'account.move,{record.res_id}'

    def _sync_item(self, record):
        item = super()._sync_item(record)
        if not self.env.context.get('ramp_memory', {}).get('no_links'):
            item['deep_link_url'] = self._link(self.env['account.move'].browse(record.res_id))
        return item

    def _confirm_batch(self, connection, run, client, key):
        try:
            return super()._confirm_batch(connection, run, client, key)
        except RampValidationError as error:
            memory = self.env.context.get('ramp_memory', {})
            if 'deep_link' not in str(error) or memory.get('no_links'):
                raise
            memory['no_links'] = True  # an address that Ramp takes for none, such as one of an intranet, is worth no bill
        return super()._confirm_batch(connection, run, client, key)

    # ------------------------------------------------------------------ what a page tells besides

    def _stored(self, connection, rows, asked):
        told = {row['ramp_id']: row for row in rows if 'value' in row}
        self.env['ramp.flow.bill_payment']._expect(connection, told, asked)
        self._withdraw(connection, told, {
            ramp_id: self.env._('It was archived in Ramp.') if row['value'].archived_at else self.env._('It was not approved in Ramp.')
            for ramp_id, row in told.items() if row['value'].archived_at or row['value'].approval_status in DEAD})
        approved = self.env['ramp.record'].search([
            ('connection_id', '=', connection.id), ('flow', '=', self._flow), ('state', '=', 'done'), ('sync_key', '=', False),
            ('ramp_id', 'in', [row['ramp_id'] for row in rows if row.get('ready')])])
        if approved:  # booked when they were created; now Ramp wants to hear of them
            approved.sync_key = self._new_sync_key(approved)
        return super()._stored(connection, rows, asked)

    def _notice(self, connection, record, before, value):
        now = self._extras(value)
        if now['files'] > before.get('files', 0):
            self.env['ramp.flow.bill_file']._expect(connection, {record.ramp_id: now['files']})
        self._noticed(record, self._changes(before, now))


def owed(amount, credits):
    """Money of a bill after the vendor credits applied to it."""
    return sum((-credit.amount for credit in credits), Money(amount.minor, amount.currency))
