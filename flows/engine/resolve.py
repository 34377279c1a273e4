# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import logging
import math

from odoo import models
from odoo.tools import SQL, LazyTranslate

from ...models.connection_constants import OPTIONAL_SCOPES
from ...models.run_memory import run_memory
from ...ramp_api import PayloadError, RampError, RampNotFound
from .flow import is_of_object
from .push_job import Remote
from .reasons import ALL_ARGUMENTS, Held

_lt = LazyTranslate(__name__)

_logger = logging.getLogger(__name__)

# Rows in doubt that are fetched one by one. Beyond this, the list is read if that takes fewer requests.
LOOK_UP_ALONE = 10
ROWS_PER_LIST = 100


class RampFlowResolve(models.AbstractModel):
    """Resolve rows in doubt: ask Ramp what it has of objects that may or may not have arrived."""

    _name = 'ramp.flow.resolve'
    _description = 'Ramp Flow: ask Ramp what it has'

    def _lookup_before_create(self, connection, client, jobs):
        """Resolve jobs in doubt before anything is sent again.

        If Ramp refuses even the look-up, each object gets the reason, as a reader of its row may not see the
        connection.
        """
        try:
            self._resolve_uncertain_jobs(connection, client, jobs)
        except RampError as error:
            if error.status != 403 or not self._switch:
                raise
            _logger.info('%s', error)
            for job in jobs:
                if job.uncertain:
                    job.block(
                        Held(
                            _lt(
                                'Ramp does not let Odoo use %(kind)s. They need Ramp Plus, and these permissions of '
                                'the app in Ramp: %(scopes)s.',
                                kind=self._get_flow_label(),
                                scopes=', '.join(OPTIONAL_SCOPES[self._switch]),
                            ),
                            by=ALL_ARGUMENTS,
                        )
                    )

    def _resolve_uncertain_jobs(self, connection, client, jobs):
        """Ask Ramp what it has of these objects, whatever the ledger says."""
        if not jobs:
            return
        pages = math.ceil(
            self.env['ramp.record'].search_count(
                [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', '!=', False)]
            )
            / ROWS_PER_LIST
        )
        self.env.cr.rollback()
        if self._get_lookup_query(jobs[0]) is not None and (len(jobs) <= LOOK_UP_ALONE or len(jobs) < pages):
            for job in jobs:
                self._look_up_single_job(connection, client, job)
            return
        remotes = [
            remote
            for query in self._get_list_queries(connection, jobs)
            for remote in self._fetch_remote_list(client, query)
        ]
        by_ramp_id = {remote.ramp_id: remote for remote in remotes}
        by_id = {self._get_remote_key(remote.remote_id, remote.values): remote for remote in remotes}
        taken = self._get_taken_remote_ids(connection)
        by_code = {}
        for remote in remotes:
            if self._is_adoptable_remote(remote, taken):
                by_code.setdefault(remote.values['code'], []).append(remote)
        for job in jobs:
            remote = by_ramp_id.get(job.ramp_id) or by_id.get(
                self._get_remote_key(job.remote_id, job.desired or job.known or {})
            )
            if not remote and job.desired and not job.known:
                same = by_code.get(job.desired.get('code'), [])
                remote = same[0] if len(same) == 1 else None
            self._apply_remote_state(job, remote)

    def _look_up_single_job(self, connection, client, job):
        """Fetch one object by Ramp's id, otherwise by Odoo's id, otherwise by its code."""
        remote = None
        if job.ramp_id and self._asked_by_ramp_id:
            with contextlib.suppress(RampNotFound):
                remote = next(
                    iter(self._read_remote_objects([client.get(f'{self._endpoint}/{job.ramp_id}')], {})), None
                )
        query = self._get_lookup_query(job)
        if not remote and query is not None:
            remote = next(
                (found for found in self._query_remote_objects(client, query) if found.remote_id == job.remote_id), None
            )
        if not remote and self._by_code and job.desired and job.desired['code'] and not job.known:
            taken = self._get_taken_remote_ids(connection)
            same = [
                found
                for found in self._query_remote_objects(client, {'code': job.desired['code']})
                if found.values['code'] == job.desired['code'] and self._is_adoptable_remote(found, taken)
            ]
            remote = same[0] if len(same) == 1 else None
        self._apply_remote_state(job, remote)

    def _fetch_remote_list(self, client, query):
        """Return all objects of a list, read once in a run.

        What Odoo sends later in the run is known without reading the list again.
        """
        lists = run_memory(self.env).remote_lists.setdefault(self._flow, {})
        key = tuple(query.items())
        if key not in lists:
            lists[key] = self._query_remote_objects(client, query)
        return lists[key]

    def _forget_remote_lists(self):
        run_memory(self.env).remote_lists.pop(self._flow, None)

    def _query_remote_objects(self, client, query):
        return self._read_remote_objects(list(client.list_objects(self._endpoint, query)), query)

    def _inspect_remote_objects(self, connection, client):
        """Compare what was sent with what Ramp has of it now, in the nightly check. Commits. By default, do nothing."""

    def _read_remote_objects(self, payloads, query):
        """Return a `Remote` for each object of Ramp.

        An object without Ramp's id is left out, because it can be neither changed nor found again.
        """
        return [
            self._read_remote_safely(payload, query)
            for payload in payloads
            if isinstance(payload, dict) and payload.get('ramp_id')
        ]

    def _read_remote_safely(self, payload, query):
        """Return `_read_remote_object`, or a `Remote` with the reason for an object that exists but cannot be read."""
        try:
            return self._read_remote_object(payload, query)
        except Exception as error:
            if not is_of_object(error):
                raise
            ident, own = (str(payload.get(key) or '') for key in self._remote_keys)
            _logger.warning(
                'Ramp flow %s: %s of Ramp cannot be read: %s',
                self._flow,
                ident,
                error if isinstance(error, PayloadError) else type(error).__name__,
            )
            return Remote(
                own or None,
                ident.lower(),
                {},
                self.env._(
                    "Odoo cannot read Ramp's version of it (%(id)s; %(error)s), and sends nothing until it can. "
                    'Correct it in Ramp, or update the connector.',
                    id=ident,
                    error=error if isinstance(error, PayloadError) else type(error).__name__,
                ),
            )

    def _get_remote_key(self, remote_id, values):
        """Return the key that identifies an object in a list."""
        return remote_id

    def _is_adoptable_remote(self, remote, taken):
        """Return whether an object that was in Ramp before may be adopted for a record with the same code."""
        return (
            self._by_code
            and not remote.unread
            and remote.values['code']
            and remote.values['offered']
            and remote.ramp_id not in taken
            and not (remote.remote_id or '').startswith(self._get_remote_id_prefix())
        )

    def _get_taken_remote_ids(self, connection):
        """Return the Ramp ids of objects that already belong to a record in Odoo."""
        self.env.cr.execute(
            SQL(
                'SELECT ramp_id FROM ramp_record WHERE connection_id = %s AND flow = %s AND ramp_id IS NOT NULL',
                connection.id,
                self._flow,
            )
        )
        found = {row[0] for row in self.env.cr.fetchall()}
        self.env.cr.rollback()
        return found

    def _apply_remote_state(self, job, remote):
        if remote and remote.unread:
            job.uncertain = True
            job.block(Held(remote.unread))
            return
        job.uncertain = False
        if remote:
            # The answer does not repeat some fixed values, such as the field of an option. They are unchanged.
            job.known = {
                **{key: value for key, value in (job.known or {}).items() if key in self._fixed},
                **remote.values,
            }
            job.remote_id, job.ramp_id = remote.remote_id, remote.ramp_id
        else:
            job.ramp_id, job.known = None, None
