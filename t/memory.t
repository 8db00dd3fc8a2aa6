#!/usr/bin/python3
"""Memory that is short at any place: each login ends well, and is told."""

import os
import platform
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import nginx as nginx_  # noqa: E402
from akltest import (ACCESS_ID, CONFIG, NAMESPACE, Test, client,  # noqa: E402
                     wait_for)

# fails the n-th allocation (or all, n 0) of that size (0: of any), as a file
# says that is mapped; notes that it did

SHIM = r'''
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static volatile struct { int armed, size, nth, count, hit; }  *plan;

__attribute__((constructor)) static void
begin(void)
{
    int  fd = open(getenv("AKL_FAIL_MEMORY"), O_RDWR);

    unsetenv("LD_PRELOAD");

    if (fd != -1) {
        plan = mmap(NULL, sizeof(*plan), PROT_READ|PROT_WRITE, MAP_SHARED,
                    fd, 0);
    }
}

static int
fails(size_t size)
{
    if (plan == NULL || !plan->armed
        || (plan->size && (size_t) plan->size != size)
        || (plan->nth && ++plan->count != plan->nth))
    {
        return 0;
    }

    plan->hit = 1;

    return 1;
}

void *
malloc(size_t size)
{
    if (fails(size)) {
        errno = ENOMEM;
        return NULL;
    }

    return __libc_malloc(size);
}

int
posix_memalign(void **memory, size_t alignment, size_t size)
{
    if (fails(size)) {
        return ENOMEM;
    }

    *memory = __libc_memalign(alignment, size);

    return *memory ? 0 : ENOMEM;
}
'''

MOST = 600
LABELLED = 'p-labelled000km'
HTTP = '''
    request_pool_size 8k;
    akl_k8s_review_timeout 3s;
    log_format outcome '$status $akl_k8s_status';
    access_log @dir@/outcome.log outcome;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /file { akl_k8s_exchange @config@; empty_gif; }
        location = /status { akl_k8s_status; }
    }
'''

t = Test(need_module=True)
compiler = shutil.which('cc') or shutil.which('gcc')
if not compiler or platform.libc_ver()[0] != 'glibc' \
        or 'AKL_WRAP' in os.environ or nginx_.sanitized():
    t.skip_all('needs a C compiler and the malloc() of glibc')


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx whose allocations fail when they are to."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.api = cluster.api
        source = t.write('shim.c', SHIM)
        shim = os.path.join(t.dir, 'shim.so')
        subprocess.run([compiler, '-shared', '-fPIC', '-o', shim, source],
                       check=True)
        self.plan = t.write('plan', '\0' * 20)
        self.nginx = t.nginx(
            HTTP, config=CONFIG, method=cluster.method() + cluster.method(
                LABELLED, bound_namespace_selector='team=payments'),
            configs=cluster.config(kind='P-256') + cluster.config(
                name='narrow', kind='P-256',
                akl_k8s_max_reviews='1 queue=8',
                akl_k8s_review_timeout='60s connect=30s') + cluster.config(
                    'labelled', LABELLED, kind='P-256',
                    akl_k8s_cache_valid='0'),
            env={'LD_PRELOAD': shim, 'AKL_FAIL_MEMORY': self.plan})
        self.nginx.expect(r'(malloc|posix_memalign)\(.*failed')

    def fail(self, size=0, nth=0):
        """Let allocations fail from now on."""
        with open(self.plan, 'r+b', buffering=0) as file:
            file.write(struct.pack('=5i', 1, size, nth, 0, 0))

    def allow(self):
        """Let them succeed; return whether any failed."""
        with open(self.plan, 'r+b', buffering=0) as file:
            hit = struct.unpack('=5i', file.read(20))[4]
            file.seek(0)
            file.write(bytes(20))
        return hit

    def login(self, config=CONFIG, access_id=ACCESS_ID):
        """Log in by the endpoint; return the status, None: no answer."""
        try:
            return client.post(self.nginx.port, '/v2/auth', self.cluster.login(
                self.cluster.issue(), config, access_id)).status
        except (OSError, ValueError):
            return None

    def exchange(self):
        """Log in by a location, in the same manner."""
        try:
            return client.get(self.nginx.port, '/file', {
                'Authorization': f'Bearer {self.cluster.issue()}'}).status
        except (OSError, ValueError):
            return None

    def figures(self, config=CONFIG):
        """Return what the status page says of a config."""
        return client.get(self.nginx.port, '/status').json()['configs'][config]

    def told(self):
        """Return what the variable told in the access log."""
        with open(os.path.join(self.nginx.dir, 'outcome.log'),
                  encoding='ascii') as file:
            return set(file.read().splitlines())


@t.own
def gateway(cluster):
    """A gateway with enough memory."""
    return Gateway(cluster)


def short_everywhere(gateway, ask):
    """Fail each allocation of a login in turn."""
    worker = gateway.nginx.workers()
    t.ok(ask() == 200, 'it, with enough memory')
    untold, odd, places, refused, nth = [], [], 0, 0, 0
    for nth in range(1, MOST):
        mark = gateway.nginx.mark()
        gateway.fail(nth=nth)
        status = ask()
        if not gateway.allow():
            break
        places += 1
        if status and status >= 500:
            refused += status == 500
            if not gateway.nginx.wait_log(r'akl_k8s: (login|exchange) failed, ',
                                          since=mark):
                untold.append((nth, status))

        # libcurl may lose an event that it has no memory for: the deadline
        # ends the review then

        if status not in (200, None, 500, 504):
            odd.append((nth, status))
    t.diag(f'{places} allocations, {refused} answered 500')
    t.ok(refused > 5 and nth < MOST - 1, 'each place was tried', refused, nth)
    t.is_(untold, [], 'none ends without a line in the log')
    t.is_(odd, [], 'nor by another status')
    t.is_(gateway.nginx.workers(), worker, 'no worker dies of it')
    t.is_(ask(), 200, 'and logins go on')


@t.story
def a_login_ends_well_wherever_memory_is_short(gateway):
    short_everywhere(gateway, gateway.login)
    t.is_((gateway.figures()['reviews_in_flight'],
           gateway.figures()['reviews_queued']), (0, 0),
          'no review is left')
    t.ok(gateway.figures()['logins_total']['internal_error'] > 5,
         'they are counted')
    told = gateway.told()
    t.ok('500 internal_error' in told, 'a variable tells', told)


@t.story
def a_login_that_reads_labels_ends_well_wherever_memory_is_short(gateway):
    gateway.api.namespace(NAMESPACE, {'team': 'payments'})
    gateway.api.read_namespaces('system:serviceaccount:akl-system:reviewer')
    short_everywhere(gateway, lambda: gateway.login('labelled', LABELLED))
    figures = gateway.figures('labelled')
    t.is_((figures['reviews_in_flight'], figures['reviews_queued']), (0, 0),
          'no review is left')
    t.ok(figures['namespace_reads_total']['200'] > 5, 'labels were read',
         figures)


@t.story
def an_exchange_ends_well_wherever_memory_is_short(gateway):
    short_everywhere(gateway, gateway.exchange)
    t.is_((gateway.figures()['reviews_in_flight'],
           gateway.figures()['reviews_queued']), (0, 0),
          'no review is left')
    t.ok(gateway.figures()['logins_total']['internal_error'] > 5,
         'they are counted')
    told = gateway.told()
    t.ok('500 internal_error' in told, 'a variable tells', told)


@t.story
def the_status_page_ends_well_in_each_format_wherever_memory_is_short(
        gateway):
    for name in 'html', 'json', 'prometheus':
        statuses, nth = [], 0
        for nth in range(1, MOST):
            gateway.fail(nth=nth)
            try:
                status = client.get(gateway.nginx.port,
                                    f'/status?format={name}').status
            except (OSError, ValueError):
                status = None       # no memory for the connection
            if not gateway.allow():
                break
            statuses.append(status)
        t.ok(1 < nth < MOST - 1, f'{name}: each place was tried', nth)
        t.is_(set(statuses) - {200, 500, None}, set(), f'{name}: no other')
        t.is_(client.get(gateway.nginx.port, f'/status?format={name}').status,
              200, f'{name}: and it goes on')


@t.story
def a_review_that_cannot_be_asked_when_its_turn_comes_is_told(gateway):
    gateway.api.fault('hold')
    first = client.Background(gateway.login, 'narrow')
    t.ok(wait_for(lambda: gateway.figures('narrow')['reviews_in_flight']),
         'a review is asked')
    second = client.Background(gateway.login, 'narrow')
    t.ok(wait_for(lambda: gateway.figures('narrow')['reviews_queued']),
         'another waits')
    gateway.fail(size=4096)
    gateway.api.clear()
    gateway.api.release()
    t.is_((first.result(), second.result()), (500, 500), 'both fail as it is')
    t.ok(gateway.allow(), 'for want of memory')
    t.ok(gateway.nginx.grep('internal_error: .*: the API server could not be '
                            'asked, '
                            'config "narrow"'), 'and says so')
    t.is_(gateway.nginx.grep("another worker's"), [],
          'and nothing of other workers')
    t.is_(gateway.login('narrow'), 200, 'logins go on')


t.tell()
