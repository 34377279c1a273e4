"""Run Odoo with the `at_install` tests repeated at the end, when every module is loaded; see `core_tests.py`.

It takes the arguments of Odoo. During an upgrade these tests see only the modules loaded so far, so no module that
builds on theirs.
"""

import sys

sys.path.pop(0)  # this script's folder; its modules are not Odoo's

import odoo.cli
import odoo.service.server


def start_odoo_server(*args, _start=odoo.service.server.start, **kwargs):
    """Start Odoo. From here on the addons path is set, so the test framework can be imported."""
    from odoo.tests import loader
    from odoo.tests.suite import OdooSuite

    def make_repeated_suite(modules, position='at_install', _make_suite=loader.make_suite):
        suite = list(_make_suite(modules, position))
        if position == 'post_install':
            known = {test.id() for test in suite}
            suite += [test for test in _make_suite(modules, 'at_install') if test.id() not in known]
        return OdooSuite(sorted(suite, key=lambda test: getattr(test, 'test_sequence', 0)))

    loader.make_suite = make_repeated_suite
    return _start(*args, **kwargs)


if __name__ == '__main__':
    odoo.service.server.start = start_odoo_server
    odoo.cli.main()
