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

EVIL = ('a\r\nX-Evil: 1', 'a\nX-Evil: 1', '\x1b[31mX-Evil', '\x7fX-Evil',
        'X-Evil\t', '\x00X-Evil', '"><script>X-Evil', 'X-Evil%0d%0a')
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

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def pod(cluster):
    """The token of that pod."""
    return cluster.issue()


class Gateway:
    """An nginx with guarded locations, logins and a retired key."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.previous = cluster.file(
            'previous.pub', tokens.key('P-384', 'previous').public_pem())
        self.nginx = t.nginx(
            HTTP, level='info', method=cluster.method(),
            config=self.config(verification_key=self.previous),
            trusting=cluster.config('trusting', kind='P-256', k8s_issuer=None,
                                    disable_issuer_validation='on'))

    def config(self, **members):
        """Return the auth config of the guard."""
        return self.cluster.config(kind='P-256', token_issuer=ISSUER,
                                   **members)

    def send(self, *lines, path='/file', server='port'):
        """Send header lines as they are; return status and reason."""
        data = f'GET {path} HTTP/1.0\r\nHost: x\r\n' + ''.join(
            line + '\r\n' for line in lines) + '\r\n'
        answer = client.raw(self.nginx.port_of(server),
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

    def header(self, value):
        """Return status and reason of a request with Authorization."""
        return self.send(f'Authorization: {value}')

    def file(self, token, **kw):
        """Return status and reason of a request with a token."""
        return self.send(f'Authorization: Bearer {token}', **kw)

    def login(self, token, config=CONFIG):
        """Return status and reason of a login."""
        answer = client.post(self.nginx.port, '/v2/auth',
                             self.cluster.login(token, config=config))
        return answer.status, answer.json().get('reason')

    def within_a_second(self, name, want, **members):
        """Present a token whose times count from now, within one second."""
        for _ in range(1000):
            now = int(time.time())
            got = self.file(mint(**{k: now + v for k, v in members.items()}))
            if int(time.time()) == now:
                t.is_(got, want, name)
                return
        t.ok(False, f'{name}: no request took less than a second')

    def here(self):
        """Return the ends of the logs."""
        return self.nginx.mark(), len(self.nginx.access_log('who.log'))

    def quiet(self, answer, since):
        """Say whether neither answer nor logs have what must not be there."""
        mark, lines = since
        logs = self.nginx.error_log(mark) \
            + '\n'.join(self.nginx.access_log('who.log')[lines:])
        return not any(
            ord(c) < 32 and c not in '\n' or c == '\x7f' for c in logs) \
            and not any(line.startswith('X-Evil')
                        for line in logs.split('\n')) \
            and not [name for name, _ in answer.headers if 'Evil' in name] \
            and not any(ord(c) < 32 or c == '\x7f'
                        for _, text in answer.headers for c in text)


@t.shared
def gateway(cluster):
    """The gateway of all stories."""
    return Gateway(cluster)


# The header: what it may look like

@t.story
def a_token_comes_by_the_scheme_bearer_however_it_is_spelt(gateway):
    good = mint()
    for value in ('Bearer G', 'bearer G', 'BEARER G', 'bEaReR G',
                  'Bearer  G', 'Bearer     G', ' Bearer G', 'Bearer G ',
                  'Bearer\tG', 'bearer \t G'):
        t.is_(gateway.header(value.replace('G', good)), (200, None),
              f'{value!r}')
    for name in ('authorization', 'AUTHORIZATION', 'aUTHORIZATION'):
        t.is_(gateway.send(f'{name}: Bearer {good}'), (200, None), f'{name}:')


@t.story
def whatever_else_the_header_holds_is_refused(gateway):
    good = mint()
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
        t.is_(gateway.header(value.replace('G', good)), (401, reason),
              f'{value!r}: {reason}')


@t.story
def a_token_in_another_place_is_none(gateway):
    good = mint()
    for name in ('Authorization_', 'X-Authorization', 'Proxy-Authorization'):
        t.is_(gateway.send(f'{name}: Bearer {good}'), (401, BARE), f'{name}:')
    t.is_(gateway.send('Cookie: Authorization=' + good,
                       path='/file?access_token=' + good), (401, BARE),
          'a cookie and an argument')


@t.story
def two_authorization_headers_are_a_bad_request(gateway):
    good = mint()
    for name, lines in (
            ('twice the same', (f'Bearer {good}',) * 2),
            ('good, then bad', (f'Bearer {good}', 'Bearer x')),
            ('bad, then good', ('Bearer x', f'Bearer {good}')),
            ('another scheme first', ('Basic x', f'Bearer {good}')),
            ('another scheme last', (f'Bearer {good}', 'Basic x')),
            ('an empty one first', ('', f'Bearer {good}'))):
        t.is_(gateway.send(*(f'Authorization: {line}' for line in lines)),
              (400, None), f'{name}')
    t.is_(gateway.send('Authorization: x', f'authorization: Bearer {good}'),
          (400, None), 'in two spellings')


@t.story
def what_ends_a_header_line_does_not_get_into_a_token(gateway):
    good = mint()
    half = good[:20], good[20:]
    for name, mark, want in (
            ('line feed', '\n', (401, BAD)), ('CR LF', '\r\n', (401, BAD)),
            ('a line folded', '\r\n ', (400, None)),
            ('a header in it', '\r\nX-Evil: ', (401, BAD)),
            ('CR', '\r', (400, None)), ('NUL', '\0', (400, None))):
        t.is_(gateway.header('Bearer ' + mark.join(half)), want,
              f'{name} inside')
    t.is_(gateway.header(f'Bearer\r\n {good}'), (400, None),
          'on a line of its own')
    t.is_(gateway.header(f'Bearer {good}\0'), (400, None), 'NUL behind it')


# Size: nginx's own limits, then ours

@t.story
def a_token_is_as_large_as_nginx_and_then_the_guard_allow(gateway):
    signer = key('P-256')
    for size, here, there in (
            (8 << 10, (400, None), (200, None)),
            (forge.MAX, (400, None), (200, None)),
            (forge.MAX + 1, (400, None), (401, 'token_too_large')),
            (1 << 20, (400, None), (401, 'token_too_large'))):
        token = forge.sized(signer, claims(), size)
        t.is_(gateway.file(token, server='port1'), here,
              f'{size} bytes, buffers of 8 KB')
        t.is_(gateway.file(token), there, f'{size} bytes, buffers of 2 MB')
    token = forge.sized(signer, claims(), (8 << 10) - 64)
    t.is_(gateway.file(token, server='port1'), (200, None),
          'what fits 8 KB passes')
    t.is_(gateway.file('A' * (1 << 20)), (401, 'token_too_large'), '1 MB of A')
    t.is_(gateway.file('.' * (1 << 20)), (401, 'token_too_large'),
          '1 MB of points')
    t.is_(gateway.file('.' * forge.MAX), (401, BAD), '16 KB of points')


# To the second: no leeway at the end, 60 s at the start

@t.story
def times_hold_to_the_second(gateway):
    within = gateway.within_a_second
    within('exp now', (401, 'token_expired'), exp=0)
    within('exp a second ago', (401, 'token_expired'), exp=-1)
    within('exp in a second', (200, None), exp=1)
    for name in ('nbf', 'iat'):
        within(f'{name} now', (200, None), **{name: 0})
        within(f'{name} 60 s ahead', (200, None), **{name: 60})
        within(f'{name} 61 s ahead', (401, 'token_not_yet_valid'),
               **{name: 61})


@t.story
def a_token_that_passed_is_not_remembered_beyond_its_end(gateway):
    for seconds in (2, 5, 10, 30, 60):
        end = int(time.time()) + seconds
        token = mint(exp=end)
        if gateway.file(token) == (200, None):
            break
    t.ok(wait_for(lambda: gateway.file(token) != (200, None))
         and time.time() >= end, 'it is not refused before')
    t.is_(gateway.file(token), (401, 'token_expired'),
          'nor taken after its end')


# Laundering

@t.story
def a_minted_token_buys_no_other_one(gateway, pod):
    t.is_(gateway.login(pod), (200, None), 'a pod token logs in')
    for name, token in (('a minted token', mint()),
                        ('with the issuer of pods', mint(iss=tokens.ISSUER))):
        t.is_(gateway.login(token, 'trusting'), (401, 'not_service_account'),
              f'{name} for a pod token')
    t.is_(gateway.login(mint()), (401, 'issuer_mismatch'),
          'where issuers are looked at')
    t.is_(gateway.login(mint(iss=tokens.ISSUER)),
          (401, 'not_service_account'), 'under the issuer of pods')
    t.is_(gateway.login(mint(iss=tokens.ISSUER, config_name=None,
                             access_id=None)), (401, 'token_rejected'),
          'the gateway\'s key signs a pod token')


@t.story
def a_pod_token_is_none_for_the_guard_nor_for_another_cluster(gateway, pod):
    other = t.cluster(key='stranger').issue()
    t.is_(gateway.login(other), (401, 'token_rejected'),
          'another cluster\'s pod token')
    t.is_(gateway.file(pod), (401, 'signature_invalid'),
          'a pod token for a minted one')
    t.is_(gateway.file(other), (401, 'signature_invalid'),
          'another cluster\'s')


@t.story
def the_keys_of_others_sign_nothing_for_the_guard(cluster, gateway):
    t.is_(gateway.file(tokens.k8s_sign(claims(), cluster.key)),
          (401, 'signature_invalid'), 'minted claims by the cluster\'s key')
    t.is_(gateway.file(mint(name='stranger')), (401, 'signature_invalid'),
          'another gateway\'s key')
    t.is_(gateway.file(mint(name='stranger',
                            header={'kid': key().thumbprint()})),
          (401, 'signature_invalid'), 'another gateway\'s key under our kid')
    t.is_(gateway.file(mint(name='stranger', header={'kid': None})),
          (401, 'signature_invalid'), 'another gateway\'s key, no kid')
    t.is_(gateway.file(mint('Ed25519')), (401, 'signature_invalid'),
          'a key of another type')
    t.is_(gateway.file(mint('Ed25519', header={'kid': None})),
          (401, 'algorithm_not_allowed'), 'a key of another type, no kid')


@t.story
def a_token_of_another_config_is_refused(gateway):
    for name in ('trusting', 'nowhere', 'K8S-conf', 'k8s-conf ', ''):
        t.is_(gateway.file(mint(config_name=name)), (401, 'config_unknown'),
              f'{name!r}')
    for value in (None, 5, ['k8s-conf'], {'k8s-conf': 1}, True):
        t.is_(gateway.file(tokens.k8s_sign(
            {**claims(), 'config_name': value}, key('P-256'))),
              (401, 'config_unknown'), f'{value!r}')


@t.story
def no_token_has_a_say_in_what_follows_on_its_connection(gateway, pod):
    good = mint()
    with client.Session(gateway.nginx.port) as session:
        got = [session.request('GET', '/file', bearer(token) if token else {})
               .status for token in (good, 'x', good, None, pod, good[:-8],
                                     good, mint(exp=1), mint(), None)]
    t.is_(got, [200, 401, 200, 401, 401, 401, 200, 401, 200, 401],
          'good and bad in turn')


# Control characters, in signed claims too

@t.story
def control_characters_in_claims_reach_neither_log_nor_header(gateway):
    for evil in EVIL:
        for path, status, members in (
                ('/who', 200, {}), ('/bound', 403, {}),
                ('/who', 401, {'exp': 1})):
            since = gateway.here()
            answer = client.get(gateway.nginx.port, path, bearer(mint(**{
                'pod_name': evil, 'namespace': evil, 'sub': evil, 'jti': evil,
                'service_account_name': evil, 'note': evil, **members})))
            t.ok(answer.status == (401 if '\0' in evil else status)
                 and gateway.quiet(answer, since) and (
                     status == 200 or 'Evil' not in answer.text),
                 f'{evil!r}: {path}, {answer.status}', answer,
                 answer.headers, gateway.nginx.error_log(since[0]))


@t.story
def control_characters_in_what_refuses_a_token_are_not_repeated(gateway):
    for evil in EVIL:
        for name, made in (
                ('kid', mint(header={'kid': evil})),
                ('alg', tokens.sign({'alg': evil}, claims(), key('P-256'),
                                    'ES256')),
                ('typ', mint(header={'typ': evil}, exp=1)),
                ('config_name', mint(config_name=evil)),
                ('iss', mint(iss=evil))):
            since = gateway.here()
            answer = client.get(gateway.nginx.port, '/who', bearer(made))
            log = gateway.nginx.error_log(since[0])
            t.ok(answer.status == 401 and gateway.quiet(answer, since)
                 and 'Evil' not in answer.text + str(answer.headers) + log,
                 f'{evil!r} in {name}', answer, log)


@t.story
def control_characters_in_a_login_are_not_repeated(cluster, gateway, pod):
    for evil in EVIL:
        role = base64.b64encode(f'p-kmx8x116z7j9km..{evil}'.encode()).decode()
        for path, body in (
                ('/v2/auth', cluster.login(pod, config=evil)),
                ('/v2/auth', cluster.login(pod, access_id=evil)),
                ('/v2/auth', {**cluster.login(pod), 'access-type': evil}),
                ('/v2/auth', {evil: evil}),
                ('/v1/auth/kubernetes/login', {'role': evil, 'jwt': pod}),
                ('/v1/auth/kubernetes/login', {'role': role, 'jwt': pod}),
                ('/v1/auth/kubernetes/login', {'role': 'x', 'jwt': evil})):
            since = gateway.here()
            answer = client.post(gateway.nginx.port, path, body)
            t.ok(answer.status in (400, 401, 403) and answer.json()['reason']
                 and gateway.quiet(answer, since)
                 and 'Evil' not in answer.text, f'{evil!r} at {path}', answer,
                 gateway.nginx.error_log(since[0]))


# Names in the configuration, and keys that are none

def tried(gateway, block):
    """Return what nginx -t says with a block for the trusting config."""
    return gateway.nginx.config_test(http=HTTP.replace('@trusting@', block))


@t.story
def a_config_with_control_characters_in_its_name_is_refused(
        cluster, gateway):
    for name in ('a\rb', 'a\x1b[31m', 'a\x7fb', 'a\x01'):
        code, text = tried(gateway,
                           cluster.config(f'"{name}"', kind='P-256'))
        t.ok(code and 'name with control characters' in text
             and name not in text, f'nginx -t: {name!r}', text)


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


@t.story
def a_weak_rsa_key_is_refused(cluster, gateway):
    n = tokens.key('RSA-2048', 'forger').public.public_numbers().n
    weak = {
        'e = 1': (n, 1, 'RSA exponent is even or smaller than 3'),
        'e = 2': (n, 2, 'RSA exponent is even or smaller than 3'),
        'e even': (n, 65536, 'RSA exponent is even or smaller than 3'),
        'n even': (n + 1, 65537, 'RSA modulus is even'),
        '1024 bits': ((1 << 1023) + 1, 65537, 'RSA key is smaller than 2048'),
        '2047 bits': ((1 << 2046) + 1, 65537, 'RSA key is smaller than 2048'),
        '16384 bits': ((1 << 16383) + 1, 65537, 'larger than 8192 bits')}
    for name, (modulus, exponent, why) in weak.items():
        pem = cluster.file('weak.pub', rsa_pem(modulus, exponent))
        code, text = tried(gateway,
                           cluster.config('weak', verification_key=pem))
        t.ok(code and why in text, f'nginx -t: {name}', text)
    pem = cluster.file('fine.pub', rsa_pem(n, 65537))
    code, text = tried(gateway, cluster.config('fine', verification_key=pem))
    t.ok(code == 0, 'and one with none of it is not', text)


@t.story
def a_key_that_is_taken_away_takes_its_tokens_along(cluster):
    own = Gateway(cluster)
    good = mint()
    retired = mint('P-384', 'previous'), mint('P-384', 'previous')
    t.is_(own.file(retired[0]), (200, None), 'a retired key verifies')
    own.nginx.configure({'config': own.config()})
    own.nginx.reload(wait_old=True)
    t.is_([own.file(token) for token in retired],
          [(401, 'signature_invalid')] * 2,
          'a removed one does not, not even from memory')
    t.is_(own.file(good), (200, None), 'the other key still does')


t.tell()
