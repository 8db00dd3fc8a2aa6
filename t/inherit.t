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
        location = /introspect{n} { akl_k8s_introspect k8s-conf; {block} }
'''
KINDS = (('', ''), ('-if', IF), ('-ifs', IF + IF),
         ('-except', EXCEPT), ('-both', IF + EXCEPT),
         ('-server', ''))


def locations(name, blocks):
    """Return all locations, with these blocks in each."""
    return PINNED.replace('{n}', name).replace('{block}', blocks)


HTTP = '''
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
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx with each location, with and without blocks in it."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.mock = t.mock()
        self.nginx = t.nginx(
            HTTP, method=cluster.method(), mock=self.mock.port,
            config=cluster.config(kind='P-256', token_issuer=ISSUER),
            other=cluster.config(name='other', kind='P-256',
                                 token_issuer=ISSUER),
            locations=''.join(locations(*kind) for kind in KINDS))
        self.good = mint()
        self.token = cluster.issue()

    def call(self, place, with_y):
        """Make the request that a location is for; return what it answers."""
        kind = place.split('-')[0]
        headers = {'X-Y': '1'} if with_y else {}
        if kind == '/verify':
            headers.update(bearer(self.good))
        if kind in ('/login', '/pinned'):
            return client.post(self.nginx.port, place, self.cluster.login(
                self.token, config='k8s-conf'), headers)
        if kind == '/vault':
            return client.post(self.nginx.port, place, {
                'jwt': self.token, 'role': 'k8s-conf'}, headers)
        if kind == '/oauth':
            return client.post(
                self.nginx.port, place,
                'grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-'
                'exchange&client_id=k8s-conf'
                f'&subject_token={self.token}&subject_token_type='
                'urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt',
                {'Content-Type': 'application/x-www-form-urlencoded',
                 **headers})
        if kind == '/introspect':
            return client.post(
                self.nginx.port, place, f'token={self.good}',
                {'Content-Type': 'application/x-www-form-urlencoded',
                 **headers})
        if kind == '/revoke':
            return client.post(self.nginx.port, place, {'jti': 'none'},
                               headers)
        return client.get(self.nginx.port, place, headers)

    def essence(self, place, with_y):
        """Return what must be the same wherever the request was served."""
        try:
            answer = self.call(place, with_y)
        except OSError as error:
            return (repr(error),)
        body = answer.text
        if 'json' in (answer.header('content-type') or ''):
            value = answer.json()
            body = value if 'keys' in value or 'issuer' in value \
                else sorted(value)
        return (answer.status, answer.header('content-type'),
                answer.header('etag'), answer.header('x-akl-pod-name'), body)


@t.shared
def gateway(cluster):
    """The gateway of all stories."""
    return Gateway(cluster)


def in_all_blocks(gateway, place, status):
    """Hold what a location serves in each block against what it serves."""
    plain = gateway.essence(place, False)
    t.is_(plain[0], status, f'{place}: plain')
    for suffix, _ in KINDS:
        for with_y in (False, True):
            t.is_(gateway.essence(place + suffix, with_y), plain,
                  f'{place}{suffix}, X-Y {"" if with_y else "not "}sent')


@t.story
def a_token_endpoint_serves_in_all_blocks(gateway):
    in_all_blocks(gateway, '/login', 200)


@t.story
def an_endpoint_for_vaults_clients_serves_in_all_blocks(gateway):
    in_all_blocks(gateway, '/vault', 200)


@t.story
def a_token_exchange_serves_in_all_blocks(gateway):
    in_all_blocks(gateway, '/oauth', 200)


@t.story
def an_endpoint_of_one_config_is_so_in_all_blocks(gateway):
    in_all_blocks(gateway, '/pinned', 401)


@t.story
def a_key_set_is_served_in_all_blocks(gateway):
    in_all_blocks(gateway, '/jwks', 200)


@t.story
def discovery_is_served_in_all_blocks(gateway):
    in_all_blocks(gateway, '/discovery', 200)


@t.story
def akl_k8s_verify_serves_in_all_blocks(gateway):
    in_all_blocks(gateway, '/verify', 204)


@t.story
def the_status_page_is_served_in_all_blocks(gateway):
    in_all_blocks(gateway, '/status', 200)


@t.story
def tokens_are_introspected_in_all_blocks(gateway):
    in_all_blocks(gateway, '/introspect', 200)


@t.story
def revocations_are_taken_in_all_blocks(gateway):
    in_all_blocks(gateway, '/revoke', 200)


@t.story
def the_guard_holds_inside_limit_except(gateway):
    t.is_(client.get(gateway.nginx.port, '/verify-except', {}).status, 401,
          'limit_except: the guard holds')


@t.story
def what_another_handler_serves_is_its_own(gateway):
    answer = client.post(gateway.nginx.port, '/proxied', 'x', {'X-Y': '1'})
    t.is_((answer.status, answer.json()['path']), (200, '/proxied'),
          'a proxy_pass in an "if" serves there')
    answer = client.post(gateway.nginx.port, '/upper/lower', 'x' * (1 << 20))
    t.is_(answer.status, 200, 'a nested location takes a megabyte')
    answer = client.post(gateway.nginx.port, '/upper/lower',
                         'x' * ((1 << 20) + 1))
    t.is_(answer.status, 413, 'and no more: it is no endpoint')


@t.story
def an_endpoint_says_itself_what_is_too_large(gateway):
    for place in ('/upper', '/login-if', '/login-except', '/login-both'):
        answer = client.post(gateway.nginx.port, place, 'x' * ((1 << 20) + 1),
                             {'X-Y': '1'})
        t.is_((answer.status, answer.json()['reason']),
              (413, 'request_malformed'),
              f'{place}: an endpoint says itself what is too large')


t.tell()
