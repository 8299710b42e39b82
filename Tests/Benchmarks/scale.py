#!/usr/bin/env python3
"""scale.py [CONNECTIONS]: how many connections are held at once on one machine, both ends on it, until everything is closed again.

A process may have as many files open as `ulimit -Hn` says, so several `wscope listen --reuse-port` share one port and several
`wscope bench --shard i/n` share the connections. Default 40000; with 20 000 files a process, 300000 takes 36 processes, some 4 GB and
some minutes. Prints the most connections that were open at once, the memory of both ends for each, and the time it took.
The program is $WSCOPE, default .build/release/wscope.
"""
import json
import os
import resource
import sys
import time

from yardstick import Child, Failure, checks
from processes import WSCOPE, free_port, require_wscope

SPARE = 1500  # files of a process that are no connections
HOLD = 10     # seconds that all of them are held


def files(pid):
    try:
        # Linux 6.2 and later tell the count as the size; to list a million would keep a core busy.
        return os.stat(f"/proc/{pid}/fd").st_size or len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def anonymous(pid):
    with open(f"/proc/{pid}/status") as file:
        return 1024 * int(next(line.split()[1] for line in file if line.startswith("RssAnon")))


def scale(total):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    # The kernel divides connections by a hash, not evenly: the servers get more room than the clients need.
    shards = max(2, -(-total // (limit - SPARE)))
    servers, port = max(2, -(-total * 5 // (4 * (limit - SPARE)))), free_port()
    print(f"{total} connections, {shards} clients and {servers} servers, at most {limit} files each", flush=True)
    listening = [Child("listen", [WSCOPE, "listen", f"127.0.0.1:{port}", "--reuse-port", "-q", "--max-clients", str(limit - 100)]) for _ in range(servers)]
    for child in listening:
        child.wait_for_port(port)
        child.wait_for("the ready line", lambda: "listening on" in child.said())
    idle = [anonymous(child.pid) for child in listening]
    begin = time.monotonic()
    rate = 4000 if total <= 400_000 else 3000  # more than two busy cores take, and the servers answer 408
    patience = total / rate + 60
    most_seconds = 4 * patience
    benches = [Child("bench", [WSCOPE, "bench", f"ws://127.0.0.1:{port}/", "-c", str(total), "--shard", f"{i}/{shards}", "-R", str(max(1, total // 100)), "--size", "20",
                               "-d", f"{HOLD}s", "--warmup", f"{patience / 4:.0f}s", "--connect-rate", str(rate), "--open-timeout", "60s", "--format", "json", "-q"])
               for i in range(shards)]
    most, memory, opened_after = 0, None, None
    while any(child.process.poll() is None for child in benches):
        if time.monotonic() - begin > most_seconds:
            raise Failure(f"still running after {most_seconds:.0f} s")
        held = sum(files(child.pid) for child in listening) - 20 * servers
        if held > most:
            most, opened_after = held, time.monotonic() - begin
            memory = (sum(anonymous(child.pid) for child in listening) - sum(idle), sum(anonymous(child.pid) for child in benches if child.process.poll() is None))
        time.sleep(0.5)  # the sampling interval
    reports = []
    for child in benches:
        try:
            reports.append(json.loads(open(child.output).read()))
        except ValueError:
            raise Failure(f"bench ended with {child.process.returncode}: {child.said()[-300:]!r}") from None
    opened = sum(report["connections"]["opened"] for report in reports)
    lost = sum(report["connections"]["lost"] for report in reports)
    print(f"opened {opened}, lost {lost}; at once {most} after {opened_after:.0f} s; "
          f"user-space memory for each: listen {memory[0] / most / 1000:.2f} kB, bench {memory[1] / most / 1000:.2f} kB; all over after {time.monotonic() - begin:.0f} s")
    errors = {}
    for error in (error for report in reports for error in report["errors"]):
        what = " ".join(str(error[key]) for key in ("phase", "class", "code"))
        errors[what] = errors.get(what, 0) + error["count"]
    for what, count in errors.items():
        print(f"error: {what}: {count}")
    checks.record("scale", "all opened", None if opened == total else f"{opened} of {total}")
    checks.record("scale", "none lost", None if lost == 0 else str(lost))
    checks.record("scale", "held at once", None if most >= total * 0.99 else f"{most} of {total}")
    for child in listening:
        child.stop()


def main():
    require_wscope()
    try:
        scale(int(sys.argv[1]) if len(sys.argv) > 1 else 40_000)
    except Failure as failure:
        checks.record("scale", "runs", str(failure))
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
