"""The browser for Odoo's tours and the pictures."""

import os
import shutil
import subprocess

from .cache import cache_dir, locked
from .commands import Fail, run, say

HEADLESS = 'chromium-headless-shell'
WITH_WINDOWS = ('google-chrome', 'chromium', 'chromium-browser', 'google-chrome-stable')


def chromium():
    """Return the path of a Chromium or Chrome, or None if there is none.

    The headless one is preferred. It draws the same pages, and tours take half the time. Odoo finds it by a link in the
    cache. As root on a machine with apt it is installed if missing (some 15 seconds). `RAMP_BROWSER=no` forbids that.
    """
    with locked('chromium'):
        is_allowed = os.environ.get('RAMP_BROWSER') != 'no' and not os.geteuid() and shutil.which('apt-get')
        if is_allowed and not _find_browser():
            say('installing Chromium with apt, for the browser tests')
            try:
                _install_browser()
            except (Fail, subprocess.TimeoutExpired) as reason:
                say(f'{reason}; browser tests are skipped')
        found = _find_browser()
        if found:
            _link_browser(found)
    return found


def browser_link():
    """Return the first name by which Odoo's tours look for a browser."""
    return cache_dir() / 'browser' / 'google-chrome'


def _find_browser():
    # Debian starts it with a script. Ending the script would leave the browser running.
    return shutil.which(HEADLESS, path='/usr/lib/chromium') or next(filter(None, map(shutil.which, WITH_WINDOWS)), None)


def _install_browser():
    environ = {**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'}

    def install_package(package):
        run(
            ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', package, 'fonts-dejavu-core'],
            what='Chromium was not installed',
            env=environ,
            timeout=300,
        )

    run(['apt-get', 'update', '-qq'], what='the package list was not reached', env=environ, timeout=120)
    try:
        install_package(HEADLESS)
    except Fail:  # some distributions lack this package
        install_package('chromium')


def _link_browser(program):
    link = browser_link()
    if not link.is_symlink() or os.readlink(link) != program:
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(program)
