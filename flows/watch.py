# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import timedelta

from dateutil.relativedelta import relativedelta

from odoo import api, models
from odoo.tools import SQL

EVERYTHING = timedelta(days=7)  # so often all since the start date is read; else what is of the last months
MONTHS = 3
POLICIES = {'bill': 'bill_post', 'vendor_credit': 'bill_post', 'reimbursement': 'reimbursement_post', 'transaction': 'card_post',
            'statement': 'statement_post'}  # whether a document is to be posted


class RampFlowWatch(models.AbstractModel):
    """The nightly check: what no list of what is ready tells, in Ramp and in Odoo.

    In Ramp: everything is read, whatever is offered of it, so that the tie-out knows what is not marked as ready, and what somebody
    exported without this connection. In Odoo: documents that were deleted, reset to draft, cancelled, reversed or edited after they were
    booked. What is found is opened: it is to clear, with its reason, until it is mended or somebody accepts it (Retry).
    """

    _name = 'ramp.flow.watch'
    _inherit = 'ramp.flow'
    _description = 'Ramp Flow: nightly check'

    _flow = 'watch'
    _flow_sequence = 200

    @api.model
    def _flow_label(self):
        return self.env._('Nightly check')

    def _work(self, connection, run):
        place, started = run.taken_up or {}, run._begun()
        client = connection._client()
        entities = connection._read_entities(client)
        full = run._last_reread(connection, self._flow)
        is_full = not full or full < started - EVERYTHING
        since = connection._start_moment()
        if not is_full:
            since = max(since, (started.replace(day=1) - relativedelta(months=MONTHS)).strftime('%Y-%m-%dT00:00:00Z'))
        self.env.cr.rollback()
        flows = [flow for flow in connection._flows() if flow._enabled(connection) and (flow._sends or hasattr(flow, '_watch_listings'))]
        names = [flow._flow for flow in flows]
        done = names.index(place['flow']) if place.get('flow') in names else 0
        for number, flow in enumerate(flows[done:]):
            stopped = {} if number and self._is_time_up() else self._read_there(
                connection, client, self.env[flow._name], since, started, place)
            if stopped is not None:
                self._transaction(run._leave_off, {'flow': flow._flow, **stopped})
                self._trigger()
                return
            place = {}
        self._transaction(self._check_documents, connection, run)
        self._transaction(self._note_run, connection, run, entities, is_full, started)

    def _read_there(self, connection, client, flow, since, begun, place):
        """Read what Ramp has of a flow's objects. Returns where it stopped, as the job's time was up; None: nowhere."""
        if flow._sends:
            return flow._inspect(connection, client)
        listings = flow._watch_listings(connection, since)
        stopped = flow._observe(connection, client, listings, place) if listings else None
        if listings and stopped is None:
            flow._look_for_vanished(connection, client, since, begun)
        return stopped

    def _note_run(self, connection, run, entities, is_full, started):
        run.reread = is_full
        connection.write({'last_watch': started, **entities})

    # ------------------------------------------------------------------ documents in Odoo

    def _check_documents(self, connection, run):
        """Open the rows whose documents do not say any more what was booked; close those that do again."""
        found = self._find(connection)
        Record = self.env['ramp.record']
        opened = Record.search([('connection_id', '=', connection.id), ('finding', '!=', False)])
        for record in (opened - Record.browse(found)).try_lock_for_update():
            record.finding = False
            # one whose document is gone meanwhile, or that is held for something else now, is not settled by this
            if record.res_id and record.state == 'held' and not (record.is_question or record.attempts or record.late_payload):
                record.write({'state': 'confirmed' if record.is_told or not self._tells(record) else 'done', 'error_message': False})
        records = Record.browse(found).try_lock_for_update().filtered(lambda record: record.state in ('confirmed', 'done', 'held'))
        for record in records:
            kind, text = found[record.id]
            if (record.noted or {}).get('accepted') == kind or record.state == 'held' and not record.finding:
                continue
            if (record.state, record.finding, record.error_message) != ('held', kind, text):
                record.write({'state': 'held', 'finding': kind, 'error_message': text, 'is_question': False, 'next_attempt': False})
        run.write({'seen': run.seen + len(found), 'held': run.held + len(records)})

    def _tells(self, record):
        return bool(self.env[f'ramp.flow.{record.flow}']._sync_type)

    def _find(self, connection):
        """{row id: (kind, sentence)} of what is booked and does not say any more what was booked."""
        report = self.env['report.ramp_connector.tie_out']
        report._flush()
        found = {}
        rows = self.env.execute_query(SQL(
            """
            SELECT r.id, r.flow, COALESCE(m.name, p.name, ''), CASE
                       WHEN m.id IS NULL AND p.id IS NULL THEN 'deleted'
                       WHEN m.state = 'cancel' OR p.state IN ('canceled', 'rejected') THEN 'cancelled'
                       WHEN m.state = 'draft' OR p.state = 'draft' THEN 'draft'
                       WHEN EXISTS (
                            SELECT FROM account_move o WHERE o.reversed_entry_id = m.id AND o.state = 'posted') THEN 'reversed'
                       ELSE 'edited' END
              FROM ramp_record r
              LEFT JOIN account_move m ON r.res_model = 'account.move' AND m.id = r.res_id
              LEFT JOIN account_payment p ON r.res_model = 'account.payment' AND p.id = r.res_id
             WHERE r.connection_id = %(connection)s AND r.remote_id IS NULL AND r.res_id IS NOT NULL
               AND r.res_model IN ('account.move', 'account.payment') AND r.state IN ('confirmed', 'done', 'held')
               AND NOT COALESCE(r.has_changed, FALSE) AND r.flow <> 'cashback'
               AND (m.id IS NULL AND p.id IS NULL OR m.state IN ('cancel', 'draft') OR p.state IN ('canceled', 'rejected', 'draft')
                    OR r.flow IN ('bill', 'vendor_credit', 'reimbursement') AND (
                       m.amount_total <> abs(r.amount) OR m.currency_id <> r.currency_id)
                    OR EXISTS (
                       SELECT FROM account_move o WHERE o.reversed_entry_id = m.id AND o.state = 'posted'))
            """, connection=connection.id))
        sentences = self._sentences()
        for record, flow, name, kind in rows:
            is_draft_by_policy = kind == 'draft' and flow in POLICIES and connection[POLICIES[flow]] == 'draft'
            if not is_draft_by_policy:
                found[record] = kind, sentences[kind] % {'name': name}
        for record, name in self.env.execute_query(SQL(
                """
                SELECT id, name FROM ramp_record
                 WHERE connection_id = %s AND res_id IS NOT NULL AND seen_at < (noted ->> 'vanished')::timestamp
                """, connection.id)):
            found.setdefault(record, ('vanished', sentences['vanished'] % {'name': name or ''}))
        _sums, odd = report._read(connection, None, self.env.cr.now().date())
        for differences in report._differences(connection, [
                row for row in odd if row[4] and row[4] not in found]).values():
            for difference in differences:
                if difference['kind'] == 'edited' or difference['kind'] == 'period' and connection.lock_date_policy == 'hold':
                    found[difference['record_id']] = difference['kind'], difference['text']
        return found

    @api.model
    def _sentences(self):
        remedy = self.env._('If that is right, press Retry to accept it.')
        return {
            'deleted': self.env._('Its document was deleted in Odoo.'),
            **{kind: f'{sentence} {remedy}' for kind, sentence in (
                ('cancelled', self.env._('Its document %(name)s was cancelled in Odoo after it was booked. Set it back and post it.')),
                ('draft', self.env._('Its document %(name)s was reset to draft in Odoo after it was booked. Post it.')),
                ('vanished', self.env._('Ramp no longer has %(name)s, which is booked. If it was deleted there, reverse its document.')),
                ('reversed', self.env._('Its document %(name)s was reversed in Odoo after it was booked.')),
                ('edited', self.env._('Its document %(name)s was edited in Odoo: it does not come to what Ramp says.')))},
        }
