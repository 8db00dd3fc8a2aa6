"""ConfigMaps at the fake API server: read, made and replaced by clients.

Rights are granted one by one (Kube.rights), as a Role and its binding do;
system:masters may do all.  Order of the checks and texts are those of a real
server: who it is, whether he may, what the body is, whether the object is
there, which version of it was meant, what it may hold.
"""

import base64
import copy
import json
import re
import time
import uuid

from kubeapi import Answer, go_json, not_allowed, status

PATH = re.compile(r'/api/v1/namespaces/([^/]+)/configmaps(?:/([^/]+))?$')
KEY = re.compile(r'(?!\.\.)(?!\.$)[-._a-zA-Z0-9]{1,253}$')
NAME = re.compile(r'[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$')
LIMIT = 1024 * 1024
BODY = 3 * 1024 * 1024
VERBS = {'GET': 'get', 'PUT': 'update', 'POST': 'create'}


class Refused(Exception):
    """What a request is answered in place of what it asked for."""

    def __init__(self, code, message, reason, details=None):
        super().__init__(message)
        self.answer = status(code, message, reason, details)


def details(name):
    """Return what a Status says of which ConfigMap it is."""
    return {'name': name, 'kind': 'configmaps'}


def invalid(name, field, what):
    """Return the refusal of an object that is no good one."""
    return Refused(422, f'ConfigMap {json.dumps(name)} is invalid: '
                   f'{field}: {what}', 'Invalid',
                   {**details(name), 'kind': 'ConfigMap', 'causes': [
                       {'reason': 'FieldValueInvalid', 'message': what,
                        'field': field}]})


def check(body, version):
    """Refuse what is no good ConfigMap."""
    name = body['metadata']['name']
    if not NAME.match(name):
        raise invalid(name, 'metadata.name', f'Invalid value: '
                      f'{json.dumps(name)}: a lowercase RFC 1123 subdomain '
                      'must consist of lower case alphanumeric characters')
    size = 0
    for member in 'data', 'binaryData':
        for key, value in (body.get(member) or {}).items():
            if not KEY.match(key):
                raise invalid(name, f'{member}[{key}]', 'Invalid value: '
                              f'{json.dumps(key)}: a valid config key must '
                              'consist of alphanumeric characters, \'-\', '
                              '\'_\' or \'.\'')
            size += len(value.encode() if member == 'data'
                        else base64.b64decode(value, validate=True))
    both = set(body.get('data') or ()) & set(body.get('binaryData') or ())
    for key in both:
        raise invalid(name, f'data[{key}]', f'Invalid value: '
                      f'{json.dumps(key)}: duplicate of key present in '
                      'binaryData')
    if size > LIMIT:
        words = 'may not be more than' if version != '1.25' \
            else 'must have at most'
        raise invalid(name, '[]', f'Too long: {words} {LIMIT} bytes')


class ConfigMaps:
    """Answers requests about ConfigMaps, from and into a Kube."""

    def __init__(self, kube):
        self.kube = kube

    def bump(self, held):
        """Give an object the next resourceVersion of the cluster."""
        self.kube.resource_version += 1
        held['metadata']['resourceVersion'] = str(
            self.kube.resource_version)

    def keep(self, namespace, name, body):
        """Keep an object: the server's own members are the server's."""
        before = self.kube.configmaps.get((namespace, name))
        body = copy.deepcopy(body)
        body['metadata'] = {
            **body['metadata'], 'name': name, 'namespace': namespace,
            'uid': before['metadata']['uid'] if before
            else str(uuid.uuid4()),
            'creationTimestamp': before['metadata']['creationTimestamp']
            if before else time.strftime('%Y-%m-%dT%H:%M:%SZ',
                                         time.gmtime())}
        if before:
            body['metadata']['resourceVersion'] = \
                before['metadata']['resourceVersion']
        if body != before:
            self.bump(body)
        self.kube.configmaps[namespace, name] = body

    def answer(self, request, path, user):
        """Return the Answer, or None where the path is not ours."""
        match = PATH.match(path)
        if not match:
            return None
        namespace, name = match.groups()
        try:
            verb = VERBS.get(request.method)
            if verb is None or (verb == 'create') == bool(name):
                return not_allowed()
            self._may(user, verb, namespace, name or '')
            if verb == 'get':
                return self._made(self._held(namespace, name), 200)
            body = self._body(request, namespace)
            if verb == 'create':
                return self._create(namespace, body)
            return self._update(namespace, name, body)
        except Refused as refused:
            return refused.answer

    def _may(self, user, verb, namespace, name):
        if 'system:masters' in user.groups:
            return
        if (user.username, verb, namespace, name) in self.kube.rights \
                or (user.username, verb, namespace, '') in self.kube.rights:
            return
        which = f'configmaps {json.dumps(name)}' if name else 'configmaps'
        refused = Refused(
            403, f'{which} is forbidden: User {json.dumps(user.username)} '
            f'cannot {verb} resource "configmaps" in API group "" in the '
            f'namespace {json.dumps(namespace)}', 'Forbidden',
            details(name) if name else {'kind': 'configmaps'})
        refused.answer.headers.append(('X-Content-Type-Options', 'nosniff'))
        raise refused

    def _held(self, namespace, name):
        held = self.kube.configmaps.get((namespace, name))
        if held is None:
            raise Refused(404, f'configmaps {json.dumps(name)} not found',
                          'NotFound', details(name))
        return held

    @staticmethod
    def _body(request, namespace):
        """Return the object of a body, decoded as strictly as Go does."""
        if len(request.body) > BODY:
            raise Refused(413, f'Request entity too large: limit is {BODY}',
                          'RequestEntityTooLarge', {})
        media = request.headers.get('content-type', 'application/json')
        if media.partition(';')[0].strip() != 'application/json':
            raise Refused(415, 'the body of the request was in an unknown '
                          'format - accepted media types include: '
                          'application/json, application/yaml, '
                          'application/vnd.kubernetes.protobuf',
                          'UnsupportedMediaType', {})
        try:
            body = json.loads(request.body)
            if (body['kind'], body['apiVersion']) != ('ConfigMap', 'v1'):
                raise ValueError('kind')
            meta = body['metadata']
            for text in (meta['name'], meta.setdefault('namespace',
                                                       namespace),
                         meta.get('resourceVersion', ''),
                         *(body.get('data') or {}).values()):
                if not isinstance(text, str):
                    raise ValueError('a string')
            for value in (body.get('binaryData') or {}).values():
                base64.b64decode(value, validate=True)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Refused(400, 'ConfigMap in version "v1" cannot be handled '
                          'as a ConfigMap', 'BadRequest') from None
        if meta['namespace'] != namespace:
            raise Refused(400, 'the namespace of the provided object does '
                          'not match the namespace sent on the request',
                          'BadRequest')
        return body

    def _create(self, namespace, body):
        name = body['metadata']['name']
        if namespace not in self.kube.namespaces:
            raise Refused(404, f'namespaces {json.dumps(namespace)} not '
                          'found', 'NotFound',
                          {'name': namespace, 'kind': 'namespaces'})
        if body['metadata'].get('resourceVersion'):
            # a plain error, which is nobody's reason
            raise Refused(500, 'resourceVersion should not be set on objects '
                          'to be created', '')
        check(body, self.kube.version)
        if (namespace, name) in self.kube.configmaps:
            raise Refused(409, f'configmaps {json.dumps(name)} already '
                          'exists', 'AlreadyExists', details(name))
        self.keep(namespace, name, body)
        return self._made(self._held(namespace, name), 201)

    def _update(self, namespace, name, body):
        meta = body['metadata']
        if meta['name'] != name:
            raise Refused(400, f'the name of the object ({meta["name"]}) '
                          f'does not match the name on the URL ({name})',
                          'BadRequest')
        held = self._held(namespace, name)
        if self.kube.intruders:
            # somebody else was faster
            self.kube.intruders -= 1
            held['metadata'].setdefault('annotations', {})['intruder'] = \
                str(self.kube.intruders)
            self.bump(held)
        version = meta.get('resourceVersion')
        if meta.get('uid', held['metadata']['uid']) \
                != held['metadata']['uid']:
            raise Refused(409, 'Operation cannot be fulfilled on configmaps '
                          f'{json.dumps(name)}: StorageError: invalid '
                          'object', 'Conflict', details(name))
        if version and version != held['metadata']['resourceVersion']:
            raise Refused(409, 'Operation cannot be fulfilled on configmaps '
                          f'{json.dumps(name)}: the object has been '
                          'modified; please apply your changes to the latest '
                          'version and try again', 'Conflict', details(name))
        check(body, self.kube.version)
        changed = any((body.get(member) or {}) != (held.get(member) or {})
                      for member in ('data', 'binaryData'))
        if held.get('immutable') and changed:
            raise invalid(name, 'data', 'Forbidden: field is immutable when '
                          '`immutable` is set')
        self.keep(namespace, name, body)
        return self._made(self._held(namespace, name), 200)

    @staticmethod
    def _made(held, code):
        return Answer(code, (go_json(held) + '\n').encode())
