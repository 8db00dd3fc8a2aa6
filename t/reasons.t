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
from dialects import FORM, token_exchange  # noqa: E402

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
OAUTH = {400: 'invalid_request', 401: 'invalid_grant', 403: 'invalid_grant',
         502: 'server_error', 503: 'temporarily_unavailable',
         504: 'temporarily_unavailable', 500: 'server_error'}
# in place of 401 and 403; RFC 6749 section 5.2, RFC 8693 section 2.2.2

STATUS = {'vault': {401: 403}, 'oauth': {401: 400, 403: 400}}
DIALECTS = ('akeyless', 'bearer', 'vault', 'oauth')

HTTP = '''
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
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def other():
    """A cluster that goes away."""
    return t.cluster()


class Gateway:
    """An nginx with a config for each trouble, asked in each dialect."""

    def __init__(self, cluster, other):
        self.cluster = cluster
        self.api = cluster.api
        wrong = certs.Authority('wrong', tokens.key('P-256', 'wrong'))
        configs = {
            'k8s-conf': {},
            'signed': {'k8s_jwks': cluster.jwks},
            'any': {'access_id': FULL, 'disable_issuer_validation': 'on'},
            'over': {'access_id': EXPIRED}, 'addr': {'access_id': ADDRESS},
            'aud': {'access_id': AUDIENCE},
            'bound': {'token_binding': 'certificate'},
            'podless': {'access_id': FULL,
                        'token_subject': '$akl_k8s_pod_name'},
            'norights': {'token_reviewer_jwt': self.api.path('norights.jwt')},
            'wrong-ca': {'k8s_ca_cert': cluster.file('wrong.pem', wrong.pem)},
            'wrong-path': {'k8s_host': cluster.url + '/nowhere'},
            'away': {'k8s_host': f'https://127.0.0.1:{other.port}'},
            'narrow': {'akl_k8s_max_reviews': '1 queue=0'},
            'hasty': {'akl_k8s_review_timeout': '300ms connect=300ms'}}
        self.nginx = t.nginx(
            HTTP, methods='\n'.join(cluster.method(name, **members)
                                    for name, members in METHODS.items()),
            configs='\n'.join(cluster.config(
                name=name, **{'token_issuer': 'https://gw', **members})
                for name, members in configs.items()))

    # The four dialects: how to ask, and what an error looks like

    def akeyless(self, token, config, access_id):
        """Ask as Akeyless clients do."""
        return client.post(self.nginx.port, '/v2/auth',
                           self.cluster.login(token, config, access_id,
                                              encode=False))

    def bearer(self, token, config, access_id):
        """Ask with the token in the Authorization header."""
        return client.post(self.nginx.port, '/v2/auth?k8s-auth-config-name='
                           + urllib.parse.quote(config), None,
                           {'Authorization': f'Bearer {token}'})

    def vault(self, token, config, access_id):
        """Ask as Vault's clients do."""
        role = base64.b64encode(f'{access_id}..{config}'.encode()).decode()
        return client.post(self.nginx.port, '/v1/auth/kubernetes/login',
                           {'role': role, 'jwt': token})

    def oauth(self, token, config, access_id):
        """Ask for a token exchange."""
        return client.post(
            self.nginx.port, '/token', token_exchange(token, config), FORM)

    def check(self, reason, status, token, config='k8s-conf',
              access_id=ACCESS_ID,
              dialects=DIALECTS, before=lambda: None, name=None, seen=''):
        """Ask in each dialect; hold status, body, headers and log line.

        seen is what that line tells of the token.
        """
        for dialect in dialects:
            before()
            mark = self.nginx.mark()
            answer = getattr(self,
                             dialect)(token() if callable(token) else token,
                                      config, access_id)
            self.api.clear()
            wanted = STATUS.get(dialect, {}).get(status, status)
            wrong_ = None
            if answer.status != wanted:
                wrong_ = f'status {answer.status}, not {wanted}'
            elif answer.header('content-type') != 'application/json':
                wrong_ = f'type {answer.header("content-type")}'
            elif answer.header('cache-control') != 'no-store':
                wrong_ = 'no Cache-Control'
            elif (status == 503) != (answer.header('retry-after') is not None):
                wrong_ = f'Retry-After {answer.header("retry-after")}'
            elif (wanted in (401, 403) and dialect != 'vault') \
                    != (answer.header('www-authenticate') is not None):
                wrong_ = f'challenge {answer.header("www-authenticate")}'
            else:
                wrong_ = error_shape(dialect, answer.json(), status, reason)
            level = 'error' if status >= 500 else 'info'
            if wrong_ is None and not self.nginx.wait_log(
                    rf'\[{level}\].* {reason}: [^:]*'
                    + (re.escape(': ' + seen) if seen else ''), since=mark):
                wrong_ = f'no line of level {level} with {reason} {seen}'
            t.ok(wrong_ is None, f'{name or reason}, {dialect}', wrong_,
                 answer)

    def issue(self, **kw):
        """Return a pod token of its own."""
        return lambda: self.cluster.issue(claims={'n': time.monotonic_ns()},
                                          **kw)

    def fault(self, *args, **kw):
        """Return what arms a fault of the API server."""
        return lambda: self.api.fault(*args, **kw)

    def forged(self, header=None, **members):
        """Return a pod token with members changed, signed by the cluster."""
        claims = tokens.decode(self.cluster.issue())[1]
        return tokens.k8s_sign({**claims, **members}, self.cluster.key,
                               **(header or {}))

    def unsigned(self):
        """Return a new token whose signature is wrong."""
        return self.forged(n=time.monotonic_ns())[:-12] + 'AAAAAAAAAAAA'


@t.shared
def gateway(cluster, other):
    """The gateway of all stories."""
    return Gateway(cluster, other)


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
        good = body['error'] == ('invalid_client'
                                 if reason == 'config_unknown'
                                 else OAUTH[status]) \
            and isinstance(body['error_description'], str)
    else:
        good = isinstance(body.get('error'), str) and ' ' in body['error']
    return None if good else f'shape {body}'


# Before any review

@t.story
def who_asks_for_no_config_is_told_so(gateway):
    gateway.check('config_unknown', 401, gateway.issue(), config='nobody')
    gateway.check('config_unknown', 401, gateway.issue(),
                  access_id='p-strangerxxxxkm',
                  dialects=('akeyless', 'vault'),
                  name='config_unknown by access id')


@t.story
def what_is_no_token_is_told_so(gateway):
    gateway.check('token_missing', 401, '',
                  dialects=('akeyless', 'vault', 'oauth'))
    gateway.check('token_malformed', 401, 'not.a.jwt')
    gateway.check('token_too_large', 401, 'e30.' + 'A' * 17000 + '.AAAA',
                  dialects=('akeyless', 'bearer', 'vault', 'oauth'))
    gateway.check('token_too_large', 401,
                  gateway.issue(audiences=['a' * 11700]),
                  dialects=('akeyless', 'vault', 'oauth'),
                  name='token_too_large of what would be minted')


@t.story
def a_token_of_the_wrong_algorithm_issuer_or_key_is_told_so(gateway):
    gateway.check('algorithm_not_allowed', 401,
                  tokens.sign({'alg': 'HS256'}, {'sub': 'x'}, b'secret',
                              alg='HS256'))
    gateway.check('issuer_mismatch', 401,
                  gateway.forged(iss=tokens.ISSUER + '/'),
                  seen=f'its issuer is "{tokens.ISSUER}/", config')
    gateway.check('issuer_mismatch', 401, gateway.forged(iss='"\n' + 'x' * 999),
                  seen=r'its issuer is "\x22\x0A' + 'x' * 126 + '...", config',
                  name='issuer_mismatch, escaped and cut')
    gateway.check('signature_invalid', 401,
                  gateway.unsigned,
                  config='signed', seen='its kid is "')
    gateway.check('not_service_account', 401,
                  gateway.forged(access_id='p', config_name='c'),
                  seen='it was minted by a gateway, config')


@t.story
def a_token_outside_its_times_is_told_so(gateway):
    gateway.check('token_expired', 401,
                  gateway.forged(exp=1700000000),
                  seen='it ended at 2023-11-14T22:13:20Z, config',
                  name='token_expired by our clock')
    gateway.check('token_not_yet_valid', 401,
                  gateway.forged(nbf=4000000000, exp=4000000001),
                  seen='it begins at 2096-10-02T07:06:40Z, config',
                  name='token_not_yet_valid by our clock')


@t.story
def what_the_method_does_not_allow_is_told_so(gateway):
    gateway.check('access_expired', 403, gateway.issue(), 'over', EXPIRED)
    gateway.check('ip_not_bound', 403, gateway.issue(), 'addr', ADDRESS)
    gateway.check('certificate_missing', 401, gateway.issue(), 'bound')
    gateway.check('subject_incomplete', 403, gateway.issue(pod=None,
                                                             account='builder'),
                  'podless', FULL)
    gateway.check('audience_mismatch', 401, gateway.issue(), 'aud', AUDIENCE,
                  name='audience_mismatch by the claims',
                  seen='its audience is "api, ' + tokens.ISSUER)


# The API server's word

@t.story
def what_the_api_server_says_of_a_token_is_told(gateway):
    gateway.check('token_rejected', 401, gateway.unsigned)
    for reason, error in (
            ('token_expired', 'service account token has expired'),
            ('token_not_yet_valid', 'service account token is not valid yet')):
        gateway.check(reason, 401, gateway.issue(), before=gateway.fault(
            body='{"kind":"TokenReview","status":{"user":{},"error":'
            f'"[invalid bearer token, {error}]"}}}}', status=201))
    gateway.check('audience_mismatch', 401,
                  gateway.issue(audiences=['vault', 'api']), 'aud',
                  AUDIENCE, before=gateway.fault('audiences_500'),
                  name='audience_mismatch, deterministic 500')
    gateway.check('not_service_account', 401, gateway.issue(), 'any', FULL,
                  before=gateway.fault(replace=[['system:serviceaccount:',
                                                 'oidc:']]))


@t.story
def a_token_whose_pod_or_account_is_gone_is_revoked(cluster, gateway):
    gateway.api.pod(NAMESPACE, 'mypod2', account='builder')
    gone = [cluster.issue('mypod2', claims={'n': n}) for n in range(4)]
    gateway.api.delete('pod', NAMESPACE, 'mypod2')
    gateway.check('token_revoked', 401, gone.pop)
    gateway.api.pod(NAMESPACE, 'mypod2', account='builder')
    again = [cluster.issue('mypod2', claims={'n': n}) for n in range(4)]
    gateway.api.delete('pod', NAMESPACE, 'mypod2')
    gateway.api.pod(NAMESPACE, 'mypod2', account='builder')
    gateway.check('token_revoked', 401, again.pop,
                  name='token_revoked, re-created pod')
    gateway.api.account(NAMESPACE, 'doomed')
    doomed = [cluster.issue(None, account='doomed', claims={'n': n})
              for n in range(4)]
    gateway.api.delete('account', NAMESPACE, 'doomed')
    gateway.check('token_revoked', 401, doomed.pop, 'any', FULL,
                  name='token_revoked, deleted account')


# Bounds

@t.story
def who_is_not_bound_is_told_so(gateway):
    gateway.api.account('other-ns', 'builder')
    gateway.api.account(NAMESPACE, 'tester')
    gateway.api.pod('other-ns', 'mypod1', account='builder')
    gateway.api.pod(NAMESPACE, 'stranger', account='builder')
    gateway.api.pod(NAMESPACE, 'mypod7', account='tester')
    gateway.check('namespace_not_bound', 403,
                  gateway.issue(pod='mypod1', namespace='other-ns'))
    gateway.check('pod_not_bound', 403, gateway.issue(pod='stranger'))
    gateway.check('service_account_not_bound', 403,
                  gateway.issue(pod='mypod7'))


# The reviewer and the network

@t.story
def a_reviewer_that_is_refused_is_no_refusal(gateway):
    gateway.check('reviewer_unauthorized', 502, gateway.issue(),
                  before=gateway.fault('unauthorized'))
    gateway.check('reviewer_forbidden', 502, gateway.issue(), 'norights')


@t.story
def an_api_server_in_trouble_is_no_refusal(gateway):
    gateway.check('api_not_found', 502, gateway.issue(), 'wrong-path')
    gateway.check('api_not_found', 502, gateway.issue(),
                  before=gateway.fault('html_404'),
                  name='api_not_found, HTML')
    gateway.check('api_error', 502, gateway.issue(), before=gateway.fault(
        'error_500', headers={'Retry-After': '999'}))
    gateway.check('api_error', 502, gateway.issue(),
                  before=gateway.fault('oversized'),
                  name='api_error, oversized')
    gateway.check('api_throttled', 503, gateway.issue(), before=gateway.fault(
        'throttled', headers={'Retry-After': '999'}))
    gateway.check('api_tls', 502, gateway.issue(), 'wrong-ca')
    gateway.check('api_timeout', 504, gateway.issue(), 'hasty',
                  before=gateway.fault('stall_before'))


@t.story
def an_api_server_that_is_away_is_no_refusal(gateway, other):
    other.api.unlisten()
    gateway.check('api_unreachable', 503, gateway.issue(), 'away')


@t.story
def too_many_logins_at_once_are_no_refusal(gateway):
    for dialect in DIALECTS:
        gateway.api.fault('hold')
        held = client.Background(gateway.akeyless, gateway.issue()(), 'narrow',
                                 ACCESS_ID)
        if not wait_for(lambda: client.get(
                gateway.nginx.port, '/status').json()['configs']['narrow']
                ['reviews_in_flight']):
            t.ok(False, 'no review hangs')
        gateway.check('overloaded', 503, gateway.issue(), 'narrow',
                      dialects=(dialect,),
                      name='overloaded')
        gateway.api.clear()
        gateway.api.release()
        held.result()


# Requests

@t.story
def a_request_that_is_none_is_told_so(gateway):
    mark = gateway.nginx.mark()
    for path, data, kind in (
            ('/v2/auth', '{', 'application/json'),
            ('/v1/auth/kubernetes/login', '[]', 'application/json'),
            ('/token', 'x=%zz', 'application/x-www-form-urlencoded')):
        answer = client.post(gateway.nginx.port, path, data,
                             {'Content-Type': kind})
        t.is_((answer.status, answer.json()['reason']),
              (400, 'request_malformed'), f'request_malformed at {path}')
    t.ok(gateway.nginx.wait_log('request_malformed', since=mark), 'and logged')


# All of them

@t.story
def every_reason_of_an_endpoint_has_its_story():
    with open(os.path.abspath(__file__), encoding='utf-8') as file:
        told = set(re.findall(r"(?:check\(|400, )'([a-z_]+)'", file.read()))
    with open(os.path.join(nginx_.ROOT, 'src', 'k8s', 'reason.h'),
              encoding='ascii') as file:
        known = set(re.findall(r'X\([A-Z_]+, "([a-z_]+)"', file.read()))
    t.is_(sorted(known - told), ['certificate_mismatch', 'claim_not_allowed',
                                 'internal_error', 'ok'],
          'every other reason is tested by its name')


@t.story
def no_token_is_in_the_log(gateway):
    gateway.check('token_rejected', 401, gateway.unsigned)
    t.ok(not gateway.nginx.grep('eyJ[A-Za-z0-9_-]{20}'), 'no token in the log')


t.tell()
