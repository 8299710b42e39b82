"""counts: what a message costs `listen` and `bench` in instructions, system calls and allocations, beside what is kept in counts.json.

Times differ from machine to machine and from minute to minute; counts hardly do. Instructions are those of user space (callgrind), system
calls are strace's, allocations those of malloc and its kin, reference counts the calls of swift_retain and swift_release. Each figure is the
difference of a long and a short run, divided by the messages that the long one has more: what happens once is not in it.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

from yardstick import HERE, Child, Failure, checks, compiled, run_json
from checks import print_table
from processes import WSCOPE, free_port, listen, scratch

KEPT = os.path.join(HERE, "counts.json")
ROWS = [  # name, which program is counted, connections, messages in flight on each
    ("listen, echo of 20 B, 1 in flight", "listen", 4, 1), ("listen, echo of 20 B, 100 in flight", "listen", 4, 100),
    ("bench, 20 B, 1 in flight", "bench", 4, 1), ("bench, 20 B, 100 in flight", "bench", 4, 100),
    # One sender, and so many receivers; counted for each message that a receiver gets.
    ("listen, broadcast of 20 B to 4, 1 in flight", "broadcast", 4, 1), ("listen, broadcast of 20 B to 4, 20 in flight", "broadcast", 4, 20),
]
BROADCASTS = {1: (2_000, 12_000), 20: (10_000, 60_000)}  # messages of the short and the long run
ROOM = {"instructions": (1.2, 20), "syscalls": (1.1, 0.05), "mallocs": (1.1, 0.02), "retains": (1.15, 0.5)}  # how much more than kept is too much
MALLOCS = r"^(?:malloc|calloc|realloc|posix_memalign|aligned_alloc|memalign)$"


def stripped():
    """The program without what the debuggers need, which callgrind cannot read all of."""
    path = os.path.join(scratch(), "wscope-stripped")
    if not os.path.exists(path):
        subprocess.run(["strip", "--strip-debug", "-o", path, WSCOPE], check=True)
    return path


def callgrind(output):
    return ["valgrind", "--tool=callgrind", f"--callgrind-out-file={output}", "--compress-strings=no", "--compress-pos=no"]


def strace(output):
    return ["strace", "-f", "-qq", "-c", "-U", "name,calls", "-o", output]


def figures(tool, output):
    """Totals of one run."""
    with open(output, errors="replace") as file:
        text = file.read()
    if tool is strace:
        return {"syscalls": sum(int(line.split()[-1]) for line in text.splitlines() if re.match(r"^\w+\s+\d+$", line.strip()) and not line.strip().startswith("total"))}
    total = int(re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE).group(1))
    called, name = {"mallocs": 0, "retains": 0}, ""
    for line in text.splitlines():  # calls=COUNT belongs to the cfn= line above it
        if line.startswith("cfn="):
            name = line[4:].split("'")[0]
        elif line.startswith("calls="):
            count = int(line[6:].split()[0])
            if re.match(MALLOCS, name):
                called["mallocs"] += count
            elif name in ("swift_retain", "swift_release"):
                called["retains"] += count
    return {"instructions": total, **called}


def port_of(child, path):
    def written():
        return os.path.exists(path) and open(path).read().strip()
    return int(child.wait_for("port file", written, 90))


def counted_process(tool):
    """strace has the program as a child and does not hand signals on; valgrind is the program."""
    with open(f"/proc/{tool}/task/{tool}/children") as file:
        children = file.read().split()
    return int(children[0]) if children else tool


def run_listen(tool, connections, depth, seconds):
    """A counted server under the lean client: messages and figures."""
    output, port_file = (os.path.join(scratch(), f"counts-{time.monotonic_ns()}.{kind}") for kind in ("out", "port"))
    child = Child("counted listen", [*tool(output), stripped(), "listen", "0", "-q", "--port-file", port_file])
    port = port_of(child, port_file)
    load = [compiled("load"), "-c", str(connections), "-d", str(seconds), "-w", "0", "--size", "20", "--depth", str(depth), str(port)]
    messages = run_json("load", load, 60)["msgs"]
    os.kill(counted_process(child.pid), signal.SIGINT)
    code = child.process.wait(60)
    if code != 0:
        raise Failure(f"counted listen ended with {code}: {child.said()[-300:]!r}")
    return messages, figures(tool, output)


def joined(port):
    """A client of a broadcast: a socket after its handshake."""
    client = socket.create_connection(("127.0.0.1", port), 60)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = client.recv(1)
        if not piece:
            raise Failure(f"a client of the broadcast got {head!r}")
        head += piece
    return client


def run_broadcast(tool, receivers, depth, messages):
    """A counted broadcast from one client to the others: messages that were delivered, and figures. The next burst of `depth` messages is sent
    when everybody has the one before."""
    output, port_file = (os.path.join(scratch(), f"counts-{time.monotonic_ns()}.{kind}") for kind in ("out", "port"))
    child = Child("counted broadcast", [*tool(output), stripped(), "listen", "0", "-q", "--mode", "broadcast", "--port-file", port_file])
    port = port_of(child, port_file)
    sender, *others = (joined(port) for _ in range(receivers + 1))
    sent = (bytes([0x82, 0x80 | 20, 1, 2, 3, 4]) + bytes(b ^ (1, 2, 3, 4)[i % 4] for i, b in enumerate(range(20)))) * depth
    expected = (bytes([0x82, 20]) + bytes(range(20))) * depth
    for _ in range(messages // depth):
        sender.sendall(sent)
        for other in others:
            if other.recv(len(expected), socket.MSG_WAITALL) != expected:
                raise Failure("a broadcast delivered something else than what was sent")
    os.kill(counted_process(child.pid), signal.SIGINT)
    for client in (sender, *others):
        client.close()
    code = child.process.wait(60)
    if code != 0:
        raise Failure(f"counted broadcast ended with {code}: {child.said()[-300:]!r}")
    return messages * receivers, figures(tool, output)


def run_bench(tool, connections, depth, seconds):
    """A counted load generator against an uncounted server."""
    output = os.path.join(scratch(), f"counts-{time.monotonic_ns()}.out")
    server, port = listen("-q")
    command = [*tool(output), stripped(), "bench", f"ws://127.0.0.1:{port}/", "-c", str(connections), "-n", str(seconds), "--size", "20",
               "--inflight", str(depth), "--format", "json", "-q", "--connect-rate", "1000"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    server.stop()
    try:
        return json.loads(done.stdout)["messages"]["answered"], figures(tool, output)
    except (ValueError, KeyError):
        raise Failure(f"counted bench: exit {done.returncode}, {(done.stderr or done.stdout)[-300:]!r}") from None


def measure(program, connections, depth):
    """A message's share of every figure."""
    found = {}
    for tool in (callgrind, strace):
        if program == "broadcast":
            (few, low), (many, high) = (run_broadcast(tool, connections, depth, number) for number in BROADCASTS[depth])
        elif program == "listen":
            (few, low), (many, high) = (run_listen(tool, connections, depth, seconds) for seconds in (0.5, 2.5))
        else:
            (few, low), (many, high) = (run_bench(tool, connections, depth, number) for number in ((4_000, 24_000) if depth == 1 else (20_000, 120_000)))
        if many <= few:
            raise Failure(f"{many} messages in the long run, {few} in the short one")
        found.update({key: (high[key] - low[key]) / (many - few) for key in high})
    return found


def counts(quick):
    missing = [tool for tool in ("valgrind", "strace", "strip") if not shutil.which(tool)]
    if missing:
        raise Failure(f"no {' and no '.join(missing)}: apt-get install valgrind strace binutils")
    if b" swift_retain" not in subprocess.run(["nm", WSCOPE], capture_output=True).stdout:
        raise Failure(f"{WSCOPE} has no symbols to count reference counts by: WSCOPE_SYMBOLS=1 swift build -c release --static-swift-stdlib")
    with open(KEPT) as file:
        kept = json.load(file)
    rows, report = [], {}
    for name, program, connections, depth in ROWS:
        try:
            found = report[name] = measure(program, connections, depth)
        except Failure as failure:
            checks.record("counts", name, str(failure))
            continue
        for key, value in found.items():
            factor, room = ROOM[key]
            most = kept[name][key] * factor + room
            checks.record("counts", f"{name}: {key}", None if value <= most else f"{value:.2f} for a message, kept are {kept[name][key]:.2f}, with room {most:.2f}")
        rows.append([name, *(f"{found[key]:.{digits}f} ({kept[name][key]:.{digits}f})" for key, digits in (("instructions", 0), ("syscalls", 2), ("mallocs", 3), ("retains", 1)))])
    print("\ncounts: what a message costs (in brackets: what is kept in counts.json)")
    print_table(["road", "instructions", "system calls", "allocations", "retain + release"], rows)
    return report


def keep(report):
    """Makes what was found what is kept."""
    with open(KEPT, "w") as file:
        json.dump({name: {key: round(value, 3) for key, value in found.items()} for name, found in report.items()}, file, indent=1)
        file.write("\n")
