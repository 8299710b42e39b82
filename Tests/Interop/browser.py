#!/usr/bin/env python3
"""browser.py [--screenshot FILE]: headless Chromium on the page that `wscope listen` serves at GET /.

A person's minutes with it: the page connects, a typed text is sent and its echo seen, a second tab and `wscope send` share a
broadcast, hostile text stays text, the connect button works, the server's goodbye shows. And what another site's page must not do.
Chromium is driven over WebDriver with the standard library. The program is $WSCOPE, default .build/release/wscope.
"""
import argparse
import base64
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Peers"))
sys.dont_write_bytecode = True
from checks import Checks, print_table  # noqa: E402
from processes import WSCOPE, Child, Failure, listen, require_wscope, scratch, set_up_peers  # noqa: E402

SECONDS = 15
HOSTILE = "<img src=x onerror=\"window.owned=1\"><b id=owned>bold</b>"
checks = Checks()


class Browser:
    """The few WebDriver commands that a person's hands amount to."""

    def __init__(self):
        port = self._start_driver()
        self.base = f"http://127.0.0.1:{port}/session"
        profile = os.path.join(scratch(), "profile")
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1100,800",
                     "--host-resolver-rules=MAP *.example 127.0.0.1", "--no-proxy-server", f"--user-data-dir={profile}"]
        session = self._call("POST", "", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "acceptInsecureCerts": True, "goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.base += "/" + session["sessionId"]

    def _start_driver(self, attempts=5):
        """It takes a free port of IPv6 and then wants the same one of IPv4, which another program may have."""
        self.driver = Child("chromedriver", ["chromedriver", "--port=0", "--log-level=SEVERE"], group=True)
        try:
            return self.driver.wait_for_line(r"started successfully on port (\d+)").group(1)
        except Failure:
            if attempts == 1 or "Address already in use" not in self.driver.said():
                raise
            return self._start_driver(attempts - 1)

    def _call(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, method=method, headers={"Content-Type": "application/json"},
                                         data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise Failure(f"{value['error']}: {value['message'].splitlines()[0]}") from None

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def run_async(self, script, *arguments):
        return self._call("POST", "/execute/async", {"script": script, "args": list(arguments)})

    def element(self, selector):
        return next(iter(self._call("POST", "/element", {"using": "css selector", "value": selector}).values()))

    def click(self, selector):
        self._call("POST", f"/element/{self.element(selector)}/click", {})

    def type(self, selector, text):
        element = self.element(selector)
        self._call("POST", f"/element/{element}/clear", {})
        self._call("POST", f"/element/{element}/value", {"text": text})

    def new_tab(self):
        return self._call("POST", "/window/new", {"type": "tab"})["handle"]

    def tab(self, handle=None):
        if handle:
            self._call("POST", "/window", {"handle": handle})
        return self._call("GET", "/window")

    def console(self):
        return [entry["message"] for entry in self._call("POST", "/se/log", {"type": "browser"}) if entry["level"] == "SEVERE"]

    def screenshot(self, file):
        with open(file, "wb") as output:
            output.write(base64.b64decode(self._call("GET", "/screenshot")))

    def wait(self, script, *arguments):
        """The first true value of the script, or None at the deadline."""
        deadline = time.monotonic() + SECONDS
        while True:
            value = self.run(script, *arguments)
            if value or time.monotonic() > deadline:
                return value or None
            time.sleep(0.02)

    def close(self):
        try:
            self._call("DELETE", "")
        except (Failure, OSError) as failure:
            print(f"the browser did not end by itself: {failure}")
        self.driver.stop()


# The page as a person sees it

ROW = """
  for (const row of document.querySelectorAll('#log > .' + arguments[0])) {
    const time = row.querySelector('.time'), text = row.querySelector('.text');
    if (text && text.textContent.includes(arguments[1])) return {time: time ? time.textContent.trim() : '', text: text.textContent};
  }"""
STATUS = "const at = document.querySelector('#status'); return at && at.textContent.toLowerCase().includes(arguments[0])"


def row(browser, kind, text):
    return browser.wait(ROW, kind, text)


def send(browser, text):
    browser.type("#message", text)
    browser.click("#send")


def truth(place, name, value, otherwise):
    checks.record(place, name, None if value else otherwise)


def log(browser):
    return browser.run("return document.body.innerText").replace("\n", " | ")[-300:]


def visit(place, browser, *options):
    """A fresh `listen` and its page in the current tab: the child and the port."""
    child, port = listen(*options)
    connects(place, browser, port)
    return child, port


def connects(place, browser, port):
    browser.open(f"http://127.0.0.1:{port}/")
    truth(place, "page connects by itself", browser.wait(STATUS, "open"), f"status after {SECONDS} s: {browser.run('return document.body.innerText')[:200]!r}")


def one_person(place, browser, screenshot):
    _, port = visit(place, browser)
    address = browser.run("return document.querySelector('#url').value")
    checks.equal(place, "address is filled in", address, f"ws://127.0.0.1:{port}/")
    send(browser, "hello from the browser")
    sent, echoed = row(browser, "out", "hello from the browser"), row(browser, "in", "hello from the browser")
    truth(place, "sent text is in the log", sent, f"log: {log(browser)!r}")
    truth(place, "its echo is in the log", echoed, f"log: {log(browser)!r}")
    truth(place, "both carry a time", sent and echoed and sent["time"] and echoed["time"], f"{sent} {echoed}")
    send(browser, HOSTILE)
    echoed = row(browser, "in", "onerror")
    checks.equal(place, "hostile text stays text", echoed and echoed["text"], HOSTILE)
    nodes = browser.run("return document.querySelectorAll('#log img, #log b#owned').length + (window.owned ? 1 : 0)")
    checks.equal(place, "and makes no DOM node", nodes, 0)
    if screenshot:
        browser.screenshot(screenshot)
    browser.click("#connect")
    truth(place, "connect button disconnects", browser.wait(STATUS, "closed"), f"log: {log(browser)!r}")
    browser.click("#connect")
    truth(place, "and connects again", browser.wait(STATUS, "open"), f"log: {log(browser)!r}")
    errors = [line for line in browser.console() if "favicon.ico" not in line]
    checks.equal(place, "console without errors", errors, [])


def two_people(place, browser, _):
    first = browser.tab()
    _, port = visit(place, browser, "--mode", "broadcast")
    second = browser.new_tab()
    browser.tab(second)
    connects(place, browser, port)
    send(browser, "from the second tab")
    truth(place, "own message is marked sent", row(browser, "out", "from the second tab"), f"log: {log(browser)!r}")
    browser.tab(first)
    truth(place, "first tab sees the second's", row(browser, "in", "from the second tab"), f"log: {log(browser)!r}")

    lines = [{"type": "text", "size": 10, "text": "from shell"},
             {"type": "binary", "size": len(HOSTILE), "base64": base64.b64encode(HOSTILE.encode()).decode()},
             {"type": "text", "size": 11, "text": "end of file"}]
    lines = "".join(json.dumps({"v": 1, "t": 0, "conn": 1, "event": "message", "dir": "out", **line}) + "\n" for line in lines)
    before = browser.run("return document.querySelectorAll('#log > .in').length")
    client = subprocess.run([WSCOPE, "connect", "--format", "jsonl", "--input", "jsonl", "-w", "0", f"ws://127.0.0.1:{port}/"],
                            input=lines.encode(), capture_output=True, timeout=30)
    checks.equal(place, "the shell's connect ends 0", client.returncode, 0)
    for name, tab in (("first", first), ("second", second)):
        browser.tab(tab)
        truth(place, f"{name} tab sees the shell's text", row(browser, "in", "from shell"), f"log: {log(browser)!r}; {client.stderr[-200:]!r}")
        truth(place, f"{name} tab sees the last one", row(browser, "in", "end of file"), f"log: {log(browser)!r}")
        nodes = browser.run("return document.querySelectorAll('#log img, #log b#owned').length + (window.owned ? 1 : 0)")
        checks.equal(place, f"binary markup makes no DOM node ({name})", nodes, 0)
    browser.tab(first)
    after = browser.run("return document.querySelectorAll('#log > .in').length")
    checks.equal(place, "the binary message has its row", after - before, 3)


def over_http2(place, browser, _):
    child, port = listen("--tls", "--http2")
    browser.open(f"https://localhost:{port}/")
    protocol = browser.run("return performance.getEntriesByType('navigation')[0].nextHopProtocol")
    checks.equal(place, "page comes by HTTP/2", protocol, "h2")
    truth(place, "page connects by itself", browser.wait(STATUS, "open"), f"log: {log(browser)!r}")
    truth(place, "over HTTP/2 too", ", HTTP/2" in child.said(), child.said()[-300:])
    send(browser, "hello over a stream")
    truth(place, "its echo is in the log", row(browser, "in", "hello over a stream"), f"log: {log(browser)!r}")
    checks.equal(place, "listen ends 0 after SIGINT", child.stop(signal.SIGINT), 0)
    truth(place, "page shows closed", browser.wait(STATUS, "closed"), f"log: {log(browser)!r}")
    truth(place, "with the close code 1001", browser.wait("return document.body.innerText.includes('1001')"), f"log: {log(browser)!r}")


def goodbye(place, browser, _):
    child, _ = visit(place, browser)
    checks.equal(place, "listen ends 0 after SIGINT", child.stop(signal.SIGINT), 0)
    truth(place, "page shows closed", browser.wait(STATUS, "closed"), f"log: {log(browser)!r}")
    truth(place, "with the close code 1001", browser.wait("return document.body.innerText.includes('1001')"), f"log: {log(browser)!r}")


# What a page of another site must not do

class OtherSite(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>other site</title>")

    def log_message(self, *_):
        pass


TRY = """
  const done = arguments[arguments.length - 1], socket = new WebSocket(arguments[0]);
  socket.onopen = () => done('opened'); socket.onerror = () => done('refused');"""


def other_site(place, browser, _):
    _, port = listen()
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OtherSite)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    target = f"ws://127.0.0.1:{port}/"
    browser.open(f"http://127.0.0.1:{site.server_port}/")
    checks.equal(place, "page of another loopback port may connect", browser.run_async(TRY, target), "opened")
    browser.open(f"http://evil.example:{site.server_port}/")
    checks.equal(place, "page of evil.example is refused", browser.run_async(TRY, target), "refused")
    browser.open("data:text/html,<title>null origin</title>")
    checks.equal(place, "page without an origin is refused", browser.run_async(TRY, target), "refused")
    browser.open(f"http://evil.example:{port}/")
    status = browser.run("return performance.getEntriesByType('navigation')[0].responseStatus")
    checks.equal(place, "rebound name gets no page", status, 403)
    checks.equal(place, "rebound name may not connect", browser.run_async(TRY, f"ws://evil.example:{port}/"), "refused")
    site.shutdown()


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--screenshot", metavar="FILE", help="save a PNG of the page after an echo")
    options = options.parse_args()
    require_wscope()
    version = set_up_peers("--chromium")["chromium"]
    browser = Browser()
    try:
        for place, part in (("echo", one_person), ("other sites", other_site), ("broadcast", two_people), ("over HTTP/2", over_http2), ("goodbye", goodbye)):
            try:
                part(place, browser, options.screenshot)
            except (Failure, OSError, subprocess.TimeoutExpired) as failure:
                checks.record(place, "runs to its end", str(failure))
    finally:
        browser.close()
    print_table(["what", "check", "result"],
                [[place, name, "FAIL" if problem else "ok"] for place, results in checks.results.items() for name, problem in results])
    print(f"(Chromium {version}, headless)")
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
