"""The runtime of `./dev`: Odoo 19, its Python environment and its own PostgreSQL server.

Standard library only, because this package runs before anything is installed. Everything it makes is under
`${XDG_CACHE_HOME:-~/.cache}/ramp_connector`, keyed by version, so a second checkout is ready in seconds. Each module is
a part of the machine, and :class:`OdooRuntime` (`machine.py`) combines them.
"""

from .cache import ADDON, CHECKOUT, compute_digest, get_cache_dir, get_compiled_dir, hold_build_lock, require_disk_space
from .commands import (
    ToolError,
    find_free_port,
    print_progress,
    run_command,
    run_in_background,
    run_script,
    wait_for_condition,
)
from .machine import OdooRuntime
from .odoo_source import SERIES, find_odoo_home
from .pdf_printer import find_pdf_printer
from .postgres_server import PostgresServer
from .python_env import ensure_venv_python
from .templates import TEMPLATE_MODULES, strip_function_bodies
from .web_browser import find_chromium, get_browser_link

__all__ = [
    'ADDON',
    'CHECKOUT',
    'SERIES',
    'TEMPLATE_MODULES',
    'OdooRuntime',
    'PostgresServer',
    'ToolError',
    'compute_digest',
    'ensure_venv_python',
    'find_chromium',
    'find_free_port',
    'find_odoo_home',
    'find_pdf_printer',
    'get_browser_link',
    'get_cache_dir',
    'get_compiled_dir',
    'hold_build_lock',
    'print_progress',
    'require_disk_space',
    'run_command',
    'run_in_background',
    'run_script',
    'strip_function_bodies',
    'wait_for_condition',
]
