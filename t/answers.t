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
    'unasked_408': OK, 'unasked_201': OK, 'unasked_bytes': OK,
    'oversized': ERROR, 'oversized_chunked': ERROR, 'declares_1gb': ERROR,
    'not_http': ERROR, 'json_array': ERROR, 'json_null': ERROR,
    'json_trailing': ERROR, 'doubled_authenticated': ERROR,
    'string_authenticated': ERROR, 'number_authenticated': ERROR,
    'error_and_authenticated': (401, 'token_rejected'),
    'other_kind': ERROR, 'no_status': ERROR, 'number_username': ERROR,
    'string_groups': ERROR, 'no_group': NOBODY, 'name_dots': NOBODY,
    'name_nul': ERROR, 'name_parts': NOBODY, 'null_error': OK,
    'null_user': ERROR, 'null_uid': ERROR, 'null_groups': NOBODY,
    'null_extra': OK, 'null_audiences': OK}
AGAIN = ('throttled_bare', 'throttled_absurd')
PODS_ONLY = 'p-podsonly0000km'

# what the API server says of an outage inside of it, beside the status 201

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
UNREADY = 'oidc: authenticator not initialized'

t = Test(need_module=True)


@t.shared
def cluster():
    """The cluster whose API server misbehaves."""
    return t.cluster()


@t.shared
def api(cluster):
    """Its API server."""
    return cluster.api


@t.shared
def other():
    """A cluster that nobody should come to."""
    return t.cluster()


@t.shared
def newest():
    """A cluster of Kubernetes 1.37."""
    return t.cluster(version='1.37')


class Gateway:
    """An nginx with a config for each kind of patience."""

    def __init__(self, cluster, newest):
        self.cluster = cluster
        self.api = cluster.api
        make = cluster.config
        brief = '2s connect=2s'
        self.nginx = t.nginx('''
            akl_k8s_cache_valid 1h refused=0;
            @method@
            @configs@
            server {
                listen 127.0.0.1:@port@;
                location = /v2/auth { akl_k8s_auth; }
            }
        ''', method=cluster.method()
            + cluster.method(PODS_ONLY, bound_pod_names='*'),
            configs=make()
            + make(name='hasty', akl_k8s_review_timeout='900ms connect=900ms')
            + make(name='anyone', disable_issuer_validation='on',
                   akl_k8s_review_timeout=brief)
            + make(name='keeping', akl_k8s_cache_valid='10s refused=1h',
                   akl_k8s_review_timeout=brief)
            + newest.config(name='newest')
            + newest.config(name='pods', access_id=PODS_ONLY))

    def ask(self, token=None, config='k8s-conf', **kw):
        """Log in; return the answer."""
        return client.post(self.nginx.port, '/v2/auth', self.cluster.login(
            token or self.cluster.issue(), config, **kw))

    def login(self, token=None, config='k8s-conf', **kw):
        """Log in; return status and reason."""
        return result(self.ask(token, config, **kw))

    def hasty(self):
        """Log in where there is little time; return the answer.

        A slow machine may need more than that, which says nothing.
        """
        for _ in range(50):
            self.api.reset_stats()
            answer = self.ask(config='hasty')
            if result(answer) != TIMEOUT:
                break
        return answer

    def reviews(self):
        """Return how many reviews the API server has seen."""
        return self.api.stats()['review']


@t.shared
def gateway(cluster, newest):
    """The gateway of all stories."""
    return Gateway(cluster, newest)


def result(answer):
    """Return status and reason."""
    return answer.status, answer.json().get('reason')


# Each misbehaviour; the same token logs in right afterwards, so an outage
# leaves nothing behind

def suffer(gateway, name, used):
    """Log in while the API server misbehaves, and right afterwards."""
    expected = EXPECTED[name]
    config = 'hasty' if expected == TIMEOUT else 'k8s-conf'
    more = {}
    if name in ('throttled', 'roles_unread') or name.startswith('error_5'):
        # asked again until the deadline otherwise
        more['headers'] = {'Retry-After': '999'}
    if used:
        gateway.ask(config=config)
    else:
        gateway.api.drop()
    gateway.api.fault(name, **more)
    token = gateway.cluster.issue()
    mark = gateway.nginx.mark()
    answer = gateway.ask(token, config)
    gateway.api.clear()
    t.is_(result(answer), expected, name)
    t.ok(gateway.login(token, config) == OK or config == 'hasty'
         and wait_for(lambda: gateway.ask(token, config).status == 200),
         f'{name}: the next login')
    if expected != OK:
        level = 'error' if answer.status >= 500 else 'info'
        t.ok(gateway.nginx.grep(rf'\[{level}\].* {expected[1]}', mark),
             f'{name}: logged')


@t.story
def no_misbehaviour_of_an_api_server_is_left_out():
    t.is_(sorted(EXPECTED), sorted(set(faults.PRESETS) - {'hold'}),
          'those we know')


@t.story
def what_an_api_server_does_on_a_new_connection_has_its_reason(gateway):
    for name in EXPECTED:
        if name not in AGAIN:
            suffer(gateway, name, False)


@t.story
def what_an_api_server_does_on_a_used_connection_has_its_reason(gateway):
    for name, expected in EXPECTED.items():
        if name not in AGAIN and expected != TIMEOUT:
            suffer(gateway, name, True)


@t.story
def an_api_server_that_throttles_to_the_end_is_told_from_a_slow_one(
        api, gateway):
    for name in AGAIN:
        api.fault(name)
        t.is_(result(gateway.hasty()), EXPECTED[name], name)
        api.clear()


@t.story
def a_handshake_that_fails_is_an_outage(api, gateway):
    for how, expected in (('reset', AWAY), ('stall', TIMEOUT)):
        api.handshake(how)
        api.drop()
        t.is_(gateway.login(config='hasty'), expected, how)
        api.clear()
        t.ok(wait_for(lambda: gateway.ask(config='hasty').status == 200),
             f'{how}: and back')


@t.story
def a_redirect_is_not_followed(api, gateway, other):
    api.fault('redirect', headers={
        'Location': other.url + '/apis/authentication.k8s.io/v1/tokenreviews'
    })
    t.is_(gateway.login(), ERROR, 'a login')
    t.is_(other.api.stats()['connections'], 0, 'where it leads')


# Connections

@t.story
def a_connection_is_kept_for_what_follows(api, gateway):
    gateway.ask()
    api.reset_stats()
    for _ in range(30):
        gateway.ask()
    t.is_((gateway.reviews(), api.stats()['connections']), (30, 0),
          '30 logins over a connection that was there')


@t.story
def a_kept_connection_that_died_costs_a_new_one_unseen(api, gateway):
    for how in ('closed', 'reset'):
        gateway.ask()
        api.reset_stats()
        api.drop(reset=how == 'reset')
        t.is_(gateway.login(), OK, f'a kept connection was {how}')
        t.is_((gateway.reviews(), api.stats()['connections']), (1, 1),
              f'{how}: one review, one new connection')


@t.story
def a_connection_that_dies_under_a_review_costs_one_repetition(api, gateway):
    for name in ('reset_reused', 'close_reused'):
        gateway.ask()
        api.reset_stats()
        api.fault(name, count=1)
        t.is_(gateway.login(), OK, f'{name}: sent once more')
        t.is_((gateway.reviews(), api.stats()['connections']), (2, 1),
              f'{name}: on a new connection')
        api.clear()
    gateway.ask()
    api.reset_stats()
    api.fault('reset_before')
    t.is_(gateway.login(), AWAY, 'the new one dies as well')
    t.is_(gateway.reviews(), 2, 'which is not tried again')


@t.story
def what_an_api_server_says_unasked_is_no_answer_to_what_follows(api, gateway):
    for name in ('unasked_408', 'unasked_201', 'unasked_bytes'):
        for config in ('k8s-conf', 'anyone'):
            api.drop()
            api.fault(name, count=1)
            t.is_(gateway.login(), OK, f'{name}: before it')
            api.reset_stats()
            t.is_(gateway.login(config=config), OK,
                  f'{name}: after it, by {config}')
            t.is_((gateway.reviews(), api.stats()['connections']), (1, 1),
                  f'{name}: asked once, on a new connection')
            api.clear()


@t.story
def an_api_server_may_close_whenever_it_likes(api, gateway):
    api.close_after(1)
    t.is_([gateway.ask().status for _ in range(5)], [200] * 5,
          'closed after each answer')
    api.clear()
    api.idle(200)
    for _ in range(4):
        t.is_(gateway.login(), OK, 'a connection that will be closed')
        t.ok(wait_for(lambda: api.stats()['open'] == 0), 'is, while idle')
    t.is_(gateway.login(), OK, 'and not missed')


@t.story
def an_api_server_that_comes_back_is_asked_at_once(api, gateway):
    for _ in range(3):
        api.unlisten()
        api.drop()
        t.is_(gateway.login(), AWAY, 'away')
        api.listen()
        t.is_(gateway.login(), OK, 'and back at once')


# Asked again

@t.story
def retry_after_is_kept_to_inside_the_deadline(api, gateway):
    api.fault('throttled', count=1)
    started = time.monotonic()
    t.is_(gateway.login(), OK, '429 with Retry-After: 1')
    t.ok(time.monotonic() - started >= 1, 'asked again a second later')
    t.is_(gateway.reviews(), 2, 'and once')
    api.reset_stats()
    api.fault('throttled_bare', count=2)
    t.is_(gateway.login(), OK, '429 without Retry-After')
    t.is_(gateway.reviews(), 3, 'asked until it was answered')


@t.story
def retry_after_is_handed_on_beyond_the_deadline(api, gateway):
    for value, told in (('7', 7), ('999', 60), ('9' * 24, None),
                        ('-5', None), ('soon', None), ('0', None)):
        api.fault('throttled', headers={'Retry-After': value})
        answer = gateway.hasty()
        t.is_(result(answer), THROTTLED, f'Retry-After: {value[:9]}')
        held = int(answer.header('retry-after'))
        t.ok(held == told if told else 1 <= held <= 60,
             'and what clients are told', held)
        if told:
            t.is_(gateway.reviews(), 1, 'not asked again before')
        api.clear()


@t.story
def a_server_that_fails_or_has_not_read_its_roles_is_asked_again(
        api, gateway):
    for name in ('error_500', 'error_503', 'error_504', 'error_502_html',
                 'roles_unread'):
        api.reset_stats()
        api.fault(name, count=1)
        t.is_(gateway.login(), OK, f'{name}, once')
        t.is_(gateway.reviews(), 2, f'{name}: is asked again')


@t.story
def what_no_repetition_can_change_is_not_asked_again(api, gateway):
    for name in ('audiences_500', 'unauthorized', 'html_404', 'truncated'):
        api.reset_stats()
        api.fault(name)
        gateway.ask()
        t.is_(gateway.reviews(), 1, name)
        api.clear()


@t.story
def a_last_repetition_without_an_answer_does_not_hide_the_former_ones(
        api, gateway):
    for name, expected in (('error_503', ERROR),
                           ('throttled_bare', THROTTLED)):
        api.fault(name, count=1)
        api.fault('stall_before')
        mark = gateway.nginx.mark()
        t.is_(gateway.login(config='hasty'), expected,
              f'{name}, then nothing any more')
        t.ok(gateway.nginx.grep(
            rf'{expected[1]}: .*: (apiserver|Too many) ', mark),
             f'{name} is told in the words of the answer')
        api.clear()


# An outage inside the API server has the status 201 of a refusal, and is none

ACCOUNT = ('account', NAMESPACE, 'builder')


@t.story
def an_outage_inside_the_api_server_is_asked_about_again(api, gateway):
    for error in OUTAGES:
        api.lag(*ACCOUNT, error, 1)
        api.reset_stats()
        t.is_(gateway.login(), OK, f'once: {error}')
        t.is_(gateway.reviews(), 2, 'is asked again')


@t.story
def a_lasting_outage_inside_the_api_server_is_no_refusal(api, gateway):
    for error in OUTAGES[:2] + OUTAGES[6:7]:
        token = gateway.cluster.issue()
        mark = gateway.nginx.mark()
        api.lag(*ACCOUNT, error)
        api.reset_stats()
        t.is_(gateway.login(token, 'keeping'), ERROR, f'lasting: {error}')
        t.ok(gateway.reviews() > 1, 'was asked again')
        t.is_(api.stats()['statuses'], {'201': gateway.reviews()},
              'was answered 201')
        t.ok(gateway.nginx.grep(
            r'\[error\].* api_error: .*' + re.escape(error), mark),
             'is logged as an error in the words of the API server')
        api.clear()
        t.is_(gateway.login(token, 'keeping'), OK, 'and is not kept')


# It is one of another authenticator's, beside a definite refusal or not

def refused(cluster):
    """Return tokens that are refused an hour from now, by their reason."""
    cluster.api.pod(NAMESPACE, 'gone', 'builder')
    out = {
        'token_expired': cluster.issue(ttl=600),
        'audience_mismatch': cluster.issue(audiences=['elsewhere'],
                                           ttl=7200),
        'token_rejected': tokens.k8s_sign(
            tokens.decode(cluster.issue())[1],
            tokens.key('RSA-2048', 'other')),
        'token_revoked': cluster.issue('gone', ttl=7200)}
    cluster.api.delete('pod', NAMESPACE, 'gone')
    return out


@t.story
def a_definite_refusal_counts_beside_an_outage_of_another_authenticator(
        api, gateway):
    for error in (OUTAGES[0], UNREADY):
        sent = refused(gateway.cluster)
        api.clock(3600)
        api.authenticators(error)
        for reason, token in sent.items():
            api.reset_stats()
            t.is_(gateway.login(token), (401, reason),
                  f'{reason} beside {error}')
            t.is_(gateway.reviews(), 1, 'is not asked again')
        api.clock()
        api.clear()


@t.story
def a_token_that_only_an_authenticator_may_know_who_is_out_is_an_outage(
        cluster, api, gateway):
    stranger = tokens.k8s_sign({**tokens.decode(cluster.issue())[1],
                                'iss': 'https://idp.example.com'},
                               cluster.key)
    for error in (OUTAGES[0], UNREADY):
        api.authenticators(error)
        t.is_(gateway.login(stranger, 'anyone'), ERROR,
              f'who could not be asked: {error}')
        t.is_(gateway.login(), OK,
              'who is not asked about one that is known')
        api.clear()
        t.is_(gateway.login(stranger, 'anyone'), (401, 'token_rejected'),
              'a token that nobody knows')


@t.story
def an_object_that_the_servers_cache_lacks_is_asked_for_live(api, gateway):
    for kind, name in (('account', 'builder'), ('pod', 'mypod1')):
        api.lag(kind, NAMESPACE, name)
        t.is_(gateway.login(), OK, f'the cache lags behind: {kind}')
        api.clear()


@t.story
def a_pod_that_cannot_be_read_looks_like_one_that_is_gone(api, gateway):
    api.lag('pod', NAMESPACE, 'mypod1', OUTAGES[0])
    t.is_(gateway.login(), (401, 'token_revoked'), 'a login')


# Who or what is not named is not made up from the token's claims

@t.story
def an_account_without_a_uid_is_no_answer(api, gateway):
    api.fault(replace=[['"uid":', '"x":']])
    t.is_(gateway.login(), ERROR, 'a login')
    t.ok(gateway.nginx.wait_log("api_error: .*the account's uid is missing"),
         'the log says so')


@t.story
def an_answer_without_a_pod_establishes_none(api, newest, gateway):
    api.fault('null_extra')
    answer = gateway.ask()
    minted = tokens.decode(answer.json()['token'])[1]
    t.is_([name for name in minted if name.startswith('pod_')], [],
          'a token that says nothing of a pod')
    newest.api.fault('null_extra')
    t.is_(gateway.login(newest.issue(), 'pods', access_id=PODS_ONLY),
          (403, 'pod_not_bound'), 'where pods are bound, it is refused')
    newest.api.clear()
    newest.api.fault(replace=[['pod-uid":', 'x":']])
    t.is_(gateway.login(newest.issue(), 'pods', access_id=PODS_ONLY), ERROR,
          'a pod without a uid is no answer')


# The clean-up of legacy tokens marks them before it deletes them

@t.story
def a_legacy_token_that_is_marked_invalid_is_revoked(api, gateway):
    legacy = {name: api.secret(NAMESPACE, name, 'builder')
              for name in ('used', 'unused')}
    api.mark_invalid(NAMESPACE, 'unused')
    t.is_(gateway.login(legacy['used'], 'anyone'), OK, 'a legacy token')
    t.is_(gateway.login(legacy['unused'], 'anyone'), (401, 'token_revoked'),
          'one that has been marked invalid')


# Kubernetes 1.37 binds tokens to webhook configurations: there is no pod

@t.story
def a_token_that_is_bound_to_a_webhook_has_no_pod(gateway, newest):
    for kind in ('validating', 'mutating'):
        newest.api.webhook(kind, 'hook')
        token = newest.issue(None, account='builder', webhook=[kind, 'hook'])
        answer = gateway.ask(token, 'newest')
        t.is_(result(answer), OK, f'a token for {kind} webhooks')
        t.is_(tokens.decode(answer.json()['token'])[1].get('pod_name'), None,
              'has no pod')
        t.is_(gateway.login(token, 'pods', access_id=PODS_ONLY),
              (403, 'pod_not_bound'), 'and meets no bound on pods')
        newest.api.delete(kind, None, 'hook')
        bound = tokens.decode(newest.issue(None, account='builder'))[1]
        t.is_(gateway.login(newest.api.issue(
            NAMESPACE, 'builder', claims={'kubernetes.io': {
                **bound['kubernetes.io'],
                f'{kind}webhookconfiguration': {'name': 'hook', 'uid': 'u'},
                'attestations': {'admissionReviewAPIGroups': ['*']}}}),
            'newest'), (401, 'token_revoked'), 'its configuration is gone')


@t.story
def no_token_is_in_the_log_whatever_became_of_it(cluster, api, gateway):
    t.is_(gateway.login(), OK, 'a login')
    t.is_(gateway.login(cluster.issue()[:-12] + 'AAAAAAAAAAAA'),
          (401, 'token_rejected'), 'a refusal')
    api.fault('unauthorized')
    t.is_(gateway.login(), (502, 'reviewer_unauthorized'), 'an outage')
    t.ok(not gateway.nginx.grep('eyJ[A-Za-z0-9_-]{20}'), 'the log')


t.tell()
