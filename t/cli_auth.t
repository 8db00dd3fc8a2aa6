#!/usr/bin/python3
"""akl-k8s auth: dialects, waiting, files, and a token that is kept fresh."""

import base64
import json
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import tokens  # noqa: E402
from akltest import ACCESS_ID, CONFIG, PATIENCE, Test, wait_for  # noqa: E402
from cli import BINARY, Desk, run  # noqa: E402

SHORT = 'p-shortx116z7jkm'
SERVED = 'location = /v2/auth { akl_k8s_auth; }'

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def pod_token(cluster):
    """The token of that pod."""
    return cluster.issue()


@t.shared
def pod(pod_token):
    """The file that holds it."""
    return t.write('pod.jwt', pod_token + '\n', 0o600)


@t.own
def desk():
    """Where a story runs the program."""
    return Desk(t)


class Gateway:
    """An nginx with all dialects, with and without TLS."""

    def __init__(self, cluster, pod):
        self.pod = pod
        authority = certs.Authority('gateway CA',
                                    tokens.key('P-256', 'gateway-ca'))
        pair = certs.write_pair(t.dir, 'gateway', authority.server())
        self.ca = t.write('gateway-ca.crt', authority.pem)
        self.nginx = t.nginx(f'''
            @method@
            @config@
            @short_method@
            @short@
            server {{
                listen 127.0.0.1:@port@;
                {SERVED}
                location = /v1/auth/kubernetes/login {{ akl_k8s_auth vault; }}
                location = /token {{ akl_k8s_auth oauth; }}
                location = /pods/login {{ akl_k8s_auth config=k8s-conf; }}
                location = /moved {{
                    return 307 http://127.0.0.1:@port@/v2/auth;
                }}
            }}
            server {{
                listen 127.0.0.1:@port1@ ssl;
                ssl_certificate @cert@;
                ssl_certificate_key @key@;
                {SERVED}
            }}
        ''', method=cluster.method(bound_pod_names='mypod1'),
            config=cluster.config(), cert=pair[0], key=pair[1],
            short_method=cluster.method(SHORT, token_ttl='6s'),
            short=cluster.config('short', SHORT))
        self.url = f'http://127.0.0.1:{self.nginx.port}'
        self.secure = f'https://localhost:{self.nginx.port_of("port1")}'

    def command(self, *args, token=None, config=CONFIG, access_id=ACCESS_ID,
                base=None):
        """Return auth's arguments with those that are always there."""
        return ('auth', '--access-id', access_id, '--access-type', 'k8s',
                '--gateway-url', base or self.url,
                '--k8s-auth-config-name', config,
                '--k8s-token-path', token or self.pod, *args)

    def auth(self, *args, desk=None, stdin=b'', env=None, **kw):
        """Run auth, in a story's own directory where it has one."""
        command = self.command(*args, **kw)
        return (desk.run if desk else run)(*command, stdin=stdin, env=env)

    def begin(self, *args, **kw):
        """Start auth."""
        return subprocess.Popen(
            [BINARY, *self.command(*args, **kw)], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)


@t.shared
def gateway(cluster, pod):
    """The gateway of all stories."""
    return Gateway(cluster, pod)


@t.own
def own(cluster, pod):
    """A gateway that its story may change, or keep from the API server."""
    return Gateway(cluster, pod)


@t.own
def bad(cluster, desk):
    """The file of a token that is refused."""
    return desk.write('bad.jwt', cluster.issue(claims={'iss': 'x'}))


def minted(token):
    """Return the verified claims of a token."""
    return tokens.verify(token, tokens.key('RSA-2048', 'gateway'))


# As the page has it

@t.story
def a_login_prints_the_token(gateway):
    done = gateway.auth()
    t.is_((done.code, done.err), (0, ''), 'a login')
    lines = done.out.splitlines()
    t.is_(lines[0], 'Authentication succeeded.', 'is said so')
    t.ok(lines[1].startswith('Token: '), 'with the token')
    t.is_(minted(lines[1][7:])['pod_name'], 'mypod1', 'which is good')
    answer = gateway.auth('--json').json()
    t.is_(sorted(answer), ['expiration', 'expiry', 'token'], 'as JSON')
    t.is_(minted(answer['token'])['exp'], answer['expiry'], 'with its end')


@t.story
def each_dialect_gets_a_token(gateway, pod):
    for dialect in ('akeyless', 'vault', 'oauth', 'bearer'):
        done = gateway.auth('--dialect', dialect, '--json')
        t.is_(done.code, 0, f'--dialect {dialect}')
        claims = minted(done.json()['token'])

        # Vault and OAuth tell how long it lives, from when the answer is read

        t.ok(abs(claims['exp'] - done.json()['expiry']) < 300,
             f'{dialect}: until when')
    done = run('auth', '--dialect=vault', f'--role={CONFIG}', '--gateway-url',
               gateway.url, '--k8s-token-path', pod)
    t.is_(done.code, 0, 'a role of Vault\'s')


@t.story
def the_gateway_and_the_pods_token_may_be_given_in_several_ways(
        gateway, desk, pod_token):
    for path in ('/', '/v2', '/v2/auth'):
        t.is_(gateway.auth(base=gateway.url + path).code, 0,
              f'the gateway as {path}')
    t.is_(gateway.auth('--auth-path', '/pods/login').code, 0, '--auth-path')
    wrapped = base64.b64encode(pod_token.encode()).decode()
    t.is_(gateway.auth(token=desk.write('pod.b64', wrapped)).code, 0,
          'a token in base64')
    t.is_(gateway.auth(token='-', stdin=pod_token).code, 0,
          'from standard input')


@t.story
def over_tls_the_gateways_certificate_is_verified(cluster, gateway):
    secure = gateway.secure
    t.is_(gateway.auth('--gateway-ca-cert', gateway.ca, base=secure).code, 0,
          'with the gateway\'s CA')
    done = gateway.auth(base=secure)
    t.is_(done.code, 3, 'a certificate that does not verify is an outage')
    t.like(done.err, 'certificate.*\n.*--gateway-ca-cert',
           'with the way out')
    done = gateway.auth('--gateway-ca-cert', cluster.ca, base=secure)
    t.is_(done.code, 3, 'another CA does not do')


@t.story
def no_proxy_of_the_environment_sees_the_token(gateway):
    t.is_(gateway.auth('--gateway-ca-cert', gateway.ca, base=gateway.secure,
                       env={'https_proxy': 'http://127.0.0.1:1',
                            'ALL_PROXY': 'http://127.0.0.1:1'}).code, 0,
          'a login')


# Refused

@t.story
def a_refusal_is_1_with_its_reason_and_its_cure(gateway, desk, bad):
    mark = gateway.nginx.mark()
    done = gateway.auth(token=bad)
    t.is_((done.code, done.out), (1, ''), 'a refusal')
    t.like(done.err, r"issuer is not one.*\(issuer_mismatch, 401, "
           r'request \w+\)\n  try: put the token',
           'with reason, request and cure')
    done = gateway.auth('--json', config='nowhere')
    t.is_(done.code, 1, 'an unknown config')
    t.like(done.json()['error'], 'config_unknown', 'in JSON')
    t.ok(done.json()['cure'], 'with its cure')
    for dialect in ('vault', 'oauth', 'bearer'):
        done = gateway.auth('--dialect', dialect, token=bad)
        t.is_(done.code, 1, f'{dialect}: a refusal')
        t.like(done.err, r'issuer.*\(issuer_mismatch',
               f'{dialect}: its reason')
    t.ok(gateway.nginx.wait_log('refused, issuer_mismatch', since=mark),
         'the log has it')
    t.unlike(gateway.nginx.error_log(mark),
             desk.read('bad.jwt').rsplit('.', 1)[1], 'without the token')


@t.story
def what_is_no_gateway_is_called_so(gateway):
    for where in ('/elsewhere', '/moved'):
        done = gateway.auth('--auth-path', where)
        t.is_(done.code, 1, f'{where} is no gateway')
        t.like(done.err, f'{where} answered (404|307), not as a gateway',
               'and that is said')
    t.like(gateway.auth('--auth-path', '/moved').err,
           'redirects are not followed', 'a redirect is not followed')


@t.story
def a_mistake_on_the_command_line_is_2(gateway, desk):
    desk.write('pod.jwt', 'a.b.c')
    for args, said in ((('--access-type', 'saml'), 'always "k8s"'),
                       (('--gateway-url', 'gw:8000'), 'begins with'),
                       (('--k8s-token-path', '/nowhere'), 'No such file'),
                       (('--watch', 'x', '--k8s-token-path', '-'), 'a file'),
                       (('--watch', 'x', '--out', 'y'), 'exclude'),
                       (('--mode', '999', '--out', 'y'), 'octal'),
                       (('--gateway-ca-cert', 'pod.jwt'), 'neither PEM')):
        done = gateway.auth(*args, desk=desk)
        t.is_((done.code, done.out), (2, ''), f'{args[0]} {args[1]}')
        t.like(done.err, said, 'said so')
    done = run('auth', '--gateway-url', gateway.url, '--access-id', ACCESS_ID)
    t.like(done.err, 'k8s-auth-config-name" is missing', 'what is missing')


# Nobody there, an outage

@t.story
def an_outage_is_3(own, cluster, desk, pod):
    done = run('auth', '--gateway-url', 'http://gw.invalid', '--access-id',
               'x', '--k8s-auth-config-name', 'y', '--k8s-token-path', pod,
               '--wait', '0')
    t.is_(done.code, 3, 'a name that does not resolve')
    t.like(done.err,
           'warning: the pod.s token goes to gw.invalid unencrypted',
           'and a warning of http')
    done = own.auth('--wait', '0', base='http://127.0.0.1:1')
    t.is_(done.code, 3, 'nobody listens')
    t.like(done.err, 'Connection refused', 'said so')
    cluster.api.unlisten()
    cluster.api.drop()
    done = own.auth('--wait', '0')
    t.is_(done.code, 3, 'an outage of the cluster is none of the pod')
    t.like(done.err, 'api_unreachable, 503', 'with its reason')


@t.story
def a_busy_gateway_is_asked_again_when_it_says_so(own, cluster):
    cluster.api.unlisten()
    cluster.api.drop()
    process = own.begin('--json')
    t.ok(own.nginx.wait_log('login failed, api_unreachable'), 'told to wait')
    mark = own.nginx.mark()
    t.ok(own.nginx.wait_log('login failed, api_unreachable', since=mark),
         'it asks again')
    cluster.api.listen()
    out, err = process.communicate(timeout=PATIENCE)
    t.is_((process.returncode, err), (0, b''), 'and gets its token')
    t.is_(minted(json.loads(out)['token'])['pod_name'], 'mypod1',
          'the right one')


# Into a file, and kept fresh there

@t.story
def a_token_goes_into_a_file_for_its_owner_alone(gateway, desk):
    done = gateway.auth('--out', 'token', desk=desk)
    t.is_(done.code, 0, '--out')
    t.is_(minted(desk.read('token'))['pod_name'], 'mypod1', 'has the token')
    t.unlike(done.out, desk.read('token'), 'which is not printed')
    t.is_(desk.mode('token'), '0o600', 'for its owner alone')
    gateway.auth('--out', 'token', '--mode', '0640', desk=desk)
    t.is_(desk.mode('token'), '0o640', '--mode')
    t.is_(gateway.auth('--out', 'nowhere/token', desk=desk).code, 2,
          'a directory that is missing')


class Kept:
    """The file of --watch, and the tokens it has had."""

    def __init__(self, path):
        self.path = path
        self.seen = []

    def look(self):
        """Look at the file; return the tokens it has had."""
        if os.path.exists(self.path):
            with open(self.path, encoding='ascii') as file:
                token = file.read()
            minted(token)           # whole at any time
            if token not in self.seen:
                self.seen.append(token)
        return self.seen

    def in_time(self):
        """Say whether a token was replaced before its end."""
        lives = [tokens.decode(token)[1] for token in self.look()]
        return any(later['iat'] < before['exp']
                   for before, later in zip(lives, lives[1:]))


@t.story
def a_watched_file_is_kept_fresh_whatever_happens_to_the_gateway(own, desk):
    nginx, kept = own.nginx, Kept(desk.path('kept'))
    process = own.begin('--watch', kept.path, config='short', access_id=SHORT)
    t.ok(wait_for(lambda: len(kept.look()) >= 3), 'the token is replaced')
    t.ok(wait_for(kept.in_time), 'before it has ended')
    nginx.configure(http=nginx.settings['http'].replace(
        SERVED, 'location = /v2/auth { return 503; }', 1))
    nginx.reload()
    told = next((line for line in process.stderr if b'again in' in line), b'')
    t.like(told, 'warning: .*answered 503.*again in', 'what fails is told')
    nginx.configure(http=nginx.settings['http'].replace(
        'location = /v2/auth { return 503; }', SERVED, 1))
    nginx.reload()
    count = len(kept.look())
    t.ok(wait_for(lambda: len(kept.look()) > count), 'and tried again')
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    t.is_(process.returncode, 0, 'it ends when it is told to')
    t.is_(desk.names('kept.'), [], 'and leaves nothing half done')


@t.story
def a_watch_that_is_refused_at_first_ends_at_once(gateway, desk):
    done = gateway.auth('--watch', 'never', config='nowhere', desk=desk)
    t.is_((done.code, desk.names()), (1, []), 'a refusal')


t.tell()
