"""Make the company of the tests, and what a browser loads, in a database and commit it: they then find it there.

Scripts and style sheets that a test makes are rolled back with it: each tour would make them anew, for some ten
seconds.

    PYTHON tools/test_company.py DATABASE

Run with the environment that `runtime.Runtime.environ` gives. A database that has the company already stays as it is.
"""

import argparse
import importlib

from odoo_env import environment
from runtime import ADDON, script


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('database')
    with environment(parser.parse_args().database) as env:
        company = importlib.import_module(f'odoo.addons.{ADDON}.tests.company').company_of(env)
        env['ir.qweb']._pregenerate_assets_bundles()
        env.cr.commit()
        print(company.name)
    return 0


if __name__ == '__main__':
    script(main)
