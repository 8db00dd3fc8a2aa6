#!/usr/bin/python3
"""One version, and a tarball that is the same wherever it is made."""

import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import cli  # noqa: E402
import nginx  # noqa: E402
from akltest import Test  # noqa: E402

ROOT = nginx.ROOT
WHEN = 1795478969               # of the commit, 2026-11-24T00:09:29Z

t = Test()


def read(*parts):
    """Return the text of a file of the project."""
    with open(os.path.join(ROOT, *parts), encoding='utf-8') as file:
        return file.read()


def run(*command, cwd, **env):
    """Run a command by nobody's settings; return what it says."""
    kept = {name: value for name, value in os.environ.items()
            if name != 'SOURCE_DATE_EPOCH' and not name.startswith('GIT_')}
    return subprocess.run(
        command, cwd=cwd, check=True, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**kept, 'GIT_CONFIG_GLOBAL': os.devnull,
             'GIT_CONFIG_NOSYSTEM': '1', **env}).stdout.strip()


def fresh(name):
    """Return a directory's path that is not there yet."""
    return os.path.join(tempfile.mkdtemp(dir=t.dir), name)


def digest(path):
    """Return what tells a file's bytes."""
    with open(path, 'rb') as file:
        return hashlib.sha256(file.read()).hexdigest()


def names(path):
    """Return what is in a tarball, without the directory of its name."""
    with tarfile.open(path) as tar:
        return {name.partition('/')[2] for name in tar.getnames()}


@t.shared
def tree():
    """A copy of this tree, without git and without what make made."""
    path = fresh('tree')
    shutil.copytree(ROOT, path, symlinks=True, ignore=shutil.ignore_patterns(
        '.git', 'objs', 'objs-*', '__pycache__', '*.pyc'))
    return path


def repository(tree):
    """Return a copy of a tree as the only commit of a repository."""
    path = fresh('repository')
    shutil.copytree(tree, path, symlinks=True)
    run('git', 'init', '-q', cwd=path)
    run('git', 'add', '-A', cwd=path)
    run('git', '-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-q',
        '-m', 'All.', cwd=path, GIT_COMMITTER_DATE=f'@{WHEN} +0300')
    return path


def need_git():
    """Say whether git is here, and skip what needs it otherwise."""
    if shutil.which('git'):
        return True
    t.skip('needs git')
    return False


def dist(path, **env):
    """Make the tarball of a tree; return its path."""
    return run('packaging/dist', fresh('out'), cwd=path, **env)


def unpacked(tarball):
    """Return the only directory of a tarball, unpacked."""
    where = fresh('unpacked')
    with tarfile.open(tarball) as tar:
        tar.extractall(where)
    return os.path.join(where, *os.listdir(where))


@t.story
def each_place_that_tells_a_version_tells_that_of_the_source():
    version = re.search(r'AKL_VERSION  "([\d.]+)"',
                        read('src', 'k8s', 'version.h'))[1]
    t.is_(run('packaging/version', 'upstream', cwd=ROOT), version,
          'of packages')
    t.is_(re.findall(r'^## (\d\S*)', read('CHANGELOG.md'), re.M)[0], version,
          'the newest one in CHANGELOG.md')
    told = {}
    for path in glob.glob(os.path.join(ROOT, 'conf-examples', '**', '*.yaml'),
                          recursive=True):
        for word, value in re.findall(
                r'^ *(appVersion|version|newTag): "?([\d.]+)"?$',
                read(path), re.M):
            told[os.path.relpath(path, ROOT), word] = value
    t.ok(len(told) > 2, 'places in conf-examples')
    t.is_(told, dict.fromkeys(told, version), 'all of them')
    if os.path.exists(cli.BINARY):
        t.is_(run(cli.BINARY, '--version', cwd=ROOT).split()[-1], version,
              'akl-k8s --version')


@t.story
def a_version_that_is_not_released_grows_with_each_commit(tree):
    path = fresh('tree')
    shutil.copytree(tree, path, symlinks=True)
    version = run('packaging/version', 'upstream', cwd=path)
    changes = os.path.join(path, 'CHANGELOG.md')

    for top, expected in ((f'## {version}', version),
                          ('## Unreleased', f'{version}+git202611240009')):
        with open(changes, 'w', encoding='utf-8') as file:
            file.write(f'# Changelog\n\n{top}\n\n*) Feature: it works.\n')
        t.is_(run('packaging/version', cwd=path,
                  SOURCE_DATE_EPOCH=str(WHEN)), expected,
              f'below "{top}"')


@t.story
def a_commit_makes_the_same_tarball_whoever_packs_it(tree):
    if not need_git():
        return
    first, second = repository(tree), repository(tree)
    one = dist(first)
    umask = os.umask(0o077)
    try:
        two = dist(second, TZ='Asia/Tokyo', LC_ALL='C.UTF-8')
    finally:
        os.umask(umask)
    t.is_(os.path.basename(one), os.path.basename(two), 'its name')
    t.is_(digest(one), digest(two), 'its bytes')
    with tarfile.open(one) as tar:
        members = tar.getmembers()
    t.is_({(m.uid, m.gid, m.mtime) for m in members}, {(0, 0, WHEN)},
          'nobody\'s files, all of the commit\'s time')
    t.is_({m.mode for m in members if not m.issym()}, {0o644, 0o755},
          'their modes')


@t.story
def a_tarball_packs_itself_once_more_to_the_same_bytes(tree):
    if not need_git():
        return
    first = dist(repository(tree))
    again = unpacked(first)
    os.makedirs(os.path.join(again, 'objs'))
    t.is_(digest(dist(again)), digest(first), 'its bytes')


@t.story
def what_nobody_committed_is_in_no_tarball(tree):
    if not need_git():
        return
    path = repository(tree)
    before = names(dist(path))
    for name in ('signing.pem', 'src/k8s/new.c'):
        with open(os.path.join(path, name), 'w', encoding='utf-8') as file:
            file.write('\n')
    t.is_(names(dist(path)), before, 'what is in it')
    t.ok({'config', 'src/k8s/version.h', 'run', 't/packages.t'} <= before,
         'what has to be')


t.tell()
