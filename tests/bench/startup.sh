#!/usr/bin/env bash
# How quickly the binary is there, how long a run without news takes, and what an idle process holds.
#
#   tests/bench/startup.sh target/release/loops
#
# Medians of RUNS calls each (default 31), of wall time with the process's start and end in it.
set -euo pipefail
loops="$(realpath "${1:?which binary?}")"
runs="${RUNS:-31}"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export XDG_STATE_HOME="$folder/elsewhere" NO_COLOR=1
unset ANTHROPIC_API_KEY

# Milliseconds that a command takes, the median of all runs.
median() {
    local i before after
    for ((i = 0; i < runs; i++)); do
        before=$(date +%s%N)
        "$@" >/dev/null 2>&1
        after=$(date +%s%N)
        echo $(((after - before) / 1000))
    done | sort -n | awk '{ all[NR] = $1 } END { printf "%.1f", all[int((NR + 1) / 2)] / 1000 }'
}

# Peak resident memory of a command, MiB, by the kernel's own count.
peak() {
    python3 - "$@" <<'PY'
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
print(f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.1f}", end="")
PY
}

"$loops" demo --rehearse demo >/dev/null 2>&1
cd demo
runs_before=$("$loops" runs --format json --limit 1000 | grep -c '"id"')

echo "| what | figure |"
echo "|---|---|"
echo "| first output (\`loops\`) | $(median "$loops") ms |"
echo "| \`loops status\` | $(median "$loops" status) ms |"
echo "| a run without news | $(median "$loops" run feedback-to-fix) ms |"
echo "| peak memory of a run without news | $(peak "$loops" run feedback-to-fix) MiB |"
echo "| size of the binary | $(($(stat -c %s "$loops") / 1048576)) MiB |"

# A run without news must not have asked a model: every run since has no call, and says that there was nothing to do.
"$loops" runs --format json --limit 1000 >after.json
python3 - "$runs_before" <<'PY'
import json, sys
runs = json.load(open("after.json"))
since = runs[: len(runs) - int(sys.argv[1])]
assert since and all(run["state"] == "nothing_to_do" for run in since), [run["state"] for run in since]
PY
