"""Tokens that are wrong in one chosen respect.

Each function yields (name, token, reason), made from a gateway's key and the
claims of a token that is right, so that only the named flaw can be why it is
refused, and for that reason alone.  Where the reason is None there is no
flaw, though it may look like one.
"""

import base64

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    encode_dss_signature)

import certs
import tokens
from tokens import b64u, dumps, raw_signature, sign, unb64u

MALFORMED = 'token_malformed'
TOO_LARGE = 'token_too_large'
ALGORITHM = 'algorithm_not_allowed'
SIGNATURE = 'signature_invalid'
EXPIRED = 'token_expired'
NOT_YET = 'token_not_yet_valid'
ISSUER = 'issuer_mismatch'
AUDIENCE = 'audience_mismatch'
MAX = 16384

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


def without(claims, *names):
    """Return the claims less some."""
    return {name: value for name, value in claims.items()
            if name not in names}


def kind_of(key):
    """Return what tokens.key() calls this type of key."""
    if isinstance(key.public, rsa.RSAPublicKey):
        return f'RSA-{key.public.key_size}'
    return 'Ed25519' if key.alg == 'EdDSA' else key.curve


def algorithms(key, claims):
    """The header's algorithm is not the key's."""
    good = tokens.k8s_sign(claims, key).split('.')
    for alg in ('none', 'None', 'NONE', 'nOnE', 'none ', ' none', 'n\u00f6ne'):
        head = header(key, alg=alg)
        yield f'alg {alg!r}', sign(head, claims, key, 'none'), ALGORITHM
        yield (f'alg {alg!r} with a signature',
               sign(head, claims, key, key.alg), ALGORITHM)
    yield ('alg none, the signature kept',
           f'{b64u(dumps(header(key, alg="none")))}.{good[1]}.{good[2]}',
           ALGORITHM)
    yield 'alg n\\u006fne', sign(
        f'{{"alg":"n\\u006fne","kid":"{key.k8s_kid}"}}', claims, key,
        'none'), ALGORITHM
    yield 'alg escaped', sign(
        f'{{"alg":"\\u00{ord(key.alg[0]):02x}{key.alg[1:]}",'
        f'"kid":"{key.k8s_kid}"}}', claims, key, key.alg), None
    signed = {'alg': key.alg}
    for name, alg in (('missing', None), ('empty', ''), ('array', [key.alg]),
                      ('empty array', []), ('number', 256), ('zero', 0),
                      ('true', True), ('object', signed),
                      ('lower case', key.alg.lower()), ('unknown', 'XX256'),
                      ('with a blank', key.alg + ' '),
                      ('cut', key.alg[:-1])):
        yield f'alg {name}', sign(header(key, alg=alg), claims, key,
                                  key.alg), ALGORITHM
    yield 'alg NUL inside', sign(header(key, alg=key.alg + '\0'), claims,
                                 key, key.alg), MALFORMED
    yield 'alg null', sign(
        f'{{"alg":null,"kid":"{key.k8s_kid}"}}', claims, key,
        key.alg), ALGORITHM
    yield 'Alg', sign(f'{{"Alg":"{key.alg}","kid":"{key.k8s_kid}"}}', claims,
                      key, key.alg), ALGORITHM
    secrets = {'PEM': key.public_pem().encode(),
               'PEM without its end': key.public_pem().strip().encode(),
               'DER': key.public_der(), 'JWK': dumps(key.jwk()).encode(),
               'JWK members': dumps(key.jwk_members()).encode(),
               'kid': key.k8s_kid.encode(), 'nothing': b''}
    for name, secret in secrets.items():
        for alg in ('HS256', 'HS384', 'HS512'):
            yield f'{alg} with {name} as the secret', sign(
                header(key, alg=alg), claims, secret, alg), ALGORITHM
        yield f'{key.alg} over HS256 with {name}', sign(
            header(key), claims, secret, 'HS256'), SIGNATURE
    for alg in ('RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512',
                'ES256', 'ES384', 'ES512', 'EdDSA'):
        if alg != key.alg:
            yield f'{alg} over {key.alg}', sign(
                header(key, alg=alg), claims, key, key.alg), ALGORITHM
    yield from swaps(key, claims)
    for kind, alg in (('P-384', 'ES256'), ('P-256', 'ES384'),
                      ('secp256k1', 'ES256K'), ('secp256k1', 'ES256')):
        other = tokens.key(kind, 'forger')
        made = 'ES256' if alg == 'ES256K' else alg
        yield (f'{alg} with a {kind} key',
               sign(header(key, alg=alg), claims, other, made),
               SIGNATURE if alg == key.alg else ALGORITHM)
    for kind in ('RSA-2048', 'P-256', 'P-384', 'P-521', 'Ed25519'):
        other = tokens.key(kind, 'forger')
        yield f'a {kind} stranger under our kid', sign(
            header(key), claims, other, other.alg), SIGNATURE
        yield (f'{other.alg} by a stranger under our kid',
               sign(header(key, alg=other.alg), claims, other, other.alg),
               SIGNATURE if other.alg == key.alg else ALGORITHM)


def swaps(key, claims):
    """Our own key signs in a way that is not its own."""
    if kind_of(key).startswith('RSA'):
        ways = ('RS384', 'RS512', 'PS256', 'PS384', 'PS512')
    elif key.alg.startswith('ES'):
        ways = tuple({'ES256', 'ES384', 'ES512'} - {key.alg})
    else:
        return
    for alg in ways:
        yield f'{alg} by the same key', sign(header(key, alg=alg), claims,
                                             key, alg), ALGORITHM
        yield f'says {key.alg}, is {alg}', sign(header(key), claims, key,
                                                alg), SIGNATURE


def forms(key, claims):
    """Not three segments of a compact JWS."""
    good = tokens.k8s_sign(claims, key)
    head, body, signature = good.split('.')
    parts = {'protected': head, 'payload': body, 'signature': signature}
    jwe = b64u('{"alg":"dir","enc":"A256GCM"}')
    made = {
        'two segments': f'{head}.{body}', 'one segment': head,
        'four segments': good + '.x', 'four, all of them sound':
        f'{good}.{signature}', 'five segments': f'{good}.x.y',
        'no header': f'.{body}.{signature}',
        'no payload': f'{head}..{signature}',
        'no signature': f'{head}.{body}.', 'header alone': f'{head}..',
        'payload alone': f'.{body}.', 'dots only': '..', 'one dot': '.',
        'four dots': '....', 'a point in front': '.' + good,
        'a point behind': good + '.', 'the token twice': f'{good}.{good}',
        'flattened JSON': dumps(parts), 'general JSON': dumps({
            'payload': body, 'signatures': [{'protected': head,
                                             'signature': signature}]}),
        'JSON with two dots': dumps({**parts, 'header': {'x': '..'}}),
        'JWE': f'{jwe}..{b64u(b"0" * 12)}.{body}.{b64u(b"0" * 16)}',
        'JWE with our header': f'{head}.AQ.{b64u(b"0" * 12)}.{body}.AQ'}
    for name, token in made.items():
        yield name, token, MALFORMED
    yield 'header of a JWE, three segments', sign(
        header(key, alg='dir', enc='A256GCM'), claims, key,
        key.alg), ALGORITHM
    yield 'enc beside our alg, three segments', sign(
        header(key, enc='A256GCM'), claims, key, key.alg), None
    yield 'a header swapped for another', good.replace(
        head, b64u(dumps({'alg': key.alg, 'typ': 'JWT'})), 1), SIGNATURE


def signatures(key, claims):
    """The signature's value or form is wrong."""
    good = tokens.k8s_sign(claims, key)
    signed, _, text = good.rpartition('.')
    value = unb64u(text)
    made = {
        'first bit': bytes((value[0] ^ 128,)) + value[1:],
        'last bit': value[:-1] + bytes((value[-1] ^ 1,)),
        'cut by a byte': value[:-1], 'a byte too long': value + b'\0',
        'a zero in front': b'\0' + value, 'its first byte off': value[1:],
        'one byte': value[:1], 'twice': value * 2,
        'zeros': bytes(len(value)), 'ones': b'\xff' * len(value),
        'all that fits': b'\1' * ((MAX - len(signed) - 1) // 4 * 3),
        **_values(key, value)}
    for name, data in made.items():
        yield name, f'{signed}.{b64u(data)}', SIGNATURE
    yield 'empty', signed + '.', MALFORMED
    huge = b64u(b'\1' * 16372)
    yield f'{len(huge)} characters', f'{signed}.{huge}', TOO_LARGE
    head, _, signature = good.split('.')
    other = {**claims, 'sub': 'system:serviceaccount:kube-system:admin'}
    yield 'payload changed', f'{head}.{b64u(dumps(other))}.{signature}', \
        SIGNATURE


def _values(key, value):
    """Return wrong values that the type of a key suggests."""
    public = key.public
    width = len(value) // 2
    if isinstance(public, rsa.RSAPublicKey):
        n = public.public_numbers().n
        size = len(value)
        return {f'value {name}': number.to_bytes(size, 'big')
                for name, number in (('0', 0), ('1', 1), ('n - 1', n - 1),
                                     ('n', n), ('n + 1', n + 1))} \
            | {'s + n': (int.from_bytes(value, 'big') + n)
               .to_bytes(size + 1, 'big')}
    if key.alg == 'EdDSA':
        s = int.from_bytes(value[32:], 'little')
        return {name: value[:32] + number.to_bytes(32, 'little')
                for name, number in (
                    ('S + L', s + L_25519), ('S = L', L_25519),
                    ('S = L + 1', L_25519 + 1), ('S zero', 0),
                    ('S = 2^256 - 1', (1 << 256) - 1))}
    r, s = value[:width], value[width:]
    n = ORDERS[key.curve]
    pair = (int.from_bytes(r, 'big'), int.from_bytes(s, 'big'))
    made = {'DER': encode_dss_signature(*pair), 'halves swapped': s + r,
            'padded to another curve': b'\0' * 16 + r + b'\0' * 16 + s,
            'a shorter pair': r[1:] + s[1:]}
    for name, number in (('zero', 0), ('one', 1), ('n', n), ('n + 1', n + 1)):
        put = number.to_bytes(width, 'big')
        made |= {f'r {name}': put + s, f's {name}': r + put,
                 f'both {name}': put + put}
    if pair[1] + n < 1 << 8 * width:
        made['s + n'] = r + (pair[1] + n).to_bytes(width, 'big')
    return made


def headers(key, claims, url='https://127.0.0.1:1'):
    """Header members that must be refused or must not help."""
    forger = tokens.key(kind_of(key), 'forger')
    signer = tokens.key('P-256', 'forger') if key.alg == 'EdDSA' else forger
    chain = ''.join(certs.Authority('forger', signer).pem
                    .split('-----')[2].split())
    public = {'jwk': forger.jwk(), 'jku': f'{url}/jwks', 'x5u': f'{url}/x5c',
              'x5c': [chain], 'x5t': 'AAAA'}
    for name, value in public.items():
        for whose, kid in (('its', forger.k8s_kid), ('our', key.k8s_kid),
                           ('no', None)):
            yield f'{name} of a stranger, {whose} kid', sign(
                header(key, kid=kid, **{name: value}), claims, forger,
                key.alg), SIGNATURE
        yield f'{name} by our key', sign(
            header(key, **{name: value}), claims, key, key.alg), None
    for name, members in (
            ('crit exp', {'crit': ['exp'], 'exp': 1}),
            ('crit alg', {'crit': ['alg']}), ('crit empty', {'crit': []}),
            ('crit b64', {'crit': ['b64'], 'b64': False}),
            ('crit b64 true', {'crit': ['b64'], 'b64': True}),
            ('crit text', {'crit': 'exp'}), ('crit false', {'crit': False}),
            ('crit object', {'crit': {}}),
            ('b64 false', {'b64': False}), ('b64 true', {'b64': True}),
            ('zip', {'zip': 'DEF'}),
            ('crit unknown', {'crit': ['x'], 'x': 1})):
        yield name, sign(header(key, **members), claims, key,
                         key.alg), MALFORMED
    for name, member in (('crit null', '"crit":null'),
                         ('crit escaped', '"\\u0063rit":["exp"]')):
        yield name, sign(f'{{"alg":"{key.alg}",{member}}}', claims, key,
                         key.alg), MALFORMED


def kids(key, claims):
    """Names of keys that name none, or are no names."""
    right = key.k8s_kid
    for name, kid, reason in (
            ('path', '../../../../etc/passwd', SIGNATURE),
            ('path to ours', '../' + right, SIGNATURE),
            ('ours, path behind', right + '/..', SIGNATURE),
            ('absolute path', '/dev/null', SIGNATURE),
            ('blank behind', right + ' ', SIGNATURE),
            ('in another case', right.swapcase(), SIGNATURE),
            ('SQL', "x' OR '1'='1", SIGNATURE),
            ('line feed', 'a\r\nX-Evil: 1', SIGNATURE),
            ('1024 bytes', 'k' * 1024, SIGNATURE),
            ('1025 bytes', 'k' * 1025, MALFORMED),
            ('10 KB', 'k' * 10240, MALFORMED),
            ('NUL behind', right + '\0', MALFORMED),
            ('NUL in front', '\0' + right, MALFORMED),
            ('number', 5, MALFORMED), ('array', [right], MALFORMED),
            ('object', {'kid': right}, MALFORMED),
            ('true', True, MALFORMED)):
        yield f'kid {name}', sign(header(key, kid=kid), claims, key,
                                  key.alg), reason
    for name, text in (
            ('kid doubled', f'"kid":"x","kid":"{right}"'),
            ('kid doubled alike', f'"kid":"{right}","kid":"{right}"'),
            ('kid doubled by an escape', f'"kid":"x","k\\u0069d":"{right}"'),
            ('kid null', '"kid":null'),
            ('alg doubled', f'"alg":"none","kid":"{right}"')):
        yield name, sign(f'{{"alg":"{key.alg}",{text}}}', claims, key,
                         key.alg), MALFORMED


def base64s(key, claims):
    """Not canonical base64url, each segment signed as it stands."""
    parts = _lettered(key, claims)
    for index, name in enumerate(('header', 'payload', 'signature')):
        part = parts[index]
        for flaw, text in _mangled(part):
            if flaw == 'with a blank in front' and index == 0:
                continue
            made = [*parts]
            made[index] = text
            if index < 2:
                made[2] = b64u(raw_signature(
                    key.alg, f'{made[0]}.{made[1]}'.encode(
                        'utf-8', 'surrogateescape'), key))
            yield f'{name} {flaw}', '.'.join(made), MALFORMED
    padded = [base64.b64encode(unb64u(part)).decode() for part in parts]
    yield 'standard base64', '.'.join(padded), MALFORMED


def _lettered(key, claims):
    """Return segments that each hold - or _, and have spare bits."""
    for number in range(1000):
        parts = sign(header(key, typ='?>' * 8 + 'x' * (number % 3)),
                     {**claims, 'x': '?>' * 8 + str(10 ** (number % 5)),
                      'y': str(number)}, key, key.alg).split('.')
        if all(set(part) & set('-_') for part in parts) \
                and all(len(part) % 4 for part in parts[:2]):
            return parts
    raise RuntimeError('no such token')


def _mangled(part):
    """Yield (flaw, text) of a segment that would else be sound."""
    yield 'padded', part + '=' * (-len(part) % 4 or 4)
    yield 'with one = too few or many', part + '=' * (-len(part) % 4 + 1)
    yield 'with = inside', part[:8] + '=' + part[8:]
    yield 'with a blank', part[:8] + ' ' + part[8:]
    yield 'with a blank in front', ' ' + part
    yield 'with a tab', part[:8] + '\t' + part[8:]
    yield 'with a tab behind', part + '\t'
    yield 'with %41', part[:8] + '%41' + part[8:]
    yield 'not ASCII', part[:8] + '\u00e9' + part[8:]
    yield 'a byte of 0xff', part[:8] + '\udcff' + part[8:]
    yield 'with + and /', part.replace('-', '+').replace('_', '/')
    yield 'with + more', part[:8] + '+' + part[8:]
    yield 'with / more', part[:8] + '/' + part[8:]
    yield 'of length 1 mod 4', part + 'A' * ((1 - len(part)) % 4)
    if len(part) % 4:
        last = ALPHABET.index(part[-1])
        for bit in range(2 if len(part) % 4 == 3 else 4):
            yield f'with spare bit {bit}', \
                part[:-1] + ALPHABET[last ^ 1 << bit]


def jsons(key, claims):
    """Payloads that are no sound JSON object, signed all the same."""
    text = dumps(claims)
    right, open_ = text[1:-1], text[:-1]
    deep = {f'depth {depth}': f'{{"x":{"[" * depth}{"]" * depth},{right}}}'
            for depth in (32, 100, 3000, 5500)}
    half = {f'depth {depth}, never closed': f'{{"x":{start * depth}'
            for start, depth in (('[', 11000), ('{"a":', 2000))}
    bodies = {
        'member doubled': f'{{{right},"sub":"x"}}',
        'exp doubled': f'{{"exp":4102444800,{right}}}',
        'exp doubled alike': f'{{"exp":{claims["exp"]},{right}}}',
        'doubled one level down': f'{{{right},"x":{{"a":1,"a":1}}}}',
        'doubled in arrays':
            f'{{{right},"x":[[{{"y":{{"a":1,"b":2,"a":3}}}}]]}}',
        'doubled by an escape': f'{{"\\u0065xp":4102444800,{right}}}',
        'doubled by two escapes':
            f'{{{right},"\\u0079":1,"y":2}}',
        'trailing data': text + 'x', 'trailing object': text + text,
        'trailing comma': text + ',', 'comma at the end': f'{{{right},}}',
        'a BOM': '\ufeff' + text, 'UTF-16': text.encode('utf-16'),
        'array': f'[{text}]', 'string': '"x"', 'number': '5', 'null': 'null',
        'true': 'true', 'a blank': ' ', 'cut': open_,
        'NUL at the end': text + '\0', 'NUL in front': '\0' + text,
        'comment': f'{{/* */{right}}}', 'single quotes': "{'a':1}",
        'name without quotes': f'{{{right},x:1}}', **deep, **half,
        'invalid UTF-8': open_.encode() + b',"x":"\xff"}',
        'overlong UTF-8': open_.encode() + b',"x":"\xc0\xaf"}',
        'UTF-8 surrogate': open_.encode() + b',"x":"\xed\xa0\x80"}',
        'UTF-8 cut': open_.encode() + b',"x":"\xc3"}',
        'UTF-8 beyond': open_.encode() + b',"x":"\xf4\x90\x80\x80"}',
        'invalid UTF-8 in a name': open_.encode() + b',"\xff":1}',
        'lone surrogate': f'{{{right},"x":"\\ud800"}}',
        'lone low surrogate': f'{{{right},"x":"\\udc00"}}',
        'surrogate in a name': f'{{{right},"\\udfff":1}}',
        'NUL in a name': f'{{{right},"ex\\u0000p":1}}',
        'NUL behind a name': f'{{{right},"x\\u0000":1}}',
        'NUL in a value': f'{{{right},"x":"admin\\u0000x"}}',
        'raw NUL in a value': f'{{{right},"x":"admin\0x"}}',
        'raw line feed in a value': f'{{{right},"x":"a\nb"}}',
        '1e400': f'{{{right},"x":1e400}}', '-1e400':
        f'{{{right},"x":-1e400}}', 'NaN': f'{{{right},"x":NaN}}',
        'hexadecimal': f'{{{right},"x":0x10}}',
        'leading zero': f'{{{right},"x":01}}',
        '2^63': f'{{{right},"x":9223372036854775808}}'}
    for name, body in bodies.items():
        yield name, sign(header(key), body, key, key.alg), MALFORMED
    yield 'depth 100000', sign(
        header(key), f'{{"x":{"[" * 100000}', key, key.alg), TOO_LARGE
    for name, value in (('-0', '-0'), ('1.5', '1.5'),
                        ('2^53 + 1', '9007199254740993'),
                        ('2^63 - 1', '9223372036854775807'),
                        ('an escaped quote', '"\\"}"'),
                        ('a pair of surrogates', '"\\ud83d\\ude00"'),
                        ('depth 31', '[' * 31 + ']' * 31)):
        yield f'{name} where no time is', sign(
            header(key), f'{{{right},"x":{value}}}', key, key.alg), None
    yield 'white space', sign(header(key), f' \t\r\n{text}\n', key,
                              key.alg), None


def header_jsons(key, claims):
    """Headers that are no sound JSON object."""
    text = dumps(header(key))
    right, open_ = text[1:-1], text[:-1]
    bodies = {
        'doubled one level down': f'{{{right},"x":{{"a":1,"a":1}}}}',
        'doubled by an escape': f'{{"\\u0061lg":"none",{right}}}',
        'trailing data': text + 'x', 'trailing object': text + text,
        'a BOM': '\ufeff' + text, 'array': f'[{text}]',
        'string': dumps(key.alg), 'number': '5', 'null': 'null',
        'cut': open_, 'NUL at the end': text + '\0',
        'depth 100': f'{{"x":{"[" * 100}{"]" * 100},{right}}}',
        'depth 11000, never closed': f'{{"x":{"[" * 11000}',
        'invalid UTF-8': open_.encode() + b',"x":"\xff"}',
        'lone surrogate': f'{{{right},"x":"\\ud800"}}',
        'NUL in a name': f'{{{right},"crit\\u0000":1}}',
        'NUL behind alg': f'{{{right},"alg\\u0000x":"none"}}',
        '1e400': f'{{{right},"x":1e400}}',
        '2^63': f'{{{right},"x":9223372036854775808}}'}
    for name, body in bodies.items():
        yield name, sign(body, claims, key, key.alg), MALFORMED


def names(key, claims):
    """A NUL must not end a name, nor another case be the same."""
    for name in ('service_account_name', 'namespace', 'pod_name', 'sub',
                 'access_id', 'config_name', 'jti'):
        for value in ('admin\0x', claims[name] + '\0', '\0'):
            yield f'{name} {value!r}', sign(
                header(key), {**claims, name: value}, key,
                key.alg), MALFORMED
        yield f'{name} with NUL behind its name', sign(
            header(key), {**without(claims, name),
                          name + '\0x': claims[name]}, key,
            key.alg), MALFORMED
    yield 'config_name escaped', sign(header(key), dumps(claims).replace(
        '"config_name"', '"\\u0063onfig_n\\u0061me"'), key, key.alg), None


def times(key, claims, now):
    """exp, nbf and iat that are wrong; all would else be valid now."""
    def put(**members):
        return sign(header(key), {**claims, **members}, key, key.alg)

    def text(name, value):
        raw = dumps(without(claims, name.replace('\\u0065', 'e')))[1:]
        return sign(header(key), f'{{"{name}":{value},{raw}', key, key.alg)

    later = now + 3600
    yield 'exp missing', sign(header(key), without(claims, 'exp'), key,
                              key.alg), MALFORMED
    yield 'Exp', sign(header(key), {**without(claims, 'exp'), 'Exp': later},
                      key, key.alg), MALFORMED
    for name in ('exp', 'nbf', 'iat'):
        for what, value in (
                ('string', f'"{now}"'), ('empty string', '""'),
                ('null', 'null'), ('true', 'true'), ('array', f'[{now}]'),
                ('object', '{}'), ('negative', '-1'),
                ('negative float', '-0.5'), ('huge negative', str(-1 << 62)),
                ('2^53 + 1', str((1 << 53) + 1)), ('2^63', str(1 << 63)),
                ('2^63 - 1', str((1 << 63) - 1)),
                ('2^64 + later', str((1 << 64) + later)),
                ('1e400', '1e400'), ('1e300', '1e300')):
            yield f'{name} {what}', text(name, value), MALFORMED
    for what, value in (('0', '0'), ('-0', '-0'), ('-0.0', '-0.0'),
                        ('1.5', '1.5'), ('an hour ago', str(now - 3600)),
                        ('a float an hour ago', f'{now - 3600}.5')):
        yield f'exp {what}', text('exp', value), EXPIRED
    for what, value in (('2^53', str(1 << 53)), ('later', str(later)),
                        ('a float', f'{later}.5'),
                        ('an exponent', f'{later // 10}e1')):
        yield f'exp {what}', text('exp', value), None
    yield '\\u0065xp is exp', text('\\u0065xp', later), None
    yield '\\u0065xp is exp and over', text('\\u0065xp', now - 60), EXPIRED
    for name in ('nbf', 'iat'):
        for what, value in (('an hour ahead', str(later)),
                            ('a float ahead', f'{later}.5'),
                            ('2^53', str(1 << 53))):
            yield f'{name} {what}', text(name, value), NOT_YET
        yield f'{name} 0', text(name, '0'), None
        yield f'{name} missing', sign(header(key), without(claims, name),
                                      key, key.alg), None
    yield 'expired and ahead', put(exp=now - 9, nbf=later), EXPIRED


def issuers(key, claims):
    """iss that is not the gateway's, to the byte."""
    right = claims['iss']
    for name, value in (('slash at the end', right + '/'),
                        ('cut', right[:-1]), ('upper case', right.upper()),
                        ('host in upper case', right.replace('gw', 'GW')),
                        ('array', [right]), ('object', {right: right}),
                        ('empty', ''), ('null', None), ('number', 1),
                        ('quoted', f'"{right}"'), ('blank', right + ' '),
                        ('blank in front', ' ' + right),
                        ('http', right.replace('https', 'http')),
                        ('another', 'https://x.y')):
        yield f'iss {name}', sign(header(key), {**claims, 'iss': value}, key,
                                  key.alg), ISSUER
    yield 'iss missing', sign(header(key), without(claims, 'iss'), key,
                              key.alg), ISSUER
    yield 'Iss', sign(header(key), {**without(claims, 'iss'), 'Iss': right},
                      key, key.alg), ISSUER
    yield 'iss NUL', sign(header(key), {**claims, 'iss': right + '\0'}, key,
                          key.alg), MALFORMED
    yield 'iss escaped', sign(header(key), dumps(claims).replace(
        right, right.replace('/', '\\/')), key, key.alg), None


def audiences(key, claims, right='api'):
    """aud that does not name the audience, or does."""
    for name, value in (('object', {right: 1}), ('number', 5),
                        ('array of numbers', [5]), ('nested', [[right]]),
                        ('object in an array', [{right: right}]),
                        ('true', True), ('null', None), ('empty', ''),
                        ('empty array', []), ('array of nothing', ['']),
                        ('longer', right + 's'), ('cut', right[:-1]),
                        ('upper case', right.upper()),
                        ('slash', right + '/'), ('blank', right + ' '),
                        ('list in a string', f'{right} x'),
                        ('comma in a string', f'x,{right}'),
                        ('others', ['a', 'b'])):
        yield f'aud {name}', sign(header(key), {**claims, 'aud': value}, key,
                                  key.alg), AUDIENCE
    yield 'aud missing', sign(header(key), without(claims, 'aud'), key,
                              key.alg), AUDIENCE
    yield 'aud NUL', sign(header(key), {**claims, 'aud': right + '\0'}, key,
                          key.alg), MALFORMED
    for name, value in (('string', right), ('array', [right]),
                        ('last of an array', ['x', right]),
                        ('beside a number', [5, right])):
        yield f'aud {name}', sign(header(key), {**claims, 'aud': value}, key,
                                  key.alg), None


def sizes(key, claims):
    """Tokens that grow, and those around the limit."""
    for size, reason in ((8 << 10, None), (16 << 10, TOO_LARGE),
                         (64 << 10, TOO_LARGE)):
        yield f'{size >> 10} KB of claims', sign(
            header(key), {**claims, 'x': 'x' * size}, key, key.alg), reason
    for size, reason in ((MAX - 1, None), (MAX, None), (MAX + 1, TOO_LARGE)):
        yield f'{size} bytes', sized(key, claims, size), reason


def sized(key, claims, size):
    """Return a sound token of so many bytes."""
    for number in range(4):
        head = header(key, typ='x' * number)
        least = len(sign(head, {**claims, 'x': ''}, key, key.alg))
        for more in range((size - least) * 3 // 4 - 2,
                          (size - least) * 3 // 4 + 3):
            token = sign(head, {**claims, 'x': 'x' * more}, key, key.alg)
            if len(token) == size:
                return token
    raise RuntimeError('no such token')
