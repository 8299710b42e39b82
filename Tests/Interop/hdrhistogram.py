#!/usr/bin/env python3
"""hdrhistogram.py: what `bench --format json` stores is read equal by the HdrHistogram package of PyPI.

For each metric: the count, the smallest and largest value, and every percentile of the result, against those of the decoded `hdr`; then
the package encodes it again, and a second decode has the same counts. For each interval: the heat map counts what the interval counts.
The package also reads the log of `--hdr`: the lines of a tag add up to the `hdr` of the metric, and so does the log of `bench report`.
The program is $WSCOPE, default .build/release/wscope; peers.sh installs the package.
"""
import json
import os
import subprocess
import sys
import tempfile

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


def wscope(*words):
    done = subprocess.run([WSCOPE, "bench", *words], capture_output=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return done.stdout


def measure(options, log):
    return json.loads(wscope(*options, "--format", "json", "--quiet", "--hdr", log))


def check_log(name, log, result, reader_type, histogram_type):
    """Every line of the log is read, in the order of time, and its lines of a tag are the histogram of the metric."""
    sums, last = {}, -1.0
    reader = reader_type(log, histogram_type(1, HOUR, 3))
    while (histogram := reader.get_next_interval_histogram()) is not None:
        tag = histogram.get_tag()
        checks.equal((name, tag), "lines in the order of time", histogram.get_start_time_stamp() >= last, True)
        last = histogram.get_start_time_stamp()
        if tag in sums:
            sums[tag].add(histogram)
        else:
            sums[tag] = histogram
    with open(log, encoding="ascii") as file:
        text = file.read()
    checks.equal((name, "log"), "lines", len(text.splitlines()), 3 + sum(line.startswith("Tag=") for line in text.splitlines()))
    measured = {key: metric for key, metric in result["metrics"].items() if metric["count"]}
    checks.equal((name, "log"), "tags", sorted(sums), sorted(measured))
    for key, metric in measured.items():
        checks.equal((name, key), "sum of the log", list(counts(sums[key])), list(counts(histogram_type.decode(metric["hdr"]))))
    return len(text.splitlines()) - 3


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
    from hdrh.log import HistogramLogReader
    table = []
    with tempfile.TemporaryDirectory() as directory:
        check_runs(directory, HdrHistogram, HistogramLogReader, table)
    print_table(["run", "metric", "count", "censored", "bytes", "checks"], table)
    return checks.finish()


def check_runs(directory, histogram_type, reader_type, table):
    log, stored = os.path.join(directory, "run.hlog"), os.path.join(directory, "r.json")
    for name, options in RUNS.items():
        try:
            result = measure(options, log)
            lines = check_log(name, log, result, reader_type, histogram_type)
            with open(stored, "w", encoding="utf-8") as file:
                json.dump(result, file)
            wscope("report", stored, "--hdr", log)
            check_log(f"{name}, report", log, result, reader_type, histogram_type)
        except (RuntimeError, ValueError, subprocess.TimeoutExpired) as failure:
            checks.record(name, "runs", str(failure))
            continue
        for key, metric in result["metrics"].items():
            place = (name, key)
            check_metric(place, metric, histogram_type)
            table.append([name, key, metric["count"], metric["censored"], len(metric["hdr"]), checks.cell(place)])
        for interval in result["intervals"]:
            checks.equal((name, "intervals"), "heat", heat_total(interval["heat"]), interval["recv"])
        table.append([name, "log", lines, "", "", checks.cell((name, "log"))])


if __name__ == "__main__":
    sys.exit(main())
