"""The program that makes Odoo's PDF, unpacked from Debian packages."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from .apt_download import make_apt_folder, unpack_packages, update_package_lists
from .cache import compute_digest, get_cache_dir, hold_build_lock, require_disk_space
from .commands import ToolError, print_progress, run_command

PRINTER = 'wkhtmltopdf'
RETRY_AFTER = 86400  # seconds before the next attempt to fetch it


def find_pdf_printer():
    """Return the folder of a program that makes Odoo's PDF, to put on PATH.

    Return None if the machine has one already, or if none can be fetched. The program is unpacked in the cache with the
    libraries that this machine lacks; nothing is installed. A failure is remembered for a day.
    """
    if shutil.which(PRINTER):
        return None
    release = Path('/etc/os-release')
    target = (
        get_cache_dir()
        / f'{PRINTER}-{compute_digest(release.read_text(encoding="utf-8") if release.exists() else sys.platform)}'
    )
    failed = target.with_suffix('.failed')
    with hold_build_lock(PRINTER):
        if _is_printer_working(target):
            return target / 'bin'
        if failed.exists() and failed.stat().st_mtime > time.time() - RETRY_AFTER:
            return None
        try:
            _fetch_pdf_printer(target)
            failed.unlink(missing_ok=True)
            return target / 'bin'
        except (ToolError, OSError) as reason:
            failed.touch()
            print_progress(f'no PDF: {PRINTER} could not be had ({reason})')
            return None


def _is_printer_working(target):
    try:
        return not subprocess.run(
            [str(target / 'bin' / PRINTER), '--version'], capture_output=True, check=False
        ).returncode
    except OSError:
        return False


def _fetch_pdf_printer(target):
    with make_apt_folder('tree') as apt:
        require_disk_space(1, get_cache_dir())
        print_progress(f"fetching {PRINTER} from this machine's packages, for reports as PDF (about 60 MB)")
        # Read the machine's own sources and package state. What it has need not be fetched, and its libraries fit.
        environ = update_package_lists(
            apt,
            state='Debug::NoLocking "1";\n',
            what='the package list was not reached',
            DEBIAN_FRONTEND='noninteractive',
        )
        run_command(
            ['apt-get', 'install', '--download-only', '--yes', '--no-install-recommends', PRINTER],
            what='it was not fetched',
            env=environ,
        )
        unpack_packages((apt / 'cache/archives').glob('*.deb'), apt / 'tree')
        shutil.rmtree(target, ignore_errors=True)
        (apt / 'tree').rename(target)
    run_command([_write_printer_wrapper(target), '--version'], what='it does not run')


def _write_printer_wrapper(target):
    """Write a script that starts the unpacked program with its own libraries. Return its path."""
    plugged = {str(path.parent) for path in target.rglob('plugins/*/*.so')}
    libraries = sorted({str(path.parent) for path in target.rglob('*.so*')} - plugged)
    plugins = next(iter(sorted(target.glob('usr/lib/*/qt5/plugins'))), target)
    (target / 'bin').mkdir()
    wrapper = target / 'bin' / PRINTER
    wrapper.write_text(
        f'#!/bin/sh\nexport LD_LIBRARY_PATH="{os.pathsep.join(libraries)}" QT_PLUGIN_PATH="{plugins}" '
        'QT_QPA_PLATFORM=offscreen\n'
        f'exec "{target}/usr/bin/{PRINTER}" "$@"\n',
        encoding='utf-8',
    )
    wrapper.chmod(0o755)
    return wrapper
