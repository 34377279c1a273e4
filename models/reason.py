# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Why an object is not posted, as data: sentences that can be read in any language, and causes that objects share."""

import dataclasses
import datetime
import hashlib
import json
from collections.abc import Iterable, Mapping

from odoo.tools.translate import LazyGettext, get_translation

ADDON = 'ramp_connector'
ALL_ARGUMENTS = '*'
LEFT_OPEN = '…'  # stands in a title for what differs from object to object


@dataclasses.dataclass(frozen=True)
class Sentence:
    """A sentence of the addon with its arguments. It can be stored, and read in any language.

    source: the English text, with placeholders for the arguments
    args: {name: argument} or list of arguments; each a str, a list of str, a day (date), or a `Sentence`
    """

    source: str
    args: Mapping | list = ()

    @classmethod
    def of(cls, text, **args):
        """Return the sentence of a text.

        :param text: what `LazyTranslate` returns, a `Sentence`, or a str that is kept as it is
        :param args: arguments of the sentence, where the text has its placeholders only
        """
        if args:
            return cls(cls.of(text).source, {name: _as_argument(value) for name, value in args.items()})
        if isinstance(text, cls):
            return text
        if not isinstance(text, LazyGettext):
            return cls(str(text))
        args = text._args
        if isinstance(args, Mapping):
            return cls(text._source, {name: _as_argument(value) for name, value in args.items()})
        return cls(text._source, [_as_argument(value) for value in args])

    def __str__(self):
        return self.in_language(None)

    def in_language(self, lang, as_day=str):
        """Return the text.

        :param lang: code of a language; empty: English
        :param as_day: function that returns a day (date) as text; default: ISO 8601, as in what is stored and sent
        """

        def read(value):
            if isinstance(value, Sentence):
                return value.in_language(lang, as_day)
            return as_day(value) if isinstance(value, datetime.date) else value

        args = self.args
        if isinstance(args, Mapping):
            args = {name: read(value) for name, value in args.items()}
        else:
            args = tuple(map(read, args))
        return get_translation(ADDON, lang or 'en_US', self.source, args)

    def with_open(self, names):
        """Return the sentence with `LEFT_OPEN` in place of all arguments but these.

        :param names: names of the arguments that stay, or `ALL_ARGUMENTS`
        """
        if names == ALL_ARGUMENTS:
            return self
        if isinstance(self.args, Mapping):
            return Sentence(
                self.source, {name: value if name in names else LEFT_OPEN for name, value in self.args.items()}
            )
        return Sentence(self.source, [LEFT_OPEN for _value in self.args])

    def to_json(self):
        def write(value):
            if isinstance(value, Sentence):
                return value.to_json()
            return {'day': value.isoformat()} if isinstance(value, datetime.date) else value

        if isinstance(self.args, Mapping):
            return {'text': self.source, 'args': {name: write(value) for name, value in self.args.items()}}
        return {'text': self.source, 'args': [write(value) for value in self.args]}

    @classmethod
    def from_json(cls, value):
        def read(part):
            if not isinstance(part, Mapping):
                return part
            return datetime.date.fromisoformat(part['day']) if 'day' in part else cls.from_json(part)

        args = value['args']
        if isinstance(args, Mapping):
            return cls(value['text'], {name: read(part) for name, part in args.items()})
        return cls(value['text'], [read(part) for part in args])


def _as_argument(value):
    if isinstance(value, LazyGettext | Sentence):
        return Sentence.of(value)
    causes = getattr(value, 'causes', ())
    if len(causes) == 1:  # a reason inside a reason: it is read in the language of the outer one
        return causes[0].text
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [str(part) for part in value]
    return str(value)


@dataclasses.dataclass(frozen=True)
class Cause:
    """Why an object is on hold. Objects with the same cause are settled together.

    text: the sentence about this object
    title: the sentence about all objects with this cause
    kind: which button settles the cause, see `ramp.cause`; None: there is none
    about: what the button needs, of JSON values
    """

    text: Sentence
    title: Sentence
    kind: str | None = None
    about: Mapping = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, text, kind=None, by=(), about=None, title=None):
        """Return the cause that a sentence names.

        :param text: see `Sentence.of`
        :param title: the sentence about all objects with this cause; default: the same, as `by` says
        :param by: names of the arguments that all objects with this cause have in common, or `ALL_ARGUMENTS`
        """
        text = Sentence.of(text)
        return cls(text, Sentence.of(title) if title else text.with_open(by), kind, about or {})

    def identity(self, connection_id):
        """Return the id of the cause in the database: a positive integer of 31 bits, the same in every process."""
        known = json.dumps(
            [connection_id, self.kind, self.title.to_json(), dict(self.about)], sort_keys=True, ensure_ascii=True
        )
        return int.from_bytes(hashlib.sha256(known.encode()).digest()[:4], 'big') >> 1 or 1

    def to_json(self, connection_id):
        return {
            'id': self.identity(connection_id),
            'text': self.text.to_json(),
            'title': self.title.to_json(),
            'kind': self.kind,
            'about': dict(self.about),
        }

    @classmethod
    def from_json(cls, value):
        return cls(Sentence.from_json(value['text']), Sentence.from_json(value['title']), value['kind'], value['about'])


def text_digest(text):
    """Return the MD5 digest of a text, as the database computes it. It only tells one text from another."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def join_texts(causes, lang, as_day=str):
    """Return the sentences of several causes, one on each line and each once.

    :param causes: iterable of `Cause`
    :param as_day: see `Sentence.in_language`
    """
    return '\n'.join(dict.fromkeys(cause.text.in_language(lang, as_day) for cause in causes))
