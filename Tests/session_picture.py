#!/usr/bin/env python3
"""session_picture.py [FILE]: makes the README's picture, from a real session in tmux: `wscope listen` and `wscope connect`.

The screen is what tmux shows, colours included; nothing is drawn by hand. The program is $WSCOPE, default .build/release/wscope.
FILE: default Sources/wscope/wscope.docc/Resources/session.svg.
"""
import html
import os
import re
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WSCOPE = os.path.abspath(os.environ.get("WSCOPE", os.path.join(ROOT, ".build/release/wscope")))
COLUMNS, ROWS, CELL_WIDTH, CELL_HEIGHT = 88, 19, 8.4, 18
COLORS = {"31": "#e06c75", "32": "#98c379", "33": "#e5c07b", "36": "#56b6c2"}


def tmux(*arguments):
    return subprocess.run(["tmux", "-L", "wscope-picture", *arguments], check=True, capture_output=True, text=True).stdout


def wait_for(target, text):
    deadline = time.monotonic() + 15
    while text not in tmux("capture-pane", "-p", "-t", target):
        if time.monotonic() > deadline:
            sys.exit(f"no {text!r} on the screen of {target}")
        time.sleep(0.05)


def shell(name, home):
    environment = {"HOME": home, "PS1": "$ ", "PATH": os.path.dirname(WSCOPE) + ":/usr/bin:/bin", "INPUTRC": "/dev/null"}
    words = [f"{key}={value}" for key, value in environment.items()]
    tmux("new-session", "-d", "-s", name, "-x", str(COLUMNS), "-y", str(ROWS),
         "env", *words, "bash", "--norc", "--noprofile")
    wait_for(name, "$")


def typed(target, text):
    tmux("send-keys", "-t", target, "-l", text)
    tmux("send-keys", "-t", target, "Enter")


def styled(line):
    """A line of `capture-pane -e` as SVG spans."""
    spans, fill, weight, opacity = [], None, None, None
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
            spans.append("<tspan" + "".join(f' {n}="{v}"' for n, v in attributes) + f">{html.escape(part)}</tspan>")
    return "".join(spans)


def main():
    target = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "Sources/wscope/wscope.docc/Resources/session.svg")
    screens = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        try:
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
            for name in ("listen", "connect"):
                screen = tmux("capture-pane", "-e", "-p", "-t", name).rstrip("\n").split("\n")
                while screen and not re.sub(r"\x1b\[[0-9;]*m", "", screen[-1]).strip():
                    screen.pop()
                screens.append(screen)
        finally:
            subprocess.run(["tmux", "-L", "wscope-picture", "kill-server"], capture_output=True)
    lines = screens[0] + [""] + screens[1]
    width, height = COLUMNS * CELL_WIDTH + 32, len(lines) * CELL_HEIGHT + 28
    with open(target, "w") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" role="img" '
                   'aria-label="wscope listen above, wscope connect below, in two terminals">\n'
                   f'<rect width="100%" height="100%" rx="8" fill="#1e2127"/>\n'
                   '<g font-family="ui-monospace,Menlo,Consolas,monospace" font-size="14" fill="#d7dae0" style="white-space:pre">\n')
        for row, line in enumerate(lines):
            file.write(f'<text x="16" y="{26 + row * CELL_HEIGHT}">{styled(line)}</text>\n')
        file.write("</g>\n</svg>\n")
    print(f"{target}: {len(lines)} lines")


main()
