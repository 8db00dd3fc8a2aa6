#!/usr/bin/python3
"""akl_k8s_jwks and akl_k8s_discovery, and strangers who rely on them."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import tokens  # noqa: E402
from akltest import PATIENCE, Test, client  # noqa: E402
from minted import ISSUER, claims, key  # noqa: E402

KINDS = ('RSA-2048', 'P-256', 'P-384', 'Ed25519')

HTTP = '''
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /all { akl_k8s_jwks; }
        location = /one { akl_k8s_jwks P-256; }
        location = /two { akl_k8s_jwks P-256 again; }
        location = /.well-known/openid-configuration {
            akl_k8s_discovery P-256;
        }
        location = /.well-known/jwks.json { akl_k8s_jwks P-256; }
        location = /explicit {
            akl_k8s_discovery RSA-2048 jwks_uri=http://127.0.0.1:@port@/all;
        }
        location = /path { akl_k8s_discovery path; }
        location = /v2/auth { akl_k8s_auth; }
    }
'''
SCRIPT = '''
import json, sys, urllib.request
import jwt
url, token, algorithm = sys.argv[1:]
found = json.load(urllib.request.urlopen(url))
client = jwt.PyJWKClient(found['jwks_uri'])
signer = client.get_signing_key_from_jwt(token)
claims = jwt.decode(token, signer.key, algorithms=[algorithm] if algorithm
                    else found['id_token_signing_alg_values_supported'],
                    audience='items', issuer=found['issuer'])
print(claims['pod_name'])
'''
t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx that publishes keys of five configs."""

    def __init__(self, cluster):
        self.cluster = cluster
        old = cluster.file('old.pub',
                           tokens.key('P-384', 'old').public_pem())
        self.nginx = t.nginx(HTTP, method=cluster.method(),
                             configs=self.configs(old))

    def configs(self, old=None):
        """Return the configs; the first P-256 may verify by an old key."""
        return ''.join([
            *(self.cluster.config(
                kind, kind=kind, token_issuer=ISSUER, token_audience='items',
                verification_key=old if kind == 'P-256' else None)
              for kind in KINDS),
            self.cluster.config('again', kind='P-256', token_issuer=ISSUER),
            self.cluster.config(
                'path', kind='P-256',
                token_issuer='https://gw.example.com/tenant/')])

    def login(self, kind):
        """Return what a login by a config mints."""
        return client.post(self.nginx.port, '/v2/auth', self.cluster.login(
            self.cluster.issue(), config=kind)).json()['token']

    def fetch(self, path, method='GET', **headers):
        """Make a request."""
        return client.request(self.nginx.port, method, path, {
            name.replace('_', '-'): value for name, value in headers.items()})

    def kids(self, path):
        """Return the kids of a set, in order."""
        return [jwk['kid'] for jwk in self.fetch(path).json()['keys']]

    def pyjwt(self, token, algorithm=''):
        """Return what python3-jwt says; the algorithm is discovery's."""
        done = subprocess.run(
            ['/usr/bin/python3', '-c', SCRIPT,
             f'http://127.0.0.1:{self.nginx.port}/explicit', token, algorithm],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE,
            check=False)
        return done.stdout.decode()


@t.shared
def gateway(cluster):
    """The gateway of all stories."""
    return Gateway(cluster)


@t.own
def changing(cluster):
    """A gateway that the story may change."""
    return Gateway(cluster)


# The set

@t.story
def the_set_has_each_public_key_once_by_its_thumbprint(gateway):
    answer = gateway.fetch('/all')
    t.is_((answer.status, answer.header('content-type'),
           answer.header('cache-control')),
          (200, 'application/jwk-set+json', 'public, max-age=300'), 'all keys')
    t.is_(sorted(gateway.kids('/all')), sorted(
        [key(kind).thumbprint() for kind in KINDS]
        + [tokens.key('P-384', 'old').thumbprint()]),
        'each once, by its thumbprint')
    wrong = [jwk for jwk in answer.json()['keys']
             if set(jwk) & {'d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'}
             or jwk.get('use') != 'sig' or jwk.get('alg') not in (
                 'RS256', 'ES256', 'ES384', 'EdDSA')]
    t.ok(not wrong, 'public members only, with use and alg', wrong)
    t.is_([tokens.from_jwk(jwk).thumbprint() for jwk in answer.json()['keys']],
          gateway.kids('/all'), 'the members are those of the keys')


@t.story
def a_location_publishes_the_keys_of_its_configs(gateway):
    t.is_(gateway.kids('/one'), [key('P-256').thumbprint(),
                                 tokens.key('P-384', 'old').thumbprint()],
          'one config: the signing key first')
    t.is_(gateway.kids('/two'), gateway.kids('/one'), 'two configs of one key')


# HTTP

@t.story
def the_set_has_an_entity_tag(gateway):
    answer = gateway.fetch('/all')
    etag = answer.header('etag')
    t.like(etag, '^"[0-9a-f]{32}"$', 'ETag')
    again = gateway.fetch('/all', If_None_Match=etag)
    t.is_((again.status, again.body, again.header('etag')), (304, b'', etag),
          'If-None-Match')
    t.is_(gateway.fetch('/all', If_None_Match='W/' + etag).status, 304,
          'a weak one')
    t.is_(gateway.fetch('/all', If_None_Match='"x"').status, 200, 'another')
    t.isnt(gateway.fetch('/one').header('etag'), etag,
           'another document, another ETag')


@t.story
def the_set_is_read_and_nothing_else(gateway):
    answer = gateway.fetch('/all')
    head = gateway.fetch('/all', 'HEAD')
    t.is_((head.status, head.body, head.header('content-length')),
          (200, b'', str(len(answer.body))), 'HEAD')
    for method in ('POST', 'PUT', 'DELETE'):
        refused = gateway.fetch('/all', method)
        t.is_((refused.status, refused.header('allow')), (405, 'GET, HEAD'),
              method)


# Discovery

@t.story
def discovery_tells_issuer_keys_and_algorithms(gateway):
    found = gateway.fetch('/.well-known/openid-configuration')
    t.is_((found.status, found.header('content-type')),
          (200, 'application/json'), 'discovery')
    t.contains(found.json(), {
        'issuer': ISSUER, 'jwks_uri': ISSUER + '/.well-known/jwks.json',
        'id_token_signing_alg_values_supported': ['ES256', 'ES384'],
        'subject_types_supported': ['public'],
        'response_types_supported': ['id_token']}, 'its members')
    t.is_(gateway.fetch('/.well-known/openid-configuration',
                        Host='evil.example.com').body, found.body,
          'the Host header has no say')


@t.story
def discovery_may_name_another_place_of_the_keys(gateway):
    t.is_(gateway.fetch('/explicit').json()['jwks_uri'],
          f'http://127.0.0.1:{gateway.nginx.port}/all', 'jwks_uri=')
    t.is_(gateway.fetch('/explicit',
                        If_None_Match=gateway.fetch('/explicit').header('etag'))
          .status, 304, 'ETag of discovery')


@t.story
def an_issuer_with_a_path_is_told_byte_for_byte(gateway):
    t.contains(gateway.fetch('/path').json(), {
        'issuer': 'https://gw.example.com/tenant/',
        'jwks_uri': 'https://gw.example.com/tenant/.well-known/jwks.json'},
        'an issuer with a path, byte for byte')


# Who relies on them

@t.story
def the_set_verifies_what_is_minted(gateway):
    for kind in KINDS:
        minted = gateway.login(kind)
        t.is_(tokens.verify(minted,
                            gateway.fetch('/all').json())['config_name'], kind,
              f'{kind}: a minted token against the set')
        t.is_(tokens.decode(minted)[1]['iss'], ISSUER,
              f'{kind}: iss is the issuer of discovery')


@t.story
def python3_jwt_verifies_by_discovery_over_http(gateway):
    if subprocess.run(['/usr/bin/python3', '-c', 'import jwt'],
                      stderr=subprocess.DEVNULL, check=False).returncode:
        t.skip('no python3-jwt', len(KINDS) + 1)
        return
    for kind in KINDS:
        alg = '' if kind == 'RSA-2048' else key(kind).alg
        t.is_(gateway.pyjwt(gateway.login(kind), alg).strip(), 'mypod1',
              f'{kind}: python3-jwt, by discovery over HTTP')
    t.like(gateway.pyjwt(tokens.sign(
        {'alg': 'RS256', 'kid': key('RSA-2048').thumbprint()},
        claims(aud='items'), tokens.key('RSA-2048', 'stranger'))),
        'InvalidSignatureError', 'and refuses a forgery')


# Configurations

@t.story
def locations_that_publish_nothing_are_refused_by_nginx(gateway):
    for before, after, text in (
            ('akl_k8s_jwks P-256;', 'akl_k8s_jwks nowhere;', 'nowhere'),
            ('akl_k8s_discovery path;', 'akl_k8s_discovery nowhere;',
             'nowhere'),
            ('jwks_uri=http:', 'jwks_uri=ftp:', 'jwks_uri=ftp'),
            ('jwks_uri=', 'keys=', 'invalid parameter'),
            ('akl_k8s_discovery path;',
             'akl_k8s_discovery path; akl_k8s_jwks;', 'another handler')):
        code, out = gateway.nginx.config_test(http=HTTP.replace(before, after))
        t.ok(code != 0 and text in out, f'nginx -t: {after}', out)


@t.story
def discovery_without_an_issuer_is_refused_by_nginx(changing, cluster):
    changing.nginx.values['configs'] += cluster.config('bare', kind='P-256')
    code, out = changing.nginx.config_test(http=HTTP.replace(
        'akl_k8s_discovery path;', 'akl_k8s_discovery bare;'))
    t.ok(code != 0 and 'token_issuer' in out and 'test.conf:' in out,
         'nginx -t: discovery without an issuer', out)


@t.story
def a_reload_changes_document_and_entity_tag(changing):
    before = changing.fetch('/one')
    changing.nginx.configure({'configs': changing.configs()})
    changing.nginx.reload(wait_old=True)
    after = changing.fetch('/one', If_None_Match=before.header('etag'))
    t.is_((after.status, len(after.json()['keys'])), (200, 1),
          'a reload changes document and ETag')


t.tell()
