#!/usr/bin/python3
"""The parsers keep their promises for all that the fuzzers ever collected."""

import glob
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, 'lib'), os.path.join(HERE, 'fuzz')]

import nginx  # noqa: E402
import seeds  # noqa: E402
from akltest import Test  # noqa: E402

REPLAY = os.environ.get('AKL_REPLAY',
                        os.path.join(nginx.ROOT, 'objs', 'replay'))
CORPUS = os.path.join(HERE, 'fuzz', 'corpus')

t = Test()


@t.shared
def inputs():
    """Directories of inputs by target: the corpus, and recorded answers."""
    folders = {os.path.basename(path): [path]
               for path in glob.glob(os.path.join(CORPUS, '*'))}
    for target, name, data in seeds.everything():
        folder = os.path.join(t.dir, 'seeds', target)
        if not os.path.isdir(folder):
            os.makedirs(folder)
            folders.setdefault(target, []).append(folder)
        with open(os.path.join(folder, name), 'wb') as file:
            file.write(data)
    return folders


def targets(folder='**'):
    """Return the names of all targets that there are sources of."""
    return sorted(os.path.basename(path)[len('fuzz_'):-len('.c')]
                  for path in glob.glob(os.path.join(
                      HERE, 'fuzz', folder, 'fuzz_*.c'), recursive=True))


def replay(target, folders):
    """Hold one target to be well with all of its inputs."""
    t.ok(folders, f'{target} has inputs')
    number = sum(len(os.listdir(folder)) for folder in folders)
    done = subprocess.run([os.path.join(REPLAY, f'fuzz_{target}'), *folders],
                          stdout=subprocess.PIPE, cwd=t.dir,
                          stderr=subprocess.STDOUT, check=False)
    said = done.stdout.decode(errors='replace')
    t.is_((done.returncode, said),
          (0, f'{number} runs of {number} inputs\n'), target)


@t.story
def each_target_takes_all_inputs_that_were_ever_collected(inputs):
    if not os.path.isdir(REPLAY):
        t.skip('the targets were not built')
        return
    for target in targets(''):
        replay(target, inputs.get(target, []))


@t.story
def each_target_with_an_nginx_in_it_takes_all_inputs(inputs):
    for target in targets('http'):
        if not os.path.exists(os.path.join(REPLAY, f'fuzz_{target}')):
            t.skip("these are linked with nginx's own sources, by make "
                   'test-asan NGINX_SRC=DIR, or ./run asan')
            return
        replay(target, inputs.get(target, []))


@t.story
def an_input_belongs_to_a_target_that_there_is(inputs):
    t.is_(sorted(set(inputs) - set(targets())), [], 'nobody reads these')


t.tell()
