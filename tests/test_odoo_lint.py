# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Odoo's own tests of source code, for this addon: those that take its files and need nothing else."""

import importlib
import re
import unittest
from pathlib import Path
from unittest.mock import patch

from odoo.modules import Manifest
from odoo.tests import tagged

from .smoke import PlainCase

TESTS = {
    'test_dunderinit': 'TestDunderinit',
    'test_manifests': 'ManifestLinter',
    'test_markers': 'TestConflictMarkers',
    'test_onchange_domains': 'TestOnchangeDomains',
    'test_orm_import': 'TestDunderinit',
    'test_jstranslate': 'TestJsTranslations',
    'test_l10n': 'L10nLinter',
}
COMMUNITY = {'development_status'}  # keys of community modules, in addition to Odoo's


@tagged('post_install', '-at_install', 'ramp')
class TestOdooLint(PlainCase):
    def test_each(self):
        own = [Manifest.for_addon('ramp_connector')]
        for name, kind in TESTS.items():
            with self.subTest(name):
                try:
                    module = importlib.import_module(f'odoo.addons.test_lint.tests.{name}')
                except ImportError as error:  # an Odoo without its tests
                    self.skipTest(str(error))
                if hasattr(module, 'MANIFEST_KEYS'):
                    self.enterContext(patch.object(module, 'MANIFEST_KEYS', module.MANIFEST_KEYS | COMMUNITY))
                result = unittest.TestResult()
                with patch.object(Manifest, 'all_addon_manifests', lambda: own):
                    for case in unittest.defaultTestLoader.loadTestsFromTestCase(getattr(module, kind)):
                        case.run(result)
                self.assertGreater(result.testsRun, 0)
                self.assertEqual([text for _case, text in (*result.errors, *result.failures)], [])

    def test_each_file_of_tests_is_imported(self):
        """Each file of tests is imported. Otherwise Odoo's own runner does not see its tests."""
        folder = Path(__file__).parent
        imported = set(re.findall(r'^    (test_\w+),$', (folder / '__init__.py').read_text(encoding='utf-8'), re.M))
        self.assertEqual(imported, {path.stem for path in folder.glob('test_*.py')})
