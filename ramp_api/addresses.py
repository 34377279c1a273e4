# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Addresses of the API. The token is sent to no other host.

Guide followed: "Pagination" (2026-08-01).
"""

import datetime
from urllib.parse import urlsplit

from .errors import RampProtocolError

_DEFAULT_PORTS = {'https': 443, 'http': 80}


def normalise_base_url(base_url, *, allow_http=False):
    """Return the address under which the paths of the API are, without a slash at its end.

    :param base_url: str, 'https://api.ramp.com' or with its path; '/developer/v1' is added if there is none
    :param allow_http: bool, also take http:// (simulator, custom environment)
    :return: str
    :raise ValueError: if it is no such address
    """
    base_url = base_url.strip()
    parts = urlsplit(base_url)
    if parts.scheme != 'https' and not (parts.scheme == 'http' and allow_http):
        raise ValueError('The address of the API must start with https://')
    if origin_of_url(base_url) is None or parts.query or parts.fragment:
        raise ValueError('The address of the API must be like https://api.ramp.com/developer/v1')
    path = parts.path.rstrip('/')
    if path.endswith('/developer'):
        path += '/v1'
    elif '/developer/' not in path:
        path += '/developer/v1'
    return f'{parts.scheme}://{parts.netloc.lower()}{path}'


def origin_of_url(url):
    """Return the origin of an address.

    :param url: str
    :return: tuple (scheme, host, port), or None if it has no clear one
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    # Parsers disagree about backslashes, spaces and user names, so such an address has no clear host.
    if not parts.hostname or '@' in parts.netloc or any(char == '\\' or ord(char) <= 32 for char in url):
        return None
    return parts.scheme, parts.hostname, port


def address_of_path(path, base_url):
    """Return the address of a path of the API.

    :param path: str such as '/transactions/<id>'
    :param base_url: str, of `normalise_base_url`
    :return: str
    :raise ValueError: if the path would leave the API, or brings a query of its own
    """
    if not path.startswith('/') or any(part in path for part in ('//', '..', '?', '#', '\\')):
        raise ValueError(f'Not a path of the API: {path!r}')
    return base_url + path


def path_of_address(url, base_url):
    """Return the path (str) of an address (str) below `base_url`, as it may be shown: without its query."""
    return urlsplit(url).path.removeprefix(urlsplit(base_url).path)


def rebuild_own_url(url, base_url, path):
    """Return the address of a next page, rebuilt on our own host, so that no odd spelling sends the token elsewhere.

    :param url: str, as Ramp sent it
    :param base_url: str, of `normalise_base_url`
    :param path: str, of the list, for the error
    :return: str
    :raise RampProtocolError: if it is on another host
    """
    if origin_of_url(url) != origin_of_url(base_url):
        raise RampProtocolError(
            'the next page is on another host; the token is not sent there', method='GET', path=path
        )
    parts = urlsplit(url)
    base = urlsplit(base_url)
    return f'{base.scheme}://{base.netloc}{parts.path}' + (f'?{parts.query}' if parts.query else '')


def encode_query_params(params):
    """Return a query as the API reads it: true/false, ISO dates in UTC, lists repeated, None left out.

    :param params: dict | None
    :return: list of pairs (name, text)
    :raise ValueError: on a datetime without a time zone
    """
    pairs = []
    for key, value in (params or {}).items():
        values = value if isinstance(value, (list, tuple)) else [value]
        pairs += [(key, _encode_query_value(item)) for item in values if item is not None]
    return pairs


def _encode_query_value(value):
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            raise ValueError('A datetime for Ramp must have a time zone')
        return value.astimezone(datetime.timezone.utc).isoformat().replace('+00:00', 'Z')
    return value.isoformat() if isinstance(value, datetime.date) else str(value)
