"""echo: `wscope listen` beside Bun (uWebSockets), Node ws, websocat and python websockets, all under the same lean client (load.c)."""
import statistics

from yardstick import CLIENT_CORE, OWN, SERVER_CORE, TICKS, Failure, by_cpu, by_rate, checks, compiled, limit, others, pinned, ratio, run_json, spread, summary, thousands, turns, websocat_echo
from checks import print_table
from processes import echo_peer, listen

ECHO_CELLS = [("200 connections, 20 B, 1 in flight", 200, 20, 1), ("10 connections, 20 B, 100 in flight", 10, 20, 100),
              ("200 connections, 16 KiB, 1 in flight", 200, 16384, 1)]


def echo(quick):
    load = compiled("load")
    seconds, warmup, rounds = (0.6, 0.2, 1) if quick else (3, 1, 5)
    start = {OWN: lambda: listen("-q", core=SERVER_CORE), "websocat": websocat_echo,
             **{name: (lambda name=name: echo_peer(name, core=SERVER_CORE)) for name in ("bun", "node ws", "python websockets")}}
    servers = {}
    for name, begin in start.items():
        try:
            servers[name] = begin()
        except Failure as failure:
            checks.record("echo", f"{name} starts", str(failure))
    names, report = list(servers), {}
    for cell, connections, size, depth in ECHO_CELLS:
        results = {name: [] for name in names}
        for number in range(rounds):
            for name in turns(names, number):
                child, port = servers[name]
                command = [load, "-c", str(connections), "-d", str(seconds), "-w", str(warmup), "--size", str(size), "--depth", str(depth),
                           "--server-pid", str(child.pid), str(port)]
                try:
                    results[name].append(run_json(f"load on {name}", command, seconds + warmup + 30, preexec_fn=pinned(CLIENT_CORE)))
                except Failure as failure:
                    results[name].append(None)
                    if child.process.poll() is not None:
                        failure = f"{failure}; the server ended with {child.process.returncode}"
                    checks.record("echo", f"{cell}: {name}, round {number + 1}", str(failure))
        report[cell] = echo_table(cell, results)
    for child, _ in servers.values():
        child.stop()
    return report


def echo_table(cell, results):
    rows, report = [], {}
    for name in results:
        done = [result for result in results[name] if result]
        if not done:
            continue
        checks.record("echo", f"{cell}: {name}")
        per_message = [1e6 * result["server"]["cpu"] / result["msgs"] for result in done]
        user = statistics.median(1e6 * result["server"]["user"] / result["msgs"] for result in done)
        server_share = statistics.median(result["server"]["cpu"] / result["seconds"] for result in done)
        client_share = statistics.median(result["client"]["cpu"] / result["seconds"] for result in done)
        other_share = statistics.median(map(others, done))
        rows.append([name, spread([result["rate"] for result in done], thousands), ratio(results, by_rate, "bun", name),
                     f"{statistics.median(per_message):.3f} ({user:.3f})", ratio(results, by_cpu, "bun", name),
                     f"{server_share:.0%}", f"{client_share:.0%}", f"{other_share:.0%}", limit(server_share, client_share),
                     f"{statistics.median(result['p50'] for result in done) / 1e3:.2f}", f"{statistics.median(result['p99'] for result in done) / 1e3:.2f}"])
        report[name] = {"rounds": done, "ratio": summary(results, by_rate, "bun", name), "cpu_ratio": summary(results, by_cpu, "bun", name),
                        "server_share": server_share, "client_share": client_share, "other_share": other_share, "limit": limit(server_share, client_share)}
    if OWN in report:
        report[OWN]["over"] = {name: summary(results, by_cpu, name, OWN) for name in results if name != OWN}
    print(f"\necho: {cell}, binary")
    print_table(["server", "msg/s", "vs bun", "server us/msg (user)", "vs bun by CPU", "server", "client", "others", "limit", "p50 ms", "p99 ms"], rows)
    return report
