#!/usr/bin/python3
"""akl-k8s doctor: the right cause, and the right cure."""

import base64
import glob
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import faults  # noqa: E402
import nginx as nginx_  # noqa: E402
import tokens  # noqa: E402
from akltest import ACCESS_ID, CONFIG, NAMESPACE, Test, free_port  # noqa
from cli import ASAN, TERMINALS, run, run_on_terminal  # noqa: E402

DAY = 86400

t = Test(need_module=True)
cluster = t.cluster()
api = cluster.api
now = time.time()
pod = t.write('pod.jwt', cluster.issue(ttl=300 * DAY))
USER = 'user root;\n' if os.geteuid() == 0 else ''
authority = certs.Authority('another CA', tokens.key('P-256', 'another-ca'))
other_ca = t.write('other-ca.crt', authority.pem)


def doctor(*args, methods=None, json=True, binary=None, **members):
    """Run doctor on one auth config with members changed."""
    conf = t.write('nginx.conf', USER + 'events { }\nhttp {\n'
                   + (methods or cluster.method())
                   + cluster.config(**members) + '}\n')
    more = {'binary': binary} if binary else {}
    return run('doctor', '--config', conf, *(['--json'] if json else []),
               *args, **more)


def failed(done):
    """Return the findings that are failures."""
    return [one for one in done.json() if one['outcome'] == 'failed']


def names(done, code, check, text, cure, what):
    """Test that one failure is found, with cause and cure."""
    found = failed(done)
    t.is_((done.code, [one['check'] for one in found]), (code, [check]),
          f'{what}: the one thing that is wrong')
    if found:
        t.like(found[0]['text'], text, f'{what}: its cause')
        t.like(found[0].get('cure', ''), cure, f'{what}: its cure')


# All is well

done = doctor()
t.is_((done.code, failed(done)), (0, []), 'nothing is wrong')
t.is_([one['check'] for one in done.json()],
      ['config', 'files', 'reviewer', 'port', 'tls', 'clock', 'rights',
       'review', 'issuer', 'keys'], 'each check has its line')
words = doctor(json=False)
t.like(words.out, r'(?m)^auth config "k8s-conf"$', 'in words')
t.like(words.out, r'(?m)^ok    tls       the certificate verifies, is for '
       r'"127.0.0.1", and ends in (364 days|1 year)$', 'a line for each')
t.unlike(words.out, '\x1b', 'without colours')
if TERMINALS:
    t.like(run_on_terminal('doctor', '--config', t.dir + '/nginx.conf').out,
           '\x1b\\[32mok', 'but on a terminal')
else:
    t.skip('there are no terminals here', 1)
done = doctor('--k8s-token-path', pod, k8s_jwks='auto',
              k8s_host=cluster.url.replace('127.0.0.1', 'localhost') + '/')
t.is_((done.code, failed(done)), (0, []), 'nor with a name, keys and a pod')
t.like(str(done.json()), 'its token would be let in', 'that would log in')

# What the issue of a bad night may be

names(doctor(k8s_ca_cert=other_ca), 1, 'tls',
      'of CN = akl test CA, is not signed by the k8s_ca_cert',
      f'kubectl config view .*--flatten .*base64 -d > {re.escape(other_ca)}',
      'a wrong CA')
names(doctor(k8s_host=cluster.url.replace('127.0.0.1', '127.0.0.2')), 3,
      'port', 'Connection refused', 'kubectl cluster-info',
      'a host where nobody listens')
api.unlisten()
api.listen('0.0.0.0', cluster.port)
names(doctor(k8s_host=cluster.url.replace('127.0.0.1', '127.0.0.2')), 1,
      'tls', 'is not for "127.0.0.2" but for localhost, kubernetes.default'
      '.svc, 127.0.0.1, ::1', 'as the certificate has it', 'a wrong host')
api.unlisten()
api.listen('127.0.0.1', cluster.port)
names(doctor(k8s_host='https://no-such-host.invalid:6443'), 3, 'name',
      'does not resolve', 'getent hosts no-such-host.invalid',
      'a name that is none')
names(doctor(k8s_host=f'https://127.0.0.1:{free_port()}'), 3, 'port',
      'no connection to port .*Connection refused', 'firewalls',
      'a closed port')
nginx = t.nginx('server { listen 127.0.0.1:@port@; return 200 "<html>"; }'
                'server { listen 127.0.0.1:@port1@ ssl; return 200 "<html>";'
                f'ssl_certificate {cluster.dir}/server.crt;'
                f'ssl_certificate_key {cluster.dir}/server.key; }}')
names(doctor(k8s_host=f'https://127.0.0.1:{nginx.port}'), 1, 'tls',
      'does not speak TLS', 'is that the API server', 'a port of plain HTTP')
names(doctor(k8s_host=f'https://127.0.0.1:{nginx.port_of("port1")}'), 1,
      'rights', 'there is no Kubernetes API', '/version has to name',
      'a web server')
names(doctor(k8s_host=cluster.url + '/proxy'), 1, 'rights',
      'there is no Kubernetes API at .*/proxy', 'path of k8s_host',
      'a wrong path')

pair = certs.write_pair(t.dir, 'expired', certs.Authority().server(days=-2))
api.certificate(*pair)
names(doctor(), 1, 'tls', 'certificate ended 2 days ago', 'kubeadm certs',
      'an expired certificate')
api.certificate(cluster.dir + '/server.crt', cluster.dir + '/server.key')


def reviewer(name, account=('akl-system', 'reviewer'), key=None, ttl=DAY * 90):
    """Write a reviewer's token; return its path."""
    uid = api.uids().get('account/' + '/'.join(account), 'gone')
    return t.write(name, tokens.k8s_sign(tokens.projected(
        account[0], (account[1], uid), now=now - DAY, ttl=ttl + DAY),
        key or cluster.key))


done = doctor(token_reviewer_jwt=reviewer('old.jwt', ttl=-2 * 3600))
t.is_([one['check'] for one in failed(done)], ['reviewer', 'reviewer'],
      'an expired reviewer')
t.like(failed(done)[0]['text'], "token ended 2 hours ago", 'its cause')
t.like(failed(done)[0]['cure'], 'kubectl create token reviewer -n akl-system '
       f'--duration=8760h > {t.dir}/old.jwt', 'its cure')
api.account('akl-system', 'leaver')
api.delegate('system:serviceaccount:akl-system:leaver')
leaver = reviewer('leaver.jwt', ('akl-system', 'leaver'))
t.is_(doctor(token_reviewer_jwt=leaver).code, 0, 'a reviewer')
api.delete('account', 'akl-system', 'leaver')
names(doctor(token_reviewer_jwt=leaver), 1, 'reviewer',
      'does not know the reviewer: its account was deleted, or',
      'kubectl get serviceaccount leaver -n akl-system .*> .*leaver.jwt',
      'a deleted reviewer')
names(doctor(token_reviewer_jwt=reviewer(
    'stranger.jwt', key=tokens.key('RSA-2048', 'other'))), 1, 'reviewer',
      'of another cluster', 'kubectl create token', "another cluster's")
names(doctor(token_reviewer_jwt=cluster.dir + '/norights.jwt'), 1, 'rights',
      'may not create tokenreviews',
      'kubectl create clusterrolebinding norights-auth-delegator '
      '--clusterrole=system:auth-delegator '
      f'--serviceaccount={NAMESPACE}:norights', 'a reviewer without RBAC')

names(doctor(k8s_issuer='https://kubernetes.default.svc'), 1, 'issuer',
      f'issuer is "{tokens.ISSUER}" .as its discovery document says., '
      'k8s_issuer is https://kubernetes.default.svc$',
      f'k8s_issuer "{tokens.ISSUER}"; in .*nginx.conf:\\d+',
      'a wrong issuer')
names(doctor(k8s_issuer=None), 1, 'issuer', 'is kubernetes/serviceaccount',
      tokens.ISSUER, 'an issuer that was never set')
t.is_(doctor(k8s_issuer=None, disable_issuer_validation='on').code, 0,
      'no issuer at all is none of its business')

names(doctor('--k8s-token-path', pod,
             methods=cluster.method(audience='vault')), 1, 'audience',
      'audience_mismatch: .*token audiences', 'project a token',
      'a wrong audience')
done = doctor(methods=cluster.method(audience='vault'))
t.is_(done.code, 0, 'without a token of a pod nobody can say')
t.like(str(done.json()), 'projected token with the audience vault',
       'but what is needed')
names(doctor('--k8s-token-path', pod,
             methods=cluster.method(bound_pod_names='web-*')), 1, 'pod',
      'pod_not_bound: namespace "my-namespace-a".*pod "mypod1"',
      'bound_pod_names', 'a pod that is not bound')

key = cluster.file('rancher.key', 'token-abcde:xyz')
api.rancher('token-abcde:xyz', ['c-m-abcd1234'])
RANCHER = {'cluster_api_type': 'rancher', 'rancher_api_key': key,
           'token_reviewer_jwt': None}
done = doctor(rancher_cluster_id='c-m-abcd1234', **RANCHER)
t.is_((done.code, failed(done)), (0, []), 'through Rancher')
names(doctor(rancher_cluster_id='c-m-other', **RANCHER), 1, 'rights',
      'Rancher has no cluster "c-m-other"', 'kubectl get clusters.management',
      'a wrong Rancher id')
api.forget_rancher('token-abcde:xyz')
names(doctor(rancher_cluster_id='c-m-abcd1234', **RANCHER), 1, 'reviewer',
      'Rancher does not know the API key', 'new API key', 'a wrong key there')

aged = reviewer('aged.jwt')
for offset, direction in ((600, 'ahead of'), (-600, 'behind')):
    api.clock(offset)
    names(doctor(token_reviewer_jwt=aged), 1, 'clock',
          f'10 minutes {direction} this machine', 'timedatectl',
          f'a clock {direction} ours')
done = doctor()
t.is_([one['check'] for one in failed(done)], ['clock', 'reviewer'],
      'a fresh reviewer is not valid yet then')
t.like(failed(done)[1]['text'], 'while the clocks differ', 'because of them')
api.clock(20)
done = doctor()
t.is_([one['check'] for one in done.json() if one['outcome'] == 'warning'],
      ['clock'], 'a few seconds are a warning')
api.clock()

missing = doctor(signing_key='/nowhere/signing.pem')
names(missing, 1, 'config', 'signing_key: "/nowhere/signing.pem" cannot be '
      'read .No such file', 'akl-k8s keys new', 'a key that is not there')
folder = os.path.join(t.dir, 'folder')
os.makedirs(folder)
names(doctor(signing_key=folder), 1, 'config', 'cannot be read .Is a dir',
      'akl-k8s', 'an unreadable key')
names(doctor(signing_key=t.write('broken.pem', 'x')), 1, 'config',
      'neither PEM nor base64', 'akl-k8s keys new', 'a broken key')
if os.geteuid() == 0:
    hidden = cluster.file('hidden.pem', tokens.key('RSA-2048',
                                                   'gateway').pem())
    os.chmod(t.dir, 0o755)
    conf = t.write('user.conf', 'user nobody;\nhttp {' + cluster.method()
                   + cluster.config(signing_key=hidden) + '}')
    done = run('doctor', '--config', conf, '--json')
    warned = [one for one in done.json() if one['outcome'] == 'warning']
    t.is_((done.code, {one['check'] for one in warned}), (0, {'files'}),
          'files that workers cannot read are a warning')
    t.like(warned[0]['cure'], r'chown nobody .*reviewer\.jwt',
           'with the cure')
os.chmod(hidden, 0o644)
t.like(str(doctor(signing_key=hidden).json()),
       'may be read by everybody', 'a key that all may read')

cert = {'k8s_auth_type': 'certificate', 'token_reviewer_jwt': None,
        'k8s_client_certificate': cluster.dir + '/client.crt',
        'k8s_client_key': cluster.dir + '/client.key'}
api.discover('akl')
done = doctor(k8s_jwks='auto', **cert)
t.is_((done.code, failed(done)), (0, []), 'a client certificate')
cert.update(k8s_client_certificate=cluster.dir + '/client-norights.crt',
            k8s_client_key=cluster.dir + '/client-norights.key')
names(doctor(**cert), 1, 'rights', 'may not create tokenreviews',
      '--clusterrole=system:auth-delegator --user=', 'one without RBAC')
api.delegate('nobody')
names(doctor(k8s_jwks='auto', **cert), 1, 'keys',
      'may not read the cluster.s keys ./openid/v1/jwks',
      '--clusterrole=system:service-account-issuer-discovery', 'JWKS 403')

stale = t.write('stale.json', json.dumps(
    {'keys': [tokens.key('RSA-2048', 'other').jwk()]}))
names(doctor(k8s_jwks=stale), 1, 'keys', 'has 0 of the 1 keys',
      f'kubectl get --raw /openid/v1/jwks > {stale}', 'stale keys')
t.is_(doctor(k8s_jwks=cluster.jwks).code, 0, 'fresh ones')

old = t.cluster(name='old', issuer='api')
OLD = {'k8s_host': old.url, 'k8s_ca_cert': old.ca,
       'token_reviewer_jwt': old.reviewer}
done = doctor(k8s_issuer='api', **OLD)
t.is_((done.code, failed(done)), (0, []), 'an issuer that is no https URL')
t.like(str(done.json()), 'no https URL, so the cluster publishes neither '
       'issuer nor keys', 'is said so')
names(doctor(**OLD), 1, 'issuer', 'issuer is "api" .as the reviewer.s own '
      'token has it: it is no https URL', 'k8s_issuer "api"',
      'a wrong one there')
names(doctor(k8s_issuer='api', k8s_jwks='auto', **OLD), 1, 'keys',
      'publishes no keys: its issuer is no https URL', 'a file',
      'keys of such a cluster')

# Without a reviewer

done = doctor(token_reviewer_jwt='self')
t.is_((done.code, failed(done)), (0, []), 'nobody to ask with')
names(doctor('--k8s-token-path', pod, token_reviewer_jwt='self'), 1,
      'rights', 'may not create', 'auth-delegator', 'a pod without the right')

# A login through the gateway

gateway = t.nginx('''
    @method@
    @config@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
    }
''', method=cluster.method(), config=cluster.config())
args = ('--config', os.path.join(gateway.dir, 'nginx.conf'), '--json',
        '--gateway-url', f'http://127.0.0.1:{gateway.port}')
done = run('doctor', CONFIG, *args, '--k8s-token-path', pod)
t.is_((done.code, done.json()[-1]['check'], done.json()[-1]['outcome']),
      (0, 'login', 'ok'), 'a login')
done = run('doctor', *args, '--k8s-token-path', pod, '--access-id', 'p-x')
t.is_((done.code, failed(done)[0]['check']), (1, 'login'),
      'one that is refused')
t.like(failed(done)[0]['text'], 'config_unknown', 'with its reason')
t.is_(run('doctor', *args).code, 2, 'it needs a token to log in with')
gateway.stop()
done = run('doctor', *args, '--k8s-token-path', pod)
t.is_(done.code, 3, 'a gateway that is away')

# The API server is away or out of its mind

api.unlisten()
api.drop()
t.is_(doctor().code, 3, 'an outage is 3')
api.listen()

# ... under AddressSanitizer, whatever it answers

if not os.path.exists(ASAN):
    t.skip('no akl-k8s with a sanitizer: make cli-asan')
else:
    with_pod = ('--k8s-token-path', pod, '--timeout', '2')
    for preset in sorted(faults.PRESETS):
        fault = faults.PRESETS[preset]
        if fault.get('hold') or fault.get('stall'):
            continue        # these take as long as the time limit
        api.fault(preset, kind='any', count=100)
        done = doctor(*with_pod, json=False, binary=ASAN, k8s_jwks='auto')
        api.clear()
        t.ok(done.code in (0, 1, 3) and 'anitizer' not in done.err,
             f'{preset}: the answer is judged', done.code, done.err)
    corpus = glob.glob(os.path.join(nginx_.ROOT, 't', 'fuzz', 'corpus',
                                    '*', '*'))
    for path in corpus:
        with open(path, 'rb') as file:
            body = base64.b64encode(file.read()).decode()
        api.fault(kind='any', count=100, status=201,
                  body={'base64': body})
        done = doctor(*with_pod, json=False, binary=ASAN, k8s_jwks='auto')
        api.clear()
        t.ok(done.code in (0, 1, 3) and 'anitizer' not in done.err,
             f'{os.path.basename(path)}: an answer', done.code, done.err)

for args, said in ((('--config', '/nowhere'), 'cannot read'),
                   (('--config', t.write('empty.conf', 'http { }')),
                    'have no akl_k8s_auth_config'),
                   (('--config', t.dir + '/nginx.conf', 'nobody'),
                    'has no akl_k8s_auth_config "nobody"')):
    done = run('doctor', *args)
    t.is_((done.code, done.out), (2, ''), f'usage: {args[1:]}')
    t.like(done.err, said, said)

for secret in (cluster.reviewer, pod):
    with open(secret, encoding='ascii') as file:
        text = file.read().strip().rsplit('.', 1)[1]
    t.unlike(words.out, text[:40], 'no token in what it says')

t.is_(ACCESS_ID in str(words.out), False, 'nor what is of no use')

t.done_testing()
