#!/usr/bin/python3
"""akl-k8s inspect: what tokens say, and what auth configs say to them."""

import glob
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import forge  # noqa: E402
import nginx as nginx_  # noqa: E402
import tokens  # noqa: E402
from akltest import ACCESS_ID, CONFIG, NAMESPACE, Test, client  # noqa: E402
from cli import ASAN, TERMINALS, Desk, run, run_on_terminal  # noqa: E402

LATER, OVER = '2100-01-01T00:00:00Z', '2020-01-01T00:00:00Z'

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def pod_token(cluster):
    """The token of that pod, for some fifty minutes."""
    return cluster.issue(ttl=3000)


@t.shared
def ended(cluster):
    """A token of that pod that ended two hours ago."""
    return tokens.k8s_sign(tokens.projected(
        NAMESPACE, ('builder', 'u'), pod=('mypod1', 'v'),
        now=time.time() - 9000, ttl=600), cluster.key)


class Reader(Desk):
    """Where a story has tokens inspected."""

    def __init__(self, test):
        super().__init__(test)
        self.files = 0

    def written(self, token):
        """Write a token; return its path."""
        self.files += 1
        return self.write(f'token{self.files}', token, 0o600)

    def inspect(self, token, *args, **kw):
        """Inspect a token from a file."""
        return self.run('inspect', *args, self.written(token), **kw)

    def judged(self, token, *args):
        """Return what configs say to a token, by name."""
        done = self.inspect(token, '--json', *args)
        if done.code == 2:
            return done
        return done.code, {one['config']: one
                           for one in done.json()['configs']}


@t.own
def desk():
    """A directory of the story's own."""
    return Reader(t)


def still(text):
    """Return what is shown, less what time changes."""
    return re.sub('Z, .*', '', text)


def signature(token):
    """Return what must never be shown of a token."""
    return token.rsplit('.', 1)[1][:20]


# A pod's token

@t.story
def a_pods_token_is_told_in_words(desk, pod_token):
    done = desk.inspect(pod_token)
    t.is_((done.code, done.err), (0, ''), "a pod's token")
    t.like(done.out, "^A service account's token, projected into a pod",
           'what it is')
    t.like(done.out, r'\n  alg +RS256\n  kid +\S{43}\n', 'its header')
    t.like(done.out, rf'\n  iss +{tokens.ISSUER}\n', 'its issuer')
    t.like(done.out, r'exp +20\S+Z, in (4\d|50) minutes', 'times in words')
    t.like(done.out, r'iat +\S+, (now|\d+ (second|minute)s? ago'
           r'|in \d+ second)', 'those too')
    t.like(done.out, rf'namespace +{NAMESPACE}\n +node\n', 'its pod')
    t.like(done.out, r'pod\n +name +mypod1\n', 'by name')
    t.unlike(done.out, signature(pod_token), 'never the signature')
    t.is_(still(run('inspect', stdin=pod_token).out), still(done.out),
          'from standard input')
    t.is_(still(run('inspect', '-', stdin=f'Bearer {pod_token}\n').out),
          still(done.out), 'as a header has it')


@t.story
def a_pods_token_is_told_as_json(desk, pod_token):
    shown = desk.inspect(pod_token, '--json').json()
    t.is_((shown['header'], shown['claims']), tokens.decode(pod_token)[:2],
          'header and claims')
    t.like(shown['times']['exp'], 'minutes', 'with words')
    t.is_(shown['reason'], 'ok', 'and what came of it')
    t.unlike(str(shown), signature(pod_token), 'never the signature')


@t.story
def each_kind_of_token_is_called_by_its_name(cluster, desk, pod_token):
    for made, kind in (
            (cluster.api.secret(NAMESPACE, 'builder-token',
                                account='builder'), 'of a secret .legacy'),
            (cluster.issue(pod=None, account='builder'), 'bound to no pod'),
            (tokens.sign({'alg': 'RS256'}, {'iss': 'x'},
                         tokens.key('RSA-2048', 'cluster')),
             "no service account's token")):
        t.like(desk.inspect(made).out.splitlines()[0], kind, f'one {kind}')
    done = run('inspect', desk.written(pod_token), desk.written(pod_token),
               '--json')
    t.is_(len(done.json()), 2, 'several at once')


@t.story
def what_strangers_write_does_not_reach_the_terminal(desk, pod_token):
    if not TERMINALS:
        t.skip('there are no terminals here', 3)
        return
    evil = tokens.sign({'alg': 'RS256', 'kid': '\x1b]0;x\x07'}, {
        'iss': '\x1b[2J\u202egnp\u0085', 'x\x1b[1m': '\r\nok',
        'exp': 1 << 53}, tokens.key('RSA-2048', 'cluster'))
    done = run_on_terminal('inspect', desk.written(evil),
                           env={'NO_COLOR': '1'})
    t.unlike(done.out, '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e]',
             'no control characters')
    t.like(done.out, r'\\x1b\[2J\\xe2\\x80\\xaegnp\\xc2\\x85',
           'they are spelt')
    t.like(run_on_terminal('inspect', desk.written(pod_token)).out,
           '\x1b\\[1m', 'but colours are ours')


@t.story
def what_is_no_token_is_refused_with_the_reason(desk, pod_token):
    for text, said in (('no token', 'token_malformed|white space'),
                       ('', 'is empty'), ('a.b.c', 'token_malformed'),
                       (pod_token + '.x', 'token_malformed'),
                       (pod_token.replace('.', '.!', 1), 'token_malformed'),
                       ('x' * 40000, 'token_too_large')):
        done = desk.inspect(text)
        t.ok(done.code in (1, 2), f'{text[:9]!r}: refused')
        t.like(done.both(), said, 'with the reason')
    t.is_(run('inspect', '/nowhere').code, 2, 'a file that is not there')


@t.story
def it_does_not_wait_for_a_person_to_type_a_token():
    if TERMINALS:
        t.like(run_on_terminal('inspect').out, 'say which token',
               'on a terminal')
    else:
        t.skip('there are no terminals here')


# What the auth configs of an nginx.conf would say

@t.shared
def conf(cluster):
    """An nginx.conf with a config for each of what may be said."""
    place = Desk(t)
    kid = tokens.decode(cluster.issue())[0]['kid']
    other_keys = place.write('other.json', tokens.dumps({'keys': [
        dict(tokens.key('RSA-2048', 'other').jwk(), kid=kid)]}))
    os.mkdir(place.path('more'))
    place.write('more/methods.conf', cluster.method(
        bound_pod_names='mypod1', access_expires=LATER,
        bound_ips='10.0.0.0/8',
        bound_namespace_selector=['team=payments', 'stage='])
        + cluster.method('p-audx8x116z7jkm', audience='vault')
        + cluster.method('p-nsx8x1x16z7jkm', bound_namespaces='other')
        + cluster.method('p-overx116z7j9km', access_expires=OVER)
        + cluster.method('p-anypx116z7j9km'))
    return place.write('nginx.conf', f'''
    events {{ }}
    http {{
        map $x $y {{ default "{{;}}"; '~*#a' b; }}
        include more/*.conf;       # globs, relative to this file
        include nothing/*.conf;
        content_by_lua_block {{ if a then b = "}}{{" end -- it's }}
        }}
        {cluster.config(k8s_jwks=cluster.jwks)}
        {cluster.config('plain', token_issuer='"https://gw"')}
        {cluster.config('aud', 'p-audx8x116z7jkm')}
        {cluster.config('ns', 'p-nsx8x1x16z7jkm')}
        {cluster.config('over', 'p-overx116z7j9km')}
        {cluster.config('iss', k8s_issuer='"https://other issuer;"')
            .replace(' issuer;', '-issuer')}
        {cluster.config('keys', k8s_jwks=other_keys)}
        {cluster.config('any', k8s_issuer=None,
                        disable_issuer_validation='on')}
        {cluster.config('nobody', 'p-nobodyx6z7j9km')}
        {cluster.config('sub', 'p-anypx116z7j9km',
                        token_subject='$akl_k8s_pod_name')}
        akl_k8s_auth_config "with space \\"and quotes\\"" {{
            {cluster.config('x').split('{')[1]}
    }}
    ''')


@t.story
def each_auth_config_says_its_own(conf, desk, pod_token):
    code, configs = desk.judged(pod_token, '--config', conf)
    t.is_(code, 0, 'some would take it')
    t.is_({name: one['reason'] for name, one in configs.items()}, {
        CONFIG: 'ok', 'plain': 'ok', 'aud': 'audience_mismatch',
        'ns': 'namespace_not_bound', 'over': 'access_expired',
        'iss': 'issuer_mismatch', 'keys': 'signature_invalid', 'any': 'ok',
        'nobody': 'config_unknown', 'sub': 'ok',
        'with space "and quotes"': 'ok'}, 'its reason')
    t.is_([step['step'] for step in configs[CONFIG]['steps']],
          ['access', 'form', 'issuer', 'times', 'audience', 'signature',
           'bounds', 'labels', 'address', 'review'], 'step by step')
    t.is_([(step['outcome'], step['text'])
           for step in configs[CONFIG]['steps'] if step['step'] == 'labels'],
          [('open', f'namespace "{NAMESPACE}" has to have team=payments and '
            'stage=: the cluster knows')], 'labels are not in a token')
    t.is_([one['reason'] for one in configs.values() if one['reason'] != 'ok'
           and not one.get('cure')], [], 'each refusal has its cure')
    done = desk.inspect(pod_token, '--config', conf)
    t.like(done.out, r'(?s)auth config "aud".*FAIL  audience   '
           'audience_mismatch: the method demands vault, the token is for '
           '.*try: project', 'in words')


@t.story
def the_subject_of_minted_tokens_is_told(cluster, conf, desk, pod_token):
    named = '--config', conf, '--k8s-auth-config-name', 'sub'
    steps = desk.judged(pod_token, *named)[1]['sub']['steps']
    t.is_([step['text'] for step in steps if step['step'] == 'subject'],
          ['mypod1'], 'a subject')
    bare = cluster.issue(None, account='builder')
    t.like(desk.judged(bare, *named)[1]['sub']['steps'][-1]['text'],
           r'subject_incomplete: \$akl_k8s_pod_name of token_subject is '
           'empty', 'and what is empty')


@t.story
def one_auth_config_may_be_asked_alone(conf, desk, pod_token):
    named = '--config', conf, '--k8s-auth-config-name'
    code, configs = desk.judged(pod_token, *named, 'ns')
    t.is_(code, 1, 'one that would not take it')
    t.is_(list(configs), ['ns'], 'alone')
    t.like(desk.judged(pod_token, *named, 'nowhere').out,
           'has no akl_k8s_auth_config', 'one that is not there')


@t.story
def a_token_that_has_ended_is_refused_by_each(conf, desk, ended):
    code, configs = desk.judged(ended, '--config', conf,
                                '--k8s-auth-config-name', CONFIG)
    t.is_((code, configs[CONFIG]['reason']), (1, 'token_expired'),
          'its reason')
    t.like(configs[CONFIG]['steps'][-1]['text'], 'it ended 2 hours ago',
           'and when')


# It is what the gateway itself says

class Gateway:
    """An nginx that takes mypod1, and its configuration."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.nginx = t.nginx('''
            @blocks@
            server {
                listen 127.0.0.1:@port@;
                location = /v2/auth { akl_k8s_auth; }
            }
        ''', blocks=cluster.method(bound_pod_names='mypod?')
            + cluster.config(k8s_jwks=cluster.jwks))
        self.conf = os.path.join(self.nginx.dir, 'nginx.conf')

    def login(self, token):
        """Log in; return what the answer says."""
        return client.post(self.nginx.port, '/v2/auth',
                           self.cluster.login(token)).json()


@t.shared
def gateway(cluster):
    """The gateway of all stories."""
    return Gateway(cluster)


@t.story
def it_says_what_nginx_says(cluster, gateway, desk, pod_token, ended):
    cluster.api.pod(NAMESPACE, 'stranger', account='builder')
    for name, token in (('a good one', pod_token), ('an old one', ended),
                        ('another pod', cluster.issue('stranger')),
                        ('another issuer', cluster.issue(claims={'iss': 'x'})),
                        ('a forged one', pod_token[:-9] + 'AAAAAAAAA'),
                        ('none', 'a.b.c')):
        code, configs = desk.judged(token, '--config', gateway.conf)
        reason = gateway.login(token).get('reason', 'ok')
        t.is_((code, configs[CONFIG]['reason']), (int(reason != 'ok'), reason),
              name)


@t.story
def a_minted_token_is_known_by_the_key_that_made_it(gateway, desk, pod_token):
    minted = gateway.login(pod_token)['token']
    done = desk.inspect(minted, '--config', gateway.conf)
    t.is_(done.code, 0, 'a minted token')
    t.like(done.out, r'(?s)^A token minted by a gateway.*'
           r'ok    signature  made by one of its keys', 'is known as its own')
    forged = tokens.sign({'alg': 'RS256'}, tokens.decode(minted)[1],
                         tokens.key('RSA-2048', 'other'))
    code, configs = desk.judged(forged, '--config', gateway.conf)
    t.is_((code, configs[CONFIG]['reason']), (1, 'signature_invalid'),
          'a forged one is not')
    t.like(configs[CONFIG]['cure'], 'log in again', 'and what to do')


@t.story
def a_minted_token_has_to_be_for_the_first_of_its_audiences(
        cluster, gateway, desk, pod_token):
    minted = gateway.login(pod_token)['token']
    for first, expected in (('api', 'ok'), ('items', 'audience_mismatch')):
        path = t.write('audience.conf', 'http { ' + cluster.method()
                       + cluster.config(token_audience=f'{first} else')
                       + ' }')
        code, configs = desk.judged(minted, '--config', path)
        t.is_((code, configs[CONFIG]['reason']),
              (int(expected != 'ok'), expected), first)


@t.story
def a_broken_configuration_is_named_with_its_cause(desk, pod_token):
    for text, cause in (('http {', 'unexpected end of file'),
                        ('http { a "b }', 'a quote is missing'),
                        ('http { a b }', 'not ended by ";"'),
                        ('}', 'unexpected "}"'), (';', 'unexpected ";"'),
                        ('include nowhere.conf;', 'cannot include'),
                        ('include broken.conf;', 'nested too deeply'),
                        ('a{' * 70 + '}' * 70, 'nested too deeply'),
                        ('http { }', 'has no akl_k8s_auth_config'),
                        ('a "b"c;', 'right behind a quote')):
        done = desk.inspect(pod_token, '--config',
                            desk.write('broken.conf', text))
        t.is_(done.code, 2, f'{text[:20]}: a broken configuration')
        t.like(done.err, cause, f'says {cause}')


# Strange tokens, under AddressSanitizer

def strange_tokens(cluster, pod_token):
    """Return forged tokens, and what the fuzzers collected, as bytes."""
    key, now = cluster.key, int(time.time())
    good = tokens.decode(pod_token)[1]
    out = []
    for part in ('algorithms', 'swaps', 'forms', 'signatures', 'headers',
                 'kids', 'base64s', 'jsons', 'header_jsons', 'issuers',
                 'audiences', 'sizes'):
        out += [one[1] for one in getattr(forge, part)(key, good)]
    out += [one[1] for one in forge.times(key, good, now)]
    for path in glob.glob(os.path.join(nginx_.ROOT, 't', 'fuzz', 'corpus',
                                       '*', '*')):
        with open(path, 'rb') as file:
            data = file.read()
        out.append(data)
        for at in range(2):
            parts = pod_token.split('.')
            parts[at] = tokens.b64u(data)
            out.append('.'.join(parts))
    return [one if isinstance(one, bytes)
            else one.encode('utf-8', 'surrogateescape') for one in out]


def one_word(data):
    """Say whether data is text without blanks, as a token has to be."""
    return data.isascii() and data.strip() \
        and not re.search(rb'[\s\x00-\x20]', data.strip())


@t.story
def no_strange_token_makes_it_touch_what_is_not_its_own(
        cluster, gateway, desk, pod_token):
    if not os.path.exists(ASAN):
        t.skip('no akl-k8s with a sanitizer: make cli-asan')
        return
    paths, odd = [], []
    for number, data in enumerate(strange_tokens(cluster, pod_token)):
        path = desk.path(str(number))
        with open(path, 'wb') as file:
            file.write(data)
        (paths if one_word(data) else odd).append(path)
    t.ok(len(paths) > 300, f'{len(paths)} strange tokens')
    for args in ((), ('--json',), ('--config', gateway.conf)):
        done = run('inspect', *args, *paths, binary=ASAN)
        t.is_(done.code, 1, f'all at once: {" ".join(args[:1]) or "words"}')
        t.unlike(done.both(), 'Sanitizer|runtime error',
                 'with nothing to complain of')

    # what is no text at all is refused as such, by itself

    for path in odd[:30]:
        done = run('inspect', path, binary=ASAN)
        t.ok(done.code in (1, 2) and 'anitizer' not in done.err,
             'what is no text is refused', done.err)


t.tell()
