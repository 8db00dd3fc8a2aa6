"""The gateway and the API servers of the benchmark."""

import os

import ground
from ground import tokens

CONF = '''
    akl_k8s_zone bench:@zone@;
    @files@
    akl_k8s_max_reviews 256 queue=16384;
    akl_k8s_review_timeout @timeout@ connect=5s;
    akl_k8s_cache_valid @valid@;
    access_log off;
    keepalive_requests 100000000;
    client_body_buffer_size 64k;
    client_max_body_size 64m;

    @method@
    @configs@

    upstream api {
        server 127.0.0.1:@api@;
        keepalive 64;
        keepalive_requests 100000000;
    }

    server {
        listen 127.0.0.1:@port@ backlog=16384;
        root @dir@/html;

        location = /v2/auth { akl_k8s_auth; }
        location = /status { akl_k8s_status; }
        location = /basic_status { stub_status; }
        location = /return200 { return 200; }

        location = @reviews@ {
            proxy_pass https://api;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_ssl_trusted_certificate @ca@;
            proxy_ssl_verify on;
            proxy_ssl_name localhost;
        }

        location /open/ { alias @dir@/html/; }
        location /es256/ { akl_k8s_guard bench-es256; alias @dir@/html/; }
        location /rs256/ { akl_k8s_guard bench-rs256; alias @dir@/html/; }
    }
'''

API = '''
    access_log off;
    keepalive_requests 100000000;
    client_body_buffer_size 64k;

    server {
        listen 127.0.0.1:@port@ ssl backlog=16384;
        ssl_certificate @cert@;
        ssl_certificate_key @key@;

        location = @reviews@ {
            default_type application/json;
            return 201 '@answer@';
        }
    }
'''

DELAYED = '''
    access_log off;
    keepalive_requests 100000000;
    client_body_buffer_size 64k;

    perl_modules @dir@;
    perl_require delay.pm;

    server {
        listen 127.0.0.1:@port@ ssl backlog=16384;
        ssl_certificate @cert@;
        ssl_certificate_key @key@;

        location = @reviews@ { perl delay::handler; }
    }
'''

DELAY_PM = '''package delay;
use nginx;

my $answer = do {{ local $/; open my $f, "<", "{answer}" or die; <$f> }};

sub handler {{
    my $r = shift;
    $r->discard_request_body;
    $r->sleep({ms}, \\&answer);
    return OK;
}}

sub answer {{
    my $r = shift;
    $r->status(201);
    $r->header_out("Content-Length", length $answer);
    $r->send_http_header("application/json");
    $r->print($answer);
    return OK;
}}

1;
'''


PERL = '/usr/lib/nginx/modules/ngx_http_perl_module.so'


class Ground:
    """API server, gateway, and request files below a test's directory."""

    def __init__(self, test):
        self.test = test
        self.cluster = test.cluster()
        self.api = None
        self.gateway = None
        os.makedirs(os.path.join(test.dir, 'requests'), exist_ok=True)

    def certificate(self):
        """Return the paths of the API server's certificate and key."""
        return (self.cluster.api.path('server.crt'),
                self.cluster.api.path('server.key'))

    def start_api(self, delay=None):
        """Start the plain nginx that answers reviews; its port stays."""
        if self.api is not None:
            self.api.stop()
        cert, key = self.certificate()
        answer = ground.review_answer()
        values = {'cert': cert, 'key': key, 'reviews': ground.REVIEWS,
                  'answer': answer}
        name = f'api{delay or ""}'
        main = ''
        http = API
        if delay:
            os.makedirs(os.path.join(self.test.dir, name), exist_ok=True)
            path = self.test.write(f'{name}/answer.json', answer)
            self.test.write(f'{name}/delay.pm', DELAY_PM.format(
                answer=path, ms=delay))
            main = f'load_module {PERL};'
            http = DELAYED
        api = self.test.nginx(http, start=False, name=name, load=False,
                              main=main, level='error', connections=8192,
                              **values)
        if self.api is not None:
            api.ports = dict(self.api.ports)
            api.configure()
        self.api = api.start()
        for pid in (api.process.pid, *api.workers()):
            ground.pin(pid, ground.OTHER_CORE)
        return api.port

    def start_gateway(self, workers=1, port=None, valid='1h', zone='64m',
                      timeout='10s', name='gateway', connections=8192,
                      kinds=('P-256', 'RSA-2048'), pinned=True, files='',
                      beside=False, load=True, master=True, **members):
        """Start the gateway against the API server (or another port).

        files are directives of http; the former gateway stays with beside.
        load and master are those of Nginx.
        """
        if self.gateway is not None and not beside:
            self.gateway.stop()
        host = f'https://127.0.0.1:{port or self.api.port}'
        names = {'P-256': 'bench-es256', 'RSA-2048': 'bench-rs256'}
        configs = '\n'.join(
            self.cluster.config(name=names[kind], kind=kind, k8s_host=host,
                                **members)
            for kind in kinds)
        self.gateway = self.test.nginx(
            CONF, start=False, workers=workers, level='error', name=name,
            connections=connections, load=load, master=master,
            zone=zone, valid=valid, files=files,
            timeout=timeout, method=self.cluster.method(token_ttl='1h'),
            configs=configs, api=self.api.port if self.api else port,
            ca=self.cluster.ca, reviews=ground.REVIEWS)
        os.makedirs(os.path.join(self.gateway.dir, 'html'), exist_ok=True)
        self.test.write(os.path.join(self.gateway.dir, 'html', 'small.txt'),
                        'x' * 1024)
        self.gateway.start()
        if pinned:
            self.pin_gateway()
        return self.gateway

    def pin_gateway(self):
        """Give a single worker its core, two workers one each."""
        for number, pid in enumerate(self.gateway.workers(old=False)):
            ground.pin(pid, (ground.GATEWAY_CORE + number) % 2)

    def url(self, path):
        """Return a URL of the gateway."""
        return f'http://127.0.0.1:{self.gateway.port}{path}'

    def status(self):
        """Return what the gateway's status page tells."""
        return ground.client.get(self.gateway.port, '/status').json()

    def requests(self, name, lines):
        """Write a request file for wrk; return its path."""
        return self.test.write(f'requests/{name}', '\n'.join(lines) + '\n')

    def post(self, name, path, bodies, **headers):
        """Write a file of POST requests."""
        return self.requests(name, [
            f'POST {path}', 'Content-Type: application/json',
            *(f'{k}: {v}' for k, v in headers.items()), '', 'body', *bodies])

    def distinct(self, name, config):
        """Write a file of logins of which each has a token of its own."""
        token = ground.pod_token()
        head, signature = token.rsplit('.', 1)
        signature = f'{signature[:40]}@N@{signature[52:]}'
        body = ground.json.dumps({
            'access-type': 'k8s', 'access-id': 'p-kmx8x116z7j9km',
            'k8s-auth-config-name': config,
            'k8s-service-account-token': f'{head}.{signature}'})
        return self.post(name, '/v2/auth', [body])

    def minted(self, kind, count):
        """Return minted tokens of the gateway's own making, all distinct."""
        key = tokens.key(kind, 'gateway')
        config = {'P-256': 'bench-es256', 'RSA-2048': 'bench-rs256'}[kind]
        seed = self.login(config)
        claims = tokens.decode(seed)[1]
        header = tokens.decode(seed)[0]
        out = []
        for number in range(count):
            claims['jti'] = f'{number:032x}'
            out.append(tokens.sign(header, claims, key, alg=header['alg']))
        return out

    def login(self, config='bench-es256'):
        """Log in once; return the minted token."""
        answer = ground.client.post(
            self.gateway.port, '/v2/auth',
            body=ground.login_body(ground.pod_token(), config),
            headers={'Content-Type': 'application/json'})
        return answer.json()['token']
