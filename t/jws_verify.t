#!/usr/bin/python3
"""jws-verify: all attacks on the verifier itself, without any nginx."""

import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import forge  # noqa: E402
import nginx as nginx_  # noqa: E402
import tokens  # noqa: E402
from akltest import PATIENCE, Test  # noqa: E402
from minted import claims, key  # noqa: E402

PROGRAM = os.path.join(os.environ.get('AKL_INTEROP') or os.path.join(
    nginx_.ROOT, 'objs', 'interop'), 'jws-verify')
KINDS = ('RSA-2048', 'P-256', 'P-384', 'P-521', 'Ed25519')
ALL = 'RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,ES512,EdDSA'
FORGER = ('RSA-2048', 'P-256', 'P-384', 'Ed25519')

# what the guard calls it; the claims' own flaws are none of the verifier's

WORDS = {None: 'valid', forge.MALFORMED: 'malformed',
         forge.TOO_LARGE: 'too_large', forge.ALGORITHM: 'algorithm',
         forge.SIGNATURE: 'signature', forge.EXPIRED: 'valid'}
CODES = {'valid': 0}

t = Test()
if not os.path.exists(PROGRAM):
    t.skip_all(f'no {PROGRAM}: make interop')


def run(*arguments, text=None):
    """Return exit code, standard output and standard error."""
    done = subprocess.run(
        [PROGRAM, *arguments], input=None if text is None else text.encode(
            'utf-8', 'surrogateescape'), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def keys(name, *jwks):
    """Write a JWK set; return its path."""
    return t.write(name, json.dumps({'keys': list(jwks)}))


def is_(path, policy, token, word, name):
    """One token, as an argument and on standard input: one word."""
    want = (CODES.get(word, 1), word + '\n', '')
    got = [run(path, policy, '-', text=token + '\n')]
    if '\0' not in token and len(token) < 1 << 16:
        got.append(run(path, policy, token.encode('utf-8',
                                                  'surrogateescape')))
    t.ok(got == [want] * len(got), name, got, f'not {want}')


@t.shared
def sets():
    """A set of one key for each kind."""
    return {kind: keys(f'{kind}.json', key(kind).jwk()) for kind in KINDS}


@t.shared
def several():
    """A set of a key of each kind."""
    return keys('several.json', *(key(kind).jwk() for kind in KINDS))


# Algorithms

@t.story
def a_key_verifies_by_its_algorithm_if_the_policy_allows_it(sets):
    for kind in KINDS:
        signer = key(kind)
        good = tokens.k8s_sign(claims(), signer)
        is_(sets[kind], signer.alg, good, 'valid', f'{kind}: {signer.alg}')
        is_(sets[kind], ALL, good, 'valid', f'{kind}: any algorithm')
        is_(sets[kind], ','.join(alg for alg in ALL.split(',')
                                 if alg != signer.alg), good, 'algorithm',
            f'{kind}: any but its own')


@t.story
def an_rsa_key_verifies_by_the_algorithm_that_it_names():
    rsa = key('RSA-2048')
    for alg in ('RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'):
        path = keys(f'{alg}.json', rsa.jwk(alg=alg))
        for made in ('RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'):
            is_(path, ALL, tokens.sign({'alg': made}, claims(), rsa),
                'valid' if made == alg else 'algorithm',
                f'a key for {alg}, a token of {made}')
            if made != alg:
                is_(path, ALL, tokens.sign({'alg': alg}, claims(), rsa, made),
                    'signature', f'a key for {alg}, {made} by that name')


# Sets of several keys

@t.story
def a_set_of_several_keys_verifies_with_or_without_kid(several):
    for kind in KINDS:
        signer = key(kind)
        is_(several, ALL, tokens.k8s_sign(claims(), signer), 'valid',
            f'{kind} of several')
        is_(several, ALL, tokens.k8s_sign(claims(), signer, kid=None), 'valid',
            f'{kind} of several, no kid')
        is_(several, ALL, tokens.k8s_sign(claims(), signer, kid='x'), 'valid',
            f'{kind} of several, unknown kid')


@t.story
def the_kid_of_another_key_verifies_nothing(several):
    is_(several, ALL, tokens.k8s_sign(claims(), key('P-256'),
                                      kid=key('P-384').k8s_kid), 'algorithm',
        'the kid of a key for another algorithm')
    is_(several, ALL,
        tokens.sign({'alg': 'ES256', 'kid': key('P-256').k8s_kid},
                    claims(), tokens.key('P-256', 'forger')),
        'signature', 'the kid of another key')


# What is forged for the guard

@t.story
def all_that_is_forged_for_the_guard_is_refused(sets):
    for kind in FORGER:
        signer = key(kind)
        right = claims()
        groups = {name: getattr(forge, name)(signer, right)
                  for name in ('algorithms', 'forms', 'signatures', 'kids',
                               'headers', 'base64s', 'jsons', 'header_jsons',
                               'names', 'sizes')}
        for group, made in groups.items():
            wrong, count = [], 0
            for name, token, reason in made:
                word = WORDS[reason]
                if group == 'headers' and reason == forge.MALFORMED:
                    word = 'critical'
                elif group == 'kids' and reason == forge.SIGNATURE:
                    word = 'valid'      # of no key's name: all keys are tried
                got = run(sets[kind], ALL, '-', text=token)
                if got != (CODES.get(word, 1), word + '\n', ''):
                    wrong.append(f'{name}: {got}, not {word}')
                count += 1
            t.ok(count and not wrong, f'{kind}: {group}, {count} tokens',
                 *wrong)


# The rest

@t.story
def claims_are_the_callers_business(sets):
    is_(sets['P-256'], 'ES256', tokens.k8s_sign(
        claims(exp=int(time.time()) - 9, iss='x'), key('P-256')), 'valid',
        'times and names are not looked at')


@t.story
def weak_keys_are_none_alone_or_not():
    rsa = key('RSA-2048')
    n = rsa.jwk()['n']
    point, edwards = key('P-256').jwk(), key('Ed25519').jwk()
    weak = {
        'e = 1': rsa.jwk(e=tokens.b64int(1)), 'e even': rsa.jwk(
            e=tokens.b64int(65536)),
        '1024 bits': rsa.jwk(n=tokens.b64int((1 << 1023) + 1)),
        '16384 bits': rsa.jwk(n=tokens.b64int((1 << 16383) + 1)),
        'n even': rsa.jwk(n=tokens.b64int(1 << 2047)),
        'n empty': rsa.jwk(n=''), 'a secret': {'kty': 'oct', 'k': n},
        'RSA for HS256': rsa.jwk(alg='HS256'),
        'not on the curve': {**point, 'y': point['x']},
        'a coordinate cut': {**point, 'x': point['x'][:-4]},
        'P-256 as P-384': {**point, 'crv': 'P-384', 'alg': 'ES384'},
        'secp256k1': tokens.key('secp256k1', 'forger').jwk(),
        'Ed25519 cut': {**edwards, 'x': edwards['x'][:-4]}}
    hmac = tokens.sign({'alg': 'HS256'}, claims(), tokens.unb64u(n))
    for name, jwk in weak.items():
        code, out, err = run(keys('weak.json', jwk), ALL, hmac)
        t.ok((code, out) == (2, '') and 'weak.json: ' in err,
             f'a set of one key: {name}', out, err)
        is_(keys('weak.json', jwk, key('P-384').jwk()), ALL, hmac, 'algorithm',
            f'and of two: {name}')


@t.story
def a_wrong_call_is_told_so(sets):
    good = tokens.k8s_sign(claims(), key('P-256'))
    path = sets['P-256']
    for name, arguments in (
            ('no arguments', ()), ('no token', (path, 'ES256')),
            ('too many', (path, 'ES256', good, good)),
            ('an unknown algorithm', (path, 'ES256,HS256', good)),
            ('none', (path, 'none', good)), ('no algorithm', (path, '', good)),
            ('an empty one', (path, 'ES256,', good)),
            ('no file', (os.path.join(t.dir, 'nowhere'), 'ES256', good)),
            ('no JWK set', (t.write('x.json', '[]'), 'ES256', good))):
        code, out, err = run(*arguments)
        t.ok((code, out) == (2, '') and err, name, out, err)
    is_(path, 'ES256', '', 'malformed', 'no token at all')


t.tell()
