# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import re
from collections import defaultdict

from odoo import models
from odoo.fields import Domain
from odoo.tools import SQL, LazyTranslate

from ..accounting.booking import clean_text
from ..accounting.coding import IDENTITY
from ..engine.book import Lookup
from ..engine.names import name_key
from ..engine.reasons import Held
from .field_merge import ADDRESS, GUEST, OWN

_lt = LazyTranslate(__name__)


@dataclasses.dataclass
class MatchingLookup(Lookup):
    """What finding the partners of vendors needs.

    The first four are of all vendors of the batch. The others are of vendors without a partner; see
    `_look_up_candidates`.

    rows: {Ramp id of a vendor: its row}
    others: {Ramp id of a vendor: [partner id, or 0]} of its rows of other connections
    partners: {partner id: partner} of these rows and those of the contacts, as far as it exists
    partner_values: {Ramp id of a vendor: what Ramp has of it, as `_make_partner_values` returns it}
    candidates: {partner id: (name, country id or None)} of the partners that a vendor may be
    by_remote: {id of the accounting vendor in Ramp: partner id}
    by_external: {external id of the vendor in Ramp: partner id}
    by_vat: {tax id in the form of `_get_vat_key`: [partner id]}
    by_name: {name in the form of `_get_name_key`: [partner id]}
    taken: ids of the partners that are other vendors of this Ramp business; planning adds those that it has matched
    """

    rows: dict[str, models.Model] = dataclasses.field(default_factory=dict)
    others: dict[str, list[int]] = dataclasses.field(default_factory=dict)
    partners: dict[int, models.Model] = dataclasses.field(default_factory=dict)
    partner_values: dict[str, dict] = dataclasses.field(default_factory=dict)
    candidates: dict[int, tuple[str, int | None]] = dataclasses.field(default_factory=dict)
    by_remote: dict[str, int] = dataclasses.field(default_factory=dict)
    by_external: dict[str, int] = dataclasses.field(default_factory=dict)
    by_vat: dict[str, list[int]] = dataclasses.field(default_factory=lambda: defaultdict(list))
    by_name: dict[str, list[int]] = dataclasses.field(default_factory=lambda: defaultdict(list))
    taken: set[int] = dataclasses.field(default_factory=set)


class RampVendorMatching(models.AbstractModel):
    """The part of `ramp.flow.vendor` that finds the partner of a vendor.

    This is the partner of the vendor's row, else a partner that matches. It is never guessed.
    """

    _name = 'ramp.vendor.matching'
    _description = 'Ramp Flow: who a vendor is in Odoo'

    # ------------------------------------------------------------------ the known partner

    def _find_existing_partners(self, ids):
        """Return {id: partner} of those ids that exist, archived or not, with one query."""
        ids = {identity for identity in ids if identity}
        partners = (
            self.env['res.partner']
            .with_context(active_test=False)
            .search_fetch([('id', 'in', list(ids))], ['name', 'company_id', 'active', *ADDRESS])
            if ids
            else ()
        )
        return {partner.id: partner for partner in partners}

    def _is_usable_partner(self, connection, partner):
        return not partner.company_id or partner.company_id in connection.company_id.parent_ids

    def _of_another_company(self, partner):
        return self.env._(
            'Its partner %(name)s now belongs to the company %(company)s. Clear the company of the partner, so that '
            'this company can use it too.',
            name=partner.display_name,
            company=partner.company_id.name,
        )

    def _find_own_partner(self, connection, ramp_id, found):
        """Return the partner that is already linked to a vendor.

        :param found: `MatchingLookup`
        :return: (partner or empty recordset, whether another connection linked it)
        """
        row, partners = found.rows.get(ramp_id), found.partners
        if row and row.res_id in partners:
            return partners[row.res_id], False
        for res_id in found.others.get(ramp_id, ()):
            partner = partners.get(res_id)
            if partner and partner.active and self._is_usable_partner(connection, partner):
                return partner, True
        return self.env['res.partner'], False

    # ------------------------------------------------------------------ candidates

    def _look_up_candidates(self, connection, values, found):
        """Add to `found` the partners that vendors without a partner may be.

        These are the `candidates` of `MatchingLookup`, and the indexes by which they are matched.
        """
        if not values:
            return
        found.by_remote = self._look_up_remote(
            connection,
            {value.vendor.accounting_vendor_remote_id for value in values if value.vendor.accounting_vendor_remote_id},
        )
        found.by_external = self._look_up_own(connection, {value.vendor.external_vendor_id for value in values})
        vats = {_get_vat_key(found.partner_values[value.id]['vat']) for value in values} - {False}
        names = {_get_name_key(found.partner_values[value.id]['name']) for value in values}
        Partner = self.env['res.partner'].with_context(active_test=False)
        own = [
            self.env.ref(f'ramp_connector.{name}', raise_if_not_found=False)
            for name in ('partner_ramp', 'partner_card_merchant')
        ]
        own = {partner.id for partner in (*own, connection.merchant_partner_id, connection.ramp_partner_id) if partner}
        Partner.flush_model(['name', 'vat', 'country_id'])
        query = Partner._search(
            Domain('parent_id', '=', False)
            & Domain('active', '=', True)
            & Domain('id', 'not in', list(own))
            & Domain('company_id', 'in', [False, *connection.company_id.parent_ids.ids]),
            order='id',
        )
        remote, keys = {*found.by_remote.values(), *found.by_external.values()}, {}
        # Read all partners and compare the spelling in Python. How the database treats case and punctuation depends on
        # its locale.
        for identity, name, vat, country in self.env.execute_query(
            query.select(*(SQL.identifier(Partner._table, column) for column in ('id', 'name', 'vat', 'country_id')))
        ):
            vat_key, named = _get_vat_key(vat), _get_name_key(name)
            if identity not in remote and vat_key not in vats and named not in names:
                continue
            found.candidates[identity] = name, country
            keys[identity] = vat_key, named
        ours = self._look_up_ours(found.candidates)
        for identity, (vat_key, named) in keys.items():
            if identity in ours:
                continue  # its name or tax id does not make a vendor our own company, employee or user
            if vat_key:
                found.by_vat[vat_key].append(identity)
            found.by_name[named].append(identity)
        # A partner that is another vendor of this Ramp business cannot be this one.
        found.taken = (
            {
                row.res_id
                for row in self.env['ramp.record'].search_fetch(
                    [
                        ('flow', '=', 'vendor'),
                        ('res_model', '=', Partner._name),
                        ('res_id', 'in', list(found.candidates)),
                        ('connection_id', 'in', self._query_business_connections(connection)),
                    ],
                    ['res_id'],
                )
            }
            if found.candidates
            else set()
        )

    def _look_up_ours(self, ids):
        """Return which partners are our own (`OWN`) or portal users (`GUEST`), with one query.

        Such a partner is not taken for a vendor because of its name. A vendor's data come from outside. If they
        replaced the email address of a user, they would decide where a password reset is sent.

        :return: {partner id: `OWN` or `GUEST`}
        """
        if not ids:
            return {}
        for model, names in (
            ('res.users', ['partner_id', 'share']),
            ('hr.employee', ['work_contact_id']),
            ('res.company', ['partner_id']),
        ):
            self.env[model].flush_model(names)
        ours = {}
        # Archived users, employees and companies count, too: they may be restored.
        for identity, kind in self.env.execute_query(
            SQL(
                """
                SELECT partner_id, CASE WHEN share THEN %(guest)s ELSE %(own)s END FROM res_users WHERE partner_id = ANY(%(ids)s)
                UNION ALL SELECT work_contact_id, %(own)s FROM hr_employee WHERE work_contact_id = ANY(%(ids)s)
                UNION ALL SELECT partner_id, %(own)s FROM res_company WHERE partner_id = ANY(%(ids)s)
                """,
                ids=list(ids),
                own=OWN,
                guest=GUEST,
            )
        ):
            if ours.get(identity) != OWN:
                ours[identity] = kind
        return ours

    def _query_business_connections(self, connection):
        """Return a query of the connections to the same Ramp business, archived ones included."""
        return (
            self.env['ramp.connection']
            .with_context(active_test=False)
            ._search([('accounting_connection_id', '=', connection.accounting_connection_id)])
        )

    def _look_up_remote(self, connection, remote_ids):
        """Return the partners that Odoo offered to Ramp as suppliers under these ids (see `ramp.coding`).

        :return: {remote id: partner id}
        """
        if not remote_ids:
            return {}
        found = self._look_up_own(connection, remote_ids)
        found.update(
            (row.remote_id, row.res_id)
            for row in self.env['ramp.record'].search_fetch(
                [
                    ('flow', '=', 'accounting_vendor'),
                    ('remote_id', 'in', list(remote_ids)),
                    ('connection_id', 'in', self._query_business_connections(connection)),
                ],
                ['remote_id', 'res_id'],
            )
        )
        return found

    def _look_up_own(self, connection, remote_ids):
        """Return the partners of this database that these ids identify.

        :return: {remote id: partner id}
        """
        matches = {remote_id: IDENTITY.match(remote_id) for remote_id in remote_ids if remote_id}
        return {
            remote_id: int(match['id'])
            for remote_id, match in matches.items()
            if match and match['database'] == connection._database_identity() and match['kind'] == 'partner'
        }

    def _match_vendor_partner(self, value, found):
        """Return the partner that matches a vendor, and how it matches.

        :return: (partner or empty recordset, how in words or False)
        :raise Held: several partners match equally well
        """
        vendor, values = value.vendor, found.partner_values[value.id]
        name, country = _get_name_key(values['name']), values['address'][-1]
        by_name = [identity for identity in found.by_name[name] if identity not in found.taken]
        here = [identity for identity in by_name if not country or found.candidates[identity][1] == country]
        if not here and not any(found.candidates[identity][1] for identity in by_name):
            here = by_name  # none of these partners has a country that could differ
        remote = found.by_remote.get(vendor.accounting_vendor_remote_id)
        own = found.by_external.get(vendor.external_vendor_id)
        tiers = (
            # A person made the link, so it also holds for our own partners. Nothing is written to those.
            ([own] if own in found.candidates else [], self.env._('created from Odoo')),
            ([remote] if remote in found.candidates else [], self.env._('linked to it in Ramp')),
            (found.by_vat[_get_vat_key(values['vat'])], self.env._('same tax id')),
            (here, self.env._('same name')),
        )
        for ids, how in tiers:
            ids = [identity for identity in ids if identity not in found.taken]
            if len(ids) > 1:
                raise Held(
                    _lt(
                        'Several partners may be this vendor (%(how)s): %(partners)s. Merge them, archive the wrong '
                        'ones, or give only the right one the tax id that the vendor has in Ramp. This record then '
                        'clears itself.',
                        how=how,
                        partners=', '.join(
                            self.env._(
                                '%(name)s (id %(id)s)', name=clean_text(found.candidates[identity][0]), id=identity
                            )
                            for identity in ids
                        ),
                    )
                )
            if ids:
                found.taken.update(ids)
                return self.env['res.partner'].browse(ids), how
        return self.env['res.partner'], False


def _get_vat_key(text):
    """Return the form in which tax ids are compared, or False if there is none."""
    return re.sub(r'[^A-Z0-9]', '', name_key(text).upper()) or False


def _get_name_key(text):
    """Return the form in which names of vendors are compared: as all names, without punctuation at the ends."""
    text = name_key(text)
    return re.sub(r'^[\W_]+|[\W_]+$', '', text) or text
