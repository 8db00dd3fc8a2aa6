#!/usr/bin/python3
"""akl_k8s_introspect: what is true of a minted token (RFC 7662)."""

import json
import os
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import tokens  # noqa: E402
from akltest import Test, client, wait_for  # noqa: E402
from dialects import FORM  # noqa: E402
from minted import ISSUER, bearer, mint  # noqa: E402


t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


def gateway(cluster):
    """Start a gateway that introspects."""
    return t.nginx('''
        @method@
        @configs@
        server {
            listen 127.0.0.1:@port@;
            large_client_header_buffers 4 32k;
            location = /v2/auth { akl_k8s_auth; }
            location = /introspect { akl_k8s_introspect k8s-conf; }
            location = /both { akl_k8s_introspect k8s-conf other; }
            location = /revoke { akl_k8s_revoke; }
            location = /guarded {
                akl_k8s_guard other;
                akl_k8s_introspect k8s-conf;
                add_header X-Who $akl_k8s_config;
            }
            location = /dry {
                akl_k8s_guard other;
                akl_k8s_dry_run on;
                akl_k8s_introspect k8s-conf;
            }
        }
    ''', method=cluster.method(),
        configs=cluster.config(kind='P-256', token_issuer=ISSUER)
        + cluster.config(name='other', kind='P-256', token_issuer=ISSUER)
        + cluster.config(name='apart', kind='P-384', token_issuer=ISSUER))


@t.shared
def nginx(cluster):
    """The gateway of all stories that change nothing."""
    return gateway(cluster)


def ask(nginx, token, path='/introspect', headers=None):
    """Introspect a token."""
    return client.post(nginx.port, path,
                       urllib.parse.urlencode({'token': token}),
                       {**FORM, **(headers or {})})


def inactive(answer):
    """Return whether an answer says that a token is not active, alone."""
    return (answer.status, answer.body) == (200, b'{"active":false}')


@t.story
def a_good_token_is_active_and_all_of_its_claims_are_told(cluster, nginx):
    token = client.post(nginx.port, '/v2/auth',
                        cluster.login(cluster.issue())).json()['token']
    for time_ in ('first', 'second'):
        answer = ask(nginx, token)
        t.is_(answer.json(), {**tokens.decode(token)[1], 'active': True,
                              'client_id': 'k8s-conf',
                              'token_type': 'Bearer'}, f'the {time_} time')
        t.is_((answer.status, answer.header('content-type'),
               answer.header('cache-control')),
              (200, 'application/json', 'no-store'), 'as RFC 7662 has it')
    t.is_(cluster.api.stats()['review'], 1, 'no review but that of the login')


@t.story
def anything_else_is_not_active_and_nothing_is_told(cluster, nginx):
    now = int(time.time())
    good = mint()
    head, payload, signature = good.split('.')
    other = tokens.b64u(tokens.dumps({**tokens.decode(good)[1],
                                      'namespace': 'kube-system'}))
    table = {
        'an expired token': mint(iat=now - 900, nbf=now - 900, exp=now - 1),
        'one that is not valid yet': mint(nbf=now + 600),
        'one with another payload':
            f'{head}.{other}.{signature}',
        'one with another signature':
            f'{head}.{payload}.{mint().split(".")[2]}',
        'one by a key of nobody': mint(name='nobody'),
        'one of another config': mint(config_name='other'),
        'one of another config with another key':
            mint(kind='P-384', config_name='apart'),
        'one of a config that is not there': mint(config_name='gone'),
        'one of another issuer': mint(iss='https://other.example.com'),
        'a pod token': cluster.issue(),
        'one without a signature': f'{head}.{payload}.',
        'one that says it needs none':
            tokens.b64u('{"alg":"none"}') + f'.{payload}.',
        'one that is too large': mint(note='x' * 16384),
        'no token at all': 'p-kmx8x116z7j9km',
        'binary': '\x00\xff',
    }
    for name, token in table.items():
        answer = ask(nginx, token)
        t.ok(inactive(answer), name, answer)
        t.is_((answer.header('content-type'), answer.header('cache-control'),
               answer.header('www-authenticate')),
              ('application/json', 'no-store', None), f'{name}: the headers')
    t.ok(ask(nginx, good).json()['active'], 'and yet the good one is')
    t.ok(ask(nginx, mint(config_name='other'), '/both').json()['active'],
         'and that of the other config where that is named')


@t.story
def a_token_that_ends_is_active_until_then(nginx):
    for ttl in 2, 4, 8, 16, 32, 64:
        token = mint(ttl=ttl)
        if ask(nginx, token).json()['active']:
            break
    else:
        t.ok(False, 'no token is active')
        return
    t.ok(wait_for(lambda: inactive(ask(nginx, token))), 'it comes to an end')
    t.ok(time.time() >= tokens.decode(token)[1]['exp'], 'and not before')


@t.story
def a_revoked_token_is_not_active_also_where_it_was_seen_before(cluster):
    nginx = gateway(cluster)
    seen, unseen, other = (mint(jti=name) for name in ('s', 'u', 'o'))
    t.ok(ask(nginx, seen).json()['active'], 'before')
    for jti in 's', 'u':
        client.post(nginx.port, '/revoke', {'jti': jti},
                    {'Content-Type': 'application/json'})
    t.ok(inactive(ask(nginx, seen)), 'one that was seen')
    t.ok(inactive(ask(nginx, unseen)), 'one that was not')
    t.ok(ask(nginx, other).json()['active'], 'but not another one')


@t.story
def claims_keep_their_types_and_cannot_speak_for_the_answer(nginx):
    odd = {'active': False, 'client_id': 'me', 'token_type': 'mac',
           'list': ['a', 1, None, True], 'object': {'a': {'b': [1.5]}},
           'number': -7, 'quote"\\\n': 'é "\u2028\\',
           '': 'nameless'}
    token = mint(**odd)
    answer = ask(nginx, token)
    t.is_(answer.json(), {**tokens.decode(token)[1], 'active': True,
                          'client_id': 'k8s-conf', 'token_type': 'Bearer'},
          'the claims')
    pairs = json.loads(answer.body, object_pairs_hook=list)
    names = [name for name, _ in pairs]
    t.is_(len(names), len(set(names)), 'each once')


@t.story
def the_log_says_why_a_token_is_not_active_and_shows_none_of_it(nginx):
    token = mint(name='nobody')
    t.ok(inactive(ask(nginx, token)), 'it is not active')
    t.ok(nginx.wait_log('introspection, token is not active, '
                        'signature_invalid: '), 'and the log says why')
    log = nginx.error_log()
    t.ok(not [part for part in token.split('.') if part in log],
         'without the token')


@t.story
def what_the_form_says_beside_the_token_is_ignored(nginx):
    token = mint()
    for body in (f'token={token}&token_type_hint=refresh_token',
                 f'client_id=x&client_secret=y&token={token}',
                 f'&&x&=y&token={token}&',
                 f'%74oken={urllib.parse.quote(token).replace(".", "%2e")}'):
        answer = client.post(nginx.port, '/introspect', body, FORM)
        t.is_((answer.status, answer.json().get('active')), (200, True),
              body[:24])


@t.story
def requests_that_are_none_are_refused_as_oauth_does(nginx):
    token = mint()
    table = {
        'no token': ('token_type_hint=access_token', FORM, 400),
        'an empty one': ('token=', FORM, 400),
        'two': (f'token={token}&token={token}', FORM, 400),
        'a broken escape': (f'token={token}%2', FORM, 400),
        'an empty form': ('', FORM, 400),
        'JSON': (json.dumps({'token': token}),
                 {'Content-Type': 'application/json'}, 415),
        'no type': (f'token={token}', {'Content-Type': None}, 415),
        'another type': (f'token={token}', {
            'Content-Type': 'application/x-www-form-urlencodedx'}, 415),
        'too much': ('token=' + 'x' * 40000, FORM, 413),
        'far too much': ('token=' + 'x' * 2000000, FORM, 413),
    }
    for name, (body, headers, status) in table.items():
        mark = nginx.mark()
        answer = client.post(nginx.port, '/introspect', body, headers)
        t.ok(nginx.wait_log(r'\[info\].*akl_k8s: introspection refused, '
                            'request_malformed: [a-z]', since=mark),
             f'{name}: the log says why')
        t.is_((answer.status, answer.header('content-type'),
               answer.header('cache-control'),
               answer.json().get('error')),
              (status, 'application/json', 'no-store', 'invalid_request'),
              name)
    answer = client.get(nginx.port, f'/introspect?token={token}')
    t.is_((answer.status, answer.header('allow')), (405, 'POST'),
          'a token in a query is never looked at')
    answer = client.post(nginx.port, f'/introspect?token={token}', '', FORM)
    t.is_(answer.status, 400, 'nor beside a form')


@t.story
def a_body_that_comes_in_pieces_is_read_to_its_end(nginx):
    body = f'token={mint()}&token_type_hint=access_token'
    pieces = ''.join(f'{len(part):x}\r\n{part}\r\n' for part in (
        body[:9], body[9:200], body[200:]))
    answer = client.post(nginx.port, '/introspect', f'{pieces}0\r\n\r\n',
                         {**FORM, 'Transfer-Encoding': 'chunked'})
    t.ok(answer.json()['active'], 'in chunks')
    with client.connect(nginx.port) as sock:
        text = client.build('POST', '/introspect', FORM, body)
        for start in range(0, len(text), 100):
            sock.sendall(text[start:start + 100])
        t.ok(client.read_response(sock).json()['active'], 'in many packets')


@t.story
def who_asks_is_a_guards_business_and_stays_who_it_is(nginx):
    caller = mint(config_name='other')
    t.is_(ask(nginx, mint(), '/guarded').status, 401, 'nobody may not ask')
    answer = ask(nginx, mint(), '/guarded', bearer(caller))
    t.is_((answer.status, answer.json()['active']), (200, True),
          'who has a token may')
    t.is_(answer.header('x-who'), 'other', 'and is the one that is logged')
    t.ok(inactive(ask(nginx, caller, '/guarded', bearer(caller))),
         'which says nothing of the token that is asked for')
    t.ok(inactive(ask(nginx, caller, '/dry', bearer(mint()))),
         'nor does a dry run make one active')


t.tell()
