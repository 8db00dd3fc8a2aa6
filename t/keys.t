#!/usr/bin/python3
"""k8s_jwks auto: the cluster's keys, fetched when and where they are."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import nginx as servers  # noqa: E402
import tokens  # noqa: E402
from akltest import NAMESPACE, Test, client, wait_for  # noqa: E402

PATH = '/openid/v1/jwks'
REVIEWER = 'system:serviceaccount:akl-system:reviewer'
UNTIL = 'asked for again every 10 seconds: signatures are not checked here ' \
    'until then'
HTTP = '''
    akl_k8s_cache_valid 0 refused=0;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /status { akl_k8s_status; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster, and a Rancher before it."""
    made = t.cluster()
    made.api.rancher('token-abcde:secret', ['c-m-1'])
    return made


@t.shared
def late():
    """A cluster that is not there when nginx starts."""
    return t.cluster()


@t.shared
def bare():
    """A cluster that publishes no keys."""
    return t.cluster(issuer='api')


@t.shared
def api(cluster):
    """The cluster's API server."""
    return cluster.api


class Gateway:
    """An nginx that is started while some clusters have no keys for it."""

    def __init__(self, cluster, late, bare):
        api = cluster.api
        late.api.unlisten()
        reviewer = cluster.file('own.jwt', api.read('reviewer.jwt')[:-8]
                                + 'AAAAAAAA')
        self.configs = {
            'good': (cluster, {}),
            'late': (late, {}),
            'issuer': (bare, {'k8s_issuer': 'api'}),
            'reviewer': (cluster, {'token_reviewer_jwt': reviewer}),
            'certificate': (cluster, {
                'k8s_auth_type': 'certificate', 'token_reviewer_jwt': None,
                'k8s_client_certificate': api.path('client.crt'),
                'k8s_client_key': api.path('client.key')}),
            'rancher': (cluster, {
                'cluster_api_type': 'rancher', 'token_reviewer_jwt': None,
                'rancher_api_key': cluster.file('key', 'token-abcde:secret'),
                'rancher_cluster_id': 'c-m-1'})}
        self.nginx = t.nginx(
            HTTP, level='debug',
            method=cluster.method(bound_pod_names='mypod1'),
            configs=''.join(
                held.config(name=name, **{'k8s_jwks': 'auto', **members})
                for name, (held, members) in self.configs.items())
            + cluster.config(name='file', k8s_jwks=cluster.jwks)
            + cluster.config(name='none'))

    def login(self, token, config='good'):
        """Log in; return status and reason."""
        answer = client.post(self.nginx.port, '/v2/auth',
                             self.configs[config][0].login(token, config))
        return answer.status, answer.json().get('reason')

    def known(self, config):
        """Return how many keys a config knows, and their age."""
        held = client.get(self.nginx.port, '/status').json()['configs'][config]
        return held.get('jwks_keys'), held.get('jwks_age_seconds')

    def series(self, name):
        """Return a gauge by config, as Prometheus reads it."""
        text = client.get(self.nginx.port, '/status?format=prometheus').text
        return dict(re.findall(
            rf'^nginx_akl_k8s_{name}{{config="(\w+)"}} (\d+)$', text, re.M))

    def forged(self, config='good', kid=None):
        """Return a token with a signature of nobody's."""
        held = self.configs[config][0]
        header, claims = tokens.decode(held.issue())
        return tokens.k8s_sign(claims, tokens.key('RSA-2048', 'nobody'),
                               kid=kid or header['kid'])

    def has_keys(self):
        """Wait until the keys of "good" were fetched."""
        t.ok(wait_for(lambda: self.known('good')[0] == 1),
             'keys are fetched at the start')


@t.own
def gateway(cluster, late, bare):
    """A gateway that has just started."""
    return Gateway(cluster, late, bare)


def fetches(held, user=None):
    """Return the requests for keys that a cluster has seen."""
    return [record for record in held.api.records(1000)
            if record['kind'] == 'jwks'
            and (user is None or record['user'] == user)]


@t.story
def who_gets_no_keys_at_the_start_is_told_why(cluster, late, bare, gateway):
    gateway.has_keys()
    t.like(gateway.nginx.wait_log('keys of auth config "good" were fetched'),
           r'\[notice\].* 1 of them', 'which is told')
    for config, url, what, cure in (
            ('late', late.url + PATH, r'.*Connection refused.*', ''),
            ('issuer', bare.url + PATH, 'status 404',
             '; only a cluster whose issuer is an https URL has them'),
            ('reviewer', cluster.url + PATH, 'status 401',
             '; the reviewer needs a new credential'),
            ('certificate', cluster.url + PATH, 'status 403',
             '; the reviewer needs the ClusterRole '
             '"system:service-account-issuer-discovery"'),
            ('rancher', f'{cluster.url}/k8s/clusters/c-m-1{PATH}',
             'status 403',
             '; the reviewer needs the ClusterRole '
             '"system:service-account-issuer-discovery"')):
        line = gateway.nginx.wait_log(f'keys of auth config "{config}" could '
                                      f'not')
        t.like(line, rf'\[warn\].* fetched, {re.escape(url)}: {what}, {UNTIL}'
               f'{cure}', f'{config}: URL, status, what follows, and the cure')
    t.is_(gateway.series('jwks_keys'), {
        'good': '1', 'file': '1', 'late': '0', 'issuer': '0', 'reviewer': '0',
        'certificate': '0', 'rancher': '0'},
          'how many keys are known, where keys are wanted')
    t.is_(sorted(gateway.series('jwks_age_seconds')), ['file', 'good'],
          'and the age of what is')


@t.story
def each_call_says_what_it_takes(cluster, api, gateway):
    gateway.has_keys()
    request = fetches(cluster, REVIEWER)[0]
    headers = dict(request['headers'])
    t.is_((request['method'], headers['Accept'], headers.get('Content-Type')),
          ('GET', 'application/jwk-set+json, application/json', None),
          'a key set is what the call for keys accepts')
    t.is_(gateway.login(cluster.issue()), (200, None), 'a login')
    headers = dict([record for record in api.records()
                    if record['kind'] == 'review'][-1]['headers'])
    t.is_((headers['Accept'], headers['Content-Type']),
          ('application/json', 'application/json'),
          'JSON is what a review does')


@t.story
def where_keys_are_known_a_forged_token_costs_no_review(bare, api, gateway):
    gateway.has_keys()
    api.reset_stats()
    t.is_(gateway.login(gateway.forged()), (401, 'signature_invalid'),
          'a forged token')
    t.is_(api.stats()['review'], 0, 'costs no review')
    t.is_(gateway.login(gateway.forged('certificate'), 'certificate'),
          (401, 'token_rejected'),
          'without keys')
    t.is_(api.stats()['review'], 1, 'it is reviewed')
    token = bare.api.issue(NAMESPACE, pod='mypod1')
    t.is_(gateway.login(token, 'issuer'), (200, None),
          'and a good one logs in')


@t.story
def keys_are_fetched_later_from_whoever_has_them_by_then(
        cluster, late, bare, api, gateway):
    gateway.has_keys()
    for config in gateway.configs:
        if config != 'good':
            gateway.nginx.wait_log(f'keys of auth config "{config}" could not')
    api.reset_stats()
    late.api.listen()
    api.discover('akl')
    api.discover('u-rancher')
    cluster.file('own.jwt', api.read('reviewer.jwt'))
    bare.api.issuer('https://k8s.example.com')
    for config in gateway.configs:
        t.ok(wait_for(lambda c=config: gateway.known(c)[0] == 1),
             f'{config}: keys are there')
        if config != 'good':
            t.ok(gateway.nginx.wait_log(f'keys of auth config "{config}" were '
                                        f'fetched'),
                 f'{config}: which is told')
    t.is_(gateway.login(gateway.forged('late'), 'late'),
          (401, 'signature_invalid'),
          'signatures are checked')
    for config in gateway.configs:
        told = gateway.nginx.grep(f'keys of auth config "{config}" could not')
        t.is_(len(told), int(config != 'good'),
              f'{config}: a failure is told once')

    # Those that were there are not asked for again as soon, but they are

    t.is_(len(fetches(cluster, REVIEWER)), 1,
          'only the config whose reviewer came later has asked since')
    if servers.has('--with-debug'):
        t.ok(gateway.nginx.grep(r'event timer add: -?\d+: 900000:'),
             'the next time is in a quarter of an hour')


@t.story
def forged_tokens_of_an_unknown_key_fetch_nothing(cluster, gateway):
    gateway.has_keys()

    # the configs that have none ask again, every ten seconds

    before = len(fetches(cluster, REVIEWER))
    for number in range(20):
        t.is_(gateway.login(gateway.forged(kid=f'unknown-{number}')),
              (401, 'token_rejected'),
              'an unknown key is for the API server to know')
    t.is_(len(fetches(cluster, REVIEWER)), before, 'and fetches no keys')


@t.story
def an_accepted_token_of_an_unknown_key_fetches_the_keys(
        cluster, api, gateway):
    gateway.has_keys()
    old = tokens.key('RSA-2048', 'cluster')
    new = tokens.key('P-256', 'rotated')
    api.keys([new.pem(), old.pem()])
    api.reset_stats()
    t.is_(gateway.login(cluster.issue()), (200, None), 'a key that is new')
    t.ok(wait_for(lambda: gateway.known('good')[0] == 2),
         'is fetched, ten seconds after the last fetch at most')
    t.is_([gateway.login(cluster.issue(key=number)) for number in (0, 1)],
          [(200, None)] * 2, 'old and new are good')
    api.reset_stats()
    header, claims = tokens.decode(cluster.issue())
    t.is_(gateway.login(tokens.k8s_sign(claims, tokens.key('P-256', 'nobody'),
                                        kid=header['kid'])),
          (401, 'signature_invalid'), 'the new one is checked')
    t.is_(api.stats()['review'], 0, 'without a review')


@t.story
def a_worker_that_waits_to_fetch_keys_ends_at_once(cluster, gateway):
    gateway.has_keys()
    before = len(fetches(cluster, REVIEWER))
    t.ok(gateway.nginx.reload(wait_old=True), 'a reload ends it')
    t.ok(wait_for(lambda: len(fetches(cluster, REVIEWER)) > before),
         'and fetches the keys again')


t.tell()
