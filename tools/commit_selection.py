"""A pytest plugin for the unit lane of a commit: it leaves out the tests that the lane of Odoo's runner has, and the slow
tests whose turn it is not.
"""


def pytest_collection_modifyitems(config, items):
    # Import late: the addon can be imported once pytest_odoo has found it.
    from odoo.addons.ramp_connector.tests.properties import is_its_turn
    from odoo.addons.ramp_connector.tests.smoke import TAG

    def is_left_out(item):
        if item.cls and TAG in getattr(item.cls(item.name), 'test_tags', ()):
            return True
        return getattr(item.obj, 'is_in_turn', False) and not is_its_turn(f'{item.cls.__name__}.{item.name}')

    left_out = [item for item in items if is_left_out(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]
