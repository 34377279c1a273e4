# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
from datetime import timedelta

from markupsafe import Markup

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import SQL, format_datetime, html2plaintext

from .connection_constants import SETTINGS
from .ramp_connection_untold import TRACE

# XML ids of the activity types. Each connection has one open activity of each type at most.
ACTIVITY_TYPES = {
    'causes': 'ramp_connector.activity_type_causes',
    'sync': 'ramp_connector.activity_type_sync',
    'integration': 'ramp_connector.activity_type_integration',
}
# A sync fails for good after so many failures of a job in a row, or if the first of two was so long ago
MOST_FAILURES, FAILING_FOR = 3, timedelta(hours=20)
# Ramp is silent for good after this time
SILENT_FOR = timedelta(hours=1)
# Causes that one activity lists
MOST_CAUSES = 20


@dataclasses.dataclass(frozen=True)
class Notice:
    """Something that a person has to do, as the words of an activity.

    keys: what it is about; the person who has marked the activity as done is told again only if there is another key
    """

    keys: frozenset[str]
    summary: str
    note: Markup


class RampConnection(models.Model):
    """The responsible person of a connection, and the activities that this person gets.

    There is one activity for each kind of notice, updated in place, and closed when the reason is gone. Without a
    responsible person there is none. An activity sends no email. `notices` has what the person was told, so that an
    activity that was marked as done stays away until there is something new. Each new activity changes that column.
    So of two jobs that create the same activity at once, the second one is repeated, and finds the first one's.
    """

    _inherit = 'ramp.connection'

    responsible_id = fields.Many2one(
        'res.users',
        copy=False,
        tracking=True,
        index='btree_not_null',
        ondelete='set null',
        help='Gets an activity when something new needs attention, when the synchronization keeps failing, and when '
        'the accounting integration is lost. The activity closes itself when the reason is gone. Empty: nobody is told.',
    )
    notices = fields.Json(
        readonly=True, copy=False, help='What the responsible person was told, by kind.', prefetch=SETTINGS
    )

    def write(self, vals):
        """EXTENDS: Tell a new responsible person at once, and nobody about a connection that is not connected."""
        changed = self.browse()
        if 'responsible_id' in vals:
            changed = self.filtered(lambda connection: connection.responsible_id.id != vals['responsible_id'])
        result = super().write(vals)
        # sudo: users who may edit the connection decide who is told; the activities are those of the jobs
        for connection in changed.sudo():
            connection._open_notices().unlink()
            connection.notices = False
        if not {'state', 'responsible_id'}.isdisjoint(vals):
            for connection in self.sudo():
                connection._tell_responsible()
        return result

    # ------------------------------------------------------------------ who

    @api.constrains('responsible_id', 'company_id')
    def _check_responsible_id(self):
        for connection in self.filtered('responsible_id'):
            if not connection._is_informable(connection.responsible_id):
                raise ValidationError(
                    self.env._(
                        '%(user)s cannot be responsible for connection %(name)s: this needs a user of the company '
                        '%(company)s with accounting rights (Invoicing or more).',
                        user=connection.responsible_id.name,
                        name=connection.name,
                        company=connection.company_id.name,
                    )
                )

    def _is_informable(self, user):
        """Return whether a user may see what the activities are about."""
        # sudo: whether somebody may be told, not what that user may see
        user = user.sudo()
        return (
            user.active
            and not user.share
            and self.company_id in user.company_ids
            and user.has_group('account.group_account_invoice')
        )

    # ------------------------------------------------------------------ activities

    def _tell_responsible(self, is_nightly=False):
        """Create, update and close the activities of the responsible person.

        :param is_nightly: forget what is gone by now; if it comes back, it is new
        """
        self.ensure_one()
        user = self.responsible_id
        # Somebody may have left, or may have lost the rights, since
        is_told = self.state == 'connected' and bool(user) and self._is_informable(user)
        if not is_told and not self.notices:
            return
        connection = self.with_context(
            lang=user.lang or self.env.lang,
            tz=user.tz or self.env.context.get('tz'),
            # No email: the activity is in the person's list
            mail_activity_quick_update=True,
            mail_activity_automation_skip=False,
        )
        if not is_told:
            connection._open_notices().unlink()
            self.notices = False
            return
        notices = connection._find_notices()
        told = {kind: list(keys) for kind, keys in (self.notices or {}).items()}
        opened = connection._open_notices().grouped('activity_type_id')
        for kind, activity_type in self._wanted_notice_types().items():
            activity, notice = opened.get(activity_type), notices.get(kind)
            known = told.pop(kind, [])
            if not notice:
                if activity:
                    activity.action_feedback(feedback=connection._describe_end(kind))
                elif kind == 'causes' and not is_nightly:
                    told[kind] = known  # records that are tried again have no cause for a moment
                continue
            if is_nightly:
                known = [key for key in known if key in notice.keys]
            if activity:
                connection._update_notice(activity, notice)
            elif not notice.keys.issubset(known):
                connection.activity_schedule(
                    activity_type_id=activity_type.id, summary=notice.summary, note=notice.note, user_id=user.id
                )
            else:
                told[kind] = known
                continue
            told[kind] = sorted({*known, *notice.keys})
        told = {kind: keys for kind, keys in told.items() if keys}
        if told != (self.notices or {}):
            self.notices = told or False

    @api.model
    def _notice_types(self):
        """Return {kind: activity type}, without types that somebody has deleted."""
        Data, Type = self.env['ir.model.data'], self.env['mail.activity.type']
        ids = {kind: Data._xmlid_to_res_id(xmlid, False) for kind, xmlid in ACTIVITY_TYPES.items()}
        found = Type.browse([type_id for type_id in ids.values() if type_id]).exists()
        return {kind: Type.browse(type_id) for kind, type_id in ids.items() if type_id in found.ids}

    @api.model
    def _wanted_notice_types(self):
        """Return {kind: activity type}, without types that an administrator has archived."""
        return {kind: activity_type for kind, activity_type in self._notice_types().items() if activity_type.active}

    def _open_notices(self):
        """Return the open activities that this class has created."""
        self.ensure_one()
        return self.env['mail.activity'].search(
            [
                ('res_model', '=', self._name),
                ('res_id', '=', self.id),
                ('activity_type_id', 'in', [activity_type.id for activity_type in self._notice_types().values()]),
                ('automated', '=', True),
            ]
        )

    def _update_notice(self, activities, notice):
        """Write what is new. Texts are compared, because Odoo cleans the HTML of a note."""
        for activity in activities:
            if activity.summary != notice.summary or html2plaintext(activity.note) != html2plaintext(notice.note):
                activity.write({'summary': notice.summary, 'note': notice.note})

    def _describe_end(self, kind):
        return {
            'causes': self.env._('Nothing needs attention any more.'),
            'sync': self.env._('The synchronization works again.'),
            'integration': self.env._('Odoo has the accounting integration again.'),
        }[kind]

    # ------------------------------------------------------------------ reasons

    def _find_notices(self):
        """Return what the responsible person has to do now, as {kind: `Notice`}."""
        found = {
            'causes': self._find_cause_notice(),
            'sync': self._find_sync_notice(),
            'integration': self._find_integration_notice(),
        }
        return {kind: notice for kind, notice in found.items() if notice}

    def _find_cause_notice(self):
        """Return the notice of the causes that wait for a person. What is tried again automatically is none."""
        Cause = self.env['ramp.cause']
        Cause._flush_ledger()
        ids = [
            row[0]
            for row in self.env.execute_query(
                SQL(
                    """
                    SELECT DISTINCT (k.cause ->> 'id')::int FROM (%s) k JOIN ramp_record h ON h.id = k.id
                     WHERE h.connection_id = %s AND h.state = 'held'
                    """,
                    Cause._cause_query(),
                    self.id,
                )
            )
        ]
        if not ids:
            return None
        causes = Cause.search([('id', 'in', ids)], limit=MOST_CAUSES)
        lines = [
            self.env._('1 record: %s', cause.name)
            if cause.record_count == 1
            else self.env._('%(count)s records: %(cause)s', count=cause.record_count, cause=cause.name)
            for cause in causes
        ]
        if len(ids) > len(causes):
            lines.append(self.env._('and %s more', len(ids) - len(causes)))
        return Notice(
            frozenset(map(str, ids)),
            self.env._('1 cause needs attention')
            if len(ids) == 1
            else self.env._('%s causes need attention', len(ids)),
            self._make_note(
                self.env._('These records wait for a person. Each cause is settled for all its records at once.'),
                lines,
                '/odoo/ramp-attention',
                self.env._('Needs Attention'),
            ),
        )

    def _find_sync_notice(self):
        """Return the notice of a synchronization that fails again and again, or of a Ramp that does not answer."""
        now = self.env.cr.now()
        if self.silent_since:
            if now - self.silent_since < SILENT_FOR:
                return None
            since = format_datetime(self.env, self.silent_since, dt_format='short')
            return Notice(
                frozenset({'silent'}),
                self.env._('Ramp does not answer'),
                self._make_note(
                    self.env._('Ramp has not answered since %s. Nothing is lost. Odoo continues to try.', since),
                    [],
                    f'/odoo/ramp-connections/{self.id}',
                    self.display_name,
                ),
            )
        failing = self._lasting_failures() if self.last_error else self.env['ramp.run']
        messages = sorted({TRACE.sub('', run.message) for run in failing if run.message})
        if not messages:
            return None
        return Notice(
            frozenset(messages),
            self.env._('The synchronization with Ramp fails'),
            self._make_note(
                self.env._('The last runs of these jobs failed. The next ones continue where they stopped.'),
                messages,
                f'/odoo/ramp-connections/{self.id}',
                self.display_name,
            ),
        )

    def _lasting_failures(self):
        """Return the latest runs of the flows that fail for good."""
        latest = self._failing_runs().filtered(lambda run: not run.failure_kind)
        rows = self.env.execute_query(
            SQL(
                """
                SELECT f.flow, count(*), min(f.started_at) FROM ramp_run f
                 WHERE f.connection_id = %(connection)s AND f.flow = ANY(%(flows)s) AND f.state = 'failed'
                   AND f.id > COALESCE((
                       SELECT max(w.id) FROM ramp_run w
                        WHERE w.connection_id = f.connection_id AND w.flow = f.flow AND w.state IN ('done', 'paused')), 0)
                 GROUP BY f.flow
                """,
                connection=self.id,
                flows=latest.mapped('flow'),
            )
        )
        now = self.env.cr.now()
        lasting = {
            flow for flow, count, since in rows if count >= MOST_FAILURES or count > 1 and now - since >= FAILING_FOR
        }
        return latest.filtered(lambda run: run.flow in lasting)

    def _find_integration_notice(self):
        """Return the notice of an integration that somebody took, or of credentials that Ramp refuses.

        The job of the integration asks Ramp hourly. If it succeeded, failures from before say nothing any more.
        """
        if not self.last_error:
            return None
        Run = self.env['ramp.run']
        proof = Run.search([('connection_id', '=', self.id), ('flow', '=', 'seat'), ('state', '=', 'done')], limit=1)
        failed = (
            self._failing_runs()
            .filtered(
                lambda run: (
                    run.failure_kind
                    and run.id > proof.id
                    and (not self.connected_at or run.started_at >= self.connected_at.replace(microsecond=0))
                )
            )
            .sorted('id')
        )
        if not failed:
            return None
        run = failed[-1]
        return Notice(
            frozenset({run.failure_kind}),
            self.env._('Odoo has lost the accounting integration in Ramp')
            if run.failure_kind == 'integration'
            else self.env._('Ramp refuses the client id and secret'),
            self._make_note(
                self.env._('Nothing is posted or sent until somebody settles this.'),
                [TRACE.sub('', run.message or '')],
                f'/odoo/ramp-connections/{self.id}',
                self.display_name,
            ),
        )

    def _make_note(self, text, lines, address, name):
        """Return the note of an activity. Texts of Ramp are escaped."""
        items = Markup().join(Markup('<li>%s</li>') % line for line in lines)
        return Markup('<p>%s</p>%s<p><a href="%s">%s</a></p>') % (
            text,
            Markup('<ul>%s</ul>') % items if items else '',
            address,
            name,
        )
