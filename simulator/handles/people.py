"""Users, changed by themselves and by their administrators."""

from ..endpoints import users


class PeopleHandles:
    def add_user(self, first_name='Ada', last_name='Lovelace', email='ada@example.com', **values):
        """Add a user and return the id. `values`: parameters of `endpoints.users.make_user`."""
        with self.state.lock:
            return users.make_user(self.state, first_name, last_name, email, **values)['id']

    def update_user(self, ident, **changes):
        """Change fields of a user. The status USER_ACTIVE accepts an invitation."""
        with self.state.lock:
            return users.change_user(self.state, ident, **changes)

    def finish_user_tasks(self, task=None, error=None):
        """Finish a deferred task, or all of them. Return their ids; see `endpoints.users.finish_user_tasks`."""
        with self.state.lock:
            return users.finish_user_tasks(self.state, task, error)

    @property
    def sent_mails(self):
        """Return the emails that Ramp would have sent: [{"kind", "to", "time"}]."""
        return self.state.mails
