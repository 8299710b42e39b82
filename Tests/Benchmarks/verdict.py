"""verdict: what `wscope bench` reports of a server whose behaviour is known and that logs its own times (Peers/known_server.c).

Counts and reasons are checked always, and that no run whose planned messages were not sent, matched or answered is valid. Percentiles of
`rtt` are compared with the server's log, within 1 % or 20 us, whichever is larger, unless --quick: that needs a machine that does nothing
else, so a run in which the report finds this machine busy is repeated. The two may differ by the path through the kernel, and by how late
the client sent.
"""
import collections
import json
import os
import signal
import subprocess
import threading

from yardstick import Failure, checks, compiled
from checks import print_table
from processes import WSCOPE, Child, scratch

SHARE, LEAST = 0.01, 20_000  # how far a percentile may be from the log: a share of it, or ns
BLAMELESS = {"accounting", "matching", "no_answers", "unanswered", "connections", "backlog"}  # no reason of a server that echoes well
BUSY = {"late", "loop_delay", "cpu_loop", "cpu_host", "throttled"}  # reasons of a machine that has other things to do
ATTEMPTS = 6
SLOW = ["--timeout", "300ms"]

Case = collections.namedtuple("Case", "name server bench reasons compared", defaults=((), True))
CASES = [  # reasons: those that must be given; where there are none, none of the blameless
    Case("constant 20 ms", ["--delay", "const:20"], []),
    Case("uniform 5-50 ms, out of order", ["--delay", "uniform:5:50"], []),
    Case("97 % 10 ms, 3 % 100 ms", ["--delay", "two:10:100:0.03"], []),
    Case("5 ms and 0.5 ms a connection", ["--delay", "load:5:0.5"], []),
    Case("each answered twice", ["--delay", "const:20", "--double", "1"], []),
    Case("1 of 50 is lost", ["--delay", "const:20", "--lose", "50"], SLOW, ("unanswered",)),
    Case("1 of 100 is lost, fifo", ["--delay", "const:20", "--lose", "100"], ["-x", "hello", *SLOW], ("matching", "unanswered"), False),
    Case("pushes too, fifo", ["--delay", "const:20", "--push", "20"], ["-x", "hello"], ("matching",), False),
    Case("another last byte", ["--delay", "const:5", "--alter"], [], ("no_answers",), False),
    Case("nothing is answered", ["--lose", "1"], SLOW, ("no_answers",), False),
    Case("half die by RST", ["--delay", "const:5", "--die", "10:20:rst"], SLOW, ("target", "unanswered"), False),
    Case("half die by Close 1011", ["--delay", "const:5", "--die", "10:20:close"], SLOW, ("target", "unanswered"), False),
    Case("all die", ["--delay", "const:5", "--die", "20:20:rst"], SLOW, ("target", "cut_short"), False),
    Case("1 of 10 is refused", ["--delay", "const:20", "--refuse", "10"], ["--min-open", "80%"], ("target",), False),
    Case("half of the capacity", ["--delay", "const:1", "--capacity", "500"], ["-d", "3s", "--timeout", "10s"], ("backlog",), False),
]


def serve(options):
    log = os.path.join(scratch(), f"known-{serve.count}.log")
    serve.count += 1
    child = Child("known server", [compiled("../Peers/known_server"), *options, log])
    return child, int(child.wait_for_line(r"^ready (\d+)$").group(1)), log


serve.count = 0


def bench(port, seconds, options):
    # Not pinned: where a core is free, a thread stays awake for what is due next.
    command = [WSCOPE, "bench", f"ws://127.0.0.1:{port}/", "-c", "20", "-R", "1000", "--warmup", "0", "--connect-rate", "2k", "--seed", "1",
               "--format", "json", "-q"]
    command += options if "-d" in options else ["-d", f"{seconds}s", *options]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds + 60)
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise Failure(f"bench: exit {done.returncode}, {(done.stderr or done.stdout)[-300:]!r}") from None


def logged(child, path):
    """Received and sent, by message; what was not answered has no time of sending."""
    if child.stop() != 0:
        raise Failure(f"the server ended badly: {child.said()[-300:]}")
    with open(path) as file:
        return [tuple(map(int, line.split()[2:])) for line in file]


def rank(times, level, unanswered):
    """As reports define a percentile; None where it is one of the unanswered, which are above all others."""
    at = -(-(len(times) + unanswered) * level // 100) - 1
    return sorted(times)[at] if at < len(times) else None


def books(report):
    """What must be equal in every report."""
    messages, window = report["messages"], [one for one in report["intervals"] if one["t"] >= 0]
    ended = sum(messages[key] for key in ("answered", "unanswered", "failed", "in_flight_at_end"))
    planned = sum(messages[key] for key in ("sent", "unsent", "no_connection", "dropped"))
    return {"sent and its ends": (messages["sent"], ended), "planned": (messages["planned"], planned),
            "sent by intervals": (sum(one["sent"] for one in window), messages["sent"]),
            "answered by intervals": (sum(one["recv"] for one in window), messages["answered_in_window"]),
            "rtt": (report["metrics"]["rtt"]["count"], messages["answered"])}


def check(case, report, log, quick):
    place, messages = ("verdict", case.name), report["messages"]
    for name, (got, wanted) in books(report).items():
        checks.equal(place, name, got, wanted)
    state, reasons = report["verdict"]["state"], {reason["check"] for reason in report["verdict"]["reasons"]}
    if case.reasons:
        checks.record(place, "reasons", None if set(case.reasons) <= reasons else f"{case.reasons} are not all in {sorted(reasons)}")
        checks.record(place, "not valid", None if state != "valid" else state)
    else:
        checks.record(place, "reasons", None if not reasons & BLAMELESS else f"{sorted(reasons & BLAMELESS)}")
        checks.equal(place, "answered", messages["answered"], sum(1 for _, sent in log if sent))
    if not case.reasons or "target" not in case.reasons:
        checks.equal(place, "received by the server", len(log), messages["sent"])
    cells = []
    times = [sent - received for received, sent in log if sent]
    for level in (50, 90, 99):
        told, truth = report["metrics"]["rtt"]["percentiles"][str(level)], rank(times, level, len(log) - len(times))
        if not case.compared:
            cells.append("")
        elif truth is None:
            checks.equal(place, f"p{level} is a bound", told.get("censored"), True)
            cells.append(">")
        else:
            off = told["v"] - truth
            cells.append(f"{truth / 1e6:.2f} {off / 1e3:+.0f}")
            if not quick:
                problem = None if abs(off) <= max(SHARE * truth, LEAST) else f"{told['v']} ns, in truth {truth}"
                busy = ", ".join(sorted(reasons & BUSY))
                checks.record(place, f"p{level}", f"not compared: this machine was busy ({busy})" if busy else problem)
    return [case.name, str(messages["sent"]), str(messages["answered"]), state, ", ".join(sorted(reasons)), *cells]


def stopped(seconds):
    """SIGSTOP for a second in the middle: the tail has it, the median does not."""
    child, port, log = serve(["--delay", "const:1"])
    timers = [threading.Timer(seconds / 2 + pause, child.process.send_signal, [number]) for pause, number in ((0, signal.SIGSTOP), (1, signal.SIGCONT))]
    for timer in timers:
        timer.start()
    report = bench(port, seconds, [])
    for timer in timers:
        timer.join()
    entries, place, rtt = logged(child, log), ("verdict", "SIGSTOP for a second"), report["metrics"]["rtt"]
    checks.equal(place, "received by the server", len(entries), report["messages"]["sent"])
    checks.equal(place, "answered", report["messages"]["answered"], len(entries))
    checks.record(place, "the tail has the stop", None if rtt["max"] >= 950e6 else f"max {rtt['max']}")
    return ["SIGSTOP for a second", str(report["messages"]["sent"]), str(report["messages"]["answered"]), report["verdict"]["state"],
            ", ".join(reason["check"] for reason in report["verdict"]["reasons"]), f"{rtt['percentiles']['50']['v'] / 1e6:.2f}", "", f"max {rtt['max'] / 1e6:.0f}"]


def verdict(quick):
    seconds, rows = 1 if quick else 5, []
    for case in CASES:
        for attempt in range(ATTEMPTS):
            child, port, log = serve(case.server)
            report = bench(port, seconds, case.bench)
            entries = logged(child, log)
            if quick or not case.compared or not BUSY & {reason["check"] for reason in report["verdict"]["reasons"]}:
                break
        rows.append(check(case, report, entries, quick))
    rows.append(stopped(max(3, seconds)))
    print("\nverdict: a server of known behaviour, 20 connections, 1000 messages/s; percentiles: its own log in ms, and how far off the report is in us")
    print_table(["server", "sent", "answered", "verdict", "reasons", "p50", "p90", "p99"], rows)
    return {"rows": rows}
