from odoo import api, models
class RampFlowVendor(models.AbstractModel):
    _name = 'ramp.flow.vendor'
    _inherit = 'ramp.flow.pull'
    _description = 'stub'
    _flow = 'vendor'
    _flow_sequence = 30
    _endpoint = '/vendors'
    def _cron(self):
        return self.env['ir.cron']
    def _cron_run(self):
        return
    def _ensure(self, connection, client, ids):
        for i in ids:
            if self.env['ramp.record'].search_count([('flow','=','vendor'),('ramp_id','=',i)]):
                continue
            try:
                v = client.get(f'/vendors/{i}')
            except Exception:
                continue
            p = self.env['res.partner'].create({'name': v['name'], 'supplier_rank': 1})
            r = self.env['ramp.record'].create({'connection_id': connection.id, 'company_id': connection.company_id.id, 'flow': 'vendor', 'ramp_id': i, 'state': 'confirmed', 'res_model': 'res.partner', 'res_id': p.id})
        self.env['ir.cron']._commit_progress()
    def _partners(self, connection, ids):
        return {r.ramp_id: (self.env['res.partner'].browse(r.res_id), None) for r in self.env['ramp.record'].search([('flow','=','vendor'),('ramp_id','in',list(ids))])}
class RampFlowBillFile(models.AbstractModel):
    _name = 'ramp.flow.bill_file'
    _inherit = 'ramp.flow'
    _description = 'stub'
    def _expect(self, connection, bills):
        return
