#!/usr/bin/python3
"""What the container image is built from: sources of a known digest."""

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import cli  # noqa: E402
import nginx  # noqa: E402
import tokens  # noqa: E402
from akltest import Test  # noqa: E402

DOCKER = os.path.join(nginx.ROOT, 'docker')

t = Test()


def read(name):
    """Return a file of docker/."""
    with open(os.path.join(DOCKER, name), encoding='utf-8') as file:
        return file.read()


KNOWN = dict(reversed(line.split()) for line in read(
    'nginx.sha256').splitlines())


class Builder:
    """build.sh, beside a mirror of nginx and a make that only takes note."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(dir=t.dir)
        self.mirror = os.path.join(self.dir, 'mirror')
        self.tools = os.path.join(self.dir, 'tools')
        for path in (self.mirror, self.tools):
            os.makedirs(path)

    def archive(self, version):
        """Put an archive of a version on the mirror; return its digest."""
        path = os.path.join(self.mirror, f'nginx-{version}.tar.gz')
        inside = os.path.join(self.dir, f'nginx-{version}')
        os.makedirs(inside, exist_ok=True)
        with tarfile.open(path, 'w:gz') as tar:
            tar.add(inside, f'nginx-{version}')
        with open(path, 'rb') as file:
            return hashlib.sha256(file.read()).hexdigest()

    def build(self, version, flags='--with-compat', **env):
        """Run build.sh beside an nginx of that version.

        Return whether it went well and called make, and what it said; make
        only notes what it was asked for, and makes an empty module and
        program.
        """
        made = os.path.join(self.dir, 'made')
        for name, text in (
                ('nginx', f'echo "nginx version: nginx/{version}" >&2\n'
                          f'echo "configure arguments: {flags}" >&2\n'),
                ('make', f'echo "$@" > {made}\n'
                         'for arg; do case $arg in OBJS=*) '
                         'mkdir -p ${arg#OBJS=}\n'
                         'touch ${arg#OBJS=}/ngx_http_akl_k8s_module.so '
                         '${arg#OBJS=}/akl-k8s;; '
                         'esac\ndone\n')):
            tokens.write_file(os.path.join(self.tools, name),
                              '#!/bin/sh\n' + text, 0o755)
        if os.path.exists(made):
            os.remove(made)
        done = subprocess.run(
            ['sh', os.path.join(DOCKER, 'build.sh'), nginx.ROOT,
             os.path.join(self.dir, 'out')], check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={
                'PATH': f'{self.tools}:{os.environ["PATH"]}',
                'TMPDIR': self.dir, 'NGINX_URL': f'file://{self.mirror}',
                **env})
        return (done.returncode == 0, os.path.exists(made)), done.stdout


@t.own
def builder():
    """A builder with an empty mirror."""
    return Builder()


BUILT = True, True
NOT_BUILT = False, False


@t.story
def sources_of_no_known_digest_are_not_built(builder):
    builder.archive('1.99.0')
    result, said = builder.build('1.99.0')
    t.is_(result, NOT_BUILT, 'the build')
    t.like(said, 'the digest of nginx-1.99.0.tar.gz is not known',
           'they are named')


@t.story
def sources_of_the_digest_that_nginx_sha256_names_are_built(builder):
    digest = builder.archive('1.99.0')
    t.is_(builder.build('1.99.0', NGINX_SHA256=digest)[0], BUILT, 'the build')
    t.is_(builder.build('1.99.0', NGINX_SHA256=digest,
                        NGINX_URL=f'file://{builder.mirror}/')[0], BUILT,
          'from a mirror with a slash at its end')
    t.is_(builder.build('1.99.0', NGINX_SHA256='0' * 64)[0], NOT_BUILT,
          'another digest')


@t.story
def the_program_is_built_beside_the_module(builder):
    digest = builder.archive('1.99.0')
    builder.build('1.99.0', NGINX_SHA256=digest)
    out = os.path.join(builder.dir, 'out')
    t.is_([os.listdir(os.path.join(out, name))
           for name in ('modules', 'bin')],
          [['ngx_http_akl_k8s_module.so'], ['akl-k8s']], 'both are put out')


@t.story
def the_image_has_what_both_of_them_need():
    build, _, run = read('Dockerfile').partition('\n\n\nFROM ')
    for library, package in (('curl', 'curl'), ('jansson', 'libjansson4'),
                             ('yaml', 'libyaml-0-2')):
        t.like(build, rf'lib{library}\w*(-openssl)?-dev\b',
               f'{library} to build with')
        t.like(run, rf'\b{package}\b', f'{package} to run with')
    needed = subprocess.run(['ldd', cli.BINARY], text=True, check=True,
                            stdout=subprocess.PIPE).stdout
    t.is_([one for one in ('libcurl', 'libjansson', 'libyaml')
           if one not in needed], [], 'that is what the program needs')
    t.like(run, r'nginx -t -c(.*\n)*.*&& akl-k8s --version',
           'both are tried while it is built')


@t.story
def what_the_mirror_does_not_have_is_not_built(builder):
    digest = builder.archive('1.99.0')
    t.is_(builder.build('1.99.1', NGINX_SHA256=digest)[0], NOT_BUILT,
          'the build')


@t.story
def nothing_is_built_for_an_nginx_without_compat(builder):
    digest = builder.archive('1.99.0')
    result, said = builder.build('1.99.0', flags='', NGINX_SHA256=digest)
    t.is_(result, NOT_BUILT, 'the build')
    t.like(said, 'without --with-compat', 'the reason')


@t.story
def what_a_mirror_has_is_held_against_the_digests_we_know(builder):
    for name in KNOWN:
        version = re.fullmatch(r'nginx-(.+)\.tar\.gz', name).group(1)
        builder.archive(version)
        result, said = builder.build(version)
        t.is_(result, NOT_BUILT, f'{name}')
        t.like(said, 'FAILED', f'{name} is not what it should be')


@t.story
def the_version_that_the_dockerfile_builds_has_a_digest():
    text = read('Dockerfile')
    tag = re.search(r'^ARG NGINX_TAG=(\S+)$', text, re.M).group(1)
    t.ok(f'nginx-{tag}.tar.gz' in KNOWN, tag)
    t.ok('nginx.sha256' in text, 'the list of digests goes into the build')


@t.story
def the_dockerfile_hands_on_where_sources_come_from():
    text = read('Dockerfile')
    for name in ('NGINX_URL', 'NGINX_SHA256'):
        t.ok(re.search(rf'^ARG {name}=', text, re.M)
             and f'{name}="${name}"' in text, name)


@t.story
def each_file_that_the_dockerfile_copies_is_there():
    names = re.findall(r'docker/(\S+)', ' '.join(
        re.findall(r'^COPY (.*)$', read('Dockerfile'), re.M)))
    t.ok(names, 'it copies some')
    for name in names:
        t.ok(os.path.exists(os.path.join(DOCKER, name)), name)


t.tell()
