#!/usr/bin/env python3
"""readme.py [FILE...]: executes the commands of README.md and of the task pages, and compares what they print.

A block of ```sh is one run of bash, in a folder that all blocks of a file share, with `wscope` and `Tests` in it.
A comment `<!-- not run by Tests/readme.py: WHY -->` before a block leaves it out. With `<!-- typed: TEXT -->` it runs in a
terminal, where that line is typed, then Ctrl-D.
A block of ```yaml is a pipeline: the steps of `run:` are executed in order, without those that have an `if:`, or the
commands of `script:` as one run.
A block that ends with `wscope listen` and no `&` is a server: it runs until the file ends.
A block of ```text after it is what it prints: each line must occur in the output, in this order; `...` is anything.
The program is $WSCOPE, default .build/release/wscope. Ports 8080 to 8089 must be free.
"""
import fcntl
import itertools
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import termios
import textwrap
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.path.abspath(os.environ.get("WSCOPE", os.path.join(ROOT, ".build/release/wscope")))
BLOCK = re.compile(r"((?:^<!--.*?-->\n)*)^```(sh|text|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()=>][0-9A-Za-z]?|\r")
LIMIT = 120  # seconds for a block


class Block:
    def __init__(self, comments, language, body, line):
        self.language, self.body, self.line = language, body, line
        self.is_run = language == "sh" and "not run by Tests/readme.py" not in comments
        typed = re.search(r"<!-- typed: (.*?) -->", comments)
        self.typed = typed and typed.group(1)

    @property
    def is_server(self):
        last = self.body.rstrip().split("\n")[-1]
        return last.startswith("wscope listen") and not last.split("#")[0].rstrip().endswith("&")


def steps(pipeline):
    """The shell steps of a pipeline of GitHub (`run:`) or GitLab (`script:`), as far as the pages need YAML."""
    found, lines = [], pipeline.split("\n")
    for number, line in enumerate(lines):
        depth = len(line) - len(line.lstrip())
        inside = list(itertools.takewhile(
            lambda other: not other.strip() or len(other) - len(other.lstrip()) > depth, lines[number + 1:]))
        if match := re.match(r" *(?:- )?run: *(\|?)(.*)$", line):
            above = itertools.takewhile(lambda other: not other.lstrip().startswith("- "), reversed(lines[:number]))
            if not any(other.strip().startswith("if:") for other in above):
                found.append(textwrap.dedent("\n".join(inside)) if match[1] else match[2])
        elif re.match(r" *script:$", line):
            found.append("\n".join(other.strip().removeprefix("- ") for other in inside))
    return found


def blocks(text):
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start(2)) + 1
        if match[2] != "yaml":
            yield Block(match[1], match[2], match[3], line)
            continue
        for step in steps(match[3]):
            yield Block(match[1], "sh", step + "\n", line)


def pattern(line):
    return re.compile(".*".join(re.escape(part) for part in line.strip().split("...")))


def missing(expected, output):
    """The first line that the output does not have after the lines before it; None if it has them all."""
    start = 0
    for line in expected.strip().split("\n"):
        found = pattern(line).search(output, start)
        if not found:
            return line
        start = found.end()
    return None


def text_of(path):
    with open(path, errors="replace") as file:
        return file.read()


def end(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def start_server(body, folder, environment, log_path):
    with open(log_path, "w") as log:
        server = subprocess.Popen(["bash", "-c", body], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                  stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + LIMIT
    while "listening on" not in text_of(log_path):
        if server.poll() is not None or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return server


def run(body, folder, environment, log_path):
    """Returns the process, which may leave children in the background, and its exit status or why it has none.

    A person takes a moment between two lines; here a server in the background is waited for until it accepts.
    """
    body = re.sub(
        r"^(wscope listen ([1-9]\d+) .*&)$",
        r"\1\nuntil (: </dev/tcp/127.0.0.1/\2) 2>/dev/null; do sleep 0.02; done", body, flags=re.MULTILINE)
    with open(log_path, "w") as log:
        process = subprocess.Popen(["bash", "-c", body], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log, start_new_session=True)
    try:
        return process, process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        return process, f"nothing after {LIMIT} s"


def run_in_terminal(body, typed, folder, environment, log_path):
    """The same in a terminal of its own: types a line at the prompt, and Ctrl-D when the line has come back."""
    ours, theirs = pty.openpty()
    environment = environment | {"TERM": "xterm", "INPUTRC": "/dev/null"}
    process = subprocess.Popen(["bash", "-c", body], cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs,
                               start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(theirs)
    output, deadline = "", time.monotonic() + LIMIT
    steps = [("Ctrl-D leaves", typed + "\r"), (f"< {typed}", "\x04")]
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], 1)[0]:
            continue
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other side is closed: the program has ended
            break
        output = ESCAPE.sub("", output + piece.decode(errors="replace"))
        if steps and steps[0][0] in output:
            os.write(ours, steps.pop(0)[1].encode())
    os.close(ours)
    with open(log_path, "w") as log:
        log.write(output)
    try:
        return process, process.wait(max(1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return process, f"nothing after {LIMIT} s"


def check(path):
    """Runs a file; returns how many blocks ran, and what is wrong."""
    ran, wrong, output, processes = 0, [], None, []
    name = os.path.relpath(path, ROOT)
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "bin"))
        os.symlink(PROGRAM, os.path.join(folder, "bin", "wscope"))
        os.symlink(os.path.join(ROOT, "Tests"), os.path.join(folder, "Tests"))
        environment = {"PATH": os.path.join(folder, "bin") + ":" + os.environ["PATH"], "HOME": folder, "LANG": "C.UTF-8"}
        try:
            for block in blocks(text_of(path)):
                where = f"{name}:{block.line}"
                if block.language == "text":
                    if output is not None and (line := missing(block.body, output)) is not None:
                        wrong.append(f"{where}: not printed: {line!r}; printed:\n{output}")
                    output = None
                    continue
                output = None
                if not block.is_run:
                    continue
                ran += 1
                print(f"{where}: {block.body.strip().splitlines()[0]}", flush=True)
                log_path = os.path.join(folder, f"log{ran}")
                if block.is_server:
                    processes.append(start_server(block.body, folder, environment, log_path))
                    output = text_of(log_path)
                    if processes[-1].poll() is not None:
                        wrong.append(f"{where}: the server ended:\n{output}")
                    continue
                if block.typed:
                    process, status = run_in_terminal(block.body, block.typed, folder, environment, log_path)
                else:
                    process, status = run(block.body, folder, environment, log_path)
                processes.append(process)
                output = text_of(log_path)
                if status != 0:
                    wrong.append(f"{where}: ended with {status}:\n{output}")
        finally:
            for process in processes:
                end(process)
    return ran, wrong


def main():
    pages = os.path.join(ROOT, "Sources/wscope/wscope.docc")
    files = sys.argv[1:] or [os.path.join(ROOT, "README.md")] + [
        os.path.join(pages, page) for page in ("TestingInCI.md", "BehindProxies.md", "MeasuringHonestly.md")]
    passed = failed = 0
    for path in files:
        ran, wrong = check(path)
        if ran == 0:
            wrong.append(f"{path}: no command was run")
        for text in wrong:
            print(f"FAIL {text}")
        failed += len(wrong)
        passed += max(0, ran - len(wrong))
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
