"""A plugin of pytest for the unit lane beside the lane of Odoo's own runner: leaves to that one what it runs in each
commit.
"""


def pytest_collection_modifyitems(config, items):
    # imported late: the addon can be imported once pytest_odoo has found it
    from odoo.addons.ramp_connector.tests.smoke import TAG

    there = [item for item in items if item.cls and TAG in getattr(item.cls(item.name), 'test_tags', ())]
    config.hook.pytest_deselected(items=there)
    items[:] = [item for item in items if item not in set(there)]
