#!/usr/bin/env python3
"""proxies.py: `wscope send` through the proxies of Debian: tinyproxy (HTTP CONNECT, with and without a password) and microsocks (SOCKS5).

ws and wss through each, by option and by variable, with passwords that are wrong, places that the proxy refuses and proxies that are not
there. The servers are `wscope listen` on loopback. The program is $WSCOPE, default .build/release/wscope.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Peers"))
sys.dont_write_bytecode = True
from certificates import Certificates  # noqa: E402
from checks import Checks, print_table  # noqa: E402
from processes import WSCOPE, Child, Failure, free_port, listen, require_wscope, scratch  # noqa: E402

SECONDS = 30
checks = Checks()
table = []


def tinyproxy(name, *lines):
    port = free_port()
    folder = os.path.join(scratch(), name)
    os.mkdir(folder)
    config = os.path.join(folder, "tinyproxy.conf")
    with open(config, "w") as file:
        file.write(f"Port {port}\nListen 127.0.0.1\nTimeout 30\nMaxClients 20\nAllow 127.0.0.1\nLogLevel Connect\n"
                   f"PidFile \"{folder}/pid\"\nLogFile \"{folder}/log\"\n" + "\n".join(lines) + "\n")
    child = Child(name, ["tinyproxy", "-d", "-c", config])
    child.wait_for_port(port)
    return port, os.path.join(folder, "log")


def microsocks(name, *options):
    port = free_port()
    child = Child(name, ["microsocks", "-i", "127.0.0.1", "-p", str(port), *options])
    child.wait_for_port(port)
    return port


def row(name, options, code, *said, env=None, stdout=None):
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    done = subprocess.run([WSCOPE, "send", "-N", "1", *options, "hi"], stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS,
                          env={**environment, **(env or {})})
    errors = done.stderr.decode(errors="replace")
    missing = [words for words in said if words not in errors]
    wanted = b"hi\n" if code == 0 else b""
    checks.record("send", name, None if (done.returncode, done.stdout, missing) == (code, wanted, []) else
                  f"exit {done.returncode} (wanted {code}), stdout {done.stdout[:80]!r}, missing {missing}; stderr: {errors.strip()[-500:]!r}")
    table.append([name, str(done.returncode), errors.splitlines()[0][:110] if errors and code else "ok"])


def main():
    require_wscope()
    certificates = Certificates()
    try:
        _, plain = listen("-q")
        _, secure = listen("-q", "--cert", certificates.cert, "--key", certificates.key)
        _, stream = listen("-q", "--http2")
        ws, wss = f"ws://127.0.0.1:{plain}/", f"wss://localhost:{secure}/"
        trust = ["--cacert", certificates.ca]
        http, log = tinyproxy("tinyproxy")
        guarded, _ = tinyproxy("tinyproxy with a password", "BasicAuth ada lovelace")
        narrow, _ = tinyproxy("tinyproxy for one port", f"ConnectPort {secure}")
        socks = microsocks("microsocks")
        closed = microsocks("microsocks with a password", "-u", "ada", "-P", "lovelace")
        dead = free_port()
        secret = os.path.join(scratch(), "secret")
        with open(secret, "w") as file:
            file.write("ada:lovelace\n")

        row("tinyproxy, ws", ["--proxy", f"http://127.0.0.1:{http}", "-v", ws], 0, f"127.0.0.1:{plain} through the proxy", "proxy ")
        row("tinyproxy, wss", ["--proxy", f"http://127.0.0.1:{http}", *trust, wss], 0)
        row("tinyproxy, no scheme", ["--proxy", f"127.0.0.1:{http}", ws], 0)
        row("tinyproxy, HTTP/2", ["--proxy", f"http://127.0.0.1:{http}", "--http2", f"ws://127.0.0.1:{stream}/"], 0)
        row("tinyproxy, http_proxy", [ws], 0, env={"http_proxy": f"http://127.0.0.1:{http}"})
        row("tinyproxy, https_proxy", [*trust, wss], 0, env={"https_proxy": f"http://127.0.0.1:{http}", "http_proxy": f"http://127.0.0.1:{dead}"})
        row("no_proxy", [ws], 0, env={"http_proxy": f"http://127.0.0.1:{dead}", "no_proxy": "10.0.0.0/8,127.0.0.0/8"})
        row("--noproxy", ["--noproxy", "*", ws], 0, env={"all_proxy": f"http://127.0.0.1:{dead}"})
        with open(log, errors="replace") as file:
            connects = sum("CONNECT" in line and "Request" in line for line in file)
        checks.record("tinyproxy", "each of the six was a CONNECT", None if connects == 6 else f"{connects}")

        row("password in the URL", ["--proxy", f"http://ada:lovelace@127.0.0.1:{guarded}", ws], 0)
        row("password in a file, wss", ["--proxy", f"http://127.0.0.1:{guarded}", "--proxy-user", f"@{secret}", *trust, wss], 0)
        row("password missing", ["--proxy", f"http://127.0.0.1:{guarded}", ws], 97, "407", "--proxy-user")
        row("password wrong", ["--proxy", f"http://ada:byron@127.0.0.1:{guarded}", ws], 97, "401", "rejects this user and password")
        row("a port that it refuses", ["--proxy", f"http://127.0.0.1:{narrow}", ws], 97, "403", f"127.0.0.1:{plain}")
        row("and one that it allows", ["--proxy", f"http://127.0.0.1:{narrow}", *trust, wss], 0)
        row("a dead proxy", ["--proxy", f"http://127.0.0.1:{dead}", ws], 7, "cannot connect to the proxy")
        row("a proxy without a name", ["--proxy", "http://no.such.host.invalid:3128", ws], 5, "cannot resolve the proxy")
        row("a server that is down, tinyproxy", ["--proxy", f"http://127.0.0.1:{http}", f"ws://127.0.0.1:{dead}/"], 97, "500", f"127.0.0.1:{dead}")

        for kind in ("socks5", "socks5h"):
            row(f"microsocks, {kind}, ws", ["--proxy", f"{kind}://127.0.0.1:{socks}", ws], 0)
            row(f"microsocks, {kind}, wss", ["--proxy", f"{kind}://127.0.0.1:{socks}", *trust, wss], 0)
            row(f"microsocks, {kind}, password", ["--proxy", f"{kind}://ada:lovelace@127.0.0.1:{closed}", ws], 0)
        row("microsocks, all_proxy", [*trust, wss], 0, env={"all_proxy": f"socks5h://127.0.0.1:{socks}"})
        row("microsocks, password missing", ["--proxy", f"socks5://127.0.0.1:{closed}", ws], 97, "refused", "--proxy-user")
        row("microsocks, password wrong", ["--proxy", f"socks5://ada:byron@127.0.0.1:{closed}", ws], 97, "rejects this user and password")
        row("a server that is down, microsocks", ["--proxy", f"socks5://127.0.0.1:{socks}", f"ws://127.0.0.1:{dead}/"], 97, "refused")
        row("a name that the proxy cannot find", ["--proxy", f"socks5h://127.0.0.1:{socks}", "ws://no.such.host.invalid/"], 97, "refused")
        row("SOCKS to an HTTP proxy", ["--proxy", f"socks5://127.0.0.1:{http}", "--open-timeout", "1s", ws], 28, "the proxy", "right kind of proxy")
        row("HTTP to a SOCKS proxy", ["--proxy", f"http://127.0.0.1:{socks}", "--open-timeout", "5s", ws], 97, "proxy")
    except (Failure, OSError, subprocess.TimeoutExpired) as failure:
        checks.record("send", "runs to its end", str(failure))
    print_table(["proxy", "exit", "said"], table)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
