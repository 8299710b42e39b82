#!/usr/bin/env python3
"""prometheus.py: Prometheus itself reads what `bench --prometheus-addr` serves.

A server of Debian's `prometheus` scrapes a run every second. `promtool check metrics` finds nothing to say about any scrape; the last
scrape has the counters of the JSON result; `histogram_quantile` is within the bucket that holds the p99 of the result; and scrapes ten
times a second are answered while the run goes on, and no counter falls. The program is $WSCOPE, default .build/release/wscope.
"""
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "Peers"))
sys.dont_write_bytecode = True
from checks import Checks  # noqa: E402
from processes import WSCOPE, Child, free_port, require_wscope, scratch  # noqa: E402

checks = Checks()
PREFIX = "wscope_bench_"


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as reply:
        return reply.read().decode()


def check_format(place, text):
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=30)
    checks.equal(place, "promtool", (done.returncode, (done.stdout + done.stderr).strip()), (0, ""))


def series(text):
    return {name: float(value) for name, value in
            (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))}


def bench(name, *options, port=None):
    """A run with an endpoint, and the URL of its metrics."""
    port = port or free_port()
    result = os.path.join(scratch(), f"{name}.json")
    child = Child(f"bench {name}", [WSCOPE, "bench", *options, "--prometheus-addr", f":{port}", "--out", result])
    child.wait_for_port(port)
    return child, f"http://127.0.0.1:{port}/metrics", result


def check_sums(place, last, result):
    for name in ("sent", "answered", "answered_in_window", "unanswered", "failed", "unsent", "no_connection", "unknown"):
        checks.equal(place, name, last.get(f'{PREFIX}messages_total{{result="{name}"}}'), result["messages"][name])
    for layer in ("payload", "wire"):
        for direction in ("sent", "received"):
            checks.equal(place, f"{layer} {direction}", last.get(f'{PREFIX}bytes_total{{direction="{direction}",layer="{layer}"}}'),
                         result["bytes"][layer][direction])
    for key, metric in result["metrics"].items():
        if key in ("rtt", "rtt_service", "late", "close"):
            checks.equal(place, f"{key} count", last.get(f"{PREFIX}{key}_seconds_count"), metric["count"] + metric["censored"])
    for close in result["closes"]:
        checks.equal(place, f"close {close['code']}", last.get(f'{PREFIX}closes_total{{code="{close["code"]}",by="{close["by"]}"}}'),
                     close["count"])
    errors = sum(value for name, value in last.items() if name.startswith(PREFIX + "errors_total"))
    checks.equal(place, "errors", errors, sum(error["count"] for error in result["errors"]))


def read_by_prometheus():
    """A run that Prometheus scrapes to its end."""
    port, target = free_port(), free_port()
    configuration = os.path.join(scratch(), "prometheus.yml")
    with open(configuration, "w", encoding="utf-8") as file:
        file.write("global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
                   f"scrape_configs: [{{job_name: bench, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}]\n")
    server = Child("prometheus", ["prometheus", f"--config.file={configuration}", f"--web.listen-address=127.0.0.1:{port}",
                                  f"--storage.tsdb.path={os.path.join(scratch(), 'tsdb')}"])
    server.wait_for_port(port)

    def scraping():
        """It looks at its configuration some seconds after its start only; the first scrape fails, since nothing listens yet."""
        try:
            targets = json.loads(fetch(f"http://127.0.0.1:{port}/api/v1/targets"))["data"]["activeTargets"]
        except urllib.error.HTTPError:  # 503: it is not ready
            return False
        return any(target["lastError"] for target in targets)
    server.wait_for("the first scrape", scraping, 60)
    child, url, stored = bench("scraped", "-c", "10", "-R", "1000", "-d", "4s", "--warmup", "1s", "--prometheus-linger", "30s",
                               port=target)
    first = fetch(url)
    check_format("first scrape", first)
    child.process.wait(60)
    with open(stored, encoding="utf-8") as file:
        result = json.load(file)

    def query(expression):
        answer = json.loads(fetch(f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})))
        return [float(row["value"][1]) for row in answer["data"]["result"]]

    # The run has ended, so the series are looked for in the last minute.
    sent = f'last_over_time({PREFIX}messages_total{{result="sent"}}[1m])'
    server.wait_for("the last scrape", lambda: query(sent) == [result["messages"]["sent"]])
    found = query(f"histogram_quantile(0.99, last_over_time({PREFIX}rtt_seconds_bucket[1m]))")
    p99 = result["metrics"]["rtt"]["percentiles"]["99"]["v"] / 1e9
    bounds = [0] + sorted(float(name.split('le="')[1].split('"')[0]) for name in series(first)
                          if name.startswith(PREFIX + "rtt_seconds_bucket"))
    bucket = next((low, high) for low, high in zip(bounds, bounds[1:]) if p99 <= high)
    checks.equal("histogram_quantile", "in the bucket of p99", [bucket[0] <= value <= bucket[1] for value in found], [True])
    checks.equal("prometheus", "read the run while it measured", query(f'max_over_time({PREFIX}phase{{phase="measure"}}[1m])'), [1])
    server.stop()


def last_scrape():
    """The scrape after the end has the figures of the result, and ends the wait."""
    child, url, stored = bench("last", "-c", "4", "-n", "3000", "--inflight", "4", "--prometheus-linger", "30s")
    child.wait_for("its result", lambda: os.path.exists(stored) and os.path.getsize(stored) > 0)
    begun = time.monotonic()
    text = fetch(url)
    checks.equal("last scrape", "exit code", child.process.wait(20), 0)
    checks.equal("last scrape", "ends the wait", time.monotonic() - begun < 20, True)
    check_format("last scrape", text)
    with open(stored, encoding="utf-8") as file:
        check_sums("last scrape", series(text), json.load(file))
    printed = subprocess.run([WSCOPE, "bench", "report", stored, "--format", "prometheus"], capture_output=True, text=True, timeout=30)
    checks.equal("bench report", "the same text", printed.stdout, text)


def scraped_often():
    """Scrapes read what is there: they are answered at once, and their counters never fall."""
    child, url, _ = bench("often", "-c", "50", "-R", "2000", "-d", "4s", "--warmup", "500ms", "--threshold", "rtt.p50<10m",
                          "--self-check", "warn")
    slowest, falls, count, before = 0.0, [], 0, {}
    while child.process.poll() is None:
        begun = time.monotonic()
        try:
            text = fetch(url)
        except OSError:
            break
        slowest = max(slowest, time.monotonic() - begun)
        now = series(text)
        falls += [name for name, value in now.items() if "_total" in name or "_bucket" in name if value < before.get(name, 0)]
        if count % 10 == 0:
            check_format("often", text)
        count, before = count + 1, now
        time.sleep(0.1)
    checks.equal("often", "exit code", child.process.wait(20), 0)
    checks.equal("often", "counters that fell", falls, [])
    checks.equal("often", "scrapes", count > 10, True)
    print(f"{count} scrapes, the slowest in {slowest * 1000:.0f} ms")


def main():
    require_wscope()
    for check in (read_by_prometheus, last_scrape, scraped_often):
        try:
            check()
        except Exception as failure:  # any of them is a failed check, and the others still run
            checks.record(check.__name__, "runs", f"{type(failure).__name__}: {failure}")
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
