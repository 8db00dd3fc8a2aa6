"""kubectl, as the documentation has people run it."""

import json
import os
import shutil
import subprocess


class KubectlError(Exception):
    """What kubectl said when it failed."""


class Kubectl:
    """Commands against the cluster of a kubeconfig."""

    def __init__(self, binary, kubeconfig, context=None):
        self.kubeconfig = kubeconfig
        self.context = context
        self.command = [binary, '--kubeconfig', kubeconfig]
        if context:
            self.command += ['--context', context]

    def __call__(self, *arguments, text=None, timeout=120):
        """Run a command; return its output without the last line feed."""
        done = subprocess.run(
            [*self.command, *arguments], input=text, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        if done.returncode:
            raise KubectlError(f'kubectl {" ".join(arguments)}: '
                               + done.stderr.strip())
        return done.stdout.rstrip('\n')

    def apply(self, manifest):
        """Apply a manifest: text, or an object."""
        if not isinstance(manifest, str):
            manifest = json.dumps(manifest)
        return self('apply', '-f', '-', text=manifest)

    def token(self, account, namespace, pod=None, kind='Pod', **flags):
        """Ask for a token, bound to a pod or another object by its name."""
        if pod is not None:
            flags.update(bound_object_kind=kind, bound_object_name=pod)
        return self('create', 'token', account, '--namespace', namespace,
                    *[f'--{name.replace("_", "-")}={value}'
                      for name, value in flags.items()])

    def get(self, kind, name, namespace=None):
        """Return an object."""
        place = ['--namespace', namespace] if namespace else []
        return json.loads(self('get', kind, name, '-o', 'json', *place))

    def uid(self, kind, name, namespace=None):
        """Return an object's uid."""
        return self.get(kind, name, namespace)['metadata']['uid']

    def has(self, kind, name, namespace=None):
        """Say whether there is an object."""
        place = ['--namespace', namespace] if namespace else []
        return bool(self('get', kind, name, '-o', 'name',
                         '--ignore-not-found', *place))

    def delete(self, kind, name, namespace=None):
        """Delete an object at once, and wait until it is gone."""
        place = ['--namespace', namespace] if namespace else []
        force = ['--grace-period=0', '--force'] if kind == 'pod' else []
        return self('delete', kind, name, '--ignore-not-found', *place,
                    *force)

    # By the path of the API, which any server takes that has it: without
    # discovery or schemas, and so the fake one, too

    def make(self, path, manifest):
        """Post an object to a path; return what became of it."""
        return json.loads(self('create', '--raw', path, '-f', '-',
                               text=json.dumps(manifest)))

    def remove(self, path):
        """Delete what is at a path; say whether it was there."""
        try:
            self('delete', '--raw', path, '--request-timeout=30s')
        except KubectlError as error:
            if '(NotFound)' in str(error):
                return False
            raise
        return True

    def version(self):
        """Return the server's version, such as v1.37.2."""
        return json.loads(self('get', '--raw', '/version'))['gitVersion']


def find(programs=None):
    """Return the path of a kubectl, None where there is none."""
    if programs is not None:
        return os.path.join(programs, 'kubectl')
    return os.environ.get('KUBECTL') or shutil.which('kubectl')
