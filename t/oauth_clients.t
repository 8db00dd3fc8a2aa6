#!/usr/bin/python3
"""OAuth clients in JavaScript find the gateway by its discovery document,
exchange a pod's token (RFC 8693), introspect and revoke what they got, over
TLS as they demand it (make interop)."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import tokens  # noqa: E402
from akltest import CONFIG, NAMESPACE, Test  # noqa: E402
from clients import Clients  # noqa: E402
from minted import key  # noqa: E402

ISSUER = 'https://localhost:@port@'
PROGRAMS = {'openid-client': 'openid.mjs', 'oauth4webapi': 'oauth.mjs'}

t = Test(need_module=True)
clients = Clients(t)


@t.shared
def cluster():
    """A cluster with two pods, one of them not bound."""
    made = t.cluster()
    made.api.pod(NAMESPACE, 'stranger', account='builder')
    return made


@t.shared
def ca():
    """The path of a private CA's certificate, and of a server's by it."""
    authority = certs.Authority()
    cert, private = authority.server()
    return (t.write('oauth-ca.crt', authority.pem),
            t.write('oauth.crt', cert), t.write('oauth.key', private, 0o600))


@t.shared
def nginx(cluster, ca):
    """A gateway that is an OpenID issuer with all endpoints."""
    return t.nginx(cluster.config(kind='P-256', token_issuer=ISSUER) + '''
        @method@
        server {
            listen 127.0.0.1:@port@ ssl;
            ssl_certificate @cert@;
            ssl_certificate_key @key@;
            location = /.well-known/openid-configuration {
                akl_k8s_discovery k8s-conf
                    token_endpoint=@issuer@/oauth/token
                    introspection_endpoint=@issuer@/oauth/introspect
                    revocation_endpoint=@issuer@/oauth/revoke;
            }
            location = /.well-known/jwks.json { akl_k8s_jwks; }
            location = /oauth/token { akl_k8s_auth oauth; }
            location = /oauth/introspect { akl_k8s_introspect k8s-conf; }
            location = /oauth/revoke { akl_k8s_revoke; }
        }
    '''.replace('@issuer@', ISSUER), cert=ca[1], key=ca[2],
        method=cluster.method(bound_pod_names='mypod*'))


def ask(nginx, ca, program, token, *secret, name=CONFIG):
    """Run a client; return the lines that it tells."""
    return clients.run(
        'node', 'node', program, f'https://localhost:{nginx.port}', name,
        token, *secret, env={'NODE_EXTRA_CA_CERTS': ca[0]})


def lives(told, issuer):
    """Check the lines of a client from discovery to revocation."""
    t.is_([sorted(line)[0] for line in told],
          ['issuer', 'answer', 'introspection', 'introspection'],
          'it goes all the way')
    found, answer, active, revoked = told
    t.is_(found, {'issuer': issuer, 'token_endpoint': f'{issuer}/oauth/token'},
          'discovery')
    claims = tokens.verify(answer['answer']['access_token'], key())
    t.is_((claims['iss'], claims['pod_name']), (issuer, 'mypod1'),
          'the token')
    t.is_((answer['answer']['token_type'], answer['answer']['expires_in'],
           answer['answer']['issued_token_type']),
          ('bearer', claims['exp'] - claims['iat'],
           'urn:ietf:params:oauth:token-type:jwt'), 'and what is said of it')
    t.is_((active['introspection']['active'],
           active['introspection']['client_id'], revoked['introspection']),
          (True, CONFIG, {'active': False}), 'it is good until it is revoked')


@t.story
def tokens_are_exchanged_introspected_and_revoked(cluster, nginx, ca):
    if not clients.have('node'):
        return
    for name, program in PROGRAMS.items():
        t.note(name)
        lives(ask(nginx, ca, program, cluster.issue()),
              f'https://localhost:{nginx.port}')


@t.story
def a_client_with_a_secret_sends_http_basic(cluster, nginx, ca):
    if not clients.have('node'):
        return
    lives(ask(nginx, ca, 'openid.mjs', cluster.issue(), 'a secret: %'),
          f'https://localhost:{nginx.port}')


@t.story
def a_refusal_is_an_oauth_error_that_says_why(cluster, nginx, ca):
    if not clients.have('node'):
        return
    for name, program in PROGRAMS.items():
        told = ask(nginx, ca, program, cluster.issue('stranger'))[-1]
        t.is_((told['name'], told['error'], told['status']),
              ('ResponseBodyError', 'invalid_grant', 400), f'{name}: refused')
        t.like(told['description'], 'pod is not bound',
               f'{name}: says why: {told["description"]}')
        told = ask(nginx, ca, program, cluster.issue(), name='nobody')[-1]
        t.is_((told['name'], told['error'], told['status']),
              ('ResponseBodyError', 'invalid_client', 400),
              f'{name}: nobody: {told["description"]}')
    told = ask(nginx, ca, 'openid.mjs', cluster.issue(), 'a secret',
               name='nobody')[-1]
    t.is_((told['name'], told['status']),
          ('WWWAuthenticateChallengeError', 401), 'nobody by HTTP Basic')


@t.story
def an_outage_is_told_as_one(cluster, nginx, ca):
    if not clients.have('node'):
        return
    cluster.api.unlisten()
    cluster.api.drop()
    for name, program in PROGRAMS.items():
        told = ask(nginx, ca, program, cluster.issue(ttl=700))[-1]
        t.is_((told['code'], told['response']),
              ('OAUTH_RESPONSE_IS_NOT_CONFORM', 503),
              f'{name}: {told["message"]}')


t.tell()
