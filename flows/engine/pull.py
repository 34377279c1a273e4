# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import logging

from odoo import models

from ...ramp_api import RampConnectionError, RampError, RampOutOfTime

_logger = logging.getLogger(__name__)


class RampFlowPull(models.AbstractModel):
    """Ramp -> Odoo: read pages into the ledger, book what is due in batches, confirm what is committed.

        for each page: rows -> COMMIT
        take its rows -> documents + rows -> COMMIT -> confirm to Ramp -> COMMIT

    A crash at any point, then another run, gives the same books: rows are unique, a document commits with its row,
    and a batch is confirmed under a key that was committed with its documents, so that asking twice is noticed.

    Each phase has a file of its own: read, store, withhold, book, confirm. This one is the run that calls them.
    """

    _name = 'ramp.flow.pull'
    _inherit = ['ramp.flow.read', 'ramp.flow.store', 'ramp.flow.withhold', 'ramp.flow.book', 'ramp.flow.confirm', 'ramp.flow']
    _description = 'Ramp Flow: from Ramp to Odoo'

    def _work(self, connection, run):
        client = connection._client()
        self._hear_requests(connection, run)
        started = self._clock()
        trouble = None
        try:
            if not self._pull(connection, run, client, started):
                self._trigger()  # out of time: the job is called again, and goes on
                return
        except RampOutOfTime:
            raise
        except RampError as error:
            # What is in the ledger already does not have to wait for what could not be read.
            self.env.cr.rollback()
            trouble = error
            self._book_open(connection, run, client)
        if not trouble or not isinstance(trouble, RampConnectionError):
            self._confirm_open(connection, run, client)
        trouble = trouble or self.env.context.get('ramp_memory', {}).get('forbidden')
        if trouble:
            raise trouble

    def _finish(self, connection, run, message):
        result = super()._finish(connection, run, message)
        if run.listed and run.begun_at and self._is_asked_since(connection, run.begun_at):
            self._trigger()
        return result

    def _hear_requests(self, connection, run):
        """Somebody pressed *Sync* in Ramp and waits for the outcome: what failed is tried now, and a reason is told again.

        What is ready is booked in every run, asked for or not. Ramp takes a request without an outcome within five minutes for failed.
        """
        last = any(kind.endswith('.sync_requested') for kind in self._events) and run._last_listed(connection, self._flow)
        if not last:
            return
        asked = self._events_since(connection, last).filtered(lambda event: event.type.endswith('.sync_requested'))
        rows = self.env['ramp.record'].search([
            *self._named_by(connection, asked), ('state', 'in', ('error', 'held', 'ignored'))]) if asked else self.env['ramp.record']
        if rows:
            self._transaction(rows.write, {'next_attempt': False, 'reported_hash': False})

    def _is_asked_since(self, connection, moment):
        """Whether somebody, or an event, asked for the lists after a moment: what called the job went to a run that went on."""
        requested = connection.sync_requested_at
        return bool(requested and requested >= moment or self._events_since(connection, moment))

    def _events_since(self, connection, moment):
        """The events since a moment that wake the flow's job."""
        return self.env['ramp.event'].sudo().search_fetch(  # nobody's to read; the job works for the system
            [('connection_id', '=', connection.id), ('received_at', '>=', moment), ('type', 'in', self._events)], ['type', 'object_id'])

    def _named_by(self, connection, events):
        """Domain of the rows of the objects that events named."""
        return [('connection_id', '=', connection.id), ('flow', '=', self._flow),
                ('ramp_id', 'in', [object_id.lower() for object_id in events.mapped('object_id') if object_id])]

    def _pull(self, connection, run, client, started):
        """Page after page: into the ledger, into the books, confirmed; from where the run before this one stopped.

        Returns False when the job's time is up.
        """
        place = run.taken_up or {}
        if not place.get('again'):
            if not self._read_lists(connection, run, client, self._listings(connection), place):
                return False
            self._settle(connection, run, client, self._refresh_lost(connection, client, run.begun_at or started))
            place = {}
        run.listed = self._reread(connection, run, client, place)
        return run.listed
