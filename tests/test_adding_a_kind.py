# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The example in docs/adding-a-kind-of-object.md runs as it is."""

import re
from pathlib import Path
from unittest.mock import patch

from odoo.tests import tagged

from ..ramp_api import read_department
from ..simulator.endpoints.departments import make_department
from .common import RampCase

DOCUMENT = Path(__file__).resolve().parent.parent / 'docs/adding-a-kind-of-object.md'


def example_classes(number):
    """Return {name: class} of one of the document's Python examples."""
    text = re.findall(r'^```python\n(.*?)^```$', DOCUMENT.read_text(encoding='utf-8'), re.M | re.S)[number]
    if number:  # the later examples need the imports of the first one
        text = f'from odoo import models\n{text}'
    found = {'__name__': __name__}
    exec(compile(text, str(DOCUMENT), 'exec'), found)  # noqa: S102  # the project's own document
    return {name: value for name, value in found.items() if name.startswith('RampFlow')}


@tagged('post_install', '-at_install', 'ramp')
class TestAddingAKind(RampCase):
    def setUp(self):
        super().setUp()
        self.register(example_classes(0)['RampFlowDepartmentTag'])
        self.flow = self.env['ramp.flow.department_tag']
        job = self.env['ir.cron'].create(
            {'name': 'Ramp: departments', 'model_id': self.env['ir.model']._get_id('ramp.flow'), 'interval_number': 1}
        )
        self.env['ir.model.data'].create(
            {'module': 'ramp_connector', 'name': 'cron_department_tag', 'model': job._name, 'res_id': job.id}
        )

    def register(self, model):
        """Add the model to the registry until the end of the test."""
        from odoo.orm.model_classes import add_to_registry  # as Odoo's own tests do: there is no other way

        name = model._name
        add_to_registry(self.registry, model)
        self.registry._setup_models__(self.env.cr, [name])

        def remove():
            del self.registry.models[name]
            self.registry.clear_all_caches()

        self.addCleanup(remove)

    def rows(self):
        return self.env['ramp.record'].search(
            [('connection_id', '=', self.connection.id), ('flow', '=', 'department_tag')]
        )

    def run_example(self):
        with self.enter_registry_test_mode():
            self.run_flow('department_tag')

    def test_departments_become_tags(self):
        for name in ('Kitchen', 'Garden'):
            make_department(self.ramp.state, name)
        known = self.env['res.partner.category'].create({'name': 'Garden'})
        for _time in range(2):
            self.run_example()
            rows = self.rows()
            self.assertEqual(len(rows), len(self.ramp.state['departments']))
            self.assertFalse(set(rows.mapped('state')) - {'done', 'confirmed'}, rows.mapped('error_message'))
            tags = self.env['res.partner.category'].browse(rows.mapped('res_id'))
            self.assertIn(known, tags)
            self.assertEqual(sorted(tags.mapped('name')), sorted(row['name'] for row in self.ramp.state['departments']))

    def test_what_cannot_be_read_is_held_alone(self):
        for name in ('Kitchen', 'Garden'):
            make_department(self.ramp.state, name)
        with patch.object(
            type(self.flow),
            '_read_payload',
            lambda flow, payload: read_department(
                {**payload, 'name': (None if payload['name'] == 'Garden' else payload['name'])}
            ),
        ):
            self.run_example()
        states = dict(self.rows().mapped(lambda row: (row.payload['name'], row.state)))
        self.assertEqual((states['Garden'], states['Kitchen'] in ('done', 'confirmed')), ('held', True))
