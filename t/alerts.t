#!/usr/bin/python3
"""Alert rules: each fires when it should, and has its part of the runbook."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

from akltest import Test  # noqa: E402
from monitoring import (NO_PROMTOOL, NO_YAML, PREFIX, RULES,  # noqa: E402
                        RUNBOOK, alerts, promtool, text_of)

DAY = 86400

t = Test()
if NO_YAML:
    t.skip_all(NO_YAML)


@t.story
def each_alert_has_a_section_of_the_runbook_and_each_section_an_alert():
    headings = re.findall(r'^### (Akl\w+)$', text_of(RUNBOOK), re.M)
    t.is_(sorted(headings), sorted(alerts()), 'by the same names')
    for name, rule in alerts().items():
        t.is_(rule['annotations']['runbook_url'],
              'docs/operations.md#' + name.lower(), f'{name} leads there')
        t.ok(rule['annotations']['summary'], f'{name} says what is wrong')
        t.ok(rule['labels']['severity'] in ('page', 'ticket'),
             f'{name} says who is to be woken')


def counts(name, rate, start=0, **labels):
    """Return a counter that goes up by so much a minute."""
    told = ','.join(f'{key}="{value}"' for key, value in labels.items())
    return {'series': f'{PREFIX}{name}{{{told}}}',
            'values': f'{start}+{rate}x1500'}


def stays(name, value, **labels):
    """Return a gauge."""
    return counts(name, 0, value, **labels)


def jumps(name, before, after, **labels):
    """Return a counter that goes faster from the 25th hour on."""
    return {**counts(name, 0, **labels),
            'values': f'0+{before}x1439 {before * 1440}+{after}x120'}


def refused(reason, rate, name='logins_total'):
    """Return a config's logins: mostly good, some with a reason."""
    return [counts(name, 600, config='c', reason='ok'),
            counts(name, rate, config='c', reason=reason)]


def ends(credential, days):
    """Return when a credential ends; time starts at 0, it is looked at 40."""
    return stays('credential_expiry_timestamp_seconds',
                 round(days * DAY) + 2400, config='c', credential=credential)


def reviews(quick, slow):
    """Return a histogram that goes up by so many reviews a minute."""
    return [counts('review_duration_seconds_bucket',
                   quick if le in ('0.500', '1.000') else quick + slow,
                   config='c', le=le)
            for le in ('0.500', '1.000', '2.500', '+Inf')]


def revoked(taken, used):
    """Return how full zone and journal are, in percent."""
    return [stays('zone_taken_bytes', taken, **{'class': 'revoked'}),
            stays('zone_taken_bytes', 100, **{'class': 'verdict'}),
            stays('zone_share_bytes', 100, **{'class': 'revoked'}),
            stays('zone_share_bytes', 100, **{'class': 'verdict'}),
            stays('revocations_journal_bytes', used, file='j'),
            stays('revocations_journal_max_bytes', 100, file='j')]


def jump(name, before, after, reason, **labels):
    """Return refusals that jump beside logins that do not."""
    return [jumps(name, before, after, reason=reason, **labels),
            jumps(name, 600, 600, reason='ok', **labels)]


# alert: what it fires at, with the labels that it has; what it is quiet at

CASES = {
    'AklReviewerRefused': (
        [(refused('reviewer_unauthorized', 6), {'config': 'c'}),
         (refused('reviewer_forbidden', 1), {'config': 'c'})],
        [refused('token_rejected', 60), refused('reviewer_forbidden', 0)]),
    'AklApiUnreachable': (
        [(refused(reason, 60), {'config': 'c'}) for reason in (
            'api_unreachable', 'api_timeout', 'api_tls', 'api_error',
            'api_not_found', 'api_throttled')],
        [refused('api_unreachable', 6), refused('token_rejected', 600)]),
    'AklOverloaded': (
        [(refused('overloaded', 3), {'config': 'c'})],
        [refused('overloaded', 0), refused('api_timeout', 60)]),
    'AklInternalError': (
        [(refused('internal_error', 1)
          + refused('internal_error', 0, 'guard_total'), {'config': 'c'}),
         (refused('internal_error', 0)
          + refused('internal_error', 1, 'guard_total'), {'config': 'c'}),
         ([jumps('refused_requests_total', 0, 1, reason='internal_error')],
          {'config': '-'})],
        [refused('internal_error', 0)
         + refused('internal_error', 0, 'guard_total')
         + [jumps('refused_requests_total', 0, 0, reason='internal_error'),
            jumps('refused_requests_total', 0, 9,
                  reason='config_unknown')]]),
    'AklReviewsSlow': (
        [(reviews(90, 10), {'config': 'c'})], [reviews(10000, 10)]),
    'AklRefusalsJump': (
        [(jump('logins_total', 1, 60, 'token_rejected', config='c'),
          {'config': 'c', 'reason': 'token_rejected'})],
        [jump('logins_total', 60, 60, 'token_rejected', config='c'),
         jump('logins_total', 0, 3, 'token_rejected', config='c'),
         jump('logins_total', 1, 60, 'api_timeout', config='c')]),
    'AklGuardRefusalsJump': (
        [(jump('guard_total', 1, 60, 'claim_not_allowed', config='c'),
          {'config': 'c', 'reason': 'claim_not_allowed'})],
        [jump('guard_total', 60, 60, 'claim_not_allowed', config='c'),
         jump('guard_total', 0, 3, 'claim_not_allowed', config='c')]),
    'AklUnknownConfigs': (
        [(jump('refused_requests_total', 1, 60, 'config_unknown'),
          {'reason': 'config_unknown'})],
        [jump('refused_requests_total', 60, 60, 'config_unknown'),
         jump('refused_requests_total', 0, 3, 'request_malformed')]),
    'AklReviewerEndsSoon': (
        [([ends(name, 6), ends('k8s_ca_cert', 1)],
          {'config': 'c', 'credential': name})
         for name in ('token_reviewer_jwt', 'k8s_client_certificate')],
        [[ends('token_reviewer_jwt', 8)], [ends('k8s_ca_cert', 6)]]),
    'AklReviewerEnds': (
        [([ends(name, days)], {'config': 'c', 'credential': name})
         for name in ('token_reviewer_jwt', 'k8s_client_certificate')
         for days in (0.5, -1)],
        [[ends('token_reviewer_jwt', 2)]]),
    'AklCaEndsSoon': (
        [([ends('k8s_ca_cert', 20)], {'config': 'c'})],
        [[ends('k8s_ca_cert', 40)], [ends('token_reviewer_jwt', 3)]]),
    'AklKeysMissing': (
        [([stays('jwks_keys', 0, config='c', instance='a'),
           stays('jwks_keys', 2, config='c', instance='b')],
          {'config': 'c'})],
        [[stays('jwks_keys', 1, config='c')]]),
    'AklRevocationLost': (
        [([counts('revocations_total', 1, result=lost),
           counts('revocations_total', 1, result='kept')], {'result': lost})
         for lost in ('full', 'failed')],
        [[counts('revocations_total', 0, result='full'),
          counts('revocations_total', 9, result='kept')]]),
    'AklRevocationsNearFull': (
        [(revoked(81, 10), {}), (revoked(10, 81), {'file': 'j'})],
        [revoked(79, 79)]),
    'AklRevocationsStale': (
        [([stays('revocations_age_seconds', 70, file='f')], {'file': 'f'})],
        [[stays('revocations_age_seconds', 20, file='f')]]),
    'AklNoFigures': (
        [([stays('build_infos', 1, version='1', nginx='2')], {})],
        [[stays('build_info', 1, version='1', nginx='2')]]),
    'AklZoneEvictsVerdicts': (
        [([counts('zone_evicted_total', 1, **{'class': 'verdict'})], {})],
        [[counts('zone_evicted_total', 0, **{'class': 'verdict'}),
          counts('zone_evicted_total', 9, **{'class': 'refusal'})]]),
    'AklWorkerDied': (
        [([counts('zone_resets_total', 1)], {})],
        [[stays('zone_resets_total', 7)]]),
    'AklVersionsDiffer': (
        [([stays('build_info', 1, version='1', nginx='2', instance='a'),
           stays('build_info', 1, version='2', nginx='2', instance='b')],
          {})],
        [[stays('build_info', 1, version='1', nginx='2', instance='a'),
          stays('build_info', 1, version='1', nginx='2', instance='b')]]),
}


def rule_test(name, held, labels):
    """Return a test of promtool's: who fires, or nobody (None)."""
    jump_ = ' ' in held[0]['values']
    told = ', '.join(f'{key}="{value}"' for key, value in sorted(
        {'alertname': name, **(labels or {})}.items()))
    return {
        'interval': '1m', 'input_series': held, 'promql_expr_test': [{
            'expr': 'count without (alertstate, severity) (ALERTS'
                    f'{{alertname="{name}", alertstate="firing"}})',
            'eval_time': '1460m' if jump_ else
            '40m' if name != 'AklVersionsDiffer' else '90m',
            'exp_samples': [] if labels is None else
            [{'labels': '{' + told + '}', 'value': 1}]}]}


def run_rules(tests):
    """Run tests of rules; return promtool's code and words."""
    path = os.path.join(t.folder(), 'rules.json')     # which is YAML as well
    with open(path, 'w', encoding='utf-8') as file:
        json.dump({'rule_files': [RULES], 'evaluation_interval':
                   '5m' if ' ' in tests[0]['input_series'][0]['values']
                   else '1m', 'tests': tests}, file)
    return promtool('test', 'rules', path)


@t.story
def each_alert_fires_when_it_should_and_is_quiet_otherwise():
    t.is_(sorted(CASES), sorted(alerts()), 'each alert has cases of both')
    if NO_PROMTOOL:
        t.skip(NO_PROMTOOL, 2 * len(CASES) + 1)
        return
    t.is_(promtool('check', 'rules', RULES)[0], 0, 'promtool takes the rules')
    for name, (loud, quiet) in CASES.items():
        for tests, what in (
                ([rule_test(name, held, labels) for held, labels in loud],
                 'fires'),
                ([rule_test(name, held, None) for held in quiet],
                 'is quiet')):
            code, said = run_rules(tests)
            t.ok(code == 0, f'{name} {what}', said[:2000])


@t.story
def a_test_of_a_rule_can_fail():
    if NO_PROMTOOL:
        t.skip(NO_PROMTOOL, 2)
        return
    (held, labels), *_ = CASES['AklCaEndsSoon'][0]
    t.isnt(run_rules([rule_test('AklCaEndsSoon', held, None)])[0], 0,
           'where an alert fires')
    t.isnt(run_rules([rule_test('AklCaEndsSoon', CASES['AklCaEndsSoon'][1][0],
                                labels)])[0], 0, 'where none does')


t.tell()
