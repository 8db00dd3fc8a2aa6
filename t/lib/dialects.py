"""A gateway that is asked in the manner of all its clients."""

import base64
import urllib.parse

import client
import nginx as nginx_
import tokens
from cluster import ACCESS_ID, CONFIG

FIELD = 'k8s-service-account-token'
VAULT = '/v1/auth/kubernetes/login'
GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange'
TYPE = 'urn:ietf:params:oauth:token-type:'
FORM = {'Content-Type': 'application/x-www-form-urlencoded'}


def b64(text):
    """Return base64 of a text."""
    return base64.b64encode(text.encode()).decode()


def minted(token):
    """Return the verified claims of a minted token."""
    return tokens.verify(token, tokens.key('RSA-2048', 'gateway'))


def basic(name, secret='s3cret', scheme='Basic'):
    """Return the header of HTTP Basic, form-encoded inside."""
    return {'Authorization': f'{scheme} '
            + b64(f'{urllib.parse.quote_plus(name)}:{secret}')}


def token_exchange(token, config=CONFIG, **more):
    """Return the form of a token exchange (RFC 8693); a list repeats one."""
    return urllib.parse.urlencode({
        'grant_type': GRANT, 'subject_token_type': TYPE + 'jwt',
        'subject_token': token, 'client_id': config, **more}, doseq=True)


class Gateway:
    """An nginx that is asked in all dialects, and a pod's token."""

    def __init__(self, test):
        cluster = test.cluster()
        self.token = cluster.issue()
        self.npm = {
            'access-type': 'k8s', 'azure-cloud': 'AzureCloud',
            'gcp-audience': 'akeyless.io', 'json': False,
            'oci-auth-type': 'apikey', 'access-id': ACCESS_ID,
            'gateway-url': 'https://gw:8000',
            'k8s-auth-config-name': 'k8s-conf', FIELD: b64(self.token)}
        self.nginx = test.nginx('''
            akl_k8s_cache_valid 1h;
            @method@
            @configs@
            server {
                listen 127.0.0.1:@port@;
                server_name localhost;
                client_body_buffer_size 1k;

                location ~ ^(/api/v[12]|/v2)?/auth$ { akl_k8s_auth; }
                location ~ ^(/hvp)?/v1/auth/kubernetes/login$ {
                    akl_k8s_auth vault;
                }
                location = /token { akl_k8s_auth oauth; }
                location = /pinned/auth { akl_k8s_auth config=k8s-conf; }
                location = /pinned/token { akl_k8s_auth oauth config=k8s-conf; }
                location = /pinned/vault {
                    akl_k8s_auth vault config=k8s-conf;
                }
                location = /introspect { akl_k8s_introspect k8s-conf; }
                location = /revoke { akl_k8s_revoke; }
                location = /logout { akl_k8s_revoke self; }
                location = /vault/self { akl_k8s_introspect vault; }
                location = /vault/logout { akl_k8s_revoke vault; }
                location = /written {
                    set $args token=text;
                    if ($http_login) { rewrite ^ /v2/auth last; }
                    return 200 $args;
                }
                location = /asks {
                    auth_request /vault/self;
                    add_header X-Uri $request_uri always;
                    empty_gif;
                }
            }
            server {
                @http2@
                location = /v2/auth { akl_k8s_auth; }
            }
        '''.replace('@http2@', nginx_.http2('127.0.0.1:@port1@')),
            method=cluster.method(),
            configs=cluster.config()
            + cluster.config(name='team/a', kind='P-256')
            + cluster.config(name='team..a')
            + cluster.config(name='aud', token_audience='https://items'))
        self.port = self.nginx.port

    def post(self, body, path='/v2/auth', headers=None, **kw):
        """POST a body."""
        return client.post(self.port, path, body, headers, **kw)

    def akeyless(self, path='/v2/auth', **change):
        """Log in as the npm client does, with members changed.

        An underscore stands for a hyphen.
        """
        return self.post({**self.npm, **{
            name.replace('_', '-'): value for name, value in change.items()}},
            path)

    def get(self, path, authorization=None):
        """GET, with an Authorization header or without."""
        return client.get(self.port, path, {} if authorization is None
                          else {'Authorization': authorization})

    def bearer(self, path):
        """GET with the pod's token as the bearer."""
        return self.get(path, f'Bearer {self.token}')

    def vault(self, path=VAULT, **members):
        """Log in as a Vault client does."""
        return self.post({'jwt': self.token, **members}, path)

    def exchange(self, path='/token', extra='', headers=None,
                 kind='application/x-www-form-urlencoded', **change):
        """POST a form; None takes a member out, a list repeats one."""
        form = {'grant_type': GRANT, 'subject_token_type': TYPE + 'jwt',
                'subject_token': self.token, 'client_id': 'k8s-conf',
                **change}
        form = {k: v for k, v in form.items() if v is not None}
        return client.post(self.port, path, urllib.parse.urlencode(
            form, doseq=True) + extra,
            {'Content-Type': kind, **(headers or {})})
