"""Make the tests' company and the browser assets in a database, and commit them, so that tests find them there.

Assets that a test makes are rolled back with it. Each tour would make them again, for some ten seconds.

    PYTHON tools/test_company.py DATABASE

Run it with the environment of `runtime.OdooRuntime.build_environ`. A database that has the company already is not
changed.
"""

import argparse
import importlib

from odoo_env import open_environment
from runtime import ADDON, run_script


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('database')
    with open_environment(parser.parse_args().database) as env:
        company = importlib.import_module(f'odoo.addons.{ADDON}.tests.company').company_of(env)
        env['ir.qweb']._pregenerate_assets_bundles()
        env.cr.commit()
        print(company.name)
    return 0


if __name__ == '__main__':
    run_script(main)
