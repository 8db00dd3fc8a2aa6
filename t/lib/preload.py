"""Shared objects that a test preloads into the programs it runs."""

import os
import shlex
import subprocess


def build(directory, name):
    """Build NAME.c, which lies beside this file; return the object's path."""
    path = os.path.join(directory, f'{name}.so')
    if not os.path.exists(path):
        subprocess.run(
            [*shlex.split(os.environ.get('CC', 'cc')), '-shared', '-fPIC',
             '-Wall', '-Werror', '-o', path,
             os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          f'{name}.c'), '-ldl'], check=True)
    return path
