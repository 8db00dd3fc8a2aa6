#!/usr/bin/python3
"""What docs/relying-parties.md shows of Python, run as it stands there."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import nginx as nginx_  # noqa: E402
from akltest import Test, client  # noqa: E402
from minted import mint  # noqa: E402

try:
    import jwt
except ImportError:
    jwt = None

AUDIENCE = 'https://items.example.com'

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def nginx(cluster):
    """A gateway that is its own issuer."""
    return t.nginx(cluster.config(
        kind='P-256', token_issuer='http://127.0.0.1:@port@',
        token_audience=AUDIENCE) + '''
        @method@
        server {
            listen 127.0.0.1:@port@;
            location = /v2/auth { akl_k8s_auth; }
            location = /.well-known/jwks.json { akl_k8s_jwks; }
        }
    ''', method=cluster.method())


def shown(nginx):
    """Return the page's verify(), told where the gateway of the test is."""
    path = os.path.join(nginx_.ROOT, 'docs', 'relying-parties.md')
    with open(path, encoding='utf-8') as file:
        text = re.search(r'^```python\n(.*?)^```', file.read(),
                         re.M | re.S).group(1)
    issuer = f'http://127.0.0.1:{nginx.port}'
    names = {}
    exec(compile(text.replace('https://gw.example.com', issuer), path,
                 'exec'), names)  # pylint: disable=exec-used
    return issuer, names['verify']


@t.story
def the_snippet_for_pyjwt_takes_our_tokens_and_no_others(cluster, nginx):
    if jwt is None:
        t.skip('no python3-jwt here', 1)
        return
    issuer, verify = shown(nginx)
    token = client.post(nginx.port, '/v2/auth',
                        cluster.login(cluster.issue())).json()['token']
    t.is_(verify(token)['pod_name'], 'mypod1', 'a minted token')
    t.is_(verify(mint(iss=issuer, aud=AUDIENCE))['namespace'],
          'my-namespace-a', 'one that the test made')
    for name, flawed in (
            ('expired', mint(iss=issuer, aud=AUDIENCE, exp=1)),
            ('of another issuer', mint(aud=AUDIENCE)),
            ('for somebody else', mint(iss=issuer, aud='other')),
            ('without a jti', mint(iss=issuer, aud=AUDIENCE, jti=None)),
            ('by another key', mint(iss=issuer, aud=AUDIENCE, name='x')),
            ('of the cluster', cluster.issue())):
        try:
            t.ok(not verify(flawed), f'one {name}')
        except jwt.exceptions.PyJWTError as error:
            t.ok(True, f'one {name}: {error}')


t.tell()
