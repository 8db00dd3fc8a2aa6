"""Logins without a pause, each answer held against what was asked.

Load is one thread with an event loop; `clients` of them log in one after the
other, each in a dialect at random, as

    kept        one of the pods, by a token that it had before
    fresh       one of the pods, by a token that nobody has seen
    forged      a pod, by a token that somebody else signed
    stranger    a pod of a namespace that is not bound

and look up, hold and take back what was minted for them.  What comes back is
counted: `right` (a token for the pod that asked, and no other), `refused`
(the last two, with their reason), `outage` (a reason that the storm allows,
while it does), `wrong` (anything else), `unanswered` (silence, or a connection
that was closed on a request), `cut` (the same, where the storm kills workers).
"""

import asyncio
import base64
import collections
import json
import random
import threading
import time

import tokens
from akltest import ACCESS_ID, CONFIG, NAMESPACE, client
from dialects import token_exchange

STRANGE = 'elsewhere'
DAY = 86400
SILENCE = 150           # s after which an answer does not come any more
ENOUGH = 20             # right answers after which a gateway is well again
KINDS = ['kept'] * 8 + ['fresh'] * 8 + ['forged', 'stranger']
REFUSALS = {'forged': (401, 'token_rejected'),
            'stranger': (403, 'namespace_not_bound')}
MANNERS = {'vault': 403, 'oauth': 400}  # status of any refusal


class Pods:
    """Pods of a fake cluster, and tokens for them, made here."""

    def __init__(self, cluster, count=8):
        api = cluster.api
        api.namespace(STRANGE)
        for number in range(count):
            api.pod(NAMESPACE, f'web-{number}', 'builder', 'node-1')
        api.pod(STRANGE, 'stray', 'default', 'node-1')
        self.uids = api.uids()
        self.key = tokens.key('P-256', 'cluster')
        self.thief = tokens.key('P-256', 'thief')
        self.names = [f'web-{number}' for number in range(count)]
        self.age = 0                # s since tokens were issued

    def token(self, name, namespace=NAMESPACE, account='builder',
              forged=False):
        """Return a token that nobody has seen, and its claims."""
        claims = tokens.projected(
            namespace,
            (account, self.uids[f'account/{namespace}/{account}']),
            pod=(name, self.uids[f'pod/{namespace}/{name}']),
            node=('node-1', self.uids['node/node-1']), ttl=DAY,
            now=time.time() - self.age)
        token = tokens.k8s_sign(claims, self.thief if forged else self.key,
                                kid=self.key.k8s_kid)
        return token, claims


def dialects(token):
    """Return one request per dialect: path, content type, body."""
    return {
        'akeyless': ('/v2/auth', 'application/json', json.dumps({
            'access-type': 'k8s', 'access-id': ACCESS_ID,
            'k8s-auth-config-name': CONFIG, 'k8s-service-account-token':
            base64.b64encode(token.encode()).decode()})),
        'vault': ('/v1/auth/kubernetes/login', 'application/json',
                  json.dumps({'role': f'{ACCESS_ID}..{CONFIG}',
                              'jwt': token})),
        'oauth': ('/token', 'application/x-www-form-urlencoded',
                  token_exchange(token))}


def granted(dialect, body):
    """Return the token of an answer."""
    return {'akeyless': lambda: body['token'],
            'vault': lambda: body['auth']['client_token'],
            'oauth': lambda: body['access_token']}[dialect]()


def complaint(asked, claims, now):
    """Say what is wrong with a minted token for a pod token; or None."""
    k8s = asked['kubernetes.io']
    wanted = {'namespace': k8s['namespace'],
              'pod_name': k8s['pod']['name'], 'pod_uid': k8s['pod']['uid'],
              'service_account_name': k8s['serviceaccount']['name'],
              'service_account_uid': k8s['serviceaccount']['uid'],
              'sub': asked['sub'], 'access_id': ACCESS_ID,
              'config_name': CONFIG}
    have = {name: claims.get(name) for name in wanted}
    if have != wanted:
        return f'{have} for {wanted}'
    if claims['exp'] > asked['exp']:
        return 'it outlives the token that it came from'
    if claims['exp'] <= now - 1 or claims['nbf'] > now + 1:
        return f'good from {claims["nbf"]} to {claims["exp"]} at {now}'
    return None


class Load:
    """Clients of a gateway; see above."""

    def __init__(self, port, pods, clients=12, pause=0.04, seed=1,
                 clock=time.time):
        self.port = port
        self.pods = pods
        self.clients = clients
        self.pause = pause
        self.clock = clock              # as the gateway has it
        self.random = random.Random(seed)
        self.count = collections.Counter()
        self.reasons = collections.Counter()
        self.samples = []               # of what was wrong
        self.allowed = frozenset()      # reasons of outages
        self.cutting = False
        self.ended = None               # when the fault did
        self.after = []                 # s from then to each right answer
        self.recovered = None
        self.key = tokens.key('RSA-2048', 'gateway')
        self.refusals = dict(REFUSALS)
        self.kept = [pods.token(name) for name in pods.names]
        self.minted = collections.deque(maxlen=200)
        self.revoked = []               # tokens that were taken back
        self.spoiled = set()            # and those that may have been
        self.stopping = False
        self.thread = threading.Thread(target=self._run, daemon=True)

    # From outside

    def start(self):
        """Begin; return self."""
        self.thread.start()
        return self

    def outage(self, *reasons, cutting=False):
        """From now on these reasons are right."""
        self.ended, self.recovered, self.after = None, None, []
        self.allowed = frozenset(reasons)
        self.cutting = cutting

    def over(self):
        """The fault has ended; what it allowed is over at recovery."""
        self.ended = time.monotonic()

    def stop(self):
        """End when all that was asked is answered."""
        self.stopping = True
        self.thread.join(4 * SILENCE)
        if self.thread.is_alive():
            raise RuntimeError('clients hang')

    def tell(self):
        """Return the figures."""
        names = ('logins', 'right', 'refused', 'outage', 'wrong',
                 'unanswered', 'cut', 'guarded', 'revoked')
        out = {name: self.count[name] for name in names}
        out['first'] = self.after[0] if self.after else None
        out['twentieth'] = self.recovered
        out['reasons'] = dict(sorted(self.reasons.items()))
        return out

    # Inside

    def _run(self):
        asyncio.run(self._all())

    async def _all(self):
        await asyncio.gather(*(self._client() for _ in range(self.clients)))

    async def _client(self):
        connection = Connection(self)
        while not self.stopping:
            await self.turn(connection)
            if self.ended is None or self.recovered is not None:
                await asyncio.sleep(self.pause * self.random.random() * 2)
        connection.close()

    async def turn(self, connection):
        """Do what one client does next."""
        draw = self.random.random()
        if draw < .1 and self.minted:
            await self._guarded(connection)
        elif draw < .13 and self.minted:
            await self._revoke(connection)
        else:
            await self._login(connection)

    async def _login(self, connection):
        kind = self.random.choice(KINDS)
        if kind == 'kept':
            token, claims = self.random.choice(self.kept)
        elif kind == 'stranger':
            token, claims = self.pods.token('stray', STRANGE, 'default')
        else:
            token, claims = self.pods.token(
                self.random.choice(self.pods.names), forged=kind == 'forged')
        dialect, (path, form, body) = self.random.choice(
            list(dialects(token).items()))
        self.count['logins'] += 1
        started = time.monotonic(), self.clock()
        answer = await connection.ask('POST', path, {'Content-Type': form},
                                      body)
        if answer is not None:
            self.judge(kind, dialect, claims, answer, *started)

    def judge(self, kind, dialect, claims, answer, started, clock):
        """Count an answer; the gateway's clock may have been set since."""
        reason = answer.header('x-outcome')
        self.reasons[f'{answer.status} {reason}'] += 1
        if answer.status == 200 and kind in ('kept', 'fresh'):
            try:
                token = granted(dialect, answer.json())
                made = tokens.verify(token, self.key)
                wrong = complaint(claims, made, self.clock()) \
                    and complaint(claims, made, clock)
            except (ValueError, KeyError) as error:
                wrong = repr(error)
            if wrong:
                self.wrong(kind, answer, wrong)
                return
            self.count['right'] += 1
            self.minted.append(token)
            if kind == 'fresh':
                self._well(started)
        elif kind in self.refusals and reason in self.refusals[kind][1:] \
                and answer.status == MANNERS.get(dialect,
                                                 self.refusals[kind][0]):
            self.count['refused'] += 1
        elif answer.status >= 500 and reason in self.allowed and not (
                self.recovered and started > self.ended + self.recovered):
            self.count['outage'] += 1
        else:
            self.wrong(kind, answer, 'not the answer to it')

    def _well(self, started):
        if self.ended is not None and len(self.after) < ENOUGH:
            self.after.append(time.monotonic() - self.ended)
            if len(self.after) == ENOUGH:
                self.recovered = self.after[-1]

    def wrong(self, kind, answer, why):
        """Count an answer that is wrong."""
        self.count['wrong'] += 1
        if len(self.samples) < 10:
            self.samples.append(f'{kind}: {why}: {answer.status} '
                                f'{answer.header("x-outcome")} '
                                f'{answer.text[:120]}')

    def lost(self, why):
        """Count a request without an answer."""
        if self.cutting and not isinstance(why, asyncio.TimeoutError):
            self.count['cut'] += 1
            return
        self.count['unanswered'] += 1
        if len(self.samples) < 10:
            self.samples.append(f'unanswered: {why!r}')

    async def _guarded(self, connection):
        token = self.random.choice(self.minted)
        started = self.clock()
        answer = await connection.ask(
            'GET', '/f', {'Authorization': f'Bearer {token}'})
        if answer is None:
            return
        self.count['guarded'] += 1
        claims = tokens.decode(token)[1]
        good = all(claims['nbf'] - 1 <= now < claims['exp'] - 1
                   for now in (started, self.clock()))
        if answer.status != 204 and good and token not in self.spoiled:
            self.wrong('guarded', answer, 'a good token')

    async def _revoke(self, connection):
        token = self.minted.popleft()
        jti = tokens.decode(token)[1]['jti']
        self.spoiled.add(token)
        self.minted = collections.deque(
            (one for one in self.minted if one != token), maxlen=200)
        answer = await connection.ask(
            'POST', '/revoke', {'Content-Type': 'application/json'},
            json.dumps({'jti': jti}))
        if answer is None:
            return
        if answer.status == 200:
            self.count['revoked'] += 1
            self.revoked.append(token)
        elif answer.status >= 500:
            self.count['unkept'] += 1
        else:
            self.wrong('revocation', answer, 'a token of its own')


class Connection:
    """A connection that is kept, and opened anew where that has to be."""

    def __init__(self, load):
        self.load = load
        self.streams = None

    async def ask(self, method, path, headers, body=None):
        """Return the answer, or None: then it was counted.

        A connection that is closed before a byte of an answer comes is what
        idle ones suffer at a reload: any client asks again on a new one.
        """
        data = client.build(method, path, headers, body, close=False)
        while True:
            fresh = self.streams is None
            try:
                if fresh:
                    self.streams = await asyncio.wait_for(
                        asyncio.open_connection('127.0.0.1', self.load.port,
                                                limit=1 << 20), SILENCE)
                answer = await asyncio.wait_for(
                    client.exchange(*self.streams, data), SILENCE)
            except (OSError, EOFError, asyncio.TimeoutError) as error:
                self.close()
                if fresh or isinstance(error, asyncio.TimeoutError) \
                        or getattr(error, 'partial', b''):
                    self.load.lost(error)
                    return None
                continue
            if answer.header('connection') == 'close':
                self.close()
            return answer

    def close(self):
        """Close, if it is open."""
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None
