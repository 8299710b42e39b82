"""Reads the corpus of handshakes; the notation is explained at the top of requests.txt."""
import re

ESCAPE = re.compile(r"\\(?:([rnt\\])|x([0-9a-fA-F]{2})|\{(\d+)\*([^}]*)\}|\{([a-z]+)\})")
PLAIN = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}


class Case:
    def __init__(self, name, verdict, bytes, place):
        self.name, self.verdict, self.bytes, self.place = name, verdict, bytes, place


def expand(text, names):
    """The bytes of a text; an accept that stands in it is left as b"\\{accept}" for the moment at which the key is known."""
    out, at = [], 0
    for found in ESCAPE.finditer(text):
        out.append(text[at:found.start()].encode())
        at = found.end()
        plain, hex, count, repeated, name = found.groups()
        if plain:
            out.append(PLAIN[plain])
        elif hex:
            out.append(bytes([int(hex, 16)]))
        elif count:
            out.append(expand(repeated, names) * int(count))
        elif name == "accept":
            out.append(b"\\{accept}")
        else:
            out.append(names[name])
    rest = text[at:]
    assert not re.search(r"\\\{|\\x|\\[^rnt\\]", rest), f"an escape that is none: {rest!r}"
    return b"".join([*out, rest.encode()])


def read(path):
    cases, names = [], {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip()
            if not line or line.startswith("#"):
                continue
            if line.startswith("let "):
                _, name, text = line.split(" ", 2)
                names[name] = expand(text, names)
                continue
            name, verdict, text = (line + " " if line.endswith(" |") else line).split(" | ", 2)
            cases.append(Case(name, verdict, expand(text, names), f"{path}:{number}"))
    twice = {case.name for case in cases if sum(other.name == case.name for other in cases) > 1}
    assert not twice, f"{path}: names that stand twice: {twice}"
    return cases
