#!/usr/bin/python3
"""docker/compose.yaml, its services started by hand on loopback.

What containers give is put in its place: paths that only the image has, and
the ports.  The commands, their order, what they wait for and what they leave
for each other are the file's.
"""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import cli  # noqa: E402
import nginx  # noqa: E402
import procs  # noqa: E402
import tokens  # noqa: E402
from akltest import Test, client, wait_for  # noqa: E402

t = Test(need_module=True)

try:
    import yaml
except ImportError:
    t.skip_all('needs python3-yaml')

DOCKER = os.path.join(nginx.ROOT, 'docker')

with open(os.path.join(DOCKER, 'compose.yaml'), encoding='utf-8') as compose:
    TEXT = compose.read()
    FILE = yaml.safe_load(TEXT)
SERVICES = FILE['services']


class Host:
    """The services as processes, in a directory of their own."""

    def __init__(self):
        self.dir = t.folder()
        self.ports = {port: str(procs.free_port())
                      for port in ('6443', '8080')}
        self.processes = {}
        self.done = {}

    def local(self, text):
        """Return a text of a container's with what stands for it here."""
        text = text.replace('/run/akl', self.dir)
        text = text.replace('/srv/akl', os.path.join(nginx.ROOT, 't', 'lib'))
        for port, ours in self.ports.items():
            text = re.sub(rf'(?<![\d.]){port}\b', ours, text)
        return text

    def command(self, words):
        """Return a command line that does here what it does there."""
        words = [self.local(word) for word in words]
        if words[0] == 'nginx':
            return [nginx.BINARY, '-p', self.dir, '-c', self.conf(),
                    *words[1:]]
        if words[0] == 'akl-k8s':
            return [cli.BINARY, *words[1:]]
        if words[0] == 'python3':
            return [sys.executable, *words[1:]]
        return words

    def path(self, name):
        """Return the path of a file."""
        return os.path.join(self.dir, name)

    def conf(self):
        """Write the image's nginx.conf and what is mounted into it."""
        mounted = [volume.split(':') for volume in
                   SERVICES['gateway']['volumes'] if '/conf.d/' in volume]
        with open(os.path.join(DOCKER, 'nginx.conf'),
                  encoding='utf-8') as file:
            text = file.read()
        os.makedirs(self.path('conf.d'), exist_ok=True)
        for source, target, _ in mounted:
            with open(os.path.join(DOCKER, source), encoding='utf-8') as file:
                tokens.write_file(
                    self.path('conf.d/' + os.path.basename(target)),
                    self.local(file.read()).replace('listen ',
                                                    'listen 127.0.0.1:'))
        text = text.replace('/tmp/', self.dir + '/')
        text = text.replace('/etc/nginx/conf.d', self.path('conf.d'))
        text = text.replace('/dev/stdout', self.path('access.log'))
        text = re.sub(r'^load_module .*\n', '' if nginx.MODULE == 'static'
                      else f'load_module {nginx.MODULE};\n', text, flags=re.M)
        return tokens.write_file(self.path('nginx.conf'),
                                 ('user root;\n' if os.geteuid() == 0 else '')
                                 + text)

    def up(self, name):
        """Bring a service up, and before it what it waits for."""
        if name in self.processes or name in self.done:
            return
        service = SERVICES[name]
        for other, want in service.get('depends_on', {}).items():
            self.up(other)
            if want['condition'] == 'service_healthy':
                assert self.healthy(other), f'{other} is not healthy'
            else:
                assert self.ended(other)[0] == 0, f'{other} failed'
        self.processes[name] = procs.spawn(
            self.command(service['command']), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def healthy(self, name):
        """Wait until a service's own check says that it is well."""
        kind, *words = SERVICES[name]['healthcheck']['test']
        assert kind == 'CMD'
        words = [self.local(word) for word in words]

        def well():
            return subprocess.run(
                words, check=False, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL).returncode == 0

        process = self.processes[name]
        wait_for(lambda: process.poll() is not None or well())
        return process.poll() is None and well()

    def ended(self, name):
        """Wait for the end of a service; return its code and all it said."""
        if name not in self.done:
            process = self.processes[name]
            said = process.communicate()
            self.done[name] = process.returncode, ''.join(said)
        return self.done[name]

    def outcome(self, name):
        """Bring a service up and return how it ended; down() follows."""
        self.up(name)
        return self.ended(name)

    def down(self):
        """End what still runs."""
        for process in reversed(self.processes.values()):
            procs.end(process)
            process.communicate()


@t.own
def host():
    """A host with no service yet."""
    return Host()


@t.story
def the_pod_of_the_compose_file_is_given_a_token(host):
    try:
        code, said = host.outcome('pod')
        jwks = client.get(int(host.ports['8080']), '/.well-known/jwks.json')
    finally:
        host.down()
    t.is_(code, 0, 'its login')
    t.like(said, r'Token: eyJ', 'the token')
    t.is_(jwks.json()['keys'][0]['kty'], 'EC',
          'the gateway signs with the key that was made for it')


@t.story
def the_stranger_is_refused_and_told_why(host):
    try:
        code, said = host.outcome('stranger')
    finally:
        host.down()
    t.is_(code, 1, 'its login')
    t.like(said, 'pod_not_bound', 'the reason')


@t.story
def nothing_is_built_without_a_pinned_image():
    built = [service['build'] for service in SERVICES.values()
             if 'build' in service]
    t.is_(len(built), 1, 'one service is built')
    t.like(built[0]['args']['NGINX_IMAGE'], r'^\$\{NGINX_IMAGE:\?',
           'compose asks for the image')
    with open(os.path.join(DOCKER, 'Dockerfile'), encoding='utf-8') as file:
        t.like(file.read(), rf'(?m)^FROM \S+ AS {built[0]["target"]}$',
               'the target is a stage of the Dockerfile')
    t.is_({service['image'] for service in SERVICES.values()},
          {'akl-gateway:demo'}, 'all run what was built')


@t.story
def each_service_is_confined():
    for name, service in SERVICES.items():
        t.is_((service['user'], service['read_only'], service['cap_drop'],
               service['security_opt']),
              ('101:101', True, ['ALL'], ['no-new-privileges:true']), name)
        t.ok('run:/run/akl' in service['volumes'], f'{name} has the volume')


@t.story
def who_speaks_to_loopback_shares_the_one_of_the_cluster():
    for name, service in SERVICES.items():
        words = ' '.join(service['command'])
        if name == 'gateway' or '127.0.0.1' in words:
            t.is_(service.get('network_mode'), 'service:cluster', name)


t.tell()
