#!/usr/bin/python3
"""The documentation keeps up with the code."""

import glob
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


# reasons: code and status of each

header = re.sub(r'\\\n\s*', '', read('src', 'k8s', 'reason.h'))
reasons = {code: int(status) for code, status in re.findall(
    r'X\([A-Z_]+,\s*"(\w+)",\s*(\d+)', header) if code != 'ok'}
told = {code: int(status) for code, status in re.findall(
    r'^### `(\w+)` \((\d+)\)$', read('docs', 'troubleshooting.md'), re.M)}

t.ok(len(reasons) > 20, 'the reasons are found')
t.is_(sorted(told), sorted(reasons), 'each reason has its section')
t.is_(told, reasons, 'and each section its status')


# the map of docs/login.md

walk = read('docs', 'login.md')
named = set(re.findall(r'`(src/[a-z0-9_./]*)`', walk))

t.ok(len(named) > 10, 'docs/login.md names files')
t.is_(sorted(path for path in named
             if not os.path.exists(os.path.join(ROOT, path))), [],
      'each file that docs/login.md names is there')


# directives and variables

source = '\n'.join(
    read(path) for path in ['ngx_http_akl_k8s_module.c'] + sorted(
        os.path.relpath(p, ROOT) for p in
        glob.glob(os.path.join(ROOT, 'src', 'http', '**', '*.c'),
                  recursive=True)))
directives = set(re.findall(
    r'\{ ngx_string\("([a-z0-9_]+)"\),\s*NGX_(?:HTTP|CONF)_', source))
members = set(re.findall(r'\{ ngx_string\("([a-z0-9_]+)"\), [01], ', source))
variables = set(re.findall(r'ngx_string\("(akl_k8s_\w+)"\),', source)) \
    - directives - members
manual = '\n'.join(read(page) for page in sorted(
    os.path.relpath(p, ROOT)
    for p in glob.glob(os.path.join(ROOT, 'docs', 'directives*.md'))))

t.ok(len(directives) > 10, 'the directives are found')
t.ok(len(members) > 20, 'those of the blocks too')
t.ok(len(variables) > 10, 'and the variables')
t.is_(sorted(name for name in directives | members
             if not re.search(rf'(`|\*\*|## ){name}\b', manual)), [],
      'each directive is in the manual')
t.is_(sorted(name for name in variables
             if not re.search(rf'\${name}(?<=_)|\${name}\b', manual)), [],
      'and each variable')

# links between pages, and into the code

for page in pages():
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
    t.is_(broken, [], f'links of {page}')

# files of the code that pages name

for page in pages():
    names = set(re.findall(
        r'`((?:src|t|docs|docker|conf-examples)/[\w./-]+\.\w+)`',
        read(page)))
    t.is_(sorted(name for name in names
                 if not os.path.exists(os.path.join(ROOT, name))), [],
          f'files that {page} names')

t.done_testing()
