#!/usr/bin/env python3
"""manual_text.py [--check]: writes Sources/wscope/Manual/ManualText.swift, the pages of man/ as mandoc prints them.

`wscope help` prints these texts. With --check nothing is written, and a difference is an error.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGES = ["wscope", "wscope-connect", "wscope-listen", "wscope-send", "wscope-bench"]
TARGET = os.path.join(ROOT, "Sources/wscope/Manual/ManualText.swift")


def rendered(page):
    """The page in 78 columns, without bold and underlining, and without the lines at its top and bottom."""
    run = subprocess.run(
        ["mandoc", "-T", "utf8", "-O", "width=78", os.path.join(ROOT, f"man/{page}.1")],
        check=True, capture_output=True, text=True)
    lines = [line.rstrip() for line in re.sub(".\b", "", run.stdout).split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines[2:-2])


def source():
    pages = "".join(
        f'    (\n      name: "{page}",\n      text: #"""\n{rendered(page)}\n"""#\n    ),\n' for page in PAGES)
    return (
        "// Made by Tests/manual_text.py from the pages in man/: do not edit.\n// swift-format-ignore-file\n\n"
        "enum ManualText {\n"
        "  static let pages: [(name: String, text: String)] = [\n" + pages + "  ]\n}\n")


def main():
    text = source()
    if "--check" not in sys.argv[1:]:
        with open(TARGET, "w") as file:
            file.write(text)
        return 0
    with open(TARGET) as file:
        if file.read() == text:
            return 0
    print("Sources/wscope/Manual/ManualText.swift differs from man/: run Tests/manual_text.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
