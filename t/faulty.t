#!/usr/bin/python3
"""One exit: whichever allocation fails, a request ends once and is told once.

Runs a build of the module whose own allocations fail one by one, see
faulty/faulty.h; t/memory.t does the same to all of nginx and its libraries.
"""

import http.client
import json
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
TOLD = r'akl_k8s: (\w+) (failed|refused), (\w+): '

# what fails there, and how a document says so; None: nginx's own page

PLACES = {
    '/akeyless': ('login', {'error': 'an internal error occurred'}),
    '/vault': ('login', {'errors': [
        'internal_error: an internal error occurred']}),
    '/oauth': ('login', {'error': 'server_error'}),
    '/exchange': ('exchange', None),
    '/guard': ('guard', None),
    '/require': ('guard', None),
    '/verify': ('guard', None),
    '/self': ('introspection', {'errors': [
        'internal_error: an internal error occurred']}),
    '/introspect': ('introspection', {'error': 'server_error'}),
    '/revoke': ('revocation', {'error': 'server_error'}),
    '/revoke-self': ('revocation', {'error': 'server_error'}),
    '/revoke-vault': ('revocation', {'errors': [
        'internal_error: an internal error occurred']}),
}

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
        location = /revoke-self { akl_k8s_revoke self; }
        location = /revoke-vault { akl_k8s_revoke vault; }
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
        """Send a request; return its answer, None where none came."""
        headers = {}
        if token:
            headers['Authorization'] = f'Bearer {token}'
        if kind:
            headers['Content-Type'] = kind
        try:
            return client.request(self.nginx.port, method, path, headers,
                                  body)
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
    """Return what a family of counters says, by reason; None: what fails."""
    config = page['configs'][CONFIG]
    refused = page['refused_requests_total']
    if family is None:
        return {'internal_error': sum(
            counted.get('internal_error', 0) for counted in (
                refused, config['logins_total'], config['guard_total']))}
    out = dict(config[family])

    # where there is not even a context there is no config

    for reason, n in refused.items():
        out[reason] = out.get(reason, 0) + n
    return out


def grown(before, after):
    """Return the reasons that have grown, each as often as it has."""
    return [reason for reason in sorted({*before, *after})
            for _ in range(after.get(reason, 0) - before.get(reason, 0))]


def misshapen(answer, shape):
    """Return what is wrong with an answer that failed, or None."""
    if shape is None or answer is None:
        return None
    if answer.header('content-type') != 'application/json':
        return answer.header('content-type')
    said = answer.json()
    if said.get('reason') != 'internal_error' or not shape.items() <= \
            said.items() or answer.header('cache-control') != 'no-store':
        return said, answer.header('cache-control')
    return None


def walk(gateway, place, ask, good, family=None, reason='ok'):
    """Fail each allocation of a request in turn, until none is left.

    place: a key of PLACES; good: its status with enough memory; family: the
    counter that has to grow by one each time, and reason: the outcome that is
    not for want of memory.
    """
    task, shape = PLACES[place]
    worker = gateway.nginx.workers()
    wrong, failures, nth = [], 0, 0
    for nth in range(1, MOST):
        mark = gateway.nginx.mark()
        before = gateway.page()
        seen = len(gateway.outcomes())
        gateway.fail(nth)
        answer = ask(place)
        status = answer and answer.status
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
        if lines != ([(task, 'failed' if failed else 'refused', told)]
                     if told != 'ok' else []):
            wrong.append((nth, f'status {status}, told as {lines}'))
        if failed and misshapen(answer, shape):
            wrong.append((nth, 'answered', misshapen(answer, shape)))
        if family and status and outcome != [f'{status} {told}']:
            wrong.append((nth, f'status {status}, variable {outcome}'))
        counted = grown(counts(before, family), counts(after, family))
        if counted != ([told] if family or failed else []):
            wrong.append((nth, f'status {status}, counted as', counted))
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
    t.is_(ask(place).status, good, 'and requests go on')


def form(gateway, body):
    """Return what sends a form."""
    return lambda place: gateway.send('POST', place, None, FORM, body)


def json_(gateway, body):
    """Return what sends JSON."""
    return lambda place: gateway.send('POST', place, None, 'application/json',
                                      json.dumps(body))


def bearer(gateway, make, method='GET'):
    """Return what presents a token that is made for each request."""
    return lambda place: gateway.send(method, place, make())


@t.story
def a_login_of_akeyless_ends_once(cluster, gateway):
    walk(gateway, '/akeyless', lambda place: json_(gateway, cluster.login(
        cluster.issue()))(place), 200, 'logins_total')


@t.story
def a_login_that_is_remembered_ends_once(cluster, gateway):
    ask = json_(gateway, cluster.login(cluster.issue()))
    ask('/akeyless')
    walk(gateway, '/akeyless', ask, 200, 'logins_total')


@t.story
def a_login_of_vault_ends_once(cluster, gateway):
    walk(gateway, '/vault', lambda place: json_(gateway, {
        'role': CONFIG, 'jwt': cluster.issue()})(place), 200, 'logins_total')


@t.story
def a_login_of_oauth_ends_once(cluster, gateway):
    walk(gateway, '/oauth', lambda place: form(gateway, token_exchange(
        cluster.issue()))(place), 200, 'logins_total')


@t.story
def a_login_that_is_refused_ends_once(cluster, gateway):
    walk(gateway, '/akeyless', json_(gateway, cluster.login('a.b.c')), 401,
         'logins_total', 'token_malformed')
    walk(gateway, '/akeyless', json_(gateway, {}), 400, 'logins_total',
         'request_malformed')
    walk(gateway, '/vault', lambda place: json_(gateway, {
        'role': 'nobody', 'jwt': cluster.issue()})(place), 403,
         'logins_total', 'config_unknown')


@t.story
def an_exchange_ends_once(cluster, gateway):
    walk(gateway, '/exchange', bearer(gateway, cluster.issue), 200,
         'logins_total')
    walk(gateway, '/exchange', bearer(gateway, str), 401, 'logins_total',
         'token_missing')


@t.story
def a_guarded_request_ends_once(gateway):
    token = mint()
    walk(gateway, '/guard', bearer(gateway, mint), 200, 'guard_total')
    walk(gateway, '/guard', bearer(gateway, lambda: token[:-9]), 401,
         'guard_total', 'token_malformed')
    walk(gateway, '/require', bearer(gateway, lambda: token), 403,
         'guard_total', 'claim_not_allowed')
    walk(gateway, '/verify', bearer(gateway, lambda: token), 204)


@t.story
def who_asks_about_a_token_is_answered_once(gateway):
    token = mint()
    walk(gateway, '/self', bearer(gateway, lambda: token), 200)
    walk(gateway, '/introspect', form(gateway, urllib.parse.urlencode(
        {'token': token})), 200)


@t.story
def a_revocation_ends_once(gateway):
    walk(gateway, '/revoke', json_(gateway, {'jti': 'a'}), 200)
    walk(gateway, '/revoke', form(gateway, 'jti=a'), 200)
    for place, good in ('/revoke-self', 200), ('/revoke-vault', 204):
        walk(gateway, place, bearer(gateway, mint, 'POST'), good)


t.tell()
