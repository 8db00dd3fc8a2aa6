#!/usr/bin/python3
"""token_binding: tokens bound to the client certificate of the login."""

import base64
import hashlib
import os
import ssl
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import http2  # noqa: E402
import nginx as nginx_  # noqa: E402
import tokens  # noqa: E402
from akltest import Test, client, wait_for  # noqa: E402
from dialects import FORM, token_exchange  # noqa: E402
from minted import bearer  # noqa: E402

MISSING = 401, '"certificate_missing"'
MISMATCH = 401, '"certificate_mismatch"'
WHO = ('namespace', 'service_account', 'pod_name', 'pod_uid', 'node_name',
       'jti', 'token_expires', 'claim_sub')
HTTP = '''
    akl_k8s_cache_valid 1h;
    @method@
    @configs@
    ssl_certificate @dir@/../cluster/server.crt;
    ssl_certificate_key @dir@/../cluster/server.key;
    ssl_client_certificate @ca@;
    ssl_verify_client optional;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:tls:1m;
    server {
        listen 127.0.0.1:@port@;
        @http2@
        location = /v2/auth { akl_k8s_auth; }
        location = /v1/auth/kubernetes/login { akl_k8s_auth vault; }
        location = /token { akl_k8s_auth oauth; }
        location = /guarded { akl_k8s_guard k8s-conf; empty_gif; }
        location = /any {
            satisfy any;
            allow all;
            akl_k8s_guard k8s-conf;
            add_header X-Who "$akl_k8s_status@who@" always;
            empty_gif;
        }
        location = /dry {
            akl_k8s_dry_run on;
            akl_k8s_guard k8s-conf;
            add_header X-Who "$akl_k8s_status@who@" always;
            empty_gif;
        }
        location = /asks { auth_request /sub; empty_gif; }
        location = /sub { akl_k8s_guard k8s-conf; akl_k8s_verify; }
        location = /swapped {
            akl_k8s_exchange k8s-conf;
            add_header X-Token $akl_k8s_token;
            empty_gif;
        }
        location = /introspect { akl_k8s_introspect k8s-conf; }
        add_header X-Who "$akl_k8s_status@who@" always;
        location = /self { akl_k8s_introspect vault; }
        location = /own { akl_k8s_revoke self; }
        location = /revoke-self { akl_k8s_revoke vault; }
    }
'''.replace('@http2@', nginx_.http2('127.0.0.1:@port1@ ssl'))

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Holder:
    """A client with a certificate of its own, or with none."""

    def __init__(self, cluster, authority, name=None):
        self.pair, self.thumbprint = None, None
        if name:
            pair = authority.client(name, key=tokens.key('P-256', name))
            self.pair = certs.write_pair(cluster.dir, name, pair)
            self.thumbprint = base64.urlsafe_b64encode(hashlib.sha256(
                ssl.PEM_cert_to_DER_cert(pair[0])).digest()).decode() \
                .rstrip('=')
        self.cluster = cluster

    @property
    def context(self):
        """A TLS context with the certificate."""
        return client.tls(self.cluster.ca, self.pair)


class Gateway:
    """An nginx that binds what it mints."""

    def __init__(self, cluster, workers=1):
        self.cluster = cluster
        authority = certs.Authority('clients', tokens.key('P-256', 'clients'))
        self.one, self.two = (Holder(cluster, authority, name)
                              for name in ('one', 'two'))
        self.nobody = Holder(cluster, authority)
        self.nginx = t.nginx(HTTP, workers=workers, **self.values(
            'certificate'), ca=cluster.file('clients.crt', authority.pem),
            who=''.join(f'$akl_k8s_{name}' for name in WHO))
        self.port = self.nginx.port_of('port1')

    def values(self, binding):
        """Return the values of HTTP that change."""
        def config(name, **kw):
            return self.cluster.config(name, kind='P-256',
                                       token_binding=binding, **kw)
        return {'method': self.cluster.method(),
                'configs': config('k8s-conf', token_audience='items billing')
                + config('each', token_claims='host=$host')
                + self.cluster.config('free')}

    def reload(self, binding):
        """Change the binding."""
        self.nginx.configure(self.values(binding))
        t.ok(self.nginx.reload(wait_old=True), f'a reload: {binding}')

    def akeyless(self, holder, token, config='k8s-conf'):
        """Log in as Akeyless clients do; return the answer."""
        return client.post(self.port, '/v2/auth', self.cluster.login(
            token, config), context=holder.context)

    def vault(self, holder, token, config='k8s-conf'):
        """Log in as Vault's clients do; return the answer."""
        return client.post(self.port, '/v1/auth/kubernetes/login',
                           {'role': config, 'jwt': token},
                           context=holder.context)

    def oauth(self, holder, token, config='k8s-conf', **more):
        """Exchange a token; return the answer."""
        return client.post(self.port, '/token',
                           token_exchange(token, config, **more), FORM,
                           context=holder.context)

    def minted(self, holder, token, config='k8s-conf'):
        """Log in; return the minted token."""
        return self.akeyless(holder, token, config).json()['token']

    def get(self, path, holder, token, **kw):
        """Present a token; return the answer."""
        return client.get(self.port, path, bearer(token),
                          context=holder.context, **kw)

    def guarded(self, holder, token, path='/guarded'):
        """Present a token; return status and description."""
        answer = self.get(path, holder, token)
        challenge = answer.header('www-authenticate') or ''
        return answer.status, challenge.rpartition('description=')[2]

    def reviews(self):
        """Return how many reviews there have been."""
        return self.cluster.api.stats()['review']


@t.own
def gateway(cluster):
    """A gateway with no verdict yet."""
    return Gateway(cluster)


def bound(token):
    """Return the thumbprint that a token is bound to, or None."""
    return tokens.decode(token)[1].get('cnf', {}).get('x5t#S256')


@t.story
def a_token_is_bound_to_the_certificate_of_the_login(cluster, gateway):
    token, one = cluster.issue(), gateway.one
    for name, minted in (
            ('akeyless', gateway.minted(one, token)),
            ('vault', gateway.vault(one, token).json()['auth'][
                'client_token']),
            ('oauth', gateway.oauth(one, token).json()['access_token']),
            ('oauth, for another audience', gateway.oauth(
                one, token, audience='billing').json()['access_token']),
            ('a token for each login', gateway.minted(one, token, 'each')),
            ('an exchange', gateway.get('/swapped', one, token).header(
                'x-token'))):
        t.is_(bound(minted), one.thumbprint, name)
    t.is_(bound(gateway.minted(one, token, 'free')), None,
          'another config binds nothing')


@t.story
def a_login_without_a_certificate_is_told_so(cluster, gateway):
    token, nobody = cluster.issue(), gateway.nobody
    for name, answer in (
            ('akeyless', gateway.akeyless(nobody, token)),
            ('vault', gateway.vault(nobody, token)),
            ('oauth', gateway.oauth(nobody, token)),
            ('without TLS', client.post(gateway.nginx.port, '/v2/auth',
                                        cluster.login(token)))):
        t.is_((answer.status, answer.json()['reason']),
              ({'vault': 403, 'oauth': 400}.get(name, 401),
               'certificate_missing'), name)
    t.is_(gateway.guarded(nobody, token, '/swapped'), MISSING, 'an exchange')
    t.is_(gateway.reviews(), 0, 'and nobody is asked about it')
    t.is_(gateway.akeyless(nobody, token, 'free').status, 200,
          'another config does not mind')
    gateway.minted(gateway.one, token)
    t.is_(gateway.akeyless(nobody, token).status, 401,
          'also where another client has logged in by the same request')


@t.story
def a_guard_wants_the_very_certificate(cluster, gateway):
    minted = gateway.minted(gateway.one, cluster.issue())
    for _ in range(2):
        t.is_(gateway.guarded(gateway.one, minted), (200, ''), 'its own')
        t.is_(gateway.guarded(gateway.two, minted), MISMATCH, "another's")
        t.is_(gateway.guarded(gateway.nobody, minted), MISSING, 'none')
    t.is_(client.get(gateway.nginx.port, '/guarded', {
        'Authorization': f'Bearer {minted}'}).status, 401, 'without TLS')
    t.is_([gateway.get('/asks', holder, minted).status for holder in (
        gateway.one, gateway.two, gateway.nobody)], [200, 401, 401],
        'in a subrequest')
    t.is_([gateway.get('/self', holder, minted).status for holder in (
        gateway.one, gateway.two, gateway.nobody)], [200, 403, 403],
        'a look at itself')


@t.story
def who_presents_the_token_of_another_is_not_taken_for_it(cluster, gateway):
    token = cluster.issue()
    minted = gateway.minted(gateway.one, token)
    other = gateway.oauth(gateway.one, token, audience='billing').json()[
        'access_token']
    pod = tokens.decode(token)[1]['kubernetes.io']['pod']['name']
    for path in ('/any', '/dry'):
        t.like(gateway.get(path, gateway.one, minted).header('x-who'),
               f'^ok.*{pod}', f'{path}: its holder')
        for name, holder, presented, reason in (
                ('with another certificate', gateway.two, minted,
                 'certificate_mismatch'),
                ('with none', gateway.nobody, minted, 'certificate_missing'),
                ('that is for another audience', gateway.one, other,
                 'audience_mismatch')):
            answer = gateway.get(path, holder, presented)
            t.is_((answer.status, answer.header('x-who')), (200, reason),
                  f'{path}: {name}')
            t.ok(gateway.nginx.wait_log(
                f'{reason}: .*pod "{pod}".* "GET {path} '),
                f'{path}: the log tells whose token it was')
    for method, path, status in (('GET', '/self', 403), ('POST', '/own', 401),
                                 ('POST', '/revoke-self', 403)):
        answer = client.request(gateway.port, method, path, bearer(minted),
                                '', context=gateway.two.context)
        t.is_((answer.status, answer.header('x-who')),
              (status, 'certificate_mismatch'), path)


@t.story
def a_bound_token_is_revoked_by_its_holder_alone(cluster, gateway):
    own, vault = (gateway.minted(gateway.one, cluster.issue())
                  for _ in range(2))

    def revoke(path, holder, token):
        return client.post(gateway.port, path, '', {
            'Authorization': f'Bearer {token}'}, context=holder.context)

    for holder, reason in ((gateway.two, 'certificate_mismatch'),
                           (gateway.nobody, 'certificate_missing')):
        answer = revoke('/own', holder, own)
        t.is_(answer.status, 401, 'by who has stolen it')
        t.like(answer.header('www-authenticate'), f'"{reason}"', 'the reason')
        answer = revoke('/revoke-self', holder, vault)
        t.is_((answer.status, answer.json()['reason']), (403, reason),
              "the same in Vault's shape")
    t.is_([gateway.guarded(gateway.one, token) for token in (own, vault)],
          [(200, '')] * 2, 'both are good still')
    t.is_(revoke('/own', gateway.one, own).status, 200, 'by its holder')
    t.is_(revoke('/revoke-self', gateway.one, vault).status, 204,
          "the same in Vault's shape")
    t.is_([gateway.guarded(gateway.one, token)[0] for token in (own, vault)],
          [401] * 2, 'both are refused')


@t.story
def a_login_never_gets_a_token_of_another_certificate(cluster, gateway):
    token = cluster.issue()
    ways = gateway.akeyless, gateway.vault, gateway.oauth

    def all_ways(holder):
        return [tokens.decode(one)[1]['jti'] for one in (
            ways[0](holder, token).json()['token'],
            ways[1](holder, token).json()['auth']['client_token'],
            ways[2](holder, token).json()['access_token'])]
    for _ in range(2):
        for holder in (gateway.one, gateway.two):
            t.is_(bound(gateway.minted(holder, token)), holder.thumbprint,
                  'its own')
    first = all_ways(gateway.one)
    t.is_(len(set(first)), 1, 'one token for one certificate, by any dialect')
    other = all_ways(gateway.two)
    t.is_((len(set(other)), set(other) & set(first)), (1, set()),
          'and another for another')
    t.is_(all_ways(gateway.one), first, 'which stays the same')
    t.is_(gateway.reviews(), 1, 'all by one review')


@t.story
def logins_that_share_a_review_are_bound_each_to_its_own(cluster):
    gateway = Gateway(cluster, workers=2)
    token = cluster.issue()
    holders = [gateway.one, gateway.two] * 4
    got = {}

    def ask(i):
        got[i] = bound(gateway.minted(holders[i], token))

    cluster.api.fault('hold')
    threads = [threading.Thread(target=ask, args=(i,))
               for i in range(len(holders))]
    for thread in threads:
        thread.start()
    t.ok(wait_for(lambda: gateway.reviews() > 0), 'a review is held')
    cluster.api.clear()
    cluster.api.release()
    for thread in threads:
        thread.join()
    t.is_([got.get(i) for i in range(len(holders))],
          [holder.thumbprint for holder in holders], 'each to its own')


@t.story
def tokens_are_held_to_what_they_say_when_the_directive_changes(
        cluster, gateway):
    token = cluster.issue()
    gateway.reload('off')
    free = gateway.minted(gateway.one, token)
    t.is_((bound(free), gateway.guarded(gateway.nobody, free)),
          (None, (200, '')), 'a token that is not bound')
    gateway.reload('certificate')
    t.is_(gateway.guarded(gateway.one, free), MISMATCH,
          'is not taken where it has to be')
    minted = gateway.minted(gateway.one, token)
    t.is_(bound(minted), gateway.one.thumbprint,
          'and not handed out any more')
    gateway.reload('off')
    t.is_((gateway.guarded(gateway.one, minted),
           gateway.guarded(gateway.two, minted),
           gateway.guarded(gateway.nobody, minted)),
          ((200, ''), MISMATCH, MISSING),
          'one that is bound stays so where it need not be')


@t.story
def introspection_tells_what_a_token_is_bound_to(cluster, gateway):
    minted = gateway.minted(gateway.one, cluster.issue())
    said = client.post(gateway.port, '/introspect', f'token={minted}', FORM,
                       context=gateway.nobody.context).json()
    t.is_((said['active'], said['cnf']),
          (True, {'x5t#S256': gateway.one.thumbprint}),
          'who asks compares by itself')


@t.story
def a_resumed_tls_session_has_its_certificate(cluster, gateway):
    minted = gateway.minted(gateway.one, cluster.issue())
    context = gateway.one.context
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    session = None
    for resumed in (False, True):
        with context.wrap_socket(
                client.connect(gateway.port), session=session,
                server_hostname='localhost') as sock:
            session = sock.session
            t.is_(sock.session_reused, resumed, f'resumed: {resumed}')
            sock.sendall(client.build('GET', '/guarded', {
                'Authorization': f'Bearer {minted}'}))
            t.is_(client.read_response(sock).status, 200, 'its certificate')


@t.story
def every_stream_of_a_connection_has_its_certificate(cluster, gateway):
    if not http2.available():
        t.skip('no python3-h2', 3)
        return
    minted = gateway.minted(gateway.one, cluster.issue())
    for holder, status in ((gateway.one, 200), (gateway.two, 401),
                           (gateway.nobody, 401)):
        context = holder.context
        context.set_alpn_protocols(['h2'])
        with http2.Session(gateway.port, context) as session:
            streams = [session.send(path='/guarded', headers={
                'Authorization': f'Bearer {minted}'}) for _ in range(3)]
            t.is_([session.receive(stream).status for stream in streams],
                  [status] * 3, 'three streams')


t.tell()
