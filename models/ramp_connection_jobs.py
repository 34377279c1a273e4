# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.tools import frozendict, ormcache


class RampConnection(models.Model):
    """The flows of a connection and their jobs: which ones there are, when they run, and what they send."""

    _inherit = 'ramp.connection'

    @api.model
    def _flow_models(self):
        """Return the flow models of this registry, in the order in which they run."""
        models = (self.env[name] for name in self.env.registry if name.startswith('ramp.flow.'))
        # Base classes and phases of flows have no `_flow`
        return sorted(
            (model for model in models if getattr(model, '_flow', None)), key=lambda flow: flow._flow_sequence
        )

    # ------------------------------------------------------------------ records to send

    @api.model
    def _pushed_domain_of(self, flow):
        """Return the domain of the records that any connection sends with a flow, or None if there are none."""
        return self._pushed_domains().get(flow)

    @api.model
    @ormcache()
    def _pushed_domains(self):
        # sudo: any user who saves an account gets here
        connections = self.sudo().search([('state', '=', 'connected')])
        flows = [flow for flow in self._flow_models() if flow._sends] if connections else ()
        domains = {flow._flow: flow.sudo()._get_pushed_domain(connections) for flow in flows}
        return frozendict({flow: domain for flow, domain in domains.items() if not domain.is_false()})

    def _compare_offers_again(self, uncertain=False):
        """Let everything that these connections send be compared again.

        :param uncertain: compare with what Ramp has now, instead of what Ramp accepted last
        """
        connected = self.filtered(lambda connection: connection.state == 'connected')
        # Connections that share a Ramp business: if one stops offering a record, another may offer it
        connected |= self.search(
            [
                ('state', '=', 'connected'),
                ('accounting_connection_id', 'in', [seat for seat in self.mapped('accounting_connection_id') if seat]),
            ]
        )
        for flow in self._flow_models() if connected else ():
            if flow._sends:
                # sudo: users who may decide what is offered may have it compared, but may not edit the ledger
                self.env['ramp.record'].sudo()._mark_dirty(
                    connected.filtered(flow._is_enabled_for), flow._flow, uncertain=uncertain
                )
                flow._trigger()

    # ------------------------------------------------------------------ jobs

    @api.model
    def _switch_crons(self):
        """Switch the jobs on if any connection is connected, and off if none is."""
        on = bool(self.sudo().search_count([('state', '=', 'connected')], limit=1))
        for job in self._cron_jobs(self._flow_models()):
            if job.active != on:
                job.active = on

    @api.model
    def _cron_jobs(self, flows):
        """Return the jobs of the flows as one recordset, so that they are read together."""
        # sudo: jobs belong to the system, but users who may connect or press Sync Now decide whether and when they run
        return self.env['ir.cron'].sudo().browse([job for flow in flows if (job := flow._get_cron_id())])

    def _request_sync(self):
        """Request a synchronization and trigger the jobs, in the caller's transaction and without HTTP."""
        # sudo: users who may press Sync Now (checked there) may have rows tried again, but may not edit them
        self.sudo().write(
            {'sync_requested_at': self.env.cr.now().replace(microsecond=0), 'sync_requested_by_id': self.env.uid}
        )
        self.env['ramp.record'].sudo()._clear_next_attempt(self)
        flows = (flow for flow in self._flow_models() if any(flow._is_enabled_for(connection) for connection in self))
        for job in self._cron_jobs(flows):
            job._trigger()

    def _look_again_at_questions(self):
        """Let the jobs look again at what is on hold, after a person settled something."""
        self.filtered(lambda connection: connection.state == 'connected')._request_sync()
