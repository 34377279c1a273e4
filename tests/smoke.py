# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""What Odoo's own runner runs in each commit. pytest runs the rest, and everything in a full run or when it runs alone.

What differs under Odoo's runner is how tests are found, loaded and set up, and what a browser is served.
"""

from odoo.tests import BaseCase

TAG = 'ramp_smoke'


class SmokeTags:
    """Mixin of each test case here: the first test of a class has the tag `ramp_smoke`; all of them, where `is_smoke`
    says so.
    """

    is_smoke = False

    def get_method_additional_tags(self, test_method):
        """EXTENDS"""
        tags = super().get_method_additional_tags(test_method)
        first = next((name for name in vars(type(self)) if name.startswith('test')), None)
        return [*tags, TAG] if self.is_smoke or test_method.__name__ == first else tags


class PlainCase(SmokeTags, BaseCase):
    """A test that needs no database."""
