#!/usr/bin/python3
"""Credentials that change while logins run."""

import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import tokens  # noqa: E402
from akltest import PATIENCE, Test, client, wait_for  # noqa: E402

t = Test(need_module=True)
cluster = t.cluster()
api = cluster.api
api.rancher('rancher-key-1', ['c-1'])
api.rancher('rancher-key-2', ['c-1'])
first = open(cluster.reviewer, encoding='ascii').read()
ca = open(cluster.ca, encoding='ascii').read()
new_ca = certs.Authority('second CA', tokens.key('P-256', 'second'))


def publish(version, files):
    """Swap a directory of files as kubelet does, by the ..data link."""
    base = os.path.join(t.dir, 'secret')
    for name, text in files.items():
        t.write(f'secret/..{version}/{name}', text, 0o644)
        if not os.path.islink(os.path.join(base, name)):
            os.symlink(os.path.join('..data', name),
                       os.path.join(base, name))
    link = os.path.join(base, '..new')
    os.symlink('..' + version, link)
    os.rename(link, os.path.join(base, '..data'))


for number in range(1, 8):
    os.makedirs(os.path.join(t.dir, 'secret', f'..{number}'))
pair = certs.Authority().client('akl', ['system:masters'])
files = {'reviewer': first, 'ca.crt': ca, 'key': 'rancher-key-1\n',
         'client.crt': pair[0], 'client.key': pair[1]}
publish('1', files)


def at(name):
    """Return the path under which nginx knows a file."""
    return os.path.join(t.dir, 'secret', name)


native = {'k8s_ca_cert': at('ca.crt'), 'token_reviewer_jwt': at('reviewer')}
nginx = t.nginx('''
    akl_k8s_cache_valid 0 refused=0;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
    }
''', method=cluster.method(), configs=cluster.config(**native)
    + cluster.config(name='rancher', cluster_api_type='rancher',
                     token_reviewer_jwt=None, rancher_api_key=at('key'),
                     rancher_cluster_id='c-1')
    + cluster.config(name='certificate', k8s_auth_type='certificate',
                     token_reviewer_jwt=None,
                     k8s_client_certificate=at('client.crt'),
                     k8s_client_key=at('client.key')))
failures, done, stop = [], [0], threading.Event()


def login(config):
    """Log in with a token of its own."""
    done[0] += 1
    return client.post(nginx.port, '/v2/auth', cluster.login(
        cluster.issue(claims={'n': done[0]}), config))


def load():
    """Some twenty logins a second, over all configs."""
    while not stop.wait(0.05):
        for config in configs:
            answer = login(config)
            if answer.status != 200:
                failures.append((config, repr(answer)))


configs = ['k8s-conf', 'rancher', 'certificate']
thread = threading.Thread(target=load, daemon=True)
thread.start()


def passed(number=30):
    """Wait until so many more logins have been answered."""
    goal = done[0] + number
    t.ok(wait_for(lambda: done[0] >= goal), f'{number} more logins')


passed()
t.is_(failures, [], 'before')

# Another reviewer; the former dies at once

api.account('kube-system', 'second')
second = api.issue('kube-system', account='second')
api.delegate('system:serviceaccount:kube-system:second')
files['reviewer'] = second
publish('2', files)
api.delete('account', *tokens.decode(first)[1]['sub'].split(':')[2:])
passed()
t.is_(failures, [], 'a new reviewer, read when the old one is refused')
t.ok(nginx.grep('token_reviewer_jwt .* was replaced'), 'the log tells')

# Another key of Rancher's

files['key'] = 'rancher-key-2'
publish('3', files)
api.forget_rancher('rancher-key-1')
passed()
t.is_(failures, [], "a new key of Rancher's")

# Another CA; connections under the old one must go

before = api.stats()['open']
files['ca.crt'] = new_ca.pem
publish('4', files)
configs[:] = ['k8s-conf']
passed(4)       # the last round over all configs is through
api.certificate(*certs.write_pair(cluster.dir, 'second', new_ca.server()))
api.drop()
passed(20)
t.is_(failures, [], 'a new CA, read when the certificate is refused')
line = nginx.wait_log('k8s_ca_cert .* was replaced')
t.ok(line, 'the log tells')

# A replacement that is none is kept out, and named once

files.update({'ca.crt': 'no certificate', 'reviewer': 'no token'})
mark = nginx.mark()
publish('5', files)
t.ok(nginx.wait_log('k8s_ca_cert .*was replaced, but .*former one is kept',
                    since=mark), 'a broken CA is kept out')
t.ok(nginx.wait_log('token_reviewer_jwt .*was replaced, but', since=mark),
     'a broken reviewer is kept out')
passed(20)
t.is_(failures, [], 'and logins go on')
files.update({'ca.crt': new_ca.pem, 'reviewer': second})
publish('6', files)

# The ten seconds pass without any trouble: the timer alone does it

files['ca.crt'] = new_ca.pem + ca
mark = nginx.mark()
publish('7', files)
opened = api.stats()['connections']
t.ok(nginx.wait_log('k8s_ca_cert .* was replaced$', since=mark),
     're-read without a refusal')
passed(20)
t.ok(api.stats()['connections'] > opened,
     'connections made under the old CA are not used any more')
t.is_(failures, [], 'in all this no login has failed')
broken = nginx.grep('k8s_ca_cert .*was replaced, but')
t.is_(len(broken), 1, 'the broken CA was named once')

stop.set()
thread.join(PATIENCE)
t.done_testing()
