"""Download Debian packages into a separate folder, without changing the machine's package state."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from .cache import get_cache_dir
from .commands import ToolError, run_command


@contextlib.contextmanager
def make_apt_folder(*folders):
    """Yield a temporary folder for apt with these folders in it. Raise `ToolError` if the machine has no apt."""
    if not (shutil.which('apt-get') and shutil.which('dpkg-deb')):
        raise ToolError('apt is not available')
    with tempfile.TemporaryDirectory(prefix='apt-', dir=get_cache_dir()) as scratch:
        apt = Path(scratch)
        for folder in ('lists/partial', 'cache/archives/partial', 'log', *folders):
            (apt / folder).mkdir(parents=True)
        yield apt


def update_package_lists(apt, *, settings='', state='', what, **environ):
    """Read the package lists into a folder of `make_apt_folder`. Return the environment for further apt commands.

    :param settings: lines of apt's configuration before those of its folders; `state`: lines after them
    :param what: the error text if the lists cannot be fetched
    :param environ: further variables for the commands
    """
    (apt / 'apt.conf').write_text(
        f'{settings}Dir::State::lists "{apt}/lists";\nDir::Cache "{apt}/cache";\nDir::Log "{apt}/log";\n{state}'
        'APT::Sandbox::User "";\nAcquire::Languages "none";\nAcquire::Retries "3";\n',
        encoding='utf-8',
    )
    environ = {**os.environ, 'APT_CONFIG': str(apt / 'apt.conf'), 'LC_ALL': 'C.UTF-8', **environ}
    run_command(['apt-get', 'update', '-o', 'APT::Update::Error-Mode=any'], what=what, env=environ)
    return environ


def unpack_packages(packages, tree):
    """Unpack these .deb files one after another into the existing folder `tree`."""
    for package in sorted(packages):
        run_command(['dpkg-deb', '-x', package, tree], what=f'{package.name} could not be unpacked')
