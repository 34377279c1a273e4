# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
from collections import defaultdict

from dateutil.relativedelta import relativedelta

from odoo import fields, models
from odoo.tools import SQL, format_date

from .ramp_tie_out_report import MEASURES, MEMO_MEASURE, SHOWN

# Months shown one by one; earlier months are part of the first opening balance
MOST_MONTHS = 240
SIDES = ('ramp', 'odoo')


class RampTieOutFigures(models.AbstractModel):
    """The figures: what is owed and what changes it, by entity, currency and month."""

    _inherit = 'report.ramp_connector.tie_out'

    def _flush_read_models(self):
        for model in ('ramp.record', 'account.move.line', 'account.move', 'account.payment', 'ramp.connection'):
            self.env[model].flush_model()

    def _entity_sections(self, connection, first, last):
        """Return one section of the report for each entity and currency."""
        self._flush_read_models()
        sums, odd = self._read_monthly_figures(connection, first, last)
        start = self._balances_before_start(connection, {(entity, currency) for entity, currency, *_rest in sums})
        keys = sorted({(entity, currency) for entity, currency, *_rest in sums} | set(start), key=str)
        currencies = (
            self.env['res.currency']
            .with_context(active_test=False)
            .browse({currency for _entity, currency in keys})
            .grouped('id')
        )
        differences = self._differences_by_month(connection, odd)
        names = connection.ramp_entities or {}
        return [
            self._entity_section(
                connection, key, currencies[key[1]], names, sums, start.get(key, {}), differences, first, last
            )
            for key in keys
        ]

    # ------------------------------------------------------------------ database queries

    def _read_monthly_figures(self, connection, first, last):
        """Return the monthly figures and the rows of objects that differ, up to the last month.

        :return: ({(entity, currency id, month, measure): (ramp, odoo, number of objects that differ)}, rows of these
            objects)
        """
        rows = self.env.execute_query(
            SQL(
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
            """,
                query=self.env['ramp.tie.out']._tie_out_query(connection.ids),
                last=last,
                shown=SHOWN,
            )
        )
        entities = defaultdict(set)
        for row in rows:
            if row[1]:
                entities[row[2]].add(row[1])
        sums, odd = {}, []
        for kind, entity, currency, month, measure, record, move, ramp, odoo, count in rows:
            # Manual entries belong to the only entity, or to none if there are several
            entity = entity or (next(iter(entities[currency])) if len(entities[currency]) == 1 else None)
            if kind:
                odd.append((entity, currency, month, measure, record, move, float(ramp), float(odoo)))
                continue
            before = sums.get((entity, currency, month, measure), (0, 0, 0))
            sums[entity, currency, month, measure] = (before[0] + ramp, before[1] + odoo, before[2] + count)
        return sums, odd

    def _balances_before_start(self, connection, keys):
        """Return what was owed before the start date, as {(entity, currency id): {'ramp': float, 'odoo': float}}.

        Amounts are in units of the currency. Ramp states its amount in the first statement that ends after the start
        date. Odoo has its amount only if somebody entered it.
        """
        found = defaultdict(lambda: dict.fromkeys(SIDES, 0.0))
        lines = self.env.execute_query(
            SQL(
                """
            WITH %(common)s
            SELECT i.currency_id, -sum(i.amount_currency) FROM item i WHERE i.date < %(start)s GROUP BY i.currency_id
            """,
                common=self.env['ramp.tie.out']._common_tables(connection.ids),
                start=connection.start_date,
            )
        )
        for currency, amount in lines:
            entities = {entity for entity, other in keys if other == currency and entity}
            found[next(iter(entities)) if len(entities) == 1 else None, currency]['odoo'] = float(amount)
        # A payload names thousands of lines, so only the first statements are read
        for entity, currency, payload in self.env.execute_query(
            SQL(
                """
                SELECT DISTINCT ON (ramp_entity_id, currency_id) ramp_entity_id, currency_id, payload FROM ramp_record
                 WHERE connection_id = %s AND flow = 'statement' AND date >= %s ORDER BY ramp_entity_id, currency_id, date, id
                """,
                connection.id,
                connection.start_date,
            )
        ):
            key = entity, currency
            # If a statement cannot be read, its row says why
            with contextlib.suppress(ValueError):
                section = self.env['ramp.flow.statement']._read_payload(payload)
                found[key]['ramp'] = float(section.opening.decimal_amount) + self._moved_before_start(
                    connection, key, section
                )
        return {key: sides for key, sides in found.items() if any(sides.values())}

    def _moved_before_start(self, connection, key, section):
        """Return what moved before the start date, if that day is in the middle of the statement."""
        rows = self.env.execute_query(
            SQL(
                """
            SELECT sum(CASE WHEN flow = 'transaction' THEN amount ELSE -amount END) FROM ramp_record
             WHERE connection_id = %s AND has_moved AND date < %s AND flow IN ('transaction', 'transfer', 'cashback')
               AND ramp_entity_id = %s AND currency_id = %s AND ramp_id = ANY(%s)
            """,
                connection.id,
                connection.start_date,
                *key,
                [identity for _kind, identity in section.lines],
            )
        )
        return float(rows[0][0] or 0)

    # ------------------------------------------------------------------ sections and months

    def _entity_section(self, connection, key, currency, names, sums, start, differences, first, last):
        entity, currency_id = key
        mine = {place[2:]: figures for place, figures in sums.items() if place[:2] == key}
        months = sorted({month for month, _measure in mine})
        begin = max(first or (months[0] if months else last), last - relativedelta(months=MOST_MONTHS - 1))
        total = {side: start.get(side, 0.0) for side in SIDES}
        odd = bool(currency.compare_amounts(total['ramp'], total['odoo']))
        initial = self._compare_both_sides(currency, total['ramp'], total['odoo'], odd)
        for month in months:
            if month < begin:
                odd = self._add_month_to_total(total, mine, month) or odd
        shown = []
        for month in self._months_between(begin, last):
            shown.append(self._month_of_section(currency, month, mine, total, odd, differences.get((*key, month), [])))
            odd = bool(shown[-1]['closing']['odd'])
        return {
            'entity': entity,
            'entity_name': names.get(entity) or entity or self.env._('No entity'),
            'currency': {'id': currency.id, 'name': currency.name, 'digits': currency.decimal_places},
            'start': initial,
            'start_date': fields.Date.to_string(connection.start_date),
            'months': shown,
            'is_zero': not odd and not currency.compare_amounts(total['ramp'], total['odoo']),
            'opening': shown[0]['opening'],
            'closing': shown[-1]['closing'],
            'lines': [
                self._measure_line(
                    currency,
                    measure,
                    *map(
                        sum,
                        zip(
                            (0, 0, 0),
                            *(
                                figures
                                for (month, name), figures in mine.items()
                                if name == measure and begin <= month <= last
                            ),
                            strict=True,
                        ),
                    ),
                )
                for measure in (*MEASURES, MEMO_MEASURE)
            ],
        }

    def _month_of_section(self, currency, month, mine, total, odd, told):
        """Return one month of a section, as JSON.

        :param mine: {(month, measure): (ramp, odoo, number of objects that differ)} of the section
        :param total: {side: what is owed} at the beginning of the month; changed to the amounts at its end
        :param odd: whether an object before the month differs
        :param told: the month's differences that are listed one by one
        """
        opening = self._compare_both_sides(currency, total['ramp'], total['odoo'], odd)
        month_odd = self._add_month_to_total(total, mine, month)
        lines = [
            self._measure_line(currency, measure, *mine.get((month, measure), (0, 0, 0)))
            for measure in (*MEASURES, MEMO_MEASURE)
        ]
        return {
            'month': f'{month:%Y-%m}',
            'label': format_date(self.env, month, date_format='MMMM yyyy'),
            'opening': opening,
            'lines': [line for line in lines if line['measure'] != 'other' or line['odd'] or line['odoo']],
            'closing': self._compare_both_sides(currency, total['ramp'], total['odoo'], odd or month_odd),
            'is_zero': not month_odd and not currency.compare_amounts(total['ramp'], total['odoo']),
            'differences': told,
            'more': max(0, sum(line['odd'] for line in lines) - len(told)),
        }

    @staticmethod
    def _add_month_to_total(total, mine, month):
        """Add the movements of a month to the total; return whether any object of the month differs."""
        odd = False
        for measure in (*MEASURES, MEMO_MEASURE):
            ramp, odoo, count = mine.get((month, measure), (0, 0, 0))
            odd = odd or bool(count)
            if measure != MEMO_MEASURE:
                total['ramp'] += float(ramp)
                total['odoo'] += float(odoo)
        return odd

    @staticmethod
    def _months_between(first, last):
        """Yield the first day of each month from the first to the last one."""
        month = first.replace(day=1)
        while month <= last:
            yield month
            month += relativedelta(months=1)

    def _compare_both_sides(self, currency, ramp, odoo, odd=0):
        sides = {'ramp': float(ramp), 'odoo': float(odoo), 'difference': float(ramp) - float(odoo)}
        return {
            # + 0.0 turns -0.0 into 0.0
            **{side: currency.round(amount) + 0.0 for side, amount in sides.items()},
            'odd': int(odd),
        }

    def _measure_line(self, currency, measure, ramp, odoo, odd):
        label = dict(self.env['ramp.tie.out']._fields['measure']._description_selection(self.env))[measure]
        return {
            'measure': measure,
            'label': label,
            'is_owed': measure != MEMO_MEASURE,
            **self._compare_both_sides(currency, ramp, odoo, odd),
        }
