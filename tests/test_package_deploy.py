# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The files for servers say what Odoo, the connector and their own texts say."""

import configparser
import re
from pathlib import Path

import yaml

from odoo.tests import tagged
from odoo.tools import config

from .smoke import PlainCase

HOUSE = Path(__file__).resolve().parent.parent


@tagged('post_install', '-at_install', 'ramp')
class TestDeploy(PlainCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.services = yaml.safe_load((HOUSE / 'deploy/compose.yaml').read_text(encoding='utf-8'))
        reader = configparser.ConfigParser(interpolation=None)
        reader.read_string((HOUSE / 'deploy/odoo.conf').read_text(encoding='utf-8'))
        cls.options = dict(reader['options'])

    def test_settings_are_those_of_odoo(self):
        self.assertEqual(set(self.options) - set(config.options_index), set())
        guide = (HOUSE / 'docs/install.md').read_text(encoding='utf-8').split('\n## A server\n')[1].split('\n## ')[0]
        for row in guide.splitlines():
            for name in re.findall(r'`(\w+)`', row.split('|')[1]) if row.startswith('| `') else ():
                self.assertTrue(name in config.options_index or name.startswith('ramp_client_'), name)
        modules = self.options['server_wide_modules'].split(',')
        self.assertEqual(modules, [*config.options_index['server_wide_modules'].my_default, 'ramp_connector'])

    def test_containers(self):
        services = self.services['services']
        self.assertEqual(
            {name: of['image'] for name, of in services.items()}, {'database': 'postgres:16', 'odoo': 'odoo:19'}
        )
        self.assertTrue(all(of['healthcheck']['test'] for of in services.values()))
        volumes = dict(volume.split(':')[:2] for of in services.values() for volume in of['volumes'])
        self.assertEqual(set(self.services['volumes']), {name for name in volumes if not name.startswith('.')})
        self.assertEqual(volumes['./addons'], self.options['addons_path'])
        self.assertEqual(volumes['files'], self.options['data_dir'])
        self.assertTrue(all(port.startswith('127.0.0.1:') for port in services['odoo']['ports']))

    def test_secrets(self):
        """The credentials have the names that the connector reads, and no file has a value."""
        environ = self.services['services']['odoo']['environment']
        code = (HOUSE / 'models/ramp_connection_api.py').read_text(encoding='utf-8')
        [database] = re.findall(r'^\^(\w+)\$$', self.options['dbfilter'])
        names = {name for name in environ if name.startswith('RAMP_')}
        self.assertEqual(names, {f'RAMP_CLIENT_ID_{database}_1', f'RAMP_CLIENT_SECRET_{database}_1'})
        self.assertIn(
            "f'{name}_{self.env.cr.dbname}_{self._origin.id}' for name in ('RAMP_CLIENT_ID', 'RAMP_CLIENT_SECRET')",
            code,
        )
        example = (HOUSE / 'deploy/example.env').read_text(encoding='utf-8')
        values = dict(line.split('=', 1) for line in example.splitlines() if line and not line.startswith('#'))
        asked = re.findall(r'\$\{(\w+)', (HOUSE / 'deploy/compose.yaml').read_text(encoding='utf-8'))
        self.assertEqual((set(values), set(values.values())), (set(asked), {''}))
        self.assertNotIn('admin_passwd', self.options)
