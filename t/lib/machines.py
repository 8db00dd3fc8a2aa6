"""Packages in use: a machine with a gateway, its clients, an older build."""

import glob
import os
import re
import shutil
import subprocess
import threading

import client
import nginx
import procs
import roots
from tap import wait_for

# a commit whose zone has another layout, and what its build calls itself

OLDER = 'ad694e0'
OLD = '0.0.9'


class Machine:
    """A root with nginx as Debian has it, and a gateway's configuration."""

    def __init__(self, test, cluster, like):
        self.root = roots.Root(test, like)
        self.cluster = cluster
        self.port = procs.free_port()
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

    def start(self):
        """Start nginx as the machine does, and wait until it serves."""
        self.root.daemons(True)
        self.root.must('/etc/init.d/nginx start')
        wait_for(self.workers)

    def workers(self):
        """Return the ids of nginx's workers, old ones too."""
        return set(self.root.run('cat "/proc/$(cat /run/nginx.pid)/task/"*/'
                                 'children 2> /dev/null')[1].split())

    def reload(self):
        """Reload nginx, and wait until no former worker is left."""
        before = self.workers()
        self.root.must('/etc/init.d/nginx reload')
        assert wait_for(lambda: self.workers()
                        and not self.workers() & before), 'no reload'

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


class Builder:
    """A root in which packages are built: of this tree, and older ones.

    `needed` are Debian packages that it takes, `kind` is "deb" or "rpm", and
    `name` the pattern of a file's name, in which {} is the package's.
    """

    def __init__(self, test, needed, kind, name):
        self.test = test
        self.kind = kind
        self.name = name
        self.before = None
        self.root = roots.Root(test)
        self.root.install(needed)
        self.tarball = packed(self.root.path('/root'))
        self.version = re.search(r'-([0-9][^-]*)\.tar\.gz$', self.tarball)[1]
        self.built = self.build(self.unpack('/src'))

    def build(self, where, command='make'):
        """Build the packages of a directory; return the files by name."""
        self.root.must(f'cd {where} && {command} {self.kind}')
        return {os.path.basename(path): path for path in glob.glob(
            self.root.path(f'{where}/objs/{self.kind}/*'))}

    def unpack(self, where):
        """Unpack this tree's tarball; return where."""
        self.root.must(
            f'mkdir {where} && tar -x -f /root/*.tar.gz -C {where} '
            '--strip-components=1')
        return where

    def package(self, name):
        """Return the file of a package."""
        return self.file_of(self.built, name)

    def older(self, name):
        """Return the file of a package of an older build."""
        if self.before is None:
            shutil.copytree(older_tree(self.test), self.root.path('/older'))
            shutil.copy(os.path.join(nginx.ROOT, 'Makefile'),
                        self.root.path('/older/Makefile.today'))
            self.before = self.build('/older', 'make -f Makefile.today')
        return self.file_of(self.before, name)

    def file_of(self, files, name):
        """Return the file of a package among others."""
        return next(path for file, path in files.items()
                    if re.fullmatch(self.name.format(name), file))


def packed(place):
    """Pack this tree into a directory; return its tarball."""
    return subprocess.run(
        [os.path.join(nginx.ROOT, 'packaging', 'dist'), place], check=True,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ).stdout.strip()


def older_tree(test):
    """Return a directory with the sources of an older build.

    Those of a commit whose zone had another layout, where its history is here,
    else this tree's, which only call themselves older; packed as today.
    """
    place = test.folder()
    today = unpacked(packed(place), place)

    archive = os.path.join(place, 'older.tar')
    done = subprocess.run(
        ['git', '-c', 'safe.directory=*', '-C', nginx.ROOT, 'archive',
         '--prefix=older/', '-o', archive, OLDER], check=False,
        stderr=subprocess.DEVNULL) if shutil.which('git') else None
    if done is not None and done.returncode == 0:
        tree = unpacked(archive, place)
        packing = os.path.join(tree, 'packaging')
        shutil.copy(os.path.join(packing, 'date'), place)
        shutil.rmtree(packing)
        shutil.copytree(os.path.join(today, 'packaging'), packing)
        shutil.copy(os.path.join(place, 'date'), packing)
    else:
        test.note(f'no commit {OLDER} here: the older build is of this tree')
        tree = today

    header = os.path.join(tree, 'src', 'k8s', 'version.h')
    with open(header, encoding='ascii') as file:
        text = file.read()
    with open(header, 'w', encoding='ascii') as file:
        file.write(re.sub(r'(#define AKL_VERSION +)"[^"]*"', rf'\1"{OLD}"',
                          text))
    return tree


def unpacked(tarball, place):
    """Unpack a tarball; return the one directory that it has."""
    inner = subprocess.run(['tar', '-t', '-f', tarball], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.partition('/')[0]
    subprocess.run(['tar', '-x', '-f', tarball, '-C', place], check=True)
    return os.path.join(place, inner)
