# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.tools import SQL


class RampBankAccount(models.Model):
    """A bank account that Ramp pays from, with the journal of these payments.

    Without a journal here, the payment journal of the connection is used.
    """

    _name = 'ramp.bank.account'
    _inherit = 'ramp.mapped'
    _description = 'Ramp Bank Account'
    _order = 'name, id'
    _check_company_auto = True

    connection_id = fields.Many2one('ramp.connection', required=True, readonly=True, ondelete='cascade')
    company_id = fields.Many2one(related='connection_id.company_id')
    ramp_id = fields.Char(string='Ramp ID', required=True, readonly=True)
    name = fields.Char(string='Bank Account', readonly=True, help='The name in Ramp. Not every account has one there.')
    last_four = fields.Char(string='Last Digits', readonly=True)
    journal_id = fields.Many2one(
        'account.journal',
        check_company=True,
        domain=[('type', 'in', ('bank', 'cash'))],
        help='Payments from this bank account are posted here from now on. Empty: in the payment journal of the '
        'connection.',
    )

    _once = models.UniqueIndex('(connection_id, ramp_id)', 'This Ramp bank account already has a row.')

    @api.model
    def _learn_accounts(self, connection, accounts):
        """Create or update a row for each of these bank accounts, with the name that Ramp has now.

        Two jobs may do this for the same account at the same moment.

        :param accounts: {Ramp id: `ramp_api.BankAccount`, or None if only the id is known}
        """
        if not accounts:
            return
        self.env.cr.execute(
            SQL(
                """
            INSERT INTO ramp_bank_account AS a (
                connection_id, ramp_id, name, last_four, create_uid, write_uid, create_date, write_date)
            SELECT %(connection)s, v.*, %(uid)s, %(uid)s, %(now)s, %(now)s
              FROM unnest(%(ids)s::varchar[], %(names)s::varchar[], %(digits)s::varchar[]) AS v
            ON CONFLICT (connection_id, ramp_id) DO UPDATE
               SET name = excluded.name, last_four = excluded.last_four, write_date = excluded.write_date
             WHERE excluded.name IS NOT NULL AND (a.name, a.last_four) IS DISTINCT FROM (excluded.name, excluded.last_four)
            """,
                connection=connection.id,
                uid=self.env.uid,
                now=self.env.cr.now(),
                ids=list(accounts),
                names=[account and account.name for account in accounts.values()],
                digits=[account and account.last_four for account in accounts.values()],
            )
        )
        self.invalidate_model(['name', 'last_four'])
        connection.invalidate_recordset(['bank_account_ids'])

    @api.model
    def _journals_of(self, connection, ramp_ids):
        """Return {Ramp id of a bank account: its journal} for the accounts that have a journal.

        Accounts that are new to the connection get a row.
        """
        wanted = {ramp_id for ramp_id in ramp_ids if ramp_id}
        known = (
            self.search_fetch(
                [('connection_id', '=', connection.id), ('ramp_id', 'in', list(wanted))], ['ramp_id', 'journal_id']
            )
            if wanted
            else self
        )
        self._learn_accounts(connection, dict.fromkeys(wanted - set(known.mapped('ramp_id'))))
        return {account.ramp_id: account.journal_id for account in known if account.journal_id}
