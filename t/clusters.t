#!/usr/bin/python3
"""Every kind of cluster and reviewer, issuers, several hosts."""

import base64
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import dns  # noqa: E402
import tokens  # noqa: E402
from akltest import NAMESPACE, Test, client, wait_for  # noqa: E402

ANY = 'p-anyxx116z7j9km'
MINIKUBE = 'p-minix116z7j9km'

t = Test(need_module=True)
cluster = t.cluster()
api = cluster.api
minikube = t.cluster(issuer='api')
QUOTED = '"https://aks.example.com/abc/"'
aks = t.cluster(issuer=QUOTED)
dead = t.cluster()
dead.api.unlisten()
dead.api.drop()
names = dns.Server({'api.test': ['127.0.0.2', '127.0.0.1'],
                    'gone.test': []})

api.certificate(*certs.write_pair(
    cluster.dir, 'named', certs.Authority().server(
        names=('127.0.0.1', 'api.test', 'gone.test'))))

mount = os.path.join(t.dir, 'mount')
os.makedirs(mount)
t.write('mount/ca.crt', open(cluster.ca, encoding='ascii').read())
t.write('mount/token', open(cluster.reviewer, encoding='ascii').read())
api.rancher('token-abcde:not.a.jwt', ['c-m-x7k2'])
api.account(NAMESPACE, 'trusted')
api.pod(NAMESPACE, 'trusted-pod', account='trusted')
api.delegate(f'system:serviceaccount:{NAMESPACE}:trusted')
api.pod(NAMESPACE, 'pod9', account='norights')

CONFIGS = {
    'token': {},
    'certificate': {
        'k8s_auth_type': 'certificate', 'token_reviewer_jwt': None,
        'k8s_client_certificate': api.path('client.crt'),
        'k8s_client_key': api.path('client.key')},
    'norights': {
        'k8s_auth_type': 'certificate', 'token_reviewer_jwt': None,
        'k8s_client_certificate': api.path('client-norights.crt'),
        'k8s_client_key': api.path('client-norights.key')},
    'self': {'token_reviewer_jwt': 'self'},
    'unnamed-self': {'token_reviewer_jwt': None},
    'in-cluster': {'use_gw_service_account': mount, 'k8s_host': None,
                   'k8s_ca_cert': None, 'token_reviewer_jwt': None},
    'rancher': {'cluster_api_type': 'rancher', 'token_reviewer_jwt': None,
                'rancher_api_key': 'data:token-abcde:not.a.jwt',
                'rancher_cluster_id': 'c-m-x7k2'},
    'rancher-other': {
        'cluster_api_type': 'rancher', 'token_reviewer_jwt': None,
        'rancher_api_key': 'data:token-abcde:not.a.jwt',
        'rancher_cluster_id': 'c-m-other'},
    'hyphen': {'cluster_api_type': 'native-k8s'},
    'base64-ca': {'k8s_ca_cert': 'data:' + base64.b64encode(
        open(cluster.ca, 'rb').read()).decode()},
    'two-hosts': {'k8s_host': f'{dead.url} {cluster.url}'},
    'names': {'k8s_host': f'https://api.test:{cluster.port}'},
    'gone': {'k8s_host': f'https://gone.test:{cluster.port}'},
    'both': {'access_id': ANY,
             'k8s_issuer': f'{tokens.LEGACY_ISSUER} {tokens.ISSUER}'},
    'new-only': {'access_id': ANY},
    'unchecked': {'access_id': ANY, 'k8s_issuer': None,
                  'disable_issuer_validation': 'on'}}

http = '''
    resolver 127.0.0.1:@dns@;
    akl_k8s_cache_valid 0 refused=0;
    @methods@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
    }
'''
nginx = t.nginx(http, dns=names.port, env={
    'KUBERNETES_SERVICE_HOST': '127.0.0.1',
    'KUBERNETES_SERVICE_PORT': str(cluster.port)},
    methods=cluster.method() + cluster.method(ANY, bound_namespaces=None)
    + cluster.method(MINIKUBE, audience='spire-server'),
    configs=''.join(cluster.config(name=name, **members)
                    for name, members in CONFIGS.items())
    + minikube.config(name='minikube', access_id=MINIKUBE,
                      k8s_issuer='api')
    + aks.config(name='aks', k8s_issuer=f"'{QUOTED}'"))
number = 0


def login(config, token=None, access_id=None, of=cluster, **kw):
    """Log in; return status and reason."""
    global number
    number += 1
    access_id = access_id or CONFIGS.get(config, {}).get('access_id') \
        or 'p-kmx8x116z7j9km'
    token = token or of.issue(claims={'n': number}, **kw)
    answer = client.post(nginx.port, '/v2/auth',
                         of.login(token, config, access_id))
    return answer.status, answer.json().get('reason')


for name in ('token', 'certificate', 'in-cluster', 'rancher', 'hyphen',
             'base64-ca', 'two-hosts'):
    t.is_(login(name), (200, None), f'{name}')
t.is_(login('norights'), (502, 'reviewer_forbidden'),
      'a client certificate without rights')

paths = [r['path'] for r in api.records(1000)]
t.ok('/k8s/clusters/c-m-x7k2/apis/authentication.k8s.io/v1/tokenreviews'
     in paths, "Rancher's path")
t.is_(login('rancher-other'), (502, 'api_not_found'),
      'a cluster that Rancher does not have')

# The pod's own token as the bearer

for name in ('self', 'unnamed-self'):
    t.is_(login(name, pod='trusted-pod'), (200, None),
          f'{name}: a pod that may create reviews')
    t.is_(login(name, pod='pod9'), (502, 'reviewer_forbidden'),
          f'{name}: a pod that may not')
    expired = cluster.issue(pod='trusted-pod')
    bad = expired[:-12] + 'AAAAAAAAAAAA'
    t.is_(login(name, bad), (401, 'token_rejected'),
          f'{name}: a bad token is a refusal, not an outage')

# Names

served = [login('names') for _ in range(20)]
t.is_(served, [(200, None)] * 20, 'a name with two addresses, one dead')
t.ok(names.asked.get('api.test'), 'asked of the resolver')
t.is_(login('gone'), (503, 'api_unreachable'), 'a name without addresses')
names.records['gone.test'] = ['127.0.0.1']
t.ok(wait_for(lambda: login('gone')[0] == 200), 'that gets one')


def move(address):
    """Move the API server, and the name with it."""
    api.unlisten()
    api.drop()
    api.listen(address, cluster.port)
    names.records['api.test'] = [address]


def has_ipv6():
    """Say whether there is an IPv6 loopback address."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(('::1', 0))
    except OSError:
        return False
    return True


for address in ('127.0.0.3', '::1'):
    if ':' in address and not has_ipv6():
        t.skip('no IPv6 here', 2)
        continue
    move(address)
    t.ok(wait_for(lambda: login('names')[0] == 200),
         f'a name that moves to {address} is followed')
    t.is_([login('names') for _ in range(5)], [(200, None)] * 5,
          'from then on')
move('127.0.0.1')
t.ok(wait_for(lambda: login('names')[0] == 200), 'and back')

# Issuers

legacy = api.secret(NAMESPACE, 'old-token', account='builder')
t.is_(login('both', legacy), (200, None), 'a legacy token')
t.is_(login('both'), (200, None), 'and a projected one on one config')
t.is_(login('new-only', legacy), (401, 'issuer_mismatch'),
      'which an issuer alone does not take')
t.is_(login('unchecked', legacy), (200, None),
      'disable_issuer_validation leaves it to the server')
t.is_(login('unchecked', tokens.k8s_sign(
    {**tokens.decode(cluster.issue())[1], 'iss': 'https://else'},
    cluster.key)), (401, 'token_rejected'), 'which knows its own')
t.is_(login('aks', of=aks), (200, None), 'an issuer with quotes')

# The minikube set-up of the documentation

audiences = ['api', 'spire-server']
t.is_(login('minikube', access_id=MINIKUBE, of=minikube,
            audiences=audiences), (200, None), 'audience spire-server')
t.is_(login('minikube', access_id=MINIKUBE, of=minikube,
            audiences=['api']), (401, 'audience_mismatch'),
      'another audience')

names.close()
t.done_testing()
