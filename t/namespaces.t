#!/usr/bin/python3
"""The namespaces of the fake API server, and who may read them."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

from akltest import NAMESPACE, Test  # noqa: E402

ACCESS = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'

t = Test()


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def reviewer(cluster):
    """The reviewer's token."""
    return cluster.api.read('reviewer.jwt')


@t.story
def a_namespace_is_read_by_those_alone_who_have_that_right(cluster, reviewer):
    user = 'system:serviceaccount:akl-system:reviewer'
    path = f'/api/v1/namespaces/{NAMESPACE}'
    may = {'apiVersion': 'authorization.k8s.io/v1',
           'kind': 'SelfSubjectAccessReview', 'spec': {'resourceAttributes': {
               'group': '', 'resource': 'namespaces', 'verb': 'get'}}}

    def allowed():
        """Return what the server says of this right."""
        text = cluster.ask(json.dumps(may), reviewer, ACCESS)[1]
        return json.loads(text)['status']['allowed']

    answer = cluster.fetch(path, reviewer)
    t.is_((answer.status, answer.text, allowed()), (403, json.dumps({
        'kind': 'Status', 'apiVersion': 'v1', 'metadata': {},
        'status': 'Failure', 'message': f'namespaces "{NAMESPACE}" is '
        f'forbidden: User "{user}" cannot get resource "namespaces" in API '
        f'group "" in the namespace "{NAMESPACE}"', 'reason': 'Forbidden',
        'details': {'name': NAMESPACE, 'kind': 'namespaces'}, 'code': 403},
        separators=(',', ':')) + '\n', False), 'a reviewer')
    cluster.api.read_namespaces(user)
    cluster.api.namespace(NAMESPACE, {'example.com/team': 'payments'})
    answer = cluster.fetch(path, reviewer)
    t.is_((answer.status, allowed()), (200, True), 'one that may')
    t.is_((answer.json()['kind'], answer.json()['metadata']['labels']),
          ('Namespace', {'example.com/team': 'payments',
                         'kubernetes.io/metadata.name': NAMESPACE}),
          'labels, and the one of the server itself')
    answer = cluster.fetch('/api/v1/namespaces/nowhere', reviewer)
    t.is_((answer.status, answer.json()['reason'], answer.json()['details'],
           answer.json()['message']),
          (404, 'NotFound', {'name': 'nowhere', 'kind': 'namespaces'},
           'namespaces "nowhere" not found'), 'one that is not there')
    t.is_(cluster.fetch(path, reviewer, 'DELETE').status, 403,
          'reading alone')
    t.is_(cluster.fetch(path, reviewer, accept='text/html').status, 406,
          'as JSON')
    t.is_(cluster.fetch(path).status, 403, 'nobody')
    t.is_(cluster.fetch(path, 'x').status, 401, 'a stranger')


@t.story
def a_namespace_goes_with_all_that_is_in_it(cluster, reviewer):
    token = cluster.issue()
    cluster.api.delete('namespace', None, NAMESPACE)
    answer = cluster.ask(json.dumps({
        'apiVersion': 'authentication.k8s.io/v1', 'kind': 'TokenReview',
        'spec': {'token': token}}), reviewer)[1]
    t.like(json.loads(answer)['status']['error'],
           'serviceaccounts "builder" not found', 'a review')


@t.story
def a_label_that_a_real_server_would_not_take_is_not_taken(cluster):
    for labels in ({'-a': 'b'}, {'a': 'b c'}, {'A/b': 'c'}, {'a': 'x' * 64},
                   {'a/b/c': 'd'}):
        try:
            cluster.api.namespace(NAMESPACE, labels)
            taken = True
        except RuntimeError:
            taken = False
        t.ok(not taken, f'{labels}')


t.tell()
