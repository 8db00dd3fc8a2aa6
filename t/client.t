#!/usr/bin/python3
"""The client of the API servers where the network is at its worst."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import dns  # noqa: E402
from akltest import PATIENCE, Test, client, wait_for  # noqa: E402
from gates import Picky, Silent  # noqa: E402

t = Test(need_module=True)
cluster = t.cluster()
api = cluster.api
names = dns.Server({'api.test': ['127.0.0.1'], 'mute.test': ['127.0.0.1'],
                    'silent.test': ['127.0.0.2']})
api.certificate(*certs.write_pair(
    cluster.dir, 'named', certs.Authority().server(names=(
        '127.0.0.1', 'api.test', 'mute.test', 'silent.test'))))
picky = Picky(api.path('server.crt'), api.path('server.key'),
              api.path('ca.crt'))
reviewer = cluster.file('own.jwt', api.read('reviewer.jwt'))
stranger = certs.Authority('stranger').client('akl', ['system:masters'])

CONFIGS = {
    'plain': {'token_reviewer_jwt': reviewer},
    'mute': {'k8s_host': f'https://mute.test:{cluster.port}'},
    'silent': {'k8s_host': f'https://silent.test:{cluster.port}',
               'akl_k8s_review_timeout': '1s connect=200ms'},
    'refused': {},
    'bare': {'k8s_host': f'https://127.0.0.1:{picky.port}'},
    'stranger': {'k8s_host': f'https://127.0.0.1:{picky.port}',
                 'k8s_auth_type': 'certificate', 'token_reviewer_jwt': None,
                 'k8s_client_certificate': cluster.file('stranger.crt',
                                                        stranger[0]),
                 'k8s_client_key': cluster.file('stranger.key', stranger[1])}}

HTTP = '''
    resolver 127.0.0.1:@dns@;
    resolver_timeout 60s;
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
nginx = t.nginx(HTTP, dns=names.port, method=cluster.method(), configs=''.join(
    cluster.config(name=name, **members)
    for name, members in CONFIGS.items()))
number = 0


def body(config='plain'):
    """Return a login with a token of its own."""
    global number
    number += 1
    return cluster.login(cluster.issue(claims={'n': number}), config)


def login(config='plain'):
    """Log in; return status and reason."""
    answer = client.post(nginx.port, '/v2/auth', body(config))
    return answer.status, answer.json().get('reason')


# An answer whose head is torn: its status is no word of the API server

api.reset_stats()
mark = nginx.mark()
cluster.file('own.jwt', api.issue('akl-system', account='reviewer', ttl=9999))
api.fault(raw='HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json')
t.is_(login(), (502, 'api_error'), 'a 401 torn in its head')
t.ok(nginx.grep("the answer's head is not whole", mark), 'the log says so')
t.is_(api.stats()['review'], 1, 'nobody looked for another reviewer')
api.clear()
api.fault(raw='HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n')
t.is_(nginx.grep('was replaced', mark), [], 'nor read the credentials again')
t.is_(login(), (502, 'reviewer_unauthorized'), 'and a whole one')
t.ok(nginx.grep('token_reviewer_jwt .*was replaced$', mark),
     'for which they are')
api.clear()
api.fault(raw='HTTP/1.1 100 Continue\r\n\r\n')
t.is_(login(), (503, 'api_unreachable'), 'an interim head and no more')
api.clear()

# The alert about our certificate comes after the handshake in TLS 1.3

mark = nginx.mark()
t.is_(login('stranger'), (502, 'api_tls'), 'a client certificate of another')
t.ok(nginx.grep('login failed, api_tls: .* alert ', mark),
     'the log has the alert')
t.is_(login('bare'), (502, 'api_tls'), 'none where one is wanted')

# Refused is refused, and known at once

api.unlisten()
api.drop()
mark = nginx.mark()
t.is_(login('refused'), (503, 'api_unreachable'), 'a connect that is refused')
t.ok(nginx.grep(f'Connection refused.*https://127.0.0.1:{cluster.port}',
                mark), 'the log says so')
api.listen()
t.is_(login('refused'), (200, None), 'and is tried at once when it may')

# Silent addresses are left to a probe now and then, also under a new lease

api.unlisten()
silent = Silent('127.0.0.2', cluster.port)
t.ok(wait_for(lambda: login('silent')[0] == 503), 'a silent address')
mark = nginx.mark()
t.ok(wait_for(lambda: login('silent') == (503, 'api_unreachable')
              and nginx.grep('all addresses were silent lately', mark)),
     'is left after a while')


def left_alone():
    """Say whether logins after the next lookup leave the address alone."""
    asked = names.asked['silent.test']
    wait_for(lambda: login('silent') != (503, 'api_unreachable')
             or names.asked['silent.test'] > asked)
    since = nginx.mark()
    login('silent')
    login('silent')
    return nginx.grep('all addresses were silent lately', since)


t.ok(wait_for(left_alone), 'the name is looked up again, and nothing changes')
silent.close()
api.listen('127.0.0.2', cluster.port)
t.ok(wait_for(lambda: login('silent') == (200, None)), 'until it is back')
t.is_([login('silent')[0] for _ in range(5)], [200] * 5, 'for good')
api.unlisten()
api.listen('127.0.0.1', cluster.port)

# A resolver that has fallen silent: what it last said is good

t.is_(login('mute'), (200, None), 'a name')
names.mute = True
asked = names.asked['mute.test']
t.ok(wait_for(lambda: login('mute')[0] == 200
              and names.asked['mute.test'] > asked),
     'the resolver does not answer any more')
t.is_([login('mute') for _ in range(3)], [(200, None)] * 3,
      'logins go on with the addresses that are known')
asked = names.asked['mute.test']
times = []
t.ok(wait_for(lambda: times.append(client.post(
    nginx.port, '/v2/auth', body('mute')).seconds)
    or names.asked['mute.test'] > asked), 'it is asked once more')
t.ok(0.2 < times[-1] < 60, 'which takes a login a moment', times[-1])
t.ok(wait_for(lambda: client.post(nginx.port, '/v2/auth',
                                  body('mute')).seconds < 0.2),
     'and the next one nothing')

# A worker that quits answers what comes on the connections it has, and does
# not wait for the resolver

data = client.build('POST', '/v2/auth', body=body(), close=False)
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
names.mute = False

# Without connections a login fails by our fault, not the API server's

nginx.expect('worker_connections are not enough')
nginx.configure(connections=16)
nginx.start()
t.is_(login(), (200, None), 'a few connections')
api.fault('hold')
api.reset_stats()
sessions = []
for _ in range(9):
    head, _, rest = client.build(
        'POST', '/v2/auth', {'Expect': '100-continue'}, body(),
        close=False).partition(b'\r\n\r\n')
    session = client.Session(nginx.port)
    session.sock.sendall(head + b'\r\n\r\n')
    told = session.sock.recv(4096)
    sessions.append((session, rest))
t.like(told.decode(), 'HTTP/1.1 100 ', 'nine requests are being read')
for session, rest in sessions:
    session.sock.sendall(rest)
t.ok(wait_for(lambda: nginx.grep('login failed, internal_error.*connections')),
     'there are none left for some reviews')
api.clear()
api.release()
answers = []
for session, _ in sessions:
    with session:
        answer = session.receive('POST')
        answers.append((answer.status, answer.json().get('reason')))
t.is_({*answers}, {(200, None), (500, 'internal_error')},
      'some are answered, some fail')
t.is_([login() for _ in range(5)], [(200, None)] * 5,
      'and nothing is held against the API server')

names.close()
t.done_testing()
