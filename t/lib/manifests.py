"""Kubernetes manifests: made by kustomize or helm, and judged.

Each tool is taken from objs/tools, where "make tools" puts it, else from the
PATH; kubectl does for kustomize.
"""

import copy
import functools
import json
import os
import re
import shutil
import subprocess

import yaml

import nginx

TOOLS = os.path.join(os.environ.get(
    'AKL_TOOLS', os.path.join(nginx.ROOT, 'objs', 'tools')))
EXAMPLES = os.path.join(nginx.ROOT, 'conf-examples')
OVERLAYS = os.path.join(EXAMPLES, 'kubernetes', 'overlays')
CLIENT = os.path.join(EXAMPLES, 'kubernetes', 'client')
CHART = os.path.join(EXAMPLES, 'helm', 'akl-gateway')
RELEASE = 'akl-gateway'

# what only Helm, or only kustomize, adds to an object

LABELS = ('helm.sh/chart', 'app.kubernetes.io/managed-by',
          'app.kubernetes.io/version')


# what stands before the groups of rules

RULE = '''\
# The rules of alerts.yaml, by "make examples".

apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: akl-gateway
  namespace: akl-gateway
  labels:
    app.kubernetes.io/name: akl-gateway
    app.kubernetes.io/instance: akl-gateway
spec:
'''


class Failed(Exception):
    """A tool that ended with an error; its text is what it said."""


def tool(name):
    """Return the path of a tool, or None."""
    return shutil.which(name, path=TOOLS) or shutil.which(name)


def kustomize():
    """Return the command that builds a kustomization, or None."""
    if tool('kustomize'):
        return [tool('kustomize'), 'build']
    return [tool('kubectl'), 'kustomize'] if tool('kubectl') else None


def run(command, text=None):
    """Run a command; return its output, or raise Failed."""
    done = subprocess.run(command, input=text, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        raise Failed(done.stdout + done.stderr)
    return done.stdout


def loaded(text):
    """Return the objects of a manifest."""
    loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
    return [held for held in yaml.load_all(text, loader) if held]


@functools.lru_cache(None)
def _made(*command):
    """Return what a command makes; they make the same each time."""
    return loaded(run(command))


def built(directory, command=None):
    """Return the objects of a kustomization, by that command or ours."""
    return copy.deepcopy(_made(*(command or kustomize()), directory))


def templated(values=None, *more):
    """Return the objects of the chart, for a file of values."""
    command = [*helm(), RELEASE, CHART, '--namespace', RELEASE, *more]
    if values:
        command += ['--values', values]
    return copy.deepcopy(_made(*command))


def helm():
    """Return the command that renders a chart.

    One that is built from its module takes clusters to be of an old version.
    """
    return [tool('helm'), 'template', '--kube-version', '1.37.0']


def overlays():
    """Return the names of all overlays."""
    return sorted(os.listdir(OVERLAYS))


def values_of(name):
    """Return the chart's values that say what an overlay says."""
    return os.path.join(CHART, 'ci', f'{name}-values.yaml')


def one(objects, kind, name=None):
    """Return the one object of a kind, and name where there are several."""
    found = [held for held in objects if held['kind'] == kind
             and name in (None, held['metadata']['name'])]
    assert len(found) == 1, f'{len(found)} of {kind} {name}'
    return found[0]


# What examples have twice

def copies():
    """Return the texts of files that are made of others, by their paths.

    A chart reads nothing outside of its directory, and kustomize takes no
    rules but as an object.
    """
    monitoring = os.path.join(EXAMPLES, 'monitoring')
    alerts = _text(os.path.join(monitoring, 'alerts.yaml'))
    groups = alerts[alerts.index('\ngroups:'):]
    return {
        os.path.join(CHART, 'files', 'nginx.conf'): _text(os.path.join(
            EXAMPLES, 'kubernetes', 'base', 'nginx.conf')),
        os.path.join(CHART, 'files', 'alerts.yaml'): alerts,
        os.path.join(CHART, 'files', 'grafana-dashboard.json'):
            _text(os.path.join(monitoring, 'grafana-dashboard.json')),
        os.path.join(monitoring, 'prometheusrule.yaml'):
            RULE + re.sub('(?m)^(?=.)', '  ', groups.lstrip('\n'))}


def _text(path):
    """Return the text of a file."""
    with open(path, encoding='utf-8') as file:
        return file.read()


# nginx' configuration in a ConfigMap

def words(text):
    """Yield the words, braces and semicolons of a configuration."""
    for match in re.finditer(r'''#[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*\''''
                             r'''|[{};]|[^\s{};]+''', text):
        word = match.group()
        if word[0] == '#':
            continue
        yield re.sub(r'\\(.)', r'\1', word[1:-1]) if word[0] in '"\'' \
            else word


def parsed(text):
    """Return a configuration as nested lists, in an order of no account."""
    stack, line = [[]], []
    for word in words(text):
        if word == '{':
            stack.append([])
            stack[-2].append((line, stack[-1]))
            line = []
        elif word == '}':
            stack.pop().sort(key=repr)
        elif word == ';':
            stack[-1].append(line)
            line = []
        else:
            line.append(word)
    return sorted(stack[0], key=repr)


def configuration(objects):
    """Return the files that nginx' ConfigMap has, by name."""
    conf = [held for held in objects if held['kind'] == 'ConfigMap'
            and 'nginx.conf' in held['data']]
    assert len(conf) == 1, 'one ConfigMap with an nginx.conf'
    return conf[0]['data']


# The same, whoever made it

def plain(objects):
    """Return what objects say, by kind and name, whoever made them."""
    out = {}
    for held in objects:
        if held['kind'] == 'Namespace':
            continue
        held = copy.deepcopy(held)
        held['metadata']['labels'] = {
            name: value for name, value in held['metadata'].get(
                'labels', {}).items() if name not in LABELS}
        if held['kind'] == 'ConfigMap':
            held['metadata']['name'] = _unhashed(held['metadata']['name'])
            held['data'] = {name: json.loads(text) if name.endswith('.json')
                            else parsed(text)
                            for name, text in held['data'].items()}
        if held['kind'] == 'Deployment':
            _plain_deployment(held)
        out[held['kind'], held['metadata']['name']] = held
    return out


def _unhashed(name):
    """Return a ConfigMap's name without kustomize's hash or Helm's release."""
    return re.sub(r'^akl-conf-[a-z0-9]{10}$|^akl-gateway-conf$', 'conf', name)


def _plain_deployment(held):
    pod = held['spec']['template']
    pod['metadata'].pop('annotations', None)
    for container in pod['spec']['containers']:
        container['volumeMounts'].sort(key=lambda mount: mount['name'])
    pod['spec']['volumes'].sort(key=lambda volume: volume['name'])
    for volume in pod['spec']['volumes']:
        if 'configMap' in volume:
            volume['configMap']['name'] = _unhashed(
                volume['configMap']['name'])


# What is wrong with them

def problems(objects):
    """Return what is wrong with objects that are applied together."""
    found = []
    for deployment in (held for held in objects
                       if held['kind'] == 'Deployment'):
        found += _unsafe(deployment['spec']['template']['spec'])
        found += _loose(deployment, objects)
    return found


def _containers(pod):
    return pod.get('initContainers', []) + pod['containers']


def _unsafe(pod):
    """Return what the restricted Pod Security Standard, or we, refuse."""
    found = []
    context = pod.get('securityContext', {})
    if context.get('runAsNonRoot') is not True or not context.get(
            'runAsUser'):
        found.append('it may run as root')
    if context.get('seccompProfile') != {'type': 'RuntimeDefault'}:
        found.append('no seccomp profile')
    for container in _containers(pod):
        name, own = container['name'], container.get('securityContext', {})
        for member, wanted in (('allowPrivilegeEscalation', False),
                               ('readOnlyRootFilesystem', True),
                               ('capabilities', {'drop': ['ALL']})):
            if own.get(member) != wanted:
                found.append(f'{name}: {member}')
        if 'memory' not in container.get('resources', {}).get('limits', {}):
            found.append(f'{name}: no limit of memory')
        if ':' not in container['image'].split('/')[-1] \
                and container['image'] != 'registry.example.com/app':
            found.append(f'{name}: an image without a tag')
        mounted = {mount['name'] for mount in container['volumeMounts']}
        missing = mounted - {volume['name'] for volume in pod['volumes']}
        if missing:
            found.append(f'{name}: no volume {sorted(missing)}')
    return found


def _meets(selector, labels):
    """Say whether labels meet a selector; an empty one is met by none."""
    return bool(selector) and all(labels.get(name) == value
                                  for name, value in selector.items())


def _loose(deployment, objects):
    """Return which objects miss the pods that they are about."""
    found = []
    labels = deployment['spec']['template']['metadata']['labels']
    pod = deployment['spec']['template']['spec']
    ports = {port['name'] for container in pod['containers']
             for port in container.get('ports', [])}
    services = [held for held in objects if held['kind'] == 'Service']
    where = {'Service': ('selector',),
             'Deployment': ('selector', 'matchLabels'),
             'PodDisruptionBudget': ('selector', 'matchLabels'),
             'NetworkPolicy': ('podSelector', 'matchLabels')}
    for held in objects:
        name = f'{held["kind"]} {held["metadata"]["name"]}'
        selector = held.get('spec', {})
        for member in where.get(held['kind'], ()):
            selector = selector.get(member, {})
        if held['kind'] in where and not _meets(selector, labels):
            found.append(f'{name} selects other pods')
        if held['kind'] == 'HorizontalPodAutoscaler' and held['spec'][
                'scaleTargetRef']['name'] != deployment['metadata']['name']:
            found.append(f'{name} scales something else')
        if held['kind'] == 'Service':
            found += [f'{name}: port {port["targetPort"]}'
                      for port in held['spec']['ports']
                      if port['targetPort'] not in ports]
        if held['kind'] == 'NetworkPolicy':
            found += [f'{name}: port {port["port"]}'
                      for rule in held['spec']['ingress']
                      for port in rule['ports'] if port['port'] not in ports]
        if held['kind'] == 'ServiceMonitor' and [
                service['metadata']['name'] for service in services
                if _meets(held['spec']['selector']['matchLabels'],
                          service['metadata']['labels'])
                and {port['name'] for port in service['spec']['ports']}
                >= {end['port'] for end in held['spec']['endpoints']}] \
                != ['akl-gateway-replicas']:
            found.append(f'{name} scrapes something else')
    return found


def mounts(deployment):
    """Return the directories below /etc/akl that a Deployment mounts."""
    return {mount['mountPath'] for container in
            deployment['spec']['template']['spec']['containers']
            for mount in container['volumeMounts']
            if mount['mountPath'].startswith('/etc/akl/')}
