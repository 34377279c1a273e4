# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import logging
from datetime import timedelta

from dateutil.relativedelta import relativedelta

from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools import SQL, LazyTranslate

from ...models.connection_constants import OPTIONAL_SCOPES
from ...models.reason import Cause, Sentence
from ...ramp_api import RampAuthError, RampConnectionError, RampError, RampOutOfTime
from ..engine.flow import is_of_object

_lt = LazyTranslate(__name__)
_logger = logging.getLogger(__name__)

FINDING_TEXTS = {
    'deleted': _lt('Its document was deleted in Odoo.'),
    'cancelled': _lt('Its document %(name)s was cancelled in Odoo after it was posted. Reset it to draft and post it.'),
    'draft': _lt('Its document %(name)s was reset to draft in Odoo after it was posted. Post it.'),
    'vanished': _lt('Ramp no longer has %(name)s, which is posted. If it was deleted there, reverse its document.'),
    'reversed': _lt('Its document %(name)s was reversed in Odoo after it was posted.'),
    'edited': _lt('Its document %(name)s was edited in Odoo and no longer matches Ramp.'),
    'unreconciled': _lt(
        'Somebody in Odoo removed the reconciliation of %(document)s with its payment %(name)s. Ramp paid it, but it is '
        'open here. Press Reconcile Again.'
    ),
}
FINDING_REMEDY = _lt('If this is correct, press Retry to accept it.')
FINDING_TITLES = {
    'deleted': _lt('The document was deleted in Odoo'),
    'cancelled': _lt('The document was cancelled in Odoo after it was posted'),
    'draft': _lt('The document was reset to draft in Odoo after it was posted'),
    'vanished': _lt('Ramp no longer has it, but it is posted'),
    'reversed': _lt('The document was reversed in Odoo after it was posted'),
    'edited': _lt('The document was edited in Odoo and no longer matches Ramp'),
    'period': _lt('It is posted in another month than in Ramp'),
    'unreconciled': _lt('Ramp paid it, but the reconciliation with its payment was removed in Odoo'),
}
# Findings that a button settles: see `ramp.cause`
FINDING_KINDS = {'unreconciled': 'unreconciled'}

# A check reads everything since the start date this often. The other checks read the last MONTHS only.
EVERYTHING = timedelta(days=7)
MONTHS = 3
# Fields of the connection that say whether a document is to be posted, by flow.
POLICIES = {
    'bill': 'bill_post',
    'vendor_credit': 'bill_post',
    'reimbursement': 'reimbursement_post',
    'transaction': 'card_post',
    'statement': 'statement_post',
}


class RampFlowWatch(models.AbstractModel):
    """The nightly check, which finds what the lists of ready objects do not show, in Ramp and in Odoo.

    In Ramp it reads everything, offered or not. So the tie-out knows what is not marked as ready, and what was exported
    without this connection. In Odoo it looks for documents that were deleted, reset to draft, cancelled, reversed,
    edited or unreconciled after they were posted. A finding puts the row on hold with the reason, until it is corrected or somebody
    accepts it (Retry).

    Each flow is checked by itself. If one fails, the run names it and still checks the others. At the end, the
    configuration of the connection is checked, and the result is stored (`ramp.connection.check`).
    """

    _name = 'ramp.flow.watch'
    _inherit = 'ramp.flow'
    _description = 'Ramp Flow: nightly check'

    _flow = 'watch'
    _flow_sequence = 200

    @api.model
    def _get_flow_label(self):
        return self.env._('Nightly check')

    def _run_connection_work(self, connection, run):
        place, started = run.taken_up or {}, run._pass_started_at()
        client = connection._run_client()
        entities = connection._read_entities(client)
        full = run._last_reread_at(connection, self._flow)
        is_full = not full or full < started - EVERYTHING
        since = connection._start_moment()
        if not is_full:
            since = max(since, (started.replace(day=1) - relativedelta(months=MONTHS)).strftime('%Y-%m-%dT00:00:00Z'))
        self.env.cr.rollback()
        flows = [
            flow
            for flow in connection._flow_models()
            if flow._is_enabled_for(connection) and (flow._sends or hasattr(flow, '_get_nightly_listings'))
        ]
        names = [flow._flow for flow in flows]
        done = names.index(place['flow']) if place.get('flow') in names else 0
        # It starts with the results of the runs that this one continues.
        judged = {'failed': place.get('failed', {}), 'left_out': place.get('left_out', [])}
        for number, flow in enumerate(flows[done:]):
            try:
                stopped = (
                    {}
                    if number and self._is_job_time_up()
                    else self._read_flow_objects(connection, client, self.env[flow._name], since, started, place)
                )
            except RampOutOfTime as error:
                self.env.cr.rollback()
                self._transaction(run._leave_off, {**judged, 'flow': flow._flow, **getattr(error, 'place', {})})
                raise
            except RampConnectionError:
                if is_full:
                    self._transaction(self._note_looked_at, connection, names[: done + number], judged)
                raise  # Ramp cannot be reached, so there is no use in asking for the others now
            except Exception as error:
                self._judge_flow_failure(connection, client, flow, error, judged)
                stopped = None
            if stopped is not None:
                self._transaction(run._leave_off, {**judged, 'flow': flow._flow, **stopped})
                self._trigger()
                return
            place = {}
        try:
            self._transaction(self._check_booked_documents, connection, run)
            self._transaction(self.env['ramp.flow.payment']._match_returned_payments, connection)
        except Exception as error:
            self._judge_flow_failure(connection, client, self, error, judged)
        is_whole = not any(name == self._flow or not self.env[f'ramp.flow.{name}']._sends for name in judged['failed'])
        self._transaction(self._note_check_result, connection, run, entities, is_full, started, is_whole)
        if is_full:
            self._transaction(self._note_looked_at, connection, names, judged)
        self._transaction(self._note_left_out, connection, judged['left_out'])
        # The configuration is checked even if a flow failed: it may say why
        answers = connection._ask_for_checks(client)
        self.env.cr.rollback()
        self._transaction(connection._store_checks, answers)
        if judged['failed']:
            raise UserError('\n'.join(judged['failed'].values()))

    def _judge_flow_failure(self, connection, client, flow, error, judged):
        """Note that a flow could not be checked, so that the others still are.

        :raise Exception: the error itself, if it does not concern this flow alone
        """
        self.env.cr.rollback()
        if isinstance(error, RampError):
            if error.status == 403 and self._is_not_included(client, flow):
                judged['left_out'] = [*judged['left_out'], flow._flow]
                _logger.info('%s', error)
                return
            if isinstance(error, RampAuthError):
                raise error
            reason = str(error)
        elif is_of_object(error, undone=True):
            _logger.error('The nightly check of %s failed', flow._flow, exc_info=error)
            reason = (
                str(error)
                if isinstance(error, UserError)
                else self.env._('Unexpected error: %s. The server log has the details.', type(error).__name__)
            )
        else:
            raise error
        judged['failed'] = {
            **judged['failed'],
            flow._flow: self.env._(
                'Nightly check of connection %(name)s: %(flow)s could not be checked. %(reason)s',
                name=connection.name,
                flow=flow._get_flow_label(),
                reason=reason,
            ),
        }

    @staticmethod
    def _is_not_included(client, flow):
        """Return whether the subscription lacks what a flow needs.

        That is so if Ramp refuses it although the app has the permissions for it.
        """
        switch = getattr(flow, '_switch', None)
        return bool(switch) and client.granted_scopes.issuperset(OPTIONAL_SCOPES[switch])

    def _read_flow_objects(self, connection, client, flow, since, begun, place):
        """Read what Ramp has of a flow's objects.

        :return: the place where it stopped because the job's time was up, or None if it read everything
        """
        if flow._sends:
            return flow._inspect_remote_objects(connection, client)
        listings = flow._get_nightly_listings(connection, since)
        stopped = flow._store_snapshot_of_lists(connection, client, listings, place) if listings else None
        if listings and stopped is None:
            flow._look_for_vanished_objects(connection, client, since, begun)
        return stopped

    def _note_check_result(self, connection, run, entities, is_full, started, is_whole):
        """Store the result of a check.

        :param is_full: whether everything since the start date was read
        :param is_whole: whether everything was read that counts in the tie-out
        """
        run.reread = is_full and is_whole
        if is_whole:
            connection.last_watch = started
        connection._note_entities(entities)

    def _note_looked_at(self, connection, names, judged):
        """Note which of these flows had their first complete look, because they were read to the end."""
        before = connection.looked_at or []
        found = {*before, *names} - ({*judged['failed'], *judged['left_out']} - {*before})
        if found != set(before):
            connection.looked_at = sorted(found)

    def _note_left_out(self, connection, left_out):
        """Report once, on the connection's page, what the subscription does not include.

        It is checked again each night.
        """
        before = connection.left_out or []
        for name in sorted(set(left_out) - set(before)):
            connection._message_log(
                body=self.env._(
                    'Ramp does not let Odoo use %s: the subscription of the business does not include them (Ramp '
                    'Plus). Everything else continues. If this is permanent, switch them off here.',
                    self.env[f'ramp.flow.{name}']._get_flow_label(),
                )
            )
        if sorted(left_out) != sorted(before):
            connection.left_out = sorted(left_out) or False

    # ------------------------------------------------------------------ documents in Odoo

    def _check_booked_documents(self, connection, run):
        """Put rows on hold whose documents no longer match what was posted, and release those that match again."""
        found = self._find_changed_documents(connection)
        Record = self.env['ramp.record']
        opened = Record.search([('connection_id', '=', connection.id), ('finding', '!=', False)])
        for record in (opened - Record.browse(found)).try_lock_for_update():
            record.finding = False
            # A row without a document, or on hold for another reason by now, is not settled by this.
            if record.res_id and record.hold_reason == 'finding':
                record._release_posted()
        records = (
            Record.browse(found)
            .try_lock_for_update()
            .filtered(lambda record: record.state in ('confirmed', 'done', 'held'))
        )
        for record in records:
            kind, text = found[record.id]
            if record._read_note().accepted == kind or record.state == 'held' and not record.finding:
                continue
            values = record._reason_values(self._make_finding_cause(kind, text))
            if (record.hold_reason, record.finding, record.error_message) != ('finding', kind, values['error_message']):
                record.write(
                    {'state': 'held', 'finding': kind, **values, 'hold_reason': 'finding', 'next_attempt': False}
                )
        run.write({'seen': run.seen + len(found), 'held': run.held + len(records)})

    def _find_changed_documents(self, connection):
        """Return the rows whose documents no longer match what was posted.

        :return: {row id: (kind, sentence)}
        """
        report = self.env['report.ramp_connector.tie_out']
        report._flush_read_models()
        found = {}
        rows = self.env.execute_query(
            SQL(
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
            """,
                connection=connection.id,
            )
        )
        for record, flow, name, kind in rows:
            is_draft_by_policy = kind == 'draft' and flow in POLICIES and connection[POLICIES[flow]] == 'draft'
            if not is_draft_by_policy:
                found[record] = kind, self._make_finding_text(kind, name)
        for record, name, kind in self._list_changed_parts(connection):
            found.setdefault(record, (kind, self._make_finding_text(kind, name)))
        for record, name in self.env.execute_query(
            SQL(
                """
                SELECT id, name FROM ramp_record
                 WHERE connection_id = %s AND res_id IS NOT NULL AND seen_at < (noted ->> 'vanished')::timestamp
                """,
                connection.id,
            )
        ):
            found.setdefault(record, ('vanished', self._make_finding_text('vanished', name)))
        for record, name, document in self._find_unreconciled_payments(connection):
            found.setdefault(record, ('unreconciled', self._make_finding_text('unreconciled', name, document=document)))
        odd = report._read_monthly_figures(connection, None, self.env.cr.now().date()).monthly
        kinds = ('edited', 'period') if connection.lock_date_policy == 'hold' else ('edited',)
        for difference in report._describe_differences(
            [row for row in odd if row.record_id and row.record_id not in found and row.kind in kinds]
        ):
            found[difference['record_id']] = difference['kind'], difference['text']
        return found

    def _find_unreconciled_payments(self, connection):
        """Return the rows of payments that no longer pay their document: [(row id, name of payment, name of document)].

        Payment and document are both posted and open.
        """
        return self.env.execute_query(
            SQL(
                """
                SELECT DISTINCT ON (r.id) r.id, paid.name, m.name
                  FROM ramp_record r
                  JOIN ramp_record d ON d.connection_id = r.connection_id AND d.ramp_id = r.ramp_id
                   AND d.flow = replace(r.flow, '_payment', '') AND d.res_model = 'account.move'
                  JOIN account_move m ON m.id = d.res_id AND m.state = 'posted' AND m.payment_state IN ('not_paid', 'partial')
                  JOIN LATERAL (
                       SELECT l.move_id FROM jsonb_each(
                              CASE WHEN jsonb_typeof(r.noted -> 'parts') = 'object' THEN r.noted -> 'parts' ELSE '{}' END
                              ) AS part(key, value)
                         JOIN account_move_line l ON l.id = (part.value ->> 'line')::int
                        WHERE l.parent_state = 'posted' AND NOT l.reconciled
                       UNION ALL
                       SELECT l.move_id FROM account_move_line l JOIN account_account a ON a.id = l.account_id
                        WHERE jsonb_typeof(r.noted #> '{card,id}') = 'number' AND l.move_id = (r.noted #>> '{card,id}')::int
                          AND a.account_type = 'liability_payable' AND l.parent_state = 'posted' AND NOT l.reconciled
                       ) open ON TRUE
                  JOIN account_move paid ON paid.id = open.move_id
                 WHERE r.connection_id = %s AND r.flow IN ('bill_payment', 'reimbursement_payment') AND r.res_id IS NOT NULL
                   AND r.state IN ('confirmed', 'done', 'held') AND NOT COALESCE(r.has_changed, FALSE)
                   AND NOT COALESCE(d.has_changed, FALSE)
                 ORDER BY r.id, paid.id
                """,
                connection.id,
            )
        )

    def _list_changed_parts(self, connection):
        """Return the rows of documents that were paid in parts, where a payment of a part is no longer in the books.

        The row's own document is the payment of one part only.

        :return: [(row id, name of the payment, kind)]
        """
        return self.env.execute_query(
            SQL(
                """
                SELECT r.id, COALESCE(p.name, ''), CASE p.state WHEN 'draft' THEN 'draft' ELSE 'cancelled' END
                  FROM ramp_record r, LATERAL jsonb_each(
                       CASE WHEN jsonb_typeof(r.noted -> 'parts') = 'object' THEN r.noted -> 'parts' ELSE '{}' END) AS part
                  JOIN account_payment p ON p.id = (part.value ->> 'id')::int
                 WHERE r.connection_id = %s AND r.res_model = 'account.payment'
                   AND r.state IN ('confirmed', 'done', 'held') AND NOT COALESCE(r.has_changed, FALSE)
                   AND p.state IN ('canceled', 'rejected', 'draft')
                 ORDER BY r.id, p.id
                """,
                connection.id,
            )
        )

    @api.model
    def _make_finding_text(self, kind, name, **names):
        """Return the `Sentence` of a finding, with what to do about it. Each user reads it in their language."""
        finding = Sentence.of(FINDING_TEXTS[kind], name=name or '', **names)
        if kind == 'deleted':
            return finding
        return Sentence.of('%(finding)s %(remedy)s', finding=finding, remedy=FINDING_REMEDY)

    @api.model
    def _make_finding_cause(self, kind, text):
        """Return the `Cause` of a finding. All rows with the same kind of finding have it in common."""
        return Cause.of(text, FINDING_KINDS.get(kind), title=FINDING_TITLES[kind])
