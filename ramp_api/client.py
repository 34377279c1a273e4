# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The client of Ramp's API with its methods for callers. `pipeline` has the rest.

Guide followed: "Pagination" (2026-08-01).
"""

import math
from functools import partial
from urllib.parse import urlsplit

from . import files
from .addresses import origin_of_url, rebuild_own_url
from .errors import RampFileError, RampProtocolError
from .paging import LARGEST_PAGE, check_page_size, read_list_page
from .pipeline import RequestCall, RequestPipeline

MAX_FILE_HOPS = 3  # addresses that are tried for one file


class RampClient(RequestPipeline):
    """A connection to one Ramp account. Use one client per thread. For the constructor see RequestPipeline.

    All methods but the lists return decoded JSON, or None if the answer has no content, and raise RampError.
    """

    def get(self, path, params=None):
        """Request an object.

        :param path: str such as '/transactions/<id>'
        :param params: dict | None; None leaves a value out; bool, date, datetime and lists work
        """
        return self._request_with_token('GET', path, params=params)

    def post(self, path, json=None, *, idempotent=False):
        """Create something, or report something to Ramp.

        :param path: str such as '/accounting/syncs'
        :param json: the body, of JSON values
        :param idempotent: bool, repeating it does no harm, so it may be repeated
        """
        return self._request_with_token('POST', path, json=json, idempotent=idempotent)

    def patch(self, path, json=None, *, idempotent=False):
        """Change an object. Parameters: as of `post`."""
        return self._request_with_token('PATCH', path, json=json, idempotent=idempotent)

    def put(self, path, json=None, *, idempotent=False):
        """Replace an object. Parameters: as of `post`."""
        return self._request_with_token('PUT', path, json=json, idempotent=idempotent)

    def delete(self, path, json=None, *, idempotent=False):
        """Delete an object. Parameters: as of `post`."""
        return self._request_with_token('DELETE', path, json=json, idempotent=idempotent)

    def list_pages(self, path, params=None, start_url=None):
        """Yield Page after Page of a list, following `page.next`.

        :param path: str such as '/transactions'
        :param params: dict | None; `page_size` is a number of objects from 2 to 100, 100 unless given
        :param start_url: str | None, a Page.next_url kept from earlier; it replaces params
        :raise RampProtocolError: on a list of the wrong shape, on a next page elsewhere than at Ramp, and on a circle
        :raise ValueError: on another page_size
        """
        params = {'page_size': LARGEST_PAGE, **(params or {})}
        check_page_size(params['page_size'])
        url, seen = start_url, set()
        while True:
            if url is None:
                answer = self._request_with_token('GET', path, params=params)
            else:
                seen.add(url)
                answer = self._request_with_token('GET', None, url=rebuild_own_url(url, self.base_url, path))
            page = read_list_page(answer, path)
            if page.next_url in seen:
                raise RampProtocolError('the list of pages goes in a circle', method='GET', path=path)
            if page.next_url is not None:
                rebuild_own_url(page.next_url, self.base_url, path)  # checked before a caller stores it
            yield page
            if page.next_url is None:
                return
            url = page.next_url

    def list_objects(self, path, params=None):
        """Yield the objects of all pages of a list, each once: pages may overlap, and one may come twice.

        What has no `id` is yielded as often as it comes. Parameters and errors: as of `list_pages`.
        """
        seen = set()
        for page in self.list_pages(path, params):
            for row in page.rows:
                identity = row.get('id') if isinstance(row, dict) else None
                if isinstance(identity, str):
                    if identity in seen:
                        continue
                    seen.add(identity)
                yield row

    def download_file(self, url, max_bytes, allowed_types=None, max_pixels=math.inf):
        """Return the file behind a pre-signed link, requested without our credentials.

        :param url: str
        :param max_bytes: int
        :param allowed_types: iterable of mimetypes, compared with the content, not with the server's header; None: all
        :param max_pixels: int, of a picture, from its header: a few bytes can be decoded to gigabytes
        :return: Download
        :raise RampLinkExpired: get a new link from the receipt
        :raise RampFileError: too large, empty, type not allowed; it names the file
        :raise RampProtocolError: the link leads to a forbidden address, or redirects to another host
        :raise RampConnectionError, RampServerError: as of any request
        """
        for _hop in range(MAX_FILE_HOPS):
            files.check_file_url(url, allow_http=self.allow_http)
            call = RequestCall('GET', url, repeatable=True, path=f'file at {urlsplit(url).hostname}', foreign=True)
            answer = self._attempt_until_answered(partial(self._fetch_file_attempt, call, max_bytes), call)
            if isinstance(answer, files.Download):
                _check_downloaded_file(answer, allowed_types, max_pixels, call)
                return answer
            if origin_of_url(answer) != origin_of_url(url):
                raise RampProtocolError('a redirect to another host', **call.error_facts)
            url = answer
        raise RampProtocolError('too many redirects', **call.error_facts)


def _check_downloaded_file(file, allowed_types, max_pixels, call):
    """Raise RampFileError if the file must not be accepted."""
    if allowed_types is not None and file.mimetype not in set(allowed_types):
        raise RampFileError(f'{file.filename}: files of type {file.mimetype} are not allowed', **call.error_facts)
    width, height = files.read_picture_size(file)
    if width * height > max_pixels:
        raise RampFileError(
            f'{file.filename}: a picture of {width} x {height} pixels, and more than {max_pixels} are not taken',
            **call.error_facts,
        )
