#!/usr/bin/python3
"""The status page: each metric, by its name and by what it counts."""

import datetime
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

from cryptography import x509  # noqa: E402

import certs  # noqa: E402
import tokens  # noqa: E402
from akltest import CONFIG, Test, client, wait_for  # noqa: E402

PREFIX = 'nginx_akl_k8s_'
DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'docs',
                    'directives.md')

EXPIRY = 'credential_expiry_timestamp_seconds'

HTTP = '''
    akl_k8s_cache_valid 1h refused=1h;
    akl_k8s_revocations @revocations@;
    akl_k8s_revocations @journal@ journal=1m;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        location = /v2/auth { akl_k8s_auth; }
        location = /token { akl_k8s_auth oauth; }
        location = /introspect { akl_k8s_introspect @config@; }
        location = /revoke { akl_k8s_revoke; }
        location = /status { akl_k8s_status; }
        location = /guarded { akl_k8s_guard @config@; return 204; }
        location = /exchanged { akl_k8s_exchange @config@; empty_gif; }
        location = /file { akl_k8s_guard @config@; empty_gif; }
    }
'''

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx with a status page."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.begun = time.time()
        self.pair = certs.Authority().client('akl', ['system:masters'])
        self.reviewer = cluster.file('own.jwt',
                                     cluster.api.read('reviewer.jwt'))
        self.revocations = cluster.file(
            'revocations', '{"jti":"a","until":9000000000}\n')
        self.journal = os.path.join(t.folder(), 'journal')
        self.nginx = t.nginx(
            HTTP, method=cluster.method(), config=CONFIG,
            revocations=self.revocations, journal=self.journal,
            configs=cluster.config(token_reviewer_jwt=self.reviewer,
                                   akl_k8s_max_reviews='1 queue=8')
            + cluster.config(
                name='certificate', k8s_jwks=cluster.jwks,
                k8s_auth_type='certificate', token_reviewer_jwt=None,
                k8s_client_certificate=cluster.file('own.crt', self.pair[0]),
                k8s_client_key=cluster.file('own.key', self.pair[1])))

    def scrape(self):
        """Return what Prometheus would read: name and labels -> value."""
        found = {}
        for line in client.get(self.nginx.port,
                               '/status?format=prometheus').text \
                .splitlines():
            if not line.startswith('#'):
                series, value = line.rsplit(' ', 1)
                assert series not in found, series
                found[series] = float(value)
        return found

    def value(self, name, **labels):
        """Return one series."""
        told = ','.join(f'{key}="{text}"' for key, text in labels.items())
        return self.scrape()[PREFIX + name + (f'{{{told}}}' if labels else '')]

    def of_config(self, name, config=CONFIG, **labels):
        """Return one series of a config."""
        return self.value(name, config=config, **labels)

    def status(self):
        """Return the page as JSON."""
        return client.get(self.nginx.port, '/status').json()

    def login(self, token, config=CONFIG):
        """Log in."""
        return client.post(self.nginx.port, '/v2/auth',
                           self.cluster.login(token, config))


@t.own
def gateway(cluster):
    """A gateway that has seen nothing yet."""
    return Gateway(cluster)


def not_after(pem):
    """Return the end of the first certificate."""
    end = x509.load_pem_x509_certificate(pem.encode()).not_valid_after
    return end.replace(tzinfo=datetime.timezone.utc).timestamp()


def other_signature(token):
    """Return a token whose signature is another one."""
    return token[:-6] + ('AAAAAA' if token[-6:] != 'AAAAAA' else 'BAAAAA')


# The page

@t.story
def the_page_is_read_as_text_or_json(gateway):
    page = client.get(gateway.nginx.port, '/status?format=prometheus')
    t.is_(page.status, 200, 'the page in text')
    t.is_(page.header('content-type'),
          'text/plain; version=0.0.4; charset=utf-8',
          'in the version that Prometheus knows')
    t.is_(page.header('cache-control'), 'no-store', 'not to be stored')
    t.is_(client.get(gateway.nginx.port,
                     '/status?format=json').header('content-type'),
          'application/json', 'the page in JSON')
    t.is_(client.get(gateway.nginx.port, '/status?format=xml').status, 400,
          'another format')
    t.is_(client.post(gateway.nginx.port, '/status', {}).status, 405,
          'another method')
    head = client.request(gateway.nginx.port, 'HEAD', '/status')
    t.is_((head.status, head.body), (200, b''), 'HEAD')


@t.story
def each_metric_that_is_shown_is_documented(gateway):
    page = client.get(gateway.nginx.port, '/status?format=prometheus')
    with open(DOCS, encoding='utf-8') as file:
        told = set(re.findall(r'^\| `(' + PREFIX + r'\w+)`', file.read(),
                              re.M))
    types = dict(re.findall(r'^# TYPE (\w+) (\w+)$', page.text, re.M))
    helps = re.findall(r'^# HELP (\w+) \S', page.text, re.M)
    t.is_(sorted(types), sorted(told), 'what is shown is what is documented')
    t.is_(sorted(helps), sorted(types), 'and each is explained once')
    t.is_({kind for name, kind in types.items() if name.endswith('_total')},
          {'counter'}, 'totals are counters')
    bare = {re.sub(r'_(bucket|sum|count)$', '', name) if 'duration' in name
            else name for name in (re.match(r'\w+', series).group()
                                   for series in gateway.scrape())}
    t.is_(sorted(bare), sorted(types), 'none without a series')


@t.story
def the_keys_of_a_cluster_are_told_where_they_are_wanted(gateway):
    t.is_([gateway.of_config('jwks_keys', 'certificate'),
           gateway.status()['configs']['certificate']['jwks_keys']], [1, 1],
          'jwks_keys')
    t.ok(0 <= gateway.of_config('jwks_age_seconds', 'certificate')
         <= gateway.status()['configs']['certificate']['jwks_age_seconds'],
         'jwks_age_seconds')
    t.is_([name for name in ('jwks_keys', 'jwks_age_seconds')
           if f'{PREFIX}{name}{{config="{CONFIG}"}}' in gateway.scrape()
           or name in gateway.status()['configs'][CONFIG]], [],
          'neither without k8s_jwks')


# Logins

@t.story
def requests_that_cannot_be_read_count_by_reason(cluster, gateway):
    port = gateway.nginx.port
    form = 'application/x-www-form-urlencoded'

    def sent(path, body, kind=form):
        return client.request(port, 'POST', path, {'Content-Type': kind},
                              body).status

    t.is_([sent('/token', 'client_id=%zz'), sent('/token', '{}', 'text/xml'),
           sent('/token', 'a' * 33000),
           client.get(port, '/token').status,
           sent('/v2/auth', 'no JSON', 'application/json'),
           sent('/introspect', 'token=%zz'),
           sent('/introspect', '', 'text/xml'),
           sent('/introspect', 'a' * 33000),
           sent('/revoke', 'jti=a&jti=b')],
          [400, 415, 413, 405, 400, 400, 415, 413, 400], 'they are refused')
    t.is_(gateway.value('refused_requests_total', reason='request_malformed'),
          9, 'as malformed')
    t.is_(client.post(port, '/v2/auth', cluster.login(
        cluster.issue(), 'nobody')).status, 401, 'an unknown config')
    t.is_(gateway.value('refused_requests_total', reason='config_unknown'), 1,
          'as that')
    t.is_(gateway.status()['refused_requests_total'],
          {'request_malformed': 9, 'config_unknown': 1}, 'in JSON likewise')
    t.is_(gateway.status()['configs'][CONFIG]['logins_total'], {},
          'none of them counts for a config')
    t.is_(client.post(port, '/v2/auth', cluster.login('')).status, 401,
          'no token for one that is known')
    t.is_(gateway.of_config('logins_total', reason='token_missing'), 1,
          'counts there')


@t.story
def logins_count_by_outcome_by_way_and_with_their_reviews(cluster, gateway):
    good = cluster.issue()
    bad = other_signature(good)
    t.is_([gateway.login(good).status for _ in range(3)], [200] * 3,
          'three logins')
    t.is_([gateway.login(bad).status for _ in range(2)], [401] * 2,
          'two refused ones')
    t.is_(gateway.of_config('logins_total', reason='ok'), 3,
          'logins_total, ok')
    t.is_(gateway.of_config('logins_total', reason='token_rejected'), 2,
          'logins_total, refused')
    t.is_(gateway.of_config('logins_total', 'certificate', reason='ok'), 0,
          'logins_total of another config')
    t.is_({how: gateway.of_config('cache_total', result=how)
           for how in ('hit', 'miss', 'refused')},
          {'hit': 2, 'miss': 2, 'refused': 1}, 'cache_total')
    t.is_(gateway.of_config('reviews_total', code='201'), 2, 'reviews_total')
    t.is_(gateway.of_config('minted_tokens_total'), 1, 'minted_tokens_total')
    t.is_(gateway.of_config('review_duration_seconds_count'), 2,
          'review_duration_seconds_count')
    t.is_(gateway.of_config('review_duration_seconds_bucket', le='+Inf'), 2,
          'its last bucket has all')
    t.ok(0 <= gateway.of_config('review_duration_seconds_sum') < 60,
         'review_duration_seconds_sum')
    t.is_(gateway.of_config('review_duration_seconds_count', 'certificate'),
          0, 'none of another config')


@t.story
def an_outage_counts_as_no_refusal(cluster, gateway):
    cluster.api.fault('error_500', headers={'Retry-After': '999'})
    t.is_(gateway.login(cluster.issue()).status, 502, 'an outage')
    cluster.api.clear()
    t.is_(gateway.of_config('logins_total', reason='api_error'), 1,
          'is no refusal in logins_total')
    t.is_(gateway.of_config('reviews_total', code='5xx'), 1,
          'reviews_total, 5xx')


@t.story
def a_guard_counts_by_outcome(cluster, gateway):
    good = cluster.issue()
    minted = gateway.login(good).json()['token']
    t.is_([client.get(gateway.nginx.port, '/file',
                      {'Authorization': f'Bearer {token}'})
           .status for token in (minted, minted, good)], [200, 200, 401],
          'a guarded location')
    t.is_(gateway.of_config('guard_total', reason='ok'), 2, 'guard_total, ok')
    t.is_(sum(gateway.of_config('guard_total', reason=why) for why in (
        'signature_invalid', 'config_unknown', 'algorithm_not_allowed')), 1,
          'guard_total, refused')


@t.story
def an_exchange_without_a_token_counts_as_a_login(gateway):
    t.is_(client.get(gateway.nginx.port, '/exchanged').status, 401, 'refused')
    t.is_(gateway.of_config('logins_total', reason='token_missing'), 1,
          'a refused login')
    t.is_(client.get(gateway.nginx.port, '/exchanged', {
        'Authorization': 'Bearer '}).status, 401, 'a scheme alone')
    t.is_(gateway.of_config('logins_total', reason='token_malformed'), 1,
          'another one')


@t.story
def reviews_under_way_and_waiting_are_told(cluster, gateway):
    cluster.api.fault('hold')
    first = client.Background(gateway.login, cluster.issue(ttl=7200))
    wait_for(lambda: gateway.of_config('reviews_in_flight') == 1)
    second = client.Background(gateway.login, cluster.issue(ttl=7100))
    t.ok(wait_for(lambda: gateway.of_config('reviews_queued') == 1),
         'reviews_queued')
    t.is_(gateway.of_config('reviews_in_flight'), 1, 'reviews_in_flight')
    t.ok(gateway.value('zone_flights') >= 1, 'zone_flights')
    cluster.api.clear()
    cluster.api.release()
    t.is_((first.result().status, second.result().status), (200, 200),
          'both are answered')
    t.is_((gateway.of_config('reviews_in_flight'),
           gateway.of_config('reviews_queued'),
           gateway.value('zone_flights')), (0, 0, 0),
          'all are back at nothing')


@t.story
def the_histogram_of_reviews_goes_up_to_all_of_them(cluster, gateway):
    for n in range(5):
        gateway.login(cluster.issue(ttl=7000 + n))
    found = {float(match[1]): value for key, value in gateway.scrape().items()
             for match in [re.fullmatch(
                 f'{PREFIX}review_duration_seconds_bucket'
                 f'{{config="{CONFIG}",le="(.*)"}}', key)] if match}
    t.is_(list(found), [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                        0.5, 1, 2.5, 5, 10, float('inf')],
          'bounds from a millisecond to beyond the longest usual time limit')
    t.is_(list(found.values()), sorted(found.values()), 'each has all below')
    told = gateway.status()['configs'][CONFIG]['review_duration_ms']
    t.is_([sum(told[f'{le * 1000:.0f}' if le < 11 else 'inf']
               for le in found if le <= bound) for bound in found],
          list(found.values()), 'in JSON each by itself')
    t.is_((sum(told.values()) - told['sum'], found[float('inf')]), (5, 5),
          'five')
    t.is_(told['sum'] / 1000, gateway.of_config('review_duration_seconds_sum'),
          'and the sum of their times')


@t.story
def what_is_counted_is_told_since_when(gateway):
    since = gateway.value('start_time_seconds')
    t.is_(gateway.status()['start_time'], since, 'start_time_seconds')
    t.ok(int(gateway.begun) <= since <= time.time(),
         'since nginx was started')
    gateway.nginx.reload()
    t.is_(gateway.value('start_time_seconds'), since, 'and not since a reload')


# The zone, the build, credentials

@t.story
def the_zone_tells_what_is_in_it(cluster, gateway):
    good = cluster.issue()
    t.is_([gateway.login(token).status for token in (
        good, cluster.issue(ttl=7200), cluster.issue(ttl=7100),
        other_signature(good))], [200, 200, 200, 401], 'four logins')
    t.is_(gateway.value('zone_entries', **{'class': 'verdict'}), 3,
          'zone_entries')
    t.is_(gateway.value('zone_entries', **{'class': 'refusal'}), 1,
          'of refusals, too')
    t.is_(gateway.value('zone_evicted_total', **{'class': 'verdict'}), 0,
          'zone_evicted_total')
    t.is_(gateway.value('zone_resets_total'), 0, 'zone_resets_total')
    t.ok(0 < gateway.value('zone_used_bytes')
         < gateway.value('zone_size_bytes'),
         'zone_used_bytes and zone_size_bytes')


@t.story
def revocations_are_told(gateway):
    name = gateway.revocations
    t.is_(gateway.value('revocations_entries', file=name), 1,
          'revocations_entries')
    t.ok(0 <= gateway.value('revocations_age_seconds', file=name) < 3600,
         'revocations_age_seconds')
    t.is_(gateway.value('revocations_rejected_total', file=name), 0,
          'revocations_rejected_total')
    t.is_(gateway.value('revocations_total', result='kept'), 0,
          'revocations_total')
    t.is_(gateway.status()['revocations']['files'][name]['entries'], 1,
          'in JSON')


@t.story
def the_room_for_revocations_is_told(gateway):
    name = gateway.journal
    t.is_((gateway.value('revocations_journal_bytes', file=name),
           gateway.value('revocations_journal_max_bytes', file=name)),
          (0, 1048576), 'a journal that is empty')
    t.is_(client.post(gateway.nginx.port, '/revoke', {'jti': 'b'}).status, 200,
          'a revocation')
    size = os.path.getsize(name)
    t.is_(gateway.value('revocations_journal_bytes', file=name), size,
          'revocations_journal_bytes')
    told = gateway.status()['revocations']['files'][name]
    t.is_((told['bytes'], told['max_bytes']), (size, 1048576), 'in JSON')
    t.is_(f'{PREFIX}revocations_journal_bytes{{file="{gateway.revocations}"}}'
          in gateway.scrape(), False, 'none of a file that is only read')


@t.story
def the_share_of_each_class_is_told(cluster, gateway):
    def room(name):
        return [gateway.value(f'zone_{what}_bytes', **{'class': name})
                for what in ('taken', 'share')]
    before = room('verdict')
    t.is_(gateway.login(cluster.issue()).status, 200, 'a login')
    after = room('verdict')
    t.ok(0 == before[0] < after[0] < after[1] == before[1],
         'zone_taken_bytes and zone_share_bytes', before, after)
    t.is_(room('guard'), after, 'verdicts share theirs with guarded tokens')
    t.is_((room('revoked')[0], room('refusal')[0]), (0, 0), 'others do not')
    shares = gateway.status()['zone']['share']
    t.ok(shares['revoked'] < shares['refusal'] == shares['alias']
         < shares['verdict'] < gateway.value('zone_size_bytes'),
         'each has its own')
    t.is_(gateway.status()['zone']['taken']['verdict'], after[0], 'in JSON')


@t.story
def the_build_is_told(gateway):
    t.is_(gateway.value('build_info', version=gateway.status()['version'],
                        nginx=gateway.status()['nginx']), 1, 'build_info')


@t.story
def the_ends_of_credentials_are_told(cluster, gateway):
    t.is_(gateway.of_config(EXPIRY, credential='token_reviewer_jwt'),
          tokens.decode(cluster.api.read('reviewer.jwt').strip())[1]['exp'],
          'the end of the reviewer token')
    t.is_(gateway.of_config(EXPIRY, credential='k8s_ca_cert'),
          not_after(cluster.api.read('ca.crt')), 'of the CA certificate')
    t.is_(gateway.of_config(EXPIRY, 'certificate',
                            credential='k8s_client_certificate'),
          not_after(gateway.pair[0]), 'of the client certificate')
    t.is_([series for series in gateway.scrape() if EXPIRY in series
           and ('"certificate",credential="token' in series
                or 'k8s-conf",credential="k8s_client' in series)], [],
          'and nothing of credentials that a config has not')
    t.is_(gateway.status()['configs'][CONFIG]['credential_expiry'],
          {label: gateway.of_config(EXPIRY, credential=label)
           for label in ('token_reviewer_jwt', 'k8s_ca_cert')},
          'in JSON as well')


@t.story
def a_replaced_credential_has_its_own_end(cluster, gateway):
    later = cluster.api.issue('akl-system', account='reviewer', ttl=86400 * 30)
    tokens.write_file(gateway.reviewer, later, 0o600)
    cluster.api.fault('unauthorized', count=1)
    gateway.login(cluster.issue())
    t.is_(gateway.of_config(EXPIRY, credential='token_reviewer_jwt'),
          tokens.decode(later)[1]['exp'], 'a replaced one has its own end')


@t.story
def both_formats_tell_the_same(cluster, gateway):
    good = cluster.issue()
    minted = gateway.login(good).json()['token']
    gateway.login(other_signature(good))
    client.get(gateway.nginx.port, '/file',
               {'Authorization': f'Bearer {minted}'})
    page, found = gateway.status(), gateway.scrape()
    for config, figures in page['configs'].items():
        for family, label in (('logins_total', 'reason'),
                              ('cache_total', 'result'),
                              ('reviews_total', 'code'),
                              ('guard_total', 'reason')):
            t.is_({key: float(n) for key, n in figures[family].items()},
                  {key: n for key in found for match in [re.fullmatch(
                      f'{PREFIX}{family}{{config="{config}",{label}="(.*)"}}',
                      key)] if match for key,
                      n in [(match[1], found[key])] if n},
                  f'{family} of {config} in both formats')
    t.is_(page['worker']['calls'], 0, 'no call is left')


t.tell()
