# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The disk is full in the middle of a run: the database's server reports it, or a file is cut off while it is written."""

import errno
import os
import tempfile
from unittest.mock import patch

from odoo.addons.base.models import ir_attachment
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import RampCase

LOGGERS = ('odoo.addons.ramp_connector.flows.engine', 'odoo.sql_db')


class Full:
    """A file on a disk with room for half of it."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.file.close()

    def write(self, content):  # pylint: disable=method-required-super
        self.file.write(content[: len(content) // 2])
        self.file.flush()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full(path, mode='r', **options):
    file = open(path, mode, **options)  # noqa: SIM115
    return Full(file) if 'w' in mode else file


@tagged('post_install', '-at_install', 'ramp')
class TestFullDisk(RampCase):
    def once(self):
        super().once()
        self.ids = [self.spend(1000 + number, receipts=1) for number in range(3)]

    def assertStopped(self, run, pattern):
        self.assertEqual(run.state, 'failed')
        self.assertRegex(run.message, pattern)
        self.assertRegex(run.message, 'Free up space, and the next run continues')
        self.assertIn(run.message, self.connection.last_error)

    def assertDone(self):
        for ramp_id in self.ids:
            self.assertConfirmed(ramp_id)
            self.assertEqual(len(self.attachments(self.expense(ramp_id))), 1)
            for attachment in self.attachments(self.expense(ramp_id)) + self.attachments(self.move(ramp_id)):
                self.assertEqual(len(attachment.raw), attachment.file_size, 'the whole file')
        self.assertFalse(self.connection.last_error)

    def test_database(self):
        """If the database's disk is full in the middle of a batch, the run stops with that reason, and everything is
        posted later.
        """
        self.env.cr.execute("""
            CREATE FUNCTION pg_temp.no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF (SELECT count(*) FROM account_move_line WHERE ref = NEW.ref OR move_id = NEW.move_id) >= 1 THEN
                    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
                END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER no_room BEFORE INSERT ON account_move_line FOR EACH ROW EXECUTE FUNCTION pg_temp.no_room()""")
        with mute_logger(*LOGGERS):
            run = self.sync('transaction')
        self.assertStopped(run, 'disk of the database server is full')
        for ramp_id in self.ids:
            self.assertEqual((self.record(ramp_id).state, self.record(ramp_id).attempts), ('pending', 0))
            self.assertFalse(self.move(ramp_id) or self.expense(ramp_id))
        self.assertFalse(self.ramp.list_successes())
        self.env.cr.execute('DROP TRIGGER no_room ON account_move_line')
        self.sync()
        self.assertDone()

    def test_files(self):
        """A file that was cut off by a full disk is written again, although it exists under the name of its checksum."""
        # A folder of its own, as other tests have already written the files.
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.patch(type(self.env['ir.attachment']), '_filestore', lambda *args: folder.name)
        self.sync('transaction')
        with (
            mute_logger(*LOGGERS, 'odoo.addons.base.models.ir_attachment'),
            patch.object(ir_attachment, 'open', full, create=True),
        ):
            run = self.sync('receipt')
        self.assertStopped(run, "disk with Odoo's files .* is full")
        for ramp_id in self.ids:
            self.assertFalse(self.attachments(self.expense(ramp_id)))
        self.assertEqual({row.state for row in self.env['ramp.record'].search([('flow', '=', 'receipt')])}, {'pending'})
        self.sync()
        self.assertDone()
