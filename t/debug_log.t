#!/usr/bin/python3
"""What the debug log tells of a login, and what it never tells.

docs/troubleshooting.md shows these stories: with AKL_WRITE=1 this program
writes them there, otherwise it holds the page to what it has seen.
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import nginx  # noqa: E402
import tokens  # noqa: E402
from akltest import CONFIG, Test, client, wait_for  # noqa: E402

PAGE = os.path.join(nginx.ROOT, 'docs', 'troubleshooting.md')
LINE = re.compile(r'\[debug\] \d+#\d+: ((?:\*\d+ )?akl_k8s .*)')

t = Test(need_module=True)

if not nginx.has('--with-debug'):
    t.skip_all('this nginx is built without --with-debug')


class Gateway:
    """A cluster of its own, and a gateway that logs all it does."""

    def __init__(self):
        self.cluster = t.cluster()
        self.secrets = [self.cluster.api.read('reviewer.jwt').strip()]
        self.nginx = t.nginx('''
            @method@
            @config@
            server {
                listen 127.0.0.1:@port@;
                location = /v2/auth { akl_k8s_auth; }
                location = /items { akl_k8s_guard @guarded@; }
            }
        ''', level='debug', method=self.cluster.method(),
            config=self.cluster.config(), guarded=CONFIG)

    def login(self, token):
        """Log in; return the answer."""
        self.secrets.append(token)
        answer = client.post(self.nginx.port, '/v2/auth',
                             self.cluster.login(token))
        self.secrets.append(answer.json().get('token') or token)
        return answer

    def logged(self, what):
        """Say whether a line was written."""
        return what in self.nginx.error_log()

    def story(self):
        """Return our lines of the log, without what differs each time."""
        keys, numbers = {}, {}
        lines = []
        for line in LINE.findall(self.nginx.error_log()):
            if ' credentials of ' in line:
                continue
            line = re.sub(r'^\*(\d+)', lambda m: '*' + numbers.setdefault(
                m[1], str(len(numbers) + 1)), line)
            line = re.sub(r'\b[0-9a-f]{8}(?=:)', lambda m: keys.setdefault(
                m[0], ('7d1f03a9', 'c04be612', '59ae20d7')[len(keys)]), line)
            line = re.sub(r'127\.0\.0\.1:\d+', '127.0.0.1:6443', line)
            line = re.sub(r'(//[^ :)]+):\d+', r'\1:6443', line)
            line = re.sub(r'\d+ ms', '61 ms', line)
            lines.append(line)
        return lines

    def keeps_silent(self):
        """See to it that no secret is in our lines of the log."""
        log = '\n'.join(line for line in self.nginx.error_log().split('\n')
                        if 'akl_k8s' in line)
        for secret in self.secrets:
            for part in secret.split('.')[1:]:
                t.ok(part[:40] not in log, 'no token in the log')
        t.ok('PRIVATE' not in log, 'no key in the log')


def section(name):
    """Return where on the page an example stands, and its lines."""
    with open(PAGE, encoding='utf-8') as file:
        page = file.read()
    found = re.search(rf'^{name}:\n\n```\n(.*?)\n```$', page, re.M | re.S)
    return page, found


def shown(name, gateway):
    """Hold the example of that name on the page to a story, or write it."""
    lines = gateway.story()
    page, found = section(name)
    if found and os.environ.get('AKL_WRITE'):
        with open(PAGE, 'w', encoding='utf-8') as file:
            file.write(page[:found.start(1)] + '\n'.join(lines)
                       + page[found.end(1):])
        page, found = section(name)
    t.is_(found and found[1].split('\n'), lines,
          'the page shows what is logged')
    t.ok(len(lines) <= 16, 'it is short', len(lines))
    gateway.keeps_silent()


@t.story
def a_login_that_nobody_had_before():
    gateway = Gateway()
    t.is_(gateway.login(gateway.cluster.issue()).status, 200, 'it is granted')
    shown('A cold login', gateway)


@t.story
def two_logins_with_one_token_at_a_time():
    gateway = Gateway()
    api = gateway.cluster.api
    token = gateway.cluster.issue()
    api.fault('hold')
    first = client.Background(gateway.login, token)
    t.ok(wait_for(lambda: api.stats()['review'] == 1), 'one asks')
    second = client.Background(gateway.login, token)
    t.ok(wait_for(lambda: gateway.logged('a review is under way')),
         'the other one waits')
    api.clear()
    api.release()
    t.is_([one.result().status for one in (first, second)], [200, 200],
          'both are granted')
    shown('Two logins that share a review', gateway)


@t.story
def a_login_whose_review_is_asked_for_again():
    gateway = Gateway()
    gateway.cluster.api.fault('throttled_bare', count=1)
    t.is_(gateway.login(gateway.cluster.issue()).status, 200, 'it is granted')
    shown('A login whose review is repeated', gateway)


@t.story
def a_login_that_is_refused():
    gateway = Gateway()
    head, body, _ = gateway.cluster.issue().split('.')
    forged = '.'.join((head, body, tokens.b64u(bytes(256))))
    t.is_(gateway.login(forged).json()['reason'], 'token_rejected', 'refused')
    shown('A login that the API server refuses', gateway)


@t.story
def a_guard_tells_whether_it_knew_a_token():
    gateway = Gateway()
    token = gateway.login(gateway.cluster.issue()).json()['token']
    for _ in range(2):
        client.get(gateway.nginx.port, '/items',
                   {'Authorization': f'Bearer {token}'})
    t.is_([line.split(': ', 1)[1] for line in gateway.story()
           if ' token ' in line], ['verified, ok', 'found, ok'],
          'verified once, found then')
    gateway.keeps_silent()


t.tell()
