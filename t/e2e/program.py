"""The page's command lines, with akl-k8s in place of the Akeyless CLI."""

import base64
import json
import os
import subprocess

import readme as readmes
import tokens
from cluster import CONFIG

CLI = os.environ.get('AKL_CLI', os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__)))), 'objs', 'akl-k8s'))


ACCOUNT = 'akl-reviewer'


def binding(namespace):
    """Return the name that --create-reviewer gives its binding."""
    return f'{namespace}-{ACCOUNT}-auth-delegator'


def context(world):
    """Return the flags that name a context of the kubeconfig."""
    return ['--context', world.kubectl.context] if world.kubectl.context \
        else []


def run_cli(*arguments):
    """Run akl-k8s; return (code, standard output, standard error)."""
    done = subprocess.run([CLI, *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


def method(world):
    """Make an auth method; return (access id, base64 of the key, block)."""
    t = world.test
    block = os.path.join(world.test.dir, f'{world.label}-method.conf')
    code, out, err = run_cli(
        'create-auth-method-k8s', '-n', 'my-k8s-auth-method',
        '--bound-pod-names', 'mypod1', '--bound-pod-names', 'mypod2',
        '--bound-namespaces', world.a, '--conf', block, '--json')
    if not t.ok(code == 0, 'akl-k8s create-auth-method-k8s', err):
        return None
    made = json.loads(out)
    t.like(base64.b64decode(made['prv_key']).decode(),
           '^-----BEGIN RSA PRIVATE KEY-----', 'the key, as the page has it')
    return made['access_id'], made['prv_key'], block


def login(world, gateway, access_id, name, pod='mypod1'):
    """Log in as the page has a pod do it."""
    t = world.test
    path = t.write('pod.jwt', world.token(pod), 0o600)
    code, out, err = run_cli(
        'auth', '--access-id', access_id, '--access-type', 'k8s',
        '--gateway-url', f'http://127.0.0.1:{gateway.port}',
        '--k8s-auth-config-name', CONFIG, '--k8s-token-path', path)
    if pod != 'mypod1':
        t.is_(code, 1, f'{name}: another pod is refused, and told')
        t.like(err, 'pod_not_bound', f'{name}: with the reason')
        return
    t.is_((code, err), (0, ''), f'{name}: logged in')
    t.like(out, r'^Authentication succeeded\.\nToken: \S+\n$',
           f'{name}: what the page shows')
    token = out.rpartition(': ')[2].strip()
    if token:
        t.contains(tokens.decode(token)[1],
                   {'pod_name': 'mypod1', 'namespace': world.a,
                    'access_id': access_id}, f'{name}: the token')


def readme(world):
    """From a kubeconfig to a login with the README's three commands.

    On somebody's cluster the reviewer goes where it is cleaned up.
    """
    t = world.test
    where = os.path.join(t.dir, f'{world.label}-etc')
    os.makedirs(where)
    flags = context(world)
    namespace = 'kube-system'
    if world.plane is None:
        namespace = world.home
        flags += ['--reviewer-namespace', namespace]
    world.bindings.append(binding(namespace))
    out = readmes.three_commands(
        t, where, world.kubectl.kubeconfig,
        t.write('pod.jwt', world.token(), 0o600), world.a,
        ' '.join(flags))
    token = out.rpartition(': ')[2].strip()
    if token:
        t.contains(tokens.decode(token)[1], {'pod_name': 'mypod1',
                                             'namespace': world.a},
                   'the README: the token names the pod')


def run(world):
    """The README, then the page: by its flags, and from a kubeconfig."""
    readme(world)
    t = world.test
    made = method(world)
    if made is None:
        return
    access_id, key, block = made
    ways = {
        'by the page\'s flags': (
            '--gateway-url', 'https://gw:8000', f'--k8s-host={world.host}',
            '--token-reviewer-jwt', world.reviewer, '--k8s-ca-cert', world.ca,
            '--k8s-issuer', world.issuer),
        'from a kubeconfig': (
            '--from-kubeconfig', world.kubectl.kubeconfig,
            *context(world),
            '--create-reviewer', '--yes', '--reviewer-namespace', world.home,
            '--reviewer-name', ACCOUNT)}
    world.bindings.append(binding(world.home))
    for number, (name, flags) in enumerate(ways.items()):
        conf = os.path.join(t.dir, f'{world.label}-config-{number}.conf')
        code, _, err = run_cli(
            'gateway-create-k8s-auth-config', '--name', CONFIG,
            '--access-id', access_id, '--signing-key', key, *flags,
            '--conf', conf, '--force')
        if not t.ok(code == 0, f'akl-k8s gateway-create-k8s-auth-config: '
                    f'{name}', err):
            continue
        gateway = world.gateway(f'include {block};\ninclude {conf};\n')
        login(world, gateway, access_id, name)
        login(world, gateway, access_id, name, 'mypod3')
        gateway.stop()
