# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import functools
import re
from collections import defaultdict

from odoo import api, models
from odoo.tools import LazyTranslate

from ...models.ramp_mapping import LEFT_OUT
from ...models.reason import Sentence
from ..engine.reasons import Held, HoldCollector
from .lookup import CodingLookup

_lt = LazyTranslate(__name__)

# Types of selections without meaning for the books. The connection determines the company, and Ramp has fields of its
# own beside those of the accounting system.
IRRELEVANT = frozenset({'SUBSIDIARY', 'EXPENSE_ENTITY', 'NON_ERP', 'REPORTING_TAG'})
# Kinds of records in identities, by the model in Odoo.
KINDS = {
    'account.account': 'account',
    'account.analytic.plan': 'plan',
    'account.analytic.account': 'analytic',
    'account.tax': 'tax',
    'res.partner': 'partner',
}
MODELS = {kind: model for model, kind in KINDS.items()}
# A point and a number follow where an object of Ramp replaced one that could not be changed (see ramp.flow.push).
IDENTITY = re.compile(rf'^(?P<database>[0-9a-f]{{8}})-(?P<kind>{"|".join(MODELS)})-(?P<id>\d{{1,18}})(?:\.\d+)?$')
KIND_NAMES = {
    'account': _lt('The account'),
    'analytic': _lt('The analytic account'),
    'plan': _lt('The plan'),
    'tax': _lt('The tax'),
    'partner': _lt('The supplier'),
}
KIND_OF_TYPE = {'GL_ACCOUNT': 'account', 'OTHER': 'analytic', 'TAX_CODE': 'tax', 'MERCHANT': 'partner'}


@dataclasses.dataclass(frozen=True)
class Coding:
    """The meaning in Odoo of the selections of one line.

    distribution: analytic distribution as Odoo stores it, or False
    tax, partner: may be empty
    """

    account: models.Model
    distribution: dict | bool
    tax: models.Model
    partner: models.Model


class Uncodable(Held):
    """A selection has no meaning in these books. The text says what to do."""


class RampCoding(models.AbstractModel):
    """Translate selections in Ramp to accounts and analytic distributions, and make the identities for Ramp.

    An identity is `<database>-<kind>-<id>`. It is stable when an account is renamed or gets another code. It never
    belongs to an account of another database (see `ramp.connection._database_identity`).
    """

    _name = 'ramp.coding'
    _description = 'Ramp Coding'

    @api.model
    def _get_external_id(self, record):
        """Return the id of an account, an analytic plan, an analytic account, a tax or a supplier in Ramp."""
        return f'{self.env["ramp.connection"]._database_identity()}-{KINDS[record._name]}-{record.id}'

    @api.model
    def _get_currency(self, code):
        """Return the currency of a code, active or not. It is empty for a code that Odoo does not have."""
        # Cached for this transaction only, as it uses few of all currencies.
        found = self.env.cr.cache.setdefault('ramp.currency', {})
        if code not in found:
            found[code] = self.env['res.currency'].with_context(active_test=False).search([('name', '=', code)]).id
        return self.env['res.currency'].browse(found[code] or ())

    @api.model
    def _look_up_selections(self, connection, selections):
        """Find all records that the selections may refer to, in a constant number of queries.

        :return: `CodingLookup`, the `found` of `_decode_selections`
        """
        company = connection.company_id
        identity = connection._database_identity()
        external_ids = {selection.external_id for selection in selections if selection.external_id}
        codes = {
            code
            for selection in selections
            if selection.type == 'GL_ACCOUNT'
            for code in (selection.external_code, selection.external_id)
            if code
        }
        # The ledger knows the adopted objects, whose ids are not from Odoo, and those that are no longer offered.
        known, hidden = {}, {}
        for row in (
            self.env['ramp.record'].search_fetch(
                [
                    ('remote_id', 'in', list(external_ids)),
                    ('res_model', 'in', list(KINDS)),
                    ('flow', '!=', 'spend_vendor'),
                    (
                        'connection_id',
                        'in',
                        self.env['ramp.connection']._search(
                            [('accounting_connection_id', '=', connection.accounting_connection_id)]
                        ),
                    ),
                ],
                ['remote_id', 'res_model', 'res_id', 'state', 'error_message'],
            )
            if external_ids
            else ()
        ):
            known[row.remote_id] = KINDS[row.res_model], row.res_id
            hidden.setdefault(row.remote_id, []).append(row.error_message if row.state == 'ignored' else False)
        wanted = defaultdict(set)
        mapped = self.env['ramp.mapping']._find_mapped_options(
            connection, {(selection.type, get_selection_key(selection)) for selection in selections}
        )
        for kind, record_id in mapped.values():
            wanted[kind].add(record_id)
        for external_id in external_ids:
            match = IDENTITY.match(external_id)
            if match and match['database'] == identity:
                known.setdefault(external_id, (match['kind'], int(match['id'])))
            if external_id in known:
                kind, record_id = known[external_id]
                wanted[kind].add(record_id)

        def fetch(kind, names, domain=None):
            Model = self.env[MODELS[kind]].with_company(company).with_context(active_test=False)
            domain = domain or [('id', 'in', list(wanted[kind]))]
            return Model.search_fetch(domain, names) if wanted[kind] or kind == 'account' and codes else Model

        defaults = ['tax_ids'] if connection.tax_policy == 'default' else []
        accounts = fetch(
            'account',
            ['code', 'name', 'active', 'company_ids', *defaults],
            ['|', ('id', 'in', list(wanted['account'])), ('code', 'in', list(codes))],
        )
        by_code = defaultdict(self.env['account.account'].browse)
        for account in accounts:
            # Branches use the accounts of their parent companies.
            if company.parent_ids & account.company_ids and account.code:
                by_code[account.code] += account
        records = {
            'account': accounts,
            'analytic': fetch('analytic', ['name', 'active', 'company_id', 'root_plan_id']),
            'tax': fetch('tax', ['name', 'active', 'company_id', 'type_tax_use', 'amount_type']),
            'partner': fetch('partner', ['name', 'active', 'company_id']),
        }
        return CodingLookup(
            identity=identity,
            company=company,
            known=known,
            mapped=mapped,
            hidden={external_id: reasons[0] for external_id, reasons in hidden.items() if all(reasons)},
            accounts_by_code=by_code,
            records={kind: {record.id: record for record in of_kind} for kind, of_kind in records.items()},
        )

    @api.model
    def _decode_selections(self, selections, found):
        """Return the `Coding` of one line's selections. Never guess or drop a selection.

        :param found: `CodingLookup`
        :raise Uncodable: when a selection has no meaning in these books
        """
        chosen, holds = {kind: self.env[model] for kind, model in MODELS.items()}, HoldCollector()
        selections = [selection for selection in selections if selection.type not in IRRELEVANT]
        for selection in selections:
            with holds.collect():
                record, kind = self._decode_single_selection(selection, found)
                chosen[kind] |= record
        with holds.collect():
            # An account that cannot be used is a reason already
            if not any(self._find_selection_kind(selection, found)[0] == 'account' for selection in selections):
                raise Uncodable(_lt('It has no account. Choose the accounting category in Ramp.'), kind='in_ramp')
        analytics = chosen['analytic']
        with holds.collect():
            if len(analytics.root_plan_id) < len(analytics):
                raise Uncodable(
                    _lt(
                        'Two analytic accounts of the same plan are chosen (%s). Keep one of them in Ramp.',
                        ', '.join(analytics.mapped('name')),
                    ),
                    kind='in_ramp',
                )
        for kind in ('account', 'tax', 'partner'):
            with holds.collect():
                if len(chosen[kind]) > 1:
                    raise Uncodable(
                        _lt(
                            'Two options of the same field are chosen (%s). Keep one of them in Ramp.',
                            ', '.join(chosen[kind].mapped('name')),
                        ),
                        kind='in_ramp',
                    )
        holds.check()
        # Odoo stores several plans of one line as one combined key.
        distribution = {','.join(str(identity) for identity in sorted(analytics.ids)): 100} if analytics else False
        return Coding(chosen['account'], distribution, chosen['tax'], chosen['partner'])

    @api.model
    def _find_unknown_options(self, connection, selections):
        """Return the names of the options that have no meaning in these books, each once and in order."""
        found = self._look_up_selections(connection, selections)
        unknown = set()
        for selection in selections:
            if selection.type in IRRELEVANT:
                continue
            try:
                self._decode_single_selection(selection, found)
            except Uncodable:
                unknown.add(selection.name or selection.external_code or selection.external_id or '?')
        return sorted(unknown)

    def _decode_single_selection(self, selection, found):
        """Return the record of one selection, and its kind.

        The record is found by the id that Odoo gave it, otherwise by the ledger, otherwise, for an account, by its
        code. Ramp returns every custom field with the type OTHER. So the type only counts where the id says nothing.

        :return: (record, kind)
        :raise Uncodable: when the selection has no meaning in these books
        """
        kind, record_id = self._find_selection_kind(selection, found)
        if kind == LEFT_OUT:
            return self.env['account.account'], 'account'
        hold = functools.partial(self._make_selection_hold, selection, kind)
        external_id = selection.external_id or ''
        match = IDENTITY.match(external_id)
        if match and match['database'] != found.identity and not record_id:
            raise hold(
                _lt('%(kind)s "%(option)s" was offered by another Odoo database. Choose one of this database in Ramp.')
            )
        if kind == 'partner' and not record_id:
            return self.env['res.partner'], kind  # Ramp's own merchant; the payee is found by its name
        if kind == 'account' and not record_id:
            record = found.accounts_by_code.get(selection.external_code or external_id, self.env['account.account'])[:1]
        elif record_id and kind in ('account', 'analytic', 'tax', 'partner'):
            record = found.records[kind].get(record_id)
        elif kind == 'analytic':
            raise hold(
                _lt('It is coded with "%(option)s" in a field that does not come from Odoo. Clear that field in Ramp.')
            )
        else:
            raise hold(
                _lt(
                    'It is coded with "%(option)s" in a field of the type %(type)s, which this Odoo database does '
                    'not offer. Clear that field in Ramp.'
                )
            )
        if not record and record_id:
            raise hold(
                _lt(
                    '%(kind)s "%(option)s" was deleted in Odoo. Choose another one in Ramp, or press "Map" under "Needs '
                    'Attention" in Odoo to name the one that replaces it.'
                )
            )
        if not record:
            raise hold(_lt('%(kind)s "%(option)s" does not exist in Odoo. Choose another one in Ramp, or create it.'))
        companies = record.company_ids if kind == 'account' else record.company_id
        if (companies or kind == 'account') and not found.company.parent_ids & companies:
            raise hold(
                _lt('%(kind)s "%(option)s" does not belong to the company %(company)s. Choose another one in Ramp.'),
                company=found.company.name,
            )
        if not record.active:
            raise hold(
                _lt('%(kind)s %(option)s is archived in Odoo. Choose another one in Ramp, or unarchive it.'),
                option=f'{record.code} {record.name}' if kind == 'account' and record.code else record.name,
            )
        if kind == 'tax' and record.type_tax_use != 'purchase':
            raise hold(_lt('The tax "%(option)s" is no longer a purchase tax. Choose another one in Ramp.'))
        if external_id in found.hidden and found.known.get(external_id) == (kind, record_id):
            raise hold(
                _lt(
                    '%(kind)s "%(option)s" is no longer offered in Ramp. %(reason)s Choose another one in Ramp, or '
                    'offer it again.'
                ),
                reason=found.hidden[external_id],
            )
        return record, kind

    @api.model
    def _find_selection_kind(self, selection, found):
        """Return the kind of record of a selection, or None, and the id of the record, or None.

        What a person decided (`ramp.mapping`) comes before everything else.
        """
        mapped = found.mapped.get((selection.type, get_selection_key(selection)))
        if mapped:
            return mapped
        external_id = selection.external_id or ''
        match = IDENTITY.match(external_id)
        return found.known.get(external_id) or (match['kind'] if match else KIND_OF_TYPE.get(selection.type), None)

    @api.model
    def _make_selection_hold(self, selection, kind, text, **args):
        """Return the `Uncodable` of a selection. All objects with this selection have it in common.

        :param text: the sentence without its arguments
        :param args: further arguments of the sentence, or others than usual
        """
        args = {'kind': KIND_NAMES.get(kind), 'option': get_selection_label(selection), 'type': selection.type, **args}
        source = Sentence.of(text).source
        sentence = Sentence.of(text, **{name: value for name, value in args.items() if f'%({name})s' in source})
        return Uncodable(
            sentence,
            kind='map_option',
            by=sentence.args,
            type=selection.type,
            key=get_selection_key(selection),
            option=get_selection_label(selection),
            record_kind=kind,
        )


def get_selection_label(selection):
    """Return what people call the chosen option."""
    return selection.name or selection.external_code or selection.external_id or '?'


def get_selection_key(selection):
    """Return what identifies the chosen option in Ramp, among those of its type."""
    return selection.external_id or selection.external_code or selection.name or '?'
