# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
from collections import defaultdict
from datetime import date
from typing import NamedTuple

from dateutil.relativedelta import relativedelta

from odoo import fields, models
from odoo.tools import SQL, format_date

from .ramp_tie_out_report import EPOCH, MEASURES, MEMO_MEASURE, WHOLE_LISTS

# Months shown one by one; earlier months are part of the first opening balance
MOST_MONTHS = 240
SIDES = ('ramp', 'odoo')
# Parts of the one query of all figures: rows by month, at the end of the period, and carried forward from before it;
# what is on the accounts at its end, and what was before the start date
PARTS = {'sums': 0, 'monthly': 1, 'at_end': 2, 'carried': 3, 'kinds': 4, 'carried_sums': 5, 'accounts': 6, 'before': 7}


class OddRow(NamedTuple):
    """An object whose sides differ, in a month or over all months before the period."""

    entity: str | None
    currency_id: int
    month: date | None
    measure: str
    record_id: int | None
    move_id: int | None
    ramp: float
    odoo: float
    kind: str
    is_explained: bool


class MonthlyFigures(NamedTuple):
    """What `_read_monthly_figures` found. Sums were made and compared exactly, in the database."""

    # {(entity, currency id, month, measure): (Ramp, Odoo, number of objects that differ)}
    sums: dict
    # [OddRow]: the largest differences of each month, and of what is carried forward
    monthly: list
    carried: list
    # {(entity, currency id): [(kind, is explained, is memo, difference, number)]} at the end of the period
    kinds: dict
    # {(entity, currency id): (difference, number of objects)} of all that is carried forward
    carried_sums: dict
    # [(entity or None, currency id, account id, amount in Odoo)] at the end of the period
    accounts: list
    # {currency id: amount in Odoo} before the start date
    before: dict


class RampTieOutFigures(models.AbstractModel):
    """The figures: what is owed and what changes it, by entity, currency and month."""

    _inherit = 'report.ramp_connector.tie_out'

    def _flush_read_models(self):
        for model in (
            'ramp.record',
            'account.move.line',
            'account.move',
            'account.payment',
            'ramp.connection',
            'ramp.accrual',
            'ramp.accrual.line',
        ):
            self.env[model].flush_model()

    def _entity_sections(self, connection, first, last, listing):
        """Return one section of the report for each entity and currency. `listing`: see `Listing`."""
        self._flush_read_models()
        figures = self._read_monthly_figures(connection, first, last, listing)
        sums = figures.sums
        start = self._balances_before_start(
            connection, {(entity, currency) for entity, currency, *_rest in sums}, figures.before
        )
        keys = sorted({(entity, currency) for entity, currency, *_rest in sums} | set(start), key=str)
        currencies = (
            self.env['res.currency']
            .with_context(active_test=False)
            .browse({currency for _entity, currency in keys})
            .grouped('id')
        )
        differences, carried = defaultdict(list), defaultdict(list)
        listed = figures.monthly + figures.carried
        for number, (row, item) in enumerate(zip(listed, self._describe_differences(listed), strict=True)):
            if number < len(figures.monthly):
                differences[row.entity, row.currency_id, row.month].append(item)
            else:
                carried[row.entity, row.currency_id].append(item)
        names = connection.ramp_entities or {}
        accounts = self._ledger_by_account(figures.accounts, keys)
        sections = []
        for key in keys:
            currency, before = currencies[key[1]], start.get(key, {})
            section = self._entity_section(connection, key, currency, names, sums, before, differences, first, last)
            section['carried'] = self._carried_forward(
                currency, section, carried[key], figures.carried_sums.get(key, (0, 0))
            )
            section['accounts'] = self._account_balances(currency, accounts.get(key, {}))
            section['summary'] = self._section_summary(currency, section, figures.kinds.get(key, []))
            sections.append(section)
        return sections

    # ------------------------------------------------------------------ database queries

    @staticmethod
    def _listed_rows_condition(listing):
        """Return the condition of the rows that are listed one by one: the largest of each list."""
        lists = [SQL('part = %s', PARTS['carried'])] if listing.carried else []
        if listing.months is None:
            lists.append(SQL('part = %s', PARTS['monthly']))
        elif listing.months:
            lists.append(SQL('part = %s AND month = ANY(%s)', PARTS['monthly'], list(listing.months)))
        return SQL(
            'place > %s AND place <= %s AND (%s)',
            listing.page * listing.size,
            (listing.page + 1) * listing.size,
            SQL(' OR ').join(lists),
        )

    def _read_monthly_figures(self, connection, first, last, listing=WHOLE_LISTS):
        """Return the figures up to the last month, and what differs, as `MonthlyFigures`."""
        TieOut = self.env['ramp.tie.out']
        begin = max(first or EPOCH, last - relativedelta(months=MOST_MONTHS - 1))
        rows = self.env.execute_query(
            SQL(
                """
            WITH %(tables)s, t AS MATERIALIZED (%(query)s
            ), o AS MATERIALIZED (
                -- what differs, and by how much over all months
                SELECT *, sum(difference) OVER (PARTITION BY record_id, move_id, currency_id) AS whole
                  FROM t WHERE is_odd
            ), d AS (
                SELECT %(monthly)s AS part, ramp_entity_id, currency_id, month, measure, record_id, move_id, ramp_amount, odoo_amount,
                       difference, whole
                  FROM o WHERE month <= %(last)s
                UNION ALL
                SELECT %(at_end)s, ramp_entity_id, currency_id, NULL, measure, record_id, move_id, sum(ramp_amount), sum(odoo_amount),
                       sum(difference), whole
                  FROM o WHERE month <= %(last)s
                 GROUP BY ramp_entity_id, currency_id, measure, record_id, move_id, whole HAVING sum(difference) <> 0
                UNION ALL
                SELECT %(carried)s, ramp_entity_id, currency_id, NULL, measure, record_id, move_id, sum(ramp_amount), sum(odoo_amount),
                       sum(difference), whole
                  FROM o WHERE month < %(begin)s AND measure <> %(memo)s
                 GROUP BY ramp_entity_id, currency_id, measure, record_id, move_id, whole HAVING sum(difference) <> 0
            ), n AS MATERIALIZED (%(named)s)
            SELECT %(sums)s, ramp_entity_id, currency_id, month, measure, NULL::int, NULL::int, sum(ramp_amount), sum(odoo_amount),
                   count(*) FILTER (WHERE is_odd), NULL, NULL::boolean
              FROM t WHERE month <= %(last)s GROUP BY ramp_entity_id, currency_id, month, measure
            UNION ALL
            SELECT part, ramp_entity_id, currency_id, month, measure, record_id, move_id, ramp_amount, odoo_amount, 1, kind, is_explained
              FROM (SELECT *, row_number() OVER (PARTITION BY part, ramp_entity_id, currency_id, month
                                                 ORDER BY abs(difference) DESC, record_id, move_id) AS place
                      FROM n WHERE part <> %(at_end)s) p
             WHERE %(listed)s
            UNION ALL
            SELECT CASE part WHEN %(at_end)s THEN %(kinds)s ELSE %(carried_sums)s END, ramp_entity_id, currency_id, NULL,
                   CASE measure WHEN %(memo)s THEN %(memo)s END, NULL, NULL, sum(ramp_amount), sum(odoo_amount), count(*), kind,
                   is_explained
              FROM n WHERE part <> %(monthly)s GROUP BY part, ramp_entity_id, currency_id, 5, kind, is_explained
            UNION ALL
            SELECT %(accounts)s, ramp_entity_id, currency_id, NULL, NULL, account_id, NULL, 0, -sum(amount_currency), 0, NULL, NULL
              FROM item WHERE date < %(end)s GROUP BY ramp_entity_id, currency_id, account_id
            UNION ALL
            SELECT %(before)s, NULL, currency_id, NULL, NULL, NULL, NULL, 0, -sum(amount_currency), 0, NULL, NULL
              FROM item WHERE date < %(start)s GROUP BY currency_id
            """,
                tables=TieOut._part_tables(connection.ids),
                query=TieOut._sum_of_parts(),
                start=connection.start_date,
                end=max(last + relativedelta(months=1), connection.start_date),
                named=self._named_rows_query(SQL('SELECT * FROM d'), last),
                last=last,
                begin=begin,
                memo=MEMO_MEASURE,
                listed=self._listed_rows_condition(listing),
                **PARTS,
            )
        )
        entities = defaultdict(set)
        for row in rows:
            if row[1] and row[0] != PARTS['accounts']:
                entities[row[2]].add(row[1])
        figures = MonthlyFigures({}, [], [], defaultdict(list), {}, [], {})
        for part, entity, currency, month, measure, record, move, ramp, odoo, count, kind, is_explained in rows:
            if part == PARTS['accounts']:
                figures.accounts.append((entity, currency, record, odoo))
                continue
            if part == PARTS['before']:
                figures.before[currency] = odoo
                continue
            # Manual entries belong to the only entity, or to none if there are several
            entity = entity or (next(iter(entities[currency])) if len(entities[currency]) == 1 else None)
            if part in (PARTS['monthly'], PARTS['carried']):
                row = OddRow(
                    entity, currency, month, measure, record, move, float(ramp), float(odoo), kind, is_explained
                )
                (figures.monthly if part == PARTS['monthly'] else figures.carried).append(row)
            elif part == PARTS['kinds']:
                figures.kinds[entity, currency].append((kind, is_explained, bool(measure), ramp - odoo, count))
            elif part == PARTS['carried_sums']:
                before = figures.carried_sums.get((entity, currency), (0, 0))
                figures.carried_sums[entity, currency] = (before[0] + ramp - odoo, before[1] + count)
            else:
                before = figures.sums.get((entity, currency, month, measure), (0, 0, 0))
                figures.sums[entity, currency, month, measure] = (before[0] + ramp, before[1] + odoo, before[2] + count)
        return figures

    def _balances_before_start(self, connection, keys, before=None):
        """Return what was owed before the start date, as {(entity, currency id): {'ramp': float, 'odoo': float}}.

        Amounts are in units of the currency. Ramp states its amount in the first statement that ends after the start
        date. Odoo has its amount only if somebody entered it.

        :param before: Odoo's amounts, see `MonthlyFigures`; None: they are read
        """
        if before is None:
            before = self._read_before_start(connection)
        found = defaultdict(lambda: dict.fromkeys(SIDES, 0.0))
        for currency, amount in before.items():
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

    def _read_before_start(self, connection):
        """Return {currency id: amount in Odoo} before the start date."""
        return dict(
            self.env.execute_query(
                SQL(
                    """
            WITH %(common)s
            SELECT i.currency_id, -sum(i.amount_currency) FROM item i WHERE i.date < %(start)s GROUP BY i.currency_id
            """,
                    common=self.env['ramp.tie.out']._common_tables(connection.ids),
                    start=connection.start_date,
                )
            )
        )

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
            # Nothing moved. Screens leave it out, unless it is the last month
            'is_empty': all(line['is_empty'] for line in lines),
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
            'is_empty': not (ramp or odoo or odd),
            **self._compare_both_sides(currency, ramp, odoo, odd),
        }
