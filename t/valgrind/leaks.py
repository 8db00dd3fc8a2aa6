#!/usr/bin/python3
"""Ten reloads and many logins under valgrind: nothing is lost or misread.

    make valgrind VALGRIND_LOGINS=10000

Logins of all dialects, reviewed and out of the cache, refusals, exchanges,
guards, introspection and revocation; a tenth of them between two reloads each.
A process of nginx writes a report as it ends: no block may be lost, definitely
or indirectly, and nothing read or written that is not there.  What other
people's libraries lose by themselves stands in "suppressions", with the reason.
"""

import glob
import os
import re
import shutil
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'lib'))

from akltest import CONFIG, Test, client  # noqa: E402
from dialects import FORM, GRANT, TYPE, VAULT  # noqa: E402

LOGINS = int(os.environ.get('VALGRIND_LOGINS') or 10000)
RELOADS = 10
DISTINCT = 50           # pod tokens between two reloads
HOUR = 3600             # s that an answer may take: all is slow here
HTTP = '''
    akl_k8s_max_reviews 64 queue=1024;
    akl_k8s_review_timeout 1h connect=1h;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        large_client_header_buffers 4 32k;
        keepalive_requests 100000;
        keepalive_timeout 1h;
        client_header_timeout 1h;
        client_body_timeout 1h;
        send_timeout 1h;
        location = /v2/auth { akl_k8s_auth; }
        location = /v1/auth/kubernetes/login { akl_k8s_auth vault; }
        location = /token { akl_k8s_auth oauth; }
        location = /file { akl_k8s_exchange k8s-conf; empty_gif; }
        location = /guarded { akl_k8s_guard k8s-conf; empty_gif; }
        location = /introspect { akl_k8s_introspect k8s-conf; }
        location = /revoke { akl_k8s_revoke; }
        location = /jwks { akl_k8s_jwks k8s-conf; }
        location = /status { akl_k8s_status; }
    }
'''

t = Test()
if not shutil.which('valgrind'):
    t.skip_all('needs valgrind')


def build(path, body=None, headers=None, method='POST'):
    """Return a request as bytes, of a kept connection."""
    return client.build(method, path, headers, body, close=False)


def form(path, **fields):
    """Return the request of a form."""
    return build(path, urllib.parse.urlencode(fields), FORM)


class Crowd:
    """What is asked, in order, and what is answered."""

    def __init__(self, cluster, gateway):
        self.cluster = cluster
        self.gateway = gateway
        self.statuses = {}

    def ask(self, requests):
        """Ask all; count the answers by their status."""
        answers = client.crowd(self.gateway.port, requests, 8, timeout=HOUR)
        for answer in answers:
            status = getattr(answer, 'status', repr(answer))
            self.statuses[status] = self.statuses.get(status, 0) + 1
        return answers

    def logins(self, count):
        """Log in so often, each token in all dialects."""
        issue = self.cluster.issue
        tokens = [issue() for _ in range(min(DISTINCT, count))]
        tokens += [issue(pod=None, account='builder'), 'x.y.z',
                   tokens[0][:-20] + 'A' * 20]
        ways = (
            lambda pod: build('/v2/auth', self.cluster.login(pod)),
            lambda pod: build('/v2/auth', self.cluster.login(pod, 'fresh')),
            lambda pod: build(VAULT, {'role': CONFIG, 'jwt': pod}),
            lambda pod: form('/token', grant_type=GRANT, subject_token=pod,
                             subject_token_type=TYPE + 'jwt',
                             client_id=CONFIG),
            lambda pod: build('/file', None, {
                'Authorization': f'Bearer {pod}'}, 'GET'))
        return self.ask([ways[n % len(ways)](tokens[
            (n // len(ways)) % len(tokens)]) for n in range(count)])

    def tokens(self, answers):
        """Use, look at and revoke some of the tokens that were minted."""
        minted = [answer.json()['token'] for answer in answers
                  if getattr(answer, 'status', 0) == 200
                  and b'"token":"' in answer.body][:DISTINCT]
        self.ask([request for token in minted for request in (
            build('/guarded', None, {'Authorization': f'Bearer {token}'},
                  'GET'),
            form('/introspect', token=token), form('/revoke', token=token),
            form('/introspect', token=token),
            build('/guarded', None, {'Authorization': f'Bearer {token}'},
                  'GET'))])
        self.ask([build('/jwks', method='GET'), build('/status',
                                                      method='GET')])
        return len(minted)


def command(folder):
    """Return valgrind's command line; each process writes its own report."""
    return ('valgrind --leak-check=full --show-leak-kinds=definite,indirect '
            '--errors-for-leak-kinds=definite,indirect --keep-debuginfo=yes '
            '--num-callers=40 --trace-children=yes --gen-suppressions=all '
            f'--suppressions={HERE}/suppressions --log-file={folder}/report.%p')


def lost(text):
    """Return the bytes that a report calls lost, and its count of errors."""
    return (sum(int(number.replace(',', '')) for number in re.findall(
        r'(?:definitely|indirectly) lost: ([\d,]+) bytes', text)),
            sum(map(int, re.findall(r'ERROR SUMMARY: (\d+) errors', text))))


@t.story
def ten_reloads_and_many_logins_lose_nothing():
    cluster = t.cluster()
    folder = t.folder()
    os.environ['AKL_WRAP'] = command(folder)
    gateway = t.nginx(
        HTTP, method=cluster.method(), workers=1,
        configs=cluster.config() + cluster.config(
            name='fresh', kind='P-256', akl_k8s_cache_valid='0'))
    crowd = Crowd(cluster, gateway)
    used = asked = 0
    for number in range(RELOADS + 1):
        part = LOGINS * (number + 1) // (RELOADS + 1) - asked
        used += crowd.tokens(crowd.logins(part))
        asked += part
        t.diag(f'{asked} logins, {number} reloads, answers {crowd.statuses}')
        if number < RELOADS:
            t.ok(gateway.reload(timeout=600, wait_old=True),
                 f'reload {number + 1}')
    gateway.stop()
    del os.environ['AKL_WRAP']
    t.is_(asked, LOGINS, 'the logins')
    t.ok(used, 'tokens were used and revoked', used)
    # by OAuth, a token that is refused is a 400 (RFC 6749 section 5.2)
    t.is_(sorted(set(crowd.statuses) - {200, 204, 400, 401, 403}, key=str), [],
          'each was answered')
    t.ok(crowd.statuses[200] > asked // 2, 'most of them well')
    total, wrong, ends = 0, 0, 0
    for path in sorted(glob.glob(os.path.join(folder, 'report.*'))):
        text = t.read(os.path.relpath(path, t.dir))
        bytes_, errors = lost(text)
        total, wrong = total + bytes_, wrong + errors
        ends += 'ERROR SUMMARY' in text
        if bytes_ or errors:
            t.diag(text)
    t.ok(ends >= RELOADS + 2, 'reports of all processes', ends)
    t.is_((total, wrong), (0, 0), 'bytes lost, and errors')


t.tell()
