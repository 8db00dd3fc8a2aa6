#!/usr/bin/python3
"""Nothing blocks the worker; aborts, timeouts, reload and quit hold."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

from akltest import PATIENCE, Test, client, wait_for  # noqa: E402

t = Test(need_module=True)
cluster = t.cluster()
api = cluster.api

HTTP = '''
    @method@
    @config@
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
nginx = t.nginx(HTTP, method=cluster.method(), config=cluster.config())
CONFIG = 'k8s-conf'


def figures(name):
    """Return a figure of the config from the status page."""
    status = client.get(nginx.port, '/status').json()
    return status['configs'][CONFIG][name]


def bodies(count):
    """Return so many logins with distinct tokens, as requests."""
    return [client.build('POST', '/v2/auth', body=cluster.login(
        cluster.issue(claims={'n': n})), close=False) for n in range(count)]


# 200 logins wait for the API server, others are served meanwhile

requests = bodies(200)
api.fault('hold')
crowd = client.Background(client.crowd, nginx.port, requests,
                          connections=200)
t.ok(wait_for(lambda: figures('reviews_in_flight') == 200),
     '200 reviews are under way')
served = 0
with client.Session(nginx.port) as session:
    for _ in range(2000):
        served += session.request(path='/plain').text == 'plain'
t.is_(served, 2000, 'the same worker serves 2000 requests meanwhile')
t.ok(not crowd.done(), 'while the logins still wait')
t.is_(figures('reviews_in_flight'), 200, 'all of them')
api.clear()
api.release()
answers = crowd.result()
t.is_([a.status for a in answers if not isinstance(a, Exception)],
      [200] * 200, 'then all 200 are answered')
t.is_(figures('reviews_in_flight'), 0, 'and none is left')

# A delay of two seconds, in real time

api.fault('delay', delay=2000)
answers = client.crowd(nginx.port, bodies(200), connections=200)
t.is_(sum(getattr(a, 'status', 0) == 200 for a in answers), 200,
      'a slow API server: all logins are answered')
api.clear()

# A client that leaves ends its login, not the review

api.fault('hold')
api.reset_stats()
token = cluster.issue(claims={'abort': 1})
session = client.Session(nginx.port)
session.send('POST', '/v2/auth', {'Content-Type': 'application/json'},
             cluster.login(token))
t.ok(wait_for(lambda: figures('reviews_in_flight') == 1), 'one is waiting')
mark = nginx.mark()
session.abort()
t.ok(nginx.wait_log('client (prematurely )?closed|reset by peer',
                    since=mark), 'the abort is noticed')
t.is_(figures('reviews_in_flight'), 1, 'the review goes on')
api.clear()
api.release()
t.ok(wait_for(lambda: figures('reviews_in_flight') == 0), 'and ends')
answer = client.post(nginx.port, '/v2/auth', cluster.login(token))
t.is_(answer.status, 200, 'the next login')
t.is_(api.stats()['review'], 1, 'needs no review of its own')

# Waiters of one token share a review

api.fault('hold')
api.reset_stats()
token = cluster.issue(claims={'shared': 1})
data = client.build('POST', '/v2/auth', body=cluster.login(token),
                    close=False)
crowd = client.Background(client.crowd, nginx.port, [data] * 50,
                          connections=50)
t.ok(wait_for(lambda: api.stats()['review'] == 1), 'one review for 50')
api.clear()
api.release()
t.is_([a.status for a in crowd.result()], [200] * 50, 'all are answered')
t.is_(api.stats()['review'], 1, 'by that review')

# Reload and quit with 50 reviews in flight

for how in ('reload', 'quit'):
    requests = bodies(50)
    api.fault('hold')
    crowd = client.Background(client.crowd, nginx.port, requests,
                              connections=50)
    t.ok(wait_for(lambda: figures('reviews_in_flight') == 50),
         f'{how}: 50 are under way')
    if how == 'reload':
        ended = client.Background(lambda: None)
        t.ok(nginx.reload(), 'reload goes on')
    else:
        nginx.send_signal('QUIT')
        t.ok(nginx.wait_log('gracefully shutting down'), 'quit has begun')
    api.clear()
    api.release()
    t.is_([getattr(a, 'status', repr(a)) for a in crowd.result()],
          [200] * 50, f'{how}: all 50 logins are answered')
t.is_(nginx.process.wait(PATIENCE), 0, 'nginx ends')

# SIGTERM with reviews in flight

nginx.start()
requests = bodies(20)
api.fault('hold')
crowd = client.Background(client.crowd, nginx.port, requests, connections=20)
t.ok(wait_for(lambda: figures('reviews_in_flight') == 20), 'SIGTERM amid 20')
t.is_(nginx.stop(), 0, 'ends at once')
crowd.result()
api.clear()
api.release()

# worker_shutdown_timeout ends reviews that would not

nginx.configure(main='worker_shutdown_timeout 1s;')
nginx.start()
requests = bodies(5)
api.fault('hold')
crowd = client.Background(client.crowd, nginx.port, requests, connections=5)
t.ok(wait_for(lambda: figures('reviews_in_flight') == 5), 'five wait')
t.is_(nginx.quit(), 0, 'worker_shutdown_timeout ends them')
crowd.result()
api.clear()
api.release()

# Time limits, and a single process

nginx.configure(main='', master=False, http=HTTP.replace(
    'review_timeout 60s connect=60s', 'review_timeout 300ms'))
nginx.start()
api.fault('stall_before', count=1)
answer = client.post(nginx.port, '/v2/auth', cluster.login(
    cluster.issue(claims={'late': 1})))
t.is_((answer.status, answer.json()['reason']), (504, 'api_timeout'),
      'an answer that does not come')
t.ok(wait_for(lambda: client.post(nginx.port, '/v2/auth', cluster.login(
    cluster.issue(claims={'late': 2}))).status == 200),
     'the next one comes, without a master too')

t.done_testing()
