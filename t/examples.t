#!/usr/bin/python3
"""The configurations we show to people: all of them are accepted."""

import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import nginx  # noqa: E402
import tokens  # noqa: E402
from akltest import CONFIG, Test, client  # noqa: E402
from examples import ETC, accepted, complaints, stand_ins  # noqa: E402

ROOT = nginx.ROOT

t = Test(need_module=True)


@t.shared
def cluster():
    """The cluster that the README speaks of."""
    return t.cluster()


@t.shared
def files(cluster):
    """What stands for the files of /etc/akl."""
    return stand_ins(cluster)


def readme_conf():
    """Return the nginx.conf of the README."""
    with open(os.path.join(ROOT, 'README.md'), encoding='utf-8') as file:
        blocks = re.findall(r'^```nginx\n(.*?)^```', file.read(),
                            re.M | re.S)
    return next(block for block in blocks if 'load_module' in block)


def examples():
    """Return the text of each configuration we show, by its path.

    Those of the Kubernetes manifests are parts, which t/manifests.t puts
    together.
    """
    shown = {'README.md': readme_conf()}
    for path in sorted(glob.glob(os.path.join(ROOT, 'conf-examples',
                                              '*.conf'))):
        with open(path, encoding='utf-8') as example:
            shown[os.path.relpath(path, ROOT)] = example.read()
    return shown


def run(name, text, files):
    """Run a configuration through nginx -t; return code and output."""
    return accepted(os.path.join(t.dir, re.sub(r'\W', '_', name)), text,
                    files)


@t.story
def each_example_is_accepted_without_a_warning(files):
    shown = examples()
    t.ok(len(shown) > 2, 'there are examples')
    for name, text in shown.items():
        code, output = run(name, text, files)
        t.is_(code, 0, f'{name} is accepted')
        t.is_(complaints(output), [], f'{name} without a warning')


# which would be no test if nginx -t accepted anything

@t.story
def no_example_lets_a_worker_leave_a_core():
    t.is_([name for name, text in examples().items()
           if not re.search(r'^worker_rlimit_core 0;', text, re.M)], [],
          'those without worker_rlimit_core')


@t.story
def a_mistyped_directive_is_not_accepted_and_named(files):
    code, output = run('broken', readme_conf().replace(
        'signing_key ', 'singing_key '), files)
    t.ok(code != 0, 'nginx -t')
    t.like(output, 'singing_key', 'what it says')


def essence(text):
    """Return a configuration without comments and layout."""
    return re.sub(r'#.*', '', text).split()


@t.story
def the_readme_and_the_smallest_example_say_the_same():
    t.is_(essence(readme_conf()),
          essence(examples()['conf-examples/minimal.conf']),
          'README.md and minimal.conf')


@t.shared
def login(cluster, files):
    """Log in to an nginx with the configuration of the README."""
    place = os.path.join(t.dir, 'serving')
    os.makedirs(place)
    inner = re.search(r'^http \{\n(.*)^\}', readme_conf(),
                      re.M | re.S).group(1)
    inner = inner.replace('listen 8000;', 'listen 127.0.0.1:@port@;')
    inner = inner.replace('https://10.0.0.1:6443', cluster.url)
    inner = re.sub(r'k8s_issuer .*;', f'k8s_issuer {tokens.ISSUER};', inner)
    inner = re.sub(
        re.escape(ETC) + r'([\w.]+)', lambda match: tokens.write_file(
            os.path.join(place, match.group(1)), files[match.group(1)]),
        inner)
    port = t.nginx(inner).port

    def send(token):
        return client.post(
            port, f'/v2/auth?k8s-auth-config-name={CONFIG}', None,
            {'Authorization': f'Bearer {token}'})
    return send


@t.story
def the_pod_of_the_readme_is_given_a_token(cluster, login):
    answer = login(cluster.issue())
    t.is_(answer.status, 200, 'a login by the README')
    t.ok('token' in answer.json(), 'the token')


@t.story
def another_pod_than_that_of_the_readme_is_refused(cluster, login):
    cluster.api.pod('my-namespace-a', 'mypod9', 'builder')
    answer = login(cluster.issue(pod='mypod9'))
    t.is_((answer.status, answer.json().get('reason')),
          (403, 'pod_not_bound'), 'a login')


t.tell()
