#!/usr/bin/python3
"""akl-k8s: help, options, auth methods, key pairs, completion."""

import base64
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import nginx as nginx_  # noqa: E402
import tokens  # noqa: E402
from akltest import Test  # noqa: E402
from cli import TERMINALS, Desk, run, run_on_terminal  # noqa: E402

ACCESS_ID = r'^p-([A-Za-z0-9]{14}|[A-Za-z0-9]{12})$'
ALGS = {'rsa': 'RS256', 'ec': 'ES256', 'p384': 'ES384', 'ed25519': 'EdDSA'}

# the command line of Akeyless' page

PAGE = ('create-auth-method-k8s', '-n', 'my-k8s-auth-method',
        '--bound-pod-names', 'mypod1', '--bound-pod-names', 'mypod2',
        '--bound-namespaces', 'my-namespace-a')

t = Test(need_module=True)


@t.shared
def names():
    """The names of all commands, as the help has them."""
    return re.findall(r'^  ([a-z][a-z0-9-]+)  ', run('--help').out, re.M)


@t.own
def desk():
    """Where a story runs the program."""
    return Desk(t)


@t.shared
def ec_key():
    """An elliptic key of the gateway's."""
    return tokens.key('P-256', 'gateway')


@t.shared
def own():
    """An RSA key that one has."""
    return tokens.key('RSA-2048', 'gateway')


# Help

@t.story
def help_names_the_commands(names):
    t.is_(run().code, 2, 'without a command it is usage')
    done = run('--help')
    t.is_((done.code, done.err), (0, ''), '--help is no error')
    t.ok(len(names) >= 3, 'it does')
    t.like(run('--version').out, r'^akl-k8s \d+\.\d+\.\d+\n$', '--version')


@t.story
def help_and_the_man_page_tell_each_option_of_each_command(names):
    with open(nginx_.ROOT + '/docs/akl-k8s.1', encoding='utf-8') as file:
        manual = file.read().replace('\\-', '-')
    common = manual.partition('.Ss ')[0]
    for name in names:
        done = run(name, '--help')
        t.is_((done.code, done.err), (0, ''), f'{name} --help')
        t.like(done.out, rf'example:\n  akl-k8s {name}\b',
               f'{name}: an example')
        wide = [line for line in done.out.splitlines() if len(line) > 80]
        t.is_(wide, [], f'{name}: help fits a terminal')
        options = re.findall(r'^  (?:-\w, |    )--([a-z0-9-]+)', done.out,
                             re.M)
        t.ok('json' in options, f'{name}: --json everywhere')
        section = re.search(rf'^\.Ss {name}\b(.*?)(?=^\.S[sh] )', manual,
                            re.M | re.S)
        t.ok(section, f'{name} is in the man page')
        told = common + (section.group(1) if section else '')
        t.is_([o for o in options if not re.search(
            rf'^\.It Fl (\w , )?-{o}\b', told, re.M)], [],
              f'{name}: with each of its options')


@t.story
def a_mistake_on_the_command_line_is_2_and_told():
    for args, said in (
            (('create-auth-method',), 'no command.*\n.*create-auth-method-k8s'),
            (('create-auth-method-k8s',), '--name. is missing'),
            (('create-auth-method-k8s', '--nam', 'x'),
             'did you mean "--name"'),
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
            (('keys', 'new', '\x1b[2Jx', '--key-type=\x1b[2J'),
             r'\\x1b\[2J'),
            (('completion', 'fish'), 'bash or zsh')):
        done = run(*args)
        t.is_((done.code, done.out), (2, ''), f'{args[1:] or args}')
        t.like(done.err, said.replace('|', r'\|'), f'which says {said}')
        if args[0] != 'create-auth-method':
            done = run(args[0], '--json', *args[1:])
            t.is_((done.code, done.json()['exit']), (2, 2), 'in JSON too')
            t.like(done.json()['error'],
                   said.split('.*')[0].replace('|', r'\|'),
                   'with the same words')


@t.story
def colours_are_for_somebody_who_sees_them():
    if TERMINALS:
        t.like(run_on_terminal('--help').out, '\x1b', 'on a terminal')
        t.unlike(run_on_terminal('--help', env={'NO_COLOR': '1'}).out,
                 '\x1b', 'none with NO_COLOR')
        t.unlike(run_on_terminal('--help', env={'TERM': 'dumb'}).out,
                 '\x1b', 'none on a dumb terminal')
    else:
        t.skip('there are no terminals here', 3)
    t.unlike(run('--help').out + run('keys').err, '\x1b', 'none in a pipe')


# An auth method

@t.story
def the_pages_own_command_line_makes_an_auth_method():
    done = run(*PAGE, '--json')
    t.is_((done.code, done.err), (0, ''), 'with --json')
    made = done.json()
    t.is_(sorted(made), ['access_id', 'prv_key'], 'the JSON of the page')
    t.like(made['access_id'], ACCESS_ID, 'an access id')
    t.is_(made['access_id'][-2], 'k', 'of the kind of Kubernetes')
    pem = base64.b64decode(made['prv_key'], validate=True)
    t.ok(pem.startswith(b'-----BEGIN RSA PRIVATE KEY-----'),
         'an RSA key, PEM')
    t.is_(tokens.Key.load(pem).private.key_size, 2048, 'of 2048 bits')
    t.isnt(run(*PAGE, '--json').json()['access_id'], made['access_id'],
           'another one each time')
    done = run(*PAGE)
    t.like(done.out, r'Auth Method my-k8s-auth-method was created\.\n'
           r'- Access ID: p-\w+\n- Private key: [\w+/=]+\n', 'in words')
    t.like(done.out, r'bound_pod_names mypod1 mypod2;', 'with the block')


@t.story
def each_type_of_key_is_for_its_algorithm():
    for kind, alg in ALGS.items():
        key = run(*PAGE, '--json', '--key-type', kind).json()['prv_key']
        t.is_(tokens.Key.load(base64.b64decode(key)).alg, alg,
              f'--key-type {kind}')


@t.story
def nginx_takes_the_files_of_an_auth_method(desk):
    os.mkdir(desk.path('akl'))
    done = desk.run(
        *PAGE, '--conf', 'akl/method.conf', '--bound-sa-names',
        'builder,web-*', '--bound-ips', '10.0.0.0/8,::1', '--audience',
        'api', '--access-expires', '4102444800', '--jwt-ttl=20',
        '--key-type=ec', '--gw-bound-ips', '10.1.1.1',
        '--force-sub-claims', '--audit-logs-claims=sub')
    t.is_(done.code, 0, '--conf')
    access_id = re.search(r'Access ID: (\S+)', done.out).group(1)
    t.unlike(done.both(), 'PRIVATE|LS0tLS1', 'the key is not shown then')
    t.is_(len(re.findall('^note: --', done.err, re.M)), 3,
          'what means nothing here is told')
    t.is_((desk.mode(f'akl/{access_id}.pem'),
           desk.mode(f'akl/{access_id}.pub'), desk.mode('akl/method.conf')),
          ('0o600', '0o644', '0o644'), 'nobody else reads the key')
    t.is_(desk.read('akl/method.conf'),
          f'''# my-k8s-auth-method, made by akl-k8s

akl_k8s_auth_method {access_id} {{
    bound_namespaces my-namespace-a;
    bound_pod_names mypod1 mypod2;
    bound_sa_names builder web-*;
    bound_ips 10.0.0.0/8 ::1;
    audience api;
    access_expires 4102444800;
    token_ttl 20m;
    public_key {os.path.realpath(desk.dir)}/akl/{access_id}.pub;
}}
''', 'the block')
    code, said = t.nginx(f'include {desk.dir}/akl/method.conf;',
                         start=False).config_test()
    t.ok(code == 0, 'nginx -t', said)


@t.story
def a_file_that_is_there_is_replaced_by_force_alone(desk):
    t.is_(desk.run(*PAGE, '--conf', 'method.conf').code, 0, 'a new file')
    before, block = desk.names(), desk.read('method.conf')
    done = desk.run(*PAGE, '--conf', 'method.conf')
    t.is_(done.code, 2, 'it is not replaced')
    t.like(done.err, 'method.conf": File exists', 'and named')
    t.is_(desk.read('method.conf'), block, 'it is as it was')
    t.is_(desk.names(), before, 'and nothing else is left behind')
    t.is_(desk.run(*PAGE, '--conf', 'method.conf', '--force').code, 0,
          'but for --force')
    t.isnt(desk.read('method.conf'), block, 'by the new one')
    t.is_(desk.run(*PAGE, '--conf', 'nowhere/method.conf').code, 2,
          'a directory that is not there')


@t.story
def what_nginx_would_refuse_is_refused_and_not_written(desk):
    for option, value, said in (
            ('--bound-namespaces', 'My_Namespace',
             'invalid glob "My_Namespace"'),
            ('--bound-namespaces', 'a,,b', 'invalid glob ""'),
            ('--bound-pod-names', 'a b', 'invalid glob "a b"'),
            ('--bound-ips', '10.0.0.0/33', 'invalid address or CIDR'),
            ('--access-expires', 'tomorrow', 'neither RFC 3339'),
            ('--audience', '', 'audience'),
            ('--public-key', 'nonsense', 'neither PEM nor base64'),
            ('--public-key', '/nowhere.pub', 'No such file')):
        done = desk.run('create-auth-method-k8s', '-n', 'x', option, value,
                        '--conf', 'refused.conf')
        t.is_((done.code, done.out), (2, ''), f'{option} {value}')
        t.like(done.err, said, 'with the cause')
        t.unlike(done.err, 'refused.conf:', 'not with lines of a file to be')
    t.is_(desk.names(), [], 'nothing is there')


@t.story
def a_public_key_that_one_has_makes_no_other(desk, own):
    desk.write('own.pub', own.public_pem())
    for name, given in (
            ('in a file', 'own.pub'), ('as PEM', own.public_pem()),
            ('in base64',
             base64.b64encode(own.public_pem().encode()).decode())):
        done = desk.run(*PAGE, '--gen-key', 'false', '--public-key', given,
                        '--json')
        t.is_((done.code, list(done.json())), (0, ['access_id']), name)


# Keys

@t.story
def a_new_key_goes_into_files_that_are_not_replaced(desk):
    done = desk.run('keys', 'new', '--key-type', 'ec', '--out', 'sign.pem',
                    '--json')
    t.is_(done.code, 0, 'keys new')
    t.is_((done.json()['alg'], desk.mode('sign.pem'),
           desk.mode('sign.pem.pub')), ('ES256', '0o600', '0o644'),
          'in files')
    pair = tokens.Key.load(desk.read('sign.pem'))
    t.is_(desk.read('sign.pem.pub'), pair.public_pem(), 'the public half')
    t.is_(done.json()['kid'], pair.thumbprint(), 'its thumbprint')
    t.is_(desk.run('keys', 'new', '--out', 'sign.pem').code, 2, 'once more')
    t.is_(tokens.Key.load(desk.read('sign.pem')).thumbprint(),
          pair.thumbprint(), 'the key is as it was')


@t.story
def a_new_key_is_printed_where_no_file_is_named():
    t.is_(tokens.Key.load(run('keys', 'new').out).alg, 'RS256', 'as PEM')
    t.is_(json.loads(run('keys', 'new', '--json').out)['alg'], 'RS256',
          'JSON alone on standard output')


@t.story
def public_halves_are_printed_as_pem_and_as_jwks(desk, ec_key, own):
    desk.write('sign.pem', ec_key.pem(), 0o600)
    desk.write('sign.pem.pub', ec_key.public_pem())
    desk.write('own.pub', own.public_pem())
    t.is_(desk.run('keys', 'public', 'sign.pem').out, ec_key.public_pem(),
          'keys public')
    t.is_(run('keys', 'public', '--key', '-', stdin=ec_key.pem()).out,
          ec_key.public_pem(), 'from standard input')
    done = desk.run('keys', 'jwks', 'sign.pem', 'sign.pem.pub', 'own.pub')
    t.is_([key['kid'] for key in done.json()['keys']],
          [ec_key.thumbprint(), own.thumbprint()],
          'keys jwks, each key once')
    t.ok(not [key for key in done.json()['keys'] if 'd' in key],
         'public members only')
    desk.write('broken.pem', 'no key')
    done = desk.run('keys', 'jwks', 'broken.pem')
    t.is_((done.code, done.out), (2, ''), 'a broken key')
    t.like(done.err, 'broken.pem.*neither PEM nor base64', 'is named')


@t.story
def the_steps_of_a_rotation_are_configurations_that_nginx_takes(
        desk, ec_key):
    desk.write('sign.pem', ec_key.pem(), 0o600)
    plan = desk.run('keys', 'rotate', '--signing-key', 'sign.pem',
                    '--json').json()
    t.is_([step['step'] for step in plan['steps']],
          ['Publish', 'Sign', 'Retire'], 'keys rotate')
    t.is_(plan['prv_key_file'], os.path.realpath(desk.dir) + '/sign-2.pem',
          'the next key')
    t.is_((plan['alg'], desk.mode('sign-2.pem')), ('ES256', '0o600'),
          'is of the same kind')
    cluster = t.cluster()
    for step in plan['steps']:
        config = re.sub(r' +signing_key .*', step['conf'], cluster.config())
        code, said = t.nginx(cluster.method() + config,
                             start=False).config_test()
        t.ok(code == 0, f'{step["step"]}: nginx -t', said)
    second = desk.run('keys', 'rotate', '--signing-key', 'sign-2.pem',
                      '--json')
    t.like(second.json()['prv_key_file'], r'sign-3\.pem$', 'and so on')


@t.story
def a_rotation_is_told_in_words(desk, own):
    desk.write('own.pub', own.public_pem())
    t.like(desk.run('keys', 'rotate', 'own.pub', '--out', 'n.pem').out,
           '(?s)1. Publish.*2. Sign.*3. Retire', 'three steps')


# Completion

@t.story
def bash_completes_commands_options_and_values(desk):
    script = desk.write('bash', run('completion', 'bash').out)
    for words, there in (
            (['akl-k8s', 'cre'], 'create-auth-method-k8s'),
            (['akl-k8s', 'keys', 'ro'], 'rotate'),
            (['akl-k8s', 'create-auth-method-k8s', '--bound-n'],
             '--bound-namespaces'),
            (['akl-k8s', 'keys', '--key-type', 'ed'], 'ed25519')):
        got = subprocess.run(
            ['bash', '-c', f'. {script}; COMP_WORDS=({" ".join(words)}); '
             f'COMP_CWORD={len(words) - 1}; _akl_k8s; '
             'echo "${COMPREPLY[*]}"'],
            stdout=subprocess.PIPE, check=True, text=True).stdout.split()
        t.is_(got, [there], ' '.join(words))


@t.story
def zsh_knows_each_command(names):
    zsh = run('completion', 'zsh').out
    for name in names:
        t.ok(f"'{name}:" in zsh and f'        {name})' in zsh, name)


t.tell()
