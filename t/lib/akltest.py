"""The test harness: everything a t/*.t file imports.

    from akltest import Test, client
    t = Test()
    ...
    t.done_testing()

See t/README.md.
"""

import atexit
import os
import shutil
import signal
import sys
import tempfile
import traceback

import browser
import client  # noqa: F401
import nginx as nginx_
import procs
import tokens
from cluster import ACCESS_ID, CONFIG, NAMESPACE, Cluster  # noqa: F401
from mock import Mock
from stories import Stories
from tap import PATIENCE, Tap, wait_for  # noqa: F401

free_port = procs.free_port

FILE = os.path.relpath(sys.argv[0])
BEAT = 30       # s after which a file says how far it is


class Test(Tap, Stories):
    """One test file: temporary directory, servers, results, stories."""

    def __init__(self, need_module=False):
        Tap.__init__(self)
        Stories.__init__(self)
        if need_module and not nginx_.available():
            self.skip_all(f'no module at {nginx_.MODULE}')
        self.dir = tempfile.mkdtemp(prefix='akl-t-',
                                    dir=os.environ.get('AKL_TMP'))
        self.servers = []
        self.clusters = []
        self.mocks = []
        self.ended = []         # servers of stories that are over
        self.names = {}         # how often a directory's name was given
        self.problems = []
        self.expected = []
        self.owner = os.getpid()
        procs.become_subreaper()
        atexit.register(self._leave)
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(sig, self._signalled)
        self.limit = int(os.environ.get('AKL_TIMEOUT', 300))
        self.beat = min(BEAT, self.limit)
        self.beats = self.silent = 0
        signal.signal(signal.SIGALRM, self._beat)
        signal.setitimer(signal.ITIMER_REAL, self.beat, self.beat)

    def progress(self):
        """Start to count anew the beats without a result."""
        self.silent = 0

    def _beat(self, *_):
        """Tell how far the file is; end it where it hangs.

        Beats are counted, not seconds: none passes while we stand still.
        """
        self.beats += 1
        self.silent += 1
        if self.silent * self.beat < self.limit:
            self.diag(f'{FILE}: {self.count} results in '
                      f'{self.beats * self.beat} s')
            return
        self.diag(f'{FILE} takes too long: no result in {self.limit} s, at')
        self.diag(''.join(traceback.format_stack()))
        sys.exit(124)

    # What a test is made of

    def nginx(self, http='', start=True, **kw):
        """Make an Nginx (see nginx.py) and start it."""
        kw.setdefault('name', self._name('nginx'))
        made = nginx_.Nginx(self, http, **kw)
        made.story = self.current
        self.servers.append(made)
        if start:
            made.start()
        return made

    def cluster(self, **kw):
        """Make a Cluster (see cluster.py)."""
        kw.setdefault('name', self._name('cluster'))
        made = Cluster(self, **kw)
        self.clusters.append(made)
        return made

    def _name(self, kind):
        """Return a name for a directory: nginx, nginx1, nginx2, ..."""
        number = self.names.get(kind, 0)
        self.names[kind] = number + 1
        return f'{kind}{number or ""}'

    def mock(self, handler=None):
        """Make a Mock upstream (see mock.py)."""
        made = Mock(handler)
        self.mocks.append(made)
        return made

    def browser(self):
        """Start a Browser (see browser.py)."""
        made = browser.Browser(self.folder())
        self.mocks.append(made)
        return made

    def write(self, name, text, mode=0o644):
        """Write a file in one step, below the test's directory."""
        return tokens.write_file(os.path.join(self.dir, name), text, mode)

    def read(self, name):
        """Return the text of a file below the test's directory."""
        with open(os.path.join(self.dir, name), encoding='utf-8') as file:
            return file.read()

    def folder(self):
        """Make a directory below the test's; return its path."""
        path = os.path.join(self.dir, self._name('folder'))
        os.mkdir(path)
        return path

    def expect(self, pattern):
        """Allow alert lines that match, in every error log."""
        self.expected.append(pattern)

    def problem(self, text):
        """Note what must make the file fail in the end."""
        self.problems.append(text)

    # Stories

    def ok(self, condition, name, *why):
        """Pass if the condition is true; the story comes first."""
        if self.current is not None:
            name = f'{self.current}: {name}'
        return super().ok(condition, name, *why)

    def mark(self):
        """Return which servers there are, for close_since."""
        for cluster in self.clusters:
            cluster.api.remember()
        return len(self.servers), len(self.clusters), len(self.mocks)

    def close_since(self, mark):
        """Stop what was started since; set the other API servers back."""
        servers, clusters, mocks = mark
        self._stop(self.servers[servers:], self.clusters[clusters:],
                   self.mocks[mocks:])
        self.ended += self.servers[servers:]
        del self.servers[servers:]
        del self.clusters[clusters:]
        del self.mocks[mocks:]
        for cluster in self.clusters:
            if cluster.api.process.poll() is None:
                cluster.api.restore()

    # The end

    def stop(self):
        """Stop all servers."""
        self._stop(self.servers, self.clusters, self.mocks)

    def _stop(self, servers, clusters, mocks):
        for server in servers:
            server.stop()
        for cluster in clusters:
            code = cluster.api.process.poll()
            if code is not None and code != 0:
                self.problem(f'API server ended with code {code}')
            cluster.close()
            errors = cluster.api.error_text()
            if errors:
                self.problem(f'API server said: {errors}')
        for mock in mocks:
            mock.close()

    def done_testing(self):
        """Stop everything, add the closing checks, print the plan."""
        self.stop()
        alerts, complaints = [], []
        for server in self.ended + self.servers:
            server.expected += self.expected
            of = f'{server.story}: ' if server.story else ''
            alerts += [of + line for line in server.alerts()]
            complaints += [of + line for line in server.sanitizer_errors()]
        self.ok(not alerts, 'no alerts', *alerts[:20])
        self.ok(not complaints, 'no sanitizer errors', *complaints[:20])
        left = procs.leftovers()
        self.ok(not left, 'no processes left', left)
        self.ok(not self.problems, 'all servers ended well', *self.problems)
        self.plan()
        if self.failed:
            if not self.sad:
                self.show_logs()
            self.diag(f'{FILE}: {self.failed} of {self.count} failed:')
            for name in self.failures:
                self.diag(f'  {name}')
        for name in self.sad:
            self.diag(f'alone: {FILE} --only={name}')
        sys.exit(min(self.failed, 254))

    def show_logs(self):
        """Show the ends of the error logs of the servers there are."""
        for server in self.servers:
            self.diag(f'end of {server.log}:')
            self.diag(server.tail())

    def _leave(self):
        """Leave nothing behind, whatever happened."""
        if os.getpid() != self.owner:
            return
        # Python hands signals back to the system before it has ended
        signal.setitimer(signal.ITIMER_REAL, 0)
        if not self.finished:
            self.diag(f'{FILE} ended early, after {self.count} results')
            self.show_logs()
            try:
                self.stop()
            except Exception:
                self.diag(traceback.format_exc())
        for pid in procs.leftovers():
            os.kill(pid, signal.SIGKILL)
        if 'AKL_KEEP' in os.environ:
            self.diag(f'kept {self.dir}')
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def _signalled(self, number, _):
        sys.exit(128 + number)

