#!/usr/bin/python3
"""What a review's time limits are called, also when the worker stood still.

A worker that gets no time on a busy machine finds its timers run out and its
sockets ready at once.  What the sockets say comes first.
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

from akltest import Test, client, wait_for  # noqa: E402
from gates import Silent  # noqa: E402

LIMIT = 3               # s a review may take
STOP = LIMIT + 1        # s that the worker stands still

TIMEOUT = (504, 'api_timeout')
AWAY = (503, 'api_unreachable')
OK = (200, None)
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
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx with several time limits."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.api = cluster.api
        self.begun = 0
        silent = f'https://127.0.0.2:{cluster.port}'
        configs = {
            'short': {'akl_k8s_review_timeout': f'{LIMIT}s connect=1s'},
            'patient': {'akl_k8s_review_timeout': '60s connect=100ms'},
            'silent': {'k8s_host': silent,
                       'akl_k8s_review_timeout': f'{LIMIT}s connect=1s'},
            'brief': {'k8s_host': silent,
                      'akl_k8s_review_timeout': '500ms connect=60s'},
            'next': {'k8s_host': f'{silent} {cluster.url}',
                     'akl_k8s_review_timeout': '60s connect=100ms'}}
        self.nginx = t.nginx(HTTP, method=cluster.method(), configs=''.join(
            cluster.config(name=name, **members)
            for name, members in configs.items()))

    def login(self, config):
        """Log in; return status and reason."""
        answer = client.post(self.nginx.port, '/v2/auth',
                             self.cluster.login(self.cluster.issue(), config))
        return answer.status, answer.json().get('reason')

    def begin(self, config, reached):
        """Begin a login, and wait until it has come to a point.

        A slow machine may use up the login's time before: then once more.
        """
        for _ in range(50):
            call = client.Background(self.login, config)
            if wait_for(lambda: reached() or call.done()) and reached():
                return call
        raise RuntimeError('no login comes so far')

    def asked(self):
        """Say whether the API server holds a review."""
        return self.api.stats()['in_flight'] == 1

    def connecting(self):
        """Say whether the worker has begun a connection since fresh()."""
        return client.get(self.nginx.port, '/status').json()['worker'][
            'connections'] > self.begun

    def fresh(self):
        """Leave no connection to the API server, and count from here."""
        self.api.drop()
        wait_for(lambda: self.api.stats()['open'] == 0)
        self.api.reset_stats()
        self.begun = client.get(self.nginx.port,
                                '/status').json()['worker']['connections']

    def connected(self):
        """Say whether a connection to the API server was made since fresh()."""
        return self.api.stats()['connections']

    def throttled(self):
        """Say whether the API server has answered 429."""
        return self.api.stats()['statuses'].get('429')


@t.own
def gateway(cluster):
    """A gateway that has seen nothing yet."""
    return Gateway(cluster)


# During the review

def stand_still(gateway):
    """Let the worker stand still during a review, without answer and with."""
    gateway.api.fault('hold')
    call = gateway.begin('short', gateway.asked)
    with gateway.nginx.frozen():
        time.sleep(STOP)
    t.is_(call.result(), TIMEOUT, 'no answer while the worker stood')
    gateway.api.clear()

    gateway.api.fault('hold')
    call = gateway.begin('short', gateway.asked)
    with gateway.nginx.frozen():
        gateway.api.clear()
        wait_for(lambda: not gateway.asked())
        time.sleep(STOP)
    t.is_(call.result(), OK,
          'an answer that came meanwhile is taken')


@t.story
def what_came_while_the_worker_stood_counts_on_a_new_connection(gateway):
    gateway.fresh()
    stand_still(gateway)


@t.story
def what_came_while_the_worker_stood_counts_on_a_kept_connection(gateway):
    wait_for(lambda: gateway.login('short') == OK)
    stand_still(gateway)


# During the TLS handshake, which has the review's whole time

@t.story
def a_tls_handshake_that_does_not_end_is_a_timeout(gateway):
    gateway.fresh()
    gateway.api.handshake('hold')
    mark = gateway.nginx.mark()
    call = gateway.begin('short', gateway.connected)
    with gateway.nginx.frozen():
        time.sleep(STOP)
    t.is_(call.result(), TIMEOUT, 'the worker stood amid a TLS handshake')
    t.ok(gateway.nginx.grep('api_timeout: .*TLS handshake timed out', mark),
         'the log says so')
    gateway.api.clear()
    gateway.fresh()
    gateway.api.handshake('hold')
    t.is_(gateway.login('short'), TIMEOUT, 'a TLS handshake that does not end')
    gateway.api.clear()


@t.story
def a_tls_handshake_may_take_longer_than_a_connect(gateway):
    gateway.fresh()
    gateway.api.handshake('hold')
    call = gateway.begin('patient', gateway.connected)
    time.sleep(1)
    t.ok(not call.done(), 'a TLS handshake may take longer than a connect')
    gateway.api.clear()
    t.is_(call.result(), OK, 'and the login goes on')


@t.story
def a_connect_is_not_missed_while_the_worker_stood(gateway):
    gateway.fresh()
    gateway.api.handshake('hold')
    call = gateway.begin('patient', gateway.connected)
    with gateway.nginx.frozen():
        time.sleep(1)
        gateway.api.clear()
    t.is_(call.result(), OK, 'a connect is not missed while the worker stood')


# During the connect

@t.story
def a_connect_that_does_not_end_is_an_outage(cluster, gateway):
    silent = Silent('127.0.0.2', cluster.port)
    gateway.fresh()
    mark = gateway.nginx.mark()
    call = gateway.begin('silent', gateway.connecting)
    with gateway.nginx.frozen():
        time.sleep(STOP)
    t.is_(call.result(), AWAY, 'the worker stood amid a connect')
    t.is_(gateway.login('silent'), AWAY, 'a connect that does not end')
    t.is_(len(gateway.nginx.grep('api_unreachable: .*connect timed out',
                                 mark)), 2,
          'the log says so')
    t.is_(gateway.login('brief'), AWAY,
          'a deadline that ends before the connect does')
    silent.close()


@t.story
def the_next_host_is_asked_when_the_first_is_silent(cluster, gateway):
    silent = Silent('127.0.0.2', cluster.port)
    gateway.fresh()
    t.is_(gateway.login('next'), OK,
          'the next host is asked when the first is silent')
    silent.close()


# 429

@t.story
def the_answer_is_told_when_time_for_a_repetition_was_slept_away(gateway):
    gateway.fresh()
    gateway.api.fault('throttled')
    call = gateway.begin('short', gateway.throttled)
    with gateway.nginx.frozen():
        time.sleep(STOP)
    t.is_(call.result(), (503, 'api_throttled'),
          'the worker stood before a repetition: the answer is what is told')
    gateway.api.clear()


t.tell()
