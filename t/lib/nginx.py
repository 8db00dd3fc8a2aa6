"""An nginx of a test's own."""

import contextlib
import functools
import os
import re
import shlex
import signal
import socket
import subprocess

import procs
from tap import PATIENCE, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BINARY = os.environ.get('AKL_NGINX', '/usr/sbin/nginx')
MODULE = os.environ.get('AKL_MODULE', os.path.join(
    ROOT, 'objs', 'ngx_http_akl_k8s_module.so'))
EVENT_MODULE = os.environ.get('AKL_EVENT_MODULE')

TEMPLATE = '''{load}
daemon off;
{master}
worker_processes {workers};
pid {dir}/nginx.pid;
error_log {log} {level};
{user}
{main}

events {{
    worker_connections {connections};
    {events}
}}

http {{
    access_log {dir}/access.log;
    {paths}
    {limits}
    {globals}

{http}
}}
'''


@functools.cache
def version():
    """Return what `nginx -V` prints."""
    return subprocess.run([BINARY, '-V'], stderr=subprocess.PIPE,
                          check=True, text=True).stderr


def has(option):
    """Say whether nginx was configured with an option."""
    return option in version()


def polls():
    """Say whether there is an event method "poll", nginx's own or ours."""
    return has('--with-poll_module') or bool(EVENT_MODULE)


def sanitized():
    """Say whether nginx was built with a sanitizer."""
    return has('-fsanitize=')


def http2(address):
    """Return the directives that listen there for HTTP/2."""
    number = re.search(r'nginx/(\d+)\.(\d+)', version())
    if (int(number[1]), int(number[2])) >= (1, 25):
        return f'listen {address}; http2 on;'
    return f'listen {address} http2;'


def http3(address):
    """Return the directives that listen there for HTTP/3.

    And by TLS over TCP, as all servers of HTTP/3 do, to tell clients of it.
    """
    return f'listen {address} ssl; listen {address} quic;'


def available():
    """Say whether the binary and the module to test are there."""
    return os.access(BINARY, os.X_OK) \
        and (MODULE == 'static' or os.path.exists(MODULE))


def outer(text):
    """Return what stands in a configuration outside of all blocks."""
    out, depth = [], 0
    for part in re.split(r'([{}])', text):
        depth += {'{': 1, '}': -1}.get(part, 0)
        if depth == 0:
            out.append(part)
    return ''.join(out)


class Nginx:
    """One nginx instance in a directory below the test's.

    `http` and `main` are texts in which @NAME@ is replaced: @dir@,
    @port@ (also @port1@ ...: free ports), and the members of `values`.
    `use` is the event method, else that of AKL_EVENT, else nginx's choice;
    `load` says whether the module is loaded, or is the path of another one.
    """

    def __init__(self, test, http='', main='', events='', workers=1,
                 level=None, connections=1024, master=True, load=True,
                 limits=True, env=None, name='nginx', use=None, **values):
        self.test = test
        self.dir = os.path.join(test.dir, name)
        os.makedirs(self.dir, exist_ok=True)
        self.ports = {}
        self.values = values
        self.env = env
        self.process = None
        self.expected = []
        self.stopped_at = None
        self.tested = ''        # what configuration tests have printed
        self.log = os.path.join(self.dir, 'error.log')
        self.errors = os.path.join(self.dir, 'stderr')
        self.settings = {
            'main': main, 'events': events, 'workers': workers,
            'level': level or os.environ.get('AKL_LOG_LEVEL', 'info'),
            'connections': connections, 'master': master, 'load': load,
            'use': use or os.environ.get('AKL_EVENT'),
            'limits': limits, 'http': http}
        self.configure()

    # Configuration

    @property
    def port(self):
        """The port behind @port@."""
        return self.port_of('port')

    def port_of(self, name):
        """The port behind @NAME@, a free one at first use."""
        if name not in self.ports:
            self.ports[name] = procs.free_port()
        return self.ports[name]

    def expand(self, text):
        """Replace @NAME@ in a text."""
        def value(match):
            name = match.group(1)
            if name == 'dir':
                return self.dir
            if name in self.values:
                return str(self.values[name])
            if re.fullmatch(r'port\d*', name):
                return str(self.port_of(name))
            raise KeyError(f'@{name}@ in the configuration')
        return re.sub(r'@([a-z_][a-z0-9_]*)@', value, text)

    def limits(self, have):
        """Return time limits that a slow machine keeps.

        The module's own would fail a test whose API server is slow; a text
        that sets some at the level of http keeps them.
        """
        if not have['load'] or not have['limits'] or re.search(
                r'\bakl_k8s_review_timeout\b', outer(have['http'])):
            return ''
        return f'akl_k8s_review_timeout {PATIENCE // 2}s ' \
            f'connect={PATIENCE // 4}s;'

    def render(self, log=None, **changes):
        """Return the configuration as text."""
        have = {**self.settings, **changes}
        load = ''
        if have['load'] and MODULE != 'static':
            load = 'load_module ' \
                f'{MODULE if have["load"] is True else have["load"]};'
        if have['use'] == 'poll' and EVENT_MODULE \
                and '--with-poll_module' not in version():
            load += f'\nload_module {EVENT_MODULE};'
        events = self.expand(have['events'])
        if have['use']:
            events += f' use {have["use"]};'
        built = version()
        paths = ' '.join(
            f'{kind}_temp_path {self.dir}/{kind}_temp;' for kind in
            ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi')
            if f'--without-http_{kind}_module' not in built)
        return TEMPLATE.format(
            load=load, dir=self.dir, log=log or self.log,
            level=have['level'], workers=have['workers'],
            master='' if have['master'] else 'master_process off;',
            user='user root;' if os.geteuid() == 0 else '',
            main=self.expand(have['main']), events=events, paths=paths,
            connections=have['connections'],
            limits=self.limits({**have, 'http': self.expand(have['http'])}),
            globals=self.expand(os.environ.get('AKL_GLOBALS_HTTP', '')),
            http=self.expand(have['http']))

    def configure(self, values=None, **changes):
        """Write nginx.conf, with settings changed (http=, workers=...)."""
        self.values.update(values or {})
        self.settings.update(changes)
        self.test.write(os.path.join(self.dir, 'nginx.conf'),
                        self.render())

    def command(self, *more):
        """Return the command line of this instance."""
        return [*shlex.split(os.environ.get('AKL_WRAP', '')), BINARY,
                '-p', self.dir, '-e', self.log,
                '-c', os.path.join(self.dir, 'nginx.conf'), *more]

    def config_test(self, **changes):
        """Run `nginx -t` with settings changed; return (code, output)."""
        conf = self.test.write(os.path.join(self.dir, 'test.conf'),
                               self.render(
                                   log=os.path.join(self.dir, 'test.log'),
                                   **changes))
        done = subprocess.run(
            [*shlex.split(os.environ.get('AKL_WRAP', '')), BINARY, '-t',
             '-p', self.dir, '-e', os.path.join(self.dir, 'test.log'),
             '-c', conf], stdout=subprocess.PIPE, env=self.environment(),
            stderr=subprocess.STDOUT, timeout=PATIENCE, check=False)
        output = done.stdout.decode('utf-8', 'replace')
        self.tested += output
        return done.returncode, output

    def environment(self):
        """Return the environment for the binary."""
        return {**os.environ, **(self.env or {})}

    # Life

    def start(self):
        """Start nginx and wait until it serves; return self."""
        with open(self.errors, 'ab') as errors:
            self.process = procs.spawn(
                self.command(), stdin=subprocess.DEVNULL,
                stdout=errors, stderr=errors, env=self.environment())
        if not wait_for(self._ready):
            raise RuntimeError('nginx did not start:\n' + self.tail())
        return self

    def _ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f'nginx ended with {self.process.returncode}'
                               f':\n{self.tail()}')
        if not os.path.exists(os.path.join(self.dir, 'nginx.pid')):
            return False
        if self.settings['master'] \
                and len(self.workers()) < self.settings['workers']:
            return False
        for port in self.listening():
            try:
                socket.create_connection(('127.0.0.1', port),
                                         PATIENCE).close()
            except OSError:
                return False
        return True

    def listening(self):
        """Return our ports that a listen directive names."""
        text = self.expand(self.settings['http'])
        wanted = re.findall(r'listen\s+(?:127\.0\.0\.1:|\*:)?(\d+)', text)
        return [p for p in self.ports.values() if str(p) in wanted]

    def workers(self, old=True):
        """Return the ids of the workers; old ones shutting down too.

        Under valgrind no process has a title of its own: all children count.
        """
        out = []
        for pid in procs.children(self.process.pid):
            name = procs.title(pid)
            if ('worker process' in name or 'valgrind' in name) \
                    and (old or 'shutting down' not in name):
                out.append(pid)
        return sorted(out)

    def send_signal(self, name):
        """Send the master a signal: HUP, USR1, USR2, WINCH, ..."""
        self.process.send_signal(getattr(signal, 'SIG' + name))

    def reload(self, timeout=PATIENCE, wait_old=False):
        """Reload; True when new workers serve, False if it was refused.

        With wait_old also wait until the old workers have ended.
        """
        before = set(self.workers())
        mark = self.mark()
        self.send_signal('HUP')
        wanted = self.settings['workers']

        def settled():
            if self.grep(r'\[emerg\]', mark):
                return 'refused'
            fresh = set(self.workers(old=False)) - before
            leaving = [pid for pid in before if procs.title(pid)
                       and 'shutting down' not in procs.title(pid)]
            return len(fresh) >= wanted and not leaving

        result = wait_for(settled, timeout)
        if result == 'refused':
            return False
        if not result:
            raise RuntimeError('no reload:\n' + self.tail())
        if wait_old and not wait_for(
                lambda: not before & set(self.workers()), timeout):
            raise RuntimeError(f'old workers stay: {before}')
        return True

    def quit(self, timeout=PATIENCE):
        """End gracefully; return the exit code."""
        return self._end(signal.SIGQUIT, timeout)

    def stop(self, timeout=PATIENCE):
        """End fast; return the exit code."""
        return self._end(signal.SIGTERM, timeout)

    def _end(self, sig, timeout):
        if self.process is None:
            return None
        if self.process.poll() is None:
            if sig == signal.SIGTERM and sanitized():
                self.stopped_at = self.mark()
            self.process.send_signal(sig)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.test.problem(f'nginx did not end on signal {sig}')
                for pid in self.workers():
                    os.kill(pid, signal.SIGKILL)
                self.process.kill()
                self.process.wait()
        code = self.process.returncode
        if code not in (0, -signal.SIGTERM):
            self.test.problem(f'nginx ended with code {code}')
        return code

    def kill_worker(self, pid=None, sig=signal.SIGKILL):
        """Kill a worker and wait for its successor; return the new one."""
        before = self.workers()
        pid = pid or before[0]
        self.expect(rf'worker process {pid} exited on signal')
        os.kill(pid, sig)
        fresh = wait_for(lambda: [p for p in self.workers()
                                  if p not in before])
        return fresh[0] if fresh else None

    @contextlib.contextmanager
    def frozen(self):
        """Stop the workers while the block runs, as a starved machine does."""
        pids = self.workers()
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            if not wait_for(lambda: all(map(procs.stopped, pids))):
                raise RuntimeError(f'workers do not stop: {pids}')
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    # Logs

    def expect(self, pattern):
        """Do not count matching alert lines as a failure."""
        self.expected.append(pattern)

    def mark(self):
        """Return a place in the error log, for grep and wait_log."""
        return os.path.getsize(self.log) if os.path.exists(self.log) else 0

    def error_log(self, since=0):
        """Return the error log as text."""
        if not os.path.exists(self.log):
            return ''
        with open(self.log, 'rb') as file:
            file.seek(since)
            return file.read().decode('utf-8', 'replace')

    def access_log(self, name='access.log'):
        """Return the lines of an access log."""
        path = os.path.join(self.dir, name)
        if not os.path.exists(path):
            return []
        with open(path, encoding='utf-8', errors='replace') as file:
            return file.read().splitlines()

    def grep(self, pattern, since=0):
        """Return the lines of the error log that match."""
        return [line for line in self.error_log(since).splitlines()
                if re.search(pattern, line)]

    def wait_log(self, pattern, timeout=PATIENCE, since=0):
        """Wait for a line in the error log; return it or None."""
        found = wait_for(lambda: self.grep(pattern, since), timeout)
        return found[0] if found else None

    def stderr(self):
        """Return what nginx wrote to its standard error."""
        if not os.path.exists(self.errors):
            return ''
        with open(self.errors, encoding='utf-8', errors='replace') as file:
            return file.read()

    def tail(self, lines=15):
        """Return the ends of the error log and of standard error."""
        return '\n'.join(self.error_log().splitlines()[-lines:]
                         + self.stderr().splitlines()[-lines:])

    def alerts(self):
        """Return the lines that no healthy server writes.

        One is that of a directive for which this nginx has another.

        A master that is told to stop kills each process that has not ended
        after 1.6 s, and a sanitizer's search for leaks may take longer.
        """
        wrong = self.grep(r'\[(alert|emerg|crit)\]|open socket .* left|'
                          r'stale global SSL error|exited on signal|'
                          r'is deprecated, use the')
        late = [] if self.stopped_at is None else self.grep(
            r' process \d+ exited on signal 9$', self.stopped_at)
        return [line for line in wrong if line not in late
                and not any(re.search(p, line) for p in self.expected)]

    def sanitizer_errors(self):
        """Return the lines in which a sanitizer complains."""
        text = self.error_log() + self.stderr() + self.tested
        return [line for line in text.splitlines() if re.search(
            r'(Address|Leak|Memory|Thread|UndefinedBehavior)Sanitizer|'
            r'runtime error:|ERROR SUMMARY: [1-9]', line)]
