#!/usr/bin/python3
"""Other people's clients: the npm package akeyless, Debian's hvac."""

import base64
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import nginx as nginx_  # noqa: E402
import tokens  # noqa: E402
from akltest import (  # noqa: E402
    ACCESS_ID, CONFIG, NAMESPACE, PATIENCE, Test, client)

HERE = os.path.join(nginx_.ROOT, 't', 'interop')
MODULES = os.path.join(os.environ.get('AKL_INTEROP') or os.path.join(
    nginx_.ROOT, 'objs', 'interop'), 'npm')

HTTP = '''
    @method@
    @config@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /auth { akl_k8s_auth; }
        location = /v1/auth/kubernetes/login { akl_k8s_auth vault; }
    }
'''

key = tokens.key('RSA-2048', 'gateway')

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with two pods, one of them not bound."""
    made = t.cluster()
    made.api.pod(NAMESPACE, 'stranger', account='builder')
    return made


@t.shared
def server(cluster):
    """The gateway of all clients."""
    return t.nginx(HTTP, method=cluster.method(bound_pod_names='mypod*'),
                   config=cluster.config())


def no_npm():
    """Install the npm package; return why that is not possible."""
    if shutil.which('node') is None or shutil.which('npm') is None:
        return 'no node and npm here'
    os.makedirs(MODULES, exist_ok=True)
    lock = os.path.join(MODULES, 'package-lock.json')
    with open(os.path.join(HERE, 'package-lock.json'), 'rb') as file:
        wanted = file.read()
    if os.path.exists(os.path.join(MODULES, 'node_modules', 'akeyless')) \
            and open(lock, 'rb').read() == wanted:
        return None
    for name in ('package.json', 'package-lock.json', 'akeyless.js'):
        shutil.copy(os.path.join(HERE, name), MODULES)
    try:
        done = subprocess.run(
            ['npm', 'ci', '--no-audit', '--no-fund', '--ignore-scripts'],
            cwd=MODULES, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=150, check=False, text=True)
    except subprocess.TimeoutExpired:
        return 'npm does not answer'
    if done.returncode:
        return 'npm cannot install akeyless: ' \
            + (done.stdout.strip().splitlines() or [''])[-1]
    return None


def node(server, token, path=''):
    """Log in with the npm client; return what it says."""
    shutil.copy(os.path.join(HERE, 'akeyless.js'), MODULES)
    out = subprocess.run(
        ['node', 'akeyless.js', f'http://127.0.0.1:{server.port}{path}',
         CONFIG, ACCESS_ID, token], cwd=MODULES, stdout=subprocess.PIPE,
        timeout=PATIENCE, check=False, text=True).stdout
    try:
        return json.loads(out.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return {'said': out}


@t.story
def the_npm_package_akeyless_logs_in(cluster, server):
    missing = no_npm()
    if missing:
        t.skip(missing, 5)
        return
    good, bad = cluster.issue(), cluster.issue('stranger')
    for name, token in (('raw', good), ('base64', base64.b64encode(
            good.encode()).decode())):
        answer = node(server, token, '/v2')
        t.is_(tokens.verify(answer.get('token', ''), key).get('pod_name')
              if answer.get('token') else answer, 'mypod1',
              f'akeyless: V2Api.auth, token {name}')
    t.ok(node(server, good).get('token'), 'akeyless: without a prefix')
    answer = node(server, bad, '/v2')
    t.is_(answer.get('status'), 403, 'akeyless: a refusal')
    t.like((answer.get('body') or {}).get('error'), 'pod is not bound',
           'akeyless: e.body.error says why')


@t.story
def debians_hvac_logs_in(cluster, server):
    try:
        import hvac
    except ImportError:
        t.skip('no python3-hvac here', 4)
        return
    good, bad = cluster.issue(), cluster.issue('stranger')
    vault = hvac.Client(url=f'http://127.0.0.1:{server.port}')
    role = base64.b64encode(f'{ACCESS_ID}..{CONFIG}'.encode()).decode()
    answer = vault.auth.kubernetes.login(role=role, jwt=good)
    t.is_(vault.token, answer['auth']['client_token'],
          'hvac: the client token is set')
    t.is_(tokens.verify(vault.token, key)['pod_name'], 'mypod1',
          'hvac: and good')
    answer = vault.auth.kubernetes.login(role=role, jwt=good)
    t.ok(answer['auth']['client_token'],
         'hvac: again, with the old X-Vault-Token')
    try:
        vault.auth.kubernetes.login(role=role, jwt=bad)
        t.ok(False, 'hvac: a refusal raises Forbidden')
    except hvac.exceptions.Forbidden as error:
        t.like(str(error), 'pod_not_bound', 'hvac: a refusal raises '
               'Forbidden, which says why')


@t.story
def plain_http_logs_in(cluster, server):
    good = cluster.issue()
    t.is_(client.post(server.port, '/v2/auth', cluster.login(good)).status,
          200,
          'and plain HTTP')


t.tell()
