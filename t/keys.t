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

t = Test(need_module=True)
cluster = t.cluster()
late = t.cluster()
bare = t.cluster(issuer='api')
api = cluster.api
api.rancher('token-abcde:secret', ['c-m-1'])
late.api.unlisten()
reviewer = cluster.file('own.jwt', api.read('reviewer.jwt')[:-8] + 'AAAAAAAA')
pair = (api.path('client.crt'), api.path('client.key'))

CONFIGS = {
    'good': (cluster, {}),
    'late': (late, {}),
    'issuer': (bare, {'k8s_issuer': 'api'}),
    'reviewer': (cluster, {'token_reviewer_jwt': reviewer}),
    'certificate': (cluster, {
        'k8s_auth_type': 'certificate', 'token_reviewer_jwt': None,
        'k8s_client_certificate': pair[0], 'k8s_client_key': pair[1]}),
    'rancher': (cluster, {
        'cluster_api_type': 'rancher', 'token_reviewer_jwt': None,
        'rancher_api_key': cluster.file('key', 'token-abcde:secret'),
        'rancher_cluster_id': 'c-m-1'})}

nginx = t.nginx('''
    akl_k8s_cache_valid 0 refused=0;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /status { akl_k8s_status; }
    }
''', level='debug', method=cluster.method(bound_pod_names='mypod1'),
     configs=''.join(
         held.config(name=name, **{'k8s_jwks': 'auto', **members})
         for name, (held, members) in CONFIGS.items())
     + cluster.config(name='file', k8s_jwks=cluster.jwks)
     + cluster.config(name='none'))


def login(token, config='good'):
    """Log in; return status and reason."""
    answer = client.post(nginx.port, '/v2/auth',
                         CONFIGS[config][0].login(token, config))
    return answer.status, answer.json().get('reason')


def known(config):
    """Return how many keys a config knows, and their age."""
    held = client.get(nginx.port, '/status').json()['configs'][config]
    return held.get('jwks_keys'), held.get('jwks_age_seconds')


def series(name):
    """Return a gauge by config, as Prometheus reads it."""
    text = client.get(nginx.port, '/status?format=prometheus').text
    return dict(re.findall(
        rf'^nginx_akl_k8s_{name}{{config="(\w+)"}} (\d+)$', text, re.M))


def fetches(held, user=None):
    """Return the requests for keys that a cluster has seen."""
    return [record for record in held.api.records(1000)
            if record['kind'] == 'jwks'
            and (user is None or record['user'] == user)]


def forged(config='good', kid=None):
    """Return a token with a signature of nobody's."""
    held = CONFIGS[config][0]
    header, claims = tokens.decode(held.issue())
    return tokens.k8s_sign(claims, tokens.key('RSA-2048', 'nobody'),
                           kid=kid or header['kid'])


REVIEWER = 'system:serviceaccount:akl-system:reviewer'
UNTIL = 'asked for again every 10 seconds: signatures are not checked here ' \
    'until then'

# At the start: some get them, each of the others is told why it does not

t.ok(wait_for(lambda: known('good')[0] == 1), 'keys are fetched at the start')
t.like(nginx.wait_log('keys of auth config "good" were fetched'),
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
        ('rancher', f'{cluster.url}/k8s/clusters/c-m-1{PATH}', 'status 403',
         '; the reviewer needs the ClusterRole '
         '"system:service-account-issuer-discovery"')):
    line = nginx.wait_log(f'keys of auth config "{config}" could not')
    t.like(line, rf'\[warn\].* fetched, {re.escape(url)}: {what}, {UNTIL}'
           f'{cure}', f'{config}: URL, status, what follows, and the cure')
t.is_(series('jwks_keys'), {
    'good': '1', 'file': '1', 'late': '0', 'issuer': '0', 'reviewer': '0',
    'certificate': '0', 'rancher': '0'},
      'how many keys are known, where keys are wanted')
t.is_(sorted(series('jwks_age_seconds')), ['file', 'good'],
      'and the age of what is')

# Each call says what it takes

request = fetches(cluster, REVIEWER)[0]
headers = dict(request['headers'])
t.is_((request['method'], headers['Accept'], headers.get('Content-Type')),
      ('GET', 'application/jwk-set+json, application/json', None),
      'a key set is what the call for keys accepts')
t.is_(login(cluster.issue()), (200, None), 'a login')
headers = dict([record for record in api.records()
                if record['kind'] == 'review'][-1]['headers'])
t.is_((headers['Accept'], headers['Content-Type']),
      ('application/json', 'application/json'), 'JSON is what a review does')

# What the keys are good for; without them the API server decides

api.reset_stats()
t.is_(login(forged()), (401, 'signature_invalid'), 'a forged token')
t.is_(api.stats()['review'], 0, 'costs no review')
t.is_(login(forged('certificate'), 'certificate'), (401, 'token_rejected'),
      'without keys')
t.is_(api.stats()['review'], 1, 'it is reviewed')
token = bare.api.issue(NAMESPACE, pod='mypod1')
t.is_(login(token, 'issuer'), (200, None), 'and a good one logs in')

# They are fetched later, without a reload, from whoever has them by then

late.api.listen()
api.discover('akl')
api.discover('u-rancher')
cluster.file('own.jwt', api.read('reviewer.jwt'))
bare.api.issuer('https://k8s.example.com')
for config in CONFIGS:
    t.ok(wait_for(lambda c=config: known(c)[0] == 1),
         f'{config}: keys are there')
    if config != 'good':
        t.ok(nginx.wait_log(f'keys of auth config "{config}" were fetched'),
             f'{config}: which is told')
t.is_(login(forged('late'), 'late'), (401, 'signature_invalid'),
      'signatures are checked')
for config in CONFIGS:
    t.ok(len(nginx.grep(f'keys of auth config "{config}" could not'))
         == (config != 'good'), f'{config}: a failure is told once')

# Those that were there are not asked for again as soon, but they are

t.is_(len(fetches(cluster, REVIEWER)), 1,
      'only the config whose reviewer came later has asked since')
if servers.has('--with-debug'):
    t.ok(nginx.grep(r'event timer add: -?\d+: 900000:'),
         'the next time is in a quarter of an hour')

# A key of which nobody here has heard: forged tokens ask for nothing

before = len(fetches(cluster))
for number in range(20):
    t.is_(login(forged(kid=f'unknown-{number}')), (401, 'token_rejected'),
          'an unknown key is for the API server to know')
t.is_(len(fetches(cluster)), before, 'and fetches no keys')

# ... but a token that the API server accepts does

old = tokens.key('RSA-2048', 'cluster')
new = tokens.key('P-256', 'rotated')
api.keys([new.pem(), old.pem()])
api.reset_stats()
t.is_(login(cluster.issue()), (200, None), 'a key that is new')
t.ok(wait_for(lambda: known('good')[0] == 2),
     'is fetched, ten seconds after the last fetch at most')
t.is_([login(cluster.issue(key=number)) for number in (0, 1)],
      [(200, None)] * 2, 'old and new are good')
api.reset_stats()
header, claims = tokens.decode(cluster.issue())
t.is_(login(tokens.k8s_sign(claims, tokens.key('P-256', 'nobody'),
                            kid=header['kid'])),
      (401, 'signature_invalid'), 'the new one is checked')
t.is_(api.stats()['review'], 0, 'without a review')

# A worker with keys to fetch in a quarter of an hour ends at once

nginx.reload()
t.ok(wait_for(lambda: known('good')[0] == 2), 'a reload fetches them again')
t.done_testing()
