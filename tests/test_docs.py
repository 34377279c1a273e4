# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Menus, settings, scopes, files, commands and links in the documents exist."""

import re
from pathlib import Path

from odoo.tests import TransactionCase, tagged

from ..models.connection_constants import OPTIONAL_SCOPES, SCOPES
from .smoke import PlainCase, SmokeTags

HOUSE = Path(__file__).resolve().parent.parent
DOCUMENTS = [*sorted(HOUSE.glob('*.md')), *sorted(HOUSE.glob('docs/*.md'))]
LINK = re.compile(r'\]\(([^)\s]+)\)')
# a menu of an Odoo application, in italics
MENU = re.compile(r'\*((?:Accounting|Settings|Apps) > [^*\n]+)\*')
ROOM = re.compile(r'`((?:tests|tools|models|flows|ramp_api|simulator|migrations|docs|static)/[\w./-]*)`')
COMMAND = re.compile(r'\./dev ([a-z][a-z0-9-]*)')


def anchor(heading):
    """Return the anchor that GitHub makes of a heading."""
    return re.sub(r'[^\w\- ]', '', heading.strip().lower()).replace(' ', '-')


def table(document, heading):
    """Return the rows of the first table under a heading, without its head."""
    text = (HOUSE / document).read_text(encoding='utf-8').split(f'\n## {heading}\n')[1].split('\n## ')[0]
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in text.splitlines() if line.startswith('|')]
    return rows[2:]


@tagged('post_install', '-at_install', 'ramp')
class TestDocuments(PlainCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.texts = {path: path.read_text(encoding='utf-8') for path in DOCUMENTS}

    def test_links(self):
        self.assertGreater(len(self.texts), 10)
        for path, text in self.texts.items():
            for link in LINK.findall(text):
                if link.startswith(('http://', 'https://')):
                    continue
                target, _hash, part = link.partition('#')
                there = (path.parent / target).resolve() if target else path
                self.assertTrue(there.exists(), link)
                if part:
                    headings = re.findall(r'^#+ (.+)$', there.read_text(encoding='utf-8'), re.M)
                    self.assertIn(part, [anchor(heading) for heading in headings], link)

    def test_methods(self):
        """The methods that the documents name exist."""
        defined = {
            name
            for room in ('flows', 'models', 'ramp_api')
            for path in (HOUSE / room).rglob('*.py')
            for name in re.findall(r'(?:def |^    )(_\w+)(?:\(| = )', path.read_text(encoding='utf-8'), re.M)
        }
        for name in ('life-of-a-bill', 'adding-a-kind-of-object'):
            named = set(re.findall(r'`(_\w+)`', (HOUSE / f'docs/{name}.md').read_text(encoding='utf-8')))
            self.assertGreater(len(named), 5)
            self.assertFalse(named - defined, name)
        new = {
            row.split('`')[-2] for row in (HOUSE / 'docs/renamed-methods.md').read_text().splitlines() if '| `_' in row
        }
        defined |= set(
            re.findall(
                r'def (_\w+)', ''.join(path.read_text(encoding='utf-8') for path in (HOUSE / 'report').rglob('*.py'))
            )
        )
        self.assertGreater(len(new), 500)
        self.assertFalse(new - defined)

    def test_files_and_commands(self):
        commands = re.findall(r'^\./dev ([a-z][a-z0-9-]*)', (HOUSE / 'tools/cli.py').read_text(encoding='utf-8'), re.M)
        self.assertIn('demo', commands)
        for text in self.texts.values():
            for name in ROOM.findall(text):
                self.assertTrue((HOUSE / name).exists(), name)
            for command in COMMAND.findall(text):
                self.assertIn(command, [*commands, 'help'])

    def test_pictures_are_shown(self):
        text = ''.join(self.texts.values())
        for picture in (HOUSE / 'docs/images').iterdir():
            self.assertIn(f'images/{picture.name}', text)


@tagged('post_install', '-at_install', 'ramp')
class TestScreensInDocuments(SmokeTags, TransactionCase):
    def test_menus(self):
        menus = self.env['ir.ui.menu'].with_context(lang='en_US').search([]).mapped('complete_name')
        # The menus are in Community or in Enterprise.
        there = {re.sub('^(Invoicing|Accounting)/', 'Accounting/', name) for name in menus}
        found = [path for document in DOCUMENTS for path in MENU.findall(document.read_text(encoding='utf-8'))]
        self.assertGreater(len(found), 5)
        for path in found:
            self.assertIn(path.replace(' > ', '/'), there)

    def label(self, name):
        return self.env['ramp.connection'].with_context(lang='en_US').fields_get([name], ['string'])[name]['string']

    def test_scopes(self):
        rows = {
            switch.strip('*'): scopes.replace('`', '').split()
            for _what, switch, scopes in table('docs/administrator.md', '1. The app in Ramp')
        }
        self.assertEqual(
            rows, {'': [*SCOPES], **{self.label(name): [*scopes] for name, scopes in OPTIONAL_SCOPES.items()}}
        )

    def test_settings(self):
        labels = {
            field['string'] for field in self.env['ramp.connection'].with_context(lang='en_US').fields_get().values()
        }
        rows = table('docs/administrator.md', '3. What each setting decides')
        self.assertGreater(len(rows), 10)
        for _page, names, _decides in rows:
            for name in re.findall(r'\*([^*]+)\*', names):
                self.assertIn(name, labels)
