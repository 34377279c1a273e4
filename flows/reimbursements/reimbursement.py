# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
from datetime import timedelta
from decimal import Decimal

from odoo import api, models

from ...ramp_api import REIMBURSEMENT_PAID_STATES, read_reimbursement
from ..accounting.booking import clean_text
from ..engine.pull import LOST_PER_RUN

DIRECTIONS = ('BUSINESS_TO_USER', 'USER_TO_BUSINESS')  # Ramp lists each direction separately
DEAD = frozenset({'CANCELED', 'DELETED', 'REJECTED'})
UNAPPROVED = frozenset({'DRAFT', 'INIT', 'PENDING'})
# Clocks differ, and Ramp may list a change with a delay.
REREAD_OVERLAP = timedelta(minutes=15)
# State of the payment by Ramp; see `account.move`. In any other state, Ramp pays nothing.
ANNOUNCED_STATES = {
    **dict.fromkeys(('APPROVED', 'AWAITING_PAYMENT', 'AWAITING_PUSH_PAYMENT', 'MISSING_ACH'), 'planned'),
    **dict.fromkeys(('PROCESSING', 'PUSH_PAYMENT_INITIATED'), 'under_way'),
    **dict.fromkeys(('FAILED_REIMBURSEMENT', 'PUSH_PAYMENT_FAILED'), 'failed'),
    **dict.fromkeys(('REIMBURSED', 'REIMBURSED_VIA_PUSH'), 'paid'),
}
# Maximum characters of a line's own text, so that the details after it are never cut off.
TEXT_LENGTH = 150


class RampFlowReimbursement(models.AbstractModel):
    """Create one vendor bill to the employee's contact for each reimbursement.

    If the employee owes the company, a refund is created instead. Payments are a separate flow.

    Schema: Reimbursement of GET /reimbursements, which lists one direction at a time. Amounts are unsigned. Lines are
    in the currency that was spent; `amount` is what the entity pays.
    """

    _name = 'ramp.flow.reimbursement'
    _inherit = ['ramp.flow.payable', 'ramp.flow.booking', 'ramp.flow.pull']
    _description = 'Ramp Flow: reimbursements'

    _flow = 'reimbursement'
    _journal_field = 'reimbursement_journal_id'
    _payment_flow = 'reimbursement_payment'
    _flow_sequence = 70
    _events = (
        'reimbursements.batch_payment_reimbursed',
        'reimbursements.ready_to_sync',
        'reimbursements.sync_requested',
    )
    _vague_events = ('reimbursements.batch_payment_reimbursed',)
    _endpoint = '/reimbursements'
    _sync_type = 'REIMBURSEMENT_SYNC'
    _known_by = ('merchant', 'memo', 'user_full_name')
    _quiet_extras = ('payment',)

    @api.model
    def _get_flow_label(self):
        return self.env._('Reimbursements')

    @api.model
    def _get_ramp_page_path(self, record):
        return f'/details/reimbursements/{record.ramp_id}'

    @api.model
    def _is_enabled_for(self, connection):
        return connection.pull_reimbursements

    # ------------------------------------------------------------------ lists of Ramp

    def _get_ready_listings(self, connection):
        return self._list_both_directions(connection, sync_status='SYNC_READY', from_date=connection._start_moment())

    def _get_changed_listings(self, connection, since):
        # Read them with any sync status: a withdrawn reimbursement need not stay SYNCED.
        after = (since - REREAD_OVERLAP).strftime('%Y-%m-%dT%H:%M:%SZ') if since else connection._start_moment()
        return self._list_both_directions(connection, updated_after=after)

    def _get_nightly_listings(self, connection, since):
        # Reimbursements that somebody exported without this connection.
        return self._list_both_directions(connection, sync_status='SYNCED', from_date=since)

    def _list_both_directions(self, connection, **params):
        return [{'direction': direction, **params, **self._get_entity_scope(connection)} for direction in DIRECTIONS]

    def _refresh_booked_objects(self, connection, run, client, place):
        if not place:
            # Ramp reports a change only once. A person may have cleared the way since, if a document could not
            # be undone then.
            held = (
                self.env['ramp.record']
                .search(
                    [
                        ('connection_id', '=', connection.id),
                        ('flow', '=', self._flow),
                        ('state', '=', 'held'),
                        ('hold_reason', '=', 'question'),
                        ('res_id', '!=', False),
                    ],
                    limit=LOST_PER_RUN,
                )
                .mapped('ramp_id')
            )
            self._refresh_named_objects(connection, run, client, held)
        return super()._refresh_booked_objects(connection, run, client, place)

    def _read_payload(self, payload):
        return read_reimbursement(payload)

    def _get_booking_facts(self, value):
        """Return the facts that the bill is posted from.

        Names, files and the way it is paid are not part of them.
        """
        return {
            'amount': str(value.amount),
            'direction': value.direction,
            'user': value.user_id,
            'entity': value.entity_id,
            'days': [str(value.transaction_date), str(value.accounting_date)],
            'lines': [[str(line.amount), self._get_chosen_options(line.selections)] for line in value.lines],
        }

    def _get_late_details(self, value):
        return {
            'receipts': sorted(value.receipts),
            'memo': value.memo,
            'memos': [line.memo for line in value.lines],
            'payee': self._get_payee_name(value),
            'payment': self._get_announced_payment(value),
        }

    @staticmethod
    def _get_announced_payment(value):
        """Return the state of the payment by Ramp as [state, None]; None if Ramp pays nothing of it.

        The second item is the moment, which a reimbursement does not have.
        """
        state = ANNOUNCED_STATES.get(value.state) if value.direction == 'BUSINESS_TO_USER' else None
        return state and [state, None]

    @staticmethod
    def _get_payee_name(value):
        """Return the amount that the employee receives, as text; empty if it is in the entity's currency."""
        payee = value.payee_amount
        return str(payee) if payee and value.amount and payee.currency != value.amount.currency else ''

    def _get_ledger_columns(self, connection, value):
        return {
            'name': ': '.join(
                filter(
                    None,
                    (
                        clean_text(value.user_full_name) or clean_text(value.user_email),
                        self._make_reimbursement_label(value),
                    ),
                )
            ),
            'date': self._get_spending_day(connection, value),
            'money': self._get_signed_amount(value),
            'ramp_entity_id': value.entity_id,
            'open_amount': self._get_open_amount(connection, value),
        }

    def _get_open_amount(self, connection, value):
        """Return the amount still to be paid of a reimbursement that is to be posted, as a Decimal in its currency."""
        if not value.amount:
            return None
        is_open = (
            connection.reimbursement_policy == 'ready'
            and value.sync_status in ('SYNC_READY', 'SYNCED')
            and (value.state not in (*REIMBURSEMENT_PAID_STATES, *DEAD))
        )
        return self._get_signed_amount(value).decimal_amount if is_open else Decimal(0)

    @staticmethod
    def _get_signed_amount(value):
        """Return what the company spends, as Money. It is negative if the employee pays."""
        return value.amount and (value.amount if value.direction == 'BUSINESS_TO_USER' else -value.amount)

    def _get_spending_day(self, connection, value):
        return self._get_booking_day(
            connection, value.transaction_date, value.accounting_date, value.submitted_at, value.created_at
        )

    # ------------------------------------------------------------------ effects of a stored page

    def _on_rows_stored(self, connection, rows, asked):
        told = {row['ramp_id']: row for row in rows if 'value' in row}
        self.env['ramp.flow.reimbursement_payment']._upsert_payment_rows(connection, told, asked)
        self._reverse_withdrawn_objects(
            connection,
            told,
            {
                ramp_id: self._describe_ramp_state(row['value'].state)
                for ramp_id, row in told.items()
                if row['value'].state in DEAD
            },
        )
        return super()._on_rows_stored(connection, rows, asked)

    def _log_late_details(self, connection, record, before, value):
        now = self._get_late_details(value)
        new = [receipt for receipt in value.receipts if receipt not in before.get('receipts', [])]
        self.env['ramp.flow.receipt']._enqueue_files(connection, {record.ramp_id: new})
        texts = self._describe_detail_changes(before, now)
        if now['payee'] != before.get('payee', ''):
            texts.append(self.env._('The employee receives %s.', now['payee'] or value.amount))
        self._post_late_messages(record, texts)

    # ------------------------------------------------------------------ texts for people

    def _make_reimbursement_label(self, value):
        """Return in a few words what the money was spent on."""
        known = {'MILEAGE': self.env._('Mileage'), 'PER_DIEM': self.env._('Per diem')}.get(value.type)
        return known or (clean_text(value.merchant) or clean_text(value.memo) or self.env._('Reimbursement'))[:60]

    def _make_line_name(self, value, line, spent):
        """Return the label of a line, which a person understands without opening Ramp.

        It has the merchant and memo, or the route driven, and the amount spent if that is in another currency.
        """
        memo = clean_text(line.memo) or clean_text(value.memo)
        if value.type == 'MILEAGE':
            distance = value.distance is not None and self.env._('%s mi', f'{value.distance.normalize():f}')
            way = ' - '.join(
                filter(None, map(clean_text, (value.start_location, *value.waypoints, value.end_location)))
            )
            what = ', '.join(filter(None, (distance, way)))
            name = self.env._('Mileage: %s', what) if what else self.env._('Mileage')
            name = f'{name[:TEXT_LENGTH]}; {memo}' if memo else name
        elif value.type == 'PER_DIEM':
            name = self.env._('Per diem: %s', memo or spent)
        else:
            name = ': '.join(filter(None, (clean_text(value.merchant), memo))) or self.env._('Reimbursement')
        spend = line.original_amount
        return (
            f'{name[:TEXT_LENGTH]} ({spend})'
            if spend and spend.currency != line.amount.currency
            else name[:TEXT_LENGTH]
        )

    def _make_reimbursement_note(self, value):
        """Return the note on the whole bill; False if there is nothing to say."""
        names = ', '.join(filter(None, (clean_text(name) for name, _user in value.attendees)))
        payee = self._get_payee_name(value)
        return (
            '\n'.join(
                filter(
                    None,
                    (
                        clean_text(value.memo),
                        clean_text(value.merchant),
                        names and self.env._('Attendees: %s', names),
                        payee and self.env._('The employee receives %s.', payee),
                    ),
                )
            )
            or False
        )

    # ------------------------------------------------------------------ posting

    def _book_plans(self, connection, plans):
        documents = self._add_payee_contacts(connection, plans)
        moves = self._book_documents(connection, documents, connection.reimbursement_post == 'post')
        booked = {document.ramp_id: move for document, move in zip(documents, moves, strict=True)}
        self.env['ramp.flow.receipt']._enqueue_files(
            connection, {value.id: value.receipts for _document, _employee, value in plans}, booked
        )
        self.env['ramp.flow.reimbursement_payment']._on_documents_booked(connection, booked)
        return moves

    def _add_payee_contacts(self, connection, plans):
        """Return the documents with the contacts of their employees, and the account on which employees are owed.

        The employees are linked to their Ramp users.
        """
        people = self.env['hr.employee'].union(*(employee for _document, employee, _value in plans))
        self._get_employee_contacts(people)
        users = {employee: value.user_id for _document, employee, value in plans if not employee.ramp_user_id}
        for employee, user_id in users.items():
            employee.ramp_user_id = user_id
        owed = {'payable': connection.reimbursement_account_id}
        return [
            dataclasses.replace(document, partner=employee.work_contact_id, **owed)
            for document, employee, _value in plans
        ]
