#!/usr/bin/python3
"""Fetch and build other people's clients, for the tests that run them.

    t/interop/prepare.py [KIND ...]

Each kind ends in a file that says whether it is there, or why not: the tests
skip what is missing, and say so.  Nothing is done twice; what failed is tried
again.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), 'lib'))

import clients  # noqa: E402

LIMIT = 1200    # s that a step may take: a registry may never answer
SAY = 10        # s after which one is told that it goes on

COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1' \
    ':copy-dependencies'

class Failed(Exception):
    """A step failed; the text says why."""


def step(kind, command, top):
    """Run one step, and say now and then that it goes on."""
    begun = time.monotonic()
    log = os.path.join(top, 'log')
    with open(log, 'w', encoding='utf-8') as file:
        try:
            process = subprocess.Popen(command, cwd=top, stdout=file,
                                       stderr=subprocess.STDOUT,
                                       stdin=subprocess.DEVNULL)
        except OSError as error:
            raise Failed(f'{command[0]}: {error.strerror}') from None
        while True:
            try:
                code = process.wait(SAY)
                break
            except subprocess.TimeoutExpired:
                spent = int(time.monotonic() - begun)
                print(f'interop: {kind}: {command[0]}, {spent} s', flush=True)
                if spent > LIMIT:
                    process.kill()
                    process.wait()
                    raise Failed(f'{command[0]} has not ended in {LIMIT} s') \
                        from None
    if code:
        with open(log, encoding='utf-8', errors='replace') as file:
            said = [line.strip() for line in file if line.strip()]
        raise Failed(f'{" ".join(command[:2])}: '
                     + ' '.join(said[-3:])[-300:])


def check_sums(top):
    """Hold the files that were fetched against the sums that we know."""
    with open(os.path.join(top, 'sha256sums'), encoding='utf-8') as file:
        known = dict(reversed(line.split()) for line in file)
    found = {}
    for name in os.listdir(os.path.join(top, 'lib')):
        with open(os.path.join(top, 'lib', name), 'rb') as file:
            found[f'lib/{name}'] = hashlib.sha256(file.read()).hexdigest()
    if found != known:
        raise Failed(f'other files than expected: {sorted(found)}')


# the program that has to be there, and the steps

BUILD = {
    'node': ('npm', [['npm', 'ci', '--no-audit', '--no-fund',
                      '--ignore-scripts']]),
    'go': ('go', [['go', 'build', '-buildvcs=false', '-o', 'bin/',
                   './vault', './oidc', './spiffe']]),
    'akeyless-go': ('go', [['go', 'build', '-buildvcs=false', '-o',
                            'bin/akeyless', '.']]),
    'java': ('javac', [['mvn', '-q', '-B', COPY, '-DoutputDirectory=lib'],
                       check_sums,
                       ['javac', '-cp', 'lib/*', '-d', 'out', 'Main.java',
                        'Verifier.java']]),
    'rust': ('cargo', [['cargo', 'build', '--locked', '--target-dir',
                        'target']]),
}


def clear(top):
    """Leave nothing of a former build but what cargo has compiled."""
    for entry in os.scandir(top) if os.path.isdir(top) else ():
        if not entry.is_dir():
            os.unlink(entry.path)
        elif entry.name != 'target':
            shutil.rmtree(entry.path)


def build(kind):
    """Fetch and build one kind; raise Failed."""
    tool, steps = BUILD[kind]
    if shutil.which(tool) is None:
        raise Failed(f'no {tool} here')
    top = os.path.join(clients.BUILT, kind)
    clear(top)
    for name, content in clients.sources(kind).items():
        path = os.path.join(top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as file:
            file.write(content)
    for one in steps:
        if callable(one):
            one(top)
        else:
            step(kind, one, top)


def prepare(kind):
    """Leave a file that says whether the clients of a kind are there."""
    if clients.missing(kind) is None:
        print(f'interop: {kind}: ready')
        return
    why = None
    print(f'interop: {kind}: fetching and building', flush=True)
    begun = time.monotonic()
    try:
        build(kind)
    except Failed as failure:
        why = str(failure)
    with open(clients.state(kind), 'w', encoding='utf-8') as file:
        json.dump({'stamp': clients.stamp(kind), 'why': why}, file)
    print(f'interop: {kind}: '
          + (f'left out: {why}' if why else
             f'ready, after {int(time.monotonic() - begun)} s'), flush=True)


if __name__ == '__main__':
    os.makedirs(clients.BUILT, exist_ok=True)
    for which in sys.argv[1:] or clients.KINDS:
        prepare(which)
