# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from lxml import etree

from odoo.tests import tagged

from .common import RampCase

FEW, MANY = 3, 9  # records on a list
# Filters that find few rows among many, and the index that finds them in the order of the list
INDEXES = (
    ([('has_changed', '=', True)], 'ramp_record_changed_in_order'),
    ([('is_withheld', '=', True)], 'ramp_record_withheld_in_order'),
    ([('finding', '!=', False)], 'ramp_record_found_in_order'),
    ([('decision', '!=', False)], 'ramp_record_decided_in_order'),
    ([('error_message', '=', 'It has no account.')], 'ramp_record_of_reason'),
)


@tagged('post_install', '-at_install', 'ramp', 'is_query_count')
class TestQueryCountsScreens(RampCase):
    """What a list shows costs the same number of queries, however many records there are."""

    def hold(self, count):
        for number in range(count):
            self.spend(1000 + number, account=f'no-such-account-{number}')
        self.sync()
        self.env.flush_all()

    def specification(self, model, mode):
        """Return the fields that the client reads for a view."""
        root = etree.fromstring(self.env[model].get_view(view_type=mode)['arch'])
        fields = self.env[model]._fields
        names = {node.get('name') for node in root.iter('field')}
        return {name: {'fields': {'display_name': {}}} if fields[name].type == 'many2one' else {} for name in names}

    def count(self, read):
        """Return the queries of a call with empty caches. The first call also fills caches of the process."""
        for _try in range(2):
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            read()
        return self.env.cr.sql_log_count - before

    def list_screens(self):
        """Return {(model, mode): function that reads it} of each window action of the addon."""
        data = self.env['ir.model.data'].search(
            [('module', '=', 'ramp_connector'), ('model', '=', 'ir.actions.act_window')]
        )
        found = {}
        for action in self.env['ir.actions.act_window'].browse(data.mapped('res_id')):
            if action.res_model.startswith('ramp.') and not self.env[action.res_model]._transient:
                for mode in {'list', 'kanban'} & set(action.view_mode.split(',')):
                    wanted = self.specification(action.res_model, mode)
                    found[action.res_model, mode] = lambda name=action.res_model, wanted=wanted: self.env[
                        name
                    ].web_search_read([], wanted, limit=80)
        dashboard = self.env['report.ramp_connector.dashboard']
        found['dashboard', ''] = lambda: dashboard.get_dashboard(self.connection.id)
        return found

    def test_screens(self):
        screens = self.list_screens()
        self.assertIn(('ramp.cause', 'list'), screens)
        self.hold(FEW)
        few = {key: self.count(read) for key, read in screens.items()}
        self.hold(MANY)
        self.assertGreater(self.env['ramp.cause'].search_count([]), FEW)
        self.assertEqual({key: self.count(read) for key, read in screens.items()}, few)

    def test_filters_have_indexes(self):
        """The conditions of the indexes are those that the filters make."""
        self.hold(FEW)
        self.env.cr.execute('SET LOCAL enable_seqscan = off')
        for domain, index in INDEXES:
            query = self.env['ramp.record'].sudo()._search(domain, order=self.env['ramp.record']._order, limit=80)
            # All other indexes would have to be filtered
            self.env.cr.execute(
                'SET LOCAL enable_sort = off' if index != 'ramp_record_of_reason' else 'SET LOCAL enable_sort = on'
            )
            sql = query.select()
            self.env.cr.execute(f'EXPLAIN {sql.code}', sql.params)
            self.assertIn(index, str(self.env.cr.fetchall()), domain)

    def test_what_ramp_has_of_an_object_that_refers_to_nothing(self):
        """No other row is looked for. A search without an id would find every row that has none."""
        record = self.env['ramp.record'].create(
            {
                'connection_id': self.connection.id,
                'company_id': self.connection.company_id.id,
                'flow': 'analytic_plan',
                'name': 'Projects',
                'remote_id': 'a-plan',
                'payload': {'name': 'Projects', 'field': None},
            }
        )
        self.patch(type(record), 'search_fetch', lambda *_args, **_kwargs: self.fail('another row is looked for'))
        self.assertIn('Projects', record.sent_text)
