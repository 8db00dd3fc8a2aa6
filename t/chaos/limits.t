#!/usr/bin/python3
"""Storms over what a gateway has little of: connections, room, disk."""

import os
import re
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from storms import Storm, Test, client, wait_for  # noqa: E402
import preload  # noqa: E402
from load import dialects  # noqa: E402

# a request that nginx has read, and given up
GIVEN_UP = re.compile(r'"(?:POST|GET) \S+ HTTP/1\.1" (?:000|444|499|500) ')

t = Test(need_module=True)


def crowd_out(storm, count):
    """Open as many connections as there is no room for; return them."""
    socks = []
    for _ in range(count):
        sock = socket.create_connection(('127.0.0.1', storm.nginx.port))
        sock.sendall(b'GET /f HTTP/1.1\r\nHost: localhost\r\n')
        socks.append(sock)
        storm.faults += 1
    return socks


def scarce(title, line, cutting=False, **kw):
    """Take the last connections away, and give them back."""
    storm = Storm(t, workers=1, **kw)
    storm.nginx.expect(line)
    storm.begin()
    for _ in range(3):
        storm.load.outage('overloaded', cutting=cutting)
        socks = crowd_out(storm, 100)
        # the gateway needs some itself
        storm.cluster.api.drop(True)
        storm.go_on(100)
        for sock in socks:
            sock.close()
        storm.recover()
    storm.load.cutting = False
    # nginx closes a connection that it has no room for before it reads from it
    cut = [line for line in storm.nginx.access_log() if GIVEN_UP.search(line)]
    t.is_(cut[:5], [], 'none is cut off whose request was read')
    storm.end(title)


@t.story
def there_are_no_worker_connections_left():
    scarce('worker_connections exhausted',
           r'\d+ worker_connections are not enough', cutting=True,
           connections=48)


@t.story
def there_are_no_descriptors_left():
    scarce('descriptors exhausted', r'Too many open files',
           main='worker_rlimit_nofile 48;')


@t.story
def the_smallest_zone_is_flooded():
    storm = Storm(t, zone='256k',
                  more='akl_k8s_cache_valid 1h refused=1h;').begin()
    storm.load.outage()
    pods = storm.pods
    for number in range(600):
        token = pods.token(pods.names[number % len(pods.names)],
                           forged=number % 2 == 0)[0]
        path, form, body = list(dialects(token).values())[number % 3]
        answer = client.post(storm.nginx.port, path, body,
                             {'Content-Type': form})
        storm.faults += 1
        if (answer.status == 200) != (number % 2 == 1):
            t.ok(False, 'the flood is told good from bad', answer)
    zone = storm.status()['zone']
    t.ok(zone['evicted']['verdict'] and zone['evicted']['refusal'],
         'there was too little room', zone)
    storm.recover()
    storm.end('zone of 256k flooded')


class Disk:
    """A storm whose journal's disk fills up, and can be read only."""

    def __init__(self):
        self.path = os.path.join(t.folder(), 'disk')
        self.say('')
        self.storm = Storm(t, env={'LD_PRELOAD': preload.build(t.dir, 'disk'),
                                   'AKL_DISK': self.path})
        self.journal = os.path.join(self.storm.nginx.dir, 'revoked')

    def say(self, what):
        """Make it good (''), full, or read-only."""
        t.write(self.path, what)


def bad_disk(what, title):
    """Have the disk go bad and good again, under load."""
    disk = Disk()
    storm = disk.storm
    storm.nginx.expect('revoked/journal')
    storm.begin()
    for _ in range(3):
        storm.load.outage()
        disk.say(f'{what} {disk.journal}')
        storm.faults += 1
        refused = storm.load.count['unkept']
        t.ok(wait_for(lambda: storm.load.count['unkept'] > refused + 2),
             'what cannot be kept is not answered well')
        storm.go_on(50)
        disk.say('')
        kept = storm.load.count['revoked']
        t.ok(wait_for(lambda: storm.load.count['revoked'] > kept + 2),
             'revocations are kept again')
        storm.recover()
    storm.end(title)


@t.story
def the_journals_disk_is_full():
    bad_disk('full', 'disk of the journal full')


@t.story
def the_journals_disk_can_only_be_read():
    bad_disk('read', 'disk of the journal read-only')


t.tell()
