# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import datetime

from odoo import Command, api, models

from ...ramp_api import PayloadError, RampScopeError, read_user, to_company_date
from ..engine.flow import Held, Skipped
from .coding import Uncodable

# Mail would be sent, and followers and log lines written, for documents nobody here typed: one line on the
# document says where it comes from.
QUIET = {'mail_create_nosubscribe': True, 'mail_create_nolog': True, 'tracking_disable': True, 'mail_notrack': True}
# they could make a name read as another
DIRECTIONS = '\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069'
NAME_LENGTH = 200  # characters of somebody else's text that fit into names and references


class RampFlowBooking(models.AbstractModel):
    """What the flows that write journal entries share: days, currencies, closed periods, coding, taxes, people,
    undoing.

    Amounts are integers until they become a field of Odoo: those of Ramp in minor units, as ISO 4217 has them; those in
    the company's currency in units, which are the smallest amounts that Odoo knows of that currency, whatever its
    rounding factor is.
    """

    _name = 'ramp.flow.booking'
    _description = 'Ramp Flow: from Ramp into the books'

    _business_domain = 'bill'  # of its documents, in the rules of analytic plans

    # ------------------------------------------------------------------ days

    def _get_booking_day(self, connection, *moments):
        """The day in the company's time zone of the first moment that is given, or None.

        A moment of exactly midnight UTC is a day that a person or Ramp chose, not a moment: it stays that day.
        """
        for moment in moments:
            if isinstance(moment, datetime.datetime):
                return (
                    moment.date()
                    if moment.time() == datetime.time.min
                    else to_company_date(moment, connection._time_zone())
                )
            if moment:
                return moment
        return None

    def _plan_entry_date(self, connection, date, journal, found, has_tax=False):
        """`_get_first_open_day` in planning, where many entries are of the same days."""
        key = date, journal.id, has_tax
        if key not in found['locks']:
            found['locks'][key] = not connection.company_id._get_violated_lock_dates(date, has_tax, journal)
        return date if found['locks'][key] else self._get_first_open_day(connection, date, journal, has_tax)

    @api.model
    def _get_first_open_day(self, connection, date, journal, has_tax=False):
        """The day of an entry, or of a reversal: a closed period is respected as the connection says. Raises `Held`.

        :param has_tax: whether it has taxes: the tax lock date counts, too
        """
        day = date
        while locks := connection.company_id._get_violated_lock_dates(day, has_tax, journal):
            if connection.lock_date_policy == 'hold':
                raise Held(
                    self.env._(
                        'The accounting period is closed: %(date)s is on or before the lock date %(lock)s. Reopen the '
                        'period, or let the '
                        'connection book on the first open day.',
                        date=date,
                        lock=locks[-1][0],
                    )
                )
            day = locks[-1][0] + datetime.timedelta(days=1)
        return day

    @staticmethod
    def _has_taxed_lines(lines):
        """Whether journal items count in the tax report, so that a closed tax period is closed for them."""
        return bool(lines.tax_ids or lines.tax_line_id)

    def _check_ramp_entity(self, connection, value):
        """Raise `Skipped` where an object belongs to another Ramp entity than the connection: Ramp hears nothing of it
        from here.
        """
        if connection._is_other_entity(value.entity_id):
            raise Skipped(self._of_another_entity())

    def _skip_booked_elsewhere(self, connection, moment):
        """Raise `Skipped` where an object has no sync status in Ramp, was there before the connection, and is in the
        books already.

        :param moment: datetime or date since when it was there
        """
        if connection._is_left_alone(moment):
            raise Skipped(
                self.env._(
                    'It was in Ramp before the connection, which leaves such ones alone (%s).',
                    connection._fields['existing_policy']._description_string(self.env),
                )
            )

    # ------------------------------------------------------------------ what counts as a change

    # Money, coding, days, entity and vendor are `_get_booking_facts`; how Ramp spells or describes something are
    # `_get_late_details`.

    @staticmethod
    def _get_chosen_options(selections):
        """What is chosen, whatever Ramp calls it now."""
        return sorted(
            [selection.type or '', selection.external_id or '', selection.external_code or '']
            for selection in selections
        )

    # ------------------------------------------------------------------ looking up

    def _look_up_accounting_state(self, connection, selections, codes):
        """What planning needs of Odoo, whatever the kind of document, in a constant number of queries.

        :param selections: all that is chosen on all lines
        :param codes: the currencies that occur
        """
        company = connection.company_id
        currencies = {code: self.env['ramp.coding']._get_currency(code) for code in codes}
        foreign = [currency.id for currency in currencies.values() if currency and currency != company.currency_id]
        rated = (
            dict(
                self.env['res.currency.rate']._read_group(
                    [('currency_id', 'in', foreign), ('company_id', 'in', [False, company.root_id.id])],
                    ['currency_id'],
                    ['name:min'],
                )
            )
            if foreign
            else {}
        )
        return {
            **self.env['ramp.coding']._look_up_references(connection, selections),
            'currencies': currencies,
            'rated': rated,
            'locks': {},
            'rates': {},
            'defaults': {},
        }

    @api.model
    def _look_up_booked_rows(self, connection, flow, ramp_ids, row_fields=(), move_fields=()):
        """{Ramp id: (row, its journal entry or bill, or an empty recordset)} of objects of a flow, in a constant number
        of queries.
        """
        rows = (
            self.env['ramp.record'].search_fetch(
                [('connection_id', '=', connection.id), ('flow', '=', flow), ('ramp_id', 'in', list(ramp_ids))],
                ['ramp_id', 'res_model', 'res_id', *row_fields],
            )
            if ramp_ids
            else ()
        )
        moves = (
            self.env['account.move']
            .browse(row.res_id for row in rows if row.res_id and row.res_model == 'account.move')
            .exists()
        )
        moves.fetch(list(move_fields))
        by_id = {move.id: move for move in moves}
        return {row.ramp_id: (row, by_id.get(row.res_id, moves.browse())) for row in rows}

    def _prefetch_partners(self, connection, partners):
        """Have what core will ask of the partner of each document, fetched for all of them at once."""
        partners.with_company(connection.company_id).mapped('property_account_position_id')

    # ------------------------------------------------------------------ coding

    def _plan_line_codings(self, connection, lines, found):
        """The `Coding` of each line, as people chose it in Ramp; raises `Held`, naming the line."""
        coded = []
        for number, line in enumerate(lines, 1):
            with self._hold_naming_line(lines, number):
                coding = self.env['ramp.coding']._decode_selections(line.selections, found)
            if coding.account == connection.card_account_id:
                raise Held(
                    self.env._(
                        'It is coded to the card liability itself (%s). Choose an expense account in Ramp.',
                        self.env['ramp.flow.account']._get_display_title(coding.account),
                    )
                )
            coded.append(coding)
        return coded

    def _complete_line_coding(self, connection, lines, coded, partners, found, products=None):
        """The same with what Odoo adds to it; raises `Held`, naming the line, where an analytic plan is missing that
        Odoo demands.

        :param partners: those of the journal items, one for each line
        :param products: the same, where they have some
        """
        complete, completed = self.env['ramp.coding.defaults']._complete_with_defaults, []
        products = products or [self.env['product.product']] * len(coded)
        for number, (coding, partner, product) in enumerate(zip(coded, partners, products, strict=True), 1):
            with self._hold_naming_line(lines, number):
                completed.append(complete(connection, coding, partner, product, self._business_domain, found))
        return completed

    @contextlib.contextmanager
    def _hold_naming_line(self, lines, number):
        """Hold an object of whose line something means nothing here; of several lines, the reason says which."""
        try:
            yield
        except Uncodable as reason:
            if len(lines) == 1:
                raise Held(str(reason)) from reason
            raise Held(
                self.env._(
                    'Line %(number)s (%(amount)s): %(reason)s',
                    number=number,
                    amount=lines[number - 1].amount,
                    reason=reason,
                )
            ) from reason

    def _set_line_tax(self, connection, coding, partner, values, is_refund):
        """The journal items of a line that is coded with a tax: Ramp's amount includes it, to the cent.

        Odoo's own tax computation says how much of the amount is tax and where it goes; the base takes whatever is
        left, so that the items of the line add up to Ramp's amount in both currencies.
        """
        AccountTax, company = self.env['account.tax'], connection.company_id
        currency = self.env['res.currency'].browse(values['currency_id'])
        base = self._make_taxed_line(
            company,
            values['amount_currency'],
            tax_ids=coding.tax,
            currency_id=currency,
            is_refund=is_refund,
            partner_id=partner,
            account_id=coding.account,
            analytic_distribution=coding.distribution or None,
            rate=values['amount_currency'] / values['balance'] if values['balance'] else 1.0,
        )
        AccountTax._round_base_lines_tax_details([base], company)
        AccountTax._add_accounting_data_in_base_lines_tax_details([base], company, include_caba_tags=True)
        result = AccountTax._prepare_tax_lines([base], company)
        [(_base, update)] = result['base_lines_to_update']
        taxes = [{**tax, 'is_storno': values.get('is_storno', False)} for tax in result['tax_lines_to_add']]
        left = {
            key: unit.round(values[key] - sum(tax[key] for tax in taxes))
            for key, unit in (('amount_currency', currency), ('balance', company.currency_id))
        }
        return [
            {**values, **left, 'tax_ids': [Command.set(coding.tax.ids)], 'tax_tag_ids': update['tax_tag_ids']},
            *taxes,
        ]

    @api.model
    def _make_taxed_line(self, company, amount, **values):
        """A base line of core's tax computation, computed, that comes to an amount with its taxes.

        Core knows a mode for that, which is not right of every mixture: not of a reverse charge beside a tax that is
        withheld. There the amount before taxes is found by the two of core's results that say how its total depends on
        it.

        :param amount: in the currency of the line
        :param values: of `account.tax._prepare_base_line_for_taxes_computation`
        """
        AccountTax = self.env['account.tax']

        def computed(price, mode):
            base = AccountTax._prepare_base_line_for_taxes_computation(
                {}, price_unit=price, quantity=1.0, special_mode=mode, **values
            )
            AccountTax._add_tax_details_in_base_lines([base], company)
            return base

        base = computed(amount, 'total_included')
        again = computed(base['tax_details']['raw_total_excluded_currency'], 'total_excluded')
        if abs(again['tax_details']['raw_total_included_currency'] - amount) < values['currency_id'].rounding / 100:
            return base
        nothing, whole = (
            computed(price, 'total_excluded')['tax_details']['raw_total_included_currency'] for price in (0.0, amount)
        )
        return computed((amount - nothing) * amount / (whole - nothing), 'total_excluded') if whole != nothing else base

    # ------------------------------------------------------------------ people

    def _fetch_ramp_users(self, client):
        """All users of the Ramp business, read once in a run."""
        memory = self.env.context.get('ramp_memory', {})
        if 'users' not in memory:
            users = []
            try:
                # suspended users are left out unless asked for, and a suspended person's spend is still to be booked
                for params in ({}, {'status': 'USER_SUSPENDED'}):
                    users += client.list_objects('/users', params)
            except RampScopeError:
                users = []  # the sentence on the row names the remedy
            memory['users'] = []
            for user in users:
                try:
                    memory['users'].append(read_user(user))
                except PayloadError:
                    continue  # a user we cannot read stays unknown, and the object's row says so
        return memory['users']

    def _find_employees(self, connection, users):
        """Employees of the company by Ramp user id, archived ones too: people leave, and their spend stays."""
        employees = (
            self.env['hr.employee']
            .with_context(active_test=False)
            .search_fetch(
                [('ramp_user_id', 'in', list(users)), ('company_id', '=', connection.company_id.id)], ['ramp_user_id']
            )
        )
        return {employee.ramp_user_id: employee for employee in employees}

    def _look_up_people(self, connection, users):
        """Employees by Ramp user id, and of others the question of who they are (see `hr.employee._ramp_named`), if
        there is one.
        """
        Employee, employees = self.env['hr.employee'], self._find_employees(connection, users)
        emails = Employee._ramp_emails(self.env.context.get('ramp_memory', {}).get('users', ()), users - set(employees))
        return {
            'employees': employees,
            'questions': {
                emails[email]: question
                for email, (_nobody, question) in Employee._ramp_named(connection, emails).items()
                if question
            },
        }

    def _get_employee_contacts(self, employees):
        """Make the contacts that employees lack, as Odoo does."""
        lonely = employees.filtered(lambda employee: not employee.work_contact_id)
        if lonely:
            lonely.with_context(**QUIET)._create_work_contacts()

    @staticmethod
    def _get_analytics_context(codings):
        """What the context of documents says of their analytic accounts: that these were found a moment ago
        (`ramp_known_analytics`).
        """
        return frozenset(
            int(identity)
            for coding in codings
            for identities in coding.distribution or ()
            for identity in identities.split(',')
        )

    # ------------------------------------------------------------------ what changes without touching the books

    def _post_late_messages(self, record, messages):
        """A line on the page of a booked document."""
        document = self.env[record.res_model].browse(record.res_id).exists()
        for message in messages if document else ():
            document._message_log(body=message)

    def _describe_detail_changes(self, before, now):
        """The sentences that tell which of the texts among `_get_late_details`, and which `memos` of lines, changed in
        Ramp.

        One that was erased, or that an earlier version did not note, is not known to have changed.
        """
        labels = {
            'memo': self.env._('Memo'),
            'vendor_memo': self.env._('Memo to the vendor'),
            'due': self.env._('Due'),
            'number': self.env._('Number'),
            'merchant': self.env._('Merchant'),
            'cardholder': self.env._('Cardholder'),
            'original': self.env._('Amount that the merchant charged'),
        }
        texts = [
            self.env._('%(what)s changed in Ramp: %(text)s', what=label, text=now[key] or '-')
            for key, label in labels.items()
            if key in now and (now[key] or '') != (before.get(key, now[key]) or '')
        ]
        memos, memos_before = now.get('memos', []), before.get('memos', [])
        if len(memos) == len(memos_before):
            texts += [
                self.env._('Memo of line %(number)s changed in Ramp: %(text)s', number=number, text=text or '-')
                for number, (text, old) in enumerate(zip(memos, memos_before, strict=True), 1)
                if text != old
            ]
        return texts


def clean_text(text):
    """A text of a merchant, a vendor or of Ramp for one line of ours: no line breaks, no control or direction
    characters.
    """
    if not text:
        return False
    kept = ''.join(
        ' ' if char.isspace() else char
        for char in text
        if char.isspace() or (char.isprintable() and char not in DIRECTIONS)
    )
    return ' '.join(kept.split())[:NAME_LENGTH] or False
