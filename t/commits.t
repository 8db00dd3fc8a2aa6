#!/usr/bin/python3
"""Commit messages are checked, and the check of that can fail."""

import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import nginx  # noqa: E402
from akltest import Test  # noqa: E402

CHECK = os.path.join(nginx.ROOT, 't', 'lint', 'commits')
GOOD = 'Review: retry once on a dead connection.'
WHY = 'A kept connection may be closed by the other side at any time.'

t = Test()
if not shutil.which('git'):
    t.skip_all('needs git')


class Repository:
    """A repository whose first commit is older than the rule."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(dir=t.dir)
        self.git('init', '-q')
        self.commit('whatever was the custom before')
        self.since = self.git('rev-parse', 'HEAD').strip()

    def git(self, *args):
        """Run git in it, by no one's settings; return what it says."""
        return subprocess.run(
            ['git', '-c', 'user.name=a', '-c', 'user.email=a@b', *args],
            cwd=self.dir, check=True, text=True, stdout=subprocess.PIPE,
            env={**os.environ, 'GIT_CONFIG_GLOBAL': os.devnull,
                 'GIT_CONFIG_NOSYSTEM': '1'}).stdout

    def commit(self, *paragraphs):
        """Commit nothing, with a message of these paragraphs."""
        self.git('commit', '-q', '--allow-empty',
                 *(f'--message={text}' for text in paragraphs))

    def check(self, where=None, since=None):
        """Return the status of the check and what it says."""
        done = subprocess.run([CHECK, where or self.dir, since or self.since],
                              stdout=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stdout


@t.own
def repository():
    """A repository of this story's own."""
    return Repository()


def refused(repository, wrong, *paragraphs):
    """Check that a message is refused, and by whose fault."""
    repository.commit(*paragraphs)
    code, said = repository.check()
    t.is_(code, 1, 'the check fails')
    t.ok(wrong in said and paragraphs[0] in said, 'and says why', said)


@t.story
def a_message_that_says_what_and_why_is_good(repository):
    repository.commit(GOOD, WHY)
    repository.commit('T/lint: ' + 'x' * 58 + '.', WHY)
    t.is_(repository.check(), (0, ''), 'nothing is said')


@t.story
def a_subject_beyond_67_columns_is_an_error(repository):
    refused(repository, 'subject of 68 columns', 'Test: ' + 'x' * 61 + '.',
            WHY)


@t.story
def a_subject_without_its_full_stop_is_an_error(repository):
    refused(repository, 'is not of the form', GOOD[:-1], WHY)


@t.story
def a_subject_that_names_no_part_is_an_error(repository):
    refused(repository, 'is not of the form', 'Retry on a dead connection.',
            WHY)


@t.story
def a_message_without_a_body_is_an_error(repository):
    refused(repository, 'no body', GOOD)


@t.story
def a_body_of_trailers_alone_is_an_error(repository):
    refused(repository, 'no body', GOOD, 'Signed-off-by: a <a@b>')


@t.story
def an_older_error_is_found_beneath_a_good_commit(repository):
    repository.commit(GOOD)
    refused(repository, 'no body', GOOD, WHY)


@t.story
def a_shallow_clone_is_left_out(repository):
    repository.commit(GOOD)
    clone = os.path.join(repository.dir, 'shallow')
    repository.git('clone', '-q', '--depth=1', f'file://{repository.dir}',
                   clone)
    code, said = repository.check(clone)
    t.is_(code, 0, 'the check passes')
    t.ok('the clone is shallow' in said, 'and says that it saw nothing', said)


@t.story
def a_tree_without_git_is_left_out(repository):
    bare = tempfile.mkdtemp(dir=t.dir)
    code, said = repository.check(bare)
    t.is_(code, 0, 'the check passes')
    t.ok('no git repository' in said, 'and says that it saw nothing', said)


@t.story
def a_history_without_the_first_commit_is_left_out(repository):
    repository.commit(GOOD)
    code, said = repository.check(since='0' * 39 + '1')
    t.is_(code, 0, 'the check passes')
    t.ok('there is no commit' in said, 'and says that it saw nothing', said)


t.tell()
