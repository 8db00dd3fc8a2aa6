#!/usr/bin/python3
"""What clients put on the wire, and what comes back."""

import base64
import json
import os
import shutil
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import tokens  # noqa: E402
from akltest import ACCESS_ID, Test, client  # noqa: E402

t = Test(need_module=True)
cluster = t.cluster()
token = cluster.issue()
nginx = t.nginx('''
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@ @http2@;
        server_name localhost;
        client_body_buffer_size 1k;

        location ~ ^(/api/v[12]|/v2)?/auth$ { akl_k8s_auth; }
        location ~ ^(/hvp)?/v1/auth/kubernetes/login$ { akl_k8s_auth vault; }
        location = /token { akl_k8s_auth oauth; }
        location = /pinned/auth { akl_k8s_auth config=k8s-conf; }
        location = /pinned/token { akl_k8s_auth oauth config=k8s-conf; }
        location = /pinned/vault { akl_k8s_auth vault config=k8s-conf; }
    }
    server {
        listen 127.0.0.1:@port1@ http2;
        location = /v2/auth { akl_k8s_auth; }
    }
''', http2='', method=cluster.method(),
    configs=cluster.config()
    + cluster.config(name='team/a', kind='P-256')
    + cluster.config(name='team..a')
    + cluster.config(name='aud', token_audience='https://items'))
port = nginx.port
b64 = base64.b64encode(token.encode()).decode()


def status(answer):
    """Return status and reason."""
    return answer.status, answer.json().get('reason')


def login(body, path='/v2/auth', headers=None, **kw):
    """POST a login."""
    return client.post(port, path, body, headers, **kw)


# Akeyless

NPM = {'access-type': 'k8s', 'azure-cloud': 'AzureCloud',
       'gcp-audience': 'akeyless.io', 'json': False,
       'oci-auth-type': 'apikey', 'access-id': ACCESS_ID,
       'gateway-url': 'https://gw:8000', 'k8s-auth-config-name': 'k8s-conf',
       'k8s-service-account-token': b64}
for path in ('/auth', '/v2/auth', '/api/v2/auth', '/api/v1/auth'):
    t.is_(login(NPM, path).status, 200, f'{path} as the npm client')

field = 'k8s-service-account-token'
wrapped = '\n'.join(b64[i:i + 76] for i in range(0, len(b64), 76)) + '\n'
for name, value in (
        ('raw', token), ('raw with a newline', token + '\n'),
        ('base64 with newlines', wrapped), ('with blanks', f'  {b64} '),
        ('base64 of a token with a newline',
         base64.b64encode(token.encode() + b'\n').decode()),
        ('base64 without padding', b64.rstrip('='))):
    t.is_(login({**NPM, field: value}).status, 200, f'token {name}')
t.is_(login({**NPM, 'k8s-auth-config-name': 'team/a'}).status, 200,
      'a config name with a slash')
t.is_(login({**NPM, 'x' * 300: {'y': [1, {'z': None}]}}).status, 200,
      'unknown keys')
t.is_(login(json.dumps(NPM), headers={
    'Content-Type': 'application/json; charset=utf-8'}).status, 200,
      'a charset')
t.is_(login(json.dumps(NPM), headers={'Content-Type': None}).status, 200,
      'no content type')
t.is_(login('{"\\u0061ccess-type":"k8s",' + json.dumps(NPM)[
    len('{"access-type": "k8s",'):]).status, 200, 'an escaped name')

for name, change, expected in (
        ('another access-type', {'access-type': 'saml'},
         (400, 'request_malformed')),
        ('no access-id', {'access-id': ''}, (400, 'request_malformed')),
        ('a number for a string', {'access-id': 5},
         (400, 'request_malformed')),
        ('a token that is a list', {field: [token]},
         (400, 'request_malformed')),
        ('no token', {field: ''}, (401, 'token_missing')),
        ('white space', {field: ' \n '}, (401, 'token_missing')),
        ('no base64', {field: '!!!'}, (401, 'token_malformed')),
        ('an unknown config', {'k8s-auth-config-name': 'x\r\nX: y'},
         (401, 'config_unknown')),
        ('no config', {'k8s-auth-config-name': ''},
         (400, 'request_malformed'))):
    t.is_(status(login({**NPM, **change})), expected, name)
for name, text in (('doubled', '{"access-type":"k8s","access-type":"k8s"}'),
                   ('trailing', json.dumps(NPM) + 'x'), ('array', '[]'),
                   ('text', 'hello'), ('deep', '[' * 5000),
                   ('NUL', '{"access-type":"k8s\\u0000"}'),
                   ('broken UTF-8', b'{"access-type":"\xff"}')):
    t.is_(status(login(text, headers={'Content-Type': 'application/json'})),
          (400, 'request_malformed'), f'JSON: {name}')

answer = login(None)
t.is_((answer.status, answer.json()['error']), (404, 'unknown command'),
      'an empty body: what External Secrets looks for')
answer = client.request(port, 'DELETE', '/v2/auth')
t.is_((answer.status, answer.header('allow')), (405, 'GET, HEAD, POST'),
      '405 with Allow')
t.is_(answer.json()['reason'], 'request_malformed', 'in shape')
answer = login('x=1', headers={'Content-Type': 'text/plain'})
t.is_((answer.status, answer.json()['reason']), (415, 'request_malformed'),
      '415 in shape')

big = {**NPM, 'padding': 'x' * 40000}
answer = login(big)
t.is_((answer.status, answer.json()['reason']), (413, 'request_malformed'),
      '413 in shape, by Content-Length')


def chunked(body, size=1000):
    """Return a body in chunks."""
    data = json.dumps(body).encode()
    parts = [data[i:i + size] for i in range(0, len(data), size)]
    return b''.join(b'%x\r\n%s\r\n' % (len(p), p) for p in parts) \
        + b'0\r\n\r\n'


CHUNKED = {'Transfer-Encoding': 'chunked',
           'Content-Type': 'application/json'}
t.is_(login(chunked(NPM), headers=CHUNKED).status, 200, 'a chunked body')
answer = login(chunked(big), headers=CHUNKED)
t.is_((answer.status, answer.json()['reason']), (413, 'request_malformed'),
      '413 in shape, chunked')
t.is_(login({**NPM, 'padding': 'x' * 20000}).status, 200,
      'a body larger than the buffer')
held = [name for _, _, files in os.walk(os.path.join(
    nginx.dir, 'client_body_temp')) for name in files]
t.is_(held, [], 'which never reaches a temporary file')

data = client.build('POST', '/v2/auth', body=NPM, close=False)
with client.Session(port) as session:
    for start in range(0, len(data), 400):
        session.sock.sendall(data[start:start + 400])
    t.is_(session.receive('POST').status, 200, 'a body in many packets')
out = client.raw(port, data + client.build('POST', '/v2/auth', body=NPM))
t.is_(out.count(b'HTTP/1.1 200 OK'), 2, 'two logins in one packet')
t.is_(login(NPM, version='1.0').status, 200, 'HTTP/1.0')
if shutil.which('curl'):
    out = subprocess.run(
        ['curl', '-s', '--http2-prior-knowledge', '-w', '%{http_version} '
         '%{http_code}', '-o', '/dev/null', '-d', json.dumps(NPM), '-H',
         'Content-Type: application/json',
         f'http://127.0.0.1:{nginx.port_of("port1")}/v2/auth'],
        check=False, stdout=subprocess.PIPE, text=True).stdout
    t.is_(out, '2 200', 'HTTP/2')
else:
    t.skip('no curl')

# Short cuts answer like the long way

long_way = login({**NPM, 'n': 1}).json()
for _ in range(3):
    short = login({**NPM, 'n': 1}).json()
t.is_(short, long_way, 'a request seen before has the same answer')

# Bearer

BEARER = '/v2/auth?k8s-auth-config-name=k8s-conf'
for method in ('GET', 'POST'):
    for scheme in ('Bearer ', 'bearer ', 'BEARER   ', 'Bearer\t',
                   'bearer \t '):
        answer = client.request(port, method, BEARER,
                                {'Authorization': scheme + token})
        t.is_(answer.status, 200, f'{method} {scheme!r}')
t.is_(status(client.get(port, BEARER, {'Authorization': 'Bearer\t'})),
      (401, 'token_malformed'), 'the scheme and a tab')
t.is_(client.get(port, '/pinned/auth',
                 {'Authorization': f'Bearer {token}'}).status, 200,
      'the config of the location')
t.is_(status(client.get(port, '/v2/auth', {
    'Authorization': f'Bearer {token}'})), (400, 'request_malformed'),
      'no config')
t.is_(status(client.get(port, BEARER)), (401, 'token_missing'), 'no token')
t.is_(status(client.get(port, BEARER, {'Authorization': 'Bearer'})),
      (401, 'token_malformed'), 'the scheme alone')
t.is_(status(client.get(port, BEARER, {
    'Authorization': f'Bearer {token}, Bearer {token}'})),
      (401, 'token_malformed'), 'two tokens')
for name in (field, 'token', 'jwt', 'subject_token', 'access_token'):
    answer = client.get(port, f'{BEARER}&{name}={token}')
    t.is_(status(answer), (400, 'request_malformed'), f'{name} in the query')
    t.like(answer.json()['error'], 'query', 'is named')

# Pinned configs

t.is_(login({**NPM, 'k8s-auth-config-name': ''}, '/pinned/auth').status,
      200, 'a pinned config needs no name')
t.is_(login({**NPM, 'k8s-auth-config-name': 'my-app'}, '/pinned/auth').status,
      200, "a pinned config takes any name for the client's own word")
t.is_(status(login({**NPM, 'k8s-auth-config-name': 'my-app',
                    'access-id': 'p-elsex116z7j9km'}, '/pinned/auth')),
      (401, 'config_unknown'), 'but no other access id')
t.is_(client.get(port, '/pinned/auth?k8s-auth-config-name=my-app',
                 {'Authorization': f'Bearer {token}'}).status, 200,
      "a bearer's word for itself")


def foreign(ask, name, expected):
    """Name another config where one is pinned, with and without a token."""
    for _ in range(2):
        t.is_(status(ask(token)), expected,
              f'{name}: a pinned config takes no other name of the gateway')
    answers = []
    for one in (lambda: ask('no.such.token'),
                lambda: ask('no.such.token', config='my-app')):
        answer = one().json()
        answer.pop('request_id')
        answers.append(answer)
    t.is_(answers[0], answers[1],
          f'{name}: which is not told to who has no good token')


def pinned_akeyless(jwt, config='aud'):
    """Ask for a config by name."""
    return login({**NPM, field: jwt, 'k8s-auth-config-name': config},
                 '/pinned/auth')


def pinned_bearer(jwt, config='aud'):
    """Ask for a config in the query."""
    return client.get(port, f'/pinned/auth?k8s-auth-config-name={config}',
                      {'Authorization': f'Bearer {jwt}'})


mark = nginx.mark()
foreign(pinned_akeyless, 'akeyless', (401, 'config_unknown'))
t.like(nginx.wait_log('config_unknown', since=mark),
       'the location is for another auth config, asked for "aud", '
       'config "k8s-conf", namespace "my-namespace-a"',
       'the log tells what was asked for, and who asked')
foreign(pinned_bearer, 'bearer', (401, 'config_unknown'))

# Vault

VAULT = '/v1/auth/kubernetes/login'
role = f'{ACCESS_ID}..k8s-conf'
for name, value in (('base64', base64.b64encode(role.encode()).decode()),
                    ('plain', role), ('a bare config name', 'k8s-conf')):
    for method in ('POST', 'PUT'):
        answer = client.request(port, method, VAULT, {'X-Vault-Token': 'old'},
                                {'role': value, 'jwt': token})
        t.is_(answer.status, 200, f'Vault, {method}, role {name}')
for name, value in (('plain', 'team..a'),
                    ('plain, with the access id', f'{ACCESS_ID}..team..a'),
                    ('base64', base64.b64encode(
                        f'{ACCESS_ID}..team..a'.encode()).decode())):
    t.is_(tokens.verify(login({'role': value, 'jwt': token}, VAULT)
                        .json()['auth']['client_token'],
                        tokens.key('RSA-2048', 'gateway'))['config_name'],
          'team..a', f'Vault, a config name with two dots, {name}')
PINNED = '/pinned/vault'
for value in ('my-app', 'my..app', '', base64.b64encode(b'a..b').decode(),
              'p-elsex116z7j9km..k8s-conf', '\u00e4 / \u2603'):
    t.is_(login({'role': value, 'jwt': token}, PINNED).status, 200,
          f'Vault: role {value!r} where the config is pinned')
t.is_(login({'jwt': token}, PINNED).status, 200, 'Vault: and none')


def pinned_vault(wrap):
    """Return a request that names a config by a kind of role."""
    return lambda jwt, config='aud': login(
        {'role': wrap(config), 'jwt': jwt}, PINNED)


foreign(pinned_vault(str), 'Vault', (403, 'config_unknown'))
foreign(pinned_vault(lambda name: f'{ACCESS_ID}..{name}'), 'Vault, with an id',
        (403, 'config_unknown'))
foreign(pinned_vault(lambda name: base64.b64encode(
    f'x..{name}'.encode()).decode()), 'Vault, base64', (403, 'config_unknown'))

body = answer.json()
t.is_(sorted(body), ['auth', 'data', 'lease_duration', 'lease_id',
                     'renewable', 'request_id'], "Vault's members")
t.contains(body['auth'], {
    'accessor': '', 'policies': [], 'token_policies': [],
    'renewable': False, 'entity_id': '', 'token_type': 'batch',
    'orphan': True}, 'of auth')
t.contains(body['auth']['metadata'], {
    'role': role, 'service_account_name': 'builder',
    'service_account_namespace': 'my-namespace-a',
    'service_account_secret_name': ''}, 'of metadata')
t.ok(880 < body['auth']['lease_duration'] <= 900, 'the lease')
t.is_(tokens.verify(body['auth']['client_token'],
                    tokens.key('RSA-2048', 'gateway'))['pod_name'],
      'mypod1', 'the client token')
t.is_(login({'role': role, 'jwt': token}, '/hvp' + VAULT).status, 200,
      'behind a prefix')
t.is_(login(json.dumps({'role': role, 'jwt': token}), VAULT, {
    'Content-Type': 'application/x-www-form-urlencoded'}).status, 200,
      'with the type that curl -d sends')
answer = client.get(port, VAULT)
t.is_((answer.status, answer.header('allow')), (405, 'POST, PUT'),
      'Vault: 405')
t.ok(answer.json()['errors'], 'in shape')
answer = login({'role': 'p-x..nobody', 'jwt': token}, VAULT)
t.is_((answer.status, answer.json()['reason']), (403, 'config_unknown'),
      'Vault says 403')
t.is_(login(None, VAULT).json()['reason'], 'request_malformed',
      'Vault: no body')

# Token exchange

FORM = {'grant_type': 'urn:ietf:params:oauth:grant-type:token-exchange',
        'subject_token_type': 'urn:ietf:params:oauth:token-type:jwt',
        'subject_token': token, 'client_id': 'k8s-conf'}
TYPE = 'urn:ietf:params:oauth:token-type:'


def exchange(path='/token', kind='application/x-www-form-urlencoded',
             extra='', headers=None, **change):
    """POST a form; None takes a member out, a list repeats one."""
    form = {k: v for k, v in {**FORM, **change}.items() if v is not None}
    return client.post(port, path, urllib.parse.urlencode(
        form, doseq=True) + extra, {'Content-Type': kind, **(headers or {})})


def basic(name, secret='s3cret', scheme='Basic'):
    """Return the header of HTTP Basic, form-encoded inside."""
    pair = f'{urllib.parse.quote_plus(name)}:{secret}'
    return {'Authorization': f'{scheme} ' + base64.b64encode(
        pair.encode()).decode()}


answer = exchange()
t.contains(answer.json(), {'issued_token_type': TYPE + 'jwt',
                           'token_type': 'Bearer'}, 'token exchange')
t.ok(880 < answer.json()['expires_in'] <= 900, 'expires_in')
t.is_(exchange(requested_token_type=TYPE + 'access_token').json()
      ['issued_token_type'], TYPE + 'access_token', 'as an access token')
t.is_(exchange('/pinned/token', client_id=None).status, 200,
      'the config of the location')
t.is_(exchange('/pinned/token', client_id='my-app').status, 200,
      "the client's own word, where the config is pinned")
foreign(lambda jwt, config='aud': exchange(
    '/pinned/token', subject_token=jwt, client_id=config),
        'token exchange', (401, 'config_unknown'))
for kind in ('id_token', 'access_token'):
    t.is_(exchange(subject_token_type=TYPE + kind).status, 200,
          f'a subject token said to be of type {kind}')

for name, headers in (
        ('HTTP Basic', basic('k8s-conf')),
        ('HTTP Basic, no secret', basic('k8s-conf', '')),
        ('HTTP Basic, in lower case', basic('k8s-conf', scheme='basic'))):
    t.is_(exchange(client_id=None, headers=headers).status, 200,
          f'the client id by {name}')
    t.is_(exchange(headers=headers).status, 200,
          f'{name}, and the same in the form')
t.is_(exchange(client_id=None, headers=basic('team/a')).status, 200,
      'HTTP Basic: form-encoded inside')
t.is_(exchange(client_id=None, headers=basic('nobody')).json()['reason'],
      'config_unknown', 'HTTP Basic: an unknown config')
t.is_(exchange('/pinned/token', client_id=None,
               headers=basic('my-app')).status, 200,
      "HTTP Basic: the client's own word, where the config is pinned")
for name, headers in (
        ('another than the form', basic('team/a')),
        ('no base64', {'Authorization': 'Basic !!!'}),
        ('nothing', {'Authorization': 'Basic '}),
        ('no colon', {'Authorization': 'Basic '
                      + base64.b64encode(b'k8s-conf').decode()}),
        ('broken encoding', {'Authorization': 'Basic '
                             + base64.b64encode(b'k8s%zz:s').decode()})):
    answer = exchange(headers=headers)
    t.is_((answer.status, answer.json()['error']), (400, 'invalid_request'),
          f'HTTP Basic: {name}')
for name, change, error in (
        ('another grant', {'grant_type': 'password'},
         'unsupported_grant_type'),
        ('no grant', {'grant_type': None}, 'invalid_request'),
        ('another subject', {'subject_token_type': TYPE + 'saml2'},
         'invalid_request'),
        ('another request', {'requested_token_type': TYPE + 'saml2'},
         'invalid_request'),
        ('no config', {'client_id': None}, 'invalid_request'),
        ('a parameter twice', {'extra': '&client_id=x'}, 'invalid_request'),
        ('broken encoding', {'extra': '&scope=%zz'}, 'invalid_request'),
        ('another audience', {'audience': 'https://else'},
         'invalid_target'),
        ('another resource', {'resource': 'https://else'},
         'invalid_target'),
        ('another audience beside a good one',
         {'audience': ['api', 'https://else']}, 'invalid_target'),
        ('another resource beside a good audience',
         {'audience': 'api', 'resource': ['api', 'https://else']},
         'invalid_target'),
        ('more targets than anybody needs', {'audience': ['api'] * 17},
         'invalid_request'),
        ("not the config's audience",
         {'client_id': 'aud', 'audience': 'api'}, 'invalid_target')):
    answer = exchange(**change)
    t.is_((answer.status, answer.json()['error']), (400, error),
          f'token exchange: {name}')
t.is_(exchange(audience='api').status, 200, "the pod token's audience")
t.is_(exchange(audience=['api'] * 8, resource=['api'] * 8).status, 200,
      'several times')
t.is_(exchange(audience='', resource='').status, 200, 'none by name')
t.is_(exchange(client_id='aud', audience=['https://items'] * 2,
               resource='https://items').status, 200,
      "the config's audience, several times")
t.is_(exchange(client_id='aud', audience='https://items').status, 200,
      "the config's audience")
answer = exchange(subject_token=None)
t.is_((answer.status, answer.json()['error']), (401, 'invalid_grant'),
      'no subject token')
t.is_(exchange(kind='application/json').status, 415, 'token exchange: 415')
t.is_(client.get(port, '/token').header('allow'), 'POST',
      'token exchange: 405')

# Nothing of a request comes back unescaped

answer = login({**NPM, 'k8s-auth-config-name': '"}\r\nSet-Cookie: a=b'})
t.ok(answer.header('set-cookie') is None and 'Cookie' not in answer.text,
     'no reflection')

t.done_testing()
