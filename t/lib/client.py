"""HTTP clients for tests: single requests, sessions, raw bytes, crowds."""

import asyncio
import http.client
import json
import socket
import ssl
import threading
import time

from tap import PATIENCE


def tls(ca=None, cert=None):
    """Return a TLS context that trusts a CA file (None: anything).

    cert is a (certificate, key) pair of paths to present.
    """
    context = ssl.create_default_context(cafile=ca)
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert is not None:
        context.load_cert_chain(*cert)
    return context


class Response:
    """A whole answer."""

    def __init__(self, status, reason, headers, body, seconds=0.0):
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body
        self.seconds = seconds

    def header(self, name):
        """Return a header's value, None when it is missing."""
        held = self.all(name)
        return held[0] if held else None

    def all(self, name):
        """Return all values of a header."""
        return [value for key, value in self.headers
                if key.lower() == name.lower()]

    @property
    def text(self):
        """The body as text."""
        return self.body.decode('utf-8', 'replace')

    def json(self):
        """Return the body's JSON value."""
        return json.loads(self.body)

    def __repr__(self):
        return f'<{self.status} {self.text[:300]!r}>'


def connect(port, context=None, timeout=PATIENCE, host='127.0.0.1', name=None):
    """Return a connected socket; a TLS context makes it a TLS one."""
    sock = socket.create_connection((host, port), timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context is not None:
        sock = context.wrap_socket(sock, server_hostname=name or host)
    return sock


def build(method, path, headers=None, body=None, host='localhost',
          version='1.1', close=True):
    """Return the bytes of a request.

    headers is a dict or a list of pairs; body is text, bytes, or a
    value to send as JSON.  A header with the value None is left out.
    """
    pairs = list(headers.items() if isinstance(headers, dict)
                 else headers or [])
    names = {name.lower() for name, _ in pairs}
    if body is not None and not isinstance(body, (str, bytes)):
        body = json.dumps(body)
        if 'content-type' not in names:
            pairs.append(('Content-Type', 'application/json'))
    if isinstance(body, str):
        body = body.encode()
    if 'host' not in names:
        pairs.insert(0, ('Host', host))
    if close and 'connection' not in names:
        pairs.append(('Connection', 'close'))
    if 'content-length' not in names and 'transfer-encoding' not in names \
            and (body is not None or method in ('POST', 'PUT')):
        pairs.append(('Content-Length', str(len(body or b''))))
    lines = [f'{method} {path} HTTP/{version}']
    lines += [f'{name}: {value}' for name, value in pairs
              if value is not None]
    head = '\r\n'.join(lines) + '\r\n\r\n'
    return head.encode('utf-8', 'surrogateescape') + (body or b'')


def read_response(sock, method='GET', started=None):
    """Read one answer off a socket."""
    answer = http.client.HTTPResponse(sock, method=method)
    answer.begin()
    body = answer.read()
    seconds = time.monotonic() - started if started else 0.0
    return Response(answer.status, answer.reason, answer.getheaders(), body,
                    seconds)


def request(port, method='GET', path='/', headers=None, body=None,
            context=None, timeout=PATIENCE, host='127.0.0.1', **kw):
    """Make one request on a connection of its own."""
    started = time.monotonic()
    with connect(port, context, timeout, host) as sock:
        sock.sendall(build(method, path, headers, body, **kw))
        return read_response(sock, method, started)


def get(port, path='/', headers=None, **kw):
    """Make a GET request."""
    return request(port, 'GET', path, headers, **kw)


def post(port, path, body=None, headers=None, **kw):
    """Make a POST request; a dict goes as JSON."""
    return request(port, 'POST', path, headers, body, **kw)


def raw(port, data, context=None, timeout=PATIENCE, finish=False):
    """Send bytes, return all that comes until the other side closes.

    finish half-closes after sending; the time limit ends reading too.
    """
    out = b''
    with connect(port, context, timeout) as sock:
        try:
            sock.sendall(data)
            if finish:
                sock.shutdown(socket.SHUT_WR)
            while True:
                part = sock.recv(65536)
                if not part:
                    break
                out += part
        except (TimeoutError, ConnectionError):
            pass
    return out


class Session:
    """A connection that is kept alive."""

    def __init__(self, port, context=None, timeout=PATIENCE, host='127.0.0.1'):
        self.sock = connect(port, context, timeout, host)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, method='GET', path='/', headers=None, body=None):
        """Send a request without waiting for its answer."""
        self.sock.sendall(build(method, path, headers, body, close=False))

    def receive(self, method='GET'):
        """Wait for an answer."""
        return read_response(self.sock, method, time.monotonic())

    def request(self, method='GET', path='/', headers=None, body=None):
        """Send a request and wait for its answer."""
        self.send(method, path, headers, body)
        return self.receive(method)

    def post(self, path, body=None, headers=None):
        """Make a POST request."""
        return self.request('POST', path, headers, body)

    def abort(self):
        """Close with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             b'\1\0\0\0\0\0\0\0')
        self.sock.close()

    def close(self):
        """Close."""
        self.sock.close()


class Background:
    """A call in a thread; result() waits for it."""

    def __init__(self, function, *args, **kw):
        self.value = None
        self.error = None
        self.thread = threading.Thread(
            target=self._run, args=(function, args, kw), daemon=True)
        self.thread.start()

    def _run(self, function, args, kw):
        try:
            self.value = function(*args, **kw)
        except Exception as error:
            self.error = error

    def done(self):
        """Say whether the call has returned."""
        return not self.thread.is_alive()

    def result(self, timeout=PATIENCE):
        """Return the call's value, or raise what it raised."""
        self.thread.join(timeout)
        if self.thread.is_alive():
            raise TimeoutError('still running')
        if self.error is not None:
            raise self.error
        return self.value


def parallel(count, function):
    """Call function(0) ... function(count - 1) at once, in threads.

    Returns the values in order; what was raised takes a value's place.
    """
    calls = [Background(function, number) for number in range(count)]
    out = []
    for call in calls:
        try:
            out.append(call.result())
        except Exception as error:
            out.append(error)
    return out


async def exchange(reader, writer, data):
    """Send a request on a kept connection, read the answer."""
    started = time.monotonic()
    writer.write(data)
    head = await reader.readuntil(b'\r\n\r\n')
    lines = head.decode('latin-1').split('\r\n')
    headers = [tuple(part.strip() for part in line.split(':', 1))
               for line in lines[1:] if line]
    held = {name.lower(): value for name, value in headers}
    words = lines[0].split(' ', 2)
    if words[1] in ('204', '304'):
        body = b''
    elif 'chunked' in held.get('transfer-encoding', ''):
        body = b''
        while True:
            size = int((await reader.readline()).split(b';')[0], 16)
            body += (await reader.readexactly(size + 2))[:-2]
            if not size:
                break
    elif 'content-length' in held:
        body = await reader.readexactly(int(held['content-length']))
    else:
        body = await reader.read()
    return Response(int(words[1]), words[2] if len(words) > 2 else '',
                    headers, body, time.monotonic() - started)


def crowd(port, requests, connections=50, context=None, timeout=PATIENCE):
    """Send many requests over kept connections, as fast as it goes.

    requests is a list of bytes (see build(close=False)).  Returns a
    Response, or the exception, for each in the same order.
    """
    out = [None] * len(requests)
    todo = iter(range(len(requests)))

    async def worker():
        streams = None
        for number in todo:
            try:
                if streams is None:
                    streams = await asyncio.open_connection(
                        '127.0.0.1', port, ssl=context, limit=1 << 20)
                out[number] = await asyncio.wait_for(
                    exchange(*streams, requests[number]), timeout)
                close = out[number].header('connection') == 'close'
            except Exception as error:
                out[number] = error
                close = True
            if close and streams is not None:
                streams[1].close()
                streams = None
        if streams is not None:
            streams[1].close()

    async def run():
        await asyncio.gather(*(worker() for _ in range(
            min(connections, len(requests)))))

    asyncio.run(run())
    return out
