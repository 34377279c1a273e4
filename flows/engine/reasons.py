# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Why an object is not posted now: what the planning of a flow raises."""

import contextlib
import dataclasses

from odoo.tools import LazyTranslate

from ...models.reason import ALL_ARGUMENTS, Cause, Sentence, join_texts

_lt = LazyTranslate(__name__)

__all__ = ['ALL_ARGUMENTS', 'Behind', 'Held', 'HoldCollector', 'Reason', 'Skipped', 'Waiting', 'hold_missing_setting']

MISSING_SETTINGS = {
    'bill_journal_id': _lt('The connection %(connection)s has no bill journal. Choose one.'),
    'card_journal_id': _lt('The connection %(connection)s has no card journal with a default account. Choose one.'),
    'cashback_account_id': _lt('The connection %(connection)s has no account for cashback. Choose one.'),
    'payment_journal_id': _lt('The connection %(connection)s has no payment journal. Choose one.'),
    'ramp_entity_id': _lt('The connection %(connection)s has no Ramp entity for purchase orders. Choose one.'),
    'ramp_partner_id': _lt('The connection %(connection)s has no partner under "Ramp as a Vendor". Choose one.'),
}


class Reason(Exception):
    """Why an object is not posted now.

    :param text: a sentence, see `Sentence.of`
    """

    def __init__(self, text):
        super().__init__(text)
        self.causes = [Cause.of(text)]

    def __str__(self):
        return self.in_language(None)

    def in_language(self, lang):
        """Return the reason as text in a language (code; empty: English)."""
        return join_texts(self.causes, lang)


class Held(Reason):
    """A person has to settle something first. The text says what, for an accountant and for Ramp's export errors.

    :param move: the document in Odoo that prevents the posting, if there is one
    :param kind: which button settles it, see `ramp.cause`
    :param by: names of the arguments of the text that all objects with this cause have in common, or `ALL_ARGUMENTS`
    :param title: the sentence about all objects with this cause, if `by` does not make it
    :param about: what the button needs, of JSON values
    """

    def __init__(self, text, move=None, *, kind=None, by=(), title=None, **about):
        super().__init__(text)
        self.move = move
        self.causes = [Cause.of(text, kind, by, about, title)]

    @classmethod
    def for_all(cls, reasons):
        """Return one reason that contains all of these."""
        together = cls(reasons[0].causes[0].text, next((reason.move for reason in reasons if reason.move), None))
        together.causes = [cause for reason in reasons for cause in reason.causes]
        return together

    def inside(self, wrap):
        """Return this reason in sentences that say which part of the object it is about.

        The causes stay the same, as it does not matter for a remedy which line it was.

        :param wrap: function that returns the sentence about the part for a sentence of this reason
        """
        causes = [dataclasses.replace(cause, text=Sentence.of(wrap(cause.text))) for cause in self.causes]
        outer = Held(causes[0].text, self.move)
        outer.causes = causes
        return outer


class HoldCollector:
    """Collects the reasons why one object is on hold, so that a person sees all of them at once."""

    def __init__(self):
        self.reasons = []

    @contextlib.contextmanager
    def collect(self):
        """Run a step of planning. What it needs from a step that failed has to be checked by the caller."""
        try:
            yield
        except Held as reason:
            self.reasons.append(reason)

    def check(self):
        """:raise Held: if there are reasons; it contains all of them"""
        if self.reasons:
            raise type(self.reasons[0]).for_all(self.reasons)


class Waiting(Reason):
    """Ramp has not finished the object yet. Nothing is wrong."""


class Behind(Exception):
    """Another object of the same batch has to be posted first. Then this one is planned again."""


class Skipped(Reason):
    """A rule keeps the object out of the books. The text names the rule."""


def hold_missing_setting(connection, field):
    """Return the `Held` of all objects that need a setting which the connection does not have.

    :param field: name of the field of the connection, one of `MISSING_SETTINGS`
    """
    text = Sentence.of(MISSING_SETTINGS[field], connection=connection.name)
    return Held(text, kind='setting', by=('connection',), field=field)
