"""late: how late `wscope bench -R` sends at 70 % of what its closed loop reaches against `wscope listen`, each on a core of its own.

Each round finds the ceiling anew, since the machine's speed changes. The figure is the 99th percentile of `late`: intended to actual send.
Beside it stands what the machine keeps from a thread that never sleeps, just before: of a stall in which messages become due, the bench has
to catch up with the 30 % that are left, so what is late is more than three times what the machine kept.
"""
import json
import statistics
import subprocess

from yardstick import CLIENT_CORE, SERVER_CORE, Failure, checks, compiled, run_json
from checks import print_table
from processes import WSCOPE, listen

SHARE = 0.7


def bench(port, seconds, *options):
    command = ["taskset", "-c", str(CLIENT_CORE), WSCOPE, "bench", f"ws://127.0.0.1:{port}/", "-c", "200", "-d", f"{seconds}s", "--size", "20",
               "--format", "json", "-q", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 40)
    if done.returncode not in (0, 98):  # 98: the client was the limit, and says so
        raise Failure(f"bench: exit {done.returncode}, {done.stderr[-300:]!r}")
    return json.loads(done.stdout)


def late(quick):
    seconds, rounds = (2, 1) if quick else (5, 9)
    watch = [compiled("stalls"), str(CLIENT_CORE), str(SERVER_CORE), "1"]
    child, port = listen("-q", core=SERVER_CORE)
    found = []
    for _ in range(rounds):
        stalls = run_json("stalls", watch, 10)
        ceiling = bench(port, seconds)["rates"]["answered"]
        report = bench(port, seconds, "-R", str(int(ceiling * SHARE)))
        percentiles = {level: value.get("v") for level, value in report["metrics"]["late"]["percentiles"].items()}
        found.append({"ceiling": ceiling, "rate": report["rates"]["sent"], "percentiles": percentiles, "cpu": report["self"]["cpu_busiest_loop"],
                      "awake": report["self"]["cpu_awake"], "verdict": report["verdict"]["state"], "stalls": stalls})
    child.stop()
    checks.record("late", f"sends what it shall at {SHARE:.0%}", None if all(
        abs(one["rate"] / one["ceiling"] / SHARE - 1) < 0.1 for one in found) else f"{found}")
    table = [[f"{one['ceiling'] / 1000:.1f}k", f"{one['rate'] / 1000:.1f}k",
              *(f"{(one['percentiles'].get(level) or 0) / 1000:.0f}" for level in ("50", "99", "99.9")), f"{one['cpu']:.0%}", f"{one['awake']:.0%}", one["verdict"],
              f"{one['stalls']['share']:.2%}, {one['stalls']['longest_ms']:.2f} ms"] for one in found]
    print(f"\nlate: bench -R at {SHARE:.0%} of its closed loop, 200 connections, 20 B, us")
    print_table(["ceiling, msg/s", "sent, msg/s", "p50", "p99", "p99.9", "busiest loop", "awake", "verdict", "machine kept, longest"], table)
    milliseconds = [one["percentiles"]["99"] / 1e6 for one in found]
    return {"rounds": found, "p99_ms": {"median": statistics.median(milliseconds), "min": min(milliseconds), "max": max(milliseconds)}}
