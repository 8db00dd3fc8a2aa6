#!/usr/bin/python3
"""The client of the API servers where the network is at its worst."""

import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import dns  # noqa: E402
import nginx as nginx_  # noqa: E402
from akltest import PATIENCE, Test, client, wait_for  # noqa: E402
from forge import MAX  # noqa: E402
from gates import Picky, Silent  # noqa: E402

NAMES = 'api.test', 'mute.test', 'silent.test'
REFUSED_HEAD = 'HTTP/1.1 401 Unauthorized\r\n'
OK = 200, None
AWAY = 503, 'api_unreachable'
BUSY = 503, 'overloaded'
HTTP = '''
    resolver 127.0.0.1:@dns@;
    resolver_timeout 600s;
    akl_k8s_cache_valid 0 refused=0;
    akl_k8s_review_timeout 60s connect=60s;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /plain { return 204; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster whose API server has some names."""
    made = t.cluster()
    made.api.certificate(*certs.write_pair(
        made.dir, 'named',
        certs.Authority().server(names=('127.0.0.1', *NAMES))))
    return made


@t.shared
def picky(cluster):
    """A server that wants certificates of its own CA."""
    path = cluster.api.path
    return Picky(path('server.crt'), path('server.key'), path('ca.crt'))


class Gateway:
    """An nginx with a resolver and a reviewer's file of its own."""

    def __init__(self, cluster, configs, **kw):
        self.cluster = cluster
        self.names = dns.Server({
            'api.test': ['127.0.0.1'], 'mute.test': ['127.0.0.1'],
            'silent.test': ['127.0.0.2']})
        self.nginx = t.nginx(
            HTTP, dns=self.names.port, method=cluster.method(),
            configs=''.join(cluster.config(name=name, **members)
                            for name, members in configs.items()), **kw)

    def body(self, config='plain'):
        """Return a login with a token of its own."""
        return self.cluster.login(self.cluster.issue(), config)

    def login(self, config='plain'):
        """Log in; return status and reason."""
        answer = client.post(self.nginx.port, '/v2/auth', self.body(config))
        return answer.status, answer.json().get('reason')


@t.own
def gateway(cluster):
    """A gateway that knows the API server by its address."""
    return Gateway(cluster, {'plain': {}})


@t.own
def mute(cluster):
    """One that knows it by a name, and whose resolver may fall silent."""
    return Gateway(cluster, {'plain': {
        'k8s_host': f'https://mute.test:{cluster.port}'}}, level='debug')


# An answer whose head is torn: its status is no word of the API server

@t.own
def reviewer(cluster):
    """The reviewer's file of a story."""
    return cluster.file('own.jwt', cluster.api.read('reviewer.jwt'))


@t.own
def reread(cluster, reviewer):
    """A gateway whose reviewer has been replaced since it started."""
    made = Gateway(cluster, {'plain': {'token_reviewer_jwt': reviewer}})
    cluster.file('own.jwt', cluster.api.issue(
        'akl-system', account='reviewer', ttl=9999))
    return made


@t.story
def a_401_torn_in_its_head_is_no_word_of_the_api_server(cluster, reread):
    cluster.api.fault(raw=REFUSED_HEAD + 'Content-Type: application/json')
    t.is_(reread.login(), (502, 'api_error'), 'a login')
    t.ok(reread.nginx.grep("the answer's head is not whole"),
         'the log says so')
    t.is_(cluster.api.stats()['review'], 1,
          'nobody looked for another reviewer')
    t.is_(reread.nginx.grep('was replaced'), [],
          'nor read the credentials again')


@t.story
def a_whole_401_makes_the_gateway_read_its_credentials_again(
        cluster, reread):
    cluster.api.fault(raw=REFUSED_HEAD + 'Content-Length: 0\r\n\r\n')
    t.is_(reread.login(), (502, 'reviewer_unauthorized'), 'a login')
    t.ok(reread.nginx.grep('token_reviewer_jwt .*was replaced$'), 'the log')


@t.story
def an_interim_head_and_no_more_is_no_answer(cluster, gateway):
    cluster.api.fault(raw='HTTP/1.1 100 Continue\r\n\r\n')
    t.is_(gateway.login(), AWAY, 'a login')


# The alert about our certificate comes after the handshake in TLS 1.3

@t.story
def an_alert_about_our_certificate_is_told_in_the_log(cluster, picky):
    pair = certs.Authority('stranger').client('akl', ['system:masters'])
    gateway = Gateway(cluster, {'plain': {
        'k8s_host': f'https://127.0.0.1:{picky.port}',
        'k8s_auth_type': 'certificate', 'token_reviewer_jwt': None,
        'k8s_client_certificate': cluster.file('stranger.crt', pair[0]),
        'k8s_client_key': cluster.file('stranger.key', pair[1])}})
    t.is_(gateway.login(), (502, 'api_tls'),
          'a client certificate of another CA')
    t.ok(gateway.nginx.grep('login failed, api_tls: .* alert '),
         'the log has the alert')


@t.story
def a_server_that_wants_a_certificate_gets_none_by_a_token(cluster, picky):
    gateway = Gateway(cluster, {'plain': {
        'k8s_host': f'https://127.0.0.1:{picky.port}'}})
    t.is_(gateway.login(), (502, 'api_tls'), 'a login')


# Refused is refused, and known at once

@t.story
def a_connect_that_is_refused_is_known_and_forgotten_at_once(
        cluster, gateway):
    cluster.api.unlisten()
    cluster.api.drop()
    t.is_(gateway.login(), AWAY, 'a login')
    t.ok(gateway.nginx.grep(
        f'Connection refused.*https://127.0.0.1:{cluster.port}'),
         'the log says so')
    cluster.api.listen()
    t.is_(gateway.login(), OK, 'and it is tried at once when it may')


# Silent addresses are left to a probe now and then, also under a new lease

@t.story
def a_silent_address_is_left_alone_until_it_is_back(cluster):
    gateway = Gateway(cluster, {'plain': {
        'k8s_host': f'https://silent.test:{cluster.port}',
        'akl_k8s_review_timeout': '1s connect=200ms'}})
    login, names, nginx = gateway.login, gateway.names, gateway.nginx
    silently = 'all addresses were silent lately'

    cluster.api.unlisten()
    silent = Silent('127.0.0.2', cluster.port)
    t.ok(wait_for(lambda: login()[0] == 503), 'a silent address')
    mark = nginx.mark()
    t.ok(wait_for(lambda: login() == AWAY and nginx.grep(silently, mark)),
         'is left after a while')

    def left_alone():
        """Say whether logins after the next lookup leave it alone."""
        asked = names.asked['silent.test']
        wait_for(lambda: login() != AWAY
                 or names.asked['silent.test'] > asked)
        since = nginx.mark()
        login()
        login()
        return nginx.grep(silently, since)

    t.ok(wait_for(left_alone),
         'the name is looked up again, and nothing changes')
    silent.close()
    cluster.api.listen('127.0.0.2', cluster.port)
    t.ok(wait_for(lambda: login() == OK), 'until it is back')
    t.is_([login()[0] for _ in range(5)], [200] * 5, 'for good')


# A resolver that has fallen silent: what it last said is good

@t.story
def a_resolver_that_falls_silent_stops_no_login(mute):
    names, log = mute.names, mute.nginx
    t.is_(mute.login(), OK, 'a name')
    names.mute = True
    asked = names.asked['mute.test']
    t.ok(wait_for(lambda: mute.login()[0] == 200
                  and names.asked['mute.test'] > asked),
         'the resolver does not answer any more')
    t.is_([mute.login() for _ in range(3)], [OK] * 3,
          'logins go on with the addresses that are known')
    if not nginx_.has('--with-debug'):
        t.skip('this nginx is built without --with-debug', 3)
        return

    def login(waits):
        """Log in; say whether that was after a wait for the resolver."""
        mark = log.mark()
        return mute.login() == OK and waits == bool(log.grep(
            'place mute.test: no answer from the resolver', mark))

    t.ok(wait_for(lambda: login(True)), 'one waits for the resolver')
    t.is_(log.grep('could not be resolved'), [],
          'but not until that has given up')
    t.ok(wait_for(lambda: login(False)), 'and the next one does not wait')


# A worker that quits answers what comes on the connections it has, and does
# not wait for the resolver

@t.story
def a_worker_that_quits_does_not_wait_for_the_resolver(mute):
    nginx = mute.nginx
    t.is_(mute.login(), OK, 'a name')
    mute.names.mute = True
    asked = mute.names.asked['mute.test']
    t.ok(wait_for(lambda: mute.login()[0] == 200
                  and mute.names.asked['mute.test'] > asked),
         'the resolver does not answer any more')
    data = client.build('POST', '/v2/auth', body=mute.body(), close=False)
    with client.Session(nginx.port) as session:
        session.request(path='/plain')
        session.sock.sendall(data[:-100])
        mark = nginx.mark()
        nginx.send_signal('QUIT')
        t.ok(nginx.wait_log('gracefully shutting down', since=mark),
             'a worker quits')
        session.sock.sendall(data[-100:])
        answer = session.receive('POST')
    t.is_(answer.status, 200, 'and still asks the API server')
    t.is_(nginx.process.wait(PATIENCE), 0, 'then it ends')


# Without connections or descriptors a login fails by our lack of them, for now

def waiting(gateway):
    """Begin a login; return its session and the rest of it, unsent."""
    head, _, rest = client.build(
        'POST', '/v2/auth', {'Expect': '100-continue'}, gateway.body(),
        close=False).partition(b'\r\n\r\n')
    session = client.Session(gateway.nginx.port)
    session.sock.sendall(head + b'\r\n\r\n')
    return session, rest, session.sock.recv(4096).decode()


@t.story
def a_lack_of_connections_is_not_held_against_the_api_server(cluster):
    gateway = Gateway(cluster, {'plain': {}}, connections=16)
    gateway.nginx.expect('worker_connections are not enough')
    t.is_(gateway.login(), OK, 'a few connections')
    cluster.api.fault('hold')
    begun = [waiting(gateway) for _ in range(9)]
    t.like(begun[-1][2], 'HTTP/1.1 100 ', 'nine requests are being read')
    for session, rest, _ in begun:
        session.sock.sendall(rest)
    t.ok(wait_for(lambda: gateway.nginx.grep(
        'login failed, overloaded: .*: no worker_connections are free')),
         'there are none left for some reviews')
    cluster.api.clear()
    cluster.api.release()
    answers = set()
    for session, _, _ in begun:
        with session:
            answer = session.receive('POST')
            answers.add((answer.status, answer.json().get('reason'),
                         answer.header('Retry-After')))
    t.is_(answers, {(*OK, None), (*BUSY, '1')},
          'some are answered, some are asked to try again')
    t.is_([gateway.login() for _ in range(5)], [OK] * 5,
          'and nothing is held against the API server')


def crowd(gateway, said):
    """Connect until nginx has no room for more; return the connections."""
    socks = []
    while not gateway.nginx.grep(said):
        sock = socket.create_connection(('127.0.0.1', gateway.nginx.port))
        sock.sendall(b'GET /plain HTTP/1.1\r\n')
        socks.append(sock)
    return socks


def without_descriptors(gateway):
    """Log in when none is left; return the connections that took them."""
    gateway.nginx.expect('Too many open files')
    session, rest, _ = waiting(gateway)
    socks = crowd(gateway, r'accept4?\(\) failed \(24')
    with session:
        session.sock.sendall(rest)
        answer = session.receive('POST')
    t.is_((answer.status, answer.json()['reason'],
           answer.header('Retry-After')), (*BUSY, '1'), 'a login')
    return socks


@t.story
def a_lack_of_descriptors_is_not_held_against_the_api_server(cluster):
    gateway = Gateway(cluster, {'plain': {}},
                      main='worker_rlimit_nofile 48;')
    socks = without_descriptors(gateway)
    t.ok(gateway.nginx.wait_log('login failed, overloaded: .*: no socket could '
                                'be opened: Too many open files'),
         'the log says so')
    for sock in socks:
        sock.close()
    t.is_([gateway.login() for _ in range(5)], [OK] * 5,
          'and nothing is held against the API server')


@t.story
def a_resolver_that_lacks_a_descriptor_is_not_one_without_an_answer(cluster):
    gateway = Gateway(cluster, {'plain': {
        'k8s_host': f'https://api.test:{cluster.port}'}},
        main='worker_rlimit_nofile 48;')
    socks = without_descriptors(gateway)
    t.ok(gateway.nginx.wait_log(
        'login failed, overloaded: .*: no socket could be opened for the '
        'resolver: Too many open files'), 'the log says so')
    t.is_(gateway.names.asked, {}, 'nobody was asked')
    for sock in socks:
        sock.close()
    t.is_([gateway.login() for _ in range(5)], [OK] * 5,
          'the next login asks, and waits for no time to pass')


@t.story
def a_connection_that_only_waits_gives_way_to_a_review(cluster):
    gateway = Gateway(cluster, {'plain': {}}, connections=16)
    gateway.nginx.expect('worker_connections are not enough')
    idle = [client.Session(gateway.nginx.port) for _ in range(4)]
    for session in idle:
        t.is_(session.request(path='/plain').status, 204, 'one is kept alive')
    begun = [waiting(gateway) for _ in range(6)]
    cluster.api.fault('hold')
    with gateway.nginx.frozen():
        for session, rest, _ in begun:
            session.sock.sendall(rest)
    t.ok(wait_for(lambda: cluster.api.stats()['review'] == len(begun)),
         'more reviews at once than there are connections free')
    cluster.api.release()
    t.is_({session.receive('POST').status for session, _, _ in begun}, {200},
          'those that only wait were closed for them')


# libcurl writes 16 KB at a time

def of_size(cluster, most):
    """Return the largest pod token of at most so many bytes."""
    short = len(cluster.issue(claims={'padding': ''}))
    for more in range((most - short) * 3 // 4 + 3, 0, -1):
        token = cluster.issue(claims={'padding': 'x' * more})
        if len(token) <= most:
            return token
    raise RuntimeError('no such token')


@t.story
def the_largest_pod_token_is_reviewed_in_more_than_one_piece(
        cluster, reviewer):
    cluster.file('own.jwt', cluster.api.issue(
        'akl-system', account='reviewer', claims={'padding': 'x' * 8000}))
    gateway = Gateway(cluster, {'plain': {'token_reviewer_jwt': reviewer}})
    for size, expected in ((MAX, OK), (MAX + 2, (401, 'token_too_large'))):
        token = of_size(cluster, size)
        t.ok(MAX - 3 < len(token) <= size, f'{len(token)} bytes')
        answer = client.post(gateway.nginx.port, '/v2/auth',
                             cluster.login(token, 'plain'))
        t.is_((answer.status, answer.json().get('reason')), expected,
              'a review' if expected == OK else 'is refused unasked')
    t.is_(cluster.api.stats()['review'], 1, 'one was asked for')


t.tell()
