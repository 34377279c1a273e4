"""Run commands, report progress, and fail with a message."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


class ToolError(Exception):
    """An error that the user can act on. Its text is the one sentence that is printed."""


def run_script(main):
    """Run a script's `main` and exit with its return code. A `ToolError` prints its sentence, not a traceback."""
    try:
        sys.exit(main())
    except (ToolError, subprocess.SubprocessError) as failure:
        print(f'dev: {failure}.', file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def print_progress(text):
    """Print progress on standard error. Standard output is for the command's result."""
    print(f'-- {text}', file=sys.stderr, flush=True)


def run_command(command, *, what, log=None, **kwargs):
    """Run a command quietly and return its standard output, a text.

    On failure raise `ToolError` with the sentence `what` and the last line that the command printed.

    :param log: path of a file for all of its output
    """
    kwargs.setdefault('stdin', subprocess.DEVNULL)
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, errors='replace', check=False, **kwargs
    )
    output = (done.stdout + done.stderr).strip()
    if log:
        Path(log).write_text(output, encoding='utf-8')
    if done.returncode:
        if 'No space left' in output:
            raise ToolError(f'{what}: the disk is full')
        errors = [line for line in output.splitlines() if re.search(r'error|fatal|critical|^E:', line, re.I)]
        last = (errors or output.splitlines() or ['no output'])[-1].strip()
        raise ToolError(f'{what}: {last[:300]}' + (f' (see {log})' if log else ''))
    return done.stdout


@contextlib.contextmanager
def run_in_background(command, *, name, log, **kwargs):
    """Run a server in this context. It is stopped at the end, with its children."""
    with open(log, 'wb') as output:
        process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **kwargs,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            print_progress(f'{name} does not stop; killing it')
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for_condition(condition, *, what, seconds, process=None):
    """Call a function until its result is true, and return that result.

    Raise `ToolError` with the sentence `what` after this many seconds, or if `process` ends before.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        if process is not None and process.poll() is not None:
            raise ToolError(f'{what}: it ended with code {process.returncode}')
        time.sleep(0.1)
    raise ToolError(f'{what}: no answer within {seconds} seconds')


def find_free_port(wanted):
    """Return this port of the local machine, or any free one if it is 0. Raise `ToolError` if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('127.0.0.1', wanted))
        except OSError as error:
            raise ToolError(f'port {wanted} is taken; choose another one with --port') from error
        return probe.getsockname()[1]
