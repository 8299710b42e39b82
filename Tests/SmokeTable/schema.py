"""schema.py: validates JSON Lines and results of bench with a validator that others wrote (jsonschema), against the schemas that `wscope --schema` and `wscope bench --schema` print.

Run by schema.sh with the Python of the peers.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Peers"))
import subprocess  # noqa: E402

import jsonschema  # noqa: E402
from checks import Checks  # noqa: E402
from processes import REPOSITORY, WSCOPE, listen, require_wscope, scratch  # noqa: E402


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def broken(line):
    """Copies of a line that the schema must refuse."""
    for change in ({"v": 2}, {"t": -1}, {"conn": 0}, {"event": "gossip"}, {"more": 1}):
        yield {**line, **change}
    for name in line:
        if name in ("v", "t", "conn", "event", "dir", "size", "code"):
            yield {key: value for key, value in line.items() if key != name}


def main():
    require_wscope()
    checks = Checks()

    def wscope(*arguments, text=""):
        done = subprocess.run([WSCOPE, *arguments], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
        return done.stdout

    schema = json.loads(wscope("--schema"))
    jsonschema.Draft202012Validator.check_schema(schema)
    with open(os.path.join(REPOSITORY, "Sources/Conversation/Resources/session.schema.json")) as file:
        checks.equal("schema", "the file is what is printed", json.load(file), schema)
    validator = jsonschema.Draft202012Validator(schema)

    _, port = listen("--mode", "broadcast=all")
    url, example = f":{port}", os.path.join(REPOSITORY, "Tests/Examples/chat.wscope")
    recordings = [os.path.join(scratch(), name) for name in ("send.jsonl", "connect.jsonl", "script.jsonl")]
    printed = {
        "send": wscope("send", url, "text \u00e9\u2028", "-b", "-N1", "--format", "jsonl", "--record", recordings[0]),
        "send text": wscope("send", url, "a", "b", "-N2", "--format", "jsonl", "--repeat", "2"),
        "connect": wscope("connect", url, "-N1", "--format", "jsonl", "--record", recordings[1], text="x\n"),
    }
    wscope("send", url, "--script", example, "--record", recordings[2], "--linger", "100ms")
    for path in recordings:
        with open(path) as file:
            printed[os.path.basename(path)] = file.read()
    for name, text in printed.items():
        checks.record(name, "has lines", None if len(text.splitlines()) >= 3 else repr(text))
        for number, line in enumerate(lines(text), 1):
            problems = [error.message for error in validator.iter_errors(line)]
            checks.record(name, f"line {number}", f"{line}: {problems}" if problems else None)
            for wrong in broken(line):
                checks.record(name, f"line {number}, broken", f"valid: {wrong}" if validator.is_valid(wrong) else None)
    results(checks, wscope, url)
    return checks.finish()


def results(checks, wscope, url):
    """The results of bench, against `wscope bench --schema`."""
    schema = json.loads(wscope("bench", "--schema"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for name, options in {"open": ["-R", "500"], "closed": [], "shard": ["-R", "500", "--shard", "0/2"]}.items():
        path = os.path.join(scratch(), f"{name}.json")
        wscope("bench", url, "-c2", "-n200", *options, "--out", path)
        with open(path) as file:
            result = json.load(file)
        problems = [error.message for error in validator.iter_errors(result)]
        checks.record("bench", name, str(problems) if problems else None)
        for member in result:
            missing = {key: value for key, value in result.items() if key != member}
            checks.record("bench", f"{name} without {member}", "valid" if validator.is_valid(missing) else None)
        checks.record("bench", f"{name} with more", "valid" if validator.is_valid({**result, "more": 1}) else None)


if __name__ == "__main__":
    sys.exit(main())
