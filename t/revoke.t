#!/usr/bin/python3
"""akl_k8s_revoke: tokens that are not accepted any more."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import tokens  # noqa: E402
from akltest import Test, client, wait_for  # noqa: E402
from minted import ISSUER, bearer, mint  # noqa: E402

SUB = 'system:serviceaccount:my-namespace-a:builder'

t = Test(need_module=True)
cluster = t.cluster()
nginx = t.nginx('''
    akl_k8s_cache_valid 1h;
    @method@
    @config@
    server {
        listen 127.0.0.1:@port@;
        large_client_header_buffers 4 32k;
        location = /v2/auth { akl_k8s_auth; }
        location = /revoke { akl_k8s_revoke; }
        location = /denied { akl_k8s_revoke; deny all; }
        location / { akl_k8s_guard k8s-conf; root @dir@/html; }
    }
''', start=False, workers=2, method=cluster.method(token_ttl='15m'),
    config=cluster.config(kind='P-256', token_issuer=ISSUER))
os.makedirs(os.path.join(nginx.dir, 'html'))
t.write(os.path.join(nginx.dir, 'html', 'f'), 'file')
nginx.start()

JSON = {'Content-Type': 'application/json'}
FORM = {'Content-Type': 'application/x-www-form-urlencoded'}


def status(token):
    """Present a token to both workers, some times."""
    seen = {client.get(nginx.port, '/f', bearer(token)).status
            for _ in range(8)}
    return seen.pop() if len(seen) == 1 else seen


def revoke(body, headers=None, path='/revoke'):
    """Ask for a revocation."""
    return client.post(nginx.port, path, body, headers or JSON)


now = int(time.time())

# By jti

hot, cold, other = (mint(jti=f'token-{n}') for n in range(3))
t.is_((status(hot), status(other)), (200, 200), 'tokens are fine')
before = int(time.time())
answer = revoke({'jti': 'token-0'})
t.is_((answer.status, answer.json()['jti'], answer.header('content-type'),
       answer.header('cache-control')),
      (200, 'token-0', 'application/json', 'no-store'), 'a revocation')
t.ok(before + 890 < answer.json()['until'] < time.time() + 990,
     'for as long as a token may live', answer)
t.is_(status(hot), 401, 'a token that was remembered')
answer = client.get(nginx.port, '/f', bearer(hot))
t.is_(answer.header('www-authenticate'),
      'Bearer realm="akl_k8s", error="invalid_token", '
      'error_description="token_revoked"', 'and why')
t.is_(revoke('jti=token-1&x=y', FORM).status, 200, 'as a form')
t.is_(status(cold), 401, 'a token that was never seen')
t.is_(status(other), 200, 'another one')
t.is_(revoke('jti=a%2fb+c', FORM).json()['jti'], 'a/b c', 'escapes')

# By subject and time

old = mint(iat=now - 100, nbf=now - 100)
new = mint(iat=now - 10, nbf=now - 10)
stranger = mint(iat=now - 100, nbf=now - 100,
                sub='system:serviceaccount:my-namespace-a:default')
t.is_([status(token) for token in (old, new, stranger)], [200] * 3,
      'subjects are fine')
answer = revoke({'sub': SUB, 'before': now - 50})
t.is_((answer.status, answer.json()['before']), (200, now - 50),
      'a subject, before a time')
t.is_([status(token) for token in (old, new, stranger)], [401, 200, 200],
      'what was issued before is refused')
t.is_(revoke({'sub': SUB, 'before': now - 80}).json()['before'], now - 50,
      'an earlier time takes nothing back')
t.is_((status(old), status(new)), (401, 200), 'nor opens')
stamp = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(now - 5))
t.is_(revoke({'sub': SUB, 'before': stamp}).json()['before'], now - 5,
      'RFC 3339')
t.is_(status(new), 401, 'the other one too')
present = mint(iat=int(time.time()), nbf=int(time.time()))
t.is_(status(present), 200, 'a token of now')
t.is_(revoke(f'sub={SUB}', FORM).status, 200, 'without a time: till now')
t.is_(status(present), 401, 'and it is gone')
later = int(time.time()) + 2
t.is_(status(mint(iat=later, nbf=later)), 200, 'but not what comes after')

# Who may still log in gets another token, with no review

pod = cluster.issue()
body = cluster.login(pod)


def logins():
    """Log in some times; return the tokens."""
    return {client.post(nginx.port, '/v2/auth', body).json()['token']
            for _ in range(8)}


def second():
    """Wait for the next second."""
    started = int(time.time())
    wait_for(lambda: int(time.time()) > started)


second()
first = logins()
t.is_(len(first), 1, 'a token that is kept')
first = first.pop()
t.is_(status(first), 200, 'and good')
revoke({'jti': tokens.decode(first)[1]['jti']})
other = logins()
t.ok(first not in other and len(other) == 1, 'its jti is revoked: another')
other = other.pop()
t.is_((status(first), status(other)), (401, 200), 'one is bad, one is good')
revoke({'sub': SUB})
second()
third = logins()
t.ok(other not in third and len(third) == 1, 'the subject is: another')
third = third.pop()
t.is_((status(other), status(third)), (401, 200), 'one is bad, one is good')
t.is_(cluster.api.stats()['review'], 1, 'by one review in all')

# Over a reload, and until the end

t.ok(nginx.reload(wait_old=True), 'a reload')
t.is_((status(hot), status(old)), (401, 401), 'the list outlives it')
t.is_(status(stranger), 200, 'and so does what is not on it')

# What else a token says, at whatever length, does not hide its name

for audience in ('a' * 7900, 'a' * 8100, 'a' * 11000,
                 [f'{n:x}' for n in range(1900)]):
    long = mint(aud=audience, jti='long')
    t.ok(8200 < len(long) <= 16384, f'a token of {len(long)} bytes')
    t.is_(status(long), 200, 'with a long audience it is good')
t.is_(revoke({'jti': 'long'}).status, 200, 'revoked')
for audience in ('a', 'a' * 7900, 'a' * 8100, 'a' * 11000,
                 [f'{n:x}' for n in range(1900)]):
    for more in ({}, {'note': 'x'}):
        t.is_(status(mint(aud=audience, jti='long', **more)), 401,
              'and it is refused with any audience')

# While anything is revoked, what has no name is refused

for members in ({'jti': None}, {'jti': ''}, {'jti': 5}, {'jti': ['token-1']},
                {'jti': {}}, {'sub': None}, {'sub': 7}, {'sub': [SUB]}):
    t.is_(status(mint(iat=int(time.time()) + 5, **members)), 401,
          f'{members} while there are revocations')
t.is_(status(mint(iat=int(time.time()) + 5)), 200, 'but not what has one')

# Requests that are none

for body, headers in (
        ('', JSON), ('{}', JSON), ('[]', JSON), ('x', JSON), ('x', FORM),
        ('{"jti":5}', JSON), ('{"jti":""}', JSON),
        ('{"jti":"a","sub":"b"}', JSON), ('{"jti":"a","jti":"b"}', JSON),
        ('{"jti":"a","before":5}', JSON), ('{"sub":"a","before":"x"}', JSON),
        ('{"sub":"a","before":-1}', JSON), ('{"sub":"a","before":null}', JSON),
        ('{"before":5}', JSON), ('jti=a&jti=b', FORM), ('jti=', FORM),
        ('jti=' + 'x' * 2000, FORM), ('sub=a&before=soon', FORM)):
    answer = revoke(body, headers)
    t.is_((answer.status, answer.header('content-type')),
          (400, 'application/json'),
          f'{body[:30]!r}')
t.is_(revoke('jti=' + 'x' * 20000, FORM).status, 413, 'a body too large')
answer = client.get(nginx.port, '/revoke')
t.is_((answer.status, answer.header('allow')), (405, 'POST'), 'GET')
t.is_(revoke({'jti': 'token-2'}, path='/denied').status, 403,
      'guarded by what the operator puts there')

# A list that is full takes no more, and loses nothing

small = t.nginx('''
    akl_k8s_zone small:256k;
    @method@
    @config@
    server {
        listen 127.0.0.1:@port@;
        location = /revoke { akl_k8s_revoke; }
        location / { akl_k8s_guard k8s-conf; root @dir@/html; }
    }
''', method=cluster.method(), config=cluster.config(kind='P-256',
                                                      token_issuer=ISSUER))
os.makedirs(os.path.join(small.dir, 'html'))
t.write(os.path.join(small.dir, 'html', 'f'), 'file')
answers = []
while len(answers) < 1000 and (not answers or answers[-1].status == 200):
    answers.append(client.post(small.port, '/revoke',
                               {'jti': f'full-{len(answers)}'}, JSON))
t.ok(30 < len(answers) < 1000, f'{len(answers) - 1} revocations fit')
t.is_((answers[-1].status, answers[-1].json()['error']),
      (503, 'the list of revocations is full'), 'one more does not')
t.is_({client.get(small.port, '/f', bearer(mint(jti=f'full-{n}'))).status
       for n in range(len(answers) - 1)}, {401}, 'all of them still count')
t.is_(client.get(small.port, '/f', bearer(mint())).status, 200,
      'and nothing else does')

t.done_testing()
