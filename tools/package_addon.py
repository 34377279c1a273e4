"""Build what others install: a zip with the addon alone, and a wheel.

./dev package                    dist/ramp_connector-VERSION.zip
./dev package --wheel            and dist/odoo_addon_ramp_connector-VERSION-py3-none-any.whl
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path

import package_files
from runtime import ADDON, CHECKOUT, ToolError, ensure_venv_python, print_progress, run_command

# whool names the distribution after the folder and takes all that git has there. So it builds from the unpacked zip,
# whose folder has the addon's name and nothing else in it. All versions are fixed, so that the bytes are, too.
BUILD_SYSTEM = """\
[build-system]
requires = ["whool==1.3.1", "manifestoo-core==1.16.1", "wheel==0.48.0", "packaging==26.4"]
build-backend = "whool.buildapi"
"""


def read_options(arguments):
    parser = argparse.ArgumentParser(prog='./dev package')
    parser.add_argument('--wheel', action='store_true', help='build a wheel, too; whool is fetched by pip')
    parser.add_argument('--dirty', action='store_true', help='although files differ from the last commit')
    parser.add_argument('--output', type=Path, default=CHECKOUT / 'dist', help='the folder (default: dist)')
    return parser.parse_args(arguments)


def find_files(checkout, is_dirty_allowed):
    """Return the files of the package.

    :raise ToolError: if it is no checkout, if files differ from the last commit, or if the package would not stand alone
    """
    try:
        tracked = package_files.list_tracked_files(checkout)
        changed = package_files.list_changed_files(checkout)
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        raise ToolError('a package is made from a git checkout, and git does not know this folder as one') from error
    if changed and not is_dirty_allowed:
        others = f' and {len(changed) - 1} more' if changed[1:] else ''
        raise ToolError(
            f'the checkout differs from the last commit in {changed[0]}{others}; '
            'commit that, or say --dirty to package the files as they are'
        )
    files = [path for path in package_files.choose_files(tracked) if (checkout / path).exists()]
    texts = {path: (checkout / path).read_text(encoding='utf-8') for path in files if path.endswith(('.py', '.md'))}
    faults = [
        f'{path} is named neither in PACKAGED nor in LEFT_OUT (tools/package_files.py)'
        for path in package_files.find_undecided_files(tracked)
    ]
    faults += package_files.find_foreign_imports(
        {path: text for path, text in texts.items() if path.endswith('.py')},
        package_files.read_manifest(checkout)['depends'],
    )
    faults += package_files.find_dead_links({path: text for path, text in texts.items() if path.endswith('.md')}, files)
    if faults:
        raise ToolError('\n     '.join(['the package would not stand alone', *faults]))
    return files


def read_commit_time(checkout):
    """Return the moment of the last commit, in seconds."""
    return int(run_command(['git', 'log', '-1', '--format=%ct'], what='the last commit cannot be read', cwd=checkout))


def build_zip(checkout, output, files):
    version = package_files.read_manifest(checkout)['version']
    target = output / f'{ADDON}-{version}.zip'
    package_files.write_zip(target, checkout, files, time.gmtime(read_commit_time(checkout))[:6])
    return target


def build_wheel(package, output, seconds):
    """Build a wheel from the zip, with pip and whool. Return its path.

    :param seconds: moment of all files in it
    """
    python = ensure_venv_python()
    with tempfile.TemporaryDirectory(prefix='ramp-wheel-') as scratch:
        with zipfile.ZipFile(package) as archive:
            archive.extractall(scratch)
        folder = Path(scratch) / ADDON
        (folder / 'pyproject.toml').write_text(BUILD_SYSTEM, encoding='utf-8')
        for path in (folder, *folder.rglob('*')):
            path.chmod(0o755 if path.is_dir() else 0o644)
        made = Path(scratch) / 'made'
        run_command(
            [python, '-m', 'pip', 'wheel', '--quiet', '--no-deps', '--no-cache-dir', '--wheel-dir', made, folder],
            what='the wheel could not be built; pip has to fetch whool',
            env={
                **os.environ,
                'PIP_DISABLE_PIP_VERSION_CHECK': '1',
                'SOURCE_DATE_EPOCH': str(seconds),
                'GIT_CEILING_DIRECTORIES': scratch,  # or whool would ask the git of a folder above
            },
            umask=0o022,
        )
        [wheel] = made.glob('*.whl')
        return Path(shutil.copy(wheel, output))


def main(arguments):
    options = read_options(arguments)
    files = find_files(CHECKOUT, options.dirty)
    options.output.mkdir(parents=True, exist_ok=True)
    made = [build_zip(CHECKOUT, options.output, files)]
    print_progress(f'{len(files)} files')
    if options.wheel:
        made.append(build_wheel(made[0], options.output, read_commit_time(CHECKOUT)))
    for path in made:
        print(f'{hashlib.sha256(path.read_bytes()).hexdigest()}  {path}')
    return 0
