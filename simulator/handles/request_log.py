"""What tests read: received requests, synced objects, and errors."""

from collections import Counter

from ..routes import API


class RequestLog:
    def list_write_calls(self):
        """Return the calls that may have changed something in Ramp."""
        return [
            entry
            for entry in self.requests
            if entry['method'] != 'GET'
            and entry['path'].startswith(API)
            and not entry['path'].startswith(API + '/token')
        ]

    def count_requests(self):
        """Return the number of requests per "METHOD /path"."""
        return Counter(f'{entry["method"]} {entry["path"]}' for entry in self.requests)

    def list_successes(self, sync_type=None):
        """Return {object id: [reference_id, ...]} of all accepted successes. More than one means a duplicate.

        Bills and their payments share ids, so give the `sync_type` for them.
        """
        found = {}
        for entry in self.state.journal:
            if entry['ok'] and sync_type in (None, entry['sync_type']):
                found.setdefault(entry['id'], []).append(entry['reference_id'])
        return found

    def list_export_errors(self, ident):
        return self.state.export_errors.get(ident, [])

    @property
    def seed_problems(self):
        """Return {kind of problem: transaction id} of a seed with `problems=True`."""
        return self.state.problems

    def assert_clean(self):
        """Assert that no answer broke the contract, no handler failed, and no token was sent to a file's storage."""
        trouble = self.contract_violations + self.errors
        if self.leaked_tokens:
            trouble.append(f'{self.leaked_tokens} tokens were sent to pre-signed links')
        if trouble:
            raise AssertionError('\n'.join(map(str, trouble)))
