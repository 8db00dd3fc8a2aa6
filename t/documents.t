#!/usr/bin/python3
"""Every location that answers by itself keeps the same rules of HTTP."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
from akltest import Test, client  # noqa: E402

t = Test(need_module=True)
cluster = t.cluster()

nginx = t.nginx('''
    @method@
    @config@
    server {
        listen 127.0.0.1:@port@;
        location = /akeyless  { akl_k8s_auth; }
        location = /vault     { akl_k8s_auth vault; }
        location = /oauth     { akl_k8s_auth oauth config=k8s-conf; }
        location = /revoke    { akl_k8s_revoke; }
        location = /status    { akl_k8s_status; }
        location = /jwks      { akl_k8s_jwks; }
        location = /discovery { akl_k8s_discovery k8s-conf; }
    }
''', method=cluster.method(),
    config=cluster.config(token_issuer='https://gw.example.com'))
port = nginx.port

# path: methods, what GET or an empty POST is answered, kept by caches

RULES = {
    '/akeyless': ('GET, HEAD, POST', 401, False),
    '/vault': ('POST, PUT', 400, False),
    '/oauth': ('POST', 415, False),
    '/revoke': ('POST', 400, False),
    '/status': ('GET, HEAD', 200, False),
    '/status?format=json': ('GET, HEAD', 200, False),
    '/status?format=prometheus': ('GET, HEAD', 200, False),
    '/jwks': ('GET, HEAD', 200, True),
    '/discovery': ('GET, HEAD', 200, True),
}
METHODS = 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'


def ask(method, path, headers=None):
    """Send a request without content; return the answer."""
    return client.request(port, method, path, headers=headers)


for path, (allow, _, _) in RULES.items():
    for method in METHODS:
        answer = ask(method, path)
        if method in allow.split(', '):
            t.isnt(answer.status, 405, f'{path} takes {method}')
        else:
            t.is_((answer.status, answer.header('allow')), (405, allow),
                  f'{path} refuses {method} and says what it allows')

for path, (allow, status, cached) in RULES.items():
    method = 'GET' if 'GET' in allow else 'POST'
    answer = ask(method, path)
    t.is_(answer.status, status, f'{path} answers {method}')
    t.is_(answer.all('cache-control'),
          ['public, max-age=300' if cached else 'no-store'],
          f'{path} says once who may keep its answer')
    t.is_(answer.header('content-length'), str(len(answer.body)),
          f'{path} says how long its answer is')
    t.is_(answer.header('etag') is not None, cached,
          f'{path} has an ETag where its answer may be kept')
    if 'HEAD' in allow:
        head = ask('HEAD', path)
        t.is_((head.status, head.body, head.header('content-type'),
               head.header('etag')),
              (status, b'', answer.header('content-type'),
               answer.header('etag')),
              f'{path} answers HEAD with the same headers and no content')
    if cached:
        same = ask('GET', path, {'If-None-Match': answer.header('etag')})
        t.is_((same.status, same.body), (304, b''),
              f'{path} is not sent again to who has it')
        other = ask('GET', path, {'If-None-Match': '"other"'})
        t.is_(other.body, answer.body, f'{path} is sent to who has another')

# path: a body, the types that it may be sent as, one that it may not; Vault
# itself looks at no type, and its clients send what they like

BODIES = {
    '/akeyless': ('{}', ('application/json', None), 'text/plain'),
    '/vault': ('{}', ('application/json', 'text/plain', None), None),
    '/oauth': ('a=b', ('application/x-www-form-urlencoded',), 'text/plain'),
    '/revoke': ('{}', ('application/json', None), 'text/plain'),
}

for path, (body, types, wrong) in BODIES.items():
    for kind in types:
        for written in {kind, kind and kind + '; charset=utf-8',
                        kind and kind.upper()}:
            answer = client.post(port, path, body,
                                 {'Content-Type': written})
            t.is_(answer.status // 100, 4, f'{path} answers a {kind} body')
            t.isnt(answer.status, 415, f'{path} reads a body of {written}')
    if wrong:
        for written in wrong, types[0] + 'x', 'x' + types[0]:
            answer = client.post(port, path, body,
                                 {'Content-Type': written})
            t.is_(answer.status, 415, f'{path} reads no body of {written}')
            t.is_(answer.all('cache-control'), ['no-store'],
                  f'{path} says once that nobody may keep that answer')
    for how, extra in (('declared', {}),
                       ('in chunks', {'Transfer-Encoding': 'chunked'})):
        large = ' ' * (1 << 16)
        if extra:
            large = f'{len(large):x}\r\n{large}\r\n0\r\n\r\n'
        answer = client.post(port, path, large,
                             {'Content-Type': types[0], **extra})
        t.is_((answer.status, answer.header('content-type')),
              (413, 'application/json'),
              f'{path} refuses a body that is too large, {how}')
        t.is_(answer.all('cache-control'), ['no-store'],
              f'{path} says once that nobody may keep it, {how}')

t.done_testing()
