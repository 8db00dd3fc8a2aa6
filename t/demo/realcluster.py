"""A real cluster for the demo, by kubectl, which knows all ways to log in.

What is made there stands in one namespace of a name of its own, and in a
cluster role binding of the same name; both are deleted in the end.  The pods
need not run: what a pod's token says, and whether it is good, the API server
knows of itself.
"""

import base64
import json
import os
import secrets
import sys

import kubectl
import tokens
from gateway import Failed, free_port, indent

REVIEWER = 'gateway-token-reviewer'
ACCOUNT = 'builder'
PODS = ('mypod1', 'mypod2', 'mypod9')
IMAGE = 'registry.k8s.io/pause:3.10'
LABELS = {'app.kubernetes.io/managed-by': 'akl-k8s-demo'}
CORE = '/api/v1/namespaces'
BINDINGS = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings'
REACH = {'k8s_tls_server_name': 'tls-server-name', 'k8s_proxy': 'proxy-url'}


def cluster_of(kube):
    """Return the cluster of the kubeconfig's context."""
    held = json.loads(kube('config', 'view', '--raw', '--minify',
                           '--flatten', '--output', 'json'))
    if not held.get('clusters'):
        raise Failed('the kubeconfig has no cluster in this context')
    held = held['clusters'][0]['cluster']
    if held.get('insecure-skip-tls-verify'):
        raise Failed('the API server is not verified '
                     '(insecure-skip-tls-verify): a gateway verifies it')
    proxy = held.get('proxy-url', '')
    if proxy and (not proxy.startswith('http://') or '@' in proxy):
        # it is not shown: a password may be in it
        raise Failed('the API server is reached through a proxy (proxy-url): '
                     'a gateway takes an HTTP one that wants no credentials')
    if not held['server'].startswith('https://'):
        raise Failed(f'the API server is {held["server"]}, which is no '
                     'https URL')
    return held


class RealCluster:
    """Pods of one namespace, and what a gateway has to know."""

    account = ACCOUNT
    leaves = ', and to take away what was made in the cluster'

    def __init__(self, directory, kubeconfig, context=None):
        binary = kubectl.find()
        if binary is None:
            raise Failed('no kubectl: install it, or say KUBECTL=PATH')
        self.dir = directory
        try:
            self.kube = kubectl.Kubectl(binary, kubeconfig, context)
            held = cluster_of(self.kube)
            self.version = self.kube.version()
        except kubectl.KubectlError as error:
            raise Failed(error) from None
        self.namespace = f'akl-demo-{secrets.token_hex(3)}'
        self.space = f'{CORE}/{self.namespace}'
        self.issuer = None
        self.made = []                  # paths, to be deleted backwards
        self.url = held['server'].rstrip('/')
        self.ca = 'system'
        data = held.get('certificate-authority-data')
        if data:
            self.ca = self._write('ca.crt', base64.b64decode(data).decode())
        self.reach = {ours: held[theirs].rstrip('/')
                      for ours, theirs in REACH.items() if held.get(theirs)}

    def _write(self, name, text):
        return tokens.write_file(os.path.join(self.dir, name), text)

    def describe(self):
        """Say what cluster it is."""
        return f'the API server is {self.url}, Kubernetes {self.version}'

    def plan(self):
        """Return what will be made, a line for each object."""
        name = self.namespace
        rows = [('Namespace', name),
                ('ServiceAccount', f'{name}/{REVIEWER}'),
                ('ClusterRoleBinding', f'{name}, system:auth-delegator for '
                 'that account'),
                ('ServiceAccount', f'{name}/{ACCOUNT}')]
        rows += [('Pod', f'{name}/{pod}, which need not run')
                 for pod in PODS]
        return '\n'.join(f'{kind:20}{what}' for kind, what in rows)

    @property
    def by_hand(self):
        """The command that takes all away, whatever becomes of us."""
        return (f'kubectl delete namespace/{self.namespace} '
                f'clusterrolebinding/{self.namespace}')

    def consent(self, yes):
        """Tell what will be made, and ask unless the answer is given."""
        print('the demo makes there, and takes away in the end:\n\n'
              + indent(self.plan()) + '\n', flush=True)
        if yes:
            return
        if not sys.stdin.isatty():
            raise Failed('nobody is there to be asked: --yes does not ask')
        if input('Make them? [y/N] ').strip().lower() not in ('y', 'yes'):
            raise Failed('nothing was made')

    # Objects

    def _make(self, path, kind, name, version='v1', **members):
        """Make an object; it is written down first, to be taken away."""
        if kind in ('Namespace', 'ClusterRoleBinding'):
            self.made.append(f'{path}/{name}')
        print(f'making the {kind} {name}', flush=True)
        return self._ask(self.kube.make, path, {
            'apiVersion': version, 'kind': kind,
            'metadata': {'name': name, 'labels': LABELS}, **members})

    @staticmethod
    def _ask(ask, *arguments):
        try:
            return ask(*arguments)
        except kubectl.KubectlError as error:
            raise Failed(error) from None

    def prepare(self):
        """Make the namespace, the reviewer and mypod1."""
        name = self.namespace
        self._make(CORE, 'Namespace', name)
        for account in (REVIEWER, ACCOUNT):
            self._make(self.space + '/serviceaccounts', 'ServiceAccount',
                       account)
        self._make(
            BINDINGS, 'ClusterRoleBinding', name,
            'rbac.authorization.k8s.io/v1',
            roleRef={'apiGroup': 'rbac.authorization.k8s.io',
                     'kind': 'ClusterRole', 'name': 'system:auth-delegator'},
            subjects=[{'kind': 'ServiceAccount', 'name': REVIEWER,
                       'namespace': name}])
        self._write('reviewer.jwt', self._token(REVIEWER, 8 * 3600))
        self.pod('mypod1')
        self.issuer = tokens.decode(self.token('mypod1'))[1]['iss']

    def pod(self, name):
        """Make a pod, such that the strictest admission lets it in."""
        self._make(self.space + '/pods', 'Pod', name, spec={
            'serviceAccountName': ACCOUNT,
            'securityContext': {'runAsNonRoot': True, 'runAsUser': 65535,
                                'seccompProfile': {'type': 'RuntimeDefault'}},
            'containers': [{
                'name': 'pause', 'image': IMAGE,
                'resources': {'requests': {'cpu': '1m', 'memory': '8Mi'},
                              'limits': {'cpu': '10m', 'memory': '16Mi'}},
                'securityContext': {'allowPrivilegeEscalation': False,
                                    'capabilities': {'drop': ['ALL']}}}]})

    def delete(self, name):
        """Delete a pod, at once."""
        self._ask(self.kube.remove,
                  f'{self.space}/pods/{name}?gracePeriodSeconds=0')

    def uid(self, pod):
        """Return the uid of a pod."""
        return json.loads(self._ask(
            self.kube, 'get', '--raw',
            f'{self.space}/pods/{pod}'))['metadata']['uid']

    def _token(self, account, ttl, **spec):
        return self._ask(
            self.kube.make, f'{self.space}/serviceaccounts/{account}/token',
            {'apiVersion': 'authentication.k8s.io/v1', 'kind': 'TokenRequest',
             'spec': {'expirationSeconds': ttl, **spec}})['status']['token']

    def token(self, pod, ttl=3600):
        """Return a token of a pod."""
        return self._token(ACCOUNT, ttl, boundObjectRef={
            'apiVersion': 'v1', 'kind': 'Pod', 'name': pod})

    def was_asked(self):
        """Nobody knows."""

    # pylint: disable-next=no-self-use
    def cut(self):
        """Be out of reach; return what to say, and another host."""
        return ('the API server is out of reach: nginx is told a port where '
                'nobody listens', f'https://127.0.0.1:{free_port()}')

    def mend(self):
        """Be within reach again: the next nginx is told the right host."""

    def close(self):
        """Take away what was made."""
        left = []
        for path in reversed(self.made):
            kind, name = path.split('/')[-2:]
            print(f'deleting {kind}/{name}', flush=True)
            try:
                self.kube.remove(path)
            except (kubectl.KubectlError, OSError) as error:
                left.append(f'{error}')
        self.made = []
        if left:
            print('not all could be deleted: ' + '\n'.join(left)
                  + f'\ndo it by hand: {self.by_hand}', flush=True)
