#!/usr/bin/python3
"""Vault's clients after their login, by the example that we show for them."""

import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import nginx as nginx_  # noqa: E402
import tokens  # noqa: E402
from akltest import ACCESS_ID, CONFIG, NAMESPACE, Test, client  # noqa: E402
from clients import Clients  # noqa: E402
from minted import ISSUER, mint  # noqa: E402

try:
    import hvac
except ImportError:
    hvac = None

AUDIENCE = f'vault://{NAMESPACE}/vault-issuer'
LOGIN = '/v1/auth/kubernetes/login'
LOOKUP = '/v1/auth/token/lookup-self'
RENEW = '/v1/auth/token/renew-self'
REVOKE = '/v1/auth/token/revoke-self'

t = Test(need_module=True)
clients = Clients(t)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


def example(cluster):
    """Return the example's http block, moved here."""
    path = os.path.join(nginx_.ROOT, 'conf-examples', 'vault-clients.conf')
    with open(path, encoding='utf-8') as file:
        inner = re.search(r'^http \{\n(.*)^\}', file.read(),
                          re.M | re.S).group(1)
    files = {'signing.pem': tokens.key('P-256', 'gateway').pem(),
             'ca.crt': cluster.api.read('ca.crt'),
             'reviewer.jwt': cluster.api.read('reviewer.jwt')}
    inner = re.sub(r'^\s*(ssl_certificate\w*|server_name) .*\n', '', inner,
                   flags=re.M)
    inner = inner.replace('listen 8200 ssl;', 'listen 127.0.0.1:@port@;')
    inner = inner.replace('https://10.0.0.1:6443', cluster.url)
    inner = re.sub(r'k8s_issuer .*;', f'k8s_issuer {tokens.ISSUER};', inner)
    inner = inner.replace('p-kmx8x116z7j9km', ACCESS_ID)
    return re.sub(r'/etc/akl/([\w.]+)', lambda match: t.write(
        'vault-' + match.group(1), files[match.group(1)], 0o600), inner)


@t.shared
def nginx(cluster):
    """A gateway with the example's configuration."""
    return t.nginx(example(cluster))


@t.shared
def odd(cluster):
    """A gateway with two auth configs."""
    return t.nginx('''
        @method@
        @configs@
        server {
            listen 127.0.0.1:@port@;
            location /v1/auth/token/ { akl_k8s_introspect vault; }
            location = /v1/auth/token/revoke-self { akl_k8s_revoke vault; }
            location = /logged {
                akl_k8s_introspect vault;
                add_header X-Who "$akl_k8s_status$akl_k8s_pod_name" always;
            }
            location = /revoke { akl_k8s_revoke; }
        }
    ''', method=cluster.method(),
        configs=cluster.config(kind='P-256', token_issuer=ISSUER)
        + cluster.config(name='other', kind='P-384', token_issuer=ISSUER))


def log_in(cluster, nginx, **kw):
    """Log in as cert-manager does; return the answer."""
    kw.setdefault('audiences', [AUDIENCE])
    return client.post(nginx.port, LOGIN, {
        'role': CONFIG, 'jwt': cluster.issue(**kw)})


def errors(answer):
    """Return the status of a refusal and what it says."""
    return answer.status, answer.json()['errors']


@t.story
def cert_managers_issuer_becomes_ready_and_only_signing_is_refused(cluster,
                                                                   nginx):
    # a token for the issuer's account, by TokenRequest: no pod, 600 seconds
    answer = log_in(cluster, nginx, pod=None, account='builder', ttl=600)
    t.is_(answer.status, 200, 'the login')
    token = answer.json()['auth']['client_token']
    for path in '/v1/sys/health', '/v1/sys/health?standbycode=299':
        answer = client.get(nginx.port, path, {'X-Vault-Token': token})
        t.is_((answer.status, answer.header('content-type'),
               answer.json()['initialized'], answer.json()['sealed']),
              (200, 'application/json', True, False), 'the health')
    answer = client.get(nginx.port, '/v1/sys/seal-status')
    t.is_((answer.status, answer.json()['sealed']), (200, False), 'no seal')
    answer = client.post(nginx.port, '/v1/pki/sign/example', {
        'csr': 'x', 'common_name': 'example.com'}, {'X-Vault-Token': token})
    t.is_((answer.header('content-type'), errors(answer)),
          ('application/json', (404, ['no handler for route'])),
          'there is nobody to sign')


@t.story
def an_issuer_of_another_namespace_is_refused(cluster, nginx):
    answer = log_in(cluster, nginx, audiences=['vault://other/vault-issuer'])
    t.is_((answer.status, answer.json()['reason']),
          (403, 'audience_mismatch'), 'it is refused')


@t.story
def a_token_is_looked_up_in_vaults_shape(cluster, nginx):
    login = log_in(cluster, nginx).json()['auth']
    token = login['client_token']
    claims = tokens.decode(token)[1]
    for headers in ({'X-Vault-Token': token},
                    {'Authorization': f'Bearer {token}'},
                    {'X-Vault-Token': token, 'Authorization': 'Bearer x'},
                    {'X-Vault-Token': '', 'Authorization': f'Bearer {token}'}):
        answer = client.get(nginx.port, LOOKUP, headers)
        t.is_((answer.status, answer.header('content-type'),
               answer.header('cache-control')),
              (200, 'application/json', 'no-store'), f'by {list(headers)}')
    body = answer.json()
    data = body['data']
    t.ok(0 < data.pop('ttl') <= claims['exp'] - claims['iat'], 'the ttl')
    t.is_(data, {
        'accessor': '', 'creation_time': claims['iat'],
        'creation_ttl': claims['exp'] - claims['iat'],
        'display_name': f'kubernetes-{NAMESPACE}-builder', 'entity_id': '',
        'expire_time': time.strftime('%Y-%m-%dT%H:%M:%SZ',
                                     time.gmtime(claims['exp'])),
        'explicit_max_ttl': 0, 'id': token,
        'issue_time': time.strftime('%Y-%m-%dT%H:%M:%SZ',
                                    time.gmtime(claims['iat'])),
        'meta': login['metadata'], 'num_uses': 0, 'orphan': True,
        'path': 'auth/kubernetes/login', 'policies': [], 'renewable': False,
        'type': 'batch'}, 'the data')
    t.is_({name: body[name] for name in body if name != 'data'
           and name != 'request_id'},
          {'lease_id': '', 'renewable': False, 'lease_duration': 0,
           'wrap_info': None, 'warnings': None, 'auth': None}, 'the rest')


@t.story
def a_token_is_not_renewed_as_vault_refuses_it(cluster, nginx):
    token = log_in(cluster, nginx).json()['auth']['client_token']
    for method in 'PUT', 'POST':
        answer = client.request(nginx.port, method, RENEW,
                                {'X-Vault-Token': token}, {'increment': 60})
        t.is_(errors(answer), (400, ['lease is not renewable',
                                     'batch tokens cannot be renewed']),
              method)


@t.story
def a_token_revokes_itself_and_is_refused_from_then_on(cluster, nginx):
    for method in 'PUT', 'POST':
        token, other = (log_in(cluster, nginx).json()['auth']['client_token']
                        for _ in range(2))
        answer = client.request(nginx.port, method, REVOKE,
                                {'X-Vault-Token': token})
        t.is_((answer.status, answer.body), (204, b''), method)
        t.is_([client.get(nginx.port, LOOKUP, {
            'X-Vault-Token': one}).status for one in (token, other)],
            [403, 200], 'it is refused, and no other')
        answer = client.request(nginx.port, method, REVOKE,
                                {'X-Vault-Token': token}, {'any': 'body'})
        t.is_((answer.status, answer.json()['reason']),
              (403, 'token_revoked'), 'once more')
    answer = client.get(nginx.port, REVOKE, {'X-Vault-Token': other})
    t.is_((answer.header('allow'), errors(answer)),
          ('POST, PUT', (405, ['unsupported operation'])), 'GET')


@t.story
def a_revocation_that_cannot_be_kept_is_told_in_vaults_shape(cluster):
    journal = os.path.join(t.folder(), 'journal')
    full = t.nginx('''
        akl_k8s_revocations @journal@ journal=4k;
        @method@
        @config@
        server {
            listen 127.0.0.1:@port@;
            location = /v1/auth/token/revoke-self { akl_k8s_revoke vault; }
        }
    ''', journal=journal, method=cluster.method(),
        config=cluster.config(kind='P-256', token_issuer=ISSUER))
    for _ in range(4096 // 50):
        answer = client.request(full.port, 'PUT', REVOKE,
                                {'Authorization': f'Bearer {mint()}'})
        if answer.status != 204:
            break
    t.is_((answer.header('retry-after'), errors(answer)),
          ('1', (503, ['revocations_full',
                       'the list of revocations is full'])), 'it is full')


@t.story
def what_is_no_good_token_is_refused_with_its_reason(cluster, odd):
    now = int(time.time())
    client.post(odd.port, '/revoke', {'jti': 'gone'},
                {'Content-Type': 'application/json'})
    table = {
        'token_missing': None,
        'token_malformed': 'hvs.CAESIJ',
        'token_expired': mint(iat=now - 900, exp=now - 1),
        'signature_invalid': mint(name='nobody'),
        'token_revoked': mint(jti='gone'),
        'issuer_mismatch': mint(iss='https://other.example.com'),
        'config_unknown': mint(config_name='gone'),
    }
    for reason, token in table.items():
        headers = {'X-Vault-Token': token}
        for method, path in (('GET', LOOKUP), ('PUT', RENEW), ('PUT', REVOKE)):
            answer = client.request(odd.port, method, path, headers)
            t.is_((answer.status, answer.json()['reason'],
                   answer.json()['errors'][0],
                   answer.json()['errors'][1].split(':')[0],
                   answer.header('cache-control'),
                   answer.header('www-authenticate')),
                  (403, reason, 'permission denied', reason, 'no-store', None),
                  f'{reason}: {path}')
    t.is_(client.get(odd.port, LOOKUP, {
        'X-Vault-Token': cluster.issue()}).status, 403, 'a pod token')
    t.is_(client.get(odd.port, LOOKUP, {'X-Vault-Token': mint(
        kind='P-384', config_name='other')}).json()['data']['meta']['role'],
        f'{ACCESS_ID}..other', 'a token of any auth config is good')


@t.story
def the_outcome_is_there_for_logs_and_variables(odd):
    for token, who in ((mint(), 'okmypod1'),
                       (mint(name='nobody'), 'signature_invalid')):
        answer = client.get(odd.port, '/logged', {'X-Vault-Token': token})
        t.is_(answer.header('x-who'), who, who)
    t.ok(odd.wait_log('refused, signature_invalid: '), 'and in the log')
    t.ok(mint(name='nobody').split('.')[0] not in odd.error_log(),
         'without a token')


@t.story
def other_methods_are_refused_as_vault_does(odd):
    answer = client.request(odd.port, 'DELETE', LOOKUP)
    t.is_((answer.header('allow'), errors(answer)),
          ('GET, HEAD, POST, PUT', (405, ['unsupported operation'])),
          'DELETE')


def vault(nginx):
    """Return hvac's client, or None where there is none, and say so."""
    if hvac is None:
        t.skip('no python3-hvac here', 1)
        return None
    clients.debian('hvac')
    return hvac.Client(url=f'http://127.0.0.1:{nginx.port}')


@t.story
def hvac_goes_from_a_login_through_the_life_of_a_token(cluster, nginx):
    one = vault(nginx)
    if one is None:
        return
    t.ok(not one.is_authenticated(), 'it is not authenticated before')
    one.token = 'x'
    t.ok(not one.is_authenticated(), 'nor with any token')
    one.token = None
    login = one.auth.kubernetes.login(role=CONFIG, jwt=cluster.issue(
        audiences=[AUDIENCE]))
    t.ok(one.is_authenticated(), 'and it is after the login')
    t.is_(one.lookup_token()['data']['meta'], login['auth']['metadata'],
          'it looks itself up')
    try:
        one.auth.token.renew_self(increment=60)
        t.ok(False, 'renewal is refused')
    except hvac.exceptions.InvalidRequest as error:
        t.like(str(error), 'lease is not renewable', 'renewal is refused')
    t.ok(one.is_authenticated(), 'and the token is good still')
    t.is_(one.sys.read_health_status(method='GET')['sealed'], False,
          'the health')
    t.is_(one.sys.is_sealed(), False, 'the seal')
    token = one.token
    one.auth.token.revoke_self()
    one.token = token
    t.ok(not one.is_authenticated(), 'and it is over when it was revoked')


t.tell()
