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


class HeadlessBrowser:
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
        target = self.call_devtools('Target.createTarget', url='about:blank')['targetId']
        self._session = self.call_devtools('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self.call_devtools(f'{domain}.enable')
        self.resize_page(width, height, scale=scale)

    def close_browser(self):
        """End the browser and remove its profile."""
        with contextlib.suppress(Exception):
            self.call_devtools('Browser.close')
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close_browser()

    def call_devtools(self, method, **params):
        """Call a method of the DevTools protocol. Return its result, a dict. Raise `ToolError` if it is refused."""
        self._number += 1
        message = {'id': self._number, 'method': method, 'params': params}
        if self._session:
            message['sessionId'] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv())
            self._collect_complaints(answer)
            if answer.get('id') == self._number:
                if 'error' in answer:
                    raise ToolError(f'the browser refused {method}: {answer["error"]["message"]}')
                return answer['result']

    def _collect_complaints(self, event):
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

    def resize_page(self, width, height, *, mobile=False, scale=1):
        """Give the page this size in CSS pixels. `scale`: device pixels for each of them."""
        self.call_devtools(
            'Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )
        self.call_devtools('Emulation.setTouchEmulationEnabled', enabled=mobile)

    def evaluate_script(self, script):
        """Return the value of a JavaScript expression. Raise `ToolError` if it throws an exception."""
        answer = self.call_devtools('Runtime.evaluate', expression=script, returnByValue=True, awaitPromise=True)
        if 'exceptionDetails' in answer:
            details = answer['exceptionDetails']
            raise ToolError(f'in the browser: {details.get("exception", {}).get("description", details["text"])}')
        return answer['result'].get('value')

    def wait_for_script(self, condition, *, seconds=40):
        """Wait until a JavaScript expression is true. Raise `ToolError` after this many seconds."""
        end = time.monotonic() + seconds
        while not self.evaluate_script(condition):
            if time.monotonic() > end:
                raise ToolError(f'the browser waited in vain for {" ".join(condition.split())[:200]}')
            time.sleep(0.1)

    def wait_until_idle(self, pause=0.7):
        """Wait until the page is idle and stays so for a moment (lazily loaded parts, transitions)."""
        self.wait_for_script(AT_REST)
        time.sleep(pause)
        self.wait_for_script(AT_REST)

    def open_page(self, url, *, settle=True):
        """Open an address. `settle`: wait until the page is idle."""
        self.call_devtools('Page.navigate', url=url)
        time.sleep(0.3)
        self.wait_for_script("document.readyState === 'complete'")
        if settle:
            self.wait_until_idle()

    def log_in_user(self, address, login, password):
        """Log in to the Odoo at an address, and wait for its web client."""
        self.open_page(f'{address}/web/login?redirect=/odoo/discuss', settle=False)
        self.evaluate_script(f"""
            document.querySelector('input[name=login]').value = {json.dumps(login)};
            document.querySelector('input[name=password]').value = {json.dumps(password)};
            document.querySelector('form.oe_login_form').submit()""")
        self.wait_for_script("!!document.querySelector('.o_main_navbar')")

    def click_element(self, selector, text=None, *, settle=True):
        """Click the first visible element of a selector, with this text if one is given.

        :param settle: wait until the page is idle
        """
        found = f"""[...document.querySelectorAll({json.dumps(selector)})].find(
            node => node.offsetParent && ({json.dumps(text)} === null || node.textContent.includes({json.dumps(text)})))"""
        self.wait_for_script(f'!!{found}')
        self.evaluate_script(f'{found}.click()')
        if settle:
            self.wait_until_idle()

    def save_screenshot(self, path, *, full=False):
        """Write a picture of the page to a PNG file. `full`: with the parts outside of the window."""
        options = {'captureBeyondViewport': True} if full else {}
        data = self.call_devtools('Page.captureScreenshot', format='png', **options)['data']
        path.write_bytes(base64.b64decode(data))
