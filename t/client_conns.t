#!/usr/bin/python3
"""Connections to the API servers: how many, where to, under which CA."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import dns  # noqa: E402
from akltest import NAMESPACE, Test, client, wait_for  # noqa: E402
from gates import Silent  # noqa: E402

t = Test(need_module=True)
cluster = t.cluster()
other = t.cluster()
api = cluster.api
authority = certs.Authority()
stranger = certs.Authority('stranger')
names = dns.Server({'many.test': [f'127.0.0.{n}' for n in range(1, 6)]})
api.certificate(*certs.write_pair(
    cluster.dir, 'named', authority.server(names=(
        '127.0.0.1', '127.0.0.2', 'many.test'))))
ca = cluster.file('own.crt', authority.pem)

CONFIGS = {
    'plain': {'k8s_ca_cert': ca},
    'both': {'k8s_host': f'{other.url} https://127.0.0.2:{other.port}'},
    'pair': {'k8s_host': f'{cluster.url} {other.url}'},
    'alone': {'k8s_host': f'https://127.0.0.2:{cluster.port}',
              'k8s_ca_cert': cluster.file('alone.crt', authority.pem),
              'akl_k8s_review_timeout': '60s connect=200ms'},
    'lost': {'k8s_host': f'https://127.0.0.2:{cluster.port} {other.url}',
             'akl_k8s_review_timeout': '60s connect=200ms'},
    'hasty': {'akl_k8s_review_timeout': '300ms connect=200ms'},
    'many': {'k8s_host': f'https://many.test:{cluster.port}'}}

nginx = t.nginx('''
    resolver 127.0.0.1:@dns@;
    akl_k8s_cache_valid 0 refused=0;
    akl_k8s_review_timeout 60s connect=60s;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /plain { return 204; }
        location = /status { akl_k8s_status; }
    }
''', dns=names.port, method=cluster.method(), configs=''.join(
    cluster.config(name=name, **members)
    for name, members in CONFIGS.items()))
number = 0
other.api.static(api.read('reviewer.jwt').strip(),
                 'system:serviceaccount:akl-system:reviewer')


def issue():
    """Return a token of its own, which both API servers know."""
    global number
    number += 1
    token = cluster.issue(claims={'n': number})
    uids = api.uids()
    other.api.static(
        token, f'system:serviceaccount:{NAMESPACE}:builder',
        uids[f'account/{NAMESPACE}/builder'],
        ['system:serviceaccounts', f'system:serviceaccounts:{NAMESPACE}',
         'system:authenticated'],
        {'authentication.kubernetes.io/pod-name': ['mypod1'],
         'authentication.kubernetes.io/pod-uid':
             [uids[f'pod/{NAMESPACE}/mypod1']]})
    return token


def post(config='plain'):
    """Log in; return the answer."""
    return client.post(nginx.port, '/v2/auth',
                       cluster.login(issue(), config))


def login(config='plain'):
    """Log in; return status and reason."""
    answer = post(config)
    return answer.status, answer.json().get('reason')


def opened():
    """Return how many connections the worker has begun so far."""
    return client.get(nginx.port, '/status').json()['worker']['connections']


def crowd(count, config='plain'):
    """Log in so many times at once; return the calls, still under way."""
    bodies = [cluster.login(issue(), config) for _ in range(count)]
    return [client.Background(client.post, nginx.port, '/v2/auth', body)
            for body in bodies]


def statuses(calls):
    """Wait for calls; return their statuses."""
    return [call.result().status for call in calls]


# Who asks

t.is_(login(), (200, None), 'a login')
agent = dict(api.records(1)[0]['headers'])['User-Agent']
t.like(agent, r'^ngx_http_akl_k8s_module/\d+\.\d+\.\d+$',
       'the API server learns name and version')

# Refused connects: one for each address, and no more

other.api.unlisten()
before = opened()
answer = post('both')
t.is_((answer.status, answer.json()['reason'], answer.header('retry-after')),
      (503, 'api_unreachable', '1'), 'two addresses that refuse')
t.is_(opened() - before, 2, 'are tried once each')
other.api.listen()

# The descriptors of connects that took too long are soon those of others,
# which a change of the CA must not touch

silent = Silent('127.0.0.2', cluster.port)
t.is_(statuses(crowd(16, 'alone')), [503] * 16, 'a silent address')
sessions = [client.Session(nginx.port) for _ in range(40)]
for session in sessions:
    session.request(path='/plain')
mark = nginx.mark()
silent.close()
api.unlisten()
api.listen('127.0.0.2', cluster.port)
cluster.file('alone.crt', authority.pem + stranger.pem)
api.fault('unauthorized', count=1)
t.ok(wait_for(lambda: login('alone') == (200, None)), 'a CA more')
t.ok(nginx.grep('k8s_ca_cert .*was replaced$', mark), 'is found')
alive = 0
for session in sessions:
    with session:
        try:
            alive += session.request(path='/plain').status == 204
        except (OSError, client.http.client.HTTPException) as error:
            t.note(repr(error))
t.is_(alive, len(sessions), 'and all clients are still there')
api.unlisten()
api.listen('127.0.0.1', cluster.port)
api.drop()
t.ok(wait_for(lambda: api.stats()['open'] == 0), 'no connection is left')

# Connections made under a CA end with it: idle ones at once, one that is in
# use after its answer

api.fault('hold')
calls = crowd(8)
t.ok(wait_for(lambda: api.stats()['in_flight'] == 8), 'eight at once')
api.clear()
api.release()
t.is_(statuses(calls), [200] * 8, 'are answered')
t.is_(api.stats()['open'], 8, 'and keep their connections')
api.fault('hold', count=1)
calls = crowd(1)
t.ok(wait_for(lambda: api.stats()['in_flight'] == 1), 'one is in use')
cluster.file('own.crt', stranger.pem)
api.fault('unauthorized', count=1)
mark = nginx.mark()
t.is_(login(), (502, 'api_tls'), 'another CA, which counts at once')
t.ok(nginx.grep('api_tls: .*certificate problem', mark), 'the log says why')
t.ok(wait_for(lambda: api.stats()['open'] == 1), 'idle ones are closed')
t.ok(not calls[0].done(), 'the one in use is not')
api.clear()
api.release()
t.is_(statuses(calls), [200], 'it is answered')
t.ok(wait_for(lambda: api.stats()['open'] == 0), 'and closed then')
t.is_(login(), (502, 'api_tls'), 'no connection of old lets a login in')
cluster.file('own.crt', authority.pem)
t.is_(login(), (200, None), 'but the former CA does')

# A slow answer is no silent address

api.fault('stall_before')
t.is_([login('hasty') for _ in range(4)], [(504, 'api_timeout')] * 4,
      'answers that do not come')
api.clear()
t.ok(wait_for(lambda: login('hasty') == (200, None)),
     'do not put the address aside')

# One that fails is left to the other

api.fault('error_503')
api.reset_stats()
other.api.reset_stats()
t.is_(login('pair'), (200, None), 'a host that answers 503')
t.is_((api.stats()['review'], other.api.stats()['review']), (1, 1),
      'the repetition goes to the other one')
t.is_([login('pair') for _ in range(3)], [(200, None)] * 3, 'and what follows')
t.is_(api.stats()['review'], 1, 'stays there')
api.clear()

# A kept connection dies, and nobody answers in its place

api.unlisten()
api.listen('127.0.0.2', cluster.port)
other.api.unlisten()
other.api.drop()
t.ok(wait_for(lambda: login('lost') == (200, None)), 'a connection is kept')
other.api.listen()
other.api.reset_stats()
api.unlisten()
silent = Silent('127.0.0.2', cluster.port)
api.fault('close_reused')
answer = post('lost')
t.is_(answer.status, 200, 'it dies, and its address is silent')
t.is_(other.api.stats()['review'], 1, 'so the next host is asked')
api.clear()
silent.close()

# Of many addresses the one that answered is asked first from then on, also
# when the name is looked up again

api.close_after(1)
for address in '127.0.0.1', '127.0.0.4':
    api.unlisten()
    api.listen(address, cluster.port)
    t.is_(login('many'), (200, None), f'one of five addresses: {address}')
    asked = names.asked['many.test']
    before = opened()
    answers = []
    while names.asked['many.test'] < asked + 6 and len(answers) < 5000:
        answers.append(login('many'))
    t.is_({*answers}, {(200, None)}, 'is good')
    t.is_(opened() - before, len(answers), 'and is asked first')
api.clear()
api.unlisten()
api.listen('127.0.0.1', cluster.port)

# Half a request on a worker that a reload has left behind

data = client.build('POST', '/v2/auth', body=cluster.login(issue(), 'plain'),
                    close=False)
with client.Session(nginx.port) as session:
    session.sock.sendall(data[:-100])
    old = nginx.workers()
    t.ok(nginx.reload(), 'a reload')
    session.sock.sendall(data[-100:])
    t.is_(session.receive('POST').status, 200,
          'the old worker still asks the API server')
t.ok(wait_for(lambda: not {*old} & {*nginx.workers()}), 'and ends')

names.close()
t.done_testing()
