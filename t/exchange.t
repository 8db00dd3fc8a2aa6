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

t = Test(need_module=True)
cluster = t.cluster()
CURL = shutil.which('curl')
H2 = nginx_.has('http_v2_module')
NEW_H2 = [int(x) for x in nginx_.version().split('nginx/')[1].split()[0]
          .split('.')[:2]] >= [1, 25]


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


digests = http.server.ThreadingHTTPServer(('127.0.0.1', free_port()), Digest)
digests.daemon_threads = True
threading.Thread(target=digests.serve_forever, daemon=True).start()
mock = t.mock()

HTTP = '''
    @method@
    @config@
    @other@
    log_format who '$request_uri $status "$akl_k8s_status" '
                   '"$akl_k8s_pod_name" "$akl_k8s_jti" "$akl_k8s_cache" '
                   '"$akl_k8s_review_time" "$akl_k8s_token_expires" '
                   '"$akl_k8s_claim_pod_name"';
    access_log @dir@/who.log who;
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
    LISTEN = 'listen 127.0.0.1:@port3@ http2;'
    H2SERVER = '''server {
        listen 127.0.0.1:@port2@ http2;
        location / { default_type application/grpc;
                     return 200 "$http_authorization"; }
    }'''
    if NEW_H2:
        LISTEN = 'listen 127.0.0.1:@port3@; http2 on;'
        H2SERVER = H2SERVER.replace(' http2;', '; http2 on;')
else:
    HTTP = HTTP.replace('grpc_set_header', '#').replace('grpc_pass', '#')

nginx = t.nginx(
    HTTP.replace('@listen@', LISTEN).replace('@h2server@', H2SERVER),
    workers=2, method=cluster.method(), mock=mock.port,
    digest=digests.server_port,
    config=cluster.config(kind='P-256', token_issuer=ISSUER,
                          token_audience='legacy'),
    other=cluster.config('other', kind='Ed25519', token_issuer=ISSUER))

cluster.api.pod('my-namespace-a', 'mypod2', 'builder')
pods = {name: cluster.issue(pod=name) for name in ('mypod1', 'mypod2')}
token = pods['mypod1']


def get(path, given=token, port=None, **headers):
    """GET with a token."""
    return client.get(port or nginx.port, path,
                      {**(bearer(given) if given else {}), **headers})


def logged(path, pattern, name):
    """Wait for a line on a path that matches, the last one so far."""
    def last():
        lines = [line for line in nginx.access_log('who.log')
                 if line.startswith(path + ' ')]
        return lines and re.search(pattern, lines[-1])
    t.ok(wait_for(last), name, *nginx.access_log('who.log')[-3:])


def swapped(answer):
    """Return the claims of the token that the upstream got."""
    held = mock.header(answer.json(), 'authorization')
    return tokens.verify(held[0].partition(' ')[2], key())


# One exchange

answer = get('/legacy/x')
t.is_(answer.status, 200, 'a pod token')
t.contains(swapped(answer), {'pod_name': 'mypod1', 'iss': ISSUER,
                             'aud': 'legacy'}, 'the upstream gets a minted one')
t.is_(mock.header(answer.json(), 'x-pod'), ['mypod1'], 'and the identity')
t.is_(len(mock.header(answer.json(), 'authorization')), 1, 'once')
t.unlike(answer.text, token[-30:], 'and not the pod token')
logged('/legacy/x', r'200 "ok" "mypod1" "[\w-]{22}" "miss" '
       r'"\d+\.\d{3}" "\d+" "mypod1"', 'variables in the log')
first = swapped(answer)['jti']
answer = get('/legacy/y')
t.is_(swapped(answer)['jti'], first, 'the same token again')
logged('/legacy/y', '"hit" ""', 'from memory')
t.is_(get('/header/x', None, **{'X-Service-Token': token}).status, 200,
      'akl_k8s_token_source')
t.is_(get('/header/x').status, 401, 'and nowhere else')

# Refusals

answer = get('/legacy/x', None)
t.is_((answer.status, answer.header('www-authenticate'),
       answer.header('cache-control')),
      (401, 'Bearer realm="akl_k8s"', 'no-store'), 'no token')
answer = get('/legacy/x', token[:-8])
t.is_(answer.status, 401, 'a token cut short')
t.like(answer.header('www-authenticate'), 'error="invalid_token", '
       'error_description="[a-z_]+"', 'and why')
cluster.api.account('other', 'builder')
answer = get('/legacy/x', cluster.issue(pod=None, namespace='other',
                                        account='builder'))
t.is_((answer.status, answer.header('www-authenticate')), (
    403, 'Bearer realm="akl_k8s", error="insufficient_scope", '
    'error_description="namespace_not_bound"'), 'bounds')
own = mock.header(get('/legacy/x').json(), 'authorization')[0].split()[1]
t.is_(get('/legacy/x', own).status, 401, 'a minted token is no pod token')
t.is_(get('/page/x', None).text, 'token_missing', 'error_page 401')
t.like(get('/fallback/x').text, r'^mypod1 ey\S+$',
       'identity and token survive error_page')

# Requirements, guard and exchange together

t.is_(get('/required/x').status, 200, 'akl_k8s_require holds')
answer = get('/required/x', pods['mypod2'])
t.is_(answer.status, 403, 'and does not')
t.like(answer.header('www-authenticate'), 'claim="pod_name"',
       'and names the claim')
t.is_(get('/both/x').status, 200, 'guard takes what was minted here')
t.is_(get('/both/x', pods['mypod2']).status, 403, 'and requirements hold')
t.is_(get('/both/x', own).status, 401, 'a minted one alone does not do')
t.is_(get('/both-other/x').status, 401, 'a guard of another config')
t.is_(get('/either/x').status, 200, 'satisfy any: a pod token')
t.is_(get('/either/x', own).status, 200, 'satisfy any: a minted token')
t.is_(get('/either/x', None).status, 401, 'satisfy any: neither')

# In a subrequest

answer = get('/asked/x')
t.is_(swapped(answer)['pod_name'], 'mypod1', 'auth_request to an exchange')
t.is_(get('/asked/x', None).status, 401, 'and a refusal')
fresh = cluster.issue()
cluster.api.fault('hold')
before = cluster.api.stats()['review']
waiting = client.Background(get, '/asked/x', fresh)
t.ok(wait_for(lambda: cluster.api.stats()['review'] > before),
     'a review for a subrequest')
cluster.api.clear()
cluster.api.release()
t.is_(waiting.result().status, 200, 'is waited for')

# Bodies pass untouched, also while the review takes its time


def review_starts(before):
    """Wait until the API server has got another review."""
    return wait_for(lambda: cluster.api.stats()['review'] > before)


SIZE = 100 << 20
block = random.Random(1).randbytes(1 << 20)
expected = hashlib.sha256()
for _ in range(SIZE >> 20):
    expected.update(block)
expected = f'{SIZE} {expected.hexdigest()} Bearer ey'


def upload(path, given, chunked=False, pause=None):
    """Send 100 MB; pause is called after the first megabyte."""
    framing = 'Transfer-Encoding: chunked' if chunked \
        else f'Content-Length: {SIZE}'
    with client.connect(nginx.port, timeout=PATIENCE) as sock:
        sock.sendall(f'POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close'
                     f'\r\nAuthorization: Bearer {given}\r\n{framing}\r\n\r\n'
                     .encode())
        for number in range(SIZE >> 20):
            if number == 1 and pause:
                pause()
            if chunked:
                sock.sendall(b'100000\r\n')
            sock.sendall(block)
            if chunked:
                sock.sendall(b'\r\n')
        if chunked:
            sock.sendall(b'0\r\n\r\n')
        return client.read_response(sock, 'POST')


for path in ('/upload/x', '/stream/x'):
    for chunked in (False, True):
        name = f'100 MB, {"chunked" if chunked else "with a length"}, {path}'
        fresh = cluster.issue()
        cluster.api.fault('hold')
        before = cluster.api.stats()['review']
        released = []

        def pause(before=before, released=released):
            """The body waits in the kernel while the review is held."""
            released.append(review_starts(before))
            threading.Timer(2, lambda: (cluster.api.clear(),
                                        cluster.api.release())).start()

        answer = upload(path, fresh, chunked, pause)
        t.ok(released == [True] and answer.status == 200
             and answer.text.startswith(expected), name, answer)

for path in ('/upload/x', '/stream/x'):
    answer = client.post(nginx.port, path, 'x' * 100, bearer(token))
    t.like(answer.text, '^100 ', f'a small body, {path}')
    answer = client.post(nginx.port, path, '', bearer(token))
    t.like(answer.text, '^0 ', f'an empty body, {path}')

# One byte at a time, and pipelined

with client.connect(nginx.port) as sock:
    data = (f'POST /upload/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer '
            f'{cluster.issue()}\r\nContent-Length: 5\r\n\r\nhello').encode()
    for at in range(len(data) - 6):
        sock.send(data[at:at + 1])
    sock.sendall(data[len(data) - 6:] + (
        f'POST /upload/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer '
        f'{cluster.issue()}\r\nContent-Length: 2\r\nConnection: close\r\n'
        '\r\nab').encode())
    one = client.read_response(sock, 'POST')
    two = client.read_response(sock, 'POST')
    t.is_((one.text[:2], two.text[:2]), ('5 ', '2 '),
          'byte by byte, then pipelined')

# The client leaves while the review is held

cluster.api.fault('hold')
before = cluster.api.stats()['review']
sock = client.connect(nginx.port)
sock.sendall(client.build('POST', '/legacy/gone', bearer(cluster.issue()),
                          'body'))
t.ok(review_starts(before), 'a review is held')
sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                b'\1\0\0\0\0\0\0\0')
sock.close()
logged('/legacy/gone', ' 499 ', 'the client left, and is noticed')
cluster.api.clear()
cluster.api.release()
t.is_(get('/legacy/x').status, 200, 'and nothing breaks')

# The API server is away

cluster.api.unlisten()
cluster.api.drop()
answer = get('/legacy/x', cluster.issue())
t.is_((answer.status, answer.header('retry-after'),
       answer.header('www-authenticate')), (503, '1', None),
      'an outage is no refusal')
t.is_(get('/page/x', cluster.issue()).text, 'api_unreachable',
      'error_page 503')
cluster.api.listen()

# Many pairs at once: each sees its own

names = list(pods)
requests = [client.build('GET', '/echo/x', bearer(pods[names[n % 2]]),
                         close=False) for n in range(2000)]
answers = client.crowd(nginx.port, requests, connections=50)
wrong = []
for number, answer in enumerate(answers):
    pod, _, minted = answer.text.partition(' ')
    if (pod, tokens.decode(minted)[1]['pod_name']) \
            != (names[number % 2],) * 2:
        wrong.append(f'{number}: {answer}')
t.ok(not wrong, 'a thousand pairs of two tokens', *wrong[:5])

nginx.configure(http=nginx.settings['http'].replace(
    'akl_k8s_review_timeout', 'akl_k8s_cache_valid 0; akl_k8s_review_timeout'))
nginx.reload(wait_old=True)
answers = client.crowd(nginx.port, requests[:200], connections=20)
wrong = [n for n, answer in enumerate(answers)
         if answer.text.partition(' ')[0] != names[n % 2]]
t.ok(not wrong, 'a hundred pairs, each reviewed', wrong)

# gRPC and HTTP/2

if H2 and CURL:
    answer = client.post(nginx.port, '/grpc/x', 'hello', bearer(token))
    t.is_(tokens.verify(answer.text.partition(' ')[2], key())['pod_name'],
          'mypod1', 'grpc_pass')
    fresh = cluster.issue()
    cluster.api.fault('hold')
    before = cluster.api.stats()['review']
    big = t.write('big', 'x' * 5000000)
    process = subprocess.Popen(
        [CURL, '-sS', '--http2-prior-knowledge', '-H',
         f'Authorization: Bearer {fresh}', '--data-binary', f'@{big}',
         f'http://127.0.0.1:{nginx.port_of("port3")}/upload/x'],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    t.ok(review_starts(before), 'HTTP/2: a review is held')
    cluster.api.clear()
    cluster.api.release()
    out = process.communicate(timeout=PATIENCE)[0].decode()
    t.like(out, f'^5000000 {hashlib.sha256(b"x" * 5000000).hexdigest()} ',
           'HTTP/2 downstream, 5 MB')
    # the far side answers without reading, which may reset the stream
    for _ in range(5):
        out = subprocess.run(
            [CURL, '-s', '--http2-prior-knowledge', '-H',
             f'Authorization: Bearer {cluster.issue()}', '-H',
             'Content-Type: application/grpc', '-H', 'TE: trailers',
             '--data-binary', 'hello',
             f'http://127.0.0.1:{nginx.port_of("port3")}/grpc/x'],
            stdout=subprocess.PIPE, timeout=PATIENCE, check=False).stdout.decode()
        if out.startswith('Bearer ey'):
            break
    t.like(out, '^Bearer ey', 'gRPC all the way')
else:
    t.skip('no HTTP/2 here', 4)

digests.shutdown()
digests.server_close()
t.done_testing()
