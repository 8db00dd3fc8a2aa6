"""Logins that must be refused, each with its reason; and some that pass."""

import procs
import tokens
from realm import SECRET_OF_ACCOUNT

OTHER_KEY = ('RSA-2048', 'e2e-other')


def start(world, name, method=None, **config):
    """Start a gateway with the page's method, or another."""
    return world.gateway(world.method(**(method or {}))
                         + world.config(**config), name=name)


def bounds(world):
    """Who is not whom the method wants."""
    nginx = start(world, 'bounds')
    world.refused(world.login(nginx, world.token('mypod3')), 403,
                  'pod_not_bound', 'another pod of the namespace')
    world.refused(world.login(nginx, world.token('mypod1', world.b)), 403,
                  'namespace_not_bound', 'a pod of that name elsewhere')
    world.refused(world.login(nginx, world.token(None)), 403,
                  'pod_not_bound', 'a token that is bound to no pod')
    world.refused(world.login(nginx, 'no.token.atall'), 401,
                  'token_malformed', 'what is no token')
    world.refused(world.login(nginx, world.token(), config='other'), 401,
                  'config_unknown', 'an auth config that is not there')
    nginx.stop()

    world.account('builder')
    nginx = start(world, 'accounts', {'bound_namespaces': world.a,
                                      'bound_sa_names': 'builder'})
    world.accepted(world.login(nginx, world.token(None, account='builder')),
                   'an account by its name',
                   service_account_name='builder')
    world.refused(world.login(nginx, world.token()), 403,
                  'service_account_not_bound', 'another account')
    nginx.stop()


def gone(world):
    """What was true when the token was made."""
    kubectl = world.kubectl
    nginx = start(world, 'gone', {'bound_namespaces': world.a})

    def refused(token, name):
        """The server's caches may take a while to know."""
        world.refused(world.eventually(lambda: world.login(nginx, token),
                                       401), 401, 'token_revoked', name)

    world.pod('shortlived')
    used, fresh, last = (world.token('shortlived') for _ in range(3))
    world.accepted(world.login(nginx, used), 'a pod, while it is there',
                   pod_name='shortlived')
    kubectl.delete('pod', 'shortlived', world.a)
    refused(fresh, 'a deleted pod')
    refused(used, 'a deleted pod, once its last verdict has gone stale')
    world.pod('shortlived')
    refused(last, 'a pod made anew under the same name')
    world.accepted(world.login(nginx, world.token('shortlived')),
                   'the new pod\'s own token', pod_name='shortlived')

    world.account('leaving')
    used, fresh, last = (world.token(None, account='leaving')
                         for _ in range(3))
    world.accepted(world.login(nginx, used), 'an account, while it is there',
                   service_account_name='leaving')
    kubectl.delete('serviceaccount', 'leaving', world.a)
    refused(fresh, 'a deleted account')
    world.account('leaving')
    refused(last, 'an account made anew under the same name')
    nginx.stop()


def old_tokens(world):
    """Tokens of Secrets: bound to an account, and to no pod."""
    kubectl = world.kubectl
    kubectl.apply(SECRET_OF_ACCOUNT.format(
        name='old-token', namespace=world.a, account='default'))
    legacy = world.secret_token('old-token', world.a)
    issuers = f'{world.quoted_issuer} kubernetes/serviceaccount'
    nginx = start(world, 'pods-only', k8s_issuer=issuers)
    world.refused(world.login(nginx, legacy), 403, 'pod_not_bound',
                  'a Secret\'s token is bound to no pod')
    nginx.stop()
    nginx = start(world, 'secrets', {'bound_namespaces': world.a},
                  k8s_issuer=issuers)
    world.accepted(world.login(nginx, legacy), 'a Secret\'s token',
                   service_account_secret_name='old-token',
                   service_account_name='default')
    world.accepted(
        world.login(nginx, world.token('old-token', kind='Secret')),
        'a token that is bound to a Secret',
        service_account_secret_name='old-token')
    kubectl.delete('secret', 'old-token', world.a)
    world.refused(world.eventually(lambda: world.login(nginx, legacy), 401),
                  401, 'token_revoked', 'a Secret\'s token without its Secret')
    nginx.stop()
    nginx = start(world, 'new-only', {'bound_namespaces': world.a})
    world.refused(world.login(nginx, legacy), 401, 'issuer_mismatch',
                  'a Secret\'s token where its issuer is not of the list')
    nginx.stop()


def audiences(world):
    """Tokens for somebody else, and for us."""
    nginx = start(world, 'no-audience')
    foreign = world.token(audience='vault')
    world.refused(world.login(nginx, foreign), 401, 'audience_mismatch',
                  'a token for another audience')
    nginx.stop()
    nginx = start(world, 'audience', {'bound_namespaces': world.a,
                                      'audience': 'vault'})
    claims = world.accepted(world.login(nginx, foreign),
                            'an audience of our own', pod_name='mypod1')
    world.test.is_(claims.get('aud'), ['vault'], 'and for it alone')
    world.refused(world.login(nginx, world.token()), 401,
                  'audience_mismatch', 'a token without that audience')
    nginx.stop()


def forged(world):
    """Tokens that somebody signed: for these the cluster's key is needed."""
    nginx = start(world, 'forged')
    token = world.token()
    other = tokens.key(*OTHER_KEY)
    own = world.plane.keys[0]
    hour = tokens.decode(token)[1]
    hour = hour['exp'] - hour['iat']

    world.accepted(world.login(nginx, world.forge(token)),
                   'claims signed anew with the cluster\'s key',
                   pod_name='mypod1')
    world.refused(world.login(nginx, world.forge(token, key=other)), 401,
                  'token_rejected', 'another cluster\'s key')
    world.refused(
        world.login(nginx, world.forge(token, key=other,
                                       header={'kid': own.k8s_kid})),
        401, 'token_rejected', 'another key under this cluster\'s kid')
    world.refused(world.login(nginx, world.forge(token, -hour - 300)), 401,
                  'token_expired', 'a token that has expired')
    world.refused(world.login(nginx, world.forge(token, 300)), 401,
                  'token_not_yet_valid', 'a token of the future')
    world.refused(
        world.login(nginx, world.forge(token, iss='https://elsewhere')),
        401, 'issuer_mismatch', 'another issuer')
    nginx.stop()
    nginx = start(world, 'any-issuer', disable_issuer_validation='on')
    world.refused(
        world.login(nginx, world.forge(token, iss='https://elsewhere')),
        401, 'token_rejected', 'another issuer, left to the server')
    nginx.stop()


def reviewers(world):
    """The gateway's own credentials go wrong, which is nobody's refusal."""
    kubectl = world.kubectl
    nginx = start(world, 'reviewer', {'bound_namespaces': world.a})

    def login():
        return world.login(nginx, world.token())

    kubectl('delete', 'clusterrolebinding', world.binding)
    world.refused(world.eventually(login, 502, 'reviewer_forbidden'), 502,
                  'reviewer_forbidden', 'a reviewer without its binding')
    world.bind_reviewer()
    world.accepted(world.eventually(login, 200), 'the binding is back')

    kubectl.apply(SECRET_OF_ACCOUNT.format(
        name='second', namespace=world.home,
        account='gateway-token-reviewer'))
    first = world.reviewer
    world.write_reviewer(world.secret_token('second', world.home))
    nginx.reload()
    world.accepted(world.eventually(login, 200), 'another token of the '
                   'reviewer\'s')
    kubectl.delete('secret', 'second', world.home)
    world.refused(world.eventually(login, 502, 'reviewer_unauthorized'), 502,
                  'reviewer_unauthorized', 'a reviewer\'s token that ended')
    world.write_reviewer(first)
    world.accepted(world.eventually(login, 200),
                   'a new token in the file, without a reload')
    nginx.stop()


def hosts(world):
    """A cluster that is not there, or is somebody else."""
    cases = {
        'api_not_found': (502, {'k8s_host': world.host.rstrip('/')
                                + '/not/here'}),
        'api_unreachable': (503, {
            'k8s_host': f'https://127.0.0.1:{procs.free_port()}'}),
        'api_tls': (502, {'k8s_ca_cert': world.test.write(
            'other-ca.crt', world.other_authority().pem)})}
    for reason, (status, config) in cases.items():
        nginx = start(world, reason, **config)
        world.refused(world.login(nginx, world.token()), status, reason,
                      f'an outage is none of the pod\'s making: {reason}')
        nginx.stop()


def run(world):
    """Refuse and accept."""
    bounds(world)
    gone(world)
    old_tokens(world)
    audiences(world)
    if world.plane is None:
        world.test.skip('tokens of a forger: the cluster\'s key is not ours')
    else:
        forged(world)
    reviewers(world)
    hosts(world)
