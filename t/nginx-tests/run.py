#!/usr/bin/python3
"""nginx's own tests, with the module loaded and without it.

    t/nginx-tests/run.py [-j N] DIRECTORY [FILE ...]

DIRECTORY is a checkout of nginx-tests; FILE is a name in it, else all suites
of http are run.  nginx is best one with all of its modules built in, as of
"make nginx-tests NGINX_SRC=DIR NGINX_FLAGS=..."; Debian's has some of them
beside it, whose directory TEST_NGINX_MODULES names.  Each runs twice under the
nginx of AKL_NGINX: as it is, and with the module of AKL_MODULE loaded and an
auth config at the top of each http block.  What fails with the module alone is
run again, to tell it from what fails now and then.  The table is printed, and
the exit code is 1 if anything failed with the module alone.
"""

import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 't', 'lib'))

import certs  # noqa: E402
import nginx  # noqa: E402
import tokens  # noqa: E402
from cluster import ACCESS_ID, CONFIG, block  # noqa: E402

OTHERS = re.compile(r'(stream|mail)_|.*_(stream|mail)\b')
AGAIN = 3           # times that a difference has to show
TIMEOUT = 600       # s a file may take

# the tests' files are those of who runs them; by root, workers are nobody's
USER = '' if os.geteuid() else 'user root;'

NOTHING, FAILED, SKIPPED = 'ended early', 'failed', 'skipped'


def parse():
    """Return the options."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('-j', '--jobs', type=int,
                        default=os.cpu_count() or 1)
    parser.add_argument('directory')
    parser.add_argument('files', nargs='*', metavar='FILE')
    options = parser.parse_args()
    if not os.path.exists(os.path.join(options.directory,
                                       'lib/Test/Nginx.pm')):
        parser.error(f'no nginx-tests in {options.directory}')
    return options


def suites(directory):
    """Return the names of the files that have an http block."""
    found = []
    for path in sorted(glob.glob(os.path.join(directory, '*.t'))):
        with open(path, encoding='utf-8', errors='replace') as file:
            if '%%TEST_GLOBALS_HTTP%%' in file.read() \
                    and not OTHERS.match(os.path.basename(path)):
                found.append(os.path.basename(path))
    return found


def globals_(folder):
    """Return what Test::Nginx is to put into each configuration."""
    def file(name, text):
        return tokens.write_file(os.path.join(folder, name), text)
    key = tokens.key('P-256', 'gateway')
    http = block('akl_k8s_auth_method', ACCESS_ID, {
        'bound_namespaces': 'default'}) + block('akl_k8s_auth_config', CONFIG, {
            'access_id': ACCESS_ID,
            'signing_key': file('signing.pem', key.pem()),
            'k8s_host': 'https://127.0.0.1:1',
            'k8s_ca_cert': file('ca.crt', certs.Authority().pem),
            'token_reviewer_jwt': file('reviewer.jwt', tokens.sign(
                {'alg': 'ES256'}, {'sub': 'reviewer'}, key))})
    return {'TEST_NGINX_GLOBALS': f'load_module {nginx.MODULE}; {USER}',
            'TEST_NGINX_GLOBALS_HTTP': http}


def run(directory, name, more):
    """Run a file; return (count of results, dict of failures)."""
    env = {**os.environ, 'TEST_NGINX_BINARY': nginx.BINARY,
           'TEST_NGINX_GLOBALS': USER, **more}
    with subprocess.Popen(
            ['perl', '-Ilib', name], cwd=directory, env=env,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            out = process.communicate(timeout=TIMEOUT)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            out = process.communicate()[0]
    return read(out.decode('utf-8', 'replace'))


def read(text):
    """Return what TAP says: (count of results, failures by name)."""
    plan = re.search(r'^1\.\.(\d+)(.*)', text, re.M)
    if plan and plan[1] == '0':
        return 0, {}
    count, failures = 0, {}
    for line in re.findall(r'^(?:not )?ok \d+.*', text, re.M):
        count += 1
        if line.startswith('not ok') and not re.search(r'# *(?i:todo)', line):
            failures[re.sub(r'^not ok ', '', line)] = FAILED
    if not plan or int(plan[1]) != count:
        failures[NOTHING] = NOTHING
    return count, failures


def compare(directory, name, loaded):
    """Run a file both ways; return results and what fails by the module."""
    count, without = run(directory, name, {})
    more, with_ = run(directory, name, loaded)
    only = set(with_) - set(without)
    if more != count and not only:
        only = {f'{more} results, not {count}'}
    for _ in range(AGAIN):
        if not only:
            break
        again = run(directory, name, loaded)
        first = run(directory, name, {})
        if again[0] == first[0] and set(again[1]) <= set(first[1]):
            only = set()
    return count, len(without), len(with_), sorted(only)


def main():
    """Run all, print the table."""
    options = parse()
    names = options.files or suites(options.directory)
    rows, wrong = {}, []
    with tempfile.TemporaryDirectory(prefix='akl-nginx-tests-') as folder, \
            concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        loaded = globals_(folder)
        asked = {pool.submit(compare, options.directory, name, loaded): name
                 for name in names}
        for done in concurrent.futures.as_completed(asked):
            name = asked[done]
            count, without, with_, only = rows[name] = done.result()
            print(f'{len(rows)}/{len(names)} {name}: {count} tests, '
                  f'{without} failed without, {with_} with the module',
                  flush=True)
            wrong += [f'{name}: {what}' for what in only]
    ran = [row for row in rows.values() if row[0]]
    print()
    print('| suites | run | tests | failed without | failed with '
          '| by the module |')
    print('| --- | --- | --- | --- | --- | --- |')
    print(f'| {len(rows)} | {len(ran)} | {sum(row[0] for row in ran)} '
          f'| {sum(row[1] for row in ran)} | {sum(row[2] for row in ran)} '
          f'| {len(wrong)} |')
    for line in wrong:
        print(f'by the module: {line}')
    return 1 if wrong or not ran else 0


if __name__ == '__main__':
    sys.exit(main())
