"""start: `wscope send` with one message to a local echo beside websocat, Node ws and python websockets, as whole processes."""
import os
import statistics

from yardstick import CLIENT_CORE, HERE, OWN, SERVER_CORE, Failure, checks, compiled, peer, pinned, ratio, run_json, summary, turns
from checks import print_table
from processes import WSCOPE, echo_peer, scratch


def start(quick):
    cost, rounds = compiled("process_cost"), 5 if quick else 40
    server, port = echo_peer("bun", core=SERVER_CORE)
    url = f"ws://127.0.0.1:{port}/"
    message, output = (os.path.join(scratch(), name) for name in ("message", "reply"))
    with open(message, "w") as file:
        file.write("hi\n")
    commands = {
        OWN: [WSCOPE, "send", "-N", "1", url, "hi"],
        "websocat": [peer("websocat"), "--no-close", "--one-message", url],
        "node ws": ["node", os.path.join(HERE, "send-one.cjs"), url, "hi"],
        "python websockets": [peer("python"), os.path.join(HERE, "send_one.py"), url, "hi"],
        "(/bin/true)": ["/bin/true"],
    }
    results = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name in turns(list(commands), number):
            try:
                result = run_json(name, [cost, message if name == "websocat" else os.devnull, output, *commands[name]], 30, preexec_fn=pinned(CLIENT_CORE))
                with open(output) as file:
                    reply = file.read()
                if (result["exit"], reply) != (0, "" if name == "(/bin/true)" else "hi\n"):
                    raise Failure(f"exit {result['exit']}, printed {reply!r}")
            except Failure as failure:
                checks.record("start", f"{name}, run {number}", str(failure))
                result = None
            if number:  # the first round warms the page cache
                results[name].append(result)
    server.stop()
    rows, report = [], {}
    for name, runs in results.items():
        done = [run for run in runs if run]
        if not done:
            continue
        checks.record("start", name)
        times = [run["ms"] for run in done]
        peak = statistics.median(run["peak_kib"] for run in done) / 1024
        rows.append([name, f"{statistics.median(times):.2f}", f"{min(times):.2f}", f"{ratio(results, lambda run: run['ms'], 'websocat', name)}",
                     f"{peak:.1f}", f"{ratio(results, lambda run: run['peak_kib'], 'websocat', name).split()[0]}"])
        report[name] = {"median_ms": statistics.median(times), "min_ms": min(times), "peak_mib": peak,
                        "ratio": summary(results, lambda run: run["ms"], "websocat", name), "peak_ratio": summary(results, lambda run: run["peak_kib"], "websocat", name)}
    print(f"\nstart: one message to a local echo, whole process, {rounds} interleaved runs (websocat leaves without Close)")
    print_table(["client", "median ms", "least ms", "time vs websocat", "peak MiB", "peak vs websocat"], rows)
    return report
