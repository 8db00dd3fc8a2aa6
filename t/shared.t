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

HTTP = '''
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
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def api(cluster):
    """The cluster's API server."""
    return cluster.api


class Gateway:
    """Two workers that share a zone."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.nginx = t.nginx(
            HTTP, workers=2, method=cluster.method(),
            configs=cluster.config(kind='P-256')
            + cluster.config(name="'a\\\"b\\\\c'", kind='P-256'))

    def login(self, token, config=CONFIG):
        """Log in; return the answer."""
        return client.post(self.nginx.port, '/v2/auth',
                           self.cluster.login(token, config))

    def page(self):
        """Return the status page as JSON."""
        return client.get(self.nginx.port, '/status').json()

    def only(self, pid):
        """Let one worker alone run."""
        for other in self.nginx.workers():
            os.kill(other, signal.SIGCONT if other == pid else signal.SIGSTOP)
        wait_for(lambda: all((state(other) == 'T') != (other == pid)
                             for other in self.nginx.workers()))

    def gauges(self, config=CONFIG):
        """Return the gauges of a config."""
        figures = self.page()['configs'][config]
        return figures['reviews_in_flight'], figures['reviews_queued']

    def repeat(self, body):
        """Log in by the same request again and again; count reviews."""
        began = self.cluster.api.stats()['review']
        seen = {client.post(self.nginx.port, '/v2/auth', body).status
                for _ in range(4)}
        return seen, self.cluster.api.stats()['review'] - began


@t.own
def gateway(cluster):
    """A gateway that has seen nothing yet."""
    return Gateway(cluster)


def state(pid):
    """Return a process's state."""
    with open(f'/proc/{pid}/stat', encoding='ascii') as file:
        return file.read().rpartition(')')[2].split()[0]


@t.story
def a_token_revoked_after_another_workers_verdict_is_not_given(
        cluster, api, gateway):
    one, two = gateway.nginx.workers()
    token = cluster.issue()
    api.fault('hold')
    gateway.only(one)
    first = client.Background(gateway.login, token)
    t.ok(wait_for(lambda: gateway.gauges() == (1, 0)), 'one worker asks')
    gateway.only(two)
    second = client.Background(gateway.login, token)
    t.ok(wait_for(lambda: gateway.page()['zone']['flights'] == 1 and client.get(
        gateway.nginx.port, '/status').status == 200),
        'the other one waits for it')
    gateway.only(one)
    api.clear()
    api.release()
    minted = first.result().json()['token']
    client.post(gateway.nginx.port, '/revoke',
                {'jti': tokens.decode(minted)[1]['jti']},
                {'Content-Type': 'application/json'})
    gateway.only(two)
    answer = second.result()
    t.is_(answer.status, 200, 'it answers as well')
    t.ok(answer.json()['token'] != minted,
         'not with the token that was revoked meanwhile')
    t.is_(api.stats()['review'], 1, 'by the same review')
    for pid in (one, two):
        os.kill(pid, signal.SIGCONT)


@t.story
def gauges_do_not_keep_what_a_killed_worker_had(cluster, api, gateway):
    api.fault('hold')
    held = [client.Background(gateway.login,
                              cluster.issue()) for _ in range(12)]
    t.ok(wait_for(lambda: sum(gateway.gauges()) == 12),
         'reviews are under way',
         gateway.gauges())
    for pid in gateway.nginx.workers():
        gateway.nginx.kill_worker(pid)
    t.is_(gateway.gauges(), (0, 0), 'none is left when the workers are killed')
    for one in held:
        try:
            one.result()
        except (OSError, ValueError):
            pass
    api.clear()
    api.release()
    t.is_(gateway.login(cluster.issue()).status, 200, 'logins go on')
    t.is_(gateway.gauges(), (0, 0), 'and are counted')
    gateway.nginx.expect('exited on signal 9')


@t.story
def a_name_with_quotes_is_told_in_both_formats(cluster, gateway):
    before = gateway.login(cluster.issue(), QUOTED)
    t.is_(before.status, 200, 'a config with quotes in its name')
    t.ok(gateway.nginx.reload(wait_old=True), 'a reload')
    t.is_(gateway.page()['configs'][QUOTED]['logins_total'], {'ok': 1},
          'in JSON')
    t.ok('nginx_akl_k8s_logins_total{config="a\\"b\\\\c",reason="ok"} 1\n'
         in client.get(gateway.nginx.port, '/status?format=prometheus').text,
         'and for Prometheus')


@t.story
def a_reload_may_take_the_memory_away(cluster, gateway):
    body = cluster.login(cluster.issue())
    t.is_(gateway.repeat(body), ({200}, 1), 'a verdict that is kept')
    t.is_(gateway.repeat(body), ({200}, 0), 'and found by the request')
    gateway.nginx.configure(http=gateway.nginx.settings['http'].replace(
        'cache_valid 300s', 'cache_valid 0'))
    t.ok(gateway.nginx.reload(wait_old=True),
         'a reload to akl_k8s_cache_valid 0')
    t.is_(gateway.repeat(body), ({200}, 4), 'each login is reviewed')
    gateway.nginx.configure(http=gateway.nginx.settings['http'].replace(
        'cache_valid 0', 'cache_valid 200s'))
    t.ok(gateway.nginx.reload(wait_old=True), 'a reload to a shorter time')
    t.is_(gateway.repeat(body), ({200}, 1),
          'what was kept for longer does not count')


t.tell()
