#!/usr/bin/python3
"""k8s_tls_server_name: an API server that is reached by another name."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import tokens  # noqa: E402
from akltest import Test, client  # noqa: E402

NAME = 'kubernetes.internal'
OK = 200, None
TLS = 502, 'api_tls'
HTTP = '''
    akl_k8s_cache_valid 1h refused=0;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
    }
'''

t = Test(need_module=True)


class Gateway:
    """An nginx, and a cluster whose certificate has other names."""

    def __init__(self, *names):
        self.cluster = t.cluster()
        key = tokens.key('P-256', 'walls')
        authority = certs.Authority('walls', key)
        self.cluster.api.certificate(*certs.write_pair(
            self.cluster.dir, 'now', authority.server(names)))
        self.ca = self.cluster.file('walls.crt', authority.pem)

    def start(self, **configs):
        """Start nginx with a server name for each config, None: without."""
        text = ''.join(self.cluster.config(config, k8s_ca_cert=self.ca,
                                           k8s_tls_server_name=name)
                       for config, name in configs.items())
        self.nginx = t.nginx(HTTP, method=self.cluster.method(), configs=text)

    def login(self, config):
        """Log in; return status and reason."""
        answer = client.post(self.nginx.port, '/v2/auth', self.cluster.login(
            self.cluster.issue(), config))
        return answer.status, answer.json().get('reason')

    def heard(self):
        """Return SNI and Host of the last request."""
        record = self.cluster.api.records()[-1]
        return record['sni'], [value for name, value in record['headers']
                               if name.lower() == 'host']


@t.story
def a_certificate_is_verified_for_the_name_that_is_given():
    gateway = Gateway(NAME)
    gateway.start(without=None, named=NAME, another='kubernetes.external')
    host = f'127.0.0.1:{gateway.cluster.port}'
    t.is_(gateway.login('without'), TLS, 'not for the address')
    t.is_(gateway.login('named'), OK, 'for the name')
    t.is_(gateway.heard(), (NAME, [host]),
          'SNI carries it, and Host is that of the URL')
    t.is_(gateway.login('another'), TLS,
          'and for no other, also where a connection stands')
    t.ok(gateway.nginx.grep('api_tls: .*kubernetes.external'),
         'the log says so')


@t.story
def the_hosts_own_name_does_not_count_beside_it():
    gateway = Gateway('127.0.0.1', 'localhost')
    gateway.start(without=None, named=NAME)
    t.is_(gateway.login('without'), OK, 'the address alone')
    t.is_(gateway.heard()[0], None, 'has no SNI')
    t.is_(gateway.login('named'), TLS, 'is not asked for')


@t.story
def it_may_be_an_address():
    gateway = Gateway('192.0.2.1', '2001:db8::1')
    gateway.start(four='192.0.2.1', six='2001:db8::1', other='192.0.2.2')
    for config, expected in (('four', OK), ('six', OK), ('other', TLS)):
        t.is_(gateway.login(config), expected, config)


t.tell()
