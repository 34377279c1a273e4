"""Measure how long Odoo's server takes for each screen of the addon over a large ledger; run by `bench.py`.

The screens are found in the registry: every menu entry and every other window or client action of the addon, with its
views. Each is asked for as the web client asks: with the fields of the view, the default filters, each other filter and
each grouping. An accountant of two companies asks, each time with empty caches of records and a warm registry. What a
client action asks for is in `CLIENT_ACTIONS`; one that is missing there ends the measurement.
"""

import argparse
import ast
import contextlib
import json
import statistics
import time
from collections import Counter
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from bench_list_data import DIFFERENCES, build_screen_ledger
from lxml import etree
from odoo_env import open_environment, run_simulator

ADDON = 'ramp_connector'
LIST_LIMIT, KANBAN_LIMIT, COUNT_LIMIT = 80, 40, 10001  # of the web client
FORMS = 8  # records of which the form is opened
READS_GROUPED = ('pivot', 'graph')
TEXT = 'am'  # typed into the search field


# ------------------------------------------------------------------ what the client asks for


def read_field_specification(node, fields):
    """Return the specification with which the client reads the fields of a view (`getFieldsSpec` of the web client).

    :param node: root of the view
    :param fields: {name: description} of its model
    """
    found = {}
    for child in iterate_own_fields(node):
        name = child.get('name')
        kind = fields[name]['type']
        found.setdefault(name, {})
        hidden = child.get('invisible') in ('1', 'True') or child.get('column_invisible') in ('1', 'True')
        if kind == 'many2one':
            found[name]['fields'] = {} if hidden else {'display_name': {}}
        elif kind in ('one2many', 'many2many') and not hidden:
            inner = next((part for part in child if part.tag in ('list', 'kanban')), None)
            related = fields[name].get('related_fields') or {}
            if inner is not None and related:
                found[name].update(fields=read_field_specification(inner, related), limit=40)
            else:
                found[name]['fields'] = {'display_name': {}}
    return found


def iterate_own_fields(node):
    """Yield the field nodes of a view, without those of the views inside of fields."""
    for child in node:
        if child.tag == 'field':
            yield child
        elif isinstance(child.tag, str):
            yield from iterate_own_fields(child)


class ActionScreen:
    """A window action: its views, and everything that the client asks for on them."""

    def __init__(self, env, action):
        self.action = action
        self.Model = env[action.res_model].with_context(**evaluate_text(env, action.context or '{}'))
        self.domain = evaluate_text(env, action.domain or '[]')
        self.modes = [mode for mode in action.view_mode.split(',') if mode != 'form']
        views = [(False, mode) for mode in action.view_mode.split(',')]
        chosen = {mode: view.id for view, mode in ((line.view_id, line.view_mode) for line in action.view_ids)}
        if action.view_id:
            chosen.setdefault(action.view_id.type, action.view_id.id)
        self.asked = [(chosen.get(mode, False), mode) for _view, mode in views]
        self.asked.append((action.search_view_id.id, 'search'))
        self.options = {'action_id': action.id, 'load_filters': True, 'toolbar': True}
        self.views = self.get_views()['views']
        self.archs = {mode: etree.fromstring(view['arch']) for mode, view in self.views.items()}
        self.fields = self.describe_fields()

    def get_views(self):
        return self.Model.get_views(self.asked, self.options)

    def describe_fields(self):
        """Return {field: description}, with the fields of the lists inside of a form."""
        found = self.Model.fields_get(attributes=['type', 'aggregator', 'relation', 'currency_field'])
        for field in found.values():
            if field['type'] in ('one2many', 'many2many'):
                field['related_fields'] = self.Model.env[field['relation']].fields_get(attributes=['type', 'relation'])
        return found

    def read_search_view(self):
        """Return (filters, groupings, names of searched fields, default parts) of the search view.

        Filters are {name: domain}, groupings {name: 'group by'}.
        """
        filters, groups, searched = {}, {}, []
        for node in self.archs['search'].iter('field', 'filter'):
            name = node.get('name')
            if node.tag == 'field':
                searched.append((name, node.get('filter_domain')))
            elif node.get('date'):
                filters[name] = [(node.get('date'), '>=', str(date.today() - timedelta(days=31)))]
            elif 'group_by' in (node.get('context') or ''):
                groups[name] = evaluate_text(self.Model.env, node.get('context'))['group_by']
            elif node.get('domain'):
                filters[name] = evaluate_text(self.Model.env, node.get('domain'))
        chosen = {
            name.removeprefix('search_default_')
            for name, value in self.Model.env.context.items()
            if name.startswith('search_default_') and value
        }
        return filters, groups, searched, chosen

    def list_calls(self):
        """Return [(what, variant, function that asks)] of the action."""
        filters, groups, searched, chosen = self.read_search_view()
        domain = [*self.domain, *(part for name in chosen & set(filters) for part in filters[name])]
        first = [groups[name] for name in groups if name in chosen]
        calls = [('views', '', self.get_views)]
        for mode in self.modes:
            calls.append((mode, 'opens', partial(self.read_view, mode, domain, first)))
            if mode in READS_GROUPED:
                continue
            for name, part in filters.items():
                calls.append((mode, f'filter {name}', partial(self.read_view, mode, [*self.domain, *part], [])))
            for name, group in groups.items():
                calls.append((mode, f'group {name}', partial(self.read_view, mode, domain, [group])))
                calls.append((mode, f'group {name}, one opened', self.make_opening(mode, domain, [group])))
            if mode == self.modes[0]:
                for name, pattern in searched:
                    calls.append((mode, f'search {name}', partial(self.search_text, mode, domain, name, pattern)))
        for node in self.archs['search'].iterfind('.//searchpanel/field'):
            kind = 'multi_range' if node.get('select') == 'multi' else 'range'
            ask = partial(getattr(self.Model, f'search_panel_select_{kind}'), node.get('name'), search_domain=domain)
            calls.append(('search panel', node.get('name'), ask))
        if 'form' in self.archs and not self.Model._transient:
            calls += [('form', f'of {ident}', partial(self.read_form, ident)) for ident in self.choose_forms()]
        calls.append(('name search', '', lambda: self.Model.name_search(TEXT, limit=8)))
        return calls

    def make_opening(self, mode, domain, groups):
        """Return a function that opens the first group of a grouping, which is read by the first call only."""
        found = []

        def open_first_group():
            found[:] = found or self.read_view(mode, domain, groups)['groups'][:1] or [{'__extra_domain': []}]
            return self.read_view(mode, [*domain, *found[0]['__extra_domain']], [])

        return open_first_group

    def read_view(self, mode, domain, groups):
        """Ask for what a view shows first."""
        if mode == 'pivot':
            return self.read_pivot(domain)
        if mode == 'graph':
            return self.read_graph(domain)
        if mode == 'activity':
            return self.Model.env['mail.activity'].get_activity_data(self.Model._name, domain, limit=LIST_LIMIT)
        node = self.archs[mode]
        limit = KANBAN_LIMIT if mode == 'kanban' else LIST_LIMIT
        wanted = read_field_specification(node, self.fields)
        groups = groups or ([node.get('default_group_by')] if node.get('default_group_by') else [])
        if not groups:
            return self.Model.web_search_read(domain, wanted, limit=limit, count_limit=COUNT_LIMIT)
        return self.Model.with_context(read_group_expand=True).web_read_group(
            domain,
            groups,
            self.list_aggregates(wanted) if mode == 'list' else [],
            limit=LIST_LIMIT if mode == 'list' else None,
            auto_unfold=mode == 'kanban',
            unfold_read_specification=wanted,
            unfold_read_default_limit=limit,
        )

    def list_aggregates(self, names):
        """Return the sums that a grouped view asks for."""
        found = []
        for name in names:
            field = self.fields[name]
            if field.get('aggregator') and field['type'] in ('integer', 'float', 'monetary', 'many2one'):
                found.append(f'{name}:{field["aggregator"]}')
                if field.get('currency_field'):
                    found += [f'{field["currency_field"]}:array_agg_distinct', f'{name}:sum_currency']
        return list(dict.fromkeys(found))

    def read_pivot(self, domain):
        parts = {'row': [], 'col': [], 'measure': []}
        for node in iterate_own_fields(self.archs['pivot']):
            interval = f':{node.get("interval")}' if node.get('interval') else ''
            parts[node.get('type', 'row')].append(node.get('name') + interval)
        sets = [
            [*parts['row'][:rows], *parts['col'][:columns]]
            for rows in range(len(parts['row']) + 1)
            for columns in range(len(parts['col']) + 1)
        ]
        return self.Model.formatted_read_grouping_sets(
            domain, sets, ['__count', *self.list_aggregates(parts['measure'])]
        )

    def read_graph(self, domain):
        groups, measures = [], []
        for node in iterate_own_fields(self.archs['graph']):
            interval = f':{node.get("interval")}' if node.get('interval') else ''
            (measures if node.get('type') == 'measure' else groups).append(node.get('name') + interval)
        return self.Model.with_context(fill_temporal=True).formatted_read_group(
            domain, groups, ['__count', *self.list_aggregates(measures)]
        )

    def search_text(self, mode, domain, name, pattern):
        """Type a text into the search field, and choose a field, as a person does."""
        field = self.fields[name]
        if pattern:
            part = evaluate_text(self.Model.env, pattern, self=TEXT, raw_value=TEXT)
        elif field['type'] == 'many2one':
            found = self.Model.env[field['relation']].name_search(TEXT, limit=8)
            part = [(name, '=', found[0][0])] if found else [(name, 'ilike', TEXT)]
        elif field['type'] == 'selection':
            part = [(name, '=', self.Model.fields_get([name], ['selection'])[name]['selection'][0][0])]
        else:
            part = [(name, 'ilike', TEXT)]
        return self.read_view(mode, [*domain, *part], [])

    def choose_forms(self):
        """Return the ids of records of all kinds: one of each flow and state if the model has them."""
        kinds = [name for name in ('flow', 'state') if name in self.fields and self.Model._fields[name].store]
        if not kinds:
            return self.Model.search(self.domain, limit=FORMS).ids
        groups = self.Model._read_group(self.domain, kinds, ['id:max'])
        step = max(1, len(groups) // (3 * FORMS))
        return [group[-1] for group in groups[::step]]

    def read_form(self, ident):
        record = self.Model.browse(ident)
        return record.web_read(read_field_specification(self.archs['form'], self.fields))


def evaluate_text(env, text, **more):
    """Return the value of a domain or context of a view or action."""
    from dateutil.relativedelta import relativedelta

    from odoo import fields
    from odoo.tools.safe_eval import datetime, safe_eval

    names = {
        'uid': env.uid,
        'context': env.context,
        'context_today': lambda: fields.Date.context_today(env.user),
        'relativedelta': relativedelta,
        'datetime': datetime,
        'allowed_company_ids': env.companies.ids,
        'active_id': False,
        **more,
    }
    with_literals = text.strip()
    try:
        return ast.literal_eval(with_literals)
    except (ValueError, SyntaxError):
        return safe_eval(with_literals, names)


# ------------------------------------------------------------------ client actions


def list_dashboard_calls(env, connection):
    Dashboard = env['report.ramp_connector.dashboard']
    return [
        ('dashboard', 'opens', lambda: Dashboard.get_dashboard(None)),
        ('tie-out', 'of this month, later', lambda: Dashboard.get_tie_out(connection)),
    ]


def list_tie_out_calls(env, connection):
    Report = env['report.ramp_connector.tie_out']

    def open_page():
        return Report.get_options(), Report.get_first_page(connection)

    return [
        ('tie-out', 'opens', open_page),
        (
            'tie-out',
            'one month',
            lambda: Report.get_first_page(connection, f'{date.today():%Y-%m}', f'{date.today():%Y-%m}'),
        ),
    ]


CLIENT_ACTIONS = {'ramp_connector.dashboard': list_dashboard_calls, 'ramp_tie_out': list_tie_out_calls}


# ------------------------------------------------------------------ the measurement


def find_screens(env):
    """Return {external name: action} of the addon: of its menu entries, and every other one that is not a dialog."""
    actions = {}
    for model in ('ir.actions.act_window', 'ir.actions.client'):
        for data in env['ir.model.data'].search([('module', '=', ADDON), ('model', '=', model)], order='name'):
            action = env[model].browse(data.res_id).exists()
            if action and action.target != 'new':
                actions[data.name] = action
    menus = env['ir.ui.menu'].browse(
        env['ir.model.data'].search([('module', '=', ADDON), ('model', '=', 'ir.ui.menu')]).mapped('res_id')
    )
    for action in menus.mapped('action'):
        if action and action._name in ('ir.actions.act_window', 'ir.actions.client'):
            actions.setdefault(action.get_external_id()[action.id].split('.')[-1], action)
    return actions


def list_screen_calls(env, name, connection):
    """Return the calls of a screen, see `ActionScreen.list_calls`."""
    action = find_screens(env(su=True))[name].with_env(env)
    if action._name == 'ir.actions.client':
        if action.sudo().tag not in CLIENT_ACTIONS:
            raise SystemExit(f'say in {Path(__file__).name} what the screen {action.sudo().tag} asks for')
        return CLIENT_ACTIONS[action.sudo().tag](env, connection)
    return ActionScreen(env, action.sudo()).list_calls()


@contextlib.contextmanager
def open_as_accountant(database, user, companies):
    """Yield an environment of the accountant with both companies."""
    with open_environment(database, user=user) as env:
        yield env(context={'allowed_company_ids': companies, 'lang': 'en_US', 'tz': 'UTC'})


def measure_call(env, ask):
    """Return (seconds, queries, bytes of the answer) of a call with empty caches of records.

    The time in which this process, or its PostgreSQL backend, was ready and had no processor is left out, because other
    work on the machine had it. It is never less than what both had of a processor.
    """
    from odoo.tools import json_default

    env.invalidate_all()
    env.cr.cache.clear()
    backend = env.cr._cnx.get_backend_pid()
    before, (worked, waited), started = env.cr.sql_log_count, read_processor_times(backend), time.perf_counter()
    answer = ask()
    size = len(json.dumps(answer, default=json_default))
    seconds, (worked_now, waited_now) = time.perf_counter() - started, read_processor_times(backend)
    seconds = max(seconds - (waited_now - waited), worked_now - worked)
    return seconds, env.cr.sql_log_count - before, size


def read_processor_times(backend):
    """Return the seconds for which this process and a backend together had, and waited for, a processor.

    They are 0.0 where Linux does not say.
    """
    worked = waited = 0
    for process in ('self', backend):
        with contextlib.suppress(OSError, ValueError):
            times = Path(f'/proc/{process}/schedstat').read_text(encoding='ascii').split()
            worked, waited = worked + int(times[0]), waited + int(times[1])
    return worked / 1e9, waited / 1e9


def measure_screens(database, user, companies, connection, rounds, only=None):
    """Measure every call of every screen. Return [{'screen', 'what', 'variant', 'seconds': [...], 'queries', 'size'}]."""
    with open_as_accountant(database, user, companies) as env:
        names = [name for name in find_screens(env(su=True)) if not only or only in name]
    found = []
    for name in names:
        with open_as_accountant(database, user, companies) as env:
            for what, variant, ask in list_screen_calls(env, name, connection):
                # The first call warms the registry
                measured = [measure_call(env, ask) for _round in range(rounds + 1)][1:]
                found.append(
                    {
                        'screen': name,
                        'what': what,
                        'variant': variant,
                        'seconds': [seconds for seconds, _queries, _size in measured],
                        'queries': measured[-1][1],
                        'size': measured[-1][2],
                    }
                )
    return found


def summarize_screens(rows):
    """Return one row for each screen and kind of call: the median and the worst of it, in milliseconds."""
    kinds = {}
    for row in rows:
        what = row['what'] if row['variant'] in ('', 'opens') or row['what'] == 'form' else f'{row["what"]}, changed'
        kinds.setdefault((row['screen'], what), []).append(row)
    found = []
    for (screen, what), calls in kinds.items():
        medians = [statistics.median(call['seconds']) for call in calls]
        slowest = max(range(len(calls)), key=medians.__getitem__)
        found.append(
            {
                'screen': screen,
                'what': what,
                'calls': len(calls),
                'median_ms': 1000 * statistics.median(medians),
                'slowest_ms': 1000 * medians[slowest],
                'slowest': calls[slowest]['variant'],
                'worst_ms': 1000 * max(max(call['seconds']) for call in calls),
                'queries': max(call['queries'] for call in calls),
            }
        )
    return found


def create_accountant(env, connection):
    """Create the accountant who asks. Return (id, ids of the companies)."""
    companies = env['ramp.connection'].search([]).company_id
    user = env['res.users'].create(
        {
            'name': 'Screen Accountant',
            'login': 'screen_accountant',
            'company_id': connection.company_id.id,
            'company_ids': companies.ids,
            'group_ids': [
                (4, env.ref(group).id) for group in ('account.group_account_manager', 'base.group_multi_company')
            ],
        }
    )
    return user.id, [connection.company_id.id, *(companies - connection.company_id).ids]


def read_list_options():
    parser = argparse.ArgumentParser()
    parser.add_argument('--database', required=True)
    parser.add_argument('--output', required=True)
    parser.add_argument('--rows', type=int, default=200000)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--keep', action='store_true', help='the data is there already')
    parser.add_argument('--screen', help='only screens with this in their name')
    return parser.parse_args()


def main():
    options = read_list_options()
    with open_environment(options.database) as env:
        if not options.keep:
            with run_simulator('--no-validate', '--rate-limit', 0) as ramp:
                build_screen_ledger(env, ramp, options.rows)
            create_accountant(env, env['ramp.connection'].search([], order='id', limit=1))
            env.cr.commit()
        connection = env['ramp.connection'].search([], order='id', limit=1)
        user = env['res.users'].search([('login', '=', 'screen_accountant')])
        companies = [connection.company_id.id, *(user.company_ids - connection.company_id).ids]
        states = Counter(dict(env['ramp.record']._read_group([], ['state'], ['__count'])))
        facts = {
            'rows': sum(states.values()),
            'held': states['held'],
            'causes': env['ramp.cause'].search_count([]),
            'differences': DIFFERENCES,
            'connection': connection.id,
            'user': user.id,
        }
    rows = measure_screens(
        options.database, facts['user'], companies, facts['connection'], options.rounds, options.screen
    )
    Path(options.output).write_text(
        json.dumps({**facts, 'screens': summarize_screens(rows), 'calls': rows}), encoding='utf-8'
    )


if __name__ == '__main__':
    main()
