#!/usr/bin/python3
"""akl-k8s gateway-create-k8s-auth-config: flags, files, kubeconfigs."""

import base64
import json
import os
import re
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import tokens  # noqa: E402
from akltest import ACCESS_ID, CONFIG, NAMESPACE, Test, client  # noqa: E402
from cli import TERMINALS, run, run_on_terminal  # noqa: E402

t = Test(need_module=True)
cluster = t.cluster()
api = cluster.api
COMMAND = 'gateway-create-k8s-auth-config'


def b64(text):
    """Return base64 of a text, as Akeyless hands out its PEM."""
    return base64.b64encode(text.encode()).decode()


def mode(name):
    """Return the rights of a file of the test's directory."""
    return oct(stat.S_IMODE(os.stat(os.path.join(t.dir, name)).st_mode))


def create(*args, name=CONFIG, key=None, **kw):
    """Run the command with the flags that are always there."""
    return run(COMMAND, '--name', name, '--access-id', ACCESS_ID,
               '--signing-key', key or prv_key, *args, cwd=t.dir, **kw)


def starts(conf):
    """Say whether nginx would start with a block, and what it says."""
    return t.nginx(cluster.method() + f'include {t.dir}/{conf};',
                   start=False).config_test()


# By the command lines of Akeyless' page

prv_key = b64(tokens.key('RSA-2048', 'gateway').pem(traditional=True))
ca = api.read('ca.crt')
jwt = api.read('reviewer.jwt').strip()
PAGE = ('--gateway-url', 'https://GW:8000', f'--k8s-host={cluster.url}',
        '--token-reviewer-jwt', jwt, '--k8s-ca-cert', b64(ca),
        '--k8s-issuer', tokens.ISSUER)
done = create(*PAGE, '--conf', 'page.conf')
t.is_((done.code, done.err), (0, ''), "the page's own command line")
t.like(done.out, r'K8S Auth Config k8s-conf was created\.', 'says so')
t.unlike(done.out, re.escape(jwt[:40]) + '|' + prv_key[:40], 'no secrets')
real = os.path.realpath(t.dir)
t.is_(t.read('page.conf'), f'''# made by akl-k8s

akl_k8s_auth_config k8s-conf {{
    access_id {ACCESS_ID};
    signing_key {real}/k8s-conf-signing.pem;
    k8s_host {cluster.url};
    k8s_ca_cert {real}/k8s-conf-ca.crt;
    token_reviewer_jwt {real}/k8s-conf-reviewer.jwt;
    k8s_issuer {tokens.ISSUER};
}}
''', 'the block')
t.is_((mode('k8s-conf-signing.pem'), mode('k8s-conf-reviewer.jwt'),
       mode('k8s-conf-ca.crt')), ('0o600', '0o600', '0o644'),
      'secrets are for their owner alone')
t.is_(t.read('k8s-conf-reviewer.jwt'), jwt, 'the reviewer')
code, said = starts('page.conf')
t.ok(code == 0 and 'warn' not in said, 'nginx -t takes it', said)
t.is_(create(*PAGE, '--conf', 'page.conf').code, 2, 'it is not replaced')
t.is_(create(*PAGE, '--conf', 'page.conf', '--force').code, 0,
      'but for --force')

key = cluster.file('rancher.key', 'token-abcde:xyz')
done = create('--k8s-host', cluster.url, '--k8s-ca-cert', cluster.ca,
              '--cluster-api-type', 'rancher', '--rancher-api-key', key,
              '--rancher-cluster-id', 'c-m-abcd1234', '--k8s-issuer',
              tokens.ISSUER, '--conf', 'rancher.conf', name='a/b "c"')
t.is_(done.code, 0, 'Rancher')
t.like(t.read('rancher.conf'), r'akl_k8s_auth_config "a/b \\"c\\"" \{'
       rf'[^#]*k8s_ca_cert {cluster.ca};[^#]*rancher_api_key {key};',
       'files stay where they are')
t.ok(os.path.exists(os.path.join(t.dir, 'a_b__c_-signing.pem')),
     'names of files have no slashes')
code, said = starts('rancher.conf')
t.ok(code == 0, 'nginx -t takes it', said)

done = create('--k8s-host', cluster.url, '--k8s-ca-cert', cluster.ca,
              '--k8s-auth-type', 'certificate', '--k8s-client-certificate',
              b64(api.read('client.crt')), '--k8s-client-key',
              api.read('client.key'), '--k8s-issuer', 'a,b', '--k8s-issuer',
              'c', '--k8s-jwks', 'auto', '--conf', 'cert.conf')
t.is_(done.code, 2, 'files of before are not replaced either')
done = create('--k8s-host', cluster.url, '--k8s-ca-cert', cluster.ca,
              '--k8s-auth-type', 'certificate', '--k8s-client-certificate',
              b64(api.read('client.crt')), '--k8s-client-key',
              api.read('client.key'), '--k8s-issuer', 'a,b', '--k8s-issuer',
              'c', '--k8s-jwks', 'auto', '--conf', 'cert.conf', name='cert')
t.is_(done.code, 0, 'a client certificate')
t.is_(mode('cert-client.key'), '0o600', 'its key')
t.like(t.read('cert.conf'), 'k8s_issuer a b c;', 'several issuers')
code, said = starts('cert.conf')
t.ok(code == 0, 'nginx -t takes it', said)

# On standard output

done = create(*PAGE)
t.like(done.out, f'signing_key data:[A-Za-z0-9+/=]+;[^#]*'
       f'token_reviewer_jwt data:{re.escape(jwt)};', 'into a pipe')
t.write('piped.conf', done.out)
code, said = starts('piped.conf')
t.ok(code == 0, 'which nginx takes, too', said)
if TERMINALS:
    shown = run_on_terminal(COMMAND, '--name', 'x', '--access-id', ACCESS_ID,
                            '--signing-key', prv_key, *PAGE)
    t.is_(shown.code, 2, 'not on a terminal')
    t.unlike(shown.out, re.escape(jwt[:40]) + '|' + prv_key[:40], 'no secret')
    t.like(shown.out, '--show-secrets[^#]*--conf FILE', 'but says how')
    t.is_(run_on_terminal(COMMAND, '--name', 'x', '--access-id', ACCESS_ID,
                          '--signing-key', prv_key, *PAGE,
                          '--show-secrets').code, 0, 'unless asked')
else:
    t.skip('there are no terminals here', 4)
made = create(*PAGE, '--json', '--conf', 'json.conf', name='json').json()
t.is_(sorted(made), ['block', 'conf', 'files', 'name'], 'as JSON')

# It refuses what nginx -t would, in the same words

weak = t.write('weak.pem', tokens.key('RSA-1024', 'gateway').pem())
EXPIRED = tokens.k8s_sign(tokens.projected(
    'kube-system', ('r', 'u'), now=1, ttl=60), cluster.key)
HOST = ('--k8s-host', cluster.url)
CA = ('--k8s-ca-cert', cluster.ca)
ISS = ('--k8s-issuer', 'x')

for what, args in (
        ('no host', (*CA, *ISS)), ('no CA', (*HOST, *ISS)),
        ('http', ('--k8s-host', 'http://a', *CA, *ISS)),
        ('a bad port', ('--k8s-host', 'https://a:0', *CA, *ISS)),
        ('no CA in it', (*HOST, '--k8s-ca-cert', prv_key, *ISS)),
        ('an expired reviewer', (*HOST, *CA, *ISS, '--token-reviewer-jwt',
                                 EXPIRED)),
        ('a reviewer that is none', (*HOST, *CA, *ISS,
                                     '--token-reviewer-jwt', 'x.y')),
        ("Rancher's key without Rancher", (*HOST, *CA, *ISS,
                                           '--rancher-api-key', 'k:v')),
        ('Rancher without its key', (*HOST, *CA, *ISS, '--cluster-api-type',
                                     'rancher')),
        ('a reviewer with a certificate', (
            *HOST, *CA, *ISS, '--k8s-auth-type', 'certificate',
            '--token-reviewer-jwt', jwt)),
        ('a certificate without its key', (
            *HOST, *CA, *ISS, '--k8s-auth-type', 'certificate',
            '--k8s-client-certificate', cluster.dir + '/client.crt')),
        ('a key of another certificate', (
            *HOST, *CA, *ISS, '--k8s-auth-type', 'certificate',
            '--k8s-client-certificate', cluster.dir + '/client.crt',
            '--k8s-client-key', cluster.dir + '/server.key')),
        ('a cluster id', (*HOST, *CA, *ISS, '--cluster-api-type', 'rancher',
                          '--rancher-api-key', 'k:v',
                          '--rancher-cluster-id', 'a/b')),
        ('an empty issuer', (*HOST, *CA, '--k8s-issuer', ''))):
    done = create(*args, '--conf', 'refused.conf', name='refused')
    t.is_((done.code, done.out), (2, ''), f'{what}: refused')
    message = re.sub('^akl-k8s [^:]*: ', '', done.err.splitlines()[-1])
    directives = {'--k8s-host': 'k8s_host', '--k8s-ca-cert': 'k8s_ca_cert',
                  '--k8s-issuer': 'k8s_issuer'}
    block = ''.join(
        f'{option[2:].replace("-", "_")} "'
        + (value if value.startswith('/') or option not in (
            '--k8s-ca-cert', '--token-reviewer-jwt', '--rancher-api-key')
           else 'data:' + value) + '";\n'
        for option, value in zip(args[::2], args[1::2]))
    code, said = t.nginx(cluster.method() + f'''
        akl_k8s_auth_config refused {{
            access_id {ACCESS_ID};
            signing_key "data:{prv_key}";
            {block}
        }}''', start=False).config_test()
    t.ok(code != 0, f'{what}: by nginx, too', said)
    t.ok(re.sub(' in the block.*', '', message) in said,
         f'{what}: in the same words', message, said)
t.is_([n for n in os.listdir(t.dir) if n.startswith('refused')], [],
      'and nothing was written')
for bad, said in ((weak, 'smaller than 2048 bits'), ('junk', 'neither PEM'),
                  ('/nowhere.pem', 'No such file')):
    done = create(*PAGE, key=bad)
    t.is_(done.code, 2, f'the key {os.path.basename(bad)}: refused')
    t.like(done.err, said, 'with the cause')
t.like(run(COMMAND, '--name', 'x', '--signing-key', 'y').err,
       '"--access-id" is missing', 'what is missing')
t.like(create(*HOST, *CA).err, 'warning: k8s_issuer .* left at',
       'and it warns as nginx does')

# From a kubeconfig

admin = certs.write_pair(t.dir, 'admin', certs.Authority().client(
    'admin', ['system:masters']))


def kubeconfig(name='kubeconfig', user=None, cluster_=None, **top):
    """Write a kubeconfig; return its path."""
    held = {
        'apiVersion': 'v1', 'kind': 'Config', 'current-context': 'here',
        'contexts': [{'name': 'here', 'context': {'cluster': 'c',
                                                  'user': 'u'}}],
        'clusters': [{'name': 'c', 'cluster': cluster_ or {
            'server': cluster.url, 'certificate-authority-data': b64(ca)}}],
        'users': [{'name': 'u', 'user': user or {
            'client-certificate': os.path.basename(admin[0]),
            'client-key-data': b64(open(admin[1], encoding='ascii').read())
        }}], **top}
    return t.write(name, json.dumps(held, indent=1))


path = kubeconfig()
done = create('--from-kubeconfig', path, '--conf', 'kube.conf', name='kube')
t.is_(done.code, 0, 'a kubeconfig')
t.like(done.err, r'^warning: token_reviewer_jwt .*left at "self".*reviews\n$',
       'without a reviewer')
t.is_(t.read('kube-ca.crt').strip(), ca.strip(), 'its CA')
t.like(t.read('kube.conf'), f'k8s_host {cluster.url};[^#]*'
       f'k8s_issuer {tokens.ISSUER};', 'host and issuer')

made = create('--from-kubeconfig', path, '--create-reviewer', '--yes',
              '--conf', 'made.conf', name='made')
t.is_(made.code, 0, '--create-reviewer')
for kind in ('ServiceAccount', 'ClusterRoleBinding', 'TokenRequest'):
    t.like(made.err, f'"kind": "{kind}"', f'{kind} is shown')
t.unlike(made.both(), re.escape(t.read('made-reviewer.jwt')[:60]),
         'but no token')
t.ok('account/kube-system/akl-reviewer' in api.uids(), 'the account is made')
payload = tokens.decode(t.read('made-reviewer.jwt'))[1]
t.is_(payload['sub'], 'system:serviceaccount:kube-system:akl-reviewer',
      'its token')
t.is_(payload['exp'] - payload['iat'], 8760 * 3600, 'for a year')

again = create('--from-kubeconfig', path, '--create-reviewer', '--yes',
               '--reviewer-token', 'secret', '--conf', 'again.conf',
               name='again')
t.is_(again.code, 0, 'once more, with the token of a Secret')
t.like(again.err, 'ServiceAccount kube-system/akl-reviewer is there already',
       'what is there stays')
t.ok('exp' not in tokens.decode(t.read('again-reviewer.jwt'))[1],
     'that has no end')

if TERMINALS:
    for answer, code in (('n\nn\nn\n', 1), ('a\n', 0), ('y\ny\ny\n', 0)):
        done = run_on_terminal(
            COMMAND, '--name', 'asked', '--access-id', ACCESS_ID,
            '--signing-key', prv_key, '--from-kubeconfig', path,
            '--create-reviewer', '--force',
            '--reviewer-name', f'asked{answer[0]}', '--conf',
            t.dir + '/asked.conf', answer=answer)
        t.is_(done.code, code, f'asked, and told {answer.split()}')
        t.is_(f'account/kube-system/asked{answer[0]}' in api.uids(), code == 0,
              'which is what counts')
else:
    t.skip('there are no terminals here', 6)
done = create('--from-kubeconfig', path, '--create-reviewer')
t.is_(done.code, 2, 'nobody to ask')
t.like(done.err, 'say "--yes"', 'said so')

# ... to the first login

token = cluster.issue()
nginx = t.nginx(cluster.method() + f'include {t.dir}/made.conf;' + '''
    server { listen 127.0.0.1:@port@; location = /v2/auth { akl_k8s_auth; } }
''')
answer = client.post(nginx.port, '/v2/auth', cluster.login(token, 'made'))
t.is_(answer.status, 200, 'a login with what was made')
done = run('doctor', 'made', '--config', nginx.dir + '/nginx.conf', '--json')
t.is_((done.code, [one for one in done.json() if one['outcome'] == 'failed']),
      (0, []), 'the doctor agrees')

# An issuer that is no https URL is in tokens only

old = t.cluster(name='old', issuer='api')
OLD = {'server': old.url, 'certificate-authority': old.ca}
done = create('--from-kubeconfig', kubeconfig(cluster_=OLD), '--conf',
              'old.conf', name='old')
t.is_(done.code, 1, 'without a token nobody knows it')
t.like(done.err, 'does not tell its issuer .404.*\n.*--k8s-issuer',
       'and that is said')
done = create('--from-kubeconfig', kubeconfig(cluster_=OLD), '--conf',
              'old.conf', '--create-reviewer', '--yes', name='old')
t.is_(done.code, 0, "the reviewer's own token tells it")
t.like(t.read('old.conf'), 'k8s_issuer api;', 'that is it')

# Kubeconfigs that will not do

TOKEN = {'token': api.read('norights.jwt').strip()}
for what, made, code, said in (
        ('exec', {'user': {'exec': {'command': 'aws\x1b[2J'}}}, 2,
         r'by running "aws\\x1b\[2J": akl-k8s runs no programs.*token'),
        ('a plugin', {'user': {'auth-provider': {'name': 'gcp'}}}, 2,
         'runs no programs'),
        ('a password', {'user': {'username': 'a', 'password': 'b'}}, 2,
         'neither token nor client certificate.*passwords'),
        ('impersonation', {'user': {**TOKEN, 'as': 'root'}}, 2,
         'act as somebody else'),
        ('no verification', {'cluster_': {
            'server': cluster.url, 'insecure-skip-tls-verify': True}}, 2,
         'does not verify the cluster "c"'),
        ('a proxy', {'cluster_': {
            'server': cluster.url, 'proxy-url': 'http://proxy:3128'}}, 2,
         'through a proxy .proxy-url.*--k8s-host'),
        ('another name', {'cluster_': {
            'server': cluster.url, 'tls-server-name': 'kubernetes'}}, 2,
         'by another name in the certificate'),
        ('no server', {'cluster_': {'x': 1}}, 2, 'no server'),
        ('broken base64', {'cluster_': {
            'server': cluster.url, 'certificate-authority-data': '!'}}, 2,
         'no base64'),
        ('a missing file', {'user': {'tokenFile': 'nowhere'}}, 2,
         'tokenFile'),
        ('no context', {'current-context': ''}, 2, 'no current-context'),
        ('another context', {'current-context': 'there'}, 2,
         'no context called "there"'),
        ('no users', {'users': []}, 2, 'no user called "u"'),
        ('a stranger', {'user': {'token': 'x.y.z'}}, 1, 'does not accept'),
        ('no cluster there', {'cluster_': {
            'server': 'https://127.0.0.1:1',
            'certificate-authority-data': b64(ca)}}, 3,
         'Connection refused')):
    done = create('--from-kubeconfig', kubeconfig('bad', **made), '--conf',
                  'bad.conf', name='bad')
    t.is_((done.code, done.out), (code, ''), f'a kubeconfig with {what}')
    t.like(done.err, said, 'says what is wrong')
for text, said in (('a: [', 'is no YAML: .* in line'), ('', 'no kubeconfig'),
                   ('- 1', 'no kubeconfig'), ('&a [*a]', 'no '),
                   ('x: &a {y: *a}', 'no current-context')):
    done = create('--from-kubeconfig', t.write('bad', text))
    t.is_(done.code, 2, f'{text!r} is none')
    t.like(done.err, said, 'says so')
done = create('--from-kubeconfig', kubeconfig(user=TOKEN), '--conf',
              'few.conf', '--create-reviewer', '--yes', name='few')
t.is_(done.code, 1, 'one without the rights')
t.like(done.err, 'forbidden.*\n  try: a kubeconfig of somebody who may',
       'says who has them')
t.is_(create('--from-kubeconfig', path, '--context', 'there').code, 2,
      '--context')
t.is_(create(*PAGE, '--create-reviewer').code, 2,
      '--create-reviewer needs a kubeconfig')
t.unlike(run('keys', 'jwks', path).both(), NAMESPACE, 'and no key is in it')

t.done_testing()
