# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import json
from collections import defaultdict
from datetime import date

from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL, format_date

MEASURES = ('spend', 'refund', 'cashback', 'payment', 'other')  # what is owed moves by these
BESIDE = 'repayment'
SHOWN = 200  # differences of a month that are told one by one
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

        :return: {'connection', 'period', 'is_zero', 'sections': [one for each entity and currency], 'open': [by vendor, by employee]}
        """
        connection = self._connection(connection_id)
        first, last = self._months(month_from, month_to)
        sections = self._sections(connection, first, last)
        owing = [self._open(connection, kind) for kind in OPEN_FLOWS]
        return {
            'connection': {'id': connection.id, 'name': connection.display_name, 'company': connection.company_id.name},
            'period': {'from': f'{first:%Y-%m}' if first else False, 'to': f'{last:%Y-%m}',
                       'label': self._period_in_words(connection, first, last)},
            'is_zero': all(section['is_zero'] for section in sections) and all(part['is_zero'] for part in owing),
            'sections': sections, 'open': owing,
            'read': fields.Datetime.to_string(connection.last_watch) if connection.last_watch else False,
        }

    @api.model
    def open_items(self, connection_id, side, currency_id, month=None, measure=None, entity=None):
        """Action: what is behind a figure; the journal items (side 'odoo') or what came from Ramp (side 'ramp').

        :param month: 'YYYY-MM'; None: everything up to now
        :param measure: one of the rows of the report; None: all that moves what is owed
        """
        connection = self._connection(connection_id)
        self._check_measure(measure)
        first, last = self._months(month, month) if month else (None, None)
        if side == 'odoo':
            return self._open_journal_items(connection, currency_id, first, last, measure, entity)
        return self._open_records(connection, currency_id, first, last, measure, entity)

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

    def _months(self, month_from, month_to):
        """The first day of the first month, or None, and of the last one."""
        today = fields.Date.context_today(self)
        try:
            first = date.fromisoformat(f'{month_from}-01') if month_from else None
            last = date.fromisoformat(f'{month_to}-01') if month_to else today.replace(day=1)
        except ValueError as error:
            raise UserError(self.env._('A month is written as 2026-07.')) from error
        return first, max(first or last, last)

    def _period_in_words(self, connection, first, last):
        def words(day):
            return format_date(self.env, day, date_format='MMMM yyyy')

        if first == last:
            return words(last)
        return self.env._('%(first)s to %(last)s', first=words(first or connection.start_date), last=words(last))

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
        flow, seen = self.env['ramp.flow.statement'], set()
        for row in self.env['ramp.record'].sudo().search_fetch(  # checked in _connection; the payload is not shown
                [('connection_id', '=', connection.id), ('flow', '=', 'statement'), ('date', '>=', connection.start_date)],
                ['payload', 'currency_id', 'ramp_entity_id', 'date'], order='date'):
            key = row.ramp_entity_id, row.currency_id.id
            if key in seen:
                continue
            seen.add(key)
            with contextlib.suppress(ValueError):  # of one that cannot be read, its row says why
                section = flow._read(row.payload)
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
        begin = first or (months[0] if months else last)
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
        return {'ramp': currency.round(float(ramp)), 'odoo': currency.round(float(odoo)),
                'difference': currency.round(float(ramp) - float(odoo)), 'odd': int(odd)}

    def _line(self, currency, measure, ramp, odoo, odd):
        label = dict(self.env['ramp.tie.out']._fields['measure']._description_selection(self.env))[measure]
        return {'measure': measure, 'label': label, 'is_owed': measure != BESIDE, **self._figure(currency, ramp, odoo, odd)}

    # ------------------------------------------------------------------ the name of each difference

    def _differences(self, connection, odd):
        """{(entity, currency id, month): [difference]}, the largest first. Names come from what the ledger and the entry say."""
        Record, Move = self.env['ramp.record'], self.env['account.move']
        records = Record.browse({row[4] for row in odd if row[4]}).exists()
        records.fetch(['name', 'flow', 'state', 'error_message', 'res_model', 'res_id', 'date', 'is_withheld', 'is_question', 'attempts',
                       'sync_attempt', 'has_changed', 'connection_id', 'ramp_id'])
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

    def _open(self, connection, kind):
        """What is to be paid, by vendor or employee and currency: Ramp beside the residuals of what was booked of it."""
        self._flush()
        rows = self.env.execute_query(SQL(
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
        period = SQL('i.date >= %s AND i.date < %s', first, last + relativedelta(months=1)) if first else SQL('TRUE')
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

    def _record_domain(self, connection, currency_id, first, last, measure, entity):
        flows = {'spend': 'transaction', 'refund': 'transaction', 'cashback': 'cashback', 'payment': 'transfer', BESIDE: 'repayment'}
        domain = [
            ('connection_id', '=', connection.id), ('has_moved', '=', True), ('currency_id', '=', currency_id),
            ('flow', 'in', [flows[measure]] if measure in flows else [] if measure else sorted(set(flows.values()) - {'repayment'}))]
        if measure in ('spend', 'refund'):
            domain.append(('amount', '>=' if measure == 'spend' else '<', 0))
        if entity:
            domain.append(('ramp_entity_id', '=', entity))
        if first and measure == 'cashback':
            domain.append(('id', 'in', self._cashback_of(connection, first, last)))
        elif first:
            domain += [('date', '>=', first), ('date', '<', last + relativedelta(months=1))]
        return [*domain, ('date', '>=', connection.start_date)]

    def _cashback_of(self, connection, first, last):
        """Rows of the cashback that counts in these months: with the statement it is on, else when it was given."""
        return [row[0] for row in self.env.execute_query(SQL(
            """
            SELECT r.id FROM ramp_record r
              LEFT JOIN ramp_record s ON s.connection_id = r.connection_id AND s.flow = 'statement' AND s.res_id IS NOT NULL
                   AND s.noted -> 'cashbacks' ? r.ramp_id
             WHERE r.connection_id = %s AND r.flow = 'cashback' AND COALESCE(s.date, r.date) >= %s AND COALESCE(s.date, r.date) < %s
            """, connection.id, first, last + relativedelta(months=1)))]

    def _open_records(self, connection, currency_id, first, last, measure, entity):
        action = self.env['ir.actions.act_window']._for_xml_id('ramp_connector.ramp_record_action')
        action.update(
            name=self.env._('Ramp tie-out: what Ramp says'), context={},
            domain=self._record_domain(connection, currency_id, first, last, measure, entity))
        return action

    # ------------------------------------------------------------------ PDF

    @api.model
    def _get_report_values(self, docids, data=None):
        """EXTENDS: what the template shows. data: connection_id, month_from, month_to."""
        options = data or {}
        return {'docs': [
            self.get_report(connection, options.get('month_from'), options.get('month_to'))
            for connection in docids or [options.get('connection_id')]]}
