#!/usr/bin/python3
"""The pages on ingresses: their snippets, put together and tried.

Each controller has a template that says where its snippets go; FRAMES has
what of it matters here.
"""

import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import nginx  # noqa: E402
from akltest import Test  # noqa: E402
from examples import accepted, complaints, stand_ins  # noqa: E402

t = Test(need_module=True)

try:
    import yaml
except ImportError:
    t.skip_all('needs python3-yaml')

PAGES = os.path.join(nginx.ROOT, 'docs', 'ingress')

FRAME = '''\
pid /tmp/nginx.pid;
worker_processes 1;

%(main)s
events {
    worker_connections 1024;
}

http {
    %(http)s

    server {
        listen 127.0.0.1:8080;

        %(server)s

        location / {
            %(location)s
            proxy_pass http://127.0.0.1:8081;
        }
    }

    # what the controller itself is asked

    server {
        listen 127.0.0.1:10246;
        location /healthz { return 200; }
    }
}
'''

# where snippets are, by the object's kind, and what they are for

MEMBERS = {
    'main-snippet': 'main', 'main-snippets': 'main',
    'http-snippet': 'http', 'http-snippets': 'http',
    'server-snippet': 'server', 'server-snippets': 'server',
    'location-snippet': 'location', 'location-snippets': 'location',
    'nginx.ingress.kubernetes.io/configuration-snippet': 'location',
    'main': 'main', 'http.server': 'server',
    'http.server.location': 'location', 'http': 'http',
}


@t.shared
def files():
    """What stands for the files of /etc/akl."""
    return stand_ins(t.cluster())


def blocks(page):
    """Return the objects that a page shows."""
    with open(os.path.join(PAGES, page), encoding='utf-8') as file:
        text = file.read()
    return [yaml.safe_load(block) for block in
            re.findall(r'^```yaml\n(.*?)^```', text, re.M | re.S)]


def snippets(held):
    """Return the snippets of an object, by where they go."""
    found = {}

    def walk(value):
        if isinstance(value, dict):
            if set(value) == {'context', 'value'}:
                found[MEMBERS[value['context']]] = value['value']
            for name, member in value.items():
                if isinstance(member, str) and name in MEMBERS:
                    found[MEMBERS[name]] = member
                walk(member)
        elif isinstance(value, list):
            for member in value:
                walk(member)

    walk(held)
    return found


def pages():
    """Return the names of the pages on one ingress each."""
    return sorted(os.path.basename(path) for path in
                  glob.glob(os.path.join(PAGES, '*.md'))
                  if not path.endswith('README.md'))


def put_together(page):
    """Yield the name of an object, and the configuration that it makes.

    What has no auth config of its own stands beside the one that has.
    """
    whole = [(held, snippets(held)) for held in blocks(page)]
    home = next(found for _, found in whole if 'main' in found)
    for held, found in whole:
        if not found:
            continue
        if any('akl_k8s_' in text for text in found.values()):
            found = {**home, **found}
        yield f'{page}, {held["kind"]} {held["metadata"]["name"]}', \
            FRAME % {name: found.get(name, '') for name in
                     ('main', 'http', 'server', 'location')}


@t.story
def what_each_page_shows_is_accepted_without_a_warning(files):
    t.is_(pages(), ['f5-nginx.md', 'gateway-fabric.md', 'ingress-nginx.md'],
          'the pages')
    for page in pages():
        shown = list(put_together(page))
        t.ok(len(shown) >= 2, f'{page} shows both ways, or more')
        for name, conf in shown:
            code, output = accepted(os.path.join(
                t.dir, re.sub(r'\W+', '_', name)), conf, files)
            t.is_((code, complaints(output)), (0, []), name)


# which would be no test if anything were accepted

@t.story
def a_snippet_with_a_mistake_is_not_accepted(files):
    for page in pages():
        name, conf = list(put_together(page))[-1]
        code, output = accepted(
            os.path.join(t.dir, 'broken_' + re.sub(r'\W+', '_', page)),
            conf.replace('akl_k8s_guard ', 'akl_k8s_gaurd '), files)
        t.ok(code != 0, f'{name} with a mistake')
        t.like(output, 'akl_k8s_gaurd', 'it is named')


@t.story
def each_page_says_what_was_run_and_what_was_not():
    for page in pages():
        with open(os.path.join(PAGES, page), encoding='utf-8') as file:
            _, _, said = file.read().partition('## What was run\n')
        t.like(said, r'`nginx -t`', f'{page}: what was run')
        t.like(said, r'\n- Not run: ', f'{page}: what was not')


t.tell()
