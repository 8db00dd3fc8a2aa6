#!/usr/bin/python3
"""A login end to end, on this machine alone, or on a real cluster.

Starts a fake cluster and nginx with the module, and plays pods that log in
with curl: one that may, and those that may not.  Says what was sent and what
came back; ends with an error where that is not as it should be.  With --keep
cluster and nginx stay, to be tried by hand.  With --kubeconfig the cluster is
a real one: nginx runs here, the pods are made there, in a namespace of their
own that is deleted in the end.
"""

import argparse
import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, 't', 'lib'))
sys.dont_write_bytecode = True

import fakecluster  # noqa: E402
import realcluster  # noqa: E402
import tokens  # noqa: E402
from gateway import ACCESS_ID, CONF, Failed, Nginx, indent  # noqa: E402

CLI = os.environ.get('AKL_CLI', os.path.join(ROOT, 'objs', 'akl-k8s'))
CURL = ['curl', '-s', '--noproxy', '*', '--max-time', '20']
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 120          # seconds in which a cluster hears of a pod's end


def say(text=''):
    """Print at once, so that the order of lines is the order of things."""
    print(text, flush=True)


def shorten(token):
    """Return enough of a token to recognise it."""
    return f'{token[:24]}...{token[-6:]}'


class Demo:
    """The story, and the count of what held."""

    def __init__(self, directory, cluster):
        self.dir = directory
        self.checks = 0
        self.cluster = cluster
        self.nginx = None

    def check(self, what, holds):
        """Count and name what holds; stop where it does not."""
        if not holds:
            raise Failed(f'not so: {what}')
        self.checks += 1
        say(f'  ok {self.checks} - {what}')

    def start(self, host=None):
        """Write the files nginx needs, and start it."""
        key = tokens.key('RSA-2048', 'signing')
        tokens.write_file(os.path.join(self.dir, 'signing.pem'), key.pem())
        self.nginx = Nginx(self.dir, CONF.format(
            access_id=ACCESS_ID, namespace=self.cluster.namespace,
            dir=self.dir, api=host or self.cluster.url, ca=self.cluster.ca,
            issuer=self.cluster.issuer, port='{port}',
            reach=''.join(f'\n    {name:20}{value};' for name, value
                          in self.cluster.reach.items())))
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
            [*CURL, '-w', '\n%{http_code} %{content_type}', *arguments],
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
        namespace = self.cluster.namespace
        say(f'== mypod1 of {namespace} logs in')
        token = self.cluster.token('mypod1')
        status, answer = self.login('mypod1', token)
        self.check('the status is 200', status == 200)

        minted = answer['token']
        header, claims = tokens.decode(minted)
        say('the token says')
        say(indent(json.dumps(header)))
        say(indent(json.dumps(claims, indent=2)))
        signed, _, signature = minted.rpartition('.')
        self.check('it is signed by the config\'s key', tokens.verify_with(
            header['alg'], signed.encode(), tokens.unb64u(signature),
            self.key))
        self.check('it names namespace, account and pod', (
            claims['namespace'], claims['service_account_name'],
            claims['pod_name']) == (namespace, self.cluster.account,
                                    'mypod1'))
        self.check('its pod is the living one',
                   claims['pod_uid'] == self.cluster.uid('mypod1'))
        self.check('it ends within the hour',
                   0 < claims['exp'] - time.time() <= 3600)
        asked = self.cluster.was_asked()
        if asked is not None:
            self.check('it was asked for at the API server', asked)

        say()
        say('== the same without a body')
        status, answer = self.curl(
            ['-X', 'POST', '-H', f'Authorization: Bearer {token}',
             f'http://127.0.0.1:{self.nginx.port}/v2/auth'
             '?k8s-auth-config-name=k8s-conf'], token)
        self.check('the status is 200', status == 200)
        self.check('the token names the pod', tokens.decode(
            answer['token'])[1]['pod_name'] == 'mypod1')

    def wait_rejected(self, token):
        """Wait until the cluster has heard that the token's pod is gone.

        An API server's cache of pods is a little behind, and nginx keeps a
        verdict for a while.
        """
        head = tokens.write_file(os.path.join(self.dir, 'head'),
                                 f'Authorization: Bearer {token}')
        begun = time.monotonic()
        while True:
            status = subprocess.run(
                [*CURL, '-o', os.devnull, '-w', '%{http_code}', '-X', 'POST',
                 '-H', '@' + head, f'http://127.0.0.1:{self.nginx.port}'
                 '/v2/auth?k8s-auth-config-name=k8s-conf'],
                stdout=subprocess.PIPE, text=True, check=False).stdout
            spent = time.monotonic() - begun
            if status != '200' or spent > PATIENCE:
                break
            say(f'the API server has not heard of it yet, {spent:.0f} s')
            time.sleep(5)
        self.nginx.new_lines()

    def run(self):
        """Tell the whole story."""
        cluster = self.cluster
        self.start()
        self.accepted()

        say()
        say('== mypod9 is outside of the bounds')
        cluster.pod('mypod9')
        self.refused('mypod9', cluster.token('mypod9'), 403,
                     'pod_not_bound')

        say()
        say('== mypod2 has been deleted, its token lives on')
        cluster.pod('mypod2')
        token, early = cluster.token('mypod2'), cluster.token('mypod2')
        cluster.delete('mypod2')
        self.wait_rejected(early)
        self.refused('mypod2', token, 401, 'token_revoked')

        token = cluster.token('mypod1', ttl=1800)
        what, host = cluster.cut()
        say()
        say(f'== {what}')
        if host:
            self.nginx.stop()
            self.start(host)
        self.refused('mypod1', token, 503, 'api_unreachable')

        self.nginx.stop()
        log = self.nginx.log()
        self.check('nginx has logged no alert',
                   '[alert]' not in log and '[emerg]' not in log)
        self.check('nor any token', 'eyJ' not in log)

    def invite(self):
        """Bring all back to life, and say how to try it by hand."""
        self.cluster.mend()
        self.start()
        for pod in 'mypod1', 'mypod9':
            tokens.write_file(
                os.path.join(self.dir, pod + '.token'),
                self.cluster.token(pod, ttl=8 * 3600))
        url = f'http://127.0.0.1:{self.nginx.port}'
        say()
        say('== it goes on: try it yourself')
        say('a login of mypod1, and one of mypod9, which is not bound:')
        say()
        for pod in 'mypod1', 'mypod9':
            say(indent(f'curl -s -X POST -H "Authorization: Bearer '
                       f'$(cat {self.dir}/{pod}.token)" \\\n'
                       f"    '{url}/v2/auth?k8s-auth-config-name=k8s-conf'"))
            say()
        if os.access(CLI, os.X_OK):
            program = os.path.relpath(CLI)
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
        say('and to end it all' + self.cluster.leaves + ':')
        say()
        say(indent(f'kill {os.getpid()}'))

    def close(self):
        """Stop what runs."""
        if self.nginx is not None:
            self.nginx.stop()


def tell(directory, arguments):
    """Run the demo in a directory; return the exit code."""
    cluster = demo = None
    code = 0
    try:
        say('== a cluster, and nginx')
        if arguments.kubeconfig:
            cluster = realcluster.RealCluster(
                directory, arguments.kubeconfig, arguments.context)
        else:
            cluster = fakecluster.FakeCluster(directory)
        say(cluster.describe())
        cluster.consent(arguments.yes)
        cluster.prepare()
        demo = Demo(directory, cluster)
        demo.run()
        say()
        say(f'demo: {demo.checks} checks passed')
        if arguments.keep:
            demo.invite()
            stay()
    except Failed as error:
        say(f'demo: failed: {error}')
        if demo is not None and demo.nginx is not None:
            say(demo.nginx.log())
        code = 1
    finally:
        # what was begun is taken away, whoever is impatient
        for number in ENDS:
            signal.signal(number, signal.SIG_IGN)
        if demo is not None:
            demo.close()
        if cluster is not None:
            cluster.close()
    return code


def stay():
    """Leave the terminal, and live until somebody ends us."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    os.close(null)
    os.kill(os.getppid(), signal.SIGUSR1)
    signal.pause()


def wait_for_child(pid, told):
    """Wait until the demo has been told; return its exit code.

    The child has left the terminal's process group: what ends us ends it.
    """
    for number in ENDS:
        signal.signal(number, lambda *_: os.kill(pid, signal.SIGTERM))
    while not told:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    return 0


def path_of(path):
    """Return a path that was given where ./run was called."""
    return os.path.join(os.environ.get('AKL_FROM', ''),
                        os.path.expanduser(path))


def options():
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog='./run demo', description=__doc__.splitlines()[0])
    parser.add_argument('--keep', action='store_true',
                        help='leave the cluster\'s objects and nginx there')
    parser.add_argument('--kubeconfig', metavar='FILE',
                        type=path_of, help='on this real cluster')
    parser.add_argument('--context', help='a context of the kubeconfig')
    parser.add_argument('--yes', action='store_true',
                        help='make objects there without asking')
    return parser.parse_args()


def main():
    """Run the demo in a directory that goes away with it."""
    arguments = options()
    if arguments.keep:
        told = []
        signal.signal(signal.SIGUSR1, lambda *_: told.append(True))
        pid = os.fork()
        if pid:
            return wait_for_child(pid, told)
        os.setsid()
    for number in ENDS:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix='akl-demo-') as directory:
        return tell(directory, arguments)


if __name__ == '__main__':
    sys.exit(main())
