#!/usr/bin/python3
"""Storms over the clock: set forwards and back while logins go on."""

import os
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from storms import Storm, Test  # noqa: E402
import preload  # noqa: E402

HOUR = 3600

t = Test(need_module=True)


class Clock:
    """The clock of a gateway, and a storm under it."""

    def __init__(self, more=''):
        self.path = os.path.join(t.folder(), 'offset')
        self.offset = 0
        self.set(0)
        self.storm = Storm(t, clock=self.now, more=more, env={
            'LD_PRELOAD': preload.build(t.dir, 'clock'),
            'AKL_CLOCK': self.path})
        # good by the clock that was set back, too
        pods, load = self.storm.pods, self.storm.load
        pods.age = 2 * HOUR
        load.kept = [pods.token(name) for name in pods.names]

    def now(self):
        """Return the gateway's time."""
        return time.time() + self.offset

    def set(self, offset):
        """Set all its clocks at once."""
        mode = 'r+b' if os.path.exists(self.path) else 'wb'
        with open(self.path, mode, buffering=0) as file:
            file.write(struct.pack('q', offset))
        self.offset = offset


def steps(clock, title, offsets):
    """Set the clock in steps under load; an interval of steady logins each."""
    storm = clock.storm.begin()
    storm.load.outage()
    for offset in offsets:
        clock.set(offset)
        storm.faults += 1
        storm.go_on(150)
    storm.recover()
    storm.end(title)


@t.story
def the_clock_is_set_forwards():
    steps(Clock('akl_k8s_cache_valid 1h;'),
          'clock set forwards, an hour at a time',
          [HOUR, 2 * HOUR, 3 * HOUR])


@t.story
def the_clock_is_set_back():
    steps(Clock('akl_k8s_cache_valid 1h;'),
          'clock set back, 20 minutes at a time',
          [-HOUR // 3, -2 * HOUR // 3, -HOUR])


@t.story
def the_clock_is_set_both_ways():
    steps(Clock('akl_k8s_cache_valid 1h;'),
          'clock set both ways, by seconds up to an hour',
          [2, -3, 60, -60, 600, -600, HOUR, -HOUR, 0])


t.tell()
