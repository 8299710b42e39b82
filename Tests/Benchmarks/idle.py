"""idle: what a connection that says nothing costs, in user-space memory and in the CPU time of its handshake: `listen` beside Node ws and Bun,
`bench` by itself. Each figure is the difference of a run with many and one with few connections, so that what the program costs is not in it."""
import json
import os
import statistics
import time

from yardstick import CLIENT_CORE, SERVER_CORE, Child, Failure, checks, cpu_seconds, spread
from certificates import Certificates
from checks import print_table
from processes import WSCOPE, echo_peer, listen

SERVERS = ["wscope listen", "node ws", "bun"]


def serve(name, certificates):
    files = [certificates.cert, certificates.key] if certificates else []
    if name == "wscope listen":
        return listen("-q", *(["--cert", files[0], "--key", files[1]] if files else []), core=SERVER_CORE)
    return echo_peer(name, *files, core=SERVER_CORE)


def resident(pid):
    """Bytes, without what is shared with files: the program itself is no connection's."""
    with open(f"/proc/{pid}/status") as file:
        return 1024 * int(next(line.split()[1] for line in file if line.startswith("RssAnon")))


def hold(name, certificates, count):
    """Memory of both ends and CPU of the server with so many connections open."""
    server, port = serve(name, certificates)
    before = cpu_seconds(server.pid)[1]
    url = f"{'wss' if certificates else 'ws'}://127.0.0.1:{port}/"
    client = Child("holding bench", [WSCOPE, "bench", url, "-c", str(count), "-R", "1", "-d", "2s", "--warmup", "0s", "--size", "20", "-q", "--format", "json",
                                     "--connect-rate", "2500", *(["--insecure"] if certificates else [])], core=CLIENT_CORE)

    def all_open():
        return len(os.listdir(f"/proc/{server.pid}/fd")) >= count
    client.wait_for(f"{count} connections", all_open, 60)
    time.sleep(0.5)  # what the handshakes left to be done is done
    found = {"server": resident(server.pid), "client": resident(client.pid), "cpu": cpu_seconds(server.pid)[1] - before}
    try:
        opened = json.loads(client.said() if client.process.wait(60) is None else open(client.output).read())["connections"]["opened"]
    except (ValueError, KeyError):
        raise Failure(f"bench against {name}: {client.said()[-300:]!r}") from None
    if opened != count:
        raise Failure(f"bench against {name} opened {opened} of {count}")
    server.stop()
    return found


def difference(name, certificates, few, many):
    low, high = hold(name, certificates, few), hold(name, certificates, many)
    return {key: (high[key] - low[key]) / (many - few) for key in high}


def idle(quick):
    rounds, report, rows = 1 if quick else 5, {}, []
    for kind, certificates, few, many in (("ws", None, 100, 1100 if quick else 6100), ("wss", Certificates(), 50, 250 if quick else 1050)):
        results = {name: [] for name in SERVERS}
        for number in range(rounds):
            for name in SERVERS:
                try:
                    results[name].append(difference(name, certificates, few, many))
                    checks.record("idle", f"{kind}: {name}, round {number + 1}")
                except Failure as failure:
                    checks.record("idle", f"{kind}: {name}, round {number + 1}", str(failure))
        report[kind] = {}
        for name, found in results.items():
            if not found:
                continue
            memory = [result["server"] / 1000 for result in found]
            cpu = [1e6 * result["cpu"] for result in found]
            report[kind][name] = {"kB": around(memory), "us": around(cpu)}
            rows.append([kind, name, spread(memory, "{:.2f}".format), spread(cpu, "{:.0f}".format)])
        own = [result["client"] / 1000 for result in results["bun" if kind == "ws" else "wscope listen"]]
        if own:
            report[kind]["wscope bench"] = {"kB": around(own)}
            rows.append([kind, "wscope bench", spread(own, "{:.2f}".format), ""])
        ours, theirs = report[kind].get("wscope listen"), report[kind].get("node ws")
        if ours and theirs:
            ours["ratio"] = ours["kB"]["median"] / theirs["kB"]["median"]
            if kind == "ws" and ours["us"]["median"] > 0:
                report["handshakes"] = {"wscope listen": {"ratio": theirs["us"]["median"] / ours["us"]["median"]}}
    print("\nidle: for each connection")
    print_table(["scheme", "program", "memory, kB", "handshake, us of CPU"], rows)
    return report


def around(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}
