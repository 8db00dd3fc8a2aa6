#!/usr/bin/python3
"""akl-k8s gateway-create-k8s-auth-config: flags, files, kubeconfigs."""

import base64
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import gates  # noqa: E402
import tokens  # noqa: E402
from akltest import ACCESS_ID, CONFIG, NAMESPACE, Test, client  # noqa: E402
from cli import TERMINALS, Desk, run, run_on_terminal  # noqa: E402

COMMAND = 'gateway-create-k8s-auth-config'


def b64(text):
    """Return base64 of a text, as Akeyless hands out its PEM."""
    return base64.b64encode(text.encode()).decode()


PRV_KEY = b64(tokens.key('RSA-2048', 'gateway').pem(traditional=True))

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod, whose kubectl has an administrator."""
    return t.cluster()


class Maker(Desk):
    """Where a story has auth configs made."""

    def __init__(self, test, cluster):
        super().__init__(test)
        self.cluster = cluster
        self.ca = cluster.api.read('ca.crt')
        self.jwt = cluster.api.read('reviewer.jwt').strip()
        self.hidden = re.escape(self.jwt[:40]) + '|' + PRV_KEY[:40]
        self.page = (
            '--gateway-url', 'https://GW:8000', f'--k8s-host={cluster.url}',
            '--token-reviewer-jwt', self.jwt, '--k8s-ca-cert', b64(self.ca),
            '--k8s-issuer', tokens.ISSUER)
        self.there = ('--k8s-host', cluster.url, '--k8s-ca-cert', cluster.ca)

    def create(self, *args, name=CONFIG, key=PRV_KEY, **kw):
        """Run the command with the flags that are always there."""
        return self.run(COMMAND, '--name', name, '--access-id', ACCESS_ID,
                        '--signing-key', key, *args, **kw)

    def on_terminal(self, *args, **kw):
        """The same on a terminal."""
        return run_on_terminal(COMMAND, '--name', 'x', '--access-id',
                               ACCESS_ID, '--signing-key', PRV_KEY, *args,
                               **kw)

    def starts(self, conf):
        """Say whether nginx would start with a block, and what it says."""
        return t.nginx(self.cluster.method() + f'include {self.dir}/{conf};',
                       start=False).config_test()

    def kubeconfig(self, name='kubeconfig', user=None, cluster=None, **top):
        """Write a kubeconfig; return its path."""
        if user is None:
            made = certs.write_pair(self.dir, 'admin', certs.Authority()
                                    .client('admin', ['system:masters']))
            user = {'client-certificate': os.path.basename(made[0]),
                    'client-key-data': b64(self.read('admin.key'))}
        if cluster is None:
            cluster = {'server': self.cluster.url,
                       'certificate-authority-data': b64(self.ca)}
        return self.write(name, json.dumps({
            'apiVersion': 'v1', 'kind': 'Config', 'current-context': 'here',
            'contexts': [{'name': 'here', 'context': {'cluster': 'c',
                                                      'user': 'u'}}],
            'clusters': [{'name': 'c', 'cluster': cluster}],
            'users': [{'name': 'u', 'user': user}], **top}, indent=1))

    def reviewer(self, *args, name='made'):
        """Have config and reviewer made by a kubeconfig; return Done."""
        return self.create(
            '--from-kubeconfig', self.kubeconfig(), '--create-reviewer',
            '--yes', *args, '--conf', f'{name}.conf', name=name)


@t.own
def desk(cluster):
    """A directory of the story's own."""
    return Maker(t, cluster)


# By the command lines of Akeyless' page

@t.story
def the_pages_own_command_line_makes_an_auth_config(cluster, desk):
    done = desk.create(*desk.page, '--conf', 'page.conf')
    t.is_((done.code, done.err), (0, ''), 'an exit code of 0')
    t.like(done.out, r'K8S Auth Config k8s-conf was created\.', 'says so')
    t.unlike(done.out, desk.hidden, 'no secrets')
    real = os.path.realpath(desk.dir)
    t.is_(desk.read('page.conf'), f"""# made by akl-k8s

akl_k8s_auth_config k8s-conf {{
    access_id {ACCESS_ID};
    signing_key {real}/k8s-conf-signing.pem;
    k8s_host {cluster.url};
    k8s_ca_cert {real}/k8s-conf-ca.crt;
    token_reviewer_jwt {real}/k8s-conf-reviewer.jwt;
    k8s_issuer {tokens.ISSUER};
}}
""", 'the block')
    t.is_((desk.mode('k8s-conf-signing.pem'),
           desk.mode('k8s-conf-reviewer.jwt'), desk.mode('k8s-conf-ca.crt')),
          ('0o600', '0o600', '0o644'), 'secrets are for their owner alone')
    t.is_(desk.read('k8s-conf-reviewer.jwt'), desk.jwt, 'the reviewer')
    code, said = desk.starts('page.conf')
    t.ok(code == 0 and 'warn' not in said, 'nginx -t takes it', said)
    made = desk.create(*desk.page, '--json', '--conf', 'json.conf',
                       name='json').json()
    t.is_(sorted(made), ['block', 'conf', 'files', 'name'], 'as JSON')


@t.story
def a_file_that_is_there_is_replaced_by_force_alone(desk):
    desk.create(*desk.page, '--conf', 'page.conf')
    t.is_(desk.create(*desk.page, '--conf', 'page.conf').code, 2,
          'the file of the block')
    t.is_(desk.create(*desk.page, '--conf', 'page.conf', '--force').code, 0,
          'but for --force')
    t.is_(desk.create(*desk.page, '--conf', 'other.conf').code, 2,
          'nor the files beside another one')
    t.is_(desk.names('other'), [], 'which is not written either')


@t.story
def a_config_through_rancher_leaves_files_where_they_are(cluster, desk):
    key = cluster.file('rancher.key', 'token-abcde:xyz')
    done = desk.create(
        *desk.there, '--cluster-api-type', 'rancher', '--rancher-api-key',
        key, '--rancher-cluster-id', 'c-m-abcd1234', '--k8s-issuer',
        tokens.ISSUER, '--conf', 'rancher.conf', name='a/b "c"')
    t.is_(done.code, 0, 'Rancher')
    t.like(desk.read('rancher.conf'),
           r'akl_k8s_auth_config "a/b \\"c\\"" \{'
           rf'[^#]*k8s_ca_cert {cluster.ca};[^#]*rancher_api_key {key};',
           'their paths')
    t.is_(desk.names('a'), ['a_b__c_-signing.pem'],
          'names of files have no slashes')
    code, said = desk.starts('rancher.conf')
    t.ok(code == 0, 'nginx -t takes it', said)


@t.story
def a_config_with_a_client_certificate_has_its_key_in_a_file(cluster, desk):
    done = desk.create(
        *desk.there, '--k8s-auth-type', 'certificate',
        '--k8s-client-certificate', b64(cluster.api.read('client.crt')),
        '--k8s-client-key', cluster.api.read('client.key'), '--k8s-issuer',
        'a,b', '--k8s-issuer', 'c', '--k8s-jwks', 'auto', '--conf',
        'cert.conf', name='cert')
    t.is_(done.code, 0, 'a client certificate')
    t.is_(desk.mode('cert-client.key'), '0o600', 'its key')
    t.like(desk.read('cert.conf'), 'k8s_issuer a b c;', 'several issuers')
    code, said = desk.starts('cert.conf')
    t.ok(code == 0, 'nginx -t takes it', said)


# On standard output

@t.story
def into_a_pipe_the_block_goes_with_all_that_it_needs(desk):
    done = desk.create(*desk.page)
    t.like(done.out, f'signing_key data:[A-Za-z0-9+/=]+;[^#]*'
           f'token_reviewer_jwt data:{re.escape(desk.jwt)};', 'its secrets')
    desk.write('piped.conf', done.out)
    code, said = desk.starts('piped.conf')
    t.ok(code == 0, 'nginx takes it, too', said)


@t.story
def no_secret_is_shown_on_a_terminal_unless_asked_for(desk):
    if not TERMINALS:
        t.skip('there are no terminals here', 4)
        return
    shown = desk.on_terminal(*desk.page)
    t.is_(shown.code, 2, 'not on a terminal')
    t.unlike(shown.out, desk.hidden, 'no secret')
    t.like(shown.out, '--show-secrets[^#]*--conf FILE', 'but says how')
    t.is_(desk.on_terminal(*desk.page, '--show-secrets').code, 0, 'asked')


# It refuses what nginx -t would, in the same words

def written(options):
    """Return options as directives of nginx's."""
    out = []
    for option, value in zip(options[::2], options[1::2]):
        if option in ('--k8s-ca-cert', '--token-reviewer-jwt',
                      '--rancher-api-key') and value[0] != '/':
            value = 'data:' + value
        out.append(f'{option[2:].replace("-", "_")} "{value}";\n')
    return ''.join(out)


@t.story
def what_nginx_would_refuse_is_refused_in_the_same_words(cluster, desk):
    expired = tokens.k8s_sign(tokens.projected(
        'kube-system', ('r', 'u'), now=1, ttl=60), cluster.key)
    host = ('--k8s-host', cluster.url)
    ca = ('--k8s-ca-cert', cluster.ca)
    iss = ('--k8s-issuer', 'x')
    for what, args in (
            ('no host', (*ca, *iss)), ('no CA', (*host, *iss)),
            ('http', ('--k8s-host', 'http://a', *ca, *iss)),
            ('a bad port', ('--k8s-host', 'https://a:0', *ca, *iss)),
            ('no CA in it', (*host, '--k8s-ca-cert', PRV_KEY, *iss)),
            ('an expired reviewer', (*host, *ca, *iss, '--token-reviewer-jwt',
                                     expired)),
            ('a reviewer that is none', (*host, *ca, *iss,
                                         '--token-reviewer-jwt', 'x.y')),
            ("Rancher's key without Rancher", (*host, *ca, *iss,
                                               '--rancher-api-key', 'k:v')),
            ('Rancher without its key', (*host, *ca, *iss, '--cluster-api-type',
                                         'rancher')),
            ('a reviewer with a certificate', (
                *host, *ca, *iss, '--k8s-auth-type', 'certificate',
                '--token-reviewer-jwt', desk.jwt)),
            ('a certificate without its key', (
                *host, *ca, *iss, '--k8s-auth-type', 'certificate',
                '--k8s-client-certificate', cluster.dir + '/client.crt')),
            ('a key of another certificate', (
                *host, *ca, *iss, '--k8s-auth-type', 'certificate',
                '--k8s-client-certificate', cluster.dir + '/client.crt',
                '--k8s-client-key', cluster.dir + '/server.key')),
            ('a cluster id', (*host, *ca, *iss, '--cluster-api-type', 'rancher',
                              '--rancher-api-key', 'k:v',
                              '--rancher-cluster-id', 'a/b')),
            ('an empty issuer', (*host, *ca, '--k8s-issuer', ''))):
        done = desk.create(*args, '--conf', 'refused.conf', name='refused')
        t.is_((done.code, done.out), (2, ''), f'{what}: refused')
        message = re.sub('^akl-k8s [^:]*: ', '', done.err.splitlines()[-1])
        code, said = t.nginx(cluster.method() + f"""
            akl_k8s_auth_config refused {{
                access_id {ACCESS_ID};
                signing_key "data:{PRV_KEY}";
                {written(args)}
            }}""", start=False).config_test()
        t.ok(code != 0, f'{what}: by nginx, too', said)
        t.ok(re.sub(' in the block.*', '', message) in said,
             f'{what}: in the same words', message, said)
    t.is_(desk.names('refused'), [], 'and nothing was written')


@t.story
def a_signing_key_that_will_not_do_is_refused(desk):
    weak = desk.write('weak.pem', tokens.key('RSA-1024', 'gateway').pem())
    for bad, said in ((weak, 'smaller than 2048 bits'),
                      ('junk', 'neither PEM'),
                      ('/nowhere.pem', 'No such file')):
        done = desk.create(*desk.page, key=bad)
        t.is_(done.code, 2, f'{os.path.basename(bad)}')
        t.like(done.err, said, 'with the cause')
    t.like(run(COMMAND, '--name', 'x', '--signing-key', 'y').err,
           '"--access-id" is missing', 'what is missing')


@t.story
def it_warns_as_nginx_does(desk):
    t.like(desk.create(*desk.there).err, 'warning: k8s_issuer .* left at',
           'of an issuer that was left out')


# From a kubeconfig

@t.story
def a_kubeconfig_tells_host_ca_and_issuer(cluster, desk):
    path = desk.kubeconfig()
    done = desk.create('--from-kubeconfig', path, '--conf', 'kube.conf',
                       name='kube')
    t.is_(done.code, 0, 'a kubeconfig')
    t.like(done.err,
           r'^warning: token_reviewer_jwt .*left at "self".*reviews\n$',
           'without a reviewer')
    t.is_(desk.read('kube-ca.crt').strip(), desk.ca.strip(), 'its CA')
    t.like(desk.read('kube.conf'), f'k8s_host {cluster.url};[^#]*'
           f'k8s_issuer {tokens.ISSUER};', 'host and issuer')
    t.is_(desk.create('--from-kubeconfig', path, '--context', 'there').code,
          2, '--context')
    t.is_(desk.create(*desk.page, '--create-reviewer').code, 2,
          '--create-reviewer needs one')
    t.unlike(run('keys', 'jwks', path).both(), NAMESPACE,
             'and no key is in it')


@t.story
def a_reviewer_is_made_where_that_is_wanted(cluster, desk):
    made = desk.reviewer()
    t.is_(made.code, 0, '--create-reviewer')
    for kind in ('ServiceAccount', 'ClusterRoleBinding', 'TokenRequest'):
        t.like(made.err, f'"kind": "{kind}"', f'{kind} is shown')
    t.unlike(made.both(), re.escape(desk.read('made-reviewer.jwt')[:60]),
             'but no token')
    t.ok('account/kube-system/akl-reviewer' in cluster.api.uids(),
         'the account is made')
    payload = tokens.decode(desk.read('made-reviewer.jwt'))[1]
    t.is_(payload['sub'], 'system:serviceaccount:kube-system:akl-reviewer',
          'its token')
    t.is_(payload['exp'] - payload['iat'], 8760 * 3600, 'for a year')
    again = desk.reviewer('--reviewer-token', 'secret', name='again')
    t.is_(again.code, 0, 'once more, with the token of a Secret')
    t.like(again.err, 'ServiceAccount kube-system/akl-reviewer is there '
           'already', 'what is there stays')
    t.ok('exp' not in tokens.decode(desk.read('again-reviewer.jwt'))[1],
         'that has no end')


@t.story
def a_person_is_asked_before_anything_is_made(cluster, desk):
    path = desk.kubeconfig()
    if TERMINALS:
        for answer, code in (('n\nn\nn\n', 1), ('a\n', 0), ('y\ny\ny\n', 0)):
            done = desk.on_terminal(
                '--from-kubeconfig', path, '--create-reviewer', '--force',
                '--reviewer-name', f'asked{answer[0]}', '--conf',
                desk.path('asked.conf'), answer=answer)
            t.is_(done.code, code, f'told {answer.split()}')
            t.is_(f'account/kube-system/asked{answer[0]}'
                  in cluster.api.uids(), code == 0, 'which is what counts')
    else:
        t.skip('there are no terminals here', 6)
    done = desk.create('--from-kubeconfig', path, '--create-reviewer')
    t.is_(done.code, 2, 'nobody to ask')
    t.like(done.err, 'say "--yes"', 'said so')


@t.story
def what_was_made_leads_to_the_first_login(cluster, desk):
    desk.reviewer()
    nginx = t.nginx(cluster.method() + f'include {desk.dir}/made.conf;' + """
        server {
            listen 127.0.0.1:@port@;
            location = /v2/auth { akl_k8s_auth; }
        }
    """)
    answer = client.post(nginx.port, '/v2/auth',
                         cluster.login(cluster.issue(), 'made'))
    t.is_(answer.status, 200, 'a login')
    done = run('doctor', 'made', '--config', nginx.dir + '/nginx.conf',
               '--json')
    t.is_((done.code, [one for one in done.json()
                       if one['outcome'] == 'failed']), (0, []),
          'the doctor agrees')


@t.story
def an_issuer_that_is_no_https_url_is_told_by_tokens_alone(desk):
    old = t.cluster(name='old', issuer='api')
    path = desk.kubeconfig(cluster={'server': old.url,
                                    'certificate-authority': old.ca})
    done = desk.create('--from-kubeconfig', path, '--conf', 'old.conf',
                       name='old')
    t.is_(done.code, 1, 'without a token nobody knows it')
    t.like(done.err, 'does not tell its issuer .404.*\n.*--k8s-issuer',
           'and that is said')
    done = desk.create('--from-kubeconfig', path, '--conf', 'old.conf',
                       '--create-reviewer', '--yes', name='old')
    t.is_(done.code, 0, "the reviewer's own token tells it")
    t.like(desk.read('old.conf'), 'k8s_issuer api;', 'that is it')


@t.story
def a_cluster_behind_walls_is_reached_as_the_kubeconfig_says(cluster, desk):
    name = 'kubernetes.default.svc'
    proxy = gates.Tunnel({'10.0.0.1:6443': ('127.0.0.1', cluster.port)})
    url = f'http://127.0.0.1:{proxy.port}'
    path = desk.kubeconfig(cluster={
        'server': 'https://10.0.0.1:6443', 'proxy-url': url,
        'tls-server-name': name, 'certificate-authority-data': b64(desk.ca)})
    done = desk.create('--from-kubeconfig', path, '--conf', 'walls.conf',
                       '--create-reviewer', '--yes', name='walls',
                       env={'no_proxy': '*', 'NO_PROXY': '*'})
    t.is_((done.code, set(proxy.connects())), (0, {'10.0.0.1:6443'}),
          'by the proxy')
    t.ok(not any('authorization' in head.lower() for head in proxy.heads),
         'which sees no credential')
    t.is_(cluster.api.records()[-1]['sni'], name, 'and by the name')
    t.like(desk.read('walls.conf'), f'k8s_tls_server_name {name};\\s+'
           f'k8s_proxy {url};', 'both are in the block')
    t.is_(desk.starts('walls.conf')[0], 0, 'which nginx takes')
    done = desk.create('--from-kubeconfig', path, '--conf', 'own.conf',
                       '--k8s-host', cluster.url, name='own')
    t.is_(done.code, 0, 'a host of its own')
    t.unlike(desk.read('own.conf'), 'k8s_proxy|k8s_tls_server_name',
             'is reached in its own way')


# Kubeconfigs that will not do

@t.story
def a_kubeconfig_that_will_not_do_is_refused_with_the_cause(cluster, desk):
    token = {'token': cluster.api.read('norights.jwt').strip()}
    for what, made, code, said in (
            ('exec', {'user': {'exec': {'command': 'aws\x1b[2J'}}}, 2,
             r'by running "aws\\x1b\[2J": akl-k8s runs no programs.*token'),
            ('a plugin', {'user': {'auth-provider': {'name': 'gcp'}}}, 2,
             'runs no programs'),
            ('a password', {'user': {'username': 'a', 'password': 'b'}}, 2,
             'neither token nor client certificate.*passwords'),
            ('impersonation', {'user': {**token, 'as': 'root'}}, 2,
             'act as somebody else'),
            ('no verification', {'cluster': {
                'server': cluster.url, 'insecure-skip-tls-verify': True}}, 2,
             'does not verify the cluster "c"'),
            ('a proxy of another kind', {'cluster': {
                'server': cluster.url, 'proxy-url': 'socks5://proxy'}}, 2,
             'proxy-url.*other kinds of proxies.*--k8s-host'),
            ('a name that is none', {'cluster': {
                'server': cluster.url, 'tls-server-name': 'a:1'}}, 2,
             'tls-server-name.*must be a name'),
            ('no server', {'cluster': {'x': 1}}, 2, 'no server'),
            ('broken base64', {'cluster': {
                'server': cluster.url, 'certificate-authority-data': '!'}}, 2,
             'no base64'),
            ('a missing file', {'user': {'tokenFile': 'nowhere'}}, 2,
             'tokenFile'),
            ('no context', {'current-context': ''}, 2, 'no current-context'),
            ('another context', {'current-context': 'there'}, 2,
             'no context called "there"'),
            ('no users', {'users': []}, 2, 'no user called "u"'),
            ('a stranger', {'user': {'token': 'x.y.z'}}, 1, 'does not accept'),
            ('no cluster there', {'cluster': {
                'server': 'https://127.0.0.1:1',
                'certificate-authority-data': b64(desk.ca)}}, 3,
             'Connection refused')):
        done = desk.create('--from-kubeconfig',
                           desk.kubeconfig('bad', **made), '--conf',
                           'bad.conf', name='bad')
        t.is_((done.code, done.out), (code, ''), f'one with {what}')
        t.like(done.err, said, 'says what is wrong')
    for text, said in (('a: [', 'is no YAML: .* in line'),
                       ('', 'no kubeconfig'), ('- 1', 'no kubeconfig'),
                       ('&a [*a]', 'no '),
                       ('x: &a {y: *a}', 'no current-context')):
        done = desk.create('--from-kubeconfig', desk.write('bad', text))
        t.is_(done.code, 2, f'{text!r} is none')
        t.like(done.err, said, 'says so')


@t.story
def a_kubeconfig_without_the_rights_makes_no_reviewer(cluster, desk):
    path = desk.kubeconfig(
        user={'token': cluster.api.read('norights.jwt').strip()})
    done = desk.create('--from-kubeconfig', path, '--conf', 'few.conf',
                       '--create-reviewer', '--yes', name='few')
    t.is_(done.code, 1, 'a refusal')
    t.like(done.err,
           'forbidden.*\n  try: a kubeconfig of somebody who may',
           'says who has them')


t.tell()
