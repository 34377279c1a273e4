# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Files behind pre-signed links: which addresses may be asked, and the type of what they send.

Schema Receipt, `receipt_url` (2026-08-01).
"""

import dataclasses
import ipaddress
import mimetypes
import re
import socket
import struct
from email.message import Message
from urllib.parse import unquote, urlsplit

from .errors import RampProtocolError

_MAX_NAME = 120
_EXTENSIONS = {
    'application/pdf': ('.pdf',),
    'image/png': ('.png',),
    'image/jpeg': ('.jpg', '.jpeg'),
    'image/gif': ('.gif',),
    'image/webp': ('.webp',),
    'image/heic': ('.heic', '.heif'),
}
_XML_EXTENSIONS = dict.fromkeys(
    ('application/xml', 'text/xml'), ('.xml',)
)  # by the header only: a declaration is optional
_HEIC_HEADER = 65536  # bytes that contain the size of a picture
_HEIC_BRANDS = (b'heic', b'heix', b'hevc', b'heim', b'heis', b'mif1', b'msf1')


@dataclasses.dataclass(frozen=True)
class Download:
    """A file that was downloaded.

    content: bytes; mimetype: str, by the content itself where it can be told; filename: str, safe, with extension.
    """

    content: bytes = dataclasses.field(repr=False)
    mimetype: str
    filename: str


def check_file_url(url, *, allow_http=False):
    """Raise RampProtocolError unless a link is https on a public host.

    A link comes from outside and must not make this server send requests into its own network. The name may resolve
    differently for the connection, but then the certificate would not match.

    :param url: str
    :param allow_http: bool, skips all these checks (simulator, custom environment)
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 443
    except (ValueError, TypeError, AttributeError):
        raise RampProtocolError('the link to the file is not an address') from None
    if not host or '@' in parts.netloc or '\\' in url or parts.scheme not in ('https', 'http'):
        raise RampProtocolError('the link to the file is not a plain web address')
    if allow_http:
        return
    if parts.scheme != 'https':
        raise RampProtocolError('the link to the file is not https')
    if _is_ip_address(host):
        raise RampProtocolError('the link to the file names an IP address instead of a host')
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return  # it cannot connect either, unless a proxy resolves the name
    for *_rest, address in found:
        ip = ipaddress.ip_address(address[0])
        ip = getattr(ip, 'ipv4_mapped', None) or ip
        if not ip.is_global or ip.is_multicast:
            raise RampProtocolError('the link to the file leads into a private network')


def sniff_file_mimetype(content):
    """Return the mimetype (str) of a content by its first bytes.

    :param content: bytes
    :return: str, None if it is none of the usual kinds of a receipt or an invoice
    """
    if content.startswith(b'%PDF-'):
        return 'application/pdf'
    if content.startswith(b'\x89PNG\r\n\x1a\n'):
        return 'image/png'
    if content.startswith(b'\xff\xd8\xff'):
        return 'image/jpeg'
    if content.startswith((b'GIF87a', b'GIF89a')):
        return 'image/gif'
    if content.startswith(b'RIFF') and content[8:12] == b'WEBP':
        return 'image/webp'
    if content[4:8] == b'ftyp' and content[8:12] in _HEIC_BRANDS:
        return 'image/heic'
    if content.removeprefix(b'\xef\xbb\xbf').startswith(b'<?xml'):
        return 'application/xml'
    return None


def build_file_download(content, headers, url):
    """Return the file of an answer.

    :param content: bytes
    :param headers: mapping, of the answer
    :param url: str, its address
    :return: Download
    """
    mimetype = sniff_file_mimetype(content)
    if mimetype is None:
        mimetype = (headers.get('Content-Type') or '').partition(';')[0].strip().lower()
        if mimetype in _EXTENSIONS or not re.fullmatch(r'[\w.+-]+/[\w.+-]+', mimetype, re.ASCII):
            mimetype = 'application/octet-stream'  # the header says picture, but the content is none
    return Download(content, mimetype, _choose_safe_file_name(headers, url, mimetype))


def read_picture_size(download):
    """Return the size of a picture from its header, and the largest if it has several.

    Nothing is decoded. A broken file does not raise.

    :param download: Download
    :return: tuple (width, height) in pixels; (0, 0) for other files, and if the header has no size
    """
    size = _PIXEL_SIZE_READERS.get(download.mimetype)
    try:
        return size(download.content) if size else (0, 0)
    except (struct.error, IndexError, ValueError):  # cut off
        return 0, 0


def _read_png_pixel_size(content):
    return struct.unpack_from('>II', content, 16)


def _read_jpeg_pixel_size(content):
    width, height, place = 0, 0, 2
    while place + 4 <= len(content):
        if content[place] != 0xFF:
            place = content.find(0xFF, place)
            if place < 0:
                break
            continue
        marker = content[place + 1]
        if marker == 0xFF or marker in range(0xD0, 0xD9) or marker in (0x00, 0x01):
            place += 1 if marker == 0xFF else 2
            continue
        if marker == 0xDA:  # the pixels begin
            break
        if marker in range(0xC0, 0xD0) and marker not in (0xC4, 0xC8, 0xCC):
            high, wide = struct.unpack_from('>HH', content, place + 5)
            width, height = max(width, wide), max(height, high)
        place += 2 + struct.unpack_from('>H', content, place + 2)[0]
    return width, height


def _read_gif_pixel_size(content):
    """Return the size of the screen or of the largest frame: a frame may be larger than its screen."""
    width, height, flags = struct.unpack_from('<HHB', content, 6)
    place = 13 + _count_gif_palette_bytes(flags)
    while place < len(content):
        if content[place] == 0x2C:
            left, top, wide, high, flags = struct.unpack_from('<HHHHB', content, place + 1)
            width, height = max(width, left + wide), max(height, top + high)
            place = _find_gif_blocks_end(content, place + 11 + _count_gif_palette_bytes(flags))
        elif content[place] == 0x21:
            place = _find_gif_blocks_end(content, place + 2)
        else:
            break
    return width, height


def _count_gif_palette_bytes(flags):
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _find_gif_blocks_end(content, place):
    while content[place]:
        place += 1 + content[place]
    return place + 1


def _read_webp_pixel_size(content):
    kind = content[12:16]
    if kind == b'VP8X':
        return (int.from_bytes(content[24:27], 'little') + 1, int.from_bytes(content[27:30], 'little') + 1)
    if kind == b'VP8L':
        bits = struct.unpack_from('<I', content, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    wide, high = struct.unpack_from('<HH', content, 26)
    return wide & 0x3FFF, high & 0x3FFF


def _read_heic_pixel_size(content):
    """Return the largest size in the boxes `ispe`: of the whole, its tiles and its previews."""
    width = height = 0
    for place in (found.end() for found in re.finditer(b'ispe', content[:_HEIC_HEADER])):
        wide, high = struct.unpack_from('>II', content, place + 4)
        width, height = max(width, wide), max(height, high)
    return width, height


_PIXEL_SIZE_READERS = {
    'image/png': _read_png_pixel_size,
    'image/jpeg': _read_jpeg_pixel_size,
    'image/gif': _read_gif_pixel_size,
    'image/webp': _read_webp_pixel_size,
    'image/heic': _read_heic_pixel_size,
}


def _is_ip_address(host):
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def _choose_safe_file_name(headers, url, mimetype):
    message = Message()
    message['Content-Disposition'] = (headers.get('Content-Disposition') or '').replace('\r', ' ').replace('\n', ' ')
    name = message.get_filename() or unquote(urlsplit(url).path.rpartition('/')[2])
    name = re.sub(r'[^\w .()-]', '_', re.split(r'[/\\]', name)[-1]).strip(' .')[-_MAX_NAME:] or 'receipt'
    wanted = (
        _EXTENSIONS.get(mimetype)
        or _XML_EXTENSIONS.get(mimetype)
        or tuple(filter(None, [mimetypes.guess_extension(mimetype)]))
    )
    if wanted and not name.lower().endswith(wanted):
        name += wanted[0]
    return name
