#!/usr/bin/env python3
"""echo_client.py AGENT: `wscope connect` as the echo client of Autobahn's fuzzing server at $AUTOBAHN_URL.

One process of the shipped binary per case, without a terminal: each message line on its stdout goes back into its stdin,
where it sends that message. The case is over when the process ends. Fails if one of them dies by a signal or does not end.
A case that is judged NON-STRICT runs once more over a slow line (slow_line.py says why), and that verdict stands.
"""
import json
import os
import re
import select
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from slow_line import SlowLine  # noqa: E402

WSCOPE, URL = os.environ["WSCOPE"], os.environ["AUTOBAHN_URL"]
DEADLINE = float(os.environ.get("AUTOBAHN_CASE_SECONDS", "60"))  # of one case; Autobahn itself gives up earlier
MESSAGE = re.compile(rb'"event"\s*:\s*"message"')


def connect(url):
    process = subprocess.Popen([WSCOPE, "connect", "--format", "jsonl", "--input", "jsonl", url],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    for stream in (process.stdin, process.stdout, process.stderr):
        os.set_blocking(stream.fileno(), False)
    return process


def converse(path, echo=True, base=URL):
    """Runs one process to its end: its exit code (None: it had to be killed), the messages received, the end of its stderr."""
    process, messages, partial, outgoing, said = connect(base + path), [], [], bytearray(), b""
    source, errors, sink = process.stdout.fileno(), process.stderr.fileno(), process.stdin.fileno()
    poll = select.poll()
    poll.register(source, select.POLLIN)
    poll.register(errors, select.POLLIN)
    waiting, deadline = {source, errors}, time.monotonic() + DEADLINE
    while waiting:
        left = deadline - time.monotonic()
        if left <= 0:
            process.kill()
            process.wait()
            return None, messages, said
        for fd, _ in poll.poll(1000 * left):
            if fd == sink:
                try:
                    del outgoing[:os.write(sink, outgoing)]
                except BlockingIOError:
                    pass
                except BrokenPipeError:
                    outgoing.clear()
                if not outgoing:
                    poll.unregister(sink)
                continue
            data = os.read(fd, 1 << 20)
            if not data:
                poll.unregister(fd)
                waiting.discard(fd)
            elif fd == errors:
                said = (said + data)[-500:]
            else:
                *lines, rest = data.split(b"\n")
                if lines:
                    lines[0] = b"".join(partial) + lines[0]
                    partial = []
                partial.append(rest)
                for line in lines:
                    if MESSAGE.search(line, 0, 300):
                        if echo:
                            if not outgoing:
                                poll.register(sink, select.POLLOUT)
                            outgoing += line + b"\n"
                        else:
                            messages.append(json.loads(line))
    process.stdin.close()
    try:
        code = process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        code = None
    process.stdout.close()
    process.stderr.close()
    return code, messages, said


def main():
    agent = sys.argv[1]
    code, messages, said = converse("/getCaseCount", echo=False)
    if not messages:
        sys.exit(f"getCaseCount brought no message (exit {code}): {said.decode(errors='replace')}")
    odd, slow = [], []

    def run(case, base=URL):
        code, _, said = converse(f"/runCase?case={case}&agent={agent}", base=base)
        if code is None or code < 0:
            how = f"did not end within {DEADLINE:g} s" if code is None else f"died by signal {-code}"
            odd.append(f"case {told('Info', case)['id']}: the process {how}: {said.decode(errors='replace')}")

    def told(what, case):
        code, messages, said = converse(f"/getCase{what}?case={case}&agent={agent}", echo=False)
        if not messages:
            sys.exit(f"getCase{what} of case number {case} brought no message (exit {code}): {said.decode(errors='replace')}")
        return json.loads(messages[0]["text"])

    for case in range(1, int(messages[0]["text"]) + 1):
        run(case)
        if told("Status", case)["behavior"] == "NON-STRICT":
            slow.append(told("Info", case)["id"])
            with SlowLine(int(URL.rsplit(":", 1)[1])) as port:
                run(case, f"ws://127.0.0.1:{port}")
    if slow:
        print(f"once more over a slow line: {' '.join(slow)}")
    converse(f"/updateReports?agent={agent}", echo=False)
    if odd:
        sys.exit("\n".join(odd))


main()
