#!/usr/bin/python3
"""A login, end to end: identity, minted token, refusals, outages."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import tokens  # noqa: E402
from akltest import CONFIG, NAMESPACE, Test, client, wait_for  # noqa: E402

t = Test(need_module=True)
cluster = t.cluster()
api = cluster.api

KINDS = {'RSA-2048': 'RS256', 'P-256': 'ES256', 'P-384': 'ES384',
         'Ed25519': 'EdDSA'}
BOUNDS = {'bound_pod_names': 'mypod* web-?', 'bound_sa_names': 'builder'}
SOON = int(time.time()) + 600

configs = ''.join(cluster.config(name=alg, kind=kind)
                  for kind, alg in KINDS.items())

nginx = t.nginx('''
    @method@
    @mapped@
    @any@
    @soon@
    @over@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
    }
''', method=cluster.method(**BOUNDS),
    mapped=cluster.method('p-v4mx8x116z7j9km',
                          bound_ips='::ffff:127.0.0.0/104'),
    any=cluster.method('p-anyx8x116z7jkm', bound_namespaces=None),
    soon=cluster.method('p-soonx116z7j9km', access_expires=SOON),
    over=cluster.method('p-overx116z7j9km',
                        access_expires='2020-01-01T00:00:00Z'),
    configs=cluster.config(token_issuer='https://gw.example.com')
    + configs
    + cluster.config(name='any', access_id='p-anyx8x116z7jkm',
                     k8s_issuer=f'{tokens.ISSUER} {tokens.LEGACY_ISSUER}')
    + cluster.config(name='mapped', access_id='p-v4mx8x116z7j9km')
    + cluster.config(name='soon', access_id='p-soonx116z7j9km')
    + cluster.config(name='over', access_id='p-overx116z7j9km')
    + cluster.config(name='aud', access_id='p-anyx8x116z7jkm',
                     token_audience='https://items',
                     token_claims='team=payments config_name=$akl_k8s_config'
                                  ' path=$uri'),
    level='debug')


def login(token, config=CONFIG, access_id='p-kmx8x116z7j9km', **members):
    """Log in; return the answer."""
    return client.post(nginx.port, '/v2/auth',
                       cluster.login(token, config, access_id, **members))


def minted(answer, kind='RSA-2048'):
    """Return the verified claims of an answer."""
    return tokens.verify(answer.json()['token'], tokens.key(kind, 'gateway'))


# The main job

pod_token = cluster.issue()
answer = login(pod_token)
body = answer.json()
claims = minted(answer)
header, pod = tokens.decode(body['token'])[0], tokens.decode(pod_token)[1]

t.is_(answer.status, 200, 'a pod logs in')
t.is_(answer.header('content-type'), 'application/json', 'as JSON')
t.is_(answer.header('cache-control'), 'no-store', 'not to be stored')
t.is_(header['kid'], tokens.key('RSA-2048', 'gateway').thumbprint(),
      'kid is the thumbprint')
t.is_(header['typ'], 'JWT', 'typ')
uids = pod['kubernetes.io']
t.contains(claims, {
    'iss': 'https://gw.example.com',
    'sub': f'system:serviceaccount:{NAMESPACE}:builder',
    'aud': pod['aud'], 'namespace': NAMESPACE,
    'service_account_name': 'builder',
    'service_account_uid': uids['serviceaccount']['uid'],
    'pod_name': 'mypod1', 'pod_uid': uids['pod']['uid'],
    'node_name': uids['node']['name'], 'access_id': 'p-kmx8x116z7j9km',
    'config_name': CONFIG}, 'the claims')
t.ok('service_account_secret_name' not in claims, 'no secret, no claim')
t.is_(claims['exp'] - claims['iat'], 900, 'fifteen minutes')
t.is_(claims['nbf'], claims['iat'] - 10,
      'nbf allows for clocks that are ten seconds behind')
t.ok(len(claims['jti']) >= 20, 'jti')
t.is_(body['creds'], {'access_id': 'p-kmx8x116z7j9km',
                      'token': body['token'], 'expiry': claims['exp']},
      'creds')
t.is_(body['expiration'], time.strftime('%Y-%m-%dT%H:%M:%SZ',
                                        time.gmtime(claims['exp'])),
      'expiration')

for kind, alg in KINDS.items():
    answer = login(pod_token, alg)
    t.is_(answer.status, 200, f'{alg} login')
    t.is_(tokens.decode(answer.json()['token'])[0]['alg'], alg, f'{alg}')
    t.is_(minted(answer, kind)['config_name'], alg, f'{alg} verifies')

t.is_(login(pod_token, 'mapped', 'p-v4mx8x116z7j9km').status, 200,
      'an IPv4-mapped network in bound_ips is the IPv4 network')

claims = minted(login(pod_token, 'aud', 'p-anyx8x116z7jkm'))
t.contains(claims, {'aud': 'https://items', 'k8s_aud': pod['aud'],
                    'team': 'payments', 'config_name': 'aud',
                    'path': '/v2/auth'}, 'audience and claims of the config')

# Lifetimes

short = cluster.issue(ttl=600)
t.is_(minted(login(short))['exp'], tokens.decode(short)[1]['exp'],
      'never longer than the pod token')
t.is_(minted(login(pod_token, 'soon', 'p-soonx116z7j9km'))['exp'], SOON,
      'never longer than the access')
answer = login(pod_token, 'over', 'p-overx116z7j9km')
t.is_((answer.status, answer.json()['reason']), (403, 'access_expired'),
      'access is over')

# Other kinds of tokens

legacy = api.secret(NAMESPACE, 'builder-token', account='builder')
answer = login(legacy, 'any', 'p-anyx8x116z7jkm')
t.is_(answer.status, 200, 'a legacy token logs in')
t.is_(minted(answer).get('service_account_secret_name'), 'builder-token',
      'with its secret')
t.ok('aud' not in minted(answer), 'and no audience')
unbound = cluster.issue(pod=None, account='builder')
t.is_(login(unbound, 'any', 'p-anyx8x116z7jkm').status, 200,
      'a token without a pod logs in where no pod is bound')
answer = login(unbound)
t.is_((answer.status, answer.json()['reason']), (403, 'pod_not_bound'),
      'and is refused where one is')

# Refusals

api.account('other-ns', 'builder')
api.account(NAMESPACE, 'tester')
for name in ('mypod2', 'stranger', 'web-1', 'web-12'):
    api.pod(NAMESPACE, name, account='builder')
api.pod('other-ns', 'mypod1', account='builder')
api.pod(NAMESPACE, 'mypod3', account='tester')

for pod_name, namespace, status, reason in (
        ('mypod2', NAMESPACE, 200, None), ('web-1', NAMESPACE, 200, None),
        ('web-12', NAMESPACE, 403, 'pod_not_bound'),
        ('stranger', NAMESPACE, 403, 'pod_not_bound'),
        ('mypod3', NAMESPACE, 403, 'service_account_not_bound'),
        ('mypod1', 'other-ns', 403, 'namespace_not_bound')):
    answer = login(cluster.issue(pod_name, namespace))
    t.is_((answer.status, answer.json().get('reason')), (status, reason),
          f'{pod_name} of {namespace}: {reason or "ok"}')

gone = cluster.issue('mypod2')
api.delete('pod', NAMESPACE, 'mypod2')
answer = login(gone)
t.is_((answer.status, answer.json()['reason']), (401, 'token_revoked'),
      "a deleted pod's token")
line = nginx.wait_log('refused, token_revoked')
t.like(line, 'has been invalidated.*pod "mypod2"', 'the log says whose')

answer = login(body['token'])
t.is_((answer.status, answer.json()['reason']), (401, 'issuer_mismatch'),
      'our own token is no pod token')

# An outage is no refusal

api.unlisten()
api.drop()
answer = login(cluster.issue(claims={'x': 1}))
t.is_((answer.status, answer.json()['reason']), (503, 'api_unreachable'),
      'the API server is away')
t.ok(int(answer.header('retry-after')) >= 1, 'Retry-After')
t.ok(nginx.grep(r'\[error\].*login failed, api_unreachable'),
     'logged as an error')
api.listen()
t.ok(wait_for(lambda: login(cluster.issue(claims={'x': 2})).status == 200),
     'and back')

# Nothing secret in the log, at any level

log = nginx.error_log()
for name, secret in (('pod token', pod_token), ('minted', body['token']),
                     ('reviewer', open(cluster.reviewer).read().strip())):
    t.ok(secret.rsplit('.', 1)[1][:60] not in log, f'no {name} in the log')

t.done_testing()
