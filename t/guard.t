#!/usr/bin/python3
"""akl_k8s_guard: which tokens open a location, and what refusals say."""

import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import tokens  # noqa: E402
from akltest import Test, client, wait_for  # noqa: E402
from minted import ISSUER, bearer, mint  # noqa: E402

HTTP = '''
    @method@
    @config@
    @other@
    @strict@
    log_format who '$uri $status "$akl_k8s_status" "$akl_k8s_config" '
                   '"$akl_k8s_namespace/$akl_k8s_service_account/'
                   '$akl_k8s_pod_name" "$akl_k8s_jti" "$akl_k8s_cache" '
                   '"$akl_k8s_access_id" "$akl_k8s_token" '
                   '"$akl_k8s_token_expires"';
    access_log @dir@/who.log who;
    server {
        listen 127.0.0.1:@port@;
        root @dir@/html;
        location = /open { return 200 "open"; }
        location /one/ { akl_k8s_guard k8s-conf; }
        location /other/ { akl_k8s_guard other; }
        location /both/ { akl_k8s_guard k8s-conf other; }
        location /strict/ { akl_k8s_guard strict; }
        location /cookie/ {
            akl_k8s_guard k8s-conf;
            akl_k8s_token_source $cookie_token;
        }
        location /dry/ {
            akl_k8s_guard k8s-conf;
            akl_k8s_dry_run on;
            add_header X-Status "$akl_k8s_status:$akl_k8s_pod_name";
        }
        location /page/ {
            akl_k8s_guard k8s-conf;
            error_page 401 = @login;
            error_page 403 /forbidden.html;
        }
        location @login { return 200 "log in: $akl_k8s_status"; }
    }
    server {
        listen 127.0.0.1:@port1@;
        root @dir@/html;
        akl_k8s_guard k8s-conf;
        location / { }
        location /off/ { akl_k8s_guard off; }
        location /own/ { akl_k8s_guard other; }
    }
'''
t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx with guarded locations, a file in each."""

    def __init__(self, cluster):
        old = cluster.file('old.pub',
                           tokens.key('RSA-2048', 'old').public_pem())
        self.nginx = t.nginx(
            HTTP, start=False, method=cluster.method(),
            config=cluster.config(kind='P-256', token_issuer=ISSUER,
                                  verification_key=old),
            other=cluster.config('other', kind='Ed25519',
                                 token_issuer=ISSUER),
            strict=cluster.config(
                'strict', kind='P-256', token_issuer=ISSUER,
                token_audience='https://items.example.com'))
        html = os.path.join(self.nginx.dir, 'html')
        for name in ('one', 'other', 'both', 'strict', 'cookie', 'dry',
                     'page', 'off', 'own'):
            os.makedirs(os.path.join(html, name))
            t.write(os.path.join(html, name, 'f'), f'file {name}')
        t.write(os.path.join(html, 'f'), 'file top')
        self.nginx.start()
        self.port1 = self.nginx.port_of('port1')

    def get(self, path, token=None, port=None, **headers):
        """GET with a token."""
        return client.get(port or self.nginx.port, path,
                          {**(bearer(token) if token else {}), **headers})

    def logged(self, path, pattern, name):
        """Wait for a line on a path that matches, the last one so far."""
        def last():
            lines = [line for line in self.nginx.access_log('who.log')
                     if line.startswith(path + ' ')]
            return lines and re.search(pattern, lines[-1])
        t.ok(wait_for(last), name, *self.nginx.access_log('who.log')[-3:])

    def refused(self, path, token, reason, name, status=401, port=None):
        """A refusal with its reason, twice: nothing is remembered wrongly."""
        for _ in range(2):
            mark = self.nginx.mark()
            answer = self.get(path, token, port)
            error = 'invalid_token' if status == 401 else 'insufficient_scope'
            want = f'Bearer realm="akl_k8s", error="{error}", ' \
                   f'error_description="{reason}"'
            if answer.status != status \
                    or answer.header('www-authenticate') != want \
                    or answer.header('cache-control') != 'no-store' \
                    or not self.nginx.wait_log(f'refused, {reason}: ',
                                               since=mark):
                t.ok(False, name, answer, answer.headers, self.nginx.tail(3))
                return
        t.ok(True, name)


@t.shared
def gateway(cluster):
    """The gateway of the stories that leave it as it is."""
    return Gateway(cluster)


@t.own
def changing(cluster):
    """A gateway that the story may change."""
    return Gateway(cluster)


# What opens

@t.story
def a_minted_token_opens_and_variables_tell_whose_it_is(gateway):
    good = mint()
    answer = gateway.get('/one/f', good)
    t.is_((answer.status, answer.text), (200, 'file one'), 'a minted token')
    t.is_(answer.header('cache-control'), None, 'nothing added to the answer')
    gateway.logged('/one/f', r'^/one/f 200 "ok" "k8s-conf" '
                   r'"my-namespace-a/builder/mypod1" "[0-9a-f-]{36}" "miss" '
                   r'"p-kmx8x116z7j9km" "" "\d+"$', 'variables in the log')
    t.is_(gateway.get('/one/f', good).status, 200, 'again')
    gateway.logged('/one/f',
                   r'"my-namespace-a/builder/mypod1" "[0-9a-f-]{36}" '
                   r'"hit"', 'from memory, with the same variables')


@t.story
def the_scheme_is_bearer_in_any_case(gateway):
    good = mint()
    for scheme in ('bearer', 'BEARER', 'Bearer  '):
        t.is_(client.get(gateway.nginx.port, '/one/f', {
            'Authorization': f'{scheme} {good}'}).status, 200,
            f'scheme {scheme!r}')


@t.story
def a_token_may_be_of_a_retired_key_or_without_kid(gateway):
    t.is_(gateway.get('/one/f', mint('RSA-2048', 'old')).status, 200,
          'signed by the retired key')
    t.is_(gateway.get('/one/f', mint(header={'kid': None})).status, 200,
          'without kid')


@t.story
def a_location_may_take_tokens_of_several_configs(gateway):
    good = mint()
    t.is_(gateway.get('/other/f', mint('Ed25519', config_name='other')).status,
          200,
          'EdDSA')
    t.is_(gateway.get('/both/f', good).status, 200, 'the first of two configs')
    t.is_(gateway.get('/both/f', mint('Ed25519', config_name='other')).status,
          200,
          'the second of two configs')


@t.story
def a_clock_may_be_half_a_minute_ahead(gateway):
    t.is_(gateway.get('/one/f', mint(nbf=int(time.time()) + 30,
                                     iat=int(time.time()) + 30)).status, 200,
          'a clock 30 s ahead')


@t.story
def an_audience_is_a_string_or_a_list(gateway):
    items = 'https://items.example.com'
    for aud, name in (items, 'as a string'), (['x', items], 'in a list'):
        t.is_(gateway.get('/strict/f',
                          mint(config_name='strict', aud=aud)).status, 200,
              f'the audience {name}')


@t.story
def a_token_comes_from_where_akl_k8s_token_source_says(gateway):
    good = mint()
    t.is_(client.get(gateway.nginx.port, '/cookie/f', {
        'Cookie': f'token={good}'}).status, 200, 'akl_k8s_token_source')
    t.is_(gateway.get('/cookie/f', good).status, 401,
          'Authorization where the token comes from elsewhere')


@t.story
def HEAD_is_guarded_as_well(gateway):
    good = mint()
    t.is_(client.request(gateway.nginx.port, 'HEAD', '/one/f',
                         bearer(good)).status, 200,
          'HEAD')
    t.is_(client.request(gateway.nginx.port, 'HEAD', '/one/f').status, 401,
          'no token')


# What does not

@t.story
def without_a_token_there_is_a_challenge_and_no_error(gateway):
    answer = gateway.get('/one/f')
    t.is_(answer.status, 401, 'no token')
    t.is_(answer.header('www-authenticate'), 'Bearer realm="akl_k8s"',
          'no error where no token was sent')
    gateway.logged('/one/f', '401 "token_missing" "k8s-conf" "//" ""',
                   'the reason in the log')


@t.story
def what_is_no_bearer_token_opens_nothing(gateway):
    good = mint()
    for value in ('Basic Zm9vOmJhcg==', 'Bearerx ' + good, good):
        answer = client.get(gateway.nginx.port, '/one/f',
                            {'Authorization': value})
        t.is_((answer.status, answer.header('www-authenticate')),
              (401, 'Bearer realm="akl_k8s"'),
              f'{value[:10]}: no bearer token')
    for value in ('Bearer', 'Bearer X', f'Bearer {good} x',
                  f'Bearer {good},{good}', f'Bearer {good}\t'):
        t.is_(client.get(gateway.nginx.port, '/one/f',
                         {'Authorization': value}).status,
              401, f'Authorization: {value[:12]}... of {len(value)}')


@t.story
def two_authorizations_open_nothing(gateway):
    # nginx itself may log such a header
    answer = client.get(gateway.nginx.port, '/one/f', [
        ('Authorization', f'Bearer {mint()}'), ('Authorization', 'Bearer x')])
    t.ok(answer.status in (400, 401), 'Authorization twice', answer)


@t.story
def a_token_is_refused_by_its_times(gateway):
    gateway.refused('/one/f', mint(exp=int(time.time()) - 1), 'token_expired',
                    'expired')
    gateway.refused('/one/f', mint(nbf=int(time.time()) + 120),
                    'token_not_yet_valid',
                    'not valid yet')
    gateway.refused('/one/f', mint(exp=None), 'token_malformed', 'no exp')


@t.story
def a_token_is_refused_by_its_issuer(gateway):
    gateway.refused('/one/f', mint(iss=ISSUER + '/'), 'issuer_mismatch',
                    'issuer')
    gateway.refused('/one/f', mint(iss=None), 'issuer_mismatch', 'no issuer')


@t.story
def a_token_is_refused_by_its_signature(cluster, gateway):
    gateway.refused('/one/f', mint(name='stranger'), 'signature_invalid',
                    'a stranger\'s key')
    gateway.refused('/one/f', mint('Ed25519', config_name='other'),
                    'signature_invalid', 'a token of another config')
    gateway.refused('/one/f', cluster.issue(), 'signature_invalid',
                    'a pod token')


@t.story
def a_token_is_refused_by_its_config(gateway):
    gateway.refused('/one/f', mint(config_name='strict'), 'config_unknown',
                    'a config of the same key')
    gateway.refused('/one/f', mint(config_name=None), 'config_unknown',
                    'no config')


@t.story
def a_token_is_refused_by_its_audience(gateway):
    gateway.refused('/strict/f', mint(config_name='strict'),
                    'audience_mismatch',
                    'audience')
    gateway.refused('/strict/f', mint(config_name='strict', aud=None),
                    'audience_mismatch', 'no audience')
    gateway.refused('/strict/f', mint(config_name='strict', aud={'a': 1}),
                    'audience_mismatch', 'an audience of the wrong type')


@t.story
def memory_keeps_configs_apart(gateway):
    token = mint()
    t.is_([gateway.get(p, token).status for p in ('/other/f', '/one/f',
                                                  '/other/f',
                                                  '/both/f', '/one/f')],
          [401, 200, 401, 200, 200], 'memory keeps configs apart')


# Error pages, levels, dry run

@t.story
def a_refusal_may_have_a_page(gateway):
    t.is_(gateway.get('/page/f').text, 'log in: token_missing',
          'error_page, and the variable survives')


@t.story
def a_guard_is_inherited_until_it_is_off_or_replaced(gateway):
    good = mint()
    t.is_((gateway.get('/f', port=gateway.port1).status,
           gateway.get('/f', good, gateway.port1).status), (401, 200),
          'inherited from the server')
    t.is_(gateway.get('/off/f', port=gateway.port1).status, 200, 'off')
    t.is_((gateway.get('/own/f', good, gateway.port1).status,
           gateway.get('/own/f', mint('Ed25519', config_name='other'),
                       gateway.port1).status), (401, 200),
          'replaced, not added to')


@t.story
def a_dry_run_lets_through_sets_variables_and_logs(gateway):
    good = mint()
    answer = gateway.get('/dry/f')
    t.is_((answer.status, answer.header('x-status'),
           answer.header('www-authenticate')), (200, 'token_missing:', None),
          'a dry run lets through')
    answer = gateway.get('/dry/f', good)
    t.is_(answer.header('x-status'), 'ok:mypod1', 'and sets variables')
    t.ok(gateway.nginx.wait_log('refused, token_missing: .*dry run, let '
                                'through'),
         'and logs')
    t.ok(not gateway.nginx.grep(good.split('.')[2]),
         'no token in the error log')


# How long

@t.story
def a_token_is_not_remembered_beyond_its_exp(gateway):
    for seconds in (2, 5, 10, 30, 60):
        token = mint(exp=int(time.time()) + seconds)
        if gateway.get('/one/f', token).status == 200:
            break
    t.is_(gateway.get('/one/f', token).status, 200, 'a token about to expire')
    wait_for(lambda: gateway.get('/one/f', token).status != 200)
    gateway.refused('/one/f', token, 'token_expired',
                    'is not remembered beyond its exp')


@t.story
def a_key_that_is_taken_away_takes_its_tokens_along(changing, cluster):
    good = mint()
    token = mint('RSA-2048', 'old')
    t.is_(changing.get('/one/f', token).status, 200,
          'retired key before the reload')
    changing.nginx.configure({'config': cluster.config(kind='P-256',
                                                       token_issuer=ISSUER)})
    changing.nginx.reload(wait_old=True)
    changing.refused('/one/f', token, 'signature_invalid',
                     'removed key after the reload')
    t.is_(changing.get('/one/f', good).status, 200, 'the other key still does')


# nginx -t

@t.story
def guards_that_are_none_are_refused_by_nginx(gateway):
    code, text = gateway.nginx.config_test(http=HTTP.replace(
        'akl_k8s_guard k8s-conf other', 'akl_k8s_guard k8s-conf nowhere'))
    t.ok(code != 0 and 'nowhere' in text, 'an unknown config', text)
    code, text = gateway.nginx.config_test(http=HTTP.replace(
        'akl_k8s_guard k8s-conf other', 'akl_k8s_guard other other'))
    t.ok(code != 0 and 'named twice' in text, 'a config twice', text)
    code, text = gateway.nginx.config_test(http=HTTP.replace(
        'akl_k8s_guard k8s-conf other;',
        'akl_k8s_guard other; akl_k8s_guard off;'))
    t.ok(code != 0 and 'duplicate' in text, 'the directive twice', text)


t.tell()
