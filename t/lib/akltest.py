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

import client  # noqa: F401
import nginx as nginx_
import procs
import tokens
from cluster import ACCESS_ID, CONFIG, NAMESPACE, Cluster  # noqa: F401
from mock import Mock
from tap import PATIENCE, Tap, wait_for  # noqa: F401

free_port = procs.free_port

FILE = os.path.relpath(sys.argv[0])
BEAT = 30       # s after which a file says how far it is


class Test(Tap):
    """One test file: temporary directory, servers, results."""

    def __init__(self, need_module=False):
        super().__init__()
        if need_module and not nginx_.available():
            self.skip_all(f'no module at {nginx_.MODULE}')
        self.dir = tempfile.mkdtemp(prefix='akl-t-',
                                    dir=os.environ.get('AKL_TMP'))
        self.servers = []
        self.clusters = []
        self.mocks = []
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
        kw.setdefault('name', f'nginx{len(self.servers) or ""}')
        made = nginx_.Nginx(self, http, **kw)
        self.servers.append(made)
        if start:
            made.start()
        return made

    def cluster(self, **kw):
        """Make a Cluster (see cluster.py)."""
        kw.setdefault('name', f'cluster{len(self.clusters) or ""}')
        made = Cluster(self, **kw)
        self.clusters.append(made)
        return made

    def mock(self, handler=None):
        """Make a Mock upstream (see mock.py)."""
        made = Mock(handler)
        self.mocks.append(made)
        return made

    def write(self, name, text, mode=0o644):
        """Write a file in one step, below the test's directory."""
        return tokens.write_file(os.path.join(self.dir, name), text, mode)

    def read(self, name):
        """Return the text of a file below the test's directory."""
        with open(os.path.join(self.dir, name), encoding='utf-8') as file:
            return file.read()

    def expect(self, pattern):
        """Allow alert lines that match, in every error log."""
        self.expected.append(pattern)

    def problem(self, text):
        """Note what must make the file fail in the end."""
        self.problems.append(text)

    # The end

    def stop(self):
        """Stop all servers."""
        for server in self.servers:
            server.stop()
        for cluster in self.clusters:
            code = cluster.api.process.poll()
            if code is not None and code != 0:
                self.problem(f'API server ended with code {code}')
            cluster.close()
            errors = cluster.api.error_text()
            if errors:
                self.problem(f'API server said: {errors}')
        for mock in self.mocks:
            mock.close()

    def done_testing(self):
        """Stop everything, add the closing checks, print the plan."""
        self.stop()
        alerts, complaints = [], []
        for server in self.servers:
            server.expected += self.expected
            alerts += server.alerts()
            complaints += server.sanitizer_errors()
        self.ok(not alerts, 'no alerts', *alerts[:20])
        self.ok(not complaints, 'no sanitizer errors', *complaints[:20])
        left = procs.leftovers()
        self.ok(not left, 'no processes left', left)
        self.ok(not self.problems, 'all servers ended well', *self.problems)
        self.plan()
        if self.failed:
            self._show_logs()
            self.diag(f'{FILE}: {self.failed} of {self.count} failed:')
            for name in self.failures:
                self.diag(f'  {name}')
        sys.exit(min(self.failed, 254))

    def _show_logs(self):
        for server in self.servers:
            self.diag(f'end of {server.log}:')
            self.diag(server.tail())

    def _leave(self):
        """Leave nothing behind, whatever happened."""
        if os.getpid() != self.owner:
            return
        if not self.finished:
            self.diag(f'{FILE} ended early, after {self.count} results')
            self._show_logs()
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

