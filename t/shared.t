#!/usr/bin/python3
"""What workers share: whose word counts, and what a dead one leaves."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import tokens  # noqa: E402
from akltest import CONFIG, Test, client, wait_for  # noqa: E402

QUOTED = 'a"b\\c'

t = Test(need_module=True)
cluster = t.cluster()
api = cluster.api
nginx = t.nginx('''
    akl_k8s_cache_valid 300s refused=60s;
    akl_k8s_review_timeout 60s connect=30s;
    akl_k8s_max_reviews 2;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /revoke { akl_k8s_revoke; }
        location = /status { akl_k8s_status; }
    }
''', workers=2, method=cluster.method(), configs=cluster.config(kind='P-256')
    + cluster.config(name="'a\\\"b\\\\c'", kind='P-256'))


def login(token, config=CONFIG):
    """Log in; return the answer."""
    return client.post(nginx.port, '/v2/auth', cluster.login(token, config))


def page():
    """Return the status page as JSON."""
    return client.get(nginx.port, '/status').json()


def state(pid):
    """Return a process's state."""
    with open(f'/proc/{pid}/stat', encoding='ascii') as file:
        return file.read().rpartition(')')[2].split()[0]


def only(pid):
    """Let one worker alone run."""
    for other in nginx.workers():
        os.kill(other, signal.SIGCONT if other == pid else signal.SIGSTOP)
    wait_for(lambda: all((state(other) == 'T') != (other == pid)
                         for other in nginx.workers()))


def gauges(config=CONFIG):
    """Return the gauges of a config."""
    figures = page()['configs'][config]
    return figures['reviews_in_flight'], figures['reviews_queued']


# A token that is revoked between another worker's verdict and a look at it

one, two = nginx.workers()
token = cluster.issue()
api.fault('hold')
only(one)
first = client.Background(login, token)
t.ok(wait_for(lambda: gauges() == (1, 0)), 'one worker asks')
only(two)
second = client.Background(login, token)
t.ok(wait_for(lambda: page()['zone']['flights'] == 1 and client.get(
    nginx.port, '/status').status == 200), 'the other one waits for it')
only(one)
api.clear()
api.release()
minted = first.result().json()['token']
client.post(nginx.port, '/revoke',
            {'jti': tokens.decode(minted)[1]['jti']},
            {'Content-Type': 'application/json'})
only(two)
answer = second.result()
t.is_(answer.status, 200, 'it answers as well')
t.ok(answer.json()['token'] != minted,
     'not with the token that was revoked meanwhile')
t.is_(api.stats()['review'], 1, 'by the same review')
for pid in (one, two):
    os.kill(pid, signal.SIGCONT)

# Gauges do not keep what a killed worker had

api.fault('hold')
held = [client.Background(login, cluster.issue()) for _ in range(12)]
t.ok(wait_for(lambda: sum(gauges()) == 12), 'reviews are under way',
     gauges())
for pid in nginx.workers():
    nginx.kill_worker(pid)
t.is_(gauges(), (0, 0), 'none is left when the workers are killed')
for one in held:
    try:
        one.result()
    except (OSError, ValueError):
        pass
api.clear()
api.release()
t.is_(login(cluster.issue()).status, 200, 'logins go on')
t.is_(gauges(), (0, 0), 'and are counted')
nginx.expect('exited on signal 9')

# A name with quotes, in both formats and over a reload

before = login(cluster.issue(), QUOTED)
t.is_(before.status, 200, 'a config with quotes in its name')
t.ok(nginx.reload(wait_old=True), 'a reload')
t.is_(page()['configs'][QUOTED]['logins_total'], {'ok': 1}, 'in JSON')
t.ok('nginx_akl_k8s_logins_total{config="a\\"b\\\\c",reason="ok"} 1\n'
     in client.get(nginx.port, '/status?format=prometheus').text,
     'and for Prometheus')

# A reload that takes the memory away

body = cluster.login(cluster.issue())


def twice():
    """Log in by the same request again and again; count reviews."""
    began = api.stats()['review']
    seen = {client.post(nginx.port, '/v2/auth', body).status
            for _ in range(4)}
    return seen, api.stats()['review'] - began


t.is_(twice(), ({200}, 1), 'a verdict that is kept')
t.is_(twice(), ({200}, 0), 'and found by the request')
nginx.configure(http=nginx.settings['http'].replace(
    'cache_valid 300s', 'cache_valid 0'))
t.ok(nginx.reload(wait_old=True), 'a reload to akl_k8s_cache_valid 0')
t.is_(twice(), ({200}, 4), 'each login is reviewed')
nginx.configure(http=nginx.settings['http'].replace(
    'cache_valid 0', 'cache_valid 10s'))
t.ok(nginx.reload(wait_old=True), 'a reload to a shorter time')
t.is_(twice(), ({200}, 1), 'what was kept for longer does not count')

t.done_testing()
