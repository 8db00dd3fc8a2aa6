"""A real control plane on loopback: etcd, API server, controllers.

Started with the flags that the Akeyless page wants of a cluster: RBAC, an
issuer, the audiences of service accounts.  No node and no kubelet: pods need
not run to be known to the API server, and that is all a token asks for.
"""

import base64
import os
import signal
import ssl
import subprocess

import certs
import client
import procs
import tokens
from tap import wait_for

PAGE_ISSUER = 'api'
PAGE_AUDIENCES = 'api,spire-server'
HTTPS_ISSUER = tokens.ISSUER
CONTROLLERS = ('serviceaccount-token-controller',
               'serviceaccount-controller',
               'root-ca-certificate-publisher-controller',
               'namespace-controller')

KUBECONFIG = '''\
apiVersion: v1
kind: Config
clusters:
- name: e2e
  cluster:
    server: {url}
    certificate-authority-data: {ca}
contexts:
- name: e2e
  context:
    cluster: e2e
    user: admin
current-context: e2e
users:
- name: admin
  user:
    client-certificate-data: {cert}
    client-key-data: {key}
'''


def b64(text):
    """Return text as base64."""
    return base64.b64encode(text.encode()).decode()


class ControlPlane:
    """The processes, their keys and certificates, below a directory."""

    def __init__(self, test, programs, directory):
        self.test = test
        self.programs = programs
        self.dir = directory
        os.makedirs(directory)
        self.port = procs.free_port()
        self.url = f'https://127.0.0.1:{self.port}'
        self.etcd_port = procs.free_port()
        self.issuers = [PAGE_ISSUER]
        self.audiences = PAGE_AUDIENCES
        self.features = None
        self.keys = [tokens.key('RSA-2048', 'e2e-1')]
        self.processes = {}
        self.authority = certs.Authority('kubernetes',
                                         tokens.key('P-256', 'e2e-ca'))
        # who may log in is a matter of its own: the server's certificate may
        # come from another authority one day, the clients' does not
        self.write('client-ca.crt', self.authority.pem)
        self.certificate(self.authority)
        self.kubeconfig = self.write_kubeconfig()

    def path(self, name):
        """Return the path of a file of the control plane."""
        return os.path.join(self.dir, name)

    def write(self, name, text):
        """Write a file of the control plane; return its path."""
        return tokens.write_file(self.path(name), text)

    # What it is started with

    def modern(self):
        """Have an https issuer, as clusters have that somebody sets up now.

        The page's own issuer is none, and is the default here.
        """
        self.issuers = [HTTPS_ISSUER]
        self.audiences = f'api,{HTTPS_ISSUER}'

    def certificate(self, authority, name='server'):
        """Give the API server a certificate of an authority, a key by name.

        A running one takes it as soon as both files are there.
        """
        pair = authority.server(key=tokens.key('P-256', 'e2e-' + name))
        for end, text in zip(('crt', 'key'), pair):
            self.write(f'serving.{end}', text)
        self.ca = self.write('ca.crt', authority.pem)

    def client_pair(self, name, user, groups=()):
        """Write a client certificate; return both paths."""
        return certs.write_pair(
            self.dir, name, self.authority.client(
                user, groups, tokens.key('P-256', 'e2e-' + name)))

    def write_kubeconfig(self):
        """Write the administrator's kubeconfig; return its path."""
        pair = []
        for path in self.client_pair('admin', 'admin', ['system:masters']):
            with open(path, encoding='ascii') as file:
                pair.append(file.read())
        with open(self.ca, encoding='ascii') as file:
            ca = file.read()
        return self.write('kubeconfig', KUBECONFIG.format(
            url=self.url, ca=b64(ca), cert=b64(pair[0]), key=b64(pair[1])))

    # Processes

    def _spawn(self, name, *arguments):
        with open(self.path(name + '.log'), 'ab') as log:
            self.processes[name] = procs.spawn(
                [os.path.join(self.programs, name), *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def log(self, name, lines=20):
        """Return the end of a process's log."""
        with open(self.path(name + '.log'), encoding='utf-8',
                  errors='replace') as file:
            return ''.join(file.readlines()[-lines:])

    def _wait(self, name, ready, timeout=300):
        """Wait until a process is ready, or fail with its last words."""
        def settled():
            return self.processes[name].poll() is not None or ready()
        if not wait_for(settled, timeout) \
                or self.processes[name].poll() is not None:
            raise RuntimeError(f'{name} did not start:\n' + self.log(name))

    def start(self):
        """Start everything; return when the API server is ready."""
        urls = [f'http://127.0.0.1:{port}'
                for port in (self.etcd_port, procs.free_port())]
        self._spawn(
            'etcd', '--data-dir', self.path('etcd'), '--log-level', 'error',
            '--unsafe-no-fsync', '--listen-client-urls', urls[0],
            '--advertise-client-urls', urls[0], '--listen-peer-urls',
            urls[1], '--initial-advertise-peer-urls', urls[1],
            '--initial-cluster', f'default={urls[1]}')
        self._wait('etcd', lambda: self._ok(self.etcd_port, '/health', None))
        self.start_server()
        self.start_controllers()

    def start_server(self):
        """Start the API server alone; return when it is ready."""
        self.write('sa.key', self.keys[0].pem())
        key_files = [
            '--service-account-key-file='
            + self.write(f'sa-{number}.pub', key.public_pem())
            for number, key in enumerate(self.keys)]
        features = [f'--feature-gates={self.features}'] \
            if self.features else []
        self._spawn(
            'kube-apiserver', '--bind-address=127.0.0.1',
            '--advertise-address=127.0.0.1', f'--secure-port={self.port}',
            '--endpoint-reconciler-type=none',
            '--service-cluster-ip-range=10.0.0.0/24',
            f'--etcd-servers=http://127.0.0.1:{self.etcd_port}',
            '--authorization-mode=Node,RBAC',
            f'--tls-cert-file={self.path("serving.crt")}',
            f'--tls-private-key-file={self.path("serving.key")}',
            f'--client-ca-file={self.path("client-ca.crt")}',
            f'--api-audiences={self.audiences}',
            *[f'--service-account-issuer={name}' for name in self.issuers],
            f'--service-account-signing-key-file={self.path("sa.key")}',
            *key_files, *features)
        self._wait('kube-apiserver', self.ready)

    def start_controllers(self):
        """Start the controllers of service accounts and namespaces."""
        self._spawn(
            'kube-controller-manager', f'--kubeconfig={self.kubeconfig}',
            '--bind-address=127.0.0.1',
            f'--secure-port={procs.free_port()}', '--leader-elect=false',
            f'--controllers={",".join(CONTROLLERS)}',
            f'--root-ca-file={self.ca}',
            f'--service-account-private-key-file={self.path("sa.key")}',
            f'--cert-dir={self.path("controllers")}')

    @staticmethod
    def _ok(port, path, context):
        try:
            return client.get(port, path, context=context,
                              timeout=5).status == 200
        except OSError:
            return False

    def ready(self):
        """Say whether the API server says that it is ready."""
        context = client.tls(None, (self.path('admin.crt'),
                                    self.path('admin.key')))
        return self._ok(self.port, '/readyz', context)

    def presents(self, authority):
        """Say whether the API server's certificate is of an authority."""
        context = ssl.create_default_context(cadata=authority.pem)
        try:
            client.connect(self.port, context).close()
        except OSError:
            return False
        return True

    def stop_server(self, sig=signal.SIGTERM):
        """End the API server, gracefully unless another signal is named.

        It would wait a minute for the watches of the controllers.
        """
        procs.end(self.processes.pop('kube-apiserver'), sig, 10)

    def restart(self, **changes):
        """Start the API server anew, with members of self changed."""
        vars(self).update(changes)
        self.stop_server()
        self.start_server()
        if 'keys' in changes:
            procs.end(self.processes.pop('kube-controller-manager'))
            self.start_controllers()

    def close(self):
        """End everything, in the order in which nobody misses anybody."""
        for name in ('kube-controller-manager', 'kube-apiserver', 'etcd'):
            if name in self.processes:
                procs.end(self.processes.pop(name), timeout=10)
