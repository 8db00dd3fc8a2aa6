#!/usr/bin/python3
"""A new binary: a gateway in a pod still finds its cluster."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import procs  # noqa: E402
from akltest import PATIENCE, Test, client, wait_for  # noqa: E402

HTTP = '''
    @method@
    @config@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


def read(path):
    """Return the process id in a file, or None."""
    try:
        with open(path, encoding='ascii') as file:
            return int(file.read() or 0) or None
    except FileNotFoundError:
        return None


@t.story
def a_new_binary_takes_over_in_a_pod(cluster):
    os.makedirs(os.path.join(t.dir, 'mount'))
    t.write('mount/ca.crt', cluster.api.read('ca.crt'))
    t.write('mount/token', cluster.api.read('reviewer.jwt'))
    nginx = t.nginx(HTTP, start=False, method=cluster.method(),
                    config=cluster.config(
                        use_gw_service_account=os.path.join(t.dir, 'mount'),
                        k8s_host=None, k8s_ca_cert=None,
                        token_reviewer_jwt=None))
    nginx.env = {'KUBERNETES_SERVICE_HOST': '127.0.0.1',
                 'KUBERNETES_SERVICE_PORT': str(cluster.port)}
    pid_file = os.path.join(nginx.dir, 'nginx.pid')

    def login():
        """Log in, and return the status."""
        return client.post(nginx.port, '/v2/auth',
                           cluster.login(cluster.issue())).status
    t.write(os.path.join(nginx.dir, 'nginx.conf'),
            nginx.render().replace('daemon off;', 'daemon on;'))
    starter = procs.spawn(nginx.command(), env=nginx.environment())
    t.is_(starter.wait(PATIENCE), 0, 'nginx starts')
    first = wait_for(lambda: read(pid_file))
    t.is_(login(), 200, 'a login')

    os.kill(first, signal.SIGUSR2)
    second = wait_for(lambda: read(pid_file + '.oldbin') == first
                      and read(pid_file))
    t.ok(second and second != first, 'a new binary runs',
         *nginx.grep(r'\[emerg\]'))
    t.is_(nginx.grep(r'\[emerg\]'), [], 'and takes the configuration')

    os.kill(first, signal.SIGQUIT)
    t.ok(wait_for(lambda: not os.path.exists(pid_file + '.oldbin')),
         'the old one ends')
    t.is_(login(), 200, 'a login with the new one')

    if second:
        os.kill(second, signal.SIGQUIT)
    t.ok(wait_for(lambda: not os.path.exists(pid_file)), 'it ends, too')


t.tell()
