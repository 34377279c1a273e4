"""Drive a headless Chromium with its DevTools protocol, for pictures and for tests of the screens."""

import base64
import contextlib
import json
import re
import subprocess
import tempfile
import threading
import time

from runtime import ToolError

SWITCHES = (
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--disable-extensions',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-default-apps',
    '--mute-audio',
    '--hide-scrollbars',
    '--remote-debugging-port=0',
    '--remote-allow-origins=*',
    '--force-color-profile=srgb',
    '--lang=en-US',
)
# The web client is idle: nothing is loading, no transition is running, all fonts and pictures are there.
AT_REST = """
    document.readyState === 'complete' && !document.querySelector('.o_loading_indicator, .o_blockUI, .fade:not(.show).modal')
    && document.fonts.status === 'loaded' && [...document.images].every(image => image.complete)
    && !!document.querySelector('.o_action_manager > *, .o_login_auth, form.oe_login_form, .oe_login_form')
"""


class Browser:
    """One page of one browser. `complaints` collects the errors of its console."""

    def __init__(self, executable, *, width=1280, height=800, scale=1):
        import websocket  # from the prepared Python

        self.folder = tempfile.TemporaryDirectory(prefix='chromium-', ignore_cleanup_errors=True)
        self.process = subprocess.Popen(
            [
                str(executable),
                *SWITCHES,
                f'--user-data-dir={self.folder.name}',
                f'--window-size={width},{height}',
                'about:blank',
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors='replace',
            start_new_session=True,
        )
        address = next(
            (found.group(1) for line in self.process.stderr if (found := re.search(r'(ws://\S+)', line))), None
        )
        if not address:
            raise ToolError(f'{executable} did not start')
        threading.Thread(target=self.process.stderr.read, daemon=True).start()  # a full pipe would block it
        self.complaints, self._number = [], 0
        self._socket = websocket.create_connection(address, timeout=60)
        self._session = None
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        self._session = self.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self.call(f'{domain}.enable')
        self.resize(width, height, scale=scale)

    def close(self):
        with contextlib.suppress(Exception):
            self.call('Browser.close')
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def call(self, method, **params):
        self._number += 1
        message = {'id': self._number, 'method': method, 'params': params}
        if self._session:
            message['sessionId'] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv())
            self._listen(answer)
            if answer.get('id') == self._number:
                if 'error' in answer:
                    raise ToolError(f'the browser refused {method}: {answer["error"]["message"]}')
                return answer['result']

    def _listen(self, event):
        params = event.get('params', {})
        if event.get('method') == 'Runtime.exceptionThrown':
            details = params['exceptionDetails']
            self.complaints.append(str(details.get('exception', {}).get('description') or details['text']))
        elif event.get('method') == 'Runtime.consoleAPICalled' and params['type'] in ('error', 'warning', 'assert'):
            self.complaints.append(
                ' '.join(str(part.get('value', part.get('description', ''))) for part in params['args'])
            )
        elif event.get('method') == 'Log.entryAdded' and params['entry']['level'] in ('error', 'warning'):
            self.complaints.append(f'{params["entry"]["text"]} {params["entry"].get("url", "")}')

    def resize(self, width, height, *, mobile=False, scale=1):
        self.call(
            'Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )
        self.call('Emulation.setTouchEmulationEnabled', enabled=mobile)

    def ask(self, script):
        """Return the value of a JavaScript expression."""
        answer = self.call('Runtime.evaluate', expression=script, returnByValue=True, awaitPromise=True)
        if 'exceptionDetails' in answer:
            details = answer['exceptionDetails']
            raise ToolError(f'in the browser: {details.get("exception", {}).get("description", details["text"])}')
        return answer['result'].get('value')

    def wait(self, condition, *, seconds=40):
        end = time.monotonic() + seconds
        while not self.ask(condition):
            if time.monotonic() > end:
                raise ToolError(f'the browser waited in vain for {" ".join(condition.split())[:200]}')
            time.sleep(0.1)

    def settle(self, pause=0.7):
        """Wait until the page is idle and stays so for a moment (lazily loaded parts, transitions)."""
        self.wait(AT_REST)
        time.sleep(pause)
        self.wait(AT_REST)

    def open(self, url, *, settle=True):
        self.call('Page.navigate', url=url)
        time.sleep(0.3)
        self.wait("document.readyState === 'complete'")
        if settle:
            self.settle()

    def log_in(self, address, login, password):
        self.open(f'{address}/web/login?redirect=/odoo/discuss', settle=False)
        self.ask(f"""
            document.querySelector('input[name=login]').value = {json.dumps(login)};
            document.querySelector('input[name=password]').value = {json.dumps(password)};
            document.querySelector('form.oe_login_form').submit()""")
        self.wait("!!document.querySelector('.o_main_navbar')")

    def click(self, selector, text=None, *, settle=True):
        """Click the first visible element of a selector, with this text if one is given."""
        found = f"""[...document.querySelectorAll({json.dumps(selector)})].find(
            node => node.offsetParent && ({json.dumps(text)} === null || node.textContent.includes({json.dumps(text)})))"""
        self.wait(f'!!{found}')
        self.ask(f'{found}.click()')
        if settle:
            self.settle()

    def picture(self, path, *, full=False):
        options = {'captureBeyondViewport': True} if full else {}
        data = self.call('Page.captureScreenshot', format='png', **options)['data']
        path.write_bytes(base64.b64decode(data))
