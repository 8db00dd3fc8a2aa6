#!/usr/bin/python3
"""What docs/relying-parties.md shows, run as it stands there: libraries of
five languages take our tokens, of each algorithm, and no others."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

from akltest import ACCESS_ID, Test, client  # noqa: E402
from clients import PAGE, Clients, snippet  # noqa: E402
from minted import key, mint  # noqa: E402

try:
    import jwt
except ImportError:
    jwt = None

AUDIENCE = 'https://items.example.com'
KINDS = {'RS256': 'RSA-2048', 'ES256': 'P-256', 'ES384': 'P-384',
         'EdDSA': 'Ed25519'}

t = Test(need_module=True)
clients = Clients(t)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def nginx(cluster):
    """A gateway that is an issuer for each algorithm."""
    issuers = ''.join(f'''
        location = /{alg}/.well-known/jwks.json {{ akl_k8s_jwks {alg}; }}
        location = /{alg}/.well-known/openid-configuration {{
            akl_k8s_discovery {alg};
        }}
    ''' for alg in KINDS)
    return t.nginx(''.join(cluster.config(
        name=alg, kind=kind, token_audience=AUDIENCE,
        token_issuer=f'http://127.0.0.1:@port@/{alg}')
        for alg, kind in KINDS.items()) + '''
        @method@
        server {
            listen 127.0.0.1:@port@;
            location = /v2/auth { akl_k8s_auth; }
    ''' + issuers + '}', method=cluster.method())


def python(issuer, lines):
    """Verify tokens by the page's verify(), told where the test's gateway is.

    This and the others return for each token its claims, or why it is none.
    """
    names = {}
    exec(compile(snippet('python').replace('https://gw.example.com', issuer),
                 PAGE, 'exec'), names)  # pylint: disable=exec-used
    out = []
    for token in lines:
        try:
            out.append({'claims': names['verify'](token)})
        except jwt.exceptions.PyJWTError as error:
            out.append({'error': str(error)})
    return out


def foreign(kind, *command):
    """Return the like of python() for a program of t/interop."""
    return lambda issuer, lines: clients.run(
        kind, *command, issuer, AUDIENCE, lines=lines)


def holds(cluster, nginx, verify, algs=tuple(KINDS), jti=True):
    """Hold a library to our tokens, and to some that are not."""
    for alg in algs:
        kind = KINDS[alg]
        issuer = f'http://127.0.0.1:{nginx.port}/{alg}'
        good = client.post(nginx.port, '/v2/auth', cluster.login(
            cluster.issue(), alg, ACCESS_ID)).json()['token']
        own = {'iss': issuer, 'aud': AUDIENCE, 'kind': kind}
        flaws = {
            'expired': mint(**own, exp=1),
            'of another issuer': mint(**{**own, 'iss': 'https://x.example'}),
            'for somebody else': mint(**{**own, 'aud': 'other'}),
            'by another key': mint(**own, name='x'),
            'by another key that claims to be ours': mint(
                **own, name='x', header={
                    'kid': key(kind).thumbprint()}),
            'of the cluster': cluster.issue()}
        if jti:
            flaws['without a jti'] = mint(**own, jti=None)
        told = verify(issuer, [good, mint(**own), *flaws.values()])
        if not t.is_(len(told), 2 + len(flaws), f'{alg}: all are judged'):
            t.diag(json.dumps(told))
            continue
        t.is_(((told[0].get('claims') or told[0]).get('pod_name')), 'mypod1',
              f'{alg}: a minted token')
        t.is_((told[1].get('claims') or told[1]).get('namespace'),
              'my-namespace-a', f'{alg}: one that the test made')
        for name, line in zip(flaws, told[2:]):
            t.ok(line.get('error'), f'{alg}: one {name}: {line.get("error")}',
                 line)


@t.story
def pyjwt_takes_our_tokens_and_no_others(cluster, nginx):
    if jwt is None:
        t.skip('no python3-jwt here', 1)
        return
    clients.debian('PyJWT')
    holds(cluster, nginx, python)


@t.story
def go_oidc_takes_our_tokens_and_no_others(cluster, nginx):
    if clients.have('go'):
        holds(cluster, nginx, foreign('go', 'bin/oidc'), jti=False)


@t.story
def jose_takes_our_tokens_and_no_others(cluster, nginx):
    if clients.have('node'):
        holds(cluster, nginx, foreign('node', 'node', 'jose.mjs'))


@t.story
def nimbus_takes_our_tokens_and_no_others(cluster, nginx):
    if clients.have('java'):
        holds(cluster, nginx, foreign('java', 'java', '-cp', 'lib/*:out',
                                      'Main'), ('RS256', 'ES256', 'ES384'))


@t.story
def jsonwebtoken_takes_our_tokens_and_no_others(cluster, nginx):
    if clients.have('rust'):
        holds(cluster, nginx, foreign(
            'rust', 'target/debug/akl-k8s-interop'), jti=False)


t.tell()
