"""Run ruff, its formatter, and pylint with the Odoo community's plugin. Every finding is an error."""

import subprocess
import sys

from runtime import CHECKOUT, OdooRuntime

ROOMS = (
    '__init__.py',
    '__manifest__.py',
    'hooks.py',
    'models',
    'flows',
    'ramp_api',
    'controllers',
    'wizard',
    'report',
    'simulator',
    'tests',
    'tools',
    'migrations',
)


def main():
    runtime = OdooRuntime().prepare_machine()
    rooms = [
        room
        for room in ROOMS
        if (CHECKOUT / room).exists() and ((CHECKOUT / room).is_file() or any((CHECKOUT / room).rglob('*.py')))
    ]
    ruff = [
        subprocess.call(
            [str(runtime.python.parent / 'ruff'), *command, '--no-cache', *rooms],
            cwd=CHECKOUT,
            env=runtime.build_environ(),
        )
        for command in (['check'], ['format', '--check', '--quiet'])
    ]
    link = runtime.addons / 'ramp_connector'
    pylint = subprocess.call(
        [str(runtime.python), '-m', 'pylint', '--rcfile', str(CHECKOUT / '.pylintrc'), str(link)],
        cwd=link,
        env=runtime.build_environ(),
    )
    print('lint: ' + ('clean' if not any(ruff) and not pylint else 'FAILED'))
    return 1 if any(ruff) or pylint else 0


if __name__ == '__main__':
    sys.exit(main())
