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
from akltest import (  # noqa: E402
    ACCESS_ID, NAMESPACE, Test, client, wait_for)

ANY = 'p-anyxx116z7j9km'
MINIKUBE = 'p-minix116z7j9km'
QUOTED = '"https://aks.example.com/abc/"'
RANCHER_KEY = 'token-abcde:not.a.jwt'
OK = 200, None
HTTP = '''
    resolver 127.0.0.1:@dns@;
    akl_k8s_cache_valid 0 refused=0;
    @methods@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with names, Rancher's door, a trusted pod and another."""
    made = t.cluster()
    api = made.api
    api.certificate(*certs.write_pair(
        made.dir, 'named', certs.Authority().server(
            names=('127.0.0.1', 'api.test', 'gone.test'))))
    api.rancher(RANCHER_KEY, ['c-m-x7k2'])
    api.account(NAMESPACE, 'trusted')
    api.pod(NAMESPACE, 'trusted-pod', account='trusted')
    api.delegate(f'system:serviceaccount:{NAMESPACE}:trusted')
    api.pod(NAMESPACE, 'pod9', account='norights')
    return made


@t.shared
def minikube():
    """A cluster whose issuer is no URL."""
    return t.cluster(issuer='api')


@t.shared
def aks():
    """A cluster whose issuer has quotes around it."""
    return t.cluster(issuer=QUOTED)


@t.shared
def dead():
    """A cluster whose API server is away."""
    made = t.cluster()
    made.api.unlisten()
    made.api.drop()
    return made


@t.shared
def mount(cluster):
    """What a pod's own account looks like in the pod."""
    path = os.path.join(t.dir, 'mount')
    os.makedirs(path)
    t.write('mount/ca.crt', cluster.api.read('ca.crt'))
    t.write('mount/token', cluster.api.read('reviewer.jwt'))
    return path


def configs(cluster, dead, mount):
    """Return name and members of each config."""
    path = cluster.api.path
    return {
        'token': {},
        'certificate': {
            'k8s_auth_type': 'certificate', 'token_reviewer_jwt': None,
            'k8s_client_certificate': path('client.crt'),
            'k8s_client_key': path('client.key')},
        'norights': {
            'k8s_auth_type': 'certificate', 'token_reviewer_jwt': None,
            'k8s_client_certificate': path('client-norights.crt'),
            'k8s_client_key': path('client-norights.key')},
        'self': {'token_reviewer_jwt': 'self'},
        'unnamed-self': {'token_reviewer_jwt': None},
        'in-cluster': {'use_gw_service_account': mount, 'k8s_host': None,
                       'k8s_ca_cert': None, 'token_reviewer_jwt': None},
        'rancher': {'cluster_api_type': 'rancher', 'token_reviewer_jwt': None,
                    'rancher_api_key': f'data:{RANCHER_KEY}',
                    'rancher_cluster_id': 'c-m-x7k2'},
        'rancher-other': {
            'cluster_api_type': 'rancher', 'token_reviewer_jwt': None,
            'rancher_api_key': f'data:{RANCHER_KEY}',
            'rancher_cluster_id': 'c-m-other'},
        'hyphen': {'cluster_api_type': 'native-k8s'},
        'base64-ca': {'k8s_ca_cert': 'data:' + base64.b64encode(
            cluster.api.read('ca.crt').encode()).decode()},
        'two-hosts': {'k8s_host': f'{dead.url} {cluster.url}'},
        'names': {'k8s_host': f'https://api.test:{cluster.port}'},
        'gone': {'k8s_host': f'https://gone.test:{cluster.port}'},
        'both': {'access_id': ANY,
                 'k8s_issuer': f'{tokens.LEGACY_ISSUER} {tokens.ISSUER}'},
        'new-only': {'access_id': ANY},
        'unchecked': {'access_id': ANY, 'k8s_issuer': None,
                      'disable_issuer_validation': 'on'}}


class Gateway:
    """An nginx with a config for each kind of cluster, and a resolver."""

    def __init__(self, cluster, minikube, aks, dead, mount):
        self.cluster = cluster
        self.names = dns.Server({'api.test': ['127.0.0.2', '127.0.0.1'],
                                 'gone.test': []})
        self.configs = configs(cluster, dead, mount)
        self.nginx = t.nginx(HTTP, dns=self.names.port, env={
            'KUBERNETES_SERVICE_HOST': '127.0.0.1',
            'KUBERNETES_SERVICE_PORT': str(cluster.port)},
            methods=cluster.method()
            + cluster.method(ANY, bound_namespaces=None)
            + cluster.method(MINIKUBE, audience='spire-server'),
            configs=''.join(cluster.config(name=name, **members)
                            for name, members in self.configs.items())
            + minikube.config(name='minikube', access_id=MINIKUBE,
                              k8s_issuer='api')
            + aks.config(name='aks', k8s_issuer=f"'{QUOTED}'"))

    def login(self, config, token=None, access_id=None, of=None, **kw):
        """Log in; return status and reason."""
        of = of or self.cluster
        access_id = access_id or self.configs.get(config, {}).get(
            'access_id', ACCESS_ID)
        answer = client.post(self.nginx.port, '/v2/auth', of.login(
            token or of.issue(**kw), config, access_id))
        return answer.status, answer.json().get('reason')


@t.shared
def gateway(cluster, minikube, aks, dead, mount):
    """The gateway of the stories that change no name."""
    return Gateway(cluster, minikube, aks, dead, mount)


@t.own
def my_gateway(cluster, minikube, aks, dead, mount):
    """A gateway whose resolver says what the story wants."""
    return Gateway(cluster, minikube, aks, dead, mount)


@t.story
def a_pod_logs_in_by_each_kind_of_cluster_and_reviewer(gateway):
    for name in ('token', 'certificate', 'in-cluster', 'rancher', 'hyphen',
                 'base64-ca', 'two-hosts'):
        t.is_(gateway.login(name), OK, name)


@t.story
def a_client_certificate_without_rights_is_no_reviewer(gateway):
    t.is_(gateway.login('norights'), (502, 'reviewer_forbidden'), 'a login')


@t.story
def rancher_is_asked_by_the_path_of_the_cluster(cluster, gateway):
    t.is_(gateway.login('rancher'), OK, 'a login')
    t.ok('/k8s/clusters/c-m-x7k2/apis/authentication.k8s.io/v1/tokenreviews'
         in [record['path'] for record in cluster.api.records(1000)],
         'the path')
    t.is_(gateway.login('rancher-other'), (502, 'api_not_found'),
          'a cluster that Rancher does not have')


@t.story
def a_pod_that_may_create_reviews_can_review_itself(cluster, gateway):
    for name in ('self', 'unnamed-self'):
        t.is_(gateway.login(name, pod='trusted-pod'), OK,
              f'{name}: a pod that may create reviews')
        t.is_(gateway.login(name, pod='pod9'), (502, 'reviewer_forbidden'),
              f'{name}: a pod that may not')
        bad = cluster.issue(pod='trusted-pod')[:-12] + 'AAAAAAAAAAAA'
        t.is_(gateway.login(name, bad), (401, 'token_rejected'),
              f'{name}: a bad token is a refusal, not an outage')


# Names

@t.story
def one_of_two_addresses_of_a_name_may_be_dead(my_gateway):
    t.is_([my_gateway.login('names') for _ in range(20)], [OK] * 20,
          'twenty logins')
    t.ok(my_gateway.names.asked.get('api.test'), 'the resolver was asked')


@t.story
def a_name_without_addresses_is_an_outage_until_it_gets_one(my_gateway):
    t.is_(my_gateway.login('gone'), (503, 'api_unreachable'), 'none')
    my_gateway.names.records['gone.test'] = ['127.0.0.1']
    t.ok(wait_for(lambda: my_gateway.login('gone')[0] == 200), 'one')


def has_ipv6():
    """Say whether there is an IPv6 loopback address."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(('::1', 0))
    except OSError:
        return False
    return True


@t.story
def a_name_that_moves_is_followed(cluster, my_gateway):
    def move(address):
        """Move the API server, and the name with it."""
        cluster.api.unlisten()
        cluster.api.drop()
        cluster.api.listen(address, cluster.port)
        my_gateway.names.records['api.test'] = [address]
        t.ok(wait_for(lambda: my_gateway.login('names')[0] == 200),
             f'to {address}')

    t.is_(my_gateway.login('names'), OK, 'a login before')
    for address in ('127.0.0.3', '::1'):
        if ':' in address and not has_ipv6():
            t.skip('no IPv6 here', 2)
            continue
        move(address)
        t.is_([my_gateway.login('names') for _ in range(5)], [OK] * 5,
              'from then on')
    move('127.0.0.1')


# Issuers

@t.story
def a_config_takes_tokens_of_all_its_issuers_and_no_others(cluster, gateway):
    legacy = cluster.api.secret(NAMESPACE, 'old-token', account='builder')
    t.is_(gateway.login('both', legacy), OK, 'a legacy token')
    t.is_(gateway.login('both'), OK, 'and a projected one on one config')
    t.is_(gateway.login('new-only', legacy), (401, 'issuer_mismatch'),
          'which an issuer alone does not take')


@t.story
def an_issuer_that_is_not_checked_here_is_checked_by_the_server(
        cluster, gateway):
    legacy = cluster.api.secret(NAMESPACE, 'old-token', account='builder')
    t.is_(gateway.login('unchecked', legacy), OK, 'one it knows')
    t.is_(gateway.login('unchecked', tokens.k8s_sign(
        {**tokens.decode(cluster.issue())[1], 'iss': 'https://else'},
        cluster.key)), (401, 'token_rejected'), 'one it does not')


@t.story
def an_issuer_may_have_quotes(gateway, aks):
    t.is_(gateway.login('aks', of=aks), OK, 'a login')


@t.story
def the_minikube_of_the_documentation_works(gateway, minikube):
    t.is_(gateway.login('minikube', access_id=MINIKUBE, of=minikube,
                        audiences=['api', 'spire-server']), OK,
          'audience spire-server')
    t.is_(gateway.login('minikube', access_id=MINIKUBE, of=minikube,
                        audiences=['api']), (401, 'audience_mismatch'),
          'another audience')


t.tell()
