"""The Kubernetes manifests that we show, taken by a real API server.

All of them by --dry-run=server: schemas, defaults and admission are the
server's.  The reviewer's account and its binding are made in earnest.
"""

import json
import os

import kubectl as kubectls
import manifests

RESTRICTED = 'pod-security.kubernetes.io/enforce=restricted'


def moved(objects, namespace):
    """Return objects in another namespace, without what needs a CRD."""
    text = json.dumps([held for held in objects if held['apiVersion']
                       != 'monitoring.coreos.com/v1'])
    objects = json.loads(text)
    for held in objects:
        if held['kind'] == 'Namespace':
            held['metadata']['name'] = namespace
        elif 'namespace' in held['metadata']:
            held['metadata']['namespace'] = namespace
        for subject in held.get('subjects', []):
            subject['namespace'] = namespace
    return objects


def listed(objects):
    """Return objects as one manifest."""
    return json.dumps({'apiVersion': 'v1', 'kind': 'List', 'items': objects})


def taken(world, objects, name):
    """Have the server take objects, without keeping them."""
    try:
        said = world.kubectl('apply', '--dry-run=server', '--validate=strict',
                             '-f', '-', text=listed(objects)).splitlines()
    except kubectls.KubectlError as error:
        said = [str(error)]
    world.test.is_([line for line in said
                    if not line.endswith('(server dry run)')], [],
                   f'{name}: none is refused')
    world.test.is_(len(said), len(objects), f'{name}: all are taken')


def admitted(world, deployment, namespace, change=None):
    """Return what the server says of a Deployment's pod; '' when it is in."""
    template = json.loads(json.dumps(deployment['spec']['template']))
    template['spec']['serviceAccountName'] = 'default'
    if change:
        change(template['spec'])
    try:
        world.kubectl(
            'create', '--dry-run=server', '--validate=strict', '-f', '-',
            text=json.dumps({
                'apiVersion': 'v1', 'kind': 'Pod',
                'metadata': {**template['metadata'], 'name': 'one',
                             'namespace': namespace},
                'spec': template['spec']}))
    except kubectls.KubectlError as error:
        return str(error)
    return ''


def built(world):
    """Return all that we show: name and objects."""
    command = manifests.kustomize() or [world.kubectl.command[0], 'kustomize']
    made = [(name, manifests.built(
        os.path.join(manifests.OVERLAYS, name), command))
        for name in manifests.overlays()]
    if manifests.tool('helm'):
        made += [(f'chart, {name}', manifests.templated(
            manifests.values_of(name))) for name in manifests.overlays()]
    return made + [('client', manifests.built(manifests.CLIENT, command))]


def run(world):
    """All manifests."""
    t = world.test
    home = world.namespace(world.mark + 'akl-gateway')
    world.kubectl('label', 'namespace', home, RESTRICTED)
    made = {name: moved(objects, home) for name, objects in built(world)}
    for name, objects in made.items():
        taken(world, objects, f'manifests: {name}')
        deployment = manifests.one(objects, 'Deployment')
        t.is_(admitted(world, deployment, home), '',
              f'manifests: {name}: its pod is admitted as restricted')
        t.like(admitted(world, deployment, home,
                        lambda spec: spec.pop('securityContext')),
               'violates PodSecurity',
               f'manifests: {name}: which others are not')

    wrong = json.loads(json.dumps(made['native']))
    manifests.one(wrong, 'Deployment')['spec']['tmplate'] = {}
    try:
        said = world.kubectl('apply', '--dry-run=server', '--validate=strict',
                             '-f', '-', text=listed(wrong))
    except kubectls.KubectlError as error:
        said = str(error)
    t.like(said, 'tmplate', 'manifests: a mistyped member is not taken')

    account(world, made['in-cluster'], home)


def account(world, objects, namespace):
    """The reviewer's account may do what it needs, and no more."""
    t = world.test
    binding = manifests.one(objects, 'ClusterRoleBinding')
    binding['metadata']['name'] = world.mark + binding['metadata']['name']
    world.bindings.append(binding['metadata']['name'])
    world.kubectl.apply(listed(
        [manifests.one(objects, 'ServiceAccount'), binding]))
    user = f'system:serviceaccount:{namespace}:akl-gateway'
    for verb, what, may in (('create', 'tokenreviews', 'yes'),
                            ('get', 'secrets', 'no'),
                            ('update', 'configmaps', 'no')):
        try:
            said = world.kubectl('auth', 'can-i', verb, what, '--as', user,
                                 '-n', namespace)
        except kubectls.KubectlError:
            said = 'no'
        t.is_(said.splitlines()[-1], may,
              f'manifests: in-cluster: may the reviewer {verb} {what}?')
