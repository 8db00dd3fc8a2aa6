#!/usr/bin/python3
"""The audiences of an auth method: any of them will do."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import tokens  # noqa: E402
from akltest import Test, client  # noqa: E402

# what cert-manager asks the cluster for: one audience for each issuer

ISSUERS = ['vault://my-namespace-a/vault-issuer', 'vault://cluster-issuer',
           'https://gw.example.com']

t = Test(need_module=True)
cluster = t.cluster()
HTTP = '''
    akl_k8s_cache_valid 1m refused=0;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /file { akl_k8s_exchange k8s-conf; empty_gif; }
    }
'''


def configuration(*audiences):
    """Return the values of HTTP for these audiences."""
    return {'method': cluster.method(audience=' '.join(audiences)),
            'configs': cluster.config()
            + cluster.config(name='signed', k8s_jwks=cluster.jwks)
            + cluster.config(name='legacy', k8s_issuer=tokens.LEGACY_ISSUER)}


nginx = t.nginx(HTTP, **configuration(*ISSUERS))


def login(token, config='k8s-conf'):
    """Log in; return status and reason."""
    answer = client.post(nginx.port, '/v2/auth', cluster.login(token, config))
    return answer.status, answer.json().get('reason')


def reviews():
    """Return how many reviews there have been."""
    return cluster.api.stats()['review']


for audience in ISSUERS:
    token = cluster.issue(audiences=[audience, 'elsewhere'])
    for config in ('k8s-conf', 'signed'):
        t.is_(login(token, config), (200, None), f'{config}: {audience}')
    t.is_(client.get(nginx.port, '/file', {
        'Authorization': f'Bearer {token}'}).status, 200,
          f'an exchange: {audience}')
t.is_(login(cluster.issue(audiences=ISSUERS)), (200, None), 'all of them')

before = reviews()
for name, audiences in (
        ('none of them', ['api']),
        ('a part of one', ['vault://cluster']),
        ('two in one', [f'{ISSUERS[0]} {ISSUERS[1]}'])):
    for config in ('k8s-conf', 'signed'):
        t.is_(login(cluster.issue(audiences=audiences), config),
              (401, 'audience_mismatch'), f'{config}: {name}')
t.is_(reviews(), before, 'what the token itself says is not asked again')

t.is_({tuple(record['audiences']) for record in cluster.api.records()
       if record['audiences']}, {tuple(ISSUERS)}, 'each review asks for all')

# A legacy token has none: it is meant for the server, which decides

legacy = cluster.api.secret('my-namespace-a', 'old-token', account='builder')
t.is_(login(legacy, 'legacy'), (401, 'audience_mismatch'),
      'a legacy token is held against them by the server')
t.is_(reviews(), before + 1, 'in a review')

# A verdict belongs to the audiences that it was asked for

token = cluster.issue(audiences=ISSUERS)
login(token)
before = reviews()
t.is_((login(token), reviews() - before), ((200, None), 0), 'a verdict stands')
for audiences, expected in (
        (ISSUERS[:2], (200, None)),
        (ISSUERS[1:] + ISSUERS[:1], (200, None)),
        (['vault://my-namespace-a/', 'vault-issuer'],
         (401, 'audience_mismatch'))):
    nginx.configure(configuration(*audiences))
    t.ok(nginx.reload(wait_old=True), 'a reload')
    before = reviews()
    t.is_(login(token), expected, f'reloaded with {audiences}')
    t.is_(reviews() - before, 1 if expected[0] == 200 else 0,
          'the verdict of other audiences is not found')

t.done_testing()
