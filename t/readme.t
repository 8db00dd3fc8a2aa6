#!/usr/bin/python3
"""The commands of the README, as a newcomer runs them."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))
import cli  # noqa: E402
import readme as readme_  # noqa: E402
from akltest import Test  # noqa: E402

t = Test(need_module=True)


@t.shared
def readme():
    """The text of the README."""
    return readme_.text()


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.story
def three_commands_lead_from_a_kubeconfig_to_a_token(cluster):
    if not os.access(cli.BINARY, os.X_OK):
        t.skip('akl-k8s was not built')
        return
    where = os.path.join(t.dir, 'etc')
    os.makedirs(where)
    readme_.three_commands(t, where, cluster.kubeconfig(),
                           t.write('pod.jwt', cluster.issue()))


@t.story
def the_shell_of_a_small_image_takes_all_commands(readme):
    blocks = re.findall(r'^```sh\n(.*?)^```', readme, re.M | re.S)
    for block in re.findall(r'^```console\n(.*?)^```', readme, re.M | re.S):
        blocks += re.findall(r'^\$ (.*?)(?=^\$ |^\{|\Z)', block, re.M | re.S)
    t.ok(len(blocks) > 5, 'there are commands')
    for block in blocks:
        done = subprocess.run(['sh', '-n'], input=block, text=True,
                              stderr=subprocess.PIPE, check=False)
        t.is_((done.returncode, done.stderr), (0, ''),
              block.splitlines()[0])


@t.story
def the_ca_is_found_in_a_kubeconfig_that_only_names_its_file(readme):
    for command in re.findall(r'^kubectl config view[^|]*', readme,
                              re.M):
        t.like(command, ' --raw .*--flatten', 'as minikube writes them')


t.tell()
