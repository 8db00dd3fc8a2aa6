"""How many timers an nginx has, out of the memory of one of its processes.

nginx tells nobody, and no module has to count for a test alone: the tree of
timers (ngx_event_timer_rbtree) is a symbol that each nginx exports to modules.
"""

import functools
import os
import signal
import struct
import subprocess

from tap import wait_for

MOST = 100000                   # more is no tree
SYMBOL = 'ngx_event_timer_rbtree'
NODE = struct.Struct('<QQQ')    # ngx_rbtree_node_t: key, left, right


@functools.lru_cache
def symbol(binary):
    """Return the tree's address in a binary, None where it is not told."""
    try:
        told = subprocess.run(['nm', '-D', binary], capture_output=True,
                              check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    for line in told.splitlines():
        words = line.split()
        if words[-1] == SYMBOL:
            return int(words[0], 16)
    return None


def base(pid, binary):
    """Return where the process has the binary."""
    path = os.path.realpath(binary)
    with open(f'/proc/{pid}/maps', encoding='ascii') as maps:
        for line in maps:
            words = line.split()
            if words[-1] == path and words[2] == '00000000':
                return int(words[0].split('-')[0], 16)
    raise RuntimeError(f'{pid} is no {path}')


def stopped(pid):
    """Say whether a process stands still."""
    with open(f'/proc/{pid}/stat', encoding='ascii') as file:
        return file.read().rpartition(')')[2].split()[0] == 'T'


def count(pid, binary):
    """Return how many timers are set; None where that cannot be known.

    The process stands still meanwhile, as the tree would change else.
    """
    where = symbol(binary)
    if where is None:
        return None
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: stopped(pid))
        with open(f'/proc/{pid}/mem', 'rb', buffering=0) as memory:
            def read(address, size):
                memory.seek(address)
                return memory.read(size)
            root, sentinel = struct.unpack(
                '<QQ', read(base(pid, binary) + where, 16))
            found, todo = 0, [root]
            while todo and found <= MOST:
                node = todo.pop()
                if node not in (0, sentinel):
                    found += 1
                    todo += NODE.unpack(read(node, NODE.size))[1:]
    except PermissionError:
        return None
    finally:
        os.kill(pid, signal.SIGCONT)
    return found
