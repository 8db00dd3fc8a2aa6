#!/usr/bin/python3
"""k8s_proxy: an API server that is reached through an HTTP proxy alone."""

import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import dns  # noqa: E402
import gates  # noqa: E402
import tokens  # noqa: E402
from akltest import Test, client  # noqa: E402

NAME = 'kubernetes.default.svc'
OK = 200, None
AWAY = 503, 'api_unreachable'
HTTP = '''
    @settings@
    akl_k8s_cache_valid 0 refused=0;
    @method@
    @config@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
    }
'''

t = Test(need_module=True)


class Gateway:
    """An nginx, and a cluster behind a proxy that knows its name."""

    def __init__(self):
        self.cluster = t.cluster()
        self.server = '127.0.0.1', self.cluster.port
        self.proxy = gates.Tunnel({f'{NAME}:6443': self.server})

    def start(self, settings='', env=None, main='', **config):
        """Start nginx with a config."""
        self.nginx = t.nginx(
            HTTP, env=env, main=main, settings=settings,
            method=self.cluster.method(),
            config=self.cluster.config(**{
                'k8s_host': f'https://{NAME}:6443',
                'k8s_proxy': f'http://127.0.0.1:{self.proxy.port}', **config}))

    def login(self):
        """Log in; return status and reason."""
        answer = client.post(self.nginx.port, '/v2/auth', self.cluster.login(
            self.cluster.issue()))
        return answer.status, answer.json().get('reason')

    def says(self, pattern):
        """Hold the last lines of the log."""
        t.ok(self.nginx.wait_log(pattern), f'the log: {pattern}')


@t.own
def gateway():
    """A gateway that is not started yet."""
    return Gateway()


@t.story
def all_reviews_go_through_a_tunnel(gateway):
    gateway.start()
    t.is_([gateway.login() for _ in range(3)], [OK] * 3, 'three logins')
    t.is_(gateway.proxy.connects(), [f'{NAME}:6443'],
          'by one tunnel, to a name that only the proxy knows')
    t.is_(gateway.cluster.api.stats()['handshakes'], 1, 'over one connection')


@t.story
def the_proxy_sees_no_token(gateway):
    gateway.start()
    t.is_(gateway.login(), OK, 'a login')
    head = gateway.proxy.heads[0]
    t.ok('authorization' not in head.lower() and 'eyJ' not in head,
         'no credential in the head of CONNECT', head)
    t.ok('/apis/' not in head and 'application/json' not in head,
         'and nothing of the request', head)


@t.story
def certificates_are_verified_from_end_to_end(gateway):
    gateway.start()
    other = certs.Authority('other', tokens.key('P-256', 'other'))
    gateway.cluster.api.certificate(*certs.write_pair(
        gateway.cluster.dir, 'other', other.server()))
    t.is_(gateway.login(), (502, 'api_tls'), 'a server of another CA')


@t.story
def another_name_of_the_server_is_not_what_the_proxy_is_told(gateway):
    gateway.proxy.hosts = {'192.0.2.1:6443': gateway.server}
    gateway.start(k8s_host='https://192.0.2.1:6443', k8s_tls_server_name=NAME)
    t.is_(gateway.login(), OK, 'a login')
    t.is_(gateway.proxy.connects(), ['192.0.2.1:6443'], 'the address')
    t.is_(gateway.cluster.api.records()[-1]['sni'], NAME, 'the name')


@t.story
def the_environment_is_never_asked(gateway):
    trap = gates.Tunnel({f'127.0.0.1:{gateway.cluster.port}': gateway.server})
    url = f'http://127.0.0.1:{trap.port}'
    env = {name: url for name in ('http_proxy', 'https_proxy', 'HTTPS_PROXY',
                                  'all_proxy', 'ALL_PROXY')}
    names = ''.join(f'env {name};\n' for name in (*env, 'no_proxy',
                                                  'NO_PROXY'))
    gateway.start(env={**env, 'no_proxy': '*', 'NO_PROXY': '*'},
                  main=names)
    t.is_((gateway.login(), gateway.proxy.connects(), trap.heads),
          (OK, [f'{NAME}:6443'], []), 'with a proxy, and exceptions from it')
    gateway.start(env=env, main=names, k8s_proxy=None,
                  k8s_host=gateway.cluster.url)
    t.is_((gateway.login(), trap.heads), (OK, []), 'without one')


@t.story
def a_proxy_that_demands_credentials_is_named_in_the_log(gateway):
    gateway.start()
    gateway.proxy.status = 407
    t.is_(gateway.login(), AWAY, 'a login')
    gateway.says(r'api_unreachable: .*the proxy demands credentials \(407\)'
                 rf'.*by proxy 127\.0\.0\.1:{gateway.proxy.port}, '
                 rf'https://{NAME}:6443')
    gateway.proxy.status = None
    t.is_(gateway.login(), OK, 'and when it does no more')


@t.story
def a_proxy_that_does_not_connect_is_named_in_the_log(gateway):
    gateway.start()
    for status in (403, 502):
        gateway.proxy.status = status
        t.is_(gateway.login(), AWAY, f'a login: {status}')
        gateway.says(f'the proxy does not connect, status {status}')
    port = gateway.proxy.port
    gateway.proxy.close()
    t.is_(gateway.login(), AWAY, 'a proxy that is away')
    gateway.says(rf'api_unreachable: .*efused.*by proxy 127\.0\.0\.1:{port}')


@t.story
def a_proxy_that_says_nothing_is_away(gateway):
    gateway.proxy.mute = True
    gateway.start(akl_k8s_review_timeout='60s connect=500ms')
    t.is_(gateway.login(), AWAY, 'a login')
    gateway.says('the proxy did not connect in time '
                 rf'\(by proxy 127\.0\.0\.1:{gateway.proxy.port}, '
                 rf'https://{NAME}:6443\)')
    gateway.proxy.mute = False
    t.is_(gateway.login(), OK, 'and when it speaks again')


@t.story
def the_next_host_is_asked_where_the_proxy_says_nothing_of_the_first(gateway):
    gateway.proxy.mute = {'mute.example:6443'}
    gateway.start(k8s_host=f'https://mute.example:6443 https://{NAME}:6443',
                  akl_k8s_review_timeout='60s connect=500ms')
    t.is_(gateway.login(), OK, 'a login')
    t.is_(gateway.proxy.connects(), ['mute.example:6443', f'{NAME}:6443'],
          'both in turn')


@t.story
def a_server_beyond_the_proxy_that_says_nothing_is_a_timeout(gateway):
    with socket.create_server(('127.0.0.1', 0)) as deaf:
        gateway.proxy.hosts = {f'{NAME}:6443': deaf.getsockname()}
        gateway.start(akl_k8s_review_timeout='1s connect=500ms')
        t.is_(gateway.login(), (504, 'api_timeout'), 'a login')
    gateway.says('TLS handshake timed out')


@t.story
def the_next_host_is_asked_where_the_proxy_cannot_reach_the_first(gateway):
    gateway.start(k8s_host=f'https://away.example:6443 https://{NAME}:6443')
    t.is_(gateway.login(), OK, 'a login')
    t.is_(gateway.proxy.connects(), ['away.example:6443', f'{NAME}:6443'],
          'both in turn')


@t.story
def a_proxys_name_is_resolved_by_nginx(gateway):
    names = dns.Server({'proxy.example': ['127.0.0.1']})
    gateway.start(f'resolver 127.0.0.1:{names.port};',
                  k8s_proxy=f'http://proxy.example:{gateway.proxy.port}')
    t.is_(gateway.login(), OK, 'a login')
    t.is_(set(names.asked), {'proxy.example'},
          "the server's own name is left to the proxy")


t.tell()
