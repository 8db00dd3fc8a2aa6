#!/usr/bin/python3
"""Each variable, in the access log and in a header, by its name."""

import itertools
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import tokens  # noqa: E402
from akltest import CONFIG, NAMESPACE, Test, client, wait_for  # noqa: E402
from cluster import ACCESS_ID  # noqa: E402
from minted import ISSUER, bearer, claims, mint  # noqa: E402

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'docs',
                    'directives.md')

with open(DOCS, encoding='utf-8') as file:
    NAMES = re.findall(r'^\| `\$(akl_k8s_[a-z_]+)', file.read(), re.M)
NAMES = [name for name in NAMES if not name.endswith('_')]
HTTP = '''
    log_format all escape=json '{"id":"$arg_id",@members@,'
        '"claim":"$akl_k8s_claim_namespace","list":"$akl_k8s_claim_aud",'
        '"none":"$akl_k8s_claim_nothing"}';
    access_log @dir@/all.log all;
    akl_k8s_cache_valid 1h refused=1h;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /plain { return 204; }
        location = /active { stub_status; access_log off; }
        location = /guarded { akl_k8s_guard k8s-conf; empty_gif; }
        location = /exchange { akl_k8s_exchange claims; empty_gif; }
        location = /paged {
            akl_k8s_guard k8s-conf;
            error_page 401 = /page?$args;
            empty_gif;
        }
        location = /page {
            add_header X-Status $akl_k8s_status always;
            return 403;
        }
    }
'''

t = Test(need_module=True)
numbers = itertools.count()


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx that logs all variables."""

    def __init__(self, cluster):
        self.nginx = t.nginx(
            HTTP, method=cluster.method(), configs=cluster.config(
                kind='P-256', token_issuer=ISSUER) + cluster.config(
                    name='claims', kind='P-256',
                    token_claims='seen=$arg_seen'),
            members=','.join(f'"{name}":"${name}"' for name in NAMES))

    def log(self, method, path, body=None, headers=None, **query):
        """Send a request; return (answer, what the log says of it)."""
        asked = next(numbers)
        query = '&'.join(f'{k}={v}' for k, v in {'id': asked, **query}.items())
        path = f'{path}?{query}'
        answer = (client.post(self.nginx.port, path, body) if method == 'POST'
                  else client.get(self.nginx.port, path, headers))
        wanted = f'{{"id":"{asked}",'
        line = wait_for(lambda: [
            one for one in self.nginx.access_log('all.log')
            if one.startswith(wanted) and one[-1] == '}'])[0]
        return answer, json.loads(line)


@t.own
def gateway(cluster):
    """A gateway that has seen nothing yet."""
    return Gateway(cluster)


def check(seen, name, **expected):
    """The variables that are told, and the others empty."""
    told = {key[len('akl_k8s_'):]: value for key, value in seen.items()
            if key.startswith('akl_k8s_')}
    wanted = {key: expected.get(key, '') for key in told}
    for key, value in wanted.items():
        if callable(value):
            t.ok(value(told[key]), f'{name}: {key}')
            wanted[key] = told[key]
    t.is_(told, wanted, name)


def the_pod(token):
    """Return the variables that a pod token explains."""
    pod = tokens.decode(token)[1]['kubernetes.io']
    return {
        'config': CONFIG, 'access_id': ACCESS_ID, 'namespace': NAMESPACE,
        'service_account': pod['serviceaccount']['name'],
        'service_account_uid': pod['serviceaccount']['uid'],
        'pod_name': pod['pod']['name'], 'pod_uid': pod['pod']['uid'],
        'node_name': pod['node']['name']}


def of_token(answer):
    """Return the variables of a minted token, and its claims."""
    token = answer.json()['token']
    made = tokens.decode(token)[1]
    return {'jti': made['jti'], 'token': token,
            'token_expires': str(made['exp'])}, made


@t.story
def each_variable_is_documented_and_empty_at_first(gateway):
    t.is_(len(NAMES), 14, 'variables that are documented')

    _, seen = gateway.log('GET', '/plain')
    check(seen, 'where nothing was established')


# A token endpoint

@t.story
def a_login_tells_pod_token_and_time_of_its_review(cluster, gateway):
    token = cluster.issue()
    answer, seen = gateway.log('POST', '/v2/auth', cluster.login(token))
    of, made = of_token(answer)
    check(seen, 'a login', status='ok', cache='miss', **the_pod(token), **of,
          review_time=lambda text: re.fullmatch(r'\d+\.\d{3}', text))
    t.is_((seen['claim'], seen['none']), (NAMESPACE, ''),
          'claims of what it made')
    t.is_(seen['list'], made['aud'] if isinstance(made['aud'], str)
          else ','.join(made['aud']), 'a list among them')

    _, seen = gateway.log('POST', '/v2/auth', cluster.login(token))
    check(seen, 'another one', status='ok', cache='hit', **the_pod(token),
          **of)


@t.story
def a_refused_login_has_its_reason_and_no_token(cluster, gateway):
    token = cluster.issue()
    bad = token[:-6] + ('AAAAAA' if token[-6:] != 'AAAAAA' else 'BAAAAA')
    for how in 'miss', 'refused':
        _, seen = gateway.log('POST', '/v2/auth', cluster.login(bad))
        t.is_((seen['akl_k8s_status'], seen['akl_k8s_cache'],
               seen['akl_k8s_config'], seen['akl_k8s_token']),
              ('token_rejected', how, CONFIG, ''), f'a refused login, {how}')

    _, seen = gateway.log('POST', '/v2/auth',
                          cluster.login(token, config='other'))
    check(seen, 'a config that is not there', status='config_unknown')


@t.story
def an_outage_has_its_reason_and_no_token(cluster, gateway):
    cluster.api.fault('error_500', headers={'Retry-After': '999'})
    _, seen = gateway.log('POST', '/v2/auth', cluster.login(cluster.issue()))
    t.is_((seen['akl_k8s_status'], seen['akl_k8s_token']), ('api_error', ''),
          'an outage')


@t.story
def the_review_of_one_login_is_anothers_as_well(cluster, gateway):
    cluster.api.fault('hold')
    cluster.api.reset_stats()
    late = cluster.issue(ttl=7300)
    first = client.Background(gateway.log, 'POST', '/v2/auth',
                              cluster.login(late))
    wait_for(lambda: cluster.api.stats()['review'])
    second = client.Background(gateway.log, 'POST', '/v2/auth',
                               cluster.login(late))
    wait_for(lambda: 'connections: 3' in client.get(gateway.nginx.port,
                                                    '/active').text)
    cluster.api.clear()
    cluster.api.release()
    t.is_([one.result()[1]['akl_k8s_cache'] for one in (first, second)],
          ['miss', 'shared'], 'one review for two')


# A guard and an exchange

@t.story
def a_guard_tells_of_the_token_that_it_verified(gateway):
    good = claims()
    _, seen = gateway.log('GET', '/guarded', headers=bearer(mint(**good)))
    THE_TOKEN = {
        'config': CONFIG, 'access_id': ACCESS_ID, 'namespace': NAMESPACE,
        'service_account': good['service_account_name'],
        'service_account_uid': good['service_account_uid'],
        'pod_name': good['pod_name'], 'pod_uid': good['pod_uid'],
        'node_name': good['node_name'], 'jti': good['jti'],
        'token_expires': str(good['exp'])}
    check(seen, 'a guard', status='ok', cache='miss', **THE_TOKEN)
    t.is_((seen['claim'], seen['list'], seen['none']), (NAMESPACE, 'api', ''),
          'a guard: claims of the token')
    _, seen = gateway.log('GET', '/guarded', headers=bearer(mint(
        namespace='a\nb', pod_name='\u007fx', jti=None)))
    t.is_([seen['akl_k8s_namespace'], seen['akl_k8s_pod_name'], seen['claim'],
           seen['akl_k8s_jti'], seen['akl_k8s_status']],
          ['', '', '', '', 'ok'],
          'a value with a control character is not shown')


@t.story
def what_was_not_verified_is_not_told(gateway):
    _, seen = gateway.log('GET', '/guarded')
    check(seen, 'no token', status='token_missing', config=CONFIG,
          access_id=ACCESS_ID)
    _, seen = gateway.log('GET', '/guarded',
                          headers=bearer(mint(name='stranger')))
    t.is_([seen[f'akl_k8s_{name}'] for name in (
        'status', 'namespace', 'pod_name', 'jti', 'token_expires')]
        + [seen['claim']], ['signature_invalid', '', '', '', '', ''],
          'what was not verified is not told')


@t.story
def an_exchange_tells_of_the_pod_and_has_the_token(cluster, gateway):
    token = cluster.issue()
    _, seen = gateway.log('GET', '/exchange', headers=bearer(token),
                          seen='here')
    check(seen, 'an exchange', status='ok', cache='miss',
          **{**the_pod(token), 'config': 'claims'},
          jti=lambda text: len(text) > 20,
          review_time=lambda text: text,
          token=lambda text: tokens.decode(text)[1]['seen'] == 'here',
          token_expires=lambda text: int(text) > time.time())


@t.story
def variables_survive_an_error_page(gateway):
    answer, seen = gateway.log('GET', '/paged')
    t.is_((answer.status, answer.header('x-status'), seen['akl_k8s_status']),
          (403, 'token_missing', 'token_missing'), 'an error page')


t.tell()
