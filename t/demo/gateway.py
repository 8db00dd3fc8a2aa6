"""nginx with the module, as the demo shows it."""

import os
import shutil
import signal
import socket
import subprocess
import textwrap
import time

import apiserver

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ACCESS_ID = 'p-kmx8x116z7j9km'
MODULE = os.environ.get('AKL_MODULE', os.path.join(
    ROOT, 'objs', 'ngx_http_akl_k8s_module.so'))
NGINX = os.environ.get('AKL_NGINX') or shutil.which('nginx') \
    or '/usr/sbin/nginx'

CONF = '''\
akl_k8s_auth_method {access_id} {{
    bound_namespaces    {namespace};
    bound_pod_names     mypod1 mypod2;
}}

akl_k8s_auth_config k8s-conf {{
    access_id           {access_id};
    signing_key         {dir}/signing.pem;
    k8s_host            {api};
    k8s_ca_cert         {ca};{reach}
    token_reviewer_jwt  {dir}/reviewer.jwt;
    k8s_issuer          "{issuer}";
}}

server {{
    listen 127.0.0.1:{port};

    location = /v2/auth {{
        akl_k8s_auth;
    }}
}}
'''

AROUND = '''\
{load}
{user}
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log info;

events {{
}}

http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;

{conf}}}
'''


class Failed(Exception):
    """Something is not as it should be."""


def indent(text):
    """Set a text off from what the demo says."""
    return textwrap.indent(text, '    ')


def free_port():
    """Return a port nobody listens on."""
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


class Nginx:
    """nginx in the foreground, in a directory of its own."""

    def __init__(self, directory, conf):
        self.dir = directory
        self.port = free_port()
        self.conf = conf.replace('{port}', str(self.port))
        path = os.path.join(directory, 'nginx.conf')
        load = '' if MODULE == 'static' else f'load_module {MODULE};'
        with open(path, 'w', encoding='ascii') as file:
            file.write(AROUND.format(
                load=load, user='user root;' if os.geteuid() == 0 else '',
                dir=directory, conf=indent(self.conf)))
        self.command = [NGINX, '-p', directory, '-c', path,
                        '-e', os.path.join(directory, 'error.log')]
        test = subprocess.run(self.command + ['-t'], text=True, check=False,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if test.returncode != 0:
            raise Failed('nginx -t:\n' + test.stdout)
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=lambda: apiserver.die_with_parent(signal.SIGTERM))
        self.seen = len(self.log().splitlines())

    def wait(self):
        """Return when nginx listens."""
        end = time.monotonic() + 10
        while True:
            if self.process.poll() is not None:
                raise Failed('nginx ended:\n' + self.log())
            try:
                socket.create_connection(('127.0.0.1', self.port),
                                         1).close()
                return
            except OSError:
                if time.monotonic() > end:
                    raise Failed('nginx does not listen') from None
                time.sleep(0.02)

    def log(self):
        """Return what the error log holds."""
        with open(os.path.join(self.dir, 'error.log'),
                  encoding='utf-8', errors='replace') as file:
            return file.read()

    def new_lines(self):
        """Return the module's log lines since the last call."""
        lines = self.log().splitlines()
        fresh, self.seen = lines[self.seen:], len(lines)
        return [line for line in fresh if 'akl_k8s' in line]

    def stop(self):
        """Quit, and wait for it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
