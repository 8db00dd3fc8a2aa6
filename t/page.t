#!/usr/bin/python3
"""The status page as a browser gets it: who gets it, what stands in it."""

import base64
import hashlib
import html
import html.parser
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import tokens  # noqa: E402
from akltest import CONFIG, NAMESPACE, Test, client, wait_for  # noqa: E402

HOSTILE = '<img src=x onerror=alert(1)>&\'"'
QUOTED = '"' + HOSTILE.replace('"', '\\"') + '"'    # as nginx reads it

HTTP = '''
    akl_k8s_cache_valid 1h refused=1h;
    @revocations@
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /status { akl_k8s_status; }
        location = /file { akl_k8s_guard @config@; empty_gif; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Page(html.parser.HTMLParser):
    """What a browser would show: figures by section and group, tables.

    Raises where an element is not closed, or by another one.
    """

    VOID = 'meta', 'wbr'

    def __init__(self, text):
        super().__init__()
        self.open, self.figures, self.rows, self.heads = [], {}, [], []
        self.attributes = []
        self.section = self.group = self.name = None
        self.texts = {}
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        """Open an element."""
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.texts[tag] = ''
        if tag == 'tr':
            self.rows.append([])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Close it, and keep what it told."""
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()
        text = self.texts[tag].strip()
        if tag == 'h2':
            self.section, self.group = text, None
        elif tag == 'h3':
            self.group = text
        elif tag == 'dt':
            self.name = text
        elif tag == 'dd':
            self.figures[self.section, self.group, self.name] = text
        elif tag in ('th', 'td'):
            self.rows[-1].append(text)

    def handle_data(self, data):
        """Text goes to all elements that are open."""
        if 'small' in self.open and 'dd' in self.open:
            return
        for tag in set(self.open):
            self.texts[tag] += data

    def of(self, config, group):
        """Return the figures of one group, as numbers where they are."""
        return {name: int(text) if text.isdigit() else text
                for (section, under, name), text in self.figures.items()
                if (section, under) == (config, group)}

    def reasons(self):
        """Return the rows of reasons: code -> config, logins, guarded."""
        return {re.match(r'[a-z_]+?(?=\d)', row[0])[0]:
                (row[1], int(row[2]), int(row[3])) for row in self.rows
                if re.match(r'[a-z_]+\d{3}: ', row[0])}


class Gateway:
    """An nginx with a status page."""

    def __init__(self, cluster, *names, **members):
        self.cluster = cluster
        self.revocations = cluster.file(
            'revoked', '{"jti":"a","until":9000000000}\n')
        self.nginx = t.nginx(
            HTTP, method=cluster.method(), config=CONFIG,
            revocations=f'akl_k8s_revocations {self.revocations};',
            configs=cluster.config(**members) + ''.join(
                cluster.config(name=name) for name in names))

    def get(self, **headers):
        """Ask for the page; return the answer."""
        return client.get(self.nginx.port, '/status', headers)

    def page(self):
        """Return the page as a browser gets it."""
        return Page(self.get(Accept='text/html').text)

    def status(self):
        """Return the same as JSON."""
        return self.get().json()

    def login(self, token, config=CONFIG):
        """Log in."""
        return client.post(self.nginx.port, '/v2/auth',
                           self.cluster.login(token, config))


@t.own
def gateway(cluster):
    """A gateway that has seen nothing yet."""
    return Gateway(cluster)


def other_signature(token):
    """Return a token whose signature is another one."""
    return token[:-6] + ('AAAAAA' if token[-6:] != 'AAAAAA' else 'BAAAAA')


# Who gets it

JSON, PAGE, TEXT = 'application/json', 'text/html', 'text/plain'
ACCEPTED = {
    'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,'
    'image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7':
        PAGE,
    'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8': PAGE,
    'application/openmetrics-text;version=1.0.0;q=0.5,'
    'application/openmetrics-text;version=0.0.1;q=0.4,'
    'text/plain;version=0.0.4;q=0.3,*/*;q=0.2': TEXT,
    'application/json, text/plain, */*': JSON,
    '*/*': JSON,
    '': JSON,
    'image/png': JSON,
    'text/html': PAGE,
    'TEXT/HTML': PAGE,
    ' \ttext/html\t ; q=1 ': PAGE,
    'text/*': PAGE,
    'text/plain': TEXT,
    'text/html;level=1': PAGE,
    'application/json;q=0.5, text/html;q=0.5': JSON,
    'application/json;q=0.5, text/html;q=0.501': PAGE,
    'application/json;q=0.1, text/html;q=0.2, text/plain;Q=0.3': TEXT,
    'text/html;q=0.2, */*;q=0.1': PAGE,
    'text/html;q=0.1, */*;q=0.2': JSON,
    '*/*, application/json;q=0.1, text/html;q=0.5, text/*;q=0': PAGE,
    'text/*;q=0.3, text/html;q=0.1, application/json;q=0.2': TEXT,
    'text/html;q=0, application/json;q=0': JSON,
    'text/html;q=0, */*;q=0.1': JSON,
    'text/html;q=1.001, application/json;q=0.1': JSON,
    'text/html;q=0.0001, application/json;q=0.1': JSON,
    'text/html;q=, application/json;q=0.1': JSON,
    'text/html;q=x, application/json;q=0.1': JSON,
    'text/html;q=-1, application/json;q=0.1': JSON,
    'text/html;a="x,y;q=0";q=1, application/json;q=0.1': PAGE,
    'text/plain;a="\\", text/html";q=0.1, application/json;q=0.05': TEXT,
    ',, ;, text/html,,': PAGE,
    'texthtml, /, */, *': JSON,
}


@t.story
def the_format_that_a_client_likes_best_is_sent(gateway):
    for accept, kind in ACCEPTED.items():
        answer = gateway.get(Accept=accept)
        t.is_((answer.status, answer.header('content-type').split(';')[0]),
              (200, kind), f'{accept!r} gets {kind}')
    t.is_(gateway.get().header('content-type'), JSON, 'no Accept gets JSON')
    several = client.request(gateway.nginx.port, 'GET', '/status', [
        ('Accept', 'application/json;q=0.1'), ('X-Other', 'text/plain'),
        ('Accept', 'text/html')])
    t.is_(several.header('content-type'), 'text/html; charset=utf-8',
          'several headers are one list')
    t.is_([gateway.get(Accept=accept).all('vary')
           for accept in ('text/html', '*/*')], [['Accept'], ['Accept']],
          'caches are told what it depends on')


@t.story
def a_format_that_is_asked_for_comes_whatever_is_accepted(gateway):
    for name, kind in (('json', JSON), ('html', PAGE), ('prometheus', TEXT)):
        answer = client.get(gateway.nginx.port, f'/status?format={name}',
                            {'Accept': 'text/html, */*;q=0.1'})
        t.is_((answer.header('content-type').split(';')[0],
               answer.all('vary')), (kind, []), name)
    for name in 'htm', 'html%20', 'HTML', '<script>', '':
        t.is_(client.get(gateway.nginx.port, f'/status?format={name}',
                         {'Accept': 'text/html'}).status, 400,
              f'there is no format {name!r}')


@t.story
def head_has_the_headers_of_the_page_and_no_content(gateway):
    head = client.request(gateway.nginx.port, 'HEAD', '/status',
                          {'Accept': 'text/html'})
    page = gateway.get(Accept='text/html')
    t.is_((head.status, head.body), (200, b''), 'no content')
    for name in ('content-type', 'cache-control', 'content-security-policy',
                 'x-content-type-options', 'referrer-policy', 'vary'):
        t.is_(head.all(name), page.all(name), name)
        t.is_(len(page.all(name)), 1, f'{name} is there, once')


# What it may do

@t.story
def the_page_runs_its_own_script_and_loads_nothing(gateway):
    answer = gateway.get(Accept='text/html')
    policy = dict(part.strip().split(' ', 1) for part in answer.header(
        'content-security-policy').split(';'))
    digests = {}
    for tag in 'style', 'script':
        found = re.findall(f'<{tag}>(.*?)</{tag}>', answer.text, re.S)
        t.is_(len(found), 1, f'one {tag}')
        digests[tag] = "'sha256-%s'" % base64.b64encode(hashlib.sha256(
            found[0].encode()).digest()).decode()
    t.is_(policy, {
        'default-src': "'none'", 'style-src': digests['style'],
        'script-src': digests['script'], 'connect-src': "'self'",
        'base-uri': "'none'", 'form-action': "'none'",
        'frame-ancestors': "'none'"}, 'that very style and script may run')
    page = Page(answer.text)
    t.is_([(tag, name) for tag, name, _ in page.attributes
           if name in ('src', 'href', 'style', 'action', 'srcset', 'data')
           or name.startswith('on')], [], 'no element loads or runs anything')
    t.is_(('meta', 'charset', 'utf-8') in page.attributes
          and ('html', 'lang', 'en') in page.attributes, True,
          'it says what it is written in')


@t.story
def without_javascript_the_page_reloads_itself(gateway):
    t.like(gateway.get(Accept='text/html').text,
           r'<noscript><meta http-equiv="refresh" content="\d+"></noscript>',
           'it does')


@t.story
def tables_have_heads_for_columns_and_rows(gateway):
    gateway.login(other_signature(gateway.cluster.issue()))
    text = gateway.get(Accept='text/html').text
    heads = re.findall(r'<thead>(.*?)</thead>', text, re.S)
    t.is_(len(heads), 3, 'three tables')
    for head in heads:
        t.is_(re.findall(r'<th(?! scope="col")', head) + re.findall(
            '<td', head), [], 'their columns have heads')
    bodies = re.findall(r'<tbody>(.*?)</tbody>', text, re.S)
    for row in re.findall(r'<tr>(.*?)</tr>', ''.join(bodies), re.S):
        t.like(row, r'^<th scope="row">', 'and so have rows')


# What it tells

@t.story
def before_any_login_all_figures_are_nothing(gateway):
    page = gateway.page()
    t.is_(page.of(CONFIG, 'Logins'), {
        'all': 0, 'rate': '0.00/s', 'accepted': 0, 'refused': 0, 'outages': 0,
        'tokens minted': 0}, 'logins')
    t.is_(page.of(CONFIG, 'Reviews'), {
        'all': 0, 'rate': '0.00/s', 'p50': 'none', 'p99': 'none',
        'in flight': 0, 'queued': 0}, 'reviews')
    t.is_(page.of(CONFIG, 'Guarded requests'),
          {'passed': 0, 'refused': 0, 'outages': 0}, 'guarded requests')
    t.is_(page.reasons(), {}, 'no reasons')


@t.story
def after_logins_the_figures_are_those_of_the_logins(cluster, gateway):
    good, bad = cluster.issue(), other_signature(cluster.issue(ttl=7000))
    minted = [gateway.login(good) for _ in range(3)][-1].json()['token']
    for _ in range(2):
        gateway.login(bad)
    gateway.login(good, 'nobody')
    for token in minted, minted, good:
        client.get(gateway.nginx.port, '/file',
                   {'Authorization': f'Bearer {token}'})
    cluster.api.fault('error_500', headers={'Retry-After': '999'})
    gateway.login(cluster.issue(ttl=7100))
    cluster.api.clear()
    page = gateway.page()
    logins, reviews = page.of(CONFIG, 'Logins'), page.of(CONFIG, 'Reviews')
    t.is_({name: logins[name] for name in logins if name != 'rate'}, {
        'all': 6, 'accepted': 3, 'refused': 2, 'outages': 1,
        'tokens minted': 1}, 'logins')
    t.is_({name: reviews[name] for name in reviews
           if name not in ('rate', 'p50', 'p99')}, {
        'all': 3, 'in flight': 0, 'queued': 0, 'answered 201': 2,
        'answered 5xx': 1}, 'reviews')
    t.is_(page.of(CONFIG, 'Logins by their verdict'), {
        'kept: hit': 2, 'kept: refused': 1,
        'shared another\u2019s review': 0, 'missed: own review': 3,
        'none needed': 0}, 'how they came by their verdicts')
    t.is_(page.of(CONFIG, 'Guarded requests'),
          {'passed': 2, 'refused': 1, 'outages': 0}, 'guarded requests')
    t.is_(page.of('Zone', 'Under way')['flights of all workers'], 0, 'flights')
    reasons = page.reasons()
    t.is_([reasons.pop(name) for name in (
        'token_rejected', 'config_unknown', 'api_error')], [
        (CONFIG, 2, 0), ('none that is known', 1, 0), (CONFIG, 1, 0)],
        'refusals and outages by reason')
    t.is_([row[1:] for row in reasons.values()], [(0, 1)],
          'a refusal of the guard')
    entries = {row[0].split('l')[0]: row[1:] for row in page.rows
               if row[0].startswith(('verdict', 'refusal'))}
    t.is_(entries, {'verdict': ['1', '0'], 'refusa': ['1', '0']}, 'the zone')


@t.story
def each_reason_is_told_with_what_it_means(cluster, gateway):
    gateway.login(other_signature(cluster.issue()))
    body = gateway.login(other_signature(cluster.issue())).json()
    t.is_([row[0] for row in gateway.page().rows
           if row[0].startswith('token_rejected')],
          [f'token_rejected401: {body["error"]}'],
          'in the words of the answer')


@t.story
def reviews_under_way_and_waiting_are_told(cluster):
    gateway = Gateway(cluster, akl_k8s_max_reviews='1 queue=8')
    cluster.api.fault('hold')
    waiting = [client.Background(gateway.login, cluster.issue(ttl=7000 + n))
               for n in range(2)]
    t.ok(wait_for(lambda: [gateway.page().of(CONFIG, 'Reviews')[name] for name
                         in ('in flight', 'queued')] == [1, 1]), 'both')
    cluster.api.clear()
    cluster.api.release()
    t.is_([login.result().status for login in waiting], [200, 200],
          'and are answered')


def quantile(buckets, percent):
    """Return what the page says of a histogram in JSON."""
    bounds = [int(le) for le in buckets if le.isdigit()]
    rank, below, low = sum(
        n for le, n in buckets.items() if le != 'sum') * percent, 0, 0
    if not rank:
        return 'none'
    for bound in bounds:
        n = buckets[str(bound)]
        if (below + n) * 100 >= rank:
            tenths = low * 10 + (bound - low) * 10 * (
                rank - below * 100) // (n * 100)
            return f'{tenths // 10}.{tenths % 10} ms'
        below, low = below + n, bound
    return f'over {bounds[-1]} ms'


@t.story
def quantiles_and_rates_are_of_the_histogram(cluster, gateway):
    for n in range(20):
        gateway.login(cluster.issue(ttl=7000 + n))
    buckets = gateway.status()['configs'][CONFIG]['review_duration_ms']
    reviews = gateway.page().of(CONFIG, 'Reviews')
    t.is_((reviews['p50'], reviews['p99']),
          (quantile(buckets, 50), quantile(buckets, 99)), 'p50 and p99')
    t.is_(sum(n for le, n in buckets.items() if le != 'sum'), 20,
          'of all reviews')
    t.like(reviews['rate'], r'^\d+\.\d\d/s$', 'the rate')
    t.isnt(reviews['rate'], '0.00/s', 'is one')


@t.story
def the_ends_of_credentials_are_told(cluster):
    soon = cluster.file('soon.jwt', cluster.api.issue(
        'akl-system', account='reviewer', ttl=86400 * 3 + 3600))
    gateway = Gateway(cluster, token_reviewer_jwt=soon)
    ends = gateway.page().of(CONFIG, 'Credentials end')
    t.is_(ends['token_reviewer_jwt'], 'in 3 days', 'the reviewer\'s')
    t.like(ends['k8s_ca_cert'], r'^in \d+ days$', 'the CA\'s')
    text = gateway.get(Accept='text/html').text
    t.is_([re.search(f'<dt>{name}</dt><dd class="(.*?)">', text)[1]
           for name in ('token_reviewer_jwt', 'k8s_ca_cert')],
          ['soon', 'good'], 'what ends soon stands out')


@t.story
def keys_of_the_cluster_and_files_of_revocations_are_told(cluster):
    gateway = Gateway(cluster, k8s_jwks=cluster.jwks)
    page = gateway.page()
    t.is_(page.of(CONFIG, 'Credentials end')['k8s_jwks'], '1 key', 'keys')
    room = gateway.status()['zone']['share']['revoked']
    t.is_(page.of('Revocations', 'In force'),
          {'in the zone': 0, 'in files': 1, 'of its room':
           f'0 KB of {(room + 1023) // 1024} KB'}, 'revocations')
    t.is_([row[1] for row in page.rows if row[0] == gateway.revocations],
          ['1'], 'by their file')


@t.story
def without_an_auth_config_there_is_still_a_page():
    nginx = t.nginx('''
        server {
            listen 127.0.0.1:@port@;
            location = /status { akl_k8s_status; }
        }
    ''')
    answer = client.get(nginx.port, '/status', {'Accept': 'text/html'})
    t.is_(answer.status, 200, 'there is')
    t.is_(Page(answer.text).reasons(), {}, 'that tells nothing')


@t.story
def many_auth_configs_are_all_on_the_page(cluster):
    names = [f'config-{n}' for n in range(60)]
    gateway = Gateway(cluster, *names)
    found = {section for section, _, _ in gateway.page().figures}
    t.is_(found, {CONFIG, *names, 'Revocations', 'Zone'}, 'all are')


# Names that somebody chose

@t.story
def names_of_the_configuration_are_text(cluster):
    gateway = Gateway(cluster, QUOTED)
    gateway.login(other_signature(cluster.issue()), HOSTILE)
    text = gateway.get(Accept='text/html').text
    page = Page(text)
    t.is_(page.of(HOSTILE, 'Logins')['refused'], 1, 'a config is named')
    t.is_(page.reasons()['token_rejected'][0], HOSTILE, 'with its reasons')
    t.is_(text.count('<img') + text.count('onerror=alert(1)>'), 0,
          'and makes no element')


@t.story
def what_a_pod_says_is_not_on_the_page(cluster, gateway):
    def told():
        return [gateway.get(Accept='text/html').text,
                gateway.get().text,
                client.get(gateway.nginx.port,
                           '/status?format=prometheus').text]
    claims = tokens.decode(cluster.issue())[1]
    claims['kubernetes.io'] = {
        **claims['kubernetes.io'], 'namespace': HOSTILE,
        'pod': {'name': HOSTILE, 'uid': HOSTILE},
        'serviceaccount': {'name': HOSTILE, 'uid': HOSTILE}}
    claims['sub'] = f'system:serviceaccount:{NAMESPACE}:{HOSTILE}'
    hostile = tokens.sign({'alg': 'RS256', 'kid': cluster.key.k8s_kid}, claims,
                          cluster.key)
    t.is_(gateway.login(hostile).status // 100, 4, 'a hostile pod name')
    t.is_(gateway.login(cluster.issue(), HOSTILE).status, 401,
          'a hostile config name')
    header, claims = tokens.decode(
        gateway.login(cluster.issue()).json()['token'])[:2]
    minted = tokens.sign(header, {**claims, 'pod_name': HOSTILE,
                                  'namespace': HOSTILE},
                         tokens.key('RSA-2048', 'gateway'))
    t.is_(client.get(gateway.nginx.port, '/file', {
        'Authorization': f'Bearer {minted}'}).status, 200,
        'a hostile name in a token that the guard lets pass')
    client.get(gateway.nginx.port, '/status?format=' + 'x' * 9 + HOSTILE
               .replace(' ', '%20'), {'User-Agent': HOSTILE})
    for text, kind in zip(told(), ('the page', 'JSON', 'text')):
        t.is_([part for part in (
            HOSTILE, html.escape(HOSTILE), 'onerror', NAMESPACE, 'mypod1')
            if part in text], [], f'{kind} names no pod and no namespace')


t.tell()
