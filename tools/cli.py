"""`./dev`: the developer commands. Standard library only; `runtime` prepares everything else."""

import argparse
import os
import subprocess
import sys
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
./dev screenshots                             the pictures of the README and of the store page
./dev package [--wheel] [--dirty] [--output FOLDER]
                                              a zip with the addon alone, and a wheel, into dist/
./dev i18n [--check]                          export the terms to translate, or tell whether they are up to date
./dev simulator [--port N] [--seed N] ...     a Ramp that runs offline
./dev shell DB                                Odoo's shell (or a script on standard input) on a database
./dev odoo DB -- ARGS                         Odoo with the addon on its path
./dev psql DB                                 PostgreSQL's shell on a database
./dev stop                                    stop the embedded PostgreSQL
A database that does not exist yet is made from a template in which the addon is installed."""


def run_tool(ready, script, *arguments, **kwargs):
    """Run one of the scripts beside this one with the prepared Python. Return its exit code."""
    command = [ready.python, CHECKOUT / 'tools' / script, *arguments]
    return subprocess.call(list(map(str, command)), env=ready.build_environ(), cwd=CHECKOUT, **kwargs)


def replace_process(command, environ):
    """Replace this process by the command, so that it gets the signals and the terminal, and sets the exit code."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvpe(str(command[0]), list(map(str, command)), environ)


def demo(arguments):
    return run_tool(OdooRuntime().prepare_machine(), 'demo.py', *arguments)


def test(arguments):
    return run_tool(OdooRuntime().prepare_machine(), 'run_tests.py', *arguments)


def core_tests(arguments):
    return run_tool(OdooRuntime().prepare_machine(), 'core_tests.py', *arguments)


def bench(arguments):
    return run_tool(OdooRuntime().prepare_machine(), 'bench.py', *arguments)


def mutate(arguments):
    return run_tool(OdooRuntime().prepare_machine(), 'mutate.py', *arguments)


def lint(arguments):
    return run_tool(OdooRuntime().prepare_machine(), 'lint.py', *arguments)


def house(arguments):
    return run_tool(OdooRuntime().prepare_machine(), 'house.py', *arguments)


def screenshots(arguments):
    return run_tool(OdooRuntime().prepare_machine(), 'screenshots.py', *arguments)


def package(arguments):
    return package_addon.main(arguments)


def i18n(arguments):
    return run_tool(OdooRuntime().prepare_machine(), 'i18n.py', *arguments)


def simulator(arguments):
    python = runtime.ensure_venv_python()
    return replace_process([python, '-m', 'simulator', *arguments], {**os.environ, 'PYTHONPATH': str(CHECKOUT)})


def _split_database(arguments, command):
    if not arguments or arguments[0].startswith('-'):
        raise ToolError(f'name a database: ./dev {command} DB')
    return arguments[0], [argument for position, argument in enumerate(arguments[1:]) if position or argument != '--']


def shell(arguments):
    name, rest = _split_database(arguments, 'shell')
    ready = OdooRuntime().prepare_machine()
    ready.ensure_database(name)
    return replace_process(
        ready.build_odoo_command('shell', '-d', name, '--no-http', '--log-level=warn', *rest), ready.build_environ()
    )


def odoo(arguments):
    name, rest = _split_database(arguments, 'odoo')
    ready = OdooRuntime().prepare_machine()
    ready.ensure_database(name)
    return replace_process(ready.build_odoo_command('-d', name, *rest), ready.build_environ())


def psql(arguments):
    name, rest = _split_database(arguments, 'psql')
    ready = OdooRuntime().prepare_machine()
    ready.ensure_database(name)
    return replace_process(ready.postgres.build_psql_command(name, *rest), ready.build_environ())


def stop(arguments):
    runtime.PostgresServer(runtime.ensure_venv_python()).stop_server()


COMMANDS = {
    function.__name__.replace('_', '-'): function
    for function in (
        demo,
        test,
        core_tests,
        mutate,
        lint,
        house,
        bench,
        screenshots,
        package,
        i18n,
        simulator,
        shell,
        odoo,
        psql,
        stop,
    )
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
