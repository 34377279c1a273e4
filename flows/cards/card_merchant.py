# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
from collections import defaultdict

from odoo import models
from odoo.fields import Domain
from odoo.tools import SQL

from ..accounting.booking import QUIET, clean_text
from ..engine.names import name_key
from ..vendors.field_merge import OWN


@dataclasses.dataclass
class MerchantLookup:
    """Who the merchants of card spend may be in Odoo.

    vendors: {merchant's name as `name_key` has it: suppliers of that name}
    known: {Ramp's merchant id: partner}; empty unless each merchant is a vendor of its own
    """

    vendors: dict[str, models.Model] = dataclasses.field(default_factory=dict)
    known: dict[str, models.Model] = dataclasses.field(default_factory=dict)


class RampCardMerchant(models.AbstractModel):
    """Find the payee of card spend: the vendor that the spend is coded to, else the merchant.

    Part of `ramp.flow.transaction`.
    """

    _name = 'ramp.card.merchant'
    _description = 'Ramp Flow: merchants of card spend'

    def _look_up_references(self, connection, values):
        """Return the suppliers that have the names of these merchants.

        If each merchant is a vendor of its own, also return the partners that are known by Ramp's merchant id.

        :return: `MerchantLookup`
        """
        found = MerchantLookup(vendors=self._look_up_vendors(connection, values))
        if connection.merchant_policy == 'each':
            found.known = self.env['ramp.merchant']._known_partners(
                connection.company_id, {value.merchant_id for value in values if value.merchant_id}
            )
        return found

    def _look_up_vendors(self, connection, values):
        """Return the suppliers that have the names of these merchants.

        Names are compared in Python, for the reason in `ramp.vendor.matching`.

        :return: {merchant's name as `name_key` has it: suppliers}
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

    def _plan_merchant_partner(self, connection, value, coded, found):
        """Return the payee, and whether Ramp's merchant id is to be stored with it.

        The payee is the first of these that applies:

        - the vendor to which all lines are coded
        - the partner that is known as this merchant; an archived one only if no supplier has the merchant's name
        - the only supplier that has the merchant's name
        - a new vendor, if the connection wants one for each merchant and no two suppliers have the name
        - the partner "card merchant" of the connection

        :param found: `MerchantLookup`
        :return: (partner, bool); an empty partner is created at posting
        """
        chosen = self.env['res.partner'].union(*(coding.partner for coding in coded))
        if len(chosen) == 1 and all(coding.partner for coding in coded):
            return chosen, False
        vendors = found.vendors.get(name_key(clean_text(value.merchant_name)), self.env['res.partner'])
        known = found.known.get(value.merchant_id)
        if known and (known.active or not vendors):
            return known, False
        is_each = connection.merchant_policy == 'each' and bool(value.merchant_id)
        if len(vendors) == 1:
            return vendors, is_each
        if is_each and not vendors and merchant_name(value):
            return vendors, True
        return connection.merchant_partner_id, False

    def _book_plans(self, connection, plans):
        """Return the plans with their payees, and create the missing merchants in one batch.

        Merchants with the same name become one vendor.
        """
        linked = [plan for plan in plans if plan.is_merchant]
        if not linked:
            return plans
        Merchant = self.env['ramp.merchant']
        # When a batch is posted one by one, a partner may have been created a moment ago.
        partners = Merchant._known_partners(
            connection.company_id, {plan.transaction.merchant_id for plan in linked if not plan.partner}
        )
        partners.update((plan.transaction.merchant_id, plan.partner) for plan in linked if plan.partner)
        merchants = {plan.transaction.merchant_id: merchant_name(plan.transaction) for plan in linked}
        names = {}
        for merchant_id, name in merchants.items():
            if merchant_id not in partners:
                names.setdefault(name_key(name), (name, []))[1].append(merchant_id)
        # A partner without parent and children has no fields to share.
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
    """Return the merchant's name, else its name on the statement; False if Ramp has neither."""
    return clean_text(value.merchant_name) or clean_text(value.merchant_descriptor)
