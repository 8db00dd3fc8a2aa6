#!/usr/bin/python3
"""Every reason of a token endpoint, in all four dialects."""

import base64
import os
import re
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import nginx as nginx_  # noqa: E402
import tokens  # noqa: E402
from akltest import (  # noqa: E402
    ACCESS_ID, NAMESPACE, Test, client, wait_for)

t = Test(need_module=True)
cluster = t.cluster()
other = t.cluster()
api = cluster.api

FULL = 'p-fullx116z7j9km'
EXPIRED = 'p-overx116z7j9km'
ADDRESS = 'p-addrx116z7j9km'
AUDIENCE = 'p-audix116z7j9km'
PODS = {'bound_namespaces': NAMESPACE, 'bound_pod_names': 'mypod*',
        'bound_sa_names': 'builder'}
METHODS = {
    ACCESS_ID: PODS, FULL: {'bound_namespaces': None},
    EXPIRED: {'access_expires': '2020-01-01T00:00:00Z'},
    ADDRESS: {'bound_ips': '192.0.2.0/24'},
    AUDIENCE: {'audience': 'vault'}}
wrong = certs.Authority('wrong', tokens.key('P-256', 'wrong'))
CONFIGS = {
    'k8s-conf': {},
    'signed': {'k8s_jwks': cluster.jwks},
    'any': {'access_id': FULL, 'disable_issuer_validation': 'on'},
    'over': {'access_id': EXPIRED}, 'addr': {'access_id': ADDRESS},
    'aud': {'access_id': AUDIENCE},
    'norights': {'token_reviewer_jwt': api.path('norights.jwt')},
    'wrong-ca': {'k8s_ca_cert': cluster.file('wrong.pem', wrong.pem)},
    'wrong-path': {'k8s_host': cluster.url + '/nowhere'},
    'away': {'k8s_host': f'https://127.0.0.1:{other.port}'},
    'narrow': {'akl_k8s_max_reviews': '1 queue=0'},
    'hasty': {'akl_k8s_review_timeout': '300ms connect=300ms'}}

nginx = t.nginx('''
    akl_k8s_cache_valid 1h refused=0;
    @methods@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        large_client_header_buffers 4 64k;
        location = /v2/auth { akl_k8s_auth; }
        location = /v1/auth/kubernetes/login { akl_k8s_auth vault; }
        location = /token { akl_k8s_auth oauth; }
        location = /status { akl_k8s_status; }
    }
''', methods='\n'.join(cluster.method(name, **members)
                       for name, members in METHODS.items()),
    configs='\n'.join(cluster.config(
        name=name, **{'token_issuer': 'https://gw', **members})
        for name, members in CONFIGS.items()))
other.api.unlisten()


# The four dialects: how to ask, and what an error looks like

def akeyless(token, config, access_id):
    """Ask as Akeyless clients do."""
    return client.post(nginx.port, '/v2/auth',
                       cluster.login(token, config, access_id, encode=False))


def bearer(token, config, access_id):
    """Ask with the token in the Authorization header."""
    return client.post(nginx.port, '/v2/auth?k8s-auth-config-name='
                       + urllib.parse.quote(config), None,
                       {'Authorization': f'Bearer {token}'})


def vault(token, config, access_id):
    """Ask as Vault's clients do."""
    role = base64.b64encode(f'{access_id}..{config}'.encode()).decode()
    return client.post(nginx.port, '/v1/auth/kubernetes/login',
                       {'role': role, 'jwt': token})


def oauth(token, config, access_id):
    """Ask for a token exchange."""
    return client.post(
        nginx.port, '/token', urllib.parse.urlencode({
            'grant_type':
                'urn:ietf:params:oauth:grant-type:token-exchange',
            'subject_token_type': 'urn:ietf:params:oauth:token-type:jwt',
            'subject_token': token, 'client_id': config}),
        {'Content-Type': 'application/x-www-form-urlencoded'})


DIALECTS = {'akeyless': akeyless, 'bearer': bearer, 'vault': vault,
            'oauth': oauth}
OAUTH = {400: 'invalid_request', 401: 'invalid_grant', 403: 'invalid_grant',
         502: 'server_error', 503: 'temporarily_unavailable',
         504: 'temporarily_unavailable', 500: 'server_error'}
seen = set()


def error_shape(dialect, body, status, reason):
    """Say what is wrong with an error body, None when nothing is."""
    if not re.fullmatch('[0-9a-f]{32}', body.get('request_id', '')):
        return 'no request_id'
    if body.get('reason') != reason:
        return f'reason {body.get("reason")}'
    if dialect == 'vault':
        errors = body.get('errors')
        good = isinstance(errors, list) and len(errors) == 1 \
            and errors[0].startswith(reason + ': ')
    elif dialect == 'oauth':
        good = body['error'] == OAUTH[status] \
            and isinstance(body['error_description'], str)
    else:
        good = isinstance(body.get('error'), str) and ' ' in body['error']
    return None if good else f'shape {body}'


def check(reason, status, token, config='k8s-conf', access_id=ACCESS_ID,
          dialects=DIALECTS, before=lambda: None, name=None):
    """Ask in each dialect; hold status, body, headers and log line."""
    seen.add(reason)
    for dialect in dialects:
        before()
        mark = nginx.mark()
        answer = DIALECTS[dialect](token() if callable(token) else token,
                                   config, access_id)
        api.clear()
        wanted = 403 if dialect == 'vault' and status == 401 else status
        wrong_ = None
        if answer.status != wanted:
            wrong_ = f'status {answer.status}, not {wanted}'
        elif answer.header('content-type') != 'application/json':
            wrong_ = f'type {answer.header("content-type")}'
        elif answer.header('cache-control') != 'no-store':
            wrong_ = 'no Cache-Control'
        elif (status == 503) != (answer.header('retry-after') is not None):
            wrong_ = f'Retry-After {answer.header("retry-after")}'
        elif (wanted in (401, 403)) \
                != (answer.header('www-authenticate') is not None):
            wrong_ = f'challenge {answer.header("www-authenticate")}'
        else:
            wrong_ = error_shape(dialect, answer.json(), status, reason)
        level = 'error' if status >= 500 else 'info'
        if wrong_ is None and not nginx.wait_log(
                rf'\[{level}\].* {reason}: ', since=mark):
            wrong_ = f'no line of level {level} with {reason}'
        t.ok(wrong_ is None, f'{name or reason}, {dialect}', wrong_, answer)


def issue(**kw):
    """Return a pod token of its own."""
    return lambda: cluster.issue(claims={'n': time.monotonic_ns()}, **kw)


def fault(*args, **kw):
    """Return what arms a fault of the API server."""
    return lambda: api.fault(*args, **kw)


key = tokens.key('RSA-2048', 'cluster')
claims = tokens.decode(cluster.issue())[1]


def forged(header=None, **members):
    """Return the pod token with members changed, signed by the cluster."""
    return tokens.k8s_sign({**claims, **members}, key, **(header or {}))


# Before any review

check('config_unknown', 401, issue(), config='nobody')
check('config_unknown', 401, issue(), access_id='p-strangerxxxxkm',
      dialects=('akeyless', 'vault'), name='config_unknown by access id')
check('token_missing', 401, '', dialects=('akeyless', 'vault', 'oauth'))
check('token_malformed', 401, 'not.a.jwt')
check('token_too_large', 401, 'e30.' + 'A' * 17000 + '.AAAA',
      dialects=('akeyless', 'bearer', 'vault', 'oauth'))
check('token_too_large', 401, issue(audiences=['a' * 11700]),
      dialects=('akeyless', 'vault', 'oauth'),
      name='token_too_large of what would be minted')
check('algorithm_not_allowed', 401,
      tokens.sign({'alg': 'HS256'}, claims, b'secret', alg='HS256'))
check('issuer_mismatch', 401, forged(iss=tokens.ISSUER + '/'))
check('signature_invalid', 401,
      lambda: forged(n=time.monotonic_ns())[:-12] + 'AAAAAAAAAAAA',
      config='signed')
check('token_expired', 401, forged(exp=int(time.time()) - 120),
      name='token_expired by our clock')
check('token_not_yet_valid', 401, forged(nbf=int(time.time()) + 300),
      name='token_not_yet_valid by our clock')
check('access_expired', 403, issue(), 'over', EXPIRED)
check('ip_not_bound', 403, issue(), 'addr', ADDRESS)
check('audience_mismatch', 401, issue(), 'aud', AUDIENCE,
      name='audience_mismatch by the claims')

# The API server's word

check('token_rejected', 401,
      lambda: forged(n=time.monotonic_ns())[:-12] + 'AAAAAAAAAAAA')
check('token_expired', 401, issue(),
      before=fault(body='{"kind":"TokenReview","status":{"user":{},"error":'
                   '"[invalid bearer token, service account token has '
                   'expired]"}}', status=201))
check('token_not_yet_valid', 401, issue(),
      before=fault(body='{"kind":"TokenReview","status":{"user":{},"error":'
                   '"[invalid bearer token, service account token is not '
                   'valid yet]"}}', status=201))
check('audience_mismatch', 401, issue(audiences=['vault', 'api']), 'aud',
      AUDIENCE, before=fault('audiences_500'),
      name='audience_mismatch, deterministic 500')
api.pod(NAMESPACE, 'mypod2', account='builder')
gone = [cluster.issue('mypod2', claims={'n': n}) for n in range(4)]
api.delete('pod', NAMESPACE, 'mypod2')
check('token_revoked', 401, gone.pop)
api.pod(NAMESPACE, 'mypod2', account='builder')
again = [cluster.issue('mypod2', claims={'n': n}) for n in range(4)]
api.delete('pod', NAMESPACE, 'mypod2')
api.pod(NAMESPACE, 'mypod2', account='builder')
check('token_revoked', 401, again.pop, name='token_revoked, re-created pod')
api.account(NAMESPACE, 'doomed')
doomed = [cluster.issue(None, account='doomed', claims={'n': n})
          for n in range(4)]
api.delete('account', NAMESPACE, 'doomed')
check('token_revoked', 401, doomed.pop, 'any', FULL,
      name='token_revoked, deleted account')
check('not_service_account', 401, issue(), 'any', FULL,
      before=fault(replace=[['system:serviceaccount:', 'oidc:']]))

# Bounds

api.account('other-ns', 'builder')
api.account(NAMESPACE, 'tester')
api.pod('other-ns', 'mypod1', account='builder')
api.pod(NAMESPACE, 'stranger', account='builder')
api.pod(NAMESPACE, 'mypod7', account='tester')
check('namespace_not_bound', 403, issue(pod='mypod1', namespace='other-ns'))
check('pod_not_bound', 403, issue(pod='stranger'))
check('service_account_not_bound', 403, issue(pod='mypod7'))

# The reviewer and the network

check('reviewer_unauthorized', 502, issue(), before=fault('unauthorized'))
check('reviewer_forbidden', 502, issue(), 'norights')
check('api_not_found', 502, issue(), 'wrong-path')
check('api_not_found', 502, issue(), before=fault('html_404'),
      name='api_not_found, HTML')
check('api_error', 502, issue(), before=fault(
    'error_500', headers={'Retry-After': '999'}))
check('api_error', 502, issue(), before=fault('oversized'),
      name='api_error, oversized')
check('api_throttled', 503, issue(), before=fault(
    'throttled', headers={'Retry-After': '999'}))
check('api_unreachable', 503, issue(), 'away')
check('api_tls', 502, issue(), 'wrong-ca')
check('api_timeout', 504, issue(), 'hasty', before=fault('stall_before'))


for dialect in DIALECTS:
    api.fault('hold')
    held = client.Background(akeyless, issue()(), 'narrow', ACCESS_ID)
    if not wait_for(lambda: client.get(
            nginx.port, '/status').json()['configs']['narrow']
            ['reviews_in_flight']):
        t.ok(False, 'no review hangs')
    check('overloaded', 503, issue(), 'narrow', dialects=(dialect,),
          name='overloaded')
    api.clear()
    api.release()
    held.result()

# Requests that are none

mark = nginx.mark()
for path, data, kind in (
        ('/v2/auth', '{', 'application/json'),
        ('/v1/auth/kubernetes/login', '[]', 'application/json'),
        ('/token', 'x=%zz', 'application/x-www-form-urlencoded')):
    answer = client.post(nginx.port, path, data, {'Content-Type': kind})
    t.is_((answer.status, answer.json()['reason']),
          (400, 'request_malformed'), f'request_malformed at {path}')
t.ok(nginx.wait_log('request_malformed', since=mark), 'and logged')
seen.add('request_malformed')

# None is left out

with open(os.path.join(nginx_.ROOT, 'src', 'k8s', 'reason.h'),
          encoding='ascii') as file:
    known = set(re.findall(r'X\([A-Z_]+, "([a-z_]+)"', file.read()))
t.is_(sorted(known - seen), ['claim_not_allowed', 'internal_error', 'ok'],
      'every other reason has been seen')
t.ok(not nginx.grep('eyJ[A-Za-z0-9_-]{20}'), 'no token in the log')

t.done_testing()
