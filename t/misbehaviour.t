#!/usr/bin/python3
"""Does the fake API server misbehave as it is told?"""

import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

from akltest import PATIENCE, Test, client, wait_for  # noqa: E402
from cluster import REVIEWS  # noqa: E402

t = Test()


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def api(cluster):
    """Its API server."""
    return cluster.api


@t.shared
def reviewer(api):
    """The reviewer's token."""
    return api.read('reviewer.jwt')


@t.shared
def body(cluster):
    """The body of a review."""
    return json.dumps({'apiVersion': 'authentication.k8s.io/v1',
                       'kind': 'TokenReview',
                       'spec': {'token': cluster.issue()}})


def outcome(cluster, body, token, session=None, timeout=PATIENCE):
    """Return the status of a review, or the name of what went wrong."""
    head = {'Authorization': f'Bearer {token}'}
    try:
        if session is not None:
            return session.post(REVIEWS, body, head).status
        answer = client.post(cluster.port, REVIEWS, body, head, timeout=timeout,
                             context=client.tls(cluster.ca))
        if 'xml' not in str(answer.header('content-type')):
            answer.json()
        return answer.status
    except Exception as error:
        return type(error).__name__


def last_words(cluster, body, token):
    """Say how TCP ended: by a reset or in an orderly way."""
    sock = client.connect(cluster.port, client.tls(cluster.ca))
    sock.sendall(client.build('POST', REVIEWS, {
        'Authorization': f'Bearer {token}'}, body, close=False))
    with socket.socket(fileno=sock.detach()) as bare:
        bare.settimeout(PATIENCE)
        try:
            while bare.recv(65536):
                pass
        except ConnectionResetError:
            return 'reset'
    return 'end'


EXPECTED = {
    'delay': 201, 'stall_before': 'TimeoutError',
    'stall_head': 'TimeoutError', 'stall_body': 'TimeoutError',
    'close_before': 'RemoteDisconnected', 'close_body': 'IncompleteRead',
    'close_after': 201, 'throttled': 429, 'throttled_bare': 429,
    'throttled_absurd': 429, 'error_500': 500, 'error_503': 503,
    'error_504': 504, 'audiences_500': 500, 'unauthorized': 401,
    'roles_unread': 403,
    'error_502_html': 'JSONDecodeError', 'html_200': 'JSONDecodeError',
    'html_201': 'JSONDecodeError', 'html_404': 'JSONDecodeError',
    'redirect': 'JSONDecodeError', 'no_content': 'JSONDecodeError',
    'truncated': 'IncompleteRead', 'chunked': 201,
    'chunked_truncated': 'IncompleteRead', 'until_close': 201,
    'http10': 201, 'gzip': 'UnicodeDecodeError', 'drip': 201,
    'continue_100': 201, 'oversized': 201, 'oversized_chunked': 201,
    'declares_1gb': 'TimeoutError', 'not_http': 'BadStatusLine',
    'json_array': 201, 'json_trailing': 'JSONDecodeError',
    'doubled_authenticated': 201}


@t.story
def each_fault_does_what_its_name_says(cluster, api, reviewer, body):
    for name, wanted in EXPECTED.items():
        api.fault(name, count=1)
        got = outcome(cluster, body, reviewer, timeout=1 if wanted
                      == 'TimeoutError' else PATIENCE)
        t.is_(got, wanted, name)
        api.clear()
    t.is_(outcome(cluster, body, reviewer), 201, 'and all is well again')


@t.story
def a_reset_and_a_close_differ_on_the_wire(cluster, api, reviewer, body):
    for how, wanted in (('reset', 'reset'), ('close', 'end')):
        for where in ('before', 'head', 'body'):
            api.fault(f'{how}_{where}', count=1)
            t.is_(last_words(cluster, body, reviewer), wanted,
                  f'{how}_{where}')
    t.is_(outcome(cluster, body, reviewer), 201, 'and all is well again')


@t.story
def a_connection_dies_when_it_is_used_again_or_as_often_as_is_said(
        cluster, api, reviewer, body):
    def outcomes(count):
        with client.Session(cluster.port, client.tls(cluster.ca)) as session:
            return [outcome(cluster, body, reviewer, session)
                    for _ in range(count)]

    api.fault('reset_reused')
    t.is_(outcomes(2), [201, 'RemoteDisconnected'], 'only a reused one dies')
    api.clear()
    api.close_after(2)
    t.is_(outcomes(3), [201, 201, 'RemoteDisconnected'], 'closed after two')


@t.story
def requests_can_be_held_and_are_counted(cluster, api, reviewer, body):
    t.ok(wait_for(lambda: not api.stats()['in_flight']), 'nobody waits')
    api.reset_stats()
    api.fault('hold')
    calls = [client.Background(outcome, cluster, body, reviewer)
             for _ in range(5)]
    t.ok(wait_for(lambda: api.stats()['in_flight'] == 5), 'five held')
    api.clear()
    t.is_([call.result() for call in calls], [201] * 5, 'five released')
    t.contains(api.stats(), {'review': 5, 'max_in_flight': 5,
                             'in_flight': 0, 'connections': 5,
                             'statuses': {'201': 5}}, 'counted')
    api.fault('hold')
    with client.Session(cluster.port, client.tls(cluster.ca)) as session:
        session.send('POST', REVIEWS, {'Authorization': 'Bearer x'}, body)
        t.ok(wait_for(lambda: api.stats()['in_flight'] == 1), 'one waits')
    t.ok(wait_for(lambda: api.stats()['aborted'] == 1), 'and leaves')
    api.clear()
    last = api.records()[-2]
    t.is_((last['nth'], last['status'], last['bearer']),
          (1, 201, api.records()[0]['bearer']), 'recorded')
    t.ok(reviewer not in json.dumps(api.records()), 'without any token')


@t.story
def the_port_can_be_shut_and_opened(cluster, api, reviewer, body):
    api.unlisten()
    t.is_(outcome(cluster, body, reviewer), 'ConnectionRefusedError', 'away')
    api.listen()
    t.is_(outcome(cluster, body, reviewer), 201, 'and back')


@t.story
def idle_connections_can_be_dropped(cluster, api, reviewer, body):
    with client.Session(cluster.port, client.tls(cluster.ca)) as session:
        session.post(REVIEWS, body, {'Authorization': f'Bearer {reviewer}'})
        t.ok(api.drop() >= 1, 'one was there')
        t.like(outcome(cluster, body, reviewer, session),
               'RemoteDisconnected|BrokenPipe|Reset|SSLEOF', 'it is dead')


t.tell()
