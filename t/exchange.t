#!/usr/bin/python3
"""akl_k8s_exchange: a pod token in, a minted one out, the body untouched."""

import hashlib
import http.server
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import nginx as nginx_  # noqa: E402
import tokens  # noqa: E402
from akltest import PATIENCE, Test, client, free_port, wait_for  # noqa: E402
from minted import ISSUER, bearer, key  # noqa: E402

CURL = shutil.which('curl')
H2 = nginx_.has('http_v2_module')
SIZE = 100 << 20
HTTP = '''
    @method@
    @config@
    @other@
    log_format who '$request_uri $status "$akl_k8s_status" '
                   '"$akl_k8s_pod_name" "$akl_k8s_jti" "$akl_k8s_cache" '
                   '"$akl_k8s_review_time" "$akl_k8s_token_expires" '
                   '"$akl_k8s_claim_pod_name"';
    access_log @dir@/who.log who;
    akl_k8s_cache_valid 1h;
    akl_k8s_review_timeout 60s connect=30s;
    server {
        listen 127.0.0.1:@port@;
        @listen@
        client_max_body_size 0;
        proxy_http_version 1.1;

        location /legacy/ {
            akl_k8s_exchange k8s-conf;
            proxy_set_header Authorization "Bearer $akl_k8s_token";
            proxy_set_header X-Pod $akl_k8s_pod_name;
            proxy_pass http://127.0.0.1:@mock@;
        }
        location /echo/ {
            akl_k8s_exchange k8s-conf;
            proxy_set_header X-Token $akl_k8s_token;
            proxy_set_header X-Pod $akl_k8s_pod_name;
            proxy_pass http://127.0.0.1:@port1@;
        }
        location /upload/ {
            akl_k8s_exchange k8s-conf;
            proxy_set_header Authorization "Bearer $akl_k8s_token";
            proxy_pass http://127.0.0.1:@digest@;
        }
        location /stream/ {
            akl_k8s_exchange k8s-conf;
            proxy_request_buffering off;
            proxy_set_header Authorization "Bearer $akl_k8s_token";
            proxy_pass http://127.0.0.1:@digest@;
        }
        location /header/ {
            akl_k8s_exchange k8s-conf;
            akl_k8s_token_source $http_x_service_token;
            proxy_pass http://127.0.0.1:@mock@;
        }
        location /required/ {
            akl_k8s_exchange k8s-conf;
            akl_k8s_require pod_name=mypod1;
            proxy_pass http://127.0.0.1:@mock@;
        }
        location /twice/ {
            akl_k8s_exchange k8s-conf;
            error_page 503 = @twice;
        }
        location @twice { akl_k8s_exchange other; empty_gif; }
        location /both/ {
            akl_k8s_exchange k8s-conf;
            akl_k8s_guard k8s-conf;
            akl_k8s_require pod_name=mypod1;
            proxy_pass http://127.0.0.1:@mock@;
        }
        location /both-other/ {
            akl_k8s_exchange k8s-conf;
            akl_k8s_guard other;
            proxy_pass http://127.0.0.1:@mock@;
        }
        location /either/ {
            satisfy any;
            akl_k8s_exchange k8s-conf;
            akl_k8s_guard k8s-conf;
            proxy_pass http://127.0.0.1:@mock@;
        }
        location /page/ {
            akl_k8s_exchange k8s-conf;
            error_page 401 403 503 504 = @why;
            proxy_pass http://127.0.0.1:@mock@;
        }
        location /fallback/ {
            akl_k8s_exchange k8s-conf;
            proxy_intercept_errors on;
            error_page 502 = @fallback;
            proxy_pass http://127.0.0.1:1;
        }
        location @fallback { return 200 "$akl_k8s_pod_name $akl_k8s_token"; }
        location @why { return 200 "$akl_k8s_status"; }
        location /asked/ {
            auth_request /swap;
            auth_request_set $token $akl_k8s_token;
            proxy_set_header Authorization "Bearer $token";
            proxy_pass http://127.0.0.1:@mock@;
        }
        location = /swap {
            internal;
            akl_k8s_exchange k8s-conf;
            akl_k8s_verify;
        }
        location /grpc/ {
            akl_k8s_exchange k8s-conf;
            grpc_set_header authorization "Bearer $akl_k8s_token";
            grpc_pass grpc://127.0.0.1:@port2@;
        }
    }
    server {
        listen 127.0.0.1:@port1@;
        location / { return 200 "$http_x_pod $http_x_token"; }
    }
    @h2server@
'''

LISTEN = H2SERVER = ''
if H2:
    LISTEN = nginx_.http2('127.0.0.1:@port3@')
    H2SERVER = '''server {
        @http2@
        location / { default_type application/grpc;
                     return 200 "$http_authorization"; }
    }'''.replace('@http2@', nginx_.http2('127.0.0.1:@port2@'))
else:
    HTTP = HTTP.replace('grpc_set_header', '#').replace('grpc_pass', '#')
HTTP = HTTP.replace('@listen@', LISTEN).replace('@h2server@', H2SERVER)

t = Test(need_module=True)


class Digest(http.server.BaseHTTPRequestHandler):
    """Answers with the digest and length of what was sent."""

    protocol_version = 'HTTP/1.1'

    def parts(self):
        """Yield the body's parts."""
        if 'chunked' in self.headers.get('Transfer-Encoding', ''):
            while True:
                size = int(self.rfile.readline(), 16)
                data = self.rfile.read(size)
                self.rfile.readline()
                if not size:
                    return
                yield data
        left = int(self.headers.get('Content-Length') or 0)
        while left:
            data = self.rfile.read(min(left, 1 << 20))
            if not data:
                return
            left -= len(data)
            yield data

    def do_POST(self):
        """Read it all, then answer."""
        digest, length = hashlib.sha256(), 0
        for data in self.parts():
            digest.update(data)
            length += len(data)
        body = (f'{length} {digest.hexdigest()} '
                f'{self.headers.get("Authorization")}').encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Stay silent."""


@t.shared
def cluster():
    """A cluster with two pods."""
    made = t.cluster()
    made.api.pod('my-namespace-a', 'mypod2', 'builder')
    return made


class Gateway:
    """An nginx that exchanges tokens, and what is behind it."""

    def __init__(self, cluster, text=HTTP):
        self.cluster = cluster
        self.token = cluster.issue()
        self.mock = t.mock()
        digests = http.server.ThreadingHTTPServer(
            ('127.0.0.1', free_port()), Digest)
        digests.daemon_threads = True
        threading.Thread(target=digests.serve_forever, daemon=True).start()
        self.nginx = t.nginx(
            text, workers=2, method=cluster.method(), mock=self.mock.port,
            digest=digests.server_port,
            config=cluster.config(kind='P-256', token_issuer=ISSUER,
                                  token_audience='legacy'),
            other=cluster.config('other', kind='Ed25519',
                                 token_issuer=ISSUER))

    def get(self, path, given='', **headers):
        """GET with a token: mypod1's, another, or None."""
        given = self.token if given == '' else given
        return client.get(self.nginx.port, path,
                          {**(bearer(given) if given else {}), **headers})

    def logged(self, path, pattern, name):
        """Wait for a line on a path that matches, the last one so far."""
        def last():
            lines = [line for line in self.nginx.access_log('who.log')
                     if line.startswith(path + ' ')]
            return lines and re.search(pattern, lines[-1])
        t.ok(wait_for(last), name, *self.nginx.access_log('who.log')[-3:])

    def swapped(self, answer):
        """Return the claims of the token that the upstream got."""
        held = self.mock.header(answer.json(), 'authorization')
        return tokens.verify(held[0].partition(' ')[2], key())

    def minted(self):
        """Return the token that the upstream gets for mypod1's."""
        return self.mock.header(self.get('/legacy/m').json(),
                                'authorization')[0].split()[1]

    def hold(self):
        """Hold the next reviews."""
        self.cluster.api.reset_stats()
        self.cluster.api.fault('hold')

    def review_starts(self):
        """Wait until the API server has got a review."""
        return wait_for(lambda: self.cluster.api.stats()['review'] > 0)

    def release(self):
        """Let the API server answer."""
        self.cluster.api.clear()
        self.cluster.api.release()


@t.shared
def gateway(cluster):
    """The gateway of all stories but one."""
    return Gateway(cluster)


# One exchange

@t.story
def a_pod_token_is_exchanged_for_a_minted_one(gateway):
    token = gateway.cluster.issue()
    answer = gateway.get('/legacy/x', token)
    t.is_(answer.status, 200, 'a pod token')
    claims = gateway.swapped(answer)
    t.contains(claims, {'pod_name': 'mypod1', 'iss': ISSUER,
                        'aud': 'legacy'}, 'the upstream gets a minted one')
    header = gateway.mock.header
    t.is_(header(answer.json(), 'x-pod'), ['mypod1'], 'and the identity')
    t.is_(len(header(answer.json(), 'authorization')), 1, 'once')
    t.unlike(answer.text, token[-30:], 'and not the pod token')
    gateway.logged('/legacy/x', r'200 "ok" "mypod1" "[\w-]{22}" "miss" '
                   r'"\d+\.\d{3}" "\d+" "mypod1"', 'variables in the log')
    answer = gateway.get('/legacy/y', token)
    t.is_(gateway.swapped(answer)['jti'], claims['jti'],
          'the same token again')
    gateway.logged('/legacy/y', '"hit" ""', 'from memory')


@t.story
def a_pod_token_is_taken_only_from_its_source(gateway):
    t.is_(gateway.get('/header/x', None, **{
        'X-Service-Token': gateway.token}).status, 200,
          'akl_k8s_token_source')
    t.is_(gateway.get('/header/x').status, 401, 'and nowhere else')


# Refusals

@t.story
def a_refusal_names_its_reason_in_www_authenticate(gateway):
    answer = gateway.get('/legacy/x', None)
    t.is_((answer.status, answer.header('www-authenticate'),
           answer.header('cache-control')),
          (401, 'Bearer realm="akl_k8s"', 'no-store'), 'no token')
    answer = gateway.get('/legacy/x', gateway.token[:-8])
    t.is_(answer.status, 401, 'a token cut short')
    t.like(answer.header('www-authenticate'), 'error="invalid_token", '
           'error_description="[a-z_]+"', 'and why')
    gateway.cluster.api.account('other', 'builder')
    answer = gateway.get('/legacy/x', gateway.cluster.issue(
        pod=None, namespace='other', account='builder'))
    t.is_((answer.status, answer.header('www-authenticate')), (
        403, 'Bearer realm="akl_k8s", error="insufficient_scope", '
        'error_description="namespace_not_bound"'), 'bounds')


@t.story
def a_minted_token_is_no_pod_token(gateway):
    t.is_(gateway.get('/legacy/x', gateway.minted()).status, 401,
          'an exchange')


@t.story
def status_identity_and_token_survive_error_page(gateway):
    t.is_(gateway.get('/page/x', None).text, 'token_missing',
          'error_page 401')
    t.like(gateway.get('/fallback/x').text, r'^mypod1 ey\S+$',
           'error_page 502')


# Requirements, guard and exchange together

@t.story
def requirements_hold_for_what_was_exchanged(gateway):
    t.is_(gateway.get('/required/x').status, 200, 'akl_k8s_require holds')
    answer = gateway.get('/required/x', gateway.cluster.issue('mypod2'))
    t.is_(answer.status, 403, 'and does not')
    t.like(answer.header('www-authenticate'), 'claim="pod_name"',
           'and names the claim')


@t.story
def a_guard_takes_what_was_exchanged_before_it(gateway):
    t.is_(gateway.get('/both/x').status, 200, 'what was minted here')
    t.is_(gateway.get('/both/x', gateway.cluster.issue('mypod2')).status,
          403, 'and requirements hold')
    t.is_(gateway.get('/both/x', gateway.minted()).status, 401,
          'a minted one alone does not do')
    t.is_(gateway.get('/both-other/x').status, 401,
          'a guard of another config')


@t.story
def satisfy_any_takes_a_pod_token_or_a_minted_one(gateway):
    t.is_(gateway.get('/either/x').status, 200, 'a pod token')
    t.is_(gateway.get('/either/x', gateway.minted()).status, 200,
          'a minted token')
    t.is_(gateway.get('/either/x', None).status, 401, 'neither')


# In a subrequest

@t.story
def a_subrequest_exchanges_a_token_for_its_request(gateway):
    t.is_(gateway.swapped(gateway.get('/asked/x'))['pod_name'], 'mypod1',
          'auth_request to an exchange')
    t.is_(gateway.get('/asked/x', None).status, 401, 'and a refusal')


@t.story
def a_review_for_a_subrequest_is_waited_for(gateway):
    token = gateway.cluster.issue()
    gateway.hold()
    waiting = client.Background(gateway.get, '/asked/x', token)
    t.ok(gateway.review_starts(), 'a review')
    gateway.release()
    t.is_(waiting.result().status, 200, 'the answer')


# Bodies pass untouched, also while the review takes its time

@t.shared
def block():
    """A megabyte of noise."""
    return random.Random(1).randbytes(1 << 20)


@t.shared
def expected(block):
    """How the upstream's answer begins that got 100 of them."""
    digest = hashlib.sha256()
    for _ in range(SIZE >> 20):
        digest.update(block)
    return f'{SIZE} {digest.hexdigest()} Bearer ey'


@t.shared
def upload(gateway, block):
    """Send 100 MB; the review is held until the first has gone."""
    def send(path, chunked):
        given = gateway.cluster.issue()
        framing = 'Transfer-Encoding: chunked' if chunked \
            else f'Content-Length: {SIZE}'
        gateway.hold()
        started = False
        with client.connect(gateway.nginx.port, timeout=PATIENCE) as sock:
            sock.sendall(
                f'POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close'
                f'\r\nAuthorization: Bearer {given}\r\n{framing}\r\n\r\n'
                .encode())
            for number in range(SIZE >> 20):
                if number == 1:

                    # the body waits in the kernel while the review is held

                    started = gateway.review_starts()
                    threading.Timer(2, gateway.release).start()
                sock.sendall(b'100000\r\n' + block + b'\r\n' if chunked
                             else block)
            if chunked:
                sock.sendall(b'0\r\n\r\n')
            return started, client.read_response(sock, 'POST')
    return send


def arrives(upload, expected, path):
    """Pass if 100 MB arrive at an upstream, however they are framed."""
    for chunked in (False, True):
        started, answer = upload(path, chunked)
        t.ok(started and answer.status == 200
             and answer.text.startswith(expected),
             'chunked' if chunked else 'with a length', answer)


@t.story
def a_hundred_megabytes_wait_for_the_review_and_arrive_whole(
        upload, expected):
    arrives(upload, expected, '/upload/x')


@t.story
def a_hundred_megabytes_arrive_whole_where_nothing_is_buffered(
        upload, expected):
    arrives(upload, expected, '/stream/x')


@t.story
def a_small_body_and_none_arrive_as_they_are(gateway):
    for path in ('/upload/x', '/stream/x'):
        for size in (100, 0):
            answer = client.post(gateway.nginx.port, path, 'x' * size,
                                 bearer(gateway.token))
            t.like(answer.text, f'^{size} ', f'{path}: {size} bytes')


@t.story
def a_request_may_come_byte_by_byte_with_another_behind_it(gateway):
    issue = gateway.cluster.issue
    with client.connect(gateway.nginx.port) as sock:
        data = (f'POST /upload/x HTTP/1.1\r\nHost: x\r\nAuthorization: '
                f'Bearer {issue()}\r\nContent-Length: 5\r\n\r\nhello'
                ).encode()
        for at in range(len(data) - 6):
            sock.send(data[at:at + 1])
        sock.sendall(data[len(data) - 6:] + (
            f'POST /upload/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer '
            f'{issue()}\r\nContent-Length: 2\r\nConnection: close\r\n'
            '\r\nab').encode())
        one = client.read_response(sock, 'POST')
        two = client.read_response(sock, 'POST')
    t.is_((one.text[:2], two.text[:2]), ('5 ', '2 '), 'the answers')


@t.story
def a_client_that_leaves_during_its_review_breaks_nothing(gateway):
    gateway.hold()
    sock = client.connect(gateway.nginx.port)
    sock.sendall(client.build('POST', '/legacy/gone', bearer(
        gateway.cluster.issue()), 'body'))
    t.ok(gateway.review_starts(), 'a review is held')
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    b'\1\0\0\0\0\0\0\0')
    sock.close()
    gateway.logged('/legacy/gone', ' 499 ', 'the client left, and is noticed')
    gateway.release()
    t.is_(gateway.get('/legacy/x').status, 200, 'the next one')


@t.story
def an_outage_is_no_refusal(cluster, gateway):
    cluster.api.unlisten()
    cluster.api.drop()
    answer = gateway.get('/legacy/x', cluster.issue())
    t.is_((answer.status, answer.header('retry-after'),
           answer.header('www-authenticate')), (503, '1', None),
          'the answer')
    t.is_(gateway.get('/page/x', cluster.issue()).text, 'api_unreachable',
          'error_page 503')
    answer = gateway.get('/twice/x', cluster.issue())
    t.is_((answer.status, answer.all('retry-after'),
           answer.all('cache-control')), (503, ['1'], ['no-store']),
          'and one where that leads to another')


# Many pairs at once: each sees its own

@t.shared
def pairs(cluster):
    """Requests of two pods in turn, and whose each is."""
    names = ['mypod1', 'mypod2'] * 1000
    issued = {name: cluster.issue(name) for name in names[:2]}
    return [(name, client.build('GET', '/echo/x', bearer(issued[name]),
                                close=False)) for name in names]


@t.story
def each_of_a_crowd_gets_the_identity_and_token_of_its_own_pod(
        gateway, pairs):
    answers = client.crowd(gateway.nginx.port, [data for _, data in pairs],
                           connections=50)
    wrong = []
    for (name, _), answer in zip(pairs, answers):
        pod, _, minted = answer.text.partition(' ')
        if (pod, tokens.decode(minted)[1]['pod_name']) != (name, name):
            wrong.append(f'{name}: {answer}')
    t.is_(len(answers), 2000, 'a thousand pairs of two tokens')
    t.ok(not wrong, 'are not mixed up', *wrong[:5])


@t.story
def each_of_a_crowd_gets_its_own_pod_where_each_is_reviewed(cluster, pairs):
    gateway = Gateway(cluster, HTTP.replace(
        'akl_k8s_cache_valid 1h', 'akl_k8s_cache_valid 0'))
    answers = client.crowd(gateway.nginx.port,
                           [data for _, data in pairs[:200]], connections=20)
    wrong = [name for (name, _), answer in zip(pairs, answers)
             if answer.text.partition(' ')[0] != name]
    t.is_(len(answers), 200, 'a hundred pairs')
    t.ok(not wrong, 'are not mixed up', wrong)


# gRPC and HTTP/2

def http2_lacks():
    """Skip the story, and say so, where there is no HTTP/2."""
    if H2 and CURL:
        return False
    t.skip('no HTTP/2 here')
    return True


def curl(gateway, path, *more):
    """Begin to send a request over HTTP/2."""
    return subprocess.Popen(
        [CURL, '-sS', '--http2-prior-knowledge', '-H',
         f'Authorization: Bearer {gateway.cluster.issue()}', *more,
         f'http://127.0.0.1:{gateway.nginx.port_of("port3")}{path}'],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def said(process):
    """Return what curl was answered."""
    return process.communicate(timeout=PATIENCE)[0].decode()


@t.story
def grpc_pass_sends_the_minted_token(gateway):
    if http2_lacks():
        return
    answer = client.post(gateway.nginx.port, '/grpc/x', 'hello',
                         bearer(gateway.token))
    t.is_(tokens.verify(answer.text.partition(' ')[2], key())['pod_name'],
          'mypod1', 'the token')


@t.story
def a_body_over_http2_waits_for_the_review_and_arrives_whole(gateway):
    if http2_lacks():
        return
    big = t.write('big', 'x' * 5000000)
    gateway.hold()
    process = curl(gateway, '/upload/x', '--data-binary', f'@{big}')
    t.ok(gateway.review_starts(), 'a review is held')
    gateway.release()
    t.like(said(process),
           f'^5000000 {hashlib.sha256(b"x" * 5000000).hexdigest()} ', '5 MB')


@t.story
def grpc_works_from_end_to_end(gateway):
    if http2_lacks():
        return
    # the far side answers without reading, which may reset the stream
    for _ in range(5):
        out = said(curl(gateway, '/grpc/x', '-H',
                        'Content-Type: application/grpc', '-H',
                        'TE: trailers', '--data-binary', 'hello'))
        if out.startswith('Bearer ey'):
            break
    t.like(out, '^Bearer ey', 'the token at the far side')


t.tell()
