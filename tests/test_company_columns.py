# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Where rows of several companies stand in one list, the list says which company each is of."""

from lxml import etree

from odoo.tests import TransactionCase, tagged

from .smoke import SmokeTags

KINDS = ('list', 'kanban', 'search')
MULTI_COMPANY = 'base.group_multi_company'


@tagged('post_install', '-at_install', 'ramp')
class TestCompanyColumns(SmokeTags, TransactionCase):
    def test_each_view_has_its_company(self):
        """Each list, kanban and search view of a model with a company shows it to users of several companies only."""
        identities = self.env['ir.model.data'].search([('module', '=', 'ramp_connector'), ('model', '=', 'ir.ui.view')])
        views = self.env['ir.ui.view'].browse(identities.mapped('res_id'))
        seen = set()
        for view in views.filtered(lambda view: view.type in KINDS and (view.model or '').startswith('ramp.')):
            if 'company_id' not in self.env[view.model]._fields:
                continue
            seen.add(view.model)
            found = etree.fromstring(view.arch_db).xpath("//field[@name='company_id']")
            with self.subTest(view=view.name):
                self.assertTrue(found, f'{view.name}: add company_id with groups="{MULTI_COMPANY}"')
                shown = [field for field in found if not field.get('column_invisible')]
                self.assertTrue(shown)
                self.assertEqual({field.get('groups') for field in shown}, {MULTI_COMPANY})
        self.assertGreater(len(seen), 5)
