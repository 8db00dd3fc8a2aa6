#!/usr/bin/python3
"""The API server is verified against the config's CA and no other."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import tokens  # noqa: E402
from akltest import Test, client  # noqa: E402

STORE = '/etc/ssl/certs'

t = Test(need_module=True)
cluster = t.cluster()
api = cluster.api
public = certs.Authority('akl public CA', tokens.key('P-256', 'public'))
count = 0

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


def present(authority, **kw):
    """Let the API server present a certificate to new connections."""
    api.certificate(*certs.write_pair(cluster.dir, 'now',
                                      authority.server(**kw)))
    api.drop()


def login(config='k8s-conf'):
    """Log in with a fresh token; return status and reason."""
    global count
    count += 1
    answer = client.post(nginx.port, '/v2/auth', cluster.login(
        cluster.issue(claims={'n': count}), config))
    return answer.status, answer.json().get('reason')


# A store of the system's that knows one more CA, in a mount of our own

store = os.path.join(t.dir, 'store')
os.makedirs(store)
path = t.write('store/public.pem', public.pem)
name = subprocess.run(['openssl', 'x509', '-hash', '-noout', '-in', path],
                      check=True, stdout=subprocess.PIPE,
                      text=True).stdout.strip()
os.rename(path, os.path.join(store, name + '.0'))
t.write('store/ca-certificates.crt', public.pem)
os.makedirs(STORE, exist_ok=True)
wrap = t.write('wrap', f'#!/bin/sh\nmount --bind {store} {STORE} || exit 99\n'
               'exec "$@"\n', 0o755)
private = ['unshare', '--mount', '--propagation', 'private', wrap]
alone = subprocess.run([*private, 'true'], check=False,
                       stderr=subprocess.DEVNULL).returncode == 0
if alone:
    os.environ['AKL_WRAP'] = ' '.join(private)

ca = cluster.file('now.pem', open(cluster.ca, encoding='ascii').read())
nginx = t.nginx(HTTP, method=cluster.method(),
                config=cluster.config(k8s_ca_cert=ca),
                system=cluster.config(name='system', k8s_ca_cert='system'))

t.is_(login(), (200, None), 'a server of the config\'s CA')
t.is_(login('system')[1], 'api_tls', 'which the system does not know')
present(public)
if alone:
    t.is_(login('system'), (200, None),
          "a server of the system's store, where that was asked for")
else:
    t.skip('no mount of our own: the store stays as it is')
t.is_(login(), (502, 'api_tls'), "and refused where the config's CA counts")
t.ok(nginx.grep('api_tls: .*certificate'), 'the log names the certificate')

ours = certs.Authority()
for name, kw in (('another name', {'names': ('elsewhere.example',)}),
                 ('an expired certificate', {'days': -1})):
    present(ours, **kw)
    t.is_(login(), (502, 'api_tls'), name)
present(ours)
t.is_(login(), (200, None), 'and a good one again')

# Another CA file: followed by a reload, good, bad, good

good = open(ca, encoding='ascii').read()
for turn, text, expected in (('bad', public.pem, (502, 'api_tls')),
                             ('good', good, (200, None)),
                             ('bad', public.pem, (502, 'api_tls')),
                             ('good', good, (200, None))):
    cluster.file('now.pem', text)
    t.ok(nginx.reload(wait_old=True), f'reload with a {turn} CA')
    t.is_(login(), expected, f'a {turn} CA is followed')

# The same without a reload: a refused certificate makes it look at the file

cluster.file('now.pem', public.pem)
present(public)
t.is_(login(), (200, None), 'a replaced CA is read when one is refused')
t.ok(nginx.grep('k8s_ca_cert .* was replaced'), 'and the log tells')

t.done_testing()
