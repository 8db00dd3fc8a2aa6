#!/usr/bin/python3
"""The configurations we show to people: all of them are accepted."""

import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import nginx  # noqa: E402
import tokens  # noqa: E402
from akltest import CONFIG, PATIENCE, Test, client  # noqa: E402

ROOT = nginx.ROOT
ETC = '/etc/akl/'

t = Test(need_module=True)
cluster = t.cluster()
authority_pair = cluster.api.read('server.crt'), cluster.api.read('server.key')

# what stands for the files of /etc/akl, by name, wherever they lie

FILES = {
    'signing.pem': tokens.key('RSA-2048', 'gateway').pem(),
    'previous.pub': tokens.key('P-256', 'previous').public_pem(),
    'ca.crt': cluster.api.read('ca.crt'),
    'reviewer.jwt': cluster.api.read('reviewer.jwt'),
    'cluster-jwks.json': cluster.api.read('cluster-jwks.json'),
    'client.crt': cluster.api.read('client.crt'),
    'client.key': cluster.api.read('client.key'),
    'rancher.key': 'token-abcde:' + 'k' * 54 + '\n',
    'tls.crt': authority_pair[0],
    'tls.key': authority_pair[1],
}


def readme_conf():
    """Return the nginx.conf of the README."""
    with open(os.path.join(ROOT, 'README.md'), encoding='utf-8') as file:
        blocks = re.findall(r'^```nginx\n(.*?)^```', file.read(),
                            re.M | re.S)
    return next(block for block in blocks if 'load_module' in block)


def localize(text, place):
    """Move a configuration into a directory of the test's."""
    def etc(match):
        path = os.path.join(place, match.group(1))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        tokens.write_file(path, FILES[os.path.basename(path)])
        return path

    text = text.replace('/tmp/', place + '/')
    text = text.replace('/var/log/nginx/', place + '/')
    text = re.sub(re.escape(ETC) + r'([\w./-]+)', etc, text)
    text = re.sub(r'^load_module .*\n', '' if nginx.MODULE == 'static'
                  else f'load_module {nginx.MODULE};\n', text, flags=re.M)

    # a pod's own account is only to be had in a pod

    text = text.replace('use_gw_service_account on;', '\n'.join([
        'k8s_host https://127.0.0.1:6443;',
        f'k8s_ca_cert {etc(re.match("(.*)", "ca.crt"))};',
        f'token_reviewer_jwt {etc(re.match("(.*)", "reviewer.jwt"))};']))

    if 'client_body_temp_path' not in text:
        kinds = 'client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'
        text = text.replace('http {\n', 'http {\n' + '\n'.join(
            f'    {kind}_temp_path {place}/{kind};' for kind in kinds)
            + '\n    access_log off;\n', 1)
    if not re.search(r'^pid ', text, re.M):
        text = f'pid {place}/nginx.pid;\n' + text
    if os.geteuid() == 0:
        text = 'user root;\n' + text
    return text


def run(name, text):
    """Run a configuration through nginx -t; return code and output."""
    place = os.path.join(t.dir, re.sub(r'\W', '_', name))
    os.makedirs(place, exist_ok=True)
    conf = tokens.write_file(os.path.join(place, 'nginx.conf'),
                             localize(text, place))
    done = subprocess.run(
        [nginx.BINARY, '-t', '-p', place, '-c', conf,
         '-e', os.path.join(place, 'error.log')],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=PATIENCE, check=False)
    return done.returncode, done.stdout


shown = {'README.md': readme_conf()}

for path in sorted(glob.glob(os.path.join(ROOT, 'conf-examples', '**',
                                          '*.conf'), recursive=True)):
    with open(path, encoding='utf-8') as example:
        shown[os.path.relpath(path, ROOT)] = example.read()

t.ok(len(shown) > 2, 'there are examples')

for name, text in shown.items():
    code, output = run(name, text)
    t.is_(code, 0, f'{name} is accepted')
    t.is_([line for line in output.splitlines()
           if re.search(r'\[(warn|error|alert|emerg)\]', line)], [],
          f'{name} without a warning')

# nginx -t above would be no test if it accepted anything

code, output = run('broken', shown['README.md'].replace('signing_key ',
                                                        'singing_key '))
t.ok(code != 0, 'a mistyped directive is not accepted')
t.like(output, 'singing_key', 'and named')


# the README and the smallest example say the same

def essence(text):
    """Return a configuration without comments and layout."""
    return re.sub(r'#.*', '', text).split()


t.is_(essence(shown['README.md']),
      essence(shown['conf-examples/minimal.conf']),
      'README.md and minimal.conf agree')


# and it does what the README says

place = os.path.join(t.dir, 'serving')
os.makedirs(place)
inner = re.search(r'^http \{\n(.*)^\}', shown['README.md'],
                  re.M | re.S).group(1)
inner = inner.replace('listen 8000;', 'listen 127.0.0.1:@port@;')
inner = inner.replace('https://10.0.0.1:6443', cluster.url)
inner = re.sub(r'k8s_issuer .*;', f'k8s_issuer {tokens.ISSUER};', inner)
inner = re.sub(re.escape(ETC) + r'([\w.]+)', lambda match: tokens.write_file(
    os.path.join(place, match.group(1)), FILES[match.group(1)]), inner)
port = t.nginx(inner).port

answer = client.post(port, f'/v2/auth?k8s-auth-config-name={CONFIG}', None,
                     {'Authorization': f'Bearer {cluster.issue()}'})
t.is_(answer.status, 200, 'a login by the README')
t.ok('token' in answer.json(), 'is given a token')

cluster.api.pod('my-namespace-a', 'mypod9', 'builder')
answer = client.post(port, f'/v2/auth?k8s-auth-config-name={CONFIG}', None,
                     {'Authorization':
                      f'Bearer {cluster.issue(pod="mypod9")}'})
t.is_((answer.status, answer.json().get('reason')), (403, 'pod_not_bound'),
      'another pod is refused')

t.done_testing()
