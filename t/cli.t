#!/usr/bin/python3
"""akl-k8s: help, options, auth methods, key pairs, completion."""

import base64
import json
import os
import re
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import nginx as nginx_  # noqa: E402
import tokens  # noqa: E402
from akltest import Test  # noqa: E402
from cli import TERMINALS, run, run_on_terminal  # noqa: E402

ACCESS_ID = r'^p-([A-Za-z0-9]{14}|[A-Za-z0-9]{12})$'

t = Test(need_module=True)


def command(*args, **kw):
    """Run a command in the test's directory."""
    return run(*args, cwd=t.dir, **kw)


def mode(name):
    """Return the rights of a file of the test's directory."""
    return oct(stat.S_IMODE(os.stat(os.path.join(t.dir, name)).st_mode))


# Help

done = command()
t.is_(done.code, 2, 'without a command it is usage')
done = command('--help')
t.is_((done.code, done.err), (0, ''), '--help is no error')
names = re.findall(r'^  ([a-z][a-z0-9-]+)  ', done.out, re.M)
t.ok(len(names) >= 3, 'help names the commands')
manual = nginx_.ROOT + '/docs/akl-k8s.1'
with open(manual, encoding='utf-8') as file:
    manual = file.read().replace('\\-', '-')

for name in names:
    done = command(name, '--help')
    t.is_((done.code, done.err), (0, ''), f'{name} --help')
    t.like(done.out, rf'example:\n  akl-k8s {name}\b', f'{name}: an example')
    wide = [line for line in done.out.splitlines() if len(line) > 80]
    t.is_(wide, [], f'{name}: help fits a terminal')
    options = re.findall(r'^  (?:-\w, |    )--([a-z0-9-]+)', done.out, re.M)
    t.ok('json' in options, f'{name}: --json everywhere')
    section = re.search(rf'^\.Ss {name}\b(.*?)(?=^\.S[sh] )', manual,
                        re.M | re.S)
    common = manual.partition('.Ss ')[0]
    t.ok(section, f'{name} is in the man page')
    t.is_([o for o in options if not re.search(
        rf'^\.It Fl (\w , )?-{o}\b', common + section.group(1), re.M)], [],
          f'{name}: with each of its options')

t.like(command('--version').out, r'^akl-k8s \d+\.\d+\.\d+\n$', '--version')

# Mistakes on the command line

for args, said in (
        (('create-auth-method',), 'no command.*\n.*create-auth-method-k8s'),
        (('create-auth-method-k8s',), '--name. is missing'),
        (('create-auth-method-k8s', '--nam', 'x'), 'did you mean "--name"'),
        (('create-auth-method-k8s', '-x', 'x'), 'no option "-x"'),
        (('create-auth-method-k8s', 'x'), '"x" is no option'),
        (('create-auth-method-k8s', '--name'), 'needs a value'),
        (('create-auth-method-k8s', '-n', 'x', '--jwt-ttl', '1h'),
         'is a number'),
        (('create-auth-method-k8s', '-n', 'x', '--key-type', 'dsa'),
         'one of rsa|ec'),
        (('create-auth-method-k8s', '-n', 'x', '--gen-key=maybe'),
         '"true" or "false"'),
        (('create-auth-method-k8s', '-n', 'x', '--gen-key', 'false'),
         'needs "--public-key"'),
        (('keys',), 'say what'), (('keys', 'burn'), 'is none of'),
        (('keys', 'new', '\x1b[2Jx', '--key-type=\x1b[2J'), r'\\x1b\[2J'),
        (('completion', 'fish'), 'bash or zsh')):
    done = command(*args)
    t.is_((done.code, done.out), (2, ''), f'usage: {args[1:] or args}')
    t.like(done.err, said.replace('|', r'\|'), f'which says {said}')
    if args[0] != 'create-auth-method':
        done = command(args[0], '--json', *args[1:])
        t.is_((done.code, done.json()['exit']), (2, 2), 'in JSON too')
        t.like(done.json()['error'], said.split('.*')[0].replace('|', r'\|'),
               'with the same words')

# Colours, only where there is somebody to see them

if TERMINALS:
    t.like(run_on_terminal('--help').out, '\x1b', 'colours on a terminal')
    t.unlike(run_on_terminal('--help', env={'NO_COLOR': '1'}).out, '\x1b',
             'none with NO_COLOR')
    t.unlike(run_on_terminal('--help', env={'TERM': 'dumb'}).out, '\x1b',
             'none on a dumb terminal')
else:
    t.skip('there are no terminals here', 3)
t.unlike(command('--help').out + command('keys').err, '\x1b',
         'none in a pipe')

# An auth method, by the command line of Akeyless' page

PAGE = ('create-auth-method-k8s', '-n', 'my-k8s-auth-method',
        '--bound-pod-names', 'mypod1', '--bound-pod-names', 'mypod2',
        '--bound-namespaces', 'my-namespace-a')
done = command(*PAGE, '--json')
t.is_((done.code, done.err), (0, ''), "the page's own command line")
made = done.json()
t.is_(sorted(made), ['access_id', 'prv_key'], 'the JSON of the page')
t.like(made['access_id'], ACCESS_ID, 'an access id')
t.is_(made['access_id'][-2], 'k', 'of the kind of Kubernetes')
pem = base64.b64decode(made['prv_key'], validate=True)
t.ok(pem.startswith(b'-----BEGIN RSA PRIVATE KEY-----'), 'an RSA key, PEM')
t.is_(tokens.Key.load(pem).private.key_size, 2048, 'of 2048 bits')
t.isnt(command(*PAGE, '--json').json()['access_id'], made['access_id'],
       'another one each time')

done = command(*PAGE)
t.like(done.out, r'Auth Method my-k8s-auth-method was created\.\n'
       r'- Access ID: p-\w+\n- Private key: [\w+/=]+\n', 'in words')
t.like(done.out, r'bound_pod_names mypod1 mypod2;', 'with the block')

ALGS = {'rsa': 'RS256', 'ec': 'ES256', 'p384': 'ES384', 'ed25519': 'EdDSA'}

for kind, alg in ALGS.items():
    key = command(*PAGE, '--json', '--key-type', kind).json()['prv_key']
    t.is_(tokens.Key.load(base64.b64decode(key)).alg, alg,
          f'--key-type {kind} is for {alg}')

# ... into files, which nginx takes

os.makedirs(os.path.join(t.dir, 'akl'))
done = command(*PAGE, '--conf', 'akl/method.conf', '--bound-sa-names',
               'builder,web-*', '--bound-ips', '10.0.0.0/8,::1',
               '--audience', 'api', '--access-expires', '4102444800',
               '--jwt-ttl=20', '--key-type=ec', '--gw-bound-ips', '10.1.1.1',
               '--force-sub-claims', '--audit-logs-claims=sub')
t.is_(done.code, 0, '--conf')
access_id = re.search(r'Access ID: (\S+)', done.out).group(1)
t.unlike(done.both(), 'PRIVATE|LS0tLS1', 'the key is not shown then')
t.is_(len(re.findall('^note: --', done.err, re.M)), 3,
      'what means nothing here is told')
t.is_((mode(f'akl/{access_id}.pem'), mode(f'akl/{access_id}.pub'),
       mode('akl/method.conf')), ('0o600', '0o644', '0o644'),
      'nobody else reads the key')
block = t.read('akl/method.conf')
t.is_(block, f'''# my-k8s-auth-method, made by akl-k8s

akl_k8s_auth_method {access_id} {{
    bound_namespaces my-namespace-a;
    bound_pod_names mypod1 mypod2;
    bound_sa_names builder web-*;
    bound_ips 10.0.0.0/8 ::1;
    audience api;
    access_expires 4102444800;
    token_ttl 20m;
    public_key {os.path.realpath(t.dir)}/akl/{access_id}.pub;
}}
''', 'the block')
nginx = t.nginx(f'include {t.dir}/akl/method.conf;', start=False)
code, said = nginx.config_test()
t.ok(code == 0, 'nginx -t takes it', said)

before = sorted(os.listdir(os.path.join(t.dir, 'akl')))
done = command(*PAGE, '--conf', 'akl/method.conf')
t.is_(done.code, 2, 'a file that is there is not replaced')
t.like(done.err, 'method.conf": File exists', 'and named')
t.is_(t.read('akl/method.conf'), block, 'it is as it was')
t.is_(sorted(os.listdir(os.path.join(t.dir, 'akl'))), before,
      'and nothing else is left behind')
t.is_(command(*PAGE, '--conf', 'akl/method.conf', '--force').code, 0,
      'but for --force')
t.is_(command(*PAGE, '--conf', 'nowhere/method.conf').code, 2,
      'a directory that is not there')

# ... and refuses what nginx would

for option, value, said in (
        ('--bound-namespaces', 'My_Namespace', 'invalid glob "My_Namespace"'),
        ('--bound-namespaces', 'a,,b', 'invalid glob ""'),
        ('--bound-pod-names', 'a b', 'invalid glob "a b"'),
        ('--bound-ips', '10.0.0.0/33', 'invalid address or CIDR'),
        ('--access-expires', 'tomorrow', 'neither RFC 3339'),
        ('--audience', '', 'audience'),
        ('--public-key', 'nonsense', 'neither PEM nor base64'),
        ('--public-key', '/nowhere.pub', 'No such file')):
    done = command('create-auth-method-k8s', '-n', 'x', option, value,
                   '--conf', 'refused.conf')
    t.is_((done.code, done.out), (2, ''), f'{option} {value}: refused')
    t.like(done.err, said, 'with the cause')
    t.unlike(done.err, 'refused.conf:', 'not with lines of a file to be')
t.ok(not [n for n in os.listdir(t.dir) if n.startswith(('refused', 'p-'))],
     'and nothing was written')

# a public key that one has

own = tokens.key('RSA-2048', 'gateway')
t.write('own.pub', own.public_pem())
for given in ('own.pub', own.public_pem(),
              base64.b64encode(own.public_pem().encode()).decode()):
    done = command(*PAGE, '--gen-key', 'false', '--public-key', given,
                   '--json')
    t.is_((done.code, list(done.json())), (0, ['access_id']),
          'a public key of one\'s own')

# Keys

done = command('keys', 'new', '--key-type', 'ec', '--out', 'sign.pem',
               '--json')
t.is_(done.code, 0, 'keys new')
t.is_((done.json()['alg'], mode('sign.pem'), mode('sign.pem.pub')),
      ('ES256', '0o600', '0o644'), 'in files')
t.is_(command('keys', 'new', '--out', 'sign.pem').code, 2,
      'that are not replaced')
pair = tokens.Key.load(t.read('sign.pem'))
t.is_(t.read('sign.pem.pub'), pair.public_pem(), 'the public half')
t.is_(done.json()['kid'], pair.thumbprint(), 'its thumbprint')
t.is_(command('keys', 'public', 'sign.pem').out, pair.public_pem(),
      'keys public')
t.is_(command('keys', 'public', '--key', '-', stdin=pair.pem()).out,
      pair.public_pem(), 'from standard input')
t.is_(tokens.Key.load(command('keys', 'new').out).alg, 'RS256',
      'keys new prints the key where no file is named')
done = command('keys', 'jwks', 'sign.pem', 'sign.pem.pub', 'own.pub')
t.is_([key['kid'] for key in done.json()['keys']],
      [pair.thumbprint(), own.thumbprint()], 'keys jwks, each key once')
t.ok(not [key for key in done.json()['keys'] if 'd' in key],
     'public members only')
t.write('broken.pem', 'no key')
done = command('keys', 'jwks', 'broken.pem')
t.is_((done.code, done.out), (2, ''), 'a broken key')
t.like(done.err, 'broken.pem.*neither PEM nor base64', 'is named')

# a rotation's steps are configurations that nginx takes

done = command('keys', 'rotate', '--signing-key', 'sign.pem', '--json')
plan = done.json()
t.is_([step['step'] for step in plan['steps']],
      ['Publish', 'Sign', 'Retire'], 'keys rotate')
t.is_(plan['prv_key_file'], os.path.realpath(t.dir) + '/sign-2.pem',
      'the next key')
t.is_((plan['alg'], mode('sign-2.pem')), ('ES256', '0o600'),
      'is of the same kind')
cluster = t.cluster()
for step in plan['steps']:
    config = re.sub(r' +signing_key .*', step['conf'], cluster.config())
    code, said = t.nginx(cluster.method() + config,
                         start=False).config_test()
    t.ok(code == 0, f'{step["step"]}: nginx -t takes it', said)
second = command('keys', 'rotate', '--signing-key', 'sign-2.pem', '--json')
t.like(second.json()['prv_key_file'], r'sign-3\.pem$', 'and so on')
t.like(command('keys', 'rotate', 'own.pub', '--out', 'n.pem').out,
       '(?s)1. Publish.*2. Sign.*3. Retire', 'in words')

# Completion

script = t.write('bash', command('completion', 'bash').out)
for words, there in (
        (['akl-k8s', 'cre'], 'create-auth-method-k8s'),
        (['akl-k8s', 'keys', 'ro'], 'rotate'),
        (['akl-k8s', 'create-auth-method-k8s', '--bound-n'],
         '--bound-namespaces'),
        (['akl-k8s', 'keys', '--key-type', 'ed'], 'ed25519')):
    got = subprocess.run(
        ['bash', '-c', f'. {script}; COMP_WORDS=({" ".join(words)}); '
         f'COMP_CWORD={len(words) - 1}; _akl_k8s; echo "${{COMPREPLY[*]}}"'],
        stdout=subprocess.PIPE, check=True, text=True).stdout.split()
    t.is_(got, [there], f'bash completes {" ".join(words)}')

zsh = command('completion', 'zsh').out
for name in names:
    t.ok(f"'{name}:" in zsh and f'        {name})' in zsh,
         f'zsh knows {name}')

done = command('keys', 'new', '--json')
t.is_(json.loads(done.out)['alg'], 'RS256', 'JSON alone on standard output')

t.done_testing()
