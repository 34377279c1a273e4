# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from lxml import etree

from odoo.tests import tagged

from .common import RampCase

# Views of many records
MANY = ('list', 'kanban', 'search')
GROUPS = 'base.group_multi_company'


@tagged('post_install', '-at_install', 'ramp')
class TestCompanies(RampCase):
    """Where several companies are shown, the views say whose a record is. The views are found in the registry."""

    def models(self):
        """Return the models whose records may be of several companies at once.

        The lines of a record are of its company.
        """
        found = []
        for name, model in self.env.registry.items():
            if (
                name.startswith('ramp.')
                and not model._abstract
                and not model._transient
                and 'company_id' in model._fields
            ):
                parents = [
                    field.comodel_name
                    for field in model._fields.values()
                    if field.type == 'many2one' and field.required and field.ondelete == 'cascade' and field.store
                ]
                if all(not parent.startswith('ramp.') or parent == 'ramp.connection' for parent in parents):
                    found.append(name)
        return found

    def views(self):
        """Return [(view, root)] of these models, as the addon defines them."""
        views = self.env['ir.ui.view'].search(
            [('model', 'in', self.models()), ('type', 'in', MANY), ('mode', '=', 'primary')]
        )
        return [(view, etree.fromstring(view.arch_db)) for view in views]

    def test_each_view_of_several_companies_names_them(self):
        """The company is shown to users of several companies only, and not hidden at first."""
        for view, root in self.views():
            with self.subTest(view.name):
                fields = [node for node in root.iter('field') if node.get('name') == 'company_id']
                self.assertEqual([node.get('groups') for node in fields], [GROUPS])
                self.assertFalse({'invisible', 'column_invisible'} & set(fields[0].attrib))
                self.assertNotEqual(fields[0].get('optional'), 'hide')

    def test_each_search_groups_by_company(self):
        for view, root in self.views():
            if view.type == 'search' and next(root.iter('group'), None) is not None:
                with self.subTest(view.name):
                    filters = [node for node in root.iter('filter') if "'company_id'" in node.get('context', '')]
                    self.assertEqual([node.get('groups') for node in filters], [GROUPS])

    def test_each_list_of_a_menu_can_be_searched_by_company(self):
        """A model with a list of its own has a search view of its own, because Odoo's default one has only the name."""
        actions = self.env['ir.actions.act_window'].search([('res_model', 'in', self.models())])
        searched = {view.model for view, _root in self.views() if view.type == 'search'}
        self.assertLessEqual({action.res_model for action in actions if action.target != 'new'}, searched)

    def test_models_are_found(self):
        self.assertLessEqual({'ramp.record', 'ramp.cause', 'ramp.run', 'ramp.mapping', 'ramp.undo'}, set(self.models()))
        self.assertNotIn('ramp.undo.line', self.models())
