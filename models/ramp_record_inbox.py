# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
from collections import Counter

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL, LazyTranslate

from .ramp_record import OPEN_STATES

_lt = LazyTranslate(__name__)


class RampRecord(models.Model):
    """The error inbox: decisions on rows, which accountants make without being able to edit the rows."""

    _inherit = 'ramp.record'

    decision = fields.Selection(
        [
            ('retry', 'Retried'),
            ('keep', 'Kept as posted'),
            ('rebook', 'Reversed and posted again'),
            ('reconcile', 'Reconciled again'),
            ('ignore', 'Ignored'),
        ],
        string='Last Decision',
        readonly=True,
        help='What a person last decided about the object.',
    )
    decided_by_id = fields.Many2one('res.users', readonly=True, ondelete='set null', index='btree_not_null')
    decided_at = fields.Datetime(string='Decided', readonly=True)

    def _check_is_accountant(self):
        if not self.env.su and not self.env.user.has_group('account.group_account_invoice'):
            raise AccessError(self.env._('Only accountants may decide on objects from Ramp.'))
        self.check_access('read')

    # ------------------------------------------------------------------ try again

    def action_retry(self):
        """Try again now, whatever the waiting time: post what is not posted, confirm what is."""
        self._check_is_accountant()
        again = self.filtered(lambda record: record.state != 'confirmed')
        if self and not again:
            raise UserError(self.env._('This is already in order. There is nothing to retry.'))
        # sudo: accountants decide on rows (checked above) without being able to edit them
        kept = self.browse().sudo()
        for record in again.sudo():
            is_accepted = bool(record.res_id and (record.late_payload or record.finding))
            if record.late_payload:
                # The user compared both versions and says that the books are right
                record._accept_late_payload()
            if record.finding:
                record.noted = dataclasses.replace(record._read_note(), accepted=record.finding).to_json()
            state = record._state_after_retry()
            if is_accepted and state != 'pending':
                kept += record
            record.write(
                {
                    **record._decision_values('keep' if record in kept else 'retry'),
                    'state': state,
                    'error_message': False,
                    'reason': False,
                    'attempts': 0,
                    'next_attempt': False,
                    'hold_reason': False,
                    'finding': False,
                }
            )
        for flow in set(self.mapped('flow')):
            self.env[f'ramp.flow.{flow}']._trigger()
        (again.sudo() - kept)._log_decision(self.env._('Retry'))
        kept._log_decision(self.env._('Kept as posted'))
        kept._log_on_documents(self.env._('Kept as posted, although it differs from Ramp.'))
        return self._notify_retried(len(again) - len(kept), len(kept), len(self) - len(again))

    def _notify_retried(self, again, kept, in_order):
        """Return the notification that says what Retry did, with the numbers of rows."""
        words = [
            (again, self.env._('1 record is tried again.'), self.env._('%s records are tried again.', again)),
            (kept, self.env._('1 document stays as it is posted.'), self.env._('%s documents stay as posted.', kept)),
            (in_order, self.env._('1 was in order already.'), self.env._('%s were in order already.', in_order)),
        ]
        return self.env['ramp.connection']._notify_user(
            'success',
            self.env._('Retry'),
            ' '.join(one if count == 1 else many for count, one, many in words if count)
            or self.env._('There was nothing to retry.'),
        )

    # ------------------------------------------------------------------ who decided what

    def _decision_values(self, decision):
        """Return the values that say who decided what, and when."""
        return {
            'decision': decision,
            'decided_by_id': self.env.uid,
            'decided_at': self.env.cr.now().replace(microsecond=0),
        }

    def _log_decision(self, decision):
        """Log on the connection what the user decided, without a mail: one message for all rows.

        It has no names, because personal data is removed from the ledger later.
        """
        labels = dict(self._fields['flow']._description_selection(self.env))
        for connection, records in self.grouped('connection_id').items():
            counts = Counter(records.mapped('flow')).most_common()
            connection._message_log(
                body=f'{decision}: {", ".join(f"{labels.get(flow, flow)} ({count})" for flow, count in counts)}'
            )

    def _log_on_documents(self, text):
        """Log on the documents of these rows what the user decided, without a mail."""
        for model, records in self.grouped('res_model').items():
            if hasattr(self.env[model], '_message_log_batch'):
                documents = self.env[model].browse(records.mapped('res_id')).exists()
                documents._message_log_batch(bodies=dict.fromkeys(documents.ids, text))

    def _state_after_retry(self):
        """Return the state of the row after Retry.

        A posted document that does not follow its object stays posted. Everything else is looked at again.
        """
        flow = self.env[f'ramp.flow.{self.flow}']
        if self.res_id and self.finding == 'vanished':
            # Ramp has no such object any more, so there is nothing to confirm
            return 'confirmed'
        if self.res_id and self.finding == 'unreconciled':
            # The next run would reconcile it again
            return self._get_posted_state()
        if not self.res_id or flow._sends or getattr(flow, '_updates', True):
            return 'pending'
        return 'done' if self.sync_key or flow._sync_type else 'confirmed'

    def action_rebook(self):
        """Undo the document of an object that changed in Ramp, and let the object be posted as it is now.

        The document is reversed (a draft is deleted) with the access rights of the user.
        """
        self._check_is_accountant()
        for record in self:
            if not (record.late_payload and record.res_id):
                raise UserError(self.env._('%s has not changed in Ramp since it was posted.', record.display_name))
        for record in self:
            flow = self.env[f'ramp.flow.{record.flow}'].with_company(record.company_id)
            flow._undo_for_user(record.connection_id, record, self.env._('Ramp changed it after it was posted.'))
            # sudo: accountants decide on rows (checked above) without being able to edit them
            record.sudo()._accept_late_payload()
            record.sudo()._reopen_for_booking()
            # sudo: see above
            record.sudo().write(record._decision_values('rebook'))
            flow._trigger()
        # sudo: see above
        self.sudo()._log_decision(self.env._('Reverse and Post Again'))
        return self.env['ramp.connection']._notify_user(
            'success',
            self.env._('Reverse and Post Again'),
            self.env._('1 document is reversed. Its object is posted again in the next run.')
            if len(self) == 1
            else self.env._('%s documents are reversed. Their objects are posted again in the next run.', len(self)),
        )

    def action_reconcile_again(self):
        """Reconcile documents with their payments again, where somebody removed that, with the user's access rights.

        :raise UserError: if it was not removed, or cannot be put back
        """
        self._check_is_accountant()
        for record in self:
            if record.finding != 'unreconciled' or not record.res_id:
                raise UserError(self.env._('The reconciliation of %s was not removed in Odoo.', record.display_name))
        for record in self:
            # sudo: accountants decide on rows (checked above) without being able to edit them
            row = record.sudo()
            row._lock_for_decision()
            flow = self.env[f'ramp.flow.{record.flow}'].with_company(record.company_id)
            flow._reconcile_again_for_user(record.connection_id, row)
            row.write({**record._decision_values('reconcile'), 'finding': False})
            row._release_posted()
        # sudo: see above
        self.sudo()._log_decision(self.env._('Reconcile Again'))
        return self.env['ramp.connection']._notify_user(
            'success',
            self.env._('Reconcile Again'),
            self.env._('1 document is reconciled with its payment again.')
            if len(self) == 1
            else self.env._('%s documents are reconciled with their payments again.', len(self)),
        )

    def _accept_late_payload(self):
        """Make the late payload the payload of the row."""
        self.ensure_one()
        row = self.env[f'ramp.flow.{self.flow}']._make_ledger_row(self.connection_id, self.late_payload)
        self.write(
            {
                'payload': row['payload'],
                'payload_hash': row['payload_hash'],
                'late_payload': False,
                'has_changed': False,
            }
        )

    # ------------------------------------------------------------------ leave out

    @api.depends('flow')
    def _compute_is_posting(self):
        for record in self:
            record.is_posting = bool(record.flow) and self.env[f'ramp.flow.{record.flow}']._is_posting

    def action_dry_run(self):
        """Show what would be posted of this object, as the ledger has it."""
        self.ensure_one()
        self._check_is_accountant()
        return self.env['ramp.dry.run']._make_for_record(self).sudo(False).action_open_result()

    def action_ignore(self):
        """Open the wizard that asks for the reason and then ignores the rows."""
        self._check_is_accountant()
        self._check_not_sent()
        return {
            'type': 'ir.actions.act_window',
            'res_model': 'ramp.record.ignore',
            'views': [(False, 'form')],
            'target': 'new',
            'name': self.env._('Ignore'),
            'context': {'default_record_ids': self.ids},
        }

    def _check_not_sent(self):
        for record in self.filtered('remote_id'):
            raise UserError(
                self.env._(
                    '%s is sent from Odoo to Ramp, so there is nothing to ignore here. To keep it out of Ramp, '
                    'archive it in Odoo, or exclude it on the connection (Coding Options). To send it again, press '
                    'Retry.',
                    record.display_name,
                )
            )

    def _ignore_by_person(self, reason):
        """Leave these objects out of the books for good, with a reason that is kept and sent to Ramp."""
        self._check_is_accountant()
        self._check_not_sent()
        if not (reason or '').strip():
            raise UserError(self.env._('Enter a reason, so that others know why it was ignored.'))
        for record in self:
            if record.res_id and (record.res_model != 'ir.attachment' or record.state not in OPEN_STATES):
                raise UserError(
                    self.env._(
                        '%s is posted. Delete or reverse its document first, then ignore it.', record.display_name
                    )
                )
        # sudo: see action_retry
        self.sudo().write(
            {
                'state': 'ignored',
                'hold_reason': 'person',
                'next_attempt': False,
                **self._decision_values('ignore'),
                **self._make_reason(
                    self.connection_id[:1],
                    _lt('Ignored by %(user)s: %(reason)s', user=self.env.user.name, reason=reason.strip()),
                ),
            }
        )
        for flow, records in self.grouped('flow').items():
            self.env[f'ramp.flow.{flow}']._on_decided(records.connection_id)
        # sudo: see action_retry
        self.sudo()._log_decision(self.env._('Ignore'))

    # ------------------------------------------------------------------ documents

    def action_open_document(self):
        """Open the document in Odoo."""
        self.ensure_one()
        self.check_access('read')
        if not self.res_id or not self.env[self.res_model].browse(self.res_id).exists():
            raise UserError(
                self.env._('%s was deleted in Odoo.', self.display_name)
                if self.remote_id
                else self.env._('%s has no document in Odoo.', self.display_name)
            )
        if self.res_model == 'ir.attachment':
            return {'type': 'ir.actions.act_url', 'url': f'/web/content/{self.res_id}', 'target': 'new'}
        return {
            'type': 'ir.actions.act_window',
            'res_model': self.res_model,
            'res_id': self.res_id,
            'views': [(False, 'form')],
        }

    def action_open_in_ramp(self):
        """Open the object on Ramp's own pages."""
        self.ensure_one()
        self.check_access('read')
        return {'type': 'ir.actions.act_url', 'url': self.ramp_url, 'target': 'new'}

    def _hold_deleted_documents(self, documents):
        """Put the rows of documents that are deleted in Odoo on hold, so that a person decides about the object."""
        records = self.search(
            [
                ('res_model', '=', documents._name),
                ('res_id', 'in', documents.ids),
                ('state', '!=', 'ignored'),
                ('remote_id', '=', False),
            ]
        )
        if records:
            records._hold_without_document(
                'deleted',
                _lt(
                    'Its document was deleted in Odoo by %s. Press Retry to post it again, or Ignore to leave it out.',
                    self.env.user.name,
                ),
            )

    def _hold_without_document(self, hold_reason, reason):
        """Put rows that have lost their documents on hold, until a person decides.

        :param reason: see `_reason_values`
        """
        for record in self:
            # A document that is posted instead is confirmed under a new sync key
            record.sync_attempt += 1
            if record.late_payload:
                record._accept_late_payload()
            if record._read_note().is_linked:
                # What the connector posts instead is its own, and may be reversed
                record.noted = False
        self.write(
            {'state': 'held', 'hold_reason': hold_reason, 'res_model': False, 'sync_key': False, 'next_attempt': False}
        )
        for record in self:
            record.write(record._reason_values(reason))
        self.flush_recordset()
        # The ORM would write 0 for "no document"; the indexes and the flows expect NULL
        self.env.cr.execute(SQL('UPDATE ramp_record SET res_id = NULL WHERE id = ANY(%s)', self.ids))
        self.invalidate_recordset(['res_id'])
