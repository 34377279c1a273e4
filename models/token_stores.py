# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import threading


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


access_tokens = ThreadTokenStores()
