#!/usr/bin/python3
"""What clients put on the wire, and what comes back."""

import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import http2  # noqa: E402
from akltest import ACCESS_ID, Test, client, wait_for  # noqa: E402
from dialects import FIELD, VAULT, Gateway, b64, minted  # noqa: E402

MALFORMED = 400, 'request_malformed'
UNKNOWN = 401, 'config_unknown'
BEARER = '/v2/auth?k8s-auth-config-name=k8s-conf'
ROLE = f'{ACCESS_ID}..k8s-conf'
JWT = 'eyJ[A-Za-z0-9_-]{20}'

t = Test(need_module=True)


def status(answer):
    """Return status and reason."""
    return answer.status, answer.json().get('reason')


@t.shared
def gateway():
    """The gateway of all stories."""
    return Gateway(t)


# Akeyless

@t.story
def the_npm_client_logs_in_by_each_of_its_paths(gateway):
    for path in ('/auth', '/v2/auth', '/api/v2/auth', '/api/v1/auth'):
        t.is_(gateway.akeyless(path).status, 200, path)


@t.story
def a_token_is_taken_as_it_is_or_in_base64(gateway):
    token = gateway.token
    code = b64(token)
    wrapped = '\n'.join(code[i:i + 76] for i in range(0, len(code), 76))
    for name, value in (
            ('raw', token), ('raw with a newline', token + '\n'),
            ('base64 with newlines', wrapped + '\n'),
            ('with blanks', f'  {code} '),
            ('base64 of a token with a newline', b64(token + '\n')),
            ('base64 without padding', code.rstrip('='))):
        t.is_(gateway.post({**gateway.npm, FIELD: value}).status, 200, name)


@t.story
def what_the_members_of_a_login_may_be_like(gateway):
    text = json.dumps(gateway.npm)
    first = '{"access-type": "k8s",'
    t.is_(gateway.akeyless(k8s_auth_config_name='team/a').status, 200,
          'a config name with a slash')
    t.is_(gateway.akeyless(**{'x' * 300: {'y': [1, {'z': None}]}}).status,
          200, 'unknown keys')
    t.is_(gateway.post('{"\\u0061ccess-type":"k8s",' + text[len(first):])
          .status, 200, 'an escaped name')


@t.story
def a_content_type_may_have_a_charset_or_be_missing(gateway):
    text = json.dumps(gateway.npm)
    t.is_(gateway.post(text, headers={
        'Content-Type': 'application/json; charset=utf-8'}).status, 200,
          'a charset')
    t.is_(gateway.post(text, headers={'Content-Type': None}).status, 200,
          'no content type')


@t.story
def a_login_with_a_wrong_member_is_refused_with_its_reason(gateway):
    for name, change, expected in (
            ('another access-type', {'access-type': 'saml'}, MALFORMED),
            ('no access-id', {'access-id': ''}, MALFORMED),
            ('a number for a string', {'access-id': 5}, MALFORMED),
            ('a token that is a list', {FIELD: [gateway.token]}, MALFORMED),
            ('no token', {FIELD: ''}, (401, 'token_missing')),
            ('white space', {FIELD: ' \n '}, (401, 'token_missing')),
            ('no base64', {FIELD: '!!!'}, (401, 'token_malformed')),
            ('an unknown config', {'k8s-auth-config-name': 'x\r\nX: y'},
             UNKNOWN),
            ('no config', {'k8s-auth-config-name': ''}, MALFORMED)):
        t.is_(status(gateway.post({**gateway.npm, **change})), expected, name)


@t.story
def json_that_is_not_quite_json_is_malformed(gateway):
    for name, text in (
            ('doubled', '{"access-type":"k8s","access-type":"k8s"}'),
            ('trailing', json.dumps(gateway.npm) + 'x'), ('array', '[]'),
            ('text', 'hello'), ('deep', '[' * 5000),
            ('NUL', '{"access-type":"k8s\\u0000"}'),
            ('broken UTF-8', b'{"access-type":"\xff"}')):
        answer = gateway.post(text, headers={
            'Content-Type': 'application/json'})
        t.is_(status(answer), MALFORMED, name)
        t.like(answer.json()['error'], 'a JSON object|string',
               f'{name}: and what is wrong')


@t.story
def an_empty_body_is_answered_as_external_secrets_expects(gateway):
    answer = gateway.post(None)
    t.is_((answer.status, answer.json()['error']), (404, 'unknown command'),
          'the answer')


@t.story
def a_wrong_method_or_type_is_refused_in_the_shape_of_the_dialect(gateway):
    answer = client.request(gateway.port, 'DELETE', '/v2/auth')
    t.is_((answer.status, answer.header('allow')), (405, 'GET, HEAD, POST'),
          '405 with Allow')
    t.is_(answer.json()['reason'], 'request_malformed', 'in shape')
    t.is_(status(gateway.post('x=1', headers={'Content-Type': 'text/plain'})),
          (415, 'request_malformed'), '415 in shape')


# Bodies

def chunked(body, size=1000):
    """Return a body in chunks."""
    data = json.dumps(body).encode()
    parts = [data[i:i + size] for i in range(0, len(data), size)]
    return b''.join(b'%x\r\n%s\r\n' % (len(p), p) for p in parts) \
        + b'0\r\n\r\n'


CHUNKED = {'Transfer-Encoding': 'chunked',
           'Content-Type': 'application/json'}


@t.story
def a_body_that_is_too_large_is_refused_however_it_comes(gateway):
    big = {**gateway.npm, 'padding': 'x' * 40000}
    t.is_(status(gateway.post(big)), (413, 'request_malformed'),
          'by Content-Length')
    t.is_(status(gateway.post(chunked(big), headers=CHUNKED)),
          (413, 'request_malformed'), 'chunked')


@t.story
def a_body_may_come_in_any_pieces(gateway):
    t.is_(gateway.post(chunked(gateway.npm), headers=CHUNKED).status, 200,
          'chunked')
    data = client.build('POST', '/v2/auth', body=gateway.npm, close=False)
    with client.Session(gateway.port) as session:
        for start in range(0, len(data), 400):
            session.sock.sendall(data[start:start + 400])
        t.is_(session.receive('POST').status, 200, 'in many packets')
    out = client.raw(gateway.port, data + client.build(
        'POST', '/v2/auth', body=gateway.npm))
    t.is_(out.count(b'HTTP/1.1 200 OK'), 2, 'two logins in one packet')


@t.story
def a_body_never_reaches_a_temporary_file(gateway):
    t.is_(gateway.akeyless(padding='x' * 20000).status, 200,
          'a body larger than the buffer')
    held = [name for _, _, files in os.walk(os.path.join(
        gateway.nginx.dir, 'client_body_temp')) for name in files]
    t.is_(held, [], 'the files')


@t.story
def a_login_works_by_http_1_0_and_http_2(gateway):
    t.is_(gateway.post(gateway.npm, version='1.0').status, 200, 'HTTP/1.0')
    if not shutil.which('curl'):
        t.skip('no curl')
        return
    out = subprocess.run(
        ['curl', '-s', '--http2-prior-knowledge', '-w', '%{http_version} '
         '%{http_code}', '-o', '/dev/null', '-d', json.dumps(gateway.npm),
         '-H', 'Content-Type: application/json', 'http://127.0.0.1:'
         f'{gateway.nginx.port_of("port1")}/v2/auth'],
        check=False, stdout=subprocess.PIPE, text=True).stdout
    t.is_(out, '2 200', 'HTTP/2')


@t.story
def a_request_seen_before_has_the_same_answer(gateway):
    long_way = gateway.akeyless(n=1).json()
    for _ in range(3):
        short = gateway.akeyless(n=1).json()
    t.is_(short, long_way, 'the answers')


@t.story
def nothing_of_a_request_comes_back_unescaped(gateway):
    answer = gateway.akeyless(
        k8s_auth_config_name='"}\r\nSet-Cookie: a=b')
    t.ok(answer.header('set-cookie') is None and 'Cookie' not in answer.text,
         'the answer')


# Bearer

@t.story
def a_bearer_token_is_taken_whatever_the_case_of_its_scheme(gateway):
    for method in ('GET', 'POST'):
        for scheme in ('Bearer ', 'bearer ', 'BEARER   ', 'Bearer\t',
                       'bearer \t '):
            answer = client.request(
                gateway.port, method, BEARER,
                {'Authorization': scheme + gateway.token})
            t.is_(answer.status, 200, f'{method} {scheme!r}')


@t.story
def a_bearer_that_is_not_one_token_is_refused(gateway):
    token = gateway.token
    for name, authorization, expected in (
            ('no token', None, (401, 'token_missing')),
            ('the scheme alone', 'Bearer', (401, 'token_malformed')),
            ('the scheme and a tab', 'Bearer\t', (401, 'token_malformed')),
            ('two tokens', f'Bearer {token}, Bearer {token}',
             (401, 'token_malformed'))):
        t.is_(status(gateway.get(BEARER, authorization)), expected, name)


@t.story
def a_login_whose_bearer_was_forgotten_is_told_so(gateway):
    for path, expected in ((BEARER, (401, 'token_missing')),
                           ('/v2/auth', (404, 'request_malformed'))):
        t.is_(status(gateway.post(None, path)), expected, path)


@t.story
def a_bearer_needs_a_config_from_the_query_or_the_location(gateway):
    t.is_(gateway.bearer('/pinned/auth').status, 200,
          'the config of the location')
    t.is_(status(gateway.bearer('/v2/auth')), MALFORMED, 'no config')


@t.story
def a_token_in_the_query_is_refused_and_its_place_named(gateway):
    for name in (FIELD, 'token', 'jwt', 'subject_token', 'access_token'):
        answer = gateway.get(f'{BEARER}&{name}={gateway.token}')
        t.is_(status(answer), MALFORMED, f'{name} in the query')
        t.like(answer.json()['error'], 'query', f'{name}: it is named')


def logged(nginx, *texts):
    """Return the lines of the access log that have all of these in them."""
    return [line for line in nginx.access_log()
            if all(text in line for text in texts)]


@t.story
def a_token_in_the_query_is_in_no_log(gateway):
    nginx = gateway.nginx
    names = 'token', 'jwt', 'subject_token', 'access_token', 'TOKEN'
    for path in ('/v2/auth', '/token', VAULT, '/introspect', '/revoke',
                 '/logout', '/vault/self', '/vault/logout'):
        for method, name in zip(('POST', 'DELETE') * 3, names):
            mark = nginx.mark()
            answer = client.request(
                nginx.port, method, f'{path}?a=b&{FIELD}={gateway.token}'
                f'&{name}={gateway.token}&c=token')
            t.ok(400 <= answer.status < 500, f'{method} {path} is refused')
            lines = wait_for(lambda: logged(nginx, f'"{method} {path}?',
                                            f'&{name}='))
            t.like('\n'.join(lines), rf'\?a=b&{FIELD}=\*+&{name}=\*+&c=token '
                   'HTTP', f'{method} {path}: the line tells all else')
            t.unlike('\n'.join(lines) + nginx.error_log(mark), JWT,
                     f'{method} {path}: and no token')


@t.story
def a_token_in_the_query_of_http_2_is_in_no_log(gateway):
    if not http2.available():
        t.skip('no python3-h2')
        return
    nginx = gateway.nginx
    mark = nginx.mark()
    with http2.Session(nginx.port_of('port1')) as session:
        answer = session.request('POST', f'/v2/auth?jwt={gateway.token}')
        t.is_(answer.status, 400, 'it is refused')
    lines = '\n'.join(wait_for(
        lambda: logged(nginx, '?jwt=', 'HTTP/2.0"')))
    t.like(lines, r'jwt=\*+ HTTP/2', 'the access log has the request')
    t.like(nginx.error_log(mark), r'jwt=\*+ HTTP/2', 'so has the error log')
    t.unlike(lines + nginx.error_log(mark), JWT, 'no token is in either')


@t.story
def what_is_not_a_logins_own_query_stays_what_it_is(gateway):
    for headers, status in (({}, 200), ({'Login': '1'}, 400), ({}, 200)):
        answer = gateway.post('', '/written', headers)
        t.is_(answer.status, status, 'written by the configuration')
        t.ok(status != 200 or answer.text == 'token=text',
             'which is the same for all requests')
    answer = client.get(gateway.port, '/asks?token=somebodys')
    t.is_((answer.status, answer.header('x-uri')),
          (403, '/asks?token=somebodys'),
          'that of the request for which one of ours is asked')


# Pinned configs

@t.story
def a_pinned_config_needs_no_name_and_takes_the_clients_own_word(gateway):
    path = '/pinned/auth'
    t.is_(gateway.akeyless(path, k8s_auth_config_name='').status, 200,
          'no name')
    t.is_(gateway.akeyless(path, k8s_auth_config_name='my-app').status, 200,
          "the client's own word")
    t.is_(gateway.bearer(f'{path}?k8s-auth-config-name=my-app').status, 200,
          "a bearer's word for itself")
    t.is_(status(gateway.akeyless(path, k8s_auth_config_name='my-app',
                                  access_id='p-elsex116z7j9km')), UNKNOWN,
          'but no other access id')


def foreign(ask, expected, name=''):
    """Name another config where one is pinned, with and without a token.

    ask takes a token, of the pod's or another, and the name of a config.
    """
    for _ in range(2):
        t.is_(status(ask(None, 'aud')), expected,
              f'{name} no other name of the gateway is taken')
    answers = []
    for config in ('aud', 'my-app'):
        answer = ask('no.such.token', config).json()
        answer.pop('request_id')
        answers.append(answer)
    t.is_(answers[0], answers[1],
          f'{name} which is not told to who has no good token')


@t.story
def a_login_may_not_name_another_config_where_one_is_pinned(gateway):
    def ask(jwt, config):
        return gateway.post({
            **gateway.npm, FIELD: jwt or gateway.token,
            'k8s-auth-config-name': config}, '/pinned/auth')

    mark = gateway.nginx.mark()
    foreign(ask, UNKNOWN)
    t.like(gateway.nginx.wait_log('refused, config_unknown', since=mark),
           'the location is for another auth config, asked for "aud", '
           'config "k8s-conf", namespace "my-namespace-a"',
           'the log tells what was asked for, and who asked')


@t.story
def a_bearer_may_not_name_another_config_where_one_is_pinned(gateway):
    foreign(lambda jwt, config: gateway.get(
        f'/pinned/auth?k8s-auth-config-name={config}',
        f'Bearer {jwt or gateway.token}'), UNKNOWN)


@t.story
def a_role_may_not_name_another_config_where_one_is_pinned(gateway):
    for name, wrap in (
            ('plain:', str), ('with an id:', f'{ACCESS_ID}..{{}}'.format),
            ('base64:', lambda config: b64(f'x..{config}'))):
        foreign(lambda jwt, config, wrap=wrap: gateway.vault(
            '/pinned/vault', role=wrap(config), jwt=jwt or gateway.token),
            (403, 'config_unknown'), name)


@t.story
def a_client_id_may_not_name_another_config_where_one_is_pinned(gateway):
    foreign(lambda jwt, config: gateway.exchange(
        '/pinned/token', subject_token=jwt or gateway.token,
        client_id=config), (400, 'config_unknown'))


# Vault

@t.story
def a_role_of_vaults_names_a_config(gateway):
    for name, value in (('base64', b64(ROLE)), ('plain', ROLE),
                        ('a bare config name', 'k8s-conf')):
        for method in ('POST', 'PUT'):
            answer = client.request(
                gateway.port, method, VAULT, {'X-Vault-Token': 'old'},
                {'role': value, 'jwt': gateway.token})
            t.is_(answer.status, 200, f'{method}, {name}')


@t.story
def a_config_whose_name_has_two_dots_can_be_a_role(gateway):
    whole = f'{ACCESS_ID}..team..a'
    for name, value in (('plain', 'team..a'),
                        ('plain, with the access id', whole),
                        ('base64', b64(whole))):
        t.is_(minted(gateway.vault(role=value).json()['auth']
                     ['client_token'])['config_name'], 'team..a', name)


@t.story
def any_role_will_do_where_the_config_is_pinned(gateway):
    for value in ('my-app', 'my..app', '', b64('a..b'),
                  'p-elsex116z7j9km..k8s-conf', '\u00e4 / \u2603'):
        t.is_(gateway.vault('/pinned/vault', role=value).status, 200,
              f'{value!r}')
    t.is_(gateway.vault('/pinned/vault').status, 200, 'none')


@t.story
def a_login_of_vaults_has_the_answer_of_vaults(gateway):
    body = gateway.vault(role='k8s-conf').json()
    t.is_(sorted(body), ['auth', 'data', 'lease_duration', 'lease_id',
                         'renewable', 'request_id'], 'its members')
    t.contains(body['auth'], {
        'accessor': '', 'policies': [], 'token_policies': [],
        'renewable': False, 'entity_id': '', 'token_type': 'batch',
        'orphan': True}, 'those of auth')
    t.contains(body['auth']['metadata'], {
        'role': ROLE, 'service_account_name': 'builder',
        'service_account_namespace': 'my-namespace-a',
        'service_account_secret_name': ''}, 'those of metadata')
    t.ok(880 < body['auth']['lease_duration'] <= 900, 'the lease')
    t.is_(minted(body['auth']['client_token'])['pod_name'], 'mypod1',
          'the client token')


@t.story
def vaults_clients_log_in_behind_a_prefix_and_by_the_type_of_curl(gateway):
    t.is_(gateway.vault('/hvp' + VAULT, role=ROLE).status, 200, 'a prefix')
    t.is_(gateway.post(json.dumps({'role': ROLE, 'jwt': gateway.token}),
                       VAULT, {'Content-Type':
                               'application/x-www-form-urlencoded'}).status,
          200, 'the type that curl -d sends')


@t.story
def vaults_clients_are_refused_in_the_manner_of_vault(gateway):
    answer = gateway.get(VAULT)
    t.is_((answer.status, answer.header('allow')), (405, 'POST, PUT'), '405')
    t.ok(answer.json()['errors'], 'in shape')
    t.is_(status(gateway.vault(role='p-x..nobody')), (403, 'config_unknown'),
          'an unknown config is 403')
    t.is_(gateway.post(None, VAULT).json()['reason'], 'request_malformed',
          'no body')


t.tell()
