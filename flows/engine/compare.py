# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import logging

from odoo import api, models
from odoo.fields import Domain
from odoo.tools import LazyTranslate

from ...models.reason import join_texts
from .flow import is_of_object
from .push_job import Job
from .reasons import ALL_ARGUMENTS, Held, Waiting

_lt = LazyTranslate(__name__)

_logger = logging.getLogger(__name__)


class RampFlowCompare(models.AbstractModel):
    """Compare what Ramp should have, according to Odoo, with what was sent. Make a job of each difference."""

    _name = 'ramp.flow.compare'
    _description = 'Ramp Flow: compare Odoo with what was sent'

    def _compare_due_rows(self, connection, run, after):
        """Compare the next due rows with Odoo. Settle those that agree, and return the others as jobs.

        :param after: id of the last row that was compared, 0 at the start
        :return: (jobs, id of the row to continue after or None at the end)
        """
        rows = self.env['ramp.record']._take_dirty(connection, self._flow, self._rows_at_once, after)
        jobs, settled = [], []
        for job in self._make_push_jobs(connection, rows):
            try:
                is_to_be_sent = self._differs_from_remote(job)
            except Exception as error:
                job.block(self._explain_undecided(error, self.env[self._model].browse(job.res_id)))
                is_to_be_sent = False
            (jobs if is_to_be_sent else settled).append(job)
        self._store_push_results(run, settled, sent=False)
        run.write({'seen': run.seen + len(rows), 'total': run.total + len(jobs)})
        return jobs, rows[-1].id if len(rows) == self._rows_at_once else None

    def _differs_from_remote(self, job):
        """Return whether Ramp has to be asked or changed. If not, give the job its final state."""
        if job.blocked:
            return False
        if job.uncertain:
            return True
        if job.desired is None:
            job.state, job.error = ('pending', None) if job.offered else ('ignored', job.reason)
        else:
            job.state, job.error = ('pending' if job.changes else 'confirmed'), None
        return job.state == 'pending'

    def _make_push_jobs(self, connection, rows):
        """Yield a job for each row, with a constant number of queries."""
        Model = self.env[self._model].with_context(active_test=False)
        ids = rows.mapped('res_id')
        existing = {record.id: record for record in Model.search([('id', 'in', ids)])}
        wanted = Model.browse(
            row[0] for row in self.env.execute_query(self._search_wanted_ids(connection, ids).select())
        )
        elsewhere = self._offered_elsewhere(connection, rows)
        desired = self._get_desired_values_safely(
            connection, wanted.filtered(lambda record: record.id not in elsewhere)
        )
        for row in rows:
            record = existing.get(row.res_id)
            goal = desired.get(row.res_id)
            job = Job(
                id=row.id,
                revision=row.revision,
                res_id=row.res_id,
                name=row.name,
                remote_id=row.remote_id,
                ramp_id=row.ramp_id or None,
                known=row.payload or None,
                desired=goal if isinstance(goal, dict) else None,
                uncertain=row.is_uncertain,
                troubled=row.state == 'error',
            )
            try:
                job.name = self._get_display_title(record) if record else row.name
                if isinstance(goal, (Held, Waiting)):
                    job.block(goal)
                elif goal is None:
                    job.reason = (
                        self.env._('Deleted in Odoo, so it is not offered in Ramp.')
                        if not record
                        else self.env._(
                            'Offered by the connection %s, which shares the accounting integration.',
                            elsewhere[row.res_id],
                        )
                        if row.res_id in elsewhere
                        else self._reason_not_offered(record)
                    )
            except Exception as error:
                job.block(self._explain_undecided(error, record))
            yield job

    def _explain_undecided(self, error, record, undone=False):
        """Return a `Held` for a record for which Odoo could not decide what to send.

        :param undone: whether a savepoint was rolled back
        :raise Exception: the error itself, where the record is not its cause
        """
        if not is_of_object(error, undone):
            raise error
        _logger.error('Ramp flow %s could not decide what to send of %s', self._flow, record, exc_info=error)
        return Held(
            _lt(
                'Odoo could not determine what to send (%s). The server log has the details. Correct the record, or '
                'ask your Odoo administrator.',
                type(error).__name__,
            ),
            by=ALL_ARGUMENTS,
        )

    def _get_desired_values_safely(self, connection, records):
        """Return `_get_desired_values` of all records together, or one by one where one of them stops the others.

        A record that fails alone is put on hold with the reason.
        """
        try:
            with self.env.cr.savepoint():
                return self._get_desired_values(connection, records)
        except Exception as error:
            if len(records) == 1 or not is_of_object(error, undone=True):
                return {records[:1].id: self._explain_undecided(error, records, undone=True)}
            _logger.info(
                'Ramp flow %s: %s records are looked at one by one: %s', self._flow, len(records), type(error).__name__
            )
        return {
            identity: values
            for record in records
            for identity, values in self._get_desired_values_safely(connection, record).items()
        }

    def _offered_elsewhere(self, connection, rows):
        """Return the records that another connection to the same Ramp business offers already.

        Companies that share a Ramp business share one list of accounts there. The oldest connection offers them for
        all.

        :return: {record id: name of that connection}
        """
        found = {}
        for other in self._find_owning_connection(connection):
            ids = self.env.execute_query(self._search_wanted_ids(other, rows.mapped('res_id')).select())
            found.update((row[0], other.name) for row in ids)
        return found

    @api.model
    def _rows_of_business_domain(self, connection):
        """Return the domain of the rows of all connections to a Ramp business.

        What one of these connections offers, Ramp has for all of them.
        """
        return Domain('connection_id.accounting_connection_id', '=', connection.accounting_connection_id)

    def _find_owning_connection(self, connection):
        return self.env['ramp.connection'].search(
            [
                ('state', '=', 'connected'),
                ('id', '<', connection.id),
                ('accounting_connection_id', '=', connection.accounting_connection_id),
            ],
            order='id desc',
        )

    def _store_push_results(self, run, jobs, sent=True):
        """Store the results of jobs on their rows, and count them in the run."""
        Record = self.env['ramp.record']
        Record._store_sent(
            [
                {
                    'id': job.id,
                    'revision': job.revision,
                    'name': job.name,
                    'remote_id': job.remote_id,
                    'ramp_id': job.ramp_id,
                    'payload': job.known,
                    'state': job.state,
                    'hold_reason': job.hold_reason,
                    **self._make_job_reason(run.connection_id, job),
                    'is_uncertain': job.uncertain,
                }
                for job in jobs
            ]
        )
        states = [job.state for job in jobs]
        run.write(
            {
                'processed': run.processed + (len(jobs) if sent else 0),
                'confirmed': run.confirmed + states.count('confirmed'),
                'created': run.created + (states.count('confirmed') if sent else 0),
                'held': run.held + states.count('held'),
            }
        )

    def _make_job_reason(self, connection, job):
        """Return the values of the fields that hold the reason of a job, see `ramp.record._make_reason`.

        A reason that is known as causes is stored in the language of the company, as `Job.error` is English. An answer
        of Ramp that came later stays as it is.
        """
        if job.causes and job.error == join_texts(job.causes, None):
            return self.env['ramp.record']._make_reason(connection, job)
        return {'error_message': job.error, 'reason': None}
