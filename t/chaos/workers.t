#!/usr/bin/python3
"""Storms over nginx's own processes: killed, replaced, reloaded, ended."""

import os
import random
import shutil
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from storms import Storm, Test, nginx_, wait_for  # noqa: E402
import procs  # noqa: E402
from tap import PATIENCE  # noqa: E402

KILLS = 200
RELOADS = 20
UPGRADES = 5

t = Test(need_module=True)


def at_random(storm, name, number):
    """Send workers at random a signal, at random times."""
    chance = random.Random(2)
    while storm.faults < number:
        time.sleep(chance.random() / 10)
        workers = storm.nginx.workers(old=False)
        if workers:
            os.kill(chance.choice(workers), getattr(signal, name))
            storm.faults += 1


@t.story
def workers_are_killed_at_random():
    storm = Storm(t)
    storm.nginx.expect('exited on signal 9')
    storm.nginx.expect('zone "storm" was locked by')
    storm.begin()
    storm.load.outage(cutting=True)
    at_random(storm, 'SIGKILL', KILLS)
    storm.recover()
    storm.load.cutting = False
    t.ok(wait_for(lambda: len(storm.nginx.workers()) == 2), 'both are back')
    cut = storm.load.count['cut']
    t.ok(cut <= storm.faults * storm.load.clients,
         'none is cut off but by its worker', cut)
    storm.end('workers killed at random, 200 times')


@t.story
def workers_quit_at_random():
    storm = Storm(t).begin()
    storm.load.outage()
    at_random(storm, 'SIGQUIT', 50)
    storm.recover()
    storm.end('workers ended by QUIT at random, 50 times')


@t.story
def a_reload_comes_every_second():
    storm = Storm(t).begin()
    storm.load.outage()
    for _ in range(RELOADS):
        storm.nginx.reload()
        storm.faults += 1
        time.sleep(1)
    storm.recover()
    storm.end('HUP every second')


def built_in():
    """Skip a story that replaces a module, where there is no file of it."""
    if nginx_.MODULE == 'static':
        t.skip('the module is built into nginx')
        return True
    return False


class Replaced:
    """A storm whose nginx is a daemon with a module of its own."""

    def __init__(self):
        self.storm = storm = Storm(t, start=False)
        self.module = os.path.join(storm.nginx.dir, 'module.so')
        self.pid_file = os.path.join(storm.nginx.dir, 'nginx.pid')
        self.replace()
        t.write(os.path.join(storm.nginx.dir, 'nginx.conf'),
                storm.nginx.render().replace('daemon off;', 'daemon on;')
                .replace(nginx_.MODULE, self.module))
        starter = procs.spawn(storm.nginx.command(),
                              env=storm.nginx.environment())
        if starter.wait(PATIENCE) != 0:
            raise RuntimeError(storm.nginx.tail())
        self.pid = wait_for(self.read)

    def replace(self):
        """Put a copy in the module's place, as packages do."""
        shutil.copy(nginx_.MODULE, self.module + '.new')
        os.rename(self.module + '.new', self.module)

    def read(self, end=''):
        """Return the process id in the file, or None."""
        try:
            with open(self.pid_file + end, encoding='ascii') as file:
                return int(file.read() or 0) or None
        except FileNotFoundError:
            return None

    def workers(self):
        """Return the workers that take requests, and the old ones."""
        titles = [procs.title(pid) for pid in procs.children(self.pid)]
        old = [title for title in titles if 'shutting down' in title]
        return len(titles) - len(old), len(old)

    def quit(self):
        """End the daemon gracefully."""
        os.kill(self.pid, signal.SIGQUIT)
        t.ok(wait_for(lambda: not os.path.exists(self.pid_file)), 'it ends')


@t.story
def new_binaries_take_over_with_a_module_that_was_replaced():
    if built_in():
        return
    it = Replaced()
    storm = it.storm.begin()
    storm.load.outage()
    for _ in range(UPGRADES):
        it.replace()
        os.kill(it.pid, signal.SIGUSR2)
        fresh = wait_for(lambda: it.read('.oldbin') == it.pid and it.read())
        t.ok(fresh and fresh != it.pid, 'a new binary runs')
        storm.go_on(40)
        os.kill(it.pid, signal.SIGQUIT)
        t.ok(wait_for(lambda: it.read('.oldbin') is None),
             'the old one ends')
        it.pid = fresh
        storm.faults += 1
        storm.go_on(40)
    storm.recover()
    storm.end('USR2 with the module replaced, QUIT for the old one')
    it.quit()


@t.story
def a_reload_takes_a_module_that_was_replaced():
    if built_in():
        return
    it = Replaced()
    storm = it.storm.begin()
    storm.load.outage()
    for _ in range(UPGRADES):
        it.replace()
        os.kill(it.pid, signal.SIGHUP)
        storm.faults += 1
        storm.go_on(60)
        t.ok(wait_for(lambda: it.workers() == (2, 0)), 'new workers serve')
    storm.recover()
    storm.end('HUP with the module replaced')
    it.quit()


t.tell()
