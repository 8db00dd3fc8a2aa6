"""nginx's whole world: each directive of ours, by each way to a location.

A cell is a directive, a way, what the request carries and whether the client
stays.  The rules below say what is to come of it; none is a recording.
"""

import collections
import itertools
import json
import urllib.parse

from dialects import FORM, token_exchange

SECRET = 'what is behind the location '
SLICE = 1000
TEXT = SECRET + 'x' * (3 * SLICE - len(SECRET) - 100)

CREDENTIALS = ('good', 'refused', 'none')


class Directive:
    """What a location says of ours.

    says: its directives; kind: `endpoint`, `exchange`, `guard` or `document`,
    which is what decides; marker: what only an open one answers.
    """

    def __init__(self, says, kind, marker=SECRET, method='GET', dialect=None,
                 always=False, inherited=True):
        self.says = says
        self.kind = kind
        self.marker = marker
        self.method = method
        self.dialect = dialect
        self.always = always            # lets everybody in
        self.inherited = inherited      # by nested locations

    @property
    def reviewed(self):
        """Say whether the API server has a say."""
        return self.kind in ('endpoint', 'exchange')

    @property
    def proxied(self):
        """Say whether the location goes on to an upstream."""
        return self.kind in ('exchange', 'guard') and self.marker == SECRET


def _endpoint(says, marker, dialect, method='POST'):
    return Directive(says, 'endpoint', marker, method, dialect,
                     inherited=False)


GUARD = 'akl_k8s_guard k8s-conf; '
EXCHANGE = 'akl_k8s_exchange k8s-conf; '
DIRECTIVES = {
    'akeyless': _endpoint('akl_k8s_auth;', '"token"', 'akeyless'),
    'bearer': _endpoint('akl_k8s_auth config=k8s-conf;', '"token"', 'bearer',
                        'GET'),
    'vault': _endpoint('akl_k8s_auth vault;', '"client_token"', 'vault'),
    'oauth': _endpoint('akl_k8s_auth oauth;', '"access_token"', 'oauth'),
    'exchange': Directive(EXCHANGE, 'exchange'),
    'both': Directive(EXCHANGE + GUARD, 'exchange'),
    'guard': Directive(GUARD, 'guard'),
    'require': Directive(GUARD + 'akl_k8s_require pod_name=mypod*;', 'guard'),
    'source': Directive(GUARD + 'akl_k8s_token_source $http_x_token; '
                        'akl_k8s_log_level notice;', 'guard'),
    'dry': Directive(GUARD + 'akl_k8s_dry_run on;', 'guard', always=True),
    'verify': Directive(GUARD + 'akl_k8s_verify;', 'guard', None,
                        inherited=False),
    'revoke': Directive(GUARD + 'akl_k8s_revoke;', 'guard', None, 'POST',
                        inherited=False),
    'introspect': Directive('akl_k8s_introspect k8s-conf;', 'document',
                            '"active":true', 'POST', inherited=False),
    'jwks': Directive('akl_k8s_jwks;', 'document', '"keys"', always=True,
                      inherited=False),
    'discovery': Directive('akl_k8s_discovery k8s-conf;', 'document',
                           '"issuer"', always=True, inherited=False),
    'status': Directive('akl_k8s_status;', 'document', '"version"',
                        always=True, inherited=False),
}


class Way:
    """How a request gets to the location.

    text: the location, in which @at@ is its name, @says@ the directive with
    what it serves, @target@ a location of that for all who lead elsewhere.
    method: what the location sees, where that is not the client's; body:
    whether it finds the request's body; answer: whose answer the client gets,
    the `target`'s, the `outer` one's, one that `holds` the target's, or one
    that was `asked`; main: whether a client who leaves is missed there.
    """

    def __init__(self, text, method=None, body=True, answer='target',
                 main=True, parts=1):
        self.text = text
        self.method = method
        self.body = body
        self.answer = answer
        self.main = main
        self.parts = parts


TELL = 'proxy_set_header X-Place target; ' \
    'proxy_set_header X-Pod "[$akl_k8s_pod_name]";'
HERE = 'location = @at@ { @says@ '
OUTER = 'proxy_set_header X-Place outer; proxy_pass @upstream@; }'
WAYS = {
    'plain': Way(HERE + '}'),
    'true-if': Way(HERE + 'if ($http_x_cell) { set $y 1; } }'),
    'false-if': Way(HERE + 'if ($http_x_no) { set $y 1; } }'),
    'two-ifs': Way(HERE + 'if ($http_x_cell) { set $y 1; } '
                   'if ($http_x_cell) { set $z 1; } }'),
    'limit_except': Way(HERE + 'limit_except PUT { allow all; } }'),
    'nested': Way('location @at@ { @inherited@ '
                  'location = @at@ { @own@ } }'),
    'regex': Way('location ~ ^@at@$ { @says@ }'),
    'named': Way('location = @at@ { try_files /none @name@; } '
                 'location @name@ { @says@ }'),
    'error_page': Way('location = @at@ { error_page 404 = @target@; '
                      'return 404; }', method='GET'),
    'error_page-named': Way('location = @at@ { error_page 404 = @name@; '
                            'return 404; } location @name@ { @says@ }'),
    'try_files': Way('location = @at@ { try_files /none @target@; }'),
    'rewrite': Way('location = @at@ { rewrite ^ @target@ last; }'),
    'accel': Way('location = @at@ { proxy_pass @self@/lead@target@; }',
                 method='GET'),
    'post_action': Way('location = @at@ { post_action @target@; '
                       'return 200 outer; }', body=False, answer='outer',
                       main=False),
    'mirror': Way('location = @at@ { mirror @target@; ' + OUTER,
                  answer='outer', main=False),
    'auth_request': Way('location = @at@ { auth_request @target@; ' + OUTER,
                        method='GET', body=False, answer='asked',
                        main=False),
    'ssi': Way('location = @at@ { ssi on; default_type text/html; return 200 '
               '\'<!--# include virtual="@target@" -->\'; }',
               method='GET', body=False, answer='holds', main=False),
    'add_after_body': Way('location = @at@ { add_after_body @target@; '
                          'default_type text/html; return 200 outer; }',
                          method='GET', body=False, answer='holds',
                          main=False),
    'slice': Way(HERE + f'slice {SLICE}; proxy_set_header Range '
                 f'$slice_range; {TELL} }}', parts=3),
    'update': Way(HERE + 'proxy_cache one; proxy_cache_valid 1h; '
                  'proxy_cache_key $http_x_cell; '
                  'proxy_cache_use_stale updating; '
                  'proxy_cache_background_update on; }'),
}

Cell = collections.namedtuple('Cell', 'name directive way credential stays')


def cells(prefix=''):
    """Return all cells of the table."""
    return [Cell('-'.join([prefix, directive, way, credential,
                           'stays' if stays else 'leaves']),
                 directive, way, credential, stays)
            for directive, way, credential, stays in itertools.product(
                DIRECTIVES, WAYS, CREDENTIALS, (True, False))]


# The rules

def open_(cell):
    """Say whether the location serves the request."""
    what, way = DIRECTIVES[cell.directive], WAYS[cell.way]
    method = way.method or what.method
    if what.kind == 'endpoint' and what.dialect in ('vault', 'oauth') \
            or cell.directive in ('revoke', 'introspect'):
        if method != 'POST':
            return False                # these are never by GET
    if what.method == 'POST' and not way.body:
        return False                    # and say all in the body
    return what.always or cell.credential == 'good'


def parked(cell):
    """Say whether a client is missed who leaves during the review."""
    what, way = DIRECTIVES[cell.directive], WAYS[cell.way]
    if not (what.reviewed and way.main) or cell.credential == 'none':
        return False
    method = way.method or what.method
    return what.kind == 'exchange' or method == 'POST' \
        or what.dialect in ('akeyless', 'bearer')


def status(cell):
    """Return the statuses of which the client gets one."""
    what, way = DIRECTIVES[cell.directive], WAYS[cell.way]
    good = (204,) if cell.directive == 'verify' else (200, 206)
    if way.answer in ('outer', 'holds'):
        return (200,)
    if way.answer == 'asked':

        # nginx passes a refusal on, and calls all else a failure

        return (200,) if open_(cell) else (401, 403, 500)
    if open_(cell):
        return good
    if cell.directive == 'introspect' and cell.credential == 'refused' \
            and open_(cell._replace(credential='good')):
        return (200,)                   # it is not active
    return (400, 401, 403) if what.method == (way.method or what.method) \
        else (400, 401, 403, 405)


def shown(cell):
    """Say whether the answer holds what is behind the location."""
    return open_(cell) and WAYS[cell.way].answer in ('target', 'holds')


def seen(cell):
    """Return how often the upstream sees the request: least, most."""
    what, way = DIRECTIVES[cell.directive], WAYS[cell.way]
    count = way.parts if what.proxied and open_(cell) else 0
    if cell.stays:
        return count, count
    return 0, 0 if parked(cell) else count


def who(cell):
    """Return the pod that the upstream is told of."""
    return 'mypod1' if cell.credential == 'good' else ''


# The configuration

def location(name, way, upstream, own):
    """Return a directive's location for one way."""
    what = DIRECTIVES[name]
    serves = f'proxy_pass {upstream};' if what.proxied else ''
    inherited = what.says if what.inherited else ''
    values = {
        'at': f'/w/{way}/{name}', 'target': f'/t/{name}',
        'name': f'@{way}-{name}', 'upstream': upstream, 'self': own,
        'says': f'{what.says} {serves}', 'inherited': inherited,
        'own': serves if inherited else f'{what.says} {serves}'}
    text = WAYS[way].text
    for key, value in values.items():
        text = text.replace(f'@{key}@', value)
    return text


def locations(upstream, own):
    """Return all locations; own is the server's own address."""
    out = [location(name, way, upstream, own)
           for name in DIRECTIVES for way in WAYS]
    out += [location(name, 'plain', upstream, own).replace('/w/plain/', '/t/')
            for name in DIRECTIVES]
    out.append('location ~ ^/lead(/.*)$ { access_log off; '
               'add_header X-Accel-Redirect $1; return 200; }')
    return '\n'.join(out)


# The request

def request(cell, tokens, login):
    """Return method, path, headers and body of a cell's request.

    tokens: by (kind, credential), kind being `pod` or `minted`; login makes
    the body of Akeyless.
    """
    what = DIRECTIVES[cell.directive]
    token = tokens.get(('pod' if what.reviewed else 'minted',
                        cell.credential), '')
    headers = {'X-Cell': cell.name}
    body = None
    if what.dialect == 'akeyless':
        headers['Content-Type'] = 'application/json'
        body = json.dumps(login(token))
    elif what.dialect == 'vault':
        headers['Content-Type'] = 'application/json'
        body = json.dumps({'role': 'k8s-conf', 'jwt': token})
    elif what.dialect == 'oauth':
        headers.update(FORM)
        body = token_exchange(token)
    elif cell.directive == 'introspect':
        headers.update(FORM)
        body = urllib.parse.urlencode({'token': token})
    elif token:
        name = 'X-Token' if cell.directive == 'source' else 'Authorization'
        headers[name] = f'Bearer {token}'
    if cell.directive == 'revoke':
        headers['Content-Type'] = 'application/json'
        body = '{"jti":"none"}'
    return what.method, f'/w/{cell.way}/{cell.directive}', headers, body
