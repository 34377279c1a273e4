"""What tests read: the requests that came, what was synced, and what went wrong inside."""

from collections import Counter

from ..routes import API


class RequestLog:
    def write_calls(self):
        """Calls that may have changed something at Ramp."""
        return [
            entry
            for entry in self.requests
            if entry['method'] != 'GET'
            and entry['path'].startswith(API)
            and not entry['path'].startswith(API + '/token')
        ]

    def counts(self):
        """Requests per "METHOD /path"."""
        return Counter(f'{entry["method"]} {entry["path"]}' for entry in self.requests)

    def successes(self, sync_type=None):
        """{object id: [reference_id, ...]} of every success accepted; more than one is a double effect.

        Bills and their payments share ids: for them name the `sync_type`.
        """
        found = {}
        for entry in self.state.journal:
            if entry['ok'] and sync_type in (None, entry['sync_type']):
                found.setdefault(entry['id'], []).append(entry['reference_id'])
        return found

    def export_errors(self, ident):
        return self.state.export_errors.get(ident, [])

    @property
    def problems(self):
        """{kind of problem: transaction id} of a seed with `problems=True`."""
        return self.state.problems

    def assert_clean(self):
        """Neither an answer off the contract, nor an error inside, nor a token sent to a file's storage."""
        trouble = self.contract_violations + self.errors
        if self.leaked_tokens:
            trouble.append(f'{self.leaked_tokens} tokens were sent to pre-signed links')
        if trouble:
            raise AssertionError('\n'.join(map(str, trouble)))
