#!/usr/bin/env python3
"""attacks.py [--only wscope] [--markdown FILE] [RULE...]: wscope and its peers under attack, and the rules that it must keep.

Prints the two tables of the attacks: on servers (14 rows, with a column for `wscope listen`) and on clients (12 rows, with columns for
`wscope connect` and `wscope send`). Of wscope's columns every row is checked: the close code and reason, the exit code, the words, the
growth of memory, and that the server serves the next client. Then come the checks of the rules R1 to R10, R12, R17, R19 and R20 beyond the tables,
on wscope alone; RULE restricts the run to some of them (R1 R19 ...), without the tables.

--only wscope leaves the peers out: no need to set them up, and short enough for `.ci/run`. --markdown writes the tables to a file too.
The program is $WSCOPE, default .build/release/wscope. All traffic is on loopback, every attack is bounded in time and bytes.
"""
import argparse
import concurrent.futures
import os
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "Peers"))
sys.dont_write_bytecode = True
import client_rows  # noqa: E402
import client_rules  # noqa: E402
import process_rules  # noqa: E402
import publishing_rules  # noqa: E402
import server_rows  # noqa: E402
import server_rules  # noqa: E402
from checks import Checks, print_table  # noqa: E402
from client_targets import TABLE_NAMES as CLIENTS, ClientTarget  # noqa: E402
from processes import require_wscope, set_up_peers  # noqa: E402
from rows import Seen  # noqa: E402
from server_targets import TABLE_NAMES as SERVERS, Server  # noqa: E402

RULES = server_rules.RULES + client_rules.RULES + process_rules.RULES + publishing_rules.RULES
WAITING = {server_rules.r3_timers, client_rules.r3_timers, process_rules.r19_idle, client_rules.r6_input}  # they mostly wait: side by side


def attack_server(row, name):
    server = Server(name)
    try:
        seen = row.attack(server)
        seen.facts["serves on"] = server.serves_on()
    finally:
        server.stop()
    if seen.facts["serves on"] != "yes":
        seen.cell += f"; then serves: {seen.facts['serves on']}"
    return seen


def attack_client(row, name):
    return row.attack(ClientTarget(name))


def attempt(attack, row, name):
    try:
        return attack(row, name)
    except Exception as error:  # an attack that breaks is a failed row, and the others go on
        traceback.print_exc()
        return Seen(f"broke: {error!r}")


class Table:
    def __init__(self, title, rows, names, attack, also):
        self.title, self.rows, self.names, self.attack, self.also = title, rows, names, attack, also
        self.seen = {}

    def run(self, names, pool):
        """The rows of wscope one after the other, so that nothing disturbs them; those of the peers side by side with each other."""
        own = [name for name in names if name.startswith("wscope")]
        for row in self.rows:
            for name in own:
                if not row.waits:
                    self.seen[row, name] = attempt(self.attack, row, name)
        jobs = [pool.submit(self._all_of, name) for name in names if name not in own]
        for job in jobs:
            job.result()

    def waiting(self, names, pool):
        """Starts the rows that mostly wait."""
        def one(row, name):
            self.seen[row, name] = attempt(self.attack, row, name)
        return [pool.submit(one, row, name) for row in self.rows if row.waits for name in names]

    def _all_of(self, name):
        for row in self.rows:
            if not row.waits:
                self.seen[row, name] = attempt(self.attack, row, name)

    def check(self, checks):
        for (row, name), seen in self.seen.items():
            if name.startswith("wscope"):
                row.check(checks, name, seen)
                for fact, wanted in self.also.items():
                    checks.equal(name, f"{row.name}: {fact}", seen.facts.get(fact), wanted)

    def cells(self, names):
        return [[row.name, *(self.seen[row, name].cell if (row, name) in self.seen else "-" for name in names)] for row in self.rows]

    def markdown(self, names):
        lines = [[self.title, *names], ["---"] * (len(names) + 1), *self.cells(names)]
        return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def run_rule(name, rule, checks):
    began = time.monotonic()
    try:
        rule(checks)
    except Exception as error:
        traceback.print_exc()
        checks.record(name, rule.__name__, repr(error))
    return f"{rule.__module__}.{rule.__name__}: {time.monotonic() - began:.1f} s"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=["wscope"])
    parser.add_argument("--markdown", metavar="FILE")
    parser.add_argument("--times", action="store_true", help="say how long each rule took")
    parser.add_argument("rules", nargs="*", metavar="RULE")
    options = parser.parse_args()
    require_wscope()
    unknown = set(options.rules) - {name for name, _ in RULES}
    if unknown:
        parser.error(f"no rule {', '.join(sorted(unknown))} among {', '.join(dict(RULES))}")
    checks, tables = Checks(), []
    pool = concurrent.futures.ThreadPoolExecutor(48)
    chosen = [(name, rule) for name, rule in RULES if not options.rules or name in options.rules]
    if options.only:
        server_rows.PATIENCE["seconds"], client_rows.PATIENCE["seconds"] = 14, 14
    elif not options.rules:
        print("peers: " + ", ".join(f"{name} {version}" for name, version in set_up_peers().items()), end="\n\n")
    waiting = []
    if not options.rules:
        tables = [Table("Attack on a server", server_rows.ROWS, SERVERS, attack_server, {"serves on": "yes"}),
                  Table("Attack on a client", client_rows.ROWS, CLIENTS, attack_client, {})]
        for table in tables:
            waiting += table.waiting([name for name in table.names if not options.only or name.startswith("wscope")], pool)
    times = [pool.submit(run_rule, name, rule, checks) for name, rule in chosen if rule in WAITING]
    for table in tables:
        table.run([name for name in table.names if not options.only or name.startswith("wscope")], pool)
    done = [run_rule(name, rule, checks) for name, rule in chosen if rule not in WAITING]
    for job in waiting:
        job.result()
    done += [job.result() for job in times]
    for table in tables:
        names = [name for name in table.names if not options.only or name.startswith("wscope")]
        table.check(checks)
        print_table([table.title, *names], table.cells(names))
        print()
    if options.markdown:
        with open(options.markdown, "w") as file:
            file.write("\n\n".join(table.markdown(table.names) for table in tables) + "\n")
    if options.times:
        print("\n".join(done))
    rules = list(dict.fromkeys(name for name, _ in chosen))
    print_table(["rule", "checks"], [[name, checks.cell(name)] for name in sorted(rules, key=lambda name: int(name[1:]))])
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
