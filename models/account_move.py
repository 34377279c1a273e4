# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import datetime

from odoo import api, fields, models
from odoo.tools import SQL

# Payment states of documents that can still be paid
OPEN_PAYMENT_STATES = ('not_paid', 'partial')
# Flows whose documents Ramp may pay
PAID_BY_RAMP = ('bill', 'reimbursement')


class AccountMove(models.Model):
    _name = 'account.move'
    _inherit = ['account.move', 'ramp.document']

    _ramp_id_once = models.UniqueIndex(
        '(ramp_id) WHERE ramp_id IS NOT NULL', 'This Ramp object already has a journal entry.'
    )

    ramp_payment = fields.Char(
        string='Payment by Ramp',
        compute='_compute_ramp_payment',
        search='_search_ramp_payment',
        compute_sudo=True,
        groups='base.group_user',
        help="The status of Ramp's payment of a bill that is open here.",
    )

    @api.depends('ramp_id', 'state', 'payment_state')
    @api.depends_context('lang')
    def _compute_ramp_payment(self):
        bills = self._origin.filtered(
            lambda move: move.ramp_id and move.state != 'cancel' and move.payment_state in OPEN_PAYMENT_STATES
        )
        # sudo: see ramp.document
        records = (
            {
                record.res_id: record
                for record in self.env['ramp.record']
                .sudo()
                .search_fetch(
                    [('res_model', '=', self._name), ('res_id', 'in', bills.ids), ('flow', 'in', PAID_BY_RAMP)],
                    ['res_id', 'flow', 'connection_id', 'noted'],
                )
            }
            if bills
            else {}
        )
        for move in self:
            record = records.get(move._origin.id)
            state, moment = record and (record._read_note().extras or {}).get('payment') or (None, None)
            day = moment and self.env['ramp.flow.booking']._get_booking_day(
                record.connection_id, datetime.datetime.fromisoformat(moment)
            )
            move.ramp_payment = state and self._ramp_payment_in_words(state, day)

    @api.model
    def _ramp_payment_in_words(self, state, day):
        """Return the payment by Ramp as a sentence.

        :param state: state that the flow's `_get_announced_payment` returned
        :param day: accounting date of a scheduled payment, or None
        """
        if state == 'scheduled' and day:
            return self.env._('Ramp pays it: scheduled for %s.', day)
        return {
            'failed': self.env._('Ramp tried to pay it, but the payment failed. Ramp may try again.'),
            'paid': self.env._('Ramp has paid it. The payment is not posted here yet, or not reconciled.'),
            'planned': self.env._('Ramp will pay it. The payment is not scheduled yet.'),
            'scheduled': self.env._('Ramp pays it: scheduled.'),
            'stopped': self.env._('Ramp will pay it. It is on hold or blocked there.'),
            'under_way': self.env._('Ramp pays it: the payment is on its way.'),
        }[state]

    def _get_alerts(self):
        """EXTENDS: Warn against paying in Odoo what Ramp pays."""
        alerts = super()._get_alerts()
        # sudo: portal users call this too; the alert below is not shown to them
        payment = self.sudo().ramp_payment
        if payment and self.env.user._is_internal():
            alerts['ramp_payment'] = {
                'level': 'info',
                'message': self.env._('%s Pay it in Odoo only if Ramp does not.', payment),
            }
        return alerts

    @api.model
    def _search_ramp_payment(self, operator, value):
        """Return a domain that tells only whether there is a payment by Ramp.

        :raise AccessError: for portal users; core checks access only to fields that it searches itself
        """
        self._check_field_access(self._fields['ramp_payment'], 'read')
        if operator != 'in' or set(value) != {False}:
            return NotImplemented
        self.flush_model(['ramp_id', 'state', 'payment_state'])
        self.env['ramp.record'].flush_model(['res_model', 'res_id', 'flow', 'noted'])
        return [
            (
                'id',
                'not in',
                SQL(
                    """(
            SELECT m.id FROM account_move m
              JOIN ramp_record r ON r.res_model = 'account.move' AND r.res_id = m.id AND r.flow = ANY(%s)
             WHERE m.ramp_id IS NOT NULL AND m.state <> 'cancel' AND m.payment_state = ANY(%s)
               AND r.noted #>> '{extras,payment}' IS NOT NULL)
            """,
                    list(PAID_BY_RAMP),
                    list(OPEN_PAYMENT_STATES),
                ),
            )
        ]

    def _compute_payment_state(self):
        """EXTENDS: Show a bill from Ramp as paid when vendor credits cover it.

        Core shows a bill as reversed as soon as refunds cover its amount, whichever bill they belong to. A bill from
        Ramp is reversed only if it has a reversal entry of its own.
        """
        result = super()._compute_payment_state()
        for move in self:
            # sudo: for portal users, too
            if (
                move.payment_state == 'reversed'
                and move.is_purchase_document()
                and move.sudo().ramp_id
                and not move.reversal_move_ids
            ):
                move.payment_state = 'paid'
        return result

    def _compute_ramp_state(self):  # pylint: disable=missing-return
        """EXTENDS: Add to a bill's state the reason why its payment is not posted."""
        super()._compute_ramp_state()
        bills = self.filtered(lambda move: move.ramp_id and move.is_purchase_document())
        # sudo: see ramp.document
        troubled = (
            {
                record.ramp_id: record
                for record in self.env['ramp.record']
                .sudo()
                .search_fetch(
                    [
                        ('ramp_id', 'in', bills.mapped('ramp_id')),
                        ('flow', 'in', ('bill_payment', 'reimbursement_payment')),
                        ('company_id', 'in', bills.company_id.ids),
                        ('state', 'in', ('held', 'error')),
                    ],
                    ['ramp_id', 'state', 'error_message', 'remote_id'],
                )
            }
            if bills
            else {}
        )
        for bill in bills.filtered(lambda move: move.ramp_id in troubled):
            bill.ramp_state = self.env._(
                '%(bill)s. Its payment: %(payment)s',
                bill=bill.ramp_state,
                payment=troubled[bill.ramp_id]._status_with_reason(),
            )

    def _post(self, soft=True):
        """EXTENDS: Call the job of card statements when a person posts a charge that was left as a draft."""
        posted = super()._post(soft)
        # The jobs are superusers. They call it at the end of their run.
        charges = (
            self.browse()
            if self.env.su
            # sudo: who may post an entry may not be able to see its Ramp id
            else posted.filtered(lambda move: move.move_type == 'entry' and move.sudo().ramp_id)
        )
        if charges:
            # sudo: see ramp.document
            rows = (
                self.env['ramp.record']
                .sudo()
                .search_fetch(
                    [('flow', '=', 'transaction'), ('res_model', '=', self._name), ('res_id', 'in', charges.ids)],
                    ['connection_id'],
                )
            )
            self.env['ramp.flow.transaction']._call_statement_job(rows.connection_id)
        return posted

    def _get_accounting_date(self, invoice_date, has_tax, lock_dates=None):
        """EXTENDS: Reverse what core posted for a payment on the day on which the payment came back, or later."""
        day = self.env.context.get('ramp_unreconciled_on')
        if not day or day <= invoice_date:
            return super()._get_accounting_date(invoice_date, has_tax, lock_dates)
        locks = self._get_violated_lock_dates(day, has_tax)
        return locks[-1][0] + datetime.timedelta(days=1) if locks else day

    def _get_next_sequence_format(self):
        """EXTENDS: Read the last number of a journal and month once for each batch instead of once for each entry.

        Once `_locked_increment` holds the sequence, it counts by itself; only the query for the last number was
        repeated. The results live in the context of one batch, never longer than its transaction.
        """
        memory = self.env.context.get('ramp_one_sequence')
        if memory is None:
            return super()._get_next_sequence_format()
        # A fiscal year may end within a month. This range then ends, too.
        first_day = self._get_sequence_date_range('year_range_month')[0]
        key = (self.journal_id.id, self.move_type, bool(self.origin_payment_id), first_day)
        if key not in memory:
            memory[key] = super()._get_next_sequence_format()
        format_string, values = memory[key]
        # The caller removes values from the dictionary
        return format_string, dict(values)

    def _get_invoice_in_payment_state(self):
        """EXTENDS: Show a bill from Ramp as "In Payment" until the bank line is matched, on Community, too.

        Other invoices keep the state that the edition gives them.
        """
        # sudo: for portal users, too
        if len(self) == 1 and self.is_purchase_document(include_receipts=True) and self.sudo().ramp_id:
            return 'in_payment'
        return super()._get_invoice_in_payment_state()

    def _compute_commercial_partner_id(self):
        """EXTENDS: Owe a reimbursement to the employee, even if the contact is below the company's own contact.

        Without this, the company would owe the reimbursement to itself.
        """
        result = super()._compute_commercial_partner_id()
        for move in self:
            own = move.company_id.partner_id
            if move.commercial_partner_id == own != move.partner_id and (
                move.ramp_id or move.reversed_entry_id.commercial_partner_id == move.partner_id
            ):
                move.commercial_partner_id = move.partner_id
        return result

    def _compute_needed_terms(self):
        """EXTENDS: Leave out entries from Ramp, which have all their lines already.

        For each of them, core would look for the account that settles company-paid expenses. It would create that
        account if the chart has none, and refuse the entry if the account is archived.
        """
        entries = self.filtered(lambda move: move.move_type == 'entry' and move.ramp_id)
        entries.needed_terms = {}
        entries.needed_terms_dirty = True
        return super(AccountMove, self - entries)._compute_needed_terms()
