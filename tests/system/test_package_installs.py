"""The zip alone, unpacked into a folder of its own, installs into a new database of Odoo and loads again."""

import subprocess
import time
import zipfile

import package_files
from stage import PREFIX, ROOT, Stage

QUIET = ('--stop-after-init', '--no-http', '--log-level=warn')


def test_the_zip_alone_installs(stage: Stage, tmp_path):
    runtime = stage.runtime
    package, addons = tmp_path / 'package.zip', tmp_path / 'addons'
    files = package_files.choose_files(package_files.list_tracked_files(ROOT))
    package_files.write_zip(package, ROOT, files, time.gmtime()[:6])
    with zipfile.ZipFile(package) as archive:
        archive.extractall(addons)
    folders = [path for path in runtime.addons_path.split(',') if path != str(runtime.addons)]
    database = runtime.ensure_database(f'{PREFIX}package', fresh=True, source=runtime.ensure_base_template())
    try:
        for option in ('-i', '-u'):
            done = subprocess.run(
                runtime.build_odoo_command(
                    '-d', database, option, 'ramp_connector', '--addons-path', ','.join([*folders, str(addons)]), *QUIET
                ),
                env=runtime.build_environ(),
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert not done.returncode, done.stderr[-4000:]
            complaints = (' ERROR ', ' CRITICAL ', 'odoo.addons.ramp_connector', str(addons))
            assert not [line for line in done.stderr.splitlines() if any(word in line for word in complaints)]
            found = runtime.postgres.run_sql(
                "SELECT state, latest_version FROM ir_module_module WHERE name = 'ramp_connector'", database=database
            )
            assert found == f'installed|{package_files.read_manifest(addons / "ramp_connector")["version"]}'
    finally:
        runtime.drop_database(database)
