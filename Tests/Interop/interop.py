#!/usr/bin/env python3
"""interop.py [PEER...]: wscope and the peers that others wrote, each pair in both directions where it exists, over ws and wss.

As the client: `send` and `connect` (as a filter) against each peer's server. As the server: each peer's client against `listen`,
at the end all of them at once when `listen` gets SIGINT. Prints one table; exits non-zero if a single check fails.
The program is $WSCOPE, default .build/release/wscope; peers.sh sets the peers up.
"""
import base64
import json
import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "Peers"))
sys.dont_write_bytecode = True
from certificates import Certificates  # noqa: E402
from checks import Checks, print_table  # noqa: E402
from processes import WSCOPE, Child, Failure, echo_peer, free_port, listen, peer, require_wscope, scratch, set_up_peers  # noqa: E402

TEXT = 'grüße 👋 "quoted"'
BYTES = bytes(range(256))
BIG_TEXT = "0123456789abcdeé" * ((1 << 20) // 17) + "x" * ((1 << 20) % 17)
BIG_BYTES = bytes((i * 31 + (i >> 8)) & 255 for i in range(1 << 20))
CLIENT_CHECKS = ["text", "empty text", "binary 0..255", "1 MiB text", "1 MiB binary", "close 4001"]
SECONDS = 40  # the deadline of each single process

checks = Checks()


# Our clients against their servers

class Endpoint:
    """A running server of a peer: where it answers text and where binary, and which of the harder things it can do."""

    def __init__(self, text, binary=None, *, newlines=True, big_binary=True, close=True):
        self.text, self.binary = text, binary or text
        self.newlines, self.big_binary, self.close = newlines, big_binary, close


def wscope(*arguments, stdin=b""):
    try:
        done = subprocess.run([WSCOPE, *arguments], input=stdin, capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return None, b"", f"still running after {SECONDS} s"
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def expect(place, name, result, code, output):
    got_code, got, said = result
    checks.record(place, name, None if (got_code, got) == (code, output) else
                  f"exit {got_code} (wanted {code}), {len(got)} bytes on stdout (wanted {len(output)}), "
                  f"{'equal' if got == output else 'different'}; stderr: {said.strip()[-300:]!r}")


def message_line(payload):
    event = {"v": 1, "t": 0, "conn": 1, "event": "message", "dir": "out"}
    if isinstance(payload, str):
        event.update(type="text", size=len(payload.encode()), text=payload)
    else:
        event.update(type="binary", size=len(payload), base64=base64.b64encode(payload).decode())
    return json.dumps(event, ensure_ascii=False).encode() + b"\n"


def payload(event):
    return event["text"] if event["type"] == "text" else base64.b64decode(event["base64"])


def filter_jsonl(url, tls, payloads):
    """What comes back over `connect` as JSON lines: exit code, the payloads received, the close event, stderr."""
    code, output, said = wscope("connect", *tls, "--format", "jsonl", "--input", "jsonl", url,
                                stdin=b"".join(map(message_line, payloads)))
    events = [json.loads(line) for line in output.splitlines()]
    received = [payload(event) for event in events if event["event"] == "message"]
    closes = [event for event in events if event["event"] == "close"]
    return code, received, closes[-1] if closes else {}, said


def our_clients(place, to, tls):
    expect(place, "send text", wscope("send", *tls, "-N", "1", to.text, TEXT), 0, TEXT.encode() + b"\n")
    expect(place, "send three", wscope("send", *tls, "-N", "3", to.text, "a", "bb", "ccc"), 0, b"a\nbb\nccc\n")
    expect(place, "send 1 MiB line", wscope("send", *tls, "-N", "1", to.text, stdin=BIG_TEXT.encode() + b"\n"), 0, BIG_TEXT.encode() + b"\n")
    expect(place, "send binary 0..255", wscope("send", *tls, "-N", "1", "-b", "--stdin-whole", "--raw", to.binary, stdin=BYTES), 0, BYTES)
    expect(place, "connect lines", wscope("connect", *tls, to.text, stdin=b"one\r\ntwo\nthree\n"), 0, b"one\ntwo\nthree\n")

    texts = [TEXT, BIG_TEXT] + (["two\nlines"] if to.newlines else [])
    code, received, close, said = filter_jsonl(to.text, tls, texts)
    checks.equal(place, "connect texts", received, texts)
    checks.equal(place, "connect ends 0", code, 0)
    binaries = [BYTES] + ([BIG_BYTES] if to.big_binary else [])
    code, received, close, said = filter_jsonl(to.binary, tls, binaries)
    checks.equal(place, "connect binaries", received, binaries)

    if tls:
        code, output, said = wscope("send", "-N", "1", to.text, TEXT)
        checks.equal(place, "unknown authority refused", (code, output), (60, b""))
        expect(place, "send --insecure", wscope("send", "-k", "-N", "1", to.text, TEXT), 0, TEXT.encode() + b"\n")

    if to.close:
        code, received, close, said = filter_jsonl(to.text, tls, ["before", "close 4001 bye"])
        checks.equal(place, "connect, closed 4001", (code, received, close.get("code"), close.get("reason"), close.get("clean")),
                     (111, ["before"], 4001, "bye", True))
        code, output, said = wscope("send", *tls, to.text, "close 1008 nope")
        checks.equal(place, "send, closed 1008", (code, output, "1008" in said, "nope" in said), (111, b"", True, True))
        code, output, said = wscope("connect", *tls, to.text, stdin=b"close 1000\n")
        checks.equal(place, "connect, closed 1000", (code, output), (0, b""))


def scripted_server(name, certificates):
    scheme, files = ("wss", [certificates.cert, certificates.key]) if certificates else ("ws", [])
    child, port = echo_peer(name, *files)
    return [child], Endpoint(f"{scheme}://localhost:{port}/")


def websocat_server(name, certificates):
    children, urls = [], []
    for kind in ("--text", "--binary"):
        port = free_port()  # no --exit-on-eof: with it websocat leaves our Close unanswered
        tls = ["--pkcs12-der", certificates.pkcs12, "--pkcs12-passwd", "wscope"] if certificates else []
        address = f"{'wss' if certificates else 'ws'}-listen:127.0.0.1:{port}"
        children.append(Child(f"websocat {kind}", [peer("websocat"), "-q", "-B", "2097152", kind, *tls, address, "mirror:"]))
        children[-1].wait_for_port(port)
        urls.append(f"{'wss' if certificates else 'ws'}://localhost:{port}/")
    return children, Endpoint(*urls, close=False)


def websocketd_server(name, certificates):
    children, urls = [], []
    for binary in ("false", "true"):
        port = free_port()
        tls = ["--ssl", "--sslcert", certificates.cert, "--sslkey", certificates.key] if certificates else []
        children.append(Child("websocketd", ["websocketd", "--address=127.0.0.1", f"--port={port}", f"--binary={binary}", *tls, "cat"]))
        children[-1].wait_for_port(port)
        urls.append(f"{'wss' if certificates else 'ws'}://localhost:{port}/")
    # a line is a message, and binary comes back in pieces of the pipe's size: what `cat` makes of it, not what the protocol does
    return children, Endpoint(*urls, newlines=False, big_binary=False, close=False)


# Their clients against our server

def script_command(name, url):
    file = os.path.join(HERE, "client.mjs")
    return {
        "node ws": ["node", file, url],
        "bun": [peer("bun"), file, url],
        "deno": [peer("deno"), "run", "--quiet", "--no-config", "--allow-net", "--allow-env", "--allow-read", file, url],
        "python websockets": [peer("python"), os.path.join(HERE, "client.py"), url],
        "k6": [peer("k6"), "run", "--quiet", "--no-color", "--no-usage-report", "--no-summary", "--log-format", "raw", "--log-output", "stdout",
               os.path.join(HERE, "client.k6.js")],
    }[name]


def script_environment(url, mode, ca):
    return {"URL": url, "MODE": mode, "CA": ca, "NODE_EXTRA_CA_CERTS": ca, "DENO_CERT": ca, "SSL_CERT_FILE": ca, "NO_COLOR": "1"}


def scripted_client(place, name, url, ca):
    command = script_command(name, url)
    try:
        done = subprocess.run(command, env={**os.environ, **script_environment(url, "", ca)}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=SECONDS)
        said = done.stdout + done.stderr
    except subprocess.TimeoutExpired as error:
        said = b"".join(filter(None, (error.stdout, error.stderr))).decode(errors="replace")
    results = {}
    for line in said.splitlines():
        if line.startswith('{"check"'):
            result = json.loads(line)
            results[result["check"]] = result["problem"]
    for check in CLIENT_CHECKS:
        checks.record(place, check, results.get(check, f"no result: {said.strip()[-300:]!r}"))


def websocat_client(place, name, url, ca):
    for check, kind, message in [("text", "--text", TEXT.encode() + b"\n"), ("binary 0..255", "--binary", BYTES),
                                 ("1 MiB text", "--text", BIG_TEXT.encode()[:-1] + b"\n"), ("1 MiB binary", "--binary", BIG_BYTES)]:
        file = os.path.join(scratch(), "message")  # a pipe would hand it over in pieces, each of them a message to websocat
        with open(file, "wb") as output:
            output.write(message)
        try:
            with open(file, "rb") as stdin:
                done = subprocess.run([peer("websocat"), "-B", "2097152", kind, "--no-close", "--one-message", url], stdin=stdin,
                                      env={**os.environ, "SSL_CERT_FILE": ca}, capture_output=True, timeout=SECONDS)
            checks.record(place, check, None if done.stdout == message else
                          f"{len(done.stdout)} bytes came back of {len(message)}: {done.stderr.decode(errors='replace').strip()[-300:]!r}")
        except subprocess.TimeoutExpired:
            checks.record(place, check, f"still running after {SECONDS} s")


# Everything

SERVERS = {"node ws": scripted_server, "bun": scripted_server, "deno": scripted_server, "python websockets": scripted_server,
           "websocat": websocat_server, "websocketd": websocketd_server}
CLIENTS = {"node ws": scripted_client, "bun": scripted_client, "deno": scripted_client, "python websockets": scripted_client,
           "websocat": websocat_client, "k6": scripted_client}


def goodbyes(url, child, names, scheme, ca):
    """Each scripted client sees Close 1001 when `listen` is told to stop, and `listen` ends with 0."""
    waiting = []
    for name in names:
        command = script_command(name, url) + ([] if name == "k6" else ["wait"])
        waiting.append((name, Child(f"{name} waits", command, env=script_environment(url, "wait", ca))))
    for name, client in waiting:
        try:
            client.wait_for_line('^"open"$')
        except Failure as failure:
            checks.record((name, scheme, "client"), "goodbye 1001", str(failure))
    checks.equal(("wscope listen", scheme, "client"), "ends 0 after SIGINT", child.stop(signal.SIGINT), 0)
    for name, client in waiting:
        try:
            code = client.process.wait(10)
            said = client.said()
            checks.record((name, scheme, "client"), "goodbye 1001", None if '{"closed":1001}' in said.replace(" ", "") else f"exit {code}: {said[-200:]!r}")
        except subprocess.TimeoutExpired:
            client.stop()
            checks.record((name, scheme, "client"), "goodbye 1001", "the client still waits for the close")


def main():
    require_wscope()
    versions = set_up_peers()
    versions["wscope listen"] = wscope("--version")[1].decode().split("\n")[0].removeprefix("wscope ")
    known = list(dict.fromkeys([*SERVERS, *CLIENTS]))
    chosen = sys.argv[1:] or known
    if not set(chosen) <= set(known):
        sys.exit(f"usage: interop.py [PEER...] of {', '.join(known)}")
    certificates = Certificates()
    for scheme, own in (("ws", None), ("wss", certificates)):
        tls = ["--cacert", certificates.ca] if own else []
        for name in chosen:
            if name in SERVERS:
                place = (name, scheme, "server")
                children = []
                try:
                    children, endpoint = SERVERS[name](name, own)
                    our_clients(place, endpoint, tls)
                except Failure as failure:
                    checks.record(place, "runs", str(failure))
                for child in children:
                    child.stop()
        try:
            child, port = listen(*(["--cert", own.cert, "--key", own.key] if own else []))
        except Failure as failure:
            checks.record(("wscope listen", scheme, "client"), "starts", str(failure))
            continue
        url = f"{scheme}://localhost:{port}/"
        for name in chosen:
            if name in CLIENTS:
                CLIENTS[name]((name, scheme, "client"), name, url, certificates.ca)
        goodbyes(url, child, [name for name in chosen if CLIENTS.get(name) is scripted_client], scheme, certificates.ca)

    rows = [[name, versions.get(name, ""), *(checks.cell((name, scheme, role)) for role in ("server", "client") for scheme in ("ws", "wss"))]
            for name in [*chosen, "wscope listen"]]
    print_table(["peer", "version", "its server, ws", "its server, wss", "its client, ws", "its client, wss"], rows)
    print("(its server: our send and connect against it; its client: against our listen; ok N: N checks; -: the peer has no such side)")
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
