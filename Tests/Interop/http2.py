#!/usr/bin/env python3
"""http2.py: WebSocket over HTTP/2 (RFC 8441) with implementations that others wrote: hypercorn (h2, wsproto) and Node's http2 (nghttp2).

`send --http2` against their servers, in the clear and by ALPN, and Node's client against `listen --http2`. The browser has its row in
browser.py. The program is $WSCOPE, default .build/release/wscope; peers.sh sets the peers up.
"""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Peers"))
sys.dont_write_bytecode = True
from certificates import Certificates  # noqa: E402
from checks import Checks, print_table  # noqa: E402
from processes import HERE, WSCOPE, Child, Failure, free_port, listen, peer, require_wscope, script, set_up_peers  # noqa: E402

SECONDS = 40
BIG = bytes((i * 31 + (i >> 8)) & 255 for i in range(3 << 20))
checks = Checks()


def send(*arguments, stdin=None):
    options = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    done = subprocess.run([WSCOPE, "send", *arguments], capture_output=True, timeout=SECONDS, **options)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def expect(place, name, result, code, output, *said):
    got_code, got, errors = result
    missing = [words for words in said if words not in errors]
    checks.record(place, name, None if (got_code, got, missing) == (code, output, []) else
                  f"exit {got_code} (wanted {code}), {len(got)} bytes of {len(output)}, missing {missing}; stderr: {errors.strip()[-300:]!r}")


def hypercorn(*tls):
    port = free_port()
    child = Child("hypercorn", [peer("hypercorn"), "-b", f"127.0.0.1:{port}", *tls, "http2_app:app"], env={"PYTHONPATH": HERE},
                  group=True)  # its workers are processes of their own
    child.wait_for_port(port)
    return port


def node(role, *files):
    child = Child(f"node http2 {role}", ["node", script("http2.mjs"), role, *files])
    return int(child.wait_for_line(r"^ready (\d+)$").group(1))


def our_client(place, url, trust):
    ask = ["--http2", *trust]
    expect(place, "a text", send(*ask, "-v", "-N", "1", "-s", "chat,other", url, "grüße"), 0, "grüße\n".encode(),
           "< HTTP/2 200", "subprotocol chat", "closed 1000")
    expect(place, "three", send(*ask, "-N", "3", url, "a", "bb", "ccc"), 0, b"a\nbb\nccc\n")
    expect(place, "3 MiB binary", send(*ask, "-N", "1", "-b", "--stdin-whole", "--raw", url, stdin=BIG), 0, BIG)


def our_clients():
    certificates = Certificates()
    files, trust = ["--certfile", certificates.cert, "--keyfile", certificates.key], ["--cacert", certificates.ca]
    for scheme, tls, trusting in (("ws", [], []), ("wss", files, trust)):
        place = f"send, {scheme}, hypercorn"
        url = f"{scheme}://localhost:{hypercorn(*tls)}/"
        our_client(place, url, trusting)
        expect(place, "close 4001", send("--http2", *trusting, url, "close 4001 bye"), 111, b"", "4001", "bye")
        expect(place, "403", send("--http2", *trusting, url + "refuse", "x"), 22, b"", "403")
        expect(place, "HTTP/1.1 on the same port", send(*trusting, "-N", "1", url, "x"), 0, b"x\n")
    for scheme, pair, trusting in (("ws", [], []), ("wss", [certificates.key, certificates.cert], trust)):
        our_client(f"send, {scheme}, Node", f"{scheme}://localhost:{node('server', *pair)}/", trusting)
    expect("send, ws, Node", "no extended CONNECT", send("--http2", f"ws://127.0.0.1:{node('server-without')}/", "x"), 8, b"",
           "does not support WebSocket over HTTP/2")
    return certificates


def our_server(certificates):
    for scheme, options, ca in (("http", [], []), ("https", ["--cert", certificates.cert, "--key", certificates.key], [certificates.ca])):
        place = f"listen, {'wss' if ca else 'ws'}, Node"
        child, port = listen("--http2", *options)
        done = subprocess.run(["node", script("http2.mjs"), "client", f"{scheme}://localhost:{port}", *ca],
                              capture_output=True, timeout=SECONDS, text=True)
        results = [json.loads(line) for line in done.stdout.splitlines()]
        for result in results:
            checks.record(place, result["check"], result["problem"])
        checks.equal(place, "all checks ran", len(results), 6)
        opened = child.wait_for("the log of the end", lambda: "closed 4001" in child.said() and child.said())
        checks.record(place, "log names HTTP/2", None if "/node from" in opened and ", HTTP/2" in opened else opened[-300:])


def main():
    require_wscope()
    set_up_peers()
    try:
        our_server(our_clients())
    except (Failure, OSError, subprocess.TimeoutExpired) as failure:
        checks.record("all", "runs to its end", str(failure))
    print_table(["peer", "checks"], [[place, checks.cell(place)] for place in checks.results])
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
