#!/usr/bin/python3
"""Subrequests that are clones have the identity of their request.

slice and proxy_cache_background_update make them, behind the access phase.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import nginx as nginx_  # noqa: E402
from akltest import Test, client, wait_for  # noqa: E402
from minted import ISSUER, bearer, mint  # noqa: E402
from mock import Mock  # noqa: E402

SIZE = 1000
TEXT = ''.join(chr(97 + n % 26) for n in range(4 * SIZE - 100))
WHO = '''
    proxy_set_header Authorization "Bearer $akl_k8s_token";
    proxy_set_header X-Who "$akl_k8s_status $akl_k8s_namespace $akl_k8s_config
        $akl_k8s_pod_name $akl_k8s_claim_pod_name $akl_k8s_jti";
'''.replace('\n        ', ' ')
SLICE = f'slice {SIZE}; proxy_set_header Range $slice_range;'
CACHE = '''
    proxy_cache one;
    proxy_cache_key $uri$slice_range;
    proxy_cache_valid 200 206 1h;
    proxy_cache_use_stale updating;
    proxy_cache_background_update on;
'''
WAYS = {'exchange': 'akl_k8s_exchange k8s-conf;',
        'guard': 'akl_k8s_guard k8s-conf;',
        'both': 'akl_k8s_exchange k8s-conf; akl_k8s_guard k8s-conf;',
        'open': ''}
CLONES = {'slice': SLICE, 'update': CACHE, 'slice-update': SLICE + CACHE}

t = Test(need_module=True)
if not nginx_.has('http_slice_module'):
    t.skip_all('nginx is built without http_slice_module')


def upstream(seen):
    """Serve a part of the text, to be kept and stale at once."""
    headers = [('ETag', '"one"'), ('X-Accel-Expires', '@1')]
    got = Mock.header(seen, 'range')
    if not got:
        return 200, headers, TEXT
    first, last = (int(n) for n in got[0].partition('=')[2].split('-'))
    last = min(last, len(TEXT) - 1)
    headers.append(('Content-Range', f'bytes {first}-{last}/{len(TEXT)}'))
    return 206, headers, TEXT[first:last + 1]


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.own
def mock():
    """An upstream that has seen nothing yet."""
    return t.mock(upstream)


@t.own
def nginx(cluster, mock):
    """A place for each way and each kind of clone, with an empty cache."""
    places = '\n'.join(
        f'location = /{way}/{name} {{ {how} {clone} {WHO} '
        f'proxy_pass http://127.0.0.1:{mock.port}; }}'
        for way, how in WAYS.items() for name, clone in CLONES.items())
    return t.nginx(f'''
        @method@
        @config@
        akl_k8s_review_timeout 60s;
        proxy_cache_path @dir@/cache keys_zone=one:1m;
        server {{
            listen 127.0.0.1:@port@;
            {places}

            # slices of which each is led elsewhere
            location = /accel {{
                akl_k8s_exchange k8s-conf;
                {SLICE}
                proxy_pass http://127.0.0.1:@port@/lead;
            }}
            location = /lead {{
                add_header X-Accel-Redirect /internal;
                return 200;
            }}
            location = /internal {{
                internal;
                {SLICE}
                {WHO}
                proxy_pass http://127.0.0.1:{mock.port};
            }}
        }}
    ''', method=cluster.method(), config=cluster.config(
        kind='P-256', token_issuer=ISSUER))


@t.own
def seen_of(nginx, mock):
    """Ask for the text at a place; tell what its parts came with."""
    def ask(place, token, parts, rounds=1):
        mock.requests.clear()
        for _ in range(rounds):
            answer = client.get(nginx.port, place, bearer(token))
            t.is_((answer.status, answer.text == TEXT), (200, True),
                  f'{place}: the whole text')
        t.ok(wait_for(lambda: len(mock.requests) == parts * rounds),
             f'{place}: {parts} parts, {rounds} times', mock.requests)
        seen = {(mock.header(one, 'authorization')[0],
                 mock.header(one, 'x-who')[0]) for one in mock.requests}
        t.ok(len(seen) == 1, f'{place}: all in one name', seen)
        sent, who = seen.pop()
        return bool(sent.partition(' ')[2]), who.split()
    return ask


def places_of(way):
    """Return path, parts and rounds of each place of a way."""
    slices = -(-len(TEXT) // SIZE)
    return [(f'/{way}/{name}', 1 if name == 'update' else slices,
             2 if 'update' in name else 1) for name in CLONES]


def is_the_pod(who, place):
    """Pass if this is who the pod is, and which token it has."""
    t.is_(who[:5], ['ok', 'my-namespace-a', 'k8s-conf', 'mypod1', 'mypod1'],
          f'{place}: the pod')
    t.is_(len(who), 6, f'{place}: and which token')


@t.story
def clones_of_an_exchange_have_its_token_and_its_pod(cluster, seen_of):
    for way in ('exchange', 'both'):
        for place, parts, rounds in places_of(way):
            sent, who = seen_of(place, cluster.issue(), parts, rounds)
            t.ok(sent, f'{place}: with the token that was minted')
            is_the_pod(who, place)


@t.story
def clones_of_a_guarded_request_have_its_pod(seen_of):
    for place, parts, rounds in places_of('guard'):
        sent, who = seen_of(place, mint(), parts, rounds)
        t.ok(not sent, f'{place}: and no token is minted')
        is_the_pod(who, place)


@t.story
def clones_of_an_open_request_are_nobody(cluster, seen_of):
    for place, parts, rounds in places_of('open'):
        sent, who = seen_of(place, cluster.issue(), parts, rounds)
        t.ok(not sent, f'{place}: no token is minted')
        t.is_(who, [], f'{place}: nobody')


@t.story
def clones_that_are_led_elsewhere_keep_their_pod(cluster, seen_of):
    sent, who = seen_of('/accel', cluster.issue(), -(-len(TEXT) // SIZE))
    t.ok(sent, 'with the token that was minted')
    is_the_pod(who, '/accel')


t.tell()
