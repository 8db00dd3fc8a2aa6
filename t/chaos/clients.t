#!/usr/bin/python3
"""Storms by clients: idle, slow, leaving anywhere, resetting streams."""

import os
import random
import resource
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from storms import Storm, Test, client, wait_for  # noqa: E402
import http2  # noqa: E402
from load import dialects  # noqa: E402

IDLE = 10000
FLOODS = 60             # connections
STREAMS = 100           # of each

t = Test(need_module=True)


def files(wanted):
    """Allow so many descriptors; return how many there are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(wanted, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)


def requests(storm):
    """Return the bytes of logins by a token that nobody has seen."""
    return build(storm.pods.token(storm.pods.names[0])[0])


def build(token):
    """Return the bytes of a login by that token, per dialect."""
    return {name: client.build('POST', path, {'Content-Type': form}, body,
                               close=False)
            for name, (path, form, body) in dialects(token).items()}


def leave(port, data, reset):
    """Send so much, and leave."""
    session = client.Session(port)
    session.sock.sendall(data)
    if reset:
        session.abort()
    else:
        session.close()


@t.story
def clients_leave_at_every_byte():
    storm = Storm(t).begin()
    storm.load.outage()
    sent = requests(storm)
    chance = random.Random(3)
    for data in sent.values():
        for size in range(1, len(data) + 1):
            leave(storm.nginx.port, data[:size], chance.random() < .5)
            storm.faults += 1
    # and while the answer is on its way
    for _ in range(100):
        for data in requests(storm).values():
            leave(storm.nginx.port, data, chance.random() < .5)
            storm.faults += 1
    storm.recover()
    storm.end('clients that leave at every byte of a login')


@t.story
def bodies_come_slowly():
    storm = Storm(t, connections=2048).begin()
    storm.load.outage()
    socks = []
    # one token, so that it is not the API server that is slow
    sent = list(requests(storm).values())
    for number in range(500):
        data = sent[number % 3]
        head = data.index(b'\r\n\r\n') + 4
        sock = client.connect(storm.nginx.port)
        sock.sendall(data[:head])
        socks.append([sock, data, head])
        storm.faults += 1
    for turn in range(10):
        for slow in socks:
            slow[0].sendall(slow[1][slow[2]:slow[2] + 1])
            slow[2] += 1
    storm.go_on(50)
    for slow in socks:
        slow[0].sendall(slow[1][slow[2]:])
    statuses = {client.read_response(slow[0]).status for slow in socks}
    t.is_(statuses, {200}, 'whoever ends at last is answered')
    for slow in socks:
        slow[0].close()
    storm.recover()
    storm.end('500 bodies that come a byte at a time')


@t.story
def ten_thousand_connections_are_idle():
    room = files(IDLE + 2000)
    idle = min(IDLE, room - 1000)
    storm = Storm(t, connections=idle + 2000,
                  main=f'worker_rlimit_nofile {idle + 3000};').begin()
    storm.load.outage()
    socks = []
    for _ in range(idle):
        sock = socket.create_connection(('127.0.0.1', storm.nginx.port))
        socks.append(sock)
        storm.faults += 1
    storm.go_on(200)
    for sock in socks:
        sock.close()
    storm.recover()
    storm.end(f'{idle:,} idle connections')


@t.story
def streams_are_reset_in_floods():
    if not http2.available():
        t.skip('no HTTP/2 client: python3-h2')
        return
    storm = Storm(t, more='http2_max_concurrent_streams 256;').begin()
    storm.load.outage()
    chance = random.Random(4)
    for _ in range(FLOODS):
        flood(storm, chance)
    storm.recover()
    storm.end('HTTP/2: logins in floods, and their resets')


def flood(storm, chance):
    """Send logins on one connection, and reset most of them anywhere."""
    session = http2.Session(storm.nginx.port_of('port1'))
    sent = []
    try:
        for _ in range(STREAMS):
            token = storm.pods.token(chance.choice(storm.pods.names))[0]
            path, form, body = chance.choice(list(dialects(token).values()))
            whole = chance.random() < .7
            number = session.send(
                'POST', path, {'content-type': form},
                body if whole else body[:chance.randrange(len(body))],
                end=whole)
            storm.faults += 1
            if chance.random() < .5:
                session.reset(number)
            else:
                sent.append((number, whole))
        for number, whole in sent:
            if not whole or chance.random() < .7:
                session.reset(number)
            elif session.receive(number).status != 200:
                t.ok(False, 'a stream that stays is answered well')
    except ConnectionError:
        pass                    # nginx has had enough of this one
    session.close()


t.tell()
