"""What a real API server answers, written into t/fixtures if it is new.

A case is NAME.request.json, NAME.head and NAME.response.json, as
t/fixtures/README.md tells; what is got by GET is NAME.get (path and Accept),
NAME.head and NAME.body.  The cluster lives for the recording alone, so that
no token in there opens anything.
"""

import difflib
import filecmp
import json
import os
import re
import shutil

import build
import client
import kubectl as kubectls
import tokens
from controlplane import ControlPlane
from realm import SECRET_OF_ACCOUNT, World, wait_for

API = '/apis/authentication.k8s.io/v1/'
REVIEWS = API + 'tokenreviews'
NAMESPACE = 'my-namespace-a'
REVIEWER = ('reviewer', 'akl-system')
JWKS = '/openid/v1/jwks'
JSON = 'application/json'
SPACE = '/api/v1/namespaces/'
DISCOVERY = '/.well-known/openid-configuration'
ATTESTATION = 'admissionReviewAPIGroups'
WEBHOOK_TOKENS = 'APIServerWebhookAuthenticationToken=true'

# path, Accept, and who asks: an account without rights of its own, whoever
# is of system:masters (by certificate), or nobody

PUBLISHED = {
    'jwks_json': (JWKS, 'application/json'),
    'jwks_jwk_set': (JWKS, 'application/jwk-set+json'),
    'jwks_any': (JWKS, '*/*'),
    'jwks_either': (JWKS, 'application/jwk-set+json, application/json'),
    'jwks_none': (JWKS, None),
    'discovery_json': (DISCOVERY, 'application/json'),
    'discovery_jwk_set': (DISCOVERY, 'application/jwk-set+json'),
    'discovery_any': (DISCOVERY, '*/*'),
    'jwks_master': (JWKS, '*/*', 'master'),
    'discovery_master': (DISCOVERY, '*/*', 'master'),
    'jwks_nobody': (JWKS, '*/*', 'nobody'),
    'discovery_nobody': (DISCOVERY, '*/*', 'nobody'),
    'namespace_master': (SPACE + 'kube-system', JSON, 'master'),
    'namespace_account': (SPACE + 'kube-system', JSON),
    'namespace_nobody': (SPACE + 'kube-system', JSON, 'nobody'),
    'namespace_none': (SPACE + 'nowhere', JSON, 'master'),
    'namespace_html': (SPACE + 'kube-system', 'text/html', 'master')}


# what is of the moment in what a server says; a token is read before

TOKEN = re.compile(r'eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+')
MOMENTARY = (
    ('UID', r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'),
    ('TIME', r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ'),
    ('TIME', r'[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT'),
    ('TIME', r'\b1\d{9}\b'),
    ('KEY', r'(?<=-----\n)[A-Za-z0-9+/=\n]+(?=\n-----)'),
    ('KEY', r'(?<![\w-])[\w-]{43,}(?![\w-])'),
    ('PORT', r'(?<=127\.0\.0\.1:)\d+'))


def lasting(text):
    """Return a text without what is of the moment."""
    text = TOKEN.sub(lambda found: json.dumps(
        tokens.decode(found.group())), text)
    for name, pattern in MOMENTARY:
        text = re.sub(pattern, name, text)
    return text


def texts(directory):
    """Return {name: lasting text} of the files of a directory."""
    out = {}
    for name in sorted(os.listdir(directory)):
        with open(os.path.join(directory, name), encoding='utf-8') as file:
            out[name] = lasting(file.read())
    return out


def differences(old, new):
    """Return {file: lines} where two recordings differ for good."""
    before = texts(old) if os.path.isdir(old) else {}
    after = texts(new)
    out = {}
    for name in sorted({*before, *after}):
        lines = list(difflib.unified_diff(
            before.get(name, '').splitlines(),
            after.get(name, '').splitlines(), 'before/' + name,
            'now/' + name, lineterm='', n=1))
        if lines:
            out[name] = lines
    return out


def same_signer(old, new):
    """Say whether the tokens of two recordings are of the same key."""
    paths = [os.path.join(place, 'service-account-key.pub')
             for place in (old, new)]
    return os.path.exists(paths[0]) and filecmp.cmp(*paths, shallow=False)


def replace(old, new, names):
    """Put the cases of some files in the place of the old ones.

    A case is one exchange, and goes as a whole; all of them go where the
    signer is another.
    """
    if not same_signer(old, new):
        shutil.rmtree(old, ignore_errors=True)
        shutil.copytree(new, old)
        return
    cases = {name.partition('.')[0] for name in names}
    for place in old, new:
        for name in os.listdir(place):
            if name.partition('.')[0] in cases:
                path = os.path.join(old, name)
                if place == old:
                    os.unlink(path)
                else:
                    shutil.copy(os.path.join(new, name), path)


class Recorder:
    """Asks one API server and keeps what it says."""

    def __init__(self, test, world, directory):
        self.test = test
        self.world = world
        self.dir = directory
        plane = world.plane
        self.context = client.tls(plane.ca)
        self.master = client.tls(plane.ca, (plane.path('admin.crt'),
                                            plane.path('admin.key')))
        self.reviewer = world.kubectl.token(*REVIEWER)
        self.count = 0

    def keep(self, name, head, body, request, ends):
        """Write the files of a case."""
        for end, text in zip(ends, (request, head, body)):
            with open(os.path.join(self.dir, name + end), 'wb') as file:
                file.write(text if isinstance(text, bytes) else
                           text.encode())
        self.count += 1

    def ask(self, method, path, headers, body=None, context=None):
        """Make a request; return head and body of the answer."""
        answer = client.request(self.world.plane.port, method, path, headers,
                                body, context=context or self.context,
                                close=False)
        lines = [f'HTTP/1.1 {answer.status} {answer.reason}']
        lines += [f'{key}: {value}' for key, value in answer.headers]
        return answer, '\n'.join(lines) + '\n\n'

    def review(self, name, token, audiences=None, bearer=None, path=REVIEWS,
               expect='authenticated'):
        """Post a review and keep it; expect is a text of the answer."""
        spec = {'token': token}
        if audiences:
            spec['audiences'] = audiences
        body = json.dumps({'apiVersion': 'authentication.k8s.io/v1',
                           'kind': 'TokenReview', 'spec': spec},
                          separators=(',', ':'))
        headers = {'User-Agent': 'akl-k8s', 'Accept': 'application/json',
                   'Content-Type': 'application/json'}
        if bearer != 'master':
            headers['Authorization'] = f'Bearer {bearer or self.reviewer}'
        last = []

        def said():
            last[:] = self.ask('POST', path, headers, body, self.master
                               if bearer == 'master' else None)
            return expect in last[0].text

        # the server's caches may have to hear of a change first
        wait_for(said)
        self.test.ok(expect in last[0].text, f'{name}: "{expect}"',
                     last[0].text)
        self.keep(name, last[1], last[0].body, body,
                  ('.request.json', '.head', '.response.json'))

    def published(self, name, path, accept, who='account'):
        """Get what is published, by an Accept header."""
        headers = {'User-Agent': 'akl-k8s', 'Accept': accept}
        if who == 'account':
            headers['Authorization'] = f'Bearer {self.reviewer}'
        answer, head = self.ask('GET', path, headers, context=self.master
                                if who == 'master' else None)
        self.test.note(f'{name}: {answer.status}')
        self.keep(name, head, answer.body, json.dumps(
            {'path': path, 'accept': accept, 'who': who}) + '\n',
            ('.get.json', '.head', '.body'))


def node(world, name):
    """Make a node, which need not be there; return its uid."""
    world.kubectl.apply({'apiVersion': 'v1', 'kind': 'Node',
                         'metadata': {'name': name}})
    return world.kubectl.uid('node', name)


def on_node(name):
    """Return the flag that puts a pod on a node."""
    return json.dumps({'apiVersion': 'v1', 'spec': {'nodeName': name}})


def objects(world):
    """Make what the tokens are bound to."""
    for name in (REVIEWER[1], NAMESPACE):
        world.namespace(name)
    world.account(*REVIEWER)
    world.delegate('reviewer',
                   f'--serviceaccount={":".join(reversed(REVIEWER))}')
    node(world, 'node-1')
    world.pod('mypod1', overrides=on_node('node-1'))
    world.pod('elsewhere', overrides=on_node('node-9'))
    for name in ('pending', 'deleted', 'recreated'):
        world.pod(name)
    for name in ('leaving', 'returning', 'norights'):
        world.account(name)
    for name in ('legacy-token', 'deleted-token'):
        world.kubectl.apply(SECRET_OF_ACCOUNT.format(
            name=name, namespace=NAMESPACE, account='default'))
        world.secret_token(name, NAMESPACE)


def tokens_of(world):
    """Return all tokens, by the name of their case, before things change."""
    out = {
        'pod_bound': world.token(),
        'unbound': world.token(None),
        'pod_not_scheduled': world.token('pending'),
        'pod_node_unknown': world.token('elsewhere'),
        'pod_deleted': world.token('deleted'),
        'pod_recreated': world.token('recreated'),
        'custom': world.token(audience='vault'),
        'secret_bound': world.token('legacy-token', kind='Secret'),
        'secret_deleted': world.token('deleted-token', kind='Secret'),
        'legacy_secret': world.secret_token('legacy-token', NAMESPACE),
        'legacy_deleted': world.secret_token('deleted-token', NAMESPACE),
        'account_deleted': world.token(None, account='leaving'),
        'account_recreated': world.token(None, account='returning'),
        'node_bound': world.token('node-1', kind='Node')}
    own = out['pod_bound']
    other = tokens.key('RSA-2048', 'e2e-other')
    kid = world.plane.keys[0].k8s_kid
    out.update({
        'expired_30s': world.forge(own, -3630),
        'expired_300s': world.forge(own, -3900),
        'not_yet_valid': world.forge(own, 300),
        'issued_in_future': world.forge(
            own, 300, nbf=tokens.decode(own)[1]['nbf']),
        'audience_as_string': world.forge(own, aud='api'),
        'other_issuer': world.forge(own, iss='https://other.example.com'),
        'bad_signature': world.forge(own, key=other, header={'kid': kid}),
        'unknown_kid': world.forge(own, header={'kid': 'nope'}),
        'without_kid': world.forge(own, header={'kid': None}),
        'webhook_bound': world.forge(own, aud=['vault'], **{
            'kubernetes.io': webhook(world, own)})})
    return out


def webhook(world, token):
    """Return the claims of a token that is bound to a webhook."""
    world.kubectl.apply({
        'apiVersion': 'admissionregistration.k8s.io/v1',
        'kind': 'ValidatingWebhookConfiguration',
        'metadata': {'name': 'mywebhook'}})
    held = tokens.decode(token)[1]['kubernetes.io']
    return {'namespace': held['namespace'],
            'serviceaccount': held['serviceaccount'],
            'validatingwebhookconfiguration': {
                'name': 'mywebhook', 'uid': world.kubectl.uid(
                    'validatingwebhookconfiguration', 'mywebhook')},
            'attestations': {ATTESTATION: ['*']}}


def cases(recorder, held):
    """Ask about every token."""
    review, world = recorder.review, recorder.world
    own, custom = held['pod_bound'], held['custom']
    good = '"authenticated":true'
    for name in ('pod_bound', 'unbound', 'pod_not_scheduled',
                 'pod_node_unknown', 'secret_bound', 'legacy_secret',
                 'node_bound', 'audience_as_string', 'expired_30s',
                 'without_kid'):
        review(name, held[name], expect=good)
    for name, text in (('expired_300s', 'expired'),
                       ('not_yet_valid', 'not valid yet'),
                       ('issued_in_future', 'in the future'),
                       ('other_issuer', 'invalid bearer token'),
                       ('bad_signature', 'invalid bearer token'),
                       ('unknown_kid', 'status')):
        review(name, held[name], expect=text)
    review('garbage', 'garbage', expect='invalid bearer token')
    review('empty', '', expect='')
    review('custom_audience_matching', custom, ['vault'], expect=good)
    review('custom_audience_two', custom, ['other', 'vault'], expect=good)
    review('custom_audience_not_requested', custom, expect='is invalid')
    review('default_audience_other_requested', own, ['vault'],
           expect='is invalid')
    review('webhook_bound', held['webhook_bound'], ['vault'],
           expect='"status"')

    review('reviewer_unauthorized', own, bearer='stale', expect='401')
    review('reviewer_is_the_pod', own, bearer=own, expect='403')
    review('reviewer_forbidden', own, expect='403',
           bearer=world.token(None, account='norights'))
    review('wrong_path', own, path=API + 'tokenreview', expect='404',
           bearer='master')
    review('namespaced_path', own, expect='404', bearer='master',
           path=f'{API}namespaces/{NAMESPACE}/tokenreviews')
    review('wrong_base', own, path='/not/here' + REVIEWS,
           expect='cannot post path')

    kubectl = world.kubectl
    kubectl.delete('pod', 'deleted', NAMESPACE)
    kubectl.delete('secret', 'deleted-token', NAMESPACE)
    for kind, name in (('pod', 'recreated'), ('serviceaccount', 'leaving'),
                       ('serviceaccount', 'returning')):
        kubectl.delete(kind, name, NAMESPACE)
    world.pod('recreated')
    world.account('returning')
    for name, text in (('pod_deleted', 'invalidated'),
                       ('secret_deleted', 'invalidated'),
                       ('legacy_deleted', 'invalidated'),
                       ('pod_recreated', 'pod UID'),
                       ('account_deleted', 'not found'),
                       ('account_recreated', 'service account UID')):
        review(name, held[name], expect=text)
    for name, asked in PUBLISHED.items():
        recorder.published(name, *asked)


def run(test, version):
    """Record a version."""
    programs = build.build(version)
    minor = re.match(r'\d+\.\d+', version).group()
    target = os.path.join(build.TOP, 't', 'fixtures',
                          f'kube-apiserver-{minor}')
    fresh = os.path.join(test.dir, f'fixtures-{version}')
    os.makedirs(fresh)
    plane = ControlPlane(test, programs, os.path.join(test.dir, version))
    plane.modern()
    if minor == '1.37':
        plane.features = WEBHOOK_TOKENS
    try:
        plane.start()
        world = World(test, kubectls.Kubectl(kubectls.find(programs),
                                             plane.kubeconfig), plane)
        objects(world)
        held = tokens_of(world)
        recorder = Recorder(test, world, fresh)
        cases(recorder, held)
        for name, text in (
                ('jwks.json', world.kubectl('get', '--raw', JWKS)),
                ('openid-configuration.json',
                 world.kubectl('get', '--raw', DISCOVERY)),
                ('service-account-key.pub', plane.keys[0].public_pem()),
                ('version', world.kubectl.version() + '\n')):
            tokens.write_file(os.path.join(fresh, name), text, 0o644)
    finally:
        plane.close()
    if test.failed:
        test.diag('something is not as expected: nothing was recorded')
        return
    found = differences(target, fresh)
    for lines in found.values():
        for line in lines:
            test.note(line)
    if not found:
        test.note(f'{version}: its {recorder.count} answers are those that '
                  f'are kept, but for ids, times and keys')
        return
    replace(target, fresh, found)
    test.note(f'{version}: {recorder.count} answers, kept in {target}')
