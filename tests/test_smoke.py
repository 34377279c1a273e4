# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo.addons.base.tests import test_views
from odoo.tests import tagged
from odoo.tests.loader import get_module_test_cases, get_test_modules

from .common import BrowserCase, RampCase
from .smoke import TAG, PlainCase, SmokeTags


@tagged('post_install', '-at_install', 'ramp')
class TestSmoke(PlainCase):
    def cases(self):
        """Return {class: its tests, as Odoo finds them}."""
        found = {}
        for module in get_test_modules('ramp_connector'):
            for case in get_module_test_cases(module):
                found.setdefault(type(case), []).append(case)
        return found

    def test_each_class_has_a_test_that_odoo_runs_in_each_commit(self):
        cases = self.cases()
        self.assertGreater(len(cases), 100)
        self.assertEqual(
            [kind.__name__ for kind, tests in cases.items() if not any(TAG in test.test_tags for test in tests)], []
        )

    def test_all_tours_are_among_them_and_have_a_name_to_be_left_out_by(self):
        for kind, tests in self.cases().items():
            with self.subTest(kind=kind.__name__):
                self.assertEqual(issubclass(kind, BrowserCase), kind.__name__.endswith('Tours'))
                if issubclass(kind, BrowserCase):
                    self.assertTrue(all(TAG in test.test_tags for test in tests))


@tagged('post_install', '-at_install', 'ramp')
class TestJobs(RampCase):
    """The assumptions of `RampCase.run_flow`."""

    def test_each_job_runs_its_flow_and_does_nothing_else(self):
        jobs = {flow: flow._get_cron_job() for flow in self.connection._flow_models() if flow._get_cron_job()}
        self.assertGreater(len(jobs), 25)
        for flow, job in jobs.items():
            with self.subTest(flow=flow._flow):
                self.assertEqual((job.model_id.model, job.state, job.code), (flow._name, 'code', 'model._cron_run()'))
                self.assertEqual(job.user_id, self.env.ref('base.user_root'))

    def test_odoo_runs_it(self):
        ramp_id = self.spend()
        self.connection.with_context(ramp_quiet=True).action_sync_now()
        with self.enter_registry_test_mode():
            self.assertTrue(self.env.ref('ramp_connector.cron_transaction').method_direct_trigger())
        self.env.invalidate_all()
        self.assertConfirmed(ramp_id)


@tagged('post_install', '-at_install', 'ramp')
class TestViews(RampCase):
    connect = False

    def views(self):
        data = self.env['ir.model.data'].search([('module', '=', 'ramp_connector'), ('model', '=', 'ir.ui.view')])
        return self.env['ir.ui.view'].browse(data.mapped('res_id'))

    def test_each_view_is_valid(self):
        views = self.views()
        self.assertGreater(len(views), 20)
        for view in views:
            with self.subTest(view=view.xml_id):
                view._check_xml()


@tagged('post_install', '-at_install', 'ramp')
class TestFieldsThatAreNeverSeen(SmokeTags, test_views.TestInvisibleField):
    """Core's own rule for views: a field that is always invisible has a comment with the reason."""

    is_smoke = True

    def test_uncommented_invisible_field(self):
        """The rule finds nothing. Core only logs what it finds."""
        with self.assertNoLogs(test_views.__name__, 'ERROR'):
            return super().test_uncommented_invisible_field()
