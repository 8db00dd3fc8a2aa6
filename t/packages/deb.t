#!/usr/bin/python3
"""Debian packages: built in a clean root, installed, upgraded, purged.

Takes minutes, root and a way to Debian's archive: make test-packages.  AKL_DEBS
is a directory with packages of this tree that were built before.
"""

import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
import nginx  # noqa: E402
import roots  # noqa: E402
from akltest import Test, client, free_port, wait_for  # noqa: E402

BUILD = ('build-essential debhelper nginx-dev fakeroot '
         'libcurl4-openssl-dev libjansson-dev libssl-dev libyaml-dev')
NEEDED = 'nginx libcurl4 libjansson4 libyaml-0-2'
MODULE = 'libnginx-mod-http-akl-k8s'
OLD = '0.0.9-0akl1'

t = Test()
if roots.missing():
    t.skip_all(roots.missing())


def version():
    """Return the version of this tree's packages."""
    return subprocess.run(
        [os.path.join(nginx.ROOT, 'packaging', 'version')], check=True,
        text=True, stdout=subprocess.PIPE).stdout.strip() + '-0akl1'


class Builder:
    """A clean root, and the packages that were built in it."""

    def __init__(self):
        self.root = roots.Root(t)
        if 'AKL_DEBS' in os.environ:
            shutil.copytree(os.environ['AKL_DEBS'], self.root.path('/debs'))
            self.built = self.packages('/debs')
            return
        self.root.install(BUILD)
        subprocess.run([os.path.join(nginx.ROOT, 'packaging', 'dist'),
                        self.root.path('/root')], check=True,
                       stdout=subprocess.DEVNULL)
        self.built = self.build('/src')

    def packages(self, where):
        """Return the files of a directory, by name."""
        return {os.path.basename(path): path
                for path in glob.glob(self.root.path(f'{where}/*'))}

    def build(self, where):
        """Build the packages in a directory; return the files by name."""
        self.root.must(
            f'mkdir {where} && tar -x -f /root/*.tar.gz -C {where} '
            f'--strip-components=1 && make -C {where} deb')
        return self.packages(f'{where}/objs/deb')

    def package(self, name):
        """Return the file of a package."""
        return next(path for file, path in self.built.items()
                    if file.startswith(f'{name}_') and file.endswith('.deb'))

    def older(self, name):
        """Return a package as if an older version had been built."""
        root = self.root
        where = f'/root/old-{name}'
        if os.path.exists(root.path(f'{where}.deb')):
            return root.path(f'{where}.deb')
        inner = self.package(name)[len(root.dir):]
        root.must(f'dpkg-deb -R {inner} {where}')
        control = root.read(f'{where}/DEBIAN/control')
        root.write(f'{where}/DEBIAN/control', control.replace(
            re.search('^Version: (.*)$', control, re.M)[1], OLD))
        module = f'{where}/usr/lib/nginx/modules/ngx_http_akl_k8s_module.so'
        if os.path.exists(root.path(module)):
            root.must(f"sed -i 's/0\\.1\\.0/0.0.9/g' {module}")
        root.must(f'rm {where}/DEBIAN/md5sums && '
                  f'dpkg-deb --root-owner-group -b {where} {where}.deb')
        return root.path(f'{where}.deb')


class Machine:
    """A root with nginx as Debian has it, and a gateway's configuration."""

    def __init__(self, cluster, like):
        self.root = roots.Root(t, like)
        self.cluster = cluster
        self.port = free_port()
        self.before = self.root.files()

    def copy(self, *paths):
        """Bring packages here; return how dpkg is to name them."""
        names = []
        for path in paths:
            shutil.copy(path, self.root.path('/tmp/'))
            names.append('/tmp/' + os.path.basename(path))
        return ' '.join(names)

    def configure(self):
        """Write the gateway's configuration where Debian's nginx reads it."""
        config = self.cluster.method() + self.cluster.config()
        for path in sorted(set(re.findall(r'/\S+(?=;)', config))):
            if os.path.isfile(path):
                with open(path, encoding='utf-8') as file:
                    name = '/etc/nginx/akl/' + os.path.basename(path)
                    self.root.write(name, file.read())
                config = config.replace(path, name)
        self.root.write('/etc/nginx/conf.d/akl.conf', f'''
            {config}
            server {{
                listen 127.0.0.1:{self.port};
                location = /v2/auth {{ akl_k8s_auth; }}
                location = /status  {{ akl_k8s_status; }}
            }}
        ''')

    def login(self):
        """Log in on a connection of its own; return the answer."""
        return client.post(self.port, '/v2/auth',
                           self.cluster.login(self.cluster.issue()))

    def serving(self):
        """Return the version of the module that answers."""
        text = client.get(self.port, '/status?format=prometheus').text
        return re.search(r'build_info\{version="([^"]*)"', text)[1]

    def module(self):
        """Say whether nginx is told to load the module."""
        return os.path.lexists(self.root.path(
            '/etc/nginx/modules-enabled/50-mod-http-akl-k8s.conf'))


class Load:
    """Clients that log in all the time, each on connections of its own."""

    def __init__(self, machine):
        self.machine = machine
        self.good = 0
        self.bad = []
        self.over = False
        self.threads = [threading.Thread(target=self.run, daemon=True)
                        for _ in range(4)]
        for thread in self.threads:
            thread.start()

    def run(self):
        """Log in until it is over."""
        while not self.over:
            try:
                answer = self.machine.login()
                if answer.status == 200:
                    self.good += 1
                else:
                    self.bad.append(answer.text)
            except OSError as error:
                self.bad.append(repr(error))

    def more(self, number=20):
        """Wait until so many more logins were answered."""
        goal = self.good + len(self.bad) + number
        return wait_for(lambda: self.good + len(self.bad) >= goal)

    def end(self):
        """Let the clients come to their end."""
        self.over = True
        for thread in self.threads:
            thread.join()


@t.shared
def builder():
    """The packages, built in a clean root."""
    return Builder()


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
    version_ = version()
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
              version_, 'its version')
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
    machine = Machine(cluster, debian)
    root = machine.root

    old = machine.copy(builder.older(MODULE), builder.older('akl-k8s'))
    root.must(f'dpkg -i {old}')
    t.ok(machine.module(), 'the module is enabled')
    machine.configure()
    t.like(root.must('nginx -t 2>&1'), 'test is successful', 'nginx -t')
    t.like(root.must('akl-k8s --version'), r'\d', 'akl-k8s runs')

    root.daemons(True)
    root.must('/etc/init.d/nginx start')
    wait_for(lambda: root.run('grep -q . /run/nginx.pid')[0] == 0)
    t.is_(machine.login().status, 200, 'a login')
    t.is_(machine.serving(), '0.0.9', 'by the older one')

    load = Load(machine)
    try:
        load.more()
        new = machine.copy(builder.package(MODULE), builder.package('akl-k8s'))
        said = root.must(f'dpkg -i {new}')
        t.ok(wait_for(lambda: machine.serving() != '0.0.9'),
             'the newer one serves after the upgrade', said)
        load.more()
    finally:
        load.end()
    t.ok(load.good > 40, 'logins meanwhile', load.good)
    t.is_(load.bad, [], 'those that failed')
    t.is_(machine.serving(), version().partition('+')[0].partition('-')[0],
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
    machine = Machine(cluster, debian)
    root = machine.root
    root.must('dpkg -i ' + machine.copy(builder.older(MODULE)))
    machine.configure()
    root.daemons(True)
    root.must('/etc/init.d/nginx start')
    t.is_(machine.login().status, 200, 'a login')
    config = root.read('/etc/nginx/conf.d/akl.conf')
    root.write('/etc/nginx/conf.d/akl.conf', config + 'akl_k8s_no_such on;\n')
    said = root.must('dpkg -i ' + machine.copy(builder.package(MODULE)))
    t.like(said, 'goes on with the former module', 'it is told')
    t.is_(machine.login().status, 200, 'a login after that')
    t.is_(machine.serving(), '0.0.9', 'by the older one')


@t.story
def a_second_build_elsewhere_has_the_same_bytes(builder):
    if 'AKL_DEBS' in os.environ:
        t.skip('these were built before')
        return
    again = builder.build('/mnt/src')

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
