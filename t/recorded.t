#!/usr/bin/python3
"""Does the fake API server answer as the recorded real ones did?

Each recorded request is replayed at the recorded time against a server
that holds the recorded cluster's objects and public key.  The body must
then be the same byte for byte, and so must the head but for random ids.
"""

import calendar
import json
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, 'lib'))

import tokens  # noqa: E402
from akltest import NAMESPACE, Test, client  # noqa: E402
from cluster import REVIEWS  # noqa: E402

PATHS = {
    'wrong_path': '/apis/authentication.k8s.io/v1/tokenreview',
    'namespaced_path': '/apis/authentication.k8s.io/v1/namespaces/'
                       f'{NAMESPACE}/tokenreviews',
    'wrong_base': '/not/here' + REVIEWS}
MASTERS = ('wrong_path', 'namespaced_path')
VERSIONS = sorted(
    name.rpartition('-')[2] for name in os.listdir(os.path.join(
        HERE, 'fixtures')) if name.startswith('kube-apiserver-'))
RANDOM = re.compile(
    r'^(Audit-Id|X-Kubernetes-Pf-\w+-Uid): [0-9a-f]{8}(-[0-9a-f]{4}){3}'
    r'-[0-9a-f]{12}$', re.M)

t = Test()


def fixture(version, name):
    """Return the text of a recorded file."""
    path = os.path.join(HERE, 'fixtures', f'kube-apiserver-{version}', name)
    with open(path, encoding='utf-8') as file:
        return file.read()


def cases(version):
    """Return the names of the recorded cases."""
    folder = os.path.join(HERE, 'fixtures', f'kube-apiserver-{version}')
    end = '.request.json'
    return sorted(name[:-len(end)] for name in os.listdir(folder)
                  if name.endswith(end))


def recorded_token(version, name):
    """Return the token of a recorded request."""
    return json.loads(fixture(version, f'{name}.request.json'))[
        'spec']['token']


def rebuild(cluster, version):
    """Give the server the recorded cluster's objects and key."""
    api = cluster.api
    own = tokens.key('RSA-2048', 'cluster')
    api.keys([own.pem(), fixture(version, 'service-account-key.pub')])
    k8s = claimed(version, 'pod_bound')
    api.account(NAMESPACE, 'default', k8s['serviceaccount']['uid'])
    if 'node' in k8s:
        api.node(k8s['node']['name'], k8s['node']['uid'])
    api.pod(NAMESPACE, 'mypod1', 'default', uid=k8s['pod']['uid'])
    secret = claimed(version, 'secret_bound')['secret']
    api.secret(NAMESPACE, secret['name'], 'default', secret['uid'],
               recorded_token(version, 'legacy_secret'))
    held = cases(version)
    for name in ('pod_not_scheduled', 'pod_node_unknown'):
        if name in held:
            pod = claimed(version, name)['pod']
            api.pod(NAMESPACE, pod['name'], 'default', uid=pod['uid'])
    if 'webhook_bound' in held:
        hook = claimed(version, 'webhook_bound')[
            'validatingwebhookconfiguration']
        api.webhook('validating', hook['name'], hook['uid'])
    for name, kind in (('pod_recreated', 'pod'),
                       ('account_recreated', 'serviceaccount')):
        if name in held:
            again(api, kind, claimed(version, name)[kind]['name'],
                  fixture(version, f'{name}.response.json'))


def claimed(version, name):
    """Return what the token of a case claims of Kubernetes' objects."""
    return tokens.decode(recorded_token(version, name))[1]['kubernetes.io']


def again(api, kind, name, response):
    """Make an object anew, with the uid that the answer tells."""
    uid = re.search(r'UID \(([^)]*)\)', response).group(1)
    if kind == 'pod':
        api.pod(NAMESPACE, name, 'default', uid=uid)
    else:
        api.account(NAMESPACE, name, uid)


def recorded_time(version, name):
    """Return the second at which an answer was recorded."""
    head = fixture(version, f'{name}.head')
    text = re.search(r'^Date: (.*)$', head, re.M).group(1)
    return calendar.timegm(time.strptime(text, '%a, %d %b %Y %H:%M:%S GMT'))


def bearer(cluster, name):
    """Return the credential that a case was recorded with."""
    if name == 'reviewer_unauthorized':
        return 'stale'
    if name == 'reviewer_is_the_pod':
        return cluster.issue('mypod1')
    if name == 'reviewer_forbidden':
        return cluster.issue(None, account='norights')
    return cluster.api.issue('akl-system', 'reviewer')


def master(cluster):
    """Return the certificate of somebody who may do all."""
    return tuple(map(cluster.api.path, ('master.crt', 'master.key')))


def blur(head):
    """Hide the random ids of a head."""
    return RANDOM.sub(r'\1: UID', head)


def unsized(head, status):
    """Return a head without ids, and without the size of our own keys."""
    return [line for line in blur('\n'.join(head)).split('\n')
            if status != 200 or not line.startswith('Content-Length')]


@t.own
def clusters():
    """A cluster of each recorded version, with the recorded objects."""
    made = {}
    for version in VERSIONS:
        made[version] = t.cluster(version=version)
        rebuild(made[version], version)
    return made


@t.story
def reviews_are_answered_as_recorded(clusters):
    for version, cluster in clusters.items():
        names = cases(version)
        t.ok(len(names) >= 23, f'{version}: the recordings are there')
        for name in names:
            cluster.api.clock(at=recorded_time(version, name))
            # that a path is not there, only those learn who may do all
            cert = master(cluster) if name in MASTERS else None
            head, body = cluster.ask(
                fixture(version, f'{name}.request.json'),
                None if cert else bearer(cluster, name),
                PATHS.get(name, REVIEWS), cert=cert)
            recorded = fixture(version, f'{name}.response.json')
            if 'managedFields' in recorded:
                stamp = re.search(r'"time":"([^"]+)"', recorded).group(1)
                body = re.sub(r'"time":"[^"]+"', f'"time":"{stamp}"', body)
            t.is_(body, recorded, f'{version}: {name}: body')
            t.is_(blur(head), blur(fixture(version, f'{name}.head')),
                  f'{version}: {name}: head')


def shape(value):
    """Return the members of an object, without what they say."""
    if isinstance(value, list):
        return [shape(one) for one in value]
    if isinstance(value, dict):
        return [(name, shape(held)) for name, held in value.items()]
    return type(value).__name__


@t.story
def key_sets_discovery_and_namespaces_are_got_as_recorded(clusters):
    for version, cluster in clusters.items():
        folder = os.path.join(HERE, 'fixtures', f'kube-apiserver-{version}')
        end = '.get.json'
        for name in sorted(os.listdir(folder)):
            if not name.endswith(end):
                continue
            name = name[:-len(end)]
            asked = json.loads(fixture(version, name + end))
            cluster.api.clock(at=recorded_time(version, name))
            token = cert = None
            if asked['who'] == 'account':
                token = bearer(cluster, name)
            elif asked['who'] == 'master':
                cert = master(cluster)
            answer = cluster.fetch(asked['path'], token, close=False,
                                   accept=asked['accept'], cert=cert)
            recorded = fixture(version, name + '.body')
            head = [f'HTTP/1.1 {answer.status} {answer.reason}']
            head += [f'{key}: {value}' for key, value in answer.headers]
            t.is_(unsized(head, answer.status),
                  unsized(fixture(version, f'{name}.head').splitlines()[:-1],
                          answer.status), f'{version}: {name}: head')
            if answer.status != 200:
                t.is_(answer.text, recorded, f'{version}: {name}: body')
            elif asked['path'].startswith('/api/v1/namespaces/'):
                t.is_(shape(answer.json()), shape(json.loads(recorded)),
                      f'{version}: {name}: members')


@t.story
def keys_are_published_as_recorded(clusters):
    for version, cluster in clusters.items():
        api = cluster.api
        context = client.tls(cluster.ca)
        api.keys([fixture(version, 'service-account-key.pub')])
        jwks = json.loads(fixture(version, 'jwks.json'))
        t.is_(api.jwks(), jwks, f'{version}: key set')
        own = tokens.key('RSA-2048', 'cluster')
        api.keys([own.pem(), fixture(version, 'service-account-key.pub')])
        head = {'Authorization': f'Bearer {cluster.issue("mypod1")}'}
        for path in ('/openid/v1/jwks', '/.well-known/openid-configuration'):
            t.is_(client.get(cluster.port, path, context=context).status, 403,
                  f'{version}: {path}: not for the anonymous')
            t.is_(client.get(cluster.port, path, head, context=context).status,
                  200, f'{version}: {path}: for any account')
        found = client.get(cluster.port, '/.well-known/openid-configuration',
                           head, context=context)
        recorded = json.loads(fixture(version, 'openid-configuration.json'))
        t.is_(list(found.json()), list(recorded), f'{version}: discovery')
        keys = client.get(cluster.port, '/openid/v1/jwks', head,
                          context=context)
        t.is_(list(keys.json()['keys'][1].items()),
              list(jwks['keys'][0].items()), f'{version}: members in order')
        t.is_(keys.header('content-type'), 'application/jwk-set+json',
              f'{version}: type of the key set')


t.tell()
