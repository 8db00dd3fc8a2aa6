#!/usr/bin/python3
"""Every location that answers by itself keeps the same rules of HTTP."""

import json
import os
import select
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import preload  # noqa: E402
from akltest import Test, client  # noqa: E402
from procs import free_port  # noqa: E402
from tap import PATIENCE  # noqa: E402

# path: methods, what GET or an empty POST is answered, kept by caches

RULES = {
    '/akeyless': ('GET, HEAD, POST', 401, False),
    '/vault': ('POST, PUT', 400, False),
    '/oauth': ('POST', 415, False),
    '/revoke': ('POST', 400, False),
    '/introspect': ('POST', 415, False),
    '/self': ('GET, HEAD, POST, PUT', 403, False),
    '/revoke-own': ('POST, PUT', 401, False),
    '/revoke-self': ('POST, PUT', 403, False),
    '/status': ('GET, HEAD', 200, False),
    '/status?format=json': ('GET, HEAD', 200, False),
    '/status?format=html': ('GET, HEAD', 200, False),
    '/status?format=prometheus': ('GET, HEAD', 200, False),
    '/jwks': ('GET, HEAD', 200, True),
    '/bundle': ('GET, HEAD', 200, True),
    '/discovery': ('GET, HEAD', 200, True),
}
# path: a body, the types that it may be sent as, one that it may not; Vault
# itself looks at no type, and its clients send what they like

BODIES = {
    '/akeyless': ('{}', ('application/json', None), 'text/plain'),
    '/vault': ('{}', ('application/json', 'text/plain', None), None),
    '/oauth': ('a=b', ('application/x-www-form-urlencoded',), 'text/plain'),
    '/revoke': ('{}', ('application/json', None), 'text/plain'),
    '/introspect': ('a=b', ('application/x-www-form-urlencoded',),
                    'text/plain'),
}
METHODS = 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'

t = Test(need_module=True)


@t.shared
def nginx():
    """A location of each kind."""
    cluster = t.cluster()
    return t.nginx('''
        @method@
        @config@
        server {
            listen 127.0.0.1:@port@;
            location = /akeyless  { akl_k8s_auth; }
            location = /vault     { akl_k8s_auth vault; }
            location = /oauth     { akl_k8s_auth oauth config=k8s-conf; }
            location = /revoke    { akl_k8s_revoke; }
            location = /introspect { akl_k8s_introspect k8s-conf; }
            location = /self      { akl_k8s_introspect vault; }
            location = /revoke-own { akl_k8s_revoke self; }
            location = /revoke-self { akl_k8s_revoke vault; }
            location = /status    { akl_k8s_status; }
            location = /jwks      { akl_k8s_jwks; }
            location = /bundle    { akl_k8s_jwks spiffe; }
            location = /discovery { akl_k8s_discovery k8s-conf; }
        }
    ''', method=cluster.method(),
        config=cluster.config(token_issuer='https://gw.example.com',
                              token_subject='spiffe://example.org/pod'))


@t.shared
def ask(nginx):
    """Send a request without content; return the answer."""
    def send(method, path, headers=None):
        return client.request(nginx.port, method, path, headers=headers)
    return send


def first(allow):
    """Return the method by which a location is asked."""
    return 'GET' if 'GET' in allow else 'POST'


@t.story
def each_location_takes_its_methods(ask):
    for path, (allow, _, _) in RULES.items():
        for method in allow.split(', '):
            t.isnt(ask(method, path).status, 405, f'{path} takes {method}')


@t.story
def each_location_refuses_other_methods_and_says_what_it_allows(ask):
    for path, (allow, _, _) in RULES.items():
        for method in METHODS:
            if method not in allow.split(', '):
                answer = ask(method, path)
                t.is_((answer.status, answer.header('allow')), (405, allow),
                      f'{path}: {method}')


@t.story
def each_answer_says_how_long_it_is_and_who_may_keep_it(ask):
    for path, (allow, status, cached) in RULES.items():
        answer = ask(first(allow), path)
        t.is_(answer.status, status, f'{path} answers {first(allow)}')
        t.is_(answer.all('cache-control'),
              ['public, max-age=300' if cached else 'no-store'],
              f'{path} says once who may keep its answer')
        t.is_(answer.header('content-length'), str(len(answer.body)),
              f'{path} says how long its answer is')
        t.is_(answer.header('etag') is not None, cached,
              f'{path} has an ETag where its answer may be kept')


@t.story
def head_is_answered_with_the_same_headers_and_no_content(ask):
    for path, (allow, status, _) in RULES.items():
        if 'HEAD' not in allow:
            continue
        answer = ask('GET', path)
        head = ask('HEAD', path)
        t.is_((head.status, head.body, head.header('content-type'),
               head.header('etag')),
              (status, b'', answer.header('content-type'),
               answer.header('etag')), path)


@t.story
def what_may_be_kept_is_sent_only_to_those_who_do_not_have_it(ask):
    for path, (_, _, cached) in RULES.items():
        if not cached:
            continue
        answer = ask('GET', path)
        same = ask('GET', path, {'If-None-Match': answer.header('etag')})
        t.is_((same.status, same.body), (304, b''),
              f'{path} is not sent again to who has it')
        other = ask('GET', path, {'If-None-Match': '"other"'})
        t.is_(other.body, answer.body, f'{path} is sent to who has another')


# Bodies

@t.shared
def post(nginx):
    """Send a body of some type; return the answer."""
    def send(path, body, kind, **headers):
        return client.post(nginx.port, path, body,
                           {'Content-Type': kind, **headers})
    return send


@t.story
def a_body_is_read_if_its_type_is_right_however_that_is_written(post):
    for path, (body, types, _) in BODIES.items():
        for kind in types:
            for written in {kind, kind and kind + '; charset=utf-8',
                            kind and kind.upper()}:
                answer = post(path, body, written)
                t.is_(answer.status // 100, 4,
                      f'{path} answers a {kind} body')
                t.isnt(answer.status, 415,
                       f'{path} reads a body of {written}')


@t.story
def a_body_of_another_type_is_not_read(post):
    for path, (body, types, wrong) in BODIES.items():
        if not wrong:
            continue
        for written in wrong, types[0] + 'x', 'x' + types[0]:
            answer = post(path, body, written)
            t.is_(answer.status, 415, f'{path} reads no body of {written}')
            t.is_(answer.all('cache-control'), ['no-store'],
                  f'{path} says once that nobody may keep that answer')


@t.story
def a_body_that_is_too_large_is_refused_declared_or_in_chunks(post):
    large = ' ' * (1 << 16)
    pieces = f'{len(large):x}\r\n{large}\r\n0\r\n\r\n'
    for path, (_, types, _) in BODIES.items():
        for how, body, more in (
                ('declared', large, {}),
                ('in chunks', pieces, {'Transfer-Encoding': 'chunked'})):
            answer = post(path, body, types[0], **more)
            t.is_((answer.status, answer.header('content-type')),
                  (413, 'application/json'), f'{path}, {how}')
            t.is_(answer.all('cache-control'), ['no-store'],
                  f'{path} says once that nobody may keep it, {how}')


class Filed:
    """An nginx that puts bodies into files before our locations see them."""

    def __init__(self, **kw):
        cluster = t.cluster()
        serves = {'/akeyless': 'akl_k8s_auth;',
                  '/vault': 'akl_k8s_auth vault;',
                  '/oauth': 'akl_k8s_auth oauth;',
                  '/revoke': 'akl_k8s_revoke;'}
        places = ''.join(f'''
            location = {path} {{ {says} }}
            location = /mirror{path} {{ {says} mirror /none; }}
            location = /redirect{path} {{
                error_page 502 = @named{path};
                proxy_pass http://127.0.0.1:@closed@;
            }}
            location @named{path} {{ {says} }}
        ''' for path, says in serves.items())
        self.nginx = t.nginx(f'''
            @method@
            @config@
            client_body_in_file_only clean;
            server {{
                listen 127.0.0.1:@port@;
                {places}
                location = /none {{ return 204; }}
                location = /status {{ akl_k8s_status; }}
            }}
        ''', method=cluster.method(), config=cluster.config(),
            closed=free_port(), **kw)
        self.bodies = {
            '/akeyless': cluster.login(cluster.issue()),
            '/vault': {'jwt': cluster.issue(), 'role': 'k8s-conf'},
            '/oauth': 'grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3A'
                      'token-exchange&client_id=k8s-conf&subject_token_type='
                      'urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt'
                      '&subject_token=' + cluster.issue(),
            '/revoke': {'jti': 'x'}}

    def post(self, path, way, body=None):
        """Send a good body, or this one; return the answer."""
        kind = BODIES[path][1][0] if body or path == '/oauth' else None
        return client.post(self.nginx.port, way + path,
                           body or self.bodies[path],
                           kind and {'Content-Type': kind})


@t.story
def a_body_that_is_in_a_file_already_is_read_from_there():
    filed = Filed()
    for path in filed.bodies:
        for way in '', '/mirror', '/redirect':
            t.is_(filed.post(path, way).status, 200, f'{way}{path}')
        t.is_(filed.post(path, '/mirror', 'x' * 40000).status, 413,
              f'/mirror{path}: a body that is too large')


@t.story
def a_body_whose_file_cannot_be_read_is_an_error_of_ours():
    disk = os.path.join(t.folder(), 'disk')
    t.write(disk, '')
    filed = Filed(env={'LD_PRELOAD': preload.build(t.dir, 'disk'),
                       'AKL_DISK': disk})
    nginx = filed.nginx
    nginx.expect('pread\\(\\) .*client_body_temp.* failed')
    for how in 'lost', 'half':
        for path in filed.bodies:
            mark = nginx.mark()
            t.write(disk, f'{how} {nginx.dir}/client_body_temp')
            answer = filed.post(path, '/mirror')
            t.is_((answer.status, answer.json().get('reason')),
                  (500, 'internal_error'), f'{how}: {path}')
            t.ok(nginx.wait_log('internal_error: .*the request body was not '
                                'readable', since=mark), 'the log says why')
            t.write(disk, '')
            t.is_(filed.post(path, '/mirror').status, 200,
                  'and it is well when the disk is')
    t.is_(client.get(nginx.port, '/status?format=json').json()[
        'refused_requests_total']['internal_error'], 8,
        'each is counted as such')


def pipeline(port, request, number):
    """Send requests, and read no answer before no more of them goes out.

    Returns how many answers came in the end.
    """
    data, back = request * number, b''
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(('127.0.0.1', port))
        sock.setblocking(False)
        reading, moved = False, time.monotonic()
        while back.count(b'HTTP/1.1 200') < number:
            ready = select.select([sock] if reading else [],
                                  [sock] if data else [], [], 0.05)
            if ready[1]:
                data = data[sock.send(data):]
            if ready[0]:
                part = sock.recv(65536)
                if not part:
                    break
                back += part
            if ready[0] or ready[1]:
                moved = time.monotonic()
            elif time.monotonic() - moved > (PATIENCE if reading else 1):
                if reading:
                    break
                reading, moved = True, time.monotonic()
    return back.count(b'HTTP/1.1 200')


@t.story
def answers_that_a_client_takes_late_are_answers():
    cluster = t.cluster()
    nginx = t.nginx('''
        @method@
        @config@
        server {
            listen 127.0.0.1:@port@ sndbuf=4k;
            location = /v2/auth   { akl_k8s_auth; }
            location = /introspect { akl_k8s_introspect k8s-conf; }
        }
    ''', method=cluster.method(), config=cluster.config())
    body = json.dumps(cluster.login(cluster.issue()))
    number = 400
    token = client.post(nginx.port, '/v2/auth', body,
                        {'Content-Type': 'application/json'}).json()['token']
    for path, content, kind in (
            ('/v2/auth', body, 'application/json'),
            ('/introspect', 'token=' + token,
             'application/x-www-form-urlencoded')):
        request = client.build('POST', path, {'Content-Type': kind}, content,
                               close=False)
        t.is_(pipeline(nginx.port, request, number), number,
              f'{path}: each has its answer')


t.tell()
