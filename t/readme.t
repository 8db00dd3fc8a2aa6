#!/usr/bin/python3
"""The commands of the README, as a newcomer runs them."""

import base64
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import certs  # noqa: E402
import cli  # noqa: E402
import nginx as nginx_  # noqa: E402
from akltest import Test  # noqa: E402

t = Test(need_module=True)


@t.shared
def readme():
    """The text of the README."""
    path = os.path.join(nginx_.ROOT, 'README.md')
    with open(path, encoding='utf-8') as file:
        return file.read()


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


def kubeconfig(cluster):
    """Write an administrator's kubeconfig; return its path."""
    def b64(path):
        with open(path, 'rb') as file:
            return base64.b64encode(file.read()).decode()
    pair = certs.write_pair(t.dir, 'admin', certs.Authority().client(
        'admin', ['system:masters']))
    return t.write('kubeconfig', json.dumps({
        'apiVersion': 'v1', 'kind': 'Config', 'current-context': 'here',
        'contexts': [{'name': 'here', 'context': {'cluster': 'c',
                                                  'user': 'u'}}],
        'clusters': [{'name': 'c', 'cluster': {
            'server': cluster.url,
            'certificate-authority-data': b64(cluster.ca)}}],
        'users': [{'name': 'u', 'user': {
            'client-certificate-data': b64(pair[0]),
            'client-key-data': b64(pair[1])}}]}))


def sh(command, where, **env):
    """Run a command of the README with the program in the path."""
    program = os.path.dirname(cli.BINARY)
    command = command.replace('/etc/akl', where)
    done = subprocess.run(
        ['sh', '-c', command], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        check=False, cwd=where,
        env={**os.environ, **env,
             'PATH': f'{program}:{os.environ["PATH"]}'})
    return done.returncode, done.stdout, done.stderr


@t.story
def three_commands_lead_from_a_kubeconfig_to_a_token(readme, cluster):
    if not os.access(cli.BINARY, os.X_OK):
        t.skip('akl-k8s was not built')
        return
    part = re.search(r'^## From a kubeconfig to a token\n(.*?)^## ', readme,
                     re.M | re.S).group(1)
    commands = re.findall(r'^```sh\n(.*?)^```', part, re.M | re.S)
    t.is_(len(commands), 3, 'there are three commands')
    where = os.path.join(t.dir, 'etc')
    os.makedirs(where)

    code, out, err = sh(commands[0], where)
    t.is_(code, 0, 'the first makes the auth method')
    access_id = re.search(r'p-[A-Za-z0-9]{14}', out + err)
    key = re.search(r'\S+\.pem', out + err)
    if not t.ok(access_id and key, 'it tells the access id and the key',
                out, err):
        return
    env = {'ACCESS_ID': access_id.group(0),
           'SIGNING_KEY': os.path.join(where, key.group(0).strip('",'))}

    # nobody is there to be asked

    code, out, err = sh(commands[1].replace(
        '~/.kube/config', kubeconfig(cluster)).replace(
            '--create-reviewer', '--create-reviewer --yes'), where, **env)
    t.is_(code, 0, 'the second makes the auth config')
    t.like(err, '"kind": "ClusterRoleBinding"', 'it shows what it makes')

    conf = re.search(r'^```nginx\nhttp \{\n(.*)^\}\n```', part,
                     re.M | re.S).group(1)
    conf = conf.replace('/etc/akl', where).replace('listen 8000',
                                                   'listen 127.0.0.1:@port@')
    gateway = t.nginx(conf)
    pod = t.write('pod.jwt', cluster.issue())
    code, out, err = sh(
        commands[2].replace('gw:8000', f'127.0.0.1:{gateway.port}').rstrip()
        + f' --k8s-token-path {pod}', where, **env)
    t.is_((code, err), (0, ''), 'the third logs the pod in')
    t.like(out, r'^Authentication succeeded\.\nToken: \S+\n$',
           'it prints what the README says')


@t.story
def the_shell_of_a_small_image_takes_all_commands(readme):
    blocks = re.findall(r'^```sh\n(.*?)^```', readme, re.M | re.S)
    for block in re.findall(r'^```console\n(.*?)^```', readme, re.M | re.S):
        blocks += re.findall(r'^\$ (.*?)(?=^\$ |^\{|\Z)', block, re.M | re.S)
    t.ok(len(blocks) > 5, 'there are commands')
    for block in blocks:
        done = subprocess.run(['sh', '-n'], input=block, text=True,
                              stderr=subprocess.PIPE, check=False)
        t.is_((done.returncode, done.stderr), (0, ''),
              block.splitlines()[0])


@t.story
def the_ca_is_found_in_a_kubeconfig_that_only_names_its_file(readme):
    for command in re.findall(r'^kubectl config view[^|]*', readme,
                              re.M):
        t.like(command, ' --raw .*--flatten', 'as minikube writes them')


t.tell()
