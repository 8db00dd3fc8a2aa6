#!/usr/bin/python3
"""HashiCorp's own Go client, its method auth/kubernetes, its LifetimeWatcher
and npm's node-vault, as people run them (make interop)."""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

from akltest import ACCESS_ID, CONFIG, NAMESPACE, Test  # noqa: E402
from clients import Clients  # noqa: E402

LOGIN = '/v1/auth/kubernetes/login'
TTL = 12

t = Test(need_module=True)
clients = Clients(t)


@t.shared
def cluster():
    """A cluster with two pods, one of them not bound."""
    made = t.cluster()
    made.api.pod(NAMESPACE, 'stranger', account='builder')
    return made


@t.shared
def nginx(cluster):
    """A gateway whose tokens do not live for long."""
    return t.nginx('''
        @method@
        @config@
        server {
            listen 127.0.0.1:@port@;
            default_type application/json;
            location = /v1/auth/kubernetes/login { akl_k8s_auth vault; }
            location ~ ^/v1/auth/token/(lookup|renew)-self$ {
                akl_k8s_introspect vault;
            }
            location = /v1/auth/token/revoke-self {
                akl_k8s_revoke vault;
            }
            location = /v1/sys/health {
                return 200 '{"initialized":true,"sealed":false}';
            }
            location /v1/ { return 404 '{"errors":["no handler"]}'; }
        }
    ''', method=cluster.method(token_ttl=f'{TTL}s', bound_pod_names='mypod*'),
        config=cluster.config(kind='P-256'))


def vault(nginx, token, times=0):
    """Run the workload in Go; return what happens to it."""
    return clients.run(
        'go', 'bin/vault', f'http://127.0.0.1:{nginx.port}', CONFIG,
        t.write('pod.jwt', token), str(times))


@t.story
def a_lifetime_watcher_logs_in_again_before_its_token_ends(cluster, nginx):
    if not clients.have('go'):
        return
    told = vault(nginx, cluster.issue(), 2)
    once = ['login', 'lookup', 'renew', 'done']
    t.is_([line['event'] for line in told],
          once + once + ['login', 'lookup', 'revoked', 'failed'],
          'it lives twice, and revokes its last token')
    for login, lookup, renew, over in (told[:4], told[4:8]):
        t.is_((login['renewable'], lookup['renewable']), (False, False),
              'its token is not renewable')
        t.ok(0 < lookup['ttl'] <= login['lease'] <= TTL, 'it has an end')
        t.is_((lookup['meta']['role'],
               lookup['meta']['service_account_namespace']),
              (f'{ACCESS_ID}..{CONFIG}', NAMESPACE), 'it knows who it is')
        t.like(renew['why'], 'Code: 400(.|\\n)*lease is not renewable',
               'renewal is refused')
        t.is_(over['why'], '', 'the watcher says when to log in again')
    t.is_((told[-1]['what'], told[-1]['status'], told[-1]['errors'][0]),
          ('lookup-self', 403, 'permission denied'),
          'and a revoked token is none')
    t.like(told[-1]['errors'][1], '^token_revoked: ', 'which it is told')


@t.story
def a_refusal_is_told_as_vault_tells_it(cluster, nginx):
    if not clients.have('go'):
        return
    told = vault(nginx, cluster.issue('stranger'))[-1]
    t.is_((told['what'], told['status']), ('login', 403), 'it is refused')
    t.like('\n'.join(told['errors']), 'pod_not_bound', 'errors say why')
    t.like(told['why'], 'Code: 403(.|\\n)*pod_not_bound',
           f'and so does the error: {told["why"]}')


@t.story
def the_go_client_waits_until_the_cluster_is_back(cluster, nginx):
    if not clients.have('go'):
        return
    cluster.api.unlisten()
    cluster.api.drop()
    mark = nginx.mark()
    told = []
    client = threading.Thread(
        target=lambda: told.extend(vault(nginx, cluster.issue(ttl=700))))
    client.start()
    t.ok(nginx.wait_log('login failed, api_unreachable', since=mark),
         'it is told to come back')
    cluster.api.listen()
    client.join()
    t.is_([line['event'] for line in told], ['login', 'lookup'],
          'it does so by itself')


def node(nginx, token):
    """Run the workload in JavaScript; return what happens to it."""
    told = clients.run('node', 'node', 'vault.mjs',
                       f'http://127.0.0.1:{nginx.port}', CONFIG, token)
    return [line['step'] for line in told], told


@t.story
def node_vault_goes_from_a_login_through_the_life_of_a_token(cluster, nginx):
    if not clients.have('node'):
        return
    steps, told = node(nginx, cluster.issue())
    t.is_(steps, ['health', 'login', 'lookup', 'renew', 'read', 'revoke',
                  'lookup'], 'the steps')
    health, login, lookup, renew, read, revoke, again = told
    t.is_(health['answer']['sealed'], False, 'the health')
    auth = login['answer']['auth']
    t.is_(auth['metadata']['service_account_namespace'], NAMESPACE,
          'the login')
    t.is_((lookup['answer']['data']['id'], lookup['answer']['data']['meta']),
          (auth['client_token'], auth['metadata']), 'it looks itself up')
    for line, status, message in (
            (renew, 400, 'lease is not renewable'),
            (read, 404, 'no handler'), (again, 403, 'permission denied')):
        t.is_((line['status'], line['message']), (status, message),
              f'{line["step"]}: {message}')
    t.ok('answer' in revoke, f'it is revoked: {revoke}')


@t.story
def node_vault_is_told_why_it_is_refused_or_cannot_be_served(cluster, nginx):
    if not clients.have('node'):
        return
    for token, status, reason in (
            (cluster.issue('stranger'), 403, 'pod_not_bound'),
            (cluster.issue(ttl=700), 503, 'api_unreachable')):
        if status == 503:
            cluster.api.unlisten()
            cluster.api.drop()
        steps, told = node(nginx, token)
        t.is_((steps, told[-1]['status']), (['health', 'login'], status),
              reason)
        t.like(told[-1]['message'], reason,
               f'the message says why: {told[-1]["message"]}')


t.tell()
