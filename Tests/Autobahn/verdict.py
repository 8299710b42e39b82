#!/usr/bin/env python3
"""verdict.py REPORTS [--markdown] ROLE...: what the reports of the Autobahn suite say, and what must be so whichever cases were run.

Nothing FAILED, no BAD-CLOSE, nothing UNIMPLEMENTED, sections 1 to 7 and 10 without NON-STRICT; and in 12 and 13 permessage-deflate was
agreed on and at work in both directions: the messages of a case did not take as many bytes on the wire as they have (a picture in pieces
of 256 bytes takes more), and those of all cases of a section fewer. Prints a table a role, or with --markdown one for the documentation;
ends with `N passed, N failed`, a check for each case.
"""
import glob
import json
import os
import sys

STRICT = {"1", "2", "3", "4", "5", "6", "7", "10"}
COLUMNS = ["OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED", "FAILED", "BAD-CLOSE"]


def compression_problem(case):
    """None, or why it cannot be said that this case was compressed."""
    handshake = case["httpResponse"] or ""
    if "permessage-deflate" not in handshake.lower():
        return "permessage-deflate was not agreed on"
    traffic = case["trafficStats"]
    for direction in ("incoming", "outgoing"):
        plain, wire = traffic[f"{direction}OctetsAppLevel"], traffic[f"{direction}OctetsWebSocketLevel"]
        if plain == wire:
            return f"{direction}: {plain} bytes of messages took {wire} on the wire"
    return None


def problem(section, case):
    if case["behavior"] in ("FAILED", "UNIMPLEMENTED") or case["behavior"] not in COLUMNS:
        return case["behavior"]
    if case["behaviorClose"] in ("FAILED", "UNCLEAN"):
        return f"BAD-CLOSE: {case['resultClose']}"
    if section in STRICT and case["behavior"] == "NON-STRICT":
        return "NON-STRICT"
    return compression_problem(case) if section in ("12", "13") else None


def judge(folder):
    """The counts of each section, and the cases with a problem."""
    sections, problems, wire, plain = {}, [], {}, {}
    for path in glob.glob(os.path.join(folder, "*_case_*.json")):
        with open(path) as file:
            case = json.load(file)
        section = case["id"].split(".")[0]
        counts = sections.setdefault(section, dict.fromkeys(["cases", *COLUMNS], 0))
        counts["cases"] += 1
        counts[case["behavior"]] = counts.get(case["behavior"], 0) + 1
        counts["BAD-CLOSE"] += case["behaviorClose"] in ("FAILED", "UNCLEAN")
        if section in ("12", "13") and case.get("trafficStats"):
            for direction in ("incoming", "outgoing"):
                key = (section, direction)
                wire[key] = wire.get(key, 0) + case["trafficStats"][f"{direction}OctetsWebSocketLevel"]
                plain[key] = plain.get(key, 0) + case["trafficStats"][f"{direction}OctetsAppLevel"]
        wrong = problem(section, case)
        if wrong:
            problems.append((case["id"], wrong))
    shares = {key: f"{wire[key] / plain[key]:.1%}" for key in wire if plain[key]}
    problems += [(section, f"{direction}: nothing was gained by compression") for section, direction in wire
                 if wire[section, direction] >= plain[section, direction]]
    return dict(sorted(sections.items(), key=lambda item: int(item[0]))), problems, shares


def rows(sections):
    total = {column: sum(counts[column] for counts in sections.values()) for column in ["cases", *COLUMNS]}
    return [[name, *(str(counts[column]) for column in ["cases", *COLUMNS])] for name, counts in [*sections.items(), ("all", total)]]


def main():
    arguments = [each for each in sys.argv[1:] if each != "--markdown"]
    reports, roles = arguments[0], arguments[1:]
    passed = failed = 0
    for role in roles:
        sections, problems, shares = judge(os.path.join(reports, role))
        cases = sum(counts["cases"] for counts in sections.values())
        passed, failed = passed + cases - len(problems), failed + len(problems) + (not cases)
        name = {"server": "`wscope listen` as the server", "client": "`wscope connect --echo` as the client"}[role]
        head = ["section", "cases", *COLUMNS]
        if "--markdown" in sys.argv:
            print(f"{name}:\n\n| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
            print("\n".join("| " + " | ".join(row) + " |" for row in rows(sections)) + "\n")
        else:
            print(f"{name}:")
            for row in [head, *rows(sections)]:
                print("  ".join(cell.rjust(max(len(title), 3)) for cell, title in zip(row, head)))
        # Autobahn's view: what comes in is what wscope sent
        for section in ("12", "13"):
            if (section, "incoming") in shares:
                print(f"- Section {section}: what wscope sent took {shares[section, 'incoming']} of its length on the wire, "
                      f"what it received {shares[section, 'outgoing']}.")
        for case, wrong in sorted(problems, key=lambda each: [int(part) for part in each[0].split(".")]):
            print(f"FAIL {role} {case}: {wrong}")
        print()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
