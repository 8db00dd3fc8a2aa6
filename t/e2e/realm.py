"""What the end-to-end tests share: a cluster, names in it, a gateway."""

import base64
import os
import secrets
import signal

import certs
import client
import kubectl as kubectls
import tokens
from akltest import wait_for
from cluster import ACCESS_ID, CONFIG, block

REVIEWER = '''\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: gateway-token-reviewer
  namespace: {namespace}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {binding}
  namespace: {namespace}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: system:auth-delegator
subjects:
- kind: ServiceAccount
  name: gateway-token-reviewer
  namespace: {namespace}
'''

SECRET_OF_ACCOUNT = '''\
apiVersion: v1
kind: Secret
metadata:
  name: {name}
  namespace: {namespace}
  annotations:
    kubernetes.io/service-account.name: {account}
type: kubernetes.io/service-account-token
'''

TOKEN_OF_SECRET = 'go-template={{.data.token | base64decode}}'
CA_OF_CONFIG = 'jsonpath={.clusters[].cluster.certificate-authority-data}'


def b64(text):
    """Return text as base64 on one line."""
    return base64.b64encode(text.encode()).decode()


def issuer_of(token):
    """Return the issuer of a token, as the page's jq does."""
    return tokens.decode(token)[1]['iss']


class World:
    """A cluster, and what the tests have made in it.

    plane is the ControlPlane, or None where the cluster is somebody else's:
    names then carry a random part, and remove() takes all of them away.
    """

    def __init__(self, test, kubectl, plane=None):
        self.test = test
        self.label = os.path.basename(plane.dir) if plane else 'foreign'
        self.kubectl = kubectl
        self.plane = plane
        self.mark = '' if plane else f'akl-e2e-{secrets.token_hex(3)}-'
        self.home = 'default' if plane else self.mark + 'gateway'
        self.a = self.mark + 'my-namespace-a'
        self.b = self.mark + 'my-namespace-b'
        self.binding = self.mark + 'role-tokenreview-binding'
        self.namespaces = []
        self.bindings = []
        self.roles = []
        self.gateways = 0
        self.reviewer = None
        self.issuer = None
        self.ca = self.extract_ca()
        self.host = kubectl('config', 'view', '--raw', '--minify', '--output',
                            'jsonpath={.clusters[].cluster.server}')
        self.signing = test.write(
            'signing.pem', tokens.key('RSA-2048', 'gateway').pem(), 0o600)
        self.signing_key = tokens.key('RSA-2048', 'gateway')

    def extract_ca(self):
        """Return the cluster's CA, base64 of PEM, as the page does."""
        return self.kubectl('config', 'view', '--raw', '--minify',
                            '--flatten', '--output', CA_OF_CONFIG)

    @property
    def ca_pem(self):
        """The cluster's CA as PEM text."""
        return base64.b64decode(self.ca).decode()

    @property
    def quoted_issuer(self):
        """The issuer as a parameter of nginx.conf."""
        return f'"{self.issuer}"'

    @staticmethod
    def other_authority():
        """Return an authority that nobody here trusts."""
        return certs.Authority('other', tokens.key('P-256', 'e2e-other-ca'))

    # Objects

    def namespace(self, name):
        """Make a namespace; its default account exists on return."""
        self.namespaces.append(name)    # before: we may be interrupted
        self.kubectl('create', 'namespace', name)
        self.wait_account(name)
        return name

    def wait_account(self, namespace):
        """Wait for a namespace's default account."""
        if not wait_for(lambda: self.kubectl.has(
                'serviceaccount', 'default', namespace)):
            raise RuntimeError(f'no account "default" in {namespace}')

    def pod(self, name, namespace=None, **flags):
        """Run a pod as the page does; return its uid."""
        namespace = namespace or self.a
        self.kubectl('run', name, '--image=nginx', '-n', namespace,
                     *[f'--{key}={value}' for key, value in flags.items()])
        return self.kubectl.uid('pod', name, namespace)

    def account(self, name, namespace=None):
        """Make a service account; return its uid."""
        namespace = namespace or self.a
        self.kubectl('create', 'serviceaccount', name, '-n', namespace)
        return self.kubectl.uid('serviceaccount', name, namespace)

    def secret_token(self, name, namespace):
        """Return the token of a Secret, once a controller has put it there."""
        def held():
            text = self.kubectl('get', 'secret', name, '-n', namespace,
                                '--output', TOKEN_OF_SECRET)
            return text if text.count('.') == 2 else None

        token = wait_for(held)
        if not token:
            raise RuntimeError(f'no token in the Secret {name}')
        return token

    def bind_reviewer(self):
        """Make the reviewer's account and binding, as the page does."""
        if self.binding not in self.bindings:
            self.bindings.append(self.binding)
        return self.kubectl.apply(REVIEWER.format(
            namespace=self.home, binding=self.binding))

    def delegate(self, name, *subject):
        """Bind system:auth-delegator to a subject, by kubectl's flag."""
        name = self.mark + name
        self.bindings.append(name)
        self.kubectl('create', 'clusterrolebinding', name,
                     '--clusterrole=system:auth-delegator', *subject)
        return name

    def token(self, pod='mypod1', namespace=None, account='default', **flags):
        """Ask for a pod's token; pod None: for one bound to nothing."""
        return self.kubectl.token(account, namespace or self.a, pod, **flags)

    def remove(self):
        """Take away what was made, whoever is impatient."""
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
            signal.signal(number, signal.SIG_IGN)
        for kind, held in (('clusterrolebinding', self.bindings),
                           ('clusterrole', self.roles),
                           ('namespace', self.namespaces)):
            if not held:
                continue
            self.test.note(f'deleting {kind} ' + ' '.join(held))
            try:
                self.kubectl('delete', kind, '--ignore-not-found',
                             '--wait=false', *held)
            except kubectls.KubectlError as error:
                self.test.problem(f'by hand: kubectl delete {kind} '
                                  + ' '.join(held) + f': {error}')

    # The gateway

    def method(self, access_id=ACCESS_ID, **members):
        """Return an auth method: by default that of the page."""
        members = members or {'bound_namespaces': self.a,
                              'bound_pod_names': 'mypod1 mypod2'}
        return block('akl_k8s_auth_method', access_id, members)

    def config(self, name=CONFIG, access_id=ACCESS_ID, **members):
        """Return an auth config; members override."""
        return block('akl_k8s_auth_config', name, {
            'access_id': access_id, 'signing_key': self.signing,
            'k8s_host': self.host,
            'k8s_ca_cert': self.test.write('ca.crt', self.ca_pem),
            'token_reviewer_jwt': self.write_reviewer(self.reviewer),
            'k8s_issuer': self.quoted_issuer, **members})

    def write_reviewer(self, token):
        """Write the reviewer's token where the gateway reads it."""
        return self.test.write('reviewer.jwt', token, 0o600)

    def gateway(self, http, name=None, **kw):
        """Start nginx with auth methods and configs; return it."""
        self.gateways += 1
        return self.test.nginx(
            http + '''
            server {
                listen 127.0.0.1:@port@;
                location = /v2/auth { akl_k8s_auth; }
                location = /v1/auth/kubernetes/login { akl_k8s_auth vault; }
                location = /token { akl_k8s_auth oauth; }
                location = /jwks { akl_k8s_jwks; }
                location = /status { akl_k8s_status; }
                @locations@
            }
            ''', name=f'{self.label}-{name or self.gateways}',
            **{'locations': '', **kw})

    @staticmethod
    def body(token, config=CONFIG, access_id=ACCESS_ID):
        """Return the body of a login in the manner of Akeyless."""
        return {'access-type': 'k8s', 'access-id': access_id,
                'k8s-auth-config-name': config, 'json': False,
                'gateway-url': 'https://gw:8000',
                'k8s-service-account-token': b64(token)}

    def login(self, gateway, token, **kw):
        """Log in; return the answer."""
        return client.post(gateway.port, '/v2/auth', self.body(token, **kw))

    # What must come of a login

    def accepted(self, answer, name, **claims):
        """Check a login that must succeed; return the minted claims."""
        test = self.test
        if not test.ok(answer.status == 200, f'{name}: logged in', answer):
            return {}
        minted = tokens.verify(answer.json()['token'], self.signing_key)
        if claims:
            test.contains(minted, claims, f'{name}: who it is')
        return minted

    def refused(self, answer, status, reason, name):
        """Check a login that must be refused."""
        got = None
        if answer.status != 200:
            got = answer.json().get('reason')
        self.test.ok((answer.status, got) == (status, reason),
                     f'{name}: {status} {reason}', answer)

    def eventually(self, ask, status, reason=None, timeout=90):
        """Ask until the answer is so; return the last one."""
        last = []

        def settled():
            last[:] = [ask()]
            return last[0].status == status and (
                reason is None or last[0].json().get('reason') == reason)
        wait_for(settled, timeout)
        return last[0]

    @staticmethod
    def reviews(gateway):
        """Return the number of reviews a gateway has asked for."""
        text = client.get(gateway.port, '/status?format=prometheus').text
        return sum(int(line.rpartition(' ')[2]) for line in text.splitlines()
                   if line.startswith('nginx_akl_k8s_reviews_total'))

    def forge(self, token, shift=0, key=None, header=None, **claims):
        """Sign a token's claims anew, as the cluster or somebody would.

        shift moves all times by seconds; a claim that is None is left out.
        """
        held = tokens.decode(token)[1]
        for name in ('iat', 'nbf', 'exp'):
            held[name] += shift
        held.update(claims)
        held = {name: value for name, value in held.items()
                if value is not None}
        return tokens.k8s_sign(held, key or self.plane.keys[0],
                               **(header or {}))
