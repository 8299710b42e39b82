#!/usr/bin/env bash
# fuzz.sh run SECONDS [TARGET...]: every fuzz target (or those named) under libFuzzer and AddressSanitizer, each for so many seconds.
# fuzz.sh minimise [TARGET...]: puts the smallest set of inputs that reaches the same code, seeds and finds, back into Tests/Fuzz/Seeds.
# A find is written to Tests/Fuzz/FailCases/TARGET; with its cause mended it stays there and is replayed by `swift test`.
# Everything is built with instrumentation in a folder of its own (.build-fuzz), so this stands outside .ci/run. The last line is `N passed, N failed`.
set -euo pipefail
cd "$(dirname "$0")/../.."
usage() { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }
mode=${1:-}; shift || usage
seconds=
case $mode in
  run) seconds=${1:-}; [[ $seconds =~ ^[0-9]+$ ]] || usage; shift ;;
  minimise) ;;
  *) usage ;;
esac
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(request-head response-head client-frames server-frames deflate sanitiser url session-line script rules recording result histogram)

export WSCOPE_FUZZ=1 SWIFT_BACKTRACE=enable=no
scratch=.build-fuzz
flags=(-Xswiftc -sanitize=fuzzer,address -Xswiftc -parse-as-library -Xswiftc -use-ld=lld)
swift build -c release --product Fuzz --scratch-path "$scratch" "${flags[@]}" >&2
fuzz=$(swift build -c release --scratch-path "$scratch" "${flags[@]}" --show-bin-path)/Fuzz

passed=0 failed=0 rows=()
for target in "${targets[@]}"; do
  seeds=Tests/Fuzz/Seeds/$target finds=Tests/Fuzz/FailCases/$target corpus=$scratch/corpus/$target
  mkdir -p "$corpus" "$finds"
  log=$scratch/$target.log status=0
  # a head may be 32 KiB; what is longer than the limits only costs time
  options=(-max_len=6000 -timeout=60 -rss_limit_mb=2048 -artifact_prefix="$finds/" -print_final_stats=1)
  [ "$target" != session-line ] && [ "$target" != url ] && [ "$target" != sanitiser ] || options[0]=-max_len=600
  dictionary=Tests/Fuzz/Dictionaries/$target.dict
  [ ! -f "$dictionary" ] || options+=(-dict="$dictionary")
  export WSCOPE_FUZZ_TARGET=$target
  if [ "$mode" = run ]; then
    TIMEFORMAT=%U
    cpu=$({ time "$fuzz" "${options[@]}" -max_total_time="$seconds" "$corpus" "$seeds" >"$log" 2>&1 || echo $? >"$scratch/status"; } 2>&1)
    if [ -s "$scratch/status" ]; then status=$(<"$scratch/status"); rm "$scratch/status"; fi
    executions=$(grep -oE 'stat::number_of_executed_units: +[0-9]+' "$log" | grep -oE '[0-9]+$' || echo 0)
    coverage="$(grep -oE 'cov: [0-9]+' "$log" | tail -n 1 || true)  $cpu s of CPU"
  else
    rm -rf "$scratch/minimised" && mkdir -p "$scratch/minimised"
    "$fuzz" "${options[@]}" -merge=1 "$scratch/minimised" "$seeds" "$corpus" >"$log" 2>&1 || status=$?
    executions=$(find "$scratch/minimised" -type f | wc -l) coverage=inputs
    # what was made by hand keeps its name
    find "$scratch/minimised" -type f -size -3k -exec cp -n -t "$seeds" {} +
  fi
  rmdir "$finds" 2>/dev/null || true
  if [ $status = 0 ]; then passed=$((passed + 1)) result=ok; else failed=$((failed + 1)) result=FAIL; tail -n 25 "$log" >&2; fi
  rows+=("$(printf '%-14s %-4s %12s  %s' "$target" $result "$executions" "$coverage")")
  echo "${rows[-1]}"
done
printf '\n%-14s %-4s %12s\n' target result executions
printf '%s\n' "${rows[@]}"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
