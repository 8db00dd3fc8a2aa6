"""A fake cluster, and the configuration that uses it."""

import base64
import json
import os

import apiserver
import certs
import client
import procs
import tokens

ACCESS_ID = 'p-kmx8x116z7j9km'
CONFIG = 'k8s-conf'
NAMESPACE = 'my-namespace-a'
REVIEWS = '/apis/authentication.k8s.io/v1/tokenreviews'


def block(name, argument, members):
    """Return a configuration block.

    A value that is a list repeats its directive, None leaves it out.
    """
    out = [f'{name} {argument} {{']
    for directive, value in members.items():
        values = value if isinstance(value, list) else [value]
        out += [f'    {directive} {one};' for one in values
                if one is not None]
    return '\n'.join(out + ['}', ''])


class Cluster:
    """An API server with one pod: mypod1 of account builder.

    `api` is the ApiServer: its operations make objects, faults and
    tokens.  Files for the gateway: ca, reviewer, signing_key.
    """

    def __init__(self, test, name='cluster', **kw):
        self.dir = os.path.join(test.dir, name)
        kw.setdefault('port', procs.free_port())
        self.api = apiserver.ApiServer(self.dir, **kw)
        self.url = self.api.url
        self.port = self.api.port
        self.ca = self.api.path('ca.crt')
        self.reviewer = self.api.path('reviewer.jwt')
        self.jwks = self.api.path('cluster-jwks.json')
        self.key = tokens.key('RSA-2048', kw.get('key', 'cluster'))

    def issue(self, pod='mypod1', namespace=NAMESPACE, **kw):
        """Issue a token for a pod (None: for an account)."""
        return self.api.issue(namespace, pod=pod, **kw)

    def file(self, name, text, mode=0o600):
        """Write a file beside the cluster's; return its path."""
        return tokens.write_file(os.path.join(self.dir, name), text, mode)

    def kubeconfig(self):
        """Write an administrator's kubeconfig; return its path."""
        def held(path):
            with open(path, 'rb') as file:
                return base64.b64encode(file.read()).decode()
        pair = certs.write_pair(self.dir, 'admin', certs.Authority().client(
            'admin', ['system:masters']))
        return self.file('kubeconfig', json.dumps({
            'apiVersion': 'v1', 'kind': 'Config', 'current-context': 'here',
            'contexts': [{'name': 'here', 'context': {'cluster': 'c',
                                                      'user': 'u'}}],
            'clusters': [{'name': 'c', 'cluster': {
                'server': self.url,
                'certificate-authority-data': held(self.ca)}}],
            'users': [{'name': 'u', 'user': {
                'client-certificate-data': held(pair[0]),
                'client-key-data': held(pair[1])}}]}))

    def signing_key(self, kind='RSA-2048', name='gateway'):
        """Write a cached private key; return its path."""
        return self.file(f'{name}-{kind}.pem', tokens.key(kind, name).pem())

    def method(self, access_id=ACCESS_ID, **members):
        """Return an akl_k8s_auth_method block."""
        return block('akl_k8s_auth_method', access_id,
                     {'bound_namespaces': NAMESPACE, **members})

    def config(self, name=CONFIG, access_id=ACCESS_ID, kind='RSA-2048',
               **members):
        """Return an akl_k8s_auth_config block; members override."""
        return block('akl_k8s_auth_config', name, {
            'access_id': access_id, 'signing_key': self.signing_key(kind),
            'k8s_host': self.url, 'k8s_ca_cert': self.ca,
            'token_reviewer_jwt': self.reviewer,
            'k8s_issuer': tokens.ISSUER, **members})

    @staticmethod
    def login(token, config=CONFIG, access_id=ACCESS_ID, encode=True,
              **members):
        """Return the body of a login in the manner of Akeyless."""
        if encode:
            token = base64.b64encode(token.encode()).decode()
        return {'access-type': 'k8s', 'access-id': access_id,
                'k8s-auth-config-name': config, 'json': False,
                'k8s-service-account-token': token,
                'gateway-url': 'https://gw:8000', **members}

    def ask(self, body, token, path=REVIEWS, agent='akl-k8s', **kw):
        """Post a review; return head and body as text, as recorded."""
        headers = {'User-Agent': agent, 'Accept': 'application/json',
                   'Content-Type': 'application/json'}
        if token is not None:
            headers['Authorization'] = f'Bearer {token}'
        answer = client.post(self.port, path, body, headers, close=False,
                             context=client.tls(self.ca, **kw))
        lines = [f'HTTP/1.1 {answer.status} {answer.reason}']
        lines += [f'{name}: {value}' for name, value in answer.headers]
        return '\n'.join(lines) + '\n\n', answer.text

    def fetch(self, path, token=None, method='GET', accept=None, close=True,
              **kw):
        """Ask for a path; return the answer."""
        head = {} if accept is None else {'Accept': accept}
        if token is not None:
            head['Authorization'] = f'Bearer {token}'
        return client.request(self.port, method, path, headers=head,
                              close=close, context=client.tls(self.ca, **kw))

    def close(self):
        """End the API server."""
        self.api.close()
