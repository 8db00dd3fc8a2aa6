#!/usr/bin/python3
"""One review among two workers, of which one stands still."""

import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import nginx  # noqa: E402
import procs  # noqa: E402
from akltest import Test, client, wait_for  # noqa: E402

# How many seconds a review may take: more, where the machine needs them to
# bring the workers into the state that is tested.

TIMEOUTS = 5, 20, 60

t = Test(need_module=True)


class Pair:
    """A gateway of two workers, of which one at a time may run."""

    def __init__(self, cluster, timeout):
        self.cluster = cluster
        self.nginx = t.nginx(f'''
            akl_k8s_cache_valid 1h;
            akl_k8s_review_timeout {timeout}s connect={timeout}s;
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
        wait_for(lambda: all(procs.stopped(other) != (other == pid)
                             for other in self.nginx.workers()))

    def watched(self, token):
        """Have one worker ask, the other one watch and stand still then.

        Returns both logins and since when at the latest the other one waits.
        """
        one, two = self.nginx.workers()
        self.cluster.api.fault('hold')
        self.only(one)
        first = client.Background(self.login, token)
        wait_for(lambda: self.cluster.api.stats()['review'] or first.done())
        self.only(two)
        second = client.Background(self.login, token)
        wait_for(lambda: self.nginx.grep(': watching') or second.done())
        begun = time.monotonic()
        self.only(one)
        return first, second, begun

    def answer(self):
        """Let the API server answer."""
        self.cluster.api.clear()
        self.cluster.api.release()

    def all(self):
        """Let all workers run."""
        for pid in self.nginx.workers():
            os.kill(pid, signal.SIGCONT)


@t.story
def a_worker_that_stood_still_takes_the_verdict_that_came_meanwhile():
    if not nginx.has('--with-debug'):
        t.skip('this nginx is built without --with-debug')
        return
    cluster = t.cluster()
    for timeout in TIMEOUTS:
        cluster.api.reset_stats()
        pair = Pair(cluster, timeout)
        first, second, begun = pair.watched(cluster.issue())
        pair.answer()
        granted = first.result()
        if not second.done() and granted == (200, None):
            break
        t.diag(f'{timeout} s are too short here')
        pair.all()
        pair.nginx.stop()
    t.is_(cluster.api.stats()['review'], 1, 'one asks')
    t.is_(granted, (200, None), 'and is granted')
    t.ok(not second.done() and pair.nginx.grep(': watching'),
         'the other one watches')
    wait_for(lambda: time.monotonic() > begun + timeout + 1)
    pair.only(pair.nginx.workers()[1])
    t.is_(second.result(), (200, None), 'and takes the same verdict')
    t.is_(cluster.api.stats()['review'], 1, 'by one review')
    pair.all()


t.tell()
