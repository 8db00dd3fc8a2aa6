#!/usr/bin/python3
"""Storms over the API server: gone, stopped, slow, another, talking nonsense.

While it cannot be asked, a login is an outage with its reason; it is never
refused, and never let in but by a verdict that is kept.
"""

import os
import random
import re
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from storms import BRISK, Storm, Test, wait_for  # noqa: E402
import apiserver  # noqa: E402
import certs  # noqa: E402
import dns  # noqa: E402
import procs  # noqa: E402
from akltest import NAMESPACE  # noqa: E402
from apiserver import REVIEWER  # noqa: E402
from faults import PRESETS  # noqa: E402

GONE = 'api_unreachable', 'api_timeout', 'overloaded'
UNUSABLE = ('api_error', 'api_throttled', 'api_not_found', 'api_tls',
            'reviewer_unauthorized', 'reviewer_forbidden', *GONE)
# what is an answer, if another one; t/answers.t holds what each of them means
MEANT = re.compile('audiences_|null_|name_|no_group|error_and_authenticated|'
                   'hold')

t = Test(need_module=True)


class Machine:
    """An API server that is killed, and comes back as it was."""

    def __init__(self, storm):
        self.storm = storm
        self.cluster = storm.cluster
        self.uids = storm.pods.uids
        self.address = '127.0.0.1', self.cluster.port

    def kill(self, sig=signal.SIGKILL):
        """End it; what the kernel does to its connections follows."""
        process = self.cluster.api.process
        procs.end(process, sig)
        # it did as it was told
        process.returncode = 0

    def start(self):
        """Start another one at its address, with the same objects."""
        api = apiserver.ApiServer(t.folder(), key_kind='P-256')
        for name, uid in self.uids.items():
            kind, *parts = name.split('/')
            if kind == 'account' and tuple(parts) != REVIEWER:
                api.account(*parts, uid=uid)
            elif kind == 'pod':
                account = 'builder' if parts[0] == NAMESPACE else 'default'
                api.pod(*parts, account, 'node-1', uid=uid)
            elif kind == 'node':
                api.node(*parts, uid=uid)
        api.account(*REVIEWER, uid=self.uids['/'.join(('account',
                                                       *REVIEWER))])
        api.unlisten()
        api.listen(*self.address)
        self.cluster.api.close()
        self.cluster.api = api
        api.remember()


@t.story
def the_api_server_is_killed_and_started_again():
    storm = Storm(t).begin()
    machine = Machine(storm)
    for sig in signal.SIGKILL, signal.SIGTERM, signal.SIGKILL:
        storm.load.outage(*GONE)
        machine.kill(sig)
        storm.faults += 1
        storm.go_on(150)
        machine.start()
        storm.recover()
    storm.end('API server killed, and started again')


@t.story
def the_api_server_is_stopped_and_goes_on():
    storm = Storm(t, timeout=BRISK).begin()
    process = storm.cluster.api.process
    for _ in range(3):
        storm.load.outage(*GONE)
        process.send_signal(signal.SIGSTOP)
        storm.faults += 1
        storm.go_on(60)
        process.send_signal(signal.SIGCONT)
        storm.recover()
    storm.end('API server stopped by SIGSTOP')


@t.story
def the_api_server_is_slow():
    storm = Storm(t, timeout=BRISK).begin()
    storm.load.outage('overloaded', 'api_timeout')
    for delay in 100, 500, 1000:
        storm.cluster.api.fault('delay', delay=delay)
        storm.faults += 1
        storm.go_on(100)
        storm.cluster.api.clear()
    storm.recover()
    storm.end('API server slowed, to a second')


@t.story
def the_api_servers_port_is_closed():
    storm = Storm(t).begin()
    api = storm.cluster.api
    for _ in range(5):
        storm.load.outage(*GONE)
        api.unlisten()
        api.drop(True)
        storm.faults += 1
        storm.go_on(100)
        api.listen('127.0.0.1', storm.cluster.port)
        storm.recover()
    storm.end('API server\'s port closed')


@t.story
def the_api_servers_certificate_is_swapped():
    storm = Storm(t).begin()
    api = storm.cluster.api
    stranger = certs.Authority('another CA', certs.tokens.key('P-256', 'ca2'))
    wrong = certs.write_pair(t.folder(), 'server', stranger.server())
    right = certs.write_pair(t.folder(), 'server',
                             certs.Authority().server())
    for _ in range(3):
        storm.load.outage('api_tls', *GONE)
        api.certificate(*wrong)
        api.drop()
        storm.faults += 1
        storm.go_on(100)
        api.certificate(*right)
        storm.recover()
    storm.end('API server\'s certificate of a strange CA')


@t.story
def connections_to_the_api_server_are_reset_in_the_middle():
    storm = Storm(t).begin()
    storm.load.outage('api_error', *GONE)
    chance = random.Random(5)
    for _ in range(100):
        storm.cluster.api.fault(chance.choice((
            'reset_before', 'reset_head', 'reset_body', 'close_before',
            'close_head', 'close_body', 'truncated', 'chunked_truncated')),
            count=1)
        if chance.random() < .3:
            storm.cluster.api.drop(True)
        storm.faults += 1
        storm.go_on(3)
    storm.cluster.api.clear()
    storm.recover()
    storm.end('answers reset, closed and cut off in the middle')


@t.story
def answers_are_changed_at_random():
    storm = Storm(t, timeout=BRISK).begin()
    storm.load.outage(*UNUSABLE)
    chance = random.Random(6)
    names = [name for name in sorted(PRESETS) if not MEANT.match(name)]
    for _ in range(200):
        storm.cluster.api.fault(chance.choice(names), count=1, kind='any')
        storm.faults += 1
        storm.go_on(3)
    storm.cluster.api.clear()
    storm.recover()
    storm.end('answers changed at random')


@t.story
def the_resolver_is_mute():
    server = dns.Server({'kubernetes.default.svc': ['127.0.0.1']})
    cluster = t.cluster(key_kind='P-256')
    storm = Storm(
        t, cluster, more=f'resolver 127.0.0.1:{server.port};'
        ' resolver_timeout 1s;', members={
            'k8s_host': f'https://kubernetes.default.svc:{cluster.port}'}
        ).begin()
    for _ in range(2):
        storm.load.outage(*GONE)
        server.mute = True
        asked = sum(server.asked.values())
        storm.faults += 1
        storm.go_on(100)
        t.ok(wait_for(lambda: sum(server.asked.values()) > asked + 4),
             'nginx asks in vain')
        storm.go_on(100)
        server.mute = False
        storm.recover()
    storm.end('resolver mute')
    server.close()


t.tell()
