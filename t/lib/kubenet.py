"""The TLS and HTTP/1.1 side of the fake API server.

Written on asyncio protocols for speed; a request without a fault is
answered in one turn of the loop.  Faults are in faults.py.
"""

import asyncio
import collections
import os
import socket
import ssl
import time

import faults
import kubeapi
from tap import PATIENCE

MAX_HEAD = 65536
MAX_BODY = 4 << 20
RECORDS = 2000


def body_of(headers, data):
    """Return (body, what follows it); body None while it is short."""
    if 'transfer-encoding' not in headers:
        length = int(headers.get('content-length', 0))
        if not 0 <= length <= MAX_BODY:
            raise ValueError('unsupported body')
        if len(data) < length:
            return None, data
        return data[:length], data[length:]
    if headers['transfer-encoding'] != 'chunked' \
            or 'content-length' in headers:
        raise ValueError('unsupported body')
    body = b''
    while True:
        line, end, rest = data.partition(b'\r\n')
        if not end:
            return None, data
        length = int(line.partition(b';')[0], 16)
        if not 0 <= length <= MAX_BODY - len(body):
            raise ValueError('body too large')
        if len(rest) < length + 2:
            return None, data
        if rest[length:length + 2] != b'\r\n':
            raise ValueError('no end of a chunk')
        body, data = body + rest[:length], rest[length + 2:]
        if length == 0:
            return body, data


class Stats:
    """What tests count."""

    def __init__(self):
        self.counts = collections.Counter()
        self.statuses = collections.Counter()
        self.max_in_flight = 0
        self.handshake_errors = []
        self.records = collections.deque(maxlen=RECORDS)


def note_name(tls, name, _):
    """Note the name that a client asks for in its handshake."""
    tls.sni = name


class Connection(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, server):
        self.server = server
        self.transport = None
        self.buffer = b''
        self.requests = 0
        self.busy = False
        self.close_next = False
        self.ident = 0
        self.cert = None
        self.sni = None
        self.gone = asyncio.Event()
        self.idle_timer = None

    def connection_made(self, transport):
        self.transport = transport
        self.cert = transport.get_extra_info('peercert')
        self.sni = getattr(transport.get_extra_info('ssl_object'), 'sni', None)
        self.ident = self.server.opened(self)

    def connection_lost(self, exc):
        self.gone.set()
        if self.idle_timer is not None:
            self.idle_timer.cancel()
        self.server.closed(self)

    def eof_received(self):
        return False

    def data_received(self, data):
        self.buffer = self.buffer + data if self.buffer else data
        if not self.busy:
            self.work()

    def idle(self):
        """Start the idle clock, where one is set.

        As in Go's server, a connection is idle between two requests; before
        the first one another clock runs, of half a minute.
        """
        limit = self.server.idle_ms
        if limit is not None:
            self.idle_timer = self.server.loop.call_later(
                limit / 1000, self.transport.close)

    def work(self):
        """Answer the requests that are there in full."""
        while not self.busy and not self.gone.is_set():
            try:
                request = self.parse()
            except ValueError:
                self.finish(kubeapi.status(400, 'Bad Request', 'BadRequest'),
                            True)
                return
            if request is None:
                return
            self.dispatch(request)

    def parse(self):
        """Take one request off the buffer; None while it is short."""
        end = self.buffer.find(b'\r\n\r\n')
        if end < 0:
            if len(self.buffer) > MAX_HEAD:
                raise ValueError('head too large')
            return None
        lines = self.buffer[:end].decode('latin-1').split('\r\n')
        method, target, version = lines[0].split(' ')
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(':')
            headers[name.lower()] = value.strip()
        body, rest = body_of(headers, self.buffer[end + 4:])
        if body is None:
            if headers.get('expect') == '100-continue' \
                    and len(self.buffer) == end + 4:
                self.transport.write(b'HTTP/1.1 100 Continue\r\n\r\n')
            return None
        self.buffer = rest
        request = kubeapi.Request(method, target, version, headers, body,
                                  self.cert)
        request.lines = lines
        return request

    def dispatch(self, request):
        """Answer a request, at once or by way of a fault."""
        server = self.server
        self.requests += 1
        if self.idle_timer is not None:
            self.idle_timer.cancel()
            self.idle_timer = None
        kind = kubeapi.kind_of(request.path)
        record = server.began(self, request, kind)
        limit = server.close_after
        last = (request.version == 'HTTP/1.0'
                or request.headers.get('connection', '').lower() == 'close'
                or limit is not None and self.requests >= limit)
        fault = server.faults.take(kind, self.requests)
        if fault is None:
            answer = server.api.answer(request)
            record['status'] = answer.status
            record['user'] = answer.user
            self.finish(answer, last)
            server.ended(record)
            return
        self.busy = True
        record['fault'] = fault.name
        task = server.loop.create_task(
            faults.misbehave(self, request, fault, record, last))
        server.tasks.add(task)
        task.add_done_callback(server.tasks.discard)

    def finish(self, answer, last):
        """Send an answer in full; close afterwards if it is the last."""
        head = self.server.head(answer, [('Content-Length',
                                          str(len(answer.body)))]
                                if len(answer.body) <= 2048 else
                                [('Transfer-Encoding', 'chunked')], last)
        body = answer.body
        if len(body) > 2048:
            body = faults.chunked(body)
        self.transport.write(head + body)
        if last:
            self.transport.close()
        else:
            self.idle()

    def released(self):
        """A misbehaved answer is over: go on with the next request."""
        self.busy = False
        if not self.gone.is_set() and not self.transport.is_closing():
            self.idle()
            self.work()

    def reset(self):
        """Close with a RST."""
        sock = self.transport.get_extra_info('socket')
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            b'\1\0\0\0\0\0\0\0')
        self.transport.abort()


class Server:
    """Listens, counts, and holds the switches of misbehaviour."""

    def __init__(self, kube, certificate, key, client_ca=None):
        self.kube = kube
        self.api = kubeapi.Api(kube)
        self.loop = asyncio.get_running_loop()
        self.faults = faults.Faults()
        self.stats = Stats()
        self.tasks = set()
        self.connections = set()
        self.in_flight = 0
        self.close_after = None
        self.idle_ms = None
        self.handshake = None
        self.sock = None
        self.address = None
        self.pair = (certificate, key)
        self.client_ca = client_ca
        self.client_auth = 'none'
        self.context = None
        self.flow = [('X-Kubernetes-Pf-Flowschema-Uid', self.uid()),
                     ('X-Kubernetes-Pf-Prioritylevel-Uid', self.uid())]
        self.refresh_context()

    @staticmethod
    def uid():
        """Return a random id in the form of a UUID."""
        text = os.urandom(16).hex()
        return '-'.join((text[:8], text[8:12], text[12:16], text[16:20],
                         text[20:]))

    # TLS

    def refresh_context(self):
        """Make the TLS context for new connections anew."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*self.pair)
        context.set_alpn_protocols(['http/1.1'])
        if self.client_auth != 'none':
            context.verify_mode = ssl.CERT_REQUIRED \
                if self.client_auth == 'require' else ssl.CERT_OPTIONAL
            context.load_verify_locations(self.client_ca)
        context.sni_callback = note_name
        self.context = context

    def certificate(self, certificate, key):
        """Use another certificate (paths) for new connections."""
        self.pair = (certificate, key)
        self.refresh_context()

    def set_client_auth(self, mode):
        """Client certificates: none, optional or require."""
        if mode not in ('none', 'optional', 'require'):
            raise ValueError(mode)
        self.client_auth = mode
        self.refresh_context()

    # Sockets

    def listen(self, host=None, port=None):
        """Start to listen; without arguments where it did before."""
        if self.sock is not None:
            return
        if host is not None:
            family = socket.AF_INET6 if ':' in host else socket.AF_INET
            self.address = (family, host, port)
        family, host, port = self.address
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind((host, port))
        sock.listen(4096)
        self.address = (family, host, sock.getsockname()[1])
        self.sock = sock
        self.api.base = f'https://{host}:{self.address[2]}'
        self.loop.add_reader(sock, self._accept)

    def unlisten(self):
        """Stop to listen: new connections are refused."""
        if self.sock is not None:
            self.loop.remove_reader(self.sock)
            self.sock.close()
            self.sock = None

    def drop(self, reset=False, idle_only=False):
        """Close connections that are open; return how many."""
        chosen = [c for c in self.connections
                  if not (idle_only and c.busy)]
        for connection in chosen:
            if reset:
                connection.reset()
            else:
                connection.transport.close()
        return len(chosen)

    def _accept(self):
        for _ in range(64):
            try:
                sock, _ = self.sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self.stats.handshake_errors.append(str(error))
                return
            self.stats.counts['connections'] += 1
            task = self.loop.create_task(self._handshake(sock))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _handshake(self, sock):
        sock.setblocking(False)
        if self.handshake == 'stall':
            with sock:
                while self.handshake == 'stall':
                    await asyncio.sleep(0.02)
            return
        while self.handshake == 'hold':
            await asyncio.sleep(0.02)
        if self.handshake == 'reset':
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            b'\1\0\0\0\0\0\0\0')
            sock.close()
            return
        try:
            await self.loop.connect_accepted_socket(
                lambda: Connection(self), sock, ssl=self.context,
                ssl_handshake_timeout=PATIENCE, ssl_shutdown_timeout=0.1)
        except (OSError, ssl.SSLError) as error:
            self.stats.counts['handshakes_failed'] += 1
            self.stats.handshake_errors.append(str(error))
            del self.stats.handshake_errors[:-20]
            sock.close()

    # Events of connections

    def opened(self, connection):
        """A handshake is through; return the connection's number."""
        self.connections.add(connection)
        self.stats.counts['handshakes'] += 1
        return self.stats.counts['handshakes']

    def closed(self, connection):
        """A connection is gone."""
        self.connections.discard(connection)

    def began(self, connection, request, kind):
        """Count a request; return its record."""
        stats = self.stats
        stats.counts[kind] += 1
        self.in_flight += 1
        if self.in_flight > stats.max_in_flight:
            stats.max_in_flight = self.in_flight
        record = {'kind': kind, 'method': request.method,
                  'path': request.target, 'lines': request.lines,
                  'body': request.body, 'connection': connection.ident,
                  'sni': connection.sni, 'nth': connection.requests,
                  'at': time.time(),
                  'status': None, 'user': None, 'fault': None,
                  'aborted': False}
        stats.records.append(record)
        return record

    def ended(self, record, aborted=False):
        """A request is answered, or its client has gone."""
        self.in_flight -= 1
        self.stats.statuses[record['status']] += 1
        if aborted:
            record['aborted'] = True
            self.stats.counts['aborted'] += 1

    def head(self, answer, framing, last=False, version='HTTP/1.1'):
        """Return status line and headers, in a real server's order."""
        phrase = kubeapi.PHRASES.get(answer.status, 'Status')
        headers = [('Audit-Id', self.uid()),
                   ('Cache-Control', answer.cache_control)]
        if last:
            headers.append(('Connection', 'close'))
        if answer.content_type:
            headers.append(('Content-Type', answer.content_type))
        headers += answer.headers
        if answer.flow:
            headers += self.flow
        headers.append(('Date', time.strftime(
            '%a, %d %b %Y %H:%M:%S GMT', time.gmtime(self.kube.now()))))
        headers += framing
        lines = [f'{version} {answer.status} {phrase}']
        lines += [f'{name}: {value}' for name, value in headers]
        return ('\r\n'.join(lines) + '\r\n\r\n').encode('latin-1')

    def snapshot(self):
        """Return the counters as a dict."""
        counts = self.stats.counts
        out = {name: counts[name] for name in (
            'review', 'namespace', 'jwks', 'discovery', 'other',
            'connections',
            'handshakes', 'handshakes_failed', 'aborted')}
        out['open'] = len(self.connections)
        out['in_flight'] = self.in_flight
        out['max_in_flight'] = self.stats.max_in_flight
        out['statuses'] = {str(code): number for code, number
                           in self.stats.statuses.items()}
        out['handshake_errors'] = self.stats.handshake_errors
        out['faults'] = self.faults.left()
        return out

    def reset_stats(self):
        """Start counting anew."""
        number = self.stats.counts['handshakes']
        self.stats = Stats()
        self.stats.max_in_flight = self.in_flight
        self.stats.counts['handshakes_before'] = number
