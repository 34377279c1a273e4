# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import threading

from odoo.tools import SQL


class ThreadTokenStores:
    """Access tokens, kept in the process and never in the database: a new one costs a single request.

    A key holds everything that a token depends on, so a token is never used with another secret than its own.
    """

    def __init__(self):
        self._tokens = {}
        self._lock = threading.Lock()

    def store_for(self, key):
        """Return the token store of a key, with what `RampClient` needs: `read_token`, `store_token`, `forget_token`."""
        stores, lock = self._tokens, self._lock

        class TokenStore:
            def read_token(self):
                return stores.get(key)

            def store_token(self, token):
                with lock:
                    stores[key] = token

            def forget_token(self):
                with lock:
                    stores.pop(key, None)

        return TokenStore()


class SignInKeeper:
    """Keeps the refresh token of a sign-in in the database, for `RampClient`.

    Each access has a transaction of its own. Ramp may replace the token and does not know the old one then, so the new
    one is committed whatever becomes of the job. A token that another process has replaced meanwhile stays.
    """

    def __init__(self, registry, sign_in_id):
        """Create a keeper.

        :param registry: registry of the database
        :param sign_in_id: id of the `ramp.sign.in`, which is committed
        """
        self._registry, self._sign_in_id = registry, sign_in_id

    def read_refresh_token(self):
        """Return the refresh token as it is now, or None."""
        with self._registry.cursor() as cr:
            cr.execute(SQL('SELECT refresh_token FROM ramp_sign_in WHERE id = %s', self._sign_in_id))
            row = cr.fetchone()
        return row[0] if row else None

    def replace_refresh_token(self, old, new):
        """Store a refresh token in the place of another one, if that is still there."""
        with self._registry.cursor() as cr:
            cr.execute(
                SQL(
                    'UPDATE ramp_sign_in SET refresh_token = %s WHERE id = %s AND refresh_token = %s',
                    new,
                    self._sign_in_id,
                    old,
                )
            )


access_tokens = ThreadTokenStores()
