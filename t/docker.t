#!/usr/bin/python3
"""What the container image is built from: sources of a known digest."""

import glob
import hashlib
import os
import re
import shutil
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
        only notes what it was asked for, and makes an empty module, and an
        empty program where that is among it.
        """
        made = os.path.join(self.dir, 'made')
        for name, text in (
                ('nginx', f'echo "nginx version: nginx/{version}" >&2\n'
                          f'echo "configure arguments: {flags}" >&2\n'),
                ('make', f'echo "$@" > {made}\n'
                         'for arg; do case $arg in OBJS=*) '
                         'mkdir -p ${arg#OBJS=}\n'
                         'touch ${arg#OBJS=}/ngx_http_akl_k8s_module.so\n'
                         'case " $* " in *" cli "*) '
                         'touch ${arg#OBJS=}/akl-k8s;; esac;; '
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
def the_module_is_built_alone_where_nothing_else_is_asked_for(builder):
    digest = builder.archive('1.99.0')
    result, said = builder.build('1.99.0', NGINX_SHA256=digest,
                                 TARGETS='module')
    t.is_(result, BUILT, 'the build')
    t.unlike(said, 'cannot stat', 'of which nothing is missed')
    t.is_(os.listdir(os.path.join(builder.dir, 'out')), ['modules'],
          'what is put out')


@t.story
def the_images_have_what_module_and_program_need():
    names = {'Dockerfile': (('curl4-openssl', 'curl'),
                            ('jansson', 'libjansson4'),
                            ('yaml', 'libyaml-0-2')),
             'Dockerfile.alpine': (('curl', 'libcurl'),
                                   ('jansson', 'jansson'),
                                   ('yaml', 'yaml'))}
    for name, libraries in names.items():
        build, _, run = read(name).partition(' AS gateway\n')
        for library, package in libraries:
            t.like(build, rf'\b(lib)?{library}-dev\b',
                   f'{name}: {library} to build with')
            t.like(run, rf'\b{package}\b', f'{name}: {package} to run with')
        t.like(run, r'nginx -t -e stderr && akl-k8s --version',
               f'{name}: both are tried while it is built')
    needed = subprocess.run(['ldd', cli.BINARY], text=True, check=True,
                            stdout=subprocess.PIPE).stdout
    t.is_([one for one in ('libcurl', 'libjansson', 'libyaml')
           if one not in needed], [], 'that is what the program needs')


@t.story
def what_the_images_copy_is_all_that_make_reads():
    for name in ('Dockerfile', 'Dockerfile.alpine', 'Dockerfile.ingress-nginx'):
        copied = re.findall(r'^COPY (?!--)(.*) (akl\S*)$', read(name), re.M)
        root = os.path.join(t.dir, name)
        for sources, to in copied:
            for source in sources.split():
                kept = os.path.join(nginx.ROOT, source)
                target = os.path.join(root, to)
                if os.path.isdir(kept):
                    shutil.copytree(kept, target)
                else:
                    os.makedirs(target, exist_ok=True)
                    shutil.copy(kept, target)
        done = subprocess.run(
            ['make', '-n', '-C', os.path.join(root, 'akl'), 'cli'],
            capture_output=True, text=True, check=False)
        t.is_(done.returncode, 0, f'{name}: a build is planned')
        t.unlike(done.stderr, 'No such file', f'{name}: nothing is missed')


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


DOCKERFILES = [os.path.relpath(path, DOCKER) for path in sorted(
    glob.glob(os.path.join(DOCKER, 'Dockerfile*')))]
SCRIPTS = [os.path.relpath(path, DOCKER) for path in sorted(
    glob.glob(os.path.join(DOCKER, '*.sh'))
    + glob.glob(os.path.join(DOCKER, 'official-image', '*', 'prebuild')))]


@t.story
def patches_of_an_nginx_are_applied_to_its_sources(builder):
    inside = os.path.join(builder.dir, 'nginx-1.99.0')
    os.makedirs(inside)
    tokens.write_file(os.path.join(inside, 'a'), 'one\n')
    digest = builder.archive('1.99.0')
    patches = os.path.join(builder.dir, 'patches')
    os.makedirs(patches)
    text = '--- nginx/a\n+++ nginx/a\n@@ -1 +1 @@\n-{}\n+two\n'
    tokens.write_file(os.path.join(patches, '1.patch'), text.format('one'))
    result, said = builder.build('1.99.0', NGINX_SHA256=digest,
                                 NGINX_PATCHES=patches)
    t.is_(result, BUILT, 'the build')
    t.like(said, 'patching file a', 'what is patched')
    tokens.write_file(os.path.join(patches, '2.patch'), text.format('three'))
    t.is_(builder.build('1.99.0', NGINX_SHA256=digest,
                        NGINX_PATCHES=patches)[0], NOT_BUILT,
          'with a patch that does not fit')


@t.story
def a_base_image_has_no_default_and_has_to_be_pinned():
    for name in DOCKERFILES:
        text = read(name)
        bases = set(re.findall(r'^FROM (\S+)', text, re.M))
        stages = set(re.findall(r'^FROM \S+ AS (\S+)', text, re.M))
        images = [base.strip('${}') for base in bases - stages]
        t.is_(len(images), 1, f'{name} builds on one image')
        t.ok(re.search(rf'^ARG {images[0]}$', text, re.M),
             f'{name}: {images[0]} has no default')
        t.ok(re.search(r'case \$' + images[0] + r' in \\\n +\*@sha256:\*\)',
                       text), f'{name} demands a digest')


@t.story
def images_run_as_an_ordinary_user_and_end_gracefully():
    for name in 'Dockerfile', 'Dockerfile.alpine':
        final = read(name).rpartition(' AS gateway\n')[2]
        final = final.split('\nFROM ')[0]
        t.is_(re.findall(r'^USER (.*)$', final, re.M)[-1], '101:101',
              f'{name}: its user')
        t.is_(re.findall(r'^STOPSIGNAL (.*)$', final, re.M), ['SIGQUIT'],
              f'{name}: its stop signal')
        t.ok('akl-k8s.sbom=' in final, f'{name}: a label names the SBOM')


@t.story
def the_dockerfiles_hand_on_where_sources_come_from():
    for name in 'Dockerfile', 'Dockerfile.alpine':
        for member in 'NGINX_URL', 'NGINX_SHA256':
            t.ok(re.search(rf'^ARG {member}=', read(name), re.M)
                 and f'{member}="${member}"' in read(name),
                 f'{name}: {member}')
        t.ok('nginx.sha256' in read(name), f'{name}: the list of digests')


@t.story
def each_file_that_the_dockerfiles_copy_is_there():
    for name in DOCKERFILES:
        names = [word for line in re.findall(
            r'^COPY (?!--from)(.*)$', read(name), re.M)
            for word in line.split()[:-1]]
        t.ok(names, f'{name} copies some')
        for copied in names:
            t.ok(os.path.exists(os.path.join(nginx.ROOT, copied)), copied)


@t.story
def hadolint_finds_nothing():
    hadolint = shutil.which('hadolint', path=os.path.join(
        nginx.ROOT, 'objs', 'tools')) or shutil.which('hadolint')
    if hadolint is None:
        t.skip('there is no hadolint (make tools)')
        return
    for name in DOCKERFILES:
        done = subprocess.run([hadolint, os.path.join(DOCKER, name)],
                              check=False, text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        t.is_((done.returncode, done.stdout), (0, ''), name)


@t.story
def shellcheck_finds_nothing():
    if shutil.which('shellcheck') is None:
        t.skip('there is no shellcheck')
        return
    for name in SCRIPTS:
        done = subprocess.run(['shellcheck', os.path.join(DOCKER, name)],
                              check=False, text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        t.is_((done.returncode, done.stdout), (0, ''), name)


class Docker:
    """A docker that knows one digest."""

    def __init__(self):
        self.dir = t.folder()

    def pin(self, image, says):
        """Run pin.sh with a docker that says so; return code, words."""
        tokens.write_file(os.path.join(self.dir, 'docker'),
                          '#!/bin/sh\n' + says, 0o755)
        done = subprocess.run(
            ['sh', os.path.join(DOCKER, 'pin.sh'), *image], check=False,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={'PATH': f'{self.dir}:{os.environ["PATH"]}'})
        return done.returncode, done.stdout.strip()


@t.own
def docker():
    """A docker of this story's own."""
    return Docker()


@t.story
def pin_prints_an_image_with_the_digest_of_the_registry(docker):
    digest = 'sha256:' + 'a1' * 32
    t.is_(docker.pin(['nginx:1.28.0'], f'echo {digest}\n'),
          (0, f'nginx:1.28.0@{digest}'), 'an image')
    t.is_(docker.pin([f'nginx@{digest}'], 'exit 1\n'),
          (0, f'nginx@{digest}'), 'one that has a digest')
    t.is_(docker.pin(['nginx:1.28.0'], 'echo none\n'), (1, ''),
          'no digest is no answer')
    t.is_(docker.pin(['nginx:1.28.0'], 'exit 1\n'), (1, ''),
          'nor is a registry that does not answer')
    t.is_(docker.pin([], ''), (2, ''), 'no image')


@t.story
def the_directory_for_the_official_image_is_whole():
    place = os.path.join(DOCKER, 'official-image', 'aklk8s')
    t.is_(sorted(os.listdir(place)), ['build-deps', 'prebuild', 'source'],
          'its files')
    t.ok(os.access(os.path.join(place, 'prebuild'), os.X_OK),
         'prebuild can be executed, or it would be passed over')
    with open(os.path.join(nginx.ROOT, 'config'), encoding='ascii') as file:
        t.like(file.read(), r'\n\. auto/module', 'config is a dynamic '
               'module\'s, or the packaging tools would change it')


t.tell()
