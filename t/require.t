#!/usr/bin/python3
"""akl_k8s_require: AND, OR, globs, lists, case, inheritance, refusals."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

from akltest import Test, client  # noqa: E402
from minted import ISSUER, bearer, mint  # noqa: E402

HTTP = '''
    @method@
    @config@
    @strict@
    akl_k8s_guard k8s-conf;
    server {
        listen 127.0.0.1:@port@;
        root @dir@/html;
        @locations@
        location /level/ {
            akl_k8s_require namespace=my-*;
            location /level/more/ {
                akl_k8s_require pod_name=mypod1;
                location /level/more/still/ {
                    akl_k8s_require node_name=node1;
                }
            }
            location /level/off/ { akl_k8s_require off; }
            location /level/anew/ {
                akl_k8s_require off;
                akl_k8s_require pod_name=mypod1;
            }
        }
        location /dry/ {
            akl_k8s_require namespace=other;
            akl_k8s_dry_run on;
            add_header X-Status $akl_k8s_status;
        }
        location /page/ {
            akl_k8s_require namespace=other;
            error_page 403 = @why;
        }
        location @why { return 200 "$akl_k8s_status $akl_k8s_pod_name"; }
        location /strict/ {
            akl_k8s_guard strict;
            akl_k8s_require aud=api;
        }
    }
'''

# location: requirements, claims that pass, claims that do not

RULES = {
    'one': (['namespace=my-namespace-a'], [{}],
            [{'namespace': 'my-namespace-b'}, {'namespace': ''},
             {'namespace': None}, {'namespace': 'My-namespace-a'},
             {'namespace': 'xmy-namespace-a'},
             {'namespace': 'my-namespace-ax'}]),
    'or': (['namespace=a,b,my-namespace-a'],
           [{}, {'namespace': 'a'}, {'namespace': 'b'}],
           [{'namespace': 'a,b'}, {'namespace': 'c'}]),
    'and': (['namespace=my-namespace-a pod_name=mypod1'], [{}],
            [{'pod_name': 'x'}, {'namespace': 'x'},
             {'namespace': 'x', 'pod_name': 'x'}, {'pod_name': None}]),
    'lines': (['namespace=my-namespace-a', 'pod_name=mypod1'], [{}],
              [{'pod_name': 'x'}, {'namespace': 'x'}]),
    'twice': (['namespace=a*', 'namespace=*b'],
              [{'namespace': 'ab'}, {'namespace': 'axb'}],
              [{'namespace': 'a'}, {'namespace': 'b'}]),
    'glob': (['pod_name=mypod*,web-?'],
             [{}, {'pod_name': 'mypod'}, {'pod_name': 'web-1'}],
             [{'pod_name': 'web-'}, {'pod_name': 'web-12'},
              {'pod_name': 'xmypod'}]),
    'star': (['pod_name=*'], [{}, {'pod_name': 'x'}], [{'pod_name': None}]),
    'list': (['aud=api'], [{}, {'aud': ['x', 'api']}, {'aud': 'api'}],
             [{'aud': ['x', 'y']}, {'aud': []}, {'aud': 'apis'},
              {'aud': None}, {'aud': ['Api']}]),
    'icase': (['case_sensitive=off namespace=MY-Namespace-A'],
              [{}, {'namespace': 'my-NAMESPACE-a'}],
              [{'namespace': 'my-namespace-b'}]),
    'mixed': (['namespace=MY-* case_sensitive=off', 'pod_name=mypod1'],
              [{}], [{'pod_name': 'MYPOD1'}]),
    'sa': (['service_account_name=builder'], [{}],
           [{'service_account_name': 'x'}]),
    'uid': (['service_account_uid=b8c1*-000000000001'], [{}],
            [{'service_account_uid': 'x'}]),
    'secret': (['service_account_secret_name=tok*'],
               [{'service_account_secret_name': 'token-1'}], [{}]),
    'puid': (['pod_uid=*2'], [{}], [{'pod_uid': '1'}]),
    'conf': (['config_name=k8s-*'], [{}], []),
    'access': (['access_id=p-kmx8x116z7j9km'], [{}], [{'access_id': 'p-x'}]),
    'any': (['team=payments'],
            [{'team': 'payments'}, {'team': ['x', 'payments']}],
            [{}, {'team': {'payments': 'payments'}}, {'team': 'Payments'}]),
    'sub': (['sub=system:serviceaccount:my-namespace-a:*'], [{}],
            [{'sub': 'system:serviceaccount:x:builder'}]),
    'quoted': (['"team=a b,c d"'], [{'team': 'a b'}, {'team': 'c d'}],
               [{'team': 'a'}, {'team': 'a b,c d'}])}
OTHER = {'namespace': 'other'}

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx with a location for each rule."""

    def __init__(self, cluster):
        locations = [
            f'location /{name}/ {{ ' + ' '.join(
                f'akl_k8s_require {line};' for line in lines) + ' }'
            for name, (lines, _, _) in RULES.items()]
        self.nginx = t.nginx(
            HTTP, start=False, method=cluster.method(),
            config=cluster.config(kind='P-256', token_issuer=ISSUER),
            strict=cluster.config('strict', kind='P-256', token_issuer=ISSUER,
                                  token_audience='gate'),
            locations='\n'.join(locations))
        for name in (*RULES, 'level', 'level/more', 'level/more/still',
                     'level/off', 'level/anew', 'dry', 'page', 'strict'):
            place = os.path.join(self.nginx.dir, 'html', name)
            os.makedirs(place, exist_ok=True)
            t.write(os.path.join(place, 'f'), name)
        self.nginx.start()

    def get(self, place, **members):
        """GET with a token of these claims."""
        return client.get(self.nginx.port, f'/{place}/f',
                          bearer(mint(**members)))


@t.shared
def gateway(cluster):
    """The gateway of all stories."""
    return Gateway(cluster)


@t.story
def each_rule_lets_in_whom_it_names(gateway):
    for name, (lines, passing, failing) in RULES.items():
        wrong = []
        for members in passing:
            answer = gateway.get(name, **members)
            if answer.status != 200:
                wrong.append(f'{members}: {answer}')
        for members in failing:
            answer = gateway.get(name, **members)
            if answer.status != 403:
                wrong.append(f'{members}: {answer}')
        t.ok(not wrong, f'{"; ".join(lines)}', *wrong)


@t.story
def requirements_of_outer_levels_hold_until_they_are_off(gateway):
    for place, members, status in (
            ('level', {}, 200), ('level', OTHER, 403),
            ('level/more', {}, 200), ('level/more', OTHER, 403),
            ('level/more', {'pod_name': 'x'}, 403),
            ('level/more/still', {}, 200), ('level/more/still', OTHER, 403),
            ('level/more/still', {'pod_name': 'x'}, 403),
            ('level/more/still', {'node_name': 'x'}, 403),
            ('level/off', OTHER, 200),
            ('level/anew', OTHER, 200),
            ('level/anew', {'pod_name': 'x'}, 403)):
        t.is_(gateway.get(place, **members).status, status,
              f'{place}: {members}')


@t.story
def aud_is_the_pod_tokens_where_the_gateway_has_its_own(gateway):
    t.is_(gateway.get('strict', config_name='strict', aud='gate',
                      k8s_aud=['api']).status, 200, 'aud means k8s_aud')
    t.is_(gateway.get('strict', config_name='strict', aud=['gate', 'api'],
                      k8s_aud=['x']).status, 403, 'and not aud')


# Refusals

@t.story
def a_refusal_names_the_claim_and_the_log_its_value(gateway):
    mark = gateway.nginx.mark()
    answer = gateway.get('and', pod_name='evil"\x1b[1m\\\nx')
    t.is_(answer.header('www-authenticate'),
          'Bearer realm="akl_k8s", error="insufficient_scope", '
          'error_description="claim_not_allowed", claim="pod_name"',
          'the refusal names the claim')
    t.unlike(answer.text, 'evil', 'and not the value')
    line = gateway.nginx.wait_log('refused, claim_not_allowed: ', since=mark)
    t.like(line, r'claim "pod_name" is "evil\\x22\\x1B\[1m\\x5C\\x0Ax"',
           'the log line has the value, escaped')
    t.like(line, 'namespace "my-namespace-a"', 'and who it was')


@t.story
def the_log_tells_a_claim_that_is_not_there(gateway):
    mark = gateway.nginx.mark()
    gateway.get('secret')
    t.ok(gateway.nginx.wait_log('claim "service_account_secret_name" is not '
                                'there',
                                since=mark),
         'the log line says that a claim is not there')


@t.story
def the_log_tells_a_list(gateway):
    gateway.get('strict', config_name='strict', aud='gate', k8s_aud=['x', 'y'])
    t.ok(gateway.nginx.wait_log('claim "k8s_aud" is "x,y"'),
         'a list in the log line')


@t.story
def a_dry_run_lets_through_and_logs(gateway):
    answer = gateway.get('dry')
    t.is_((answer.status, answer.header('x-status')),
          (200, 'claim_not_allowed'), 'a dry run lets through')
    t.ok(gateway.nginx.wait_log('claim "namespace" is "my-namespace-a", dry '
                                'run'),
         'and logs')


@t.story
def a_refusal_may_have_a_page(gateway):
    t.is_(gateway.get('page').text, 'claim_not_allowed mypod1',
          'error_page 403')


@t.story
def no_token_is_no_403(gateway):
    t.is_(client.get(gateway.nginx.port, '/one/f').status, 401,
          'no token is no 403')


# nginx -t

@t.story
def a_rule_that_is_none_is_refused_by_nginx(gateway):
    for lines, text in (
            ('akl_k8s_require namespace;', 'claim=value'),
            ('akl_k8s_require =x;', 'names no claim'),
            ('akl_k8s_require namespace=;', 'has an empty value'),
            ('akl_k8s_require namespace=a,,b;', 'has an empty value'),
            ('akl_k8s_require case_sensitive=off;', 'needs a claim'),
            ('akl_k8s_require case_sensitive=maybe a=b;',
             'neither on nor off'),
            ('akl_k8s_require \'a"b=c\';', 'names no claim'),
            ('akl_k8s_require a=b; akl_k8s_require off;', 'off')):
        code, out = gateway.nginx.config_test(http=HTTP.replace(
            'location /strict/ {', f'location /x/ {{ {lines} }} '
            'location /strict/ {'))
        t.ok(code != 0 and text in out, f'nginx -t: {lines}', out)


t.tell()
