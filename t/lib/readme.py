"""The commands of the README, run as they stand there."""

import os
import re
import subprocess

import cli
import nginx

ETC = '/etc/akl'
NAMESPACE = 'my-namespace-a'


def text():
    """Return the text of the README."""
    with open(os.path.join(nginx.ROOT, 'README.md'),
              encoding='utf-8') as file:
        return file.read()


def sh(command, where, **env):
    """Run a command with the program in the path, and where for /etc/akl.

    Returns exit code, standard output and standard error.
    """
    program = os.path.dirname(os.path.abspath(cli.BINARY))
    done = subprocess.run(
        ['sh', '-c', command.replace(ETC, where)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, check=False, cwd=where,
        env={**os.environ, **env,
             'PATH': f'{program}:{os.environ["PATH"]}'})
    return done.returncode, done.stdout, done.stderr


def three_commands(test, where, kubeconfig, pod, namespace=NAMESPACE,
                   flags=''):
    """Go from a kubeconfig to a pod's token, and check each step.

    where is an empty directory in place of /etc/akl, pod a file with the
    pod's token; namespace is that of the pod; flags are added to the second
    command.  Returns what was printed in the end.
    """
    part = re.search(r'^## From a kubeconfig to a token\n(.*?)^## ', text(),
                     re.M | re.S).group(1)
    commands = re.findall(r'^```sh\n(.*?)^```', part, re.M | re.S)
    test.is_(len(commands), 3, 'the README: there are three commands')

    code, out, err = sh(commands[0].replace(NAMESPACE, namespace), where)
    test.is_(code, 0, 'the README: the first makes the auth method')
    access_id = re.search(r'p-[A-Za-z0-9]{14}', out + err)
    key = re.search(r'\S+\.pem', out + err)
    if not test.ok(access_id and key, 'the README: it tells the access id '
                   'and the key', out, err):
        return ''
    env = {'ACCESS_ID': access_id.group(0),
           'SIGNING_KEY': os.path.join(where, key.group(0).strip('",'))}

    # nobody is there to be asked

    code, out, err = sh(commands[1].replace(
        '~/.kube/config', kubeconfig).replace(
            '--create-reviewer', f'--create-reviewer --yes {flags}'),
        where, **env)
    test.is_(code, 0, 'the README: the second makes the auth config')
    test.like(err, '"kind": "ClusterRoleBinding"',
              'the README: it shows what it makes')

    conf = re.search(r'^```nginx\nhttp \{\n(.*)^\}\n```', part,
                     re.M | re.S).group(1)
    conf = conf.replace(ETC, where).replace('listen 8000',
                                            'listen 127.0.0.1:@port@')
    gateway = test.nginx(conf)
    code, out, err = sh(
        commands[2].replace('gw:8000', f'127.0.0.1:{gateway.port}').rstrip()
        + f' --k8s-token-path {pod}', where, **env)
    test.is_((code, err), (0, ''), 'the README: the third logs the pod in')
    test.like(out, r'^Authentication succeeded\.\nToken: \S+\n$',
              'the README: it prints what is told there')
    gateway.stop()
    return out
