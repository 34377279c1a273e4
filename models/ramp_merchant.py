# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.tools import SQL


class RampMerchant(models.Model):
    """Which partner a merchant of Ramp is in the books of a company, by Ramp's id of the merchant: the name is spelled
    in many ways.

    Several merchants may be one partner, also after partners are merged, which takes these rows along.
    """

    _name = 'ramp.merchant'
    _description = 'Ramp: merchants and their vendors'
    _log_access = False

    company_id = fields.Many2one('res.company', required=True, ondelete='cascade')
    ramp_id = fields.Char(required=True)
    partner_id = fields.Many2one('res.partner', required=True, ondelete='cascade', index=True)

    _merchant_once = models.UniqueIndex('(ramp_id, company_id)', 'This merchant of Ramp has a vendor already.')

    @api.model
    def _known_partners(self, company, ramp_ids):
        """{Ramp id: partner} of those merchants who have one that the company may use; its own choice before that of
        other companies.
        """
        known = {}
        for row in (
            self.search_fetch([('ramp_id', 'in', list(ramp_ids))], ['company_id', 'ramp_id', 'partner_id'])
            if ramp_ids
            else ()
        ):
            if row.company_id == company or row.ramp_id not in known:
                known[row.ramp_id] = row.partner_id
        self.env['res.partner'].union(*known.values()).fetch(['active', 'company_id'])
        return {
            ramp_id: partner
            for ramp_id, partner in known.items()
            if not partner.company_id or partner.company_id in company.parent_ids
        }

    @api.model
    def _store_partners(self, company, partners):
        """Keep who these merchants are: {Ramp id: partner}.

        Where another transaction did so for one of them at the same moment, PostgreSQL waits for it and fails this one
        as not serializable: all of it is done again, and finds that partner.
        """
        self.env.cr.execute(
            SQL(
                """
            INSERT INTO ramp_merchant (company_id, ramp_id, partner_id) SELECT %s, * FROM unnest(%s::text[], %s::int[])
                ON CONFLICT (ramp_id, company_id) DO UPDATE SET partner_id = EXCLUDED.partner_id
            """,
                company.id,
                sorted(partners),
                [partners[ramp_id].id for ramp_id in sorted(partners)],
            )
        )
        self.invalidate_model()
