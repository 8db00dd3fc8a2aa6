#!/usr/bin/python3
"""Does the harness notice what it must notice, and clean up?

Small test files are run in processes of their own, and what they print,
return and leave behind is looked at.
"""

import os
import re
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, 'lib'))

import nginx as nginx_  # noqa: E402
import procs  # noqa: E402
import timers  # noqa: E402
from akltest import (  # noqa: E402
    PATIENCE, Test, client, free_port, wait_for)

START = f'''
import os, subprocess, sys, time
sys.path.insert(0, {os.path.join(HERE, 'lib')!r})
from akltest import Test, client, wait_for
t = Test()


def web(**kw):
    return t.nginx("""
        server {{
            listen 127.0.0.1:@port@;
            location / {{ return 200 "well"; }}
        }}
    """, load=False, **kw)
'''

t = Test()


def script(text, *args, **env):
    """Run a small test file; return (code, output)."""
    path = t.write('inner.py', START + text)
    done = subprocess.run(
        [sys.executable, path, *args], stdout=subprocess.PIPE, check=False,
        stderr=subprocess.STDOUT, timeout=PATIENCE, env={**os.environ, **env})
    return done.returncode, done.stdout.decode()


def begin(text):
    """Start a small test file; return it once it has printed a line."""
    path = t.write('inner.py', START + text)
    process = procs.spawn([sys.executable, path], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True,
                          env={**os.environ, 'AKL_TMP': t.dir})
    return process, process.stdout.readline().split()


def closing(output):
    """Return which of the closing checks failed."""
    return re.findall(r'^not ok \d+ - (.*)$', output, re.M)


@t.story
def a_good_file_passes_and_leaves_nothing():
    """A good file passes, and leaves nothing."""
    code, out = script('''
print('# dir', t.dir)
n = web()
t.is_(client.get(n.port).text, 'well', 'it serves')
t.like('abc', 'b', 'like')
t.done_testing()
''')
    t.is_((code, closing(out)), (0, []), 'a good file passes')
    t.like(out, r'(?m)^1\.\.6$', 'and says how many tests it had')
    folder = re.search('# dir (.*)', out).group(1)
    t.ok(not os.path.exists(folder), 'and removes its directory')
    code, out = script('t.is_(1, 2, "wrong")\nt.done_testing()')
    t.is_((code, closing(out)), (1, ['wrong']), 'a wrong one fails')
    t.like(out, 'inner.py line', 'and says where')


@t.story
def a_server_is_ready_once_all_its_workers_are():
    """A server is ready once all its workers are."""
    code, out = script('''
n = t.nginx('server { listen 127.0.0.1:@port@; }', load=False, start=False,
            workers=3)
workers, looks = n.workers, []


def coming():
    looks.append(1)
    return workers()[:len(looks)]


n.workers = coming
n.start()
t.is_(len(coming()), 3, 'all three')
t.done_testing()
''')
    t.is_((code, closing(out)), (0, []), 'a slow machine has them all')


@t.story
def alert_lines_fail_a_file_unless_they_are_expected():
    """Alert lines in the log fail the file, unless they are expected."""
    body = '''
n = web()
with open(n.log, 'a') as log:
    log.write('2026/01/01 00:00:00 [{}] 1#1: {}\\n')
{}
t.done_testing()
'''
    for level, text in (('alert', 'open socket #4 left in connection 3'),
                        ('emerg', 'some emergency'),
                        ('crit', 'SSL_do_handshake() failed'),
                        ('alert', 'worker process 3 exited on signal 11'),
                        ('alert', 'ignoring stale global SSL error'),
                        ('warn', 'the "listen ... http2" directive is '
                         'deprecated, use the "http2" directive instead'),
                        ('info', 'open socket #4 left in connection 3')):
        t.is_(closing(script(body.format(level, text, ''))[1]),
              ['no alerts'], f'caught: [{level}] {text}')
    t.is_(closing(script(body.format('error', 'usual', ''))[1]), [],
          'an error line is no alert')
    t.is_(closing(script(body.format(
        'crit', 'known', 'n.expect("known")'))[1]), [], 'an expected line')
    t.is_(closing(script(body.format(
        'crit', 'known', 't.expect("other")'))[1]), ['no alerts'],
        'not the expected line')
    t.is_(closing(script('n = web(workers=1)\nassert n.kill_worker()\n'
                         't.done_testing()')[1]), [],
          'a worker killed on purpose')
    t.is_(closing(script('''
n = web(workers=1)
os.kill(n.workers()[0], 9)
assert n.wait_log('exited on signal')
t.done_testing()
''')[1]), ['no alerts'], 'a worker that died of itself')


@t.story
def a_process_may_be_killed_while_a_sanitizer_looks_for_leaks():
    """A process may be killed while a sanitizer looks for leaks."""
    body = '''
n = web()
{}()
with open(n.log, 'a') as log:
    log.write('[alert] 1#1: cache loader process 3 exited on signal {}\\n')
t.done_testing()
'''
    may = [] if nginx_.sanitized() else ['no alerts']
    t.is_(closing(script(body.format('n.stop', 9))[1]), may, 'told to stop')
    t.is_(closing(script(body.format('n.stop', 11))[1]), ['no alerts'],
          'not by a fault')
    t.is_(closing(script(body.format('n.quit', 9))[1]), ['no alerts'],
          'not told to quit')


@t.story
def what_a_sanitizer_prints_fails_a_file():
    """What a sanitizer prints fails the file."""
    for line in ('==1==ERROR: AddressSanitizer: heap-use-after-free',
                 '==1==ERROR: LeakSanitizer: detected memory leaks',
                 'x.c:1:2: runtime error: signed integer overflow'):
        t.is_(closing(script(f'''
n = web()
with open(n.errors, 'a') as log:
    log.write({line!r})
t.done_testing()
''')[1]), ['no sanitizer errors'], f'caught: {line}')


@t.story
def a_sanitizer_sees_what_a_worker_loses_and_overruns():
    """A sanitizer sees what a worker loses, and overruns in a pool."""
    if not nginx_.has('t/asan'):
        t.skip('nginx is not that of "make test-asan"', 5)
        return
    for fault, seen in (('leak', 'LeakSanitizer: detected memory leaks'),
                        ('overrun', 'heap-buffer-overflow')):
        for end in 'quit', 'stop':
            out = script(f'''
n = web(main='akl_asan_fault {fault};')
n.{end}()
assert {seen!r} in n.stderr() + n.error_log()
t.done_testing()
''')[1]
            t.is_(closing(out), ['no sanitizer errors'], f'{fault}, {end}')
    out = script('''
n = web(start=False, main='akl_asan_fault refusal;')
assert 'LeakSanitizer: detected memory leaks' in n.config_test()[1]
t.done_testing()
''')[1]
    t.is_(closing(out), ['no sanitizer errors'], 'a refusal that loses')


@t.story
def processes_that_outlive_a_file_fail_it_and_are_ended():
    """Processes that outlive their test fail the file and are ended."""
    code, out = script('''
child = subprocess.Popen(['sleep', '1000'])
print('pid', child.pid)
t.done_testing()
''')
    pid = int(re.search(r'pid (\d+)', out).group(1))
    t.is_((code, closing(out)), (1, ['no processes left']),
          'caught: a child')
    t.is_(procs.title(pid), '', 'and ended it')
    out = script('''
subprocess.run(['sh', '-c', 'sleep 1000 & echo pid $!'])
t.done_testing()
''')[1]
    pid = int(re.search(r'pid (\d+)', out).group(1))
    t.is_(closing(out), ['no processes left'], 'caught: an orphan')
    t.is_(procs.title(pid), '', 'and ended it too')
    out = script(AMID_ANSWERS)[1]
    t.is_(closing(out), [], 'an API server may be stopped amid its answers')
    out = script('''
c = t.cluster()
c.api.fault(body=5)
client.parallel(1, lambda _: client.post(
    c.port, '/apis/authentication.k8s.io/v1/tokenreviews', {},
    context=client.tls(c.ca), timeout=1))
t.done_testing()
''')[1]
    t.is_(closing(out), ['all servers ended well'],
          'caught: the API server raised an exception')
    out = script('''
c = t.cluster()
c.api.process.kill()
c.api.process.wait()
t.done_testing()
''')[1]
    t.is_(closing(out), ['all servers ended well'],
          'caught: the API server died')


AMID_ANSWERS = '''
import json, socket
c = t.cluster()
body = json.dumps({'kind': 'TokenReview', 'spec': {'token': c.issue()},
                   'apiVersion': 'authentication.k8s.io/v1'})
head = {'Authorization': 'Bearer ' + c.api.read('reviewer.jwt'),
        'Content-Type': 'application/json'}
open = []
for fault in ({'drip': 50}, {'size': 50000000}, {'stall': 'body'},
              {'hold': True}, {'reset': 'body'}, {'size': 50000000}):
    c.api.fault(count=1, **fault)
    open.append(client.connect(c.port, client.tls(c.ca)))
    open[-1].sendall(client.build(
        'POST', '/apis/authentication.k8s.io/v1/tokenreviews', head, body))
    wait_for(lambda: c.api.stats()['review'] == len(open))
for _ in range(5):
    open.append(socket.create_connection(('127.0.0.1', c.port)))
    open.append(client.connect(c.port, client.tls(c.ca)))
t.done_testing()
'''

RUNNING = '''
n = web(workers=2)
c = t.cluster()
m = t.mock()
print(n.process.pid, *n.workers(), c.api.process.pid, flush=True)
'''


STORIES = '''


@t.shared
def cluster():
    return t.cluster()


@t.shared
def away():
    made = t.cluster()
    made.api.unlisten()
    return made


@t.shared
def pod(cluster):
    return cluster.api.pod('my-namespace-a', 'other', account='builder')


@t.own
def server(cluster):
    return web()


@t.story
def the_first_changes_all_it_can(cluster, away, server):
    away.api.listen()
    cluster.api.delete('pod', 'my-namespace-a', 'mypod1')
    cluster.api.unlisten()
    cluster.api.fault('hold')
    cluster.api.handshake('stall')
    cluster.api.clock(offset=-1000)
    t.is_(client.get(server.port).text, 'well', 'server')


@t.story
def the_second_finds_all_as_it_was(cluster, away, server, pod):
    t.ok(cluster.issue() and cluster.issue('other'), 'pods')
    t.is_(cluster.api.stats()['faults'], 0, 'faults')
    t.ok(client.post(cluster.port, '/version',
                     context=client.tls(cluster.ca)).status, 'port')
    t.ok(refused(away.port), 'no port where there was none')
    t.is_(len(procs_named('nginx: master')), 1, 'servers')


@t.story
def the_third_says_nothing():
    pass


@t.story
def the_fourth_raises(server):
    with open(server.log, 'a') as log:
        log.write('2026/01/01 00:00:00 [alert] 1#1: some alert\\n')
    raise RuntimeError('oops')


def refused(port):
    try:
        client.connect(port).close()
    except ConnectionRefusedError:
        return True


def procs_named(title):
    import procs
    return [pid for pid in procs.children(os.getpid())
            if title in procs.title(pid)]

t.tell()
'''


@t.story
def stories_are_independent_run_alone_and_are_named():
    """Stories are independent, can be told alone, and are named."""
    code, out = script(STORIES)
    t.is_(closing(out), ['the third says nothing: it tests something',
                         'the fourth raises: it comes to its end',
                         'no alerts'], 'stories: those that fail')
    t.like(out, r'RuntimeError: oops(.*\n)*.*the fourth raises: .*some alert'
           r'(.*\n)*.*alone: .*inner.py --only=the_third_says_nothing\n'
           r'.*alone: .*inner.py --only=the_fourth_raises\n',
           'are named, with the cause')
    code, out = script(STORIES, '--reverse', '--only=the_[fs]*',
                       '--only', 'the third says nothing')
    t.is_([line.split(' - ')[1].split(':')[0] for line in out.splitlines()
           if ' - the ' in line and line[0] != '#'],
          ['the third says nothing', 'the fourth raises',
           *['the second finds all as it was'] * 5,
           'the first changes all it can'],
          'in any order, and only some of them')
    code, out = script(STORIES, '--list')
    t.is_((code, len(out.splitlines())), (0, 4), 'listed')
    t.is_(script(STORIES, '--only=nobody')[0], 1, 'and not others')


@t.story
def who_uses_what_it_does_not_ask_for_is_refused():
    """Who uses a giver's name without asking has the function itself."""
    for name, body in (
            ('a_story', 'def a_story(): t.ok(thing, "it is there")'),
            ('inside', 'def inside(): t.ok([0 for _ in thing], "there")')):
        code, out = script('@t.shared\ndef thing(): return [1]\n\n\n'
                           f'@t.story\n{body}\n\n\nt.tell()\n')
        t.is_(code, 1, f'{name}: the file fails')
        t.like(out, f"{name} uses 'thing' and does not ask for it",
               'and says so')
    code, out = script('@t.shared\ndef thing(): return [1]\n\n\n'
                       '@t.story\ndef asks(thing): t.ok(thing, "there")\n\n\n'
                       't.tell()\n')
    t.is_(code, 0, 'who asks for it has it')


@t.story
def however_a_file_ends_its_children_end_with_it():
    """However a test ends, its children end with it."""
    code, out = script(RUNNING + 'raise RuntimeError("oops")')
    pids = re.search(r'^(\d+ )+\d+$', out, re.M).group(0).split()
    t.is_((code, [p for p in pids if procs.title(p)]), (1, []),
          'after an exception')
    t.unlike(out, r'(?m)^1\.\.', 'which is not taken for success')
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        inner, pids = begin(RUNNING + 'time.sleep(1000)')
        t.ok(len(pids) == 4 and all(map(procs.title, pids)), 'it runs')
        inner.send_signal(number)
        inner.wait(PATIENCE)
        t.ok(wait_for(lambda p=pids: not any(map(procs.title, p))),
             f'nobody is left after {number.name}',
             [procs.title(p) for p in pids])
    code, out = script('time.sleep(1000)', AKL_TIMEOUT='1')
    t.is_(code, 124, 'a test that hangs is ended')
    t.like(out,
           'inner.py takes too long: no result in 1 s, at\n(.*\n)*.*inner.py',
           'and told where it was')
    out = script('''
t.silent = 7
t.ok(True, 'a step')
print('silent', t.silent)
t.beat = 3
t._beat()
t.ok(False, 'a slip')
t.done_testing()
''')[1]
    t.like(out, 'silent 0\n', 'each result gives the test its time anew')
    t.like(out, 'inner.py: 1 results in 3 s', 'it says how far it is')
    t.like(out, 'inner.py: 1 of 6 failed:\n#   2 - a slip',
           'and in the end what has failed')
    code, out = script('t.nginx("bogus;", load=False)')
    t.like(out, 'unknown directive "bogus"', 'no start: the cause is shown')


@t.story
def an_nginx_is_tested_reloaded_and_quit():
    """Configuration test, reload, quit, several instances."""
    http = '''
        server {
            listen 127.0.0.1:@port@;
            location / { return 200 "@word@"; }
        }
    '''
    one = t.nginx(http, load=False, word='one', workers=2)
    two = t.nginx(http, load=False, word='two', level='debug')
    t.is_(client.get(one.port).text + client.get(two.port).text, 'onetwo',
          'two instances')
    t.is_(one.config_test()[0], 0, 'configuration test passes')
    code, out = one.config_test(http='server { listen nowhere:x; }')
    t.is_(code, 1, 'configuration test fails')
    t.like(out, r'\[emerg\].*listen.*test.conf:\d+', 'and says why')
    before = one.workers()
    one.configure({'word': 'three'})
    t.is_(one.reload(wait_old=True), True, 'reload')
    t.is_(client.get(one.port).text, 'three', 'with what is new')
    t.ok(not set(before) & set(one.workers()), 'by other workers')
    mark = one.mark()
    one.configure(http=http + 'bogus;')
    one.expect('unknown directive "bogus"')
    t.is_(one.reload(), False, 'a reload that is refused')
    t.ok(one.grep('bogus', mark) and not one.grep('bogus', one.mark()),
         'and logged')
    t.is_(client.get(one.port).text, 'three', 'and changes nothing')
    t.is_(one.quit(), 0, 'quit')
    answers = client.crowd(two.port, [client.build(
        'GET', '/', close=False)] * 200, connections=20)
    t.is_({a.text for a in answers}, {'two'}, 'a crowd is served')
    t.is_(client.parallel(5, lambda n: client.get(two.port).status + n),
          [200, 201, 202, 203, 204], 'in parallel')
    t.like(client.raw(two.port, b'GET / HTTP/1.0\r\n\r\n'), '200 OK',
           'raw bytes')
    ports = [free_port() for _ in range(3)]
    out = script('from akltest import free_port\n'
                 'print("ports", [free_port() for _ in range(500)])\n'
                 't.done_testing()')[1]
    others = set(map(int, re.findall(r'\d+', re.search(
        r'ports \[(.*)\]', out).group(1))))
    t.ok(len(set(ports)) == 3 and len(others) == 500
         and not others & set(ports + [two.port]), 'ports are not shared')


@t.story
def timers_of_a_worker_are_counted_in_its_memory():
    one = t.nginx('''
        server {
            listen 127.0.0.1:@port@;
            client_header_timeout 1h;
            location / { return 200 well; }
        }
    ''', load=False)
    pid = one.workers()[0]

    def count():
        return timers.count(pid, nginx_.BINARY)
    if count() is None:
        t.skip('nginx does not tell where its timers are', 2)
        return
    first = count()
    socks = [client.connect(one.port) for _ in range(9)]
    t.ok(wait_for(lambda: count() == first + 9), 'one each for nine clients',
         count())
    for sock in socks:
        sock.close()
    t.ok(wait_for(lambda: count() == first), 'and none when they have left',
         count())


t.tell()
