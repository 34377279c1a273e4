"""What the package of the addon holds, and whether it can stand alone.

Standard library only, and nothing of `runtime`: the test of the package loads this file by its path.
"""

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

ADDON = 'ramp_connector'
# What runs, and what a user reads. A folder counts with all that is in it.
PACKAGED = (
    '__init__.py',
    '__manifest__.py',
    'hooks.py',
    'controllers',
    'data',
    'flows',
    'i18n',
    'migrations',
    'models',
    'ramp_api',
    'report',
    'security',
    'static',
    'views',
    'wizard',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'LICENSE',
    'README.md',
    'SECURITY.md',
    'deploy',
    'docs',
)
# What developers need. `tests` is here because the tests drive the simulator: with one comes the other. `static/tests`
# stays in the package, because the manifest names it and Odoo warns about a name that finds no file.
LEFT_OUT = (
    '.ci',
    '.git-blame-ignore-revs',
    '.gitignore',
    '.pylintrc',
    'dev',
    'ruff.toml',
    'simulator',
    'tests',
    'tools',
)
# Modules that come with Odoo: (name of the import, name among Odoo's requirements)
OF_ODOO = {
    'dateutil': 'python-dateutil',
    'lxml': 'lxml',
    'markupsafe': 'MarkupSafe',
    'psycopg2': 'psycopg2-binary',
    'pytz': 'pytz',
    'urllib3': 'urllib3',
    'werkzeug': 'Werkzeug',
    'xlsxwriter': 'XlsxWriter',
}
LINK = re.compile(r'\]\(([^)\s#]+)[^)\s]*\)')
OUTSIDE = ('http://', 'https://', 'mailto:')
FIRST_YEAR = 1980  # of a zip


def list_tracked_files(checkout):
    """Return the paths of the files that git has in a checkout, sorted, relative to it.

    :raise subprocess.CalledProcessError: if it is no checkout
    :raise FileNotFoundError: if there is no git
    """
    listed = subprocess.run(['git', 'ls-files', '-z'], cwd=checkout, capture_output=True, text=True, check=True)
    return sorted(filter(None, listed.stdout.split('\0')))


def list_changed_files(checkout):
    """Return the paths that differ from the last commit, and those that git does not know and does not ignore."""
    listed = subprocess.run(['git', 'status', '--porcelain'], cwd=checkout, capture_output=True, text=True, check=True)
    return [line[3:] for line in listed.stdout.splitlines()]


def choose_files(tracked):
    """Return those of the paths that belong to the package."""
    return [path for path in tracked if PurePosixPath(path).parts[0] in PACKAGED]


def find_undecided_files(tracked):
    """Return those of the paths that are named neither in PACKAGED nor in LEFT_OUT."""
    return [path for path in tracked if PurePosixPath(path).parts[0] not in (*PACKAGED, *LEFT_OUT)]


def read_manifest(checkout):
    return ast.literal_eval((Path(checkout) / '__manifest__.py').read_text(encoding='utf-8'))


# -- what the files ask for


def find_foreign_imports(sources, depends=()):
    """Return sentences about imports that neither the package nor Odoo has.

    :param sources: {path: text} of the Python files of the package
    :param depends: names of the addons that the manifest depends on
    """
    found = []
    for path, text in sorted(sources.items()):
        for line, name in sorted(list_imports(path, text)):
            if not _is_available(name, sources, depends):
                found.append(f'{path}, line {line}: {name} is not in the package')
    return found


def list_imports(path, text):
    """Yield (line, full name) of each import in a file; names of the addon begin with `odoo.addons.ramp_connector`.

    An import whose name is computed is yielded as `(a name that is computed)`.
    """
    package = ['odoo', 'addons', ADDON, *PurePosixPath(path).parts[:-1]]
    for node in ast.walk(ast.parse(text, path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = '.'.join([*base, *filter(None, [node.module])])
            for alias in node.names:
                yield node.lineno, f'{base}.{alias.name}'
        elif isinstance(node, ast.Call):
            called = getattr(node.func, 'id', None) or getattr(node.func, 'attr', None)
            if called in ('__import__', 'import_module'):
                yield node.lineno, '(a name that is computed)'


def _is_available(name, sources, depends):
    parts = name.split('.')
    if parts[:3] == ['odoo', 'addons', ADDON]:
        return _is_inside(parts[3:], sources)
    if parts[:2] == ['odoo', 'addons']:
        # Every Odoo with a screen has `web`, and all addons of this one's dependencies depend on it
        return len(parts) > 2 and parts[2] in ('base', 'web', *depends)
    return parts[0] in ('odoo', 'requests', *OF_ODOO) or parts[0] in sys.stdlib_module_names


def _is_inside(parts, sources):
    """Whether a module of the package, or a name in one, is among the sources. `parts`: its path below the addon."""
    if not parts or _is_module(parts, sources):
        return True
    *module, name = parts
    if f'{"/".join(module)}.py' in sources:
        return True  # a name in a module
    package = '/'.join([*module, '__init__.py'])
    return package in sources and name in _list_names(sources[package])


def _is_module(parts, sources):
    path = '/'.join(parts)
    return f'{path}.py' in sources or f'{path}/__init__.py' in sources


def _list_names(text):
    """Return the names that a module defines or imports at its top."""
    names = set()
    for node in ast.parse(text).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def find_dead_links(documents, files):
    """Return sentences about links of documents to files that the package lacks.

    :param documents: {path: text} of the package's documents
    :param files: the paths of the package
    """
    there = {*files, *(str(parent) for path in files for parent in PurePosixPath(path).parents)}
    found = []
    for path, text in sorted(documents.items()):
        for link in LINK.findall(text):
            if not link.startswith(OUTSIDE) and _resolve(path, link) not in there:
                found.append(f'{path}: {link} is not in the package')
    return found


def _resolve(path, link):
    parts = []
    for part in (*PurePosixPath(path).parent.parts, *PurePosixPath(link).parts):
        if part == '..':
            if not parts:
                return None
            parts.pop()
        else:
            parts.append(part)
    return '/'.join(parts)


# -- the zip


def write_zip(target, checkout, files, moment):
    """Write the package. Same files and same moment, same bytes, on any machine.

    So the files are stored and not compressed: what a compressor writes depends on its version.

    :param moment: (year, month, day, hour, minute, second) of all files, in UTC
    """
    moment = max(tuple(moment), (FIRST_YEAR, 1, 1, 0, 0, 0))
    with zipfile.ZipFile(target, 'w', zipfile.ZIP_STORED) as package:
        for path in sorted(files):
            entry = zipfile.ZipInfo(f'{ADDON}/{path}', moment)
            entry.create_system = 3  # Unix: a machine of another kind writes the same
            entry.external_attr = 0o100644 << 16
            package.writestr(entry, (Path(checkout) / path).read_bytes())
