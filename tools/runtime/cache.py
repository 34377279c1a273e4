"""The cache of everything that is made once, and the lock between builders."""

import contextlib
import fcntl
import hashlib
import os
import shutil
from pathlib import Path

from .commands import ToolError

CHECKOUT = Path(__file__).resolve().parent.parent.parent
ADDON = 'ramp_connector'


def get_cache_dir():
    """Return the folder of everything that is made once. Raise `ToolError` if it cannot be made."""
    base = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    path = base.expanduser().resolve() / ADDON
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolError(
            f'the cache folder {path} cannot be made ({error.strerror}); '
            'set XDG_CACHE_HOME to a folder you can write to'
        ) from error
    return path


def get_compiled_dir():
    """Return the folder for the compiled code of all Python programs. None of it belongs in a checkout."""
    return get_cache_dir() / 'compiled'


def compute_digest(*parts):
    """Return twelve hexadecimal digits that stand for these parts, compared as texts."""
    return hashlib.sha256('\0'.join(map(str, parts)).encode()).hexdigest()[:12]


@contextlib.contextmanager
def hold_build_lock(name):
    """Lock a build in this context. Several `./dev` may start at once on an empty cache."""
    with open(get_cache_dir() / f'{name}.lock', 'w', encoding='utf-8') as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def require_disk_space(gigabytes, path):
    """Raise `ToolError` if the disk of a path has less than this many gigabytes left."""
    free = shutil.disk_usage(path).free / 2**30
    if free < gigabytes:
        raise ToolError(f'the disk of {path} is full: {free:.1f} GB are free and {gigabytes} GB are needed')
