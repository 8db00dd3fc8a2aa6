"""The state of a fake cluster, and how it judges bearer tokens.

Plain objects and rules: no sockets here.  The order of the checks and the
texts are those of kube-apiserver 1.25 and 1.32 (see t/fixtures), and of 1.37
by its source (pkg/serviceaccount).
"""

import copy
import json
import re
import time
import uuid
from dataclasses import dataclass, field

import tokens

LEEWAY = 60
LEGACY = 'kubernetes.io/serviceaccount/'
EXTRA = 'authentication.kubernetes.io/'
ATTESTED = 'attestation.authentication.kubernetes.io/'
API_GROUPS = 'admissionReviewAPIGroups'
WEBHOOKS = {'validating': 'ValidatingWebhookConfiguration',
            'mutating': 'MutatingWebhookConfiguration'}
RANCHER_USER = 'u-rancher'
CACHED_TOKENS = 20000
POSITIVE_TTL = 10       # s, TokenSuccessCacheTTL of kube-apiserver
SEGMENT = re.compile(r'[A-Za-z0-9_-]*')
NAMESPACE = re.compile(r'[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?')
LABEL = re.compile(r'[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?')
DOMAIN = re.compile(r'[a-z0-9]([-a-z0-9]*[a-z0-9])?'
                    r'(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
OWN_LABEL = 'kubernetes.io/metadata.name'


class Rejected(Exception):
    """A token that no authenticator takes; text as in status.error.

    texts are the errors of those that had one, as Go's Aggregate joins
    them: each once.
    """

    def __init__(self, *texts):
        texts = dict.fromkeys(('invalid bearer token', *texts))
        whole = ', '.join(texts)
        if len(texts) > 1:
            whole = f'[{whole}]'
        super().__init__(whole)
        self.texts = list(texts)[1:]
        self.text = whole


@dataclass
class User:
    """Whom a credential stands for."""

    username: str
    uid: str = ''
    groups: list = field(default_factory=list)
    extra: dict = field(default_factory=dict)
    audiences: list = field(default_factory=list)


ANONYMOUS = User('system:anonymous', '', ['system:unauthenticated'])


def load_json(data):
    """Return the JSON value of bytes; doubled members are an error."""
    def members(pairs):
        made = dict(pairs)
        if len(made) != len(pairs):
            raise ValueError('doubled member')
        return made

    def constant(name):
        raise ValueError(name)

    return json.loads(data.decode('utf-8', 'replace'),
                      object_pairs_hook=members, parse_constant=constant)


def go_quote(values):
    """Format a list of strings as Go's %q does."""
    quoted = (json.dumps(value, ensure_ascii=False) for value in values)
    return '[' + ' '.join(quoted) + ']'


def check_label(key, value):
    """Raise ValueError where a label is none that a server would take."""
    prefix, slash, name = key.rpartition('/')
    if slash and (len(prefix) > 253 or not DOMAIN.fullmatch(prefix)) \
            or not LABEL.fullmatch(name) \
            or value and not LABEL.fullmatch(value):
        raise ValueError(f'invalid label {key}={value}')


class Kube:
    """Namespaces and what is in them, nodes, keys, rights and a clock.

    A token that was found good stays so for `positive_ttl` seconds, whatever
    becomes of its pod or account meanwhile: kube-apiserver remembers that, by
    token and audiences, and forgets it at a restart, as with other keys.
    Refusals are not remembered.
    """

    def __init__(self, version='1.32', issuer=tokens.ISSUER,
                 api_audiences=None, keys=None):
        self.version = version
        self.issuer = issuer
        self.api_audiences = api_audiences or ['api', issuer]
        self.keys = keys or [tokens.key('RSA-2048', 'cluster')]
        self.namespaces = {}
        self.accounts = {}
        self.pods = {}
        self.secrets = {}
        self.requested = {}         # secrets that wait for their token
        self.bindings = {}
        self.nodes = {}
        self.validatings = {}
        self.mutatings = {}
        self.configmaps = {}
        self.rights = set()
        self.resource_version = 1000
        self.intruders = 0
        self.delegators = {'system:masters', RANCHER_USER}
        self.readers = {'system:masters', RANCHER_USER}
        self.discoverers = {'system:masters', 'system:serviceaccounts'}
        self.static = {}
        self.rancher = {}
        self.lags = {}
        self.authenticators = []
        self.offset = 0
        self.frozen = None
        self.positive_ttl = POSITIVE_TTL
        self._signatures = {}
        self._positive = {}
        for name in ('default', 'kube-system'):
            self._space(name)

    def snapshot(self):
        """Return all there is, for restore()."""
        return {name: list(value) if name == 'keys'
                else copy.deepcopy(value)
                for name, value in vars(self).items() if name[0] != '_'}

    def restore(self, snapshot):
        """Have it as it was; what was kept since is forgotten."""
        for name, value in snapshot.items():
            setattr(self, name, list(value) if name == 'keys'
                    else copy.deepcopy(value))
        self._positive.clear()
        self._signatures.clear()

    # Time

    def now(self):
        """The server's idea of the time, in seconds."""
        if self.frozen is not None:
            return self.frozen
        return time.time() + self.offset

    # Objects

    def _space(self, name):
        """Return a namespace, which is made where it is not there."""
        if not NAMESPACE.fullmatch(name):
            raise ValueError(f'invalid namespace {name}')
        return self.namespaces.setdefault(name, {
            'uid': str(uuid.uuid4()), 'made': self.now(),
            'labels': {OWN_LABEL: name}})

    def namespace(self, name, labels=None):
        """Make a namespace, or give it other labels; return its uid.

        It always has the one that the server itself puts on it.
        """
        labels = dict(labels or {}, **{OWN_LABEL: name})
        for pair in labels.items():
            check_label(*pair)
        is_new = name not in self.namespaces
        held = self._space(name)
        held['labels'] = labels
        if is_new:
            self.account(name, 'default')   # as a controller does
        return held['uid']

    def delete_namespace(self, name):
        """Delete a namespace and all that is in it."""
        del self.namespaces[name]
        for held in (self.accounts, self.pods, self.secrets,
                     self.configmaps):
            for pair in [pair for pair in held if pair[0] == name]:
                del held[pair]

    def account(self, namespace, name, uid=None):
        """Make a service account, or make it anew; return its uid."""
        uid = uid or str(uuid.uuid4())
        self._space(namespace)
        self.accounts[namespace, name] = {'uid': uid}
        return uid

    def node(self, name, uid=None):
        """Make a node; return its uid."""
        uid = uid or str(uuid.uuid4())
        self.nodes[name] = {'uid': uid}
        return uid

    def pod(self, namespace, name, account='default', node=None, uid=None):
        """Make a pod, or make it anew; return its uid."""
        uid = uid or str(uuid.uuid4())
        if (namespace, account) not in self.accounts:
            self.account(namespace, account)
        if node is not None and node not in self.nodes:
            self.node(node)
        self.pods[namespace, name] = {'uid': uid, 'account': account,
                                      'node': node, 'deleted': None}
        return uid

    def webhook(self, kind, name, uid=None):
        """Make a webhook configuration: validating or mutating; its uid."""
        uid = uid or str(uuid.uuid4())
        getattr(self, kind + 's')[None, name] = {'uid': uid}
        return uid

    def secret(self, namespace, name, account='default', uid=None,
               token=None):
        """Make a token secret; return its (legacy) token."""
        if (namespace, account) not in self.accounts:
            self.account(namespace, account)
        sa = (account, self.accounts[namespace, account]['uid'])
        if token is None:
            token = tokens.k8s_sign(tokens.legacy(namespace, sa, name),
                                    self.keys[0])
        self.secrets[namespace, name] = {
            'uid': uid or str(uuid.uuid4()), 'token': token,
            'invalid_since': None}
        return token

    def mark_invalid(self, namespace, name, since='2026-01-01'):
        """Label a token secret as the clean-up of legacy tokens does."""
        self.secrets[namespace, name]['invalid_since'] = since

    def delete(self, kind, namespace, name, terminating_since=None):
        """Delete an object; a pod may only be marked as terminating."""
        if kind == 'namespace':
            self.delete_namespace(name)
        elif kind == 'node':
            del self.nodes[name]
        elif kind == 'pod' and terminating_since is not None:
            self.pods[namespace, name]['deleted'] = terminating_since
        else:
            getattr(self, kind + 's').pop((namespace, name))

    def lag(self, kind, namespace, name, error=None, count=None):
        """Have the server's cache miss an object, `count` times or always.

        It is then asked for live, and that call ends in error, the text
        of a client's error (None: it works).
        """
        self.lags[kind, namespace, name] = [error, count]

    def _get(self, kind, namespace, name):
        """Return (object or None, error of the live call or None)."""
        lag = self.lags.get((kind, namespace, name))
        if lag is not None:
            if lag[1] is not None:
                lag[1] -= 1
                if lag[1] <= 0:
                    del self.lags[kind, namespace, name]
            if lag[0] is not None:
                return None, lag[0]
        if kind == 'node':
            return self.nodes.get(name), None
        return getattr(self, kind + 's').get((namespace, name)), None

    def _account(self, namespace, name):
        """Return an account; what hinders that is said as it is."""
        account, error = self._get('account', namespace, name)
        if error is not None:
            raise Rejected(error)
        if account is None:
            raise Rejected(f'serviceaccounts {json.dumps(name)} not found')
        return account

    def set_keys(self, keys):
        """Replace the signing keys; the first one signs."""
        self.keys = keys
        self._signatures.clear()
        self._positive.clear()

    def jwks(self):
        """Return the published key set."""
        return {'keys': [key.jwk() for key in self.keys]}

    # Tokens

    def issue(self, namespace, account='default', pod=None, secret=None,
              node=None, audiences=None, ttl=3600, now=None, claims=None,
              drop=(), header=None, key=0, webhook=None):
        """Issue a projected token.

        A pod brings its account and node.  webhook is the kind and name
        of a configuration, which 1.37 may bind tokens to.  claims override
        members (at the top level), drop names members to leave out, key is
        an index into the server's keys.
        """
        new = self.version != '1.25'
        refs = {}
        if pod is not None:
            held = self.pods[namespace, pod]
            account = held['account']
            refs['pod'] = (pod, held['uid'])
            if new and held['node'] is not None:
                node = held['node']
        if secret is not None:
            refs['secret'] = (secret, self.secrets[namespace, secret]['uid'])
        if node is not None:
            refs['node'] = (node, self.nodes[node]['uid'])
        sa = (account, self.accounts[namespace, account]['uid'])
        if audiences is None:
            audiences = self.api_audiences
        made = tokens.projected(
            namespace, sa, audiences=audiences, ttl=ttl,
            now=self.now() if now is None else now, jti=new,
            issuer=self.issuer, **refs)
        if webhook is not None:
            kind, name = webhook
            made['kubernetes.io'].update({
                WEBHOOKS[kind].lower(): {
                    'name': name,
                    'uid': getattr(self, kind + 's')[None, name]['uid']},
                'attestations': {API_GROUPS: ['apps']}})
        made.update(claims or {})
        for name in drop:
            made.pop(name)
        return tokens.k8s_sign(made, self.keys[key], **(header or {}))

    def authenticate(self, token, audiences=None):
        """Return the User of a bearer token, or raise Rejected."""
        wanted = audiences or self.api_audiences
        known = self.static.get(token)
        if known is not None:
            user = User(**known)
            user.audiences = [aud for aud in known.get('audiences')
                              or self.api_audiences if aud in wanted]
            if not user.audiences:
                raise Rejected(*self.authenticators)
            return user
        if not self.positive_ttl:
            return self._authenticate(token, wanted)
        ident = (token, tuple(wanted))
        held = self._positive.get(ident)
        if held is not None and held[0] > self.now():
            return held[1]
        user = self._authenticate(token, wanted)
        if len(self._positive) >= CACHED_TOKENS:
            self._positive.clear()
        self._positive[ident] = (self.now() + self.positive_ttl, user)
        return user

    def _authenticate(self, token, wanted):
        try:
            return self._authenticate_account(token, wanted)
        except Rejected as why:
            raise Rejected(*why.texts, *self.authenticators) from None

    def _authenticate_account(self, token, wanted):
        claims, error = self._verified(token)
        if claims is None:
            raise Rejected(*([error] if error else []))
        held = claims.get('aud')
        if isinstance(held, str):
            held = [held]
        if not held:
            held = self.api_audiences
        if not isinstance(held, list) \
                or not all(isinstance(aud, str) for aud in held):
            raise Rejected('json: cannot unmarshal aud')
        common = [aud for aud in held if aud in wanted]
        if not common:
            raise Rejected(f'token audiences {go_quote(held)} is invalid '
                           f'for the target audiences {go_quote(wanted)}')
        if claims['iss'] == tokens.LEGACY_ISSUER:
            user = self._legacy(token, claims)
        else:
            user = self._projected(claims)
        user.audiences = common
        return user

    def _verified(self, token):
        """Return (claims, None), or (None, text or None); cached."""
        held = self._signatures.get(token)
        if held is None:
            if len(self._signatures) >= CACHED_TOKENS:
                self._signatures.clear()
            held = self._signatures[token] = self._verify(token)
        return held

    def _verify(self, token):
        try:
            parts = token.split('.')
            if len(parts) != 3 or not all(map(SEGMENT.fullmatch, parts)):
                return None, None
            header, claims = (load_json(tokens.unb64u(part))
                              for part in parts[:2])
            signature = tokens.unb64u(parts[2])
            signed = '.'.join(parts[:2]).encode('ascii')
            if claims['iss'] not in (self.issuer, tokens.LEGACY_ISSUER) \
                    or 'crit' in header:
                return None, None
            alg = header['alg']
            kid = header.get('kid', '')
        except (ValueError, KeyError, TypeError, AttributeError,
                RecursionError):
            return None, None
        keys = self.keys
        if kid and self.version != '1.25':
            keys = [key for key in keys if key.k8s_kid == kid]
        if not keys:
            return None, 'invalid signature, no keys found'
        for key in keys:
            if tokens.verify_with(alg, signed, signature, key):
                return claims, None
        library = 'go-jose' if self.version == '1.37' else 'square'
        return None, f'{library}/go-jose: error in cryptographic primitive'

    def _check_times(self, claims):
        now = self.now()
        times = {}
        for name in ('nbf', 'exp', 'iat'):
            value = claims.get(name)
            if value is not None and (isinstance(value, bool) or not
                                      isinstance(value, (int, float))):
                raise Rejected('square/go-jose/jwt: expected number value '
                               'to unmarshal NumericDate')
            times[name] = value
        if times['nbf'] is not None and now + LEEWAY < times['nbf']:
            raise Rejected('service account token is not valid yet')
        if times['exp'] is not None and now - LEEWAY > times['exp']:
            raise Rejected('service account token has expired')
        if times['iat'] is not None and now + LEEWAY < times['iat']:
            raise Rejected('service account token is issued in the future')

    def _bound(self, kind, namespace, ref, shown=None, named=None):
        """Check a reference of a token against the living object.

        An object that cannot be read is as good as gone, whatever the
        cause: the error of that call is not told.
        """
        gone = 'service account token has been invalidated'
        held, _ = self._get(kind, namespace, ref['name'])
        if held is None:
            raise Rejected(gone)
        if held['uid'] != ref['uid']:
            raise Rejected(
                f'{shown or kind} UID ({held["uid"]}) does not match service '
                f'account {named or kind} ref '
                f'claim ({ref["uid"]})')
        if held.get('deleted') is not None \
                and held['deleted'] < self.now() - LEEWAY:
            raise Rejected(gone)

    def _projected(self, claims):
        self._check_times(claims)
        k8s = claims.get('kubernetes.io')
        if not isinstance(k8s, dict):
            k8s = {}
        namespace = k8s.get('namespace', '')
        sa = k8s.get('serviceaccount') or {'name': '', 'uid': ''}
        pod, secret, node = (k8s.get(n) for n in ('pod', 'secret', 'node'))
        account = self._account(namespace, sa['name'])
        if account['uid'] != sa['uid']:
            raise Rejected(f'service account UID ({account["uid"]}) does '
                           f'not match claim ({sa["uid"]})')
        if secret is not None:
            self._bound('secret', namespace, secret)
        extra = {}
        if self.version != '1.25':
            if 'jti' in claims:
                extra['credential-id'] = [f'JTI={claims["jti"]}']
            if node is not None:
                if pod is None:
                    self._bound('node', None, node)
                extra['node-name'] = [node['name']]
                # a pod may be told to be on a node that is not there
                if node.get('uid'):
                    extra['node-uid'] = [node['uid']]
        if pod is not None:
            self._bound('pod', namespace, pod)
            extra['pod-name'] = [pod['name']]
            extra['pod-uid'] = [pod['uid']]
        if self.version == '1.37':
            extra.update(self._webhooks(k8s))
        return self._user(namespace, sa['name'], account['uid'], extra)

    def _webhooks(self, k8s):
        """Check what 1.37 binds tokens for admission webhooks to."""
        extra = {}
        refs = {kind: k8s[name.lower()] for kind, name in WEBHOOKS.items()
                if name.lower() in k8s}
        groups = k8s.get('attestations', {}).get(API_GROUPS)
        if refs and not groups:
            raise Rejected('bound object was a webhook config, but '
                           f'"{API_GROUPS}" attestation is missing')
        for kind, ref in refs.items():
            name = WEBHOOKS[kind]
            self._bound(kind, None, ref, name, 'validating')
            extra[f'{name.lower()}-name'] = [ref['name']]
            extra[f'{name.lower()}-uid'] = [ref['uid']]
        if refs:
            extra[ATTESTED + API_GROUPS] = groups
        return extra

    def _legacy(self, token, claims):
        namespace = claims.get(LEGACY + 'namespace', '')
        name = claims.get(LEGACY + 'service-account.name', '')
        uid = claims.get(LEGACY + 'service-account.uid', '')
        if claims.get('sub') != f'system:serviceaccount:{namespace}:{name}':
            raise Rejected('sub claim is invalid')
        name_of_secret = claims.get(LEGACY + 'secret.name')
        secret, _ = self._get('secret', namespace, name_of_secret)
        if secret is None:
            raise Rejected('Token has been invalidated')
        if secret['token'] != token:
            raise Rejected("Token does not match server's copy")
        account = self._account(namespace, name)
        if account['uid'] != uid:
            raise Rejected(f'ServiceAccount UID ({account["uid"]}) does '
                           f'not match claim ({uid})')
        if secret['invalid_since'] is not None:
            raise Rejected(
                f'the token in secret {namespace}/{name_of_secret} for '
                f'service account {namespace}/{name} has been marked '
                'invalid. Use tokens from the TokenRequest API or manually '
                'created secret-based tokens, or remove the '
                "'kubernetes.io/legacy-token-invalid-since' label from the "
                'secret to temporarily allow use of this token')
        return self._user(namespace, name, uid, {})

    @staticmethod
    def _user(namespace, name, uid, extra):
        return User(
            f'system:serviceaccount:{namespace}:{name}', uid,
            ['system:serviceaccounts', f'system:serviceaccounts:{namespace}',
             'system:authenticated'],
            {key if '/' in key else EXTRA + key: value
             for key, value in sorted(extra.items())})

    def may_review(self, user):
        """Say whether a user holds system:auth-delegator."""
        return user.username in self.delegators \
            or not self.delegators.isdisjoint(user.groups)

    def may_read_namespaces(self, user):
        """Say whether a user may get namespaces: no default role has that."""
        return user.username in self.readers \
            or not self.readers.isdisjoint(user.groups)

    def may_discover(self, user):
        """Say whether a user holds service-account-issuer-discovery.

        The role is bound to the service accounts' group alone: client
        certificates and Rancher's users have it by another right only.
        """
        return user.username in self.discoverers \
            or not self.discoverers.isdisjoint(user.groups)
