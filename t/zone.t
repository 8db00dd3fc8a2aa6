#!/usr/bin/python3
"""The zone in nginx: reloads, sizes, floods, workers that die in it."""

import os
import re
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import zones  # noqa: E402
from akltest import CONFIG, Test, client, wait_for  # noqa: E402

HTTP = '''
    akl_k8s_zone small:256k;
    akl_k8s_cache_valid 1h refused=1h;
    @method@
    @config@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /status { akl_k8s_status; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """Two workers, and a small zone that they share."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.nginx = t.nginx(HTTP, workers=2, method=cluster.method(),
                             config=cluster.config(kind='P-256'))

    def login(self, token):
        """Log in; return the status."""
        return client.post(self.nginx.port, '/v2/auth',
                           self.cluster.login(token)).status

    def status(self):
        """Return what the status page says."""
        return client.get(self.nginx.port, '/status?format=json').json()

    def zone(self):
        """Return the zone's part of it."""
        return self.status()['zone']

    def logins(self):
        """Return how many logins were accepted."""
        return self.status()['configs'][CONFIG]['logins_total']['ok']

    def reviews(self):
        """Return how many reviews the API server was asked for."""
        return self.cluster.api.stats()['review']


@t.own
def gateway(cluster):
    """A gateway that has seen nothing yet."""
    return Gateway(cluster)


def bogus(token, number):
    """Return a token whose signature is another one."""
    head, _, signature = token.rpartition('.')
    return f'{head}.{number:06d}{signature[6:]}'


@t.story
def verdicts_and_counts_outlive_reloads(cluster, gateway):
    token = cluster.issue()
    t.is_(gateway.login(token), 200, 'a login')
    t.is_((gateway.reviews(), gateway.zone()['entries']['verdict']), (1, 1),
          'one review, kept')
    t.is_({gateway.login(token) for _ in range(8)}, {200},
          'again, in both workers')
    t.is_((gateway.reviews(), gateway.logins()), (1, 9), 'no further review')

    t.is_(gateway.nginx.config_test()[0], 0, 'nginx -t')
    t.is_((gateway.zone()['entries']['verdict'], gateway.logins()), (1, 9),
          'leaves the zone alone')

    for number in range(3):
        t.ok(gateway.nginx.reload(wait_old=True), f'reload {number}')
        t.is_(gateway.login(token), 200, 'a login')
    t.is_((gateway.reviews(), gateway.logins()), (1, 12),
          'verdicts and counts outlive reloads')


@t.story
def another_size_is_another_zone(cluster, gateway):
    token = cluster.issue()
    t.is_(gateway.login(token), 200, 'a login')
    gateway.nginx.configure(http=gateway.nginx.settings['http'].replace('256k',
                                                                        '512k'))
    t.ok(gateway.nginx.reload(wait_old=True), 'a larger zone')
    t.is_((gateway.zone()['entries']['verdict'], gateway.login(token),
           gateway.reviews()), (0, 200, 2),
          'starts empty, and works')
    code, output = gateway.nginx.config_test(
        http=gateway.nginx.settings['http'].replace('512k', '255k'))
    t.ok(code and re.search(r'"small:255k" is smaller than 256k', output),
         'a zone too small is refused', output)
    gateway.nginx.configure(http=gateway.nginx.settings['http'].replace('512k',
                                                                        '256k'))
    t.ok(gateway.nginx.reload(wait_old=True), 'a smaller zone')
    t.is_(gateway.login(token), 200, 'works, too')


@t.story
def a_flood_of_refusals_costs_no_verdict(cluster, gateway):
    token = cluster.issue()
    t.is_(gateway.login(token), 200, 'a login')
    before = gateway.reviews()
    refused = {gateway.login(bogus(token, n)) for n in range(200)}
    full = gateway.zone()
    t.is_(refused, {401}, 'bogus tokens are refused')
    t.is_(gateway.reviews() - before, 200, 'each one asked about')
    t.ok(full['evicted']['refusal'] > 20,
         'their part of the zone was too small',
         full)
    t.is_((full['evicted']['verdict'], full['entries']['verdict']), (0, 1),
          'the verdict is still there')
    before = gateway.reviews()
    t.is_((gateway.login(token), gateway.reviews() - before), (200, 0),
          'and is used')


@t.story
def more_verdicts_than_there_is_room_for_cost_the_oldest(cluster, gateway):
    answers = {gateway.login(cluster.issue()) for _ in range(150)}
    full = gateway.zone()
    t.is_(answers, {200}, 'logins go on in a full zone')
    t.ok(full['evicted']['verdict'] > 20, 'the oldest ones made room', full)
    t.ok(full['used'] <= full['size'], 'it stays within its size', full)
    t.is_(gateway.nginx.grep('has no room'), [], 'nothing was turned away')


@t.story
def a_worker_that_dies_while_it_writes_costs_the_zone(cluster, gateway):
    token = cluster.issue()
    t.is_(gateway.login(token), 200, 'a login')
    before = gateway.reviews(), gateway.logins()
    victim = zones.hold(gateway.nginx)
    answers = client.Background(gateway.login, token)
    os.kill(victim, signal.SIGKILL)
    t.is_(answers.result(), 200, 'a login goes on when the holder is dead')
    t.ok(gateway.nginx.wait_log(rf'"small" was locked by {victim}'),
         'nginx took the lock away')
    t.is_(gateway.zone()['resets'], 1, 'what was half written is dropped')
    t.is_((gateway.reviews(), gateway.logins()),
          (before[0] + 1, before[1] + 1),
          'a review more; counts are kept')
    t.ok(wait_for(lambda: len(gateway.nginx.workers()) == 2), 'another worker')
    t.is_({gateway.login(token) for _ in range(8)}, {200}, 'logins in both')
    t.is_((gateway.reviews(), gateway.zone()['entries']['verdict'],
           gateway.zone()['resets']),
          (before[0] + 1, 1, 1), 'from the zone')


@t.story
def workers_killed_anywhere_lose_no_login_but_their_own(cluster, gateway):
    token = cluster.issue()
    seen = []
    done = threading.Event()

    def keep_logging_in():
        """Log in until told to stop; note None where a worker died with it."""
        while not done.is_set():
            try:
                seen.append(gateway.login(token))
            except OSError:
                seen.append(None)

    def at_work(more=30):
        """Wait until so many logins more were tried."""
        until = len(seen) + more
        return wait_for(lambda: len(seen) > until)

    load = client.Background(keep_logging_in)
    for number in range(3):
        t.ok(at_work() and gateway.nginx.kill_worker(),
             f'a worker is killed, {number}')
    t.ok(at_work(), 'logins go on')
    done.set()
    load.result()
    lost = [answer for answer in seen if answer != 200]
    t.ok(len(lost) <= 3 and not any(lost), 'none is lost but with its worker',
         lost)
    t.is_({gateway.login(token) for _ in range(8)}, {200},
          'nor are those to come')


t.tell()
