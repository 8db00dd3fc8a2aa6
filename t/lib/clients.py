"""Other people's clients, as `make interop` fetches and builds them.

t/interop has a directory for each kind: programs of ours, a manifest and a
lock file.  prepare.py copies it below objs/interop, beside what
docs/relying-parties.md shows for that language, and builds it there with the
packages that the lock file names.  Each program prints a line of JSON for
what happens; the first ones say which client it is, and of which version.
"""

import glob
import hashlib
import importlib.metadata
import json
import os
import re
import subprocess

from nginx import ROOT
from tap import PATIENCE

SOURCES = os.path.join(ROOT, 't', 'interop')
BUILT = os.environ.get('AKL_INTEROP') or os.path.join(ROOT, 'objs', 'interop')
PAGE = os.path.join(ROOT, 'docs', 'relying-parties.md')

# by kind: the language of the page's snippet, and the file that it becomes

SNIPPETS = {'node': ('js', 'verify.mjs'), 'go': ('go', 'verify/verify.go'),
            'java': ('java', 'Verifier.java'),
            'rust': ('rust', 'src/verify.rs')}
KINDS = 'node', 'go', 'akeyless-go', 'java', 'rust'


def snippet(language):
    """Return the code that the page shows for a language."""
    with open(PAGE, encoding='utf-8') as file:
        return re.search(rf'^```{language}\n(.*?)^```', file.read(),
                         re.M | re.S).group(1)


def sources(kind):
    """Return the files of a kind, a dict of names and contents."""
    top = os.path.join(SOURCES, kind)
    out = {}
    for path in glob.glob(os.path.join(top, '**'), recursive=True):
        if os.path.isfile(path):
            with open(path, 'rb') as file:
                out[os.path.relpath(path, top)] = file.read()
    if kind in SNIPPETS:
        language, name = SNIPPETS[kind]
        out[name] = snippet(language).encode()
    return out


def stamp(kind):
    """Return what changes with any of the files of a kind."""
    made = hashlib.sha256()
    for name, content in sorted(sources(kind).items()):
        made.update(f'{name} {len(content)}\n'.encode() + content)
    return made.hexdigest()


def state(kind):
    """Return the path of the file that says how the preparations ended."""
    return os.path.join(BUILT, f'{kind}.json')


def missing(kind):
    """Return why there are no clients of a kind, None if there are."""
    try:
        with open(state(kind), encoding='utf-8') as file:
            told = json.load(file)
    except (OSError, ValueError):
        return f'"make interop" fetches the clients of t/interop/{kind}'
    if told['stamp'] != stamp(kind):
        return f'"make interop" has not seen this t/interop/{kind}'
    return told['why']


class Clients:
    """The clients of one test file, which says once which ones they are."""

    def __init__(self, test):
        self.test = test
        self.met = set()

    def have(self, kind):
        """Say whether there are clients of a kind; skip what needs them."""
        why = missing(kind)
        if why is None:
            return True
        self.test.skip(why)
        self.meet(f'not run, {kind}: {why}')
        return False

    def debian(self, name):
        """Say which version of a Python package is run."""
        self.meet(f'ran Python {name} {importlib.metadata.version(name)}')

    def meet(self, text):
        """Say something once."""
        if text not in self.met:
            self.met.add(text)
            self.test.diag(text)

    def run(self, kind, *command, env=None, lines=()):
        """Run a program in the directory of its kind; return what it tells.

        `lines` are what it reads, `env` what it has in its environment
        besides ours.
        """
        done = subprocess.run(
            command, cwd=os.path.join(BUILT, kind), text=True,
            input=''.join(f'{line}\n' for line in lines),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=PATIENCE, check=False, env={**os.environ, **(env or {})})
        told = []
        for line in done.stdout.splitlines():
            try:
                one = json.loads(line)
            except ValueError:
                one = {'said': line}
            if 'client' not in one:
                told.append(one)
                continue
            runtime = one.get('runtime')
            self.meet(f'ran {one["client"]}'
                      + (f' ({runtime})' if runtime else ''))
        if not told:
            self.test.ok(False, f'{" ".join(command[:2])} tells something',
                         done.stderr)
        return told
