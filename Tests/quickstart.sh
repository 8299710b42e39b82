#!/usr/bin/env bash
# quickstart.sh: from a fresh Debian 12 with only the Swift toolchain to a message answered and a measurement printed; ends by itself.
# Prints each command before it runs it. WSCOPE names a program that is built already: then nothing is installed or built.
set -Eeuo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
listener=
end() {
  [ -z "$listener" ] || kill -KILL "$listener" 2>/dev/null || true
  rm -rf "$scratch"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
fail() {
  printf '\nquickstart: FAILED: %s\n' "$*" >&2
  exit 1
}
trap 'fail "the command above (line $LINENO)"' ERR

show() {
  printf '\n\033[1m$ %s\033[0m\n' "$*"
}
[ -t 1 ] || show() { printf '\n$ %s\n' "$*"; }
run() {
  show "$@"
  "$@"
}

if [ -z "${WSCOPE:-}" ]; then
  missing=()
  for package in git libreadline-dev zlib1g-dev libpcre2-dev; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    run "${sudo[@]}" apt-get update -q
    run "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
  fi
  run swift build -c release --static-swift-stdlib --product wscope
  WSCOPE=.build/release/wscope
fi
[ -x "$WSCOPE" ] || fail "no program at $WSCOPE"

show "$WSCOPE listen 0 --port-file $scratch/port &"
"$WSCOPE" listen 0 --port-file "$scratch/port" &
listener=$!
deadline=$((SECONDS + 15))
until [ -s "$scratch/port" ]; do
  kill -0 "$listener" 2>/dev/null || fail "listen ended before it was ready"
  [ $SECONDS -le $deadline ] || fail "listen was not ready within 15 s"
  sleep 0.02
done
url=ws://localhost:$(cat "$scratch/port")

show "$WSCOPE send $url 'Hello, WebSocket!'"
answer=$("$WSCOPE" send "$url" 'Hello, WebSocket!')
printf '%s\n' "$answer"
[ "$answer" = 'Hello, WebSocket!' ] || fail "the answer is not what was sent"

show "kill -INT %1    # what Ctrl-C does"
kill -INT "$listener"
deadline=$((SECONDS + 15)) status=0
while kill -0 "$listener" 2>/dev/null; do
  [ $SECONDS -le $deadline ] || fail "listen still runs 15 s after SIGINT"
  sleep 0.02
done
wait "$listener" || status=$?
listener=
[ $status = 0 ] || fail "listen ended with $status"

run "$WSCOPE" bench -d 5s
