#!/usr/bin/python3
"""Connections to the API servers: how many, where to, under which CA."""

import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import dns  # noqa: E402
from akltest import NAMESPACE, Test, client, wait_for  # noqa: E402
from gates import Silent  # noqa: E402

OK = 200, None
TLS = 502, 'api_tls'
STRANGER = certs.Authority('stranger')
HASTY = {'akl_k8s_review_timeout': '60s connect=200ms'}
HTTP = '''
    resolver 127.0.0.1:@dns@;
    akl_k8s_cache_valid 0 refused=0;
    akl_k8s_review_timeout 60s connect=60s;
    @method@
    @config@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /plain { return 204; }
        location = /status { akl_k8s_status; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster whose API server has a second address, and a name."""
    made = t.cluster()
    made.api.certificate(*certs.write_pair(
        made.dir, 'named', certs.Authority().server(
            names=('127.0.0.1', '127.0.0.2', 'many.test'))))
    return made


@t.shared
def other(cluster):
    """A second API server with the same reviewer."""
    made = t.cluster()
    made.api.static(cluster.api.read('reviewer.jwt').strip(),
                    'system:serviceaccount:akl-system:reviewer')
    return made


class Gateway:
    """An nginx that knows the API servers by some hosts."""

    def __init__(self, cluster, **members):
        self.cluster = cluster
        self.names = dns.Server(
            {'many.test': [f'127.0.0.{n}' for n in range(1, 6)]})
        self.nginx = t.nginx(HTTP, dns=self.names.port,
                             method=cluster.method(),
                             config=cluster.config(**members))

    def post(self, token=None):
        """Log in; return the answer."""
        return client.post(self.nginx.port, '/v2/auth', self.cluster.login(
            token or self.cluster.issue()))

    def login(self, token=None):
        """Log in; return status and reason."""
        answer = self.post(token)
        return answer.status, answer.json().get('reason')

    def opened(self):
        """Return how many connections the worker has begun so far."""
        return client.get(self.nginx.port, '/status').json()[
            'worker']['connections']

    def crowd(self, count):
        """Log in so many times at once; return the calls, under way."""
        tokens = [self.cluster.issue() for _ in range(count)]
        return [client.Background(self.post, token) for token in tokens]


def statuses(calls):
    """Wait for calls; return their statuses."""
    return [call.result().status for call in calls]


def known_to(other, cluster):
    """Return a token that both API servers know."""
    token = cluster.issue()
    uids = cluster.api.uids()
    other.api.static(
        token, f'system:serviceaccount:{NAMESPACE}:builder',
        uids[f'account/{NAMESPACE}/builder'],
        ['system:serviceaccounts', f'system:serviceaccounts:{NAMESPACE}',
         'system:authenticated'],
        {'authentication.kubernetes.io/pod-name': ['mypod1'],
         'authentication.kubernetes.io/pod-uid':
             [uids[f'pod/{NAMESPACE}/mypod1']]})
    return token


def move(api, address):
    """Let an API server listen at another address."""
    port = api.port
    api.unlisten()
    api.listen(address, port)


@t.own
def gateway(cluster):
    """A gateway with one host."""
    return Gateway(cluster)


# Who asks

@t.story
def the_api_server_learns_the_modules_name_and_version(cluster, gateway):
    t.is_(gateway.login(), OK, 'a login')
    agent = dict(cluster.api.records(1)[0]['headers'])['User-Agent']
    t.like(agent, r'^ngx_http_akl_k8s_module/\d+\.\d+\.\d+$', 'the agent')


# Refused connects: one for each address, and no more

@t.story
def addresses_that_refuse_are_tried_once_each(cluster, other):
    gateway = Gateway(
        cluster, k8s_host=f'{other.url} https://127.0.0.2:{other.port}')
    other.api.unlisten()
    before = gateway.opened()
    answer = gateway.post()
    t.is_((answer.status, answer.json()['reason'],
           answer.header('retry-after')), (503, 'api_unreachable', '1'),
          'a login')
    t.is_(gateway.opened() - before, 2, 'the connections')


# The descriptors of connects that took too long are soon those of others,
# which a change of the CA must not touch

def still_there(sessions):
    """Return how many clients are still served."""
    alive = 0
    for session in sessions:
        with session:
            try:
                alive += session.request(path='/plain').status == 204
            except (OSError, client.http.client.HTTPException) as error:
                t.note(repr(error))
    return alive


@t.story
def a_change_of_the_ca_touches_no_client(cluster):
    api = cluster.api
    own = certs.Authority().pem
    gateway = Gateway(
        cluster, k8s_host=f'https://127.0.0.2:{cluster.port}',
        k8s_ca_cert=cluster.file('alone.crt', own), **HASTY)
    with contextlib.closing(Silent('127.0.0.2', cluster.port)):
        t.is_(statuses(gateway.crowd(16)), [503] * 16, 'a silent address')
        sessions = [client.Session(gateway.nginx.port) for _ in range(40)]
        for session in sessions:
            session.request(path='/plain')
    mark = gateway.nginx.mark()
    move(api, '127.0.0.2')
    cluster.file('alone.crt', own + STRANGER.pem)
    api.fault('unauthorized', count=1)
    t.ok(wait_for(lambda: gateway.login() == OK), 'a CA more')
    t.ok(gateway.nginx.grep('k8s_ca_cert .*was replaced$', mark), 'is found')
    t.is_(still_there(sessions), len(sessions),
          'and all clients are still there')


# Connections made under a CA end with it: idle ones at once, one that is in
# use after its answer

@t.story
def connections_made_under_a_ca_end_with_it(cluster):
    api = cluster.api
    own = certs.Authority().pem
    gateway = Gateway(cluster, k8s_ca_cert=cluster.file('own.crt', own))
    t.ok(wait_for(lambda: api.stats()['open'] == 0), 'no connection is left')
    api.fault('hold')
    calls = gateway.crowd(8)
    t.ok(wait_for(lambda: api.stats()['in_flight'] == 8), 'eight at once')
    api.clear()
    api.release()
    t.is_(statuses(calls), [200] * 8, 'are answered')
    t.is_(api.stats()['open'], 8, 'and keep their connections')
    api.fault('hold', count=1)
    calls = gateway.crowd(1)
    t.ok(wait_for(lambda: api.stats()['in_flight'] == 1), 'one is in use')
    cluster.file('own.crt', STRANGER.pem)
    api.fault('unauthorized', count=1)
    mark = gateway.nginx.mark()
    t.is_(gateway.login(), TLS, 'another CA, which counts at once')
    t.ok(gateway.nginx.grep('api_tls: .*certificate problem', mark),
         'the log says why')
    t.ok(wait_for(lambda: api.stats()['open'] == 1), 'idle ones are closed')
    t.ok(not calls[0].done(), 'the one in use is not')
    api.clear()
    api.release()
    t.is_(statuses(calls), [200], 'it is answered')
    t.ok(wait_for(lambda: api.stats()['open'] == 0), 'and closed then')
    t.is_(gateway.login(), TLS, 'no connection of old lets a login in')
    cluster.file('own.crt', own)
    t.is_(gateway.login(), OK, 'but the former CA does')


@t.story
def a_slow_answer_is_no_silent_address(cluster):
    gateway = Gateway(cluster,
                      akl_k8s_review_timeout='300ms connect=200ms')
    cluster.api.fault('stall_before')
    t.is_([gateway.login() for _ in range(4)], [(504, 'api_timeout')] * 4,
          'answers that do not come')
    cluster.api.clear()
    t.ok(wait_for(lambda: gateway.login() == OK),
         'do not put the address aside')


@t.story
def a_host_that_fails_is_left_for_the_other(cluster, other):
    gateway = Gateway(cluster, k8s_host=f'{cluster.url} {other.url}')
    cluster.api.fault('error_503')
    t.is_(gateway.login(known_to(other, cluster)), OK,
          'a host that answers 503')
    t.is_((cluster.api.stats()['review'], other.api.stats()['review']),
          (1, 1), 'the repetition goes to the other one')
    t.is_([gateway.login(known_to(other, cluster)) for _ in range(3)],
          [OK] * 3, 'and what follows')
    t.is_(cluster.api.stats()['review'], 1, 'stays there')


@t.story
def a_kept_connection_that_dies_leads_to_the_next_host(cluster, other):
    gateway = Gateway(
        cluster, k8s_host=f'https://127.0.0.2:{cluster.port} {other.url}',
        **HASTY)
    move(cluster.api, '127.0.0.2')
    other.api.unlisten()
    other.api.drop()
    t.ok(wait_for(lambda: gateway.login() == OK), 'a connection is kept')
    other.api.listen()
    other.api.reset_stats()
    cluster.api.unlisten()
    token = known_to(other, cluster)
    with contextlib.closing(Silent('127.0.0.2', cluster.port)):
        cluster.api.fault('close_reused')
        t.is_(gateway.post(token).status, 200,
              'it dies, and its address is silent')
        t.is_(other.api.stats()['review'], 1, 'so the next host is asked')


# Also when the name is looked up again

@t.story
def of_many_addresses_the_one_that_answered_is_asked_first(cluster):
    gateway = Gateway(cluster, k8s_host=f'https://many.test:{cluster.port}')
    names = gateway.names
    cluster.api.close_after(1)
    for address in '127.0.0.1', '127.0.0.4':
        move(cluster.api, address)
        t.is_(gateway.login(), OK, f'one of five addresses: {address}')
        asked = names.asked['many.test']
        before = gateway.opened()
        answers = []
        while names.asked['many.test'] < asked + 6 and len(answers) < 5000:
            answers.append(gateway.login())
        t.is_({*answers}, {OK}, f'{address} is good')
        t.is_(gateway.opened() - before, len(answers),
              f'{address} is asked first')


@t.story
def a_worker_that_a_reload_leaves_behind_still_asks_the_api_server(
        cluster, gateway):
    nginx = gateway.nginx
    data = client.build('POST', '/v2/auth', body=cluster.login(
        cluster.issue()), close=False)
    with client.Session(nginx.port) as session:
        session.sock.sendall(data[:-100])
        old = nginx.workers()
        t.ok(nginx.reload(), 'a reload')
        session.sock.sendall(data[-100:])
        t.is_(session.receive('POST').status, 200, 'the rest of a login')
    t.ok(wait_for(lambda: not {*old} & {*nginx.workers()}), 'it ends')


t.tell()
