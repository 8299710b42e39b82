#!/usr/bin/env python3
"""echo_and_load.py [echo] [load] [start] [--quick] [--json FILE]: how fast `listen` echoes, how much load `bench` drives, how fast `send` is there.

echo:  `wscope listen` beside Bun (uWebSockets), Node ws, websocat and python websockets, all under the same lean client (load.c).
load:  `wscope bench` beside k6, Node ws and load.c, all against the same Bun server, which counts what each of them drives.
start: `wscope send` with one message to a local echo beside websocat, Node ws and python websockets.

Server on the first core, client on the second; interleaved rounds; medians, ratios per round with their spread. Only ratios mean
something: the machine's own speed cancels out. The column `limit` says which side was out of CPU: where it is the client, the ratio
of the servers by messages is too small, and the one by CPU per message stands; `others` is what neither side used of a core, and
where it is much, somebody else was at work. --quick: does all of it work, in two minutes.
The program is $WSCOPE, default .build/release/wscope.
"""
import argparse
import datetime
import hashlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "Peers"))
sys.dont_write_bytecode = True
from checks import Checks, print_table  # noqa: E402
from processes import PEERS, WSCOPE, Child, Failure, echo_peer, free_port, listen, peer, require_wscope, scratch, set_up_peers  # noqa: E402

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[1 if len(CORES) > 1 else 0]
OWN = "wscope"
BUSY = 0.93  # of a core: this side was the limit
TICKS = os.sysconf("SC_CLK_TCK")

checks = Checks()


# Tools

def compiled(name):
    """The C program of this folder, compiled once into the peers' folder."""
    source = os.path.join(HERE, name + ".c")
    compiler = shutil.which("cc") or shutil.which("clang")
    if not compiler and shutil.which("swift"):
        compiler = os.path.join(os.path.dirname(os.path.realpath(shutil.which("swift"))), "clang")
    if not compiler or not os.path.exists(compiler):
        sys.exit("no C compiler: apt-get install gcc libc6-dev")
    with open(source, "rb") as file:
        mark = hashlib.sha256(file.read() + compiler.encode()).hexdigest()[:16]
    program = os.path.join(PEERS, f"{name}-{mark}")
    if not os.path.exists(program):
        subprocess.run([compiler, "-O3", "-march=native", "-o", program + ".new", source], check=True)
        os.rename(program + ".new", program)
    return program


def pinned(core):
    return lambda: os.sched_setaffinity(0, {core})


def run_json(name, command, seconds, **options):
    """The last line of a command's output as JSON; every failure is a Failure."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, **options)
    except subprocess.TimeoutExpired:
        raise Failure(f"{name} still runs after {seconds:g} s") from None
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise Failure(f"{name}: exit {done.returncode}, {(done.stderr or done.stdout).strip()[-300:]!r}") from None


def machine():
    def first(path, key):
        with open(path) as file:
            return next((line.split(":", 1)[1].strip() for line in file if line.startswith(key)), "?")
    return {"cores": len(CORES), "cpu": first("/proc/cpuinfo", "model name"), "memory": first("/proc/meminfo", "MemTotal"),
            "kernel": platform.release(), "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "load": os.getloadavg()[0], "server_core": SERVER_CORE, "client_core": CLIENT_CORE}


def stolen():
    """Clock ticks that the host took from this machine, and all ticks."""
    with open("/proc/stat") as file:
        ticks = [int(word) for word in file.readline().split()[1:]]
    return ticks[7], sum(ticks[:8])


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[11]) / TICKS, (int(fields[11]) + int(fields[12])) / TICKS


def busy_seconds():
    """CPU time of all cores and everybody."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, *_ = (int(word) for word in file.readline().split()[1:])
    return (user + nice + system + irq + softirq) / TICKS


def others(result):
    """How much of a core neither side used: other people's work, which spoils the figures."""
    return max(0, result["busy"] - result["client"]["cpu"] - result["server"]["cpu"]) / result["seconds"]


def limit(server_share, client_share):
    sides = [name for name, share in (("server", server_share), ("client", client_share)) if share >= BUSY]
    return " and ".join(sides) or "neither"


def spread(values, form):
    """`median (least-most)`; of many values the middle half, which one stray run does not widen."""
    middle = form(statistics.median(values))
    if len(values) == 1:
        return middle
    low, high = (statistics.quantiles(values)[i] for i in (0, 2)) if len(values) >= 8 else (min(values), max(values))
    return f"{middle} ({form(low)}-{form(high)})"


def thousands(value):
    return f"{value / 1e6:.2f}M" if value >= 1e6 else f"{value / 1e3:.1f}k"


def ratios(rounds, key, base, name):
    """Of name to base, round by round: what both met under the same weather."""
    pairs = zip(rounds.get(name, []), rounds.get(base, []))
    return [key(ours) / key(theirs) for ours, theirs in pairs if ours and theirs and key(theirs)]


def ratio(rounds, key, base, name):
    values = ratios(rounds, key, base, name)
    return spread(values, "{:.2f}".format) if values else "-"


def summary(rounds, key, base, name):
    values = ratios(rounds, key, base, name)
    return {"base": base, "median": statistics.median(values), "min": min(values), "max": max(values)} if values else None


def turns(names, number):
    """The names in another order each round, so that nobody always follows the same one."""
    return names[number % len(names):] + names[:number % len(names)]


# echo: servers under one client

ECHO_CELLS = [("200 connections, 20 B, 1 in flight", 200, 20, 1), ("10 connections, 20 B, 100 in flight", 10, 20, 100),
              ("200 connections, 16 KiB, 1 in flight", 200, 16384, 1)]


def websocat_echo():
    port = free_port()
    child = Child("websocat server", [peer("websocat"), "-q", "--binary", f"ws-listen:127.0.0.1:{port}", "mirror:"], core=SERVER_CORE)
    child.wait_for_port(port)
    return child, port


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


def by_rate(result):
    return result["rate"]


def by_cpu(result):
    return result["msgs"] / max(result["server"]["cpu"], 1 / TICKS)


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
    print(f"\necho: {cell}, binary")
    print_table(["server", "msg/s", "vs bun", "server us/msg (user)", "vs bun by CPU", "server", "client", "others", "limit", "p50 ms", "p99 ms"], rows)
    return report


# load: clients against one server that counts

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


# start: one message, a whole process

def start(quick):
    cost, rounds = compiled("process_cost"), 5 if quick else 40
    server, port = echo_peer("bun", core=SERVER_CORE)
    url = f"ws://127.0.0.1:{port}/"
    message, output = (os.path.join(scratch(), name) for name in ("message", "reply"))
    with open(message, "w") as file:
        file.write("hi\n")
    commands = {
        OWN: [WSCOPE, "send", "-N", "1", url, "hi"],
        "websocat": [peer("websocat"), "--no-close", "--one-message", url],
        "node ws": ["node", os.path.join(HERE, "send-one.cjs"), url, "hi"],
        "python websockets": [peer("python"), os.path.join(HERE, "send_one.py"), url, "hi"],
        "(/bin/true)": ["/bin/true"],
    }
    results = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name in turns(list(commands), number):
            try:
                result = run_json(name, [cost, message if name == "websocat" else os.devnull, output, *commands[name]], 30, preexec_fn=pinned(CLIENT_CORE))
                with open(output) as file:
                    reply = file.read()
                if (result["exit"], reply) != (0, "" if name == "(/bin/true)" else "hi\n"):
                    raise Failure(f"exit {result['exit']}, printed {reply!r}")
            except Failure as failure:
                checks.record("start", f"{name}, run {number}", str(failure))
                result = None
            if number:  # the first round warms the page cache
                results[name].append(result)
    server.stop()
    rows, report = [], {}
    for name, runs in results.items():
        done = [run for run in runs if run]
        if not done:
            continue
        checks.record("start", name)
        times = [run["ms"] for run in done]
        peak = statistics.median(run["peak_kib"] for run in done) / 1024
        rows.append([name, f"{statistics.median(times):.2f}", f"{min(times):.2f}", f"{ratio(results, lambda run: run['ms'], 'websocat', name)}",
                     f"{peak:.1f}", f"{ratio(results, lambda run: run['peak_kib'], 'websocat', name).split()[0]}"])
        report[name] = {"median_ms": statistics.median(times), "min_ms": min(times), "peak_mib": peak,
                        "ratio": summary(results, lambda run: run["ms"], "websocat", name)}
    print(f"\nstart: one message to a local echo, whole process, {rounds} interleaved runs (websocat leaves without Close)")
    print_table(["client", "median ms", "least ms", "time vs websocat", "peak MiB", "peak vs websocat"], rows)
    return report


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("part", nargs="*", help="echo, load, start (default: all)")
    options.add_argument("--quick", action="store_true", help="one short round: does it all work?")
    options.add_argument("--json", metavar="FILE", help="write everything measured to FILE")
    options = options.parse_args()
    parts = {"echo": echo, "load": load, "start": start}
    chosen = options.part or list(parts)
    if not set(chosen) <= set(parts):
        sys.exit(f"parts are {', '.join(parts)}")
    require_wscope()
    versions, facts, before = set_up_peers(), machine(), stolen()
    print(", ".join(f"{key} {value}" for key, value in facts.items()))
    print(", ".join(f"{name} {version}" for name, version in versions.items() if name != "websocketd"))
    if len(CORES) < 2:
        print("ONE CORE: server and client share it; the ratios are those of both together")
    report = {"schema": "echo-and-load/1", "quick": options.quick, "machine": facts, "peers": versions}
    for part in chosen:
        try:
            report[part] = parts[part](options.quick)
        except Failure as failure:
            checks.record(part, "runs", str(failure))
    took, total = (after - then for after, then in zip(stolen(), before))
    facts["stolen"] = took / max(total, 1)
    print(f"\nthe host took {facts['stolen']:.1%} of this machine's time meanwhile" + (": too much to trust the figures" if facts["stolen"] > 0.02 else ""))
    report["failures"] = checks.failures()
    if options.json:
        with open(options.json, "w") as file:
            json.dump(report, file, indent=1)
            file.write("\n")
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
