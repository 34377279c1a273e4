# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import Counter, defaultdict

from odoo import api, models
from odoo.fields import Domain

from .reason import Cause as CauseData

# Objects whose names are an example for a cause
EXAMPLES = 5


class RampDryRun(models.Model):
    """What a dry run came to: what is different before everything is undone."""

    _inherit = 'ramp.dry.run'

    @api.model
    def _collect_result(self, connection, known, runs, is_over, wanted):
        """Return the values of the result: what is different now.

        :param is_over: whether the time was up before the flows had done everything
        """
        rows = self._find_changed_rows(connection, known, wanted)
        entries = self._describe_entries(connection, known, wanted)
        stopped = [row for kind, row in rows if kind in ('held', 'error')]
        labels = dict(self._fields['flow']._description_selection(self.env))
        messages = [f'{labels[run.flow]}: {run.message}' for run in runs if run.message]
        is_over = is_over or any(run.state == 'paused' for run in runs)
        is_incomplete = bool(messages) or is_over
        if is_over:
            messages.append(self.env._('The time of the job was up before everything was read and posted.'))
        counts = dict.fromkeys(('posted', 'held', 'error', 'pending', 'ignored'), 0)
        counts.update(Counter(kind for kind, _row in rows))
        return {
            'result': {
                'currency': connection.company_id.currency_id.name,
                'counts': counts,
                'causes': self._describe_causes(stopped),
                'totals': self._sum_by_account(entries),
                'entries': entries,
                'objects': [self._describe_row(kind, row) for kind, row in rows if kind != 'posted'],
                'posted': [self._describe_row(kind, row) for kind, row in rows if kind == 'posted'],
            },
            'posted_count': counts['posted'],
            'stopped_count': len(stopped),
            'message': '\n'.join(dict.fromkeys(messages)) or False,
            'is_incomplete': is_incomplete,
        }

    @api.model
    def _find_changed_rows(self, connection, known, wanted):
        """Return [(kind, ledger row)]: what would be posted, stays open, or would be left out anew.

        The kind is `posted`, or the state of the row.
        """
        flows = [wanted['flow']] if wanted['flow'] else [value for value, _label in self._selection_posting_flow()]
        domain = Domain('connection_id', '=', connection.id) & Domain('flow', 'in', flows)
        if wanted['record_id']:
            domain &= Domain('id', '=', wanted['record_id'])
        domain &= self._period_domain('date', wanted, or_empty=True)
        found = []
        for row in self.env['ramp.record'].search(domain, order='date, id'):
            state, *document = known.rows.get(row.id, (None, None, None))
            if row.state in ('held', 'error', 'pending'):
                found.append((row.state, row))
            elif row.state == 'ignored' and state != 'ignored':
                found.append(('ignored', row))
            elif row.res_id and (
                document != [row.res_model, row.res_id] or state not in ('done', 'confirmed') and row.state != 'ignored'
            ):
                found.append(('posted', row))
        return found

    @api.model
    def _period_domain(self, name, wanted, or_empty=False):
        domain = Domain.TRUE
        if wanted['date_from']:
            domain &= Domain(name, '>=', wanted['date_from'])
        if wanted['date_to']:
            domain &= Domain(name, '<=', wanted['date_to'])
        return domain | Domain(name, '=', False) if or_empty else domain

    @api.model
    def _describe_entries(self, connection, known, wanted):
        """Return the entries and payments that came into being, as JSON, without numbers and ids: these come later."""
        period = self._period_domain('date', wanted)
        company = Domain('company_id', '=', connection.company_id.id)
        moves = self.env['account.move'].search(
            Domain('id', '>', known.last_ids['account.move']) & company & period, order='date, id'
        )
        payments = self.env['account.payment'].search(
            Domain('id', '>', known.last_ids['account.payment']) & Domain('move_id', '=', False) & company & period,
            order='date, id',
        )
        owners = self._find_owners(connection, moves, payments)
        return [
            self._describe_document(document, owners[document])
            for document in (*moves, *payments)
            if not wanted['flow'] or owners[document].flow == wanted['flow']
        ]

    @api.model
    def _find_owners(self, connection, moves, payments):
        """Return {document: ledger row of the object that it is for, or an empty one}."""
        Record = self.env['ramp.record']
        ramp_ids = {document.ramp_id for document in (*moves, *moves.origin_payment_id, *payments) if document.ramp_id}
        rows = Record.search(
            [
                ('connection_id', '=', connection.id),
                '|',
                ('ramp_id', 'in', list(ramp_ids)),
                '|',
                '&',
                ('res_model', '=', 'account.move'),
                ('res_id', 'in', moves.ids),
                '&',
                ('res_model', '=', 'account.payment'),
                ('res_id', 'in', (moves.origin_payment_id | payments).ids),
            ],
            order='id desc',
        )
        of_document = {(row.res_model, row.res_id): row for row in rows if row.res_id}
        of_object = {row.ramp_id: row for row in rows}
        moved = self.env['ramp.flow.repayment']._find_rows_of_moved(connection, moves)
        owners = defaultdict(lambda: Record)
        for document in (*moves, *payments):
            payment = document.origin_payment_id if document._name == 'account.move' else document
            owners[document] = (
                of_document.get((document._name, document.id))
                or of_document.get((payment._name, payment.id))
                or of_object.get(document.ramp_id or payment.ramp_id)
                or moved.get(document)
                or Record
            )
        return owners

    @api.model
    def _describe_document(self, document, row):
        """Return an entry, or a payment that has none, as JSON."""
        is_move = document._name == 'account.move'
        return {
            'flow': row.flow or False,
            'object': row.name or False,
            'kind': document.move_type if is_move else 'payment',
            'state': document.state,
            'date': document.date.isoformat(),
            'journal': document.journal_id.code,
            'reference': (document.ref if is_move else document.memo) or False,
            'partner': document.partner_id.name or False,
            'currency': document.currency_id.name,
            'amount': document.amount_total if is_move else document.amount,
            'lines': [
                {
                    'account': line.account_id.code,
                    'account_name': line.account_id.name,
                    'label': line.name or False,
                    'partner': line.partner_id.name or False,
                    'currency': line.currency_id.name,
                    'amount': line.amount_currency,
                    'balance': line.balance,
                    'taxes': sorted(line.tax_ids.mapped('name')),
                }
                for line in (document.line_ids if is_move else ())
                if line.account_id  # no sections and notes
            ],
        }

    @api.model
    def _sum_by_account(self, entries):
        """Return the sums of entries by month, account and currency."""
        sums = defaultdict(lambda: {'debit': 0.0, 'credit': 0.0, 'amount': 0.0, 'balance': 0.0})
        for entry in entries:
            for line in entry['lines']:
                total = sums[entry['date'][:7], line['account'], line['account_name'], line['currency']]
                total['debit'] += max(line['balance'], 0.0)
                total['credit'] += max(-line['balance'], 0.0)
                total['amount'] += line['amount']
                total['balance'] += line['balance']
        return [
            {
                'month': month,
                'account': account,
                'account_name': name,
                'currency': currency,
                **{key: round(value, 6) for key, value in total.items()},
            }
            for (month, account, name, currency), total in sorted(sums.items(), key=lambda item: str(item[0]))
        ]

    @api.model
    def _describe_causes(self, stopped):
        """Return every cause that holds an object, with its objects counted and summed, the most frequent first."""
        Cause = self.env['ramp.cause']
        held = defaultdict(list)
        for row_id, cause_ids in Cause._causes_of_records(self.env['ramp.record'].union(*stopped)).items():
            for cause_id in cause_ids:
                held[cause_id].append(row_id)
        causes = []
        for cause in Cause.browse(held):
            rows, amounts = self.env['ramp.record'].browse(held[cause.id]), defaultdict(float)
            for row in rows.filtered('currency_id'):
                amounts[row.currency_id.name] += row.amount
            causes.append(
                {
                    'title': cause.name,
                    'cause': cause.cause,
                    'kind': cause.kind or False,
                    'place': cause.place,
                    # the connection that has posted these already
                    'connection': (cause.cause.get('about') or {}).get('connection', False),
                    'count': len(rows),
                    'amounts': {code: round(amount, 6) for code, amount in sorted(amounts.items())},
                    'examples': [row.display_name for row in rows[:EXAMPLES]],
                }
            )
        return sorted(causes, key=lambda cause: (-cause['count'], cause['title']))

    @api.model
    def _describe_row(self, kind, row):
        return {
            'kind': kind,
            'flow': row.flow,
            'name': row.display_name,
            'date': row.date.isoformat() if row.date else False,
            'amount': row.amount if row.currency_id else False,
            'currency': row.currency_id.name or False,
            'reason': False if kind == 'posted' else row.reason_text or False,
            'causes': [] if kind == 'posted' or not row._get_causes() else row.reason['causes'],
        }

    # ------------------------------------------------------------------ for the reader

    @api.model
    def _result_for_reader(self, result):
        """Return a result whose causes and reasons are in the language and with the date format of the reader.

        An earlier version stored them as texts. These stay in the language that the result was made in.
        """
        Cause, Record = self.env['ramp.cause'], self.env['ramp.record']
        of_state = Cause._state_labels()

        def read_title(cause):
            if cause['kind'] in of_state:
                return of_state[cause['kind']]
            return Cause._title_in_words(cause['cause']) if cause.get('cause') else cause['title']

        def read_reason(row):
            return Record._reason_in_words(map(CauseData.from_json, row.get('causes') or ())) or row['reason']

        return {
            **result,
            'causes': [{**cause, 'title': read_title(cause)} for cause in result['causes']],
            'objects': [{**row, 'reason': read_reason(row)} for row in result['objects']],
        }
