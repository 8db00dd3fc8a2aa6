#!/usr/bin/python3
"""Credentials that are read again: what is not a plain replacement."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import tokens  # noqa: E402
from akltest import Test, client  # noqa: E402

HTTP = '''
    akl_k8s_cache_valid 0 refused=0;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def api(cluster):
    """The cluster's API server."""
    return cluster.api


class Gateway:
    """An nginx with credentials in files of its own."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.first = cluster.api.read('reviewer.jwt').strip()
        pair = certs.Authority().client('akl', ['system:masters'])
        self.files = {
            'reviewer': cluster.file('own.jwt', self.first + '\n'),
            'jwks': cluster.file('own.json', cluster.api.read(
                'cluster-jwks.json').strip() + '\n'),
            'cert': cluster.file('own.crt', pair[0]),
            'key': cluster.file('own.key', pair[1])}
        self.nginx = t.nginx(
            HTTP, method=cluster.method(), configs=cluster.config(
                token_reviewer_jwt=self.files['reviewer'],
                k8s_jwks=self.files['jwks'])
            + cluster.config(name='certificate', k8s_auth_type='certificate',
                             token_reviewer_jwt=None,
                             k8s_client_certificate=self.files['cert'],
                             k8s_client_key=self.files['key']))

    def login(self, config='k8s-conf'):
        """Log in, and return the status."""
        return client.post(self.nginx.port, '/v2/auth', self.cluster.login(
            self.cluster.issue(), config)).status

    def look(self, config='k8s-conf'):
        """Have the files looked at, as a refused reviewer does; log in."""
        self.cluster.api.fault('unauthorized', count=1)
        return self.login(config)

    def place(self, name, text, mode=0o600):
        """Replace one of the files in one step."""
        tokens.write_file(self.files[name], text, mode)


@t.own
def gateway(cluster):
    """A gateway that has just read its files."""
    return Gateway(cluster)


@t.story
def the_line_end_of_a_file_is_no_replacement(gateway):
    t.is_((gateway.login(), gateway.login('certificate')), (200, 200),
          'a login')
    t.is_(gateway.nginx.grep('was replaced'), [],
          'the line end of a file is no replacement')


@t.story
def a_file_that_is_gone_is_named_once(gateway):
    mark = gateway.nginx.mark()
    os.rename(gateway.files['reviewer'], gateway.files['reviewer'] + '.away')
    t.is_((gateway.look(), gateway.look()), (502, 502),
          'a reviewer that is refused, and gone')
    lines = gateway.nginx.grep('token_reviewer_jwt .*', mark)
    t.is_(len(lines), 1, 'its file is named once')
    t.like(lines[0], r'\[warn\].*cannot be read again, stat\(\) failed: the '
           r'former one is kept \(2: ', 'with the cause')
    t.is_(gateway.login(), 200, 'the former one is good for logins')
    os.rename(gateway.files['reviewer'] + '.away', gateway.files['reviewer'])
    t.is_(gateway.look(), 502, 'it is back, and the same')


@t.story
def a_pipe_in_place_of_a_file_keeps_no_worker_waiting(gateway):
    mark = gateway.nginx.mark()
    os.mkfifo(gateway.files['jwks'] + '.pipe')
    os.rename(gateway.files['jwks'] + '.pipe', gateway.files['jwks'])
    t.is_((gateway.look(), gateway.login()), (502, 200),
          'a pipe keeps no worker waiting')
    t.ok(gateway.nginx.grep('k8s_jwks .*cannot be read again, it is no file: '
                            'the former',
                            mark), 'and is named')


@t.story
def what_cannot_be_used_is_named_once(api, gateway):
    mark = gateway.nginx.mark()
    gateway.place('jwks', '{"keys":[]}')
    t.is_((gateway.look(), gateway.look()), (502, 502), 'a set without keys')
    lines = gateway.nginx.grep('k8s_jwks', mark)
    t.is_(len(lines), 1, 'is named once')
    t.like(lines[0],
           'was replaced, but JWK set is empty: the former one is kept',
           'with the cause')
    gateway.place('jwks', ' \n')
    gateway.look()
    t.is_(len(gateway.nginx.grep('k8s_jwks', mark)), 1,
          'and not again when it is empty')
    gateway.place('jwks', api.read('cluster-jwks.json'))
    t.is_((gateway.look(), gateway.login()), (502, 200),
          'the same keys are no change')


@t.story
def half_of_a_pair_is_named_once_and_waits_for_the_other(gateway):
    mark = gateway.nginx.mark()
    other = certs.Authority().client('akl', ['system:masters'],
                                     key=tokens.key('P-256', 'other'))
    gateway.place('key', other[1])
    t.is_((gateway.look('certificate'), gateway.look('certificate')),
          (502, 502),
          'a key without its certificate')
    lines = gateway.nginx.grep('k8s_client', mark)
    t.is_(len(lines), 1, 'is named once')
    t.like(lines[0],
           'k8s_client_key .*was replaced, but does not belong to its '
           'key: the former', 'by its own name')
    t.is_(gateway.login('certificate'), 200, 'the former pair is in use')
    gateway.place('cert', other[0])
    t.is_(gateway.look('certificate'), 200,
          'the certificate follows, both are used')
    t.is_(len(gateway.nginx.grep('k8s_client_.*was replaced$', mark)), 2,
          'and both are named')


@t.story
def a_file_rewritten_in_place_is_read_again(api, gateway):
    mark = gateway.nginx.mark()
    second = api.issue('akl-system', account='reviewer', ttl=365 * 86400)
    later = time.time() + 60
    t.is_(len(second), len(gateway.first), 'another token of the same length')
    for text in second, gateway.first, second:
        with open(gateway.files['reviewer'], 'r+', encoding='ascii') as file:
            file.write(text)
        os.utime(gateway.files['reviewer'], (later, later))
        t.is_(gateway.look(), 200, 'a file that looks as before is read')
    t.is_(len(gateway.nginx.grep('token_reviewer_jwt .*was replaced$', mark)),
          3,
          'each time')


t.tell()
