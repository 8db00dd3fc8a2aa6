"""An HTTP/2 client with prior knowledge: streams, resets, lost connections."""

import time

import client
from tap import PATIENCE

try:
    import h2.config
    import h2.connection
    import h2.errors
    import h2.events
    import h2.exceptions
except ImportError:
    h2 = None


def available():
    """Say whether Python has an HTTP/2 library (Debian: python3-h2)."""
    return h2 is not None


class Session:
    """A connection; its streams are known by their numbers."""

    def __init__(self, port, context=None, timeout=PATIENCE, at_once=False):
        """Connect; at_once sends the first request with the preface."""
        self.sock = client.connect(port, context, timeout)
        self.state = h2.connection.H2Connection(
            h2.config.H2Configuration(header_encoding='utf-8'))
        self.state.initiate_connection()
        self.answers = {}
        self.ended = {}
        if not at_once:
            self._flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _flush(self):
        self.sock.sendall(self.state.data_to_send())

    def send(self, method='GET', path='/', headers=None, body=None,
             end=True, pairs=()):
        """Send a request; return the number of its stream.

        Without end the body is not complete: see more().  Pairs are more
        headers, of which a name may come often.
        """
        number = self.state.get_next_available_stream_id()
        pairs = [(':method', method), (':path', path), (':scheme', 'http'),
                 (':authority', 'localhost'),
                 *((name.lower(), value)
                   for name, value in (headers or {}).items()), *pairs]
        self.answers[number] = [None, [], b'', time.monotonic()]
        self.state.send_headers(number, pairs,
                                end_stream=end and body is None)
        self._flush()
        if body is not None:
            self.more(number, body, end)
        return number

    def more(self, number, body, end=True):
        """Send a part of a request's body, as the server has room."""
        if isinstance(body, str):
            body = body.encode()
        while body:
            room = min(self.state.local_flow_control_window(number),
                       self.state.max_outbound_frame_size)
            if not room:
                self._read()
                continue
            part, body = body[:room], body[room:]
            self.state.send_data(number, part, end_stream=end and not body)
            self._flush()

    def _read(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError('the server closed the connection')
        for event in self.state.receive_data(data):
            self._take(event)
        self._flush()

    def _take(self, event):
        number = getattr(event, 'stream_id', None)
        answer = self.answers.get(number)
        if isinstance(event, h2.events.ResponseReceived):
            held = dict(event.headers)
            answer[0] = int(held[':status'])
            answer[1] = [(name, value) for name, value in event.headers
                         if not name.startswith(':')]
        elif isinstance(event, h2.events.DataReceived):
            answer[2] += event.data
            self.state.acknowledge_received_data(
                event.flow_controlled_length, number)
        elif isinstance(event, h2.events.StreamEnded):
            self.ended.setdefault(number, None)
        elif isinstance(event, h2.events.StreamReset):
            self.ended.setdefault(number, event.error_code)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.ended = {one: self.ended.get(one, event.error_code)
                          for one in self.answers}

    def receive(self, number):
        """Wait for the answer to a stream's request."""
        while number not in self.ended:
            self._read()
        status, headers, body, started = self.answers[number]
        if status is None:
            raise ConnectionError(f'reset by {self.ended[number]!r}')
        return client.Response(status, '', headers, body,
                               time.monotonic() - started)

    def request(self, method='GET', path='/', headers=None, body=None):
        """Send a request and wait for its answer."""
        return self.receive(self.send(method, path, headers, body))

    def reset(self, number):
        """Give up a stream, by RST_STREAM, unless it has ended."""
        try:
            self.state.reset_stream(number, h2.errors.ErrorCodes.CANCEL)
        except h2.exceptions.StreamClosedError:
            return
        self._flush()

    def close(self):
        """Close."""
        self.sock.close()
