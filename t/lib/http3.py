"""An HTTP/3 client: streams, resets, lost connections.

It lives from one call to the next: what the server sends is read, and lost
packets are sent again, in wait() alone, which all that expects an answer
calls.
"""

import select
import socket
import ssl
import time

import client
from tap import PATIENCE

try:
    import aioquic.h3.connection as h3
    import aioquic.h3.events
    import aioquic.quic.configuration
    import aioquic.quic.connection
    import aioquic.quic.events
except ImportError:
    h3 = None


def available():
    """Say whether Python has an HTTP/3 library (aioquic)."""
    return h3 is not None


class Session:
    """A connection; its streams are known by their numbers."""

    def __init__(self, port, ticket=None):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect(('127.0.0.1', port))
        self.sock.setblocking(False)
        self.tickets = []
        self.early = False      # whether nginx took what came before its turn
        self.over = None        # why the connection is over
        self.answers = {}
        self.ended = {}
        self.shaken = False
        self.quic = aioquic.quic.connection.QuicConnection(
            configuration=aioquic.quic.configuration.QuicConfiguration(
                alpn_protocols=h3.H3_ALPN, verify_mode=ssl.CERT_NONE,
                idle_timeout=10 * PATIENCE, server_name='localhost',
                session_ticket=ticket),
            session_ticket_handler=self.tickets.append)
        self.quic.connect(('127.0.0.1', port), now=time.monotonic())
        self.http = h3.H3Connection(self.quic)
        if ticket is None:
            self.wait(lambda: self.shaken)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def flush(self):
        """Send what is there to be sent."""
        for data, _ in self.quic.datagrams_to_send(now=time.monotonic()):
            self.sock.send(data)

    def wait(self, condition, timeout=PATIENCE):
        """Take part in the connection until a condition is true."""
        deadline = time.monotonic() + timeout
        while True:
            self._read()
            self.flush()
            value = condition()
            if value or time.monotonic() > deadline:
                return value
            timer = self.quic.get_timer()
            pause = 0.05 if timer is None \
                else min(max(timer - time.monotonic(), 0), 0.05)
            select.select([self.sock], [], [], pause)
            timer = self.quic.get_timer()
            if timer is not None and timer <= time.monotonic():
                self.quic.handle_timer(now=time.monotonic())

    def _read(self):
        while True:
            try:
                data = self.sock.recv(65536)
            except (BlockingIOError, ConnectionRefusedError):
                break
            self.quic.receive_datagram(data, self.sock.getpeername(),
                                       now=time.monotonic())
        while (event := self.quic.next_event()) is not None:
            self._take(event)

    def _take(self, event):
        kinds = aioquic.quic.events
        if isinstance(event, kinds.HandshakeCompleted):
            self.shaken = True
            self.early = event.early_data_accepted
        elif isinstance(event, kinds.ConnectionTerminated):
            self.over = event
        elif isinstance(event, kinds.StreamReset):
            self.ended.setdefault(event.stream_id, event.error_code)
        for part in self.http.handle_event(event):
            self._gather(part)

    def _gather(self, part):
        answer = self.answers.get(part.stream_id)
        if answer is None:
            return
        if isinstance(part, aioquic.h3.events.HeadersReceived):
            pairs = [(name.decode(), value.decode())
                     for name, value in part.headers]
            answer[0] = int(dict(pairs)[':status'])
            answer[1] = [(name, value) for name, value in pairs
                         if not name.startswith(':')]
        elif isinstance(part, aioquic.h3.events.DataReceived):
            answer[2] += part.data
        if part.stream_ended:
            self.ended.setdefault(part.stream_id, None)

    def send(self, method='GET', path='/', headers=None, body=None,
             end=True):
        """Send a request; return the number of its stream.

        Without end the body is not complete: see more().
        """
        number = self.quic.get_next_available_stream_id()
        pairs = [(':method', method), (':scheme', 'https'),
                 (':authority', 'localhost'), (':path', path)]
        pairs += [(name.lower(), value)
                  for name, value in (headers or {}).items()]
        self.answers[number] = [None, [], b'', time.monotonic()]
        self.http.send_headers(
            number, [(name.encode(), value.encode())
                     for name, value in pairs],
            end_stream=end and body is None)
        if body is not None:
            self.more(number, body, end)
        self.flush()
        return number

    def more(self, number, body, end=True):
        """Send a part of a request's body, in a frame of its own."""
        if isinstance(body, str):
            body = body.encode()
        self.http.send_data(number, body, end_stream=end)
        self.flush()

    def receive(self, number):
        """Wait for the answer to a stream's request."""
        self.wait(lambda: number in self.ended or self.over)
        status, headers, body, started = self.answers[number]
        if status is None or number not in self.ended:
            raise ConnectionError(
                f'no answer: {self.ended.get(number)!r}, {self.over!r}')
        return client.Response(status, '', headers, body,
                               time.monotonic() - started)

    def request(self, method='GET', path='/', headers=None, body=None):
        """Send a request and wait for its answer."""
        return self.receive(self.send(method, path, headers, body))

    def stop(self, number):
        """Want no answer any more: STOP_SENDING (RFC 9000 section 3.5).

        That is all that is sent of a request that has arrived as a whole.
        """
        self.quic.stop_stream(number, h3.ErrorCode.H3_REQUEST_CANCELLED)
        self.flush()

    def reset(self, number):
        """Give up a stream: neither send nor receive any more of it."""
        self.quic.reset_stream(number, h3.ErrorCode.H3_REQUEST_CANCELLED)
        self.stop(number)

    def leave(self):
        """Be gone, and tell nobody."""
        self.sock.close()

    def close(self):
        """Close the connection."""
        if self.sock.fileno() >= 0:
            self.quic.close(error_code=h3.ErrorCode.H3_NO_ERROR)
            self.flush()
            self.sock.close()
