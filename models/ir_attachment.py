# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import os

from odoo import api, models

from .dry_run_cursor import is_dry_run


class IrAttachment(models.Model):
    """Attachments can be written again after a write was cut off by a full disk or an ended process."""

    _inherit = 'ir.attachment'

    @api.model
    def _storage(self):
        """EXTENDS: Keep files in the database during a dry run, where they are rolled back with the rest."""
        return 'db' if is_dry_run(self.env) else super()._storage()

    def _get_path(self, bin_data, sha):
        """EXTENDS: Delete an incomplete file before the same content is written again.

        The incomplete file has the name of the complete one. Core takes it for another file with the same checksum, and
        would refuse the content for good.
        """
        if self.env.context.get('ramp_files'):
            path = self._full_path(f'{sha[:2]}/{sha}')
            with contextlib.suppress(OSError):
                if os.path.getsize(path) < len(bin_data):
                    os.unlink(path)
        return super()._get_path(bin_data, sha)
