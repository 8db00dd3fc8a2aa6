#!/usr/bin/python3
"""One review among two workers, of which one stands still."""

import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import nginx  # noqa: E402
from akltest import Test, client, wait_for  # noqa: E402

TIMEOUT = 5

t = Test(need_module=True)


class Pair:
    """A gateway of two workers, of which one at a time may run."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.nginx = t.nginx(f'''
            akl_k8s_review_timeout {TIMEOUT}s connect=2s;
            @method@
            @config@
            server {{
                listen 127.0.0.1:@port@;
                location = /v2/auth {{ akl_k8s_auth; }}
            }}
        ''', workers=2, level='debug', method=cluster.method(),
            config=cluster.config())

    def login(self, token):
        """Log in; return status and reason."""
        answer = client.post(self.nginx.port, '/v2/auth',
                             self.cluster.login(token))
        return answer.status, answer.json().get('reason')

    def only(self, pid):
        """Let one worker alone run."""
        for other in self.nginx.workers():
            os.kill(other, signal.SIGCONT if other == pid else signal.SIGSTOP)
        wait_for(lambda: all((self.state(other) == 'T') != (other == pid)
                             for other in self.nginx.workers()))

    @staticmethod
    def state(pid):
        """Return a process's state."""
        with open(f'/proc/{pid}/stat', encoding='ascii') as file:
            return file.read().rpartition(')')[2].split()[0]


@t.story
def a_worker_that_stood_still_takes_the_verdict_that_came_meanwhile():
    if not nginx.has('--with-debug'):
        t.skip('this nginx is built without --with-debug')
        return
    cluster = t.cluster()
    pair = Pair(cluster)
    one, two = pair.nginx.workers()
    token = cluster.issue()
    cluster.api.fault('hold')
    pair.only(one)
    first = client.Background(pair.login, token)
    t.ok(wait_for(lambda: cluster.api.stats()['review'] == 1), 'one asks')
    pair.only(two)
    second = client.Background(pair.login, token)
    t.ok(wait_for(lambda: ': watching' in pair.nginx.error_log()),
         'the other one watches')
    begun = time.monotonic()
    pair.only(one)
    cluster.api.clear()
    cluster.api.release()
    t.is_(first.result(), (200, None), 'the first one is granted')
    wait_for(lambda: time.monotonic() > begun + TIMEOUT + 1)
    pair.only(two)
    t.is_(second.result(), (200, None), 'and so is the other one')
    t.is_(cluster.api.stats()['review'], 1, 'by one review')
    os.kill(one, signal.SIGCONT)


t.tell()
