#!/usr/bin/python3
"""An option of libcurl that cannot be set: no connection is made without."""

import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
from akltest import Test, client  # noqa: E402

# stands before libcurl's own function and fails the option of that number

SHIM = r'''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static char  *path;

__attribute__((constructor)) static void
begin(void)
{
    path = getenv("AKL_FAIL_OPTION");
    unsetenv("LD_PRELOAD");
}

int
curl_easy_setopt(void *easy, int option, ...)
{
    int       failing = 0;
    FILE     *file;
    void     *value;
    va_list   args;

    static int  (*next)(void *, int, ...);

    file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%d", &failing) != 1
        || failing == option)
    {
        return 27;
    }

    fclose(file);

    va_start(args, option);
    value = va_arg(args, void *);
    va_end(args);

    if (next == NULL) {
        next = (int (*)(void *, int, ...)) dlsym(RTLD_NEXT,
                                                 "curl_easy_setopt");
    }

    return next(easy, option, value);
}
'''

# numbers as curl.h gives them for good: 10000 for pointers, 20000 for
# functions, 40000 for blobs; those of a handle before those of a request

OPTIONS = {
    'the CA': 40309, 'the client certificate': 40291, 'its key': 40292,
    'verification of the peer': 64, 'of its name': 81, 'the least TLS': 32,
    'time for TLS': 156, 'no proxy': 10004, 'no redirects': 52,
    'no .netrc': 51,
    'no CA directory': 10097, 'no CA file': 10065,
    'who opens sockets': 20163, 'where to connect': 10243,
    'the headers': 10023, 'the body': 10015, 'the size of an answer': 114}
HTTP = '''
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
    }
'''

t = Test(need_module=True)
compiler = shutil.which('cc') or shutil.which('gcc')
if not compiler:
    t.skip_all('no C compiler')


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx with a libcurl that fails an option."""

    def __init__(self, cluster):
        self.cluster = cluster
        source = t.write('shim.c', SHIM)
        shim = os.path.join(t.dir, 'shim.so')
        subprocess.run([compiler, '-shared', '-fPIC', '-o', shim, source,
                        '-ldl'], check=True)
        self.fail(0)
        pair = certs.Authority().client('akl', ['system:masters'])
        self.nginx = t.nginx(
            HTTP, method=cluster.method(), configs=cluster.config()
            + cluster.config(
                name='certificate', k8s_auth_type='certificate',
                token_reviewer_jwt=None,
                k8s_client_certificate=cluster.file('own.crt', pair[0]),
                k8s_client_key=cluster.file('own.key', pair[1])),
            env={'LD_PRELOAD': ' '.join([shim,
                                         os.environ.get('LD_PRELOAD', '')]),
                 'AKL_FAIL_OPTION': os.path.join(t.dir, 'option')})

    @staticmethod
    def fail(number):
        """Fail an option from now on; 0 is none."""
        t.write('option', str(number))

    def login(self, config):
        """Log in with a token of its own; return status and reason."""
        answer = client.post(self.nginx.port, '/v2/auth',
                             self.cluster.login(self.cluster.issue(), config))
        return answer.status, answer.json().get('reason')


@t.own
def gateway(cluster):
    """A gateway that has no connection yet."""
    return Gateway(cluster)


@t.story
def no_connection_is_made_without_one_of_the_options(cluster, gateway):
    for name, number in OPTIONS.items():
        gateway.fail(number)
        t.is_(gateway.login('certificate'), (500, 'internal_error'),
              f'not without {name}')
    t.is_(cluster.api.stats()['review'], 0, 'nothing was sent')


@t.story
def connections_are_made_with_all_options(gateway):
    t.is_((gateway.login('k8s-conf'), gateway.login('certificate')),
          ((200, None), (200, None)),
          'with all of them')


t.tell()
