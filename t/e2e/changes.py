"""What changes under a gateway that runs: server, certificate, keys, issuer."""

import signal
import threading

import certs
import tokens
from controlplane import HTTPS_ISSUER, PAGE_ISSUER
from realm import wait_for


class Load:
    """Logins one after the other, each of which asks the cluster anew."""

    def __init__(self, world, gateway, threads=2):
        self.world = world
        self.gateway = gateway
        self.token = world.token()
        self.answers = []
        self.refusals = []
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._run, daemon=True)
                        for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def _run(self):
        while not self.ended.wait(0.02):
            try:
                answer = self.world.login(self.gateway, self.token)
                reason = answer.json().get('reason', 'ok')
                if answer.status in (401, 403):
                    self.refusals.append(reason)
            except OSError as error:
                reason = f'{type(error).__name__}'
            self.answers.append(reason)

    def reach(self, reason, number=20, timeout=180):
        """Wait for so many further answers of a kind."""
        mark = len(self.answers)
        return wait_for(
            lambda: self.answers[mark:].count(reason) >= number, timeout)

    def stop(self):
        """End; return {reason: number}."""
        self.ended.set()
        for thread in self.threads:
            thread.join()
        return {name: self.answers.count(name) for name in self.answers}


def https_issuer(world):
    """The issuer becomes an https URL; tokens of the old one live on."""
    t, plane = world.test, world.plane
    old = world.token()
    plane.restart(issuers=[HTTPS_ISSUER, PAGE_ISSUER],
                  audiences=f'api,{HTTPS_ISSUER}')
    nginx = world.gateway(world.method() + world.config(), name='one-issuer')
    world.refused(world.login(nginx, world.token()), 401, 'issuer_mismatch',
                  'a new issuer that the gateway does not know')
    nginx.stop()
    nginx = world.gateway(world.method() + world.config(
        k8s_issuer=f'{PAGE_ISSUER} {HTTPS_ISSUER}'), name='two-issuers')
    for name, token in (('old', old), ('new', world.token())):
        world.accepted(world.login(nginx, token),
                       f'a token of the {name} issuer, both listed')
    nginx.stop()
    t.is_(tokens.decode(world.token())[1]['iss'], HTTPS_ISSUER,
          'tokens have the new issuer')


def rotated_keys(world):
    """The cluster signs with a new key; later the old one is forgotten."""
    t, plane = world.test, world.plane
    new = tokens.key('P-256', 'e2e-2')
    keys = plane.keys
    nginx = world.gateway(world.method() + world.config(k8s_jwks='auto'),
                          name='rotation')
    old = world.token()
    world.accepted(world.login(nginx, old), 'before the rotation')
    plane.restart(keys=[new, *keys])
    fresh = world.token()
    t.is_(tokens.decode(fresh)[0]['alg'], 'ES256', 'the new key is another')
    world.accepted(world.eventually(
        lambda: world.login(nginx, fresh), 200),
        'a token of the new key, without a reload')
    world.accepted(world.login(nginx, world.forge(old, key=keys[0])),
                   'a token of the old key, while it is known')
    old = world.forge(old, key=keys[0])
    plane.restart(keys=[new])
    world.reviewer = world.kubectl.token('gateway-token-reviewer', world.home)
    world.write_reviewer(world.reviewer)
    answer = world.eventually(lambda: world.login(nginx, old), 401)
    t.ok(answer.status == 401 and answer.json()['reason'] in
         ('token_rejected', 'signature_invalid'),
         'a token of a key that is forgotten is refused', answer)
    world.accepted(world.login(nginx, world.token()),
                   'a token of the only key that is left')
    nginx.stop()


def uncached(world, name, **config):
    """Start a gateway that keeps no verdict."""
    return world.gateway('akl_k8s_cache_valid 0 refused=0;'
                         + world.method() + world.config(**config),
                         name=name, workers=2)


def restarted(world):
    """The API server is stopped and started, while pods log in."""
    t = world.test
    nginx = uncached(world, 'restart')
    load = Load(world, nginx)
    t.ok(load.reach('ok'), 'under load: logins')
    world.plane.stop_server()
    t.ok(load.reach('api_unreachable', 5),
         'under load: the API server is gone, and that is what pods hear')
    world.plane.start_server()
    t.ok(load.reach('ok'), 'under load: it is back, and so are logins')
    world.plane.stop_server(signal.SIGKILL)
    world.plane.start_server()
    t.ok(load.reach('ok'), 'under load: killed, and back again')
    counts = load.stop()
    t.is_(load.refusals, [], 'nobody was refused for an outage')
    t.note(f'answers: {counts}')
    nginx.stop()


def certificate(world):
    """The server's certificate comes from another authority from now on."""
    t, plane = world.test, world.plane
    old = world.ca_pem
    new = certs.Authority('kubernetes 2', tokens.key('P-256', 'e2e-ca-2'))
    path = t.write('both.crt', old + new.pem)
    nginx = uncached(world, 'certificate-2', k8s_ca_cert=path)
    late = t.write('late.crt', old)
    other = uncached(world, 'certificate-late', k8s_ca_cert=late)
    load = Load(world, nginx)
    t.ok(load.reach('ok'), 'under load: both authorities are known')
    plane.certificate(new, 'server-2')
    plane.write_kubeconfig()
    t.ok(wait_for(lambda: plane.presents(new)),
         'under load: the server presents the new certificate')
    nginx.reload()
    t.ok(load.reach('ok'), 'under load: and pods log in')
    counts = load.stop()
    t.is_(set(counts), {'ok'}, 'under load: no login failed meanwhile')
    t.note(f'answers: {counts}')

    token = world.token()
    world.refused(world.login(other, token), 502, 'api_tls',
                  'a gateway that knows the old authority alone')
    t.write(late, new.pem)
    world.accepted(world.eventually(
        lambda: world.login(other, token), 200),
        'a new CA in the file, without a reload', pod_name='mypod1')
    t.write(path, new.pem)
    world.accepted(world.login(nginx, token), 'the old authority is dropped')
    nginx.stop()
    other.stop()
    world.ca = world.extract_ca()


def run(world):
    """Change what an administrator changes."""
    restarted(world)
    rotated_keys(world)
    certificate(world)
