#!/usr/bin/python3
"""satisfy all and any, with addresses, passwords and other gates."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

from akltest import Test, client  # noqa: E402
from minted import ISSUER, bearer, mint  # noqa: E402

GUARDED = ('any-allow', 'any-deny', 'any-basic', 'any-three', 'any-require',
           'all-allow', 'all-deny', 'all-basic', 'any-ask', 'any-all',
           'any-none', 'any-match')
OURS = 'Bearer realm="akl_k8s"'
THEIRS = 'Basic realm="realm"'
BASIC = {'Authorization': 'Basic am9lOnNlY3JldA=='}
WRONG = {'Authorization': 'Basic am9lOndyb25n'}
HTTP = '''
    @method@
    @config@
    server {
        listen 127.0.0.1:@port@;
        root @dir@/html;
        akl_k8s_guard k8s-conf;

        location /any-allow/ { satisfy any; allow all; }
        location /any-deny/ { satisfy any; deny all; }
        location /any-basic/ {
            satisfy any;
            auth_basic "realm";
            auth_basic_user_file @dir@/passwords;
        }
        location /any-three/ {
            satisfy any;
            deny all;
            auth_basic "realm";
            auth_basic_user_file @dir@/passwords;
        }
        location /any-require/ {
            satisfy any;
            akl_k8s_require namespace=elsewhere;
            auth_basic "realm";
            auth_basic_user_file @dir@/passwords;
        }
        location /all-allow/ { allow all; }
        location /all-deny/ { deny all; }
        location /all-basic/ {
            akl_k8s_token_source $http_x_token;
            auth_basic "realm";
            auth_basic_user_file @dir@/passwords;
        }
        location /any-ask/ { satisfy any; auth_request /ask; }
        location /any-all/ {
            satisfy any;
            auth_request /yes;
            auth_basic "realm";
            auth_basic_user_file @dir@/passwords;
        }
        location /any-none/ {
            satisfy any;
            auth_request /ask;
            auth_basic "realm";
            auth_basic_user_file @dir@/passwords;
        }
        location /any-match/ {
            satisfy any;
            auth_basic "realm";
            auth_basic_user_file @dir@/passwords;
            error_page 412 = /again;
        }
        location = /again { internal; }
        location = /yes { akl_k8s_guard off; internal; return 204; }
        location = /ask { akl_k8s_guard off; internal; return 401; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def nginx(cluster):
    """Locations with a guard and other gates."""
    nginx = t.nginx(HTTP, start=False, method=cluster.method(),
                    config=cluster.config(kind='P-256', token_issuer=ISSUER))
    for name in GUARDED:
        os.makedirs(os.path.join(nginx.dir, 'html', name))
        t.write(os.path.join(nginx.dir, 'html', name, 'f'), name)
    t.write(os.path.join(nginx.dir, 'passwords'), 'joe:{PLAIN}secret\n')
    return nginx.start()


@t.shared
def check(nginx):
    """Hold status and challenges of a request against what they must be."""
    def check(path, headers, status, challenges, name):
        answer = client.get(nginx.port, f'/{path}/f', headers)
        got = sorted(answer.all('www-authenticate'))
        t.is_((answer.status, got), (status, sorted(challenges)),
              f'{path}: {name}')
        return answer
    return check


# satisfy any

@t.story
def any_with_an_address_that_is_let_in_needs_no_token(check):
    good = mint()
    answer = check('any-allow', {}, 200, [], 'no token')
    t.is_(answer.header('cache-control'), None,
          'any-allow: nor another header')
    check('any-allow', bearer(good), 200, [], 'a token')
    check('any-allow', bearer(good[:-6]), 200, [], 'a bad token')


@t.story
def any_with_an_address_that_is_denied_needs_a_token(check):
    good = mint()
    check('any-deny', {}, 401, [OURS], 'no token')
    check('any-deny', bearer(good), 200, [], 'a token')
    check('any-deny', bearer(good[:-6]), 401, [
        f'{OURS}, error="invalid_token", '
        'error_description="signature_invalid"'], 'a bad token')


@t.story
def any_takes_a_token_or_a_password(check):
    good = mint()
    check('any-basic', {}, 401, [OURS, THEIRS], 'nothing')
    check('any-basic', bearer(good), 200, [], 'a token')
    check('any-basic', BASIC, 200, [], 'a password')
    check('any-basic', WRONG, 401, [OURS, THEIRS], 'a wrong password')
    check('any-three', {}, 401, [OURS, THEIRS], 'nothing')
    check('any-three', bearer(good), 200, [], 'a token')
    check('any-three', BASIC, 200, [], 'a password')


@t.story
def any_takes_no_token_that_a_requirement_refuses(check):
    good = mint()
    check('any-require', BASIC, 200, [], 'a password')
    check('any-require', bearer(good), 401, [
        f'{OURS}, error="insufficient_scope", '
        'error_description="claim_not_allowed", claim="namespace"', THEIRS],
        'a token that does not do')


@t.story
def any_takes_a_token_or_the_answer_of_auth_request(check, nginx):
    good = mint()
    check('any-ask', bearer(good), 200, [], 'a token')
    t.is_(client.get(nginx.port, '/any-ask/f').status, 401,
          'any-ask: nothing')
    check('any-all', {}, 200, [], 'another gate opens')


@t.story
def any_opens_when_one_gate_of_three_does(check):
    good = mint()
    check('any-none', BASIC, 200, [], 'a password, when two refuse')
    check('any-none', bearer(good), 200, [], 'a token, when two refuse')


# satisfy all

@t.story
def all_takes_a_token_and_an_address(check):
    good = mint()
    check('all-allow', {}, 401, [OURS], 'no token')
    check('all-allow', bearer(good), 200, [], 'a token')
    check('all-deny', bearer(good), 403, [], 'a token')


@t.story
def all_takes_a_token_and_a_password(check):
    good = mint()
    check('all-basic', BASIC, 401, [OURS], 'a password')
    check('all-basic', {'X-Token': good}, 401, [THEIRS], 'a token')
    check('all-basic', {'X-Token': good, **BASIC}, 200, [], 'both')
    check('all-basic', {'X-Token': f'Bearer {good}', **BASIC}, 200, [],
          'both, and a scheme')


@t.story
def a_guard_challenges_again_when_a_filter_has_emptied_the_headers(nginx):
    answer = client.get(nginx.port, '/any-match/f',
                        dict(BASIC, **{'If-Match': '"other"'}))
    t.is_(answer.status, 401, 'the error page of 412 is guarded')
    t.is_(answer.header('www-authenticate'), OURS, 'with a challenge')
    t.is_(answer.header('cache-control'), 'no-store', 'not to be stored')


t.tell()
