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

t = Test(need_module=True)
cluster = t.cluster()
api = cluster.api
pair = certs.Authority().client('akl', ['system:masters'])
first = cluster.api.read('reviewer.jwt').strip()
files = {
    'reviewer': cluster.file('own.jwt', first + '\n'),
    'jwks': cluster.file('own.json', api.read('cluster-jwks.json').strip()
                         + '\n'),
    'cert': cluster.file('own.crt', pair[0]),
    'key': cluster.file('own.key', pair[1])}

nginx = t.nginx('''
    akl_k8s_cache_valid 0 refused=0;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
    }
''', method=cluster.method(), configs=cluster.config(
    token_reviewer_jwt=files['reviewer'], k8s_jwks=files['jwks'])
    + cluster.config(name='certificate', k8s_auth_type='certificate',
                     token_reviewer_jwt=None,
                     k8s_client_certificate=files['cert'],
                     k8s_client_key=files['key']))


def login(config='k8s-conf'):
    """Log in, and return the status."""
    return client.post(nginx.port, '/v2/auth', cluster.login(
        cluster.issue(), config)).status


def look(config='k8s-conf'):
    """Have the files looked at, as a refused reviewer does; log in."""
    api.fault('unauthorized', count=1)
    return login(config)


def place(name, text, mode=0o600):
    """Replace one of the files in one step."""
    tokens.write_file(files[name], text, mode)


t.is_((login(), login('certificate')), (200, 200), 'a login')
t.is_(nginx.grep('was replaced'), [],
      'the line end of a file is no replacement')

# A file that is gone, or none any more, is named once

mark = nginx.mark()
os.rename(files['reviewer'], files['reviewer'] + '.away')
t.is_((look(), look()), (502, 502), 'a reviewer that is refused, and gone')
lines = nginx.grep('token_reviewer_jwt .*', mark)
t.is_(len(lines), 1, 'its file is named once')
t.like(lines[0], r'\[warn\].*cannot be read again, stat\(\) failed: the '
       r'former one is kept \(2: ', 'with the cause')
t.is_(login(), 200, 'the former one is good for logins')
os.rename(files['reviewer'] + '.away', files['reviewer'])
t.is_(look(), 502, 'it is back, and the same')

mark = nginx.mark()
os.mkfifo(files['jwks'] + '.pipe')
os.rename(files['jwks'] + '.pipe', files['jwks'])
t.is_((look(), login()), (502, 200), 'a pipe keeps no worker waiting')
t.ok(nginx.grep('k8s_jwks .*cannot be read again, it is no file: the former',
                mark), 'and is named')

# What cannot be used is named once, too, and what follows is used

mark = nginx.mark()
place('jwks', '{"keys":[]}')
t.is_((look(), look()), (502, 502), 'a set without keys')
lines = nginx.grep('k8s_jwks', mark)
t.is_(len(lines), 1, 'is named once')
t.like(lines[0], 'was replaced, but JWK set is empty: the former one is kept',
       'with the cause')
place('jwks', ' \n')
look()
t.is_(len(nginx.grep('k8s_jwks', mark)), 1, 'and not again when it is empty')
place('jwks', api.read('cluster-jwks.json'))
t.is_((look(), login()), (502, 200), 'the same keys are no change')

# Half of a pair: the half that changed is named, once

mark = nginx.mark()
other = certs.Authority().client('akl', ['system:masters'],
                                 key=tokens.key('P-256', 'other'))
place('key', other[1])
t.is_((look('certificate'), look('certificate')), (502, 502),
      'a key without its certificate')
lines = nginx.grep('k8s_client', mark)
t.is_(len(lines), 1, 'is named once')
t.like(lines[0], 'k8s_client_key .*was replaced, but does not belong to its '
       'key: the former', 'by its own name')
t.is_(login('certificate'), 200, 'the former pair is in use')
place('cert', other[0])
t.is_(look('certificate'), 200, 'the certificate follows, both are used')
t.is_(len(nginx.grep('k8s_client_.*was replaced$', mark)), 2,
      'and both are named')

# Rewritten in place at the same length, with a time that tells nothing

mark = nginx.mark()
second = api.issue('akl-system', account='reviewer', ttl=365 * 86400)
later = time.time() + 60
t.is_(len(second), len(first), 'another token of the same length')
for text in second, first, second:
    with open(files['reviewer'], 'r+', encoding='ascii') as file:
        file.write(text)
    os.utime(files['reviewer'], (later, later))
    t.is_(look(), 200, 'a file that looks as before is read')
t.is_(len(nginx.grep('token_reviewer_jwt .*was replaced$', mark)), 3,
      'each time')

t.done_testing()
