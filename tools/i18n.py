"""Export the translation template i18n/ramp_connector.pot with Odoo.

./dev i18n            write it
./dev i18n --check    exit 1 if it is out of date
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import polib
from runtime import ADDON, CHECKOUT, OdooRuntime, print_progress, run_command, run_script

POT = CHECKOUT / 'i18n' / f'{ADDON}.pot'
HEADER = {
    'Project-Id-Version': 'Odoo Server 19.0',
    'Report-Msgid-Bugs-To': '',
    'Last-Translator': '',
    'Language-Team': '',
    'MIME-Version': '1.0',
    'Content-Type': 'text/plain; charset=UTF-8',
    'Content-Transfer-Encoding': '',
    'Plural-Forms': '',
}


def export_addon_terms(runtime):
    """Return the .pot text of the addon in the checkout, without dates and in a fixed order."""
    name = f'ramp_i18n_{os.getpid()}'
    runtime.ensure_database(name, fresh=True)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            target = Path(scratch) / f'{ADDON}.pot'
            run_command(
                [
                    runtime.python,
                    '-m',
                    'odoo',
                    'i18n',
                    'export',
                    '-c',
                    runtime.config,
                    '-d',
                    name,
                    '-l',
                    'pot',
                    '-o',
                    target,
                    ADDON,
                ],
                what='Odoo did not export the terms',
                env=runtime.build_environ(),
                cwd=CHECKOUT,
            )
            return normalize_term_catalogue(polib.pofile(str(target)))
    finally:
        runtime.drop_database(name)


def normalize_term_catalogue(catalogue):
    """Return a catalogue as text, without what changes from one export to the next."""
    catalogue.metadata = dict(HEADER)
    catalogue.header = (
        f'Translation of Odoo Server.\nThis file contains the translation of the following modules:\n\t* {ADDON}\n'
    )
    for entry in catalogue:
        # Without line numbers. Otherwise every change of a source file would change this file.
        entry.occurrences = [(path, '0') for path in sorted({path for path, _line in entry.occurrences})]
    catalogue.sort(key=lambda entry: (entry.msgid, entry.msgctxt or ''))
    return str(catalogue).rstrip() + '\n'


def main():
    parser = argparse.ArgumentParser(prog='./dev i18n')
    parser.add_argument('--check', action='store_true', help='write nothing; exit 1 when the file is out of date')
    options = parser.parse_args()
    wanted = export_addon_terms(OdooRuntime().prepare_machine())
    current = POT.read_text(encoding='utf-8') if POT.exists() else ''
    if wanted == current:
        print_progress(f'{POT.relative_to(CHECKOUT)} is up to date')
        return 0
    if options.check:
        missing = (
            {entry.msgid for entry in polib.pofile(wanted)} - {entry.msgid for entry in polib.pofile(current)}
            if current
            else set()
        )
        print(
            f'dev: {POT.relative_to(CHECKOUT)} is out of '
            f'date{"".join(f"{chr(10)}  + {text[:100]}" for text in sorted(missing)[:10])}\n'
            'run ./dev i18n and commit it.',
            file=sys.stderr,
        )
        return 1
    POT.parent.mkdir(exist_ok=True)
    POT.write_text(wanted, encoding='utf-8')
    print_progress(f'{POT.relative_to(CHECKOUT)} written')
    return 0


if __name__ == '__main__':
    run_script(main)
