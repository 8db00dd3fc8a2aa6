#!/usr/bin/python3
"""Does the fake API server hold ConfigMaps as real ones do?"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

from akltest import Test, client  # noqa: E402

MAPS = '/api/v1/namespaces/akl-system/configmaps'

t = Test()


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def master(cluster):
    """What connects with the certificate of system:masters."""
    return client.tls(cluster.ca, (cluster.api.path('master.crt'),
                                   cluster.api.path('master.key')))


def said(cluster, context, method, path, body=None, **headers):
    """Return status and object of an answer about ConfigMaps."""
    answer = client.request(
        cluster.port, method, path,
        {'Content-Type': 'application/json', **headers},
        body and json.dumps(body), context=context)
    return answer.status, answer.json()


def config_map(name='one', data=None, **meta):
    """Return a ConfigMap."""
    return {'kind': 'ConfigMap', 'apiVersion': 'v1',
            'metadata': {'name': name, **meta}, 'data': data or {}}


@t.story
def a_configmap_is_replaced_under_its_version_only(cluster, master):
    code, made = said(cluster, master, 'POST', MAPS, config_map())
    t.is_(code, 201, 'it is made')
    code, again = said(cluster, master, 'POST', MAPS, config_map())
    t.is_((code, again['reason']), (409, 'AlreadyExists'), 'once')
    one = MAPS + '/one'
    code, new = said(cluster, master, 'PUT', one,
                     {**made, 'data': {'a': 'b'}})
    t.is_((code, new['data']), (200, {'a': 'b'}), 'it is replaced')
    t.isnt(new['metadata']['resourceVersion'],
           made['metadata']['resourceVersion'], 'which has a version')
    code, stale = said(cluster, master, 'PUT', one,
                       {**made, 'data': {'c': 'd'}})
    t.is_((code, stale['reason'], stale['details']), (
        409, 'Conflict', {'name': 'one', 'kind': 'configmaps'}),
        'a stale one is a conflict')
    t.like(stale['message'], 'the object has been modified; please apply '
           'your changes to the latest version and try again', 'in words')
    t.is_(said(cluster, master, 'GET', one)[1], new, 'and changes nothing')
    t.is_(said(cluster, master, 'PUT', one, new)[1], new,
          'what says the same keeps its version')
    code, _ = said(cluster, master, 'PUT', one,
                   config_map(data={'e': 'f'}))
    t.is_(code, 200, 'without a version it is replaced as it is')
    t.is_(said(cluster, master, 'PUT', MAPS + '/two', config_map())[0], 400,
          'another name in the path')
    t.is_(said(cluster, master, 'PUT', MAPS + '/two',
               config_map('two'))[0], 404, 'none is made by that')


@t.story
def a_configmap_that_is_no_good_one_is_refused(cluster, master):
    limit = 1 << 20
    for body, code in (
            (config_map(data={'a': 'x' * limit}), 201),
            (config_map('two', data={'a': 'x' * limit, 'b': 'x'}), 422),
            (config_map('two', data={'a': 'x' * limit * 3}), 413),
            (config_map('two', data={'a/b': 'x'}), 422),
            (config_map('two', data={'..a': 'x'}), 422),
            (config_map('Two'), 422), (config_map('two', {'a': 1}), 400),
            (config_map('two', namespace='other'), 400),
            ({'kind': 'Secret', 'apiVersion': 'v1'}, 400)):
        t.is_(said(cluster, master, 'POST', MAPS, body)[0], code,
              f'{json.dumps(body)[:90]}')
    t.is_(said(cluster, master, 'POST', MAPS, config_map(),
               **{'Content-Type': 'text/plain'})[0], 415, 'no JSON')
    code, body = said(cluster, master, 'POST', MAPS, config_map(
        'two', data={'a': 'x' * limit, 'b': 'x'}))
    t.is_(body['message'], 'ConfigMap "two" is invalid: []: Too long: may '
          f'not be more than {limit} bytes', 'in words')


@t.story
def rights_to_a_configmap_are_granted_one_by_one(cluster, master):
    said(cluster, master, 'POST', MAPS, config_map('mine'))
    head = {'Authorization': f'Bearer {cluster.issue()}'}
    who = 'system:serviceaccount:my-namespace-a:builder'
    plain = client.tls(cluster.ca)
    for verb, method, path, name in (
            ('get', 'GET', MAPS + '/mine', 'mine'),
            ('update', 'PUT', MAPS + '/mine', 'mine'),
            ('create', 'POST', MAPS, '')):
        body = config_map('mine') if method != 'GET' else None
        code, refused = said(cluster, plain, method, path, body, **head)
        t.is_(code, 403, f'{verb}: not granted')
        t.like(refused['message'], f'^configmaps.* is forbidden: User "{who}" '
               f'cannot {verb} resource "configmaps" in API group "" in the '
               'namespace "akl-system"$', 'in words')
        cluster.api.grant(who, verb, 'akl-system', name)
        t.isnt(said(cluster, plain, method, path, body, **head)[0], 403,
               'granted')


t.tell()
