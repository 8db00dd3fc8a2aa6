#!/usr/bin/python3
"""The module and the program are built as Debian builds, and reproducibly."""

import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import cli  # noqa: E402
import nginx  # noqa: E402
from akltest import Test  # noqa: E402

SHOWN = {'ngx_modules', 'ngx_module_names', 'ngx_module_order',
         'ngx_http_akl_k8s_module'}

t = Test(need_module=True)
if nginx.MODULE == 'static':
    t.skip_all('the module is built into nginx')
if not shutil.which('readelf') or not shutil.which('nm'):
    t.skip_all('needs readelf and nm, of binutils')


def said(*command):
    """Return what a program prints."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          check=True, env={**os.environ, 'LC_ALL': 'C'}).stdout


def each_is_hardened(path, name):
    """Check what the linker was told, by the file's own tables."""
    dynamic = said('readelf', '-dW', path)
    segments = said('readelf', '-lW', path)
    t.like(dynamic, r'BIND_NOW|FLAGS_1\).*\bNOW\b',
           f'{name}: all functions are bound at the start')
    t.like(segments, r'GNU_RELRO', f'{name}: then nobody writes there')
    t.like(segments, r'GNU_STACK.* RW +0x', f'{name}: the stack is no code')
    t.unlike(dynamic, r'TEXTREL', f'{name}: nor is code written to')
    t.unlike(segments, r'LOAD.* RWE ', f'{name}: no segment is both')


def guarded(path):
    """Return the guards of glibc and gcc that a file calls."""
    return set(re.findall(r'U (__(?:stack_chk_fail|\w+_chk))\b',
                          said('nm', '-D', path)))


@t.story
def the_module_is_hardened_by_the_linker():
    each_is_hardened(nginx.MODULE, 'module')


@t.story
def the_program_is_hardened_by_the_linker():
    each_is_hardened(cli.BINARY, 'akl-k8s')
    t.like(said('readelf', '-hW', cli.BINARY), r'Type: +DYN',
           'it runs at any address')


@t.story
def both_are_hardened_by_the_compiler():
    for path in nginx.MODULE, cli.BINARY:
        name = os.path.basename(path)
        has = guarded(path)
        t.ok('__stack_chk_fail' in has, f'{name}: stacks are guarded', has)
        t.ok(has - {'__stack_chk_fail'}, f'{name}: so are lengths', has)


@t.story
def the_module_shows_what_nginx_looks_up_and_nothing_else():
    shown = {line.split()[-1].partition('@')[0] for line in
             said('nm', '-D', '--defined-only', nginx.MODULE).splitlines()}
    t.is_(shown, SHOWN, 'the names')


@t.story
def the_file_tells_nothing_of_where_it_was_built():
    # a path that begins so, and not the end of a relative one: the tree may
    # stand in /src
    place = re.compile(rb'(?<![\w./-])' + re.escape(nginx.ROOT.encode())
                       + rb'(?![\w.-])')
    for path in nginx.MODULE, cli.BINARY:
        with open(path, 'rb') as file:
            t.is_(place.findall(file.read()), [], os.path.basename(path))


@t.story
def hardening_check_of_debian_has_nothing_to_say():
    if not shutil.which('hardening-check'):
        t.skip('no hardening-check: it is in devscripts')
        return
    for path, more in (nginx.MODULE, ['--nopie']), (cli.BINARY, []):
        done = subprocess.run(
            ['hardening-check', '--nocfprotection', *more, path],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False)
        t.ok(done.returncode == 0, os.path.basename(path), done.stdout)


t.tell()
