#!/usr/bin/env bash
# Test with several processes, one per GPU (or CPU core where there is no GPU), on one
# machine or, started once on each, on several:
#   tools/dist_test.sh CONFIG [CHECKPOINT] NUM_GPUS [arguments of test.py ...]
# Environment: PORT, and for several machines NNODES, NODE_RANK, MASTER_ADDR;
# PYTHON, the interpreter.
set -euo pipefail

usage() {
    echo "Usage: $0 CONFIG [CHECKPOINT] NUM_GPUS [arguments of test.py ...]" >&2
    exit 2
}

[ $# -ge 2 ] || usage
MODEL=("$1")
if ! [[ $2 =~ ^[0-9]+$ ]]; then
    MODEL+=("$2")
    shift
fi
[[ ${2:-} =~ ^[0-9]+$ ]] || usage
GPUS=$2
shift 2

PYTHONPATH="$(dirname "$0")/..${PYTHONPATH:+:$PYTHONPATH}" \
"${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$GPUS" \
    "$(dirname "$0")/test.py" "${MODEL[@]}" --launcher pytorch "$@"
