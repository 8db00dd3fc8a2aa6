#!/usr/bin/python3
"""A guarded location stays shut however a request gets there."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import nginx as nginx_  # noqa: E402
from akltest import Test, client, wait_for  # noqa: E402
from minted import ISSUER, bearer, mint  # noqa: E402

SECRET = 'the secret text'
ADDED = nginx_.has('http_addition_module')
ADDITION = '''
        location /added/ {
            default_type text/html;
            add_before_body /guarded/f;
            root @dir@/open;
        }'''
HTTP = '''
    @method@
    @config@
    log_format who '$uri "$akl_k8s_status" "$akl_k8s_pod_name"';
    access_log @dir@/who.log who;
    log_subrequest on;
    server {
        listen 127.0.0.1:@port@;
        root @dir@/open;

        location /guarded/ {
            akl_k8s_guard k8s-conf;
            root @dir@;
            add_header X-Pod "$akl_k8s_pod_name";
        }
        location /any/ {
            akl_k8s_guard k8s-conf;
            satisfy any;
            allow all;
            root @dir@;
        }

        # auth_request, asking a guarded location
        location = /verify { akl_k8s_guard k8s-conf; akl_k8s_verify; }
        location = /verify-internal {
            internal;
            akl_k8s_guard k8s-conf;
            akl_k8s_verify;
        }
        location /asked/ {
            auth_request /verify;
            auth_request_set $who $akl_k8s_namespace;
            auth_request_set $sent $sent_http_x_akl_pod_name;
            add_header X-Who "$who $sent";
            add_header X-Own "[$akl_k8s_namespace]";
        }
        location /asked-internal/ { auth_request /verify-internal; }
        location /asked-any/ { auth_request /any/verify; }
        location = /any/verify {
            satisfy any;
            allow all;
            akl_k8s_guard k8s-conf;
            akl_k8s_verify;
        }

        # includes
        location /ssi/ { ssi on; default_type text/html; }

        # copies
        location /mirrored/ { mirror /copy; mirror_request_body off; }
        location = /copy {
            internal;
            akl_k8s_guard k8s-conf;
            proxy_pass http://127.0.0.1:@mock@/copy;
        }
        @addition@

        # internal redirects
        location /error/ { error_page 404 = /guarded/f; }
        location /error-named/ { error_page 404 = @guarded; }
        location /try/ { try_files $uri /guarded/f; }
        location /try-named/ { try_files $uri @guarded; }
        location @guarded {
            akl_k8s_guard k8s-conf;
            proxy_pass http://127.0.0.1:@port1@;
        }
        location /rewritten/ { rewrite ^ /guarded/f last; }
        location /index/ { index /guarded/f; }
        location /accel/ {
            proxy_pass http://127.0.0.1:@port@/accel-from$is_args$args;
        }
        location = /accel-from {
            add_header X-Accel-Redirect $arg_to;
            return 200;
        }

        # a refused one that ends elsewhere
        location /refused/ {
            akl_k8s_guard k8s-conf;
            error_page 401 = /guarded/f;
        }
        location /refused-open/ {
            akl_k8s_guard k8s-conf;
            error_page 401 /page;
        }
        location = /page { return 200 "page $akl_k8s_status"; }
        location /limit/ {
            limit_except GET { deny all; }
            akl_k8s_guard k8s-conf;
            root @dir@;
        }
        location /if/ {
            akl_k8s_guard k8s-conf;
            if ($arg_x) { add_header X-If 1; }
            alias @dir@/guarded/;
        }
        location /nested/ {
            akl_k8s_guard k8s-conf;
            location ~ /f$ { alias @dir@/guarded/f; }
        }
    }
    server {
        listen 127.0.0.1:@port1@;
        location / { root @dir@/guarded; try_files /f =404; }
    }
'''

FILES = (
        ('guarded/f', SECRET), ('any/f', SECRET), ('open/asked/f', 'asked'),
        ('open/asked-internal/f', 'asked'), ('open/asked-any/f', 'asked'),
        ('open/ssi/f', 'a <!--# include virtual="/guarded/f" --> z'),
        ('open/ssi/any', 'a <!--# include virtual="/any/f" --> z'),
        ('open/ssi/set', '<!--# include virtual="/guarded/f" set="x" -->'
                         '<!--# echo var="x" -->'),
        ('open/ssi/pod', '<!--# include virtual="/guarded/f" wait="yes" -->'
                         '[<!--# echo var="akl_k8s_pod_name" -->]'),
        ('open/mirrored/f', 'mirrored'), ('open/added/f', 'z'),
        ('limit/f', SECRET), ('open/refused/f', SECRET),
        ('open/try/there', 'there'))

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx with many ways to a guarded location."""

    def __init__(self, cluster):
        self.good = mint()
        self.mock = t.mock()
        self.nginx = t.nginx(
            HTTP, start=False, method=cluster.method(), mock=self.mock.port,
            addition='', config=cluster.config(kind='P-256',
                                               token_issuer=ISSUER))
        if ADDED:
            self.nginx.configure({
                'addition': ADDITION.replace('@dir@', self.nginx.dir)})
        for name, text in FILES:
            path = os.path.join(self.nginx.dir, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            t.write(path, text)
        os.makedirs(os.path.join(self.nginx.dir, 'open', 'index'))
        self.nginx.start()

    def get(self, path, token=None, method='GET'):
        """Make a request."""
        return client.request(self.nginx.port, method, path,
                              bearer(token) if token else {})

    def shut(self, path, name, status=None):
        """Shut without a token and with a bad one, open with a good one."""
        for how, token in (('no token', None),
                           ('a bad token', self.good[:-6])):
            answer = self.get(path, token)
            t.ok(SECRET not in answer.text and (
                status is None or answer.status == status),
                f'{name}: {how}', answer)
        answer = self.get(path, self.good)
        t.ok(answer.status == 200 and SECRET in answer.text,
             f'{name}: a good token', answer)


@t.shared
def gateway(cluster):
    """The gateway of all stories."""
    return Gateway(cluster)


@t.story
def a_guarded_file_is_shut(gateway):
    gateway.shut('/guarded/f', 'directly', 401)


@t.story
def an_include_is_shut_also_where_satisfy_any_would_let_in(gateway):
    gateway.shut('/ssi/f', 'SSI', 200)
    gateway.shut('/ssi/set', 'SSI into a variable', 200)
    gateway.shut('/ssi/any', 'SSI where satisfy any would let in', 200)
    t.is_(gateway.get('/any/f').text, SECRET,
          'satisfy any lets the main request in')


@t.story
def what_is_added_to_a_page_is_shut(gateway):
    if ADDED:
        gateway.shut('/added/f', 'addition', 200)
    else:
        t.skip('nginx is built without http_addition_module')


@t.story
def an_error_page_is_shut(gateway):
    gateway.shut('/error/none', 'error_page')
    gateway.shut('/error-named/none', 'error_page to a named location', 401)


@t.story
def what_try_files_ends_at_is_shut(gateway):
    gateway.shut('/try/none', 'try_files', 401)
    t.is_(gateway.get('/try/there').text, 'there',
          'try_files: what is open stays so')
    gateway.shut('/try-named/none', 'try_files to a named location', 401)


@t.story
def what_is_redirected_to_is_shut(gateway):
    gateway.shut('/rewritten/', 'rewrite last', 401)
    gateway.shut('/index/', 'index', 401)
    gateway.shut('/accel/?to=/guarded/f', 'X-Accel-Redirect', 401)


@t.story
def the_page_of_a_refusal_is_shut(gateway):
    gateway.shut('/refused/f', 'error_page of a refusal')
    answer = gateway.get('/refused/f')
    t.is_(len(answer.all('www-authenticate')), 1,
          'one challenge, refused twice')


@t.story
def blocks_and_nested_locations_are_shut(gateway):
    good = gateway.good
    gateway.shut('/if/f?x=1', 'if', 401)
    gateway.shut('/nested/f', 'a nested location', 401)
    gateway.shut('/limit/f', 'limit_except', 401)
    t.is_(gateway.get('/limit/f', good, 'POST').status, 403,
          'limit_except denies')


@t.story
def variables_survive_an_error_page(gateway):
    t.is_(gateway.get('/refused-open/f').text, 'page token_missing',
          'variables survive error_page')


# auth_request

@t.story
def auth_request_asks_a_guarded_location(gateway):
    good = gateway.good
    for place in ('asked', 'asked-internal', 'asked-any'):
        answer = gateway.get(f'/{place}/f')
        t.is_((answer.status, answer.header('www-authenticate')),
              (401, 'Bearer realm="akl_k8s"'), f'/{place}/: no token')
        answer = gateway.get(f'/{place}/f', good[:-6])
        t.is_(answer.status, 401, f'/{place}/: a bad token')
        t.like(answer.header('www-authenticate'), 'signature_invalid',
               f'/{place}/: and why')
        t.is_(gateway.get(f'/{place}/f', good).text, 'asked',
              f'/{place}/: a good token')


@t.story
def auth_request_set_takes_the_identity_over(gateway):
    good = gateway.good
    answer = gateway.get('/asked/f', good)
    t.is_(answer.header('x-who'), 'my-namespace-a mypod1',
          'auth_request_set takes variable and header over')
    t.is_(answer.header('x-own'), '[]',
          'the main request has no identity of its own')


@t.story
def an_internal_location_stays_internal(gateway):
    good = gateway.good
    t.is_(gateway.get('/verify-internal', good).status, 404,
          'internal stays internal')


@t.story
def a_page_does_not_get_the_identity_of_what_it_includes(gateway):
    good = gateway.good
    t.is_(gateway.get('/ssi/pod', good).text, SECRET + '[]',
          'the page has none of its own')


# mirror

@t.story
def a_copy_goes_out_with_a_good_token_only(gateway):
    good = gateway.good
    t.is_(gateway.get('/mirrored/f').text, 'mirrored', 'mirror: no token')
    t.is_(gateway.get('/mirrored/f', good).text, 'mirrored',
          'mirror: a good token')
    t.ok(wait_for(lambda: gateway.mock.requests), 'mirror: copied')
    t.ok(wait_for(lambda: [line for line in gateway.nginx.access_log('who.log')
                           if line.startswith('/copy "token_missing"')]),
         'mirror: the other was refused')
    t.is_(len(gateway.mock.requests), 1, 'mirror: one copy')


# akl_k8s_verify

@t.story
def akl_k8s_verify_says_who_it_is(gateway):
    good = gateway.good
    answer = gateway.get('/verify', good)
    t.is_((answer.status, answer.text), (204, ''), 'akl_k8s_verify')
    t.is_([answer.header(f'x-akl-{name}') for name in (
        'namespace', 'service-account', 'pod-name', 'pod-uid', 'node-name',
        'config', 'access-id')],
        ['my-namespace-a', 'builder', 'mypod1',
         'b8c1e4a2-0000-4000-8000-000000000002', 'node1', 'k8s-conf',
         'p-kmx8x116z7j9km'], 'says who it is')
    t.is_(answer.header('cache-control'), 'no-store', 'to this asker only')


@t.story
def akl_k8s_verify_answers_any_method(gateway):
    good = gateway.good
    answer = client.post(gateway.nginx.port, '/verify', 'x' * 100000, {
        **bearer(good), 'X-Original-URL': 'https://x/guarded/f',
        'X-Original-Method': 'POST'})
    t.is_(answer.status, 204, 'of any method')


@t.story
def headers_of_a_proxy_decide_nothing(gateway):
    answer = client.get(gateway.nginx.port, '/verify', {
        'X-Original-URL': 'http://x/open/', 'X-Original-Method': 'GET',
        'X-Auth-Request-Redirect': '/open/', 'X-Akl-Namespace': 'kube-system',
        'X-Forwarded-User': 'admin'})
    t.is_((answer.status, answer.header('x-akl-namespace')), (401, None),
          'headers of a proxy decide nothing')


@t.story
def akl_k8s_verify_without_a_guard_is_refused_by_nginx(gateway):
    code, text = gateway.nginx.config_test(http='''
    server { listen 127.0.0.1:@port9@; location / { akl_k8s_verify; } }''')
    t.ok(code != 0 and 'akl_k8s_verify' in text,
         'akl_k8s_verify without a guard is refused by nginx -t', text)


t.tell()
