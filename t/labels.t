#!/usr/bin/python3
"""Labels that the namespace of a pod must have."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import nginx as nginxes  # noqa: E402
from akltest import CONFIG, NAMESPACE, Test, client, wait_for  # noqa: E402

OK = (200, None)
REFUSED = (403, 'namespace_not_bound')
REVIEWER = 'system:serviceaccount:akl-system:reviewer'
TEAM = 'example.com/team'
SELECTOR = f'{TEAM}=payments stage='
LABELS = {TEAM: 'payments', 'stage': '', 'more': 'than-asked-for'}
PODS_ONLY = 'p-podsonly0000km'
ONE_STAGE = 'p-onestage0000km'
PATH = f'/api/v1/namespaces/{NAMESPACE}'
RANCHER_KEY = 'token-abcde:l2kd8qkhd9p7xwqzs4j6'
VALID = 2

HTTP = '''
    akl_k8s_cache_valid @valid@ refused=@refused@;
    @more@
    @methods@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /status { akl_k8s_status; }
        location = /file { akl_k8s_exchange k8s-conf; empty_gif; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with many pods in a namespace with labels."""
    made = t.cluster()
    for number in range(40):
        made.api.pod(NAMESPACE, f'web-{number}', 'builder')
    made.api.namespace(NAMESPACE, LABELS)
    made.api.read_namespaces(REVIEWER)
    made.api.rancher(RANCHER_KEY, ['c-m-x7k2'])
    made.api.account(NAMESPACE, 'trusted')
    made.api.pod(NAMESPACE, 'trusted-pod', 'trusted')
    made.api.delegate(f'system:serviceaccount:{NAMESPACE}:trusted')
    return made


@t.shared
def api(cluster):
    """Its API server."""
    return cluster.api


class Gateway:
    """An nginx whose method demands labels."""

    def __init__(self, cluster, valid='0', refused='0', more='', **kw):
        self.cluster = cluster
        self.api = cluster.api
        self.given = {'valid': valid, 'refused': refused, 'more': more}
        self.nginx = t.nginx(HTTP, **self.values(SELECTOR), **kw)

    def values(self, selector):
        """Return the values of HTTP for a selector."""
        method, make = self.cluster.method, self.cluster.config
        return {
            **self.given,
            'methods': method(bound_namespace_selector=selector)
            + method(PODS_ONLY, bound_pod_names='web-*',
                     bound_namespace_selector=['stage=', f'{TEAM}=payments'])
            + method(ONE_STAGE, bound_namespace_selector='stage='),
            'configs': make(kind='P-256')
            + make('pods-only', PODS_ONLY, kind='P-256')
            + make('one-stage', ONE_STAGE, kind='P-256')
            + make('self', kind='P-256', token_reviewer_jwt='self')
            + make('rancher', kind='P-256', cluster_api_type='rancher',
                   token_reviewer_jwt=None,
                   rancher_api_key=f'data:{RANCHER_KEY}',
                   rancher_cluster_id='c-m-x7k2')}

    def login(self, config=CONFIG, pod='mypod1', token=None):
        """Log in; return status and reason."""
        method = {'pods-only': PODS_ONLY, 'one-stage': ONE_STAGE}
        body = self.cluster.login(token or self.cluster.issue(pod=pod),
                                  config)
        body['access-id'] = method.get(config, body['access-id'])
        answer = client.post(self.nginx.port, '/v2/auth', body)
        return answer.status, answer.json().get('reason')

    def crowd(self, number):
        """Begin to log in, each time another pod; return what goes on."""
        return [client.Background(self.login, pod=f'web-{one}')
                for one in range(number)]

    def figures(self, config=CONFIG):
        """Return the figures of a config."""
        return client.get(self.nginx.port, '/status').json()['configs'][config]

    def counts(self):
        """Return how many reviews and reads of namespaces there were."""
        stats = self.api.stats()
        return stats['review'], stats['namespace']

    def let_go(self):
        """End a fault that holds requests."""
        self.api.clear()
        self.api.release()


@t.shared
def gateway(cluster):
    """A gateway that keeps nothing."""
    return Gateway(cluster)


# What the labels say

@t.story
def a_namespace_needs_all_labels_of_the_selector(api, gateway):
    for name, labels, expected in (
            ('all, and another', LABELS, OK),
            ('these only', {TEAM: 'payments', 'stage': ''}, OK),
            ('none', {}, REFUSED),
            ('one is not there', {TEAM: 'payments'}, REFUSED),
            ('the other one is not there', {'stage': ''}, REFUSED),
            ('another value', {TEAM: 'billing', 'stage': ''}, REFUSED),
            ('a longer value', {TEAM: 'payments2', 'stage': ''}, REFUSED),
            ('a shorter value', {TEAM: 'payment', 'stage': ''}, REFUSED),
            ('another case', {TEAM: 'Payments', 'stage': ''}, REFUSED),
            ('a value where none should be', {TEAM: 'payments',
                                              'stage': 'x'}, REFUSED),
            ('no value where one should be', {TEAM: '', 'stage': ''},
             REFUSED),
            ('the key without its prefix', {'team': 'payments',
                                            'stage': ''}, REFUSED),
            ('key and value changed places', {'payments': 'team',
                                              'stage': ''}, REFUSED)):
        api.namespace(NAMESPACE, labels)
        t.is_(gateway.login(), expected, name)


@t.story
def labels_added_and_removed_decide_the_next_login(api, gateway):
    api.namespace(NAMESPACE, {})
    t.is_(gateway.login(), REFUSED, 'before')
    api.namespace(NAMESPACE, LABELS)
    t.is_(gateway.login(), OK, 'added')
    api.namespace(NAMESPACE, {'stage': ''})
    t.is_(gateway.login(), REFUSED, 'removed')
    t.is_(gateway.login('one-stage'), OK, 'by a method that wants no more')


@t.story
def the_log_names_the_label_that_is_missing(api, gateway):
    mark = gateway.nginx.mark()
    api.namespace(NAMESPACE, {'stage': ''})
    gateway.login()
    t.ok(gateway.nginx.wait_log(
        f'label "{TEAM}" of the namespace is not there', since=mark),
        'not there')
    api.namespace(NAMESPACE, {TEAM: 'secret-team', 'stage': ''})
    gateway.login()
    t.ok(gateway.nginx.wait_log(
        f'label "{TEAM}" of the namespace has another value', since=mark),
        'another one')
    t.unlike(gateway.nginx.error_log(mark), 'secret-team',
             'the value is not told')


@t.story
def the_namespace_is_read_once_for_a_login_that_needs_it(api, gateway):
    t.is_((gateway.login(), gateway.counts()), (OK, (1, 1)), 'a login')
    record = [one for one in api.records() if one['kind'] == 'namespace'][0]
    t.is_((record['method'], record['path'], record['user']),
          ('GET', PATH, REVIEWER), 'what is asked for, and by whom')
    t.is_(record['length'], 0, 'without a body')


@t.story
def nothing_is_read_for_whom_the_other_bounds_refuse(cluster, gateway):
    t.is_(gateway.login('pods-only'), (403, 'pod_not_bound'),
          'a pod that is not bound')
    t.is_(gateway.login(token=cluster.issue()[:-12] + 'AAAAAAAAAAAA'),
          (401, 'token_rejected'), 'a forged token')
    t.is_(gateway.counts(), (2, 0), 'two reviews, nothing else')
    t.is_(gateway.login('pods-only', pod='web-1'), OK, 'a pod that is bound')


@t.story
def an_exchange_demands_them_as_well(cluster, api, gateway):
    def get():
        """Return the status of an exchange."""
        return client.get(gateway.nginx.port, '/file', {
            'Authorization': f'Bearer {cluster.issue()}'}).status

    t.is_(get(), 200, 'with its labels')
    api.namespace(NAMESPACE, {})
    t.is_(get(), 403, 'without')


# Who asks

@t.story
def rancher_is_asked_for_the_namespace_of_its_cluster(api, gateway):
    t.is_(gateway.login('rancher'), OK, 'a login')
    t.ok(f'/k8s/clusters/c-m-x7k2{PATH}'
         in [record['path'] for record in api.records()], 'the path')


@t.story
def a_pod_that_reviews_itself_reads_its_namespace_itself(api, cluster):
    gateway = Gateway(cluster, valid='1h')
    me = f'system:serviceaccount:{NAMESPACE}:trusted'
    t.is_(gateway.login('self', 'trusted-pod'), (502, 'reviewer_forbidden'),
          'a pod that may not')
    api.read_namespaces(me)
    t.is_(gateway.login('self', 'trusted-pod'), OK, 'one that may')
    t.is_([record['user'] for record in api.records()
           if record['kind'] == 'namespace'], [me, me], 'by its own token')
    api.read_namespaces(me, False)
    t.is_(gateway.login('self', 'trusted-pod'), (502, 'reviewer_forbidden'),
          'another token does not learn from what that one could read')


@t.story
def a_reviewer_without_the_right_is_an_outage_that_is_named(api, gateway):
    mark = gateway.nginx.mark()
    api.read_namespaces(REVIEWER, False)
    t.is_(gateway.login(), (502, 'reviewer_forbidden'), 'a login')
    t.ok(gateway.nginx.wait_log(
        r'\[error\].*the right to get namespaces is missing: namespaces '
        f'"{NAMESPACE}" is forbidden: User "{REVIEWER}" cannot get resource',
        since=mark), 'the log names the right')
    api.read_namespaces(REVIEWER)
    t.is_(gateway.login(), OK, 'granted')


# What the API server may answer

@t.story
def an_outage_is_an_outage_and_is_not_kept(cluster, api):
    gateway = Gateway(cluster, valid='1h', refused='1h',
                      more='akl_k8s_review_timeout 900ms connect=900ms;')
    error, away = (502, 'api_error'), (503, 'api_unreachable')
    for number, (preset, members, expected) in enumerate((
            ('error_500', {}, error), ('error_503', {}, error),
            ('unauthorized', {}, (502, 'reviewer_unauthorized')),
            ('throttled_bare', {}, (503, 'api_throttled')),
            ('html_200', {}, (502, 'api_not_found')),
            ('html_404', {}, (502, 'api_not_found')),
            ('redirect', {}, error), ('truncated', {'truncate': 100}, error),
            ('empty_body', {}, error), ('json_array', {}, error),
            ('json_trailing', {}, error), ('not_http', {}, error),
            ('oversized', {'size': 640 * 1024 + 1}, error),
            ('declares_1gb', {}, error), ('gzip', {}, error),
            ('stall_before', {}, (504, 'api_timeout')),
            ('stall_body', {}, (504, 'api_timeout')),
            ('reset_before', {}, away), ('close_before', {}, away),
            (None, {'replace': [['"Namespace"', '"Pod"']]}, error),
            (None, {'replace': [[f'"{NAMESPACE}"', '"other"']]}, error),
            (None, {'replace': [['"payments"', '1']]}, error),
            (None, {'replace': [['"payments"', '["payments"]']]}, error),
            (None, {'replace': [['"labels":{', '"labels":[],"x":{']]}, error),
            (None, {'replace': [['"stage":""', '"stage":"","stage":""']]},
             error),
            (None, {'status': 404, 'body': '{"kind":"Status"}'},
             (502, 'api_not_found')),
            (None, {'status': 404, 'body': '{"reason":"NotFound","details":'
                    '{"name":"other","kind":"namespaces"}}'},
             (502, 'api_not_found')))):
        pod = f'web-{number}'
        api.fault(preset, kind='namespace', **members)
        t.is_(gateway.login(pod=pod), expected, f'{preset or members}')
        api.clear()
        api.release()
    t.is_(gateway.login(pod='web-39'), OK, 'none of it is kept')


@t.story
def answers_that_are_merely_unusual_will_do(api, gateway):
    for preset, members in (
            ('chunked', {}), ('drip', {}), ('close_after', {}),
            ('continue_100', {}), ('close_reused', {}),
            ('oversized', {'size': 640 * 1024}),
            (None, {'replace': [['"stage":""', '"stage":"","x":null']]})):
        api.fault(preset, kind='namespace', **members)
        t.is_(gateway.login(), OK, f'{preset or members}')
        api.clear()


@t.story
def a_label_that_is_null_is_none(api, gateway):
    for name, pair in (
            ('a label', ['"stage":""', '"stage":null']),
            ('all of them', ['"labels":{', '"labels":null,"x":{'])):
        api.fault(None, kind='namespace', replace=[pair])
        t.is_(gateway.login(), REFUSED, name)
        api.clear()


@t.story
def a_server_that_has_not_read_its_roles_is_asked_again(api, gateway):
    api.fault('roles_unread', kind='namespace', count=1)
    t.is_(gateway.login(), OK, 'a login')
    t.is_(gateway.counts(), (1, 2), 'the namespace is read twice')


@t.story
def a_namespace_that_goes_while_a_pod_logs_in_is_not_bound(cluster, gateway):
    api = cluster.api
    api.fault('hold', kind='namespace')
    login = client.Background(gateway.login)
    t.ok(wait_for(lambda: gateway.counts() == (1, 1)),
         'the pod is proven, its namespace is asked for')
    token = cluster.issue()
    api.delete('namespace', None, NAMESPACE)
    gateway.let_go()
    t.is_(login.result(), REFUSED, 'and gone')
    t.is_(gateway.login(token=token), (401, 'token_revoked'),
          'with it go its pods')


# What is shared, and kept for how long

@t.story
def one_read_serves_all_who_wait_for_it(api, cluster):
    for workers in (1, 2):
        gateway = Gateway(cluster, valid='1h', workers=workers)
        api.reset_stats()
        api.fault('hold', kind='namespace')
        logins = gateway.crowd(30)
        t.ok(wait_for(lambda: gateway.counts() == (30, 1)),
             f'{workers} workers: all are reviewed, one read',
             gateway.counts())
        t.is_(gateway.figures()['reviews_in_flight'], 30,
              'all are in flight until it ends')
        gateway.let_go()
        t.is_([login.result() for login in logins], [OK] * 30, 'all logins')
        t.is_(gateway.counts(), (30, 1), 'there was no other read')
        t.is_((gateway.login(pod='web-39'), gateway.counts()),
              (OK, (31, 1)), 'it serves those who come later')
        t.is_(gateway.figures()['reviews_in_flight'], 0, 'nothing is left')
        gateway.nginx.stop()


@t.story
def a_crowd_hears_of_an_outage_by_one_read(api, cluster):
    gateway = Gateway(cluster, valid='1h')
    api.read_namespaces(REVIEWER, False)
    api.fault('hold', kind='namespace')
    logins = gateway.crowd(10)
    t.ok(wait_for(lambda: gateway.counts() == (10, 1)), 'one read')
    gateway.let_go()
    t.is_([login.result() for login in logins],
          [(502, 'reviewer_forbidden')] * 10, 'all logins')


@t.story
def labels_are_read_within_the_limit_of_reviews(api, cluster):
    for valid in ('0', '1h'):
        gateway = Gateway(cluster, valid=valid,
                          more='akl_k8s_max_reviews 2 queue=100;')
        api.reset_stats()
        t.is_([login.result() for login in gateway.crowd(30)], [OK] * 30,
              f'cache_valid {valid}: all logins')
        t.ok(api.stats()['max_in_flight'] <= 2, 'two calls at most',
             api.stats()['max_in_flight'])
        t.is_(gateway.counts()[0], 30, 'the reviews')
        t.is_((gateway.figures()['reviews_in_flight'],
               gateway.figures()['reviews_queued']), (0, 0),
              'nothing is left')
        gateway.nginx.stop()


@t.story
def one_review_at_a_time_is_enough(cluster):
    gateway = Gateway(cluster, more='akl_k8s_max_reviews 1 queue=100;')
    t.is_([login.result() for login in gateway.crowd(20)], [OK] * 20,
          'all logins')


@t.story
def who_waits_for_anothers_read_has_his_own_time_for_it(api, cluster):
    gateway = Gateway(cluster,
                      more='akl_k8s_review_timeout 3s connect=3s;')
    api.fault('hold', kind='review', count=1)
    early = client.Background(gateway.login, pod='web-1')
    t.ok(wait_for(lambda: gateway.counts() == (1, 0)), 'one is reviewed')
    api.fault(None, kind='namespace', delay=120000)
    begun = time.monotonic()
    wait_for(lambda: time.monotonic() > begun + 1)
    late = client.Background(gateway.login, pod='web-2')
    t.ok(wait_for(lambda: gateway.counts() == (2, 1)),
         'another one reads the namespace')
    api.release()
    t.is_(early.result(), (504, 'api_timeout'), 'the first one gives up')
    t.ok(gateway.nginx.wait_log('waited too long for the labels'),
         'since its time is over')
    t.is_(late.result(), (504, 'api_timeout'), 'then the other one')
    t.is_(gateway.counts(), (2, 1), 'there was no other read')
    api.clear()
    t.is_(gateway.login(), OK, 'and so do others')
    t.is_(gateway.figures()['reviews_in_flight'], 0, 'nothing is left')


@t.story
def no_login_is_decided_by_a_label_older_than_the_documented_time(
        api, cluster):
    gateway = Gateway(cluster, valid=f'{VALID}s')
    held = []

    def log_in(token):
        """Log in; return when that began, and how it ended."""
        begun = time.monotonic()
        return begun, gateway.login(token=token)

    t.is_(log_in(cluster.issue())[1], OK, 'with the label')
    api.namespace(NAMESPACE, {})
    removed = time.monotonic()
    seen = []
    for number in range(40):
        held.append(cluster.issue(pod=f'web-{number}'))
        seen += [log_in(token) for token in (held[-1], *held[-4:-1])]
        if seen[-1][0] > removed + 2 * VALID + 1:
            break
        pause = time.monotonic()
        wait_for(lambda now=pause: time.monotonic() > now + VALID / 10)
    t.ok(seen[-1][0] > removed + VALID, 'logins go on long enough')
    t.is_([how for begun, how in seen
           if begun > removed + VALID and how != REFUSED], [],
          'all that begin later are refused, also of tokens with a verdict')
    t.is_(log_in(cluster.issue())[1], REFUSED, 'so is the last one')


@t.story
def a_refusal_stands_no_longer_than_a_refusal(api, cluster):
    gateway = Gateway(cluster, valid='1h', refused='1s')
    api.namespace(NAMESPACE, {})
    t.is_(gateway.login(), REFUSED, 'without the label')
    api.namespace(NAMESPACE, LABELS)
    t.ok(wait_for(lambda: gateway.login() == OK), 'with it, after a while')


@t.story
def another_selector_finds_no_verdict_of_the_former(api, cluster):
    gateway = Gateway(cluster, valid='1h')
    token = cluster.issue()
    t.is_(gateway.login(token=token), OK, 'by one selector')
    gateway.nginx.configure(gateway.values(f'{TEAM}=billing stage='))
    t.ok(gateway.nginx.reload(wait_old=True), 'a reload')
    t.is_(gateway.login(token=token), REFUSED, 'by another')
    t.is_(gateway.counts(), (2, 2), 'after another review and read')


# Around it

@t.story
def reads_are_counted_by_what_was_answered(api, cluster):
    gateway = Gateway(cluster)
    gateway.login()
    gateway.login()
    api.read_namespaces(REVIEWER, False)
    gateway.login()
    api.fault('reset_before', kind='namespace')
    gateway.login()
    api.clear()
    t.is_(gateway.figures()['namespace_reads_total'],
          {'200': 2, '403': 1, 'none': 1}, 'the reads')
    t.is_(gateway.figures()['reviews_total'], {'201': 4}, 'the reviews')
    t.ok(f'nginx_akl_k8s_namespace_reads_total{{config="{CONFIG}",'
         'code="200"} 2\n' in client.get(
             gateway.nginx.port, '/status?format=prometheus').text,
         'for Prometheus')


@t.story
def the_debug_log_tells_of_the_read(cluster):
    if not nginxes.has('--with-debug'):
        t.skip('this nginx is built without --with-debug')
        return
    gateway = Gateway(cluster, level='debug')
    gateway.login()
    t.like(gateway.nginx.error_log(), r'(?s)akl_k8s review (\w{8}): asked'
           r'.*review \1: reading.*review (\w{8}) of a namespace: created'
           r'.*review \2 of a namespace: asked'
           r'.*review \2 of a namespace: done.*review \1: done',
           'the states')


@t.story
def a_worker_that_is_told_to_quit_reads_to_the_end(api, cluster):
    gateway = Gateway(cluster)
    api.fault('hold', kind='namespace')
    login = client.Background(gateway.login)
    t.ok(wait_for(lambda: gateway.counts() == (1, 1)), 'a read')
    t.ok(gateway.nginx.reload(), 'a reload')
    gateway.let_go()
    t.is_(login.result(), OK, 'the login')


@t.story
def a_worker_that_has_to_stop_leaves_nothing(api, cluster):
    gateway = Gateway(cluster, valid='1h')
    api.fault('hold', kind='namespace')
    logins = gateway.crowd(3)
    t.ok(wait_for(lambda: gateway.counts() == (3, 1)), 'reads')
    gateway.nginx.stop()
    for login in logins:
        try:
            login.result()
        except (OSError, ValueError):
            pass
    gateway.let_go()
    t.ok(wait_for(lambda: api.stats()['in_flight'] == 0), 'nothing is asked')


t.tell()
