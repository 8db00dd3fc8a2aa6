#!/usr/bin/python3
"""The documentation keeps up with the code."""

import glob
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import cli  # noqa: E402
import nginx  # noqa: E402
from akltest import Test  # noqa: E402

ROOT = nginx.ROOT

t = Test()


def read(*parts):
    """Return the text of a file of the project."""
    with open(os.path.join(ROOT, *parts), encoding='utf-8') as file:
        return file.read()


def pages():
    """Return the paths of all pages."""
    found = glob.glob(os.path.join(ROOT, '*.md'))
    for folder in ('docs', 'conf-examples', 'docker', 't'):
        found += glob.glob(os.path.join(ROOT, folder, '**', '*.md'),
                           recursive=True)
    return sorted(os.path.relpath(path, ROOT) for path in found)


@t.shared
def manual():
    """The pages on directives and variables, as one text."""
    return '\n'.join(read(page) for page in pages()
                     if re.match('docs/directives', page))


@t.shared
def source():
    """The nginx half of the module, as one text."""
    return '\n'.join(
        read(path) for path in ['ngx_http_akl_k8s_module.c'] + sorted(
            os.path.relpath(p, ROOT) for p in
            glob.glob(os.path.join(ROOT, 'src', 'http', '**', '*.c'),
                      recursive=True)))


def directives_of(source):
    """Return the names of directives, and of members of blocks."""
    return (set(re.findall(r'\{ ngx_string\("([a-z0-9_]+)"\),\s*'
                           r'NGX_(?:HTTP|CONF)_', source)),
            set(re.findall(r'ngx_http_akl_k8s_row\("([a-z0-9_]+)", [0-9N]',
                           source)))


@t.story
def each_reason_has_its_section_and_each_section_its_status():
    header = re.sub(r'\\\n\s*', '', read('src', 'k8s', 'reason.h'))
    reasons = {code: int(status) for code, status in re.findall(
        r'X\([A-Z_]+,\s*"(\w+)",\s*(\d+)', header) if code != 'ok'}
    told = {code: int(status) for code, status in re.findall(
        r'^### `(\w+)` \((\d+)\)$', read('docs', 'troubleshooting.md'),
        re.M)}
    t.ok(len(reasons) > 20, 'the reasons are found')
    t.is_(sorted(told), sorted(reasons), 'the sections')
    t.is_(told, reasons, 'their status')


@t.story
def the_table_of_costs_is_that_of_the_test_that_counts_them():
    held = re.findall(r'\{ "([^"]+)", (\d+), \w+ \}',
                      read('t', 'unit', 'parser_cost.c'))
    section = read('docs', 'security.md').split('## Cost\n')[1]
    told = re.findall(r'^\| (.+) \| (\d+) \| ([\d.]+) \|$',
                      section.split('\n## ')[0], re.M)
    t.ok(len(held) > 10, 'the limits are found')
    t.is_([row[:2] for row in told], held, 'parsers and their limits')
    t.is_([row for row in told if float(row[2]) > int(row[1])], [],
          'what was counted is within them')


# where the code has what a row of the limits tells; a time in its unit

LIMITS = {
    'a token': 'jose/jws.h:AKL_JWS_MAX',
    'body of a login': 'http/login/endpoint.h:NGX_HTTP_AKL_K8S_BODY_MAX',
    'body of an introspection':
        'http/token/introspect.c:NGX_HTTP_AKL_K8S_INTROSPECT_BODY_MAX',
    'body of a revocation':
        'http/token/revoke_body.h:NGX_HTTP_AKL_K8S_REVOKE_BODY_MAX',
    'depth of JSON': 'jose/doc_read.c:AKL_DOC_DEPTH',
    '`kid`': 'jose/jwk.h:AKL_KID_MAX',
    'a set of keys': 'jose/jwks.c:AKL_JWKS_MAX',
    'a file with a key, certificate or credential':
        'http/cluster/source.c:NGX_HTTP_AKL_K8S_SOURCE_MAX',
    'answer to a review': 'k8s/tokenreview.h:AKL_REVIEW_ANSWER_MAX',
    'answer with a namespace': 'k8s/namespace.h:AKL_NAMESPACE_ANSWER_MAX',
    'claims of a minted token': 'k8s/subclaims.h:AKL_CLAIMS_MAX',
    '`sub` of a minted token': 'k8s/subject.h:AKL_SUBJECT_MAX',
    'a glob': 'k8s/bounds.c:AKL_GLOB_MAX',
    'a `jti` or `sub` to revoke': 'k8s/revocation.h:AKL_REVOCATION_NAME',
    'a line in a file of revocations':
        'k8s/revocation.h:AKL_REVOCATION_LINE',
    'a file of revocations':
        'http/token/revocation_file.c:NGX_HTTP_AKL_K8S_REVOCATIONS_MAX',
    'the journal':
        'http/token/revocation_files.h:NGX_HTTP_AKL_K8S_JOURNAL',
    'the zone': 'http/conf/main.c:NGX_HTTP_AKL_K8S_ZONE_SIZE',
    'keys of a set': 'jose/jwks.c:AKL_JWKS_KEYS_MAX',
    '`token_audience`': 'http/token/mint.h:NGX_HTTP_AKL_K8S_AUDIENCES',
    '`audience` and `resource` of a token exchange':
        'http/form.h:NGX_HTTP_AKL_K8S_FORM_MANY',
    'reviews at once, of a config in a worker':
        'http/conf/main.c:NGX_HTTP_AKL_K8S_MAX_REVIEWS',
    'reviews that wait, likewise':
        'http/conf/main.c:NGX_HTTP_AKL_K8S_MAX_QUEUE',
    'a review, with all repetitions':
        'http/conf/main.c:NGX_HTTP_AKL_K8S_REVIEW_TIMEOUT',
    'a connect': 'http/conf/main.c:NGX_HTTP_AKL_K8S_CONNECT_TIMEOUT',
    'clocks that differ': 'k8s/pod_token.h:AKL_LEEWAY',
    'what `Retry-After` tells clients':
        'http/refusal.c:NGX_HTTP_AKL_K8S_RETRY_MAX',
}
# set by no number alone, or by several: the tests of the row hold these
UNNUMBERED = {
    'a header with a token', 'a signature', 'an RSA key',
    'revocations in the zone',
    'any lifetime or age in the configuration'}


def number_of(place):
    """Return what a macro of the code comes to."""
    path, name = place.split(':')
    text = re.search(rf'^#define {name}\s+(\w+|\(.*?\))(?=\s*(?:/\*|$))',
                     read('src', path), re.M)[1]
    text = re.sub(r'AKL_JWS_MAX', lambda _: str(number_of(
        'jose/jws.h:AKL_JWS_MAX')), text)
    if not re.fullmatch(r'[\d\s()+*]+', text):
        raise ValueError(f'{place} is {text}')
    out = 0
    for term in text.strip('()').split('+'):
        product = 1
        for factor in term.split('*'):
            product *= int(factor)
        out += product
    return out


@t.story
def the_limits_are_those_of_the_code():
    section = read('docs', 'security.md').split('## Limits\n')[1]
    lines = re.findall(r'^\| (?!size |number |time |---).*',
                       section.split('\n## ')[0], re.M)
    rows = dict(line.split(' | ')[:2] for line in
                (line.removeprefix('| ') for line in lines))
    t.is_(sorted(rows), sorted({*LIMITS, *UNNUMBERED}), 'the rows')
    t.is_([line for line in lines
           if not re.search(r'::|the same \|$', line)], [],
          'those that no test holds')
    for row, place in LIMITS.items():
        t.is_(rows.get(row, '').split()[:1], [f'{number_of(place):,}'], row)


@t.story
def each_file_that_the_walk_through_a_login_names_is_there():
    named = set(re.findall(r'`(src/[a-z0-9_./]*)`', read('docs', 'login.md')))
    t.ok(len(named) > 10, 'docs/login.md names files')
    t.is_(sorted(path for path in named
                 if not os.path.exists(os.path.join(ROOT, path))), [],
          'those that are not there')


@t.story
def the_manual_has_a_section_for_each_directive_and_for_nothing_else(
        source, manual):
    directives, members = directives_of(source)
    t.ok(len(directives) > 10, 'the directives are found')
    t.ok(len(members) > 20, 'those of the blocks too')
    t.is_(sorted(set(re.findall(r'^### `(\w+)`$', manual, re.M))),
          sorted(directives | members), 'the sections')


def variables():
    """Return the names of variables, without the dollar sign."""
    return set(re.findall(r'(?:ngx_string|_row)\("(akl_k8s_\w+)"',
                          read('src', 'http', 'variables.c')))


@t.story
def the_manual_has_a_row_for_each_variable_and_for_nothing_else(manual):
    t.ok(len(variables()) > 10, 'the variables are found')
    t.is_({re.sub('NAME$', '', name) for name in re.findall(
        r'^\| `\$(akl_k8s_\w+)` \|', manual, re.M)}, variables(), 'the rows')


@t.story
def no_page_names_a_directive_or_a_variable_that_is_none(source):
    directives, _ = directives_of(source)
    # what the example has its autoscaler look at is called by it
    own = set(re.findall(r'as: "?(akl_k8s_\w+)', read(
        'conf-examples', 'kubernetes', 'components', 'monitoring',
        'prometheus-adapter.yaml')))
    for page in pages():
        if page in ('CHANGELOG.md', 'CONTRIBUTING.md', 'docs/login.md'):
            continue            # of the past; of functions
        text = re.sub(r'(?:ngx_http_|nginx_)akl_k8s_\w*', '', read(page))
        named = set(re.findall(r'(?<![\w$"/-])akl_k8s_[a-z_]+\b', text))
        t.is_(sorted(named - directives - own), [],
              f'{page}: directives')
        named = set(re.findall(r'\$\{?(akl_k8s_[a-z_]+)', text))
        t.is_(sorted(name for name in named - variables()
                     if not name.startswith('akl_k8s_claim_')), [],
              f'{page}: variables')


@t.shared
def metrics():
    """The metrics, with those that make up a histogram, by their type."""
    text = '\n'.join(read(os.path.relpath(path, ROOT)) for path in glob.glob(
        os.path.join(ROOT, 'src', 'http', 'status', '*.c')))
    return {f'nginx_akl_k8s_{name}': kind for name, kind in re.findall(
        r'"([a-z_]+)",\s*"(counter|gauge|histogram)"', text)}


@t.story
def the_manual_has_a_row_for_each_metric_and_for_nothing_else(
        manual, metrics):
    t.ok(len(metrics) > 20, 'the metrics are found')
    t.is_(sorted(re.findall(r'^\| `(nginx_akl_k8s_\w+)` \|', manual, re.M)),
          sorted(metrics), 'the rows')


@t.story
def no_page_or_example_names_a_metric_that_is_none(metrics):
    known = set(metrics)
    for name, kind in metrics.items():
        if kind == 'histogram':
            known |= {f'{name}_{end}' for end in ('bucket', 'sum', 'count')}
    places = pages() + sorted(
        os.path.relpath(path, ROOT) for path in glob.glob(
            os.path.join(ROOT, 'conf-examples', '**', '*.*'), recursive=True)
        if path.endswith(('.yaml', '.json', '.conf', '.tpl')))
    seen = 0
    for place in places:
        # a name that goes on with "*" stands for several
        named = set(re.findall(r'\bnginx_akl_k8s_[a-z_]*[a-z]\b(?!_?\*)',
                               read(place)))
        if place != 'CHANGELOG.md' and named:
            seen += 1
            t.is_(sorted(named - known), [], place)
    t.ok(seen > 2, 'places that name metrics')


@t.story
def parameters_of_directives_are_those_of_their_syntax(source, manual):
    conf = '\n'.join(read(os.path.relpath(path, ROOT)) for path in glob.glob(
        os.path.join(ROOT, 'src', 'http', 'conf', '*.c')))
    syntax = '\n'.join(re.findall(r'^\| (?:Syntax)? +\| `(.*)` \|$', manual,
                                  re.M))
    code = set(re.findall(r'"([a-z_]+)="', conf))
    told = set(re.findall(r'\[([a-z_]+)\[?=', syntax))
    t.ok(len(code) > 5, 'parameters are found')
    t.is_(sorted(code - told), [], 'those in no syntax')
    t.is_(sorted(name for name in told
                 if not re.search(rf'"{name}=?"', source)), [],
          'those in no code')


@t.story
def members_of_logins_are_those_of_the_manual(manual):
    code = '\n'.join(read('src', 'http', 'login', f'{name}.c')
                     for name in ('akeyless', 'vault', 'oauth'))
    taken = set(re.findall(r'akl_doc_string\(doc, doc->nodes,\s*"([^"]+)"',
                           code))
    taken |= set(re.findall(r'ngx_string\("(\w+)"\), &?args\.', code))
    t.ok(len(taken) > 10, 'members are found')
    told = set(re.findall(r'`([a-z0-9_-]+)`', manual))
    t.is_(sorted(taken - told), [], 'those that are not in the manual')
    rows = re.search(r'^\| dialect \| request \|.*?^$', manual,
                     re.M | re.S)[0]
    named = set(re.findall(r'`([a-z0-9_-]+)`', rows)) \
        - {'akeyless', 'vault', 'oauth'}
    t.is_(sorted(named - taken), [], 'those that no dialect reads')


@t.story
def each_command_line_that_is_shown_has_options_that_its_command_takes():
    if not os.path.exists(cli.BINARY):
        t.skip('no akl-k8s: make cli')
        return
    commands = {name: set(re.findall(r'--([a-z0-9-]+)', cli.run(
        name, '--help').out)) for name in re.findall(
            r'^  ([a-z0-9-]+)  ', cli.run('--help').out, re.M)}
    t.ok(len(commands) > 6, 'commands are found', sorted(commands))
    shown = 0
    for page in pages():
        if page == 'CHANGELOG.md':
            continue
        text = re.sub(r'\\\n\s*', '', read(page))
        for line in re.findall(r'akl-k8s [^\n`]*', text):
            name = line.split()[1].strip('`')
            if name not in commands:
                continue
            named = set(re.findall(r'(?<=\s)--([a-z0-9-]+)', line))
            shown += len(named)
            t.is_(sorted(named - commands[name]), [],
                  f'{page}: {line.strip()[:60]}')
    t.ok(shown > 30, 'options that are shown', shown)


def broken_links(page):
    """Return the links of a page that lead nowhere."""
    text = re.sub(r'^```.*?^```', '', read(page), flags=re.M | re.S)
    broken = []
    for link in re.findall(r'\]\(([^)\s]+)\)', text):
        target, _, anchor = link.partition('#')
        if re.match(r'\w+:', link):
            continue
        path = os.path.normpath(os.path.join(
            ROOT, os.path.dirname(page), target)) if target \
            else os.path.join(ROOT, page)
        if not os.path.exists(path):
            broken.append(link)
        elif anchor and path.endswith('.md'):
            heads = re.findall(r'^#+ (.*)$', read(path), re.M)
            slugs = [re.sub(r'[^\w\- ]', '', head.lower()).replace(' ', '-')
                     for head in heads]
            if anchor not in slugs:
                broken.append(link)
    return broken


def locked():
    """Return the versions of the manifests and lock files in t/interop."""
    out = {}
    for kind in 'go', 'akeyless-go':
        for line in read('t', 'interop', kind, 'go.mod').splitlines():
            match = re.match(r'(?:require)?\s+(\S+) v([\d.]+)$', line)
            if match:
                out[f'Go `{match[1]}`'] = match[2]
    for name, version in json.loads(read(
            't', 'interop', 'node', 'package.json'))['dependencies'].items():
        out[f'npm `{name}`'] = version
    for name, version in re.findall(
            r'<artifactId>([^<]+)</artifactId>\s*<version>([\d.]+\d)<',
            read('t', 'interop', 'java', 'pom.xml')):
        out[f'Java `{name}`'] = version
    for version in re.findall(r'^jsonwebtoken = .*"=([\d.]+)"', read(
            't', 'interop', 'rust', 'Cargo.toml'), re.M):
        out['Rust `jsonwebtoken`'] = version
    return out


@t.story
def each_client_of_a_lock_file_is_told_of_with_its_version():
    table = dict(re.findall(r'^\| ([^|]+) \| ([\d.]+) \|',
                            read('docs', 'compatibility.md'), re.M))
    found = locked()
    t.ok(len(found) > 10, 'the clients are found')
    t.is_({name: table.get(name) for name in found}, found, 'the table')


@t.story
def each_test_that_the_threat_model_names_is_there():
    page = read('docs', 'security.md')
    named = re.findall(r'`([a-z0-9_]+)\.([tc])::(\w+)`', page)
    t.ok(len(named) > 100, 'the threat model names tests')
    text = {(file, kind): read(*(['t'] if kind == 't' else ['t', 'unit']),
                               f'{file}.{kind}')
            for file, kind, _ in named}
    t.is_([f'{file}.{kind}::{story}' for file, kind, story in named
           if not re.search(
               rf'^{"def " if kind == "t" else ""}{story}\(',
               text[file, kind], re.M)], [],
          'those that are not there')
    rows = re.search(r'## Threat model.*?\n## ', page, re.S)[0]
    t.is_([row for row in re.findall(r'^\| (?!attack|---|\*\*).*', rows, re.M)
           if '::' not in row], [], 'attacks that no test holds')


@t.story
def no_link_between_pages_or_into_the_code_is_broken():
    for page in pages():
        t.is_(broken_links(page), [], page)


@t.story
def each_file_that_a_page_names_is_there():
    for page in pages():
        names = set(re.findall(
            r'`((?:src|t|docs|docker|conf-examples)/[\w./-]+\.\w+)`',
            read(page)))
        t.is_(sorted(name for name in names
                     if not os.path.exists(os.path.join(ROOT, name))), [],
              page)


t.tell()
