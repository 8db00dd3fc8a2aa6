#!/usr/bin/python3
"""The API server is verified against the config's CA and no other."""

import os
import subprocess
import sys
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import tokens  # noqa: E402
from akltest import Test, client  # noqa: E402

STORE = '/etc/ssl/certs'
OK = 200, None
BAD = 502, 'api_tls'
HTTP = '''
    akl_k8s_cache_valid 0 refused=0;
    @method@
    @config@
    @system@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def public():
    """An authority that some system's store may know."""
    return certs.Authority('akl public CA', tokens.key('P-256', 'public'))


class Gateway:
    """An nginx with a CA file of its own."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.good = cluster.api.read('ca.crt')
        self.nginx = t.nginx(start=False)
        self.name = os.path.basename(self.nginx.dir) + '-ca.pem'
        self.nginx.configure({
            'method': cluster.method(),
            'config': cluster.config(k8s_ca_cert=self.trust(self.good)),
            'system': cluster.config(name='system', k8s_ca_cert='system')},
            http=HTTP)
        self.nginx.start()

    def trust(self, text):
        """Write the CA file; return its path."""
        return self.cluster.file(self.name, text)

    def login(self, config='k8s-conf'):
        """Log in; return status and reason."""
        answer = client.post(self.nginx.port, '/v2/auth', self.cluster.login(
            self.cluster.issue(), config))
        return answer.status, answer.json().get('reason')

    def present(self, authority, **kw):
        """Let the API server present a certificate to new connections."""
        self.cluster.api.certificate(*certs.write_pair(
            self.cluster.dir, 'now', authority.server(**kw)))
        self.cluster.api.drop()


@t.own
def gateway(cluster):
    """A gateway whose CA file a story may replace."""
    return Gateway(cluster)


@t.shared
def private(public):
    """The command that gives a system's store which knows one more CA.

    It is in a mount of its own; None where there can be none.
    """
    store = os.path.join(t.dir, 'store')
    os.makedirs(store)
    path = t.write('store/public.pem', public.pem)
    name = subprocess.run(['openssl', 'x509', '-hash', '-noout', '-in', path],
                          check=True, stdout=subprocess.PIPE,
                          text=True).stdout.strip()
    os.rename(path, os.path.join(store, name + '.0'))
    t.write('store/ca-certificates.crt', public.pem)
    os.makedirs(STORE, exist_ok=True)
    wrap = t.write('wrap', f'#!/bin/sh\nmount --bind {store} {STORE} '
                   '|| exit 99\nexec "$@"\n', 0o755)
    command = ['unshare', '--mount', '--propagation', 'private', wrap]
    done = subprocess.run([*command, 'true'], check=False,
                          stderr=subprocess.DEVNULL)
    return ' '.join(command) if done.returncode == 0 else None


@t.story
def a_server_of_the_configs_ca_is_trusted(gateway):
    t.is_(gateway.login(), OK, 'a login')
    t.is_(gateway.login('system')[1], 'api_tls',
          'which the system does not know')


@t.story
def a_server_of_another_ca_is_refused_and_the_log_names_the_certificate(
        gateway, public):
    gateway.present(public)
    t.is_(gateway.login(), BAD, 'a login')
    t.ok(gateway.nginx.grep('api_tls: .*certificate'), 'the log')


@t.story
def the_systems_store_counts_where_it_was_asked_for(cluster, public, private):
    if private is None:
        t.skip('no mount of our own: the store stays as it is', 2)
        return
    wrap = f'{private} {os.environ.get("AKL_WRAP", "")}'
    with mock.patch.dict(os.environ, AKL_WRAP=wrap):
        gateway = Gateway(cluster)
    gateway.present(public)
    t.is_(gateway.login('system'), OK, "a server of the system's store")
    t.is_(gateway.login(), BAD, "is refused where the config's CA counts")


@t.story
def a_certificate_of_another_name_or_time_is_refused(gateway):
    ours = certs.Authority()
    for name, kw in (('another name', {'names': ('elsewhere.example',)}),
                     ('an expired certificate', {'days': -1})):
        gateway.present(ours, **kw)
        t.is_(gateway.login(), BAD, name)
    gateway.present(ours)
    t.is_(gateway.login(), OK, 'and a good one again')


@t.story
def what_a_certificate_says_of_itself_stays_within_its_line_of_the_log(
        gateway):
    gateway.present(certs.Authority(), names=(),
                    common_name='a\r\nsecond line\x1b[2J\u202e"b')
    t.is_(gateway.login(), BAD, 'a login')
    t.ok(gateway.nginx.grep('api_tls: .*a..second line.*b'),
         'its name is told')
    text = gateway.nginx.error_log()
    t.is_([line for line in text.splitlines()
           if line.startswith('second line')], [], 'on the same line')
    t.ok('\x1b' not in text and '\u202e' not in text,
         'without what a terminal would act on')


@t.story
def another_ca_file_is_followed_by_a_reload(gateway, public):
    for turn, text, expected in (('bad', public.pem, BAD),
                                 ('good', gateway.good, OK)) * 2:
        gateway.trust(text)
        t.ok(gateway.nginx.reload(wait_old=True), f'reload with a {turn} CA')
        t.is_(gateway.login(), expected, f'a {turn} CA is followed')


@t.story
def a_replaced_ca_file_is_read_when_a_certificate_is_refused(
        gateway, public):
    t.is_(gateway.login(), OK, 'a login before')
    gateway.trust(public.pem)
    gateway.present(public)
    t.is_(gateway.login(), OK, 'a login without a reload')
    t.ok(gateway.nginx.grep('k8s_ca_cert .* was replaced'),
         'and the log tells')


t.tell()
