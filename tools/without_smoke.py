"""A pytest plugin for the unit lane: it leaves out the tests that the lane of Odoo's runner has in each commit."""


def pytest_collection_modifyitems(config, items):
    # Import late: the addon can be imported once pytest_odoo has found it.
    from odoo.addons.ramp_connector.tests.smoke import TAG

    there = [item for item in items if item.cls and TAG in getattr(item.cls(item.name), 'test_tags', ())]
    config.hook.pytest_deselected(items=there)
    items[:] = [item for item in items if item not in set(there)]
