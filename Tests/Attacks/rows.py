"""What a row of an attack table is: an attack on one target, and what wscope must make of it."""


class Seen:
    """What came of one attack: the words for the table's cell, and facts by name for the checks."""

    def __init__(self, cell, **facts):
        self.cell, self.facts = cell, facts


class Between:
    """An expectation: a number from `low` to `high`."""

    def __init__(self, low, high):
        self.low, self.high = low, high

    def __eq__(self, other):
        return isinstance(other, (int, float)) and self.low <= other <= self.high

    def __repr__(self):
        return f"{self.low:g} to {self.high:g}"


class Has:
    """An expectation: a text that has all of these in it."""

    def __init__(self, *parts):
        self.parts = parts

    def __eq__(self, other):
        return isinstance(other, str) and all(part in other for part in self.parts)

    def __repr__(self):
        return "with " + " and ".join(map(repr, self.parts))


class Row:
    """`attack(target)` answers a Seen; `expected` are the facts that hold for wscope. `waits` marks the rows that mostly wait: they
    run side by side."""

    def __init__(self, name, attack, expected, *, waits=False):
        self.name, self.attack, self.expected, self.waits = name, attack, expected, waits

    def check(self, checks, place, seen):
        for name, wanted in self.expected.items():
            checks.equal(place, f"{self.name}: {name}", seen.facts.get(name, "no such fact"), wanted)


def mib(number):
    return "gone" if number is None else f"{number:+.1f} MB"
