"""Workers that try out mutants: copies of the addon, each with its own database, that run tests side by side."""

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from runtime import ADDON, CHECKOUT, get_cache_dir, get_compiled_dir

PREFIX = 'ramp_mutate_'
PASSED, REFUSED = 0, 1  # pytest's exit codes: all passed, some failed
SKIPPED = ('.git', '__pycache__', '.hypothesis', '.pytest_cache', '.ruff_cache')


class MutantWorker:
    """A copy of the addon with its own database, so mutants do not affect each other."""

    def __init__(self, runtime, number):
        self.runtime = runtime
        self.name = f'{PREFIX}{os.getpid()}_{number}'
        self.home = get_cache_dir() / 'mutants' / self.name
        self.process = None
        self.stamp = 0
        self.addon = self.home / ADDON
        shutil.copytree(CHECKOUT, self.addon, ignore=shutil.ignore_patterns(*SKIPPED))
        self.config = self.home / 'odoo.conf'
        self.config.write_text(
            runtime.config.read_text(encoding='utf-8').replace(str(runtime.addons), str(self.home)), encoding='utf-8'
        )
        self.template = runtime.ensure_addon_template()  # of the copy's code, even if the checkout changes meanwhile
        self.renew_worker_database()

    def renew_worker_database(self):
        self.runtime.ensure_database(self.name, fresh=True, source=self.template)

    def close_worker(self):
        self.stop_running_process()
        self.runtime.drop_database(self.name)
        for path in (self.home, get_compiled_dir() / str(self.home).lstrip('/')):
            shutil.rmtree(path, ignore_errors=True)

    def stop_running_process(self):
        """End the running process, with the browser and other processes it started."""
        process, self.process = self.process, None  # only once: the pid may be reused
        if process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def run_pytest(self, *arguments, timeout, **environ):
        """Return exit code and output of a run, or (None, output) if it took too long."""
        command = [
            self.runtime.python,
            '-m',
            'pytest',
            '-p',
            'no:cacheprovider',
            '-q',
            '-rfE',
            '--hypothesis-seed=0',
            f'--rootdir={self.addon}',
            f'--odoo-database={self.name}',
            '--odoo-http',
            f'--odoo-config={self.config}',
            *arguments,
        ]
        log = self.home / 'log'
        with open(log, 'wb') as output:
            self.process = process = subprocess.Popen(
                list(map(str, command)),
                cwd=self.addon,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**self.runtime.build_environ(), 'ODOO_RC': str(self.config), **environ},
                start_new_session=True,
            )
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                self.stop_running_process()
        return code, log.read_text(encoding='utf-8', errors='replace')

    @contextlib.contextmanager
    def place_mutant_code(self, path, code):
        """Give a file of the copy another text within this context.

        It also gets another modification time. Otherwise Python would use the code it compiled before.
        """
        target = self.addon / path
        original = target.read_bytes()
        self.stamp = max(self.stamp, int(time.time())) + 2
        try:
            target.write_text(code, encoding='utf-8')
            os.utime(target, (self.stamp, self.stamp))
            yield
        finally:
            target.write_bytes(original)
            self.stamp += 2
            os.utime(target, (self.stamp, self.stamp))


class WorkerCrew:
    """Several workers, for the duration of a `with`. Remains of killed runs are removed."""

    def __init__(self, runtime, count):
        self.runtime, self.count = runtime, count
        self.free = queue.Queue()
        self.all = []

    def __enter__(self):
        home = get_cache_dir() / 'mutants'
        home.mkdir(exist_ok=True)
        for name in {*self.runtime.postgres.list_databases(), *(path.name for path in home.iterdir())}:
            owner = name.removeprefix(PREFIX).partition('_')[0]
            if name.startswith(PREFIX) and owner.isdigit() and not Path(f'/proc/{owner}').exists():
                self.runtime.drop_database(name)
                for left in (home / name, get_compiled_dir() / str(home / name).lstrip('/')):
                    shutil.rmtree(left, ignore_errors=True)
        try:
            for number in range(self.count):
                self.all.append(MutantWorker(self.runtime, number))
                self.free.put(self.all[-1])
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_reason):
        for worker in self.all:
            worker.close_worker()

    def share_work_items(self, function, items):
        """Yield the results of function(worker, item) as they arrive. Each worker has one item at a time."""

        def run_one_item(item):
            worker = self.free.get()
            try:
                return function(worker, item)
            finally:
                self.free.put(worker)

        with ThreadPoolExecutor(self.count) as pool:
            tasks = [pool.submit(run_one_item, item) for item in items]
            try:
                for task in as_completed(tasks):
                    yield task.result()
            except BaseException:
                for task in tasks:
                    task.cancel()
                for worker in self.all:
                    worker.stop_running_process()
                raise
