"""`./dev`: the developer commands. Standard library only; `runtime` prepares everything else."""

import argparse
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import package_addon
import runtime
from runtime import CHECKOUT, OdooRuntime, ToolError, print_progress

HELP = """\
./dev demo [--no-serve] [--json] [--port N]   card spend from a simulated Ramp into a real Odoo, then a browsable Odoo
./dev test                                    what a commit has to pass: style, translations, every test
./dev test NAME ... [ARGS]                    the tests of a file, a class, or with a word in their name
./dev test --only LANE [ARGS]                 one of lint, translations, plain, unit, odoo, system
./dev test --full                             everything, by new chances: every kill, all tests under both runners
./dev core-tests [--modules A,B] [--tags T] [--reuse]
                                              Odoo's own tests of what the addon changes, without it and with it, compared
./dev mutate [--sample N] [--seed N] [--paths P ...]
                                              does a test notice? lines of the addon are broken at random, and their tests run
./dev lint                                    ruff, its formatter, and pylint-odoo
./dev house                                   how easy the code is to read, in figures: file lengths, depth, names
./dev bench [--full]                          speed and query counts, beside Odoo's own ways on the same data
./dev screenshots [--width N ...] [--language L ...]
                                              the pictures of the README and of the store page; or every screen, and complaints
./dev package [--wheel] [--dirty] [--output FOLDER]
                                              a zip with the addon alone, and a wheel, into dist/
./dev i18n [--check]                          export the terms to translate, or tell whether they are up to date
./dev simulator [--port N] [--seed N] ...     a Ramp that runs offline
./dev shell DB                                Odoo's shell (or a script on standard input) on a database
./dev odoo DB -- ARGS                         Odoo with the addon on its path
./dev psql DB                                 PostgreSQL's shell on a database
./dev stop                                    stop the embedded PostgreSQL
A database that does not exist yet is made from a template in which the addon is installed."""


def run_tool_script(script, arguments):
    """Run one of the scripts beside this one with the prepared Python. Return its exit code."""
    ready = OdooRuntime().prepare_machine()
    command = [ready.python, CHECKOUT / 'tools' / script, *arguments]
    return subprocess.call(list(map(str, command)), env=ready.build_environ(), cwd=CHECKOUT)


def replace_process(command, environ):
    """Replace this process by the command, so that it gets the signals and the terminal, and sets the exit code."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvpe(str(command[0]), list(map(str, command)), environ)


def serve_simulator(arguments):
    """Replace this process by a Ramp that runs offline. It needs the Python environment only."""
    python = runtime.ensure_venv_python()
    return replace_process([python, '-m', 'simulator', *arguments], {**os.environ, 'PYTHONPATH': str(CHECKOUT)})


def _split_database_name(arguments, command):
    """Return (name of the database, the other arguments). Raise `ToolError` if there is no name."""
    if not arguments or arguments[0].startswith('-'):
        raise ToolError(f'name a database: ./dev {command} DB')
    return arguments[0], [argument for position, argument in enumerate(arguments[1:]) if position or argument != '--']


def open_odoo_shell(arguments):
    """Replace this process by Odoo's shell on a database, which is made if it is missing."""
    name, rest = _split_database_name(arguments, 'shell')
    ready = OdooRuntime().prepare_machine()
    ready.ensure_database(name)
    return replace_process(
        ready.build_odoo_command('shell', '-d', name, '--no-http', '--log-level=warn', *rest), ready.build_environ()
    )


def serve_odoo(arguments):
    """Replace this process by Odoo with the addon, on a database that is made if it is missing."""
    name, rest = _split_database_name(arguments, 'odoo')
    ready = OdooRuntime().prepare_machine()
    ready.ensure_database(name)
    return replace_process(ready.build_odoo_command('-d', name, *rest), ready.build_environ())


def open_database_shell(arguments):
    """Replace this process by PostgreSQL's shell on a database, which is made if it is missing."""
    name, rest = _split_database_name(arguments, 'psql')
    ready = OdooRuntime().prepare_machine()
    ready.ensure_database(name)
    return replace_process(ready.postgres.build_psql_command(name, *rest), ready.build_environ())


def stop_postgres(arguments):
    """Stop the embedded PostgreSQL server."""
    runtime.PostgresServer(runtime.ensure_venv_python()).stop_server()


# The commands that are scripts beside this one, which run with the prepared Python.
SCRIPTS = {
    'demo': 'demo.py',
    'test': 'run_tests.py',
    'core-tests': 'core_tests.py',
    'mutate': 'mutate.py',
    'lint': 'lint.py',
    'house': 'house.py',
    'bench': 'bench.py',
    'screenshots': 'screenshots.py',
    'i18n': 'i18n.py',
}
COMMANDS = {
    **{name: partial(run_tool_script, script) for name, script in SCRIPTS.items()},
    'package': package_addon.main,
    'simulator': serve_simulator,
    'shell': open_odoo_shell,
    'odoo': serve_odoo,
    'psql': open_database_shell,
    'stop': stop_postgres,
}


def main(argv):
    parser = argparse.ArgumentParser(prog='./dev', usage=HELP, add_help=False)
    parser.add_argument('command', nargs='?', default='help')
    options, rest = parser.parse_known_args(argv[:1])
    rest = argv[1:]
    if options.command in ('help', '-h', '--help') or options.command not in COMMANDS:
        print(HELP)
        return 0 if options.command in ('help', '-h', '--help') else 2
    try:
        return COMMANDS[options.command](rest) or 0
    except ToolError as reason:
        print(f'dev: {reason}.', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print_progress('stopped')
        return 130
    except OSError as error:
        if error.errno == 28:
            print('dev: the disk is full.', file=sys.stderr)
            return 1
        raise


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
