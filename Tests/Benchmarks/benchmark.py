#!/usr/bin/env python3
"""benchmark.py [PART...] [--quick] [--json FILE]: how fast wscope is, beside its peers and beside what it was.

PART: echo fanout load late verdict start idle deflate core counts (default: all; their files say what each measures). Server on the first core, client on the
second; interleaved rounds; medians, and ratios per round with their spread. Only ratios mean something: the machine's own speed cancels
out. The column `limit` says which side was out of CPU: where it is the client, the ratio of the servers by messages is too small, and the
one by CPU per message stands; `others` is what neither side used of a core, and where it is much, somebody else was at work.

--quick: does all of it work, in less than six minutes; and does a message still cost what it did (counts.json; --keep makes what is found
what is kept). The program is $WSCOPE, default .build/release/wscope.
"""
import argparse
import importlib
import json
import sys

from yardstick import CORES, CLIENT_CORE, SERVER_CORE, Failure, checks, machine, stolen
from checks import print_table
from processes import require_wscope, set_up_peers

PARTS = ["echo", "fanout", "load", "late", "verdict", "start", "idle", "deflate", "core", "counts"]


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("part", nargs="*", help=", ".join(PARTS) + " (default: all)")
    options.add_argument("--quick", action="store_true", help="one short round: does it all work?")
    options.add_argument("--json", metavar="FILE", help="write everything measured to FILE")
    options.add_argument("--keep", action="store_true", help="keep the counts that were found")
    options = options.parse_args()
    chosen = options.part or PARTS
    if not set(chosen) <= set(PARTS):
        sys.exit(f"parts are {', '.join(PARTS)}")
    require_wscope()
    versions, facts, before = set_up_peers(), machine(), stolen()
    print(", ".join(f"{key} {value}" for key, value in facts.items()))
    print(", ".join(f"{name} {version}" for name, version in versions.items() if name != "websocketd"))
    if len(CORES) < 2:
        print("ONE CORE: server and client share it; the ratios are those of both together")
    report = {"schema": "benchmark/1", "quick": options.quick, "machine": facts, "peers": versions}
    for part in chosen:
        try:
            module = importlib.import_module(part)
            report[part] = getattr(module, part)(options.quick)
            if part == "counts" and options.keep:
                module.keep(report[part])
        except Failure as failure:
            checks.record(part, "runs", str(failure))
    took, total = (after - then for after, then in zip(stolen(), before))
    facts["stolen"] = took / max(total, 1)
    report["targets"] = targets(report)
    print(f"\nthe host took {facts['stolen']:.1%} of this machine's time meanwhile" + (": too much to trust the figures" if facts["stolen"] > 0.02 else ""))
    report["failures"] = checks.failures()
    if options.json:
        with open(options.json, "w") as file:
            json.dump(report, file, indent=1)
            file.write("\n")
    return checks.finish()


# The table of what is aimed at: name, where the ratio stands, at least, aim (None: none), whether less is better.
TARGETS = [
    ("listen echo, 200 connections, 20 B, against bun, by CPU", ("echo", "200 connections, 20 B, 1 in flight", "wscope", "cpu_ratio"), 1.0, 1.2, False),
    ("listen echo, 10 x 100 in flight, against bun, by CPU", ("echo", "10 connections, 20 B, 100 in flight", "wscope", "cpu_ratio"), 3, 3.8, False),
    ("listen echo, 16 KiB, against bun, by CPU", ("echo", "200 connections, 16 KiB, 1 in flight", "wscope", "cpu_ratio"), 1.2, 1.5, False),
    ("listen echo, 200 connections, 20 B, against node ws, by CPU", ("echo", "200 connections, 20 B, 1 in flight", "wscope", "over", "node ws"), 1.5, None, False),
    ("listen echo, 200 connections, 20 B, against websocat, by CPU", ("echo", "200 connections, 20 B, 1 in flight", "wscope", "over", "websocat"), 1.3, None, False),
    ("listen echo, 200 connections, 20 B, against python websockets, by CPU", ("echo", "200 connections, 20 B, 1 in flight", "wscope", "over", "python websockets"), 3, None, False),
    ("listen broadcast, 100 clients, each sends to all, against bun", ("fanout", "100 clients, each sends to all 100", "wscope", "ratio"), 1.0, 1.5, False),
    ("listen broadcast, 1 sender to 1000, against bun", ("fanout", "1 sender to 1000 clients", "wscope", "ratio"), 0.9, 1.0, False),
    ("listen, 10 rooms of 10, against bun", ("fanout", "10 rooms of 10, each sends to its room", "wscope", "ratio"), 0.5, 1.0, False),
    ("listen broadcast, p99 of 1 message to 100, against bun", ("fanout", "1 message to 100 clients, 100 a second", "wscope", "p99_ratio"), 1.5, 1.0, True),
    ("bench, 200 connections, against k6, by CPU", ("load", "200 connections, 20 B, 1 in flight", "wscope", "cpu_ratio"), 3.5, 5, False),
    ("bench, 10 x 100 in flight, against node ws, by CPU", ("load", "10 connections, 20 B, 100 in flight", "wscope", "cpu_ratio"), 20, 50, False),
    ("bench, 200 connections, share of its CPU outside the kernel", ("load", "200 connections, 20 B, 1 in flight", "wscope", "user_share"), 0.25, 0.15, True),
    ("bench -R at 70 % of its closed loop, late p99, ms", ("late", "p99_ms"), 1.0, 0.2, True),
    ("listen, idle ws connection, kB", ("idle", "ws", "wscope listen", "kB"), 2.5, 0.5, True),
    ("bench, idle ws connection, kB", ("idle", "ws", "wscope bench", "kB"), 2.5, 0.5, True),
    ("listen, idle wss connection, of node ws", ("idle", "wss", "wscope listen", "ratio"), 1.0, 0.5, True),
    ("handshakes per CPU second, against node ws", ("idle", "handshakes", "wscope listen", "ratio"), 2, 3, False),
    ("listen echo, 1 KiB of JSON deflated, against node ws, by CPU", ("deflate", "wscope", "cpu_ratio"), 2, None, False),
    ("send, one message, against websocat", ("start", "wscope", "ratio"), 2, 1, True),
    ("send, peak memory, against websocat", ("start", "wscope", "peak_ratio"), 2.5, 1.5, True),
    ("masking 16 KiB in place, against memcpy", ("core", "masking", "ratio"), 0.4, 0.6, False),
    ("UTF-8 validation, ASCII, against String(validating:)", ("core", "ASCII", "ratio"), 1.0, 2, False),
    ("UTF-8 validation, multi-byte, against String(validating:)", ("core", "multi-byte", "ratio"), 1.0, 2, False),
]


def targets(report):
    """One line for each thing that is aimed at, as far as it was measured."""
    rows, found = [], {}
    for name, path, least, aim, less_is_better in TARGETS:
        value = report
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            continue
        low = high = middle = value
        if isinstance(value, dict):
            middle, low, high = value["median"], value["min"], value["max"]
        sign = "<=" if less_is_better else ">="
        met = {goal: goal is not None and (middle <= goal if less_is_better else middle >= goal) for goal in (least, aim)}
        state = "aim" if met[aim] else "ok" if met[least] else "MISSED"
        found[name] = {"median": middle, "min": low, "max": high, "least": least, "aim": aim, "state": state}
        rows.append([name, f"{middle:.2f}", f"{low:.2f}-{high:.2f}" if low != high else "", f"{sign} {least:g}", f"{sign} {aim:g}" if aim else "", state])
    print("\ntargets")
    print_table(["what", "median", "spread", "at least", "aim", "state"], rows)
    return found


if __name__ == "__main__":
    sys.exit(main())
