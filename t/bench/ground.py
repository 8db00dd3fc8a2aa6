"""What the benchmark runs on: pinned servers, requests, load.

The gateway's worker has the first core to itself; the API server and the
clients share the second one.
"""

import base64
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, 't', 'lib'))

import tokens  # noqa: E402
from akltest import Test, client, wait_for  # noqa: E402,F401

GATEWAY_CORE, OTHER_CORE = 0, 1
ACCOUNT = ('builder', '6f9ea2d9-5bf8-4f0c-b2b4-4a5d3f2f1c11')
POD = ('mypod1', '0c1d2e3f-1111-4222-8333-444455556666')
NODE = ('node-1', '9a8b7c6d-1111-4222-8333-444455556666')
NAMESPACE = 'my-namespace-a'
REVIEWS = '/apis/authentication.k8s.io/v1/tokenreviews'


def pod_token(signature=None, key=None):
    """Return a pod token of full size; its signature may be anything.

    The benchmark's API server accepts what it is asked, so distinct
    tokens only need distinct signatures.
    """
    key = key or tokens.key('RSA-2048', 'cluster')
    claims = tokens.projected(NAMESPACE, ACCOUNT, pod=POD, node=NODE,
                              ttl=7200)
    token = tokens.k8s_sign(claims, key)
    if signature is None:
        return token
    head = token.rsplit('.', 1)[0]
    return f'{head}.{tokens.b64u(signature)}'


def review_answer():
    """Return the answer to a review of such a token, as recorded ones."""
    extra = 'authentication.kubernetes.io/'
    return json.dumps({
        'kind': 'TokenReview', 'apiVersion': 'authentication.k8s.io/v1',
        'metadata': {'creationTimestamp': None, 'managedFields': [{
            'manager': 'gateway', 'operation': 'Update',
            'apiVersion': 'authentication.k8s.io/v1',
            'time': '2026-01-01T00:00:00Z', 'fieldsType': 'FieldsV1',
            'fieldsV1': {'f:spec': {'f:token': {}}}}]},
        'spec': {'token': pod_token()},
        'status': {
            'authenticated': True,
            'user': {
                'username': f'system:serviceaccount:{NAMESPACE}:{ACCOUNT[0]}',
                'uid': ACCOUNT[1],
                'groups': ['system:serviceaccounts',
                           f'system:serviceaccounts:{NAMESPACE}',
                           'system:authenticated'],
                'extra': {
                    extra + 'credential-id': [
                        'JTI=0b1c2d3e-1111-4222-8333-444455556666'],
                    extra + 'node-name': [NODE[0]],
                    extra + 'node-uid': [NODE[1]],
                    extra + 'pod-name': [POD[0]],
                    extra + 'pod-uid': [POD[1]]}},
            'audiences': ['api', tokens.ISSUER]}}, separators=(',', ':'))


def login_body(token, config='bench-es256'):
    """Return a login as the npm client sends it."""
    return json.dumps({
        'access-type': 'k8s', 'azure-cloud': 'AzureCloud',
        'gcp-audience': 'akeyless.io', 'json': False,
        'oci-auth-type': 'apikey', 'access-id': 'p-kmx8x116z7j9km',
        'gateway-url': 'https://gw:8000', 'k8s-auth-config-name': config,
        'k8s-service-account-token':
            base64.b64encode(token.encode()).decode()})


def stay_awake():
    """Keep cores that have nothing to do from halting; return a file.

    In a virtual machine whoever wakes a halted core pays an exit to the
    hypervisor: the gateway's worker would, for each answer that its client
    was waiting for, and most of all where it is slower than its client.  As
    long as the file is open the kernel polls instead; cyclictest does so,
    too.  None where the kernel has no such file, or it is not ours to write.
    """
    try:
        file = open('/dev/cpu_dma_latency', 'wb', buffering=0)
        file.write(bytes(4))
    except OSError as why:
        print(f'bench: idle cores halt ({why}): ratios come out lower')
        return None
    return file


def pin(pid, core):
    """Bind a process to a core."""
    subprocess.run(['taskset', '-a', '-p', '-c', str(core), str(pid)],
                   check=True, stdout=subprocess.DEVNULL)


def rss(pid):
    """Return the resident size of a process, in KiB."""
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        return int(re.search(r'VmRSS:\s+(\d+)', file.read()).group(1))


def cpu(pid):
    """Return the seconds that a process has been on a core."""
    with open(f'/proc/{pid}/schedstat', encoding='ascii') as file:
        return int(file.read().split()[0]) / 1e9


def revocations(number):
    """Return the text of a file of so many revocations."""
    until = int(time.time()) + 86400
    return ''.join('{"jti":"%s","until":%d}\n' % (
        tokens.b64u(os.urandom(16)), until) for _ in range(number))


def slices(path):
    """Return what it costs a worker to read a file of revocations."""
    with open(os.path.join(ROOT, 'src', 'http', 'token',
                           'revocation_file.c'), encoding='ascii') as file:
        size = re.search(r'REVOCATIONS_SLICE +(\d+)', file.read()).group(1)
    objs = os.path.join(ROOT, os.environ.get('OBJS', 'objs'))
    program = os.path.join(objs, 'bench-slices')
    subprocess.run(
        [*shlex.split(os.environ.get('CC', 'cc')), '-I.', '-std=gnu11',
         '-O2', '-o', program, 't/bench/slices.c',
         os.path.join(objs, 'plain', 'libakl.a'), '-ljansson', '-lssl',
         '-lcrypto'], cwd=ROOT, check=True)
    out = subprocess.run(
        ['taskset', '-c', str(GATEWAY_CORE), program, path, size],
        check=True, text=True, stdout=subprocess.PIPE).stdout.split()
    return {'entries': int(out[0]), 'bytes': os.path.getsize(path),
            'slice, bytes': int(size), 'whole, us': int(out[1]),
            'longest slice, us': int(out[2]), 'memory, bytes': int(out[3])}


def signs(kind, seconds=1):
    """Return (signatures, verifications) a second on the first core."""
    out = subprocess.run(
        ['taskset', '-c', str(GATEWAY_CORE), 'openssl', 'speed', '-seconds',
         str(seconds), '-mr', kind], check=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    for line in out.splitlines():
        words = line.split(':')
        if words[0] in ('+F2', '+F4'):
            # 3.0 tells operations a second, older ones their time
            return tuple(x if x > 1 else 1 / x
                         for x in map(float, words[-2:]))
    raise RuntimeError(f'openssl speed {kind} said:\n{out}')


def wrk(url, script=None, seconds=2, connections=32, env=None, threads=1):
    """Load a URL from the second core; return what wrk.lua printed."""
    out = subprocess.run(
        ['taskset', '-c', str(OTHER_CORE), 'wrk', '-t', str(threads), '-c',
         str(connections), '-d', str(seconds), '--timeout', '20',
         '-s', os.path.join(HERE, 'wrk.lua'), url],
        env={**os.environ, 'BENCH_REQUESTS': script or '', **(env or {})},
        check=True, text=True, stdout=subprocess.PIPE).stdout
    found = re.search(r'^BENCH (\{.*\})$', out, re.M)
    if not found:
        raise RuntimeError(out)
    result = json.loads(found.group(1))
    if result['failed'] and not (env or {}).get('BENCH_REFUSALS'):
        raise RuntimeError(f'{result["failed"]} requests failed: {out}')
    return result


def need(*programs):
    """Stop with a clear word where a program is missing."""
    for program in programs:
        if shutil.which(program) is None:
            sys.exit(f'bench: {program} is missing')
