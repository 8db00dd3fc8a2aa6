#!/usr/bin/python3
"""A login, end to end: identity, minted token, refusals, outages."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import tokens  # noqa: E402
from akltest import CONFIG, NAMESPACE, Test, client, wait_for  # noqa: E402

KINDS = {'RSA-2048': 'RS256', 'P-256': 'ES256', 'P-384': 'ES384',
         'Ed25519': 'EdDSA'}
BOUNDS = {'bound_pod_names': 'mypod* web-?', 'bound_sa_names': 'builder'}
ACCESS = 'p-kmx8x116z7j9km'
ANY = 'p-anyx8x116z7jkm'
MAPPED = 'p-v4mx8x116z7j9km'
SOON = 'p-soonx116z7j9km'
OVER = 'p-overx116z7j9km'
END = int(time.time()) + 600

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx with all the methods and configs of these stories."""

    def __init__(self, cluster):
        self.cluster = cluster
        configs = [
            cluster.config(token_issuer='https://gw.example.com'),
            cluster.config(name='any', access_id=ANY, k8s_issuer=' '.join(
                (tokens.ISSUER, tokens.LEGACY_ISSUER))),
            cluster.config(name='mapped', access_id=MAPPED),
            cluster.config(name='soon', access_id=SOON),
            cluster.config(name='over', access_id=OVER),
            cluster.config(
                name='aud', access_id=ANY, token_audience='https://items',
                token_claims='team=payments config_name=$akl_k8s_config'
                             ' path=$uri')]
        configs += [cluster.config(name=alg, kind=kind)
                    for kind, alg in KINDS.items()]
        methods = [
            cluster.method(**BOUNDS),
            cluster.method(MAPPED, bound_ips='::ffff:127.0.0.0/104'),
            cluster.method(ANY, bound_namespaces=None),
            cluster.method(SOON, access_expires=END),
            cluster.method(OVER, access_expires='2020-01-01T00:00:00Z')]
        self.nginx = t.nginx('''
            @methods@
            @configs@
            server {
                listen 127.0.0.1:@port@;
                location = /v2/auth { akl_k8s_auth; }
            }
        ''', methods=''.join(methods), configs=''.join(configs),
            level='debug')

    def login(self, token, config=CONFIG, access_id=ACCESS, **members):
        """Log in; return the answer."""
        return client.post(self.nginx.port, '/v2/auth', self.cluster.login(
            token, config, access_id, **members))

    def result(self, *args):
        """Log in; return status and reason."""
        answer = self.login(*args)
        return answer.status, answer.json().get('reason')


@t.shared
def gateway(cluster):
    """The gateway of all stories."""
    return Gateway(cluster)


def minted(answer, kind='RSA-2048'):
    """Return the verified claims of an answer."""
    return tokens.verify(answer.json()['token'], tokens.key(kind, 'gateway'))


# The main job

@t.story
def a_pod_logs_in_and_gets_a_token_of_its_own(cluster, gateway):
    pod_token = cluster.issue()
    answer = gateway.login(pod_token)
    body = answer.json()
    claims = minted(answer)
    header = tokens.decode(body['token'])[0]
    pod = tokens.decode(pod_token)[1]
    uids = pod['kubernetes.io']
    t.is_(answer.status, 200, 'the status')
    t.is_(answer.header('content-type'), 'application/json', 'JSON')
    t.is_(answer.header('cache-control'), 'no-store', 'not to be stored')
    t.is_(header['kid'], tokens.key('RSA-2048', 'gateway').thumbprint(),
          'kid is the thumbprint')
    t.is_(header['typ'], 'JWT', 'typ')
    t.contains(claims, {
        'iss': 'https://gw.example.com',
        'sub': f'system:serviceaccount:{NAMESPACE}:builder',
        'aud': pod['aud'], 'namespace': NAMESPACE,
        'service_account_name': 'builder',
        'service_account_uid': uids['serviceaccount']['uid'],
        'pod_name': 'mypod1', 'pod_uid': uids['pod']['uid'],
        'node_name': uids['node']['name'], 'access_id': ACCESS,
        'config_name': CONFIG}, 'the claims')
    t.ok('service_account_secret_name' not in claims, 'no secret, no claim')
    t.is_(claims['exp'] - claims['iat'], 900, 'fifteen minutes')
    t.is_(claims['nbf'], claims['iat'] - 10,
          'nbf allows for clocks that are ten seconds behind')
    t.ok(len(claims['jti']) >= 20, 'jti')
    t.is_(body['creds'], {'access_id': ACCESS, 'token': body['token'],
                          'expiry': claims['exp']}, 'creds')
    t.is_(body['expiration'], time.strftime(
        '%Y-%m-%dT%H:%M:%SZ', time.gmtime(claims['exp'])), 'expiration')


@t.story
def each_kind_of_key_signs_by_its_own_algorithm(cluster, gateway):
    for kind, alg in KINDS.items():
        answer = gateway.login(cluster.issue(), alg)
        t.is_(answer.status, 200, f'{alg} login')
        t.is_(tokens.decode(answer.json()['token'])[0]['alg'], alg, f'{alg}')
        t.is_(minted(answer, kind)['config_name'], alg, f'{alg} verifies')


@t.story
def an_ipv4_mapped_network_in_bound_ips_is_the_ipv4_network(
        cluster, gateway):
    t.is_(gateway.result(cluster.issue(), 'mapped', MAPPED), (200, None),
          'a login from 127.0.0.1')


@t.story
def a_config_adds_an_audience_and_claims(cluster, gateway):
    pod_token = cluster.issue()
    t.contains(minted(gateway.login(pod_token, 'aud', ANY)), {
        'aud': 'https://items', 'k8s_aud': tokens.decode(pod_token)[1]['aud'],
        'team': 'payments', 'config_name': 'aud', 'path': '/v2/auth'},
        'the claims')


# Lifetimes

@t.story
def a_minted_token_ends_with_the_pod_token_and_the_access(cluster, gateway):
    short = cluster.issue(ttl=600)
    t.is_(minted(gateway.login(short))['exp'],
          tokens.decode(short)[1]['exp'], 'never longer than the pod token')
    t.is_(minted(gateway.login(cluster.issue(), 'soon', SOON))['exp'], END,
          'never longer than the access')


@t.story
def an_access_that_is_over_lets_nobody_in(cluster, gateway):
    t.is_(gateway.result(cluster.issue(), 'over', OVER),
          (403, 'access_expired'), 'a login')


# Other kinds of tokens

@t.story
def a_legacy_token_logs_in_with_its_secret(cluster, gateway):
    answer = gateway.login(cluster.api.secret(
        NAMESPACE, 'builder-token', account='builder'), 'any', ANY)
    t.is_(answer.status, 200, 'a login')
    t.is_(minted(answer).get('service_account_secret_name'), 'builder-token',
          'the secret is a claim')
    t.ok('aud' not in minted(answer), 'and there is no audience')


@t.story
def a_token_without_a_pod_is_refused_where_pods_are_bound(cluster, gateway):
    unbound = cluster.issue(pod=None, account='builder')
    t.is_(gateway.result(unbound, 'any', ANY), (200, None), 'none is bound')
    t.is_(gateway.result(unbound), (403, 'pod_not_bound'), 'some are')


# Refusals

@t.story
def bounds_let_in_who_is_within_all_of_them(cluster, gateway):
    cluster.api.account('other-ns', 'builder')
    cluster.api.account(NAMESPACE, 'tester')
    for name in ('mypod2', 'stranger', 'web-1', 'web-12'):
        cluster.api.pod(NAMESPACE, name, account='builder')
    cluster.api.pod('other-ns', 'mypod1', account='builder')
    cluster.api.pod(NAMESPACE, 'mypod3', account='tester')
    for pod, namespace, status, reason in (
            ('mypod2', NAMESPACE, 200, None), ('web-1', NAMESPACE, 200, None),
            ('web-12', NAMESPACE, 403, 'pod_not_bound'),
            ('stranger', NAMESPACE, 403, 'pod_not_bound'),
            ('mypod3', NAMESPACE, 403, 'service_account_not_bound'),
            ('mypod1', 'other-ns', 403, 'namespace_not_bound')):
        t.is_(gateway.result(cluster.issue(pod, namespace)),
              (status, reason), f'{pod} of {namespace}: {reason or "ok"}')


@t.story
def the_token_of_a_deleted_pod_is_revoked(cluster, gateway):
    cluster.api.pod(NAMESPACE, 'mypod2', account='builder')
    gone = cluster.issue('mypod2')
    cluster.api.delete('pod', NAMESPACE, 'mypod2')
    mark = gateway.nginx.mark()
    t.is_(gateway.result(gone), (401, 'token_revoked'), 'a login')
    t.like(gateway.nginx.wait_log('refused, token_revoked', since=mark),
           'has been invalidated.*pod "mypod2"', 'the log says whose')


@t.story
def a_minted_token_is_no_pod_token(cluster, gateway):
    token = gateway.login(cluster.issue()).json()['token']
    t.is_(gateway.result(token), (401, 'issuer_mismatch'), 'a login')


# An outage is no refusal

@t.story
def an_api_server_that_is_away_is_no_refusal(cluster, gateway):
    cluster.api.unlisten()
    cluster.api.drop()
    mark = gateway.nginx.mark()
    answer = gateway.login(cluster.issue())
    t.is_((answer.status, answer.json()['reason']), (503, 'api_unreachable'),
          'a login')
    t.ok(int(answer.header('retry-after')) >= 1, 'Retry-After')
    t.ok(gateway.nginx.grep(r'\[error\].*login failed, api_unreachable',
                            mark), 'logged as an error')
    cluster.api.listen()
    t.ok(wait_for(lambda: gateway.result(cluster.issue()) == (200, None)),
         'and back')


@t.story
def the_debug_log_has_no_token_in_it(cluster, gateway):
    pod_token = cluster.issue()
    body = gateway.login(pod_token).json()
    gateway.login(cluster.issue()[:-12] + 'AAAAAAAAAAAA')
    log = gateway.nginx.error_log()
    with open(cluster.reviewer, encoding='ascii') as file:
        reviewer = file.read().strip()
    for name, secret in (('pod token', pod_token), ('minted', body['token']),
                         ('reviewer', reviewer)):
        t.ok(secret.rsplit('.', 1)[1][:60] not in log, f'no {name}')


t.tell()
