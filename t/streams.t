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
from akltest import Test, client, wait_for  # noqa: E402
from minted import bearer  # noqa: E402

t = Test(need_module=True)
if not nginx_.has('http_v2_module'):
    t.skip_all('nginx is built without http_v2_module')
if not http2.available():
    t.skip_all('no python3-h2')
cluster = t.cluster()
api = cluster.api
mock = t.mock()
number = 0


def fresh():
    """Issue a token that no other request had."""
    global number
    number += 1
    return cluster.issue(claims={'n': number})


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
    }}
'''


def story(method):
    """Tell it by one event method."""
    nginx = t.nginx(HTTP, use=method, method=cluster.method(),
                    config=cluster.config(), mock=mock.port)
    worker = nginx.workers()
    t.ok(nginx.grep(f'using the "{method}" event method'), f'by {method}')

    def hold(count, session=None):
        """Send as many logins and exchanges, and see them wait."""
        api.fault('hold')
        api.reset_stats()
        session = session or http2.Session(nginx.port)
        sent = []
        for n in range(count):
            token = fresh()
            if n % 2:
                sent.append(session.send('POST', '/exchange', bearer(token),
                                         'x' * 50000, end=False))
            else:
                sent.append(session.send(
                    'POST', '/auth', {'content-type': 'application/json'},
                    json.dumps(cluster.login(token))))
        t.ok(wait_for(lambda: api.stats()['review'] == count),
             f'{method}: {count} wait')
        return session, sent

    def release():
        """Let the API server answer."""
        api.clear()
        api.release()

    # all go on, with bodies that end while they wait or later

    session, sent = hold(6)
    t.is_(session.request(path='/plain').text, 'plain',
          f'{method}: another stream is served meanwhile')
    session.more(sent[1], 'y')
    session.more(sent[3], 'y', end=False)
    release()
    session.more(sent[3], 'y')
    session.more(sent[5], 'yy')
    for n, one in enumerate(sent):
        answer = session.receive(one)
        t.is_(answer.status, 200, f'{method}: stream {one} is answered')
        if n % 2:
            seen = answer.json()
            t.is_((len(seen['body']), mock.header(seen, 'x-pod')),
                  ({1: 50001, 3: 50002, 5: 50002}[n], ['mypod1']),
                  f'{method}: with its body, to the upstream')

    # streams are reset, the connection and its other streams stay

    _, sent = hold(4, session)
    session.reset(sent[0])
    session.reset(sent[1])
    t.is_(session.request(path='/plain').text, 'plain',
          f'{method}: two streams are reset')
    mock.requests.clear()
    release()
    session.more(sent[3], 'y')
    t.is_([session.receive(one).status for one in sent[2:]], [200, 200],
          f'{method}: the other two are answered')
    t.is_(len(mock.requests), 1, f'{method}: the upstream sees one')
    t.is_(session.request(path='/plain').text, 'plain',
          f'{method}: the connection goes on')
    session.close()

    # the connection is lost

    session, sent = hold(4)
    mock.requests.clear()
    mark = nginx.mark()
    session.close()
    t.ok(nginx.wait_log('client .*closed connection', since=mark),
         f'{method}: a connection is lost')
    release()
    answer = client.post(nginx.port_of('port1'), '/auth', cluster.login(
        fresh()))
    t.is_(answer.status, 200, f'{method}: others log in')
    with http2.Session(nginx.port) as session:
        t.is_(session.request(path='/plain').text, 'plain',
              f'{method}: and nginx goes on')
    t.is_(len(mock.requests), 0, f'{method}: the upstream saw none of them')
    t.is_(nginx.workers(), worker, f'{method}: the worker lives')


story('epoll')
if nginx_.polls():
    story('poll')
else:
    t.skip('nginx is built without poll_module')
t.done_testing()
