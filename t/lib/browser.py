"""A browser: Chromium without a window, driven by its DevTools protocol.

    page = t.browser().open(url, width=360, dark=True)
    page.run('document.title')

It loads nothing but what it is told to, and its profile is empty.
"""

import base64
import fcntl
import json
import os
import queue
import shutil
import subprocess
import threading

import procs
from tap import PATIENCE, wait_for

PROGRAM = next((found for found in map(shutil.which, (
    os.environ.get('AKL_CHROMIUM', 'chromium'), 'chromium-browser',
    'google-chrome')) if found), None)
FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
         '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync',
         '--disable-default-apps', '--disable-extensions',
         '--disable-dev-shm-usage', '--hide-scrollbars',
         '--force-color-profile=srgb', '--remote-debugging-pipe']


class Browser:
    """A Chromium of its own, with a new profile in a directory."""

    def __init__(self, directory):
        ours, theirs = os.pipe(), os.pipe()     # it reads one, writes one
        self.directory = directory
        self.log = os.path.join(directory, 'chromium.log')

        def pipes():
            # the protocol's are file descriptors 3 and 4 of the browser
            held = [fcntl.fcntl(fd, fcntl.F_DUPFD, 16)
                    for fd in (ours[0], theirs[1])]
            for fd, place in zip(held, (3, 4)):
                os.dup2(fd, place)

        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen(
                [PROGRAM, *FLAGS, f'--user-data-dir={directory}/profile',
                 'about:blank'], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, preexec_fn=pipes, pass_fds=(3, 4),
                env={**os.environ, 'HOME': directory})
        os.close(ours[0])
        os.close(theirs[1])
        self.write = os.fdopen(ours[1], 'wb', buffering=0)
        self.read = os.fdopen(theirs[0], 'rb', buffering=0)
        self.number = 0
        self.answers = queue.Queue()
        self.events = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        held = b''
        while True:
            try:
                data = self.read.read(65536)
            except (OSError, ValueError):
                data = b''
            if not data:
                self.answers.put(None)
                return
            *messages, held = (held + data).split(b'\0')
            for message in map(json.loads, messages):
                if 'id' in message:
                    self.answers.put(message)
                else:
                    self.events.append(message)

    def call(self, method, session=None, **params):
        """Call a method of the protocol; return its result."""
        self.number += 1
        message = {'id': self.number, 'method': method, 'params': params}
        if session:
            message['sessionId'] = session
        self.write.write(json.dumps(message).encode() + b'\0')
        while True:
            answer = self.answers.get(timeout=PATIENCE)
            if answer is None:
                with open(self.log, encoding='utf-8', errors='replace') as log:
                    raise RuntimeError('the browser ended: ' + log.read())
            if answer['id'] == self.number:
                if 'error' in answer:
                    raise RuntimeError(f'{method}: {answer["error"]}')
                return answer['result']

    def open(self, url, width=1100, height=900, dark=False, script=True):
        """Open a page in a tab of its own; return it once it is loaded."""
        page = Page(self)
        page.call('Page.enable')
        page.call('Runtime.enable')
        page.call('Network.enable')
        page.call('Log.enable')
        page.call('Emulation.setDeviceMetricsOverride', width=width,
                  height=height, deviceScaleFactor=1, mobile=width < 600)
        page.call('Emulation.setEmulatedMedia', features=[
            {'name': 'prefers-color-scheme',
             'value': 'dark' if dark else 'light'}])
        page.call('Emulation.setScriptExecutionDisabled', value=not script)
        page.call('Page.navigate', url=url)
        page.wait(lambda: page.told('Page.loadEventFired'))
        return page

    def close(self):
        """End it."""
        for pipe in self.write, self.read:
            try:
                pipe.close()
            except OSError:
                pass
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        # its helpers end by themselves when it is gone
        wait_for(lambda: not any(self.directory in command for command
                                 in procs.leftovers().values()))


class Page:
    """A tab."""

    def __init__(self, browser):
        self.browser = browser
        self.target = browser.call('Target.createTarget',
                                   url='about:blank')['targetId']
        self.session = browser.call('Target.attachToTarget',
                                    targetId=self.target,
                                    flatten=True)['sessionId']

    def call(self, method, **params):
        """Call a method of the protocol for this tab."""
        return self.browser.call(method, self.session, **params)

    def told(self, method):
        """Return what came of one kind of event."""
        return [event['params'] for event in list(self.browser.events)
                if event.get('sessionId') == self.session
                and event['method'] == method]

    def run(self, expression):
        """Return the value of a JavaScript expression."""
        result = self.call('Runtime.evaluate', expression=expression,
                           returnByValue=True, awaitPromise=True)
        if 'exceptionDetails' in result:
            raise RuntimeError(str(result['exceptionDetails']))
        return result['result'].get('value')

    def wait(self, condition):
        """Wait until a condition holds; return what it holds."""
        return wait_for(condition)

    def requests(self):
        """Return the URLs that it asked for."""
        return [params['request']['url']
                for params in self.told('Network.requestWillBeSent')]

    def complaints(self):
        """Return what the browser logged: errors, broken policies."""
        return [params['entry']['text']
                for params in self.told('Log.entryAdded')] \
            + [str(params) for params in self.told('Runtime.exceptionThrown')]

    def close(self):
        """Close it."""
        self.browser.call('Target.closeTarget', targetId=self.target)

    def picture(self, height=None, scale=1):
        """Return a PNG of it: all of it, or what is on top."""
        size = self.call('Page.getLayoutMetrics')['cssContentSize']
        return base64.b64decode(self.call(
            'Page.captureScreenshot', captureBeyondViewport=True, clip={
                'x': 0, 'y': 0, 'width': size['width'],
                'height': height or size['height'], 'scale': scale})['data'])
