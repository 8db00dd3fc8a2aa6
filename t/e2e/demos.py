"""The demo on a real cluster, and what it leaves there: nothing."""

import os
import re
import signal
import subprocess

import build
import procs
from realm import wait_for

DEMO = os.path.join(build.TOP, 't', 'demo', 'demo.py')


def command(world, *arguments):
    """Return the demo's command line for a world's cluster."""
    return [DEMO, '--kubeconfig', world.kubectl.kubeconfig,
            *(['--context', world.kubectl.context]
              if world.kubectl.context else []), *arguments]


def nothing_left(world, said, name):
    """Check that what a demo made goes away."""
    found = re.search(r'akl-demo-[0-9a-f]{6}', said)
    if not world.test.ok(found, f'{name}: it names its namespace', said):
        return
    for kind in ('clusterrolebinding', 'namespace'):
        world.test.ok(wait_for(lambda kind=kind: not world.kubectl.has(
            kind, found.group())), f'{name}: its {kind} is gone')


def told(world):
    """From its beginning to its end."""
    t = world.test
    done = subprocess.run(command(world, '--yes'), text=True, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    t.is_(done.returncode, 0, 'the demo: it ends well')
    t.like(done.stdout, r'\ndemo: \d+ checks passed\n',
           'the demo: what it looks at holds')
    t.like(done.stdout, 'token_revoked', 'the demo: a deleted pod')
    nothing_left(world, done.stdout, 'the demo')


def unasked(world):
    """Where nobody can be asked."""
    done = subprocess.run(command(world), text=True, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    world.test.is_((done.returncode, 'making the' in done.stdout),
                   (1, False), 'the demo: nothing is made without a yes')


def interrupted(world):
    """Ctrl-C in the middle, as a terminal sends it: to all of the group."""
    with subprocess.Popen(
            command(world, '--yes'), text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True) as demo:
        said = ''
        for line in demo.stdout:
            said += line
            if 'making the Pod mypod1' in line:
                os.killpg(demo.pid, signal.SIGINT)
        code = demo.wait()
    world.test.is_(code, 128 + signal.SIGINT, 'the demo: interrupted')
    nothing_left(world, said, 'the demo, interrupted')


def kept(world):
    """--keep, and its end by the command that it names."""
    t = world.test
    done = subprocess.run(command(world, '--yes', '--keep'), text=True,
                          check=False, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    t.is_(done.returncode, 0, 'the demo, kept: it gives the terminal back')
    shown = re.findall(r'^    (curl -s .*\\\n.*)', done.stdout, re.M)
    t.is_(len(shown), 2, 'the demo, kept: it shows two logins')
    answers = [subprocess.run(['sh', '-c', line], stdout=subprocess.PIPE,
                              text=True, check=False).stdout
               for line in shown]
    t.like('\n'.join(answers), r'(?s)"token":.*\n.*pod_not_bound',
           'the demo, kept: one gets a token, the other is refused')
    keeper = re.findall(r'^    kill (\d+)$', done.stdout, re.M)
    if t.ok(keeper, 'the demo, kept: it says how to end it', done.stdout):
        os.kill(int(keeper[-1]), signal.SIGTERM)
        t.ok(wait_for(lambda: procs.parent_of(int(keeper[-1])) is None),
             'the demo, kept: that ends it')
    nothing_left(world, done.stdout, 'the demo, kept')


def run(world):
    """Tell it, interrupt it, keep it."""
    unasked(world)
    told(world)
    interrupted(world)
    kept(world)
