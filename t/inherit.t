#!/usr/bin/python3
"""Locations without a name of their own serve what their location serves.

nginx makes such a location of each "if" and "limit_except".
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

from akltest import Test, client  # noqa: E402
from minted import ISSUER, bearer, mint  # noqa: E402

t = Test(need_module=True)
cluster = t.cluster()
mock = t.mock()

IF = 'if ($http_x_y) { set $y 1; }'
EXCEPT = 'limit_except PUT { allow all; }'
PINNED = '''
        location = /pinned{n}    { akl_k8s_auth config=other; {block} }
        location = /vault{n}     { akl_k8s_auth vault; {block} }
        location = /oauth{n}     { akl_k8s_auth oauth; {block} }
        location = /login{n}     { akl_k8s_auth; {block} }
        location = /jwks{n}      { akl_k8s_jwks; {block} }
        location = /discovery{n} { akl_k8s_discovery k8s-conf; {block} }
        location = /verify{n}    {
            akl_k8s_guard k8s-conf;
            akl_k8s_verify;
            {block}
        }
        location = /status{n}    { akl_k8s_status; {block} }
        location = /revoke{n}    { akl_k8s_revoke; {block} }
'''
KINDS = (('', ''), ('-if', IF), ('-ifs', IF + IF),
         ('-except', EXCEPT), ('-both', IF + EXCEPT),
         ('-server', ''))


def locations(name, blocks):
    """Return all locations, with these blocks in each."""
    return PINNED.replace('{n}', name).replace('{block}', blocks)


nginx = t.nginx('''
    @method@
    @config@
    @other@
    server {
        listen 127.0.0.1:@port@;
        if ($http_x_y) { set $z 1; }
        @locations@

        location /proxied {
            akl_k8s_auth;
            if ($http_x_y) { proxy_pass http://127.0.0.1:@mock@; }
        }
        location /upper {
            akl_k8s_auth;
            location /upper/lower { proxy_pass http://127.0.0.1:@mock@; }
        }
    }
''', method=cluster.method(), mock=mock.port,
    config=cluster.config(kind='P-256', token_issuer=ISSUER),
    other=cluster.config(name='other', kind='P-256', token_issuer=ISSUER),
    locations=''.join(locations(*kind) for kind in KINDS))

good = mint()
token = cluster.issue()


def call(place, with_y):
    """Make the request that a location is for; return what it answers."""
    kind = place.split('-')[0]
    headers = {'X-Y': '1'} if with_y else {}
    if kind == '/verify':
        headers.update(bearer(good))
    if kind in ('/login', '/pinned'):
        return client.post(nginx.port, place, cluster.login(
            token, config='k8s-conf'), headers)
    if kind == '/vault':
        return client.post(nginx.port, place, {
            'jwt': token, 'role': 'k8s-conf'}, headers)
    if kind == '/oauth':
        return client.post(
            nginx.port, place,
            'grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-'
            f'exchange&client_id=k8s-conf&subject_token={token}&subject_token'
            '_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt',
            {'Content-Type': 'application/x-www-form-urlencoded', **headers})
    if kind == '/revoke':
        return client.post(nginx.port, place, {'jti': 'none'}, headers)
    return client.get(nginx.port, place, headers)


def essence(place, with_y):
    """Return what must be the same wherever the request was served."""
    try:
        answer = call(place, with_y)
    except OSError as error:
        return (repr(error),)
    body = answer.text
    if 'json' in (answer.header('content-type') or ''):
        value = answer.json()
        body = value if 'keys' in value or 'issuer' in value \
            else sorted(value)
    return (answer.status, answer.header('content-type'),
            answer.header('etag'), answer.header('x-akl-pod-name'), body)


for place in ('/login', '/vault', '/oauth', '/pinned', '/jwks', '/discovery',
              '/verify', '/status', '/revoke'):
    plain = essence(place, False)
    t.is_(plain[0], {'/pinned': 401, '/verify': 204}.get(place, 200),
          f'{place}: plain')
    for suffix, _ in KINDS:
        for with_y in (False, True):
            t.is_(essence(place + suffix, with_y), plain,
                  f'{place}{suffix}, X-Y {"" if with_y else "not "}sent')

t.is_(client.get(nginx.port, '/verify-except', {}).status, 401,
      'limit_except: the guard holds')

# what another handler serves there is its own

answer = client.post(nginx.port, '/proxied', 'x', {'X-Y': '1'})
t.is_((answer.status, answer.json()['path']), (200, '/proxied'),
      'a proxy_pass in an "if" serves there')
answer = client.post(nginx.port, '/upper/lower', 'x' * (1 << 20))
t.is_(answer.status, 200, 'a nested location takes a megabyte')
answer = client.post(nginx.port, '/upper/lower', 'x' * ((1 << 20) + 1))
t.is_(answer.status, 413, 'and no more: it is no endpoint')
for place in ('/upper', '/login-if', '/login-except', '/login-both'):
    answer = client.post(nginx.port, place, 'x' * ((1 << 20) + 1),
                         {'X-Y': '1'})
    t.is_((answer.status, answer.json()['reason']),
          (413, 'request_malformed'),
          f'{place}: an endpoint says itself what is too large')

t.done_testing()
