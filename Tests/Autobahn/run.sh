#!/usr/bin/env bash
# run.sh server|client|both [full|CASES...]: the Autobahn suite against `wscope listen` as the server and `wscope connect` as the client.
# CASES as autobahn.sh takes them; `full`: all 517; without: sections 1 to 7, 9 and 10 whole, and of each group of 12 and 13 (compression)
# three sizes: 16 bytes, 1 KiB, and 8 KiB in frames of 256 bytes. FAILED, BAD-CLOSE, NON-STRICT and UNIMPLEMENTED cases fail the run, and
# so do cases of 12 and 13 in which nothing was compressed (verdict.py).
# The program is $WSCOPE, default .build/release/wscope. Reports: $AUTOBAHN_REPORTS, default .build/autobahn.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
case "${1:-}" in
  server | client) roles=("$1") ;;
  both) roles=(server client) ;;
  *) sed -n '2,6s/^# //p' "$0" >&2; exit 2 ;;
esac
shift
cases=("$@") seconds=1500
if [ $# = 0 ]; then
  cases=(1 2 3 4 5 6 7 9 10 '12.*.1' '12.*.4' '12.*.11' '13.*.1' '13.*.4' '13.*.11')
elif [ "$*" = full ]; then
  cases=('*') seconds=14400
  export AUTOBAHN_CASE_SECONDS=${AUTOBAHN_CASE_SECONDS:-480}  # what the suite allows the largest cases
fi
export WSCOPE=${WSCOPE:-$root/.build/release/wscope}
[ -x "$WSCOPE" ] || { echo "run.sh: no program at $WSCOPE" >&2; exit 2; }
reports=${AUTOBAHN_REPORTS:-$root/.build/autobahn}
scratch=$(mktemp -d)
listener=
end() {
  [ -z "$listener" ] || kill -KILL "$listener" 2>/dev/null || true
  rm -rf "$scratch"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$here/autobahn.sh" setup >&2
passed=0 failed=0 status=0

tally() {  # adds up the last line of a role's output, `N passed, N failed`
  local line
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$1" | tail -n 1) || line="0 passed, 1 failed"
  passed=$((passed + $(cut -d' ' -f1 <<<"$line")))
  failed=$((failed + $(cut -d' ' -f3 <<<"$line")))
}

suite() {  # suite ROLE TARGET: one role of the suite, and the verdict on its reports
  local role=$1 rc=0 before=$failed
  "$here/autobahn.sh" "$role" "$2" "${cases[@]}" --strict -n wscope -t $seconds -o "$reports/$role" >"$scratch/$role" || rc=$?
  grep -vE '^[0-9]+ passed, [0-9]+ failed$' "$scratch/$role" || true
  "$here/verdict.py" "$reports" "$role" >"$scratch/$role-verdict" || status=1
  grep -vE '^[0-9]+ passed, [0-9]+ failed$' "$scratch/$role-verdict" || true
  tally "$scratch/$role-verdict"
  [ $rc = 0 ] || status=1
  # what the reports do not tell, as a case that did not run
  [ $rc = 0 ] || [ $failed -gt $before ] || failed=$((failed + 1))
}

for role in "${roles[@]}"; do
  if [ "$role" = server ]; then
    "$WSCOPE" listen 0 --port-file "$scratch/port" >"$scratch/listen" 2>&1 &
    listener=$!
    deadline=$((SECONDS + 15))
    until [ -s "$scratch/port" ]; do
      if ! kill -0 "$listener" 2>/dev/null || [ $SECONDS -gt $deadline ]; then
        echo "run.sh: wscope listen wrote no port:" >&2
        cat "$scratch/listen" >&2
        exit 1
      fi
      sleep 0.02
    done
    suite server "ws://127.0.0.1:$(cat "$scratch/port")/"
    if kill -0 "$listener" 2>/dev/null; then
      kill -INT "$listener"
      deadline=$((SECONDS + 15)) rc=0
      while kill -0 "$listener" 2>/dev/null && [ $SECONDS -le $deadline ]; do sleep 0.02; done
      kill -KILL "$listener" 2>/dev/null || true  # only if it did not end in time; then the code tells
      wait "$listener" || rc=$?
      passed=$((passed + 1))
      if [ $rc != 0 ]; then
        echo "wscope listen ended with $rc after SIGINT"
        passed=$((passed - 1)) failed=$((failed + 1)) status=1
      fi
    else
      echo "wscope listen died during the run:"
      tail -n 20 "$scratch/listen"
      failed=$((failed + 1)) status=1
    fi
    listener=
  else
    suite client "python3 '$here/echo_client.py' wscope"
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] || status=1
exit $status
