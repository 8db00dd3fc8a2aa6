#!/usr/bin/python3
"""The Kubernetes manifests, by kustomize and by Helm.

"make tools" builds what checks them; what is not to be had is skipped.
"""

import copy
import glob
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import cli  # noqa: E402
import nginx as nginx_  # noqa: E402
import tokens  # noqa: E402
from akltest import Test, client  # noqa: E402
from examples import accepted, complaints, localize, stand_ins  # noqa: E402

t = Test(need_module=True)

try:
    import yaml
    import manifests
except ImportError:
    t.skip_all('needs python3-yaml')

SCHEMAS = sorted(glob.glob(os.path.join(
    manifests.TOOLS, 'schemas', 'v*-strict')))


def no_kustomize():
    """Skip where no kustomization can be built."""
    if manifests.kustomize() is None:
        t.skip('there is neither kustomize nor kubectl (make tools)')
        return True
    return False


def no_helm():
    """Skip where there is no helm."""
    if manifests.tool('helm') is None:
        t.skip('there is no helm (make tools)')
        return True
    return False


def makers():
    """Return what is made of each overlay, by whom; skip what cannot be."""
    made = []
    for name in manifests.overlays():
        if manifests.kustomize():
            made.append((f'kustomize, {name}', manifests.built(
                os.path.join(manifests.OVERLAYS, name))))
        if manifests.tool('helm'):
            made.append((f'helm, {name}',
                         manifests.templated(manifests.values_of(name))))
    if not made:
        t.skip('there is neither kustomize nor helm (make tools)')
    return made


@t.shared
def cluster():
    """A cluster with mypod1 of account builder."""
    return t.cluster()


@t.shared
def files(cluster):
    """What stands for the files of /etc/akl."""
    return stand_ins(cluster)


def conf_of(objects):
    """Return nginx.conf and the files that it includes, by name."""
    parts = dict(manifests.configuration(objects))
    return parts.pop('nginx.conf'), parts


@t.story
def nginx_accepts_what_each_overlay_configures_without_a_warning(files):
    for name, objects in makers():
        frame, parts = conf_of(objects)
        code, output = accepted(os.path.join(
            t.dir, re.sub(r'\W+', '_', name)), frame, files, parts)
        t.is_(code, 0, f'{name} is accepted')
        t.is_(complaints(output), [], f'{name} without a warning')


@t.story
def each_file_that_a_configuration_names_is_in_a_volume_of_the_pod():
    for name, objects in makers():
        mounted = manifests.mounts(manifests.one(objects, 'Deployment'))
        text = re.sub(r'#.*', '', '\n'.join(
            manifests.configuration(objects).values()))
        named = set(re.findall(r'(/etc/akl/[\w.-]+)/[\w.-]+', text))
        t.ok(len(named) >= 3, f'{name} names files')
        t.is_(sorted(named - mounted), [], f'{name}: what is not mounted')
        t.is_(sorted(mounted - named), ['/etc/akl/conf'],
              f'{name}: no file is mounted that nothing reads')


@t.story
def helm_and_kustomize_say_the_same():
    if no_kustomize() or no_helm():
        return
    for name in manifests.overlays():
        ours = manifests.plain(manifests.built(
            os.path.join(manifests.OVERLAYS, name)))
        theirs = manifests.plain(manifests.templated(
            manifests.values_of(name)))
        t.is_(sorted(theirs), sorted(ours), f'{name}: the objects')
        for key in sorted(set(ours) & set(theirs)):
            t.is_(theirs[key], ours[key], f'{name}: {" ".join(key)}')


@t.story
def what_examples_have_twice_is_the_same():
    for path, text in manifests.copies().items():
        with open(path, encoding='utf-8') as file:
            t.ok(file.read() == text, os.path.relpath(path, nginx_.ROOT),
                 'make examples writes it anew')


@t.story
def the_rules_of_the_operator_are_those_of_prometheus():
    with open(os.path.join(manifests.EXAMPLES, 'monitoring', 'alerts.yaml'),
              encoding='utf-8') as file:
        groups = yaml.safe_load(file)['groups']
    for name, objects in makers():
        if 'monitored' in name:
            t.is_(manifests.one(objects, 'PrometheusRule')['spec']['groups'],
                  groups, name)


@t.story
def runbooks_and_labels_of_monitoring_are_values():
    if no_helm():
        return
    objects = manifests.templated(
        manifests.values_of('monitored'), '--set',
        'monitoring.runbooks=https://wiki.example.com/akl/,'
        'monitoring.labels.release=stack')
    rule = manifests.one(objects, 'PrometheusRule')
    urls = [one['annotations']['runbook_url']
            for group in rule['spec']['groups'] for one in group['rules']]
    t.ok(len(urls) > 10, 'alerts')
    t.is_([url for url in urls if not url.startswith(
        'https://wiki.example.com/akl/docs/operations.md#akl')], [],
          'where each has its runbook')
    for kind in 'PrometheusRule', 'ServiceMonitor':
        t.is_(manifests.one(objects, kind)['metadata']['labels']['release'],
              'stack', f'the label of the {kind}')
    for value, kind in (('rules', 'PrometheusRule'),
                        ('dashboard', 'ConfigMap akl-gateway-dashboard')):
        without = manifests.templated(
            manifests.values_of('monitored'), '--set',
            f'monitoring.{value}=false')
        t.is_([one for one in manifests.plain(objects)
               if one not in manifests.plain(without)],
              [(*kind.split(), 'akl-gateway')[:2]],
              f'what is gone without {value}')


# which would be no test if all were the same

@t.story
def another_value_says_something_else():
    if no_helm():
        return
    ours = manifests.plain(manifests.templated())
    for setting, key in (
            ('autoscaling.minReplicas=4',
             ('HorizontalPodAutoscaler', 'akl-gateway')),
            ('authMethods.p-kmx8x116z7j9km.token_ttl=16m',
             ('ConfigMap', 'conf')),
            ('secrets.tls=other', ('Deployment', 'akl-gateway')),
            ('networkPolicy.apiPorts={443}',
             ('NetworkPolicy', 'akl-gateway'))):
        theirs = manifests.plain(manifests.templated(None, '--set', setting))
        t.is_([one for one in ours if theirs[one] != ours[one]], [key],
              setting)


@t.story
def helm_lint_finds_nothing():
    if no_helm():
        return
    for name in manifests.overlays():
        try:
            said = manifests.run([
                manifests.tool('helm'), 'lint', '--strict', '--kube-version',
                '1.37.0', '--values', manifests.values_of(name),
                manifests.CHART])
        except manifests.Failed as failed:
            said = str(failed)
        t.like(said, '0 chart\\(s\\) failed', name)


@t.story
def the_readme_of_the_chart_tells_of_each_value():
    with open(os.path.join(manifests.CHART, 'values.yaml'),
              encoding='utf-8') as file:
        values = yaml.safe_load(file)
    with open(os.path.join(manifests.CHART, 'README.md'),
              encoding='utf-8') as file:
        told = {name.partition('.')[0] for row in re.findall(
            r'^\| (.*?) \|', file.read(), re.M)
            for name in re.findall(r'`([\w.]+)`', row)}
    t.is_(sorted(told), sorted(values), 'the values of its table')


@t.story
def the_readme_tells_of_each_overlay_and_its_secrets():
    with open(os.path.join(os.path.dirname(manifests.OVERLAYS), 'README.md'),
              encoding='utf-8') as file:
        told = dict(re.findall(r'^\| `([a-z-]+)` \| .* \| (.*) \|$',
                               file.read(), re.M))
    t.is_(sorted(told), manifests.overlays(), 'the overlays of the table')
    for name, objects in makers():
        volumes = manifests.one(objects, 'Deployment')['spec']['template'][
            'spec']['volumes']
        used = {volume['secret']['secretName'] for volume in volumes
                if 'secret' in volume} - {'akl-signing', 'akl-tls'}
        t.is_(sorted(re.findall(r'`(akl-[a-z]+)`',
                                told[name.partition(', ')[2]])),
              sorted(used), f'{name}: its Secrets')


@t.story
def nothing_is_wrong_with_what_is_applied_together():
    for name, objects in makers():
        t.is_(manifests.problems(objects), [], name)
    if manifests.kustomize():
        t.is_(manifests.problems(manifests.built(manifests.CLIENT)), [],
              'the client')


# which would be no test if nothing were ever wrong

@t.story
def what_is_wrong_with_manifests_is_found():
    if no_kustomize():
        return
    good = manifests.built(os.path.join(manifests.OVERLAYS, 'monitored'))

    def wrong(change):
        objects = copy.deepcopy(good)
        change(lambda *what: manifests.one(objects, *what))
        return manifests.problems(objects)

    def pod(one):
        return one('Deployment')['spec']['template']['spec']

    for change, found in (
            (lambda one: pod(one)['securityContext'].pop('runAsNonRoot'),
             'it may run as root'),
            (lambda one: pod(one)['securityContext'].pop('seccompProfile'),
             'no seccomp profile'),
            (lambda one: pod(one)['containers'][0]['securityContext'].pop(
                'readOnlyRootFilesystem'), 'nginx: readOnlyRootFilesystem'),
            (lambda one: pod(one)['volumes'].pop(),
             "nginx: no volume ['tmp']"),
            (lambda one: one('PodDisruptionBudget')['spec'].pop('selector'),
             'PodDisruptionBudget akl-gateway selects other pods'),
            (lambda one: one('Service', 'akl-gateway')['spec']['ports'][0]
             .update(targetPort='http'),
             'Service akl-gateway: port http'),
            (lambda one: one('ServiceMonitor')['spec']['endpoints'][0]
             .update(port='metrics'),
             'ServiceMonitor akl-gateway scrapes something else')):
        t.is_(wrong(change), [found], found)


@t.story
def what_is_applied_again_forgets_no_revocation():
    for name, objects in makers():
        used = [volume['configMap']['name'] for volume in manifests.one(
            objects, 'Deployment')['spec']['template']['spec']['volumes']
            if volume['name'] == 'revocations']
        t.is_(used, ['akl-revocations'], f'{name} mounts the ConfigMap')
        t.is_([held for held in objects if held['kind'] == 'ConfigMap'
               and held['metadata']['name'] in used], [],
              f'{name} does not make it')


@t.story
def each_object_meets_the_schema_of_its_kind():
    kubeconform = manifests.tool('kubeconform')
    if kubeconform is None or not SCHEMAS:
        t.skip('there is no kubeconform with schemas (make tools)')
        return
    made = makers()
    if manifests.kustomize():
        made.append(('the client', manifests.built(manifests.CLIENT)))

    for schemas in SCHEMAS:
        short = os.path.basename(schemas)
        t.is_(invalid(kubeconform, schemas, [held for _, objects in made
                                             for held in objects]), '',
              f'{short}: all {len(made)}')
        wrong = copy.deepcopy(made[0][1])
        manifests.one(wrong, 'Deployment')['spec']['template']['spec'][
            'securityContxt'] = {}
        t.like(invalid(kubeconform, schemas, wrong), 'securityContxt',
               f'{short}: a mistyped member is found')


def invalid(kubeconform, schemas, objects):
    """Return what kubeconform finds wrong with objects."""
    try:
        said = manifests.run(
            [kubeconform, '-strict', '-summary', '-schema-location',
             schemas + '/{{.ResourceKind}}{{.KindSuffix}}.json',
             '-schema-location', os.path.join(
                 manifests.TOOLS, 'schemas', 'crd',
                 '{{.ResourceKind}}.json'), '-'],
            '\n---\n'.join(json.dumps(held) for held in objects))
    except manifests.Failed as failed:
        return str(failed)
    return '' if f'Valid: {len(objects)},' in said else said


@t.story
def the_chart_refuses_values_that_it_does_not_know():
    if no_helm():
        return
    for setting, found in (('replicas=3', 'replicas'),
                           ('image.digest=latest', 'digest'),
                           ('authMethods=null', 'authMethods'),
                           ('secrets.tls=null', 'tls'),
                           ('monitoring.runbooks=wiki', 'runbooks')):
        try:
            manifests.templated(None, '--set', setting)
            t.ok(False, f'{setting} is refused')
        except manifests.Failed as failed:
            t.like(str(failed), found, f'{setting} is refused')


@t.story
def no_value_of_the_chart_ends_its_directive():
    if no_helm():
        return
    text = 'a; } "b\\ {'
    objects = manifests.templated(t.write('values.yaml', yaml.safe_dump({
        'authConfigs': {'k8s-conf': {'token_claims': [f'x={text}', 7]}}})))
    config, = (members for line, members in manifests.parsed(
        manifests.configuration(objects)['auth.conf'])
        if line[0] == 'akl_k8s_auth_config')
    t.ok(['token_claims', f'x={text}', '7'] in config, 'it is one value')


@t.story
def a_release_of_another_name_is_bound_by_a_name_of_its_own():
    if no_helm():
        return
    objects = manifests.loaded(manifests.run([
        *manifests.helm(), 'two', manifests.CHART, '--namespace', 'there']))
    binding = manifests.one(objects, 'ClusterRoleBinding')
    t.is_(binding['metadata']['name'], 'there-two-auth-delegator', 'its name')
    t.is_(binding['subjects'], [{'kind': 'ServiceAccount', 'name': 'two',
                                 'namespace': 'there'}], 'whom it binds')


@t.story
def an_image_may_be_named_by_its_digest():
    if no_helm():
        return
    digest = 'sha256:' + '0' * 64
    pod = manifests.one(manifests.templated(
        None, '--set', f'image.digest={digest}'), 'Deployment')['spec'][
            'template']['spec']
    t.is_(pod['containers'][0]['image'],
          f'registry.example.com/akl-gateway@{digest}', 'the image')


# The gateway of the overlay "native" against a cluster, with no kubelet

def serving(cluster, files):
    """Start the gateway of the overlay "native"."""
    frame, parts = conf_of(manifests.built(
        os.path.join(manifests.OVERLAYS, 'native')))
    parts['auth.conf'] = re.sub(
        r'(k8s_issuer +).*;', rf'\1{tokens.ISSUER};',
        parts['auth.conf'].replace('https://10.0.0.1:6443', cluster.url))
    inner = re.search(r'^http \{\n(.*)^\}', frame, re.M | re.S).group(1)
    inner = re.sub(r'include ([a-z]+\.conf);',
                   lambda match: parts[match.group(1)], inner)
    inner = re.sub(r'^ *\w+_temp_path .*\n', '', inner, flags=re.M)
    inner = inner.replace('/dev/stdout', '@dir@/access.log')
    inner = inner.replace('listen 8443 ssl', 'listen 127.0.0.1:@port@ ssl')
    inner = inner.replace('listen 8081', 'listen 127.0.0.1:@port1@')
    place = t.folder()
    return t.nginx(localize(inner, place, files)), place


@t.story
def the_sidecar_of_the_client_keeps_a_token_in_a_file(cluster, files):
    if no_kustomize():
        return
    gateway, place = serving(cluster, files)
    pod = manifests.one(manifests.built(manifests.CLIENT), 'Deployment')[
        'spec']['template']['spec']
    sidecar, = pod['initContainers']
    source, = (volume['projected']['sources'][0]['serviceAccountToken']
               for volume in pod['volumes'] if 'projected' in volume)
    t.is_(source['audience'], 'akl-gateway', 'the audience of its token')
    replaced = {
        'https://akl-gateway.akl-gateway.svc':
            f'https://localhost:{gateway.port}',
        '/etc/akl/ca/ca.crt': cluster.ca,
        '/var/run/secrets/akl/token': t.write(
            os.path.join(place, 'token'), cluster.issue(
                audiences=[source['audience']],
                ttl=source['expirationSeconds'])),
        '--watch': '--out', '/run/akl/token': os.path.join(place, 'minted')}
    words = [replaced.pop(word, word) for word in sidecar['command'][1:]]
    t.is_(replaced, {}, 'all is replaced that only a pod has')
    done = cli.run(*words)
    t.is_(done.code, 0, 'the login of its command line')
    with open(os.path.join(place, 'minted'), encoding='ascii') as file:
        minted = tokens.verify(file.read().strip(),
                               tokens.key('RSA-2048', 'gateway'))
    t.is_(minted['pod_name'], 'mypod1', 'the token in its file')


@t.story
def a_token_for_another_audience_does_not_log_in(cluster, files):
    if no_kustomize():
        return
    gateway, _ = serving(cluster, files)
    answer = client.post(gateway.port, '/v2/auth',
                         cluster.login(cluster.issue()),
                         context=client.tls(cluster.ca))
    t.is_(answer.json().get('reason'), 'audience_mismatch', 'the login')


@t.story
def what_is_scraped_and_scaled_by_is_there(cluster, files):
    if no_kustomize():
        return
    gateway, _ = serving(cluster, files)
    objects = manifests.built(os.path.join(manifests.OVERLAYS, 'monitored'))
    client.post(gateway.port, '/v2/auth', cluster.login(cluster.issue()),
                context=client.tls(cluster.ca))

    end, = manifests.one(objects, 'ServiceMonitor')['spec']['endpoints']
    path = end['path'] + '?format=' + end['params']['format'][0]
    scraped = client.get(gateway.port_of('port1'), path)
    t.is_(scraped.status, 200, 'what is scraped')

    with open(os.path.join(nginx_.ROOT, 'conf-examples', 'kubernetes',
                           'components', 'monitoring',
                           'prometheus-adapter.yaml'),
              encoding='utf-8') as file:
        rule, = yaml.safe_load(file)['rules']['custom']
    series = re.match(r'\w+', rule['seriesQuery']).group()
    t.like(scraped.text, rf'(?m)^{series}\{{.*\}} [1-9]', series)
    t.is_([metric['pods']['metric']['name'] for metric in manifests.one(
        objects, 'HorizontalPodAutoscaler')['spec']['metrics']
        if metric['type'] == 'Pods'], [rule['name']['as']],
        'what the autoscaler asks the adapter for')

    probes = manifests.one(objects, 'Deployment')['spec']['template'][
        'spec']['containers'][0]
    for probe in 'readinessProbe', 'livenessProbe':
        t.is_(client.get(gateway.port_of('port1'),
                         probes[probe]['httpGet']['path']).status, 200,
              probe)


t.tell()
