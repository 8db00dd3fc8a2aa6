"""Instructions of a request in user space, counted by callgrind.

A count is the same on a busy machine and on an idle one, which makes it the
way to hold two builds of the module against each other.  The kernel's share is
not in it.
"""

import contextlib
import os
import re
import socket

import ground
from ground import client

FEW, MANY = 100, 500    # requests of the two runs of which each count is made
IDLE = 5000             # clients that are connected, and say nothing
WRAP = 'valgrind --tool=callgrind --callgrind-out-file={}'


def idle_clients(port, number):
    """Connect so many clients; return what closes them."""
    clients = contextlib.ExitStack()
    for _ in range(number):
        clients.enter_context(socket.create_connection(('127.0.0.1', port)))
    return clients


def collected(place, requests, load, idle=0):
    """Send all over one connection; return what nginx took for it and start.

    There is one process, so that valgrind's last line tells of all.  So many
    idle clients are connected before.
    """
    former = os.environ.get('AKL_WRAP')
    place.test.asked = getattr(place.test, 'asked', 0) + 1
    name = f'counted{place.test.asked}'
    os.environ['AKL_WRAP'] = WRAP.format(
        os.path.join(place.test.dir, name + '.out'))
    try:
        gateway = place.start_gateway(zone='4m', name=name, pinned=False,
                                      master=False, load=load, timeout='60s')
        with idle_clients(gateway.port, idle):
            answers = client.crowd(gateway.port, requests, 1)
        gateway.quit()
    finally:
        del os.environ['AKL_WRAP']
        if former is not None:
            os.environ['AKL_WRAP'] = former
    refused = [answer for answer in answers
               if getattr(answer, 'status', 0) != 200]
    if refused:
        raise RuntimeError(f'{len(refused)} answers like {refused[0]}')
    with open(gateway.errors, encoding='utf-8') as file:
        return int(re.findall(r'Collected : (\d+)', file.read())[-1])


def requests_of(place):
    """Return the name of each kind -> the requests, and how many idle."""
    place.start_gateway()
    minted = place.minted('P-256', MANY)
    head, signature = ground.pod_token().rsplit('.', 1)
    pods = [f'{head}.{signature[:40]}{number:012d}{signature[52:]}'
            for number in range(MANY)]

    def get(path, token):
        return client.build('GET', path,
                            {'Authorization': f'Bearer {token}'}, close=False)

    def login(pod):
        return client.build('POST', '/v2/auth',
                            {'Content-Type': 'application/json'},
                            ground.login_body(pod), close=False)

    cold = [login(pod) for pod in pods]
    return {
        'open': ([get('/open/small.txt', minted[0])] * MANY, 0),
        'guarded': ([get('/es256/small.txt', minted[0])] * MANY, 0),
        'guard_cold_es256': ([get('/es256/small.txt', token)
                              for token in minted], 0),
        'hot_login': ([login(pods[0])] * MANY, 0),
        'cold_login_es256': (cold, 0),
        'cold_login_es256 in a crowd': (cold, IDLE)}


def instructions(place, against=None):
    """Return the count of each kind of request, and its share of another's.

    against is the path of another build of the module.
    """
    figures = {}
    for name, (requests, idle) in requests_of(place).items():
        for load, label in ((True, name), (against, f'{name}, against')):
            if load:
                few = collected(place, requests[:FEW], load, idle)
                many = collected(place, requests, load, idle)
                figures[label] = round((many - few) / (MANY - FEW))
        if against:
            figures[f'{name} / against'] = (
                figures[name] / figures[f'{name}, against'])
    return figures
