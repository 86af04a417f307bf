#!/usr/bin/env bash
# Orders beside libraries that do the same: installs those into a folder of their own below target/, and measures all in one
# run. Arguments go to the benchmark: `--short` for a fifth of it. Needs node, npm and python3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

peers=target/bench/orders
mkdir -p "$peers"
if [ ! -x "$peers/venv/bin/python" ]; then
    python3 -m venv "$peers/venv"
fi
"$peers/venv/bin/pip" install --quiet "huey==3.5.4" "honker==0.2.4"
if [ ! -f "$peers/package.json" ]; then
    echo '{ "private": true }' > "$peers/package.json"
fi
npm install --prefix "$peers" --no-audit --no-fund --silent "graphile-worker@0.17.3" "pg-boss@10.3.2"
exec cargo bench --locked -p tests --bench orders -- --peers "$PWD/$peers" "$@"
