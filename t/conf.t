#!/usr/bin/python3
"""What `nginx -t` accepts, refuses and warns of.

Each file of t/conf is what an http block includes.  Its leading comment
lines are the messages it must provoke: [emerg] in bad, [warn] in warn;
in good they say what the file shows.  @NAME@ stands for a value of below,
@conf@ for the file itself.
"""

import base64
import glob
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import certs  # noqa: E402
import tokens  # noqa: E402
from akltest import ACCESS_ID, CONFIG, NAMESPACE, Test, free_port  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
DAY = 86400

NOTHING = {'emerg': [], 'warn': [], 'alert': [], 'crit': [], 'error': []}

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster; nothing of it may be asked."""
    return t.cluster()


def b64(text):
    """Return base64 of a text, as Akeyless hands out its PEM."""
    return base64.b64encode(text.encode()).decode()


def reviewer(ttl, pod=None):
    """Return a reviewer's token that ends in ttl seconds."""
    return tokens.k8s_sign(tokens.projected(
        'kube-system', ('reviewer', 'uid-1'), pod=pod, now=time.time(),
        ttl=ttl), tokens.key('RSA-2048', 'cluster'))


def mount(name, **files):
    """Make a directory as it is mounted into pods; return its path."""
    path = os.path.join(t.dir, name)
    os.makedirs(path)
    for file, text in files.items():
        tokens.write_file(os.path.join(path, file.replace('_', '.')), text)
    return path


def sparse(name, size):
    """Make a file of that size, without its blocks; return its path."""
    path = os.path.join(t.dir, name)
    with open(path, 'wb') as file:
        file.truncate(size)
    return path


def values_of(cluster):
    """Return what stands for @NAME@ in the files, but for needed_of."""
    gateway = tokens.key('RSA-2048', 'gateway')
    expired_ca = certs.Authority(days=-1).pem
    ca = cluster.api.read('ca.crt')
    client = certs.Authority().client('akl', ['system:masters'])
    stale = certs.Authority().client('akl', days=-1)
    near = reviewer(DAY // 2)
    bound = reviewer(30 * DAY, pod=('gateway-0', 'uid-2'))
    both = reviewer(DAY // 2, pod=('gateway-0', 'uid-2'))
    expired = reviewer(-60)
    good_jwt = reviewer(30 * DAY)
    return {
        'dir': t.dir,
        'host': cluster.url,
        'port': str(free_port()),
        'ca': cluster.ca,
        'ca_base64': b64(ca),
        'ca_bundle': cluster.file('bundle.crt', ca + expired_ca),
        'ca_expired': cluster.file('expired.crt', expired_ca),
        'ca_broken': cluster.file('broken.crt', ca[:200] + '!' + ca[201:]),
        'ca_trailing': cluster.file('trailing.crt',
                                    ca + ca.replace('MII', 'M!I', 1)),
        'signing_key': cluster.signing_key(),
        'signing_base64': b64(gateway.pem()),
        'signing_base64_file': cluster.file('signing.b64', b64(gateway.pem())),
        'signing_p256': cluster.signing_key('P-256'),
        'signing_p384': cluster.signing_key('P-384'),
        'signing_ed25519': cluster.signing_key('Ed25519'),
        'signing_p521': cluster.signing_key('P-521'),
        'signing_roca': cluster.file('roca.pem', tokens.roca_key().pem()),
        'signing_weak': cluster.signing_key('RSA-1024'),
        'signing_open': cluster.file('open.pem', gateway.pem(), 0o644),
        'signing_locked': cluster.file('locked.pem', gateway.pem('secret')),
        'public_key': cluster.file('signing.pub', gateway.public_pem()),
        'other_public': cluster.file(
            'other.pub', tokens.key('RSA-2048', 'other').public_pem()),
        'weak_public': cluster.file(
            'weak.pub', tokens.key('RSA-1024', 'gateway').public_pem()),
        'previous': cluster.file(
            'previous.pub', tokens.key('P-256', 'previous').public_pem()),
        'revocations': cluster.file(
            'good.list', '{"jti":"a","until":9000000000}\n\n'),
        'revocations_broken': cluster.file(
            'broken.list', '{"jti":"a","until":9000000000}\nx\n'),
        'reviewer': cluster.reviewer,
        'reviewer_text': good_jwt,
        'reviewer_expired': cluster.file('expired.jwt', expired),
        'reviewer_near': cluster.file('near.jwt', near),
        'reviewer_bound': cluster.file('bound.jwt', bound),
        'reviewer_both': cluster.file('both.jwt', both),
        'reviewer_base64': cluster.file('base64.jwt', b64(good_jwt)),
        'reviewer_quoted': cluster.file('quoted.jwt', f'"{good_jwt}"\n'),
        'reviewer_bearer': cluster.file('bearer.jwt', f'Bearer {good_jwt}\n'),
        'reviewer_escaped': cluster.file('escaped.jwt', good_jwt + '\\n'),
        'reviewer_json': cluster.file(
            'json.jwt', '{"kind":"TokenRequest","status":{"token":"x"}}'),
        'ca_escaped': cluster.file('escaped.crt', ca.replace('\n', '\\n')),
        'ca_indented': cluster.file(
            'indented.crt', ca.replace('\n', '\n    ').strip()),
        'ca_quoted': cluster.file('quoted.crt', f"'{ca.strip()}'"),
        'ca_cut': cluster.file('cut.crt', ca[:ca.index('-----END')]),
        'reviewer_blank': cluster.file('blank.jwt', good_jwt + ' x'),
        'client_cert': cluster.file('own.crt', client[0]),
        'client_key': cluster.file('own.key', client[1]),
        'client_open': cluster.file('open.key', client[1], 0o644),
        'client_other': cluster.file('other.key',
                                     tokens.key('P-256', 'other').pem()),
        'client_stale': cluster.file('stale.crt', stale[0]),
        'rancher_key': cluster.file('rancher.key', 'token-abcde:' + 'k' * 54),
        'rancher_open': cluster.file('rancher-open.key',
                                     'token-abcde:' + 'k' * 54, 0o644),
        'jwks': cluster.jwks,
        'jwks_broken': cluster.file('broken.json', '{"keys":'),
        'jwks_empty': cluster.file('none.json', '{"keys":[]}'),
        'empty': cluster.file('empty', ' \n'),
        'junk': cluster.file('junk', 'neither this nor that\n'),
        'large': cluster.file('large', 'x' * (1024 * 1024 + 1)),
        'pipe': os.path.join(t.dir, 'pipe'),
        'revocations_large': sparse('huge.list', 64 * 1024 * 1024 + 1),
        'long_label': 'x' * 64 + '.example',
        'long_glob': 'x' * 513,
        'mount': mount('mount', ca_crt=ca, token=bound),
        'mount_old_ca': mount('mount-old-ca', ca_crt=expired_ca, token=bound),
        'mount_no_ca': mount('mount-no-ca', ca_crt='junk', token=bound),
        'mount_expired': mount('mount-expired', ca_crt=ca, token=expired),
        'inner': cluster.file('inner.conf', f'k8s_host {cluster.url};\n'),
        'inner_bad': cluster.file('inner-bad.conf',
                                  '\nk8s_hots https://127.0.0.1;\n'),
        'inner_bounds': cluster.file(
            'inner-bounds.conf', 'bound_pod_names mypod1;\n'),
        'method': f'akl_k8s_auth_method {ACCESS_ID} '
                  f'{{ bound_namespaces {NAMESPACE}; }}',
    }


def needed_of(values):
    """Return the directives that a config needs, by the place they stand in.

    @but_NAME@ is all of them but one.
    """
    needed = {
        'access_id': ACCESS_ID, 'signing_key': values['signing_key'],
        'k8s_host': values['host'], 'k8s_ca_cert': values['ca'],
        'token_reviewer_jwt': values['reviewer'],
        'k8s_issuer': tokens.ISSUER}

    def members(*without):
        """Return directives on one line."""
        return ' '.join(f'{name} {value};' for name, value in needed.items()
                        if name not in without)

    return {
        'needed': members(),
        **{'but_' + name: members(name) for name in needed},
        'but_tokens': members('token_reviewer_jwt'),
        'in_pod': members('k8s_host', 'k8s_ca_cert', 'token_reviewer_jwt'),
        'config': f'akl_k8s_auth_config {CONFIG} {{ {members()} }}'}


@t.shared
def values(cluster):
    """What stands for @NAME@ in the files, and the files it names."""
    made = values_of(cluster)
    os.mkfifo(made['pipe'])
    return {**made, **needed_of(made)}


@t.shared
def nginx(cluster):
    """An nginx that is only tested, in a pod."""
    return t.nginx(start=False, limits=False, env={
        'KUBERNETES_SERVICE_HOST': '127.0.0.1',
        'KUBERNETES_SERVICE_PORT': str(cluster.port)})


@t.shared
def run(nginx, values):
    """Run a file: tell the lines that it expects, what it got, the code."""
    def once(path):
        with open(path, encoding='utf-8') as file:
            text = file.read()
        place = os.path.join(t.dir, os.path.basename(path))

        def value(match):
            return place if match.group(1) == 'conf' \
                else values[match.group(1)]

        outside = '@no_environment@' in text
        text = text.replace('@no_environment@', '')
        text = re.sub(r'@([a-z_][a-z0-9_]*)@', value, text)
        tokens.write_file(place, text)
        comment = re.match(r'(?:#.*\n)+', text).group(0)
        env, nginx.env = nginx.env, {} if outside else nginx.env
        code, output = nginx.config_test(http=f'include {place};')
        nginx.env = env
        got = {level: re.findall(rf'^nginx: \[{level}\] (.*)$', output, re.M)
               for level in NOTHING}
        return re.findall(r'^# (.*)$', comment, re.M), got, code
    return once


def files(kind):
    """Return name and path of each file of a kind: good, warn, bad."""
    paths = sorted(glob.glob(os.path.join(HERE, 'conf', kind, '*.conf')))
    t.ok(len(paths) > 5, 'there are files of this kind', paths)
    return [(os.path.basename(path), path) for path in paths]


def asks_nobody(cluster):
    """Pass if no API server was connected to."""
    t.is_(cluster.api.stats()['connections'], 0,
          'nginx -t connects to no API server')


@t.story
def a_good_configuration_is_accepted_without_a_word(cluster, run):
    for name, path in files('good'):
        _, got, code = run(path)
        t.is_((code, got), (0, NOTHING), name)
    asks_nobody(cluster)


@t.story
def a_doubtful_configuration_is_accepted_with_its_warnings(cluster, run):
    for name, path in files('warn'):
        wanted, got, code = run(path)
        t.is_((code, got), (0, {**NOTHING, 'warn': wanted}), name)
    asks_nobody(cluster)


@t.story
def a_bad_configuration_is_refused_with_its_message(cluster, run):
    for name, path in files('bad'):
        wanted, got, code = run(path)
        t.is_((code, got), (1, {**NOTHING, 'emerg': wanted}), name)
    asks_nobody(cluster)


@t.story
def no_file_is_of_another_kind():
    t.is_({os.path.basename(os.path.dirname(path)) for path in glob.glob(
        os.path.join(HERE, 'conf', '*', '*.conf'))}, {'good', 'warn', 'bad'},
          'the kinds')


t.tell()
