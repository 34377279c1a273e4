"""PostgreSQL itself dies while a job is at work, and is started again. The entries are the same, and Ramp is told once.

Committed work is still there, so nothing is posted twice, and other work is done again. The test has a server of its
own, with PostgreSQL's default `synchronous_commit`.
"""

import copy
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from runtime import OdooRuntime, PostgresServer
from stage import SMALL, Stage, World
from test_crash import again

WORLD = World()
BOUNDARIES = (
    'after commit of transaction._store_listed_page',
    'before commit of transaction._book_batch',
    'after commit of transaction._book_batch',
    'before confirming',
    'after confirming',
    'after commit of transaction._confirm_booked_batch',
    'before commit of receipt._attach_fetched_files',
)
MOMENTS = ('while it is down', 'when it is back')  # at which the job goes on


class Server(PostgresServer):
    """A server that may be killed. The other tests do not use it."""

    def __init__(self, python, home):
        super().__init__(python)
        self.data, self.socket = home / 'postgresql', home / 'socket'

    def crash(self):
        self._run_as_owner(
            [self.get_program_path('pg_ctl'), '-D', self.data, '-m', 'immediate', '-w', '-s', 'stop'],
            'PostgreSQL did not die',
        )


def apart(home):
    """Return a runtime with a server of its own, which has the template of the usual one."""
    usual = OdooRuntime().prepare_machine()
    template = usual.ensure_addon_template()
    runtime = copy.copy(usual)
    runtime.postgres = Server(usual.python, home).start_server()
    runtime.config = home / 'odoo.conf'
    runtime.config.write_text(
        usual.config.read_text(encoding='utf-8').replace(str(usual.postgres.socket), str(runtime.postgres.socket)),
        encoding='utf-8',
    )
    runtime.ensure_addon_template = lambda: template
    runtime.postgres.run_sql(f'CREATE DATABASE "{template}" OWNER odoo', user='postgres')
    dump = [usual.postgres.get_program_path('pg_dump'), '-h', usual.postgres.socket, '-U', 'postgres', template]
    with subprocess.Popen(list(map(str, dump)), stdout=subprocess.PIPE) as process:
        subprocess.run(
            runtime.postgres.build_psql_command(template, '-v', 'ON_ERROR_STOP=1', user='postgres'),
            stdin=process.stdout,
            stdout=subprocess.DEVNULL,
            check=True,
        )
    assert process.returncode == 0
    return runtime


@pytest.fixture(scope='module')
def stage(tmp_path_factory):
    # A socket's path must be short, and its folder open to the server.
    home = Path(tempfile.mkdtemp(prefix='ramp-server-', dir='/var/tmp'))
    home.chmod(0o755)
    stage = None
    try:
        stage = Stage(tmp_path_factory.mktemp('server'), 'server', apart(home))
        yield stage.open()
    finally:
        if stage:
            stage.close()
            stage.runtime.postgres.stop_server()
        shutil.rmtree(home, ignore_errors=True)


@pytest.mark.parametrize('moment', MOMENTS)
@pytest.mark.parametrize('boundary', BOUNDARIES)
def test_server_dies_at(stage, boundary, moment):
    reference = stage.reference(WORLD, **SMALL)
    number, nth = reference.find(boundary)
    start, do, _hits = reference.steps[number]
    with stage.case(WORLD, start) as case:
        process = case.start(*do, shrink=SMALL, cut={'at': boundary, 'nth': nth, 'how': 'stop'})
        process.stands()
        stage.runtime.postgres.crash()
        if moment == 'while it is down':
            process.go_on()
            outcome = process.wait()
            stage.runtime.postgres.start_server()
        else:
            stage.runtime.postgres.start_server()
            process.go_on()
            outcome = process.wait()
        stage.forget_marks()
        assert outcome.code == 1, f'it did not notice\n{outcome.log[-4000:]}'
        case.rest()
        again(case, reference.state)
