"""The Python environment: Odoo's pinned requirements and the tools of this project."""

import os
import shutil
import subprocess
import sys
import tempfile

from .cache import CHECKOUT, compute_digest, get_cache_dir, hold_build_lock, require_disk_space
from .commands import ToolError, print_progress, run_command


def ensure_venv_python():
    """Return the Python of a virtual environment with Odoo's requirements and the tools of this project."""
    requirements = [CHECKOUT / 'tools/requirements-odoo.txt', CHECKOUT / 'tools/requirements-dev.txt']
    key = compute_digest(
        sys.version_info[:3], sys.base_prefix, *(path.read_text(encoding='utf-8') for path in requirements)
    )
    target = get_cache_dir() / f'venv-{key}'
    python = target / 'bin/python'
    ready = target / '.ready'
    with hold_build_lock('venv'):
        if ready.exists():
            return python
        require_disk_space(2, get_cache_dir())
        print_progress("installing the Python environment (Odoo's pinned requirements and the test tools)")
        shutil.rmtree(target, ignore_errors=True)
        made = subprocess.run([sys.executable, '-m', 'venv', str(target)], capture_output=True, text=True, check=False)
        if made.returncode:
            _make_venv_without_ensurepip(target, made)
        command = [
            python,
            '-m',
            'pip',
            'install',
            '--quiet',
            '--no-compile',
            '--prefer-binary',
            '--disable-pip-version-check',
        ]
        for path in requirements:
            command += ['-r', path]
        run_command(command, what="Odoo's Python requirements could not be installed", log=get_cache_dir() / 'pip.log')
        ready.touch()
    return python


def _make_venv_without_ensurepip(target, made):
    """Make the environment without `ensurepip`, which Debian splits off: use any pip or apt that is there."""
    with tempfile.TemporaryDirectory() as scratch:
        borrowed = subprocess.run(
            [sys.executable, '-m', 'pip', 'install', '--quiet', '--target', scratch, 'virtualenv'],
            capture_output=True,
            text=True,
            check=False,
        )
        if not borrowed.returncode:
            run_command(
                [sys.executable, '-m', 'virtualenv', '--quiet', target],
                what='the Python environment could not be made',
                env={**os.environ, 'PYTHONPATH': scratch},
            )
            return
    if os.geteuid() == 0 and shutil.which('apt-get'):
        print_progress('installing python3-venv with apt')
        subprocess.run(['apt-get', 'update', '-qq'], capture_output=True, check=False)
        run_command(
            ['apt-get', 'install', '-y', '-qq', f'python3.{sys.version_info[1]}-venv'],
            what='python3-venv could not be installed',
        )
        run_command([sys.executable, '-m', 'venv', target], what='the Python environment could not be made')
        return
    reason = (made.stdout + made.stderr).strip().splitlines()
    raise ToolError(
        f'the Python environment could not be made ({reason[-1] if reason else "no reason given"}); '
        'install python3-venv or pip for this Python'
    )
