#!/usr/bin/python3
"""RPM packages: built, looked into, installed, upgraded, erased.

No system that is kept by RPM is at hand: Debian's rpmbuild builds them against
Debian's libraries, in a root of its own, and Debian's rpm installs them in
another one, beside Debian's nginx.  "make test-packages" runs it.
"""

import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
import machines  # noqa: E402
import nginx  # noqa: E402
import roots  # noqa: E402
from akltest import Test, wait_for  # noqa: E402
from machines import Builder, Load, Machine  # noqa: E402

BUILD = ('rpm gcc libc6-dev make nginx-dev libcurl4-openssl-dev '
         'libjansson-dev libssl-dev libyaml-dev')
NEEDED = 'rpm nginx libcurl4 libjansson4 libyaml-0-2'
MODULE = 'nginx-mod-http-akl-k8s'
NAME = r'{0}-[0-9].*\.(?!src)\w+\.rpm'

# what Debian does not know by RPM's names it cannot be asked for

RPM = 'rpm --dbpath /var/lib/rpm'
CONF = '/usr/share/nginx/modules/mod-http-akl-k8s.conf'

t = Test()
if roots.missing():
    t.skip_all(roots.missing())


class Packages(Builder):
    """The packages, in the root where they were built."""

    def __init__(self):
        super().__init__(t, BUILD, 'rpm', NAME)

    def ask(self, what, name):
        """Ask for something of a package."""
        inner = self.package(name)[len(self.root.dir):]
        return self.root.must(f'{RPM} -qp {what} {inner}')


@t.shared
def packages():
    """The packages, built in a clean root."""
    return Packages()


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def debian():
    """A root with what the packages depend on, which loads their modules."""
    root = roots.Root(t)
    root.install(NEEDED)
    os.remove(root.path('/etc/nginx/sites-enabled/default'))
    # Debian has a link there, to the modules themselves
    root.must('rm -f /usr/share/nginx/modules && '
              'mkdir /usr/share/nginx/modules')
    root.write('/etc/nginx/modules-enabled/50-rpm.conf',
               'include /usr/share/nginx/modules/*.conf;\n')
    return root


@t.story
def each_package_has_what_its_users_look_for(packages):
    for name, wanted in (
            (MODULE, [r'/usr/lib\w*/nginx/modules/'
                      r'ngx_http_akl_k8s_module\.so', re.escape(CONF),
                      r'/usr/share/licenses/\S+/LICENSE',
                      r'/usr/share/doc/\S+/README\.md',
                      r'/usr/share/doc/\S+/docs/directives\.md',
                      r'/usr/share/doc/\S+/conf-examples/minimal\.conf']),
            ('akl-k8s', [r'/usr/bin/akl-k8s', r'\S+/man1/akl-k8s\.1\S*',
                         r'\S+/bash-completion/completions/akl-k8s',
                         r'\S+/zsh/site-functions/_akl-k8s',
                         r'/usr/share/doc/\S+/akl-k8s\.md'])):
        there = packages.ask('--list', name).splitlines()
        t.is_([one for one in wanted
               if not any(re.fullmatch(one, path) for path in there)], [],
              f'what is missing of {name}')
        t.is_(packages.ask("--queryformat '%{VERSION}'", name),
              packages.version,
              f'the version of {name}')
        t.like(packages.ask('--changelog', name),
               r'(?m)^- (Feature|Bugfix|Change|Security): ',
               f'what has changed of {name}')
    t.is_([path for path in packages.ask('--list', 'akl-k8s').splitlines()
           if path.endswith('.so')], [], 'no module comes with akl-k8s')


@t.story
def the_module_asks_for_its_nginx_and_its_libraries(packages):
    asked = packages.ask('--requires', MODULE)
    running = packages.root.must(
        "sed -n 's/^#define NGINX_VERSION *\"\\(.*\\)\"/\\1/p' "
        '/usr/share/nginx/src/src/core/nginx.h').strip()
    t.ok(f'(nginx = {running} or nginx-r{running})' in asked.splitlines(),
         'one nginx', asked)
    for library in 'libcurl', 'libjansson', 'libcrypto':
        t.like(asked, rf'(?m)^{library}\.so', library)
    t.like(packages.ask('--recommends', MODULE), r'^akl-k8s = ', 'akl-k8s')


@t.story
def rpmlint_has_nothing_to_say(packages):
    if not shutil.which('rpmlint'):
        t.skip('needs rpmlint')
        return
    files = [path for name, path in packages.built.items()
             if name.endswith('.rpm')]
    done = subprocess.run(
        ['rpmlint', '--config', os.path.join(
            nginx.ROOT, 'packaging', 'rpmlint.toml'), *files], check=False,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    t.is_(re.findall(r'(?m)^.*: [EW]: .*$', done.stdout), [],
          'errors and warnings')
    t.like(done.stdout, r'3 packages', 'all of them were looked at')


@t.story
def what_the_source_package_has_can_be_built_again(packages):
    source, = (path for name, path in packages.built.items()
               if name.endswith('.src.rpm'))
    inner = source[len(packages.root.dir):]
    packages.root.must(f'{RPM} --define "_topdir /again" -i {inner}')
    names = packages.root.must(
        'rpmspec --define "_topdir /again" --query --queryformat '
        "'%{NAME}-%{VERSION}-%{RELEASE}\\n' /again/SPECS/*.spec").split()
    t.is_(sorted(names), sorted(
        name.rpartition('.')[0].rpartition('.')[0] for name in packages.built
        if not name.endswith('.src.rpm')),
          'its spec makes packages of the same names')
    t.is_(packages.root.must('ls /again/SOURCES').split(),
          [os.path.basename(packages.tarball)],
          'of the tarball that is with it')


@t.story
def they_are_installed_used_upgraded_and_erased(packages, debian, cluster):
    machine = Machine(t, cluster, debian)
    root = machine.root
    root.must(f'{RPM} --nodeps -i ' + machine.copy(
        packages.older(MODULE), packages.older('akl-k8s')))
    machine.configure()
    t.like(root.must('nginx -t 2>&1'), 'test is successful', 'nginx -t')
    t.like(root.must('akl-k8s --version'), r'\d', 'akl-k8s runs')
    machine.start()
    t.is_(machine.login().status, 200, 'a login')
    t.is_(machine.serving(), machines.OLD, 'by the older one')

    load = Load(machine)
    try:
        load.more()
        said = root.must(f'{RPM} --nodeps -U ' + machine.copy(
            packages.package(MODULE), packages.package('akl-k8s')))
        t.ok(wait_for(lambda: machine.serving() != machines.OLD),
             'the newer one serves after the upgrade', said)
        load.more()
    finally:
        load.end()
    t.ok(load.good > 40, 'logins meanwhile', load.good)
    t.is_(load.bad, [], 'those that failed')

    root.must(f'{RPM} --nodeps -e {MODULE} akl-k8s')
    os.remove(root.path('/etc/nginx/conf.d/akl.conf'))
    shutil.rmtree(root.path('/etc/nginx/akl'))
    t.like(root.must('nginx -t 2>&1'), 'test is successful',
           'nginx -t without it')
    # directories that nginx and rpm themselves make are not theirs, nor are
    # those that an RPM system has by its packages of nginx and of itself
    t.is_(sorted(name for name in root.files() - machine.before
                 if not name.startswith(('/var/lib/nginx/', '/var/lib/rpm/'))
                 and name not in ('/usr/lib64/nginx', '/usr/share/licenses',
                                  '/usr/lib64/nginx/modules')),
          [], 'what is left of them')
    t.is_(sorted(machine.before - root.files()), [],
          'and what was there before')
    root.must('/etc/init.d/nginx stop')


@t.story
def a_configuration_that_the_newer_one_refuses_keeps_the_older_one(
        packages, debian, cluster):
    machine = Machine(t, cluster, debian)
    root = machine.root
    root.must(f'{RPM} --nodeps -i ' + machine.copy(packages.older(MODULE)))
    machine.configure()
    machine.start()
    config = root.read('/etc/nginx/conf.d/akl.conf')
    root.write('/etc/nginx/conf.d/akl.conf', config + 'akl_k8s_no_such on;\n')
    said = root.must(f'{RPM} --nodeps -U ' + machine.copy(
        packages.package(MODULE)))
    t.like(said, 'goes on with the former module', 'it is told')
    t.is_(machine.login().status, 200, 'a login after that')
    t.is_(machine.serving(), machines.OLD, 'by the older one')
    root.must('/etc/init.d/nginx stop')


t.tell()
