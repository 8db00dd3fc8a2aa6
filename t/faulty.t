#!/usr/bin/python3
"""One exit: whichever allocation fails, a request ends once and is told once.

Runs a build of the module whose own allocations fail one by one, see
faulty/faulty.h; t/memory.t does the same to all of nginx and its libraries.
"""

import http.client
import os
import re
import struct
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import nginx as nginx_  # noqa: E402
from akltest import CONFIG, Test, client, wait_for  # noqa: E402
from dialects import token_exchange  # noqa: E402
from minted import ISSUER, mint  # noqa: E402

MODULE = os.environ.get('AKL_FAULTY_MODULE', os.path.join(
    nginx_.ROOT, 'objs', 'ngx_http_akl_k8s_module_faulty.so'))
MOST = 500
FORM = 'application/x-www-form-urlencoded'
TOLD = r'akl_k8s: (login failed|introspection failed|refused), (\w+): '

HTTP = '''
    akl_k8s_cache_valid 60s refused=0;
    log_format outcome '$status $akl_k8s_status';
    @method@
    @config@
    server {
        listen 127.0.0.1:@port@;
        access_log @dir@/outcome.log outcome;
        location = /akeyless { akl_k8s_auth; }
        location = /vault { akl_k8s_auth vault; }
        location = /oauth { akl_k8s_auth oauth; }
        location = /exchange { akl_k8s_exchange @known@; empty_gif; }
        location = /guard { akl_k8s_guard @known@; empty_gif; }
        location = /require {
            akl_k8s_guard @known@;
            akl_k8s_require namespace=other;
            empty_gif;
        }
        location = /verify { akl_k8s_guard @known@; akl_k8s_verify; }
        location = /self { akl_k8s_introspect vault; }
        location = /introspect { akl_k8s_introspect @known@; }
        location = /revoke { akl_k8s_revoke; }
        location = /status { access_log off; akl_k8s_status; }
    }
'''

t = Test(need_module=True)
if MODULE == 'static':
    ready = nginx_.MODULE == 'static'
else:
    ready = nginx_.MODULE != 'static' and os.path.exists(MODULE)
if not ready:
    t.skip_all('the module that fails is not built, see "make test"')


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx with that module."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.plan = t.write('plan', '\0' * 12)
        self.nginx = t.nginx(
            HTTP, load=MODULE, method=cluster.method(), known=CONFIG,
            config=cluster.config(kind='P-256', token_issuer=ISSUER),
            env={'AKL_FAULTY': self.plan})

    def fail(self, nth):
        """Let the n-th allocation from now on fail."""
        with open(self.plan, 'r+b', buffering=0) as file:
            file.write(struct.pack('=3i', 1, nth, 0))

    def allow(self):
        """Let none fail; return how many there were."""
        with open(self.plan, 'r+b', buffering=0) as file:
            count = struct.unpack('=3i', file.read(12))[2]
            file.seek(0)
            file.write(bytes(12))
        return count

    def send(self, method, path, token=None, kind=None, body=None):
        """Send a request; return its status, None where none came."""
        headers = {}
        if token:
            headers['Authorization'] = f'Bearer {token}'
        if kind:
            headers['Content-Type'] = kind
        try:
            return client.request(self.nginx.port, method, path, headers,
                                  body).status
        except (OSError, ValueError, http.client.HTTPException):
            return None

    def page(self):
        """Return the status page."""
        return client.get(self.nginx.port, '/status').json()

    def outcomes(self):
        """Return the lines of the access log."""
        with open(os.path.join(self.nginx.dir, 'outcome.log'),
                  encoding='ascii') as file:
            return file.read().splitlines()


@t.own
def gateway(cluster):
    """A gateway of its own."""
    return Gateway(cluster)


def counts(page, family):
    """Return what a family of counters says, by reason."""
    out = dict(page['configs'][CONFIG][family])

    # where there is not even a context there is no config

    for reason, n in page['refused_requests_total'].items():
        out[reason] = out.get(reason, 0) + n
    return out


def grown(before, after):
    """Return the reasons that have grown, each as often as it has."""
    return [reason for reason in sorted({*before, *after})
            for _ in range(after.get(reason, 0) - before.get(reason, 0))]


def walk(gateway, ask, good, family=None, reason='ok'):
    """Fail each allocation of a request in turn, until none is left.

    good: its status with enough memory; family: the counter that has to grow
    by one each time, and reason: the outcome that is not for want of memory.
    """
    worker = gateway.nginx.workers()
    wrong, failures, nth = [], 0, 0
    for nth in range(1, MOST):
        mark = gateway.nginx.mark()
        before = gateway.page()
        seen = len(gateway.outcomes())
        gateway.fail(nth)
        status = ask()
        count = gateway.allow()
        if not wait_for(lambda: len(gateway.outcomes()) > seen):
            wrong.append((nth, 'no line in the access log'))
            break
        outcome = gateway.outcomes()[seen:]
        after = gateway.page()
        lines = re.findall(TOLD, gateway.nginx.error_log(mark))
        failed = status != good
        failures += failed
        told = 'internal_error' if failed else reason
        if status not in (good, 500, None):
            wrong.append((nth, f'status {status}'))
        if [line[1] for line in lines] != ([told] if told != 'ok' else []):
            wrong.append((nth, f'status {status}, told as {lines}'))
        if family:
            if status and outcome != [f'{status} {told}']:
                wrong.append((nth, f'status {status}, variable {outcome}'))
            if grown(counts(before, family), counts(after, family)) != [told]:
                wrong.append((nth, f'status {status}, counted as', grown(
                    counts(before, family), counts(after, family))))
        if count < nth:
            break
    t.ok(failures > 0 and nth < MOST - 1, f'{nth - 1} allocations, '
         f'{failures} of which no request can do without')
    t.is_(wrong, [], 'each time it ends once, and is told once')
    t.is_(gateway.nginx.workers(), worker, 'no worker dies of it')

    def rest():
        page = gateway.page()
        return (page['configs'][CONFIG]['reviews_in_flight'],
                page['configs'][CONFIG]['reviews_queued'],
                page['zone']['flights'], page['worker']['calls'])
    t.ok(wait_for(lambda: rest() == (0, 0, 0, 0)), 'nothing is left', rest())
    t.is_(ask(), good, 'and requests go on')


def post(gateway, path, kind, body):
    """Send a body."""
    return gateway.send('POST', path, None, kind, body)


@t.story
def a_login_of_akeyless_ends_once(cluster, gateway):
    walk(gateway, lambda: client_json(gateway, '/akeyless', cluster.login(
        cluster.issue())), 200, 'logins_total')


@t.story
def a_login_that_is_remembered_ends_once(cluster, gateway):
    body = cluster.login(cluster.issue())
    client_json(gateway, '/akeyless', body)
    walk(gateway, lambda: client_json(gateway, '/akeyless', body), 200,
         'logins_total')


@t.story
def a_login_of_vault_ends_once(cluster, gateway):
    walk(gateway, lambda: client_json(gateway, '/vault', {
        'role': CONFIG, 'jwt': cluster.issue()}), 200, 'logins_total')


@t.story
def a_login_of_oauth_ends_once(cluster, gateway):
    walk(gateway, lambda: post(gateway, '/oauth', FORM,
                               token_exchange(cluster.issue())),
         200, 'logins_total')


@t.story
def a_login_that_is_refused_ends_once(cluster, gateway):
    cluster.api.pod('my-namespace-b', 'stranger', 'builder')
    walk(gateway, lambda: client_json(gateway, '/akeyless', cluster.login(
        'a.b.c')), 401, 'logins_total', 'token_malformed')
    walk(gateway, lambda: client_json(gateway, '/akeyless', {}), 400,
         'logins_total', 'request_malformed')
    walk(gateway, lambda: client_json(gateway, '/vault', {
        'role': 'nobody', 'jwt': cluster.issue()}), 403, 'logins_total',
         'config_unknown')


@t.story
def an_exchange_ends_once(cluster, gateway):
    walk(gateway, lambda: gateway.send('GET', '/exchange', cluster.issue()),
         200, 'logins_total')
    walk(gateway, lambda: gateway.send('GET', '/exchange'), 401,
         'logins_total', 'token_missing')


@t.story
def a_guarded_request_ends_once(gateway):
    token = mint()
    walk(gateway, lambda: gateway.send('GET', '/guard', mint()), 200,
         'guard_total')
    walk(gateway, lambda: gateway.send('GET', '/guard', token[:-9]), 401,
         'guard_total', 'token_malformed')
    walk(gateway, lambda: gateway.send('GET', '/require', token), 403,
         'guard_total', 'claim_not_allowed')
    walk(gateway, lambda: gateway.send('GET', '/verify', token), 204)


@t.story
def who_asks_about_a_token_is_answered_once(gateway):
    token = mint()
    walk(gateway, lambda: gateway.send('GET', '/self', token), 200)
    form = urllib.parse.urlencode({'token': token})
    walk(gateway, lambda: post(gateway, '/introspect', FORM, form), 200)


@t.story
def a_revocation_ends_once(gateway):
    walk(gateway, lambda: client_json(gateway, '/revoke', {'jti': 'a'}), 200)
    walk(gateway, lambda: post(gateway, '/revoke', FORM, 'jti=a'), 200)


def client_json(gateway, path, body):
    """Send a JSON body; return the status, None where none came."""
    try:
        return client.post(gateway.nginx.port, path, body).status
    except (OSError, ValueError, http.client.HTTPException):
        return None


t.tell()
