#!/usr/bin/python3
"""Does the pretended API server answer as the recorded real ones did?

Each recorded request is replayed at the recorded time against a server
that holds the recorded cluster's objects and public key.  The body must
then be the same byte for byte, and so must the head but for random ids.
"""

import calendar
import json
import os
import re
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, 'lib'))

import certs  # noqa: E402
import tokens  # noqa: E402
from akltest import NAMESPACE, PATIENCE, Test, client, wait_for  # noqa: E402

REVIEWS = '/apis/authentication.k8s.io/v1/tokenreviews'
PATHS = {
    'wrong_path': '/apis/authentication.k8s.io/v1/tokenreview',
    'namespaced_path': '/apis/authentication.k8s.io/v1/namespaces/'
                       f'{NAMESPACE}/tokenreviews',
    'wrong_base': '/not/here' + REVIEWS}
MASTERS = ('wrong_path', 'namespaced_path')
VERSIONS = sorted(
    name.rpartition('-')[2] for name in os.listdir(os.path.join(
        HERE, 'fixtures')) if name.startswith('kube-apiserver-'))
RANDOM = re.compile(
    r'^(Audit-Id|X-Kubernetes-Pf-\w+-Uid): [0-9a-f]{8}(-[0-9a-f]{4}){3}'
    r'-[0-9a-f]{12}$', re.M)

t = Test()


def fixture(version, name):
    """Return the text of a recorded file."""
    path = os.path.join(HERE, 'fixtures', f'kube-apiserver-{version}', name)
    with open(path, encoding='utf-8') as file:
        return file.read()


def cases(version):
    """Return the names of the recorded cases."""
    folder = os.path.join(HERE, 'fixtures', f'kube-apiserver-{version}')
    end = '.request.json'
    return sorted(name[:-len(end)] for name in os.listdir(folder)
                  if name.endswith(end))


def recorded_token(version, name):
    """Return the token of a recorded request."""
    return json.loads(fixture(version, f'{name}.request.json'))[
        'spec']['token']


def rebuild(cluster, version):
    """Give the server the recorded cluster's objects and key."""
    api = cluster.api
    own = tokens.key('RSA-2048', 'cluster')
    api.keys([own.pem(), fixture(version, 'service-account-key.pub')])
    k8s = tokens.decode(recorded_token(version, 'pod_bound'))[1][
        'kubernetes.io']
    api.account(NAMESPACE, 'default', k8s['serviceaccount']['uid'])
    if 'node' in k8s:
        api.node(k8s['node']['name'], k8s['node']['uid'])
    api.pod(NAMESPACE, 'mypod1', 'default', uid=k8s['pod']['uid'])
    secret = tokens.decode(recorded_token(version, 'secret_bound'))[1][
        'kubernetes.io']['secret']
    api.secret(NAMESPACE, secret['name'], 'default', secret['uid'],
               recorded_token(version, 'legacy_secret'))
    if version != '1.25':
        pod = tokens.decode(recorded_token(version, 'pod_not_scheduled'))[
            1]['kubernetes.io']['pod']
        api.pod(NAMESPACE, pod['name'], 'default', uid=pod['uid'])


def recorded_time(version, name):
    """Return the second at which an answer was recorded."""
    head = fixture(version, f'{name}.head')
    text = re.search(r'^Date: (.*)$', head, re.M).group(1)
    return calendar.timegm(time.strptime(text, '%a, %d %b %Y %H:%M:%S GMT'))


def bearer(cluster, name):
    """Return the credential that a case was recorded with."""
    if name == 'reviewer_unauthorized':
        return 'stale'
    if name == 'reviewer_is_the_pod':
        return cluster.issue('mypod1')
    if name == 'reviewer_forbidden':
        return cluster.issue(None, account='norights')
    return cluster.api.issue('akl-system', 'reviewer')


def master(cluster):
    """Return the certificate of somebody who may do all."""
    return tuple(map(cluster.api.path, ('master.crt', 'master.key')))


def ask(cluster, body, token, path=REVIEWS, agent='akl-k8s', **kw):
    """Post a review; return head and body as text, as recorded."""
    headers = {'User-Agent': agent, 'Accept': 'application/json',
               'Content-Type': 'application/json'}
    if token is not None:
        headers['Authorization'] = f'Bearer {token}'
    answer = client.post(cluster.port, path, body, headers, close=False,
                         context=client.tls(cluster.ca, **kw))
    lines = [f'HTTP/1.1 {answer.status} {answer.reason}']
    lines += [f'{name}: {value}' for name, value in answer.headers]
    return '\n'.join(lines) + '\n\n', answer.text


def blur(head):
    """Hide the random ids of a head."""
    return RANDOM.sub(r'\1: UID', head)


def replay(version):
    """Compare all cases of a version."""
    cluster = t.cluster(version=version)
    rebuild(cluster, version)
    names = cases(version)
    t.ok(len(names) >= 23, f'{version}: the recordings are there')
    for name in names:
        cluster.api.clock(at=recorded_time(version, name))
        # that a path is not there, only those learn who may do all
        cert = master(cluster) if name in MASTERS else None
        head, body = ask(cluster, fixture(version, f'{name}.request.json'),
                         None if cert else bearer(cluster, name),
                         PATHS.get(name, REVIEWS), cert=cert)
        recorded = fixture(version, f'{name}.response.json')
        if 'managedFields' in recorded:
            stamp = re.search(r'"time":"([^"]+)"', recorded).group(1)
            body = re.sub(r'"time":"[^"]+"', f'"time":"{stamp}"', body)
        t.is_(body, recorded, f'{version}: {name}: body')
        t.is_(blur(head), blur(fixture(version, f'{name}.head')),
              f'{version}: {name}: head')
    return cluster


def published(cluster, version):
    """Compare JWKS and discovery."""
    api = cluster.api
    context = client.tls(cluster.ca)
    api.keys([fixture(version, 'service-account-key.pub')])
    jwks = json.loads(fixture(version, 'jwks.json'))
    t.is_(api.jwks(), jwks, f'{version}: key set')
    own = tokens.key('RSA-2048', 'cluster')
    api.keys([own.pem(), fixture(version, 'service-account-key.pub')])
    head = {'Authorization': f'Bearer {cluster.issue("mypod1")}'}
    for path in ('/openid/v1/jwks', '/.well-known/openid-configuration'):
        t.is_(client.get(cluster.port, path, context=context).status, 403,
              f'{version}: {path}: not for the anonymous')
        t.is_(client.get(cluster.port, path, head, context=context).status,
              200, f'{version}: {path}: for any account')
    found = client.get(cluster.port, '/.well-known/openid-configuration',
                       head, context=context)
    recorded = json.loads(fixture(version, 'openid-configuration.json'))
    t.is_(list(found.json()), list(recorded), f'{version}: discovery')
    keys = client.get(cluster.port, '/openid/v1/jwks', head,
                      context=context)
    t.is_(list(keys.json()['keys'][1].items()),
          list(jwks['keys'][0].items()), f'{version}: members in order')
    t.is_(keys.header('content-type'), 'application/jwk-set+json',
          f'{version}: type of the key set')


def gets(cluster, version):
    """Replay what was got by GET: key set and discovery, by Accept."""
    folder = os.path.join(HERE, 'fixtures', f'kube-apiserver-{version}')
    end = '.get.json'
    for name in sorted(os.listdir(folder)):
        if not name.endswith(end):
            continue
        name = name[:-len(end)]
        asked = json.loads(fixture(version, name + end))
        cluster.api.clock(at=recorded_time(version, name))
        token = cert = None
        if asked['who'] == 'account':
            token = bearer(cluster, name)
        elif asked['who'] == 'master':
            cert = master(cluster)
        answer = fetch(cluster, asked['path'], token, close=False,
                       accept=asked['accept'], cert=cert)
        recorded = fixture(version, name + '.body')
        head = [f'HTTP/1.1 {answer.status} {answer.reason}']
        head += [f'{key}: {value}' for key, value in answer.headers]
        t.is_(unsized(head, answer.status),
              unsized(fixture(version, f'{name}.head').splitlines()[:-1],
                      answer.status), f'{version}: {name}: head')
        if answer.status != 200:
            t.is_(answer.text, recorded, f'{version}: {name}: body')


def unsized(head, status):
    """Return a head without ids, and without the size of our own keys."""
    return [line for line in blur('\n'.join(head)).split('\n')
            if status != 200 or not line.startswith('Content-Length')]


def fetch(cluster, path, token=None, method='GET', accept=None, close=True,
          **kw):
    """Ask for a path; return the answer."""
    head = {} if accept is None else {'Accept': accept}
    if token is not None:
        head['Authorization'] = f'Bearer {token}'
    return client.request(cluster.port, method, path, headers=head,
                          close=close, context=client.tls(cluster.ca, **kw))


KEYS = '/openid/v1/jwks'
DISCOVERY = '/.well-known/openid-configuration'
KEY_SET = 'application/jwk-set+json'


def media():
    """Each route answers 406 where its type is not accepted."""
    cluster = t.cluster()
    token = cluster.issue()
    body = json.dumps({'apiVersion': 'authentication.k8s.io/v1',
                       'kind': 'TokenReview', 'spec': {'token': token}})
    reviewer = cluster.api.read('reviewer.jwt')
    for accept, keys, rest in (
            (None, 200, 200), ('', 200, 200), ('*/*', 200, 200),
            (KEY_SET, 200, 406), ('application/json', 406, 200),
            (f'{KEY_SET}, application/json;q=0.9', 200, 200),
            (f'{KEY_SET};q=0.1', 200, 406), (f' {KEY_SET} ;q=1', 200, 406),
            ('application/json; charset=utf-8 , text/html', 406, 200),
            ('text/html, */*;q=0.1', 200, 200), ('application/*', 406, 406),
            ('text/html', 406, 406), ('application/JSON', 406, 406)):
        t.is_(fetch(cluster, KEYS, token, accept=accept).status, keys,
              f'key set, accepted: {accept}')
        t.is_(fetch(cluster, DISCOVERY, token, accept=accept).status, rest,
              f'discovery, accepted: {accept}')
        head = {'Authorization': f'Bearer {reviewer}',
                'Content-Type': 'application/json; charset=utf-8'}
        if accept is not None:
            head['Accept'] = accept
        answer = client.post(cluster.port, REVIEWS, body, head,
                             context=client.tls(cluster.ca))
        t.is_(answer.status, 201 if rest == 200 else rest,
              f'review, accepted: {accept}')
    t.is_(fetch(cluster, KEYS, token, accept='application/json').text,
          '{"kind":"Status","apiVersion":"v1","metadata":{},"status":'
          '"Failure","message":"406: Not Acceptable\\n\\nAvailable '
          'representations: application/jwk-set+json","reason":'
          '"NotAcceptable","details":{},"code":406}\n', 'as a Status')
    t.is_(fetch(cluster, KEYS, token, 'POST').status, 405, 'GET only')


def rights_to_keys():
    """The keys are for service accounts, where the issuer is https."""
    cluster = t.cluster()
    api = cluster.api
    api.rancher('token-abcde:secret', ['c-m-1'])
    pair = (api.path('client.crt'), api.path('client.key'))
    for path in (KEYS, DISCOVERY):
        t.is_(fetch(cluster, path).status, 403, f'{path}: nobody')
        answer = fetch(cluster, path, cert=pair)
        t.is_(answer.status, 403, f'{path}: a client certificate')
        t.like(answer.text, f'User ..akl.. cannot get path ..{path}..',
               f'{path}: in these words')
        t.is_(fetch(cluster, '/k8s/clusters/c-m-1' + path,
                    'token-abcde:secret').status, 403,
              f'{path}: a key of Rancher\'s')
        t.is_(fetch(cluster, path, cluster.issue(None, account='norights'))
              .status, 200, f'{path}: an account without any right')
        api.static('opaque', 'jane', 'u1', ['system:authenticated'])
        t.is_(fetch(cluster, path, 'opaque').status, 403, f'{path}: a user')
    api.discover('akl')
    t.is_(fetch(cluster, KEYS, cert=pair).status, 200, 'with the role')
    api.discover('system:serviceaccounts', False)
    t.is_(fetch(cluster, KEYS, cluster.issue()).status, 403,
          'the role taken away')
    api.discover('system:serviceaccounts')
    for issuer, status in (('api', 404), ('http://k8s.example.com', 404),
                           ('https://k8s.example.com', 200),
                           ('https://k8s.example.com/?a=b', 404),
                           ('https://k8s.example.com/#a', 404)):
        api.issuer(issuer)
        for path in (KEYS, DISCOVERY):
            answer = fetch(cluster, path, cluster.issue())
            t.is_(answer.status, status, f'{path}: issuer {issuer}')
    t.is_(answer.text, '404 page not found\n', 'nothing is there')
    t.is_(fetch(cluster, KEYS).status, 403, 'which nobody else learns')


def lagging():
    """What the cache has not is asked for live."""
    cluster = t.cluster()
    api = cluster.api
    error = 'etcdserver: request timed out'
    token = cluster.issue()
    for kind, name in (('account', 'builder'), ('pod', 'mypod1')):
        api.lag(kind, NAMESPACE, name)
        t.is_(review(cluster, token).get('authenticated'), True,
              f'{kind}: the cache lags, the live call works')
        api.clear()
    api.lag('account', NAMESPACE, 'builder', error, 1)
    t.is_(review(cluster, token),
          {'user': {}, 'error': f'[invalid bearer token, {error}]'},
          'the raw error of the live call')
    t.is_(review(cluster, token).get('authenticated'), True, 'once')
    api.lag('pod', NAMESPACE, 'mypod1', error)
    t.is_(review(cluster, token)['error'], '[invalid bearer token, service '
          'account token has been invalidated]',
          'a pod that cannot be read is as good as gone')
    api.clear()
    api.authenticators('oidc: authenticator not initialized', error, error)
    t.is_(review(cluster, token).get('authenticated'), True,
          'other authenticators are not asked about a good one')
    t.is_(review(cluster, 'opaque')['error'], '[invalid bearer token, oidc: '
          f'authenticator not initialized, {error}]',
          'about another one they are, each error once')
    t.is_(review(cluster, cluster.issue(audiences=['x']))['error'],
          '[invalid bearer token, token audiences ["x"] is invalid for the '
          'target audiences ["api" "https://kubernetes.default.svc.cluster.'
          f'local"], oidc: authenticator not initialized, {error}]',
          'all errors in a row')
    api.clear()
    legacy = api.secret(NAMESPACE, 'old', 'builder')
    api.mark_invalid(NAMESPACE, 'old')
    t.like(review(cluster, legacy)['error'],
           f'^.invalid bearer token, the token in secret {NAMESPACE}/old for '
           f'service account {NAMESPACE}/builder has been marked invalid. Use',
           'a legacy token that the clean-up has marked')


def webhooks():
    """1.37 binds tokens to webhook configurations."""
    cluster = t.cluster(version='1.37')
    api = cluster.api
    for kind, name in (('validating', 'ValidatingWebhookConfiguration'),
                       ('mutating', 'MutatingWebhookConfiguration')):
        uid = api.webhook(kind, 'hook')
        token = cluster.issue(None, account='builder',
                              webhook=[kind, 'hook'])
        t.is_(tokens.decode(token)[1]['kubernetes.io'][name.lower()],
              {'name': 'hook', 'uid': uid}, f'{kind}: claimed')
        user = review(cluster, token)['user']
        base = f'authentication.kubernetes.io/{name.lower()}'
        t.is_({key: value for key, value in user['extra'].items()
               if 'credential-id' not in key},
              {'attestation.authentication.kubernetes.io/'
               'admissionReviewAPIGroups': ['apps'],
               f'{base}-name': ['hook'], f'{base}-uid': [uid]},
              f'{kind}: extras of its own, and no pod')
        api.webhook(kind, 'hook')
        t.like(review(cluster, token)['error'], rf'{name} UID \(.*\) does '
               rf'not match service account validating ref claim \({uid}\)',
               f'{kind}: made anew')
        api.delete(kind, None, 'hook')
        t.like(review(cluster, token)['error'], 'has been invalidated',
               f'{kind}: gone')
    t.is_(review(cluster, cluster.issue())['authenticated'], True,
          '1.37 knows pods, too')
    answer = ask(cluster, json.dumps({
        'apiVersion': 'authentication.k8s.io/v1', 'kind': 'TokenReview',
        'spec': {'token': cluster.issue()}}), api.read('reviewer.jwt'))[1]
    t.ok('creationTimestamp' not in answer, '1.37 leaves out what is null')


def review(cluster, token, bearer_=None, **spec):
    """Return the status of a review as a dict."""
    body = json.dumps({'apiVersion': 'authentication.k8s.io/v1',
                       'kind': 'TokenReview',
                       'spec': {'token': token, **spec}})
    if bearer_ is None:
        bearer_ = cluster.api.issue('akl-system', 'reviewer')
    return json.loads(ask(cluster, body, bearer_)[1])['status']


def life():
    """Objects come and go."""
    cluster = t.cluster()
    api = cluster.api
    token = cluster.issue()
    t.is_(review(cluster, token)['authenticated'], True, 'a pod lives')
    t.is_(review(cluster, token, token),
          'Failure', 'a pod may not review by itself')
    api.delegate(f'system:serviceaccount:{NAMESPACE}:builder')
    t.is_(review(cluster, token, token)['authenticated'], True,
          'a pod with rights may')
    api.delete('pod', NAMESPACE, 'mypod1', time.time() - 30)
    t.ok('authenticated' in review(cluster, token), 'a pod on its way out')
    api.delete('pod', NAMESPACE, 'mypod1', time.time() - 61)
    t.like(review(cluster, token)['error'], 'has been invalidated',
           'a pod long terminating')
    api.pod(NAMESPACE, 'mypod1', 'builder')
    t.like(review(cluster, token)['error'], r'pod UID \(.*ref claim',
           'a pod made anew')
    token = cluster.issue()
    api.account(NAMESPACE, 'builder')
    t.like(review(cluster, token)['error'], 'service account UID .* does '
           'not match claim', 'an account made anew')
    legacy = api.secret(NAMESPACE, 'old', 'builder')
    t.ok('authenticated' in review(cluster, legacy), 'a legacy token')
    api.secret(NAMESPACE, 'old', 'builder')
    api.delete('secret', NAMESPACE, 'old')
    t.like(review(cluster, legacy)['error'], 'Token has been invalidated',
           'a legacy token whose secret is gone')
    bound = cluster.issue(None, account='builder', node='node-1')
    api.delete('node', None, 'node-1')
    t.like(review(cluster, bound)['error'], 'has been invalidated',
           'a node is gone')
    api.static('opaque', 'jane', 'u1', ['system:authenticated'])
    t.is_(review(cluster, 'opaque')['user']['username'], 'jane',
          'a user who is no account')
    api.clock(offset=-86400)
    t.like(review(cluster, cluster.issue(None, account='builder'), 'x'),
           'Failure', 'a reviewer of no standing')
    api.clock()
    token = cluster.issue(None, account='builder')
    api.positive_cache(3600)
    t.ok('authenticated' in review(cluster, token), 'seen and kept')
    api.keys([tokens.key('P-256', 'other').pem()])
    t.like(review(cluster, token)['error'], 'no keys found',
           'an unknown key')
    for kind in ('P-256', 'P-384', 'P-521'):
        api.keys([tokens.key(kind, 'other').pem()])
        t.ok('authenticated' in review(
            cluster, cluster.issue(None, account='builder')),
            f'signed with {kind}')


def other_doors():
    """Client certificates, Rancher, anonymous callers, curl."""
    cluster = t.cluster()
    api = cluster.api
    body = json.dumps({'apiVersion': 'authentication.k8s.io/v1',
                       'kind': 'TokenReview',
                       'spec': {'token': cluster.issue()}})
    for name, status in (('client', 201), ('client-norights', 403)):
        pair = (api.path(name + '.crt'), api.path(name + '.key'))
        head, text = ask(cluster, body, None, cert=pair)
        t.like(head, f'^HTTP/1.1 {status}', f'certificate {name}')
    t.like(text, 'User ..nobody.. cannot create', 'named in the refusal')
    head, text = ask(cluster, body, None)
    t.like(text, 'system:anonymous', 'without credentials')
    api.rancher('token-abcde:secret', ['c-m-1'])
    path = '/k8s/clusters/c-m-1' + REVIEWS
    t.like(ask(cluster, body, 'token-abcde:secret', path)[0],
           '^HTTP/1.1 201', 'by way of Rancher')
    t.like(ask(cluster, body, 'token-abcde:no', path)[0], '^HTTP/1.1 401',
           'a wrong key for Rancher')
    t.like(ask(cluster, body, api.read('reviewer.jwt'), path)[0],
           '^HTTP/1.1 401', 'an account\'s token is nothing to Rancher')
    t.like(ask(cluster, body, 'token-abcde:secret',
               '/k8s/clusters/c-m-2' + REVIEWS)[0], '^HTTP/1.1 404',
           'a cluster that Rancher has not')
    t.like(ask(cluster, body, api.read('reviewer.jwt'),
               agent='curl/8.0')[1], r'^\{\n  "kind"', 'indented for curl')
    api.certificate(*certificate(cluster, names=['elsewhere.example.com']))
    t.like(failure(cluster, body), 'CERTIFICATE_VERIFY_FAILED.*mismatch',
           'certificate of another name')
    api.certificate(*certificate(cluster, days=-2))
    t.like(failure(cluster, body), 'certificate has expired',
           'expired certificate')
    other = certs.Authority('other', tokens.key('P-256', 'other-ca'))
    api.certificate(*certificate(cluster, other))
    t.like(failure(cluster, body), 'CERTIFICATE_VERIFY_FAILED',
           'certificate of another authority')


def certificate(cluster, authority=None, **kw):
    """Write a server certificate; return its paths."""
    authority = authority or certs.Authority()
    return certs.write_pair(cluster.dir, 'changed', authority.server(**kw))


def failure(cluster, body):
    """Return the text of the exception that a request ends in."""
    try:
        return ask(cluster, body, 'x')[0]
    except OSError as error:
        return str(error)


def outcome(cluster, body, token, session=None, timeout=PATIENCE):
    """Return the status of a review, or the name of what went wrong."""
    head = {'Authorization': f'Bearer {token}'}
    try:
        if session is not None:
            return session.post(REVIEWS, body, head).status
        answer = client.post(cluster.port, REVIEWS, body, head, timeout=timeout,
                             context=client.tls(cluster.ca))
        if 'xml' not in str(answer.header('content-type')):
            answer.json()
        return answer.status
    except Exception as error:
        return type(error).__name__


def last_words(cluster, body, token):
    """Say how TCP ended: by a reset or in an orderly way."""
    sock = client.connect(cluster.port, client.tls(cluster.ca))
    sock.sendall(client.build('POST', REVIEWS, {
        'Authorization': f'Bearer {token}'}, body, close=False))
    with socket.socket(fileno=sock.detach()) as bare:
        bare.settimeout(PATIENCE)
        try:
            while bare.recv(65536):
                pass
        except ConnectionResetError:
            return 'reset'
    return 'end'


def misbehaviour():
    """Each fault does what its name says."""
    cluster = t.cluster()
    api = cluster.api
    token = api.read('reviewer.jwt')
    body = json.dumps({'apiVersion': 'authentication.k8s.io/v1',
                       'kind': 'TokenReview',
                       'spec': {'token': cluster.issue()}})
    expected = {
        'delay': 201, 'stall_before': 'TimeoutError',
        'stall_head': 'TimeoutError', 'stall_body': 'TimeoutError',
        'close_before': 'RemoteDisconnected', 'close_body': 'IncompleteRead',
        'close_after': 201, 'throttled': 429, 'throttled_bare': 429,
        'throttled_absurd': 429, 'error_500': 500, 'error_503': 503,
        'error_504': 504, 'audiences_500': 500, 'unauthorized': 401,
        'error_502_html': 'JSONDecodeError', 'html_200': 'JSONDecodeError',
        'html_201': 'JSONDecodeError', 'html_404': 'JSONDecodeError',
        'redirect': 'JSONDecodeError', 'no_content': 'JSONDecodeError',
        'truncated': 'IncompleteRead', 'chunked': 201,
        'chunked_truncated': 'IncompleteRead', 'until_close': 201,
        'http10': 201, 'gzip': 'UnicodeDecodeError', 'drip': 201,
        'continue_100': 201, 'oversized': 201, 'oversized_chunked': 201,
        'declares_1gb': 'TimeoutError', 'not_http': 'BadStatusLine',
        'json_array': 201, 'json_trailing': 'JSONDecodeError',
        'doubled_authenticated': 201}
    for name, wanted in expected.items():
        api.fault(name, count=1)
        got = outcome(cluster, body, token, timeout=1 if wanted
                      == 'TimeoutError' else PATIENCE)
        t.is_(got, wanted, f'fault {name}')
        api.clear()
    for how, wanted in (('reset', 'reset'), ('close', 'end')):
        for where in ('before', 'head', 'body'):
            api.fault(f'{how}_{where}', count=1)
            t.is_(last_words(cluster, body, token), wanted,
                  f'fault {how}_{where} on the wire')
    t.is_(outcome(cluster, body, token), 201, 'and all is well again')
    api.fault('reset_reused')
    with client.Session(cluster.port, client.tls(cluster.ca)) as session:
        t.is_([outcome(cluster, body, token, session) for _ in range(2)],
              [201, 'RemoteDisconnected'], 'only a reused one dies')
    api.clear()
    api.close_after(2)
    with client.Session(cluster.port, client.tls(cluster.ca)) as session:
        t.is_([outcome(cluster, body, token, session) for _ in range(3)],
              [201, 201, 'RemoteDisconnected'], 'closed after two')
    api.clear()
    held_and_counted(cluster, body, token)


def held_and_counted(cluster, body, token):
    """Requests can be held; all is counted; the port can be shut."""
    api = cluster.api
    t.ok(wait_for(lambda: not api.stats()['in_flight']), 'nobody waits')
    api.reset_stats()
    api.fault('hold')
    calls = [client.Background(outcome, cluster, body, token)
             for _ in range(5)]
    t.ok(wait_for(lambda: api.stats()['in_flight'] == 5), 'five held')
    api.clear()
    t.is_([call.result() for call in calls], [201] * 5, 'five released')
    t.contains(api.stats(), {'review': 5, 'max_in_flight': 5,
                             'in_flight': 0, 'connections': 5,
                             'statuses': {'201': 5}}, 'counted')
    api.fault('hold')
    with client.Session(cluster.port, client.tls(cluster.ca)) as session:
        session.send('POST', REVIEWS, {'Authorization': 'Bearer x'}, body)
        t.ok(wait_for(lambda: api.stats()['in_flight'] == 1), 'one waits')
    t.ok(wait_for(lambda: api.stats()['aborted'] == 1), 'and leaves')
    api.clear()
    last = api.records()[-2]
    t.is_((last['nth'], last['status'], last['bearer']),
          (1, 201, api.records()[0]['bearer']), 'recorded')
    t.ok(token not in json.dumps(api.records()), 'without any token')
    api.unlisten()
    t.is_(outcome(cluster, body, token), 'ConnectionRefusedError', 'away')
    api.listen()
    t.is_(outcome(cluster, body, token), 201, 'and back')
    with client.Session(cluster.port, client.tls(cluster.ca)) as session:
        session.post(REVIEWS, body, {'Authorization': f'Bearer {token}'})
        t.ok(api.drop() >= 1, 'idle connections dropped')
        t.like(outcome(cluster, body, token, session),
               'RemoteDisconnected|BrokenPipe|Reset|SSLEOF', 'it is dead')


for number in VERSIONS:
    replayed = replay(number)
    gets(replayed, number)
    published(replayed, number)
media()
rights_to_keys()
lagging()
webhooks()
life()
other_doors()
misbehaviour()
t.done_testing()
