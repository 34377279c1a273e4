"""The browser for Odoo's tours and the pictures."""

import os
import shutil
import subprocess

from .cache import get_cache_dir, hold_build_lock
from .commands import ToolError, print_progress, run_command

HEADLESS = 'chromium-headless-shell'
WITH_WINDOWS = ('google-chrome', 'chromium', 'chromium-browser', 'google-chrome-stable')


def find_chromium():
    """Return the path of a Chromium or Chrome, or None if there is none.

    The headless one is preferred. It draws the same pages, and tours take half the time. Odoo finds it by a link in the
    cache. As root on a machine with apt it is installed if missing (some 15 seconds). `RAMP_BROWSER=no` forbids that.
    """
    with hold_build_lock('chromium'):
        is_allowed = os.environ.get('RAMP_BROWSER') != 'no' and not os.geteuid() and shutil.which('apt-get')
        if is_allowed and not _find_installed_browser():
            print_progress('installing Chromium with apt, for the browser tests')
            try:
                _install_chromium()
            except (ToolError, subprocess.TimeoutExpired) as reason:
                print_progress(f'{reason}; browser tests are skipped')
        found = _find_installed_browser()
        if found:
            _link_browser_program(found)
    return found


def get_browser_link():
    """Return the first name by which Odoo's tours look for a browser."""
    return get_cache_dir() / 'browser' / 'google-chrome'


def _find_installed_browser():
    # Debian starts it with a script. Ending the script would leave the browser running.
    return shutil.which(HEADLESS, path='/usr/lib/chromium') or next(filter(None, map(shutil.which, WITH_WINDOWS)), None)


def _install_chromium():
    environ = {**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'}

    def install_browser_package(package):
        run_command(
            ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', package, 'fonts-dejavu-core'],
            what='Chromium was not installed',
            env=environ,
            timeout=300,
        )

    run_command(['apt-get', 'update', '-qq'], what='the package list was not reached', env=environ, timeout=120)
    try:
        install_browser_package(HEADLESS)
    except ToolError:  # some distributions lack this package
        install_browser_package('chromium')


def _link_browser_program(program):
    link = get_browser_link()
    if not link.is_symlink() or os.readlink(link) != program:
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(program)
