"""What the storms have in common: a gateway, its load, a line of figures.

Each story of t/chaos is one storm: it starts a gateway by Storm(t, ...), has
the load begin, does its worst, says so (`load.outage(...)`, `load.over()`),
and ends by `storm.end(TITLE)`, which holds what has to be the same after all
of them, and leaves the figures in objs/chaos, one file a story, for table.py.
"""

import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, 't', 'lib'))

import nginx as nginx_  # noqa: E402
from akltest import CONFIG, Test, client, wait_for  # noqa: E402,F401
from load import Load, Pods  # noqa: E402

FIGURES = os.environ.get('AKL_CHAOS', os.path.join(ROOT, 'objs', 'chaos'))
PATIENT = '60s connect=30s'     # as slow as the machine may be
BRISK = '3s connect=1s'         # for storms in which nobody answers
HTTP = '''
    akl_k8s_zone storm:@zone@;
    akl_k8s_review_timeout @timeout@;
    akl_k8s_revocations @dir@/revoked/journal journal;
    large_client_header_buffers 4 32k;
    keepalive_requests 100000;
    @more@
    @method@
    @config@
    server {
        listen 127.0.0.1:@port@ backlog=4096;
        HTTP2
        add_header X-Outcome $akl_k8s_status always;
        location = /v2/auth { akl_k8s_auth; }
        location = /token { akl_k8s_auth oauth; }
        location = /v1/auth/kubernetes/login { akl_k8s_auth vault; }
        location = /revoke { akl_k8s_revoke; }
        location = /status { akl_k8s_status; }
        location / { akl_k8s_guard k8s-conf; try_files /none =204; }
    }
'''


class Storm:
    """A gateway of one story, with its load."""

    def __init__(self, test, cluster=None, zone='8m', more='', members=None,
                 timeout=PATIENT, clients=12, pause=0.04, start=True,
                 clock=time.time, **kw):
        self.test = test
        self.cluster = cluster or test.cluster(key_kind='P-256')
        self.pods = Pods(self.cluster)
        kw.setdefault('workers', 2)
        kw.setdefault('level', 'error')
        self.nginx = test.nginx(
            HTTP.replace('HTTP2', nginx_.http2('127.0.0.1:@port1@')),
            start=False, zone=zone, more=more, timeout=timeout,
            method=self.cluster.method(),
            config=self.cluster.config(**(members or {})), **kw)
        os.makedirs(os.path.join(self.nginx.dir, 'revoked'))
        self.load = Load(self.nginx.port, self.pods, clients, pause,
                         clock=clock)
        self.faults = 0
        self.began = time.monotonic()
        if start:
            self.nginx.start()

    def begin(self, logins=100):
        """Have the clients begin, and wait until all is well."""
        self.load.start()
        self.go_on(logins)
        return self

    def go_on(self, logins=100):
        """Wait until so many logins more were tried."""
        until = self.load.count['logins'] + logins
        if not wait_for(lambda: self.load.count['logins'] >= until):
            raise RuntimeError(f'no logins: {self.load.tell()}')

    def recover(self):
        """The fault is over: wait until logins are answered well."""
        self.load.over()
        if not wait_for(lambda: self.load.recovered is not None):
            raise RuntimeError(f'no recovery: {self.load.tell()}\n'
                               + self.nginx.tail())
        self.go_on(60)

    def status(self):
        """Return what the status page tells."""
        return client.get(self.nginx.port, '/status').json()

    def guard(self, token):
        """Return what the guard says of a token."""
        return client.get(self.nginx.port, '/f', {
            'Authorization': f'Bearer {token}'}).status

    def end(self, title, settled=True):
        """Stop the load, check what always has to hold, keep the figures."""
        load, test = self.load, self.test
        load.stop()
        figures = load.tell()
        test.is_(figures['wrong'], 0, 'no answer is wrong')
        test.is_(figures['unanswered'], 0, 'none is missing')
        for sample in load.samples:
            test.diag(sample)
        test.ok(figures['twentieth'] is not None, 'logins are well again')
        test.ok(figures['right'] >= 50, 'it was a load', figures)
        passed = [token for token in load.revoked
                  if 401 != self.guard(token)]
        test.is_(len(passed), 0, 'what was taken back stays so')
        if settled:
            test.ok(wait_for(lambda: self.at_rest()), 'nothing is left over',
                    *self.left)
        record = {'storm': title, 'faults': self.faults,
                  'seconds': round(time.monotonic() - self.began, 1),
                  **figures}
        os.makedirs(FIGURES, exist_ok=True)
        name = test.current.replace(' ', '_')
        with open(os.path.join(FIGURES, f'{name}.json'), 'w',
                  encoding='utf-8') as file:
            json.dump(record, file, indent=1)
            file.write('\n')
        test.note(json.dumps(record))

    def at_rest(self):
        """Say whether no review, call or mark of one is left."""
        status = self.status()
        config = status['configs'][CONFIG]
        self.left = [json.dumps(status)]
        return not (config['reviews_in_flight'] or config['reviews_queued']
                    or status['zone']['flights'])
