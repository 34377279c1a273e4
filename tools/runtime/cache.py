"""The cache of everything that is made once, and the lock between builders."""

import contextlib
import fcntl
import hashlib
import os
import shutil
from pathlib import Path

from .commands import Fail

CHECKOUT = Path(__file__).resolve().parent.parent.parent
ADDON = 'ramp_connector'


def cache_dir():
    base = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    path = base.expanduser().resolve() / ADDON
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Fail(
            f'the cache folder {path} cannot be made ({error.strerror}); '
            'set XDG_CACHE_HOME to a folder you can write to'
        ) from error
    return path


def compiled_dir():
    """Return the folder for the compiled code of all Python programs. None of it belongs in a checkout."""
    return cache_dir() / 'compiled'


def digest(*parts):
    return hashlib.sha256('\0'.join(map(str, parts)).encode()).hexdigest()[:12]


@contextlib.contextmanager
def locked(name):
    """Lock a build in this context. Several `./dev` may start at once on an empty cache."""
    with open(cache_dir() / f'{name}.lock', 'w', encoding='utf-8') as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def need_space(gigabytes, path):
    free = shutil.disk_usage(path).free / 2**30
    if free < gigabytes:
        raise Fail(f'the disk of {path} is full: {free:.1f} GB are free and {gigabytes} GB are needed')
