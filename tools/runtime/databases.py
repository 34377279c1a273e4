"""Create, copy and drop databases with their filestores."""

import os
import re
import shutil

from .cache import CHECKOUT, cache_dir, locked, need_space
from .commands import Fail, run, say

DATABASE_NAME = re.compile(r'^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$')


class Databases:
    """The databases of a runtime.

    The runtime must set `postgres` (the server) and `data_dir` (Odoo's file folder), and have `environ()` and
    `template()`.
    """

    def filestore(self, database):
        return self.data_dir / 'filestore' / database

    def drop(self, database):
        # As superuser: autovacuum may be working in it, and only a superuser can end that.
        self.postgres.sql(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)', user='postgres')
        shutil.rmtree(self.filestore(database), ignore_errors=True)

    def clone(self, source, target):
        need_space(1, self.data_dir)
        self.postgres.sql(f'CREATE DATABASE "{target}" TEMPLATE "{source}"')
        shutil.rmtree(self.filestore(target), ignore_errors=True)
        if self.filestore(source).exists():
            shutil.copytree(self.filestore(source), self.filestore(target), copy_function=_link_or_copy)

    def _build_whole(self, name, what, build, state=''):
        """Build a database under another name and rename it at the end, so an interrupted build leaves no half.

        :param state: text of what it is made from, stored as its comment; a database with another state is built anew
        """
        if name in self.postgres.databases() and self.postgres.comment(name) == state:
            return name
        say(what)
        partial = f'{name}_partial'
        self.drop(partial)
        build(partial)
        # Odoo's processes may stay connected for a moment after they have ended.
        self.postgres.sql(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{partial}'", user='postgres'
        )
        with locked('clone'):
            self.drop(name)
            self.postgres.sql(f'ALTER DATABASE "{partial}" RENAME TO "{name}"')
            quoted = state.replace("'", "''")
            self.postgres.sql(f'COMMENT ON DATABASE "{name}" IS \'{quoted}\'')
        if self.filestore(partial).exists():
            self.filestore(partial).rename(self.filestore(name))
        return name

    def _run_logged(self, name, command, what):
        run(command, what=what, env=self.environ(), log=cache_dir() / f'{name}.log', cwd=CHECKOUT)

    def database(self, name, *, fresh=False, source=None):
        """Make sure that the database exists. A new one is cloned from the template, or from `source`."""
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


def _link_or_copy(source, target):
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
