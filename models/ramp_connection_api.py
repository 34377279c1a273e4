# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import os

import requests

from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools import config

from ..ramp_api import RampAuthError, RampClient
from .connection_constants import API_URLS, APP_URLS, OPTIONAL_SCOPES, SCOPES
from .dry_run_cursor import is_dry_run
from .token_stores import SignInKeeper, access_tokens


class RampConnection(models.Model):
    """Access to Ramp's API: the credentials, the address, and a client with the scopes that the connection needs."""

    _inherit = 'ramp.connection'

    @api.depends('client_id', 'client_secret', 'environment')
    def _compute_has_credentials(self):
        for connection in self:
            connection.has_credentials = all(connection._client_credentials())

    def _client_credentials(self):
        """Return the pair (client id, client secret); the server's configuration overrides the database."""
        self.ensure_one()
        return tuple(
            kept or entered
            for kept, entered in zip(self._server_credentials(), (self.client_id, self.client_secret), strict=True)
        )

    def _server_credentials(self):
        """Return the pair of credentials that the server keeps for this connection; None for each one it lacks.

        Environment: RAMP_CLIENT_ID_<database>_<connection id> and RAMP_CLIENT_SECRET_<database>_<connection id>.
        Configuration file: ramp_client_id_<database>_<connection id>, and likewise for the secret. The file works only
        for databases in lower case, because its names have no case. Nothing is returned for the environment "Custom
        address": credentials that are kept for Ramp must not be sent anywhere else.
        """
        self.ensure_one()
        if self.environment == 'custom' or not self._origin.id:
            return None, None
        names = self._server_names()
        is_in_file = self.env.cr.dbname == self.env.cr.dbname.lower()
        return tuple(os.environ.get(name) or is_in_file and config.get(name.lower()) or None for name in names)

    def _server_names(self):
        """Return the names of the environment variables for the client id and secret of this connection."""
        return tuple(
            f'{name}_{self.env.cr.dbname}_{self._origin.id}' for name in ('RAMP_CLIENT_ID', 'RAMP_CLIENT_SECRET')
        )

    def _api_url(self):
        self.ensure_one()
        return self.api_url if self.environment == 'custom' else API_URLS[self.environment]

    def _app_url(self):
        """Return the address of Ramp for users, or None: a custom address has no pages to link to."""
        self.ensure_one()
        return APP_URLS.get(self.environment)

    def _run_client(self):
        """Return a client for a run, with credentials that are verified for the connection's Ramp business.

        :raise UserError: if there are no credentials, or if they are not verified yet (see `_check_business`)
        """
        client = self._new_client()
        self._check_verified_credentials()
        return client

    def _new_client(self, **options):
        """Return a client with the current credentials, verified or not.

        :param options: more arguments for `RampClient`, for example another token store
        :raise UserError: if there are no credentials
        """
        self.ensure_one()
        self._check_database()
        # No code of a flow has to know that nothing may be sent
        options['read_only'] = options.get('read_only', False) or is_dry_run(self.env)
        # sudo: only system administrators may read the credentials. Users who may sync use them without seeing them.
        connection = self.sudo()
        client_id, client_secret = connection._client_credentials()
        if not (client_id and client_secret):
            if self.environment == 'custom':
                raise UserError(
                    self.env._(
                        'Connection %s has no client id and secret. A system administrator has to enter them (in '
                        'Ramp: Company > Developer).',
                        self.name,
                    )
                )
            raise UserError(
                self.env._(
                    'Connection %(name)s has no client id and secret. A system administrator has to enter them (in '
                    "Ramp: Company > Developer), or store them in the server's environment as %(client_id)s and "
                    '%(client_secret)s.',
                    name=self.name,
                    **dict(zip(('client_id', 'client_secret'), connection._server_names(), strict=True)),
                )
            )
        url = connection._api_url()
        sign_in = connection.sign_in_id
        options.setdefault('sign_in', SignInKeeper(self.env.registry, sign_in.id) if sign_in else None)
        options.setdefault(
            'token_store',
            access_tokens.store_for(
                (self.env.cr.dbname, self.id, url, client_id, client_secret, connection._required_scopes(), sign_in.id)
            ),
        )
        try:
            return RampClient(
                url,
                client_id,
                client_secret,
                scopes=connection._required_scopes(),
                allow_http=self.environment == 'custom',
                session=requests.Session(),
                **options,
            )
        # An earlier version accepted such addresses
        except ValueError as error:
            raise UserError(
                self.env._(
                    'Connection %(name)s, field "API Address": Odoo cannot use this address. %(error)s',
                    name=self.name,
                    error=error,
                )
            ) from error

    def _required_scopes(self):
        """Return the scopes that this connection needs in Ramp."""
        self.ensure_one()
        return (*SCOPES, *(scope for field, scopes in OPTIONAL_SCOPES.items() if self[field] for scope in scopes))

    def _explain_error(self, error):
        """Return a sentence for a Ramp error that names the connection and the remedy."""
        if isinstance(error, RampAuthError):
            return self.env._(
                'Connection %(name)s: Ramp refused the client id and secret (%(error)s). Check them, and check that '
                'the app belongs to the chosen environment and allows the grant "client credentials".',
                name=self.name,
                error=error,
            )
        return self.env._('Connection %(name)s: %(error)s', name=self.name, error=error)
