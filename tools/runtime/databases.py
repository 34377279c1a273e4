"""Create, copy and drop databases with their filestores."""

import os
import re
import shutil

from .cache import CHECKOUT, get_cache_dir, hold_build_lock, require_disk_space
from .commands import ToolError, print_progress, run_command

DATABASE_NAME = re.compile(r'^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$')


class RuntimeDatabases:
    """The databases of a runtime.

    The runtime must set `postgres` (the server) and `data_dir` (Odoo's file folder), and have `build_environ()`
    and `ensure_addon_template()`.
    """

    def get_filestore_path(self, database):
        """Return the folder in which Odoo keeps the files of a database."""
        return self.data_dir / 'filestore' / database

    def drop_database(self, database):
        """Drop a database and its files, if they exist."""
        # As superuser: autovacuum may be working in it, and only a superuser can end that.
        self.postgres.run_sql(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)', user='postgres')
        shutil.rmtree(self.get_filestore_path(database), ignore_errors=True)

    def clone_database(self, source, target):
        """Copy a database with its files. Raise `ToolError` if the disk is too full."""
        require_disk_space(1, self.data_dir)
        self.postgres.run_sql(f'CREATE DATABASE "{target}" TEMPLATE "{source}"')
        shutil.rmtree(self.get_filestore_path(target), ignore_errors=True)
        if self.get_filestore_path(source).exists():
            shutil.copytree(
                self.get_filestore_path(source), self.get_filestore_path(target), copy_function=_link_or_copy_file
            )

    def _build_whole_database(self, name, what, build, state=''):
        """Build a database under another name and rename it at the end, so an interrupted build leaves no half.

        :param state: text of what it is made from, stored as its comment; a database with another state is built anew
        """
        if name in self.postgres.list_databases() and self.postgres.read_database_comment(name) == state:
            return name
        print_progress(what)
        partial = f'{name}_partial'
        self.drop_database(partial)
        build(partial)
        # Odoo's processes may stay connected for a moment after they have ended.
        self.postgres.run_sql(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{partial}'", user='postgres'
        )
        with hold_build_lock('clone'):
            self.drop_database(name)
            self.postgres.run_sql(f'ALTER DATABASE "{partial}" RENAME TO "{name}"')
            quoted = state.replace("'", "''")
            self.postgres.run_sql(f'COMMENT ON DATABASE "{name}" IS \'{quoted}\'')
        if self.get_filestore_path(partial).exists():
            self.get_filestore_path(partial).rename(self.get_filestore_path(name))
        return name

    def _run_logged_command(self, name, command, what):
        run_command(command, what=what, env=self.build_environ(), log=get_cache_dir() / f'{name}.log', cwd=CHECKOUT)

    def ensure_database(self, name, *, fresh=False, source=None):
        """Make sure that a database exists, and return its name. Raise `ToolError` if that cannot be a name.

        :param fresh: make it anew, even if it exists
        :param source: the database that a new one is cloned from; None: the template with the addon
        """
        if not DATABASE_NAME.match(name) or name.startswith('template') or name == 'postgres':
            raise ToolError(f'{name!r} cannot be the name of a database: use letters, digits, "_", "-" and "."')
        if fresh:
            self.drop_database(name)
        if name not in self.postgres.list_databases():
            template = source or self.ensure_addon_template()
            with hold_build_lock('clone'):
                if name not in self.postgres.list_databases():
                    self.clone_database(template, name)
        return name


def _link_or_copy_file(source, target):
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
