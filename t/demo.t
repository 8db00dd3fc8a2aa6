#!/usr/bin/python3
"""The demo that newcomers run, and what it leaves for them to try."""

import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import nginx  # noqa: E402
import procs  # noqa: E402
from akltest import Test, wait_for  # noqa: E402

DEMO = os.path.join(nginx.ROOT, 't', 'demo', 'demo.py')

t = Test(need_module=True)


def demo(*arguments):
    """Run the demo; return its exit code and what it said."""
    done = subprocess.run([DEMO, *arguments], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**os.environ, 'TMPDIR': t.dir})
    return done.returncode, done.stdout


def places():
    """Return the directories of demos that still run."""
    return [name for name in os.listdir(t.dir)
            if name.startswith('akl-demo-')]


@t.story
def the_demo_counts_what_held_and_cleans_up():
    code, said = demo()
    t.is_(code, 0, 'the demo ends well')
    t.like(said, r'\ndemo: \d+ checks passed\n', 'it counts what held')
    t.is_(places(), [], 'nothing is left')


@t.story
def a_demo_that_is_kept_shows_what_to_try_and_how_to_end_it():
    code, said = demo('--keep')
    t.is_(code, 0, 'it gives the terminal back')

    commands = re.findall(r'^    (curl -s .*\\\n.*)', said, re.M)
    t.is_(len(commands), 2, 'it shows two logins to try')
    answers = [subprocess.run(['sh', '-c', command], stdout=subprocess.PIPE,
                              text=True, check=False).stdout
               for command in commands]
    t.like(answers[0], '"token":', 'the first is given a token')
    t.like(answers[1], 'pod_not_bound', 'the second is refused')

    log = re.search(r'^    tail -f (.*)', said, re.M).group(1)
    with open(log, encoding='utf-8') as file:
        t.like(file.read(), 'refused, pod_not_bound',
               'the log that it names tells of the refusal')

    keeper = int(re.findall(r'^    kill (\d+)$', said, re.M)[-1])
    os.kill(keeper, signal.SIGTERM)
    t.ok(wait_for(lambda: procs.parent_of(keeper) is None),
         'the command that it names ends it')
    t.is_(places(), [], 'nothing is left then')


t.tell()
