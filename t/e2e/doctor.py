"""akl-k8s doctor in front of a real cluster: the right cause, and the cure."""

import json
import os
import shutil
import subprocess

import procs
import tokens
import ways
from program import CLI
from realm import SECRET_OF_ACCOUNT, wait_for

DAY = 86400


class Doctor:
    """Examines auth configs of a world; each differs in one thing."""

    def __init__(self, world):
        self.world = world
        self.test = world.test
        self.said = ''
        self.pod = self.test.write('pod.jwt', world.token(duration='6h'),
                                   0o600)

    def __call__(self, *arguments, before=(), method=None, **members):
        """Return (exit code, findings) for a config with members changed."""
        world = self.world
        user = 'user root;\n' if os.geteuid() == 0 else ''
        conf = self.test.write(
            'doctor.conf', user + 'events { }\nhttp {\n'
            + world.method(**(method or {})) + world.config(**members)
            + '}\n')
        done = subprocess.run(
            [*before, CLI, 'doctor', '--config', conf, '--json',
             *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, timeout=120, check=False)
        self.said += done.stdout + done.stderr
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            return done.returncode, [{'check': '', 'outcome': 'failed',
                                      'text': done.stdout + done.stderr}]

    def sound(self, name, *arguments, said=None, **members):
        """Check a config in which nothing is wrong."""
        code, found = self(*arguments, **members)
        self.test.ok(code == 0 and not failures(found),
                     f'doctor, {name}: nothing is wrong', code, found)
        if said:
            self.test.like(str(found), said, f'doctor, {name}: told')

    # pylint: disable-next=too-many-arguments
    def finds(self, name, check, cause, cure, *arguments, code=1,
              **members):
        """Check that one thing is found; the cluster may take a while."""
        last = []

        def found():
            last[:] = self(*arguments, **members)
            return [one['check'] for one in failures(last[1])] == [check]

        wait_for(found)
        if not self.test.ok(found() and last[0] == code,
                            f'doctor, {name}: one thing is wrong, {check}',
                            *last):
            return
        one = failures(last[1])[0]
        self.test.like(one['text'], cause, f'doctor, {name}: the cause')
        self.test.like(one.get('cure', ''), cure,
                       f'doctor, {name}: the cure')


def failures(found):
    """Return the findings that are failures."""
    return [one for one in found if one['outcome'] == 'failed']


def places(world, doctor):
    """The API server is somewhere else, or somebody else."""
    other = world.test.write('other-ca.crt', world.other_authority().pem)
    doctor.finds('a wrong CA', 'tls', 'is not signed by the k8s_ca_cert',
                 'kubectl config view .*base64 -d > .*other-ca.crt',
                 k8s_ca_cert=other)
    doctor.finds('a closed port', 'port', 'Connection refused', 'firewalls',
                 k8s_host=f'https://127.0.0.1:{procs.free_port()}', code=3)
    doctor.finds('a name that is none', 'name', 'does not resolve',
                 'getent hosts no-such-host.invalid', code=3,
                 k8s_host='https://no-such-host.invalid:6443')
    doctor.finds('a wrong path', 'rights', 'there is no Kubernetes API at',
                 'path of k8s_host',
                 k8s_host=world.host.rstrip('/') + '/not/here')
    if world.plane is None:
        world.test.skip('doctor: another address of somebody\'s cluster')
        return
    doctor.finds('a wrong host', 'tls', 'is not for "0.0.0.0" but for '
                 '.*kubernetes.default.svc', 'as the certificate has it',
                 k8s_host=world.host.replace('127.0.0.1', '0.0.0.0'))


def reviewers(world, doctor):
    """The reviewer: without rights, gone, expired."""
    t, kubectl = world.test, world.kubectl
    for name in ('examined', 'leaver'):
        world.account(name, world.home)

    def token_of(name, text=None):
        return t.write(f'{name}.jwt', text or kubectl.token(
            name, world.home, duration='48h'), 0o600)

    path = token_of('examined')
    cure = ('kubectl create clusterrolebinding examined-auth-delegator '
            '--clusterrole=system:auth-delegator '
            f'--serviceaccount={world.home}:examined')
    doctor.finds('a reviewer without RBAC', 'rights',
                 'may not create tokenreviews', cure,
                 token_reviewer_jwt=path)
    # the cure is a command: it is run as it stands, but for the names that
    # this test gives to what has to go in the end
    world.delegate('examined', f'--serviceaccount={world.home}:examined')
    wait_for(lambda: doctor(token_reviewer_jwt=path)[0] == 0)
    doctor.sound('the same, cured', token_reviewer_jwt=path)

    world.delegate('leaver', f'--serviceaccount={world.home}:leaver')
    path = token_of('leaver')
    wait_for(lambda: doctor(token_reviewer_jwt=path)[0] == 0)
    kubectl.delete('serviceaccount', 'leaver', world.home)
    doctor.finds('a deleted reviewer', 'reviewer',
                 'does not know the reviewer: its account was deleted',
                 'kubectl get serviceaccount leaver', token_reviewer_jwt=path)

    if world.plane is None:
        t.skip('doctor: a reviewer\'s token of the past, which takes the '
               'cluster\'s key')
        return
    old = world.forge(kubectl.token('examined', world.home), -2 * DAY)
    path = token_of('old', old)
    code, found = doctor(token_reviewer_jwt=path)
    t.is_((code, [one['check'] for one in failures(found)]),
          (1, ['reviewer', 'reviewer']),
          'doctor, an expired reviewer: by its end and by the server')
    t.like(failures(found)[0]['text'], 'token ended .* (days|hours) ago',
           'doctor, an expired reviewer: the cause')
    t.like(failures(found)[0]['cure'], f'kubectl create token examined -n '
           f'{world.home} --duration=8760h > .*old.jwt',
           'doctor, an expired reviewer: the cure')


def names(world, doctor):
    """Issuer, audience, keys, bounds."""
    doctor.finds('a wrong issuer', 'issuer',
                 f'issuer is "{world.issuer}"', f'k8s_issuer "{world.issuer}"',
                 k8s_issuer='https://elsewhere')
    doctor.finds('a wrong audience', 'audience', 'audience_mismatch',
                 'project a token', '--k8s-token-path', doctor.pod,
                 method={'bound_namespaces': world.a, 'audience': 'vault'})
    doctor.finds('a pod that is not bound', 'pod', 'pod_not_bound',
                 'bound_pod_names', '--k8s-token-path', doctor.pod,
                 method={'bound_namespaces': world.a,
                         'bound_pod_names': 'mypod2'})
    missing = os.path.join(world.test.dir, 'nowhere.pem')
    doctor.finds('an unreadable key', 'config', 'cannot be read',
                 'akl-k8s keys new', signing_key=missing)


def key_sets(world, doctor):
    """What the cluster publishes, and to whom."""
    t = world.test
    if not world.issuer.startswith('https://'):
        doctor.sound('an issuer that is no https URL', said='no https URL, '
                     'so the cluster publishes neither issuer nor keys')
        doctor.finds('k8s_jwks auto there', 'keys', 'publishes no keys: its '
                     'issuer is no https URL', 'a file', k8s_jwks='auto')
        return
    doctor.sound('k8s_jwks auto', k8s_jwks='auto', said='gets the cluster')
    stale = t.write('stale.json', json.dumps(
        {'keys': [tokens.key('RSA-2048', 'e2e-other').jwk()]}))
    doctor.finds('keys of another cluster', 'keys', 'has 0 of the',
                 f'kubectl get --raw /openid/v1/jwks > {stale}',
                 k8s_jwks=stale)
    if world.plane is None:
        t.skip('doctor: a client certificate without rights')
        return
    world.delegate('keyless', '--user=keyless')
    pair = world.plane.client_pair('keyless', 'keyless')
    member = {'token_reviewer_jwt': None, 'k8s_auth_type': 'certificate',
              'k8s_client_certificate': pair[0], 'k8s_client_key': pair[1]}
    doctor.finds('JWKS 403', 'keys', 'may not read the cluster.s keys',
                 '--clusterrole=system:service-account-issuer-discovery',
                 k8s_jwks='auto', **member)


def rancher(world, doctor):
    """Through a proxy as Rancher's is."""
    front, right = ways.rancher_front(world)
    doctor.sound('Rancher', **right)
    doctor.finds('a wrong Rancher id', 'rights',
                 'Rancher has no cluster "c-m-other"',
                 'clusters.management.cattle.io',
                 **{**right, 'rancher_cluster_id': 'c-m-other'})
    doctor.finds('a wrong key of Rancher\'s', 'reviewer',
                 'Rancher does not know the API key', 'new API key',
                 **{**right, 'rancher_api_key': 'data:token-x:y'})
    front.stop()


def clock(world, doctor):
    """This machine's clock is off; the reviewer's token knows no times."""
    t = world.test
    if not shutil.which('faketime'):
        t.skip('doctor: a clock that is off needs the package faketime')
        return
    world.kubectl.apply(SECRET_OF_ACCOUNT.format(
        name='timeless', namespace=world.home, account='examined'))
    path = t.write('timeless.jwt', world.secret_token(
        'timeless', world.home), 0o600)
    for offset, said in (('+600', 'behind'), ('-600', 'ahead of')):
        doctor.finds(f'a clock {offset} s off', 'clock',
                     f'10 minutes {said} this machine', 'timedatectl',
                     token_reviewer_jwt=path,
                     before=('faketime', '-f', f'{offset}s'))


def login(world, doctor):
    """The whole way, a gateway included."""
    nginx = world.gateway(world.method() + world.config(), name='examined')
    doctor.sound('a login through the gateway', '--k8s-token-path',
                 doctor.pod, '--gateway-url',
                 f'http://127.0.0.1:{nginx.port}',
                 said='the gateway gives a token')
    nginx.stop()


def old_issuer(world):
    """While the cluster's issuer is no https URL."""
    key_sets(world, Doctor(world))


def run(world):
    """Examine."""
    doctor = Doctor(world)
    doctor.sound('the page\'s config', '--k8s-token-path', doctor.pod,
                 said='its token would be let in')
    login(world, doctor)
    places(world, doctor)
    reviewers(world, doctor)
    names(world, doctor)
    key_sets(world, doctor)
    rancher(world, doctor)
    clock(world, doctor)
    world.test.unlike(doctor.said, 'eyJ', 'doctor: no token in what it says')
