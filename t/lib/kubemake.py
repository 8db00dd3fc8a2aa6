"""Objects that clients make at the fake API server.

What it takes to set up a reviewer and pods: namespaces, service accounts,
tokens for them by TokenRequest and by Secret, pods (which no node runs),
cluster role bindings, and the question what one may do.  Rights are those of
a real cluster's default roles: anyone who is authenticated may ask about
himself, to get a namespace takes a right of its own, only system:masters may
do the rest.
"""

import base64
import json
import re
import time

from kubeapi import (JSON, OBJECTS, Answer, go_json, not_acceptable,
                     not_allowed, status)

RBAC = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings'
ACCESS = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'
NAMESPACED = re.compile(r'/api/v1/namespaces/([^/]+)/'
                        r'(serviceaccounts|secrets|pods)'
                        r'(?:/([^/]+))?(/token)?$')
NAMESPACES = re.compile(r'/api/v1/namespaces(?:/([^/]+))?$')
NAME = re.compile(r'[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')
DELEGATOR = 'system:auth-delegator'


class Refused(Exception):
    """A body that the server does not take."""

    def __init__(self, text, code=400, reason='BadRequest'):
        super().__init__(text)
        self.code = code
        self.reason = reason


def invalid(kind, name, why):
    """Return what to raise where an object's members are not as they must.

    As Go writes it: the kind, the name, and what is wrong.
    """
    return Refused(f'{kind} {json.dumps(name)} is invalid: {why}', 422,
                   'Invalid')


def body_of(request, kind, version):
    """Return the object of a request's body."""
    if request.headers.get('content-type', JSON).partition(';')[0] != JSON:
        raise Refused('the body of the request was in an unknown format',
                      415, 'UnsupportedMediaType')
    try:
        body = json.loads(request.body)
        if body['kind'] != kind or body['apiVersion'] != version:
            raise Refused(f'no {kind} of {version}')
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f'{type(error).__name__}: {error}') from error
    return body


def name_of(body):
    """Return the name of an object that is to be made."""
    name = body.get('metadata', {}).get('name', '')
    if not NAME.match(name):
        raise invalid(body['kind'], name, 'metadata.name: Invalid value')
    return name


def made(body, code=201):
    """Return an Answer with an object."""
    return Answer(code, (go_json(body) + '\n').encode())


def deleted(what, name):
    """Return the Answer about an object that was deleted."""
    return made({'kind': 'Status', 'apiVersion': 'v1', 'metadata': {},
                 'status': 'Success', 'details': {'name': name,
                                                  'kind': what}}, 200)


def exists(what, name):
    """Return the Answer about an object that was there before."""
    return status(409, f'{what} {json.dumps(name)} already exists',
                  'AlreadyExists', {'name': name, 'kind': what})


def not_found(what, name):
    """Return the Answer about an object that is not there."""
    return status(404, f'{what} {json.dumps(name)} not found', 'NotFound',
                  {'name': name, 'kind': what})


def subjects(binding):
    """Return the names of the accounts that a binding is about."""
    return [f'system:serviceaccount:{one["namespace"]}:{one["name"]}'
            for one in binding.get('subjects', ())]


class Objects:
    """Answers requests about objects, from and into the state of a Kube."""

    def __init__(self, kube):
        self.kube = kube

    def answer(self, request, path, user):
        """Return the Answer, or None where the path is not ours."""
        namespaced = NAMESPACED.match(path)
        space = NAMESPACES.match(path)
        try:
            if path == ACCESS:
                return self._access(request, user)
            if not namespaced and not space and path != RBAC \
                    and not path.startswith(RBAC + '/'):
                return None
            if space and space.group(1):
                return self._namespace(request, space.group(1), user)
            if 'system:masters' not in user.groups:
                return self._forbidden(request, path, user)
            if space:
                return self._make_namespace(request)
            if not namespaced:
                return self._binding(request, path[len(RBAC) + 1:])
            namespace, kind, name, token = namespaced.groups()
            if token:
                return self._token(request, namespace, name)
            if request.method == 'POST' and namespace not in \
                    self.kube.namespaces:
                return not_found('namespaces', namespace)
            return {'secrets': self._secret, 'pods': self._pod,
                    'serviceaccounts': self._account}[kind](
                        request, namespace, name)
        except Refused as error:
            return status(error.code, str(error), error.reason)

    @staticmethod
    def _forbidden(request, path, user):
        kind = path.strip('/').split('/')[-1]
        return status(403, f'{kind} is forbidden: User '
                      f'{json.dumps(user.username)} cannot '
                      f'{"create" if request.method == "POST" else "get"} '
                      f'resource in {path}', 'Forbidden', {})

    def _access(self, request, user):
        if request.method != 'POST':
            return not_allowed()
        if 'system:authenticated' not in user.groups:
            return self._forbidden(request, ACCESS, user)
        body = body_of(request, 'SelfSubjectAccessReview',
                       'authorization.k8s.io/v1')
        wanted = body.get('spec', {}).get('resourceAttributes')
        if not isinstance(wanted, dict):
            raise Refused('exactly one of nonResourceAttributes or '
                          'resourceAttributes must be specified')
        allowed = 'system:masters' in user.groups
        if (wanted.get('group'), wanted.get('resource'),
                wanted.get('verb')) == ('authentication.k8s.io',
                                        'tokenreviews', 'create'):
            allowed = self.kube.may_review(user)
        if (wanted.get('group', ''), wanted.get('resource'),
                wanted.get('verb')) == ('', 'namespaces', 'get'):
            allowed = self.kube.may_read_namespaces(user)
        return made({**body, 'status': {'allowed': allowed}})

    def _make_namespace(self, request):
        if request.method != 'POST':
            return not_allowed()
        body = body_of(request, 'Namespace', 'v1')
        name = name_of(body)
        if name in self.kube.namespaces:
            return exists('namespaces', name)
        try:
            self.kube.namespace(name, body['metadata'].get('labels'))
        except ValueError as error:
            raise invalid('Namespace', name,
                          f'metadata: Invalid value: {error}') from error
        return made(self._show(name))

    def _namespace(self, request, name, user):
        """Rights, method, media type, existence: in a real server's order."""
        verb = {'GET': 'get', 'HEAD': 'get', 'PUT': 'update',
                'POST': 'create'}.get(request.method, request.method.lower())
        if verb != 'get' and 'system:masters' not in user.groups \
                or not self.kube.may_read_namespaces(user):
            answer = status(
                403, f'namespaces {json.dumps(name)} is forbidden: User '
                f'{json.dumps(user.username)} cannot {verb} resource '
                '"namespaces" in API group "" in the namespace '
                f'{json.dumps(name)}', 'Forbidden',
                {'name': name, 'kind': 'namespaces'})
            answer.headers.append(('X-Content-Type-Options', 'nosniff'))
            return answer
        if request.method not in ('GET', 'DELETE'):
            return not_allowed()
        answer = not_acceptable(request, JSON, OBJECTS)
        if answer is not None:
            return answer
        if name not in self.kube.namespaces:
            return not_found('namespaces', name)
        shown = self._show(name)
        if request.method == 'DELETE':
            # a real one goes a little later, with the same answer
            self.kube.delete_namespace(name)
            shown['status']['phase'] = 'Terminating'
        return made(shown, 200)

    def _show(self, name):
        """Return a namespace as it is shown."""
        held = self.kube.namespaces[name]
        when = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(held['made']))
        marks = {f'f:{key}': {} for key in sorted(held['labels'])}
        return {
            'kind': 'Namespace', 'apiVersion': 'v1', 'metadata': {
                'name': name, 'uid': held['uid'], 'resourceVersion': '1',
                'creationTimestamp': when,
                'labels': dict(sorted(held['labels'].items())),
                'managedFields': [{
                    'manager': 'kubectl', 'operation': 'Update',
                    'apiVersion': 'v1', 'time': when,
                    'fieldsType': 'FieldsV1', 'fieldsV1': {
                        'f:metadata': {'f:labels': {'.': {}, **marks}}}}]},
            'spec': {'finalizers': ['kubernetes']},
            'status': {'phase': 'Active'}}

    def _pod(self, request, namespace, name):
        if request.method == 'POST' and not name:
            body = body_of(request, 'Pod', 'v1')
            name = name_of(body)
            spec = body.get('spec', {})
            account = spec.get('serviceAccountName', 'default')
            if not spec.get('containers'):
                raise invalid('Pod', name, 'spec.containers: Required value')
            if (namespace, account) not in self.kube.accounts:
                return status(
                    403, f'pods {json.dumps(name)} is forbidden: error '
                    f'looking up service account {namespace}/{account}: '
                    f'serviceaccount {json.dumps(account)} not found',
                    'Forbidden', {'name': name, 'kind': 'pods'})
            if (namespace, name) in self.kube.pods:
                return exists('pods', name)
            body['metadata']['uid'] = self.kube.pod(
                namespace, name, account, spec.get('nodeName'))
            return made(body)
        if request.method not in ('GET', 'DELETE') or not name:
            return not_allowed()
        held = self.kube.pods.get((namespace, name))
        if held is None:
            return not_found('pods', name)
        if request.method == 'DELETE':
            self.kube.delete('pod', namespace, name)
        return made({'kind': 'Pod', 'apiVersion': 'v1',
                     'metadata': {'name': name, 'namespace': namespace,
                                  'uid': held['uid']},
                     'spec': {'serviceAccountName': held['account']}}, 200)

    def _account(self, request, namespace, name):
        if request.method == 'GET' and name:
            held = self.kube.accounts.get((namespace, name))
            if held is None:
                return not_found('serviceaccounts', name)
            return made({'kind': 'ServiceAccount', 'apiVersion': 'v1',
                         'metadata': {'name': name, 'namespace': namespace,
                                      'uid': held['uid']}}, 200)
        if request.method != 'POST' or name:
            return not_allowed()
        body = body_of(request, 'ServiceAccount', 'v1')
        name = name_of(body)
        if (namespace, name) in self.kube.accounts:
            return exists('serviceaccounts', name)
        body['metadata']['uid'] = self.kube.account(namespace, name)
        return made(body)

    def _token(self, request, namespace, name):
        if request.method != 'POST':
            return not_allowed()
        body = body_of(request, 'TokenRequest', 'authentication.k8s.io/v1')
        if (namespace, name) not in self.kube.accounts:
            return not_found('serviceaccounts', name)
        spec = body['spec']
        ttl = spec.get('expirationSeconds', 3600)
        if ttl < 600:
            raise invalid('TokenRequest', name, 'may not specify a duration '
                          'less than 10 minutes')
        pod = (spec.get('boundObjectRef') or {}).get('name')
        if pod is not None:
            if spec['boundObjectRef'].get('kind') != 'Pod':
                raise Refused('cannot bind token to object type')
            held = self.kube.pods.get((namespace, pod))
            if held is None:
                return not_found('pods', pod)
            if held['account'] != name:
                raise Refused(f'cannot bind token for serviceaccount '
                              f'{json.dumps(name)} to pod running with '
                              'different serviceaccount name.')
        ends = time.strftime('%Y-%m-%dT%H:%M:%SZ',
                             time.gmtime(self.kube.now() + ttl))
        return made({**body, 'status': {
            'token': self.kube.issue(
                namespace, name, pod=pod, ttl=ttl,
                audiences=spec.get('audiences') or None),
            'expirationTimestamp': ends}})

    def _secret(self, request, namespace, name):
        if request.method == 'GET' and name:
            held = self.kube.requested.get((namespace, name))
            if held is None:
                return not_found('secrets', name)
            # the controller fills it, after a while
            held['looks'] += 1
            if held['looks'] > 1 and 'data' not in held['body']:
                token = self.kube.secret(namespace, name, held['account'])
                held['body']['data'] = {
                    'token': base64.b64encode(token.encode()).decode()}
            return made(held['body'], 200)
        if request.method != 'POST' or name:
            return not_allowed()
        body = body_of(request, 'Secret', 'v1')
        name = name_of(body)
        account = body['metadata'].get('annotations', {}).get(
            'kubernetes.io/service-account.name')
        if body.get('type') != 'kubernetes.io/service-account-token' \
                or (namespace, account) not in self.kube.accounts:
            raise Refused('no token of a service account that is there')
        self.kube.requested[namespace, name] = {
            'body': body, 'account': account, 'looks': 0}
        return made(body)

    def _binding(self, request, name):
        if request.method == 'DELETE' and name:
            held = self.kube.bindings.pop(name, None)
            if held is None:
                return not_found(
                    'clusterrolebindings.rbac.authorization.k8s.io', name)
            if held['roleRef']['name'] == DELEGATOR:
                self.kube.delegators -= set(subjects(held))
            return deleted('clusterrolebindings', name)
        if request.method == 'GET' and name:
            held = self.kube.bindings.get(name)
            return made(held, 200) if held else not_found(
                'clusterrolebindings.rbac.authorization.k8s.io', name)
        if request.method != 'POST' or name:
            return not_allowed()
        body = body_of(request, 'ClusterRoleBinding',
                       'rbac.authorization.k8s.io/v1')
        role = body.get('roleRef', {})
        if role.get('apiGroup') != 'rbac.authorization.k8s.io' \
                or role.get('kind') != 'ClusterRole':
            raise invalid('ClusterRoleBinding', 'of no role',
                          'roleRef.kind: Unsupported value')
        name = body.get('metadata', {}).get('name')
        if not name:
            raise Refused('it has no name')
        if name in self.kube.bindings:
            return exists('clusterrolebindings.rbac.authorization.k8s.io',
                          name)
        self.kube.bindings[name] = body
        if role.get('name') == DELEGATOR:
            self.kube.delegators |= set(subjects(body))
        return made(body)
