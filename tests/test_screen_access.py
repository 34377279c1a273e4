# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""What keyboards and screen readers need, and names that can be searched for."""

from pathlib import Path

from lxml import etree

from odoo.tests import tagged

from .common import RampCase

ADDON = Path(__file__).resolve().parent.parent
# Printed or written into a file, not shown on a screen
PAPER = {'ramp_tie_out_templates.xml'}


def read_templates():
    """Yield (file name, element) of each element in the templates of the web client and of the pages within forms."""
    paths = [
        *ADDON.glob('static/src/**/*.xml'),
        *ADDON.glob('report/*_templates.xml'),
        *ADDON.glob('wizard/*_templates.xml'),
    ]
    for path in paths:
        if path.name not in PAPER:
            for node in etree.parse(path).iter(etree.Element):
                yield path.name, node


@tagged('post_install', '-at_install')
class TestScreenAccess(RampCase):
    def test_headings_of_tables_say_what_they_head(self):
        for name, node in read_templates():
            if node.tag == 'th':
                with self.subTest(file=name, line=node.sourceline):
                    self.assertIn(node.get('scope'), ('col', 'row'))

    def test_what_is_clicked_can_be_reached_with_the_keyboard(self):
        for name, node in read_templates():
            if any(key.startswith('t-on-click') for key in node.attrib):
                with self.subTest(file=name, line=node.sourceline):
                    self.assertIn(node.tag, ('a', 'button'))
                    self.assertTrue(node.get('href') if node.tag == 'a' else node.get('type') == 'button')

    def test_what_is_clicked_has_a_name(self):
        for name, node in read_templates():
            if node.tag in ('a', 'button'):
                with self.subTest(file=name, line=node.sourceline):
                    text = ''.join(node.itertext()).strip()
                    written = any(part.get('t-esc') or part.get('t-out') for part in node.iter(etree.Element))
                    self.assertTrue(text or written or node.get('aria-label'))

    def test_icons_are_named_or_left_out(self):
        for name, node in read_templates():
            if node.tag == 'i':
                with self.subTest(file=name, line=node.sourceline):
                    named = node.get('role') == 'img' and node.get('aria-label')
                    self.assertTrue(node.get('aria-hidden') == 'true' or named)

    def test_names_are_searched_without_a_warning(self):
        actions = self.env['ir.actions.act_window'].search([('res_model', '=like', 'ramp.%')])
        for name in {*actions.mapped('res_model'), 'ramp.run'}:
            model = self.env[name]
            with self.subTest(model=name):
                self.assertTrue(model._rec_name or model._rec_names_search or model._transient)

    def test_a_run_is_found_by_its_type_and_its_connection(self):
        Run = self.env['ramp.run']
        run = Run.create(
            {
                'connection_id': self.connection.id,
                'company_id': self.connection.company_id.id,
                'flow': 'transaction',
                'state': 'done',
            }
        )
        label = dict(Run._fields['flow']._description_selection(self.env))['transaction']
        for word in (label, label[:4].lower(), self.connection.name):
            self.assertIn(run.id, [found for found, _name in Run.name_search(word)], word)
        self.assertNotIn(run.id, [found for found, _name in Run.name_search('no such run')])
