#!/usr/bin/python3
"""Does the fake API server behave as real ones do?

What they were recorded to say is replayed by recorded.t.
"""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import steps  # noqa: E402
import tokens  # noqa: E402
from akltest import NAMESPACE, Test, client  # noqa: E402
from cluster import REVIEWS  # noqa: E402

KEYS = '/openid/v1/jwks'
DISCOVERY = '/.well-known/openid-configuration'
KEY_SET = 'application/jwk-set+json'

t = Test()


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def api(cluster):
    """Its API server."""
    return cluster.api


@t.shared
def newest():
    """A cluster of Kubernetes 1.37."""
    return t.cluster(version='1.37')


@t.shared
def reviewer(api):
    """The reviewer's token."""
    return api.read('reviewer.jwt')


@t.shared
def body(cluster):
    """The body of a review."""
    return json.dumps({'apiVersion': 'authentication.k8s.io/v1',
                       'kind': 'TokenReview',
                       'spec': {'token': cluster.issue()}})


def review(cluster, token, bearer_=None, **spec):
    """Return the status of a review as a dict."""
    body = json.dumps({'apiVersion': 'authentication.k8s.io/v1',
                       'kind': 'TokenReview',
                       'spec': {'token': token, **spec}})
    if bearer_ is None:
        bearer_ = cluster.api.issue('akl-system', 'reviewer')
    return json.loads(cluster.ask(body, bearer_)[1])['status']


# What is accepted

ACCEPTED = (
    (None, 200, 200), ('', 200, 200), ('*/*', 200, 200),
    (KEY_SET, 200, 406), ('application/json', 406, 200),
    (f'{KEY_SET}, application/json;q=0.9', 200, 200),
    (f'{KEY_SET};q=0.1', 200, 406), (f' {KEY_SET} ;q=1', 200, 406),
    ('application/json; charset=utf-8 , text/html', 406, 200),
    ('text/html, */*;q=0.1', 200, 200), ('application/*', 406, 406),
    ('text/html', 406, 406), ('application/JSON', 406, 406))


@t.story
def a_document_is_not_acceptable_where_its_type_is_not_accepted(cluster):
    token = cluster.issue()
    for accept, keys, rest in ACCEPTED:
        t.is_(cluster.fetch(KEYS, token, accept=accept).status, keys,
              f'key set, accepted: {accept}')
        t.is_(cluster.fetch(DISCOVERY, token, accept=accept).status, rest,
              f'discovery, accepted: {accept}')
    t.is_(cluster.fetch(KEYS, token, accept='application/json').text,
          '{"kind":"Status","apiVersion":"v1","metadata":{},"status":'
          '"Failure","message":"406: Not Acceptable\\n\\nAvailable '
          'representations: application/jwk-set+json","reason":'
          '"NotAcceptable","details":{},"code":406}\n', 'as a Status')
    t.is_(cluster.fetch(KEYS, token, 'POST').status, 405, 'GET only')


@t.story
def a_review_is_not_acceptable_where_json_is_not_accepted(
        cluster, reviewer, body):
    for accept, _, rest in ACCEPTED:
        head = {'Authorization': f'Bearer {reviewer}',
                'Content-Type': 'application/json; charset=utf-8'}
        if accept is not None:
            head['Accept'] = accept
        answer = client.post(cluster.port, REVIEWS, body, head,
                             context=client.tls(cluster.ca))
        t.is_(answer.status, 201 if rest == 200 else rest,
              f'accepted: {accept}')


# Who may have the keys

@t.shared
def pair(api):
    """A client certificate and its key."""
    return api.path('client.crt'), api.path('client.key')


@t.story
def the_keys_are_for_service_accounts_and_nobody_else(cluster, api, pair):
    api.rancher('token-abcde:secret', ['c-m-1'])
    api.static('opaque', 'jane', 'u1', ['system:authenticated'])
    for path in (KEYS, DISCOVERY):
        t.is_(cluster.fetch(path).status, 403, f'{path}: nobody')
        answer = cluster.fetch(path, cert=pair)
        t.is_(answer.status, 403, f'{path}: a client certificate')
        t.like(answer.text, f'User ..akl.. cannot get path ..{path}..',
               f'{path}: in these words')
        t.is_(cluster.fetch('/k8s/clusters/c-m-1' + path,
                            'token-abcde:secret').status, 403,
              f"{path}: a key of Rancher's")
        t.is_(cluster.fetch(path, cluster.issue(None, account='norights'))
              .status, 200, f'{path}: an account without any right')
        t.is_(cluster.fetch(path, 'opaque').status, 403, f'{path}: a user')


@t.story
def the_role_that_gives_the_keys_can_be_bound_otherwise(cluster, api, pair):
    api.discover('akl')
    t.is_(cluster.fetch(KEYS, cert=pair).status, 200, 'with the role')
    api.discover('system:serviceaccounts', False)
    t.is_(cluster.fetch(KEYS, cluster.issue()).status, 403,
          'the role taken away')


@t.story
def the_keys_are_there_only_where_the_issuer_is_https(cluster, api):
    for issuer, status in (('api', 404), ('http://k8s.example.com', 404),
                           ('https://k8s.example.com', 200),
                           ('https://k8s.example.com/?a=b', 404),
                           ('https://k8s.example.com/#a', 404)):
        api.issuer(issuer)
        for path in (KEYS, DISCOVERY):
            answer = cluster.fetch(path, cluster.issue())
            t.is_(answer.status, status, f'{path}: issuer {issuer}')
    t.is_(answer.text, '404 page not found\n', 'nothing is there')
    t.is_(cluster.fetch(KEYS).status, 403, 'which nobody else learns')


# A cache that lags behind, and authenticators that are out

ERROR = 'etcdserver: request timed out'
UNREADY = 'oidc: authenticator not initialized'


@t.story
def what_the_cache_lacks_is_asked_for_live(cluster, api):
    token = cluster.issue()
    for kind, name in (('account', 'builder'), ('pod', 'mypod1')):
        api.lag(kind, NAMESPACE, name)
        t.is_(review(cluster, token).get('authenticated'), True, kind)
        api.clear()


@t.story
def the_error_of_a_live_call_is_told_but_a_pod_looks_gone(cluster, api):
    api.positive_cache(0)
    token = cluster.issue()
    api.lag('account', NAMESPACE, 'builder', ERROR, 1)
    t.is_(review(cluster, token),
          {'user': {}, 'error': f'[invalid bearer token, {ERROR}]'},
          'the raw error of the live call')
    t.is_(review(cluster, token).get('authenticated'), True, 'once')
    api.lag('pod', NAMESPACE, 'mypod1', ERROR)
    t.is_(review(cluster, token)['error'], '[invalid bearer token, service '
          'account token has been invalidated]',
          'a pod that cannot be read is as good as gone')


@t.story
def other_authenticators_are_asked_only_about_tokens_that_are_not_good(
        cluster, api):
    api.authenticators(UNREADY, ERROR, ERROR)
    t.is_(review(cluster, cluster.issue()).get('authenticated'), True,
          'a good one')
    t.is_(review(cluster, 'opaque')['error'],
          f'[invalid bearer token, {UNREADY}, {ERROR}]',
          'another one, each error once')
    t.is_(review(cluster, cluster.issue(audiences=['x']))['error'],
          '[invalid bearer token, token audiences ["x"] is invalid for the '
          'target audiences ["api" "https://kubernetes.default.svc.cluster.'
          f'local"], {UNREADY}, {ERROR}]', 'all errors in a row')


@t.story
def a_legacy_token_that_the_cleanup_has_marked_is_refused(cluster, api):
    legacy = api.secret(NAMESPACE, 'old', 'builder')
    api.mark_invalid(NAMESPACE, 'old')
    t.like(review(cluster, legacy)['error'],
           f'^.invalid bearer token, the token in secret {NAMESPACE}/old for '
           f'service account {NAMESPACE}/builder has been marked invalid. Use',
           'a review')


# Kubernetes 1.37

@t.story
def kubernetes_1_37_binds_tokens_to_webhook_configurations(newest):
    api = newest.api
    api.positive_cache(0)
    for kind, name in (('validating', 'ValidatingWebhookConfiguration'),
                       ('mutating', 'MutatingWebhookConfiguration')):
        uid = api.webhook(kind, 'hook')
        token = newest.issue(None, account='builder', webhook=[kind, 'hook'])
        t.is_(tokens.decode(token)[1]['kubernetes.io'][name.lower()],
              {'name': 'hook', 'uid': uid}, f'{kind}: claimed')
        user = review(newest, token)['user']
        base = f'authentication.kubernetes.io/{name.lower()}'
        t.is_({key: value for key, value in user['extra'].items()
               if 'credential-id' not in key},
              {'attestation.authentication.kubernetes.io/'
               'admissionReviewAPIGroups': ['apps'],
               f'{base}-name': ['hook'], f'{base}-uid': [uid]},
              f'{kind}: extras of its own, and no pod')
        api.webhook(kind, 'hook')
        t.like(review(newest, token)['error'], rf'{name} UID \(.*\) does '
               rf'not match service account validating ref claim \({uid}\)',
               f'{kind}: made anew')
        api.delete(kind, None, 'hook')
        t.like(review(newest, token)['error'], 'has been invalidated',
               f'{kind}: gone')


@t.story
def kubernetes_1_37_knows_pods_and_leaves_out_what_is_null(newest):
    t.is_(review(newest, newest.issue())['authenticated'], True, 'a pod')
    answer = newest.ask(json.dumps({
        'apiVersion': 'authentication.k8s.io/v1', 'kind': 'TokenReview',
        'spec': {'token': newest.issue()}}), newest.api.read('reviewer.jwt')
    )[1]
    t.ok('creationTimestamp' not in answer, 'what is null')


# Objects come and go

@t.story
def a_pod_may_review_only_with_the_right_to(cluster, api):
    token = cluster.issue()
    t.is_(review(cluster, token, token), 'Failure', 'without')
    api.delegate(f'system:serviceaccount:{NAMESPACE}:builder')
    t.is_(review(cluster, token, token)['authenticated'], True, 'with it')


@t.story
def what_was_found_good_is_remembered_for_ten_seconds(cluster, api):
    token, start = cluster.issue(), int(time.time())
    api.clock(at=start)
    t.ok('authenticated' in review(cluster, token), 'a pod lives')
    api.delete('pod', NAMESPACE, 'mypod1')
    t.ok('error' in review(cluster, cluster.issue(claims={
        'kubernetes.io': tokens.decode(token)[1]['kubernetes.io'],
        'n': 1}, pod=None, account='builder')),
        'it is gone, which is seen by a token that is new')
    api.clock(at=start + 9)
    t.ok('authenticated' in review(cluster, token), 'not by one that is known')
    api.clock(at=start + 10)
    t.like(review(cluster, token)['error'], 'has been invalidated',
           'but when ten seconds are over')


@t.story
def a_token_lives_as_long_as_its_pod(cluster, api):
    api.positive_cache(0)
    token = cluster.issue()
    t.is_(review(cluster, token)['authenticated'], True, 'a pod lives')
    api.delete('pod', NAMESPACE, 'mypod1', time.time() - 30)
    t.ok('authenticated' in review(cluster, token), 'a pod on its way out')
    api.delete('pod', NAMESPACE, 'mypod1', time.time() - 61)
    t.like(review(cluster, token)['error'], 'has been invalidated',
           'a pod long terminating')
    api.pod(NAMESPACE, 'mypod1', 'builder')
    t.like(review(cluster, token)['error'], r'pod UID \(.*ref claim',
           'a pod made anew')


@t.story
def a_token_lives_as_long_as_its_account_and_what_it_is_bound_to(
        cluster, api):
    api.positive_cache(0)
    token = cluster.issue()
    api.account(NAMESPACE, 'builder')
    t.like(review(cluster, token)['error'], 'service account UID .* does '
           'not match claim', 'an account made anew')
    legacy = api.secret(NAMESPACE, 'old', 'builder')
    t.ok('authenticated' in review(cluster, legacy), 'a legacy token')
    api.secret(NAMESPACE, 'old', 'builder')
    api.delete('secret', NAMESPACE, 'old')
    t.like(review(cluster, legacy)['error'], 'Token has been invalidated',
           'a legacy token whose secret is gone')
    bound = cluster.issue(None, account='builder', node='node-1')
    api.delete('node', None, 'node-1')
    t.like(review(cluster, bound)['error'], 'has been invalidated',
           'a node is gone')


@t.story
def a_user_who_is_no_account_is_known_by_name(cluster, api):
    api.static('opaque', 'jane', 'u1', ['system:authenticated'])
    t.is_(review(cluster, 'opaque')['user']['username'], 'jane', 'the user')


@t.story
def a_reviewer_of_no_standing_gets_no_review(cluster, api):
    api.clock(offset=-86400)
    t.like(review(cluster, cluster.issue(None, account='builder'), 'x'),
           'Failure', 'the answer')


@t.story
def other_keys_are_used_at_once_even_for_a_token_that_was_kept(cluster, api):
    token = cluster.issue(None, account='builder')
    api.positive_cache(3600)
    t.ok('authenticated' in review(cluster, token), 'seen and kept')
    api.keys([tokens.key('P-256', 'other').pem()])
    t.like(review(cluster, token)['error'], 'no keys found',
           'an unknown key')
    for kind in ('P-256', 'P-384', 'P-521'):
        api.keys([tokens.key(kind, 'other').pem()])
        t.ok('authenticated' in review(
            cluster, cluster.issue(None, account='builder')),
            f'signed with {kind}')


# Other doors

@t.story
def a_client_certificate_has_the_rights_of_its_user(cluster, api, body):
    for name, status in (('client', 201), ('client-norights', 403)):
        pair = (api.path(name + '.crt'), api.path(name + '.key'))
        head, text = cluster.ask(body, None, cert=pair)
        t.like(head, f'^HTTP/1.1 {status}', f'certificate {name}')
    t.like(text, 'User ..nobody.. cannot create', 'named in the refusal')
    t.like(cluster.ask(body, None)[1], 'system:anonymous',
           'without credentials')


@t.story
def objects_are_made_and_deleted_as_a_real_one_has_it(cluster, pair):
    master = certs.write_pair(t.dir, 'master', certs.Authority().client(
        'admin', ['system:masters']))
    context = client.tls(cluster.ca, master)
    steps.go(t, lambda method, path, headers, body: client.request(
        cluster.port, method, path, headers, body, context=context))
    answer = client.post(cluster.port, steps.CORE,
                         steps.thing('Namespace', 'mine'),
                         context=client.tls(cluster.ca, pair))
    t.is_(answer.status, 403, 'that is not for everybody')


@t.story
def what_a_story_has_made_by_requests_is_gone_afterwards(cluster, api):
    master = (api.path('master.crt'), api.path('master.key'))
    made = (
        (f'/api/v1/namespaces/{NAMESPACE}/secrets', {
            'kind': 'Secret', 'apiVersion': 'v1',
            'type': 'kubernetes.io/service-account-token',
            'metadata': {'name': 'made', 'annotations': {
                'kubernetes.io/service-account.name': 'builder'}}}),
        ('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
            'kind': 'ClusterRoleBinding',
            'apiVersion': 'rbac.authorization.k8s.io/v1',
            'metadata': {'name': 'made'}, 'subjects': [],
            'roleRef': {'apiGroup': 'rbac.authorization.k8s.io',
                        'kind': 'ClusterRole', 'name': 'any'}}))
    context = client.tls(cluster.ca, master)

    def held():
        """Return the statuses of a look at what is made."""
        return [client.request(cluster.port, 'GET', f'{path}/made',
                               context=context).status for path, _ in made]

    for path, document in made:
        t.like(cluster.ask(document, None, path, cert=master)[0],
               '^HTTP/1.1 201', document['kind'])
    t.is_(held(), [200, 200], 'they are there')
    api.restore()
    t.is_(held(), [404, 404], 'as before')


@t.story
def rancher_has_keys_of_its_own(cluster, api, reviewer, body):
    api.rancher('token-abcde:secret', ['c-m-1'])
    path = '/k8s/clusters/c-m-1' + REVIEWS
    t.like(cluster.ask(body, 'token-abcde:secret', path)[0],
           '^HTTP/1.1 201', 'by way of Rancher')
    t.like(cluster.ask(body, 'token-abcde:no', path)[0], '^HTTP/1.1 401',
           'a wrong key for Rancher')
    t.like(cluster.ask(body, reviewer, path)[0], '^HTTP/1.1 401',
           "an account's token is nothing to Rancher")
    t.like(cluster.ask(body, 'token-abcde:secret',
                       '/k8s/clusters/c-m-2' + REVIEWS)[0], '^HTTP/1.1 404',
           'a cluster that Rancher has not')


@t.story
def an_answer_for_curl_is_indented(cluster, reviewer, body):
    t.like(cluster.ask(body, reviewer, agent='curl/8.0')[1],
           r'^\{\n  "kind"', 'the answer')


def certificate(cluster, authority=None, **kw):
    """Write a server certificate; return its paths."""
    authority = authority or certs.Authority()
    return certs.write_pair(cluster.dir, 'changed', authority.server(**kw))


def failure(cluster, body):
    """Return the text of the exception that a request ends in."""
    try:
        return cluster.ask(body, 'x')[0]
    except OSError as error:
        return str(error)


@t.story
def a_certificate_that_is_not_good_is_presented_all_the_same(
        cluster, api, body):
    api.certificate(*certificate(cluster, names=['elsewhere.example.com']))
    t.like(failure(cluster, body), 'CERTIFICATE_VERIFY_FAILED.*mismatch',
           'certificate of another name')
    api.certificate(*certificate(cluster, days=-2))
    t.like(failure(cluster, body), 'certificate has expired',
           'expired certificate')
    other = certs.Authority('other', tokens.key('P-256', 'other-ca'))
    api.certificate(*certificate(cluster, other))
    t.like(failure(cluster, body), 'CERTIFICATE_VERIFY_FAILED',
           'certificate of another authority')


t.tell()
