#!/usr/bin/python3
"""The discovery document, and the endpoints that it leads to."""

import os
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import tokens  # noqa: E402
from akltest import CONFIG, Test, client  # noqa: E402
from dialects import FORM, GRANT, TYPE  # noqa: E402
from minted import ISSUER  # noqa: E402

WELL_KNOWN = '/.well-known/openid-configuration'
NAMES = 'token_endpoint', 'introspection_endpoint', 'revocation_endpoint'

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def nginx(cluster):
    """A gateway that says where it is."""
    return t.nginx('''
        @method@
        @config@
        server {
            listen 127.0.0.1:@port@;
            location = /.well-known/openid-configuration {
                akl_k8s_discovery k8s-conf
                    revocation_endpoint=http://127.0.0.1:@port@/oauth/revoke
                    jwks_uri=http://127.0.0.1:@port@/keys
                    introspection_endpoint=http://127.0.0.1:@port@/oauth/see
                    token_endpoint=http://127.0.0.1:@port@/oauth/token;
            }
            location = /plain { akl_k8s_discovery k8s-conf; }
            location = /one {
                akl_k8s_discovery k8s-conf
                    token_endpoint=https://gw.example.com/token?a=b;
            }
            location = /keys { akl_k8s_jwks; }
            location = /oauth/token { akl_k8s_auth oauth config=k8s-conf; }
            location = /oauth/see { akl_k8s_introspect k8s-conf; }
            location = /oauth/revoke { akl_k8s_revoke; }
        }
    ''', method=cluster.method(),
        config=cluster.config(kind='P-256', token_issuer=ISSUER))


def ask(nginx, path=WELL_KNOWN):
    """Return the discovery document."""
    return client.get(nginx.port, path).json()


def send(nginx, url, headers=FORM, **members):
    """Post a form to a URL of the document."""
    parts = urllib.parse.urlsplit(url)
    t.is_(parts.netloc, f'127.0.0.1:{nginx.port}', f'{parts.path} is here')
    return client.post(nginx.port, parts.path,
                       urllib.parse.urlencode(members), headers)


@t.story
def a_client_finds_its_way_from_login_to_revocation_by_the_document(cluster,
                                                                    nginx):
    found = ask(nginx)
    t.is_(found['grant_types_supported'], [GRANT], 'the grant')
    answer = send(nginx, found['token_endpoint'], grant_type=GRANT,
                  subject_token=cluster.issue(),
                  subject_token_type=TYPE + 'jwt')
    token = answer.json()['access_token']
    keys = client.get(nginx.port,
                      urllib.parse.urlsplit(found['jwks_uri']).path).json()
    claims = tokens.verify(token, [tokens.from_jwk(jwk)
                                   for jwk in keys['keys']])
    t.is_(claims['iss'], found['issuer'], 'a token of the issuer')
    answer = send(nginx, found['introspection_endpoint'], token=token)
    t.is_((answer.json()['active'], answer.json()['client_id']),
          (True, CONFIG), 'it is active')
    t.is_(send(nginx, found['revocation_endpoint'],
               jti=claims['jti']).status, 200, 'it is revoked')
    answer = send(nginx, found['introspection_endpoint'], token=token)
    t.is_(answer.json(), {'active': False}, 'and not active any more')


@t.story
def endpoints_are_named_only_where_the_directive_says_their_urls(nginx):
    plain = ask(nginx, '/plain')
    t.is_([name for name in plain if 'endpoint' in name or 'grant' in name],
          [], 'none')
    one = ask(nginx, '/one')
    t.is_({name: one[name] for name in one if name not in plain},
          {'token_endpoint': 'https://gw.example.com/token?a=b',
           'grant_types_supported': [GRANT],
           'token_endpoint_auth_methods_supported': ['none']}, 'one')
    t.is_([name for name in NAMES if name not in ask(nginx)], [], 'all')


t.tell()
