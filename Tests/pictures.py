#!/usr/bin/env python3
"""pictures.py [session] [bench] [report] [page]: makes the pictures of the README from real runs, by default all of them.

The terminals are what tmux shows, colours included; the pages are screenshots of headless Chromium. Nothing is drawn by hand.
`bench` and `report` want an idle machine. The program is $WSCOPE, default .build/release/wscope.
"""
import html
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WSCOPE = os.path.abspath(os.environ.get("WSCOPE", os.path.join(ROOT, ".build/release/wscope")))
PICTURES = os.path.join(ROOT, "Sources/wscope/wscope.docc/Resources")
COLUMNS, CELL_WIDTH, CELL_HEIGHT = 88, 8.4, 18
NO_BREAK = "\u00a0"  # renderers drop spaces at the beginning of a line, whatever is said about white space
COLORS = {"31": "#e06c75", "32": "#98c379", "33": "#e5c07b", "36": "#56b6c2"}


def tmux(*arguments):
    return subprocess.run(["tmux", "-L", "wscope-picture", *arguments], check=True, capture_output=True, text=True).stdout


def wait_for(target, text):
    deadline = time.monotonic() + 30
    while text not in tmux("capture-pane", "-p", "-t", target):
        if time.monotonic() > deadline:
            sys.exit(f"no {text!r} on the screen of {target}")
        time.sleep(0.05)


def shell(name, home, rows=19):
    environment = {"HOME": home, "PS1": "$ ", "PATH": os.path.dirname(WSCOPE) + ":/usr/bin:/bin", "INPUTRC": "/dev/null"}
    words = [f"{key}={value}" for key, value in environment.items()]
    tmux("new-session", "-d", "-s", name, "-x", str(COLUMNS), "-y", str(rows),
         "env", *words, "bash", "--norc", "--noprofile")
    wait_for(name, "$")


def typed(target, text):
    tmux("send-keys", "-t", target, "-l", text)
    tmux("send-keys", "-t", target, "Enter")


def styled(lines):
    """Lines of `capture-pane -e` as SVG spans; attributes last beyond the end of a line."""
    fill, weight, opacity = None, None, None
    for line in lines:
        spans = []
        for part in re.split(r"(\x1b\[[0-9;]*m)", line):
            code = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
            if code:
                for number in (code.group(1) or "0").split(";"):
                    if number in ("", "0", "39"):
                        fill = weight = opacity = None
                    elif number == "1":
                        weight = "bold"
                    elif number == "2":
                        opacity = "0.6"
                    elif number in COLORS:
                        fill = COLORS[number]
            elif part:
                attributes = [(n, v) for n, v in (("fill", fill), ("font-weight", weight), ("opacity", opacity)) if v]
                spans.append("<tspan" + "".join(f' {n}="{v}"' for n, v in attributes) + f">{html.escape(part).replace(' ', NO_BREAK)}</tspan>")
        yield "".join(spans)


def screen(name):
    """The lines on a screen down to the last one with text."""
    lines = tmux("capture-pane", "-e", "-p", "-t", name).rstrip("\n").split("\n")
    while lines and not re.sub(r"\x1b\[[0-9;]*m", "", lines[-1]).strip():
        lines.pop()
    return lines


def write(name, label, lines):
    width, height = COLUMNS * CELL_WIDTH + 32, len(lines) * CELL_HEIGHT + 28
    target = os.path.join(PICTURES, name)
    with open(target, "w") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" '
                   f'height="{height}" role="img" aria-label="{label}">\n'
                   f'<rect width="100%" height="100%" rx="8" fill="#1e2127"/>\n'
                   '<g font-family="ui-monospace,Menlo,Consolas,monospace" font-size="14" fill="#d7dae0">\n')
        for row, line in enumerate(styled(lines)):
            file.write(f'<text x="16" y="{26 + row * CELL_HEIGHT}">{line}</text>\n')
        file.write("</g>\n</svg>\n")
    print(f"{target}: {len(lines)} lines")


def session(home):
    """A server above, a prompt below."""
    shell("listen", home)
    shell("connect", home)
    typed("listen", "wscope listen 8080 --mode broadcast=all")
    wait_for("listen", "page for browsers")
    typed("connect", "wscope connect :8080")
    wait_for("connect", "Ctrl-D leaves")
    typed("connect", "hello, is anybody there?")
    wait_for("connect", "< hello")
    subprocess.run([WSCOPE, "send", ":8080", '{"user":"ann","text":"I am!"}', "-1"], check=True, capture_output=True)
    wait_for("connect", "I am!")
    typed("connect", "/ping")
    wait_for("connect", "pong after")
    typed("connect", "/json on")
    wait_for("connect", "JSON pretty-printing on")
    subprocess.run([WSCOPE, "send", ":8080", '{"price":41.50,"bid":true}', "-1"], check=True, capture_output=True)
    wait_for("connect", '"bid"')
    tmux("send-keys", "-t", "connect", "-l", "a line half typed stays whole")
    wait_for("connect", "stays whole")
    wait_for("listen", "#3 closed")
    write("session.svg", "wscope listen above, wscope connect below, in two terminals", screen("listen") + [""] + screen("connect"))


def bench(home):
    """A report in a terminal."""
    server = subprocess.Popen([WSCOPE, "listen", "8080", "-q"], stderr=subprocess.DEVNULL)
    try:
        shell("bench", home, rows=50)
        typed("bench", "wscope bench :8080 -c 100 -d 5s -R 5000")
        wait_for("bench", "Generator")
        time.sleep(0.5)  # the prompt after it
        write("bench.svg", "A report of wscope bench in a terminal", screen("bench")[:-1])
    finally:
        server.terminate()
        server.wait()


def report(home):
    """The page of a run whose server stalls for a second."""
    server = subprocess.Popen([WSCOPE, "listen", "8080", "-q"], stderr=subprocess.DEVNULL)
    page, picture = os.path.join(home, "report.html"), os.path.join(PICTURES, "report.png")
    try:
        bench = subprocess.Popen(
            [WSCOPE, "bench", ":8080", "-c", "100", "-d", "30s", "-R", "2000", "--threshold", "rtt.p99<50ms", "--threshold", "errors.rate<0.1%",
             "--html", page, "--no-progress"], stdout=subprocess.DEVNULL)
        time.sleep(20)
        server.send_signal(signal.SIGSTOP)
        time.sleep(1)
        server.send_signal(signal.SIGCONT)
        bench.wait()
    finally:
        server.terminate()
        server.wait()
    subprocess.run(
        ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-proxy-server", f"--user-data-dir={home}/profile",
         "--window-size=1000,1290", f"--screenshot={picture}", f"file://{page}"], check=True, capture_output=True)
    print(picture)


def page(_):
    """The page with a chat of a browser and a terminal."""
    sys.path[:0] = [os.path.join(ROOT, "Tests/Interop"), os.path.join(ROOT, "Tests/Peers")]
    from browser import Browser, send, visit
    browser = Browser()
    try:
        _, port = visit("page", browser, "--mode", "broadcast=all")
        send(browser, "hello from the browser")
        for text in ("hello from the terminal", '{"price":41.50,"bid":true}'):
            subprocess.run([WSCOPE, "send", f":{port}", text, "-1"], check=True, capture_output=True)
        send(browser, "nothing polls")
        time.sleep(0.5)
        browser.screenshot(os.path.join(PICTURES, "page.png"))
        print(os.path.join(PICTURES, "page.png"))
    finally:
        browser.close()


def main():
    parts = {"session": session, "bench": bench, "report": report, "page": page}
    for name in sys.argv[1:] or parts:
        if name not in parts:
            sys.exit(__doc__.splitlines()[0])
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
            try:
                parts[name](home)
            finally:
                subprocess.run(["tmux", "-L", "wscope-picture", "kill-server"], capture_output=True)


if __name__ == "__main__":
    main()
