#!/usr/bin/python3
"""akl-k8s doctor with a sanitizer: whatever the API server answers."""

import base64
import glob
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import faults  # noqa: E402
import nginx as nginx_  # noqa: E402
from akltest import Test  # noqa: E402
from cli import ASAN, Desk, run  # noqa: E402

USER = 'user root;\n' if os.geteuid() == 0 else ''

t = Test(need_module=True)

if not os.path.exists(ASAN):
    t.skip_all('no akl-k8s with a sanitizer: make cli-asan')


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.own
def judged(cluster):
    """Tests that doctor outlives what the API server answers now."""
    desk = Desk(t)
    conf = desk.write('nginx.conf', USER + 'events { }\nhttp {\n'
                      + cluster.method() + cluster.config(k8s_jwks='auto')
                      + '}\n')
    pod = desk.write('pod.jwt', cluster.issue())

    def judge(name):
        done = run('doctor', '--config', conf, '--k8s-token-path', pod,
                   '--timeout', '2', binary=ASAN)
        cluster.api.clear()
        t.ok(done.code in (0, 1, 3) and 'anitizer' not in done.err, name,
             done.code, done.err)

    return judge


@t.story
def whatever_goes_wrong_at_the_api_server_is_judged(cluster, judged):
    for preset in sorted(faults.PRESETS):
        fault = faults.PRESETS[preset]
        if fault.get('hold') or fault.get('stall'):
            continue        # these take as long as the time limit
        cluster.api.fault(preset, kind='any', count=100)
        judged(preset)


@t.story
def whatever_the_fuzzers_found_is_judged_as_an_answer(cluster, judged):
    for path in glob.glob(os.path.join(nginx_.ROOT, 't', 'fuzz', 'corpus',
                                       '*', '*')):
        with open(path, 'rb') as file:
            answer = base64.b64encode(file.read()).decode()
        cluster.api.fault(kind='any', count=100, status=201,
                          body={'base64': answer})
        judged(os.path.basename(path))


t.tell()
