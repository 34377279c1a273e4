# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import io
import re

from odoo.exceptions import UserError

# First row of the table, below the title (from 0)
FIRST_ROW = 4


class Workbook:
    """The tie-out as XLSX: a sheet for each entity and currency, one with all differences, one with open amounts.

    Figures are numbers, and each sheet ends with a sum that a reader can check. Some texts come from other people. They
    are always written as texts, so that none becomes a formula or a link.
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
        self._money = {}
        self._names = set()

    def as_bytes(self):
        for section in self.report['sections']:
            self._write_section_sheet(section)
        self._write_differences_sheet()
        self._write_open_balances_sheet()
        if self.report['rates']['rows']:
            self._write_rates_sheet()
        self.book.close()
        return self.output.getvalue()

    # ------------------------------------------------------------------ sheets

    def _write_section_sheet(self, section):
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
            row, part, closing = self._write_month_rows(sheet, row, month, currency)
            parts.append(part)
        # The checksum is zero: opening balance and movements add up to the closing balance
        sheet.write_string(row + 1, 1, self._('Checksum: opening + rows - closing'), self.bold)
        for column, side in enumerate(('ramp', 'odoo', 'difference'), 2):
            letter = 'ABCDEF'[column]
            sums = ''.join(f'+SUM({letter}{first}:{letter}{last})' for first, last in parts)
            sheet.write_formula(
                row + 1,
                column,
                f'=ROUND({letter}{opening}{sums}-{letter}{closing},{currency["digits"]})',
                self._money_format(currency, bold=True),
                self._section_checksum(section, side),
            )

    def _write_month_rows(self, sheet, row, month, currency):
        """Write a month: its opening balance, the movements, its closing balance, and what is shown beside them.

        :param row: row (from 0) to begin at
        :return: (next row, (first, last) row of the movements, row of the closing balance); the next row counts from 0,
            the others from 1, as the workbook does
        """
        label, owed = month['label'], [line for line in month['lines'] if line['is_owed']]
        part = row + 2, row + 1 + len(owed)
        self._write_figures_row(sheet, row, [label, self._('Opening balance')], month['opening'], currency, bold=True)
        for line in owed:
            row += 1
            self._write_figures_row(sheet, row, [label, line['label']], line, currency)
        row += 1
        closing = row + 1
        self._write_figures_row(sheet, row, [label, self._('Closing balance')], month['closing'], currency, bold=True)
        for line in month['lines']:
            if not line['is_owed']:
                row += 1
                self._write_figures_row(
                    sheet, row, [label, self._('Memo (not in the balance): %s', line['label'])], line, currency
                )
        return row + 1, part, closing

    def _section_checksum(self, section, side):
        moved = sum(line[side] for month in section['months'] for line in month['lines'] if line['is_owed'])
        return round(section['opening'][side] + moved - section['closing'][side], section['currency']['digits']) + 0.0

    def _write_differences_sheet(self):
        rows = [
            (
                section['currency'],
                [
                    section['entity_name'],
                    month['label'],
                    self.report['kinds'].get(item['kind'], item['kind']),
                    item['name'],
                    item['date'] or '',
                    item['text'] or '',
                    item['url'] or '',
                ],
                item,
            )
            for section in self.report['sections']
            for month in section['months']
            for item in month['differences']
        ]
        rows += [
            (
                section['currency'],
                [section['entity_name'], '', '', self._('Owed before %s', section['start_date']), '', '', ''],
                section['start'],
            )
            for section in self.report['sections']
            if section['start']['odd']
        ]
        rows += [
            (
                row['currency'],
                [
                    part['title'],
                    row['name'],
                    self.report['kinds'].get(item['kind'], item['kind']),
                    item['name'],
                    item['date'] or '',
                    item['text'] or '',
                    item['url'] or '',
                ],
                item,
            )
            for part in self.report['open']
            for row in part['rows']
            for item in row['differences']
        ]
        sheet = self._add_titled_sheet(
            self._('Differences'),
            self.report['status']['text'],
            [
                (self._('Part'), 30),
                (self._('Month or partner'), 24),
                (self._('Kind'), 18),
                (self._('Object or entry'), 34),
                (self._('Date'), 12),
                (self._('Explanation'), 70),
                (self._('In Ramp'), 30),
                *self._amount_columns(),
                (self._('Currency'), 10),
            ],
        )
        for number, (currency, texts, figures) in enumerate(rows, FIRST_ROW + 1):
            self._write_figures_row(sheet, number, texts, figures, currency, code=True)
        self._write_currency_sums(
            sheet, FIRST_ROW + 1 + len(rows), 7, [(currency, figures) for currency, _texts, figures in rows]
        )

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
        self._write_currency_sums(
            sheet, FIRST_ROW + 1 + len(rows), 2, [(currency, figures) for currency, _texts, figures in rows]
        )

    def _write_rates_sheet(self):
        rates = self.report['rates']
        sheet = self._add_titled_sheet(
            self._('Rates'),
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

    def _money_format(self, currency, bold=False):
        key = currency['name'], currency['digits'], bold
        if key not in self._money:
            digits = f'.{"0" * currency["digits"]}' if currency['digits'] else ''
            self._money[key] = self.book.add_format({'num_format': f'#,##0{digits}', 'bold': bold})
        return self._money[key]

    def _write_figures_row(self, sheet, row, texts, figures, currency, bold=False, code=False):
        """Write a row: texts, then Ramp, Odoo and the difference.

        The last cell is the currency, or the number of objects that differ.
        """
        for column, text in enumerate(texts):
            sheet.write_string(row, column, text, self.bold if bold else None)
        for column, side in enumerate(('ramp', 'odoo', 'difference'), len(texts)):
            sheet.write_number(row, column, figures[side], self._money_format(currency, bold))
        if code:
            sheet.write_string(row, len(texts) + 3, currency['name'])
        elif 'odd' in figures:
            sheet.write_number(row, len(texts) + 3, figures['odd'])

    def _write_currency_sums(self, sheet, row, column, figures):
        """Write a sum for each currency."""
        code = 'ABCDEFGHIJK'[column + 3]
        for currency in {money['name']: money for money, _figures in figures}.values():
            row += 1
            sheet.write_string(row, column - 1, self._('Checksum %s', currency['name']), self.bold)
            for place, side in enumerate(('ramp', 'odoo', 'difference'), column):
                letter = 'ABCDEFGHIJK'[place]
                area = f'{FIRST_ROW + 2}:{{0}}{row}'
                total = sum(item[side] for money, item in figures if money['name'] == currency['name'])
                sheet.write_formula(
                    row,
                    place,
                    f'=SUMIF({code}{area.format(code)},"{currency["name"]}",{letter}{area.format(letter)})',
                    self._money_format(currency, bold=True),
                    round(total, currency['digits']) + 0.0,
                )
            sheet.write_string(row, column + 4, currency['name'])
