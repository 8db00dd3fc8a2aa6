#!/usr/bin/python3
"""A request over HTTP/2 waits for its review and goes on as any other.

Also by level-triggered events, where a stream has nothing to be watched.
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import http2  # noqa: E402
import nginx as nginx_  # noqa: E402
import procs  # noqa: E402
from akltest import Test, client, wait_for  # noqa: E402
from minted import bearer  # noqa: E402

t = Test(need_module=True)
if not nginx_.has('http_v2_module'):
    t.skip_all('nginx is built without http_v2_module')
if not http2.available():
    t.skip_all('no python3-h2')
HTTP = f'''
    @method@
    @config@
    akl_k8s_review_timeout 60s;
    server {{
        {nginx_.http2('127.0.0.1:@port@')}
        listen 127.0.0.1:@port1@;
        location = /auth {{ akl_k8s_auth; }}
        location /exchange {{
            akl_k8s_exchange k8s-conf;
            proxy_set_header X-Pod $akl_k8s_pod_name;
            proxy_pass http://127.0.0.1:@mock@;
        }}
        location = /plain {{ return 200 plain; }}
        location = /guarded {{ akl_k8s_guard k8s-conf; }}
    }}
'''
# one after the other, each a byte on the wire and some on nginx's heap
MANY = [('a', 'b')] * 15000


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def mock():
    """What an exchange passes on to."""
    return t.mock()


class Clients:
    """Clients of an nginx that uses one event method."""

    number = 0

    def __init__(self, method, cluster, mock):
        self.cluster = cluster
        self.mock = mock
        self.nginx = t.nginx(HTTP, use=method, method=cluster.method(),
                             config=cluster.config(), mock=mock.port)
        self.worker = self.nginx.workers()
        t.ok(self.nginx.grep(f'using the "{method}" event method'),
             f'by {method}')

    def fresh(self):
        """Issue a token that no other request had."""
        Clients.number += 1
        return self.cluster.issue(claims={'n': self.number})

    def hold(self, count, session=None):
        """Send as many logins and exchanges, and see them wait."""
        api = self.cluster.api
        api.fault('hold')
        api.reset_stats()
        session = session or http2.Session(self.nginx.port)
        sent = []
        for n in range(count):
            token = self.fresh()
            if n % 2:
                sent.append(session.send('POST', '/exchange', bearer(token),
                                         'x' * 50000, end=False))
            else:
                sent.append(session.send(
                    'POST', '/auth', {'content-type': 'application/json'},
                    json.dumps(self.cluster.login(token))))
        t.ok(wait_for(lambda: api.stats()['review'] == count),
             f'{count} wait')
        return session, sent

    def release(self):
        """Let the API server answer."""
        self.cluster.api.clear()
        self.cluster.api.release()


def go_on(it):
    """Have bodies end while streams wait, or later."""
    session, sent = it.hold(6)
    t.is_(session.request(path='/plain').text, 'plain',
          'another stream is served meanwhile')
    session.more(sent[1], 'y')
    session.more(sent[3], 'y', end=False)
    it.release()
    session.more(sent[3], 'y')
    session.more(sent[5], 'yy')
    for n, one in enumerate(sent):
        answer = session.receive(one)
        t.is_(answer.status, 200, f'stream {one} is answered')
        if n % 2:
            seen = answer.json()
            t.is_((len(seen['body']), it.mock.header(seen, 'x-pod')),
                  ({1: 50001, 3: 50002, 5: 50002}[n], ['mypod1']),
                  'with its body, to the upstream')
    session.close()
    t.is_(it.nginx.workers(), it.worker, 'the worker lives')


def reset(it):
    """Reset streams; the connection and the others stay."""
    session, sent = it.hold(4)
    session.reset(sent[0])
    session.reset(sent[1])
    t.is_(session.request(path='/plain').text, 'plain',
          'two streams are reset')
    it.mock.requests.clear()
    it.release()
    session.more(sent[3], 'y')
    t.is_([session.receive(one).status for one in sent[2:]], [200, 200],
          'the other two are answered')
    t.is_(len(it.mock.requests), 1, 'the upstream sees one')
    t.is_(session.request(path='/plain').text, 'plain',
          'the connection goes on')
    session.close()
    t.is_(it.nginx.workers(), it.worker, 'the worker lives')


def lose(it):
    """Lose a connection with all its streams."""
    session, sent = it.hold(4)
    it.mock.requests.clear()
    mark = it.nginx.mark()
    session.close()
    t.ok(it.nginx.wait_log('client .*closed connection', since=mark),
         'a connection is lost')
    it.release()
    answer = client.post(it.nginx.port_of('port1'), '/auth', it.cluster.login(
        it.fresh()))
    t.is_(answer.status, 200, 'others log in')
    with http2.Session(it.nginx.port) as session:
        t.is_(session.request(path='/plain').text, 'plain',
              'and nginx goes on')
    t.is_(len(it.mock.requests), 0, 'the upstream saw none of them')
    t.is_(it.nginx.workers(), it.worker, 'the worker lives')


@t.own
def epoll(cluster, mock):
    """Clients of an nginx that is told each event once."""
    return Clients('epoll', cluster, mock)


@t.own
def poll(cluster, mock):
    """Clients of an nginx that is told an event until it is over."""
    return Clients('poll', cluster, mock) if nginx_.polls() else None


def by_poll(it, story):
    """Tell a story where nginx can be made to poll."""
    if it is None:
        t.skip('nginx is built without poll_module')
    else:
        story(it)


@t.story
def streams_wait_for_their_reviews_and_go_on_by_epoll(epoll):
    go_on(epoll)


@t.story
def a_stream_is_reset_and_the_others_stay_by_epoll(epoll):
    reset(epoll)


@t.story
def a_connection_is_lost_with_its_streams_by_epoll(epoll):
    lose(epoll)


@t.story
def streams_wait_for_their_reviews_and_go_on_by_poll(poll):
    by_poll(poll, go_on)


@t.story
def a_stream_is_reset_and_the_others_stay_by_poll(poll):
    by_poll(poll, reset)


@t.story
def a_connection_is_lost_with_its_streams_by_poll(poll):
    by_poll(poll, lose)


# What a request costs

@t.story
def headers_cost_no_more_where_they_are_overwritten(cluster):
    if nginx_.sanitized():
        t.skip('pools of that nginx are lists of small pieces', 3)
        return
    with open(nginx_.BINARY, 'rb') as file:
        limit = 'max_headers 20000;' if b'max_headers' in file.read() else ''
    nginx = t.nginx(limit + HTTP, workers=1, method=cluster.method(),
                    config=cluster.config(kind='P-256'), mock=1)
    worker = nginx.workers()[0]
    times = {}
    for path, status in ('/plain', 200), ('/guarded', 401):
        with http2.Session(nginx.port) as session:
            before = procs.spent(worker)
            got = {session.receive(session.send(
                path=path, headers=bearer('x'), pairs=MANY)).status
                for _ in range(60)}
            times[path] = procs.spent(worker) - before
        t.is_(got, {status}, f'{path}: answers')
    # as much as without, or twelve times as much
    t.ok(times['/guarded'] <= 5 * times['/plain'] + 0.05,
         'not by the square of their number', times)


t.tell()
