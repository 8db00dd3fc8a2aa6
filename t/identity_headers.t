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

EVIL = 'kube-system'
OURS = [('X-Namespace', 'my-namespace-a'), ('X-Pod', 'mypod1')]
NAMES = ['X-Namespace', 'X-Pod']

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def mock():
    """What stands behind the gateway."""
    return t.mock()


@t.shared
def files(cluster):
    """What the examples want below /etc/akl."""
    return {'signing.pem': tokens.key('P-256', 'gateway').pem(),
            'previous.pub': tokens.key('P-256', 'previous').public_pem(),
            'ca.crt': cluster.api.read('ca.crt'),
            'reviewer.jwt': cluster.api.read('reviewer.jwt'),
            'cluster-jwks.json': cluster.api.read('cluster-jwks.json'),
            'tls.crt': cluster.api.read('server.crt'),
            'tls.key': cluster.api.read('server.key')}


def spellings(name):
    """Return ways to write a header's name."""
    return [name, name.lower(), name.upper(), name.replace('-', '_'),
            name.lower().replace('-', '_'), name.swapcase(),
            name.replace('-', '.'), name.replace('-', '-_')]


def folded(name):
    """Return a header's name as CGI and its like know it."""
    return re.sub(r'[^A-Z0-9]', '_', name.upper())


class Example:
    """A shipped example, on ports and a cluster of the test's."""

    def __init__(self, name, cluster, mock, files):
        self.name = name
        self.cluster = cluster
        self.mock = mock
        with open(os.path.join(nginx_.ROOT, 'conf-examples', name),
                  encoding='utf-8') as file:
            text = file.read()
        place = os.path.join(t.dir, name)
        os.makedirs(place)
        for file, content in files.items():
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
        self.nginx = t.nginx(text)
        self.port = self.nginx.port

    def login(self):
        """Return a minted token."""
        answer = client.post(self.port, '/v2/auth', self.cluster.login(
            self.cluster.issue()))
        if answer.status != 200:
            raise RuntimeError(answer)
        return answer.json()['token']

    def check(self, path, names, expected, token):
        """Send all spellings; hold what the upstream got against it."""
        forged = [(way, EVIL) for name in names for way in spellings(name)]
        del self.mock.requests[:]
        headers = forged + list(bearer(token).items() if token else [])
        answer = client.get(self.port, path, headers + [
            ('X-Original-URL', '/items/public/x'), ('Trailer', names[0])])
        what = f'{self.name} {path} ' \
            f'{"with" if token else "without"} a token'
        if expected is None:
            t.ok(answer.status in (401, 403) and not self.mock.requests,
                 f'{what}: refused', answer)
            return
        t.is_(answer.status, 200, f'{what}: passes')
        got = [(key, value) for key, value in answer.json()['headers']
               if folded(key) in {folded(name) for name in names}]
        t.is_(sorted(got), sorted(expected), f'{what}: nothing but ours')
        t.ok(EVIL not in answer.text, f'{what}: no trace of the forgery',
             answer.text)


@t.own
def example(cluster, mock, files):
    """Starts an example by its name."""
    return lambda name: Example(name, cluster, mock, files)


@t.story
def guard_conf_passes_no_identity_but_its_own(example):
    server = example('guard.conf')
    good = server.login()
    server.check('/items/x', NAMES, OURS, good)
    server.check('/items/x', NAMES, None, None)
    server.check('/items/x', NAMES, None, good[:-6])
    server.check('/items/public/x', NAMES, [], None)
    server.check('/items/public/x', NAMES, [], good)
    server.check('/items/admin/x', NAMES, [], None)
    server.check('/items/admin/x', NAMES, OURS, good)


@t.story
def auth_request_conf_passes_no_identity_but_its_own(example):
    server = example('auth-request.conf')
    good = server.login()
    server.check('/items/x', NAMES, OURS, good)
    server.check('/items/x', NAMES, None, None)
    server.check('/items/x', NAMES, None, good[:-6])
    server.check('/items/public/x', NAMES, [], None)
    server.check('/items/public/x', NAMES, [], good)


@t.story
def full_conf_passes_no_identity_but_its_own(cluster, example):
    cluster.api.namespace('my-namespace-a', {'example.com/team': 'payments'})
    cluster.api.read_namespaces('system:serviceaccount:akl-system:reviewer')
    server = example('full.conf')
    server.check('/items/x', ['X-Pod'], OURS[1:], server.login())
    server.check('/items/x', ['X-Pod'], None, None)


@t.story
def exchange_conf_passes_no_token_but_the_minted_one(cluster, example):
    server = example('exchange.conf')
    pod = cluster.issue()
    answer = client.get(server.port, '/legacy/x', [
        *bearer(pod).items(), ('authorization_', 'x'),
        ('X-Service-Token', 'y')])
    held = [value for key, value in answer.json()['headers']
            if folded(key).startswith('AUTHORIZATION')]
    t.is_(len(held), 1, 'exchange.conf: one Authorization')
    t.is_(tokens.verify(held[0].split()[1], tokens.key('P-256', 'gateway'))
          ['config_name'], CONFIG, 'exchange.conf: with a minted token')
    answer = client.get(server.port, '/partner/x', [
        ('X-Service-Token', pod), ('Authorization', 'Bearer forged')])
    t.ok('forged' not in answer.text and pod not in answer.text
         and answer.status == 200, 'exchange.conf: nor another header', answer)


@t.story
def ingress_nginx_conf_tells_who_it_is_to_whom_it_concerns(cluster, example):
    server = example('ingress-nginx.conf')
    good, pod = server.login(), cluster.issue()
    forged = [('X-Akl-Namespace', EVIL), ('X-Akl-Pod-Name', EVIL),
              ('X-Original-URL', 'https://x/verify/exchange'),
              ('X-Original-Method', 'GET')]
    answer = client.get(server.port, '/verify/items',
                        forged + list(bearer(good).items()))
    t.is_((answer.status, answer.all('x-akl-namespace'),
           answer.all('x-akl-pod-name')),
          (204, ['my-namespace-a'], ['mypod1']),
          'ingress-nginx.conf: who it is')
    for path, headers, status in (
            ('/verify/items', {}, 401), ('/verify/admin', bearer(good), 403),
            ('/verify/admin', {}, 401),
            ('/verify/exchange', bearer(good), 401)):
        answer = client.get(server.port, path, forged + list(headers.items()))
        t.is_((answer.status, answer.all('x-akl-namespace'),
               answer.header('authorization')), (status, [], None),
              f'ingress-nginx.conf: {path} refuses')
    answer = client.get(server.port, '/verify/exchange',
                        forged + list(bearer(pod).items()))
    t.is_(answer.status, 204, 'ingress-nginx.conf: an exchange')
    t.like(answer.header('authorization'), '^Bearer ey',
           'ingress-nginx.conf: its token')


t.tell()
