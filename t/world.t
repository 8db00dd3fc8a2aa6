#!/usr/bin/python3
"""Each directive of ours, by each way that nginx has to a location.

See lib/world.py for the table and its rules.
"""

import collections
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import http2  # noqa: E402
import nginx as nginx_  # noqa: E402
import world  # noqa: E402
from akltest import NAMESPACE, Test, client, wait_for  # noqa: E402
from minted import ISSUER, mint  # noqa: E402

STREAMS = 100

t = Test(need_module=True)
for module in ('slice', 'addition', 'auth_request'):
    if not nginx_.has(f'http_{module}_module'):
        t.skip_all(f'nginx is built without http_{module}_module')
H2 = nginx_.has('http_v2_module') and http2.available()


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class World:
    """An nginx with all ways to all directives, and what is behind them."""

    def __init__(self, cluster, event):
        self.cluster = cluster
        self.event = event
        self.told = collections.defaultdict(list)   # by cell: who it is from
        upstream = t.mock(self.serve)
        self.nginx = t.nginx('''
            @method@
            @config@
            akl_k8s_review_timeout 120s;
            akl_k8s_cache_valid 60s refused=60s;
            log_format cell '$http_x_cell $status $akl_k8s_status.';
            proxy_cache_path @dir@/cache keys_zone=one:1m;
            @tell@
            proxy_http_version 1.1;
            server {
                listen 127.0.0.1:@port@;
                @http2@
                access_log @dir@/cells.log cell;
                location = /plain { access_log off; return 200 plain; }
                @locations@
            }
        ''', start=False, use=event, connections=8192,
            method=cluster.method(),
            config=cluster.config(kind='P-256', token_issuer=ISSUER),
            http2='', locations='', tell=world.TELL)
        self.nginx.configure({
            'locations': world.locations(
                f'http://127.0.0.1:{upstream.port}',
                f'http://127.0.0.1:{self.nginx.port}'),
            'http2': nginx_.http2(f'127.0.0.1:{self.nginx.port_of("port2")}')
            if H2 else ''})
        self.nginx.start()

    def serve(self, one):
        """Serve what is behind the locations: a part of it, stale at once."""
        headers = [('ETag', '"one"'), ('X-Accel-Expires', '@1')]
        held = {name.lower(): value for name, value in one['headers']}
        if held['x-place'] == 'outer':
            return 200, headers, 'outer'
        self.told[held['x-cell']].append(held['x-pod'])
        if 'range' not in held:
            return 200, headers, world.TEXT
        first, last = (int(number) for number
                       in held['range'].partition('=')[2].split('-'))
        last = min(last, len(world.TEXT) - 1)
        headers.append(('Content-Range',
                        f'bytes {first}-{last}/{len(world.TEXT)}'))
        return 206, headers, world.TEXT[first:last + 1]

    def logged(self):
        """Return how often each cell was logged."""
        return collections.Counter(
            line.split()[0] for line in self.nginx.access_log('cells.log')
            if line.startswith(self.event))

    def tokens(self):
        """Return tokens by kind and credential."""
        api = self.cluster.api
        api.pod(NAMESPACE, 'gone', 'builder')
        gone = self.cluster.issue(pod='gone')
        api.delete('pod', NAMESPACE, 'gone')
        return {('pod', 'good'): self.cluster.issue(),
                ('pod', 'refused'): gone, ('minted', 'good'): mint(),
                ('minted', 'refused'): mint()[:-9]}

    def warm(self, cells):
        """Have in the proxy's cache what it is to update; return how much."""
        stale = [cell for cell in cells
                 if cell.way == 'update' and world.seen(cell)[1]]
        tokens = {('pod', 'good'): self.cluster.issue(claims={'warm': 1}),
                  ('minted', 'good'): mint()}
        for cell in stale:
            client.request(self.nginx.port, *world.request(
                cell._replace(credential='good'), tokens, self.cluster.login))
        wait_for(lambda: len(self.logged()) == len(stale))
        self.told.clear()
        return len(stale)

    def table(self, version, caller):
        """Try all cells by one protocol."""
        api, worker = self.cluster.api, self.nginx.workers()
        cells = world.cells(f'{self.event}-{version}')
        stale = self.warm(cells)
        before = self.logged()
        tokens = self.tokens()
        api.drop()
        api.fault('hold')
        api.reset_stats()
        sent = [(cell, caller.send(cell, *world.request(
            cell, tokens, self.cluster.login))) for cell in cells]
        t.ok(wait_for(lambda: api.stats()['review'] == 2),
             'a review for each token')
        for _ in range(5):
            t.is_(client.get(self.nginx.port, '/plain').text, 'plain',
                  'nginx serves meanwhile')
            client.get(self.nginx.port, '/lead/plain')
        for cell, one in sent:
            if not cell.stays:
                caller.leave(one)
        gone = {cell.name for cell in cells
                if not cell.stays and world.parked(cell)}
        t.ok(wait_for(lambda: gone <= set(self.logged())),
             'who leaves during the review is missed',
             sorted(gone - set(self.logged()))[:9])
        api.clear()
        api.release()
        answers = {cell.name: received(caller, one)
                   for cell, one in sent if cell.stays}
        t.ok(wait_for(lambda: sum(self.logged().values())
                      >= len(cells) + stale), 'all is logged')

        # what goes on behind an answer comes to its end

        wait_for(lambda: all(len(self.told[cell.name]) >= world.seen(cell)[0]
                             for cell in cells))
        lines = self.logged()
        lines.subtract(before)
        wrong = [f'{cell.name}: {what}' for cell in cells for what in [judge(
            cell, answers.get(cell.name), self.told[cell.name],
            lines[cell.name])] if what]
        t.ok(not wrong, f'{len(cells)} cells', f'{len(wrong)} are wrong',
             *wrong[:40])
        t.is_(self.nginx.workers(), worker, 'the worker lives')
        t.diag(f'{self.event}-{version}: {len(cells)} cells')


def received(caller, sent):
    """Return the answer, or what came instead."""
    try:
        return caller.receive(sent)
    except Exception as error:
        return error


class Plain:
    """A client of HTTP/1.x: a connection each."""

    def __init__(self, nginx, version):
        self.port = nginx.port
        self.version = version

    def send(self, cell, method, path, headers, body):
        """Send a request; return what its answer is asked for with."""
        sock = client.connect(self.port)
        sock.sendall(client.build(method, path, headers, body,
                                  version=self.version))
        return sock, method

    @staticmethod
    def receive(sent):
        """Wait for the answer."""
        with sent[0]:
            return client.read_response(*sent)

    @staticmethod
    def leave(sent):
        """Leave without an answer."""
        sent[0].close()


class Streams:
    """A client of HTTP/2: many streams on a connection."""

    def __init__(self, nginx):
        self.port = nginx.port_of('port2')
        self.sessions = {}

    def send(self, cell, *args):
        """Send a request; who leaves is on a connection of those."""
        key = (cell.stays, cell.name.endswith('good'))
        session, sent = self.sessions.get(key, (None, STREAMS))
        if sent == STREAMS:
            session, sent = http2.Session(self.port), 0
        self.sessions[key] = (session, sent + 1)
        return session, session.send(*args)

    @staticmethod
    def receive(sent):
        """Wait for the answer."""
        return sent[0].receive(sent[1])

    @staticmethod
    def leave(sent):
        """Reset the stream."""
        sent[0].reset(sent[1])


def judge(cell, answer, pods, lines):
    """Return what is wrong with a cell, or None."""
    least, most = world.seen(cell)
    if not least <= len(pods) <= most:
        return f'the upstream saw it {len(pods)} times, not {least}' \
            + (f' to {most}' if least != most else '')
    if any(one != f'[{world.who(cell)}]' for one in pods):
        return f'the upstream was told of {pods}'
    if lines != 1:
        return f'it was logged {lines} times'
    if answer is None:
        return None
    if isinstance(answer, Exception):
        return f'no answer: {answer!r}'
    if answer.status not in world.status(cell):
        return f'status {answer.status} for {world.status(cell)}: ' \
            + answer.text[:80]
    marker = world.DIRECTIVES[cell.directive].marker
    if marker and (marker in answer.text) != world.shown(cell):
        return f'the answer holds {answer.text[:80]!r}'
    return None


@t.own
def epoll(cluster):
    """An nginx that waits by epoll."""
    return World(cluster, 'epoll')


@t.own
def poll(cluster):
    """One that waits by poll, or None where it cannot."""
    return World(cluster, 'poll') if nginx_.polls() else None


def plain(there, version):
    """Try all cells by a version of HTTP/1."""
    if there is None:
        t.skip('nginx is built without poll_module')
    else:
        there.table(version, Plain(there.nginx, version))


def streams(there):
    """Try all cells by HTTP/2."""
    if there is None:
        t.skip('nginx is built without poll_module')
    elif not H2:
        t.skip('no HTTP/2 here')
    else:
        there.table('2', Streams(there.nginx))


@t.story
def by_http_1_0_and_epoll_each_way_leads_where_the_rules_say(epoll):
    plain(epoll, '1.0')


@t.story
def by_http_1_1_and_epoll_each_way_leads_where_the_rules_say(epoll):
    plain(epoll, '1.1')


@t.story
def by_http_2_and_epoll_each_way_leads_where_the_rules_say(epoll):
    streams(epoll)


@t.story
def by_http_1_0_and_poll_each_way_leads_where_the_rules_say(poll):
    plain(poll, '1.0')


@t.story
def by_http_1_1_and_poll_each_way_leads_where_the_rules_say(poll):
    plain(poll, '1.1')


@t.story
def by_http_2_and_poll_each_way_leads_where_the_rules_say(poll):
    streams(poll)


@t.story
def inside_if_and_limit_except_nothing_of_ours_may_stand(cluster):
    nginx = t.nginx(start=False)
    taken, count = [], 0
    for directive in world.DIRECTIVES.values():
        for word in re.findall(r'akl_k8s_[^;]*;', directive.says):
            for block in ('if ($http_x_y)', 'limit_except GET'):
                code, text = nginx.config_test(http=f'''
                    {cluster.method()}
                    {cluster.config(token_issuer=ISSUER)}
                    server {{
                        listen 127.0.0.1:@port@;
                        location / {{ {block} {{ {word} }} }}
                    }}''')
                count += 1
                if code == 0 or 'is not allowed here' not in text:
                    taken.append(f'{block} {word} {text}')
    t.is_(count, 2 * sum(d.says.count('akl_k8s_')
                         for d in world.DIRECTIVES.values()), 'all are tried')
    t.ok(not taken, 'nginx -t refuses them', *taken)


t.tell()
