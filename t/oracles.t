#!/usr/bin/python3
"""What a stranger cannot find out: which configs there are, who is bound."""

import base64
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import tokens  # noqa: E402
from akltest import ACCESS_ID, NAMESPACE, Test, client  # noqa: E402
from dialects import FORM, token_exchange  # noqa: E402

OVER = 'p-overx116z7j9km'
ADDRESS = 'p-addrx116z7j9km'
STRANGER = 'p-strangerxxxxkm'
GUESSES = {'a bound pod': {},
           'another namespace': {'namespace': 'kube-system'},
           'another account': {'account': 'default'},
           'another pod': {'pod': 'db-1'}}
HTTP = '''
    akl_k8s_cache_valid 10s refused=0;
    @methods@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /pinned { akl_k8s_auth config=k8s-conf; }
        location = /v1/auth/kubernetes/login { akl_k8s_auth vault; }
        location = /token { akl_k8s_auth oauth; }
        location = /status { akl_k8s_status; }
        location = /file { akl_k8s_exchange k8s-conf; empty_gif; }
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
    """An nginx, and the ways to ask it."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.nginx = t.nginx(
            HTTP, methods=cluster.method(bound_pod_names='mypod*',
                                         bound_sa_names='builder')
            + cluster.method(OVER, access_expires='2020-01-01T00:00:00Z')
            + cluster.method(ADDRESS, bound_ips='192.0.2.0/24'),
            configs=cluster.config() + cluster.config(name='other')
            + cluster.config(name='over', access_id=OVER)
            + cluster.config(name='addr', access_id=ADDRESS)
            + cluster.config(name='signed', k8s_jwks=cluster.jwks))

    def akeyless(self, token, config, access_id, path='/v2/auth'):
        """Ask as Akeyless clients do."""
        return client.post(self.nginx.port, path,
                           self.cluster.login(token, config, access_id,
                                              encode=False))

    def vault(self, token, config, access_id):
        """Ask as Vault's clients do, with both in the role."""
        role = base64.b64encode(f'{access_id}..{config}'.encode()).decode()
        return client.post(self.nginx.port, '/v1/auth/kubernetes/login',
                           {'role': role, 'jwt': token})

    def counted(self):
        """Return what the status page counts of logins, by config."""
        return {name: figures['logins_total'] for name, figures in client.get(
            self.nginx.port, '/status').json()['configs'].items()}

    def line(self, call, *args):
        """Return the line that a refusal leaves in the log."""
        mark = self.nginx.mark()
        call(*args)
        return self.nginx.wait_log('refused, config_unknown', since=mark)

    def by_form(self, token, config):
        """Ask by a token exchange; return status and reason."""
        answer = client.post(self.nginx.port, '/token',
                             token_exchange(token, config), FORM)
        return answer.status, answer.json()['reason']

    def by_location(self, token):
        """Ask by akl_k8s_exchange; return status and what is said."""
        answer = client.get(self.nginx.port, '/file',
                            {'Authorization': f'Bearer {token}'})
        return answer.status, answer.header('www-authenticate')


@t.own
def gateway(cluster):
    """A gateway that has seen nothing yet."""
    return Gateway(cluster)


def visible(answer):
    """Return all of an answer but its time and number."""
    body = answer.json()
    body.pop('request_id')
    return answer.status, body, sorted(
        (name, value) for name, value in answer.headers
        if name.lower() not in ('date', 'content-length'))


def presented(cluster):
    """Return what may be presented, by what it is."""
    return {'a good token': cluster.issue(), 'no token': '',
            'no JWT': 'not.a.jwt',
            'a token too large': 'e30.' + 'A' * 17000 + '.AAAA'}


def forged(cluster, namespace=NAMESPACE, account='builder', pod='mypod1',
           kid=None):
    """Return a token as the cluster's, by a key of our own."""
    return tokens.k8s_sign(tokens.projected(
        namespace, (account, 'uid-1'), pod=(pod, 'uid-2')),
        tokens.key('RSA-2048', 'stranger'), kid=kid or cluster.key.k8s_kid)


# Which configs there are

@t.story
def a_config_with_another_access_id_looks_like_none(cluster, api, gateway):
    before = gateway.counted()
    for name, ask, status in (('akeyless', gateway.akeyless, 401),
                              ('vault', gateway.vault, 403)):
        for what, token in presented(cluster).items():
            unknown = visible(ask(token, 'nobody', ACCESS_ID))
            t.is_((unknown[0], unknown[1]['reason']),
                  (status, 'config_unknown'),
                  f'{name}, {what}: an unknown config')
            for config in ('k8s-conf', 'over', 'addr', 'signed'):
                t.is_(visible(ask(token, config, STRANGER)), unknown,
                      f'{name}, {what}: {config} by another access id')
    t.is_(gateway.counted(), before, 'none of them counts for a config')
    t.is_(api.stats()['review'], 0, 'nor is anything asked')


@t.story
def a_config_that_the_location_is_not_for_looks_like_none(
        cluster, api, gateway):
    before = gateway.counted()
    for what, token in presented(cluster).items():
        if what != 'a good token':
            t.is_(visible(gateway.akeyless(token, 'other', ACCESS_ID,
                                           '/pinned')),
                  visible(gateway.akeyless(token, 'nobody', ACCESS_ID,
                                           '/pinned')),
                  f'{what}: a config that the location is not for')
        t.is_(visible(gateway.akeyless(token, 'other', STRANGER, '/pinned')),
              visible(gateway.akeyless(token, 'nobody', STRANGER, '/pinned')),
              f'{what}: the same by another access id')
    before['k8s-conf'] = gateway.counted()['k8s-conf']
    t.is_(gateway.counted(), before, 'none of them counts for a config')
    t.is_(api.stats()['review'], 0, 'nor is anything asked')


@t.story
def the_log_tells_what_was_asked_for(cluster, gateway):
    good = cluster.issue()
    t.like(gateway.line(gateway.akeyless, good, 'nobody', ACCESS_ID),
           f'there is no such auth config, asked for access id "{ACCESS_ID}", '
           'config "nobody"', 'the log names an unknown config')
    t.like(gateway.line(gateway.akeyless, good, 'k8s-conf', STRANGER),
           f'the auth config has another access id, asked for access id '
           f'"{STRANGER}", config "k8s-conf"', 'and a wrong access id')
    t.like(gateway.line(gateway.akeyless, good, 'other', ACCESS_ID, '/pinned'),
           'the location is for another auth config, asked for "other"',
           'and a wrong location')
    t.like(gateway.line(gateway.vault, good, 'nobody', 'p-x'),
           'asked for access id "p-x", '
           'config "nobody"', 'what was asked for by a role')
    t.like(gateway.line(gateway.akeyless, good,
                        'a"b\\c\r\n\x1b[1m\xe9' + 'x' * 300, 'p-"\n'),
           r'asked for access id "p-\\x22\\x0A", config '
           r'"a\\x22b\\x5Cc\\x0D\\x0A\\x1B\[1m\\xC3\\xA9x{100,128}\.\.\."',
           'escaped and cut')


# Who is bound

@t.story
def who_holds_no_token_of_the_cluster_learns_no_bounds(cluster, api, gateway):
    for name, members in GUESSES.items():
        t.is_(gateway.by_form(forged(cluster, **members), 'k8s-conf'),
              (400, 'token_rejected'),
              f'forged, {name}: the API server decides')
        t.is_(gateway.by_form(forged(cluster, **members), 'signed'),
              (400, 'signature_invalid'),
              f'forged, {name}: the signature decides')
        t.is_(gateway.by_form(forged(cluster, kid='nobody', **members),
                              'signed'),
              (400, 'token_rejected'), f'forged, {name}, a key unknown here')
        t.is_(gateway.by_location(forged(cluster, **members)),
              (401, 'Bearer realm="akl_k8s", error="invalid_token", '
               'error_description="token_rejected"'),
              f'forged, {name}: an exchange')
    t.is_(api.stats()['review'], 3 * len(GUESSES),
          'a review for each, but for those whose signature was wrong')


@t.story
def who_holds_one_is_told_without_a_review_where_it_can_be(
        cluster, api, gateway):
    api.account('kube-system', 'builder')
    api.pod('kube-system', 'mypod1', account='builder')
    api.account(NAMESPACE, 'default')
    api.pod(NAMESPACE, 'mypod9', account='default')
    api.pod(NAMESPACE, 'db-1', account='builder')
    for pod, namespace, reason in (
            ('mypod1', 'kube-system', 'namespace_not_bound'),
            ('mypod9', NAMESPACE, 'service_account_not_bound'),
            ('db-1', NAMESPACE, 'pod_not_bound')):
        for config, reviews in (('signed', 0), ('k8s-conf', 1)):
            before = api.stats()['review']
            t.is_((gateway.by_form(cluster.issue(pod, namespace, claims={
                'n': time.monotonic_ns()}), config),
                api.stats()['review'] - before), ((400, reason), reviews),
                f'{reason}, by {config}')


t.tell()
