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
from cli import ASAN, TERMINALS, run, run_on_terminal  # noqa: E402

t = Test(need_module=True)
cluster = t.cluster()
api = cluster.api
files = 0


def written(token):
    """Write a token; return its path."""
    global files
    files += 1
    return t.write(f'token{files}', token, 0o600)


def inspect(token, *args, **kw):
    """Inspect a token from a file."""
    return run('inspect', *args, written(token), cwd=t.dir, **kw)


# A pod's token

pod_token = cluster.issue(ttl=3000)
signature = pod_token.rsplit('.', 1)[1]
done = inspect(pod_token)
t.is_((done.code, done.err), (0, ''), "a pod's token")
t.like(done.out, "^A service account's token, projected into a pod",
       'what it is')
t.like(done.out, r'\n  alg +RS256\n  kid +\S{43}\n', 'its header')
t.like(done.out, rf'\n  iss +{tokens.ISSUER}\n', 'its issuer')
t.like(done.out, r'exp +20\S+Z, in (49|50) minutes', 'times in words')
t.like(done.out, r'iat +\S+, (now|\d+ seconds? ago|in \d+ second)', 'those too')
t.like(done.out, rf'namespace +{NAMESPACE}\n +node\n', 'its pod')
t.like(done.out, r'pod\n +name +mypod1\n', 'by name')
t.unlike(done.out, signature[:20], 'never the signature')


def still(text):
    """Return what is shown, less what time changes."""
    return re.sub('Z, .*', '', text)


t.is_(still(run('inspect', stdin=pod_token).out), still(done.out),
      'from standard input')
t.is_(still(run('inspect', '-', stdin=f'Bearer {pod_token}\n').out),
      still(done.out), 'as a header has it')

shown = inspect(pod_token, '--json').json()
header, claims = tokens.decode(pod_token)[:2]
t.is_((shown['header'], shown['claims']), (header, claims), 'as JSON')
t.like(shown['times']['exp'], 'minutes', 'with words')
t.is_(shown['reason'], 'ok', 'and what came of it')
t.unlike(str(shown), signature[:20], 'never the signature')

for made, kind in (
        (api.secret(NAMESPACE, 'builder-token', account='builder'),
         'of a secret .legacy'),
        (cluster.issue(pod=None, account='builder'), 'bound to no pod'),
        (tokens.sign({'alg': 'RS256'}, {'iss': 'x'},
                     tokens.key('RSA-2048', 'cluster')),
         "no service account's token")):
    t.like(inspect(made).out.splitlines()[0], kind, f'one {kind}')
done = run('inspect', written(pod_token), written(pod_token), '--json')
t.is_(len(done.json()), 2, 'several at once')

# What strangers write does not reach the terminal

evil = tokens.sign({'alg': 'RS256', 'kid': '\x1b]0;x\x07'}, {
    'iss': '\x1b[2J\u202egnp\u0085', 'x\x1b[1m': '\r\nok', 'exp': 1 << 53},
    tokens.key('RSA-2048', 'cluster'))
if TERMINALS:
    done = run_on_terminal('inspect', written(evil), env={'NO_COLOR': '1'})
    t.unlike(done.out, '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e]',
             'no control characters')
    t.like(done.out, r'\\x1b\[2J\\xe2\\x80\\xaegnp\\xc2\\x85', 'they are spelt')
    t.like(run_on_terminal('inspect', written(pod_token)).out, '\x1b\\[1m',
           'but colours are ours')
else:
    t.skip('there are no terminals here', 3)

# What is none

for text, said in (('no token', 'token_malformed|white space'),
                   ('', 'is empty'), ('a.b.c', 'token_malformed'),
                   (pod_token + '.x', 'token_malformed'),
                   (pod_token.replace('.', '.!', 1), 'token_malformed'),
                   ('x' * 40000, 'token_too_large')):
    done = inspect(text)
    t.ok(done.code in (1, 2), f'{text[:9]!r}: refused')
    t.like(done.both(), said, 'with the reason')
t.is_(run('inspect', '/nowhere').code, 2, 'a file that is not there')
if TERMINALS:
    t.like(run_on_terminal('inspect').out, 'say which token',
           'it does not wait for a person to type one')
else:
    t.skip('there are no terminals here')

# What the auth configs of an nginx.conf would say

LATER, OVER = '2100-01-01T00:00:00Z', '2020-01-01T00:00:00Z'
os.makedirs(os.path.join(t.dir, 'more'))
t.write('more/methods.conf', cluster.method(
    bound_pod_names='mypod1', access_expires=LATER, bound_ips='10.0.0.0/8')
    + cluster.method('p-audx8x116z7jkm', audience='vault')
    + cluster.method('p-nsx8x1x16z7jkm', bound_namespaces='other')
    + cluster.method('p-overx116z7j9km', access_expires=OVER)
    + cluster.method('p-anypx116z7j9km'))
other_keys = t.write('other.json', '{"keys":['
                     + tokens.dumps(dict(tokens.key(
                         'RSA-2048', 'other').jwk(),
                         kid=header['kid'])) + ']}')
t.write('nginx.conf', f'''
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


def said(token, name=None):
    """Return what the configs say to a token, by name."""
    args = ['--json', '--config', 'nginx.conf']
    if name:
        args += ['--k8s-auth-config-name', name]
    done = inspect(token, *args)
    if done.code == 2:
        return done
    return done.code, {one['config']: one for one in done.json()['configs']}


code, configs = said(pod_token)
t.is_(code, 0, 'some would take it')
t.is_({name: one['reason'] for name, one in configs.items()}, {
    CONFIG: 'ok', 'plain': 'ok', 'aud': 'audience_mismatch',
    'ns': 'namespace_not_bound', 'over': 'access_expired',
    'iss': 'issuer_mismatch', 'keys': 'signature_invalid', 'any': 'ok',
    'nobody': 'config_unknown', 'sub': 'ok',
    'with space "and quotes"': 'ok'},
    'each says its own')
t.is_([step['step'] for step in configs[CONFIG]['steps']],
      ['access', 'form', 'issuer', 'times', 'audience', 'signature',
       'bounds', 'address', 'review'], 'step by step')
t.is_([one['reason'] for one in configs.values() if one['reason'] != 'ok'
       and not one.get('cure')], [], 'each refusal has its cure')
t.is_([step['text'] for step in configs['sub']['steps']
       if step['step'] == 'subject'], ['mypod1'], 'a subject')
t.like(said(cluster.issue(None, account='builder'), 'sub')[1]['sub']['steps']
       [-1]['text'],
       r'subject_incomplete: \$akl_k8s_pod_name of token_subject is empty',
       'and what is empty')
t.is_(said(pod_token, 'ns')[0], 1, 'one that would not')
t.is_(list(said(pod_token, 'ns')[1]), ['ns'], 'alone')
t.like(said(pod_token, 'nowhere').out, 'has no akl_k8s_auth_config',
       'one that is not there')
done = inspect(pod_token, '--config', 'nginx.conf')
t.like(done.out, r'(?s)auth config "aud".*FAIL  audience   audience_mismatch: '
       'the method demands vault, the token is for .*try: project', 'in words')

gone = tokens.k8s_sign(tokens.projected(
    NAMESPACE, ('builder', 'u'), pod=('mypod1', 'v'), now=time.time() - 9000,
    ttl=600), cluster.key)
code, configs = said(gone, CONFIG)
t.is_((code, configs[CONFIG]['reason']), (1, 'token_expired'),
      'one that has ended')
t.like(configs[CONFIG]['steps'][-1]['text'], 'it ended 2 hours ago',
       'and when')

# It is what the gateway itself says

nginx = t.nginx('''
    @blocks@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
    }
''', blocks=cluster.method(bound_pod_names='mypod?') + cluster.config(
    k8s_jwks=cluster.jwks))
conf = os.path.join(nginx.dir, 'nginx.conf')
api.pod(NAMESPACE, 'stranger', account='builder')
for name, token in (('a good one', pod_token), ('an old one', gone),
                    ('another pod', cluster.issue('stranger')),
                    ('another issuer', cluster.issue(claims={'iss': 'x'})),
                    ('a forged one', pod_token[:-9] + 'AAAAAAAAA'),
                    ('none', 'a.b.c')):
    answer = client.post(nginx.port, '/v2/auth', cluster.login(token)).json()
    mine = inspect(token, '--json', '--config', conf).json()['configs'][0]
    t.is_(mine['reason'], answer.get('reason', 'ok'),
          f'{name}: the same as nginx says')

minted = client.post(nginx.port, '/v2/auth',
                     cluster.login(pod_token)).json()['token']
done = inspect(minted, '--config', conf)
t.is_(done.code, 0, 'a minted token')
t.like(done.out, r'(?s)^A token minted by a gateway.*'
       r'ok    signature  made by one of its keys', 'is known as its own')
forged = tokens.sign({'alg': 'RS256'}, tokens.decode(minted)[1],
                     tokens.key('RSA-2048', 'other'))
done = inspect(forged, '--config', conf, '--json')
t.is_((done.code, done.json()['configs'][0]['reason']),
      (1, 'signature_invalid'), 'a forged one is not')

# Broken configurations

for text, cause in (('http {', 'unexpected end of file'),
                    ('http { a "b }', 'a quote is missing'),
                    ('http { a b }', 'not ended by ";"'),
                    ('}', 'unexpected "}"'), (';', 'unexpected ";"'),
                    ('include nowhere.conf;', 'cannot include'),
                    ('include broken.conf;', 'nested too deeply'),
                    ('a{' * 70 + '}' * 70, 'nested too deeply'),
                    ('http { }', 'has no akl_k8s_auth_config'),
                    ('a "b"c;', 'right behind a quote')):
    done = inspect(pod_token, '--config', t.write('broken.conf', text))
    t.is_(done.code, 2, f'{text[:20]}: a broken configuration')
    t.like(done.err, cause, f'says {cause}')

# Strange tokens, under AddressSanitizer

if not os.path.exists(ASAN):
    t.skip('no akl-k8s with a sanitizer: make cli-asan')
else:
    key, now = cluster.key, int(time.time())
    good = tokens.decode(pod_token)[1]
    strange = []
    for part in ('algorithms', 'swaps', 'forms', 'signatures', 'headers',
                 'kids', 'base64s', 'jsons', 'header_jsons', 'issuers',
                 'audiences', 'sizes'):
        strange += [one[1] for one in getattr(forge, part)(key, good)]
    strange += [one[1] for one in forge.times(key, good, now)]
    for path in glob.glob(os.path.join(nginx_.ROOT, 't', 'fuzz', 'corpus',
                                       '*', '*')):
        with open(path, 'rb') as file:
            data = file.read()
        strange.append(data)
        for at in range(2):
            parts = pod_token.split('.')
            parts[at] = tokens.b64u(data)
            strange.append('.'.join(parts))
    folder = os.path.join(t.dir, 'strange')
    os.makedirs(folder)
    paths = []
    for number, token in enumerate(strange):
        data = token if isinstance(token, bytes) else token.encode(
            'utf-8', 'surrogateescape')
        path = os.path.join(folder, str(number))
        with open(path, 'wb') as file:
            file.write(data)
        # what is no text at all is refused as such, by itself
        try:
            data.decode('ascii')
            if data.strip() and not re.search(rb'[\s\x00-\x20]',
                                              data.strip()):
                paths.append(path)
        except UnicodeDecodeError:
            pass
    t.ok(len(paths) > 300, f'{len(paths)} strange tokens')
    for args in ((), ('--json',), ('--config', conf)):
        done = run('inspect', *args, *paths, binary=ASAN)
        t.is_(done.code, 1, f'all at once: {" ".join(args[:1]) or "words"}')
        t.unlike(done.both(), 'Sanitizer|runtime error',
                 'with nothing to complain of')
    odd = [path for path in glob.glob(folder + '/*') if path not in paths]
    for path in odd[:30]:
        done = run('inspect', path, binary=ASAN)
        t.ok(done.code in (1, 2) and 'anitizer' not in done.err,
             'what is no text is refused', done.err)

t.done_testing()
