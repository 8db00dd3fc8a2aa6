#!/usr/bin/python3
"""token_subject: what minted tokens call the pod."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import tokens  # noqa: E402
from akltest import Test, client  # noqa: E402
from dialects import FORM, token_exchange  # noqa: E402
from minted import ISSUER, bearer  # noqa: E402

SPIFFE = ('spiffe://example.org/ns/$akl_k8s_namespace'
          '/sa/$akl_k8s_service_account')
BUILDER = 'spiffe://example.org/ns/my-namespace-a/sa/builder'
DEFAULT = 'system:serviceaccount:my-namespace-a:builder'
ALL = ('${akl_k8s_namespace}:${akl_k8s_service_account}:'
       '$akl_k8s_service_account_uid:$akl_k8s_pod_name:$akl_k8s_pod_uid:'
       '$akl_k8s_node_name:$akl_k8s_config')
HTTP = '''
    akl_k8s_cache_valid 1h refused=1h;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /v1/auth/kubernetes/login { akl_k8s_auth vault; }
        location = /token { akl_k8s_auth oauth; }
        location = /revoke { akl_k8s_revoke; }
        location = /guarded {
            akl_k8s_guard k8s-conf;
            add_header X-Sub $akl_k8s_claim_sub;
            empty_gif;
        }
        location = /swapped {
            akl_k8s_exchange k8s-conf;
            add_header X-Sub $akl_k8s_claim_sub;
            empty_gif;
        }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx with some subjects."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.nginx = t.nginx(HTTP, **self.values(SPIFFE))

    def values(self, subject):
        """Return the values of HTTP for a subject."""
        def config(name, **kw):
            return self.cluster.config(name, token_issuer=ISSUER, **kw)
        return {'method': self.cluster.method(),
                'configs': config('k8s-conf', token_subject=subject)
                + config('all', token_subject=ALL)
                + config('each', token_subject=SPIFFE,
                         token_claims='host=$host')
                + config('none')
                + config('pod', token_subject='$akl_k8s_pod_name')
                + config('each-pod', token_subject='$akl_k8s_pod_name',
                         token_claims='host=$host')}

    def login(self, token, config='k8s-conf'):
        """Log in; return the answer."""
        return client.post(self.nginx.port, '/v2/auth',
                           self.cluster.login(token, config))

    def minted(self, token, config='k8s-conf'):
        """Log in; return the minted token."""
        return self.login(token, config).json()['token']

    def sub(self, token, config='k8s-conf'):
        """Log in; return the subject of the minted token."""
        return tokens.decode(self.minted(token, config))[1]['sub']

    def guarded(self, token):
        """Present a minted token; return status and subject."""
        answer = client.get(self.nginx.port, '/guarded', bearer(token))
        return answer.status, answer.header('x-sub')

    def revoke(self, **body):
        """Revoke; return the status."""
        return client.post(self.nginx.port, '/revoke', body).status

    def reviews(self):
        """Return how many reviews there have been."""
        return self.cluster.api.stats()['review']


@t.shared
def gateway(cluster):
    """The gateway of the stories that leave it as it is."""
    return Gateway(cluster)


@t.own
def my_gateway(cluster):
    """One with no verdict and no revocation yet."""
    return Gateway(cluster)


@t.story
def a_subject_is_made_of_what_the_review_has_established(cluster, gateway):
    token = cluster.issue()
    pod = tokens.decode(token)[1]['kubernetes.io']
    t.is_(gateway.sub(token), BUILDER, 'a SPIFFE id')
    t.is_(gateway.sub(token, 'none'), DEFAULT, 'without the directive')
    t.is_(gateway.sub(token, 'each'), BUILDER, 'a token for each login')
    t.is_(gateway.sub(token, 'all').split(':'), [
        'my-namespace-a', 'builder', pod['serviceaccount']['uid'], 'mypod1',
        pod['pod']['uid'], pod['node']['name'], 'all'], 'all variables')


@t.story
def every_dialect_and_an_exchange_have_it(cluster, gateway):
    token = cluster.issue()
    vault = client.post(gateway.nginx.port, '/v1/auth/kubernetes/login',
                        {'role': 'k8s-conf', 'jwt': token}).json()
    oauth = client.post(gateway.nginx.port, '/token', token_exchange(token),
                        FORM).json()
    for name, minted in (('vault', vault['auth']['client_token']),
                         ('oauth', oauth['access_token'])):
        t.is_(tokens.decode(minted)[1]['sub'], BUILDER, name)
        t.is_(gateway.guarded(minted), (200, BUILDER), f'{name}: a guard')
    answer = client.get(gateway.nginx.port, '/swapped', bearer(token))
    t.is_((answer.status, answer.header('x-sub')), (200, BUILDER),
          'an exchange')


@t.story
def a_variable_that_is_empty_refuses_the_login(cluster, gateway):
    for config in ('pod', 'each-pod'):
        token = cluster.issue(None, account='builder', claims={'c': config})
        before = gateway.reviews()
        mark = gateway.nginx.mark()
        answer = gateway.login(token, config)
        t.is_((answer.status, answer.json()['reason']),
              (403, 'subject_incomplete'), f'{config}: a token without a pod')
        t.ok(gateway.nginx.wait_log(
            r'subject_incomplete: .*\$akl_k8s_pod_name of token_subject is '
            'empty', since=mark), 'the log names the variable')
        t.is_(gateway.login(token, config).json()['reason'],
              'subject_incomplete', 'and again')
        t.is_(gateway.reviews() - before, 1, 'from memory')
        t.is_(gateway.sub(cluster.issue(), config), 'mypod1', 'one with a pod')


@t.story
def the_same_token_is_handed_out_while_the_verdict_stands(cluster, my_gateway):
    token = cluster.issue()
    t.is_(len({my_gateway.minted(token) for _ in range(4)}), 1, 'one token')
    t.is_(my_gateway.reviews(), 1, 'of one review')


@t.story
def a_revocation_by_this_subject_holds_for_guard_and_login(
        cluster, my_gateway):
    token = cluster.issue()
    minted = my_gateway.minted(token)
    ahead = tokens.decode(minted)[1]['iat'] + 1
    t.is_(my_gateway.guarded(minted), (200, BUILDER), 'a token')
    t.is_((my_gateway.revoke(sub=DEFAULT, before=ahead),
           my_gateway.guarded(minted)[0], my_gateway.minted(token) == minted),
          (200, 200, True), 'the name that it does not have')
    t.is_((my_gateway.revoke(sub=BUILDER, before=ahead),
           my_gateway.guarded(minted)[0]), (200, 401), 'the name that it has')
    t.ok(my_gateway.minted(token) != minted, 'a login gets another token')
    t.is_(my_gateway.reviews(), 1, 'of the same verdict')


@t.story
def a_token_of_a_former_subject_is_not_handed_out(cluster, my_gateway):
    token = cluster.issue()
    t.is_(my_gateway.sub(token), BUILDER, 'before')
    my_gateway.nginx.configure(my_gateway.values('pods/$akl_k8s_pod_name'))
    t.ok(my_gateway.nginx.reload(wait_old=True), 'a reload')
    t.is_(my_gateway.sub(token), 'pods/mypod1', 'after')


t.tell()
