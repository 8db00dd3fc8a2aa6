"""Configurations that we show to people, run through nginx -t.

What stands for the files of /etc/akl is found by their names, wherever in it
they lie.
"""

import os
import re
import subprocess

import nginx
import tokens
from tap import PATIENCE

ETC = '/etc/akl/'


def stand_ins(cluster):
    """Return what stands for files of /etc/akl, by name."""
    read = cluster.api.read
    return {
        'signing.pem': tokens.key('RSA-2048', 'gateway').pem(),
        'staging.pem': tokens.key('P-256', 'staging').pem(),
        'prod.pem': tokens.key('P-256', 'prod').pem(),
        'previous.pub': tokens.key('P-256', 'previous').public_pem(),
        'ca.crt': read('ca.crt'),
        'reviewer.jwt': read('reviewer.jwt'),
        'cluster-jwks.json': read('cluster-jwks.json'),
        'client.crt': read('client.crt'),
        'client.key': read('client.key'),
        'revocations.list': '{"jti": "a", "until": 9000000000}\n',
        'list': '',
        'revocations.journal': '',
        'rancher.key': 'token-abcde:' + 'k' * 54 + '\n',
        'tls.crt': read('server.crt'),
        'tls.key': read('server.key'),
    }


def localize(text, place, files):
    """Move a configuration, or a part of one, into a directory."""
    def etc(match):
        path = os.path.join(place, match.group(1))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        tokens.write_file(path, files[os.path.basename(path)])
        return path

    text = text.replace('/tmp/', place + '/')
    text = text.replace('/var/log/nginx/', place + '/')
    text = re.sub(re.escape(ETC) + r'([\w./-]*\w)', etc, text)
    text = re.sub(r'^load_module .*\n', '' if nginx.MODULE == 'static'
                  else f'load_module {nginx.MODULE};\n', text, flags=re.M)

    # a pod's own account is only to be had in a pod

    account = os.path.join(place, 'serviceaccount')
    os.makedirs(account, exist_ok=True)
    tokens.write_file(os.path.join(account, 'ca.crt'), files['ca.crt'])
    tokens.write_file(os.path.join(account, 'token'), files['reviewer.jwt'])
    text = re.sub(r'(use_gw_service_account\s+)on;', rf'\1{account};', text)

    if 'client_body_temp_path' not in text:
        kinds = 'client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'
        text = text.replace('http {\n', 'http {\n' + '\n'.join(
            f'    {kind}_temp_path {place}/{kind};' for kind in kinds)
            + '\n    access_log off;\n', 1)
    return text


def accepted(place, text, files, parts=None):
    """Run a configuration through nginx -t; return code and output.

    `parts` are texts that it includes, by their names.
    """
    os.makedirs(place, exist_ok=True)
    text = localize(text, place, files)
    if not re.search(r'^pid ', text, re.M):
        text = f'pid {place}/nginx.pid;\n' + text
    if os.geteuid() == 0:
        text = 'user root;\n' + text
    for name, part in (parts or {}).items():
        tokens.write_file(os.path.join(place, name),
                          localize(part, place, files))
    conf = tokens.write_file(os.path.join(place, 'nginx.conf'), text)
    done = subprocess.run(
        [nginx.BINARY, '-t', '-p', place, '-c', conf,
         '-e', os.path.join(place, 'error.log')],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=PATIENCE, check=False,
        env={**os.environ, 'KUBERNETES_SERVICE_HOST': '127.0.0.1',
             'KUBERNETES_SERVICE_PORT': '6443'})
    return done.returncode, done.stdout


def complaints(output):
    """Return the lines of nginx -t that are warnings or worse."""
    return [line for line in output.splitlines()
            if re.search(r'\[(warn|error|alert|emerg)\]', line)]
