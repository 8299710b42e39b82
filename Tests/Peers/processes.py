"""Starts, watches and ends the processes of a test run: every one that it starts, and only those, by their ids."""
import atexit
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
PEERS = os.environ.get("WSCOPE_PEERS") or os.path.expanduser("~/.cache/wscope-peers")
WSCOPE = os.path.abspath(os.environ.get("WSCOPE") or os.path.join(REPOSITORY, ".build/release/wscope"))

_scratch = []
_children = []
_numbers = itertools.count()  # of the files in scratch(): children may be started by several threads


class Failure(Exception):
    """What a run cannot go on from; the text is for the reader."""


def require_wscope():
    if not os.access(WSCOPE, os.X_OK):
        sys.exit(f"no program at {WSCOPE}: build it with\n"
                 "  swift build -c release --static-swift-stdlib --product wscope\nor name it in WSCOPE")


def set_up_peers(*options):
    """Runs peers.sh; the answer maps a peer's name to its version."""
    done = subprocess.run([os.path.join(HERE, "peers.sh"), *options], stdout=subprocess.PIPE, text=True, check=True)
    return dict(re.split(r"\s{2,}", line, maxsplit=1) for line in done.stdout.splitlines())


def peer(program):
    return os.path.join(PEERS, "venv/bin", program)


def script(name):
    """A file of this folder, as the peers' command lines name it."""
    return os.path.join(HERE, name)


def scratch():
    """The folder of this run; it goes when the run ends."""
    if not _scratch:
        _scratch.append(tempfile.mkdtemp(prefix="wscope-test-"))
    return _scratch[0]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Child:
    def __init__(self, name, command, *, core=None, env=None, stdin=subprocess.DEVNULL, stdout=None, group=False):
        self.name, self.command = name, command
        stem = os.path.join(scratch(), f"{next(_numbers):03}-{re.sub(r'[^a-z0-9]+', '-', name.lower())}")
        self.output, self.errors = stem + ".out", stem + ".err"
        pin = None if core is None else lambda: os.sched_setaffinity(0, {core})
        with open(self.output, "wb") as output, open(self.errors, "wb") as errors:
            try:
                self.process = subprocess.Popen(
                    command, stdin=stdin, stdout=stdout or output, stderr=errors, preexec_fn=pin,
                    env={**os.environ, **(env or {})}, start_new_session=group)
            except OSError as error:
                raise Failure(f"{name} does not start: {error}") from None
        self.pid, self.group = self.process.pid, group
        _children.append(self)

    def said(self):
        """What it wrote so far, both streams: for the explanation of a failure."""
        text = ""
        for path in (self.output, self.errors):
            with open(path, errors="replace") as file:
                text += file.read()
        return text

    def wait_for(self, what, condition, seconds=15):
        """Polls for an event; a child that ends, or the deadline, is a failure."""
        deadline = time.monotonic() + seconds
        while True:
            found = condition()
            if found:
                return found
            if self.process.poll() is not None:
                raise Failure(f"{self.name} ended with {self.process.returncode} before {what}: {self.said()[-800:]}")
            if time.monotonic() > deadline:
                raise Failure(f"{self.name}: no {what} within {seconds} s: {self.said()[-800:]}")
            time.sleep(0.01)

    def wait_for_line(self, pattern, seconds=15):
        def found():
            with open(self.output, errors="replace") as output:
                return re.search(pattern, output.read(), re.MULTILINE)
        return self.wait_for(f"the line {pattern!r}", found, seconds)

    def wait_for_port(self, port, seconds=15):
        def answers():
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                return False
        self.wait_for(f"listener on port {port}", answers, seconds)

    def stop(self, with_signal=signal.SIGTERM, seconds=10):
        """Ends it and answers its exit code; one that does not end in time is killed and answers None."""
        if self.process.poll() is None:
            self._signal(with_signal)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self.process.wait()
                return None
        return self.process.returncode

    def _signal(self, number):
        try:
            if self.group:
                os.killpg(self.pid, number)  # its own session: only what it started itself
            else:
                self.process.send_signal(number)
        except ProcessLookupError:
            pass


def listen(*options, core=None):
    """`wscope listen` on a free port: the child and the port it took."""
    file = os.path.join(scratch(), f"port-{next(_numbers)}")
    child = Child("wscope listen", [WSCOPE, "listen", "0", "--port-file", file, *options], core=core)

    def written():
        return os.path.exists(file) and open(file).read().strip()
    return child, int(child.wait_for("port file", written))


def echo_peer(name, *certificate, core=None, env=None):
    """The echo server of a peer whose server is one of our scripts: the child and its port.

    With PEER_DEFAULTS in `env` it keeps the limits and the compression that its library has by itself.
    """
    runners = {
        "node ws": ["node", script("echo-server.mjs")],
        "bun": [peer("bun"), script("echo-server.mjs")],
        "deno": [peer("deno"), "run", "--quiet", "--allow-net", "--allow-read", "--no-config", script("echo-server.mjs")],
        "python websockets": [peer("python"), script("echo_server.py")],
    }
    child = Child(f"{name} server", [*runners[name], *certificate], core=core, env=env)
    return child, int(child.wait_for_line(r"^ready (\d+)$").group(1))


def _end_everything():
    for child in _children:
        child.stop(signal.SIGKILL)
    for folder in _scratch:
        shutil.rmtree(folder, ignore_errors=True)


def _asked_to_end(number, frame):
    sys.exit(128 + number)


atexit.register(_end_everything)
signal.signal(signal.SIGTERM, _asked_to_end)
signal.signal(signal.SIGINT, _asked_to_end)
