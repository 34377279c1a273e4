"""Everything a developer command needs, combined."""

import os
from concurrent.futures import ThreadPoolExecutor

from .cache import ADDON, CHECKOUT, cache_dir, compiled_dir, digest
from .odoo_source import odoo_home
from .pdf_printer import printer
from .postgres_server import Postgres
from .python_env import venv_python
from .templates import Templates
from .web_browser import browser_link


class Runtime(Templates):
    """The whole runtime. Call `prepare()` before `odoo()`, `database()` and `environ()`."""

    def prepare(self):
        with ThreadPoolExecutor() as pool:  # the steps are independent and wait for downloads
            home, python, found = pool.submit(odoo_home), pool.submit(venv_python), pool.submit(printer)
        self.home, self.python, self.printer = home.result(), python.result(), found.result()
        self.postgres = Postgres(self.python).start()
        self.data_dir = cache_dir() / 'data'
        self.data_dir.mkdir(exist_ok=True)
        self.addons = cache_dir() / 'addons' / digest(CHECKOUT)
        self.addons.mkdir(parents=True, exist_ok=True)
        self._link_checkout()
        self.addons_path = ','.join(
            str(path)
            for path in (self.home / 'addons', self.addons)
            if path == self.addons or (path / 'account/__manifest__.py').exists()
        )
        self.config = self.addons / 'odoo.conf'
        self._write_config()
        return self

    def _link_checkout(self):
        link = self.addons / ADDON  # Odoo wants the folder to bear the addon's name
        if not link.is_symlink() or link.resolve() != CHECKOUT:
            link.unlink(missing_ok=True)
            link.symlink_to(CHECKOUT)

    def _write_config(self):
        config = (
            f'[options]\ndb_host = {self.postgres.socket}\ndb_user = {self.postgres.user}\naddons_path = '
            f'{self.addons_path}\n'
            f'data_dir = {self.data_dir}\nhttp_interface = 127.0.0.1\nadmin_passwd = admin\nmax_cron_threads = 1\n'
        )
        if not self.config.exists() or self.config.read_text(encoding='utf-8') != config:
            self.config.write_text(config, encoding='utf-8')

    def environ(self):
        """Return the environment variables for any Python that imports Odoo."""
        environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith('PG') and name != 'PYTHONDONTWRITEBYTECODE'
        }
        path = os.pathsep.join(filter(None, [str(self.home), environ.get('PYTHONPATH')]))
        return {
            **environ,
            'PYTHONPATH': path,
            'ODOO_RC': str(self.config),
            'PATH': os.pathsep.join(
                map(str, filter(None, [self.python.parent, self.printer, browser_link().parent, environ.get('PATH')]))
            ),
            # Odoo comes without compiled modules. Compiling them is half of a process's start.
            'PYTHONPYCACHEPREFIX': str(compiled_dir()),
            'RAMP_SOCKET': str(self.postgres.socket),
        }

    def odoo(self, *arguments):
        """Return the command line of Odoo with these arguments."""
        if arguments and arguments[0] == 'shell':
            return [str(self.python), '-m', 'odoo', 'shell', '-c', str(self.config), *map(str, arguments[1:])]
        return [str(self.python), '-m', 'odoo', '-c', str(self.config), *map(str, arguments)]
