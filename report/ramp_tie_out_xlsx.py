# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import io
import re
from datetime import date

from odoo.exceptions import UserError

LETTERS = 'ABCDEFGHIJKLMNOP'
# As in `ramp_tie_out_report`, which imports this file
MEMO_MEASURE = 'repayment'
# First row of the table, below the title (from 0)
FIRST_ROW = 4


class Workbook:
    """The tie-out as XLSX: a summary, a sheet for each entity and currency, the differences, accounts and open amounts.

    Figures are numbers with the decimals of their currency, days are dates. The summary takes its figures from the other
    sheets by formulas, and each sheet ends with a sum that meets it. Some texts come from other people. They are always
    written as texts, so that none becomes a formula or a link.
    """

    def __init__(self, env, report):
        try:
            import xlsxwriter
        except ImportError as error:
            # Odoo requires the library, but some servers lack it
            raise UserError(
                env._(
                    "The Python library XlsxWriter is missing on Odoo's server, so the workbook cannot be created. "
                    'Ask your server administrator to install it ("pip install XlsxWriter"). The PDF and the screen '
                    'show the same.'
                )
            ) from error

        self._env = env
        self._ = env._
        self.report = report
        self.output = io.BytesIO()
        self.book = xlsxwriter.Workbook(
            self.output, {'in_memory': True, 'strings_to_formulas': False, 'strings_to_urls': False}
        )
        self.bold = self.book.add_format({'bold': True})
        self.head = self.book.add_format({'bold': True, 'bottom': 1, 'bg_color': '#e9ecef', 'text_wrap': True})
        self.title = self.book.add_format({'bold': True, 'font_size': 14})
        self.day = self.book.add_format({'num_format': 'yyyy-mm-dd', 'align': 'left'})
        self.month = {
            bold: self.book.add_format({'num_format': 'mmmm yyyy', 'align': 'left', 'bold': bold})
            for bold in (False, True)
        }
        self._money = {}
        self._names = set()

    def as_bytes(self):
        summary = self._add_titled_sheet(self._('Summary'), self.report['title'], self._summary_columns())
        closings = [self._write_section_sheet(section) for section in self.report['sections']]
        self._write_differences_sheet()
        self._write_accounts_sheet()
        self._write_open_balances_sheet()
        self._write_open_differences_sheet()
        if self.report['rates']['rows']:
            self._write_rates_sheet()
        self._write_summary_sheet(summary, closings)
        self.book.close()
        return self.output.getvalue()

    # ------------------------------------------------------------------ summary

    def _summary_columns(self):
        return [
            (self._('Entity'), 34),
            (self._('Row'), 40),
            (self._('Ledger'), 18),
            (self._('Ramp'), 18),
            (self._('Difference'), 18),
            (self._('Explained'), 18),
            (self._('Unexplained'), 18),
            (self._('Count'), 10),
            (self._('Currency'), 10),
        ]

    def _write_summary_sheet(self, sheet, closings):
        """Write a block for each section: the balances, taken from its sheet, and what explains their difference.

        :param closings: [(sheet name, row of the closing balance)] of the sections
        """
        row = FIRST_ROW
        for section, (name, closing) in zip(self.report['sections'], closings, strict=True):
            summary, currency = section['summary'], section['currency']
            rows = [
                (row_of_kind['label'], row_of_kind) for row_of_kind in summary['kinds'] if not row_of_kind['is_memo']
            ]
            row += 1
            first, last, number = row + 2, row + 1 + len(rows), row + 1
            money = self._money_format(currency, bold=True)
            sheet.write_string(row, 0, section['entity_name'], self.bold)
            sheet.write_string(row, 1, self._('Closing balance'), self.bold)
            place = "'{}'!".format(name.replace("'", "''"))
            for column, letter, side in ((2, 'D', 'odoo'), (3, 'C', 'ramp')):
                sheet.write_formula(row, column, f'={place}{letter}{closing}', money, summary[side])
            sheet.write_formula(
                row, 4, f'=ROUND(D{number}-C{number},{currency["digits"]})', money, summary['difference']
            )
            explained = f'SUM(F{first}:F{last})' if rows else '0'
            sheet.write_formula(row, 5, f'=ROUND({explained},{currency["digits"]})', money, summary['explained'])
            sheet.write_formula(
                row, 6, f'=ROUND(E{number}-F{number},{currency["digits"]})', money, summary['unexplained']
            )
            sheet.write_number(row, 7, summary['count'], self.bold)
            sheet.write_string(row, 8, currency['name'], self.bold)
            for label, item in rows:
                row += 1
                sheet.write_string(row, 0, section['entity_name'])
                sheet.write_string(row, 1, label)
                sheet.write_number(row, 5 if item['is_explained'] else 6, item['amount'], self._money_format(currency))
                sheet.write_number(row, 7, item['count'])
                sheet.write_string(row, 8, currency['name'])
        self._add_filter(sheet, row, 8)
        for section in self.report['sections']:
            row += 1
            sheet.write_string(
                row + 1, 0, f'{section["entity_name"]} ({section["currency"]["name"]}): {section["summary"]["text"]}'
            )
        for sign_off in self.report['sign_offs']:
            row += 1
            sheet.write_string(row + 1, 0, sign_off['text'], self.bold if sign_off['is_changed'] else None)
        for accrual in self.report['accruals']:
            row += 1
            sheet.write_string(row + 1, 0, accrual['text'], self.bold if accrual['is_odd'] else None)

    # ------------------------------------------------------------------ sheets

    def _write_section_sheet(self, section):
        """Write the months of a section that have any figures; return (sheet name, row of the closing balance)."""
        title = f'{section["entity_name"]} - {section["currency"]["name"]}'
        sheet = self._add_titled_sheet(
            f'{section["currency"]["name"]} {section["entity_name"]}',
            title,
            [(self._('Month'), 16), (self._('Row'), 34), *self._amount_columns(), (self._('Differences'), 12)],
        )
        currency, row = section['currency'], FIRST_ROW + 1
        start = section['start']
        if start['ramp'] or start['odoo']:
            self._write_figures_row(sheet, row, ['', self._('Owed before %s', section['start_date'])], start, currency)
            row += 1
        parts, opening = [], row + 1
        for month in section['months']:
            if not month['is_empty'] or month == section['months'][-1]:
                row, part, closing = self._write_month_rows(sheet, row, month, currency)
                parts.append(part)
        self._add_filter(sheet, row - 1, 5)
        # The checksum is zero: opening balance and movements add up to the closing balance
        sheet.write_string(row + 1, 1, self._('Checksum: opening + rows - closing'), self.bold)
        for column, side in enumerate(('ramp', 'odoo', 'difference'), 2):
            letter = 'ABCDEF'[column]
            sums = ''.join(f'+SUM({letter}{first}:{letter}{last})' for first, last in parts if first <= last)
            sheet.write_formula(
                row + 1,
                column,
                f'=ROUND({letter}{opening}{sums}-{letter}{closing},{currency["digits"]})',
                self._money_format(currency, bold=True),
                self._section_checksum(section, side),
            )
        return sheet.get_name(), closing

    def _write_month_rows(self, sheet, row, month, currency):
        """Write a month: its opening balance, the movements, its closing balance, and what is shown beside them.

        :param row: row (from 0) to begin at
        :return: (next row, (first, last) row of the movements, row of the closing balance); the next row counts from 0,
            the others from 1, as the workbook does
        """
        label, lines = (
            date.fromisoformat(f'{month["month"]}-01'),
            [line for line in month['lines'] if not line['is_empty']],
        )
        owed = [line for line in lines if line['is_owed']]
        part = row + 2, row + 1 + len(owed)
        self._write_figures_row(sheet, row, [label, self._('Opening balance')], month['opening'], currency, bold=True)
        for line in owed:
            row += 1
            self._write_figures_row(sheet, row, [label, line['label']], line, currency)
        row += 1
        closing = row + 1
        self._write_figures_row(sheet, row, [label, self._('Closing balance')], month['closing'], currency, bold=True)
        for line in lines:
            if not line['is_owed']:
                row += 1
                self._write_figures_row(
                    sheet, row, [label, self._('Memo (not in the balance): %s', line['label'])], line, currency
                )
        return row + 1, part, closing

    def _section_checksum(self, section, side):
        moved = sum(line[side] for month in section['months'] for line in month['lines'] if line['is_owed'])
        return round(section['opening'][side] + moved - section['closing'][side], section['currency']['digits']) + 0.0

    def _difference_rows(self, section):
        """Return the rows of a section on the sheet of differences: (texts, figures, whether they are in the balance).

        They add up to the closing difference, because what is not listed one by one is one row.
        """
        rows = []
        carried = self._('Carried forward from earlier months')
        if section['start']['odd']:
            rows.append(([carried, '', self._('Owed before %s', section['start_date'])], section['start'], True))
        rows += [([carried, *self._difference_texts(item)], item, True) for item in section['carried']['rows']]
        if section['carried']['more']:
            figures = {'ramp': 0, 'odoo': 0, 'difference': section['carried']['more_amount']}
            rows.append(([carried, '', self._('%s more', section['carried']['more'])], figures, True))
        for month in section['months']:
            day = date.fromisoformat(f'{month["month"]}-01')
            rows += [
                ([day, *self._difference_texts(item)], item, item['measure'] != MEMO_MEASURE)
                for item in month['differences']
            ]
            if month['more']:
                digits = section['currency']['digits']
                figures = {
                    side: round(
                        sum(line[side] for line in month['lines'] if line['odd'])
                        - sum(item[side] for item in month['differences']),
                        digits,
                    )
                    for side in ('ramp', 'odoo', 'difference')
                }
                # The objects of such a line that do not differ have no difference either
                figures['ramp'] = figures['odoo'] = 0
                rows.append(([day, '', self._('%s more', month['more'])], figures, True))
        return rows

    def _difference_texts(self, item):
        return [
            self.report['kinds'].get(item['kind'], item['kind']),
            item['name'],
            item['entry'] or '',
            item['ramp_id'] or '',
            date.fromisoformat(item['date']) if item['date'] else '',
            item['text'] or '',
            item['url'] or '',
        ]

    def _difference_columns(self):
        return [
            (self._('Kind'), 18),
            (self._('Object or entry'), 34),
            (self._('Entry'), 22),
            (self._('Ramp ID'), 38),
            (self._('Date'), 12),
            (self._('Explanation'), 70),
            (self._('In Ramp'), 30),
            *self._amount_columns(),
            (self._('Currency'), 10),
        ]

    def _write_differences_sheet(self):
        sheet = self._add_titled_sheet(
            self._('Differences'),
            self.report['status']['text'],
            [
                (self._('Entity'), 30),
                (self._('Month'), 24),
                *self._difference_columns(),
                (self._('In the balance'), 12),
            ],
        )
        row, sums = FIRST_ROW, []
        for section in self.report['sections']:
            total = 0
            for texts, figures, is_owed in self._difference_rows(section):
                row += 1
                texts = [section['entity_name'], *texts, *[''] * (8 - len(texts))]
                self._write_figures_row(sheet, row, texts, figures, section['currency'], code=True)
                sheet.write_string(row, 13, 'x' if is_owed else '')
                total += figures['difference'] if is_owed else 0
            sums.append((section, total))
        last = row + 1
        self._add_filter(sheet, row, 13)
        row += 1
        for section, total in sums:
            row += 1
            name, money = section['entity_name'], section['currency']
            sheet.write_string(row, 0, name)
            sheet.write_string(row, 8, self._('Closing difference %s', money['name']), self.bold)
            area = f'{FIRST_ROW + 2}:{{0}}{last}'
            condition = ','.join(
                f'{letter}{area.format(letter)},{value}'
                for letter, value in (('A', f'A{row + 1}'), ('M', f'"{money["name"]}"'), ('N', '"x"'))
            )
            sheet.write_formula(
                row,
                11,
                f'=ROUND(SUMIFS(L{area.format("L")},{condition}),{money["digits"]})',
                self._money_format(money, bold=True),
                round(total, money['digits']) + 0.0,
            )
            sheet.write_string(row, 12, money['name'])

    def _write_accounts_sheet(self):
        rows = [(section, account) for section in self.report['sections'] for account in section['accounts']]
        if not rows:
            return
        sheet = self._add_titled_sheet(
            self._('Accounts'),
            self._('Ledger by account at the end of the period'),
            [
                (self._('Entity'), 34),
                (self._('Code'), 14),
                (self._('Account'), 40),
                (self._('Odoo'), 18),
                (self._('Currency'), 10),
            ],
        )
        for number, (section, account) in enumerate(rows, FIRST_ROW + 1):
            for column, text in enumerate((section['entity_name'], account['code'], account['name'])):
                sheet.write_string(number, column, text)
            sheet.write_number(number, 3, account['odoo'], self._money_format(section['currency']))
            sheet.write_string(number, 4, section['currency']['name'])
        self._add_filter(sheet, FIRST_ROW + len(rows), 4)
        row, last = FIRST_ROW + 1 + len(rows), FIRST_ROW + 1 + len(rows)
        for section in self.report['sections']:
            row += 1
            money = section['currency']
            sheet.write_string(row, 0, section['entity_name'])
            sheet.write_string(row, 2, self._('Closing balance %s', money['name']), self.bold)
            first = FIRST_ROW + 2
            sheet.write_formula(
                row,
                3,
                f'=ROUND(SUMIFS(D{first}:D{last},A{first}:A{last},A{row + 1},E{first}:E{last},"{money["name"]}"),{money["digits"]})',
                self._money_format(money, bold=True),
                round(sum(account['odoo'] for account in section['accounts']), money['digits']) + 0.0,
            )
            sheet.write_string(row, 4, money['name'])

    def _write_open_balances_sheet(self):
        rows = [
            (row['currency'], [part['title'], row['name']], row) for part in self.report['open'] for row in part['rows']
        ]
        sheet = self._add_titled_sheet(
            self._('Open'),
            self._('Open bills and reimbursements'),
            [
                (self._('Part'), 34),
                (self._('Partner'), 40),
                *self._amount_columns(),
                (self._('Currency'), 10),
                (self._('Differences'), 12),
            ],
        )
        for number, (currency, texts, figures) in enumerate(rows, FIRST_ROW + 1):
            self._write_figures_row(sheet, number, texts, figures, currency, code=True)
            sheet.write_number(number, len(texts) + 4, figures['odd'])
        self._add_filter(sheet, FIRST_ROW + len(rows), 6)
        self._write_currency_sums(
            sheet, FIRST_ROW + 1 + len(rows), 2, [(currency, figures) for currency, _texts, figures in rows]
        )

    def _write_open_differences_sheet(self):
        rows = [
            (row['currency'], [part['title'], row['name'], *self._difference_texts(item)], item)
            for part in self.report['open']
            for row in part['rows']
            for item in row['differences']
        ]
        if not rows:
            return
        sheet = self._add_titled_sheet(
            self._('Open differences'),
            self._('Open bills and reimbursements'),
            [(self._('Part'), 34), (self._('Partner'), 40), *self._difference_columns()],
        )
        for number, (currency, texts, figures) in enumerate(rows, FIRST_ROW + 1):
            self._write_figures_row(sheet, number, texts, figures, currency, code=True)
        self._add_filter(sheet, FIRST_ROW + len(rows), 12)
        self._write_currency_sums(
            sheet, FIRST_ROW + 1 + len(rows), 9, [(currency, figures) for currency, _texts, figures in rows]
        )

    def _write_rates_sheet(self):
        rates = self.report['rates']
        sheet = self._add_titled_sheet(
            self._('Exchange Rates'),
            rates['title'],
            [
                (self._('Currency'), 10),
                (self._('Amount'), 24),
                (self._("At Odoo's rates"), 18),
                (self._('As posted'), 18),
                (self._('Difference'), 18),
                (self._('Differs by more than allowed'), 12),
            ],
        )
        for number, row in enumerate(rates['rows'], FIRST_ROW + 1):
            self._write_figures_row(sheet, number, [row['code'], row['name']], row, rates['currency'])
        self._add_filter(sheet, FIRST_ROW + len(rates['rows']), 5)

    # ------------------------------------------------------------------ cells

    def _amount_columns(self):
        return [(self._('Ramp'), 18), (self._('Odoo'), 18), (self._('Difference'), 18)]

    def _add_titled_sheet(self, name, title, columns):
        name = re.sub(r'[\[\]:*?/\\\x00-\x1f]', ' ', name).strip("' ")[:31].strip("' ") or self._('Section')
        unique, number = name, 1
        while unique.lower() in self._names:
            number += 1
            unique = f'{name[:27]} {number}'
        self._names.add(unique.lower())
        sheet = self.book.add_worksheet(unique)
        about, status = self.report['connection'], self.report['status']
        for row, text in enumerate(
            (
                title,
                f'{about["company"]}, {about["name"]}, {self.report["period"]["label"]}',
                f'{status["text"]}. {status["note"]}',
                self.report['printed'],
            )
        ):
            sheet.write_string(row, 0, text, self.title if not row else None)
        for column, (label, width) in enumerate(columns):
            sheet.write_string(FIRST_ROW, column, label, self.head)
            sheet.set_column(column, column, width)
        sheet.freeze_panes(FIRST_ROW + 1, 0)
        sheet.set_landscape()
        sheet.repeat_rows(FIRST_ROW)
        sheet.fit_to_pages(1, 0)
        return sheet

    def _add_filter(self, sheet, last_row, last_column):
        """Let readers filter the table, without its sums."""
        if last_row > FIRST_ROW:
            sheet.autofilter(FIRST_ROW, 0, last_row, last_column)

    def _money_format(self, currency, bold=False):
        key = currency['name'], currency['digits'], bold
        if key not in self._money:
            digits = f'.{"0" * currency["digits"]}' if currency['digits'] else ''
            self._money[key] = self.book.add_format({'num_format': f'#,##0{digits}', 'bold': bold})
        return self._money[key]

    def _write_figures_row(self, sheet, row, texts, figures, currency, bold=False, code=False):
        """Write a row: texts or days, then Ramp, Odoo and the difference.

        A day in the first two columns stands for its month. The last cell is the currency, or the number of objects
        that differ.
        """
        for column, text in enumerate(texts):
            if isinstance(text, date):
                sheet.write_datetime(row, column, text, self.month[bold] if column < 2 else self.day)
            else:
                sheet.write_string(row, column, text, self.bold if bold else None)
        for column, side in enumerate(('ramp', 'odoo', 'difference'), len(texts)):
            sheet.write_number(row, column, figures[side], self._money_format(currency, bold))
        if code:
            sheet.write_string(row, len(texts) + 3, currency['name'])
        elif 'odd' in figures:
            sheet.write_number(row, len(texts) + 3, figures['odd'])

    def _write_currency_sums(self, sheet, row, column, figures):
        """Write a sum for each currency."""
        code = LETTERS[column + 3]
        last = row
        for currency in {money['name']: money for money, _figures in figures}.values():
            row += 1
            sheet.write_string(row, column - 1, self._('Checksum %s', currency['name']), self.bold)
            for place, side in enumerate(('ramp', 'odoo', 'difference'), column):
                letter = LETTERS[place]
                area = f'{FIRST_ROW + 2}:{{0}}{last}'
                total = sum(item[side] for money, item in figures if money['name'] == currency['name'])
                sheet.write_formula(
                    row,
                    place,
                    f'=SUMIF({code}{area.format(code)},"{currency["name"]}",{letter}{area.format(letter)})',
                    self._money_format(currency, bold=True),
                    round(total, currency['digits']) + 0.0,
                )
            sheet.write_string(row, column + 3, currency['name'])
