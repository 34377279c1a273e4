"""The source tree of Odoo: found on the machine, taken from Debian's packages, or cloned."""

import os
import re
import shutil
from pathlib import Path

from .apt_download import make_apt_folder, unpack_packages, update_package_lists
from .cache import get_cache_dir, hold_build_lock, require_disk_space
from .commands import ToolError, print_progress, run_command

SERIES = '19.0'
ODOO_GIT = 'https://github.com/odoo/odoo.git'
INSTALLED_IN = ('/usr/lib/python3/dist-packages', '/opt/odoo', '/usr/local/lib/python3/dist-packages')
PACKAGED_IN = 'usr/lib/python3/dist-packages'  # in Debian's package
# The Debian package's fonts and JavaScript libraries are symbolic links into packages of their own.
DEBIAN_PACKAGES = (
    'odoo-19',
    'fonts-font-awesome',
    'libjs-jquery',
    'libjs-underscore',
    'libjs-jquery-form',
    'fonts-roboto-unhinted',
    'fonts-inconsolata',
    'fonts-ocr-b',
    'fonts-montserrat',
)
# Debian leaves this file out. The web client prints an error in the console without it.
MISSING_IN_DEBIAN = 'odoo/addons/mail/static/lib/selfie_segmentation/selfie_segmentation.js'


def find_odoo_home():
    """Return the folder to put on PYTHONPATH for `import odoo`, series 19.0.

    It tries `ODOO_HOME`, an Odoo of the system's Python, the cache, Debian's package and a clone of the branch, in this
    order.
    """
    given = os.environ.get('ODOO_HOME')
    if given:
        if _read_odoo_series(Path(given)) != SERIES:
            raise ToolError(f'ODOO_HOME={given} is not a source tree of Odoo {SERIES}')
        return Path(given).resolve()
    for path in INSTALLED_IN:
        if _read_odoo_series(Path(path)) == SERIES:
            return Path(path)
    with hold_build_lock('odoo'):
        cached = get_cache_dir() / f'odoo-{SERIES}'
        for tree in (cached / PACKAGED_IN, cached):
            if _read_odoo_series(tree) == SERIES:
                return tree
        return _fetch_odoo_source(cached)


def _read_odoo_series(path):
    release = path / 'odoo' / 'release.py'
    try:
        found = re.search(r'^version_info\s*=\s*\((\d+),\s*(\d+)', release.read_text(encoding='utf-8'), re.M)
    except OSError:
        return None
    return found and '.'.join(found.groups())


def _fetch_odoo_source(target):
    require_disk_space(4, get_cache_dir())
    reasons = []
    for fetch in (_fetch_debian_packages, _clone_git_branch):
        try:
            return fetch(target)
        except ToolError as reason:
            reasons.append(str(reason))
    raise ToolError(
        f'Odoo {SERIES} could not be fetched ({"; ".join(reasons)}); '
        'check the network, or set ODOO_HOME to a source tree of it'
    )


# -- from Debian


def _fetch_debian_packages(target):
    with make_apt_folder('parts', 'debs', 'tree') as apt:
        apt.chmod(0o755)
        (apt / 'parts/sid.sources').write_text(_format_sid_sources(), encoding='utf-8')
        print_progress(f"fetching Odoo {SERIES} from Debian's packages (about 130 MB)")
        environ = update_package_lists(
            apt,
            settings=f'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "{apt}/parts";\n',
            what="Debian's package list was not reached",
        )
        for package in DEBIAN_PACKAGES:
            run_command(
                ['apt-get', 'download', package],
                what=f"Debian's package {package} was not fetched",
                env=environ,
                cwd=apt / 'debs',
            )
        print_progress('unpacking Odoo (about 1 GB)')
        tree = apt / 'tree'
        unpack_packages((apt / 'debs').glob('*.deb'), tree)
        home = tree / PACKAGED_IN
        if _read_odoo_series(home) != SERIES:
            raise ToolError(f"Debian's package is not of series {SERIES}")
        filler = home / MISSING_IN_DEBIAN
        if not filler.exists():
            filler.parent.mkdir(parents=True, exist_ok=True)
            filler.write_text('', encoding='utf-8')
        shutil.rmtree(target, ignore_errors=True)
        tree.rename(target)
    return target / PACKAGED_IN


def _format_sid_sources():
    """Return the machine's Debian sources with the suite `sid`, which has `odoo-19`."""
    for uri, suites, signed_by in _list_package_sources():
        if 'security' not in suites and re.search(r'debian/?$', uri):
            lines = ['Types: deb', f'URIs: {uri}', 'Suites: sid', 'Components: main']
            return '\n'.join(lines + ([f'Signed-By: {signed_by}'] if signed_by else [])) + '\n'
    raise ToolError('this machine has no Debian package source')


def _list_package_sources():
    """Yield (address, suites, key or None) per "main" package source, in both of apt's formats."""
    for path in [Path('/etc/apt/sources.list'), *sorted(Path('/etc/apt/sources.list.d').glob('*'))]:
        if not path.is_file() or path.suffix not in ('.list', '.sources'):
            continue
        text = path.read_text(encoding='utf-8', errors='replace')
        yield from _parse_stanza_sources(text) if path.suffix == '.sources' else _parse_line_sources(text)


def _parse_stanza_sources(text):
    for stanza in re.split(r'\n\s*\n', text):
        fields = dict(re.findall(r'^(\w[\w-]*):[ \t]*(.*)$', stanza, re.M))
        if 'deb' in fields.get('Types', '').split() and 'main' in fields.get('Components', '').split():
            for uri in fields.get('URIs', '').split()[:1]:
                yield uri, fields.get('Suites', ''), fields.get('Signed-By')


def _parse_line_sources(text):
    for options, uri, suite, components in re.findall(r'^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.*)$', text, re.M):
        if 'main' in components.split():
            signed = re.search(r'signed-by=(\S+)', options)
            yield uri, suite, signed and signed.group(1)


# -- from its repository


def _clone_git_branch(target):
    if not shutil.which('git'):
        raise ToolError('git is not available')
    print_progress(f'cloning Odoo {SERIES} (this takes some minutes)')
    partial = target.with_name(target.name + '.partial')
    shutil.rmtree(partial, ignore_errors=True)
    run_command(
        ['git', 'clone', '--quiet', '--depth=1', f'--branch={SERIES}', ODOO_GIT, partial],
        what='the clone of Odoo failed',
        env={**os.environ, 'GIT_TERMINAL_PROMPT': '0'},
    )
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    return target
