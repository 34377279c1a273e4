# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from markupsafe import Markup

from odoo import api, fields, models

from .ledger_json import json_leaves

# Bookkeeping keys: their changes mean nothing to a person who compares two versions of an object
BOOKKEEPING_KEYS = ('erased_at', 'sync_status', 'synced_at', 'updated_at', 'deep_link_url', 'statement_id')


class RampRecord(models.Model):
    """The page of a row: what Ramp sent, and what Ramp changed later, in words."""

    _inherit = 'ramp.record'

    # It is made for the form, one row at a time. `sanitize` is off because every value in it is escaped.
    details_table = fields.Html(string='Details', compute='_compute_details_table', sanitize=False)
    late_changes = fields.Text(string='What Changed in Ramp', compute='_compute_late_changes')

    # ------------------------------------------------------------------ two versions

    def _compare_versions(self, must_differ=False):
        """Return what a person reads of both versions of the object.

        :param must_differ: whether the payloads as Ramp spells them are better than words that do not differ
        :return: ({key: label}, {key: text of the payload}, {key: text of the late payload}), in the order of the page
        """
        self.ensure_one()
        flow = self.env[f'ramp.flow.{self.flow}']
        before, after = (
            flow._describe_payload(self.connection_id, payload) if payload else {}
            for payload in (self.payload, self.late_payload)
        )
        if not before or after is None or must_differ and before == after:
            return self._compare_leaves()
        labels = {key: label for part in (after, before) for key, (label, _text) in part.items()}
        keys = dict.fromkeys([*before, *after])
        return (
            {key: labels[key] for key in keys},
            {key: text for key, (_label, text) in before.items()},
            {key: text for key, (_label, text) in after.items()},
        )

    def _compare_leaves(self):
        """Return the same as `_compare_versions` of the payloads as Ramp spells them.

        It is for what cannot be read, and for a change that changes nothing in words.
        """
        before, after = (
            {
                key: str(leaf)
                for key, leaf in (json_leaves(payload) if payload else {}).items()
                if leaf not in (None, '', [], {}) and key.rpartition('.')[2] not in BOOKKEEPING_KEYS
            }
            for payload in (self.payload, self.late_payload)
        )
        return {key: key for key in sorted({*before, *after})}, before, after

    @api.depends('payload', 'late_payload')
    @api.depends_context('lang')
    def _compute_late_changes(self):
        for record in self:
            if not record.late_payload:
                record.late_changes = False
                continue
            labels, before, after = record._compare_versions(must_differ=True)
            nothing = self.env._('(nothing)')
            record.late_changes = '\n'.join(
                self.env._(
                    '%(field)s: %(before)s, now %(after)s',
                    field=label,
                    before=before.get(key, nothing),
                    after=after.get(key, nothing),
                )
                for key, label in labels.items()
                if before.get(key) != after.get(key)
            )

    # ------------------------------------------------------------------ the table

    @api.depends('payload', 'late_payload', 'res_id')
    @api.depends_context('lang')
    def _compute_details_table(self):
        for record in self:
            record.details_table = record._make_details_table() if record.payload and not record.remote_id else False

    def _make_details_table(self):
        """Return the table of the page (Markup). All texts in it are escaped."""
        labels, before, after = self._compare_versions()
        has_late = bool(self.late_payload)
        heads = [
            self.env._('What'),
            self.env._('As posted') if has_late else self.env._('As Ramp sent it'),
            *((self.env._('Now in Ramp'),) if has_late else ()),
        ]
        rows = [
            self._make_details_row(label, before.get(key, ''), *((after.get(key, ''),) if has_late else ()))
            for key, label in labels.items()
        ]
        files = self._get_file_links()
        if files:
            rows.append(
                Markup('<tr><th scope="row">%s</th><td colspan="%s">%s</td></tr>')
                % (self.env._('Files'), len(heads) - 1, Markup('<br/>').join(files))
            )
        return Markup(
            '<table class="table table-sm o_ramp_details"><thead><tr>%s</tr></thead><tbody>%s</tbody></table>'
        ) % (Markup('').join(Markup('<th scope="col">%s</th>') % head for head in heads), Markup('').join(rows))

    def _make_details_row(self, label, *texts):
        """Return one row of the table. What differs has a mark that does not depend on colour."""
        is_changed = len(set(texts)) > 1
        mark = (
            Markup(' <span class="badge text-bg-warning">%s</span>') % self.env._('Changed')
            if is_changed
            else Markup('')
        )
        return Markup('<tr class="%s"><th scope="row">%s%s</th>%s</tr>') % (
            'o_ramp_changed table-warning fw-bold' if is_changed else '',
            label,
            mark,
            Markup('').join(Markup('<td>%s</td>') % text for text in texts),
        )

    def _get_file_links(self):
        """Return a link (Markup) to each file of the object that the user may read."""
        parent = self.env[f'ramp.flow.{self.flow}']._get_files_parent_id(self)
        if not parent:
            return []
        rows = self.search(
            [
                ('connection_id', '=', self.connection_id.id),
                ('parent_ramp_id', '=', parent),
                ('res_model', '=', 'ir.attachment'),
            ],
            order='id',
        )
        ids = []
        for row in rows:
            # A row notes what it attached to which document. The files of a bill share one row.
            noted = (row._read_note().files or {}).get(f'{self.res_model},{self.res_id}') or {}
            ids += list(noted.values()) or [row.res_id]
        files = self.env['ir.attachment'].browse(dict.fromkeys(ids)).exists()._filtered_access('read')
        return [Markup('<a href="/web/content/%s" target="_blank">%s</a>') % (file.id, file.name) for file in files]
