"""A pytest plugin for the tests that need no database: it does what `pytest_odoo` does, without a registry."""

import os

from pytest_odoo import disable_odoo_test_retry, monkey_patch_resolve_pkg_root_and_module_name, support_subtest

import odoo.tests
import odoo.tools


def pytest_configure(config):
    odoo.tools.config.parse_config(['-c', os.environ['ODOO_RC'], '--log-level=critical'])
    support_subtest()
    disable_odoo_test_retry()
    monkey_patch_resolve_pkg_root_and_module_name()
