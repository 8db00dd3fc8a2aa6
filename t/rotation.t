#!/usr/bin/python3
"""Three reloads change the signing key, and no token is refused."""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import tokens  # noqa: E402
from akltest import PATIENCE, Test, client, wait_for  # noqa: E402
from minted import ISSUER, bearer  # noqa: E402

HTTP = '''
    akl_k8s_cache_valid 0;
    @method@
    @config@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /jwks { akl_k8s_jwks; }
        location / { akl_k8s_guard k8s-conf; root @dir@/html; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx whose signing key changes from stage to stage."""

    def __init__(self, cluster):
        self.cluster = cluster
        one, one_pub = self.pair('first')
        two, two_pub = self.pair('second')

        # What each stage says: signing key, keys to verify with as well

        self.stages = [(one, None), (one, two_pub), (two, one_pub),
                       (two, None)]
        self.nginx = t.nginx(HTTP, start=False, workers=2,
                             method=cluster.method(), config=self.config(0))
        os.makedirs(os.path.join(self.nginx.dir, 'html'))
        t.write(os.path.join(self.nginx.dir, 'html', 'f'), 'file')
        self.nginx.start()

    def pair(self, name):
        """Return the paths of a key and its public half."""
        made = tokens.key('P-256', name)
        return (self.cluster.file(f'{name}.pem', made.pem()),
                self.cluster.file(f'{name}.pub', made.public_pem()))

    def config(self, stage):
        """Return the auth config of a stage."""
        signing, verifying = self.stages[stage]
        return self.cluster.config(kind='P-256', signing_key=signing,
                                   verification_key=verifying,
                                   token_issuer=ISSUER)

    def enter(self, stage):
        """Reload into a stage."""
        self.nginx.configure({'config': self.config(stage)})
        t.ok(self.nginx.reload(wait_old=True), f'reload {stage}')

    def statuses(self, held):
        """Use tokens; return what they are answered."""
        return [client.get(self.nginx.port, '/f', bearer(token)).status
                for token in held]

    def login(self):
        """Log in; return the minted token."""
        return client.post(self.nginx.port, '/v2/auth', self.cluster.login(
            self.cluster.issue())).json()['token']


@t.own
def gateway(cluster):
    """A gateway that signs with its first key."""
    return Gateway(cluster)


class Load:
    """Clients that log in, and use what they got, all the time."""

    def __init__(self, gateway, number=3):
        self.gateway = gateway
        self.stopped = threading.Event()
        self.wrong = []
        self.count = 0
        self.kids = set()
        self.threads = [threading.Thread(target=self.run, daemon=True)
                        for _ in range(number)]
        for thread in self.threads:
            thread.start()

    def run(self):
        """Log in, use, and hold what the set of keys says of it."""
        port = self.gateway.nginx.port
        while not self.stopped.is_set():
            try:
                token = self.gateway.login()
                keys = client.get(port, '/jwks').json()
                tokens.verify(token, keys)
                self.kids.add(tokens.decode(token)[0]['kid'])
                for _ in range(5):
                    answer = client.get(port, '/f', bearer(token))
                    self.count += 1
                    if answer.status != 200:
                        self.wrong.append(str(answer.headers))
            except Exception as error:
                self.wrong.append(repr(error))

    def end(self):
        """Stop."""
        self.stopped.set()
        for thread in self.threads:
            thread.join(PATIENCE)


@t.story
def two_reloads_change_the_signing_key_and_no_token_is_refused(gateway):
    first = gateway.login()
    t.is_(tokens.decode(first)[0]['kid'],
          tokens.key('P-256', 'first').thumbprint(), 'the first key signs')
    load = Load(gateway)
    t.ok(wait_for(lambda: load.kids), 'logins under load')
    held = [first]
    for stage in (1, 2):
        gateway.enter(stage)
        held.append(gateway.login())
        t.is_(gateway.statuses(held), [200] * len(held),
              f'all tokens so far, after reload {stage}')
    wait_for(lambda: load.wrong or load.count > 20 and len(load.kids) > 1)
    load.end()
    t.ok(load.count > 20 and not load.wrong,
         f'{load.count} requests under load, none refused', *load.wrong[:5])
    t.is_(load.kids, {tokens.key('P-256', name).thumbprint()
                      for name in ('first', 'second')},
          'tokens of both keys were among them')


@t.story
def the_third_reload_ends_the_first_key(gateway):
    held = [gateway.login()]
    for stage in (1, 2):
        gateway.enter(stage)
        held.append(gateway.login())
    gateway.enter(3)
    t.is_(gateway.statuses(held), [401, 401, 200],
          'the first key is not accepted any more')
    t.is_([jwk['kid'] for jwk in client.get(gateway.nginx.port, '/jwks').json()
           ['keys']], [tokens.key('P-256', 'second').thumbprint()],
          'nor published')


t.tell()
