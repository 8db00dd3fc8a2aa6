"""Test Anything Protocol: what a test says to prove."""

import re
import sys
import time

# How many seconds something may take that ends as soon as it can: no test
# is to fail because the machine is slow.

PATIENCE = 120


def lines(prefix, text, stream):
    """Write each line of text after '# '."""
    for line in str(text).split('\n'):
        print(f'{prefix}{line}', file=stream, flush=True)


class Tap:
    """Counts and prints results."""

    def __init__(self):
        self.count = 0
        self.failures = []
        self.finished = False

    @property
    def failed(self):
        """How many tests have failed."""
        return len(self.failures)

    def ok(self, condition, name, *why):
        """Pass if the condition is true; `why` explains a failure."""
        self.count += 1
        self.progress()
        name = re.sub(r'\s*\n\s*', ' ', str(name)).replace('#', '')
        if condition:
            print(f'ok {self.count} - {name}', flush=True)
            return True
        self.failures.append(f'{self.count} - {name}')
        print(f'not ok {self.count} - {name}', flush=True)
        frame = sys._getframe(1)
        while frame.f_back and '/t/lib/' in frame.f_code.co_filename:
            frame = frame.f_back
        self.diag(f'failed: {name}')
        self.diag(f'at {frame.f_code.co_filename} line {frame.f_lineno}')
        for text in why:
            self.diag(text)
        return False

    def progress(self):
        """Hear that the test goes on; there is a result."""

    def is_(self, got, expected, name):
        """Pass if both are equal."""
        return self.ok(got == expected, name, f'     got: {got!r}',
                       f'expected: {expected!r}')

    def isnt(self, got, unwanted, name):
        """Pass if both differ."""
        return self.ok(got != unwanted, name, f'got: {got!r}')

    def like(self, text, pattern, name):
        """Pass if the pattern is found in the text."""
        return self.ok(re.search(pattern, _text(text)), name,
                       f'        got: {text!r}', f"doesn't match: {pattern}")

    def unlike(self, text, pattern, name):
        """Pass if the pattern is not found in the text."""
        return self.ok(not re.search(pattern, _text(text)), name,
                       f'    got: {text!r}', f'matches: {pattern}')

    def contains(self, got, members, name):
        """Pass if the mapping holds all these members."""
        have = {key: got.get(key) for key in members}
        return self.is_(have, dict(members), name)

    def skip(self, why, number=1):
        """Skip so many tests."""
        for _ in range(number):
            self.count += 1
            self.progress()
            print(f'ok {self.count} # skip {why}', flush=True)

    def skip_all(self, why):
        """Skip the whole file."""
        print(f'1..0 # SKIP {why}', flush=True)
        self.finished = True
        sys.exit(0)

    @staticmethod
    def note(text):
        """Say something that only `prove -v` shows."""
        lines('# ', text, sys.stdout)

    @staticmethod
    def diag(text):
        """Say something that is always shown."""
        lines('# ', text, sys.stderr)

    def plan(self):
        """Print how many tests there were."""
        self.finished = True
        print(f'1..{self.count}', flush=True)


def _text(value):
    if isinstance(value, bytes):
        return value.decode('utf-8', 'replace')
    return str(value)


def wait_for(condition, timeout=PATIENCE):
    """Call condition until it is true; return its last value.

    It is called less and less often, as looking costs time, too.
    """
    interval = 0.01
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(interval)
        interval = min(interval * 1.1, 0.1)
