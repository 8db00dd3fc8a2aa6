#!/usr/bin/python3
"""akl-k8s auth: dialects, waiting, files, and a token that is kept fresh."""

import base64
import json
import os
import signal
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import tokens  # noqa: E402
from akltest import ACCESS_ID, CONFIG, Test, wait_for  # noqa: E402
from cli import BINARY, run  # noqa: E402

t = Test(need_module=True)
cluster = t.cluster()
api = cluster.api
authority = certs.Authority('gateway CA', tokens.key('P-256', 'gateway-ca'))
pair = certs.write_pair(t.dir, 'gateway', authority.server())
gateway_ca = t.write('gateway-ca.crt', authority.pem)
pod_token = cluster.issue()
path = t.write('pod.jwt', pod_token + '\n', 0o600)
wrapped = t.write('pod.b64', base64.b64encode(pod_token.encode()).decode())

nginx = t.nginx('''
    @method@
    @config@
    @short_method@
    @short@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /v1/auth/kubernetes/login { akl_k8s_auth vault; }
        location = /token { akl_k8s_auth oauth; }
        location = /pods/login { akl_k8s_auth config=k8s-conf; }
        location = /moved { return 307 http://127.0.0.1:@port@/v2/auth; }
    }
    server {
        listen 127.0.0.1:@port1@ ssl;
        ssl_certificate @cert@;
        ssl_certificate_key @key@;
        location = /v2/auth { akl_k8s_auth; }
    }
''', method=cluster.method(bound_pod_names='mypod1'),
    config=cluster.config(), cert=pair[0], key=pair[1],
    short_method=cluster.method('p-shortx116z7jkm', token_ttl='6s'),
    short=cluster.config('short', 'p-shortx116z7jkm'))
url = f'http://127.0.0.1:{nginx.port}'


def auth(*args, token=path, config=CONFIG, access_id=ACCESS_ID, base=url,
         **kw):
    """Run auth with the flags that are always there."""
    return run('auth', '--access-id', access_id, '--access-type', 'k8s',
               '--gateway-url', base, '--k8s-auth-config-name', config,
               '--k8s-token-path', token, *args, cwd=t.dir, **kw)


def minted(token):
    """Return the verified claims of a token."""
    return tokens.verify(token, tokens.key('RSA-2048', 'gateway'))


# As the page has it

done = auth()
t.is_((done.code, done.err), (0, ''), 'a login')
lines = done.out.splitlines()
t.is_(lines[0], 'Authentication succeeded.', 'is said so')
t.ok(lines[1].startswith('Token: '), 'with the token')
t.is_(minted(lines[1][7:])['pod_name'], 'mypod1', 'which is good')

answer = auth('--json').json()
t.is_(sorted(answer), ['expiration', 'expiry', 'token'], 'as JSON')
t.is_(minted(answer['token'])['exp'], answer['expiry'], 'with its end')

for dialect in ('akeyless', 'vault', 'oauth', 'bearer'):
    done = auth('--dialect', dialect, '--json')
    t.is_(done.code, 0, f'--dialect {dialect}')
    claims = minted(done.json()['token'])
    t.ok(abs(claims['exp'] - done.json()['expiry']) < 60,
         f'{dialect}: until when')
done = run('auth', '--dialect=vault', f'--role={CONFIG}', '--gateway-url',
           url, '--k8s-token-path', path)
t.is_(done.code, 0, 'a role of Vault\'s')
for base in (url + '/', url + '/v2', url + '/v2/auth'):
    t.is_(auth(base=base).code, 0, f'the gateway as {base[len(url):]}')
t.is_(auth('--auth-path', '/pods/login').code, 0, '--auth-path')
t.is_(auth(token=wrapped).code, 0, 'a token in base64')
t.is_(auth(token='-', stdin=pod_token).code, 0, 'from standard input')

# Over TLS

secure = f'https://localhost:{nginx.port_of("port1")}'
t.is_(auth('--gateway-ca-cert', gateway_ca, base=secure).code, 0,
      'over TLS, with the gateway\'s CA')
done = auth(base=secure)
t.is_(done.code, 3, 'a certificate that does not verify is an outage')
t.like(done.err, 'certificate.*\n.*--gateway-ca-cert', 'with the way out')
done = auth('--gateway-ca-cert', cluster.ca, base=secure)
t.is_(done.code, 3, 'another CA does not do')
t.is_(auth('--gateway-ca-cert', gateway_ca, base=secure,
           env={'https_proxy': 'http://127.0.0.1:1',
                'ALL_PROXY': 'http://127.0.0.1:1'}).code, 0,
      'no proxy of the environment sees the token')

# Refused

bad = cluster.issue('mypod1', claims={'iss': 'x'})
done = auth(token=t.write('bad.jwt', bad))
t.is_((done.code, done.out), (1, ''), 'a refusal is 1')
t.like(done.err, r"issuer is not one.*\(issuer_mismatch, 401, request \w+\)"
       r'\n  try: put the token', 'with reason, request and cure')
done = auth('--json', config='nowhere')
t.is_(done.code, 1, 'an unknown config')
t.like(done.json()['error'], 'config_unknown', 'in JSON')
t.ok(done.json()['cure'], 'with its cure')
for dialect in ('vault', 'oauth', 'bearer'):
    done = auth('--dialect', dialect, token=t.write('bad.jwt', bad))
    t.is_(done.code, 1, f'{dialect}: a refusal')
    t.like(done.err, r'issuer.*\(issuer_mismatch', f'{dialect}: its reason')
for where in ('/elsewhere', '/moved'):
    done = auth('--auth-path', where)
    t.is_(done.code, 1, f'{where} is no gateway')
    t.like(done.err, f'{where} answered (404|307), not as a gateway',
           'and that is said')
t.like(auth('--auth-path', '/moved').err, 'redirects are not followed',
       'a redirect is not followed')
t.unlike(nginx.error_log(), bad.rsplit('.', 1)[1], 'no token in the log')

# Usage

for args, said in ((('--access-type', 'saml'), 'always "k8s"'),
                   (('--gateway-url', 'gw:8000'), 'begins with'),
                   (('--k8s-token-path', '/nowhere'), 'No such file'),
                   (('--watch', 'x', '--k8s-token-path', '-'), 'a file'),
                   (('--watch', 'x', '--out', 'y'), 'exclude'),
                   (('--mode', '999', '--out', 'y'), 'octal'),
                   (('--gateway-ca-cert', 'pod.jwt'), 'neither PEM')):
    done = auth(*args)
    t.is_((done.code, done.out), (2, ''), f'usage: {args[0]} {args[1]}')
    t.like(done.err, said, 'said so')
done = run('auth', '--gateway-url', url, '--access-id', ACCESS_ID)
t.like(done.err, 'k8s-auth-config-name" is missing', 'what is missing')
done = run('auth', '--gateway-url', 'http://gw.invalid', '--access-id', 'x',
           '--k8s-auth-config-name', 'y', '--k8s-token-path', path,
           '--wait', '0')
t.is_(done.code, 3, 'a name that does not resolve')
t.like(done.err, 'warning: the pod.s token goes to gw.invalid unencrypted',
       'and a warning of http')

# Nobody there, an outage

done = auth('--wait', '0', base='http://127.0.0.1:1')
t.is_(done.code, 3, 'nobody listens')
t.like(done.err, 'Connection refused', 'said so')
api.unlisten()
api.drop()
fresh = t.write('fresh.jwt', cluster.issue(claims={'x': 1}))
done = auth('--wait', '0', token=fresh)
t.is_(done.code, 3, 'an outage of the cluster is none of the pod')
t.like(done.err, 'api_unreachable, 503', 'with its reason')

# A gateway that is busy says when to come again, and that is what happens

process = subprocess.Popen(
    [BINARY, 'auth', '--access-id', ACCESS_ID, '--k8s-auth-config-name',
     CONFIG, '--k8s-token-path', fresh, '--gateway-url', url, '--json'],
    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
t.ok(nginx.wait_log('login failed, api_unreachable'), 'told to wait')
mark = nginx.mark()
t.ok(nginx.wait_log('login failed, api_unreachable', 30, mark),
     'it asks again')
api.listen()
out, err = process.communicate(timeout=60)
t.is_((process.returncode, err), (0, b''), 'and gets its token')
t.is_(minted(json.loads(out)['token'])['pod_name'], 'mypod1', 'the right one')

# Into a file

done = auth('--out', 'token')
t.is_(done.code, 0, '--out')
t.is_(minted(t.read('token'))['pod_name'], 'mypod1', 'has the token')
t.unlike(done.out, t.read('token'), 'which is not printed')
mode = stat.S_IMODE(os.stat(os.path.join(t.dir, 'token')).st_mode)
t.is_(mode, 0o600, 'for its owner alone')
auth('--out', 'token', '--mode', '0640')
mode = stat.S_IMODE(os.stat(os.path.join(t.dir, 'token')).st_mode)
t.is_(mode, 0o640, '--mode')
t.is_(auth('--out', 'nowhere/token').code, 2, 'a directory that is missing')

# ... and kept fresh there

kept = os.path.join(t.dir, 'kept')
process = subprocess.Popen(
    [BINARY, 'auth', '--access-id', 'p-shortx116z7jkm',
     '--k8s-auth-config-name', 'short', '--k8s-token-path', path,
     '--gateway-url', url, '--watch', kept], stderr=subprocess.PIPE)
seen = []


def renewed(number):
    """Wait until the file has had so many tokens; say whether it had."""
    def look():
        if os.path.exists(kept):
            with open(kept, encoding='ascii') as file:
                token = file.read()
            minted(token)           # whole at any time
            if token not in seen:
                seen.append(token)
        return len(seen) >= number
    return wait_for(look, 60)


t.ok(renewed(3), '--watch replaces the token')
lives = [tokens.decode(token)[1] for token in seen]
t.ok(all(later['iat'] < before['exp']
         for before, later in zip(lives, lives[1:])),
     'before it has ended')
nginx.configure(http=nginx.settings['http'].replace(
    'location = /v2/auth { akl_k8s_auth; }',
    'location = /v2/auth { return 503; }', 1))
nginx.reload()
log = b''
while b'again in' not in log:
    log = process.stderr.readline()
t.like(log, b'warning: .*answered 503.*again in'.decode(),
       'what fails is told')
nginx.configure(http=nginx.settings['http'].replace(
    'location = /v2/auth { return 503; }',
    'location = /v2/auth { akl_k8s_auth; }', 1))
nginx.reload()
count = len(seen)
t.ok(renewed(count + 1), 'and tried again')
process.send_signal(signal.SIGTERM)
process.communicate(timeout=30)
t.is_(process.returncode, 0, 'it ends when it is told to')
t.is_([n for n in os.listdir(t.dir) if n.startswith('kept.')], [],
      'and leaves nothing half done')
done = auth('--watch', 'never', config='nowhere')
t.is_((done.code, os.path.exists(os.path.join(t.dir, 'never'))), (1, False),
      'what is refused at first ends at once')

t.done_testing()
