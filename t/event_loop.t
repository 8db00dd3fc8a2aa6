#!/usr/bin/python3
"""Nothing blocks the worker; aborts, timeouts, reload and quit hold."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

from akltest import PATIENCE, Test, client, wait_for  # noqa: E402

HTTP = '''
    @method@
    @config@
    akl_k8s_cache_valid 1h;
    akl_k8s_max_reviews 256 queue=1024;
    akl_k8s_review_timeout 60s connect=60s;
    keepalive_requests 1000000;
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /plain { return 200 "plain"; }
        location = /status { akl_k8s_status; }
    }
'''
CONFIG = 'k8s-conf'

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx, and crowds that log in to it."""

    def __init__(self, cluster, http=HTTP, **kw):
        self.cluster = cluster
        self.nginx = t.nginx(http, method=cluster.method(),
                             config=cluster.config(), **kw)

    def login(self, token=None):
        """Log in; return the answer."""
        return client.post(self.nginx.port, '/v2/auth', self.cluster.login(
            token or self.cluster.issue()))

    def in_flight(self):
        """Return how many reviews are under way, by the status page."""
        status = client.get(self.nginx.port, '/status').json()
        return status['configs'][CONFIG]['reviews_in_flight']

    def bodies(self, count):
        """Return so many logins with distinct tokens, as requests."""
        return [client.build('POST', '/v2/auth', body=self.cluster.login(
            self.cluster.issue()), close=False) for _ in range(count)]

    def held(self, count):
        """Let so many logins wait for the API server; return them."""
        requests = self.bodies(count)
        self.cluster.api.fault('hold')
        crowd = client.Background(client.crowd, self.nginx.port, requests,
                                  connections=count)
        t.ok(wait_for(lambda: self.in_flight() == count),
             f'{count} reviews are under way')
        return crowd

    def release(self):
        """Let the API server answer."""
        self.cluster.api.clear()
        self.cluster.api.release()


def statuses(crowd):
    """Return what the logins of a crowd were answered."""
    return [getattr(answer, 'status', repr(answer))
            for answer in crowd.result()]


@t.shared
def gateway(cluster):
    """The gateway of the stories that leave it running."""
    return Gateway(cluster)


@t.own
def my_gateway(cluster):
    """A gateway that a story may end."""
    return Gateway(cluster)


@t.story
def a_worker_whose_logins_wait_serves_others(gateway):
    crowd = gateway.held(200)
    served = 0
    with client.Session(gateway.nginx.port) as session:
        for _ in range(2000):
            served += session.request(path='/plain').text == 'plain'
    t.is_(served, 2000, 'the same worker serves 2000 requests meanwhile')
    t.ok(not crowd.done(), 'while the logins still wait')
    t.is_(gateway.in_flight(), 200, 'all of them')
    gateway.release()
    t.is_(statuses(crowd), [200] * 200, 'then all 200 are answered')
    t.is_(gateway.in_flight(), 0, 'and none is left')


@t.story
def a_slow_api_server_costs_nobody_a_login(gateway):
    gateway.cluster.api.fault('delay', delay=2000)
    answers = client.crowd(gateway.nginx.port, gateway.bodies(200),
                           connections=200)
    t.is_(sum(getattr(a, 'status', 0) == 200 for a in answers), 200,
          'the logins that are answered')


@t.story
def a_client_that_leaves_ends_its_login_but_not_the_review(gateway):
    api = gateway.cluster.api
    api.fault('hold')
    token = gateway.cluster.issue()
    session = client.Session(gateway.nginx.port)
    session.send('POST', '/v2/auth', {'Content-Type': 'application/json'},
                 gateway.cluster.login(token))
    t.ok(wait_for(lambda: gateway.in_flight() == 1), 'one is waiting')
    mark = gateway.nginx.mark()
    session.abort()
    t.ok(gateway.nginx.wait_log('client (prematurely )?closed|reset by peer',
                                since=mark), 'the abort is noticed')
    t.is_(gateway.in_flight(), 1, 'the review goes on')
    gateway.release()
    t.ok(wait_for(lambda: gateway.in_flight() == 0), 'and ends')
    t.is_(gateway.login(token).status, 200, 'the next login')
    t.is_(api.stats()['review'], 1, 'needs no review of its own')


@t.story
def fifty_logins_with_one_token_share_a_review(gateway):
    api = gateway.cluster.api
    api.fault('hold')
    data = client.build('POST', '/v2/auth', body=gateway.cluster.login(
        gateway.cluster.issue()), close=False)
    crowd = client.Background(client.crowd, gateway.nginx.port, [data] * 50,
                              connections=50)
    t.ok(wait_for(lambda: api.stats()['review'] == 1), 'one review for 50')
    gateway.release()
    t.is_(statuses(crowd), [200] * 50, 'all are answered')
    t.is_(api.stats()['review'], 1, 'by that review')


@t.story
def a_reload_cuts_no_login_off(my_gateway):
    crowd = my_gateway.held(50)
    t.ok(my_gateway.nginx.reload(), 'the reload goes on')
    my_gateway.release()
    t.is_(statuses(crowd), [200] * 50, 'all 50 logins are answered')


@t.story
def a_worker_that_quits_answers_the_logins_it_has(my_gateway):
    crowd = my_gateway.held(50)
    my_gateway.nginx.send_signal('QUIT')
    t.ok(my_gateway.nginx.wait_log('gracefully shutting down'),
         'quit has begun')
    my_gateway.release()
    t.is_(statuses(crowd), [200] * 50, 'all 50 logins are answered')
    t.is_(my_gateway.nginx.process.wait(PATIENCE), 0, 'nginx ends')


@t.story
def sigterm_does_not_wait_for_reviews(my_gateway):
    crowd = my_gateway.held(20)
    t.is_(my_gateway.nginx.stop(), 0, 'nginx ends at once')
    crowd.result()


@t.story
def worker_shutdown_timeout_ends_reviews_that_would_not(cluster):
    gateway = Gateway(cluster, main='worker_shutdown_timeout 1s;')
    crowd = gateway.held(5)
    t.is_(gateway.nginx.quit(), 0, 'nginx ends')
    crowd.result()


@t.story
def a_single_process_gives_up_a_review_that_takes_too_long(cluster):
    gateway = Gateway(cluster, HTTP.replace(
        'review_timeout 60s connect=60s', 'review_timeout 300ms'),
        master=False)
    cluster.api.fault('stall_before', count=1)
    answer = gateway.login()
    t.is_((answer.status, answer.json()['reason']), (504, 'api_timeout'),
          'an answer that does not come')
    t.ok(wait_for(lambda: gateway.login().status == 200),
         'the next one comes, without a master too')


t.tell()
