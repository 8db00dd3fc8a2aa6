#!/usr/bin/python3
"""A login end to end, on this machine alone.

Starts a fake cluster and nginx with the module, and plays pods that log in
with curl: one that may, and those that may not.  Says what was sent and what
came back; ends with an error where that is not as it should be.  With --keep
cluster and nginx stay, to be tried by hand.
"""

import argparse
import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, 't', 'lib'))
sys.dont_write_bytecode = True

import apiserver  # noqa: E402
import tokens  # noqa: E402

ACCESS_ID = 'p-kmx8x116z7j9km'
NAMESPACE = 'my-namespace-a'
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
    k8s_ca_cert         {dir}/ca.crt;
    token_reviewer_jwt  {dir}/reviewer.jwt;
    k8s_issuer          {issuer};
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


def say(text=''):
    """Print at once, so that the order of lines is the order of things."""
    print(text, flush=True)


def indent(text):
    """Set a text off from what the demo says."""
    return textwrap.indent(text, '    ')


def shorten(token):
    """Return enough of a token to recognise it."""
    return f'{token[:24]}...{token[-6:]}'


def free_port():
    """Return a port nobody listens on."""
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


def decode(token):
    """Return header and claims of a JWT."""
    def part(text):
        return json.loads(base64.urlsafe_b64decode(text + '=='))
    header, claims, _ = token.split('.')
    return part(header), part(claims)


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
        self.seen = 0

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


class Demo:
    """The story, and the count of what held."""

    def __init__(self, directory):
        self.dir = directory
        self.checks = 0
        self.api = apiserver.ApiServer(directory)
        self.nginx = None

    def check(self, what, holds):
        """Count and name what holds; stop where it does not."""
        if not holds:
            raise Failed(f'not so: {what}')
        self.checks += 1
        say(f'  ok {self.checks} - {what}')

    def start(self):
        """Write the files nginx needs, and start it."""
        key = tokens.key('RSA-2048', 'signing')
        tokens.write_file(os.path.join(self.dir, 'signing.pem'), key.pem())
        self.nginx = Nginx(self.dir, CONF.format(
            access_id=ACCESS_ID, namespace=NAMESPACE, dir=self.dir,
            api=self.api.url, issuer=tokens.ISSUER, port='{port}'))
        self.key = key
        say('nginx is configured with')
        say()
        say(indent(self.nginx.conf))
        self.nginx.wait()

    def login(self, name, token):
        """Log in as a pod does; return status and answer."""
        request = {'access-type': 'k8s', 'access-id': ACCESS_ID,
                   'k8s-auth-config-name': 'k8s-conf'}
        field = 'k8s-service-account-token'
        file = os.path.join(self.dir, name + '.json')
        encoded = base64.b64encode(token.encode()).decode()
        tokens.write_file(file, json.dumps({**request, field: encoded}))
        say(f'{name}.json is')
        say(indent(json.dumps({**request, field: shorten(encoded)},
                              indent=2)))
        return self.curl(['-d', '@' + file,
                          '-H', 'Content-Type: application/json',
                          f'http://127.0.0.1:{self.nginx.port}/v2/auth'],
                         token)

    def curl(self, arguments, token):
        """Show and run a curl command; return status and answer."""
        shown = ' '.join(f"'{a}'" if ' ' in a or '?' in a else a
                         for a in arguments)
        shown = shown.replace(self.dir + '/', '').replace(
            token, shorten(token))
        say(f'$ curl -s {shown}')
        done = subprocess.run(
            ['curl', '-s', '--noproxy', '*', '--max-time', '20',
             '-w', '\n%{http_code} %{content_type}'] + arguments,
            stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f'curl ended with {done.returncode}')
        body, _, last = done.stdout.rpartition('\n')
        status, _, content_type = last.partition(' ')
        answer = json.loads(body)
        say(f'HTTP status {status}, {content_type}')
        shown = json.loads(body)
        for place in (shown, shown.get('creds', {})):
            if 'token' in place:
                place['token'] = shorten(place['token'])
        say(indent(json.dumps(shown, indent=2)))
        return int(status), answer

    def show_log(self):
        """Show what the module has logged; no token is in there."""
        lines = self.nginx.new_lines()
        if lines:
            say('nginx logged')
            for line in lines:
                say(indent(line))
        return lines

    def refused(self, name, token, status, reason):
        """Log in where that must fail, and for the right reason."""
        got, answer = self.login(name, token)
        lines = self.show_log()
        self.check(f'the status is {status}', got == status)
        self.check(f'the reason is {reason}',
                   answer.get('reason') == reason)
        self.check('the log names it too',
                   any(reason in line for line in lines))
        self.check('no token was answered', 'token' not in answer)

    def accepted(self):
        """mypod1 logs in, with a JSON body and with a bearer token."""
        say('== mypod1 of my-namespace-a logs in')
        token = self.api.issue(NAMESPACE, pod='mypod1')
        status, answer = self.login('mypod1', token)
        self.check('the status is 200', status == 200)

        minted = answer['token']
        header, claims = decode(minted)
        say('the token says')
        say(indent(json.dumps(header)))
        say(indent(json.dumps(claims, indent=2)))
        signed, _, signature = minted.rpartition('.')
        self.check('it is signed by the config\'s key', tokens.verify_with(
            header['alg'], signed.encode(), tokens.unb64u(signature),
            self.key))
        self.check('it names namespace, account and pod', (
            claims['namespace'], claims['service_account_name'],
            claims['pod_name']) == (NAMESPACE, 'builder', 'mypod1'))
        self.check('its pod is the living one', claims['pod_uid']
                   == self.api.uids()[f'pod/{NAMESPACE}/mypod1'])
        self.check('it ends within the hour',
                   0 < claims['exp'] - time.time() <= 3600)
        self.check('it was asked for at the API server',
                   any('tokenreviews' in record.get('path', '')
                       for record in self.api.records()))

        say()
        say('== the same without a body')
        status, answer = self.curl(
            ['-X', 'POST', '-H', f'Authorization: Bearer {token}',
             f'http://127.0.0.1:{self.nginx.port}/v2/auth'
             '?k8s-auth-config-name=k8s-conf'], token)
        self.check('the status is 200', status == 200)
        self.check('the token names the pod',
                   decode(answer['token'])[1]['pod_name'] == 'mypod1')

    def run(self):
        """Tell the whole story."""
        say('== a cluster, and nginx')
        say(f'the API server is {self.api.url}')
        self.start()
        self.accepted()

        say()
        say('== mypod9 is outside of the bounds')
        self.api.pod(NAMESPACE, 'mypod9', 'builder', 'node-1')
        self.refused('mypod9', self.api.issue(NAMESPACE, pod='mypod9'),
                     403, 'pod_not_bound')

        say()
        say('== mypod2 has been deleted, its token lives on')
        self.api.pod(NAMESPACE, 'mypod2', 'builder', 'node-1')
        token = self.api.issue(NAMESPACE, pod='mypod2')
        self.api.delete('pod', NAMESPACE, 'mypod2')
        self.refused('mypod2', token, 401, 'token_revoked')

        say()
        say('== the API server is stopped')
        token = self.api.issue(NAMESPACE, pod='mypod1', ttl=1800)
        self.api.unlisten()
        self.api.drop()
        self.refused('mypod1', token, 503, 'api_unreachable')

        self.nginx.stop()
        log = self.nginx.log()
        self.check('nginx has logged no alert',
                   '[alert]' not in log and '[emerg]' not in log)
        self.check('nor any token', 'eyJ' not in log)

    def invite(self):
        """Bring all back to life, and say how to try it by hand."""
        self.api.listen()
        self.start()
        for pod in 'mypod1', 'mypod9':
            tokens.write_file(
                os.path.join(self.dir, pod + '.token'),
                self.api.issue(NAMESPACE, pod=pod, ttl=8 * 3600))
        url = f'http://127.0.0.1:{self.nginx.port}'
        program = os.environ.get('AKL_CLI', '')
        say()
        say('== it goes on: try it yourself')
        say('a login of mypod1, and one of mypod9, which is not bound:')
        say()
        for pod in 'mypod1', 'mypod9':
            say(indent(f'curl -s -X POST -H "Authorization: Bearer '
                       f'$(cat {self.dir}/{pod}.token)" \\\n'
                       f"    '{url}/v2/auth?k8s-auth-config-name=k8s-conf'"))
            say()
        if os.access(program, os.X_OK):
            program = os.path.relpath(program)
            say(indent(f'{program} auth --access-id {ACCESS_ID} '
                       f'--access-type k8s \\\n    --gateway-url {url} '
                       f'--k8s-auth-config-name k8s-conf \\\n'
                       f'    --k8s-token-path {self.dir}/mypod1.token'))
            say()
        say('what nginx says of them:')
        say()
        say(indent(f'tail -f {self.dir}/error.log'))
        say()
        say('the configuration, to be changed and loaded again:')
        say()
        say(indent(f'{self.dir}/nginx.conf\n'
                   f'kill -HUP {self.nginx.process.pid}'))
        say()
        say('and to end it all:')
        say()
        say(indent(f'kill {os.getpid()}'))

    def close(self):
        """Stop what runs."""
        if self.nginx is not None:
            self.nginx.stop()
        self.api.close()


def tell(directory, keep):
    """Run the demo in a directory; return the exit code."""
    demo = Demo(directory)
    try:
        demo.run()
        say()
        say(f'demo: {demo.checks} checks passed')
        if keep:
            demo.invite()
            stay()
    except Failed as error:
        say(f'demo: failed: {error}')
        if demo.nginx is not None:
            say(demo.nginx.log())
        return 1
    finally:
        demo.close()
    return 0


def stay():
    """Leave the terminal, and live until somebody ends us."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    os.close(null)
    os.kill(os.getppid(), signal.SIGUSR1)
    signal.pause()


def wait_for_child(pid, told):
    """Wait until the demo has been told; return its exit code."""
    while not told:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    return 0


def main():
    """Run the demo in a directory that goes away with it."""
    parser = argparse.ArgumentParser(
        prog='./run demo', description=__doc__.splitlines()[0])
    parser.add_argument('--keep', action='store_true',
                        help='leave the fake cluster and nginx running')
    arguments = parser.parse_args()
    if arguments.keep:
        told = []
        signal.signal(signal.SIGUSR1, lambda *_: told.append(True))
        pid = os.fork()
        if pid:
            return wait_for_child(pid, told)
        os.setsid()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix='akl-demo-') as directory:
        return tell(directory, arguments.keep)


if __name__ == '__main__':
    sys.exit(main())
