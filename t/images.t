#!/usr/bin/python3
"""The container images: the steps of each Dockerfile, in a root file system.

"make test-images" runs it; it takes minutes, root, debootstrap and Debian's
archive.  The base image is stood in for by Debian with its own nginx, and
nginx.org by a directory with the sources that belong to it.  AKL_ALPINE_ROOT is
a root file system of an image that has Alpine; without, Debian stands in for
it, with an apk that installs what Debian has by other names.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import dockerfile  # noqa: E402
import nginx  # noqa: E402
import roots  # noqa: E402
from akltest import Test  # noqa: E402

os.environ.setdefault('AKL_TIMEOUT', '3600')

t = Test()

DOCKER = os.path.join(nginx.ROOT, 'docker')
IMAGE = 'nginx:1.22.1@sha256:' + '0' * 64
PACKAGES = 'nginx', 'ca-certificates'

if not os.environ.get('AKL_IMAGES'):
    t.skip_all('takes minutes; "make test-images" runs it')
if roots.missing() or dockerfile.possible():
    t.skip_all(roots.missing() or dockerfile.possible())


def read(name):
    """Return a file of docker/."""
    with open(os.path.join(DOCKER, name), encoding='utf-8') as file:
        return file.read()


def sh(*command):
    """Run a command; skip everything where it cannot be had."""
    done = subprocess.run(command, check=False, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode:
        t.skip_all(f'{command[0]}: {done.stdout.strip()[-200:]}')


def base_of_debian(root):
    """Make a Debian with nginx, and the user that the official image has."""
    os.makedirs(root)
    roots.bootstrap()
    sh('tar', '-C', root, '-xf', roots.kept())
    for path in '/etc/resolv.conf', '/etc/hosts':
        if os.path.exists(path):
            shutil.copy(path, root + path)
    for path in '/etc/apt/apt.conf.d', '/etc/ssl/certs':
        if os.path.isdir(path):
            sh('cp', '-rnL', path, root + os.path.dirname(path))
    tokens_write(root + '/usr/sbin/policy-rc.d', '#!/bin/sh\nexit 101\n')
    stage = dockerfile.Stage(root)
    stage.env['DEBIAN_FRONTEND'] = 'noninteractive'
    t.note('apt-get install ' + ' '.join(PACKAGES))
    stage.chroot(['sh', '-c', 'apt-get update -q && apt-get install -q -y '
                  '--no-install-recommends ' + ' '.join(PACKAGES)])
    stage.chroot(['sh', '-c', 'cd /tmp && apt-get download -q nginx-dev && '
                  'dpkg-deb -x nginx-dev_*.deb /nginx-dev'])
    stage.chroot(['sh', '-c', 'groupadd --system --gid 101 nginx || true; '
                  'useradd --system --gid 101 --no-create-home --uid 101 '
                  'nginx || true; rm -rf /etc/nginx/sites-enabled '
                  '/etc/nginx/modules-enabled'])
    return root


def tokens_write(path, text):
    """Write an executable file."""
    with open(path, 'w', encoding='ascii') as file:
        file.write(text)
    os.chmod(path, 0o755)


@t.shared
def debian():
    """The root of the Debian that stands for the official image."""
    return base_of_debian(os.path.join(t.dir, 'debian'))


@t.shared
def sources(debian):
    """A mirror inside of it; the digest of what is there."""
    mirror = os.path.join(debian, 'mirror')
    os.makedirs(mirror)
    path = os.path.join(mirror, 'nginx-1.22.1.tar.gz')
    with tarfile.open(path, 'w:gz') as tar:
        tar.add(os.path.join(debian, 'nginx-dev/usr/share/nginx/src'),
                'nginx-1.22.1')
    with open(path, 'rb') as file:
        return hashlib.sha256(file.read()).hexdigest()


def context():
    """Return what the build is given: what git knows, as COPY takes it."""
    place = os.path.join(t.dir, 'context')
    if not os.path.exists(place):
        os.makedirs(place)
        names = subprocess.run(
            ['git', 'ls-files', '-z', '-co', '--exclude-standard'],
            cwd=nginx.ROOT, check=True, stdout=subprocess.PIPE
            ).stdout.decode().split('\0')
        for name in filter(None, names):
            path = os.path.join(nginx.ROOT, name)
            if os.path.isfile(path):
                os.makedirs(os.path.join(place, os.path.dirname(name)),
                            exist_ok=True)
                shutil.copy2(path, os.path.join(place, name))
    return place


@t.shared
def built(debian, sources):
    """The stages of docker/Dockerfile, by name."""
    work = t.folder()
    build = dockerfile.Build(
        context(), debian, work, NGINX_IMAGE=IMAGE,
        NGINX_URL='file:///mirror', NGINX_SHA256=sources)
    build.run(read('Dockerfile'), t.note)
    return build


@t.story
def the_image_of_debian_is_built_and_loads_the_module(built):
    image = built.stage
    t.like(image.chroot(['nginx', '-t', '-e', 'stderr']),
           'test is successful', 'nginx with its nginx.conf')
    t.like(image.chroot(['akl-k8s', '--version']), r'^akl-k8s \d', 'akl-k8s')
    t.is_((image.user, image.signal), ('101:101', 'SIGQUIT'),
          'its user, and the signal that ends it gracefully')
    t.ok(not os.path.exists(image.path('/usr/bin/gcc')), 'no compiler')


@t.story
def an_image_without_a_digest_is_not_built_upon(debian):
    try:
        dockerfile.Build(context(), debian, t.folder(),
                         NGINX_IMAGE='nginx:1.28.0').run(
                             read('Dockerfile'), t.note)
        t.ok(False, 'it is refused')
    except dockerfile.Failed as failed:
        t.like(str(failed), 'has no digest', 'it is refused')


@t.story
def the_sbom_that_the_label_names_has_the_libraries(built):
    labels = built.stage.labels
    t.is_(labels['org.opencontainers.image.base.name'], IMAGE, 'the base')
    with open(built.stage.path(labels['akl-k8s.sbom']),
              encoding='utf-8') as file:
        sbom = json.load(file)
    t.is_(sbom['spdxVersion'], 'SPDX-2.3', 'its kind')
    packages = {held['name']: held['versionInfo']
                for held in sbom['packages']}
    for name in 'libcurl4', 'libjansson4', 'libssl3', 'libyaml-0-2':
        have = built.stage.chroot(['dpkg-query', '-W', '-f', '${Version}',
                                   name])
        t.is_(packages.get(name), have, f'the version of {name}')
    t.ok(re.fullmatch(r'\d+\.\d+\.\d+', packages['akl-k8s']), 'its own')
    ids = {held['SPDXID'] for held in sbom['packages']}
    t.is_(sorted(relation['relatedSpdxElement']
                 for relation in sbom['relationships']), sorted(ids),
          'each package has its relation')


@t.story
def the_image_of_the_demo_has_the_fake_cluster(built):
    demo = built.stages['demo']
    t.like(demo.chroot(['python3', '/srv/akl/apiserver.py', '--help']),
           'fake kube-apiserver', 'it runs')
    t.is_(demo.chroot(['stat', '-c', '%u', '/run/akl']).strip(), '101',
          'its directory is its user\'s')


@t.story
def prebuild_of_the_official_image_brings_what_the_module_needs(debian,
                                                                sources):
    work = os.path.join(t.folder(), 'official')
    stage = dockerfile.Stage(work)
    sh('cp', '-a', debian, work)
    modules = os.path.join(work, 'modules')
    shutil.copytree(os.path.join(DOCKER, 'official-image'), modules)
    module = os.path.join(modules, 'aklk8s', 'module')
    os.makedirs(module)
    for name in 'config', 'ngx_http_akl_k8s_module.c', 'src':
        sh('cp', '-r', os.path.join(context(), name), module)
    with open(os.path.join(modules, 'aklk8s', 'source'),
              encoding='ascii') as file:
        t.is_(file.read().strip(), '/modules/aklk8s/module', 'the sources')

    # as modules/Dockerfile does it, but for the packaging tools of nginx.org
    stage.env['DEBIAN_FRONTEND'] = 'noninteractive'
    stage.chroot(['sh', '-c', 'apt-get install -y --no-install-recommends '
                  'libc6-dev libpcre2-dev zlib1g-dev '
                  '$(cat /modules/aklk8s/build-deps)'])
    stage.chroot(['/modules/aklk8s/prebuild'])
    stage.chroot(['sh', '-c', 'mkdir /build && tar xzf /mirror/*.tar.gz -C '
                  '/build --strip-components=1 && cd /build && ./configure '
                  '--with-compat --add-dynamic-module='
                  '$(cat /modules/aklk8s/source) '
                  '&& make -f objs/Makefile modules'])
    t.like(stage.chroot(['ldd', '/build/objs/ngx_http_akl_k8s_module.so']),
           'libcurl', 'the module is there')


# Alpine, which Debian stands in for where there is none

# what "apk add" is asked for, and what has it in Debian

APK = {
    'curl-dev': 'libcurl4-openssl-dev', 'jansson': 'libjansson4',
    'jansson-dev': 'libjansson-dev', 'libc-dev': 'libc6-dev',
    'libcurl': 'libcurl4', 'linux-headers': 'linux-libc-dev',
    'openssl-dev': 'libssl-dev', 'pcre2-dev': 'libpcre2-dev',
    'yaml': 'libyaml-0-2', 'yaml-dev': 'libyaml-dev',
    'zlib-dev': 'zlib1g-dev', **{name: name for name in (
        'bash', 'curl', 'gcc', 'make', 'patch', 'perl', 'tar')}}

ADD = '''#!/bin/sh
# stands for apk: "apk add --no-cache NAME ..."
[ "$1 $2" = "add --no-cache" ] || { echo "apk: $*?" >&2; exit 1; }
shift 2
packages=
for name; do
    case $name in
@cases@
        *) echo "apk: no such package: $name" >&2; exit 1 ;;
    esac
done
apt-get update -q
# shellcheck disable=SC2086
exec apt-get install -q -y --no-install-recommends $packages
'''


@t.shared
def archives(debian):
    """The archives of libcurl and jansson that Debian has, as arguments."""
    stage = dockerfile.Stage(debian)
    with open(debian + '/mirror/source.list', 'w', encoding='ascii') as file:
        file.write(f'deb-src {roots.MIRROR} {roots.SUITE} main\n')
    apt = ('apt-get -q -o Dir::Etc::SourceList=/mirror/source.list '
           '-o Dir::Etc::SourceParts=-')
    stage.chroot(['sh', '-c', f'cd /mirror && {apt} update && '
                  f'{apt} source --download-only curl jansson'])
    # jansson's releases have a configure, Debian's archive of it has none
    stage.chroot(['sh', '-c', '''set -e
        apt-get update -q
        apt-get install -q -y --no-install-recommends \\
            autoconf automake libtool make
        mkdir /tmp/jansson
        cd /tmp/jansson
        tar -x -z -f /mirror/jansson_*.orig.tar.gz --strip-components=1
        autoreconf -f -i
        tar -c -z -f /mirror/jansson_*.orig.tar.gz -C /tmp jansson'''])
    given = {}
    for name in 'curl', 'jansson':
        found, = (one for one in os.listdir(debian + '/mirror')
                  if re.fullmatch(rf'{name}_[\d.]+\.orig\.tar\.gz', one))
        with open(f'{debian}/mirror/{found}', 'rb') as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        given[f'{name.upper()}_VERSION'] = found.split('_')[1][:-12]
        given[f'{name.upper()}_URL'] = f'file:///mirror/{found}'
        given[f'{name.upper()}_SHA256'] = digest
    return given


@t.shared
def alpine(debian, archives):
    """The root of an Alpine with nginx, or of a Debian with an apk.

    It is copied once the archives are on its mirror.
    """
    assert archives
    root = os.path.join(t.dir, 'alpine')
    tar = os.environ.get('AKL_ALPINE_ROOT')
    if tar:
        os.makedirs(root)
        sh('tar', '-C', root, '-xf', tar)
        for path in '/etc/resolv.conf', '/etc/hosts':
            shutil.copy(path, root + path)
    else:
        t.note('no AKL_ALPINE_ROOT, a root file system of nginx:*-alpine: '
               'Debian stands in for it')
        sh('cp', '-a', debian, root)
        tokens_write(root + '/usr/sbin/apk', ADD.replace('@cases@', '\n'.join(
            f'        {name}) packages="$packages {package}" ;;'
            for name, package in APK.items())))
    return root


@t.story
def the_image_of_alpine_is_built_and_loads_the_module(sources, alpine):
    image = dockerfile.Build(
        context(), alpine, t.folder(), NGINX_IMAGE=IMAGE,
        NGINX_URL='file:///mirror', NGINX_SHA256=sources).run(
            read('Dockerfile.alpine'), t.note)
    t.like(image.chroot(['nginx', '-t', '-e', 'stderr']),
           'test is successful', 'nginx with its nginx.conf')
    t.like(image.chroot(['akl-k8s', '--version']), r'^akl-k8s \d', 'akl-k8s')
    t.is_((image.user, image.signal), ('101:101', 'SIGQUIT'),
          'its user, and the signal that ends it gracefully')


PATCH = '''\
--- a/src/core/nginx.h
+++ b/src/core/nginx.h
@@ -13,3 +13,3 @@
 #define nginx_version      1022001
-#define NGINX_VERSION      "1.22.1"
+#define NGINX_VERSION      "1.22.1-patched"
 #define NGINX_VER          "nginx/" NGINX_VERSION
'''


@t.story
def the_controller_of_ingress_nginx_gets_a_module_with_its_libraries(
        sources, archives, alpine):
    place = os.path.join(t.folder(), 'ingress')
    patches = os.path.join(place, 'images', 'nginx', 'rootfs', 'patches')
    os.makedirs(patches)
    with open(os.path.join(patches, '01.patch'), 'w',
              encoding='ascii') as file:
        file.write(PATCH)
    build = dockerfile.Build(
        context(), alpine, t.folder(), INGRESS_IMAGE=IMAGE,
        NGINX_URL='file:///mirror', NGINX_SHA256=sources, **archives)
    build.stages['ingress'] = dockerfile.Stage(place)
    image = build.run(read('Dockerfile.ingress-nginx'), t.note)
    loaded = image.chroot(['ldd', '/etc/nginx/modules/'
                           'ngx_http_akl_k8s_module.so'])
    t.like(loaded, r'libcrypto\.so', 'OpenSSL is nginx\'s own')
    t.unlike(loaded, r'libcurl|libjansson|not found', 'the others are in it')
    with open(image.path('/etc/nginx/modules/ngx_http_akl_k8s_module.so'),
              'rb') as file:
        t.ok(b'1.22.1-patched' in file.read(),
             'it was built with the patches of that release')


t.tell()
