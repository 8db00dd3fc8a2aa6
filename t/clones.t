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

SIZE = 1000
TEXT = ''.join(chr(97 + n % 26) for n in range(4 * SIZE - 100))

t = Test(need_module=True)
if not nginx_.has('http_slice_module'):
    t.skip_all('nginx is built without http_slice_module')
cluster = t.cluster()


def upstream(seen):
    """Serve a part of the text, to be kept and stale at once."""
    headers = [('ETag', '"one"'), ('X-Accel-Expires', '@1')]
    got = mock.header(seen, 'range')
    if not got:
        return 200, headers, TEXT
    first, last = (int(n) for n in got[0].partition('=')[2].split('-'))
    last = min(last, len(TEXT) - 1)
    headers.append(('Content-Range', f'bytes {first}-{last}/{len(TEXT)}'))
    return 206, headers, TEXT[first:last + 1]


mock = t.mock(upstream)
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
PLACES = {
    f'/{kind}/{name}': (who + how)
    for kind, who in (('exchange', 'akl_k8s_exchange k8s-conf;'),
                      ('guard', 'akl_k8s_guard k8s-conf;'),
                      ('both', 'akl_k8s_exchange k8s-conf;'
                               'akl_k8s_guard k8s-conf;'),
                      ('open', ''))
    for name, how in (('slice', SLICE), ('update', CACHE),
                      ('slice-update', SLICE + CACHE))}
LOCATIONS = '\n'.join(
    f'location = {place} {{ {how} {WHO} proxy_pass '
    f'http://127.0.0.1:{mock.port}; }}' for place, how in PLACES.items())

nginx = t.nginx(f'''
    @method@
    @config@
    akl_k8s_review_timeout 60s;
    proxy_cache_path @dir@/cache keys_zone=one:1m;
    server {{
        listen 127.0.0.1:@port@;
        {LOCATIONS}

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

pod_token = cluster.issue()
minted = mint()

for place in [*PLACES, '/accel']:
    kind, _, name = place[1:].partition('/')
    token = minted if kind == 'guard' else pod_token
    parts = -(-len(TEXT) // SIZE) if 'update' != name else 1
    rounds = 2 if 'update' in name else 1
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
    t.is_(bool(sent.partition(' ')[2]), kind not in ('guard', 'open'),
          f'{place}: with the token that was minted')
    if kind == 'open':
        t.is_(who.split(), [], f'{place}: nobody')
    else:
        t.is_(who.split()[:5], ['ok', 'my-namespace-a', 'k8s-conf', 'mypod1',
                                'mypod1'], f'{place}: the pod')
        t.is_(len(who.split()), 6, f'{place}: and which token')

t.done_testing()
