#!/usr/bin/python3
"""Debian packages: built in a clean root, installed, upgraded, purged.

Takes minutes, root and a way to Debian's archive: make test-packages.
"""

import hashlib
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
import machines  # noqa: E402
import roots  # noqa: E402
from akltest import Test, wait_for  # noqa: E402
from machines import Builder, Load, Machine  # noqa: E402

BUILD = ('build-essential debhelper nginx-dev fakeroot '
         'libcurl4-openssl-dev libjansson-dev libssl-dev libyaml-dev')
NEEDED = 'nginx libcurl4 libjansson4 libyaml-0-2'
MODULE = 'libnginx-mod-http-akl-k8s'
NAME = r'{}_.*\.deb'             # of a package's file

t = Test()
if roots.missing():
    t.skip_all(roots.missing())


@t.shared
def builder():
    """The packages, built in a clean root."""
    return Builder(t, BUILD, 'deb', NAME)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def debian():
    """A root with what the packages depend on; nginx has no site yet."""
    root = roots.Root(t)
    root.install(NEEDED)
    os.remove(root.path('/etc/nginx/sites-enabled/default'))
    return root


@t.story
def the_packages_have_what_their_users_look_for(builder):
    for name, wanted in (
            (MODULE, ['/usr/lib/nginx/modules/ngx_http_akl_k8s_module.so',
                      '/usr/share/nginx/modules-available/'
                      'mod-http-akl-k8s.conf',
                      f'/usr/share/doc/{MODULE}/copyright',
                      f'/usr/share/doc/{MODULE}/changelog.gz',
                      f'/usr/share/doc/{MODULE}/examples/minimal.conf']),
            ('akl-k8s', ['/usr/bin/akl-k8s',
                         '/usr/share/man/man1/akl-k8s.1.gz',
                         '/usr/share/bash-completion/completions/akl-k8s',
                         '/usr/share/zsh/vendor-completions/_akl-k8s'])):
        file = builder.package(name)[len(builder.root.dir):]
        text = builder.root.must(f'dpkg-deb -c {file}')
        there = {'/' + line.split()[5][2:] for line in text.splitlines()}
        t.is_([path for path in wanted if path not in there], [], name)
        t.is_(builder.root.must(f'dpkg-deb -f {file} Version').strip(),
              builder.version + '-0akl1', 'its version')
    depends = builder.root.must(
        'dpkg-deb -f ' + builder.package(MODULE)[len(builder.root.dir):]
        + ' Depends')
    t.like(depends, r'nginx-abi-', 'it fits one nginx')


@t.story
def lintian_has_nothing_to_say(builder):
    if not shutil.which('lintian'):
        t.skip('needs lintian')
        return
    changes = next(path for file, path in builder.built.items()
                   if file.endswith('.changes'))
    done = subprocess.run(['lintian', '--fail-on', 'error,warning', changes],
                          check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    t.is_((done.returncode, done.stdout), (0, ''), 'errors and warnings')


@t.story
def they_are_installed_used_upgraded_and_purged(
        builder, debian, cluster):
    machine = Machine(t, cluster, debian)
    root = machine.root

    old = machine.copy(builder.older(MODULE), builder.older('akl-k8s'))
    root.must(f'dpkg -i {old}')
    t.ok(machine.module(), 'the module is enabled')
    machine.configure()
    t.like(root.must('nginx -t 2>&1'), 'test is successful', 'nginx -t')
    t.like(root.must('akl-k8s --version'), r'\d', 'akl-k8s runs')

    machine.start()
    t.is_(machine.login().status, 200, 'a login')
    t.is_(machine.serving(), machines.OLD, 'by the older one')

    load = Load(machine)
    try:
        load.more()
        new = machine.copy(builder.package(MODULE), builder.package('akl-k8s'))
        said = root.must(f'dpkg -i {new}')
        t.ok(wait_for(lambda: machine.serving() != machines.OLD),
             'the newer one serves after the upgrade', said)
        load.more()
    finally:
        load.end()
    t.ok(load.good > 40, 'logins meanwhile', load.good)
    t.is_(load.bad, [], 'those that failed')
    t.is_(machine.serving(), builder.version.partition('+')[0],
          'what serves')

    root.must('dpkg -r ' + MODULE)
    t.ok(not machine.module(), 'removed, it is not loaded')
    os.remove(root.path('/etc/nginx/conf.d/akl.conf'))
    shutil.rmtree(root.path('/etc/nginx/akl'))
    root.must(f'dpkg -P {MODULE} akl-k8s')
    t.like(root.must('nginx -t 2>&1'), 'test is successful',
           'nginx -t without it')
    # directories that nginx itself makes when it starts are not theirs
    t.is_(sorted(name for name in root.files() - machine.before
                 if not name.startswith('/var/lib/nginx/')), [],
          'what is left of them')
    t.is_(sorted(machine.before - root.files()), [],
          'and what was there before')
    t.unlike(root.must('dpkg -l'), r'akl', 'what dpkg knows of them')
    root.must('/etc/init.d/nginx stop')


@t.story
def a_configuration_that_the_newer_one_refuses_keeps_the_older_one(
        builder, debian, cluster):
    machine = Machine(t, cluster, debian)
    root = machine.root
    root.must('dpkg -i ' + machine.copy(builder.older(MODULE)))
    machine.configure()
    machine.start()
    t.is_(machine.login().status, 200, 'a login')
    config = root.read('/etc/nginx/conf.d/akl.conf')
    root.write('/etc/nginx/conf.d/akl.conf', config + 'akl_k8s_no_such on;\n')
    said = root.must('dpkg -i ' + machine.copy(builder.package(MODULE)))
    t.like(said, 'goes on with the former module', 'it is told')
    t.is_(machine.login().status, 200, 'a login after that')
    t.is_(machine.serving(), machines.OLD, 'by the older one')

    # of which a reload makes no newer one, whose zone has another layout
    root.write('/etc/nginx/conf.d/akl.conf', config)
    machine.reload()
    t.is_(machine.login().status, 200, 'a login when it is mended')
    t.is_(machine.serving(), machines.OLD, 'still by the older one')
    root.must('invoke-rc.d nginx upgrade')
    t.ok(wait_for(lambda: machine.serving() != machines.OLD),
         'the newer one serves when it is told to')
    t.is_(machine.login().status, 200, 'a login there')


@t.story
def a_second_build_elsewhere_has_the_same_bytes(builder):
    again = builder.build(builder.unpack('/mnt/src'))

    def digests(files):
        out = {}
        for name, path in files.items():
            if name.endswith(('.deb', '.dsc', '.gz', '.xz')):
                with open(path, 'rb') as file:
                    out[name] = hashlib.sha256(file.read()).hexdigest()
        return out

    t.ok(len(digests(again)) > 4, 'files that are compared')
    t.is_(digests(again), digests(builder.built), 'their bytes')


t.tell()
