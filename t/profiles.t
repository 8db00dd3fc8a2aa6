#!/usr/bin/python3
"""The profiles of conf-examples/hardening allow what a gateway does."""

import json
import os
import re
import shutil
import subprocess
import sys
import unittest.mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import nginx  # noqa: E402
from akltest import Test, client, wait_for  # noqa: E402
from dialects import FORM  # noqa: E402

PROFILES = os.path.join(nginx.ROOT, 'conf-examples', 'hardening')

t = Test(need_module=True)


def allowed():
    """Return the system calls that the profile for containers allows."""
    with open(os.path.join(PROFILES, 'seccomp.json'),
              encoding='utf-8') as file:
        profile = json.load(file)
    t.is_(profile['defaultAction'], 'SCMP_ACT_ERRNO', 'all else is refused')
    t.is_({rule['action'] for rule in profile['syscalls']},
          {'SCMP_ACT_ALLOW'}, 'what is named is allowed')
    return {name for rule in profile['syscalls'] for name in rule['names']}


def use(cluster, gateway):
    """Ask all that a gateway does for its clients."""
    pod = cluster.issue()
    token = client.post(gateway.port, '/v2/auth',
                        cluster.login(pod)).json()['token']
    bearer = {'Authorization': f'Bearer {token}'}
    t.is_([client.get(gateway.port, '/guarded', bearer).status,
           client.get(gateway.port, '/exchanged', {
               'Authorization': f'Bearer {cluster.issue()}'}).status,
           client.post(gateway.port, '/revoke', f'token={token}', FORM).status,
           client.get(gateway.port, '/guarded', bearer).status],
          [200, 200, 200, 401], 'guard, exchange, revocation')


def traced(path):
    """Return the names of the system calls that strace has seen."""
    with open(path, encoding='ascii', errors='replace') as file:
        return set(re.findall(r'^\d+ +(?:<\.\.\. )?(\w+)[( ]', file.read(),
                              re.M))


@t.story
def a_gateway_makes_no_system_call_beyond_the_profile():
    strace = shutil.which('strace')
    if not strace or 'AKL_WRAP' in os.environ or subprocess.run(
            [strace, '-qq', '-o', '/dev/null', 'true'], check=False,
            stderr=subprocess.DEVNULL).returncode:
        t.skip('needs strace, and the right to trace')
        return
    if nginx.sanitized():
        t.skip('a sanitizer makes calls of its own, and finds no leaks traced')
        return
    cluster = t.cluster()
    folder = t.folder()
    calls = os.path.join(folder, 'calls')
    with unittest.mock.patch.dict(os.environ, {
            'AKL_WRAP': f'{strace} -D -f -qq -s 0 -o {calls}'}):
        gateway = t.nginx(f'''
            akl_k8s_revocations {folder}/journal journal;
            @method@
            @config@
            server {{
                listen 127.0.0.1:@port@;
                location = /v2/auth {{ akl_k8s_auth; }}
                location = /guarded {{ akl_k8s_guard k8s-conf; empty_gif; }}
                location = /exchanged {{
                    akl_k8s_exchange k8s-conf;
                    proxy_pass http://127.0.0.1:@port@/gif;
                }}
                location = /gif {{ empty_gif; }}
                location = /revoke {{ akl_k8s_revoke; }}
            }}
        ''', method=cluster.method(), config=cluster.config(
            k8s_host=f'https://localhost:{cluster.port}',
            akl_k8s_cache_valid='0'))
        use(cluster, gateway)
        t.ok(gateway.reload(wait_old=True), 'a reload')
        use(cluster, gateway)
        gateway.send_signal('USR1')
        gateway.stop()
    t.ok(wait_for(lambda: 'exit_group' in traced(calls)), 'it has ended')
    seen = traced(calls)
    t.ok({'epoll_wait', 'connect', 'accept4', 'fdatasync'} <= seen
         and len(seen) > 40, 'system calls are seen', sorted(seen))
    t.is_(sorted(seen - allowed()), [], 'those that the profile lacks')


@t.story
def apparmor_understands_its_profile():
    parser = shutil.which('apparmor_parser',
                          path=os.environ['PATH'] + ':/usr/sbin:/sbin')
    if not parser:
        t.skip('no apparmor_parser')
        return
    done = subprocess.run(
        [parser, '--skip-kernel-load', '--skip-cache',
         os.path.join(PROFILES, 'apparmor')], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False)
    t.ok(done.returncode == 0, 'it is read', done.stdout)


t.tell()
