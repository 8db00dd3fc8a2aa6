#!/usr/bin/python3
"""Inputs for the fuzzers that are not in t/fuzz/corpus: recorded answers.

    t/fuzz/seeds.py DIRECTORY

writes them to a directory for each target, the same bytes each time.
"""

import base64
import glob
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(os.path.dirname(HERE), 'fixtures')


def read(path):
    """Return the bytes of a file."""
    with open(path, 'rb') as file:
        return file.read()


def payload(token):
    """Return the payload of a token as its bytes, b'' where it has none."""
    try:
        part = token.split('.')[1]
        return base64.urlsafe_b64decode(part + '=' * (-len(part) % 4))
    except (IndexError, ValueError):
        return b''


def recorded(path, kind):
    """Yield (target, input) of what one recorded answer is good for."""
    stem = path[:-len('.head')]
    status = read(path).split()[1]
    if kind == 'review':
        body = read(stem + '.response.json')
        yield 'tokenreview', status + b' ' + body
        yield 'doc', body
        yield 'json', body
        token = json.loads(read(stem + '.request.json'))['spec'].get('token')
        if token:
            yield 'pod_token', token.encode()
            yield 'jws', token.encode()
            yield 'verify', token.encode()
            if payload(token).startswith(b'{'):
                yield 'pod_token', payload(token)
                yield 'rules', b'sub=*,?\nx\n' + payload(token)
    elif os.path.basename(stem).startswith('namespace'):
        asked = json.loads(read(stem + '.get.json'))['path'].split('/')[-1]
        for labels in (b'', b'kubernetes.io/metadata.name=my-namespace-a',
                       b'team=a env=prod'):
            yield 'namespace', b'\n'.join(
                (labels, status + b' ' + asked.encode(),
                 read(stem + '.body')))
    else:
        yield 'jwks', read(stem + '.body')
        yield 'doc', read(stem + '.body')


def everything():
    """Yield (target, name, input) of all seeds, in one order."""
    for path in sorted(glob.glob(os.path.join(FIXTURES, '*', '*.head'))):
        kind = ('review' if os.path.exists(path[:-5] + '.response.json')
                else 'get')
        name = '-'.join(path[:-5].split(os.sep)[-2:])
        for number, (target, data) in enumerate(recorded(path, kind)):
            yield target, f'{name}-{number}', data
    for path in sorted(glob.glob(os.path.join(FIXTURES, '*', '*'))):
        name = '-'.join(path.split(os.sep)[-2:])
        if path.endswith('/jwks.json'):
            yield 'jwks', name, read(path)
        elif path.endswith('.pub'):
            yield 'jwks', name, read(path)
            yield 'credential', name, b'pem\n' + read(path)
    corpus = os.path.join(HERE, 'corpus')
    for path in sorted(glob.glob(os.path.join(corpus, '*', '*'))):
        group, name = path.split(os.sep)[-2:]
        if group == 'jwks' and name.startswith('pem'):
            yield 'credential', name, b'pem\n' + read(path)
        elif group == 'jws':
            yield 'verify', name, read(path)
            yield 'pod_token', name, read(path)
            yield 'credential', name, b'text\n' + read(path)
        elif group == 'revocations':
            yield 'journal', name, read(path)


def main():
    """Write all of them."""
    for target, name, data in everything():
        folder = os.path.join(sys.argv[1], target)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name), 'wb') as file:
            file.write(data)


if __name__ == '__main__':
    main()
