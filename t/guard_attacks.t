#!/usr/bin/python3
"""Forged and mangled tokens against the guard, each with its reason."""

import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import forge  # noqa: E402
import nginx as nginx_  # noqa: E402
import preload  # noqa: E402
import tokens  # noqa: E402
from akltest import Test, client  # noqa: E402
from minted import ISSUER, bearer, claims, key, mint  # noqa: E402

KINDS = ('RSA-2048', 'P-256', 'P-384', 'Ed25519')
GROUPS = ('algorithms', 'forms', 'signatures', 'kids', 'base64s', 'jsons',
          'header_jsons', 'names', 'issuers', 'audiences', 'sizes', 'headers',
          'times')

HTTP = '''
    large_client_header_buffers 4 256k;
    @method@
    @configs@
    server {
        listen 127.0.0.1:@port@;
        root @dir@;
        @locations@
    }
'''
with open(os.path.join(nginx_.ROOT, 'src', 'k8s', 'reason.h'),
          encoding='ascii') as source:
    SENTENCES = dict(re.findall(
        r'X\([A-Z_]+, "([a-z_]+)",[^"]*"([^"]+)"\)', source.read()))
t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def mock():
    """An upstream that nobody is to ask."""
    return t.mock()


def made(group, kind, right, mock):
    """Return a group's tokens: name, token, reason."""
    more = {'headers': (f'http://127.0.0.1:{mock.port}',),
            'times': (int(time.time()),)}.get(group, ())
    return getattr(forge, group)(key(kind), right, *more)


class Gateway:
    """An nginx with a guarded file for each kind of key."""

    def __init__(self, cluster, mock):
        self.mock = mock
        self.nginx = t.nginx(
            HTTP, level='info', start=False, method=cluster.method(),
            configs=''.join(cluster.config(
                kind, kind=kind, token_issuer=ISSUER, token_audience='api')
                for kind in KINDS),
            locations='')
        file = t.write(os.path.join(self.nginx.dir, 'f'), 'file')
        self.nginx.configure({'locations': ''.join(
            f'location = /{kind} {{ akl_k8s_guard {kind}; alias {file}; }}'
            for kind in KINDS)})
        self.nginx.start()
        self.page = self.present('P-256', '.')[2]

    def present(self, kind, token):
        """Return status, headers in order and body of a GET with a token."""
        answer = client.raw(self.nginx.port, (
            f'GET /{kind} HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer '
            f'{token}\r\n\r\n').encode('utf-8', 'surrogateescape'))
        head, _, body = answer.decode('utf-8', 'replace').partition('\r\n\r\n')
        lines = head.split('\r\n')
        return int(lines[0].split()[1]), lines[1:], body

    def flaw(self, kind, token, reason):
        """Present a token; return what is not as it must be, or None.

        A refusal has its reason in the challenge and, once, in the log, and
        the page that all refusals have; nothing of the token is anywhere.
        """
        mark = self.nginx.mark()
        status, headers, body = self.present(kind, token)
        log = self.nginx.error_log(mark)
        told = [line for line in log.splitlines() if 'akl_k8s: ' in line]
        if reason is None:
            return None if (status, body, told) == (200, 'file', []) \
                else f'{status}, not 200: {told}'
        if status != 401 or body != self.page:
            return f'{status} {body}, not {reason}'
        for name in ('WWW-Authenticate: Bearer realm="akl_k8s", error='
                     f'"invalid_token", error_description="{reason}"',
                     'Cache-Control: no-store'):
            if headers.count(name) != 1:
                return f'not {name}: {headers}'
        where = f'akl_k8s: guard refused, {reason}: {SENTENCES[reason]}, ' \
            f'config "{kind}", namespace "", service account "", pod "", '
        if len(told) != 1 or where not in told[0]:
            return f'not the log line of {reason}: {told}'
        if any(len(part) > 12 and part in log for part in token.split('.')):
            return f'the log has a part of it: {log}'
        return None

    def attack(self, group):
        """Present a group's tokens, and after each one that is right."""
        for kind in KINDS:
            wrong, count = [], 0
            claimed = claims(config_name=kind)
            right = tokens.k8s_sign(claimed, key(kind))
            for name, token, reason in made(group, kind, claimed, self.mock):
                for turn in ('', ' again'):
                    why = self.flaw(kind, token, reason)
                    if why:
                        wrong.append(f'{name}{turn}: {why}')
                if self.present(kind, right)[0] != 200:
                    wrong.append(f'{name}: the next one pays for it')
                count += 1
            t.ok(count and not wrong, f'{kind}: {group}, {count} tokens',
                 *wrong)


@t.shared
def gateway(cluster, mock):
    """The gateway of all stories."""
    return Gateway(cluster, mock)


@t.story
def a_refusal_has_the_page_of_all_refusals(gateway):
    t.like(gateway.page,
           '^<html>\r\n<head><title>401 Authorization Required</title>',
           'the page of a refusal')


@t.story
def a_token_without_a_flaw_opens(gateway):
    for kind in KINDS:
        good = tokens.k8s_sign(claims(config_name=kind), key(kind))
        t.is_(gateway.flaw(kind, good, None), None, f'{kind}: without a flaw')


@t.story
def another_algorithm_opens_nothing(gateway):
    gateway.attack('algorithms')


@t.story
def another_form_than_three_parts_opens_nothing(gateway):
    gateway.attack('forms')


@t.story
def another_signature_opens_nothing(gateway):
    gateway.attack('signatures')


@t.story
def a_kid_does_not_open_by_itself(gateway):
    gateway.attack('kids')


@t.story
def other_base64_opens_nothing(gateway):
    gateway.attack('base64s')


@t.story
def claims_that_are_no_json_open_nothing(gateway):
    gateway.attack('jsons')


@t.story
def a_header_that_is_no_json_opens_nothing(gateway):
    gateway.attack('header_jsons')


@t.story
def doubled_and_hidden_names_open_nothing(gateway):
    gateway.attack('names')


@t.story
def another_issuer_opens_nothing(gateway):
    gateway.attack('issuers')


@t.story
def another_audience_opens_nothing(gateway):
    gateway.attack('audiences')


@t.story
def a_token_too_large_opens_nothing(gateway):
    gateway.attack('sizes')


@t.story
def a_token_outside_its_times_opens_nothing(gateway):
    gateway.attack('times')


@t.story
def a_header_makes_the_gateway_fetch_nothing(gateway):
    gateway.attack('headers')
    t.is_(gateway.mock.requests, [],
          'no header made the gateway fetch anything')


# What a signature costs is not multiplied

class Many:
    """A gateway of many configs with one key, which counts signatures."""

    def __init__(self, cluster, others=30, **config):
        self.counted = t.write(f'{t.folder()}/verifies', '')
        os.chmod(self.counted, 0o666)
        self.nginx = t.nginx(
            HTTP, method=cluster.method(), configs=''.join(
                cluster.config(name, kind='P-256', token_issuer=ISSUER,
                               **config)
                for name in [f'other-{i}' for i in range(others)]
                + ['k8s-conf']),
            locations='location = /self { akl_k8s_introspect vault; }',
            env={'LD_PRELOAD': preload.build(t.dir, 'verifies'),
                 'AKL_VERIFIES': self.counted})

    def costs(self, token):
        """Present a token; return the status and the signatures verified."""
        before = os.path.getsize(self.counted)
        status = client.get(self.nginx.port, '/self', bearer(token)).status
        return status, os.path.getsize(self.counted) - before


@t.story
def a_token_costs_one_signature_however_many_configs_share_a_key(cluster):
    many = Many(cluster)
    for name, header in (('', {}), (', without a kid', {'kid': None})):
        t.is_(many.costs(mint(header=header)), (200, 1), f'a good one{name}')
        forged = mint(header=header).rpartition('.')[0] + '.' \
            + mint().rpartition('.')[2]
        t.is_(many.costs(forged), (403, 1), f'a forged one{name}')
        for config in ('k8s-con', 'nobody'):
            t.is_(many.costs(mint(config_name=config, header=header)),
                  (403, 1), f'of no config, {config}{name}')
    t.is_(many.costs(mint(header={'kid': 'x'})), (403, 0), 'another kid')
    t.is_(many.costs(mint(kind='P-384')), (403, 0), 'another algorithm')
    same = Many(cluster, token_claims='config_name=$host')
    t.is_(same.costs(mint(config_name='x')), (200, 1),
          'where the name tells no config')
    t.is_(same.costs(mint(config_name='x').rpartition('.')[0] + '.'
                     + mint().rpartition('.')[2]), (403, 1), 'a forged one')


@t.story
def each_reason_is_among_the_forged_tokens(mock):
    for kind in KINDS:
        every = {reason for group in GROUPS for _, _, reason in made(
            group, kind, claims(config_name=kind), mock)}
        t.is_(every, {None, forge.MALFORMED, forge.TOO_LARGE, forge.ALGORITHM,
                      forge.SIGNATURE, forge.EXPIRED, forge.NOT_YET,
                      forge.ISSUER,
                      forge.AUDIENCE}, f'{kind}: each reason')


t.tell()
