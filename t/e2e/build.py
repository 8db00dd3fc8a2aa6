#!/usr/bin/python3
"""Build a Kubernetes control plane from Go modules, once per version.

    t/e2e/build.py [1.37.2]

kube-apiserver, kube-controller-manager, etcd and kubectl, each of a main of a
few lines, straight from the Go module proxy; the programs are kept in
objs/e2e/kubernetes-VERSION.  Only Go is needed (GO=PATH, else go of PATH or
/usr/local/go/bin).  The first time takes the better part of an hour on two
cores, since some 1,800 packages are compiled; a line every few seconds says
how far it is.

The go.mod of k8s.io/kubernetes replaces the modules that Kubernetes publishes
from its own tree (k8s.io/api and some thirty more) by paths below that tree.
A module cannot use these: the same release of each is required instead,
v0.MINOR.PATCH.  The samples among them, which no program imports and no proxy
has to keep, are an empty module.  All other requirements are taken over as
the release has them, etcd's server among them, so that client and server of
etcd agree.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                os.pardir, 'lib'))
sys.dont_write_bytecode = True
import procs  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
OBJS = os.path.join(TOP, os.environ.get('OBJS', 'objs'))
CACHE = os.environ.get('AKL_E2E_CACHE', os.path.join(OBJS, 'e2e'))

# the newest release that builds, and the one of five minor versions before;
# the first is what "./run e2e" starts unless another is named

VERSIONS = ('1.37.2', '1.32.2')

PROGRAMS = {'etcd': 'etcd', 'apiserver': 'kube-apiserver',
            'controller': 'kube-controller-manager', 'kubectl': 'kubectl'}


# of the modules of Kubernetes' own tree, those that hold examples

SAMPLES = ('k8s.io/sample-apiserver', 'k8s.io/sample-cli-plugin',
           'k8s.io/sample-controller')


class BuildError(Exception):
    """Something that the person who builds has to see to."""


def say(text):
    """Print a line of progress."""
    print(f'e2e: {text}', flush=True)


def find_go():
    """Return the path of the go command."""
    for name in (os.environ.get('GO'), 'go', '/usr/local/go/bin/go'):
        found = name and shutil.which(name)
        if found:
            return found
    raise BuildError(
        'no Go: the end-to-end tests build kube-apiserver and etcd from '
        'source.\nInstall Go 1.26 or newer (https://go.dev/dl/), or say '
        'GO=/path/to/go ./run e2e,\nor run against a cluster that is '
        'there: ./run e2e --kubeconfig FILE')


def environment():
    """Return the environment of the go command."""
    return {**os.environ, 'CGO_ENABLED': '0', 'GOWORK': 'off',
            'GOFLAGS': '-mod=mod -trimpath -buildvcs=false'}


def go_mod(go, version):
    """Return the text of our go.mod for a release of Kubernetes."""
    out = subprocess.run(
        [go, 'mod', 'download', '-json', f'k8s.io/kubernetes@v{version}'],
        check=False, capture_output=True, text=True, env=environment(),
        cwd=tempfile.gettempdir())
    try:
        release = json.loads(out.stdout)
    except ValueError:
        raise BuildError(out.stderr.strip()) from None
    if release.get('Error'):
        raise BuildError(f'k8s.io/kubernetes v{version}: '
                         + release['Error'])
    with open(release['GoMod'], encoding='utf-8') as file:
        text = file.read()

    staging = 'v0.' + version.split('.', 1)[1]
    lines = ['module akl-e2e', '']
    lines += re.findall(r'^go .*$', text, re.M)
    lines += re.findall(r'^godebug .*$', text, re.M)
    lines += ['', 'require (', f'\tk8s.io/kubernetes v{version}']
    replaced = []
    for block in re.findall(r'^require \((.*?)^\)', text, re.M | re.S):
        for path, wanted in re.findall(r'^\t(\S+) (\S+)', block, re.M):
            if wanted == 'v0.0.0':
                wanted = staging
                replaced.append(path)
            lines.append(f'\t{path} {wanted}')
    lines += [')', '', 'replace (']
    lines += [f'\t{path} => ' + ('./none' if path in SAMPLES else
                                 f'{path} {staging}') for path in replaced]
    return '\n'.join(lines + [')', ''])


def source(place, go, version):
    """Write a module with our mains for a release into a directory."""
    for name in PROGRAMS:
        target = os.path.join(place, name)
        os.makedirs(target, exist_ok=True)
        shutil.copy(os.path.join(HERE, name, 'main.go'), target)
    texts = {'go.mod': go_mod(go, version), 'none/go.mod': 'module none\n'}
    for name, text in texts.items():
        path = os.path.join(place, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)


class Progress:
    """A line every few seconds while go compiles."""

    def __init__(self, total, what):
        self.total = total
        self.what = what
        self.done = 0
        self.started = time.monotonic()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._speak, daemon=True)
        self.thread.start()

    def _speak(self):
        while not self.ended.wait(8):
            spent = int(time.monotonic() - self.started)
            line = f'{self.what}, {spent // 60}:{spent % 60:02} min'
            if self.total:
                line += (f', {self.done} of at most {self.total} '
                         'packages')
            say(line)

    def close(self):
        """Say nothing any more."""
        self.ended.set()
        self.thread.join()


def alone():
    """Run in a child: give way to others, and end when we end."""
    os.nice(int(os.environ.get('AKL_E2E_NICE', 10)))
    procs.die_with_parent()


def run(command, cwd, what, total=0):
    """Run a command with progress; return its standard output."""
    progress = Progress(total, what)
    noise = []
    with subprocess.Popen(command, cwd=cwd, env=environment(), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          preexec_fn=alone) as child:
        out = []
        reader = threading.Thread(target=lambda: out.append(
            child.stdout.read()))
        reader.start()
        for line in child.stderr:
            progress.done += 1
            noise.append(line)
        reader.join()
        code = child.wait()
    progress.close()
    if code:
        raise BuildError(''.join(noise[-40:]) + f'{what}: code {code}')
    return out[0]


def directory(version):
    """Return where the programs of a version are kept."""
    return os.path.join(CACHE, f'kubernetes-{version}')


def built(version):
    """Say whether the programs of a version are there."""
    return all(os.access(os.path.join(directory(version), name), os.X_OK)
               for name in PROGRAMS.values())


def build(version):
    """Build a version unless it is there; return its directory."""
    target = directory(version)
    if built(version):
        return target

    go = find_go()
    say(f'building Kubernetes {version} into {os.path.relpath(target)}: '
        'kube-apiserver, kube-controller-manager, etcd, kubectl')
    started = time.monotonic()
    module = os.path.join(CACHE, f'source-{version}')
    os.makedirs(module, exist_ok=True)
    source(module, go, version)
    packages = run([go, 'list', '-deps', './...'], module,
                   'fetching modules').split()

    minor = version.split('.')
    name = 'k8s.io/component-base/version'
    flags = (f'-s -w -X {name}.gitVersion=v{version} '
             f'-X {name}.gitMajor={minor[0]} -X {name}.gitMinor={minor[1]}')
    run([go, 'build', '-v', '-p', os.environ.get('AKL_E2E_JOBS', '2'),
         '-gcflags=all=-dwarf=false', '-ldflags', flags, '-o', 'bin/',
         *(f'./{name}' for name in PROGRAMS)],
        module, 'compiling', len(packages))

    fresh = target + '.new'
    shutil.rmtree(fresh, ignore_errors=True)
    os.makedirs(fresh)
    for ours, theirs in PROGRAMS.items():
        os.rename(os.path.join(module, 'bin', ours),
                  os.path.join(fresh, theirs))
    shutil.rmtree(target, ignore_errors=True)
    os.rename(fresh, target)
    say(f'built in {int(time.monotonic() - started) // 60} min')
    return target


def main():
    """Build the versions that are named, or the newest."""
    try:
        for version in sys.argv[1:] or VERSIONS[:1]:
            print(build(version))
    except BuildError as error:
        print(f'e2e: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
