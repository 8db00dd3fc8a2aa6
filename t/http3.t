#!/usr/bin/python3
"""Logins, guards and exchanges over HTTP/3, and clients that leave there."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import http3  # noqa: E402
import nginx as nginx_  # noqa: E402
import tokens  # noqa: E402
from akltest import CONFIG, Test, client, wait_for  # noqa: E402
from dialects import FORM, VAULT, minted, token_exchange  # noqa: E402
from minted import bearer  # noqa: E402

JSON = {'Content-Type': 'application/json'}
HTTP = f'''
    akl_k8s_cache_valid 1h;
    akl_k8s_review_timeout 60s connect=30s;
    @method@
    @config@
    log_format protocol '$server_protocol $uri $status $akl_k8s_status';
    access_log @dir@/protocol.log protocol;
    ssl_certificate @certs@/server.crt;
    ssl_certificate_key @certs@/server.key;
    client_body_buffer_size 1k;
    keepalive_timeout 1h;
    server {{
        {nginx_.http3('127.0.0.1:@port@')}
        listen 127.0.0.1:@port1@;
        location = /v2/auth {{ akl_k8s_auth; }}
        location = {VAULT} {{ akl_k8s_auth vault; }}
        location = /token {{ akl_k8s_auth oauth; }}
        location = /introspect {{ akl_k8s_introspect k8s-conf; }}
        location = /revoke {{ akl_k8s_revoke; }}
        location = /jwks.json {{ akl_k8s_jwks k8s-conf; }}
        location = /status {{ akl_k8s_status; }}
        location = /guarded {{
            akl_k8s_guard k8s-conf;
            proxy_set_header X-Pod $akl_k8s_pod_name;
            proxy_pass http://127.0.0.1:@mock@;
        }}
        location = /exchange {{
            akl_k8s_exchange k8s-conf;
            proxy_set_header Authorization "Bearer $akl_k8s_token";
            proxy_set_header X-Pod $akl_k8s_pod_name;
            proxy_pass http://127.0.0.1:@mock@;
        }}
        location = /plain {{ return 200 plain; }}
    }}
'''

t = Test(need_module=True)
if not nginx_.has('http_v3_module'):
    t.skip_all('nginx is built without http_v3_module')
if not http3.available():
    t.skip_all('no python3-aioquic')


@t.shared
def cluster():
    """A cluster with two pods."""
    cluster = t.cluster()
    cluster.api.pod('my-namespace-a', 'mypod2', account='builder')
    return cluster


@t.shared
def mock():
    """What guard and exchange pass on to."""
    return t.mock()


class Gateway:
    """A gateway over HTTP/3."""

    number = 0

    def __init__(self, cluster, mock, **kw):
        self.cluster = cluster
        self.mock = mock
        self.nginx = t.nginx(HTTP, method=cluster.method(),
                             config=cluster.config(), mock=mock.port,
                             certs=cluster.dir, **kw)
        self.port = self.nginx.port
        self.worker = self.nginx.workers()
        self.seen = 0

    def session(self):
        """Connect."""
        return http3.Session(self.port)

    def fresh(self, pod='mypod1'):
        """Issue a token that no other request had."""
        Gateway.number += 1
        return self.cluster.issue(pod, claims={'n': self.number})

    def in_flight(self):
        """Return how many reviews are under way, by the status page."""
        page = client.get(self.nginx.port_of('port1'), '/status').json()
        return page['configs'][CONFIG]['reviews_in_flight']

    def requests(self):
        """Return the requests over HTTP/3 that are over."""
        return [line for line in self.nginx.access_log('protocol.log')
                if line.startswith('HTTP/3')]

    def left(self):
        """Say whether one is over while its review is not."""
        return len(self.requests()) > self.seen

    def release(self):
        """Let the API server answer."""
        self.cluster.api.clear()
        self.cluster.api.release()

    def goes_on(self, name):
        """Test that nothing is left over, and that others log in."""
        t.ok(wait_for(lambda: self.in_flight() == 0), f'{name}: no review')
        with self.session() as session:
            answer = session.request('POST', '/v2/auth', JSON, json.dumps(
                self.cluster.login(self.fresh())))
            t.is_(answer.status, 200, f'{name}: others log in')
        t.is_(self.nginx.workers(), self.worker, f'{name}: the worker lives')


@t.shared
def gateway(cluster, mock):
    """The gateway of all stories."""
    return Gateway(cluster, mock)


def logins(cluster):
    """Return {dialect: (token -> request, answer -> minted token)}."""
    return {
        'akeyless': (lambda pod: ('POST', '/v2/auth', JSON,
                                  json.dumps(cluster.login(pod))),
                     lambda answer: answer.json()['token']),
        'akeyless, a bearer': (
            lambda pod: ('GET', f'/v2/auth?k8s-auth-config-name={CONFIG}',
                         bearer(pod)),
            lambda answer: answer.json()['token']),
        'vault': (lambda pod: ('POST', VAULT, JSON, json.dumps(
            {'role': CONFIG, 'jwt': pod})),
                  lambda answer: answer.json()['auth']['client_token']),
        'oauth': (lambda pod: ('POST', '/token', FORM, token_exchange(pod)),
                  lambda answer: answer.json()['access_token'])}


def stranger(cluster):
    """Return a token that no key of the cluster's has signed."""
    return tokens.k8s_sign(tokens.decode(cluster.issue())[1],
                           tokens.key('RSA-2048', 'stranger'))


@t.story
def a_pod_logs_in_in_each_dialect(cluster, gateway):
    with gateway.session() as session:
        for name, (way, got) in logins(cluster).items():
            answer = session.request(*way(gateway.fresh()))
            t.is_(answer.status, 200, name)
            t.is_(minted(got(answer))['pod_name'], 'mypod1', f'{name}: whose')
            t.is_(answer.header('cache-control'), 'no-store',
                  f'{name}: not to be stored')
    t.ok(wait_for(lambda: len(gateway.requests()) >= 4), 'over HTTP/3')


@t.story
def a_refused_login_is_told_its_reason_in_its_dialect(cluster, gateway):
    for name, status in (('akeyless', 401), ('akeyless, a bearer', 401),
                         ('vault', 403), ('oauth', 400)):
        with gateway.session() as session:
            answer = session.request(
                *logins(cluster)[name][0](stranger(cluster)))
            t.is_(answer.status, status, name)
            t.like(answer.text, 'token_rejected', f'{name}: why')


@t.story
def what_is_wrong_with_a_request_is_told(cluster, gateway):
    with gateway.session() as session:
        for name, request, status in (
                ('another method', ('DELETE', '/v2/auth'), 405),
                ('another type', ('POST', '/v2/auth', {
                    'Content-Type': 'text/plain'}, 'x'), 415),
                ('no JSON', ('POST', '/v2/auth', JSON, '{'), 400),
                ('a token in the query', (
                    'GET', f'/v2/auth?k8s-auth-config-name={CONFIG}&token='
                    + cluster.issue()), 400)):
            answer = session.request(*request)
            t.is_((answer.status, answer.json()['reason']),
                  (status, 'request_malformed'), name)


def split(text, size):
    """Return a text in parts."""
    return [text[at:at + size] for at in range(0, len(text), size)]


@t.story
def a_body_may_come_in_any_parts(cluster, gateway):
    with gateway.session() as session:
        for size in (1, 7, 400, 1500, 100000):
            text = json.dumps(cluster.login(gateway.fresh()))
            stream = session.send('POST', '/v2/auth', JSON, end=False)
            parts = split(text, size)
            for number, part in enumerate(parts):
                session.more(stream, part, end=number + 1 == len(parts))
                session.wait(lambda: True)
            t.is_(session.receive(stream).status, 200,
                  f'{size} bytes at a time')
        text = json.dumps(cluster.login(gateway.fresh(),
                                        padding='x' * 20000))
        t.is_(session.request('POST', '/v2/auth', JSON, text).status, 200,
              'more than fits into a buffer')
        stream = session.send('POST', '/v2/auth', JSON, text, end=False)
        session.more(stream, '')
        t.is_(session.receive(stream).status, 200, 'and an end by itself')
    held = [name for _, _, files in os.walk(os.path.join(
        gateway.nginx.dir, 'client_body_temp')) for name in files]
    t.is_(held, [], 'none of it in a file')


@t.story
def a_body_that_is_too_large_is_refused_however_it_comes(cluster, gateway):
    text = json.dumps(cluster.login(cluster.issue(), padding='x' * 40000))
    for name, headers in (('told before', {'Content-Length': str(len(text))}),
                          ('found out', {})):
        with gateway.session() as session:
            answer = session.request('POST', '/v2/auth', {**JSON, **headers},
                                     text)
            t.is_((answer.status, answer.json()['reason']),
                  (413, 'request_malformed'), name)


@t.story
def two_logins_of_one_connection_get_each_its_own_token(cluster, gateway):
    cluster.api.fault('hold')
    with gateway.session() as session:
        sent = {}
        for pod in ('mypod1', 'mypod2') * 3:
            for name, (way, got) in logins(cluster).items():
                sent[session.send(*way(gateway.fresh(pod)))] = name, pod, got
        t.ok(session.wait(lambda: gateway.in_flight() == len(sent)),
             'all of them wait at once')
        t.is_(session.request(path='/plain').text, 'plain',
              'another stream is served meanwhile')
        gateway.release()
        for stream, (name, pod, got) in reversed(sent.items()):
            answer = session.receive(stream)
            t.is_((answer.status, minted(got(answer))['pod_name']),
                  (200, pod), f'{name}, {pod}')


@t.story
def a_guard_lets_a_minted_token_in_and_nothing_else(cluster, gateway):
    way, got = logins(cluster)['akeyless']
    with gateway.session() as session:
        token = got(session.request(*way(gateway.fresh())))
        answer = session.request(path='/guarded', headers=bearer(token))
        t.is_((answer.status, gateway.mock.header(answer.json(), 'x-pod')),
              (200, ['mypod1']), 'a minted token')
        for name, headers, reason in (
                ('no token', {}, None),
                ('a pod token', bearer(cluster.issue()), 'signature_invalid'),
                ('one that was changed', bearer(token[:-8] + 'AAAAAAAA'),
                 'signature_invalid')):
            answer = session.request(path='/guarded', headers=headers)
            t.is_(answer.status, 401, name)
            t.like(answer.header('www-authenticate'), reason or '^Bearer ',
                   f'{name}: the challenge')
        t.is_(session.request('POST', '/introspect', FORM,
                              'token=' + token).json()['active'], True,
              'it is active')
        t.is_(session.request('POST', '/revoke', FORM,
                              'token=' + token).status, 200, 'is taken back')
        t.is_(session.request(path='/guarded', headers=bearer(token)).status,
              401, 'and refused')


@t.story
def an_exchange_passes_a_body_on_after_the_review(cluster, gateway):
    cluster.api.fault('hold')
    cluster.api.reset_stats()
    pods = 'mypod1', 'mypod2'
    with gateway.session() as session:
        sent = [session.send('POST', '/exchange',
                             bearer(gateway.fresh(pod)), 'x' * 50000,
                             end=False) for pod in pods]
        t.ok(session.wait(lambda: cluster.api.stats()['review'] == 2),
             'two wait')
        session.more(sent[0], 'y')
        gateway.release()
        session.more(sent[1], 'yy')
        for stream, pod, size in zip(sent, pods, (50001, 50002)):
            answer = session.receive(stream)
            seen = answer.json()
            token = gateway.mock.header(seen, 'authorization')[0].split()[1]
            t.is_((answer.status, len(seen['body']), minted(token)['pod_name'],
                   gateway.mock.header(seen, 'x-pod')),
                  (200, size, pod, [pod]), f'{pod}, whose body is whole')


# Clients that leave

def waits(gateway, session, request, end=True):
    """Send a request, and see its review wait."""
    gateway.seen = len(gateway.requests())
    stream = session.send(*request, end=end)
    t.ok(session.wait(lambda: gateway.in_flight() == 1), 'a review waits')
    return stream


def ways_to_leave(session, stream):
    """Return {name: how to leave}."""
    return {'resets the stream': lambda: session.reset(stream),
            'wants no answer': lambda: session.stop(stream),
            'closes the connection': session.close,
            'is silent from now on': session.leave}


LEAVING = tuple(ways_to_leave(http3.Session, 0))
SILENT = LEAVING[-1]        # who is not noticed before he should answer


@t.story
def a_client_may_leave_in_the_midst_of_its_body(cluster, gateway):
    text = json.dumps(cluster.login(gateway.fresh()))
    for name in LEAVING:
        for size in (0, 1, len(text) // 2, len(text)):
            session = gateway.session()
            stream = session.send('POST', '/v2/auth', JSON, text[:size],
                                  end=False)
            t.is_(session.request(path='/plain').status, 200,
                  f'{name} after {size} bytes')
            ways_to_leave(session, stream)[name]()
        gateway.goes_on(name)


@t.story
def a_client_may_leave_while_its_review_is_under_way(cluster, gateway):
    api = cluster.api
    for kind, way in {**{name: way for name, (way, _) in
                         logins(cluster).items()},
                      'exchange': lambda pod: ('GET', '/exchange',
                                               bearer(pod))}.items():
        for name in LEAVING:
            gateway.mock.requests.clear()
            api.fault('hold')
            api.reset_stats()
            pod = gateway.fresh()
            session = gateway.session()
            stream = waits(gateway, session, way(pod))
            ways_to_leave(session, stream)[name]()
            if name != SILENT:
                t.ok(wait_for(gateway.left), f'{kind}: {name}: is noticed')
                t.is_(gateway.in_flight(), 1, 'the review goes on')
            gateway.release()
            gateway.goes_on(f'{kind}: {name}')
            if name != SILENT:
                t.is_(len(gateway.mock.requests), 0,
                      'the upstream has seen none of it')
            t.is_(client.request(gateway.nginx.port_of('port1'), *way(pod))
                  .status, 200, 'the token logs in again')
            t.is_(api.stats()['review'], 2, 'by the review that was left')


@t.story
def a_client_may_leave_with_an_exchange_whose_body_is_not_whole(
        cluster, gateway):
    for name in LEAVING:
        if name == SILENT:
            continue
        gateway.mock.requests.clear()
        cluster.api.fault('hold')
        session = gateway.session()
        stream = waits(gateway, session, (
            'POST', '/exchange', bearer(gateway.fresh()), 'x' * 5000),
            end=False)
        ways_to_leave(session, stream)[name]()
        t.ok(wait_for(gateway.left), f'{name}: it is noticed')
        gateway.release()
        gateway.goes_on(name)
        t.is_(len(gateway.mock.requests), 0, 'the upstream saw nothing')


@t.story
def one_stream_is_reset_and_the_others_stay(cluster, gateway):
    way, got = logins(cluster)['vault']
    cluster.api.fault('hold')
    with gateway.session() as session:
        sent = [session.send(*way(gateway.fresh())) for _ in range(4)]
        t.ok(session.wait(lambda: gateway.in_flight() == 4), 'four wait')
        session.reset(sent[0])
        session.reset(sent[2])
        t.is_(session.request(path='/plain').text, 'plain',
              'two of them are reset')
        gateway.release()
        t.is_([minted(got(session.receive(stream)))['pod_name']
               for stream in (sent[1], sent[3])], ['mypod1'] * 2,
              'the others are answered')
        t.is_(session.request(path='/plain').text, 'plain',
              'and the connection goes on')
    gateway.goes_on('afterwards')


t.tell()
