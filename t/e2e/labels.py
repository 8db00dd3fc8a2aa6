"""Labels of the pods' namespace, and the right that the reviewer needs."""

import os

import client
import nginx as nginxes
from doctor import Doctor

KEY = 'e2e.example.com/team'
ACCOUNT = 'gateway-token-reviewer'
RBAC = os.path.join(nginxes.ROOT, 'conf-examples', 'kubernetes', 'components',
                    'namespace-reader', 'rbac.yaml')


def role_of_example(world):
    """Return the example's role and binding, for the reviewer here."""
    with open(RBAC, encoding='utf-8') as file:
        text = file.read()
    name = world.mark + 'namespace-reader'
    world.bindings.append(name)
    world.roles.append(name)
    return (text.replace('akl-gateway-namespace-reader', name)
            .replace('name: akl-gateway\n', f'name: {ACCOUNT}\n')
            .replace('namespace: akl-gateway', f'namespace: {world.home}'))


def run(world):
    """Log in with labels there, elsewhere, and not to be read."""
    t, kubectl = world.test, world.kubectl
    selector = {'bound_namespaces': world.a,
                'bound_namespace_selector': f'{KEY}=payments'}
    nginx = world.gateway(
        world.method(**selector)
        + world.config(akl_k8s_cache_valid='0 refused=0'), name='labels')

    def login():
        return world.login(nginx, world.token())

    def label(*change):
        kubectl('label', 'namespace', world.a, '--overwrite', *change)

    world.refused(login(), 502, 'reviewer_forbidden',
                  'labels: a reviewer that may not read them')
    t.like(nginx.error_log(), 'the right to get namespaces is missing: '
           f'namespaces "{world.a}" is forbidden: User "system:'
           f'serviceaccount:{world.home}:{ACCOUNT}" cannot get resource '
           '"namespaces" in API group ""',
           'labels: the log names the right, and the server does')
    doctor = Doctor(world)
    doctor.finds('labels that cannot be read', 'labels',
                 f'may not get namespace "{world.a}"',
                 '--verb=get --resource=namespaces; kubectl create '
                 'clusterrolebinding', method=selector)

    kubectl.apply(role_of_example(world))
    world.refused(world.eventually(login, 403), 403, 'namespace_not_bound',
                  'labels: the rule of the example, but no label')
    doctor.sound('labels that can be read', method=selector,
                 said=f'may get namespace "{world.a}"')
    for change, reason in ((f'{KEY}=payments', None),
                           (f'{KEY}=billing', 'namespace_not_bound'),
                           (f'{KEY}=payments', None),
                           (f'{KEY}-', 'namespace_not_bound')):
        label(change)
        if reason is None:
            world.accepted(login(), f'labels: {change}', pod_name='mypod1')
        else:
            world.refused(login(), 403, reason, f'labels: {change}')
    counts = client.get(nginx.port, '/status').json()
    reads = list(counts['configs'].values())[0]['namespace_reads_total']
    t.ok(reads.get('403', 0) >= 1 and reads.get('200', 0) >= 5,
         'labels: the reads are counted', reads)
    nginx.stop()
