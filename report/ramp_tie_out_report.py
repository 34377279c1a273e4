# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import json
from collections import defaultdict
from datetime import date

from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL, format_date, format_datetime

from .ramp_tie_out_xlsx import Workbook

MEASURES = ('spend', 'refund', 'cashback', 'payment', 'other')  # what is owed moves by these
BESIDE = 'repayment'
SHOWN = 200  # differences of a month that are told one by one
EPOCH = date(2000, 1, 1)  # there was no Ramp before
MOST_MONTHS = 240  # that are shown one by one; what was before is in the first one's opening
OPEN_FLOWS = {'vendor': ('bill', 'vendor_credit'), 'employee': ('reimbursement',)}
SIDES = ('ramp', 'odoo')


class RampTieOutReport(models.AbstractModel):
    """The tie-out, for the screen, as PDF and as XLSX: what Ramp says is owed, beside the books, and each difference by its name.

    Figures are floats in the currency they are in, rounded as it is; they are exact in the database, where they are compared.
    """

    _name = 'report.ramp_connector.tie_out'
    _description = 'Ramp Tie-Out Report'

    # ------------------------------------------------------------------ what may be asked over RPC

    @api.model
    def get_options(self):
        """What can be chosen: {'connections': [{'id', 'name', 'from', 'to'}]}, the months (YYYY-MM) that there are of each."""
        connections = self.env['ramp.connection'].with_context(active_test=False).search([('state', '!=', 'draft')])
        self._check(connections)
        today = fields.Date.context_today(self)
        first = dict(self.env['ramp.record']._read_group(
            [('connection_id', 'in', connections.ids), ('has_moved', '=', True)], ['connection_id'], ['date:min']))
        return {'connections': [{
            'id': connection.id, 'name': connection.display_name,
            'from': f'{max(first.get(connection) or today, connection.start_date):%Y-%m}', 'to': f'{today:%Y-%m}',
        } for connection in connections]}

    @api.model
    def get_report(self, connection_id, month_from=None, month_to=None):
        """The report of a connection as JSON, over months ('YYYY-MM', both included; default: all there are).

        :return: {'connection', 'period', 'is_zero', 'sections': [one for each entity and currency], 'open': [by vendor, by employee],
                  'rates': see `_rates`, 'status': what all of it comes to, in words, 'kinds': {kind of a difference: its label}}
        """
        connection = self._connection(connection_id)
        first, last = self._months(connection, month_from, month_to)
        sections = self._sections(connection, first, last)
        owing = [self._open(connection, kind) for kind in OPEN_FLOWS]
        rates = self._rates(connection, first, last)
        is_zero = all(part['is_zero'] for part in (*sections, *owing, rates))
        return {
            'connection': {'id': connection.id, 'name': connection.display_name, 'company': connection.company_id.name},
            'period': {'from': f'{first:%Y-%m}' if first else False, 'to': f'{last:%Y-%m}',
                       'label': self._period_in_words(connection, first, last)},
            'is_zero': is_zero, 'sections': sections, 'open': owing, 'rates': rates,
            'status': self._status(connection, is_zero, sections, owing, rates), 'kinds': self._kinds(),
            'read': fields.Datetime.to_string(connection.last_watch) if connection.last_watch else False,
        }

    @api.model
    def open_items(self, connection_id, side, currency_id, month=None, measure=None, entity=None, month_to=None):
        """Action: what is behind a figure; the journal items (side 'odoo') or what came from Ramp (side 'ramp').

        :param month: 'YYYY-MM'; None: everything up to now, or up to month_to
        :param measure: one of the rows of the report; None: all that moves what is owed
        :param month_to: the last month, if there are several
        """
        connection = self._connection(connection_id)
        self._check_measure(measure)
        first, last = self._months(connection, month, month_to or month) if month or month_to else (None, None)
        if side == 'odoo':
            return self._open_journal_items(connection, currency_id, first, last, measure, entity)
        return self._open_records(connection, currency_id, first, last, measure, entity)

    @api.model
    def open_owing(self, connection_id, kind, side, partner_id, currency_id):
        """Action: what is behind a figure of the open bills ('vendor') or reimbursements ('employee') of a partner; see open_items."""
        connection = self._connection(connection_id)
        records = self.env['ramp.record'].browse([
            row[0] for row in self._owing(connection, kind) if row[1:3] == (currency_id, partner_id or None)])
        if side == 'ramp':
            action = self._all_records()
            action['domain'] = [('id', 'in', records.ids)]
            return action
        action = self.env['ir.actions.act_window']._for_xml_id('account.action_move_in_invoice_type')
        moves = self.env['account.move'].union(*self._moves_of(records).values())
        action.update(name=self.env._('Ramp tie-out: bills'), domain=[('id', 'in', moves.ids)], context={'create': False})
        return action

    # ------------------------------------------------------------------ access, and what was asked

    def _check(self, connections):
        """The figures are read in SQL: whoever asks must be allowed to read the connection, its ledger and the journal items."""
        connections.check_access('read')
        for model in ('ramp.record', 'ramp.tie.out', 'account.move.line'):
            self.env[model].check_access('read')

    def _connection(self, connection_id):
        connection = self.env['ramp.connection'].browse(int(connection_id)).exists()
        if not connection:
            raise UserError(self.env._('This connection does not exist any more.'))
        self._check(connection)
        if connection.company_id not in self.env.companies:
            raise AccessError(self.env._('Choose the company %s first.', connection.company_id.name))
        return connection.with_company(connection.company_id)

    @staticmethod
    def _check_measure(measure):
        if measure not in (None, *MEASURES, BESIDE):
            raise ValueError(f'unknown measure {measure}')

    def _months(self, connection, month_from, month_to):
        """The first day of the first month, or None, and of the last one: within what there can be, and not too many to be shown."""
        today = fields.Date.context_today(self)
        try:
            first = date.fromisoformat(f'{month_from}-01') if month_from else None
            last = date.fromisoformat(f'{month_to}-01') if month_to else today.replace(day=1)
        except ValueError as error:
            raise UserError(self.env._('A month is written as 2026-07.')) from error
        last = max(min(last, today.replace(day=1) + relativedelta(years=1)), EPOCH)  # before the start date: what is behind an opening
        return first and min(max(first, connection.start_date.replace(day=1), EPOCH), last), last

    def _period_in_words(self, connection, first, last):
        def words(day):
            return format_date(self.env, day, date_format='MMMM yyyy')

        if first == last:
            return words(last)
        return self.env._('%(first)s to %(last)s', first=words(first or connection.start_date), last=words(last))

    # ------------------------------------------------------------------ what it comes to, in words

    def _status(self, connection, is_zero, sections, owing, rates):
        """{'kind', 'count', 'text', 'note'}; 'zero' only if Ramp was looked at, too: the lists of what is ready tell not everything."""
        count = sum(len(month['differences']) + month['more'] for section in sections for month in section['months'])
        count += sum(section['start']['odd'] for section in sections) + sum(row['odd'] for part in (*owing, rates) for row in part['rows'])
        note = self.env._('Last complete look at Ramp: %s', format_datetime(self.env, connection.last_watch)) if connection.last_watch \
            else self.env._('Last complete look at Ramp: never. Press Read Ramp Again; until then, what is not ready in Ramp is not known.')
        if not (sections or any(part['rows'] for part in owing)):
            kind, text = 'empty', self.env._('Nothing has come from Ramp yet')
        elif not is_zero:
            kind, text = 'odd', (
                self.env._('Differences in months before these') if not count else
                self.env._('1 difference') if count == 1 else self.env._('%s differences', count))
        elif not connection.last_watch:
            kind, text = 'unread', self.env._('What has come from Ramp ties out; the rest is not known yet')
        else:
            kind, text = 'zero', self.env._('Everything ties out to the cent')
        return {'kind': kind, 'count': count, 'text': text, 'note': note}

    def _kinds(self):
        return {
            'cancelled': self.env._('Cancelled'),
            'changed': self.env._('Changed in Ramp'),
            'deleted': self.env._('Deleted'),
            'draft': self.env._('Draft'),
            'edited': self.env._('Edited'),
            'expected': self.env._('Paid by card'),
            'held': self.env._('Held'),
            'ignored': self.env._('Ignored'),
            'manual': self.env._('Entered by hand'),
            'period': self.env._('Other period'),
            'reversed': self.env._('Reversed'),
            'vanished': self.env._('Not in Ramp any more'),
            'waiting': self.env._('Waiting'),
            'withheld': self.env._('Not ready in Ramp'),
        }

    # ------------------------------------------------------------------ figures

    def _flush(self):
        for model in ('ramp.record', 'account.move.line', 'account.move', 'account.payment', 'ramp.connection'):
            self.env[model].flush_model()

    def _sections(self, connection, first, last):
        """One part of the report for each entity and currency."""
        self._flush()
        sums, odd = self._read(connection, first, last)
        start = self._starts(connection, {(entity, currency) for entity, currency, *_rest in sums})
        keys = sorted({(entity, currency) for entity, currency, *_rest in sums} | set(start), key=str)
        currencies = self.env['res.currency'].with_context(active_test=False).browse({currency for _entity, currency in keys}).grouped('id')
        differences = self._differences(connection, odd)
        names = connection.ramp_entities or {}
        return [self._section(connection, key, currencies[key[1]], names, sums, start.get(key, {}), differences, first, last)
                for key in keys]

    def _read(self, connection, first, last):
        """({(entity, currency id, month, measure): (ramp, odoo, objects that differ)}, rows of these objects up to the last month)."""
        rows = self.env.execute_query(SQL(
            """
            WITH t AS MATERIALIZED (%(query)s)
            SELECT 0 AS kind, ramp_entity_id, currency_id, month, measure, NULL::int AS record_id, NULL::int AS move_id,
                   sum(ramp_amount), sum(odoo_amount), count(*) FILTER (WHERE is_odd)
              FROM t WHERE month <= %(last)s GROUP BY ramp_entity_id, currency_id, month, measure
            UNION ALL
            SELECT 1, ramp_entity_id, currency_id, month, measure, record_id, move_id, ramp_amount, odoo_amount, 1
              FROM (SELECT *, row_number() OVER (PARTITION BY ramp_entity_id, currency_id, month ORDER BY abs(difference) DESC, id) AS place
                      FROM t WHERE is_odd AND month <= %(last)s) o
             WHERE place <= %(shown)s
            """, query=self.env['ramp.tie.out']._query(connection.ids), last=last, shown=SHOWN))
        entities = defaultdict(set)
        for row in rows:
            if row[1]:
                entities[row[2]].add(row[1])
        sums, odd = {}, []
        for kind, entity, currency, month, measure, record, move, ramp, odoo, count in rows:
            # what was entered by hand belongs to the one entity there is; of several, to none of them
            entity = entity or (next(iter(entities[currency])) if len(entities[currency]) == 1 else None)
            if kind:
                odd.append((entity, currency, month, measure, record, move, float(ramp), float(odoo)))
                continue
            before = sums.get((entity, currency, month, measure), (0, 0, 0))
            sums[entity, currency, month, measure] = (before[0] + ramp, before[1] + odoo, before[2] + count)
        return sums, odd

    def _starts(self, connection, keys):
        """What was owed before the start date: {(entity, currency id): {'ramp': float, 'odoo': float}}.

        Ramp tells of it in the first statement that ends after that day; Odoo has it if somebody entered it.
        """
        found = defaultdict(lambda: dict.fromkeys(SIDES, 0.0))
        lines = self.env.execute_query(SQL(
            """
            WITH %(common)s
            SELECT i.currency_id, -sum(i.amount_currency) FROM item i WHERE i.date < %(start)s GROUP BY i.currency_id
            """, common=self.env['ramp.tie.out']._common(connection.ids), start=connection.start_date))
        for currency, amount in lines:
            entities = {entity for entity, other in keys if other == currency and entity}
            found[next(iter(entities)) if len(entities) == 1 else None, currency]['odoo'] = float(amount)
        # a payload names thousands of lines: only those of the first statements are read
        for entity, currency, payload in self.env.execute_query(SQL(
                """
                SELECT DISTINCT ON (ramp_entity_id, currency_id) ramp_entity_id, currency_id, payload FROM ramp_record
                 WHERE connection_id = %s AND flow = 'statement' AND date >= %s ORDER BY ramp_entity_id, currency_id, date, id
                """, connection.id, connection.start_date)):
            key = entity, currency
            with contextlib.suppress(ValueError):  # of one that cannot be read, its row says why
                section = self.env['ramp.flow.statement']._read(payload)
                found[key]['ramp'] = float(section.opening.decimal) + self._early(connection, key, section)
        return {key: sides for key, sides in found.items() if any(sides.values())}

    def _early(self, connection, key, section):
        """What moved before the start date, of the statement that the day is in the middle of."""
        rows = self.env.execute_query(SQL(
            """
            SELECT sum(CASE WHEN flow = 'transaction' THEN amount ELSE -amount END) FROM ramp_record
             WHERE connection_id = %s AND has_moved AND date < %s AND flow IN ('transaction', 'transfer', 'cashback')
               AND ramp_entity_id = %s AND currency_id = %s AND ramp_id = ANY(%s)
            """, connection.id, connection.start_date, *key, [identity for _kind, identity in section.lines]))
        return float(rows[0][0] or 0)

    def _section(self, connection, key, currency, names, sums, start, differences, first, last):
        entity, currency_id = key
        mine = {place[2:]: figures for place, figures in sums.items() if place[:2] == key}
        months = sorted({month for month, _measure in mine})
        begin = max(first or (months[0] if months else last), last - relativedelta(months=MOST_MONTHS - 1))
        total = {side: start.get(side, 0.0) for side in SIDES}
        odd = bool(currency.compare_amounts(total['ramp'], total['odoo']))
        initial = self._figure(currency, total['ramp'], total['odoo'], odd)
        for month in months:
            if month < begin:
                odd = self._add(total, mine, month) or odd
        shown = []
        for month in self._calendar(begin, last):
            opening, was_odd = dict(total), odd
            month_odd = self._add(total, mine, month)
            odd = odd or month_odd
            lines = [self._line(currency, measure, *mine.get((month, measure), (0, 0, 0))) for measure in (*MEASURES, BESIDE)]
            told = differences.get((*key, month), [])
            shown.append({
                'month': f'{month:%Y-%m}', 'label': format_date(self.env, month, date_format='MMMM yyyy'),
                'opening': self._figure(currency, opening['ramp'], opening['odoo'], was_odd),
                'lines': [line for line in lines if line['measure'] != 'other' or line['odd'] or line['odoo']],
                'closing': self._figure(currency, total['ramp'], total['odoo'], odd),
                'is_zero': not month_odd and not currency.compare_amounts(total['ramp'], total['odoo']),
                'differences': told,
                'more': max(0, sum(line['odd'] for line in lines) - len(told)),
            })
        return {
            'entity': entity, 'entity_name': names.get(entity) or entity or self.env._('No entity'),
            'currency': {'id': currency.id, 'name': currency.name, 'digits': currency.decimal_places},
            'start': initial, 'start_date': fields.Date.to_string(connection.start_date),
            'months': shown, 'is_zero': not odd and not currency.compare_amounts(total['ramp'], total['odoo']),
            'opening': shown[0]['opening'], 'closing': shown[-1]['closing'],
            'lines': [self._line(currency, measure, *map(sum, zip((0, 0, 0), *(
                figures for (month, name), figures in mine.items() if name == measure and begin <= month <= last), strict=True)))
                for measure in (*MEASURES, BESIDE)],
        }

    @staticmethod
    def _add(total, mine, month):
        """Add what moved what is owed in a month; returns whether any object of the month differs."""
        odd = False
        for measure in (*MEASURES, BESIDE):
            ramp, odoo, count = mine.get((month, measure), (0, 0, 0))
            odd = odd or bool(count)
            if measure != BESIDE:
                total['ramp'] += float(ramp)
                total['odoo'] += float(odoo)
        return odd

    @staticmethod
    def _calendar(first, last):
        """The months from the first one to the last one."""
        month = first.replace(day=1)
        while month <= last:
            yield month
            month += relativedelta(months=1)

    def _figure(self, currency, ramp, odoo, odd=0):
        sides = {'ramp': float(ramp), 'odoo': float(odoo), 'difference': float(ramp) - float(odoo)}
        return {**{side: currency.round(amount) + 0.0 for side, amount in sides.items()}, 'odd': int(odd)}  # + 0.0: there is no -0.0

    def _line(self, currency, measure, ramp, odoo, odd):
        label = dict(self.env['ramp.tie.out']._fields['measure']._description_selection(self.env))[measure]
        return {'measure': measure, 'label': label, 'is_owed': measure != BESIDE, **self._figure(currency, ramp, odoo, odd)}

    # ------------------------------------------------------------------ the name of each difference

    def _differences(self, connection, odd):
        """{(entity, currency id, month): [difference]}, the largest first. Names come from what the ledger and the entry say."""
        Record, Move = self.env['ramp.record'], self.env['account.move']
        records = Record.browse({row[4] for row in odd if row[4]}).exists()
        records.fetch(['name', 'flow', 'state', 'error_message', 'res_model', 'res_id', 'date', 'is_withheld', 'is_question', 'attempts',
                       'sync_attempt', 'has_changed', 'connection_id', 'ramp_id', 'finding', 'noted'])
        moves = self._moves_of(records)
        alone = Move.browse({row[5] for row in odd if row[5]}).exists()
        (alone | Move.union(*moves.values())).fetch(['name', 'state', 'date', 'ref', 'reversed_entry_id'])
        by_record, by_move = records.grouped('id'), alone.grouped('id')
        found = defaultdict(list)
        for entity, currency, month, measure, record_id, move_id, ramp, odoo in odd:
            record, move = by_record.get(record_id, Record), by_move.get(move_id, Move)
            kind, text = self._name_of_record(record, moves[record], month, ramp, odoo) if record else self._name_of_move(move)
            money = self.env['res.currency'].browse(currency)
            found[entity, currency, month].append({
                'kind': kind, 'text': text, 'measure': measure, 'name': record.name or move.name or move.ref or self.env._('Deleted'),
                'date': fields.Date.to_string(record.date or move.date) if record or move else False,
                'record_id': record.id, 'move_id': (moves[record] if record else move).id, 'url': record.ramp_url if record else False,
                **{key: value for key, value in self._figure(money, ramp, odoo).items() if key != 'odd'}})
        return found

    def _moves_of(self, records):
        """The entry of each row, which may be deleted (an empty recordset)."""
        Move, Payment = self.env['account.move'], self.env['account.payment']
        moves = Move.browse({record.res_id for record in records if record.res_id and record.res_model == 'account.move'}).exists()
        payments = Payment.browse(
            {record.res_id for record in records if record.res_id and record.res_model == 'account.payment'}).exists()
        by_id, by_payment = moves.grouped('id'), {payment.id: payment.move_id for payment in payments}
        return {record: (by_payment if record.res_model == 'account.payment' else by_id).get(record.res_id, Move) for record in records}

    def _name_of_record(self, record, move, month, ramp, odoo):
        """(kind, sentence) of an object whose sides differ."""
        reason = record.error_message or record.status
        if record.flow == 'bill_payment':
            return 'expected', self.env._('The card payment of a bill; Ramp does not show its transaction.')
        if not record.res_id:
            if odoo:  # a bill paid by card, whose transaction has not come
                return 'expected', self.env._('In the books as the card payment of a bill; its transaction: %s', reason)
            was_deleted = record.state == 'held' and not record.is_question and not record.attempts and record.sync_attempt
            kind = 'deleted' if was_deleted else 'withheld' if record.is_withheld and record.state == 'pending' else {
                'pending': 'waiting', 'ignored': 'ignored', 'error': 'held', 'held': 'held'}.get(record.state, 'waiting')
            return kind, reason
        if not move:
            return 'deleted', self.env._('Its entry was deleted in Odoo.')
        if record.finding == 'vanished' or (record.noted or {}).get('accepted') == 'vanished':
            return 'vanished', self.env._('Booked as %s; Ramp no longer has it.', move.name)
        if move.state == 'draft':
            return 'draft', self.env._('%s is a draft in Odoo. Post it.', move.name or self.env._('Its entry'))
        if move.state == 'cancel':
            return 'cancelled', self.env._('%s was cancelled in Odoo.', move.name)
        if record.has_changed:
            return 'changed', self.env._(
                'Changed in Ramp after it was booked as %s: press Reverse and Book Again, or Retry to keep it.', move.name)
        if move.date.replace(day=1) != (record.date or move.date).replace(day=1) and not (ramp and odoo):
            return 'period', self.env._(
                '%(move)s is booked on %(booked)s, in Ramp it is of %(day)s.', move=move.name, booked=format_date(self.env, move.date),
                day=format_date(self.env, record.date))
        if record.flow == 'cashback':
            return 'waiting', reason
        return 'edited', self.env._('%s was edited in Odoo: it does not come to what Ramp says.', move.name)

    def _name_of_move(self, move):
        """(kind, sentence) of an entry that no object of Ramp stands behind."""
        if not move:
            return 'manual', self.env._('An entry that was deleted meanwhile.')
        reversal = move.reversal_move_ids.filtered(lambda item: item.state == 'posted')[:1]
        if move.ramp_id and reversal:
            return 'reversed', self.env._('%(move)s was reversed in Odoo by %(reversal)s.', move=move.name, reversal=reversal.name)
        if reversal:
            return 'manual', self.env._('%(move)s and its reversal %(reversal)s are of different months, or differ.', move=move.name,
                                        reversal=reversal.name)
        return 'manual', self.env._('%s was entered in Odoo; no object of Ramp stands behind it.', move.name or move.ref)

    # ------------------------------------------------------------------ open bills and reimbursements

    def _owing(self, connection, kind):
        """[(row id, currency id, partner id, Ramp, Odoo)] of what is to be paid, or was settled on one side only."""
        self._flush()
        return self.env.execute_query(SQL(
            """
            WITH o AS (
                SELECT r.id, r.parent_ramp_id, r.currency_id, r.res_id, COALESCE(p.open_amount, r.open_amount, 0) AS ramp,
                       COALESCE((
                           SELECT -sum(l.amount_residual_currency) FROM account_move_line l JOIN account_account a ON a.id = l.account_id
                            WHERE l.move_id = r.res_id AND a.account_type IN ('liability_payable', 'asset_receivable')
                              AND l.parent_state = 'posted'), 0) AS odoo
                  FROM ramp_record r
                  LEFT JOIN ramp_record p ON p.connection_id = r.connection_id AND p.flow = 'bill_payment' AND r.flow = 'bill'
                       AND p.ramp_id = r.ramp_id
                 WHERE r.connection_id = %(connection)s AND r.flow = ANY(%(flows)s) AND r.date >= %(start)s
                   AND (r.open_amount <> 0 OR r.res_model = 'account.move' AND EXISTS (
                       SELECT FROM account_move m WHERE m.id = r.res_id AND m.amount_residual <> 0 AND m.state = 'posted'))
            )
            SELECT o.id, o.currency_id, COALESCE(m.commercial_partner_id, v.res_id), o.ramp, o.odoo
              FROM o LEFT JOIN account_move m ON m.id = o.res_id
              LEFT JOIN ramp_record v ON v.connection_id = %(connection)s AND v.flow = 'vendor' AND v.ramp_id = o.parent_ramp_id
            """, connection=connection.id, flows=list(OPEN_FLOWS[kind]), start=connection.start_date))

    def _open(self, connection, kind):
        """What is to be paid, by vendor or employee and currency: Ramp beside the residuals of what was booked of it."""
        rows = self._owing(connection, kind)
        odd = self.env['ramp.record'].browse([row[0] for row in rows if row[3] != row[4]])
        moves = self._moves_of(odd)
        groups = defaultdict(lambda: {'ramp': 0.0, 'odoo': 0.0, 'records': []})
        for record_id, currency, partner, ramp, odoo in rows:
            group = groups[partner, currency]
            group['ramp'] += float(ramp)
            group['odoo'] += float(odoo)
            if ramp != odoo:
                group['records'].append((record_id, ramp, odoo))
        partners = self.env['res.partner'].browse({partner for partner, _currency in groups if partner}).exists().grouped('id')
        shown = []
        for (partner, currency_id), group in groups.items():
            currency = self.env['res.currency'].browse(currency_id)
            shown.append({
                'partner_id': partner, 'name': partners[partner].display_name if partner in partners else self.env._('Not in Odoo'),
                'currency': {'id': currency.id, 'name': currency.name, 'digits': currency.decimal_places},
                **self._figure(currency, group['ramp'], group['odoo'], len(group['records'])),
                'differences': [self._open_difference(currency, *row, moves) for row in group['records'][:SHOWN]],
            })
        return {
            'kind': kind,
            'title': self.env._('Open bills by vendor') if kind == 'vendor' else self.env._('Open reimbursements by employee'),
            'rows': sorted(shown, key=lambda row: (not row['odd'], row['name'].lower(), row['currency']['name'])),
            'is_zero': not odd,
        }

    def _open_difference(self, currency, record_id, ramp, odoo, moves):
        record = self.env['ramp.record'].browse(record_id)
        move = moves[record]
        payment = self.env['ramp.record'].search([
            ('connection_id', '=', record.connection_id.id), ('flow', 'in', ('bill_payment', 'reimbursement_payment')),
            ('ramp_id', '=', record.ramp_id)], limit=1) if move.state == 'posted' else self.env['ramp.record']
        if payment.state in ('held', 'error', 'pending'):
            kind, text = 'held' if payment.state != 'pending' else 'waiting', self.env._(
                'Its payment: %s', payment.error_message or payment.status)
        elif move.state == 'posted':
            kind, text = 'edited', self.env._('%s was paid, reconciled or edited in Odoo otherwise than Ramp says.', move.name)
        else:
            kind, text = self._name_of_record(record, move, record.date, float(ramp), float(odoo))
        return {'kind': kind, 'text': text, 'name': record.name, 'date': fields.Date.to_string(record.date) if record.date else False,
                'record_id': record.id, 'move_id': move.id, 'url': record.ramp_url,
                **{key: value for key, value in self._figure(currency, ramp, odoo).items() if key != 'odd'}}

    # ------------------------------------------------------------------ what is behind a figure

    def _open_journal_items(self, connection, currency_id, first, last, measure, entity):
        action = self.env['ir.actions.act_window']._for_xml_id('account.action_account_moves_all')
        figure = {
            'connection_id': connection.id, 'currency_id': currency_id, 'first': first and str(first), 'last': last and str(last),
            'measure': measure, 'entity': entity}
        action.update(
            name=self.env._('Ramp tie-out: journal items'), domain=[('ramp_tie_out', '=', json.dumps(figure))], context={'create': False},
            views=[(False, 'list'), (False, 'pivot'), (False, 'form')], search_view_id=False)
        return action

    @api.model
    def _items_query(self, connection_id, currency_id, first=None, last=None, measure=None, entity=None):
        """SELECT of the ids of the journal items behind a figure. first, last: days of the first and of the last month, or None."""
        connection = self._connection(connection_id)
        self._check_measure(measure)
        self._flush()
        first, last = fields.Date.to_date(first), fields.Date.to_date(last)
        period = SQL(' AND ').join(
            SQL('i.date %s %s', SQL(operator), day) for operator, day in self._period(connection, first, last)) or SQL('TRUE')
        if measure == BESIDE:
            return SQL(
                """(
                SELECT i.id FROM account_move_line i JOIN ramp_record r ON r.res_model = 'account.move' AND r.res_id = i.move_id
                 WHERE r.connection_id = %s AND r.flow = 'repayment' AND i.currency_id = %s AND i.parent_state = 'posted' AND %s AND %s
                )""", connection.id, currency_id, period, SQL('r.ramp_entity_id = %s', entity) if entity else SQL('TRUE'))
        return SQL(
            """(
            WITH %(common)s
            SELECT i.line_id FROM item i WHERE i.currency_id = %(currency)s AND %(period)s AND %(measure)s AND %(entity)s
            )""", common=self.env['ramp.tie.out']._common(connection.ids), currency=currency_id, period=period,
            measure=SQL('i.measure = %s', measure) if measure else SQL('TRUE'),
            # what was entered by hand is shown with every entity
            entity=SQL('(i.ramp_entity_id = %s OR i.ramp_entity_id IS NULL)', entity) if entity else SQL('TRUE'))

    @staticmethod
    def _period(connection, first, last):
        """[(operator, day)]. What was owed before the start date is in every opening, and in no month."""
        end = last and last + relativedelta(months=1)
        if first:
            return [('>=', max(first, connection.start_date)), ('<', end)]
        return [('<', max(end, connection.start_date))] if end else []

    def _record_domain(self, connection, currency_id, first, last, measure, entity):
        flows = {'spend': 'transaction', 'refund': 'transaction', 'cashback': 'cashback', 'payment': 'transfer', BESIDE: 'repayment'}
        domain = [
            ('connection_id', '=', connection.id), ('has_moved', '=', True), ('currency_id', '=', currency_id),
            ('flow', 'in', [flows[measure]] if measure in flows else [] if measure else sorted(set(flows.values()) - {'repayment'}))]
        if measure in ('spend', 'refund'):
            domain.append(('amount', '>=' if measure == 'spend' else '<', 0))
        if entity:
            domain.append(('ramp_entity_id', '=', entity))
        if last and measure == 'cashback':
            domain.append(('id', 'in', self._cashback_of(connection, first, last)))
        else:
            domain += [('date', operator, day) for operator, day in self._period(connection, first, last)]
        return [*domain, ('date', '>=', connection.start_date)]

    def _cashback_of(self, connection, first, last):
        """Rows of the cashback that counts in these months: with the statement it is on, else when it was given."""
        period = SQL(' AND ').join(
            SQL('COALESCE(s.date, r.date) %s %s', SQL(operator), day) for operator, day in self._period(connection, first, last))
        return [row[0] for row in self.env.execute_query(SQL(
            """
            SELECT r.id FROM ramp_record r
              LEFT JOIN ramp_record s ON s.connection_id = r.connection_id AND s.flow = 'statement' AND s.res_id IS NOT NULL
                   AND s.noted -> 'cashbacks' ? r.ramp_id
             WHERE r.connection_id = %s AND r.flow = 'cashback' AND %s
            """, connection.id, period))]

    def _all_records(self):
        action = self.env['ir.actions.act_window']._for_xml_id('ramp_connector.ramp_record_action')
        action.update(name=self.env._('Ramp tie-out: what Ramp says'), context={})
        return action

    def _open_records(self, connection, currency_id, first, last, measure, entity):
        action = self._all_records()
        action['domain'] = self._record_domain(connection, currency_id, first, last, measure, entity)
        return action

    # ------------------------------------------------------------------ PDF

    @api.model
    def _get_report_values(self, docids, data=None):
        """EXTENDS: what the template shows. data: connection_id, month_from, month_to."""
        options = data or {}
        reports = [self.get_report(connection, options.get('month_from'), options.get('month_to'))
                   for connection in docids or [options.get('connection_id')]]
        connections = self.env['ramp.connection'].browse([report['connection']['id'] for report in reports])
        currencies = self.env['res.currency'].browse({
            part['currency']['id'] for report in reports
            for part in (*report['sections'], *(row for part in report['open'] for row in part['rows']), report['rates'])})
        return {'docs': reports, 'connections': connections.grouped('id'), 'currencies': currencies.grouped('id')}

    # ------------------------------------------------------------------ XLSX

    @api.model
    def _xlsx(self, connection_id, month_from=None, month_to=None):
        """(file name, content) of the report as a workbook."""
        report = self.get_report(connection_id, month_from, month_to)
        name = self.env._(
            'Ramp Tie-Out %(connection)s %(period)s', connection=report['connection']['name'], period=report['period']['label'])
        return f'{name}.xlsx', Workbook(self.env, report).content()
