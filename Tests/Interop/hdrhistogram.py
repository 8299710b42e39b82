#!/usr/bin/env python3
"""hdrhistogram.py: what `bench --format json` stores is read equal by the HdrHistogram package of PyPI.

For each metric: the count, the smallest and largest value, and every percentile of the result, against those of the decoded `hdr`; then
the package encodes it again, and a second decode has the same counts. For each interval: the heat map counts what the interval counts.
The program is $WSCOPE, default .build/release/wscope; peers.sh installs the package.
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "Peers"))
sys.dont_write_bytecode = True
from checks import Checks, print_table  # noqa: E402
from processes import WSCOPE, peer, require_wscope, set_up_peers  # noqa: E402

RUNS = {
    "open loop": ["-c", "20", "-R", "2000", "-d", "3s", "--warmup", "1s"],
    "closed loop": ["-c", "10", "--inflight", "4", "-d", "2s", "--warmup", "0"],
    "counted": ["-c", "3", "-n", "500", "--threads", "2", "--percentiles", "1,50,75,95,99.9"],
    "never answered in time": ["-c", "20", "-n", "20000", "--inflight", "500", "--timeout", "20ms", "--size", "64k"],
}
HOUR = 3_600_000_000_000
FIRST_BUCKET, LAST_BUCKET = -240, 95  # 0 ns and an hour

checks = Checks()


def measure(options):
    done = subprocess.run([WSCOPE, "bench", *options, "--format", "json", "--quiet"], capture_output=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return json.loads(done.stdout)


def check_metric(place, metric, histogram_type):
    histogram = histogram_type.decode(metric["hdr"])
    checks.equal(place, "limits", (histogram.lowest_trackable_value, histogram.highest_trackable_value, histogram.significant_figures),
                 (1, HOUR, 3))
    checks.equal(place, "count", histogram.total_count, metric["count"])
    largest = metric["max_answered"] if metric["censored"] else metric["max"]
    if not metric["count"]:
        return
    checks.equal(place, "min", histogram.get_lowest_equivalent_value(metric["min"]), histogram.get_min_value())
    checks.equal(place, "max", histogram.get_highest_equivalent_value(largest), histogram.get_max_value())
    for level, percentile in metric["percentiles"].items():
        # With censored samples, percentiles rank more than the histogram holds.
        if "needs_samples" not in percentile and not metric["censored"]:
            found = histogram.get_value_at_percentile(float(level))
            checks.equal(place, f"p{level}", min(found, largest), percentile["v"])
    again = histogram_type.decode(histogram.encode())
    checks.equal(place, "counts after both encoders", list(counts(again)), list(counts(histogram)))


def counts(histogram):
    return ((item.value_iterated_to, item.count_at_value_iterated_to) for item in histogram.get_recorded_iterator())


def heat_total(heat):
    """The samples of `[first, n, n, -gap, n...]`; None for buckets that do not exist."""
    total, bucket = 0, heat[0] if heat else 0
    for number in heat[1:]:
        if number > 0 and not FIRST_BUCKET <= bucket <= LAST_BUCKET:
            return None
        total, bucket = (total + number, bucket + 1) if number > 0 else (total, bucket - number)
    return total


def main():
    require_wscope()
    set_up_peers()
    if sys.prefix != os.path.dirname(os.path.dirname(peer("python"))):
        os.execv(peer("python"), [peer("python"), os.path.abspath(__file__)])
    from hdrh.histogram import HdrHistogram
    table = []
    for name, options in RUNS.items():
        try:
            result = measure(options)
        except (RuntimeError, ValueError, subprocess.TimeoutExpired) as failure:
            checks.record(name, "runs", str(failure))
            continue
        for key, metric in result["metrics"].items():
            place = (name, key)
            check_metric(place, metric, HdrHistogram)
            table.append([name, key, metric["count"], metric["censored"], len(metric["hdr"]), checks.cell(place)])
        for interval in result["intervals"]:
            checks.equal((name, "intervals"), "heat", heat_total(interval["heat"]), interval["recv"])
    print_table(["run", "metric", "count", "censored", "bytes", "checks"], table)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
