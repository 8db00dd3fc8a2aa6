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

t = Test(need_module=True)
cluster = t.cluster()


def pair(name):
    """Return the paths of a key and its public half."""
    made = tokens.key('P-256', name)
    return (cluster.file(f'{name}.pem', made.pem()),
            cluster.file(f'{name}.pub', made.public_pem()))


one, one_pub = pair('first')
two, two_pub = pair('second')

# What each reload says: signing key, keys to verify with as well

STAGES = [(one, None), (one, two_pub), (two, one_pub), (two, None)]


def config(stage):
    """Return the auth config of a stage."""
    signing, verifying = STAGES[stage]
    return cluster.config(kind='P-256', signing_key=signing,
                          verification_key=verifying, token_issuer=ISSUER)


nginx = t.nginx('''
    akl_k8s_cache_valid 0;
    @method@
    @config@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /jwks { akl_k8s_jwks; }
        location / { akl_k8s_guard k8s-conf; root @dir@/html; }
    }
''', start=False, workers=2, method=cluster.method(), config=config(0))
os.makedirs(os.path.join(nginx.dir, 'html'))
t.write(os.path.join(nginx.dir, 'html', 'f'), 'file')
nginx.start()


def login():
    """Log in; return the minted token."""
    return client.post(nginx.port, '/v2/auth', cluster.login(
        cluster.issue())).json()['token']


class Load:
    """Clients that log in, and use what they got, all the time."""

    def __init__(self, number=3):
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
        while not self.stopped.is_set():
            try:
                token = login()
                keys = client.get(nginx.port, '/jwks').json()
                tokens.verify(token, keys)
                self.kids.add(tokens.decode(token)[0]['kid'])
                for _ in range(5):
                    answer = client.get(nginx.port, '/f', bearer(token))
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


first = login()
t.is_(tokens.decode(first)[0]['kid'],
      tokens.key('P-256', 'first').thumbprint(), 'the first key signs')

load = Load()
t.ok(wait_for(lambda: load.kids), 'logins under load')
held = [first]
for stage in (1, 2):
    nginx.configure({'config': config(stage)})
    t.ok(nginx.reload(wait_old=True), f'reload {stage}')
    held.append(login())
    t.is_([client.get(nginx.port, '/f', bearer(token)).status
           for token in held], [200] * len(held),
          f'all tokens so far, after reload {stage}')
wait_for(lambda: load.wrong or load.count > 20 and len(load.kids) > 1)
load.end()
t.ok(load.count > 20 and not load.wrong,
     f'{load.count} requests under load, none refused', *load.wrong[:5])
t.is_(load.kids, {tokens.key('P-256', name).thumbprint()
                  for name in ('first', 'second')},
      'tokens of both keys were among them')

# the last one, once the tokens of the first key are over

nginx.configure({'config': config(3)})
t.ok(nginx.reload(wait_old=True), 'reload 3')
t.is_([client.get(nginx.port, '/f', bearer(token)).status
       for token in held], [401, 401, 200],
      'the first key is not accepted any more')
t.is_([jwk['kid'] for jwk in client.get(nginx.port, '/jwks').json()['keys']],
      [tokens.key('P-256', 'second').thumbprint()], 'nor published')

t.done_testing()
