#!/usr/bin/env bash
# coverage.sh: which lines and regions of WebSocketProtocol its own tests do not reach. Ends with 1 when there are any.
# Builds with profiling in .build/coverage, since its flags would rebuild everything each time it shared a folder with `swift test`.
set -euo pipefail
cd "$(dirname "$0")/.."
module=WebSocketProtocol
scratch=.build/coverage
llvm_cov=$(dirname "$(readlink -f "$(command -v swift)")")/llvm-cov

swift build --build-tests --enable-code-coverage --scratch-path "$scratch" >&2
swift test --skip-build --enable-code-coverage --scratch-path "$scratch" --filter "${module}Tests\\." >"$scratch/tests.log" 2>&1 || {
  cat "$scratch/tests.log" >&2
  exit 1
}
products=$(swift build --show-bin-path --enable-code-coverage --scratch-path "$scratch")
"$llvm_cov" export -format=text -instr-profile="$products/codecov/default.profdata" \
  "$products/wscopePackageTests.xctest" -sources "$PWD/Sources/$module" >"$scratch/coverage.json"

python3 - "$scratch/coverage.json" "$PWD/Sources/$module/" <<'PYTHON'
import collections, json, sys

data = json.load(open(sys.argv[1]))["data"][0]
folder = sys.argv[2]
counts = collections.Counter()
for function in data["functions"]:
    for line, column, end_line, end_column, count, file, _, kind in function["regions"]:
        name = function["filenames"][file]
        # Kind 0 is code. A region may be counted in several copies of a function: any of them will do.
        if kind == 0 and name.startswith(folder):
            counts[name[len(folder):], line, column, end_line, end_column] += count

missing = sorted(region for region, count in counts.items() if count == 0)
for name, line, column, end_line, end_column in missing:
    text = open(folder + name).read().splitlines()[line - 1][column - 1:]
    if line == end_line:
        text = text[:end_column - column]
    print(f"{name}:{line}:{column}-{end_line}:{end_column}  {text.strip()}")

print()
covered = total = 0
for file in sorted(data["files"], key=lambda file: file["filename"]):
    lines = file["summary"]["lines"]
    covered += lines["covered"]
    total += lines["count"]
    name = file["filename"][len(folder):]
    print(f"{name:28} {lines['covered']:5} of {lines['count']:5} lines")
print(f"{total - covered} of {total} lines and {len(missing)} of {len(counts)} regions are not reached")
sys.exit(1 if missing or covered < total else 0)
PYTHON
