"""core: masking beside memcpy and UTF-8 validation beside `String(validating:as:)`, in GB/s of one core (CoreSpeed)."""
import os
import statistics
import subprocess

from yardstick import CLIENT_CORE, Failure, checks, pinned, run_json, spread
from checks import print_table
from processes import REPOSITORY

ROWS = [("masking", "memcpy"), ("ASCII", "ASCII, String"), ("multi-byte", "multi-byte, String"), ("CJK", "CJK, String")]


def core(quick):
    build = ["swift", "build", "--package-path", REPOSITORY, "-c", "release", "--static-swift-stdlib", "--product", "CoreSpeed"]
    if "WSCOPE_CORE_SPEED" in os.environ:
        program = os.environ["WSCOPE_CORE_SPEED"]
    else:
        done = subprocess.run(build, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"CoreSpeed does not build: {done.stdout[-500:]}")
        program = os.path.join(REPOSITORY, ".build/release/CoreSpeed")
    runs = [run_json("CoreSpeed", [program], 60, preexec_fn=pinned(CLIENT_CORE)) for _ in range(1 if quick else 5)]
    rows, report = [], {}
    for name, base in ROWS:
        checks.record("core", name)
        ratios = [run[name] / run[base] for run in runs]
        report[name] = {"GB/s": statistics.median(run[name] for run in runs), "ratio": {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)}}
        rows.append([name, spread([run[name] for run in runs], "{:.2f}".format), spread([run[base] for run in runs], "{:.2f}".format), spread(ratios, "{:.2f}".format)])
    print("\ncore: 16 KiB at a time, GB/s (the text rows beside String(validating:as:), masking beside memcpy)")
    print_table(["what", "wscope", "beside it", "ratio"], rows)
    return report
