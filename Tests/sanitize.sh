#!/usr/bin/env bash
# sanitize.sh [thread] [address] [-- SWIFT TEST OPTIONS]: the tests under the thread and the address sanitizer (default: both).
# Each rebuilds every dependency, in a folder of its own (.build-tsan, .build-asan), so this stands outside .ci/run.
set -euo pipefail
cd "$(dirname "$0")/.."
chosen=()
while [ $# -gt 0 ]; do
  case $1 in
    thread | address) chosen+=("$1"); shift ;;
    --) shift; break ;;
    *) sed -n '2,3s/^# //p' "$0" >&2; exit 2 ;;
  esac
done
[ ${#chosen[@]} -gt 0 ] || chosen=(thread address)

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
rows=() failed=0
for sanitizer in "${chosen[@]}"; do
  folder=.build-${sanitizer:0:1}san
  start=$SECONDS status=0
  echo "== swift test --sanitize=$sanitizer --scratch-path $folder $*"
  # a report must fail the run, also one from a program that a test started
  TSAN_OPTIONS="halt_on_error=0 exitcode=66 ${TSAN_OPTIONS:-}" ASAN_OPTIONS="exitcode=66 detect_leaks=0 ${ASAN_OPTIONS:-}" \
    SWIFT_BACKTRACE=enable=no swift test --sanitize="$sanitizer" --scratch-path "$folder" "$@" 2>&1 | tee "$logs/$sanitizer" || status=$?
  reports=$(grep -cE '(WARNING: ThreadSanitizer|ERROR: AddressSanitizer)' "$logs/$sanitizer" || true)
  result=ok
  if [ $status != 0 ] || [ "$reports" != 0 ]; then
    result=FAIL
    failed=$((failed + 1))
  fi
  rows+=("$(printf '%-9s %-6s %7s %6d s' "$sanitizer" "$result" "$reports" $((SECONDS - start)))")
done
printf '\n%-9s %-6s %7s %8s\n' sanitizer result reports time
printf '%s\n' "${rows[@]}"
echo "$((${#chosen[@]} - failed)) passed, $failed failed"
[ $failed = 0 ]
