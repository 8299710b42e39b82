"""The servers under attack: wscope and the peers, each as an echo server on a free port of 127.0.0.1, a fresh process for each row."""
import signal

from processes import Child, WSCOPE, echo_peer, free_port, listen, peer
from wire import serves

TABLE_NAMES = ["wscope listen", "websocat", "websocketd", "node ws", "python websockets"]


class Server:
    def __init__(self, name, *options):
        self.name = name
        self.child, self.port = self._start(options)
        serves(self.port)  # warm: what a first connection costs is not the attack's

    def _start(self, options):
        if self.name == "wscope listen":
            return listen("--quiet", *options)
        if self.name in ("node ws", "python websockets"):
            return echo_peer(self.name, env={"PEER_DEFAULTS": "1"})
        port = free_port()
        command = ([peer("websocat"), "-q", "--text", f"ws-l:127.0.0.1:{port}", "mirror:"] if self.name == "websocat" else
                   ["websocketd", "--address=127.0.0.1", f"--port={port}", "cat"])
        child = Child(self.name, command)
        child.wait_for_port(port)
        return child, port

    @property
    def pid(self):
        return self.child.pid

    def serves_on(self):
        """`yes`, or what is wrong with it after the attack."""
        if self.child.process.poll() is not None:
            return f"died with {self.child.process.returncode}"
        return "yes" if serves(self.port) else "no"

    def stop(self):
        return self.child.stop(signal.SIGKILL)


def bound_without_a_host(name):
    """A server that was told nothing but a port: the child, to be looked at and stopped."""
    port = free_port()
    node = "new (require('/usr/share/nodejs/ws').WebSocketServer)({ port: %d })" % port
    commands = {
        "wscope listen": [WSCOPE, "listen", str(port), "--quiet"],
        "websocat": [peer("websocat"), "-q", "-s", str(port)],
        "websocketd": ["websocketd", f"--port={port}", "cat"],
        "node ws": ["node", "-e", node],
    }
    if name not in commands:
        return None  # python websockets has no default: the host is an argument that must be given
    child = Child(f"{name} without a host", commands[name])
    child.wait_for_port(port)
    return child
