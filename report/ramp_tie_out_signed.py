# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import defaultdict

from dateutil.relativedelta import relativedelta

from odoo import fields, models
from odoo.tools import format_date, format_datetime

# Changes of a signed month that are named one by one
NAMED_CHANGES = 10


class RampTieOutSigned(models.AbstractModel):
    """Sign-offs in the tie-out: which figures a month has, who signed them, and what changed since."""

    _inherit = 'report.ramp_connector.tie_out'

    def _is_month_over(self, month):
        """Return whether the month that begins on a day is over."""
        return month + relativedelta(months=1) <= fields.Date.context_today(self)

    # ------------------------------------------------------------------ figures

    def _signed_figures(self, report, month):
        """Return the figures of a month as JSON, as they are signed. Amounts are texts with the currency's decimals.

        :param report: see `get_report`; the month is in its period
        :param month: first day of the month
        :return: {'balances': {path in words: amount}}; and if the period ends with the month, also 'unexplained' and
            'open' in the same form, which are as of that day; 'accrued' in the same form: what is accrued for the month
        """
        figures = {'balances': {}, 'accrued': self._accrued_of_month(report, month)}
        for section in report['sections']:
            figures['balances'].update(self._balances_of_month(section, f'{month:%Y-%m}'))
        if report['period']['to'] == f'{month:%Y-%m}':
            figures['unexplained'] = {
                self._figure_path(section['entity'], section['currency'], 'unexplained'): self._amount_as_text(
                    section['summary']['unexplained'], section['currency']
                )
                for section in report['sections']
                if section['summary']['unexplained']
            }
            figures['open'] = {
                self._figure_path(f'{part["kind"]} {row["partner_id"] or 0}', row['currency'], side): (
                    self._amount_as_text(row[side], row['currency'])
                )
                for part in report['open']
                for row in part['rows']
                for side in ('ramp', 'odoo')
                if row[side]
            }
        return figures

    def _balances_of_month(self, section, month):
        """Return the amounts of a section's month that are not zero, as {path: amount}."""
        shown = {item['month']: item for item in section['months']}
        if month in shown:
            part = shown[month]
            rows = [('opening', part['opening']), ('closing', part['closing'])]
            rows += [(line['measure'], line) for line in part['lines']]
        else:
            # Before the first movement
            rows = [('opening', section['opening']), ('closing', section['opening'])]
        return {
            self._figure_path(section['entity'], section['currency'], f'{name} {side}'): self._amount_as_text(
                figures[side], section['currency']
            )
            for name, figures in rows
            for side in ('ramp', 'odoo')
            if figures[side]
        }

    def _accrued_of_month(self, report, month):
        """Return what the accruals of a month come to, as {path: amount}."""
        sums = defaultdict(float)
        names = {}
        for accrual in report['accruals']:
            if accrual['month'] == f'{month:%Y-%m}':
                for entity, currency, amount in accrual['figures']:
                    path = self._figure_path(entity, currency, 'accrued')
                    sums[path] += amount
                    names[path] = currency
        return {path: self._amount_as_text(amount, names[path]) for path, amount in sums.items()}

    @staticmethod
    def _figure_path(place, currency, name):
        return f'{place or "-"}/{currency["name"]}/{name}'

    @staticmethod
    def _amount_as_text(amount, currency):
        return f'{amount:.{currency["digits"]}f}'

    # ------------------------------------------------------------------ sign-offs of a report

    def _sign_offs_of_report(self, connection, report, first, last):
        """Return the sign-offs of the report's months, the newest first.

        :param first: first day of the first month, or None
        :return: [{'id', 'month', 'text', 'is_withdrawn', 'is_changed'}]
        """
        period = [('month', '<=', last)] + ([('month', '>=', first)] if first else [])
        sign_offs = self.env['ramp.tie.out.sign.off'].search([('connection_id', '=', connection.id), *period])
        found = []
        for sign_off in sign_offs:
            changes = [] if sign_off.withdrawn_at else self._changes_since(sign_off, report)
            found.append(
                {
                    'id': sign_off.id,
                    'month': f'{sign_off.month:%Y-%m}',
                    'is_withdrawn': bool(sign_off.withdrawn_at),
                    'is_changed': bool(changes),
                    'text': self._sign_off_in_words(sign_off, changes),
                }
            )
        return found

    def _changes_since(self, sign_off, report):
        """Return what changed since a sign-off, in words."""
        if not sign_off._is_intact():
            return [self.env._('the stored figures are not those that were signed')]
        names = {section['entity'] or '-': section['entity_name'] for section in report['sections']}
        partners = {
            f'{part["kind"]} {row["partner_id"] or 0}': row['name'] for part in report['open'] for row in part['rows']
        }
        now, changes = self._signed_figures(report, sign_off.month), []
        for part, figures in now.items():
            signed = sign_off.figures.get(part) or {}
            for path in sorted({*signed, *figures}):
                if signed.get(path) != figures.get(path):
                    place, currency, name = path.split('/', 2)
                    changes.append(
                        self.env._(
                            '%(place)s, %(name)s: %(before)s, now %(after)s %(currency)s',
                            place=names.get(place) or partners.get(place) or place,
                            name=self._figure_label(name),
                            before=signed.get(path, '0'),
                            after=figures.get(path, '0'),
                            currency=currency,
                        )
                    )
        return changes

    def _figure_label(self, name):
        """Return the name of a figure in words."""
        measure, _space, side = name.rpartition(' ')
        labels = {
            **dict(self.env['ramp.tie.out']._fields['measure']._description_selection(self.env)),
            'opening': self.env._('Opening balance'),
            'closing': self.env._('Closing balance'),
            '': self.env._('Open'),
        }
        sides = {'ramp': self.env._('Ramp'), 'odoo': self.env._('Odoo')}
        if side == 'accrued':
            return self._difference_kind_labels()['accrued']
        if side not in sides:
            return self.env._('Unexplained')
        return f'{labels.get(measure, measure)} ({sides[side]})'

    def _sign_off_in_words(self, sign_off, changes):
        month = format_date(self.env, sign_off.month, date_format='MMMM yyyy')
        signed = self.env._(
            '%(month)s: signed by %(name)s on %(moment)s',
            month=month,
            name=sign_off.signer_name,
            moment=format_datetime(self.env, sign_off.signed_at),
        )
        if sign_off.withdrawn_at:
            return self.env._(
                '%(signed)s, withdrawn by %(name)s on %(moment)s: %(reason)s',
                signed=signed,
                name=sign_off.withdrawer_name,
                moment=format_datetime(self.env, sign_off.withdrawn_at),
                reason=sign_off.withdrawal_reason,
            )
        if not changes:
            return self.env._('%s. Nothing changed since then.', signed)
        named = '; '.join(changes[:NAMED_CHANGES])
        if len(changes) > NAMED_CHANGES:
            named = self.env._('%(named)s; and %(count)s more', named=named, count=len(changes) - NAMED_CHANGES)
        return self.env._('%(signed)s, since then changed: %(named)s', signed=signed, named=named)

    def _month_to_sign(self, connection, report, last):
        """Return {'month', 'label'} if the user may sign the last month of the report now, else False."""
        is_signed = any(
            sign_off['month'] == f'{last:%Y-%m}' and not sign_off['is_withdrawn'] for sign_off in report['sign_offs']
        )
        begin = connection.start_date.replace(day=1)
        if is_signed or last < begin or not (report['may_sign'] and self._is_month_over(last)):
            return False
        return {'month': f'{last:%Y-%m}', 'label': format_date(self.env, last, date_format='MMMM yyyy')}
