# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo.tools import format_date

from .ramp_tie_out_xlsx import FIRST_ROW, Workbook


class DryRunWorkbook(Workbook):
    """The result of a dry run as XLSX: causes, sums, entries, and the objects that would not be posted."""

    def __init__(self, env, run):
        """Create the workbook.

        :param run: `ramp.dry.run` with a result
        """
        period = [format_date(env, day) if day else '' for day in (run.date_from, run.date_to)]
        super().__init__(
            env,
            {
                'connection': {'company': run.company_id.name, 'name': run.connection_id.name},
                'period': {'label': ' - '.join(period) if any(period) else env._('All dates')},
                'status': {'text': env._('Dry run: nothing was posted'), 'note': run.summary},
                'printed': env['report.ramp_connector.tie_out']._printed_in_words(),
            },
        )
        self.result = run._result_for_reader(run.result)
        self._flows = dict(run._fields['flow']._description_selection(env))
        self._places = run._place_labels()
        self._states = dict(env['ramp.record']._fields['state']._description_selection(env))
        self._digits = {
            currency.name: currency.decimal_places
            for currency in env['res.currency'].with_context(active_test=False).search([])
        }

    def as_bytes(self):
        """Return the content of the file."""
        self._write_causes_sheet()
        self._write_totals_sheet()
        self._write_entries_sheet()
        self._write_objects_sheet()
        self.book.close()
        return self.output.getvalue()

    # ------------------------------------------------------------------ sheets

    def _write_causes_sheet(self):
        """Write a row for each cause and currency. The number of objects is on the first of them only."""
        rows = []
        for cause in self.result['causes']:
            amounts = list(cause['amounts'].items()) or [('', None)]
            for number, (code, amount) in enumerate(amounts):
                rows.append(
                    [
                        cause['count'] if not number else '',
                        (amount, code),
                        code,
                        cause['title'],
                        self._places.get(cause['place']),
                        ', '.join(cause['examples']),
                    ]
                )
        self._write_table(
            self._('Causes'),
            self._('What would be on hold, by cause'),
            [
                (self._('Objects'), 10),
                (self._('Amount'), 18),
                (self._('Currency'), 10),
                (self._('Cause'), 80),
                (self._('Where'), 20),
                (self._('For Example'), 50),
            ],
            rows,
        )

    def _write_totals_sheet(self):
        own = self.result['currency']
        self._write_table(
            self._('Sums'),
            self._('What would be posted, by month and account'),
            [
                (self._('Month'), 10),
                (self._('Account'), 12),
                (self._('Name'), 40),
                (self._('Currency'), 10),
                (self._('In Currency'), 18),
                (self._('Debit'), 18),
                (self._('Credit'), 18),
                (self._('Balance'), 18),
            ],
            [
                [
                    total['month'],
                    total['account'],
                    total['account_name'],
                    total['currency'],
                    (total['amount'], total['currency']),
                    *((total[key], own) for key in ('debit', 'credit', 'balance')),
                ]
                for total in self.result['totals']
            ],
        )

    def _write_entries_sheet(self):
        own = self.result['currency']
        rows = []
        for number, entry in enumerate(self.result['entries'], 1):
            head = [
                number,
                entry['date'],
                entry['journal'],
                self._flows.get(entry['flow']),
                entry['object'],
                entry['reference'],
                entry['partner'],
            ]
            if not entry['lines']:
                rows.append([*head, '', '', '', '', entry['currency'], (entry['amount'], entry['currency']), ''])
            rows += [
                [
                    *head,
                    line['account'],
                    line['account_name'],
                    line['label'],
                    ', '.join(line['taxes']),
                    line['currency'],
                    (line['amount'], line['currency']),
                    (line['balance'], own),
                ]
                for line in entry['lines']
            ]
        self._write_table(
            self._('Entries'),
            self._('Entries that would be posted'),
            [
                (self._('Entry'), 8),
                (self._('Date'), 12),
                (self._('Journal'), 10),
                (self._('Type'), 20),
                (self._('Object'), 34),
                (self._('Reference'), 24),
                (self._('Partner'), 30),
                (self._('Account'), 12),
                (self._('Name'), 34),
                (self._('Label'), 40),
                (self._('Taxes'), 20),
                (self._('Currency'), 10),
                (self._('In Currency'), 18),
                (self._('Balance'), 18),
            ],
            rows,
        )

    def _write_objects_sheet(self):
        self._write_table(
            self._('Not Posted'),
            self._('Objects that would not be posted'),
            [
                (self._('Date'), 12),
                (self._('Type'), 20),
                (self._('Object'), 40),
                (self._('Amount'), 18),
                (self._('Currency'), 10),
                (self._('Status'), 20),
                (self._('Reason'), 100),
            ],
            [
                [
                    row['date'],
                    self._flows.get(row['flow']),
                    row['name'],
                    (row['amount'], row['currency']) if row['currency'] else '',
                    row['currency'],
                    self._states.get(row['kind']),
                    row['reason'],
                ]
                for row in self.result['objects']
            ],
        )

    # ------------------------------------------------------------------ cells

    def _write_table(self, name, title, columns, rows):
        """Write a sheet.

        :param rows: lists of cells; a cell is a text, a number, or a pair (amount, code of its currency)
        """
        sheet = self._add_titled_sheet(name, title, columns)
        for row, cells in enumerate(rows, FIRST_ROW + 1):
            for column, cell in enumerate(cells):
                if isinstance(cell, tuple):
                    amount, code = cell
                    if amount is not None:
                        currency = {'name': code, 'digits': self._digits.get(code, 2)}
                        sheet.write_number(row, column, amount, self._money_format(currency))
                elif isinstance(cell, int) and not isinstance(cell, bool):
                    sheet.write_number(row, column, cell)
                else:
                    sheet.write_string(row, column, str(cell or ''))
