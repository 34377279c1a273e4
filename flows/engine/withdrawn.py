# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""What becomes of the documents of an object whose synchronization is undone (`ramp.undo`)."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Withdrawn:
    """What became of the document of an object whose synchronization is undone.

    - outcome: value of `ramp.undo.line.outcome`
    - words: sentence for the person who looks at the result
    """

    outcome: str
    words: str

    @classmethod
    def together(cls, parts):
        """Return what became of an object that has several documents: the outcome of the first, all sentences."""
        return cls(parts[0].outcome, ' '.join(dict.fromkeys(part.words for part in parts)))
