#!/usr/bin/env python3
"""corpus.py [--only wscope] [--all]: the corpus of good and bad handshakes through wscope, Node `ws` and python websockets.

requests.txt goes to `wscope listen` and to the peers' servers, responses.txt to `wscope send` and to the peers' clients. Of wscope each
verdict must be the one in the file, and it must serve on. A good head is also sent cut in two at every byte. Where a peer takes what
wscope refuses, or the other way round, the case is listed, with the explanation of differences.txt; one that is not explained fails the
run, and so does an explanation that explains nothing any more. --all prints every case, --only wscope leaves the peers out.
"""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), folder) for folder in ("Peers", "Attacks")]
sys.dont_write_bytecode = True
from checks import Checks, print_table  # noqa: E402
from corpus_file import read  # noqa: E402
from hostile import Hostile  # noqa: E402
from processes import WSCOPE, echo_peer, listen, peer, require_wscope, set_up_peers  # noqa: E402
from wire import Client, accept_of, serves  # noqa: E402

PEERS = ["node ws", "python websockets"]
CLOSE = b"\x88\x02\x03\xe8"
GRACE = 0.4  # seconds after which one that says nothing is taken to wait for more
PATIENCE = 10  # and when an answer is expected


# Requests

def ask(port, case, pause_at=None, patience=PATIENCE):
    """What a server makes of a head: a status, `close`, or `more`; a status 101 with the text of a message behind it."""
    data, wanted = case.bytes, case.verdict
    with Client(port) as client:
        pieces = [data] if pause_at is None else [data[:pause_at], data[pause_at:]]
        for number, piece in enumerate(pieces):
            if number:
                time.sleep(0.002)
            if piece:
                client.flood(piece, len(piece), reads=True, seconds=20)
        head = client.head(GRACE if wanted == "more" else patience)
        status = re.match(r"HTTP/1\.1 (\d\d\d)", head)
        if not status:
            return "close" if client.ended else "more" if not head else f"no HTTP: {head[:40]!r}"
        if status.group(1) != "101":
            return status.group(1)
        # a byte behind a repeated head, or half a frame, is no message
        message = client.next(patience if " " in wanted else 0.1)
        return "101" + (f" {message[1].decode('utf-8', 'replace')}" if message and message[0] & 15 == 1 else "")


def through_server(port, cases, patience=PATIENCE):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return dict(zip((case.name for case in cases), pool.map(lambda case: ask(port, case, patience=patience), cases)))


# Responses

class Replies:
    """A server that sends case N to whoever asks for /N."""

    def __init__(self, cases, pause_at=None):
        self.cases, self.pause_at = cases, pause_at
        self.server = Hostile(self._behave)

    def _behave(self, guest):
        found = re.match(r"GET /(\d+) ", guest.read_request())
        number = int(found.group(1))
        case = self.cases[number if self.pause_at is None else 0]
        data = case.bytes.replace(b"\\{accept}", accept_of(guest.key).encode())
        if self.pause_at is None:
            guest.send(data)
        else:
            guest.send(data[:number])
            time.sleep(0.01)
            guest.send(data[number:])
        for opcode, _ in guest.frames(GRACE):
            if opcode == 8:
                guest.send(CLOSE)
                break

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.__exit__()


def send(url):
    """What `wscope send` makes of a reply: exit code, the first line on stdout, what it says."""
    try:
        done = subprocess.run([WSCOPE, "send", url, "--wait", "0", "-s", "chat", "-s", "superchat"], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=20)
    except subprocess.TimeoutExpired:
        return None, "", "still running"
    return done.returncode, done.stdout.decode("utf-8", "replace").partition("\n")[0], done.stderr.decode("utf-8", "replace")


def own_verdict(result):
    code, output, said = result
    if code == 0:
        return f"open {output}".strip()
    first = said.partition("\n")[0].removeprefix("wscope: ").removeprefix("! ")
    return f"{code} {first}"


def through_wscope(cases):
    with Replies(cases) as replies, concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = pool.map(lambda number: send(f"{replies.server.url}{number}"), range(len(cases)))
        return dict(zip((case.name for case in cases), results))


def through_client(command, cases):
    offering = ",".join(str(number) for number, case in enumerate(cases) if "subprotocol" in case.name)  # `ws` insists on an answer
    with Replies(cases) as replies:
        done = subprocess.run([*command, replies.server.url, str(len(cases)), offering], stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    verdicts = dict(json.loads(line) for line in done.stdout.splitlines())
    return {case.name: verdicts.get(number, f"nothing: {done.stderr[-200:]!r}") for number, case in enumerate(cases)}


# Comparison

def accepts(verdict):
    """The side of a verdict that is compared: `accepts`, `refuses`, or `waits`."""
    if verdict.startswith("101") or verdict.startswith("open") or verdict.startswith("110"):
        return "accepts"
    return "waits" if verdict == "more" else "refuses"


def read_differences():
    """DIRECTION, PEER, CASE: the explanation."""
    found = {}
    with open(os.path.join(HERE, "differences.txt"), encoding="utf-8") as file:
        place, names = None, []
        for line in map(str.rstrip, file):
            if not line or line.startswith("#"):
                continue
            if line.startswith("  "):
                for name in names:
                    found[place + (name,)] = (found.get(place + (name,), "") + " " + line.strip()).strip()
            elif line.startswith("- "):
                if found and any(place + (name,) in found for name in names):
                    names = []
                names.append(line[2:])
            else:
                direction, _, peer_name = line.partition(", ")
                place, names = (direction, peer_name), []
    return found


def compare(checks, direction, cases, own, peers, explained, everything):
    """Compares the peers with the verdicts of the file, which wscope has to reach."""
    rows, used = [], set()
    for case in cases:
        verdicts = [peers[name][case.name] for name in peers]
        differing = [name for name in peers if accepts(peers[name][case.name]) != accepts(case.verdict)]
        for name in differing:
            key = (direction, name, case.name)
            used.add(key)
            checks.record(f"{direction}, {name}", case.name, None if key in explained else
                          f"not explained: wscope {case.verdict!r}, {name} {peers[name][case.name]!r}")
        if differing or everything:
            rows.append([case.name, own[case.name][:44], *(verdict[:44] for verdict in verdicts)])
    for key in explained:
        if key[0] == direction and key not in used and key[1] in peers:
            checks.record(f"{direction}, {key[1]}", key[2], "explained as a difference, but there is none")
    print_table([direction, "wscope", *peers], rows)
    print()
    for name in peers:
        texts = {}
        for key in used:
            if key[1] == name and key in explained:
                texts.setdefault(explained[key], []).append(key[2])
        for text, names in texts.items():
            print(f"{name}, {len(names)} ({'; '.join(sorted(names))}): {text}")
    print()


def summary(direction, cases, peers):
    """Rows for the documentation: how often a peer takes what is to be refused, and refuses what is to be taken."""
    good = sum(accepts(case.verdict) == "accepts" for case in cases)
    rows = [[direction, "wscope", len(cases), good, len(cases) - good, 0, 0]]
    for name, verdicts in peers.items():
        pairs = [(accepts(case.verdict), accepts(verdicts[case.name])) for case in cases]
        taken = sum(theirs == "accepts" for _, theirs in pairs)
        more = sum(ours != theirs == "accepts" for ours, theirs in pairs)
        less = sum(theirs != ours == "accepts" for ours, theirs in pairs)
        rows.append([direction, name, len(cases), taken, len(cases) - taken, more, less])
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=["wscope"])
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    require_wscope()
    checks = Checks()
    requests, responses = (read(os.path.join(HERE, name)) for name in ("requests.txt", "responses.txt"))

    child, port = listen("--quiet")
    own_requests = through_server(port, requests)
    for case in requests:
        checks.equal("requests", case.name, own_requests[case.name], case.verdict)
    good = next(case for case in requests if case.name == "a message in the segment of the head")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for cut, verdict in enumerate(pool.map(lambda cut: ask(port, good, cut), range(1, len(good.bytes)))):
            checks.equal("requests, cut", f"cut at byte {cut + 1}", verdict, good.verdict)
    checks.equal("requests", "listen serves on", (child.process.poll(), serves(port)), (None, True))
    child.stop()

    results = through_wscope(responses)
    own_responses = {name: own_verdict(result) for name, result in results.items()}
    for case in responses:
        if case.verdict.startswith("open"):
            checks.equal("responses", case.name, own_responses[case.name], case.verdict)
        else:
            code, _, words = case.verdict.partition(" ")
            said = results[case.name][2]
            checks.record("responses", case.name, None if (str(results[case.name][0]), words in said) == (code, True) else
                          f"got {own_responses[case.name]!r} ({said.strip()!r}), wanted {case.verdict!r}")
    good = next(case for case in responses if case.name == "a message in the segment of the head")
    length = len(good.bytes.replace(b"\\{accept}", bytes(28)))
    with Replies([good], pause_at=True) as replies, concurrent.futures.ThreadPoolExecutor(4) as pool:
        cuts = pool.map(lambda cut: send(f"{replies.server.url}{cut}"), range(1, length))
        for cut, result in enumerate(cuts):
            # the frame of the message is 7 bytes: cut inside it, it may come after the Close that follows the head at once
            wanted = {"open hello"} if cut + 1 <= length - 7 else {"open hello", "open"}
            checks.equal("responses, cut", f"cut at byte {cut + 1}", own_verdict(result) in wanted, True)

    if not options.only:
        set_up_peers()
        explained = read_differences()
        peers = {}
        for name in PEERS:
            child, port = echo_peer(name, env={"PEER_DEFAULTS": "1"})
            peers[name] = through_server(port, requests, patience=2)  # some of them wait where an answer is expected
            child.stop()
        compare(checks, "requests", requests, own_requests, peers, explained, options.all)
        rows = summary("requests", requests, peers)
        commands = {"node ws": ["node", os.path.join(HERE, "peer_clients.cjs")],
                    "python websockets": [peer("python"), os.path.join(HERE, "peer_clients.py")]}
        peers = {name: through_client(command, responses) for name, command in commands.items()}
        compare(checks, "responses", responses, own_responses, peers, explained, options.all)
        rows += summary("responses", responses, peers)
        print_table(["heads", "", "cases", "taken", "refused", "takes what is bad", "refuses what is good"], rows)
        print()
    print(f"{len(requests)} requests, {len(responses)} responses")
    print_table(["", "checks"], [[place, checks.cell(place)] for place in checks.results])
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
