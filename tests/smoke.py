# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The tests that Odoo's own runner runs in each commit. pytest runs the others, and all of them in a full run or alone.

Under Odoo's runner, tests are found, loaded and set up differently, and a browser gets other files.
"""

from odoo.tests import BaseCase

TAG = 'ramp_smoke'


class SmokeTags:
    """Mixin of each test case. The first test of a class has the tag `ramp_smoke`, and with `is_smoke` all of them."""

    is_smoke = False

    def get_method_additional_tags(self, test_method):
        """EXTENDS"""
        tags = super().get_method_additional_tags(test_method)
        first = next((name for name in vars(type(self)) if name.startswith('test')), None)
        return [*tags, TAG] if self.is_smoke or test_method.__name__ == first else tags


class PlainCase(SmokeTags, BaseCase):
    """A test that needs no database."""
