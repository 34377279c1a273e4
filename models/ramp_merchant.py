# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.tools import SQL


class RampMerchant(models.Model):
    """The partner that stands for a merchant of Ramp in the books of a company.

    The key is Ramp's id of the merchant, because the name has many spellings. Several merchants may share a partner.
    When partners are merged, these rows move to the remaining partner.
    """

    _name = 'ramp.merchant'
    _description = 'Ramp: merchants and their vendors'
    _log_access = False

    company_id = fields.Many2one('res.company', required=True, ondelete='cascade')
    ramp_id = fields.Char(required=True)
    partner_id = fields.Many2one('res.partner', required=True, ondelete='cascade', index=True)

    _merchant_once = models.UniqueIndex('(ramp_id, company_id)', 'This Ramp merchant already has a vendor.')

    @api.model
    def _known_partners(self, company, ramp_ids):
        """Return {Ramp id: partner} for the merchants with a partner that the company may use.

        The company's own choice comes before those of other companies.
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
        """Store the partners of these merchants.

        If another transaction stores the same merchant at the same moment, PostgreSQL lets this one wait and then fail
        with a serialization error. The whole work is then repeated and finds the other transaction's partner.

        :param partners: {Ramp id: partner}
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
