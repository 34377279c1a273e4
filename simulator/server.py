"""A threaded HTTP/1.1 server that keeps connections alive and can misbehave on purpose.

Werkzeug's development server closes the connection after every answer. That hides a client's mistakes with pooled
connections. It also gives no control over when and how a connection ends.
"""

import contextlib
import io
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote_to_bytes

from werkzeug.wrappers import Request


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address, answer, stopping=None):
        self.answer = answer
        self.stopping = stopping or threading.Event()
        self._open = set()
        self._lock = threading.Lock()
        super().__init__(address, Handler)

    def get_request(self):
        connection, address = super().get_request()
        with self._lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request):
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        """Print no traceback. Clients that disconnect during an answer are expected here."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def close_kept_connections(self):
        """Close connections that clients keep pooled. Otherwise their threads wait forever."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True

    def _serve_request(self):
        if 'chunked' in self.headers.get('Transfer-Encoding', '').lower():
            self.close_connection = True
            self.send_error(411)
            return
        # Read the body first in any case. Otherwise its rest would be taken for the next request.
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        answer = self.server.answer(self._build_request(body))
        if answer.cut == 'before':
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() != 'content-length':  # set below; a client may ignore a doubled header
                self.send_header(name, value)
        if answer.status != 204:
            self.send_header('Content-Length', str(len(answer.body)))
        if answer.trickle:
            self._trickle_answer(answer)
            return
        self.end_headers()
        if answer.cut == 'half':
            self.wfile.write(answer.body[: len(answer.body) // 2])
            self.close_connection = True
            return
        self.wfile.write(answer.body)

    def _trickle_answer(self, answer):
        """Send the answer byte by byte, without a long pause and without an end."""
        self.close_connection = True
        head = b''.join(self._headers_buffer) + b'\r\n'
        self._headers_buffer = []
        if answer.trickle == 'body':
            self.wfile.write(head)
            head = b''
        for byte in head + answer.body:
            self.wfile.write(bytes([byte]))
            if self.server.stopping.wait(answer.pace):
                return

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve_request

    def _build_request(self, body):
        path, _, query = self.path.partition('?')
        host, port = self.server.server_address[:2]
        environ = {
            'REQUEST_METHOD': self.command,
            'SCRIPT_NAME': '',
            'PATH_INFO': unquote_to_bytes(path).decode('latin-1'),
            'QUERY_STRING': query,
            'SERVER_NAME': host,
            'SERVER_PORT': str(port),
            'SERVER_PROTOCOL': self.request_version,
            'REMOTE_ADDR': self.client_address[0],
            'CONTENT_TYPE': self.headers.get('Content-Type', ''),
            'CONTENT_LENGTH': str(len(body)),
            'wsgi.url_scheme': 'http',
            'wsgi.input': io.BytesIO(body),
            'wsgi.version': (1, 0),
        }
        for name, value in self.headers.items():
            if name.lower() not in ('content-type', 'content-length'):
                environ['HTTP_' + name.upper().replace('-', '_')] = value
        return Request(environ)

    def log_message(self, *args):
        """Log nothing. `Simulator.requests` has all requests."""
