#!/usr/bin/python3
"""Forged and mangled tokens against the guard, each with its reason."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import forge  # noqa: E402
import tokens  # noqa: E402
from akltest import CONFIG, Test, client  # noqa: E402
from minted import ISSUER, claims, key, mint  # noqa: E402

KINDS = ('RSA-2048', 'P-256', 'P-384', 'Ed25519')

t = Test(need_module=True)
cluster = t.cluster()
nginx = t.nginx('''
    large_client_header_buffers 4 128k;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        root @dir@;
        @locations@
    }
''', method=cluster.method(),
    configs=''.join(cluster.config(
        kind, kind=kind, token_issuer=ISSUER, token_audience='api')
        for kind in KINDS),
    locations=''.join(
        f'location = /{kind} {{ akl_k8s_guard {kind}; alias @dir@/f; }}'
        .replace('@dir@', os.path.join(t.dir, 'nginx'))
        for kind in KINDS))
t.write(os.path.join(nginx.dir, 'f'), 'file')

# what a group may be refused for; the first is what its members should
# mostly say, so that no member is refused for a reason beside the point

REASONS = {
    'algorithms': ('algorithm_not_allowed', 'signature_invalid',
                   'token_malformed'),
    'forms': ('token_malformed', 'signature_invalid'),
    'signatures': ('signature_invalid', 'token_too_large'),
    'headers': ('token_malformed', 'signature_invalid'),
    'base64s': ('token_malformed', 'signature_invalid'),
    'jsons': ('token_malformed',),
    'issuers': ('issuer_mismatch', 'token_malformed'),
    'audiences': ('audience_mismatch', 'token_malformed'),
    'sizes': ('token_too_large',),
    'times': ('token_malformed', 'token_expired', 'token_not_yet_valid')}


def present(kind, token):
    """Return status, reason and challenge of a request with a token."""
    answer = client.raw(nginx.port, (
        f'GET /{kind} HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer '
        f'{token}\r\n\r\n').encode('utf-8', 'surrogateescape'))
    head = answer.decode('utf-8', 'replace').split('\r\n\r\n')[0]
    status = int(head.split()[1]) if head else 0
    reason = head.partition('error_description="')[2].partition('"')[0]
    return status, reason, head


def attack(kind, group, made):
    """Present all tokens of a group; one test for all of them."""
    wrong, seen, count = [], set(), 0
    for name, token in made:
        count += 1
        status, reason, head = present(kind, token)
        if name.startswith('fine: ') or name == '8 KB':
            if status != 200:
                wrong.append(f'{name}: {status} {reason}')
            continue
        if '\n' in token or '\r' in token:
            if status == 200:
                wrong.append(f'{name}: {head}')
            continue
        seen.add(reason)
        if status != 401 or reason not in REASONS[group]:
            wrong.append(f'{name}: {status} {reason}')
    t.ok(count and not wrong, f'{kind}: {group}, {count} tokens', *wrong)
    t.ok(REASONS[group][0] in seen, f'{kind}: {group} say so', seen)


for kind in KINDS:
    signer = key(kind)
    right = claims(config_name=kind)

    # the ready-made flaws look for a member of this name

    nested = {**right, 'kubernetes.io': {'namespace': 'x'}}
    t.is_(present(kind, tokens.k8s_sign(right, signer))[0], 200,
          f'{kind}: without a flaw')
    t.is_(present(kind, tokens.k8s_sign(nested, signer))[0], 200,
          f'{kind}: with a nested claim')
    for group in ('algorithms', 'forms', 'signatures', 'headers', 'base64s',
                  'issuers', 'audiences', 'sizes'):
        attack(kind, group, getattr(forge, group)(signer, right))
    attack(kind, 'jsons', (
        (name, token) for name, token in forge.jsons(signer, nested)))
    now = int(time.time())
    attack(kind, 'times', (
        (name, token) for name, token in forge.times(signer, right, now)))
    t.is_(present(kind, tokens.k8s_sign(right, signer))[0], 200,
          f'{kind}: none of it changed what is right')

# Names with NUL, control characters, and what must not reach the log

ansi = '\x1b[31mred\r\nX-Evil: 1'
for name, members in (('kid', {'header': {'kid': ansi}}),
                      ('config_name', {'config_name': ansi}),
                      ('iss', {'iss': ansi}), ('aud', {'aud': ansi})):
    mark = nginx.mark()
    status, _, head = present('P-256', mint('P-256', **{
        'config_name': 'P-256', **members}))
    t.is_(status, 401, f'escape sequences in {name}')
    t.unlike(head, 'X-Evil', f'{name}: no header made of it')
    t.unlike(nginx.error_log(mark), '\x1b|X-Evil', f'{name}: nor a log line')

status, reason, _ = present('P-256', mint(
    'P-256', config_name='P-256\0x'))
t.is_((status, reason), (401, 'token_malformed'), 'NUL in config_name')

# Laundering: tokens of neighbours, under each other's names

for kind in KINDS:
    for other in KINDS:
        if other != kind:
            status, reason, _ = present(kind, mint(other, config_name=kind))
            t.is_((status, reason), (401, 'signature_invalid'),
                  f'{other} signs for {kind}')
t.is_(present('P-256', cluster.issue())[:2], (401, 'signature_invalid'),
      'a pod token')
t.is_(present('P-256', mint('P-256', config_name=CONFIG))[:2],
      (401, 'config_unknown'), 'a config that is not there')

# Leeway to the second: 60 s for a start ahead of us, none at the end

now = int(time.time())
t.is_(present('P-256', mint('P-256', config_name='P-256', nbf=now + 58))[0],
      200, 'nbf 58 s ahead')
t.is_(present('P-256', mint('P-256', config_name='P-256', nbf=now + 65))[1],
      'token_not_yet_valid', 'nbf 65 s ahead')
t.is_(present('P-256', mint('P-256', config_name='P-256', iat=now + 65))[1],
      'token_not_yet_valid', 'iat 65 s ahead')
t.is_(present('P-256', mint('P-256', config_name='P-256', exp=now - 1))[1],
      'token_expired', 'exp a second ago')

# The header's size

big = mint('P-256', config_name='P-256', x='y' * (1 << 20))
answer = client.raw(nginx.port, (
    f'GET /P-256 HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer {big}\r\n\r\n'
).encode())
t.ok(not answer.startswith(b'HTTP/1.1 200'), 'a token of 1 MB')
t.is_(present('P-256', mint('P-256', config_name='P-256'))[0], 200,
      'and the server goes on')

t.done_testing()
