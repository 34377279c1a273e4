# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""What the configuration check asked Ramp, and what it found."""

import dataclasses
import logging

from odoo.exceptions import UserError

from ..ramp_api import PayloadError, RampAuthError, RampError

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class CheckResult:
    """What one check found.

    level: 'ok', 'warning', 'error' or 'unknown'; case_name: which sentence says it; parameters: JSON values for that
    sentence, without secrets; fix_name: what the button of the line does, or False.
    """

    level: str
    case_name: str
    parameters: dict = dataclasses.field(default_factory=dict)
    fix_name: str | bool = False


class RampAnswers:
    """Ramp's answers to the questions of a check. Each question is asked once, before anything is judged.

    A question that fails does not stop the others, unless it is the first one, or Ramp gave no answer, refused the
    credentials or is in trouble. The other questions are then not asked: a person waits.

    trouble: the error that ended the questions, or None; is_reached: bool, whether Ramp answered the last question
    """

    def __init__(self, trouble=None):
        """Create the answers.

        :param trouble: Exception that says why Ramp cannot be asked at all, or None
        """
        self.trouble = trouble
        self.is_reached = False
        self._values = {}
        self._errors = {}

    def ask_question(self, name, request):
        """Ask Ramp, and keep the answer or the error.

        :param name: str, by which `read_answer` finds it
        :param request: () -> the answer; it may raise anything
        """
        if self.trouble:
            return
        try:
            self._values[name] = request()
        except (RampError, PayloadError, UserError) as error:
            self._errors[name] = error
            if isinstance(error, RampError) and (
                error.retryable or isinstance(error, RampAuthError) or not self._values
            ):
                self.trouble = error
        except Exception as error:
            _logger.exception('Configuration check: the question "%s" failed', name)
            self._errors[name] = error

    def has_answer(self, name):
        """Return whether Ramp answered the question."""
        return name in self._values

    def read_answer(self, name):
        """Return the answer to a question.

        :raise Exception: the error of the question, or the trouble because of which it was not asked
        """
        if name in self._values:
            return self._values[name]
        raise self._errors.get(name) or self.trouble or LookupError(name)
