# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The page of the addon in the store, and in Odoo's own list of apps."""

import ast
import re
import struct
from pathlib import Path

import lxml.html

from odoo.tests import tagged
from odoo.tools import html_sanitize

from .smoke import PlainCase

HOUSE = Path(__file__).resolve().parent.parent
STORE = HOUSE / 'static/description'
TAGS = set(re.findall(r'\w+', 'section div h1 h2 p ul ol li strong em code img table thead tbody tr th td'))


@tagged('post_install', '-at_install', 'ramp')
class TestStorePage(PlainCase):
    """The page follows the guidelines of apps.odoo.com for vendors."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.text = (STORE / 'index.html').read_text(encoding='utf-8')
        cls.page = lxml.html.fragment_fromstring(cls.text, create_parent='div')
        cls.pictures = [dict(picture.attrib) for picture in cls.page.iter('img')]

    def test_only_what_is_allowed(self):
        """No script, style or frame, and no link to elsewhere."""
        self.assertEqual({element.tag for element in self.page.iter()} - TAGS, set())
        self.assertEqual(
            {name for element in self.page.iter() for name in element.attrib} - {'class', 'src', 'alt'}, set()
        )
        self.assertNotRegex(self.text, r'https?:|//|javascript|url\(')

    def test_odoo_shows_all_of_it(self):
        """Odoo's own list of apps shows the page after its sanitizer. That takes nothing away."""
        shown = lxml.html.fragment_fromstring(str(html_sanitize(self.text)), create_parent='div')
        self.assertEqual(shown.text_content().split(), self.page.text_content().split())
        self.assertEqual([picture.get('src') for picture in shown.iter('img')], [row['src'] for row in self.pictures])

    def test_pictures(self):
        """Each picture exists, has words for those who do not see it, and is as the script made it."""
        tree = ast.parse((HOUSE / 'tools/screenshots.py').read_text(encoding='utf-8'))
        [made] = [
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == 'ON_STORE'
        ]
        self.assertEqual(sorted(picture['src'] for picture in self.pictures), sorted(f'{name}.png' for name in made))
        for picture in self.pictures:
            self.assertTrue(picture['alt'])
            self.assertEqual(
                (STORE / picture['src']).read_bytes(), (HOUSE / 'docs/images' / picture['src']).read_bytes()
            )
        there = {path.name for path in STORE.glob('*.png')}
        self.assertEqual(there, {picture['src'] for picture in self.pictures} | {'icon.png', 'banner.png'})

    def test_icon_and_banner(self):
        sizes = {}
        for name in ('icon', 'banner'):
            head = (STORE / f'{name}.png').read_bytes()[:24]
            self.assertEqual(head[:8], b'\x89PNG\r\n\x1a\n')
            sizes[name] = struct.unpack('>II', head[16:24])
        self.assertEqual(sizes, {'icon': (128, 128), 'banner': (1120, 560)})

    def test_manifest(self):
        manifest = ast.literal_eval((HOUSE / '__manifest__.py').read_text(encoding='utf-8'))
        self.assertLessEqual(len(manifest['name']), 25)
        self.assertRegex(manifest['version'], r'^19\.0\.\d+\.\d+\.\d+$')
        self.assertIn(manifest['license'], self.text)
        self.assertEqual(manifest['images'], ['static/description/banner.png'])

    def test_figures(self):
        """Each figure of the page is in the benchmarks, below the command that printed it."""
        benchmarks = (HOUSE / 'docs/benchmarks.md').read_text(encoding='utf-8')
        rows = [
            [cell.text_content().strip() for cell in row.iter('td')] for row in self.page.find('.//tbody').iter('tr')
        ]
        self.assertGreater(len(rows), 5)
        for _what, figure, command in rows:
            _before, found, after = benchmarks.partition(f'`{command}`')
            self.assertTrue(found, command)
            below = after.partition('`./dev ')[0]
            numbers = re.findall(r'\d+(?:\.\d+)?', figure)
            self.assertTrue(numbers, command)
            for number in numbers:
                self.assertRegex(below, rf'(?<![\d.,]){re.escape(number)}(?![\d,]|\.\d)', f'{command}: {number}')
