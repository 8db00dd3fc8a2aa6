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
MISMATCH = 401, 'audience_mismatch'
HTTP = '''
    akl_k8s_cache_valid 1h refused=0;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /file { akl_k8s_exchange k8s-conf; empty_gif; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx whose method has some audiences."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.nginx = t.nginx(HTTP, **self.values(ISSUERS))

    def values(self, audiences):
        """Return the values of HTTP for these audiences."""
        make = self.cluster.config
        return {'method': self.cluster.method(audience=' '.join(audiences)),
                'configs': make()
                + make(name='signed', k8s_jwks=self.cluster.jwks)
                + make(name='legacy', k8s_issuer=tokens.LEGACY_ISSUER)}

    def login(self, token, config='k8s-conf'):
        """Log in; return status and reason."""
        answer = client.post(self.nginx.port, '/v2/auth',
                             self.cluster.login(token, config))
        return answer.status, answer.json().get('reason')

    def reviews(self):
        """Return how many reviews there have been."""
        return self.cluster.api.stats()['review']


@t.shared
def gateway(cluster):
    """The gateway of the stories that leave it as it is."""
    return Gateway(cluster)


@t.own
def my_gateway(cluster):
    """One with no verdict yet."""
    return Gateway(cluster)


@t.story
def any_of_the_audiences_will_do(cluster, gateway):
    for audience in ISSUERS:
        token = cluster.issue(audiences=[audience, 'elsewhere'])
        for config in ('k8s-conf', 'signed'):
            t.is_(gateway.login(token, config), (200, None),
                  f'{config}: {audience}')
        t.is_(client.get(gateway.nginx.port, '/file', {
            'Authorization': f'Bearer {token}'}).status, 200,
              f'an exchange: {audience}')
    t.is_(gateway.login(cluster.issue(audiences=ISSUERS)), (200, None),
          'all of them')


@t.story
def no_review_is_needed_to_refuse_a_token_for_other_audiences(
        cluster, gateway):
    for name, audiences in (
            ('none of them', ['api']),
            ('a part of one', ['vault://cluster']),
            ('two in one', [f'{ISSUERS[0]} {ISSUERS[1]}'])):
        for config in ('k8s-conf', 'signed'):
            t.is_(gateway.login(cluster.issue(audiences=audiences), config),
                  MISMATCH, f'{config}: {name}')
    t.is_(gateway.reviews(), 0, 'the reviews')


@t.story
def each_review_asks_for_all_of_the_audiences(cluster, my_gateway):
    for audience in ISSUERS:
        my_gateway.login(cluster.issue(audiences=[audience]))
    t.is_([tuple(record['audiences']) for record in cluster.api.records()
           if record['audiences']], [tuple(ISSUERS)] * 3, 'three reviews')


@t.story
def a_legacy_token_is_held_against_them_by_the_server(cluster, gateway):
    legacy = cluster.api.secret('my-namespace-a', 'old-token',
                                account='builder')
    t.is_(gateway.login(legacy, 'legacy'), MISMATCH,
          'a token that names no audience')
    t.is_(gateway.reviews(), 1, 'in a review')


@t.story
def a_verdict_belongs_to_the_audiences_that_it_was_asked_for(
        cluster, my_gateway):
    token = cluster.issue(audiences=ISSUERS)
    t.is_((my_gateway.login(token), my_gateway.reviews()), ((200, None), 1),
          'a verdict')
    t.is_((my_gateway.login(token), my_gateway.reviews()), ((200, None), 1),
          'stands')
    for audiences, expected in (
            (ISSUERS[:2], (200, None)),
            (ISSUERS[1:] + ISSUERS[:1], (200, None)),
            (['vault://my-namespace-a/', 'vault-issuer'], MISMATCH)):
        my_gateway.nginx.configure(my_gateway.values(audiences))
        t.ok(my_gateway.nginx.reload(wait_old=True), 'a reload')
        before = my_gateway.reviews()
        t.is_(my_gateway.login(token), expected, f'reloaded with {audiences}')
        t.is_(my_gateway.reviews() - before, 1 if expected[0] == 200 else 0,
              'the verdict of other audiences is not found')


t.tell()
