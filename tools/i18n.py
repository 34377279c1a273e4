"""Export the translation template i18n/ramp_connector.pot with Odoo, and bring the languages up to date with it.

./dev i18n            write them; a new term is without a translation
./dev i18n --check    exit 1 if the template is out of date, or a term of a language is missing or wrong
"""

import argparse
import ast
import os
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

import polib
from runtime import ADDON, CHECKOUT, OdooRuntime, print_progress, run_command, run_script

POT = CHECKOUT / 'i18n' / f'{ADDON}.pot'
LANGUAGES = ('de', 'es', 'fr')
# What a translation has to contain as often as its term: placeholders of Python and of the web client, and tags.
FIXED_PARTS = re.compile(r'%\(\w+\)[sdf]|%[sd]|\$\{[^}]*\}|\{\{[^}]*\}\}|</?[a-z][^<>]*>')
PLURAL_FORMS = {
    'de': 'nplurals=2; plural=(n != 1);',
    'es': 'nplurals=2; plural=(n != 1);',
    'fr': 'nplurals=2; plural=(n > 1);',
}
MARKS = ('_', '_lt')  # functions whose first argument is translated
LEFT_OUT = ('tests', 'tools', 'simulator')  # folders whose texts are not translated
SHOWN_FAULTS = 20
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


def find_code_terms():
    """Return the texts that the Python code of the addon marks for translation, as a set.

    Odoo's export also takes other strings that stand near a mark.
    """
    terms = set()
    for path in CHECKOUT.rglob('*.py'):
        if path.relative_to(CHECKOUT).parts[0] in LEFT_OUT:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Call) and getattr(node.func, 'attr', getattr(node.func, 'id', '')) in MARKS:
                terms |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    return terms


def is_term_of_code(occurrence):
    """Return whether a term of the export was found in Python code."""
    path, _line = occurrence
    return path.startswith('code:') and path.endswith('.py')


def normalize_term_catalogue(catalogue):
    """Return a catalogue as text, without what changes from one export to the next."""
    marked = find_code_terms()
    for entry in list(catalogue):
        if entry.msgid not in marked and all(map(is_term_of_code, entry.occurrences)):
            catalogue.remove(entry)
    catalogue.metadata = dict(HEADER)
    catalogue.header = (
        f'Translation of Odoo Server.\nThis file contains the translation of the following modules:\n\t* {ADDON}\n'
    )
    for entry in catalogue:
        # Without line numbers. Otherwise every change of a source file would change this file.
        entry.occurrences = [(path, '0') for path in sorted({path for path, _line in entry.occurrences})]
    catalogue.sort(key=lambda entry: (entry.msgid, entry.msgctxt or ''))
    return str(catalogue).rstrip() + '\n'


def merge_language_catalogue(template, language):
    """Return the catalogue of a language with the terms of the template and the translations that it has.

    :param template: `polib.POFile`
    :param language: code of a language
    """
    path = POT.parent / f'{language}.po'
    translations = {}
    if path.exists():
        translations = {(entry.msgid, entry.msgctxt): entry.msgstr for entry in polib.pofile(str(path))}
    catalogue = polib.pofile(str(template))
    for entry in catalogue:
        entry.msgstr = translations.get((entry.msgid, entry.msgctxt), '')
    catalogue.metadata = {**HEADER, 'Language': language, 'Plural-Forms': PLURAL_FORMS[language]}
    return catalogue


def find_translation_fault(entry):
    """Return what is wrong with the translation of a term, or None."""
    if not entry.msgstr.strip():
        return 'is not translated'
    wanted, found = (Counter(FIXED_PARTS.findall(text)) for text in (entry.msgid, entry.msgstr))
    if wanted != found:
        parts = sorted({*(wanted - found), *(found - wanted)})
        return f'has not the same placeholders and tags: {", ".join(parts)}'
    for text, side in ((entry.msgid[:1], 'begin'), (entry.msgid[-1:], 'end')):
        other = entry.msgstr[:1] if side == 'begin' else entry.msgstr[-1:]
        if text.isspace() != other.isspace():
            return f'does not {side} with the same space'
    return None


def list_translation_faults(catalogue, language):
    """Return a sentence for each term whose translation is missing or wrong."""
    return [
        f'i18n/{language}.po: "{entry.msgid[:100]}" {fault}'
        for entry in catalogue
        if (fault := find_translation_fault(entry))
    ]


def main():
    parser = argparse.ArgumentParser(prog='./dev i18n')
    parser.add_argument('--check', action='store_true', help='write nothing; exit 1 when something has to be done')
    options = parser.parse_args()
    wanted = export_addon_terms(OdooRuntime().prepare_machine())
    files, faults = {POT: wanted}, []
    for language in LANGUAGES:
        catalogue = merge_language_catalogue(polib.pofile(wanted), language)
        files[POT.parent / f'{language}.po'] = str(catalogue).rstrip() + '\n'
        faults += list_translation_faults(catalogue, language)
    POT.parent.mkdir(exist_ok=True)
    for path, text in files.items():
        if path.exists() and path.read_text(encoding='utf-8') == text:
            continue
        if options.check:
            faults.insert(0, f'{path.relative_to(CHECKOUT)} is out of date: run ./dev i18n and commit it')
        else:
            path.write_text(text, encoding='utf-8')
            print_progress(f'{path.relative_to(CHECKOUT)} written')
    for fault in faults[:SHOWN_FAULTS]:
        print(f'dev: {fault}', file=sys.stderr)
    if len(faults) > SHOWN_FAULTS:
        print(f'dev: and {len(faults) - SHOWN_FAULTS} more', file=sys.stderr)
    if not faults:
        print_progress(f'{len(polib.pofile(wanted))} terms are translated into {len(LANGUAGES)} languages')
    return 1 if faults else 0


if __name__ == '__main__':
    run_script(main)
