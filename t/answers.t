#!/usr/bin/python3
"""What the API server may do wrong, and what a login makes of it."""

import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import faults  # noqa: E402
import tokens  # noqa: E402
from akltest import NAMESPACE, Test, client, wait_for  # noqa: E402

t = Test(need_module=True)
cluster = t.cluster()
other = t.cluster()
newest = t.cluster(version='1.37')
api = cluster.api

nginx = t.nginx('''
    akl_k8s_cache_valid 1h refused=0;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
    }
''', method=cluster.method()
     + cluster.method('p-podsonly0000km', bound_pod_names='*'),
     configs=cluster.config()
     + cluster.config(name='hasty',
                      akl_k8s_review_timeout='900ms connect=900ms')
     + cluster.config(name='anyone', disable_issuer_validation='on',
                      akl_k8s_review_timeout='2s connect=2s')
     + cluster.config(name='keeping', akl_k8s_cache_valid='10s refused=1h',
                      akl_k8s_review_timeout='2s connect=2s')
     + newest.config(name='newest')
     + newest.config(name='pods', access_id='p-podsonly0000km'))
number = 0


def issue():
    """Return a pod token of its own."""
    global number
    number += 1
    return cluster.issue(claims={'n': number})


def login(token=None, config='k8s-conf'):
    """Log in; return the answer."""
    return client.post(nginx.port, '/v2/auth',
                       cluster.login(token or issue(), config))


def result(answer):
    """Return status and reason."""
    return answer.status, answer.json().get('reason')


def hasty(token=None, config='hasty', faults_=()):
    """Log in where there is little time; return the answer.

    A slow machine may need more than that, which says nothing.
    """
    for _ in range(50):
        api.reset_stats()
        if faults_:
            api.clear()
        for name, members in faults_:
            api.fault(name, **members)
        answer = login(token, config)
        if result(answer) != TIMEOUT:
            break
    return answer


def reviews():
    """Return how many reviews the API server has seen."""
    return api.stats()['review']


OK = (200, None)
ERROR = (502, 'api_error')
MISSING = (502, 'api_not_found')
AWAY = (503, 'api_unreachable')
THROTTLED = (503, 'api_throttled')
TIMEOUT = (504, 'api_timeout')
NOBODY = (401, 'not_service_account')

EXPECTED = {
    'delay': OK, 'stall_before': TIMEOUT, 'stall_head': TIMEOUT,
    'stall_body': TIMEOUT, 'reset_before': AWAY, 'reset_head': AWAY,
    'reset_body': ERROR, 'reset_reused': OK, 'close_before': AWAY,
    'close_head': ERROR, 'close_body': ERROR, 'close_after': OK,
    'close_reused': OK, 'throttled': THROTTLED,
    'throttled_bare': THROTTLED, 'throttled_absurd': THROTTLED,
    'error_500': ERROR, 'error_503': ERROR, 'error_504': ERROR,
    'error_502_html': ERROR,
    'audiences_500': (401, 'audience_mismatch'),
    'unauthorized': (502, 'reviewer_unauthorized'),
    'roles_unread': (502, 'reviewer_forbidden'), 'html_200': MISSING,
    'html_201': MISSING, 'html_404': MISSING, 'redirect': ERROR,
    'no_content': ERROR, 'empty_body': ERROR, 'truncated': ERROR,
    'chunked': OK, 'chunked_truncated': ERROR, 'until_close': OK,
    'http10': OK, 'gzip': ERROR, 'drip': OK, 'continue_100': OK,
    'oversized': ERROR, 'oversized_chunked': ERROR, 'declares_1gb': ERROR,
    'not_http': ERROR, 'json_array': ERROR, 'json_null': ERROR,
    'json_trailing': ERROR, 'doubled_authenticated': ERROR,
    'string_authenticated': ERROR, 'number_authenticated': ERROR,
    'error_and_authenticated': (401, 'token_rejected'),
    'other_kind': ERROR, 'no_status': ERROR, 'number_username': ERROR,
    'string_groups': ERROR, 'no_group': NOBODY, 'name_dots': NOBODY,
    'name_nul': ERROR, 'name_parts': NOBODY, 'null_error': OK,
    'null_user': ERROR, 'null_uid': OK, 'null_groups': NOBODY,
    'null_extra': OK, 'null_audiences': OK}

t.is_(sorted(EXPECTED), sorted(set(faults.PRESETS) - {'hold'}),
      'no misbehaviour is left out')

# Each of them, on a new connection and on one that was used before; the
# same token logs in right afterwards, so an outage leaves nothing behind

AGAIN = ('throttled_bare', 'throttled_absurd')

for name, expected in EXPECTED.items():
    if name in AGAIN:
        continue
    config = 'hasty' if expected == TIMEOUT else 'k8s-conf'
    more = {}
    if name in ('throttled', 'roles_unread') or name.startswith('error_5'):
        # asked again until the deadline otherwise
        more['headers'] = {'Retry-After': '999'}
    for used in (False, True):
        if used:
            login(config=config)
        else:
            api.drop()
        api.fault(name, **more)
        token = issue()
        mark = nginx.mark()
        answer = login(token, config)
        api.clear()
        where = f'{name}, {"used" if used else "new"} connection'
        t.is_(result(answer), expected, where)
        t.ok(result(login(token, config)) == OK or config == 'hasty'
             and wait_for(lambda: login(token, config).status == 200),
             f'{where}: the next login')
        if expected != OK:
            level = 'error' if answer.status >= 500 else 'info'
            t.ok(nginx.grep(rf'\[{level}\].* {expected[1]}', mark),
                 f'{where}: logged')
        if expected == TIMEOUT:
            break
for name in AGAIN:
    api.fault(name)
    t.is_(result(hasty()), EXPECTED[name], name)
    api.clear()

# Handshakes

for how, expected in (('reset', AWAY), ('stall', TIMEOUT)):
    api.handshake(how)
    api.drop()
    t.is_(result(login(config='hasty')), expected, f'handshake: {how}')
    api.clear()
    t.ok(wait_for(lambda: login(config='hasty').status == 200),
         f'handshake: {how}: and back')

# A redirect leads nowhere

other.api.reset_stats()
api.fault('redirect', headers={'Location': other.url
                               + '/apis/authentication.k8s.io/v1/'
                                 'tokenreviews'})
t.is_(result(login()), ERROR, 'a redirect')
api.clear()
t.is_(other.api.stats()['connections'], 0, 'is not followed')

# Connections are kept

login()
api.reset_stats()
for _ in range(30):
    login()
t.is_((reviews(), api.stats()['connections']), (30, 0),
      '30 logins over a connection that was there')

# One that died meanwhile costs one repetition, on a new one, unseen

for how in ('closed', 'reset'):
    login()
    api.reset_stats()
    api.drop(reset=how == 'reset')
    t.is_(result(login()), OK, f'a kept connection was {how}')
    t.is_((reviews(), api.stats()['connections']), (1, 1),
          f'{how}: one review, one new connection')
for name in ('reset_reused', 'close_reused'):
    login()
    api.reset_stats()
    api.fault(name, count=1)
    t.is_(result(login()), OK, f'{name}: sent once more')
    t.is_((reviews(), api.stats()['connections']), (2, 1),
          f'{name}: on a new connection')
    api.clear()
login()
api.reset_stats()
api.fault('reset_before')
t.is_(result(login()), AWAY, 'the new one dies as well')
t.is_(reviews(), 2, 'which is not tried again')
api.clear()

# The API server may close whenever it likes, or come back

api.close_after(1)
t.is_([login().status for _ in range(5)], [200] * 5,
      'closed after each answer')
api.clear()
api.idle(200)
for _ in range(4):
    t.is_(result(login()), OK, 'a connection that will be closed')
    t.ok(wait_for(lambda: api.stats()['open'] == 0), 'is, while idle')
t.is_(result(login()), OK, 'and not missed')
api.clear()
for _ in range(3):
    api.unlisten()
    api.drop()
    t.is_(result(login()), AWAY, 'away')
    api.listen()
    t.is_(result(login()), OK, 'and back at once')

# 429: Retry-After inside the deadline is kept to, beyond it is handed on

api.reset_stats()
api.fault('throttled', count=1)
started = time.monotonic()
t.is_(result(login()), OK, '429 with Retry-After: 1')
t.ok(time.monotonic() - started >= 1, 'asked again a second later')
t.is_(reviews(), 2, 'and once')
api.reset_stats()
api.fault('throttled_bare', count=2)
t.is_(result(login()), OK, '429 without Retry-After')
t.is_(reviews(), 3, 'asked until it was answered')
for value, told in (('7', 7), ('999', 60), ('9' * 24, None), ('-5', None),
                    ('soon', None), ('0', None)):
    api.fault('throttled', headers={'Retry-After': value})
    answer = hasty()
    t.is_(result(answer), THROTTLED, f'429 with Retry-After: {value[:9]}')
    held = int(answer.header('retry-after'))
    t.ok(held == told if told else 1 <= held <= 60,
         'and what clients are told', held)
    if told:
        t.is_(reviews(), 1, 'not asked again before')
    api.clear()

# 5xx, and what a server says that has not read its roles yet: asked again
# inside the deadline; but what no repetition can change

for name in ('error_500', 'error_503', 'error_504', 'error_502_html',
             'roles_unread'):
    api.reset_stats()
    api.fault(name, count=1)
    t.is_(result(login()), OK, f'{name}, once')
    t.is_(reviews(), 2, 'is asked again')
for name in ('audiences_500', 'unauthorized', 'html_404', 'truncated'):
    api.reset_stats()
    api.fault(name)
    login()
    t.is_(reviews(), 1, f'{name} is not')
    api.clear()

# An outage inside the API server has the status 201 of a refusal, and is none

DIAL = 'dial tcp [::1]:6443: connect: connection refused'
OUTAGES = [
    'etcdserver: request timed out', 'etcdserver: leader changed',
    'context deadline exceeded', 'context canceled', 'request timed out',
    'Timeout: request did not complete within requested timeout',
    f'Get "https://[::1]:6443/api/v1/serviceaccounts/builder": {DIAL}',
    'dial tcp: lookup hook.example.com: no such host',
    'read tcp 10.0.0.1:4321->10.0.0.2:443: i/o timeout',
    'Post "https://hook.example.com/": EOF',
    'net/http: TLS handshake timeout', 'oidc: authenticator not initialized',
    'the server is currently unable to handle the request',
    'the server has received too many requests and has asked us to try '
    'again later']
ACCOUNT = ('account', NAMESPACE, 'builder')

for error in OUTAGES:
    api.lag(*ACCOUNT, error, 1)
    api.reset_stats()
    t.is_(result(login(config='k8s-conf')), OK, f'once: {error}')
    t.is_(reviews(), 2, 'is asked again')
for error in OUTAGES[:2] + OUTAGES[6:7]:
    token = issue()
    mark = nginx.mark()
    api.lag(*ACCOUNT, error)
    t.is_(result(hasty(token, 'keeping')), ERROR, f'lasting: {error}')
    t.ok(reviews() > 1, 'was asked again')
    t.ok(set(api.stats()['statuses']) <= {'201', 'None'}, 'was answered 201')
    t.ok(nginx.grep(r'\[error\].* api_error: .*' + re.escape(error), mark),
         'is logged as an error in the words of the API server')
    api.clear()
    t.is_(result(hasty(token, 'keeping')), OK, 'and is not kept')

# A last repetition that gets no answer in time does not hide the former ones

for name, expected in (('error_503', ERROR), ('throttled_bare', THROTTLED)):
    mark = nginx.mark()
    t.is_(result(hasty(faults_=[(name, {'count': 1}), ('stall_before', {})])),
          expected, f'{name}, then nothing any more')
    t.ok(nginx.grep(rf'{expected[1]}: .*: (apiserver|Too many) ', mark),
         'is told in the words of the answer')
    api.clear()

# It is one of another authenticator's, beside a definite refusal or not

stranger = tokens.k8s_sign({**tokens.decode(issue())[1],
                            'iss': 'https://idp.example.com'}, cluster.key)
api.pod(NAMESPACE, 'gone', 'builder')
refused = {
    'token_expired': cluster.issue(ttl=600),
    'audience_mismatch': cluster.issue(audiences=['elsewhere'], ttl=7200),
    'token_rejected': tokens.k8s_sign(tokens.decode(issue())[1],
                                      tokens.key('RSA-2048', 'other')),
    'token_revoked': cluster.issue('gone', ttl=7200)}
api.delete('pod', NAMESPACE, 'gone')

for error in (OUTAGES[0], 'oidc: authenticator not initialized'):
    api.clock(3600)
    api.authenticators(error)
    for reason, token in refused.items():
        api.reset_stats()
        t.is_(result(login(token)), (401, reason), f'{reason} beside {error}')
        t.is_(reviews(), 1, 'is not asked again')
    api.clock()
    t.is_(result(hasty(stranger, 'anyone')), ERROR,
          f'one may know the token who could not be asked: {error}')
    t.is_(result(login()), OK, 'who is not asked about one that is known')
    api.clear()
    t.is_(result(login(stranger, 'anyone')), (401, 'token_rejected'),
          'a token that nobody knows')

# An object that the cache has not: asked for live, and found; a pod that
# cannot be read looks like one that is gone

for kind, name in (('account', 'builder'), ('pod', 'mypod1')):
    api.lag(kind, NAMESPACE, name)
    t.is_(result(login()), OK, f'the cache lags behind: {kind}')
    api.clear()
api.lag('pod', NAMESPACE, 'mypod1', OUTAGES[0])
t.is_(result(login()), (401, 'token_revoked'), 'a pod that cannot be read')
api.clear()

# The clean-up of legacy tokens marks them before it deletes them

legacy = {name: api.secret(NAMESPACE, name, 'builder')
          for name in ('used', 'unused')}
api.mark_invalid(NAMESPACE, 'unused')
t.is_(result(login(legacy['used'], 'anyone')), OK, 'a legacy token')
t.is_(result(login(legacy['unused'], 'anyone')), (401, 'token_revoked'),
      'one that has been marked invalid')

# Kubernetes 1.37 binds tokens to webhook configurations: there is no pod

for kind in ('validating', 'mutating'):
    newest.api.webhook(kind, 'hook')
    token = newest.issue(None, account='builder', webhook=[kind, 'hook'])
    answer = login(token, 'newest')
    t.is_(result(answer), OK, f'a token for {kind} webhooks')
    t.is_(tokens.decode(answer.json()['token'])[1].get('pod_name'), None,
          'has no pod')
    t.is_(result(client.post(nginx.port, '/v2/auth', newest.login(
        token, 'pods', 'p-podsonly0000km'))), (403, 'pod_not_bound'),
          'and meets no bound on pods')
    newest.api.delete(kind, None, 'hook')
    token = newest.issue(None, account='builder')
    t.is_(result(login(newest.api.issue(
        NAMESPACE, 'builder', claims={'kubernetes.io': {
            **tokens.decode(token)[1]['kubernetes.io'],
            f'{kind}webhookconfiguration': {'name': 'hook', 'uid': 'u'},
            'attestations': {'admissionReviewAPIGroups': ['*']}}}),
        'newest')), (401, 'token_revoked'), 'its configuration is gone')

t.ok(not nginx.grep('eyJ[A-Za-z0-9_-]{20}'), 'no token in the log')
t.done_testing()
