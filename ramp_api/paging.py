# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Pages of a list. Ramp answers every list with `data` and `page.next` (guide "Pagination", 2026-08-01)."""

import dataclasses

from .errors import RampProtocolError

SMALLEST_PAGE, LARGEST_PAGE = 2, 100  # objects; OpenAPI of 2026-08-01, parameter `page_size`


@dataclasses.dataclass(frozen=True)
class Page:
    """One page of a list.

    rows: list, as Ramp sent them (a row may be of any type); next_url: str | None, where the next page is.
    """

    rows: list
    next_url: str | None


def check_page_size(size):
    """Raise ValueError unless `size` is a number of objects (int) that Ramp takes for a page."""
    if not isinstance(size, int) or not SMALLEST_PAGE <= size <= LARGEST_PAGE:
        raise ValueError('page_size must be a whole number from 2 to 100')


def read_list_page(answer, path):
    """Read a page from the answer to GET of a list.

    :param answer: decoded JSON
    :param path: str, of the list, for the error
    :return: Page
    :raise RampProtocolError: if the answer has no data, or does not say where its next page is
    """
    facts = {'method': 'GET', 'path': path}
    if not isinstance(answer, dict) or not isinstance(answer.get('data'), list):
        raise RampProtocolError('the list has no data', **facts)
    page = answer.get('page')
    # Without it the list could end early without anybody noticing.
    if not isinstance(page, dict) or not isinstance(page.get('next'), (str, type(None))):
        raise RampProtocolError('the list does not say where its next page is', **facts)
    return Page(answer['data'], page.get('next') or None)
