"""Other ways to ask a cluster, and what one does with a minted token."""

import base64
import json
import os

import certs
import client
import gates
import tokens
from cluster import CONFIG

RANCHER_KEY = 'token-abcde:l2kd8qkhd9p7xwqzs4j6'
RANCHER_CLUSTER = 'c-m-abcd1234'

# Rancher's proxy as far as the gateway sees it: its own key in place of the
# cluster's credential, the cluster's id in the path

RANCHER = '''
    server {
        listen 127.0.0.1:@port@ ssl;
        ssl_certificate     @pair@.crt;
        ssl_certificate_key @pair@.key;

        location /k8s/clusters/@cluster@/ {
            if ($http_authorization != "Bearer @key@") {
                return 401 '{"type":"error","status":"401"}';
            }
            proxy_pass                    @host@/;
            proxy_http_version            1.1;
            proxy_ssl_trusted_certificate @ca@;
            proxy_ssl_verify              on;
            proxy_ssl_name                kubernetes.default.svc;
            proxy_ssl_server_name         on;
            proxy_set_header Authorization "Bearer @reviewer@";
            proxy_set_header Host $proxy_host;
        }
    }
'''


def own_certificate(world):
    """Return the paths of a client certificate that may review, or None."""
    if world.plane is not None:
        world.delegate('by-certificate', '--user=gateway-by-certificate')
        return world.plane.client_pair('by-certificate',
                                       'gateway-by-certificate')
    pair = []
    for member in ('client-certificate-data', 'client-key-data'):
        held = world.kubectl(
            'config', 'view', '--raw', '--minify', '--flatten', '--output',
            f'jsonpath={{.users[].user.{member}}}')
        if not held:
            return None
        pair.append(world.test.write(
            member, base64.b64decode(held).decode(), 0o600))
    return pair


def certificate(world):
    """A reviewer with a client certificate."""
    pair = own_certificate(world)
    if pair is None:
        world.test.skip('a client certificate: the kubeconfig has none')
        return
    nginx = world.gateway(world.method() + world.config(
        token_reviewer_jwt=None, k8s_auth_type='certificate',
        k8s_client_certificate=pair[0], k8s_client_key=pair[1]),
        name='certificate')
    world.accepted(world.eventually(
        lambda: world.login(nginx, world.token()), 200),
        'a reviewer with a client certificate', pod_name='mypod1')
    nginx.stop()
    if world.plane is None:
        return
    pair = world.plane.client_pair('nobody', 'nobody')
    nginx = world.gateway(world.method() + world.config(
        token_reviewer_jwt=None, k8s_auth_type='certificate',
        k8s_client_certificate=pair[0], k8s_client_key=pair[1]),
        name='nobody')
    world.refused(world.login(nginx, world.token()), 502,
                  'reviewer_forbidden', 'a client certificate without rights')
    nginx.stop()


def self_review(world):
    """The pod's token as the bearer of its own review."""
    world.account('selfish')
    world.pod('selfish', overrides=json.dumps({
        'apiVersion': 'v1', 'spec': {'serviceAccountName': 'selfish'}}))

    def token():
        return world.token('selfish', account='selfish')

    nginx = world.gateway(
        world.method(bound_namespaces=world.a)
        + world.config(token_reviewer_jwt='self'), name='self')
    world.refused(world.login(nginx, token()), 502, 'reviewer_forbidden',
                  'self, where the account may not review')
    world.delegate('selfish', f'--serviceaccount={world.a}:selfish')
    world.accepted(world.eventually(
        lambda: world.login(nginx, token()), 200),
        'self, where it may', pod_name='selfish')
    nginx.stop()


def inside(world):
    """The gateway as a pod: environment and mounted service account."""
    url = world.host.partition('://')[2]
    host, _, port = url.partition(':')
    mounted = os.path.join(world.test.dir, f'{world.label}-serviceaccount')
    data = os.path.join(mounted, '..2026_11_23')
    os.makedirs(data)
    for name, text in (('token', world.reviewer), ('ca.crt', world.ca_pem),
                       ('namespace', world.home)):
        tokens.write_file(os.path.join(data, name), text)
        os.symlink(os.path.join('..data', name), os.path.join(mounted, name))
    os.symlink('..2026_11_23', os.path.join(mounted, '..data'))
    nginx = world.gateway(
        world.method() + world.config(
            k8s_host=None, k8s_ca_cert=None, token_reviewer_jwt=None,
            use_gw_service_account=mounted), name='inside',
        env={'KUBERNETES_SERVICE_HOST': host,
             'KUBERNETES_SERVICE_PORT': port.rstrip('/') or '443'})
    world.accepted(world.login(nginx, world.token()),
                   'inside the cluster, by its own account',
                   pod_name='mypod1')
    nginx.stop()


def rancher_front(world):
    """Start a proxy as Rancher's is; return it, and a config's members."""
    authority = certs.Authority('rancher', tokens.key('P-256', 'e2e-rancher'))
    certs.write_pair(world.test.dir, 'rancher', authority.server())
    front = world.test.nginx(
        RANCHER, name=f'{world.label}-rancher-{world.gateways}',
        pair=os.path.join(world.test.dir, 'rancher'),
        cluster=RANCHER_CLUSTER, key=RANCHER_KEY, host=world.host.rstrip('/'),
        ca=world.test.write('ca.crt', world.ca_pem),
        reviewer=world.reviewer)
    ca = world.test.write('rancher-ca.crt', authority.pem)
    return front, {
        'token_reviewer_jwt': None, 'cluster_api_type': 'rancher',
        'k8s_host': f'https://127.0.0.1:{front.port}',
        'k8s_ca_cert': ca, 'rancher_api_key': f'data:{RANCHER_KEY}',
        'rancher_cluster_id': RANCHER_CLUSTER}


def rancher(world):
    """Through a proxy as Rancher's is."""
    front, right = rancher_front(world)
    cases = (
        ('Rancher\'s path', {}, None),
        ('a wrong key of Rancher\'s', {'rancher_api_key': 'data:token-x:y'},
         'reviewer_unauthorized'),
        ('a wrong id of Rancher\'s', {'rancher_cluster_id': 'c-m-other'},
         'api_not_found'))
    for name, wrong, reason in cases:
        nginx = world.gateway(world.method()
                              + world.config(**{**right, **wrong}))
        answer = world.login(nginx, world.token())
        if reason is None:
            world.accepted(answer, name, pod_name='mypod1')
        else:
            world.refused(answer, 502, reason, name)
        nginx.stop()
    front.stop()


def other_name(world):
    """The API server under an address that its certificate does not have."""
    if world.plane is None:
        world.test.skip('another address of somebody\'s cluster')
        return
    host = world.host.replace('127.0.0.1', '0.0.0.0')
    for name, reason in ((None, 'api_tls'),
                         ('kubernetes.default.svc', None),
                         ('elsewhere.example.com', 'api_tls')):
        nginx = world.gateway(world.method() + world.config(
            k8s_host=host, k8s_tls_server_name=name))
        answer = world.login(nginx, world.token())
        what = f'another address, k8s_tls_server_name {name or "unset"}'
        if reason is None:
            world.accepted(answer, what, pod_name='mypod1')
        else:
            world.refused(answer, 502, reason, what)
        nginx.stop()


def through_proxy(world):
    """The API server by its name in the cluster, which a proxy knows."""
    if world.plane is None:
        world.test.skip('a proxy to somebody\'s cluster')
        return
    name = 'kubernetes.default.svc:443'
    proxy = gates.Tunnel({name: ('127.0.0.1', world.plane.port)})
    for host, reason in ((name, None), ('elsewhere.svc:443',
                                        'api_unreachable')):
        nginx = world.gateway(world.method() + world.config(
            k8s_host=f'https://{host}',
            k8s_proxy=f'http://127.0.0.1:{proxy.port}'))
        answer = world.login(nginx, world.token())
        if reason is None:
            world.accepted(answer, 'through a proxy', pod_name='mypod1')
        else:
            world.refused(answer, 503, reason, 'what the proxy refuses')
        nginx.stop()
    proxy.close()


def key_set(world):
    """k8s_jwks auto: forged tokens never get to the cluster."""
    t = world.test
    if not world.issuer.startswith('https://'):
        t.skip('k8s_jwks auto: an issuer that is no https URL has no keys')
        return
    nginx = world.gateway(world.method() + world.config(k8s_jwks='auto'),
                          name='jwks', level='info')
    world.accepted(world.login(nginx, world.token()), 'k8s_jwks auto',
                   pod_name='mypod1')
    token = world.token()
    kid = {'kid': tokens.decode(token)[0]['kid']}
    other = tokens.key('RSA-2048', 'e2e-other')

    def forged():
        return world.forge(world.token(), key=other, header=kid)

    world.refused(world.eventually(
        lambda: world.login(nginx, forged()), 401, 'signature_invalid'), 401,
        'signature_invalid', 'a forged token is refused here')
    before = world.reviews(nginx)
    world.refused(world.login(nginx, forged()), 401, 'signature_invalid',
                  'another forged token')
    t.is_(world.reviews(nginx), before, 'and the cluster never heard of it')
    saved = world.kubectl('get', '--raw', '/openid/v1/jwks')
    nginx.stop()
    nginx = world.gateway(world.method() + world.config(
        k8s_jwks=t.write('cluster-jwks.json', saved)), name='jwks-file')
    world.accepted(world.login(nginx, world.token()),
                   'the keys of a file, by kubectl get --raw')
    world.refused(world.login(nginx, forged()), 401, 'signature_invalid',
                  'a forged token, by the keys of a file')
    nginx.stop()


def doors(world):
    """Guard, requirements and exchange with what was minted."""
    t = world.test
    mock = t.mock()
    nginx = world.gateway(
        world.method() + world.config(), name='doors', locations=f'''
            location = /mine {{
                akl_k8s_guard {CONFIG};
                akl_k8s_require namespace={world.a} pod_name=mypod2;
                akl_k8s_verify;
            }}
            location = /swap {{
                akl_k8s_exchange {CONFIG};
                proxy_set_header Authorization "Bearer $akl_k8s_token";
                proxy_pass http://127.0.0.1:{mock.port};
            }}
        ''')

    def ask(path, token):
        head = {'Authorization': f'Bearer {token}'} if token else {}
        return client.get(nginx.port, path, head)

    pod = world.token()
    minted = world.login(nginx, pod).json()['token']
    second = world.login(nginx, world.token('mypod2')).json()['token']
    t.is_(ask('/mine', second).status, 204, 'guard: the pod that is wanted')
    answer = ask('/mine', minted)
    t.is_((answer.status, answer.header('www-authenticate') is not None),
          (403, True), 'guard: another pod')
    t.is_(ask('/mine', None).status, 401, 'guard: no token')
    t.is_(ask('/mine', pod).status, 401, 'guard: a pod token is not minted')
    answer = ask('/swap', pod)
    t.is_(answer.status, 200, 'exchange: a pod token')
    sent = mock.header(mock.requests[-1], 'authorization')[0]
    got = tokens.verify(sent.partition(' ')[2], world.signing_key)
    t.is_((got['namespace'], got['pod_name']), (world.a, 'mypod1'),
          'exchange: upstream sees a minted one')
    t.is_(ask('/swap', minted).status, 401,
          'exchange: a minted token is no pod token')
    t.is_(ask('/swap', world.token('mypod3')).status, 403,
          'exchange: a pod that is not bound')
    nginx.stop()


def run(world):
    """Go all ways."""
    certificate(world)
    self_review(world)
    inside(world)
    rancher(world)
    other_name(world)
    through_proxy(world)
    key_set(world)
    doors(world)
