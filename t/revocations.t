#!/usr/bin/python3
"""akl_k8s_revocations: revocations in files, and a journal that lasts."""

import json
import os
import shutil
import signal
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, 'lib'))

import preload  # noqa: E402
import procs  # noqa: E402
import tokens  # noqa: E402
import zones  # noqa: E402
from akltest import Test, client, wait_for  # noqa: E402
from dialects import FORM  # noqa: E402
from minted import ISSUER, bearer, mint  # noqa: E402

SUB = 'system:serviceaccount:my-namespace-a:builder'
JSON = {'Content-Type': 'application/json'}
HTTP = '''
    akl_k8s_zone revocations:256k;
    @files@
    @method@
    @config@
    server {
        listen 127.0.0.1:@port@;
        location = /revoke { akl_k8s_revoke; }
        location = /logout { akl_k8s_revoke self; }
        location = /status { akl_k8s_status; }
        location / { akl_k8s_guard k8s-conf; root @dir@/html; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx with files of revocations below its directory."""

    def __init__(self, cluster, files, workers=2, **more):
        self.nginx = t.nginx(
            HTTP, start=False, workers=workers, files=files,
            method=cluster.method(token_ttl='15m'),
            config=cluster.config(kind='P-256', token_issuer=ISSUER), **more)
        os.makedirs(os.path.join(self.nginx.dir, 'html'))
        t.write(os.path.join(self.nginx.dir, 'html', 'f'), 'file')
        self.journal = os.path.join(self.nginx.dir, 'journal')

    def start(self):
        """Start it; return self."""
        self.nginx.start()
        return self

    def crash(self):
        """Kill master and workers at once, as a lost node does."""
        master = self.nginx.process.pid

        # it may be about to start another worker

        os.kill(master, signal.SIGSTOP)
        if not wait_for(lambda: procs.stopped(master)):
            raise RuntimeError('the master does not stop')
        pids = [master, *procs.children(master)]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.nginx.process.wait()
        # its command line goes before its sockets do: the state tells
        if not wait_for(lambda: not any(map(procs.parent_of, pids[1:]))):
            raise RuntimeError('workers outlive SIGKILL')

    def present(self, token):
        """Present a token; return the answer."""
        return client.get(self.nginx.port, '/f', bearer(token))

    def status(self, token):
        """Present a token to all workers, some times."""
        seen = {self.present(token).status for _ in range(8)}
        return seen.pop() if len(seen) == 1 else seen

    def revoke(self, body, headers=None):
        """Ask for a revocation."""
        return client.post(self.nginx.port, '/revoke', body, headers or JSON)

    def metric(self, name):
        """Return the value of a series of the status page."""
        text = client.get(self.nginx.port, '/status?format=prometheus').text
        for line in text.splitlines():
            if line.startswith(f'nginx_akl_k8s_{name} '):
                return float(line.split()[-1])
        return None


@t.own
def gateway(cluster):
    """A gateway with a journal."""
    return Gateway(cluster,
                   'akl_k8s_revocations journal journal;').start()


def lines(*entries):
    """Return a file's text of these entries."""
    return ''.join(json.dumps(entry) + '\n' for entry in entries)


def jti(name, until=None):
    """Return an entry for a token."""
    return {'jti': name, 'until': until or int(time.time()) + 900}


# The journal

@t.story
def what_was_answered_outlives_a_crash_of_everything(gateway):
    hot = mint(jti='hot')
    t.is_(gateway.status(hot), 200, 'a token is remembered')
    t.is_([gateway.revoke({'jti': name}).status
           for name in ('hot', 'cold', 'ä "\\\n')], [200] * 3, 'revocations')
    t.is_(gateway.revoke({'sub': SUB + 'x'}).status, 200, 'a subject')
    t.is_(gateway.status(hot), 401, 'all workers refuse it at once')
    t.is_(os.stat(gateway.journal).st_mode & 0o777, 0o600,
          'the journal is its owner\'s alone')
    gateway.crash()
    gateway.start()
    t.is_([gateway.status(mint(jti=name)) for name in
           ('hot', 'cold', 'ä "\\\n')], [401] * 3, 'still refused')
    t.is_(gateway.status(mint(sub=SUB + 'x', iat=int(time.time()) - 5)), 401,
          'the subject, too')
    t.is_(gateway.status(mint()), 200, 'and nothing else')


@t.story
def a_worker_that_is_killed_takes_no_revocation_with_it(gateway):
    names = [f'worker-{n}' for n in range(6)]
    for name in names:
        t.is_(gateway.revoke({'jti': name}).status, 200, f'{name}')
        gateway.nginx.kill_worker()
        t.is_(gateway.status(mint(jti=name)), 401, f'{name} is refused')
    t.is_([gateway.status(mint(jti=name)) for name in names], [401] * 6,
          'all of them')


@t.story
def a_worker_that_dies_inside_the_zone_takes_no_revocation_with_it(gateway):
    hot, good = mint(jti='before'), mint()
    t.is_((gateway.status(hot), gateway.status(good)), (200, 200),
          'both are remembered')
    t.is_(gateway.revoke({'jti': 'before'}).status, 200, 'a revocation')
    victim = zones.hold(gateway.nginx)
    during = client.Background(gateway.revoke, {'jti': 'during'})
    shown = client.Background(gateway.present, hot)
    os.kill(victim, signal.SIGKILL)
    t.is_((during.result().status, shown.result().status), (200, 401),
          'both wait for the lock, and hold')
    t.ok(gateway.nginx.wait_log(f'was locked by {victim}'),
         'nginx took the lock away')
    t.is_(gateway.metric('zone_resets_total'), 1, 'the zone is empty now')
    t.ok(wait_for(lambda: len(gateway.nginx.workers()) == 2),
         'another worker')
    t.is_([gateway.status(token) for token in
           (hot, mint(jti='during'), good)], [401, 401, 200],
          'what is refused, in both')
    t.is_(gateway.revoke({'jti': 'after'}).status, 200, 'it goes on')
    t.is_(gateway.status(mint(jti='after')), 401, 'in both')
    gateway.crash()
    gateway.start()
    t.is_([gateway.status(mint(jti=name)) for name in
           ('before', 'during', 'after')], [401] * 3, 'after a restart')


@t.story
def a_torn_end_of_the_journal_is_cut_off(gateway):
    gateway.revoke({'jti': 'whole'})
    gateway.crash()
    with open(gateway.journal, 'ab') as file:
        file.write(b'{"jti":"torn","unt')
    gateway.start()
    t.is_(gateway.status(mint(jti='whole')), 401, 'what was whole counts')
    t.is_(gateway.revoke({'jti': 'next'}).status, 200, 'it goes on')
    gateway.crash()
    gateway.start()
    t.is_([gateway.status(mint(jti=name)) for name in
           ('whole', 'torn', 'next')], [401, 200, 401], 'after that')


@t.own
def fragile(cluster):
    """A gateway whose disk loses what was not synced."""
    return Fragile(cluster)


class Fragile(Gateway):
    """Its journal lies on a disk of which only the mirror is left."""

    def __init__(self, cluster):
        shim = preload.build(t.dir, 'powerloss')
        self.disk = tempfile.mkdtemp(dir=t.dir)
        self.state = tempfile.mkdtemp(dir=t.dir)
        super().__init__(
            cluster, f'akl_k8s_revocations {self.state}/journal journal;',
            env={'LD_PRELOAD': shim, 'AKL_POWERLOSS_DIR': self.state,
                 'AKL_POWERLOSS_DISK': self.disk})
        self.journal = os.path.join(self.state, 'journal')

    def lose_power(self):
        """Kill everything, and leave what the disk has."""
        self.crash()
        for name in os.listdir(self.state):
            os.unlink(os.path.join(self.state, name))
        names = os.path.join(self.disk, '.names')
        if not os.path.exists(names):
            return
        with open(names, encoding='ascii') as file:
            entries = [line.split() for line in file]
        for number, name in entries:
            data = os.path.join(self.disk, f'.data-{number}')
            target = os.path.join(self.state, name)
            if os.path.exists(data):
                shutil.copy(data, target)
            else:
                open(target, 'wb').close()


@t.story
def what_was_answered_outlives_a_loss_of_power(fragile):
    fragile.start()
    names = [f'power-{n}' for n in range(3)]
    for n, name in enumerate(names):
        t.is_(fragile.revoke({'jti': name}).status, 200, f'{name}')
        fragile.lose_power()
        fragile.start()
        t.is_([fragile.status(mint(jti=name)) for name in names[:n + 1]],
              [401] * (n + 1), 'refused after it')


@t.story
def a_journal_that_is_written_anew_outlives_a_loss_of_power(fragile):
    past = int(time.time()) - 86400
    tokens.write_file(fragile.journal, lines(
        jti('stays'), *(jti(f'{n:050}', past) for n in range(1000))), 0o600)
    fragile.start()
    size = os.path.getsize(fragile.journal)
    t.is_(fragile.revoke({'jti': 'first'}).status, 200, 'a revocation')
    t.ok(os.path.getsize(fragile.journal) < size / 10,
         'what is over is gone')
    t.is_(fragile.revoke({'jti': 'second'}).status, 200, 'another one')
    fragile.lose_power()
    fragile.start()
    t.is_([fragile.status(mint(jti=name)) for name in
           ('stays', 'first', 'second')], [401] * 3, 'refused after it')


@t.story
def a_new_journal_is_on_the_disk_before_it_has_the_name(fragile):
    past = int(time.time()) - 86400
    tokens.write_file(fragile.journal, lines(
        jti('stays'), *(jti(f'{n:050}', past) for n in range(1000))), 0o600)
    fragile.start()
    t.write(os.path.join(fragile.disk, '.dies-after-names'), '')
    fragile.nginx.expect('exited on signal 9')
    asked = client.Background(fragile.revoke, {'jti': 'first'})
    t.ok(wait_for(asked.done) and asked.error is not None,
         'the worker dies in the middle, and nobody is answered')
    fragile.lose_power()
    fragile.start()
    t.is_(fragile.status(mint(jti='stays')), 401, 'what was there is')


@t.story
def an_earlier_time_for_a_subject_takes_nothing_back(gateway):
    now = int(time.time())
    token = mint(iat=now - 60, nbf=now - 60)
    t.is_(gateway.revoke({'sub': SUB, 'before': now - 50}).json()['before'],
          now - 50, 'a time')
    t.is_(gateway.revoke({'sub': SUB, 'before': now - 80}).json()['before'],
          now - 50, 'an earlier one')
    t.is_(gateway.status(token), 401, 'the later one counts')
    t.is_(gateway.status(mint(iat=now - 40, nbf=now - 40)), 200,
          'and no later one')


@t.story
def a_journal_that_is_full_keeps_what_it_has(cluster):
    full = Gateway(cluster, 'akl_k8s_revocations journal journal=4k;',
                   workers=1).start()
    answers = []
    while len(answers) < 1000 and (not answers or answers[-1].status == 200):
        answers.append(full.revoke({'jti': f'full-{len(answers)}'}))
    t.ok(30 < len(answers) < 1000, f'{len(answers) - 1} revocations fit')
    t.is_((answers[-1].status, answers[-1].json()['error']),
          (503, 'revocations_full'), 'one more does not')
    t.ok(int(answers[-1].header('retry-after')) >= 1, 'Retry-After')
    t.is_({full.present(mint(jti=f'full-{n}')).status
           for n in range(len(answers) - 1)}, {401},
          'all of them still count')
    t.is_(full.present(mint()).status, 200, 'and nothing else does')
    t.is_(full.metric('revocations_total{result="full"}'), 1, 'it is counted')
    t.is_(full.metric('revocations_total{result="kept"}'), len(answers) - 1,
          'as are those that were kept')


@t.story
def revocations_that_cannot_be_written_are_not_answered_well(gateway):
    t.is_(gateway.revoke({'jti': 'before'}).status, 200, 'one that can be')
    os.rename(gateway.journal, gateway.journal + '.away')
    os.mkdir(gateway.journal)
    gateway.nginx.expect('nothing was kept|no token passes')
    answer = gateway.revoke({'jti': 'lost'})
    t.is_((answer.status, answer.json()['error']),
          (503, 'revocation_not_kept'), 'one that cannot')
    t.ok(gateway.nginx.grep('akl_k8s_revocations .*open.*nothing was kept'),
         'the log says why')
    t.ok(gateway.nginx.grep('akl_k8s: revocation failed, revocation_not_kept: '
                            '.*POST /revoke '), 'and what came of it')
    os.rmdir(gateway.journal)
    os.rename(gateway.journal + '.away', gateway.journal)
    t.is_(gateway.revoke({'jti': 'after'}).status, 200, 'and one afterwards')
    t.is_([gateway.status(mint(jti=name)) for name in
           ('before', 'lost', 'after')], [401, 200, 401], 'what is refused')


@t.story
def a_reload_keeps_the_journal(gateway):
    gateway.revoke({'jti': 'early'})
    t.ok(gateway.nginx.reload(wait_old=True), 'a reload')
    gateway.revoke({'jti': 'late'})
    t.is_([gateway.status(mint(jti=name)) for name in ('early', 'late')],
          [401, 401], 'what is refused')


# A file

@t.story
def two_gateways_follow_one_file(cluster):
    shared = os.path.join(t.dir, 'mount')
    os.makedirs(os.path.join(shared, '..1'))
    os.symlink('..1', os.path.join(shared, '..data'))
    os.symlink('..data/list', os.path.join(shared, 'list'))
    tokens.write_file(os.path.join(shared, '..1', 'list'),
                      lines(jti('one'), jti('over', int(time.time()) - 1)))
    gateways = [Gateway(cluster, f'akl_k8s_revocations {shared}/list;'
                        'akl_k8s_revocations journal journal;').start()
                for _ in range(2)]
    for gateway in gateways:
        t.is_([gateway.status(mint(jti=name)) for name in
               ('one', 'over', 'two')], [401, 200, 200], 'at its start')
    os.makedirs(os.path.join(shared, '..2'))
    tokens.write_file(os.path.join(shared, '..2', 'list'),
                      lines(jti('two'), {'sub': 'nobody', 'before': 1,
                                         'until': 2 ** 40}))
    os.symlink('..2', os.path.join(shared, '..tmp'))
    os.rename(os.path.join(shared, '..tmp'), os.path.join(shared, '..data'))
    for gateway in gateways:
        t.ok(wait_for(lambda: gateway.status(mint(jti='two')) == 401),
             'the links were swapped, it follows')
        t.ok(wait_for(lambda: gateway.status(mint(jti='one')) == 200),
             'and what is not listed any more passes')
        t.is_(gateway.metric(f'revocations_entries{{file="{shared}/list"}}'),
              2, 'the entries are counted')


@t.story
def a_broken_line_keeps_the_former_content(cluster):
    path = os.path.join(t.dir, 'list')
    tokens.write_file(path, lines(jti('good')))
    gateway = Gateway(cluster, f'akl_k8s_revocations {path};',
                      workers=1).start()
    tokens.write_file(path, lines(jti('other')) + '{"jti":5,"until":1}\n')
    t.like(gateway.nginx.wait_log('akl_k8s_revocations'),
           'was replaced, but line 2 has a "jti" or "sub" that is no string: '
           'the former content is kept', 'the line and the cause are named')
    t.is_([gateway.status(mint(jti=name)) for name in ('good', 'other')],
          [401, 200], 'the former content counts')
    t.is_(gateway.metric(f'revocations_rejected_total{{file="{path}"}}'), 1,
          'it is counted')
    tokens.write_file(path, lines(jti('other')))
    t.ok(wait_for(lambda: gateway.status(mint(jti='other')) == 401),
         'a good one is taken')


@t.story
def a_long_file_is_read_while_requests_are_served(cluster):
    path = os.path.join(t.dir, 'long')
    tokens.write_file(path, '')
    gateway = Gateway(cluster, f'akl_k8s_revocations {path};',
                      workers=1).start()
    tokens.write_file(path, lines(*(jti(f'{n:022}') for n in range(100000))))
    token = mint(jti=f'{99999:022}')
    t.ok(wait_for(lambda: gateway.present(token).status == 401),
         'the last of 100,000 is found')
    t.is_(gateway.present(mint(jti='x')).status, 200, 'others pass')
    t.is_(gateway.metric(f'revocations_entries{{file="{path}"}}'), 100000,
          'all are there')


# RFC 7009, and self

@t.story
def a_token_is_revoked_by_itself_in_a_form(gateway):
    token = mint()
    t.is_(gateway.status(token), 200, 'it is good')
    answer = client.post(gateway.nginx.port, '/revoke',
                         f'token={token}&token_type_hint=access_token', FORM)
    t.is_((answer.status, answer.body, answer.header('cache-control')),
          (200, b'', 'no-store'), 'the answer is empty')
    t.is_(gateway.status(token), 401, 'and it is refused')
    size = os.path.getsize(gateway.journal)
    for token in (token, mint(ttl=-5), mint(name='other'), 'none', 'a.b.c'):
        answer = client.post(gateway.nginx.port, '/revoke', f'token={token}',
                             FORM)
        t.is_((answer.status, answer.body), (200, b''),
              'what no guard lets pass is answered alike')
    t.is_(os.path.getsize(gateway.journal), size, 'and takes no room')
    answer = client.post(gateway.nginx.port, '/revoke', 'token=a&jti=b', FORM)
    t.is_((answer.status, answer.json()['error']), (400, 'invalid_request'),
          'two at once')


@t.story
def a_token_revokes_itself_and_no_other(gateway):
    token, other = mint(), mint()

    def logout(token, body='', headers=None):
        return client.post(gateway.nginx.port, '/logout', body,
                           {**(headers or FORM), **bearer(token)})

    for body, headers in ((f'token={other}', FORM), ('jti=x', FORM),
                          ({'jti': 'x'}, JSON), ({'jti': ''}, JSON),
                          ({'n': 1}, JSON), ('[]', JSON), ('token=', FORM)):
        t.is_(logout(token, body, headers).status, 400, 'another')
    t.is_((gateway.status(token), gateway.status(other)), (200, 200),
          'both are good')
    t.is_(client.post(gateway.nginx.port, '/logout', '', FORM).status, 401,
          'none')
    answer = logout(mint(name='other'))
    t.is_((answer.status, answer.header('www-authenticate')), (
        401, 'Bearer realm="akl_k8s", error="invalid_token", '
        'error_description="signature_invalid"'), 'a foreign one')
    t.is_((logout(token).status, logout(other, f'token={other}').status),
          (200, 200), 'each its own')
    t.is_((gateway.status(token), gateway.status(other)), (401, 401),
          'both are refused')
    t.is_(logout(token).status, 401, 'once more')
    third = mint()
    t.is_((logout(third, {}, JSON).status, gateway.status(third)),
          (200, 401), 'by an empty object, as node-vault says nothing')
    t.is_(gateway.revoke({}).status, 400, 'which means nothing elsewhere')


t.tell()
