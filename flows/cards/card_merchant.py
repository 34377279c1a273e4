# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
from collections import defaultdict

from odoo import models
from odoo.fields import Domain
from odoo.tools import SQL

from ..accounting.booking import QUIET, clean_text
from ..engine.names import name_key
from ..vendors.field_merge import OWN


class RampCardMerchant(models.AbstractModel):
    """Who is paid by card: the vendor that the spend is coded to, else the merchant. A part of `ramp.flow.transaction`."""

    _name = 'ramp.card.merchant'
    _description = 'Ramp Flow: merchants of card spend'

    def _look_up_references(self, connection, values):
        """Suppliers by the names of these merchants, and, where each merchant has a vendor, those that are known by
        Ramp's id.
        """
        is_each = connection.merchant_policy == 'each'
        return {
            'vendors': self._look_up_vendors(connection, values),
            'merchants': self.env['ramp.merchant']._known_partners(
                connection.company_id, {value.merchant_id for value in values if value.merchant_id}
            )
            if is_each
            else {},
        }

    def _look_up_vendors(self, connection, values):
        """{merchant's name, as names are compared: suppliers of that name}; in Python, for the reason in
        `ramp.vendor.matching`.
        """
        merchants, vendors = (
            {name_key(clean_text(value.merchant_name)) for value in values if value.merchant_name},
            defaultdict(list),
        )
        Partner = self.env['res.partner']
        Partner.flush_model(['name'])
        query = Partner._search(
            Domain('supplier_rank', '>', 0)
            & Domain('parent_id', '=', False)
            & Domain('company_id', 'in', [False, connection.company_id.id]),
            order='id',
        )
        for identity, name in (
            self.env.execute_query(query.select(*(SQL.identifier(Partner._table, column) for column in ('id', 'name'))))
            if merchants
            else ()
        ):
            if (key := name_key(name)) in merchants:
                vendors[key].append(identity)
        ours = self.env['ramp.vendor.matching']._look_up_ours(
            [identity for ids in vendors.values() for identity in ids]
        )
        return {
            key: Partner.browse(identity for identity in ids if ours.get(identity) != OWN)
            for key, ids in vendors.items()
        }

    def _plan_object(self, connection, value, coded, found):
        """(payee, whether Ramp's id of the merchant is to be kept with it). An empty payee is made when it is booked.

        The vendor to which all lines are coded, else the one known as this merchant, else the one supplier that has the
        merchant's name, else a new vendor, where the connection wants that and no two suppliers have the name already,
        or "card merchant".
        """
        chosen = self.env['res.partner'].union(*(coding.partner for coding in coded))
        if len(chosen) == 1 and all(coding.partner for coding in coded):
            return chosen, False
        vendors = found['vendors'].get(name_key(clean_text(value.merchant_name)), self.env['res.partner'])
        known = found['merchants'].get(value.merchant_id)
        if known and (known.active or not vendors):
            return known, False
        is_each = connection.merchant_policy == 'each' and bool(value.merchant_id)
        if len(vendors) == 1:
            return vendors, is_each
        if is_each and not vendors and merchant_name(value):
            return vendors, True
        return connection.merchant_partner_id, False

    def _book_plans(self, connection, plans):
        """The plans with their payees: merchants who have none get theirs, in one go. Those of one name are one vendor."""
        linked = [plan for plan in plans if plan.is_merchant]
        if not linked:
            return plans
        Merchant = self.env['ramp.merchant']
        # one that was made a moment ago, where a batch is booked one by one
        partners = Merchant._known_partners(
            connection.company_id, {plan.transaction.merchant_id for plan in linked if not plan.partner}
        )
        partners.update((plan.transaction.merchant_id, plan.partner) for plan in linked if plan.partner)
        merchants = {plan.transaction.merchant_id: merchant_name(plan.transaction) for plan in linked}
        names = {}
        for merchant_id, name in merchants.items():
            if merchant_id not in partners:
                names.setdefault(name_key(name), (name, []))[1].append(merchant_id)
        # a partner without parent and children has nobody to share fields with
        for partner, (_name, ids) in zip(
            self.env['res.partner']
            .with_context(**QUIET, _partners_skip_fields_sync=True)
            .create(
                [
                    {'name': name, 'is_company': True, 'supplier_rank': 1, 'company_id': False}
                    for name, _ids in names.values()
                ]
            ),
            names.values(),
            strict=True,
        ):
            partners.update(dict.fromkeys(ids, partner.with_env(self.env)))
        Merchant._store_partners(connection.company_id, partners)
        return [
            dataclasses.replace(plan, partner=partners[plan.transaction.merchant_id]) if plan.is_merchant else plan
            for plan in plans
        ]


def merchant_name(value):
    """What the merchant is called, or what the statement calls it; False where Ramp says neither."""
    return clean_text(value.merchant_name) or clean_text(value.merchant_descriptor)
