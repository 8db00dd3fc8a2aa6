"""What a kube-apiserver answers to which request: no sockets here.

Bodies are byte-alike to a real server's: member order, texts, escapes and
the line feed at the end.
"""

import base64
import hashlib
import json
import re
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from kube import ANONYMOUS, RANCHER_USER, Rejected, User

API = 'authentication.k8s.io/v1'
REVIEWS = f'/apis/{API}/tokenreviews'
JWKS = '/openid/v1/jwks'
DISCOVERY = '/.well-known/openid-configuration'
RANCHER = '/k8s/clusters/'
NAMESPACE = re.compile(r'/api/v1/namespaces/[^/]+$')
PLAIN = {'/healthz': b'ok', '/livez': b'ok', '/readyz': b'ok'}
JSON = 'application/json'
KEY_SET = 'application/jwk-set+json'
OBJECTS = JSON + ', application/yaml, application/vnd.kubernetes.protobuf'
PHRASES = {
    200: 'OK', 201: 'Created', 204: 'No Content', 302: 'Found',
    307: 'Temporary Redirect', 400: 'Bad Request', 401: 'Unauthorized',
    403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed',
    406: 'Not Acceptable', 408: 'Request Timeout', 409: 'Conflict',
    413: 'Request Entity Too Large', 415: 'Unsupported Media Type',
    422: 'Unprocessable Entity', 429: 'Too Many Requests',
    500: 'Internal Server Error', 502: 'Bad Gateway',
    503: 'Service Unavailable', 504: 'Gateway Timeout'}


@dataclass
class Request:
    """One HTTP request; header names are in lower case."""

    method: str
    target: str
    version: str
    headers: dict
    body: bytes = b''
    cert: dict = None

    @property
    def path(self):
        """The target without its query."""
        return self.target.partition('?')[0]


@dataclass
class Answer:
    """One HTTP answer; flow says whether priority-level headers go out."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: list = field(default_factory=list)
    cache_control: str = 'no-cache, private'
    flow: bool = True
    user: str = ''


def go_json(value):
    """Return JSON text with the escapes of Go's encoder."""
    text = json.dumps(value, ensure_ascii=False, separators=(',', ':'))
    if '&' in text or '<' in text or '>' in text:
        text = text.replace('&', '\\u0026').replace('<', '\\u003c') \
            .replace('>', '\\u003e')
    return text


def status(code, message, reason, details=None):
    """Return an Answer with a Status object."""
    body = {'kind': 'Status', 'apiVersion': 'v1', 'metadata': {},
            'status': 'Failure', 'message': message}
    if reason:
        body['reason'] = reason
    if details is not None:
        body['details'] = details
    body['code'] = code
    return Answer(code, (go_json(body) + '\n').encode())


def kind_of(path):
    """Name what a path asks for: review, namespace, jwks and so on."""
    if path.endswith(REVIEWS):
        return 'review'
    if path.endswith(JWKS):
        return 'jwks'
    if path.endswith(DISCOVERY):
        return 'discovery'
    if NAMESPACE.search(path):
        return 'namespace'
    return 'other'


def not_acceptable(request, produced, all_produced=None):
    """Return the Answer 406 where a request does not take what a route makes.

    As go-restful decides: parameters are cut off, so even q=0 is taken; of
    the ranges only */* counts, and what is absent takes everything.
    all_produced is what the refusal lists: a real server makes objects in
    YAML and protobuf, too.
    """
    accept = request.headers.get('accept') or '*/*'
    for media in accept.split(','):
        if media.partition(';')[0].strip(' ') in ('*/*', produced):
            return None
    answer = status(406, '406: Not Acceptable\n\nAvailable representations: '
                    + (all_produced or produced), 'NotAcceptable', {})
    if produced == 'application/json':
        # the refusal itself is JSON, which is not accepted either: written
        # by the serializer of last resort, which indents
        answer.body = json.dumps(json.loads(answer.body), indent=2).encode()
    return answer


def not_allowed():
    """Return the Answer 405."""
    return status(405, 'the server does not allow this method on the '
                  'requested resource', 'MethodNotAllowed', {})


def bearer(headers):
    """Return the bearer token of the headers, or None."""
    scheme, _, token = headers.get('authorization', '').partition(' ')
    if scheme.lower() != 'bearer' or not token:
        return None
    return token.strip()


def token_hash(token):
    """Return a short, harmless name for a token."""
    return hashlib.sha256(token.encode('latin-1', 'replace')) \
        .hexdigest()[:16]


def published(issuer):
    """Say whether an issuer has a discovery document and a key set."""
    parts = urlsplit(issuer)
    return parts.scheme == 'https' and not parts.query and not parts.fragment


class Api:
    """Answers requests from the state of a Kube."""

    def __init__(self, kube):
        import kubemake     # which are made of what stands here
        import kubemaps
        self.kube = kube
        self.base = ''
        self.objects = kubemake.Objects(kube)
        self.maps = kubemaps.ConfigMaps(kube)

    def answer(self, request):
        """Return the Answer to a Request."""
        path = request.path
        if path.startswith(RANCHER):
            return self._rancher(request)
        return self._kube(request, path, self._user)

    def _rancher(self, request):
        """Rancher's proxy: an API key in front of a cluster's API."""
        cluster, _, rest = request.path[len(RANCHER):].partition('/')
        key = bearer(request.headers)
        clusters = self.kube.rancher.get(key)
        if clusters is None:
            answer = Answer(401, b'{"type":"error","status":"401",'
                            b'"message":"Unauthorized 401: must '
                            b'authenticate"}', flow=False)
        elif cluster not in clusters:
            answer = Answer(404, b'404 page not found\n',
                            'text/plain; charset=utf-8', flow=False)
        else:
            user = User(RANCHER_USER, '', ['system:authenticated',
                                           'system:cattle:authenticated'])
            answer = self._kube(request, '/' + rest, lambda _: user)
            answer.user = user.username
        return answer

    def _user(self, request):
        """Return the User behind a request, None if none is believed."""
        token = bearer(request.headers)
        if request.cert:
            names = [pair for rdn in request.cert['subject'] for pair in rdn]
            return User(
                dict(names).get('commonName', ''), '',
                [value for name, value in names
                 if name == 'organizationName'] + ['system:authenticated'])
        if token is None:
            return ANONYMOUS
        try:
            return self.kube.authenticate(token)
        except Rejected:
            return None

    def _kube(self, request, path, authenticate):
        user = authenticate(request)
        if user is None:
            answer = status(401, 'Unauthorized', 'Unauthorized')
            answer.flow = False
            return answer
        kind = kind_of(path)
        if path in PLAIN:
            answer = Answer(200, PLAIN[path], 'text/plain; charset=utf-8')
        elif path == '/version':
            answer = self._version()
        elif kind == 'other' or path not in (REVIEWS, JWKS, DISCOVERY):
            answer = self._elsewhere(request, path, user)
        elif kind == 'review':
            answer = self._review(request, user)
        else:
            answer = self._published(request, kind, path, user)
        answer.user = user.username
        return answer

    def _version(self):
        major, minor = self.kube.version.split('.')
        body = {'major': major, 'minor': minor,
                'gitVersion': f'v{self.kube.version}.0'}
        return Answer(200, (json.dumps(body, indent=2)).encode())

    @staticmethod
    def _forbidden(message, details):
        answer = status(403, message, 'Forbidden', details)
        answer.headers.append(('X-Content-Type-Options', 'nosniff'))
        return answer

    def _no_path(self, request, path, user):
        verb = {'GET': 'get', 'HEAD': 'head', 'POST': 'post',
                'PUT': 'put'}.get(request.method, request.method.lower())
        return self._forbidden(
            f'forbidden: User {json.dumps(user.username)} cannot {verb} '
            f'path {json.dumps(path)}', {})

    def _elsewhere(self, request, path, user):
        """Objects; of other paths only those who may do all learn more.

        A reviewer may create tokenreviews and nothing else.
        """
        for part in self.objects, self.maps:
            answer = part.answer(request, path, user)
            if answer is not None:
                return answer
        if 'system:masters' not in user.groups:
            return self._no_path(request, path, user)
        return status(404, 'the server could not find the requested '
                      'resource', 'NotFound', {})

    def _published(self, request, kind, path, user):
        """Key set and discovery: rights, existence, method, media type."""
        if not self.kube.may_discover(user):
            return self._no_path(request, path, user)
        if not published(self.kube.issuer):
            answer = Answer(404, b'404 page not found\n',
                            'text/plain; charset=utf-8')
            answer.headers.append(('X-Content-Type-Options', 'nosniff'))
            return answer
        if request.method != 'GET':
            return not_allowed()
        answer = not_acceptable(request, KEY_SET if kind == 'jwks' else JSON)
        if answer is not None:
            return answer
        if kind == 'jwks':
            return Answer(200, go_json(self.kube.jwks()).encode(), KEY_SET,
                          cache_control='public, max-age=3600')
        body = {'issuer': self.kube.issuer,
                'jwks_uri': self.base + JWKS,
                'response_types_supported': ['id_token'],
                'subject_types_supported': ['public'],
                'id_token_signing_alg_values_supported':
                    sorted({key.alg for key in self.kube.keys})}
        return Answer(200, go_json(body).encode(),
                      cache_control='public, max-age=3600')

    def _review(self, request, user):
        if request.method != 'POST':
            return not_allowed()
        if not self.kube.may_review(user):
            return self._forbidden(
                'tokenreviews.authentication.k8s.io is forbidden: User '
                f'{json.dumps(user.username)} cannot create resource '
                '"tokenreviews" in API group "authentication.k8s.io" at '
                'the cluster scope',
                {'group': 'authentication.k8s.io', 'kind': 'tokenreviews'})
        answer = not_acceptable(request, JSON, OBJECTS)
        if answer is not None:
            return answer
        media = request.headers.get('content-type', JSON)
        if media.partition(';')[0].strip() != JSON:
            return status(
                415, 'the body of the request was in an unknown format - '
                'accepted media types include: application/json, '
                'application/yaml, application/vnd.kubernetes.protobuf',
                'UnsupportedMediaType', {})
        try:
            review = json.loads(request.body)
            spec = review['spec']
            token = spec.get('token', '')
            audiences = spec.get('audiences') or []
            right = review['kind'] == 'TokenReview' \
                and review['apiVersion'] == API \
                and isinstance(token, str) and isinstance(audiences, list)
        except (ValueError, KeyError, TypeError, AttributeError):
            right = False
        if not right:
            return status(
                400, 'the object provided is unrecognized (must be of '
                'type TokenReview)', 'BadRequest')
        if not token:
            return status(400, 'token is required for TokenReview in '
                          'authentication', 'BadRequest')
        return self._reviewed(request, token, audiences)

    def _reviewed(self, request, token, audiences):
        try:
            found = self.kube.authenticate(token, audiences)
        except Rejected as why:
            verdict = f'{{"user":{{}},"error":{go_json(why.text)}}}'
        else:
            person = {'username': found.username}
            for name in ('uid', 'groups', 'extra'):
                value = getattr(found, name)
                if value:
                    person[name] = value
            verdict = ('{"authenticated":true,"user":' + go_json(person)
                       + f',"audiences":{go_json(found.audiences)}}}')
        agent = request.headers.get('user-agent', '')
        manager = agent.partition('/')[0][:128] or 'unknown'
        when = time.strftime('%Y-%m-%dT%H:%M:%SZ',
                             time.gmtime(self.kube.now()))
        marks = spec = ''
        if audiences:
            marks = '"f:audiences":{},'
            spec = f',"audiences":{go_json(audiences)}'
        created = '"creationTimestamp":null,'
        if self.kube.version == '1.37':
            created = ''
        body = (
            f'{{"kind":"TokenReview","apiVersion":"{API}","metadata":'
            f'{{{created}"managedFields":[{{"manager":'
            f'{go_json(manager)},"operation":"Update","apiVersion":"{API}",'
            f'"time":"{when}","fieldsType":"FieldsV1","fieldsV1":'
            f'{{"f:spec":{{{marks}"f:token":{{}}}}}}}}]}},"spec":{{"token":'
            f'{go_json(token)}{spec}}},"status":{verdict}}}\n')
        if agent.startswith('curl'):
            body = json.dumps(json.loads(body), indent=2,
                              ensure_ascii=False) + '\n'
        return Answer(201, body.encode('utf-8', 'surrogatepass'))


def unpack_body(value):
    """Return the bytes of a body given as text or {'base64': text}."""
    if isinstance(value, dict):
        return base64.b64decode(value['base64'])
    return value.encode('utf-8', 'surrogatepass')
