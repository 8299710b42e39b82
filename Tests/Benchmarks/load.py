"""load: `wscope bench` beside k6, Node ws and load.c, all against the same Bun server, which counts what each of them drives."""
import json
import os
import statistics
import time
import urllib.request

from yardstick import CLIENT_CORE, HERE, OWN, SERVER_CORE, TICKS, Child, Failure, busy_seconds, by_rate, checks, compiled, cpu_seconds, limit, others, peer, ratio, spread, summary, thousands, turns
from checks import print_table
from processes import WSCOPE, echo_peer

LOAD_CELLS = [("200 connections, 20 B, 1 in flight", 200, 20, 1), ("10 connections, 20 B, 100 in flight", 10, 20, 100)]


def counted(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as response:
        return json.load(response)


def drive(name, command, server, port, limit_seconds, env):
    """Runs one client; what it drove is the slope of the server's own counter over the middle of the run."""
    client = Child(f"{name} client", command, core=CLIENT_CORE, env=env)
    samples, deadline = [], time.monotonic() + limit_seconds
    while client.process.poll() is None:
        if time.monotonic() > deadline:
            client.stop()
            raise Failure(f"{name} still runs after {limit_seconds:g} s")
        try:
            cpu = cpu_seconds(client.pid)
        except (FileNotFoundError, IndexError):
            break
        samples.append((time.monotonic(), counted(port), cpu, cpu_seconds(server.pid), busy_seconds()))
        time.sleep(0.1)  # the sampling interval
    code = client.process.wait()
    total = [sum(count.values()) for _, count, *_ in samples]
    moving = [i for i in range(1, len(total)) if total[i] > total[i - 1]]
    if len(moving) < 4:
        raise Failure(f"{name}: exit {code}, the server counted {total[-1] - total[0] if total else 0} messages: {client.said()[-300:]!r}")
    first, last = moving[0], moving[-1]
    begin, end = first + (last - first) * 4 // 10, last - max(1, (last - first) // 10)
    (t0, c0, own0, server0, busy0), (t1, c1, own1, server1, busy1) = samples[begin], samples[end]
    kinds = {kind: c1[kind] - c0[kind] for kind in c0}
    messages = sum(kinds.values())
    return {"rate": messages / (t1 - t0), "msgs": messages, "seconds": t1 - t0, "kind": max(kinds, key=kinds.get), "exit": code,
            "client": {"user": own1[0] - own0[0], "cpu": own1[1] - own0[1]}, "server": {"user": server1[0] - server0[0], "cpu": server1[1] - server0[1]},
            "busy": busy1 - busy0, "output": client.said()}


def load_clients(connections, size, depth, seconds, port):
    url = f"ws://127.0.0.1:{port}/"
    clients = {
        OWN: [WSCOPE, "bench", url, "-c", str(connections), "-d", f"{seconds}s", "--size", str(size), "--format", "json",
              *(["--inflight", str(depth)] if depth > 1 else [])],
        "k6": [peer("k6"), "run", "--quiet", "--no-color", "--no-usage-report", "--vus", str(connections), "--iterations", str(connections),
               os.path.join(HERE, "load.k6.js")],
        "node ws": ["node", os.path.join(HERE, "load.cjs"), *map(str, (port, connections, depth, size, seconds))],
        "load.c": [compiled("load"), "-c", str(connections), "-d", str(seconds), "-w", "0.5", "--size", str(size), "--depth", str(depth), "--text", str(port)],
    }
    if depth > 1:
        del clients["k6"]  # its event loop sends one by one; nobody compares it here
    return clients, {"URL": url, "DEPTH": str(depth), "SIZE": str(size), "SECONDS": str(seconds)}


def own_rate(name, output):
    """The rate that the client itself reports."""
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            try:
                report = json.loads(line)
            except ValueError:
                continue
            return report["rates"]["answered"] if "rates" in report else report.get("rate")
    try:  # an indented report
        return json.loads(output[output.index("{"):output.rindex("}") + 1])["rates"]["answered"]
    except (ValueError, KeyError):
        raise Failure(f"{name} printed no report: {output[-300:]!r}") from None


def load(quick):
    seconds, rounds = (2, 1) if quick else (5, 5)
    server, port = echo_peer("bun", core=SERVER_CORE)
    report = {}
    for cell, connections, size, depth in LOAD_CELLS:
        clients, env = load_clients(connections, size, depth, seconds, port)
        results = {name: [] for name in clients}
        for number in range(rounds):
            for name in turns(list(clients), number):
                try:
                    result = drive(name, clients[name], server, port, seconds + 40, env)
                    result["reported"] = own_rate(name, result.pop("output"))
                    results[name].append(result)
                    if name == OWN:
                        check_own_report(f"{cell}, round {number + 1}", result, quick)
                except Failure as failure:
                    results[name].append(None)
                    checks.record("load", f"{cell}: {name}, round {number + 1}", str(failure))
        report[cell] = load_table(cell, results, "node ws" if depth > 1 else "k6")
    server.stop()
    return report


def check_own_report(cell, result, quick):
    """What `bench` reports is what the server counted; short runs on busy machines get more room."""
    off, room = abs(result["reported"] / result["rate"] - 1), 0.4 if quick else 0.1
    checks.record("load", f"{cell}: report agrees with the server's count",
                  None if off <= room else f"reports {result['reported']:.0f} msg/s, the server counted {result['rate']:.0f}")
    checks.record("load", f"{cell}: ends with 0", None if result["exit"] in (0, 98) else f"exit {result['exit']}")  # 98: the client was the limit, and says so


def load_table(cell, results, base):
    def client_cpu(result):
        return result["msgs"] / max(result["client"]["cpu"], 1 / TICKS)
    rows, report = [], {}
    for name in results:
        done = [result for result in results[name] if result]
        if not done:
            continue
        checks.record("load", f"{cell}: {name}")
        middle = statistics.median
        server_share = middle(result["server"]["cpu"] / result["seconds"] for result in done)
        client_share = middle(result["client"]["cpu"] / result["seconds"] for result in done)
        other_share = middle(map(others, done))
        user_share = middle(result["client"]["user"] / max(result["client"]["cpu"], 1 / TICKS) for result in done)
        rows.append([name, spread([result["rate"] for result in done], thousands), ratio(results, by_rate, base, name),
                     thousands(middle(result["reported"] for result in done)),
                     f"{middle(1e6 / client_cpu(result) for result in done):.3f}", ratio(results, client_cpu, base, name), f"{user_share:.0%}",
                     f"{server_share:.0%}", f"{client_share:.0%}", f"{other_share:.0%}", limit(server_share, client_share), done[0]["kind"]])
        report[name] = {"rounds": done, "ratio": summary(results, by_rate, base, name), "cpu_ratio": summary(results, client_cpu, base, name),
                        "user_share": user_share, "server_share": server_share, "client_share": client_share, "other_share": other_share, "limit": limit(server_share, client_share)}
    print(f"\nload: {cell}, against bun, counted by the server")
    print_table(["client", "msg/s", f"vs {base}", "own report", "client us/msg", f"vs {base} by CPU", "user part", "server", "client", "others", "limit", "kind"], rows)
    return report
