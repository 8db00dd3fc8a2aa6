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

cluster = t.cluster()
api = cluster.api
numbers = iter(range(1000000))


def upstream(one):
    """Serve what is behind the locations: a part of it, stale at once."""
    headers = [('ETag', '"one"'), ('X-Accel-Expires', '@1')]
    held = {name.lower(): value for name, value in one['headers']}
    if held['x-place'] == 'outer':
        return 200, headers, 'outer'
    told[held['x-cell']].append(held['x-pod'])
    if 'range' not in held:
        return 200, headers, world.TEXT
    first, last = (int(n) for n in held['range'].partition('=')[2].split('-'))
    last = min(last, len(world.TEXT) - 1)
    headers.append(('Content-Range',
                    f'bytes {first}-{last}/{len(world.TEXT)}'))
    return 206, headers, world.TEXT[first:last + 1]


mock = t.mock(upstream)
told = collections.defaultdict(list)        # by cell: whom it comes from


def start(method):
    """Start nginx, by one event method."""
    made = t.nginx('''
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
    ''', start=False, use=method, connections=8192, method=cluster.method(),
        config=cluster.config(kind='P-256', token_issuer=ISSUER), http2='',
        locations='', tell=world.TELL)
    made.configure({
        'locations': world.locations(f'http://127.0.0.1:{mock.port}',
                                     f'http://127.0.0.1:{made.port}'),
        'http2': nginx_.http2(f'127.0.0.1:{made.port_of("port2")}')
        if H2 else ''})
    return made.start()


def logged(nginx, prefix):
    """Return how often each cell was logged."""
    return collections.Counter(
        line.split()[0] for line in nginx.access_log('cells.log')
        if line.startswith(prefix))


class Plain:
    """A client of HTTP/1.x: a connection each."""

    def __init__(self, nginx, version):
        self.port = nginx.port
        self.version = version

    def send(self, cell, method, path, headers, body):
        """Send a request; return what its answer is asked for with."""
        sock = client.connect(self.port, timeout=60)
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
            session, sent = http2.Session(self.port, timeout=60), 0
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


def table(nginx, name, caller):
    """Try all cells by one protocol; return how many there are."""
    worker = nginx.workers()
    cells = world.cells(name)
    number = next(numbers)
    api.pod(NAMESPACE, 'gone', 'builder')
    tokens = {('pod', 'good'): cluster.issue(claims={'n': number}),
              ('pod', 'refused'): cluster.issue(pod='gone',
                                                claims={'n': number}),
              ('minted', 'good'): mint(), ('minted', 'refused'): mint()[:-9]}
    api.delete('pod', NAMESPACE, 'gone')
    warm = dict(tokens)
    warm['pod', 'good'] = cluster.issue(claims={'warm': number})

    # what a cache is to update must be there

    stale = [cell for cell in cells
             if cell.way == 'update' and world.seen(cell)[1]]
    for cell in stale:
        client.request(nginx.port, *world.request(
            cell._replace(credential='good'), warm, cluster.login))
    wait_for(lambda: len(logged(nginx, name)) == len(stale))
    told.clear()
    skip = logged(nginx, name)

    api.drop()
    api.fault('hold')
    api.reset_stats()
    sent = [(cell, caller.send(cell, *world.request(cell, tokens,
                                                    cluster.login)))
            for cell in cells]
    t.ok(wait_for(lambda: api.stats()['review'] == 2),
         f'{name}: a review for each token')
    for _ in range(5):
        t.is_(client.get(nginx.port, '/plain').text, 'plain',
              f'{name}: nginx serves meanwhile')
        client.get(nginx.port, '/lead/plain')
    for cell, one in sent:
        if not cell.stays:
            caller.leave(one)
    gone = {cell.name for cell in cells
            if not cell.stays and world.parked(cell)}
    t.ok(wait_for(lambda: gone <= set(logged(nginx, name)), 60),
         f'{name}: who leaves during the review is missed',
         sorted(gone - set(logged(nginx, name)))[:9])
    api.clear()
    api.release()
    answers = {}
    for cell, one in sent:
        if cell.stays:
            try:
                answers[cell.name] = caller.receive(one)
            except Exception as error:
                answers[cell.name] = error
    t.ok(wait_for(lambda: sum(logged(nginx, name).values())
                  >= len(cells) + len(stale), 60), f'{name}: all is logged')

    # what goes on behind an answer comes to its end

    wait_for(lambda: all(len(told[cell.name]) >= world.seen(cell)[0]
                         for cell in cells))
    lines = logged(nginx, name)
    lines.subtract(skip)
    wrong = [f'{cell.name}: {what}' for cell in cells for what in [judge(
        cell, answers.get(cell.name), told[cell.name],
        lines[cell.name])] if what]
    t.ok(not wrong, f'{name}: {len(cells)} cells',
         f'{len(wrong)} are wrong', *wrong[:40])
    t.is_(nginx.workers(), worker, f'{name}: the worker lives')
    return len(cells)


count = 0
for event in ('epoll', 'poll'):
    if event == 'poll' and not nginx_.polls():
        t.skip('nginx is built without poll_module')
        continue
    server = start(event)
    count += table(server, f'{event}-1.0', Plain(server, '1.0'))
    count += table(server, f'{event}-1.1', Plain(server, '1.1'))
    if H2:
        count += table(server, f'{event}-2', Streams(server))
    else:
        t.skip('no HTTP/2 here')

# inside a block, where none of ours may stand

refused = 0
for directive in world.DIRECTIVES.values():
    for word in re.findall(r'akl_k8s_[^;]*;', directive.says):
        for block in ('if ($http_x_y)', 'limit_except GET'):
            code, text = server.config_test(http=f'''
                {cluster.method()}
                {cluster.config(token_issuer=ISSUER)}
                server {{
                    listen 127.0.0.1:@port9@;
                    location / {{ {block} {{ {word} }} }}
                }}''')
            refused += code != 0 and 'is not allowed here' in text
            count += 1
t.is_(refused, 2 * sum(d.says.count('akl_k8s_')
                       for d in world.DIRECTIVES.values()),
      'inside "if" and limit_except they are refused by nginx -t')
t.diag(f'{count} cells')
t.done_testing()
