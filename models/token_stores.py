# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import threading


class ThreadTokenStores:
    """Access tokens, per process and never in the database: minting one again costs a single request.

    A key holds everything that a token depends on, so that a changed secret never meets an old token.
    """

    def __init__(self):
        self._tokens = {}
        self._lock = threading.Lock()

    def store_for(self, key):
        """The token store of a key, with what `RampClient` asks of one: `get`, `set` and `clear`."""
        stores, lock = self._tokens, self._lock

        class TokenStore:
            def get(self):
                return stores.get(key)

            def set(self, token):
                with lock:
                    stores[key] = token

            def clear(self):
                with lock:
                    stores.pop(key, None)

        return TokenStore()


access_tokens = ThreadTokenStores()
