# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import time
from collections import defaultdict
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_date

from ..models.ramp_connection_reach import PATIENCE
from ..ramp_api import MemoryTokenStore, PayloadError, RampError

# Pages that are read of one list, with up to 100 objects each: a person waits
MOST_PAGES = 10
LOCK_FIELDS = ('fiscalyear_lock_date', 'purchase_lock_date', 'tax_lock_date', 'hard_lock_date')
# Flows that are counted, with the switches that they need, and the lists of what Ramp shows as synced
COUNTED = (('transaction', None), ('bill', 'pull_bills'), ('reimbursement', 'pull_reimbursements'))


class RampSetup(models.TransientModel):
    """The start date: what it would bring, and what the books have around it."""

    _inherit = 'ramp.setup'

    counts = fields.Json(readonly=True, help='What Ramp has since a date, by month: see `_count_objects`.')
    counts_page = fields.Html(compute='_compute_counts_page', sanitize=False)
    counted_from = fields.Date(readonly=True)
    lock_text = fields.Char(string='Lock Dates', compute='_compute_start_facts')
    first_entry_date = fields.Date(string='First Entry in the Books', compute='_compute_start_facts')
    opening_text = fields.Char(string='Opening Balances', compute='_compute_start_facts')
    start_warning = fields.Text(compute='_compute_start_facts')

    # ------------------------------------------------------------------ what the books have

    @api.depends('company_id', 'start_date', 'lock_date_policy')
    @api.depends_context('lang')
    def _compute_start_facts(self):
        for setup in self:
            company = setup.company_id
            locks = setup._get_lock_days()
            setup.lock_text = ', '.join(
                f'{company._fields[name]._description_string(self.env)}: {format_date(self.env, day)}'
                for name, day in locks.items()
            ) or self.env._('None')
            first = self.env['account.move'].search(
                [('company_id', '=', company.id), ('state', '=', 'posted')], order='date', limit=1
            )
            setup.first_entry_date = first.date
            opening = company.account_opening_move_id
            setup.opening_text = (
                self.env._('Posted on %s', format_date(self.env, opening.date))
                if opening.state == 'posted'
                else self.env._('None were posted with the chart of accounts')
            )
            setup.start_warning = setup._describe_locked_start()

    def _get_lock_days(self):
        """Return {name of a lock date: day} of those that the company has."""
        return {name: self.company_id[name] for name in LOCK_FIELDS if self.company_id[name]}

    def _describe_locked_start(self):
        """Return a sentence that says what happens to spend of locked periods, or False."""
        last = max(self._get_lock_days().values(), default=None)
        if not (last and self.start_date and self.start_date <= last):
            return False
        if self.lock_date_policy == 'hold':
            return self.env._(
                'Entries up to %s are locked. Objects of that time would be put on hold. Choose a later Start Date, or '
                'let them be posted on the first open day.',
                format_date(self.env, last),
            )
        return self.env._(
            'Entries up to %s are locked. Objects of that time would be posted on the first open day.',
            format_date(self.env, last),
        )

    # ------------------------------------------------------------------ what Ramp has

    def _enter_start(self):
        last = max(self._get_lock_days().values(), default=None)
        if last and not self.counted_from and self.start_date and self.start_date <= last:
            self.start_date = last + timedelta(days=1)
        self._count_objects()

    def action_count_again(self):
        """Count again what Ramp has since the start date."""
        self.ensure_one()
        self._check_may_set_up()
        self._check_start_date()
        self._count_objects()
        return True

    def _check_start_date(self):
        if not self.start_date:
            raise UserError(self.env._('Enter the Start Date. Earlier spend is left alone.'))

    def _count_objects(self):
        """Count what is ready in Ramp since the start date, and what Ramp shows as synced. Ramp is only read.

        `counts` has `ready`: a list of month, flow, currency, count and amount; `synced`: a list of flow and count;
        `cut` and `cut_synced`: flows with more objects than were read; `unread`: number of objects that cannot be read;
        `troubles`: {flow: what Ramp said}
        """
        self._check_start_date()
        connection = self._draft_connection()
        found = {'ready': [], 'synced': [], 'cut': [], 'cut_synced': [], 'unread': 0, 'troubles': {}}
        client = connection._new_client(
            token_store=MemoryTokenStore(), read_only=True, deadline=time.monotonic() + PATIENCE
        )
        try:
            for name, switch in COUNTED:
                if switch and not self[switch]:
                    continue
                try:
                    self._count_flow(connection, client, name, found)
                except (RampError, PayloadError) as error:
                    found['troubles'][name] = str(error)
        finally:
            client.close_connections()
        self.write({'counts': found, 'counted_from': self.start_date})

    def _count_flow(self, connection, client, name, found):
        flow = self.env[f'ramp.flow.{name}']
        sums = defaultdict(lambda: [0, 0.0])
        try:
            rows, is_cut = self._read_rows(flow, connection, client, flow._get_ready_listings(connection), found)
            for row in rows.values():
                money = row['money']
                total = sums[f'{row["date"]:%Y-%m}', money.currency]
                total[0] += 1
                total[1] += float(money.decimal_amount)
        finally:
            # What was read before an error counts, too
            found['ready'] += [
                {'month': month, 'flow': name, 'currency': currency, 'count': count, 'amount': round(amount, 6)}
                for (month, currency), (count, amount) in sorted(sums.items())
            ]
        if is_cut:
            found['cut'].append(name)
        rows, is_cut = self._read_rows(flow, connection, client, self._get_synced_listings(connection, flow), found)
        own = self._find_own_ids(connection, name, rows)
        if count := len(rows.keys() - own):
            found['synced'].append({'flow': name, 'count': count})
            if is_cut:
                found['cut_synced'].append(name)

    def _get_synced_listings(self, connection, flow):
        """Return the query parameters of the lists of what Ramp shows as synced since the start date."""
        if flow._flow == 'bill':
            since = {'from_issued_date': f'{self.start_date}T00:00:00Z'}
            listings = [{'sync_status': status, **since} for status in ('BILL_SYNCED', 'BILL_AND_PAYMENT_SYNCED')]
        elif flow._flow == 'reimbursement':
            listings = flow._list_both_directions(
                connection, sync_status='SYNCED', from_date=connection._start_moment()
            )
        else:
            listings = [{'sync_status': 'SYNCED', 'from_date': connection._start_moment()}]
        return [{**params, **flow._get_entity_scope(connection)} for params in listings]

    def _read_rows(self, flow, connection, client, listings, counts):
        """Read some pages of lists.

        :param counts: dict in which objects that cannot be read are counted
        :return: ({Ramp id: date and money of an object since the start date}, whether there are more)
        """
        found, is_cut = {}, False
        for params in listings:
            pages = client.list_pages(flow._endpoint, params)
            for number, page in enumerate(pages, 1):
                for payload in page.rows:
                    try:
                        value = flow._read_payload(payload)
                        row = flow._get_ledger_columns(connection, value)
                    except PayloadError:
                        counts['unread'] += 1
                        continue
                    if row['date'] and row['date'] >= self.start_date and row.get('money'):
                        found[value.id] = row
                if number == MOST_PAGES:
                    is_cut = is_cut or bool(page.next_url)
                    break
        return found, is_cut

    def _find_own_ids(self, connection, name, rows):
        """Return the Ramp ids of objects that the connection has posted itself, if it was connected before."""
        if not self.connection_id or not rows:
            return set()
        # sudo: only counted
        own = (
            self.env['ramp.record']
            .sudo()
            .search_fetch(
                [
                    ('connection_id', '=', self.connection_id.id),
                    ('flow', '=', name),
                    ('ramp_id', 'in', list(rows)),
                    ('res_id', '!=', False),
                ],
                ['ramp_id'],
            )
        )
        return set(own.mapped('ramp_id'))

    # ------------------------------------------------------------------ the page

    @api.depends('counts')
    @api.depends_context('lang')
    def _compute_counts_page(self):
        for setup in self:
            setup.counts_page = setup.counts and self.env['ir.qweb']._render(
                'ramp_connector.setup_counts_page', setup._counts_values()
            )

    def _counts_values(self):
        """Return what the template of the page shows."""
        labels = {name: self.env[f'ramp.flow.{name}']._get_flow_label() for name, _switch in COUNTED}

        def as_month(month):
            return format_date(self.env, f'{month}-01', date_format='MMMM y')

        rows = sorted(self.counts['ready'], key=lambda row: (row['month'], list(labels).index(row['flow'])))
        totals = defaultdict(lambda: [0, 0.0])
        for row in rows:
            total = totals[row['flow'], row['currency']]
            total[0] += row['count']
            total[1] += row['amount']
        return {
            'rows': rows,
            'totals': [
                {'flow': flow, 'currency': currency, 'count': count, 'amount': amount}
                for (flow, currency), (count, amount) in totals.items()
            ],
            'counts': self.counts,
            'labels': labels,
            'as_money': self.env['ramp.dry.run']._format_amount_by_code,
            'as_month': as_month,
            'since': format_date(self.env, self.counted_from),
        }

    def _leave_start(self):
        self._check_start_date()
        self._draft_connection()._check_existing_policy()
