"""Single checks counted, and their results as a table."""


class Checks:
    """Each check has a place (the row and column of the table it stands in) and a name within it."""

    def __init__(self):
        self.results = {}  # place: [(name, what went wrong or None)]

    def record(self, place, name, problem=None):
        self.results.setdefault(place, []).append((name, problem))

    def equal(self, place, name, got, wanted):
        self.record(place, name, None if got == wanted else f"got {brief(got)}, wanted {brief(wanted)}")

    def failures(self, place=None):
        return [(at, name, problem) for at, results in self.results.items() if place in (None, at)
                for name, problem in results if problem is not None]

    def cell(self, place):
        """`ok 7`, `FAIL 2 of 7`, or `-` where nothing was checked."""
        total, failed = len(self.results.get(place, [])), len(self.failures(place))
        return "-" if not total else f"FAIL {failed} of {total}" if failed else f"ok {total}"

    def finish(self):
        """Explains what failed, ends with `N passed, N failed`; the answer is the exit code."""
        failures = self.failures()
        for place, name, problem in failures:
            print(f"FAIL {' '.join(place) if isinstance(place, tuple) else place}: {name}: {problem}")
        total = sum(map(len, self.results.values()))
        print(f"{total - len(failures)} passed, {len(failures)} failed")
        return 1 if failures or not total else 0


def brief(value, limit=160):
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit // 2]}...{text[-limit // 4:]} ({len(value)} long)"


def print_table(head, rows):
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    numeric = [all(cell and (cell[0].isdigit() or cell[0] in "-<>~") for cell in (row[i] for row in rows)) for i in range(len(head))]

    def line(row):
        cells = (cell.rjust(width) if right else cell.ljust(width) for cell, width, right in zip(row, widths, numeric))
        print("  ".join(cells).rstrip())
    line(head)
    line(["-" * width for width in widths])
    for row in rows:
        line(row)
