#!/usr/bin/python3
"""What is left of secrets in the memory of nginx's processes.

A worker's memory is looked through when all that it did is done: by any 24
bytes of a signature, as text, in base64, in the Huffman code of HTTP/2 and 3
(RFC 7541 appendix B), and as it was decoded.
"""

import base64
import os
import re
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import http2  # noqa: E402
import nginx as nginx_  # noqa: E402
import tokens  # noqa: E402
from akltest import CONFIG, Test, client, wait_for  # noqa: E402
from dialects import GRANT, TYPE, VAULT  # noqa: E402

try:
    import hpack.huffman
    import hpack.huffman_constants
except ImportError:
    hpack = None

FORM = {'Content-Type': 'application/x-www-form-urlencoded'}
PIECE = 24          # bytes that are looked for
MINTED = re.compile(r'eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+')
# clients of HTTP/2 have the other side keep such headers for the connection, in
# a table (RFC 7541 section 2.3.2) that nginx frees as it is
INDEXED = 'exchange, of another header', 'of itself'
SELF = '/v1/auth/token/lookup-self'
HTTP = '''
    akl_k8s_cache_valid 0;
    @method@
    @config@
    server {
        listen 127.0.0.1:@port@;
        listen 127.0.0.1:@port1@ ssl;
        @http2@
        ssl_certificate @certs@/server.crt;
        ssl_certificate_key @certs@/server.key;
        client_header_buffer_size 1k;
        location = /v2/auth { akl_k8s_auth; }
        location = /v1/auth/kubernetes/login { akl_k8s_auth vault; }
        location = /v1/auth/token/lookup-self { akl_k8s_introspect vault; }
        location = /token { akl_k8s_auth oauth; }
        location = /introspect { akl_k8s_introspect k8s-conf; }
        location = /revoke { akl_k8s_revoke; }
        location = /file { akl_k8s_exchange k8s-conf; empty_gif; }
        location = /other {
            akl_k8s_exchange k8s-conf;
            akl_k8s_token_source $http_x_pod_token;
            empty_gif;
        }
        location = /exchanged {
            akl_k8s_exchange k8s-conf;
            proxy_set_header Authorization "Bearer $akl_k8s_token";
            proxy_pass http://127.0.0.1:@mock@;
        }
        location = /guarded { akl_k8s_guard k8s-conf; empty_gif; }
        location = /passed {
            akl_k8s_guard k8s-conf;
            proxy_pass http://127.0.0.1:@mock@;
        }
        location = /failed {
            akl_k8s_guard k8s-conf;
            error_page 502 = @again;
            proxy_pass http://127.0.0.1:1;
        }
        location = /asked {
            auth_request /asks;
            akl_k8s_guard k8s-conf;
            empty_gif;
        }
        location = /asks { proxy_pass http://127.0.0.1:@mock@; }
        location @again { proxy_pass http://127.0.0.1:@mock@; }
        location = /plain { empty_gif; }
    }
'''

t = Test(need_module=True)
if nginx_.sanitized() or 'AKL_WRAP' in os.environ:
    t.skip_all('the memory of a sanitizer is not that of nginx')


def memory(pid):
    """Return what a process may write to, in pieces."""
    out = []
    with open(f'/proc/{pid}/maps', encoding='ascii') as maps, \
            open(f'/proc/{pid}/mem', 'rb') as memory_:
        for line in maps:
            span, rights, *_ = line.split()
            first, end = (int(part, 16) for part in span.split('-'))
            if rights.startswith('rw'):
                memory_.seek(first)
                out.append(memory_.read(end - first))
    return out


try:
    memory(os.getpid())
except OSError:
    t.skip_all('needs the right to read /proc/PID/mem')


def shapes(token):
    """Return what of a token is secret, in the shapes that it takes."""
    signature = token.split('.')[2]
    whole = base64.b64encode(token.encode())
    return {'text': signature.encode(), 'bytes': tokens.unb64u(signature),
            'base64': whole[-len(signature):], **coded(token, signature)}


def coded(token, signature):
    """Return the codes of the end of a header with a token, and of a token."""
    if hpack is None:
        return {}
    coder = hpack.huffman.HuffmanEncoder(
        hpack.huffman_constants.REQUEST_CODES,
        hpack.huffman_constants.REQUEST_CODES_LENGTH)
    # the last byte is filled up, others depend on all that is before them
    size = len(coder.encode(signature.encode())) - 1
    return {f'Huffman{of}': coder.encode((of + token).encode())[-size:-1]
            for of in ('', 'Bearer ')}


def left(pid, given):
    """Return {"name: shape": pieces} of what is left of {name: token}."""
    held = memory(pid)
    found = {}
    for name, token in given.items():
        for shape, secret in shapes(token).items():
            pieces = [secret[n:n + PIECE]
                      for n in range(0, len(secret) - PIECE + 1, PIECE)]
            number = sum(piece in part for piece in pieces for part in held)
            if number:
                found[f'{name}: {shape}'] = number
    return found


def times(pid, secret):
    """Return how often all of a secret is there."""
    return sum(part.count(secret) for part in memory(pid))


def gone(nginx, given, name):
    """Test that nothing is left, once the worker is done with the request."""
    pid = nginx.workers()[0]
    if not wait_for(lambda: not left(pid, given)):
        t.is_(left(pid, given), {}, name)
        return
    t.ok(True, name)


def certainly_there(nginx, token, name):
    """Test that a token is found while a request that has it is not over."""
    head = ('GET /plain HTTP/1.1\r\nHost: localhost\r\n'
            f'Authorization: Bearer {token}\r\n').encode()
    with client.connect(nginx.port) as sock:
        sock.sendall(head)
        t.ok(wait_for(lambda: left(nginx.workers()[0], {'it': token})), name)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def mock():
    """What exchanges and guards pass on to; it does not echo."""
    return t.mock(lambda seen: (200, [], 'passed'))


@t.shared
def gateway(cluster, mock):
    """A gateway that keeps no verdict: each login is reviewed."""
    listen = nginx_.http2('127.0.0.1:@port2@') \
        if nginx_.has('http_v2_module') else ''
    return t.nginx(
        HTTP.replace('@http2@', listen), method=cluster.method(),
        config=cluster.config(kind='P-256'),
        mock=mock.port, certs=cluster.dir)


def bearer(token):
    """Return the header that presents a token."""
    return {'Authorization': f'Bearer {token}'}


def chunked(text):
    """Return a body in chunks of a hundred bytes."""
    parts = [text[n:n + 100] for n in range(0, len(text), 100)] + ['']
    return ''.join(f'{len(part):x}\r\n{part}\r\n' for part in parts)


def logins(cluster):
    """Return {name: pod token -> request}, as arguments of request()."""
    def form(pod):
        return urllib.parse.urlencode({
            'grant_type': GRANT, 'subject_token': pod, 'client_id': CONFIG,
            'subject_token_type': TYPE + 'jwt'})
    return {
        'akeyless': lambda pod: ('POST', '/v2/auth', {}, cluster.login(pod)),
        'akeyless, not in base64': lambda pod: (
            'POST', '/v2/auth', {}, cluster.login(pod, encode=False)),
        'akeyless, a bearer': lambda pod: (
            'GET', f'/v2/auth?k8s-auth-config-name={CONFIG}', bearer(pod)),
        'vault': lambda pod: ('POST', VAULT, {}, {'role': CONFIG, 'jwt': pod}),
        'oauth': lambda pod: ('POST', '/token', FORM, form(pod)),
        'exchange': lambda pod: ('GET', '/file', bearer(pod)),
        'exchange, of another header': lambda pod: (
            'GET', '/other', {'X-Pod-Token': pod}),
        'exchange, passed on': lambda pod: ('GET', '/exchanged', bearer(pod))}


def uses():
    """Return {name: minted token -> request}."""
    return {
        'guard': lambda token: ('GET', '/guarded', bearer(token)),
        'guard, passed on': lambda token: ('GET', '/passed', bearer(token)),
        'guard, asked elsewhere': lambda token: (
            'GET', '/asked', bearer(token)),
        'guard, passed on twice': lambda token: (
            'GET', '/failed', bearer(token)),
        'introspection': lambda token: ('POST', '/introspect', FORM,
                                        'token=' + token),
        'of itself': lambda token: ('GET', SELF, {'X-Vault-Token': token}),
        'revocation': lambda token: ('POST', '/revoke', FORM,
                                     'token=' + token)}


def given_by(answer, pod):
    """Return the tokens that an answer is about."""
    held = MINTED.search(answer.text)
    return {'pod': pod, **({'minted': held[0]} if held else {})}


def mint(cluster, nginx):
    """Return a token that was minted, of which nothing else is left."""
    pod = cluster.issue()
    answer = client.post(nginx.port, VAULT, {'role': CONFIG, 'jwt': pod})
    return answer.json()['auth']['client_token']


@t.story
def what_is_there_is_found(cluster, gateway):
    certainly_there(gateway, cluster.issue(), 'in a head that is not whole')


@t.story
def nothing_is_left_of_a_pods_token_nor_of_the_one_that_was_minted(
        cluster, gateway):
    for how, more in (('', {}), (', over TLS', {'context': client.tls()})):
        port = gateway.port_of('port1') if more else gateway.port
        for name, way in logins(cluster).items():
            pod = cluster.issue()
            answer = client.request(port, *way(pod), **more)
            t.is_(answer.status, 200, name + how)
            gone(gateway, given_by(answer, pod), name + how + ': gone')


@t.story
def nothing_is_left_of_a_body_in_chunks_that_come_one_by_one(
        cluster, gateway):
    pod = cluster.issue()
    head = client.build('POST', VAULT, {'Transfer-Encoding': 'chunked'})
    with client.connect(gateway.port) as sock:
        sock.sendall(head)
        for part in re.findall('.{1,300}', chunked(
                f'{{"role":"{CONFIG}","jwt":"{pod}"}}'), re.S):
            sock.sendall(part.encode())
        answer = client.read_response(sock)
    t.is_(answer.status, 200, 'a login')
    gone(gateway, given_by(answer, pod), 'gone')


@t.story
def nothing_is_left_of_a_token_that_was_refused(cluster, gateway):
    pod = tokens.k8s_sign(tokens.decode(cluster.issue())[1],
                          tokens.key('RSA-2048', 'stranger'))
    for name, way in logins(cluster).items():
        answer = client.request(gateway.port, *way(pod))
        t.ok(answer.status in (400, 401, 403), name, answer)
        gone(gateway, {'pod': pod}, name + ': gone')


@t.story
def nothing_is_left_of_what_api_servers_said_on_any_connection(
        cluster, gateway):
    cluster.api.fault('close_after')
    try:
        for number in range(4):
            pod = cluster.issue()
            answer = client.post(gateway.port, VAULT,
                                 {'role': CONFIG, 'jwt': pod})
            t.is_(answer.status, 200, f'login {number}')
            gone(gateway, given_by(answer, pod), f'login {number}: gone')
    finally:
        cluster.api.clear()


@t.story
def nothing_is_left_of_a_minted_token_that_was_used(cluster, gateway):
    for how, more in (('', {}), (', over TLS', {'context': client.tls()})):
        port = gateway.port_of('port1') if more else gateway.port
        for name, way in uses().items():
            token = mint(cluster, gateway)
            answer = client.request(port, *way(token), **more)
            t.is_(answer.status, 200, name + how)
            gone(gateway, {'minted': token}, name + how + ': gone')


@t.story
def a_connection_that_is_kept_keeps_nothing_but_the_next_request(
        cluster, gateway):
    pods = [cluster.issue() for _ in range(3)]
    way = logins(cluster)['vault']
    several = b''.join(client.build(*(way(pod)), close=False) for pod in pods)
    with client.connect(gateway.port) as sock:
        sock.sendall(several)
        answers = ''
        while len(MINTED.findall(answers)) < 3 \
                or not answers.rstrip().endswith('}'):
            part = sock.recv(65536).decode()
            if not part:
                break
            answers += part
        minted = MINTED.findall(answers)
        t.is_(len(minted), 3, 'three requests at once')
        given = {f'{n}': token for n, token in enumerate(pods + minted)}
        gone(gateway, given, 'gone while the connection is still open')
        sock.sendall(client.build('GET', '/plain'))
        t.is_(client.read_response(sock).status, 200, 'it is of use yet')


def over(session, way, token):
    """Send a request; return status, and the tokens that it is about."""
    method, path, headers, *body = way(token)
    if body and isinstance(body[0], dict):
        body = [client.json.dumps(body[0])]
    answer = session.request(method, path, headers, *body)
    return answer.status, given_by(answer, token)


@t.story
def over_http_2_it_is_gone_with_the_next_frames(cluster, gateway):
    if not nginx_.has('http_v2_module') or not http2.available():
        t.skip('needs HTTP/2', 1)
        return
    for name, way in {**logins(cluster), **uses()}.items():
        if name in INDEXED:
            continue
        for at_once in (False, True):
            how = f'{name}, at once' if at_once else name
            token = mint(cluster, gateway) if name in uses() \
                else cluster.issue()
            with http2.Session(gateway.port_of('port2'),
                               at_once=at_once) as session:
                status, given = over(session, way, token)
                t.is_(status, 200, how)
                # nginx reads all frames of a worker into the same buffer
                t.is_(session.request('POST', '/v2/auth', {},
                                      'x' * 8000).status, 400,
                      f'{how}: another request')
                gone(gateway, given, f'{how}: gone')


@t.story
def a_process_has_the_signing_key_once_and_never_as_it_was_in_its_file(
        cluster, gateway):
    key = tokens.key('P-256', 'gateway')
    pem = ''.join(key.pem().splitlines()[1:-1]).encode()
    number = key.private.private_numbers().private_value
    t.is_(client.request(gateway.port, *logins(cluster)['vault'](
        cluster.issue())).status, 200, 'a login')
    for name, pid in (('worker', gateway.workers()[0]),
                      ('master', gateway.process.pid)):
        t.is_(times(pid, pem[:64]), 0, f'{name}: its PEM')
        t.is_([times(pid, number.to_bytes(32, order)) for order in
               ('big', 'little')], [0, 1], f'{name}: its number')


@t.story
def the_reviewer_is_in_a_process_once_also_when_its_file_was_replaced(
        cluster, gateway):
    def secret():
        with open(cluster.reviewer, 'rb') as file:
            return file.read().strip().split(b'.')[2]
    first = secret()
    way = logins(cluster)['vault']
    t.is_(client.request(gateway.port, *way(cluster.issue())).status, 200,
          'a login')
    worker = gateway.workers()[0]
    t.ok(wait_for(lambda: times(worker, first) == 1), 'the one in use',
         times(worker, first))
    t.is_(times(gateway.process.pid, first), 1, 'and the master its own')
    since = gateway.mark()
    cluster.file('reviewer.jwt', cluster.api.issue('akl-system', 'reviewer'))
    t.ok(gateway.wait_log('was replaced', since=since),
         'another one')
    t.is_(client.request(gateway.port, *way(cluster.issue())).status, 200,
          'a login by it')
    t.ok(wait_for(lambda: (times(worker, first), times(worker, secret()))
                  == (0, 1)), 'the other one once, and the first one never',
         times(worker, first), times(worker, secret()))


t.tell()
