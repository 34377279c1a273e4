# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import struct

from hypothesis import given
from hypothesis import strategies as st

from odoo.tests import tagged

from ..ramp_api import Download
from ..ramp_api.files import read_picture_size, sniff_file_mimetype
from ..simulator import files as simulated
from .properties import examples
from .smoke import PlainCase

SEGMENT = b'\xff\xe0' + struct.pack('>H', 6) + b'JFIF'


def frame(marker, width, height):
    return b'\xff' + bytes([marker]) + struct.pack('>HBHHB', 11, 8, height, width, 1) + b'\x01\x11\x00'


def jpeg(*segments):
    return b'\xff\xd8' + SEGMENT + b''.join(segments) + b'\xff\xda\x00\x02' + frame(0xC0, 9, 9) + b'\xff\xd9'


def gif(*frames, screen=(10, 20), colours=0x80):
    parts = [
        b'GIF89a',
        struct.pack('<HHBBB', *screen, colours, 0, 0),
        b'\0' * 6 if colours else b'',
        b'\x21\xf9\x04\0\0\0\0\0',
    ]
    for left, top, width, height in frames:
        parts += [b'\x2c', struct.pack('<HHHHB', left, top, width, height, 0), b'\x02', b'\x03abc', b'\0']
    return b''.join([*parts, b'\x3b'])


def webp(kind, body):
    return b'RIFF\0\0\0\0WEBP' + kind + struct.pack('<I', len(body)) + body


@tagged('ramp_api')
class TestPictureSize(PlainCase):
    """The size of a picture is read from its header, in each accepted format, without decoding it."""

    def size(self, content, mimetype=None):
        return read_picture_size(Download(content, mimetype or sniff_file_mimetype(content), 'x'))

    def test_sizes(self):
        for content, expected in (
            (simulated._build_blank_png(30, 20), (30, 20)),
            (jpeg(frame(0xC0, 300, 200)), (300, 200)),
            (jpeg(b'\xff', frame(0xC2, 300, 200)), (300, 200)),  # with fill bytes
            (jpeg(frame(0xC4, 7, 7), frame(0xC1, 3, 2)), (3, 2)),  # a code table is no frame
            (jpeg(frame(0xC0, 3, 2), frame(0xC0, 30000, 20000)), (30000, 20000)),  # decoders take the last frame
            (gif((0, 0, 10, 20)), (10, 20)),
            (gif((0, 0, 10, 20), (5, 5, 60000, 3), screen=(1, 1), colours=0), (60005, 20)),
            (
                webp(b'VP8X', b'\0\0\0\0' + (29999).to_bytes(3, 'little') + (19999).to_bytes(3, 'little')),
                (30000, 20000),
            ),
            (webp(b'VP8L', b'\x2f' + struct.pack('<I', 299 | 199 << 14)), (300, 200)),
            (webp(b'VP8 ', b'\0\0\0\x9d\x01\x2a' + struct.pack('<HH', 300 | 1 << 14, 200)), (300, 200)),
            (
                b'\0\0\0\x18ftypheic'
                + b'..ispe\0\0\0\0'
                + struct.pack('>II', 512, 512)
                + b'ispe\0\0\0\0'
                + struct.pack('>II', 30000, 9),
                (30000, 512),
            ),
            (b'%PDF-1.4', (0, 0)),
        ):
            with self.subTest(content=content[:12], expected=expected):
                self.assertEqual(self.size(content), expected)

    def test_the_simulators_own(self):
        for kind in ('png', 'jpg', 'pdf', 'xml', 'zip'):
            mimetype, content = simulated.build_file_content({'id': 'x', '_kind': kind})
            self.assertEqual(self.size(content, mimetype)[0] > 0, mimetype.startswith('image/'), kind)
        mimetype, content = simulated.build_file_content({'id': 'x', '_kind': 'bomb'})
        self.assertEqual((self.size(content, mimetype), len(content) < 60000), ((20000, 20000), True))

    @examples(100)
    @given(
        st.sampled_from(
            (
                b'\x89PNG\r\n\x1a\n',
                b'\xff\xd8\xff',
                b'GIF89a',
                b'RIFF\0\0\0\0WEBPVP8X',
                b'RIFF\0\0\0\0WEBPVP8L',
                b'RIFF\0\0\0\0WEBPVP8 ',
                b'\0\0\0\x18ftypheic',
            )
        ),
        st.binary(max_size=60),
    )
    def test_whatever_comes(self, head, rest):
        width, height = self.size(head + rest)
        self.assertGreaterEqual(min(width, height), 0)

    def test_a_large_one_without_any_header(self):
        content = b'\xff\xd8\xff\xe0\0\x02' + b'\0' * 2**20 + b'\xff\0' * 2**18
        self.assertEqual(self.size(content), (0, 0))
