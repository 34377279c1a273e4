"""Files of receipts, invoices and statements, and their signed links.

The files are small real PDF, PNG and JPEG files, generated from their row.
"""

import base64
import functools
import hashlib
import hmac
import struct
import zlib
from datetime import timedelta
from urllib.parse import quote, urlencode

from werkzeug.wrappers import Response

from .faults import FAULTS_OF_FILES
from .routes import route

LINK_LIFETIME = timedelta(hours=1)
# table -> file name, for the tables whose rows have a file
TABLES = {'receipts': 'receipt', 'invoices': 'invoice', 'statements': 'statement'}
_JPEG = base64.b64decode(
    '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6j'
    'q62rZ4C8ybqmx5moq6T/2wBDARweHigjKE4rK06kbl1upKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSk'
    'pKSkpKSkpKT/wAARCAAEAAQDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAT/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QA'
    'FQEBAQAAAAAAAAAAAAAAAAAAAwX/xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCwBHO//9k='
)


def find_file_kind(receipt):
    return receipt.get('_kind') or ('pdf', 'pdf', 'png', 'jpg')[hashlib.sha256(receipt['id'].encode()).digest()[0] % 4]


def build_file_content(receipt):
    """Return (content type, bytes). An uploaded file is as it was sent."""
    if receipt.get('_content') is not None:
        return 'application/pdf', base64.b64decode(receipt['_content'])
    lines = receipt.get('_text') or [f'Receipt {receipt["id"]}']
    text = ' '.join(lines)
    if find_file_kind(receipt) == 'png':
        return 'image/png', _build_png_file(receipt['id'])
    if find_file_kind(receipt) == 'bomb':
        return 'image/png', _build_blank_png(20000, 20000)
    if find_file_kind(receipt) == 'jpg':
        # A comment segment makes every file different. Equal bytes would hide mixed-up receipts.
        comment = text.encode()
        return 'image/jpeg', _JPEG[:20] + b'\xff\xfe' + struct.pack('>H', len(comment) + 2) + comment + _JPEG[20:]
    if find_file_kind(receipt) == 'xml':
        return 'application/xml', f"<?xml version='1.0'?>\n<Invoice><ID>{receipt['id']}</ID></Invoice>".encode()
    if find_file_kind(receipt) == 'zip':
        return 'application/zip', b'PK\x03\x04' + text.encode()
    return 'application/pdf', _build_pdf_file(lines)


def _build_png_file(name):
    digest = hashlib.sha256(name.encode()).digest()
    side = 8
    rows = b''.join(
        b'\0' + bytes(digest[(x * 3 + y + c) % 32] for x in range(side) for c in range(3)) for y in range(side)
    )
    return (
        b'\x89PNG\r\n\x1a\n'
        + _build_png_chunk(b'IHDR', struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0))
        + _build_png_chunk(b'IDAT', zlib.compress(rows))
        + _build_png_chunk(b'IEND', b'')
    )


def _build_png_chunk(tag, data):
    return struct.pack('>I', len(data)) + tag + data + struct.pack('>I', zlib.crc32(tag + data))


@functools.lru_cache(maxsize=4)
def _build_blank_png(width, height):
    """Return a black PNG with one bit per pixel.

    20,000 x 20,000 pixels are some 48 KB as a file, and gigabytes when decoded.
    """
    packer, rows = zlib.compressobj(9), []
    row = bytes(1 + (width + 7) // 8)
    for _row in range(height):
        rows.append(packer.compress(row))
    rows.append(packer.flush())
    return (
        b'\x89PNG\r\n\x1a\n'
        + _build_png_chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 1, 0, 0, 0, 0))
        + _build_png_chunk(b'IDAT', b''.join(rows))
        + _build_png_chunk(b'IEND', b'')
    )


def _build_pdf_file(lines):
    # The base fonts only have Latin letters. Brackets and backslashes would end the text.
    texts = [line.translate({ord(char): '' for char in '()\\'}).encode('cp1252', 'replace') for line in lines]
    height = max(200, 60 + 20 * len(texts))
    stream = (
        b'BT /F1 12 Tf 20 TL 20 %d Td ' % (height - 40) + b' '.join(b'(%s) Tj T*' % text for text in texts) + b' ET'
    )
    objects = [
        b'<< /Type /Catalog /Pages 2 0 R >>',
        b'<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
        b'<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 %d] /Contents 4 0 R' % height
        + b' /Resources << /Font << /F1 5 0 R >> >> >>',
        b'<< /Length %d >>\nstream\n%s\nendstream' % (len(stream), stream),
        b'<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>',
    ]
    out, offsets = b'%PDF-1.4\n', []
    for number, part in enumerate(objects, 1):
        offsets.append(len(out))
        out += b'%d 0 obj\n%s\nendobj\n' % (number, part)
    start = len(out)
    out += b'xref\n0 %d\n0000000000 65535 f \n' % (len(objects) + 1)
    out += b''.join(b'%010d 00000 n \n' % offset for offset in offsets)
    return out + b'trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n' % (len(objects) + 1, start)


def _sign_file_link(state, path, expires):
    return hmac.new(str(state.seed).encode(), f'{path} {expires}'.encode(), hashlib.sha256).hexdigest()


def build_signed_url(call, receipt, table='receipts'):
    """Return a link on the request's host that is valid for an hour. It needs no token."""
    name = quote(receipt.get('_filename') or f'{TABLES[table]}.{find_file_kind(receipt)}')
    path = f'/files/{table}/{receipt["id"]}/{name}'
    expires = int((call.state.clock() + LINK_LIFETIME).timestamp())
    query = urlencode({'Expires': expires, 'Signature': _sign_file_link(call.state, path, expires)})
    return f'{call.request.host_url.rstrip("/")}{path}?{query}'


@route('GET', '/files/{table}/{ident}/{name}', base='', open=True)
def download_signed_file(call):
    # The storage behind such links refuses further credentials. The count shows that the client leaked its token.
    if 'Authorization' in call.request.headers:
        call.ramp.leaked_tokens += 1
        return _build_xml_answer(400, 'InvalidArgument', 'Only one auth mechanism allowed')
    path = quote(call.request.path)
    expires = call.query.get('Expires', '')
    good = hmac.compare_digest(call.query.get('Signature', ''), _sign_file_link(call.state, path, expires))
    fresh = expires.isdigit() and int(expires) > call.state.clock().timestamp()
    if not good or not fresh or call.ramp.faults.take_fault(FAULTS_OF_FILES, 'GET', call.request.path):
        return _build_xml_answer(403, 'AccessDenied', 'Request has expired')
    table = call.args['table']
    receipt = call.state[table].get_row(call.args['ident']) if table in TABLES else None
    if receipt is None:
        return _build_xml_answer(404, 'NoSuchKey', 'The specified key does not exist.')
    content_type, data = build_file_content(receipt)
    return Response(data, content_type=content_type)


def _build_xml_answer(status, code, message):
    text = f"<?xml version='1.0'?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Response(text, status=status, content_type='application/xml')
