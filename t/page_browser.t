#!/usr/bin/python3
"""The status page in a real browser: Chromium without a window.

With AKL_PICTURES=docs it also paints the pictures of the documentation.
"""

import base64
import os
import struct
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import browser  # noqa: E402
import tokens  # noqa: E402
from akltest import CONFIG, Test, client, wait_for  # noqa: E402

HOSTILE = '<img src=x onerror=document.title=1>'

t = Test(need_module=True)
if browser.PROGRAM is None:
    t.skip_all('no Chromium; Debian has it in the package chromium')


@t.shared
def chromium():
    """The browser of all stories."""
    return t.browser()


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


class Gateway:
    """An nginx with a status page, and a second config of a hostile name."""

    def __init__(self, cluster, second=HOSTILE):
        self.cluster = cluster
        soon = cluster.file('soon.jwt', cluster.api.issue(
            'akl-system', account='reviewer', ttl=86400 * 3 + 3600))
        self.revocations = cluster.file(
            'revoked', '{"jti":"a","until":9000000000}\n')
        self.nginx = t.nginx('''
            akl_k8s_cache_valid 1h refused=1h;
            akl_k8s_revocations @revocations@;
            @method@
            @configs@
            server {
                listen 127.0.0.1:@port@;
                location = /v2/auth { akl_k8s_auth; }
                location = /akl/status { akl_k8s_status; }
                location = /file { akl_k8s_guard @config@; empty_gif; }
            }
        ''', method=cluster.method(), config=CONFIG,
            revocations=self.revocations,
            configs=cluster.config(k8s_jwks=cluster.jwks) + cluster.config(
                name=f'"{second}"', token_reviewer_jwt=soon))
        self.second = second
        self.url = f'http://127.0.0.1:{self.nginx.port}/akl/status'

    def login(self, token, config=CONFIG):
        """Log in."""
        return client.post(self.nginx.port, '/v2/auth',
                           self.cluster.login(token, config))

    def use(self):
        """Have logins, refusals, guarded requests."""
        pods = [self.cluster.issue(ttl=7000 + n) for n in range(8)]
        for _ in range(3):
            for pod in pods:
                token = self.login(pod).json()['token']
        for _ in range(40):
            client.get(self.nginx.port, '/file',
                       {'Authorization': f'Bearer {token}'})
        for text in pods[0][:-6] + 'AAAAAA', 'no token':
            self.login(text)
            client.get(self.nginx.port, '/file',
                       {'Authorization': f'Bearer {text}'})
        self.login(pods[0], 'nobody')
        self.cluster.api.fault('error_500', headers={'Retry-After': '999'})
        self.login(self.cluster.issue(ttl=6000), self.second)
        self.cluster.api.clear()


@t.own
def gateway(cluster):
    """A gateway that has seen nothing yet."""
    return Gateway(cluster)


def figure(page, config, group, name):
    """Return a figure that a page shows."""
    return page.run('''((config, group, name) => {
        const text = (from, tag) => from.querySelector(tag).textContent;
        const section = [...document.querySelectorAll('section')]
            .find(one => text(one, 'h2') === config);
        const under = [...section.querySelectorAll('.groups > div')]
            .find(one => text(one, 'h3') === group);
        const row = [...under.querySelectorAll('dl > div')]
            .find(one => text(one, 'dt') === name);
        return row.querySelector('dd').firstChild.textContent;
    })(%r, %r, %r)''' % (config, group, name))


@t.story
def figures_change_without_a_reload_and_nothing_else_is_asked_for(
        chromium, cluster, gateway):
    page = chromium.open(gateway.url)
    t.is_(figure(page, CONFIG, 'Logins', 'accepted'), '0', 'before a login')
    before = page.picture()
    page.run('window.kept = true')
    token = cluster.issue()
    t.is_(gateway.login(token).status, 200, 'a login')
    t.ok(wait_for(lambda: figure(page, CONFIG, 'Logins', 'accepted') == '1'),
         'is there, later')
    t.ok(page.run('window.kept'), 'in the page that was there')
    t.isnt(page.picture(), before, 'and it looks otherwise')
    gateway.use()

    # the outage is the last of them: a page in between has fewer rows

    t.ok(wait_for(lambda: figure(page, HOSTILE, 'Logins', 'outages') == '1'),
         'and so are others, with reasons that were not there before')
    t.is_(figure(page, CONFIG, 'Logins', 'accepted'), '25', 'all of them')
    page.run("window.kept = document.querySelector('h2')")
    gateway.login(token)
    t.ok(wait_for(lambda: figure(page, CONFIG, 'Logins', 'accepted') == '26'),
         'another login is there as well')
    t.ok(page.run("window.kept === document.querySelector('h2')"),
         'and what is the same stays')
    t.is_(set(page.requests()), {gateway.url},
          'nothing but the page was asked for')
    t.is_(page.complaints(), [], 'the browser complains of nothing')


@t.story
def what_happened_lately_is_told(chromium, cluster, gateway):
    page = chromium.open(gateway.url)
    lately = "[...document.querySelectorAll('section:first-of-type " \
        "[data-now]')].map(one => one.textContent)"
    t.ok(wait_for(lambda: all('none' in text or ' 0.00/s' in text
                              for text in page.run(lately))),
         'nothing so far')
    for n in range(4):
        gateway.login(cluster.issue(ttl=7000 + n))
    t.ok(wait_for(lambda: not any('none' in text or ' 0.00/s' in text
                                  for text in page.run(lately))),
         'rates, p50 and p99 of a few logins')
    t.ok(all(text.startswith('last ') for text in page.run(lately)),
         'of the time that the page was open')


@t.story
def a_page_whose_server_is_gone_says_so_until_it_is_back(chromium, gateway):
    page = chromium.open(gateway.url)
    live = "document.getElementById('live').textContent"
    gateway.nginx.stop()
    t.ok(wait_for(lambda: 'no answer since' in page.run(live)), 'it says so')
    gateway.nginx.start()
    t.ok(wait_for(lambda: 'no answer' not in page.run(live)), 'until it is')


@t.story
def hostile_names_are_shown_and_run_nothing(chromium, gateway):
    gateway.use()
    page = chromium.open(gateway.url)
    t.is_(figure(page, HOSTILE, 'Logins', 'outages'), '1',
          'the name stands there')
    t.ok(wait_for(lambda: page.run(
        "document.querySelector('[data-now]').textContent.trim()")),
         'also after it was asked again')
    t.is_((page.run('document.title'),
           page.run("document.querySelectorAll('img').length")),
          ('akl_k8s status', 0), 'and nothing ran')
    t.is_(page.complaints(), [], 'or was kept from it')


CONTRAST = '''(() => {
    const light = text => {
        const parts = text.match(/[\\d.]+/g).slice(0, 3).map(n => {
            n /= 255;
            return n <= .03928 ? n / 12.92 : ((n + .055) / 1.055) ** 2.4;
        });
        return .2126 * parts[0] + .7152 * parts[1] + .0722 * parts[2];
    };
    const behind = node => {
        const color = getComputedStyle(node).backgroundColor;
        return /, 0\\)$/.test(color) ? behind(node.parentElement) : color;
    };
    let least = 99;
    for (const node of document.body.querySelectorAll('*')) {
        if (![...node.childNodes].some(one => one.nodeType === 3
                && one.data.trim()) || node.tagName === 'SCRIPT') {
            continue;
        }
        const a = light(getComputedStyle(node).color), b = light(behind(node));
        least = Math.min(least, (Math.max(a, b) + .05)
                                / (Math.min(a, b) + .05));
    }
    return least;
})()'''


@t.story
def it_is_readable_on_a_phone_and_in_the_dark(chromium, gateway):
    gateway.use()
    for width in 320, 360, 768, 1100:
        for dark in False, True:
            page = chromium.open(gateway.url, width, 700, dark)
            where = f'{width} wide, ' + ('dark' if dark else 'light')
            t.is_(page.run('document.documentElement.scrollWidth'), width,
                  f'{where}: nothing is beyond the edge')
            least = page.run(CONTRAST)
            t.ok(4.5 <= least < 99, f'{where}: contrast of text', least)
            page.close()


def pixels(png):
    """Return width, height, and how many different lines a PNG has."""
    width, height = struct.unpack('>II', png[16:24])
    at, data = 8, b''
    while at < len(png):
        size, kind = struct.unpack('>I4s', png[at:at + 8])
        if kind == b'IDAT':
            data += png[at + 8:at + 8 + size]
        at += 12 + size
    lines = zlib.decompress(data)
    each = len(lines) // height
    return width, height, len({lines[n * each:(n + 1) * each]
                               for n in range(height)})


def shot(chromium, gateway, dark=False):
    """Return what a page shows, of addresses and paths as others have them."""
    page = chromium.open(gateway.url, 760, 900, dark)
    page.run("for (const one of document.querySelectorAll('section code'))"
             " { one.textContent = one.textContent"
             ".replace(/127.0.0.1:\\d+/, '10.0.0.1:6443')"
             ".replace(/^\\/.*/, '/etc/akl/revocations/list'); }")
    return page, base64.b64encode(page.picture(1180)).decode()


def beside(chromium, *shots):
    """Return a picture of pictures side by side."""
    frame = chromium.open('about:blank', 770 * len(shots), 1180)
    frame.run('document.body.style.margin = 0')
    for one in shots:
        frame.run("(async () => { const image = new Image();"
                  f"image.src = 'data:image/png;base64,{one}';"
                  "image.style.marginRight = '10px';"
                  "image.style.verticalAlign = 'top';"
                  "document.body.append(image); await image.decode(); })()")
    return frame.picture(1180, 0.7)


def paint(name, picture):
    """Write a picture where the documentation is to have it."""
    if os.environ.get('AKL_PICTURES'):
        with open(os.path.join(os.environ['AKL_PICTURES'], name),
                  'wb') as file:
            file.write(picture)
            t.note(f'painted {file.name}')


@t.story
def its_pictures_before_and_after_logins_are_in_light_and_dark(
        chromium, cluster):
    gateway = Gateway(cluster, 'payments/west')
    pictures = []
    for name, accepted in ('status-before.png', '0'), ('status.png', '24'):
        page, light = shot(chromium, gateway)
        t.is_(figure(page, CONFIG, 'Logins', 'accepted'), accepted, name)
        picture = beside(chromium, light, shot(chromium, gateway, True)[1])
        width, height, lines = pixels(picture)
        t.is_((width, height), (1078, 826), 'both, side by side')
        t.ok(lines > 300, 'with something on them', lines)
        paint(name, picture)
        pictures.append(picture)
        gateway.use()
    t.isnt(*pictures, 'they differ')


@t.story
def its_picture_with_hostile_names_is_like_any_other(chromium, cluster):
    gateway = Gateway(cluster)
    claims = tokens.decode(cluster.issue())[1]
    claims['kubernetes.io'] = {
        **claims['kubernetes.io'], 'pod': {'name': HOSTILE, 'uid': HOSTILE}}
    pod = tokens.sign({'alg': 'RS256', 'kid': cluster.key.k8s_kid}, claims,
                      cluster.key)
    t.is_(gateway.login(pod).status // 100, 4, 'a pod of a hostile name')
    gateway.use()
    page, light = shot(chromium, gateway)
    t.is_(page.run("[...document.querySelectorAll('h2')]"
                   ".filter(one => one.textContent === %r).length" % HOSTILE),
          1, 'a config of such a name is shown by it')
    t.is_((page.run('document.title'),
           page.run("document.querySelectorAll('img').length"),
           page.complaints()), ('akl_k8s status', 0, []), 'and nothing ran')
    paint('status-hostile.png', beside(chromium, light))


t.tell()
