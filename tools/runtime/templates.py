"""Template databases, made once and cloned for each use."""

import ast
import hashlib
from pathlib import Path

from .cache import ADDON, CHECKOUT, compute_digest, hold_build_lock
from .commands import ToolError, print_progress
from .databases import RuntimeDatabases

TEMPLATE_MODULES = 'account,purchase_stock,hr_expense,l10n_us'
# The folders that an installation reads: declarations in Python, and data for the database.
ROOMS = ('models', 'flows', 'wizard', 'report', 'views', 'data', 'security', 'i18n')
LOADED = ('.xml', '.csv', '.po')
ONCE = ('--stop-after-init', '--no-http', '--log-level=warn')
NO_AUTOVACUUM = """
DO $$
DECLARE found regclass;
BEGIN
    FOR found IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
        EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = false)', found);
    END LOOP;
END $$"""


class RuntimeTemplates(RuntimeDatabases):
    """The template databases of a runtime.

    The runtime must also set `home` (Odoo's folder) and have `build_odoo_command()`.
    """

    def ensure_base_template(self):
        """Return a database with the modules this addon depends on and the US chart of accounts."""
        built = (self.home / 'odoo/release.py').stat().st_mtime_ns
        name = f'template_base_{compute_digest(self.home, built, TEMPLATE_MODULES)}'

        def build_base_template(database):
            self._run_logged_command(
                'template-base',
                self.build_odoo_command('-d', database, '-i', TEMPLATE_MODULES, '--without-demo', *ONCE),
                'the template database could not be made',
            )
            self.postgres.run_sql('ANALYZE', database=database)

        return self._build_whole_database(
            name, 'making a template database, once (one to two minutes)', build_base_template
        )

    def ensure_addon_template(self, *, new=False):
        """Return the base template with this addon installed.

        It is upgraded if something that an upgrade reads has changed. It is installed anew if something that only an
        installation reads has changed. Changes of function bodies alone do not matter.

        :param new: install it anew, as a full test run does
        """
        with hold_build_lock('template'):
            base = self.ensure_base_template()
            name, state = (
                f'template_addon_{compute_digest(base, CHECKOUT)}',
                f'{self.compute_source_digest()} {CHECKOUT}',
            )
            self._drop_orphaned_templates(name)
            if new:
                self.drop_database(name)
            there = self.postgres.read_database_comment(name)
            if there.partition('-')[0] == state.partition('-')[0]:
                try:
                    return self._build_whole_database(
                        name, 'upgrading the addon in its template database', self._make_addon_loader(name, '-u'), state
                    )
                except ToolError as reason:
                    print_progress(f'{reason}; installing it anew')
            return self._build_whole_database(
                name, 'installing the addon into a template database', self._make_addon_loader(base, '-i'), state
            )

    def _drop_orphaned_templates(self, own):
        """Drop the templates of checkouts that are gone."""
        for name in self.postgres.list_databases():
            if name.startswith('template_') and name != own:
                checkout = self.postgres.read_database_comment(name).partition(' ')[2]
                if checkout and not Path(checkout).exists():
                    self.drop_database(name)

    def _make_addon_loader(self, source, option):
        """Return a function that clones `source` and lets Odoo install (-i) or upgrade (-u) the addon in the clone."""

        def load_addon(database):
            self.clone_database(source, database)
            self._run_logged_command(
                'template-addon',
                self.build_odoo_command('-d', database, option, ADDON, *ONCE),
                'the addon could not be installed',
            )

        return load_addon

    def ensure_test_template(self):
        """Return the template with the unit tests' company and the assets of the screens, made once for all classes."""
        template = self.ensure_addon_template()
        made_by = [
            CHECKOUT / 'tools/test_company.py',
            CHECKOUT / 'tests/company.py',
            *sorted(path for path in (CHECKOUT / 'static/src').rglob('*') if path.is_file()),
        ]
        comment = self.postgres.read_database_comment(template)
        key = compute_digest(comment, NO_AUTOVACUUM, *(path.read_bytes() for path in made_by))
        state = f'{key} {CHECKOUT}'

        def build_test_template(database):
            with hold_build_lock('clone'):
                self.clone_database(template, database)
            self._run_logged_command(
                'template-test',
                [self.python, CHECKOUT / 'tools/test_company.py', database],
                "the tests' company could not be made",
            )
            self.postgres.run_sql('ANALYZE', database=database)
            # A test is one transaction. Autovacuum in the meantime would count none of its rows, and mislead the
            # planner.
            self.postgres.run_sql(NO_AUTOVACUUM, database=database)

        with hold_build_lock('test-template'):  # processes that need the other template do not wait
            return self._build_whole_database(
                template.replace('addon', 'test'), "making the tests' company", build_test_template, state
            )

    def compute_source_digest(self):
        """Return the identity of everything that an installation writes to the database: two parts with a dash between.

        The first part covers what only a new installation reads (records that an upgrade leaves alone, hooks), the
        second the rest.
        """
        found = hashlib.sha256(), hashlib.sha256()
        for path in [
            CHECKOUT / '__manifest__.py',
            CHECKOUT / 'hooks.py',
            *sorted(path for room in ROOMS for path in (CHECKOUT / room).rglob('*')),
        ]:
            if path.suffix == '.py' and path.name != 'hooks.py':
                content = strip_function_bodies(path.read_text(encoding='utf-8')).encode()
            elif path.suffix in ('.py', *LOADED):
                content = path.read_bytes()
            else:
                continue
            is_once = path.name == 'hooks.py' or b'noupdate="1"' in content
            found[not is_once].update(str(path.relative_to(CHECKOUT)).encode() + b'\0' + content + b'\0')
        return '-'.join(part.hexdigest()[:12] for part in found)


def strip_function_bodies(source):
    """Return a Python source without function bodies. The rest is what an installation writes down.

    These are models, fields, constraints and defaults. `init` and `_auto_init` are kept, because an installation runs
    them.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name not in ('init', '_auto_init'):
            node.body = []
    return ast.dump(tree)
