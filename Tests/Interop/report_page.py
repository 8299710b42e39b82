#!/usr/bin/env python3
"""report_page.py [--screenshots FOLDER]: pages of `bench --html` from runs against healthy and ill servers, read by parsers and in Chromium.

Each page: the HTML parsers of Python and libxml2 (xmllint, where it is installed) read it; no element is left open; nothing is loaded; the
page of the stored result, and of the page itself, has the same bytes. In Chromium it is opened as it is, where its script runs, and
behind the policy with which Jenkins serves archived pages, where neither script nor style does.
With --screenshots it is kept in light and dark, wide and narrow, without style, and as paper. The program is $WSCOPE, default
.build/release/wscope.
"""
import argparse
import functools
import html.parser
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "Peers"))
sys.dont_write_bytecode = True
from checks import Checks, print_table  # noqa: E402
from processes import WSCOPE, listen, require_wscope, scratch  # noqa: E402

JENKINS = "sandbox allow-same-origin; default-src 'none'; img-src 'self'; style-src 'self'"
CHARTS = ["percentiles", "heat", "strips", "connect"]
VOID = {"meta", "line", "rect", "path", "circle", "polyline"}
OPEN = ["-c", "50", "-R", "2000", "-d", "12s", "--threshold", "rtt.p99<50ms", "--threshold", "errors.rate<0.1%"]
RUNS = {
    "healthy": ([], OPEN),
    "stalled": ([], OPEN),
    "bimodal": (["--fault", "delay=40ms,conn=1-10"], OPEN),
    "losing": (["--fault", "drop=3%"], [*OPEN, "--timeout", "2s"]),
    "closing": (["--fault", "life=5s,close=1011"], OPEN),
    "overloaded": ([], ["-c", "50", "-R", "400k", "-d", "6s", "--threshold", "rtt.p99<50ms"]),
    "closed-loop": ([], ["-c", "50", "-d", "6s", "--threshold", "rate.answered>=1k/s"]),
}
VIEWS = {
    "wide": (["--window-size=1200,3400"], "/"), "dark": (["--window-size=1200,3400", "--blink-settings=preferredColorScheme=0"], "/"),
    "narrow": (["--window-size=500,5200"], "/"), "unstyled": (["--window-size=1200,4200"], "/jenkins/"),
}

checks = Checks()


class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.attributes, self.charts, self.problems = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.attributes += attributes
        if tag == "svg" and ("role", "img") in attributes:
            self.charts.append(dict(attributes)["aria-labelledby"].split("-")[0])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.attributes += attributes

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> at {self.getpos()}")


def measure(name, folder):
    server_options, options = RUNS[name]
    server, port = listen("-q", *server_options)
    page, result = os.path.join(folder, name + ".html"), os.path.join(folder, name + ".json")
    command = [WSCOPE, "bench", f"ws://127.0.0.1:{port}/", *options, "--html", page, "--out", result, "--no-progress"]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if name == "stalled":
        time.sleep(7)
        os.kill(server.pid, signal.SIGSTOP)
        time.sleep(2)
        os.kill(server.pid, signal.SIGCONT)
    _, errors = run.communicate(timeout=90)
    server.stop()
    checks.record(name, "exit code", None if run.returncode in (0, 98, 99) else f"{run.returncode}: {errors[-300:]}")
    return page, result


def report(path):
    return subprocess.run([WSCOPE, "bench", "report", path, "--format", "html"], capture_output=True, timeout=60).stdout


def check_text(name, page, result):
    with open(page, "rb") as file:
        raw = file.read()
    checks.equal(name, "page of the stored result", report(result) == raw, True)
    checks.equal(name, "page of the page", report(page) == raw, True)
    text = raw.decode()
    reader = Reader()
    reader.feed(text)
    reader.close()
    checks.equal(name, "html.parser", (reader.problems, reader.open), ([], []))
    checks.equal(name, "charts", reader.charts, CHARTS)
    loading = [a for a in reader.attributes if a[0] in ("src", "href", "style") or a[0].startswith("on")]
    checks.equal(name, "attributes that load or style", loading, [])
    embedded = re.search(r'<script type="application/json" id="wscope-result">(.*?)</script>', text, re.DOTALL)
    with open(result) as file:
        checks.equal(name, "embedded result", json.loads(embedded.group(1)), json.load(file))
    checks.record(name, "size", None if len(raw) < 150_000 else f"{len(raw)} bytes")
    if shutil.which("xmllint"):
        done = subprocess.run(["xmllint", "--html", "--noout", page], capture_output=True, text=True)
        # It knows the elements of HTML 4 only.
        problems = [line for line in done.stderr.splitlines() if " error :" in line and not re.search(r"Tag \w+ invalid", line)]
        checks.equal(name, "xmllint", problems, [])
    return len(raw)


def serve(folder):
    class Handler(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path):
            return super().translate_path(path.removeprefix("/jenkins"))

        def end_headers(self):
            if self.path.startswith("/jenkins/"):
                self.send_header("Content-Security-Policy", JENKINS)
            super().end_headers()

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def chromium(*options):
    command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-proxy-server",
               f"--user-data-dir={os.path.join(scratch(), 'profile')}", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=90).stdout


def check_browser(name, base):
    with_script = chromium("--dump-dom", f"{base}/{name}.html")
    without = chromium("--dump-dom", f"{base}/jenkins/{name}.html")
    checks.equal(name, "script runs", with_script.count('visibility="hidden"'), 2)
    checks.equal(name, "script is blocked by the policy", without.count('visibility="hidden"'), 0)
    checks.equal(name, "charts without script and style", without.count('role="img"'), len(CHARTS))


def keep_screenshots(names, base, folder):
    os.makedirs(folder, exist_ok=True)
    for name in names:
        for view, (options, prefix) in VIEWS.items():
            chromium(*options, f"--screenshot={os.path.join(folder, f'{name}-{view}.png')}", f"{base}{prefix}{name}.html")
        chromium(f"--print-to-pdf={os.path.join(folder, name + '.pdf')}", f"{base}/{name}.html")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--screenshots", metavar="FOLDER")
    parser.add_argument("runs", nargs="*", choices=[*RUNS, []], default=[])
    options = parser.parse_args()
    require_wscope()
    folder = os.path.join(scratch(), "pages")
    os.mkdir(folder)
    names = options.runs or list(RUNS)
    base, rows = serve(folder), []
    for name in names:
        page, result = measure(name, folder)
        size = check_text(name, page, result)
        if shutil.which("chromium"):
            check_browser(name, base)
        rows.append((name, size, checks.cell(name)))
    if options.screenshots:
        keep_screenshots(names, base, options.screenshots)
    print_table(("run", "bytes", "checks"), rows)
    sys.exit(checks.finish())


if __name__ == "__main__":
    main()
