"""fanout: broadcasts and rooms of `wscope listen` beside Bun's publish (uWebSockets) and a plain loop with Node ws, all under the same lean client (fanout.c)."""
import statistics

from yardstick import CLIENT_CORE, OWN, SERVER_CORE, TICKS, Failure, by_rate, checks, compiled, limit, others, pinned, ratio, run_json, spread, summary, thousands, turns
from checks import print_table
from processes import Child, listen, peer, script

# Name, options of the client, whether it is a room of its own mode.
CELLS = [
    ("100 clients, each sends to all 100", ["-c", "100"], False),
    ("1 sender to 1000 clients", ["-c", "1000", "--senders", "1"], False),
    ("10 rooms of 10, each sends to its room", ["-c", "100", "--rooms", "10"], True),
    ("1 message to 100 clients, 100 a second", ["-c", "100", "--rate", "100"], False),
]
OWN_PATHS = {False: "/", True: "/room/%d?format=raw&self=1"}
PEER_PATHS = {False: "/", True: "/room/%d"}


def fanout(quick):
    client = compiled("fanout")
    seconds, warmup, rounds = (0.6, 0.2, 1) if quick else (3, 1, 5)
    runners = {"bun": [peer("bun"), script("fanout-server.mjs")], "node ws": ["node", script("fanout-server.mjs")]}
    servers = {}
    try:
        servers[OWN] = listen("-q", "--mode", "broadcast=all", "--keep", "0", core=SERVER_CORE)
        for name, command in runners.items():
            child = Child(f"{name} server", command, core=SERVER_CORE)
            servers[name] = child, int(child.wait_for_line(r"^ready (\d+)$").group(1))
    except Failure as failure:
        checks.record("fanout", "servers start", str(failure))
    names, report = list(servers), {}
    for cell, options, in_rooms in CELLS:
        results = {name: [] for name in names}
        for number in range(rounds):
            for name in turns(names, number):
                child, port = servers[name]
                paths = (OWN_PATHS if name == OWN else PEER_PATHS)[in_rooms]
                command = [client, *options, "--path", paths, "-d", str(seconds), "-w", str(warmup), "--server-pid", str(child.pid), str(port)]
                try:
                    results[name].append(run_json(f"fanout on {name}", command, seconds + warmup + 30, preexec_fn=pinned(CLIENT_CORE)))
                except Failure as failure:
                    results[name].append(None)
                    checks.record("fanout", f"{cell}: {name}, round {number + 1}", str(failure))
        report[cell] = table(cell, results)
    for child, _ in servers.values():
        child.stop()
    return report


def by_p50(result):
    return result["p50"]


def by_p99(result):
    return result["p99"]


def table(cell, results):
    rows, report = [], {}
    for name, rounds in results.items():
        done = [result for result in rounds if result]
        if not done:
            continue
        checks.record("fanout", f"{cell}: {name}")
        shares = {side: statistics.median(result[side]["cpu"] / result["seconds"] for result in done) for side in ("server", "client")}
        per_delivery = statistics.median(1e6 * max(result["server"]["cpu"], 1 / TICKS) / result["msgs"] for result in done)
        rows.append([name, spread([result["rate"] for result in done], thousands), ratio(results, by_rate, "bun", name), f"{per_delivery:.3f}",
                     f"{shares['server']:.0%}", f"{shares['client']:.0%}", f"{statistics.median(map(others, done)):.0%}",
                     limit(shares["server"], shares["client"]), f"{statistics.median(map(by_p50, done)) / 1e3:.3f}", f"{statistics.median(map(by_p99, done)) / 1e3:.3f}"])
        report[name] = {"rounds": done, "ratio": summary(results, by_rate, "bun", name), "p50_ratio": summary(results, by_p50, "bun", name),
                        "p99_ratio": summary(results, by_p99, "bun", name)}
    print(f"\nfanout: {cell}, 20 B, binary")
    print_table(["server", "deliveries/s", "vs bun", "server us/delivery", "server", "client", "others", "limit", "p50 ms", "p99 ms"], rows)
    return report
