#!/usr/bin/python3
"""A request that has gone elsewhere is not resumed by its review.

A client leaves while its login waits, and post_action takes the request to
another location before the review ends.
"""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

from akltest import Test, client, wait_for  # noqa: E402
from minted import bearer  # noqa: E402

# what waits, by the name of its location

KINDS = {
    'auth': 'akl_k8s_auth;',
    'exchange': 'akl_k8s_exchange k8s-conf; proxy_pass http://127.0.0.1:{};',
}

# where post_action leads, and what the upstream sees of it

TARGETS = {
    'uri': ('/pa/uri', {'auth': ['/pa/uri'], 'exchange': ['/pa/uri']}),
    'named': ('@pa', {'auth': ['/auth/named'],
                      'exchange': ['/exchange/named']}),
    'guard': ('/pa/guard', {'auth': [], 'exchange': []}),
    'dialect': ('/pa/dialect', {'auth': [], 'exchange': []}),
    'exchange': ('/pa/exchange', {'auth': [], 'exchange': []}),
    'server': ('/pa/server', {'auth': ['/pa/server'],
                              'exchange': ['/pa/server']}),
}

t = Test(need_module=True)
cluster = t.cluster()
api = cluster.api
gate = threading.Event()


def slow(seen):
    """Answer when the gate is open: later than the review."""
    gate.wait(60)
    return 200, [], seen['path']


mock = t.mock(slow)


def locations(inherited):
    """Return the locations of one server."""
    return '\n'.join(
        f'location = /{kind}/{name} {{ {serves.format(mock.port)} '
        + ('' if inherited else f'post_action {target};') + ' }'
        for kind, serves in KINDS.items()
        for name, (target, _) in TARGETS.items()
        if inherited == (name == 'server'))


HTTP = f'''
    @method@
    @config@
    log_format who '$uri $akl_k8s_status.';
    access_log @dir@/who.log who;
    akl_k8s_review_timeout 60s;
    proxy_ignore_client_abort on;
    proxy_set_header X-Pod "[$akl_k8s_pod_name]";

    server {{
        listen 127.0.0.1:@port@;
        {locations(False)}
        location = /plain {{ akl_k8s_auth; }}
        location /pa/ {{ proxy_pass http://127.0.0.1:{mock.port}; }}
        location @pa {{ proxy_pass http://127.0.0.1:{mock.port}; }}
        location = /pa/guard {{
            akl_k8s_guard k8s-conf;
            proxy_pass http://127.0.0.1:{mock.port};
        }}
        location = /pa/dialect {{ akl_k8s_auth vault; }}
        location = /pa/exchange {{
            akl_k8s_exchange k8s-conf;
            proxy_pass http://127.0.0.1:{mock.port};
        }}
    }}
    server {{
        listen 127.0.0.1:@port1@;
        post_action /pa/server;
        {locations(True)}
        location /pa/ {{ proxy_pass http://127.0.0.1:{mock.port}; }}
    }}
'''
nginx = t.nginx(HTTP, method=cluster.method(), config=cluster.config())
worker = nginx.workers()


def leave(kind, name, token):
    """Ask for a login and leave while it waits."""
    port = nginx.port_of('port1') if name == 'server' else nginx.port
    session = client.Session(port)
    if kind == 'auth':
        session.send('POST', f'/{kind}/{name}',
                     {'Content-Type': 'application/json'},
                     cluster.login(token))
    else:
        session.send('GET', f'/{kind}/{name}', bearer(token))
    t.ok(wait_for(lambda: api.stats()['review'] == 1),
         f'{kind}, {name}: it waits')
    mark = nginx.mark()
    session.abort()
    t.ok(nginx.wait_log('prematurely closed|reset by peer', since=mark),
         f'{kind}, {name}: the client leaves')


number = 0
for kind in KINDS:
    for name, (target, seen) in TARGETS.items():
        number += 1
        mock.requests.clear()
        gate.clear()
        api.fault('hold')
        api.reset_stats()
        token = cluster.issue(claims={'n': number})
        lines = len(nginx.access_log('who.log'))
        leave(kind, name, token)
        if seen[kind]:
            t.ok(wait_for(lambda: mock.requests),
                 f'{kind}, {name}: goes to its post_action')
        other = client.Background(client.post, nginx.port, '/plain',
                                  cluster.login(token))
        api.clear()
        api.release()
        t.is_(other.result().status, 200,
              f'{kind}, {name}: the review ends, for who still waits')
        gate.set()
        t.ok(wait_for(lambda: len(nginx.access_log('who.log'))
                      == lines + 2), f'{kind}, {name}: all is logged')
        paths = [one['path'] for one in mock.requests]
        if name == 'server':

            # nginx does it again for the post_action, up to its limit

            paths = sorted(set(paths))
        t.is_(paths, seen[kind], f'{kind}, {name}: the upstream saw this')
        t.is_([one['method'] for one in mock.requests
               if len(one['body']) != int((
                   mock.header(one, 'content-length') or ['0'])[0])], [],
              f'{kind}, {name}: with its whole body')
        t.is_([one for one in mock.requests
               if mock.header(one, 'x-pod') != ['[]']], [],
              f'{kind}, {name}: and nobody is named')
        t.is_(nginx.workers(), worker, f'{kind}, {name}: the worker lives')

t.done_testing()
