"""deflate: the echo of compressed messages, JSON of 1 KiB: `listen` beside Node ws, which both agree on permessage-deflate with `bench`."""
import json
import os
import statistics

from yardstick import CLIENT_CORE, SERVER_CORE, Child, Failure, by_cpu, by_rate, checks, cpu_seconds, limit, ratio, spread, summary, thousands, turns
from checks import print_table
from processes import WSCOPE, echo_peer, listen, scratch


def document():
    """A file with some JSON as an application sends it; Node ws compresses from 1024 bytes on."""
    path = os.path.join(scratch(), "message.json")
    entries = [{"id": 7919 * i % 10007, "name": f"sensor-{i}", "value": round(i * 1.37, 2), "unit": "kPa", "ok": i % 3 > 0} for i in range(16)]
    with open(path, "w") as file:
        file.write(json.dumps({"type": "update", "entries": entries})[:1100])
    return path


def drive(server, port, seconds):
    """One run of bench; the server's CPU time is that of the window, to the tenth that it is sampled in."""
    command = [WSCOPE, "bench", f"ws://127.0.0.1:{port}/", "-c", "50", "-d", f"{seconds}s", "--warmup", "300ms", "-x", "@" + document(), "--compress", "--format", "json", "-q"]
    before = cpu_seconds(server.pid)[1]
    client = Child("compressing bench", command, core=CLIENT_CORE)
    client.process.wait(seconds + 30)
    used = cpu_seconds(server.pid)[1] - before
    try:
        report = json.loads(client.said())
    except ValueError:
        raise Failure(f"bench: {client.said()[-300:]!r}") from None
    if not report["bytes"]["wire"]["received"] < report["bytes"]["payload"]["received"] / 2:
        raise Failure("the echoes did not come compressed")
    total = seconds + 0.3
    return {"rate": report["rates"]["answered"], "msgs": report["rates"]["answered"] * total, "seconds": total, "server": {"cpu": used, "user": used},
            "client_share": report["self"]["cpu_busiest_loop"]}


def deflate(quick):
    seconds, rounds = (1, 1) if quick else (3, 5)
    names = ["wscope", "node ws"]
    servers = {name: listen("-q", core=SERVER_CORE) if name == "wscope" else echo_peer(name, core=SERVER_CORE, env={"PEER_DEFAULTS": "1"}) for name in names}
    results = {name: [] for name in names}
    for number in range(rounds):
        for name in turns(names, number):
            try:
                results[name].append(drive(*servers[name], seconds))
                checks.record("deflate", f"{name}, round {number + 1}")
            except Failure as failure:
                results[name].append(None)
                checks.record("deflate", f"{name}, round {number + 1}", str(failure))
    for child, _ in servers.values():
        child.stop()
    rows, report = [], {}
    for name, found in results.items():
        done = [result for result in found if result]
        if not done:
            continue
        server_share = statistics.median(result["server"]["cpu"] / result["seconds"] for result in done)
        client_share = statistics.median(result["client_share"] for result in done)
        rows.append([name, spread([result["rate"] for result in done], thousands), ratio(results, by_rate, "node ws", name),
                     f"{statistics.median(1e6 / by_cpu(result) for result in done):.1f}", ratio(results, by_cpu, "node ws", name),
                     f"{server_share:.0%}", f"{client_share:.0%}", limit(server_share, client_share)])
        report[name] = {"rounds": done, "ratio": summary(results, by_rate, "node ws", name), "cpu_ratio": summary(results, by_cpu, "node ws", name)}
    print("\ndeflate: echo of 1 KiB of JSON, 50 connections, compressed both ways")
    print_table(["server", "msg/s", "vs node ws", "server us/msg", "vs node ws by CPU", "server", "client", "limit"], rows)
    return report
