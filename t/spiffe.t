#!/usr/bin/python3
"""JWT-SVIDs and their bundle; SPIFFE's own library, after make interop."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import tokens  # noqa: E402
from akltest import Test, client  # noqa: E402
from clients import Clients  # noqa: E402
from dialects import FORM, token_exchange  # noqa: E402

DOMAIN = 'example.org'
PATH = '/ns/$akl_k8s_namespace/sa/$akl_k8s_service_account'
BUILDER = f'spiffe://{DOMAIN}/ns/my-namespace-a/sa/builder'
ITEMS, BILLING = f'spiffe://{DOMAIN}/items', f'spiffe://{DOMAIN}/billing'
KINDS = 'RSA-2048', 'P-256', 'P-384'
HTTP = '''
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        listen 127.0.0.1:@port1@ ssl;
        ssl_certificate @dir@/../cluster/server.crt;
        ssl_certificate_key @dir@/../cluster/server.key;
        location = /token { akl_k8s_auth oauth; }
        location = /bundle { akl_k8s_jwks RSA-2048 P-256 P-384 spiffe; }
        location = /other { akl_k8s_jwks other spiffe; }
        location = /jwks { akl_k8s_jwks; }
    }
'''

t = Test(need_module=True)
clients = Clients(t)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx that mints JWT-SVIDs of two trust domains."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.nginx = t.nginx(HTTP, method=cluster.method(),
                             configs=self.configs(KINDS))

    def configs(self, kinds):
        """Return the configs; others than the first have an older key."""
        def config(name, kind, domain=DOMAIN):
            return self.cluster.config(
                name, kind=kind, token_subject=f'spiffe://{domain}{PATH}',
                token_audience=f'{ITEMS} {BILLING}')
        return ''.join(config(name, kind) for name, kind in zip(KINDS, kinds)) \
            + config('other', 'P-256', 'example.com')

    def fetch(self, path):
        """Fetch a document; return the answer."""
        return client.get(self.nginx.port, path)

    def mint(self, config, audience=ITEMS):
        """Return a token for an audience."""
        return client.post(self.nginx.port, '/token', token_exchange(
            self.cluster.issue(), config, audience=audience), FORM).json()[
                'access_token']

    def judged(self, path, domain, *minted):
        """Return what SPIFFE's library says of a bundle and of tokens."""
        return clients.run(
            'go', 'bin/spiffe', self.cluster.ca,
            f'https://127.0.0.1:{self.nginx.port_of("port1")}{path}', domain,
            ITEMS, *minted)


@t.shared
def gateway(cluster):
    """The gateway of the stories that leave it as it is."""
    return Gateway(cluster)


@t.own
def changing(cluster):
    """One that changes."""
    return Gateway(cluster)


@t.story
def a_bundle_is_the_set_of_keys_with_what_spiffe_wants_of_it(gateway):
    before = time.time()
    answer = gateway.fetch('/bundle')
    bundle = answer.json()
    t.is_((answer.status, answer.header('content-type')),
          (200, 'application/json'), 'a document')
    t.is_(sorted(bundle), ['keys', 'spiffe_refresh_hint', 'spiffe_sequence'],
          'its members')
    t.is_([jwk['use'] for jwk in bundle['keys']], ['jwt-svid'] * 3, 'use')
    t.is_([tokens.from_jwk(jwk).thumbprint() for jwk in bundle['keys']],
          [jwk['kid'] for jwk in bundle['keys']], 'keys of these kids')
    t.is_(answer.header('cache-control'),
          f'public, max-age={bundle["spiffe_refresh_hint"]}',
          'it may be kept until one should look again')
    t.ok(0 < bundle['spiffe_sequence'] <= before * 1000, 'a sequence number')
    t.is_({jwk['use'] for jwk in gateway.fetch('/jwks').json()['keys']},
          {'sig'}, 'a set beside it is as it always was')


@t.story
def the_sequence_grows_when_keys_change(changing):
    before = changing.fetch('/bundle').json()
    changing.nginx.configure({'configs': changing.configs(KINDS[::-1])})
    t.ok(changing.nginx.reload(wait_old=True), 'a reload')
    after = changing.fetch('/bundle').json()
    t.ok(after['spiffe_sequence'] > before['spiffe_sequence'], 'it grows',
         before, after)
    t.isnt([jwk['kid'] for jwk in after['keys']],
           [jwk['kid'] for jwk in before['keys']], 'other keys')


@t.story
def a_minted_token_has_the_form_of_a_jwt_svid(gateway):
    for kind, alg in zip(KINDS, ('RS256', 'ES256', 'ES384')):
        header, claims = tokens.decode(gateway.mint(kind))[:2]
        t.is_((header['alg'], header['typ'], sorted(header)),
              (alg, 'JWT', ['alg', 'kid', 'typ']), f'{kind}: its header')
        t.is_((claims['sub'], claims['aud']), (BUILDER, ITEMS),
              f'{kind}: sub and aud')


@t.story
def spiffes_own_library_takes_bundle_and_tokens(gateway):
    if not clients.have('go'):
        return
    first, *others = gateway.judged('/bundle', DOMAIN, *(
        gateway.mint(kind) for kind in KINDS))
    bundle = gateway.fetch('/bundle').json()
    t.is_(first, {'keys': 3, 'sequence': bundle['spiffe_sequence'],
                  'hint': bundle['spiffe_refresh_hint']}, 'the bundle')
    t.is_(others, [{'id': BUILDER, 'audience': [ITEMS]}] * 3,
          'tokens of all algorithms')


@t.story
def spiffes_own_library_refuses_what_is_for_others(gateway):
    if not clients.have('go'):
        return
    minted = gateway.mint('P-256')
    _, audience, domain, forged = gateway.judged(
        '/bundle', DOMAIN, gateway.mint('P-256', BILLING),
        gateway.mint('other'), tokens.sign(
            *tokens.decode(minted)[:2], tokens.key('P-256', 'cluster')))
    t.like(audience.get('error'), 'audience', 'a token for another service')
    t.like(domain.get('error'), 'trust domain', 'one of another trust domain')
    t.like(forged.get('error'), 'cryptographic primitive',
           'one that another key has signed')
    _, foreign = gateway.judged('/other', 'example.com', minted)
    t.like(foreign.get('error'), 'trust domain',
           'ours, by the bundle of another trust domain')
    _, own = gateway.judged('/other', 'example.com', gateway.mint('other'))
    t.is_(own.get('id'), BUILDER.replace(DOMAIN, 'example.com'),
          'which takes its own')


t.tell()
