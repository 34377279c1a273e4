# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""What others install: the files of the package stand alone, and `./dev package` writes them."""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from unittest.mock import patch

from odoo.tests import tagged

from .smoke import PlainCase

HOUSE = Path(__file__).resolve().parent.parent
SMALL = {  # an addon that imports as this one does
    '__init__.py': 'from . import models, ramp_api',
    'models/__init__.py': 'from . import ramp_record',
    'models/ramp_record.py': 'class RampRecord:\n    pass',
    'ramp_api/__init__.py': 'from .money import Money as Money\nLIMIT = 200\ndef RampClient(): pass',
    'ramp_api/money.py': 'class Money:\n    pass',
}
MOMENT = (2026, 1, 2, 3, 4, 6)
GIT = ('git', '-c', 'user.name=a', '-c', 'user.email=a@example.com', '-c', 'commit.gpgsign=false')


def load_tool(name):
    """Return a script of `tools`, which is no package, as a module."""
    spec = importlib.util.spec_from_file_location(name, HOUSE / f'tools/{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


package_files = load_tool('package_files')


@tagged('post_install', '-at_install', 'ramp')
class TestPackage(PlainCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tracked = [path for path in package_files.list_tracked_files(HOUSE) if (HOUSE / path).exists()]
        cls.files = package_files.choose_files(cls.tracked)
        cls.sources = cls.read_texts('.py')
        cls.manifest = package_files.read_manifest(HOUSE)

    @classmethod
    def read_texts(cls, *suffixes):
        return {path: (HOUSE / path).read_text(encoding='utf-8') for path in cls.files if path.endswith(suffixes)}

    def test_each_file_is_packaged_or_left_out(self):
        self.assertEqual(package_files.find_undecided_files(self.tracked), [])
        self.assertEqual(package_files.find_undecided_files(['new/file.py', 'models/new.py']), ['new/file.py'])

    def test_names_exist(self):
        """Each name in the lists is one of a file or folder, so that a renamed one is not left out by accident."""
        tops = {path.partition('/')[0] for path in self.tracked}
        for name in (*package_files.PACKAGED, *package_files.LEFT_OUT):
            self.assertIn(name, tops)

    def test_nothing_for_developers(self):
        self.assertGreater(len(self.files), 200)
        for path in self.files:
            self.assertNotRegex(path, r'^(simulator|tests|tools|dev|\.)|/\.|\.pyc$')

    def test_what_the_manifest_names(self):
        self.assertEqual(set(self.manifest['data']) - set(self.files), set())
        self.assertEqual(set(self.manifest['images']) - set(self.files), set())
        for patterns in self.manifest['assets'].values():
            for pattern in patterns:
                folder = pattern.removeprefix('ramp_connector/').partition('*')[0]
                self.assertTrue([path for path in self.files if path.startswith(folder)], pattern)

    def test_static_files_that_are_named(self):
        for path, text in self.read_texts('.py', '.xml', '.js', '.scss').items():
            for name in re.findall(r'ramp_connector/(static/[\w./-]+\.\w+)', text):
                self.assertIn(name, self.files, path)

    def test_imports(self):
        self.assertEqual(package_files.find_foreign_imports(self.sources, self.manifest['depends']), [])
        with self.subTest('what comes with Odoo is among its requirements'):
            lines = (HOUSE / 'tools/requirements-odoo.txt').read_text(encoding='utf-8').splitlines()
            wanted = {re.match(r'[\w.-]*', line)[0].lower() for line in lines}
            named = {name.lower() for name in package_files.OF_ODOO.values()} | {'requests'}
            self.assertEqual(named - wanted, set())
            self.assertEqual(self.manifest['external_dependencies'], {'python': ['requests']})

    def test_an_import_of_what_is_left_out_is_noticed(self):
        for line in (
            'from ..simulator import Simulator',
            'from .. import tests',
            'from ..tests.common import RampCase',
            'def later():\n    from ..simulator.faults import Faults',
            'import odoo.addons.ramp_connector.simulator',
            'from odoo.addons.ramp_connector.tests import common',
            'from odoo.addons.ramp_connector import simulator',
            'from odoo.addons import l10n_us',
            'import hypothesis',
            'import simulator',
            'import runtime',
            'import importlib\nimportlib.import_module(name)',
            '__import__(name)',
            'from . import not_there',
            'from .ramp_record import RampRecord\nfrom .not_there import thing',
        ):
            with self.subTest(line):
                found = package_files.find_foreign_imports({**SMALL, 'models/new.py': line})
                self.assertEqual(len(found), 1, found)
                self.assertIn('models/new.py', found[0])
        for line in (
            'from ..ramp_api import LIMIT, Money, RampClient',
            'from ..ramp_api.money import Money',
            'from .. import ramp_api',
            'from . import ramp_record',
            'from odoo.addons.ramp_connector.models import ramp_record',
            'from odoo.addons.base.models import ir_cron',
            'import json, requests.adapters, odoo.tools',
        ):
            with self.subTest(line):
                self.assertEqual(package_files.find_foreign_imports({**SMALL, 'models/new.py': line}), [])

    def test_links(self):
        """Each link in the package's documents leads to a file of the package."""
        documents = self.read_texts('.md')
        self.assertIn('docs/install.md', documents)
        self.assertEqual(package_files.find_dead_links(documents, self.files), [])
        for link in ('../tests/test_bill.py', 'none.md', '../../elsewhere', '../dev#part'):
            self.assertEqual(
                len(package_files.find_dead_links({'docs/new.md': f'[a]({link}) [b](install.md#x)'}, self.files)), 1
            )

    def test_same_files_same_bytes(self):
        with tempfile.TemporaryDirectory() as scratch:
            first, second = (Path(scratch) / name for name in ('first.zip', 'second.zip'))
            package_files.write_zip(first, HOUSE, self.files, MOMENT)
            with patch('time.time', return_value=1.0):
                package_files.write_zip(second, HOUSE, reversed(self.files), MOMENT)
            self.assertEqual(first.read_bytes(), second.read_bytes())
            with zipfile.ZipFile(first) as package:
                entries = package.infolist()
                self.assertEqual(
                    [entry.filename for entry in entries], [f'ramp_connector/{path}' for path in self.files]
                )
                self.assertEqual({entry.date_time for entry in entries}, {MOMENT})
                self.assertEqual({entry.external_attr >> 16 for entry in entries}, {0o100644})
                self.assertEqual(
                    package.read('ramp_connector/__manifest__.py'), (HOUSE / '__manifest__.py').read_bytes()
                )


@tagged('post_install', '-at_install', 'ramp')
class TestPackageCommand(PlainCase):
    """`./dev package` in a small checkout."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with patch.object(sys, 'path', [str(HOUSE / 'tools'), *sys.path]):
            cls.command = load_tool('package_addon')

    def setUp(self):
        super().setUp()
        self.checkout = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(patch.dict(os.environ, {'GIT_CEILING_DIRECTORIES': str(self.checkout.parent)}))
        self.write_file('__manifest__.py', "{'version': '19.0.1.2.3', 'depends': []}")
        self.write_file('hooks.py', 'import json')
        self.write_file('tests/common.py', 'import hypothesis')
        self.write_file('.gitignore', 'ignored')
        self.ask_git('init', '--quiet')
        self.commit_all()

    def write_file(self, path, text):
        target = self.checkout / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding='utf-8')

    def ask_git(self, *arguments):
        subprocess.run([*GIT, *arguments], cwd=self.checkout, check=True)

    def commit_all(self):
        self.ask_git('add', '.')
        self.ask_git('commit', '--quiet', '--message', 'a', '--date', '2026-01-02T03:04:06Z')

    def assertRefused(self, pattern, is_dirty_allowed=False):
        with self.assertRaisesRegex(self.command.ToolError, pattern):
            self.command.find_files(self.checkout, is_dirty_allowed)

    def test_same_commit_same_bytes(self):
        files = self.command.find_files(self.checkout, False)
        self.assertEqual(files, ['__manifest__.py', 'hooks.py'])
        made = []
        for number in range(2):
            folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
            os.utime(self.checkout / 'hooks.py', (number, number))
            made.append(self.command.build_zip(self.checkout, folder, files))
        self.assertEqual([path.name for path in made], ['ramp_connector-19.0.1.2.3.zip'] * 2)
        self.assertEqual(made[0].read_bytes(), made[1].read_bytes())

    def test_changes_are_refused(self):
        self.write_file('ignored', 'x')
        self.command.find_files(self.checkout, False)
        self.write_file('hooks.py', 'import os')
        self.assertRefused('differs from the last commit in hooks.py; commit that, or say --dirty')
        self.assertEqual(self.command.find_files(self.checkout, True), ['__manifest__.py', 'hooks.py'])
        self.commit_all()
        self.write_file('new.py', '')
        self.assertRefused('in new.py;')
        self.write_file('newer.py', '')
        self.assertRefused('in new.py and 1 more')

    def test_what_does_not_stand_alone_is_refused(self):
        self.write_file('hooks.py', 'def later():\n    from .tests import common')
        self.write_file('README.md', '[a](tests/common.py)')
        self.write_file('elsewhere/file.py', '')
        self.commit_all()
        self.assertRefused('hooks.py, line 2: odoo.addons.ramp_connector.tests.common is not in the package')
        self.assertRefused('README.md: tests/common.py is not in the package', is_dirty_allowed=True)
        self.assertRefused('elsewhere/file.py is named neither in PACKAGED nor in LEFT_OUT')

    def test_no_checkout(self):
        (self.checkout / '.git').rename(self.checkout / 'ignored')
        self.assertRefused('git does not know this folder')
