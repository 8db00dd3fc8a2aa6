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

t = Test(need_module=True)
cluster = t.cluster()
other = t.cluster()
api = cluster.api

CONFIGS = {
    'short': {'akl_k8s_review_timeout': f'{LIMIT}s connect=1s'},
    'patient': {'akl_k8s_review_timeout': '60s connect=100ms'},
    'silent': {'k8s_host': f'https://127.0.0.2:{cluster.port}',
               'akl_k8s_review_timeout': f'{LIMIT}s connect=1s'},
    'brief': {'k8s_host': f'https://127.0.0.2:{cluster.port}',
              'akl_k8s_review_timeout': '500ms connect=60s'},
    'next': {'k8s_host': f'https://127.0.0.2:{cluster.port} {cluster.url}',
             'akl_k8s_review_timeout': '60s connect=100ms'}}

nginx = t.nginx('''
    akl_k8s_cache_valid 0 refused=0;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /status { akl_k8s_status; }
    }
''', method=cluster.method(), configs=''.join(
    cluster.config(name=name, **members)
    for name, members in CONFIGS.items()))

TIMEOUT = (504, 'api_timeout')
AWAY = (503, 'api_unreachable')
OK = (200, None)
begun = 0


def login(config):
    """Log in; return status and reason."""
    answer = client.post(nginx.port, '/v2/auth',
                         cluster.login(cluster.issue(), config))
    return answer.status, answer.json().get('reason')


def begin(config, reached):
    """Begin a login, and wait until it has come to a point.

    A slow machine may use up the login's time before: then once more.
    """
    for _ in range(50):
        call = client.Background(login, config)
        if wait_for(lambda: reached() or call.done()) and reached():
            return call
    raise RuntimeError('no login comes so far')


def asked():
    """Say whether the API server holds a review."""
    return api.stats()['in_flight'] == 1


def connecting():
    """Say whether the worker has begun a connection since fresh()."""
    return client.get(nginx.port, '/status').json()['worker']['connections'] \
        > begun


def fresh():
    """Leave no connection to the API server, and count from here."""
    global begun
    api.drop()
    wait_for(lambda: api.stats()['open'] == 0)
    api.reset_stats()
    begun = client.get(nginx.port, '/status').json()['worker']['connections']


def connected():
    """Say whether a connection to the API server was made since fresh()."""
    return api.stats()['connections']


def throttled():
    """Say whether the API server has answered 429."""
    return api.stats()['statuses'].get('429')


# During the review

for kind in ('new', 'kept'):
    if kind == 'new':
        fresh()
    else:
        wait_for(lambda: login('short') == OK)
    api.fault('hold')
    call = begin('short', asked)
    with nginx.frozen():
        time.sleep(STOP)
    t.is_(call.result(), TIMEOUT, f'{kind} connection: no answer while the worker stood')
    api.clear()

    api.fault('hold')
    call = begin('short', asked)
    with nginx.frozen():
        api.clear()
        wait_for(lambda: not asked())
        time.sleep(STOP)
    t.is_(call.result(), OK,
          f'{kind} connection: an answer that came meanwhile is taken')

# During the TLS handshake: it has the review's whole time

fresh()
api.handshake('hold')
mark = nginx.mark()
call = begin('short', connected)
with nginx.frozen():
    time.sleep(STOP)
t.is_(call.result(), TIMEOUT, 'the worker stood amid a TLS handshake')
t.ok(nginx.grep('api_timeout: .*TLS handshake timed out', mark),
     'the log says so')
api.clear()
fresh()
api.handshake('hold')
t.is_(login('short'), TIMEOUT, 'a TLS handshake that does not end')
api.clear()

fresh()
api.handshake('hold')
call = begin('patient', connected)
time.sleep(1)
t.ok(not call.done(), 'a TLS handshake may take longer than a connect')
api.clear()
t.is_(call.result(), OK, 'and the login goes on')

fresh()
api.handshake('hold')
call = begin('patient', connected)
with nginx.frozen():
    time.sleep(1)
    api.clear()
t.is_(call.result(), OK, 'a connect is not missed while the worker stood')

# During the connect

silent = Silent('127.0.0.2', cluster.port)
fresh()
mark = nginx.mark()
call = begin('silent', connecting)
with nginx.frozen():
    time.sleep(STOP)
t.is_(call.result(), AWAY, 'the worker stood amid a connect')
t.is_(login('silent'), AWAY, 'a connect that does not end')
t.is_(len(nginx.grep('api_unreachable: .*connect timed out', mark)), 2,
      'the log says so')
t.is_(login('brief'), AWAY, 'a deadline that ends before the connect does')
fresh()
t.is_(login('next'), OK, 'the next host is asked when the first is silent')
silent.close()

# 429: the time for a repetition was slept away

fresh()
api.fault('throttled')
call = begin('short', throttled)
with nginx.frozen():
    time.sleep(STOP)
t.is_(call.result(), (503, 'api_throttled'),
      'the worker stood before a repetition: the answer is what is told')
api.clear()

t.done_testing()
