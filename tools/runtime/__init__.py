"""The runtime of `./dev`: Odoo 19, its Python environment and its own PostgreSQL server.

Standard library only, because this package runs before anything is installed. Everything it makes is under
`${XDG_CACHE_HOME:-~/.cache}/ramp_connector`, keyed by version, so a second checkout is ready in seconds. Each module is
a part of the machine, and :class:`Runtime` (`machine.py`) combines them.
"""

from .cache import ADDON, CHECKOUT, cache_dir, compiled_dir, digest, locked, need_space
from .commands import Fail, background, free_port, run, say, script, wait_for
from .machine import Runtime
from .odoo_source import SERIES, odoo_home
from .pdf_printer import printer
from .postgres_server import Postgres
from .python_env import venv_python
from .templates import TEMPLATE_MODULES, declarations
from .web_browser import browser_link, chromium

__all__ = [
    'ADDON',
    'CHECKOUT',
    'SERIES',
    'TEMPLATE_MODULES',
    'Fail',
    'Postgres',
    'Runtime',
    'background',
    'browser_link',
    'cache_dir',
    'chromium',
    'compiled_dir',
    'declarations',
    'digest',
    'free_port',
    'locked',
    'need_space',
    'odoo_home',
    'printer',
    'run',
    'say',
    'script',
    'venv_python',
    'wait_for',
]
