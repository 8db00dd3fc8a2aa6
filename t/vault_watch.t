#!/usr/bin/python3
"""HashiCorp's own Go client, and its LifetimeWatcher (make interop)."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import nginx as nginx_  # noqa: E402
from akltest import (  # noqa: E402
    ACCESS_ID, CONFIG, NAMESPACE, PATIENCE, Test)

PROGRAM = os.path.join(os.environ.get('AKL_INTEROP') or os.path.join(
    nginx_.ROOT, 'objs', 'interop'), 'vaultwatch')
TTL = 12

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.story
def a_lifetime_watcher_logs_in_again_before_its_token_ends(cluster):
    if not os.path.exists(PROGRAM):
        t.skip('"make interop" builds the client, where Go and its module '
               'proxy are', 1)
        return
    nginx = t.nginx('''
        @method@
        @config@
        server {
            listen 127.0.0.1:@port@;
            location = /v1/auth/kubernetes/login { akl_k8s_auth vault; }
            location ~ ^/v1/auth/token/(lookup|renew)-self$ {
                akl_k8s_introspect vault;
            }
        }
    ''', method=cluster.method(token_ttl=f'{TTL}s'),
        config=cluster.config(kind='P-256'))
    done = subprocess.run(
        [PROGRAM, f'http://127.0.0.1:{nginx.port}', CONFIG,
         t.write('pod.jwt', cluster.issue()), '2'], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE,
        check=False)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    t.is_([line['event'] for line in told],
          ['login', 'lookup', 'renew', 'done'] * 2, 'it lives twice')
    for login, lookup, renew, over in (told[:4], told[4:]):
        t.is_((login['renewable'], lookup['renewable']), (False, False),
              'its token is not renewable')
        t.ok(0 < lookup['ttl'] <= login['lease'] <= TTL, 'it has an end')
        t.is_((lookup['meta']['role'],
               lookup['meta']['service_account_namespace']),
              (f'{ACCESS_ID}..{CONFIG}', NAMESPACE), 'it knows who it is')
        t.like(renew['why'], 'Code: 400(.|\\n)*lease is not renewable',
               'renewal is refused')
        t.is_(over['why'], '', 'the watcher says when to log in again')


t.tell()
