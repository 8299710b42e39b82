"""The clients under attack, and how one is run: with pipes or on a terminal, to its end or to a deadline."""
import os
import pty
import select
import signal
import subprocess
import threading
import time

from processes import WSCOPE, peer, scratch

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE_NAMES = ["wscope connect", "wscope send", "websocat", "wsdump", "node ws script", "py websockets CLI"]


class ClientTarget:
    def __init__(self, name):
        self.name = name
        self._plain_peak = None

    def command(self, url, *, header=None, origin=None, protocol=None):
        """The command line, or None where the client has no such option."""
        options = {"header": header, "origin": origin, "protocol": protocol}
        given = {name: value for name, value in options.items() if value is not None}
        words = {
            "wscope connect": ([WSCOPE, "connect", url], {"header": "--header", "origin": "--origin", "protocol": "--protocol"}),
            "wscope send": ([WSCOPE, "send", url, "hello"], {"header": "--header", "origin": "--origin", "protocol": "--protocol"}),
            "websocat": ([peer("websocat"), url], {"header": "-H", "origin": "--origin", "protocol": "--protocol"}),
            "wsdump": ([peer("wsdump"), "-r", url], {"header": "--headers", "origin": "-o", "protocol": "-s"}),
            "node ws script": (["node", os.path.join(HERE, "client.cjs"), url],
                               {"header": "--header", "origin": "--origin", "protocol": "--protocol"}),
            "py websockets CLI": ([peer("websockets"), url], {}),
        }
        command, names = words[self.name]
        for name, value in given.items():
            if name not in names:
                return None
            command = command + [names[name], value]
        return command

    def run(self, url, *, seconds=15, tty=False, input=b"hello\n", closes_input=False, stdout=None, arguments=(), **options):
        command = self.command(url, **options)
        if command is None:
            return None
        # `wscope send` has its message in an argument; the others read it
        return Run([*command, *arguments], seconds, tty, b"" if self.name == "wscope send" else input, closes_input, stdout)

    def patient_arguments(self):
        """What makes it close at once when its input ends, where it would wait for an answer first."""
        return ["--wait", "0"] if self.name.startswith("wscope") else []

    def plain_peak(self):
        """The peak of memory of a session in which nothing happens: what an attack's is compared with. MiB."""
        if self._plain_peak is None:
            from hostile import Hostile  # the plain server is the hostile one on a good day

            def behave(guest):
                guest.accept(behind=b"\x81\x02hi")
                guest.send(b"\x88\x02\x03\xe8")
                guest.read_over(3)
            with Hostile(behave) as server:
                self._plain_peak = self.run(server.url, seconds=5).peak
        return self._plain_peak


class Run:
    """One run of a client. `code` is None when the deadline ended it, negative for a signal."""

    def __init__(self, command, seconds, tty, input, closes_input, stdout):
        self.peak, self.output, self.errors = 0.0, b"", b""
        master = slave = None
        if tty:
            master, slave = pty.openpty()
        began = time.monotonic()
        self.process = subprocess.Popen(
            command, stdin=slave if tty else subprocess.PIPE, stdout=slave if tty else stdout or subprocess.PIPE,
            stderr=slave if tty else subprocess.PIPE, start_new_session=True,
            preexec_fn=_own_terminal if tty else None, env={**os.environ, "TERM": "xterm-256color", "HOME": scratch()}, cwd=scratch())
        if tty:
            os.close(slave)
        self._watch_until(began + seconds, master, input, closes_input)
        self.seconds = time.monotonic() - began
        self.code = self.process.poll()
        if self.code is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self._collect(master)

    def _watch_until(self, deadline, master, input, closes_input):
        sources = [master] if master is not None else [f.fileno() for f in (self.process.stdout, self.process.stderr) if f]
        self._sources, self._master = sources, master
        threading.Thread(target=self._feed, args=(master, input, closes_input), daemon=True).start()
        while time.monotonic() < deadline:
            self._read(0.01)
            self._note_peak()
            if self.process.poll() is not None:
                return

    def _feed(self, master, input, closes_input):
        try:
            if master is not None:
                time.sleep(0.3)
                os.write(master, input)
                return
            if input:
                self.process.stdin.write(input)
                self.process.stdin.flush()
            if closes_input:
                self.process.stdin.close()
        except OSError:
            pass

    def _read(self, seconds):
        if not self._sources:
            time.sleep(seconds)
            return False
        readable = select.select(self._sources, [], [], seconds)[0]
        for descriptor in readable:
            try:
                data = os.read(descriptor, 1 << 18)
            except OSError:  # the other end of a terminal is gone
                data = b""
            if not data:
                self._sources.remove(descriptor)
            elif self.process.stderr and descriptor == self.process.stderr.fileno():
                self.errors += data
            else:
                self.output += data
        return bool(readable)

    def _note_peak(self):
        try:
            with open(f"/proc/{self.process.pid}/status") as file:
                for line in file:
                    if line.startswith("VmHWM:"):
                        self.peak = max(self.peak, int(line.split()[1]) / 1024)
        except OSError:
            pass

    def _collect(self, master):
        while self._read(0.05) and self._sources:
            pass
        for file in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                if file:
                    file.close()
            except OSError:
                pass
        if master is not None:
            os.close(master)

    @property
    def said(self):
        return self.errors.decode("utf-8", "replace")


def _own_terminal():
    import fcntl
    import termios
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
