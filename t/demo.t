#!/usr/bin/python3
"""The demo that newcomers run, and what it leaves for them to try."""

import copy
import json
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import cli  # noqa: E402
import gates  # noqa: E402
import kubectl  # noqa: E402
import nginx  # noqa: E402
import procs  # noqa: E402
from akltest import Test, wait_for  # noqa: E402

DEMO = os.path.join(nginx.ROOT, 't', 'demo', 'demo.py')

t = Test(need_module=True)


def demo(*arguments):
    """Run the demo; return its exit code and what it said."""
    done = subprocess.run([DEMO, *arguments], text=True, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT,
                          env={**os.environ, 'TMPDIR': t.dir})
    return done.returncode, done.stdout


def demo_on_terminal(answer, *arguments):
    """Run the demo on a terminal and type; return code and what it said."""
    done = cli.run_on_terminal(*arguments, binary=DEMO, answer=answer,
                               env={'TMPDIR': t.dir})
    return done.code, done.out


def places():
    """Return the directories of demos that still run."""
    return [name for name in os.listdir(t.dir)
            if name.startswith('akl-demo-')]


@t.own
def cluster():
    """A cluster that is not the demo's own."""
    return t.cluster()


@t.story
def the_demo_counts_what_held_and_cleans_up():
    code, said = demo()
    t.is_(code, 0, 'the demo ends well')
    t.like(said, r'\ndemo: \d+ checks passed\n', 'it counts what held')
    t.is_(places(), [], 'nothing is left')


@t.story
def a_demo_that_is_kept_shows_what_to_try_and_how_to_end_it():
    code, said = demo('--keep')
    t.is_(code, 0, 'it gives the terminal back')

    commands = re.findall(r'^    (curl -s .*\\\n.*)', said, re.M)
    t.is_(len(commands), 2, 'it shows two logins to try')
    answers = [subprocess.run(['sh', '-c', command], stdout=subprocess.PIPE,
                              text=True, check=False).stdout
               for command in commands]
    t.like(answers[0], '"token":', 'the first is given a token')
    t.like(answers[1], 'pod_not_bound', 'the second is refused')

    log = re.search(r'^    tail -f (.*)', said, re.M).group(1)
    with open(log, encoding='utf-8') as file:
        t.like(file.read(), 'refused, pod_not_bound',
               'the log that it names tells of the refusal')

    keeper = int(re.findall(r'^    kill (\d+)$', said, re.M)[-1])
    os.kill(keeper, signal.SIGTERM)
    t.ok(wait_for(lambda: procs.parent_of(keeper) is None),
         'the command that it names ends it')
    t.is_(places(), [], 'nothing is left then')


def kubectl_is_missing():
    """Skip where there is no kubectl; the demo asks a cluster by it."""
    if kubectl.find() is None:
        t.skip('there is no kubectl')
        return True
    return False


def left(cluster):
    """Return what a demo has left in a cluster."""
    return [name for name in cluster.api.uids() if 'akl-demo' in name]


@t.story
def without_kubectl_a_real_cluster_is_out_of_reach(cluster):
    done = subprocess.run(
        [sys.executable, DEMO, '--kubeconfig', cluster.kubeconfig(),
         '--yes'], text=True, check=False, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, env={'PATH': '/nowhere', 'TMPDIR': t.dir})
    t.is_(done.returncode, 1, 'it fails')
    t.like(done.stdout, 'no kubectl: install it', 'and says what is missing')


@t.story
def the_demo_on_a_cluster_makes_what_it_told_and_takes_it_away(cluster):
    if kubectl_is_missing():
        return
    code, said = demo('--kubeconfig', cluster.kubeconfig(), '--yes')
    t.is_(code, 0, 'it ends well')
    t.like(said, r'\ndemo: \d+ checks passed\n', 'it counts what held')
    plan, _, rest = said.partition('making the ')
    told = re.findall(r'^    (\w+) +(\S+?)[,\n]', plan, re.M)
    made = re.findall(r'^making the (\w+) (\S+)', 'making the ' + rest, re.M)
    t.is_(sorted(made), sorted((kind, name.rpartition('/')[2])
                               for kind, name in told),
          'it makes what it told, and nothing else')
    t.is_(left(cluster), [], 'nothing is left in the cluster')
    t.is_(places(), [], 'nor here')
    lines = [one for one in cluster.api.records()
             if one.get('method') == 'DELETE']
    t.is_(len(lines), 3, 'a pod, the binding and the namespace are deleted')


@t.story
def nothing_is_made_in_a_cluster_without_a_yes(cluster):
    if kubectl_is_missing():
        return
    code, said = demo('--kubeconfig', cluster.kubeconfig())
    t.is_(code, 1, 'where nobody can be asked it ends')
    t.like(said, '--yes', 'and says how to answer beforehand')
    if cli.TERMINALS:
        code, said = demo_on_terminal('n\n', '--kubeconfig',
                                      cluster.kubeconfig())
        t.is_(code, 1, 'a no is a no')
        t.like(said, 'nothing was made', 'which is told')
    posts = [one for one in cluster.api.records()
             if one.get('method') == 'POST']
    t.is_(posts, [], 'nothing was made')


@t.story
def a_demo_on_a_cluster_that_is_interrupted_cleans_up(cluster):
    if kubectl_is_missing():
        return
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        with subprocess.Popen(
                [DEMO, '--kubeconfig', cluster.kubeconfig(), '--yes'],
                text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, start_new_session=True,
                env={**os.environ, 'TMPDIR': t.dir}) as process:
            for line in process.stdout:
                if 'making the Pod mypod1' in line:
                    os.killpg(process.pid, number)
        t.is_(process.wait(), 128 + number, f'{number.name} ends it')
        t.is_((left(cluster), places()), ([], []), 'nothing is left')


@t.story
def what_cannot_be_deleted_is_named_with_the_command_that_does(cluster):
    if kubectl_is_missing():
        return
    with subprocess.Popen(
            [DEMO, '--kubeconfig', cluster.kubeconfig(), '--yes'], text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, 'TMPDIR': t.dir}) as process:
        said = ''
        for line in process.stdout:
            said += line
            if 'making the Pod mypod9' in line:
                cluster.api.unlisten()
                cluster.api.drop()
        code = process.wait()
    t.is_(code, 1, 'it fails')
    t.like(said, r'do it by hand: kubectl delete namespace/akl-demo-\w+ '
           r'clusterrolebinding/akl-demo-\w+', 'the command is told')


@t.story
def a_cluster_is_reached_as_the_kubeconfig_says(cluster):
    if kubectl_is_missing():
        return
    with open(cluster.kubeconfig(), encoding='ascii') as file:
        held = json.load(file)
    name = f'kubernetes.default.svc:{cluster.port}'
    proxy = gates.Tunnel({name: ('127.0.0.1', cluster.port)})
    held['clusters'][0]['cluster'].update({
        'server': f'https://{name}', 'tls-server-name': 'localhost',
        'proxy-url': f'http://127.0.0.1:{proxy.port}'})
    code, said = demo('--kubeconfig', t.write(
        'kubeconfig', json.dumps(held)), '--yes')
    t.is_(code, 0, 'it ends well')
    t.like(said, r'\n +k8s_tls_server_name +localhost;',
           'nginx is told the name')
    t.like(said, rf'\n +k8s_proxy +http://127.0.0.1:{proxy.port};',
           'and the proxy')
    proxy.close()


@t.story
def a_kubeconfig_that_nginx_cannot_follow_is_refused(cluster):
    if kubectl_is_missing():
        return
    with open(cluster.kubeconfig(), encoding='ascii') as file:
        held = json.load(file)
    for member, value, why in (
            ('insecure-skip-tls-verify', True, 'is not verified'),
            ('proxy-url', 'socks5://127.0.0.1:1', 'takes an HTTP one'),
            ('proxy-url', 'http://a:hidden@127.0.0.1:1', 'no credentials')):
        changed = copy.deepcopy(held)
        changed['clusters'][0]['cluster'][member] = value
        if value is True:
            changed['clusters'][0]['cluster'].pop(
                'certificate-authority-data')
        code, said = demo('--kubeconfig', t.write(
            'kubeconfig', json.dumps(changed)), '--yes')
        t.is_(code, 1, f'{member} is refused')
        t.like(said, why, 'with the reason')
        t.unlike(said, 'hidden', 'and without a password')


t.tell()
