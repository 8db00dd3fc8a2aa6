#!/usr/bin/python3
"""The clock is set while nginx runs: what is kept, what is taken back."""

import json
import os
import re
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import dns  # noqa: E402
import preload  # noqa: E402
import tokens  # noqa: E402
from akltest import Test, client, wait_for  # noqa: E402
from minted import ISSUER, bearer, mint  # noqa: E402

HTTP = '''
    @revocations@
    @valid@
    @method@
    @config@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /revoke { akl_k8s_revoke; }
        location = /status { akl_k8s_status; }
        location / { akl_k8s_guard k8s-conf; root @dir@/html; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx whose clock can be set."""

    def __init__(self, cluster, revocations='', valid='', level=None,
                 **config):
        self.cluster = cluster
        self.clock = os.path.join(t.folder(), 'clock')
        t.write(self.clock, bytes(8))
        self.nginx = t.nginx(
            HTTP, start=False, revocations=revocations, valid=valid,
            method=cluster.method(), config=cluster.config(
                kind='P-256', token_issuer=ISSUER, **config),
            level=level,
            env={'LD_PRELOAD': preload.build(t.dir, 'clock'),
                 'AKL_CLOCK': self.clock})
        os.makedirs(os.path.join(self.nginx.dir, 'html'))
        t.write(os.path.join(self.nginx.dir, 'html', 'f'), 'file')
        self.nginx.start()

    def set(self, offset):
        """Set its clock, to so many seconds off ours."""
        with open(self.clock, 'r+b', buffering=0) as file:
            file.write(struct.pack('q', offset))

    def login(self, token):
        """Log in; return the answer."""
        return client.post(self.nginx.port, '/v2/auth',
                           self.cluster.login(token))

    def revoke(self, token):
        """Take a minted token back; return the status."""
        return client.post(self.nginx.port, '/revoke', {
            'jti': tokens.decode(token)[1]['jti']}).status

    def guard(self, token):
        """Present a minted token; return the status."""
        return client.get(self.nginx.port, '/f', bearer(token)).status


def glitch(gateway):
    """Take tokens back; then the clock runs an hour ahead, for a while."""
    token, other = mint(), mint()
    t.is_((gateway.guard(token), gateway.guard(other)), (200, 200),
          'two good tokens')
    t.is_((gateway.revoke(token), gateway.guard(token)), (200, 401),
          'one is taken back')
    gateway.set(3600)
    t.is_((gateway.guard(token), gateway.guard(other)), (401, 401),
          'an hour ahead, both are over')
    now = time.time() + 3600
    late = mint(now=now)
    t.is_((gateway.guard(late), gateway.revoke(late), gateway.guard(late)),
          (200, 200, 401), 'one of then is taken back')
    for _ in range(50):
        gateway.revoke(mint(now=now))
    t.is_(gateway.guard(token), 401, 'still')
    gateway.set(0)
    t.is_((gateway.guard(other), gateway.guard(token)), (200, 401),
          'back again: what was taken back stays so')


@t.story
def a_clock_that_was_ahead_for_a_while_brings_no_revoked_token_back(cluster):
    glitch(Gateway(cluster))


@t.story
def a_clock_that_was_ahead_for_a_while_empties_no_journal(cluster):
    os.makedirs(os.path.join(t.dir, 'journal'))
    gateway = Gateway(cluster, 'akl_k8s_revocations '
                      f'{os.path.join(t.dir, "journal", "j")} journal=8k;')
    glitch(gateway)
    t.ok(gateway.nginx.reload(wait_old=True), 'a reload')


@t.story
def a_clock_that_is_ahead_makes_no_room_in_a_journal(cluster):
    path = os.path.join(t.folder(), 'j')
    gateway = Gateway(cluster, f'akl_k8s_revocations {path} journal=4k;')
    gone = []
    while os.path.getsize(path) < 3000:
        gone.append(mint())
        t.is_(gateway.revoke(gone[-1]), 200, 'a token is taken back')
    gateway.set(3600)
    late = [mint(now=time.time() + 3600) for _ in range(40)]
    t.is_({gateway.revoke(one) for one in late}, {200, 503},
          'an hour ahead all of them are over, and yet there is no room')
    t.ok(gateway.nginx.grep('the clock was set forward by 36.. seconds'),
         'the log says why')
    gateway.set(0)
    t.ok(gateway.nginx.reload(wait_old=True), 'back again, a reload')
    t.is_({gateway.guard(token) for token in gone}, {401},
          'all of them are still taken back')


@t.story
def a_journal_is_read_whole_by_a_start_while_the_clock_is_ahead(cluster):
    path = os.path.join(t.folder(), 'j')
    gateway = Gateway(cluster, f'akl_k8s_revocations {path} journal=1m;')
    token, other = mint(), mint()
    t.is_(gateway.revoke(token), 200, 'a token is taken back')
    gateway.nginx.stop()
    gateway.set(3600)
    gateway.nginx.start()
    t.is_([gateway.revoke(mint(now=time.time() + 3600)) for _ in range(3)],
          [200] * 3, 'an hour ahead, nginx starts and others are')
    gateway.set(0)
    t.is_((gateway.guard(token), gateway.guard(other)), (401, 200),
          'back again, the first is still taken back')


@t.story
def a_file_that_was_read_while_the_clock_was_ahead_is_read_again(cluster):
    path = os.path.join(t.folder(), 'revoked')
    token, late = mint(), mint(now=time.time() + 3600)
    entries = [json.dumps({'jti': tokens.decode(one)[1]['jti'],
                           'until': tokens.decode(one)[1]['exp']}) + '\n'
               for one in (token, late)]
    t.write(path, entries[0])
    gateway = Gateway(cluster, f'akl_k8s_revocations {path};')
    t.is_(gateway.guard(token), 401, 'a token in a file of revocations')
    gateway.set(3600)
    t.write(path, ''.join(entries))
    t.ok(wait_for(lambda: gateway.guard(late) == 401),
         'the file is replaced, and read an hour ahead')
    gateway.set(0)
    t.ok(wait_for(lambda: gateway.guard(token) == 401),
         'back again, the token is taken back still')


@t.story
def a_verdict_stands_no_longer_since_the_clock_was_set_back(cluster):
    for valid in 8, 40:
        gateway = Gateway(cluster, valid=f'akl_k8s_cache_valid {valid}s;')
        token = cluster.issue(now=time.time() - 60)
        cluster.api.reset_stats()
        answered = time.monotonic()
        logins = [gateway.login(token).status for _ in range(2)]
        reviews = cluster.api.stats()['review']
        if time.monotonic() < answered + valid:
            break
        t.diag(f'{valid} s are too short here')
    t.is_((logins, reviews), ([200, 200], 1), 'a verdict is kept')
    wait_for(lambda: time.monotonic() > answered + valid - 2)
    gateway.set(2 - valid)
    wait_for(lambda: time.monotonic() > answered + valid + 2)
    t.is_((gateway.login(token).status, cluster.api.stats()['review']),
          (200, 2), 'it stood for its seconds, and for no more')


@t.story
def a_file_of_revocations_is_no_older_since_the_clock_was_set(cluster):
    path = os.path.join(t.folder(), 'revoked')
    t.write(path, '')
    gateway = Gateway(cluster, f'akl_k8s_revocations {path};')
    t.write(path, 'broken')
    t.ok(gateway.nginx.wait_log('was replaced, but line 1 '), 'it is broken')
    gateway.set(3600)
    age = client.get(gateway.nginx.port, '/status?format=json').json()[
        'revocations']['files'][path]['age_seconds']
    t.ok(0 <= age < 3600, 'the clock has no say in how long', age)


@t.story
def rates_are_those_of_the_time_that_passed_however_the_clock_was_set(cluster):
    gateway = Gateway(cluster)
    gateway.nginx.stop()
    gateway.set(3600)
    gateway.nginx.start()
    for _ in range(10):
        gateway.login(cluster.issue(now=time.time() + 3600))

    def rate():
        page = client.get(gateway.nginx.port, '/status?format=html').text
        return float(re.search(r'<dt>rate</dt><dd>([\d.]+)/s', page).group(1))
    gateway.set(0)
    t.ok(wait_for(lambda: 0 < rate() < 10),
         'ten logins are fewer a second as seconds pass, an hour back')
    gateway.set(360000)
    t.ok(rate() > 0, 'and not as good as none, days ahead')


@t.story
def addresses_are_good_no_longer_since_the_clock_was_set_back(cluster):
    names = dns.Server({'api.test': ['127.0.0.1']})
    cluster.api.certificate(*certs.write_pair(
        cluster.dir, 'named',
        certs.Authority().server(names=('127.0.0.1', 'api.test'))))
    gateway = Gateway(
        cluster, level='debug', valid=f'resolver 127.0.0.1:{names.port};'
        'akl_k8s_cache_valid 0;', k8s_host=f'https://api.test:{cluster.port}')
    t.is_(gateway.login(cluster.issue()).status, 200, 'a login, by a name')
    gateway.set(-3600)
    token = cluster.issue(now=time.time() - 3600)
    t.ok(wait_for(lambda: gateway.login(token).status == 200
                  and gateway.nginx.grep('place api.test: resolved')[1:]),
         'an hour back, the resolver is asked again when a second is over')


t.tell()
