"""Tokens as the gateway mints them, signed here with the gateway's key."""

import time
import uuid

import tokens
from cluster import ACCESS_ID, CONFIG, NAMESPACE

ISSUER = 'https://gw.example.com'


def key(kind='P-256', name='gateway'):
    """Return the gateway's signing key, which names itself as it does."""
    made = tokens.key(kind, name)
    made.k8s_kid = made.thumbprint()
    return made


def claims(ttl=900, now=None, **members):
    """Return the claims of a minted token; a member None is left out."""
    now = int(time.time() if now is None else now)
    out = {
        'iss': ISSUER, 'aud': ['api'], 'iat': now, 'nbf': now,
        'exp': now + ttl, 'jti': str(uuid.uuid4()),
        'sub': f'system:serviceaccount:{NAMESPACE}:builder',
        'namespace': NAMESPACE, 'service_account_name': 'builder',
        'service_account_uid': 'b8c1e4a2-0000-4000-8000-000000000001',
        'pod_name': 'mypod1',
        'pod_uid': 'b8c1e4a2-0000-4000-8000-000000000002',
        'node_name': 'node1', 'access_id': ACCESS_ID, 'config_name': CONFIG}
    out.update(members)
    return {name: value for name, value in out.items() if value is not None}


def mint(kind='P-256', name='gateway', header=None, **members):
    """Return a token of these claims by the gateway's key."""
    signer = key(kind, name)
    head = {'alg': signer.alg, 'typ': 'JWT', 'kid': signer.thumbprint(),
            **(header or {})}
    return tokens.sign({k: v for k, v in head.items() if v is not None},
                       claims(**members), signer)


def bearer(token):
    """Return the headers that present a token."""
    return {'Authorization': f'Bearer {token}'}
