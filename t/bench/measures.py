"""The benchmark's measurements; each returns plain figures."""

import os
import resource
import signal
import statistics
import threading
import time

import ground
from ground import client, wait_for


def rounds(number, measures):
    """Run every measure in turn, number times; return name -> median."""
    seen = {name: [] for name in measures}
    for _ in range(number):
        for name, measure in measures.items():
            seen[name].append(measure())
    return {name: statistics.median(values)
            for name, values in seen.items()}


def throughput(place, number, seconds):
    """Logins against what stock nginx and OpenSSL do on the same core."""
    token = ground.pod_token()
    hot = place.post('hot', '/v2/auth', [ground.login_body(token)])
    review = ground.json.dumps({
        'apiVersion': 'authentication.k8s.io/v1', 'kind': 'TokenReview',
        'spec': {'token': token}})
    proxied = place.post('proxied', ground.REVIEWS, [review],
                         Authorization='Bearer ' + ground.pod_token())
    cold = {name: place.distinct(f'cold-{name}', f'bench-{name}')
            for name in ('es256', 'rs256')}

    def rate(script, connections=32):
        return lambda: ground.wrk(place.url('/'), script, seconds,
                                  connections)['rate']

    plain = place.post('plain', '/return200', [ground.login_body(token)])
    speeds = {'es256': 'ecdsap256', 'rs256': 'rsa2048'}
    figures = rounds(number, {
        'return_200': rate(plain), 'hot_login': rate(hot),
        'proxied': rate(proxied), 'cold_login_es256': rate(cold['es256']),
        'cold_login_rs256': rate(cold['rs256']),
        'sign_es256': lambda: ground.signs(speeds['es256'])[0],
        'sign_rs256': lambda: ground.signs(speeds['rs256'])[0]})
    for name in cold:
        figures[f'limit_{name}'] = 1 / (1 / figures['proxied']
                                        + 1 / figures[f'sign_{name}'])
        figures[f'cold_login_{name} / limit'] = (
            figures[f'cold_login_{name}'] / figures[f'limit_{name}'])
    figures['hot_login / return_200'] = (figures['hot_login']
                                         / figures['return_200'])
    return figures


def guards(place, number, seconds):
    """A guarded small file against an open one, hot and cold."""
    kinds = {'es256': ('P-256', 'ecdsap256'), 'rs256': ('RSA-2048', 'rsa2048')}
    count = 4096
    cold = {}
    measures = {}
    minted = place.minted('P-256', count)

    def rate(path, values):
        script = place.requests(
            path.strip('/').replace('/', '-') + str(len(values)),
            [f'GET {path}', '', 'header Authorization',
             *('Bearer ' + value for value in values)])
        return lambda: ground.wrk(place.url('/'), script, seconds)['rate']

    measures['open'] = rate('/open/small.txt', minted[:1])
    measures['guarded'] = rate('/es256/small.txt', minted[:1])
    for name, (kind, speed) in kinds.items():
        cold[name] = minted if kind == 'P-256' else place.minted(kind, count)
        measures[f'open_{name}'] = rate('/open/small.txt', cold[name])
        measures[f'guard_cold_{name}'] = rate(f'/{name}/small.txt',
                                              cold[name])
        measures[f'verify_{name}'] = (
            lambda speed=speed: ground.signs(speed)[1])
    figures = rounds(number, measures)
    figures['guarded / open'] = figures['guarded'] / figures['open']
    for name in kinds:
        limit = 1 / (1 / figures[f'open_{name}']
                     + 1 / figures[f'verify_{name}'])
        figures[f'guard_limit_{name}'] = limit
        figures[f'guard_cold_{name} / limit'] = (
            figures[f'guard_cold_{name}'] / limit)
    return figures


def revoked(place, number, seconds, entries=100000):
    """A guarded file with so many revocations, against none, and open.

    Both gateways have the same core, and one of them at a time has work.  The
    CPU time of a request is the worker's own, whoever else has the machine.
    """
    path = place.test.write('revocations', ground.revocations(entries))
    places = {
        'none': place.start_gateway(zone='256k', name='unrevoked'),
        'revoked': place.start_gateway(
            zone='256k', name='revoked', beside=True,
            files=f'akl_k8s_revocations {path};')}
    minted = place.minted('P-256', 4096)
    costs = {}
    measures = {}

    def rate(name, gateway, folder, values):
        script = place.requests(
            f'revoked-{folder}-{len(values)}',
            [f'GET /{folder}/small.txt', '', 'header Authorization',
             *('Bearer ' + value for value in values)])
        pid = gateway.workers()[0]

        def measure():
            before = ground.cpu(pid)
            result = ground.wrk(f'http://127.0.0.1:{gateway.port}/', script,
                                seconds)
            costs.setdefault(name, []).append(
                (ground.cpu(pid) - before) * 1e6 / result['requests'])
            return result['rate']
        return measure

    for name, gateway in places.items():
        for kind, folder, values in (('open', 'open', minted[:1]),
                                     ('guarded', 'es256', minted[:1]),
                                     ('cold', 'es256', minted)):
            measures[f'{kind}, {name}'] = rate(f'{kind}, {name}', gateway,
                                               folder, values)
    figures = rounds(number, measures)
    for kind in 'guarded', 'cold':
        for name in places:
            figures[f'{kind} / open, {name}'] = (
                figures[f'{kind}, {name}'] / figures[f'open, {name}'])
    for name, seen in costs.items():
        figures[f'{name}: CPU, us'] = statistics.median(seen)
    figures['reading'] = ground.slices(path)
    places['none'].stop()
    return figures


def latency(place, delays, seconds):
    """Cold logins of 32 clients while the API server takes its time.

    The API server is another one for each delay: a first second makes the
    connections, whose handshakes are not what is asked for.
    """
    figures = {}
    cold = place.distinct('cold-latency', 'bench-es256')
    for delay in delays:
        place.start_api(delay=delay)
        ground.wrk(place.url('/'), cold, 1, 32)
        wait_for(lambda: place.status()['worker']['calls'] == 0)
        result = ground.wrk(place.url('/'), cold, seconds, 32)
        figures[f'api {delay} ms'] = {
            key: result[key] for key in ('rate', 'p50_ms', 'p99_ms')}
    place.start_api()
    return figures


def at_once(place, logins, distinct, workers):
    """Reviews that so many logins of so many tokens cost, all at once."""
    api = place.cluster.api
    gateway = place.start_gateway(
        workers=workers, port=place.cluster.port, valid='1h', timeout='60s',
        name=f'crowd{workers}-{distinct}', connections=16384, pinned=False)
    bodies = [ground.login_body(place.cluster.issue()).encode()
              for _ in range(distinct)]
    requests = [client.build('POST', '/v2/auth',
                             {'Content-Type': 'application/json'},
                             bodies[number % distinct], close=False)
                for number in range(logins)]
    api.reset_stats()
    api.fault('hold')
    answers = []
    crowd = threading.Thread(target=lambda: answers.extend(
        client.crowd(gateway.port, requests, connections=logins,
                     timeout=120)))
    crowd.start()

    def waiting():
        text = client.get(gateway.port, '/basic_status').text
        return int(text.split('\n', 1)[0].split(':')[1]) >= logins

    held = wait_for(waiting, 60)
    api.clear()
    api.release()
    crowd.join(120)
    good = sum(1 for answer in answers
               if not isinstance(answer, Exception) and answer.status == 200)
    return {'logins': good, 'at_once': bool(held),
            'reviews': api.stats()['review']}


def zone(place):
    """Bytes of the zone that one verdict takes, by kind of key."""
    figures = {}
    for name in ('es256', 'rs256'):
        place.start_gateway(zone='256m', name=f'zone-{name}')
        ground.wrk(place.url('/'), place.distinct(f'zone-{name}',
                                                  f'bench-{name}'), 2)
        held = place.status()['zone']
        entries = held['entries']
        figures[name] = {
            'verdicts': entries['verdict'],
            'bytes_per_login': round(held['used'] / entries['verdict'])}
    return figures


def memory(place, logins):
    """Resident size of a worker before and after many logins."""
    gateway = place.start_gateway(zone='8m', name='memory')
    cold = place.distinct('cold-memory', 'bench-es256')
    ground.wrk(place.url('/'), cold, 2)
    pid = gateway.workers()[0]
    before, done = ground.rss(pid), 0
    while done < logins:
        done += ground.wrk(place.url('/'), cold, 3)['requests']
    return {'logins': done, 'before_kib': before, 'after_kib': ground.rss(pid)}


def flood(place, with_jwks, seconds):
    """Good logins while another client sends distinct bogus tokens."""
    members = {'akl_k8s_max_reviews': '32 queue=4096'}
    if with_jwks:
        members['k8s_jwks'] = place.cluster.jwks
    api = place.cluster.api
    place.start_gateway(port=place.cluster.port, valid='1h',
                        name=f'flood{int(with_jwks)}', zone='8m', **members)
    good = place.post('good', '/v2/auth', [
        ground.login_body(place.cluster.issue()) for _ in range(200)])
    ground.wrk(place.url('/'), good, 2, 8)
    alone = ground.wrk(place.url('/'), good, seconds, 8)

    token = place.cluster.issue()
    head, signature = token.rsplit('.', 1)
    bogus = place.post('bogus', '/v2/auth', [ground.json.dumps({
        'access-type': 'k8s', 'access-id': 'p-kmx8x116z7j9km',
        'k8s-auth-config-name': 'bench-es256',
        'k8s-service-account-token':
            f'{head}.{signature[:40]}@N@{signature[52:]}'})])
    api.reset_stats()
    before = place.status()
    flooding = client.Background(
        ground.wrk, place.url('/'), bogus, seconds + 2, 64,
        env={'BENCH_REFUSALS': '1'})
    highest = 0
    wait_for(lambda: place.status()['configs']['bench-es256']
             ['logins_total'].get('signature_invalid' if with_jwks
                                  else 'token_rejected'))
    mixed = client.Background(ground.wrk, place.url('/'), good, seconds, 8)
    while not mixed.done():
        highest = max(highest, place.status()['configs']['bench-es256']
                      ['reviews_in_flight'])
        time.sleep(0.05)
    flooded = mixed.result()
    sent = flooding.result()['requests']
    after = place.status()['zone']
    return {
        'bogus': sent, 'good_failed': flooded['failed'],
        'good_p99_alone_ms': alone['p99_ms'],
        'good_p99_flooded_ms': flooded['p99_ms'],
        'verdicts_evicted': after['evicted']['verdict']
        - before['zone']['evicted']['verdict'],
        'most_reviews_in_flight': highest,
        'reviews_at_api': api.stats()['review']}


def reloads(place, seconds):
    """Full hot load while nginx is reloaded every second."""
    gateway = place.start_gateway(name='reload', valid='1h')
    hot = place.post('hot', '/v2/auth', [ground.login_body(
        ground.pod_token())])
    ground.wrk(place.url('/'), hot, 1)
    before = place.status()['configs']['bench-es256']['cache_total']
    load = client.Background(reloaded_load, gateway.port, ground.login_body(
        ground.pod_token()), seconds)
    count = 0
    while not load.done():
        time.sleep(1)
        gateway.reload()
        count += 1
    good, failed = load.result()
    cache = place.status()['configs']['bench-es256']['cache_total']
    gained = {key: cache[key] - before.get(key, 0) for key in cache}
    return {'reloads': count, 'logins': good, 'failed': failed,
            'hit_rate': gained['hit'] / sum(gained.values())}


def reloaded_load(port, body, seconds):
    """Log in over kept connections; one that closes is opened anew.

    A connection that closes between two requests is what a reload does to
    idle ones, and any client sends the request again on a new one.
    """
    good = failed = 0
    data = client.build('POST', '/v2/auth',
                        {'Content-Type': 'application/json'}, body,
                        close=False)
    end = time.monotonic() + seconds
    sessions = [None] * 8
    while time.monotonic() < end:
        for number, session in enumerate(sessions):
            fresh = session is None
            try:
                if fresh:
                    session = client.Session(port)
                session.sock.sendall(data)
                answer = session.receive('POST')
            except (ConnectionError, OSError,
                    client.http.client.HTTPException):
                sessions[number] = None
                failed += fresh
                continue
            good += answer.status == 200
            failed += answer.status != 200
            closing = answer.header('connection') == 'close'
            sessions[number] = None if closing else session
    return good, failed


def killed(place, seconds):
    """A worker killed under load: logins after it."""
    gateway = place.start_gateway(name='killed', workers=2, valid='1h')
    cold = place.distinct('cold-killed', 'bench-es256')
    load = client.Background(ground.wrk, place.url('/'), cold, seconds, 32,
                             env={'BENCH_REFUSALS': '1'})
    time.sleep(seconds / 3)
    gateway.expect('exited on signal 9')
    os.kill(gateway.workers()[0], signal.SIGKILL)
    result = load.result()
    after = ground.wrk(place.url('/'), cold, 1)
    return {'lost': result['failed'], 'rate_after': after['rate'],
            'failed_after': after['failed'],
            'zone_resets': place.status()['zone']['resets']}


def raise_files(wanted=65536):
    """Allow enough descriptors for ten thousand clients."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit
