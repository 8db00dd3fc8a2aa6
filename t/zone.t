#!/usr/bin/python3
"""The zone in nginx: reloads, sizes, floods, workers that die in it."""

import os
import re
import signal
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import procs  # noqa: E402
from akltest import CONFIG, Test, client, wait_for  # noqa: E402

t = Test(need_module=True)
cluster = t.cluster()
nginx = t.nginx('''
    akl_k8s_zone small:256k;
    akl_k8s_cache_valid 1h refused=1h;
    @method@
    @config@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /status { akl_k8s_status; }
    }
''', workers=2, method=cluster.method(), config=cluster.config(kind='P-256'))


def login(token):
    """Log in; return the status."""
    return client.post(nginx.port, '/v2/auth', cluster.login(token)).status


def status():
    """Return what the status page says."""
    return client.get(nginx.port, '/status?format=json').json()


def zone():
    """Return the zone's part of it."""
    return status()['zone']


def logins():
    """Return how many logins were accepted."""
    return status()['configs'][CONFIG]['logins_total']['ok']


def reviews():
    """Return how many reviews the API server was asked for."""
    return cluster.api.stats()['review']


def bogus(token, number):
    """Return a token whose signature is another one."""
    head, _, signature = token.rpartition('.')
    return f'{head}.{number:06d}{signature[6:]}'


def shared(pid):
    """Return where a worker has the zone's lock and its store.

    nginx's slab pool begins with the lock; the store with its magic.
    """
    with open(f'/proc/{pid}/maps', encoding='ascii') as maps, \
            open(f'/proc/{pid}/mem', 'rb') as memory:
        for line in maps:
            if 'rw-s' not in line:
                continue
            start, end = (int(x, 16) for x in line.split()[0].split('-'))
            memory.seek(start)
            place = memory.read(end - start).find(b'akl1')
            if place >= 0:
                return start, start + place
    return None


def poke(pid, address, data):
    """Write into a worker's memory."""
    with open(f'/proc/{pid}/mem', 'r+b', buffering=0) as memory:
        memory.seek(address)
        memory.write(data)


# Kept over reloads, and left alone by nginx -t

token = cluster.issue()
t.is_(login(token), 200, 'a login')
t.is_((reviews(), zone()['entries']['verdict']), (1, 1), 'one review, kept')
t.is_({login(token) for _ in range(8)}, {200}, 'again, in both workers')
t.is_((reviews(), logins()), (1, 9), 'no further review')

t.is_(nginx.config_test()[0], 0, 'nginx -t')
t.is_((zone()['entries']['verdict'], logins()), (1, 9),
      'leaves the zone alone')

for number in range(3):
    t.ok(nginx.reload(wait_old=True), f'reload {number}')
    t.is_(login(token), 200, 'a login')
t.is_((reviews(), logins()), (1, 12), 'verdicts and counts outlive reloads')

# Another size is another zone

nginx.configure(http=nginx.settings['http'].replace('256k', '512k'))
t.ok(nginx.reload(wait_old=True), 'a larger zone')
t.is_((zone()['entries']['verdict'], login(token), reviews()), (0, 200, 2),
      'starts empty, and works')
code, output = nginx.config_test(
    http=nginx.settings['http'].replace('512k', '255k'))
t.ok(code and re.search(r'"small:255k" is smaller than 256k', output),
     'a zone too small is refused', output)
nginx.configure(http=nginx.settings['http'].replace('512k', '256k'))
t.ok(nginx.reload(wait_old=True), 'a smaller zone')
t.is_(login(token), 200, 'works, too')

# A flood of refusals costs no verdict

before = reviews()
refused = {login(bogus(token, n)) for n in range(200)}
full = zone()
t.is_(refused, {401}, 'bogus tokens are refused')
t.is_(reviews() - before, 200, 'each one asked about')
t.ok(full['evicted']['refusal'] > 20, 'their part of the zone was too small',
     full)
t.is_((full['evicted']['verdict'], full['entries']['verdict']), (0, 1),
      'the verdict is still there')
before = reviews()
t.is_((login(token), reviews() - before), (200, 0), 'and is used')

# More verdicts than there is room for

answers = {login(cluster.issue()) for _ in range(150)}
full = zone()
t.is_(answers, {200}, 'logins go on in a full zone')
t.ok(full['evicted']['verdict'] > 20, 'the oldest ones made room', full)
t.ok(full['used'] <= full['size'], 'it stays within its size', full)
t.is_(nginx.grep('has no room'), [], 'nothing was turned away')

# A worker that dies while it writes

before = reviews(), logins()
victim = nginx.workers()[0]
place = shared(victim)
t.ok(place, 'the zone is found in a worker')
lock, store = place
nginx.expect(r'"small" was locked by \d+')
nginx.expect('exited on signal 9')
os.kill(victim, signal.SIGSTOP)
t.ok(wait_for(lambda: procs.stopped(victim)), 'it stands')
poke(victim, store + 16, struct.pack('=I', 1))
poke(victim, lock, struct.pack('=L', victim))
answers = client.Background(login, token)
os.kill(victim, signal.SIGKILL)
t.is_(answers.result(), 200, 'a login goes on when the holder is dead')
t.ok(nginx.wait_log(rf'"small" was locked by {victim}'),
     'nginx took the lock away')
t.is_(zone()['resets'], 1, 'what was half written is dropped')
t.is_((reviews(), logins()), (before[0] + 1, before[1] + 1),
      'a review more; counts are kept')
t.ok(wait_for(lambda: len(nginx.workers()) == 2), 'another worker')
t.is_({login(token) for _ in range(8)}, {200}, 'logins in both')
t.is_((reviews(), zone()['entries']['verdict'], zone()['resets']),
      (before[0] + 1, 1, 1), 'from the zone')

# Workers killed anywhere, under load

seen = []
done = threading.Event()


def keep_logging_in():
    """Log in until told to stop; note None where a worker died with it."""
    while not done.is_set():
        try:
            seen.append(login(token))
        except OSError:
            seen.append(None)


def at_work(more=30):
    """Wait until so many logins more were tried."""
    until = len(seen) + more
    return wait_for(lambda: len(seen) > until)


load = client.Background(keep_logging_in)
for number in range(3):
    t.ok(at_work() and nginx.kill_worker(), f'a worker is killed, {number}')
t.ok(at_work(), 'logins go on')
done.set()
load.result()
lost = [answer for answer in seen if answer != 200]
t.ok(len(lost) <= 3 and not any(lost), 'none is lost but with its worker',
     lost)
t.is_({login(token) for _ in range(8)}, {200}, 'nor are those to come')

t.done_testing()
