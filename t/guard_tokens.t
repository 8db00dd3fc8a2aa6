#!/usr/bin/python3
"""Tokens at the guard: how they come, how long they hold, where from."""

import base64
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import forge  # noqa: E402
import tokens  # noqa: E402
from akltest import CONFIG, Test, client, wait_for  # noqa: E402
from minted import ISSUER, bearer, claims, key, mint  # noqa: E402

CHALLENGE = 'Bearer realm="akl_k8s"'
BARE = 'token_missing'
BAD = 'token_malformed'

t = Test(need_module=True)
cluster = t.cluster()
stranger = t.cluster(key='stranger')
previous = cluster.file('previous.pub',
                        tokens.key('P-384', 'previous').public_pem())

HTTP = '''
    log_format who '$request_id "$akl_k8s_pod_name" "$akl_k8s_namespace" '
                   '"$akl_k8s_claim_note" "$akl_k8s_jti"';
    access_log @dir@/who.log who;
    @method@
    @config@
    @trusting@
    server {
        listen 127.0.0.1:@port@;
        large_client_header_buffers 4 2m;
        location = /who {
            akl_k8s_guard k8s-conf;
            add_header X-Pod $akl_k8s_pod_name;
            add_header X-Note $akl_k8s_claim_note;
            add_header X-Jti $akl_k8s_jti;
            empty_gif;
        }
        location = /bound {
            akl_k8s_guard k8s-conf;
            akl_k8s_require namespace=nowhere;
            empty_gif;
        }
        location = /file { akl_k8s_guard k8s-conf; empty_gif; }
        location = /v2/auth { akl_k8s_auth; }
        location = /v1/auth/kubernetes/login { akl_k8s_auth vault; }
        location = /token { akl_k8s_auth oauth; }
    }
    server {
        listen 127.0.0.1:@port1@;
        location / { akl_k8s_guard k8s-conf; empty_gif; }
    }
'''
nginx = t.nginx(HTTP, level='info', method=cluster.method(),
                config=cluster.config(kind='P-256', token_issuer=ISSUER,
                                      verification_key=previous),
                trusting=cluster.config('trusting', kind='P-256',
                                        k8s_issuer=None,
                                        disable_issuer_validation='on'))


def send(*lines, path='/file', port=None):
    """Send header lines as they are; return status and reason."""
    data = f'GET {path} HTTP/1.0\r\nHost: x\r\n' + ''.join(
        line + '\r\n' for line in lines) + '\r\n'
    answer = client.raw(port or nginx.port,
                        data.encode('utf-8', 'surrogateescape'))
    head = answer.decode('utf-8', 'replace').split('\r\n\r\n')[0]
    status = int(head.split()[1])
    challenge = [line.partition(': ')[2] for line in head.split('\r\n')
                 if line.startswith('WWW-Authenticate')]
    if challenge == [CHALLENGE]:
        return status, BARE
    for text in challenge:
        before, _, reason = text.partition('error_description=')
        if before == CHALLENGE + ', error="invalid_token", ':
            return status, reason.strip('"')
    return status, challenge[0] if challenge else None


def file(token, path='/file'):
    """Return status and reason of a request with a token."""
    return send(f'Authorization: Bearer {token}', path=path)


good = mint()

# The header: what it may look like

for value in ('Bearer G', 'bearer G', 'BEARER G', 'bEaReR G', 'Bearer  G',
              'Bearer     G', ' Bearer G', 'Bearer G ', 'Bearer\tG',
              'bearer \t G'):
    t.is_(send('Authorization: ' + value.replace('G', good)), (200, None),
          f'{value!r}')
for name in ('authorization', 'AUTHORIZATION', 'aUTHORIZATION'):
    t.is_(send(f'{name}: Bearer {good}'), (200, None), f'{name}:')
for value, reason in (
        ('Bearer', BAD), ('Bearer ', BAD), ('Bearer    ', BAD),
        ('bearer', BAD), ('Bearer X', BAD), ('Bearer G x', BAD),
        ('Bearer x G', BAD), ('Bearer\t', BAD), ('Bearer G\t', BAD),
        ('Bearer G,G', BAD), ('Bearer G, Bearer G', BAD),
        ('Bearer G,Basic x', BAD), ('Bearer G;G', BAD),
        ('Bearer ,G', BAD), ('Bearer "G"', BAD), ('Bearer token=G', BAD),
        ('Bearer Bearer G', BAD), ('Bearer \u00a0G', BAD),
        ('\tBearer G', BARE), ('X', BARE), ('', BARE),
        ('G', BARE), ('BearerG', BARE), ('Bearer:G', BARE),
        ('Bearer,G', BARE), ('Bearerx G', BARE), ('Beare G', BARE),
        ('Basic G', BARE), ('Basic x, Bearer G', BARE),
        ('G, Bearer G', BARE), ('Token G', BARE), ('JWT G', BARE),
        ('"Bearer" G', BARE)):
    t.is_(send('Authorization: ' + value.replace('G', good)), (401, reason),
          f'{value!r}: {reason}')
for name in ('Authorization_', 'X-Authorization', 'Proxy-Authorization'):
    t.is_(send(f'{name}: Bearer {good}'), (401, BARE), f'{name}:')
t.is_(send('Cookie: Authorization=' + good, path='/file?access_token='
           + good), (401, BARE), 'a cookie and an argument')
for name, lines in (
        ('twice the same', (f'Bearer {good}',) * 2),
        ('good, then bad', (f'Bearer {good}', 'Bearer x')),
        ('bad, then good', ('Bearer x', f'Bearer {good}')),
        ('another scheme first', ('Basic x', f'Bearer {good}')),
        ('another scheme last', (f'Bearer {good}', 'Basic x')),
        ('an empty one first', ('', f'Bearer {good}'))):
    t.is_(send(*(f'Authorization: {line}' for line in lines)), (400, None),
          f'Authorization twice: {name}')
t.is_(send('Authorization: x', f'authorization: Bearer {good}'),
      (400, None), 'Authorization twice: in two spellings')

# What ends a header line does not get into a token

half = good[:20], good[20:]
for name, mark, want in (
        ('line feed', '\n', (401, BAD)), ('CR LF', '\r\n', (401, BAD)),
        ('a line folded', '\r\n ', (400, None)),
        ('a header in it', '\r\nX-Evil: ', (401, BAD)),
        ('CR', '\r', (400, None)), ('NUL', '\0', (400, None))):
    t.is_(send('Authorization: Bearer ' + mark.join(half)), want,
          f'{name} inside a token')
t.is_(send(f'Authorization: Bearer\r\n {good}'), (400, None),
      'a token on a line of its own')
t.is_(send(f'Authorization: Bearer {good}\0'), (400, None), 'NUL behind it')

# Size: nginx's own limits, then ours

signer = key('P-256')
for size, here, there in (
        (8 << 10, (400, None), (200, None)),
        (forge.MAX, (400, None), (200, None)),
        (forge.MAX + 1, (400, None), (401, 'token_too_large')),
        (1 << 20, (400, None), (401, 'token_too_large'))):
    token = forge.sized(signer, claims(), size)
    t.is_(send(f'Authorization: Bearer {token}', port=nginx.port_of('port1')),
          here, f'{size} bytes, buffers of 8 KB')
    t.is_(file(token), there, f'{size} bytes, buffers of 2 MB')
token = forge.sized(signer, claims(), (8 << 10) - 64)
t.is_(send(f'Authorization: Bearer {token}', port=nginx.port_of('port1')),
      (200, None), 'what fits 8 KB passes')
t.is_(file('A' * (1 << 20)), (401, 'token_too_large'), '1 MB of A')
t.is_(file('.' * (1 << 20)), (401, 'token_too_large'), '1 MB of points')
t.is_(file('.' * forge.MAX), (401, BAD), '16 KB of points')

# To the second: no leeway at the end, 60 s at the start


def within_a_second(name, want, **members):
    """Present a token whose times count from now, within one second."""
    for _ in range(1000):
        now = int(time.time())
        got = file(mint(**{k: now + v for k, v in members.items()}))
        if int(time.time()) == now:
            t.is_(got, want, name)
            return
    t.ok(False, f'{name}: no request took less than a second')


within_a_second('exp now', (401, 'token_expired'), exp=0)
within_a_second('exp a second ago', (401, 'token_expired'), exp=-1)
within_a_second('exp in a second', (200, None), exp=1)
for name in ('nbf', 'iat'):
    within_a_second(f'{name} now', (200, None), **{name: 0})
    within_a_second(f'{name} 60 s ahead', (200, None), **{name: 60})
    within_a_second(f'{name} 61 s ahead', (401, 'token_not_yet_valid'),
                    **{name: 61})

# A token that passed is not remembered for another second

for seconds in (2, 5, 10, 30, 60):
    end = int(time.time()) + seconds
    token = mint(exp=end)
    if file(token) == (200, None):
        break
t.ok(wait_for(lambda: file(token) != (200, None)) and time.time() >= end,
     'a token about to expire is not refused before')
t.is_(file(token), (401, 'token_expired'), 'nor taken after its end')

# Laundering

pod = cluster.issue()
other = stranger.issue()


def login(token, config=CONFIG):
    """Return status and reason of a login."""
    answer = client.post(nginx.port, '/v2/auth',
                         cluster.login(token, config=config))
    return answer.status, answer.json().get('reason')


t.is_(login(pod), (200, None), 'a pod token logs in')
for name, token in (('a minted token', good), ('with the issuer of pods',
                                               mint(iss=tokens.ISSUER))):
    t.is_(login(token, 'trusting'), (401, 'not_service_account'),
          f'{name} for a pod token')
t.is_(login(good), (401, 'issuer_mismatch'),
      'a minted token where issuers are looked at')
t.is_(login(mint(iss=tokens.ISSUER)), (401, 'not_service_account'),
      'a minted token under the issuer of pods')
t.is_(login(mint(iss=tokens.ISSUER, config_name=None, access_id=None)),
      (401, 'token_rejected'), 'the gateway\'s key signs a pod token')
t.is_(login(other), (401, 'token_rejected'), 'another cluster\'s pod token')
t.is_(file(pod), (401, 'signature_invalid'), 'a pod token for a minted one')
t.is_(file(other), (401, 'signature_invalid'), 'another cluster\'s')
t.is_(file(tokens.k8s_sign(claims(), cluster.key)),
      (401, 'signature_invalid'), 'minted claims by the cluster\'s key')
t.is_(file(mint(name='stranger')), (401, 'signature_invalid'),
      'another gateway\'s key')
t.is_(file(mint(name='stranger', header={'kid': key().thumbprint()})),
      (401, 'signature_invalid'), 'another gateway\'s key under our kid')
t.is_(file(mint(name='stranger', header={'kid': None})),
      (401, 'signature_invalid'), 'another gateway\'s key, no kid')
t.is_(file(mint('Ed25519')), (401, 'signature_invalid'),
      'a key of another type')
t.is_(file(mint('Ed25519', header={'kid': None})),
      (401, 'algorithm_not_allowed'), 'a key of another type, no kid')
for name in ('trusting', 'nowhere', 'K8S-conf', 'k8s-conf ', ''):
    t.is_(file(mint(config_name=name)), (401, 'config_unknown'),
          f'config_name {name!r}')
for value in (None, 5, ['k8s-conf'], {'k8s-conf': 1}, True):
    t.is_(file(tokens.k8s_sign({**claims(), 'config_name': value}, signer)),
          (401, 'config_unknown'), f'config_name {value!r}')

# One connection: none of them has a say in what follows

with client.Session(nginx.port) as session:
    got = [session.request('GET', '/file', bearer(token) if token else {})
           .status for token in (good, 'x', good, None, pod, good[:-8], good,
                                 mint(exp=1), mint(), None)]
t.is_(got, [200, 401, 200, 401, 401, 401, 200, 401, 200, 401],
      'good and bad in turn on one connection')

# Control characters, in signed claims too

EVIL = ('a\r\nX-Evil: 1', 'a\nX-Evil: 1', '\x1b[31mX-Evil', '\x7fX-Evil',
        'X-Evil\t', '\x00X-Evil', '"><script>X-Evil', 'X-Evil%0d%0a')


def quiet(answer, since):
    """Say whether neither answer nor logs have what must not be there."""
    mark, lines = since
    logs = nginx.error_log(mark) \
        + '\n'.join(nginx.access_log('who.log')[lines:])
    return not any(
        ord(c) < 32 and c not in '\n' or c == '\x7f' for c in logs) \
        and not any(line.startswith('X-Evil') for line in logs.split('\n')) \
        and not [name for name, _ in answer.headers if 'Evil' in name] \
        and not any(ord(c) < 32 or c == '\x7f'
                    for _, text in answer.headers for c in text)


def here():
    """Return the ends of the logs."""
    return nginx.mark(), len(nginx.access_log('who.log'))


for evil in EVIL:
    for path, status, members in (
            ('/who', 200, {}), ('/bound', 403, {}),
            ('/who', 401, {'exp': 1})):
        since = here()
        answer = client.get(nginx.port, path, bearer(mint(**{
            'pod_name': evil, 'namespace': evil, 'sub': evil, 'jti': evil,
            'service_account_name': evil, 'note': evil, **members})))
        t.ok(answer.status == (401 if '\0' in evil else status)
             and quiet(answer, since) and (
                 status == 200 or 'Evil' not in answer.text),
             f'{evil!r} in claims: {path}, {answer.status}', answer,
             answer.headers, nginx.error_log(since[0]))
    for name, made in (
            ('kid', mint(header={'kid': evil})),
            ('alg', tokens.sign({'alg': evil}, claims(), signer, 'ES256')),
            ('typ', mint(header={'typ': evil}, exp=1)),
            ('config_name', mint(config_name=evil)),
            ('iss', mint(iss=evil))):
        since = here()
        answer = client.get(nginx.port, '/who', bearer(made))
        t.ok(answer.status == 401 and quiet(answer, since)
             and 'Evil' not in answer.text + str(answer.headers)
             + nginx.error_log(since[0]),
             f'{evil!r} in {name}', answer, nginx.error_log(since[0]))
    role = base64.b64encode(f'p-kmx8x116z7j9km..{evil}'.encode()).decode()
    for path, body in (
            ('/v2/auth', cluster.login(pod, config=evil)),
            ('/v2/auth', cluster.login(pod, access_id=evil)),
            ('/v2/auth', {**cluster.login(pod), 'access-type': evil}),
            ('/v2/auth', {evil: evil}),
            ('/v1/auth/kubernetes/login', {'role': evil, 'jwt': pod}),
            ('/v1/auth/kubernetes/login', {'role': role, 'jwt': pod}),
            ('/v1/auth/kubernetes/login', {'role': 'x', 'jwt': evil})):
        since = here()
        answer = client.post(nginx.port, path, body)
        t.ok(answer.status in (400, 401, 403) and answer.json()['reason']
             and quiet(answer, since) and 'Evil' not in answer.text,
             f'{evil!r} in a login at {path}', answer,
             nginx.error_log(since[0]))

# Names in the configuration, and keys that are none

for name in ('a\rb', 'a\x1b[31m', 'a\x7fb', 'a\x01'):
    code, text = nginx.config_test(http=HTTP.replace(
        '@trusting@', cluster.config(f'"{name}"', kind='P-256')))
    t.ok(code and 'name with control characters' in text and name not in text,
         f'nginx -t: a config named {name!r}', text)


def der(tag, *parts):
    """Return a DER element."""
    body = b''.join(parts)
    size = len(body).to_bytes(4, 'big').lstrip(b'\0')
    head = bytes((len(body),)) if len(body) < 128 \
        else bytes((128 | len(size),)) + size
    return bytes((tag,)) + head + body


def rsa_pem(n, e):
    """Return any two numbers as a PEM public key."""
    def number(value):
        return der(2, value.to_bytes(value.bit_length() // 8 + 1, 'big'))
    oid = bytes.fromhex('06092a864886f70d0101010500')
    made = der(48, der(48, oid), der(3, b'\0', der(48, number(n), number(e))))
    text = base64.encodebytes(made).decode()
    return f'-----BEGIN PUBLIC KEY-----\n{text}-----END PUBLIC KEY-----\n'


n = tokens.key('RSA-2048', 'forger').public.public_numbers().n
WEAK = {
    'e = 1': (n, 1, 'RSA exponent is even or smaller than 3'),
    'e = 2': (n, 2, 'RSA exponent is even or smaller than 3'),
    'e even': (n, 65536, 'RSA exponent is even or smaller than 3'),
    'n even': (n + 1, 65537, 'RSA modulus is even'),
    '1024 bits': ((1 << 1023) + 1, 65537, 'RSA key is smaller than 2048'),
    '2047 bits': ((1 << 2046) + 1, 65537, 'RSA key is smaller than 2048'),
    '16384 bits': ((1 << 16383) + 1, 65537, 'larger than 8192 bits')}
for name, (modulus, exponent, why) in WEAK.items():
    pem = cluster.file('weak.pub', rsa_pem(modulus, exponent))
    code, text = nginx.config_test(http=HTTP.replace(
        '@trusting@', cluster.config('weak', verification_key=pem)))
    t.ok(code and why in text, f'nginx -t: a key with {name}', text)
code, text = nginx.config_test(http=HTTP.replace(
    '@trusting@', cluster.config('fine', verification_key=cluster.file(
        'fine.pub', rsa_pem(n, 65537)))).replace('trusting', 'fine'))
t.is_(code, 0, 'nginx -t: and a key with none of it')

# A key that is taken away takes its tokens along, remembered or not

retired = mint('P-384', 'previous'), mint('P-384', 'previous')
t.is_(file(retired[0]), (200, None), 'a retired key verifies')
nginx.configure({'config': cluster.config(kind='P-256', token_issuer=ISSUER)})
nginx.reload(wait_old=True)
t.is_([file(token) for token in retired], [(401, 'signature_invalid')] * 2,
      'a removed one does not, not even from memory')
t.is_(file(good), (200, None), 'the other key still does')

t.done_testing()
