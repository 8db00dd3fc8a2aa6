#!/usr/bin/python3
"""The whole Akeyless page, and more, against a real kube-apiserver.

    t/e2e/run.py [VERSION ...]
    t/e2e/run.py --kubeconfig FILE [--context NAME]
    t/e2e/run.py --record [VERSION ...]

Without a kubeconfig the control plane is built (see build.py) and started on
loopback; it ends with the test.  With one, everything that needs no key of
the cluster's is tried there, in namespaces whose names begin with "akl-e2e-";
they and the cluster roles and bindings made for them are deleted in the end.
--record writes the server's answers into t/fixtures instead.
"""

import argparse
import ctypes
import os
import re
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), 'lib')]
sys.dont_write_bytecode = True
os.environ.setdefault('AKL_TIMEOUT', '3600')

import akltest  # noqa: E402
import build  # noqa: E402
import changes  # noqa: E402
import demos  # noqa: E402
import deploy  # noqa: E402
import doctor  # noqa: E402
import kubectl as kubectls  # noqa: E402
import labels  # noqa: E402
import logins  # noqa: E402
import page  # noqa: E402
import program  # noqa: E402
import record  # noqa: E402
import revoke  # noqa: E402
import nginx as nginx_  # noqa: E402
import ways  # noqa: E402
from controlplane import ControlPlane  # noqa: E402
from realm import World  # noqa: E402

akltest.BEAT = 8        # a person looks on
PARTS = {'program': program, 'demo': demos, 'doctor': doctor,
         'logins': logins, 'labels': labels, 'ways': ways,
         'revoke': revoke, 'manifests': deploy, 'changes': changes}


def no_token_logged(test):
    """Nobody's token is in any log that a gateway wrote."""
    found = [server.log for server in test.servers
             if 'eyJ' in server.error_log()]
    test.ok(not found, 'no token in any error log', *found)


def software():
    """Return the versions that the gateway runs with."""
    libcurl = ctypes.CDLL('libcurl.so.4')
    libcurl.curl_version.restype = ctypes.c_char_p
    curl = libcurl.curl_version().decode().split()
    server = re.search(r'nginx/\S+', nginx_.version()).group()
    return ', '.join([server, curl[0], *[word for word in curl[1:]
                                         if word.startswith('OpenSSL')]])


def own(test, version, parts):
    """Start a control plane and go through everything."""
    programs = build.build(version)
    before = test.count
    plane = ControlPlane(test, programs, os.path.join(test.dir, version))
    test.note(f'starting Kubernetes {version} at {plane.url}')
    try:
        plane.start()
        world = World(test, kubectls.Kubectl(kubectls.find(programs),
                                             plane.kubeconfig), plane)
        test.is_(world.kubectl.version(), f'v{version}', 'the API server')
        page.run(world)
        if 'doctor' in parts:
            doctor.old_issuer(world)
        changes.https_issuer(world)
        page.issuer(world)
        for name in parts:
            PARTS[name].run(world)
        no_token_logged(test)
        test.note(f'Kubernetes {version}: {test.count - before} checks')
    finally:
        plane.close()


def serve(test, version):
    """Start a control plane for somebody else's use, until he ends it."""
    plane = ControlPlane(test, build.build(version),
                         os.path.join(test.dir, version))
    plane.modern()
    test.finished = True
    signal.setitimer(signal.ITIMER_REAL, 0)     # nobody is hurried
    try:
        print(f'e2e: starting Kubernetes {version}', flush=True)
        plane.start()
        print(f'e2e: Kubernetes {version} without nodes at {plane.url}, for '
              f'instance\n\n    ./run demo --kubeconfig {plane.kubeconfig}\n'
              '\nuntil Ctrl-C', flush=True)
        signal.pause()
    finally:
        print('e2e: ending it', flush=True)
        plane.close()


def foreign(test, options, parts):
    """Try what can be tried on somebody's cluster, and clean up."""
    world = World(test, kubectls.Kubectl(
        kubectls.find(), options.kubeconfig, options.context))
    test.note(f'{world.host}: Kubernetes {world.kubectl.version()}, '
              f'namespaces {world.mark}*')
    try:
        page.run(world)
        for name in parts:
            if name != 'changes':
                PARTS[name].run(world)
        no_token_logged(test)
    finally:
        world.remove()
    return world.kubectl.version()


def path_of(path):
    """Return a path that was given where ./run was called."""
    return os.path.join(os.environ.get('AKL_FROM', ''),
                        os.path.expanduser(path))


def need(options, versions):
    """Raise BuildError where something is missing that cannot be made."""
    if options.kubeconfig:
        if kubectls.find() is None:
            raise build.BuildError('no kubectl: install it, or say '
                                   'KUBECTL=PATH')
    elif not all(map(build.built, versions)):
        build.find_go()


def main():
    """Run as a program."""
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('version', nargs='*', help='Kubernetes versions to '
                        f'build, by default {build.VERSIONS[0]}; "all": '
                        + ', '.join(build.VERSIONS))
    parser.add_argument('--kubeconfig', type=path_of,
                        help='use this cluster instead')
    parser.add_argument('--context', help='a context of the kubeconfig')
    parser.add_argument('--check', action='store_true',
                        help='only say whether all is there that it takes')
    parser.add_argument('--serve', action='store_true',
                        help='start the API server and leave it running')
    parser.add_argument('--record', action='store_true',
                        help='write the answers into t/fixtures')
    parser.add_argument('--only', choices=PARTS, action='append',
                        help='after the page, only this (may be repeated)')
    options = parser.parse_args()
    parts = options.only or PARTS
    versions = options.version or build.VERSIONS[:1]
    if versions == ['all']:
        versions = list(build.VERSIONS)
    try:
        need(options, versions)
    except build.BuildError as error:
        sys.exit(f'e2e: {error}')
    if options.check:
        return
    test = akltest.Test(need_module=not (options.record or options.serve))
    try:
        if options.kubeconfig:
            versions = [foreign(test, options, parts)]
        for version in versions if not options.kubeconfig else ():
            if options.serve:
                serve(test, version)
            if options.record:
                record.run(test, version)
            else:
                own(test, version, parts)
    except build.BuildError as error:
        test.finished = True
        print(f'e2e: {error}', file=sys.stderr)
        sys.exit(2)
    print(f'# {test.count} checks, {test.failed} failed, Kubernetes '
          + ', '.join(versions) + '; ' + software(), flush=True)
    test.done_testing()


if __name__ == '__main__':
    main()
