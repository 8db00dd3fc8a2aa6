#!/usr/bin/python3
"""What monitoring is given: exposition, dashboard, and a real Prometheus.

What needs promtool or a Prometheus is left out where there is none.
"""

import glob
import json
import math
import os
import re
import shutil
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import certs  # noqa: E402
import nginx as nginx_  # noqa: E402
import procs  # noqa: E402
from akltest import CONFIG, NAMESPACE, Test, client, wait_for  # noqa: E402
from monitoring import (FOLDER, NO_PROMTOOL, NO_YAML,  # noqa: E402
                        PREFIX, RULES, RUNBOOK, alerts, promtool, text_of)

DASHBOARD = os.path.join(FOLDER, 'grafana-dashboard.json')
DAY = 86400

t = Test(need_module=True)
if NO_YAML:
    t.skip_all(NO_YAML)


def dashboard():
    """Return the expressions of the dashboard, without its variables."""
    found = []

    def walk(value):
        if isinstance(value, dict):
            for key, held in value.items():
                if key in ('expr', 'definition') and isinstance(held, str):
                    found.append(held)
                walk(held)
        elif isinstance(value, list):
            for held in value:
                walk(held)
    walk(json.loads(text_of(DASHBOARD)))
    for old, new in (('$__rate_interval', '5m'), ('$job', '.*'),
                     ('$instance', '.*'), ('$config', '.*')):
        found = [one.replace(old, new) for one in found]
    return found


def panels():
    """Return title and expression of each query of the dashboard's panels."""
    return [(panel['title'], re.sub(
        r'\$(__rate_interval|job|instance|config)',
        lambda match: '5m' if match[1][0] == '_' else '.*', target['expr']))
            for panel in json.loads(text_of(DASHBOARD))['panels']
            for target in panel.get('targets', ())]


def numbers(prometheus, query):
    """Return the numbers that a query gives."""
    return [value for one in prometheus.value(query) or ()
            for value in [float(one['value'][1])] if math.isfinite(value)]


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.shared
def gateway(cluster):
    """An nginx that has all kinds of figures, and its port."""
    pair = certs.Authority().client('akl', ['system:masters'])
    soon = cluster.file('soon.jwt', cluster.api.issue(
        'akl-system', account='reviewer', ttl=DAY * 3))
    nginx = t.nginx('''
        akl_k8s_revocations @list@;
        akl_k8s_revocations @journal@ journal;
        @method@
        @config@
        server {
            listen 127.0.0.1:@port@;
            location = /v2/auth { akl_k8s_auth; }
            location = /metrics { akl_k8s_status; }
        }
    ''', method=cluster.method(),
        config=cluster.config(k8s_jwks=cluster.jwks, token_reviewer_jwt=soon)
        + cluster.config(
            name='"we\\\\ird, \\"name\\""', k8s_auth_type='certificate',
            token_reviewer_jwt=None,
            k8s_client_certificate=cluster.file('own.crt', pair[0]),
            k8s_client_key=cluster.file('own.key', pair[1])),
        list=cluster.file('list', '{"jti":"a","until":9000000000}\n'),
        journal=os.path.join(t.folder(), 'journal'))
    for token in cluster.issue(), cluster.issue(ttl=7000), 'none':
        client.post(nginx.port, '/v2/auth', cluster.login(token))
    return nginx


@t.shared
def exposition(gateway):
    """What a Prometheus reads there, by what it accepts."""
    return client.get(gateway.port, '/metrics', {
        'Accept': 'application/openmetrics-text;version=1.0.0;q=0.5,'
                  'text/plain;version=0.0.4;q=0.3,*/*;q=0.2'}).text


@t.shared
def series(exposition):
    """Series by name: the sets of labels that each has."""
    found = {}
    for line in exposition.splitlines():
        match = re.match(r'(\w+)(?:\{(.*)\})? \S+$', line)
        if match:
            found.setdefault(match[1], []).append(dict(re.findall(
                r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or '')))
    return found


# What is told

@t.story
def promtool_finds_no_fault_with_what_is_told(exposition):
    if NO_PROMTOOL:
        t.skip(NO_PROMTOOL, 2)
        return
    t.is_(promtool('check', 'metrics', text=exposition), (0, ''),
          'promtool check metrics')
    t.isnt(promtool('check', 'metrics', text=exposition.replace(
        '# TYPE nginx_akl_k8s_guard_total counter',
        '# TYPE nginx_akl_k8s_guard_total gauge'))[0], 0,
        'which does find faults')


def selectors(expression):
    """Return the series that an expression asks for, with its matchers."""
    bare = re.sub(r'label_values\((.*), \w+\)', r'\1', expression)
    return [(name, re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', inside))
            for name, inside in re.findall(
                r'\b(' + PREFIX + r'\w+)(?:\{([^}]*)\})?', bare)]


def asked_for():
    """Return (where, name, matchers) of all series that are asked for."""
    return [(where, *found) for where, expressions in (
        ('alerts.yaml', [rule['expr'] for rule in alerts().values()]),
        ('grafana-dashboard.json', dashboard()))
        for expression in expressions for found in selectors(expression)]


@t.story
def each_metric_that_is_asked_for_is_told(series):
    for where in 'alerts.yaml', 'grafana-dashboard.json':
        names = {name for place, name, _ in asked_for() if place == where}
        t.ok(len(names) > 8, f'{where} asks for metrics')
        t.is_(sorted(names - set(series)), [], f'all of {where} are told')
    t.is_(PREFIX + 'of_nobody' in series, False, 'another one is not')


@t.story
def each_label_that_is_asked_for_has_such_a_value(series):
    missing = []
    for where, name, matchers in asked_for():
        for label, how, value in matchers:
            if label in ('job', 'instance'):        # Prometheus' own
                continue
            have = {labels.get(label) for labels in series[name]}
            for one in value.split('|') if '~' in how else [value]:
                if not any(known is not None and re.fullmatch(one, known)
                           for known in have):
                    missing.append((where, name, label, one))
    t.is_(missing, [], 'each alternative of each matcher matches something')


@t.story
def the_dashboard_shows_all_that_is_told(series):
    shown = {re.sub('_(bucket|sum|count)$', '', name)
             for where, name, _ in asked_for() if 'grafana' in where}
    told = {re.sub('_(bucket|sum|count)$', '', name)
            if 'duration' in name else name for name in series}
    t.is_(sorted(told - shown), [], 'nothing is left out')


@t.story
def each_panel_has_an_id_of_its_own_and_overlaps_no_other():
    panels = json.loads(text_of(DASHBOARD))['panels']
    t.is_(len({panel['id'] for panel in panels}), len(panels), 'ids')
    taken = [(x, y) for panel in panels for place in [panel['gridPos']]
             for x in range(place['x'], place['x'] + place['w'])
             for y in range(place['y'], place['y'] + place['h'])]
    t.is_(len(set(taken)), len(taken), 'places')
    t.ok(max(x for x, _ in taken) == 23, 'in the width that there is')


# Grafana's own linter of dashboards demands the same

@t.story
def each_panel_says_what_it_shows_of_which_replicas():
    board = json.loads(text_of(DASHBOARD))
    variables = {one['name']: one for one in board['templating']['list']}
    t.is_((variables['datasource']['type'], variables['datasource']['label'],
           board['editable']), ('datasource', 'Data source', False),
          'a data source may be chosen, and no edit is lost by an update')
    for name in 'job', 'instance':
        one = variables[name]
        t.is_((one['label'], one['type'], one['multi'], one['allValue'],
               one['refresh']), (name.title(), 'query', True, '.+', 2),
              f'and each {name}')
    wrong = [panel['title'] for panel in board['panels']
             if panel['type'] != 'row' and not (
                 panel['title'] and panel['description']
                 and panel['fieldConfig']['defaults']['unit']
                 and panel['datasource']['uid'] == '${datasource}'
                 and panel['targets'])]
    t.is_(wrong, [], 'each panel has title, description, unit and queries')
    for title, expression in [
            (panel['title'], target['expr']) for panel in board['panels']
            for target in panel.get('targets', ())]:
        found = re.findall(r'\b' + PREFIX + r'(\w+)(\{[^}]*\})(\[[^]]*\])?',
                           expression)
        if not found or [
                one for one in found
                if 'job=~"$job",instance=~"$instance"' not in one[1]
                or one[2] not in ('', '[$__rate_interval]')
                or (one[0].endswith('_total') and not one[2])]:
            wrong.append((title, expression))
    t.is_(wrong, [], 'each query is of the chosen ones, and no counter bare')


# A Prometheus

class Prometheus:
    """A Prometheus that scrapes a gateway, by Accept alone, with our rules."""

    def __init__(self, gateway):
        folder = t.folder()
        self.port = procs.free_port()
        with open(os.path.join(folder, 'prometheus.yml'), 'w',
                  encoding='utf-8') as file:
            json.dump({
                'global': {'scrape_interval': '1s',
                           'evaluation_interval': '1s'},
                'rule_files': [RULES], 'scrape_configs': [{
                    'job_name': 'akl', 'static_configs': [
                        {'targets': [f'127.0.0.1:{gateway.port}']}]}]}, file)
        with open(os.path.join(folder, 'log'), 'w', encoding='utf-8') as log:
            self.process = procs.spawn([
                'prometheus', f'--config.file={folder}/prometheus.yml',
                f'--storage.tsdb.path={folder}/data',
                f'--web.listen-address=127.0.0.1:{self.port}'],
                stdout=log, stderr=log)

    def ask(self, path, **query):
        """Ask its API; None where it does not answer yet."""
        try:
            answer = client.get(self.port, f'/api/v1/{path}?'
                                + urllib.parse.urlencode(query))
        except OSError:
            return None
        return answer.json() if answer.body[:1] == b'{' else None

    def value(self, query):
        """Return the result of a query."""
        told = self.ask('query', query=query)
        return told and told['data']['result']

    def close(self):
        """End it."""
        procs.end(self.process)


@t.story
def a_prometheus_reads_it_and_knows_what_is_wrong(gateway):
    if shutil.which('prometheus') is None:
        t.skip('no Prometheus; Debian has it in the package prometheus', 4)
        return
    prometheus = Prometheus(gateway)
    try:
        t.ok(wait_for(lambda: prometheus.value(PREFIX + 'build_info')),
             'it scrapes the page, without being told of a format')
        t.is_(sorted({one['metric']['config'] for one in prometheus.value(
            PREFIX + 'logins_total')}), [CONFIG, 'we\\ird, "name"'],
              'with names as they are')

        def pending():
            told = prometheus.ask('alerts')
            return told and [
                (alert['labels']['alertname'], alert['labels']['config'])
                for alert in told['data']['alerts']
                if alert['labels']['alertname'] == 'AklReviewerEndsSoon']
        t.is_(wait_for(pending), [('AklReviewerEndsSoon', CONFIG)],
              'and knows whose reviewer ends soon')
        wrong = {query: told for query in dashboard()
                 if not query.startswith('label_values')
                 for told in [prometheus.ask('query', query=query)]
                 if told['status'] != 'success'}
        t.is_(wrong, {}, 'all queries of the dashboard are understood')
    finally:
        prometheus.close()


class Busy:
    """A gateway to which all happens that the dashboard has a panel for."""

    LABELLED = 'p-labelled0000km'
    LABEL = 'example.com/team'

    def __init__(self, cluster):
        self.cluster = cluster
        self.number = 0
        cluster.api.read_namespaces('system:serviceaccount:akl-system:'
                                    'reviewer')
        cluster.api.namespace(NAMESPACE, {self.LABEL: 'payments'})
        self.list = cluster.file('followed', '')
        self.nginx = t.nginx('''
            akl_k8s_zone small:256k;
            akl_k8s_revocations @list@;
            akl_k8s_revocations @dir@/journal journal;
            @blocks@
            server {
                listen 127.0.0.1:@port@;
                location = /v2/auth { akl_k8s_auth; }
                location = /metrics { akl_k8s_status; }
                location /guarded   { akl_k8s_guard k8s-conf; }
            }
        ''', name='busy', list=self.list, blocks=cluster.method()
            + cluster.method(
                self.LABELLED, bound_namespaces=None,
                bound_namespace_selector=f'{self.LABEL}=payments')
            + cluster.config(k8s_jwks=cluster.jwks)
            + cluster.config('labelled', self.LABELLED)
            + cluster.config('down', k8s_host='https://127.0.0.1:'
                             f'{procs.free_port()}'))
        self.port = self.nginx.port
        self.nginx.expect(r'revocations')

    def one_of_each(self):
        """Let all of it happen once more."""
        self.number += 1
        token = self.cluster.issue()
        for body in (*(self.cluster.login(self.cluster.issue())
                       for _ in range(8)),
                     self.cluster.login(token), self.cluster.login('none'),
                     self.cluster.login(token, 'labelled', self.LABELLED),
                     self.cluster.login(token, 'down'),
                     self.cluster.login(token, 'nowhere')):
            client.post(self.port, '/v2/auth', body)
        client.get(self.port, '/guarded')
        self.cluster.file('followed', f'broken {self.number}\n')


@t.story
def each_panel_shows_something_once_all_of_it_happens(cluster):
    if shutil.which('prometheus') is None:
        t.skip('no Prometheus; Debian has it in the package prometheus', 2)
        return
    busy = Busy(cluster)
    prometheus = Prometheus(busy)

    def silent():
        """Be busy, and return what panels ask for without an answer."""
        busy.one_of_each()
        return [one for one in panels() if not numbers(prometheus, one[1])]
    try:
        t.ok(len(panels()) > 20, 'panels that are looked at')
        wait_for(lambda: not silent())
        t.is_(silent(), [], 'those that show nothing')
    finally:
        prometheus.close()


@t.story
def the_files_are_named_in_the_documentation():
    for path in glob.glob(os.path.join(FOLDER, '*')):
        name = os.path.relpath(path, nginx_.ROOT)
        t.ok(name in text_of(RUNBOOK), name)


t.tell()
