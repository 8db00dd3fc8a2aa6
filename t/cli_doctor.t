#!/usr/bin/python3
"""akl-k8s doctor: the right cause, and the right cure."""

import json
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import gates  # noqa: E402
import tokens  # noqa: E402
from akltest import ACCESS_ID, CONFIG, NAMESPACE, Test, free_port  # noqa
from cli import BINARY, TERMINALS, Desk, run, run_on_terminal  # noqa: E402

DAY = 86400
USER = 'user root;\n' if os.geteuid() == 0 else ''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def pod(cluster):
    """The file of that pod's token."""
    return t.write('pod.jwt', cluster.issue(ttl=300 * DAY))


class Surgery(Desk):
    """Where a story sees the doctor about one auth config."""

    def __init__(self, test, cluster):
        super().__init__(test)
        self.cluster = cluster
        self.now = time.time()

    def conf(self, methods=None, **members):
        """Write an nginx.conf with members changed; return its path."""
        return self.write('nginx.conf', USER + 'events { }\nhttp {\n'
                          + (methods or self.cluster.method())
                          + self.cluster.config(**members) + '}\n')

    def doctor(self, *args, methods=None, json=True, binary=None, **members):
        """Run doctor on that."""
        more = {'binary': binary} if binary else {}
        return run('doctor', '--config', self.conf(methods, **members),
                   *(['--json'] if json else []), *args, **more)

    def well(self, what, *args, **kw):
        """Test that nothing is wrong; return Done."""
        done = self.doctor(*args, **kw)
        t.is_((done.code, failed(done)), (0, []), what)
        return done

    def names(self, what, code, check, text, cure, *args, **kw):
        """Test that one failure is found, with cause and cure."""
        done = self.doctor(*args, **kw)
        found = failed(done)
        t.is_((done.code, [one['check'] for one in found]), (code, [check]),
              f'{what}: the one thing that is wrong')
        if found:
            t.like(found[0]['text'], text, f'{what}: its cause')
            t.like(found[0].get('cure', ''), cure, f'{what}: its cure')

    def reviewer(self, name, account=('akl-system', 'reviewer'), key=None,
                 ttl=DAY * 90):
        """Write a reviewer's token of yesterday; return its path."""
        uid = self.cluster.api.uids().get('account/' + '/'.join(account),
                                          'gone')
        return self.write(name, tokens.k8s_sign(tokens.projected(
            account[0], (account[1], uid), now=self.now - DAY,
            ttl=ttl + DAY), key or self.cluster.key))


@t.own
def desk(cluster):
    """A directory of the story's own."""
    return Surgery(t, cluster)


def found(done, outcome):
    """Return the findings of one outcome."""
    return [one for one in done.json() if one['outcome'] == outcome]


def failed(done):
    """Return the findings that are failures."""
    return found(done, 'failed')


# All is well

@t.story
def each_check_has_its_line_where_all_is_well(cluster, desk, pod):
    done = desk.well('nothing is wrong')
    t.is_([one['check'] for one in done.json()],
          ['config', 'files', 'reviewer', 'port', 'tls', 'clock', 'rights',
           'review', 'issuer', 'keys'], 'the checks')
    words = desk.doctor(json=False)
    t.like(words.out, r'(?m)^auth config "k8s-conf"$', 'in words')
    t.like(words.out, r'(?m)^ok    tls       the certificate verifies, is '
           r'for "127.0.0.1", and ends in (364 days|1 year)$',
           'a line for each')
    t.unlike(words.out, '\x1b', 'without colours')
    for secret in (cluster.reviewer, pod):
        with open(secret, encoding='ascii') as file:
            text = file.read().strip().rsplit('.', 1)[1]
        t.unlike(words.out, text[:40], 'no token in what it says')
    t.is_(ACCESS_ID in words.out, False, 'nor what is of no use')
    if TERMINALS:
        t.like(run_on_terminal('doctor', '--config',
                               desk.path('nginx.conf')).out,
               '\x1b\\[32mok', 'but colours on a terminal')
    else:
        t.skip('there are no terminals here', 1)


@t.story
def a_host_by_name_and_keys_and_a_pod_are_looked_at_too(cluster, desk, pod):
    done = desk.well('nothing is wrong', '--k8s-token-path', pod,
                     k8s_jwks='auto', k8s_host=cluster.url.replace(
                         '127.0.0.1', 'localhost') + '/')
    t.like(str(done.json()), 'its token would be let in',
           'the pod would log in')


# What the issue of a bad night may be

@t.story
def a_wrong_ca_is_found(desk):
    authority = certs.Authority('another CA',
                                tokens.key('P-256', 'another-ca'))
    other_ca = desk.write('other-ca.crt', authority.pem)
    desk.names('a wrong CA', 1, 'tls',
               'of CN = akl test CA, is not signed by the k8s_ca_cert',
               'kubectl config view .*--flatten .*base64 -d > '
               + re.escape(other_ca), k8s_ca_cert=other_ca)


@t.story
def a_host_where_nobody_listens_is_found(cluster, desk):
    desk.names('another address', 3, 'port', 'Connection refused',
               'kubectl cluster-info',
               k8s_host=cluster.url.replace('127.0.0.1', '127.0.0.2'))
    desk.names('a name that is none', 3, 'name', 'does not resolve',
               'getent hosts no-such-host.invalid',
               k8s_host='https://no-such-host.invalid:6443')
    desk.names('a closed port', 3, 'port',
               'no connection to port .*Connection refused', 'firewalls',
               k8s_host=f'https://127.0.0.1:{free_port()}')


@t.story
def it_goes_the_way_that_the_config_says(cluster, desk):
    name = 'kubernetes.default.svc'
    proxy = gates.Tunnel({'no.such.example:6443':
                          ('127.0.0.1', cluster.port)})
    walls = {'k8s_host': 'https://no.such.example:6443',
             'k8s_tls_server_name': name,
             'k8s_proxy': f'http://127.0.0.1:{proxy.port}'}
    done = desk.well('through a proxy, by another name', **walls)
    t.like(str(found(done, 'ok')), f'by {walls["k8s_proxy"]}.*'
           f'is for "{name}"', 'it says so')
    t.is_(set(proxy.connects()), {'no.such.example:6443'}, 'all of it')
    desk.names('a name that the certificate does not have', 1, 'tls',
               'not for "kubernetes.else"', 'k8s_tls_server_name',
               **{**walls, 'k8s_tls_server_name': 'kubernetes.else'})
    for status in (407, 502):
        proxy.status = status
        desk.names('a proxy that refuses', 3, 'port',
                   f'the proxy does not connect to port 6443.*{status}',
                   'allow CONNECT to no.such.example:6443', **walls)
    proxy.close()
    desk.names('a proxy that is away', 3, 'port', 'efused', 'cluster-info',
               **walls)


@t.story
def a_host_that_the_certificate_does_not_have_is_found(cluster, desk):
    cluster.api.unlisten()
    cluster.api.listen('0.0.0.0', cluster.port)
    desk.names('a wrong host', 1, 'tls', 'is not for "127.0.0.2" but for '
               'localhost, kubernetes.default.svc, 127.0.0.1, ::1',
               'as the certificate has it',
               k8s_host=cluster.url.replace('127.0.0.1', '127.0.0.2'))


@t.story
def what_is_no_api_server_is_found(cluster, desk):
    nginx = t.nginx(
        'server { listen 127.0.0.1:@port@; return 200 "<html>"; }'
        'server { listen 127.0.0.1:@port1@ ssl; return 200 "<html>";'
        f'ssl_certificate {cluster.dir}/server.crt;'
        f'ssl_certificate_key {cluster.dir}/server.key; }}')
    desk.names('a port of plain HTTP', 1, 'tls', 'does not speak TLS',
               'is that the API server',
               k8s_host=f'https://127.0.0.1:{nginx.port}')
    desk.names('a web server', 1, 'rights', 'there is no Kubernetes API',
               '/version has to name',
               k8s_host=f'https://127.0.0.1:{nginx.port_of("port1")}')
    desk.names('a wrong path', 1, 'rights',
               'there is no Kubernetes API at .*/proxy', 'path of k8s_host',
               k8s_host=cluster.url + '/proxy')


@t.story
def an_expired_certificate_is_found(cluster, desk):
    cluster.api.certificate(*certs.write_pair(
        desk.dir, 'expired', certs.Authority().server(days=-2)))
    desk.names('a certificate of last week', 1, 'tls',
               'certificate ended 2 days ago', 'kubeadm certs')


# The reviewer

@t.story
def an_expired_reviewer_is_found(desk):
    done = desk.doctor(
        token_reviewer_jwt=desk.reviewer('old.jwt', ttl=-2 * 3600))
    t.is_([one['check'] for one in failed(done)], ['reviewer', 'reviewer'],
          'by its token and by the API server')
    t.like(failed(done)[0]['text'], "token ended 2 hours ago", 'its cause')
    t.like(failed(done)[0]['cure'], 'kubectl create token reviewer -n '
           f'akl-system --duration=8760h > {desk.dir}/old.jwt', 'its cure')


@t.story
def a_deleted_reviewer_is_found(cluster, desk):
    cluster.api.positive_cache(0)
    cluster.api.account('akl-system', 'leaver')
    cluster.api.delegate('system:serviceaccount:akl-system:leaver')
    leaver = desk.reviewer('leaver.jwt', ('akl-system', 'leaver'))
    t.is_(desk.doctor(token_reviewer_jwt=leaver).code, 0, 'a reviewer')
    cluster.api.delete('account', 'akl-system', 'leaver')
    desk.names('its account is gone', 1, 'reviewer',
               'does not know the reviewer: its account was deleted, or',
               'kubectl get serviceaccount leaver -n akl-system '
               '.*> .*leaver.jwt', token_reviewer_jwt=leaver)


@t.story
def a_reviewer_of_another_cluster_or_without_rights_is_found(cluster, desk):
    desk.names("another cluster's", 1, 'reviewer', 'of another cluster',
               'kubectl create token', token_reviewer_jwt=desk.reviewer(
                   'stranger.jwt', key=tokens.key('RSA-2048', 'other')))
    desk.names('one without RBAC', 1, 'rights',
               'may not create tokenreviews',
               'kubectl create clusterrolebinding norights-auth-delegator '
               '--clusterrole=system:auth-delegator '
               f'--serviceaccount={NAMESPACE}:norights',
               token_reviewer_jwt=cluster.dir + '/norights.jwt')


@t.story
def a_client_certificate_needs_the_right_to_review(cluster, desk):
    cert = {'k8s_auth_type': 'certificate', 'token_reviewer_jwt': None,
            'k8s_client_certificate': cluster.dir + '/client.crt',
            'k8s_client_key': cluster.dir + '/client.key'}
    cluster.api.discover('akl')
    desk.well('a client certificate', k8s_jwks='auto', **cert)
    cert.update(k8s_client_certificate=cluster.dir + '/client-norights.crt',
                k8s_client_key=cluster.dir + '/client-norights.key')
    desk.names('one without RBAC', 1, 'rights',
               'may not create tokenreviews',
               '--clusterrole=system:auth-delegator --user=', **cert)
    cluster.api.delegate('nobody')
    desk.names('JWKS 403', 1, 'keys',
               'may not read the cluster.s keys ./openid/v1/jwks',
               '--clusterrole=system:service-account-issuer-discovery',
               k8s_jwks='auto', **cert)


# Labels of the pod's namespace

LABELS = {'team': 'payments', 'stage': ''}
SELECTOR = 'team=payments stage='
READER = 'system:serviceaccount:akl-system:reviewer'


@t.story
def a_reviewer_that_may_not_get_namespaces_is_found(cluster, desk, pod):
    methods = cluster.method(bound_namespace_selector=SELECTOR)
    for args in ((), ('--k8s-token-path', pod)):
        desk.names(f'asked with {args[:1]}', 1, 'labels',
                   f'may not get namespace "{NAMESPACE}", which '
                   'bound_namespace_selector needs',
                   'kubectl create clusterrole akl-namespace-reader '
                   '--verb=get --resource=namespaces; kubectl create '
                   'clusterrolebinding reviewer-akl-namespace-reader '
                   '--clusterrole=akl-namespace-reader '
                   '--serviceaccount=akl-system:reviewer', *args,
                   methods=methods)


@t.story
def the_labels_of_a_pods_namespace_are_read(cluster, desk, pod):
    methods = cluster.method(bound_namespace_selector=SELECTOR)
    cluster.api.read_namespaces(READER)
    desk.names('a label is missing', 1, 'pod',
               'namespace_not_bound .label "team" of the namespace is not '
               'there.: namespace "my-namespace-a"',
               'kubectl label namespace my-namespace-a team=payments stage=',
               '--k8s-token-path', pod, methods=methods)
    cluster.api.namespace(NAMESPACE, LABELS)
    done = desk.well('all are there', '--k8s-token-path', pod,
                     methods=methods)
    t.like(str(done.json()), 'may get namespace .*its token would be let in',
           'a pod would log in')
    cluster.api.fault('error_500', kind='namespace')
    done = desk.doctor('--k8s-token-path', pod, methods=methods)
    t.is_([one['check'] for one in found(done, 'skipped')
           if 'cannot be read' in one['text']], ['pod'],
          'an outage is no verdict')


@t.story
def all_namespaces_are_meant_where_none_is_named(cluster, desk):
    cluster.api.read_namespaces(READER)
    done = desk.well('a reviewer with that right', methods=cluster.method(
        bound_namespaces='my-*', bound_namespace_selector=SELECTOR))
    t.like(str(done.json()), 'may get namespaces, for bound_namespace_sel',
           'the right')


@t.story
def without_a_reviewer_the_pods_own_right_counts(desk, pod):
    desk.well('nobody to ask with', token_reviewer_jwt='self')
    desk.names('a pod without the right', 1, 'rights', 'may not create',
               'auth-delegator', '--k8s-token-path', pod,
               token_reviewer_jwt='self')


# What tokens are held against

@t.story
def a_wrong_issuer_is_found(desk):
    desk.names('another one', 1, 'issuer',
               f'issuer is "{tokens.ISSUER}" .as its discovery document '
               'says., k8s_issuer is https://kubernetes.default.svc$',
               f'k8s_issuer "{tokens.ISSUER}"; in .*nginx.conf:\\d+',
               k8s_issuer='https://kubernetes.default.svc')
    desk.names('one that was never set', 1, 'issuer',
               'is kubernetes/serviceaccount', tokens.ISSUER,
               k8s_issuer=None)
    t.is_(desk.doctor(k8s_issuer=None, disable_issuer_validation='on').code,
          0, 'no issuer at all is none of its business')


@t.story
def an_issuer_that_is_no_https_url_is_known_by_the_reviewer(desk):
    old = t.cluster(name='old', issuer='api')
    there = {'k8s_host': old.url, 'k8s_ca_cert': old.ca,
             'token_reviewer_jwt': old.reviewer}
    done = desk.well('nothing is wrong', k8s_issuer='api', **there)
    t.like(str(done.json()), 'no https URL, so the cluster publishes neither '
           'issuer nor keys', 'it is said so')
    desk.names('a wrong one there', 1, 'issuer',
               'issuer is "api" .as the reviewer.s own token has it: it is '
               'no https URL', 'k8s_issuer "api"', **there)
    desk.names('keys of such a cluster', 1, 'keys',
               'publishes no keys: its issuer is no https URL', 'a file',
               k8s_issuer='api', k8s_jwks='auto', **there)


@t.story
def a_wrong_audience_is_found_by_a_token(cluster, desk, pod):
    vault = cluster.method(audience='vault')
    desk.names('a token without it', 1, 'audience',
               'audience_mismatch: .*token audiences', 'project a token',
               '--k8s-token-path', pod, methods=vault)
    done = desk.doctor(methods=vault)
    t.is_(done.code, 0, 'without a token of a pod nobody can say')
    t.like(str(done.json()), 'projected token with the audience vault',
           'but what is needed')


@t.story
def a_pod_that_is_not_bound_is_found(cluster, desk, pod):
    desk.names('its token', 1, 'pod', 'pod_not_bound: namespace '
               '"my-namespace-a".*pod "mypod1"', 'bound_pod_names',
               '--k8s-token-path', pod,
               methods=cluster.method(bound_pod_names='web-*'))


@t.story
def stale_keys_are_found(cluster, desk):
    stale = desk.write('stale.json', json.dumps(
        {'keys': [tokens.key('RSA-2048', 'other').jwk()]}))
    desk.names('those of another cluster', 1, 'keys', 'has 0 of the 1 keys',
               f'kubectl get --raw /openid/v1/jwks > {stale}',
               k8s_jwks=stale)
    t.is_(desk.doctor(k8s_jwks=cluster.jwks).code, 0, 'fresh ones are not')


@t.story
def a_wrong_key_or_cluster_of_rancher_is_found(cluster, desk):
    rancher = {'cluster_api_type': 'rancher', 'token_reviewer_jwt': None,
               'rancher_api_key': desk.write('rancher.key',
                                             'token-abcde:xyz', 0o600)}
    cluster.api.rancher('token-abcde:xyz', ['c-m-abcd1234'])
    desk.well('through Rancher', rancher_cluster_id='c-m-abcd1234',
              **rancher)
    desk.names('a wrong Rancher id', 1, 'rights',
               'Rancher has no cluster "c-m-other"',
               'kubectl get clusters.management',
               rancher_cluster_id='c-m-other', **rancher)
    cluster.api.forget_rancher('token-abcde:xyz')
    desk.names('a wrong key there', 1, 'reviewer',
               'Rancher does not know the API key', 'new API key',
               rancher_cluster_id='c-m-abcd1234', **rancher)


@t.story
def clocks_that_differ_are_found(cluster, desk):
    aged = desk.reviewer('aged.jwt')
    for offset, direction in ((600, 'ahead of'), (-600, 'behind')):
        cluster.api.clock(offset)
        desk.names(f'a clock {direction} ours', 1, 'clock',
                   f'10 minutes {direction} this machine', 'timedatectl',
                   token_reviewer_jwt=aged)


@t.story
def a_reviewer_that_is_not_valid_yet_is_due_to_the_clock(cluster, desk):
    fresh = desk.write('fresh.jwt', cluster.api.issue(
        'akl-system', account='reviewer', ttl=DAY))
    cluster.api.clock(-600)
    done = desk.doctor(token_reviewer_jwt=fresh)
    t.is_([one['check'] for one in failed(done)], ['clock', 'reviewer'],
          'both are found')
    t.like(failed(done)[1]['text'], 'while the clocks differ',
           'because of it')
    cluster.api.clock(20)
    t.is_([one['check'] for one in found(desk.doctor(), 'warning')],
          ['clock'], 'a few seconds are a warning')


# Files

@t.story
def a_signing_key_that_cannot_be_used_is_found(desk):
    desk.names('one that is not there', 1, 'config',
               'signing_key: "/nowhere/signing.pem" cannot be read '
               '.No such file', 'akl-k8s keys new',
               signing_key='/nowhere/signing.pem')
    os.mkdir(desk.path('folder'))
    desk.names('an unreadable one', 1, 'config', 'cannot be read .Is a dir',
               'akl-k8s', signing_key=desk.path('folder'))
    desk.names('a broken one', 1, 'config', 'neither PEM nor base64',
               'akl-k8s keys new', signing_key=desk.write('broken.pem', 'x'))


@t.story
def a_signing_key_of_somebody_else_is_found_with_who_may_read_it(desk):
    key = desk.write('theirs.pem', tokens.key('RSA-2048', 'gateway').pem(),
                     0o600)
    conf = desk.conf(signing_key=key)
    os.chmod(conf, 0o644)
    program, somebody = BINARY, {}
    if os.geteuid() == 0:
        # the key is root's; the program may lie where only root gets
        os.chmod(t.dir, 0o755)
        program = shutil.copy(BINARY, desk.path('akl-k8s'))
        somebody = {'user': 65534, 'group': 65534, 'extra_groups': []}
    else:
        os.chmod(key, 0)
    done = subprocess.run(
        [program, 'doctor', '--config', conf, '--json'], check=False,
        stdout=subprocess.PIPE, cwd='/', **somebody)
    t.is_(done.returncode, 1, 'it fails')
    first = [one for one in json.loads(done.stdout)
             if one['outcome'] == 'failed'][0]
    t.is_(first['check'], 'config', 'the config is what fails')
    t.like(first['text'], 'signing_key: .*theirs.pem" cannot be read '
           '.Permission denied', 'its cause')
    t.like(first['cure'], 'sudo akl-k8s doctor, or: ls -l .*theirs.pem',
           'its cure')


@t.story
def files_that_workers_cannot_read_are_a_warning(cluster, desk):
    if os.geteuid() != 0:
        t.skip('only root starts workers as somebody else', 2)
        return
    hidden = desk.write('hidden.pem', tokens.key('RSA-2048',
                                                 'gateway').pem(), 0o600)
    os.chmod(t.dir, 0o755)
    conf = desk.write('user.conf', 'user nobody;\nhttp {' + cluster.method()
                      + cluster.config(signing_key=hidden) + '}')
    done = run('doctor', '--config', conf, '--json')
    warned = found(done, 'warning')
    t.is_((done.code, {one['check'] for one in warned}), (0, {'files'}),
          'a reviewer')
    t.like(warned[0]['cure'], r'chown nobody .*reviewer\.jwt',
           'with the cure')


@t.story
def a_key_that_everybody_may_read_is_told(desk):
    open_ = desk.write('open.pem', tokens.key('RSA-2048', 'gateway').pem())
    t.like(str(desk.doctor(signing_key=open_).json()),
           'may be read by everybody', 'its rights')


# A login through the gateway

@t.story
def a_login_through_the_gateway_is_tried(cluster, pod):
    gateway = t.nginx("""
        @method@
        @config@
        server {
            listen 127.0.0.1:@port@;
            location = /v2/auth { akl_k8s_auth; }
        }
    """, method=cluster.method(), config=cluster.config())
    args = ('--config', os.path.join(gateway.dir, 'nginx.conf'), '--json',
            '--gateway-url', f'http://127.0.0.1:{gateway.port}')
    done = run('doctor', CONFIG, *args, '--k8s-token-path', pod)
    t.is_((done.code, done.json()[-1]['check'], done.json()[-1]['outcome']),
          (0, 'login', 'ok'), 'a login')
    done = run('doctor', *args, '--k8s-token-path', pod, '--access-id',
               'p-x')
    t.is_((done.code, failed(done)[0]['check']), (1, 'login'),
          'one that is refused')
    t.like(failed(done)[0]['text'], 'config_unknown', 'with its reason')
    t.is_(run('doctor', *args).code, 2, 'it needs a token to log in with')
    gateway.stop()
    done = run('doctor', *args, '--k8s-token-path', pod)
    t.is_(done.code, 3, 'a gateway that is away')


# The API server is away or out of its mind

@t.story
def an_outage_is_3(cluster, desk):
    cluster.api.unlisten()
    cluster.api.drop()
    t.is_(desk.doctor().code, 3, 'the API server is away')


# Usage

@t.story
def a_mistake_on_the_command_line_is_2(desk):
    for args, said in ((('--config', '/nowhere'), 'cannot read'),
                       (('--config', desk.write('empty.conf', 'http { }')),
                        'have no akl_k8s_auth_config'),
                       (('--config', desk.conf(), 'nobody'),
                        'has no akl_k8s_auth_config "nobody"')):
        done = run('doctor', *args)
        t.is_((done.code, done.out), (2, ''), f'{args[1:]}')
        t.like(done.err, said, said)


t.tell()
