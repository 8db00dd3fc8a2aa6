#!/usr/bin/python3
"""docs/migrate.md: what it says of moving over from other gateways."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import nginx as nginx_  # noqa: E402
import tokens  # noqa: E402
from akltest import ACCESS_ID, NAMESPACE, Test, client  # noqa: E402
from akltest import wait_for  # noqa: E402
from cli import Desk  # noqa: E402

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


def former(_):
    """Answer as the gateway that was there before."""
    return 200, [('Content-Type', 'application/json')], '{"token":"former"}'


def example():
    """Return formats, locations and upstream of the example."""
    with open(os.path.join(nginx_.ROOT, 'conf-examples', 'migrate.conf'),
              encoding='utf-8') as file:
        text = file.read()
    formats = re.search(r'^ {4}log_format shadow.*?(?=^    # whose)', text,
                        re.M | re.S)[0]
    locations = re.search(r'^ {8}location = /v2/auth.*?(?=^ {4}\})', text,
                          re.M | re.S)[0]
    return formats, locations


class Move:
    """The example's nginx, before a former gateway of ours."""

    def __init__(self, cluster, served_by, bound_namespaces=NAMESPACE):
        self.mock = t.mock(former)
        formats, locations = example()
        self.nginx = t.nginx(f'''
            {formats}
            geo $served_by {{ default {served_by}; }}
            upstream former {{ server 127.0.0.1:{self.mock.port}; }}
            @method@
            @config@
            server {{
                listen 127.0.0.1:@port@;
                {locations}
            }}
        '''.replace('/var/log/nginx/', '@dir@/'),
            method=cluster.method(bound_namespaces=bound_namespaces),
            config=cluster.config())

    def lines(self, name):
        """Return what a log of the example holds."""
        try:
            with open(os.path.join(self.nginx.dir, name),
                      encoding='utf-8') as file:
                return [json.loads(line) for line in file
                        if line.endswith('\n')]
        except FileNotFoundError:
            return []

    def line(self, name):
        """Wait for a log's line, which follows the answer; return it."""
        line, = wait_for(lambda: self.lines(name))
        return line


# what each flag is tried with; None is what is made when it is tried

PAGE = {
    'create-auth-method-k8s': {
        'name': 'my-method', 'bound-namespaces': 'a,b',
        'bound-pod-names': 'mypod1', 'bound-sa-names': 'builder',
        'bound-ips': '10.0.0.0/8', 'gw-bound-ips': '10.0.0.0/8',
        'audience': 'api', 'access-expires': '4102444800', 'jwt-ttl': '20',
        'gen-key': 'true', 'public-key': None, 'force-sub-claims': 'true',
        'audit-logs-claims': 'namespace', 'description': 'for builders',
        'json': 'true'},
    'gateway-create-k8s-auth-config': {
        'name': 'k8s-conf', 'gateway-url': 'https://gw:8000',
        'access-id': ACCESS_ID, 'signing-key': None, 'token-exp': '300',
        'cluster-api-type': 'native-k8s', 'k8s-auth-type': 'token',
        'k8s-host': 'https://10.0.0.1:8443', 'k8s-ca-cert': None,
        'token-reviewer-jwt': None, 'k8s-client-certificate': None,
        'k8s-client-key': None, 'rancher-api-key': 'token-abcde:0123456789',
        'rancher-cluster-id': 'c-m-abcd1234', 'k8s-issuer': 'api',
        'disable-issuer-validation': 'true',
        'use-gw-service-account': 'true', 'json': 'true'},
    'auth': {
        'access-id': ACCESS_ID, 'access-type': 'k8s', 'gateway-url': None,
        'k8s-auth-config-name': 'k8s-conf', 'k8s-token-path': None,
        'json': 'true'},
}

# flags that come with others, or in place of them

WITH = {
    'public-key': {'gen-key': None},
    'k8s-client-certificate': {
        'k8s-auth-type': 'certificate', 'k8s-client-key': True,
        'token-reviewer-jwt': None},
    'k8s-client-key': {
        'k8s-auth-type': 'certificate', 'k8s-client-certificate': True,
        'token-reviewer-jwt': None},
    'rancher-api-key': {
        'cluster-api-type': 'rancher', 'rancher-cluster-id': True,
        'token-reviewer-jwt': None},
    'rancher-cluster-id': {
        'cluster-api-type': 'rancher', 'rancher-api-key': True,
        'token-reviewer-jwt': None},
}


def page():
    """Return docs/migrate.md."""
    with open(os.path.join(nginx_.ROOT, 'docs', 'migrate.md'),
              encoding='utf-8') as file:
        return file.read()


def rows(command):
    """Return what each flag of a command becomes, from its table."""
    part = re.split(r'^#+ ', page().split(f'\n`{command}`')[1], flags=re.M)[0]
    return dict(re.findall(r'^\| `--([a-z0-9-]+)` \| (.*?) \|', part, re.M))


def directives(block):
    """Return the directives of a block, with its own and its comment."""
    found = set(re.findall(r'^ {4}(\w+) ', block, re.M))
    found |= set(re.findall(r'^(\w+) \S+ \{', block, re.M))
    return found | ({'a comment'} if re.search(r'^# my-method', block, re.M)
                    else set())


def plain(block):
    """Return a block without what is made anew each time."""
    return re.sub(r'\S+/folder\d+/|\bp-\w+', '', block)


class Maker:
    """Runs the commands that set up, with the flags of their pages."""

    def __init__(self, cluster):
        pair = certs.Authority().client('akl', ['system:masters'])
        self.values = {
            'public-key': tokens.key('RSA-2048', 'gateway').public_pem(),
            'signing-key': tokens.key('RSA-2048', 'gateway').pem(),
            'k8s-ca-cert': cluster.api.read('ca.crt'),
            'token-reviewer-jwt': cluster.api.read('reviewer.jwt').strip(),
            'k8s-client-certificate': pair[0], 'k8s-client-key': pair[1]}

    def value(self, command, name):
        """Return what a flag is tried with."""
        return self.values.get(name) or PAGE[command][name]

    def block(self, command, flags):
        """Run a command with these flags; return the block that it writes."""
        desk = Desk(t)
        args = [f'--{name}={value}' for name, value in flags.items()]
        done = desk.run(command, *args, '--conf', 'block.conf', env={
            'KUBERNETES_SERVICE_HOST': '10.0.0.1',
            'KUBERNETES_SERVICE_PORT': '443'})
        if done.code != 0:
            return f'{done.code}: {done.err}'
        return desk.read('block.conf')

    def least(self, command):
        """Return the flags that a command cannot do without."""
        if command == 'create-auth-method-k8s':
            return {'name': 'my-method'}
        return {name: self.value(command, name) for name in (
            'name', 'access-id', 'signing-key', 'k8s-host', 'k8s-ca-cert',
            'token-reviewer-jwt', 'k8s-issuer')}

    def becomes(self, command, name):
        """Return what is in the block for a flag, and only for it."""
        with_it = self.least(command)
        for other, value in {**WITH.get(name, {}), name: True}.items():
            with_it.pop(other, None)
            if value:
                with_it[other] = self.value(command, other) \
                    if value is True else value
        without = {other: value for other, value in with_it.items()
                   if other != name}
        return (self.block(command, with_it), self.block(command, without))


@t.story
def the_tables_have_each_flag_of_akeyless_page_and_no_other():
    for command, flags in PAGE.items():
        t.is_(sorted(rows(command)), sorted(flags), command)


@t.story
def each_flag_becomes_what_its_row_says(cluster):
    maker = Maker(cluster)
    for command in list(PAGE)[:2]:
        for name, told in rows(command).items():
            block, without = maker.becomes(command, name)
            word = told.strip('`')
            if word == 'nothing':
                t.is_(plain(block), plain(without), f'--{name}: nothing')
                continue
            t.ok(word in directives(block), f'--{name}: {word}', block)
            # what cannot be left out is an error, what has a default is there
            t.ok(re.match(r'\d: .*', without)
                 or word not in directives(without)
                 or name in maker.least(command) or word == 'public_key',
                 f'--{name}: and by nothing else', without)


@t.story
def the_flags_of_a_login_are_members_of_its_request(cluster):
    seen = []

    def gateway(request):
        seen.append(json.loads(request['body']))
        return former(request)

    mock = t.mock(gateway)
    desk = Desk(t)
    desk.write('token', cluster.issue())
    values = {'gateway-url': f'http://127.0.0.1:{mock.port}',
              'k8s-token-path': 'token'}
    done = desk.run('auth', *(
        f'--{name}={values.get(name, value)}'
        for name, value in PAGE['auth'].items()))
    t.is_(done.code, 0, 'the login')
    told = {match[1] for match in (
        re.match(r'`(\S+)` of the request$', told)
        for told in rows('auth').values()) if match}
    t.is_(sorted(seen[0]), sorted(told), 'the members of the request')


@t.story
def each_directive_that_the_page_names_is_in_the_manual():
    with open(os.path.join(nginx_.ROOT, 'docs', 'directives.md'),
              encoding='utf-8') as file:
        known = set(re.findall(r'^### `(\w+)`$', file.read(), re.M))
    named = {told.strip('`') for command in list(PAGE)[:2]
             for told in rows(command).values()} - {'nothing', 'a comment'}
    vault = re.findall(r'^\| `[a-z_]+` \| (.*?) \|',
                       page().split('## From Vault')[1], re.M)
    t.ok(len(vault) > 15, 'the parameters of Vault')
    named |= {told.strip('`') for told in vault} - {'nothing'}
    t.is_(sorted(named - known), [], 'those that are not')


@t.story
def before_the_move_a_login_is_tried_here_and_answered_there(cluster):
    move = Move(cluster, 'former')
    body = cluster.login(cluster.issue())
    answer = client.post(move.nginx.port, '/v2/auth', body)
    t.is_(answer.json(), {'token': 'former'}, 'the answer')
    copy = move.line('shadow.log')
    t.is_((copy['outcome'], copy['pod']), ('ok', 'mypod1'), 'of the copy')
    login = move.line('login.log')
    t.is_((login['status'], login['served_by'], login['request_id']),
          (200, 'former', copy['request_id']), 'of the login')


@t.story
def a_login_that_only_this_gateway_would_refuse_is_told_of(cluster):
    move = Move(cluster, 'former', bound_namespaces='elsewhere')
    answer = client.post(move.nginx.port, '/v2/auth',
                         cluster.login(cluster.issue()))
    t.is_(answer.json(), {'token': 'former'}, 'the answer')
    t.is_(move.line('shadow.log')['outcome'], 'namespace_not_bound',
          'of the copy')
    move.nginx.wait_log(r'refused, namespace_not_bound')


@t.story
def a_cluster_that_does_not_answer_keeps_no_former_login_waiting(cluster):
    move = Move(cluster, 'former')
    cluster.api.fault('hold')
    answer = client.post(move.nginx.port, '/v2/auth',
                         cluster.login(cluster.issue()))
    t.is_(answer.json(), {'token': 'former'}, 'the answer')
    t.ok(wait_for(lambda: cluster.api.stats()['in_flight'] == 1),
         'while the copy waits')
    t.is_(move.lines('shadow.log'), [], 'and has none')
    cluster.api.release()
    t.is_(move.line('shadow.log')['outcome'], 'ok', 'but gets one')


@t.story
def a_client_that_has_moved_is_answered_here_alone(cluster):
    move = Move(cluster, 'akl_k8s')
    answer = client.post(move.nginx.port, '/v2/auth',
                         cluster.login(cluster.issue()))
    minted = tokens.verify(answer.json()['token'],
                           tokens.key('RSA-2048', 'gateway'))
    t.is_(minted['pod_name'], 'mypod1', 'the answer')
    t.is_(move.mock.requests, [], 'what the former gateway was asked')
    login = move.line('login.log')
    t.is_((login['served_by'], login['outcome']), ('akl_k8s', 'ok'),
          'of the login')
    t.is_(client.post(move.nginx.port, '/v2/get-secret-value', {}).json(),
          {'token': 'former'}, 'all else is still there')


t.tell()
