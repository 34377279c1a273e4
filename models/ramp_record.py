# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import hashlib
import json
import logging
import math
import re
from datetime import timedelta
from decimal import Decimal

import psycopg2
from psycopg2.extras import Json

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

_logger = logging.getLogger(__name__)

UNSTORABLE = re.compile('[\x00\ud800-\udfff]')
OPEN_STATES = ('pending', 'error', 'held')
MAX_ATTEMPTS = 8
FIRST_DELAY = timedelta(minutes=1)
LONGEST_DELAY = timedelta(hours=6)
UNTOLD_DELAY = timedelta(hours=1)  # at most, until Ramp is told again of what is booked
# Written to by every object that is booked; and changes that are not worth a look at a table.
FILLED_TABLES = (
    'ramp_record', 'hr_expense', 'account_move', 'account_move_line', 'account_analytic_line', 'account_payment',
    'account_partial_reconcile')
FEW_CHANGES = 1000
# What the ledger knows of an object besides its payload, with the type in the database
COLUMNS = {
    'name': 'varchar', 'date': 'date', 'amount': 'numeric', 'currency_id': 'int4', 'parent_ramp_id': 'varchar',
    'ramp_entity_id': 'varchar', 'has_moved': 'bool', 'open_amount': 'numeric'}
STANDING = ('ramp_entity_id', 'has_moved', 'open_amount')
# Ramp's own bookkeeping: a change of these says nothing to a person who compares two versions of an object
UNTOLD = ('erased_at', 'sync_status', 'synced_at', 'updated_at', 'deep_link_url', 'statement_id')


def canonical(payload):
    """The one text of a JSON value, so that equal payloads have equal hashes."""
    return json.dumps(payload, sort_keys=True, separators=(',', ':'), ensure_ascii=False)


def digest(payload):
    """Hash (64 hexadecimal characters) of a JSON value."""
    return hashlib.sha256(canonical(payload).encode('utf-8', 'surrogatepass')).hexdigest()


def flatten(payload, path=''):
    """The leaves of a JSON value by their path, an amount of money and what was picked as one: {'line_items.1.amount': '5 USD'}."""
    if isinstance(payload, dict) and set(payload) == {'amount', 'currency_code', 'minor_unit_conversion_rate'}:
        amount, rate = payload['amount'], payload['minor_unit_conversion_rate']
        if isinstance(amount, int) and rate in (1, 10, 100, 1000, 10000):
            return {path.lstrip('.'): f"{Decimal(amount) / rate} {payload['currency_code']}"}
    if isinstance(payload, dict) and isinstance(payload.get('category_info'), dict) and payload.get('name'):
        code, name, identity = (payload.get(key) for key in ('external_code', 'name', 'external_id'))
        words = (f"{payload['category_info'].get('name') or ''}:", code if code != name else None, name, f'[{identity}]')
        return {path.lstrip('.'): ' '.join(str(word) for word in words if word and word not in (':', '[None]'))}
    if isinstance(payload, dict) and payload:
        return {key: leaf for name, part in payload.items() for key, leaf in flatten(part, f'{path}.{name}').items()}
    if isinstance(payload, list) and payload:
        return {key: leaf for number, part in enumerate(payload, 1) for key, leaf in flatten(part, f'{path}.{number}').items()}
    return {path.lstrip('.'): payload}


def storable(value):
    """A JSON value that PostgreSQL takes: it has no NUL, no half of a surrogate pair, and no number that is none."""
    if isinstance(value, str):
        return UNSTORABLE.sub('\ufffd', value)
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [storable(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


class RampRecord(models.Model):
    """The ledger: exactly one row for every object that crosses the border between Ramp and Odoo.

    The unique index makes "twice" impossible in the database. A document and its row change in the same transaction;
    Ramp is told only what is committed.
    """

    _name = 'ramp.record'
    _description = 'Ramp Record'
    _order = 'date desc nulls last, id desc'  # what Odoo sends has no date, and must not push the spend off the first page
    _rec_name = 'name'

    connection_id = fields.Many2one('ramp.connection', required=True, readonly=True, ondelete='restrict')
    company_id = fields.Many2one('res.company', required=True, readonly=True, index=True)
    flow = fields.Selection('_selection_flow', string='Type', required=True, readonly=True)
    ramp_id = fields.Char(string='Ramp ID', readonly=True, index=True)
    parent_ramp_id = fields.Char(
        string='Belongs To', readonly=True, index='btree_not_null',
        help='Ramp id of the object this one belongs to: the transaction of a receipt, the purchase of a refund.')
    name = fields.Char(string='Description', readonly=True)
    date = fields.Date(readonly=True)
    amount = fields.Monetary(readonly=True, help='As Ramp says it: spend is positive, a refund negative.')
    currency_id = fields.Many2one('res.currency', readonly=True)
    state = fields.Selection([
        ('pending', 'Waiting'),
        ('done', 'Booked, not confirmed'),
        ('confirmed', 'Confirmed'),
        ('error', 'Failed, will retry'),
        ('held', 'Held'),
        ('ignored', 'Ignored'),
    ], string='Status', required=True, default='pending', readonly=True, index=True)
    status = fields.Char(
        string='In Words', compute='_compute_status', help='The status in the words that fit what Odoo sends, or what it receives.')
    res_model = fields.Char(string='Document Model', readonly=True)
    res_id = fields.Many2oneReference(string='Document', model_field='res_model', readonly=True)
    ramp_entity_id = fields.Char(string='Ramp Entity ID', readonly=True, help="Id of the Ramp entity that the object belongs to.")
    ramp_entity_name = fields.Char(string='Ramp Entity', compute='_compute_ramp_entity_name')
    is_withheld = fields.Boolean(
        readonly=True, help='Ramp shows the object without offering it to be booked; the reason says what it waits for.')
    finding = fields.Char(readonly=True, help='What the nightly check found about its document in Odoo.')
    has_moved = fields.Boolean(
        readonly=True, help='Whether its money has moved: only then it counts in what Ramp says is owed on the cards.')
    open_amount = fields.Monetary(readonly=True, help='What Ramp says is still to be paid of it; of a credit, negative.')
    payload = fields.Json(readonly=True)
    payload_text = fields.Text(string='As Ramp sent it', compute='_compute_payload_text')
    sent_text = fields.Text(string='What Ramp Has', compute='_compute_sent_text')
    late_payload = fields.Json(readonly=True, help='What Ramp says now of an object that was booked as it was before.')
    late_payload_text = fields.Text(string='As Ramp has it now', compute='_compute_payload_text')
    has_changed = fields.Boolean(readonly=True, help='Ramp changed it after it was booked here; see the late payload.')
    late_changes = fields.Text(string='What Changed in Ramp', compute='_compute_late_changes')
    payload_hash = fields.Char(readonly=True)
    noted = fields.Json(
        readonly=True, help='What of the object its document shows already, besides what is booked once: files, memo, payments.')
    error_message = fields.Text(string='Reason', readonly=True)
    reason_move_id = fields.Many2one(
        'account.move', string='Named in the Reason', readonly=True, ondelete='set null', index='btree_not_null',
        help='The document in Odoo that is in the way, or that was undone.')
    is_question = fields.Boolean(
        readonly=True, help='Held for something a person can settle, in Ramp or in Odoo; looked at again in every run.')
    attempts = fields.Integer(readonly=True, help='Failures in a row.')
    next_attempt = fields.Datetime(readonly=True)
    seen_at = fields.Datetime(string='Last Seen in Ramp', readonly=True)
    reported_hash = fields.Char(readonly=True, help='Of the failure that Ramp was told last.')
    reports = fields.Integer(readonly=True, help='How often Ramp was told of a failure: a reason that comes back is told again.')
    sync_key = fields.Char(readonly=True, help='Under which the outcome is confirmed to Ramp; shared by a batch.')
    sync_attempt = fields.Integer(readonly=True)
    is_told = fields.Boolean(readonly=True, help='Ramp accepted an outcome and has not asked for another one since.')
    confirmed_at = fields.Datetime(readonly=True)
    ramp_url = fields.Char(string='In Ramp', compute='_compute_ramp_url')
    related_record_id = fields.Many2one('ramp.record', string='Belongs to', compute='_compute_related_record_id')

    _once = models.UniqueIndex('(connection_id, flow, ramp_id)', 'An object of Ramp has exactly one row.')
    _open = models.Index("(connection_id, flow, id) WHERE state IN ('pending', 'error', 'held')")
    _unconfirmed = models.Index("(connection_id, flow, sync_key) WHERE state = 'done'")
    _document = models.Index('(res_model, res_id) WHERE res_id IS NOT NULL')
    _card_payments = models.Index("USING gin ((payload #> '{payment,details,transaction_ids}')) WHERE flow = 'bill_payment'")
    _moved = models.Index(
        '(connection_id, date) INCLUDE (id, flow, ramp_entity_id, currency_id, amount, res_model, res_id) WHERE has_moved')
    _in_order = models.Index('(date DESC NULLS LAST, id DESC)')

    @api.model
    def _selection_flow(self):
        return [(flow._flow, flow._flow_label()) for flow in self.env['ramp.connection']._flows()]

    @api.depends('payload', 'late_payload')
    def _compute_payload_text(self):
        for record in self:
            for name in ('payload', 'late_payload'):
                record[f'{name}_text'] = record[name] and json.dumps(record[name], indent=2, ensure_ascii=False, sort_keys=True)

    @api.depends('payload', 'late_payload')
    def _compute_late_changes(self):
        for record in self:
            before, after = (
                {key: None if leaf in ('', [], {}) else leaf for key, leaf in flatten(payload).items()} if payload else {}
                for payload in (record.payload, record.late_payload))
            record.late_changes = '\n'.join(
                self.env._('%(field)s: %(before)s, now %(after)s', field=key,
                           **{name: self.env._('(nothing)') if leaf is None else leaf
                              for name, leaf in (('before', before.get(key)), ('after', after.get(key)))})
                for key in sorted({*before, *after})
                if before.get(key) != after.get(key) and key.rpartition('.')[2] not in UNTOLD) if after else False

    @api.depends('ramp_id', 'flow', 'connection_id')
    def _compute_ramp_url(self):
        for record in self:
            base = record.connection_id._app_url() if record.connection_id else False
            page = record.flow and self.env[f'ramp.flow.{record.flow}']._page(record)
            record.ramp_url = f'{base}{page}' if base and page else False

    @api.depends('ramp_entity_id')
    def _compute_ramp_entity_name(self):
        for record in self:
            # its id until the nightly check has read the names
            record.ramp_entity_name = (record.connection_id.ramp_entities or {}).get(record.ramp_entity_id) or record.ramp_entity_id

    @api.depends('parent_ramp_id')
    def _compute_related_record_id(self):
        parents = {}
        for record in self.search([('ramp_id', 'in', [parent for parent in self.mapped('parent_ramp_id') if parent])], order='id'):
            parents.setdefault(record.ramp_id, record)  # the first is the object itself; its payment has the same id
        for record in self:
            record.related_record_id = parents.get(record.parent_ramp_id, False)

    @api.depends('name', 'ramp_id', 'remote_id')
    def _compute_display_name(self):
        for record in self:
            record.display_name = record.name or record.ramp_id or record.remote_id

    @api.depends('state', 'remote_id', 'is_question', 'attempts')
    @api.depends_context('lang')
    def _compute_status(self):
        labels = dict(self._fields['state']._description_selection(self.env))
        sent = {
            'pending': self.env._('Waiting to be sent'), 'confirmed': self.env._('In Ramp'), 'ignored': self.env._('Not offered'),
            'refused': self.env._('Refused'), 'stopped': self.env._('Failed'),
        }
        for record in self:
            state = record.state
            if record.remote_id and state == 'held' and not record.is_question:
                state = 'stopped' if record.attempts else 'refused'
            record.status = record.remote_id and sent.get(state) or labels.get(record.state)

    def _state_in_words(self):
        """The state for a person, with its reason."""
        self.ensure_one()
        if not self.error_message or self.state not in (*OPEN_STATES, *(('ignored', 'confirmed') if self.remote_id else ())):
            return self.status
        # why Odoo does not offer an object, or Ramp does not take it, is a whole sentence
        whole = self.remote_id and (self.state == 'ignored' or self.state == 'held' and not self.is_question and not self.attempts)
        return self.error_message if whole else f'{self.status}: {self.error_message}'

    @api.depends('payload', 'remote_id')
    @api.depends_context('lang')
    def _compute_sent_text(self):
        known = [record.payload or {} for record in self if record.remote_id]
        # what an object refers to, by Ramp's id or by ours
        others = {identity for values in known for identity in (
            values.get('field'), values.get('account'), values.get('accounting_vendor'), *values.get('rates', ()),
            values.get('department'), values.get('location'), values.get('manager'))}
        names = {}
        for other in self.search_fetch(
                [('connection_id', 'in', self.connection_id.ids), '|', ('ramp_id', 'in', list(others)), ('remote_id', 'in', list(others))],
                ['ramp_id', 'remote_id', 'name']) if others - {None} else ():
            names.update(dict.fromkeys((other.ramp_id, other.remote_id), other.name))
        labels = {
            'name': self.env._('Name'), 'value': self.env._('Name'), 'code': self.env._('Code'),
            'classification': self.env._('Kind of account'), 'field': self.env._('Field'), 'rate': self.env._('Rate'),
            'account': self.env._('Posted to'), 'rates': self.env._('Rates'), 'country': self.env._('Country'),
            'state': self.env._('State'), 'address': self.env._('Address'), 'accounting_vendor': self.env._('Linked to the supplier'),
            'email': self.env._('E-mail'), 'department': self.env._('Department'), 'location': self.env._('Work location'),
            'manager': self.env._('Manager'), 'offered': self.env._('Can be picked')}
        for record in self:
            values = record.remote_id and record.payload or {}
            record.sent_text = '\n'.join(self.env._(
                '%(field)s: %(value)s', field=label, value=record._sent_value(key, values[key], names)) for key, label in labels.items()
                if values.get(key) not in (None, '') and not (key == 'offered' and 'email' in values)) or False

    def _sent_value(self, key, value, names):
        """One value of what Ramp has, for a person."""
        if key == 'offered':
            return self.env._('yes') if value else self.env._('no, it is hidden or deleted in Ramp')
        if key == 'address':
            names = 'address_line_1', 'address_line_2', 'postal_code', 'city', 'state', 'country'  # the database keeps no order
            return ', '.join(value[name] for name in names if name in value)
        if key == 'name' and isinstance(value, list):  # first and last name
            return ' '.join(value)
        if key == 'rates':
            return ', '.join(names.get(rate) or rate for rate in value)
        if key == 'rate':
            return f'{(Decimal(value) * 100).normalize():f} %'
        if key == 'classification':
            return {
                'ASSET': self.env._('Asset'), 'LIABILITY': self.env._('Liability'), 'EQUITY': self.env._('Equity'),
                'REVENUE': self.env._('Income'), 'EXPENSE': self.env._('Expense'), 'CREDCARD': self.env._('Credit card'),
                'UNKNOWN': self.env._('Other'),
            }.get(value, value)
        return names.get(value) or value

    # ------------------------------------------------------------------ the error inbox

    def _check_accountant(self):
        if not self.env.su and not self.env.user.has_group('account.group_account_invoice'):
            raise AccessError(self.env._('Only accountants may decide on what came from Ramp.'))
        self.check_access('read')

    def action_retry(self):
        """Try again now, whatever the waiting time: book what is not booked, confirm what is."""
        self._check_accountant()
        again = self.filtered(lambda record: record.state != 'confirmed')
        if self and not again:
            raise UserError(self.env._('This is in order already; there is nothing to try again.'))
        # accountants decide on rows (checked above) without being able to edit them
        for record in again.sudo():
            if record.late_payload:
                record._accept_late_payload()  # somebody compared both versions and says that the books are right
            if record.finding:
                record.noted = {**(record.noted or {}), 'accepted': record.finding}
            record.write({
                'state': record._state_after_retry(), 'error_message': False, 'attempts': 0, 'next_attempt': False, 'is_question': False,
                'finding': False,
            })
        for flow in set(self.mapped('flow')):
            self.env[f'ramp.flow.{flow}']._trigger()
        return True

    def _state_after_retry(self):
        """What is booked and does not follow its object stays booked; all else is looked at again."""
        flow = self.env[f'ramp.flow.{self.flow}']
        if self.res_id and self.finding == 'vanished':
            return 'confirmed'  # nobody can be told of what became of it
        if not self.res_id or flow._sends or getattr(flow, '_updates', True):
            return 'pending'
        return 'done' if self.sync_key or flow._sync_type else 'confirmed'

    def action_rebook(self):
        """Undo what was booked of an object that Ramp changed since, visibly, and let it be booked as it is now.

        The document is reversed (a draft is deleted) with the rights of whoever presses the button.
        """
        self._check_accountant()
        for record in self:
            if not (record.late_payload and record.res_id):
                raise UserError(self.env._('%s has not changed in Ramp since it was booked.', record.display_name))
        for record in self:
            flow = self.env[f'ramp.flow.{record.flow}'].with_company(record.company_id)
            flow._undo_asked(record.connection_id, record, self.env._('Ramp changed it after it was booked.'))
            # accountants decide on rows (checked above) without being able to edit them
            record.sudo()._accept_late_payload()
            record.sudo()._reopen()
            flow._trigger()
        return True

    def _reopen(self):
        """Let objects be booked again whose documents were undone. Whatever is booked then is confirmed under a key of its own."""
        self.flush_recordset()
        # the ORM would write 0 for "no document"; the indexes and the flows know one way to say it
        self.env.cr.execute(SQL(
            """
            UPDATE ramp_record
               SET state = 'pending', res_model = NULL, res_id = NULL, sync_key = NULL, sync_attempt = COALESCE(sync_attempt, 0) + 1,
                   error_message = NULL, attempts = 0, next_attempt = NULL, is_question = FALSE, noted = NULL
             WHERE id = ANY(%s)
            """, self.ids))
        self.invalidate_recordset()

    def action_ignore(self):
        """Ask for the reason, then ignore."""
        self._check_accountant()
        self._check_not_sent()
        return {
            'type': 'ir.actions.act_window', 'res_model': 'ramp.record.ignore', 'views': [(False, 'form')], 'target': 'new',
            'name': self.env._('Ignore'), 'context': {'default_record_ids': self.ids},
        }

    def _check_not_sent(self):
        for record in self.filtered('remote_id'):
            raise UserError(self.env._(
                '%s goes from Odoo to Ramp, so there is nothing to ignore here. To keep it out of Ramp, archive it in Odoo, or leave '
                'it out on the connection (Offered in Ramp); to send it once more, press Retry.', record.display_name))

    def _ignore(self, reason):
        """Leave these objects out of the books for good. The reason is kept and told to Ramp."""
        self._check_accountant()
        self._check_not_sent()
        if not (reason or '').strip():
            raise UserError(self.env._('Give a reason: the next person will want to know it.'))
        for record in self:
            if record.res_id and (record.res_model != 'ir.attachment' or record.state not in OPEN_STATES):
                raise UserError(self.env._(
                    '%s is booked. Delete or reverse its document first, then ignore it.', record.display_name))
        # see action_retry
        self.sudo().write({
            'state': 'ignored', 'next_attempt': False, 'is_question': False,
            'error_message': self.env._('Ignored by %(user)s: %(reason)s', user=self.env.user.name, reason=reason.strip()),
        })
        for flow in set(self.mapped('flow')):
            self.env[f'ramp.flow.{flow}']._trigger()

    def action_open_document(self):
        """The document in Odoo."""
        self.ensure_one()
        self.check_access('read')
        if not self.res_id or not self.env[self.res_model].browse(self.res_id).exists():
            raise UserError(
                self.env._('%s was deleted in Odoo.', self.display_name) if self.remote_id
                else self.env._('%s has no document in Odoo.', self.display_name))
        if self.res_model == 'ir.attachment':
            return {'type': 'ir.actions.act_url', 'url': f'/web/content/{self.res_id}', 'target': 'new'}
        return {'type': 'ir.actions.act_window', 'res_model': self.res_model, 'res_id': self.res_id, 'views': [(False, 'form')]}

    def action_open_in_ramp(self):
        """The object in Ramp's own pages."""
        self.ensure_one()
        self.check_access('read')
        return {'type': 'ir.actions.act_url', 'url': self.ramp_url, 'target': 'new'}

    def _documents_deleted(self, documents):
        """Open the rows of documents that are being deleted in Odoo: a person decides what becomes of the object."""
        records = self.search([
            ('res_model', '=', documents._name), ('res_id', 'in', documents.ids), ('state', '!=', 'ignored'), ('remote_id', '=', False)])
        if not records:
            return
        for record in records:
            record.sync_attempt += 1  # whatever is booked instead is confirmed under a key of its own
            if record.late_payload:
                record._accept_late_payload()
        records.write({
            'state': 'held', 'is_question': False, 'res_model': False, 'sync_key': False, 'next_attempt': False,
            'error_message': self.env._(
                'Its document was deleted in Odoo by %s. Press Retry to book it again, or Ignore to leave it out.',
                self.env.user.name),
        })
        records.flush_recordset()
        # the ORM would write 0 for "no document"; the indexes and the flows know one way to say it
        self.env.cr.execute(SQL('UPDATE ramp_record SET res_id = NULL WHERE id = ANY(%s)', records.ids))
        records.invalidate_recordset(['res_id'])

    def _accept_late_payload(self):
        """What Ramp says now becomes what the row stands for."""
        self.ensure_one()
        row = self.env[f'ramp.flow.{self.flow}']._ledger_row(self.connection_id, self.late_payload)
        self.write({'payload': row['payload'], 'payload_hash': row['payload_hash'], 'late_payload': False, 'has_changed': False})

    # ------------------------------------------------------------------ what the flows do with rows
    # These run in background jobs as superuser; none of them is callable over RPC (leading underscore).

    def _make_due(self, connections):
        """Let rows that wait after an error be tried in the next run."""
        self.search([
            ('connection_id', 'in', connections.ids), ('state', 'in', ('error', 'done')), ('next_attempt', '!=', False),
        ]).write({'next_attempt': False})

    @api.model
    def _upsert(self, connection, flow, rows, seen_at, updates=False, wait=False):
        """Put a page of objects into the ledger, in one statement (two if only some are ready); returns nothing.

        :param rows: list of dict with ramp_id, payload, payload_hash, and, where known, the columns of `COLUMNS`; and `ready`
            (default True): whether Ramp offers the object as one that is to be synced
        :param seen_at: when the page was asked for
        :param updates: whether a booked document follows its object: a changed row is due again, with its document
        :param wait: for a worker that has one of the rows, instead of leaving that row as it is

        A row that is not booked takes the new payload; when that changed, the row starts afresh. A booked row keeps the
        payload it was booked with: if Ramp offers the object again although it was confirmed (somebody marked it as not
        synced), it is confirmed once more; if Ramp changed it since, a person decides, unless Ramp shows it as it was again.
        """
        unique = {row['ramp_id']: row for row in rows}  # a page may repeat an object; one statement may not touch a row twice
        for ramp_id in () if wait else self._busy(connection, flow, list(unique)):
            del unique[ramp_id]
        # always in the same order: two workers with the same page then wait for each other, and do not deadlock
        ordered = [row for _ramp_id, row in sorted(unique.items())]
        for ready in (True, False):
            part = [row for row in ordered if row.get('ready', True) is ready]
            if part:
                self._upsert_rows(connection, flow, part, seen_at, ready, updates)
        self._refresh_standing(connection, flow, ordered)
        self.invalidate_model()

    def _upsert_rows(self, connection, flow, rows, seen_at, ready, updates):
        same = SQL('r.payload_hash = excluded.payload_hash')
        if updates:
            changed = SQL(
                """
                payload = excluded.payload, payload_hash = excluded.payload_hash, state = 'pending', error_message = NULL, attempts = 0,
                sync_attempt = COALESCE(r.sync_attempt, 0) + (r.state = 'confirmed')::int, is_question = FALSE, next_attempt = NULL,
                is_told = r.is_told AND NOT %s
                """, ready)
            which = SQL("NOT %s AND r.seen_at < excluded.seen_at AND (r.state <> 'ignored' OR r.is_question)", same)
        else:
            changed = SQL(
                """
                payload = CASE WHEN r.res_id IS NULL THEN excluded.payload ELSE r.payload END,
                payload_hash = CASE WHEN r.res_id IS NULL THEN excluded.payload_hash ELSE r.payload_hash END,
                late_payload = CASE WHEN r.res_id IS NOT NULL AND NOT %(same)s THEN excluded.payload END,
                has_changed = r.res_id IS NOT NULL AND NOT %(same)s,
                state = CASE WHEN %(same)s
                             THEN CASE WHEN r.late_payload IS NOT NULL AND NOT %(ready)s THEN 'confirmed'
                                       WHEN r.state = 'confirmed' OR r.late_payload IS NOT NULL THEN 'done'
                                       WHEN r.state = 'ignored' THEN 'pending' ELSE r.state END
                             ELSE CASE WHEN r.res_id IS NULL THEN 'pending' ELSE 'held' END END,
                sync_attempt = COALESCE(r.sync_attempt, 0) + (r.state = 'confirmed')::int,
                error_message = CASE WHEN %(same)s AND r.late_payload IS NULL THEN r.error_message
                                     WHEN r.res_id IS NULL OR %(same)s THEN NULL ELSE %(changed)s END,
                is_question = r.is_question AND %(same)s,
                attempts = CASE WHEN %(same)s THEN r.attempts ELSE 0 END,
                next_attempt = CASE WHEN %(same)s THEN r.next_attempt END
                """, same=same, ready=ready, changed=self.env._(
                    'Ramp changed it after it was booked here. Compare both versions below. "Reverse and Book Again" takes the new '
                    'one; "Keep What Is Booked" is for books that are right, corrected by hand where they had to be.'))
            which = SQL(
                """
                (r.state IN ('pending', 'error', 'held') AND r.res_id IS NULL AND r.seen_at < excluded.seen_at)
                OR (r.state = 'ignored' AND r.is_question AND r.seen_at < excluded.seen_at)
                OR (r.state = 'done' AND NOT %(same)s AND r.seen_at < excluded.seen_at)
                OR (r.state = 'held' AND r.late_payload IS NOT NULL AND r.seen_at < excluded.seen_at)
                -- a list may show for a moment as ready what was just confirmed
                OR (r.state = 'confirmed' AND %(ready)s AND r.confirmed_at < excluded.seen_at - interval '1 minute')
                OR (r.state = 'confirmed' AND NOT %(ready)s AND NOT %(same)s AND r.confirmed_at < excluded.seen_at)
                OR (r.state = 'confirmed' AND r.confirmed_at IS NULL AND NOT %(same)s AND r.seen_at < excluded.seen_at)
                """, same=same, ready=ready)
        self._insert_rows(connection, flow, rows, seen_at, SQL('is_withheld = FALSE, %s', changed), which)

    def _refresh_standing(self, connection, flow, rows):
        """Keep up with how objects stand in Ramp, which changes without any change of the books; in one statement."""
        rows = [row for row in rows if row.keys() & STANDING]
        if not rows:
            return
        columns = [SQL.identifier(column) for column in STANDING]
        casts = [SQL('v.%s::%s', SQL.identifier(column), SQL.identifier(COLUMNS[column])) for column in STANDING]
        self.env.cr.execute(SQL(
            """
            UPDATE ramp_record r SET (%(columns)s) = ROW(%(casts)s)
              FROM (VALUES %(values)s) AS v(ramp_id, %(columns)s)
             WHERE r.connection_id = %(connection)s AND r.flow = %(flow)s AND r.ramp_id = v.ramp_id
               AND (%(mine)s) IS DISTINCT FROM (%(casts)s)
            """, columns=SQL(', ').join(columns), casts=SQL(', ').join(casts), connection=connection.id, flow=flow,
            mine=SQL(', ').join(SQL('r.%s', column) for column in columns),
            values=SQL(', ').join(SQL('(%s)', SQL(', ').join(
                SQL('%s', part) for part in (row['ramp_id'], *(row.get(column) for column in STANDING)))) for row in rows)))

    def _insert_rows(self, connection, flow, rows, seen_at, changed, which):
        """See `_upsert`. changed, which: what else to set of a row that is there, and of which."""
        values = SQL(', ').join(
            SQL('(%s)', SQL(', ').join(
                SQL('%s', part) for part in (
                    row['ramp_id'], Json(row['payload']), row['payload_hash'], row.get('is_withheld', False), row.get('state', 'pending'),
                    row.get('error_message'), *(None if row.get(column) is False else row.get(column) for column in COLUMNS))))
            for row in rows)
        self.env.cr.execute(SQL(
            """
            INSERT INTO ramp_record AS r (
                connection_id, company_id, flow, seen_at, attempts, sync_attempt, create_uid, write_uid, create_date, write_date,
                is_question, ramp_id, payload, payload_hash, is_withheld, state, error_message, %(columns)s)
            SELECT %(connection)s, %(company)s, %(flow)s, %(seen_at)s, 0, 0, %(uid)s, %(uid)s, %(now)s, %(now)s,
                   v.state <> 'pending', v.ramp_id, v.payload::jsonb, v.payload_hash, v.is_withheld, v.state, v.error_message, %(casts)s
              FROM (VALUES %(values)s) AS v(ramp_id, payload, payload_hash, is_withheld, state, error_message, %(columns)s)
            ON CONFLICT (connection_id, flow, ramp_id) DO UPDATE SET
                seen_at = excluded.seen_at, write_date = excluded.write_date, %(same)s, %(changed)s
            WHERE %(which)s
            """,
            connection=connection.id, company=connection.company_id.id, flow=flow, seen_at=seen_at, uid=self.env.uid,
            now=self.env.cr.now(), values=values, changed=changed, which=which,
            columns=SQL(', ').join(SQL.identifier(column) for column in COLUMNS),
            casts=SQL(', ').join(SQL('v.%s::%s', SQL.identifier(column), SQL.identifier(kind)) for column, kind in COLUMNS.items()),
            same=SQL(', ').join(SQL('%s = %s', SQL.identifier(column), SQL.identifier('excluded', column)) for column in COLUMNS)),
            log_exceptions=False)  # the statement holds payloads, and those do not belong into a log

    @api.model
    def _upsert_withheld(self, connection, flow, rows, seen_at):
        """Put objects into the ledger that Ramp shows without offering them: they count in what it says is owed, and wait.

        :param rows: as of `_upsert`, with state and error_message: why it is not booked
        """
        busy = set(self._busy(connection, flow, [row['ramp_id'] for row in rows]))
        rows = [{**row, 'is_withheld': True} for row in sorted(rows, key=lambda row: row['ramp_id']) if row['ramp_id'] not in busy]
        if not rows:
            return
        self._insert_rows(connection, flow, rows, seen_at, SQL(
            """
            payload = excluded.payload, payload_hash = excluded.payload_hash, is_withheld = TRUE, state = excluded.state,
            error_message = excluded.error_message, is_question = excluded.is_question, attempts = 0, next_attempt = NULL,
            reason_move_id = NULL
            """), SQL(
            """
            r.res_id IS NULL AND r.seen_at < excluded.seen_at
            AND (r.state IN ('pending', 'error') OR (r.state IN ('held', 'ignored') AND r.is_question))
            -- one whose document was deleted here after Ramp was told of it is to be booked again
            AND NOT (excluded.state <> 'pending' AND COALESCE(r.sync_attempt, 0) > 0)
            """))
        self.invalidate_model()

    @api.model
    def _see(self, connection, flow, ramp_ids, seen_at):
        """Note when Ramp showed these objects, of the rows that no other worker has: what is booked is not touched otherwise."""
        self.env.cr.execute(SQL(
            """
            WITH free AS (
                SELECT id FROM ramp_record
                 WHERE connection_id = %s AND flow = %s AND ramp_id = ANY(%s) AND seen_at < %s ORDER BY id FOR UPDATE SKIP LOCKED)
            UPDATE ramp_record r SET seen_at = %s FROM free WHERE r.id = free.id
            """, connection.id, flow, ramp_ids, seen_at, seen_at))
        self.invalidate_model(['seen_at'])

    @api.model
    def _busy(self, connection, flow, ramp_ids):
        """Which of these objects another worker is booking or confirming now: to wait for it would be to do its work again."""
        if not ramp_ids:
            return []
        mine = SQL('r.connection_id = %s AND r.flow = %s AND r.ramp_id = ANY(%s)', connection.id, flow, ramp_ids)
        self.env.cr.execute(SQL(
            """
            WITH free AS (SELECT r.id FROM ramp_record r WHERE %s ORDER BY r.id FOR UPDATE SKIP LOCKED)
            SELECT r.ramp_id FROM ramp_record r WHERE %s AND r.id NOT IN (SELECT id FROM free)
            """, mine, mine))
        return [row[0] for row in self.env.cr.fetchall()]

    @api.model
    def _take(self, connection, flow, limit, ramp_ids=None, after=0, updates=False):
        """Lock rows that are due and that no other worker has, in the order in which they came.

        :param ramp_ids: only these objects; None: whichever are due, beyond the id `after`
        :param updates: also those that have a document, which is to follow its object
        :return: locked recordset; the locks last until the transaction ends
        """
        self.env.cr.execute(SQL(
            """
            SELECT id FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND %s AND is_withheld IS NOT TRUE
               AND (state IN ('pending', 'error') OR (state = 'held' AND is_question))
               AND %s
               AND (next_attempt IS NULL OR next_attempt <= %s)
             ORDER BY id LIMIT %s
               FOR UPDATE SKIP LOCKED
            """, connection.id, flow, SQL('id > %s', after) if ramp_ids is None else SQL('ramp_id = ANY(%s)', list(ramp_ids)),
            SQL('TRUE') if updates else SQL('res_id IS NULL'), self.env.cr.now(), limit))
        return self.browse(row[0] for row in self.env.cr.fetchall())

    @api.model
    def _take_siblings(self, connection, flow, parents, taken):
        """Lock the rows that are due and belong to the same objects as those taken.

        Another worker that has some of them is waited for: to go on without them would make two payments of one transfer. Two that
        wait for each other are a deadlock; one of them begins again.
        """
        self.env.cr.execute(SQL(
            """
            SELECT id FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND parent_ramp_id = ANY(%s) AND NOT (id = ANY(%s)) AND is_withheld IS NOT TRUE
               AND (state IN ('pending', 'error') OR (state = 'held' AND is_question))
               AND (next_attempt IS NULL OR next_attempt <= %s)
             ORDER BY id
               FOR UPDATE
            """, connection.id, flow, parents, taken.ids, self.env.cr.now()))
        return self.browse(row[0] for row in self.env.cr.fetchall())

    @api.model
    def _has_due(self, connection, flow):
        """Whether a flow whose rows come from elsewhere has anything to book, to confirm or to report."""
        self.flush_model()
        self.env.cr.execute(SQL(
            """
            SELECT EXISTS (
                SELECT FROM ramp_record
                 WHERE connection_id = %s AND flow = %s AND is_withheld IS NOT TRUE
                   AND state IN ('pending', 'error', 'held', 'done', 'ignored')
                   AND (state <> 'ignored' OR NOT is_question AND reported_hash IS DISTINCT FROM md5(error_message))
                   AND (next_attempt IS NULL OR next_attempt <= %s))
            """, connection.id, flow, self.env.cr.now()))
        return self.env.cr.fetchone()[0]

    def _reopen_payment(self):
        """Let payments be compared again whose document was booked anew: what they paid of the former one they pay of it."""
        self.flush_recordset()
        self.env.cr.execute(SQL(
            """
            UPDATE ramp_record
               SET state = 'pending', sync_key = NULL, sync_attempt = COALESCE(sync_attempt, 0) + 1, error_message = NULL, attempts = 0,
                   next_attempt = NULL, is_question = FALSE, noted = noted - 'credits'
             WHERE id = ANY(%s)
            """, self.ids))
        self.invalidate_recordset()

    @api.model
    def _lost(self, connection, flow, since, limit):
        """Open rows that Ramp has not listed since a moment, without a lock."""
        self.env.cr.execute(SQL(
            """
            SELECT id FROM ramp_record
             WHERE connection_id = %s AND flow = %s
               -- one that Ramp does not offer is looked at when somebody pressed Retry
               AND (is_withheld IS NOT TRUE OR state = 'pending' AND error_message IS NULL)
               AND (state IN ('pending', 'error') OR (state = 'held' AND is_question)) AND res_id IS NULL AND seen_at < %s
             ORDER BY seen_at LIMIT %s
            """, connection.id, flow, since, limit))
        return self.browse(row[0] for row in self.env.cr.fetchall())

    @api.model
    def _unseen(self, connection, flow, since, moment, limit):
        """Rows from a day on that count in what Ramp says is owed, and that Ramp has not shown since a moment; without a lock.

        What had vanished, of whichever day, is among them: it may be there again.
        """
        self.env.cr.execute(SQL(
            """
            SELECT id FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND seen_at < %s
               AND ((has_moved OR open_amount <> 0) AND date >= %s OR finding = 'vanished')
             ORDER BY seen_at LIMIT %s
            """, connection.id, flow, moment, since, limit))
        return self.browse(row[0] for row in self.env.cr.fetchall())

    def _vanish(self, moment):
        """Ramp has these objects no more: they count for nothing there. What is booked of them is for a person to undo (see `_find` of
        `ramp.flow.watch`)."""
        for record in self:
            if record.res_id:
                record.noted = {**(record.noted or {}), 'vanished': moment.isoformat()}
            elif record.state in OPEN_STATES:
                record._skip(self.env._('Ramp no longer has it.'))
        payments = self.search([
            ('connection_id', 'in', self.connection_id.ids), ('flow', '=', 'bill_payment'),
            ('ramp_id', 'in', self.filtered(lambda record: record.flow == 'bill').mapped('ramp_id'))])
        (self | payments).write({'has_moved': False, 'open_amount': False})

    @api.model
    def _next_unconfirmed(self, connection, flow, tried):
        """The key of a batch whose outcome Ramp has not accepted yet, except those tried; None when there is none."""
        self.env.cr.execute(SQL(
            """
            SELECT sync_key FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND state = 'done' AND sync_key IS NOT NULL
               AND (next_attempt IS NULL OR next_attempt <= %s) AND NOT (sync_key = ANY(%s))
             ORDER BY id LIMIT 1
            """, connection.id, flow, self.env.cr.now(), list(tried)))
        return (self.env.cr.fetchone() or [None])[0]

    @api.model
    def _take_batch(self, connection, flow, key):
        """Lock the unconfirmed rows that share a sync key: all of them, or none when another worker is at them."""
        mine = SQL("connection_id = %s AND flow = %s AND state = 'done' AND sync_key = %s", connection.id, flow, key)
        # The first row is the gate: two workers that lock row by row would otherwise each get a part of the batch.
        self.env.cr.execute(SQL(
            'SELECT id FROM ramp_record WHERE id = (SELECT min(id) FROM ramp_record WHERE %s) FOR UPDATE SKIP LOCKED', mine))
        if not self.env.cr.fetchone():
            return self.browse()
        self.env.cr.execute(SQL('SELECT id FROM ramp_record WHERE %s ORDER BY id FOR UPDATE', mine))
        return self.browse(row[0] for row in self.env.cr.fetchall())

    def _booked(self, documents, sync_key, told=True, again=False):
        """Link each row to its document, in one statement and in the document's transaction.

        :param sync_key: under which Ramp is to be told; None: not yet, or, with `told` False, never
        :param again: whether a document may take another's place without Ramp hearing of it twice
        """
        if not self:
            return
        values = SQL(', ').join(
            SQL('(%s, %s, %s)', record.id, document._name, document.id) for record, document in zip(self, documents, strict=True))
        self.env.cr.execute(SQL(
            """
            UPDATE ramp_record r
               SET state = CASE WHEN is_told AND %s THEN 'confirmed' ELSE %s END, res_model = v.res_model, res_id = v.res_id,
                   sync_key = %s, error_message = NULL, attempts = 0,
                   is_question = FALSE, next_attempt = NULL, reason_move_id = NULL, write_date = %s
              FROM (VALUES %s) AS v(id, res_model, res_id) WHERE r.id = v.id
            """, again, 'done' if told else 'confirmed', sync_key, self.env.cr.now(), values))
        self.invalidate_recordset()

    @api.model
    def _note(self, noted):
        """Remember what documents show of their objects, in one statement. `noted`: JSON by row id."""
        if not noted:
            return
        values = SQL(', ').join(SQL('(%s, %s)', identity, Json(value)) for identity, value in noted.items())
        self.env.cr.execute(SQL(
            'UPDATE ramp_record r SET noted = v.noted::jsonb FROM (VALUES %s) AS v(id, noted) WHERE r.id = v.id', values),
            log_exceptions=False)  # see _upsert
        self.invalidate_model(['noted'])

    def _hold(self, message, move=None):
        """Hold for a person; the sentence goes to the error inbox and to Ramp. Looked at again in every run.

        :param move: the document in Odoo that is in the way, if one is
        """
        self.ensure_one()
        move = move or self.env['account.move']
        if (self.state, self.error_message, self.reason_move_id) != ('held', message, move):
            self.write({'state': 'held', 'error_message': message, 'is_question': True, 'next_attempt': False,
                        'attempts': self.attempts + 1, 'reason_move_id': move.id})

    def _wait(self, message):
        """Not an error: Ramp itself is not finished with the object."""
        self.ensure_one()
        if (self.state, self.error_message) != ('pending', message):
            self.write({'state': 'pending', 'error_message': message, 'is_question': False, 'next_attempt': False})

    def _unbook(self, message):
        """What was booked of the object was undone, and Ramp has nothing to book in its place; a change there makes the row due."""
        self.ensure_one()
        self._reopen()
        self._wait(message)

    def _skip(self, message):
        """Leave out by rule. Comes back by itself when Ramp changes the object (`is_question`).

        A reason that says the same and more is kept: of a bill that was archived, it names the reversal.
        """
        self.ensure_one()
        if self.error_message and self.error_message.startswith(message):
            message = self.error_message
        self.write({'state': 'ignored', 'error_message': message, 'is_question': True, 'next_attempt': False})

    def _leave_out(self, message, counts=False):
        """What is not booked is no business of the connection any more, and does not count in what Ramp says is owed.

        :param counts: it counts all the same: a statement may name what is from before the start date, and has to add up
        """
        records = self.filtered(lambda record: record.state != 'ignored' or not counts and (record.has_moved or record.open_amount))
        records.try_lock_for_update().write({
            'state': 'ignored', 'error_message': message, 'is_question': True, 'next_attempt': False,
            **({} if counts else {'has_moved': False, 'open_amount': False})})

    def _fail(self, message):
        """A failure of this object that may pass: try again in the next run, then later and later; after `MAX_ATTEMPTS`
        in a row hold it for a person. What is booked, and Ramp does not take the outcome of, is told for good: see `_note_untold`."""
        self.ensure_one()
        is_booked = self.state == 'done'
        attempts = 1 + (self.attempts if self.state in ('error', 'done') else 0)
        values = {'error_message': message, 'attempts': attempts, 'is_question': False, 'next_attempt': False}
        if attempts >= MAX_ATTEMPTS and not is_booked:
            values['state'] = 'held'
        else:
            values['state'] = 'done' if is_booked else 'error'
            if attempts > 1:
                values['next_attempt'] = self.env.cr.now() + min(
                    FIRST_DELAY * 2 ** min(attempts - 2, MAX_ATTEMPTS), UNTOLD_DELAY if is_booked else LONGEST_DELAY)
        self.write(values)

    def _postpone(self, message):
        """Ramp did not answer: no fault of this object, so it does not count against it and is tried in every run."""
        self.ensure_one()
        if (self.state, self.error_message) != ('error', message):
            self.write({'state': 'error', 'error_message': message, 'is_question': False, 'next_attempt': False})

    def _confirm(self):
        """Ramp accepted the outcome."""
        # clock_timestamp, not the transaction's time: a page that was asked for before this moment is out of date
        self.env.cr.execute(SQL(
            """
            UPDATE ramp_record
               SET state = 'confirmed', confirmed_at = clock_timestamp() AT TIME ZONE 'UTC', error_message = NULL, attempts = 0,
                   next_attempt = NULL, is_question = FALSE, is_told = TRUE
             WHERE id = ANY(%s)
            """, self.ids))
        self.invalidate_recordset()

    @api.model
    def _unreported(self, connection, flow, ids, limit):
        """Rows whose reason Ramp has not been told: held ones, and those that a person ignored."""
        self.env.cr.execute(SQL(
            """
            SELECT id FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND res_id IS NULL AND error_message IS NOT NULL
               AND (state = 'held' OR (state = 'ignored' AND NOT is_question))
               AND ramp_id NOT LIKE 'malformed-%%' AND is_withheld IS NOT TRUE
               AND reported_hash IS DISTINCT FROM md5(error_message) AND %s
             ORDER BY id LIMIT %s
            """, connection.id, flow, SQL('TRUE') if ids is None else SQL('id = ANY(%s)', list(ids)), limit))
        return self.browse(row[0] for row in self.env.cr.fetchall())

    def _reported(self):
        """Ramp knows the reason."""
        self.env.cr.execute(SQL(
            'UPDATE ramp_record SET reported_hash = md5(error_message), reports = COALESCE(reports, 0) + 1 WHERE id = ANY(%s)', self.ids))
        self.invalidate_recordset(['reported_hash', 'reports'])

    # ------------------------------------------------------------------ planner statistics

    @api.model
    def _refresh_statistics(self):
        """Let PostgreSQL look again at the tables that a first backfill has filled since it last looked.

        It does so by itself, but minutes later (autovacuum), and until then it plans for tables that were nearly empty.
        Never waits for a lock and never fails: without the right to do it, nothing happens.
        """
        try:
            with self.env.cr.savepoint(flush=False):
                self.env.cr.execute(SQL(
                    """
                    SELECT s.relname FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
                     WHERE s.schemaname = current_schema() AND s.relname = ANY(%s) AND pg_has_role(c.relowner, 'USAGE')
                       AND s.n_mod_since_analyze > %s + 2 * s.n_live_tup
                    """, list(FILLED_TABLES), FEW_CHANGES), log_exceptions=False)
                for [table] in self.env.cr.fetchall():
                    self.env.cr.execute(SQL('ANALYZE (SKIP_LOCKED) %s', SQL.identifier(table)), log_exceptions=False)
        except psycopg2.Error as error:
            _logger.info('The planner statistics were not refreshed: %s', type(error).__name__)
