"""akl-k8s revoke: a ConfigMap of a real cluster, which two gateways follow."""

import json
import os
import subprocess
import time

import client
import kubectl
import program
import tokens
from akltest import wait_for

NAME = 'akl-revocations'
LIMIT = 1024 * 1024
LOCATIONS = '''
    location = /revoke { akl_k8s_revoke; }
    location = /guarded { akl_k8s_guard k8s-conf; akl_k8s_verify; }
'''


class Replica:
    """A gateway with a file of revocations, as the kubelet mounts it."""

    def __init__(self, world, number):
        self.world = world
        self.file = os.path.join(world.test.dir,
                                 f'{world.label}-revocations-{number}')
        tokens.write_file(self.file, '')
        self.nginx = world.gateway(
            f'akl_k8s_revocations {self.file};\n' + world.method()
            + world.config(), f'revoke-{number}', locations=LOCATIONS)

    def status(self, token):
        """Present a minted token."""
        return client.get(self.nginx.port, '/guarded', {
            'Authorization': f'Bearer {token}'}).status

    def sync(self):
        """Bring what the cluster has, as the kubelet does."""
        tokens.write_file(self.file, held(self.world))


def held(world):
    """Return what the ConfigMap says."""
    return world.kubectl('get', 'configmap', NAME, '-n', world.home, '-o',
                         'jsonpath={.data.list}') + '\n'


def flags(world, kubeconfig=None):
    """Return the flags that lead to the ConfigMap."""
    mine = program.context(world) if kubeconfig is None else []
    return ['--configmap', f'{world.home}/{NAME}', '--kubeconfig',
            kubeconfig or world.kubectl.kubeconfig, *mine]


def until():
    """Return an --until."""
    return ['--until', str(int(time.time()) + 900)]


def together(world):
    """A token is refused at once where it is told, then by the file."""
    t = world.test
    told, follows = (Replica(world, number) for number in range(2))
    token = world.login(told.nginx, world.token()).json()['token']
    t.is_((told.status(token), follows.status(token)), (204, 204),
          'revoke: a good token')
    code, out, err = program.run_cli(
        'revoke', '--token', t.write('minted.jwt', token, 0o600),
        '--gateway-url', f'http://127.0.0.1:{told.nginx.port}',
        *flags(world), '--create')
    t.is_((code, err), (0, ''), 'revoke: told, and the ConfigMap made')
    t.like(out, 'kept  127.0.0.1 .*\nkept  ConfigMap .*it was made',
           'revoke: a line for each')
    t.is_((told.status(token), follows.status(token)), (401, 204),
          'revoke: at once where it was told')
    for replica in told, follows:
        replica.sync()
    t.ok(wait_for(lambda: follows.status(token) == 401),
         'revoke: and by the file elsewhere')
    told.nginx.stop()
    follows.nginx.stop()


def at_once(world):
    """Several write at the same time, and all of it is there."""
    t = world.test
    running = [subprocess.Popen(
        [program.CLI, 'revoke', '--jti', f'race-{number}', *until(),
         *flags(world)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for number in range(5)]
    for one in running:
        one.communicate()
    t.is_([one.returncode for one in running], [0] * 5,
          'revoke: five at the same time')
    names = [json.loads(line)['jti'] for line in held(world).splitlines()]
    t.is_(sorted(name for name in names if name.startswith('race-')),
          [f'race-{number}' for number in range(5)],
          'revoke: none is lost')


def rights(world):
    """An account may once the command that is told was given."""
    t = world.test
    world.account('revoker', world.home)
    view = json.loads(world.kubectl('config', 'view', '--raw', '--minify',
                                    '--flatten', '-o', 'json'))
    path = t.write(f'{world.label}-revoker.conf', json.dumps({
        **view, 'users': [{'name': one['name'], 'user': {
            'token': world.kubectl.token('revoker', world.home)}}
            for one in view['users']]}), 0o600)
    code, out, _ = program.run_cli('revoke', '--jti', 'by-revoker', *until(),
                                   *flags(world, path))
    t.is_(code, 1, 'revoke: an account without the right')
    t.like(out, f'403, configmaps "{NAME}" is forbidden: User "system:'
           f'serviceaccount:{world.home}:revoker" cannot get resource '
           '"configmaps"', 'revoke: in the server\'s words')
    command = out.partition('try: kubectl ')[2].partition(', and')[0]
    world.kubectl(*command.split())
    world.kubectl('-n', world.home, 'create', 'rolebinding', 'akl-revoke',
                  '--role=akl-revoke',
                  f'--serviceaccount={world.home}:revoker')

    def may():
        return program.run_cli('revoke', '--jti', 'by-revoker', *until(),
                               *flags(world, path))[0] == 0
    t.ok(wait_for(may), 'revoke: and with the role that was told')
    for kind, name in (('rolebinding', 'akl-revoke'), ('role', 'akl-revoke'),
                       ('serviceaccount', 'revoker')):
        world.kubectl.delete(kind, name, world.home)


def full(world):
    """A megabyte is the server's limit, too, and told before it is met."""
    t = world.test
    world.kubectl.delete('configmap', NAME, world.home)
    lines = (json.dumps({'jti': f'{number:0900}', 'until': int(time.time())
                         + 900}) + '\n' for number in range(LIMIT))
    text = ''
    for line in lines:
        if len(text) + len(line) > LIMIT:
            break
        text += line
    path = t.write('full', text)
    world.kubectl('create', 'configmap', NAME, '-n', world.home,
                  f'--from-file=list={path}')
    code, out, _ = program.run_cli('revoke', '--jti', 'y' * 1000, *until(),
                                   *flags(world))
    t.is_(code, 1, 'revoke: a ConfigMap that is full')
    t.like(out, f'Kubernetes takes {LIMIT} at most', 'revoke: in words')
    t.is_(len(held(world)), len(text), 'revoke: and nothing is written')
    path = t.write('full', 'x' * (LIMIT + 1))
    try:
        world.kubectl('create', 'configmap', 'akl-too-long', '-n',
                      world.home, f'--from-file=list={path}')
        said = ''
    except kubectl.KubectlError as error:
        said = str(error)
    t.like(said, r'is invalid: \[\]: Too long: (may not be more than|must '
           rf'have at most) {LIMIT} bytes', 'revoke: the server says so, too')
    world.kubectl.delete('configmap', NAME, world.home)


def run(world):
    """Two gateways, writers at the same time, rights, and the limit."""
    together(world)
    at_once(world)
    rights(world)
    full(world)
