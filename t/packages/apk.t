#!/usr/bin/python3
"""Alpine's APKBUILD: its functions, run as abuild runs them.

Neither Alpine nor abuild is at hand: a shell script that stands for abuild
runs them in a Debian root, by busybox's shell and programs, against Debian's
libraries.  nginx's sources are those of Debian's nginx, in an archive whose
digest the tree is told of.  "make test-packages" runs it.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
import machines  # noqa: E402
import roots  # noqa: E402
from akltest import Test  # noqa: E402

NEEDED = ('busybox bash gcc libc6-dev make nginx nginx-dev '
          'libcurl4-openssl-dev libjansson-dev libpcre2-dev libssl-dev '
          'libyaml-dev zlib1g-dev')
NGINX = '1.22.1'
ARCHIVE = f'nginx-{NGINX}.tar.gz'
MODULE = 'nginx-mod-http-akl-k8s'

# Alpine has these of GNU's by makedepends, or for want of others

GNU = 'tar', 'make', 'gcc', 'ar', 'bash'

# What abuild does with an APKBUILD: each function in a shell of its own that
# stops at the first error, and each subpackage a directory of its own

ABUILD = r'''#!/bin/sh
set -eu

startdir=$PWD
srcdir=$startdir/src
pkgbasedir=$startdir/pkg
CFLAGS="-Os -fstack-clash-protection -Wformat -Werror=format-security"
LDFLAGS="-Wl,--as-needed,-O1,--sort-common"

. ./APKBUILD

default_prepare() { [ -d "$builddir" ]; }

amove() {
    for path; do
        mkdir -p "$subpkgdir/$(dirname "$path")"
        mv "$pkgdir/$path" "$subpkgdir/$(dirname "$path")/"
    done
}

doc() {
    for path in usr/share/doc usr/share/man; do
        if [ -e "$pkgdir/$path" ]; then
            amove "$path"
        fi
    done
}

step() { echo "step $1"; (set -eu; "$1"); }

rm -rf "$srcdir" "$pkgbasedir"
mkdir -p "$srcdir"
echo "$sha512sums" | sed '/^$/d' | sha512sum -c -

for file in $source; do
    file=${file##*/}
    ln -s "$startdir/$file" "$srcdir/$file"
    tar -x -z -f "$file" -C "$srcdir"
done

pkgdir=$pkgbasedir/$pkgname
mkdir -p "$pkgdir"
step prepare
step build
step check
step package

for sub in $subpackages; do
    name=${sub%%:*}
    subpkgdir=$pkgbasedir/$name
    mkdir -p "$subpkgdir"
    case $sub in
        *:*) step "${sub#*:}" ;;
        *-doc) step doc ;;
        *) echo "no function for $sub" >&2; exit 1 ;;
    esac
done
'''

t = Test()
if roots.missing():
    t.skip_all(roots.missing())


class Alpine:
    """A root with busybox, and the packages' directories."""

    def __init__(self):
        self.root = roots.Root(t)
        self.root.install(NEEDED)
        self.root.must('mkdir /bb && busybox --install -s /bb && cd /bb && '
                       'rm -f ' + ' '.join(GNU))
        # the archive that Debian's sources make, whose digest the tree has
        self.root.must(
            f'mkdir /apk && cp -R /usr/share/nginx/src /tmp/nginx-{NGINX} && '
            f'tar -c -z -f /apk/{ARCHIVE} -C /tmp nginx-{NGINX}')
        with open(self.root.path(f'/apk/{ARCHIVE}'), 'rb') as file:
            self.digest = hashlib.sha256(file.read()).hexdigest()
        tarball = machines.packed(t.folder())
        self.version = re.search(r'-([0-9][^-]*)\.tar\.gz$', tarball)[1]
        self.tree = machines.unpacked(tarball, t.folder())

    def fill(self, digest):
        """Make the APKBUILD of a tree that knows a digest."""
        with open(os.path.join(self.tree, 'docker', 'nginx.sha256'), 'w',
                  encoding='ascii') as file:
            file.write(f'{digest}  {ARCHIVE}\n' if digest else '')
        return subprocess.run(
            [os.path.join(self.tree, 'packaging', 'apk'),
             self.root.path('/apk'), NGINX], check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def build(self):
        """Run the functions; return code and output."""
        self.root.write('/apk/abuild', ABUILD)
        self.root.must(f'cd /apk && sha512sum {ARCHIVE} > sum && '
                       "sed -i '/^sha512sums=/r sum' APKBUILD")
        return self.root.run('cd /apk && PATH=/bb:$PATH sh abuild')


@t.shared
def alpine():
    """What stands for an Alpine."""
    return Alpine()


@t.shared
def made(alpine):
    """The files of each package, by its name."""
    filled = alpine.fill(alpine.digest)
    assert filled.returncode == 0, filled.stdout
    code, said = alpine.build()
    assert code == 0, said[-4000:]
    files = {}
    base = alpine.root.path('/apk/pkg')
    for name in os.listdir(base):
        files[name] = {os.path.join(path, one)[len(base) + len(name) + 1:]
                       for path, _, names in os.walk(os.path.join(base, name))
                       for one in names}
    return files


@t.story
def shellcheck_has_nothing_to_say(alpine):
    if not shutil.which('shellcheck'):
        t.skip('needs shellcheck')
        return
    alpine.fill(alpine.digest)
    # abuild reads variables, sets others, and stops at the first error
    done = subprocess.run(
        ['shellcheck', '-s', 'sh', '-e', 'SC2034,SC2154,SC2164',
         alpine.root.path('/apk/APKBUILD')], check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    t.is_((done.returncode, done.stdout), (0, ''), 'of the APKBUILD')


@t.story
def sources_of_an_unknown_digest_are_not_built(alpine):
    done = alpine.fill(None)
    t.is_(done.returncode, 1, 'no APKBUILD is made of them')
    t.like(done.stdout, 'is not known', 'and it is told why')
    t.is_(alpine.fill('0' * 64).returncode, 0, 'of another digest one is')
    code, said = alpine.build()
    t.isnt(code, 0, 'but it ends')
    t.like(said, rf'{re.escape(ARCHIVE)}: FAILED', 'with the digest')
    t.unlike(said, 'step build', 'before anything is built')


@t.story
def each_package_has_what_its_users_look_for(made):
    for name, wanted in (
            (MODULE, ['/usr/lib/nginx/modules/ngx_http_akl_k8s_module.so',
                      '/etc/nginx/modules/50_http_akl_k8s.conf']),
            ('akl-k8s', ['/usr/bin/akl-k8s',
                         '/usr/share/bash-completion/completions/akl-k8s',
                         '/usr/share/zsh/site-functions/_akl-k8s']),
            ('akl-k8s-doc', ['/usr/share/man/man1/akl-k8s.1'])):
        t.is_(sorted(made[name]), sorted(wanted), f'all of {name}')
    doc = f'/usr/share/doc/{MODULE}'
    for wanted in 'README.md', 'docs/directives.md', \
            'conf-examples/minimal.conf':
        t.ok(f'{doc}/{wanted}' in made[f'{MODULE}-doc'], wanted)
    t.is_([path for path in made[f'{MODULE}-doc']
           if not path.startswith(doc)], [], 'and nothing but manuals there')


@t.story
def nginx_loads_the_module_as_alpines_does(alpine, made):
    assert made
    root = alpine.root
    root.must(f'cp -R /apk/pkg/{MODULE}/. /apk/pkg/akl-k8s/. /')
    root.write('/etc/nginx/nginx.conf', 'include /etc/nginx/modules/*.conf;\n'
               'events {}\nhttp { akl_k8s_zone own:1m; }\n')
    t.like(root.must('nginx -t 2>&1'), 'test is successful', 'nginx -t')
    t.like(root.must('akl-k8s --version'), r'^akl-k8s \d', 'akl-k8s')


@t.story
def the_version_is_one_that_apk_takes(alpine, made):
    assert made
    text = alpine.root.read('/apk/APKBUILD')
    found = re.search(r'(?m)^pkgver=(.*)$', text)[1]
    t.like(found, r'^\d+(\.\d+)*(_git\d+)?$', 'pkgver')
    t.is_(found.replace('_', '+'), alpine.version, 'the version of this tree')


t.tell()
