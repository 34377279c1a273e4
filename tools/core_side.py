"""Odoo, whose tests marked `at_install` are run a second time, when every module is loaded; see `core_tests.py`.

Takes the arguments of Odoo. In the course of an upgrade these tests see the modules loaded so far, so none that builds
on theirs.
"""

import sys

sys.path.pop(0)  # the folder of this script: its modules are none of Odoo's

import odoo.cli
import odoo.service.server


def start(*args, _start=odoo.service.server.start, **kwargs):
    """Odoo's own start; the test framework may be imported from here on, when the addons path is known."""
    from odoo.tests import loader
    from odoo.tests.suite import OdooSuite

    def make_suite(modules, position='at_install', _make_suite=loader.make_suite):
        suite = list(_make_suite(modules, position))
        if position == 'post_install':
            known = {test.id() for test in suite}
            suite += [test for test in _make_suite(modules, 'at_install') if test.id() not in known]
        return OdooSuite(sorted(suite, key=lambda test: getattr(test, 'test_sequence', 0)))

    loader.make_suite = make_suite
    return _start(*args, **kwargs)


if __name__ == '__main__':
    odoo.service.server.start = start
    odoo.cli.main()
