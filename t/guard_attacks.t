#!/usr/bin/python3
"""Forged and mangled tokens against the guard, each with its reason."""

import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import forge  # noqa: E402
import nginx as nginx_  # noqa: E402
import tokens  # noqa: E402
from akltest import Test, client  # noqa: E402
from minted import ISSUER, claims, key  # noqa: E402

KINDS = ('RSA-2048', 'P-256', 'P-384', 'Ed25519')

t = Test(need_module=True)
cluster = t.cluster()
mock = t.mock()
nginx = t.nginx('''
    large_client_header_buffers 4 256k;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        root @dir@;
        @locations@
    }
''', level='info', method=cluster.method(),
    configs=''.join(cluster.config(
        kind, kind=kind, token_issuer=ISSUER, token_audience='api')
        for kind in KINDS),
    locations=''.join(
        f'location = /{kind} {{ akl_k8s_guard {kind}; alias @dir@/f; }}'
        .replace('@dir@', os.path.join(t.dir, 'nginx'))
        for kind in KINDS))
t.write(os.path.join(nginx.dir, 'f'), 'file')

with open(os.path.join(nginx_.ROOT, 'src', 'k8s', 'reason.h'),
          encoding='ascii') as source:
    SENTENCES = dict(re.findall(
        r'X\([A-Z_]+, "([a-z_]+)",[^"]*"([^"]+)"\)', source.read()))


def present(kind, token):
    """Return status, headers in order and body of a GET with a token."""
    answer = client.raw(nginx.port, (
        f'GET /{kind} HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer '
        f'{token}\r\n\r\n').encode('utf-8', 'surrogateescape'))
    head, _, body = answer.decode('utf-8', 'replace').partition('\r\n\r\n')
    lines = head.split('\r\n')
    return int(lines[0].split()[1]), lines[1:], body


def flaw(kind, token, reason):
    """Present a token; return what is not as it must be, or None.

    A refusal has its reason in the challenge and, once, in the log, and
    the page that all refusals have; nothing of the token is anywhere.
    """
    mark = nginx.mark()
    status, headers, body = present(kind, token)
    log = nginx.error_log(mark)
    told = [line for line in log.splitlines() if 'akl_k8s: ' in line]
    if reason is None:
        return None if (status, body, told) == (200, 'file', []) \
            else f'{status}, not 200: {told}'
    if status != 401 or body != PAGE:
        return f'{status} {body}, not {reason}'
    for name in ('WWW-Authenticate: Bearer realm="akl_k8s", error='
                 f'"invalid_token", error_description="{reason}"',
                 'Cache-Control: no-store'):
        if headers.count(name) != 1:
            return f'not {name}: {headers}'
    where = f'akl_k8s: refused, {reason}: {SENTENCES[reason]}, ' \
        f'config "{kind}", namespace "", service account "", pod "", '
    if len(told) != 1 or where not in told[0]:
        return f'not the log line of {reason}: {told}'
    if any(len(part) > 12 and part in log for part in token.split('.')):
        return f'the log has a part of it: {log}'
    return None


def attack(kind, group, made, right):
    """Present a group's tokens, and after each one that is right."""
    wrong, seen, count = [], set(), 0
    for name, token, reason in made:
        for turn in ('', ' again'):
            why = flaw(kind, token, reason)
            if why:
                wrong.append(f'{name}{turn}: {why}')
        if present(kind, right)[0] != 200:
            wrong.append(f'{name}: the next one pays for it')
        count += 1
        seen.add(reason)
    t.ok(count and not wrong, f'{kind}: {group}, {count} tokens', *wrong)
    return seen


PAGE = present('P-256', '.')[2]
t.like(PAGE, '^<html>\r\n<head><title>401 Authorization Required</title>',
       'the page of a refusal')
every = set()
for kind in KINDS:
    signer = key(kind)
    right = claims(config_name=kind)
    good = tokens.k8s_sign(right, signer)
    t.is_(flaw(kind, good, None), None, f'{kind}: without a flaw')
    for group in ('algorithms', 'forms', 'signatures', 'kids', 'base64s',
                  'jsons', 'header_jsons', 'names', 'issuers', 'audiences',
                  'sizes'):
        every |= attack(kind, group, getattr(forge, group)(signer, right),
                        good)
    every |= attack(kind, 'headers', forge.headers(
        signer, right, f'http://127.0.0.1:{mock.port}'), good)
    every |= attack(kind, 'times', forge.times(
        signer, right, int(time.time())), good)
t.is_(mock.requests, [], 'no header made the gateway fetch anything')
t.is_(every, {None, forge.MALFORMED, forge.TOO_LARGE, forge.ALGORITHM,
              forge.SIGNATURE, forge.EXPIRED, forge.NOT_YET, forge.ISSUER,
              forge.AUDIENCE}, 'each reason was seen')

t.done_testing()
