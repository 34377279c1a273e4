"""Everything a developer command needs, combined."""

import os
from concurrent.futures import ThreadPoolExecutor

from .cache import ADDON, CHECKOUT, compute_digest, get_cache_dir, get_compiled_dir
from .odoo_source import find_odoo_home
from .pdf_printer import find_pdf_printer
from .postgres_server import PostgresServer
from .python_env import ensure_venv_python
from .templates import RuntimeTemplates
from .web_browser import get_browser_link


class OdooRuntime(RuntimeTemplates):
    """The whole runtime. Call `prepare_machine()` before any other method."""

    def prepare_machine(self):
        """Fetch and start what is missing: Odoo, Python, PostgreSQL. Return this runtime.

        Raise `ToolError` if a part cannot be had.
        """
        with ThreadPoolExecutor() as pool:  # the steps are independent and wait for downloads
            home, python, found = (
                pool.submit(find_odoo_home),
                pool.submit(ensure_venv_python),
                pool.submit(find_pdf_printer),
            )
        self.home, self.python, self.printer = home.result(), python.result(), found.result()
        self.postgres = PostgresServer(self.python).start_server()
        self.data_dir = get_cache_dir() / 'data'
        self.data_dir.mkdir(exist_ok=True)
        self.addons = get_cache_dir() / 'addons' / compute_digest(CHECKOUT)
        self.addons.mkdir(parents=True, exist_ok=True)
        self._link_checkout()
        self.addons_path = ','.join(
            str(path)
            for path in (self.home / 'addons', self.addons)
            if path == self.addons or (path / 'account/__manifest__.py').exists()
        )
        self.config = self.addons / 'odoo.conf'
        self._write_odoo_config()
        return self

    def _link_checkout(self):
        link = self.addons / ADDON  # Odoo wants the folder to bear the addon's name
        if not link.is_symlink() or link.resolve() != CHECKOUT:
            link.unlink(missing_ok=True)
            link.symlink_to(CHECKOUT)

    def _write_odoo_config(self):
        config = (
            f'[options]\ndb_host = {self.postgres.socket}\ndb_user = {self.postgres.user}\naddons_path = '
            f'{self.addons_path}\n'
            f'data_dir = {self.data_dir}\nhttp_interface = 127.0.0.1\nadmin_passwd = admin\nmax_cron_threads = 1\n'
        )
        if not self.config.exists() or self.config.read_text(encoding='utf-8') != config:
            self.config.write_text(config, encoding='utf-8')

    def build_environ(self):
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
                map(
                    str,
                    filter(None, [self.python.parent, self.printer, get_browser_link().parent, environ.get('PATH')]),
                )
            ),
            # Odoo comes without compiled modules. Compiling them is half of a process's start.
            'PYTHONPYCACHEPREFIX': str(get_compiled_dir()),
            'RAMP_SOCKET': str(self.postgres.socket),
        }

    def build_odoo_command(self, *arguments):
        """Return the command line of Odoo with these arguments, as a list of texts."""
        if arguments and arguments[0] == 'shell':
            return [str(self.python), '-m', 'odoo', 'shell', '-c', str(self.config), *map(str, arguments[1:])]
        return [str(self.python), '-m', 'odoo', '-c', str(self.config), *map(str, arguments)]
