"""The Akeyless page on Kubernetes auth, from its first line to its last."""

import json
import subprocess
import urllib.error
import urllib.request

import client
import procs
import steps
import tokens
from cluster import ACCESS_ID, CONFIG
from realm import SECRET_OF_ACCOUNT, b64, issuer_of, wait_for


def reviewer(world):
    """The reviewer's account, binding and token; the cluster's CA."""
    t, kubectl = world.test, world.kubectl
    if world.plane is None:
        world.namespace(world.home)
    else:
        world.wait_account(world.home)
    t.like(world.bind_reviewer(), r'(?s)gateway-token-reviewer created.*'
           r'role-tokenreview-binding created',
           'the reviewer\'s account and binding, as the page has them')

    kubectl.apply(SECRET_OF_ACCOUNT.format(
        name='gateway-token-reviewer-token', namespace=world.home,
        account='gateway-token-reviewer'))
    legacy = world.secret_token('gateway-token-reviewer-token', world.home)
    t.ok(legacy, 'a token by a Secret (Kubernetes 1.24 and later)')
    claims = tokens.decode(legacy)[1]
    t.is_((claims['iss'], 'exp' in claims, 'aud' in claims),
          ('kubernetes/serviceaccount', False, False),
          'it has the old issuer, no end and no audience')

    asked = kubectl.token('gateway-token-reviewer', world.home,
                          duration='48h')
    t.is_(tokens.decode(asked)[1]['sub'],
          f'system:serviceaccount:{world.home}:gateway-token-reviewer',
          'a token by a TokenRequest')

    t.like(world.ca_pem, '^-----BEGIN CERTIFICATE-----',
           'the CA, extracted from the kubeconfig')
    return {'by a Secret': legacy, 'by a TokenRequest': asked}


def pods(world):
    """Namespaces and pods, which need not run."""
    t, kubectl = world.test, world.kubectl
    world.namespace(world.a)
    world.namespace(world.b)
    for name in ('mypod1', 'mypod2', 'mypod3'):
        world.pod(name)
    world.pod('mypod1', world.b)
    token = world.token()
    claims = tokens.decode(token)[1]['kubernetes.io']
    t.is_((claims['namespace'], claims['pod']),
          (world.a, {'name': 'mypod1',
                     'uid': kubectl.uid('pod', 'mypod1', world.a)}),
          'a token that is bound to a pod')


def discovered(world):
    """Return the discovery document by kubectl proxy, None where none is."""
    port = str(procs.free_port())
    with subprocess.Popen(
            [*world.kubectl.command, 'proxy', '--api-prefix=/k8s-api',
             f'--port={port}'], stdout=subprocess.DEVNULL) as proxy:
        url = f'http://127.0.0.1:{port}/k8s-api/.well-known/' \
              'openid-configuration'
        answer = []

        def ask():
            try:
                with urllib.request.urlopen(url, timeout=20) as got:
                    answer.append(json.load(got))
            except urllib.error.HTTPError as error:
                answer.append(error.code)
            except OSError:
                pass
            return answer

        wait_for(ask)
        proxy.terminate()
    return answer[0] if answer else None


def issuer(world):
    """The issuer, by discovery and from a pod's own token."""
    t = world.test
    own = issuer_of(world.token())
    found = discovered(world)
    world.issuer = own
    if own.startswith('https://'):
        t.is_(found['issuer'] if isinstance(found, dict) else found, own,
              'the issuer by discovery is that of the pod\'s token')
    else:
        t.is_(found, 404, f'an issuer such as "{own}" has no discovery: it '
              'is in the pod\'s token alone')


def gateway(world, reviewers):
    """The auth method, the auth config, and a login in each dialect."""
    t = world.test
    prv_key = b64(world.signing_key.pem())
    # nginx's parameters end at 4 KB: a longer CA goes into a file
    ca = f'"data:{world.ca}"' if len(world.ca) < 4000 \
        else world.test.write('ca.crt', world.ca_pem)
    for how, token in reviewers.items():
        world.reviewer = token
        nginx = world.gateway(world.method() + world.config(
            signing_key=f'"data:{prv_key}"',
            k8s_ca_cert=ca,
            token_reviewer_jwt=f'"data:{token}"'))
        uid = world.kubectl.uid('pod', 'mypod1', world.a)
        account = world.kubectl.uid('serviceaccount', 'default', world.a)
        claims = world.accepted(
            world.login(nginx, world.token()), f'a reviewer {how}',
            namespace=world.a, pod_name='mypod1', pod_uid=uid,
            service_account_name='default', service_account_uid=account,
            config_name=CONFIG, access_id=ACCESS_ID)
        t.is_(claims.get('aud'), tokens.decode(world.token())[1]['aud'],
              f'a reviewer {how}: the pod token\'s audiences')
        world.accepted(world.login(nginx, world.token('mypod2')),
                       f'a reviewer {how}: the other pod of the list',
                       pod_name='mypod2')
    dialects(world, nginx)
    nginx.stop()


def dialects(world, nginx):
    """Each way to ask for the same."""
    t = world.test
    token = world.token()
    role = b64(f'{ACCESS_ID}..{CONFIG}')
    answer = client.post(nginx.port, '/v1/auth/kubernetes/login',
                         {'role': role, 'jwt': token})
    t.is_(answer.status, 200, 'Vault\'s dialect')
    t.is_(answer.json()['auth']['metadata']['service_account_namespace'],
          world.a, 'Vault\'s dialect: the namespace')
    form = '&'.join((
        'grant_type=urn:ietf:params:oauth:grant-type:token-exchange',
        'subject_token_type=urn:ietf:params:oauth:token-type:jwt',
        f'client_id={CONFIG}', f'subject_token={token}'))
    answer = client.post(
        nginx.port, '/token', form,
        {'Content-Type': 'application/x-www-form-urlencoded'})
    t.is_((answer.status, answer.json().get('token_type')), (200, 'Bearer'),
          'OAuth\'s token exchange')
    answer = client.post(
        nginx.port, f'/v2/auth?k8s-auth-config-name={CONFIG}',
        headers={'Authorization': f'Bearer {token}'})
    t.is_(answer.status, 200, 'a bearer token and nothing else')
    keys = client.get(nginx.port, '/jwks').json()
    t.is_(tokens.verify(answer.json()['token'], keys)['pod_name'], 'mypod1',
          'the published keys verify what was minted')


def objects(world):
    """What the fake API server is held to, too."""
    plane = world.plane
    context = client.tls(plane.ca, (plane.path('admin.crt'),
                                    plane.path('admin.key')))
    steps.go(world.test, lambda method, path, headers, body: client.request(
        plane.port, method, path, headers, body, context=context))


def run(world):
    """Go through the page."""
    if world.plane is not None:
        objects(world)
    reviewers = reviewer(world)
    pods(world)
    issuer(world)
    gateway(world, reviewers)
