#!/usr/bin/python3
"""The documentation keeps up with the code."""

import glob
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
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
            set(re.findall(r'\{ ngx_string\("([a-z0-9_]+)"\), [01], ',
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
def each_file_that_the_walk_through_a_login_names_is_there():
    named = set(re.findall(r'`(src/[a-z0-9_./]*)`', read('docs', 'login.md')))
    t.ok(len(named) > 10, 'docs/login.md names files')
    t.is_(sorted(path for path in named
                 if not os.path.exists(os.path.join(ROOT, path))), [],
          'those that are not there')


@t.story
def each_directive_is_in_the_manual(source, manual):
    directives, members = directives_of(source)
    t.ok(len(directives) > 10, 'the directives are found')
    t.ok(len(members) > 20, 'those of the blocks too')
    t.is_(sorted(name for name in directives | members
                 if not re.search(rf'(`|\*\*|## ){name}\b', manual)), [],
          'those that are not in it')


@t.story
def each_variable_is_in_the_manual(source, manual):
    directives, members = directives_of(source)
    variables = set(re.findall(r'ngx_string\("(akl_k8s_\w+)"\),', source)) \
        - directives - members
    t.ok(len(variables) > 10, 'the variables are found')
    t.is_(sorted(name for name in variables
                 if not re.search(rf'\${name}(?<=_)|\${name}\b', manual)),
          [], 'those that are not in it')


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
