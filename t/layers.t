#!/usr/bin/python3
"""The sources keep to their layering, and the check of that can fail."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import nginx  # noqa: E402
from akltest import Test  # noqa: E402

LAYERS = os.path.join(nginx.ROOT, 't', 'lint', 'layers')
BUILT = os.path.join(nginx.ROOT, 'objs', 'nginx-src', 'objs')
MODULE = 'ngx_http_akl_k8s_module.c'

t = Test()


def check(name, **files):
    """Compile files, "room/file" to text; return what the check says."""
    root = os.path.join(t.dir, name)
    files = {MODULE: 'int module;\n', **files}
    files = {path if path == MODULE else f'src/{path}': text
             for path, text in files.items()}
    for path, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
        t.write(os.path.join(root, path), text)
    for path in files:
        room = os.path.basename(os.path.dirname(path)) or name
        if path.endswith('.c'):
            made = os.path.join(root, 'objs', 'addon', room,
                                os.path.basename(path)[:-1] + 'o')
            os.makedirs(os.path.dirname(made), exist_ok=True)
            subprocess.run(['gcc', '-c', '-o', made,
                            os.path.join(root, path)], check=True)
    done = subprocess.run([LAYERS, os.path.join(root, 'objs'), root],
                          stdout=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout


def calls(name, other=None):
    """Return a C file that defines a function and calls another."""
    if other is None:
        return f'void {name}(void) {{ }}\n'
    return f'void {other}(void); void {name}(void) {{ {other}(); }}\n'


@t.story
def what_calls_downwards_is_good():
    code, said = check('good', **{'http/login/a.c': calls('a', 'b'),
                                  'net/b.c': calls('b', 'c'),
                                  'net/c.c': calls('c')})
    t.is_((code, said), (0, ''), 'nothing is said')


@t.story
def a_circle_of_files_is_an_error():
    code, said = check('circle', **{'net/a.c': calls('a', 'b'),
                                    'net/b.c': calls('b', 'c'),
                                    'net/c.c': calls('c', 'a')})
    t.is_(code, 1, 'the exit code')
    t.like(said, 'circle of files: src/net/a.c, src/net/b.c, src/net/c.c',
           'the files are named')
    t.like(said, r'src/net/c.c uses a\(\) of src/net/a.c',
           'and the calls that make it')


@t.story
def a_call_upwards_is_an_error():
    code, said = check('up', **{'net/a.c': calls('a', 'b'),
                                'http/guard/b.c': calls('b')})
    t.is_(code, 1, 'the exit code')
    t.like(said, r'src/net/a.c uses b\(\) of src/http/guard/b.c, '
           'which stands above', 'the call is named')


@t.story
def a_header_from_above_is_an_error():
    code, said = check('header', **{
        'k8s/a.c': '#include "../shm/b.h"\n', 'shm/b.h': '\n'})
    t.is_(code, 1, 'the exit code')
    t.like(said, 'src/k8s/a.c uses its header of src/shm/b.h',
           'the header is named')


@t.story
def a_circle_of_directories_is_an_error():
    code, said = check('rooms', **{'net/a.c': calls('a', 'b'),
                                   'shm/b.c': calls('b', 'c'),
                                   'net/c.c': calls('c')})
    t.is_(code, 1, 'the exit code')
    t.like(said, 'circle of directories: src/net, src/shm',
           'the directories are named')


@t.story
def the_module_keeps_to_its_layering():
    if not os.path.isdir(os.path.join(BUILT, 'addon')):
        t.skip('the module was not built here')
        return
    done = subprocess.run([LAYERS, BUILT], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    t.is_((done.returncode, done.stdout), (0, ''), 'nothing is said')


t.tell()
