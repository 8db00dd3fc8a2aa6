#!/usr/bin/python3
"""Credentials that change while logins run."""

import os
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import tokens  # noqa: E402
from akltest import PATIENCE, Test, client, wait_for  # noqa: E402

HTTP = '''
    akl_k8s_cache_valid 0 refused=0;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster, and a Rancher before it."""
    made = t.cluster()
    made.api.rancher('rancher-key-1', ['c-1'])
    made.api.rancher('rancher-key-2', ['c-1'])
    return made


class Load:
    """Logins over three configs, whose credentials lie in a secret."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.api = cluster.api
        self.base = tempfile.mkdtemp(dir=t.dir)
        self.version = 0
        self.first = cluster.api.read('reviewer.jwt')
        self.ca = cluster.api.read('ca.crt')
        self.new_ca = certs.Authority('second CA',
                                      tokens.key('P-256', 'second'))
        pair = certs.Authority().client('akl', ['system:masters'])
        self.files = {
            'reviewer': self.first, 'ca.crt': self.ca,
            'key': 'rancher-key-1\n',
            'client.crt': pair[0], 'client.key': pair[1]}
        self.publish()
        self.nginx = t.nginx(
            HTTP, method=cluster.method(), configs=cluster.config(
                k8s_ca_cert=self.at('ca.crt'),
                token_reviewer_jwt=self.at('reviewer'))
            + cluster.config(
                name='rancher', cluster_api_type='rancher',
                token_reviewer_jwt=None, rancher_api_key=self.at('key'),
                rancher_cluster_id='c-1')
            + cluster.config(
                name='certificate', k8s_auth_type='certificate',
                token_reviewer_jwt=None,
                k8s_client_certificate=self.at('client.crt'),
                k8s_client_key=self.at('client.key')))
        self.configs = ['k8s-conf', 'rancher', 'certificate']
        self.failures, self.done = [], 0
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        self.passed()
        t.is_(self.failures, [], 'before')

    def at(self, name):
        """Return the path under which nginx knows a file."""
        return os.path.join(self.base, name)

    def publish(self):
        """Swap the directory of files as kubelet does, by its ..data link."""
        self.version += 1
        os.makedirs(self.at(f'..{self.version}'))
        for name, text in self.files.items():
            t.write(self.at(f'..{self.version}/{name}'), text, 0o644)
            if not os.path.islink(self.at(name)):
                os.symlink(os.path.join('..data', name), self.at(name))
        os.symlink(f'..{self.version}', self.at('..new'))
        os.rename(self.at('..new'), self.at('..data'))

    def login(self, config):
        """Log in with a token of its own."""
        self.done += 1
        return client.post(self.nginx.port, '/v2/auth', self.cluster.login(
            self.cluster.issue(claims={'n': self.done}), config))

    def run(self):
        """Some twenty logins a second, over all configs."""
        while not self.ending.wait(0.05):
            for config in self.configs:
                answer = self.login(config)
                if answer.status != 200:
                    self.failures.append((config, repr(answer)))

    def passed(self, number=30):
        """Wait until so many more logins have been answered."""
        goal = self.done + number
        t.ok(wait_for(lambda: self.done >= goal), f'{number} more logins')

    def end(self):
        """End the logins; none of them may have failed."""
        self.ending.set()
        self.thread.join(PATIENCE)
        t.is_(self.failures, [], 'no login has failed')


@t.own
def load(cluster):
    """Logins that go on while the story changes their credentials."""
    return Load(cluster)


@t.story
def a_new_reviewer_is_read_when_the_old_one_is_refused(load):
    load.api.positive_cache(0)
    load.api.account('kube-system', 'second')
    second = load.api.issue('kube-system', account='second')
    load.api.delegate('system:serviceaccount:kube-system:second')
    load.files['reviewer'] = second
    load.publish()
    load.api.delete('account',
                    *tokens.decode(load.first)[1]['sub'].split(':')[2:])
    load.passed()
    t.is_(load.failures, [],
          'a new reviewer, read when the old one is refused')
    t.ok(load.nginx.grep('token_reviewer_jwt .* was replaced'),
         'the log tells')
    load.end()


@t.story
def a_new_key_of_ranchers_is_read_when_the_old_one_is_refused(load):
    load.files['key'] = 'rancher-key-2'
    load.publish()
    load.api.forget_rancher('rancher-key-1')
    load.passed()
    t.is_(load.failures, [], "a new key of Rancher's")
    load.end()


@t.story
def a_new_ca_is_read_when_the_certificate_is_refused(load):
    load.files['ca.crt'] = load.new_ca.pem
    load.publish()
    load.configs[:] = ['k8s-conf']
    load.passed(4)       # the last round over all configs is through
    load.api.certificate(*certs.write_pair(load.cluster.dir, 'second',
                                           load.new_ca.server()))
    load.api.drop()
    load.passed(20)
    t.is_(load.failures, [], 'a new CA, read when the certificate is refused')
    line = load.nginx.wait_log('k8s_ca_cert .* was replaced')
    t.ok(line, 'the log tells')
    load.end()


@t.story
def a_replacement_that_is_none_is_kept_out_and_named_once(load):
    load.files.update({'ca.crt': 'no certificate', 'reviewer': 'no token'})
    mark = load.nginx.mark()
    load.publish()
    t.ok(load.nginx.wait_log('k8s_ca_cert .*was replaced, but .*former one is '
                             'kept',
                             since=mark), 'a broken CA is kept out')
    t.ok(load.nginx.wait_log('token_reviewer_jwt .*was replaced, but',
                             since=mark),
         'a broken reviewer is kept out')
    load.passed(20)
    t.is_(load.failures, [], 'and logins go on')
    broken = load.nginx.grep('k8s_ca_cert .*was replaced, but')
    t.is_(len(broken), 1, 'the broken CA was named once')
    load.end()


@t.story
def credentials_are_read_again_without_any_trouble(load):
    load.files['ca.crt'] = load.new_ca.pem + load.ca
    mark = load.nginx.mark()
    load.publish()
    opened = load.api.stats()['connections']
    t.ok(load.nginx.wait_log('k8s_ca_cert .* was replaced$', since=mark),
         're-read without a refusal')
    load.passed(20)
    t.ok(load.api.stats()['connections'] > opened,
         'connections made under the old CA are not used any more')
    t.is_(load.failures, [], 'in all this no login has failed')
    load.end()


t.tell()
