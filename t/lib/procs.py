"""Processes and ports of a test."""

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import tempfile

from tap import PATIENCE

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
FIRST_PORT = 11000
LAST_PORT = 29000

_libc = ctypes.CDLL(None, use_errno=True)
_locks = {}
_next = [FIRST_PORT + os.getpid() * 37 % (LAST_PORT - FIRST_PORT)]


def become_subreaper():
    """Inherit the orphans of our children, so that they can be found."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(number=signal.SIGTERM):
    """Run in a child: end by that signal when the parent ends."""
    _libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def spawn(command, number=signal.SIGTERM, **kw):
    """Start a process that ends by a signal when this one ends.

    To be called from the main thread: the kernel looks at the thread.
    """
    return subprocess.Popen(
        command, preexec_fn=lambda: die_with_parent(number), **kw)


def free_port(host='127.0.0.1'):
    """Return a TCP port that no other test holds, until we end."""
    folder = os.path.join(tempfile.gettempdir(),
                          f'akl-t-ports-{os.getuid()}')
    os.makedirs(folder, 0o700, exist_ok=True)
    for _ in range(LAST_PORT - FIRST_PORT):
        port = _next[0]
        _next[0] += 1
        if _next[0] > LAST_PORT:
            _next[0] = FIRST_PORT
        lock = os.open(os.path.join(folder, str(port)),
                       os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError:
            os.close(lock)
            continue
        _locks[port] = lock
        return port
    raise RuntimeError('no free port')


def parent_of(pid):
    """Return a living process's parent, None when it is gone or a zombie.

    Its state tells: the command line is empty while a process executes.
    """
    try:
        with open(f'/proc/{pid}/stat', encoding='latin-1') as file:
            state, parent = file.read().rpartition(')')[2].split()[:2]
    except OSError:
        return None
    return None if state in 'ZX' else int(parent)


def stopped(pid):
    """Say whether a process was stopped by a signal."""
    with open(f'/proc/{pid}/stat', encoding='latin-1') as file:
        return file.read().rpartition(')')[2].split()[0] == 'T'


def spent(pid):
    """Return the processor time that a process has had, in seconds."""
    with open(f'/proc/{pid}/stat', encoding='latin-1') as file:
        fields = file.read().rpartition(')')[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf('SC_CLK_TCK')


def title(pid):
    """Return a process's command line, '' when it is gone or a zombie."""
    try:
        with open(f'/proc/{pid}/cmdline', 'rb') as file:
            return file.read().replace(b'\0', b' ').decode().strip()
    except OSError:
        return ''


def children(pid):
    """Return the ids of a process's living children."""
    return [int(name) for name in os.listdir('/proc') if name.isdigit()
            and parent_of(name) == pid]


def leftovers():
    """Return {pid: command line} of our children that still live."""
    return {pid: title(pid) for pid in children(os.getpid())}


def end(process, sig=signal.SIGTERM, timeout=PATIENCE):
    """Signal a process we started and wait; return its exit code."""
    if process.poll() is None:
        process.send_signal(sig)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode
