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


def locations(upstream, inherited):
    """Return the locations of one server."""
    return '\n'.join(
        f'location = /{kind}/{name} {{ {serves.format(upstream)} '
        + ('' if inherited else f'post_action {target};') + ' }'
        for kind, serves in KINDS.items()
        for name, (target, _) in TARGETS.items()
        if inherited == (name == 'server'))


def http(upstream):
    """Return the configuration; all is led to the upstream of this port."""
    proxy = f'proxy_pass http://127.0.0.1:{upstream};'
    return f'''
        @method@
        @config@
        log_format who '$uri $akl_k8s_status.';
        access_log @dir@/who.log who;
        akl_k8s_review_timeout 60s;
        proxy_ignore_client_abort on;
        proxy_set_header X-Pod "[$akl_k8s_pod_name]";

        server {{
            listen 127.0.0.1:@port@;
            {locations(upstream, False)}
            location = /plain {{ akl_k8s_auth; }}
            location /pa/ {{ {proxy} }}
            location @pa {{ {proxy} }}
            location = /pa/guard {{ akl_k8s_guard k8s-conf; {proxy} }}
            location = /pa/dialect {{ akl_k8s_auth vault; }}
            location = /pa/exchange {{ akl_k8s_exchange k8s-conf; {proxy} }}
        }}
        server {{
            listen 127.0.0.1:@port1@;
            post_action /pa/server;
            {locations(upstream, True)}
            location /pa/ {{ {proxy} }}
        }}
    '''


class Gateway:
    """An nginx, and an upstream that answers when its gate is open."""

    def __init__(self):
        self.cluster = t.cluster()
        self.gate = threading.Event()
        self.mock = t.mock(self.slow)
        self.nginx = t.nginx(http(self.mock.port),
                             method=self.cluster.method(),
                             config=self.cluster.config())

    def slow(self, seen):
        """Answer when the gate is open: later than the review."""
        self.gate.wait(60)
        return 200, [], seen['path']

    def leave(self, kind, name, token):
        """Ask for a login and leave while it waits."""
        port = self.nginx.port_of('port1' if name == 'server' else 'port')
        session = client.Session(port)
        if kind == 'auth':
            session.send('POST', f'/{kind}/{name}',
                         {'Content-Type': 'application/json'},
                         self.cluster.login(token))
        else:
            session.send('GET', f'/{kind}/{name}', bearer(token))
        t.ok(wait_for(lambda: self.cluster.api.stats()['review'] == 1),
             f'{kind}, {name}: it waits')
        mark = self.nginx.mark()
        session.abort()
        t.ok(self.nginx.wait_log('prematurely closed|reset by peer',
                                 since=mark),
             f'{kind}, {name}: the client leaves')

    def go(self, kind, name):
        """Leave, and let the review end while the request is elsewhere."""
        api = self.cluster.api
        workers = self.nginx.workers()
        self.mock.requests.clear()
        self.gate.clear()
        api.fault('hold')
        api.reset_stats()
        token = self.cluster.issue()
        lines = len(self.nginx.access_log('who.log'))
        self.leave(kind, name, token)
        if TARGETS[name][1][kind]:
            t.ok(wait_for(lambda: self.mock.requests),
                 f'{kind}, {name}: goes to its post_action')
        other = client.Background(client.post, self.nginx.port, '/plain',
                                  self.cluster.login(token))
        api.clear()
        api.release()
        t.is_(other.result().status, 200,
              f'{kind}, {name}: the review ends, for who still waits')
        self.gate.set()
        t.ok(wait_for(lambda: len(self.nginx.access_log('who.log'))
                      == lines + 2), f'{kind}, {name}: all is logged')
        t.is_(self.nginx.workers(), workers,
              f'{kind}, {name}: the worker lives')
        self.saw(kind, name)

    def saw(self, kind, name):
        """Look at what the upstream saw: whole requests, and no name."""
        paths = [one['path'] for one in self.mock.requests]
        if name == 'server':

            # nginx does it again for the post_action, up to its limit

            paths = sorted(set(paths))
        t.is_(paths, TARGETS[name][1][kind],
              f'{kind}, {name}: the upstream saw this')
        t.is_([one['method'] for one in self.mock.requests
               if len(one['body']) != int((self.mock.header(
                   one, 'content-length') or ['0'])[0])], [],
              f'{kind}, {name}: with its whole body')
        t.is_([one for one in self.mock.requests
               if self.mock.header(one, 'x-pod') != ['[]']], [],
              f'{kind}, {name}: and nobody is named')


@t.shared
def gateway():
    """The gateway of all stories; each waits until it is idle."""
    return Gateway()


@t.story
def a_login_that_has_gone_elsewhere_is_not_resumed_by_its_review(gateway):
    for name in TARGETS:
        gateway.go('auth', name)


@t.story
def an_exchange_that_has_gone_elsewhere_is_not_resumed_by_its_review(gateway):
    for name in TARGETS:
        gateway.go('exchange', name)


t.tell()
