#!/usr/bin/env python3
"""echo_client.py AGENT: `wscope connect` as the echo client of Autobahn's fuzzing server at $AUTOBAHN_URL.

One process of the shipped binary per case, without a terminal, as `wscope connect --echo`: an echo that went through this script
would come too late in the cases that want the answer to a message whose next frame breaks the protocol (3.2 to 4.2.5, 5.15).
The case is over when the process ends. Fails if one of them dies by a signal or does not end.
"""
import json
import os
import subprocess
import sys

WSCOPE, URL = os.environ["WSCOPE"], os.environ["AUTOBAHN_URL"]
DEADLINE = float(os.environ.get("AUTOBAHN_CASE_SECONDS", "60"))  # of one case; Autobahn itself gives up earlier


def connect(path, *options):
    """Runs one process to its end: its exit code (None: it had to be killed), what it printed, the end of what it said."""
    # Its input stays open while it runs: the end of the input would be the end of the conversation.
    source, kept_open = os.pipe()
    process = subprocess.Popen([WSCOPE, "connect", *options, URL + path],
                               stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(source)
    try:
        printed, said = process.communicate(timeout=DEADLINE)
        return process.returncode, printed, said[-500:]
    except subprocess.TimeoutExpired:
        process.kill()
        printed, said = process.communicate()
        return None, printed, said[-500:]
    finally:
        os.close(kept_open)


def main():
    agent = sys.argv[1]
    code, printed, said = connect("/getCaseCount", "--format", "jsonl")
    counts = [line["text"] for line in map(json.loads, printed.splitlines()) if line["event"] == "message"]
    if not counts:
        sys.exit(f"getCaseCount brought no message (exit {code}): {said.decode(errors='replace')}")
    odd = []
    for case in range(1, int(counts[0]) + 1):
        code, _, said = connect(f"/runCase?case={case}&agent={agent}", "--echo")
        if code is None or code < 0:
            how = f"did not end within {DEADLINE:g} s" if code is None else f"died by signal {-code}"
            odd.append(f"case number {case} of this run: the process {how}: {said.decode(errors='replace')}")
    connect(f"/updateReports?agent={agent}")
    if odd:
        sys.exit("\n".join(odd))


main()
