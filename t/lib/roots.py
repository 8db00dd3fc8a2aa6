"""Debian roots of their own: file system, processes and mounts.

Made by debootstrap once, and kept in objs/packages; AKL_ROOT names a tarball
of one instead.  Packages come from where this machine's apt gets them.
"""

import glob
import os
import shutil
import signal
import subprocess

import nginx
import procs
from tap import wait_for

SUITE = os.environ.get('AKL_SUITE', 'bookworm')
MIRROR = os.environ.get('AKL_MIRROR', 'http://deb.debian.org/debian')
KEPT = os.path.join(nginx.ROOT, 'objs', 'packages')


def missing():
    """Return why there can be no root here, or None."""
    if os.getuid() != 0:
        return 'needs root'
    tools = ['unshare', 'nsenter', 'chroot', 'tar']
    if 'AKL_ROOT' not in os.environ and not os.path.exists(kept()):
        tools.append('debootstrap')
    for tool in tools:
        if not shutil.which(tool):
            return f'needs {tool}'
    done = subprocess.run(['unshare', '-m', '-p', '-f', 'true'], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        return 'no namespaces of our own: ' + done.stdout.decode().strip()
    return None


def kept():
    """Return the path of the tarball that debootstrap's root is kept in."""
    return os.environ.get('AKL_ROOT', os.path.join(KEPT, f'{SUITE}.tar'))


def bootstrap():
    """Make that tarball where there is none."""
    if os.path.exists(kept()):
        return
    os.makedirs(KEPT, exist_ok=True)
    made = os.path.join(KEPT, f'{SUITE}.{os.getpid()}')
    subprocess.run(['debootstrap', '--variant=minbase', SUITE, made, MIRROR],
                   check=True, stdout=subprocess.DEVNULL)
    subprocess.run(['tar', '-c', '-f', made + '.tar', '-C', made, '.'],
                   check=True)
    shutil.rmtree(made)
    os.rename(made + '.tar', kept())


class Root:
    """A root, fresh or like another one; nothing in it outlives it."""

    def __init__(self, test, like=None):
        self.dir = os.path.join(test.folder(), 'root')
        if like is not None:
            subprocess.run(['cp', '-a', like.dir, self.dir], check=True)
        else:
            os.mkdir(self.dir)
            bootstrap()
            subprocess.run(['tar', '-x', '-f', kept(), '-C', self.dir],
                           check=True)
            self.configure()
        # a shell that waits: daemons are its children, and need a parent
        self.holder = procs.spawn(
            ['unshare', '-m', '-p', '-f', '--kill-child', 'sh', '-c',
             'mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" '
             '&& exec chroot "$0" sh -c "sleep infinity & wait"', self.dir],
            number=signal.SIGKILL,      # unshare blocks SIGTERM
            stderr=subprocess.DEVNULL)
        self.pid = wait_for(self.inside)
        test.mocks.append(self)

    def configure(self):
        """Let names be resolved, packages be fetched, no daemon start."""
        for path in ('/etc/resolv.conf', '/etc/hosts',
                     *glob.glob('/etc/apt/apt.conf.d/*')):
            if os.path.exists(path) and os.path.isdir(
                    self.path(os.path.dirname(path))):
                shutil.copy(path, self.path(path))
        self.write('/etc/apt/sources.list', ''.join(
            f'deb {mirror} {suite} main\n' for mirror, suite in (
                (MIRROR, SUITE), (MIRROR, f'{SUITE}-updates'),
                (MIRROR + '-security', f'{SUITE}-security'))))
        # none of it has to outlive a loss of power
        self.write('/etc/dpkg/dpkg.cfg.d/unsafe-io', 'force-unsafe-io\n')
        self.daemons(False)

    def daemons(self, may):
        """Say whether packages may start daemons."""
        self.write('/usr/sbin/policy-rc.d',
                   f'#!/bin/sh\nexit {0 if may else 101}\n', 0o755)

    def inside(self):
        """Return a process in the root, once there is one."""
        try:
            with open(f'/proc/{self.holder.pid}/task/{self.holder.pid}/'
                      'children', encoding='ascii') as file:
                for pid in file.read().split():
                    if os.path.realpath(os.readlink(f'/proc/{pid}/root')) \
                            == os.path.realpath(self.dir):
                        return int(pid)
        except OSError:
            pass
        return None

    def path(self, name):
        """Return where a file of the root is."""
        return self.dir + name

    def write(self, name, text, mode=0o644):
        """Write a file of the root."""
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), 'w', encoding='utf-8') as file:
            file.write(text)
        os.chmod(self.path(name), mode)

    def read(self, name):
        """Return the text of a file of the root."""
        with open(self.path(name), encoding='utf-8') as file:
            return file.read()

    def run(self, command):
        """Run a shell's command; return its code, and all it said."""
        done = subprocess.run(
            ['nsenter', '-t', str(self.pid), '-m', '-p', '-r', '-w',
             'env', '-i', 'HOME=/root', 'LC_ALL=C.UTF-8',
             'DEBIAN_FRONTEND=noninteractive',
             'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'sh', '-c', command],
            check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.decode('utf-8', 'replace')

    def must(self, command):
        """Run a command that has to go well; return what it said."""
        code, text = self.run(command)
        if code != 0:
            raise RuntimeError(f'{command}: {code}\n{text[-8000:]}')
        return text

    def install(self, packages):
        """Install packages, by their names or as files."""
        self.must('apt-get -q update && apt-get -q -y '
                  f'--no-install-recommends install {packages}')

    def files(self):
        """Return what is in the root, but for notes, caches and logs."""
        found = set()
        for path, folders, names in os.walk(self.dir):
            inner = path[len(self.dir):]
            folders[:] = [name for name in folders
                          if f'{inner}/{name}' not in (
                              '/dev', '/proc', '/sys', '/run', '/tmp',
                              '/var/cache', '/var/lib/apt', '/var/lib/dpkg',
                              '/var/log', '/var/lib/systemd')]
            found |= {f'{inner}/{name}' for name in folders + names}
        return found

    def close(self):
        """End all that runs in it."""
        self.holder.kill()
        self.holder.wait()
        wait_for(lambda: procs.parent_of(self.pid) is None)
