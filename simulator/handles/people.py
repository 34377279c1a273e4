"""Users, as they and their administrators change them."""

from ..endpoints import users


class PeopleHandles:
    def add_user(self, first_name='Ada', last_name='Lovelace', email='ada@example.com', **values):
        """A user; see `endpoints.users.make_user` for the values. Returns the id."""
        with self.state.lock:
            return users.make_user(self.state, first_name, last_name, email, **values)['id']

    def update_user(self, ident, **changes):
        """Change wire fields of a user; an invitation is accepted by the status USER_ACTIVE."""
        with self.state.lock:
            return users.change_user(self.state, ident, **changes)

    def finish_tasks(self, task=None, error=None):
        """Finish a deferred task, or all of them; see `endpoints.users.finish_tasks`. Returns their ids."""
        with self.state.lock:
            return users.finish_tasks(self.state, task, error)

    @property
    def mails(self):
        """What Ramp would have sent to people: [{"kind", "to", "time"}]."""
        return self.state.mails
