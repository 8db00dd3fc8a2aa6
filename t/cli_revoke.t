#!/usr/bin/python3
"""akl-k8s revoke: all replicas told at once, and the ConfigMap they share."""

import contextlib
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import cli  # noqa: E402
import gates  # noqa: E402
import preload  # noqa: E402
import tokens  # noqa: E402
from akltest import Test, client, wait_for  # noqa: E402
from minted import ISSUER, bearer, mint  # noqa: E402

NS, NAME = 'akl-gateway', 'akl-revocations'
MAP = f'{NS}/{NAME}'
SUB = 'system:serviceaccount:my-namespace-a:builder'
SERVICE = 'gateway-replicas.test'
LIMIT = 1024 * 1024
HTTP = '''
    akl_k8s_zone revoke:256k;
    akl_k8s_revocations @mount@/list;
    @journal@
    @method@
    @config@
    server {
        listen @address@:@tls@ ssl;
        ssl_certificate @dir@/../cluster/server.crt;
        ssl_certificate_key @dir@/../cluster/server.key;
        ssl_client_certificate @ca@;
        ssl_verify_client optional;
        location = /revoke { akl_k8s_revoke; }
        location = /own { akl_k8s_revoke self; }
        location = /guarded { akl_k8s_guard k8s-conf; akl_k8s_revoke; }
        location = /for-clients {
            if ($ssl_client_verify != SUCCESS) { return 403; }
            akl_k8s_revoke;
        }
        location = /moved { return 307 https://example.com/revoke; }
        location = /page { default_type text/html; return 200 hello; }
    }
    server {
        listen 127.0.0.1:@port@;
        location = /revoke { akl_k8s_revoke; }
        location / { akl_k8s_guard k8s-conf; root @dir@/html; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod, and a namespace for the gateway."""
    made = t.cluster(name='cluster')
    made.api.account(NS, 'akl-gateway')
    return made


@t.shared
def kubeconfig(cluster):
    """The kubeconfig of somebody who may do all; its path."""
    return t.write('kubeconfig', json.dumps({
        'apiVersion': 'v1', 'kind': 'Config', 'current-context': 'here',
        'contexts': [{'name': 'here', 'context': {'cluster': 'c',
                                                  'user': 'u'}}],
        'clusters': [{'name': 'c', 'cluster': {
            'server': cluster.url, 'certificate-authority': cluster.ca}}],
        'users': [{'name': 'u', 'user': {
            'client-certificate': cluster.api.path('master.crt'),
            'client-key': cluster.api.path('master.key')}}]}))


class Kubelet:
    """A directory where a ConfigMap is mounted, as the kubelet does it."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.dir = os.path.join(t.dir, 'mount')
        self.number = 0
        os.makedirs(self.dir, exist_ok=True)
        for name in os.listdir(self.dir):
            if name in ('..data', 'list'):
                os.unlink(os.path.join(self.dir, name))
        self.put('')
        os.symlink('..data/list', os.path.join(self.dir, 'list'))

    def put(self, text):
        """Swap the links to a new content."""
        self.number += 1
        fresh = f'..{os.getpid()}_{time.time()}_{self.number}'
        os.makedirs(os.path.join(self.dir, fresh))
        tokens.write_file(os.path.join(self.dir, fresh, 'list'), text, 0o644)
        link = os.path.join(self.dir, '..tmp')
        os.symlink(fresh, link)
        os.rename(link, os.path.join(self.dir, '..data'))

    def sync(self):
        """Bring what the API server has."""
        self.put(held(self.cluster))


@t.own
def kubelet(cluster):
    """A mounted ConfigMap, empty at first."""
    return Kubelet(cluster)


class Replica:
    """One gateway of a Service, at an address of its own."""

    port = None         # which all replicas have in common

    def __init__(self, cluster, address, kubelet, journal='journal'):
        self.address = address
        self.nginx = t.nginx(
            HTTP, start=False, workers=2, address=address,
            tls=Replica.port, mount=kubelet.dir, ca=cluster.ca,
            journal=journal and
            f'akl_k8s_revocations {journal} journal=4k;',
            method=cluster.method(token_ttl='15m'),
            config=cluster.config(kind='P-256', token_issuer=ISSUER))
        os.makedirs(os.path.join(self.nginx.dir, 'html'))
        t.write(os.path.join(self.nginx.dir, 'html', 'f'), 'file')
        self.nginx.start()

    def status(self, token):
        """Present a token to all workers, some times."""
        seen = {client.get(self.nginx.port, '/f', bearer(token)).status
                for _ in range(6)}
        return seen.pop() if len(seen) == 1 else seen

    def fill(self):
        """Revoke until there is no room in the journal."""
        for number in range(1000):
            answer = client.post(self.nginx.port, '/revoke',
                                 {'jti': f'full-{number:040}'},
                                 {'Content-Type': 'application/json'})
            if answer.status != 200:
                return
        raise RuntimeError('there is no end of room')


def cluster_ca():
    """Return the path of the authority's certificate."""
    return os.path.join(t.dir, 'cluster', 'ca.crt')


@t.own
def replicas(cluster, kubelet):
    """Two gateways behind one name."""
    import procs
    Replica.port = procs.free_port()
    return [Replica(cluster, address, kubelet)
            for address in ('127.0.0.1', '127.0.0.2')]


def held(cluster, key='list'):
    """Return what a key of the ConfigMap says, None where there is none."""
    have = cluster.api.configmap(NS, NAME)
    return have and have.get('data', {}).get(key)


def entries(cluster):
    """Return the entries of the ConfigMap."""
    return [json.loads(line) for line in held(cluster).splitlines()]


def jti(name, until=None, **more):
    """Return a line about a token."""
    return json.dumps({'jti': name, 'until': until or int(time.time()) + 900,
                       **more}) + '\n'


def revoke(*args, env=None, addresses='127.0.0.1,127.0.0.2', **kw):
    """Run the command; the Service's name has these addresses."""
    return cli.run('revoke', *args, env={
        'LD_PRELOAD': preload.build(t.dir, 'hosts'),
        'AKL_HOSTS': f'{SERVICE}={addresses} other.test=127.0.0.1',
        **(env or {})}, **kw)


def gateway(url=None):
    """Return the flags that lead to the replicas."""
    return ('--gateway-url', url or f'https://localhost:{Replica.port}',
            '--gateway-ca-cert', cluster_ca(), '--replicas', SERVICE)


def configmap(kubeconfig):
    """Return the flags that lead to the ConfigMap."""
    return '--configmap', MAP, '--kubeconfig', kubeconfig


def later(seconds=900):
    """Return an --until."""
    return '--until', str(int(time.time()) + seconds)


# All of it

@t.story
def two_gateways_are_told_at_once_and_share_a_file(cluster, kubeconfig,
                                                   kubelet, replicas):
    token, other = mint(), mint(sub=SUB + 'x')
    t.is_([r.status(token) for r in replicas], [200, 200], 'a good token')
    done = revoke('--sub', SUB, *gateway(), *configmap(kubeconfig),
                  '--create')
    t.is_((done.code, done.err), (0, ''), 'revoked')
    t.is_([line.split()[:2] for line in done.out.splitlines()],
          [['kept', '127.0.0.1'], ['kept', '127.0.0.2'],
           ['kept', 'ConfigMap']], 'a line for each')
    t.is_([r.status(token) for r in replicas], [401, 401], 'at once')
    t.is_([r.status(other) for r in replicas], [200, 200],
          'another subject is not')
    entry, = entries(cluster)
    t.is_(entry['sub'], SUB, 'the ConfigMap has it')
    t.ok(int(time.time()) < entry['before'] + 2 <= entry['until'],
         'from now on')
    kubelet.sync()
    fresh = Replica(cluster, '127.0.0.3', kubelet, journal='')
    t.is_(fresh.status(token), 401, 'a replica that starts refuses it, too')


@t.story
def gateways_that_are_not_told_follow_the_file(cluster, kubeconfig, kubelet,
                                               replicas):
    cluster.api.configmap(NS, NAME, {'list': ''})
    token = mint(jti='by-file')
    path = t.write('minted', token, 0o600)
    done = revoke('--token', path, *configmap(kubeconfig))
    t.is_((done.code, done.err), (0, ''), 'revoked')
    t.is_(entries(cluster), [
        {'jti': 'by-file', 'until': tokens.decode(token)[1]['exp'] + 1}],
        'until the token ends')
    t.is_([r.status(token) for r in replicas], [200, 200], 'not told')
    kubelet.sync()
    for replica in replicas:
        t.ok(wait_for(lambda one=replica: one.status(token) == 401),
             f'{replica.address} follows the file')


# Replicas

@t.story
def who_did_not_keep_it_is_named(cluster, kubeconfig, replicas):
    cluster.api.configmap(NS, NAME, {'list': ''})
    replicas[1].nginx.stop()
    done = revoke('--jti', 'a', *gateway(), *configmap(kubeconfig))
    t.is_(done.code, 3, 'in part')
    t.like(done.out, r'kept  127\.0\.0\.1 .*\nFAIL  127\.0\.0\.2 .*refused'
           r'.*\n(.*\n)?kept  ConfigMap', 'by line')
    t.like(done.err, r'in part, but not by 127\.0\.0\.2\n', 'and in the end')
    t.is_(replicas[0].status(mint(jti='a')), 401, 'the other one keeps it')
    t.is_(entries(cluster)[0]['jti'], 'a', 'and so does the ConfigMap')
    done = revoke('--jti', 'a', *gateway(), '--json')
    said = done.json()
    t.is_((done.code, said['exit']), (3, 3), 'in JSON')
    t.is_([(one['name'], one['kept']) for one in said['replicas']],
          [('127.0.0.1', True), ('127.0.0.2', False)], 'by replica')
    t.like(said['error'], r'127\.0\.0\.2', 'and their names')
    done = revoke('--jti', 'a', *gateway(), addresses='127.0.0.2')
    t.is_(done.code, 3, 'nobody')
    t.like(done.err, 'nothing is revoked: 127.0.0.2', 'is said so')
    done = revoke('--jti', 'a', *gateway()[:-1], 'nowhere.invalid')
    t.is_(done.code, 3, 'a name without addresses')
    t.like(done.out, 'nowhere.invalid .*has no address', 'is said so')


@t.story
def a_full_journal_is_told_by_replica(replicas):
    replicas[1].fill()
    done = revoke('--jti', 'b' * 40, *gateway(), '--json')
    said = done.json()
    t.is_(done.code, 3, 'in part')
    t.is_(said['replicas'][0]['kept'], True, 'the first has room')
    t.like(said['replicas'][1]['error'], '503 revocations_full', 'the second')


@t.story
def a_replica_that_is_silent_holds_up_no_other(replicas):
    replicas[1].nginx.stop()
    with contextlib.closing(gates.Silent('127.0.0.2', Replica.port)):
        done = revoke('--jti', 'c', *gateway(), '--timeout', '1')
    t.is_(done.code, 3, 'in part')
    t.like(done.out, r'FAIL  127\.0\.0\.2 .*time', 'it is said so')
    t.is_(replicas[0].status(mint(jti='c')), 401, 'the other one keeps it')


@t.story
def the_certificate_is_held_against_the_urls_name(replicas):
    for url, code in ((f'https://localhost:{Replica.port}', 0),
                      (f'https://other.test:{Replica.port}', 3)):
        done = revoke('--jti', 'd', *gateway(url))
        t.is_(done.code, code, url)
    t.like(done.out, r'FAIL  127\.0\.0\.1 .*other\.test', 'each address')
    t.is_(replicas[0].status(mint(jti='e')), 200, 'and nothing was sent')
    done = revoke('--jti', 'd', '--gateway-url',
                  f'https://localhost:{Replica.port}/revoke',
                  '--gateway-ca-cert', cluster_ca())
    t.like(done.out, r'kept  127\.0\.0\.1 ', 'without --replicas the name of '
           'the URL is looked up, and it may have the path')


@t.story
def whoever_guards_the_location_is_satisfied(cluster, replicas):
    path = t.write('mine', mint(jti='mine'), 0o600)
    with_cert = ('--gateway-client-cert', cluster.api.path('client.crt'),
                 '--gateway-client-key', cluster.api.path('client.key'))
    for location, flags, code in (
            ('guarded', (), 1), ('guarded', ('--gateway-token', path), 0),
            ('for-clients', (), 1), ('for-clients', with_cert, 0)):
        done = revoke('--jti', 'f', *gateway(), '--revoke-path',
                      f'/{location}', *flags)
        t.is_(done.code, code, f'{location}: {flags}')
        t.unlike(done.both(), mint(jti='mine')[:20], 'no token is shown')


@t.story
def what_is_no_such_location_is_refused_in_words(replicas):
    for location, said in (
            ('page', '200, not as akl_k8s_revoke does'),
            ('moved', 'goes to https://example.com/revoke'),
            ('own', 'akl_k8s_revoke self'), ('none', '404')):
        done = revoke('--jti', 'g', *gateway(), '--revoke-path', location)
        t.is_(done.code, 1, location)
        t.like(done.out, said, 'in words')
        t.like(done.out, 'try: .*--revoke-path', 'with the way out')


# The ConfigMap

@t.story
def what_is_over_goes_and_what_others_wrote_stays(cluster, kubeconfig):
    now = int(time.time())
    keep = jti('keep', reason='leaked in a log')
    cluster.api.configmap(NS, NAME, {
        'list': jti('over', now - 5) + '\n' + keep + jti('h', now + 10)
        + json.dumps({'sub': SUB, 'before': now - 9, 'until': now + 9}),
        'other': 'text'}, binaryData={'raw': 'AAEC'}, metadata={
            'labels': {'a': 'b'}, 'annotations': {'c': 'd'}})
    done = revoke('--jti', 'h', *later(600), *configmap(kubeconfig), '--json')
    t.is_(done.code, 0, 'revoked')
    said = done.json()['configmap']
    t.is_((said['entries'], said['over'], said['bytes']),
          (3, 1, len(held(cluster)) + 7), 'what is told')
    t.is_([next(iter(one.values())) for one in entries(cluster)],
          ['keep', SUB, 'h'], 'the entries')
    t.ok(held(cluster).startswith(keep), 'members of other names stay')
    have = cluster.api.configmap(NS, NAME)
    t.is_((have['data']['other'], have['binaryData'],
           have['metadata']['labels'], have['metadata']['annotations']),
          ('text', {'raw': 'AAEC'}, {'a': 'b'}, {'c': 'd'}),
          'and so does the rest of the object')
    version = have['metadata']['resourceVersion']
    done = revoke('--jti', 'h', *later(60), *configmap(kubeconfig), '--json')
    t.is_((done.code, done.json()['configmap']['already']), (0, True),
          'what it says already')
    t.is_(cluster.api.configmap(NS, NAME)['metadata']['resourceVersion'],
          version, 'is not written')


@t.story
def who_writes_at_the_same_time_loses_nothing(cluster, kubeconfig):
    cluster.api.configmap(NS, NAME, {'list': ''})
    running = [subprocess.Popen(
        [cli.BINARY, 'revoke', '--jti', f'race-{n}', *later(),
         *configmap(kubeconfig)], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT) for n in range(6)]
    said = [one.communicate()[0].decode() for one in running]
    t.is_([(one.returncode, said[n].count('\n'))
           for n, one in enumerate(running)], [(0, 1)] * 6, 'six at once')
    t.is_(sorted(one['jti'] for one in entries(cluster)),
          [f'race-{n}' for n in range(6)], 'are all there')
    cluster.api.intrude(3)
    t.is_(revoke('--jti', 'patient', *later(), *configmap(kubeconfig)).code,
          0, 'three conflicts')
    t.ok('patient' in held(cluster), 'and it is there')
    t.is_(cluster.api.configmap(NS, NAME)['metadata']['annotations'],
          {'intruder': '0'}, 'beside what the others wrote')


@t.story
def conflicts_without_an_end_are_an_outage(cluster, kubeconfig):
    cluster.api.configmap(NS, NAME, {'list': ''})
    cluster.api.intrude(1000)
    done = revoke('--jti', 'i', *later(), *configmap(kubeconfig))
    t.is_(done.code, 3, 'an outage')
    t.like(done.out, '20 times in a row', 'in words')
    t.is_(held(cluster), '', 'nothing is written')


@t.story
def a_configmap_is_made_when_that_is_said(cluster, kubeconfig):
    done = revoke('--jti', 'j', *later(), *configmap(kubeconfig))
    t.is_(done.code, 1, 'there is none')
    t.like(done.out, f'"{NAME}" not found\n.*try: --create', 'in words')
    done = revoke('--jti', 'j', *later(), *configmap(kubeconfig), '--create',
                  '--key', 'revoked.jsonl')
    t.is_(done.code, 0, 'it is made')
    t.like(held(cluster, 'revoked.jsonl'), '"jti":"j"', 'with the key')
    done = revoke('--jti', 'j', *later(), '--configmap', f'nowhere/{NAME}',
                  '--kubeconfig', kubeconfig, '--create')
    t.is_(done.code, 1, 'a namespace that is none')
    t.like(done.out, 'namespaces "nowhere" not found', 'in words')


@t.story
def a_configmap_holds_a_megabyte_and_no_more(cluster, kubeconfig):
    ours = '{"jti":"k","until":1234567890}\n'
    room = LIMIT - len(ours) - len('x')
    lines = [jti(f'{n:0360}') for n in range(room // 400)]
    lines += [jti(f'z{n:0360}') for n in range(
        (room - sum(map(len, lines))) // len(lines[0]) - 1)]
    left = room - sum(map(len, lines))
    lines.append(jti('y' * (left - len(jti('')))))
    whole = ''.join(lines)
    for more, code in (('', 0), ('x', 1)):
        cluster.api.configmap(NS, NAME, {'list': whole, 'pad': 'x' + more})
        done = revoke('--jti', 'k', *later(), *configmap(kubeconfig))
        t.is_(done.code, code, f'{LIMIT} bytes and {len(more)}')
        if code == 0:
            t.ok(len(held(cluster)) + 1 == LIMIT, 'it is full to the brim')
    t.like(done.out, f'would have {LIMIT + 1} bytes.*{LIMIT}.*'
           f'{len(lines)} entries still count', 'in words')
    t.is_(held(cluster), whole, 'nothing was written')


@t.story
def what_replicas_do_not_read_is_not_written_to(cluster, kubeconfig):
    for members, said in (
            ({'data': {'list': jti('l') + '{"jti":5,"until":1}\n'}},
             'line 2 of its "list" has a "jti" or "sub" that is no string'),
            ({'data': {'list': jti('l') + 'x' * 9000}},
             'line 2 of its "list" is too long'),
            ({'data': {}, 'binaryData': {'list': 'AAEC'}}, 'binaryData'),
            ({'data': {'list': ''}, 'immutable': True}, 'immutable')):
        cluster.api.configmap(NS, NAME, **members)
        before = cluster.api.configmap(NS, NAME)
        done = revoke('--jti', 'l2', *later(), *configmap(kubeconfig))
        t.is_(done.code, 1, said)
        t.like(done.out, said, 'in words')
        t.is_(cluster.api.configmap(NS, NAME), before, 'nothing is changed')


@t.story
def a_pod_writes_it_by_its_own_account(cluster):
    mount = os.path.join(t.dir, 'account')
    os.makedirs(mount, exist_ok=True)
    cluster.api.configmap(NS, NAME, {'list': ''})
    t.write(os.path.join(mount, 'token'),
            cluster.issue(namespace=NS, pod=None, account='akl-gateway'))
    t.write(os.path.join(mount, 'ca.crt'), cluster.api.read('ca.crt'))
    env = {'KUBERNETES_SERVICE_HOST': '127.0.0.1',
           'KUBERNETES_SERVICE_PORT': str(cluster.port)}
    flags = ('--configmap', MAP, '--service-account', mount)
    who = f'system:serviceaccount:{NS}:akl-gateway'
    for grant in 'get', 'update':
        done = revoke('--jti', 'm', *later(), *flags, env=env)
        t.is_(done.code, 1, f'it may not {grant}')
        t.like(done.out, f'403, configmaps "{NAME}" is forbidden: User '
               f'"{who}" cannot {grant}', 'in the server\'s words')
        t.like(done.out, 'try: .*--verb=get,update', 'with the way out')
        cluster.api.grant(who, grant, NS, NAME)
    t.is_(revoke('--jti', 'm', *later(), *flags, env=env).code, 0, 'it may')
    t.is_(entries(cluster)[0]['jti'], 'm', 'it is there')
    done = revoke('--jti', 'm', *later(), *flags)
    t.is_(done.code, 2, 'elsewhere')
    t.like(done.err, 'this is no pod', 'in words')


@t.story
def an_api_server_that_is_down_is_an_outage(cluster, kubeconfig):
    cluster.api.configmap(NS, NAME, {'list': ''})
    cluster.api.unlisten()
    done = revoke('--jti', 'n', *later(), *configmap(kubeconfig))
    t.is_(done.code, 3, 'an outage')
    t.like(done.err, f'nothing is revoked: ConfigMap {MAP}', 'in words')
    cluster.api.listen()


# The command line

@t.story
def a_pods_own_token_is_none_of_ours(cluster):
    for text, said in ((cluster.issue(), "is a pod's token"),
                       (mint(ttl=-60), 'no guard lets it pass'),
                       (mint(jti=None), 'no "jti"'), ('x', 'not a JWT|form')):
        path = t.write('odd', text, 0o600)
        done = revoke('--token', path, '--configmap', MAP)
        t.is_(done.code, 2, said)
        t.like(done.err, said, 'in words')


@t.story
def mistakes_on_the_command_line_are_told():
    for args, said in (
            ((), 'say what'), (('--jti', 'a', '--sub', 'b'), 'say what'),
            (('--jti', ''), 'empty'), (('--jti', 'a' * 2000), 'too long'),
            (('--jti', 'a', '--before', '5'), 'goes with "--sub"'),
            (('--jti', 'a', '--until', '5'), 'is over'),
            (('--jti', 'a', '--until', 'soon'), 'is a time'),
            (('--jti', 'a'), 'say where'),
            (('--jti', 'a', '--configmap', MAP, '--kubeconfig', '/none'),
             'No such file'),
            (('--jti', 'a', '--configmap', 'x'), 'NAMESPACE/NAME'),
            (('--jti', 'a', '--configmap', 'x/Y'), 'NAMESPACE/NAME'),
            (('--jti', 'a', '--configmap', MAP, '--key', '../x'), 'no name'),
            (('--jti', 'a', '--key', 'x'), 'needs "--configmap"'),
            (('--jti', 'a', '--replicas', 'x'), 'needs "--gateway-url"'),
            (('--jti', 'a', '--gateway-url', 'gw'), 'begins with'),
            (('--jti', 'a', '--gateway-url', 'https://gw',
              '--gateway-client-cert', cluster_ca()), 'go together')):
        done = revoke(*args)
        t.is_((done.code, done.out), (2, ''), f'{args}')
        t.like(done.err, said, said)


@t.story
def a_configmap_alone_needs_to_know_until_when(kubeconfig):
    done = revoke('--jti', 'a', *configmap(kubeconfig))
    t.is_(done.code, 2, 'without --until')
    t.like(done.err, 'longest token_ttl', 'in words')


t.tell()
