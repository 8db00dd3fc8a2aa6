"""What an API server says to those who make objects, step by step.

One table for two servers: t/apiserver.t goes through it with the fake one,
t/e2e with a real one, so that the fake one is no milder.  Who asks is of
system:masters; the namespace "steps" is not there before, and is deleted with
all that is in it.
"""

import json

CORE = '/api/v1/namespaces'
HERE = CORE + '/steps'
ACCOUNTS = HERE + '/serviceaccounts'
PODS = HERE + '/pods'
RBAC = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings'
MAPS = HERE + '/configmaps'
MAP = MAPS + '/map'
MEGABYTE = 1024 * 1024
TOKEN = ACCOUNTS + '/builder/token'
JSON = 'application/json'

# stand for versions that are known only when the steps are gone

LAST = 'the last version'
BEFORE = 'the version before'


def thing(kind, name, version='v1', **members):
    """Return an object."""
    return {'apiVersion': version, 'kind': kind, 'metadata': {'name': name},
            **members}


def space(name, key, value):
    """Return a namespace with a label."""
    made = thing('Namespace', name)
    made['metadata']['labels'] = {key: value}
    return made


def pod(name, account='builder', containers=(('c', 'image'),)):
    """Return a pod."""
    return thing('Pod', name, spec={
        'serviceAccountName': account,
        'containers': [{'name': one, 'image': image}
                       for one, image in containers]})


def request(pod_=None, seconds=600, kind='Pod'):
    """Return a TokenRequest."""
    spec = {'expirationSeconds': seconds}
    if pod_:
        spec['boundObjectRef'] = {'apiVersion': 'v1', 'kind': kind,
                                  'name': pod_}
    return {'apiVersion': 'authentication.k8s.io/v1', 'kind': 'TokenRequest',
            'spec': spec}


def binding(name, kind='ClusterRole'):
    """Return a ClusterRoleBinding."""
    return thing(
        'ClusterRoleBinding', name, 'rbac.authorization.k8s.io/v1',
        roleRef={'apiGroup': 'rbac.authorization.k8s.io', 'kind': kind,
                 'name': 'system:auth-delegator'},
        subjects=[{'kind': 'ServiceAccount', 'name': 'builder',
                   'namespace': 'steps'}])


def config_map(name='map', version=None, **members):
    """Return a ConfigMap; version is its resourceVersion."""
    made = thing('ConfigMap', name, **members)
    if version:
        made['metadata']['resourceVersion'] = version
    return made


# what is done; method, path, body; status and reason of what comes back

STEPS = (
    ('a namespace', 'POST', CORE, thing('Namespace', 'steps'), 201, None),
    ('it is there', 'GET', HERE, None, 200, None),
    ('the same namespace again', 'POST', CORE, thing('Namespace', 'steps'),
     409, 'AlreadyExists'),
    ('a name that is none', 'POST', CORE, thing('Namespace', 'No_Name'),
     422, 'Invalid'),
    *[(f'a label {key}={value}', 'POST', CORE, space('other', key, value),
       422, 'Invalid')
      for key, value in (('-a', 'b'), ('a/b/c', 'd'), ('A.com/a', 'b'),
                         ('a', 'b c'), ('a', '-b'), ('a', 'x' * 64),
                         ('x' * 64, 'a'), ('/a', 'b'), ('', 'a'))],
    ('a label without a value', 'POST', CORE,
     space('steps-2', 'example.com/team', ''), 201, None),
    ('its namespace is deleted', 'DELETE', CORE + '/steps-2', None, 200,
     None),
    ('an object of another kind', 'POST', CORE, pod('x'), 400,
     'BadRequest'),
    ('what is no JSON', 'POST', CORE, '{', 400, 'BadRequest'),
    ('another media type', 'POST', CORE, ('text/plain', 'x'), 415,
     'UnsupportedMediaType'),
    ('no media type', 'POST', ACCOUNTS,
     (None, json.dumps(thing('ServiceAccount', 'builder'))), 201, None),
    ('the same account again', 'POST', ACCOUNTS,
     thing('ServiceAccount', 'builder'), 409, 'AlreadyExists'),
    ('a second account', 'POST', ACCOUNTS, thing('ServiceAccount', 'other'),
     201, None),
    ('an account in a namespace that is none', 'POST',
     CORE + '/nowhere/serviceaccounts', thing('ServiceAccount', 'x'), 404,
     'NotFound'),
    ('a pod', 'POST', PODS, pod('mypod1'), 201, None),
    ('the same pod again', 'POST', PODS, pod('mypod1'), 409,
     'AlreadyExists'),
    ('a pod of an account that is none', 'POST', PODS, pod('x', 'nobody'),
     403, 'Forbidden'),
    ('a pod without containers', 'POST', PODS, pod('x', containers=()), 422,
     'Invalid'),
    ('a pod in a namespace that is none', 'POST', CORE + '/nowhere/pods',
     pod('x'), 404, 'NotFound'),
    ('a token', 'POST', TOKEN, request(), 201, None),
    ('a token that is bound to a pod', 'POST', TOKEN, request('mypod1'),
     201, None),
    ('to a pod that is none', 'POST', TOKEN, request('mypod9'), 404,
     'NotFound'),
    ('to what tokens are not bound to', 'POST', TOKEN,
     request('x', kind='Service'), 400, 'BadRequest'),
    ('to a pod of another account', 'POST', ACCOUNTS + '/other/token',
     request('mypod1'), 400, 'BadRequest'),
    ('a token for less than ten minutes', 'POST', TOKEN,
     request(seconds=599), 422, 'Invalid'),
    ('a token of an account that is none', 'POST',
     ACCOUNTS + '/nobody/token', request(), 404, 'NotFound'),
    ('the pod', 'GET', PODS + '/mypod1', None, 200, None),
    ('the pod is deleted at once', 'DELETE',
     PODS + '/mypod1?gracePeriodSeconds=0', None, 200, None),
    ('again', 'DELETE', PODS + '/mypod1?gracePeriodSeconds=0', None, 404,
     'NotFound'),
    ('it is gone', 'GET', PODS + '/mypod1', None, 404, 'NotFound'),
    ('a token that is bound to it', 'POST', TOKEN, request('mypod1'), 404,
     'NotFound'),
    ('a binding', 'POST', RBAC, binding('steps'), 201, None),
    ('the same binding again', 'POST', RBAC, binding('steps'), 409,
     'AlreadyExists'),
    ('a binding of no role', 'POST', RBAC, binding('none', 'Pod'), 422,
     'Invalid'),
    ('the binding is deleted', 'DELETE', RBAC + '/steps', None, 200, None),
    ('a second time', 'DELETE', RBAC + '/steps', None, 404, 'NotFound'),
    ('a namespace that is none', 'GET', CORE + '/nowhere', None, 404,
     'NotFound'),
    ('a ConfigMap', 'POST', MAPS, config_map(data={'a': '1'}), 201, None),
    ('the same ConfigMap again', 'POST', MAPS, config_map(), 409,
     'AlreadyExists'),
    ('it is changed', 'PUT', MAP, config_map(data={'a': '2'}), 200, None),
    ('it is changed from this version', 'PUT', MAP,
     config_map(version=LAST, data={'a': '3'}), 200, None),
    ('from a version of before', 'PUT', MAP,
     config_map(version=BEFORE, data={'a': '4'}), 409, 'Conflict'),
    ('what it was', 'GET', MAP, None, 200, None),
    ('under another name', 'PUT', MAP, config_map('other'), 400,
     'BadRequest'),
    ('with another namespace', 'PUT', MAP, {
        **config_map(), 'metadata': {'name': 'map', 'namespace': 'default'}},
     400, 'BadRequest'),
    ('with a key that is none', 'PUT', MAP, config_map(data={'a/b': '1'}),
     422, 'Invalid'),
    ('with a value that is no text', 'PUT', MAP, config_map(data={'a': 1}),
     400, 'BadRequest'),
    ('with one key twice', 'PUT', MAP,
     config_map(data={'a': '1'}, binaryData={'a': 'MQ=='}), 422, 'Invalid'),
    ('a megabyte', 'PUT', MAP, config_map(data={'a': 'x' * MEGABYTE}), 200,
     None),
    ('a megabyte and a byte', 'PUT', MAP,
     config_map(data={'a': 'x' * MEGABYTE, 'b': 'x'}), 422, 'Invalid'),
    ('more than three megabytes', 'PUT', MAP,
     config_map(data={'a': 'x' * (3 * MEGABYTE + 1)}), 413,
     'RequestEntityTooLarge'),
    ('a ConfigMap that is none', 'PUT', MAPS + '/none', config_map('none'),
     404, 'NotFound'),
    ('in a namespace that is none', 'PUT',
     CORE + '/nowhere/configmaps/map', config_map(), 404, 'NotFound'),
    ('it is made immutable', 'PUT', MAP,
     config_map(data={'a': '1'}, immutable=True), 200, None),
    ('and cannot be changed any more', 'PUT', MAP,
     config_map(data={'a': '2'}, immutable=True), 422, 'Invalid'),
    ('a ConfigMap with a version', 'POST', MAPS, config_map('x', '1'), 500,
     None),
    ('the namespace is deleted', 'DELETE', HERE, None, 200, None))


def go(test, ask):
    """Go through all steps and check what comes back.

    ask(method, path, headers, body) returns an answer of client.py.
    """
    versions = {LAST: '', BEFORE: ''}
    for name, method, path, body, status, reason in STEPS:
        media = JSON
        if isinstance(body, tuple):
            media, body = body
        elif isinstance(body, dict):
            body = json.dumps(body)
            for mark, version in versions.items():
                body = body.replace(mark, version)
        headers = {'Accept': JSON}
        if body is not None and media:
            headers['Content-Type'] = media
        answer = ask(method, path, headers, body)
        if path.startswith(MAP) and answer.status < 400:
            versions[BEFORE] = versions[LAST]
            versions[LAST] = answer.json()['metadata']['resourceVersion']
        got = answer.json().get('reason') if answer.status >= 400 else None
        test.ok((answer.status, got) == (status, reason),
                f'{name}: {status} {reason or ""}'.rstrip(), answer.status,
                answer.text[:600])
