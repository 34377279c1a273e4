"""Template databases, made once and cloned for each use."""

import ast
import hashlib
from pathlib import Path

from .cache import ADDON, CHECKOUT, digest, locked
from .commands import Fail, say
from .databases import Databases

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


class Templates(Databases):
    """The template databases of a runtime.

    The runtime must also set `home` (Odoo's folder) and have `odoo()` (its command line).
    """

    def base_template(self):
        """Return a database with the modules this addon depends on and the US chart of accounts."""
        name = (
            f'template_base_{digest(self.home, (self.home / "odoo/release.py").stat().st_mtime_ns, TEMPLATE_MODULES)}'
        )

        def build(database):
            self._run_logged(
                'template-base',
                self.odoo('-d', database, '-i', TEMPLATE_MODULES, '--without-demo', *ONCE),
                'the template database could not be made',
            )
            self.postgres.sql('ANALYZE', database=database)

        return self._build_whole(name, 'making a template database, once (one to two minutes)', build)

    def template(self, *, new=False):
        """Return the base template with this addon installed.

        It is upgraded if something that an upgrade reads has changed. It is installed anew if something that only an
        installation reads has changed. Changes of function bodies alone do not matter.

        :param new: install it anew, as a full test run does
        """
        with locked('template'):
            base = self.base_template()
            name, state = f'template_addon_{digest(base, CHECKOUT)}', f'{self.source_digest()} {CHECKOUT}'
            self._drop_orphans(name)
            if new:
                self.drop(name)
            there = self.postgres.comment(name)
            if there.partition('-')[0] == state.partition('-')[0]:
                try:
                    return self._build_whole(
                        name, 'upgrading the addon in its template database', self._loader(name, '-u'), state
                    )
                except Fail as reason:
                    say(f'{reason}; installing it anew')
            return self._build_whole(
                name, 'installing the addon into a template database', self._loader(base, '-i'), state
            )

    def _drop_orphans(self, own):
        """Drop the templates of checkouts that are gone."""
        for name in self.postgres.databases():
            if name.startswith('template_') and name != own:
                checkout = self.postgres.comment(name).partition(' ')[2]
                if checkout and not Path(checkout).exists():
                    self.drop(name)

    def _loader(self, source, option):
        """Return a function that clones `source` and lets Odoo install (-i) or upgrade (-u) the addon in the clone."""

        def load(database):
            self.clone(source, database)
            self._run_logged(
                'template-addon', self.odoo('-d', database, option, ADDON, *ONCE), 'the addon could not be installed'
            )

        return load

    def test_template(self):
        """Return the template with the unit tests' company and the assets of the screens, made once for all classes."""
        template = self.template()
        made_by = [
            CHECKOUT / 'tools/test_company.py',
            CHECKOUT / 'tests/company.py',
            *sorted(path for path in (CHECKOUT / 'static/src').rglob('*') if path.is_file()),
        ]
        state = f'{digest(self.postgres.comment(template), NO_AUTOVACUUM, *(path.read_bytes() for path in made_by))} {CHECKOUT}'

        def build(database):
            with locked('clone'):
                self.clone(template, database)
            self._run_logged(
                'template-test',
                [self.python, CHECKOUT / 'tools/test_company.py', database],
                "the tests' company could not be made",
            )
            self.postgres.sql('ANALYZE', database=database)
            # A test is one transaction. Autovacuum in the meantime would count none of its rows, and mislead the
            # planner.
            self.postgres.sql(NO_AUTOVACUUM, database=database)

        with locked('test-template'):  # processes that need the other template do not wait
            return self._build_whole(template.replace('addon', 'test'), "making the tests' company", build, state)

    def source_digest(self):
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
                content = declarations(path.read_text(encoding='utf-8')).encode()
            elif path.suffix in ('.py', *LOADED):
                content = path.read_bytes()
            else:
                continue
            is_once = path.name == 'hooks.py' or b'noupdate="1"' in content
            found[not is_once].update(str(path.relative_to(CHECKOUT)).encode() + b'\0' + content + b'\0')
        return '-'.join(part.hexdigest()[:12] for part in found)


def declarations(source):
    """Return a Python source without function bodies. The rest is what an installation writes down.

    These are models, fields, constraints and defaults. `init` and `_auto_init` are kept, because an installation runs
    them.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name not in ('init', '_auto_init'):
            node.body = []
    return ast.dump(tree)
