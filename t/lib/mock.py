"""A small upstream that tells what it was sent."""

import http.server
import json
import threading

import procs


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def _serve(self):
        length = int(self.headers.get('Content-Length') or 0)
        body = self.rfile.read(length).decode('latin-1')
        seen = {'method': self.command, 'path': self.path,
                'headers': list(self.headers.items()), 'body': body}
        self.server.mock.requests.append(seen)
        status, headers, answer = self.server.mock.handler(seen)
        if isinstance(answer, str):
            answer = answer.encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(answer)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    def log_message(self, *_):
        """Stay silent."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, *_):
        """A client that went away is no concern of the test."""


class Mock:
    """An HTTP server in a thread.

    It answers each request with the JSON of what it received (method,
    path, headers, body), or with what handler(seen) returns: status,
    list of header pairs, body.  `requests` holds all it has seen.
    """

    def __init__(self, handler=None):
        self.requests = []
        self.handler = handler or self.echo
        self.port = procs.free_port()
        self.server = _Server(('127.0.0.1', self.port), _Handler)
        self.server.mock = self
        threading.Thread(target=self.server.serve_forever, args=(0.05,),
                         daemon=True).start()

    @staticmethod
    def echo(seen):
        """Answer with what was received."""
        return 200, [('Content-Type', 'application/json')], json.dumps(seen)

    @staticmethod
    def header(seen, name):
        """Return all values of a header that was received."""
        return [value for key, value in seen['headers']
                if key.lower() == name.lower()]

    def close(self):
        """Stop to serve."""
        self.server.shutdown()
        self.server.server_close()
