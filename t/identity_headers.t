#!/usr/bin/python3
"""Headers that tell who it is, in the examples: no client writes them."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import nginx as nginx_  # noqa: E402
import tokens  # noqa: E402
from akltest import CONFIG, Test, client, free_port  # noqa: E402
from minted import bearer  # noqa: E402

t = Test(need_module=True)
cluster = t.cluster()
mock = t.mock()
FILES = {'signing.pem': tokens.key('P-256', 'gateway').pem(),
         'previous.pub': tokens.key('P-256', 'previous').public_pem(),
         'ca.crt': cluster.api.read('ca.crt'),
         'reviewer.jwt': cluster.api.read('reviewer.jwt'),
         'cluster-jwks.json': cluster.api.read('cluster-jwks.json'),
         'tls.crt': cluster.api.read('server.crt'),
         'tls.key': cluster.api.read('server.key')}


def example(name):
    """Start a shipped example, on ports and a cluster of the test's."""
    with open(os.path.join(nginx_.ROOT, 'conf-examples', name),
              encoding='utf-8') as file:
        text = file.read()
    place = os.path.join(t.dir, name)
    os.makedirs(place)
    for file, content in FILES.items():
        tokens.write_file(os.path.join(place, file), content)
    text = re.search(r'^http \{\n(.*)^\}', text, re.M | re.S).group(1)
    text = text.replace('/etc/akl/', place + '/')
    text = text.replace('/var/log/nginx/', place + '/')
    text = re.sub(r'https://10\.0\.0\.1:6443', cluster.url, text)
    text = re.sub(r'k8s_issuer .*;', f'k8s_issuer {tokens.ISSUER};', text)
    text = re.sub(r'server 127\.0\.0\.1:900\d;',
                  f'server 127.0.0.1:{mock.port};', text)
    text = re.sub(r'listen (?:8000|8443 ssl);', 'listen 127.0.0.1:@port@;',
                  text)
    text = re.sub(r'listen 127\.0\.0\.1:8001;',
                  f'listen 127.0.0.1:{free_port()};', text)
    text = re.sub(r'ssl_certificate(_key)? .*;', '', text)
    return t.nginx(text)


def login(server):
    """Return a minted token of an example."""
    answer = client.post(server.port, '/v2/auth', cluster.login(
        cluster.issue()))
    if answer.status != 200:
        raise RuntimeError(answer)
    return answer.json()['token']


def spellings(name):
    """Return ways to write a header's name."""
    return [name, name.lower(), name.upper(), name.replace('-', '_'),
            name.lower().replace('-', '_'), name.swapcase(),
            name.replace('-', '.'), name.replace('-', '-_')]


EVIL = 'kube-system'


def folded(name):
    """Return a header's name as CGI and its like know it."""
    return re.sub(r'[^A-Z0-9]', '_', name.upper())


def check(server, path, names, expected, token):
    """Send all spellings; hold what the upstream got against it."""
    forged = [(way, EVIL) for name in names for way in spellings(name)]
    del mock.requests[:]
    headers = forged + list(bearer(token).items() if token else [])
    answer = client.get(server.port, path, headers + [
        ('X-Original-URL', '/items/public/x'), ('Trailer', names[0])])
    what = f'{os.path.basename(server.example)} {path} ' \
        f'{"with" if token else "without"} a token'
    if expected is None:
        t.ok(answer.status in (401, 403) and not mock.requests,
             f'{what}: refused', answer)
        return
    t.is_(answer.status, 200, f'{what}: passes')
    got = [(key, value) for key, value in answer.json()['headers']
           if folded(key) in {folded(name) for name in names}]
    t.is_(sorted(got), sorted(expected), f'{what}: nothing but ours')
    t.ok(EVIL not in answer.text, f'{what}: no trace of the forgery',
         answer.text)


def start(name):
    """Start an example, and remember its name."""
    server = example(name)
    server.example = name
    return server


ours = [('X-Namespace', 'my-namespace-a'), ('X-Pod', 'mypod1')]
names = ['X-Namespace', 'X-Pod']

for name in ('guard.conf', 'auth-request.conf'):
    server = start(name)
    good = login(server)
    check(server, '/items/x', names, ours, good)
    check(server, '/items/x', names, None, None)
    check(server, '/items/x', names, None, good[:-6])
    check(server, '/items/public/x', names, [], None)
    check(server, '/items/public/x', names, [], good)
    if name == 'guard.conf':
        check(server, '/items/admin/x', names, [], None)
        check(server, '/items/admin/x', names, ours, good)

server = start('full.conf')
good = login(server)
check(server, '/items/x', ['X-Pod'], ours[1:], good)
check(server, '/items/x', ['X-Pod'], None, None)

# exchange: the only identity there is the token

server = start('exchange.conf')
del mock.requests[:]
pod = cluster.issue()
answer = client.get(server.port, '/legacy/x', [
    *bearer(pod).items(), ('authorization_', 'x'), ('X-Service-Token', 'y')])
held = [value for key, value in answer.json()['headers']
        if folded(key).startswith('AUTHORIZATION')]
t.is_(len(held), 1, 'exchange.conf: one Authorization')
t.is_(tokens.verify(held[0].split()[1], tokens.key('P-256', 'gateway'))
      ['config_name'], CONFIG, 'exchange.conf: with a minted token')
answer = client.get(server.port, '/partner/x', [
    ('X-Service-Token', pod), ('Authorization', 'Bearer forged')])
t.ok('forged' not in answer.text and pod not in answer.text
     and answer.status == 200, 'exchange.conf: nor another header', answer)

# ingress-nginx: the answer tells who it is, and only to whom it concerns

server = start('ingress-nginx.conf')
good = login(server)
forged = [('X-Akl-Namespace', EVIL), ('X-Akl-Pod-Name', EVIL),
          ('X-Original-URL', 'https://x/verify/exchange'),
          ('X-Original-Method', 'GET')]
answer = client.get(server.port, '/verify/items',
                    forged + list(bearer(good).items()))
t.is_((answer.status, answer.all('x-akl-namespace'),
       answer.all('x-akl-pod-name')),
      (204, ['my-namespace-a'], ['mypod1']), 'ingress-nginx.conf: who it is')
for path, headers, status in (
        ('/verify/items', {}, 401), ('/verify/admin', bearer(good), 403),
        ('/verify/admin', {}, 401), ('/verify/exchange', bearer(good), 401)):
    answer = client.get(server.port, path, forged + list(headers.items()))
    t.is_((answer.status, answer.all('x-akl-namespace'),
           answer.header('authorization')), (status, [], None),
          f'ingress-nginx.conf: {path} refuses')
answer = client.get(server.port, '/verify/exchange',
                    forged + list(bearer(pod).items()))
t.is_(answer.status, 204, 'ingress-nginx.conf: an exchange')
t.like(answer.header('authorization'), '^Bearer ey',
       'ingress-nginx.conf: its token')

t.done_testing()
