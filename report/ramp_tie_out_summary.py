# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import defaultdict

from odoo import models
from odoo.tools.misc import formatLang


class RampTieOutSummary(models.AbstractModel):
    """The page that a month-end begins with: what differs at its end and why, what came with it, on which accounts."""

    _inherit = 'report.ramp_connector.tie_out'

    def _section_summary(self, currency, section, kinds):
        """Return the summary of a section at the end of the period.

        :param kinds: [(kind, is explained, is memo, difference, number of objects)], see `MonthlyFigures`
        :return: {'ramp', 'odoo', 'difference', 'explained', 'unexplained', 'count': number of unexplained objects,
            'kinds': [{'kind', 'label', 'is_explained', 'is_memo', 'amount', 'count'}], 'is_green', 'text'}
        """
        sums = defaultdict(lambda: [0, 0])
        for kind, is_explained, is_memo, amount, count in kinds:
            sums[kind, is_explained, is_memo][0] += amount
            sums[kind, is_explained, is_memo][1] += count
        rows = [
            {
                'kind': kind,
                'label': self._kind_label(kind, is_explained),
                'is_explained': is_explained,
                'is_memo': is_memo,
                'amount': currency.round(float(amount)) + 0.0,
                'count': count,
            }
            for (kind, is_explained, is_memo), (amount, count) in sums.items()
        ]
        rows.sort(key=lambda row: (row['is_memo'], not row['is_explained'], -abs(row['amount']), row['label']))
        explained = sum(
            amount for (_kind, is_explained, is_memo), (amount, _count) in sums.items() if is_explained and not is_memo
        )
        closing = {side: section['closing'][side] for side in ('ramp', 'odoo', 'difference')}
        unexplained = currency.round(closing['difference'] - float(explained)) + 0.0
        count = sum(row['count'] for row in rows if not row['is_explained'])
        # What was owed before the start date has no object that could explain it
        count += section['start']['odd']
        summary = {
            **closing,
            'explained': currency.round(float(explained)) + 0.0,
            'unexplained': unexplained,
            'count': count,
            'kinds': rows,
            # Two that offset each other are two
            'is_green': not count and currency.is_zero(unexplained),
        }
        return {**summary, 'text': self._summary_in_words(currency, summary)}

    def _kind_label(self, kind, is_explained):
        """Return the label of a kind. What is on hold only because of Ramp says so."""
        if kind == 'held' and is_explained:
            return self.env._('On hold, to do in Ramp')
        if kind == 'period' and not is_explained:
            return self.env._('Other period, and edited')
        return self._difference_kind_labels()[kind]

    def _summary_in_words(self, currency, summary):
        """Return the sentence of a summary: what is unexplained, and what waits."""
        waiting = ', '.join(
            self.env._(
                '%(kind)s: %(amount)s (%(count)s)',
                kind=row['label'],
                amount=formatLang(self.env, row['amount'], currency_obj=currency),
                count=row['count'],
            )
            for row in summary['kinds']
            if row['is_explained']
        )
        zero = formatLang(self.env, summary['unexplained'], currency_obj=currency)
        if summary['is_green'] and not waiting:
            return self.env._('Nothing is unexplained. Nothing waits.')
        if summary['is_green']:
            return self.env._('Nothing is unexplained. Explained: %s.', waiting)
        if waiting:
            return self.env._(
                'Unexplained: %(amount)s (%(count)s). Explained: %(waiting)s.',
                amount=zero,
                count=summary['count'],
                waiting=waiting,
            )
        return self.env._('Unexplained: %(amount)s (%(count)s).', amount=zero, count=summary['count'])

    # ------------------------------------------------------------------ carried forward

    def _carried_forward(self, currency, section, rows, sums):
        """Return what explains the opening difference: the objects of earlier months whose sides differ.

        :param rows: the differences that are listed, the largest first
        :param sums: (difference, number of objects) of all of them, also of those that are not listed
        :return: {'rows', 'start': of what was owed before the start date, 'more': number of objects that are not
            listed, 'more_amount': their difference, 'total': the opening difference}
        """
        amount, count = sums
        listed = sum(row['difference'] for row in rows)
        return {
            'rows': rows,
            'start': section['start']['difference'],
            'more': count - len(rows),
            'more_amount': currency.round(float(amount) - listed) + 0.0,
            'total': currency.round(section['start']['difference'] + float(amount)) + 0.0,
        }

    # ------------------------------------------------------------------ accounts

    @staticmethod
    def _ledger_by_account(accounts, keys):
        """Return Odoo's side of the closing balances by account.

        :param accounts: see `MonthlyFigures`
        :param keys: {(entity, currency id)} of the sections
        :return: {(entity, currency id): {account id: amount}}
        """
        found = defaultdict(lambda: defaultdict(int))
        for entity, currency, account, amount in accounts:
            # As with all figures: entries without an object belong to the only entity, or to none
            entities = {other for other, money in keys if money == currency and other}
            place = entity or (next(iter(entities)) if len(entities) == 1 else None)
            found[place, currency][account] += amount
        return found

    def _account_balances(self, currency, amounts):
        """Return [{'account_id', 'code', 'name', 'odoo'}] in the order of the codes, without accounts of zero."""
        accounts = self.env['account.account'].browse([account for account, amount in amounts.items() if amount])
        return sorted(
            (
                {
                    'account_id': account.id,
                    'code': account.code or '',
                    'name': account.name,
                    'odoo': currency.round(float(amounts[account.id])) + 0.0,
                }
                for account in accounts
            ),
            key=lambda row: (row['code'], row['name']),
        )
