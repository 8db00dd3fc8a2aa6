"""The command line program akl-k8s, as a user runs it."""

import json
import os
import pty
import stat
import subprocess

import nginx

BINARY = os.environ.get('AKL_CLI', os.path.join(nginx.ROOT, 'objs',
                                                'akl-k8s'))
ASAN = os.environ.get('AKL_CLI_ASAN', BINARY + '-asan')


def _terminals():
    """Say whether there are terminals: a bare chroot has no /dev/pts."""
    try:
        for side in pty.openpty():
            os.close(side)
    except OSError:
        return False
    return True


TERMINALS = _terminals()


class Done:
    """What a run of the program came to."""

    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err

    def json(self):
        """Return the JSON on standard output."""
        return json.loads(self.out)

    def both(self):
        """Return all that was said."""
        return self.out + self.err


def text(data):
    """Return bytes as text."""
    return data.decode('utf-8', 'backslashreplace')


def run(*args, stdin=b'', cwd=None, env=None, binary=BINARY, timeout=120):
    """Run the program to its end; return Done."""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    done = subprocess.run(
        [binary, *args], input=stdin, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, cwd=cwd, check=False, timeout=timeout,
        env={**os.environ, 'TERM': 'xterm', **(env or {})})
    return Done(done.returncode, text(done.stdout), text(done.stderr))


def run_on_terminal(*args, env=None, answer=None, binary=BINARY):
    """Run the program on a terminal; return Done, all in `out`."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [binary, *args], stdin=child, stdout=child, stderr=child,
        env={**os.environ, 'TERM': 'xterm', **(env or {})})
    os.close(child)
    if answer is not None:
        os.write(parent, answer.encode())
    out = b''
    while True:
        try:
            part = os.read(parent, 65536)
        except OSError:         # the other side is closed
            break
        if not part:
            break
        out += part
    os.close(parent)
    return Done(process.wait(), text(out), '')


class Desk:
    """A directory of a story's own, in which it runs the program."""

    def __init__(self, test):
        self.test = test
        self.dir = test.folder()

    def path(self, name):
        """Return a file's path."""
        return os.path.join(self.dir, name)

    def run(self, *args, **kw):
        """Run the program there; return Done."""
        return run(*args, cwd=self.dir, **kw)

    def write(self, name, text, mode=0o644):
        """Write a file there; return its path."""
        return self.test.write(self.path(name), text, mode)

    def read(self, name):
        """Return the text of a file there."""
        return self.test.read(self.path(name))

    def mode(self, name):
        """Return the rights of a file there, as in '0o644'."""
        return oct(stat.S_IMODE(os.stat(self.path(name)).st_mode))

    def names(self, prefix=''):
        """Return the names of what is there, in order."""
        return sorted(name for name in os.listdir(self.dir)
                      if name.startswith(prefix))
