#!/usr/bin/env bash
# schema.sh: schema.py with the Python that has jsonschema.
set -euo pipefail
cd "$(dirname "$0")"
../Peers/peers.sh >/dev/null
exec "${WSCOPE_PEERS:-$HOME/.cache/wscope-peers}/venv/bin/python" schema.py
