#!/usr/bin/python3
"""akl_k8s_revoke: tokens that are not accepted any more."""

import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import tokens  # noqa: E402
from akltest import NAMESPACE, Test, client, wait_for  # noqa: E402
from dialects import FORM  # noqa: E402
from minted import ISSUER, bearer, mint  # noqa: E402

SUB = 'system:serviceaccount:my-namespace-a:builder'
JSON = {'Content-Type': 'application/json'}
HTTP = '''
    @zone@
    akl_k8s_cache_valid 1h;
    @method@
    @config@
    server {
        listen 127.0.0.1:@port@;
        large_client_header_buffers 4 32k;
        location = /v2/auth { akl_k8s_auth; }
        location = /revoke { akl_k8s_revoke; }
        location = /by-guests {
            akl_k8s_guard k8s-conf;
            akl_k8s_revoke;
            add_header X-Who "$akl_k8s_status $akl_k8s_pod_name" always;
        }
        location = /denied { akl_k8s_revoke; deny all; }
        location = /dry {
            akl_k8s_guard k8s-conf;
            akl_k8s_dry_run on;
            add_header X-Pod "<$akl_k8s_pod_name$akl_k8s_claim_pod_name>";
            alias @dir@/html/f;
        }
        location / { akl_k8s_guard k8s-conf; root @dir@/html; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx with a list of revocations."""

    def __init__(self, cluster, workers=2, zone=''):
        self.cluster = cluster
        self.nginx = t.nginx(
            HTTP, start=False, workers=workers, zone=zone,
            method=cluster.method(token_ttl='15m'),
            config=cluster.config(kind='P-256', token_issuer=ISSUER))
        os.makedirs(os.path.join(self.nginx.dir, 'html'))
        t.write(os.path.join(self.nginx.dir, 'html', 'f'), 'file')
        self.nginx.start()

    def present(self, token):
        """Present a token; return the answer."""
        return client.get(self.nginx.port, '/f', bearer(token))

    def status(self, token):
        """Present a token to both workers, some times."""
        seen = {self.present(token).status for _ in range(8)}
        return seen.pop() if len(seen) == 1 else seen

    def revoke(self, body, headers=None, path='/revoke'):
        """Ask for a revocation."""
        return client.post(self.nginx.port, path, body, headers or JSON)

    def logins(self, body):
        """Log in some times; return the tokens."""
        return {client.post(self.nginx.port, '/v2/auth', body).json()['token']
                for _ in range(8)}


@t.own
def gateway(cluster):
    """A gateway with nothing on its list, which outlives all else."""
    return Gateway(cluster)


def second():
    """Wait for the next second."""
    started = int(time.time())
    wait_for(lambda: int(time.time()) > started)


# By jti

@t.story
def a_token_is_revoked_by_its_jti(gateway):
    hot, other = mint(jti='token-0'), mint(jti='token-2')
    t.is_((gateway.status(hot), gateway.status(other)), (200, 200),
          'tokens are fine')
    before = int(time.time())
    answer = gateway.revoke({'jti': 'token-0'})
    t.is_((answer.status, answer.json()['jti'], answer.header('content-type'),
           answer.header('cache-control')),
          (200, 'token-0', 'application/json', 'no-store'), 'a revocation')
    t.ok(before + 890 < answer.json()['until'] < time.time() + 990,
         'for as long as a token may live', answer)
    t.is_(gateway.status(hot), 401, 'a token that was remembered')
    t.is_(gateway.present(hot).header('www-authenticate'),
          'Bearer realm="akl_k8s", error="invalid_token", '
          'error_description="token_revoked"', 'and why')
    t.is_(gateway.status(other), 200, 'another one')


@t.story
def the_log_says_whose_the_revoked_token_is_and_variables_do_not(gateway):
    nginx = gateway.nginx
    tokens_ = {'remembered': mint(jti='whose-1', pod_name='mypod1'),
               'new': mint(jti='whose-2', pod_name='mypod2')}
    t.is_(gateway.present(tokens_['remembered']).status, 200, 'a good token')
    for jti in ('whose-1', 'whose-2'):
        gateway.revoke({'jti': jti})
    for number, (name, token) in enumerate(tokens_.items(), 1):
        for path, end in (('/f', ''), ('/dry', ': dry run, let through')):
            mark = nginx.mark()
            answer = client.get(nginx.port, path, bearer(token))
            t.ok(nginx.wait_log(
                f'guard refused, token_revoked: [^:]*{end}, config '
                f'"k8s-conf", namespace "{NAMESPACE}", service account '
                f'"builder", pod "mypod{number}"', since=mark),
                 f'{name}, {path}: the log names the pod',
                 nginx.error_log(mark))
        t.is_(answer.header('x-pod'), '<>', f'{name}: a dry run tells nobody')


@t.story
def a_revocation_may_be_a_form(gateway):
    t.is_(gateway.revoke('jti=token-1&x=y', FORM).status, 200, 'as a form')
    t.is_(gateway.status(mint(jti='token-1')), 401,
          'a token that was never seen')
    t.is_(gateway.revoke('jti=a%2fb+c', FORM).json()['jti'], 'a/b c',
          'escapes')


# By subject and time

@t.story
def what_a_subject_got_before_a_time_is_revoked(gateway):
    now = int(time.time())
    old = mint(iat=now - 100, nbf=now - 100)
    new = mint(iat=now - 10, nbf=now - 10)
    stranger = mint(iat=now - 100, nbf=now - 100,
                    sub='system:serviceaccount:my-namespace-a:default')
    t.is_([gateway.status(token) for token in (old, new, stranger)],
          [200] * 3, 'subjects are fine')
    answer = gateway.revoke({'sub': SUB, 'before': now - 50})
    t.is_((answer.status, answer.json()['before']), (200, now - 50),
          'a subject, before a time')
    t.is_([gateway.status(token) for token in (old, new, stranger)],
          [401, 200, 200], 'what was issued before is refused')
    t.is_(gateway.revoke({'sub': SUB, 'before': now - 80}).json()['before'],
          now - 50, 'an earlier time takes nothing back')
    t.is_((gateway.status(old), gateway.status(new)), (401, 200),
          'nor opens')
    stamp = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(now - 5))
    t.is_(gateway.revoke({'sub': SUB, 'before': stamp}).json()['before'],
          now - 5, 'RFC 3339')
    t.is_(gateway.status(new), 401, 'the other one too')


@t.story
def without_a_time_what_a_subject_got_until_now_is_revoked(gateway):
    present = mint(iat=int(time.time()), nbf=int(time.time()))
    t.is_(gateway.status(present), 200, 'a token of now')
    t.is_(gateway.revoke(f'sub={SUB}', FORM).status, 200,
          'without a time: till now')
    t.is_(gateway.status(present), 401, 'and it is gone')
    later = int(time.time()) + 2
    t.is_(gateway.status(mint(iat=later, nbf=later)), 200,
          'but not what comes after')


@t.story
def who_may_still_log_in_gets_another_token_without_a_review(
        cluster, gateway):
    body = cluster.login(cluster.issue())
    first = gateway.logins(body)
    t.is_(len(first), 1, 'a token that is kept')
    first = first.pop()
    t.is_(gateway.status(first), 200, 'and good')
    gateway.revoke({'jti': tokens.decode(first)[1]['jti']})
    other = gateway.logins(body)
    t.ok(first not in other and len(other) == 1,
         'its jti is revoked: another')
    other = other.pop()
    t.is_((gateway.status(first), gateway.status(other)), (401, 200),
          'one is bad, one is good')
    gateway.revoke({'sub': SUB})
    second()
    third = gateway.logins(body)
    t.ok(other not in third and len(third) == 1, 'the subject is: another')
    third = third.pop()
    t.is_((gateway.status(other), gateway.status(third)), (401, 200),
          'one is bad, one is good')
    t.is_(cluster.api.stats()['review'], 1, 'by one review in all')


@t.story
def the_list_outlives_a_reload(gateway):
    now = int(time.time())
    hot, old = mint(jti='token-0'), mint(iat=now - 100, nbf=now - 100)
    stranger = mint(iat=now - 100, nbf=now - 100,
                    sub='system:serviceaccount:my-namespace-a:default')
    gateway.revoke({'jti': 'token-0'})
    gateway.revoke({'sub': SUB, 'before': now - 50})
    t.ok(gateway.nginx.reload(wait_old=True), 'a reload')
    t.is_((gateway.status(hot), gateway.status(old)), (401, 401),
          'the list outlives it')
    t.is_(gateway.status(stranger), 200, 'and so does what is not on it')


@t.story
def a_revocation_outlives_tokens_of_a_longer_ttl(cluster, gateway):
    old = client.post(gateway.nginx.port, '/v2/auth',
                      cluster.login(cluster.issue())).json()['token']
    members = tokens.decode(old)[1]
    gateway.nginx.configure({'method': cluster.method(token_ttl='2s')})
    t.ok(gateway.nginx.reload(wait_old=True), 'a reload to a shorter ttl')
    for body in {'jti': members['jti']}, {'sub': members['sub']}:
        answer = gateway.revoke(body)
        t.ok(answer.json()['until'] > members['exp'],
             'on the list until the token is over', answer)


@t.story
def a_revocation_outlives_what_others_signed_for_longer(gateway):
    now = int(time.time())
    long = mint(exp=now + 7200)
    t.is_(gateway.status(long), 200, 'a token by another gateway')
    answer = gateway.revoke({'sub': SUB, 'before': now - 50})
    t.ok(now + 7200 < answer.json()['until'] < time.time() + 7210,
         'on the list until the token is over', answer)
    t.is_(gateway.status(mint(exp=now + (1 << 40))), 200,
          'and one without an end that could be told')
    answer = gateway.revoke({'sub': SUB, 'before': now - 50})
    t.ok(answer.json()['until'] < time.time() + 366 * 24 * 3600,
         'on the list for a year', answer)


@t.story
def what_else_a_token_says_does_not_hide_its_name(gateway):
    for audience in ('a' * 7900, 'a' * 8100, 'a' * 11000,
                     [f'{n:x}' for n in range(1900)]):
        long = mint(aud=audience, jti='long')
        t.ok(8200 < len(long) <= 16384, f'a token of {len(long)} bytes')
        t.is_(gateway.status(long), 200, 'with a long audience it is good')
    t.is_(gateway.revoke({'jti': 'long'}).status, 200, 'revoked')
    for audience in ('a', 'a' * 7900, 'a' * 8100, 'a' * 11000,
                     [f'{n:x}' for n in range(1900)]):
        for more in ({}, {'note': 'x'}):
            t.is_(gateway.status(mint(aud=audience, jti='long', **more)), 401,
                  'and it is refused with any audience')


@t.story
def while_anything_is_revoked_what_has_no_name_is_refused(gateway):
    t.is_(gateway.revoke({'jti': 'token-0'}).status, 200, 'a revocation')
    for members in ({'jti': None}, {'jti': ''}, {'jti': 5},
                    {'jti': ['token-1']}, {'jti': {}}, {'sub': None},
                    {'sub': 7}, {'sub': [SUB]}):
        t.is_(gateway.status(mint(**members)), 401,
              f'{members} while there are revocations')
    t.is_(gateway.status(mint()), 200, 'but not what has one')


# Requests

@t.story
def a_request_that_is_no_revocation_is_told_so(gateway):
    for body, headers in (
            ('', JSON), ('{}', JSON), ('[]', JSON), ('x', JSON), ('x', FORM),
            ('{"jti":5}', JSON), ('{"jti":""}', JSON),
            ('{"jti":"a","sub":"b"}', JSON), ('{"jti":"a","jti":"b"}', JSON),
            ('{"jti":"a","before":5}', JSON),
            ('{"sub":"a","before":"x"}', JSON),
            ('{"sub":"a","before":-1}', JSON),
            ('{"sub":"a","before":null}', JSON),
            ('{"before":5}', JSON), ('jti=a&jti=b', FORM), ('jti=', FORM),
            ('jti=' + 'x' * 2000, FORM), ('sub=a&before=soon', FORM),
            ('sub=a&before=', FORM), ('sub=a&before', FORM)):
        answer = gateway.revoke(body, headers)
        t.is_((answer.status, answer.header('content-type')),
              (400, 'application/json'), f'{body[:30]!r}')
    t.is_(gateway.revoke('jti=' + 'x' * 30000, FORM).status, 413,
          'a body too large')
    answer = client.get(gateway.nginx.port, '/revoke')
    t.is_((answer.status, answer.header('allow')), (405, 'POST'), 'GET')


@t.story
def the_log_says_who_revoked_what_and_what_was_refused(gateway):
    nginx = gateway.nginx
    for body, line in (
            ({'jti': 'x"\n'}, r'[notice] akl_k8s: revoked, jti "x\x22\x0A", '
             'client: 127.0.0.1'),
            ({'sub': 'nobody', 'before': 12},
             '[notice] akl_k8s: revoked, subject "nobody", before 12, client'),
            ({}, '[info] akl_k8s: revocation refused, request_malformed: '
             'exactly one of "jti", "sub" and "token" is needed, client')):
        mark = nginx.mark()
        gateway.revoke(body)
        t.ok(nginx.wait_log('akl_k8s: revo', since=mark), f'{body}: a line')
        t.is_([got for got in (re.sub(r'^[^[]*(\[\w+\]).*? (?=akl)', r'\1 ',
                                      line_) for line_
                               in nginx.grep('akl_k8s: revo', mark))
               if not got.startswith(line)], [], f'{body}: and what it says')


@t.story
def the_operator_guards_the_location_of_revocations(gateway):
    t.is_(gateway.revoke({'jti': 'token-2'}, path='/denied').status, 403,
          'guarded by what the operator puts there')
    t.is_(gateway.status(mint(jti='token-2')), 200, 'and nothing is revoked')


@t.story
def variables_tell_who_revokes_and_not_whose_token(gateway):
    guest = bearer(mint(pod_name='guest'))
    for name, body in (
            ('by jti', 'jti=token-3'),
            ('a token', f'token={mint(pod_name="victim")}'),
            ('what is no token', 'token=x')):
        answer = gateway.revoke(body, {**FORM, **guest}, '/by-guests')
        t.is_((answer.status, answer.header('x-who')), (200, 'ok guest'),
              name)


@t.story
def a_list_that_is_full_takes_no_more_and_loses_nothing(cluster):
    small = Gateway(cluster, workers=1, zone='akl_k8s_zone small:256k;')
    answers = []
    while len(answers) < 1000 and (not answers or answers[-1].status == 200):
        answers.append(small.revoke({'jti': f'full-{len(answers)}'}))
    t.ok(30 < len(answers) < 1000, f'{len(answers) - 1} revocations fit')
    t.is_((answers[-1].status, answers[-1].json()['error']),
          (503, 'revocations_full'), 'one more does not')
    t.ok(small.nginx.wait_log(
        r'\[error\].*akl_k8s: revocation failed, revocations_full: '),
         'which the log says')
    t.is_({small.present(mint(jti=f'full-{n}')).status
           for n in range(len(answers) - 1)}, {401},
          'all of them still count')
    t.is_(small.present(mint()).status, 200, 'and nothing else does')


t.tell()
