"""Keys, JSON Web Signatures and Kubernetes service-account tokens.

Everything a test needs to make tokens that are right, and tokens that are
wrong in one chosen respect (see forge.py for the ready-made wrong ones).
Key pairs are made once per machine and cached in the temporary directory.
"""

import base64
import fcntl
import hashlib
import hmac
import json
import os
import secrets
import stat
import tempfile
import time
import uuid

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import (
    ec, ed25519, padding, rsa)
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature, encode_dss_signature)

ISSUER = 'https://kubernetes.default.svc.cluster.local'
LEGACY_ISSUER = 'kubernetes/serviceaccount'

CURVES = {
    'P-256': (ec.SECP256R1, 32, 'ES256'),
    'P-384': (ec.SECP384R1, 48, 'ES384'),
    'P-521': (ec.SECP521R1, 66, 'ES512'),
    'secp256k1': (ec.SECP256K1, 32, 'ES256K'),
}
HASHES = {'256': hashes.SHA256, '384': hashes.SHA384, '512': hashes.SHA512}


def b64u(data):
    """Return data (bytes or str) as unpadded base64url text."""
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def unb64u(text):
    """Return the bytes of an unpadded base64url text."""
    return base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))


def dumps(value):
    """Return compact JSON with sorted members, as Kubernetes signs it."""
    return json.dumps(value, sort_keys=True, separators=(',', ':'))


class Key:
    """A key pair, or a public key alone."""

    def __init__(self, private=None, public=None):
        self.private = private
        self.public = public or private.public_key()
        der = self.public.public_bytes(
            serialization.Encoding.DER,
            serialization.PublicFormat.SubjectPublicKeyInfo)
        self.k8s_kid = b64u(hashlib.sha256(der).digest())

    @classmethod
    def load(cls, data):
        """Make a Key of PEM text, private or public."""
        if isinstance(data, str):
            data = data.encode()
        if b'PRIVATE' in data:
            return cls(serialization.load_pem_private_key(data, None))
        return cls(public=serialization.load_pem_public_key(data))

    @property
    def curve(self):
        """The JOSE name of an EC key's curve."""
        for name, (kind, _, _) in CURVES.items():
            if kind.name == self.public.curve.name:
                return name
        raise ValueError(self.public.curve.name)

    @property
    def alg(self):
        """The algorithm this key signs with unless told otherwise."""
        if isinstance(self.public, rsa.RSAPublicKey):
            return 'RS256'
        if isinstance(self.public, ed25519.Ed25519PublicKey):
            return 'EdDSA'
        return CURVES[self.curve][2]

    def pem(self, password=None, traditional=False):
        """Return the private key as PEM text (PKCS#8 by default)."""
        enc = serialization.NoEncryption()
        if password is not None:
            enc = serialization.BestAvailableEncryption(password.encode())
        form = serialization.PrivateFormat.PKCS8
        if traditional:
            form = serialization.PrivateFormat.TraditionalOpenSSL
        return self.private.private_bytes(
            serialization.Encoding.PEM, form, enc).decode()

    def public_pem(self):
        """Return the public key as PEM text."""
        return self.public.public_bytes(
            serialization.Encoding.PEM,
            serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def public_der(self):
        """Return the public key as DER bytes."""
        return self.public.public_bytes(
            serialization.Encoding.DER,
            serialization.PublicFormat.SubjectPublicKeyInfo)

    def jwk_members(self):
        """Return the members that RFC 7638 hashes."""
        pub = self.public
        if isinstance(pub, rsa.RSAPublicKey):
            num = pub.public_numbers()
            return {'kty': 'RSA', 'n': b64int(num.n), 'e': b64int(num.e)}
        if isinstance(pub, ed25519.Ed25519PublicKey):
            raw = pub.public_bytes(serialization.Encoding.Raw,
                                   serialization.PublicFormat.Raw)
            return {'kty': 'OKP', 'crv': 'Ed25519', 'x': b64u(raw)}
        num = pub.public_numbers()
        size = CURVES[self.curve][1]
        return {'kty': 'EC', 'crv': self.curve,
                'x': b64u(num.x.to_bytes(size, 'big')),
                'y': b64u(num.y.to_bytes(size, 'big'))}

    def thumbprint(self):
        """Return the RFC 7638 thumbprint, base64url."""
        return b64u(hashlib.sha256(dumps(self.jwk_members()).encode())
                    .digest())

    def jwk(self, kid=None, **more):
        """Return the public JWK as Kubernetes publishes it."""
        members = self.jwk_members()
        out = {'use': 'sig', 'kty': members.pop('kty'),
               'kid': kid or self.k8s_kid}
        if 'crv' in members:
            out['crv'] = members.pop('crv')
        out['alg'] = self.alg
        out.update(members)
        out.update(more)
        return out


def b64int(number):
    """Return a non-negative integer in JWK form."""
    return b64u(number.to_bytes(max(1, (number.bit_length() + 7) // 8),
                                'big'))


def from_jwk(jwk):
    """Make a public Key of a JWK."""
    if jwk['kty'] == 'RSA':
        return Key(public=rsa.RSAPublicNumbers(
            int.from_bytes(unb64u(jwk['e']), 'big'),
            int.from_bytes(unb64u(jwk['n']), 'big')).public_key())
    if jwk['kty'] == 'OKP':
        return Key(public=ed25519.Ed25519PublicKey.from_public_bytes(
            unb64u(jwk['x'])))
    return Key(public=ec.EllipticCurvePublicNumbers(
        int.from_bytes(unb64u(jwk['x']), 'big'),
        int.from_bytes(unb64u(jwk['y']), 'big'),
        CURVES[jwk['crv']][0]()).public_key())


def generate(kind, exponent=65537):
    """Make a new key pair: RSA-<bits>, a curve's name, or Ed25519."""
    if kind.startswith('RSA-'):
        return Key(rsa.generate_private_key(exponent, int(kind[4:])))
    if kind == 'Ed25519':
        return Key(ed25519.Ed25519PrivateKey.generate())
    return Key(ec.generate_private_key(CURVES[kind][0]()))


def roca_prime(bits=1024):
    """Make a prime as the library of CVE-2017-15361 does."""
    product, found, number = 1, 0, 2
    while found < 126:
        if all(number % d for d in range(2, int(number ** .5) + 1)):
            product, found = product * number, found + 1
        number += 1
    while True:
        factor = secrets.randbits(bits - product.bit_length() + 1)
        prime = factor * product + pow(65537, secrets.randbits(254), product)
        if prime >> (bits - 2) == 3 and all(
                pow(base, prime - 1, prime) == 1 for base in (2, 3, 5)):
            return prime


def roca_key():
    """Return the cached RSA key pair with that library's fingerprint."""
    path = os.path.join(cache_dir(), 'RSA-2048-roca.pem')
    if not os.path.exists(path):
        p, q = roca_prime(), roca_prime()
        d = pow(65537, -1, (p - 1) * (q - 1))
        write_file(path, Key(rsa.RSAPrivateNumbers(
            p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p),
            rsa.RSAPublicNumbers(65537, p * q)).private_key()).pem())
    with open(path, encoding='ascii') as file:
        return Key.load(file.read())


def cache_dir():
    """Return this user's private cache directory, made when missing."""
    path = os.path.join(tempfile.gettempdir(), f'akl-t-keys-{os.getuid()}')
    os.makedirs(path, 0o700, exist_ok=True)
    info = os.lstat(path)
    if info.st_uid != os.getuid() or not stat.S_ISDIR(info.st_mode) \
            or info.st_mode & 0o077:
        raise RuntimeError(f'{path} is not ours alone')
    return path


_keys = {}


def key(kind='RSA-2048', name='a'):
    """Return the cached key pair `name` of a kind; distinct by name."""
    ident = f'{kind}-{name}'
    if ident in _keys:
        return _keys[ident]
    path = os.path.join(cache_dir(), ident + '.pem')
    with open(path + '.lock', 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(path):
            with open(path, encoding='ascii') as file:
                made = Key.load(file.read())
        else:
            made = generate(kind)
            write_file(path, made.pem())
    _keys[ident] = made
    return made


def write_file(path, text, mode=0o600):
    """Write text or bytes to a file in one step (rename), return path."""
    data = text.encode() if isinstance(text, str) else text
    temp = f'{path}.{os.getpid()}.tmp'
    with open(temp, 'wb', opener=lambda p, f: os.open(p, f, mode)) as file:
        file.write(data)
    os.chmod(temp, mode)
    os.rename(temp, path)
    return path


def raw_signature(alg, data, key_):
    """Sign data by a JWS algorithm.

    key_ is a Key, or the secret's bytes for HS256, HS384 and HS512.
    """
    size = alg[2:5]
    if alg == 'none':
        return b''
    if alg.startswith('HS'):
        return hmac.new(key_, data, 'sha' + size).digest()
    if alg == 'EdDSA':
        return key_.private.sign(data)
    digest = HASHES[size]()
    if alg.startswith('RS'):
        return key_.private.sign(data, padding.PKCS1v15(), digest)
    if alg.startswith('PS'):
        return key_.private.sign(
            data, padding.PSS(padding.MGF1(digest), digest.digest_size),
            digest)
    der = key_.private.sign(data, ec.ECDSA(digest))
    width = CURVES[key_.curve][1]
    return b''.join(n.to_bytes(width, 'big')
                    for n in decode_dss_signature(der))


def sign(header, payload, key_, alg=None):
    """Return a compact JWS.

    header and payload are dicts, or text or bytes taken as they are.
    alg is how to sign; the header's alg member says what is claimed.
    """
    if alg is None:
        alg = header['alg'] if isinstance(header, dict) else key_.alg
    if isinstance(header, dict):
        header = json.dumps(header, separators=(',', ':'))
    if isinstance(payload, dict):
        payload = dumps(payload)
    signed = f'{b64u(header)}.{b64u(payload)}'
    return f'{signed}.{b64u(raw_signature(alg, signed.encode(), key_))}'


def decode(token):
    """Return (header, claims) of a compact JWS without verifying it."""
    parts = token.split('.')
    if len(parts) != 3:
        raise ValueError('not three segments')
    return json.loads(unb64u(parts[0])), json.loads(unb64u(parts[1]))


def verify_with(alg, data, signature, key_):
    """Say whether a signature fits; the algorithm must be the key's."""
    pub = key_.public
    try:
        if isinstance(pub, rsa.RSAPublicKey):
            if alg not in ('RS256', 'RS384', 'RS512'):
                return False
            pub.verify(signature, data, padding.PKCS1v15(),
                       HASHES[alg[2:]]())
        elif isinstance(pub, ed25519.Ed25519PublicKey):
            if alg != 'EdDSA':
                return False
            pub.verify(signature, data)
        else:
            width = CURVES[key_.curve][1]
            if alg != key_.alg or len(signature) != 2 * width:
                return False
            pair = (int.from_bytes(signature[:width], 'big'),
                    int.from_bytes(signature[width:], 'big'))
            pub.verify(encode_dss_signature(*pair), data,
                       ec.ECDSA(HASHES[alg[2:5]]()))
    except (InvalidSignature, ValueError):
        return False
    return True


def verify(token, keys):
    """Return the claims of a compact JWS, or raise ValueError.

    keys is a Key, a JWK set (dict), or a list of Keys; with a JWK set
    the header's kid must name one of them.
    """
    header, claims = decode(token)
    if isinstance(keys, Key):
        keys = [keys]
    elif isinstance(keys, dict):
        keys = [from_jwk(jwk) for jwk in keys['keys']
                if jwk['kid'] == header['kid']]
    signed, _, signature = token.rpartition('.')
    for key_ in keys:
        if verify_with(header['alg'], signed.encode(), unb64u(signature),
                       key_):
            return claims
    raise ValueError('no key verifies this token')


def projected(namespace, account, pod=None, secret=None, node=None,
              audiences=None, ttl=3600, now=None, jti=True, issuer=ISSUER,
              warnafter=None):
    """Return the claims of a projected token.

    account, pod, secret and node are (name, uid) pairs.  jti=False
    leaves jti out, as servers before 1.30 do.
    """
    now = int(time.time() if now is None else now)

    def ref(pair):
        return {'name': pair[0], 'uid': pair[1]}

    k8s = {'namespace': namespace, 'serviceaccount': ref(account)}
    for name, pair in (('pod', pod), ('secret', secret), ('node', node)):
        if pair is not None:
            k8s[name] = ref(pair)
    if warnafter is not None:
        k8s['warnafter'] = warnafter
    claims = {
        'aud': ['api', issuer] if audiences is None else audiences,
        'exp': now + ttl, 'iat': now, 'iss': issuer, 'kubernetes.io': k8s,
        'nbf': now, 'sub': f'system:serviceaccount:{namespace}:{account[0]}'}
    if jti:
        claims['jti'] = str(uuid.uuid4())
    return claims


def legacy(namespace, account, secret):
    """Return the flat claims of a secret's token; account is a pair."""
    base = 'kubernetes.io/serviceaccount/'
    return {'iss': LEGACY_ISSUER, base + 'namespace': namespace,
            base + 'secret.name': secret,
            base + 'service-account.name': account[0],
            base + 'service-account.uid': account[1],
            'sub': f'system:serviceaccount:{namespace}:{account[0]}'}


def k8s_sign(claims, key_, **header):
    """Sign claims as a cluster does; header members may be overridden."""
    head = {'alg': key_.alg, 'kid': key_.k8s_kid}
    head.update(header)
    return sign({k: v for k, v in head.items() if v is not None}, claims,
                key_, alg=key_.alg)
