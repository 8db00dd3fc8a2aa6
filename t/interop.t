#!/usr/bin/python3
"""Clients of Akeyless log in as people run them, and hvac (make interop)."""

import base64
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import tokens  # noqa: E402
from akltest import (  # noqa: E402
    ACCESS_ID, CONFIG, NAMESPACE, Test, client)
from clients import Clients  # noqa: E402

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
clients = Clients(t)


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


def npm(server, token, path='/v2'):
    """Log in with the npm package; return what it says."""
    return clients.run(
        'node', 'node', 'akeyless.mjs',
        f'http://127.0.0.1:{server.port}{path}', CONFIG, ACCESS_ID, token)[-1]


def go(server, token, path='/v2'):
    """Log in with the Go module; return what it says."""
    return clients.run(
        'akeyless-go', 'bin/akeyless',
        f'http://127.0.0.1:{server.port}{path}', CONFIG, ACCESS_ID, token)[-1]


def pod(answer):
    """Return the pod of the token in an answer, or the answer."""
    token = answer.get('token')
    return tokens.verify(token, key)['pod_name'] if token else answer


def goes_through(cluster, server, log_in):
    """Log in by a client in all ways; return what it says of refusals."""
    good = cluster.issue()
    for name, token in (('raw', good), ('with a newline', good + '\n'),
                        ('in base64', base64.b64encode(
                            good.encode()).decode())):
        t.is_(pod(log_in(server, token)), 'mypod1', f'a token {name}')
    t.is_(pod(log_in(server, good, '')), 'mypod1', 'without a prefix')
    refused = log_in(server, cluster.issue('stranger'))
    cluster.api.unlisten()
    cluster.api.drop()
    outage = log_in(server, cluster.issue(ttl=700))
    for answer, status, reason in ((refused, 403, 'pod_not_bound'),
                                   (outage, 503, 'api_unreachable')):
        t.is_((answer.get('status'), (answer.get('body') or {}).get('reason')),
              (status, reason), f'{reason}: {answer.get("message")}')
    return refused, outage


@t.story
def the_npm_package_akeyless_logs_in(cluster, server):
    if not clients.have('node'):
        return
    refused, outage = goes_through(cluster, server, npm)
    t.like(refused['body']['error'], 'pod is not bound',
           'e.body.error says why')
    t.like(outage['body']['error'], 'API server cannot be reached',
           'or where it failed')


@t.story
def the_go_module_akeyless_logs_in(cluster, server):
    if not clients.have('akeyless-go'):
        return
    refused, outage = goes_through(cluster, server, go)
    t.is_((refused['message'], outage['message']),
          ('403 Forbidden', '503 Service Temporarily Unavailable'),
          'the error is the status')
    t.like(refused['error'], 'pod is not bound', 'its model says why')
    t.like(outage['error'], 'API server cannot be reached',
           'or where it failed')


@t.story
def debians_hvac_logs_in(cluster, server):
    try:
        import hvac
    except ImportError:
        t.skip('no python3-hvac here', 4)
        return
    clients.debian('hvac')
    good, bad = cluster.issue(), cluster.issue('stranger')
    vault = hvac.Client(url=f'http://127.0.0.1:{server.port}')
    role = base64.b64encode(f'{ACCESS_ID}..{CONFIG}'.encode()).decode()
    answer = vault.auth.kubernetes.login(role=role, jwt=good)
    t.is_(vault.token, answer['auth']['client_token'],
          'the client token is set')
    t.is_(tokens.verify(vault.token, key)['pod_name'], 'mypod1',
          'and good')
    answer = vault.auth.kubernetes.login(role=role, jwt=good)
    t.ok(answer['auth']['client_token'],
         'again, with the old X-Vault-Token')
    for error, reason, token in (
            (hvac.exceptions.Forbidden, 'pod_not_bound', bad),
            (hvac.exceptions.VaultDown, 'api_unreachable',
             cluster.issue(ttl=700))):
        if reason == 'api_unreachable':
            cluster.api.unlisten()
            cluster.api.drop()
        try:
            vault.auth.kubernetes.login(role=role, jwt=token)
            t.ok(False, f'{reason} raises {error.__name__}')
        except error as raised:
            t.like(str(raised), reason,
                   f'{error.__name__} says why: {raised}')


@t.story
def plain_http_logs_in(cluster, server):
    good = cluster.issue()
    t.is_(client.post(server.port, '/v2/auth', cluster.login(good)).status,
          200,
          'and plain HTTP')


t.tell()
