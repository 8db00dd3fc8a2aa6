#!/usr/bin/python3
"""A fake kube-apiserver for tests and the demo.

As a program (see --help) it makes a small cluster, writes what a gateway
needs into a directory and serves until it is stopped.  As a module,
ApiServer runs it in a child process and controls it by JSON over a
loopback port: every name in OPERATIONS is a method of ApiServer.
"""

import argparse
import asyncio
import ctypes
import http.client
import json
import logging
import os
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import certs  # noqa: E402
import kube as kubes  # noqa: E402
import kubeapi  # noqa: E402
import kubenet  # noqa: E402
import tokens  # noqa: E402
from tap import PATIENCE  # noqa: E402

REVIEWER = ('akl-system', 'reviewer')
REVIEWERS = 'akl:reviewers'


def die_with_parent(sig=signal.SIGTERM):
    """Have the kernel send us a signal when our parent dies (Linux)."""
    ctypes.CDLL(None, use_errno=True).prctl(1, int(sig), 0, 0, 0)


class Control:
    """The operations a test can ask for; arguments are JSON values."""

    def __init__(self, kube, server, authority, directory):
        self.kube = kube
        self.server = server
        self.authority = authority
        self.directory = directory
        self.stopped = asyncio.Event()
        self.remembered = None

    # Objects and tokens

    def namespace(self, *args, **kw):
        """Make a namespace or label it anew: name[, labels]; its uid."""
        return self.kube.namespace(*args, **kw)

    def account(self, *args, **kw):
        """Make a service account: namespace, name[, uid]; its uid."""
        return self.kube.account(*args, **kw)

    def pod(self, *args, **kw):
        """Make a pod: namespace, name, account, node, uid; its uid."""
        return self.kube.pod(*args, **kw)

    def node(self, *args, **kw):
        """Make a node: name[, uid]; its uid."""
        return self.kube.node(*args, **kw)

    def webhook(self, *args, **kw):
        """Make a webhook configuration: kind, name[, uid]; its uid."""
        return self.kube.webhook(*args, **kw)

    def secret(self, *args, **kw):
        """Make a token secret: namespace, name, account; its token."""
        return self.kube.secret(*args, **kw)

    def delete(self, *args, **kw):
        """Delete: kind, namespace, name[, terminating_since]."""
        self.kube.delete(*args, **kw)

    def mark_invalid(self, *args, **kw):
        """Label a token secret as unused for long: namespace, name."""
        self.kube.mark_invalid(*args, **kw)

    def lag(self, *args, **kw):
        """Have the cache miss an object; arguments as Kube.lag."""
        self.kube.lag(*args, **kw)

    def authenticators(self, *errors):
        """Have further authenticators end in these errors (none: none)."""
        self.kube.authenticators = list(errors)

    def issue(self, *args, **kw):
        """Issue a projected token; arguments as Kube.issue."""
        return self.kube.issue(*args, **kw)

    def uids(self):
        """Return the uids of all objects, by 'kind/namespace/name'."""
        out = {f'node/{name}': held['uid']
               for name, held in self.kube.nodes.items()}
        for kind in ('account', 'pod', 'secret'):
            for pair, held in getattr(self.kube, kind + 's').items():
                out['/'.join((kind, *pair))] = held['uid']
        return out

    def static(self, token, username, uid='', groups=(), extra=None,
               audiences=None):
        """Make an opaque token (or any text) stand for a user."""
        self.kube.static[token] = {
            'username': username, 'uid': uid, 'groups': list(groups),
            'extra': extra or {}, 'audiences': audiences or []}

    def rancher(self, key, clusters):
        """Make an API key of Rancher's, good for these cluster ids."""
        self.kube.rancher[key] = list(clusters)

    def forget_rancher(self, key):
        """Take an API key of Rancher's away."""
        self.kube.rancher.pop(key, None)

    # Rights, keys, time

    def delegate(self, name):
        """Grant a user or group system:auth-delegator."""
        self.kube.delegators.add(name)

    def revoke(self, name):
        """Take system:auth-delegator away."""
        self.kube.delegators.discard(name)

    def read_namespaces(self, name, may=True):
        """Grant a user or group to get namespaces, or take it away."""
        (self.kube.readers.add if may else self.kube.readers.discard)(name)

    def discover(self, name, may=True):
        """Grant service-account-issuer-discovery, or take it away."""
        (self.kube.discoverers.add if may
         else self.kube.discoverers.discard)(name)

    def issuer(self, name):
        """Change the issuer, as a restart with another flag does."""
        self.kube.issuer = name

    def keys(self, pems):
        """Replace the signing keys (PEM texts); the first one signs."""
        self.kube.set_keys([tokens.Key.load(text) for text in pems])

    def jwks(self):
        """Return the published key set."""
        return self.kube.jwks()

    def clock(self, offset=0, at=None):
        """Shift the server's clock by seconds, or stop it at a time."""
        self.kube.offset = offset
        self.kube.frozen = at

    def positive_cache(self, seconds):
        """Keep positive answers for so long, a real server's 10 s or not."""
        self.kube.positive_ttl = seconds

    # ConfigMaps

    def configmap(self, namespace, name, data=None, **members):
        """Make or replace a ConfigMap; return it, None where none is.

        Without data and members it is only looked at.
        """
        if data is not None or members:
            self.server.api.maps.keep(namespace, name, {
                'kind': 'ConfigMap', 'apiVersion': 'v1', 'metadata': {},
                'data': data, **members})
        return self.kube.configmaps.get((namespace, name))

    def grant(self, username, verb, namespace, name=''):
        """Let somebody get, create or update ConfigMaps."""
        self.kube.rights.add((username, verb, namespace, name))

    def intrude(self, times):
        """Have so many updates come after somebody else's."""
        self.kube.intruders = times

    # Misbehaviour

    def fault(self, preset=None, **members):
        """Add a fault: a preset of faults.py and members of Fault."""
        self.server.faults.add(preset, **members)

    def clear(self):
        """Forget all faults, limits of connections and lags."""
        self.server.faults.clear()
        self.server.close_after = None
        self.server.idle_ms = None
        self.server.handshake = None
        self.kube.lags.clear()
        self.kube.authenticators.clear()

    def release(self):
        """Let held and stalled requests go on."""
        self.server.faults.let_go()

    def close_after(self, number):
        """Close each connection after so many requests (None: never)."""
        self.server.close_after = number

    def idle(self, milliseconds):
        """Close a connection that was idle so long (None: never)."""
        self.server.idle_ms = milliseconds

    def handshake(self, how):
        """Handshakes: None (well), 'hold' (until then), 'stall' or 'reset'."""
        self.server.handshake = how

    def drop(self, reset=False, idle_only=False):
        """Close open connections; return how many."""
        return self.server.drop(reset, idle_only)

    def listen(self, *address):
        """Listen again, as before or elsewhere: host, port."""
        self.server.listen(*address)

    def unlisten(self):
        """Stop to listen: connections are refused."""
        self.server.unlisten()

    def certificate(self, certificate, key):
        """Use another certificate (paths) for new connections."""
        self.server.certificate(certificate, key)

    def client_auth(self, mode):
        """Ask for client certificates: none, optional or require."""
        self.server.set_client_auth(mode)

    # All of it

    def remember(self):
        """Remember objects, rights, keys, clock and sockets for restore."""
        self.remembered = (self.kube.snapshot(), self.server.address,
                           self.server.sock is not None, self.server.pair,
                           self.server.client_auth)

    def restore(self):
        """Have all as it was at remember(), with no fault and no count."""
        kube, address, listens, pair, client_auth = self.remembered
        self.clear()
        self.kube.restore(kube)
        if address != self.server.address or not listens:
            self.server.unlisten()
        if listens:
            self.server.listen(*address[1:])
        self.server.certificate(*pair)
        self.server.set_client_auth(client_auth)
        self.reset_stats()

    # Numbers

    def stats(self):
        """Return the counters."""
        return self.server.snapshot()

    def reset_stats(self):
        """Start counting anew."""
        self.server.reset_stats()

    def records(self, last=100):
        """Return the last requests, oldest first, without any token."""
        held = list(self.server.stats.records)[-last:]
        return [record_view(record) for record in held]

    def stop(self):
        """End the server."""
        self.stopped.set()


OPERATIONS = tuple(name for name in vars(Control) if name[0] != '_')


def record_view(record):
    """Return a record with tokens replaced by their hashes."""
    out = {name: value for name, value in record.items()
           if name not in ('lines', 'body')}
    headers = [line.partition(':')[::2] for line in record['lines'][1:]]
    out['headers'] = []
    out['bearer'] = None
    for name, value in headers:
        value = value.strip()
        if name.lower() == 'authorization':
            scheme, _, token = value.partition(' ')
            out['bearer'] = kubeapi.token_hash(token)
            value = f'{scheme} {out["bearer"]}'
        out['headers'].append([name, value])
    out['length'] = len(record['body'])
    out['token'] = out['audiences'] = None
    try:
        spec = json.loads(record['body'])['spec']
        out['token'] = kubeapi.token_hash(spec['token'])
        out['audiences'] = spec.get('audiences')
        out['members'] = sorted(spec)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return out


async def control(reader, writer, target):
    """Serve one control connection: JSON over HTTP POSTs."""
    try:
        while True:
            head = await reader.readuntil(b'\r\n\r\n')
            length = 0
            for line in head.decode('latin-1').split('\r\n'):
                if line.lower().startswith('content-length:'):
                    length = int(line.partition(':')[2])
            order = json.loads(await reader.readexactly(length))
            try:
                if order['op'] not in OPERATIONS:
                    raise ValueError(f'no operation {order["op"]}')
                result = {'result': getattr(target, order['op'])(
                    *order.get('args', ()), **order.get('kw', {}))}
            except Exception as error:
                result = {'error': f'{type(error).__name__}: {error}'}
            body = json.dumps(result).encode()
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json'
                         b'\r\nContent-Length: %d\r\n\r\n' % len(body) + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        pass
    finally:
        writer.close()


def populate(kube, directory, authority):
    """Make the first objects; write what a gateway needs to know."""
    def write(name, text, mode=0o600):
        tokens.write_file(os.path.join(directory, name), text, mode)

    year = 365 * 86400
    kube.account(*REVIEWER)
    kube.delegators.add('system:serviceaccount:' + ':'.join(REVIEWER))
    kube.delegators.add(REVIEWERS)
    kube.account('my-namespace-a', 'builder')
    kube.account('my-namespace-a', 'norights')
    kube.pod('my-namespace-a', 'mypod1', 'builder', 'node-1')
    write('reviewer.jwt', kube.issue(*REVIEWER, ttl=year))
    write('norights.jwt', kube.issue('my-namespace-a', 'norights', ttl=year))
    write('pod.jwt', kube.issue('my-namespace-a', pod='mypod1', ttl=year))
    write('ca.crt', authority.pem, 0o644)
    write('cluster-jwks.json', json.dumps(kube.jwks()), 0o644)
    certs.write_pair(directory, 'client',
                     authority.client('akl', [REVIEWERS]))
    certs.write_pair(directory, 'master',
                     authority.client('admin', ['system:masters']))
    certs.write_pair(directory, 'client-norights',
                     authority.client('nobody', ['nobodies']))


def complain(loop, context):
    """Print what a callback or task raised; connections may end anyhow.

    Stopped in the middle of an answer or a handshake, asyncio reports broken
    pipes, resets, TLS without its end, and tasks that it has cancelled.
    """
    if not isinstance(context.get('exception'),
                      (OSError, asyncio.CancelledError)):
        loop.default_exception_handler(context)


async def serve(options):
    """Run the server until it is stopped."""
    os.makedirs(options.dir, exist_ok=True)
    kube = kubes.Kube(options.version, options.issuer or tokens.ISSUER,
                      keys=[tokens.key(options.key_kind, options.key)])
    authority = certs.Authority()
    pair = certs.write_pair(options.dir, 'server', authority.server())
    populate(kube, options.dir, authority)
    server = kubenet.Server(kube, *pair,
                            os.path.join(options.dir, 'ca.crt'))
    server.set_client_auth('optional')
    server.listen(options.host, options.port)
    target = Control(kube, server, authority, options.dir)
    listener = await asyncio.start_server(
        lambda r, w: control(r, w, target), '127.0.0.1',
        options.control_port)
    ready = {'host': options.host, 'port': server.address[2],
             'url': server.api.base, 'dir': options.dir,
             'control_port': listener.sockets[0].getsockname()[1]}
    tokens.write_file(os.path.join(options.dir, 'apiserver.json'),
                      json.dumps(ready))
    print(json.dumps(ready), flush=True)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(complain)
    # nor is it news that a connection was dropped in an answer's middle
    logging.getLogger('asyncio').setLevel(logging.ERROR)
    for sig in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sig, target.stopped.set)
    await target.stopped.wait()
    listener.close()
    server.unlisten()
    server.faults.clear()
    server.drop()


class ApiServer:
    """A fake API server in a child process."""

    def __init__(self, directory, port=0, version='1.32', key='cluster',
                 key_kind='RSA-2048', issuer=None, host='127.0.0.1'):
        command = [sys.executable, os.path.abspath(__file__),
                   '--dir', directory, '--port', str(port), '--host', host,
                   '--version', version, '--key', key,
                   '--key-kind', key_kind, '--die-with-parent']
        if issuer is not None:
            command += ['--issuer', issuer]
        self.dir = directory
        self.errors = os.path.join(directory, 'apiserver.err')
        os.makedirs(directory, exist_ok=True)
        with open(self.errors, 'wb') as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=errors)
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise RuntimeError('API server did not start: '
                               + self.error_text())
        ready = json.loads(line)
        self.port = ready['port']
        self.url = ready['url']
        self._control = http.client.HTTPConnection(
            '127.0.0.1', ready['control_port'], timeout=PATIENCE)
        self._lock = threading.Lock()

    def error_text(self):
        """Return what the child wrote to its standard error."""
        with open(self.errors, encoding='utf-8', errors='replace') as file:
            return file.read()

    def path(self, name):
        """Return the path of a file the server has written."""
        return os.path.join(self.dir, name)

    def read(self, name):
        """Return the text of such a file."""
        with open(self.path(name), encoding='ascii') as file:
            return file.read()

    def call(self, operation, *args, **kw):
        """Ask for an operation; return its result."""
        body = json.dumps({'op': operation, 'args': args, 'kw': kw})
        with self._lock:
            self._control.request('POST', '/', body)
            answer = json.loads(self._control.getresponse().read())
        if 'error' in answer:
            raise RuntimeError(f'{operation}: {answer["error"]}')
        return answer['result']

    def __getattr__(self, name):
        if name not in OPERATIONS:
            raise AttributeError(name)
        return lambda *args, **kw: self.call(name, *args, **kw)

    def close(self):
        """End the child process."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._control.close()
        self.process.stdout.close()


def main():
    """Run as a program."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--dir', required=True,
                        help='where to write certificates and tokens')
    parser.add_argument('--host', default='127.0.0.1')
    parser.add_argument('--port', type=int, default=0)
    parser.add_argument('--control-port', type=int, default=0)
    parser.add_argument('--version', default='1.32',
                        choices=('1.25', '1.32', '1.37'))
    parser.add_argument('--issuer')
    parser.add_argument('--key', default='cluster',
                        help='name of the cached signing key')
    parser.add_argument('--key-kind', default='RSA-2048')
    parser.add_argument('--die-with-parent', action='store_true')
    options = parser.parse_args()
    if options.die_with_parent:
        die_with_parent(signal.SIGKILL)
    asyncio.run(serve(options))


if __name__ == '__main__':
    main()
