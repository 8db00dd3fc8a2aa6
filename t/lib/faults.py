"""Misbehaviour of the fake API server, on command.

A fault is a dict; Fault says what its members mean.  PRESETS names the
ready-made ones, so that a test can run through all of them.
"""

import asyncio
import gzip
from dataclasses import dataclass, field

import kubeapi

HTML = '<!DOCTYPE html>\n<html><body><h1>It works</h1></body></html>\n'


@dataclass
class Fault:
    """How an answer goes wrong.

    Which requests: `kind` (review, namespace, jwks, discovery, other,
    any), `count`
    (None: until cleared), `skip` (let so many pass first), `reused` (only
    requests that are not the first of their connection).

    Before the answer: `delay` (ms), `hold` (until released), `stall` =
    request, head or body (for `stall_ms`, or until the client is gone or
    faults are cleared), `reset` or `close` = request, head or body (close:
    also after).

    The answer: `status`, `headers` (dict), `type`, `body` (text, or
    {"base64": ...}) instead of the real ones; `replace` ([[old, new], ...])
    in the real body; `size` pads the body with blanks to so many bytes;
    `framing` = length, chunked, close or http10; `declare` is the
    Content-Length to claim; `truncate` sends only so many bytes of the
    body, then closes; `gzip`; `drip` (ms between single bytes); `interim`
    (a 1xx code to send first); `unasked` is sent behind it, in a record of
    its own; `raw` is all that is sent, then close.
    """

    kind: str = 'review'
    count: int = None
    skip: int = 0
    reused: bool = False
    name: str = ''
    delay: float = 0
    hold: bool = False
    stall: str = None
    stall_ms: float = None
    reset: str = None
    close: str = None
    status: int = None
    headers: dict = field(default_factory=dict)
    type: str = None
    body: object = None
    replace: list = field(default_factory=list)
    size: int = None
    framing: str = 'length'
    declare: int = None
    truncate: int = None
    gzip: bool = False
    drip: float = None
    interim: int = None
    unasked: str = None
    raw: object = None


def _failure(code, message, reason):
    return {'status': code,
            'body': kubeapi.status(code, message, reason).body.decode()}


REFUSAL = ('{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1",'
           '"status":{"error":"[invalid bearer token]"}}')

PRESETS = {
    'delay': {'delay': 200},
    'hold': {'hold': True},
    'stall_before': {'stall': 'request'},
    'stall_head': {'stall': 'head'},
    'stall_body': {'stall': 'body'},
    'reset_before': {'reset': 'request'},
    'reset_head': {'reset': 'head'},
    'reset_body': {'reset': 'body'},
    'reset_reused': {'reset': 'request', 'reused': True},
    'close_before': {'close': 'request'},
    'close_head': {'close': 'head'},
    'close_body': {'close': 'body'},
    'close_after': {'close': 'after'},
    'close_reused': {'close': 'request', 'reused': True},
    'throttled': dict(_failure(429, 'Too many requests, please try again '
                               'later.', 'TooManyRequests'),
                      headers={'Retry-After': '1'}),
    'throttled_bare': _failure(429, 'Too many requests, please try again '
                               'later.', 'TooManyRequests'),
    'throttled_absurd': dict(_failure(429, 'Too many requests, please try '
                                      'again later.', 'TooManyRequests'),
                             headers={'Retry-After': '9' * 24}),
    'error_500': _failure(500, 'Internal error occurred: etcdserver: '
                          'request timed out', 'InternalError'),
    'error_503': _failure(503, 'apiserver is shutting down',
                          'ServiceUnavailable'),
    'error_504': _failure(504, 'Timeout: request did not complete within '
                          'the allotted timeout', 'Timeout'),
    'error_502_html': {'status': 502, 'type': 'text/html', 'body': HTML},
    'audiences_500': {
        'status': 500,
        'body': '{"kind":"Status","apiVersion":"v1","metadata":{},"status":'
                '"Failure","message":"Internal error occurred: error '
                'validating audiences","reason":"InternalError","details":'
                '{"causes":[{"message":"error validating audiences"}]},'
                '"code":500}\n'},
    'unauthorized': _failure(401, 'Unauthorized', 'Unauthorized'),
    'roles_unread': _failure(
        403, 'tokenreviews.authentication.k8s.io is forbidden: User '
        '"system:serviceaccount:akl-system:reviewer" cannot create resource '
        '"tokenreviews" in API group "authentication.k8s.io" at the cluster '
        'scope: RBAC: [clusterrole.rbac.authorization.k8s.io '
        '"system:auth-delegator" not found, '
        'clusterrole.rbac.authorization.k8s.io "system:discovery" not found]',
        'Forbidden'),
    'html_200': {'status': 200, 'type': 'text/html', 'body': HTML},
    'html_201': {'status': 201, 'type': 'text/html', 'body': HTML},
    'html_404': {'status': 404, 'type': 'text/html', 'body': HTML},
    'redirect': {'status': 307, 'body': '', 'headers': {
        'Location': 'https://127.0.0.1:1/apis/authentication.k8s.io/v1/'
                    'tokenreviews'}},
    'no_content': {'status': 204, 'body': '', 'type': ''},
    'empty_body': {'body': ''},
    'truncated': {'truncate': 700},
    'chunked': {'framing': 'chunked'},
    'chunked_truncated': {'framing': 'chunked', 'truncate': 700},
    'until_close': {'framing': 'close'},
    'http10': {'framing': 'http10'},
    'gzip': {'gzip': True},
    'drip': {'drip': 0},
    'continue_100': {'interim': 100},
    'unasked_408': {'unasked': 'HTTP/1.1 408 Request Timeout\r\n'
                               'Content-Length: 0\r\n\r\n'},
    'unasked_201': {'unasked': 'HTTP/1.1 201 Created\r\n'
                               'Content-Type: application/json\r\n'
                               f'Content-Length: {len(REFUSAL)}\r\n\r\n'
                               f'{REFUSAL}'},
    'unasked_bytes': {'unasked': 'oops'},
    'oversized': {'size': 65537},
    'oversized_chunked': {'size': 65537, 'framing': 'chunked'},
    'declares_1gb': {'declare': 1 << 30},
    'not_http': {'raw': 'SSH-2.0-OpenSSH_9.2\r\n'},
    'json_array': {'body': '[]'},
    'json_null': {'body': 'null'},
    'json_trailing': {'replace': [['}\n', '}}\n']]},
    'doubled_authenticated': {'replace': [[
        '"authenticated":true',
        '"authenticated":false,"authenticated":true']]},
    'string_authenticated': {'replace': [['"authenticated":true',
                                          '"authenticated":"true"']]},
    'number_authenticated': {'replace': [['"authenticated":true',
                                          '"authenticated":1']]},
    'error_and_authenticated': {'replace': [[
        '"status":{', '"status":{"error":"no",']]},
    'other_kind': {'replace': [['"kind":"TokenReview"',
                                '"kind":"SubjectAccessReview"']]},
    'no_status': {'body': '{"kind":"TokenReview","apiVersion":'
                          '"authentication.k8s.io/v1","metadata":{},'
                          '"spec":{}}\n'},
    'number_username': {'replace': [['"username":"', '"username":5,"x":"']]},
    'string_groups': {'replace': [['"groups":["system:serviceaccounts",',
                                   '"groups":"system:serviceaccounts",'
                                   '"x":[']]},
    'no_group': {'replace': [['"system:serviceaccounts",', '']]},
    'name_dots': {'replace': [['"username":"system:serviceaccount:',
                               '"username":"system:serviceaccount:../']]},
    'name_nul': {'replace': [['"username":"system:serviceaccount:',
                              '"username":"system:serviceaccount:\\u0000']]},
    'name_parts': {'replace': [['"username":"system:serviceaccount:',
                                '"username":"system:serviceaccount:a:']]},
    'null_error': {'replace': [['"authenticated":true',
                                '"authenticated":true,"error":null']]},
    **{f'null_{name}': {'replace': [[f'"{name}":', f'"{name}":null,"x":']]}
       for name in ('user', 'uid', 'groups', 'extra', 'audiences')},
}


class Faults:
    """The faults that wait for their requests."""

    def __init__(self):
        self.waiting = []
        self.release = asyncio.Event()

    def add(self, preset=None, **members):
        """Add a fault: a preset's members, overridden by members."""
        made = Fault(**{'name': preset or 'fault', **PRESETS.get(preset, {}),
                        **members})
        if preset is not None and preset not in PRESETS:
            raise ValueError(f'no fault {preset}')
        self.waiting.append(made)

    def clear(self):
        """Forget all faults; what is held or stalled goes on."""
        self.waiting.clear()
        self.let_go()

    def let_go(self):
        """Let what is held or stalled go on."""
        self.release.set()
        self.release = asyncio.Event()

    def left(self):
        """Return how many faults wait."""
        return len(self.waiting)

    def take(self, kind, nth):
        """Return the Fault for a request, or None."""
        for fault in self.waiting:
            if fault.kind not in ('any', kind) or fault.reused and nth < 2:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.count is not None:
                fault.count -= 1
                if fault.count <= 0:
                    self.waiting.remove(fault)
            return fault
        return None


def chunked(body, size=None, end=True):
    """Return a body in chunks; without `end` the last one is missing."""
    if not size:
        size = max(1, len(body))
    out = b''
    for start in range(0, len(body), size):
        part = body[start:start + size]
        out += b'%x\r\n%b\r\n' % (len(part), part)
    return out + b'0\r\n\r\n' if end else out


class Gone(Exception):
    """The client has closed the connection, or we have (then with text)."""


class Player:
    """Plays one fault on one connection."""

    def __init__(self, connection, fault):
        self.connection = connection
        self.fault = fault
        self.release = connection.server.faults.release

    async def pause(self, seconds, release=None):
        """Wait; raise Gone when the client goes meanwhile."""
        waits = [self.connection.gone.wait()]
        if release is not None:
            waits.append(release.wait())
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        await asyncio.wait(tasks, timeout=seconds,
                           return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        if self.connection.gone.is_set():
            raise Gone

    async def point(self, name):
        """Do what the fault wants done at a point of the answer."""
        fault = self.fault
        if fault.stall == name:
            limit = fault.stall_ms
            await self.pause(None if limit is None else limit / 1000,
                             self.release)
        if fault.reset == name:
            if name != 'request':
                await self.pause(0.02)
            self.connection.reset()
            raise Gone('reset')
        if fault.close == name:
            self.connection.transport.close()
            raise Gone('closed')

    async def send(self, data):
        """Send bytes, singly if the fault wants that."""
        if self.connection.gone.is_set():
            raise Gone
        if self.fault.drip is None:
            self.connection.transport.write(data)
            return
        for number in data:
            self.connection.transport.write(bytes((number,)))
            if self.fault.drip:
                await self.pause(self.fault.drip / 1000)
            else:
                await asyncio.sleep(0)

    async def wait_first(self):
        """Delay and hold, before there is an answer."""
        if self.fault.hold:
            await self.pause(None, self.release)
        if self.fault.delay:
            await self.pause(self.fault.delay / 1000)
        await self.point('request')

    def shape(self, answer):
        """Change an answer's status and body."""
        fault = self.fault
        if fault.status is not None:
            answer.status = fault.status
        if fault.type is not None:
            answer.content_type = fault.type
        if fault.body is not None:
            answer.body = kubeapi.unpack_body(fault.body)
        for old, new in fault.replace:
            answer.body = answer.body.replace(old.encode(), new.encode(), 1)
        if fault.size is not None:
            answer.body = answer.body.ljust(fault.size)
        answer.headers += list(fault.headers.items())
        if fault.gzip:
            answer.body = gzip.compress(answer.body)
            answer.headers.append(('Content-Encoding', 'gzip'))

    async def play(self, answer, last):
        """Send the answer, wrong as wanted; return whether to close."""
        fault = self.fault
        if fault.interim:
            await self.send(b'HTTP/1.1 %d Interim\r\n\r\n' % fault.interim)
        body = answer.body
        cut = fault.truncate
        framing = [('Content-Length', str(fault.declare or len(body)))]
        version = 'HTTP/1.1'
        if fault.framing == 'chunked':
            framing = [('Transfer-Encoding', 'chunked')]
            body = chunked(body if cut is None else body[:cut], 512,
                           cut is None)
        elif cut is not None:
            body = body[:cut]
        if fault.framing in ('close', 'http10'):
            framing = []
            last = True
            if fault.framing == 'http10':
                version = 'HTTP/1.0'
        if answer.status == 204:
            framing = []
        if cut is not None:
            last = True
        head = self.connection.server.head(
            answer, framing, last and cut is None, version)
        await self.send(head[:len(head) // 2])
        await self.point('head')
        await self.send(head[len(head) // 2:])
        await self.send(body[:len(body) // 2])
        await self.point('body')
        await self.send(body[len(body) // 2:])
        if fault.unasked is not None:
            await self.send(fault.unasked.encode())
        if fault.declare is not None:
            last = False
        return last or fault.close == 'after'


async def misbehave(connection, request, fault, record, last):
    """Answer a request by way of a fault."""
    server = connection.server
    player = Player(connection, fault)
    aborted = False
    try:
        await player.wait_first()
        if fault.raw is not None:
            await player.send(kubeapi.unpack_body(fault.raw))
            last = True
        else:
            answer = server.api.answer(request)
            player.shape(answer)
            record['status'] = answer.status
            record['user'] = answer.user
            last = await player.play(answer, last)
        if last:
            connection.transport.close()
    except Gone as why:
        aborted = not why.args
        last = True
    server.ended(record, aborted)
    connection.busy = False
    if not last:
        connection.released()
