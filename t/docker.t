#!/usr/bin/python3
"""What the container image is built from: sources of a known digest."""

import hashlib
import os
import re
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import nginx  # noqa: E402
import tokens  # noqa: E402
from akltest import Test  # noqa: E402

DOCKER = os.path.join(nginx.ROOT, 'docker')

t = Test()
mirror = os.path.join(t.dir, 'mirror')
tools = os.path.join(t.dir, 'tools')
for path in (mirror, tools):
    os.makedirs(path)


def read(name):
    """Return a file of docker/."""
    with open(os.path.join(DOCKER, name), encoding='utf-8') as file:
        return file.read()


known = dict(reversed(line.split()) for line in read(
    'nginx.sha256').splitlines())


def archive(version):
    """Put an archive of a version on the mirror; return its digest."""
    path = os.path.join(mirror, f'nginx-{version}.tar.gz')
    inside = os.path.join(t.dir, f'nginx-{version}')
    os.makedirs(inside, exist_ok=True)
    with tarfile.open(path, 'w:gz') as tar:
        tar.add(inside, f'nginx-{version}')
    with open(path, 'rb') as file:
        return hashlib.sha256(file.read()).hexdigest()


def build(version, flags='--with-compat', **env):
    """Run build.sh beside an nginx of that version; return code and output.

    make only notes what it was asked for, and makes an empty module.
    """
    made = os.path.join(t.dir, 'made')
    for name, text in (
            ('nginx', f'echo "nginx version: nginx/{version}" >&2\n'
                      f'echo "configure arguments: {flags}" >&2\n'),
            ('make', f'echo "$@" > {made}\n'
                     'for arg; do case $arg in OBJS=*) mkdir -p ${arg#OBJS=}\n'
                     'touch ${arg#OBJS=}/ngx_http_akl_k8s_module.so;; esac\n'
                     'done\n')):
        tokens.write_file(os.path.join(tools, name), '#!/bin/sh\n' + text,
                          0o755)
    if os.path.exists(made):
        os.remove(made)
    done = subprocess.run(
        ['sh', os.path.join(DOCKER, 'build.sh'), nginx.ROOT,
         os.path.join(t.dir, 'out')], check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={
            'PATH': f'{tools}:{os.environ["PATH"]}', 'TMPDIR': t.dir,
            'NGINX_URL': f'file://{mirror}', **env})
    return done.returncode == 0, os.path.exists(made), done.stdout


digest = archive('1.99.0')
ok, made, said = build('1.99.0')
t.is_((ok, made), (False, False), 'sources of no known digest are not built')
t.like(said, 'the digest of nginx-1.99.0.tar.gz is not known', 'and named')
ok, made, said = build('1.99.0', NGINX_SHA256=digest)
t.is_((ok, made), (True, True), 'the digest that NGINX_SHA256 names: built')
ok, made, said = build('1.99.0', NGINX_SHA256=digest,
                       NGINX_URL=f'file://{mirror}/')
t.is_((ok, made), (True, True), 'a mirror with a slash at its end')
ok, made, said = build('1.99.0', NGINX_SHA256='0' * 64)
t.is_((ok, made), (False, False), 'another digest: not built')
ok, made, said = build('1.99.1', NGINX_SHA256=digest)
t.is_((ok, made), (False, False), 'what the mirror does not have')
ok, made, said = build('1.99.0', flags='', NGINX_SHA256=digest)
t.is_((ok, made), (False, False), 'an nginx without --with-compat')
t.like(said, 'without --with-compat', 'is named')

for name in known:
    version = re.fullmatch(r'nginx-(.+)\.tar\.gz', name).group(1)
    archive(version)
    ok, made, said = build(version)
    t.is_((ok, made), (False, False),
          f'{name} of the mirror is held against the digest we know')
    t.like(said, 'FAILED', f'{name}: which it is not')

text = read('Dockerfile')
tag = re.search(r'^ARG NGINX_TAG=(\S+)$', text, re.M).group(1)
t.ok(f'nginx-{tag}.tar.gz' in known, 'the default version has a digest', tag)
for name in ('NGINX_URL', 'NGINX_SHA256'):
    t.ok(re.search(rf'^ARG {name}=', text, re.M)
         and f'{name}="${name}"' in text,
         f'the Dockerfile hands {name} on')
for name in re.findall(r'docker/(\S+)', ' '.join(
        re.findall(r'^COPY (.*)$', text, re.M))):
    t.ok(os.path.exists(os.path.join(DOCKER, name)), f'{name} is there')
t.ok('nginx.sha256' in text, 'the list of digests goes into the build')

t.done_testing()
