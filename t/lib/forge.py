"""Tokens that are wrong in one chosen respect.

Each function yields (name, token) pairs made from a cluster's key and the
claims of a token that is right, so that only the named flaw can be the
reason for a refusal.  What is named `fine: ...` has no flaw at all.
"""

import base64
import json

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    encode_dss_signature)

import tokens
from tokens import b64u, dumps, sign, unb64u

ORDERS = {
    'P-256': int('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2'
                 'fc632551', 16),
    'P-384': int('ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81'
                 'f4372ddf581a0db248b0a77aecec196accc52973', 16),
    'P-521': int('01fffffffffffffffffffffffffffffffffffffffffffffffffffffff'
                 'fffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47a'
                 'ebb6fb71e91386409', 16)}
L_25519 = (1 << 252) + 27742317777372353535851937790883648493
ALPHABET = ('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
            '0123456789-_')


def header(key, **members):
    """Return the right header, with members changed (None: left out)."""
    head = {'alg': key.alg, 'kid': key.k8s_kid, **members}
    return {name: value for name, value in head.items()
            if value is not None}


def algorithms(key, claims):
    """The header's algorithm is not the key's."""
    for alg in ('none', 'None', 'NONE', 'nOnE', 'none '):
        yield f'alg {alg!r}', sign(header(key, alg=alg), claims, key, 'none')
    signed = {'alg': key.alg}
    for name, alg in (('missing', None), ('empty', ''), ('array', [key.alg]),
                      ('number', 256), ('true', True), ('object', signed),
                      ('lower case', key.alg.lower()), ('unknown', 'XX256'),
                      ('NUL inside', key.alg + '\0')):
        yield f'alg {name}', sign(header(key, alg=alg), claims, key, key.alg)
    yield 'alg null', sign(
        f'{{"alg":null,"kid":"{key.k8s_kid}"}}', claims, key, key.alg)
    secrets = {'PEM': key.public_pem().encode(),
               'PEM without its end': key.public_pem().strip().encode(),
               'DER': key.public_der(), 'JWK': dumps(key.jwk()).encode(),
               'kid': key.k8s_kid.encode(), 'nothing': b''}
    for name, secret in secrets.items():
        for alg in ('HS256', 'HS384', 'HS512'):
            yield f'{alg} with {name} as the secret', sign(
                header(key, alg=alg), claims, secret, alg)
    if key.alg.startswith('RS'):
        for alg in ('PS256', 'PS384', 'PS512'):
            yield f'{alg} by the same key', sign(header(key, alg=alg),
                                                 claims, key, alg)
        yield 'says RS256, is PS256', sign(header(key), claims, key, 'PS256')
        yield 'says PS256, is RS256', sign(header(key, alg='PS256'), claims,
                                           key, 'RS256')
        for kind in ('P-256', 'Ed25519'):
            other = tokens.key(kind, 'forger')
            yield f'{other.alg} by a stranger under our kid', sign(
                header(key, alg=other.alg), claims, other, other.alg)
    for kind, alg in (('P-384', 'ES256'), ('P-256', 'ES384'),
                      ('secp256k1', 'ES256K'), ('secp256k1', 'ES256')):
        other = tokens.key(kind, 'forger')
        made = 'ES256' if alg == 'ES256K' else alg
        yield f'{alg} with a {kind} key', sign(header(key, alg=alg), claims,
                                               other, made)
    yield 'another key', sign(header(key), claims,
                              tokens.key('RSA-2048', 'forger'), 'RS256')


def forms(key, claims):
    """Not three segments of a compact JWS."""
    good = tokens.k8s_sign(claims, key)
    head, body, signature = good.split('.')
    yield 'two segments', f'{head}.{body}'
    yield 'one segment', head
    yield 'four segments', good + '.x'
    yield 'five segments', f'{good}.x.y'
    yield 'no header', f'.{body}.{signature}'
    yield 'no payload', f'{head}..{signature}'
    yield 'no signature', f'{head}.{body}.'
    yield 'dots only', '..'
    yield 'one dot', '.'
    yield 'a point in front', '.' + good
    yield 'a point behind', good + '.'
    yield 'flattened JSON', json.dumps({
        'protected': head, 'payload': body, 'signature': signature})
    yield 'general JSON', json.dumps({
        'payload': body, 'signatures': [{'protected': head,
                                         'signature': signature}]})
    jwe = b64u('{"alg":"dir","enc":"A256GCM"}')
    yield 'JWE', f'{jwe}..{b64u(b"0" * 12)}.{body}.{b64u(b"0" * 16)}'
    yield 'a header swapped for another', good.replace(
        head, b64u(dumps({'alg': key.alg, 'typ': 'JWT'})), 1)


def signatures(key, claims):
    """The signature's value or form is wrong."""
    good = tokens.k8s_sign(claims, key)
    signed, _, text = good.rpartition('.')
    value = unb64u(text)

    def put(data):
        return f'{signed}.{b64u(data)}'

    yield 'first bit', put(bytes((value[0] ^ 128,)) + value[1:])
    yield 'last bit', put(value[:-1] + bytes((value[-1] ^ 1,)))
    yield 'cut by a byte', put(value[:-1])
    yield 'a byte too long', put(value + b'\0')
    yield 'a zero in front', put(b'\0' + value)
    yield 'twice', put(value * 2)
    yield 'zeros', put(bytes(len(value)))
    yield 'ones', put(b'\xff' * len(value))
    yield '21830 characters', put(b'\1' * 16372)
    yield 'payload changed', _changed(good, claims)
    public = key.public
    if isinstance(public, rsa.RSAPublicKey):
        n = public.public_numbers().n
        for name, number in (('1', 1), ('n - 1', n - 1), ('n', n)):
            yield f'value {name}', put(number.to_bytes(len(value), 'big'))
    elif key.alg == 'EdDSA':
        s = int.from_bytes(value[32:], 'little')
        yield 'S + L', put(value[:32] + (s + L_25519).to_bytes(32, 'little'))
        yield 'S = L', put(value[:32] + L_25519.to_bytes(32, 'little'))
    else:
        width = len(value) // 2
        r, s = value[:width], value[width:]
        n = ORDERS[key.curve]
        pair = (int.from_bytes(r, 'big'), int.from_bytes(s, 'big'))
        yield 'DER', put(encode_dss_signature(*pair))
        yield 'r zero', put(bytes(width) + s)
        yield 's zero', put(r + bytes(width))
        yield 'r = n', put(n.to_bytes(width, 'big') + s)
        yield 's = n', put(r + n.to_bytes(width, 'big'))
        if pair[1] + n < 1 << 8 * width:
            yield 's + n', put(r + (pair[1] + n).to_bytes(width, 'big'))
        yield 'halves swapped', put(s + r)
        yield 'padded to another curve', put(
            b'\0' * 16 + r + b'\0' * 16 + s)


def _changed(token, claims):
    head, _, signature = token.split('.')
    other = {**claims, 'sub': 'system:serviceaccount:kube-system:admin'}
    return f'{head}.{b64u(dumps(other))}.{signature}'


def headers(key, claims):
    """Header members that must be refused or must not help."""
    forger = tokens.key('RSA-2048', 'forger')
    public = {'jwk': forger.jwk(), 'jku': 'https://127.0.0.1:1/jwks',
              'x5u': 'https://127.0.0.1:1/x5c', 'x5c': ['MIIB'],
              'x5t': 'AAAA'}
    for name, value in public.items():
        yield f'{name} of a stranger', sign(
            header(key, kid=forger.k8s_kid, **{name: value}), claims, forger,
            'RS256')
        yield f'fine: {name} by our key', sign(
            header(key, **{name: value}), claims, key, key.alg)
    for name, members in (
            ('crit exp', {'crit': ['exp']}), ('crit empty', {'crit': []}),
            ('crit b64', {'crit': ['b64'], 'b64': False}),
            ('b64 false', {'b64': False}), ('zip', {'zip': 'DEF'}),
            ('crit unknown', {'crit': ['x'], 'x': 1})):
        yield name, sign(header(key, **members), claims, key, key.alg)
    for name, kid in (('path', '../../../../etc/passwd'),
                      ('NUL', key.k8s_kid + '\0'), ('10 KB', 'k' * 10240),
                      ('line feed', 'a\r\nX-Evil: 1'),
                      ('number', 5), ('array', [key.k8s_kid])):
        yield f'kid {name}', sign(header(key, kid=kid), claims, key, key.alg)
    yield 'kid doubled', sign(
        f'{{"alg":"{key.alg}","kid":"x","kid":"{key.k8s_kid}"}}', claims,
        key, key.alg)
    yield 'alg doubled', sign(
        f'{{"alg":"none","alg":"{key.alg}","kid":"{key.k8s_kid}"}}', claims,
        key, key.alg)


def base64s(key, claims):
    """Not canonical base64url."""
    good = tokens.k8s_sign(claims, key)
    for index, name in enumerate(('header', 'payload', 'signature')):
        def put(text, index=index):
            parts = good.split('.')
            parts[index] = text
            return '.'.join(parts)
        part = good.split('.')[index]
        yield f'{name} padded', put(part + '=' * (-len(part) % 4 or 4))
        yield f'{name} with a blank', put(part[:8] + ' ' + part[8:])
        yield f'{name} with a line feed', put(part[:8] + '\n' + part[8:])
        yield f'{name} with a tab', put(part + '\t')
        yield f'{name} with +', put(part[:8] + '+' + part[9:])
        yield f'{name} with /', put(part[:8] + '/' + part[9:])
        yield f'{name} with %41', put(part[:8] + '%41' + part[9:])
        yield f'{name} not ASCII', put(part[:8] + '\u00e9' + part[9:])
        long = part + 'A' * ((1 - len(part)) % 4)
        yield f'{name} of length 1 mod 4', put(long)
        if len(part) % 4:
            last = ALPHABET[ALPHABET.index(part[-1]) ^ 1]
            yield f'{name} with spare bits', put(part[:-1] + last)
    yield 'standard base64', '.'.join(
        base64.b64encode(unb64u(p)).decode() for p in good.split('.'))


def jsons(key, claims):
    """Payloads that are no sound JSON object, signed all the same."""
    text = dumps(claims)
    right = text[1:-1]
    head = header(key)
    bodies = {
        'member doubled': f'{{{right},"sub":"x"}}',
        'exp doubled': f'{{"exp":4102444800,{right}}}',
        'nested member doubled': text.replace(
            '"namespace":', '"namespace":"kube-system","namespace":', 1),
        'doubled by an escape': f'{{"\\u0065xp":4102444800,{right}}}',
        'trailing data': text + 'x', 'trailing object': text + text,
        'comma at the end': f'{{{right},}}', 'a BOM': '\ufeff' + text,
        'array': f'[{text}]', 'string': '"x"', 'number': '5', 'null': 'null',
        'empty': '', 'cut': text[:-1], 'NUL at the end': text + '\0',
        'comment': f'{{/* */{right}}}', 'single quotes': "{'a':1}",
        'depth 100': f'{{"x":{"[" * 100}{"]" * 100},{right}}}',
        'depth 3000': f'{{"x":{"[" * 3000}{"]" * 3000},{right}}}',
        'invalid UTF-8': text.encode()[:-1] + b',"x":"\xff"}',
        'overlong UTF-8': text.encode()[:-1] + b',"x":"\xc0\xaf"}',
        'lone surrogate': f'{{{right},"x":"\\ud800"}}',
        'NUL in a name': f'{{{right},"ex\\u0000p":1}}',
        '1e400': f'{{{right},"x":1e400}}', 'NaN': f'{{{right},"x":NaN}}',
        'hexadecimal': f'{{{right},"x":0x10}}',
        '2^63': f'{{{right},"x":9223372036854775808}}'}
    for name, body in bodies.items():
        yield name, sign(head, body, key, key.alg)


def nul_names(key, claims):
    """Names that end in NUL must not become the name before it."""
    for path in (('namespace',), ('serviceaccount', 'name'),
                 ('pod', 'name')):
        k8s = json.loads(json.dumps(claims['kubernetes.io']))
        at = k8s
        for step in path[:-1]:
            at = at.get(step, {})
        if path[-1] in at:
            at[path[-1]] += '\0x'
            yield f'{".".join(path)} with NUL', sign(
                header(key), {**claims, 'kubernetes.io': k8s}, key, key.alg)


def times(key, claims, now):
    """exp, nbf and iat that are wrong; all would else be valid now."""
    def put(**members):
        made = {k: v for k, v in {**claims, **members}.items()
                if v != 'drop'}
        return sign(header(key), made, key, key.alg)

    yield 'exp missing', put(exp='drop')
    for name, value in (('string', str(now + 3600)), ('negative', -1),
                        ('zero', 0), ('null', None), ('true', True),
                        ('array', [now + 3600]), ('object', {}),
                        ('2^63', 1 << 63), ('2^64 + later', (1 << 64) + now)):
        yield f'exp {name}', put(exp=value)
    raw = dumps({k: v for k, v in claims.items() if k != 'exp'})[1:]
    for name, value in (('1e400', '1e400'), ('-0', '-0'),
                        ('float long ago', '1.5')):
        yield f'exp {name}', sign(header(key), f'{{"exp":{value},{raw}', key,
                                  key.alg)
    yield 'exp in another case', put(exp='drop', Exp=now + 3600)
    yield 'exp long ago', put(exp=now - 3600)
    yield 'nbf ahead', put(nbf=now + 3600)
    yield 'nbf string', put(nbf=str(now))
    yield 'iat ahead', put(iat=now + 3600)


def issuers(key, claims):
    """iss that is not the cluster's, to the byte."""
    right = claims['iss']
    for name, value in (('slash at the end', right + '/'),
                        ('upper case', right.upper()), ('array', [right]),
                        ('empty', ''), ('null', None), ('number', 1),
                        ('quoted', f'"{right}"'), ('NUL', right + '\0'),
                        ('blank', right + ' '), ('another', 'https://x.y')):
        yield f'iss {name}', sign(header(key), {**claims, 'iss': value}, key,
                                  key.alg)
    yield 'iss missing', sign(
        header(key), {k: v for k, v in claims.items() if k != 'iss'}, key,
        key.alg)


def audiences(key, claims):
    """aud of the wrong type; what is of the right one is the caller's."""
    for name, value in (('object', {'api': 1}), ('number', 5),
                        ('array of numbers', [5]), ('nested', [['api']]),
                        ('true', True)):
        yield f'aud {name}', sign(header(key), {**claims, 'aud': value}, key,
                                  key.alg)


def sizes(key, claims):
    """Tokens that grow."""
    for size in (8 << 10, 16 << 10, 64 << 10):
        yield f'{size >> 10} KB', sign(
            header(key), {**claims, 'x': 'x' * size}, key, key.alg)


def weak_jwks():
    """Yield (name, JWK) of public keys that nobody should accept."""
    right = tokens.key('RSA-2048', 'forger').jwk()
    yield '1024 bits', tokens.key('RSA-1024', 'weak').jwk()
    yield 'e = 1', {**right, 'e': tokens.b64int(1)}
    yield 'e even', {**right, 'e': tokens.b64int(65536)}
    yield 'n empty', {**right, 'n': ''}
    yield 'n even', {**right, 'n': tokens.b64int(1 << 2047)}
    yield '16384 bits', {**right, 'n': tokens.b64int((1 << 16384) - 1)}
    point = tokens.key('P-256', 'forger').jwk()
    yield 'not on the curve', {**point, 'y': point['x']}
    yield 'coordinate cut', {**point, 'x': point['x'][:-4]}
    yield 'another curve', {**point, 'crv': 'P-384'}
    yield 'unknown curve', {**point, 'crv': 'P-999'}
    edwards = tokens.key('Ed25519', 'forger').jwk()
    yield 'Ed25519 cut', {**edwards, 'x': edwards['x'][:-4]}


def every(key, claims, now):
    """Yield (name, token) of all groups, names prefixed by their group."""
    groups = (algorithms, forms, signatures, headers, base64s, jsons,
              nul_names, issuers, audiences, sizes)
    for group in groups:
        for name, token in group(key, claims):
            yield f'{group.__name__}: {name}', token
    for name, token in times(key, claims, now):
        yield f'times: {name}', token
