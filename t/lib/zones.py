"""A zone under the hands of a worker that is about to die."""

import os
import signal
import struct

import procs
from tap import wait_for


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


def hold(nginx):
    """Stop a worker as if it wrote to the zone, its lock held; its pid.

    Whoever kills it then leaves a zone that is half written.
    """
    victim = nginx.workers()[0]
    place = shared(victim)
    if place is None:
        raise RuntimeError('no zone in the worker')
    lock, store = place
    nginx.expect(r'was locked by \d+')
    nginx.expect('exited on signal 9')
    os.kill(victim, signal.SIGSTOP)
    if not wait_for(lambda: procs.stopped(victim)):
        raise RuntimeError('the worker does not stop')
    poke(victim, store + 16, struct.pack('=I', 1))
    poke(victim, lock, struct.pack('=L', victim))
    return victim
