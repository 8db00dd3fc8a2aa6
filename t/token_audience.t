#!/usr/bin/python3
"""token_audience: what minted tokens are for, and who may choose."""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import tokens  # noqa: E402
from akltest import Test, client, wait_for  # noqa: E402
from dialects import FORM, token_exchange  # noqa: E402
from minted import bearer  # noqa: E402

ITEMS, BILLING, CLOUD = ('https://items.example.com', 'billing',
                         'sts.amazonaws.com')
HTTP = '''
    akl_k8s_cache_valid 1h;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /v1/auth/kubernetes/login { akl_k8s_auth vault; }
        location = /token { akl_k8s_auth oauth; }
        location = /revoke { akl_k8s_revoke; }
        location = /introspect { akl_k8s_introspect k8s-conf; }
        location = /guarded { akl_k8s_guard k8s-conf; empty_gif; }
        location = /swapped {
            akl_k8s_exchange k8s-conf;
            akl_k8s_guard k8s-conf;
            add_header X-Aud $akl_k8s_claim_aud;
            empty_gif;
        }
        location = /status { akl_k8s_status; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


def aud(token):
    """Return what a minted token is for."""
    return tokens.verify(token, tokens.key('RSA-2048', 'gateway'))['aud']


class Gateway:
    """An nginx that mints for three audiences."""

    def __init__(self, cluster, workers=1):
        self.cluster = cluster
        self.nginx = t.nginx(HTTP, workers=workers, **self.values())

    def values(self, *audiences):
        """Return the values of HTTP."""
        def config(name, **kw):
            return self.cluster.config(name, token_audience=' '.join(
                audiences or (ITEMS, BILLING, CLOUD)), **kw)
        return {'method': self.cluster.method(),
                'configs': config('k8s-conf')
                + config('each', token_claims='host=$host')}

    def ask(self, token, config='k8s-conf', **targets):
        """Exchange a token; return the answer."""
        return client.post(self.nginx.port, '/token',
                           token_exchange(token, config, **targets), FORM)

    def exchange(self, token, config='k8s-conf', **targets):
        """Exchange a token; return the minted one."""
        return self.ask(token, config, **targets).json()['access_token']

    def akeyless(self, token):
        """Log in as Akeyless clients do; return the minted token."""
        return client.post(self.nginx.port, '/v2/auth', self.cluster.login(
            token)).json()['token']

    def vault(self, token):
        """Log in as Vault's clients do; return the minted token."""
        return client.post(
            self.nginx.port, '/v1/auth/kubernetes/login',
            {'role': 'k8s-conf', 'jwt': token}).json()['auth']['client_token']

    def guarded(self, token):
        """Present a token; return status and what the challenge says."""
        answer = client.get(self.nginx.port, '/guarded', bearer(token))
        challenge = answer.header('www-authenticate') or ''
        return answer.status, challenge.rpartition('description=')[2]

    def reviews(self):
        """Return how many reviews there have been."""
        return self.cluster.api.stats()['review']


@t.own
def gateway(cluster):
    """A gateway with no verdict yet."""
    return Gateway(cluster)


@t.story
def without_a_choice_a_token_is_for_the_first(cluster, gateway):
    token = cluster.issue()
    t.is_(aud(gateway.akeyless(token)), ITEMS, 'akeyless')
    t.is_(aud(gateway.vault(token)), ITEMS, 'vault')
    t.is_(aud(gateway.exchange(token)), ITEMS, 'oauth')
    t.is_(aud(gateway.exchange(token, audience='', resource='')), ITEMS,
          'oauth, with none by name')
    t.is_(client.get(gateway.nginx.port, '/swapped',
                     bearer(token)).header('x-aud'), ITEMS, 'an exchange')


@t.story
def a_token_exchange_chooses_of_the_list(cluster, gateway):
    token = cluster.issue()
    for name, targets, expected in (
            ('the first', {'audience': ITEMS}, ITEMS),
            ('another', {'audience': BILLING}, BILLING),
            ('by resource', {'resource': CLOUD}, CLOUD),
            ('repeated', {'audience': [BILLING] * 3}, BILLING),
            ('two', {'audience': [CLOUD, BILLING]}, [BILLING, CLOUD]),
            ('two by either name', {'audience': CLOUD, 'resource': ITEMS},
             [ITEMS, CLOUD]),
            ('all', {'audience': [BILLING, ITEMS], 'resource': CLOUD},
             [ITEMS, BILLING, CLOUD])):
        for config in ('k8s-conf', 'each'):
            for _ in range(2):
                t.is_(aud(gateway.exchange(token, config, **targets)),
                      expected, f'{config}: {name}')
    t.is_(tokens.decode(gateway.exchange(token, audience=CLOUD))[1]['k8s_aud'],
          tokens.decode(token)[1]['aud'], "and keeps the pod token's beside")


@t.story
def what_is_not_of_the_list_is_an_invalid_target(cluster, gateway):
    token = cluster.issue()
    for name, targets in (
            ("the pod token's audience", {'audience': 'api'}),
            ('a part of one', {'audience': 'bill'}),
            ('one of them in another case', {'audience': 'Billing'}),
            ('one beside a good one', {'audience': [BILLING, 'else']}),
            ('two in one', {'audience': f'{BILLING} {CLOUD}'})):
        answer = gateway.ask(token, **targets)
        t.is_((answer.status, answer.json()['error']),
              (400, 'invalid_target'), name)
    t.is_(gateway.reviews(), 0, 'and asks nobody')


@t.story
def each_choice_is_minted_once_a_verdict(cluster, gateway):
    token = cluster.issue()
    choices = ({}, {'audience': BILLING}, {'audience': [BILLING, CLOUD]})
    first = [gateway.exchange(token, **choice) for choice in choices]
    t.is_([aud(one) for one in first], [ITEMS, BILLING, [BILLING, CLOUD]],
          'one token each')
    for _ in range(2):
        t.is_([gateway.exchange(token, **choice) for choice in choices],
              first, 'the same again')
    t.is_(gateway.akeyless(token), first[0], 'in another dialect too')
    t.is_(gateway.reviews(), 1, 'of one review')


@t.story
def logins_that_share_a_review_get_what_each_asked_for(cluster):
    gateway = Gateway(cluster, workers=2)
    token = cluster.issue()
    choices = [ITEMS, BILLING, CLOUD] * 4
    got = {}

    def ask(i):
        got[i] = aud(gateway.exchange(token, audience=choices[i]))

    cluster.api.fault('hold')
    threads = [threading.Thread(target=ask, args=(i,))
               for i in range(len(choices))]
    for thread in threads:
        thread.start()
    t.ok(wait_for(lambda: gateway.reviews() > 0), 'a review is held')
    cluster.api.clear()
    cluster.api.release()
    for thread in threads:
        thread.join()
    t.is_([got.get(i) for i in range(len(choices))], choices, 'each its own')


@t.story
def a_guard_takes_tokens_for_the_first_alone(cluster, gateway):
    token = cluster.issue()
    for _ in range(2):
        t.is_(gateway.guarded(gateway.akeyless(token)), (200, ''),
              'for the first')
        t.is_(gateway.guarded(gateway.exchange(
            token, audience=[CLOUD, ITEMS])), (200, ''), 'the first too')
        t.is_(gateway.guarded(gateway.exchange(token, audience=BILLING)),
              (401, '"audience_mismatch"'), 'for another service')


@t.story
def every_one_of_the_list_is_introspected_and_revoked(cluster, gateway):
    token = cluster.issue()

    def active(minted):
        return client.post(gateway.nginx.port, '/introspect',
                           f'token={minted}', FORM).json()
    minted = gateway.exchange(token, audience=BILLING)
    answer = active(minted)
    t.is_((answer['active'], answer['aud']), (True, BILLING), 'introspection')
    t.is_(client.post(gateway.nginx.port, '/revoke', f'token={minted}',
                      FORM).status, 200, 'a revocation')
    t.is_(active(minted), {'active': False}, 'holds')
    again = gateway.exchange(token, audience=BILLING)
    t.is_((again != minted, active(again)['active']), (True, True),
          'the next login gets another token')
    t.is_(active(gateway.akeyless(token))['active'], True,
          'and others are none of its business')


@t.story
def a_change_of_the_list_forgets_what_was_minted_for_it(cluster, gateway):
    token = cluster.issue()
    t.is_(aud(gateway.exchange(token, audience=BILLING)), BILLING, 'before')
    gateway.nginx.configure(gateway.values(BILLING, CLOUD))
    t.ok(gateway.nginx.reload(wait_old=True), 'a reload')
    t.is_(aud(gateway.exchange(token, audience=CLOUD)), CLOUD,
          'the same place in the list')
    t.is_(aud(gateway.akeyless(token)), BILLING, 'the first now')


t.tell()
